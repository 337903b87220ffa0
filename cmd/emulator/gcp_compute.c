/* Compute Engine v1: collections by one table; what differs is in its rows. */
#include "ops.h"

#include "place.h"
#include "quota.h"
#include "schema.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define LINK "https://www.googleapis.com/compute/v1/"

enum scope { GLOBAL, REGION, ZONE };

struct collection {
    const char *name, *kind;
    enum scope scope;
    const char *body; /* type of inserts; NULL: GKE and controllers make these */
    unsigned create_ms, delete_ms;
    const char *quota; /* metric that one more counts against */
};

static const struct collection collections[] = {
    {"networks", "compute#network", GLOBAL, "CpNetwork", 22000, 30000, "NETWORKS"},
    {"firewalls", "compute#firewall", GLOBAL, "CpFirewall", 10000, 20000, "FIREWALLS"},
    {"subnetworks", "compute#subnetwork", REGION, "CpSubnetwork", 25000, 20000, "SUBNETWORKS"},
    {"routers", "compute#router", REGION, "CpRouter", 15000, 15000, "ROUTERS"},
    {"addresses", "compute#address", REGION, "CpAddress", 5000, 5000, "STATIC_ADDRESSES"},
    {"globalAddresses", "compute#address", GLOBAL, "CpAddress", 5000, 5000, NULL},
    {"forwardingRules", "compute#forwardingRule", REGION, "CpForwardingRule", 20000, 20000, NULL},
    {"globalForwardingRules", "compute#forwardingRule", GLOBAL, "CpForwardingRule", 20000, 20000,
     NULL},
    {"targetPools", "compute#targetPool", REGION, "CpTargetPool", 10000, 10000, NULL},
    {"targetHttpProxies", "compute#targetHttpProxy", GLOBAL, NULL, 10000, 10000, NULL},
    {"targetHttpsProxies", "compute#targetHttpsProxy", GLOBAL, NULL, 10000, 10000, NULL},
    {"urlMaps", "compute#urlMap", GLOBAL, NULL, 10000, 10000, NULL},
    {"backendServices", "compute#backendService", GLOBAL, NULL, 10000, 10000, NULL},
    {"healthChecks", "compute#healthCheck", GLOBAL, NULL, 10000, 10000, NULL},
    {"routes", "compute#route", GLOBAL, NULL, 10000, 10000, NULL},
    {"networkEndpointGroups", "compute#networkEndpointGroup", ZONE, "CpNetworkEndpointGroup", 5000,
     5000, NULL},
    {"disks", "compute#disk", ZONE, "CpDisk", 10000, 10000, NULL},
    {"instances", "compute#instance", ZONE, NULL, 30000, 45000, NULL},
    {"instanceGroups", "compute#instanceGroup", ZONE, NULL, 5000, 5000, NULL},
    {"instanceGroupManagers", "compute#instanceGroupManager", ZONE, "CpInstanceGroupManager", 5000,
     5000, NULL},
    {"regionInstanceGroupManagers", "compute#instanceGroupManager", REGION,
     "CpInstanceGroupManager", 5000, 5000, NULL},
    {"instanceTemplates", "compute#instanceTemplate", GLOBAL, NULL, 5000, 5000, NULL},
    {"snapshots", "compute#snapshot", GLOBAL, "CpSnapshot", 20000, 10000, NULL},
};

/* What exists in several scopes has the same word in each. */
static const char *word_of(const struct collection *k)
{
    static const struct {
        const char *name, *word;
    } shared[] = {
        {"globalAddresses", "addresses"},
        {"globalForwardingRules", "forwardingRules"},
        {"regionInstanceGroupManagers", "instanceGroupManagers"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(shared); i++)
        if (rd_streq(k->name, shared[i].name))
            return shared[i].word;
    return k->name;
}

static const struct collection *collection_find(const char *name, enum scope scope)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(collections); i++) {
        const struct collection *k = &collections[i];
        if (k->scope == scope && rd_streq(word_of(k), name))
            return k;
    }
    return NULL;
}

static char *kind_key(const struct collection *k)
{
    return rd_asprintf("compute.%s", k->name);
}

/* Where a request points: collection, scope path ("regions/r"), name. */
struct target {
    const struct collection *k;
    char *scope, *full, *kind;
    const char *place, *name; /* borrowed from params; place NULL: global */
};

static void target_clear(struct target *t)
{
    free(t->scope);
    free(t->full);
    free(t->kind);
}

/* Fills in from the path; answers and is false when there is no such collection or place. */
static bool target_read(struct gcp_call *c, enum scope scope, const char *verb, struct target *t)
{
    size_t at = 1;
    *t = (struct target){0};
    if (scope != GLOBAL)
        t->place = c->params.v[at++];
    const char *word = c->params.v[at++];
    t->name = at < c->params.count ? c->params.v[at] : NULL;
    t->k = collection_find(word, scope);
    bool place_ok = scope == GLOBAL ||
                    (scope == REGION ? emu_region_exists(t->place) : emu_zone_exists(t->place));
    if (t->k == NULL) {
        gcp_fail_old(c, 404, "notFound", "The requested URL %s was not found on this server.",
                     c->req->msg.path);
        return false;
    }
    if (!place_ok) {
        gcp_fail_old(c, 400, "invalid", "Invalid value for field '%s': '%s'. Unknown %s.",
                     scope == REGION ? "region" : "zone", t->place,
                     scope == REGION ? "region" : "zone");
        return false;
    }
    t->scope = scope == GLOBAL   ? rd_strdup("global")
               : scope == REGION ? rd_asprintf("regions/%s", t->place)
                                 : rd_asprintf("zones/%s", t->place);
    t->kind = kind_key(t->k);
    if (t->name != NULL)
        t->full = rd_asprintf("projects/%s/%s/%s/%s", c->emu->project, t->scope, word, t->name);
    RD_AUTOFREE char *permission = rd_asprintf("compute.%s.%s", t->k->name, verb);
    if (gcp_permit(c, permission, t->full == NULL ? c->resource : t->full))
        return true;
    target_clear(t);
    return false;
}

static json_t *find_or_fail(struct gcp_call *c, const struct target *t)
{
    json_t *o = emu_store_get(&c->emu->store, t->kind, t->full);
    if (o == NULL)
        gcp_fail_old(c, 404, "notFound", "The resource '%s' was not found", t->full);
    return o;
}

/* ---- Operations ---- */
static json_t *op_begin(struct gcp_call *c, const struct target *t, const char *type,
                        const char *full, unsigned ms, gcp_op_fn *done, json_t *take_args)
{
    struct emu *e = c->emu;
    char now[32], hex[33];
    emu_stamp_us(now);
    emu_rand_hex(e, hex, 32);
    RD_AUTOFREE char *id = rd_asprintf("operation-%.13s-%.13s-%.6s", hex, hex + 13, hex + 26);
    RD_AUTOFREE char *key = rd_asprintf("projects/%s/%s/operations/%s", e->project, t->scope, id);
    RD_AUTOFREE char *link = rd_asprintf(LINK "%s", key);
    RD_AUTOFREE char *target_link = rd_asprintf(LINK "%s", full);
    const json_t *stored = emu_store_get(&e->store, t->kind, full);
    const char *target_id = rd_json_str(stored, "id", NULL);
    RD_AUTOFREE char *number = rd_asprintf("%llu", (unsigned long long)(emu_rand(e) >> 1));
    json_t *body = rd_json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:s}", "kind", "compute#operation",
        "id", number, "name", id, "operationType", type, "status", "RUNNING", "user",
        gcp_caller_email(c), "insertTime", now, "progress", 0, "startTime", now, "selfLink", link,
        "targetLink", target_link, "targetId", target_id == NULL ? "0" : target_id);
    if (t->place != NULL)
        json_object_set_new(body, t->k->scope == REGION ? "region" : "zone",
                            json_sprintf(LINK "projects/%s/%s", e->project, t->scope));
    gcp_op_start(c, GCP_OP_COMPUTE, key, body, full, ms, done, take_args);
    return emu_public(body);
}

/* ---- Insert ---- */
/* Links in requests come as names, partial paths or URLs; answers have URLs. */
static void make_link(struct emu *e, json_t *o, const char *key)
{
    const char *value = rd_json_str(o, key, NULL);
    const char *at = value == NULL ? NULL : strstr(value, "projects/");
    if (value == NULL || *value == '\0')
        return;
    if (at != NULL)
        json_object_set_new(o, key, json_sprintf(LINK "%s", at));
    else if (strchr(value, '/') != NULL)
        json_object_set_new(o, key, json_sprintf(LINK "projects/%s/%s", e->project, value));
}

static void fill_defaults(struct emu *e, const struct target *t, json_t *o)
{
    if (rd_streq(t->k->name, "networks")) {
        json_object_set_new(o, "networkFirewallPolicyEnforcementOrder",
                            json_string("AFTER_CLASSIC_FIREWALL"));
        json_object_set_new(o, "selfLinkWithId", json_sprintf(LINK "%s", t->full));
        if (rd_json_path(o, "routingConfig.routingMode") == NULL)
            rd_json_path_set(o, "routingConfig.routingMode", json_string("REGIONAL"));
        rd_json_path_set(o, "routingConfig.bgpBestPathSelectionMode", json_string("LEGACY"));
    } else if (rd_streq(t->k->name, "subnetworks")) {
        static const char *const texts[][2] = {{"privateIpv6GoogleAccess", "DISABLE_GOOGLE_ACCESS"},
                                               {"purpose", "PRIVATE"},
                                               {"stackType", "IPV4_ONLY"},
                                               {"state", "READY"},
                                               {"gatewayAddress", "10.0.0.1"}};
        for (size_t i = 0; i < RD_ARRAY_LEN(texts); i++) {
            if (json_object_get(o, texts[i][0]) == NULL)
                json_object_set_new(o, texts[i][0], json_string(texts[i][1]));
        }
        if (json_object_get(o, "privateIpGoogleAccess") == NULL)
            json_object_set_new(o, "privateIpGoogleAccess", json_false());
        RD_AUTOFREE char *print = gcp_etag(e);
        json_object_set_new(o, "fingerprint", json_string(print));
    } else if (rd_streq(t->k->name, "addresses") || rd_streq(t->k->name, "globalAddresses")) {
        json_object_set_new(o, "status", json_string("RESERVED"));
        if (json_object_get(o, "address") == NULL)
            json_object_set_new(o, "address",
                                json_sprintf("34.%d.%d.%d", (int)(emu_rand(e) % 200),
                                             (int)(emu_rand(e) % 250), (int)(emu_rand(e) % 250)));
    } else if (rd_streq(t->k->name, "disks")) {
        json_object_set_new(o, "status", json_string("READY"));
    }
}

static void insert_done(struct gcp_op *op)
{
    RD_AUTOFREE char *kind = rd_strdup(rd_json_str(op->args, "kind", NULL));
    json_t *o = emu_store_get(&op->emu->store, kind, op->target);
    if (o == NULL)
        return;
    if (op->fail_status != NULL)
        emu_store_delete(&op->emu->store, kind, op->target);
    else
        json_object_del(o, "_making");
}

/* What the body refers to has to be there. */
static bool check_references(struct gcp_call *c, const json_t *o)
{
    static const char *const refs[][2] = {{"network", "compute.networks"},
                                          {"subnetwork", "compute.subnetworks"}};
    for (size_t i = 0; i < RD_ARRAY_LEN(refs); i++) {
        const char *link = rd_json_str(o, refs[i][0], NULL);
        const char *at = link == NULL ? NULL : strstr(link, "projects/");
        if (at == NULL)
            continue;
        const json_t *there = emu_store_get(&c->emu->store, refs[i][1], at);
        if (there == NULL) {
            gcp_fail_old(c, 404, "notFound", "The resource '%s' was not found", at);
            return false;
        }
        if (json_object_get(there, "_making") != NULL) {
            gcp_fail_old(c, 400, "resourceNotReady", "The resource '%s' is not ready", at);
            return false;
        }
    }
    return true;
}

static void insert(struct gcp_call *c, enum scope scope)
{
    struct emu *e = c->emu;
    struct target t;
    if (!target_read(c, scope, "create", &t))
        return;
    char *why = NULL;
    const char *name = rd_json_str(c->body, "name", NULL);
    if (t.k->body == NULL) {
        gcp_fail_old(c, 501, "notImplemented", "The emulator does not insert %s.", t.k->name);
    } else if (!schema_check(t.k->body, c->body, &why)) {
        gcp_fail_old(c, 400, "invalid", "%s", why);
    } else if (name == NULL || !rd_is_dns_label(name, 63) || name[0] < 'a') {
        gcp_fail_old(c, 400, "invalid",
                     "Invalid value for field 'resource.name': '%s'. Must be a match of regex "
                     "'(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'",
                     name == NULL ? "" : name);
    } else {
        const char *word = c->params.v[scope == GLOBAL ? 1 : 2];
        t.full = rd_asprintf("projects/%s/%s/%s/%s", e->project, t.scope, word, name);
        json_t *o = json_deep_copy(c->body);
        static const char *const links[] = {"network", "subnetwork", "region", "target", "type"};
        for (size_t i = 0; i < RD_ARRAY_LEN(links); i++)
            make_link(e, o, links[i]);
        if (emu_store_get(&e->store, t.kind, t.full) != NULL) {
            json_decref(o);
            gcp_fail_old(c, 409, "alreadyExists", "The resource '%s' already exists", t.full);
        } else if (!check_references(c, o)) {
            json_decref(o);
        } else if (t.k->quota != NULL && emu_quota_short(e, t.k->quota, 1) > 0) {
            json_decref(o);
            gcp_fail_old(c, 403, "quotaExceeded", "Quota '%s' exceeded.  Limit: %ld.0 %s.",
                         t.k->quota, emu_quota_limit(e, emu_quota_by_metric(t.k->quota)),
                         t.place == NULL ? "globally" : t.place);
        } else {
            char now[32];
            emu_stamp_us(now);
            json_object_set_new(o, "kind", json_string(t.k->kind));
            json_object_set_new(o, "id",
                                json_sprintf("%llu", (unsigned long long)(emu_rand(e) >> 1)));
            json_object_set_new(o, "creationTimestamp", json_string(now));
            json_object_set_new(o, "selfLink", json_sprintf(LINK "%s", t.full));
            if (t.place != NULL)
                json_object_set_new(o, scope == REGION ? "region" : "zone",
                                    json_sprintf(LINK "projects/%s/%s", e->project, t.scope));
            fill_defaults(e, &t, o);
            json_object_set_new(o, "_making", json_true());
            emu_store_put(&e->store, t.kind, t.full, o);
            json_t *answer = op_begin(c, &t, "insert", t.full, t.k->create_ms, insert_done,
                                      rd_json_pack("{s:s}", "kind", t.kind));
            gcp_ok(c, answer);
        }
    }
    free(why);
    target_clear(&t);
}

/* ---- Get, list ---- */
static void get(struct gcp_call *c, enum scope scope)
{
    struct target t;
    if (!target_read(c, scope, "get", &t))
        return;
    const json_t *o = find_or_fail(c, &t);
    if (o != NULL && json_object_get(o, "_making") != NULL)
        gcp_fail_old(c, 404, "notFound", "The resource '%s' was not found", t.full);
    else if (o != NULL)
        gcp_ok(c, emu_public(o));
    target_clear(&t);
}

/* One comparison, `field OP value` with =, eq, : or !=; anything else lets all through. */
static bool passes(const json_t *o, const char *filter)
{
    if (filter == NULL)
        return true;
    struct rd_strv w = {0};
    rd_strv_split(&w, filter, " ()\"'");
    RD_AUTOFREE char *joined = rd_strdup("");
    for (size_t i = 0; i < w.len; i++)
        rd_str_take(&joined, rd_asprintf("%s%s", joined, rd_streq(w.v[i], "eq") ? "=" : w.v[i]));
    rd_strv_clear(&w);
    size_t len = strcspn(joined, "=:!");
    if (joined[len] == '\0' || strstr(joined, "AND") != NULL || strstr(joined, "OR") != NULL)
        return true;
    bool negated = joined[len] == '!', part = joined[len] == ':';
    const char *want = joined + len + 1 + (negated ? 1 : 0);
    joined[len] = '\0';
    const char *have = rd_json_path_str(o, joined);
    bool hit = have != NULL &&
               (rd_streq(want, "*") || (part ? strstr(have, want) != NULL : rd_streq(have, want)));
    return hit != negated;
}

static json_t *matching(struct gcp_call *c, const char *kind, const char *prefix)
{
    RD_AUTOFREE char *filter = emu_req_query(c->req, "filter");
    RD_AUTOJSON json_t *all = emu_store_list(&c->emu->store, kind, prefix);
    json_t *out = json_array();
    size_t i;
    json_t *o;
    json_array_foreach (all, i, o) {
        if (json_object_get(o, "_making") == NULL && passes(o, filter))
            json_array_append(out, o);
    }
    return out;
}

static json_t *list_head(const char *kind, const char *self)
{
    return rd_json_pack("{s:s+, s:s, s:s}", "kind", kind, "List", "id", self, "selfLink", self);
}

static void list(struct gcp_call *c, enum scope scope)
{
    struct target t;
    if (!target_read(c, scope, "list", &t))
        return;
    RD_AUTOFREE char *prefix = rd_asprintf("projects/%s/%s/", c->emu->project, t.scope);
    json_t *items = matching(c, t.kind, prefix);
    gcp_ok_page(c, list_head(t.k->kind, t.scope), "items", items);
    target_clear(&t);
}

static void get_aggregated(struct gcp_call *c)
{
    const char *word = c->params.v[1];
    const struct collection *k = NULL;
    for (enum scope s = GLOBAL; s <= ZONE && k == NULL; s++)
        k = collection_find(word, s);
    if (k == NULL) {
        gcp_fail_old(c, 404, "notFound", "The requested URL was not found on this server.");
        return;
    }
    RD_AUTOFREE char *permission = rd_asprintf("compute.%s.list", word);
    RD_AUTOFREE char *project = rd_asprintf("projects/%s", c->emu->project);
    if (!gcp_permit(c, permission, project))
        return;
    RD_AUTOJSON json_t *all = json_array();
    for (enum scope s = GLOBAL; s <= ZONE; s++) {
        const struct collection *of = collection_find(word, s);
        RD_AUTOFREE char *kind = of == NULL ? NULL : kind_key(of);
        RD_AUTOJSON json_t *some = of == NULL ? NULL : matching(c, kind, NULL);
        if (some != NULL)
            json_array_extend(all, some);
    }
    json_t *scopes = json_object();
    size_t i;
    json_t *o;
    json_array_foreach (all, i, o) {
        const char *self = strstr(rd_json_str(o, "selfLink", NULL), "/projects/") + 10;
        const char *from = strchr(self, '/') + 1;
        const char *end = rd_starts_with(from, "global/") ? strchr(from, '/')
                                                          : strchr(strchr(from, '/') + 1, '/');
        RD_AUTOFREE char *scope = rd_strndup(from, (size_t)(end - from));
        json_t *entry = json_object_get(scopes, scope);
        if (entry == NULL) {
            entry = rd_json_pack("{s:[]}", word);
            json_object_set_new(scopes, scope, entry);
        }
        json_array_append_new(json_object_get(entry, word), emu_public(o));
    }
    json_t *answer = rd_json_pack("{s:s+, s:s, s:o}", "kind", k->kind, "AggregatedList", "id",
                                  c->resource, "items", scopes);
    gcp_ok(c, answer);
}

/* ---- Delete, patch ---- */
/* Who still refers to a resource by one of its link fields: its full name, borrowed, or NULL. */
static const char *user_of(struct emu *e, const char *full)
{
    static const struct {
        const char *kind, *field;
    } uses[] = {{"compute.subnetworks", "network"},
                {"compute.firewalls", "network"},
                {"compute.routers", "network"},
                {"compute.forwardingRules", "network"},
                {"compute.networkEndpointGroups", "network"},
                {"compute.addresses", "network"},
                {"compute.addresses", "subnetwork"},
                {"container.clusters", "networkConfig.network"},
                {"container.clusters", "networkConfig.subnetwork"},
                {"file.instances", "_network"}};
    for (size_t i = 0; i < RD_ARRAY_LEN(uses); i++) {
        const char *name;
        json_t *o;
        json_object_foreach (emu_store_all(&e->store, uses[i].kind), name, o) {
            const char *link = rd_json_path_str(o, uses[i].field);
            if (link != NULL && rd_ends_with(link, full))
                return name;
        }
    }
    return NULL;
}

static void delete_done(struct gcp_op *op)
{
    if (op->fail_status == NULL)
        emu_store_delete(&op->emu->store, rd_json_str(op->args, "kind", NULL), op->target);
}

static void remove_one(struct gcp_call *c, enum scope scope)
{
    struct target t;
    if (!target_read(c, scope, "delete", &t))
        return;
    const json_t *o = find_or_fail(c, &t);
    if (o != NULL) {
        const char *user = user_of(c->emu, t.full);
        if (user != NULL)
            gcp_fail_old(c, 400, "resourceInUseByAnotherResource",
                         "The %s resource '%s' is already being used by '%s'",
                         strchr(t.k->kind, '#') + 1, t.full, user);
        else if (gcp_op_running(c->emu, t.full) != NULL)
            gcp_fail_old(c, 400, "resourceNotReady", "The resource '%s' is not ready", t.full);
        else
            gcp_ok(c, op_begin(c, &t, "delete", t.full, t.k->delete_ms, delete_done,
                               rd_json_pack("{s:s}", "kind", t.kind)));
    }
    target_clear(&t);
}

static void patch_done(struct gcp_op *op)
{
    json_t *o = emu_store_get(&op->emu->store, rd_json_str(op->args, "kind", NULL), op->target);
    if (o != NULL && op->fail_status == NULL)
        gcp_apply_mask(o, json_object_get(op->args, "patch"), NULL);
}

static void start_patch(struct gcp_call *c, const struct target *t, const char *type)
{
    gcp_ok(c, op_begin(c, t, type, t->full, t->k->create_ms, patch_done,
                       rd_json_pack("{s:s, s:O}", "kind", t->kind, "patch", c->body)));
}

static void patch(struct gcp_call *c, enum scope scope)
{
    struct target t;
    if (!target_read(c, scope, "update", &t))
        return;
    char *why = NULL;
    if (find_or_fail(c, &t) != NULL) {
        if (t.k->body != NULL && !schema_check(t.k->body, c->body, &why))
            gcp_fail_old(c, 400, "invalid", "%s", why);
        else
            start_patch(c, &t, "patch");
    }
    free(why);
    target_clear(&t);
}

/* POST .../NAME/setSomething: the body's fields become the resource's. */
static void act(struct gcp_call *c, enum scope scope)
{
    static const struct {
        const char *verb, *body;
    } known[] = {{"setPrivateIpGoogleAccess", "CpSubnetworksSetPrivateIpGoogleAccessRequest"},
                 {"expandIpCidrRange", "CpSubnetworksExpandIpCidrRangeRequest"},
                 {"removePeering", "CpNetworksRemovePeeringRequest"}};
    struct target t;
    if (!target_read(c, scope, "update", &t))
        return;
    const char *verb = c->params.v[c->params.count - 1];
    const char *type = NULL;
    for (size_t i = 0; i < RD_ARRAY_LEN(known); i++) {
        if (rd_streq(known[i].verb, verb))
            type = known[i].body;
    }
    char *why = NULL;
    if (type == NULL)
        gcp_fail_old(c, 404, "notFound", "The requested URL was not found on this server.");
    else if (!schema_check(type, c->body, &why))
        gcp_fail_old(c, 400, "invalid", "%s", why);
    else if (find_or_fail(c, &t) != NULL)
        start_patch(c, &t, verb);
    free(why);
    target_clear(&t);
}

#define SCOPED(fn, body)                                                                           \
    static void fn##_global(struct gcp_call *c)                                                    \
    {                                                                                              \
        body(c, GLOBAL);                                                                           \
    }                                                                                              \
    static void fn##_region(struct gcp_call *c)                                                    \
    {                                                                                              \
        body(c, REGION);                                                                           \
    }                                                                                              \
    static void fn##_zone(struct gcp_call *c)                                                      \
    {                                                                                              \
        body(c, ZONE);                                                                             \
    }
SCOPED(insert, insert)
SCOPED(fetch, get)
SCOPED(list, list)
SCOPED(remove, remove_one)
SCOPED(patch, patch)
SCOPED(act, act)

/* ---- Operations ---- */
static void get_operation(struct gcp_call *c)
{
    const char *at = strstr(c->req->msg.path, "/projects/") + 1;
    RD_AUTOFREE char *key = rd_strndup(at, strlen(at) - (rd_ends_with(at, "/wait") ? 5 : 0));
    const json_t *body = gcp_op_get(c->emu, key);
    if (body == NULL)
        gcp_fail_old(c, 404, "notFound", "The resource '%s' was not found", key);
    else
        gcp_ok(c, emu_public(body));
}

/* ---- Project, places, types ---- */
static void get_project(struct gcp_call *c)
{
    struct emu *e = c->emu;
    gcp_ok(c,
           rd_json_pack("{s:s, s:s, s:s, s:s++, s:s+, s:o}", "kind", "compute#project", "id",
                        e->project_number, "name", e->project, "defaultServiceAccount",
                        e->project_number, "-compute@developer", ".gserviceaccount.com", "selfLink",
                        LINK "projects/", e->project, "quotas", emu_quota_list(e, true)));
}

static json_t *region_json(struct emu *e, const char *name)
{
    struct rd_strv zones = {0};
    emu_region_zones(name, &zones);
    json_t *links = json_array();
    for (size_t i = 0; i < zones.len; i++)
        json_array_append_new(links,
                              json_sprintf(LINK "projects/%s/zones/%s", e->project, zones.v[i]));
    rd_strv_clear(&zones);
    RD_AUTOFREE char *self = rd_asprintf(LINK "projects/%s/regions/%s", e->project, name);
    return rd_json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "kind", "compute#region", "name",
                        name, "description", name, "status", "UP", "selfLink", self, "zones", links,
                        "quotas", emu_quota_list(e, false));
}

static json_t *zone_json(struct emu *e, const char *name)
{
    RD_AUTOFREE char *region = emu_region_of(name);
    RD_AUTOFREE char *self = rd_asprintf(LINK "projects/%s/zones/%s", e->project, name);
    RD_AUTOFREE char *link = rd_asprintf(LINK "projects/%s/regions/%s", e->project, region);
    return rd_json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kind", "compute#zone", "name", name,
                        "description", name, "status", "UP", "region", link, "selfLink", self);
}

static void get_region(struct gcp_call *c)
{
    if (!emu_region_exists(c->params.v[1]))
        gcp_fail_old(c, 404, "notFound", "The resource 'projects/%s/regions/%s' was not found",
                     c->emu->project, c->params.v[1]);
    else
        gcp_ok(c, region_json(c->emu, c->params.v[1]));
}

static void list_regions(struct gcp_call *c)
{
    json_t *all = json_array();
    for (size_t i = 0; i < emu_regions_len; i++)
        json_array_append_new(all, region_json(c->emu, emu_regions[i].name));
    gcp_ok_page(c, list_head("compute#region", "regions"), "items", all);
}

static void get_zone(struct gcp_call *c)
{
    if (!emu_zone_exists(c->params.v[1]))
        gcp_fail_old(c, 404, "notFound", "The resource 'projects/%s/zones/%s' was not found",
                     c->emu->project, c->params.v[1]);
    else
        gcp_ok(c, zone_json(c->emu, c->params.v[1]));
}

static void list_zones(struct gcp_call *c)
{
    RD_AUTOFREE char *filter = emu_req_query(c->req, "filter");
    json_t *all = json_array();
    for (size_t i = 0; i < emu_regions_len; i++) {
        struct rd_strv zones = {0};
        emu_region_zones(emu_regions[i].name, &zones);
        for (size_t k = 0; k < zones.len; k++) {
            json_t *z = zone_json(c->emu, zones.v[k]);
            if (passes(z, filter))
                json_array_append(all, z);
            json_decref(z);
        }
        rd_strv_clear(&zones);
    }
    gcp_ok_page(c, list_head("compute#zone", "zones"), "items", all);
}

static const char *const machine_types[] = {
    "e2-medium",     "e2-standard-2", "e2-standard-4",  "e2-standard-8",  "n1-standard-1",
    "n1-standard-2", "n1-standard-4", "n1-standard-8",  "n1-standard-16", "n2-standard-2",
    "n2-standard-4", "n2-standard-8", "n2-standard-16", "n2-highmem-4",   "n2-highmem-8",
    "c3-standard-4", "c3-standard-8", "g2-standard-4",  "g2-standard-8"};
static const char *const accelerators[] = {"nvidia-tesla-t4", "nvidia-l4"};

static json_t *machine_json(struct emu *e, const char *zone, const char *name)
{
    const char *metric;
    RD_AUTOFREE char *self =
        rd_asprintf(LINK "projects/%s/zones/%s/machineTypes/%s", e->project, zone, name);
    return rd_json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "kind", "compute#machineType", "name",
                        name, "zone", zone, "guestCpus",
                        (json_int_t)emu_machine_cpus(name, &metric), "memoryMb",
                        (json_int_t)emu_machine_memory_mb(name), "selfLink", self);
}

static json_t *accelerator_json(struct emu *e, const char *zone, const char *name)
{
    RD_AUTOFREE char *self =
        rd_asprintf(LINK "projects/%s/zones/%s/acceleratorTypes/%s", e->project, zone, name);
    RD_AUTOFREE char *link = rd_asprintf(LINK "projects/%s/zones/%s", e->project, zone);
    return rd_json_pack("{s:s, s:s, s:s, s:s, s:i}", "kind", "compute#acceleratorType", "name",
                        name, "zone", link, "selfLink", self, "maximumCardsPerInstance", 4);
}

static void types(struct gcp_call *c, bool machines)
{
    const char *zone = c->params.v[1];
    const char *name = c->params.count > 2 ? c->params.v[2] : NULL;
    const char *const *all = machines ? machine_types : accelerators;
    size_t len = machines ? RD_ARRAY_LEN(machine_types) : RD_ARRAY_LEN(accelerators);
    json_t *(*make)(struct emu *, const char *, const char *) =
        machines ? machine_json : accelerator_json;
    RD_AUTOFREE char *filter = emu_req_query(c->req, "filter");
    json_t *items = json_array();
    for (size_t i = 0; i < len && emu_zone_exists(zone); i++) {
        json_t *o = make(c->emu, zone, all[i]);
        if (name == NULL ? passes(o, filter) : rd_streq(name, all[i]))
            json_array_append(items, o);
        json_decref(o);
    }
    if (name == NULL) {
        gcp_ok_page(c,
                    list_head(machines ? "compute#machineType" : "compute#acceleratorType", zone),
                    "items", items);
        return;
    }
    if (json_array_size(items) == 0)
        gcp_fail_old(c, 404, "notFound", "The resource 'projects/%s/zones/%s/%s/%s' was not found",
                     c->emu->project, zone, machines ? "machineTypes" : "acceleratorTypes", name);
    else
        gcp_ok(c, json_incref(json_array_get(items, 0)));
    json_decref(items);
}

static void get_machine_types(struct gcp_call *c)
{
    types(c, true);
}

static void get_accelerators(struct gcp_call *c)
{
    types(c, false);
}

#define P "/compute/v1/projects/{}"
#define Q "filter maxResults pageToken orderBy returnPartialSuccess includeAllScopes"

static const struct gcp_route routes[] = {
    {"GET", P, get_project, "compute.projects.get", NULL, NULL},
    {"GET", P "/regions", list_regions, "compute.regions.list", NULL, Q},
    {"GET", P "/regions/{}", get_region, "compute.regions.get", NULL, NULL},
    {"GET", P "/zones", list_zones, "compute.zones.list", NULL, Q},
    {"GET", P "/zones/{}", get_zone, "compute.zones.get", NULL, NULL},
    {"GET", P "/zones/{}/machineTypes", get_machine_types, "compute.machineTypes.list", NULL, Q},
    {"GET", P "/zones/{}/machineTypes/{}", get_machine_types, "compute.machineTypes.get", NULL,
     NULL},
    {"GET", P "/zones/{}/acceleratorTypes", get_accelerators, "compute.acceleratorTypes.list", NULL,
     Q},
    {"GET", P "/zones/{}/acceleratorTypes/{}", get_accelerators, "compute.acceleratorTypes.get",
     NULL, NULL},
    {"GET", P "/aggregated/{}", get_aggregated, NULL, NULL, Q},
    {"GET", P "/global/operations/{}", get_operation, "compute.globalOperations.get", NULL, NULL},
    {"GET", P "/regions/{}/operations/{}", get_operation, "compute.regionOperations.get", NULL,
     NULL},
    {"GET", P "/zones/{}/operations/{}", get_operation, "compute.zoneOperations.get", NULL, NULL},
    {"POST", P "/global/operations/{}/wait", get_operation, "compute.globalOperations.get", NULL,
     NULL},
    {"POST", P "/regions/{}/operations/{}/wait", get_operation, "compute.regionOperations.get",
     NULL, NULL},
    {"POST", P "/zones/{}/operations/{}/wait", get_operation, "compute.zoneOperations.get", NULL,
     NULL},
    {"GET", P "/global/{}", list_global, NULL, NULL, Q},
    {"POST", P "/global/{}", insert_global, NULL, "*", "requestId"},
    {"GET", P "/global/{}/{}", fetch_global, NULL, NULL, NULL},
    {"DELETE", P "/global/{}/{}", remove_global, NULL, NULL, "requestId"},
    {"PATCH", P "/global/{}/{}", patch_global, NULL, "*", "requestId"},
    {"POST", P "/global/{}/{}/{}", act_global, NULL, "*", "requestId"},
    {"GET", P "/regions/{}/{}", list_region, NULL, NULL, Q},
    {"POST", P "/regions/{}/{}", insert_region, NULL, "*", "requestId"},
    {"GET", P "/regions/{}/{}/{}", fetch_region, NULL, NULL, NULL},
    {"DELETE", P "/regions/{}/{}/{}", remove_region, NULL, NULL, "requestId"},
    {"PATCH", P "/regions/{}/{}/{}", patch_region, NULL, "*", "requestId"},
    {"POST", P "/regions/{}/{}/{}/{}", act_region, NULL, "*", "requestId"},
    {"GET", P "/zones/{}/{}", list_zone, NULL, NULL, Q},
    {"POST", P "/zones/{}/{}", insert_zone, NULL, "*", "requestId"},
    {"GET", P "/zones/{}/{}/{}", fetch_zone, NULL, NULL, NULL},
    {"DELETE", P "/zones/{}/{}/{}", remove_zone, NULL, NULL, "requestId"},
    {"PATCH", P "/zones/{}/{}/{}", patch_zone, NULL, "*", "requestId"},
    {"POST", P "/zones/{}/{}/{}/{}", act_zone, NULL, "*", "requestId"},
};

const struct gcp_api gcp_compute = {.name = "compute",
                                    .service = "compute.googleapis.com",
                                    .override = "COMPUTE",
                                    .path = "/compute/v1/",
                                    .old_errors = true,
                                    .routes = routes,
                                    .route_count = RD_ARRAY_LEN(routes)};
