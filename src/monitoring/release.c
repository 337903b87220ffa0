#include "monitoring/release.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "phase/steps/names.h"

#include <stdlib.h>

void mon_release_ask(struct k8s_call *call, const struct mon *m)
{
    const struct k8s_resource *secrets = k8s_resource_find(m->client, "v1", "Secret");
    RD_AUTOFREE char *selector = rd_asprintf("owner=helm,name=%s", m->config->monitoring.release);
    struct http_url u;
    k8s_url(&u, m->client, secrets, m->config->monitoring.ns, NULL, NULL);
    http_url_query(&u, "labelSelector", selector);
    k8s_call_clear(call);
    k8s_call_init(call, m->client, "GET", http_url_str(&u));
    http_url_clear(&u);
    call->metadata_only = true;
    call->collection = true;
}

void mon_release_read(const json_t *list, struct mon_release *ret)
{
    *ret = (struct mon_release){0};
    size_t i;
    const json_t *one;
    json_array_foreach (json_object_get(list, "items"), i, one) {
        const json_t *labels = rd_json_get(one, "metadata", "labels", NULL);
        const char *version = rd_json_str(labels, "version", NULL);
        json_int_t revision = version ? atoll(version) : 0;
        if (ret->found && revision <= ret->revision)
            continue;
        ret->found = true;
        ret->revision = revision;
        rd_str_dup(&ret->status, rd_json_str(labels, "status", NULL));
        rd_str_dup(&ret->deployment, names_deployment_of(one));
        rd_str_dup(&ret->inputs, rd_json_str(labels, MON_INPUTS_LABEL, NULL));
        const char *at = rd_json_str(labels, "modifiedAt", NULL);
        if (!at)
            at = rd_json_str(labels, "createdAt", NULL);
        ret->changed_wall_ms = at ? atoll(at) * 1000 : 0;
    }
}

void mon_release_clear(struct mon_release *r)
{
    rd_freep(&r->status);
    rd_freep(&r->deployment);
    rd_freep(&r->inputs);
    *r = (struct mon_release){0};
}

bool mon_release_ours(const struct mon *m, const struct mon_release *r)
{
    return r->found && r->deployment && rd_streq(r->deployment, m->config->name);
}

bool mon_release_pending(const struct mon_release *r)
{
    return r->found && r->status &&
           (rd_starts_with(r->status, "pending-") || rd_streq(r->status, "uninstalling"));
}

bool mon_release_refuse(const struct mon *m, const struct mon_release *r, struct rd_err **reterr)
{
    const struct config *c = m->config;
    if (r->deployment)
        rd_fail(reterr, RD_ERR_FOREIGN,
                "the Helm release %s in namespace %s belongs to the raydeploy deployment \"%s\"",
                c->monitoring.release, c->monitoring.ns, r->deployment);
    else
        rd_fail(reterr, RD_ERR_FOREIGN,
                "the Helm release %s in namespace %s was not installed by raydeploy",
                c->monitoring.release, c->monitoring.ns);
    rd_err_resource(*reterr, "Helm release %s/%s", c->monitoring.ns, c->monitoring.release);
    rd_err_hint(*reterr, "To use it as it is and add only Ray's monitors and dashboards: raydeploy "
                         "monitoring install --existing. To let this deployment take it over, "
                         "upgrades included: --adopt.");
    return false;
}
