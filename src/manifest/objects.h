/* Manifests as a list of Kubernetes objects with their origin. */
#ifndef RD_MANIFEST_OBJECTS_H
#define RD_MANIFEST_OBJECTS_H

#include "manifest/yaml.h"

struct manifest_object {
    json_t *json; /* owned; has apiVersion, kind, metadata.name as strings (checked) */
    char *file;   /* owned */
    int line;     /* of the document */
};

struct manifest_list { /* all zero when empty */
    struct manifest_object *v;
    size_t len, cap;
    json_t *seen; /* owned; who is in the list and where it was given */
};

/* Adds the objects of a file, of every *.yaml, *.yml and *.json of a folder (sorted, not recursive;
 * symlinks that leave it are refused), or of stdin for "-". `kind: List` (and XxxList with items)
 * is flattened; items of a typed list may leave out apiVersion and kind. An empty document is
 * skipped; one that is not an object of the Kubernetes shape is RD_ERR_INPUT with file and line,
 * and so is the same object (group, kind, namespace, name) given twice. */
bool manifest_load(struct manifest_list *l, const char *path, struct rd_err **reterr) RD_MUST_CHECK;
/* Same checks on one tree; takes *take. */
bool manifest_add(struct manifest_list *l, json_t *take, const char *file, int line,
                  struct rd_err **reterr) RD_MUST_CHECK;
/* RD_ERR_INPUT "no objects in WHERE" when the list is empty. */
bool manifest_require(const struct manifest_list *l, const char *where,
                      struct rd_err **reterr) RD_MUST_CHECK;
void manifest_list_clear(struct manifest_list *l);

/* "Kind/namespace/name" or "Kind/name"; owned. */
char *manifest_object_title(const json_t *object);

#endif
