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
