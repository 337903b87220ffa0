/* job: shapes, quoting, exit codes, and the log's way to standard output. */
#include "base/test.h"

#include "base/alloc.h"
#include "job.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void words_are_quoted_as_shells_read_them(void **state)
{
    (void)state;
    static const struct {
        const char *words[4], *line;
    } rows[] = {
        {{"python", "main.py", "--n=3"}, "python main.py --n=3"},
        {{"echo", "a b", "$HOME"}, "echo 'a b' '$HOME'"},
        {{"x", "", "it's"}, "x '' 'it'\"'\"'s'"},
        {{"a@b%c+d=e:f,g.h/i-j_k"}, "a@b%c+d=e:f,g.h/i-j_k"},
        {{"\303\244"}, "'\303\244'"},
        {{"a&&b", "c;d"}, "'a&&b' 'c;d'"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        size_t n = 0;
        while (n < 4 && rows[i].words[n])
            n++;
        RD_AUTOFREE char *line = job_shell_join((char *const *)rows[i].words, n);
        rd_check_str("line", line, rows[i].line);
    }
}

/* The documented shape (docs/json.md): every key, whatever Ray left out. */
static void shape_of_a_job(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *job = rd_json_pack(
        "{s:s, s:n, s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:{s:s}, s:{s:s}}", "submission_id", "a",
        "job_id", "type", "SUBMISSION", "status", "FAILED", "entrypoint", "x", "message", "m",
        "start_time", (json_int_t)1767322985678, "end_time", (json_int_t)0, "driver_exit_code", 3,
        "metadata", "k", "v", "runtime_env", "secret", "not shown");
    RD_AUTOJSON json_t *o = job_json(job), *none = job_json(NULL);
    RD_AUTOFREE char *text = rd_json_dump(o), *empty = rd_json_dump(none);
    rd_check_str("job", text,
                 "{\"driver_exit_code\":3,\"end_time\":null,\"entrypoint\":\"x\",\"error_type\":null,"
                 "\"job_id\":null,\"message\":\"m\",\"metadata\":{\"k\":\"v\"},\"start_time\":"
                 "\"2026-01-02T03:03:05.678Z\",\"status\":\"FAILED\",\"submission_id\":\"a\",\"type\":"
                 "\"SUBMISSION\"}");
    rd_check_str("nothing", empty,
                 "{\"driver_exit_code\":null,\"end_time\":null,\"entrypoint\":null,\"error_type\":null,"
                 "\"job_id\":null,\"message\":null,\"metadata\":{},\"start_time\":null,\"status\":null,"
                 "\"submission_id\":null,\"type\":null}");
}

static void exit_codes(void **state)
{
    (void)state;
    static const struct {
        bool flag;
        int code, driver, want;
    } rows[] = {{false, 8, 3, 8}, {true, 8, 3, 3},   {true, 8, -1, 8},  {true, 8, 0, 8},
                {true, 0, 0, 0},  {true, 5, 3, 5},   {true, 8, 137, 137}, {true, 8, 256, 8}};
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct verb_ctx v = {0};
        v.config.verb_flags = rd_json_pack("{s:b}", "exit-code-from-job", rows[i].flag);
        struct job_verb j = {.v = &v, .driver_exit_code = rows[i].driver};
        rd_check_int("code", job_exit_code(&j, rows[i].code), rows[i].want);
        json_decref(v.config.verb_flags);
    }
}

/* What the log writes to standard output, cut into pieces of n bytes on its way in. */
static char *written(bool terminal, bool json, size_t n, const char *text)
{
    FILE *file = tmpfile();
    struct rd_err *err = NULL;
    struct ui_options o = {.mode = UI_QUIET};
    assert_non_null(file);
    fflush(stdout);
    int keep = dup(STDOUT_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    struct verb_ctx v = {.ui = ui_new(&o, &err)};
    v.config.json_output = json;
    struct job_log l;
    job_log_init(&l, &v);
    l.terminal = terminal;
    for (size_t i = 0, len = strlen(text); i < len; i += n)
        job_log_write(&l, text + i, len - i < n ? len - i : n);
    job_log_end(&l);
    job_log_clear(&l);
    ui_free(v.ui);
    dup2(keep, STDOUT_FILENO);
    close(keep);
    char *got = rd_calloc(1, 4096);
    rewind(file);
    size_t len = fread(got, 1, 4095, file);
    got[len] = '\0';
    fclose(file);
    return got;
}

static void log_on_its_way_out(void **state)
{
    (void)state;
    static const char text[] = "a\tb\r\n\033[31mred\033[0m\033]0;title\007\033[2J\177 \303\244\nlast";
    static const char shown[] = "a\tb\r\n\033[31mred\033[0m\\x1b]0;title\\x07\\x1b[2J\\x7f \303\244\nlast";
    static const char lines[] =
        "{\"log\":\"a\\tb\\r\\n\"}\n"
        "{\"log\":\"\\u001B[31mred\\u001B[0m\\u001B]0;title\\u0007\\u001B[2J\177 \303\244\\n\"}\n"
        "{\"log\":\"last\"}\n";
    for (size_t n = 1; n < 20; n += 3) {
        RD_AUTOFREE char *raw = written(false, false, n, text);
        RD_AUTOFREE char *tty = written(true, false, n, text);
        RD_AUTOFREE char *json = written(false, true, n, text);
        rd_check_str("into a file", raw, text);
        rd_check_str("on a terminal", tty, shown);
        rd_check_str("as JSON", json, lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_quoted_as_shells_read_them),
        cmocka_unit_test(shape_of_a_job),
        cmocka_unit_test(exit_codes),
        cmocka_unit_test(log_on_its_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
