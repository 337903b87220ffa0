/* render: what would be applied, without touching anything. */
#include "verb.h"

#include "base/alloc.h"
#include "base/file.h"
#include "phase/steps/render.h"

static const struct config_verb_flag flags[] = {
    {"output", "o", "DIR", false, "write k8s.yaml into this folder instead of standard output"},
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

static int run(struct verb_ctx *v)
{
    const struct config *c = &v->config;
    struct rd_err *err = NULL;
    struct manifest_list list = {0};
    struct rd_strv unknown = {NULL, 0};
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    struct template_set *templates = template_set_open(c->templates_dir, &err);
    bool ok = templates && steps_render(c, templates, c->facts, &list, &unknown, &err);
    if (ok)
        rd_buf_printf(&text,
                      "# raydeploy render --target local, deployment %s. KubeRay's CRDs come from "
                      "its chart (version %s)\n# and are applied before this.\n",
                      c->name, c->kuberay.version);
    for (size_t i = 0; ok && i < list.len; i++) {
        RD_AUTOFREE char *comment = comment_of(list.v[i].json, &unknown);
        rd_buf_puts(&text, "---\n");
        yaml_write(&text, list.v[i].json, comment);
    }
    const char *dir = verb_flag_text(v, "output");
    if (ok && dir) {
        RD_AUTOFREE char *path = rd_path_join(dir, "k8s.yaml");
        ok = rd_dir_make(dir, &err) &&
             rd_file_write_atomic(path, rd_buf_str(&text), text.len, 0644, &err);
        if (ok)
            verb_say(v, NOTE_INFO, "wrote %s (%zu objects)", path, list.len);
    } else if (ok) {
        verb_print(v, &text);
    }
    rd_strv_clear(&unknown);
    manifest_list_clear(&list);
    template_set_free(templates);
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
