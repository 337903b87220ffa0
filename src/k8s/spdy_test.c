/* SPDY as bytes: what opens a forward, and answers cut at every place. */
#include "base/test.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "k8s/spdy.h"

static const char opening_hex[] =
    "8003000100000053000000010000000000007801003d00c2ff0000000300000004706f727400000004383236"
    "350000000972657175657374696400000001300000000a73747265616d74797065000000056572726f720000"
    "00ffff0000000101000000800300010000005000000003000000000000003c00c3ff0000000300000004706f"
    "727400000004383236350000000972657175657374696400000001300000000a73747265616d747970650000"
    "000464617461000000ffff";

static void to_hex(const struct rd_buf *b, struct rd_buf *out)
{
    for (size_t i = 0; i < b->len; i++)
        rd_buf_printf(out, "%02x", (unsigned char)b->data[i]);
}

/* Decoded by another reader of zlib, both header blocks are: 3 pairs, port 8265, requestid 0,
 * streamtype error and data. */
static void opening(void **state)
{
    (void)state;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(4096), hex = RD_BUF_INIT(4096);
    spdy_open(&b, 8265);
    to_hex(&b, &hex);
    rd_check_str("opening", rd_buf_str(&hex), opening_hex);
    unsigned char head[SPDY_DATA_HEAD];
    static const unsigned char want[SPDY_DATA_HEAD] = {0, 0, 0, 3, 1, 0x01, 0x02, 0x03};
    spdy_data_head(head, 0x010203, true);
    assert_memory_equal(head, want, sizeof(want));
}

static const unsigned char answers[] = {
    0x80, 3, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0,                        /* SETTINGS */
    0x80, 3, 0, 2, 0, 0, 0, 6, 0, 0, 0, 1, 0x78, 0x9c,            /* SYN_REPLY of the errors */
    0x80, 3, 0, 2, 0, 0, 0, 4, 0, 0, 0, 3,                        /* and of the data */
    0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 2,                        /* PING of the peer's */
    0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1,                        /* an answer to none of ours */
    0,    0, 0, 3, 0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o',           /* data */
    0,    0, 0, 1, 0, 0, 0, 3, 'b', 'a', 'd',                     /* an error */
    0,    0, 0, 5, 0, 0, 0, 1, 'x',                               /* a stream that is not ours */
    0,    0, 0, 3, 0, 0, 0, 1, '!',
    0,    0, 0, 3, 1, 0, 0, 0,                                    /* its end */
    0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 5,            /* RST_STREAM of the errors */
};

static void answers_cut_anywhere(void **state)
{
    (void)state;
    for (size_t cut = 0; cut <= sizeof(answers); cut++) {
        struct spdy s;
        RD_AUTOBUF struct rd_buf data = RD_BUF_INIT(64), reply = RD_BUF_INIT(64);
        spdy_init(&s, &data);
        assert_false(spdy_ready(&s));
        spdy_feed(&s, answers, cut);
        spdy_feed(&s, answers + cut, sizeof(answers) - cut);
        assert_null(s.problem);
        assert_true(spdy_ready(&s));
        rd_check_str("data", rd_buf_str(&data), "hello!");
        rd_check_str("error", rd_buf_str(&s.error), "bad");
        assert_true(s.data_ended && s.error_ended);
        to_hex(&s.reply, &reply);
        rd_check_str("reply", rd_buf_str(&reply), "800300060000000400000002");
        spdy_clear(&s);
    }
}

static void broken_peers(void **state)
{
    (void)state;
    static const unsigned char other[] = {0x80, 2, 0, 2, 0, 0, 0, 0};
    static const unsigned char reset[] = {0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0, 1};
    static const unsigned char flood[] = {0, 0, 0, 3, 0, 0, 0, 4, 'a', 'b', 'c', 'd'};
    static const unsigned char away[] = {0x80, 3, 0, 7, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0, 0};
    const struct {
        const unsigned char *bytes;
        size_t len;
        bool problem;
    } rows[] = {{other, sizeof(other), true},
                {reset, sizeof(reset), true},
                {flood, sizeof(flood), true},
                {away, sizeof(away), false}};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct spdy s;
        RD_AUTOBUF struct rd_buf data = RD_BUF_INIT(3);
        spdy_init(&s, &data);
        spdy_feed(&s, rows[i].bytes, rows[i].len);
        rd_check_int("problem", s.problem != NULL, rows[i].problem);
        rd_check_int("ended", s.data_ended, rows[i].bytes == reset || rows[i].bytes == away);
        spdy_clear(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening),
        cmocka_unit_test(answers_cut_anywhere),
        cmocka_unit_test(broken_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
