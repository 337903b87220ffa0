/* Types from the openAPIV3Schema of a CustomResourceDefinition. */
#include "kube_type.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static bool is_true(const json_t *schema, const char *key)
{
    return json_is_true(json_object_get(schema, key));
}

static void set_list(struct kube_type *t, const json_t *schema)
{
    const char *list = rd_json_str(schema, "x-kubernetes-list-type", NULL);
    t->set = rd_streq(list, "set");
    t->atomic = !t->set && !rd_streq(list, "map");
    size_t i;
    json_t *key;
    json_array_foreach (json_object_get(schema, "x-kubernetes-list-map-keys"), i, key) {
        if (i < KUBE_KEYS_MAX && rd_streq(list, "map"))
            t->keys[i] = rd_strdup(json_string_value(key));
    }
}

static struct kube_type *from(const json_t *schema, bool root);

static void set_fields(struct kube_type *t, const json_t *schema, bool root)
{
    json_t *props = json_object_get(schema, "properties");
    size_t most = json_object_size(props) + 3;
    t->fields = rd_calloc(most, sizeof(*t->fields));
    bool whole = root || t->embedded;
    static const char *const always[] = {"apiVersion", "kind", "metadata"};
    for (size_t i = 0; whole && i < RD_ARRAY_LEN(always); i++) {
        const struct kube_type *meta = kube_type_named("ObjectMeta");
        struct kube_type *f = rd_calloc(1, sizeof(*f));
        *f = (struct kube_type){.kind = KUBE_T_STRING};
        if (i == 2 && meta != NULL) {
            free(f);
            f = (struct kube_type *)meta; /* the table's own; kube_type_free knows by the name */
        } else if (i == 2) {
            f->kind = KUBE_T_ANY;
        }
        t->fields[t->field_count++] = (struct kube_field){.name = always[i], .type = f};
    }
    const char *name;
    json_t *child;
    json_object_foreach (props, name, child) {
        if (whole && (rd_streq(name, "apiVersion") || rd_streq(name, "kind") ||
                      rd_streq(name, "metadata")))
            continue;
        t->fields[t->field_count++] = (struct kube_field){.name = name, .type = from(child, false)};
    }
}

static struct kube_type *from(const json_t *schema, bool root)
{
    struct kube_type *t = rd_calloc(1, sizeof(*t));
    t->schema = schema;
    const char *type = rd_json_str(schema, "type", NULL);
    bool open = is_true(schema, "x-kubernetes-preserve-unknown-fields");
    json_t *more = json_object_get(schema, "additionalProperties");
    t->open = open;
    t->embedded = is_true(schema, "x-kubernetes-embedded-resource");
    t->atomic = rd_streq(rd_json_str(schema, "x-kubernetes-map-type", NULL), "atomic");
    if (is_true(schema, "x-kubernetes-int-or-string")) {
        t->kind = KUBE_T_INTSTR;
    } else if (rd_streq(type, "array")) {
        t->kind = KUBE_T_LIST;
        t->elem = from(json_object_get(schema, "items"), false);
        set_list(t, schema);
    } else if (rd_streq(type, "object") || root) {
        t->kind = KUBE_T_OBJECT;
        if (json_is_object(more)) {
            t->kind = KUBE_T_MAP;
            t->elem = from(more, false);
        } else if (json_is_true(more)) {
            t->open = true;
        }
        set_fields(t, schema, root);
    } else if (rd_streq(type, "string")) {
        t->kind = KUBE_T_STRING;
    } else if (rd_streq(type, "integer")) {
        t->kind = KUBE_T_INTEGER;
    } else if (rd_streq(type, "number")) {
        t->kind = KUBE_T_NUMBER;
    } else if (rd_streq(type, "boolean")) {
        t->kind = KUBE_T_BOOL;
    }
    return t;
}

struct kube_type *kube_type_from_schema(const json_t *schema)
{
    struct kube_type *t = from(schema, true);
    if (schema == NULL)
        t->open = true;
    return t;
}

void kube_type_free(struct kube_type *t)
{
    if (t == NULL || t->name != NULL) /* a named one is the table's */
        return;
    for (size_t i = 0; i < t->field_count; i++)
        kube_type_free((struct kube_type *)t->fields[i].type);
    kube_type_free((struct kube_type *)t->elem);
    for (size_t i = 0; i < KUBE_KEYS_MAX; i++)
        free(t->keys[i]);
    free(t->fields);
    free(t);
}
