/* Links may point elsewhere in a folder, never out of it. */
#ifndef RD_MANIFEST_INSIDE_H
#define RD_MANIFEST_INSIDE_H

#include "base/err.h"

bool manifest_stays_inside(const char *folder, const char *path,
                           struct rd_err **reterr) RD_MUST_CHECK;

#endif
