/* GKE. */
#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"
#include "gcp/services.h"

#include <stdlib.h>
#include <string.h>

static void cluster_url(struct http_url *u, struct gcp_client *c, const char *project,
                        const char *location, const char *cluster)
{
    gcp_url(u, c, GCP_CONTAINER);
    if (cluster != NULL)
        gcp_url_segs(u, "", "projects", project, "locations", location, "clusters", cluster, NULL);
    else
        gcp_url_segs(u, "", "projects", project, "locations", location, "clusters", NULL);
}

static void get(struct gcp_call *k, struct gcp_client *c, struct http_url *u)
{
    gcp_call_init(k, c, GCP_CONTAINER, "GET", http_url_str(u));
    http_url_clear(u);
}

static struct gcp_call *change(struct gcp_lro *l, struct gcp_client *c, const char *method,
                               struct http_url *u, const char *project, const char *location)
{
    gcp_lro_clear(l);
    gcp_call_init(&l->call, c, GCP_CONTAINER, method, http_url_str(u));
    http_url_clear(u);
    rd_str_dup(&l->project, project);
    rd_str_dup(&l->location, location);
    return &l->call;
}

void gcp_cluster_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                     const char *location, const char *cluster)
{
    struct http_url u;
    cluster_url(&u, c, project, location, cluster);
    get(k, c, &u);
    k->not_found_ok = true;
    gcp_call_what(k, "get cluster %s", cluster);
}

void gcp_clusters_list(struct gcp_call *k, struct gcp_client *c, const char *project,
                       const char *location)
{
    struct http_url u;
    cluster_url(&u, c, project, location, NULL);
    get(k, c, &u);
    gcp_call_what(k, "list clusters of project %s", project);
}

void gcp_cluster_create(struct gcp_lro *l, struct gcp_client *c, const char *project,
                        const char *location, const json_t *cluster)
{
    struct http_url u;
    cluster_url(&u, c, project, location, NULL);
    struct gcp_call *k = change(l, c, "POST", &u, project, location);
    RD_AUTOFREE char *parent = rd_asprintf("projects/%s/locations/%s", project, location);
    RD_AUTOJSON json_t *copy = json_deep_copy(cluster);
    RD_AUTOJSON json_t *body = rd_json_pack("{s:O, s:s}", "cluster", copy, "parent", parent);
    gcp_call_body(k, body);
    const char *name = json_string_value(json_object_get(cluster, "name"));
    gcp_call_what(k, "create cluster %s", name != NULL ? name : "(unnamed)");
}

void gcp_cluster_update(struct gcp_lro *l, struct gcp_client *c, const char *project,
                        const char *location, const char *cluster, const json_t *update)
{
    struct http_url u;
    cluster_url(&u, c, project, location, cluster);
    struct gcp_call *k = change(l, c, "PUT", &u, project, location);
    RD_AUTOJSON json_t *copy = json_deep_copy(update);
    RD_AUTOJSON json_t *body = rd_json_pack("{s:O}", "update", copy);
    gcp_call_body(k, body);
    gcp_call_what(k, "update cluster %s", cluster);
}

void gcp_cluster_set_labels(struct gcp_lro *l, struct gcp_client *c, const char *project,
                            const char *location, const char *cluster, const json_t *labels,
                            const char *fingerprint)
{
    struct http_url u;
    gcp_url(&u, c, GCP_CONTAINER);
    gcp_url_segs(&u, ":setResourceLabels", "projects", project, "locations", location, "clusters",
                 cluster, NULL);
    struct gcp_call *k = change(l, c, "POST", &u, project, location);
    RD_AUTOJSON json_t *copy = json_deep_copy(labels);
    RD_AUTOJSON json_t *body =
        rd_json_pack("{s:O, s:s}", "resourceLabels", copy, "labelFingerprint", fingerprint);
    gcp_call_body(k, body);
    k->query_may_repeat = true; /* the fingerprint guards it */
    gcp_call_what(k, "label cluster %s", cluster);
}

void gcp_cluster_delete(struct gcp_lro *l, struct gcp_client *c, const char *project,
                        const char *location, const char *cluster)
{
    struct http_url u;
    cluster_url(&u, c, project, location, cluster);
    struct gcp_call *k = change(l, c, "DELETE", &u, project, location);
    l->absent_ok = true;
    gcp_call_what(k, "delete cluster %s", cluster);
}

void gcp_node_pool_delete(struct gcp_lro *l, struct gcp_client *c, const char *project,
                          const char *location, const char *cluster, const char *pool)
{
    struct http_url u;
    cluster_url(&u, c, project, location, cluster);
    gcp_url_segs(&u, "", "nodePools", pool, NULL);
    struct gcp_call *k = change(l, c, "DELETE", &u, project, location);
    l->absent_ok = true;
    gcp_call_what(k, "delete node pool %s of cluster %s", pool, cluster);
}

void gcp_node_pool_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                       const char *location, const char *cluster, const char *pool)
{
    struct http_url u;
    cluster_url(&u, c, project, location, cluster);
    gcp_url_segs(&u, "", "nodePools", pool, NULL);
    get(k, c, &u);
    k->not_found_ok = true;
    gcp_call_what(k, "get node pool %s of cluster %s", pool, cluster);
}

void gcp_node_pools_list(struct gcp_call *k, struct gcp_client *c, const char *project,
                         const char *location, const char *cluster)
{
    struct http_url u;
    cluster_url(&u, c, project, location, cluster);
    gcp_url_segs(&u, "", "nodePools", NULL);
    get(k, c, &u);
    k->not_found_ok = true;
    gcp_call_what(k, "list node pools of cluster %s", cluster);
}

void gcp_operations_list(struct gcp_call *k, struct gcp_client *c, const char *project,
                         const char *location)
{
    struct http_url u;
    gcp_url(&u, c, GCP_CONTAINER);
    gcp_url_segs(&u, "", "projects", project, "locations", location, "operations", NULL);
    get(k, c, &u);
    gcp_call_what(k, "list GKE operations in %s", location);
}

void gcp_operation_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                       const char *location, const char *operation)
{
    struct http_url u;
    gcp_url(&u, c, GCP_CONTAINER);
    gcp_url_segs(&u, "", "projects", project, "locations", location, "operations", operation, NULL);
    get(k, c, &u);
    gcp_call_what(k, "get GKE operation %s", operation);
}

void gcp_server_config(struct gcp_call *k, struct gcp_client *c, const char *project,
                       const char *location)
{
    struct http_url u;
    gcp_url(&u, c, GCP_CONTAINER);
    gcp_url_segs(&u, "", "projects", project, "locations", location, "serverConfig", NULL);
    get(k, c, &u);
    gcp_call_what(k, "get GKE's versions in %s", location);
}

/* ---- How to reach it ---- */

void gcp_endpoint_clear(struct gcp_endpoint *e)
{
    free(e->server);
    free(e->ca_pem);
    memset(e, 0, sizeof *e);
}

bool gcp_cluster_endpoint(const json_t *cluster, struct gcp_endpoint *ret, struct rd_err **reterr)
{
    const char *name = json_string_value(json_object_get(cluster, "name"));
    const char *dns =
        rd_json_path_str(cluster, "controlPlaneEndpointsConfig.dnsEndpointConfig.endpoint");
    bool outside = rd_json_path_bool(
        cluster, "controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic", false);
    const char *address =
        rd_json_path_str(cluster, "controlPlaneEndpointsConfig.ipEndpointsConfig.publicEndpoint");
    if (address == NULL || *address == '\0')
        address = json_string_value(json_object_get(cluster, "endpoint"));
    memset(ret, 0, sizeof *ret);
    if (outside && dns != NULL && *dns != '\0') {
        ret->dns = true;
        ret->server = rd_asprintf("https://%s", dns);
        return true;
    }
    if (address == NULL || *address == '\0')
        return rd_fail(reterr, RD_ERR_FAILED, "cluster %s has no endpoint yet",
                       name != NULL ? name : "(unnamed)");
    ret->server = rd_asprintf("https://%s", address);
    if (rd_ends_with(address, ".gke.goog"))
        return true; /* behind Google's own front end and certificate */
    const char *ca = rd_json_path_str(cluster, "masterAuth.clusterCaCertificate");
    size_t len = 0;
    unsigned char *pem = ca != NULL ? rd_base64_decode(ca, strlen(ca), &len) : NULL;
    if (pem == NULL || strstr((const char *)pem, "-----BEGIN CERTIFICATE-----") == NULL) {
        free(pem);
        gcp_endpoint_clear(ret);
        return rd_fail(reterr, RD_ERR_FAILED, "cluster %s gives no usable CA certificate",
                       name != NULL ? name : "(unnamed)");
    }
    ret->ca_pem = (char *)pem;
    return true;
}
