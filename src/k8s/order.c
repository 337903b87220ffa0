/* Objects are sorted into sets by class and namespace; what an object needs is a union of sets,
 * made once per combination and shared. */
#include "k8s/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

enum class {
    CLASS_NAMESPACE,
    CLASS_CRD,
    CLASS_GLOBAL, /* cluster-wide things that pods or claims name: StorageClass, PriorityClass */
    CLASS_CONFIG, /* ConfigMap, Secret, quota, limits, policies of a namespace */
    CLASS_TOKEN,  /* a Secret that is deleted at once when its ServiceAccount is missing */
    CLASS_ACCOUNT,
    CLASS_ROLE,
    CLASS_BINDING,
    CLASS_VOLUME,
    CLASS_SERVICE, /* needs its namespace only: Service, Ingress, Lease */
    CLASS_WORKLOAD,
    CLASS_CUSTOM, /* any kind that Kubernetes itself does not have */
    CLASS_SERVED, /* a custom kind that an APIService of the same set serves */
    CLASS_APISERVICE,
    CLASS_LAST, /* webhook configurations and admission policies */
    CLASS_MAX
};

static const struct {
    const char *kind, *group;
    enum class class;
} class_table[] = {
    {"Namespace", "", CLASS_NAMESPACE},
    {"CustomResourceDefinition", "apiextensions.k8s.io", CLASS_CRD},
    {"StorageClass", "storage.k8s.io", CLASS_GLOBAL},
    {"CSIDriver", "storage.k8s.io", CLASS_GLOBAL},
    {"PriorityClass", "scheduling.k8s.io", CLASS_GLOBAL},
    {"RuntimeClass", "node.k8s.io", CLASS_GLOBAL},
    {"IngressClass", "networking.k8s.io", CLASS_GLOBAL},
    {"ConfigMap", "", CLASS_CONFIG},
    {"Secret", "", CLASS_CONFIG},
    {"ResourceQuota", "", CLASS_CONFIG},
    {"LimitRange", "", CLASS_CONFIG},
    {"NetworkPolicy", "networking.k8s.io", CLASS_CONFIG},
    {"PodDisruptionBudget", "policy", CLASS_CONFIG},
    {"ServiceAccount", "", CLASS_ACCOUNT},
    {"Role", "rbac.authorization.k8s.io", CLASS_ROLE},
    {"ClusterRole", "rbac.authorization.k8s.io", CLASS_ROLE},
    {"RoleBinding", "rbac.authorization.k8s.io", CLASS_BINDING},
    {"ClusterRoleBinding", "rbac.authorization.k8s.io", CLASS_BINDING},
    {"PersistentVolume", "", CLASS_VOLUME},
    {"PersistentVolumeClaim", "", CLASS_VOLUME},
    {"Service", "", CLASS_SERVICE},
    {"Endpoints", "", CLASS_SERVICE},
    {"EndpointSlice", "discovery.k8s.io", CLASS_SERVICE},
    {"Ingress", "networking.k8s.io", CLASS_SERVICE},
    {"Lease", "coordination.k8s.io", CLASS_SERVICE},
    {"APIService", "apiregistration.k8s.io", CLASS_APISERVICE},
    {"MutatingWebhookConfiguration", "admissionregistration.k8s.io", CLASS_LAST},
    {"ValidatingWebhookConfiguration", "admissionregistration.k8s.io", CLASS_LAST},
    {"ValidatingAdmissionPolicy", "admissionregistration.k8s.io", CLASS_LAST},
    {"ValidatingAdmissionPolicyBinding", "admissionregistration.k8s.io", CLASS_LAST},
    {"MutatingAdmissionPolicy", "admissionregistration.k8s.io", CLASS_LAST},
    {"MutatingAdmissionPolicyBinding", "admissionregistration.k8s.io", CLASS_LAST},
};

struct set {
    size_t *v; /* owned; ascending */
    size_t len, cap;
};

struct entry {
    enum class class;
    char *ns;                   /* owned; "": none */
    char *group;                /* owned */
    const char *version, *kind; /* borrowed */
};

struct plan {
    struct k8s_order *out;
    struct entry *entries; /* owned */
    struct set *sets;      /* owned */
    size_t set_count, set_cap;
    json_t *set_ids;  /* owned; set name -> index */
    json_t *list_ids; /* owned; combination of sets -> index into out->lists */
    size_t *list_len; /* owned; per list */
    size_t list_cap;
};

static size_t set_find(struct plan *p, const char *name, bool make)
{
    json_t *known = json_object_get(p->set_ids, name);
    if (known != NULL)
        return (size_t)json_integer_value(known);
    if (!make)
        return SIZE_MAX;
    if (p->set_count == p->set_cap) {
        p->set_cap = p->set_cap == 0 ? 16 : 2 * p->set_cap;
        p->sets = rd_reallocarray(p->sets, p->set_cap, sizeof(*p->sets));
    }
    p->sets[p->set_count] = (struct set){0};
    json_object_set_new(p->set_ids, name, json_integer((json_int_t)p->set_count));
    return p->set_count++;
}

static void set_add(struct plan *p, size_t index, const char *what, const char *in)
{
    RD_AUTOFREE char *name = rd_asprintf("%s|%s", what, in);
    size_t id = set_find(p, name, true); /* may move the sets */
    struct set *s = &p->sets[id];
    if (s->len == s->cap) {
        s->cap = s->cap == 0 ? 8 : 2 * s->cap;
        s->v = rd_reallocarray(s->v, s->cap, sizeof(*s->v));
    }
    s->v[s->len++] = index;
}

static const char *const class_names[CLASS_MAX] = {
    [CLASS_NAMESPACE] = "namespace", [CLASS_CRD] = "crd",
    [CLASS_GLOBAL] = "global",       [CLASS_CONFIG] = "config",
    [CLASS_TOKEN] = "token",         [CLASS_ACCOUNT] = "account",
    [CLASS_ROLE] = "role",           [CLASS_BINDING] = "binding",
    [CLASS_VOLUME] = "volume",       [CLASS_SERVICE] = "service",
    [CLASS_WORKLOAD] = "workload",   [CLASS_CUSTOM] = "custom",
    [CLASS_SERVED] = "served",       [CLASS_APISERVICE] = "apiservice",
    [CLASS_LAST] = "last",
};

/* Groups that Kubernetes serves itself: core, those without a dot, and *.k8s.io, which by policy is
 * kept for it (kinds of its projects there, such as Gateway, come as CRDs; they order as
 * workloads). */
static bool group_is_builtin(const char *group)
{
    return strchr(group, '.') == NULL || rd_ends_with(group, ".k8s.io");
}

static enum class class_of(const json_t *object, const char *group, const char *kind) {
    for (size_t i = 0; i < RD_ARRAY_LEN(class_table); i++){
        if (!rd_streq(class_table[i].kind, kind) ||
            !rd_streq(class_table[i].group, group)) continue;
        bool token = rd_streq(kind, "Secret") && rd_streq(rd_json_str(object, "type", NULL),
                                                          "kubernetes.io/service-account-token");
        return token ? CLASS_TOKEN : class_table[i].class;}
return group_is_builtin(group) ? CLASS_WORKLOAD : CLASS_CUSTOM;
}

static void entry_read(struct entry *e, const json_t *object)
{
    const char *api_version = rd_json_str(object, "apiVersion", NULL);
    const char *kind = rd_json_str(object, "kind", NULL);
    const char *ns = rd_json_path_str(object, "metadata.namespace");
    if (api_version == NULL)
        api_version = "";
    const char *slash = strchr(api_version, '/');
    e->group = rd_strndup(api_version, slash != NULL ? (size_t)(slash - api_version) : 0);
    e->version = slash != NULL ? slash + 1 : api_version;
    e->kind = kind != NULL ? kind : "";
    e->class = class_of(object, e->group, e->kind);
    /* A namespace in an object that cannot have one must not make it need itself. */
    bool global = e->class == CLASS_NAMESPACE || e->class == CLASS_CRD ||
                  e->class == CLASS_GLOBAL || e->class == CLASS_APISERVICE ||
                  e->class == CLASS_LAST;
    e->ns = rd_strdup(ns != NULL && !global ? ns : "");
}

/* Puts object i into the sets that others may need. */
static void entry_file(struct plan *p, size_t i, const json_t *object)
{
    struct entry *e = &p->entries[i];
    const char *name = rd_json_path_str(object, "metadata.name");
    if (name == NULL)
        name = "";
    set_add(p, i, class_names[e->class], e->ns);
    set_add(p, i, class_names[e->class], "*");
    if (e->class != CLASS_LAST)
        set_add(p, i, "all", "*");
    if (*e->ns != '\0')
        set_add(p, i, "in", e->ns);
    RD_AUTOFREE char *type = rd_asprintf("%s/%s", e->group, e->kind);
    RD_AUTOFREE char *served = rd_asprintf("%s/%s", e->group, e->version);
    if (e->class == CLASS_NAMESPACE) {
        set_add(p, i, "namespace named", name);
    } else if (e->class == CLASS_CRD) {
        const char *group = rd_json_path_str(object, "spec.group");
        const char *kind = rd_json_path_str(object, "spec.names.kind");
        RD_AUTOFREE char *defines =
            rd_asprintf("%s/%s", group != NULL ? group : "", kind != NULL ? kind : "");
        set_add(p, i, "crd of", defines);
    } else if (e->class == CLASS_SERVED) {
        set_add(p, i, "served by", served);
        set_add(p, i, "type", type);
    } else if (e->class == CLASS_CUSTOM || e->class == CLASS_WORKLOAD) {
        set_add(p, i, "type", type);
    } else if (e->class == CLASS_APISERVICE) {
        const char *group = rd_json_path_str(object, "spec.group");
        const char *version = rd_json_path_str(object, "spec.version");
        RD_AUTOFREE char *serves =
            rd_asprintf("%s/%s", group != NULL ? group : "", version != NULL ? version : "");
        set_add(p, i, "apiservice of", serves);
    }
}

/* What an APIService of this very set serves by a Service of somebody is CLASS_SERVED. */
static void mark_served(struct plan *p, json_t *const *objects)
{
    json_t *served = json_object();
    for (size_t i = 0; i < p->out->count; i++) {
        const char *group = rd_json_path_str(objects[i], "spec.group");
        const char *version = rd_json_path_str(objects[i], "spec.version");
        if (p->entries[i].class != CLASS_APISERVICE || group == NULL || version == NULL ||
            rd_json_path_str(objects[i], "spec.service.name") == NULL)
            continue;
        RD_AUTOFREE char *key = rd_asprintf("%s/%s", group, version);
        json_object_set_new(served, key, json_true());
    }
    for (size_t i = 0; i < p->out->count && json_object_size(served) > 0; i++) {
        struct entry *e = &p->entries[i];
        RD_AUTOFREE char *key = rd_asprintf("%s/%s", e->group, e->version);
        if (e->class == CLASS_CUSTOM && json_object_get(served, key) != NULL)
            e->class = CLASS_SERVED;
    }
    json_decref(served);
}

/* A combination of sets under construction; its text is the key for sharing. */
struct wish {
    struct plan *plan;
    size_t ids[24];
    size_t len;
    struct rd_buf key;
};

static void wish_set(struct wish *w, const char *what, const char *in)
{
    RD_AUTOFREE char *name = rd_asprintf("%s|%s", what, in);
    size_t id = set_find(w->plan, name, false);
    if (id == SIZE_MAX)
        return;
    RD_ASSERT(w->len < RD_ARRAY_LEN(w->ids));
    w->ids[w->len++] = id;
    rd_buf_printf(&w->key, "%zu,", id);
}

static void wish_class(struct wish *w, enum class class, const char *ns)
{
    wish_set(w, class_names[class], ns);
}

static int compare_index(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

/* The union of the wished sets becomes a list, or is one already. Returns its index. */
static size_t wish_make(struct wish *w)
{
    struct plan *p = w->plan;
    RD_ASSERT(!w->key.overflow);
    json_t *known = json_object_get(p->list_ids, rd_buf_str(&w->key));
    if (known != NULL)
        return (size_t)json_integer_value(known);
    size_t total = 0, len = 0;
    for (size_t i = 0; i < w->len; i++)
        total += p->sets[w->ids[i]].len;
    size_t *list = rd_calloc(total + 1, sizeof(*list));
    for (size_t i = 0; i < w->len; i++) {
        const struct set *s = &p->sets[w->ids[i]];
        memcpy(list + len, s->v, s->len * sizeof(*list));
        len += s->len;
    }
    qsort(list, len, sizeof(*list), compare_index);
    size_t kept = 0;
    for (size_t i = 0; i < len; i++) {
        if (kept == 0 || list[kept - 1] != list[i])
            list[kept++] = list[i];
    }
    struct k8s_order *o = p->out;
    if (o->list_count == p->list_cap) {
        p->list_cap = p->list_cap == 0 ? 16 : 2 * p->list_cap;
        o->lists = rd_reallocarray(o->lists, p->list_cap, sizeof(*o->lists));
        p->list_len = rd_reallocarray(p->list_len, p->list_cap, sizeof(*p->list_len));
    }
    o->lists[o->list_count] = list;
    p->list_len[o->list_count] = kept;
    json_object_set_new(p->list_ids, rd_buf_str(&w->key), json_integer((json_int_t)o->list_count));
    return o->list_count++;
}

static void wish_apply(struct wish *w, const struct entry *e, const json_t *object)
{
    RD_AUTOFREE char *type = rd_asprintf("%s/%s", e->group, e->kind);
    RD_AUTOFREE char *served = rd_asprintf("%s/%s", e->group, e->version);
    if (e->class == CLASS_LAST) {
        wish_set(w, "all", "*");
        return;
    }
    if (*e->ns != '\0')
        wish_set(w, "namespace named", e->ns);
    switch (e->class) {
    case CLASS_TOKEN:
        wish_class(w, CLASS_ACCOUNT, e->ns);
        break;
    case CLASS_BINDING:
        wish_class(w, CLASS_ROLE, e->ns);
        wish_class(w, CLASS_ROLE, "");
        wish_class(w, CLASS_ACCOUNT, "*");
        break;
    case CLASS_VOLUME:
        wish_class(w, CLASS_GLOBAL, "*");
        break;
    case CLASS_SERVED:
        wish_set(w, "apiservice of", served);
        /* fall through */
    case CLASS_CUSTOM:
    case CLASS_WORKLOAD:
        wish_set(w, "crd of", type);
        wish_class(w, CLASS_GLOBAL, "*");
        wish_class(w, CLASS_CONFIG, e->ns);
        wish_class(w, CLASS_TOKEN, e->ns);
        wish_class(w, CLASS_ACCOUNT, e->ns);
        wish_class(w, CLASS_ROLE, e->ns);
        wish_class(w, CLASS_BINDING, e->ns);
        wish_class(w, CLASS_VOLUME, e->ns);
        if (*e->ns != '\0') {
            wish_class(w, CLASS_ROLE, "");
            wish_class(w, CLASS_BINDING, "");
            wish_class(w, CLASS_VOLUME, "");
        }
        break;
    case CLASS_APISERVICE: {
        const char *ns = rd_json_path_str(object, "spec.service.namespace");
        wish_class(w, CLASS_SERVICE, ns != NULL ? ns : "");
        wish_class(w, CLASS_WORKLOAD, ns != NULL ? ns : "");
        break;
    }
    default:
        break;
    }
}

static void wish_users(struct wish *w, const char *scope)
{
    wish_class(w, CLASS_WORKLOAD, scope);
    wish_class(w, CLASS_CUSTOM, scope);
    wish_class(w, CLASS_SERVED, scope);
}

static void wish_delete(struct wish *w, const struct entry *e, const json_t *object)
{
    const char *name = rd_json_path_str(object, "metadata.name");
    const char *group = rd_json_path_str(object, "spec.group");
    const char *scope = *e->ns != '\0' ? e->ns : "*";
    if (e->class != CLASS_LAST)
        wish_class(w, CLASS_LAST, "*");
    switch (e->class) {
    case CLASS_NAMESPACE:
        wish_set(w, "in", name != NULL ? name : "");
        break;
    case CLASS_CRD: {
        const char *kind = rd_json_path_str(object, "spec.names.kind");
        RD_AUTOFREE char *type =
            rd_asprintf("%s/%s", group != NULL ? group : "", kind != NULL ? kind : "");
        wish_set(w, "type", type);
        break;
    }
    case CLASS_APISERVICE: {
        const char *version = rd_json_path_str(object, "spec.version");
        RD_AUTOFREE char *serves =
            rd_asprintf("%s/%s", group != NULL ? group : "", version != NULL ? version : "");
        wish_set(w, "served by", serves);
        break;
    }
    case CLASS_ACCOUNT:
        wish_class(w, CLASS_TOKEN, scope);
        wish_class(w, CLASS_BINDING, "*");
        wish_users(w, scope);
        break;
    case CLASS_ROLE:
        wish_class(w, CLASS_BINDING, scope);
        wish_users(w, scope);
        break;
    case CLASS_GLOBAL:
        wish_class(w, CLASS_VOLUME, "*");
        wish_users(w, scope);
        break;
    case CLASS_CONFIG:
    case CLASS_TOKEN:
    case CLASS_BINDING:
    case CLASS_VOLUME:
        wish_users(w, scope);
        break;
    case CLASS_WORKLOAD:
    case CLASS_SERVICE:
        wish_class(w, CLASS_CUSTOM, "*");
        wish_class(w, CLASS_SERVED, "*");
        wish_class(w, CLASS_APISERVICE, "*");
        break;
    default:
        break;
    }
}

static void order_build(struct k8s_order *o, json_t *const *objects, size_t count,
                        void (*ask)(struct wish *, const struct entry *, const json_t *))
{
    *o = (struct k8s_order){.count = count};
    struct plan p = {.out = o, .set_ids = json_object(), .list_ids = json_object()};
    o->need_len = rd_calloc(count + 1, sizeof(*o->need_len));
    o->needs = rd_calloc(count + 1, sizeof(*o->needs));
    p.entries = rd_calloc(count + 1, sizeof(*p.entries));
    for (size_t i = 0; i < count; i++)
        entry_read(&p.entries[i], objects[i]);
    mark_served(&p, objects);
    for (size_t i = 0; i < count; i++)
        entry_file(&p, i, objects[i]);
    for (size_t i = 0; i < count; i++) {
        struct wish w = {.plan = &p, .key = RD_BUF_INIT(1024)};
        ask(&w, &p.entries[i], objects[i]);
        size_t list = wish_make(&w);
        o->needs[i] = o->lists[list];
        o->need_len[i] = p.list_len[list];
        rd_buf_clear(&w.key);
    }
    for (size_t i = 0; i < count; i++) {
        rd_freep(&p.entries[i].ns);
        rd_freep(&p.entries[i].group);
    }
    for (size_t i = 0; i < p.set_count; i++)
        rd_freep(&p.sets[i].v);
    rd_freep(&p.entries);
    rd_freep(&p.sets);
    rd_freep(&p.list_len);
    json_decref(p.set_ids);
    json_decref(p.list_ids);
}

void k8s_order_init(struct k8s_order *o, json_t *const *objects, size_t count)
{
    order_build(o, objects, count, wish_apply);
}

void k8s_order_init_delete(struct k8s_order *o, json_t *const *objects, size_t count)
{
    order_build(o, objects, count, wish_delete);
}

void k8s_order_clear(struct k8s_order *o)
{
    for (size_t i = 0; i < o->list_count; i++)
        rd_freep(&o->lists[i]);
    rd_freep(&o->lists);
    rd_freep(&o->needs);
    rd_freep(&o->need_len);
    *o = (struct k8s_order){0};
}
