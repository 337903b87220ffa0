/* Goal: every sink says the same things in its own form, never holds up the deploy, and never shows
 * a secret or a control byte. */
#include "base/test.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/secret.h"
#include "ui/internal.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int reader = -1;

static struct ui *window(enum ui_mode mode)
{
    struct rd_err *err = NULL;
    struct ui_options o = {.mode = mode, .verb = "up"};
    struct ui *u = ui_new(&o, &err);
    int fds[2];
    assert_non_null(u);
    assert_int_equal(pipe(fds), 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    reader = fds[0];
    u->out.fd = fds[1];
    return u;
}

/* What was written until now. Owned. */
static char *take_text(void)
{
    struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    char chunk[4096];
    ssize_t n;
    while ((n = read(reader, chunk, sizeof(chunk))) > 0)
        rd_buf_append(&b, chunk, (size_t)n);
    return rd_buf_take(&b, NULL);
}

static void close_window(struct ui *u)
{
    int fd = u->out.fd;
    ui_free(u);
    close(fd);
    close(reader);
}

static void emit(struct ui *u, const struct phase_note *n)
{
    ui_sink(u)->emit(ui_sink(u), n);
}

static void step(struct ui *u, const char *id, enum note_state state, const char *detail,
                 const char *message)
{
    emit(u, &(struct phase_note){.event = NOTE_STEP,
                                 .level = NOTE_INFO,
                                 .step = id,
                                 .state = state,
                                 .detail = detail,
                                 .message = message});
}

static void want(const char *row, char *take_got, const char *part, bool there)
{
    if ((strstr(take_got, part) != NULL) != there)
        fail_msg("%s: %s \"%s\" in: %s", row, there ? "no" : "unwanted", part, take_got);
    free(take_got);
}

/* ---- JSON ---- */

static void json_has_what_the_contract_says(void **state)
{
    (void)state;
    struct rd_err *err = rd_err_new(RD_ERR_CREDENTIALS, "cannot apply ConfigMap/a");
    err->http_status = 403;
    err->reason = rd_strdup("Forbidden");
    err->remote = rd_strdup("user \033[31mx cannot");
    rd_err_hint(err, "Ask for it.");
    rd_err_resource(err, "ConfigMap/a");
    struct phase_note n = {.event = NOTE_STEP,
                           .level = NOTE_ERROR,
                           .step = "base",
                           .state = NOTE_FAILED,
                           .message = "bad \xff byte",
                           .elapsed_ms = 1234,
                           .error = err};
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(1 << 16);
    ui_format_json(&b, &n, 1767323045678);
    rd_check_str(
        "json", rd_buf_str(&b),
        "{\"elapsed_ms\":1234,\"error\":{\"code\":\"credentials\",\"exit_code\":3,\"hint\":"
        "\"Ask for it.\",\"http_status\":403,\"message\":\"cannot apply ConfigMap/a\","
        "\"reason\":\"Forbidden\",\"remote\":\"user \\\\x1b[31mx cannot\",\"resource\":"
        "\"ConfigMap/a\"},\"event\":\"step\",\"level\":\"error\",\"message\":\"bad \\\\xff "
        "byte\",\"state\":\"failed\",\"step\":\"base\",\"time\":"
        "\"2026-01-02T03:04:05.678Z\"}\n");
    rd_err_free(err);
}

static void the_result_is_the_last_line(void **state)
{
    (void)state;
    struct ui *u = window(UI_JSON);
    emit(u, &(struct phase_note){.event = NOTE_RESULT, .exit_code = 5});
    step(u, "ray", NOTE_RUNNING, NULL, "late");
    emit(u, &(struct phase_note){.event = NOTE_LOG, .level = NOTE_DEBUG, .message = "detail"});
    int fd = u->out.fd;
    ui_free(u);
    char *text = take_text();
    char *last = strstr(text, "\"event\":\"result\"");
    if (!last || !strstr(last, "\"exit_code\":5") || strchr(strchr(last, '\n') + 1, '\n'))
        fail_msg("result is not last: %s", text);
    assert_null(strstr(text, "detail"));
    free(text);
    close(fd);
    close(reader);
}

static void secrets_reach_no_sink(void **state)
{
    (void)state;
    struct rd_secret secret = {0};
    rd_secret_set(&secret, "s3cr3t-t0ken-value", 18);
    for (int mode = 0; mode <= UI_JSON; mode++) {
        struct ui *u = window((enum ui_mode)mode);
        struct rd_err *err = rd_err_new(RD_ERR_FAILED, "said s3cr3t-t0ken-value");
        step(u, "ray", NOTE_RUNNING, NULL, "token s3cr3t-t0ken-value");
        step(u, "ray", NOTE_FAILED, NULL, "token s3cr3t-t0ken-value");
        emit(u, &(struct phase_note){
                    .event = NOTE_LOG, .level = NOTE_WARN, .message = "s3cr3t-t0ken-value"});
        emit(u, &(struct phase_note){.event = NOTE_RESULT, .exit_code = 1, .error = err});
        int fd = u->out.fd;
        ui_free(u);
        want("secret", take_text(), "s3cr3t-t0ken-value", false);
        close(fd);
        close(reader);
        rd_err_free(err);
    }
    rd_secret_clear(&secret);
    rd_redact_forget_all();
}

/* ---- Plain lines ---- */

static void plain_says_each_change_once(void **state)
{
    (void)state;
    struct ui *u = window(UI_PLAIN);
    ui_name_step(u, "ray", "RayCluster");
    step(u, "ray", NOTE_PENDING, "blocked", NULL);
    want("pending", take_text(), "RayCluster", false);
    step(u, "ray", NOTE_RUNNING, "looking", NULL);
    want("running", take_text(), "RayCluster: looking\n", true);
    step(u, "ray", NOTE_RUNNING, "waiting", "no head pod yet");
    want("message", take_text(), "RayCluster: no head pod yet\n", true);
    step(u, "ray", NOTE_RUNNING, "waiting", "no head pod yet");
    want("again", take_text(), "RayCluster", false);
    step(u, "ray", NOTE_DONE, "done", "ready");
    want("done", take_text(), "RayCluster: done: ready", true);
    /* The last look before success is no news, unless it brings some. */
    step(u, "ray", NOTE_RUNNING, "looking", NULL);
    step(u, "ray", NOTE_DONE, "done", "ready");
    want("last look", take_text(), "RayCluster", false);
    step(u, "ray", NOTE_RUNNING, "looking", NULL);
    step(u, "ray", NOTE_FAILED, "failed", "RayCluster: gone");
    want("last look fails", take_text(), "RayCluster: FAILED: gone", true);
    emit(u, &(struct phase_note){.event = NOTE_REQUEST, .level = NOTE_DEBUG, .resource = "GET /x"});
    want("requests need -vv", take_text(), "GET", false);
    step(u, "x", NOTE_RUNNING, NULL, "evil \033[2J\r\ntext");
    char *text = take_text();
    if (strchr(text, '\033') || strchr(text, '\r'))
        fail_msg("a control byte came through: %s", text);
    free(text);
    close_window(u);
}

static void silence_has_a_heartbeat(void **state)
{
    (void)state;
    struct ui *u = window(UI_PLAIN);
    step(u, "ray", NOTE_RUNNING, "waiting", "no head pod yet");
    free(take_text());
    uint64_t now = rd_boot_ms();
    ui_tick(u, now + 5000);
    want("5 s", take_text(), "still", false);
    ui_tick(u, now + 29000);
    want("29 s", take_text(), "still waiting: ray (29s) no head pod yet\n", true);
    ui_tick(u, now + 30000);
    want("just said", take_text(), "still", false);
    ui_tick(u, now + 58000);
    want("58 s", take_text(), "still waiting", true);
    close_window(u);
    u = window(UI_JSON);
    step(u, "ray", NOTE_RUNNING, "waiting", "no head pod yet");
    ui_tick(u, rd_boot_ms() + 29000);
    want("JSON", take_text(), "\"message\":\"still waiting: ray (29s) no head pod yet\"", true);
    close_window(u);
    u = window(UI_QUIET);
    step(u, "ray", NOTE_RUNNING, "waiting", "no head pod yet");
    ui_tick(u, now + 90000);
    want("quiet", take_text(), "ray", false);
    close_window(u);
}

/* ---- Readers that are slow or gone ---- */

static void a_stuck_reader_holds_up_nothing(void **state)
{
    (void)state;
    struct ui *u = window(UI_PLAIN);
    char message[64];
    for (int i = 0; i < 3000; i++) { /* several times what a pipe holds; would block for ever */
        snprintf(message, sizeof(message), "message number %d of a long series of them", i);
        step(u, "ray", NOTE_RUNNING, NULL, message);
    }
    assert_false(ui_out_idle(&u->out));
    struct rd_buf all = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (int i = 0; i < 1000 && !ui_out_idle(&u->out); i++) {
        char *text = take_text();
        rd_buf_puts(&all, text);
        free(text);
        ui_tick(u, rd_boot_ms());
    }
    char *text = take_text();
    rd_buf_puts(&all, text);
    free(text);
    assert_true(ui_out_idle(&u->out));
    if (!strstr(rd_buf_str(&all), "number 0 ") || !strstr(rd_buf_str(&all), "number 2999 "))
        fail_msg("lines are missing, %zu bytes came", all.len);
    rd_buf_clear(&all);
    close_window(u);
}

static void a_closed_reader_ends_only_the_display(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    struct ui *u = window(UI_TTY);
    step(u, "ray", NOTE_RUNNING, NULL, "before");
    close(reader);
    for (int i = 0; i < 10; i++) {
        step(u, "ray", NOTE_DONE, NULL, "x");
        step(u, "ray", NOTE_RUNNING, NULL, "y");
        ui_tick(u, rd_boot_ms());
    }
    assert_true(u->out.closed);
    reader = open("/dev/null", O_RDONLY);
    close_window(u);
}

static void detached_windows_still_log(void **state)
{
    (void)state;
    char path[] = "/tmp/raydeploy-ui-XXXXXX";
    close(mkstemp(path));
    struct rd_err *err = NULL;
    struct ui_options o = {.mode = UI_QUIET, .log_file = path, .verb = "up"};
    struct ui *u = ui_new(&o, &err);
    assert_non_null(u);
    ui_detach(u);
    emit(u, &(struct phase_note){.event = NOTE_REQUEST, .level = NOTE_DEBUG, .resource = "GET /x"});
    emit(u, &(struct phase_note){.event = NOTE_RESULT, .exit_code = 0});
    ui_free(u);
    char text[2048] = {0};
    int fd = open(path, O_RDONLY);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    unlink(path);
    if (!strstr(text, "GET /x") || !strstr(text, "\"event\":\"result\""))
        fail_msg("log file holds: %s", text);
    o.log_file = "/nonexistent/folder/log";
    assert_null(ui_new(&o, &err));
    rd_check_err("log file", &err, RD_ERR_INPUT, "cannot open log file");
}

/* ---- The live view ---- */

static void cutting_counts_columns(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned columns, used;
        const char *want;
    } rows[] = {
        {"short", 10, 5, "short"},
        {"exactly10!", 10, 10, "exactly10!"},
        {"longer than ten", 10, 10, "longer ..."},
        {"\033[31mred\033[0m", 3, 3, "\033[31mred\033[0m"},
        {"\033[31mlonger than\033[0m", 8, 8, "\033[31mlonge\033[0m..."},
        {"héé", 3, 3, "héé"},
        {"日本語", 6, 6, "日本語"},
        {"日本語x", 6, 5, "日..."},
        {"", 5, 0, ""},
    };
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        skip();
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(1024);
        unsigned used = ui_format_cut(&b, rows[i].text, rows[i].columns);
        rd_check_str(rows[i].text, rd_buf_str(&b), rows[i].want);
        rd_check_int(rows[i].text, used, rows[i].used);
    }
}

static void the_view_has_a_line_for_each_running_step(void **state)
{
    (void)state;
    struct ui *u = window(UI_TTY);
    char id[16];
    for (int i = 0; i < 6; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        step(u, id, NOTE_RUNNING, NULL, "waits for something with quite a long description");
    }
    step(u, "s2", NOTE_DONE, NULL, NULL);
    uint64_t now = rd_boot_ms() + 62000;
    struct rd_strv lines = {NULL, 0};
    ui_tty_layout(u, now, 40, 24, &lines);
    rd_check_int("lines", (long long)lines.len, 5);
    for (size_t i = 0; i < lines.len; i++) {
        RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(1024);
        unsigned used = ui_format_cut(&b, lines.v[i], 1000);
        if (used > 39 || !strstr(lines.v[i], "1m 2s"))
            fail_msg("line %zu takes %u columns: %s", i, used, lines.v[i]);
    }
    rd_strv_clear(&lines);
    ui_tty_layout(u, now, 80, 5, &lines);
    rd_check_int("low screen", (long long)lines.len, 3);
    rd_check_str("low screen", lines.v[2], "... and 3 more");
    rd_strv_clear(&lines);
    free(take_text());
    ui_tick(u, now);
    ui_tick(u, now + 250);
    char *text = take_text();
    if (!strstr(text, "\033[5A") || strstr(text, "?25l"))
        fail_msg("frames do not replace each other: %s", text);
    free(text);
    close_window(u);
}

/* ---- Errors ---- */

static void errors_say_what_where_why_and_what_to_do(void **state)
{
    (void)state;
    struct rd_err *err = rd_err_new(RD_ERR_FAILED, "RayCluster: cannot apply it");
    rd_err_resource(err, "RayCluster/ray-system/ray");
    err->http_status = 422;
    err->reason = rd_strdup("Invalid");
    err->remote = rd_strdup("first line\nsecond line");
    err->cause = rd_err_new(RD_ERR_FAILED, "spec is wrong");
    rd_err_hint(err->cause, "Mend it.");
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(4096);
    ui_error_text(err, false, &b);
    rd_check_str("error", rd_buf_str(&b),
                 "error: RayCluster: cannot apply it\n"
                 "  resource: RayCluster/ray-system/ray\n"
                 "  answer:   HTTP 422, Invalid\n"
                 "  remote:   first line\n"
                 "            second line\n"
                 "  because:  spec is wrong\n"
                 "  hint:     Mend it.\n");
    rd_buf_reset(&b);
    rd_err_free(err);
    err = rd_err_new(RD_ERR_FAILED, "100%% wrong");
    rd_err_hint(err, "One.\nTwo: a, b.");
    ui_format_annotation(&b, err, "up");
    rd_check_str("annotation", rd_buf_str(&b),
                 "::error title=raydeploy up::100%25 wrong%0AOne.%0ATwo: a, b.\n");
    rd_err_free(err);
}

static void github_gets_a_summary(void **state)
{
    (void)state;
    char path[] = "/tmp/raydeploy-summary-XXXXXX";
    close(mkstemp(path));
    struct ui *u = window(UI_PLAIN);
    u->github = true;
    u->github_summary = rd_strdup(path);
    step(u, "ray", NOTE_RUNNING, NULL, NULL);
    step(u, "ray", NOTE_FAILED, NULL, "a|b");
    struct rd_err *err = rd_err_new(RD_ERR_FAILED, "broken");
    emit(u, &(struct phase_note){.event = NOTE_RESULT, .exit_code = 1, .error = err});
    rd_err_free(err);
    int fd = u->out.fd;
    ui_free(u);
    want("annotation", take_text(), "::error title=raydeploy up::broken\n", true);
    close(fd);
    close(reader);
    char text[4096] = {0};
    fd = open(path, O_RDONLY);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    unlink(path);
    if (!strstr(text, "| ray | failed |") || !strstr(text, "a\\|b") ||
        !strstr(text, "Exit code 1."))
        fail_msg("summary: %s", text);
}

int main(void)
{
    rd_alloc_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_has_what_the_contract_says),
        cmocka_unit_test(the_result_is_the_last_line),
        cmocka_unit_test(secrets_reach_no_sink),
        cmocka_unit_test(plain_says_each_change_once),
        cmocka_unit_test(silence_has_a_heartbeat),
        cmocka_unit_test(a_stuck_reader_holds_up_nothing),
        cmocka_unit_test(a_closed_reader_ends_only_the_display),
        cmocka_unit_test(detached_windows_still_log),
        cmocka_unit_test(cutting_counts_columns),
        cmocka_unit_test(the_view_has_a_line_for_each_running_step),
        cmocka_unit_test(errors_say_what_where_why_and_what_to_do),
        cmocka_unit_test(github_gets_a_summary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
