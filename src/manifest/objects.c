#include "manifest/objects.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "manifest/inside.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char *manifest_object_title(const json_t *object)
{
    const char *kind = rd_json_str(object, "kind", NULL);
    const char *space = rd_json_str(object, "metadata", "namespace", NULL);
    const char *name = rd_json_str(object, "metadata", "name", NULL);
    if (space && *space)
        return rd_asprintf("%s/%s/%s", kind ? kind : "?", space, name ? name : "?");
    return rd_asprintf("%s/%s", kind ? kind : "?", name ? name : "?");
}

/* The same object by whatever version: group, kind, namespace, name. */
static char *identity(const json_t *object)
{
    const char *api = rd_json_str(object, "apiVersion", NULL);
    const char *slash = strchr(api, '/');
    RD_AUTOFREE char *title = manifest_object_title(object);
    return rd_asprintf("%.*s|%s", slash ? (int)(slash - api) : 0, api, title);
}

static void append(struct manifest_list *l, json_t *take, const char *file, int line)
{
    if (l->len == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->v = rd_reallocarray(l->v, l->cap, sizeof(*l->v));
    }
    l->v[l->len++] = (struct manifest_object){.json = take, .file = rd_strdup(file), .line = line};
}

/* What goes into addresses and messages, read on as C strings. */
static bool is_printable(const json_t *v)
{
    const char *s = json_string_value(v);
    for (size_t i = 0; i < json_string_length(v); i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return false;
    return true;
}

static bool want_text(const json_t *v, const char *what, const char *title, const char *file,
                      int line, struct rd_err **reterr)
{
    if (json_is_string(v) && !is_printable(v))
        return rd_fail(reterr, RD_ERR_INPUT, "%s:%d: the %s of %s holds a control character", file, line,
                       what, title);
    if (json_is_string(v) && json_string_length(v) > 0)
        return true;
    if (!v || json_is_null(v))
        return rd_fail(reterr, RD_ERR_INPUT, "%s:%d: %s has no %s", file, line, title, what);
    if (!json_is_number(v) && !json_is_boolean(v))
        return rd_fail(reterr, RD_ERR_INPUT, "%s:%d: %s has no %s that is text", file, line, title,
                       what);
    RD_AUTOFREE char *found = rd_json_dump(v); /* an unquoted y is true to YAML 1.1 */
    return rd_fail(reterr, RD_ERR_INPUT, "%s:%d: %s has no %s that is text (%s is none: quote it)",
                   file, line, title, what, found);
}

/* Takes *take. */
static bool add_object(struct manifest_list *l, json_t *take, const char *file, int line,
                       struct rd_err **reterr)
{
    RD_AUTOJSON json_t *object = take;
    RD_AUTOFREE char *title = manifest_object_title(object);
    if (!want_text(json_object_get(object, "apiVersion"), "apiVersion", "the object", file, line,
                   reterr) ||
        !want_text(json_object_get(object, "kind"), "kind", "the object", file, line, reterr))
        return false;
    const char *kind = rd_json_str(object, "kind", NULL);
    const json_t *metadata = json_object_get(object, "metadata");
    const json_t *name = json_object_get(metadata, "name");
    const json_t *space = json_object_get(metadata, "namespace");
    if (!name && json_object_get(metadata, "generateName"))
        return rd_fail(
            reterr, RD_ERR_INPUT,
            "%s:%d: %s has metadata.generateName; only a fixed metadata.name can be applied", file,
            line, kind);
    if (!want_text(name, "metadata.name", kind, file, line, reterr))
        return false;
    if (json_is_string(space) && !is_printable(space))
        return rd_fail(reterr, RD_ERR_INPUT,
                       "%s:%d: the metadata.namespace of %s holds a control character", file, line, title);
    if (space && !json_is_null(space) && !json_is_string(space))
        return rd_fail(reterr, RD_ERR_INPUT, "%s:%d: the metadata.namespace of %s is not text",
                       file, line, title);
    if (!l->seen)
        l->seen = json_object();
    RD_AUTOFREE char *id = identity(object);
    const char *before = json_string_value(json_object_get(l->seen, id));
    if (before)
        return rd_fail(reterr, RD_ERR_INPUT, "%s:%d: %s is given twice, first in %s", file, line,
                       title, before);
    RD_AUTOFREE char *where = rd_asprintf("%s:%d", file, line);
    json_object_set_new(l->seen, id, json_string(where));
    append(l, json_incref(object), file, line);
    return true;
}

/* "ConfigMapList" gives "ConfigMap"; NULL for a plain List. */
static char *item_kind(const char *kind)
{
    size_t len = strlen(kind) - strlen("List");
    return len > 0 ? rd_strndup(kind, len) : NULL;
}

static bool is_list(const json_t *v)
{
    const char *kind = rd_json_str(v, "kind", NULL);
    return kind && rd_ends_with(kind, "List") && json_is_array(json_object_get(v, "items"));
}

static bool add_list(struct manifest_list *l, const json_t *list, const char *file, int line,
                     struct rd_err **reterr)
{
    RD_AUTOFREE char *kind = item_kind(rd_json_str(list, "kind", NULL));
    const char *api = rd_json_str(list, "apiVersion", NULL);
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(list, "items"), i, item) {
        if (!json_is_object(item))
            return rd_fail(reterr, RD_ERR_INPUT, "%s:%d: item %zu of the list is not an object",
                           file, line, i);
        if (is_list(item))
            return rd_fail(reterr, RD_ERR_INPUT, "%s:%d: item %zu of the list is a list itself",
                           file, line, i);
        if (kind && !json_object_get(item, "kind"))
            json_object_set_new(item, "kind", json_string(kind));
        if (kind && api && !json_object_get(item, "apiVersion"))
            json_object_set_new(item, "apiVersion", json_string(api));
        if (!add_object(l, json_incref(item), file, line, reterr))
            return false;
    }
    return true;
}

bool manifest_add(struct manifest_list *l, json_t *take, const char *file, int line,
                  struct rd_err **reterr)
{
    RD_AUTOJSON json_t *v = take;
    if (json_is_null(v))
        return true;
    if (!json_is_object(v))
        return rd_fail(
            reterr, RD_ERR_INPUT,
            "%s:%d: not a Kubernetes object (a mapping with apiVersion, kind and metadata)", file,
            line);
    if (is_list(v))
        return add_list(l, v, file, line, reterr);
    return add_object(l, json_incref(v), file, line, reterr);
}

static bool load_file(struct manifest_list *l, const char *path, struct rd_err **reterr)
{
    struct yaml_stream s;
    if (!yaml_read_file(path, YAML_FOREIGN, NULL, false, &s, reterr))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < s.len; i++) {
        json_t *root = s.docs[i].root;
        s.docs[i].root = NULL;
        ok = manifest_add(l, root, s.name, s.docs[i].line, reterr);
    }
    yaml_stream_clear(&s);
    return ok;
}

static bool has_manifest_name(const char *name)
{
    return name[0] != '.' && (rd_ends_with(name, ".yaml") || rd_ends_with(name, ".yml") ||
                              rd_ends_with(name, ".json"));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool list_folder(const char *path, struct rd_strv *ret, struct rd_err **reterr)
{
    DIR *dir = opendir(path);
    if (!dir)
        return rd_fail(reterr, RD_ERR_INPUT, "cannot read folder %s: %s", path, strerror(errno));
    for (struct dirent *e; (e = readdir(dir));) {
        if (has_manifest_name(e->d_name))
            rd_strv_add(ret, e->d_name);
    }
    closedir(dir);
    if (ret->len > 0)
        qsort(ret->v, ret->len, sizeof(*ret->v), by_name);
    return true;
}

static bool load_folder(struct manifest_list *l, const char *path, struct rd_err **reterr)
{
    struct rd_strv names = {0};
    bool ok = list_folder(path, &names, reterr);
    for (size_t i = 0; ok && i < names.len; i++) {
        RD_AUTOFREE char *file = rd_path_join(path, names.v[i]);
        struct stat st;
        if (stat(file, &st) == 0 && S_ISDIR(st.st_mode))
            continue;
        ok = manifest_stays_inside(path, file, reterr) && load_file(l, file, reterr);
    }
    rd_strv_clear(&names);
    return ok;
}

bool manifest_load(struct manifest_list *l, const char *path, struct rd_err **reterr)
{
    struct stat st;
    if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return load_folder(l, path, reterr);
    return load_file(l, path, reterr);
}

bool manifest_require(const struct manifest_list *l, const char *where, struct rd_err **reterr)
{
    if (l->len > 0)
        return true;
    return rd_fail(reterr, RD_ERR_INPUT, "no objects in %s", strcmp(where, "-") ? where : "stdin");
}

void manifest_list_clear(struct manifest_list *l)
{
    for (size_t i = 0; i < l->len; i++) {
        json_decref(l->v[i].json);
        free(l->v[i].file);
    }
    free(l->v);
    json_decref(l->seen);
    *l = (struct manifest_list){0};
}
