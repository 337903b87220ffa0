/* Phase 1 as objects: complete, marked, tied together by real references, and known to the CRDs. */
#include "base/test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "phase/steps/cc.h"
#include "phase/steps/names.h"

#include <stdlib.h>
#include <unistd.h>

#define PROJECT_ID "cnrm.cloud.google.com/project-id"
#define DELETION "cnrm.cloud.google.com/deletion-policy"

struct world {
    struct config config;
    struct step_ctx ctx;
    struct manifest_list list;
    enum cc_part part_of[64]; /* of each object of the list */
};

static const char plain[] = "project: example-project\n";
static const char no_gpu[] = "project: example-project\nname: lab\ngpuPool: {enabled: false}\n"
                             "spill: {enabled: false}\nfilestore: {enabled: false}\n";
static const char full[] =
    "project: \"example.com:team-project\"\nregion: us-east1\nname: everything-set-here-1\n"
    "management: {connector: manual}\n"
    "network: {controlPlane: public, authorizedNetworks: [192.0.2.0/24]}\n"
    "cpuPool: {min: 0, max: 2, spot: true}\n"
    "gpuPool: {zones: [us-east1-c], min: 1, max: 3}\n"
    "filestore: {tier: BASIC_HDD, zone: us-east1-c}\n"
    "spill: {bucket: spilled.by-everything, ageDays: 30}\nregistry: {name: images, keep: true}\n";

static void load(struct config *c, const char *yaml)
{
    char path[] = "/tmp/cc_testXXXXXX";
    struct rd_err *err = NULL;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(fd);
    char *argv[] = {(char *)"-c", path, NULL};
    *c = (struct config){0};
    if (!config_load(c, 2, argv, NULL, true, &err))
        fail_msg("config: %s", err->message);
    unlink(path);
}

static void render_all(struct world *w)
{
    struct rd_err *err = NULL;
    for (unsigned part = 0; part < CC_PART_MAX; part++) {
        size_t before = w->list.len;
        if (!cc_render(&w->ctx, part, &w->list, &err))
            fail_msg("%s: %s", cc_part_name(part), err->message);
        assert_true(w->list.len <= RD_ARRAY_LEN(w->part_of));
        for (size_t i = before; i < w->list.len; i++)
            w->part_of[i] = part;
    }
}

static void open_world(struct world *w, const char *yaml)
{
    struct rd_err *err = NULL;
    *w = (struct world){0};
    load(&w->config, yaml);
    w->ctx.config = &w->config;
    w->ctx.facts =
        rd_json_pack("{s:[s,s,s], s:[s,s]}", "region.zones", "us-central1-a", "us-central1-b",
                     "us-central1-c", "gpu.zones", "us-central1-a", "us-central1-b");
    w->ctx.templates = template_set_open(NULL, &err);
    assert_non_null(w->ctx.templates);
}

static void close_world(struct world *w)
{
    manifest_list_clear(&w->list);
    template_set_free(w->ctx.templates);
    json_decref(w->ctx.facts);
    config_clear(&w->config);
}

static const json_t *find(const struct world *w, const char *kind, const char *name)
{
    for (size_t i = 0; i < w->list.len; i++)
        if (rd_streq(rd_json_str(w->list.v[i].json, "kind", NULL), kind) &&
            (!name || rd_streq(rd_json_str(w->list.v[i].json, "metadata", "name", NULL), name)))
            return w->list.v[i].json;
    return NULL;
}

static const char *const every_config[] = {plain, no_gpu, full};

static void every_object_is_marked(void **state)
{
    (void)state;
    static const size_t counts[] = {19, 15, 20};
    for (size_t n = 0; n < RD_ARRAY_LEN(every_config); n++) {
        struct world w;
        open_world(&w, every_config[n]);
        render_all(&w);
        rd_check_int("objects", (long long)w.list.len, (long long)counts[n]);
        for (size_t i = 0; i < w.list.len; i++) {
            const json_t *o = w.list.v[i].json;
            RD_AUTOFREE char *title = manifest_object_title(o);
            const json_t *notes = rd_json_path(o, "metadata.annotations");
            rd_check_str(title, rd_json_str(notes, PROJECT_ID, NULL), w.config.project);
            rd_check_str(title, rd_json_str(o, "metadata", "labels", MARK_MANAGED_BY, NULL),
                         "raydeploy");
            bool shared = w.part_of[i] == CC_BOOTSTRAP;
            if (shared == names_is_ours(&w.config, o))
                fail_msg("%s: %s the deployment's mark", title, shared ? "carries" : "lacks");
            const char *deletion = rd_json_str(notes, DELETION, NULL);
            if (!shared && !rd_streq(deletion, "delete") && !rd_streq(deletion, "abandon"))
                fail_msg("%s: deletion policy %s", title, deletion ? deletion : "(none)");
            bool wide = rd_streq(rd_json_str(o, "kind", NULL), "Namespace") ||
                        rd_streq(rd_json_str(o, "kind", NULL), "ConfigConnector");
            if (!wide)
                rd_check_str(title, rd_json_str(o, "metadata", "namespace", NULL), CC_NAMESPACE);
        }
        close_world(&w);
    }
}

/* ---- References ---- */

static const char *kind_of_ref(const char *key, const json_t *ref)
{
    static const char *const kinds[][2] = {
        {"networkRef", "ComputeNetwork"},
        {"subnetworkRef", "ComputeSubnetwork"},
        {"privateEndpointSubnetworkRef", "ComputeSubnetwork"},
        {"routerRef", "ComputeRouter"},
        {"clusterRef", "ContainerCluster"},
        {"serviceAccountRef", "IAMServiceAccount"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(kinds); i++)
        if (rd_streq(key, kinds[i][0]))
            return kinds[i][1];
    return rd_json_str(ref, "kind", NULL);
}

static unsigned check_refs(const struct world *w, size_t at, const json_t *v)
{
    unsigned n = 0;
    const char *key;
    json_t *child;
    size_t i;
    if (json_is_array(v))
        json_array_foreach (v, i, child)
            n += check_refs(w, at, child);
    if (!json_is_object(v))
        return n;
    json_object_foreach ((json_t *)v, key, child) {
        size_t len = strlen(key);
        if (len < 4 || !rd_streq(key + len - 3, "Ref")) {
            n += check_refs(w, at, child);
            continue;
        }
        RD_AUTOFREE char *title = manifest_object_title(w->list.v[at].json);
        const char *name = rd_json_str(child, "name", NULL);
        const char *kind = kind_of_ref(key, child);
        if (rd_json_str(child, "external", NULL)) {
            /* Only the project is nobody's object. */
            RD_AUTOFREE char *project = rd_asprintf("projects/%s", w->config.project);
            rd_check_str(title, rd_json_str(child, "external", NULL), project);
            continue;
        }
        const json_t *target = kind && name ? find(w, kind, name) : NULL;
        if (!target)
            fail_msg("%s: %s names %s %s, which is not in the set", title, key,
                     kind ? kind : "(no kind)", name ? name : "(no name)");
        if (rd_streq(key, "resourceRef"))
            rd_check_str(title, rd_json_str(child, "apiVersion", NULL),
                         rd_json_str(target, "apiVersion", NULL));
        size_t t = 0;
        while (w->list.v[t].json != target)
            t++;
        if (t > at)
            fail_msg("%s comes before %s, which it names", title, name);
        n++;
    }
    return n;
}

static void references_resolve(void **state)
{
    (void)state;
    for (size_t n = 0; n < RD_ARRAY_LEN(every_config); n++) {
        struct world w;
        unsigned refs = 0;
        open_world(&w, every_config[n]);
        render_all(&w);
        for (size_t i = 0; i < w.list.len; i++)
            refs += check_refs(&w, i, json_object_get(w.list.v[i].json, "spec"));
        if (refs < 12)
            fail_msg("only %u references in configuration %zu", refs, n);
        close_world(&w);
    }
}

/* ---- Names ---- */

static void names_are_those_of_the_decisions(void **state)
{
    (void)state;
    static const struct {
        char *(*make)(const struct config *c);
        const char *plain, *full;
    } rows[] = {
        {cc_network, "ray-vpc", "everything-set-here-1-vpc"},
        {cc_subnet, "ray-subnet", "everything-set-here-1-subnet"},
        {cc_cluster, "ray-gke", "everything-set-here-1-gke"},
        {cc_filestore, "ray-filestore", "everything-set-here-1-filestore"},
        {cc_registry, "ray-images", "images"},
        {cc_bucket, "example-project-ray-spill", "spilled.by-everything"},
        {cc_node_account, "ray-nodes", "everything-set-here-1-nodes"},
        {cc_ray_account, "ray-workload", "everything-set-here-1-workload"},
        {cc_connector_email, "config-connector-sa@example-project.iam.gserviceaccount.com",
         "config-connector-sa@team-project.example.com.iam.gserviceaccount.com"},
        {cc_workload_pool, "example-project.svc.id.goog", "example.com:team-project.svc.id.goog"},
    };
    struct config a, b;
    load(&a, plain);
    load(&b, full);
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOFREE char *one = rows[i].make(&a);
        RD_AUTOFREE char *two = rows[i].make(&b);
        rd_check_str("default", one, rows[i].plain);
        rd_check_str("everything", two, rows[i].full);
    }
    /* An account id has at most 30 characters, and this is the longest deployment name. */
    RD_AUTOFREE char *id = cc_ray_account(&b);
    rd_check_int("account id", (long long)strlen(id), 30);
    rd_str_dup(&b.spill.bucket, "with_underscore");
    struct step_ctx ctx = {.config = &b};
    struct template_values v;
    struct rd_err *err = NULL;
    template_values_init(&v);
    assert_false(cc_values_fill(&ctx, &v, &err));
    rd_check_int("kind", err->kind, RD_ERR_INPUT);
    rd_err_free(err);
    template_values_clear(&v);
    config_clear(&a);
    config_clear(&b);
}

static void zones_come_from_facts_or_configuration(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } rows[] = {
        {"project: example-project\n", "us-central1"},
        {"project: example-project\nfilestore: {tier: REGIONAL}\n", "us-central1"},
        {"project: example-project\nfilestore: {tier: ZONAL}\n", "us-central1-a"},
        {"project: example-project\nfilestore: {tier: BASIC_HDD, zone: us-central1-f}\n",
         "us-central1-f"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct world w;
        open_world(&w, rows[i].yaml);
        render_all(&w);
        rd_check_str(rows[i].yaml,
                     rd_json_path_str(find(&w, "FilestoreInstance", NULL), "spec.location"),
                     rows[i].want);
        close_world(&w);
    }
    struct world w;
    struct rd_err *err = NULL;
    open_world(&w, plain);
    json_object_del(w.ctx.facts, "gpu.zones");
    assert_false(cc_render(&w.ctx, CC_POOL_GPU, &w.list, &err));
    if (!strstr(err->message, "gpu.zones"))
        fail_msg("the message does not name the fact: %s", err->message);
    rd_err_free(err);
    close_world(&w);
}

/* ---- What the objects say ---- */

static void identities_match_the_pods(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, plain);
    render_all(&w);
    rd_check_str("head",
                 rd_json_path_str(find(&w, "IAMPolicyMember", "ray-workload-head"), "spec.member"),
                 "serviceAccount:example-project.svc.id.goog[ray-system/ray-head]");
    rd_check_str(
        "worker",
        rd_json_path_str(find(&w, "IAMPolicyMember", "ray-workload-worker"), "spec.member"),
        "serviceAccount:example-project.svc.id.goog[ray-system/ray-worker]");
    /* The whole of what the two accounts may do. */
    static const char *const roles[][2] = {
        {"ray-nodes-project", "roles/container.defaultNodeServiceAccount"},
        {"ray-nodes-images", "roles/artifactregistry.reader"},
        {"ray-workload-spill", "roles/storage.objectUser"},
        {"ray-workload-head", "roles/iam.workloadIdentityUser"},
        {"ray-workload-worker", "roles/iam.workloadIdentityUser"},
    };
    size_t members = 0;
    for (size_t i = 0; i < w.list.len; i++)
        members += rd_streq(rd_json_str(w.list.v[i].json, "kind", NULL), "IAMPolicyMember");
    rd_check_int("members", (long long)members, RD_ARRAY_LEN(roles));
    for (size_t i = 0; i < RD_ARRAY_LEN(roles); i++)
        rd_check_str(roles[i][0],
                     rd_json_path_str(find(&w, "IAMPolicyMember", roles[i][0]), "spec.role"),
                     roles[i][1]);
    close_world(&w);
}

static void pools_count_in_total(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, plain);
    render_all(&w);
    const json_t *cpu = find(&w, "ContainerNodePool", "ray-cpu");
    const json_t *gpu = find(&w, "ContainerNodePool", "ray-gpu");
    rd_check_int("cpu min", rd_json_path_int(cpu, "spec.autoscaling.totalMinNodeCount", -1), 1);
    rd_check_int("cpu max", rd_json_path_int(cpu, "spec.autoscaling.totalMaxNodeCount", -1), 5);
    rd_check_int("gpu min", rd_json_path_int(gpu, "spec.autoscaling.totalMinNodeCount", -1), 0);
    rd_check_int("gpu max", rd_json_path_int(gpu, "spec.autoscaling.totalMaxNodeCount", -1), 4);
    rd_check_str("cpu", rd_json_path_str(cpu, "spec.nodeConfig.machineType"), "n2-standard-4");
    rd_check_str("gpu", rd_json_path_str(gpu, "spec.nodeConfig.machineType"), "n1-standard-8");
    const json_t *card = json_array_get(rd_json_path(gpu, "spec.nodeConfig.guestAccelerator"), 0);
    rd_check_str("accelerator", rd_json_path_str(card, "type"), "nvidia-tesla-t4");
    rd_check_int("accelerators a node", rd_json_path_int(card, "count", 0), 1);
    rd_check_str("driver", rd_json_path_str(card, "gpuDriverInstallationConfig.gpuDriverVersion"),
                 "DEFAULT");
    rd_check_int("zones", (long long)json_array_size(rd_json_path(gpu, "spec.nodeLocations")), 2);
    assert_null(rd_json_path(gpu, "spec.nodeConfig.taint"));
    /* Three zones, so one node in each is within the limits; a pool of two starts empty. */
    rd_check_int("initial", rd_json_path_int(cpu, "spec.initialNodeCount", -1), 1);
    close_world(&w);
    open_world(&w, full);
    render_all(&w);
    cpu = find(&w, "ContainerNodePool", "everything-set-here-1-cpu");
    rd_check_int("initial of a small pool", rd_json_path_int(cpu, "spec.initialNodeCount", -1), 0);
    close_world(&w);
}

/* Never an address that any host may reach: no address, listed networks, or closed until the DNS
 * endpoint is on. */
static void control_plane_is_never_open(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *version;
        bool dns, list;
        size_t blocks;
    } rows[] = {
        {plain, NULL, true, false, 0},      {plain, "1.134.0", true, false, 0},
        {plain, "1.133.0", false, true, 0}, {full, NULL, false, true, 1},
        {full, "1.125.0", false, true, 1},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct world w;
        open_world(&w, rows[i].yaml);
        if (rows[i].version)
            json_object_set_new(w.ctx.facts, "cc.version", json_string(rows[i].version));
        render_all(&w);
        const json_t *spec = json_object_get(find(&w, "ContainerCluster", NULL), "spec");
        const json_t *list = json_object_get(spec, "masterAuthorizedNetworksConfig");
        rd_check_int("DNS endpoint", json_object_get(spec, "controlPlaneEndpointsConfig") != NULL,
                     rows[i].dns);
        rd_check_int("list", list != NULL, rows[i].list);
        rd_check_int("networks", (long long)json_array_size(json_object_get(list, "cidrBlocks")),
                     (long long)rows[i].blocks);
        rd_check_int("private nodes",
                     rd_json_path_bool(spec, "privateClusterConfig.enablePrivateNodes", false), 1);
        if (rows[i].dns)
            rd_check_int("addresses",
                         rd_json_path_bool(
                             spec, "controlPlaneEndpointsConfig.ipEndpointsConfig.enabled", true),
                         0);
        close_world(&w);
    }
}

/* ---- Older Config Connectors ---- */

static void features_by_version_and_schema(void **state)
{
    (void)state;
    static const struct {
        const char *version, *want;
    } rows[] = {
        {"1.125.0", "[\"soft-delete\"]"},
        {"1.134.0", "[\"dns-endpoint\",\"soft-delete\"]"},
        {"1.152.0", "[\"dns-endpoint\",\"soft-delete\"]"},
        {"1.155.1", "[\"dns-endpoint\",\"soft-delete\",\"default-pool-config\"]"},
        {NULL, "[\"dns-endpoint\",\"soft-delete\",\"default-pool-config\"]"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOJSON json_t *have = cc_features(rows[i].version, NULL);
        RD_AUTOFREE char *text = rd_json_dump(have);
        rd_check_str(rows[i].version ? rows[i].version : "unknown", text, rows[i].want);
    }
    /* What the schema lacks is not there, whatever the version says. */
    RD_AUTOJSON json_t *crds = rd_json_pack(
        "[{s:{s:{s:s}, s:[{s:s, s:{s:{s:{s:{s:{s:{s:{}}}}}}}}]}}]", "spec", "names", "kind",
        "StorageBucket", "versions", "name", "v1beta1", "schema", "openAPIV3Schema", "properties",
        "spec", "properties", "softDeletePolicy", "type");
    RD_AUTOJSON json_t *have = cc_features("1.155.1", crds);
    RD_AUTOFREE char *text = rd_json_dump(have);
    rd_check_str("by schema", text, "[\"soft-delete\",\"default-pool-config\"]");
    RD_AUTOJSON json_t *unsaid = cc_features(NULL, crds);
    RD_AUTOFREE char *text2 = rd_json_dump(unsaid);
    rd_check_str("no version", text2, "[\"soft-delete\"]");
}

static void reduced_rendering_leaves_out_what_is_late(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, plain);
    json_object_set_new(w.ctx.facts, "cc.features", json_array());
    render_all(&w);
    const json_t *cluster = find(&w, "ContainerCluster", NULL);
    const json_t *notes = rd_json_path(cluster, "metadata.annotations");
    assert_null(rd_json_path(cluster, "spec.nodeConfig"));
    assert_null(
        json_object_get(notes, "cnrm.cloud.google.com/remove-default-node-pool-allow-node-config"));
    assert_non_null(json_object_get(notes, "cnrm.cloud.google.com/remove-default-node-pool"));
    assert_null(rd_json_path(find(&w, "StorageBucket", NULL), "spec.softDeletePolicy"));
    close_world(&w);
    open_world(&w, plain);
    render_all(&w);
    cluster = find(&w, "ContainerCluster", NULL);
    assert_non_null(rd_json_path(cluster, "spec.nodeConfig"));
    assert_non_null(rd_json_path(find(&w, "StorageBucket", NULL), "spec.softDeletePolicy"));
    close_world(&w);
}

static void old_versions_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *version;
        bool ok;
    } rows[] = {{"1.125.0", true}, {"1.155.1", true}, {"1.124.9", false}, {"0.9.0", false},
                {"", false},       {"new", false},    {NULL, false}};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct rd_err *err = NULL;
        bool ok = cc_check_version(rows[i].version, &err);
        rd_check_int(rows[i].version ? rows[i].version : "none", ok, rows[i].ok);
        if (err) {
            rd_check_int("kind", err->kind, RD_ERR_PREFLIGHT);
            assert_non_null(strstr(err->hint, "management.connector: manual"));
        }
        rd_err_free(err);
    }
}

/* ---- Against the real CRDs, where they are ---- */

static json_t *real_crd(const char *dir, const json_t *object)
{
    struct rd_err *err = NULL;
    struct manifest_list list = {0};
    const char *kind = rd_json_str(object, "kind", NULL);
    json_t *found = NULL;
    if (!manifest_load(&list, dir, &err))
        fail_msg("%s: %s", dir, err->message);
    for (size_t i = 0; i < list.len && !found; i++)
        if (rd_streq(rd_json_path_str(list.v[i].json, "spec.names.kind"), kind))
            found = json_incref(list.v[i].json);
    manifest_list_clear(&list);
    return found;
}

static void every_field_is_in_the_crds(void **state)
{
    (void)state;
    const char *shared = getenv("RAYDEPLOY_SHARED");
    char *dir =
        rd_path_join(shared ? shared : RD_SOURCE_DIR "/../shared", "crds/config-connector");
    if (!rd_path_exists(dir)) {
        print_message("SKIP: no Config Connector CRDs in %s\n", dir);
        free(dir);
        skip();
    }
    struct world w;
    open_world(&w, full);
    render_all(&w);
    unsigned seen = 0;
    for (size_t i = 0; i < w.list.len; i++) {
        const json_t *o = w.list.v[i].json;
        if (rd_streq(rd_json_str(o, "kind", NULL), "Namespace"))
            continue;
        RD_AUTOFREE char *title = manifest_object_title(o);
        RD_AUTOJSON json_t *crd = real_crd(dir, o);
        if (!crd)
            fail_msg("%s: no CRD", title);
        RD_AUTOFREE char *unknown = cc_unknown_field(o, crd);
        if (unknown)
            fail_msg("%s: %s is not in the CRD", title, unknown);
        RD_AUTOJSON json_t *wrong = json_deep_copy(o);
        rd_json_path_set(wrong, "spec.notAField", json_true());
        RD_AUTOFREE char *caught = cc_unknown_field(wrong, crd);
        rd_check_str(title, caught, "spec.notAField");
        seen++;
    }
    rd_check_int("objects", seen, (long long)w.list.len - 1);
    close_world(&w);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_object_is_marked),
        cmocka_unit_test(references_resolve),
        cmocka_unit_test(names_are_those_of_the_decisions),
        cmocka_unit_test(zones_come_from_facts_or_configuration),
        cmocka_unit_test(identities_match_the_pods),
        cmocka_unit_test(pools_count_in_total),
        cmocka_unit_test(control_plane_is_never_open),
        cmocka_unit_test(features_by_version_and_schema),
        cmocka_unit_test(reduced_rendering_leaves_out_what_is_late),
        cmocka_unit_test(old_versions_are_refused),
        cmocka_unit_test(every_field_is_in_the_crds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
