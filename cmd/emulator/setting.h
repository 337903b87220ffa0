/* Scenarios: `--set key=value`, repeatable; read by name wherever they matter (docs/emulator.md).
 */
#ifndef EMU_SETTING_H
#define EMU_SETTING_H

#include "emu.h"

/* The last value of a key, or NULL. Borrowed. */
const char *emu_setting(const struct emu *e, const char *key);
long emu_setting_int(const struct emu *e, const char *key, long otherwise);
/* Whether one of the values of a repeatable key (deny=PERMISSION) equals `value`. */
bool emu_setting_has(const struct emu *e, const char *key, const char *value);
bool emu_setting_add(struct emu *e, const char *assignment, struct rd_err **reterr) RD_MUST_CHECK;

#endif
