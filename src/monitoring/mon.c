#include "monitoring/mon.h"

#include "base/alloc.h"
#include "phase/steps/names.h"
#include "phase/steps/set.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void mon_init(struct mon *m, const struct config *c)
{
    *m = (struct mon){.config = c, .objects = json_array(), .notices = json_array()};
}

void mon_clear(struct mon *m)
{
    rd_freep(&m->operator_ns);
    rd_freep(&m->holder);
    json_decref(m->objects);
    json_decref(m->notices);
    *m = (struct mon){0};
}

static void emit(struct mon *m, const struct phase_note *n)
{
    if (m->notes)
        m->notes->emit(m->notes, n);
}

void mon_say(struct mon *m, enum note_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    struct phase_note n = {.event = NOTE_LOG, .level = level, .message = text};
    emit(m, &n);
}

void mon_part(struct mon *m, const char *part, enum note_state state, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    struct phase_note n = {.event = NOTE_STEP,
                           .level = NOTE_INFO,
                           .step = part,
                           .state = state,
                           .message = text};
    emit(m, &n);
}

void mon_notice(struct mon *m, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    RD_AUTOFREE char *text = rd_vasprintf(fmt, ap);
    va_end(ap);
    json_array_append_new(m->notices, json_string(text));
    mon_say(m, NOTE_WARN, "%s", text);
}

/* ---- Names ---- */

char *mon_helm_name(const struct mon *m)
{
    return rd_asprintf("%s-helm", m->config->name);
}

char *mon_binding_name(const struct mon *m)
{
    return rd_asprintf("raydeploy-%s-helm", m->config->name);
}

char *mon_secret_name(const struct mon *m)
{
    return rd_asprintf("%s-grafana-admin", m->config->name);
}

char *mon_values_name(const struct mon *m)
{
    return rd_asprintf("%s-helm-values", m->config->name);
}

char *mon_lease_name(const struct mon *m)
{
    return rd_asprintf("raydeploy-%s-monitoring", m->config->name);
}

char *mon_dashboard_name(const struct mon *m, const char *file)
{
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    size_t len = strlen(file);
    static const char *const ends[] = {".json", "_dashboard", "_grafana"};
    for (size_t i = 0; i < RD_ARRAY_LEN(ends); i++) {
        size_t n = strlen(ends[i]);
        if (len > n && memcmp(file + len - n, ends[i], n) == 0)
            len -= n;
    }
    rd_buf_printf(&b, "%s-dashboard-", m->config->name);
    for (size_t i = 0; i < len; i++)
        rd_buf_putc(&b, isalnum((unsigned char)file[i]) ? (char)tolower((unsigned char)file[i])
                                                        : '-');
    while (b.len && b.data[b.len - 1] == '-')
        b.data[--b.len] = '\0';
    return rd_is_dns_subdomain(rd_buf_str(&b)) ? rd_buf_take(&b, NULL) : NULL;
}

/* ---- Batches ---- */

static bool may_touch(struct k8s_batch *b, size_t index, const json_t *live, struct rd_err **reterr)
{
    struct mon *m = b->ctx;
    if (!live || names_is_ours(m->config, live))
        return true;
    if (b->verb == K8S_BATCH_DELETE)
        return false;
    const char *kind = rd_json_str(k8s_batch_object(b, index), "kind", NULL);
    if (rd_streq(kind, "Namespace"))
        return false;
    if (m->config->adopt && !names_deployment_of(live))
        return true;
    return set_refuse_foreign(m->config, live, reterr);
}

/* A password that is there stays: whoever has it noted down goes on with it. */
static json_t *amend(struct k8s_batch *b, size_t index, const json_t *object, const json_t *live)
{
    (void)b;
    (void)index;
    if (!live || !rd_streq(rd_json_str(object, "kind", NULL), "Secret"))
        return NULL;
    json_t *copy = json_deep_copy(object);
    json_t *had = rd_json_get(live, "data", NULL), *value;
    const char *key;
    json_object_foreach (rd_json_get(object, "data", NULL), key, value)
        if (json_is_string(json_object_get(had, key)))
            json_object_set(rd_json_get(copy, "data", NULL), key, json_object_get(had, key));
    return copy;
}

static void on_result(struct k8s_batch *b, const struct k8s_batch_result *r)
{
    struct mon *m = b->ctx;
    bool bad = r->outcome == K8S_OUT_FAILED;
    bool news = r->outcome == K8S_OUT_CREATED || r->outcome == K8S_OUT_CONFIGURED ||
                r->outcome == K8S_OUT_DELETED;
    struct phase_note n = {.event = NOTE_RESOURCE,
                           .level = bad ? NOTE_ERROR : news ? NOTE_INFO : NOTE_DEBUG,
                           .resource = r->title,
                           .message = bad ? r->err->message : k8s_outcome_name(r->outcome),
                           .error = r->err};
    emit(m, &n);
}

static void on_kept_result(struct k8s_batch *b, const struct k8s_batch_result *r)
{
    struct mon *m = b->ctx;
    on_result(b, r);
    const char *ns = rd_json_str(r->object, "metadata", "namespace", NULL);
    json_t *one = rd_json_pack("{s:s, s:s, s:s, s:s}", "apiVersion",
                               rd_json_str(r->object, "apiVersion", NULL), "kind",
                               rd_json_str(r->object, "kind", NULL), "name",
                               rd_json_str(r->object, "metadata", "name", NULL), "outcome",
                               k8s_outcome_name(r->outcome));
    if (ns)
        json_object_set_new(one, "namespace", json_string(ns));
    json_array_append_new(m->objects, one);
}

static void on_note(struct k8s_batch *b, size_t index, const char *text)
{
    RD_AUTOFREE char *title = manifest_object_title(k8s_batch_object(b, index));
    mon_say(b->ctx, NOTE_INFO, "%s: %s", title, text);
}

void mon_batch_init(struct k8s_batch *b, struct mon *m, enum k8s_batch_verb verb, bool temporary)
{
    k8s_batch_init(b, m->client, verb);
    b->need_live = true;
    b->lock = true;
    b->hold_dependents = true;
    b->may_touch = may_touch;
    b->amend = verb == K8S_BATCH_APPLY ? amend : NULL;
    b->on_result = temporary ? on_result : on_kept_result;
    b->on_note = on_note;
    b->ctx = m;
}
