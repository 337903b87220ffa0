#include "ray/verify.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

#define VERIFY_LINE_MAX ((size_t)16 << 10)
#define VERIFY_WAIT_S 300
/* A GPU node from nothing: the machine, its driver, and an image of many gigabytes. */
#define VERIFY_GPU_WAIT_S 720
#define VERIFY_SUMMARY "RAYDEPLOY-VERIFY "

const char ray_verify_entrypoint[] = "python verify.py";

static json_t *optional(const char *s)
{
    return s ? json_string(s) : json_null();
}

bool ray_verify_package(const char *program, size_t len, const struct ray_verify_expect *e,
                        struct ray_package *ret, struct rd_err **reterr)
{
    RD_AUTOJSON json_t *expect = rd_json_pack(
        "{s:i, s:f, s:f, s:b, s:o, s:o, s:b, s:o, s:i, s:i}", "nodes", e->nodes, "cpus", e->cpus, "gpus",
        e->gpus, "gpu_autoscale", (int)e->gpu_autoscale, "shared_path", optional(e->shared_path),
        "shared_skip", optional(e->shared_skip), "spill", (int)e->spill, "spill_skip",
        optional(e->spill_skip), "wait_s", (int)(e->wait_s ? e->wait_s : VERIFY_WAIT_S),
        "gpu_wait_s", e->gpu_autoscale ? VERIFY_GPU_WAIT_S : VERIFY_WAIT_S);
    RD_AUTOFREE char *text = rd_json_dump(expect);
    struct ray_packer *p = ray_packer_new();
    bool ok = ray_packer_add(p, "verify.py", program, len, false, reterr) &&
              ray_packer_add(p, "expect.json", text, strlen(text), false, reterr) &&
              ray_packer_finish(p, ret, reterr);
    ray_packer_free(p);
    return ok;
}

/* ---- The log ---- */

void ray_verify_log_init(struct ray_verify_log *v)
{
    *v = (struct ray_verify_log){0};
    rd_buf_init(&v->line, VERIFY_LINE_MAX);
}

void ray_verify_log_clear(struct ray_verify_log *v)
{
    rd_buf_clear(&v->line);
}

/* {"pass":N,"fail":N,"skip":N}: believed only if it is what was counted here. */
static void summary_line(struct ray_verify_log *v, const char *text)
{
    json_error_t ignored;
    RD_AUTOJSON json_t *s = json_loads(text, 0, &ignored);
    v->summary = s && rd_json_path_int(s, "pass", -1) == (json_int_t)v->pass &&
                 rd_json_path_int(s, "fail", -1) == (json_int_t)v->fail &&
                 rd_json_path_int(s, "skip", -1) == (json_int_t)v->skip && v->pass > 0;
}

static bool check_line(struct ray_verify_log *v, char *line)
{
    static const char *const words[] = {"PASS ", "FAIL ", "SKIP "};
    unsigned *const counts[] = {&v->pass, &v->fail, &v->skip};
    for (size_t i = 0; i < RD_ARRAY_LEN(words); i++) {
        if (!rd_starts_with(line, words[i]))
            continue;
        char *name = line + strlen(words[i]), *colon = strchr(name, ':');
        if (!colon || colon == name || memchr(name, ' ', (size_t)(colon - name)))
            return false;
        *colon = '\0';
        char *detail = colon + 1 + (colon[1] == ' ');
        ++*counts[i];
        if (v->on_check)
            v->on_check(v, (enum ray_check_word)i, name, detail);
        return true;
    }
    return false;
}

static void line_ends(struct ray_verify_log *v)
{
    char *line = rd_buf_take(&v->line, NULL);
    rd_buf_init(&v->line, VERIFY_LINE_MAX);
    size_t len = strlen(line);
    if (len > 0 && line[len - 1] == '\r')
        line[len - 1] = '\0';
    if (rd_starts_with(line, VERIFY_SUMMARY))
        summary_line(v, line + strlen(VERIFY_SUMMARY));
    else if (!check_line(v, line) && *line && v->on_other)
        v->on_other(v, line);
    free(line);
}

void ray_verify_log_feed(struct ray_verify_log *v, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n')
            line_ends(v);
        else if (data[i] != '\0' &&
                 v->line.len < VERIFY_LINE_MAX) /* the rest of a longer line is dropped */
            rd_buf_putc(&v->line, data[i]);
    }
}

void ray_verify_log_end(struct ray_verify_log *v)
{
    if (v->line.len > 0)
        line_ends(v);
}
