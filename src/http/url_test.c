/* URLs from segments, and which are refused; response headers line by line. */
#include "http/internal.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void building(void **state)
{
    (void)state;
    struct http_url u;
    http_url_init(&u, "https://host:6443/");
    http_url_path(&u, "/api/v1");
    http_url_seg(&u, "a b/c?d#e%");
    http_url_seg(&u, "..");
    http_url_seg(&u, ".");
    http_url_seg(&u, "system:node");
    http_url_query(&u, "labelSelector", "a=b,c in (d)&e");
    http_url_query(&u, "limit", "500");
    assert_string_equal(http_url_str(&u),
                        "https://host:6443/api/v1/a%20b%2Fc%3Fd%23e%25/%2E%2E/%2E/system%3Anode"
                        "?labelSelector=a%3Db%2Cc%20in%20%28d%29%26e&limit=500");
    http_url_clear(&u);
    http_url_init(&u, "10.0.0.1:6443");
    http_url_path(&u, "version?verbose=1");
    http_url_query(&u, "x", "");
    assert_string_equal(http_url_str(&u), "https://10.0.0.1:6443/version?verbose=1&x=");
    http_url_clear(&u);
}

/* Goal: a URL that grew past its ceiling is none at all rather than a cut one. */
static void too_long(void **state)
{
    (void)state;
    struct http_url u;
    http_url_init(&u, "https://host");
    for (int i = 0; i < 10000; i++)
        http_url_seg(&u, "segment");
    assert_string_equal(http_url_str(&u), "");
    http_url_clear(&u);
}

static void checking(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool good;
    } rows[] = {
        {"https://host", true},
        {"http://host:80/a?b=c", true},
        {"HTTPS://host", true},
        {"host:6443", true},
        {"10.0.0.1:6443", true},
        {"[::1]:6443", true},
        {"https://[fe80::1]:6443/x", true},
        {"host", true},
        {"", false},
        {"https://", false},
        {"https://host:99999", false},
        {"https://host:x", false},
        {"https://user@host", false},
        {"https://user:pw@host", false},
        {"https://ho st", false},
        {"https://host/\r\nX: y", false},
        {"https://host/\x01", false},
        {"ftp://host", false},
        {"file:///etc/passwd", false},
        {"gopher://host", false},
        {"unix:///run/x.sock", false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOERR struct rd_err *err = NULL;
        bool good = http_url_check(rows[i].url, &err);
        if (good != rows[i].good)
            fail_msg("%s: want %d, have %d", rows[i].url, rows[i].good, good);
        assert_int_equal(good, err == NULL);
        if (err != NULL)
            assert_int_equal(err->kind, RD_ERR_INPUT);
    }
}

static void origins(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"https://host/a", "host:443"},
        {"http://host/a", "host:80"},
        {"https://10.0.0.1:6443", "10.0.0.1:6443"},
        {"https://[::1]:6443/", "[::1]:6443"},
        {"", "an unnamed host"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOFREE char *origin = http_url_origin(rows[i][0]);
        assert_string_equal(origin, rows[i][1]);
    }
}

static void retry_after(void **state)
{
    (void)state;
    int64_t now;
    assert_true(rd_rfc3339_parse("2026-11-23T08:00:00Z", &now));
    static const struct {
        const char *value;
        uint64_t want;
    } rows[] = {
        {"1", 1000},
        {"120", 120000},
        {"0", 1}, /* it was there, and it says now */
        {"", 0},
        {"soon", 0},
        {"-1", 0},
        {"1.5", 0},
        {"99999999999999999999999", 86400000},
        {"Mon, 23 Nov 2026 08:00:10 GMT", 10000},
        {"Mon, 23 Nov 2026 07:00:00 GMT", 1},
        {"Mon, 23 Nov 2099 07:00:00 GMT", 86400000},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        uint64_t have = header_retry_after_ms(rows[i].value, now);
        if (have != rows[i].want)
            fail_msg("\"%s\": want %lu, have %lu", rows[i].value, (unsigned long)rows[i].want,
                     (unsigned long)have);
    }
}

static void no_proxy(void **state)
{
    (void)state;
    static const struct {
        const char *host, *list;
        bool match;
    } rows[] = {
        {"a.example.com", "example.com", true},
        {"a.example.com", ".example.com", true},
        {"example.com", ".example.com", true},
        {"EXAMPLE.com", "other, example.COM", true},
        {"badexample.com", "example.com", false},
        {"example.com.evil", "example.com", false},
        {"anything", "*", true},
        {"10.1.2.3", "10.0.0.0/8", true},
        {"10.1.2.3", "10.1.2.3", true},
        {"10.1.2.4", "10.1.2.3", false},
        {"11.1.2.3", "10.0.0.0/7", true},
        {"12.1.2.3", "10.0.0.0/7", false},
        {"10.1.2.3", "10.0.0.0/99", false},
        {"10.1.2.3", "10.0.0.0/", false},
        {"10.1.2.3", "0.0.0.0/0", true},
        {"fd00::1", "fd00::/8", true},
        {"fe80::1", "fd00::/8", false},
        {"host", "", false},
        {"host", " , .,", false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        bool match = noproxy_matches(rows[i].host, rows[i].list);
        if (match != rows[i].match)
            fail_msg("%s in \"%s\": want %d, have %d", rows[i].host, rows[i].list, rows[i].match,
                     match);
    }
    assert_true(noproxy_loopback("localhost"));
    assert_true(noproxy_loopback("127.0.0.5"));
    assert_true(noproxy_loopback("::1"));
    assert_false(noproxy_loopback("10.0.0.1"));
    assert_false(noproxy_loopback("mylocalhost"));
}

static bool line(struct http_req *r, const char *text)
{
    return header_line(r, text, strlen(text));
}

static void header_lines(void **state)
{
    (void)state;
    struct http_req r = {0};
    http_req_init(&r, NULL, "GET", "http://host");
    static const char *const lines[] = {
        "HTTP/1.1 100 Continue\r\n",
        "ETag: interim\r\n",
        "\r\n",
        "HTTP/1.1 200 OK\r\n",
        "content-TYPE:\t application/json  \r\n",
        "Audit-Id:x\r\n",
        "no colon\r\n",
        ": no name\r\n",
        "Date: Mon, 23 Nov 2026 08:00:00 GMT\r\n",
        "Warning: 199 - \"not ours\"\r\n",
        "Warning: 299 - \"never ends\r\n",
        "Warning: 299\r\n",
        "ETag:\r\n",
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(lines); i++)
        assert_true(line(&r, lines[i]));
    assert_string_equal(r.content_type, "application/json");
    assert_string_equal(r.audit_id, "x");
    assert_string_equal(r.etag, "");
    assert_string_equal(r.date, "Mon, 23 Nov 2026 08:00:00 GMT");
    assert_string_equal(rd_buf_str(&r.warnings), "never ends\n");
    r.headers_done = true;
    assert_true(line(&r, "ETag: trailer\r\n"));
    assert_string_equal(r.etag, "");
    bool fits = true;
    for (int i = 0; i < 100000 && fits; i++)
        fits = line(&r, "X-Flood: 0123456789\r\n");
    assert_false(fits);
    /* What http_req_clear frees; without a client there is no handle to give back. */
    free(r.content_type);
    free(r.etag);
    free(r.date);
    free(r.audit_id);
    free(r.method);
    free(r.url);
    rd_buf_clear(&r.warnings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(building), cmocka_unit_test(too_long),    cmocka_unit_test(checking),
        cmocka_unit_test(origins),  cmocka_unit_test(retry_after), cmocka_unit_test(header_lines),
        cmocka_unit_test(no_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
