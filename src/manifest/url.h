/* References of a chart index. RFC 3986 section 5, http and https only. */
#ifndef RD_MANIFEST_URL_H
#define RD_MANIFEST_URL_H

#include "base/macros.h"

/* Owned absolute URL without dot segments, or NULL when it is not one of http or https. */
char *url_resolve(const char *base, const char *ref);

#endif
