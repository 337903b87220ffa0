#include "conn.h"
#include "http.h"
#include "setting.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void emu_req_add_header(struct emu_req *req, const char *name, const char *value)
{
    rd_buf_printf(&req->extra, "%s: %s\r\n", name, value);
}

static void head_begin(struct emu_req *req, struct rd_buf *out, int status)
{
    rd_buf_printf(out, "HTTP/1.1 %d %s\r\n", status, emu_http_reason(status));
    char date[64];
    /* The clock that tokens are checked against, so that a client can correct its own. */
    time_t now = time(NULL) + emu_setting_int(req->emu, "clock-skew", 0);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    rd_buf_printf(out, "Date: %s\r\n", date);
    rd_buf_puts(out, rd_buf_str(&req->extra));
}

void emu_drop(struct emu_req *req)
{
    req->on_gone = NULL;
    struct emu_conn *c = req->conn;
    if (req->on_answer != NULL)
        req->on_answer(0, NULL, req->answer_arg);
    emu_req_log(req);
    if (c != NULL)
        emu_conn_close(c, true); /* unhooks the request */
    emu_req_end(req);
}

void emu_reply_bytes(struct emu_req *req, int status, const char *type, const void *data,
                     size_t len)
{
    RD_ASSERT(!req->streaming);
    req->status = status;
    req->on_gone = NULL;
    struct emu_conn *c = req->conn;
    if (req->fault.effect == EMU_KILL_UNANSWERED)
        emu_kill_victim(req->emu);
    if (c == NULL || req->fault.effect == EMU_DROP_REPLY ||
        req->fault.effect == EMU_KILL_UNANSWERED) {
        emu_drop(req);
        return;
    }
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    head_begin(req, &out, status);
    if (type != NULL)
        rd_buf_printf(&out, "Content-Type: %s\r\n", type);
    if (status != 204)
        rd_buf_printf(&out, "Content-Length: %zu\r\n", len);
    bool close = !req->msg.keep_alive;
    if (close)
        rd_buf_puts(&out, "Connection: close\r\n");
    rd_buf_puts(&out, "\r\n");
    if (!rd_streq(req->msg.method, "HEAD") && status != 204)
        rd_buf_append(&out, data, len);
    if (req->fault.effect == EMU_HALF) {
        close = true;
        out.len /= 2;
    }
    emu_req_log(req);
    if (close)
        c->close_after_write = true;
    emu_conn_write(c, out.data, out.len);
    if (req->fault.effect == EMU_KILL_ANSWERED)
        emu_kill_victim(req->emu);
    emu_req_end(req);
}

void emu_reply_json(struct emu_req *req, int status, json_t *take_body)
{
    if (req->on_answer != NULL && req->fault.effect == EMU_DROP_REPLY) {
        json_decref(take_body);
        req->status = status;
        emu_drop(req);
        return;
    }
    if (req->on_answer != NULL) {
        req->status = status;
        emu_answer_fn *answer = req->on_answer;
        void *arg = req->answer_arg;
        emu_req_end(req);
        answer(status, take_body, arg);
        json_decref(take_body);
        return;
    }
    RD_AUTOFREE char *text =
        take_body == NULL ? rd_strdup("") : json_dumps(take_body, JSON_COMPACT);
    emu_reply_bytes(req, status, take_body == NULL ? NULL : "application/json; charset=UTF-8", text,
                    strlen(text));
    json_decref(take_body);
}

static void on_later(struct emu_timer *t)
{
    struct emu_req *req = container_of(t, struct emu_req, timer);
    json_t *body = req->delayed;
    req->delayed = NULL;
    emu_reply_json(req, req->status, body);
}

void emu_reply_later(struct emu_req *req, uint64_t delay_ms, int status, json_t *take_body)
{
    req->status = status;
    req->delayed = take_body;
    emu_timer_start(&req->emu->clock, &req->timer, delay_ms, on_later);
}

void emu_stream_begin(struct emu_req *req, int status, const char *type)
{
    RD_ASSERT(!req->streaming);
    req->streaming = true;
    req->status = status;
    emu_req_log(req);
    if (req->conn == NULL)
        return;
    if (req->fault.effect == EMU_DROP_REPLY) {
        emu_conn_close(req->conn, true); /* calls on_gone */
        return;
    }
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    head_begin(req, &out, status);
    rd_buf_printf(&out, "Content-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n", type);
    emu_conn_write(req->conn, out.data, out.len);
}

void emu_stream_write(struct emu_req *req, const void *data, size_t len)
{
    RD_ASSERT(req->streaming);
    if (req->conn == NULL || len == 0)
        return;
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_buf_printf(&out, "%zx\r\n", len);
    rd_buf_append(&out, data, len);
    rd_buf_puts(&out, "\r\n");
    if (req->fault.effect == EMU_HALF) {
        req->conn->close_after_write = true;
        emu_conn_write(req->conn, out.data, out.len / 2);
        return;
    }
    emu_conn_write(req->conn, out.data, out.len);
}

void emu_stream_end(struct emu_req *req)
{
    RD_ASSERT(req->streaming);
    req->on_gone = NULL;
    if (req->conn != NULL)
        emu_conn_write(req->conn, "0\r\n\r\n", 5);
    emu_req_end(req);
}

size_t emu_stream_queued(const struct emu_req *req)
{
    return req->conn == NULL ? 0 : req->conn->tcp.write_queue_size;
}
