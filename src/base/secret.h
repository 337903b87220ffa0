/* Secrets are their own type: they print as their length and are wiped when cleared. */
#ifndef RD_BASE_SECRET_H
#define RD_BASE_SECRET_H

#include "base/buf.h"

struct rd_secret {
    char *data; /* owned, NUL-terminated; NULL: not set */
    size_t len;
};

void rd_secret_set(struct rd_secret *s, const char *data, size_t len);
void rd_secret_take(struct rd_secret *s, char *take); /* string; wiped when cleared */
void rd_secret_clear(struct rd_secret *s);
bool rd_secret_is_set(const struct rd_secret *s);
/* "<secret, 24 bytes>"; out has room for 40. */
void rd_secret_describe(const struct rd_secret *s, char *out);
void rd_wipe(void *data, size_t len);

/* Every secret that is set is also remembered here (by value, wiped at exit), so that the last gate
 * before a sink can replace it: Appends `text` with each known secret of 8 bytes or more shown as
 * "[redacted]", also in its base64 and percent-encoded forms. */
void rd_redact(struct rd_buf *out, const char *text, size_t len);
void rd_redact_forget_all(void);

#endif
