/* The table of --target gke: an order that works, and every fact from one row that its readers need. */
#include "base/test.h"
#include "phase/steps/step.h"

#include <string.h>

static const struct step_row *rows;
static unsigned count;

static int setup(void **state)
{
    (void)state;
    rows = steps_gke(&count);
    return 0;
}

static step_set above(unsigned i)
{
    struct phase_step_def defs[PHASE_STEPS_MAX];
    for (unsigned k = 0; k < count; k++)
        defs[k] = rows[k].core;
    return phase_closure(defs, count, (step_set)1 << i);
}

static void needs_come_first(void **state)
{
    (void)state;
    assert_true(count <= PHASE_STEPS_MAX);
    for (unsigned i = 0; i < count; i++)
        if (rows[i].core.needs >> i)
            fail_msg("%s needs a row that is not above it", rows[i].core.id);
}

static void one_publisher_a_fact(void **state)
{
    (void)state;
    fact_set all = 0;
    for (unsigned i = 0; i < count; i++) {
        if (all & rows[i].core.publishes)
            fail_msg("%s publishes what another row does", rows[i].core.id);
        all |= rows[i].core.publishes;
    }
}

/* Rows before the lock's home is there must be able to act without it; all others must not. */
static void the_lock(void **state)
{
    (void)state;
    int mgmt = steps_find(rows, count, "mgmt");
    assert_true(mgmt >= 0);
    for (unsigned i = 0; i < count; i++) {
        bool before = (above((unsigned)mgmt) >> i) & 1;
        bool free_of_it = rows[i].core.unlocked || rows[i].core.look_only;
        if (before != free_of_it)
            fail_msg("%s: before the lock's home %d, may act without it %d", rows[i].core.id, before,
                     free_of_it);
    }
}

static void edges(void **state)
{
    (void)state;
    static const char *const wanted[][2] = {
        {"cc-iam", "mgmt"},       {"net", "cc-ready"},     {"gke", "net"},
        {"pool-cpu", "accounts"}, {"wi", "accounts"},      {"kuberay", "nat"},
        {"kuberay", "pool-cpu"},  {"volume", "filestore"}, {"ray", "wi"},
        {"ray", "storage"},       {"job", "ray"},          {"workload-leftovers", "gke"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(wanted); i++) {
        int from = steps_find(rows, count, wanted[i][0]), to = steps_find(rows, count, wanted[i][1]);
        assert_true(from >= 0);
        assert_true(to >= 0);
        if (!(above((unsigned)from) >> to & 1))
            fail_msg("%s does not wait for %s", wanted[i][0], wanted[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_come_first),
        cmocka_unit_test(one_publisher_a_fact),
        cmocka_unit_test(the_lock),
        cmocka_unit_test(edges),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
