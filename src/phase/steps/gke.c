/* The table of --target gke: both phases as one graph (docs/design.md shows it). */
#include "phase/steps/base.h"
#include "phase/steps/cc_step.h"
#include "phase/steps/kuberay.h"
#include "phase/steps/mgmt.h"
#include "phase/steps/ray.h"

enum {
    PREFLIGHT, APIS, QUOTA, MGMT_NET, MGMT_ACCOUNTS, MGMT, CC_IAM, CC_READY,
    NET, NAT, ACCOUNTS, STORAGE, GKE, LEFTOVERS, POOL_CPU, POOL_GPU, WI, FILESTORE,
    CRDS, BASE, KUBERAY, VOLUME, RAY, JOB, ROWS
};

#define NEED(step) (1u << (step))
#define MINUTES(n) ((uint64_t)(n) * 60 * 1000)
#define CC_VERBS {cc_look, cc_start, cc_watch, cc_undo}

static const char *const ready_files[] = {"cc/namespace.yaml", "cc/connector.yaml", NULL};
static const char *const net_files[] = {"cc/net.yaml", NULL};
static const char *const nat_files[] = {"cc/nat.yaml", NULL};
static const char *const accounts_files[] = {"cc/accounts.yaml", NULL};
static const char *const storage_files[] = {"cc/storage.yaml", NULL};
static const char *const gke_files[] = {"cc/gke.yaml", NULL};
static const char *const pool_cpu_files[] = {"cc/pool-cpu.yaml", NULL};
static const char *const pool_gpu_files[] = {"cc/pool-gpu.yaml", NULL};
static const char *const wi_files[] = {"cc/wi.yaml", NULL};
static const char *const filestore_files[] = {"cc/filestore.yaml", NULL};
static const char *const kuberay_files[] = {"kuberay/namespace.yaml", "kuberay/rbac.yaml",
                                            "kuberay/watch-all.yaml", "kuberay/deployment.yaml",
                                            NULL};
static const char *const base_files[] = {"workloads/namespace.yaml",
                                         "workloads/network-policy.yaml",
                                         "workloads/network-policy-gke.yaml", NULL};
static const char *const volume_files[] = {"workloads/volume-filestore.yaml", NULL};
static const char *const ray_files[] = {"workloads/raycluster.yaml", "workloads/head-pod.yaml",
                                        "workloads/worker-group.yaml", NULL};

static void put_rows(struct step_row *rows)
{
    const struct step_row all[ROWS] = {
        [PREFLIGHT] = {.core = {.id = "preflight", .limit_ms = MINUTES(2), .look_only = true},
                       .title = "project and permissions",
                       .verbs = {[VERB_LOOK] = preflight_look}},
        [APIS] = {.core = {.id = "apis",
                           .needs = NEED(PREFLIGHT),
                           .limit_ms = MINUTES(10),
                           .unlocked = true},
                  .title = "Google APIs",
                  .verbs = {apis_look, apis_start, NULL, NULL}},
        [QUOTA] = {.core = {.id = "quota",
                            .needs = NEED(APIS),
                            .limit_ms = MINUTES(2),
                            .look_only = true,
                            .no_last_look = true},
                   .title = "zones, quota, names",
                   .verbs = {[VERB_LOOK] = quota_look}},
        [MGMT_NET] = {.core = {.id = "mgmt-net",
                               .needs = NEED(QUOTA),
                               .limit_ms = MINUTES(10),
                               .unlocked = true},
                      .title = "network of the management cluster",
                      .verbs = {mgmt_net_look, mgmt_net_start, NULL, mgmt_net_undo}},
        [MGMT_ACCOUNTS] = {.core = {.id = "mgmt-accounts",
                                    .needs = NEED(QUOTA),
                                    .limit_ms = MINUTES(5),
                                    .unlocked = true},
                           .title = "accounts of the management cluster",
                           .verbs = {mgmt_accounts_look, mgmt_accounts_start, NULL,
                                     mgmt_accounts_undo}},
        [MGMT] = {.core = {.id = "mgmt",
                           .needs = NEED(MGMT_NET) | NEED(MGMT_ACCOUNTS),
                           .limit_ms = MINUTES(30),
                           .unlocked = true},
                  .title = "management cluster",
                  .verbs = {mgmt_look, mgmt_start, mgmt_watch, mgmt_undo}},
        [CC_IAM] = {.core = {.id = "cc-iam", .needs = NEED(MGMT), .limit_ms = MINUTES(8)},
                    .title = "roles of Config Connector",
                    .verbs = {cc_iam_look, cc_iam_start, NULL, cc_iam_undo}},
        [CC_READY] = {.core = {.id = "cc-ready", .needs = NEED(CC_IAM), .limit_ms = MINUTES(10)},
                      .title = "Config Connector",
                      .verbs = {cc_ready_look, cc_ready_start, NULL, cc_ready_undo},
                      .templates = ready_files},
        [NET] = {.core = {.id = "net", .needs = NEED(CC_READY), .limit_ms = MINUTES(20)},
                 .title = "network",
                 .verbs = CC_VERBS,
                 .templates = net_files},
        [NAT] = {.core = {.id = "nat",
                          .needs = NEED(NET),
                          .limit_ms = MINUTES(20),
                          .yields = true},
                 .title = "router and NAT",
                 .verbs = CC_VERBS,
                 .templates = nat_files},
        [ACCOUNTS] = {.core = {.id = "accounts", .needs = NEED(CC_READY), .limit_ms = MINUTES(10)},
                      .title = "accounts and registry",
                      .verbs = CC_VERBS,
                      .templates = accounts_files},
        [STORAGE] = {.core = {.id = "storage", .needs = NEED(ACCOUNTS), .limit_ms = MINUTES(10)},
                     .title = "spill bucket",
                     .verbs = CC_VERBS,
                     .templates = storage_files},
        [GKE] = {.core = {.id = "gke", .needs = NEED(NET), .limit_ms = MINUTES(45)},
                 .title = "GKE cluster",
                 .verbs = {gke_look, gke_start, gke_watch, gke_undo},
                 .templates = gke_files},
        /* Down only: what the workload cluster's own controllers bought goes while they live, and
         * after what may make them buy more. */
        [LEFTOVERS] = {.core = {.id = "workload-leftovers",
                                .needs = NEED(GKE),
                                .down_after = NEED(CRDS) | NEED(BASE) | NEED(KUBERAY) |
                                              NEED(VOLUME) | NEED(RAY),
                                .limit_ms = MINUTES(15),
                                .no_last_look = true},
                       .title = "load balancers and claims",
                       .verbs = {leftovers_look, NULL, NULL, leftovers_undo}},
        [POOL_CPU] = {.core = {.id = "pool-cpu",
                               .needs = NEED(GKE) | NEED(ACCOUNTS),
                               .limit_ms = MINUTES(35)},
                      .title = "CPU node pool",
                      .verbs = CC_VERBS,
                      .templates = pool_cpu_files},
        /* GKE makes one pool at a time; everything but the job's GPU task waits for the other. */
        [POOL_GPU] = {.core = {.id = "pool-gpu",
                               .needs = NEED(GKE) | NEED(ACCOUNTS),
                               .limit_ms = MINUTES(35),
                               .yields = true},
                      .title = "GPU node pool",
                      .verbs = CC_VERBS,
                      .templates = pool_gpu_files},
        [WI] = {.core = {.id = "wi",
                         .needs = NEED(ACCOUNTS) | NEED(GKE),
                         .limit_ms = MINUTES(10),
                         .yields = true},
                .title = "Workload Identity",
                .verbs = CC_VERBS,
                .templates = wi_files},
        [FILESTORE] = {.core = {.id = "filestore",
                                .needs = NEED(NET),
                                .limit_ms = MINUTES(30),
                                .yields = true},
                       .title = "Filestore",
                       .verbs = {filestore_look, filestore_start, filestore_watch, filestore_undo},
                       .templates = filestore_files},
        [CRDS] = {.core = {.id = "kuberay-crds",
                           .needs = NEED(GKE),
                           .limit_ms = MINUTES(3),
                           .yields = true},
                  .title = "KubeRay CRDs",
                  .verbs = {kuberay_crds_look, kuberay_crds_start, kuberay_crds_watch,
                            kuberay_crds_undo}},
        [BASE] = {.core = {.id = "base",
                           .needs = NEED(GKE),
                           .limit_ms = MINUTES(2),
                           .yields = true},
                  .title = "namespace, accounts, quota, policies",
                  .verbs = {base_look, base_start, NULL, base_undo},
                  .templates = base_files},
        [KUBERAY] = {.core = {.id = "kuberay",
                              .needs = NEED(CRDS) | NEED(BASE) | NEED(POOL_CPU) | NEED(NAT),
                              .limit_ms = MINUTES(10)},
                     .title = "KubeRay operator",
                     .verbs = {kuberay_look, kuberay_start, kuberay_watch, kuberay_undo},
                     .templates = kuberay_files},
        [VOLUME] = {.core = {.id = "volume",
                             .needs = NEED(BASE) | NEED(FILESTORE) | NEED(POOL_CPU) | NEED(NAT),
                             .limit_ms = MINUTES(10),
                             .yields = true},
                    .title = "shared volume",
                    .verbs = {volume_look, volume_start, NULL, volume_undo},
                    .templates = volume_files},
        [RAY] = {.core = {.id = "ray",
                          .needs = NEED(KUBERAY) | NEED(VOLUME) | NEED(STORAGE) | NEED(WI),
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
    for (unsigned i = 0; i < ROWS; i++)
        rows[i] = all[i];
}

const struct step_row *steps_gke(unsigned *ret_count)
{
    static struct step_row rows[ROWS];
    static const struct {
        int row;
        const char *fact;
    } published[] = {
        {QUOTA, "project.number"},
        {QUOTA, "region.zones"},
        {QUOTA, "gpu.zones"},
        {MGMT_ACCOUNTS, "cc.email"},
        {MGMT, "mgmt.endpoint"},
        {MGMT, "mgmt.ca"},
        {CC_READY, "cc.version"},
        {CC_READY, "cc.features"},
        {ACCOUNTS, "ray.email"},
        {STORAGE, "spill.bucket"},
        {STORAGE, "spill.prefix"},
        {GKE, "gke.endpoint"},
        {GKE, "gke.ca"},
        {GKE, "api.egress"},
        {GKE, "volume.modes"},
        {GKE, "volume.one_node"},
        {FILESTORE, "filestore.ip"},
        {RAY, "ray.head"},
        {RAY, "ray.nodes"},
        {RAY, "ray.version"},
        {RAY, "ray.cluster"},
        {JOB, "job.result"},
    };
    put_rows(rows);
    for (size_t i = 0; i < RD_ARRAY_LEN(published); i++)
        rows[published[i].row].core.publishes |= step_fact_bit(published[i].fact);
    *ret_count = ROWS;
    return rows;
}
