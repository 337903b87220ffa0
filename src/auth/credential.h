/* A credential as its file describes it, vetted: what a mint needs. Pure but for reading the file.
 *
 * Protocol source: the formats written by Google's tools (aip.dev 4110, 4112, 4117), Google Cloud's
 * page "Validate credential configurations from external sources" for what a reader must check. */
#ifndef RD_AUTH_CREDENTIAL_H
#define RD_AUTH_CREDENTIAL_H

#include "auth/auth.h"
#include "auth/jwt.h"
#include "base/json.h"
#include "base/secret.h"

#define AUTH_HOPS_MAX 3
#define AUTH_FILE_MAX ((size_t)64 << 10)
#define AUTH_AUDIENCE "https://oauth2.googleapis.com/token"
#define AUTH_SCOPE_PLATFORM "https://www.googleapis.com/auth/cloud-platform"
#define AUTH_SCOPE_EMAIL "https://www.googleapis.com/auth/userinfo.email"

enum auth_subject { SUBJECT_FILE, SUBJECT_URL, SUBJECT_EXECUTABLE };

/* One impersonation: the token so far is traded for one of another account. */
struct auth_hop {
    char *url;         /* owned; where it is asked for, after overrides */
    char *email;       /* owned; whose token comes back */
    json_t *delegates; /* owned; array of names; NULL: none */
    unsigned lifetime_s;
};

/* All owned. Which fields are set depends on kind. */
struct auth_credential {
    enum auth_kind kind;
    char *source; /* for messages */
    char *path;
    char *email, *project, *quota_project;
    char *token_url; /* where tokens come from, after overrides */
    /* service account */
    struct auth_key *key;
    char *key_id;
    /* authorized user, also of a workforce pool (form: with Basic authentication) */
    char *client_id;
    struct rd_secret client_secret, refresh_token;
    bool workforce_user;
    /* external account */
    char *audience, *subject_type, *user_project;
    enum auth_subject subject;
    char *subject_at; /* file, URL or command */
    json_t *subject_headers;
    char *subject_field; /* NULL: the text itself */
    uint64_t subject_timeout_ms;
    char *subject_output_file;
    bool subject_github; /* URL of GitHub's own, from the environment at each exchange */
    /* metadata server */
    char *metadata_base; /* "http://host/computeMetadata/v1" */
    bool metadata_named; /* GCE_METADATA_HOST */
    struct auth_hop hops[AUTH_HOPS_MAX];
    size_t hops_len;
};
void auth_credential_clear(struct auth_credential *c);

/* Reads one credential file. */
bool auth_credential_read(const char *path, const struct auth_options *o,
                          struct auth_credential *ret, struct rd_err **reterr) RD_MUST_CHECK;
/* The same from its parsed text; `origin` is the file's name in messages. */
bool auth_credential_parse(const json_t *root, const char *origin, const struct auth_options *o,
                           struct auth_credential *ret, struct rd_err **reterr) RD_MUST_CHECK;
/* Walks the order of auth.h. *ret_tried lists, for a person, what was looked at. */
bool auth_credential_find(const struct auth_options *o, struct auth_credential *ret,
                          char **ret_tried, struct rd_err **reterr) RD_MUST_CHECK;

/* ---- vet.c: URLs inside credential files ---- */
bool auth_vet_token_uri(const char *url, bool any_host, struct rd_err **reterr) RD_MUST_CHECK;
bool auth_vet_sts(const char *url, bool any_host, struct rd_err **reterr) RD_MUST_CHECK;
/* Also gives the account's address and the path, both owned. */
bool auth_vet_impersonation(const char *url, bool any_host, char **ret_email, char **ret_path,
                            struct rd_err **reterr) RD_MUST_CHECK;
bool auth_vet_subject_url(const char *url, struct rd_err **reterr) RD_MUST_CHECK;

/* A token as it stands in a file: trimmed, no line breaks inside. */
bool auth_token_file_read(const char *path, struct rd_secret *ret,
                          struct rd_err **reterr) RD_MUST_CHECK;

#endif
