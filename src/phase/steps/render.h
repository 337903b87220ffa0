/* Everything the steps would apply, without a server: for `render`, and as the check that comes
 * before the first request of a deploy. */
#ifndef RD_PHASE_STEPS_RENDER_H
#define RD_PHASE_STEPS_RENDER_H

#include "phase/steps/step.h"

/* Adds the objects of the operator, the namespace, the volume and the RayCluster, in the order in
 * which they may be applied. Facts not in `facts` are shown as RFC 5737 addresses and the like; the
 * names of those that were needed are added to ret_unknown. RD_ERR_INPUT for templates or a
 * configuration that cannot work. */
bool steps_render(const struct config *c, struct template_set *templates, const json_t *facts,
                  struct manifest_list *out, struct rd_strv *ret_unknown,
                  struct rd_err **reterr) RD_MUST_CHECK;
/* The same for phase 1: the objects for the management cluster. Without fact cc.features or
 * cc.version they are those for a current Config Connector. */
bool steps_render_cc(const struct config *c, struct template_set *templates, const json_t *facts,
                     struct manifest_list *out, struct rd_strv *ret_unknown,
                     struct rd_err **reterr) RD_MUST_CHECK;
/* The objects of one step alone, for telling what would be made where no server can be asked yet;
 * nothing for a step that has no templates. */
bool steps_render_step(const struct config *c, struct template_set *templates, const json_t *facts,
                       const char *step, struct manifest_list *out,
                       struct rd_err **reterr) RD_MUST_CHECK;
/* Whether an object holds the stand-in of this fact. */
bool steps_render_uses(const json_t *object, const char *fact);
/* The stand-in for a fact that is not known; owned; NULL: it has none. Going down, objects are only
 * named, never sent, so it serves there too. */
json_t *steps_stand_in(const char *fact);

#endif
