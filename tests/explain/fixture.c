#include "fixture.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void fixture_list(const char *path, struct rd_strv *out)
{
    DIR *d = opendir(path);
    if (d == NULL)
        return;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] != '.')
            rd_strv_add(out, e->d_name);
    }
    closedir(d);
    if (out->len > 0)
        qsort(out->v, out->len, sizeof(*out->v), by_name);
}

bool fixture_load(const char *folder, const char *file, struct manifest_list *list,
                  struct rd_err **reterr)
{
    RD_AUTOFREE char *path = rd_asprintf("%s/%s/%s", FIXTURE_ROOT, folder, file);
    if (!manifest_load(list, path, reterr))
        return false;
    if (list->len != 1)
        return rd_fail(reterr, RD_ERR_INPUT, "%s holds %zu objects, not 1", path, list->len);
    return true;
}
