/* Which images can be pulled: those the registries have. */
#include "ctl_work.h"

#include "outside.h"
#include "setting.h"

#include <stdlib.h>
#include <string.h>

/* "docker.io/rayproject/ray:TAG" and "rayproject/ray:TAG" are looked up; in a repository of the project's
 * Artifact Registry is what --set image-present=REFERENCE says; other registries have everything. */
bool ctl_image_exists(struct emu *e, const char *image)
{
    const char *slash = strchr(image, '/');
    RD_AUTOFREE char *host = rd_strndup(image, slash == NULL ? 0 : (size_t)(slash - image));
    bool is_host = strchr(host, '.') != NULL || strchr(host, ':') != NULL;
    const char *rest = is_host ? slash + 1 : image;
    const char *colon = strchr(rest, ':');
    if (strchr(rest, '@') != NULL)
        return true;
    if (rd_ends_with(host, "-docker.pkg.dev"))
        return emu_setting_has(e, "image-present", image);
    if (is_host && !rd_streq(host, "docker.io"))
        return colon == NULL || !emu_setting_has(e, "image-missing", colon + 1);
    RD_AUTOFREE char *repository =
        rd_strndup(rest, colon == NULL ? strlen(rest) : (size_t)(colon - rest));
    return emu_docker_has(e, repository, colon == NULL ? "latest" : colon + 1);
}
