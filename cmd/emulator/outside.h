/* What a deployment fetches from outside Google Cloud: the repository of KubeRay's chart ("charts") and
 * a registry of Ray's images ("registry"). Neither holds anything of the real ones: the chart's CRDs are
 * the emulator's own, the registry knows names only. */
#ifndef EMU_OUTSIDE_H
#define EMU_OUTSIDE_H

#include "server.h"

#define EMU_CHART_VERSION "1.7.0"

/* Opens both listeners. */
bool emu_outside_start(struct emu *e, struct rd_err **reterr) RD_MUST_CHECK;
/* Shell exports. */
void emu_outside_env(struct emu *e, struct rd_buf *out);
/* Whether docker.io has it: "rayproject/ray", "2.58.0-py311". Repositories that are not played have
 * every tag; --set image-missing=TAG takes one away. */
bool emu_docker_has(const struct emu *e, const char *repository, const char *tag);

/* chart_archive.c: a .tgz, the same bytes each time; owned. */
char *emu_chart_archive(size_t *ret_len);

#endif
