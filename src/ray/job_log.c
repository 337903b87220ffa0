#include "ray/job_log.h"

#include <string.h>

enum log_state {
    LOG_VALUE,  /* between tokens */
    LOG_STRING, /* in a string */
    LOG_ESCAPE, /* after a backslash */
    LOG_UNIT,   /* in \uXXXX */
    LOG_DONE,   /* the log was read; the rest does not matter */
};

#define LOG_DEPTH_MAX 64

void ray_log_reader_init(struct ray_log_reader *r, uint64_t given)
{
    *r = (struct ray_log_reader){.given = given};
    rd_buf_init(&r->fresh, RD_BUF_UNBOUNDED); /* the owner takes it after every feed */
}

void ray_log_reader_clear(struct ray_log_reader *r)
{
    rd_buf_clear(&r->fresh);
}

void ray_log_reader_begin(struct ray_log_reader *r)
{
    struct rd_buf fresh = r->fresh;
    *r = (struct ray_log_reader){.given = r->given, .fresh = fresh};
}

/* One byte of a string: of the log, of a key, or of a value that is not ours. */
static void string_byte(struct ray_log_reader *r, char c)
{
    if (r->in_logs) {
        if (r->seen++ >= r->given) {
            rd_buf_putc(&r->fresh, c);
            r->given++;
        }
    } else if (r->key_next && r->word_len < sizeof(r->word)) {
        r->word[r->word_len++] = c;
    }
}

static void string_rune(struct ray_log_reader *r, unsigned code)
{
    if (code < 0x80) {
        string_byte(r, (char)code);
        return;
    }
    if (code < 0x800) {
        string_byte(r, (char)(0xc0 | code >> 6));
    } else {
        if (code < 0x10000) {
            string_byte(r, (char)(0xe0 | code >> 12));
        } else {
            string_byte(r, (char)(0xf0 | code >> 18));
            string_byte(r, (char)(0x80 | (code >> 12 & 0x3f)));
        }
        string_byte(r, (char)(0x80 | (code >> 6 & 0x3f)));
    }
    string_byte(r, (char)(0x80 | (code & 0x3f)));
}

/* A half of a pair that stays alone becomes U+FFFD: every answer decodes it alike, so counts agree.
 */
static void flush_high(struct ray_log_reader *r)
{
    if (r->high)
        string_rune(r, 0xfffd);
    r->high = 0;
}

static void string_unit(struct ray_log_reader *r, unsigned unit)
{
    if (r->high && unit >= 0xdc00 && unit <= 0xdfff) {
        unsigned code = 0x10000 + ((r->high - 0xd800) << 10) + (unit - 0xdc00);
        r->high = 0;
        string_rune(r, code);
        return;
    }
    flush_high(r);
    if (unit >= 0xd800 && unit <= 0xdbff)
        r->high = unit;
    else
        string_rune(r, unit >= 0xdc00 && unit <= 0xdfff ? 0xfffd : unit);
}

static void value_byte(struct ray_log_reader *r, char c)
{
    switch (c) {
    case '{':
    case '[':
        if (++r->depth > LOG_DEPTH_MAX)
            r->problem = "the answer is nested too deeply";
        r->key_next = c == '{';
        r->word_len = 0;
        return;
    case '}':
    case ']':
        r->depth--;
        r->key_next = false;
        return;
    case ',':
        r->key_next = r->depth == 1;
        r->word_len = 0;
        return;
    case ':':
        r->key_next = false;
        return;
    case '"':
        r->in_logs =
            r->depth == 1 && !r->key_next && r->word_len == 4 && memcmp(r->word, "logs", 4) == 0;
        r->found = r->found || r->in_logs;
        if (r->key_next)
            r->word_len = 0;
        r->state = LOG_STRING;
        return;
    default:
        if (r->depth == 0 && !strchr(" \t\r\n", c))
            r->problem = "the answer is not a JSON object";
        return;
    }
}

static void string_ends(struct ray_log_reader *r)
{
    flush_high(r);
    r->complete = r->in_logs;
    r->state = r->in_logs ? LOG_DONE : LOG_VALUE;
    r->in_logs = false;
}

static void escape_byte(struct ray_log_reader *r, char c)
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    const char *at = c ? strchr(names, c) : NULL;
    r->state = LOG_STRING;
    if (c == 'u') {
        r->state = LOG_UNIT;
        r->unit = 0;
        r->unit_digits = 0;
        return;
    }
    flush_high(r);
    if (at)
        string_byte(r, bytes[at - names]);
    else
        r->problem = "the answer has an unknown escape";
}

static void unit_byte(struct ray_log_reader *r, char c)
{
    unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                            : 16;
    if (digit == 16) {
        r->problem = "the answer has a malformed escape";
        return;
    }
    r->unit = r->unit << 4 | digit;
    if (++r->unit_digits == 4) {
        r->state = LOG_STRING;
        string_unit(r, r->unit);
    }
}

void ray_log_reader_feed(struct ray_log_reader *r, const char *data, size_t len)
{
    for (size_t i = 0; i < len && !r->problem && r->state != LOG_DONE; i++) {
        char c = data[i];
        switch ((enum log_state)r->state) {
        case LOG_VALUE:
            value_byte(r, c);
            break;
        case LOG_STRING:
            if (c == '"') {
                string_ends(r);
            } else if (c == '\\') {
                r->state = LOG_ESCAPE;
            } else {
                flush_high(r);
                string_byte(r, c);
            }
            break;
        case LOG_ESCAPE:
            escape_byte(r, c);
            break;
        case LOG_UNIT:
            unit_byte(r, c);
            break;
        case LOG_DONE:
            break;
        }
    }
}
