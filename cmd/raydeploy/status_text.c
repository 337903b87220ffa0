/* What status found, as text and as lines that can be compared. */
#include "status.h"

#include "base/alloc.h"

#include <string.h>

static const char *or_dash(const char *text)
{
    return text && *text ? text : "-";
}

static void put_clean(struct rd_buf *out, const char *text)
{
    ui_clean(out, or_dash(text));
}

static void put_padded(struct rd_buf *out, const char *text, size_t width)
{
    size_t from = out->len;
    put_clean(out, text);
    while (out->len - from < width)
        rd_buf_putc(out, ' ');
}

static void put_versions(const json_t *look, struct rd_buf *out)
{
    static const char *const names[] = {"raydeploy", "kubernetes", "kuberay", "ray"};
    static const char *const titles[] = {"raydeploy", "Kubernetes", "KubeRay", "Ray"};
    const json_t *v = json_object_get(look, "versions");
    for (size_t i = 0; i < RD_ARRAY_LEN(names); i++) {
        const char *version = rd_json_str(v, names[i], NULL);
        rd_buf_printf(out, "%s%s ", i ? ", " : "", titles[i]);
        ui_clean(out, version ? version : "unknown");
    }
    rd_buf_putc(out, '\n');
}

static void put_lock(const json_t *look, struct rd_buf *out)
{
    const json_t *lock = json_object_get(look, "lock");
    if (!json_is_object(lock))
        return;
    rd_buf_puts(out, "a run is under way: ");
    put_clean(out, rd_json_str(lock, "holder", NULL));
    rd_buf_puts(out, " since ");
    put_clean(out, rd_json_str(lock, "since", NULL));
    if (rd_json_path_bool(lock, "dead", false)) {
        rd_buf_puts(out, " (that process is gone; the next run takes over)");
    } else if (rd_json_path_bool(lock, "silent", false)) {
        rd_buf_puts(out, " (not heard of since ");
        put_clean(out, rd_json_str(lock, "renewed", NULL));
        rd_buf_puts(out, "; the next run takes over when it stays silent)");
    }
    rd_buf_putc(out, '\n');
}

static void put_pool(const json_t *pool, struct rd_buf *out)
{
    const json_t *nodes = json_object_get(pool, "nodes");
    size_t i, ready = 0;
    const json_t *n;
    json_array_foreach (nodes, i, n)
        ready += rd_json_path_bool(n, "ready", false);
    rd_buf_puts(out, "node pool ");
    put_clean(out, rd_json_str(pool, "name", NULL));
    rd_buf_printf(out, ": %zu of %zu ready\n", ready, json_array_size(nodes));
    json_array_foreach (nodes, i, n) {
        const char *gpu = rd_json_str(n, "gpu", NULL);
        rd_buf_puts(out, "  ");
        put_padded(out, rd_json_str(n, "name", NULL), 40);
        rd_buf_printf(out, " %-9s", rd_json_path_bool(n, "ready", false) ? "ready" : "not ready");
        rd_buf_puts(out, " cpu ");
        put_clean(out, rd_json_str(n, "cpu", NULL));
        rd_buf_puts(out, ", memory ");
        put_clean(out, rd_json_str(n, "memory", NULL));
        if (gpu && !rd_streq(gpu, "0")) {
            rd_buf_puts(out, ", gpu ");
            put_clean(out, gpu);
        }
        if (!rd_json_path_bool(n, "schedulable", true))
            rd_buf_puts(out, ", cordoned");
        rd_buf_putc(out, '\n');
    }
}

static void put_pods(const json_t *pods, struct rd_buf *out)
{
    const char *group = NULL;
    size_t i;
    const json_t *p;
    json_array_foreach (pods, i, p) {
        const char *of = rd_json_str(p, "group", NULL);
        const char *reason = rd_json_str(p, "reason", NULL);
        if (i == 0 || !rd_streq(of, group)) {
            rd_buf_puts(out, "pods of group ");
            put_clean(out, of);
            rd_buf_puts(out, ":\n");
            group = of;
        }
        rd_buf_puts(out, "  ");
        put_padded(out, rd_json_str(p, "name", NULL), 40);
        rd_buf_putc(out, ' ');
        put_clean(out, rd_json_str(p, "phase", NULL));
        rd_buf_puts(out, rd_json_path_bool(p, "ready", false) ? ", ready" : ", not ready");
        json_int_t restarts = rd_json_path_int(p, "restarts", 0);
        if (restarts)
            rd_buf_printf(out, ", %d restarts", (int)restarts);
        if (reason) {
            rd_buf_puts(out, "  ");
            put_clean(out, reason);
        }
        rd_buf_putc(out, '\n');
    }
}

static void put_amount(struct rd_buf *out, const json_t *ray, const char *key, const char *title)
{
    const json_t *a = json_object_get(ray, key);
    const json_t *used = json_object_get(a, "used");
    double total = json_number_value(json_object_get(a, "total"));
    if (json_is_number(used))
        rd_buf_printf(out, ", %g of %g %s used", json_number_value(used), total, title);
    else
        rd_buf_printf(out, ", %g %s", total, title);
}

static void put_ray(const json_t *ray, struct rd_buf *out)
{
    if (!json_is_object(ray))
        return;
    const double mib = 1 << 20;
    rd_buf_printf(out, "Ray: %d nodes alive", (int)rd_json_path_int(ray, "nodes.alive", 0));
    if (rd_json_path_int(ray, "nodes.dead", 0))
        rd_buf_printf(out, ", %d dead", (int)rd_json_path_int(ray, "nodes.dead", 0));
    put_amount(out, ray, "cpu", "CPUs");
    put_amount(out, ray, "gpu", "GPUs");
    rd_buf_printf(out, ", object store %.1f of %.1f MiB, %.1f MiB spilled\n",
                  (double)rd_json_path_int(ray, "object_store.used_bytes", 0) / mib,
                  (double)rd_json_path_int(ray, "object_store.total_bytes", 0) / mib,
                  (double)rd_json_path_int(ray, "spilled_bytes", 0) / mib);
}

static void put_jobs(const json_t *jobs, struct rd_buf *out)
{
    size_t i;
    const json_t *j;
    json_array_foreach (jobs, i, j) {
        rd_buf_puts(out, "job ");
        put_clean(out, rd_json_str(j, "id", NULL));
        rd_buf_putc(out, ' ');
        put_clean(out, rd_json_str(j, "status", NULL));
        rd_buf_puts(out, "  ");
        put_clean(out, rd_json_str(j, "entrypoint", NULL));
        rd_buf_putc(out, '\n');
    }
}

static void put_unreachable(const json_t *list, struct rd_buf *out)
{
    size_t i;
    const json_t *u;
    json_array_foreach (list, i, u) {
        rd_buf_puts(out, "unreachable: ");
        put_clean(out, rd_json_str(u, "part", NULL));
        rd_buf_puts(out, ": ");
        put_clean(out, rd_json_str(u, "reason", NULL));
        rd_buf_putc(out, '\n');
    }
}

void status_put(const json_t *look, struct rd_buf *out)
{
    size_t i;
    const json_t *pool;
    put_lock(look, out);
    json_array_foreach (json_object_get(look, "node_pools"), i, pool)
        put_pool(pool, out);
    put_pods(json_object_get(look, "pods"), out);
    put_ray(json_object_get(look, "ray"), out);
    put_jobs(json_object_get(look, "jobs"), out);
    put_unreachable(json_object_get(look, "unreachable"), out);
    put_versions(look, out);
}

void status_lines(const json_t *look, struct rd_strv *out)
{
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    size_t i, j;
    const json_t *p, *n;
    put_lock(look, &text);
    json_array_foreach (json_object_get(look, "node_pools"), i, p)
        json_array_foreach (json_object_get(p, "nodes"), j, n) {
            rd_buf_puts(&text, "node ");
            put_clean(&text, rd_json_str(n, "name", NULL));
            rd_buf_puts(&text, rd_json_path_bool(n, "ready", false) ? ": ready\n" : ": not ready\n");
        }
    json_array_foreach (json_object_get(look, "pods"), i, p) {
        const char *reason = rd_json_str(p, "reason", NULL);
        rd_buf_puts(&text, "pod ");
        put_clean(&text, rd_json_str(p, "name", NULL));
        rd_buf_puts(&text, ": ");
        put_clean(&text, rd_json_str(p, "phase", NULL));
        rd_buf_puts(&text, rd_json_path_bool(p, "ready", false) ? ", ready" : ", not ready");
        if (reason) {
            rd_buf_puts(&text, ", ");
            put_clean(&text, reason);
        }
        rd_buf_putc(&text, '\n');
    }
    const json_t *ray = json_object_get(look, "ray");
    if (json_is_object(ray))
        rd_buf_printf(&text, "Ray: %d nodes alive\n", (int)rd_json_path_int(ray, "nodes.alive", 0));
    put_jobs(json_object_get(look, "jobs"), &text);
    put_unreachable(json_object_get(look, "unreachable"), &text);
    rd_strv_split(out, rd_buf_str(&text), "\n");
}
