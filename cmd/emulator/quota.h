/* Limits and use of what a project may hold. Use is counted from the store; limits are those of an
 * ordinary project unless --set quota=METRIC=N says otherwise. */
#ifndef EMU_QUOTA_H
#define EMU_QUOTA_H

#include "emu.h"

struct emu_quota {
    const char *service; /* "compute.googleapis.com" */
    const char *metric;  /* "NVIDIA_T4_GPUS"; also the name in --set */
    const char *id;      /* Cloud Quotas: "NVIDIA-T4-GPUS-per-project-region" */
    long limit;
    bool global;
};
extern const struct emu_quota emu_quotas[];
extern const size_t emu_quotas_len;

const struct emu_quota *emu_quota_by_id(const char *id, const char *service);
const struct emu_quota *emu_quota_by_metric(const char *metric);
long emu_quota_limit(struct emu *e, const struct emu_quota *q);
long emu_quota_usage(struct emu *e, const struct emu_quota *q);
/* Owned compute form: [{metric, limit, usage}], regional or global ones. */
json_t *emu_quota_list(struct emu *e, bool global);
/* What `amount` more of a metric lacks; 0: fits. */
long emu_quota_short(struct emu *e, const char *metric, long amount);
/* CPUs of a machine type ("n2-standard-4": 4) and the metric they count against. */
long emu_machine_cpus(const char *machine_type, const char **ret_metric);
/* MiB; 0: no such type. */
long emu_machine_memory_mb(const char *machine_type);

#endif
