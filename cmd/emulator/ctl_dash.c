/* Ray's dashboard: version, nodes, packages and the Jobs API of one head pod. What it knows dies with
 * the pod. A job's program is not run: the verification job's output is worked out from the emulated
 * cluster (ctl_verify.c), other entrypoints are taken for what little of a shell they are. */
#include "ctl_ray.h"

#include "chain.h"
#include "http.h"
#include "route.h"

#include "base/clock.h"
#include "base/encode.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

enum { START_MS = 2000, RUN_MS = 3000, VERIFY_MS = 15 * 1000, LOOK_MS = 1000, PATIENCE_REAL_MS = 5000,
       PACKAGE_MAX = 100 << 20 };

/* ---- State: head pod's uid -> {"jobs": {id: job}, "packages": {name: expect or null}} ---- */
static json_t *state_of(struct ctl_work *w, const char *uid)
{
    json_t *s = json_object_get(w->dashes, uid);
    if (s == NULL) {
        s = rd_json_pack("{s:{}, s:{}}", "jobs", "packages");
        json_object_set_new(w->dashes, uid, s);
    }
    return s;
}

static const char *uid_of(const json_t *pod)
{
    return rd_json_path_str(pod, "metadata.uid");
}

static const json_t *cluster_of(struct ctl_work *w, const json_t *head)
{
    return kube_get(w->c, RAY_CLUSTERS, ctl_ns(head),
                    rd_json_str(head, "metadata", "labels", "ray.io/cluster", NULL));
}

static json_int_t now_ms(const struct ctl_work *w)
{
    return (json_int_t)emu_clock_now(&w->e->clock);
}

/* ---- Answers ---- */
void dash_answer_clear(struct dash_answer *a)
{
    free(a->body);
}

static void text(struct dash_answer *a, int status, char *take)
{
    *a = (struct dash_answer){.status = status, .body = take, .len = strlen(take),
                              .type = "text/plain; charset=utf-8"};
}

static void json(struct dash_answer *a, json_t *take)
{
    char *body = json_dumps(take, JSON_COMPACT);
    json_decref(take);
    *a = (struct dash_answer){.status = 200, .body = body, .len = strlen(body),
                              .type = "application/json; charset=utf-8"};
}

/* ---- Jobs ---- */
static json_t *shown(const json_t *job)
{
    json_t *o = json_object();
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)job, key, value) {
        if (key[0] != '_')
            json_object_set(o, key, value);
    }
    return o;
}

static void say_log(json_t *job, const char *more)
{
    const char *log = rd_json_str(job, "_log", NULL);
    json_object_set_new(job, "_log", json_sprintf("%s%s", log == NULL ? "" : log, more));
}

static bool is_over(const json_t *job)
{
    const char *s = rd_json_str(job, "status", NULL);
    return rd_streq(s, "SUCCEEDED") || rd_streq(s, "FAILED") || rd_streq(s, "STOPPED");
}

static void end_job(struct ctl_work *w, const json_t *head, json_t *job, const char *status,
                    int exit_code)
{
    json_object_set_new(job, "status", json_string(status));
    json_object_set_new(job, "end_time", json_integer(rd_wall_ms()));
    if (!rd_streq(status, "STOPPED"))
        json_object_set_new(job, "driver_exit_code", json_integer(exit_code));
    json_object_set_new(
        job, "message",
        rd_streq(status, "SUCCEEDED") ? json_string("Job finished successfully.")
        : rd_streq(status, "STOPPED") ? json_string("Job was intentionally stopped.")
                                      : json_sprintf("Job entrypoint command failed with exit code "
                                                     "%d, last available logs (truncated to 20,000 "
                                                     "chars):\n%s",
                                                     exit_code, rd_json_str(job, "_log", NULL)));
    /* A link of the chain: it could not begin before the last pod of its cluster was there. */
    struct rd_strv needs = {0};
    const json_t *cluster = cluster_of(w, head);
    RD_AUTOJSON json_t *pods = cluster == NULL ? json_array() : ray_pods(w, cluster);
    size_t n;
    json_t *pod;
    json_array_foreach (pods, n, pod)
        rd_strv_take(&needs, rd_asprintf("%s/pods/%s/%s", kube_cluster_name(w->c), ctl_ns(pod),
                                         ctl_name(pod)));
    rd_strv_add(&needs, kube_cluster_name(w->c));
    RD_AUTOFREE char *name = rd_asprintf("%s/jobs/%s", kube_cluster_name(w->c),
                                         rd_json_str(job, "submission_id", NULL));
    json_int_t since = rd_json_path_int(job, "_there", rd_json_path_int(job, "_begin", 0));
    emu_chain_add(w->e, name, (uint64_t)(now_ms(w) - since), (const char *const *)needs.v);
    rd_strv_clear(&needs);
}

static void look_later(struct ctl_work *w, const json_t *head, const json_t *job, uint64_t ms)
{
    RD_AUTOFREE char *key =
        rd_asprintf("%s %s", ctl_name(head), rd_json_str(job, "submission_id", NULL));
    ctl_queue_add(w->jobs, ctl_ns(head), key, ms);
}

/* What a package said that belongs to the job; NULL: none. */
static const json_t *expectations(struct ctl_work *w, const json_t *head, const json_t *job)
{
    const char *dir = rd_json_path_str(job, "runtime_env.working_dir");
    if (dir == NULL || !rd_starts_with(dir, "gcs://"))
        return NULL;
    const json_t *e = json_object_get(
        json_object_get(state_of(w, uid_of(head)), "packages"), dir + strlen("gcs://"));
    return json_is_object(e) ? e : NULL;
}

static void run_plain(struct ctl_work *w, const json_t *head, json_t *job)
{
    const char *entry = rd_json_str(job, "entrypoint", NULL);
    int code = 0;
    const char *at = strstr(entry, "exit ");
    if (at != NULL)
        code = (int)strtol(at + 5, NULL, 10);
    if (rd_starts_with(entry, "echo ") && strpbrk(entry, ";|&$`<>") == NULL) {
        RD_AUTOFREE char *line = rd_asprintf("%s\n", entry + 5);
        say_log(job, line);
    } else {
        RD_AUTOFREE char *line =
            rd_asprintf("(the emulator runs no programs; entrypoint: %s)\n", entry);
        say_log(job, line);
    }
    end_job(w, head, job, code == 0 ? "SUCCEEDED" : "FAILED", code);
}

/* The job up to here: what it now asks for comes after that. */
static void chain_asked(struct ctl_work *w, const json_t *job)
{
    RD_AUTOFREE char *name = rd_asprintf("%s/jobs/%s/asks", kube_cluster_name(w->c),
                                         rd_json_str(job, "submission_id", NULL));
    json_int_t since = rd_json_path_int(job, "_there", rd_json_path_int(job, "_begin", 0));
    const char *needs[] = {w->last_ray_pod, kube_cluster_name(w->c), NULL};
    emu_chain_add(w->e, name, (uint64_t)(now_ms(w) - since),
                  w->last_ray_pod == NULL ? needs + 1 : needs);
    rd_str_dup(&w->gpu_asked_by, name);
}

/* Ray's autoscaler: a GPU task waits, so a group that has them grows by one. */
static void ask_for_gpu(struct ctl_work *w, const json_t *head)
{
    const json_t *cluster = cluster_of(w, head);
    if (cluster == NULL)
        return;
    json_t *groups = json_deep_copy(rd_json_path(cluster, "spec.workerGroupSpecs"));
    bool changed = false;
    size_t n;
    json_t *group;
    json_array_foreach (groups, n, group) {
        const json_t *container =
            json_array_get(rd_json_path(group, "template.spec.containers"), 0);
        if (rd_json_get(container, "resources", "limits", "nvidia.com/gpu", NULL) == NULL ||
            rd_json_path_int(group, "replicas", 0) > 0 ||
            rd_json_path_int(group, "maxReplicas", 0) < 1 || changed)
            continue;
        json_object_set_new(group, "replicas", json_integer(1));
        changed = true;
    }
    if (changed)
        kube_merge(w->c, "ray-autoscaler", RAY_CLUSTERS, ctl_ns(cluster), ctl_name(cluster),
                   rd_json_pack("{s:{s:O}}", "spec", "workerGroupSpecs", groups));
    json_decref(groups);
}

static double sum_of(const json_t *nodes, const char *resource)
{
    double sum = 0;
    size_t n;
    json_t *node;
    json_array_foreach ((json_t *)nodes, n, node)
        sum += json_number_value(rd_json_get(node, "raylet", "resourcesTotal", resource, NULL));
    return sum;
}

/* true: the job goes on; false: it is looked at again. A wait has an end; the check then says what is
 * missing. `key` keeps since when it waits. At high speeds the machine's own time counts against the
 * program's patience, so that some real seconds are granted in any case. */
static bool waited(struct ctl_work *w, const json_t *head, json_t *job, const char *key, bool there,
                   json_int_t most_ms)
{
    json_int_t since = rd_json_path_int(job, key, -1);
    if (since < 0) {
        since = now_ms(w);
        json_object_set_new(job, key, json_integer(since));
    }
    json_int_t least_ms = (json_int_t)(PATIENCE_REAL_MS * w->e->clock.speed);
    if (!there && now_ms(w) - since < (most_ms < least_ms ? least_ms : most_ms)) {
        look_later(w, head, job, LOOK_MS);
        return false;
    }
    /* What it waited for has a place of its own in the chain. */
    if (now_ms(w) - since > LOOK_MS)
        json_object_set_new(job, "_there", json_integer(now_ms(w)));
    return true;
}

static void begin_verify(struct ctl_work *w, const json_t *head, json_t *job, const json_t *expect)
{
    RD_AUTOFREE char *what = json_dumps(expect, JSON_SORT_KEYS);
    const char *version = rd_json_path_str(cluster_of(w, head), "spec.rayVersion");
    RD_AUTOFREE char *line =
        rd_asprintf("Ray %s, expecting %s\n", version == NULL ? "unknown" : version, what);
    say_log(job, line);
    json_object_set_new(job, "_seen", json_true());
}

/* In the order of the program: nodes, the checks that take time, a GPU that comes on demand. */
static void run_verify(struct ctl_work *w, const json_t *head, json_t *job, const json_t *expect)
{
    json_int_t wait_ms = rd_json_path_int(expect, "wait_s", 300) * 1000;
    RD_AUTOJSON json_t *nodes = ray_nodes(w, head);
    if (json_object_get(job, "_seen") == NULL)
        begin_verify(w, head, job, expect);
    bool there = (json_int_t)json_array_size(nodes) >= rd_json_path_int(expect, "nodes", 1) &&
                 sum_of(nodes, "CPU") >= json_number_value(json_object_get(expect, "cpus"));
    if (json_object_get(job, "_checking") == NULL) {
        if (!waited(w, head, job, "_nodes", there, wait_ms))
            return;
        json_object_set_new(job, "_checking", json_true());
        look_later(w, head, job, emu_jitter(w->e, VERIFY_MS, 15));
        return;
    }
    bool wants_gpu = json_number_value(json_object_get(expect, "gpus")) > 0;
    bool has_gpu = sum_of(nodes, "GPU") > 0;
    if (wants_gpu && !has_gpu) {
        if (json_object_get(job, "_gpu") == NULL)
            chain_asked(w, job);
        ask_for_gpu(w, head);
    }
    wait_ms = rd_json_path_int(expect, "gpu_wait_s", 300) * 1000;
    if (wants_gpu && !waited(w, head, job, "_gpu", has_gpu, wait_ms < 120000 ? 120000 : wait_ms))
        return;
    bool ok = false;
    RD_AUTOFREE char *lines = verify_output(w, head, expect, &ok);
    say_log(job, lines);
    end_job(w, head, job, ok ? "SUCCEEDED" : "FAILED", ok ? 0 : 1);
}

void dash_look(struct kube_cluster *c, const char *ns, const char *key, void *arg)
{
    struct ctl_work *w = arg;
    const char *space = strchr(key, ' ');
    RD_AUTOFREE char *pod = rd_strndup(key, (size_t)(space - key));
    const json_t *found = kube_get(c, "pods", ns, pod);
    if (found == NULL)
        return;
    RD_AUTOJSON json_t *head = json_incref((json_t *)found);
    json_t *job = json_object_get(json_object_get(state_of(w, uid_of(head)), "jobs"), space + 1);
    if (job == NULL || is_over(job))
        return;
    if (rd_streq(rd_json_str(job, "status", NULL), "PENDING")) {
        json_object_set_new(job, "status", json_string("RUNNING"));
        json_object_set_new(job, "message", json_string("Job is currently running."));
        const char *entry = rd_json_str(job, "entrypoint", NULL);
        long sleep_s = strncmp(entry, "sleep ", 6) == 0 ? strtol(entry + 6, NULL, 10) : 0;
        look_later(w, head, job, sleep_s > 0 ? (uint64_t)sleep_s * 1000 : RUN_MS);
        return;
    }
    const json_t *expect = expectations(w, head, job);
    if (expect != NULL && strstr(rd_json_str(job, "entrypoint", NULL), "verify.py") != NULL)
        run_verify(w, head, job, expect);
    else
        run_plain(w, head, job);
}

static bool known_key(const char *key)
{
    static const char *const keys[] = {
        "entrypoint",          "submission_id",       "runtime_env",       "metadata",
        "entrypoint_num_cpus", "entrypoint_num_gpus", "entrypoint_memory", "entrypoint_resources",
        "job_id",              "entrypoint_label_selector"};
    for (size_t n = 0; n < RD_ARRAY_LEN(keys); n++) {
        if (rd_streq(keys[n], key))
            return true;
    }
    return false;
}

static void submit(struct ctl_work *w, const json_t *head, const struct emu_msg *m,
                   struct dash_answer *a)
{
    RD_AUTOJSON json_t *body = json_loadb(m->body, m->body_len, 0, NULL);
    const char *entry = rd_json_str(body, "entrypoint", NULL), *key;
    json_t *value, *jobs = json_object_get(state_of(w, uid_of(head)), "jobs");
    if (entry == NULL || *entry == '\0') {
        text(a, 400, rd_strdup("entrypoint: a string is required"));
        return;
    }
    json_object_foreach (body, key, value) {
        if (!known_key(key)) {
            text(a, 400, rd_asprintf("TypeError: JobSubmitRequest.__init__() got an unexpected "
                                     "keyword argument '%s'",
                                     key));
            return;
        }
    }
    char hex[17];
    emu_rand_hex(w->e, hex, 16);
    const char *asked = rd_json_str(body, "submission_id", NULL);
    RD_AUTOFREE char *id = asked != NULL ? rd_strdup(asked) : rd_asprintf("raysubmit_%s", hex);
    if (json_object_get(jobs, id) != NULL) {
        text(a, 500, rd_asprintf("Traceback (most recent call last):\nValueError: Job with "
                                 "submission_id %s already exists. Please use a different "
                                 "submission_id.",
                                 id));
        return;
    }
    json_t *job = rd_json_pack(
        "{s:s, s:n, s:s, s:s, s:s, s:s, s:n, s:I, s:n, s:n, s:n, s:s}", "type", "SUBMISSION",
        "job_id", "submission_id", id, "status", "PENDING", "entrypoint", entry, "message",
        "Job has not started yet. It may be waiting for resources.", "error_type", "start_time",
        (json_int_t)rd_wall_ms(), "end_time", "driver_info", "driver_exit_code", "driver_node_id",
        uid_of(head));
    static const char *const kept[] = {"runtime_env", "metadata"};
    for (size_t n = 0; n < RD_ARRAY_LEN(kept); n++) {
        json_t *v = json_object_get(body, kept[n]);
        json_object_set(job, kept[n], v);
        if (v == NULL)
            json_object_set_new(job, kept[n], json_object());
    }
    json_object_set_new(job, "_begin", json_integer(now_ms(w)));
    json_object_set_new(jobs, id, job);
    look_later(w, head, job, START_MS);
    json(a, rd_json_pack("{s:s, s:s}", "job_id", id, "submission_id", id));
}

static void one_job(struct ctl_work *w, const json_t *head, const struct emu_msg *m,
                    const char *rest, struct dash_answer *a)
{
    json_t *jobs = json_object_get(state_of(w, uid_of(head)), "jobs");
    size_t len = strcspn(rest, "/");
    RD_AUTOFREE char *raw = rd_strndup(rest, len);
    RD_AUTOFREE char *id = emu_percent_decode(raw, len, false);
    const char *tail = rest + len;
    json_t *job = json_object_get(jobs, id);
    bool is_get = rd_streq(m->method, "GET");
    if (job == NULL) {
        text(a, 404, rd_asprintf("Job %s does not exist", id));
    } else if (*tail == '\0' && is_get) {
        json(a, shown(job));
    } else if (*tail == '\0' && rd_streq(m->method, "DELETE")) {
        if (!is_over(job)) {
            text(a, 500, rd_asprintf("RuntimeError: Attempted to delete job '%s', but it is in a "
                                     "non-terminal state. The job is not in a terminal state: %s is "
                                     "not in a terminal state",
                                     id, rd_json_str(job, "status", NULL)));
            return;
        }
        json_object_del(jobs, id);
        json(a, rd_json_pack("{s:b}", "deleted", 1));
    } else if (rd_streq(tail, "/logs") && is_get) {
        const char *log = rd_json_str(job, "_log", NULL);
        json(a, rd_json_pack("{s:s}", "logs", log == NULL ? "" : log));
    } else if (rd_streq(tail, "/stop") && rd_streq(m->method, "POST")) {
        bool running = !is_over(job);
        if (running)
            end_job(w, head, job, "STOPPED", 0);
        json(a, rd_json_pack("{s:b}", "stopped", running));
    } else {
        text(a, 404, rd_strdup("404: Not Found"));
    }
}

/* ---- Packages ---- */
/* expect.json of a verification package; NULL: it is another one. Owned. */
static json_t *expect_in(const char *zip, size_t len)
{
    struct archive *ar = archive_read_new();
    archive_read_support_format_zip(ar);
    json_t *found = NULL;
    struct archive_entry *entry;
    if (archive_read_open_memory(ar, zip, len) == ARCHIVE_OK) {
        while (found == NULL && archive_read_next_header(ar, &entry) == ARCHIVE_OK) {
            if (!rd_streq(archive_entry_pathname(entry), "expect.json"))
                continue;
            char bytes[8192];
            la_ssize_t got = archive_read_data(ar, bytes, sizeof(bytes));
            found = got > 0 ? json_loadb(bytes, (size_t)got, 0, NULL) : NULL;
        }
    }
    archive_read_free(ar);
    return found;
}

static void package(struct ctl_work *w, const json_t *head, const struct emu_msg *m,
                    const char *name, struct dash_answer *a)
{
    json_t *packages = json_object_get(state_of(w, uid_of(head)), "packages");
    if (rd_streq(m->method, "PUT") && m->body_len <= PACKAGE_MAX) {
        json_t *expect = expect_in(m->body, m->body_len);
        json_object_set_new(packages, name, expect == NULL ? json_true() : expect);
        text(a, 200, rd_strdup(""));
    } else if (rd_streq(m->method, "PUT")) {
        text(a, 413, rd_strdup("Maximum request body size exceeded"));
    } else if (json_object_get(packages, name) == NULL) {
        text(a, 404, rd_asprintf("Package gcs://%s does not exist", name));
    } else {
        text(a, 200, rd_strdup(""));
    }
}

/* ---- Door ---- */
static bool is_open_path(const char *path)
{
    static const char *const open[] = {"/", "/api/authentication_mode", "/api/authenticate",
                                       "/api/healthz", "/api/gcs_healthz",
                                       "/api/local_raylet_healthz", "/-/healthz"};
    for (size_t n = 0; n < RD_ARRAY_LEN(open); n++) {
        if (rd_streq(open[n], path))
            return true;
    }
    return false;
}

/* true: may pass; else answered. */
static bool check_token(struct ctl_work *w, const json_t *head, const struct emu_msg *m,
                        struct dash_answer *a)
{
    const json_t *cluster = cluster_of(w, head);
    if (cluster == NULL || !ray_auth_on(cluster) || is_open_path(m->path))
        return true;
    RD_AUTOFREE char *name = ray_token_secret(cluster);
    const json_t *secret = kube_get(w->c, "secrets", ctl_ns(head), name);
    const char *data = rd_json_path_str(secret, "data.auth_token");
    size_t len = 0;
    RD_AUTOFREE char *want =
        data == NULL ? NULL : (char *)rd_base64_decode(data, strlen(data), &len);
    const char *given = emu_msg_header(m, "authorization");
    given = given != NULL ? given : emu_msg_header(m, "x-ray-authorization");
    if (given == NULL || !rd_starts_with(given, "Bearer ")) {
        text(a, 401, rd_strdup("Unauthorized: Missing authentication token"));
        return false;
    }
    if (want == NULL || !rd_streq(given + strlen("Bearer "), want)) {
        text(a, 403, rd_strdup("Forbidden: Invalid authentication token"));
        return false;
    }
    return true;
}

static void cluster_answer(struct ctl_work *w, const json_t *head, struct dash_answer *a)
{
    RD_AUTOJSON json_t *nodes = ray_nodes(w, head);
    json_t *active = json_object();
    size_t n;
    json_t *node;
    json_array_foreach (nodes, n, node) {
        const char *group = rd_json_str(node, "_group", NULL);
        json_object_set_new(
            active, group,
            json_integer(json_integer_value(json_object_get(active, group)) + 1));
    }
    json(a, rd_json_pack("{s:b, s:s, s:{s:s, s:n, s:{s:{}, s:{s:o, s:[], s:[]}}}}", "result", 1,
                         "msg", "Got cluster status.", "data", "autoscalingStatus", "",
                         "autoscalingError", "clusterStatus", "loadMetricsReport",
                         "autoscalerReport", "activeNodes", active, "pendingNodes", "failedNodes"));
}

void dash_serve(struct ctl_work *w, const json_t *head, const struct emu_msg *m,
                struct dash_answer *a)
{
    const char *path = m->path;
    bool is_get = rd_streq(m->method, "GET") || rd_streq(m->method, "HEAD");
    static const char *const browser[] = {"origin", "referer", "sec-fetch-mode", "sec-fetch-site"};
    for (size_t n = 0; !is_get && n < RD_ARRAY_LEN(browser); n++) {
        if (emu_msg_header(m, browser[n]) != NULL) {
            text(a, 403, rd_strdup("Method Not Allowed for browser traffic."));
            return;
        }
    }
    if (!check_token(w, head, m, a))
        return;
    const json_t *cluster = cluster_of(w, head);
    if (rd_streq(path, "/api/version") && is_get) {
        const char *version = rd_json_path_str(cluster, "spec.rayVersion");
        json(a, rd_json_pack("{s:s, s:s, s:s, s:o}", "version", "4", "ray_version",
                             version == NULL ? "2.58.0" : version, "ray_commit", "emulated",
                             "session_name", json_sprintf("session_%s", uid_of(head))));
    } else if (rd_ends_with(path, "healthz") && is_get) {
        text(a, 200, rd_strdup("success"));
    } else if (rd_streq(path, "/") && is_get) {
        text(a, 200, rd_strdup("<!doctype html><title>Ray Dashboard</title>"
                               "<p>Ray's dashboard, as the emulator plays it: the API only.</p>\n"));
        a->type = "text/html; charset=utf-8";
    } else if (rd_streq(path, "/nodes") && is_get) {
        json_t *nodes = ray_nodes(w, head), *node;
        size_t n;
        json_array_foreach (nodes, n, node) {
            json_object_del(node, "_group");
            json_object_del(node, "_pod");
        }
        json(a, rd_json_pack("{s:b, s:s, s:{s:o}}", "result", 1, "msg", "Node summary fetched.",
                             "data", "summary", nodes));
    } else if (rd_streq(path, "/api/cluster_status") && is_get) {
        cluster_answer(w, head, a);
    } else if (rd_streq(path, "/api/jobs/") && rd_streq(m->method, "POST")) {
        submit(w, head, m, a);
    } else if (rd_streq(path, "/api/jobs/") && is_get) {
        json_t *list = json_array(), *job;
        const char *id;
        json_object_foreach (json_object_get(state_of(w, uid_of(head)), "jobs"), id, job)
            json_array_append_new(list, shown(job));
        json(a, list);
    } else if (rd_starts_with(path, "/api/jobs/")) {
        one_job(w, head, m, path + strlen("/api/jobs/"), a);
    } else if (rd_starts_with(path, "/api/packages/gcs/")) {
        package(w, head, m, path + strlen("/api/packages/gcs/"), a);
    } else {
        text(a, 404, rd_strdup("404: Not Found"));
    }
}
