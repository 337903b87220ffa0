/* A job's runtime environment: read from YAML or JSON and checked by the rules of Ray's own client
 * before anything is sent, so that a typo is an error here and not a job that fails minutes later.
 * Requirement files (pip, uv) and conda files named in it are read in, relative to the present
 * folder, as Ray's client reads them. */
#ifndef RD_RAY_RUNTIME_ENV_H
#define RD_RAY_RUNTIME_ENV_H

#include "base/json.h"
#include "base/text.h"

/* What `path` holds; an empty file is {}. Owned, or NULL with RD_ERR_INPUT. *ret_lines (may be NULL):
 * field -> line; owned. */
json_t *ray_runtime_env_read(const char *path, json_t **ret_lines, struct rd_err **reterr)
    RD_MUST_CHECK;
/* Checks env and fills in files; `what` names it in messages, with the line where `lines` (may be NULL)
 * has one. Entries that Ray's own client does not know are added to unknown: a plugin of the cluster may
 * know them. */
bool ray_runtime_env_check(json_t *env, const char *what, const json_t *lines,
                           struct rd_strv *unknown, struct rd_err **reterr) RD_MUST_CHECK;

#endif
