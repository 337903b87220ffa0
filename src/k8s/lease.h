/* A Lease as a lock (reference section 7.4; decisions.md, Lock). */
#ifndef RD_K8S_LEASE_H
#define RD_K8S_LEASE_H

#include "k8s/client.h"

struct k8s_lease_holder {
    char *identity;     /* host, boot id, pid, start time */
    char *run_link;     /* may be NULL: CI run URL */
    int64_t since_wall_ms;
    uint64_t duration_ms;
};

struct k8s_lease {
    struct op op;            /* running: acquiring, then holding; ends when lost (RD_ERR_LOCKED) or released */
    struct k8s_client *client;
    const char *ns, *name;   /* borrowed */
    char *identity;          /* owned: ours */
    char *run_link;
    uint64_t duration_ms;    /* 60 000; at least 2 000 */
    /* Told once when held, then at each renewal: nothing new may be sent past `until_ms` (boot clock)
     * minus the caller's margin. */
    void (*on_held)(struct k8s_lease *l, uint64_t until_ms);
    /* While another one holds it: told once who. */
    void (*on_busy)(struct k8s_lease *l, const struct k8s_lease_holder *h);
    /* Is the holder surely dead (a pid of this host that is gone)? NULL: never. */
    bool (*holder_dead)(struct k8s_lease *l, const char *identity);
    void *ctx;
    struct k8s_call call;
    struct op_timer pause;
    json_t *seen;
    uint64_t seen_ms, sent_ms, until_ms;
    int state;
    bool release;
};
void k8s_lease_init(struct k8s_lease *l, struct k8s_client *c, const char *ns, const char *name,
                    const char *identity);
void k8s_lease_start(struct k8s_lease *l, struct op *parent);
/* Gives it back, then ends. */
void k8s_lease_release(struct k8s_lease *l);
void k8s_lease_clear(struct k8s_lease *l);

#endif
