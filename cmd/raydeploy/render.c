/* render: what would be applied, without touching anything. */
#include "verb.h"

#include "base/alloc.h"
#include "base/file.h"
#include "phase/steps/render.h"

#include <stdlib.h>

static const struct config_verb_flag flags[] = {
    {"output", "o", "DIR|json", false,
     "write config.yaml and k8s.yaml into this folder, not to standard output; json: one JSON "
     "document there (a folder of that name is ./json)"},
    {NULL, NULL, NULL, false, NULL},
};

/* Which facts in the object are stand-ins. Owned; NULL: none. */
static char *comment_of(const json_t *object, const struct rd_strv *unknown)
{
    struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (size_t i = 0; i < unknown->len; i++)
        if (steps_render_uses(object, unknown->v[i]))
            rd_buf_printf(&b, "%s%s",
                          b.len ? ", "
                                : "not known before the cluster was asked, shown as "
                                  "an example (set with --fact): ",
                          unknown->v[i]);
    return b.len ? rd_buf_take(&b, NULL) : NULL;
}

/* One file of the result. */
struct sheet {
    const char *file;
    bool (*render)(const struct config *c, struct template_set *templates, const json_t *facts,
                   struct manifest_list *out, struct rd_strv *ret_unknown, struct rd_err **reterr);
    char *heading; /* owned */
};

static json_t *sheet_json(const struct sheet *s, const struct manifest_list *list,
                          const struct rd_strv *unknown)
{
    json_t *objects = json_array(), *facts = json_array();
    for (size_t i = 0; i < list->len; i++)
        json_array_append(objects, list->v[i].json);
    for (size_t i = 0; i < unknown->len; i++)
        json_array_append_new(facts, json_string(unknown->v[i]));
    return rd_json_pack("{s:s, s:o, s:o}", "file", s->file, "objects", objects, "unknown", facts);
}

/* Of -o, which here also names a folder. */
static const char *folder(const struct verb_ctx *v)
{
    const char *dir = verb_flag_text(v, "output");
    return rd_streq(dir, "json") || rd_streq(dir, "text") ? NULL : dir;
}

static bool render_sheet(struct verb_ctx *v, struct template_set *templates, const struct sheet *s,
                         json_t *sheets, struct rd_err **reterr)
{
    struct manifest_list list = {0};
    struct rd_strv unknown = {NULL, 0};
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    bool ok = s->render(&v->config, templates, v->config.facts, &list, &unknown, reterr);
    if (ok)
        json_array_append_new(sheets, sheet_json(s, &list, &unknown));
    rd_buf_puts(&text, s->heading);
    for (size_t i = 0; ok && i < list.len; i++) {
        RD_AUTOFREE char *comment = comment_of(list.v[i].json, &unknown);
        rd_buf_puts(&text, "---\n");
        yaml_write(&text, list.v[i].json, comment);
    }
    const char *dir = folder(v);
    if (ok && dir) {
        RD_AUTOFREE char *path = rd_path_join(dir, s->file);
        ok = rd_dir_make(dir, reterr) &&
             rd_file_write_atomic(path, rd_buf_str(&text), text.len, 0644, reterr);
        if (ok)
            verb_say(v, NOTE_INFO, "wrote %s (%zu objects)", path, list.len);
    } else if (ok && !v->config.json_output) {
        verb_print(v, &text);
    }
    rd_strv_clear(&unknown);
    manifest_list_clear(&list);
    return ok;
}

/* What the reader has to know about the Config Connector that config.yaml is for. Owned. */
static char *heading_cc(const struct config *c)
{
    const char *version = json_string_value(json_object_get(c->facts, "cc.version"));
    return rd_asprintf(
        "# raydeploy render --target gke, deployment %s, phase 1: for the management "
        "cluster,\n# with Config Connector %s.\n",
        c->name,
        version ? version
                : "of a current version (--fact cc.version=1.130.0 "
                  "shows what an\n# older one would be sent)");
}

static char *heading_k8s(const struct config *c)
{
    bool gke = c->target == TARGET_GKE;
    return rd_asprintf("# raydeploy render --target %s, deployment %s%s. KubeRay's CRDs come from "
                       "its chart (version %s)\n# and are applied before this.\n",
                       gke ? "gke" : "local", c->name, gke ? ", phase 2: for the new cluster" : "",
                       c->kuberay.version);
}

static int run(struct verb_ctx *v)
{
    const struct config *c = &v->config;
    struct rd_err *err = NULL;
    RD_AUTOJSON json_t *done = json_array();
    v->config.json_output = rd_streq(verb_flag_text(v, "output"), "json");
    struct sheet sheets[] = {{"config.yaml", steps_render_cc, heading_cc(c)},
                             {"k8s.yaml", steps_render, heading_k8s(c)}};
    struct template_set *templates = template_set_open(c->templates_dir, &err);
    bool ok = templates != NULL;
    for (size_t i = c->target == TARGET_GKE ? 0 : 1; ok && i < RD_ARRAY_LEN(sheets); i++)
        ok = render_sheet(v, templates, &sheets[i], done, &err);
    for (size_t i = 0; i < RD_ARRAY_LEN(sheets); i++)
        free(sheets[i].heading);
    template_set_free(templates);
    if (ok && v->config.json_output) {
        RD_AUTOJSON json_t *o =
            rd_json_pack("{s:s, s:s, s:O}", "name", c->name, "target",
                         c->target == TARGET_LOCAL ? "local" : "gke", "files", done);
        verb_print_json(v, o);
    }
    return ok ? 0 : verb_fail(v, err);
}

const struct verb verb_render = {
    .name = "render",
    .summary = "the manifests it would apply, without touching anything",
    .flags = flags,
    .needs_deployment = true,
    .offline = true,
    .run = run,
};
