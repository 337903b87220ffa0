/* The desk: one option table feeds flags, environment, file, --help and the README table.
 * Precedence: flag, environment, file, default. Each value remembers where it came from
 * ("--region", "GCP_REGION", "raydeploy.yaml:12", "default"), and every message about it says so.
 */
#ifndef RD_CONFIG_CONFIG_H
#define RD_CONFIG_CONFIG_H

#include "base/json.h"
#include "base/text.h"

enum config_target { TARGET_GKE, TARGET_LOCAL };
enum config_progress { PROGRESS_AUTO, PROGRESS_TTY, PROGRESS_PLAIN, PROGRESS_JSON, PROGRESS_QUIET };
enum config_color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/* Strings are owned, NULL when not set and without default. Sizes and times carry their unit. */
struct config {
    /* Where the file came from; NULL: none. */
    char *file;
    char *project, *region, *name;
    enum config_target target;
    struct {
        char *zone, *connector, *roles;
        char *operator, *operator_sha256; /* bundle of a manual connector: file or URL */
    } management;
    struct {
        char *subnet_cidr, *pods_cidr, *services_cidr, *control_plane;
        json_t *authorized_networks; /* array of CIDR strings */
    } network;
    struct {
        char *machine_type;
        json_int_t min, max, disk_gb;
        bool spot;
    } cpu_pool;
    struct {
        bool enabled, spot;
        char *machine_type, *accelerator;
        json_int_t min, max;
        json_t *zones;
    } gpu_pool;
    struct {
        bool enabled;
        char *tier, *zone;
        json_int_t capacity_gb;
    } filestore;
    struct {
        bool enabled;
        char *bucket;
        json_int_t age_days;
    } spill;
    struct {
        char *name;
        bool keep;
    } registry;
    struct {
        char *version, *image, *gpu_image;
        char *auth;   /* "token" or "disabled" */
        json_t *head; /* object: cpu, memory, env, rayStartParams */
        json_t *
            workers; /* array: name, replicas, min, max, cpu, memory, gpus, idleTimeoutSeconds, env,
                        spot, rayStartParams; defaults depend on the target and are filled in */
    } ray;
    struct {
        char *version, *chart, *sha256, *ns, *watch; /* watch: "all" or "namespace" */
    } kuberay;
    struct {
        char *ns, *release, *grafana_host, *prometheus_host;
        char *helm_image, *chart_repo, *chart_version;
    } monitoring;
    /* Flags of every command. */
    char *credentials, *kubeconfig, *context, *state_dir, *templates_dir, *log_file;
    uint64_t timeout_ms; /* 0: none given */
    uint64_t lease_duration_ms;
    bool yes, json_output, fail_fast, adopt, rebuild_journal;
    int verbose;
    enum config_progress progress;
    enum config_color color;
    json_t *facts; /* --fact NAME=VALUE */
    /* Set by verbs that take them. */
    struct rd_strv files;    /* -f */
    struct rd_strv rest;     /* positional arguments */
    json_t *verb_flags;      /* object: flag name without dashes -> value, for a verb's own flags */
    json_t *origins;         /* object: option name -> text */
    struct rd_strv warnings; /* what is allowed but deserves a word; each names its origin */
};

/* A flag only one verb takes. */
struct config_verb_flag {
    const char *name;       /* "working-dir" */
    const char *short_name; /* "f" or NULL */
    const char *arg;        /* "DIR"; NULL: a switch */
    bool repeats;           /* value is an array */
    const char *help;
};

/* Reads argv (after the verb), environment and file; checks every value. Everything after "--" is
 * `rest`, and so is what is no flag. A verb flag named "file" fills `files`. RD_ERR_INPUT with the
 * origin of the bad value; unknown keys and flags with a suggestion; c is cleared then. Without
 * needs_deployment only flags count, unless a file was named. */
bool config_load(struct config *c, int argc, char **argv, const struct config_verb_flag *verb_flags,
                 bool needs_deployment, struct rd_err **reterr) RD_MUST_CHECK;
/* A deployment on Google Cloud needs a project. */
bool config_require(const struct config *c, struct rd_err **reterr) RD_MUST_CHECK;
void config_clear(struct config *c);
/* Index of the first word of argv that is neither a common flag nor its value: the verb; -1: none.
 */
int config_verb_index(int argc, char **argv);
/* Of an option by its dotted file key or flag name; "default" when nobody set it. Borrowed. */
const char *config_origin(const struct config *c, const char *option);

/* Derived names (decisions.md): owned by the caller. */
char *config_namespace(const struct config *c); /* <name>-system */
char *config_head_account(const struct config *c);
char *config_worker_account(const struct config *c);
char *config_claim(const struct config *c);

/* Appends the help of the common flags; the commented raydeploy.yaml of `init`, in which values
 * that did not come from a default stand uncommented; the README's tables. */
void config_help_flags(struct rd_buf *out);
void config_help_flag(struct rd_buf *out, const struct config_verb_flag *f);
void config_sample(const struct config *c, struct rd_buf *out);
void config_markdown(struct rd_buf *out);
/* Calls fn for each common flag, for shell completion. letter 0: none; arg NULL: a switch; words
 * NULL: any value. */
void config_each_flag(void (*fn)(void *ctx, const char *flag, char letter, const char *arg,
                                 const char *const *words, const char *help),
                      void *ctx);

#endif
