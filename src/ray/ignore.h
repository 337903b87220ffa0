/* Ignore patterns as Ray's own client reads them: those of gitignore, with the particulars of the
 * Python library it uses. So "foo/" leaves out what is below foo but not the name foo, a pattern
 * after "!" covers nothing below a folder, and "*" in a folder's own ignore file matches the folder
 * itself, which is named "." there. The name of a package is made of what is left, so a difference
 * here would upload the same folder twice. */
#ifndef RD_RAY_IGNORE_H
#define RD_RAY_IGNORE_H

#include "base/macros.h"

struct ray_ignore; /* the patterns of one file or list, in order: the last that matches decides */
struct ray_ignore *ray_ignore_new(void);
void ray_ignore_free(struct ray_ignore *g);
void ray_ignore_add(struct ray_ignore *g, const char *pattern);
void ray_ignore_add_lines(struct ray_ignore *g, const char *text, size_t len);
/* path: relative to the folder that the patterns belong to, '/' between its parts; "." is that folder
 * itself. */
bool ray_ignore_match(const struct ray_ignore *g, const char *path);

#endif
