/* Zip packages whose bytes and name depend on the content alone. */
#include "ray/package.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"

#define PACKAGE_FILES_MAX 100000
#define PACKAGE_NAME_MAX 4096
/* 1980-01-02: the first day that a zip can say in every time zone. */
#define PACKAGE_TIME 315619200
#define PACKAGE_HEX 32

struct packed_file {
    char *name, *data;
    size_t len;
    bool executable, folder;
};
struct ray_packer {
    struct packed_file *files;
    size_t count, room, bytes;
};

struct ray_packer *ray_packer_new(void)
{
    return rd_calloc(1, sizeof(struct ray_packer));
}

void ray_packer_free(struct ray_packer *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++) {
        free(p->files[i].name);
        free(p->files[i].data);
    }
    free(p->files);
    free(p);
}

/* A path that stays below the root wherever it is unpacked. */
static bool name_is_safe(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > PACKAGE_NAME_MAX || !rd_utf8_valid(name, len))
        return false;
    for (const char *at = name;;) {
        size_t part = strcspn(at, "/");
        if (part == 0 || (part == 1 && at[0] == '.') || (part == 2 && at[0] == '.' && at[1] == '.'))
            return false;
        for (size_t i = 0; i < part; i++)
            if ((unsigned char)at[i] < 0x20 || at[i] == '\\' || at[i] == 0x7f)
                return false;
        if (!at[part])
            return true;
        at += part + 1;
    }
}

static struct packed_file *packer_put(struct ray_packer *p, const char *name,
                                      struct rd_err **reterr)
{
    if (!name_is_safe(name)) {
        rd_fail(reterr, RD_ERR_INPUT, "file name '%s' cannot go into a package", name);
        return NULL;
    }
    if (p->count >= PACKAGE_FILES_MAX) {
        rd_fail(reterr, RD_ERR_INPUT, "a package holds at most %d files", PACKAGE_FILES_MAX);
        return NULL;
    }
    if (p->count == p->room) {
        p->room = p->room ? p->room * 2 : 16;
        p->files = rd_reallocarray(p->files, p->room, sizeof(*p->files));
    }
    struct packed_file *f = &p->files[p->count++];
    *f = (struct packed_file){.name = rd_strdup(name)};
    return f;
}

bool ray_packer_add_empty(struct ray_packer *p, const char *name, struct rd_err **reterr)
{
    struct packed_file *f = packer_put(p, name, reterr);
    if (f)
        f->folder = true;
    return f != NULL;
}

bool ray_packer_add(struct ray_packer *p, const char *name, const void *data, size_t len,
                    bool executable, struct rd_err **reterr)
{
    if (len > RAY_PACKAGE_MAX - p->bytes) {
        rd_fail(reterr, RD_ERR_INPUT, "the package is over Ray's limit of 100 MiB with %s", name);
        rd_err_hint(*reterr,
                    "Leave out what the job does not need by a .gitignore, or put data on the "
                    "shared volume.");
        return false;
    }
    struct packed_file *f = packer_put(p, name, reterr);
    if (!f)
        return false;
    f->len = len;
    f->executable = executable;
    f->data = rd_malloc(len + 1);
    if (len > 0)
        memcpy(f->data, data, len);
    f->data[len] = '\0';
    p->bytes += len;
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct packed_file *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* The digest of names, modes and contents, each with its length, so that no two sets look alike. */
static char *package_name(const struct ray_packer *p)
{
    char hex[RD_SHA256_HEX_LEN + 1];
    struct rd_sha256 *h = rd_sha256_new();
    for (size_t i = 0; i < p->count; i++) {
        const struct packed_file *f = &p->files[i];
        RD_AUTOFREE char *head = rd_asprintf("%zu %s %c %zu ", strlen(f->name), f->name,
                                             f->folder ? 'd' : f->executable ? 'x' : '-', f->len);
        rd_sha256_update(h, head, strlen(head));
        if (f->len)
            rd_sha256_update(h, f->data, f->len);
    }
    rd_sha256_final(h, hex);
    hex[PACKAGE_HEX] = '\0';
    return rd_asprintf("_ray_pkg_%s.zip", hex);
}

static la_ssize_t on_zip_bytes(struct archive *a, void *ctx, const void *data, size_t len)
{
    struct rd_buf *zip = ctx;
    rd_buf_append(zip, data, len);
    if (zip->overflow) {
        archive_set_error(a, 1, "over the limit of 100 MiB");
        return -1;
    }
    return (la_ssize_t)len;
}

static bool zip_file(struct archive *a, const struct packed_file *f)
{
    struct archive_entry *e = archive_entry_new();
    RD_ASSERT(e);
    archive_entry_set_pathname_utf8(e, f->name);
    archive_entry_set_filetype(e, f->folder ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(e, f->executable || f->folder ? 0755 : 0644);
    archive_entry_set_size(e, (la_int64_t)f->len);
    archive_entry_set_mtime(e, PACKAGE_TIME, 0);
    bool ok = archive_write_header(a, e) == ARCHIVE_OK;
    for (size_t at = 0; ok && at < f->len;) {
        la_ssize_t n = archive_write_data(a, f->data + at, f->len - at);
        ok = n > 0;
        at += ok ? (size_t)n : 0;
    }
    archive_entry_free(e);
    return ok;
}

bool ray_packer_finish(struct ray_packer *p, struct ray_package *ret, struct rd_err **reterr)
{
    struct rd_buf zip = RD_BUF_INIT(RAY_PACKAGE_MAX);
    struct archive *a = archive_write_new();
    RD_ASSERT(a);
    if (p->count)
        qsort(p->files, p->count, sizeof(*p->files), by_name);
    for (size_t i = 1; i < p->count; i++) {
        if (strcmp(p->files[i - 1].name, p->files[i].name) == 0) {
            archive_write_free(a);
            return rd_fail(reterr, RD_ERR_INPUT, "file %s is in the package twice",
                           p->files[i].name);
        }
    }
    bool ok = archive_write_set_format_zip(a) == ARCHIVE_OK &&
              archive_write_set_options(a, "zip:hdrcharset=UTF-8") == ARCHIVE_OK &&
              archive_write_set_bytes_per_block(a, 0) == ARCHIVE_OK &&
              archive_write_open(a, &zip, NULL, on_zip_bytes, NULL) == ARCHIVE_OK;
    const char *at = "the package";
    for (size_t i = 0; ok && i < p->count; i++) {
        at = p->files[i].name;
        ok = zip_file(a, &p->files[i]);
    }
    ok = ok && archive_write_close(a) == ARCHIVE_OK;
    if (!ok) {
        const char *why = archive_error_string(a);
        rd_fail(reterr, RD_ERR_INPUT, "cannot pack %s: %s", at, why ? why : "unknown");
        archive_write_free(a);
        rd_buf_clear(&zip);
        return false;
    }
    archive_write_free(a);
    *ret = (struct ray_package){.name = package_name(p), .zip = zip, .files = p->count};
    return true;
}

void ray_package_clear(struct ray_package *p)
{
    rd_freep(&p->name);
    rd_buf_clear(&p->zip);
}

char *ray_package_uri(const struct ray_package *p)
{
    return rd_asprintf("gcs://%s", p->name);
}
