/* job delete against a server that plays the dashboard: Ray's own watcher of a job may write the record anew
 * after it was deleted, so what is deleted is looked at again. */
#include "base/test.h"

#include "base/alloc.h"
#include "harness/talk.h"
#include "job.h"

#include <stdlib.h>
#include <string.h>

#define VERSION                                                                                    \
    {                                                                                              \
        "GET /api/version", 200, NULL, "{\"version\":\"4\",\"ray_version\":\"2.60.0\"}",           \
            TALK_KEEP, 0                                                                           \
    }
#define DELETED                                                                                    \
    {                                                                                              \
        "DELETE /api/jobs/a", 200, NULL, "{\"deleted\":true}", TALK_KEEP, 0                        \
    }
#define GONE(method)                                                                               \
    {                                                                                              \
        method " /api/jobs/a", 404, "Content-Type: text/plain\r\n", "Job a does not exist",        \
            TALK_KEEP, 0                                                                           \
    }
#define BACK                                                                                       \
    {                                                                                              \
        "GET /api/jobs/a", 200, NULL,                                                              \
            "{\"submission_id\":\"a\",\"status\":\"FAILED\",\"entrypoint\":\"x\"}", TALK_KEEP, 0   \
    }
#define RUNS                                                                                       \
    {                                                                                              \
        "DELETE /api/jobs/a", 500, "Content-Type: text/plain\r\n",                                 \
            "RuntimeError: Attempted to delete job 'a', but it is in a non-terminal state RUNNING.", \
            TALK_KEEP, 0                                                                           \
    }

/* The exit code of `job delete a`; *ret_failure: its error, owned. */
static int delete_a(struct talk *t, struct rd_err **ret_failure)
{
    struct rd_err *err = NULL;
    struct ui_options o = {.mode = UI_QUIET};
    RD_AUTOFREE char *address = rd_asprintf("http://127.0.0.1:%u", server_port(t->server));
    char *argv[] = {"delete", "a", "--address", address};
    struct verb_ctx v = {.verb = &verb_job, .program = "raydeploy", .argc = 4, .argv = argv};
    rd_alloc_init();
    v.ui = ui_new(&o, &err);
    v.notes = ui_sink(v.ui);
    v.loop = loop_new();
    if (!config_load(&v.config, 4, argv, verb_job.flags, false, &err))
        fail_msg("%s", err->message);
    int code = verb_job.run(&v);
    *ret_failure = v.failure;
    loop_free(v.loop);
    ui_free(v.ui);
    free(v.result);
    config_clear(&v.config);
    return code;
}

static void deletions(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct talk_row rows[8];
        size_t len;
        int code;
        const char *message, *hint; /* NULL: success */
    } table[] = {
        {"stays away", {VERSION, DELETED, GONE("GET")}, 3, 0, NULL, NULL},
        {"comes back once", {VERSION, DELETED, BACK, DELETED, GONE("GET")}, 5, 0, NULL, NULL},
        {"comes back, and is gone when deleted again", {VERSION, DELETED, BACK, GONE("DELETE")}, 4, 0,
         NULL, NULL},
        {"was never there", {VERSION, GONE("DELETE")}, 2, 1, "Ray knows no job a", "raydeploy job list"},
        {"still runs", {VERSION, RUNS}, 2, 1, "non-terminal", "raydeploy job stop a"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(table); i++) {
        struct talk t;
        struct rd_err *err = NULL;
        talk_start(&t, table[i].rows, table[i].len, false);
        int code = delete_a(&t, &err);
        size_t asked = atomic_load(&t.next), wrong = atomic_load(&t.wrong);
        talk_stop(&t);
        if (code != table[i].code || asked != table[i].len || wrong)
            fail_msg("%s: exit %d, want %d; %zu requests of %zu, %zu of them wrong: %s", table[i].name,
                     code, table[i].code, asked, table[i].len, wrong, err ? err->message : "no error");
        if (table[i].message && !strstr(err->message, table[i].message))
            fail_msg("%s: \"%s\" does not say \"%s\"", table[i].name, err->message, table[i].message);
        if (table[i].hint && (!err->hint || !strstr(err->hint, table[i].hint)))
            fail_msg("%s: hint \"%s\", want \"%s\"", table[i].name, err->hint ? err->hint : "",
                     table[i].hint);
        rd_err_free(err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deletions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
