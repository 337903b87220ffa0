/* Monitoring: what its operations share, and the objects that they are about.
 *
 * Two kinds: the kube-prometheus-stack as a Helm release that a Job in the cluster installs, with
 * PodMonitors beside it, or PodMonitoring objects for Google's managed Prometheus. In both the
 * RayCluster is never touched: `up` gave the head its addresses and named its ports. */
#ifndef RD_MONITORING_MON_H
#define RD_MONITORING_MON_H

#include "config/config.h"
#include "k8s/batch.h"
#include "manifest/template.h"
#include "phase/core/note.h"

#define MON_CHART "kube-prometheus-stack"
#define MON_HELM_LIMIT_S 600      /* helm's own --timeout */
#define MON_JOB_LIMIT_S (600 + 300) /* with the pull of its image, and of the chart */
#define MON_DASHBOARD_LABEL "grafana_dashboard"
#define MON_INPUTS_LABEL "raydeploy-inputs"
#define MON_CRD_GROUP "monitoring.coreos.com"

enum mon_kind { MON_PROMETHEUS, MON_GMP };

struct mon {
    const struct config *config;     /* borrowed, as all here but what says owned */
    struct k8s_client *client;
    struct template_set *templates;
    struct note_sink *notes;
    enum mon_kind kind;
    bool existing;     /* the release is somebody else's: no Helm, only what is Ray's */
    bool show_password; /* the login will be printed: keep it out of the redaction */
    char *operator_ns; /* owned; where the KubeRay operator was found; NULL: where it would be */
    json_t *objects;   /* owned; [{apiVersion, kind, namespace, name, outcome}] */
    json_t *notices;   /* owned; texts: what was left out, and why */
    bool helm_dirty;   /* a Job, or what it needs, may be there and is to be cleared */
    char *holder;      /* owned; identity in the Lease, once that may be ours */
};
void mon_init(struct mon *m, const struct config *c);
void mon_clear(struct mon *m);
void mon_say(struct mon *m, enum note_level level, const char *fmt, ...) RD_PRINTF(3, 4);
/* A part that runs, ended or failed, for the display. */
void mon_part(struct mon *m, const char *part, enum note_state state, const char *fmt, ...)
    RD_PRINTF(4, 5);
/* Kept for the result, and said as a warning. */
void mon_notice(struct mon *m, const char *fmt, ...) RD_PRINTF(2, 3);

/* ---- Names; owned ---- */
char *mon_helm_name(const struct mon *m);    /* of Job and ServiceAccount */
char *mon_binding_name(const struct mon *m);
char *mon_secret_name(const struct mon *m);  /* Grafana's login */
char *mon_values_name(const struct mon *m);
char *mon_lease_name(const struct mon *m);
/* The ConfigMap of a dashboard file ("default_grafana_dashboard.json"); NULL: no such name can be. */
char *mon_dashboard_name(const struct mon *m, const char *file);

/* ---- Objects: each adds to out ---- */
bool mon_render_namespace(struct mon *m, struct manifest_list *out, struct rd_err **reterr)
    RD_MUST_CHECK;
/* password is for a Secret that is not there yet (mon_batch keeps what a live one holds). */
bool mon_render_settings(struct mon *m, const char *password, struct manifest_list *out,
                         struct rd_err **reterr) RD_MUST_CHECK;
bool mon_render_rbac(struct mon *m, struct manifest_list *out, struct rd_err **reterr)
    RD_MUST_CHECK;
bool mon_render_job(struct mon *m, const json_t *args, struct manifest_list *out,
                    struct rd_err **reterr) RD_MUST_CHECK;
/* Monitors of either kind. */
bool mon_render_monitors(struct mon *m, struct manifest_list *out, struct rd_err **reterr)
    RD_MUST_CHECK;
/* The flows between Ray and its monitoring; the same objects as `up` has. */
bool mon_render_policies(struct mon *m, struct manifest_list *out, struct rd_err **reterr)
    RD_MUST_CHECK;
bool mon_render_dashboard(struct mon *m, const char *file, const char *text,
                          struct manifest_list *out, struct rd_err **reterr) RD_MUST_CHECK;

/* ---- Helm's arguments; owned arrays ---- */
json_t *mon_args_install(const struct mon *m, const char *inputs);
json_t *mon_args_uninstall(const struct mon *m);
json_t *mon_args_rollback(const struct mon *m);
/* A digest of all that decides what the release becomes; 16 hex digits; owned, or NULL. */
char *mon_inputs(struct mon *m, struct rd_err **reterr);

/* ---- Applying ---- */
/* A batch with our rules: only what is ours is written or deleted, a namespace of others is used as it
 * is, and Grafana's password stays what it was. Results go to m->objects unless `temporary`. */
void mon_batch_init(struct k8s_batch *b, struct mon *m, enum k8s_batch_verb verb, bool temporary);

#endif
