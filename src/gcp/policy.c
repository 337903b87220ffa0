#include "gcp/policy.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum policy_state { POLICY_BEGIN, POLICY_READ, POLICY_WRITTEN, POLICY_PAUSE };

#define POLICY_MS (5 * 60000)
#define PAUSE_MS 1000
#define PAUSE_MAX_MS 32000

/* ---- Pure ---- */

static bool condition_is(const json_t *binding, const struct gcp_binding *b)
{
    const json_t *c = json_object_get(binding, "condition");
    if (!json_is_object(c))
        return b->expression == NULL;
    const char *description = json_string_value(json_object_get(c, "description"));
    return b->expression != NULL &&
           rd_streq(json_string_value(json_object_get(c, "title")), b->title) &&
           rd_streq(description != NULL ? description : "",
                    b->description != NULL ? b->description : "") &&
           rd_streq(json_string_value(json_object_get(c, "expression")), b->expression);
}

/* Google compares members without case, except what follows principal:// and principalSet://. */
static bool same_member(const char *a, const char *b)
{
    if (a == NULL)
        return false;
    return rd_starts_with(b, "principal") ? strcmp(a, b) == 0 : strcasecmp(a, b) == 0;
}

static json_t *find_binding(const json_t *policy, const struct gcp_binding *b)
{
    json_t *one;
    size_t i;
    json_array_foreach (json_object_get(policy, "bindings"), i, one) {
        if (rd_streq(json_string_value(json_object_get(one, "role")), b->role) &&
            condition_is(one, b))
            return one;
    }
    return NULL;
}

static bool find_member(const json_t *binding, const char *member, size_t *ret)
{
    const json_t *one;
    size_t i;
    json_array_foreach (json_object_get(binding, "members"), i, one) {
        if (same_member(json_string_value(one), member)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

bool gcp_policy_has(const json_t *policy, const struct gcp_binding *b)
{
    size_t at;
    return find_member(find_binding(policy, b), b->member, &at);
}

static void add(json_t *policy, json_t *binding, const struct gcp_binding *b)
{
    if (binding != NULL) {
        json_t *members = json_object_get(binding, "members");
        if (!json_is_array(members)) {
            members = json_array();
            json_object_set_new(binding, "members", members);
        }
        json_array_append_new(members, json_string(b->member));
        return;
    }
    binding = rd_json_pack("{s:s, s:[s]}", "role", b->role, "members", b->member);
    if (b->expression != NULL) {
        json_t *c = rd_json_pack("{s:s, s:s}", "title", b->title, "expression", b->expression);
        if (b->description != NULL)
            json_object_set_new(c, "description", json_string(b->description));
        json_object_set_new(binding, "condition", c);
    }
    json_t *bindings = json_object_get(policy, "bindings");
    if (!json_is_array(bindings)) {
        bindings = json_array();
        json_object_set_new(policy, "bindings", bindings);
    }
    json_array_append_new(bindings, binding);
}

static void drop_empty(json_t *policy, const json_t *binding)
{
    json_t *bindings = json_object_get(policy, "bindings");
    for (size_t i = 0; i < json_array_size(bindings); i++) {
        if (json_array_get(bindings, i) == binding) {
            json_array_remove(bindings, i);
            return;
        }
    }
}

bool gcp_policy_edit(json_t *policy, const struct gcp_binding *b)
{
    json_t *binding = find_binding(policy, b);
    size_t at;
    bool there = find_member(binding, b->member, &at);
    if (there != b->remove)
        return false;
    if (!b->remove) {
        add(policy, binding, b);
        return true;
    }
    json_t *members = json_object_get(binding, "members");
    json_array_remove(members, at);
    if (json_array_size(members) == 0)
        drop_empty(policy, binding);
    return true;
}

/* ---- Requests ---- */

static enum gcp_api api_of(enum gcp_policy_target target)
{
    static const enum gcp_api of[] = {
        [GCP_POLICY_PROJECT] = GCP_RESOURCEMANAGER,
        [GCP_POLICY_ACCOUNT] = GCP_IAM,
        [GCP_POLICY_BUCKET] = GCP_STORAGE,
        [GCP_POLICY_REPOSITORY] = GCP_ARTIFACTREGISTRY,
    };
    return of[target];
}

static void policy_url(struct http_url *u, struct gcp_client *c, enum gcp_policy_target target,
                       const char *name, const char *verb)
{
    gcp_url(u, c, api_of(target));
    if (target == GCP_POLICY_PROJECT) {
        gcp_url_segs(u, verb, "projects", name, NULL);
        return;
    }
    if (target == GCP_POLICY_BUCKET) {
        gcp_url_segs(u, "", "b", name, "iam", NULL);
        return;
    }
    struct rd_strv parts = {0};
    rd_strv_split(&parts, name, "/");
    for (size_t i = 0; i < parts.len; i++)
        http_url_seg(u, parts.v[i]);
    gcp_url_segs(u, verb, NULL);
    rd_strv_clear(&parts);
}

void gcp_policy_get(struct gcp_call *k, struct gcp_client *c, enum gcp_policy_target target,
                    const char *name)
{
    struct http_url u;
    policy_url(&u, c, target, name, ":getIamPolicy");
    bool post = target == GCP_POLICY_PROJECT || target == GCP_POLICY_ACCOUNT;
    if (target == GCP_POLICY_BUCKET)
        http_url_query(&u, "optionsRequestedPolicyVersion", "3");
    else if (target != GCP_POLICY_PROJECT)
        http_url_query(&u, "options.requestedPolicyVersion", "3");
    gcp_call_init(k, c, api_of(target), post ? "POST" : "GET", http_url_str(&u));
    http_url_clear(&u);
    if (target == GCP_POLICY_PROJECT) {
        RD_AUTOJSON json_t *body =
            rd_json_pack("{s:{s:i}}", "options", "requestedPolicyVersion", 3);
        gcp_call_body(k, body);
    }
    k->query_may_repeat = true;
    gcp_call_what(k, "read the IAM policy of %s", name);
}

static void policy_put(struct gcp_policy *p)
{
    struct http_url u;
    struct gcp_client *c = p->client;
    bool bucket = p->target == GCP_POLICY_BUCKET;
    json_object_set_new(p->policy, "version", json_integer(3));
    policy_url(&u, c, p->target, p->name, ":setIamPolicy");
    gcp_call_init(&p->call, c, api_of(p->target), bucket ? "PUT" : "POST", http_url_str(&u));
    http_url_clear(&u);
    if (bucket) {
        gcp_call_body(&p->call, p->policy);
    } else {
        RD_AUTOJSON json_t *body = rd_json_pack("{s:O}", "policy", p->policy);
        if (p->target == GCP_POLICY_PROJECT)
            json_object_set_new(body, "updateMask", json_string("bindings,etag,auditConfigs"));
        else if (p->target == GCP_POLICY_ACCOUNT)
            json_object_set_new(body, "updateMask", json_string("bindings,etag"));
        gcp_call_body(&p->call, body);
    }
    /* With the etag a second send of the same write changes nothing: it loses the race to the
     * first, and then the edits are found to be in. */
    if (json_string_value(json_object_get(p->policy, "etag")) != NULL)
        p->call.query_may_repeat = true;
    gcp_call_what(&p->call, "change the IAM policy of %s", p->name);
}

/* ---- Steps ---- */

static void read_again(struct gcp_policy *p)
{
    gcp_policy_get(&p->call, p->client, p->target, p->name);
    p->call.patience = p->patience;
    p->call.not_found_ok = p->absent_ok;
    p->state = POLICY_READ;
    gcp_call_start(&p->call, &p->op);
}

static void start_over(struct gcp_policy *p, struct rd_err *take)
{
    uint64_t top = PAUSE_MS;
    for (unsigned i = 0; i < p->races && top < PAUSE_MAX_MS; i++)
        top *= 2;
    p->races++;
    p->state = POLICY_PAUSE;
    /* Short at first: the other writer is mostly done already. */
    if (!op_timer_start(&p->pause, &p->op, PAUSE_MS / 10 + rd_random_u64() % top)) {
        rd_err_free(op_take_err(&p->pause.op));
        op_finish(&p->op, take);
        return;
    }
    rd_err_free(take);
}

static void got(struct gcp_policy *p)
{
    struct rd_err *err = op_take_err(&p->call.op);
    if (err != NULL || p->call.result == NULL) {
        op_finish(&p->op, err); /* no result: absent, and that is fine */
        return;
    }
    json_decref(p->policy);
    p->policy = json_deep_copy(p->call.result);
    p->changed = 0;
    for (size_t i = 0; i < p->edits_len; i++)
        p->changed += gcp_policy_edit(p->policy, &p->edits[i]);
    if (p->changed == 0) {
        op_finish(&p->op, NULL);
        return;
    }
    policy_put(p);
    p->state = POLICY_WRITTEN;
    gcp_call_start(&p->call, &p->op);
}

static void written(struct gcp_policy *p)
{
    struct rd_err *err = op_take_err(&p->call.op);
    enum gcp_situation s = p->call.fault.situation;
    if (err == NULL) {
        json_decref(p->policy);
        p->policy = json_incref(p->call.result);
        op_finish(&p->op, NULL);
        return;
    }
    bool unseen = s == GCP_ACCOUNT_UNSEEN && (p->patience & GCP_PATIENT_ACCOUNT) != 0;
    if (s == GCP_RACE || unseen || (s == GCP_EXISTS && err->http_status == 409))
        start_over(p, err);
    else
        op_finish(&p->op, err);
}

static void policy_step(struct op *op)
{
    struct gcp_policy *p = container_of(op, struct gcp_policy, op);
    if (op->cancelled) {
        struct rd_err *err = NULL;
        if (op->timed_out)
            err = rd_err_new(RD_ERR_TIMEOUT,
                             "the IAM policy of %s was not changed in time; somebody "
                             "else was faster %u times",
                             p->name, p->races);
        op_finish(op, err);
        return;
    }
    if (op_running(&p->call.op) || op_running(&p->pause.op))
        return;
    switch (p->state) {
    case POLICY_BEGIN:
    case POLICY_PAUSE:
        read_again(p);
        return;
    case POLICY_READ:
        got(p);
        return;
    case POLICY_WRITTEN:
        written(p);
        return;
    default:
        RD_UNREACHABLE();
    }
}

void gcp_policy_start(struct gcp_policy *p, struct op *parent, struct gcp_client *c,
                      enum gcp_policy_target target, const char *name,
                      const struct gcp_binding *edits, size_t len)
{
    p->client = c;
    p->target = target;
    rd_str_dup(&p->name, name);
    p->edits = edits;
    p->edits_len = len;
    p->changed = 0;
    p->races = 0;
    p->state = POLICY_BEGIN;
    op_start(&p->op, parent, policy_step, "iam policy");
    op_set_timeout(&p->op, POLICY_MS);
}

void gcp_policy_clear(struct gcp_policy *p)
{
    RD_ASSERT(!op_running(&p->op));
    rd_err_free(op_take_err(&p->op));
    rd_err_free(op_take_err(&p->pause.op));
    gcp_call_clear(&p->call);
    rd_str_take(&p->name, NULL);
    json_decref(p->policy);
    p->policy = NULL;
}
