/* Answers of API servers, and of what stands in front of them, become kinds, hints and retries. */
#include "base/text.h"
#include "k8s/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define STATUS(code, reason, message, details)                                                     \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"" message \
    "\",\"reason\":\"" reason "\",\"details\":{" details "},\"code\":" #code "}"
#define CAUSE(reason, message, field)                                                              \
    "\"causes\":[{\"reason\":\"" reason "\",\"message\":\"" message "\",\"field\":\"" field "\"}]"

static const struct row {
    const char *name;
    long status;
    const char *type, *body;
    uint64_t retry_after_ms;
    enum rd_err_kind kind;
    enum call_judgement judgement;
    const char *message_has, *hint_has; /* NULL: not looked at */
} rows[] = {
    {"expired token", 401, "application/json", STATUS(401, "Unauthorized", "Unauthorized", ""), 0,
     RD_ERR_CREDENTIALS, CALL_FINAL, "cannot apply X/y: Unauthorized", "renew"},
    {"rbac", 403, "application/json",
     STATUS(403, "Forbidden",
            "rayclusters.ray.io \\\"x\\\" is forbidden: User \\\"bob\\\" cannot patch resource "
            "\\\"rayclusters\\\" in API group \\\"ray.io\\\" in the namespace \\\"ns\\\"",
            "\"name\":\"x\",\"group\":\"ray.io\",\"kind\":\"rayclusters\""),
     0, RD_ERR_CREDENTIALS, CALL_FINAL, "cannot patch resource",
     "grant user bob the verb patch on rayclusters.ray.io in namespace ns"},
    {"rbac on a path", 403, "application/json",
     STATUS(403, "Forbidden", "forbidden: User \\\"bob\\\" cannot get path \\\"/metrics\\\"", ""), 0,
     RD_ERR_CREDENTIALS, CALL_FINAL, NULL, "--context"},
    {"escalation", 403, "application/json",
     STATUS(403, "Forbidden", "roles \\\"r\\\" is forbidden: user \\\"bob\\\" (groups=[a]) is attempting "
            "to grant RBAC permissions not currently held: x", ""),
     0, RD_ERR_CREDENTIALS, CALL_FINAL, NULL, NULL},
    {"iam page", 403, "text/html", "<html>no</html>", 0, RD_ERR_CREDENTIALS, CALL_FINAL,
     "HTTP 403 with a body of text/html", NULL},
    {"quota", 403, "application/json",
     STATUS(403, "Forbidden", "pods \\\"p\\\" is forbidden: exceeded quota: q, requested: pods=1", ""), 0,
     RD_ERR_FAILED, CALL_FINAL, "exceeded quota", "ResourceQuota"},
    {"pod security", 403, "application/json",
     STATUS(403, "Forbidden", "pods \\\"p\\\" is forbidden: violates PodSecurity \\\"restricted:latest\\\"",
            ""),
     0, RD_ERR_FAILED, CALL_FINAL, NULL, "Pod Security"},
    {"webhook denial", 403, "application/json",
     STATUS(403, "Forbidden", "admission webhook \\\"w\\\" denied the request: no", ""), 0, RD_ERR_FAILED,
     CALL_FINAL, NULL, NULL},
    {"limit range", 403, "application/json",
     STATUS(403, "Forbidden", "pods \\\"p\\\" is forbidden: maximum memory usage per Container is 1Gi", ""),
     0, RD_ERR_FAILED, CALL_FINAL, NULL, NULL},
    {"terminating namespace", 403, "application/json",
     STATUS(403, "Forbidden", "configmaps \\\"c\\\" is forbidden: unable to create new content in "
            "namespace n because it is being terminated",
            CAUSE("NamespaceTerminating", "namespace n is being terminated", "metadata.namespace")),
     0, RD_ERR_TRANSIENT, CALL_RETRY, NULL, NULL},
    {"absent", 404, "application/json",
     STATUS(404, "NotFound", "pods \\\"p\\\" not found", "\"name\":\"p\",\"kind\":\"pods\""), 0,
     RD_ERR_NOT_FOUND, CALL_FINAL, NULL, NULL},
    {"no such path", 404, "text/plain; charset=utf-8", "404 page not found\n", 0, RD_ERR_NOT_FOUND,
     CALL_FINAL, "404 page not found", NULL},
    {"field manager", 409, "application/json",
     STATUS(409, "Conflict", "Apply failed with 1 conflict: conflict with \\\"helm\\\": .spec.x",
            CAUSE("FieldManagerConflict", "conflict with \\\"helm\\\" using v1", ".spec.x")),
     0, RD_ERR_FOREIGN, CALL_FINAL, NULL, "field manager"},
    {"stale version", 409, "application/json",
     STATUS(409, "Conflict", "Operation cannot be fulfilled on pods \\\"p\\\": the object has been "
            "modified", ""),
     0, RD_ERR_CONFLICT, CALL_FINAL, NULL, NULL},
    {"quota race", 409, "application/json",
     STATUS(409, "Conflict", "Operation cannot be fulfilled on resourcequotas \\\"q\\\": modified", ""), 0,
     RD_ERR_TRANSIENT, CALL_RETRY, NULL, NULL},
    {"exists", 409, "application/json", STATUS(409, "AlreadyExists", "exists", ""), 0, RD_ERR_CONFLICT,
     CALL_FINAL, NULL, NULL},
    {"compacted", 410, "application/json", STATUS(410, "Expired", "too old resource version", ""), 0,
     RD_ERR_CONFLICT, CALL_FINAL, NULL, NULL},
    {"too large", 413, "text/plain", "limit is 3145728", 0, RD_ERR_FAILED, CALL_FINAL, NULL, "3 MiB"},
    {"invalid", 422, "application/json", STATUS(422, "Invalid", "spec.x: Required value", ""), 0,
     RD_ERR_FAILED, CALL_FINAL, NULL, NULL},
    {"immutable", 422, "application/json",
     STATUS(422, "Invalid", "spec.selector: Invalid value: field is immutable", ""), 0, RD_ERR_FOREIGN,
     CALL_FINAL, NULL, "delete the object first"},
    {"strict decoding", 400, "application/json",
     STATUS(400, "BadRequest", "strict decoding error: unknown field \\\"spec.y\\\"", ""), 0, RD_ERR_FAILED,
     CALL_FINAL, NULL, "schema"},
    {"fairness", 429, "text/plain", "Too many requests, please try again later.", 3000, RD_ERR_TRANSIENT,
     CALL_RETRY, "Too many requests", NULL},
    {"unknown field under apply", 500, "application/json",
     STATUS(500, "", "failed to create typed patch object (ns/x; v1, Kind=Pod): .spec.y: field not "
            "declared in schema", ""),
     0, RD_ERR_FAILED, CALL_FINAL, "field not declared", "schema"},
    {"webhook not up", 500, "application/json",
     STATUS(500, "InternalError", "Internal error occurred: failed calling webhook \\\"w\\\": failed to "
            "call webhook: no endpoints available for service \\\"s\\\"", ""),
     0, RD_ERR_TRANSIENT, CALL_RETRY, NULL, "webhook"},
    {"etcd moves", 500, "application/json", STATUS(500, "", "etcdserver: leader changed", ""), 0,
     RD_ERR_TRANSIENT, CALL_RETRY, NULL, NULL},
    {"undecryptable", 500, "application/json", STATUS(500, "StorageReadError", "no key", ""), 0,
     RD_ERR_FAILED, CALL_FINAL, NULL, NULL},
    {"asks to wait", 500, "application/json",
     STATUS(500, "ServerTimeout", "try again", "\"retryAfterSeconds\":7"), 0, RD_ERR_TRANSIENT, CALL_RETRY,
     NULL, NULL},
    {"proxy page", 502, "text/html", "<html>Bad Gateway</html>", 0, RD_ERR_TRANSIENT, CALL_RETRY,
     "HTTP 502 with a body of text/html", NULL},
    {"starting", 503, "application/json", STATUS(503, "ServiceUnavailable", "starting", ""), 5000,
     RD_ERR_TRANSIENT, CALL_RETRY, NULL, NULL},
    {"late", 504, "application/json", STATUS(504, "Timeout", "late", ""), 0, RD_ERR_TRANSIENT, CALL_RETRY,
     NULL, NULL},
    {"empty", 500, NULL, "", 0, RD_ERR_TRANSIENT, CALL_RETRY, "HTTP 500", NULL},
    {"half a body", 403, "application/json", "{\"kind\":\"Status\",\"message\":\"exceeded qu", 0,
     RD_ERR_CREDENTIALS, CALL_FINAL, "HTTP 403", NULL},
    {"other json", 403, "application/json", "{\"error\":\"no\"}", 0, RD_ERR_CREDENTIALS, CALL_FINAL,
     "HTTP 403", NULL},
    {"control bytes", 400, "text/plain", "bad \x1b[31m thing", 0, RD_ERR_FAILED, CALL_FINAL, "bad \\x1b",
     NULL},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        struct rd_err *err = NULL;
        enum call_judgement j = k8s_decode_error(r->status, r->type, r->body, strlen(r->body),
                                                 r->retry_after_ms, "apply X/y", &err);
        assert_non_null(err);
        if (err->kind != r->kind || j != r->judgement)
            print_message("%s: kind %s for %s, judgement %d for %d\n", r->name,
                          rd_err_kind_name(err->kind), rd_err_kind_name(r->kind), j, r->judgement);
        assert_int_equal(err->kind, r->kind);
        assert_int_equal(j, r->judgement);
        assert_int_equal(err->http_status, r->status);
        if (r->message_has && !strstr(err->message, r->message_has))
            fail_msg("%s: \"%s\" lacks \"%s\"", r->name, err->message, r->message_has);
        if (r->hint_has && (!err->hint || !strstr(err->hint, r->hint_has)))
            fail_msg("%s: hint \"%s\" lacks \"%s\"", r->name, err->hint ? err->hint : "", r->hint_has);
        rd_err_free(err);
    }
}

static void test_retry_after(void **state)
{
    (void)state;
    const char *body = STATUS(500, "ServerTimeout", "try", "\"retryAfterSeconds\":7");
    struct rd_err *err = NULL;
    k8s_decode_error(500, "application/json", body, strlen(body), 0, "get x", &err);
    assert_int_equal(err->retry_after_ms, 7000);
    rd_err_free(err);
    err = NULL;
    k8s_decode_error(500, "application/json", body, strlen(body), 2000, "get x", &err);
    assert_int_equal(err->retry_after_ms, 2000);
    rd_err_free(err);
}

/* A body of any length leaves a message of bounded length. */
static void test_bounded(void **state)
{
    (void)state;
    static char body[1 << 20];
    memset(body, 'x', sizeof(body));
    struct rd_err *err = NULL;
    k8s_decode_error(400, "text/plain", body, sizeof(body), 0, "get x", &err);
    assert_true(strlen(err->message) < 4096);
    assert_true(strlen(err->remote) < 4096);
    rd_err_free(err);
}

static void test_missing(void **state)
{
    (void)state;
    static const struct {
        long status;
        const char *body;
        enum k8s_missing want;
    } table[] = {
        {200, "{}", K8S_MISSING_NOTHING},
        {404, "404 page not found\n", K8S_MISSING_TYPE},
        {404, STATUS(404, "NotFound", "the server could not find the requested resource", ""),
         K8S_MISSING_TYPE},
        {404, STATUS(404, "NotFound", "x", "\"name\":\"n\",\"kind\":\"namespaces\""),
         K8S_MISSING_NAMESPACE},
        {404, STATUS(404, "NotFound", "x", "\"name\":\"p\",\"kind\":\"pods\""), K8S_MISSING_OBJECT},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(table); i++)
        assert_int_equal(k8s_what_is_missing(table[i].status, table[i].body, strlen(table[i].body)),
                         table[i].want);
}

static void test_conflicts(void **state)
{
    (void)state;
    const char *body =
        "{\"kind\":\"Status\",\"details\":{\"causes\":["
        "{\"reason\":\"FieldManagerConflict\",\"message\":\"conflict with \\\"a b\\\" with subresource "
        "\\\"status\\\" using v1\",\"field\":\".status.x\"},"
        "{\"reason\":\"Other\",\"message\":\"m\"},"
        "{\"reason\":\"FieldManagerConflict\"}]}}";
    RD_AUTOJSON json_t *status = k8s_status_parse(body, strlen(body));
    RD_AUTOJSON json_t *conflicts = k8s_decode_conflicts(status);
    assert_int_equal(json_array_size(conflicts), 2);
    assert_string_equal(rd_json_str(json_array_get(conflicts, 0), "manager", NULL), "a b");
    assert_string_equal(rd_json_str(json_array_get(conflicts, 0), "field", NULL), ".status.x");
    assert_string_equal(rd_json_str(json_array_get(conflicts, 1), "manager", NULL), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),   cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_bounded), cmocka_unit_test(test_missing),
        cmocka_unit_test(test_conflicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
