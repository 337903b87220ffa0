/* Counts of many lives, and the table of what was met. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <string.h>

void tally_add(struct tally *to, const struct tally *from)
{
    /* Everything up to the last hash is a count. */
    uint64_t *a = (uint64_t *)to;
    const uint64_t *b = (const uint64_t *)from;
    for (size_t n = 0; n < offsetof(struct tally, last_hash) / sizeof *a; n++)
        a[n] += b[n];
    to->last_hash ^= from->last_hash;
    if (!to->violation[0] && from->violation[0]) {
        memcpy(to->violation, from->violation, sizeof to->violation);
        to->bad_seed = from->bad_seed;
    }
}

static uint64_t faults_of(const struct tally *t)
{
    uint64_t sum = 0;
    for (int f = FAULT_LOST_REQUEST; f < FAULT_MAX; f++)
        sum += t->faults[f];
    return sum;
}

static unsigned median(const struct tally *t)
{
    uint64_t seen = 0;
    unsigned n = 0;
    while (n + 1 < RD_ARRAY_LEN(t->per_life) && (seen += t->per_life[n]) * 2 < t->lives)
        n++;
    return n;
}

void report_summary(const struct tally *t, double seconds)
{
    printf("lives %" PRIu64 ", runs %" PRIu64 ", events %" PRIu64 ", goals %" PRIu64
           ", journals of real lines %" PRIu64 "\n",
           t->lives, t->runs, t->events, t->goals, t->real_disks);
    printf("faults injected %" PRIu64 " (median %u a life), crashes %" PRIu64
           " (in %.0f %% of lives)\n",
           faults_of(t), median(t), t->crashes,
           t->lives ? 100.0 * (double)t->crash_lives / (double)t->lives : 0);
    printf("resumes %" PRIu64 ", without a human %.1f %%; duplicates %" PRIu64 ", orphans %" PRIu64
           "\n",
           t->resumes,
           t->resumes ? 100.0 * (double)t->resumed_alone / (double)t->resumes : 100.0,
           t->duplicates, t->orphans);
    printf("%.1f s, %.0f lives a second, trace %016" PRIx64 "\n", seconds,
           (double)t->lives / seconds, t->last_hash);
}

/* ---- Coverage ---- */

/* The table: for each step and answer, how often it met each fault. */
static void print_row(const struct tally *t, enum sim_graph g, unsigned i, enum phase_finding v)
{
    printf("%-6s%-19s%-12s", graph_name(g), graph_step(g, i), phase_finding_name(v));
    for (int f = 0; f < FAULT_MAX; f++) {
        uint64_t n = t->cells[g][i][v][f];
        if (cells_impossible(g, i, v, (enum sim_fault)f) && !n)
            printf("%9s", "-");
        else
            printf("%9" PRIu64, n);
    }
    putchar('\n');
}

static void print_head(void)
{
    puts("\nA column is a fault; - is a cell that cannot be met.");
    for (int f = 0; f < FAULT_MAX; f++)
        printf("%2d %s%s", f, sim_fault_names[f], f + 1 < FAULT_MAX ? ", " : "\n");
    printf("%-37s", "graph step answer");
    for (int f = 0; f < FAULT_MAX; f++)
        printf("%9d", f);
    putchar('\n');
}

bool report_cell(const char *name, struct sim_cell *ret)
{
    char text[128];
    for (enum sim_graph g = GRAPH_LOCAL; g <= GRAPH_GKE; g++)
        for (unsigned i = 0; i < graph_steps(g); i++)
            for (enum phase_finding v = 0; v < PHASE_FINDING_MAX; v++)
                for (enum sim_fault f = 0; f < FAULT_MAX; f++) {
                    snprintf(text, sizeof text, "%s/%s/%s/%s", graph_name(g), graph_step(g, i),
                             phase_finding_name(v), sim_fault_names[f]);
                    *ret = (struct sim_cell){g, i, v, f};
                    if (strcmp(text, name) == 0)
                        return true;
                }
    fprintf(stderr, "sim: there is no cell %s\n", name);
    return false;
}

unsigned report_thin(const struct tally *t, unsigned least, struct sim_cell *ret)
{
    unsigned count = 0;
    for (enum sim_graph g = GRAPH_LOCAL; g <= GRAPH_GKE; g++)
        for (unsigned i = 0; i < graph_steps(g); i++)
            for (enum phase_finding v = 0; v < PHASE_FINDING_MAX; v++)
                for (enum sim_fault f = 0; f < FAULT_MAX; f++)
                    if (t->cells[g][i][v][f] < least && !cells_impossible(g, i, v, f))
                        ret[count++] = (struct sim_cell){g, i, v, f};
    return count;
}

/* ---- What cannot be met, by its reason in cells.c ---- */

struct reasons {
    const char *text[64];
    unsigned count[64], len, sum;
};

static void count_reason(struct reasons *r, const char *why)
{
    unsigned n = 0;
    while (n < r->len && strcmp(r->text[n], why) != 0)
        n++;
    RD_ASSERT(n < RD_ARRAY_LEN(r->text));
    if (n == r->len)
        r->text[r->len++] = why;
    r->count[n]++;
    r->sum++;
}

static void print_reasons(const struct reasons *r)
{
    puts("\nCells that cannot be met, by reason:");
    for (unsigned n = 0; n < r->len; n++)
        printf("%6u  %s\n", r->count[n], r->text[n]);
}

bool report_coverage(const struct tally *t, unsigned least)
{
    unsigned met = 0, thin = 0, wrong = 0;
    struct reasons reasons = {0};
    print_head();
    for (enum sim_graph g = GRAPH_LOCAL; g <= GRAPH_GKE; g++)
        for (unsigned i = 0; i < graph_steps(g); i++)
            for (int v = 0; v < PHASE_FINDING_MAX; v++)
                if (!cells_impossible(g, i, (enum phase_finding)v, FAULT_CRASH))
                    print_row(t, g, i, (enum phase_finding)v);
    putchar('\n');
    for (enum sim_graph g = GRAPH_LOCAL; g <= GRAPH_GKE; g++)
        for (unsigned i = 0; i < graph_steps(g); i++)
            for (enum phase_finding v = 0; v < PHASE_FINDING_MAX; v++)
                for (enum sim_fault f = 0; f < FAULT_MAX; f++) {
                    uint64_t n = t->cells[g][i][v][f];
                    const char *why = cells_impossible(g, i, v, f);
                    met += n > 0;
                    if (why)
                        count_reason(&reasons, why);
                    if (why ? n == 0 : n >= least)
                        continue;
                    wrong += why != NULL;
                    thin += !why;
                    printf("%s %s %s, %s: %" PRIu64 "%s%s\n", graph_name(g), graph_step(g, i),
                           phase_finding_name(v), sim_fault_names[f], n,
                           why ? " and should be impossible: " : "", why ? why : "");
                }
    print_reasons(&reasons);
    printf("cells met %u; less than %u times %u; impossible by rule %u, met all the same %u\n", met, least,
           thin, reasons.sum, wrong);
    return !thin && !wrong;
}
