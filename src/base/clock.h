/* Time. Deadlines use the boot clock, which counts sleep and never steps back; dates are for people
 * and for protocols. */
#ifndef RD_BASE_CLOCK_H
#define RD_BASE_CLOCK_H

#include "base/err.h"

#define RD_NEVER UINT64_MAX

uint64_t rd_boot_ms(void);      /* CLOCK_BOOTTIME */
int64_t rd_wall_ms(void);       /* since the epoch, UTC */
/* "2026-01-02T03:04:05.678Z"; out has room for 32. */
void rd_rfc3339_ms(int64_t wall_ms, char *out);
/* "2026-01-02T03:04:05.678901Z", the only form a Lease accepts; out has room for 32. */
void rd_rfc3339_us(int64_t wall_us, char *out);
/* Any RFC 3339 date with offset; false when malformed. */
bool rd_rfc3339_parse(const char *text, int64_t *ret_wall_ms) RD_MUST_CHECK;
/* "90s", "1h30m", "500ms", "2m"; a bare number is refused. */
bool rd_duration_parse(const char *text, uint64_t *ret_ms) RD_MUST_CHECK;
/* "1h 2m", "2m 3s", "4.5s", "120ms" for people; out has room for 32. */
void rd_duration_text(uint64_t ms, char *out);
/* The IMF-fixdate of HTTP (RFC 9110 section 5.6.7); false when malformed. */
bool rd_http_date_parse(const char *text, int64_t *ret_wall_ms) RD_MUST_CHECK;

#endif
