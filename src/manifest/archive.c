#include "manifest/archive.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/encode.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

const struct archive_limits archive_limits_default = {
    .bytes_max = (size_t)64 << 20,
    .files_max = 10000,
};

static void free_reader(struct archive **a)
{
    if (*a)
        archive_read_free(*a);
}

static const char *why(struct archive *a)
{
    const char *text = archive_error_string(a);
    return text ? text : "malformed";
}

static uint32_t crc32_of(const unsigned char *data, size_t len)
{
    uint32_t table[256];
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
        table[i] = c;
    }
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < len; i++)
        crc = table[(crc ^ data[i]) & 0xff] ^ (crc >> 8);
    return crc ^ 0xffffffffu;
}

static uint32_t little_endian(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* RFC 1952: the last eight bytes are the checksum and the length of what was packed. */
static bool trailer_fits(const char *data, size_t len, const struct rd_buf *tar)
{
    const unsigned char *trailer = (const unsigned char *)data + len - 8;
    return little_endian(trailer) == crc32_of((const unsigned char *)rd_buf_str(tar), tar->len) &&
           little_endian(trailer + 4) == (uint32_t)tar->len;
}

static bool unzip(const char *data, size_t len, const char *label, struct rd_buf *ret,
                  struct rd_err **reterr)
{
    if (len < 18 || memcmp(data, "\x1f\x8b", 2) != 0)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: not a gzipped archive", label);
    RD_CLEANUP(free_reader) struct archive *a = archive_read_new();
    RD_ASSERT(a);
    archive_read_support_filter_gzip(a);
    archive_read_support_format_raw(a);
    struct archive_entry *entry;
    if (archive_read_open_memory(a, data, len) != ARCHIVE_OK ||
        archive_read_next_header(a, &entry) != ARCHIVE_OK)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: not a gzipped archive: %s", label, why(a));
    char block[16384];
    for (;;) {
        la_ssize_t n = archive_read_data(a, block, sizeof(block));
        if (n == 0)
            break;
        if (n < 0)
            return rd_fail(reterr, RD_ERR_INPUT, "%s: broken archive: %s", label, why(a));
        rd_buf_append(ret, block, (size_t)n);
        if (ret->overflow)
            return rd_fail(reterr, RD_ERR_INPUT, "%s: unpacks to more than %zu bytes", label,
                           ret->max);
    }
    if (!trailer_fits(data, len, ret))
        return rd_fail(reterr, RD_ERR_INPUT, "%s: truncated or broken archive", label);
    return true;
}

/* Owned path without empty and "." parts, or NULL if it could leave the folder it is unpacked to.
 */
static char *safe_path(const char *path)
{
    if (*path == '/' || strchr(path, '\\') || strlen(path) > 1024 ||
        !rd_utf8_valid(path, strlen(path)))
        return NULL;
    struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && memcmp(p, "..", 2) == 0) {
            rd_buf_clear(&b);
            return NULL;
        }
        if (n > 0 && !(n == 1 && *p == '.')) {
            if (b.len > 0)
                rd_buf_putc(&b, '/');
            rd_buf_append(&b, p, n);
        }
        p += n + (p[n] == '/');
    }
    return rd_buf_take(&b, NULL);
}

static const char *type_name(struct archive_entry *e)
{
    if (archive_entry_hardlink(e))
        return "a hard link";
    switch (archive_entry_filetype(e)) {
    case AE_IFREG:
    case AE_IFDIR:
        return NULL;
    case AE_IFLNK:
        return "a symbolic link";
    default:
        return "neither a file nor a folder";
    }
}

static bool read_entry(struct archive *a, struct archive_entry *e, const char *label,
                       size_t bytes_max, bool (*want)(const char *path), struct archive_files *ret,
                       struct rd_err **reterr)
{
    /* The plain form is NULL where the locale cannot say it. */
    const char *raw = archive_entry_pathname_utf8(e);
    if (!raw)
        raw = archive_entry_pathname(e);
    RD_AUTOFREE char *path = raw ? safe_path(raw) : NULL;
    if (!path)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: entry '%.200s' leads out of the archive", label,
                       raw ? raw : "?");
    const char *type = type_name(e);
    if (type)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: entry '%.200s' is %s", label, path, type);
    if (archive_entry_filetype(e) == AE_IFDIR || (want && !want(path)))
        return true;
    int64_t size = archive_entry_size(e);
    if (size < 0 || (uint64_t)size > bytes_max)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: entry '%.200s' has an impossible size", label,
                       path);
    RD_AUTOFREE char *data = rd_malloc((size_t)size + 1);
    la_ssize_t n = archive_read_data(a, data, (size_t)size);
    if (n != (la_ssize_t)size)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: entry '%.200s' is truncated", label, path);
    data[size] = '\0';
    if (ret->len == ret->cap) {
        ret->cap = ret->cap ? ret->cap * 2 : 8;
        ret->v = rd_reallocarray(ret->v, ret->cap, sizeof(*ret->v));
    }
    ret->v[ret->len++] = (struct archive_file){.path = path, .data = data, .len = (size_t)size};
    path = NULL;
    data = NULL;
    return true;
}

static bool read_tar(const struct rd_buf *tar, const char *label,
                     const struct archive_limits *limits, bool (*want)(const char *path),
                     struct archive_files *ret, struct rd_err **reterr)
{
    RD_CLEANUP(free_reader) struct archive *a = archive_read_new();
    RD_ASSERT(a);
    archive_read_support_format_tar(a);
    if (archive_read_open_memory(a, rd_buf_str(tar), tar->len) != ARCHIVE_OK)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: not a tar archive: %s", label, why(a));
    for (size_t entries = 0;; entries++) {
        struct archive_entry *e;
        int status = archive_read_next_header(a, &e);
        if (status == ARCHIVE_EOF)
            return true;
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
            return rd_fail(reterr, RD_ERR_INPUT, "%s: broken archive: %s", label, why(a));
        if (entries == limits->files_max)
            return rd_fail(reterr, RD_ERR_INPUT, "%s: more than %zu entries", label,
                           limits->files_max);
        if (!read_entry(a, e, label, tar->len, want, ret, reterr))
            return false;
    }
}

bool archive_read_tgz(const char *data, size_t len, const char *label,
                      const struct archive_limits *limits, bool (*want)(const char *path),
                      struct archive_files *ret, struct rd_err **reterr)
{
    if (!limits)
        limits = &archive_limits_default;
    *ret = (struct archive_files){0};
    RD_AUTOBUF struct rd_buf tar = RD_BUF_INIT(limits->bytes_max);
    if (unzip(data, len, label, &tar, reterr) && read_tar(&tar, label, limits, want, ret, reterr))
        return true;
    archive_files_clear(ret);
    return false;
}

void archive_files_clear(struct archive_files *f)
{
    for (size_t i = 0; i < f->len; i++) {
        free(f->v[i].path);
        free(f->v[i].data);
    }
    free(f->v);
    *f = (struct archive_files){0};
}
