#include "local/cluster.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READY_MS ((uint64_t)5 * 60 * 1000)
#define PAUSE_MS 500
#define PORT_TRIES_MAX 5

enum create_state {
    LC_BEGIN,
    LC_LIST,
    LC_IMAGE,
    LC_PULL,
    LC_NETWORK,
    LC_NETWORK_MADE,
    LC_VOLUME,
    LC_VOLUME_MADE,
    LC_CREATE,
    LC_CREATED,
    LC_STARTED,
    LC_REPORT, /* the port was taken: remove, draw another, create again */
    LC_FILE,
    LC_STATE,
    LC_LOGS,
    LC_PAUSE,
    LC_READY,
    LC_NODES,
    LC_READY_PAUSE,
};

static void enter(struct local_create *c, enum create_state state)
{
    c->state = (int)state;
}

static void say(struct local_create *c, const char *fmt, ...) RD_PRINTF(2, 3);
static void say(struct local_create *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    if (c->say && !rd_streq(text, c->last))
        c->say(c->ctx, text);
    rd_str_dup(&c->last, text);
}

void local_create_clear(struct local_create *c)
{
    docker_call_clear(&c->call);
    k8s_call_clear(&c->ask);
    if (c->k8s)
        k8s_client_free(c->k8s);
    local_access_clear(&c->access);
    rd_err_free(op_take_err(&c->pause.op));
    rd_err_free(c->pull_error);
    rd_err_free(op_take_err(&c->op));
    json_decref(c->layers);
    if (c->token)
        rd_wipe(c->token, strlen(c->token));
    free(c->token);
    free(c->last);
    for (size_t i = 0; i < RD_ARRAY_LEN(c->ids); i++)
        free(c->ids[i]);
    memset(c, 0, sizeof(*c));
}

/* ---- Requests ---- */

static void request(struct local_create *c, enum create_state state, const char *method,
                    struct http_url *u, const char *what, const char *subject, const json_t *body)
{
    enter(c, state);
    docker_call_init(&c->call, c->d, method, u, what, subject);
    if (body)
        docker_call_json(&c->call, body);
}

static void ask_list(struct local_create *c)
{
    RD_AUTOFREE char *filters = local_filters(c->name);
    struct http_url u;
    docker_url(&u, c->d, "/containers/json");
    http_url_query(&u, "all", "true");
    http_url_query(&u, "filters", filters);
    request(c, LC_LIST, "GET", &u, "list containers of", c->name, NULL);
    docker_call_start(&c->call, &c->op);
}

static void ask_image(struct local_create *c)
{
    struct http_url u;
    docker_url(&u, c->d, "/images");
    http_url_seg(&u, c->image);
    http_url_path(&u, "/json");
    request(c, LC_IMAGE, "GET", &u, "look for image", c->image, NULL);
    c->call.missing_ok = true;
    docker_call_start(&c->call, &c->op);
}

static void pull(struct local_create *c)
{
    RD_AUTOFREE char *repo = NULL, *tag = NULL;
    struct http_url u;
    local_image_split(c->image, &repo, &tag);
    docker_url(&u, c->d, "/images/create");
    http_url_query(&u, "fromImage", repo);
    http_url_query(&u, "tag", tag);
    say(c, "pulling %s", c->image);
    request(c, LC_PULL, "POST", &u, "pull image", c->image, NULL);
    c->call.stream = true;
    json_decref(c->layers);
    c->layers = json_object();
    docker_call_start(&c->call, &c->op);
}

static void look_for(struct local_create *c, enum create_state state, const char *kind, char *take_name)
{
    struct http_url u;
    docker_url(&u, c->d, kind);
    http_url_seg(&u, take_name);
    request(c, state, "GET", &u, "look at", take_name, NULL);
    c->call.missing_ok = true;
    docker_call_start(&c->call, &c->op);
    free(take_name);
}

static void make(struct local_create *c, enum create_state state, const char *path, const char *what,
                 json_t *take_body)
{
    struct http_url u;
    c->made = true;
    docker_url(&u, c->d, path);
    request(c, state, "POST", &u, what, rd_json_str(take_body, "Name", NULL), take_body);
    docker_call_start(&c->call, &c->op);
    json_decref(take_body);
}

/* ---- Pull ---- */

static void read_pull(struct local_create *c)
{
    json_t *line;
    while ((line = docker_next_line(&c->call.req.resp))) {
        const char *bad = rd_json_str(line, "error", NULL);
        const char *id = rd_json_str(line, "id", NULL);
        const json_t *detail = json_object_get(line, "progressDetail");
        if (bad && !c->pull_error) {
            c->pull_error = rd_err_new(RD_ERR_FAILED, "cannot pull image %s: %.500s", c->image, bad);
            rd_err_hint(c->pull_error, "Look at the image's name and at this machine's way to its registry; "
                                       "`docker pull %s` tells more.",
                        c->image);
            rd_err_resource(c->pull_error, "%s", c->image);
        }
        if (id && rd_json_path_int(detail, "total", 0) > 0)
            json_object_set(c->layers, id, (json_t *)detail);
        json_decref(line);
    }
    json_int_t got = 0, all = 0;
    const char *id;
    json_t *detail;
    json_object_foreach (c->layers, id, detail) {
        got += rd_json_path_int(detail, "current", 0);
        all += rd_json_path_int(detail, "total", 0);
    }
    uint64_t now = op_now_ms(&c->op);
    if (all && now - c->said_ms >= 1000) {
        c->said_ms = now;
        say(c, "pulling %s: %lld of %lld MB", c->image, (long long)(got >> 20), (long long)(all >> 20));
    }
}

/* ---- Containers ---- */

/* A port that is free now; somebody may take it before Docker does, which is then told. */
static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
              getsockname(fd, (struct sockaddr *)&a, &len) == 0;
    if (fd >= 0)
        close(fd);
    return ok ? ntohs(a.sin_port) : 0;
}

static void draw_token(struct local_create *c)
{
    unsigned char bytes[24];
    rd_random_bytes(bytes, sizeof(bytes));
    rd_str_take(&c->token, rd_base64url_encode(bytes, sizeof(bytes)));
    struct rd_secret known = {0};
    rd_secret_set(&known, c->token, strlen(c->token)); /* for the redaction */
    rd_secret_clear(&known);
}

static bool read_list(struct local_create *c, struct rd_err **reterr)
{
    size_t i;
    const json_t *one;
    json_array_foreach (c->call.result, i, one) {
        const json_t *labels = json_object_get(one, "Labels");
        const char *path = json_string_value(json_array_get(json_object_get(one, "Names"), 0));
        if (!path || *path != '/')
            continue;
        if (!local_is_ours(labels, c->name))
            return local_refuse("container", path + 1, labels, reterr);
        for (unsigned n = 0; n <= LOCAL_AGENTS_MAX; n++) {
            RD_AUTOFREE char *name = local_node(c->name, n);
            if (!rd_streq(name, path + 1))
                continue;
            rd_str_dup(&c->ids[n], rd_json_str(one, "Id", NULL));
            c->running[n] = rd_streq(rd_json_str(one, "State", NULL), "running");
        }
        const char *port = rd_json_str(labels, "k3d.server.api.port", NULL);
        if (port)
            c->used_port = (uint16_t)atoi(port);
        const char *token = json_string_value(json_object_get(labels, "k3d.cluster.token"));
        if (token)
            rd_str_dup(&c->token, token);
    }
    if (!c->ids[0] && c->token)
        rd_freep(&c->token); /* agents of a server that is gone are not enough */
    c->adopted = c->ids[0] != NULL;
    if (c->adopted && c->port && c->port != c->used_port) {
        rd_fail(reterr, RD_ERR_FOREIGN, "cluster %s is there, with its API on port %u", c->name,
                c->used_port);
        rd_err_hint(*reterr, "Leave --port out to use it, or `raydeploy local delete` first.");
        return false;
    }
    if (c->adopted)
        say(c, "cluster %s is there already", c->name);
    return true;
}

static void next_node(struct local_create *c)
{
    while (c->node <= c->agents && c->ids[c->node] && c->running[c->node])
        c->node++;
    if (c->node > c->agents) {
        c->ready_by_ms = op_now_ms(&c->op) + READY_MS;
        enter(c, LC_PAUSE);
        op_wake(&c->op);
        return;
    }
    enter(c, c->ids[c->node] ? LC_CREATED : LC_CREATE);
    op_wake(&c->op);
}

static bool create_node(struct local_create *c, struct rd_err **reterr)
{
    if (!c->token)
        draw_token(c);
    if (!c->used_port)
        c->used_port = c->port ? c->port : free_port();
    if (!c->used_port)
        return rd_fail(reterr, RD_ERR_FAILED, "no port of 127.0.0.1 is free");
    struct local_spec s = {.name = c->name,
                           .image = c->image,
                           .token = c->token,
                           .port = c->used_port,
                           .agents = c->agents};
    RD_AUTOFREE char *name = local_node(c->name, c->node);
    RD_AUTOJSON json_t *body = local_container_json(&s, c->node);
    struct http_url u;
    c->made = true;
    say(c, "creating container %s", name);
    docker_url(&u, c->d, "/containers/create");
    http_url_query(&u, "name", name);
    request(c, LC_CREATED, "POST", &u, "create container", name, body);
    docker_call_start(&c->call, &c->op);
    return true;
}

static void container_call(struct local_create *c, enum create_state state, const char *method,
                           unsigned node, const char *sub, const char *what)
{
    RD_AUTOFREE char *name = local_node(c->name, node);
    struct http_url u;
    docker_url(&u, c->d, "/containers");
    http_url_seg(&u, c->ids[node]);
    if (sub)
        http_url_path(&u, sub);
    if (rd_streq(method, "DELETE"))
        http_url_query(&u, "force", "true");
    request(c, state, method, &u, what, name, NULL);
}

static void start_node(struct local_create *c)
{
    container_call(c, LC_STARTED, "POST", c->node, "/start", "start container");
    docker_call_start(&c->call, &c->op);
}

static bool port_taken(const struct rd_err *err)
{
    return err->remote && (strstr(err->remote, "port is already allocated") ||
                           strstr(err->remote, "address already in use"));
}

/* ---- Readiness ---- */

static void ask_file(struct local_create *c)
{
    say(c, "waiting for k3s to write its kubeconfig");
    RD_AUTOFREE char *name = local_node(c->name, 0);
    struct http_url u;
    docker_url(&u, c->d, "/containers");
    http_url_seg(&u, c->ids[0]);
    http_url_path(&u, "/archive");
    http_url_query(&u, "path", "/etc/rancher/k3s/k3s.yaml");
    request(c, LC_FILE, "GET", &u, "read k3s.yaml of", name, NULL);
    c->call.raw = true;
    c->call.missing_ok = true;
    docker_call_start(&c->call, &c->op);
}

static bool pause_then(struct local_create *c, enum create_state state, struct rd_err **reterr)
{
    enter(c, state);
    if (op_now_ms(&c->op) >= c->ready_by_ms) {
        rd_fail(reterr, RD_ERR_TIMEOUT, "cluster %s is not ready: %s", c->name,
                c->last ? c->last : "nothing was heard of it");
        rd_err_hint(*reterr, "See `docker logs k3d-%s-server-0`.", c->name);
        return false;
    }
    if (!op_timer_start(&c->pause, &c->op, PAUSE_MS)) {
        *reterr = op_take_err(&c->pause.op);
        return false;
    }
    return true;
}

static bool connect_k8s(struct local_create *c, struct rd_err **reterr)
{
    struct k8s_client_options o = {0};
    size_t n;
    const char *cert = rd_json_str(c->access.user, "client-certificate-data", NULL);
    const char *key = rd_json_str(c->access.user, "client-key-data", NULL);
    char *key_pem = (char *)rd_base64_decode(key, strlen(key), &n);
    o.config.origin = rd_asprintf("cluster %s", c->name);
    o.config.server = rd_strdup(c->access.server);
    o.config.ns = rd_strdup("default");
    o.config.tls.ca_pem = rd_strdup(c->access.ca_pem);
    o.config.tls.cert_pem = (char *)rd_base64_decode(cert, strlen(cert), &n);
    if (!key_pem || !o.config.tls.cert_pem) {
        free(key_pem);
        k8s_config_clear(&o.config);
        return rd_fail(reterr, RD_ERR_FAILED, "k3s.yaml holds a certificate that cannot be read");
    }
    rd_secret_take(&o.config.tls.key_pem, key_pem);
    c->k8s = k8s_client_new(c->op.loop, &o);
    return true;
}

static void ask_k8s(struct local_create *c, enum create_state state, const char *path)
{
    RD_AUTOFREE char *url = rd_asprintf("%s%s", c->access.server, path);
    enter(c, state);
    k8s_call_clear(&c->ask);
    k8s_call_init(&c->ask, c->k8s, "GET", url);
    c->ask.raw = state == LC_READY;
    c->ask.timeout_ms = 5000;
    k8s_call_start(&c->ask, &c->op);
}

static unsigned ready_nodes(const json_t *list)
{
    unsigned count = 0;
    size_t i;
    const json_t *node;
    json_array_foreach (json_object_get(list, "items"), i, node)
        count += rd_streq(rd_json_str(rd_json_condition(node, "Ready"), "status", NULL), "True");
    return count;
}

static struct rd_err *died(struct local_create *c)
{
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    RD_AUTOFREE char *name = local_node(c->name, 0);
    if (c->call.req.resp.data)
        docker_unframe(c->call.req.resp.data, c->call.req.resp.len, &text);
    struct rd_err *err = rd_err_new(RD_ERR_FAILED, "container %s ended instead of becoming a k3s server",
                                    name);
    rd_err_resource(err, "container %s", name);
    rd_err_hint(err, "Its last words are above. Docker must let containers be privileged, and the image "
                     "must be one of rancher/k3s.");
    if (text.len)
        rd_str_dup(&err->remote, rd_buf_str(&text));
    return err;
}

/* ---- The machine ---- */

static bool advance(struct local_create *c, struct rd_err **reterr)
{
    struct rd_err *err = NULL;
    switch ((enum create_state)c->state) {
    case LC_BEGIN:
        ask_list(c);
        return true;
    case LC_LIST:
        if (!read_list(c, reterr))
            return false;
        ask_image(c);
        return true;
    case LC_IMAGE:
        if (!c->call.result && !c->adopted) {
            pull(c);
            return true;
        }
        look_for(c, LC_NETWORK, "/networks", local_context(c->name));
        return true;
    case LC_PULL:
        if (c->pull_error) {
            *reterr = c->pull_error;
            c->pull_error = NULL;
            return false;
        }
        look_for(c, LC_NETWORK, "/networks", local_context(c->name));
        return true;
    case LC_NETWORK:
        if (!c->call.result) {
            make(c, LC_NETWORK_MADE, "/networks/create", "create network", local_network_json(c->name));
            return true;
        }
        if (!local_is_ours(json_object_get(c->call.result, "Labels"), c->name))
            return local_refuse("network", rd_json_str(c->call.result, "Name", NULL),
                                json_object_get(c->call.result, "Labels"), reterr);
        look_for(c, LC_VOLUME, "/volumes", local_volume(c->name));
        return true;
    case LC_NETWORK_MADE:
        look_for(c, LC_VOLUME, "/volumes", local_volume(c->name));
        return true;
    case LC_VOLUME:
        if (!c->call.result) {
            make(c, LC_VOLUME_MADE, "/volumes/create", "create volume", local_volume_json(c->name));
            return true;
        }
        if (!local_is_ours(json_object_get(c->call.result, "Labels"), c->name))
            return local_refuse("volume", rd_json_str(c->call.result, "Name", NULL),
                                json_object_get(c->call.result, "Labels"), reterr);
        next_node(c);
        return true;
    case LC_VOLUME_MADE:
        next_node(c);
        return true;
    case LC_CREATE:
        return create_node(c, reterr);
    case LC_CREATED:
        if (!c->ids[c->node])
            rd_str_dup(&c->ids[c->node], rd_json_str(c->call.result, "Id", NULL));
        if (!c->ids[c->node])
            return rd_fail(reterr, RD_ERR_FAILED, "Docker made a container and gave it no id");
        start_node(c);
        return true;
    case LC_STARTED:
        c->running[c->node] = true;
        next_node(c);
        return true;
    case LC_REPORT:
        rd_freep(&c->ids[0]);
        c->used_port = 0;
        next_node(c);
        return true;
    case LC_PAUSE:
        ask_file(c);
        return true;
    case LC_FILE: {
        RD_AUTOBUF struct rd_buf text = RD_BUF_INIT((size_t)1 << 20);
        if (c->call.req.status == 404 ||
            !docker_untar(c->call.req.resp.data, c->call.req.resp.len, &text) || text.len == 0) {
            container_call(c, LC_STATE, "GET", 0, "/json", "look at container");
            docker_call_start(&c->call, &c->op);
            return true;
        }
        local_access_clear(&c->access);
        if (!local_access_read(rd_buf_str(&text), text.len, c->used_port, &c->access, &err)) {
            rd_err_free(err); /* half written: once more */
            return pause_then(c, LC_PAUSE, reterr);
        }
        if (!connect_k8s(c, reterr))
            return false;
        ask_k8s(c, LC_READY, "/readyz");
        return true;
    }
    case LC_STATE:
        if (rd_json_path_bool(c->call.result, "State.Running", false) &&
            !rd_json_path_bool(c->call.result, "State.Restarting", false))
            return pause_then(c, LC_PAUSE, reterr);
        container_call(c, LC_LOGS, "GET", 0, "/logs?stdout=true&stderr=true&tail=20", "read the log of");
        c->call.raw = true;
        docker_call_start(&c->call, &c->op);
        return true;
    case LC_LOGS:
        *reterr = died(c);
        return false;
    case LC_READY:
        ask_k8s(c, LC_NODES, "/api/v1/nodes");
        return true;
    case LC_NODES:
        if (ready_nodes(c->ask.result) >= 1 + c->agents) {
            op_finish(&c->op, NULL);
            return true;
        }
        say(c, "%u of %u nodes are ready", ready_nodes(c->ask.result), 1 + c->agents);
        return pause_then(c, LC_READY_PAUSE, reterr);
    case LC_READY_PAUSE:
        ask_k8s(c, LC_READY, "/readyz");
        return true;
    }
    RD_UNREACHABLE();
}

/* Errors that have another cure than to end. */
static bool cured(struct local_create *c, struct rd_err **err, struct rd_err **reterr)
{
    if (c->state == LC_STARTED && c->node == 0 && !c->port && !c->adopted && port_taken(*err) &&
        ++c->port_tries < PORT_TRIES_MAX) {
        rd_err_freep(err);
        container_call(c, LC_REPORT, "DELETE", 0, NULL, "remove container");
        docker_call_start(&c->call, &c->op);
        return true;
    }
    if (c->state == LC_READY || c->state == LC_NODES) {
        say(c, "waiting for the API server: %s", (*err)->message);
        rd_err_freep(err);
        if (!pause_then(c, LC_READY_PAUSE, reterr))
            *err = *reterr;
        *reterr = NULL;
        return *err == NULL;
    }
    return false;
}

static void create_step(struct op *op)
{
    struct local_create *c = container_of(op, struct local_create, op);
    struct rd_err *err = NULL, *more = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    bool asking = c->state == LC_READY || c->state == LC_NODES;
    bool pausing = c->state == LC_PAUSE || c->state == LC_READY_PAUSE;
    if (c->state == LC_PULL)
        read_pull(c);
    if (op_has_children(op))
        return;
    if (pausing)
        rd_err_free(op_take_err(&c->pause.op));
    else if (asking)
        err = op_take_err(&c->ask.op);
    else if (c->state != LC_BEGIN && c->state != LC_CREATE)
        err = op_take_err(&c->call.op);
    if (err && !cured(c, &err, &more)) {
        op_finish(op, err);
        return;
    }
    if (op_has_children(op))
        return;
    if (!advance(c, &err))
        op_finish(op, err);
}

void local_create_start(struct local_create *c, struct op *parent)
{
    op_start(&c->op, parent, create_step, "local create");
}
