/* What the table says to people: --help, the sample of `init`, the README. */
#include "config/option.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <string.h>

#define FLAG_COLUMN 34

static void flag_line(struct rd_buf *out, char letter, const char *flag, const char *arg,
                      const char *help)
{
    RD_AUTOFREE char *left =
        letter ? rd_asprintf("  -%c, --%s%s%s", letter, flag, arg ? " " : "", arg ? arg : "")
               : rd_asprintf("      --%s%s%s", flag, arg ? " " : "", arg ? arg : "");
    if (strlen(left) < FLAG_COLUMN)
        rd_buf_printf(out, "%-*s %s\n", FLAG_COLUMN, left, help);
    else
        rd_buf_printf(out, "%s\n%*s %s\n", left, FLAG_COLUMN, "", help);
}

void config_help_flag(struct rd_buf *out, const struct config_verb_flag *f)
{
    flag_line(out, f->short_name ? f->short_name[0] : '\0', f->name, f->arg, f->help);
}

void config_help_flags(struct rd_buf *out)
{
    for (const struct option *o = config_options; o->name; o++)
        if (o->flag)
            flag_line(out, o->letter, o->flag, o->arg, o->help);
    flag_line(out, 'h', "help", NULL, "this text");
}

void config_each_flag(void (*fn)(void *ctx, const char *flag, char letter, const char *arg,
                                 const char *const *words, const char *help),
                      void *ctx)
{
    for (const struct option *o = config_options; o->name; o++)
        if (o->flag)
            fn(ctx, o->flag, o->letter, o->arg, o->words, o->help);
}

/* ---- The sample ---- */

static bool is_set(const struct config *c, const struct option *o)
{
    return json_object_get(c->origins, o->name) != NULL;
}

/* The value as it would stand in the file: what was set, else the default. Owned; NULL: none. */
static json_t *sample_value(const struct config *c, const struct option *o)
{
    const void *at = (const char *)c + o->at;
    switch (o->type) {
    case OPT_TEXT: {
        const char *s = *(char *const *)at;
        return s ? json_string(s) : NULL;
    }
    case OPT_SWITCH:
        return json_boolean(*(const bool *)at);
    case OPT_INT:
        return json_integer(*(const json_int_t *)at);
    default:
        return json_incref(*(json_t *const *)at);
    }
}

/* Each line of text behind `indent` and, when it is only shown, a '#'. */
static void put_lines(struct rd_buf *out, const char *text, const char *indent, bool shown_only)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        rd_buf_puts(out, indent);
        if (shown_only)
            rd_buf_putc(out, '#');
        rd_buf_append(out, text, n);
        rd_buf_putc(out, '\n');
        text += n + (text[n] == '\n');
    }
}

static void sample_option(const struct config *c, const struct option *o, const char *key,
                          const char *indent, struct rd_buf *out)
{
    RD_AUTOJSON json_t *value = sample_value(c, o);
    RD_AUTOJSON json_t *pair = json_object();
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_buf_printf(out, "%s# %s%s", indent, o->help, o->words ? ": " : "");
    for (int i = 0; o->words && o->words[i]; i++)
        rd_buf_printf(out, "%s%s", i ? ", " : "", o->words[i]);
    if (o->env[0])
        rd_buf_printf(out, " (environment: %s)", o->env[0]);
    rd_buf_putc(out, '\n');
    if (value) {
        json_object_set(pair, key, value);
        yaml_write(&text, pair, NULL);
    } else {
        rd_buf_printf(&text, "%s:\n", key); /* no value: as if it were not there */
    }
    put_lines(out, rd_buf_str(&text), indent, !is_set(c, o));
}

void config_sample(const struct config *c, struct rd_buf *out)
{
    rd_buf_puts(
        out,
        "# What `raydeploy up` deploys. Every key is optional and shown with its default; take\n"
        "# away the '#' in front of a key to change it. Flags and environment variables come\n"
        "# before this file. `raydeploy check` tells what is wrong with it.\n");
    const char *section = "";
    for (const struct option *o = config_options; o->name; o++) {
        if (!o->in_file)
            continue;
        const char *dot = strchr(o->name, '.');
        size_t n = dot ? (size_t)(dot - o->name) : 0;
        rd_buf_putc(out, '\n');
        if (dot && (strncmp(section, o->name, n) != 0 || section[n] != '.'))
            /* A section may be empty, so it stands uncommented and single keys can be taken up. */
            rd_buf_printf(out, "%.*s:\n", (int)n, o->name);
        section = o->name;
        sample_option(c, o, dot ? dot + 1 : o->name, dot ? "  " : "", out);
    }
}

/* ---- The README ---- */

static void cell(struct rd_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            rd_buf_putc(out, '\\');
        rd_buf_putc(out, *text);
    }
}

static void default_cell(struct rd_buf *out, const struct option *o)
{
    if (o->type == OPT_HEAD || o->type == OPT_WORKERS) {
        rd_buf_puts(out, "see `raydeploy init`");
        return;
    }
    if (!o->fallback[0] || rd_streq(o->fallback[0], "[]"))
        return;
    rd_buf_puts(out, "`");
    cell(out, o->fallback[0]);
    rd_buf_puts(out, "`");
}

static void markdown_row(struct rd_buf *out, const struct option *o)
{
    rd_buf_puts(out, "| ");
    if (o->in_file)
        rd_buf_printf(out, "`%s`", o->name);
    if (o->flag) {
        rd_buf_puts(out, o->in_file ? ", `" : "`");
        if (o->letter)
            rd_buf_printf(out, "-%c`, `", o->letter);
        rd_buf_printf(out, "--%s", o->flag);
        if (o->arg) {
            rd_buf_putc(out, ' ');
            cell(out, o->arg);
        }
        rd_buf_puts(out, "`");
    }
    rd_buf_puts(out, " | ");
    for (size_t i = 0; i < RD_ARRAY_LEN(o->env) && o->env[i]; i++)
        rd_buf_printf(out, "%s`%s`", i ? ", " : "", o->env[i]);
    rd_buf_puts(out, " | ");
    default_cell(out, o);
    rd_buf_puts(out, " | ");
    cell(out, o->help);
    if (o->in_file && o->words) {
        rd_buf_puts(out, ":");
        for (int i = 0; o->words[i]; i++)
            rd_buf_printf(out, " `%s`", o->words[i]);
    }
    rd_buf_puts(out, " |\n");
}

void config_markdown(struct rd_buf *out)
{
    static const char *const heads[] = {
        "| key of raydeploy.yaml, flag | environment | default | meaning |\n",
        "\n| flag of every command | environment | default | meaning |\n"};
    rd_buf_puts(out,
                "# Options\n\nMade from the program's option table by `raydeploy help options`.\n"
                "Precedence: flag, environment, raydeploy.yaml, default.\n\n");
    for (int pass = 0; pass < 2; pass++) {
        rd_buf_puts(out, heads[pass]);
        rd_buf_puts(out, "| --- | --- | --- | --- |\n");
        for (const struct option *o = config_options; o->name; o++)
            if (o->in_file == (pass == 0))
                markdown_row(out, o);
    }
}
