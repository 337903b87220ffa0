/* What every fuzz target offers. It aborts (RD_ASSERT) when a promise is broken; refusing input is
 * never one. */
#ifndef RD_TESTS_FUZZ_H
#define RD_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
