/* Config Connector's admission webhooks: they run for dry runs too. */
#include "ctl_cc.h"

#include "policy.h"

#include <stdlib.h>
#include <string.h>

bool cc_may_act_as(struct cc_world *w, const char *member, const char *account)
{
    return emu_store_get(&w->e->store, "iam.serviceAccounts", account) != NULL &&
           emu_iam_allowed(w->e, member, "iam.serviceAccounts.getAccessToken", account);
}

/* A field of spec that the kind does not have; owned. Depth is that of the table's paths. */
static char *unknown_field(const struct cc_world *w, const struct cc_kind *k, const json_t *at,
                           const char *prefix)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)at, key, value) {
        RD_AUTOFREE char *path =
            *prefix == '\0' ? rd_strdup(key) : rd_asprintf("%s.%s", prefix, key);
        RD_AUTOFREE char *below = rd_asprintf("%s.", path);
        bool known = rd_streq(path, "resourceID"), inner = false;
        for (const struct cc_field *f = k->fields; f->path != NULL; f++) {
            if (f->since != NULL && !cc_at_least(w, f->since))
                continue;
            known = known || rd_streq(f->path, path);
            inner = inner || rd_starts_with(f->path, below);
        }
        if (!known && !inner)
            return rd_asprintf("spec.%s", path);
        char *deeper = inner && json_is_object(value) ? unknown_field(w, k, value, path) : NULL;
        if (deeper != NULL)
            return deeper;
    }
    return NULL;
}

static char *short_json(const json_t *v)
{
    if (v == NULL)
        return rd_strdup("<nil>");
    return json_is_string(v) ? rd_strdup(json_string_value(v))
                             : json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
}

static void check_immutable(const struct cc_kind *k, const json_t *old, const json_t *object,
                            struct kube_refusal *ret)
{
    struct rd_strv paths = {0};
    rd_strv_split(&paths, k->immutable, " ");
    for (size_t n = 0; n < paths.len && ret->code == 0; n++) {
        const json_t *a = rd_json_path(json_object_get(old, "spec"), paths.v[n]);
        const json_t *b = rd_json_path(json_object_get(object, "spec"), paths.v[n]);
        bool id = rd_streq(paths.v[n], "resourceID");
        /* The controller's own resourceID is in the stored object only; absence is no change. */
        if ((id && b == NULL) || (a == NULL && b == NULL) ||
            (a != NULL && b != NULL && json_equal((json_t *)a, (json_t *)b)))
            continue;
        if (id && a == NULL && rd_streq(json_string_value(b), ctl_name(object)))
            continue;
        RD_AUTOFREE char *got = short_json(b);
        RD_AUTOFREE char *want = short_json(a);
        kube_refuse(ret, 403, "Forbidden",
                    "admission webhook \"deny-immutable-field-updates.cnrm.cloud.google.com\" denied "
                    "the request: cannot make changes to immutable field(s): [Field Name: %s, Got: "
                    "%s, Wanted: %s]",
                    paths.v[n], got, want);
    }
    rd_strv_clear(&paths);
}

static void set_default(json_t *object, const char *key, const char *value)
{
    json_t *annotations = rd_json_get(object, "metadata", "annotations", NULL);
    if (annotations == NULL) {
        annotations = json_object();
        json_object_set_new(json_object_get(object, "metadata"), "annotations", annotations);
    }
    if (json_object_get(annotations, key) == NULL)
        json_object_set_new(annotations, key, json_string(value));
}

/* The project: the object's own annotation, its namespace's, or the namespace's name. */
static void fill_in(struct kube_cluster *c, json_t *object)
{
    const char *ns = ctl_ns(object);
    const json_t *space = kube_get(c, "namespaces", NULL, ns);
    const char *project =
        rd_json_str(space, "metadata", "annotations", CC_PREFIX "project-id", NULL);
    RD_AUTOFREE char *value = rd_strdup(project == NULL ? ns : project);
    set_default(object, CC_PREFIX "project-id", value);
    set_default(object, CC_PREFIX "management-conflict-prevention-policy", "none");
    set_default(object, CC_PREFIX "state-into-spec", "absent");
}

static bool is_configured(struct kube_cluster *c)
{
    return kube_get(c, "mutatingwebhookconfigurations.admissionregistration.k8s.io", NULL,
                    "mutating-webhook" CC_SUFFIX) != NULL;
}

static void admit(struct kube_cluster *c, const json_t *old, json_t *object, bool dry_run,
                  struct kube_refusal *ret, void *arg)
{
    (void)dry_run;
    const struct cc_world *w = arg;
    if (object == NULL || !is_configured(c))
        return;
    const struct cc_kind *k = cc_kind_of(rd_json_str(object, "kind", NULL));
    const char *api = rd_json_str(object, "apiVersion", NULL);
    if (k == NULL || strstr(api, CC_SUFFIX) == NULL)
        return;
    if (!cc_webhooks_answer(w)) {
        kube_refuse(ret, 500, "InternalError",
                    "Internal error occurred: failed calling webhook "
                    "\"container-annotation-handler.cnrm.cloud.google.com\": failed to call webhook: "
                    "Post \"https://cnrm-validating-webhook.cnrm-system.svc:443/"
                    "container-annotation-handler?timeout=10s\": no endpoints available for service "
                    "\"cnrm-validating-webhook\"");
        return;
    }
    RD_AUTOFREE char *unknown = unknown_field(w, k, json_object_get(object, "spec"), "");
    if (unknown != NULL) {
        kube_refuse(ret, 403, "Forbidden",
                    "admission webhook \"deny-unknown-fields.cnrm.cloud.google.com\" denied the "
                    "request: unknown field \"%s\"",
                    unknown);
        return;
    }
    if (old == NULL) {
        fill_in(c, object);
        return;
    }
    const char *was = cc_annotation(old, "project-id");
    const char *is = cc_annotation(object, "project-id");
    if (was != NULL && is != NULL && !rd_streq(was, is)) {
        kube_refuse(ret, 403, "Forbidden",
                    "admission webhook \"deny-immutable-field-updates.cnrm.cloud.google.com\" denied "
                    "the request: cannot make changes to container annotation " CC_PREFIX
                    "project-id");
        return;
    }
    check_immutable(k, old, object, ret);
}

void cc_admission(struct cc_world *w)
{
    kube_admit(w->c, "*.*" CC_SUFFIX, admit, w);
}
