/* Discovery, credentials and refusals against a real API server. */
#include "live.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct live *live;
static char dir[] = "/tmp/client-live-XXXXXX";

static int open_live(void **state)
{
    (void)state;
    live = live_open();
    return mkdtemp(dir) ? 0 : -1;
}

static int close_live(void **state)
{
    (void)state;
    live_close(live);
    RD_AUTOFREE char *command = rd_asprintf("rm -r '%s'", dir);
    return system(command);
}

static void begin_discover(struct op *parent, void *ctx)
{
    k8s_discover_start(ctx, parent, live->client);
}

/* Every line of `kubectl api-resources` is in our mapping, with the same path and scope. */
static void test_discovery_as_kubectl(void **state)
{
    (void)state;
    struct k8s_discover d = {0};
    for (int round = 0; round < 2; round++) { /* the second is answered with 304 */
        live_run(live, begin_discover, &d);
        live_must(op_take_err(&d.op), "discovery");
    }
    assert_int_equal(d.ask[1].http.req.status, 304);
    assert_non_null(k8s_server_version(live->client));
    k8s_discover_clear(&d);
    const char *kubectl = getenv("RIG_KUBECTL") ? getenv("RIG_KUBECTL") : "kubectl";
    RD_AUTOFREE char *command = rd_asprintf("%s --kubeconfig %s api-resources --no-headers 2>%s/err",
                                            kubectl, getenv("RIG_KUBECONFIG"), dir);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    char line[512];
    size_t lines = 0;
    while (fgets(line, sizeof(line), out)) {
        char *words[6], *save = NULL;
        size_t n = 0;
        for (char *w = strtok_r(line, " \n", &save); w && n < 6; w = strtok_r(NULL, " \n", &save))
            words[n++] = w;
        if (n < 4)
            continue;
        const struct k8s_resource *r = k8s_resource_find(live->client, words[n - 3], words[n - 1]);
        if (!r)
            fail_msg("%s %s is not known", words[n - 3], words[n - 1]);
        assert_string_equal(r->plural, words[0]);
        assert_int_equal(r->namespaced, rd_streq(words[n - 2], "true"));
        lines++;
    }
    if (pclose(out) != 0 || lines == 0) {
        print_message("SKIP: no kubectl\n");
        skip();
    }
    size_t listable;
    k8s_resources_listable(live->client, &listable);
    print_message("%zu resources as kubectl has them; %zu can be listed\n", lines, listable);
    assert_true(listable > 20);
}

/* One GET of a pod list in our namespace with another client. */
static struct rd_err *try_list(struct k8s_client *c, struct k8s_call *k)
{
    struct http_url u;
    memset(k, 0, sizeof(*k));
    k8s_url(&u, c, k8s_resource_find(c, "v1", "Pod"), live->ns, NULL, NULL);
    k8s_call_init(k, c, "GET", http_url_str(&u));
    http_url_clear(&u);
    live_run(live, live_begin_call, k);
    return op_take_err(&k->op);
}

static void no_credential(struct k8s_config *c)
{
    rd_freep(&c->tls.cert_pem);
    rd_secret_clear(&c->tls.key_pem);
}

static void old_token(struct k8s_config *c)
{
    no_credential(c);
    rd_secret_set(&c->token, "not-accepted-any-more", 21);
}

static void test_expired_token(void **state)
{
    (void)state;
    struct k8s_client *c = live_client(live, old_token);
    struct k8s_call k;
    struct rd_err *err = try_list(c, &k);
    assert_non_null(err);
    print_message("%s\n  %s\n", err->message, err->hint);
    assert_int_equal(err->kind, RD_ERR_CREDENTIALS);
    assert_non_null(strstr(err->message, "context rig, user raydeploy-test"));
    assert_non_null(strstr(err->hint, "expired"));
    rd_err_free(err);
    k8s_call_clear(&k);
    k8s_client_free(c);
}

static void nobody(struct k8s_config *c)
{
    no_credential(c);
    rd_str_dup(&c->token_file, getenv("RIG_NOBODY_TOKEN_FILE"));
}

static void test_forbidden(void **state)
{
    (void)state;
    if (!getenv("RIG_NOBODY_TOKEN_FILE"))
        skip();
    struct k8s_client *c = live_client(live, nobody);
    struct k8s_call k;
    struct rd_err *err = try_list(c, &k);
    assert_non_null(err);
    print_message("%s\n  %s\n", err->message, err->hint);
    assert_int_equal(err->kind, RD_ERR_CREDENTIALS);
    assert_int_equal(err->http_status, 403);
    assert_non_null(strstr(err->hint, "the verb list on pods"));
    rd_err_free(err);
    k8s_call_clear(&k);
    k8s_client_free(c);
}

static const char other_ca[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBnDCCAUOgAwIBAgIUYkFK5bmYGlA8WqAliew4Q0/I/DswCgYIKoZIzj0EAwIw\n"
    "IzEhMB8GA1UEAwwYYSBDQSB0aGF0IHNpZ25lZCBub3RoaW5nMCAXDTI2MTEyMzA4\n"
    "MTYzMFoYDzIxMjYxMDMwMDgxNjMwWjAjMSEwHwYDVQQDDBhhIENBIHRoYXQgc2ln\n"
    "bmVkIG5vdGhpbmcwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARa2yLGbzKZP5oX\n"
    "C99qEjNRueFcNI2vDjkGRg1FA14ZHZ5aVaNWhaP9LUv7Y6CcB5rD4wD3cf0OYMO3\n"
    "669PTgQOo1MwUTAdBgNVHQ4EFgQUP/oSZkkj8U8wkuij4c/jppAtESYwHwYDVR0j\n"
    "BBgwFoAUP/oSZkkj8U8wkuij4c/jppAtESYwDwYDVR0TAQH/BAUwAwEB/zAKBggq\n"
    "hkjOPQQDAgNHADBEAiAmME4fauCCQx+miJo4FUGMynEuZRodevrRiod2BciIawIg\n"
    "RTMeVnyMuV1i1+hmBdyvhIO1dg3hStnToepolA+jzi0=\n"
    "-----END CERTIFICATE-----\n";

static void wrong_ca(struct k8s_config *c)
{
    rd_str_dup(&c->tls.ca_pem, other_ca);
}

static void test_wrong_ca(void **state)
{
    (void)state;
    struct k8s_client *c = live_client(live, wrong_ca);
    struct k8s_call k;
    struct rd_err *err = try_list(c, &k);
    assert_non_null(err);
    print_message("%s\n", err->message);
    assert_int_equal(err->kind, RD_ERR_NETWORK);
    rd_err_free(err);
    k8s_call_clear(&k);
    k8s_client_free(c);
}

static char *token_path;

static void token_file(struct k8s_config *c)
{
    no_credential(c);
    rd_str_dup(&c->token_file, token_path);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    struct rd_err *err = NULL;
    if (!rd_file_write_atomic(path, text, strlen(text), mode, &err))
        live_must(err, path);
}

static char *good_token(void)
{
    if (!getenv("RIG_TOKEN_FILE"))
        skip();
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    struct rd_err *err = NULL;
    if (!rd_file_read(getenv("RIG_TOKEN_FILE"), 65536, &b, &err))
        live_must(err, "token");
    char *token = rd_buf_take(&b, NULL);
    token[strcspn(token, "\r\n")] = '\0';
    return token;
}

/* A token file that was renewed after our last reading: the 401 makes us read it again. */
static void test_token_file_rotates(void **state)
{
    (void)state;
    RD_AUTOFREE char *token = good_token();
    token_path = rd_path_join(dir, "token");
    write_file(token_path, "an-old-one", 0600);
    struct k8s_client *c = live_client(live, token_file);
    struct k8s_call k;
    struct rd_err *err = try_list(c, &k);
    assert_non_null(err);
    assert_int_equal(err->kind, RD_ERR_CREDENTIALS);
    rd_err_free(err);
    k8s_call_clear(&k);
    write_file(token_path, token, 0600);
    live_must(try_list(c, &k), "with the renewed token");
    k8s_call_clear(&k);
    k8s_client_free(c);
    rd_freep(&token_path);
}

static char *plugin_path;

static void plugin(struct k8s_config *c)
{
    no_credential(c);
    rd_str_dup(&c->exec.command, plugin_path);
    rd_str_dup(&c->exec.api_version, "client.authentication.k8s.io/v1");
    rd_str_dup(&c->exec.interactive_mode, "Never");
    rd_str_dup(&c->exec.install_hint, "Install it.");
}

struct many {
    struct k8s_call calls[20];
};

static void begin_many(struct op *parent, void *ctx)
{
    struct many *m = ctx;
    for (size_t i = 0; i < RD_ARRAY_LEN(m->calls); i++)
        k8s_call_start(&m->calls[i], parent);
}

/* The plugin answers with a bad token first; twenty requests share its two runs. */
static void test_plugin_single_flight(void **state)
{
    (void)state;
    RD_AUTOFREE char *token = good_token();
    plugin_path = rd_path_join(dir, "plugin");
    RD_AUTOFREE char *script = rd_asprintf(
        "#!/bin/sh\nn=$(cat '%s/runs' 2>/dev/null || echo 0)\necho $((n + 1)) > '%s/runs'\n"
        "test -n \"$KUBERNETES_EXEC_INFO\" || exit 3\nt='%s'\ntest $n -gt 0 || t=bad-token-value\n"
        "printf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\","
        "\"status\":{\"token\":\"%%s\"}}' \"$t\"\n", dir, dir, token);
    write_file(plugin_path, script, 0700);
    struct k8s_client *c = live_client(live, plugin);
    struct many *m = rd_calloc(1, sizeof(*m));
    struct http_url u;
    k8s_url(&u, c, k8s_resource_find(c, "v1", "Pod"), live->ns, NULL, NULL);
    for (size_t i = 0; i < RD_ARRAY_LEN(m->calls); i++)
        k8s_call_init(&m->calls[i], c, "GET", http_url_str(&u));
    http_url_clear(&u);
    live_run(live, begin_many, m);
    for (size_t i = 0; i < RD_ARRAY_LEN(m->calls); i++) {
        live_must(op_take_err(&m->calls[i].op), "with a plugin");
        k8s_call_clear(&m->calls[i]);
    }
    rd_freep(&m);
    RD_AUTOFREE char *runs = rd_path_join(dir, "runs");
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(64);
    struct rd_err *err = NULL;
    assert_true(rd_file_read(runs, 64, &b, &err));
    assert_string_equal(b.data, "2\n");
    k8s_client_free(c);
    rd_freep(&plugin_path);
}

static void test_plugin_missing(void **state)
{
    (void)state;
    plugin_path = rd_strdup("no-such-credential-plugin");
    struct k8s_client *c = live_client(live, plugin);
    struct k8s_call k;
    struct rd_err *err = try_list(c, &k);
    assert_non_null(err);
    print_message("%s\n", err->message);
    assert_int_equal(err->kind, RD_ERR_CREDENTIALS);
    assert_string_equal(err->hint, "Install it.");
    rd_err_free(err);
    k8s_call_clear(&k);
    k8s_client_free(c);
    rd_freep(&plugin_path);
}

static void as_nobody(struct k8s_config *c)
{
    rd_str_dup(&c->as, "nobody-at-all");
    rd_strv_add(&c->as_groups, "g1");
}

static void test_impersonation(void **state)
{
    (void)state;
    struct k8s_client *c = live_client(live, as_nobody);
    struct k8s_call k;
    struct rd_err *err = try_list(c, &k);
    assert_non_null(err);
    assert_non_null(strstr(err->message, "nobody-at-all"));
    rd_err_free(err);
    k8s_call_clear(&k);
    k8s_client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_discovery_as_kubectl), cmocka_unit_test(test_expired_token),
        cmocka_unit_test(test_forbidden),            cmocka_unit_test(test_wrong_ca),
        cmocka_unit_test(test_token_file_rotates),   cmocka_unit_test(test_plugin_single_flight),
        cmocka_unit_test(test_plugin_missing),       cmocka_unit_test(test_impersonation),
    };
    return cmocka_run_group_tests(tests, open_live, close_live);
}
