/* What stands for us elsewhere: the token that is traded for Google's. */
#include "auth/mint.h"

#include "base/alloc.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>

static bool printable(const char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return false;
    return true;
}

bool auth_subject_read(const struct auth_credential *c, const char *text, size_t len,
                       struct rd_secret *ret, struct rd_err **reterr)
{
    if (c->subject_field == NULL) {
        while (len > 0 && isspace((unsigned char)*text))
            text++, len--;
        while (len > 0 && isspace((unsigned char)text[len - 1]))
            len--;
        if (len == 0)
            return rd_fail(reterr, RD_ERR_CREDENTIALS, "the subject token is empty");
        rd_secret_set(ret, text, len);
        return true;
    }
    RD_AUTOJSON json_t *root = rd_json_parse(text, len, "the subject token's document", reterr);
    if (root == NULL) {
        (*reterr)->kind = RD_ERR_CREDENTIALS;
        return false;
    }
    const char *token = json_string_value(json_object_get(root, c->subject_field));
    if (token == NULL || *token == '\0')
        return rd_fail(reterr, RD_ERR_CREDENTIALS,
                       "the subject token's document has no field %.60s", c->subject_field);
    rd_secret_set(ret, token, strlen(token));
    return true;
}

bool auth_executable_read(const char *text, size_t len, bool from_file, int64_t now_wall_ms,
                          struct rd_secret *ret, struct rd_err **reterr)
{
    RD_AUTOJSON json_t *root = rd_json_parse(text, len, "the program's answer", reterr);
    if (root == NULL) {
        (*reterr)->kind = RD_ERR_CREDENTIALS;
        return false;
    }
    if (rd_json_path_int(root, "version", 0) != 1)
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "the program's answer is not of version 1");
    if (!json_is_true(json_object_get(root, "success"))) {
        const char *message = json_string_value(json_object_get(root, "message"));
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "the program failed: %.300s",
                       message != NULL ? message : "it does not say why");
    }
    json_int_t expires = rd_json_path_int(root, "expiration_time", 0);
    if (from_file && expires == 0)
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "the program's answer has no expiration_time");
    if (expires != 0 && expires * 1000 <= now_wall_ms)
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "the program's token has expired");
    const char *type = json_string_value(json_object_get(root, "token_type"));
    const char *field = NULL;
    if (rd_streq(type, "urn:ietf:params:oauth:token-type:jwt") ||
        rd_streq(type, "urn:ietf:params:oauth:token-type:id_token"))
        field = "id_token";
    else if (rd_streq(type, "urn:ietf:params:oauth:token-type:saml2"))
        field = "saml_response";
    const char *token = field != NULL ? json_string_value(json_object_get(root, field)) : NULL;
    if (token == NULL || *token == '\0' || !printable(token))
        return rd_fail(reterr, RD_ERR_CREDENTIALS, "the program's answer holds no token");
    rd_secret_set(ret, token, strlen(token));
    return true;
}
