#include "setting.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* Each with what it takes; an unknown key is refused at the start rather than ignored. */
static const char *const keys[] = {
    "disable",       /* SERVICE: not enabled at the start */
    "forbid-enable", /* SERVICE: enabling is refused */
    "deny",          /* PERMISSION: nobody has it */
    "quota",         /* METRIC=N: compute, file: limit */
    "billing",       /* off */
    "bucket-taken",  /* NAME: belongs to somebody else */
    "clock-skew",    /* SECONDS: the services' clock is ahead */
    "refuse-token",  /* 1: the token endpoint refuses the key */
    "token-life",    /* SECONDS: so long tokens live, by the real clock */
    "subject-once",  /* each subject token is good for one exchange */
    "stockout",      /* ACCELERATOR or MACHINE TYPE: node pools with it fail */
    "cluster-fails", /* NAME: its creation fails after 5 minutes */
    "victim",        /* FILE: holds the pid that the effects "kill..." strike */
    "cnrm-version",  /* version of the Config Connector add-on */
    "image-missing", /* TAG: no registry has such an image */
    "image-present", /* REFERENCE: this image is in Artifact Registry */
    "webhook-delay", /* SECONDS: Config Connector's webhook comes up that late */
    NULL,
};

bool emu_setting_add(struct emu *e, const char *assignment, struct rd_err **reterr)
{
    size_t len = strcspn(assignment, "=");
    for (size_t i = 0; keys[i] != NULL; i++) {
        if (strlen(keys[i]) == len && strncmp(keys[i], assignment, len) == 0 &&
            assignment[len] == '=') {
            rd_strv_add(&e->settings, assignment);
            return true;
        }
    }
    return rd_fail(reterr, RD_ERR_INPUT, "--set %s: no such setting", assignment);
}

/* The value when the entry is for key, else NULL. */
static const char *value_of(const char *entry, const char *key)
{
    size_t len = strlen(key);
    return strncmp(entry, key, len) == 0 && entry[len] == '=' ? entry + len + 1 : NULL;
}

const char *emu_setting(const struct emu *e, const char *key)
{
    for (size_t i = e->settings.len; i-- > 0;) {
        const char *value = value_of(e->settings.v[i], key);
        if (value != NULL)
            return value;
    }
    return NULL;
}

long emu_setting_int(const struct emu *e, const char *key, long otherwise)
{
    const char *value = emu_setting(e, key);
    return value == NULL ? otherwise : strtol(value, NULL, 10);
}

bool emu_setting_has(const struct emu *e, const char *key, const char *value)
{
    for (size_t i = 0; i < e->settings.len; i++) {
        if (rd_streq(value_of(e->settings.v[i], key), value))
            return true;
    }
    return false;
}
