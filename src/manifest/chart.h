/* Helm chart archives (.tgz) and repository indexes, read only for the CRDs in `crds/` and for the
 * chart's name and version. Bounded against archive bombs; entries whose path escapes, links and
 * devices are refused. Source: helm.sh/docs/topics/charts, the chart repository guide. */
#ifndef RD_MANIFEST_CHART_H
#define RD_MANIFEST_CHART_H

#include "manifest/objects.h"

struct chart {
    char *name, *version;      /* of Chart.yaml; owned */
    char sha256[65];           /* of the archive's bytes, lower-case hex */
    struct manifest_list crds; /* CustomResourceDefinitions of crds/, in file order */
};

/* `label` is the path or URL for messages. Errors are RD_ERR_INPUT. */
bool chart_read(const char *data, size_t len, const char *label, struct chart *ret,
                struct rd_err **reterr) RD_MUST_CHECK;
void chart_clear(struct chart *c);

/* Finds name/version in an index.yaml: the archive's absolute URL (relative ones are resolved
 * against index_url) and its digest (hex without "sha256:"; NULL if the index has none). Owned. */
bool chart_index_find(const char *data, size_t len, const char *index_url, const char *name,
                      const char *version, char **ret_url, char **ret_digest,
                      struct rd_err **reterr) RD_MUST_CHECK;

#endif
