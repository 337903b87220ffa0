/* The door: finds the verb, reads the configuration, opens the window, runs, and gives the exit
 * code. */
#include "verb.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Crashes ---- */

/* Async-signal-safe: a fixed text, and out. The journal makes this just another crash. */
static void on_crash(int signum)
{
    static const char text[] =
        "\nraydeploy: internal error: this is a bug of raydeploy, not of your cluster.\n"
        "The journal is intact: run the same command again to go on. To report it, please send "
        "the\n"
        "lines above, the output of `raydeploy version`, and the file of --log-file.\n";
    ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)n;
    (void)signum;
    _exit(rd_err_exit_code(RD_ERR_INTERNAL));
}

static void catch_crashes(void)
{
    struct sigaction sa = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGABRT, &sa, NULL);
#ifndef __SANITIZE_ADDRESS__ /* whose own report says more */
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    sigaction(SIGFPE, &sa, NULL);
    sigaction(SIGILL, &sa, NULL);
#endif
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, NULL); /* a closed pipe is an answer of write(), no more */
}

/* ---- The window ---- */

static bool is_set(const char *env)
{
    const char *v = getenv(env);
    return v && *v;
}

static bool dumb_terminal(void)
{
    const char *term = getenv("TERM");
    return !term || !*term || rd_streq(term, "dumb");
}

/* Before the configuration is known (it may be what is wrong), the flag as it stands. */
static bool asked_for_json(int argc, char **argv, const char *flag, const char *letter)
{
    size_t n = strlen(flag);
    bool json = false;
    for (int i = 0; i < argc && !rd_streq(argv[i], "--"); i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : "";
        if (rd_streq(argv[i], flag) || rd_streq(argv[i], letter))
            json = rd_streq(next, "json"); /* the last one counts */
        else if (strncmp(argv[i], flag, n) == 0 && argv[i][n] == '=')
            json = rd_streq(argv[i] + n + 1, "json");
        else if (letter && rd_starts_with(argv[i], letter))
            json = rd_streq(argv[i] + strlen(letter) + (argv[i][strlen(letter)] == '='), "json");
    }
    return json;
}

static enum ui_mode mode_of(const struct config *c, const struct verb *verb)
{
    bool terminal = isatty(STDERR_FILENO) && !dumb_terminal();
    switch (c->progress) {
    case PROGRESS_JSON:
        return UI_JSON;
    case PROGRESS_QUIET:
        return UI_QUIET;
    case PROGRESS_PLAIN:
        return UI_PLAIN;
    case PROGRESS_TTY: /* never cursor codes where nobody can show them */
    case PROGRESS_AUTO:
        break;
    }
    return terminal && !verb->offline ? UI_TTY : UI_PLAIN;
}

static bool colored(const struct config *c)
{
    if (c->color != COLOR_AUTO)
        return c->color == COLOR_ALWAYS;
    return isatty(STDERR_FILENO) && !dumb_terminal() && !is_set("NO_COLOR");
}

static struct ui *open_window(const struct verb *verb, const struct config *c, bool json,
                              struct rd_err **reterr)
{
    struct ui_options o = {
        .mode = !c ? (json ? UI_JSON : UI_PLAIN) : mode_of(c, verb),
        .color = c && colored(c),
        .verbose = c ? c->verbose : 0,
        .log_file = c ? c->log_file : NULL,
        .github = rd_streq(getenv("GITHUB_ACTIONS"), "true"),
        .github_summary = is_set("GITHUB_STEP_SUMMARY") ? getenv("GITHUB_STEP_SUMMARY") : NULL,
        .verb = verb ? verb->name : NULL,
        .checks_to_stdout = !c || !c->json_output,
    };
    return ui_new(&o, reterr);
}

/* The last word: one result, whatever happened. */
static int close_window(struct ui *ui, int code, struct rd_err *take, const char *words,
                        uint64_t begun_ms)
{
    struct phase_note n = {.event = NOTE_RESULT,
                           .level = code ? NOTE_ERROR : NOTE_INFO,
                           .message = words,
                           .error = take,
                           .exit_code = code,
                           .elapsed_ms = rd_boot_ms() - begun_ms};
    ui_sink(ui)->emit(ui_sink(ui), &n);
    ui_free(ui);
    rd_err_free(take);
    return code;
}

static int refuse(const struct verb *verb, int argc, char **argv, struct rd_err *take)
{
    struct rd_err *err = NULL;
    struct ui *ui = open_window(verb, NULL, asked_for_json(argc, argv, "--progress", NULL), &err);
    RD_ASSERT(ui); /* without a log file nothing can fail */
    if (verb && !take->hint && take->kind == RD_ERR_INPUT)
        rd_err_hint(take, "See `raydeploy %s --help`.", verb->name);
    if (asked_for_json(argc, argv, "--output", "-o")) {
        struct verb_ctx v = {.ui = ui, .failure = take};
        RD_AUTOJSON json_t *o = json_object();
        verb_print_json(&v, o);
    }
    return close_window(ui, rd_err_exit_code(take->kind), take, NULL, rd_boot_ms());
}

/* ---- One verb ---- */

static bool check_words(const struct verb *verb, const struct config *c, struct rd_err **reterr)
{
    if (c->rest.len == 0 || verb->takes_words)
        return true;
    rd_fail(reterr, RD_ERR_INPUT, "unexpected argument \"%.200s\"", c->rest.v[0]);
    rd_err_hint(*reterr, "See `raydeploy %s --help`.", verb->name);
    return false;
}

static int run_verb(const struct verb *verb, const char *program, int argc, char **argv)
{
    struct verb_ctx v = {.verb = verb, .program = program, .argc = argc, .argv = argv};
    struct rd_err *err = NULL;
    uint64_t begun_ms = rd_boot_ms();
    if (!config_load(&v.config, argc, argv, verb->flags, verb->needs_deployment, &err))
        return refuse(verb, argc, argv, err);
    int code;
    v.ui = NULL;
    if (check_words(verb, &v.config, &err) &&
        (!verb->needs_deployment || config_require(&v.config, &err)))
        v.ui = open_window(verb, &v.config, false, &err);
    if (!v.ui) {
        config_clear(&v.config);
        return refuse(verb, argc, argv, err);
    }
    v.notes = ui_sink(v.ui);
    for (size_t i = 0; verb->needs_deployment && i < v.config.warnings.len; i++)
        verb_say(&v, NOTE_WARN, "%s", v.config.warnings.v[i]);
    if (!verb->offline)
        v.loop = loop_new();
    code = verb->run(&v);
    if (v.config.json_output && v.failure && !v.told) {
        RD_AUTOJSON json_t *o = json_object();
        verb_print_json(&v, o);
    }
    if (v.loop)
        loop_free(v.loop);
    /* A quiet success of a plumbing verb needs no closing words. */
    code = close_window(v.ui, code, v.failure, v.result, begun_ms);
    free(v.result);
    config_clear(&v.config);
    return code;
}

static int unknown_verb(const char *name, int argc, char **argv)
{
    struct rd_err *err = NULL;
    for (size_t i = 0; verbs_later[i]; i++)
        if (rd_streq(verbs_later[i], name)) {
            rd_fail(&err, RD_ERR_INPUT, "`raydeploy %s` is not in this version", name);
            return refuse(NULL, argc, argv, err);
        }
    struct rd_strv names = {NULL, 0};
    for (size_t i = 0; verbs[i]; i++)
        rd_strv_add(&names, verbs[i]->name);
    const char *near = rd_text_nearest(name, (const char *const *)names.v);
    rd_fail(&err, RD_ERR_INPUT, "unknown command \"%.200s\"", name);
    if (near)
        rd_err_hint(err, "Did you mean `raydeploy %s`? `raydeploy help` lists the commands.", near);
    else
        rd_err_hint(err, "`raydeploy help` lists the commands.");
    rd_strv_clear(&names);
    return refuse(NULL, argc, argv, err);
}

static bool asks_for(int argc, char **argv, const char *flag, const char *letter)
{
    for (int i = 0; i < argc && !rd_streq(argv[i], "--"); i++)
        if (rd_streq(argv[i], flag) || rd_streq(argv[i], letter))
            return true;
    return false;
}

/* A closed stream leaves its number to the next file or connection, and what is printed would go there. A
 * place where reading and writing fail keeps it, so that the display ends and nothing else does. */
static void hold_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/", O_PATH | O_DIRECTORY); /* the lowest free number: this one */
}

int main(int argc, char **argv)
{
    hold_standard_streams();
    rd_alloc_init();
    catch_crashes();
    const char *program = argc > 0 ? argv[0] : "raydeploy";
    argc -= argc > 0;
    argv += argc > 0 || program == argv[0];
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    int at = config_verb_index(argc, argv);
    const struct verb *verb = at < 0 ? NULL : verb_find(argv[at]);
    if (asks_for(argc, argv, "--help", "-h") && (at < 0 || verb)) {
        if (verb)
            verb_usage(verb, &text);
        else
            verb_overview(&text);
        return ui_result(rd_buf_str(&text), text.len) ? 0 : 1;
    }
    if (at < 0 && asks_for(argc, argv, "--version", "--version")) {
        bool json = asked_for_json(argc, argv, "--output", "-o");
        char *output[] = {"--output=json"};
        return run_verb(&verb_version, program, json, output);
    }
    if (at < 0) {
        verb_overview(&text);
        struct rd_err *err = NULL;
        rd_fail(&err, RD_ERR_INPUT, "no command is given");
        rd_err_hint(err, "%s", "`raydeploy help` lists the commands.");
        return refuse(NULL, argc, argv, err);
    }
    if (!verb)
        return unknown_verb(argv[at], argc, argv);
    /* Flags may stand before the verb as well. */
    char **args = rd_calloc((size_t)argc, sizeof(*args));
    int n = 0;
    for (int i = 0; i < argc; i++)
        if (i != at)
            args[n++] = argv[i];
    int code = run_verb(verb, program, n, args);
    free(args);
    return code;
}
