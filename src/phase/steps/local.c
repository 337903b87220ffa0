/* The table of --target local: the graph of the cloud target with every cloud step replaced by one
 * that reads the kubeconfig. */
#include "phase/steps/base.h"
#include "phase/steps/cluster.h"
#include "phase/steps/kuberay.h"
#include "phase/steps/ray.h"
#include "phase/steps/render.h"

enum { CLUSTER, CRDS, BASE, KUBERAY, VOLUME, RAY, JOB, ROWS };

#define NEED(step) (1u << (step))
#define MINUTES(n) ((uint64_t)(n) * 60 * 1000)

static const char *const kuberay_files[] = {"kuberay/namespace.yaml", "kuberay/rbac.yaml",
                                            "kuberay/watch-all.yaml", "kuberay/deployment.yaml",
                                            NULL};
static const char *const base_files[] = {"workloads/namespace.yaml", "workloads/network-policy.yaml",
                                         "workloads/network-policy-monitoring.yaml",
                                         NULL};
static const char *const volume_files[] = {"workloads/volume-local.yaml", NULL};
static const char *const ray_files[] = {"workloads/raycluster.yaml", "workloads/head-pod.yaml",
                                        "workloads/worker-group.yaml", NULL};

/* Objects are named by rendering them, and rendering wants every fact. */
static void name_facts(struct step_op *s)
{
    static const char *const facts[] = {"api.egress", "volume.modes"};
    for (size_t i = 0; i < RD_ARRAY_LEN(facts); i++)
        step_publish(s, facts[i], steps_stand_in(facts[i]));
}

static void end_connected(struct step_op *s)
{
    name_facts(s);
    step_end(s, FOUND_ABSENT, "nothing of ours");
}

static void connected_step(struct op *op)
{
    struct step_op *s = container_of(op, struct step_op, op);
    struct rd_err *err = NULL;
    if (op->cancelled)
        op_finish(op, NULL);
    else if (!cluster_connect(s->ctx, &err))
        step_end_error(s, err);
    else
        end_connected(s);
}

/* Going down the cluster itself is nobody's to undo. */
static void look_cluster(struct step_op *s, struct op *parent)
{
    if (s->ctx->going_down)
        op_start(&s->op, parent, connected_step, "cluster");
    else
        cluster_look(s, parent);
}

const struct step_row *steps_local(unsigned *ret_count)
{
    static struct step_row rows[ROWS] = {
        [CLUSTER] = {.core = {.id = "cluster", .limit_ms = MINUTES(2), .look_only = true},
                     .title = "Kubernetes cluster",
                     .verbs = {[VERB_LOOK] = look_cluster}},
        [CRDS] = {.core = {.id = "kuberay-crds", .needs = NEED(CLUSTER), .limit_ms = MINUTES(3)},
                  .title = "KubeRay CRDs",
                  .verbs = {kuberay_crds_look, kuberay_crds_start, kuberay_crds_watch,
                            kuberay_crds_undo}},
        [BASE] = {.core = {.id = "base", .needs = NEED(CLUSTER), .limit_ms = MINUTES(2)},
                  .title = "namespace, accounts, quota, policies",
                  .verbs = {base_look, base_start, NULL, base_undo},
                  .templates = base_files},
        [KUBERAY] = {.core = {.id = "kuberay",
                              .needs = NEED(CRDS) | NEED(BASE),
                              .limit_ms = MINUTES(10)},
                     .title = "KubeRay operator",
                     .verbs = {kuberay_look, kuberay_start, kuberay_watch, kuberay_undo},
                     .templates = kuberay_files},
        [VOLUME] = {.core = {.id = "volume", .needs = NEED(BASE), .limit_ms = MINUTES(5)},
                    .title = "shared volume",
                    .verbs = {volume_look, volume_start, NULL, volume_undo},
                    .templates = volume_files},
        [RAY] = {.core = {.id = "ray",
                          .needs = NEED(KUBERAY) | NEED(VOLUME),
                          .limit_ms = MINUTES(20)},
                 .title = "RayCluster",
                 .verbs = {ray_look, ray_start, ray_watch, ray_undo},
                 .templates = ray_files},
        [JOB] = {.core = {.id = "job",
                          .needs = NEED(RAY),
                          .limit_ms = MINUTES(15),
                          .every_run = true,
                          .no_last_look = true},
                 .title = "test job",
                 .verbs = {job_look, job_start, job_watch, NULL}},
    };
    /* Bits of facts are places in a list; they are put in here once, so that the rows stay readable. */
    static const struct {
        int row;
        const char *fact;
    } published[] = {
        {CLUSTER, "api.egress"}, {CLUSTER, "volume.class"}, {CLUSTER, "volume.modes"},
        {CLUSTER, "volume.one_node"}, {RAY, "ray.head"}, {RAY, "ray.nodes"},
        {RAY, "ray.version"}, {RAY, "ray.cluster"}, {JOB, "job.result"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(published); i++)
        rows[published[i].row].core.publishes |= step_fact_bit(published[i].fact);
    *ret_count = ROWS;
    return rows;
}
