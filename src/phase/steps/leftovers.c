/* Going down: what controllers of the workload cluster made in the project goes while they still live:
 * load balancers of Services and Ingresses, disks of claims. Of the whole cluster, because it goes as a
 * whole. A claim that a pod will not let go of is not waited for till the end of days: its disk is left to
 * the scan, which names it. */
#include "phase/steps/cc_step.h"

#include "base/alloc.h"
#include "k8s/batch.h"
#include "phase/steps/google.h"

#include <stdlib.h>
#include <string.h>

#define GOING_MS ((uint64_t)5 * 60 * 1000)
#define DISK_POLL_MS 1000

static const struct {
    const char *api, *kind, *path;
} sorts[] = {
    {"v1", "Service", "/api/v1/services"},
    {"networking.k8s.io/v1", "Ingress", "/apis/networking.k8s.io/v1/ingresses"},
    {"v1", "PersistentVolumeClaim", "/api/v1/persistentvolumeclaims"},
    {"v1", "PersistentVolume", "/api/v1/persistentvolumes"},
};
enum { SERVICES, INGRESSES, CLAIMS, VOLUMES, SORTS };

enum { L_BEGIN, L_LISTED, L_DELETING, L_VOLUMES, L_PAUSE };

struct leftovers {
    struct step_op *s;
    int state;
    struct k8s_call lists[SORTS];
    json_t *found;   /* array of {apiVersion, kind, metadata}: what is to go */
    json_t *volumes; /* name -> true: made for claims, deleted with them */
    struct rd_buf text;
    struct k8s_batch batch;
    bool batch_set;
    struct op_timer pause;
    uint64_t since_ms;
};

static void leftovers_free(void *priv)
{
    struct leftovers *x = priv;
    rd_err_freep(&x->pause.op.err);
    for (size_t i = 0; i < SORTS; i++)
        k8s_call_clear(&x->lists[i]);
    if (x->batch_set)
        k8s_batch_clear(&x->batch);
    json_decref(x->found);
    json_decref(x->volumes);
    rd_buf_clear(&x->text);
    rd_err_free(op_take_err(&x->pause.op));
    free(x);
}

static void ask(struct leftovers *x, size_t i)
{
    struct k8s_client *c = x->s->ctx->workload;
    RD_AUTOFREE char *url = rd_asprintf("%s%s", k8s_client_server(c), sorts[i].path);
    k8s_call_clear(&x->lists[i]);
    k8s_call_init(&x->lists[i], c, "GET", url);
    k8s_call_start(&x->lists[i], &x->s->op);
}

/* A provisioner made it for a claim; its disk is at Google. */
static bool is_dynamic(const json_t *volume)
{
    return rd_json_str(volume, "metadata", "annotations", "pv.kubernetes.io/provisioned-by", NULL) !=
           NULL;
}

static const json_t *volume_of(const struct leftovers *x, const char *name)
{
    size_t i;
    const json_t *v;
    json_array_foreach (json_object_get(x->lists[VOLUMES].result, "items"), i, v)
        if (name && rd_streq(rd_json_str(v, "metadata", "name", NULL), name))
            return v;
    return NULL;
}

static bool is_left(struct leftovers *x, size_t sort, const json_t *o)
{
    if (sort == SERVICES)
        return rd_streq(rd_json_str(o, "spec", "type", NULL), "LoadBalancer");
    if (sort == INGRESSES)
        return true;
    const json_t *volume = volume_of(x, rd_json_str(o, "spec", "volumeName", NULL));
    if (!volume || !is_dynamic(volume))
        return false;
    const char *policy = rd_json_str(volume, "spec", "persistentVolumeReclaimPolicy", NULL);
    const char *name = rd_json_str(volume, "metadata", "name", NULL);
    if (rd_streq(policy, "Delete"))
        json_object_set_new(x->volumes, name, json_true());
    return true;
}

static void gather(struct leftovers *x)
{
    json_decref(x->found);
    x->found = json_array();
    rd_buf_reset(&x->text);
    for (size_t sort = 0; sort < VOLUMES; sort++) {
        size_t i;
        const json_t *o;
        json_array_foreach (json_object_get(x->lists[sort].result, "items"), i, o) {
            if (!is_left(x, sort, o))
                continue;
            json_t *one = rd_json_pack("{s:s, s:s, s:O}", "apiVersion", sorts[sort].api, "kind",
                                       sorts[sort].kind, "metadata", json_object_get(o, "metadata"));
            RD_AUTOFREE char *title = manifest_object_title(one);
            if (json_array_size(x->found) < 4)
                rd_buf_printf(&x->text, "%s%s", x->text.len ? ", " : "", title);
            json_array_append_new(x->found, one);
        }
    }
    if (json_array_size(x->found) > 4)
        rd_buf_printf(&x->text, " and %zu more", json_array_size(x->found) - 4);
}

/* ---- Deleting ---- */

static void on_result(struct k8s_batch *b, const struct k8s_batch_result *r)
{
    struct leftovers *x = b->ctx;
    bool deleted = r->outcome == K8S_OUT_DELETED;
    x->s->ctx->writes += deleted;
    if (r->outcome == K8S_OUT_FAILED)
        step_note_resource(x->s, NOTE_WARN, r->title, "%s", r->err->message);
    else
        step_note_resource(x->s, deleted ? NOTE_INFO : NOTE_DEBUG, r->title, "%s",
                           k8s_outcome_name(r->outcome));
}

static void on_note(struct k8s_batch *b, size_t index, const char *text)
{
    struct leftovers *x = b->ctx;
    RD_AUTOFREE char *title = manifest_object_title(k8s_batch_object(b, index));
    step_note(x->s, "%s: %s", title, text);
}

static void start_deleting(struct leftovers *x, struct op *op)
{
    x->state = L_DELETING;
    x->since_ms = op_now_ms(op);
    x->batch_set = true;
    k8s_batch_init(&x->batch, x->s->ctx->workload, K8S_BATCH_DELETE);
    x->batch.propagation = K8S_BACKGROUND;
    x->batch.lock = true;
    x->batch.need_live = true;
    x->batch.on_result = on_result;
    x->batch.on_note = on_note;
    x->batch.ctx = x;
    size_t i;
    const json_t *o;
    json_array_foreach (x->found, i, o)
        k8s_batch_add(&x->batch, o);
    k8s_batch_start(&x->batch, op);
    op_set_timeout(&x->batch.op, GOING_MS);
}

/* The volumes' disks go after their claims. */
static void judge_volumes(struct leftovers *x, struct op *op)
{
    const char *name, *left = NULL;
    json_t *v;
    json_object_foreach (x->volumes, name, v) {
        if (volume_of(x, name))
            left = name;
    }
    if (left && op_now_ms(op) - x->since_ms < GOING_MS) {
        step_note(x->s, "PersistentVolume/%s: its disk is being deleted", left);
        x->state = L_PAUSE;
        if (op_timer_start(&x->pause, op, DISK_POLL_MS))
            return;
        rd_err_free(op_take_err(&x->pause.op));
    }
    if (left)
        step_note_resource(x->s, NOTE_WARN, left, "its disk may outlive the cluster");
    step_end(x->s, FOUND_ABSENT, "gone");
}

static void leftovers_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct leftovers *x = s->priv;
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    switch (x->state) {
    case L_BEGIN:
        x->state = L_LISTED;
        for (size_t i = 0; i < SORTS; i++)
            ask(x, i);
        return;
    case L_LISTED:
        for (size_t i = 0; i < SORTS && !err; i++)
            err = op_take_err(&x->lists[i].op);
        if (err)
            break;
        gather(x);
        if (json_array_size(x->found) == 0) {
            step_end(s, FOUND_ABSENT, "nothing that would stay behind");
        } else if (s->verb == VERB_LOOK) {
            s->verdict.ours = true;
            step_end(s, FOUND_PENDING, "%s", rd_buf_str(&x->text));
        } else {
            start_deleting(x, op);
        }
        return;
    case L_DELETING:
        err = op_take_err(&x->batch.op);
        if (err && err->kind == RD_ERR_CREDENTIALS)
            break;
        if (err)
            step_note_resource(s, NOTE_WARN, "workload cluster", "%s", err->message);
        rd_err_freep(&err);
        x->state = L_VOLUMES;
        ask(x, VOLUMES);
        return;
    case L_VOLUMES:
        if ((err = op_take_err(&x->lists[VOLUMES].op)))
            break;
        judge_volumes(x, op);
        return;
    case L_PAUSE:
        x->state = L_VOLUMES;
        ask(x, VOLUMES);
        return;
    }
    step_end_error(s, err);
}

static void leftovers_begin(struct step_op *s, struct op *parent)
{
    struct leftovers *x = rd_calloc(1, sizeof(*x));
    x->s = s;
    x->volumes = json_object();
    rd_buf_init(&x->text, 4096);
    s->priv = x;
    s->free_priv = leftovers_free;
    op_start(&s->op, parent, leftovers_step, "leftovers");
}

void leftovers_look(struct step_op *s, struct op *parent)
{
    if (!step_without_cluster(s, parent))
        leftovers_begin(s, parent);
}

void leftovers_undo(struct step_op *s, struct op *parent)
{
    leftovers_begin(s, parent);
}
