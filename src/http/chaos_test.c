/* Requests and calls against a server that does anything, cancelled at any time. Whatever happens,
 * each one ends exactly once, with an answer that is whole or an error that says why, and nothing
 * is left behind (the sanitizer's part). The seed comes first: RAYDEPLOY_TEST_SEED replays it. */
#include "http/call.h"

#include "harness/one_request.h"

#include <stdio.h>

static uint64_t next(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* What happens follows from the path, "/SEED", so that a lost race elsewhere changes nothing here.
 */
static void script_anything(struct peer *p, void *ctx)
{
    (void)ctx;
    struct peer_request q = {0};
    while (peer_read_request(p, &q)) {
        uint64_t rng = strtoull(q.path + 1, NULL, 10);
        if (next(&rng) % 4 == 0)
            peer_pause(p, (unsigned)(next(&rng) % 30));
        switch (next(&rng) % 12) {
        case 0:
            peer_reset(p);
            break;
        case 1:
            peer_request_clear(&q);
            return;
        case 2:
            peer_send(p, "HTTP/1.1 200 OK\r\nContent-Len");
            peer_reset(p);
            break;
        case 3:
            peer_send(p, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
            peer_request_clear(&q);
            return;
        case 4:
            peer_reply(p, 503, "Retry-After: 0\r\n", "busy");
            break;
        case 5:
            peer_reply(p, 429, NULL, "busy");
            break;
        case 6:
            peer_reply(p, 200, "Connection: close\r\n", "hello");
            peer_request_clear(&q);
            return;
        case 7:
            peer_send(p, "nonsense\r\n\r\n");
            peer_request_clear(&q);
            return;
        case 8:
            peer_wait_gone(p);
            break;
        default:
            peer_reply(p, 200, NULL, "hello");
        }
    }
    peer_request_clear(&q);
}

enum { CALLS = 40 };

struct chaos {
    struct op op;
    struct http_client *client;
    struct http_call call[CALLS];
    struct op_timer cancel[CALLS];
    bool started;
    unsigned ends, fine, cancelled, failed;
    uint64_t rng;
    const char *url;
};

static struct chaos *world;

static void on_end(struct op *op)
{
    struct http_call *c = container_of(op, struct http_call, op);
    world->ends++;
    if (op->err == NULL) {
        world->fine++;
        assert_int_equal(c->req.status, 200);
        assert_string_equal(rd_buf_str(&c->req.resp), "hello");
    } else {
        world->cancelled += op->err->kind == RD_ERR_CANCELLED;
        world->failed += op->err->kind != RD_ERR_CANCELLED;
        assert_int_not_equal(op->err->kind, RD_ERR_INTERNAL);
    }
}

static void on_cancel(struct op *op)
{
    struct op_timer *t = container_of(op, struct op_timer, op);
    op_cancel(&world->call[t - world->cancel].op);
}

static const struct retry_policy hasty = {.base_ms = 1, .cap_ms = 10, .attempts_max = 4};

static void chaos_step(struct op *op)
{
    struct chaos *w = container_of(op, struct chaos, op);
    if (w->started) {
        bool ended = true;
        for (size_t i = 0; i < CALLS; i++)
            ended = ended && op_ended(&w->call[i].op);
        if (ended)
            op_finish(op, NULL);
        return;
    }
    w->started = true;
    for (size_t i = 0; i < CALLS; i++) {
        struct http_call *c = &w->call[i];
        RD_AUTOFREE char *url =
            rd_asprintf("%s%llu", w->url, (unsigned long long)(next(&w->rng) % 1000000));
        http_call_init(c, w->client, next(&w->rng) % 2 == 0 ? "GET" : "POST", url);
        c->policy = &hasty;
        c->idem = next(&w->rng) % 3 == 0 ? RETRY_ONCE : RETRY_SAFE;
        c->req.first_byte_ms = 100;
        c->req.idle_ms = 100;
        c->op.done = on_end;
        http_call_start(c, op);
        if (next(&w->rng) % 3 == 0)
            op_set_timeout(&c->op, 1 + next(&w->rng) % 150);
        if (next(&w->rng) % 3 == 0) {
            w->cancel[i].op.done = on_cancel;
            if (!op_timer_start(&w->cancel[i], op, next(&w->rng) % 60))
                fail_msg("no time for a pause");
        }
    }
}

static void anything(void **state)
{
    (void)state;
    const char *given = getenv("RAYDEPLOY_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : rd_boot_ms();
    print_message("RAYDEPLOY_TEST_SEED=%llu\n", (unsigned long long)seed);
    struct server *s = server_new(script_anything, NULL, NULL);
    RD_AUTOFREE char *url = server_url(s, "/");
    unsigned fine = 0, failed = 0, cancelled = 0;
    for (unsigned life = 0; life < 12; life++) {
        struct chaos *w = rd_calloc(1, sizeof *w);
        world = w;
        w->rng = seed + life;
        w->url = url;
        struct loop *l = loop_new();
        struct http_client_options o = {.proxy = rd_strdup(""),
                                        .in_flight_max = (unsigned)(next(&w->rng) % 12)};
        w->client = http_client_new(l, &o);
        op_start_root(&w->op, l, chaos_step, "chaos");
        loop_run(l, &w->op);
        assert_int_equal(w->ends, CALLS);
        fine += w->fine;
        failed += w->failed;
        cancelled += w->cancelled;
        for (size_t i = 0; i < CALLS; i++) {
            rd_err_free(op_take_err(&w->call[i].op));
            rd_err_free(op_take_err(&w->cancel[i].op));
            http_call_clear(&w->call[i]);
        }
        http_client_free(w->client);
        loop_free(l);
        free(w);
    }
    server_free(s);
    print_message("%u fine, %u failed, %u cancelled\n", fine, failed, cancelled);
    assert_true(fine > 0);
    assert_true(failed > 0);
    assert_true(cancelled > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(anything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
