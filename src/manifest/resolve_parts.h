/* Pieces that foreign and strict resolution share. */
#ifndef RD_MANIFEST_RESOLVE_PARTS_H
#define RD_MANIFEST_RESOLVE_PARTS_H

#include "manifest/resolve.h"

/* Longer texts are never numbers: their conversion would cost more than linear time. */
#define NUMBER_MAX 1024

/* The forms of Go's strconv; false when text is of another. */
bool scalar_number_int(struct scalar *s,
                       const char *text); /* with a sign; 0x, 0o, 0b or a bare 0 */
bool scalar_number_float(struct scalar *s, const char *text); /* decimal, within range */
bool scalar_number_float_syntax(const char *text);            /* whatever the range */
/* Any of the above with underscores; text is of len bytes. */
bool scalar_number_any(struct scalar *s, const char *text, size_t len);

/* The type of a plain scalar that has no tag. */
void scalar_resolve_any(struct scalar *s);
bool scalar_looks_like_date(const char *text);

#endif
