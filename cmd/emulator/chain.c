#include "chain.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

void emu_chain_add(struct emu *e, const char *name, uint64_t ms, const char *const *needs)
{
    if (e->chain == NULL)
        e->chain = json_object();
    json_int_t before_ms = 0;
    const char *after = NULL;
    for (; *needs != NULL; needs++) {
        const json_t *need = json_object_get(e->chain, *needs);
        json_int_t end_ms = rd_json_path_int(need, "end_ms", -1);
        if (end_ms > before_ms && !rd_streq(*needs, name)) {
            before_ms = end_ms;
            after = *needs;
        }
    }
    json_t *entry =
        rd_json_pack("{s:I, s:I}", "ms", (json_int_t)ms, "end_ms", before_ms + (json_int_t)ms);
    if (after != NULL)
        json_object_set_new(entry, "after", json_string(after));
    json_object_set_new(e->chain, name, entry);
}

void emu_chain_took(struct emu *e, const char *name, uint64_t ms)
{
    json_t *entry = json_object_get(e->chain, name);
    json_int_t more_ms = (json_int_t)ms - rd_json_path_int(entry, "ms", 0);
    if (entry == NULL || more_ms <= 0)
        return;
    static const char *const keys[] = {"ms", "end_ms"};
    for (size_t i = 0; i < RD_ARRAY_LEN(keys); i++)
        json_object_set_new(entry, keys[i],
                            json_integer(rd_json_path_int(entry, keys[i], 0) + more_ms));
}

/* All resources of that name as text; "" when there is none. Owned. */
static char *resource_text(struct emu *e, const char *name)
{
    const char *kind;
    json_t *all;
    json_object_foreach (e->store.kinds, kind, all) {
        const json_t *o = json_object_get(all, name);
        if (o != NULL && kind[0] != '_')
            return json_dumps(o, JSON_COMPACT);
    }
    return rd_strdup("");
}

void emu_chain_add_resource(struct emu *e, const char *name, uint64_t ms)
{
    RD_AUTOFREE char *text = resource_text(e, name);
    struct rd_strv needs = {0};
    rd_strv_add(&needs, "services");
    const char *other;
    json_t *entry;
    json_object_foreach (e->chain, other, entry) {
        size_t len = strlen(other);
        RD_AUTOFREE char *quoted = rd_asprintf("%s\"", other);
        bool inside = strncmp(name, other, len) == 0 && name[len] == '/';
        if (inside || strstr(text, quoted) != NULL)
            rd_strv_add(&needs, other);
    }
    emu_chain_add(e, name, ms, (const char *const *)needs.v);
    rd_strv_clear(&needs);
}

static json_t *longest_of_run(const struct emu *e)
{
    const char *last = NULL, *name;
    json_int_t end_ms = 0;
    json_t *entry;
    json_object_foreach (e->chain, name, entry) {
        if (rd_json_path_int(entry, "end_ms", 0) > end_ms) {
            end_ms = rd_json_path_int(entry, "end_ms", 0);
            last = name;
        }
    }
    json_t *steps = json_array();
    /* A name made anew may point at itself through others; the count bounds the walk. */
    size_t left = json_object_size(e->chain);
    while (last != NULL && left-- > 0) {
        entry = json_object_get(e->chain, last);
        json_array_insert_new(
            steps, 0, rd_json_pack("{s:s, s:O}", "name", last, "ms", json_object_get(entry, "ms")));
        last = rd_json_str(entry, "after", NULL);
    }
    return rd_json_pack("{s:I, s:o}", "ms", end_ms, "steps", steps);
}

json_t *emu_chain_longest(const struct emu *e)
{
    json_t *now = longest_of_run(e);
    if (rd_json_path_int(e->chain_longest, "ms", -1) < rd_json_path_int(now, "ms", 0))
        return now;
    json_decref(now);
    return json_incref(e->chain_longest);
}

void emu_chain_begin(struct emu *e)
{
    if (json_object_size(e->chain) == 0)
        return;
    json_t *longest = emu_chain_longest(e);
    json_decref(e->chain_longest);
    e->chain_longest = longest;
    json_object_clear(e->chain);
}
