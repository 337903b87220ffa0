/* Checks request bodies against the fields the real services know, and refuses in their words. */
#ifndef EMU_SCHEMA_H
#define EMU_SCHEMA_H

#include "base/json.h"

/* "Name{field:type ...}", sorted by name; generated once from public API descriptions. */
extern const char *const schema_types[];
extern const size_t schema_types_len;

/* false: *ret_why is the message of the INVALID_ARGUMENT answer, owned. Follows the JSON rules of
 * proto3: numbers may come as strings, int64 too, null is absence. */
bool schema_check(const char *type, const json_t *body, char **ret_why);

#endif
