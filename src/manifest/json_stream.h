/* JSON values one after the other in a text, for the reader of foreign manifests. */
#ifndef RD_MANIFEST_JSON_STREAM_H
#define RD_MANIFEST_JSON_STREAM_H

#include "base/json.h"

/* Whether the first thing but white space is an opening brace. */
bool json_stream_opens(const char *text, size_t len);
void json_stream_skip_space(const char *text, size_t len, size_t *pos, int *line);
/* White space up to and with the first newline. */
void json_stream_skip_line(const char *text, size_t len, size_t *pos, int *line);

enum json_stream_result {
    JSON_STREAM_VALUE, /* *ret_value is owned, *ret_used bytes are behind us */
    JSON_STREAM_OTHER, /* not JSON */
    JSON_STREAM_RANGE, /* a float beyond doubles */
    JSON_STREAM_DEEP,
    JSON_STREAM_LARGE, /* more values than *nodes_left, which counts down */
};

/* Reads one object or array. Counts before it parses, so that a text cannot cost more memory than
 * its ceilings allow. Floats that are integers become integers (see resolve.h). */
enum json_stream_result json_stream_next(const char *text, size_t len, size_t depth_max,
                                         size_t *nodes_left, json_t **ret_value, size_t *ret_used);

#endif
