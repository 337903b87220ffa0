/* Config Connector's operator: what it installs, in which order and after which time, and the
 * controller of each namespace that a ConfigConnectorContext names (reference section 5). The
 * workloads are ordinary objects: other controllers turn them into pods on the cluster's nodes. */
#include "ctl_cc.h"

#include "setting.h"

#include "base/encode.h"

#include <stdlib.h>
#include <string.h>

#define OPERATOR "configconnector-operator"
#define CORE "core" CC_SUFFIX
#define CONNECTORS "configconnectors." CORE
#define CONTEXTS "configconnectorcontexts." CORE
#define CONNECTOR_NAME "configconnector." CORE
#define CONTEXT_NAME "configconnectorcontext." CORE
#define CORE_FINALIZER "configconnector" CC_SUFFIX "/finalizer"

enum {
    ADDON_MS = 45 * 1000, /* give or take a third: the whole is 1 to 3 minutes with the pods */
    HOOK_MS = 5 * 1000,
    APPLY_MS = 8 * 1000,
    WEBHOOK_MS = 4 * 1000,
    POLL_MS = 1000,
};

static const char world_key;

static struct cc_world *world_of(const struct kube_cluster *c)
{
    return kube_cluster_kept(c, &world_key);
}

json_t *cc_system_labels(void)
{
    return rd_json_pack("{s:s, s:s}", CC_PREFIX "system", "true", CC_PREFIX "operator-type",
                        OPERATOR);
}

static json_t *system_object(const char *api, const char *kind, const char *ns, const char *name,
                             const char *component)
{
    json_t *o = ctl_object(api, kind, ns, name);
    json_t *labels = cc_system_labels();
    if (component != NULL)
        json_object_set_new(labels, CC_PREFIX "component", json_string(component));
    rd_json_path_set(o, "metadata.labels", labels);
    return o;
}

/* A StatefulSet or Deployment of one replica; labels select its pods. */
static void put_workload(struct cc_world *w, const char *kind, const char *ns, const char *name,
                         json_t *take_labels, const char *account, const char *cpu,
                         const char *memory)
{
    json_t *o = ctl_object("apps/v1", kind, ns, name);
    json_object_set(json_object_get(o, "metadata"), "labels", take_labels);
    RD_AUTOFREE char *image =
        rd_asprintf("gcr.io/gke-release/cnrm/%s:%s", strncmp(name, "cnrm-controller", 15) == 0
                                                        ? "controller"
                                                        : name,
                    w->version);
    json_t *container = rd_json_pack(
        "{s:s, s:s, s:{s:{s:s, s:s}}, s:{s:{s:s, s:i}, s:i, s:i}}", "name", "manager", "image",
        image, "resources", "requests", "cpu", cpu, "memory", memory, "readinessProbe", "httpGet",
        "path", "/ready", "port", 23232, "initialDelaySeconds", 7, "periodSeconds", 3);
    json_t *spec = rd_json_pack("{s:i, s:{s:O}, s:{s:{s:O}, s:{s:s, s:[o], s:i}}}", "replicas", 1,
                                "selector", "matchLabels", take_labels, "template", "metadata",
                                "labels", take_labels, "spec", "serviceAccountName", account,
                                "containers", container, "terminationGracePeriodSeconds", 10);
    if (rd_streq(kind, "StatefulSet"))
        json_object_set_new(spec, "serviceName", json_string(name));
    json_object_set_new(o, "spec", spec);
    json_decref(take_labels);
    kube_put(w->c, OPERATOR, o);
}

static void put_account(struct cc_world *w, const char *ns, const char *name, const char *google)
{
    json_t *o = system_object("v1", "ServiceAccount", ns, name, NULL);
    if (google != NULL)
        json_object_set_new(json_object_get(o, "metadata"), "annotations",
                            rd_json_pack("{s:s}", "iam.gke.io/gcp-service-account", google));
    kube_put(w->c, OPERATOR, o);
}

static bool has_ready(struct cc_world *w, const char *resource, const char *ns, const char *name)
{
    const json_t *o = kube_get(w->c, resource, ns, name);
    return rd_json_path_int(o, "status.readyReplicas", 0) > 0;
}

/* ---- CRDs ---- */
static void define_core(struct cc_world *w)
{
    static const char *const connector[] = {
        "mode", "googleServiceAccount", "credentialSecretName", "actuationMode", "stateIntoSpec",
        "experiments", NULL};
    static const char *const context[] = {
        "googleServiceAccount", "requestProjectPolicy", "billingProject", "stateIntoSpec",
        "actuationMode", "managerNamespace", "version", "experiments", NULL};
    const struct kube_kind kinds[] = {
        {CORE, "v1beta1", "ConfigConnector", "configconnectors", "configconnector", NULL, false,
         true},
        {CORE, "v1beta1", "ConfigConnectorContext", "configconnectorcontexts",
         "configconnectorcontext", NULL, true, true},
    };
    kube_define(w->c, &kinds[0], connector, cc_system_labels());
    kube_define(w->c, &kinds[1], context, cc_system_labels());
}

static void define_kinds(struct cc_world *w)
{
    for (size_t n = 0; n < cc_kinds_len; n++) {
        const struct cc_kind *k = &cc_kinds[n];
        const char *names[96];
        size_t len = 0;
        for (const struct cc_field *f = k->fields; f->path != NULL; f++) {
            if (f->since == NULL || cc_at_least(w, f->since))
                names[len++] = f->path;
        }
        if (!rd_streq(k->kind, "IAMPolicyMember"))
            names[len++] = "resourceID";
        names[len] = NULL;
        RD_ASSERT(len < RD_ARRAY_LEN(names));
        RD_AUTOFREE char *group = rd_asprintf("%s" CC_SUFFIX, k->group);
        RD_AUTOFREE char *singular = rd_strdup(k->kind);
        for (char *s = singular; *s != '\0'; s++)
            *s = (char)(*s | 0x20);
        struct kube_kind kind = {group, "v1beta1", k->kind, k->plural, singular, NULL, true, true};
        json_t *labels = rd_json_pack("{s:s, s:s}", CC_PREFIX "managed-by-kcc", "true",
                                      CC_PREFIX "system", "true");
        kube_define(w->c, &kind, names, labels);
    }
}

static void told_kind(struct kube_cluster *c, enum kube_change change, const json_t *object,
                      void *arg)
{
    struct cc_world *w = world_of(c);
    if (w != NULL)
        cc_item_told(w, arg, change, object);
}

/* ---- Webhooks ---- */
static json_t *webhook(struct cc_world *w, const char *name, const char *path)
{
    const char *pem = emu_server_ca_pem(w->e->server);
    RD_AUTOFREE char *ca = rd_base64_encode(pem, strlen(pem));
    RD_AUTOFREE char *full = rd_asprintf("%s" CC_SUFFIX, name);
    return rd_json_pack("{s:s, s:[s], s:s, s:s, s:{s:s, s:{s:s, s:s, s:s, s:i}}}", "name", full,
                        "admissionReviewVersions", "v1", "sideEffects", "None", "failurePolicy",
                        "Fail", "clientConfig", "caBundle", ca, "service", "namespace", CC_SYSTEM,
                        "name", "cnrm-validating-webhook", "path", path, "port", 443);
}

static void put_webhooks(struct cc_world *w)
{
    static const char *const validating[] = {"deny-immutable-field-updates", "deny-unknown-fields",
                                             "iam-validation", "resource-validation",
                                             "state-into-spec-validation"};
    static const char *const mutating[] = {"iam-defaulter", "container-annotation-handler",
                                           "management-conflict-annotation-defaulter",
                                           "generic-defaulter"};
    for (size_t kind = 0; kind < 2; kind++) {
        const char *const *names = kind == 0 ? validating : mutating;
        size_t len = kind == 0 ? RD_ARRAY_LEN(validating) : RD_ARRAY_LEN(mutating);
        json_t *o = system_object("admissionregistration.k8s.io/v1",
                                  kind == 0 ? "ValidatingWebhookConfiguration"
                                            : "MutatingWebhookConfiguration",
                                  NULL,
                                  kind == 0 ? "validating-webhook" CC_SUFFIX
                                            : "mutating-webhook" CC_SUFFIX,
                                  NULL);
        json_t *hooks = json_array();
        for (size_t n = 0; n < len; n++) {
            RD_AUTOFREE char *path = rd_asprintf("/%s", names[n]);
            json_array_append_new(hooks, webhook(w, names[n], path));
        }
        json_object_set_new(o, "webhooks", hooks);
        kube_put(w->c, "cnrm-webhook-manager", o);
    }
}

bool cc_webhooks_answer(const struct cc_world *w)
{
    if (emu_clock_now(&w->e->clock) < w->webhook_ms &&
        emu_setting_int(w->e, "webhook-delay", 0) > 0) /* nobody has mended it meanwhile */
        return false;
    const json_t *o = kube_get(w->c, "deployments.apps", CC_SYSTEM, "cnrm-webhook-manager");
    return rd_json_path_int(o, "status.availableReplicas", 0) > 0;
}

/* ---- ConfigConnector ---- */
static void say_core(struct cc_world *w, const char *resource, const char *ns, const char *name,
                     const char *error)
{
    const json_t *o = kube_get(w->c, resource, ns, name);
    if (o == NULL)
        return;
    json_t *status =
        rd_json_pack("{s:b, s:I, s:s}", "healthy", error == NULL, "observedGeneration",
                     rd_json_path_int(o, "metadata.generation", 1), "phase",
                     error == NULL ? "Healthy" : "Unhealthy");
    if (error == NULL)
        json_object_set_new(status, "errors", json_null());
    else
        json_object_set_new(status, "errors",
                            rd_json_pack("[s+]", "error during reconciliation: ", error));
    kube_merge(w->c, OPERATOR, resource, ns, name, rd_json_pack("{s:o}", "status", status));
}

static void set_finalizer(struct cc_world *w, const char *resource, const json_t *o, bool on)
{
    if (on == ctl_has_finalizer(o, CORE_FINALIZER))
        return;
    json_t *list = ctl_finalizers_without(o, CORE_FINALIZER);
    if (on)
        json_array_append_new(list, json_string(CORE_FINALIZER));
    RD_AUTOFREE char *ns = rd_strdup(ctl_ns(o));
    RD_AUTOFREE char *name = rd_strdup(ctl_name(o));
    kube_merge(w->c, OPERATOR, resource, ns, name,
               rd_json_pack("{s:{s:o}}", "metadata", "finalizers", list));
}

static void install_system(struct cc_world *w)
{
    static const struct {
        const char *kind, *name, *cpu, *memory;
    } loads[] = {{"StatefulSet", "cnrm-deletiondefender", "250m", "1Gi"},
                 {"StatefulSet", "cnrm-unmanaged-detector", "250m", "512Mi"},
                 {"Deployment", "cnrm-webhook-manager", "250m", "128Mi"},
                 {"Deployment", "cnrm-resource-stats-recorder", "20m", "64Mi"}};
    json_t *ns = system_object("v1", "Namespace", NULL, CC_SYSTEM, NULL);
    json_object_set_new(json_object_get(ns, "metadata"), "annotations",
                        rd_json_pack("{s:s}", CC_PREFIX "version", w->version));
    kube_put(w->c, OPERATOR, ns);
    define_kinds(w);
    for (size_t n = 0; n < RD_ARRAY_LEN(loads); n++) {
        put_account(w, CC_SYSTEM, loads[n].name, NULL);
        json_t *labels = cc_system_labels();
        json_object_set_new(labels, CC_PREFIX "component", json_string(loads[n].name));
        put_workload(w, loads[n].kind, CC_SYSTEM, loads[n].name, labels, loads[n].name,
                     loads[n].cpu, loads[n].memory);
    }
    json_t *service =
        system_object("v1", "Service", CC_SYSTEM, "cnrm-validating-webhook", "cnrm-webhook-manager");
    json_object_set_new(service, "spec",
                        rd_json_pack("{s:{s:s}, s:[{s:s, s:i, s:i, s:s}]}", "selector",
                                     CC_PREFIX "component", "cnrm-webhook-manager", "ports", "name",
                                     "https", "port", 443, "targetPort", 443, "protocol", "TCP"));
    kube_put(w->c, OPERATOR, service);
    for (size_t n = 0; n < cc_kinds_len; n++) {
        RD_AUTOFREE char *resource = cc_resource(&cc_kinds[n]);
        kube_subscribe(w->c, resource, told_kind, (void *)&cc_kinds[n]);
    }
    long delay_s = emu_setting_int(w->e, "webhook-delay", 0);
    if (delay_s > 0) {
        w->webhook_ms = emu_clock_now(&w->e->clock) + (uint64_t)delay_s * 1000;
        put_webhooks(w);
    }
    ctl_queue_add(w->core, "", "webhooks", POLL_MS);
}

/* Its finalizer waits for the managers to go; then the CRDs go, and with them every object, while
 * what they stand for stays. */
static void uninstall(struct cc_world *w, const json_t *connector)
{
    RD_AUTOJSON json_t *contexts = kube_list(w->c, CONTEXTS, NULL, NULL);
    size_t n;
    json_t *o;
    if (json_array_size(contexts) > 0) {
        json_array_foreach (contexts, n, o)
            kube_delete(w->c, CONTEXTS, ctl_ns(o), ctl_name(o));
        ctl_queue_add(w->core, "", "ConfigConnector", 2 * POLL_MS);
        return;
    }
    for (n = 0; n < cc_kinds_len; n++) {
        RD_AUTOFREE char *resource = cc_resource(&cc_kinds[n]);
        kube_delete(w->c, "customresourcedefinitions.apiextensions.k8s.io", NULL, resource);
    }
    kube_delete(w->c, "namespaces", NULL, CC_SYSTEM);
    kube_delete(w->c, "validatingwebhookconfigurations.admissionregistration.k8s.io", NULL,
                "validating-webhook" CC_SUFFIX);
    kube_delete(w->c, "mutatingwebhookconfigurations.admissionregistration.k8s.io", NULL,
                "mutating-webhook" CC_SUFFIX);
    set_finalizer(w, CONNECTORS, connector, false);
}

static void look_connector(struct cc_world *w)
{
    const json_t *o = kube_get(w->c, CONNECTORS, NULL, CONNECTOR_NAME);
    if (o == NULL)
        return;
    if (ctl_deleting(o)) {
        uninstall(w, o);
        return;
    }
    set_finalizer(w, CONNECTORS, o, true);
    if (kube_get(w->c, "deployments.apps", CC_SYSTEM, "cnrm-webhook-manager") == NULL)
        install_system(w);
    say_core(w, CONNECTORS, NULL, CONNECTOR_NAME, NULL);
    RD_AUTOJSON json_t *contexts = kube_list(w->c, CONTEXTS, NULL, NULL);
    size_t n;
    json_t *context;
    json_array_foreach (contexts, n, context)
        ctl_queue_add(w->core, ctl_ns(context), "ConfigConnectorContext", POLL_MS);
}

/* ---- ConfigConnectorContext ---- */
static json_t *managers_of(struct cc_world *w, const char *ns)
{
    json_t *labels = rd_json_pack("{s:s}", CC_PREFIX "scoped-namespace", ns);
    json_t *list = kube_list(w->c, "statefulsets.apps", CC_SYSTEM, labels);
    json_decref(labels);
    return list;
}

bool cc_manager_runs(struct cc_world *w, const char *ns)
{
    RD_AUTOJSON json_t *list = managers_of(w, ns);
    return rd_json_path_int(json_array_get(list, 0), "status.readyReplicas", 0) > 0;
}

const char *cc_account_of(struct cc_world *w, const char *ns)
{
    const json_t *o = kube_get(w->c, CONTEXTS, ns, CONTEXT_NAME);
    return rd_json_path_str(o, "spec.googleServiceAccount");
}

static char *objects_left(struct cc_world *w, const char *ns)
{
    for (size_t n = 0; n < cc_kinds_len; n++) {
        RD_AUTOFREE char *resource = cc_resource(&cc_kinds[n]);
        RD_AUTOJSON json_t *list = kube_list(w->c, resource, ns, NULL);
        if (json_array_size(list) > 0)
            return rd_asprintf("%s/%s", cc_kinds[n].kind, ctl_name(json_array_get(list, 0)));
    }
    return NULL;
}

static void remove_manager(struct cc_world *w, const char *ns)
{
    RD_AUTOJSON json_t *list = managers_of(w, ns);
    RD_AUTOFREE char *account = rd_asprintf("cnrm-controller-manager-%s", ns);
    if (json_array_size(list) > 0)
        kube_delete(w->c, "statefulsets.apps", CC_SYSTEM, ctl_name(json_array_get(list, 0)));
    kube_delete(w->c, "serviceaccounts", CC_SYSTEM, account);
}

static void look_context(struct cc_world *w, const char *ns)
{
    const json_t *o = kube_get(w->c, CONTEXTS, ns, CONTEXT_NAME);
    const json_t *connector = kube_get(w->c, CONNECTORS, NULL, CONNECTOR_NAME);
    if (o == NULL)
        return;
    if (ctl_deleting(o)) {
        RD_AUTOFREE char *left = objects_left(w, ns);
        if (left != NULL) {
            RD_AUTOFREE char *text =
                rd_asprintf("cannot finalize deletion until all Config Connector resources in "
                            "namespace have been removed: %s",
                            left);
            say_core(w, CONTEXTS, ns, CONTEXT_NAME, text);
            ctl_queue_add(w->core, ns, "ConfigConnectorContext", 5 * POLL_MS);
            return;
        }
        remove_manager(w, ns);
        o = kube_get(w->c, CONTEXTS, ns, CONTEXT_NAME);
        if (o != NULL)
            set_finalizer(w, CONTEXTS, o, false);
        return;
    }
    if (connector == NULL)
        return; /* looked at again once there is one */
    set_finalizer(w, CONTEXTS, o, true);
    const char *account = cc_account_of(w, ns);
    if (account == NULL || !rd_ends_with(account, "gserviceaccount.com")) {
        say_core(w, CONTEXTS, ns, CONTEXT_NAME, "spec.googleServiceAccount is no service account");
        return;
    }
    if (rd_streq(rd_json_path_str(connector, "spec.mode"), "cluster")) {
        say_core(w, CONTEXTS, ns, CONTEXT_NAME,
                 "ConfigConnector is in cluster mode: a ConfigConnectorContext serves no purpose and "
                 "should be removed");
        return;
    }
    RD_AUTOFREE char *google = rd_strdup(account);
    RD_AUTOFREE char *ksa = rd_asprintf("cnrm-controller-manager-%s", ns);
    put_account(w, CC_SYSTEM, ksa, google);
    RD_AUTOJSON json_t *have = managers_of(w, ns);
    if (json_array_size(have) == 0) {
        char id[21];
        emu_rand_hex(w->e, id, 20);
        RD_AUTOFREE char *name = rd_asprintf("cnrm-controller-manager-%s", id);
        json_t *labels = cc_system_labels();
        json_object_set_new(labels, CC_PREFIX "component", json_string("cnrm-controller-manager"));
        json_object_set_new(labels, CC_PREFIX "scoped-namespace", json_string(ns));
        put_workload(w, "StatefulSet", CC_SYSTEM, name, labels, ksa, "100m", "512Mi");
    }
    say_core(w, CONTEXTS, ns, CONTEXT_NAME, NULL);
    cc_wake_namespace(w, ns);
}

static void look_core(struct kube_cluster *c, const char *ns, const char *name, void *arg)
{
    (void)c;
    struct cc_world *w = arg;
    if (rd_streq(name, "ConfigConnector"))
        look_connector(w);
    else if (rd_streq(name, "ConfigConnectorContext"))
        look_context(w, ns);
    else if (cc_webhooks_answer(w)) /* the manager writes its configurations by itself */
        put_webhooks(w);
    else
        ctl_queue_add(w->core, "", "webhooks", POLL_MS);
}

static void told_core(struct kube_cluster *c, enum kube_change change, const json_t *object,
                      void *arg)
{
    (void)c;
    struct cc_world *w = arg;
    const char *kind = rd_json_str(object, "kind", NULL);
    bool context = rd_streq(kind, "ConfigConnectorContext");
    if (!context && !rd_streq(ctl_name(object), CONNECTOR_NAME))
        return;
    if (change == KUBE_DELETED) {
        if (context)
            remove_manager(w, ctl_ns(object));
        return;
    }
    bool seen = rd_json_path_int(object, "status.observedGeneration", 0) ==
                rd_json_path_int(object, "metadata.generation", 1);
    if (!seen || ctl_deleting(object))
        ctl_queue_add(w->core, ctl_ns(object), kind,
                      emu_jitter(w->e, ctl_deleting(object) ? POLL_MS : APPLY_MS, 40));
}

/* ---- The operator itself ---- */
static void on_stage(struct emu_timer *t);

static void next_stage(struct cc_world *w, uint64_t delay_ms)
{
    emu_timer_start(&w->e->clock, &w->timer, delay_ms, on_stage);
}

static void put_operator(struct cc_world *w)
{
    json_t *ns = system_object("v1", "Namespace", NULL, CC_OPERATOR_NS, NULL);
    kube_put(w->c, "addon-manager", ns);
    define_core(w);
    put_account(w, CC_OPERATOR_NS, OPERATOR, NULL);
    json_t *labels = rd_json_pack("{s:s}", CC_PREFIX "component", OPERATOR);
    put_workload(w, "StatefulSet", CC_OPERATOR_NS, OPERATOR, labels, OPERATOR, "100m", "512Mi");
}

static void on_stage(struct emu_timer *t)
{
    struct cc_world *w = container_of(t, struct cc_world, timer);
    switch (w->stage) {
    case 0:
        if (!w->by_hand)
            put_operator(w);
        w->stage = 1;
        next_stage(w, POLL_MS);
        return;
    case 1:
        if (!has_ready(w, "statefulsets.apps", CC_OPERATOR_NS, OPERATOR)) {
            next_stage(w, POLL_MS);
            return;
        }
        kube_subscribe(w->c, CONNECTORS, told_core, w);
        kube_subscribe(w->c, CONTEXTS, told_core, w);
        w->stage = 2;
        next_stage(w, HOOK_MS);
        return;
    case 2: /* the add-on's hook: an object, if there is none */
        w->stage = 3;
        if (!w->by_hand && kube_get(w->c, CONNECTORS, NULL, CONNECTOR_NAME) == NULL) {
            json_t *o = system_object(CORE "/v1beta1", "ConfigConnector", NULL, CONNECTOR_NAME, NULL);
            rd_json_path_set(o, "spec.mode", json_string("namespaced"));
            kube_put(w->c, "addon-manager", o);
        }
        return;
    default:
        return;
    }
}

static void drop_world(void *take)
{
    struct cc_world *w = take;
    emu_timer_stop(&w->timer);
    ctl_queue_free(w->core);
    cc_items_drop(w);
    free(w->version);
    free(w);
}

/* The add-on was turned off and on again: GKE brings the version of the day. */
static void renew(struct cc_world *w, const char *version)
{
    if (w->by_hand || rd_streq(w->version, version))
        return;
    rd_str_dup(&w->version, version);
    put_operator(w);
    json_t *ns = system_object("v1", "Namespace", NULL, CC_SYSTEM, NULL);
    json_object_set_new(json_object_get(ns, "metadata"), "annotations",
                        rd_json_pack("{s:s}", CC_PREFIX "version", w->version));
    kube_put(w->c, OPERATOR, ns);
    define_kinds(w);
}

static void start(struct kube_cluster *c, const char *version, bool by_hand)
{
    if (world_of(c) != NULL) {
        if (!by_hand)
            renew(world_of(c), version);
        return;
    }
    struct cc_world *w = rd_calloc(1, sizeof(*w));
    w->c = c;
    w->e = kube_cluster_emu(c);
    w->by_hand = by_hand;
    w->version = rd_strdup(version);
    rd_list_init(&w->items);
    w->core = ctl_queue_new(c, look_core, w);
    kube_cluster_keep(c, &world_key, w, drop_world);
    cc_admission(w);
    next_stage(w, by_hand ? POLL_MS : emu_jitter(w->e, ADDON_MS, 33));
}

void ctl_connector_start(struct kube_cluster *c, const char *version)
{
    const char *set = emu_setting(kube_cluster_emu(c), "cnrm-version");
    start(c, set != NULL ? set : version == NULL || *version == '\0' ? "1.140.0" : version, false);
}

/* An operator that somebody applied: it is the same one, of the version its objects say. */
static void told_operator(struct kube_cluster *c, enum kube_change change, const json_t *object,
                          void *arg)
{
    (void)arg;
    if (change == KUBE_DELETED || world_of(c) != NULL || !rd_streq(ctl_ns(object), CC_OPERATOR_NS) ||
        !rd_streq(ctl_name(object), OPERATOR))
        return;
    const char *version =
        rd_json_str(object, "metadata", "annotations", CC_PREFIX "operator-version", NULL);
    const char *image = rd_json_str(
        json_array_get(rd_json_path(object, "spec.template.spec.containers"), 0), "image", NULL);
    const char *tag = image == NULL ? NULL : strrchr(image, ':');
    start(c, version != NULL ? version : tag != NULL ? tag + 1 : "1.155.0", true);
}

void ctl_connector_watch(struct kube_cluster *c)
{
    kube_subscribe(c, "statefulsets.apps", told_operator, NULL);
}
