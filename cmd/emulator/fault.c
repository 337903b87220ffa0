#include "fault.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INSIDE "INSIDE"
enum { DELAY_DEFAULT_MS = 5000 };

static bool parse_effect(const char *s, struct emu_fault *ret, struct rd_err **reterr)
{
    static const struct {
        const char *word;
        enum emu_effect effect;
    } words[] = {{"reset", EMU_RESET},
                 {"drop-reply", EMU_DROP_REPLY},
                 {"half", EMU_HALF},
                 {"op-fail", EMU_OP_FAIL},
                 {"kill", EMU_KILL},
                 {"kill-unanswered", EMU_KILL_UNANSWERED},
                 {"kill-answered", EMU_KILL_ANSWERED}};
    for (size_t i = 0; i < RD_ARRAY_LEN(words); i++) {
        if (rd_streq(s, words[i].word)) {
            *ret = (struct emu_fault){.effect = words[i].effect};
            return true;
        }
    }
    if (rd_streq(s, "delay")) {
        *ret = (struct emu_fault){.effect = EMU_DELAY, .delay_ms = DELAY_DEFAULT_MS};
        return true;
    }
    if (rd_starts_with(s, "delay=")) {
        *ret = (struct emu_fault){.effect = EMU_DELAY};
        if (rd_duration_parse(s + strlen("delay="), &ret->delay_ms))
            return true;
    }
    if (strspn(s, "0123456789") == 3 && s[3] == '\0' && s[0] >= '3' && s[0] <= '5') {
        *ret = (struct emu_fault){.effect = EMU_STATUS, .status = atoi(s)};
        return true;
    }
    return rd_fail(reterr, RD_ERR_INPUT,
                   "fault effect \"%s\" is none of 300..599, reset, drop-reply, half, op-fail, "
                   "kill, kill-unanswered, kill-answered, delay[=DURATION]",
                   s);
}

static bool parse_when(const char *s, struct emu_fault_rule *r, struct rd_err **reterr)
{
    char *end = NULL;
    size_t digits = strspn(s, "0123456789");
    if (digits > 0 && s[digits] == '\0') {
        errno = 0;
        r->nth = strtoull(s, NULL, 10);
        if (errno == 0 && r->nth > 0)
            return true;
    } else if (digits > 0 || s[0] == '.') {
        r->rate = strtod(s, &end);
        if (rd_streq(end, "%")) {
            r->rate /= 100;
            end++;
        }
        if (*end == '\0' && r->rate >= 0 && r->rate <= 1)
            return true;
    }
    return rd_fail(reterr, RD_ERR_INPUT, "\"@%s\" is neither a number of a request nor a rate", s);
}

static bool parse_rule(char *text, struct emu_fault_rule *r, struct rd_err **reterr)
{
    char *space = strchr(text, ' ');
    if (space == NULL || space == text)
        return rd_fail(reterr, RD_ERR_INPUT, "fault \"%s\" is not METHOD path-glob:effect", text);
    *space = '\0';
    char *glob = space + 1 + strspn(space + 1, " ");
    char *colon = strrchr(glob, ':'); /* paths have colons of their own: the last one counts */
    if (colon == NULL || colon == glob)
        return rd_fail(reterr, RD_ERR_INPUT, "fault \"%s %s\" has no effect", text, glob);
    *colon = '\0';
    char *at = strchr(colon + 1, '@');
    if (at != NULL)
        *at = '\0';
    *r = (struct emu_fault_rule){.rate = 1};
    if (!parse_effect(colon + 1, &r->fault, reterr))
        return false;
    if (at != NULL && !parse_when(at + 1, r, reterr))
        return false;
    r->method = rd_strdup(text);
    r->glob = rd_strdup(glob);
    return true;
}

bool emu_faults_parse(struct emu_faults *f, const char *spec, struct rd_err **reterr)
{
    struct rd_strv parts = {0};
    rd_strv_split(&parts, spec, ";\n");
    bool ok = true;
    for (size_t i = 0; ok && i < parts.len; i++) {
        char *text = parts.v[i] + strspn(parts.v[i], " ");
        for (size_t n = strlen(text); n > 0 && text[n - 1] == ' '; n--)
            text[n - 1] = '\0';
        if (*text == '\0')
            continue;
        struct emu_fault_rule rule;
        ok = parse_rule(text, &rule, reterr);
        if (ok) {
            f->rules = rd_reallocarray(f->rules, f->count + 1, sizeof(*f->rules));
            f->rules[f->count++] = rule;
        }
    }
    rd_strv_clear(&parts);
    return ok;
}

bool emu_fault_is_write(const char *api, const char *method, const char *path, const char *query)
{
    static const char *const not_apis[] = {"oauth2", "sts", "metadata", "iamcredentials"};
    static const char *const asks[] = {":testIamPermissions", ":getIamPolicy", "accessreviews",
                                       "selfsubjectreviews", "/portforward"};
    if (rd_streq(method, "GET") || rd_streq(method, "HEAD") || rd_streq(method, "OPTIONS") ||
        strstr(query, "dryRun=All") != NULL)
        return false;
    for (size_t i = 0; i < RD_ARRAY_LEN(not_apis); i++)
        if (rd_streq(api, not_apis[i]))
            return false;
    for (size_t i = 0; i < RD_ARRAY_LEN(asks); i++)
        if (rd_ends_with(path, asks[i]))
            return false;
    return true;
}

static bool method_matches(const char *want, const char *method, bool write, bool after_write)
{
    if (rd_streq(want, "WRITE"))
        return write;
    if (rd_streq(want, "AFTER-WRITE"))
        return after_write;
    return rd_streq(want, "*") || rd_streq(want, method);
}

static bool path_matches(const struct emu_fault_rule *r, const char *api, const char *path)
{
    RD_AUTOFREE char *full = rd_asprintf("%s%s", api, path);
    return rd_glob_match(r->glob, path) || rd_glob_match(r->glob, full);
}

/* Counts a request that matches the n-th rule; true: it strikes. */
static bool strikes(struct emu_fault_rule *r, size_t n, double random)
{
    r->seen++;
    /* Another number for each rule, or the first of several rates would always be the one. */
    double own = random + (double)n * 0.6180339887498949;
    own -= (double)(uint64_t)own;
    return r->nth > 0 ? r->seen == r->nth : own < r->rate;
}

struct emu_fault emu_faults_pick(struct emu_faults *f, const char *api, const char *method,
                                 const char *path, const char *query, double random)
{
    struct emu_fault picked = {.effect = EMU_NONE};
    bool write = emu_fault_is_write(api, method, path, query);
    bool after = f->after_write && rd_streq(method, "GET");
    f->after_write = write || (f->after_write && !after);
    for (size_t i = 0; i < f->count; i++) {
        struct emu_fault_rule *r = &f->rules[i];
        if (method_matches(r->method, method, write, after) && path_matches(r, api, path) &&
            strikes(r, i, random) && picked.effect == EMU_NONE)
            picked = r->fault;
    }
    return picked;
}

static bool inside_matches(const char *want, const char *method)
{
    size_t len = strlen(INSIDE);
    return rd_starts_with(want, INSIDE) &&
           (want[len] == '\0' || (want[len] == '-' && rd_streq(want + len + 1, method)));
}

struct emu_fault emu_faults_pick_inside(struct emu_faults *f, const char *api, const char *method,
                                        const char *path, double random)
{
    struct emu_fault picked = {.effect = EMU_NONE};
    for (size_t i = 0; i < f->count; i++) {
        struct emu_fault_rule *r = &f->rules[i];
        if (inside_matches(r->method, method) && path_matches(r, api, path) && strikes(r, i, random) &&
            picked.effect == EMU_NONE)
            picked = r->fault;
    }
    return picked;
}

bool emu_faults_inside(const struct emu_faults *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (rd_starts_with(f->rules[i].method, INSIDE))
            return true;
    return false;
}

void emu_faults_clear(struct emu_faults *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->rules[i].method);
        free(f->rules[i].glob);
    }
    free(f->rules);
    *f = (struct emu_faults){0};
}
