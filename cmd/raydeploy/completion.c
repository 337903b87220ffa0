/* completion bash|zsh|fish: scripts made from the tables, so that they cannot be out of date. */
#include "verb.h"

#include "base/alloc.h"

#include <string.h>

static void fish_text(struct rd_buf *out, const char *text)
{
    rd_buf_putc(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            rd_buf_putc(out, '\\');
        rd_buf_putc(out, *text);
    }
    rd_buf_putc(out, '\'');
}

static void bash_flag(void *ctx, const char *flag, char letter, const char *arg,
                      const char *const *words, const char *help)
{
    (void)letter, (void)arg, (void)words, (void)help;
    rd_buf_printf(ctx, " --%s", flag);
}

/* Values of flags that take one of a few words. */
static void bash_values(void *ctx, const char *flag, char letter, const char *arg,
                        const char *const *words, const char *help)
{
    (void)help;
    struct rd_buf *out = ctx;
    if (words) {
        rd_buf_printf(out, "        --%s", flag);
        if (letter)
            rd_buf_printf(out, "|-%c", letter);
        rd_buf_puts(out, ") COMPREPLY=($(compgen -W \"");
        for (int i = 0; words[i]; i++)
            rd_buf_printf(out, "%s%s", i ? " " : "", words[i]);
        rd_buf_puts(out, "\" -- \"$cur\")); return ;;\n");
    } else if (arg && (strstr(arg, "FILE") || rd_streq(arg, "DIR"))) {
        rd_buf_printf(out, "        --%s", flag);
        if (letter)
            rd_buf_printf(out, "|-%c", letter);
        rd_buf_puts(out, ") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n");
    }
}

static void bash(struct rd_buf *out)
{
    rd_buf_puts(out,
                "# bash completion of raydeploy: source <(raydeploy completion bash)\n"
                "_raydeploy() {\n"
                "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= w\n"
                "    for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
                "        case $w in -*) ;; *) verb=$w; break ;; esac\n"
                "    done\n"
                "    case $prev in\n"
                "        -f|--file) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n");
    config_each_flag(bash_values, out);
    rd_buf_puts(out, "    esac\n    local flags=\"");
    config_each_flag(bash_flag, out);
    rd_buf_puts(out, " --help\"\n    case $verb in\n");
    for (size_t i = 0; verbs[i]; i++) {
        rd_buf_printf(out, "        %s) flags+=\"", verbs[i]->name);
        for (const struct config_verb_flag *f = verbs[i]->flags; f && f->name; f++)
            rd_buf_printf(out, " --%s", f->name);
        rd_buf_puts(out, "\" ;;\n");
    }
    rd_buf_puts(out, "        '') COMPREPLY=($(compgen -W \"");
    for (size_t i = 0; verbs[i]; i++)
        rd_buf_printf(out, "%s ", verbs[i]->name);
    rd_buf_puts(out, "\" -- \"$cur\")); return ;;\n    esac\n"
                     "    if [ \"$verb\" = completion ]; then flags+=\" bash zsh fish\"; fi\n"
                     "    COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\"))\n"
                     "}\ncomplete -F _raydeploy raydeploy\n");
}

/* zsh reads bash's completions; its own form would say no more. */
static void zsh(struct rd_buf *out)
{
    rd_buf_puts(out, "#compdef raydeploy\n"
                     "# zsh completion of raydeploy: source <(raydeploy completion zsh)\n"
                     "autoload -U +X bashcompinit && bashcompinit\n");
    bash(out);
}

static void fish_flag(void *ctx, const char *flag, char letter, const char *arg,
                      const char *const *words, const char *help)
{
    struct rd_buf *out = ctx;
    rd_buf_printf(out, "complete -c raydeploy -l %s", flag);
    if (letter)
        rd_buf_printf(out, " -s %c", letter);
    if (words) {
        rd_buf_puts(out, " -x -a '");
        for (int i = 0; words[i]; i++)
            rd_buf_printf(out, "%s%s", i ? " " : "", words[i]);
        rd_buf_puts(out, "'");
    } else if (arg) {
        rd_buf_puts(out, strstr(arg, "FILE") || rd_streq(arg, "DIR") ? " -r" : " -x");
    }
    rd_buf_puts(out, " -d ");
    fish_text(out, help);
    rd_buf_putc(out, '\n');
}

static void fish(struct rd_buf *out)
{
    rd_buf_puts(out, "# fish completion of raydeploy: raydeploy completion fish | source\n"
                     "complete -c raydeploy -f\n");
    for (size_t i = 0; verbs[i]; i++) {
        rd_buf_printf(out, "complete -c raydeploy -n __fish_use_subcommand -a %s -d ",
                      verbs[i]->name);
        fish_text(out, verbs[i]->summary);
        rd_buf_putc(out, '\n');
        for (const struct config_verb_flag *f = verbs[i]->flags; f && f->name; f++) {
            rd_buf_printf(out, "complete -c raydeploy -n '__fish_seen_subcommand_from %s' -l %s",
                          verbs[i]->name, f->name);
            if (f->short_name)
                rd_buf_printf(out, " -s %s", f->short_name);
            rd_buf_puts(out, f->arg ? " -r -d " : " -d ");
            fish_text(out, f->help);
            rd_buf_putc(out, '\n');
        }
    }
    rd_buf_puts(out, "complete -c raydeploy -n '__fish_seen_subcommand_from completion' -a "
                     "'bash zsh fish'\n");
    config_each_flag(fish_flag, out);
}

static int run(struct verb_ctx *v)
{
    static const struct {
        const char *shell;
        void (*write)(struct rd_buf *out);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    const struct rd_strv *words = &v->config.rest;
    for (size_t i = 0; words->len == 1 && i < RD_ARRAY_LEN(shells); i++)
        if (rd_streq(words->v[0], shells[i].shell)) {
            RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
            shells[i].write(&text);
            if (v->config.json_output) {
                RD_AUTOJSON json_t *o = rd_json_pack("{s:s, s:s}", "shell", shells[i].shell,
                                                     "script", rd_buf_str(&text));
                verb_print_json(v, o);
            } else {
                verb_print(v, &text);
            }
            return 0;
        }
    return verb_refuse(v, "expected bash, zsh or fish");
}

const struct verb verb_completion = {
    .name = "completion",
    .args = "bash|zsh|fish",
    .summary = "a completion script for a shell",
    .offline = true,
    .takes_words = true,
    .run = run,
};
