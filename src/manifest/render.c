#include "base/alloc.h"
#include "manifest/placeholder.h"
#include "manifest/template_set.h"

#include <stdlib.h>
#include <string.h>

const struct placeholder *template_placeholder(const char *name)
{
    for (const struct placeholder *p = template_catalogue; p->name; p++) {
        if (strcmp(p->name, name) == 0)
            return p;
    }
    return NULL;
}

/* Borrowed; NULL when nothing in the catalogue is near. */
static const char *nearest_placeholder(const char *name)
{
    size_t n = 0;
    while (template_catalogue[n].name)
        n++;
    const char **names = rd_calloc(n + 1, sizeof(*names));
    for (size_t i = 0; i < n; i++)
        names[i] = template_catalogue[i].name;
    const char *near = rd_text_nearest(name, names);
    free(names);
    return near;
}

void template_values_init(struct template_values *v)
{
    v->map = json_object();
}

void template_values_clear(struct template_values *v)
{
    json_decref(v->map);
    v->map = NULL;
}

bool template_set(struct template_values *v, const char *name, json_t *take, struct rd_err **reterr)
{
    RD_AUTOJSON json_t *value = take;
    const struct placeholder *p = template_placeholder(name);
    if (!p)
        return rd_fail(reterr, RD_ERR_INPUT, "no template placeholder is named '%s'", name);
    const char *want = placeholder_check(p->type, value);
    if (want) {
        RD_AUTOFREE char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
        return rd_fail(reterr, RD_ERR_INPUT, "value %.80s of placeholder %s is not %s",
                       text ? text : "(none)", name, want);
    }
    json_object_set(v->map, name, value);
    return true;
}

bool template_set_str(struct template_values *v, const char *name, const char *value,
                      struct rd_err **reterr)
{
    return template_set(v, name, value ? json_string(value) : NULL, reterr);
}

/* One pass over the scalars of a document: replaces by values, or only collects names. */
struct pass {
    const char *label; /* file for messages */
    const struct yaml_doc *doc;
    const struct template_values *values; /* NULL: collect */
    struct rd_strv *names;
    struct rd_err **reterr;
};

static bool fail_in(const struct pass *p, const char *pointer, const char *fmt, ...)
    RD_PRINTF(3, 4);

static bool fail_in(const struct pass *p, const char *pointer, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    int line = yaml_marks_line(p->doc->marks, pointer);
    return rd_fail(p->reterr, RD_ERR_INPUT, "%s:%d: %s", p->label, line ? line : p->doc->line,
                   text);
}

static bool check_name(const struct pass *p, const char *pointer, const char *name)
{
    if (template_placeholder(name))
        return true;
    const char *near = nearest_placeholder(name);
    return fail_in(p, pointer, "unknown placeholder ${%s}%s%s%s", name, near ? " (is it ${" : "",
                   near ? near : "", near ? "}?)" : "");
}

/* Borrowed value of a name, or NULL with the error set. */
static json_t *value_of(const struct pass *p, const char *pointer, const char *name)
{
    json_t *v = json_object_get(p->values->map, name);
    if (v)
        return v;
    const char *fact = template_placeholder(name)->fact;
    if (fact) {
        fail_in(p, pointer, "placeholder ${%s} has no value yet: fact %s is not known", name, fact);
        rd_err_resource(*p->reterr, TEMPLATE_FACT "%s", fact);
    } else {
        fail_in(p, pointer, "placeholder ${%s} has no value", name);
    }
    return NULL;
}

static bool join(const struct pass *p, const char *pointer, const struct placeholder_text *t,
                 json_t **ret)
{
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (size_t i = 0; i < t->len; i++) {
        if (!t->v[i].is_name) {
            rd_buf_puts(&out, t->v[i].text);
            continue;
        }
        const json_t *v = value_of(p, pointer, t->v[i].text);
        if (!v)
            return false;
        if (json_is_string(v))
            rd_buf_append(&out, json_string_value(v), json_string_length(v));
        else if (json_is_integer(v))
            rd_buf_printf(&out, "%lld", (long long)json_integer_value(v));
        else
            return fail_in(p, pointer,
                           "placeholder ${%s} stands in text but is neither text nor an "
                           "integer",
                           t->v[i].text);
    }
    *ret = json_stringn(rd_buf_str(&out), out.len);
    return true;
}

/* *ret stays NULL when the scalar is to stay. */
static bool pass_scalar(const struct pass *p, const char *pointer, const json_t *v, json_t **ret)
{
    if (!json_is_string(v) || !strstr(json_string_value(v), "${"))
        return true;
    struct placeholder_text t;
    const char *problem = placeholder_split(json_string_value(v), &t);
    if (problem)
        return fail_in(p, pointer, "%s", problem);
    bool ok = true;
    for (size_t i = 0; ok && i < t.len; i++) {
        if (!t.v[i].is_name)
            continue;
        ok = check_name(p, pointer, t.v[i].text);
        if (ok && p->names && !rd_strv_has(p->names, t.v[i].text))
            rd_strv_add(p->names, t.v[i].text);
    }
    if (ok && p->values) {
        if (t.len == 1 && t.v[0].is_name) {
            const json_t *value = value_of(p, pointer, t.v[0].text);
            ok = value != NULL;
            if (ok)
                *ret = json_deep_copy(value);
        } else {
            ok = join(p, pointer, &t, ret);
        }
    }
    placeholder_text_clear(&t);
    return ok;
}

/* The reader has bounded the depth; values are not looked into. */
static bool pass_tree(const struct pass *p, const char *pointer, json_t *v)
{
    const char *key;
    json_t *child;
    size_t i;
    void *next;
    if (json_is_object(v)) {
        json_object_foreach_safe(v, next, key, child)
        {
            RD_AUTOFREE char *at = yaml_pointer_child(pointer, key);
            json_t *value = NULL;
            if (!pass_scalar(p, at, child, &value) || (!value && !pass_tree(p, at, child)))
                return false;
            if (value)
                json_object_set_new(v, key, value);
        }
    } else if (json_is_array(v)) {
        json_array_foreach (v, i, child) {
            RD_AUTOFREE char *at = rd_asprintf("%s/%zu", pointer, i);
            json_t *value = NULL;
            if (!pass_scalar(p, at, child, &value) || (!value && !pass_tree(p, at, child)))
                return false;
            if (value)
                json_array_set_new(v, i, value);
        }
    }
    return true;
}

static bool pass_doc(const struct pass *p, json_t **root)
{
    json_t *value = NULL;
    if (!pass_scalar(p, "", *root, &value))
        return false;
    if (!value)
        return pass_tree(p, "", *root);
    json_decref(*root);
    *root = value;
    return true;
}

/* Reads the template and passes over each document; names or values may be NULL. */
static bool read_template(const struct template_set *s, const char *name,
                          const struct template_values *values, struct rd_strv *names,
                          struct yaml_stream *ret, struct rd_err **reterr)
{
    const struct template_file *f = template_file(s, name);
    if (!f)
        return rd_fail(reterr, RD_ERR_INPUT, "no template is named %s", name);
    RD_AUTOFREE char *label = f->path ? rd_strdup(f->path) : rd_asprintf("templates/%s", name);
    if (!yaml_read(f->text, f->len, label, YAML_STRICT, NULL, true, ret, reterr))
        return false;
    for (size_t i = 0; i < ret->len; i++) {
        struct pass p = {
            .label = ret->name,
            .doc = &ret->docs[i],
            .values = values,
            .names = names,
            .reterr = reterr,
        };
        if (!pass_doc(&p, &ret->docs[i].root)) {
            yaml_stream_clear(ret);
            return false;
        }
    }
    return true;
}

bool template_render(const struct template_set *s, const char *name,
                     const struct template_values *v, struct manifest_list *out,
                     struct rd_err **reterr)
{
    struct yaml_stream stream;
    if (!read_template(s, name, v, NULL, &stream, reterr))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < stream.len; i++) {
        json_t *root = stream.docs[i].root;
        stream.docs[i].root = NULL;
        ok = manifest_add(out, root, stream.name, stream.docs[i].line, reterr);
    }
    yaml_stream_clear(&stream);
    return ok;
}

json_t *template_fragment(const struct template_set *s, const char *name,
                          const struct template_values *v, struct rd_err **reterr)
{
    struct yaml_stream stream;
    if (!read_template(s, name, v, NULL, &stream, reterr))
        return NULL;
    json_t *root = NULL;
    if (stream.len == 1) {
        root = stream.docs[0].root;
        stream.docs[0].root = NULL;
    } else {
        rd_fail(reterr, RD_ERR_INPUT, "%s:1: a fragment is one document, not %zu", stream.name,
                stream.len);
    }
    yaml_stream_clear(&stream);
    return root;
}

bool template_names(const struct template_set *s, const char *name, struct rd_strv *ret,
                    struct rd_err **reterr)
{
    struct yaml_stream stream;
    if (!read_template(s, name, NULL, ret, &stream, reterr))
        return false;
    yaml_stream_clear(&stream);
    return true;
}
