/* The reader in both modes, the writer behind it, and the check of object shapes. The first byte
 * chooses the mode. What was read and written must be read again as the same tree. */
#include "fuzz.h"

#include "base/buf.h"
#include "manifest/objects.h"

#include <string.h>

static const struct yaml_limits limits = {
    .bytes_max = 1 << 16, .nodes_max = 5000, .depth_max = 60, .docs_max = 20};

/* A long plain key becomes two lines, and a tree written needs at most a level more than it had. */
static const struct yaml_limits wider = {
    .bytes_max = 1 << 26, .nodes_max = 10000, .depth_max = 60, .docs_max = 1};

static void write_and_read(const json_t *root, enum yaml_mode mode)
{
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(1 << 26);
    yaml_write(&out, root, NULL);
    struct yaml_stream again;
    RD_AUTOERR struct rd_err *err = NULL;
    bool ok = yaml_read(rd_buf_str(&out), out.len, "again", mode, &wider, false, &again, &err);
    if (!ok && mode == YAML_STRICT && strstr(err->message, "NUL character"))
        return; /* our own files hold none; what others wrote may */
    RD_ASSERT(ok);
    RD_ASSERT(again.len == 1);
    RD_ASSERT(json_equal(again.docs[0].root, root));
    yaml_stream_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum yaml_mode mode = data[0] == 's' ? YAML_STRICT : YAML_FOREIGN;
    struct yaml_stream s;
    RD_AUTOERR struct rd_err *err = NULL;
    if (!yaml_read((const char *)data + 1, size - 1, "fuzz", mode, &limits, mode == YAML_STRICT, &s,
                   &err)) {
        RD_ASSERT(err);
        RD_ASSERT(err->kind == RD_ERR_INPUT);
        return 0;
    }
    struct manifest_list list = {0};
    bool ok = true;
    for (size_t i = 0; i < s.len; i++) {
        write_and_read(s.docs[i].root, YAML_FOREIGN);
        write_and_read(s.docs[i].root, YAML_STRICT);
        ok = ok && manifest_add(&list, json_incref(s.docs[i].root), "fuzz", s.docs[i].line, &err);
    }
    manifest_list_clear(&list);
    yaml_stream_clear(&s);
    return 0;
}
