#include "manifest/yaml.h"

#include "base/alloc.h"
#include "base/file.h"
#include "manifest/json_stream.h"
#include "manifest/reader.h"

#include <stdlib.h>
#include <string.h>

const struct yaml_limits yaml_limits_default = {
    .bytes_max = (size_t)64 << 20,
    .nodes_max = 2000000,
    .depth_max = 100,
    .docs_max = 10000,
};

int yaml_marks_line(const struct yaml_marks *m, const char *pointer)
{
    return m ? (int)json_integer_value(json_object_get(m->map, pointer)) : 0;
}

void yaml_marks_free(struct yaml_marks *m)
{
    if (!m)
        return;
    json_decref(m->map);
    free(m);
}

char *yaml_pointer_child(const char *parent, const char *key)
{
    struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_buf_puts(&b, parent);
    rd_buf_putc(&b, '/');
    for (const char *p = key; *p; p++) {
        if (*p == '~')
            rd_buf_puts(&b, "~0");
        else if (*p == '/')
            rd_buf_puts(&b, "~1");
        else
            rd_buf_putc(&b, *p);
    }
    return rd_buf_take(&b, NULL);
}

struct stream_reader {
    const char *text;
    size_t len;
    size_t pos;
    int line; /* of pos */
    enum yaml_mode mode;
    const struct yaml_limits *limits;
    bool want_marks;
    size_t nodes_left;
    size_t bytes_left;
    struct yaml_stream *out;
    size_t cap;
};

static bool add_doc(struct stream_reader *r, struct yaml_doc *take, struct rd_err **reterr)
{
    if (r->out->len >= r->limits->docs_max) {
        int line = take->line;
        json_decref(take->root);
        yaml_marks_free(take->marks);
        return rd_fail(reterr, RD_ERR_INPUT, "%s:%d: more than %zu documents", r->out->name, line,
                       r->limits->docs_max);
    }
    if (r->out->len == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 4;
        r->out->docs = rd_reallocarray(r->out->docs, r->cap, sizeof(*r->out->docs));
    }
    r->out->docs[r->out->len++] = *take;
    return true;
}

static bool read_chunk(struct stream_reader *r, size_t start, size_t end, int line,
                       struct rd_err **reterr)
{
    struct yaml_chunk chunk = {
        .name = r->out->name,
        .text = r->text + start,
        .len = end - start,
        .line = line,
        .mode = r->mode,
        .want_marks = r->want_marks,
        .depth_max = r->limits->depth_max,
        .nodes_left = &r->nodes_left,
        .bytes_left = &r->bytes_left,
    };
    struct yaml_doc doc;
    return yaml_read_chunk(&chunk, &doc, reterr) && add_doc(r, &doc, reterr);
}

/* Only white space or a comment may follow the three dashes, as kubectl has it. */
static bool separator_ok(const char *rest, size_t len)
{
    size_t i = 0;
    while (i < len && (rest[i] == ' ' || (rest[i] >= '\t' && rest[i] <= '\r')))
        i++;
    return i == len || rest[i] == '#';
}

/* Cuts at lines that start with --- before any parsing, because kubectl does, and because an error
 * in one document then cannot hide in another. */
static bool read_yaml(struct stream_reader *r, struct rd_err **reterr)
{
    size_t start = r->pos;
    int start_line = r->line;
    bool buffered = false; /* a lone separator counts as text of the document it opens */
    while (r->pos < r->len) {
        const char *text = r->text + r->pos;
        const char *newline = memchr(text, '\n', r->len - r->pos);
        size_t line_len = newline ? (size_t)(newline - text) : r->len - r->pos;
        size_t next = r->pos + line_len + (newline ? 1 : 0);
        if (line_len >= 3 && memcmp(text, "---", 3) == 0) {
            if (!separator_ok(text + 3, line_len - 3))
                return rd_fail(reterr, RD_ERR_INPUT,
                               "%s:%d:4: only a comment may follow --- on its line", r->out->name,
                               r->line);
            if (buffered) {
                if (!read_chunk(r, start, r->pos, start_line, reterr))
                    return false;
                start = next;
                start_line = r->line + 1;
                buffered = false;
            } else {
                buffered = true;
            }
        } else {
            buffered = true;
        }
        r->pos = next;
        r->line++;
    }
    return !buffered || read_chunk(r, start, r->len, start_line, reterr);
}

/* A stream that opens with a brace is JSON until it proves not to be, as kubectl has it: objects
 * one after the other, or one object and then YAML documents. */
static bool read_json(struct stream_reader *r, struct rd_err **reterr)
{
    for (size_t count = 0;; count++) {
        size_t before = r->pos;
        int line_before = r->line;
        json_stream_skip_space(r->text, r->len, &r->pos, &r->line);
        if (r->pos == r->len)
            return true;
        struct yaml_doc doc = {.line = r->line};
        size_t used = 0;
        enum json_stream_result found =
            json_stream_next(r->text + r->pos, r->len - r->pos, r->limits->depth_max,
                             &r->nodes_left, &doc.root, &used);
        switch (found) {
        case JSON_STREAM_VALUE:
            if (!add_doc(r, &doc, reterr))
                return false;
            for (size_t i = 0; i < used; i++)
                r->line += r->text[r->pos + i] == '\n';
            r->pos += used;
            break;
        case JSON_STREAM_DEEP:
            return rd_fail(reterr, RD_ERR_INPUT, "%s:%d: nested deeper than %zu levels",
                           r->out->name, r->line, r->limits->depth_max);
        case JSON_STREAM_LARGE:
            return rd_fail(reterr, RD_ERR_INPUT, "%s:%d: too many values", r->out->name, r->line);
        case JSON_STREAM_RANGE:
            return rd_fail(reterr, RD_ERR_INPUT, "%s:%d: number out of range", r->out->name,
                           r->line);
        case JSON_STREAM_OTHER:
            if (count > 1)
                return rd_fail(reterr, RD_ERR_INPUT, "%s:%d: malformed JSON", r->out->name,
                               r->line);
            /* Only the rest of the line is taken from what YAML will see. */
            r->pos = before;
            r->line = line_before;
            json_stream_skip_line(r->text, r->len, &r->pos, &r->line);
            return read_yaml(r, reterr);
        }
    }
}

bool yaml_read(const char *text, size_t len, const char *name, enum yaml_mode mode,
               const struct yaml_limits *limits, bool want_marks, struct yaml_stream *ret,
               struct rd_err **reterr)
{
    if (!limits)
        limits = &yaml_limits_default;
    if (strcmp(name, "-") == 0)
        name = "stdin";
    if (len > limits->bytes_max)
        return rd_fail(reterr, RD_ERR_INPUT, "%s:1: larger than %zu bytes", name,
                       limits->bytes_max);
    *ret = (struct yaml_stream){.name = rd_strdup(name)};
    struct stream_reader r = {
        .text = text,
        .len = len,
        .line = 1,
        .mode = mode,
        .limits = limits,
        .want_marks = want_marks,
        .nodes_left = limits->nodes_max,
        .bytes_left = limits->bytes_max,
        .out = ret,
    };
    bool json = mode == YAML_FOREIGN && json_stream_opens(text, len);
    bool ok = json ? read_json(&r, reterr) : read_yaml(&r, reterr);
    if (!ok)
        yaml_stream_clear(ret);
    return ok;
}

bool yaml_read_file(const char *path, enum yaml_mode mode, const struct yaml_limits *limits,
                    bool want_marks, struct yaml_stream *ret, struct rd_err **reterr)
{
    if (!limits)
        limits = &yaml_limits_default;
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(limits->bytes_max);
    if (!rd_file_read(path, limits->bytes_max, &text, reterr))
        return false;
    return yaml_read(rd_buf_str(&text), text.len, path, mode, limits, want_marks, ret, reterr);
}

void yaml_stream_clear(struct yaml_stream *s)
{
    for (size_t i = 0; i < s->len; i++) {
        json_decref(s->docs[i].root);
        yaml_marks_free(s->docs[i].marks);
    }
    free(s->docs);
    free(s->name);
    *s = (struct yaml_stream){0};
}
