/* What an API server, a proxy before it or a credential plugin may say. The first byte chooses who
 * reads: errors, watch streams, diffs, deletions, discovery, plugins. */
#include "fuzz.h"

#include "base/alloc.h"
#include "k8s/apply.h"
#include "k8s/delete.h"
#include "k8s/internal.h"
#include "k8s/watch.h"

#include <string.h>

static void read_error(const char *text, size_t len)
{
    static const long statuses[] = {400, 401, 403, 404, 409, 410, 422, 429, 500, 503};
    for (size_t i = 0; i < RD_ARRAY_LEN(statuses); i++) {
        struct rd_err *err = NULL;
        enum call_judgement j = k8s_decode_error(statuses[i], "application/json", text, len, 0,
                                                 "get x", &err);
        RD_ASSERT(err != NULL);
        RD_ASSERT(j != CALL_OK);
        RD_ASSERT(strlen(err->message) < 16384);
        rd_err_free(err);
        k8s_what_is_missing(statuses[i], text, len);
    }
    json_t *status = k8s_status_parse(text, len);
    json_t *conflicts = k8s_decode_conflicts(status);
    RD_ASSERT(json_is_array(conflicts));
    json_decref(conflicts);
    json_decref(status);
}

/* Cut in two anywhere, the same documents come out. */
static void read_stream(const char *text, size_t len)
{
    size_t whole = 0, cut = 0, scan = 0, done = 0;
    bool too_long;
    for (size_t n; (n = k8s_stream_next(text + done, len - done, &scan, 1 << 20, &too_long)) > 0;) {
        done += n;
        whole = whole * 31 + n;
    }
    size_t half = len / 2;
    scan = done = 0;
    for (int part = 0; part < 2; part++) {
        size_t end = part ? len : half;
        for (size_t n; (n = k8s_stream_next(text + done, end - done, &scan, 1 << 20, &too_long)) > 0;) {
            done += n;
            cut = cut * 31 + n;
        }
    }
    RD_ASSERT(whole == cut);
}

static void read_objects(const char *text, size_t len)
{
    struct rd_err *err = NULL;
    json_t *root = rd_json_parse(text, len, "fuzz", &err);
    rd_err_free(err);
    if (!root)
        return;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(1 << 16);
    json_t *changes = json_array();
    size_t n = k8s_object_diff(json_object_get(root, "a"), json_object_get(root, "b"), changes);
    RD_ASSERT(json_array_size(changes) == n);
    RD_ASSERT(k8s_object_diff(root, root, NULL) == 0);
    k8s_explain_deletion(root, 1700000000000, &b);
    char *stamp = k8s_apply_stamp(root, NULL, NULL);
    rd_freep(&stamp);
    json_decref(changes);
    json_decref(root);
}

static void read_discovery(const char *text, size_t len)
{
    struct rd_err *err = NULL;
    json_t *root = rd_json_parse(text, len, "fuzz", &err);
    if (root) {
        struct k8s_client *c = rd_calloc(1, sizeof(*c));
        if (!k8s_mapping_read_aggregated(c, root, &err))
            rd_err_freep(&err);
        if (!k8s_mapping_read_plain(c, root, &err))
            rd_err_freep(&err);
        k8s_resource_learn_crd(c, root);
        k8s_mapping_index_listable(c);
        k8s_mapping_clear(c);
        rd_freep(&c);
    }
    rd_err_free(err);
    json_decref(root);
}

static void read_plugin(const char *text, size_t len)
{
    struct k8s_exec_credential got = {0};
    struct rd_err *err = NULL;
    bool ok = k8s_exec_read(text, len, "client.authentication.k8s.io/v1", &got, &err);
    RD_ASSERT(ok == (err == NULL));
    RD_ASSERT(!ok || rd_secret_is_set(&got.token) || got.cert_pem);
    k8s_exec_credential_clear(&got);
    rd_redact_forget_all();
    rd_err_free(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    switch (data[0]) {
    case 'e':
        read_error(text, size - 1);
        return 0;
    case 's':
        read_stream(text, size - 1);
        return 0;
    case 'o':
        read_objects(text, size - 1);
        return 0;
    case 'd':
        read_discovery(text, size - 1);
        return 0;
    default:
        read_plugin(text, size - 1);
        return 0;
    }
}
