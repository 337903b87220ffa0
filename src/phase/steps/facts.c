/* What steps tell each other. The place in this list is the fact's bit in a fact_set; each fact has one
 * publisher in a table of steps. */
#include "phase/steps/step.h"

const char *const step_facts[] = {
    "project.number",
    "cc.email",
    "cc.version",
    "mgmt.endpoint",
    "mgmt.ca",
    "gke.endpoint",
    "gke.ca",
    "ray.email",
    "filestore.ip",
    "spill.bucket",
    "spill.prefix",
    "api.egress",       /* NetworkPolicy rules that reach the API server */
    "volume.class",
    "volume.modes",
    "volume.one_node",  /* true: only pods on one node can share the volume */
    "ray.head",
    "ray.nodes",        /* pods of the ready cluster, the head included */
    "ray.version",      /* as the dashboard says */
    "ray.cluster",      /* the RayCluster when it was ready */
    "job.result",
    "cc.features",      /* what the installed Config Connector can take: names of cc_features() */
    "region.zones",     /* of the region, those that are up, sorted */
    "gpu.zones",        /* of these, those that offer the accelerator */
    NULL,
};
