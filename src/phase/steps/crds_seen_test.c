/* Goal: only the very objects that were seen, for the very same wish, are taken as seen; whatever else is
 * there, in the cluster or on the disk, means that all is read again. */
#include "base/test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "phase/steps/chart_fetch.h"
#include "phase/steps/crds_seen.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVER "https://127.0.0.1:6443"
#define CHART "e598681c328e000000000000000000000000000000000000000000000000beef"

static json_t *crd(const char *name, const char *uid, const char *version)
{
    return rd_json_pack("{s:{s:s, s:s, s:s, s:i, s:[{s:s, s:s}]}}", "metadata", "name", name, "uid", uid,
                        "resourceVersion", version, "generation", 1, "managedFields", "manager",
                        "raydeploy", "time", "2026-11-27T10:00:00Z");
}

static json_t *two(void)
{
    return rd_json_pack("[o, o]", crd("rayclusters.ray.io", "u1", "10"), crd("rayjobs.ray.io", "u2", "11"));
}

static json_t *digests_of(const json_t *crds)
{
    json_t *out = json_object();
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)crds, i, one)
    {
        RD_AUTOFREE char *digest = crds_seen_digest(one);
        json_object_set_new(out, rd_json_path_str(one, "metadata.name"), json_string(digest));
    }
    return out;
}

static size_t matches(const struct config *c, const char *server, const char *chart, const json_t *live)
{
    RD_AUTOJSON json_t *names = crds_seen_match(c, server, chart, live);
    return json_array_size(names);
}

static struct config config_in(char *folder)
{
    assert_non_null(mkdtemp(folder));
    return (struct config){.name = "ray", .state_dir = folder, .kuberay = {.version = "1.7.0"}};
}

static void remove_folder(const char *folder)
{
    RD_AUTOFREE char *command = rd_asprintf("rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}

static void the_same_is_seen(void **state)
{
    (void)state;
    char folder[] = "/tmp/crds-seen-XXXXXX";
    struct config c = config_in(folder);
    RD_AUTOJSON json_t *live = two();
    RD_AUTOJSON json_t *digests = digests_of(live);
    assert_int_equal(matches(&c, SERVER, CHART, live), 0);
    assert_false(crds_seen_chart(&c, CHART));
    crds_seen_keep(&c, SERVER, CHART, digests);
    assert_int_equal(matches(&c, SERVER, CHART, live), 2);
    assert_true(crds_seen_chart(&c, CHART));

    /* Others' definitions beside them are no matter; a server sends keys in any order. */
    json_array_append_new(live, crd("raycronjobs.ray.io", "u3", "12"));
    RD_AUTOFREE char *text = json_dumps(live, 0);
    RD_AUTOJSON json_t *again = json_loads(text, 0, NULL);
    assert_int_equal(matches(&c, SERVER, CHART, again), 2);

    /* Another wish, place or chart. */
    assert_int_equal(matches(&c, "https://127.0.0.1:6444", CHART, live), 0);
    assert_int_equal(matches(&c, SERVER, "00", live), 0);
    assert_false(crds_seen_chart(&c, "00"));
    c.name = "other";
    assert_int_equal(matches(&c, SERVER, CHART, live), 0);
    c.name = "ray";
    c.kuberay.version = "1.6.0"; /* this archive is not that chart, and reading it must say so */
    assert_false(crds_seen_chart(&c, CHART));
    remove_folder(folder);
}

/* Each difference in the metadata, and an object that is gone or was made anew. */
static void any_change_is_not(void **state)
{
    (void)state;
    char folder[] = "/tmp/crds-seen-XXXXXX";
    struct config c = config_in(folder);
    static const struct {
        const char *what, *member, *json;
    } rows[] = {
        {"written again", "resourceVersion", "\"99\""},
        {"made anew", "uid", "\"u9\""},
        {"another spec", "generation", "2"},
        {"a label", "labels", "{\"a\":\"b\"}"},
        {"an annotation", "annotations", "{\"a\":\"b\"}"},
        {"on its way out", "deletionTimestamp", "\"2026-11-27T10:00:00Z\""},
        {"another writer", "managedFields", "[{\"manager\":\"kubectl\"}]"},
        {"no managers", "managedFields", "null"},
    };
    RD_AUTOJSON json_t *live = two();
    RD_AUTOJSON json_t *digests = digests_of(live);
    crds_seen_keep(&c, SERVER, CHART, digests);
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *changed = json_deep_copy(live);
        json_t *metadata = json_object_get(json_array_get(changed, 1), "metadata");
        json_object_set_new(metadata, rows[i].member, json_loads(rows[i].json, JSON_DECODE_ANY, NULL));
        if (matches(&c, SERVER, CHART, changed) != 0)
            fail_msg("%s: taken as seen", rows[i].what);
    }
    json_array_remove(live, 0);
    assert_int_equal(matches(&c, SERVER, CHART, live), 0);
    json_array_clear(live);
    assert_int_equal(matches(&c, SERVER, CHART, live), 0);
    remove_folder(folder);
}

static void broken_records_are_no_records(void **state)
{
    (void)state;
    char folder[] = "/tmp/crds-seen-XXXXXX";
    struct config c = config_in(folder);
    static const char *const broken[] = {"", "{", "[]", "null", "{}", "{\"as\":1,\"seen\":2}", "\xff\xfe"};
    RD_AUTOJSON json_t *live = two();
    RD_AUTOJSON json_t *digests = digests_of(live);
    crds_seen_keep(&c, SERVER, CHART, digests);
    RD_AUTOFREE char *dir = chart_cache_dir(&c);
    RD_AUTOFREE char *command = rd_asprintf("ls %s/crds-*.json | head -n 1", dir);
    char path[4096] = "";
    FILE *ls = popen(command, "r");
    assert_non_null(fgets(path, sizeof(path), ls));
    pclose(ls);
    path[strcspn(path, "\n")] = '\0';
    for (size_t i = 0; i < RD_ARRAY_LEN(broken); i++) {
        RD_AUTOERR struct rd_err *err = NULL;
        assert_true(rd_file_write_atomic(path, broken[i], strlen(broken[i]), 0600, &err));
        if (matches(&c, SERVER, CHART, live) != 0)
            fail_msg("record \"%s\": taken as seen", broken[i]);
    }
    /* Nothing recorded is not everything seen. */
    RD_AUTOJSON json_t *none = json_object();
    crds_seen_keep(&c, SERVER, CHART, none);
    assert_int_equal(matches(&c, SERVER, CHART, live), 0);
    crds_seen_keep(&c, SERVER, CHART, digests);
    assert_int_equal(matches(&c, SERVER, CHART, live), 2);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_is_seen),
        cmocka_unit_test(any_change_is_not),
        cmocka_unit_test(broken_records_are_no_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
