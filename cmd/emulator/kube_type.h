/* Schemas: which fields an object may have, which lists are merged by which keys, what is one value as a
 * whole. Built-in kinds have a table (kube_types.c); custom kinds bring an openAPIV3Schema. */
#ifndef EMU_KUBE_TYPE_H
#define EMU_KUBE_TYPE_H

#include "base/json.h"

enum kube_type_kind {
    KUBE_T_ANY,
    KUBE_T_STRING,
    KUBE_T_INTEGER,
    KUBE_T_NUMBER,
    KUBE_T_BOOL,
    KUBE_T_INTSTR, /* integer or string */
    KUBE_T_OBJECT, /* named fields */
    KUBE_T_MAP,    /* any names, one element type */
    KUBE_T_LIST
};

struct kube_type;

struct kube_field {
    const char *name; /* borrowed from the schema or the table */
    const struct kube_type *type;
};

enum { KUBE_KEYS_MAX = 4 };

struct kube_type {
    enum kube_type_kind kind;
    char *name;    /* owned; of a message in the table, else NULL */
    bool atomic;   /* one value for server-side apply */
    bool set;      /* list of distinct scalars */
    bool open;     /* fields that are not named may be there */
    bool embedded; /* a whole object: apiVersion, kind, metadata */
    struct kube_field *fields;
    size_t field_count;
    const struct kube_type *elem;         /* lists and maps */
    char *keys[KUBE_KEYS_MAX];            /* owned; NULL-ended; lists merged by them */
    const json_t *schema;                 /* borrowed; custom kinds: enum, required, default, pattern */
};

extern const struct kube_type kube_type_any;

/* A message of the table, or NULL. */
const struct kube_type *kube_type_named(const char *name);
/* Every message, for OpenAPI; in the table's order. */
size_t kube_type_count(void);
const struct kube_type *kube_type_at(size_t i);
void kube_types_free(void);

/* From a structural schema (borrowed for as long as the type lives); root objects know apiVersion, kind
 * and metadata. */
struct kube_type *kube_type_from_schema(const json_t *schema);
void kube_type_free(struct kube_type *t);

const struct kube_type *kube_type_field(const struct kube_type *t, const char *name); /* NULL: unknown */
/* Granular: its parts are owned one by one. */
bool kube_type_is_map(const struct kube_type *t);       /* object or map, also of no known type */
bool kube_type_is_assoc(const struct kube_type *t);     /* list by keys or set */
/* "k:{...}" or "v:..." of an item, owned; NULL: it lacks a key. */
char *kube_item_path(const struct kube_type *list, const json_t *item);
/* Index of the item with that path, or -1. */
ssize_t kube_item_find(const struct kube_type *list, const json_t *array, const char *path);

/* Unknown fields as `unknown field "spec.foo"`, one entry each. */
struct rd_strv;
void kube_type_unknown(const struct kube_type *t, const json_t *v, struct rd_strv *out);
/* Removes them. */
void kube_type_prune(const struct kube_type *t, json_t *v);
/* Wrong JSON types, missing required fields, values outside an enum: causes {reason, message, field}
 * appended to `causes`. */
void kube_type_check(const struct kube_type *t, const json_t *v, json_t *causes);
/* Puts defaults of the schema in place. */
void kube_type_default(const struct kube_type *t, json_t *v);

#endif
