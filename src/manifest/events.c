#include "manifest/reader_parts.h"

#include "base/alloc.h"
#include "manifest/resolve.h"

#include <stdlib.h>
#include <string.h>

const char reader_after_end[] = "text after the end of the document: indented less than its first "
                                "line, or in want of a --- before it";

static bool resolve(struct reader *r, const yaml_event_t *e, struct scalar *ret)
{
    const char *text = (const char *)e->data.scalar.value;
    size_t len = e->data.scalar.length;
    const char *problem;
    if (r->chunk->mode == YAML_STRICT) {
        if (e->data.scalar.tag)
            return reader_fail_at(r, e->start_mark, "tags (%s) are not allowed here",
                                  (const char *)e->data.scalar.tag);
        bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        problem = scalar_resolve_strict(ret, text, len, plain);
        if (problem)
            return reader_fail_at(r, e->start_mark, "'%.40s' %s", text, problem);
        return true;
    }
    problem = scalar_resolve_foreign(ret, text, len, (const char *)e->data.scalar.tag,
                                     e->data.scalar.plain_implicit);
    return problem ? reader_fail_at(r, e->start_mark, "'%.40s': %s", text, problem) : true;
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
    if (!reader_anchor_open(r, e->start_mark, (const char *)e->data.scalar.anchor, &anchor) ||
        !reader_spend(r, e->start_mark, 1, 0))
        return false;
    bool key = reader_wants_key(r);
    if (key && is_merge_key(r, e)) {
        struct value text = {.json = json_string("<<"), .nodes = 1, .bytes = 2};
        reader_anchor_close(r, anchor, &text);
        reader_value_clear(&text);
        return reader_set_key(r, e->start_mark, rd_strdup("<<"), 2, true);
    }
    struct scalar s;
    if (!resolve(r, e, &s))
        return false;
    if (key && r->chunk->mode == YAML_STRICT && s.type != SCALAR_STRING)
        return reader_fail_at(r, e->start_mark, "key '%.40s' is not text: quote it", s.text);
    struct value v = {.json = scalar_to_json(&s), .nodes = 1, .bytes = s.len};
    bool ok = true;
    if (v.json)
        reader_anchor_close(r, anchor, &v);
    if (key) {
        size_t len = 0;
        char *text = scalar_to_key(&s, &len);
        ok = text ? reader_set_key(r, e->start_mark, text, len, false)
                  : reader_fail_at(r, e->start_mark, "a key must be text");
        reader_value_clear(&v);
    } else if (!v.json) {
        ok = reader_fail_at(r, e->start_mark, "'%.40s' cannot be said in JSON", s.text);
    } else {
        free(reader_mark_next(r, e->start_mark));
        if (r->depth == 0)
            r->root_line = r->chunk->line + (int)e->start_mark.line;
        ok = reader_attach(r, e->start_mark, &v, false);
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
        return reader_fail_at(r, at, "a key must be text");
    }
    size_t len = 0;
    char *key = scalar_to_key(&s, &len);
    return reader_set_key(r, at, key, len, false);
}

static bool on_alias(struct reader *r, const yaml_event_t *e)
{
    const char *name = (const char *)e->data.alias.anchor;
    if (r->chunk->mode == YAML_STRICT)
        return reader_fail_at(r, e->start_mark, "aliases (*%s) are not allowed here", name);
    const json_t *index = json_object_get(r->anchor_index, name);
    if (!index)
        return reader_fail_at(r, e->start_mark, "no anchor '%s' before this alias", name);
    const struct value *from = &r->anchors[json_integer_value(index)].v;
    if (!from->json)
        return reader_fail_at(r, e->start_mark, "the value of anchor '%s' contains itself", name);
    if (reader_wants_key(r))
        return alias_as_key(r, e->start_mark, from->json);
    if (r->depth + from->height > r->chunk->depth_max)
        return reader_fail_at(r, e->start_mark, "nested deeper than %zu levels",
                              r->chunk->depth_max);
    if (!reader_spend(r, e->start_mark, from->nodes, from->bytes))
        return false;
    if (r->depth == 0)
        r->root_line = r->chunk->line + (int)e->start_mark.line;
    free(reader_mark_next(r, e->start_mark));
    struct value copy = *from;
    copy.json = json_deep_copy(from->json); /* so that no part of a tree is in it twice */
    return reader_attach(r, e->start_mark, &copy, true);
}

static bool on_start(struct reader *r, const yaml_event_t *e, bool mapping)
{
    const char *name =
        (const char *)(mapping ? e->data.mapping_start.anchor : e->data.sequence_start.anchor);
    const char *tag =
        (const char *)(mapping ? e->data.mapping_start.tag : e->data.sequence_start.tag);
    if (tag && r->chunk->mode == YAML_STRICT)
        return reader_fail_at(r, e->start_mark, "tags (%s) are not allowed here", tag);
    if (reader_wants_key(r))
        return reader_fail_at(r, e->start_mark, "a key must be text, not a %s",
                              mapping ? "mapping" : "list");
    if (r->depth == r->chunk->depth_max)
        return reader_fail_at(r, e->start_mark, "nested deeper than %zu levels",
                              r->chunk->depth_max);
    size_t anchor;
    if (!reader_anchor_open(r, e->start_mark, name, &anchor) ||
        !reader_spend(r, e->start_mark, 1, 0))
        return false;
    if (r->depth == 0)
        r->root_line = r->chunk->line + (int)e->start_mark.line;
    char *pointer = reader_mark_next(r, e->start_mark);
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
    reader_anchor_close(r, f->anchor, &v);
    reader_frame_clear(f);
    return reader_attach(r, e->start_mark, &v, false);
}

bool reader_on_event(struct reader *r, const yaml_event_t *e, size_t *docs)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if ((*docs)++ > 0)
            return reader_fail_at(r, e->start_mark, "%s", reader_after_end);
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
