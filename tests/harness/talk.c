#include "harness/talk.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

static bool expected(const struct talk_row *row, const struct peer_request *q)
{
    RD_AUTOFREE char *line = rd_asprintf("%s %s", q->method, q->path);
    RD_AUTOFREE char *words = rd_strdup(row->expect);
    char *save = NULL;
    for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        /* "!word" must not occur. */
        bool found = strstr(line, *w == '!' ? w + 1 : w) != NULL;
        if (found == (*w == '!'))
            return false;
    }
    return true;
}

static void script(struct peer *p, void *ctx)
{
    struct talk *t = ctx;
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        size_t n = atomic_fetch_add(&t->next, 1);
        if (n >= t->len && t->repeat_last)
            n = t->len - 1;
        if (n >= t->len || !expected(&t->rows[n], &q)) {
            fprintf(stderr, "request %zu: %s %s, expected %s\n", n, q.method, q.path,
                    n < t->len ? t->rows[n].expect : "none");
            atomic_fetch_add(&t->wrong, 1);
            break;
        }
        const struct talk_row *row = &t->rows[n];
        const char *headers = row->headers ? row->headers : "Content-Type: application/json\r\n";
        if (row->delay_ms)
            peer_pause(p, row->delay_ms);
        if (row->end == TALK_RESET) {
            peer_reset(p);
            break;
        }
        if (row->end == TALK_KEEP) {
            peer_reply(p, row->status, headers, row->body);
            continue;
        }
        RD_AUTOFREE char *head =
            rd_asprintf("HTTP/1.1 %d X\r\n%sConnection: close\r\n\r\n", row->status, headers);
        peer_send(p, head);
        peer_send(p, row->body);
        if (row->end == TALK_HANG)
            peer_wait_gone(p);
        break;
    }
    peer_request_clear(&q);
}

void talk_start(struct talk *t, const struct talk_row *rows, size_t len, bool repeat_last)
{
    memset(t, 0, sizeof(*t));
    t->rows = rows;
    t->len = len;
    t->repeat_last = repeat_last;
    t->server = server_new(script, t, NULL);
}

void talk_stop(struct talk *t)
{
    server_free(t->server);
    t->server = NULL;
}
