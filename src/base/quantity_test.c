#include "base/test.h"

#include "base/alloc.h"

struct quantity_case {
    const char *text;
    bool ok;
    int64_t milli;
};

static void check_cases(const struct quantity_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t got = -4242;
        bool ok = rd_quantity_parse_milli(cases[i].text, &got);
        rd_check_int(cases[i].text, ok, cases[i].ok);
        rd_check_int(cases[i].text, got, cases[i].ok ? cases[i].milli : -4242);
    }
}

static void every_suffix(void **state)
{
    (void)state;
    static const struct quantity_case cases[] = {
        {"1", true, 1000},
        {"1000000000n", true, 1000},
        {"2000000u", true, 2000},
        {"500m", true, 500},
        {"3k", true, 3000000},
        {"3M", true, 3000000000},
        {"3G", true, 3000000000000},
        {"3T", true, 3000000000000000},
        {"3P", true, 3000000000000000000},
        {"0.001E", true, 1000000000000000000},
        {"2Ki", true, 2048000},
        {"2Mi", true, 2097152000},
        {"2Gi", true, 2147483648000},
        {"2Ti", true, 2199023255552000},
        {"2Pi", true, 2251799813685248000},
        {"0.001Ei", true, 1152921504606846976},
        {"1.5Gi", true, 1610612736000},
        {"1e3", true, 1000000},
        {"1E3", true, 1000000},
        {"1e+3", true, 1000000},
        {"25e-1", true, 2500},
        {"1e0", true, 1000},
        {"1e-0", true, 1000},
    };
    check_cases(cases, RD_ARRAY_LEN(cases));
}

static void shapes_of_numbers(void **state)
{
    (void)state;
    static const struct quantity_case cases[] = {
        {"0", true, 0},
        {"0.5", true, 500},
        {".5", true, 500},
        {"5.", true, 5000},
        {"5.k", true, 5000000},
        {"+5", true, 5000},
        {"-1", true, -1000},
        {"-1.5Ki", true, -1536000},
        {"-0", true, 0},
        {"007", true, 7000},
        {"00000000000000000000000000000000000007", true, 7000},
        {"1.00000000000000000000000000000000000", true, 1000},
        {"0e99999", true, 0},
        {"0Ei", true, 0},
    };
    check_cases(cases, RD_ARRAY_LEN(cases));
}

/* Away from zero, so that a request for a little is never a request for nothing. */
static void rounds_up(void **state)
{
    (void)state;
    static const struct quantity_case cases[] = {
        {"0.1m", true, 1},
        {"1n", true, 1},
        {"-1n", true, -1},
        {"1000001n", true, 2},
        {"1000000n", true, 1},
        {"0.0001", true, 1},
        {"1.0001", true, 1001},
        {"1.0000000000000000000000000000000000001", true, 1001},
        {"0.0000000000000000000000000000000000001", true, 1},
        {"1e-50", true, 1},
        {"1e-99999", true, 1},
        {"0.0005Ki", true, 512},
    };
    check_cases(cases, RD_ARRAY_LEN(cases));
}

static void range(void **state)
{
    (void)state;
    static const struct quantity_case cases[] = {
        {"9223372036854775807m", true, INT64_MAX},
        {"9223372036854775.807", true, INT64_MAX},
        {"-9223372036854775807m", true, -INT64_MAX},
        {"9223372036854775807000000n", true, INT64_MAX},
        {"9223372036854775806999999.9n", true, INT64_MAX},
        {"9223372036854775808m", false, 0},
        {"-9223372036854775808m", false, 0},
        {"9223372036854775807000001n", false, 0},
        {"8Pi", true, 9007199254740992000},
        {"9Pi", false, 0},
        {"1E", false, 0},
        {"1Ei", false, 0},
        {"99999999999999999999Ei", false, 0},
        {"1e16", false, 0},
        {"9e15", true, 9000000000000000000},
        {"1e99999", false, 0},
        {"1e100001", false, 0},
        {"1e99999999999999999999", false, 0},
        {"123456789012345678901234567890", false, 0},
        {"123456789012345678901234567890e-20", true, 1234567890124},
        {"100000000000000000000000000000e-29", true, 1000},
    };
    check_cases(cases, RD_ARRAY_LEN(cases));
}

static void malformed(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",     " ",     ".",    "-",         "+",    "-.",    "--1",   "+-1",  "1 ",   " 1",
        "1..2", "1.2.3", "1 Gi", "1gi",       "1GI",  "1K",    "1ki",   "1kb",  "1GB",  "1GiB",
        "1mm",  "1i",    "m",    "Gi",        "e3",   "1e",    "1e+",   "1e-",  "1e3k", "1e3.5",
        "1e3m", "1,5",   "0x10", "1_0",       "1e 3", "inf",   "nan",   "NaN",  "1\n",  "\xd9\xa1",
        "1Mi2", "1Zi",   "1Y",   "1\xc2\xb5", "1-",   "1e--3", "1.e.3", "1ee3",
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(cases); i++) {
        struct quantity_case c = {cases[i], false, 0};
        check_cases(&c, 1);
    }
    /* More digits than an int can count places for must end, not wrap. */
    RD_AUTOFREE char *zeros = rd_asprintf("0.%0*d1", 300000, 0);
    int64_t milli = 0;
    rd_check_int("300000 places", rd_quantity_parse_milli(zeros, &milli), false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_suffix), cmocka_unit_test(shapes_of_numbers),
        cmocka_unit_test(rounds_up),    cmocka_unit_test(range),
        cmocka_unit_test(malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
