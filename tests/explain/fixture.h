/* The fixtures of this folder, for the tests that read them. */
#ifndef RD_TESTS_EXPLAIN_FIXTURE_H
#define RD_TESTS_EXPLAIN_FIXTURE_H

#include "base/text.h"
#include "manifest/objects.h"

#define FIXTURE_ROOT RD_SOURCE_DIR "/tests/explain/fixtures"
#define FIXTURE_NO_RULE "no-rule" /* the folder of kinds that have none */

/* Adds the names in a folder, sorted, without those that start with a dot. */
void fixture_list(const char *path, struct rd_strv *out);
/* Reads one fixture: exactly one object. */
bool fixture_load(const char *folder, const char *file, struct manifest_list *list,
                  struct rd_err **reterr) RD_MUST_CHECK;

#endif
