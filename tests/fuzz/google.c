/* What Google or a stranger may hand us: credential files, refusals, operations, policies, clusters. */
#include "fuzz.h"

#include "auth/credential.h"
#include "auth/mint.h"
#include "base/alloc.h"
#include "gcp/policy.h"
#include "gcp/services.h"

#include <stdlib.h>
#include <string.h>

static void check_error(struct rd_err *err)
{
    RD_ASSERT(err != NULL);
    RD_ASSERT(err->kind < RD_ERR_KIND_MAX);
    RD_ASSERT(err->message != NULL && strlen(err->message) < 16384);
    rd_err_free(err);
}

static void credential(const json_t *root)
{
    static const struct auth_options options = {.allow_executable = true};
    struct auth_credential c = {0};
    struct rd_err *err = NULL;
    if (!auth_credential_parse(root, "f", &options, &c, &err)) {
        check_error(err);
        return;
    }
    /* What was taken asks nobody but Google. */
    RD_ASSERT(c.source != NULL);
    RD_ASSERT(c.token_url == NULL || strncmp(c.token_url, "https://oauth2.googleapis.com/", 30) == 0 ||
              strncmp(c.token_url, "https://sts.googleapis.com/", 27) == 0);
    for (size_t i = 0; i < c.hops_len; i++)
        RD_ASSERT(strncmp(c.hops[i].url, "https://iamcredentials.googleapis.com/", 38) == 0);
    auth_credential_clear(&c);
    rd_redact_forget_all();
}

static void refusal(long status, const char *text, size_t len)
{
    char source[] = "key f", email[] = "a@b";
    const struct auth_credential c = {.source = source, .email = email};
    struct rd_err *err = NULL;
    enum call_judgement j = auth_decode_refusal(&c, "h:443", status, text, len, 0, &err);
    RD_ASSERT(j == CALL_RETRY || j == CALL_FINAL);
    check_error(err);
    struct gcp_fault f;
    err = NULL;
    j = gcp_decode_error(status, NULL, text, len, 0, "x", &f, &err);
    RD_ASSERT(j == CALL_RETRY || j == CALL_FINAL);
    RD_ASSERT(f.situation < GCP_SITUATION_MAX);
    check_error(err);
    gcp_fault_clear(&f);
}

static void objects(json_t *root)
{
    struct gcp_fault f;
    struct rd_err *err = NULL;
    static const enum gcp_api apis[] = {GCP_CONTAINER, GCP_COMPUTE, GCP_FILE, GCP_SERVICEUSAGE};
    for (size_t i = 0; i < RD_ARRAY_LEN(apis); i++) {
        bool done = gcp_lro_done(apis[i], root, "x", &f, &err);
        RD_ASSERT(done || err == NULL);
        if (err != NULL)
            check_error(err);
        err = NULL;
        gcp_fault_clear(&f);
    }
    struct gcp_endpoint e;
    if (gcp_cluster_endpoint(root, &e, &err))
        gcp_endpoint_clear(&e);
    else
        check_error(err);
    err = gcp_services_enable_failures(root);
    if (err != NULL)
        check_error(err);
    int64_t value;
    double limit, usage;
    if (!gcp_quota_value(root, "us-central1", &value) ||
        !gcp_compute_quota(root, "CPUS", &limit, &usage))
        value = 0;
    const struct gcp_binding add = {.role = "roles/r", .member = "user:a"};
    const struct gcp_binding del = {.role = "roles/r", .member = "user:a", .remove = true};
    gcp_policy_edit(root, &add);
    RD_ASSERT(gcp_policy_has(root, &add));
    RD_ASSERT(!gcp_policy_edit(root, &add));
    RD_ASSERT(gcp_policy_edit(root, &del));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long statuses[] = {400, 401, 403, 404, 409, 412, 429, 500, 503};
    if (size < 1)
        return 0;
    RD_AUTOFREE char *text = rd_strndup("", 0);
    text = rd_realloc(text, size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    size_t len = size - 1;
    refusal(statuses[data[0] % RD_ARRAY_LEN(statuses)], text, len);
    struct rd_secret token = {0};
    struct rd_err *err = NULL;
    char field[] = "value";
    const struct auth_credential c = {.subject_field = data[0] & 1 ? field : NULL};
    if (!auth_subject_read(&c, text, len, &token, &err))
        check_error(err);
    err = NULL;
    if (!auth_executable_read(text, len, data[0] & 1, 1700000000000, &token, &err))
        check_error(err);
    rd_secret_clear(&token);
    err = NULL;
    json_t *root = rd_json_parse(text, len, "it", &err);
    rd_err_free(err);
    if (json_is_object(root)) {
        credential(root);
        objects(root);
    }
    json_decref(root);
    rd_redact_forget_all();
    return 0;
}
