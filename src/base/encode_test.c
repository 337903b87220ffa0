#include "base/test.h"

#include "base/alloc.h"
#include "base/encode.h"

#include <stdlib.h>

static void base64_vectors(void **state)
{
    (void)state;
    /* RFC 4648 section 10, and one that tells the alphabets apart. */
    static const struct {
        const char *plain, *std, *url;
    } cases[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xef\xff", "++//", "--__"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        RD_AUTOFREE char *std = rd_base64_encode(cases[i].plain, strlen(cases[i].plain));
        RD_AUTOFREE char *url = rd_base64url_encode(cases[i].plain, strlen(cases[i].plain));
        rd_check_str(cases[i].plain, std, cases[i].std);
        rd_check_str(cases[i].plain, url, cases[i].url);
    }
}

static void base64_decode_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *want; /* NULL: malformed */
    } cases[] = {
        {"", ""},
        {" \n", ""},
        {"Zg==", "f"},
        {"Zg", "f"},
        {"Zm8=", "fo"},
        {"Zm8", "fo"},
        {"Zm9v", "foo"},
        {"Z m\n9\r\tv", "foo"},
        {"Zm9vYmE=\n", "fooba"},
        {"Zm9vYmE =", "fooba"},
        {"++//", "\xfb\xef\xff"},
        {"--__", "\xfb\xef\xff"},
        {"+-/_", "\xfb\xef\xff"},
        {"Z", NULL},
        {"Zm9vY", NULL},
        {"=", NULL},
        {"====", NULL},
        {"Zg=", NULL},
        {"Zg===", NULL},
        {"Zm8==", NULL},
        {"Zm9v=", NULL},
        {"Zm9v====", NULL},
        {"Zg==Zg==", NULL},
        {"Z=g=", NULL},
        {"Zm9*", NULL},
        {"Zm9v\x80", NULL},
        {"Zm.v", NULL},
        {"%5A", NULL},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        size_t len = 999;
        RD_AUTOFREE char *got =
            (char *)rd_base64_decode(cases[i].text, strlen(cases[i].text), &len);
        rd_check_str(cases[i].text, got, cases[i].want);
        rd_check_int(cases[i].text, (long long)len,
                     cases[i].want == NULL ? 999 : (long long)strlen(cases[i].want));
    }
    size_t len = 0;
    RD_AUTOFREE unsigned char *nul = rd_base64_decode("Zm9v\0Zm9v", 9, &len);
    assert_null(nul);
}

static void base64_round_trip(void **state)
{
    (void)state;
    unsigned char bytes[70];
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        rd_random_bytes(bytes, n);
        for (int url = 0; url < 2; url++) {
            RD_AUTOFREE char *text =
                url ? rd_base64url_encode(bytes, n) : rd_base64_encode(bytes, n);
            size_t len = 0;
            RD_AUTOFREE unsigned char *back = rd_base64_decode(text, strlen(text), &len);
            assert_non_null(back);
            rd_check_int(text, (long long)len, (long long)n);
            assert_memory_equal(back, bytes, n);
            assert_int_equal(back[n], 0);
        }
    }
}

static void sha256_vectors(void **state)
{
    (void)state;
    /* FIPS 180-4 examples. */
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        char got[RD_SHA256_HEX_LEN + 1];
        rd_sha256_hex(cases[i].text, strlen(cases[i].text), got);
        rd_check_str(cases[i].text, got, cases[i].want);
        struct rd_sha256 *h = rd_sha256_new();
        for (const char *p = cases[i].text; *p != '\0'; p++)
            rd_sha256_update(h, p, 1);
        rd_sha256_final(h, got);
        rd_check_str("byte by byte", got, cases[i].want);
    }
}

static void utf8_table(void **state)
{
    (void)state;
    static const struct {
        const char *row, *text;
        bool valid;
    } cases[] = {
        {"empty", "", true},
        {"ascii", "plain\n\x7f", true},
        {"two bytes", "\xc2\x80\xdf\xbf", true},
        {"three bytes", "\xe0\xa0\x80\xef\xbf\xbf", true},
        {"around the surrogates", "\xed\x9f\xbf\xee\x80\x80", true},
        {"four bytes", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", true},
        {"overlong NUL", "\xc0\x80", false},
        {"overlong slash", "\xc0\xaf", false},
        {"overlong two", "\xc1\xbf", false},
        {"overlong three", "\xe0\x9f\xbf", false},
        {"overlong four", "\xf0\x8f\xbf\xbf", false},
        {"first surrogate", "\xed\xa0\x80", false},
        {"last surrogate", "\xed\xbf\xbf", false},
        {"surrogate pair", "\xed\xa0\xbd\xed\xb8\x80", false},
        {"beyond the last", "\xf4\x90\x80\x80", false},
        {"five bytes", "\xf8\x88\x80\x80\x80", false},
        {"fe", "\xfe", false},
        {"ff", "\xff", false},
        {"lone continuation", "\x80", false},
        {"C1 as a byte", "a\x9b", false},
        {"cut after one", "\xe2", false},
        {"cut after two", "\xe2\x82", false},
        {"cut after three", "\xf0\x9f\x98", false},
        {"ascii in the middle", "\xe2(\xa1", false},
        {"start in the middle", "\xe2\x82\xc3", false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++)
        rd_check_int(cases[i].row, rd_utf8_valid(cases[i].text, strlen(cases[i].text)),
                     cases[i].valid);
    rd_check_int("NUL is a character", rd_utf8_valid("a\0b", 3), true);
}

/* Every code point, encoded here, comes back; surrogates and what lies beyond do not. */
static void utf8_every_code_point(void **state)
{
    (void)state;
    for (uint32_t want = 0; want <= 0x1fffff; want++) {
        char s[4];
        size_t n;
        if (want < 0x80) {
            s[0] = (char)want, n = 1;
        } else if (want < 0x800) {
            s[0] = (char)(0xc0 | want >> 6), n = 2;
        } else if (want < 0x10000) {
            s[0] = (char)(0xe0 | want >> 12), n = 3;
        } else {
            s[0] = (char)(0xf0 | want >> 18), n = 4;
        }
        for (size_t i = 1; i < n; i++)
            s[i] = (char)(0x80 | (want >> 6 * (n - 1 - i) & 0x3f));
        bool good = want <= 0x10ffff && (want < 0xd800 || want > 0xdfff);
        uint32_t got = 0xdead;
        size_t used = rd_utf8_next(s, n, &got);
        if (used != (good ? n : 0) || got != (good ? want : 0xdead))
            fail_msg("U+%04X: got U+%04X in %zu bytes, want %zu", want, got, used, good ? n : 0);
        /* The bytes after the end are there, but are not ours to read. */
        if (rd_utf8_next(s, n - 1, &got) != 0)
            fail_msg("U+%04X: accepted without its last byte", want);
    }
}

static void percent_table(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ""},
        {"AZaz09-._~", "AZaz09-._~"},
        {"a b/c", "a%20b%2Fc"},
        {"%", "%25"},
        {"?&=#+:@!$'()*,;[]", "%3F%26%3D%23%2B%3A%40%21%24%27%28%29%2A%2C%3B%5B%5D"},
        {"\xc3\xa9\n\x7f\xff", "%C3%A9%0A%7F%FF"},
        {"..", ".."},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        RD_AUTOFREE char *got = rd_percent_encode(cases[i].text);
        rd_check_str(cases[i].text, got, cases[i].want);
    }
}

/* Random enough that no two of a thousand values agree: by chance once in 10^13 runs. */
static void random_differs(void **state)
{
    (void)state;
    uint64_t seen[1000];
    for (size_t i = 0; i < RD_ARRAY_LEN(seen); i++) {
        seen[i] = rd_random_u64();
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(seen[i], seen[k]);
    }
    rd_random_bytes(seen, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_vectors),    cmocka_unit_test(base64_decode_table),
        cmocka_unit_test(base64_round_trip), cmocka_unit_test(sha256_vectors),
        cmocka_unit_test(utf8_table),        cmocka_unit_test(utf8_every_code_point),
        cmocka_unit_test(percent_table),     cmocka_unit_test(random_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
