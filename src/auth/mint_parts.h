/* What the files of a mint share: mint.c steps, ask.c sends, subject.c and exchange.c get what is
 * traded. */
#ifndef RD_AUTH_MINT_PARTS_H
#define RD_AUTH_MINT_PARTS_H

#include "auth/mint.h"

enum mint_state {
    MINT_BEGIN,
    MINT_SUBJECT,
    MINT_PROGRAM,
    MINT_TOKEN,
    MINT_HOP,
    MINT_EMAIL,
    MINT_PROJECT
};

#define MINT_ANSWER_MAX ((size_t)1 << 20)
#define MINT_SUBJECT_MAX ((size_t)64 << 10)

uint64_t mint_boot_ms(const struct auth_mint *m);
int64_t mint_wall_ms(const struct auth_mint *m);
/* The server's clock minus ours by the Date of the last answer; 0: it gave none. */
int64_t mint_server_skew(const struct auth_mint *m);

/* ---- ask.c: prepares m->call anew; the mint_ask_ ones also start it ---- */
void mint_wipe_call(struct auth_mint *m);
void mint_ask(struct auth_mint *m, struct http_client *client, const char *method, const char *url,
              enum mint_state state);
bool mint_ask_jwt(struct auth_mint *m, struct rd_err **reterr) RD_MUST_CHECK;
void mint_ask_refresh(struct auth_mint *m);
void mint_ask_exchange(struct auth_mint *m); /* with m->subject, which goes */
void mint_ask_metadata(struct auth_mint *m, const char *path, enum mint_state state);
bool mint_ask_metadata_token(struct auth_mint *m, struct rd_err **reterr) RD_MUST_CHECK;

/* ---- exchange.c: subject tokens ---- */
bool mint_begin_external(struct auth_mint *m, struct rd_err **reterr) RD_MUST_CHECK;
bool mint_read_program(struct auth_mint *m, struct rd_err **reterr) RD_MUST_CHECK;
bool mint_read_subject(struct auth_mint *m, struct rd_err **reterr) RD_MUST_CHECK;

#endif
