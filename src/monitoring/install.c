#include "monitoring/install.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "phase/steps/names.h"

#include <string.h>

#define LEFTOVER_MS 90000
#define CRD_LIMIT_MS 60000
#define CRD_PAUSE_MS 500

enum install_state {
    IN_BEGIN,
    IN_LOOKED,
    IN_SPACE,
    IN_LOCK,
    IN_LEFT,
    IN_RELOOK,
    IN_SETTINGS,
    IN_RECOVER,
    IN_RECOVERED,
    IN_HELM,
    IN_HELM_CLEAR,
    IN_AFTER,
    IN_CRD,
    IN_CRD_PAUSE,
    IN_DASHBOARDS,
    IN_OBJECTS,
    IN_OLD,
    IN_STALE,
};

void mon_install_free(struct mon_install *i)
{
    mon_release_clear(&i->release);
    k8s_call_clear(&i->space);
    k8s_call_clear(&i->secrets);
    k8s_call_clear(&i->operators);
    k8s_call_clear(&i->crd);
    k8s_call_clear(&i->old);
    rd_err_free(op_take_err(&i->pause.op));
    mon_lock_free(&i->lock);
    if (i->batch_set)
        k8s_batch_clear(&i->batch);
    mon_helm_free(&i->helm);
    mon_helm_clear_free(&i->clear);
    mon_dashboards_free(&i->dashboards);
    rd_freep(&i->inputs);
    rd_err_free(op_take_err(&i->op));
}

static void enter(struct mon_install *i, enum install_state state, struct op *child)
{
    i->state = (int)state;
    i->child = child;
}

/* ---- What is there ---- */

static void ask_crd(struct mon_install *i, const char *name)
{
    const struct k8s_resource *crds = k8s_resource_find(
        i->m->client, "apiextensions.k8s.io/v1", "CustomResourceDefinition");
    k8s_call_clear(&i->crd);
    k8s_get_init(&i->crd, i->m->client, crds, NULL, name);
    i->crd.not_found_ok = true;
    k8s_call_start(&i->crd, &i->op);
}

static void ask(struct mon_install *i)
{
    struct k8s_client *c = i->m->client;
    RD_AUTOFREE char *ns = config_namespace(i->m->config);
    struct http_url u;
    enter(i, IN_LOOKED, NULL);
    k8s_get_init(&i->space, c, k8s_resource_find(c, "v1", "Namespace"), NULL, ns);
    i->space.not_found_ok = true;
    k8s_call_start(&i->space, &i->op);
    k8s_url(&u, c, k8s_resource_find(c, "v1", "Pod"), NULL, NULL, NULL);
    http_url_query(&u, "labelSelector", "app.kubernetes.io/name=kuberay-operator");
    k8s_call_init(&i->operators, c, "GET", http_url_str(&u));
    http_url_clear(&u);
    i->operators.metadata_only = true;
    i->operators.collection = true;
    k8s_call_start(&i->operators, &i->op);
    if (i->m->kind == MON_GMP) {
        ask_crd(i, "podmonitorings.monitoring.googleapis.com");
        return;
    }
    mon_release_ask(&i->secrets, i->m);
    k8s_call_start(&i->secrets, &i->op);
}

static bool refuse_missing(struct mon_install *i, struct rd_err **reterr)
{
    RD_AUTOFREE char *ns = config_namespace(i->m->config);
    const struct config *c = i->m->config;
    if (!i->space.result) {
        rd_fail(reterr, RD_ERR_PREFLIGHT, "namespace %s of the deployment is not there", ns);
        rd_err_resource(*reterr, "Namespace/%s", ns);
        rd_err_hint(*reterr, "Monitoring looks at a deployment that is there: raydeploy up first.");
        return false;
    }
    if (i->m->kind == MON_GMP && !i->crd.result) {
        rd_fail(reterr, RD_ERR_PREFLIGHT,
                "the cluster does not serve PodMonitoring of monitoring.googleapis.com");
        rd_err_hint(*reterr, "Google's managed collection is off, or this is no GKE cluster. GKE has it on "
                             "by default; elsewhere use --with prometheus.");
        return false;
    }
    if (i->m->existing && !i->release.found) {
        rd_fail(reterr, RD_ERR_PREFLIGHT, "there is no Helm release %s in namespace %s",
                c->monitoring.release, c->monitoring.ns);
        rd_err_hint(*reterr, "Set monitoring.release and monitoring.namespace to the one that is there, or "
                             "leave --existing out to have it installed.");
        return false;
    }
    return true;
}

static bool looked(struct mon_install *i, struct rd_err **reterr)
{
    struct k8s_call *calls[] = {&i->space, &i->operators, &i->crd, &i->secrets};
    for (size_t n = 0; n < RD_ARRAY_LEN(calls); n++)
        if ((*reterr = op_take_err(&calls[n]->op)))
            return false;
    const json_t *operator= json_array_get(json_object_get(i->operators.result, "items"), 0);
    rd_str_dup(&i->m->operator_ns, rd_json_str(operator, "metadata", "namespace", NULL));
    mon_release_read(i->secrets.result, &i->release);
    if (!refuse_missing(i, reterr))
        return false;
    if (i->release.found && !i->m->existing && !i->m->config->adopt &&
        !mon_release_ours(i->m, &i->release))
        return mon_release_refuse(i->m, &i->release, reterr);
    return true;
}

/* ---- Helm ---- */

static void apply(struct mon_install *i, enum install_state state, struct manifest_list *list,
                  enum k8s_batch_verb verb)
{
    if (i->batch_set)
        k8s_batch_clear(&i->batch);
    i->batch_set = true;
    mon_batch_init(&i->batch, i->m, verb, false);
    k8s_batch_add_list(&i->batch, list);
    enter(i, state, &i->batch.op);
    k8s_batch_start(&i->batch, &i->op);
}

static bool apply_space(struct mon_install *i, struct rd_err **reterr)
{
    struct manifest_list list = {0};
    bool ok = mon_render_namespace(i->m, &list, reterr);
    if (ok)
        apply(i, IN_SPACE, &list, K8S_BATCH_APPLY);
    manifest_list_clear(&list);
    return ok;
}

static bool apply_settings(struct mon_install *i, struct rd_err **reterr)
{
    unsigned char bytes[18];
    rd_random_bytes(bytes, sizeof(bytes));
    char *password = rd_base64url_encode(bytes, sizeof(bytes));
    struct rd_secret secret = {0};
    if (!i->m->show_password)
        rd_secret_set(&secret, password, strlen(password));
    struct manifest_list list = {0};
    bool ok = mon_render_settings(i->m, password, &list, reterr);
    if (ok)
        apply(i, IN_SETTINGS, &list, K8S_BATCH_APPLY);
    manifest_list_clear(&list);
    rd_secret_clear(&secret);
    rd_wipe(password, strlen(password));
    free(password);
    rd_wipe(bytes, sizeof(bytes));
    return ok;
}

/* An operation that was cut off keeps every later one out. Ours were, when a Job of ours was still lying
 * there or the time that it may take has passed; anybody else's we wait for. */
static bool must_recover(struct mon_install *i, struct rd_err **reterr, bool *ret)
{
    *ret = false;
    if (!mon_release_pending(&i->release))
        return true;
    int64_t age_ms = rd_wall_ms() - i->release.changed_wall_ms;
    if (i->leftovers || age_ms > (int64_t)MON_JOB_LIMIT_S * 1000) {
        *ret = true;
        return true;
    }
    rd_fail(reterr, RD_ERR_TRANSIENT, "the Helm release %s is in state %s: another helm is at work on it",
            i->m->config->monitoring.release, i->release.status);
    rd_err_resource(*reterr, "Helm release %s/%s", i->m->config->monitoring.ns,
                    i->m->config->monitoring.release);
    rd_err_hint(*reterr, "Wait until it is done. An operation that was cut off is cleared up once it is %d "
                         "minutes old: run this command again then.",
                MON_JOB_LIMIT_S / 60);
    return false;
}

static void run_helm(struct mon_install *i, enum install_state state, json_t *take_args)
{
    mon_helm_free(&i->helm);
    mon_helm_init(&i->helm, i->m, take_args);
    enter(i, state, &i->helm.op);
    mon_helm_start(&i->helm, &i->op);
}

static void clear_helm(struct mon_install *i, enum install_state state)
{
    mon_helm_clear_free(&i->clear);
    enter(i, state, &i->clear.op);
    mon_helm_clear_start(&i->clear, i->m, LEFTOVER_MS, &i->op);
}

static void ask_release(struct mon_install *i, enum install_state state)
{
    mon_release_clear(&i->release);
    mon_release_ask(&i->secrets, i->m);
    enter(i, state, &i->secrets.op);
    k8s_call_start(&i->secrets, &i->op);
}

static bool is_current(struct mon_install *i)
{
    return mon_release_ours(i->m, &i->release) && rd_streq(i->release.status, "deployed") &&
           rd_streq(i->release.inputs, i->inputs);
}

static void await_crd(struct mon_install *i)
{
    if (!i->crd_by_ms)
        i->crd_by_ms = op_now_ms(&i->op) + CRD_LIMIT_MS;
    enter(i, IN_CRD, &i->crd.op);
    ask_crd(i, "podmonitors." MON_CRD_GROUP);
}

static bool settled(struct mon_install *i, struct rd_err **reterr)
{
    bool recover;
    if (!must_recover(i, reterr, &recover))
        return false;
    if (recover && !i->recovered) {
        i->recovered = true;
        bool first = rd_streq(i->release.status, "pending-install") ||
                     rd_streq(i->release.status, "uninstalling");
        mon_say(i->m, NOTE_WARN,
                "the release is in state %s, from a helm that was cut off: %s", i->release.status,
                first ? "what it left is uninstalled first" : "it is rolled back first");
        run_helm(i, IN_RECOVER, first ? mon_args_uninstall(i->m) : mon_args_rollback(i->m));
        return true;
    }
    if (is_current(i)) {
        mon_part(i->m, "helm", NOTE_DONE, "release %s is as wanted (revision %d)",
                 i->m->config->monitoring.release, (int)i->release.revision);
        await_crd(i);
        return true;
    }
    i->helm_ran = true;
    run_helm(i, IN_HELM, mon_args_install(i->m, i->inputs));
    return true;
}

/* An image whose entrypoint is something else may end well and do nothing. */
static bool fail_without_release(const struct mon_install *i, struct rd_err **reterr)
{
    const struct config *c = i->m->config;
    mon_part(i->m, "helm", NOTE_FAILED, "its job ended well, and there is no release");
    rd_fail(reterr, RD_ERR_FAILED, "the helm job ended well, but there is no release %s in namespace %s",
            c->monitoring.release, c->monitoring.ns);
    rd_err_resource(*reterr, "Helm release %s/%s", c->monitoring.ns, c->monitoring.release);
    rd_err_hint(*reterr, "Does monitoring.helmImage run helm? It is %s.", c->monitoring.helm_image);
    return false;
}

/* ---- Ray's own ---- */

static bool crd_ready(struct mon_install *i, struct rd_err **reterr)
{
    if (rd_streq(rd_json_str(rd_json_condition(i->crd.result, "Established"), "status", NULL), "True")) {
        enter(i, IN_DASHBOARDS, &i->dashboards.op);
        mon_part(i->m, "dashboards", NOTE_RUNNING, "asking the head for Ray's dashboards");
        mon_dashboards_start(&i->dashboards, i->m, &i->op);
        return true;
    }
    if (op_now_ms(&i->op) >= i->crd_by_ms) {
        rd_fail(reterr, RD_ERR_TIMEOUT, "the cluster does not serve PodMonitor of " MON_CRD_GROUP);
        rd_err_resource(*reterr, "CustomResourceDefinition/podmonitors." MON_CRD_GROUP);
        rd_err_hint(*reterr, "The release is there without its CRDs: install them (they come with the "
                             "chart unless its value crds.enabled is false), then run this again.");
        return false;
    }
    enter(i, IN_CRD_PAUSE, &i->pause.op);
    if (!op_timer_start(&i->pause, &i->op, CRD_PAUSE_MS)) {
        *reterr = op_take_err(&i->pause.op);
        return false;
    }
    return true;
}

static bool apply_objects(struct mon_install *i, struct rd_err **reterr)
{
    struct manifest_list list = {0};
    const char *file;
    json_t *text;
    bool ok = mon_render_monitors(i->m, &list, reterr) && mon_render_policies(i->m, &list, reterr);
    json_object_foreach (i->dashboards.files, file, text)
        ok = ok && mon_render_dashboard(i->m, file, json_string_value(text), &list, reterr);
    if (ok)
        apply(i, IN_OBJECTS, &list, K8S_BATCH_APPLY);
    manifest_list_clear(&list);
    return ok;
}

static void ask_old(struct mon_install *i)
{
    struct k8s_client *c = i->m->client;
    RD_AUTOFREE char *mine = names_selector(i->m->config);
    RD_AUTOFREE char *selector = rd_asprintf("%s," MON_DASHBOARD_LABEL "=1", mine);
    struct http_url u;
    k8s_url(&u, c, k8s_resource_find(c, "v1", "ConfigMap"), i->m->config->monitoring.ns, NULL, NULL);
    http_url_query(&u, "labelSelector", selector);
    k8s_call_init(&i->old, c, "GET", http_url_str(&u));
    http_url_clear(&u);
    i->old.metadata_only = true;
    i->old.collection = true;
    enter(i, IN_OLD, &i->old.op);
    k8s_call_start(&i->old, &i->op);
}

/* Dashboards that this version of Ray no longer has. */
static bool drop_old(struct mon_install *i, struct rd_err **reterr)
{
    struct manifest_list list = {0};
    struct rd_strv wanted = {NULL, 0};
    const char *file;
    json_t *text;
    json_object_foreach (i->dashboards.files, file, text)
        rd_strv_take(&wanted, mon_dashboard_name(i->m, file));
    size_t n;
    const json_t *one;
    bool ok = true;
    json_array_foreach (json_object_get(i->old.result, "items"), n, one) {
        const char *name = rd_json_str(one, "metadata", "name", NULL);
        if (!name || rd_strv_has(&wanted, name))
            continue;
        ok = ok && manifest_add(&list,
                                rd_json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind",
                                             "ConfigMap", "metadata", "name", name, "namespace",
                                             i->m->config->monitoring.ns),
                                "dashboards", 0, reterr);
    }
    if (ok && list.len)
        apply(i, IN_STALE, &list, K8S_BATCH_DELETE);
    else if (ok)
        op_finish(&i->op, NULL);
    rd_strv_clear(&wanted);
    manifest_list_clear(&list);
    return ok;
}

static void dashboards_read(struct mon_install *i)
{
    struct mon_dashboards *d = &i->dashboards;
    struct rd_err *err = op_take_err(&d->op);
    if (err) {
        /* The rest is worth having without them. */
        mon_notice(i->m, "Ray's dashboards were left out: %s", err->message);
        mon_part(i->m, "dashboards", NOTE_SKIPPED, "left out");
        rd_err_free(err);
        json_object_clear(d->files);
    } else if (d->why_none) {
        mon_notice(i->m,
                   "Ray's dashboards were left out: %s; run `raydeploy monitoring install` again later",
                   d->why_none);
        mon_part(i->m, "dashboards", NOTE_SKIPPED, "left out");
    } else {
        mon_part(i->m, "dashboards", NOTE_DONE, "%zu dashboards", json_object_size(d->files));
    }
}

/* ---- The machine ---- */

static bool advance(struct mon_install *i, struct rd_err **reterr)
{
    switch ((enum install_state)i->state) {
    case IN_BEGIN:
        ask(i);
        return true;
    case IN_LOOKED:
        if (!looked(i, reterr))
            return false;
        if (i->m->kind == MON_GMP)
            return apply_objects(i, reterr);
        if (i->m->existing) {
            await_crd(i);
            return true;
        }
        i->inputs = mon_inputs(i->m, reterr);
        return i->inputs && apply_space(i, reterr);
    case IN_SPACE:
        enter(i, IN_LOCK, NULL);
        mon_lock_start(&i->lock, i->m, &i->op);
        return true;
    case IN_LOCK:
        if (i->lock.held)
            clear_helm(i, IN_LEFT);
        return true;
    case IN_LEFT:
        i->leftovers = i->clear.found;
        if (i->leftovers)
            mon_say(i->m, NOTE_WARN, "an earlier run left its Helm job behind: taken away");
        ask_release(i, IN_RELOOK);
        return true;
    case IN_RELOOK:
        mon_release_read(i->secrets.result, &i->release);
        return apply_settings(i, reterr);
    case IN_SETTINGS:
        return settled(i, reterr);
    case IN_RECOVER:
        clear_helm(i, IN_RECOVERED);
        return true;
    case IN_RECOVERED:
        ask_release(i, IN_RELOOK);
        return true;
    case IN_HELM:
        clear_helm(i, IN_HELM_CLEAR);
        return true;
    case IN_HELM_CLEAR:
        ask_release(i, IN_AFTER);
        return true;
    case IN_AFTER:
        mon_release_read(i->secrets.result, &i->release);
        if (!i->release.found)
            return fail_without_release(i, reterr);
        mon_part(i->m, "helm", NOTE_DONE, "release %s, revision %d: %s",
                 i->m->config->monitoring.release, (int)i->release.revision,
                 i->release.status ? i->release.status : "unknown");
        await_crd(i);
        return true;
    case IN_CRD:
        return crd_ready(i, reterr);
    case IN_CRD_PAUSE:
        await_crd(i);
        return true;
    case IN_DASHBOARDS:
        dashboards_read(i);
        return apply_objects(i, reterr);
    case IN_OBJECTS:
        if (json_object_size(i->dashboards.files) == 0) {
            op_finish(&i->op, NULL);
            return true;
        }
        ask_old(i);
        return true;
    case IN_OLD:
        return drop_old(i, reterr);
    case IN_STALE:
        op_finish(&i->op, NULL);
        return true;
    }
    RD_UNREACHABLE();
}

static void install_step(struct op *op)
{
    struct mon_install *i = container_of(op, struct mon_install, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (i->lock.set && op_ended(&i->lock.lease.op)) {
        op_finish(op, op_take_err(&i->lock.lease.op));
        return;
    }
    if (i->child ? op_running(i->child) : i->state == IN_LOOKED && op_has_children(op))
        return;
    /* Dashboards are judged where they are read. */
    if (i->child && i->state != IN_DASHBOARDS && (err = op_take_err(i->child))) {
        if (i->state == IN_HELM || i->state == IN_RECOVER)
            mon_part(i->m, "helm", NOTE_FAILED, "%s", err->message);
        op_finish(op, err);
        return;
    }
    if (!advance(i, &err))
        op_finish(op, err);
}

void mon_install_start(struct mon_install *i, struct mon *m, struct op *parent)
{
    *i = (struct mon_install){.m = m};
    op_start(&i->op, parent, install_step, "monitoring install");
}
