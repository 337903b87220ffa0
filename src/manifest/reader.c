#include "manifest/reader_parts.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static bool fail_parser(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    RD_ASSERT(p->error != YAML_MEMORY_ERROR);
    const char *problem = p->problem ? p->problem : "not YAML";
    if (strcmp(problem, "did not find expected <document start>") == 0)
        return reader_fail_at(r, p->problem_mark, "%s", reader_after_end);
    if (p->error != YAML_READER_ERROR)
        return reader_fail_at(r, p->problem_mark, "%s%s%s", problem, p->context ? " " : "",
                              p->context ? p->context : "");
    /* Bytes that are no text: libyaml has only an offset. */
    yaml_mark_t at = {0};
    size_t offset = p->problem_offset; /* without a byte order mark, which costs only columns */
    for (size_t i = 0; i < offset && i < r->chunk->len; i++) {
        at.column++;
        if (r->chunk->text[i] == '\n') {
            at.line++;
            at.column = 0;
        }
    }
    return reader_fail_at(r, at, "not UTF-8 text (%s)", problem);
}

/* %YAML and %TAG lines: no reader of manifests takes them (the --- after them ends a document of
 * its own there), and libyaml compares each %TAG with all before it. */
static bool has_directive(const struct yaml_chunk *c, yaml_mark_t *ret)
{
    const char *end = c->text + c->len;
    for (const char *p = c->text; (p = memchr(p, '%', (size_t)(end - p))); p++) {
        size_t left = (size_t)(end - p);
        bool word =
            (left > 4 && memcmp(p, "%TAG", 4) == 0) || (left > 5 && memcmp(p, "%YAML", 5) == 0);
        size_t before = (size_t)(p - c->text);
        const unsigned char *b = (const unsigned char *)p;
        bool first = before == 0 || p[-1] == '\n' || p[-1] == '\r' ||
                     (before >= 2 && b[-2] == 0xc2 && b[-1] == 0x85) ||
                     (before >= 3 && b[-3] == 0xe2 && b[-2] == 0x80 && (b[-1] & 0xfe) == 0xa8) ||
                     (before >= 3 && b[-3] == 0xef && b[-2] == 0xbb && b[-1] == 0xbf);
        if (word && first) {
            *ret = (yaml_mark_t){0};
            for (const char *q = c->text; q < p; q++)
                ret->line += *q == '\n';
            return true;
        }
    }
    return false;
}

/* libyaml's input: the chunk, and a newline if its last line has none, since kubectl gives it one
 * and a literal block that ends the file shows it. */
static int feed(void *data, unsigned char *buffer, size_t size, size_t *ret_len)
{
    struct reader *r = data;
    const struct yaml_chunk *c = r->chunk;
    size_t n = 0;
    if (r->fed < c->len) {
        n = c->len - r->fed < size ? c->len - r->fed : size;
        memcpy(buffer, c->text + r->fed, n);
    } else if (r->fed == c->len && c->len > 0 && c->text[c->len - 1] != '\n') {
        buffer[0] = '\n';
        n = 1;
    }
    r->fed += n;
    *ret_len = n;
    return 1;
}

static bool read_events(struct reader *r)
{
    yaml_mark_t at;
    if (has_directive(r->chunk, &at))
        return reader_fail_at(r, at, "YAML directives (%%YAML, %%TAG) are not supported");
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input(&r->parser, feed, r);
    if (r->chunk->len >= 3 && memcmp(r->chunk->text, "\xef\xbb\xbf", 3) == 0)
        r->fed = 3;
    size_t docs = 0;
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event))
            return fail_parser(r);
        bool ok = reader_on_event(r, &event, &docs);
        bool end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (!ok || end)
            return ok;
    }
}

bool yaml_read_chunk(const struct yaml_chunk *c, struct yaml_doc *ret, struct rd_err **reterr)
{
    struct reader r = {
        .chunk = c,
        .reterr = reterr,
        .root_line = c->line,
        .anchor_index = json_object(),
        .marks = c->want_marks ? json_object() : NULL,
    };
    int initialised = yaml_parser_initialize(&r.parser);
    RD_ASSERT(initialised);
    bool ok = read_events(&r);
    yaml_parser_delete(&r.parser);
    for (size_t i = 0; i < r.depth; i++)
        reader_frame_clear(&r.frames[i]);
    free(r.frames);
    for (size_t i = 0; i < r.anchors_len; i++)
        reader_value_clear(&r.anchors[i].v);
    free(r.anchors);
    json_decref(r.anchor_index);
    if (!ok) {
        reader_value_clear(&r.root);
        json_decref(r.marks);
        return false;
    }
    *ret = (struct yaml_doc){.root = r.root.json ? r.root.json : json_null(), .line = r.root_line};
    if (r.marks) {
        ret->marks = rd_calloc(1, sizeof(*ret->marks));
        ret->marks->map = r.marks;
    }
    return true;
}
