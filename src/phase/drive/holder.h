/* Who holds a lock: host, boot id, pid namespace, pid and its start time, so that a reused pid is not
 * mistaken for the holder and a process in another container is not thought dead. */
#ifndef RD_PHASE_DRIVE_HOLDER_H
#define RD_PHASE_DRIVE_HOLDER_H

#include "base/macros.h"

/* "host/boot id/pid namespace/pid/start time"; owned. */
char *holder_identity(void);
/* "pid 123 on host, since 2026-01-02T03:04:05Z"; owned. */
char *holder_describe(void);
/* Is it surely a process of this machine that is gone? False when in doubt. */
bool holder_is_dead(const char *identity);
/* "host (pid 123)" for people; owned. The identity as it is when it is not one of ours. */
char *holder_person(const char *identity);

#endif
