/* lint: what cannot work in manifests, found without a server. Each finding is one line,
 * FILE:LINE: error|warning: Kind/namespace/name: what and why. */
#include "lint.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static const struct config_verb_flag flags[] = {
    {"file", "f", "FILE", true, "manifests: a file, a folder, or - for standard input; repeats"},
    {NULL, NULL, NULL, false, NULL},
};

void lint_find(struct lint *l, const struct manifest_object *o, bool error, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    RD_AUTOFREE char *title = manifest_object_title(o->json);
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    if (error)
        l->errors++;
    else
        l->warnings++;
    ui_clean(&b, text);
    RD_AUTOFREE char *message = rd_buf_take(&b, NULL);
    ui_clean(&b, title);
    json_array_append_new(l->findings,
                          rd_json_pack("{s:s, s:i, s:s, s:s, s:s}", "file", o->file, "line",
                                       o->line, "level", error ? "error" : "warning", "resource",
                                       rd_buf_str(&b), "message", message));
}

static void put_findings(const struct lint *l, struct rd_buf *out)
{
    size_t i;
    const json_t *f;
    json_array_foreach (l->findings, i, f) {
        ui_clean(out, rd_json_str(f, "file", NULL));
        rd_buf_printf(out, ":%d: %s: %s: %s\n", (int)rd_json_path_int(f, "line", 0),
                      rd_json_str(f, "level", NULL), rd_json_str(f, "resource", NULL),
                      rd_json_str(f, "message", NULL));
    }
}

void lint_all(struct lint *l, const struct manifest_list *list)
{
    l->list = list;
    for (size_t i = 0; i < list->len; i++) {
        lint_ray(l, &list->v[i]);
        lint_selectors(l, &list->v[i]);
    }
}

static int run(struct verb_ctx *v)
{
    struct rd_err *err = NULL;
    struct manifest_list list = {0};
    if (!verb_load_files(v, &list, &err)) {
        manifest_list_clear(&list);
        return verb_fail(v, err);
    }
    RD_AUTOJSON json_t *findings = json_array();
    struct lint l = {.findings = findings};
    lint_all(&l, &list);
    int code = l.errors == 0 ? 0
                             : verb_fail(v, rd_err_new(RD_ERR_INPUT, "%u problems that cannot work",
                                                       l.errors));
    if (v->config.json_output) {
        RD_AUTOJSON json_t *o =
            rd_json_pack("{s:O, s:i, s:i, s:i}", "findings", findings, "errors", (int)l.errors,
                         "warnings", (int)l.warnings, "objects", (int)list.len);
        verb_print_json(v, o);
    } else {
        RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        put_findings(&l, &text);
        verb_print(v, &text);
    }
    verb_say(v, NOTE_INFO, "%zu objects: %u errors, %u warnings", list.len, l.errors, l.warnings);
    manifest_list_clear(&list);
    return code;
}

const struct verb verb_lint = {
    .name = "lint",
    .args = "-f FILE...",
    .summary = "find what cannot work in manifests, offline",
    .help = "Syntax and shape; KubeRay's own rules, which the operator applies after the API "
            "server said\n"
            "yes; selectors that match no pod; operator flags of another version; settings that "
            "crash the\n"
            "head. Exit code 2 when there is an error; warnings alone are 0.",
    .flags = flags,
    .offline = true,
    .run = run,
};
