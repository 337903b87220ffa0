/* Inside of the verdict: what the files with rules share. Nobody else includes this.
 *
 * A rule gets an object whose kind is its own, which is not being deleted and whose generation was
 * observed (unless the table says that the rule looks at the generation itself), and calls k8s_say
 * exactly once on every path; a second call replaces the first. Wrong types read as absent. */
#ifndef RD_K8S_VERDICT_RULE_H
#define RD_K8S_VERDICT_RULE_H

#include "k8s/verdict.h"

typedef void k8s_rule_fn(const json_t *object, int64_t now_wall_ms, struct k8s_verdict *v);

#define K8S_SECOND_MS ((uint64_t)1000)
#define K8S_MINUTE_MS (60 * K8S_SECOND_MS)

/* Sets status, reason (copied; NULL or "": none) and message (white space collapsed, bounded); kind
 * becomes RD_ERR_FAILED and grace 0. */
void k8s_say(struct k8s_verdict *v, enum k8s_status s, const char *reason, const char *fmt, ...)
    RD_PRINTF(4, 5);
/* "REASON: text", or the text alone where it begins with the reason. reason NULL: the text alone.
 */
void k8s_say_reason(struct k8s_verdict *v, enum k8s_status s, const char *reason, const char *text);
/* Gives the verdict a limit: see grace_ms in verdict.h. */
void k8s_limit(struct k8s_verdict *v, uint64_t grace_ms, enum rd_err_kind kind);
/* Adds "; text" to the message; nothing when text is NULL or empty. */
void k8s_say_also(struct k8s_verdict *v, const char *text);

/* Whether condition `type` exists and has this status. */
bool k8s_condition_is(const json_t *object, const char *type, const char *status);
/* The condition's text, its reason where the message is empty, or `otherwise`. Borrowed. */
const char *k8s_condition_text(const json_t *object, const char *type, const char *otherwise);
const char *k8s_condition_reason(const json_t *object, const char *type); /* NULL: none */
/* Whether a controller wrote anything into .status. */
bool k8s_has_status(const json_t *object);
/* Milliseconds since the RFC 3339 date `text`; -1 when there is none or it is malformed. A date in
 * the future gives 0. */
int64_t k8s_age_ms(const char *text, int64_t now_wall_ms);
/* Case-insensitive search for any of the NULL-ended words. */
bool k8s_text_has(const char *text, const char *const *words);
/* Whether `text` is an API server's refusal that waiting rarely heals: quota, PodSecurity, an
 * admission webhook, RBAC. Sets its kind. */
bool k8s_text_is_refusal(const char *text, enum rd_err_kind *ret_kind);

/* What a container's waiting reason means. False: nothing bad (ContainerCreating and unknown
 * words); *v is untouched then. `who`: "container head". */
bool k8s_say_waiting(struct k8s_verdict *v, const char *who, const char *reason,
                     const char *message, json_int_t restarts);

k8s_rule_fn k8s_rule_deployment, k8s_rule_statefulset, k8s_rule_daemonset, k8s_rule_replicaset,
    k8s_rule_job, k8s_rule_cronjob;
k8s_rule_fn k8s_rule_pod, k8s_rule_pvc, k8s_rule_pv, k8s_rule_service, k8s_rule_namespace,
    k8s_rule_crd, k8s_rule_pdb, k8s_rule_apiservice, k8s_rule_present;
k8s_rule_fn k8s_rule_cnrm, k8s_rule_cnrm_core;
k8s_rule_fn k8s_rule_raycluster, k8s_rule_rayjob, k8s_rule_rayservice, k8s_rule_raycronjob;

#endif
