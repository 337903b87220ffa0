/* Stories: traces of the core that read like one. Tests only.
 *
 * A line is "EVENT => COMMANDS". Events: "lock 60000", "lock lost", "cancel", "abort", "wake" (time goes
 * on to phase_wake_ms), "+500" (time goes on by 500 ms), "disk" and "disk full" (answer to all records
 * handed out), "a ready", "a absent drifted": the verdict on a's op, with flags ours, theirs, drifted,
 * kept, KIND (a word of rd_err_kind_name), grace=MS, says=N, after=MS.
 * Commands: "look a", "start a", "watch a", "undo a", "stop a", "intend a", "a done" (any state but
 * those that a command implies), "end ok", "end KIND a", "end cancelled". */
#ifndef RD_PHASE_CORE_STORY_TEST_H
#define RD_PHASE_CORE_STORY_TEST_H

#include "phase/core/phase.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct story {
    struct phase phase;
    struct phase_commands out;
    const struct phase_step_def *defs;
    uint64_t now_ms;
    uint64_t seqs[64]; /* records not yet answered */
    unsigned seq_count;
    bool ended;
};

static unsigned find_step(const struct story *s, const char *id)
{
    for (unsigned i = 0; i < s->phase.count; i++)
        if (strcmp(s->defs[i].id, id) == 0)
            return i;
    fail_msg("no step '%s'", id);
    return 0;
}

static void add(char *text, size_t size, const char *a, const char *b, const char *c)
{
    size_t len = strlen(text);
    snprintf(text + len, size - len, "%s%s%s%s%s%s", len ? ", " : "", a, b ? " " : "", b ? b : "",
             c ? " " : "", c ? c : "");
}

static bool implied(enum step_state s)
{
    return s == STEP_LOOKING || s == STEP_INTENDING || s == STEP_STARTING || s == STEP_WAITING ||
           s == STEP_UNDOING;
}

static void send(struct story *s, struct phase_event *e, char *told, size_t size)
{
    e->now_ms = s->now_ms;
    phase_step(&s->phase, e, &s->out);
    for (unsigned n = 0; n < s->out.len; n++) {
        const struct phase_command *c = &s->out.v[n];
        const char *id = c->step == PHASE_NO_STEP ? NULL : s->defs[c->step].id;
        switch (c->type) {
        case CMD_JOURNAL:
            assert_true(s->seq_count < 64);
            s->seqs[s->seq_count++] = c->seq;
            if (c->record == REC_INTENT_START || c->record == REC_INTENT_UNDO)
                add(told, size, "intend", id, NULL);
            break;
        case CMD_RUN:
            add(told, size, phase_verb_name(c->verb), id, NULL);
            break;
        case CMD_STOP:
            add(told, size, "stop", id, NULL);
            break;
        case CMD_NOTE:
            if (!implied(c->to) && c->from != STEP_UNWANTED)
                add(told, size, id, step_state_name(c->to), NULL);
            break;
        case CMD_END:
            s->ended = true;
            add(told, size, "end",
                c->ok ? "ok" : c->cancelled ? "cancelled" : rd_err_kind_name(c->exit_kind),
                c->ok || c->cancelled ? NULL : id);
            break;
        }
    }
    uint64_t wake = phase_wake_ms(&s->phase);
    if (wake <= s->now_ms) /* it would be woken for ever */
        fail_msg("at %llu ms it wants to be woken at %llu ms", (unsigned long long)s->now_ms,
                 (unsigned long long)wake);
}

static void read_flag(struct phase_verdict *v, const char *word)
{
    if (strcmp(word, "ours") == 0)
        v->ours = true;
    else if (strcmp(word, "drifted") == 0)
        v->drifted = true;
    else if (strcmp(word, "kept") == 0)
        v->kept = true;
    else if (strncmp(word, "grace=", 6) == 0)
        v->grace_ms = strtoull(word + 6, NULL, 10);
    else if (strncmp(word, "says=", 5) == 0)
        v->complaint = strtoull(word + 5, NULL, 10);
    else if (strncmp(word, "after=", 6) == 0)
        v->retry_after_ms = strtoull(word + 6, NULL, 10);
    else {
        for (int k = 0; k < RD_ERR_KIND_MAX; k++)
            if (strcmp(word, rd_err_kind_name(k)) == 0) {
                v->kind = k;
                return;
            }
        fail_msg("what is '%s'?", word);
    }
}

static void send_verdict(struct story *s, const char *id, char *rest, char *told, size_t size)
{
    struct phase_event e = {.type = EV_VERDICT};
    unsigned i = find_step(s, id);
    e.u.verdict.step = i;
    e.u.verdict.verb = s->phase.steps[i].verb;
    e.u.verdict.run_id = s->phase.steps[i].run_id;
    assert_int_not_equal(e.u.verdict.run_id, 0);
    struct phase_verdict *v = &e.u.verdict.verdict;
    v->kind = RD_ERR_TRANSIENT;
    char *save = NULL, *word = strtok_r(rest, " ", &save);
    v->found = PHASE_FINDING_MAX;
    for (int f = 0; f < PHASE_FINDING_MAX; f++)
        if (strcmp(word, phase_finding_name(f)) == 0)
            v->found = f;
    assert_int_not_equal(v->found, PHASE_FINDING_MAX);
    v->facts = v->found == FOUND_READY ? s->defs[i].publishes : 0;
    while ((word = strtok_r(NULL, " ", &save)))
        read_flag(v, word);
    send(s, &e, told, size);
}

static void play(struct story *s, char *event, char *told, size_t size)
{
    struct phase_event e = {.type = EV_TICK};
    char *save = NULL, *word = strtok_r(event, " ", &save);
    char *rest = word + strlen(word) + 1;
    if (strcmp(word, "lock") == 0) {
        e.type = EV_LOCK;
        e.u.lock.until_ms = strcmp(rest, "lost") == 0 ? 0 : s->now_ms + strtoull(rest, NULL, 10);
        send(s, &e, told, size);
    } else if (strcmp(word, "cancel") == 0 || strcmp(word, "abort") == 0) {
        e.type = *word == 'c' ? EV_CANCEL : EV_ABORT;
        send(s, &e, told, size);
    } else if (strcmp(word, "wake") == 0) {
        s->now_ms = phase_wake_ms(&s->phase);
        assert_true(s->now_ms != RD_NEVER);
        send(s, &e, told, size);
    } else if (*word == '+') {
        s->now_ms += strtoull(word + 1, NULL, 10);
        send(s, &e, told, size);
    } else if (strcmp(word, "disk") == 0) {
        unsigned count = s->seq_count;
        uint64_t seqs[64];
        memcpy(seqs, s->seqs, sizeof seqs);
        s->seq_count = 0;
        for (unsigned n = 0; n < count && !s->ended; n++) {
            e.type = EV_JOURNALED;
            e.u.journaled.seq = seqs[n];
            e.u.journaled.ok = strtok_r(NULL, " ", &save) == NULL;
            send(s, &e, told, size);
        }
    } else {
        char *verdict = strtok_r(NULL, "", &save);
        assert_non_null(verdict);
        send_verdict(s, word, verdict, told, size);
    }
}

static void story_begin(struct story *s, const struct phase_step_def *defs, unsigned count,
                 const struct phase_goal *goal, bool needs_lock, const char *expect)
{
    memset(s, 0, sizeof *s);
    s->defs = defs;
    s->now_ms = 1000;
    phase_init(&s->phase, defs, count);
    struct phase_event e = {.type = EV_START};
    e.u.start.goal = *goal;
    e.u.start.seed = 7;
    e.u.start.needs_lock = needs_lock;
    char told[2048] = "";
    send(s, &e, told, sizeof told);
    assert_string_equal(told, expect);
}

static void story_tell(struct story *s, const char *const *lines)
{
    for (; *lines; lines++) {
        char line[1024], told[2048] = "";
        snprintf(line, sizeof line, "%s", *lines);
        char *arrow = strstr(line, " =>");
        assert_non_null(arrow);
        *arrow = '\0';
        const char *expect = arrow + 3 + (arrow[3] == ' ');
        char event[1024];
        memcpy(event, line, sizeof event);
        play(s, event, told, sizeof told);
        if (strcmp(told, expect) != 0)
            fail_msg("at %llu ms, '%s': told '%s', expected '%s'", (unsigned long long)s->now_ms, line,
                     told, expect);
    }
}

#define TELL(s, ...) story_tell(s, (const char *const[]){__VA_ARGS__, NULL})

#endif
