/* One YAML document from libyaml's events to a json tree, without recursion. */
#ifndef RD_MANIFEST_READER_H
#define RD_MANIFEST_READER_H

#include "manifest/yaml.h"

struct yaml_marks {
    json_t *map; /* owned; JSON pointer -> line */
};

/* A piece of a stream that holds at most one document. */
struct yaml_chunk {
    const char *name; /* borrowed; for messages */
    const char *text; /* borrowed */
    size_t len;
    int line; /* of its first byte, 1-based */
    enum yaml_mode mode;
    bool want_marks;
    size_t depth_max;
    size_t *nodes_left; /* of the whole stream, borrowed; counted down */
    size_t *bytes_left; /* what aliases may still copy, borrowed; counted down */
};

/* ret is untouched on failure; its root is json null when the chunk holds no document. */
bool yaml_read_chunk(const struct yaml_chunk *c, struct yaml_doc *ret,
                     struct rd_err **reterr) RD_MUST_CHECK;

#endif
