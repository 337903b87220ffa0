/* Whose is it? Pure. */
#include "phase/steps/scan.h"

#include "base/alloc.h"
#include "phase/steps/mgmt_plan.h"
#include "phase/steps/names.h"

#include <stdlib.h>
#include <string.h>

/* Two owners: this deployment, and what bootstrap made for all of them. */
enum owner { OURS, MANAGEMENT, OWNERS };

struct scan_match {
    const struct config *c;
    struct {
        char *cluster, *network;
        bool cluster_foreign, network_foreign;
    } of[OWNERS];
    char *mark;              /* the description of ours */
    char *emails[OWNERS][2];
    char *members[2];        /* Kubernetes accounts of Ray's pods */
    json_t *foreign_emails;  /* accounts of our names that are not ours */
    json_t *other_clusters;  /* names of clusters that are not ours */
    json_t *hits;            /* link tail "zones/z/instances/n" -> owner: found to be ours */
};

static const char *const kind_names[] = {
#define X(name, word) word,
    SCAN_KINDS(X)
#undef X
};

const char *scan_kind_name(enum scan_kind k)
{
    RD_ASSERT(k < SCAN_KIND_MAX);
    return kind_names[k];
}

struct scan_match *scan_match_new(const struct config *c)
{
    struct scan_match *m = rd_calloc(1, sizeof(*m));
    RD_AUTOFREE char *nodes = cc_node_account(c);
    RD_AUTOFREE char *ray = cc_ray_account(c);
    RD_AUTOFREE char *pool = cc_workload_pool(c);
    RD_AUTOFREE char *ns = config_namespace(c);
    RD_AUTOFREE char *head = config_head_account(c);
    RD_AUTOFREE char *worker = config_worker_account(c);
    m->c = c;
    m->of[OURS].cluster = cc_cluster(c);
    m->of[OURS].network = cc_network(c);
    m->of[MANAGEMENT].cluster = rd_strdup(MGMT_CLUSTER);
    m->of[MANAGEMENT].network = rd_strdup(MGMT_NETWORK);
    m->mark = cc_description(c);
    m->emails[OURS][0] = cc_account_email(c, nodes);
    m->emails[OURS][1] = cc_account_email(c, ray);
    m->emails[MANAGEMENT][0] = cc_connector_email(c);
    m->emails[MANAGEMENT][1] = cc_account_email(c, MGMT_NODES);
    m->members[0] = rd_asprintf("serviceAccount:%s[%s/%s]", pool, ns, head);
    m->members[1] = rd_asprintf("serviceAccount:%s[%s/%s]", pool, ns, worker);
    m->foreign_emails = json_object();
    m->other_clusters = json_object();
    m->hits = json_object();
    return m;
}

void scan_match_free(struct scan_match *m)
{
    if (!m)
        return;
    for (unsigned o = 0; o < OWNERS; o++) {
        free(m->of[o].cluster);
        free(m->of[o].network);
        free(m->emails[o][0]);
        free(m->emails[o][1]);
    }
    free(m->members[0]);
    free(m->members[1]);
    free(m->mark);
    json_decref(m->foreign_emails);
    json_decref(m->other_clusters);
    json_decref(m->hits);
    free(m);
}

void scan_item_clear(struct scan_item *i)
{
    free(i->name);
    free(i->where);
    free(i->why);
    free(i->command);
    json_decref(i->detail);
    memset(i, 0, sizeof(*i));
}

/* ---- Names and links ---- */

static const char *last_part(const char *link)
{
    const char *slash = link ? strrchr(link, '/') : NULL;
    return slash ? slash + 1 : link;
}

/* "https://HOST/compute/v1/projects/P/zones/Z/instances/N" to "zones/Z/instances/N", also when the link
 * comes under another host name. NULL: another project's. */
static const char *tail_of(const struct scan_match *m, const char *link)
{
    RD_AUTOFREE char *mine = rd_asprintf("projects/%s/", m->c->project);
    const char *at = link ? strstr(link, mine) : NULL;
    return at ? at + strlen(mine) : NULL;
}

static bool link_names(const struct scan_match *m, const char *link, const char *network)
{
    RD_AUTOFREE char *want = rd_asprintf("global/networks/%s", network);
    return rd_streq(tail_of(m, link), want);
}

/* GKE's names: gke-CLUSTER-POOL-HASH-xxxx. A cluster whose name goes on where ours ends has names that
 * begin like ours. */
static bool gke_name(const struct scan_match *m, const char *name, enum owner o)
{
    RD_AUTOFREE char *prefix = rd_asprintf("gke-%s-", m->of[o].cluster);
    if (!name || !rd_starts_with(name, prefix) || m->of[o].cluster_foreign)
        return false;
    const char *other;
    json_t *v;
    json_object_foreach (m->other_clusters, other, v) {
        RD_AUTOFREE char *longer = rd_asprintf("gke-%s-", other);
        if (strlen(longer) > strlen(prefix) && rd_starts_with(name, longer))
            return false;
    }
    if (o == MANAGEMENT)
        return true;
    /* Our pools, and the one that GKE makes first; somebody's cluster may be gone and its name unknown. */
    RD_AUTOFREE char *cpu = rd_asprintf("%s%s-cpu-", prefix, m->c->name);
    RD_AUTOFREE char *gpu = rd_asprintf("%s%s-gpu-", prefix, m->c->name);
    RD_AUTOFREE char *first = rd_asprintf("%sdefault-pool-", prefix);
    return rd_starts_with(name, cpu) || rd_starts_with(name, gpu) || rd_starts_with(name, first);
}

static int hit_of(const struct scan_match *m, const char *link)
{
    const char *tail = tail_of(m, link);
    const json_t *v = tail ? json_object_get(m->hits, tail) : NULL;
    return v ? (int)json_integer_value(v) : -1;
}

static int hit_in(const struct scan_match *m, const json_t *links, const char *key)
{
    size_t i;
    const json_t *v;
    json_array_foreach (links, i, v) {
        int o = hit_of(m, key ? rd_json_str(v, key, NULL) : json_string_value(v));
        if (o >= 0)
            return o;
        const char *link = key ? rd_json_str(v, key, NULL) : json_string_value(v);
        for (unsigned k = 0; k < OWNERS; k++) /* a machine that is gone by now */
            if (tail_of(m, link) && strstr(link, "/instances/") && gke_name(m, last_part(link), k))
                return (int)k;
    }
    return -1;
}

/* ---- One rule after the other ---- */

static bool in_region(const struct scan_match *m, const char *location)
{
    return location && rd_starts_with(location, m->c->region) &&
           (location[strlen(m->c->region)] == '\0' || location[strlen(m->c->region)] == '-');
}

/* Labels: ours, another deployment's (-2: never ours), or a cluster's. */
static int by_labels(const struct scan_match *m, const json_t *r, const char **why)
{
    static const char *const places[] = {"labels", "resourceLabels", "userLabels"};
    for (size_t i = 0; i < RD_ARRAY_LEN(places); i++) {
        const json_t *labels = json_object_get(r, places[i]);
        const char *name = rd_json_str(labels, MARK_DEPLOYMENT, NULL);
        const char *cluster = rd_json_str(labels, "goog-k8s-cluster-name", NULL);
        const char *place = rd_json_str(labels, "goog-k8s-cluster-location", NULL);
        bool shared = json_object_get(labels, MGMT_MARK) != NULL;
        if (name) {
            *why = "its label";
            return rd_streq(name, m->c->name) ? OURS : -2;
        }
        for (unsigned o = 0; o < OWNERS; o++)
            if (rd_streq(cluster, m->of[o].cluster) && !m->of[o].cluster_foreign &&
                (!place || in_region(m, place))) {
                *why = "its cluster's label";
                return (int)o;
            }
        if (cluster)
            return -2;
        if (shared) {
            *why = "its label";
            return MANAGEMENT;
        }
    }
    return -1;
}

static bool on_network(const struct scan_match *m, const json_t *r, const char *network)
{
    size_t i;
    const json_t *v;
    if (link_names(m, rd_json_str(r, "network", NULL), network))
        return true;
    json_array_foreach (json_object_get(r, "networkInterfaces"), i, v)
        if (link_names(m, rd_json_str(v, "network", NULL), network))
            return true;
    /* Filestore names it without the link's first half. */
    json_array_foreach (json_object_get(r, "networks"), i, v) {
        const char *n = rd_json_str(v, "network", NULL);
        if (n && (rd_streq(n, network) || link_names(m, n, network)))
            return true;
    }
    return false;
}

static int by_network(const struct scan_match *m, const json_t *r, const char **why)
{
    for (unsigned o = 0; o < OWNERS; o++)
        if (!m->of[o].network_foreign && on_network(m, r, m->of[o].network)) {
            *why = "its network";
            return (int)o;
        }
    return -1;
}

/* A disk that was made for a claim of our namespace. */
static bool for_our_claim(const struct scan_match *m, const char *description)
{
    RD_AUTOFREE char *ns = config_namespace(m->c);
    struct rd_err *err = NULL;
    RD_AUTOJSON json_t *made =
        description ? rd_json_parse(description, strlen(description), "description", &err) : NULL;
    rd_err_free(err);
    return rd_streq(rd_json_str(made, "kubernetes.io/created-for/pvc/namespace", NULL), ns);
}

static int by_relation(const struct scan_match *m, enum scan_kind kind, const json_t *r,
                       const char **why)
{
    const char *name = rd_json_str(r, "name", NULL);
    int o = -1;
    *why = "what it belongs to";
    switch (kind) {
    case SCAN_INSTANCE:
    case SCAN_GROUP_MANAGER:
    case SCAN_GROUP:
        *why = "its name";
        for (unsigned k = 0; k < OWNERS && o < 0; k++)
            o = gke_name(m, name, k) ? (int)k : -1;
        return o;
    case SCAN_TARGET_POOL:
        return hit_in(m, json_object_get(r, "instances"), NULL);
    case SCAN_BACKEND:
        return hit_in(m, json_object_get(r, "backends"), "group");
    case SCAN_FORWARDING_RULE:
        o = hit_of(m, rd_json_str(r, "target", NULL));
        return o >= 0 ? o : hit_of(m, rd_json_str(r, "backendService", NULL));
    case SCAN_ADDRESS:
        return hit_in(m, json_object_get(r, "users"), NULL);
    case SCAN_DISK:
        o = hit_in(m, json_object_get(r, "users"), NULL);
        if (o < 0 && for_our_claim(m, rd_json_str(r, "description", NULL)))
            o = OURS;
        for (unsigned k = 0; k < OWNERS && o < 0; k++)
            o = gke_name(m, name, k) ? (int)k : -1;
        return o;
    case SCAN_SNAPSHOT:
        return hit_of(m, rd_json_str(r, "sourceDisk", NULL));
    case SCAN_BACKUP: {
        RD_AUTOFREE char *instance = cc_filestore(m->c);
        RD_AUTOFREE char *end = rd_asprintf("/instances/%s", instance);
        const char *source = rd_json_str(r, "sourceInstance", NULL);
        const char *tail = tail_of(m, source);
        const char *place = tail && rd_starts_with(tail, "locations/") ? tail + strlen("locations/") : "";
        RD_AUTOFREE char *location = rd_strndup(place, strcspn(place, "/"));
        return tail && rd_ends_with(tail, end) && in_region(m, location) ? OURS : -1;
    }
    default:
        return -1;
    }
}

static bool is_account(const struct scan_match *m, const json_t *r, enum owner o)
{
    const char *email = rd_json_str(r, "email", NULL);
    if (!rd_streq(email, m->emails[o][0]) && !rd_streq(email, m->emails[o][1]))
        return false;
    return o == MANAGEMENT ? mgmt_is_ours(r)
                           : rd_streq(rd_json_str(r, "description", NULL), m->mark);
}

static int owner_of(const struct scan_match *m, enum scan_kind kind, const json_t *r, const char **why)
{
    int o = by_labels(m, r, why);
    if (o != -1)
        return o;
    *why = "its description";
    if (kind == SCAN_ACCOUNT) {
        for (unsigned k = 0; k < OWNERS; k++)
            if (is_account(m, r, k))
                return (int)k;
        return -1;
    }
    if (rd_streq(rd_json_str(r, "description", NULL), m->mark))
        return OURS;
    if (mgmt_is_ours(r))
        return MANAGEMENT;
    if (kind == SCAN_NETWORK || kind == SCAN_CLUSTER)
        return -1;
    o = by_network(m, r, why);
    return o >= 0 ? o : by_relation(m, kind, r, why);
}

/* A cluster, network or account of our name that is somebody else's: nothing follows from the name. */
static void learn(struct scan_match *m, enum scan_kind kind, const json_t *r, int o)
{
    const char *name = rd_json_str(r, "name", NULL), *email = rd_json_str(r, "email", NULL);
    const char *tail = tail_of(m, rd_json_str(r, "selfLink", NULL));
    if (o >= 0 && tail)
        json_object_set_new(m->hits, tail, json_integer(o));
    if (kind == SCAN_CLUSTER && o < 0 && name) {
        json_object_set_new(m->other_clusters, name, json_true());
        for (unsigned k = 0; k < OWNERS; k++)
            m->of[k].cluster_foreign =
                m->of[k].cluster_foreign || (rd_streq(name, m->of[k].cluster) &&
                                             in_region(m, rd_json_str(r, "location", NULL)));
    }
    if (kind == SCAN_NETWORK && o < 0)
        for (unsigned k = 0; k < OWNERS; k++)
            m->of[k].network_foreign = m->of[k].network_foreign || rd_streq(name, m->of[k].network);
    if (kind == SCAN_ACCOUNT && o < 0 && email)
        json_object_set_new(m->foreign_emails, email, json_true());
}

/* ---- What to tell ---- */

static char *where_of(const struct scan_match *m, enum scan_kind kind, const json_t *r)
{
    if (kind == SCAN_ACCOUNT)
        return rd_strdup("global");
    static const char *const keys[] = {"zone", "region", "location"};
    for (size_t i = 0; i < RD_ARRAY_LEN(keys); i++) {
        const char *v = rd_json_str(r, keys[i], NULL);
        if (v)
            return rd_strdup(last_part(v));
    }
    /* "zones/Z/disks/D", "regions/R/...", "locations/L/..." of a link or a full name. */
    const char *link = rd_json_str(r, "selfLink", NULL), *name = rd_json_str(r, "name", NULL);
    const char *tail = tail_of(m, link ? link : name);
    const char *slash = tail ? strchr(tail, '/') : NULL;
    if (!slash || rd_starts_with(tail, "global/"))
        return rd_strdup("global");
    return rd_strndup(slash + 1, strcspn(slash + 1, "/"));
}

static bool is_billed(enum scan_kind k)
{
    switch (k) {
    case SCAN_CLUSTER:
    case SCAN_INSTANCE:
    case SCAN_FORWARDING_RULE:
    case SCAN_ADDRESS:
    case SCAN_DISK:
    case SCAN_SNAPSHOT:
    case SCAN_ROUTER:
    case SCAN_FILESTORE:
    case SCAN_BACKUP:
    case SCAN_BUCKET:
    case SCAN_REGISTRY:
        return true;
    default:
        return false;
    }
}

/* gcloud's words for a kind; the place goes into its flag. */
static char *command_of(const struct scan_match *m, enum scan_kind kind, const char *name,
                        const char *where)
{
    static const struct {
        enum scan_kind kind;
        const char *verb;
    } verbs[] = {
        {SCAN_CLUSTER, "container clusters delete"},
        {SCAN_NETWORK, "compute networks delete"},
        {SCAN_SUBNET, "compute networks subnets delete"},
        {SCAN_INSTANCE, "compute instances delete"},
        {SCAN_GROUP_MANAGER, "compute instance-groups managed delete"},
        {SCAN_GROUP, "compute instance-groups unmanaged delete"},
        {SCAN_ENDPOINT_GROUP, "compute network-endpoint-groups delete"},
        {SCAN_TARGET_POOL, "compute target-pools delete"},
        {SCAN_BACKEND, "compute backend-services delete"},
        {SCAN_FORWARDING_RULE, "compute forwarding-rules delete"},
        {SCAN_ADDRESS, "compute addresses delete"},
        {SCAN_DISK, "compute disks delete"},
        {SCAN_SNAPSHOT, "compute snapshots delete"},
        {SCAN_FIREWALL, "compute firewall-rules delete"},
        {SCAN_ROUTER, "compute routers delete"},
        {SCAN_FILESTORE, "filestore instances delete"},
        {SCAN_BACKUP, "filestore backups delete"},
        {SCAN_REGISTRY, "artifacts repositories delete"},
        {SCAN_ACCOUNT, "iam service-accounts delete"},
    };
    if (kind == SCAN_BUCKET)
        return rd_asprintf("gcloud storage rm --recursive gs://%s --project %s", name, m->c->project);
    const char *verb = NULL;
    for (size_t i = 0; i < RD_ARRAY_LEN(verbs); i++)
        if (verbs[i].kind == kind)
            verb = verbs[i].verb;
    RD_ASSERT(verb);
    bool global = rd_streq(where, "global");
    bool zone = !global && strlen(where) > 2 && where[strlen(where) - 2] == '-';
    bool named = kind == SCAN_CLUSTER || kind == SCAN_FILESTORE || kind == SCAN_REGISTRY;
    bool takes_global = kind == SCAN_FORWARDING_RULE || kind == SCAN_ADDRESS ||
                        kind == SCAN_BACKEND || kind == SCAN_ENDPOINT_GROUP;
    RD_AUTOFREE char *place =
        global ? rd_strdup(takes_global ? " --global" : "")
               : rd_asprintf(" --%s %s", named ? "location" : zone ? "zone" : "region", where);
    return rd_asprintf("gcloud %s %s%s --project %s", verb, name, place, m->c->project);
}

static json_t *detail_of(enum scan_kind kind, const json_t *r)
{
    if (kind == SCAN_FILESTORE)
        return rd_json_pack(
            "{s:O?}", "gb",
            json_object_get(json_array_get(json_object_get(r, "fileShares"), 0), "capacityGb"));
    return NULL;
}

bool scan_match_resource(struct scan_match *m, enum scan_kind kind, const json_t *r,
                         struct scan_item *ret)
{
    const char *why = NULL;
    int o = owner_of(m, kind, r, &why);
    learn(m, kind, r, o);
    if (o < 0)
        return false;
    const char *name = kind == SCAN_ACCOUNT ? rd_json_str(r, "email", NULL)
                                            : last_part(rd_json_str(r, "name", NULL));
    *ret = (struct scan_item){
        .kind = kind,
        .name = rd_strdup(name ? name : "?"),
        .where = where_of(m, kind, r),
        .why = rd_strdup(why),
        .detail = detail_of(kind, r),
        .billed = is_billed(kind),
        .management = o == MANAGEMENT,
    };
    ret->command = command_of(m, kind, ret->name, ret->where);
    return true;
}

/* ---- Policies ---- */

static int member_owner(const struct scan_match *m, const char *member)
{
    static const char deleted[] = "deleted:", account[] = "serviceAccount:";
    if (rd_streq(member, m->members[0]) || rd_streq(member, m->members[1]))
        return OURS;
    bool gone = rd_starts_with(member, deleted);
    const char *email = gone ? member + strlen(deleted) : member;
    if (!rd_starts_with(email, account))
        return -1;
    email += strlen(account);
    RD_AUTOFREE char *bare = rd_strndup(email, strcspn(email, "?"));
    if (!gone && json_object_get(m->foreign_emails, bare))
        return -1;
    for (unsigned o = 0; o < OWNERS; o++)
        if (rd_streq(bare, m->emails[o][0]) || rd_streq(bare, m->emails[o][1]))
            return (int)o;
    return -1;
}

static char *unbind_command(const struct scan_match *m, enum scan_kind kind, const char *scope,
                            const char *role, const char *member)
{
    if (kind == SCAN_PROJECT_BINDING)
        return rd_asprintf("gcloud projects remove-iam-policy-binding %s --all --role %s --member '%s'",
                           scope, role, member);
    if (kind == SCAN_BUCKET_BINDING)
        return rd_asprintf("gcloud storage buckets remove-iam-policy-binding gs://%s --all --role %s "
                           "--member '%s'",
                           scope, role, member);
    return rd_asprintf("gcloud iam service-accounts remove-iam-policy-binding %s --all --role %s "
                       "--member '%s' --project %s",
                       scope, role, member, m->c->project);
}

void scan_match_policy(struct scan_match *m, enum scan_kind kind, const char *scope,
                       const json_t *policy, void (*on_item)(void *ctx, struct scan_item *take),
                       void *ctx)
{
    size_t i, j;
    const json_t *binding, *v;
    json_array_foreach (json_object_get(policy, "bindings"), i, binding) {
        const char *role = rd_json_str(binding, "role", NULL);
        json_array_foreach (json_object_get(binding, "members"), j, v) {
            const char *member = json_string_value(v);
            int o = member && role ? member_owner(m, member) : -1;
            if (o < 0)
                continue;
            struct scan_item item = {
                .kind = kind,
                .name = rd_asprintf("%s for %s", role, member),
                .where = rd_strdup(scope),
                .why = rd_strdup("its member"),
                .command = unbind_command(m, kind, scope, role, member),
                .management = o == MANAGEMENT,
            };
            on_item(ctx, &item);
        }
    }
}
