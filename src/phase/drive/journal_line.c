/* The journal's lines, without a disk: a record to a line and back, and what a file of lines holds. */
#include "phase/drive/journal.h"

#include "base/alloc.h"
#include "base/encode.h"

#include <string.h>

#define SUM_LEN 16 /* hex digits of SHA-256: against accidents, not against people */

static void sum_of(const json_t *record, char *out)
{
    RD_AUTOFREE char *text = rd_json_dump(record);
    char hex[RD_SHA256_HEX_LEN + 1];
    rd_sha256_hex(text, strlen(text), hex);
    memcpy(out, hex, SUM_LEN);
    out[SUM_LEN] = '\0';
}

json_t *journal_read_line(const char *line, size_t len)
{
    RD_AUTOERR struct rd_err *err = NULL;
    RD_AUTOJSON json_t *record = rd_json_parse_own(line, len, "journal record", &err);
    const char *sum = rd_json_str(record, "sum", NULL);
    if (sum == NULL || !json_is_integer(json_object_get(record, "seq")) ||
        rd_json_str(record, "type", NULL) == NULL)
        return NULL;
    RD_AUTOFREE char *claimed = rd_strdup(sum);
    json_object_del(record, "sum");
    char real[SUM_LEN + 1];
    sum_of(record, real);
    return strcmp(claimed, real) == 0 ? json_incref(record) : NULL;
}

char *journal_write_line(json_t *record)
{
    char sum[SUM_LEN + 1];
    json_object_del(record, "sum");
    sum_of(record, sum);
    json_object_set_new(record, "sum", json_string(sum));
    RD_AUTOFREE char *text = rd_json_dump(record);
    RD_ASSERT(strchr(text, '\n') == NULL);
    json_object_del(record, "sum");
    return rd_asprintf("%s\n", text);
}

void journal_scan(const char *data, size_t len, json_t *records, struct journal_scan *ret)
{
    *ret = (struct journal_scan){.next_seq = 1};
    while (ret->good < len) {
        const char *at = data + ret->good, *end = memchr(at, '\n', len - ret->good);
        size_t size = end != NULL ? (size_t)(end - at) : len - ret->good;
        bool last = ret->good + size + 1 >= len;
        json_t *record = end != NULL ? journal_read_line(at, size) : NULL;
        ret->line++;
        if (record == NULL && last) {
            ret->torn = true; /* the run died while it wrote this: nothing relied on it yet */
            return;
        }
        if (record == NULL) {
            ret->damage = "its checksum does not match";
            return;
        }
        if ((uint64_t)json_integer_value(json_object_get(record, "seq")) != ret->next_seq) {
            json_decref(record);
            ret->damage = "a record is missing before it";
            return;
        }
        ret->next_seq++;
        json_array_append_new(records, record);
        ret->good += size + 1;
    }
}
