/* Authorization by IAM, and the kinds that only answer: access reviews, SelfSubjectReview, tokens. */
#include "kube_internal.h"
#include "kube_proto.h"

#include "auth.h"
#include "policy.h"

#include <stdlib.h>
#include <string.h>

/* GKE's permission for a verb on a resource: container.pods.get, and one name for what it does not
 * know. Globs of the roles (policy.c) judge it; deny=container.pods.get takes it from everybody. */
static char *permission_of(const char *verb, const char *group, const char *plural, const char *sub)
{
    static const struct {
        const char *plural, *name;
    } names[] = {
        {"namespaces", "namespaces"},
        {"customresourcedefinitions", "customResourceDefinitions"},
        {"configmaps", "configMaps"},
        {"serviceaccounts", "serviceAccounts"},
        {"persistentvolumes", "persistentVolumes"},
        {"persistentvolumeclaims", "persistentVolumeClaims"},
        {"resourcequotas", "resourceQuotas"},
        {"limitranges", "limitRanges"},
        {"replicasets", "replicaSets"},
        {"statefulsets", "statefulSets"},
        {"daemonsets", "daemonSets"},
        {"cronjobs", "cronJobs"},
        {"networkpolicies", "networkPolicies"},
        {"ingressclasses", "ingressClasses"},
        {"poddisruptionbudgets", "podDisruptionBudgets"},
        {"storageclasses", "storageClasses"},
        {"csidrivers", "csiDrivers"},
        {"roles", "roles"},
        {"rolebindings", "roleBindings"},
        {"clusterroles", "clusterRoles"},
        {"clusterrolebindings", "clusterRoleBindings"},
        {"priorityclasses", "priorityClasses"},
        {"endpointslices", "endpointSlices"},
        {"apiservices", "apiServices"},
        {"mutatingwebhookconfigurations", "mutatingWebhookConfigurations"},
        {"validatingwebhookconfigurations", "validatingWebhookConfigurations"},
        {"horizontalpodautoscalers", "horizontalPodAutoscalers"},
    };
    const char *name = plural;
    for (size_t i = 0; i < RD_ARRAY_LEN(names); i++) {
        if (rd_streq(names[i].plural, plural))
            name = names[i].name;
    }
    const char *dot = strchr(group, '.');
    if (dot != NULL && !rd_ends_with(group, ".k8s.io"))
        name = "thirdPartyObjects";
    const char *what = rd_streq(verb, "watch")              ? "list"
                       : rd_streq(verb, "patch")            ? "update"
                       : rd_streq(verb, "deletecollection") ? "delete"
                                                            : verb;
    if (rd_streq(sub, "status") && !rd_streq(what, "get"))
        return rd_asprintf("container.%s.updateStatus", name);
    if (rd_streq(sub, "portforward"))
        return rd_strdup("container.pods.portForward");
    if (rd_streq(sub, "exec") || rd_streq(sub, "attach"))
        return rd_asprintf("container.pods.%s", sub);
    if (rd_streq(sub, "log"))
        return rd_strdup("container.pods.getLogs");
    if (rd_streq(sub, "proxy"))
        return rd_asprintf("container.%s.proxy", name);
    return rd_asprintf("container.%s.%s", name, what);
}

bool kube_authorized(struct emu *e, const char *caller, const char *verb, const char *group,
                     const char *plural, const char *sub, char **ret_permission)
{
    rd_str_take(ret_permission, permission_of(verb, group, plural, sub));
    if (caller == NULL)
        return false;
    /* Everybody may ask who they are and what they may. */
    if (rd_starts_with(plural, "selfsubject"))
        return true;
    if (!emu_iam_allowed(e, caller, "container.clusters.get", NULL)) {
        rd_str_dup(ret_permission, "container.clusters.get");
        return false;
    }
    return emu_iam_allowed(e, caller, *ret_permission, NULL);
}

static void answer(struct kube_call *k, json_t *take_body, json_t *take_status)
{
    if (json_object_get(take_body, "metadata") == NULL)
        json_object_set_new(take_body, "metadata", json_object());
    json_object_set_new(take_body, "status", take_status);
    RD_AUTOFREE char *api = rd_asprintf("%s/%s", k->group, k->version);
    json_object_set_new(take_body, "kind", json_string(k->res->kind));
    json_object_set_new(take_body, "apiVersion", json_string(api));
    kube_call_reply(k, 201, take_body);
}

static void review_access(struct kube_call *k, json_t *body)
{
    const json_t *want = rd_json_get(body, "spec", "resourceAttributes", NULL);
    const char *user = k->req->caller;
    RD_AUTOFREE char *other = NULL;
    const char *named = rd_json_str(body, "spec", "user", NULL);
    if (named != NULL && !rd_starts_with(k->res->plural, "self"))
        user = other = rd_asprintf("%s:%s", strstr(named, ".gserviceaccount.com") ? "serviceAccount" : "user",
                                   named);
    bool allowed = true; /* paths that are not resources are open to everybody known */
    RD_AUTOFREE char *permission = NULL;
    if (want != NULL) {
        const char *verb = rd_json_str(want, "verb", NULL), *group = rd_json_str(want, "group", NULL);
        const char *plural = rd_json_str(want, "resource", NULL);
        const char *sub = rd_json_str(want, "subresource", NULL);
        allowed = kube_authorized(k->c->emu, user, verb == NULL ? "" : verb, group == NULL ? "" : group,
                                  plural == NULL ? "" : plural, sub == NULL ? "" : sub, &permission);
    }
    json_t *status = rd_json_pack("{s:b}", "allowed", allowed);
    if (!allowed)
        json_object_set_new(status, "reason",
                            json_sprintf("requires one of [\"%s\"] permission(s).", permission));
    answer(k, body, status);
}

static void review_self(struct kube_call *k, json_t *body)
{
    const char *who = strchr(k->req->caller, ':');
    answer(k, body,
           rd_json_pack("{s:{s:s, s:[s]}}", "userInfo", "username",
                        who == NULL ? k->req->caller : who + 1, "groups", "system:authenticated"));
}

static void new_token(struct kube_call *k, json_t *body)
{
    if (kube_find(k->res, k->ns, k->name) == NULL) {
        json_decref(body);
        kube_fail(&k->fail, 404, "NotFound", "serviceaccounts \"%s\" not found", k->name);
        kube_call_status(k, &k->fail);
        return;
    }
    RD_AUTOFREE char *principal = rd_asprintf("serviceAccount:%s.svc.id.goog[%s/%s]", k->c->emu->project,
                                              k->ns, k->name);
    RD_AUTOFREE char *token = emu_auth_token_new(k->c->emu, principal, 3600);
    char now[32];
    emu_stamp_s(now);
    k->req->body_secret = true;
    json_object_set_new(body, "status",
                        rd_json_pack("{s:s, s:s}", "token", token, "expirationTimestamp", now));
    kube_call_reply(k, 201, body);
}

bool kube_serve_review(struct kube_call *k)
{
    bool token = rd_streq(k->sub, "token") && rd_streq(k->res->plural, "serviceaccounts");
    if ((!rd_ends_with(k->res->plural, "reviews") && !token) || !rd_streq(k->req->msg.method, "POST"))
        return false;
    json_t *body = kube_proto_is(k->req) ? kube_proto_read(k->req) : emu_req_json(k->req);
    if (body == NULL) {
        kube_fail(&k->fail, 400, "BadRequest", "the body of the request is not a JSON object");
        kube_call_status(k, &k->fail);
    } else if (token) {
        new_token(k, body);
    } else if (rd_ends_with(k->res->plural, "accessreviews")) {
        review_access(k, body);
    } else if (rd_streq(k->res->plural, "selfsubjectreviews")) {
        review_self(k, body);
    } else if (rd_streq(k->res->plural, "selfsubjectrulesreviews")) {
        answer(k, body,
               rd_json_pack("{s:[{s:[s], s:[s], s:[s]}], s:[], s:b, s:s}", "resourceRules", "verbs", "*",
                            "apiGroups", "*", "resources", "*", "nonResourceRules", "incomplete", 1,
                            "evaluationError", "webhook authorizer does not support user rule resolution"));
    } else {
        answer(k, body, rd_json_pack("{s:b}", "authenticated", 0));
    }
    return true;
}
