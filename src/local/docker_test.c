/* Goal: what Docker and k3s answer is read right, whatever its cuts, and nothing wild gets through. */
#include "base/test.h"

#include "base/text.h"
#include "local/docker.h"

#include <stdlib.h>

static void docker_host_is_unix_or_loopback(void **state)
{
    (void)state;
    static const struct {
        const char *host, *socket, *base;
    } rows[] = {
        {"unix:///run/user/1/docker.sock", "/run/user/1/docker.sock", "http://docker"},
        {"tcp://127.0.0.1:2375", NULL, "http://127.0.0.1:2375"},
        {"tcp://localhost:99", NULL, "http://localhost:99"},
        {"tcp://[::1]:2375", NULL, "http://[::1]:2375"},
        {"tcp://192.0.2.1:2375", NULL, NULL},
        {"ssh://me@host", NULL, NULL},
        {"unix://relative", NULL, NULL},
        {"tcp://127.evil.example", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        char *socket = NULL, *base = NULL;
        struct rd_err *err = NULL;
        bool ok = docker_host_read(rows[i].host, &socket, &base, &err);
        if (ok != (rows[i].base != NULL))
            fail_msg("%s: %s", rows[i].host, ok ? "was taken" : err->message);
        if (!ok) {
            rd_check_err(rows[i].host, &err, RD_ERR_INPUT, "DOCKER_HOST");
            continue;
        }
        rd_check_str(rows[i].host, base, rows[i].base);
        assert_true(rd_streq(socket, rows[i].socket));
        free(socket);
        free(base);
    }
}

static void progress_lines_come_whole(void **state)
{
    (void)state;
    struct rd_buf in = RD_BUF_INIT(1 << 16);
    rd_buf_puts(&in, "{\"status\":\"a\"}\r\n\nnot json\n{\"error\":\"b\"}\n{\"cut");
    json_t *one = docker_next_line(&in), *two = docker_next_line(&in);
    assert_string_equal(rd_json_str(one, "status", NULL), "a");
    assert_string_equal(rd_json_str(two, "error", NULL), "b");
    assert_null(docker_next_line(&in));
    assert_string_equal(rd_buf_str(&in), "{\"cut");
    json_decref(one);
    json_decref(two);
    rd_buf_clear(&in);
}

static void tar_entry(struct rd_buf *b, char type, const char *name, const char *text, size_t claims)
{
    char block[512] = {0};
    snprintf(block, 100, "%s", name);
    snprintf(block + 124, 12, "%011o", (unsigned)claims);
    block[156] = type;
    rd_buf_append(b, block, sizeof(block));
    memset(block, 0, sizeof(block));
    memcpy(block, text, strlen(text));
    if (*text)
        rd_buf_append(b, block, sizeof(block));
}

static void the_file_of_an_archive(void **state)
{
    (void)state;
    struct rd_buf tar = RD_BUF_INIT(1 << 16), out = RD_BUF_INIT(1 << 16);
    tar_entry(&tar, 'x', "pax", "17 mtime=123.45\n", 16);
    tar_entry(&tar, '0', "k3s.yaml", "hello", 5);
    assert_true(docker_untar(tar.data, tar.len, &out));
    assert_string_equal(rd_buf_str(&out), "hello");
    for (size_t n = 0; n + 512 < tar.len; n++) { /* cut anywhere before the data: no file */
        rd_buf_reset(&out);
        assert_false(docker_untar(tar.data, n, &out));
    }
    rd_buf_clear(&tar);
    tar_entry(&tar, '0', "big", "x", 0777777777);
    assert_false(docker_untar(tar.data, tar.len, &out));
    rd_buf_clear(&tar);
    rd_buf_clear(&out);
}

static void log_frames(void **state)
{
    (void)state;
    struct rd_buf out = RD_BUF_INIT(1 << 16);
    docker_unframe("\001\0\0\0\0\0\0\003one\002\0\0\0\0\0\0\004 two\001\0\0\0\0\0\0\377cut", 33, &out);
    assert_string_equal(rd_buf_str(&out), "one twocu");
    rd_buf_reset(&out);
    docker_unframe("a plain terminal log", 20, &out);
    assert_string_equal(rd_buf_str(&out), "a plain terminal log");
    rd_buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(docker_host_is_unix_or_loopback),
        cmocka_unit_test(progress_lines_come_whole),
        cmocka_unit_test(the_file_of_an_archive),
        cmocka_unit_test(log_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
