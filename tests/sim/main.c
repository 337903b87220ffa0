/* sim [--seed N] [--lives N | --seconds S] [--jobs N] [--story] [--coverage [LEAST]]
 *     [--aim GRAPH/STEP/ANSWER/FAULT] */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64
#define ROUND 40       /* lives aimed at a thin cell before it is counted again */
#define ROUND_MIN 2000 /* in all: what few cells are left are the hard ones */

struct options {
    uint64_t seed, lives;
    double seconds;
    unsigned jobs, least;
    bool story, coverage;
    const char *aim;
};

static double seconds_since(const struct timespec *t)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

/* Which lives: with cells, so many each are aimed at them. */
struct plan {
    uint64_t first, lives; /* numbers of lives */
    struct sim_cell *cells;
    unsigned cell_count;
};

static uint64_t seed_of(const struct options *o, const struct plan *plan, uint64_t n)
{
    uint64_t seed = o->seed + plan->first + n;
    if (plan->cell_count == 0)
        return seed;
    const struct sim_cell *c = &plan->cells[n % plan->cell_count];
    return aim_seed(c->graph, c->step, c->found, c->fault, seed);
}

/* Lives number first, first + jobs, ...; ends at the first that breaks a rule. */
static void work(const struct options *o, const struct plan *plan, unsigned first, struct tally *t)
{
    static struct sim one, two;
    static struct tally ignored;
    struct timespec begun;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    one.tally = t;
    two.tally = &ignored;
    for (uint64_t n = first; n < plan->lives; n += o->jobs) {
        if (o->seconds > 0 && seconds_since(&begun) >= o->seconds)
            break;
        uint64_t seed = seed_of(o, plan, n);
        t->bad_seed = seed; /* should an assertion end us */
        bool well = sim_life(&one, seed, o->story);
        if (n / o->jobs % 32 == 0) { /* rule 8 */
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
        else if (strcmp(argv[i], "--aim") == 0 && more)
            o->aim = argv[++i];
        else if (strcmp(argv[i], "--coverage") == 0) {
            o->coverage = true;
            if (more && argv[i + 1][0] != '-')
                o->least = (unsigned)strtoul(argv[++i], NULL, 10);
        } else
            return false;
    }
    return o->jobs >= 1 && o->jobs <= JOBS_MAX;
}

/* The plan's lives in all workers; their counts are added to `all`. */
static bool run(const struct options *o, const struct plan *plan, struct tally *each, struct tally *all)
{
    bool died = false;
    memset(each, 0, JOBS_MAX * sizeof *each);
    if (o->jobs == 1)
        work(o, plan, 0, &each[0]);
    pid_t pids[JOBS_MAX];
    for (unsigned n = 0; o->jobs > 1 && n < o->jobs; n++) {
        pids[n] = fork();
        RD_ASSERT(pids[n] >= 0);
        if (pids[n] == 0) {
            work(o, plan, n, &each[n]);
            _exit(0);
        }
    }
    pid_t pid;
    for (int status; o->jobs > 1 && (pid = wait(&status)) > 0;) {
        for (unsigned n = 0; n < o->jobs && status != 0; n++)
            if (pids[n] == pid)
                printf("seed %" PRIu64 ": its worker died of it\n", each[n].bad_seed);
        died |= status != 0;
    }
    for (unsigned n = 0; n < o->jobs; n++)
        tally_add(all, &each[n]);
    return !died && !all->violation[0];
}

/* Three quarters of the lives are as they come; then they are aimed at the cells that are still met too
 * seldom, for as long as there are such; what is left over is as it comes again. */
static bool run_all(const struct options *o, struct tally *each, struct tally *all)
{
    static struct sim_cell thin[CELLS_MAX];
    bool aims = o->coverage && o->least > 0 && o->seconds <= 0;
    if (o->aim) {
        struct plan one = {.lives = o->lives, .cells = thin, .cell_count = 1};
        bool well = report_cell(o->aim, &thin[0]) && run(o, &one, each, all);
        const struct sim_cell *c = &thin[0];
        printf("%s: met %" PRIu64 " times\n", o->aim,
               all->cells[c->graph][c->step][c->found][c->fault]);
        return well;
    }
    struct plan plan = {.lives = aims ? o->lives - o->lives / 4 : o->lives, .cells = thin};
    if (!run(o, &plan, each, all))
        return false;
    while (aims && all->lives < o->lives) {
        plan.first += plan.lives;
        plan.lives = o->lives - all->lives;
        plan.cell_count = report_thin(all, o->least, thin);
        uint64_t some = (uint64_t)plan.cell_count * ROUND;
        if (some < ROUND_MIN)
            some = ROUND_MIN;
        if (plan.cell_count && some < plan.lives)
            plan.lives = some;
        uint64_t before = all->lives;
        if (!run(o, &plan, each, all))
            return false;
        if (plan.cell_count) {
            printf("%" PRIu64 " lives aimed at %u thin cells\n", all->lives - before, plan.cell_count);
            fflush(stdout);
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options o = {.seed = (uint64_t)time(NULL), .lives = 1, .jobs = 1};
    if (!read_options(argc, argv, &o)) {
        fprintf(stderr, "usage: sim [--seed N] [--lives N | --seconds S] [--jobs N] [--story] "
                        "[--coverage [LEAST]] [--aim GRAPH/STEP/ANSWER/FAULT]\n");
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
    bool died = !run_all(&o, each, &all) && !all.violation[0];
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
