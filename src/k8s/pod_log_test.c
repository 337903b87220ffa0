/* Goal: lines come out whole, and a connection made again neither loses nor repeats a byte. */
#include "base/test.h"

#include "k8s/pod_log.h"

struct seen {
    struct rd_buf lines;
};

static void on_line(struct k8s_pod_log *l, const char *line)
{
    struct seen *s = l->ctx;
    rd_buf_printf(&s->lines, "[%s]", line);
}

/* The whole log is `text`; the connection is cut after each `every` bytes and made again. */
static void follow_cut(const char *text, size_t every, const char *want)
{
    struct seen s = {.lines = RD_BUF_INIT(1 << 16)};
    struct k8s_pod_log l;
    k8s_pod_log_init(&l, NULL, "ns", "pod", "helm");
    l.on_line = on_line;
    l.ctx = &s;
    size_t len = strlen(text);
    for (size_t upto = every; l.seen < len; upto += every) {
        l.skip = l.seen;
        k8s_pod_log_feed(&l, text, upto < len ? upto : len);
    }
    rd_check_str("lines", rd_buf_str(&s.lines), want);
    rd_buf_clear(&s.lines);
    k8s_pod_log_clear(&l);
}

static void lines_survive_cuts(void **state)
{
    (void)state;
    for (size_t every = 1; every < 20; every++)
        follow_cut("one\ntwo and more\n\nfour\n", every, "[one][two and more][][four]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_survive_cuts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
