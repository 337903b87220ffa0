/* sim [--seed N] [--lives N] [--seconds S] [--story] [--coverage] */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds_since(const struct timespec *t)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

static int compare(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

static unsigned faults_of(const struct sim *s)
{
    unsigned sum = 0;
    for (int f = 1; f < FAULT_MAX; f++)
        sum += s->fault_count[f];
    return sum;
}

/* Which step met which answer under which fault, over the lives with the local graph. A cell that
 * no life can reach (an ABSENT in a cut watch, say) stays empty and is not counted. */
static void print_coverage(const struct sim *s)
{
    static const enum sim_fault columns[] = {FAULT_NONE, FAULT_LOST_REQUEST, FAULT_LOST_REPLY,
                                             FAULT_SLOW, FAULT_REFUSED,      FAULT_STALE,
                                             FAULT_CUT};
    unsigned cells = 0, thin = 0;
    printf("\n%-9s%-13s", "step", "answer");
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++)
        printf("%13s", sim_fault_names[columns[c]]);
    putchar('\n');
    for (unsigned i = 0; i < SIM_LOCAL_STEPS; i++)
        for (int v = 0; v < PHASE_FINDING_MAX; v++) {
            uint64_t sum = 0;
            for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++)
                sum += s->cells[i][v][columns[c]];
            if (!sum)
                continue;
            printf("%-9s%-13s", sim_local_steps[i], phase_finding_name(v));
            for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
                uint64_t n = s->cells[i][v][columns[c]];
                printf("%13" PRIu64, n);
                cells += n > 0;
                thin += n > 0 && n < 100;
            }
            putchar('\n');
        }
    printf("%u cells (step, answer, fault) met, %u of them less than 100 times\n", cells, thin);
}

int main(int argc, char **argv)
{
    uint64_t seed = (uint64_t)time(NULL), lives = 1;
    double seconds = 0;
    bool story = false, coverage = false;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--seed") == 0 && more)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--lives") == 0 && more)
            lives = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0 && more)
            seconds = strtod(argv[++i], NULL), lives = UINT64_MAX;
        else if (strcmp(argv[i], "--story") == 0)
            story = true;
        else if (strcmp(argv[i], "--coverage") == 0)
            coverage = true;
        else {
            fprintf(stderr,
                    "usage: sim [--seed N] [--lives N | --seconds S] [--story] [--coverage]\n");
            return 2;
        }
    }
    printf("seed %" PRIu64 "\n", seed);
    static struct sim one, two;
    struct sim *s = &one, *again = &two;
    size_t room = 0, lived = 0;
    unsigned crashed = 0;
    static unsigned *per_life; /* reachable at every exit */
    struct timespec begun;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (; lived < lives && (seconds == 0 || seconds_since(&begun) < seconds); lived++) {
        unsigned before = faults_of(s), crashes = s->crashes;
        bool well = sim_life(s, seed + lived, story);
        if (lived % 64 == 0) { /* rule 8 */
            bool same = sim_life(again, seed + lived, false);
            if (same != well || again->hash != s->hash) {
                printf("seed %" PRIu64 ": rule 8: two traces, %016" PRIx64 " and %016" PRIx64 "\n",
                       seed + lived, s->hash, again->hash);
                return 1;
            }
        }
        if (!well) {
            printf("seed %" PRIu64 ": %s\n", seed + lived, s->violation);
            printf("its story: sim --seed %" PRIu64 " --story\n", seed + lived);
            return 1;
        }
        if (lived == room)
            per_life = realloc(per_life, (room = room ? room * 2 : 1024) * sizeof *per_life);
        per_life[lived] = faults_of(s) - before;
        crashed += s->crashes > crashes;
    }
    qsort(per_life, lived, sizeof *per_life, compare);
    double took = seconds_since(&begun);
    unsigned goals = s->resumed_alone + s->needed_help;
    printf("lives %zu, runs %u, events %" PRIu64
           ", faults %u (median %u a life), crashes %u (in %.0f %% "
           "of lives)\n",
           lived, s->runs, s->events, faults_of(s), lived ? per_life[lived / 2] : 0, s->crashes,
           lived ? 100.0 * crashed / (double)lived : 0);
    printf("goals reached by the same command again, faults on: %.1f %%; duplicates 0, orphans 0\n",
           goals ? 100.0 * s->resumed_alone / goals : 0);
    printf("%.1f s, %.0f lives a second, hash of the last %016" PRIx64 "\n", took,
           (double)lived / took, s->hash);
    if (coverage) {
        for (int f = 1; f < FAULT_MAX; f++)
            printf("%-20s %u\n", sim_fault_names[f], s->fault_count[f]);
        print_coverage(s);
    }
    free(per_life);
    return 0;
}
