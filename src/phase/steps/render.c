#include "phase/steps/render.h"

#include "base/alloc.h"
#include "phase/steps/base.h"
#include "phase/steps/kuberay.h"
#include "phase/steps/ray.h"

#include <string.h>

/* Stand-ins from the ranges that RFC 5737 sets aside for documentation: they parse, and nobody can
 * mistake them for a real address. */
json_t *steps_stand_in(const char *fact)
{
    if (rd_streq(fact, "api.egress"))
        return rd_json_pack("[{s:[{s:{s:s}}], s:[{s:i, s:s}]}]", "to", "ipBlock", "cidr",
                            "192.0.2.1/32", "ports", "port", 443, "protocol", "TCP");
    if (rd_streq(fact, "volume.modes"))
        return rd_json_pack("[s]", "ReadWriteOnce");
    if (rd_streq(fact, "filestore.ip"))
        return json_string("192.0.2.2");
    return NULL;
}

bool steps_render_uses(const json_t *object, const char *fact)
{
    RD_AUTOJSON json_t *value = steps_stand_in(fact);
    RD_AUTOFREE char *part = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS)
                                   : NULL;
    RD_AUTOFREE char *whole = rd_json_dump(object);
    return part && strstr(whole, part);
}

bool steps_render(const struct config *c, struct template_set *templates, const json_t *facts,
                  struct manifest_list *out, struct rd_strv *ret_unknown, struct rd_err **reterr)
{
    static bool (*const parts[])(struct step_op *, struct manifest_list *, struct rd_err **) = {
        kuberay_render, base_render, volume_render, ray_render};
    RD_AUTOJSON json_t *known = facts ? json_deep_copy(facts) : json_object();
    for (size_t i = 0; step_facts[i]; i++) {
        json_t *v = json_object_get(known, step_facts[i]) ? NULL : steps_stand_in(step_facts[i]);
        if (!v)
            continue;
        json_object_set_new(known, step_facts[i], v);
        rd_strv_add(ret_unknown, step_facts[i]);
    }
    struct step_ctx ctx = {.config = c, .templates = templates, .facts = known};
    struct step_op s = {.ctx = &ctx};
    for (size_t i = 0; i < RD_ARRAY_LEN(parts); i++)
        if (!parts[i](&s, out, reterr))
            return false;
    return true;
}
