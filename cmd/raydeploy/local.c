/* local create|delete: a k3s cluster in Docker for --target local; see docs/local.md. */
#include "kubeconfig_merge.h"
#include "verb.h"

#include "base/alloc.h"
#include "local/cluster.h"

#include <stdlib.h>

#define CREATE_MS ((uint64_t)15 * 60 * 1000)
#define CLEAN_MS 60000

static const struct config_verb_flag flags[] = {
    {"image", NULL, "IMAGE", false, "create: image of k3s (default " LOCAL_IMAGE "), by tag or digest"},
    {"port", NULL, "PORT", false, "create: port of the API server on 127.0.0.1 (default: a free one)"},
    {"agents", NULL, "N", false, "create: further nodes beside the server (default 0)"},
    {NULL, NULL, NULL, false, NULL},
};

struct local {
    struct verb_ctx *v;
    struct docker docker;
    struct local_create create;
    struct local_delete del;
};

static void on_say(void *ctx, const char *text)
{
    struct verb_ctx *v = ctx;
    struct phase_note n = {.event = NOTE_STEP,
                           .level = NOTE_INFO,
                           .step = "local",
                           .state = NOTE_RUNNING,
                           .message = text};
    v->notes->emit(v->notes, &n);
}

static void start_create(struct op *parent, void *ctx)
{
    struct local *x = ctx;
    local_create_start(&x->create, parent);
    if (!x->v->config.timeout_ms)
        op_set_timeout(&x->create.op, CREATE_MS);
}

static void start_delete(struct op *parent, void *ctx)
{
    struct local *x = ctx;
    local_delete_start(&x->del, parent);
    op_set_timeout(&x->del.op, CLEAN_MS);
}

/* What this run made goes again; a cluster that was there before stays. */
static void clean_up(struct local *x)
{
    if (x->create.adopted || !x->create.made)
        return;
    verb_say(x->v, NOTE_WARN, "taking away what was made of cluster %s", x->v->config.name);
    x->del = (struct local_delete){.d = &x->docker, .name = x->v->config.name};
    x->v->config.timeout_ms = 0; /* it may have run out; this has a limit of its own */
    if (verb_run_op(x->v, &x->del.op, start_delete, x) != 0)
        verb_say(x->v, NOTE_WARN, "not all of it could be: raydeploy local delete --name %s",
                 x->v->config.name);
    local_delete_clear(&x->del);
}

static int write_entry(struct local *x, const char *path, const char *context)
{
    struct verb_ctx *v = x->v;
    struct rd_err *err = NULL;
    RD_AUTOFREE char *user = local_user(v->config.name);
    struct kubeconfig_entry e = {.name = context,
                                 .user_name = user,
                                 .server = x->create.access.server,
                                 .ca_pem = x->create.access.ca_pem,
                                 .user = x->create.access.user};
    return kubeconfig_put_file(path, &e, &err) ? 0 : verb_fail(v, err);
}

static int run_create(struct local *x)
{
    struct verb_ctx *v = x->v;
    RD_AUTOFREE char *context = local_context(v->config.name);
    RD_AUTOFREE char *path = kubeconfig_path(&v->config);
    int code = verb_run_op(v, &x->create.op, start_create, x);
    if (code == 0)
        code = write_entry(x, path, context);
    if (code != 0) {
        clean_up(x);
    } else {
        if (v->config.json_output) {
            RD_AUTOJSON json_t *o = rd_json_pack(
                "{s:s, s:s, s:s, s:s, s:s, s:b}", "action", "create", "name", v->config.name, "context",
                context, "kubeconfig", path, "server", x->create.access.server, "adopted",
                x->create.adopted);
            verb_print_json(v, o);
        }
        rd_str_take(&v->result,
                    rd_asprintf("cluster %s %s; context %s is in %s and is the current one. Next: "
                                "raydeploy up --target local",
                                v->config.name, x->create.adopted ? "is there" : "was made", context,
                                path));
    }
    local_create_clear(&x->create);
    return code;
}

static int run_delete(struct local *x)
{
    struct verb_ctx *v = x->v;
    struct rd_err *err = NULL;
    RD_AUTOFREE char *context = local_context(v->config.name);
    RD_AUTOFREE char *user = local_user(v->config.name);
    RD_AUTOFREE char *path = kubeconfig_path(&v->config);
    x->del = (struct local_delete){.d = &x->docker, .name = v->config.name};
    int code = verb_run_op(v, &x->del.op, start_delete, x);
    bool dropped = false;
    if (code == 0 && !kubeconfig_drop_file(path, context, user, &dropped, &err))
        code = verb_fail(v, err);
    if (code == 0) {
        if (dropped)
            json_array_append_new(x->del.removed,
                                  rd_json_pack("{s:s, s:s}", "kind", "context", "name", context));
        size_t n = json_array_size(x->del.removed), i;
        const json_t *one;
        RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        json_array_foreach (x->del.removed, i, one)
            rd_buf_printf(&out, "%s/%s deleted\n", rd_json_str(one, "kind", NULL),
                          rd_json_str(one, "name", NULL));
        if (v->config.json_output) {
            RD_AUTOJSON json_t *o = rd_json_pack("{s:s, s:s, s:O}", "action", "delete", "name",
                                                 v->config.name, "removed", x->del.removed);
            verb_print_json(v, o);
        } else {
            verb_print(v, &out);
        }
        if (n == 0)
            rd_str_take(&v->result, rd_asprintf("there was no cluster %s", v->config.name));
    }
    local_delete_clear(&x->del);
    return code;
}

/* Digits only, within bounds. */
static bool number(const char *text, long min, long max, long *ret)
{
    char *end;
    *ret = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && *ret >= min && *ret <= max;
}

static bool check(struct local *x, bool create, int *ret)
{
    struct verb_ctx *v = x->v;
    const char *port = verb_flag_text(v, "port"), *agents = verb_flag_text(v, "agents");
    const char *image = verb_flag_text(v, "image");
    long n = 0;
    if (!create && (port || agents || image)) {
        *ret = verb_refuse(v, "--image, --port and --agents go with local create");
        return false;
    }
    x->create = (struct local_create){.d = &x->docker,
                                      .name = v->config.name,
                                      .image = image ? image : LOCAL_IMAGE,
                                      .say = on_say,
                                      .ctx = v};
    if (port && !number(port, 1, 65535, &n)) {
        *ret = verb_refuse(v, "--port must be a number from 1 to 65535");
        return false;
    }
    x->create.port = (uint16_t)n;
    n = 0;
    if (agents && !number(agents, 0, LOCAL_AGENTS_MAX, &n)) {
        *ret = verb_refuse(v, "--agents must be a number from 0 to %d", LOCAL_AGENTS_MAX);
        return false;
    }
    x->create.agents = (unsigned)n;
    if (image && !*image) {
        *ret = verb_refuse(v, "--image must not be empty");
        return false;
    }
    return true;
}

static int run(struct verb_ctx *v)
{
    const struct rd_strv *words = &v->config.rest;
    bool create = words->len == 1 && rd_streq(words->v[0], "create");
    if (!create && !(words->len == 1 && rd_streq(words->v[0], "delete")))
        return verb_refuse(v, "expected create or delete");
    struct local x = {.v = v};
    struct rd_err *err = NULL;
    int code = 0;
    if (!check(&x, create, &code))
        return code;
    if (!docker_open(&x.docker, v->loop, getenv("DOCKER_HOST"), &err)) {
        docker_close(&x.docker);
        return verb_fail(v, err);
    }
    code = create ? run_create(&x) : run_delete(&x);
    docker_close(&x.docker);
    return code;
}

const struct verb verb_local = {
    .name = "local",
    .args = "create|delete",
    .summary = "a k3s cluster in Docker for --target local",
    .help = "create makes, or finds, the cluster k3d-NAME as k3d would lay it out, waits until its nodes are\n"
            "ready and makes its context the current one of the kubeconfig; what a failed or interrupted run\n"
            "made is taken away. delete removes containers, network, volume and context. Clusters that k3d,\n"
            "kind or anybody else made are never touched, and need none of this: name their --context.",
    .flags = flags,
    .takes_words = true,
    .run = run,
};
