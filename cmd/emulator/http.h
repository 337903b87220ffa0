/* HTTP/1.1 requests from bytes (RFC 9112), pure. */
#ifndef EMU_HTTP_H
#define EMU_HTTP_H

#include "server.h"

enum emu_http_result {
    EMU_HTTP_MORE,     /* not whole yet */
    EMU_HTTP_WHOLE,    /* *ret is filled, *ret_used bytes belong to it */
    EMU_HTTP_BAD,      /* answer 400 and close */
    EMU_HTTP_TOO_LARGE /* answer 413 and close */
};

/* Looks at `data` from the start each time; *ret is only touched on WHOLE. *ret_expects is set when
 * the head is whole, asks for "100-continue" and the body has not arrived. */
enum emu_http_result emu_http_parse(const char *data, size_t len, struct emu_msg *ret,
                                    size_t *ret_used, bool *ret_expects);
void emu_msg_clear(struct emu_msg *m);
const char *emu_msg_header(const struct emu_msg *m, const char *name);
const char *emu_http_reason(int status);

#endif
