#include "manifest/reader.h"

#include "base/alloc.h"
#include "manifest/resolve.h"

#include <stdlib.h>
#include <string.h>
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

static const char after_end[] = "text after the end of the document: indented less than its first "
                                "line, or in want of a --- before it";

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

static bool fail_at(struct reader *r, yaml_mark_t at, const char *fmt, ...) RD_PRINTF(3, 4);

static bool fail_at(struct reader *r, yaml_mark_t at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    return rd_fail(r->reterr, RD_ERR_INPUT, "%s:%d:%d: %s", r->chunk->name,
                   r->chunk->line + (int)at.line, (int)at.column + 1, text);
}

static void value_clear(struct value *v)
{
    json_decref(v->json);
    *v = (struct value){0};
}

static void frame_clear(struct frame *f)
{
    value_clear(&f->v);
    free(f->key);
    free(f->pointer);
    *f = (struct frame){0};
}

static bool spend(struct reader *r, yaml_mark_t at, size_t nodes, size_t copied)
{
    if (nodes > *r->chunk->nodes_left)
        return fail_at(r, at, "too many values, aliases expanded");
    if (copied > *r->chunk->bytes_left)
        return fail_at(r, at, "too many bytes, aliases expanded");
    *r->chunk->nodes_left -= nodes;
    *r->chunk->bytes_left -= copied;
    return true;
}

/* --- where values came from --- */

static char *pointer_of_next(const struct reader *r)
{
    if (r->depth == 0)
        return rd_strdup("");
    const struct frame *f = &r->frames[r->depth - 1];
    if (!f->mapping)
        return rd_asprintf("%s/%zu", f->pointer, json_array_size(f->v.json));
    return yaml_pointer_child(f->pointer, f->key ? f->key : "");
}

/* Owned pointer of the value that starts here, or NULL without marks. */
static char *mark_next(struct reader *r, yaml_mark_t at)
{
    if (!r->marks)
        return NULL;
    int line = r->chunk->line + (int)at.line;
    if (r->depth > 0 && r->frames[r->depth - 1].mapping)
        line = r->frames[r->depth - 1].key_line;
    char *pointer = pointer_of_next(r);
    json_object_set_new_nocheck(r->marks, pointer, json_integer(line));
    return pointer;
}

/* --- anchors --- */

/* The node that starts here gets the name; a name may be given again. */
static bool anchor_open(struct reader *r, yaml_mark_t at, const char *name, size_t *ret)
{
    *ret = NO_ANCHOR;
    if (!name)
        return true;
    if (r->chunk->mode == YAML_STRICT)
        return fail_at(r, at, "anchors (&%s) are not allowed here", name);
    if (r->anchors_len == r->anchors_cap) {
        r->anchors_cap = r->anchors_cap ? r->anchors_cap * 2 : 8;
        r->anchors = rd_reallocarray(r->anchors, r->anchors_cap, sizeof(*r->anchors));
    }
    *ret = r->anchors_len;
    r->anchors[r->anchors_len++] = (struct anchor){0};
    json_object_set_new_nocheck(r->anchor_index, name, json_integer((json_int_t)*ret));
    return true;
}

static void anchor_close(struct reader *r, size_t anchor, const struct value *v)
{
    if (anchor == NO_ANCHOR)
        return;
    r->anchors[anchor].v = *v;
    json_incref(v->json);
}

/* --- building --- */

static bool merge_one(struct reader *r, yaml_mark_t at, struct frame *f, const json_t *from)
{
    if (!json_is_object(from))
        return fail_at(r, at, "a merge key (<<) wants a mapping or a list of mappings");
    json_object_update(f->v.json, (json_t *)from);
    return true;
}

/* As in that library: keys that are merged later replace earlier ones, whoever wrote them, and in a
 * list of mappings the first has the last word. */
static bool merge(struct reader *r, yaml_mark_t at, struct frame *f, const json_t *from,
                  bool aliased)
{
    if (!json_is_array(from) || aliased)
        return merge_one(r, at, f, from);
    for (size_t i = json_array_size(from); i > 0; i--) {
        if (!merge_one(r, at, f, json_array_get(from, i - 1)))
            return false;
    }
    return true;
}

/* Takes *v whatever happens. */
static bool attach(struct reader *r, yaml_mark_t at, struct value *v, bool aliased)
{
    if (r->depth == 0) {
        RD_ASSERT(!r->root.json);
        r->root = *v;
        *v = (struct value){0};
        return true;
    }
    struct frame *f = &r->frames[r->depth - 1];
    f->v.nodes += v->nodes;
    f->v.bytes += v->bytes;
    if (v->height + 1 > f->v.height)
        f->v.height = v->height + 1;
    bool ok = true;
    if (!f->mapping) {
        json_array_append_new(f->v.json, v->json);
        v->json = NULL;
    } else {
        RD_ASSERT(f->key);
        if (f->merge) {
            ok = merge(r, at, f, v->json, aliased);
        } else {
            json_object_set_new_nocheck(f->v.json, f->key, v->json);
            v->json = NULL;
        }
        free(f->key);
        f->key = NULL;
        f->merge = false;
    }
    value_clear(v);
    return ok;
}

static bool wants_key(const struct reader *r)
{
    return r->depth > 0 && r->frames[r->depth - 1].mapping && !r->frames[r->depth - 1].key;
}

/* Takes the key. */
static bool set_key(struct reader *r, yaml_mark_t at, char *take, size_t len, bool is_merge)
{
    struct frame *f = &r->frames[r->depth - 1];
    f->key = take;
    f->key_line = r->chunk->line + (int)at.line;
    f->merge = is_merge;
    if (memchr(take, '\0', len))
        return fail_at(r, at, "a key holds a NUL byte");
    if (r->chunk->mode == YAML_STRICT && json_object_get(f->v.json, take))
        return fail_at(r, at, "key '%.80s' is given twice", take);
    return true;
}

static bool resolve(struct reader *r, const yaml_event_t *e, struct scalar *ret)
{
    const char *text = (const char *)e->data.scalar.value;
    size_t len = e->data.scalar.length;
    const char *problem;
    if (r->chunk->mode == YAML_STRICT) {
        if (e->data.scalar.tag)
            return fail_at(r, e->start_mark, "tags (%s) are not allowed here",
                           (const char *)e->data.scalar.tag);
        bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        problem = scalar_resolve_strict(ret, text, len, plain);
        if (problem)
            return fail_at(r, e->start_mark, "'%.40s' %s", text, problem);
        return true;
    }
    problem = scalar_resolve_foreign(ret, text, len, (const char *)e->data.scalar.tag,
                                     e->data.scalar.plain_implicit);
    return problem ? fail_at(r, e->start_mark, "'%.40s': %s", text, problem) : true;
}

static bool is_merge_key(const struct reader *r, const yaml_event_t *e)
{
    const char *tag = (const char *)e->data.scalar.tag;
    return r->chunk->mode == YAML_FOREIGN && e->data.scalar.length == 2 &&
           memcmp(e->data.scalar.value, "<<", 2) == 0 &&
           (e->data.scalar.plain_implicit || (tag && strcmp(tag, "tag:yaml.org,2002:merge") == 0));
}

static bool on_scalar(struct reader *r, const yaml_event_t *e)
{
    size_t anchor;
    if (!anchor_open(r, e->start_mark, (const char *)e->data.scalar.anchor, &anchor) ||
        !spend(r, e->start_mark, 1, 0))
        return false;
    bool key = wants_key(r);
    if (key && is_merge_key(r, e)) {
        struct value text = {.json = json_string("<<"), .nodes = 1, .bytes = 2};
        anchor_close(r, anchor, &text);
        value_clear(&text);
        return set_key(r, e->start_mark, rd_strdup("<<"), 2, true);
    }
    struct scalar s;
    if (!resolve(r, e, &s))
        return false;
    if (key && r->chunk->mode == YAML_STRICT && s.type != SCALAR_STRING)
        return fail_at(r, e->start_mark, "key '%.40s' is not text: quote it", s.text);
    struct value v = {.json = scalar_to_json(&s), .nodes = 1, .bytes = s.len};
    bool ok = true;
    if (v.json)
        anchor_close(r, anchor, &v);
    if (key) {
        size_t len = 0;
        char *text = scalar_to_key(&s, &len);
        ok = text ? set_key(r, e->start_mark, text, len, false)
                  : fail_at(r, e->start_mark, "a key must be text");
        value_clear(&v);
    } else if (!v.json) {
        ok = fail_at(r, e->start_mark, "'%.40s' cannot be said in JSON", s.text);
    } else {
        free(mark_next(r, e->start_mark));
        if (r->depth == 0)
            r->root_line = r->chunk->line + (int)e->start_mark.line;
        ok = attach(r, e->start_mark, &v, false);
    }
    scalar_clear(&s);
    return ok;
}

/* An anchored scalar that is used as a key. */
static bool alias_as_key(struct reader *r, yaml_mark_t at, const json_t *v)
{
    struct scalar s = {.type = SCALAR_STRING};
    if (json_is_string(v)) {
        s.text = json_string_value(v);
        s.len = json_string_length(v);
    } else if (json_is_integer(v)) {
        s.type = SCALAR_INT;
        s.i = json_integer_value(v);
    } else if (json_is_real(v)) {
        s.type = SCALAR_FLOAT;
        s.d = json_real_value(v);
    } else if (json_is_boolean(v)) {
        s.type = SCALAR_BOOL;
        s.b = json_is_true(v);
    } else {
        return fail_at(r, at, "a key must be text");
    }
    size_t len = 0;
    char *key = scalar_to_key(&s, &len);
    return set_key(r, at, key, len, false);
}

static bool on_alias(struct reader *r, const yaml_event_t *e)
{
    const char *name = (const char *)e->data.alias.anchor;
    if (r->chunk->mode == YAML_STRICT)
        return fail_at(r, e->start_mark, "aliases (*%s) are not allowed here", name);
    const json_t *index = json_object_get(r->anchor_index, name);
    if (!index)
        return fail_at(r, e->start_mark, "no anchor '%s' before this alias", name);
    const struct value *from = &r->anchors[json_integer_value(index)].v;
    if (!from->json)
        return fail_at(r, e->start_mark, "the value of anchor '%s' contains itself", name);
    if (wants_key(r))
        return alias_as_key(r, e->start_mark, from->json);
    if (r->depth + from->height > r->chunk->depth_max)
        return fail_at(r, e->start_mark, "nested deeper than %zu levels", r->chunk->depth_max);
    if (!spend(r, e->start_mark, from->nodes, from->bytes))
        return false;
    if (r->depth == 0)
        r->root_line = r->chunk->line + (int)e->start_mark.line;
    free(mark_next(r, e->start_mark));
    struct value copy = *from;
    copy.json = json_deep_copy(from->json); /* so that no part of a tree is in it twice */
    return attach(r, e->start_mark, &copy, true);
}

static bool on_start(struct reader *r, const yaml_event_t *e, bool mapping)
{
    const char *name =
        (const char *)(mapping ? e->data.mapping_start.anchor : e->data.sequence_start.anchor);
    const char *tag =
        (const char *)(mapping ? e->data.mapping_start.tag : e->data.sequence_start.tag);
    if (tag && r->chunk->mode == YAML_STRICT)
        return fail_at(r, e->start_mark, "tags (%s) are not allowed here", tag);
    if (wants_key(r))
        return fail_at(r, e->start_mark, "a key must be text, not a %s",
                       mapping ? "mapping" : "list");
    if (r->depth == r->chunk->depth_max)
        return fail_at(r, e->start_mark, "nested deeper than %zu levels", r->chunk->depth_max);
    size_t anchor;
    if (!anchor_open(r, e->start_mark, name, &anchor) || !spend(r, e->start_mark, 1, 0))
        return false;
    if (r->depth == 0)
        r->root_line = r->chunk->line + (int)e->start_mark.line;
    char *pointer = mark_next(r, e->start_mark);
    if (r->depth == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 16;
        r->frames = rd_reallocarray(r->frames, r->cap, sizeof(*r->frames));
    }
    r->frames[r->depth++] = (struct frame){
        .v = {.json = mapping ? json_object() : json_array(), .nodes = 1, .height = 1},
        .anchor = anchor,
        .mapping = mapping,
        .pointer = pointer,
    };
    return true;
}

static bool on_end(struct reader *r, const yaml_event_t *e)
{
    RD_ASSERT(r->depth > 0);
    struct frame *f = &r->frames[--r->depth];
    RD_ASSERT(!f->key);
    struct value v = f->v;
    f->v.json = NULL;
    anchor_close(r, f->anchor, &v);
    frame_clear(f);
    return attach(r, e->start_mark, &v, false);
}

static bool on_event(struct reader *r, const yaml_event_t *e, size_t *docs)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if ((*docs)++ > 0)
            return fail_at(r, e->start_mark, "%s", after_end);
        return true;
    case YAML_SCALAR_EVENT:
        return on_scalar(r, e);
    case YAML_ALIAS_EVENT:
        return on_alias(r, e);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(r, e, false);
    case YAML_MAPPING_START_EVENT:
        return on_start(r, e, true);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(r, e);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    }
    RD_UNREACHABLE();
}

static bool fail_parser(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    RD_ASSERT(p->error != YAML_MEMORY_ERROR);
    const char *problem = p->problem ? p->problem : "not YAML";
    if (strcmp(problem, "did not find expected <document start>") == 0)
        return fail_at(r, p->problem_mark, "%s", after_end);
    if (p->error != YAML_READER_ERROR)
        return fail_at(r, p->problem_mark, "%s%s%s", problem, p->context ? " " : "",
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
    return fail_at(r, at, "not UTF-8 text (%s)", problem);
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
        return fail_at(r, at, "YAML directives (%%YAML, %%TAG) are not supported");
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input(&r->parser, feed, r);
    if (r->chunk->len >= 3 && memcmp(r->chunk->text, "\xef\xbb\xbf", 3) == 0)
        r->fed = 3;
    size_t docs = 0;
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event))
            return fail_parser(r);
        bool ok = on_event(r, &event, &docs);
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
        frame_clear(&r.frames[i]);
    free(r.frames);
    for (size_t i = 0; i < r.anchors_len; i++)
        value_clear(&r.anchors[i].v);
    free(r.anchors);
    json_decref(r.anchor_index);
    if (!ok) {
        value_clear(&r.root);
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
