/* Brings the KubeRay chart archive: from a file, from an archive's URL, or by a repository's index,
 * checked against the pinned digest or the index's. Redirects are followed: the official index names
 * release assets of GitHub, which are kept elsewhere. A fetched archive is kept in the state folder by
 * its digest; the digest seen first for a version is remembered, and another one later is refused. */
#ifndef RD_PHASE_STEPS_CHART_FETCH_H
#define RD_PHASE_STEPS_CHART_FETCH_H

#include "manifest/chart.h"
#include "phase/steps/step.h"

#define CHART_INDEX_URL "https://ray-project.github.io/kuberay-helm/index.yaml"

struct chart_fetch {
    struct op op;
    struct step_ctx *ctx;
    bool whole;            /* in: read the archive also where it was read well before */
    bool unread;           /* out: it was, so chart.crds is empty */
    struct chart chart;    /* out; valid when the op ended without error */
    char *note;            /* out; owned: where from and how checked */
    struct http_client *http;
    struct http_call call;
    char *url, *digest;
    char *at;              /* owned; where a redirect led; NULL: url itself */
    unsigned hops;
    int state;
};
void chart_fetch_start(struct chart_fetch *f, struct op *parent, struct step_ctx *ctx);
/* The same at once for a chart that is a file (kuberay.chart without a scheme); f is zeroed memory. */
bool chart_fetch_file(struct chart_fetch *f, struct step_ctx *ctx, struct rd_err **reterr)
    RD_MUST_CHECK;
bool chart_is_file(const struct config *c);
void chart_fetch_clear(struct chart_fetch *f);
/* Folder for archives under the state folder; owned. */
char *chart_cache_dir(const struct config *c);

#endif
