#include "policy.h"

#include "setting.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define POLICIES "iam.policies"

enum { PROPAGATION_MS = 7000 };

static char *new_etag(struct emu *e)
{
    uint64_t bits = emu_rand(e);
    return rd_base64_encode(&bits, sizeof(bits));
}

static json_t *entry_of(struct emu *e, const char *resource)
{
    json_t *entry = emu_store_get(&e->store, POLICIES, resource);
    if (entry != NULL)
        return entry;
    RD_AUTOFREE char *etag = new_etag(e);
    return emu_store_put(&e->store, POLICIES, resource, rd_json_pack("{s:s}", "etag", etag));
}

json_t *emu_policy_get(struct emu *e, const char *resource)
{
    return emu_public(entry_of(e, resource));
}

/* The member that names a service account of this project which does not exist, or NULL. */
static const char *missing_member(struct emu *e, const json_t *policy)
{
    RD_AUTOFREE char *tail = rd_asprintf("@%s.iam.gserviceaccount.com", e->project);
    size_t i, k;
    json_t *binding, *member;
    json_array_foreach (json_object_get(policy, "bindings"), i, binding) {
        json_array_foreach (json_object_get(binding, "members"), k, member) {
            const char *m = json_string_value(member);
            if (m == NULL || !rd_starts_with(m, "serviceAccount:") || !rd_ends_with(m, tail))
                continue;
            RD_AUTOFREE char *name =
                rd_asprintf("projects/%s/serviceAccounts/%s", e->project, m + 15);
            if (emu_store_get(&e->store, "iam.serviceAccounts", name) == NULL)
                return m + 15;
        }
    }
    return NULL;
}

/* An etag is bytes: a client may send it back in the other base64 alphabet (gcloud does) or without
 * padding. One that is no base64 at all is no etag of ours. */
static bool same_etag(const char *sent, const char *held)
{
    size_t a, b;
    RD_AUTOFREE unsigned char *x = rd_base64_decode(sent, strlen(sent), &a);
    RD_AUTOFREE unsigned char *y = rd_base64_decode(held, strlen(held), &b);
    return x != NULL && y != NULL && a == b && memcmp(x, y, a) == 0;
}

enum emu_policy_result emu_policy_set(struct emu *e, const char *resource, const json_t *policy,
                                      char **ret_member)
{
    json_t *old = entry_of(e, resource);
    const char *etag = rd_json_str(policy, "etag", NULL);
    if (etag != NULL && *etag != '\0' && !same_etag(etag, rd_json_str(old, "etag", NULL)))
        return EMU_POLICY_RACE;
    const char *missing = missing_member(e, policy);
    if (missing != NULL) {
        *ret_member = rd_strdup(missing);
        return EMU_POLICY_NO_MEMBER;
    }
    json_t *fresh = json_object();
    json_t *version = json_object_get(policy, "version");
    json_object_set_new(fresh, "version",
                        json_is_integer(version) ? json_deep_copy(version) : json_integer(1));
    static const char *const kept[] = {"bindings", "auditConfigs"};
    for (size_t i = 0; i < RD_ARRAY_LEN(kept); i++) {
        json_t *value = json_object_get(policy, kept[i]);
        if (json_array_size(value) > 0)
            json_object_set_new(fresh, kept[i], json_deep_copy(value));
    }
    RD_AUTOFREE char *next_etag = new_etag(e);
    json_object_set_new(fresh, "etag", json_string(next_etag));
    json_object_set_new(fresh, "_old", json_deep_copy(json_object_get(old, "bindings")));
    json_object_set_new(
        fresh, "_since_ms",
        json_integer((json_int_t)(emu_clock_now(&e->clock) + emu_jitter(e, PROPAGATION_MS, 50))));
    emu_store_put(&e->store, POLICIES, resource, fresh);
    return EMU_POLICY_OK;
}

void emu_policy_drop(struct emu *e, const char *resource)
{
    emu_store_delete(&e->store, POLICIES, resource);
}

void emu_policy_seed(struct emu *e, const char *resource, const char *role, const char *member)
{
    json_t *entry = entry_of(e, resource);
    json_t *bindings = json_object_get(entry, "bindings");
    if (bindings == NULL) {
        bindings = json_array();
        json_object_set_new(entry, "bindings", bindings);
        json_object_set_new(entry, "version", json_integer(1));
    }
    json_array_append_new(bindings, rd_json_pack("{s:s, s:[s]}", "role", role, "members", member));
}

void emu_policy_forget(struct emu *e, const char *email, const char *uid)
{
    RD_AUTOFREE char *live = rd_asprintf("serviceAccount:%s", email);
    RD_AUTOFREE char *gone = rd_asprintf("deleted:serviceAccount:%s?uid=%s", email, uid);
    const char *name;
    json_t *entry, *binding, *member;
    size_t i, k;
    json_object_foreach (emu_store_all(&e->store, POLICIES), name, entry) {
        json_array_foreach (json_object_get(entry, "bindings"), i, binding) {
            json_t *members = json_object_get(binding, "members");
            json_array_foreach (members, k, member) {
                if (rd_streq(json_string_value(member), live))
                    json_array_set_new(members, k, json_string(gone));
            }
        }
    }
}

/* Role to permissions, globs over names; enough for the roles this project hands out. */
struct role_row {
    const char *role;
    const char *has; /* space-separated globs */
    const char *lacks;
};

static const struct role_row roles[] = {
    {"roles/owner", "*",
     "*.getAccessToken *.getOpenIdToken *.signBlob *.signJwt storage.objects.*"},
    {"roles/editor", "*",
     "*.setIamPolicy *.getAccessToken *.getOpenIdToken *.signBlob *.signJwt storage.objects.* "
     "container.clusterRoles.* container.clusterRoleBindings.*"},
    {"roles/viewer", "*.get *.list *.getIamPolicy", "storage.objects.*"},
    {"roles/iam.securityAdmin", "*.getIamPolicy *.setIamPolicy *.list iam.* ",
     "*.getAccessToken *.actAs *.signBlob *.signJwt *.create *.delete"},
    {"roles/resourcemanager.projectIamAdmin", "resourcemanager.projects.*", ""},
    {"roles/resourcemanager.projectEditor",
     "resourcemanager.projects.get "
     "resourcemanager.projects.update",
     ""},
    {"roles/resourcemanager.projectAdmin", "resourcemanager.projects.*", ""},
    {"roles/iam.serviceAccountAdmin", "iam.serviceAccounts.* resourcemanager.projects.get",
     "*.actAs *.getAccessToken *.signBlob *.signJwt *.getOpenIdToken *.implicitDelegation"},
    {"roles/iam.serviceAccountCreator",
     "iam.serviceAccounts.create iam.serviceAccounts.get "
     "iam.serviceAccounts.list",
     ""},
    {"roles/iam.serviceAccountDeleter",
     "iam.serviceAccounts.delete iam.serviceAccounts.get "
     "iam.serviceAccounts.list",
     ""},
    {"roles/iam.serviceAccountUser",
     "iam.serviceAccounts.actAs iam.serviceAccounts.get "
     "iam.serviceAccounts.list",
     ""},
    {"roles/iam.serviceAccountTokenCreator",
     "iam.serviceAccounts.getAccessToken iam.serviceAccounts.getOpenIdToken "
     "iam.serviceAccounts.signBlob iam.serviceAccounts.signJwt "
     "iam.serviceAccounts.implicitDelegation iam.serviceAccounts.get",
     ""},
    {"roles/iam.workloadIdentityUser",
     "iam.serviceAccounts.getAccessToken iam.serviceAccounts.getOpenIdToken "
     "iam.serviceAccounts.get iam.serviceAccounts.list",
     ""},
    {"roles/serviceusage.serviceUsageAdmin", "serviceusage.*", ""},
    {"roles/serviceusage.serviceUsageConsumer",
     "serviceusage.services.use "
     "serviceusage.services.get "
     "serviceusage.services.list",
     ""},
    {"roles/container.admin", "container.* resourcemanager.projects.get", ""},
    {"roles/container.clusterAdmin",
     "container.clusters.* container.operations.* "
     "resourcemanager.projects.get",
     ""},
    {"roles/container.developer", "container.*",
     "container.clusters.create "
     "container.clusters.delete "
     "container.clusters.update "
     "container.clusterRole*"},
    {"roles/container.viewer", "container.*.get container.*.list container.clusters.connect", ""},
    {"roles/container.clusterViewer",
     "container.clusters.get container.clusters.list "
     "container.clusters.connect",
     ""},
    {"roles/container.defaultNodeServiceAccount",
     "logging.logEntries.create monitoring.timeSeries.create monitoring.metricDescriptors.* "
     "autoscaling.sites.writeMetrics",
     ""},
    {"roles/container.nodeServiceAccount", "logging.* monitoring.* storage.objects.get", ""},
    {"roles/compute.admin", "compute.* resourcemanager.projects.get", ""},
    {"roles/compute.networkAdmin",
     "compute.networks.* compute.subnetworks.* compute.routers.* compute.addresses.* "
     "compute.globalAddresses.* compute.forwardingRules.* compute.*.get compute.*.list "
     "compute.globalOperations.get compute.regionOperations.get",
     "compute.firewalls.create"},
    {"roles/compute.securityAdmin",
     "compute.firewalls.* compute.sslCertificates.* "
     "compute.networks.updatePolicy compute.globalOperations.get",
     ""},
    {"roles/compute.viewer", "compute.*.get compute.*.list", ""},
    {"roles/file.editor", "file.*", ""},
    {"roles/file.viewer", "file.*.get file.*.list", ""},
    {"roles/storage.admin", "storage.*", ""},
    {"roles/storage.objectAdmin", "storage.objects.* storage.folders.*", ""},
    {"roles/storage.objectUser", "storage.objects.* storage.multipartUploads.*",
     "storage.objects.setIamPolicy storage.objects.getIamPolicy"},
    {"roles/storage.objectViewer", "storage.objects.get storage.objects.list", ""},
    {"roles/storage.legacyBucketOwner",
     "storage.buckets.get storage.buckets.*IamPolicy "
     "storage.buckets.update storage.objects.create "
     "storage.objects.delete storage.objects.list",
     ""},
    {"roles/storage.legacyBucketReader", "storage.buckets.get storage.objects.list", ""},
    {"roles/artifactregistry.admin", "artifactregistry.*", ""},
    {"roles/artifactregistry.repoAdmin", "artifactregistry.*",
     "artifactregistry.repositories.create "
     "artifactregistry.*.setIamPolicy"},
    {"roles/artifactregistry.writer",
     "artifactregistry.*.get artifactregistry.*.list "
     "artifactregistry.repositories.downloadArtifacts "
     "artifactregistry.repositories.uploadArtifacts",
     ""},
    {"roles/artifactregistry.reader",
     "artifactregistry.*.get artifactregistry.*.list "
     "artifactregistry.repositories.downloadArtifacts",
     ""},
    {"roles/cloudquotas.viewer", "cloudquotas.*.get cloudquotas.*.list", ""},
    {"roles/browser", "resourcemanager.projects.get resourcemanager.projects.list", ""},
    {"roles/logging.logWriter", "logging.logEntries.create", ""},
    {"roles/monitoring.metricWriter", "monitoring.timeSeries.create", ""},
    {"roles/monitoring.viewer", "monitoring.*.get monitoring.*.list", ""},
    {"roles/stackdriver.resourceMetadata.writer", "stackdriver.resourceMetadata.write", ""},
    {"roles/autoscaling.metricsWriter", "autoscaling.sites.writeMetrics", ""},
    {"roles/container.serviceAgent", "container.* compute.* iam.serviceAccounts.actAs", ""},
};

static bool any_glob(const char *globs, const char *name)
{
    struct rd_strv words = {0};
    rd_strv_split(&words, globs, " ");
    bool hit = false;
    for (size_t i = 0; i < words.len && !hit; i++)
        hit = rd_glob_match(words.v[i], name);
    rd_strv_clear(&words);
    return hit;
}

static const struct role_row *role_find(const char *role)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(roles); i++) {
        if (rd_streq(roles[i].role, role))
            return &roles[i];
    }
    return NULL;
}

bool emu_role_known(const char *role)
{
    return role_find(role) != NULL || rd_starts_with(role, "projects/") ||
           rd_starts_with(role, "organizations/");
}

bool emu_role_has(const char *role, const char *permission)
{
    const struct role_row *row = role_find(role);
    return row != NULL && any_glob(row->has, permission) && !any_glob(row->lacks, permission);
}

static bool project_role(struct emu *e, const char *principal, const char *role);

/* "projectOwner:P" stands for everybody with roles/owner on the project, and so on. */
static bool member_is(struct emu *e, const char *member, const char *principal)
{
    static const char *const groups[][2] = {{"projectOwner:", "roles/owner"},
                                            {"projectEditor:", "roles/editor"},
                                            {"projectViewer:", "roles/viewer"}};
    if (rd_streq(member, principal))
        return true;
    for (size_t i = 0; member != NULL && i < RD_ARRAY_LEN(groups); i++) {
        if (rd_starts_with(member, groups[i][0]))
            return project_role(e, principal, groups[i][1]);
    }
    return false;
}

static bool policy_gives(struct emu *e, const char *resource, const char *principal,
                         const char *permission)
{
    const json_t *entry = emu_store_get(&e->store, POLICIES, resource);
    if (entry == NULL)
        return false;
    bool fresh = rd_json_path_int(entry, "_since_ms", 0) <= (json_int_t)emu_clock_now(&e->clock);
    size_t i, k;
    json_t *binding, *member;
    json_array_foreach (json_object_get(entry, fresh ? "bindings" : "_old"), i, binding) {
        const char *role = rd_json_str(binding, "role", NULL);
        if (role == NULL || !emu_role_has(role, permission))
            continue;
        json_array_foreach (json_object_get(binding, "members"), k, member) {
            if (member_is(e, json_string_value(member), principal))
                return true;
        }
    }
    return false;
}

static bool project_role(struct emu *e, const char *principal, const char *role)
{
    RD_AUTOFREE char *project = rd_asprintf("projects/%s", e->project);
    const json_t *entry = emu_store_get(&e->store, POLICIES, project);
    size_t i, k;
    json_t *binding, *member;
    json_array_foreach (json_object_get(entry, "bindings"), i, binding) {
        if (!rd_streq(rd_json_str(binding, "role", NULL), role))
            continue;
        json_array_foreach (json_object_get(binding, "members"), k, member) {
            if (rd_streq(json_string_value(member), principal))
                return true;
        }
    }
    return false;
}

bool emu_iam_allowed(struct emu *e, const char *principal, const char *permission,
                     const char *resource)
{
    if (emu_setting_has(e, "deny", permission))
        return false;
    RD_AUTOFREE char *project = rd_asprintf("projects/%s", e->project);
    return policy_gives(e, project, principal, permission) ||
           (resource != NULL && policy_gives(e, resource, principal, permission));
}
