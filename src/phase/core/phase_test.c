/* Goal: the core's rules, told as stories (story_test.h has the words). */
#include "phase/core/story_test.h"

/* ---- The table: look finds the cluster; net, then app and vol side by side, then job ---- */

enum { LOOK, NET, APP, VOL, JOB, STEPS };
#define BIT(i) (1u << (i))
#define ALL (BIT(STEPS) - 1)
static const struct phase_step_def defs[STEPS] = {
    [LOOK] = {.id = "pre", .limit_ms = 60000, .look_only = true, .publishes = 1},
    [NET] = {.id = "net", .needs = BIT(LOOK), .limit_ms = 600000},
    [APP] = {.id = "app", .needs = BIT(NET), .limit_ms = 600000, .tries_max = 3},
    [VOL] = {.id = "vol", .needs = BIT(NET), .limit_ms = 600000},
    [JOB] = {.id = "job", .needs = BIT(APP) | BIT(VOL), .limit_ms = 600000, .every_run = true},
};
static const struct phase_goal up = {.kind = GOAL_UP, .want = BIT(JOB), .may_start = ALL};
static const struct phase_goal down = {.kind = GOAL_DOWN, .want = ALL & ~BIT(LOOK)};

static void begin(struct story *s, const struct phase_step_def *table, const struct phase_goal *goal)
{
    story_begin(s, table, STEPS, goal, true, "look pre");
    TELL(s, "pre ready => pre done", "disk =>", "lock 60000 => look net");
}

static void begin_up(struct story *s, const struct phase_goal *goal)
{
    begin(s, defs, goal);
}

/* The app's turn comes once the volume is under way. */
static void begin_yielding(struct story *s)
{
    static struct phase_step_def table[STEPS];
    memcpy(table, defs, sizeof defs);
    table[APP].yields = true;
    begin(s, table, &up);
    TELL(s, "net ready ours => net done, look vol");
}

/* clang-format off: a story has one line for each event */

static void test_from_nothing(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net absent => intend net",
         "disk => start net",
         "net pending => watch net",
         "net ready ours => net done, look app, look vol",
         "app absent => intend app",
         "vol absent => intend vol",
         "disk => start app, start vol",
         "vol ready => vol done",
         "app ready => app done, look job",
         "job absent => intend job",
         "disk => start job",
         "job pending => watch job",
         "job ready => job done, end ok");
}

static void test_who_yields_comes_second(void **state)
{
    (void)state;
    struct story s;
    begin_yielding(&s);
    TELL(&s,
         "vol absent => intend vol",
         "disk => start vol",
         "vol pending => watch vol, look app", /* it is under way: now the other one */
         "app ready => app done",
         "vol ready => vol done, look job");
    begin_yielding(&s);
    TELL(&s,
         "vol unreachable => vol pausing, look app", /* who cannot be reached holds up nobody else */
         "app ready => app done");
}

static void test_nothing_to_do_is_looks_and_the_job(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net ready => net done, look app, look vol",
         "app ready => app done",
         "vol ready => vol done, look job",
         "job ready => intend job", /* an earlier run's success does not count */
         "disk => start job",
         "job ready => job done, end ok");
}

static void test_lost_reply_leads_to_look(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net absent => intend net",
         "disk => start net",
         "net unreachable => net pausing",
         "wake => look net",
         "net ready => net done, look app, look vol");
}

static void test_lost_request_is_started_again_after_a_look(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net absent => intend net",
         "disk => start net",
         "net unreachable => net pausing",
         "wake => look net",
         "net absent => start net", /* the intent on disk still stands */
         "net ready => net done, look app, look vol");
}

/* What an earlier run started may still be at work. */
static void test_a_look_that_failed_starts_nothing(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net ready => net done, look app, look vol",
         "app ready => app done",
         "vol ready => vol done, look job",
         "job failed credentials => job failed, end credentials job");
    begin_up(&s, &up);
    TELL(&s,
         "net ready => net done, look app, look vol",
         "app ready => app done",
         "vol ready => vol done, look job",
         "job failed ours job => intend job", /* it ran and failed: here is another chance */
         "disk => start job");
}

static void test_drift_is_mended(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net ready drifted => intend net",
         "disk => start net",
         "net ready => net done, look app, look vol",
         "app failed drifted failed => intend app", /* broken before, but what is wanted has changed */
         "disk => start app",
         "app failed failed => app failed, job held");
}

static void test_failure_holds_dependents_only(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net ready => net done, look app, look vol",
         "app foreign => app failed, job held",
         "vol absent => intend vol",
         "disk => start vol",
         "vol ready => vol done, end foreign app");
}

static void test_fail_fast_stops_the_rest(void **state)
{
    (void)state;
    struct story s;
    struct phase_goal g = up;
    g.fail_fast = true;
    begin_up(&s, &g);
    TELL(&s,
         "net ready => net done, look app, look vol",
         "app failed credentials => app failed, stop vol, job cancelled",
         "vol unreachable => vol cancelled, end credentials app");
}

static void test_gravest_failure_rules(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net ready => net done, look app, look vol",
         "app failed timeout => app failed, job held",
         "vol failed failed => vol failed, end failed vol");
}

static void test_complaint_becomes_final_when_it_does_not_change(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net absent => intend net",
         "disk => start net",
         "net pending => watch net",
         "net failing failed says=1 grace=1000 => net pausing",
         "+100 => look net",
         "net failing failed says=2 grace=1000 => net pausing", /* another complaint: from the start */
         "+900 => look net",
         "net failing failed says=2 grace=1000 => net pausing",
         "+100 => look net",
         "net failing failed says=2 grace=1000 => net failed, app held, vol held, job held, "
         "end failed net");
}

static void test_complaint_that_heals(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net pending => watch net",
         "net failing failed says=1 grace=1000 => net pausing",
         "wake => look net",
         "net pending => watch net",
         "net ready => net done, look app, look vol");
}

static void test_limit_passes(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net pending => watch net",
         "+599999 =>",
         "+1 => stop net",
         "net unreachable timeout => net failed, app held, vol held, job held, end timeout net");
}

static void test_ready_at_the_limit_counts(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s, "net pending => watch net", "+600000 => stop net", "lock 60000 =>",
         "net ready => net done, look app, look vol");
}

static void test_retry_after_past_the_limit_fails_now(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s, "net unreachable after=700000 => net failed, app held, vol held, job held, "
             "end transient net");
}

static void test_budget_of_tries(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net ready => net done, look app, look vol",
         "app absent => intend app",
         "disk => start app",
         "app unreachable => app pausing",
         "wake => look app",
         "app absent => start app",
         "app unreachable => app pausing",
         "wake => look app",
         "app absent => start app",
         "app unreachable => app failed, job held");
}

static void test_leaving_is_waited_out(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net leaving ours => net pausing",
         "+100 => look net",
         "net absent => intend net");
}

static void test_look_only_steps_fail_as_preflight(void **state)
{
    (void)state;
    struct story s;
    struct phase_goal g = up;
    g.may_start = BIT(JOB); /* test-job */
    begin_up(&s, &g);
    TELL(&s,
         "net ready drifted => net done, look app, look vol", /* not ours to mend now */
         "app absent => app failed, job held",
         "vol ready => vol done, end preflight app");
}

static void test_nothing_before_the_lock(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, defs, STEPS, &up, true, "look pre");
    assert_false(phase_wants_lock(&s.phase));
    TELL(&s, "pre ready => pre done", "+5000 =>");
    assert_true(phase_wants_lock(&s.phase));
    TELL(&s, "lock 60000 => look net");
    assert_false(phase_wants_lock(&s.phase));
}

static void test_lock_in_other_hands(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, defs, STEPS, &up, true, "look pre");
    TELL(&s, "pre ready => pre done",
         "lock lost => net cancelled, app cancelled, vol cancelled, job cancelled, end locked");
}

static void test_nothing_new_past_the_lock(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, defs, STEPS, &up, true, "look pre");
    TELL(&s,
         "pre ready => pre done",
         "lock 10000 => look net",
         "+9100 =>", /* into the margin of a tenth */
         "net absent => net blocked",
         "lock 10000 => look net", /* renewed; what was seen before does not count */
         "net absent => intend net",
         "+9500 =>", /* the disk was slow */
         "disk => net blocked",
         "lock 10000 => look net",
         "net absent => start net",
         "+9000 => stop net", /* it may not send more either */
         "net unreachable => net pausing",
         "lock 10000 =>",
         "wake => look net",
         "net ready => net done, look app, look vol",
         "lock lost => stop app, stop vol, job cancelled",
         "app absent => app cancelled",
         "vol ready => vol done, end locked");
}

static void test_cancel_lets_mutations_settle(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net ready => net done, look app, look vol",
         "app absent => intend app",
         "disk => start app",
         "cancel => stop vol, job cancelled",
         "vol absent => vol cancelled",
         "+9999 =>",
         "+1 => stop app",
         "app unreachable => app cancelled, end cancelled");
}

static void test_cancel_between_intent_and_start(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s, "net absent => intend net",
         "cancel => net cancelled, app cancelled, vol cancelled, job cancelled, end cancelled",
         "disk =>");
}

static void test_abort_ends_at_once(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s, "net pending => watch net", "cancel => stop net, app cancelled, vol cancelled, "
                                         "job cancelled",
         "abort => end cancelled");
}

static void test_full_disk_ends_the_run(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s, "net absent => intend net",
         "disk full => net cancelled, app cancelled, vol cancelled, job cancelled, end failed");
}

static void test_run_limit_names_the_step(void **state)
{
    (void)state;
    struct story s;
    struct phase_goal g = up;
    g.run_limit_ms = 5000;
    begin_up(&s, &g);
    TELL(&s, "net pending => watch net",
         "wake => stop net, app cancelled, vol cancelled, job cancelled",
         "net unreachable => net failed, end timeout net");
}

static void test_last_look_mends(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s,
         "net ready => net done, look app, look vol",
         "app ready => app done",
         "vol ready => vol done, look job",
         "job absent => intend job",
         "disk => start job",
         "job pending => watch job",
         "+31000 =>",
         "job ready => job done, look pre, look net, look app, look vol",
         "pre ready => pre done",
         "app absent => app blocked", /* its need is being looked at */
         "net absent => intend net",  /* somebody deleted everything */
         "vol absent => vol blocked",
         "disk => start net",
         "lock 60000 =>",
         "net ready => net done, look app, look vol",
         "app absent => intend app",
         "vol absent => intend vol",
         "disk => start app, start vol",
         "app ready => app done",
         "vol ready => vol done, look app, look vol", /* they were on top of what was mended */
         "app ready => app done",
         "vol ready => vol done, end ok");
}

static void test_down_in_reverse(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, defs, STEPS, &down, true, "look pre");
    TELL(&s,
         "pre ready => pre done",
         "lock 60000 => look net",
         "net ready ours => net blocked, look app, look vol",
         "app ready ours => app blocked",
         "vol failed failed ours => vol blocked, look job",
         "job absent => job gone, intend app, intend vol",
         "disk => undo app, undo vol",
         "app leaving ours => app leaving",
         "vol absent => vol gone",
         "+100 => look app",
         "app leaving ours =>",
         "+100 => look app",
         "app absent => app gone, intend net",
         "disk => undo net",
         "net absent => net gone, end ok");
}

static void test_down_leaves_what_is_not_ours(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, defs, STEPS, &down, true, "look pre");
    TELL(&s,
         "pre ready => pre done",
         "lock 60000 => look net",
         "net ready => net blocked, look app, look vol",
         "app foreign => app blocked",
         "vol ready ours kept => vol blocked, look job",
         "job absent => job gone, app kept, vol kept, net kept, end ok");
}

static void test_down_failure_holds_what_it_stands_on(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, defs, STEPS, &down, true, "look pre");
    TELL(&s,
         "pre ready => pre done",
         "lock 60000 => look net",
         "net ready ours => net blocked, look app, look vol",
         "app ready ours => app blocked",
         "vol ready ours => vol blocked, look job",
         "job absent => job gone, intend app, intend vol",
         "disk => undo app, undo vol",
         "app failed timeout ours => app failed, net held",
         "vol absent => vol gone, end remains app");
}

static void test_down_of_an_unreachable_world(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, defs, STEPS, &down, true, "look pre");
    TELL(&s, "pre unreachable after=70000 => pre failed, net held, app held, vol held, job held, "
             "end transient pre");
}

static void test_look_goal_starts_nothing(void **state)
{
    (void)state;
    struct story s;
    struct phase_goal g = {.kind = GOAL_LOOK, .want = ALL};
    story_begin(&s, defs, STEPS, &g, false, "look pre");
    TELL(&s,
         "pre ready => pre done, look net",
         "net ready drifted => net seen, look app, look vol",
         "app absent => app gone",
         "vol foreign => vol failed, look job",
         "job absent => job gone, end foreign vol");
}

static void test_a_verdict_said_twice(void **state)
{
    (void)state;
    struct story s;
    begin_up(&s, &up);
    TELL(&s, "net absent => intend net", "disk => start net");
    struct phase_event twice = {.type = EV_VERDICT, .now_ms = s.now_ms};
    twice.u.verdict.step = NET;
    twice.u.verdict.verb = VERB_LOOK;
    twice.u.verdict.run_id = s.phase.steps[NET].run_id - 1;
    phase_step(&s.phase, &twice, &s.out);
    assert_int_equal(s.out.len, 0);
}

/* clang-format on */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_nothing),
        cmocka_unit_test(test_who_yields_comes_second),
        cmocka_unit_test(test_nothing_to_do_is_looks_and_the_job),
        cmocka_unit_test(test_lost_reply_leads_to_look),
        cmocka_unit_test(test_lost_request_is_started_again_after_a_look),
        cmocka_unit_test(test_a_look_that_failed_starts_nothing),
        cmocka_unit_test(test_drift_is_mended),
        cmocka_unit_test(test_failure_holds_dependents_only),
        cmocka_unit_test(test_fail_fast_stops_the_rest),
        cmocka_unit_test(test_gravest_failure_rules),
        cmocka_unit_test(test_complaint_becomes_final_when_it_does_not_change),
        cmocka_unit_test(test_complaint_that_heals),
        cmocka_unit_test(test_limit_passes),
        cmocka_unit_test(test_ready_at_the_limit_counts),
        cmocka_unit_test(test_retry_after_past_the_limit_fails_now),
        cmocka_unit_test(test_budget_of_tries),
        cmocka_unit_test(test_leaving_is_waited_out),
        cmocka_unit_test(test_look_only_steps_fail_as_preflight),
        cmocka_unit_test(test_nothing_before_the_lock),
        cmocka_unit_test(test_lock_in_other_hands),
        cmocka_unit_test(test_nothing_new_past_the_lock),
        cmocka_unit_test(test_cancel_lets_mutations_settle),
        cmocka_unit_test(test_cancel_between_intent_and_start),
        cmocka_unit_test(test_abort_ends_at_once),
        cmocka_unit_test(test_full_disk_ends_the_run),
        cmocka_unit_test(test_run_limit_names_the_step),
        cmocka_unit_test(test_last_look_mends),
        cmocka_unit_test(test_down_in_reverse),
        cmocka_unit_test(test_down_leaves_what_is_not_ours),
        cmocka_unit_test(test_down_failure_holds_what_it_stands_on),
        cmocka_unit_test(test_down_of_an_unreachable_world),
        cmocka_unit_test(test_look_goal_starts_nothing),
        cmocka_unit_test(test_a_verdict_said_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
