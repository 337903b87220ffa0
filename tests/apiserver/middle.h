/* A TCP relay in front of the API server that can be cut: what a client sees of a server that dies and
 * comes back, without ending the one that other tests use. Runs in a thread of its own. */
#ifndef RD_TESTS_MIDDLE_H
#define RD_TESTS_MIDDLE_H

#include <stdbool.h>
#include <stdint.h>

struct middle;
/* Relays 127.0.0.1:<returned port> to 127.0.0.1:port. */
struct middle *middle_start(uint16_t port, uint16_t *ret_port);
/* down: resets every connection and refuses new ones; silent: accepts and moves no byte. */
void middle_set(struct middle *m, bool down, bool silent);
void middle_stop(struct middle *m);

#endif
