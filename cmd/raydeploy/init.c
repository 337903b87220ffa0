#include "verb.h"

#include "base/alloc.h"
#include "base/file.h"

static const struct config_verb_flag flags[] = {
    {"force", NULL, NULL, false, "overwrite a file that is there"},
    {NULL, NULL, NULL, false, NULL},
};

/* -c names the file to write; it need not be there, which config_load would insist on. Hence a
 * positional argument. */
static int run(struct verb_ctx *v)
{
    const struct rd_strv *words = &v->config.rest;
    if (words->len > 1)
        return verb_refuse(v, "one file name at most, got \"%.200s\" too", words->v[1]);
    const char *path = words->len ? words->v[0] : "raydeploy.yaml";
    if (rd_path_exists(path) && !verb_flag(v, "force")) {
        struct rd_err *err = rd_err_new(RD_ERR_INPUT, "%s is there already", path);
        rd_err_hint(err, "It was left as it is; --force overwrites it.");
        return verb_fail(v, err);
    }
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    struct rd_err *err = NULL;
    config_sample(&v->config, &text);
    if (!rd_file_write_atomic(path, rd_buf_str(&text), text.len, 0644, &err))
        return verb_fail(v, err);
    if (v->config.json_output) {
        RD_AUTOJSON json_t *o = rd_json_pack("{s:s}", "file", path);
        verb_print_json(v, o);
    }
    verb_say(v, NOTE_INFO, "wrote %s; change what you like, then run: raydeploy check", path);
    return 0;
}

const struct verb verb_init = {
    .name = "init",
    .args = "[FILE]",
    .summary = "write a commented raydeploy.yaml",
    .help = "Values given as flags stand in it uncommented: raydeploy init --project my-project",
    .flags = flags,
    .offline = true,
    .takes_words = true,
    .run = run,
};
