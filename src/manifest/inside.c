#include "manifest/inside.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool manifest_stays_inside(const char *folder, const char *path, struct rd_err **reterr)
{
    RD_AUTOFREE char *root = realpath(folder, NULL);
    RD_AUTOFREE char *real = realpath(path, NULL);
    if (!root || !real)
        return rd_fail(reterr, RD_ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
    size_t len = strlen(root);
    bool slash = root[len - 1] == '/';
    if (strncmp(real, root, len) != 0 || (!slash && real[len] != '/'))
        return rd_fail(reterr, RD_ERR_INPUT, "%s leads out of its folder, to %s", path, real);
    return true;
}
