/* Config Connector: one Ready condition, whose reason says what it does and whose message is what
 * Google said (reference config-connector 4.2, 4.3, 4.5). It never gives up, so what is final is
 * decided here: by the text, after a time in which that text is known to heal. */
#include "base/alloc.h"
#include "base/text.h"
#include "k8s/verdict_rule.h"

#define LAG_MS K8S_MINUTE_MS

enum answer { ANSWER_WAIT, ANSWER_FAIL };

/* First match wins: the words that heal stand above the words they come with. */
static const struct text_row {
    enum answer answer;
    uint64_t grace_ms;
    enum rd_err_kind kind;
    const char *with; /* NULL, or a word that must be there too */
    const char *words[8];
} text_table[] = {
    /* clang-format off */
    {ANSWER_WAIT, 0, RD_ERR_FAILED, NULL, {"Identity Pool does not exist"}},
    {ANSWER_WAIT, 0, RD_ERR_FAILED, NULL,
     {"rateLimitExceeded", "per minute", "RATE_LIMIT_EXCEEDED"}},
    {ANSWER_WAIT, 0, RD_ERR_FAILED, NULL, {"resourceNotReady"}},
    /* GKE does one thing to a cluster at a time; an upgrade of its own may take half an hour. */
    {ANSWER_WAIT, 0, RD_ERR_FAILED, NULL,
     {"running incompatible operation", "CLUSTER_ALREADY_HAS_OPERATION"}},
    {ANSWER_WAIT, 0, RD_ERR_FAILED, "operation", {"failedPrecondition", "FAILED_PRECONDITION"}},
    {ANSWER_FAIL, 5 * K8S_MINUTE_MS, RD_ERR_FAILED, NULL,
     {"has not been used in project", "SERVICE_DISABLED", "it is disabled"}},
    {ANSWER_FAIL, 2 * K8S_MINUTE_MS, RD_ERR_FAILED, NULL, {"BILLING_DISABLED", "billing account"}},
    {ANSWER_FAIL, 5 * K8S_MINUTE_MS, RD_ERR_CREDENTIALS, NULL,
     {"Unable to generate token", "iam.serviceAccounts.getAccessToken", "IAM returned 40"}},
    {ANSWER_FAIL, 2 * K8S_MINUTE_MS, RD_ERR_FAILED, NULL, {"deleted:serviceAccount"}},
    {ANSWER_FAIL, 2 * K8S_MINUTE_MS, RD_ERR_FAILED, "does not exist", {"Service account "}},
    {ANSWER_FAIL, 0, RD_ERR_FAILED, NULL,
     {"does not have enough resources available", "ZONE_RESOURCE_POOL_EXHAUSTED", "STOCKOUT"}},
    {ANSWER_FAIL, 0, RD_ERR_FAILED, NULL,
     {"Quota exceeded for quota metric", "QUOTA_EXCEEDED", "Insufficient regional quota",
      "RESOURCE_EXHAUSTED", "quotaExceeded", "Insufficient quota"}},
    {ANSWER_FAIL, 0, RD_ERR_FAILED, "exceeded", {"Quota '", "Quota \""}},
    {ANSWER_FAIL, 0, RD_ERR_FOREIGN, NULL, {"immutable field"}},
    /* It takes away what it could not make and begins anew, minutes each time and without an end. */
    {ANSWER_FAIL, 0, RD_ERR_CREDENTIALS, "Error waiting for creating",
     {"does not have permission", "PERMISSION_DENIED", "Permission '", "Required '"}},
    {ANSWER_FAIL, 0, RD_ERR_FAILED, NULL,
     {"Error waiting for creating", "created in the error state"}},
    {ANSWER_FAIL, 5 * K8S_MINUTE_MS, RD_ERR_FAILED, NULL,
     {"is already being used by", "resourceInUseByAnotherResource", "RESOURCE_IN_USE"}},
    {ANSWER_FAIL, 5 * K8S_SECOND_MS, RD_ERR_FOREIGN, NULL,
     {"already exists", "alreadyExists", "ALREADY_EXISTS"}},
    {ANSWER_FAIL, 7 * K8S_MINUTE_MS, RD_ERR_CREDENTIALS, NULL,
     {"does not have permission", "PERMISSION_DENIED", "Error 403", "Error 401"}},
    {ANSWER_FAIL, 7 * K8S_MINUTE_MS, RD_ERR_CREDENTIALS, "denied", {"Permission '"}},
    {ANSWER_FAIL, 7 * K8S_MINUTE_MS, RD_ERR_CREDENTIALS, "permission", {"Required '"}},
    {ANSWER_FAIL, 7 * K8S_MINUTE_MS, RD_ERR_CREDENTIALS, "access", {"does not have"}},
    {ANSWER_FAIL, 0, RD_ERR_FAILED, NULL,
     {"Invalid value for field", "INVALID_ARGUMENT", "badRequest", "Error 400"}},
    {ANSWER_FAIL, 10 * K8S_MINUTE_MS, RD_ERR_TRANSIENT, NULL,
     {"Error 500", "Error 502", "Error 503", "Error 504", "backendError", "connection reset",
      "deadline exceeded"}},
    /* clang-format on */
};
/* What no row knows: Config Connector tries at least twice in this time. */
static const struct text_row text_unknown = {
    ANSWER_FAIL, 5 * K8S_MINUTE_MS, RD_ERR_FAILED, NULL, {NULL}};

static const struct text_row *find_text(const char *text)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(text_table); i++) {
        const struct text_row *row = &text_table[i];
        const char *const with[] = {row->with, NULL};
        if (k8s_text_has(text, row->words) && (row->with == NULL || k8s_text_has(text, with)))
            return row;
    }
    return &text_unknown;
}

/* What a reason means. TEXT: the message decides. */
enum meaning { MEANS_WAIT, MEANS_FAIL, MEANS_TEXT };

static const struct {
    const char *reason;
    enum meaning meaning;
    uint64_t grace_ms; /* MEANS_WAIT: a limit, see verdict.h */
    enum rd_err_kind kind;
} reason_table[] = {
    {"Creating", MEANS_WAIT, 0, RD_ERR_FAILED},
    {"Created", MEANS_WAIT, 0, RD_ERR_FAILED},
    {"Updating", MEANS_WAIT, 0, RD_ERR_FAILED},
    {"Deleting", MEANS_WAIT, 0, RD_ERR_FAILED},
    {"Deleted", MEANS_WAIT, 0, RD_ERR_FAILED},
    {"DependencyNotReady", MEANS_WAIT, 0, RD_ERR_FAILED},
    /* What it names may be a moment behind in the same apply; after that it is a typing error. */
    {"DependencyNotFound", MEANS_WAIT, 30 * K8S_SECOND_MS, RD_ERR_FAILED},
    {"DependencyInvalid", MEANS_FAIL, 0, RD_ERR_FAILED},
    {"ManagementConflict", MEANS_FAIL, 0, RD_ERR_FOREIGN},
    {"PreActuationTransformFailed", MEANS_FAIL, 3 * K8S_MINUTE_MS, RD_ERR_FAILED},
    {"PostActuationTransformFailed", MEANS_FAIL, 3 * K8S_MINUTE_MS, RD_ERR_FAILED},
    {"Unmanaged", MEANS_FAIL, 3 * K8S_MINUTE_MS, RD_ERR_FAILED},
    {"CreateFailed", MEANS_TEXT, 0, RD_ERR_FAILED},
    {"UpdateFailed", MEANS_TEXT, 0, RD_ERR_FAILED},
    {"DeleteFailed", MEANS_TEXT, 0, RD_ERR_FAILED},
};

static void judge_not_ready(const json_t *o, struct k8s_verdict *v)
{
    const char *reason = k8s_condition_reason(o, "Ready");
    const char *text =
        k8s_condition_text(o, "Ready", "not ready, and Config Connector says no more");
    for (size_t i = 0; i < RD_ARRAY_LEN(reason_table); i++) {
        if (!rd_streq(reason_table[i].reason, reason) || reason_table[i].meaning == MEANS_TEXT)
            continue;
        bool fail = reason_table[i].meaning == MEANS_FAIL;
        k8s_say_reason(v, fail ? K8S_FAILED : K8S_IN_PROGRESS, reason, text);
        k8s_limit(v, reason_table[i].grace_ms, reason_table[i].kind);
        return;
    }
    /* UpdateFailed and its kin, an empty reason, and reasons of a later version. */
    const struct text_row *row = find_text(text);
    k8s_say_reason(v, row->answer == ANSWER_WAIT ? K8S_IN_PROGRESS : K8S_FAILED, reason, text);
    k8s_limit(v, row->grace_ms, row->kind);
}

/* Config Connector records the generation before it writes spec.resourceID itself, so the number it
 * saw stays one behind on some objects for good. That is harmless when nobody else wrote the object
 * lately, which only managedFields can show. */
static bool lag_is_its_own(const json_t *o, int64_t now_wall_ms)
{
    json_int_t generation = rd_json_path_int(o, "metadata.generation", -1);
    json_int_t observed = rd_json_path_int(o, "status.observedGeneration", -1);
    const json_t *fields = rd_json_path(o, "metadata.managedFields");
    if (observed != generation - 1 || json_array_size(fields) == 0)
        return false;
    size_t i;
    json_t *entry;
    json_array_foreach (fields, i, entry) {
        const char *manager = rd_json_str(entry, "manager", NULL);
        int64_t age_ms = k8s_age_ms(rd_json_str(entry, "time", NULL), now_wall_ms);
        if (manager != NULL && rd_starts_with(manager, "cnrm-"))
            continue;
        if (age_ms < 0 || (uint64_t)age_ms < LAG_MS)
            return false;
    }
    return true;
}

/* Filestore alone repeats Google's own state of the resource. */
static bool judge_state(const json_t *o, struct k8s_verdict *v)
{
    const char *state = rd_json_path_str(o, "status.state");
    const char *text = rd_json_path_str(o, "status.statusMessage");
    if (!rd_streq(rd_json_str(o, "kind", NULL), "FilestoreInstance") || state == NULL ||
        *state == '\0' || rd_streq(state, "READY"))
        return false;
    bool failed = rd_streq(state, "ERROR");
    k8s_say(v, failed ? K8S_FAILED : K8S_IN_PROGRESS, state, "the instance is in state %s%s%s",
            state, text != NULL && *text != '\0' ? ": " : "", text != NULL ? text : "");
    if (failed)
        k8s_limit(v, K8S_MINUTE_MS, RD_ERR_FAILED);
    return true;
}

/* Ready=True must say for which generation; a complaint is taken for the present one unless it is
 * known to be older. The detector of unmanaged objects writes no generation of its own. */
static bool is_behind(const json_t *o, bool ready, int64_t now_wall_ms)
{
    json_int_t generation = rd_json_path_int(o, "metadata.generation", -1);
    json_int_t observed = rd_json_path_int(o, "status.observedGeneration", -1);
    if (generation < 0 || observed >= generation || (observed < 0 && !ready))
        return false;
    if (rd_streq(k8s_condition_reason(o, "Ready"), "Unmanaged"))
        return false;
    return !lag_is_its_own(o, now_wall_ms);
}

void k8s_rule_cnrm(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    const char *status = rd_json_str(rd_json_condition(o, "Ready"), "status", NULL);
    bool ready = rd_streq(status, "True");
    if (status == NULL)
        k8s_say(v, K8S_IN_PROGRESS, "NotObserved", "Config Connector has not looked at it yet");
    else if (is_behind(o, ready, now_wall_ms))
        k8s_say(v, K8S_IN_PROGRESS, "GenerationNotObserved",
                "Config Connector has seen generation %lld, the object is at %lld",
                (long long)rd_json_path_int(o, "status.observedGeneration", 0),
                (long long)rd_json_path_int(o, "metadata.generation", 0));
    else if (!ready)
        judge_not_ready(o, v);
    else if (!judge_state(o, v))
        k8s_say(v, K8S_CURRENT, NULL, "%s", k8s_condition_text(o, "Ready", "up to date"));
}

/* ConfigConnector and ConfigConnectorContext: `healthy` says that the operator applied its
 * manifests, not that the controllers run (reference config-connector 5.2). */
void k8s_rule_cnrm_core(const json_t *o, int64_t now_wall_ms, struct k8s_verdict *v)
{
    (void)now_wall_ms;
    const json_t *healthy = rd_json_path(o, "status.healthy");
    const json_t *errors = rd_json_path(o, "status.errors");
    const char *first = json_string_value(json_array_get(errors, 0));
    if (!json_is_boolean(healthy) && first == NULL) {
        k8s_say(v, K8S_IN_PROGRESS, "NotObserved",
                "the Config Connector operator has not looked at it yet");
    } else if (first != NULL) {
        k8s_say(v, K8S_FAILED, "Unhealthy", "%s", first);
        enum rd_err_kind kind;
        k8s_text_is_refusal(first, &kind);
        k8s_limit(v, 2 * K8S_MINUTE_MS, kind);
    } else if (!json_is_true(healthy)) {
        k8s_say(v, K8S_IN_PROGRESS, "Unhealthy", "not healthy yet; the operator names no error");
    } else {
        k8s_say(v, K8S_CURRENT, NULL, "healthy: its manifests are applied");
    }
}
