/* Shared by the files of validate.h only. */
#ifndef RD_RAY_VALIDATE_INTERNAL_H
#define RD_RAY_VALIDATE_INTERNAL_H

#include "ray/validate.h"

struct ray_check_ctx {
    struct ray_gates gates;
    struct rd_strv *problems;
    const json_t *cluster, *spec, *annotations, *groups, *options; /* options: autoscalerOptions */
    const json_t *head, *head_container; /* the Ray container is index 0 */
    bool autoscaling, v2;                /* v2: by autoscalerOptions.version */
};

void ray_problem(struct ray_check_ctx *c, const char *fmt, ...) RD_PRINTF(2, 3);
const char *ray_group_name(const json_t *group);
const json_t *ray_first_container(const json_t *group); /* NULL: none */
/* The entry of container.env (or another list of entries with names); NULL: none. */
const json_t *ray_named(const json_t *list, const char *name);
/* "" when absent, and when the map is. */
const char *ray_map_str(const json_t *map, const char *key);
/* -1, 0, 1, or -2 when text is no version ("2.52.0", "v2.52", "2.52.0.dev1"). */
int ray_version_compare(const char *text, unsigned major, unsigned minor);

void ray_check_fault_tolerance(struct ray_check_ctx *c);
void ray_check_auth(struct ray_check_ctx *c);
void ray_check_network_policy(struct ray_check_ctx *c);
void ray_check_tls(struct ray_check_ctx *c);
void ray_check_history(struct ray_check_ctx *c);

#endif
