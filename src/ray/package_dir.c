/* A folder as a package. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "ray/package.h"

struct walk {
    struct ray_packer *packer;
    const char *root; /* resolved */
    bool (*skip)(void *ctx, const char *name, bool is_dir);
    void *ctx;
    struct rd_strv todo; /* folders, relative; "" is the root */
};

static bool add_file(struct walk *w, const char *path, const char *name, const struct stat *st,
                     struct rd_err **reterr)
{
    struct rd_buf data = RD_BUF_INIT(RAY_PACKAGE_MAX);
    bool ok =
        rd_file_read(path, RAY_PACKAGE_MAX, &data, reterr) &&
        ray_packer_add(w->packer, name, data.data, data.len, (st->st_mode & 0111) != 0, reterr);
    rd_buf_clear(&data);
    return ok;
}

/* A link counts as the file it names, if that lies in the folder. */
static bool link_stays(const struct walk *w, const char *path, const char *name,
                       struct rd_err **reterr)
{
    char real[PATH_MAX];
    size_t len = strlen(w->root);
    if (!realpath(path, real))
        return rd_fail(reterr, RD_ERR_INPUT, "link %s points nowhere", name);
    if (strncmp(real, w->root, len) != 0 || (len > 1 && real[len] != '/'))
        return rd_fail(reterr, RD_ERR_INPUT, "link %s leaves the folder", name);
    return true;
}

static bool add_entry(struct walk *w, const char *name, struct rd_err **reterr)
{
    RD_AUTOFREE char *path = rd_path_join(w->root, name);
    struct stat st;
    if (lstat(path, &st) != 0)
        return rd_fail(reterr, RD_ERR_INPUT, "cannot look at %s: %s", name, strerror(errno));
    if (w->skip && w->skip(w->ctx, name, S_ISDIR(st.st_mode)))
        return true;
    if (S_ISDIR(st.st_mode)) {
        rd_strv_add(&w->todo, name);
        return true;
    }
    if (S_ISLNK(st.st_mode)) {
        if (!link_stays(w, path, name, reterr))
            return false;
        if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
            return rd_fail(reterr, RD_ERR_INPUT, "link %s does not name a file", name);
    }
    if (!S_ISREG(st.st_mode))
        return rd_fail(reterr, RD_ERR_INPUT, "%s is neither a file nor a folder", name);
    return add_file(w, path, name, &st, reterr);
}

static bool add_folder(struct walk *w, const char *folder, struct rd_err **reterr)
{
    RD_AUTOFREE char *path = *folder ? rd_path_join(w->root, folder) : rd_strdup(w->root);
    DIR *d = opendir(path);
    if (!d)
        return rd_fail(reterr, RD_ERR_INPUT, "cannot read folder %s: %s", path, strerror(errno));
    bool ok = true;
    struct dirent *e;
    while (ok && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        RD_AUTOFREE char *name =
            *folder ? rd_asprintf("%s/%s", folder, e->d_name) : rd_strdup(e->d_name);
        ok = add_entry(w, name, reterr);
    }
    closedir(d);
    return ok;
}

bool ray_packer_add_dir(struct ray_packer *p, const char *dir,
                        bool (*skip)(void *ctx, const char *name, bool is_dir), void *ctx,
                        struct rd_err **reterr)
{
    char root[PATH_MAX];
    if (!realpath(dir, root))
        return rd_fail(reterr, RD_ERR_INPUT, "cannot read folder %s: %s", dir, strerror(errno));
    struct walk w = {.packer = p, .root = root, .skip = skip, .ctx = ctx};
    rd_strv_add(&w.todo, "");
    bool ok = true;
    for (size_t i = 0; ok && i < w.todo.len; i++)
        ok = add_folder(&w, w.todo.v[i], reterr);
    rd_strv_clear(&w.todo);
    return ok;
}
