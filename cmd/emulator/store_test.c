#include "store.h"

#include "route.h"

#include "base/alloc.h"
#include "base/test.h"

static json_t *view(void *arg)
{
    return json_string(arg);
}

static void test_store(void **state)
{
    (void)state;
    struct emu_store s;
    emu_store_init(&s);
    assert_null(emu_store_get(&s, "k", "a"));
    emu_store_put(&s, "k", "p/b", rd_json_pack("{s:i, s:i}", "x", 1, "_note", 2));
    emu_store_put(&s, "k", "p/a", rd_json_pack("{s:i}", "x", 2));
    emu_store_put(&s, "k", "q/a", rd_json_pack("{s:i}", "x", 3));
    json_t *list = emu_store_list(&s, "k", "p/");
    rd_check_int("listed", (long long)json_array_size(list), 2);
    rd_check_int("in order", rd_json_path_int(json_array_get(list, 0), "x", -1), 1);
    json_decref(list);
    char text[] = "seen";
    emu_store_add_view(&s, "other", view, text);
    rd_check_int("deleted", emu_store_delete(&s, "k", "q/a"), true);
    rd_check_int("deleted again", emu_store_delete(&s, "k", "q/a"), false);
    json_t *dump = emu_store_dump(&s);
    RD_AUTOFREE char *got = rd_json_dump(dump);
    rd_check_str("dump", got,
                 "{\"gcp\":{\"k\":{\"p/a\":{\"x\":2},\"p/b\":{\"x\":1}}},\"other\":\"seen\"}");
    json_decref(dump);
    emu_store_clear(&s);
}

static void test_route(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path, *params; /* NULL: no match */
    } rows[] = {
        {"/v1/projects/{}", "/v1/projects/p", "p"},
        {"/v1/projects/{}", "/v1/projects/", NULL},
        {"/v1/projects/{}", "/v1/projects/p/x", NULL},
        {"/v1/projects/{}/x", "/v1/projects/p", NULL},
        {"/v1/projects/{}:getIamPolicy", "/v1/projects/p:getIamPolicy", "p"},
        {"/v1/projects/{}:getIamPolicy", "/v1/projects/p:setIamPolicy", NULL},
        {"/v1/projects/{}:getIamPolicy", "/v1/projects/p", NULL},
        {"/b/{}/o/{}", "/b/x/o/a%2Fb%20c", "x|a/b c"},
        {"/v2/**", "/v2/a/b/c", "a/b/c"},
        {"/i/{}", "/i/x@sha256:12", "x@sha256:12"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct emu_params p;
        bool got = emu_route_match(rows[i].pattern, rows[i].path, &p);
        rd_check_int(rows[i].path, got, rows[i].params != NULL);
        RD_AUTOBUF struct rd_buf joined = RD_BUF_INIT(1000);
        for (size_t k = 0; k < p.count; k++)
            rd_buf_printf(&joined, "%s%s", k > 0 ? "|" : "", p.v[k]);
        if (got)
            rd_check_str(rows[i].path, rd_buf_str(&joined), rows[i].params);
        emu_params_clear(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_store), cmocka_unit_test(test_route)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
