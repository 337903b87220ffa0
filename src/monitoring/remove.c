#include "monitoring/install.h"

#include "base/alloc.h"
#include "phase/steps/names.h"

#include <stdlib.h>
#include <string.h>

#define LEFTOVER_MS 90000
#define NAMED_MAX 5

enum remove_state {
    RM_BEGIN,
    RM_SPACE,
    RM_RELEASE,
    RM_LOCK,
    RM_LEFT,
    RM_HELM,
    RM_HELM_CLEAR,
    RM_LIST,
    RM_OBJECTS,
    RM_CRDS,
    RM_DISCOVER,
    RM_CRD_OBJECTS,
    RM_CRD_BATCH,
    RM_RESIDUE,
    RM_DELETE,
};

void mon_remove_free(struct mon_remove *r)
{
    k8s_call_clear(&r->space);
    k8s_call_clear(&r->secrets);
    for (size_t i = 0; i < RD_ARRAY_LEN(r->lists); i++)
        k8s_call_clear(&r->lists[i]);
    k8s_call_clear(&r->crd_list);
    k8s_call_clear(&r->objects);
    mon_release_clear(&r->release);
    mon_lock_free(&r->lock);
    if (r->batch_set)
        k8s_batch_clear(&r->batch);
    if (r->deleting)
        k8s_delete_clear(&r->del);
    mon_helm_free(&r->helm);
    mon_helm_clear_free(&r->clear);
    residue_clear(&r->rest);
    k8s_discover_clear(&r->discover);
    rd_freep(&r->asked);
    json_decref(r->crds);
    rd_err_free(r->remains);
    rd_err_free(op_take_err(&r->op));
}

static void enter(struct mon_remove *r, enum remove_state state, struct op *child)
{
    r->state = (int)state;
    r->child = child;
}

static const char *monitoring_ns(const struct mon_remove *r)
{
    return r->m->config->monitoring.ns;
}

static void ask_list(struct mon_remove *r, struct k8s_call *call, const char *api, const char *kind,
                     const char *ns, const char *selector)
{
    struct k8s_client *c = r->m->client;
    struct http_url u;
    k8s_url(&u, c, k8s_resource_find(c, api, kind), ns, NULL, NULL);
    if (selector)
        http_url_query(&u, "labelSelector", selector);
    k8s_call_clear(call);
    k8s_call_init(call, c, "GET", http_url_str(&u));
    http_url_clear(&u);
    call->metadata_only = true;
    call->collection = true;
    k8s_call_start(call, &r->op);
}

/* ---- Our objects ---- */

static void list_dashboards(struct mon_remove *r)
{
    RD_AUTOFREE char *mine = names_selector(r->m->config);
    RD_AUTOFREE char *selector = rd_asprintf("%s," MON_DASHBOARD_LABEL "=1", mine);
    enter(r, RM_LIST, &r->lists[0].op);
    ask_list(r, &r->lists[0], "v1", "ConfigMap", monitoring_ns(r), selector);
}

static void start_batch(struct mon_remove *r, enum remove_state state, struct manifest_list *list)
{
    if (r->batch_set)
        k8s_batch_clear(&r->batch);
    r->batch_set = true;
    mon_batch_init(&r->batch, r->m, K8S_BATCH_DELETE, false);
    k8s_batch_add_list(&r->batch, list);
    enter(r, state, &r->batch.op);
    k8s_batch_start(&r->batch, &r->op);
}

/* By name, and dashboards by their label: the namespace may hold other things of this deployment. */
static bool delete_objects(struct mon_remove *r, struct rd_err **reterr)
{
    struct manifest_list list = {0};
    bool ok = mon_render_monitors(r->m, &list, reterr) &&
              (r->m->kind == MON_GMP || mon_render_settings(r->m, "unused", &list, reterr));
    size_t n;
    const json_t *one;
    json_array_foreach (json_object_get(r->lists[0].result, "items"), n, one)
        ok = ok && manifest_add(&list,
                                rd_json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind",
                                             "ConfigMap", "metadata", "name",
                                             rd_json_str(one, "metadata", "name", NULL), "namespace",
                                             monitoring_ns(r)),
                                "dashboards", 0, reterr);
    if (ok)
        start_batch(r, RM_OBJECTS, &list);
    manifest_list_clear(&list);
    return ok;
}

/* ---- CRDs of the stack ---- */

static void list_crds(struct mon_remove *r)
{
    enter(r, RM_CRDS, &r->crd_list.op);
    ask_list(r, &r->crd_list, "apiextensions.k8s.io/v1", "CustomResourceDefinition", NULL, NULL);
}

static void read_crds(struct mon_remove *r)
{
    size_t i;
    const json_t *one;
    json_decref(r->crds);
    r->crds = json_array();
    json_array_foreach (json_object_get(r->crd_list.result, "items"), i, one) {
        const char *name = rd_json_str(one, "metadata", "name", NULL);
        if (name && rd_ends_with(name, "." MON_CRD_GROUP))
            json_array_append_new(r->crds, json_string(name));
    }
}

/* The next kind of the stack that the server serves; false: all were asked about. */
static bool ask_crd_objects(struct mon_remove *r)
{
    size_t count;
    const struct k8s_resource *const *all = k8s_resources_listable(r->m->client, &count);
    while (r->at < count && !rd_streq(all[r->at]->group, MON_CRD_GROUP))
        r->at++;
    if (r->at == count)
        return false;
    struct http_url u;
    k8s_url(&u, r->m->client, all[r->at], NULL, NULL, NULL);
    http_url_query(&u, "limit", "5");
    k8s_call_clear(&r->objects);
    k8s_call_init(&r->objects, r->m->client, "GET", http_url_str(&u));
    http_url_clear(&u);
    r->objects.metadata_only = true;
    r->objects.collection = true;
    rd_str_take(&r->asked, rd_asprintf("%s." MON_CRD_GROUP, all[r->at]->plural));
    r->at++;
    enter(r, RM_CRD_OBJECTS, &r->objects.op);
    k8s_call_start(&r->objects, &r->op);
    return true;
}

static bool judge_crd_objects(struct mon_remove *r, struct rd_err **reterr)
{
    size_t i;
    const json_t *one;
    RD_AUTOBUF struct rd_buf names = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    json_array_foreach (json_object_get(r->objects.result, "items"), i, one)
        rd_buf_printf(&names, "%s%s/%s", names.len ? ", " : "",
                      rd_json_str(one, "metadata", "namespace", NULL),
                      rd_json_str(one, "metadata", "name", NULL));
    if (!names.len)
        return true;
    rd_fail(reterr, RD_ERR_REMAINS, "the CRDs stay: objects of %s are still there: %s", r->asked,
            rd_buf_str(&names));
    rd_err_resource(*reterr, "CustomResourceDefinition/%s", r->asked);
    rd_err_hint(*reterr, "Deleting the CRD would delete them. Remove them first, if nobody needs them, "
                         "and run `raydeploy monitoring remove --crds` again.");
    return false;
}

static bool delete_crds(struct mon_remove *r, struct rd_err **reterr)
{
    struct manifest_list list = {0};
    size_t i;
    const json_t *name;
    bool ok = true;
    json_array_foreach (r->crds, i, name)
        ok = ok && manifest_add(&list,
                                rd_json_pack("{s:s, s:s, s:{s:O}}", "apiVersion",
                                             "apiextensions.k8s.io/v1", "kind",
                                             "CustomResourceDefinition", "metadata", "name", name),
                                "crds", 0, reterr);
    if (ok) {
        start_batch(r, RM_CRD_BATCH, &list);
        /* Helm brought them for the release that was ours; nothing of the kind is left. */
        r->batch.may_touch = NULL;
    }
    manifest_list_clear(&list);
    return ok;
}

/* ---- The namespace ---- */

/* Never one in which something else of raydeploy lives. */
static bool may_drop_space(struct mon_remove *r)
{
    const struct config *c = r->m->config;
    RD_AUTOFREE char *ray = config_namespace(c);
    return r->space.result && names_is_ours(c, r->space.result) && !rd_streq(c->monitoring.ns, ray) &&
           !rd_streq(c->monitoring.ns, c->kuberay.ns) && !rd_streq(c->monitoring.ns, LOCK_NAMESPACE);
}

static void after_crds(struct mon_remove *r)
{
    if (!may_drop_space(r)) {
        op_finish(&r->op, r->remains);
        r->remains = NULL;
        return;
    }
    r->ctx = (struct step_ctx){.loop = r->op.loop,
                               .config = r->m->config,
                               .workload = r->m->client,
                               .notes = r->m->notes};
    enter(r, RM_RESIDUE, &r->rest.op);
    residue_namespace(&r->rest, &r->op, &r->ctx, monitoring_ns(r));
}

static void drop_space(struct mon_remove *r)
{
    if (r->rest.found.len) {
        mon_notice(r->m, "namespace %s stays, because it holds objects of others: %s",
                   monitoring_ns(r), rd_buf_str(&r->rest.text));
        op_finish(&r->op, r->remains);
        r->remains = NULL;
        return;
    }
    struct k8s_client *c = r->m->client;
    r->deleting = true;
    k8s_delete_init(&r->del, c, k8s_resource_find(c, "v1", "Namespace"), NULL, monitoring_ns(r));
    rd_str_dup(&r->del.uid, rd_json_str(r->space.result, "metadata", "uid", NULL));
    enter(r, RM_DELETE, &r->del.op);
    k8s_delete_start(&r->del, &r->op);
}

/* ---- The machine ---- */

static void run_helm(struct mon_remove *r)
{
    r->helm_ran = true;
    mon_helm_init(&r->helm, r->m, mon_args_uninstall(r->m));
    enter(r, RM_HELM, &r->helm.op);
    mon_helm_start(&r->helm, &r->op);
}

static void clear_helm(struct mon_remove *r, enum remove_state state)
{
    mon_helm_clear_free(&r->clear);
    enter(r, state, &r->clear.op);
    mon_helm_clear_start(&r->clear, r->m, LEFTOVER_MS, &r->op);
}

static bool advance(struct mon_remove *r, struct rd_err **reterr)
{
    struct k8s_client *c = r->m->client;
    switch ((enum remove_state)r->state) {
    case RM_BEGIN:
        if (r->m->kind == MON_GMP)
            return delete_objects(r, reterr);
        k8s_get_init(&r->space, c, k8s_resource_find(c, "v1", "Namespace"), NULL, monitoring_ns(r));
        r->space.not_found_ok = true;
        enter(r, RM_SPACE, &r->space.op);
        k8s_call_start(&r->space, &r->op);
        return true;
    case RM_SPACE:
        mon_release_ask(&r->secrets, r->m);
        enter(r, RM_RELEASE, &r->secrets.op);
        k8s_call_start(&r->secrets, &r->op);
        return true;
    case RM_RELEASE:
        mon_release_read(r->secrets.result, &r->release);
        if (r->release.found && !mon_release_ours(r->m, &r->release)) {
            r->drop_crds = false;
            mon_notice(r->m, "the Helm release %s is not this deployment's and stays, with its CRDs",
                       r->m->config->monitoring.release);
        }
        if (r->m->existing || !r->space.result) {
            list_dashboards(r);
            return true;
        }
        enter(r, RM_LOCK, NULL);
        mon_lock_start(&r->lock, r->m, &r->op);
        return true;
    case RM_LOCK:
        if (r->lock.held)
            clear_helm(r, RM_LEFT);
        return true;
    case RM_LEFT:
        if (mon_release_ours(r->m, &r->release))
            run_helm(r);
        else
            list_dashboards(r);
        return true;
    case RM_HELM:
        clear_helm(r, RM_HELM_CLEAR);
        return true;
    case RM_HELM_CLEAR:
        mon_part(r->m, "helm", NOTE_UNDONE, "release %s is uninstalled", r->m->config->monitoring.release);
        list_dashboards(r);
        return true;
    case RM_LIST:
        return delete_objects(r, reterr);
    case RM_OBJECTS:
        if (r->m->kind == MON_GMP) {
            op_finish(&r->op, NULL);
            return true;
        }
        list_crds(r);
        return true;
    case RM_CRDS:
        read_crds(r);
        if (!r->drop_crds || json_array_size(r->crds) == 0) {
            after_crds(r);
            return true;
        }
        enter(r, RM_DISCOVER, &r->discover.op);
        k8s_discover_start(&r->discover, &r->op, c);
        return true;
    case RM_DISCOVER:
        return ask_crd_objects(r) || delete_crds(r, reterr);
    case RM_CRD_OBJECTS:
        if (!judge_crd_objects(r, &r->remains)) {
            after_crds(r);
            return true;
        }
        return ask_crd_objects(r) || delete_crds(r, reterr);
    case RM_CRD_BATCH:
        json_array_clear(r->crds);
        after_crds(r);
        return true;
    case RM_RESIDUE:
        drop_space(r);
        return true;
    case RM_DELETE:
        op_finish(&r->op, r->remains);
        r->remains = NULL;
        return true;
    }
    RD_UNREACHABLE();
}

static void remove_step(struct op *op)
{
    struct mon_remove *r = container_of(op, struct mon_remove, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    /* The namespace takes the Lease with it. */
    if (r->lock.set && op_ended(&r->lock.lease.op) && r->state != RM_DELETE) {
        op_finish(op, op_take_err(&r->lock.lease.op));
        return;
    }
    if (r->child && op_running(r->child))
        return;
    if (r->child && (err = op_take_err(r->child))) {
        if (r->state == RM_HELM)
            mon_part(r->m, "helm", NOTE_FAILED, "%s", err->message);
        op_finish(op, err);
        return;
    }
    if (!advance(r, &err))
        op_finish(op, err);
}

void mon_remove_start(struct mon_remove *r, struct mon *m, struct op *parent)
{
    bool drop = r->drop_crds;
    *r = (struct mon_remove){.m = m, .drop_crds = drop};
    op_start(&r->op, parent, remove_step, "monitoring remove");
}
