/* The workload templates, rendered from configurations: nothing is missing, KubeRay would accept the
 * cluster, and the quota is the largest cluster allowed. */
#include "base/test.h"

#include "base/alloc.h"
#include "phase/steps/names.h"
#include "phase/steps/ray.h"
#include "phase/steps/values.h"
#include "ray/validate.h"

#include <stdlib.h>
#include <unistd.h>

struct world {
    struct config config;
    struct step_ctx ctx;
};

static void open_world(struct world *w, const char *yaml, const char *target)
{
    char path[] = "/tmp/values_testXXXXXX";
    struct rd_err *err = NULL;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(fd);
    char *argv[] = {(char *)"-c", path, (char *)"--target", (char *)target, NULL};
    *w = (struct world){0};
    if (!config_load(&w->config, 4, argv, NULL, true, &err))
        fail_msg("config: %s", err->message);
    unlink(path);
    w->ctx.config = &w->config;
    w->ctx.facts = json_object();
    w->ctx.templates = template_set_open(NULL, &err);
    assert_non_null(w->ctx.templates);
    json_object_set_new(w->ctx.facts, "api.egress", json_array());
    json_object_set_new(w->ctx.facts, "volume.modes", rd_json_pack("[s]", "ReadWriteOnce"));
    json_object_set_new(w->ctx.facts, "volume.one_node", json_true());
    json_object_set_new(w->ctx.facts, "filestore.ip", json_string("192.0.2.10"));
    json_object_set_new(w->ctx.facts, "spill.bucket", json_string("p-ray-spill"));
    json_object_set_new(w->ctx.facts, "spill.prefix", json_string("uid"));
}

static void close_world(struct world *w)
{
    template_set_free(w->ctx.templates);
    json_decref(w->ctx.facts);
    config_clear(&w->config);
}

static json_t *render_one(struct world *w, const char *name, const char *kind)
{
    struct template_values v;
    struct manifest_list list = {0};
    struct rd_err *err = NULL;
    json_t *found = NULL;
    template_values_init(&v);
    if (!values_fill(&w->ctx, &v, &err) ||
        !template_render(w->ctx.templates, name, &v, &list, &err))
        fail_msg("%s: %s", name, err->message);
    for (size_t i = 0; i < list.len; i++)
        if (rd_streq(rd_json_str(list.v[i].json, "kind", NULL), kind) && !found)
            found = json_incref(list.v[i].json);
    manifest_list_clear(&list);
    template_values_clear(&v);
    if (!found)
        fail_msg("%s has no %s", name, kind);
    return found;
}

static const char gke[] = "project: example-project\nname: ray\n";
static const char local[] = "name: ray\nray:\n  workers:\n    - name: a\n      min: 1\n      max: 3\n"
                            "      replicas: 2\n      cpu: 1500m\n      memory: 1Gi\n      env:\n"
                            "        COLOUR: green\n        RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S: \"7\"\n";

static void quota_is_the_largest_cluster(void **state)
{
    (void)state;
    struct world w;
    struct rd_err *err = NULL;
    open_world(&w, local, "local");
    RD_AUTOJSON json_t *hard = values_quota(&w.config, &err);
    assert_non_null(hard);
    /* head 1, three workers of 1500m, the autoscaler's sidecar 500m, two spare pods of 500m */
    rd_check_str("cpu", json_string_value(json_object_get(hard, "limits.cpu")), "7000m");
    /* 2Gi + 3 x 1Gi + 512Mi + 2 x 512Mi */
    rd_check_str("memory", json_string_value(json_object_get(hard, "limits.memory")), "6656Mi");
    rd_check_str("pods", json_string_value(json_object_get(hard, "pods")), "6");
    close_world(&w);
}

static void kuberay_accepts_the_cluster(void **state)
{
    (void)state;
    static const char *const targets[][2] = {{local, "local"}, {gke, "gke"}};
    for (size_t t = 0; t < RD_ARRAY_LEN(targets); t++) {
        struct world w;
        struct rd_strv problems = {0};
        open_world(&w, targets[t][0], targets[t][1]);
        RD_AUTOJSON json_t *cluster = render_one(&w, "workloads/raycluster.yaml", "RayCluster");
        if (!ray_validate_cluster(cluster, (struct ray_gates){0}, &problems))
            fail_msg("%s: %s", targets[t][1], problems.v[0]);
        assert_true(names_is_ours(&w.config, cluster));
        rd_strv_clear(&problems);
        close_world(&w);
    }
}

static void user_environment_wins(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, local, "local");
    RD_AUTOJSON json_t *cluster = render_one(&w, "workloads/raycluster.yaml", "RayCluster");
    const json_t *group = json_array_get(rd_json_path(cluster, "spec.workerGroupSpecs"), 0);
    const json_t *env = rd_json_path(
        json_array_get(rd_json_path(group, "template.spec.containers"), 0), "env");
    size_t i;
    const json_t *e;
    int drain = 0, colour = 0;
    json_array_foreach(env, i, e)
    {
        if (rd_streq(rd_json_str(e, "name", NULL), "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S")) {
            drain++;
            rd_check_str("drain", rd_json_str(e, "value", NULL), "7");
        }
        colour += rd_streq(rd_json_str(e, "name", NULL), "COLOUR");
    }
    rd_check_int("drain once", drain, 1);
    rd_check_int("colour once", colour, 1);
    rd_check_str("affinity",
                 rd_json_path_str(json_array_get(
                                      rd_json_path(group, "template.spec.affinity.podAffinity."
                                                          "requiredDuringSchedulingIgnoredDuringExecution"),
                                      0),
                                  "topologyKey"),
                 "kubernetes.io/hostname");
    close_world(&w);
}

/* Ray drains at SIGTERM; a pod that is killed earlier never ends its drain. */
static void drain_ends_before_the_pod_does(void **state)
{
    (void)state;
    static const char *const targets[][2] = {{local, "local"}, {gke, "gke"}};
    for (size_t t = 0; t < RD_ARRAY_LEN(targets); t++) {
        struct world w;
        open_world(&w, targets[t][0], targets[t][1]);
        RD_AUTOJSON json_t *cluster = render_one(&w, "workloads/raycluster.yaml", "RayCluster");
        const json_t *pod = rd_json_path(cluster, "spec.headGroupSpec.template.spec");
        json_int_t grace = rd_json_path_int(pod, "terminationGracePeriodSeconds", 0);
        size_t i;
        const json_t *e;
        json_int_t drain = 0;
        json_array_foreach(rd_json_path(json_array_get(rd_json_path(pod, "containers"), 0), "env"), i, e)
            if (rd_streq(rd_json_str(e, "name", NULL), "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"))
                drain = atoi(rd_json_str(e, "value", NULL));
        if (drain <= 0 || drain >= grace)
            fail_msg("%s: drain %lld, grace %lld", targets[t][1], (long long)drain, (long long)grace);
        close_world(&w);
    }
}

/* Two CPU workers fit an n2-standard-4, and the largest CPU groups fit the largest pool. GKE keeps of
 * 4 CPU and 16 GB: 3920m and 12.7 GiB are allocatable, less about 400m and 600 MiB of daemon sets. */
static void largest_cluster_fits_the_largest_pool(void **state)
{
    (void)state;
    enum { NODE_CPU = 3920 - 400, NODE_MI = 13000 - 600 };
    struct world w;
    open_world(&w, gke, "gke");
    RD_AUTOJSON json_t *cluster = render_one(&w, "workloads/raycluster.yaml", "RayCluster");
    int64_t free_cpu[64], free_mi[64];
    json_int_t nodes = w.config.cpu_pool.max;
    assert_in_range(nodes, 1, 64);
    rd_check_str("machine", w.config.cpu_pool.machine_type, "n2-standard-4");
    for (int i = 0; i < nodes; i++) {
        free_cpu[i] = NODE_CPU;
        free_mi[i] = NODE_MI;
    }
    size_t g;
    const json_t *group;
    json_array_foreach(rd_json_path(cluster, "spec.workerGroupSpecs"), g, group)
    {
        const json_t *req = rd_json_path(
            json_array_get(rd_json_path(group, "template.spec.containers"), 0), "resources.requests");
        int64_t cpu, bytes;
        if (json_object_get(req, "nvidia.com/gpu"))
            continue;
        assert_true(rd_quantity_parse_milli(rd_json_str(req, "cpu", NULL), &cpu));
        assert_true(rd_quantity_parse_milli(rd_json_str(req, "memory", NULL), &bytes));
        int64_t mi = bytes / 1000 / 1024 / 1024;
        for (json_int_t n = rd_json_path_int(group, "maxReplicas", 0) + (g == 0); n > 0; n--) {
            /* The head goes first: its own size and the sidecar's. */
            int64_t want_cpu = cpu, want_mi = mi;
            if (g == 0 && n == rd_json_path_int(group, "maxReplicas", 0) + 1) {
                const json_t *head = rd_json_path(
                    json_array_get(
                        rd_json_path(cluster, "spec.headGroupSpec.template.spec.containers"), 0),
                    "resources.requests");
                assert_true(rd_quantity_parse_milli(rd_json_str(head, "cpu", NULL), &want_cpu));
                assert_true(rd_quantity_parse_milli(rd_json_str(head, "memory", NULL), &bytes));
                want_cpu += 200;
                want_mi = bytes / 1000 / 1024 / 1024 + 512;
            }
            int i = 0;
            while (i < nodes && (free_cpu[i] < want_cpu || free_mi[i] < want_mi))
                i++;
            if (i == nodes)
                fail_msg("no room for a pod of %lldm and %lldMi", (long long)want_cpu,
                         (long long)want_mi);
            free_cpu[i] -= want_cpu;
            free_mi[i] -= want_mi;
        }
    }
    close_world(&w);
}

static void every_template_renders(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"kuberay/namespace.yaml", "Namespace"},      {"kuberay/rbac.yaml", "Role"},
        {"kuberay/watch-all.yaml", "ClusterRole"},    {"kuberay/watch-namespace.yaml", "Role"},
        {"kuberay/deployment.yaml", "Deployment"},    {"workloads/namespace.yaml", "ResourceQuota"},
        {"workloads/network-policy.yaml", "NetworkPolicy"},
        {"workloads/network-policy-monitoring.yaml", "NetworkPolicy"},
        {"workloads/network-policy-gke.yaml", "NetworkPolicy"},
        {"workloads/volume-local.yaml", "PersistentVolumeClaim"},
        {"workloads/volume-filestore.yaml", "PersistentVolume"},
    };
    struct world w;
    open_world(&w, gke, "gke");
    for (size_t i = 0; i < RD_ARRAY_LEN(names); i++) {
        RD_AUTOJSON json_t *o = render_one(&w, names[i][0], names[i][1]);
        if (!names_is_ours(&w.config, o))
            fail_msg("%s does not carry our mark", names[i][0]);
    }
    close_world(&w);
}

/* No needs that point forward (so: no cycle), one publisher a fact, and whatever a step's templates
 * take from facts is published by its ancestors. */
static void table_is_sound(void **state)
{
    (void)state;
    struct rd_err *err = NULL;
    unsigned n;
    const struct step_row *rows = steps_local(&n);
    struct template_set *set = template_set_open(NULL, &err);
    fact_set seen = 0;
    for (unsigned i = 0; i < n; i++) {
        if (rows[i].core.needs >> i)
            fail_msg("%s needs a later step", rows[i].core.id);
        if (seen & rows[i].core.publishes)
            fail_msg("%s publishes a fact that another step publishes", rows[i].core.id);
        seen |= rows[i].core.publishes;
    }
    for (unsigned i = 0; i < n; i++) {
        fact_set known = 0;
        step_set closure = 1u << i;
        for (unsigned j = i + 1; j-- > 0;)
            if (closure >> j & 1) {
                closure |= rows[j].core.needs;
                known |= j == i ? 0 : rows[j].core.publishes;
            }
        for (const char *const *t = rows[i].templates; t && *t; t++) {
            struct rd_strv names = {0};
            if (!template_names(set, *t, &names, &err))
                fail_msg("%s: %s", *t, err->message);
            for (size_t k = 0; k < names.len; k++) {
                const struct placeholder *p = template_placeholder(names.v[k]);
                assert_non_null(p);
                if (p->fact && !(known & step_fact_bit(p->fact)))
                    fail_msg("%s takes %s, which no ancestor of %s publishes", *t, p->fact,
                             rows[i].core.id);
            }
            rd_strv_clear(&names);
        }
    }
    template_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quota_is_the_largest_cluster),
        cmocka_unit_test(kuberay_accepts_the_cluster),
        cmocka_unit_test(user_environment_wins),
        cmocka_unit_test(drain_ends_before_the_pod_does),
        cmocka_unit_test(largest_cluster_fits_the_largest_pool),
        cmocka_unit_test(every_template_renders),
        cmocka_unit_test(table_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
