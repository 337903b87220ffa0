#include "base/test.h"

#include "base/clock.h"
#include "base/encode.h"

static void clocks_run_forward(void **state)
{
    (void)state;
    uint64_t before = rd_boot_ms();
    uint64_t after = rd_boot_ms();
    assert_true(after >= before);
    /* Between 2020 and 2100: seconds or microseconds would fall outside. */
    assert_true(rd_wall_ms() > 1577836800000);
    assert_true(rd_wall_ms() < 4102444800000);
}

static void format_table(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *want;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000, "1969-12-31T23:59:59.000Z"},
        {1767323045678, "2026-01-02T03:04:05.678Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {253402300800000, "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {-62167219200000, "0000-01-01T00:00:00.000Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
    };
    char got[32];
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        rd_rfc3339_ms(cases[i].ms, got);
        rd_check_str(cases[i].want, got, cases[i].want);
    }
    rd_rfc3339_us(1767323045678901, got);
    rd_check_str("microseconds", got, "2026-01-02T03:04:05.678901Z");
    rd_rfc3339_us(-1, got);
    rd_check_str("microseconds before 1970", got, "1969-12-31T23:59:59.999999Z");
    rd_rfc3339_us(INT64_MAX, got);
    rd_check_str("microseconds at the edge", got, "9999-12-31T23:59:59.999999Z");
    rd_rfc3339_us(INT64_MIN, got);
    rd_check_str("microseconds at the other edge", got, "0000-01-01T00:00:00.000000Z");
}

static void rfc3339_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t ms;
    } cases[] = {
        {"1970-01-01T00:00:00Z", true, 0},
        {"2026-01-02T03:04:05Z", true, 1767323045000},
        {"2026-01-02T03:04:05.678Z", true, 1767323045678},
        {"2026-01-02T03:04:05.678901Z", true, 1767323045678},
        {"2026-01-02T03:04:05.678901234567890123Z", true, 1767323045678},
        {"2026-01-02T03:04:05.6Z", true, 1767323045600},
        {"2026-01-02t03:04:05z", true, 1767323045000},
        {"2026-01-02 03:04:05Z", true, 1767323045000},
        {"2026-01-02T03:04:05+00:00", true, 1767323045000},
        {"2026-01-02T03:04:05-00:00", true, 1767323045000},
        {"2026-01-02T05:34:05+02:30", true, 1767323045000},
        {"2026-01-01T19:04:05.5-08:00", true, 1767323045500},
        {"1969-12-31T23:59:59.999Z", true, -1},
        {"2024-02-29T12:00:00Z", true, 1709208000000},
        {"2000-02-29T00:00:00Z", true, 951782400000},
        {"2016-12-31T23:59:60Z", true, 1483228800000},
        {"2017-01-01T00:59:60+01:00", true, 1483228800000},
        {"0000-01-01T00:00:00Z", true, -62167219200000},
        {"9999-12-31T23:59:59.999Z", true, 253402300799999},
        {"", false, 0},
        {"2026-01-02", false, 0},
        {"2026-01-02T03:04:05", false, 0},
        {"2026-01-02T03:04:05.Z", false, 0},
        {"2026-01-02T03:04:05,5Z", false, 0},
        {"2026-01-02T03:04Z", false, 0},
        {"2026-01-02T03:04:05Zx", false, 0},
        {"2026-01-02T03:04:05Z ", false, 0},
        {" 2026-01-02T03:04:05Z", false, 0},
        {"2026-1-02T03:04:05Z", false, 0},
        {"26-01-02T03:04:05Z", false, 0},
        {"2026-00-02T03:04:05Z", false, 0},
        {"2026-13-02T03:04:05Z", false, 0},
        {"2026-01-00T03:04:05Z", false, 0},
        {"2026-01-32T03:04:05Z", false, 0},
        {"2026-04-31T03:04:05Z", false, 0},
        {"2025-02-29T03:04:05Z", false, 0},
        {"1900-02-29T03:04:05Z", false, 0},
        {"2026-01-02T24:00:00Z", false, 0},
        {"2026-01-02T03:60:05Z", false, 0},
        {"2026-01-02T03:04:60Z", false, 0},
        {"2026-01-02T03:04:61Z", false, 0},
        {"2026-01-02T03:04:05+24:00", false, 0},
        {"2026-01-02T03:04:05+01:60", false, 0},
        {"2026-01-02T03:04:05+0100", false, 0},
        {"2026-01-02T03:04:05+01", false, 0},
        {"2026-01-02T03:04:05*01:00", false, 0},
        {"+026-01-02T03:04:05Z", false, 0},
        {"2026-01-02T03:04:-5Z", false, 0},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        int64_t got = -4242;
        bool ok = rd_rfc3339_parse(cases[i].text, &got);
        rd_check_int(cases[i].text, ok, cases[i].ok);
        rd_check_int(cases[i].text, got, cases[i].ok ? cases[i].ms : -4242);
    }
}

static void rfc3339_round_trip(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t want = (int64_t)(rd_random_u64() % 315569520000000) - 62167219200000;
        int64_t got = 0;
        char text[32];
        rd_rfc3339_ms(want, text);
        assert_true(rd_rfc3339_parse(text, &got));
        rd_check_int(text, got, want);
    }
}

static void duration_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t ms;
    } cases[] = {
        {"90s", true, 90000},
        {"1h30m", true, 5400000},
        {"500ms", true, 500},
        {"2m", true, 120000},
        {"0s", true, 0},
        {"1h2m3s4ms", true, 3723004},
        {"1h4ms", true, 3600004},
        {"1.5s", true, 1500},
        {"3.500000000s", true, 3500},
        {"0.0001s", true, 1},
        {"1.0000000000001s", true, 1001},
        {"0.25h", true, 900000},
        {"0.5ms", true, 1},
        {"00012s", true, 12000},
        {"5124095576030h", true, 18446744073708000000u},
        {"", false, 0},
        {"0", false, 0},
        {"90", false, 0},
        {"1h30", false, 0},
        {"s", false, 0},
        {"-1s", false, 0},
        {"+1s", false, 0},
        {" 1s", false, 0},
        {"1s ", false, 0},
        {"1 s", false, 0},
        {"1h 30m", false, 0},
        {".5s", false, 0},
        {"1.s", false, 0},
        {"1.2.3s", false, 0},
        {"1m1h", false, 0},
        {"1s1s", false, 0},
        {"1ms1s", false, 0},
        {"1d", false, 0},
        {"1us", false, 0},
        {"1H", false, 0},
        {"1sec", false, 0},
        {"1min", false, 0},
        {"1e3s", false, 0},
        {"18446744073709551615ms", false, 0},
        {"18446744073709551616ms", false, 0},
        {"99999999999999999999999s", false, 0},
        {"5124095576031h", false, 0},
        {"5124095576030h60m", false, 0},
        {"5124095576030h25m51s615ms", false, 0},
        {"5124095576030h25m51s614ms", true, UINT64_MAX - 1},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        uint64_t got = 4242;
        bool ok = rd_duration_parse(cases[i].text, &got);
        rd_check_int(cases[i].text, ok, cases[i].ok);
        rd_check_int(cases[i].text, (long long)got, (long long)(cases[i].ok ? cases[i].ms : 4242));
    }
}

static void duration_text_table(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *want;
    } cases[] = {
        {0, "0ms"},           {120, "120ms"},
        {999, "999ms"},       {1000, "1s"},
        {1099, "1s"},         {4500, "4.5s"},
        {59999, "59.9s"},     {60000, "1m"},
        {123000, "2m 3s"},    {123999, "2m 3s"},
        {3599999, "59m 59s"}, {3600000, "1h"},
        {3659999, "1h"},      {3720000, "1h 2m"},
        {90000000, "25h"},    {UINT64_MAX, "5124095576030h 25m"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        char got[32];
        rd_duration_text(cases[i].ms, got);
        rd_check_str(cases[i].want, got, cases[i].want);
    }
}

static void http_date_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t ms;
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", true, 784111777000},
        {"Thu, 01 Jan 1970 00:00:00 GMT", true, 0},
        {"Thu, 29 Feb 2024 12:00:00 GMT", true, 1709208000000},
        {"Sat, 31 Dec 2016 23:59:60 GMT", true, 1483228800000},
        {"Sunday, 06-Nov-94 08:49:37 GMT", false, 0},
        {"Sun Nov  6 08:49:37 1994", false, 0},
        {"", false, 0},
        {"Su", false, 0},
        {"Sun", false, 0},
        {"Sun,", false, 0},
        {"Xyz, 06 Nov 1994 08:49:37 GMT", false, 0},
        {"sun, 06 Nov 1994 08:49:37 GMT", false, 0},
        {"Sun, 6 Nov 1994 08:49:37 GMT", false, 0},
        {"Sun, 06 Nox 1994 08:49:37 GMT", false, 0},
        {"Sun, 31 Nov 1994 08:49:37 GMT", false, 0},
        {"Sun, 06 Nov 94 08:49:37 GMT", false, 0},
        {"Sun, 06 Nov 1994 24:49:37 GMT", false, 0},
        {"Sun, 06 Nov 1994 08:49:37", false, 0},
        {"Sun, 06 Nov 1994 08:49:37 UTC", false, 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", false, 0},
        {"Sun, 06 Nov 1994 08:49:37 +0000", false, 0},
        {"120", false, 0},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        int64_t got = -4242;
        bool ok = rd_http_date_parse(cases[i].text, &got);
        rd_check_int(cases[i].text, ok, cases[i].ok);
        rd_check_int(cases[i].text, got, cases[i].ok ? cases[i].ms : -4242);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_run_forward), cmocka_unit_test(format_table),
        cmocka_unit_test(rfc3339_table),      cmocka_unit_test(rfc3339_round_trip),
        cmocka_unit_test(duration_table),     cmocka_unit_test(duration_text_table),
        cmocka_unit_test(http_date_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
