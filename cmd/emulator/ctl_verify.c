/* What templates/job/verify.py would find and print on the emulated cluster: worked out from pods,
 * volumes, identities and the bucket, so that what is missing makes its check fail. */
#include "ctl_ray.h"

#include "policy.h"

#include <stdlib.h>
#include <string.h>

static const json_t *ray_container(const json_t *pod)
{
    return json_array_get(rd_json_path(pod, "spec.containers"), 0);
}

static const char *env_of(const json_t *pod, const char *name)
{
    size_t n;
    json_t *e;
    json_array_foreach (json_object_get(ray_container(pod), "env"), n, e) {
        if (rd_streq(rd_json_str(e, "name", NULL), name))
            return rd_json_str(e, "value", NULL);
    }
    return NULL;
}

/* A number after --FLAG= in the start command that KubeRay made. */
static double flag_of(const json_t *pod, const char *flag)
{
    const char *command = env_of(pod, "KUBERAY_GEN_RAY_START_CMD");
    RD_AUTOFREE char *word = rd_asprintf("--%s=", flag);
    const char *at = command == NULL ? NULL : strstr(command, word);
    return at == NULL ? 0 : strtod(at + strlen(word), NULL);
}

/* Ray's ids are 56 hex digits; ours come from the pod's uid. */
static char *node_id(const json_t *pod)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(64);
    const char *uid = rd_json_path_str(pod, "metadata.uid");
    for (size_t round = 0; round < 2; round++) {
        for (const char *s = uid; *s != '\0' && b.len < 56; s++) {
            if (*s != '-')
                rd_buf_putc(&b, *s);
        }
    }
    return rd_buf_take(&b, NULL);
}

static json_t *node_json(const json_t *pod, bool head)
{
    RD_AUTOFREE char *id = node_id(pod);
    double memory = flag_of(pod, "memory"), cpus = flag_of(pod, "num-cpus"),
           gpus = flag_of(pod, "num-gpus");
    json_t *resources = rd_json_pack("{s:f, s:f}", "memory", memory * 0.7, "object_store_memory",
                                     memory * 0.3);
    if (cpus > 0)
        json_object_set_new(resources, "CPU", json_real(cpus));
    if (gpus > 0)
        json_object_set_new(resources, "GPU", json_real(gpus));
    if (head)
        json_object_set_new(resources, "node:__internal_head__", json_real(1));
    const char *ip = rd_json_path_str(pod, "status.podIP");
    return rd_json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:b, s:o}}", "hostname", ctl_name(pod),
                        "ip", ip == NULL ? "" : ip, "_group",
                        rd_json_str(pod, "metadata", "labels", "ray.io/group", NULL), "_pod",
                        ctl_name(pod), "raylet", "nodeId", id, "state", "ALIVE", "isHeadNode", head,
                        "resourcesTotal", resources);
}

static json_t *alive_pods(struct ctl_work *w, const json_t *head)
{
    const char *cluster = rd_json_str(head, "metadata", "labels", "ray.io/cluster", NULL);
    RD_AUTOJSON json_t *labels = rd_json_pack("{s:s}", "ray.io/cluster", cluster);
    RD_AUTOJSON json_t *pods = kube_list(w->c, "pods", ctl_ns(head), labels);
    json_t *alive = rd_json_pack("[O]", head);
    size_t n;
    json_t *pod;
    json_array_foreach (pods, n, pod) {
        if (!rd_streq(ctl_name(pod), ctl_name(head)) && ctl_condition_true(pod, "Ready") &&
            !ctl_deleting(pod))
            json_array_append(alive, pod);
    }
    return alive;
}

json_t *ray_nodes(struct ctl_work *w, const json_t *head)
{
    RD_AUTOJSON json_t *pods = alive_pods(w, head);
    json_t *nodes = json_array();
    size_t n;
    json_t *pod;
    json_array_foreach (pods, n, pod)
        json_array_append_new(nodes, node_json(pod, n == 0));
    return nodes;
}

/* ---- Checks ---- */
struct checks {
    struct ctl_work *w;
    const json_t *head, *expect;
    json_t *pods, *nodes; /* of one order */
    struct rd_buf out;
    int pass, fail, skip;
};

static void say(struct checks *c, const char *word, const char *name, char *take_detail)
{
    RD_AUTOFREE char *detail = take_detail;
    if (word[0] == 'P')
        c->pass++;
    else if (word[0] == 'F')
        c->fail++;
    else
        c->skip++;
    rd_buf_printf(&c->out, "%s %s: %s%s\n", word, name, word[0] == 'F' ? "RuntimeError: " : "",
                  detail);
}

static double sum_of(const struct checks *c, const char *resource)
{
    double sum = 0;
    size_t n;
    json_t *node;
    json_array_foreach (c->nodes, n, node)
        sum += json_number_value(rd_json_get(node, "raylet", "resourcesTotal", resource, NULL));
    return sum;
}

static const char *id_at(const struct checks *c, size_t n)
{
    return rd_json_path_str(json_array_get(c->nodes, n), "raylet.nodeId");
}

static double wanted(const struct checks *c, const char *key)
{
    return json_number_value(json_object_get(c->expect, key));
}

static void check_nodes(struct checks *c)
{
    long have = (long)json_array_size(c->nodes), want = (long)wanted(c, "nodes");
    if (have < want)
        say(c, "FAIL", "nodes", rd_asprintf("%ld of %ld nodes joined within %ld s", have, want,
                                            (long)wanted(c, "wait_s")));
    else
        say(c, "PASS", "nodes", rd_asprintf("%ld alive, %ld configured", have, want));
}

static void check_cpus(struct checks *c)
{
    double have = sum_of(c, "CPU"), want = wanted(c, "cpus");
    if (want <= 0)
        say(c, "SKIP", "cpus", rd_strdup("no number of CPUs is configured"));
    else if (have < want)
        say(c, "FAIL", "cpus", rd_asprintf("Ray counts %g CPUs, %g are configured", have, want));
    else
        say(c, "PASS", "cpus", rd_asprintf("Ray counts %g, %g configured", have, want));
}

static void check_spread(struct checks *c)
{
    size_t have = json_array_size(c->nodes);
    if (have < 2 && wanted(c, "nodes") < 2) {
        say(c, "SKIP", "spread", rd_strdup("one node is configured"));
        return;
    }
    if (have < 2) {
        say(c, "FAIL", "spread", rd_asprintf("tasks ran on %zu node", have));
        return;
    }
    RD_AUTOBUF struct rd_buf names = RD_BUF_INIT(4096);
    for (size_t n = 0; n < have && n < 16; n++)
        rd_buf_printf(&names, "%s%s (pid %zu)", n == 0 ? "" : ", ",
                      rd_json_str(json_array_get(c->nodes, n), "_pod", NULL), 300 + n * 7);
    say(c, "PASS", "spread", rd_asprintf("tasks ran on %zu nodes: %s", have < 16 ? have : 16,
                                         rd_buf_str(&names)));
}

static void check_sum(struct checks *c)
{
    size_t n, able = 0;
    json_t *node;
    json_array_foreach (c->nodes, n, node)
        able += json_number_value(rd_json_path(node, "raylet.resourcesTotal.CPU")) >= 1;
    if (able == 0) {
        rd_buf_puts(&c->out, "FAIL sum: GetTimeoutError: Get timed out: some object(s) not ready.\n");
        c->fail++;
        return;
    }
    enum { TASKS = 16, EACH = 100000 };
    long long total = (long long)TASKS * EACH;
    say(c, "PASS", "sum", rd_asprintf("%lld from %d tasks on %zu nodes", total * (total - 1) / 2,
                                      TASKS, able < TASKS ? able : TASKS));
}

/* Whether the pod has something mounted there that is really there. */
static bool mounted(struct checks *c, const json_t *pod, const char *path)
{
    const char *volume = NULL;
    size_t n;
    json_t *m;
    json_array_foreach (json_object_get(ray_container(pod), "volumeMounts"), n, m) {
        if (rd_streq(rd_json_str(m, "mountPath", NULL), path))
            volume = rd_json_str(m, "name", NULL);
    }
    json_array_foreach (rd_json_path(pod, "spec.volumes"), n, m) {
        const char *claim = rd_json_path_str(m, "persistentVolumeClaim.claimName");
        if (!rd_streq(rd_json_str(m, "name", NULL), volume) || claim == NULL)
            continue;
        const json_t *pvc = kube_get(c->w->c, "persistentvolumeclaims", ctl_ns(pod), claim);
        const json_t *pv =
            kube_get(c->w->c, "persistentvolumes", NULL, rd_json_path_str(pvc, "spec.volumeName"));
        const char *server = rd_json_path_str(pv, "spec.nfs.server");
        if (server == NULL)
            return pv != NULL;
        const char *name;
        json_t *i;
        json_object_foreach (emu_store_all(&c->w->e->store, "file.instances"), name, i) {
            json_t *net = json_array_get(json_object_get(i, "networks"), 0);
            if (rd_streq(json_string_value(json_array_get(json_object_get(net, "ipAddresses"), 0)),
                         server))
                return true;
        }
        return false;
    }
    return false;
}

static void check_volume(struct checks *c)
{
    const char *path = rd_json_str(c->expect, "shared_path", NULL);
    const char *skip = rd_json_str(c->expect, "shared_skip", NULL);
    if (path == NULL || skip != NULL || json_array_size(c->nodes) < 2) {
        say(c, "SKIP", "shared-volume",
            rd_strdup(path == NULL   ? "no shared volume is configured"
                      : skip != NULL ? skip
                                     : "one node"));
        return;
    }
    for (size_t n = 0; n < 2; n++) {
        if (!mounted(c, json_array_get(c->pods, n), path)) {
            say(c, "FAIL", "shared-volume",
                rd_asprintf("%s is not a mount on node %.8s", path, id_at(c, n)));
            return;
        }
    }
    say(c, "PASS", "shared-volume", rd_asprintf("%s: written on %.8s, read on %.8s", path,
                                                id_at(c, 0), id_at(c, 1)));
}

/* Why a pod cannot write objects; owned, NULL: it can. Workload Identity end to end. */
static char *cannot_write(struct checks *c, const json_t *pod, const char *bucket)
{
    struct emu *e = c->w->e;
    const char *account = rd_json_path_str(pod, "spec.serviceAccountName");
    const json_t *ksa = kube_get(c->w->c, "serviceaccounts", ctl_ns(pod), account);
    const char *email =
        rd_json_str(ksa, "metadata", "annotations", "iam.gke.io/gcp-service-account", NULL);
    if (email == NULL)
        return rd_asprintf("the pod's account %s stands for no Google account", account);
    RD_AUTOFREE char *member =
        rd_asprintf("serviceAccount:%s.svc.id.goog[%s/%s]", e->project, ctl_ns(pod), account);
    RD_AUTOFREE char *sa = rd_asprintf("projects/%s/serviceAccounts/%s", e->project, email);
    if (!emu_iam_allowed(e, member, "iam.serviceAccounts.getAccessToken", sa))
        return rd_asprintf("403 Permission 'iam.serviceAccounts.getAccessToken' denied on %s", email);
    RD_AUTOFREE char *key = rd_asprintf("b/%s", bucket);
    RD_AUTOFREE char *principal = rd_asprintf("serviceAccount:%s", email);
    if (emu_store_get(&e->store, "storage.buckets", bucket) == NULL)
        return rd_asprintf("404 The specified bucket %s does not exist", bucket);
    if (!emu_iam_allowed(e, principal, "storage.objects.create", key))
        return rd_asprintf("403 %s does not have storage.objects.create access to the bucket", email);
    return NULL;
}

static void spill_object(struct checks *c, const char *bucket, const char *prefix, unsigned n)
{
    RD_AUTOFREE char *name = rd_asprintf("%s%sray_spilled_objects_%u", prefix,
                                         *prefix == '\0' || rd_ends_with(prefix, "/") ? "" : "/", n);
    RD_AUTOFREE char *key = rd_asprintf("%s/%s", bucket, name);
    emu_store_put(&c->w->e->store, "storage.objects", key,
                  rd_json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", "storage#object", "name", name,
                               "bucket", bucket, "size", "104857600", "timeCreated", ctl_now()));
}

static void check_spill(struct checks *c)
{
    if (!rd_json_path_bool(c->expect, "spill", false)) {
        const char *why = rd_json_str(c->expect, "spill_skip", NULL);
        say(c, "SKIP", "spill", rd_strdup(why == NULL ? "no spill target is configured" : why));
        return;
    }
    const char *config_text = env_of(c->head, "RAY_object_spilling_config");
    RD_AUTOJSON json_t *config = config_text == NULL ? NULL : json_loads(config_text, 0, NULL);
    const char *uri = rd_json_path_str(config, "params.uri");
    if (uri == NULL)
        uri = json_string_value(json_array_get(rd_json_path(config, "params.uri"), 0));
    const char *target = uri != NULL ? uri : rd_json_path_str(config, "params.directory_path");
    if (target == NULL) {
        say(c, "FAIL", "spill",
            rd_strdup("RAY_object_spilling_config on the head names no target"));
        return;
    }
    /* The node with the smallest store is filled; it spills with its own pod's identity. */
    size_t n, least = 0;
    double store = 0;
    json_t *node;
    json_array_foreach (c->nodes, n, node) {
        double have =
            json_number_value(rd_json_path(node, "raylet.resourcesTotal.object_store_memory"));
        if (n == 0 || have < store) {
            store = have;
            least = n;
        }
    }
    long long block = 8LL << 20, count = (long long)store * 13 / 10 / block + 4;
    if (count * block > 16LL << 30) {
        say(c, "SKIP", "spill", rd_asprintf("the smallest object store has %lld GiB, too much to fill",
                                            (long long)store >> 30));
        return;
    }
    long long spilled = (count * block - (long long)(store * 0.8)) >> 20;
    if (rd_starts_with(target, "gs://")) {
        const char *slash = strchr(target + 5, '/');
        RD_AUTOFREE char *bucket =
            rd_strndup(target + 5, slash == NULL ? strlen(target + 5) : (size_t)(slash - target - 5));
        RD_AUTOFREE char *why = cannot_write(c, json_array_get(c->pods, least), bucket);
        if (why != NULL) {
            say(c, "FAIL", "spill",
                rd_asprintf("%lld MiB fitted into a store of %lld MiB: %s", count * block >> 20,
                            (long long)store >> 20, why));
            return;
        }
        for (unsigned k = 0; k < 3; k++)
            spill_object(c, bucket, slash == NULL ? "" : slash + 1, k);
    }
    say(c, "PASS", "spill",
        rd_asprintf("%lld MiB spilled to %s, %lld MiB restored, all %lld objects intact", spilled,
                    target, spilled, count));
}

static void check_gpus(struct checks *c)
{
    double want = wanted(c, "gpus"), have = sum_of(c, "GPU");
    bool on_demand = rd_json_path_bool(c->expect, "gpu_autoscale", false);
    if (want <= 0) {
        say(c, "SKIP", "gpus", rd_strdup("no GPU is configured"));
        return;
    }
    if (have < want && !on_demand) {
        say(c, "FAIL", "gpus", rd_asprintf("Ray counts %g GPUs, %g are configured", have, want));
        return;
    }
    for (size_t n = 0; n < json_array_size(c->nodes); n++) {
        if (json_number_value(rd_json_path(json_array_get(c->nodes, n),
                                           "raylet.resourcesTotal.GPU")) < 1)
            continue;
        const json_t *pod = json_array_get(c->pods, n);
        const json_t *host =
            kube_get(c->w->c, "nodes", NULL, rd_json_path_str(pod, "spec.nodeName"));
        const char *type = rd_json_str(host, "metadata", "labels", "cloud.google.com/gke-accelerator",
                                       NULL);
        say(c, "PASS", "gpus",
            rd_asprintf("a task on %.8s had GPU 0: %s, 15360 MiB", id_at(c, n),
                        rd_streq(type, "nvidia-tesla-t4") ? "Tesla T4" : type == NULL ? "GPU" : type));
        return;
    }
    double wait = wanted(c, "gpu_wait_s");
    say(c, "FAIL", "gpus", rd_asprintf("no GPU was given to a task within %g s", wait < 120 ? 120 : wait));
}

char *verify_output(struct ctl_work *w, const json_t *head, const json_t *expect, bool *ret_ok)
{
    struct checks c = {.w = w, .head = head, .expect = expect, .out = RD_BUF_INIT(64 * 1024)};
    c.pods = alive_pods(w, head);
    c.nodes = ray_nodes(w, head);
    check_nodes(&c);
    check_cpus(&c);
    check_spread(&c);
    check_sum(&c);
    check_volume(&c);
    check_spill(&c);
    check_gpus(&c);
    rd_buf_printf(&c.out, "RAYDEPLOY-VERIFY {\"fail\": %d, \"pass\": %d, \"skip\": %d}\n", c.fail,
                  c.pass, c.skip);
    json_decref(c.pods);
    json_decref(c.nodes);
    *ret_ok = c.fail == 0;
    return rd_buf_take(&c.out, NULL);
}
