/* apply, delete and diff: one batch over the objects of -f. */
#include "verb.h"

#include "base/alloc.h"
#include "k8s/batch.h"

#include <stdlib.h>
#include <string.h>

struct objects {
    struct k8s_batch batch;
    struct verb_ctx *v;
    json_t *results; /* owned; for -o json */
    size_t failed, changed;
};

#define FLAG_FILE                                                                                  \
    {                                                                                              \
        "file", "f", "FILE", true, "manifests: a file, a folder, or - for standard input; repeats" \
    }
#define FLAG_NAMESPACE                                                                             \
    {                                                                                              \
        "namespace", "n", "NAME", false, "for namespaced objects that name none"                   \
    }
#define FLAG_END                                                                                   \
    {                                                                                              \
        NULL, NULL, NULL, false, NULL                                                              \
    }

static const struct config_verb_flag apply_flags[] = {
    FLAG_FILE,
    FLAG_NAMESPACE,
    {"dry-run", NULL, NULL, false, "let the server check everything and change nothing"},
    {"force-conflicts", NULL, NULL, false, "take over fields that another manager owns"},
    {"field-manager", NULL, "NAME", false, "who owns the fields (default raydeploy)"},
    FLAG_END,
};
static const struct config_verb_flag delete_flags[] = {
    FLAG_FILE,
    FLAG_NAMESPACE,
    {"dry-run", NULL, NULL, false, "let the server check everything and change nothing"},
    {"cascade", NULL, "HOW", false, "foreground (default), background or orphan"},
    {"no-wait", NULL, NULL, false, "do not wait until the objects are gone"},
    FLAG_END,
};
static const struct config_verb_flag diff_flags[] = {
    FLAG_FILE,
    FLAG_NAMESPACE,
    {"exit-code", NULL, NULL, false, "exit with 10 when something would change"},
    {"field-manager", NULL, "NAME", false, "who would own the fields (default raydeploy)"},
    FLAG_END,
};

/* ---- One result ---- */

static void put_value(struct rd_buf *out, const json_t *value)
{
    if (!value || json_is_null(value)) {
        rd_buf_puts(out, "(none)");
        return;
    }
    RD_AUTOFREE char *text = json_is_string(value) ? rd_strdup(json_string_value(value))
                             : json_is_object(value) || json_is_array(value)
                                 ? rd_json_dump(value)
                                 : json_dumps(value, JSON_ENCODE_ANY);
    ui_clean(out, text);
}

static void put_changes(struct rd_buf *out, const json_t *changes)
{
    size_t i;
    const json_t *c;
    json_array_foreach (changes, i, c) {
        const char *path = rd_json_str(c, "path", NULL);
        rd_buf_puts(out, "  ");
        ui_clean(out, path ? path : "?");
        rd_buf_puts(out, ": ");
        put_value(out, json_object_get(c, "from"));
        rd_buf_puts(out, " -> ");
        put_value(out, json_object_get(c, "to"));
        rd_buf_putc(out, '\n');
    }
}

static void keep_json(struct objects *o, const struct k8s_batch_result *r)
{
    json_t *one = verb_object_json(r->object);
    json_object_set_new(one, "outcome", json_string(k8s_outcome_name(r->outcome)));
    if (r->changes)
        json_object_set(one, "changes", (json_t *)r->changes);
    if (r->conflicts)
        json_object_set(one, "conflicts", (json_t *)r->conflicts);
    if (r->err) {
        RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        ui_clean(&text, r->err->message);
        json_object_set_new(one, "error",
                            rd_json_pack("{s:s, s:s}", "code", rd_err_kind_name(r->err->kind),
                                         "message", rd_buf_str(&text)));
    }
    json_array_set_new(o->results, r->index, one);
}

static void on_result(struct k8s_batch *b, const struct k8s_batch_result *r)
{
    struct objects *o = b->ctx;
    bool failed = r->outcome == K8S_OUT_FAILED || r->outcome == K8S_OUT_SKIPPED;
    o->failed += failed;
    o->changed += r->outcome == K8S_OUT_CREATED || r->outcome == K8S_OUT_CONFIGURED ||
                  r->outcome == K8S_OUT_UNVALIDATED;
    struct phase_note n = {.event = NOTE_RESOURCE,
                           .level = failed ? NOTE_ERROR : NOTE_DEBUG,
                           .resource = r->title,
                           .message = r->err ? r->err->message : k8s_outcome_name(r->outcome),
                           .error = r->err};
    o->v->notes->emit(o->v->notes, &n);
    if (o->v->config.json_output) {
        keep_json(o, r);
        return;
    }
    if (failed || (b->verb == K8S_BATCH_DIFF && r->outcome == K8S_OUT_UNCHANGED))
        return;
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    verb_object_name(&text, r->object);
    rd_buf_putc(&text, ' ');
    if (b->verb == K8S_BATCH_DIFF)
        rd_buf_puts(&text, r->outcome == K8S_OUT_CREATED      ? "would be created"
                           : r->outcome == K8S_OUT_CONFIGURED ? "would change"
                           : r->outcome == K8S_OUT_UNVALIDATED
                               ? "would be created (not validated: what it needs is not there yet)"
                               : k8s_outcome_name(r->outcome));
    else
        rd_buf_puts(&text, k8s_outcome_name(r->outcome));
    rd_buf_puts(&text, b->dry_run && b->verb != K8S_BATCH_DIFF ? " (dry run)\n" : "\n");
    if (b->verb == K8S_BATCH_DIFF && r->outcome == K8S_OUT_CONFIGURED)
        put_changes(&text, r->changes);
    verb_print(o->v, &text);
}

static void on_note(struct k8s_batch *b, size_t index, const char *text)
{
    struct objects *o = b->ctx;
    RD_AUTOFREE char *title = manifest_object_title(k8s_batch_object(b, index));
    RD_AUTOFREE char *line = rd_asprintf("%s: %s", title, text);
    struct phase_note n = {.event = NOTE_STEP,
                           .level = NOTE_INFO,
                           .step = o->v->verb->name,
                           .state = NOTE_RUNNING,
                           .message = line};
    o->v->notes->emit(o->v->notes, &n);
}

/* ---- The whole batch ---- */

static void start(struct op *parent, void *ctx)
{
    struct objects *o = ctx;
    k8s_batch_start(&o->batch, parent);
}

static void print_json(struct objects *o)
{
    json_t *counts = json_object();
    for (int i = 0; i < K8S_OUT_MAX; i++)
        if (o->batch.tally[i])
            json_object_set_new(counts, k8s_outcome_name((enum k8s_outcome)i),
                                json_integer((json_int_t)o->batch.tally[i]));
    RD_AUTOJSON json_t *all = rd_json_pack("{s:O, s:o}", "objects", o->results, "counts", counts);
    verb_print_json(o->v, all);
}

static bool set_cascade(struct verb_ctx *v, struct k8s_batch *b)
{
    const char *how = verb_flag_text(v, "cascade");
    if (!how || rd_streq(how, "foreground"))
        b->propagation = K8S_FOREGROUND;
    else if (rd_streq(how, "background"))
        b->propagation = K8S_BACKGROUND;
    else if (rd_streq(how, "orphan"))
        b->propagation = K8S_ORPHAN;
    else
        return false;
    return true;
}

static int run_batch(struct verb_ctx *v, enum k8s_batch_verb verb)
{
    struct rd_err *err = NULL;
    struct manifest_list list = {0};
    /* Everything is read and checked before the first request leaves. */
    if (!verb_load_files(v, &list, &err)) {
        manifest_list_clear(&list);
        return verb_fail(v, err);
    }
    struct k8s_client *client = verb_connect(v, &err);
    if (!client) {
        manifest_list_clear(&list);
        return verb_fail(v, err);
    }
    struct objects o = {.v = v, .results = json_array()};
    for (size_t i = 0; i < list.len; i++)
        json_array_append_new(o.results,
                              json_null()); /* in the order given, not that of the replies */
    k8s_batch_init(&o.batch, client, verb);
    o.batch.ns = verb_flag_text(v, "namespace");
    o.batch.field_manager = verb_flag_text(v, "field-manager");
    o.batch.dry_run = verb_flag(v, "dry-run");
    o.batch.force = verb_flag(v, "force-conflicts");
    o.batch.no_wait = verb_flag(v, "no-wait");
    o.batch.fail_fast = v->config.fail_fast;
    o.batch.on_result = on_result;
    o.batch.on_note = on_note;
    o.batch.ctx = &o;
    k8s_batch_add_list(&o.batch, &list);
    int code;
    if (!set_cascade(v, &o.batch)) {
        code = verb_refuse(v, "--cascade must be foreground, background or orphan");
    } else {
        code = verb_run_op(v, &o.batch.op, start, &o);
        if (v->failure && list.len > 1 && o.failed > 0)
            rd_err_wrap(v->failure, "%zu of %zu objects failed; the first", o.failed, list.len);
        if (v->config.json_output)
            print_json(&o);
        if (code == 0 && verb == K8S_BATCH_DIFF && o.changed > 0 && verb_flag(v, "exit-code"))
            code = 10;
    }
    k8s_batch_clear(&o.batch);
    k8s_client_free(client);
    json_decref(o.results);
    manifest_list_clear(&list);
    return code;
}

static int run_apply(struct verb_ctx *v)
{
    return run_batch(v, K8S_BATCH_APPLY);
}

static int run_delete(struct verb_ctx *v)
{
    return run_batch(v, K8S_BATCH_DELETE);
}

static int run_diff(struct verb_ctx *v)
{
    return run_batch(v, K8S_BATCH_DIFF);
}

const struct verb verb_apply = {
    .name = "apply",
    .args = "-f FILE...",
    .summary = "server-side apply of any manifests",
    .help = "Namespaces and CRDs come first, instances wait until their CRD is served, the rest "
            "runs side by\n"
            "side. All files are read and checked before the first request; -o json prints one "
            "document\n"
            "{objects: [{apiVersion, kind, namespace, name, outcome, error}], counts}.",
    .flags = apply_flags,
    .run = run_apply,
};

const struct verb verb_delete = {
    .name = "delete",
    .args = "-f FILE...",
    .summary = "delete any manifests and wait until they are gone",
    .help = "In the order of apply, backwards. What is not there is no error (outcome \"absent\").",
    .flags = delete_flags,
    .run = run_delete,
};

const struct verb verb_diff = {
    .name = "diff",
    .args = "-f FILE...",
    .summary = "what apply would change, by server-side dry run",
    .flags = diff_flags,
    .run = run_diff,
};
