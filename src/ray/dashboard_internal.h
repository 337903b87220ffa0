/* Between dashboard.c, call.c and their tests only. */
#ifndef RD_RAY_DASHBOARD_INTERNAL_H
#define RD_RAY_DASHBOARD_INTERNAL_H

#include "ray/dashboard.h"

/* A call waits for the way: the token it will need is read meanwhile. */
void ray_dashboard_call_comes(struct ray_dashboard *d);
/* The token in a Secret object. */
bool ray_token_decode(const json_t *secret, struct rd_secret *ret,
                      struct rd_err **reterr) RD_MUST_CHECK;

/* What an answer >= 400 of the dashboard means. */
enum call_judgement ray_decode_error(long status, const char *body, size_t len, const char *what,
                                     struct rd_err **ret_err);

/* rd_err.reason of a submit under an id that is taken. */
#define RAY_REASON_DUPLICATE "DuplicateSubmission"

#endif
