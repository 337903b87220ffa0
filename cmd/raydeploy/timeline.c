/* up --timeline: where the time went, as one page or as a trace. */
#include "deploy.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"

#include <string.h>

bool timeline_check(const char *path, struct rd_err **reterr)
{
    if (rd_ends_with(path, ".html") || rd_ends_with(path, ".json"))
        return true;
    return rd_fail(reterr, RD_ERR_INPUT, "--timeline \"%s\" must end in .html or .json", path);
}

static bool has_run(const struct deploy *d, unsigned i)
{
    return d->spans[i].ended_ms != 0;
}

/* Backwards from the step that ended last: each time to the need that ended last. */
static step_set critical_path(const struct deploy *d)
{
    step_set path = 0;
    int at = -1;
    for (unsigned i = 0; i < d->result.step_count; i++)
        if (has_run(d, i) && (at < 0 || d->spans[i].ended_ms >= d->spans[at].ended_ms))
            at = (int)i;
    while (at >= 0) {
        path |= (step_set)1 << at;
        step_set needs = d->rows[at].core.needs & ~path;
        int last = -1;
        for (unsigned i = 0; i < d->result.step_count; i++)
            if ((needs & ((step_set)1 << i)) && has_run(d, i) &&
                (last < 0 || d->spans[i].ended_ms > d->spans[last].ended_ms))
                last = (int)i;
        at = last;
    }
    return path;
}

char *deploy_critical_path(const struct deploy *d)
{
    step_set path = critical_path(d);
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    unsigned n = 0;
    for (unsigned i = 0; i < d->result.step_count; i++) {
        char text[32];
        if (!(path & ((step_set)1 << i)) || d->spans[i].ended_ms - d->spans[i].begun_ms < 10)
            continue;
        rd_duration_text(d->spans[i].ended_ms - d->spans[i].begun_ms, text);
        rd_buf_printf(&b, "%s%s %s", n++ ? ", " : "", d->rows[i].core.id, text);
    }
    return n > 1 ? rd_buf_take(&b, NULL) : NULL;
}

static void html_text(struct rd_buf *out, const char *text)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    ui_clean(&b, text ? text : "");
    for (const char *p = rd_buf_str(&b); *p; p++) {
        if (*p == '<')
            rd_buf_puts(out, "&lt;");
        else if (*p == '&')
            rd_buf_puts(out, "&amp;");
        else if (*p == '"')
            rd_buf_puts(out, "&quot;");
        else
            rd_buf_putc(out, *p);
    }
}

enum { ROW = 28, LEFT = 260, WIDTH = 900, RIGHT = 90 };

void timeline_html(const struct deploy *d, struct rd_buf *out)
{
    const struct drive_result *r = &d->result;
    step_set path = critical_path(d);
    uint64_t total = r->elapsed_ms ? r->elapsed_ms : 1;
    unsigned shown = 0;
    char text[32];
    for (unsigned i = 0; i < r->step_count; i++)
        shown += has_run(d, i);
    rd_duration_text(r->elapsed_ms, text);
    rd_buf_puts(
        out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>raydeploy ");
    html_text(out, d->v->verb->name);
    rd_buf_puts(out,
                "</title><style>\nbody{font:14px sans-serif;margin:2em;color:#222;background:#fff}"
                "\nrect{fill:#9bb8d3}rect.critical{fill:#d9822b}rect.failed{fill:#c23b3b}\n"
                "text{font-size:13px;dominant-baseline:middle}line{stroke:#ddd}\n"
                "</style></head><body>\n<h1>raydeploy ");
    html_text(out, d->v->verb->name);
    rd_buf_puts(out, " ");
    html_text(out, d->v->config.name);
    rd_buf_printf(out,
                  "</h1>\n<p>%s in all; exit code %d. The critical path is marked: a step on it "
                  "that gets faster makes the whole faster.</p>\n"
                  "<svg width=\"%d\" height=\"%u\" role=\"img\">\n",
                  text, r->exit_code, LEFT + WIDTH + RIGHT, (shown + 1) * ROW);
    for (int tick = 0; tick <= 10; tick++) {
        int x = LEFT + WIDTH * tick / 10;
        rd_duration_text(total * (uint64_t)tick / 10, text);
        rd_buf_printf(out,
                      "<line x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%u\"/><text x=\"%d\" y=\"%d\">%s"
                      "</text>\n",
                      x, x, ROW, (shown + 1) * ROW, x, ROW / 2, text);
    }
    unsigned row = 0;
    for (unsigned i = 0; i < r->step_count; i++) {
        const struct drive_step_report *s = &r->steps[i];
        const struct deploy_span *span = &d->spans[i];
        if (!has_run(d, i))
            continue;
        uint64_t from = span->begun_ms > r->begun_ms ? span->begun_ms - r->begun_ms : 0;
        uint64_t ms = span->ended_ms - span->begun_ms;
        int y = (int)(++row) * ROW;
        int x = LEFT + (int)(from * WIDTH / total), w = (int)(ms * WIDTH / total);
        bool on_path = path & ((step_set)1 << i);
        rd_duration_text(ms, text);
        rd_buf_printf(out, "<text x=\"0\" y=\"%d\">", y + ROW / 2);
        html_text(out, s->title);
        rd_buf_printf(out, "</text><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"%s><title>", x,
                      y + 4, w > 2 ? w : 2, ROW - 8,
                      s->state == STEP_FAILED ? " class=\"failed\""
                      : on_path               ? " class=\"critical\""
                                              : "");
        html_text(out, s->err ? s->err->message : s->reason);
        rd_buf_printf(out, "</title></rect><text x=\"%d\" y=\"%d\">%s%s</text>\n",
                      x + (w > 2 ? w : 2) + 6, y + ROW / 2, text, on_path ? " *" : "");
    }
    rd_buf_puts(out, "</svg>\n<p>* critical path</p>\n</body></html>\n");
}

void timeline_trace(const struct deploy *d, struct rd_buf *out)
{
    const struct drive_result *r = &d->result;
    step_set path = critical_path(d);
    json_t *events = json_array();
    for (unsigned i = 0; i < r->step_count; i++) {
        const struct drive_step_report *s = &r->steps[i];
        const struct deploy_span *span = &d->spans[i];
        if (!has_run(d, i))
            continue;
        uint64_t from = span->begun_ms > r->begun_ms ? span->begun_ms - r->begun_ms : 0;
        RD_AUTOBUF struct rd_buf reason = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        ui_clean(&reason, s->err ? s->err->message : s->reason ? s->reason : "");
        /* A row of its own for each step, as the viewers have it: thread ids. Times are in
         * microseconds. */
        json_array_append_new(
            events,
            rd_json_pack("{s:s, s:s, s:s, s:I, s:I, s:i, s:i, s:{s:s, s:s, s:b, s:s}}", "name",
                         s->title, "cat", "step", "ph", "X", "ts", (json_int_t)from * 1000, "dur",
                         (json_int_t)(span->ended_ms - span->begun_ms) * 1000, "pid", 1, "tid",
                         (int)i + 1, "args", "id", s->id, "state", step_state_name(s->state),
                         "critical", (path & ((step_set)1 << i)) != 0, "reason",
                         rd_buf_str(&reason)));
        json_array_append_new(events, rd_json_pack("{s:s, s:s, s:i, s:i, s:{s:s}}", "name",
                                                   "thread_name", "ph", "M", "pid", 1, "tid",
                                                   (int)i + 1, "args", "name", s->title));
    }
    RD_AUTOJSON json_t *trace =
        rd_json_pack("{s:o, s:s}", "traceEvents", events, "displayTimeUnit", "ms");
    RD_AUTOFREE char *text = rd_json_dump(trace);
    rd_buf_printf(out, "%s\n", text);
}

bool timeline_write(const struct deploy *d, const char *path, struct rd_err **reterr)
{
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    if (rd_ends_with(path, ".html"))
        timeline_html(d, &text);
    else
        timeline_trace(d, &text);
    return rd_file_write_atomic(path, rd_buf_str(&text), text.len, 0644, reterr);
}
