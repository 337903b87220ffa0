/* Compute Engine. */
#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"
#include "gcp/services.h"

#include <stdio.h>
#include <string.h>

/* scope: "global", "regions/R", "zones/Z" or NULL for the project itself. */
static void compute_url(struct http_url *u, struct gcp_client *c, const char *project,
                        const char *scope, const char *collection, const char *name)
{
    gcp_url(u, c, GCP_COMPUTE);
    gcp_url_segs(u, "", "projects", project, NULL);
    struct rd_strv parts = {0};
    if (scope != NULL)
        rd_strv_split(&parts, scope, "/");
    for (size_t i = 0; i < parts.len; i++)
        http_url_seg(u, parts.v[i]);
    rd_strv_clear(&parts);
    if (collection != NULL)
        http_url_seg(u, collection);
    if (name != NULL)
        http_url_seg(u, name);
}

static void get(struct gcp_call *k, struct gcp_client *c, struct http_url *u)
{
    gcp_call_init(k, c, GCP_COMPUTE, "GET", http_url_str(u));
    http_url_clear(u);
}

void gcp_region_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                    const char *region)
{
    struct http_url u;
    compute_url(&u, c, project, NULL, "regions", region);
    get(k, c, &u);
    gcp_call_what(k, "get region %s", region);
}

void gcp_compute_project_get(struct gcp_call *k, struct gcp_client *c, const char *project)
{
    struct http_url u;
    compute_url(&u, c, project, NULL, NULL, NULL);
    get(k, c, &u);
    gcp_call_what(k, "get Compute Engine's view of project %s", project);
}

void gcp_zones_list(struct gcp_list *l, struct gcp_client *c, const char *project)
{
    struct http_url u;
    compute_url(&u, c, project, NULL, "zones", NULL);
    gcp_list_init(l, c, GCP_COMPUTE, http_url_str(&u), "items");
    http_url_clear(&u);
    gcp_call_what(&l->call, "list zones");
}

void gcp_compute_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                     const char *scope, const char *collection, const char *name)
{
    struct http_url u;
    compute_url(&u, c, project, scope, collection, name);
    get(k, c, &u);
    k->not_found_ok = true;
    gcp_call_what(k, "get %s/%s", collection, name);
}

void gcp_accelerator_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                         const char *zone, const char *accelerator)
{
    RD_AUTOFREE char *scope = rd_asprintf("zones/%s", zone);
    gcp_compute_get(k, c, project, scope, "acceleratorTypes", accelerator);
    gcp_call_what(k, "look for %s in zone %s", accelerator, zone);
}

void gcp_machine_type_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                          const char *zone, const char *machine_type)
{
    RD_AUTOFREE char *scope = rd_asprintf("zones/%s", zone);
    gcp_compute_get(k, c, project, scope, "machineTypes", machine_type);
    gcp_call_what(k, "look for %s in zone %s", machine_type, zone);
}

void gcp_network_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                     const char *network)
{
    gcp_compute_get(k, c, project, "global", "networks", network);
    gcp_call_what(k, "get network %s", network);
}

void gcp_subnet_get(struct gcp_call *k, struct gcp_client *c, const char *project,
                    const char *region, const char *subnet)
{
    RD_AUTOFREE char *scope = rd_asprintf("regions/%s", region);
    gcp_compute_get(k, c, project, scope, "subnetworks", subnet);
    gcp_call_what(k, "get subnet %s", subnet);
}

/* ---- Changes ---- */

/* A random UUID: the API answers a repeated requestId with the first request's operation. */
static void request_id(struct http_url *u)
{
    unsigned char b[16];
    char text[40];
    rd_random_bytes(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(text, sizeof text,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
    http_url_query(u, "requestId", text);
}

static struct gcp_call *change(struct gcp_lro *l, struct gcp_client *c, const char *method,
                               const char *project, const char *scope, const char *collection,
                               const char *name)
{
    struct http_url u;
    compute_url(&u, c, project, scope, collection, name);
    request_id(&u);
    gcp_lro_clear(l);
    gcp_call_init(&l->call, c, GCP_COMPUTE, method, http_url_str(&u));
    http_url_clear(&u);
    rd_str_dup(&l->project, project);
    rd_str_dup(&l->location, scope);
    l->call.query_may_repeat = true;
    return &l->call;
}

void gcp_compute_insert(struct gcp_lro *l, struct gcp_client *c, const char *project,
                        const char *scope, const char *collection, const json_t *body)
{
    struct gcp_call *k = change(l, c, "POST", project, scope, collection, NULL);
    gcp_call_body(k, body);
    const char *name = json_string_value(json_object_get(body, "name"));
    gcp_call_what(k, "create %s/%s", collection, name != NULL ? name : "(unnamed)");
}

void gcp_compute_delete(struct gcp_lro *l, struct gcp_client *c, const char *project,
                        const char *scope, const char *collection, const char *name)
{
    struct gcp_call *k = change(l, c, "DELETE", project, scope, collection, name);
    l->absent_ok = true;
    gcp_call_what(k, "delete %s/%s", collection, name);
}

/* ---- Scans ---- */

const struct gcp_scan_row gcp_scan_rows[] = {
    {"instances", "VM", NULL, true},
    {"disks", "disk", NULL, true},
    {"snapshots", "snapshot", "global", true},
    {"addresses", "address", NULL, true},
    {"forwardingRules", "forwarding rule", NULL, true},
    {"routers", "router", NULL, true}, /* its NAT is billed by the hour */
    {"instanceGroupManagers", "instance group", NULL, false},
    {"networkEndpointGroups", "endpoint group", NULL, false},
    {"targetPools", "target pool", NULL, false},
    {"backendServices", "backend service", NULL, false},
    {"firewalls", "firewall rule", "global", false},
    {"networks", "network", "global", false},
    {"subnetworks", "subnet", NULL, false},
    {NULL, NULL, NULL, false},
};

void gcp_compute_aggregated(struct gcp_list *l, struct gcp_client *c, const char *project,
                            const char *collection, const char *filter)
{
    struct http_url u;
    compute_url(&u, c, project, "aggregated", collection, NULL);
    if (filter != NULL)
        http_url_query(&u, "filter", filter);
    const char *key = collection;
    gcp_list_init(l, c, GCP_COMPUTE, http_url_str(&u), key);
    http_url_clear(&u);
    l->aggregated = true;
    gcp_call_what(&l->call, "list %s of project %s", collection, project);
}

void gcp_compute_list(struct gcp_list *l, struct gcp_client *c, const char *project,
                      const char *scope, const char *collection, const char *filter)
{
    struct http_url u;
    compute_url(&u, c, project, scope, collection, NULL);
    if (filter != NULL)
        http_url_query(&u, "filter", filter);
    gcp_list_init(l, c, GCP_COMPUTE, http_url_str(&u), "items");
    http_url_clear(&u);
    gcp_call_what(&l->call, "list %s of project %s", collection, project);
}

bool gcp_compute_quota(const json_t *region, const char *metric, double *ret_limit,
                       double *ret_usage)
{
    const json_t *q;
    size_t i;
    json_array_foreach (json_object_get(region, "quotas"), i, q) {
        const json_t *limit = json_object_get(q, "limit"), *usage = json_object_get(q, "usage");
        if (!rd_streq(json_string_value(json_object_get(q, "metric")), metric) ||
            !json_is_number(limit))
            continue;
        *ret_limit = json_number_value(limit);
        *ret_usage = json_is_number(usage) ? json_number_value(usage) : 0;
        return true;
    }
    return false;
}
