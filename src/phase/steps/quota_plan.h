/* How much a deployment will take of each quota, and whether it is there. Pure. */
#ifndef RD_PHASE_STEPS_QUOTA_PLAN_H
#define RD_PHASE_STEPS_QUOTA_PLAN_H

#include "config/config.h"

/* What does not have to be made any more. */
struct quota_there {
    bool management, network, management_network, cluster, cpu_pool, gpu_pool, filestore;
    bool bootstrap; /* this command makes the management cluster */
    unsigned zones; /* of the region that are up; 0: not known */
};

struct quota_need {
    char metric[64]; /* as Compute names it */
    bool project;    /* of the project as a whole, not of the region */
    double amount;   /* without this nothing works */
    double most;     /* the node pools at their largest: short of that is a warning */
    char what[160];  /* "8 vCPUs: management cluster, CPU pool" */
};
#define QUOTA_NEEDS_MAX 24
struct quota_needs {
    struct quota_need v[QUOTA_NEEDS_MAX];
    size_t len;
};
void quota_plan(const struct config *c, const struct quota_there *there, struct quota_needs *ret);

/* vCPUs of a machine type by its name ("n2-standard-4": 4); 0: the name does not say. */
unsigned quota_vcpus(const char *machine_type);
/* The metric its vCPUs count against: "N2_CPUS", "CPUS". */
void quota_cpu_metric(const char *machine_type, bool spot, char out[64]);
/* "NVIDIA_T4_GPUS" for "nvidia-tesla-t4". */
void quota_gpu_metric(const char *accelerator, bool spot, char out[64]);
/* The Filestore quota of a tier; NULL: not known. Static. */
const char *quota_filestore_id(const char *tier);
/* GB that instances of this tier in this region have of it. `instances`: array as listed. */
double quota_filestore_used(const json_t *instances, const char *tier, const char *region);

/* One need against limit and use: NULL when it fits; else what to say, with a hint. `warn` is set
 * instead when only the largest size does not fit (owned text). */
struct rd_err *quota_judge(const struct config *c, const struct quota_need *n, double limit,
                           double usage, char **ret_warn);
struct rd_err *quota_judge_filestore(const struct config *c, double limit, double used);

#endif
