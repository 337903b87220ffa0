/* The verification job (templates/job/verify.py): what it is told, and what its lines mean. */
#ifndef RD_RAY_VERIFY_H
#define RD_RAY_VERIFY_H

#include "ray/package.h"

struct ray_verify_expect {
    int nodes;               /* head and workers that must join */
    double cpus;             /* sum over these nodes; 0: not checked */
    double gpus;             /* 0: no GPU check */
    bool gpu_autoscale;      /* GPU nodes come only on demand: ask for one and wait */
    const char *shared_path; /* mount path; NULL: none */
    const char *shared_skip; /* reason why the shared volume cannot be checked across nodes; NULL */
    bool spill;              /* a spill target is configured */
    const char *spill_skip;  /* reason when not */
    unsigned wait_s;         /* for nodes to join; 0: 300 */
};

/* verify.py (text, len) and its expectations as one package. */
bool ray_verify_package(const char *program, size_t len, const struct ray_verify_expect *e,
                        struct ray_package *ret, struct rd_err **reterr) RD_MUST_CHECK;
extern const char ray_verify_entrypoint[]; /* "python verify.py" */

enum ray_check_word { RAY_CHECK_PASS, RAY_CHECK_FAIL, RAY_CHECK_SKIP };

/* Splits the log into lines and finds "PASS|FAIL|SKIP name: detail". */
struct ray_verify_log {
    struct rd_buf line;
    unsigned pass, fail, skip;
    bool summary; /* the closing machine-readable line was seen and agrees with the counts */
    void (*on_check)(struct ray_verify_log *v, enum ray_check_word word, const char *name,
                     const char *detail);
    void (*on_other)(struct ray_verify_log *v, const char *line); /* any other line; may be NULL */
    void *ctx;
};
void ray_verify_log_init(struct ray_verify_log *v);
void ray_verify_log_feed(struct ray_verify_log *v, const char *data, size_t len);
void ray_verify_log_end(struct ray_verify_log *v); /* a last line without a newline */
void ray_verify_log_clear(struct ray_verify_log *v);

#endif
