/* Would a server-side apply of this intent change anything? Answered from the live object alone, so
 * that a repeated deploy costs one read and no write.
 *
 * managedFields record which fields an earlier apply of ours set. If that set is exactly the set of
 * fields in the intent, and each of them still has our value, the server would find nothing to do
 * (structured-merge-diff: same owned set, same values). The answer is "provably nothing", never
 * "probably": lists are compared by the keys that managedFields itself names, values must be equal to
 * the letter, and whatever cannot be decided here (a quantity written in another way, say) is "no". */
#ifndef RD_K8S_NOOP_H
#define RD_K8S_NOOP_H

#include "base/json.h"

/* Pure. */
bool k8s_apply_is_noop(const json_t *intent, const json_t *live, const char *field_manager);

#endif
