/* The state of a reader: the tree it builds (tree.c) from the events it gets (events.c) of the text
 * it feeds to libyaml (reader.c). */
#ifndef RD_MANIFEST_READER_PARTS_H
#define RD_MANIFEST_READER_PARTS_H

#include "manifest/reader.h"

#include <yaml.h>

/* A finished piece of the tree with what it costs to copy it. */
struct value {
    json_t *json; /* owned */
    size_t nodes;
    size_t bytes;
    size_t height; /* containers inside each other */
};

struct anchor {
    struct value v; /* json NULL: the node is still open */
};

#define NO_ANCHOR SIZE_MAX

struct frame { /* a container that is being filled */
    struct value v;
    size_t anchor;
    bool mapping;
    bool merge; /* the pending key is a merge key */
    char *key;  /* owned; pending key, NULL: the next event is a key */
    int key_line;
    char *pointer; /* owned; only with marks */
};

struct reader {
    const struct yaml_chunk *chunk;
    struct rd_err **reterr;
    yaml_parser_t parser;
    size_t fed;           /* bytes of the chunk that the parser has */
    struct frame *frames; /* owned */
    size_t depth, cap;
    struct anchor *anchors; /* owned */
    size_t anchors_len, anchors_cap;
    json_t *anchor_index; /* owned; name -> index */
    struct value root;
    int root_line;
    json_t *marks; /* owned; NULL: not wanted */
};

extern const char reader_after_end[]; /* what a second root is told */

bool reader_fail_at(struct reader *r, yaml_mark_t at, const char *fmt, ...) RD_PRINTF(3, 4);
/* Counts what is about to be added; copied: bytes that an alias repeats. */
bool reader_spend(struct reader *r, yaml_mark_t at, size_t nodes, size_t copied);
/* Owned pointer of the value that starts here, or NULL without marks. */
char *reader_mark_next(struct reader *r, yaml_mark_t at);
/* The node that starts here gets the name (NULL: none); a name may be given again. */
bool reader_anchor_open(struct reader *r, yaml_mark_t at, const char *name, size_t *ret);
void reader_anchor_close(struct reader *r, size_t anchor, const struct value *v);
/* Puts a finished value where the next one belongs. Takes *v whatever happens. */
bool reader_attach(struct reader *r, yaml_mark_t at, struct value *v, bool aliased);
bool reader_wants_key(const struct reader *r);
/* Takes the key. */
bool reader_set_key(struct reader *r, yaml_mark_t at, char *take, size_t len, bool is_merge);
bool reader_on_event(struct reader *r, const yaml_event_t *e, size_t *docs);

void reader_value_clear(struct value *v);
void reader_frame_clear(struct frame *f);

#endif
