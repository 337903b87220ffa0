/* IAM: policies of resources, who has which permission. A policy is kept under the full name of
 * what it belongs to ("projects/P", "projects/P/serviceAccounts/E", "b/BUCKET", ...). A change
 * takes effect some seconds (virtual) after it was written, as with the real IAM. Conditions count
 * as fulfilled. */
#ifndef EMU_POLICY_H
#define EMU_POLICY_H

#include "emu.h"

/* Owned; {"etag"} for a resource without one. version is as stored. */
json_t *emu_policy_get(struct emu *e, const char *resource);
enum emu_policy_result { EMU_POLICY_OK, EMU_POLICY_RACE, EMU_POLICY_NO_MEMBER };
/* Writes bindings. An etag in `policy` must be the current one. *ret_member (owned) names the
 * service account that does not exist. */
enum emu_policy_result emu_policy_set(struct emu *e, const char *resource, const json_t *policy,
                                      char **ret_member);
void emu_policy_drop(struct emu *e, const char *resource);
/* Grants at once, without delay: for what the project starts with. */
void emu_policy_seed(struct emu *e, const char *resource, const char *role, const char *member);
/* A service account was deleted: its members become "deleted:...?uid=N" everywhere. */
void emu_policy_forget(struct emu *e, const char *email, const char *uid);

/* Whether the project's policy or the resource's own (NULL: none) gives the permission. */
bool emu_iam_allowed(struct emu *e, const char *principal, const char *permission,
                     const char *resource);
bool emu_role_known(const char *role);
bool emu_role_has(const char *role, const char *permission);

#endif
