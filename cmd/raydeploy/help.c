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

/* ---- -o json ---- */

static void add_flag(void *flags, const char *flag, char letter, const char *arg,
                     const char *const *words, const char *help)
{
    char short_name[2] = {letter, '\0'};
    (void)words;
    json_array_append_new(flags, rd_json_pack("{s:s, s:s?, s:s?, s:s}", "flag", flag, "letter",
                                              letter ? short_name : NULL, "arg", arg, "help", help));
}

static json_t *command_json(const struct verb *verb)
{
    json_t *flags = json_array();
    for (const struct config_verb_flag *f = verb->flags; f && f->name; f++)
        add_flag(flags, f->name, f->short_name ? f->short_name[0] : '\0', f->arg, NULL, f->help);
    return rd_json_pack("{s:s, s:s?, s:s, s:s?, s:o}", "name", verb->name, "args", verb->args,
                        "summary", verb->summary, "help", verb->help, "flags", flags);
}

/* One command, or all of them with the flags that every one takes. */
static void print_json(struct verb_ctx *v, const struct verb *verb)
{
    json_t *commands = json_array(), *flags = json_array();
    for (size_t i = 0; verbs[i]; i++)
        if (!verb || verb == verbs[i])
            json_array_append_new(commands, command_json(verbs[i]));
    config_each_flag(add_flag, flags);
    RD_AUTOJSON json_t *o = rd_json_pack("{s:o, s:o}", "commands", commands, "flags", flags);
    verb_print_json(v, o);
}

static int run(struct verb_ctx *v)
{
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    const struct rd_strv *words = &v->config.rest;
    const struct verb *verb = NULL;
    if (words->len == 0) {
        verb_overview(&text);
    } else if (rd_streq(words->v[0], "options")) {
        config_markdown(&text);
    } else {
        verb = verb_find(words->v[0]);
        for (size_t i = 0; !verb && verbs_later[i]; i++)
            if (rd_streq(verbs_later[i], words->v[0]))
                return verb_refuse(v, "`raydeploy %s` is not in this version", words->v[0]);
        if (!verb)
            return verb_refuse(v, "unknown command \"%.200s\"", words->v[0]);
        verb_usage(verb, &text);
    }
    if (v->config.json_output)
        print_json(v, verb);
    else
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
