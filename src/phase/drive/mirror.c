#include "phase/drive/mirror.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define KEY "inventory.json"
#define TRIES_MAX 5 /* of writes that met another version */

enum { M_READ, M_READING, M_WRITE, M_WRITING, M_REREADING, M_REMOVE, M_REMOVING };

void mirror_init(struct mirror *m, struct k8s_client *c, const char *ns, const char *name)
{
    m->client = c;
    m->ns = ns;
    m->name = name;
}

static const struct k8s_resource *resource(const struct mirror *m)
{
    const struct k8s_resource *r = k8s_resource_find(m->client, "v1", "ConfigMap");
    RD_ASSERT(r);
    return r;
}

static void request(struct mirror *m, int state, const char *method, const json_t *body)
{
    struct http_url u;
    bool post = rd_streq(method, "POST");
    k8s_url(&u, m->client, resource(m), m->ns, post ? NULL : m->name, NULL);
    k8s_call_clear(&m->call);
    k8s_call_init(&m->call, m->client, method, http_url_str(&u));
    http_url_clear(&u);
    k8s_call_name(&m->call, resource(m), m->ns, m->name);
    if (body)
        k8s_call_body_json(&m->call, "application/json", body);
    /* Name and version are fixed, so a lost reply is answered by 409 and a read. */
    m->call.http.idem = RETRY_SAFE;
    m->call.write = !rd_streq(method, "GET"); /* not after the lock has run out */
    m->call.not_found_ok = !post && !rd_streq(method, "PUT");
    m->state = state;
    k8s_call_start(&m->call, &m->op);
}

static void seen(struct mirror *m, const json_t *object)
{
    RD_AUTOERR struct rd_err *err = NULL;
    const char *text = rd_json_str(object, "data", KEY, NULL);
    json_decref(m->content);
    /* A mirror that cannot be read is as good as none: the marks on the objects remain. */
    m->content = text ? rd_json_parse(text, strlen(text), "mirror", &err) : NULL;
    rd_str_dup(&m->version, rd_json_path_str(object, "metadata.resourceVersion"));
}

static void write_now(struct mirror *m)
{
    RD_AUTOFREE char *text = rd_json_dump(m->wanted);
    RD_AUTOJSON json_t *object = rd_json_pack(
        "{s:s, s:s, s:{s:s, s:s, s:{s:s}, s:s*}, s:{s:s}}", "apiVersion", "v1", "kind", "ConfigMap",
        "metadata", "name", m->name, "namespace", m->ns, "labels", "app.kubernetes.io/managed-by",
        "raydeploy", "resourceVersion", m->version, "data", KEY, text);
    request(m, M_WRITING, m->version ? "PUT" : "POST", object);
}

static void remove_now(struct mirror *m)
{
    RD_AUTOJSON json_t *options =
        rd_json_pack("{s:s, s:s, s:{s:s*}}", "apiVersion", "v1", "kind", "DeleteOptions",
                     "preconditions", "resourceVersion", m->version);
    request(m, M_REMOVING, "DELETE", options);
}

static void answered(struct mirror *m)
{
    struct rd_err *err = op_take_err(&m->call.op);
    bool other = err && (err->kind == RD_ERR_CONFLICT || err->http_status == 404);
    if (other && m->state != M_READING && m->tries++ < TRIES_MAX) {
        rd_err_free(err);
        request(m, m->state == M_REMOVING ? M_REMOVE : M_REREADING, "GET", NULL);
        return;
    }
    if (err) {
        rd_err_wrap(err, "mirror %s/%s", m->ns, m->name);
        op_finish(&m->op, err);
        return;
    }
    switch (m->state) {
    case M_READING:
    case M_WRITING:
        seen(m, m->call.result);
        op_finish(&m->op, NULL);
        return;
    case M_REREADING:
        seen(m, m->call.result);
        if (m->content && json_equal(m->content, m->wanted))
            op_finish(&m->op, NULL); /* the reply was lost, not the write */
        else
            write_now(m);
        return;
    case M_REMOVE:
        seen(m, m->call.result);
        if (m->version)
            remove_now(m);
        else
            op_finish(&m->op, NULL);
        return;
    case M_REMOVING:
        rd_str_take(&m->version, NULL);
        op_finish(&m->op, NULL);
        return;
    }
    RD_UNREACHABLE();
}

static void mirror_step(struct op *op)
{
    struct mirror *m = container_of(op, struct mirror, op);
    if (op->cancelled)
        op_finish(op, NULL);
    else if (m->state == M_READ)
        request(m, M_READING, "GET", NULL);
    else if (m->state == M_WRITE)
        write_now(m);
    else if (m->state == M_REMOVE && m->call.op.life == OP_IDLE)
        request(m, M_REMOVE, "GET", NULL);
    else if (!op_running(&m->call.op))
        answered(m);
}

static void start(struct mirror *m, struct op *parent, int state)
{
    m->state = state;
    m->tries = 0;
    k8s_call_clear(&m->call);
    memset(&m->call, 0, sizeof m->call);
    op_start(&m->op, parent, mirror_step, "mirror");
}

void mirror_read(struct mirror *m, struct op *parent)
{
    start(m, parent, M_READ);
}

void mirror_write(struct mirror *m, struct op *parent, json_t *take_content)
{
    json_decref(m->wanted);
    m->wanted = take_content;
    start(m, parent, M_WRITE);
}

void mirror_remove(struct mirror *m, struct op *parent)
{
    start(m, parent, M_REMOVE);
}

void mirror_clear(struct mirror *m)
{
    k8s_call_clear(&m->call);
    rd_err_freep(&m->op.err);
    json_decref(m->content);
    json_decref(m->wanted);
    free(m->version);
    m->content = m->wanted = NULL;
    m->version = NULL;
}
