#include "k8s/client.h"

#include "base/alloc.h"
#include "base/text.h"
#include "k8s/internal.h"

#include <string.h>

#define REMOTE_MAX 2048

/* What an answer said, whatever its shape. Strings are borrowed from `root` or from the body. */
struct answer {
    long status;
    json_t *root;        /* the Status object, or NULL when the body was something else */
    const char *message; /* never NULL */
    const char *reason;  /* "" when absent */
    const json_t *causes;
};

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static bool cause_is(const struct answer *a, const char *reason)
{
    size_t i;
    json_t *cause;
    json_array_foreach (a->causes, i, cause) {
        if (rd_streq(rd_json_str(cause, "reason", NULL), reason))
            return true;
    }
    return false;
}

/* Texts of a webhook or of the storage behind the server that heal by themselves (reference 4.3). */
bool k8s_text_is_webhook(const char *message)
{
    return has(message, "failed calling webhook") || has(message, "conversion webhook for") ||
           has(message, "failed to call webhook");
}

static bool text_is_storage(const char *message)
{
    static const char *const texts[] = {"etcdserver: leader changed", "etcdserver: request timed out",
                                        "etcdserver: too many requests", "etcdserver: no leader",
                                        "too many requests", "connection refused",
                                        "transport is closing"};
    for (size_t i = 0; i < RD_ARRAY_LEN(texts); i++) {
        if (has(message, texts[i]))
            return true;
    }
    return false;
}

static bool text_is_unknown_field(const struct answer *a)
{
    if (has(a->message, "field not declared in schema") ||
        (has(a->message, "strict decoding error") && has(a->message, "unknown field")))
        return true;
    return false;
}

static bool text_is_immutable(const char *message)
{
    static const char *const texts[] = {"field is immutable", "is immutable",
                                        "updates to statefulset spec for fields other than",
                                        "pod updates may not change fields other than",
                                        "cannot be changed after creation",
                                        "may not be changed once set", "cannot change roleRef"};
    for (size_t i = 0; i < RD_ARRAY_LEN(texts); i++) {
        if (has(message, texts[i]))
            return true;
    }
    return false;
}

/* The quoted word after `key`, e.g. `User "` -> the name; owned, or NULL. */
static char *quoted_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    if (!at)
        return NULL;
    at += strlen(key);
    const char *end = strchr(at, '"');
    if (!end || end == at || end - at > 253)
        return NULL;
    return rd_strndup(at, (size_t)(end - at));
}

static void forbidden_hint(struct rd_err *err, const char *message)
{
    RD_AUTOFREE char *user = quoted_after(message, "User \"");
    RD_AUTOFREE char *resource = quoted_after(message, "resource \"");
    RD_AUTOFREE char *group = quoted_after(message, "API group \"");
    RD_AUTOFREE char *ns = quoted_after(message, "in the namespace \"");
    char verb[32] = "";
    const char *at = strstr(message, "\" cannot ");
    if (at) {
        at += strlen("\" cannot ");
        size_t n = strcspn(at, " ");
        if (n < sizeof(verb)) {
            memcpy(verb, at, n);
            verb[n] = '\0';
        }
    }
    if (!user || !resource || !*verb) {
        rd_err_hint(err, "Use a context whose user may do this (--context), or have its role extended.");
        return;
    }
    RD_AUTOFREE char *in = ns ? rd_asprintf(" in namespace %s", ns) : rd_strdup(" in the cluster");
    rd_err_hint(err,
                "Have an administrator grant user %s the verb %s on %s%s%s%s, or use another "
                "context (--context), then run the same command again.",
                user, verb, resource, group ? "." : "", group ? group : "", in);
}

static enum call_judgement judge_403(const struct answer *a, enum rd_err_kind *kind)
{
    static const char *const policy[] = {
        "exceeded quota", "violates PodSecurity", "denied the request", "denied request",
        "failed quota",   "no relationship found", "is forbidden: maximum", "is forbidden: minimum",
    };
    if (cause_is(a, "NamespaceTerminating")) {
        *kind = RD_ERR_TRANSIENT;
        return CALL_RETRY;
    }
    *kind = RD_ERR_CREDENTIALS;
    if (has(a->message, "is forbidden: User \"") || has(a->message, "attempting to grant RBAC"))
        return CALL_FINAL;
    for (size_t i = 0; i < RD_ARRAY_LEN(policy); i++) {
        if (has(a->message, policy[i])) {
            *kind = RD_ERR_FAILED;
            return CALL_FINAL;
        }
    }
    /* An admission plugin speaks of the object, an authorizer of the user or of the path. */
    if (a->root && has(a->message, " is forbidden: ") && !has(a->message, "cannot "))
        *kind = RD_ERR_FAILED;
    return CALL_FINAL;
}

static enum call_judgement judge_409(const struct answer *a, enum rd_err_kind *kind)
{
    if (cause_is(a, "FieldManagerConflict")) {
        *kind = RD_ERR_FOREIGN;
        return CALL_FINAL;
    }
    /* Two writers met at a ResourceQuota: nothing of ours is stale. */
    if (has(a->message, "cannot be fulfilled on resourcequotas") || has(a->message, "gke-resource-quotas")) {
        *kind = RD_ERR_TRANSIENT;
        return CALL_RETRY;
    }
    *kind = RD_ERR_CONFLICT;
    return CALL_FINAL;
}

static enum call_judgement judge_500(const struct answer *a, enum rd_err_kind *kind)
{
    *kind = RD_ERR_FAILED;
    if (text_is_unknown_field(a) || has(a->message, "failed to create typed patch object"))
        return CALL_FINAL;
    if (rd_streq(a->reason, "StorageReadError"))
        return CALL_FINAL;
    if (!a->root || rd_streq(a->reason, "ServerTimeout") || rd_streq(a->reason, "InternalError") ||
        k8s_text_is_webhook(a->message) || text_is_storage(a->message)) {
        *kind = RD_ERR_TRANSIENT;
        return CALL_RETRY;
    }
    return CALL_FINAL;
}

static enum call_judgement judge(const struct answer *a, enum rd_err_kind *kind)
{
    switch (a->status) {
    case 401:
        *kind = RD_ERR_CREDENTIALS;
        return CALL_FINAL;
    case 403:
        return judge_403(a, kind);
    case 404:
        *kind = RD_ERR_NOT_FOUND;
        return CALL_FINAL;
    case 408:
    case 429:
        *kind = RD_ERR_TRANSIENT;
        return CALL_RETRY;
    case 407:
        *kind = RD_ERR_NETWORK;
        return CALL_FINAL;
    case 409:
        return judge_409(a, kind);
    case 410:
        *kind = RD_ERR_CONFLICT;
        return CALL_FINAL;
    case 400:
    case 422:
        *kind = text_is_immutable(a->message) ? RD_ERR_FOREIGN : RD_ERR_FAILED;
        if (k8s_text_is_webhook(a->message)) {
            *kind = RD_ERR_TRANSIENT;
            return CALL_RETRY;
        }
        return CALL_FINAL;
    case 500:
        return judge_500(a, kind);
    case 501:
        *kind = RD_ERR_FAILED;
        return CALL_FINAL;
    default:
        break;
    }
    if (a->status > 501) {
        *kind = RD_ERR_TRANSIENT;
        return CALL_RETRY;
    }
    *kind = RD_ERR_FAILED;
    return CALL_FINAL;
}

static void add_hint(struct rd_err *err, const struct answer *a)
{
    const char *m = a->message;
    if (a->status == 401)
        rd_err_hint(err, "The server does not accept these credentials; renew them and run the same "
                         "command again.");
    else if (a->status == 403 && err->kind == RD_ERR_CREDENTIALS)
        forbidden_hint(err, m);
    else if (has(m, "exceeded quota"))
        rd_err_hint(err, "Ask for less, or have the ResourceQuota of the namespace raised.");
    else if (has(m, "violates PodSecurity"))
        rd_err_hint(err, "The namespace enforces a Pod Security level that this object does not meet.");
    else if (text_is_unknown_field(a))
        rd_err_hint(err, "Remove or correct that field: this server's schema does not have it.");
    else if (err->kind == RD_ERR_FOREIGN && a->status == 409)
        rd_err_hint(err, "Another field manager owns these fields; leave them out, or let it give "
                         "them up.");
    else if (err->kind == RD_ERR_FOREIGN)
        rd_err_hint(err, "This field cannot change while the object lives; delete the object first if "
                         "that is really wanted.");
    else if (k8s_text_is_webhook(m))
        rd_err_hint(err, "The API server could not reach that webhook: are its pods ready, and does a "
                         "firewall let the control plane through to them?");
    else if (a->status == 413)
        rd_err_hint(err, "A request may hold 3 MiB.");
}

/* First 2 KiB of a body that is not JSON, on one line. */
static char *plain_message(long status, const char *content_type, const char *body, size_t len)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(REMOTE_MAX * 4);
    size_t n = len < REMOTE_MAX ? len : REMOTE_MAX;
    while (n && (body[n - 1] == '\n' || body[n - 1] == '\r' || body[n - 1] == ' '))
        n--;
    bool html = content_type && rd_starts_with(content_type, "text/html");
    rd_buf_printf(&b, "HTTP %ld", status);
    if (n && !html) {
        rd_buf_puts(&b, ": ");
        rd_text_escape(&b, body, n, false);
    } else if (content_type && n) {
        rd_buf_printf(&b, " with a body of %.80s", content_type);
    }
    return rd_buf_take(&b, NULL);
}

json_t *k8s_status_parse(const char *body, size_t len)
{
    size_t i = 0;
    while (i < len && (body[i] == ' ' || body[i] == '\n' || body[i] == '\t' || body[i] == '\r'))
        i++;
    if (i == len || body[i] != '{')
        return NULL;
    RD_AUTOERR struct rd_err *err = NULL;
    json_t *root = rd_json_parse(body, len, "status", &err);
    if (root && !rd_streq(rd_json_str(root, "kind", NULL), "Status")) {
        json_decref(root);
        return NULL;
    }
    return root;
}

enum call_judgement k8s_decode_error(long status, const char *content_type, const char *body,
                                     size_t len, uint64_t retry_after_ms, const char *what,
                                     struct rd_err **ret_err)
{
    RD_AUTOJSON json_t *root = k8s_status_parse(body ? body : "", len);
    RD_AUTOFREE char *plain = NULL;
    struct answer a = {.status = status, .root = root, .reason = ""};
    if (root) {
        a.message = rd_json_str(root, "message", NULL);
        const char *reason = rd_json_str(root, "reason", NULL);
        a.reason = reason ? reason : "";
        a.causes = rd_json_get(root, "details", "causes", NULL);
    }
    if (!a.message)
        a.message = plain = plain_message(status, content_type, root ? "" : body, root ? 0 : len);

    enum rd_err_kind kind = RD_ERR_FAILED;
    enum call_judgement verdict = judge(&a, &kind);

    struct rd_err *err = rd_err_new(kind, "cannot %s: %.*s", what, REMOTE_MAX, a.message);
    err->http_status = (int)status;
    if (*a.reason)
        err->reason = rd_strndup(a.reason, strnlen(a.reason, 128));
    err->remote = rd_strndup(a.message, strnlen(a.message, REMOTE_MAX));
    const char *name = rd_json_path_str(root, "details.name");
    const char *type = rd_json_path_str(root, "details.kind");
    if (name && type)
        rd_err_resource(err, "%.128s/%.253s", type, name);
    json_int_t after_s = rd_json_path_int(root, "details.retryAfterSeconds", 0);
    err->retry_after_ms = retry_after_ms;
    if (!err->retry_after_ms && after_s > 0 && after_s < 3600)
        err->retry_after_ms = (uint64_t)after_s * 1000;
    add_hint(err, &a);
    *ret_err = err;
    return verdict;
}

/* `conflict with "MGR" with subresource "S" using v1 at TIME` -> MGR. */
json_t *k8s_decode_conflicts(const json_t *status)
{
    json_t *out = json_array();
    size_t i;
    json_t *cause;
    json_array_foreach (rd_json_path(status, "details.causes"), i, cause) {
        const char *message = rd_json_str(cause, "message", NULL);
        const char *field = rd_json_str(cause, "field", NULL);
        if (!rd_streq(rd_json_str(cause, "reason", NULL), "FieldManagerConflict"))
            continue;
        RD_AUTOFREE char *manager = quoted_after(message ? message : "", "conflict with \"");
        json_array_append_new(out, rd_json_pack("{s:s, s:s, s:s}", "manager", manager ? manager : "?",
                                                "field", field ? field : "?", "message",
                                                message ? message : ""));
    }
    return out;
}

/* 404 of the type or of the namespace, as opposed to of the object (reference 1.4, 2.4). */
enum k8s_missing k8s_what_is_missing(long status, const char *body, size_t len)
{
    if (status != 404)
        return K8S_MISSING_NOTHING;
    RD_AUTOJSON json_t *root = k8s_status_parse(body ? body : "", len);
    const char *name = rd_json_path_str(root, "details.name");
    if (!name || !*name)
        return K8S_MISSING_TYPE;
    if (rd_streq(rd_json_path_str(root, "details.kind"), "namespaces"))
        return K8S_MISSING_NAMESPACE;
    return K8S_MISSING_OBJECT;
}
