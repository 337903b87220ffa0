/* Small string helpers. */
#ifndef RD_BASE_TEXT_H
#define RD_BASE_TEXT_H

#include "base/buf.h"

bool rd_streq(const char *a, const char *b); /* NULL equals only NULL */
bool rd_starts_with(const char *s, const char *prefix);
bool rd_ends_with(const char *s, const char *suffix);
/* Glob with '*' and '?' only. */
bool rd_glob_match(const char *pattern, const char *s);
/* The entry of NULL-ended `words` nearest to `word` by edits, or NULL when none is near. */
const char *rd_text_nearest(const char *word, const char *const *words);
/* Appends `s` with control bytes, DEL and C1 neutralised as \xNN and marks that turn the writing
 * direction as \uNNNN, so that remote text cannot drive a terminal; newline and tab become "\n" and
 * "\t" unless keep_newlines. Invalid UTF-8 is escaped byte by byte. The result is valid UTF-8. */
void rd_text_escape(struct rd_buf *out, const char *s, size_t len, bool keep_newlines);
/* Kubernetes names: RFC 1123 label (<= 63) and subdomain (<= 253). */
bool rd_is_dns_label(const char *s, size_t max);
bool rd_is_dns_subdomain(const char *s);
/* A Kubernetes quantity ("500m", "2Gi", "1e3") as a number scaled by 1000; false when malformed or
 * out of range. Source: k8s.io/apimachinery/pkg/api/resource. */
bool rd_quantity_parse_milli(const char *text, int64_t *ret_milli) RD_MUST_CHECK;

struct rd_strv { /* growing NULL-ended list of owned strings */
    char **v;
    size_t len;
};
void rd_strv_add(struct rd_strv *l, const char *s);
void rd_strv_take(struct rd_strv *l, char *take);
void rd_strv_clear(struct rd_strv *l);
bool rd_strv_has(const struct rd_strv *l, const char *s);
/* Splits at any character of `seps`, dropping empty parts. */
void rd_strv_split(struct rd_strv *l, const char *s, const char *seps);

#endif
