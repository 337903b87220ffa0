/* Is the image there? Asked of its registry before the RayCluster is applied: a typing error in a tag would
 * else show as a pod that cannot pull, minutes later.
 *
 * Docker's registry protocol with an anonymous token for public registries (environment
 * RAYDEPLOY_DOCKER_REGISTRY names a mirror that is asked in place of docker.io); Artifact Registry's own
 * API for *-docker.pkg.dev. A registry that cannot be reached, or wants credentials, costs a warning: the
 * nodes may know better.
 *
 * Protocol source: the OCI distribution specification (pull), Docker's token authentication. */
#ifndef RD_PHASE_STEPS_IMAGE_H
#define RD_PHASE_STEPS_IMAGE_H

#include "gcp/services.h"
#include "phase/steps/step.h"

/* ---- References (pure) ---- */
struct image_ref {
    char *host; /* "docker.io" where none is named */
    char *path; /* "library/busybox" */
    char *tag;  /* "latest" where nothing is named; NULL with a digest */
    char *digest;
};
bool image_ref_parse(const char *text, struct image_ref *ret); /* false: not to be read as one */
void image_ref_clear(struct image_ref *r);
/* The value of a parameter of "Bearer realm=\"...\",service=\"...\""; owned, NULL: not there. */
char *image_challenge(const char *header, const char *name);
/* In a list of Artifact Registry's dockerImages. */
bool image_is_listed(const struct image_ref *r, const json_t *docker_images);

/* ---- Asking ---- */
struct image_ask {
    struct op op;
    struct image_look *look;
    char *text;  /* owned; as it was configured */
    struct image_ref ref;
    struct http_req req;
    struct gcp_list list;
    bool found, missing;
    char *doubt; /* owned; why it is not known; NULL: it is */
    int state;
};

enum { IMAGES_MAX = 8 };

struct image_look {
    struct op op;
    struct step_ctx *ctx;
    struct http_client *http;
    struct image_ask asks[IMAGES_MAX];
    size_t len;
    bool begun;
};
/* The images that the configuration needs and that this run has not seen yet. Ends with RD_ERR_PREFLIGHT
 * when one is surely missing. */
void image_look_start(struct image_look *l, struct op *parent, struct step_ctx *ctx);
void image_look_clear(struct image_look *l);

#endif
