/* Helpers over jansson. Borrowed strings live as long as the root they came from. */
#ifndef RD_BASE_JSON_H
#define RD_BASE_JSON_H

#include "base/err.h"

#include <jansson.h>

/* Owned; asserts instead of failing: the format is ours, so NULL would mean our bug. */
json_t *rd_json_pack(const char *fmt, ...);
/* Parses untrusted bytes: one object or array, depth bounded by jansson (2048). NUL, raw or as
 * \u0000, is refused, so strings read as C strings are whole. Of duplicate keys the last wins.
 * `what` names the document in the message; owned, or NULL with an RD_ERR_INPUT error. */
json_t *rd_json_parse(const char *data, size_t len, const char *what, struct rd_err **reterr)
    RD_MUST_CHECK;
/* The same for files that are ours or the user's: a duplicate key is an error. */
json_t *rd_json_parse_own(const char *data, size_t len, const char *what, struct rd_err **reterr)
    RD_MUST_CHECK;
char *rd_json_dump(const json_t *v); /* owned; compact, sorted keys */

/* Walk by keys: rd_json_get(o, "spec", "template", NULL). NULL when any part is missing or not an
 * object. Borrowed. */
json_t *rd_json_get(const json_t *root, ...) __attribute__((sentinel));
const char *rd_json_str(const json_t *root, ...) __attribute__((sentinel)); /* NULL if no string */
/* Dotted path, e.g. "status.conditions"; keys with dots cannot be reached this way. */
json_t *rd_json_path(const json_t *root, const char *dotted);
const char *rd_json_path_str(const json_t *root, const char *dotted);
/* Integer or integral real at path; `otherwise` when absent or of another type. */
json_int_t rd_json_path_int(const json_t *root, const char *dotted, json_int_t otherwise);
bool rd_json_path_bool(const json_t *root, const char *dotted, bool otherwise);
/* Sets a value at a dotted path; steals `value`, which must not be NULL. Anything on the way that is
 * missing or not an object becomes one. */
void rd_json_path_set(json_t *root, const char *dotted, json_t *value);
/* The condition object of `type` in status.conditions, or NULL. Borrowed. */
json_t *rd_json_condition(const json_t *object, const char *type);

void rd_json_decrefp(json_t **v);
#define RD_AUTOJSON RD_CLEANUP(rd_json_decrefp)

#endif
