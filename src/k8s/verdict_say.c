/* The words of a verdict, and the small questions that rules ask of an object. */
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "k8s/verdict_rule.h"

const char *k8s_status_name(enum k8s_status s)
{
    static const char *const names[] = {
#define X(name, text) [name] = text,
        K8S_STATUSES(X)
#undef X
    };
    RD_ASSERT(s >= 0 && s < K8S_STATUS_MAX);
    return names[s];
}

void k8s_verdict_clear(struct k8s_verdict *v)
{
    rd_freep(&v->reason);
    rd_freep(&v->message);
    *v = (struct k8s_verdict){0};
}

static bool inside_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Collapses white space to single blanks in place, drops what a missing last part left dangling,
 * and cuts the middle out of a text above the ceiling: the first words say what, and the last words
 * of a traceback say why. Never cuts inside a character. */
static void one_line(char *s)
{
    char *out = s;
    for (const char *in = s; *in != '\0'; in++) {
        bool blank = *in == ' ' || *in == '\n' || *in == '\t' || *in == '\r';
        if (!blank)
            *out++ = *in;
        else if (out > s && out[-1] != ' ')
            *out++ = ' ';
    }
    while (out > s && (out[-1] == ' ' || out[-1] == ':'))
        out--;
    *out = '\0';
    if ((size_t)(out - s) <= K8S_MESSAGE_MAX)
        return;
    static const char gap[] = " ... ";
    size_t gap_len = sizeof(gap) - 1;
    char *head = s + (K8S_MESSAGE_MAX - gap_len) / 2;
    char *tail = out - (K8S_MESSAGE_MAX - gap_len) / 2;
    while (head > s && inside_character(*head))
        head--;
    while (inside_character(*tail))
        tail++;
    memcpy(head, gap, gap_len);
    memmove(head + gap_len, tail, (size_t)(out - tail) + 1);
}

void k8s_say(struct k8s_verdict *v, enum k8s_status s, const char *reason, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *message = rd_vasprintf(fmt, ap);
    va_end(ap);
    one_line(message);
    /* reason may be borrowed from v itself. */
    char *why = reason != NULL && *reason != '\0' ? rd_strdup(reason) : NULL;
    k8s_verdict_clear(v);
    v->status = s;
    v->reason = why;
    v->message = message;
    v->kind = RD_ERR_FAILED;
}

void k8s_say_reason(struct k8s_verdict *v, enum k8s_status s, const char *reason, const char *text)
{
    if (reason == NULL || *reason == '\0' || rd_starts_with(text, reason))
        k8s_say(v, s, reason, "%s", text);
    else
        k8s_say(v, s, reason, "%s: %s", reason, text);
}

void k8s_limit(struct k8s_verdict *v, uint64_t grace_ms, enum rd_err_kind kind)
{
    RD_ASSERT(v->status == K8S_FAILED || v->status == K8S_IN_PROGRESS);
    v->grace_ms = grace_ms;
    v->kind = kind;
}

void k8s_say_also(struct k8s_verdict *v, const char *text)
{
    if (text == NULL || *text == '\0')
        return;
    char *joined = rd_asprintf("%s; %s", v->message, text);
    one_line(joined);
    rd_str_take(&v->message, joined);
}

bool k8s_condition_is(const json_t *object, const char *type, const char *status)
{
    return rd_streq(rd_json_str(rd_json_condition(object, type), "status", NULL), status);
}

const char *k8s_condition_reason(const json_t *object, const char *type)
{
    const char *reason = rd_json_str(rd_json_condition(object, type), "reason", NULL);
    return reason != NULL && *reason != '\0' ? reason : NULL;
}

const char *k8s_condition_text(const json_t *object, const char *type, const char *otherwise)
{
    const char *message = rd_json_str(rd_json_condition(object, type), "message", NULL);
    if (message != NULL && *message != '\0')
        return message;
    const char *reason = k8s_condition_reason(object, type);
    return reason != NULL ? reason : otherwise;
}

bool k8s_has_status(const json_t *object)
{
    return json_object_size(json_object_get(object, "status")) > 0;
}

int64_t k8s_age_ms(const char *text, int64_t now_wall_ms)
{
    int64_t then;
    if (text == NULL || !rd_rfc3339_parse(text, &then))
        return -1;
    return then < now_wall_ms ? now_wall_ms - then : 0;
}

bool k8s_text_has(const char *text, const char *const *words)
{
    if (text == NULL)
        return false;
    for (; *words != NULL; words++) {
        size_t n = strlen(*words);
        for (const char *at = text; *at != '\0'; at++) {
            if (strncasecmp(at, *words, n) == 0)
                return true;
        }
    }
    return false;
}

bool k8s_text_is_refusal(const char *text, enum rd_err_kind *ret_kind)
{
    static const char *const policy[] = {
        "exceeded quota",      "violates PodSecurity", "denied the request",
        "must specify limits", "maximum cpu usage",    "maximum memory usage",
        "minimum cpu usage",   "minimum memory usage", NULL};
    static const char *const access[] = {"cannot create resource", "cannot delete resource",
                                         "cannot get resource",    "cannot update resource",
                                         "cannot patch resource",  "cannot list resource",
                                         "unauthorized",           NULL};
    static const char *const other[] = {"forbidden", NULL};
    *ret_kind = RD_ERR_FAILED;
    if (k8s_text_has(text, policy))
        return true;
    if (k8s_text_has(text, access)) {
        *ret_kind = RD_ERR_CREDENTIALS;
        return true;
    }
    return k8s_text_has(text, other);
}
