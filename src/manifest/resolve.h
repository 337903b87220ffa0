/* What a YAML scalar means. Pure; used by the reader and, to know what must be quoted, by the
 * writer.
 *
 * Foreign scalars resolve as in go.yaml.in/yaml/v2, which sigs.k8s.io/yaml (and so kubectl) uses:
 * the YAML 1.1 words y, yes, on and their kin are booleans, 0777 and 0o777 are octal, underscores
 * in numbers are dropped, base 60 is text, dates stay text. tests/yaml holds that library's
 * answers. */
#ifndef RD_MANIFEST_RESOLVE_H
#define RD_MANIFEST_RESOLVE_H

#include "base/json.h"

enum scalar_type {
    SCALAR_NULL,
    SCALAR_BOOL,
    SCALAR_INT,
    SCALAR_UINT, /* above INT64_MAX */
    SCALAR_FLOAT,
    SCALAR_STRING,
    SCALAR_TYPE_MAX
};

struct scalar {
    enum scalar_type type;
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
    };
    const char *text; /* borrowed; the scalar as written */
    size_t len;
    char *bytes; /* owned; decoded !!binary, NULL otherwise */
    size_t bytes_len;
};

/* `plain` as libyaml's plain_implicit; `tag` in its long form or NULL. NULL on success, else a
 * static text that says what is wrong. text is NUL-terminated and may hold NULs before len. */
const char *scalar_resolve_foreign(struct scalar *ret, const char *text, size_t len,
                                   const char *tag, bool plain) RD_MUST_CHECK;
/* Only what every YAML reader agrees about; the rest is an error that says to quote it. */
const char *scalar_resolve_strict(struct scalar *ret, const char *text, size_t len,
                                  bool plain) RD_MUST_CHECK;
void scalar_clear(struct scalar *s);

/* Owned; NULL for infinities and NaN, which JSON cannot say. A float whose shortest decimal form is
 * an integer becomes one, because that library writes it as one. */
json_t *scalar_to_json(const struct scalar *s);
/* Owned; the scalar as a mapping key; NULL for null and SCALAR_UINT, which that library refuses. */
char *scalar_to_key(const struct scalar *s, size_t *ret_len);

/* Owned; see scalar_to_json. For JSON input, whose 1.0 the API server is sent as 1. */
json_t *scalar_json_number(double d);

#endif
