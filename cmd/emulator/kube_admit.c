/* Admission: what controllers want to see before a client's write is stored. */
#include "kube_internal.h"

#include <stdlib.h>

struct kube_admit {
    struct rd_list node;
    char *resource;
    kube_admit_fn *fn;
    void *arg;
};

void kube_admit(struct kube_cluster *c, const char *resource, kube_admit_fn *fn, void *arg)
{
    struct kube_admit *a = rd_calloc(1, sizeof(*a));
    *a = (struct kube_admit){.resource = rd_strdup(resource), .fn = fn, .arg = arg};
    rd_list_append(&c->admits, &a->node);
}

void kube_admit_clear(struct kube_cluster *c)
{
    while (!rd_list_empty(&c->admits)) {
        struct kube_admit *a = container_of(c->admits.next, struct kube_admit, node);
        rd_list_remove(&a->node);
        free(a->resource);
        free(a);
    }
}

bool kube_admit_ask(struct kube_cluster *c, struct kube_res *r, const json_t *old, json_t *object,
                    bool dry_run, struct kube_fail *f)
{
    rd_list_foreach_safe (it, tmp, &c->admits) {
        struct kube_admit *a = container_of(it, struct kube_admit, node);
        if (!rd_glob_match(a->resource, r->name))
            continue;
        struct kube_refusal no = {0};
        a->fn(c, old, object, dry_run, &no, a->arg);
        if (no.code == 0)
            continue;
        kube_fail(f, no.code, no.reason, "%s", no.message);
        const json_t *o = object == NULL ? old : object;
        f->details = rd_json_pack("{s:s, s:s}", "name", kube_meta(o, "name"), "kind", r->plural);
        if (*r->group != '\0')
            json_object_set_new(f->details, "group", json_string(r->group));
        free(no.reason);
        free(no.message);
        return false;
    }
    return true;
}

bool kube_admit_run(struct kube_write *w, const json_t *old, json_t *object)
{
    if (*w->sub != '\0') /* webhooks and quotas here look at main resources only */
        return true;
    return kube_admit_ask(w->c, w->res, old, object, w->dry_run, &w->fail);
}
