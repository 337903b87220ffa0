#include "ray/working_dir.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "ray/ignore.h"

#define IGNORE_FILE_MAX ((size_t)1 << 20)
#define DEPTH_MAX 200
#define FILES_MAX 100000
#define LARGEST_SHOWN 5
#define NAME_BYTES 8 /* Ray folds its digests into this many bytes */

/* ---- What is found ---- */

enum found_kind { FOUND_FOLDER, FOUND_FILE, FOUND_OTHER }; /* OTHER: counts by its name alone */
struct found {
    char *name; /* owned; relative, "." for the folder itself */
    enum found_kind kind;
    bool empty; /* a folder without entries goes into the zip */
    bool executable;
    size_t size;
};
struct rules {
    struct ray_ignore *ignore; /* owned */
    size_t base;               /* bytes of a name that the patterns do not see */
};
struct folder {
    char *name; /* owned; relative, "" for the root */
    DIR *d;
    size_t rules; /* how many there were before it */
    dev_t dev;
    ino_t ino;
    size_t entry; /* its place in `found` */
};
struct walk {
    const struct ray_working_dir *in;
    struct found *found;
    size_t count, room, bytes;
    struct rules *rules;
    size_t rule_count;
    struct folder stack[DEPTH_MAX];
    size_t depth;
};

static void walk_clear(struct walk *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->found[i].name);
    free(w->found);
    for (size_t i = 0; i < w->rule_count; i++)
        ray_ignore_free(w->rules[i].ignore);
    free(w->rules);
    for (size_t i = 0; i < w->depth; i++) {
        closedir(w->stack[i].d);
        free(w->stack[i].name);
    }
}

static char *path_of(const struct walk *w, const char *name)
{
    return *name && strcmp(name, ".") != 0 ? rd_path_join(w->in->dir, name) : rd_strdup(w->in->dir);
}

static void add_rules(struct walk *w, struct ray_ignore *take, size_t base)
{
    w->rules = rd_reallocarray(w->rules, w->rule_count + 1, sizeof(*w->rules));
    w->rules[w->rule_count++] = (struct rules){take, base};
}

static void drop_rules(struct walk *w, size_t keep)
{
    while (w->rule_count > keep)
        ray_ignore_free(w->rules[--w->rule_count].ignore);
}

static bool read_rules(struct walk *w, const char *name, const char *file, struct rd_err **reterr)
{
    RD_AUTOFREE char *folder = path_of(w, name);
    RD_AUTOFREE char *path = rd_path_join(folder, file);
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(IGNORE_FILE_MAX);
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return true;
    if (!rd_file_read(path, IGNORE_FILE_MAX, &text, reterr))
        return false;
    struct ray_ignore *g = ray_ignore_new();
    ray_ignore_add_lines(g, rd_buf_str(&text), text.len);
    add_rules(w, g, *name ? strlen(name) + 1 : 0);
    return true;
}

static bool left_out(const struct walk *w, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < w->rule_count; i++) {
        size_t base = w->rules[i].base;
        if (ray_ignore_match(w->rules[i].ignore, base < len ? name + base : "."))
            return true;
    }
    return false;
}

static struct found *keep(struct walk *w, const char *name, enum found_kind kind)
{
    if (w->count == w->room) {
        w->room = w->room ? w->room * 2 : 64;
        w->found = rd_reallocarray(w->found, w->room, sizeof(*w->found));
    }
    w->found[w->count] = (struct found){.name = rd_strdup(*name ? name : "."), .kind = kind};
    return &w->found[w->count++];
}

/* ---- The walk ---- */

static bool enter(struct walk *w, const char *name, const struct stat *st, struct rd_err **reterr)
{
    size_t before = w->rule_count;
    for (size_t i = 0; i < w->depth; i++)
        if (w->stack[i].dev == st->st_dev && w->stack[i].ino == st->st_ino)
            return rd_fail(reterr, RD_ERR_INPUT, "link %s leads back into itself", name);
    if (w->depth == DEPTH_MAX)
        return rd_fail(reterr, RD_ERR_INPUT, "folder %s is more than %d folders deep", name,
                       DEPTH_MAX);
    if ((!w->in->no_gitignore && !read_rules(w, name, ".gitignore", reterr)) ||
        !read_rules(w, name, ".rayignore", reterr))
        return false;
    if (left_out(w, name)) {
        drop_rules(w, before);
        return true;
    }
    RD_AUTOFREE char *path = path_of(w, name);
    DIR *d = opendir(path);
    if (!d)
        return rd_fail(reterr, RD_ERR_INPUT, "cannot read folder %s: %s", path, strerror(errno));
    keep(w, name, FOUND_FOLDER)->empty = true;
    w->stack[w->depth++] = (struct folder){.name = rd_strdup(name),
                                           .d = d,
                                           .rules = before,
                                           .dev = st->st_dev,
                                           .ino = st->st_ino,
                                           .entry = w->count - 1};
    return true;
}

static void leave(struct walk *w)
{
    struct folder *f = &w->stack[--w->depth];
    closedir(f->d);
    free(f->name);
    drop_rules(w, f->rules);
}

static bool visit(struct walk *w, const char *name, struct rd_err **reterr)
{
    RD_AUTOFREE char *path = path_of(w, name);
    struct stat st;
    bool there = stat(path, &st) == 0; /* a link that names nothing counts by its name */
    if (there && S_ISDIR(st.st_mode))
        return enter(w, name, &st, reterr);
    if (left_out(w, name))
        return true;
    if (w->count >= FILES_MAX)
        return rd_fail(reterr, RD_ERR_INPUT, "%s holds more than %d files", w->in->dir, FILES_MAX);
    struct found *f = keep(w, name, there && S_ISREG(st.st_mode) ? FOUND_FILE : FOUND_OTHER);
    if (f->kind == FOUND_FILE) {
        f->size = (size_t)st.st_size;
        f->executable = (st.st_mode & 0111) != 0;
        w->bytes += f->size;
    }
    return true;
}

static bool walk_all(struct walk *w, struct rd_err **reterr)
{
    struct stat st;
    if (stat(w->in->dir, &st) != 0)
        return rd_fail(reterr, RD_ERR_INPUT, "cannot look at %s: %s", w->in->dir, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return rd_fail(reterr, RD_ERR_INPUT, "%s is not a folder", w->in->dir);
    if (!enter(w, "", &st, reterr))
        return false;
    while (w->depth) {
        struct folder *f = &w->stack[w->depth - 1];
        struct dirent *e = readdir(f->d);
        if (!e) {
            leave(w);
            continue;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        w->found[f->entry].empty = false;
        RD_AUTOFREE char *name =
            *f->name ? rd_asprintf("%s/%s", f->name, e->d_name) : rd_strdup(e->d_name);
        if (!visit(w, name, reterr))
            return false;
    }
    return true;
}

/* ---- Too large ---- */

static int by_size(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return x->size != y->size ? (x->size < y->size ? 1 : -1) : strcmp(x->name, y->name);
}

static bool check_size(struct walk *w, struct rd_err **reterr)
{
    size_t max = w->in->size_max ? w->in->size_max : RAY_PACKAGE_MAX;
    if (w->bytes <= max)
        return true;
    RD_AUTOBUF struct rd_buf names = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    qsort(w->found, w->count, sizeof(*w->found), by_size);
    for (size_t i = 0; i < w->count && i < LARGEST_SHOWN && w->found[i].size; i++)
        rd_buf_printf(&names, "%s%s (%.1f MiB)", i ? ", " : "", w->found[i].name,
                      (double)w->found[i].size / (1 << 20));
    rd_fail(reterr, RD_ERR_INPUT,
            "working directory %s is too large for a package: %.1f MiB, and Ray takes %.0f MiB; the "
            "largest files: %s",
            w->in->dir, (double)w->bytes / (1 << 20), (double)max / (1 << 20), rd_buf_str(&names));
    rd_err_hint(*reterr, "Leave out what the job does not need by .gitignore, .rayignore or the "
                         "runtime environment's excludes, or put data on the shared volume.");
    return false;
}

/* ---- The name ---- */

/* Ray's: for each folder and file the SHA-1 of its relative name and its content, all of them folded
 * by exclusive or into eight bytes that begin as the digit 0. */
static bool fold(unsigned char name[NAME_BYTES], const struct found *f, const struct rd_buf *data)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *h = EVP_MD_CTX_new();
    bool ok = h && EVP_DigestInit_ex(h, EVP_sha1(), NULL) == 1 &&
              EVP_DigestUpdate(h, f->name, strlen(f->name)) == 1 &&
              (!data || EVP_DigestUpdate(h, rd_buf_str(data), data->len) == 1) &&
              EVP_DigestFinal_ex(h, digest, NULL) == 1;
    EVP_MD_CTX_free(h);
    for (size_t i = 0; ok && i < NAME_BYTES; i++)
        name[i] ^= digest[i];
    return ok;
}

static bool pack_all(struct walk *w, struct ray_packer *p, unsigned char name[NAME_BYTES],
                     struct rd_err **reterr)
{
    bool ok = true;
    for (size_t i = 0; ok && i < w->count; i++) {
        const struct found *f = &w->found[i];
        struct rd_buf data = RD_BUF_INIT(RAY_PACKAGE_MAX);
        RD_AUTOFREE char *path = path_of(w, f->name);
        if (f->kind == FOUND_FILE)
            ok = rd_file_read(path, RAY_PACKAGE_MAX, &data, reterr) &&
                 ray_packer_add(p, f->name, rd_buf_str(&data), data.len, f->executable, reterr);
        else if (f->kind == FOUND_FOLDER && f->empty && strcmp(f->name, ".") != 0)
            ok = ray_packer_add_empty(p, f->name, reterr);
        bool folded = fold(name, f, f->kind == FOUND_FILE ? &data : NULL);
        RD_ASSERT(folded); /* SHA-1 of bytes in memory */
        rd_buf_clear(&data);
    }
    return ok;
}

static char *hex_name(const unsigned char *bytes, size_t len)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(256);
    rd_buf_puts(&b, "_ray_pkg_");
    for (size_t i = 0; i < len; i++)
        rd_buf_printf(&b, "%02x", bytes[i]);
    rd_buf_puts(&b, ".zip");
    return rd_buf_take(&b, NULL);
}

bool ray_working_dir_pack(const struct ray_working_dir *in, struct ray_package *ret,
                          struct rd_err **reterr)
{
    struct walk *w = rd_calloc(1, sizeof(*w));
    unsigned char name[NAME_BYTES];
    memset(name, '0', sizeof(name));
    w->in = in;
    if (in->excludes && in->excludes->len) {
        struct ray_ignore *g = ray_ignore_new();
        for (size_t i = 0; i < in->excludes->len; i++)
            ray_ignore_add(g, in->excludes->v[i]);
        add_rules(w, g, 0);
    }
    struct ray_packer *p = ray_packer_new();
    bool ok = walk_all(w, reterr) && check_size(w, reterr) && pack_all(w, p, name, reterr) &&
              ray_packer_finish(p, ret, reterr);
    if (ok)
        rd_str_take(&ret->name, hex_name(name, sizeof(name)));
    ray_packer_free(p);
    walk_clear(w);
    free(w);
    return ok;
}

bool ray_working_dir_zip(const char *path, struct ray_package *ret, struct rd_err **reterr)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct rd_buf zip = RD_BUF_INIT(RAY_PACKAGE_MAX);
    if (!rd_file_read(path, RAY_PACKAGE_MAX, &zip, reterr)) {
        rd_buf_clear(&zip);
        return false;
    }
    if (zip.len < 4 || memcmp(zip.data, "PK", 2) != 0) {
        rd_buf_clear(&zip);
        return rd_fail(reterr, RD_ERR_INPUT, "%s is not a zip archive", path);
    }
    int ok = EVP_Digest(zip.data, zip.len, digest, &len, EVP_sha1(), NULL);
    RD_ASSERT(ok == 1);
    *ret = (struct ray_package){.name = hex_name(digest, len), .zip = zip};
    return true;
}

bool ray_is_package_uri(const char *text)
{
    static const char *const schemes[] = {"gcs://", "http://", "https://", "s3://",   "gs://",
                                          "azure://", "abfss://", "file://", "local://"};
    for (size_t i = 0; i < RD_ARRAY_LEN(schemes); i++)
        if (rd_starts_with(text, schemes[i]))
            return true;
    return false;
}

void ray_default_excludes(struct rd_strv *out, const char *override)
{
    struct rd_strv parts = {NULL, 0};
    rd_strv_split(&parts, override ? override : ".git,.venv,venv,__pycache__", ",");
    for (size_t i = 0; i < parts.len; i++) {
        char *s = parts.v[i];
        s += strspn(s, " \t");
        size_t n = strlen(s);
        while (n && strchr(" \t", s[n - 1]))
            n--;
        if (n)
            rd_strv_take(out, rd_strndup(s, n));
    }
    rd_strv_clear(&parts);
}
