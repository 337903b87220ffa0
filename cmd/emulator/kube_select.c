/* Label and field selectors. */
#include "kube_internal.h"

#include <stdlib.h>
#include <string.h>

static char *trimmed(const char *s, size_t len)
{
    while (len > 0 && (*s == ' ' || *s == '\t')) {
        s++;
        len--;
    }
    while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
        len--;
    return rd_strndup(s, len);
}

/* Up to the next comma that is not in parentheses. */
static size_t term_len(const char *s)
{
    int depth = 0;
    size_t i = 0;
    for (; s[i] != '\0' && (s[i] != ',' || depth > 0); i++)
        depth += s[i] == '(' ? 1 : s[i] == ')' ? -1 : 0;
    return i;
}

static json_t *label_term(const char *text)
{
    const char *at;
    static const char *const words[] = {" notin ", " in "};
    for (size_t i = 0; i < RD_ARRAY_LEN(words); i++) {
        at = strstr(text, words[i]);
        const char *open = at == NULL ? NULL : strchr(at, '(');
        if (open == NULL || text[strlen(text) - 1] != ')')
            continue;
        RD_AUTOFREE char *key = trimmed(text, (size_t)(at - text));
        json_t *values = json_array();
        for (const char *p = open + 1; *p != '\0' && *p != ')';) {
            size_t len = strcspn(p, ",)");
            RD_AUTOFREE char *v = trimmed(p, len);
            json_array_append_new(values, json_string(v));
            p += len + (p[len] == ',');
        }
        return rd_json_pack("{s:s, s:s, s:o}", "key", key, "op", i == 0 ? "notin" : "in", "values", values);
    }
    if ((at = strstr(text, "!=")) != NULL || (at = strchr(text, '=')) != NULL) {
        bool not = at[0] == '!';
        size_t skip = not || at[1] == '=' ? 2 : 1;
        RD_AUTOFREE char *key = trimmed(text, (size_t)(at - text));
        RD_AUTOFREE char *v = trimmed(at + skip, strlen(at + skip));
        if (*key == '\0')
            return NULL;
        return rd_json_pack("{s:s, s:s, s:[s]}", "key", key, "op", not ? "notin" : "in", "values", v);
    }
    bool not = text[0] == '!';
    RD_AUTOFREE char *key = trimmed(text + not, strlen(text + not));
    if (*key == '\0' || strpbrk(key, " ()<>") != NULL)
        return NULL;
    return rd_json_pack("{s:s, s:s}", "key", key, "op", not ? "absent" : "exists");
}

static json_t *parse(const char *text, bool labels)
{
    json_t *terms = json_array();
    for (const char *p = text; *p != '\0';) {
        size_t len = labels ? term_len(p) : strcspn(p, ",");
        RD_AUTOFREE char *term = trimmed(p, len);
        p += len + (p[len] == ',');
        if (*term == '\0')
            continue;
        json_t *t = label_term(term);
        if (t == NULL) {
            json_decref(terms);
            return NULL;
        }
        json_array_append_new(terms, t);
    }
    return terms;
}

static bool field_known(const struct kube_res *r, const char *key)
{
    static const struct {
        const char *resource, *fields;
    } rows[] = {
        {"pods", "spec.nodeName spec.restartPolicy spec.schedulerName spec.serviceAccountName status.phase "
                 "status.podIP status.nominatedNodeName spec.hostNetwork"},
        {"events", "involvedObject.kind involvedObject.namespace involvedObject.name involvedObject.uid "
                   "involvedObject.apiVersion involvedObject.resourceVersion involvedObject.fieldPath "
                   "reason reportingComponent source type"},
        {"nodes", "spec.unschedulable"},
        {"namespaces", "status.phase"},
        {"secrets", "type"},
        {"jobs.batch", "status.successful"},
        {"services", "spec.clusterIP spec.type"},
        {"replicasets.apps", "status.replicas"},
    };
    if (rd_streq(key, "metadata.name") || (r->namespaced && rd_streq(key, "metadata.namespace")))
        return true;
    size_t i;
    json_t *v, *f;
    json_array_foreach (rd_json_get(r->crd, "spec", "versions", NULL), i, v) {
        size_t k;
        json_array_foreach (json_object_get(v, "selectableFields"), k, f) {
            const char *path = rd_json_str(f, "jsonPath", NULL);
            if (path != NULL && rd_streq(path + 1, key))
                return true;
        }
    }
    for (i = 0; i < RD_ARRAY_LEN(rows); i++) {
        if (!rd_streq(rows[i].resource, r->name))
            continue;
        struct rd_strv words = {0};
        rd_strv_split(&words, rows[i].fields, " ");
        bool has = rd_strv_has(&words, key);
        rd_strv_clear(&words);
        return has;
    }
    return false;
}

bool kube_select_parse_text(struct kube_select *s, const char *labels, const char *fields,
                            const struct kube_res *r, struct kube_fail *f)
{
    *s = (struct kube_select){0};
    if (labels != NULL && *labels != '\0' && (s->labels = parse(labels, true)) == NULL)
        return kube_fail(f, 400, "BadRequest", "unable to parse requirement: \"%s\" is not a selector",
                         labels);
    if (fields == NULL || *fields == '\0')
        return true;
    s->fields = parse(fields, false);
    size_t i;
    json_t *t;
    json_array_foreach (s->fields, i, t) {
        const char *key = rd_json_str(t, "key", NULL);
        if (!field_known(r, key)) {
            kube_fail(f, 400, "BadRequest",
                      "Unable to find \"%s, %s\" that match label selector \"%s\", field selector \"%s\": "
                      "field label not supported: %s",
                      r->name, r->storage, labels == NULL ? "" : labels, fields, key);
            kube_select_clear(s);
            return false;
        }
    }
    if (s->fields == NULL) {
        kube_select_clear(s);
        return kube_fail(f, 400, "BadRequest", "invalid selector: '%s'; can't understand '%s'", fields,
                         fields);
    }
    return true;
}

bool kube_select_parse(struct kube_select *s, const struct emu_req *req, const struct kube_res *r,
                       struct kube_fail *f)
{
    RD_AUTOFREE char *labels = emu_req_query(req, "labelSelector");
    RD_AUTOFREE char *fields = emu_req_query(req, "fieldSelector");
    return kube_select_parse_text(s, labels, fields, r, f);
}

static bool holds(const json_t *term, const char *value)
{
    const char *op = rd_json_str(term, "op", NULL);
    if (rd_streq(op, "exists"))
        return value != NULL;
    if (rd_streq(op, "absent"))
        return value == NULL;
    bool in = false;
    size_t i;
    json_t *v;
    json_array_foreach (json_object_get(term, "values"), i, v)
        in = in || rd_streq(json_string_value(v), value);
    return rd_streq(op, "in") ? in : !in;
}

bool kube_selected(const struct kube_select *s, const json_t *object)
{
    size_t i;
    json_t *t;
    json_array_foreach (s->labels, i, t) {
        const char *key = rd_json_str(t, "key", NULL);
        if (!holds(t, rd_json_str(object, "metadata", "labels", key, NULL)))
            return false;
    }
    json_array_foreach (s->fields, i, t) {
        const char *key = rd_json_str(t, "key", NULL);
        if (rd_streq(key, "source"))
            key = "source.component";
        json_t *v = rd_json_path(object, key);
        RD_AUTOFREE char *text = v == NULL           ? rd_strdup("")
                                 : json_is_string(v) ? rd_strdup(json_string_value(v))
                                                     : rd_json_dump(v);
        if (!holds(t, text))
            return false;
    }
    return true;
}

void kube_select_clear(struct kube_select *s)
{
    json_decref(s->labels);
    json_decref(s->fields);
    *s = (struct kube_select){0};
}
