/* One YAML reader, two modes, to a json tree.
 *
 * STRICT (our configuration and templates): duplicate keys, aliases, tags, merge keys and scalars
 * that readers disagree about (yes, off, 0644, 1_000, 1:30, ...) are refused with "quote it"; so is a
 * text with an escaped NUL, which would be read on as what stands before it.
 * FOREIGN (manifests, kubeconfig, chart, index): documents, scalars and keys as kubectl reads them
 * (k8s.io/apimachinery's decoder over sigs.k8s.io/yaml): YAML 1.1 words and octals, keys turned to
 * text, the last of duplicate keys wins, a stream that opens with { may be JSON values in a row.
 * Aliases and merge keys are expanded under ceilings of nodes, bytes and depth. Refused although
 * kubectl takes it: text behind the root of a document (after a "..." line, or indented less than the
 * first line), which it would drop without a word.
 *
 * Every error is RD_ERR_INPUT and says file, line and column. */
#ifndef RD_MANIFEST_YAML_H
#define RD_MANIFEST_YAML_H

#include "base/buf.h"
#include "base/json.h"

enum yaml_mode { YAML_STRICT, YAML_FOREIGN };

struct yaml_limits {
    size_t bytes_max; /* of the whole text */
    size_t nodes_max; /* of all documents, after expansion of aliases */
    size_t depth_max;
    size_t docs_max;
};
extern const struct yaml_limits yaml_limits_default; /* 64 MiB, 2 000 000, 100, 10 000 */

/* Where values came from: parallel to the tree by JSON pointer ("/spec/replicas" -> line). */
struct yaml_marks;
int yaml_marks_line(const struct yaml_marks *m, const char *pointer); /* 0: unknown */
void yaml_marks_free(struct yaml_marks *m);
/* parent + "/" + key, escaped as RFC 6901 has it; owned. */
char *yaml_pointer_child(const char *parent, const char *key);

struct yaml_doc {
    json_t *root;             /* owned; json null for an empty document */
    int line;                 /* 1-based line of the document's start */
    struct yaml_marks *marks; /* owned; NULL unless asked for */
};

struct yaml_stream {
    char *name; /* owned; file name for messages */
    struct yaml_doc *docs;
    size_t len;
};

/* Reads all documents of text. `name` is for messages ("-" becomes "stdin"). JSON is YAML. Empty
 * documents are kept as null; an empty text has none. limits NULL: the default. want_marks costs
 * memory: for our configuration only. ret is empty on failure. */
bool yaml_read(const char *text, size_t len, const char *name, enum yaml_mode mode,
               const struct yaml_limits *limits, bool want_marks, struct yaml_stream *ret,
               struct rd_err **reterr) RD_MUST_CHECK;
bool yaml_read_file(const char *path, enum yaml_mode mode, const struct yaml_limits *limits,
                    bool want_marks, struct yaml_stream *ret, struct rd_err **reterr) RD_MUST_CHECK;
void yaml_stream_clear(struct yaml_stream *s);

/* Writes a tree as block YAML that both modes read back to the same tree (but a real that is an
 * integer comes back from FOREIGN as one, and STRICT refuses a NUL). `comment` (may be NULL) goes above it
 * as # lines. Used by render and by kubeconfig writing. */
void yaml_write(struct rd_buf *out, const json_t *root, const char *comment);

#endif
