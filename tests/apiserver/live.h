/* What the tests against a real API server share: a client, a namespace of its own, and a way to run
 * one operation to its end. */
#ifndef RD_TESTS_LIVE_H
#define RD_TESTS_LIVE_H

#include "base/alloc.h"
#include "base/text.h"
#include "k8s/batch.h"
#include "k8s/client.h"
#include "k8s/delete.h"
#include "k8s/lease.h"
#include "k8s/watch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct live {
    struct loop *loop;
    struct k8s_client *client;
    char *ns; /* exists while the group runs */
    size_t requests;
};

/* Exits 77 when RIG_KUBECONFIG is not set. */
struct live *live_open(void);
/* Deletes the namespace without waiting. */
void live_close(struct live *l);
/* A client of its own over the rig's server; `edit` may change the configuration first. */
struct k8s_client *live_client(struct live *l, void (*edit)(struct k8s_config *c));

/* Runs until the child that `begin` starts under `parent` has ended. */
void live_run(struct live *l, void (*begin)(struct op *parent, void *ctx), void *ctx);
void live_begin_call(struct op *parent, void *k8s_call);
void live_begin_apply(struct op *parent, void *k8s_apply);
void live_begin_watch(struct op *parent, void *k8s_watch);
void live_begin_delete(struct op *parent, void *k8s_delete);
void live_begin_batch(struct op *parent, void *k8s_batch);

/* Fails the test when `err` is set, printing it. Frees it. */
void live_must(struct rd_err *take, const char *what);
/* GET of an object (NULL: absent); owned. */
json_t *live_get(struct live *l, const char *api_version, const char *kind, const char *name);
/* Applies one object, as a user of its own name when `manager` is given; owned result. */
json_t *live_apply(struct live *l, json_t *take, const char *manager, bool force);
json_t *live_configmap(struct live *l, const char *name, const char *key, const char *value);

#endif
