/* A job's working directory as a package: the files, and the name, that Ray's own client would give it,
 * so that a folder which either of the two has uploaded is not uploaded again.
 *
 * Left out is what the excludes name, and per folder what its .gitignore and .rayignore name
 * (ignore.h). Links are followed, as Ray does; one that leads back into itself is an error. Contents
 * are read once, so the name always fits the bytes. */
#ifndef RD_RAY_WORKING_DIR_H
#define RD_RAY_WORKING_DIR_H

#include "base/text.h"
#include "ray/package.h"

struct ray_working_dir {
    const char *dir;
    const struct rd_strv *excludes; /* patterns relative to dir; NULL: none */
    bool no_gitignore;              /* .rayignore alone counts */
    size_t size_max;                /* 0: RAY_PACKAGE_MAX */
};
/* Too large: RD_ERR_INPUT that names the largest files. */
bool ray_working_dir_pack(const struct ray_working_dir *w, struct ray_package *ret,
                          struct rd_err **reterr) RD_MUST_CHECK;
/* A zip that is there already, under the digest of its bytes. */
bool ray_working_dir_zip(const char *path, struct ray_package *ret,
                         struct rd_err **reterr) RD_MUST_CHECK;
/* What a job's working_dir may name besides a folder: "gcs://", "https://", "s3://", ... */
bool ray_is_package_uri(const char *text);
/* Excludes that Ray's client adds by itself (.git, .venv, venv, __pycache__), or those of
 * RAY_OVERRIDE_RUNTIME_ENV_DEFAULT_EXCLUDES (comma-separated; NULL: not set). */
void ray_default_excludes(struct rd_strv *out, const char *override);

#endif
