/* Chart archives. After a 'z' the rest is the archive as it came; after anything else it is the tar
 * inside, which is packed here (as stored blocks), so that the search reaches past the checksum. */
#include "fuzz.h"

#include "base/buf.h"
#include "manifest/archive.h"
#include "manifest/chart.h"

#include <string.h>

static uint32_t crc32_slow(const uint8_t *data, size_t len)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int k = 0; k < 8; k++)
            crc = crc & 1 ? 0xedb88320u ^ (crc >> 1) : crc >> 1;
    }
    return ~crc;
}

static void put_little_endian(struct rd_buf *b, uint32_t v, int bytes)
{
    for (; bytes > 0; bytes--, v >>= 8)
        rd_buf_putc(b, (char)(v & 0xff));
}

/* RFC 1951 section 3.2.4: a block of stored bytes is its length, the complement, and the bytes. */
static void zip_stored(struct rd_buf *out, const uint8_t *data, size_t len)
{
    rd_buf_append(out, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
    size_t at = 0;
    do {
        size_t n = len - at < 65535 ? len - at : 65535;
        rd_buf_putc(out, at + n == len);
        put_little_endian(out, (uint32_t)n, 2);
        put_little_endian(out, ~(uint32_t)n, 2);
        rd_buf_append(out, data + at, n);
        at += n;
    } while (at < len);
    put_little_endian(out, crc32_slow(data, len), 4);
    put_little_endian(out, (uint32_t)len, 4);
}

static void read_all(const char *data, size_t len)
{
    static const struct archive_limits limits = {.bytes_max = 1 << 20, .files_max = 50};
    struct archive_files files;
    RD_AUTOERR struct rd_err *err = NULL;
    if (!archive_read_tgz(data, len, "fuzz", &limits, NULL, &files, &err)) {
        RD_ASSERT(err->kind == RD_ERR_INPUT);
        return;
    }
    for (size_t i = 0; i < files.len; i++) {
        const char *path = files.v[i].path;
        RD_ASSERT(path[0] != '/');
        RD_ASSERT(strncmp(path, "../", 3) != 0);
        RD_ASSERT(!strstr(path, "/../"));
        RD_ASSERT(files.v[i].data[files.v[i].len] == '\0');
    }
    archive_files_clear(&files);
}

static void read_chart(const char *data, size_t len)
{
    struct chart c;
    RD_AUTOERR struct rd_err *err = NULL;
    if (!chart_read(data, len, "fuzz", &c, &err)) {
        RD_ASSERT(err->kind == RD_ERR_INPUT);
        return;
    }
    RD_ASSERT(c.name);
    RD_ASSERT(c.version);
    chart_clear(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 18)
        return 0;
    RD_AUTOBUF struct rd_buf packed = RD_BUF_INIT(1 << 20);
    if (data[0] == 'z')
        rd_buf_append(&packed, data + 1, size - 1);
    else
        zip_stored(&packed, data + 1, size - 1);
    read_all(rd_buf_str(&packed), packed.len);
    read_chart(rd_buf_str(&packed), packed.len);
    return 0;
}
