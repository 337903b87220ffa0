#include "deploy.h"
#include "proof.h"

#include "base/alloc.h"

#include <string.h>

static const struct config_verb_flag flags[] = {
    {"keep", NULL, "LIST", false, "leave these standing: registry, filestore, bucket (comma-separated)"},
    {"management", NULL, NULL, false,
     "the management cluster too, and what bootstrap made, unless another deployment needs it"},
    {"scan", NULL, NULL, false, "only look for what is left at Google; exit 9 when something is"},
    {"receipt", NULL, "FILE", false, "write down what was deleted, scanned and kept, as JSON"},
    {"bootstrap", NULL, NULL, false,
     "make the management cluster anew when it is gone and the deployment is not"},
    {NULL, NULL, NULL, false, NULL},
};

/* ---- --target local ---- */

/* Ours, but still needed by somebody: not an error of a step, and not done either. */
static int report_rest(struct deploy *d)
{
    /* What stays in a cluster that went goes with it. */
    bool cluster_gone = false;
    for (unsigned i = 0; i < d->result.step_count; i++)
        cluster_gone = cluster_gone || (rd_streq(d->result.steps[i].id, "gke") &&
                                        d->result.steps[i].state == STEP_GONE);
    struct verb_ctx *v = d->v;
    RD_AUTOBUF struct rd_buf rest = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (unsigned i = 0; i < d->result.step_count; i++) {
        const struct drive_step_report *s = &d->result.steps[i];
        if (s->state != STEP_KEPT || (cluster_gone && (d->inside & ((step_set)1 << i))))
            continue;
        if (s->found.kind == RD_ERR_REMAINS)
            rd_buf_printf(&rest, "%s%s: %s", rest.len ? "; " : "", s->title,
                          s->reason ? s->reason : "stays");
        else if (s->reason)
            verb_say(v, NOTE_INFO, "kept: %s: %s", s->title, s->reason);
    }
    if (rest.len) {
        struct rd_err *err =
            rd_err_new(RD_ERR_REMAINS, "not everything is gone: %s", rd_buf_str(&rest));
        rd_err_hint(err, "Run the same command again when what needs it is gone.");
        return verb_fail(v, err);
    }
    verb_say(v, NOTE_INFO,
             d->result.writes ? "nothing of deployment %s is left"
                              : "there was nothing to do: nothing of deployment %s is left",
             v->config.name);
    return 0;
}

static int run_local(struct verb_ctx *v)
{
    struct deploy d;
    RD_AUTOFREE char *ns = config_namespace(&v->config);
    if (!v->config.yes && ui_can_ask()) {
        RD_AUTOFREE char *question = rd_asprintf(
            "Delete RayCluster %s, namespace %s with the shared volume's data, and what else "
            "raydeploy made for deployment %s?",
            v->config.name, ns, v->config.name);
        if (!ui_confirm(question)) {
            rd_str_take(&v->result, rd_strdup("nothing was touched"));
            return 0;
        }
    }
    deploy_init(&d, v);
    int code = rd_err_exit_code(RD_ERR_INPUT);
    if (deploy_check(&d, false)) {
        code = deploy_run(&d, GOAL_DOWN, deploy_all(&d), 0);
        if (code == 0)
            code = report_rest(&d);
        if (v->config.json_output) {
            RD_AUTOJSON json_t *o = deploy_json(&d);
            json_object_set_new(o, "proof", json_null());
            verb_print_json(v, o);
        }
    }
    deploy_clear(&d);
    return code;
}

/* ---- --target gke ---- */

/* --keep as an array; NULL with RD_ERR_INPUT for a word that cannot be kept. */
static json_t *keep_list(struct verb_ctx *v, struct rd_err **reterr)
{
    static const char *const words[] = {"registry", "filestore", "bucket", NULL};
    struct rd_strv given = {NULL, 0};
    const char *text = verb_flag_text(v, "keep");
    json_t *keep = json_array();
    rd_strv_split(&given, text ? text : "", ", ");
    for (size_t i = 0; i < given.len && keep; i++) {
        bool known = false;
        for (const char *const *w = words; *w; w++)
            known = known || rd_streq(*w, given.v[i]);
        if (known) {
            json_array_append_new(keep, json_string(given.v[i]));
            continue;
        }
        rd_fail(reterr, RD_ERR_INPUT, "--keep \"%.100s\": only registry, filestore and bucket can stay",
                given.v[i]);
        json_decref(keep);
        keep = NULL;
    }
    rd_strv_clear(&given);
    return keep;
}

static void say_lines(struct verb_ctx *v, enum note_level level, const struct rd_buf *text,
                      const char *before)
{
    const char *p = text->len ? text->data : "";
    while (*p) {
        size_t n = strcspn(p, "\n");
        verb_say(v, level, "%s%.*s", before, (int)n, p);
        p += n + (p[n] == '\n');
    }
}

static void say_kept(const struct proof *p)
{
    RD_AUTOBUF struct rd_buf kept = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    proof_put_kept(p, &kept);
    say_lines(p->v, NOTE_INFO, &kept, "kept, still billed: ");
}

/* Something could not be looked at: nothing is proven. */
static int fail_unknown(const struct proof *p)
{
    RD_AUTOBUF struct rd_buf what = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (size_t i = 0; i < p->scan.unknown.len; i++)
        rd_buf_printf(&what, "%s%s", i ? ", " : "", p->scan.unknown.v[i]);
    struct rd_err *err = rd_err_new(p->scan.why ? p->scan.why->kind : RD_ERR_TRANSIENT,
                                    "not everything could be looked at (%s)%s%s", rd_buf_str(&what),
                                    p->scan.why ? ": " : "",
                                    p->scan.why ? p->scan.why->message : "");
    rd_err_hint(err, "Look again when the cause is gone: raydeploy teardown --scan");
    return verb_fail(p->v, err);
}

static int fail_left(const struct proof *p, const char *hint)
{
    RD_AUTOBUF struct rd_buf left = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    size_t n = proof_count(p, PROOF_GOES);
    proof_put_left(p, &left);
    say_lines(p->v, NOTE_WARN, &left, "");
    struct rd_err *err = rd_err_new(RD_ERR_REMAINS, "%zu thing%s of deployment %s %s still there", n,
                                    n == 1 ? "" : "s", p->v->config.name, n == 1 ? "is" : "are");
    rd_err_hint(err, "%s", hint);
    return verb_fail(p->v, err);
}

/* What was found is the result: after a teardown, and of --scan. */
static int conclude(struct proof *p, struct deploy *d, const char *receipt, const char *hint)
{
    struct verb_ctx *v = p->v;
    struct rd_err *err = NULL;
    if (proof_count(p, PROOF_GOES))
        return fail_left(p, hint);
    if (p->scan.unknown.len)
        return fail_unknown(p);
    say_kept(p);
    size_t seen = 0;
    for (unsigned k = 0; k < SCAN_KIND_MAX; k++)
        seen += p->scan.seen[k];
    verb_say(v, NOTE_INFO, "scanned %u kinds, %zu resources: nothing of deployment %s is left",
             (unsigned)SCAN_KIND_MAX, seen, v->config.name);
    if (!receipt)
        return 0;
    if (!proof_receipt(p, d, receipt, &err))
        return verb_fail(v, err);
    verb_say(v, NOTE_INFO, "wrote the receipt %s", receipt);
    return 0;
}

static int scan_only(struct proof *p, const char *receipt)
{
    p->holdings = true;
    int code = proof_run(p);
    if (code)
        return code;
    code = conclude(p, NULL, receipt, "Each line above is followed by the command that removes it; "
                                      "raydeploy teardown removes what raydeploy made.");
    if (p->v->config.json_output) {
        RD_AUTOJSON json_t *o = proof_json(p);
        verb_print_json(p->v, o);
    }
    return code;
}

/* 0: go on; else *ret_code is the end of it. */
static bool may_go_on(struct proof *p, int *ret_code)
{
    struct verb_ctx *v = p->v;
    RD_AUTOBUF struct rd_buf data = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    proof_put_data(p, &data);
    if (data.len)
        verb_say(v, NOTE_WARN, "these hold data, which is lost:");
    say_lines(v, NOTE_WARN, &data, "");
    *ret_code = 0;
    if (v->config.yes)
        return true;
    if (!ui_can_ask()) {
        struct rd_err *err = rd_err_new(RD_ERR_INPUT, "teardown asks first, and nobody can be asked here");
        rd_err_hint(err, "Add --yes to delete deployment %s of project %s without being asked.",
                    v->config.name, v->config.project);
        *ret_code = verb_fail(v, err);
        return false;
    }
    RD_AUTOFREE char *question =
        rd_asprintf("Delete deployment %s of project %s (%zu resources at Google)%s?", v->config.name,
                    v->config.project, proof_count(p, PROOF_GOES),
                    p->management ? ", the management cluster included" : "");
    if (ui_confirm(question))
        return true;
    rd_str_take(&v->result, rd_strdup("nothing was touched"));
    return false;
}

/* Another deployment needs the management cluster: not ours to end, rather than left over. */
static bool is_shared(const struct deploy *d)
{
    for (unsigned i = 0; i < d->result.step_count; i++) {
        const struct drive_step_report *s = &d->result.steps[i];
        if (rd_streq(s->id, "cc-ready") && s->state == STEP_FAILED && s->err &&
            s->err->kind == RD_ERR_FOREIGN)
            return true;
    }
    return false;
}

static int run_graph(struct deploy *d, struct proof *p, const char *receipt)
{
    struct verb_ctx *v = d->v;
    step_set want = deploy_all(d);
    if (!p->management)
        want &= ~deploy_management(d);
    int code = deploy_run(d, GOAL_DOWN, want, 0);
    bool stopped = d->result.err && d->result.err->kind == RD_ERR_CANCELLED;
    if (stopped)
        return code;
    if (p->management && is_shared(d))
        code = rd_err_exit_code(RD_ERR_FOREIGN);
    if (code == 0)
        code = report_rest(d);
    p->settle = code == 0;
    p->holdings = false;
    int scanned = proof_run(p);
    if (code || scanned) {
        if (!scanned && proof_count(p, PROOF_GOES)) {
            RD_AUTOBUF struct rd_buf left = RD_BUF_INIT(RD_BUF_UNBOUNDED);
            proof_put_left(p, &left);
            say_lines(v, NOTE_WARN, &left, "");
        }
        return code ? code : scanned;
    }
    return conclude(p, d, receipt,
                    "Run the same command again; what it leaves is removed by the command under it.");
}

/* What was done, and what is there now. */
static void print_json(const struct deploy *d, const struct proof *p)
{
    RD_AUTOJSON json_t *o = deploy_json(d);
    json_object_set_new(o, "proof", p->scanned ? proof_json(p) : json_null());
    verb_print_json(d->v, o);
}

/* What Config Connector would have to take away, and cannot any more. What bootstrap made needs no
 * cluster to be taken back: a teardown that was cut off after the cluster goes on with it. */
static bool has_orphans(const struct proof *p)
{
    for (size_t i = 0; i < p->scan.len; i++)
        if (!p->scan.items[i].management && proof_fate(p, &p->scan.items[i]) == PROOF_GOES)
            return true;
    return false;
}

static int run_gke(struct verb_ctx *v)
{
    struct rd_err *err = NULL;
    struct deploy d;
    struct proof p;
    const char *receipt = verb_flag_text(v, "receipt");
    RD_AUTOJSON json_t *keep = keep_list(v, &err);
    if (!keep)
        return verb_fail(v, err);
    proof_init(&p, v);
    p.management = verb_flag(v, "management");
    p.keep = keep;
    if (verb_flag(v, "scan")) {
        int code = scan_only(&p, receipt);
        proof_clear(&p);
        return code;
    }
    deploy_init(&d, v);
    json_object_set(d.session, "keep", keep);
    json_object_set_new(d.session, "management", json_boolean(p.management));
    int code = rd_err_exit_code(RD_ERR_INPUT);
    if (deploy_check(&d, false)) {
        p.holdings = true;
        code = proof_run(&p);
        if (code == 0 && !p.scan.management && !proof_count(&p, PROOF_GOES)) {
            verb_say(v, NOTE_INFO, "there was nothing to do");
            code = conclude(&p, NULL, receipt, "");
        } else if (code == 0 && !p.scan.management && has_orphans(&p) &&
                   !verb_flag(v, "bootstrap")) {
            code = fail_left(&p, "The management cluster is gone, and what it looked after is not. Make it "
                                 "anew and take all back: raydeploy teardown --bootstrap; or remove each by "
                                 "the command under it.");
        } else if (code == 0 && may_go_on(&p, &code)) {
            if (!p.scan.management && has_orphans(&p)) {
                step_set want = deploy_bit(&d, "cc-ready");
                code = deploy_run(&d, GOAL_UP, want, deploy_all(&d));
            }
            if (code == 0)
                code = run_graph(&d, &p, receipt);
        }
        if (v->config.json_output)
            print_json(&d, &p);
    }
    deploy_clear(&d);
    proof_clear(&p);
    return code;
}

static int run(struct verb_ctx *v)
{
    static const char *const cloud[] = {"keep", "management", "scan", "receipt", "bootstrap"};
    if (v->config.target != TARGET_LOCAL)
        return run_gke(v);
    for (size_t i = 0; i < RD_ARRAY_LEN(cloud); i++)
        if (json_object_get(v->config.verb_flags, cloud[i]))
            return verb_refuse(v, "--%s has no meaning with --target local", cloud[i]);
    return run_local(v);
}

const struct verb verb_teardown = {
    .name = "teardown",
    .summary = "delete what raydeploy made, in the safe order, and prove that nothing is left",
    .help = "Deletes only what carries our mark. First lists what holds data, then asks; without a terminal "
            "--yes is needed\n"
            "(--target local asks only on a terminal). Then everything billable that the deployment can have "
            "caused is looked\n"
            "for by label, name and network; what is left is listed with the command that removes it: exit "
            "code 9.",
    .flags = flags,
    .needs_deployment = true,
    .run = run,
};
