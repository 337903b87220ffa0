#include "phase/drive/place.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "k8s/kubeconfig.h"

#include <stdlib.h>
#include <string.h>

#define DIGEST_LEN 12

static char *state_root(const struct config *c, struct rd_err **reterr)
{
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (c->state_dir)
        return rd_strdup(c->state_dir);
    if (xdg && xdg[0] == '/') /* others are to be ignored, says the XDG specification */
        return rd_path_join(xdg, "raydeploy");
    if (home && *home)
        return rd_path_join(home, ".local/state/raydeploy");
    (void)rd_fail(reterr, RD_ERR_INPUT, "there is no place for the journal: HOME is not set");
    rd_err_hint(*reterr, "Name a folder with --state-dir.");
    return NULL;
}

/* Files only; what is wrong with them is told by the step that connects. */
static char *local_project(const struct config *c)
{
    struct k8s_config_options o = {.path = c->kubeconfig, .context = c->context};
    struct k8s_config k = {0};
    RD_AUTOERR struct rd_err *err = NULL;
    if (!k8s_config_load(&o, &k, &err) || !k.server) {
        k8s_config_clear(&k);
        return rd_strdup("local");
    }
    char hex[RD_SHA256_HEX_LEN + 1];
    rd_sha256_hex(k.server, strlen(k.server), hex);
    k8s_config_clear(&k);
    return rd_asprintf("local-%.*s", DIGEST_LEN, hex);
}

char *place_state_dir(const struct config *c, struct rd_err **reterr)
{
    RD_AUTOFREE char *root = state_root(c, reterr);
    if (!root)
        return NULL;
    RD_AUTOFREE char *project =
        c->target == TARGET_LOCAL || !c->project ? local_project(c) : rd_strdup(c->project);
    RD_AUTOFREE char *folder = rd_path_join(root, project);
    return rd_path_join(folder, c->name);
}
