#include "phase/steps/render.h"

#include "base/alloc.h"
#include "phase/steps/base.h"
#include "phase/steps/cc.h"
#include "phase/steps/kuberay.h"
#include "phase/steps/ray.h"

#include <stdlib.h>
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
    if (rd_streq(fact, "spill.prefix"))
        return json_string("uid-of-the-raycluster");
    if (rd_streq(fact, "region.zones"))
        return rd_json_pack("[s]", "zone-to-be-found");
    if (rd_streq(fact, "gpu.zones"))
        return rd_json_pack("[s]", "accelerator-zone-to-be-asked");
    return NULL;
}

bool steps_render_uses(const json_t *object, const char *fact)
{
    RD_AUTOJSON json_t *value = steps_stand_in(fact);
    RD_AUTOFREE char *whole = rd_json_dump(object);
    /* Text may stand inside other text, a list of texts may be shown by its first alone. */
    const char *text = json_string_value(json_is_array(value) ? json_array_get(value, 0) : value);
    RD_AUTOFREE char *part =
        value && !text ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    return (text && strstr(whole, text)) || (part && strstr(whole, part));
}

static void derive(json_t *known, const char *fact, char *take)
{
    if (!json_object_get(known, fact))
        json_object_set_new(known, fact, json_string(take));
    free(take);
}

/* The facts given, those that the configuration decides, and stand-ins for the rest. Owned. */
static json_t *facts_for(const struct config *c, const json_t *facts, struct rd_strv *ret_unknown)
{
    json_t *known = facts ? json_deep_copy(facts) : json_object();
    if (c->target == TARGET_GKE) {
        RD_AUTOFREE char *account = cc_ray_account(c);
        derive(known, "ray.email", cc_account_email(c, account));
        derive(known, "spill.bucket", cc_bucket(c));
    }
    for (size_t i = 0; step_facts[i]; i++) {
        json_t *v = json_object_get(known, step_facts[i]) ? NULL : steps_stand_in(step_facts[i]);
        if (!v)
            continue;
        json_object_set_new(known, step_facts[i], v);
        rd_strv_add(ret_unknown, step_facts[i]);
    }
    return known;
}

/* The steps of phase 2 that have templates. The Ray namespace first: an operator that watches that one alone
 * has its Role there. */
static const struct {
    const char *step;
    bool (*render)(struct step_op *, struct manifest_list *, struct rd_err **);
} workload[] = {{"base", base_render},
                {"kuberay", kuberay_render},
                {"volume", volume_render},
                {"ray", ray_render}};

bool steps_render(const struct config *c, struct template_set *templates, const json_t *facts,
                  struct manifest_list *out, struct rd_strv *ret_unknown, struct rd_err **reterr)
{
    RD_AUTOJSON json_t *known = facts_for(c, facts, ret_unknown);
    struct step_ctx ctx = {.config = c, .templates = templates, .facts = known};
    struct step_op s = {.ctx = &ctx};
    for (size_t i = 0; i < RD_ARRAY_LEN(workload); i++)
        if (!workload[i].render(&s, out, reterr))
            return false;
    return true;
}

bool steps_render_step(const struct config *c, struct template_set *templates, const json_t *facts,
                       const char *step, struct manifest_list *out, struct rd_err **reterr)
{
    struct rd_strv unknown = {NULL, 0};
    RD_AUTOJSON json_t *known = facts_for(c, facts, &unknown);
    rd_strv_clear(&unknown);
    struct step_ctx ctx = {.config = c, .templates = templates, .facts = known};
    struct step_op s = {.ctx = &ctx};
    for (size_t i = 0; i < RD_ARRAY_LEN(workload); i++)
        if (rd_streq(workload[i].step, step))
            return workload[i].render(&s, out, reterr);
    for (unsigned part = 0; part < CC_PART_MAX; part++)
        if (rd_streq(cc_part_name(part), step))
            return cc_render(&ctx, part, out, reterr);
    return true;
}

bool steps_render_cc(const struct config *c, struct template_set *templates, const json_t *facts,
                     struct manifest_list *out, struct rd_strv *ret_unknown, struct rd_err **reterr)
{
    RD_AUTOJSON json_t *known = facts_for(c, facts, ret_unknown);
    struct step_ctx ctx = {.config = c, .templates = templates, .facts = known};
    for (unsigned part = 0; part < CC_PART_MAX; part++)
        if (!cc_render(&ctx, part, out, reterr))
            return false;
    return true;
}
