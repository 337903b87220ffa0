/* What a value of a placeholder may be. */
#ifndef RD_MANIFEST_PLACEHOLDER_H
#define RD_MANIFEST_PLACEHOLDER_H

#include "manifest/template.h"

/* NULL when v is of the type; else what it should be, for "NAME is not WHAT". */
const char *placeholder_check(enum placeholder_type type, const json_t *v);

/* A text cut into literal pieces and names. */
struct placeholder_part {
    bool is_name;
    char *text; /* owned */
};
struct placeholder_text {
    struct placeholder_part *v;
    size_t len;
};
/* NULL, or a static text that says what is malformed (ret is empty then). */
const char *placeholder_split(const char *text, struct placeholder_text *ret) RD_MUST_CHECK;
void placeholder_text_clear(struct placeholder_text *t);

#endif
