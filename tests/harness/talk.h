/* A server that plays a table: the n-th request it reads, on whatever connection, gets the n-th row. */
#ifndef HARNESS_TALK_H
#define HARNESS_TALK_H

#include "harness/server.h"

#include <stdatomic.h>

enum talk_end {
    TALK_KEEP,  /* Content-Length, and the connection stays */
    TALK_CLOSE, /* no length: the end of the body is the end of the connection */
    TALK_HANG,  /* no length, and silence after the body */
    TALK_RESET, /* no answer at all */
};

struct talk_row {
    const char *expect;  /* "GET" and parts of the path that must occur, separated by blanks */
    int status;
    const char *headers; /* lines that end in \r\n; NULL: Content-Type: application/json */
    const char *body;
    enum talk_end end;
    unsigned delay_ms;
};

struct talk {
    const struct talk_row *rows;
    size_t len;
    bool repeat_last;    /* further requests get the last row */
    atomic_size_t next;
    atomic_size_t wrong; /* requests that were not expected; printed */
    struct server *server;
};

void talk_start(struct talk *t, const struct talk_row *rows, size_t len, bool repeat_last);
void talk_stop(struct talk *t);

#endif
