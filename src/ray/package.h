/* Working-directory packages: a zip whose bytes and name depend on the content alone, so that the
 * same folder is uploaded once.
 *
 * Entries are sorted by name, times are fixed, modes are 0644 or 0755. The name is made of the
 * digest of (name, mode, content) of every entry, not of the zip, so another zlib gives the same
 * name. */
#ifndef RD_RAY_PACKAGE_H
#define RD_RAY_PACKAGE_H

#include "ray/dashboard.h"

#define RAY_PACKAGE_MAX ((size_t)100 << 20) /* the dashboard's client_max_size */

struct ray_package {
    char *name; /* owned; "_ray_pkg_<hex>.zip" */
    struct rd_buf zip;
    size_t files;
};

/* Collects files; names are relative, use '/', and never leave the root. */
struct ray_packer;
struct ray_packer *ray_packer_new(void);
void ray_packer_free(struct ray_packer *p);
/* Copies data. A bad or repeated name, or more than RAY_PACKAGE_MAX in all, is RD_ERR_INPUT. */
bool ray_packer_add(struct ray_packer *p, const char *name, const void *data, size_t len,
                    bool executable, struct rd_err **reterr) RD_MUST_CHECK;
/* An entry for a folder that holds nothing. */
bool ray_packer_add_empty(struct ray_packer *p, const char *name,
                          struct rd_err **reterr) RD_MUST_CHECK;
/* Adds a folder's regular files and the links that stay inside it. skip(ctx, name, is_dir) may
 * leave out a file or a whole folder; NULL: none. */
bool ray_packer_add_dir(struct ray_packer *p, const char *dir,
                        bool (*skip)(void *ctx, const char *name, bool is_dir), void *ctx,
                        struct rd_err **reterr) RD_MUST_CHECK;
bool ray_packer_finish(struct ray_packer *p, struct ray_package *ret,
                       struct rd_err **reterr) RD_MUST_CHECK;
void ray_package_clear(struct ray_package *p);

/* GET, then PUT if it is not there; ends without error once it is. */
struct ray_upload {
    struct op op;
    struct ray_dashboard *dash;
    const struct ray_package *package; /* borrowed until the end */
    bool present;                      /* it was there already */
    struct ray_call call;
    int state;
};
void ray_upload_start(struct ray_upload *u, struct op *parent, struct ray_dashboard *d,
                      const struct ray_package *p);
void ray_upload_clear(struct ray_upload *u);
/* "gcs://_ray_pkg_<hex>.zip", for runtime_env.working_dir. Owned. */
char *ray_package_uri(const struct ray_package *p);

#endif
