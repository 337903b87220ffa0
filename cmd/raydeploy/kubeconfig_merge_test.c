/* A cluster in somebody's kubeconfig: put in, replaced, and nothing else touched. */
#include "kubeconfig_merge.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct kubeconfig_entry entry(json_t *args)
{
    return (struct kubeconfig_entry){.name = "ours",
                                     .server = "https://one.gke.goog",
                                     .command = "/opt/raydeploy",
                                     .args = args};
}

static void into_nothing(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *args = rd_json_pack("[s, s]", "token", "--exec-credential");
    RD_AUTOJSON json_t *tree = json_object();
    struct rd_err *err = NULL;
    struct kubeconfig_entry e = entry(args);
    assert_true(kubeconfig_put(tree, &e, &err));
    e.server = "https://two.gke.goog";
    assert_true(kubeconfig_put(tree, &e, &err));
    RD_AUTOFREE char *text = rd_json_dump(tree);
    rd_check_int("one cluster", (long long)json_array_size(json_object_get(tree, "clusters")), 1);
    assert_non_null(strstr(text, "https://two.gke.goog"));
    assert_null(strstr(text, "https://one.gke.goog"));
    rd_check_str("current", rd_json_str(tree, "current-context", NULL), "ours");
    assert_null(strstr(text, "certificate-authority"));
}

static void beside_others(void **state)
{
    (void)state;
    char path[] = "/tmp/raydeploy-kubeconfig-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char old[] = "apiVersion: v1\nkind: Config\nclusters:\n- name: theirs\n  cluster:\n"
                              "    server: https://theirs\nusers:\n- name: theirs\n  user:\n"
                              "    token: kept\npreferences: {}\n";
    assert_int_equal(write(fd, old, sizeof old - 1), (int)sizeof old - 1);
    close(fd);
    chmod(path, 0644);
    RD_AUTOJSON json_t *args = rd_json_pack("[s]", "token");
    struct kubeconfig_entry e = entry(args);
    struct rd_err *err = NULL;
    e.ca_pem = "PEM";
    if (!kubeconfig_put_file(path, &e, &err))
        fail_msg("%s", err->message);
    struct rd_buf b RD_AUTOBUF = RD_BUF_INIT(1 << 16);
    assert_true(rd_file_read(path, 1 << 16, &b, &err));
    assert_non_null(strstr(rd_buf_str(&b), "https://theirs"));
    assert_non_null(strstr(rd_buf_str(&b), "token: kept"));
    assert_non_null(strstr(rd_buf_str(&b), "certificate-authority-data: UEVN"));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    rd_check_int("mode", st.st_mode & 0777, 0600);
    unlink(path);
}

static void not_one(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *args = json_array();
    struct kubeconfig_entry e = entry(args);
    static const char *const texts[] = {"{\"kind\":\"Pod\"}", "{\"clusters\":{}}", "[]"};
    for (size_t i = 0; i < RD_ARRAY_LEN(texts); i++) {
        RD_AUTOJSON json_t *tree = json_loads(texts[i], 0, NULL);
        struct rd_err *err = NULL;
        assert_false(kubeconfig_put(tree, &e, &err));
        rd_check_int(texts[i], err->kind, RD_ERR_INPUT);
        rd_err_free(err);
    }
}

static void out_again(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *tree = json_object();
    RD_AUTOJSON json_t *login = rd_json_pack("{s:s}", "token", "t");
    struct rd_err *err = NULL;
    struct kubeconfig_entry mine = {.name = "mine", .server = "https://203.0.113.1", .user = login};
    struct kubeconfig_entry ours = {
        .name = "k3d-one", .user_name = "admin@k3d-one", .server = "https://127.0.0.1:1", .user = login};
    assert_true(kubeconfig_put(tree, &mine, &err));
    RD_AUTOFREE char *before = rd_json_dump(tree);
    assert_true(kubeconfig_put(tree, &ours, &err));
    assert_string_equal(rd_json_str(json_array_get(json_object_get(tree, "contexts"), 1), "context", "user", NULL),
                        "admin@k3d-one");
    assert_true(kubeconfig_drop(tree, "k3d-one", "admin@k3d-one"));
    assert_string_equal(rd_json_str(tree, "current-context", NULL), "");
    json_object_set_new(tree, "current-context", json_string("mine"));
    RD_AUTOFREE char *after = rd_json_dump(tree);
    assert_string_equal(after, before);
    assert_false(kubeconfig_drop(tree, "k3d-one", "admin@k3d-one"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(into_nothing),
        cmocka_unit_test(beside_others),
        cmocka_unit_test(not_one),
        cmocka_unit_test(out_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
