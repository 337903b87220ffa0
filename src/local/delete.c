#include "local/cluster.h"

#include "base/alloc.h"
#include "base/text.h"

#include <string.h>

enum delete_state {
    LD_BEGIN,
    LD_LIST,
    LD_CONTAINER,
    LD_NETWORK,
    LD_NETWORK_GONE,
    LD_VOLUME,
    LD_VOLUME_GONE,
};

void local_delete_clear(struct local_delete *x)
{
    docker_call_clear(&x->call);
    json_decref(x->removed);
    json_decref(x->containers);
    rd_err_free(op_take_err(&x->op));
    memset(x, 0, sizeof(*x));
}

static void send_call(struct local_delete *x, enum delete_state state, const char *method,
                      struct http_url *u, const char *what, const char *subject)
{
    x->state = (int)state;
    docker_call_init(&x->call, x->d, method, u, what, subject);
    x->call.missing_ok = true;
    docker_call_start(&x->call, &x->op);
}

static void note(struct local_delete *x, const char *kind, const char *name)
{
    json_array_append_new(x->removed, rd_json_pack("{s:s, s:s}", "kind", kind, "name", name));
}

static void look(struct local_delete *x, enum delete_state state, const char *kind, char *take_name)
{
    struct http_url u;
    docker_url(&u, x->d, kind);
    http_url_seg(&u, take_name);
    send_call(x, state, "GET", &u, "look at", take_name);
    rd_freep(&take_name);
}

static void drop(struct local_delete *x, enum delete_state state, const char *path, const char *kind,
                 const char *name)
{
    struct http_url u;
    docker_url(&u, x->d, path);
    http_url_seg(&u, name);
    note(x, kind, name);
    send_call(x, state, "DELETE", &u, "remove", name);
}

static const char *container_name(const json_t *c)
{
    const char *path = json_string_value(json_array_get(json_object_get(c, "Names"), 0));
    return path && *path == '/' ? path + 1 : path ? path : "?";
}

static void next_container(struct local_delete *x)
{
    const json_t *one = json_array_get(x->containers, x->at++);
    if (!one) {
        look(x, LD_NETWORK, "/networks", local_context(x->name));
        return;
    }
    struct http_url u;
    docker_url(&u, x->d, "/containers");
    http_url_seg(&u, rd_json_str(one, "Id", NULL));
    http_url_query(&u, "force", "true");
    http_url_query(&u, "v", "true");
    note(x, "container", container_name(one));
    send_call(x, LD_CONTAINER, "DELETE", &u, "remove container", container_name(one));
}

/* All are looked at before the first is removed. */
static bool read_list(struct local_delete *x, struct rd_err **reterr)
{
    size_t i;
    const json_t *one;
    json_array_foreach (x->call.result, i, one) {
        const json_t *labels = json_object_get(one, "Labels");
        if (!local_is_ours(labels, x->name) || !rd_json_str(one, "Id", NULL))
            return local_refuse("container", container_name(one), labels, reterr);
    }
    x->containers = x->call.result ? json_incref(x->call.result) : json_array();
    return true;
}

static bool ours(struct local_delete *x)
{
    return x->call.result && local_is_ours(json_object_get(x->call.result, "Labels"), x->name);
}

static bool advance(struct local_delete *x, struct rd_err **reterr)
{
    RD_AUTOFREE char *filters = NULL;
    struct http_url u;
    switch ((enum delete_state)x->state) {
    case LD_BEGIN:
        filters = local_filters(x->name);
        docker_url(&u, x->d, "/containers/json");
        http_url_query(&u, "all", "true");
        http_url_query(&u, "filters", filters);
        send_call(x, LD_LIST, "GET", &u, "list containers of", x->name);
        return true;
    case LD_LIST:
        if (!read_list(x, reterr))
            return false;
        next_container(x);
        return true;
    case LD_CONTAINER:
        next_container(x);
        return true;
    case LD_NETWORK:
        if (ours(x)) {
            RD_AUTOFREE char *name = local_context(x->name);
            drop(x, LD_NETWORK_GONE, "/networks", "network", name);
            return true;
        }
        look(x, LD_VOLUME, "/volumes", local_volume(x->name));
        return true;
    case LD_NETWORK_GONE:
        look(x, LD_VOLUME, "/volumes", local_volume(x->name));
        return true;
    case LD_VOLUME:
        if (ours(x)) {
            RD_AUTOFREE char *name = local_volume(x->name);
            drop(x, LD_VOLUME_GONE, "/volumes", "volume", name);
            return true;
        }
        op_finish(&x->op, NULL);
        return true;
    case LD_VOLUME_GONE:
        op_finish(&x->op, NULL);
        return true;
    }
    RD_UNREACHABLE();
}

static void delete_step(struct op *op)
{
    struct local_delete *x = container_of(op, struct local_delete, op);
    struct rd_err *err = NULL;
    if (op->cancelled) {
        op_finish(op, NULL);
        return;
    }
    if (op_has_children(op))
        return;
    if (x->state != LD_BEGIN && (err = op_take_err(&x->call.op))) {
        op_finish(op, err);
        return;
    }
    if (!advance(x, &err))
        op_finish(op, err);
}

void local_delete_start(struct local_delete *x, struct op *parent)
{
    x->removed = json_array();
    op_start(&x->op, parent, delete_step, "local delete");
}
