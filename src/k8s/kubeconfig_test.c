/* Kubeconfigs: which file wins, what paths mean, and what is refused with which words. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "k8s/internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PEM "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
/* base64 of PEM */
#define PEM64 "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUIKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="

static char dir[] = "/tmp/kubeconfig-test-XXXXXX";

static char *write_text(const char *name, const char *text, size_t len)
{
    char *path = rd_path_join(dir, name);
    struct rd_err *err = NULL;
    RD_AUTOFREE char *folder = rd_path_dir(path);
    if (!rd_dir_make(folder, &err) || !rd_file_write_atomic(path, text, len, 0600, &err))
        fail_msg("%s", err->message);
    return path;
}

static int make_dir(void **state)
{
    (void)state;
    unsetenv("KUBECONFIG");
    unsetenv("KUBERNETES_SERVICE_HOST");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    RD_AUTOFREE char *command = rd_asprintf("rm -r '%s'", dir);
    return system(command);
}

#define HEAD "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
#define CONTEXT "contexts: [{name: c, context: {cluster: k, user: u, namespace: team}}]\n"
#define CLUSTER "clusters: [{name: k, cluster: {server: 'https://k.example:6443'}}]\n"
#define USER(body) "users: [{name: u, user: {" body "}}]\n"
#define EXEC(body) USER("exec: {" body "}")

static bool load_text(const char *text, size_t len, const char *context, struct k8s_config *ret,
                      struct rd_err **reterr)
{
    RD_AUTOFREE char *path = write_text("one.yaml", text, len);
    struct k8s_config_options o = {.path = path, .context = context, .no_in_cluster = true};
    return k8s_config_load(&o, ret, reterr);
}

static void test_whole(void **state)
{
    (void)state;
    const char *text = HEAD CONTEXT
        "clusters:\n- name: k\n  cluster:\n    server: https://k.example:6443/prefix/\n"
        "    certificate-authority-data: " PEM64 "\n    tls-server-name: inner\n"
        "    proxy-url: socks5://p:1\n    disable-compression: true\n"
        "    extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: x}}]\n"
        "users:\n- name: u\n  user:\n    client-certificate-data: " PEM64 "\n    client-key-data: " PEM64
        "\n    token: secret-token-value\n    as: someone\n    as-uid: '7'\n    as-groups: [g1, g2]\n"
        "    as-user-extra: {scope: [a, b]}\n"
        "    exec: {command: ./plugin, args: [a, b], env: [{name: NAME, value: V}], interactiveMode: Never,\n"
        "           apiVersion: client.authentication.k8s.io/v1, provideClusterInfo: true, installHint: h}\n";
    struct k8s_config c;
    struct rd_err *err = NULL;
    if (!load_text(text, strlen(text), NULL, &c, &err))
        fail_msg("%s", err->message);
    assert_string_equal(c.server, "https://k.example:6443/prefix");
    assert_string_equal(c.tls.ca_pem, PEM);
    assert_string_equal(c.tls.cert_pem, PEM);
    assert_string_equal(c.tls.key_pem.data, PEM);
    assert_string_equal(c.tls.server_name, "inner");
    assert_string_equal(c.proxy_url, "socks5://p:1");
    assert_true(c.disable_compression);
    assert_string_equal(c.token.data, "secret-token-value");
    assert_string_equal(c.ns, "team");
    assert_string_equal(c.context, "c");
    assert_string_equal(c.user, "u");
    assert_string_equal(c.as, "someone");
    assert_string_equal(c.as_uid, "7");
    assert_int_equal(c.as_groups.len, 2);
    assert_int_equal(json_array_size(json_object_get(c.as_extra, "scope")), 2);
    RD_AUTOFREE char *plugin = rd_path_join(dir, "./plugin");
    assert_string_equal(c.exec.command, plugin);
    assert_int_equal(c.exec.args.len, 2);
    assert_string_equal(c.exec.env.v[0], "NAME=V");
    assert_string_equal(rd_json_str(c.exec.cluster_extension, "audience", NULL), "x");
    assert_non_null(strstr(c.origin, "context c"));
    RD_AUTOFREE char *info = k8s_exec_info(&c, false);
    RD_AUTOJSON json_t *read = json_loads(info, 0, NULL);
    assert_string_equal(rd_json_path_str(read, "spec.cluster.server"), c.server);
    assert_string_equal(rd_json_path_str(read, "spec.cluster.certificate-authority-data"), PEM64);
    assert_string_equal(rd_json_path_str(read, "spec.cluster.config.audience"), "x");
    assert_null(strchr(info, '\n'));
    k8s_config_clear(&c);
}

/* The first file wins a whole entry; relative paths start at the folder of the file that names them. */
static void test_merge(void **state)
{
    (void)state;
    const char *first = "apiVersion: v1\nkind: Config\n"
                        "clusters: [{name: k, cluster: {server: 'https://first'}}]\n";
    const char *second = HEAD CONTEXT
        "clusters: [{name: k, cluster: {server: 'https://second', tls-server-name: lost}}]\n"
        "users: [{name: u, user: {tokenFile: sub/token, client-certificate: c.pem, client-key: c.pem}}]\n";
    const char *third = "current-context: other\n";
    RD_AUTOFREE char *a = write_text("a/one.yaml", first, strlen(first));
    RD_AUTOFREE char *b = write_text("b/two.yaml", second, strlen(second));
    RD_AUTOFREE char *c3 = write_text("b/three.yaml", third, strlen(third));
    RD_AUTOFREE char *pem = write_text("b/c.pem", PEM, strlen(PEM));
    RD_AUTOFREE char *list = rd_asprintf(":%s:/no/such/file:%s:%s:%s", a, b, b, c3);
    setenv("KUBECONFIG", list, 1);
    struct k8s_config_options o = {.no_in_cluster = true};
    struct k8s_config c;
    struct rd_err *err = NULL;
    if (!k8s_config_load(&o, &c, &err))
        fail_msg("%s", err->message);
    unsetenv("KUBECONFIG");
    RD_AUTOFREE char *token = rd_path_join(dir, "b/sub/token");
    assert_string_equal(c.server, "https://first");
    assert_null(c.tls.server_name);
    assert_string_equal(c.token_file, token);
    assert_string_equal(c.tls.cert_pem, PEM);
    k8s_config_clear(&c);
}

static void test_in_cluster(void **state)
{
    (void)state;
    RD_AUTOFREE char *token = write_text("sa/token", "tok\n", 4);
    RD_AUTOFREE char *ca = write_text("sa/ca.crt", PEM, strlen(PEM));
    RD_AUTOFREE char *ns = write_text("sa/namespace", "mine\n", 5);
    RD_AUTOFREE char *folder = rd_path_join(dir, "sa");
    setenv("KUBECONFIG", "/no/such/file", 1);
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    struct k8s_config_options o = {.in_cluster_dir = folder};
    struct k8s_config c;
    struct rd_err *err = NULL;
    if (!k8s_config_load(&o, &c, &err))
        fail_msg("%s", err->message);
    assert_string_equal(c.server, "https://[fd00::1]:443");
    assert_string_equal(c.ns, "mine");
    assert_string_equal(c.token_file, token);
    assert_string_equal(c.tls.ca_pem, PEM);
    k8s_config_clear(&c);
    o.no_in_cluster = true;
    assert_false(k8s_config_load(&o, &c, &err));
    assert_non_null(strstr(err->message, "no kubeconfig"));
    rd_err_freep(&err);
    unsetenv("KUBERNETES_SERVICE_HOST");
    unsetenv("KUBECONFIG");
}

static const struct {
    const char *text, *has; /* of the message */
} bad[] = {
    {"", "no current-context"},
    {"\n# nothing\n", "no current-context"},
    {"just words", "must be a mapping"},
    {"kind: Deployment\n", "kind is Deployment"},
    {"apiVersion: v2\n", "apiVersion is v2"},
    {"clusters: {}\n", "clusters must be a list"},
    {"clusters: [{cluster: {}}]\n", "has no name"},
    {"clusters: [{name: a, cluster: 1}]\n", "must be a mapping"},
    {"users: [{name: a}, {name: a}]\n", "\"a\" twice"},
    {"current-context: 7\n", "must be a string"},
    {HEAD, "no context \"c\""},
    {"\n\ncurrent-context: gone\n", ":3: no context \"gone\""},
    {HEAD CONTEXT USER("") "clusters: [{name: k, cluster: {server: \"https://b\\0.example\"}}]\n",
     "server holds a NUL"},
    {HEAD CONTEXT, "no cluster \"k\""},
    {HEAD CONTEXT CLUSTER, "no user \"u\""},
    {HEAD CONTEXT USER("") "clusters: [{name: k, cluster: {}}]\n", "no server"},
    {HEAD CONTEXT USER("") "clusters: [{name: k, cluster: {server: 'ftp://x'}}]\n", "server"},
    {HEAD CONTEXT USER("") "clusters: [{name: k, cluster: {server: 'https://a@b'}}]\n", "server"},
    {HEAD CONTEXT USER("") "clusters: [{name: k, cluster: {server: 'https://b?x=1'}}]\n", "server"},
    {HEAD CONTEXT USER("") "clusters: [{name: k, cluster: {server: [1]}}]\n", "server must be a string"},
    {HEAD CONTEXT USER("") "clusters: [{name: k, cluster: {server: 'https://b', proxy-url: 'gopher://'}}]\n",
     "proxy-url"},
    {HEAD CONTEXT USER("") "clusters: [{name: k, cluster: {server: 'https://b', "
     "insecure-skip-tls-verify: true, certificate-authority-data: " PEM64 "}}]\n", "exclude"},
    {HEAD CONTEXT USER("") "clusters: [{name: k, cluster: {server: 'https://b', "
     "certificate-authority-data: '%%%'}}]\n", "not base64"},
    {HEAD CONTEXT USER("") "clusters: [{name: k, cluster: {server: 'https://b', "
     "certificate-authority-data: aGVsbG8=}}]\n", "no PEM"},
    {HEAD CONTEXT USER("") "clusters: [{name: k, cluster: {server: 'https://b', "
     "certificate-authority: nowhere.pem}}]\n", "nowhere.pem"},
    {HEAD CONTEXT CLUSTER USER("token: a1, username: b, password: c"), "exclude"},
    {HEAD CONTEXT CLUSTER USER("client-certificate-data: " PEM64), "client-certificate without"},
    {HEAD CONTEXT CLUSTER USER("client-key-data: " PEM64), "client-key without"},
    {HEAD CONTEXT CLUSTER USER("auth-provider: {name: gcp}"), "auth-provider \"gcp\" was removed"},
    {HEAD CONTEXT CLUSTER USER("as-groups: [x]"), "need as"},
    {HEAD CONTEXT CLUSTER USER("as: x, as-user-extra: {k: [1]}"), "must be a string"},
    {HEAD CONTEXT CLUSTER USER("exec: 1"), "exec must be a mapping"},
    {HEAD CONTEXT CLUSTER EXEC("apiVersion: x"), "no command"},
    {HEAD CONTEXT CLUSTER EXEC("command: x"), "no apiVersion"},
    {HEAD CONTEXT CLUSTER EXEC("command: x, apiVersion: client.authentication.k8s.io/v1alpha1"),
     "not supported"},
    {HEAD CONTEXT CLUSTER EXEC("command: x, apiVersion: client.authentication.k8s.io/v1"),
     "interactiveMode is required"},
    {HEAD CONTEXT CLUSTER EXEC("command: x, apiVersion: client.authentication.k8s.io/v1, "
                               "interactiveMode: Sometimes"), "Sometimes"},
    {HEAD CONTEXT CLUSTER EXEC("command: x, apiVersion: client.authentication.k8s.io/v1beta1, "
                               "env: [{value: x}]"), "no usable name"},
    {"a: &a [x]\nb: [*a, *a\n", "one.yaml"},
    {"\x00\x01\x02", "one.yaml"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < RD_ARRAY_LEN(bad); i++) {
        struct k8s_config c;
        struct rd_err *err = NULL;
        size_t len = i + 1 == RD_ARRAY_LEN(bad) ? 3 : strlen(bad[i].text);
        assert_false(load_text(bad[i].text, len, NULL, &c, &err));
        if (!strstr(err->message, bad[i].has))
            fail_msg("row %zu: \"%s\" lacks \"%s\"", i, err->message, bad[i].has);
        assert_int_equal(err->kind, RD_ERR_INPUT);
        assert_non_null(strstr(err->message, "one.yaml"));
        rd_err_free(err);
    }
}

static void test_lines(void **state)
{
    (void)state;
    const char *text = "current-context: c\ncontexts:\n- name: c\n  context: {cluster: k, user: u}\n"
                       "clusters:\n- name: k\n  cluster: {server: 'https://k'}\nusers:\n- name: other\n"
                       "- name: u\n  user: {token: [1]}\n";
    struct k8s_config c;
    struct rd_err *err = NULL;
    assert_false(load_text(text, strlen(text), NULL, &c, &err));
    if (!strstr(err->message, "one.yaml:10: user \"u\": token must be a string"))
        fail_msg("%s", err->message);
    rd_err_free(err);
}

static void test_huge_and_deep(void **state)
{
    (void)state;
    size_t len = (size_t)100 << 20;
    char *text = rd_malloc(len);
    struct k8s_config c;
    struct rd_err *err = NULL;
    memset(text, 'a', len);
    assert_false(load_text(text, len, NULL, &c, &err));
    assert_int_equal(err->kind, RD_ERR_INPUT);
    rd_err_freep(&err);
    memset(text, '[', 100000);
    assert_false(load_text(text, 100000, NULL, &c, &err));
    assert_int_equal(err->kind, RD_ERR_INPUT);
    rd_err_freep(&err);
    rd_freep(&text);
    struct k8s_config_options o = {.path = "/no/such/file"};
    assert_false(k8s_config_load(&o, &c, &err));
    assert_int_equal(err->kind, RD_ERR_INPUT);
    rd_err_freep(&err);
}

static void test_context_by_name(void **state)
{
    (void)state;
    const char *text = HEAD CONTEXT CLUSTER USER("token: abcdefghij");
    struct k8s_config c;
    struct rd_err *err = NULL;
    assert_false(load_text(text, strlen(text), "nope", &c, &err));
    assert_non_null(strstr(err->hint, "there are: c"));
    rd_err_freep(&err);
    assert_true(load_text(text, strlen(text), "c", &c, &err));
    k8s_config_clear(&c);
}

static void test_exec_answers(void **state)
{
    (void)state;
    static const char v1[] = "client.authentication.k8s.io/v1";
#define CRED(status) "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{" status "}}"
    static const struct {
        const char *text, *error;
    } table[] = {
        {CRED("\"token\":\"abcdefgh\",\"expirationTimestamp\":\"2026-01-02T03:04:05Z\""), NULL},
        {CRED("\"clientCertificateData\":\"c\",\"clientKeyData\":\"kkkkkkkk\""), NULL},
        {CRED("\"clientCertificateData\":\"c\""), "neither"},
        {CRED(""), "neither"},
        {CRED("\"token\":\"a\\nb\""), "line breaks"},
        {CRED("\"token\":\"abcdefgh\",\"expirationTimestamp\":\"soon\""), "not a date"},
        {"{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\"}", "v1beta1"},
        {"{\"kind\":\"Pod\"}", "not an ExecCredential"},
        {"Please log in", "answer"},
        {"", "answer"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(table); i++) {
        struct k8s_exec_credential got = {0};
        struct rd_err *err = NULL;
        bool ok = k8s_exec_read(table[i].text, strlen(table[i].text), v1, &got, &err);
        assert_int_equal(ok, table[i].error == NULL);
        if (err) {
            assert_int_equal(err->kind, RD_ERR_CREDENTIALS);
            if (!strstr(err->message, table[i].error))
                fail_msg("row %zu: \"%s\" lacks \"%s\"", i, err->message, table[i].error);
        }
        rd_err_free(err);
        k8s_exec_credential_clear(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),      cmocka_unit_test(test_merge),
        cmocka_unit_test(test_in_cluster), cmocka_unit_test(test_bad),
        cmocka_unit_test(test_lines), cmocka_unit_test(test_huge_and_deep), cmocka_unit_test(test_context_by_name),
        cmocka_unit_test(test_exec_answers),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
