/* Writes the shipped tables of steps as data (struct sim_row), so that the simulation runs the real
 * graphs without the verbs behind them. */
#include "phase/steps/step.h"

#include <stdio.h>

static void dump(const char *name, const struct step_row *rows, unsigned count)
{
    printf("const struct sim_row sim_rows_%s[] = {\n", name);
    for (unsigned i = 0; i < count; i++) {
        const struct phase_step_def *d = &rows[i].core;
        printf("    {\"%s\", 0x%x, 0x%x, %llu, %u, 0x%llx, %d, %d, %d, %d, %d, %d, %d, %d},\n", d->id,
               (unsigned)d->needs, (unsigned)d->down_after, (unsigned long long)d->limit_ms, d->tries_max,
               (unsigned long long)d->publishes, d->look_only, d->every_run, d->no_last_look,
               d->yields, d->unlocked, rows[i].verbs[VERB_START] != NULL, rows[i].verbs[VERB_WATCH] != NULL,
               rows[i].verbs[VERB_UNDO] != NULL);
    }
    printf("};\nconst unsigned sim_rows_%s_count = %u;\n", name, count);
}

int main(void)
{
    unsigned count;
    puts("/* Made by tables_dump from src/phase/steps. */\n#include \"tests/sim/sim.h\"\n");
    const struct step_row *rows = steps_local(&count);
    dump("local", rows, count);
    rows = steps_gke(&count);
    dump("gke", rows, count);
    return 0;
}
