/* ray.head and ray.workers: objects with keys of their own, checked one by one so that a message
 * can name the line, and completed so that nobody later wonders about a default. */
#include "config/option.h"

#include "base/alloc.h"

#include <string.h>

enum group_type {
    GROUP_NAME,
    GROUP_COUNT,
    GROUP_CPU,
    GROUP_MEMORY,
    GROUP_SWITCH,
    GROUP_ENV,
    GROUP_MAP
};

struct group_key {
    const char *name;
    enum group_type type;
    bool head;
    json_int_t max;
};

static const struct group_key group_keys[] = {
    {"name", GROUP_NAME, false, 0},
    {"replicas", GROUP_COUNT, false, 100000},
    {"min", GROUP_COUNT, false, 100000},
    {"max", GROUP_COUNT, false, 100000},
    {"cpu", GROUP_CPU, true, 0},
    {"cpuRequest", GROUP_CPU, true, 0},
    {"memory", GROUP_MEMORY, true, 0},
    {"gpus", GROUP_COUNT, false, 16},
    {"idleTimeoutSeconds", GROUP_COUNT, false, 7 * 24 * 3600},
    {"env", GROUP_ENV, true, 0},
    {"spot", GROUP_SWITCH, false, 0},
    {"rayStartParams", GROUP_MAP, true, 0},
    {"nodeSelector", GROUP_MAP, false, 0},
};

struct group_read {
    const struct value_origin *from;
    const char *option; /* "ray.workers" */
    const char *path;   /* "/0": under the option's value; "" for the head */
    struct rd_err **reterr;
};

static bool refuse(const struct group_read *g, const char *key, const char *value,
                   const char *problem)
{
    RD_AUTOFREE char *sub = *key ? rd_asprintf("%s/%s", g->path, key) : rd_strdup(g->path);
    RD_AUTOFREE char *origin = origin_text(g->from, sub);
    RD_AUTOFREE char *name = NULL;
    RD_AUTOFREE char *item = NULL;
    if (*g->path)
        item = rd_asprintf("[%s]", g->path + 1);
    name = rd_asprintf("%s%s%s%s", g->option, item ? item : "", *key ? "." : "", key);
    for (char *p = name; *p; p++)
        if (*p == '/')
            *p = '.';
    return option_refuse(g->reterr, origin, name, value, problem);
}

static const struct group_key *key_find(const char *name, bool head)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(group_keys); i++)
        if (rd_streq(group_keys[i].name, name) && (!head || group_keys[i].head))
            return &group_keys[i];
    return NULL;
}

static bool refuse_key(const struct group_read *g, const char *key, bool head)
{
    const char *names[RD_ARRAY_LEN(group_keys) + 1];
    size_t n = 0;
    for (size_t i = 0; i < RD_ARRAY_LEN(group_keys); i++)
        if (!head || group_keys[i].head)
            names[n++] = group_keys[i].name;
    names[n] = NULL;
    const char *near = rd_text_nearest(key, names);
    RD_AUTOFREE char *problem =
        near ? rd_asprintf("is not a key here; did you mean %s?", near)
             : rd_strdup(head ? "is not a key of the head" : "is not a key of a worker group");
    return refuse(g, key, NULL, problem);
}

static bool read_text_map(const struct group_read *g, const char *key, const json_t *value,
                          bool env)
{
    if (!json_is_object(value))
        return refuse(g, key, NULL, "must be a mapping of names to strings");
    const char *name;
    json_t *v;
    json_object_foreach ((json_t *)value, name, v) {
        RD_AUTOFREE char *sub = rd_asprintf("%s/%s", key, name);
        if (!json_is_string(v))
            return refuse(g, sub, NULL, "must be a string: quote it");
        const char *problem = env ? check_env_name(name) : check_not_empty(name);
        if (problem)
            return refuse(g, sub, name, problem);
    }
    return true;
}

/* A quantity as text, also from a bare number of CPUs. */
static bool read_quantity(const struct group_read *g, const struct group_key *k,
                          const json_t *value, json_t *out)
{
    RD_AUTOFREE char *text = NULL;
    if (json_is_string(value))
        text = rd_strdup(json_string_value(value));
    else if (k->type == GROUP_CPU && json_is_integer(value))
        text = rd_asprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (k->type == GROUP_CPU && json_is_real(value))
        text = rd_asprintf("%g", json_real_value(value));
    else
        return refuse(g, k->name, NULL,
                      k->type == GROUP_CPU ? "must be a Kubernetes quantity like 2 or \"1500m\""
                                           : "must be a Kubernetes quantity like \"2Gi\"");
    int64_t milli;
    if (!rd_quantity_parse_milli(text, &milli))
        return refuse(g, k->name, text,
                      k->type == GROUP_CPU ? "must be a Kubernetes quantity like \"1500m\""
                                           : "must be a Kubernetes quantity like \"2Gi\"");
    if (milli <= 0)
        return refuse(g, k->name, text, "must be more than nothing");
    /* 64 MiB: less cannot even start Python, and such a value is a forgotten unit. */
    if (k->type == GROUP_MEMORY && milli / 1000 < (int64_t)64 << 20)
        return refuse(g, k->name, text, "is too little for Ray; is a unit like Gi missing?");
    json_object_set_new(out, k->name, json_string(text));
    return true;
}

static bool read_key(const struct group_read *g, const struct group_key *k, const json_t *value,
                     json_t *out)
{
    switch (k->type) {
    case GROUP_NAME: {
        const char *s = json_string_value(value);
        if (!s)
            return refuse(g, k->name, NULL, "must be a string");
        const char *problem = check_dns_label(s);
        if (!problem && rd_streq(s, "headgroup"))
            problem = "is the name KubeRay gives the head's group";
        if (problem)
            return refuse(g, k->name, s, problem);
        break;
    }
    case GROUP_COUNT:
        if (!json_is_integer(value))
            return refuse(g, k->name, NULL, "must be a whole number");
        if (json_integer_value(value) < 0 || json_integer_value(value) > k->max) {
            RD_AUTOFREE char *problem =
                rd_asprintf("must be from 0 to %" JSON_INTEGER_FORMAT, k->max);
            RD_AUTOFREE char *text =
                rd_asprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
            return refuse(g, k->name, text, problem);
        }
        break;
    case GROUP_CPU:
    case GROUP_MEMORY:
        return read_quantity(g, k, value, out);
    case GROUP_SWITCH:
        if (!json_is_boolean(value))
            return refuse(g, k->name, NULL, "must be true or false");
        break;
    case GROUP_ENV:
    case GROUP_MAP:
        if (!read_text_map(g, k->name, value, k->type == GROUP_ENV))
            return false;
        break;
    }
    json_object_set(out, k->name, (json_t *)value);
    return true;
}

static bool read_keys(const struct group_read *g, const json_t *value, bool head, json_t *out)
{
    if (!json_is_object(value))
        return refuse(g, "", NULL, head ? "must be a mapping" : "must be a mapping with a name");
    const char *name;
    json_t *v;
    json_object_foreach ((json_t *)value, name, v) {
        const struct group_key *k = key_find(name, head);
        if (!k)
            return refuse_key(g, name, head);
        if (json_is_null(v))
            continue;
        if (!read_key(g, k, v, out))
            return false;
    }
    return true;
}

static int64_t milli_of(const json_t *group, const char *key)
{
    int64_t milli = 0;
    bool ok = rd_quantity_parse_milli(json_string_value(json_object_get(group, key)), &milli);
    RD_ASSERT(ok);
    return milli;
}

static bool check_request(const struct group_read *g, const json_t *group)
{
    if (!json_object_get(group, "cpuRequest"))
        return true;
    if (milli_of(group, "cpuRequest") <= milli_of(group, "cpu"))
        return true;
    return refuse(g, "cpuRequest", json_string_value(json_object_get(group, "cpuRequest")),
                  "must not be more than cpu");
}

static void set_default(json_t *group, const char *key, json_t *take)
{
    if (json_object_get(group, key))
        json_decref(take);
    else
        json_object_set_new(group, key, take);
}

json_t *group_head(const struct config *c, const json_t *value, const struct value_origin *from,
                   struct rd_err **reterr)
{
    struct group_read g = {.from = from, .option = "ray.head", .path = "", .reterr = reterr};
    RD_AUTOJSON json_t *head = json_object();
    if (!read_keys(&g, value, true, head))
        return NULL;
    bool local = c->target == TARGET_LOCAL;
    set_default(head, "cpu", json_string(local ? "1" : "2"));
    set_default(head, "memory", json_string(local ? "2Gi" : "8Gi"));
    if (!check_request(&g, head))
        return NULL;
    return json_incref(head);
}

static json_int_t count_of(const json_t *group, const char *key)
{
    return json_integer_value(json_object_get(group, key));
}

static bool complete_group(const struct group_read *g, bool local, json_t *group)
{
    if (!json_object_get(group, "name"))
        return refuse(g, "", NULL, "has no name");
    bool has_min = json_object_get(group, "min") != NULL;
    json_int_t replicas = count_of(group, "replicas");
    set_default(group, "replicas", json_integer(count_of(group, "min")));
    set_default(group, "min", json_integer(0));
    json_int_t most = count_of(group, "replicas");
    set_default(group, "max", json_integer(most > 0 ? most : 1));
    set_default(group, "cpu", json_string(local ? "1" : "2"));
    set_default(group, "memory", json_string(local ? "2Gi" : "5Gi"));
    set_default(group, "idleTimeoutSeconds", json_integer(60));
    if (count_of(group, "max") == 0)
        return refuse(g, "max", "0",
                      "must be at least 1; leave the group out if it may have no pod");
    if (count_of(group, "min") > count_of(group, "max"))
        return refuse(g, has_min ? "min" : "max", NULL, "min is more than max");
    if (count_of(group, "replicas") < count_of(group, "min"))
        return refuse(g, "replicas", NULL, "replicas is less than min");
    if (replicas > count_of(group, "max"))
        return refuse(g, "replicas", NULL, "replicas is more than max");
    return check_request(g, group);
}

json_t *group_workers(const struct config *c, const json_t *value, const struct value_origin *from,
                      struct rd_err **reterr)
{
    struct group_read g = {.from = from, .option = "ray.workers", .path = "", .reterr = reterr};
    if (!json_is_array(value) || json_array_size(value) == 0) {
        refuse(&g, "", NULL, "must be a list of at least one worker group");
        return NULL;
    }
    if (json_array_size(value) > 100) {
        refuse(&g, "", NULL, "must have at most 100 worker groups");
        return NULL;
    }
    RD_AUTOJSON json_t *groups = json_array();
    RD_AUTOJSON json_t *names = json_object();
    size_t i;
    const json_t *one;
    json_array_foreach (value, i, one) {
        RD_AUTOFREE char *path = rd_asprintf("/%zu", i);
        g.path = path;
        json_t *group = json_object();
        json_array_append_new(groups, group);
        if (!read_keys(&g, one, false, group) ||
            !complete_group(&g, c->target == TARGET_LOCAL, group))
            return NULL;
        const char *name = json_string_value(json_object_get(group, "name"));
        if (json_object_get(names, name)) {
            refuse(&g, "name", name, "is the name of an earlier group too");
            return NULL;
        }
        json_object_set_new(names, name, json_true());
    }
    return json_incref(groups);
}
