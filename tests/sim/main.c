/* sim [--seed N] [--lives N | --seconds S] [--jobs N] [--story] [--coverage [LEAST]] */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64

struct options {
    uint64_t seed, lives;
    double seconds;
    unsigned jobs, least;
    bool story, coverage;
};

static double seconds_since(const struct timespec *t)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

/* Lives number first, first + step, ...; ends at the first that breaks a rule. */
static void work(const struct options *o, unsigned first, struct tally *t)
{
    static struct sim one, two;
    static struct tally ignored;
    struct timespec begun;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    one.tally = t;
    two.tally = &ignored;
    for (uint64_t n = first; n < o->lives; n += o->jobs) {
        if (o->seconds > 0 && seconds_since(&begun) >= o->seconds)
            break;
        uint64_t seed = o->seed + n;
        t->bad_seed = seed; /* should an assertion end us */
        bool well = sim_life(&one, seed, o->story);
        if (n % 64 < o->jobs) { /* rule 8 */
            bool same = sim_life(&two, seed, false);
            if (same != well || two.hash != one.hash) {
                snprintf(one.violation, sizeof one.violation,
                         "rule 8: two traces, %016" PRIx64 " and %016" PRIx64, one.hash, two.hash);
                well = false;
            }
        }
        t->lives++;
        t->crashes += one.life_crashes;
        t->crash_lives += one.life_crashes > 0;
        unsigned most = RD_ARRAY_LEN(t->per_life) - 1;
        t->per_life[one.life_faults < most ? one.life_faults : most]++;
        t->last_hash ^= one.hash;
        if (!well) {
            t->bad_seed = seed;
            memcpy(t->violation, one.violation, sizeof t->violation);
            return;
        }
    }
}

static bool read_options(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--seed") == 0 && more)
            o->seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--lives") == 0 && more)
            o->lives = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0 && more)
            o->seconds = strtod(argv[++i], NULL), o->lives = UINT64_MAX;
        else if (strcmp(argv[i], "--jobs") == 0 && more)
            o->jobs = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--story") == 0)
            o->story = true;
        else if (strcmp(argv[i], "--coverage") == 0) {
            o->coverage = true;
            if (more && argv[i + 1][0] != '-')
                o->least = (unsigned)strtoul(argv[++i], NULL, 10);
        } else
            return false;
    }
    return o->jobs >= 1 && o->jobs <= JOBS_MAX;
}

int main(int argc, char **argv)
{
    struct options o = {.seed = (uint64_t)time(NULL), .lives = 1, .jobs = 1};
    if (!read_options(argc, argv, &o)) {
        fprintf(stderr, "usage: sim [--seed N] [--lives N | --seconds S] [--jobs N] [--story] "
                        "[--coverage [LEAST]]\n");
        return 2;
    }
    printf("seed %" PRIu64 "\n", o.seed);
    fflush(stdout);
    judge_init();
    struct timespec begun;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    struct tally *each = mmap(NULL, JOBS_MAX * sizeof *each, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    static struct tally all;
    RD_ASSERT(each != MAP_FAILED);
    bool died = false;
    if (o.jobs == 1)
        work(&o, 0, &each[0]);
    pid_t pids[JOBS_MAX];
    for (unsigned n = 0; o.jobs > 1 && n < o.jobs; n++) {
        pids[n] = fork();
        RD_ASSERT(pids[n] >= 0);
        if (pids[n] == 0) {
            work(&o, n, &each[n]);
            _exit(0);
        }
    }
    pid_t pid;
    for (int status; o.jobs > 1 && (pid = wait(&status)) > 0;) {
        for (unsigned n = 0; n < o.jobs && status != 0; n++)
            if (pids[n] == pid)
                printf("seed %" PRIu64 ": its worker died of it\n", each[n].bad_seed);
        died |= status != 0;
    }
    for (unsigned n = 0; n < o.jobs; n++)
        tally_add(&all, &each[n]);
    if (all.violation[0]) {
        printf("seed %" PRIu64 ": %s\n", all.bad_seed, all.violation);
        printf("its story: sim --seed %" PRIu64 " --story\n", all.bad_seed);
    }
    report_summary(&all, seconds_since(&begun));
    bool covered = true;
    if (o.coverage) {
        for (int f = FAULT_LOST_REQUEST; f < FAULT_MAX; f++)
            printf("%-20s %" PRIu64 "\n", sim_fault_names[f], all.faults[f]);
        covered = report_coverage(&all, o.least) || o.least == 0;
    }
    return all.violation[0] || died || !covered;
}
