#include "k8s/explain.h"

#include <string.h>

#include "base/text.h"

static void put_word(struct rd_buf *out, const char *word, const char *otherwise)
{
    if (word == NULL || *word == '\0')
        word = otherwise;
    rd_text_escape(out, word, strlen(word), false);
}

void k8s_explain_line(const json_t *object, int64_t now_wall_ms, struct rd_buf *out,
                      enum k8s_status *ret_status)
{
    struct k8s_verdict v;
    k8s_judge(object, now_wall_ms, &v);
    put_word(out, rd_json_str(object, "kind", NULL), "-");
    rd_buf_putc(out, '/');
    put_word(out, rd_json_path_str(object, "metadata.namespace"), "");
    rd_buf_putc(out, '/');
    put_word(out, rd_json_path_str(object, "metadata.name"), "-");
    rd_buf_printf(out, " %s ", k8s_status_name(v.status));
    put_word(out, v.message, "");
    rd_buf_putc(out, '\n');
    if (ret_status != NULL)
        *ret_status = v.status;
    k8s_verdict_clear(&v);
}

json_t *k8s_explain_json(const json_t *object, int64_t now_wall_ms)
{
    struct k8s_verdict v;
    k8s_judge(object, now_wall_ms, &v);
    json_t *o = rd_json_pack("{s:s?,s:s?,s:s?,s:s?,s:s,s:s?,s:s}", "apiVersion",
                             rd_json_str(object, "apiVersion", NULL), "kind",
                             rd_json_str(object, "kind", NULL), "namespace",
                             rd_json_path_str(object, "metadata.namespace"), "name",
                             rd_json_path_str(object, "metadata.name"), "status",
                             k8s_status_name(v.status), "reason", v.reason, "message", v.message);
    if (v.status == K8S_FAILED || v.grace_ms > 0) {
        rd_json_path_set(o, "graceSeconds", json_integer((json_int_t)(v.grace_ms / 1000)));
        rd_json_path_set(o, "error", json_string(rd_err_kind_name(v.kind)));
    }
    k8s_verdict_clear(&v);
    return o;
}
