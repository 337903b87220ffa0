/* explain: the readiness verdict of saved objects, without a server. */
#include "verb.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "k8s/explain.h"

static const struct config_verb_flag flags[] = {
    {"file", "f", "FILE", true, "objects as saved with `kubectl get -o yaml`; repeats"},
    {NULL, NULL, NULL, false, NULL},
};

static json_t *one_json(const json_t *object, int64_t now)
{
    struct k8s_verdict verdict = {0};
    RD_AUTOBUF struct rd_buf message = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    k8s_judge(object, now, &verdict);
    json_t *one = verb_object_json(object);
    json_object_set_new(one, "status", json_string(k8s_status_name(verdict.status)));
    if (verdict.reason) {
        ui_clean(&message, verdict.reason);
        json_object_set_new(one, "reason", json_string(rd_buf_str(&message)));
        rd_buf_reset(&message);
    }
    ui_clean(&message, verdict.message);
    json_object_set_new(one, "message", json_string(rd_buf_str(&message)));
    if (verdict.status == K8S_FAILED || verdict.grace_ms > 0) {
        /* After how long it is final, and what `wait` would exit for then. */
        json_object_set_new(one, "grace_ms", json_integer((json_int_t)verdict.grace_ms));
        json_object_set_new(one, "code", json_string(rd_err_kind_name(verdict.kind)));
    }
    k8s_verdict_clear(&verdict);
    return one;
}

/* Each file is a list of its own: two snapshots of one object may be told side by side. */
static bool explain_file(struct verb_ctx *v, const char *path, int64_t now, struct rd_buf *text,
                         json_t *all, struct rd_err **reterr)
{
    struct manifest_list list = {0};
    bool ok = manifest_load(&list, path, reterr) && manifest_require(&list, path, reterr);
    for (size_t i = 0; ok && i < list.len; i++) {
        if (v->config.json_output)
            json_array_append_new(all, one_json(list.v[i].json, now));
        else
            k8s_explain_line(list.v[i].json, now, text, NULL);
    }
    manifest_list_clear(&list);
    return ok;
}

static int run(struct verb_ctx *v)
{
    struct rd_err *err = NULL;
    const struct rd_strv *files = &v->config.files;
    int64_t now = rd_wall_ms();
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    RD_AUTOJSON json_t *all = json_array();
    bool ok = files->len > 0 ||
              rd_fail(&err, RD_ERR_INPUT, "no file is given: use -f FILE, -f FOLDER or -f -");
    for (size_t i = 0; ok && i < files->len; i++)
        ok = explain_file(v, files->v[i], now, &text, all, &err);
    if (!ok)
        return verb_fail(v, err);
    if (v->config.json_output) {
        RD_AUTOJSON json_t *o = rd_json_pack("{s:O}", "objects", all);
        verb_print_json(v, o);
    } else {
        verb_print(v, &text);
    }
    return 0;
}

const struct verb verb_explain = {
    .name = "explain",
    .args = "-f FILE...",
    .summary = "is it ready, and why not: the verdict of saved objects, offline",
    .help = "One line each: KIND/NAMESPACE/NAME STATUS MESSAGE, where STATUS is Current, "
            "InProgress, Failed,\n"
            "Terminating or Unknown (no rule for that kind). Without a namespace the middle is "
            "empty: KIND//NAME.",
    .flags = flags,
    .offline = true,
    .run = run,
};
