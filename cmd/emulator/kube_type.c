#include "kube_type.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

const struct kube_type kube_type_any = {.kind = KUBE_T_ANY, .open = true};

const struct kube_type *kube_type_field(const struct kube_type *t, const char *name)
{
    if (t == NULL || t->kind == KUBE_T_ANY)
        return &kube_type_any;
    for (size_t i = 0; i < t->field_count; i++) {
        if (strcmp(t->fields[i].name, name) == 0)
            return t->fields[i].type;
    }
    if (t->kind == KUBE_T_MAP)
        return t->elem == NULL ? &kube_type_any : t->elem;
    return t->open ? &kube_type_any : NULL;
}

bool kube_type_is_map(const struct kube_type *t)
{
    return t == NULL || t->kind == KUBE_T_ANY || t->kind == KUBE_T_OBJECT || t->kind == KUBE_T_MAP;
}

bool kube_type_is_assoc(const struct kube_type *t)
{
    return t != NULL && t->kind == KUBE_T_LIST && !t->atomic && (t->set || t->keys[0] != NULL);
}

char *kube_item_path(const struct kube_type *list, const json_t *item)
{
    if (list->set) {
        RD_AUTOFREE char *text = rd_json_dump(item);
        return rd_asprintf("v:%s", text);
    }
    RD_AUTOJSON json_t *keys = json_object();
    for (size_t i = 0; i < KUBE_KEYS_MAX && list->keys[i] != NULL; i++) {
        json_t *v = json_object_get(item, list->keys[i]);
        if (v == NULL && strcmp(list->keys[i], "protocol") == 0)
            json_object_set_new(keys, "protocol", json_string("TCP"));
        else if (v == NULL || json_is_null(v))
            return NULL;
        else
            json_object_set(keys, list->keys[i], v);
    }
    RD_AUTOFREE char *text = rd_json_dump(keys);
    return rd_asprintf("k:%s", text);
}

ssize_t kube_item_find(const struct kube_type *list, const json_t *array, const char *path)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        RD_AUTOFREE char *p = kube_item_path(list, json_array_get(array, i));
        if (rd_streq(p, path))
            return (ssize_t)i;
    }
    return -1;
}

static char *join(const char *path, const char *name)
{
    return *path == '\0' ? rd_strdup(name) : rd_asprintf("%s.%s", path, name);
}

static void unknown_at(const struct kube_type *t, const json_t *v, const char *path,
                       struct rd_strv *out)
{
    if (t == NULL || t->kind == KUBE_T_ANY)
        return;
    if (json_is_array(v) && t->kind == KUBE_T_LIST) {
        for (size_t i = 0; i < json_array_size(v); i++) {
            RD_AUTOFREE char *p = rd_asprintf("%s[%zu]", path, i);
            unknown_at(t->elem, json_array_get(v, i), p, out);
        }
        return;
    }
    if (!json_is_object(v) || (t->kind != KUBE_T_OBJECT && t->kind != KUBE_T_MAP))
        return;
    const char *key;
    json_t *child;
    json_object_foreach ((json_t *)v, key, child) {
        RD_AUTOFREE char *p = join(path, key);
        const struct kube_type *f = kube_type_field(t, key);
        if (f == NULL)
            rd_strv_take(out, rd_asprintf("unknown field \"%s\"", p));
        else
            unknown_at(f, child, p, out);
    }
}

void kube_type_unknown(const struct kube_type *t, const json_t *v, struct rd_strv *out)
{
    unknown_at(t, v, "", out);
}

void kube_type_prune(const struct kube_type *t, json_t *v)
{
    if (t == NULL || t->kind == KUBE_T_ANY)
        return;
    if (json_is_array(v) && t->kind == KUBE_T_LIST) {
        for (size_t i = 0; i < json_array_size(v); i++)
            kube_type_prune(t->elem, json_array_get(v, i));
        return;
    }
    if (!json_is_object(v) || (t->kind != KUBE_T_OBJECT && t->kind != KUBE_T_MAP))
        return;
    const char *key;
    json_t *child;
    void *next;
    json_object_foreach_safe(v, next, key, child)
    {
        const struct kube_type *f = kube_type_field(t, key);
        if (f == NULL)
            json_object_del(v, key);
        else
            kube_type_prune(f, child);
    }
}

static void cause(json_t *causes, const char *reason, const char *field, char *take_message)
{
    json_array_append_new(causes, rd_json_pack("{s:s, s:s, s:s}", "reason", reason, "message",
                                               take_message, "field", field));
    free(take_message);
}

static const char *const kind_words[] = {
    [KUBE_T_ANY] = "any",       [KUBE_T_STRING] = "string", [KUBE_T_INTEGER] = "integer",
    [KUBE_T_NUMBER] = "number", [KUBE_T_BOOL] = "boolean",  [KUBE_T_INTSTR] = "integer or string",
    [KUBE_T_OBJECT] = "object", [KUBE_T_MAP] = "object",    [KUBE_T_LIST] = "array"};

static const char *word_of(const json_t *v)
{
    return json_is_string(v)    ? "string"
           : json_is_integer(v) ? "integer"
           : json_is_real(v)    ? "number"
           : json_is_boolean(v) ? "boolean"
           : json_is_array(v)   ? "array"
           : json_is_null(v)    ? "null"
                                : "object";
}

static bool fits(const struct kube_type *t, const json_t *v)
{
    switch (t->kind) {
    case KUBE_T_ANY:
        return true;
    case KUBE_T_STRING:
        return json_is_string(v);
    case KUBE_T_INTEGER:
        return json_is_integer(v) || (json_is_real(v) && json_real_value(v) ==
                                                             (double)(json_int_t)json_real_value(v));
    case KUBE_T_NUMBER:
        return json_is_number(v);
    case KUBE_T_BOOL:
        return json_is_boolean(v);
    case KUBE_T_INTSTR:
        return json_is_integer(v) || json_is_string(v) || json_is_real(v);
    case KUBE_T_OBJECT:
    case KUBE_T_MAP:
        return json_is_object(v);
    case KUBE_T_LIST:
        return json_is_array(v);
    }
    return true;
}

static void check_enum(const struct kube_type *t, const json_t *v, const char *path, json_t *causes)
{
    json_t *allowed = json_object_get(t->schema, "enum");
    if (json_array_size(allowed) == 0)
        return;
    RD_AUTOBUF struct rd_buf words = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (size_t i = 0; i < json_array_size(allowed); i++) {
        if (json_equal(json_array_get(allowed, i), (json_t *)v))
            return;
        RD_AUTOFREE char *text = rd_json_dump(json_array_get(allowed, i));
        rd_buf_printf(&words, "%s%s", i == 0 ? "" : ", ", text);
    }
    RD_AUTOFREE char *got = rd_json_dump(v);
    cause(causes, "FieldValueNotSupported", path,
          rd_asprintf("Unsupported value: %s: supported values: %s", got, rd_buf_str(&words)));
}

static void check_number(const struct kube_type *t, const json_t *v, const char *path, json_t *causes)
{
    json_t *min = json_object_get(t->schema, "minimum"), *max = json_object_get(t->schema, "maximum");
    if (!json_is_number(v))
        return;
    if (json_is_number(min) && json_number_value(v) < json_number_value(min))
        cause(causes, "FieldValueInvalid", path,
              rd_asprintf("Invalid value: %g: %s in body should be greater than or equal to %g",
                          json_number_value(v), path, json_number_value(min)));
    if (json_is_number(max) && json_number_value(v) > json_number_value(max))
        cause(causes, "FieldValueInvalid", path,
              rd_asprintf("Invalid value: %g: %s in body should be less than or equal to %g",
                          json_number_value(v), path, json_number_value(max)));
}

static void check_at(const struct kube_type *t, const json_t *v, const char *path, json_t *causes)
{
    if (t == NULL || t->kind == KUBE_T_ANY)
        return;
    if (json_is_null(v))
        return; /* dropped on decoding, unless nullable */
    if (!fits(t, v)) {
        cause(causes, "FieldValueTypeInvalid", path,
              rd_asprintf("Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", word_of(v),
                          path, kind_words[t->kind], word_of(v)));
        return;
    }
    check_enum(t, v, path, causes);
    check_number(t, v, path, causes);
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++) {
            RD_AUTOFREE char *p = rd_asprintf("%s[%zu]", path, i);
            check_at(t->elem, json_array_get(v, i), p, causes);
        }
    }
    if (!json_is_object(v))
        return;
    size_t i;
    json_t *name, *child;
    json_array_foreach (json_object_get(t->schema, "required"), i, name) {
        if (json_object_get(v, json_string_value(name)) != NULL)
            continue;
        RD_AUTOFREE char *p = join(path, json_string_value(name));
        cause(causes, "FieldValueRequired", p, rd_strdup("Required value"));
    }
    const char *key;
    json_object_foreach ((json_t *)v, key, child) {
        RD_AUTOFREE char *p = join(path, key);
        check_at(kube_type_field(t, key), child, p, causes);
    }
}

void kube_type_check(const struct kube_type *t, const json_t *v, json_t *causes)
{
    check_at(t, v, "", causes);
}

void kube_type_default(const struct kube_type *t, json_t *v)
{
    if (t == NULL || t->kind == KUBE_T_ANY)
        return;
    if (json_is_array(v) && t->kind == KUBE_T_LIST) {
        for (size_t i = 0; i < json_array_size(v); i++)
            kube_type_default(t->elem, json_array_get(v, i));
        return;
    }
    if (!json_is_object(v))
        return;
    for (size_t i = 0; i < t->field_count; i++) {
        const struct kube_type *f = t->fields[i].type;
        json_t *standard = json_object_get(f->schema, "default");
        if (standard != NULL && json_object_get(v, t->fields[i].name) == NULL)
            json_object_set_new(v, t->fields[i].name, json_deep_copy(standard));
        json_t *child = json_object_get(v, t->fields[i].name);
        if (child != NULL)
            kube_type_default(f, child);
    }
    if (t->kind == KUBE_T_MAP && t->elem != NULL) {
        const char *key;
        json_t *child;
        json_object_foreach (v, key, child)
            kube_type_default(t->elem, child);
    }
}
