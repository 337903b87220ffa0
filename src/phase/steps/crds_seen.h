/* KubeRay's CRDs are the largest objects of a deploy: to read the four of them again, or the chart, is
 * most of what a repeated `up` has to do. So what was once proved is written down on this machine: that
 * these definitions, with this metadata, are those of this chart under our labels, and are served.
 *
 * The metadata holds uid, resourceVersion, generation and every manager's last write: where it is the
 * same to the letter, so is the object, for no write leaves the resourceVersion as it is. Anything else
 * (another chart, label, program version or server, a missing or damaged record) is "not seen", and
 * everything is read again. A record that cannot be written costs that reading, nothing more. */
#ifndef RD_PHASE_STEPS_CRDS_SEEN_H
#define RD_PHASE_STEPS_CRDS_SEEN_H

#include "config/config.h"

/* Whether a chart archive with this digest was read well before, by this version of the program. */
bool crds_seen_chart(const struct config *c, const char *chart_sha256);
/* Digest of a definition's metadata; owned; NULL when it has none. Pure. */
char *crds_seen_digest(const json_t *crd);
/* The names of the definitions when each of them is among `live` as it was seen; else NULL. Owned. */
json_t *crds_seen_match(const struct config *c, const char *server, const char *chart_sha256,
                        const json_t *live);
/* `digests`: name -> digest, of all that the chart brings. */
void crds_seen_keep(const struct config *c, const char *server, const char *chart_sha256,
                    const json_t *digests);

#endif
