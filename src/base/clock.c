#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TIME_TEXT_MAX 32

uint64_t rd_boot_ms(void)
{
    struct timespec ts;
    int failed = clock_gettime(CLOCK_BOOTTIME, &ts);
    RD_ASSERT(failed == 0);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int64_t rd_wall_ms(void)
{
    struct timespec ts;
    int failed = clock_gettime(CLOCK_REALTIME, &ts);
    RD_ASSERT(failed == 0);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Years 0000 to 9999 are all the format can say; beyond them we stop at the edge. */
static const int64_t oldest_s = -62167219200;
static const int64_t newest_s = 253402300799;

static void format_rfc3339(int64_t value, int64_t per_second, int digits, char *out)
{
    int64_t seconds = value / per_second;
    int64_t fraction = value % per_second;
    if (fraction < 0) {
        fraction += per_second;
        seconds--;
    }
    if (seconds < oldest_s) {
        seconds = oldest_s;
        fraction = 0;
    } else if (seconds > newest_s) {
        seconds = newest_s;
        fraction = per_second - 1;
    }
    time_t t = (time_t)seconds;
    struct tm tm;
    struct tm *ok = gmtime_r(&t, &tm);
    RD_ASSERT(ok != NULL);
    size_t n = (size_t)snprintf(out, TIME_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%0*uZ",
                                (unsigned)(tm.tm_year + 1900), (unsigned)tm.tm_mon + 1,
                                (unsigned)tm.tm_mday, (unsigned)tm.tm_hour, (unsigned)tm.tm_min,
                                (unsigned)tm.tm_sec, digits, (unsigned)fraction);
    RD_ASSERT(n < TIME_TEXT_MAX);
}

void rd_rfc3339_ms(int64_t wall_ms, char *out)
{
    format_rfc3339(wall_ms, 1000, 3, out);
}

void rd_rfc3339_us(int64_t wall_us, char *out)
{
    format_rfc3339(wall_us, 1000000, 6, out);
}

/* Exactly n digits at *p, which moves past them. */
static bool take_digits(const char **p, int n, int *ret)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        char c = (*p)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *p += n;
    *ret = value;
    return true;
}

static bool take_char(const char **p, char c)
{
    if (**p != c)
        return false;
    ++*p;
    return true;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

/* Seconds since the epoch of a checked UTC date; false when a field is out of range. */
static bool civil_seconds(int year, int month, int day, int hour, int minute, int second,
                          int64_t *ret)
{
    if (month < 1 || month > 12 || day < 1 || day > month_days(year, month))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    struct tm tm = {
        .tm_year = year - 1900,
        .tm_mon = month - 1,
        .tm_mday = day,
        .tm_hour = hour,
        .tm_min = minute,
    };
    *ret = (int64_t)timegm(&tm) + second;
    return true;
}

static bool take_fraction_ms(const char **p, int *ret_ms)
{
    int scale = 100;
    *ret_ms = 0;
    if (!take_char(p, '.'))
        return true;
    const char *start = *p;
    for (; **p >= '0' && **p <= '9'; ++*p) {
        *ret_ms += (**p - '0') * scale;
        scale /= 10;
    }
    return *p > start;
}

static bool take_offset(const char **p, int *ret_minutes)
{
    *ret_minutes = 0;
    if (take_char(p, 'Z') || take_char(p, 'z'))
        return true;
    bool west = **p == '-';
    if (!west && **p != '+')
        return false;
    ++*p;
    int hours, minutes;
    if (!take_digits(p, 2, &hours) || !take_char(p, ':') || !take_digits(p, 2, &minutes))
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    *ret_minutes = (hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

bool rd_rfc3339_parse(const char *text, int64_t *ret_wall_ms)
{
    const char *p = text;
    int year, month, day, hour, minute, second, ms, offset;
    if (!take_digits(&p, 4, &year) || !take_char(&p, '-') || !take_digits(&p, 2, &month) ||
        !take_char(&p, '-') || !take_digits(&p, 2, &day))
        return false;
    if (!take_char(&p, 'T') && !take_char(&p, 't') && !take_char(&p, ' '))
        return false;
    if (!take_digits(&p, 2, &hour) || !take_char(&p, ':') || !take_digits(&p, 2, &minute) ||
        !take_char(&p, ':') || !take_digits(&p, 2, &second))
        return false;
    if (!take_fraction_ms(&p, &ms) || !take_offset(&p, &offset) || *p != '\0')
        return false;
    int64_t seconds;
    if (!civil_seconds(year, month, day, hour, minute, second, &seconds))
        return false;
    seconds -= (int64_t)offset * 60;
    /* A leap second is only ever the last one of a UTC day; it counts as the next day's first. */
    if (second == 60 && seconds % 86400 != 0)
        return false;
    *ret_wall_ms = seconds * 1000 + ms;
    return true;
}

bool rd_http_date_parse(const char *text, int64_t *ret_wall_ms)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const char *p = text;
    bool day_known = false;
    for (size_t i = 0; i < RD_ARRAY_LEN(days); i++)
        day_known = day_known || strncmp(p, days[i], 3) == 0;
    if (!day_known)
        return false;
    p += 3;
    int day, year, hour, minute, second, month = 0;
    if (!take_char(&p, ',') || !take_char(&p, ' ') || !take_digits(&p, 2, &day) ||
        !take_char(&p, ' '))
        return false;
    for (size_t i = 0; i < RD_ARRAY_LEN(months); i++) {
        if (strncmp(p, months[i], 3) == 0)
            month = (int)i + 1;
    }
    if (month == 0)
        return false;
    p += 3;
    if (!take_char(&p, ' ') || !take_digits(&p, 4, &year) || !take_char(&p, ' ') ||
        !take_digits(&p, 2, &hour) || !take_char(&p, ':') || !take_digits(&p, 2, &minute) ||
        !take_char(&p, ':') || !take_digits(&p, 2, &second) || strcmp(p, " GMT") != 0)
        return false;
    int64_t seconds;
    if (!civil_seconds(year, month, day, hour, minute, second, &seconds))
        return false;
    *ret_wall_ms = seconds * 1000;
    return true;
}

/* One number with an optional fraction, in thousandths of a millisecond's unit: value * unit_ms,
 * fractions of a millisecond rounded up so that a wait is never shorter than asked. */
struct duration_part {
    uint64_t whole;
    uint64_t fraction; /* at most 9 digits are looked at */
    uint64_t divisor;
    bool more; /* a digit beyond them was not zero */
};

static bool take_number(const char **p, struct duration_part *out)
{
    *out = (struct duration_part){.divisor = 1};
    bool any = false;
    for (; **p >= '0' && **p <= '9'; ++*p) {
        any = true;
        if (__builtin_mul_overflow(out->whole, (uint64_t)10, &out->whole) ||
            __builtin_add_overflow(out->whole, (uint64_t)(**p - '0'), &out->whole))
            return false;
    }
    if (!any)
        return false;
    if (!take_char(p, '.'))
        return true;
    any = false;
    for (; **p >= '0' && **p <= '9'; ++*p) {
        any = true;
        if (out->divisor < 1000000000) {
            out->fraction = out->fraction * 10 + (uint64_t)(**p - '0');
            out->divisor *= 10;
        } else if (**p != '0') {
            out->more = true;
        }
    }
    return any;
}

bool rd_duration_parse(const char *text, uint64_t *ret_ms)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"h", 3600000}, {"ms", 1}, {"m", 60000}, {"s", 1000}};
    uint64_t total = 0, last_ms = UINT64_MAX;
    const char *p = text;
    if (*p == '\0')
        return false;
    while (*p != '\0') {
        struct duration_part part;
        if (!take_number(&p, &part))
            return false;
        uint64_t unit_ms = 0;
        for (size_t i = 0; i < RD_ARRAY_LEN(units) && unit_ms == 0; i++) {
            size_t n = strlen(units[i].name);
            if (strncmp(p, units[i].name, n) == 0) {
                unit_ms = units[i].ms;
                p += n;
            }
        }
        /* Each unit once, from large to small: "1m1h" is more likely a slip than a wish. */
        if (unit_ms == 0 || unit_ms >= last_ms)
            return false;
        last_ms = unit_ms;
        uint64_t ms;
        if (__builtin_mul_overflow(part.whole, unit_ms, &ms))
            return false;
        uint64_t small = part.fraction * unit_ms; /* below 10^9 * 3.6 * 10^6 */
        uint64_t extra = small / part.divisor;
        if (small % part.divisor != 0 || part.more)
            extra++;
        if (__builtin_add_overflow(ms, extra, &ms) || __builtin_add_overflow(total, ms, &total))
            return false;
    }
    if (total == RD_NEVER)
        return false;
    *ret_ms = total;
    return true;
}

/* Cut, never rounded: "60s" must not show up before the minute is over. */
void rd_duration_text(uint64_t ms, char *out)
{
    uint64_t seconds = ms / 1000, minutes = seconds / 60, hours = minutes / 60;
    unsigned tenths = (unsigned)(ms % 1000 / 100);
    if (ms < 1000)
        snprintf(out, TIME_TEXT_MAX, "%ums", (unsigned)ms);
    else if (seconds < 60 && tenths > 0)
        snprintf(out, TIME_TEXT_MAX, "%u.%us", (unsigned)seconds, tenths);
    else if (seconds < 60)
        snprintf(out, TIME_TEXT_MAX, "%us", (unsigned)seconds);
    else if (hours == 0 && seconds % 60 == 0)
        snprintf(out, TIME_TEXT_MAX, "%um", (unsigned)minutes);
    else if (hours == 0)
        snprintf(out, TIME_TEXT_MAX, "%um %us", (unsigned)minutes, (unsigned)(seconds % 60));
    else if (minutes % 60 == 0)
        snprintf(out, TIME_TEXT_MAX, "%lluh", (unsigned long long)hours);
    else
        snprintf(out, TIME_TEXT_MAX, "%lluh %um", (unsigned long long)hours,
                 (unsigned)(minutes % 60));
}
