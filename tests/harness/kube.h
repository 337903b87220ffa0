/* A Kubernetes client over a talk (harness/talk.h), and one operation run to its end. */
#ifndef HARNESS_KUBE_H
#define HARNESS_KUBE_H

#include "base/alloc.h"
#include "base/text.h"
#include "harness/talk.h"
#include "k8s/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KUBE_STATUS(code, reason, message, details)                                                \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"" message          \
    "\",\"reason\":\"" reason "\",\"details\":{" details "},\"code\":" #code "}"

struct kube {
    struct talk talk;
    struct loop *loop;
    struct k8s_client *client;
    struct op op;
    void (*begin)(struct op *parent, void *ctx);
    void *ctx;
    bool begun;
    char warnings[512]; /* texts told, each followed by '|' */
};

static inline void kube_warn(void *ctx, const char *text)
{
    struct kube *k = ctx;
    strncat(k->warnings, text, sizeof(k->warnings) - strlen(k->warnings) - 1);
    strncat(k->warnings, "|", sizeof(k->warnings) - strlen(k->warnings) - 1);
}

static inline void kube_open(struct kube *k, const struct talk_row *rows, size_t len,
                             bool repeat_last, unsigned writes_in_flight)
{
    memset(k, 0, sizeof(*k));
    talk_start(&k->talk, rows, len, repeat_last);
    k->loop = loop_new();
    struct k8s_client_options o = {.writes_in_flight = writes_in_flight, .warn = kube_warn,
                                   .warn_ctx = k};
    o.config.server = server_url(k->talk.server, "");
    o.config.ns = rd_strdup("ns");
    o.config.origin = rd_strdup("test, context c");
    rd_secret_set(&o.config.token, "token-of-the-test", 17);
    k->client = k8s_client_new(k->loop, &o);
}

static inline void kube_step(struct op *op)
{
    struct kube *k = container_of(op, struct kube, op);
    if (!k->begun) {
        k->begun = true;
        k->begin(op, k->ctx);
    } else if (!op_has_children(op)) {
        op_finish(op, NULL);
    }
}

/* Runs the child that begin starts. */
static inline void kube_run(struct kube *k, void (*begin)(struct op *parent, void *ctx), void *ctx)
{
    k->begun = false;
    k->begin = begin;
    k->ctx = ctx;
    op_start_root(&k->op, k->loop, kube_step, "test");
    op_set_timeout(&k->op, 30000);
    loop_run(k->loop, &k->op);
    rd_err_free(op_take_err(&k->op));
}

/* Also checks that the whole table was asked for, and nothing else. */
static inline void kube_close(struct kube *k)
{
    size_t asked = k->talk.next, wrong = k->talk.wrong, len = k->talk.len;
    bool open_end = k->talk.repeat_last;
    k8s_client_free(k->client);
    loop_free(k->loop);
    talk_stop(&k->talk);
    assert_int_equal(wrong, 0);
    if (open_end)
        assert_true(asked >= len);
    else
        assert_int_equal(asked, len);
}

#endif
