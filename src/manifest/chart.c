#include "manifest/chart.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"
#include "manifest/archive.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* "chart/rest" gives "rest"; NULL when there is no folder. */
static const char *below_root(const char *path)
{
    const char *slash = strchr(path, '/');
    return slash ? slash + 1 : NULL;
}

static bool is_crd_file(const char *path)
{
    const char *rest = below_root(path);
    return rest && rd_starts_with(rest, "crds/") &&
           (rd_ends_with(rest, ".yaml") || rd_ends_with(rest, ".yml") ||
            rd_ends_with(rest, ".json"));
}

static bool is_wanted(const char *path)
{
    const char *rest = below_root(path);
    return rest && (strcmp(rest, "Chart.yaml") == 0 || is_crd_file(path));
}

static bool read_about(const struct archive_file *f, const char *label, struct chart *ret,
                       struct rd_err **reterr)
{
    RD_AUTOFREE char *where = rd_asprintf("%s/%s", label, f->path);
    struct yaml_stream s;
    if (!yaml_read(f->data, f->len, where, YAML_FOREIGN, NULL, false, &s, reterr))
        return false;
    const json_t *root = s.len ? s.docs[0].root : NULL;
    rd_str_dup(&ret->name, rd_json_str(root, "name", NULL));
    rd_str_dup(&ret->version, rd_json_str(root, "version", NULL));
    yaml_stream_clear(&s);
    if (!ret->name || !ret->version)
        return rd_fail(reterr, RD_ERR_INPUT, "%s:1: no %s that is text", where,
                       ret->name ? "version" : "name");
    return true;
}

static bool read_crds(const struct archive_file *f, const char *label, struct chart *ret,
                      struct rd_err **reterr)
{
    RD_AUTOFREE char *where = rd_asprintf("%s/%s", label, f->path);
    struct yaml_stream s;
    if (!yaml_read(f->data, f->len, where, YAML_FOREIGN, NULL, false, &s, reterr))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < s.len; i++) {
        json_t *root = s.docs[i].root;
        s.docs[i].root = NULL;
        const char *kind = rd_json_str(root, "kind", NULL);
        if (kind && strcmp(kind, "CustomResourceDefinition") != 0) {
            ok = rd_fail(reterr, RD_ERR_INPUT, "%s:%d: a %.80s among the chart's CRDs", where,
                         s.docs[i].line, kind);
            json_decref(root);
            break;
        }
        ok = manifest_add(&ret->crds, root, where, s.docs[i].line, reterr);
    }
    yaml_stream_clear(&s);
    return ok;
}

/* All files must lie in one folder, the chart's. */
static const struct archive_file *find_about(const struct archive_files *files)
{
    for (size_t i = 0; i < files->len; i++) {
        const char *rest = below_root(files->v[i].path);
        if (rest && strcmp(rest, "Chart.yaml") == 0)
            return &files->v[i];
    }
    return NULL;
}

static bool read_files(const struct archive_files *files, const char *label, struct chart *ret,
                       struct rd_err **reterr)
{
    const struct archive_file *about = find_about(files);
    if (!about)
        return rd_fail(reterr, RD_ERR_INPUT, "%s: no Chart.yaml: not a Helm chart", label);
    if (!read_about(about, label, ret, reterr))
        return false;
    size_t root = (size_t)(below_root(about->path) - about->path);
    for (size_t i = 0; i < files->len; i++) {
        const struct archive_file *f = &files->v[i];
        if (strncmp(f->path, about->path, root) == 0 && is_crd_file(f->path) &&
            !read_crds(f, label, ret, reterr))
            return false;
    }
    return true;
}

bool chart_read(const char *data, size_t len, const char *label, struct chart *ret,
                struct rd_err **reterr)
{
    *ret = (struct chart){0};
    struct archive_files files;
    if (!archive_read_tgz(data, len, label, NULL, is_wanted, &files, reterr))
        return false;
    bool ok = read_files(&files, label, ret, reterr);
    archive_files_clear(&files);
    if (ok)
        rd_sha256_hex(data, len, ret->sha256);
    else
        chart_clear(ret);
    return ok;
}

void chart_clear(struct chart *c)
{
    free(c->name);
    free(c->version);
    manifest_list_clear(&c->crds);
    *c = (struct chart){0};
}
