/* What a kubelet, a dashboard or a job's log may say. The first byte chooses who reads: handshake
 * answers, channels, logs, verification lines, RayClusters. */
#include "fuzz.h"

#include "base/alloc.h"
#include "base/json.h"
#include "k8s/channel.h"
#include "k8s/ws_handshake.h"
#include "ray/job_log.h"
#include "ray/validate.h"
#include "ray/verify.h"

#include <string.h>

/* Byte by byte an answer means the same as at once. */
static void read_answer(const char *text, size_t len)
{
    struct ws_answer a, b;
    ws_answer_init(&a, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "v4.channel.k8s.io");
    ws_answer_init(&b, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "v4.channel.k8s.io");
    size_t used = ws_answer_feed(&a, text, len), at = 0;
    for (size_t n = 1; n == 1 && at < len; at += n)
        n = ws_answer_feed(&b, text + at, 1);
    RD_ASSERT(a.state == b.state);
    RD_ASSERT(a.status == b.status);
    RD_ASSERT(a.body.len <= WS_BODY_MAX);
    RD_ASSERT(used <= len);
    RD_ASSERT(a.state != WS_ANSWER_BAD || a.problem);
    RD_ASSERT(strcmp(rd_buf_str(&a.body), rd_buf_str(&b.body)) == 0);
    ws_answer_end(&a);
    RD_ASSERT(a.state == WS_ANSWER_REFUSED || a.state == WS_ANSWER_OPEN ||
              a.state == WS_ANSWER_BAD);
    ws_answer_clear(&a);
    ws_answer_clear(&b);
}

static void read_channels(const char *text, size_t len)
{
    struct rd_buf data = RD_BUF_INIT(4096);
    struct channel_reader r;
    channel_reader_init(&r, 8265, &data);
    for (size_t at = 0; at < len;) { /* a length byte before each message */
        size_t n = (unsigned char)text[at++];
        n = n < len - at ? n : len - at;
        channel_reader_begin(&r);
        channel_reader_feed(&r, text + at, n / 2);
        channel_reader_feed(&r, text + at + n / 2, n - n / 2);
        at += n;
    }
    RD_ASSERT(r.error.len <= r.error.max);
    RD_ASSERT(data.len < len + 1);
    channel_reader_clear(&r);
    rd_buf_clear(&data);
}

/* Cut anywhere and read again from its start, a log comes out whole and once; and it is what a JSON
 * parser makes of it. */
static void read_log(const char *text, size_t len)
{
    struct ray_log_reader whole, twice;
    ray_log_reader_init(&whole, 0);
    ray_log_reader_init(&twice, 0);
    ray_log_reader_feed(&whole, text, len);
    ray_log_reader_begin(&twice);
    ray_log_reader_feed(&twice, text, len / 2);
    ray_log_reader_begin(&twice);
    ray_log_reader_feed(&twice, text, len);
    RD_ASSERT(whole.given == twice.given);
    RD_ASSERT(whole.fresh.len == twice.fresh.len);
    RD_ASSERT(strcmp(rd_buf_str(&whole.fresh), rd_buf_str(&twice.fresh)) == 0);
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    const json_t *logs = json_is_object(root) ? json_object_get(root, "logs") : NULL;
    if (json_is_string(logs)) {
        RD_ASSERT(whole.complete);
        RD_ASSERT(whole.fresh.len == json_string_length(logs));
        RD_ASSERT(memcmp(whole.fresh.data ? whole.fresh.data : "", json_string_value(logs),
                         whole.fresh.len) == 0);
    }
    json_decref(root);
    ray_log_reader_clear(&whole);
    ray_log_reader_clear(&twice);
}

static void read_lines(const char *text, size_t len)
{
    struct ray_verify_log v;
    ray_verify_log_init(&v);
    ray_verify_log_feed(&v, text, len);
    ray_verify_log_end(&v);
    RD_ASSERT(!v.summary || v.pass > 0);
    ray_verify_log_clear(&v);
}

static void read_cluster(const char *text, size_t len)
{
    struct rd_strv problems = {0};
    json_t *root = json_loadb(text, len, 0, NULL);
    for (int gates = 0; root && gates < 2; gates++) {
        struct ray_gates g = {gates, gates, gates, gates, !gates};
        size_t before = problems.len;
        RD_ASSERT(ray_validate_cluster(root, g, &problems) == (problems.len == before));
    }
    rd_strv_clear(&problems);
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    switch (data[0]) {
    case 'h':
        read_answer(text, size - 1);
        return 0;
    case 'c':
        read_channels(text, size - 1);
        return 0;
    case 'l':
        read_log(text, size - 1);
        return 0;
    case 'v':
        read_lines(text, size - 1);
        return 0;
    default:
        read_cluster(text, size - 1);
        return 0;
    }
}
