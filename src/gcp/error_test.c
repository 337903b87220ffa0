/* The decoder: a table of refusals as Google words them, hand-written and, where they are at hand,
 * recorded ones. */
#include "gcp/lro.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define INFO(reason, rest)                                                                         \
    "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"" reason "\"" rest "}"
#define MODERN(code, status, message, details)                                                     \
    "{\"error\":{\"code\":" code ",\"message\":\"" message "\",\"status\":\"" status               \
    "\",\"details\":[" details "]}}"
#define LEGACY(code, reason, message)                                                              \
    "{\"error\":{\"code\":" code ",\"message\":\"" message                                         \
    "\",\"errors\":[{\"domain\":\"global\","                                                       \
    "\"reason\":\"" reason "\",\"message\":\"" message "\"}]}}"

struct row {
    const char *name;
    long status;
    const char *body;
    enum gcp_situation situation;
    enum rd_err_kind kind;
    enum call_judgement judgement;
    const char *detail; /* service, permission, operation or metric; NULL: none looked at */
};

static const struct row rows[] = {
    {"API off", 403,
     MODERN("403", "PERMISSION_DENIED", "File API has not been used",
            INFO("SERVICE_DISABLED", ",\"domain\":\"googleapis.com\",\"metadata\":{\"service\":"
                                     "\"file.googleapis.com\",\"activationUrl\":\"https://c/x\"}")),
     GCP_API_OFF, RD_ERR_PREFLIGHT, CALL_FINAL, "file.googleapis.com"},
    {"API off, old form", 403, LEGACY("403", "accessNotConfigured", "Access Not Configured."),
     GCP_API_OFF, RD_ERR_PREFLIGHT, CALL_FINAL, NULL},
    {"billing off", 403,
     MODERN("403", "PERMISSION_DENIED", "Billing", INFO("BILLING_DISABLED", "")), GCP_BILLING_OFF,
     RD_ERR_PREFLIGHT, CALL_FINAL, NULL},
    {"billing off when enabling", 400,
     MODERN(
         "400", "FAILED_PRECONDITION", "Billing account for project is not found",
         INFO(
             "UREQ_PROJECT_BILLING_NOT_FOUND",
             "") ","
                 "{\"@type\":\"type.googleapis.com/google.rpc.PreconditionFailure\",\"violations\":"
                 "[{\"type\":\"googleapis.com/billing-enabled\",\"description\":\"no billing\"}]}"),
     GCP_BILLING_OFF, RD_ERR_PREFLIGHT, CALL_FINAL, NULL},
    {"permission, with reason", 403,
     MODERN("403", "PERMISSION_DENIED", "denied",
            INFO("IAM_PERMISSION_DENIED",
                 ",\"metadata\":{\"permission\":\"container.clusters.create\"}")),
     GCP_PERMISSION, RD_ERR_CREDENTIALS, CALL_FINAL, "container.clusters.create"},
    {"permission, in words", 403,
     MODERN("403", "PERMISSION_DENIED",
            "Required \\\"container.clusters.get\\\" permission(s) for "
            "\\\"projects/p\\\".",
            ""),
     GCP_PERMISSION, RD_ERR_CREDENTIALS, CALL_FINAL, "container.clusters.get"},
    {"project that is not there", 403,
     MODERN("403", "PERMISSION_DENIED", "The caller does not have permission", ""), GCP_PERMISSION,
     RD_ERR_CREDENTIALS, CALL_FINAL, NULL},
    {"token", 401, MODERN("401", "UNAUTHENTICATED", "x", INFO("ACCESS_TOKEN_EXPIRED", "")),
     GCP_IDENTITY, RD_ERR_CREDENTIALS, CALL_FINAL, NULL},
    {"scopes", 403,
     MODERN("403", "PERMISSION_DENIED", "x", INFO("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "")),
     GCP_IDENTITY, RD_ERR_CREDENTIALS, CALL_FINAL, NULL},
    {"cluster absent", 404,
     "{\"error\":{\"code\":404,\"errors\":[{\"domain\":\"global\",\"message\":\"Not found: c\","
     "\"reason\":\"notFound\"}],\"message\":\"Not found: c\",\"status\":\"NOT_FOUND\"}}",
     GCP_ABSENT, RD_ERR_NOT_FOUND, CALL_FINAL, NULL},
    {"cluster exists", 409,
     MODERN("409", "ALREADY_EXISTS", "Already exists: projects/p/zones/z/clusters/c.", ""),
     GCP_EXISTS, RD_ERR_CONFLICT, CALL_FINAL, NULL},
    {"bucket name taken", 409,
     LEGACY("409", "conflict", "The requested bucket name is not available."), GCP_EXISTS,
     RD_ERR_CONFLICT, CALL_FINAL, NULL},
    {"account unseen, policy", 400,
     MODERN("400", "INVALID_ARGUMENT",
            "Service account a@p.iam.gserviceaccount.com does not exist.", ""),
     GCP_ACCOUNT_UNSEEN, RD_ERR_FAILED, CALL_FINAL, NULL},
    {"account unseen, get", 403,
     MODERN("403", "PERMISSION_DENIED",
            "Permission 'iam.serviceAccounts.get' denied on resource (or it "
            "may not exist).",
            INFO("IAM_PERMISSION_DENIED",
                 ",\"metadata\":{\"permission\":\"iam.serviceAccounts.get\"}")),
     GCP_ACCOUNT_UNSEEN, RD_ERR_CREDENTIALS, CALL_FINAL, "iam.serviceAccounts.get"},
    {"account unseen, 404", 404, MODERN("404", "NOT_FOUND", "Unknown service account", ""),
     GCP_ACCOUNT_UNSEEN, RD_ERR_FAILED, CALL_FINAL, NULL},
    {"policy race", 409,
     MODERN("409", "ABORTED",
            "There were concurrent policy changes. Please retry the whole "
            "read-modify-write with exponential backoff.",
            ""),
     GCP_RACE, RD_ERR_CONFLICT, CALL_FINAL, NULL},
    {"storage race", 412, LEGACY("412", "conditionNotMet", "Precondition Failed"), GCP_RACE,
     RD_ERR_CONFLICT, CALL_FINAL, NULL},
    {"cluster busy", 400,
     MODERN("400", "FAILED_PRECONDITION",
            "Cluster is running incompatible operation operation-1700-ab12.",
            INFO("CLUSTER_ALREADY_HAS_OPERATION", ",\"domain\":\"container.googleapis.com\"")),
     GCP_BUSY, RD_ERR_TRANSIENT, CALL_FINAL, "operation-1700-ab12"},
    {"cluster busy, older", 400,
     MODERN("400", "FAILED_PRECONDITION",
            "Operation operation-9-z is currently upgrading cluster c. "
            "Please wait and try again once it is done.",
            ""),
     GCP_BUSY, RD_ERR_TRANSIENT, CALL_FINAL, "operation-9-z"},
    {"wrong state", 400, MODERN("400", "FAILED_PRECONDITION", "The cluster is PROVISIONING", ""),
     GCP_WRONG_STATE, RD_ERR_FAILED, CALL_FINAL, NULL},
    {"another activation", 400,
     MODERN("400", "FAILED_PRECONDITION", "Another activation or deactivation is in progress", ""),
     GCP_BUSY, RD_ERR_TRANSIENT, CALL_RETRY, NULL},
    {"rate", 429,
     MODERN("429", "RESOURCE_EXHAUSTED",
            "Quota exceeded for quota metric 'm' and limit 'l per minute'",
            INFO("RATE_LIMIT_EXCEEDED", ",\"metadata\":{\"quota_metric\":\"m/requests\"}")),
     GCP_RATE, RD_ERR_TRANSIENT, CALL_RETRY, "m/requests"},
    {"rate, compute", 403, LEGACY("403", "rateLimitExceeded", "Rate Limit Exceeded"), GCP_RATE,
     RD_ERR_TRANSIENT, CALL_RETRY, NULL},
    {"quota, GKE", 403,
     MODERN("403", "PERMISSION_DENIED",
            "Insufficient regional quota to satisfy request: resource "
            "\\\"SSD_TOTAL_GB\\\": request requires '300.0' and is short '100.0'.",
            ""),
     GCP_QUOTA, RD_ERR_FAILED, CALL_FINAL, "SSD_TOTAL_GB"},
    {"quota, compute", 403,
     LEGACY("403", "quotaExceeded", "Quota 'NETWORKS' exceeded.  Limit: 5.0"), GCP_QUOTA,
     RD_ERR_FAILED, CALL_FINAL, "NETWORKS"},
    {"not ready", 400, LEGACY("400", "resourceNotReady", "The resource is not ready"),
     GCP_WRONG_STATE, RD_ERR_FAILED, CALL_RETRY, NULL},
    {"in use", 400, LEGACY("400", "resourceInUseByAnotherResource", "in use by x"), GCP_WRONG_STATE,
     RD_ERR_FAILED, CALL_FINAL, NULL},
    {"service controls", 403,
     MODERN("403", "PERMISSION_DENIED", "Request is prohibited by organization's policy.",
            INFO("SECURITY_POLICY_VIOLATED", ",\"metadata\":{\"uid\":\"u1\"}")),
     GCP_ORG_POLICY, RD_ERR_CREDENTIALS, CALL_FINAL, NULL},
    {"constraint", 412,
     MODERN("412", "FAILED_PRECONDITION", "Constraint constraints/compute.x violated for p.", ""),
     GCP_ORG_POLICY, RD_ERR_FAILED, CALL_FINAL, NULL},
    {"invalid", 400,
     MODERN("400", "INVALID_ARGUMENT", "bad",
            "{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\","
            "\"fieldViolations\":[{\"field\":\"cluster.name\",\"description\":\"too long\"}]}"),
     GCP_INVALID, RD_ERR_FAILED, CALL_FINAL, NULL},
    {"front end", 502, "<html><title>Bad Gateway</title>", GCP_TRANSIENT, RD_ERR_TRANSIENT,
     CALL_RETRY, NULL},
    {"nothing", 503, "", GCP_TRANSIENT, RD_ERR_TRANSIENT, CALL_RETRY, NULL},
    {"not there at all", 501, "", GCP_OTHER, RD_ERR_FAILED, CALL_FINAL, NULL},
    {"oauth shape", 400, "{\"error\":\"invalid_request\",\"error_description\":\"x\"}", GCP_INVALID,
     RD_ERR_FAILED, CALL_FINAL, NULL},
    {"internal that talks of quota", 500, MODERN("500", "INTERNAL", "limit per minute", ""),
     GCP_TRANSIENT, RD_ERR_TRANSIENT, CALL_RETRY, NULL},
    {"odd types", 403,
     "{\"error\":{\"code\":\"x\",\"message\":3,\"errors\":{},\"details\":[1,null,"
     "{\"@type\":7}]}}",
     GCP_PERMISSION, RD_ERR_CREDENTIALS, CALL_FINAL, NULL},
    {"an array", 404, "[{\"error\":{}}]", GCP_ABSENT, RD_ERR_NOT_FOUND, CALL_FINAL, NULL},
};

static void answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        struct gcp_fault f;
        struct rd_err *err = NULL;
        enum call_judgement j = gcp_decode_error(r->status, "application/json", r->body,
                                                 strlen(r->body), 0, "do it", &f, &err);
        rd_check_str(r->name, gcp_situation_name(f.situation), gcp_situation_name(r->situation));
        rd_check_int(r->name, j, r->judgement);
        rd_check_str(r->name, rd_err_kind_name(err->kind), rd_err_kind_name(r->kind));
        rd_check_int(r->name, err->http_status, r->status);
        if (!rd_starts_with(err->message, "do it: "))
            fail_msg("%s: got message %s", r->name, err->message);
        if (r->detail != NULL) {
            const char *got = f.service      ? f.service
                              : f.permission ? f.permission
                              : f.operation  ? f.operation
                                             : f.metric;
            rd_check_str(r->name, got, r->detail);
        }
        if (f.situation == GCP_RATE)
            rd_check_int(r->name, (long long)err->retry_after_ms, 30000);
        rd_err_free(err);
        gcp_fault_clear(&f);
    }
}

static void pauses_and_words(void **state)
{
    (void)state;
    struct gcp_fault f;
    struct rd_err *err = NULL;
    const char *body = MODERN(
        "429", "RESOURCE_EXHAUSTED", "slow down",
        "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"3.5s\"},"
        "{\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\",\"violations\":[{\"subject\":"
        "\"project:1\",\"description\":\"too fast\"}]},"
        "{\"@type\":\"type.googleapis.com/"
        "google.rpc.Help\",\"links\":[{\"description\":\"d\",\"url\":"
        "\"https://help.example/\"}]}");
    gcp_decode_error(429, NULL, body, strlen(body), 1000, "x", &f, &err);
    rd_check_int("RetryInfo", (long long)err->retry_after_ms, 3500);
    rd_check_str("help", f.help_url, "https://help.example/");
    rd_check_str("message", err->message, "x: slow down; project:1: too fast");
    rd_err_free(err);
    gcp_fault_clear(&f);
    err = NULL;
    gcp_decode_error(429, NULL, "{}", 2, 1000, "x", &f, &err);
    rd_check_int("Retry-After", (long long)err->retry_after_ms, 1000);
    rd_err_free(err);
    gcp_fault_clear(&f);
}

/* ---- Operations ---- */

static void operations(void **state)
{
    (void)state;
    const struct {
        const char *name;
        enum gcp_api api;
        const char *text;
        bool done;
        enum gcp_situation situation; /* GCP_OTHER and kind INTERNAL: no error */
        enum rd_err_kind kind;
    } ops[] = {
        {"running", GCP_FILE, "{\"name\":\"o\",\"done\":false}", false, 0, 0},
        {"no done field", GCP_SERVICEUSAGE, "{\"name\":\"operations/acf.1\"}", false, 0, 0},
        {"nothing to do", GCP_SERVICEUSAGE, "{\"name\":\"operations/noop.DONE_OPERATION\"}", true,
         0, 0},
        {"done", GCP_FILE, "{\"name\":\"o\",\"done\":true,\"response\":{}}", true, 0, 0},
        {"done, empty error", GCP_FILE, "{\"name\":\"o\",\"done\":true,\"error\":{}}", true, 0, 0},
        {"failed", GCP_FILE, "{\"done\":true,\"error\":{\"code\":7,\"message\":\"no\"}}", true,
         GCP_PERMISSION, RD_ERR_CREDENTIALS},
        {"failed, quota", GCP_FILE,
         "{\"done\":true,\"error\":{\"code\":8,\"message\":\"x\",\"details\":[" INFO(
             "RESOURCE_QUOTA_EXCEEDED", "") "]}}",
         true, GCP_QUOTA, RD_ERR_FAILED},
        {"GKE runs", GCP_CONTAINER, "{\"status\":\"RUNNING\"}", false, 0, 0},
        {"GKE gives up", GCP_CONTAINER, "{\"status\":\"ABORTING\",\"error\":{\"message\":\"x\"}}",
         false, 0, 0},
        {"GKE done", GCP_CONTAINER, "{\"status\":\"DONE\",\"statusMessage\":\"\"}", true, 0, 0},
        {"GKE done with an error", GCP_CONTAINER,
         "{\"status\":\"DONE\",\"error\":{\"code\":14,\"message\":\"[GCE_STOCKOUT]: no T4\"}}",
         true, GCP_STOCKOUT, RD_ERR_FAILED},
        {"GKE done with a message", GCP_CONTAINER,
         "{\"status\":\"DONE\",\"statusMessage\":\"ZONE_RESOURCE_POOL_EXHAUSTED: x\"}", true,
         GCP_STOCKOUT, RD_ERR_FAILED},
        {"compute runs", GCP_COMPUTE, "{\"status\":\"PENDING\",\"progress\":0}", false, 0, 0},
        {"compute done", GCP_COMPUTE, "{\"status\":\"DONE\",\"progress\":100}", true, 0, 0},
        {"compute quota", GCP_COMPUTE,
         "{\"status\":\"DONE\",\"httpErrorStatusCode\":403,\"error\":{\"errors\":[{\"code\":"
         "\"QUOTA_EXCEEDED\",\"message\":\"Quota 'NETWORKS' exceeded.\"}]}}",
         true, GCP_QUOTA, RD_ERR_FAILED},
        {"compute in use", GCP_COMPUTE,
         "{\"status\":\"DONE\",\"httpErrorStatusCode\":400,\"error\":{\"errors\":[{\"code\":"
         "\"RESOURCE_IN_USE_BY_ANOTHER_RESOURCE\",\"message\":\"x\"}]}}",
         true, GCP_WRONG_STATE, RD_ERR_FAILED},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(ops); i++) {
        RD_AUTOJSON json_t *o = json_loads(ops[i].text, 0, NULL);
        assert_non_null(o);
        struct gcp_fault f;
        struct rd_err *err = NULL;
        bool done = gcp_lro_done(ops[i].api, o, "it", &f, &err);
        rd_check_int(ops[i].name, done, ops[i].done);
        if (ops[i].kind == 0) {
            if (err != NULL)
                fail_msg("%s: got %s", ops[i].name, err->message);
        } else {
            assert_non_null(err);
            rd_check_str(ops[i].name, gcp_situation_name(f.situation),
                         gcp_situation_name(ops[i].situation));
            rd_check_str(ops[i].name, rd_err_kind_name(err->kind), rd_err_kind_name(ops[i].kind));
        }
        rd_err_free(err);
        gcp_fault_clear(&f);
    }
}

static void polling(void **state)
{
    (void)state;
    const struct {
        uint64_t waited, pause;
    } t[] = {{0, 100},       {9999, 100},      {20000, 200},
             {600000, 6000}, {1500000, 15000}, {9999999, 15000}};
    for (size_t i = 0; i < RD_ARRAY_LEN(t); i++)
        rd_check_int("pause", (long long)gcp_poll_pause_ms(t[i].waited), (long long)t[i].pause);
}

/* ---- Recorded ones ---- */

/* Answers of status >= 400 in one log; each must be decoded to something with the words of Google.
 */
static unsigned read_log(const char *path)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    struct rd_err *err = NULL;
    if (!rd_file_read(path, (size_t)8 << 20, &b, &err))
        fail_msg("%s", err->message);
    unsigned count = 0;
    for (char *at = b.data; at != NULL && *at != '\0';) {
        char *end = strstr(at, "\n---\n");
        if (end != NULL)
            *end = '\0';
        /* Request line, headers, blank, [body, blank,] status line. */
        for (char *line = at; (line = strchr(line, '\n')) != NULL;) {
            long status = strtol(++line, NULL, 10);
            char *body = strstr(line, "\n\n");
            if (status < 400 || status > 599 || line[3] != ' ' || body == NULL)
                continue;
            body += 2;
            struct gcp_fault f;
            gcp_decode_error(status, "application/json", body, strlen(body), 0, "x", &f, &err);
            bool fits =
                status == 404   ? f.situation == GCP_ABSENT || f.situation == GCP_ACCOUNT_UNSEEN
                : status == 403 ? f.situation == GCP_PERMISSION || f.situation == GCP_ACCOUNT_UNSEEN
                : status == 409 ? f.situation == GCP_EXISTS || f.situation == GCP_RACE
                                : f.situation != GCP_OTHER;
            if (!fits || err->remote == NULL || err->reason == NULL)
                fail_msg("%s: %ld is %s: %s", path, status, gcp_situation_name(f.situation),
                         err->message);
            rd_err_freep(&err);
            gcp_fault_clear(&f);
            count++;
            break;
        }
        at = end != NULL ? end + 5 : NULL;
    }
    return count;
}

static void recorded(void **state)
{
    (void)state;
    const char *dir = RD_SOURCE_DIR "/../shared/recorded";
    DIR *d = opendir(dir);
    if (d == NULL) {
        d = opendir(dir = RD_SOURCE_DIR "/../../shared/recorded");
    }
    if (d == NULL) {
        print_message("SKIP: no recorded traffic beside the source tree\n");
        return;
    }
    unsigned count = 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        if (!rd_ends_with(e->d_name, ".http.log"))
            continue;
        RD_AUTOFREE char *path = rd_path_join(dir, e->d_name);
        count += read_log(path);
    }
    closedir(d);
    print_message("%u recorded refusals\n", count);
    assert_true(count > 0);
}

int main(void)
{
    rd_alloc_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers), cmocka_unit_test(pauses_and_words), cmocka_unit_test(operations),
        cmocka_unit_test(polling), cmocka_unit_test(recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
