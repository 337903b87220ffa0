#include "manifest/reader_parts.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

bool reader_fail_at(struct reader *r, yaml_mark_t at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    return rd_fail(r->reterr, RD_ERR_INPUT, "%s:%d:%d: %s", r->chunk->name,
                   r->chunk->line + (int)at.line, (int)at.column + 1, text);
}

void reader_value_clear(struct value *v)
{
    json_decref(v->json);
    *v = (struct value){0};
}

void reader_frame_clear(struct frame *f)
{
    reader_value_clear(&f->v);
    free(f->key);
    free(f->pointer);
    *f = (struct frame){0};
}

bool reader_spend(struct reader *r, yaml_mark_t at, size_t nodes, size_t copied)
{
    if (nodes > *r->chunk->nodes_left)
        return reader_fail_at(r, at, "too many values, aliases expanded");
    if (copied > *r->chunk->bytes_left)
        return reader_fail_at(r, at, "too many bytes, aliases expanded");
    *r->chunk->nodes_left -= nodes;
    *r->chunk->bytes_left -= copied;
    return true;
}

static char *pointer_of_next(const struct reader *r)
{
    if (r->depth == 0)
        return rd_strdup("");
    const struct frame *f = &r->frames[r->depth - 1];
    if (!f->mapping)
        return rd_asprintf("%s/%zu", f->pointer, json_array_size(f->v.json));
    return yaml_pointer_child(f->pointer, f->key ? f->key : "");
}

char *reader_mark_next(struct reader *r, yaml_mark_t at)
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

bool reader_anchor_open(struct reader *r, yaml_mark_t at, const char *name, size_t *ret)
{
    *ret = NO_ANCHOR;
    if (!name)
        return true;
    if (r->chunk->mode == YAML_STRICT)
        return reader_fail_at(r, at, "anchors (&%s) are not allowed here", name);
    if (r->anchors_len == r->anchors_cap) {
        r->anchors_cap = r->anchors_cap ? r->anchors_cap * 2 : 8;
        r->anchors = rd_reallocarray(r->anchors, r->anchors_cap, sizeof(*r->anchors));
    }
    *ret = r->anchors_len;
    r->anchors[r->anchors_len++] = (struct anchor){0};
    json_object_set_new_nocheck(r->anchor_index, name, json_integer((json_int_t)*ret));
    return true;
}

void reader_anchor_close(struct reader *r, size_t anchor, const struct value *v)
{
    if (anchor == NO_ANCHOR)
        return;
    r->anchors[anchor].v = *v;
    json_incref(v->json);
}

static bool merge_one(struct reader *r, yaml_mark_t at, struct frame *f, const json_t *from)
{
    if (!json_is_object(from))
        return reader_fail_at(r, at, "a merge key (<<) wants a mapping or a list of mappings");
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

bool reader_attach(struct reader *r, yaml_mark_t at, struct value *v, bool aliased)
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
    reader_value_clear(v);
    return ok;
}

bool reader_wants_key(const struct reader *r)
{
    return r->depth > 0 && r->frames[r->depth - 1].mapping && !r->frames[r->depth - 1].key;
}

bool reader_set_key(struct reader *r, yaml_mark_t at, char *take, size_t len, bool is_merge)
{
    struct frame *f = &r->frames[r->depth - 1];
    f->key = take;
    f->key_line = r->chunk->line + (int)at.line;
    f->merge = is_merge;
    if (memchr(take, '\0', len))
        return reader_fail_at(r, at, "a key holds a NUL byte");
    if (r->chunk->mode == YAML_STRICT && json_object_get(f->v.json, take))
        return reader_fail_at(r, at, "key '%.80s' is given twice", take);
    return true;
}
