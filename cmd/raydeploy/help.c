#include "verb.h"

#include "base/alloc.h"

#include <string.h>

void verb_usage(const struct verb *verb, struct rd_buf *out)
{
    rd_buf_printf(out, "usage: raydeploy %s%s%s [flags]\n\n%s\n", verb->name, verb->args ? " " : "",
                  verb->args ? verb->args : "", verb->summary);
    if (verb->help)
        rd_buf_printf(out, "\n%s\n", verb->help);
    if (verb->flags && verb->flags[0].name) {
        rd_buf_puts(out, "\nFlags of this command:\n");
        for (const struct config_verb_flag *f = verb->flags; f->name; f++)
            config_help_flag(out, f);
    }
    rd_buf_puts(out, "\nFlags of every command:\n");
    config_help_flags(out);
}

void verb_overview(struct rd_buf *out)
{
    rd_buf_puts(out,
                "raydeploy puts Ray on Kubernetes: from a bare cluster to one that has run a job, "
                "and back.\n\nusage: raydeploy COMMAND [flags]\n\nCommands:\n");
    for (size_t i = 0; verbs[i]; i++)
        rd_buf_printf(out, "  %-14s %s\n", verbs[i]->name, verbs[i]->summary);
    rd_buf_puts(out,
                "\n`raydeploy COMMAND --help` shows the flags. Exit codes: 0 done, 1 failed, 2 bad "
                "input (nothing was\nsent), 3 credentials or permission, 4 a check failed "
                "(nothing was created), 5 out of time, 6 locked\nby another run, 7 owned by "
                "someone else, 8 the test job failed, 9 teardown incomplete, 10 changes\n"
                "pending, 70 our bug, 130 and 143 interrupted.\n");
}

static int run(struct verb_ctx *v)
{
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    const struct rd_strv *words = &v->config.rest;
    if (words->len == 0) {
        verb_overview(&text);
    } else if (rd_streq(words->v[0], "options")) {
        config_markdown(&text);
    } else {
        const struct verb *verb = verb_find(words->v[0]);
        for (size_t i = 0; !verb && verbs_later[i]; i++)
            if (rd_streq(verbs_later[i], words->v[0]))
                return verb_refuse(v, "`raydeploy %s` is not in this version", words->v[0]);
        if (!verb)
            return verb_refuse(v, "unknown command \"%.200s\"", words->v[0]);
        verb_usage(verb, &text);
    }
    verb_print(v, &text);
    return 0;
}

const struct verb verb_help = {
    .name = "help",
    .args = "[COMMAND|options]",
    .summary = "this text, that of a command, or the table of options as Markdown",
    .offline = true,
    .takes_words = true,
    .run = run,
};
