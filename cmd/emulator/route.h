/* Path patterns of REST APIs: literal segments, "{}" for one segment, a "{...}:verb" ending, and
 * "**" as the last segment for the rest. Parameters are percent-decoded. */
#ifndef EMU_ROUTE_H
#define EMU_ROUTE_H

#include "server.h"

enum { EMU_PARAMS_MAX = 8 };

struct emu_params {
    char *v[EMU_PARAMS_MAX]; /* owned */
    size_t count;
};

typedef void emu_route_fn(struct emu_req *req, const struct emu_params *p, void *arg);

/* A row of an API's table; the first that matches is taken. */
struct emu_route {
    const char *method;
    const char *pattern;
    emu_route_fn *fn;       /* owns the request as a handler does; p is gone when it returns */
    const char *permission; /* checked by the GCP half before fn; NULL: none */
};

bool emu_route_match(const char *pattern, const char *path, struct emu_params *ret);
void emu_params_clear(struct emu_params *p);
/* The row, or NULL; *ret_path_known tells 404 from 405. */
const struct emu_route *emu_route_find(const struct emu_route *rows, size_t count,
                                       const char *method, const char *path, struct emu_params *ret,
                                       bool *ret_path_known);
char *emu_percent_decode(const char *s, size_t len, bool plus_is_space); /* owned */

#endif
