/* The option table and what reads it; private to this folder. */
#ifndef RD_CONFIG_OPTION_H
#define RD_CONFIG_OPTION_H

#include "config/config.h"
#include "manifest/yaml.h"

enum option_type {
    OPT_TEXT,     /* char * */
    OPT_SWITCH,   /* bool */
    OPT_COUNT,    /* int; each -v adds one */
    OPT_INT,      /* json_int_t */
    OPT_DURATION, /* uint64_t, milliseconds */
    OPT_CHOICE,   /* an enum whose values are the places in words */
    OPT_FORMAT,   /* bool: true for "json" */
    OPT_CIDRS,    /* json_t *, array of strings */
    OPT_ZONES,    /* json_t *, array of strings */
    OPT_HEAD,     /* json_t *, object (group.c) */
    OPT_WORKERS,  /* json_t *, array (group.c) */
    OPT_PAIRS     /* json_t *, object from repeated NAME=VALUE */
};

struct option {
    const char *name;   /* dotted file key; of a flag only: the flag's name */
    const char *flag;   /* without dashes; NULL: none */
    char letter;        /* 0: none */
    bool in_file;       /* may stand in raydeploy.yaml; such values are a deployment's */
    const char *env[2]; /* the first that is set and not empty counts */
    enum option_type type;
    size_t at;                /* offset in struct config */
    const char *arg;          /* "NAME"; NULL: a switch */
    const char *fallback[2];  /* by enum config_target; objects as JSON; NULL: none */
    const char *const *words; /* TEXT, CHOICE: allowed words, NULL-ended; NULL: any */
    json_int_t min, max;      /* INT, and DURATION in ms; max 0: no bound */
    const char *(*check)(const char *value); /* NULL when fine, else what it must be */
    const char *help;
};

extern const struct option config_options[];        /* ended by a NULL name */
const struct option *option_find(const char *name); /* by dotted key or flag name */
const struct option *option_by_letter(char letter);

/* Where a value stands, for messages. */
struct value_origin {
    const char *text;               /* "--region", "GCP_REGION", "default"; or the file's name */
    const struct yaml_marks *marks; /* NULL: not from a file */
    const char *pointer;            /* JSON pointer of the value in the file */
};
/* "raydeploy.yaml:12" for pointer + sub ("/0/max"; NULL: the value itself). Owned. */
char *origin_text(const struct value_origin *o, const char *sub);

/* Checks and stores. Values from flags, environment and defaults are text; from the file, trees. */
bool option_set_text(struct config *c, const struct option *o, const char *text,
                     const struct value_origin *from, struct rd_err **reterr) RD_MUST_CHECK;
bool option_set_json(struct config *c, const struct option *o, const json_t *value,
                     const struct value_origin *from, struct rd_err **reterr) RD_MUST_CHECK;

/* ---- group.c ---- */
/* A checked copy of ray.head or ray.workers with what was left out filled in. Owned, or NULL. */
json_t *group_head(const struct config *c, const json_t *value, const struct value_origin *from,
                   struct rd_err **reterr);
json_t *group_workers(const struct config *c, const json_t *value, const struct value_origin *from,
                      struct rd_err **reterr);

/* ---- parse.c ---- */
struct flag_values {
    json_t *common; /* option name -> string, true, integer (count) or array of strings */
};
bool flags_parse(struct config *c, int argc, char **argv, const struct config_verb_flag *verb_flags,
                 json_t *ret_common, struct rd_err **reterr) RD_MUST_CHECK;

/* ---- file.c ---- */
struct config_file {
    struct yaml_stream stream;
    const json_t *root;             /* borrowed from the stream; NULL: nothing in it */
    const struct yaml_marks *marks; /* borrowed */
};
/* Reads and refuses keys that are not in the table. */
bool config_file_read(const char *path, struct config_file *ret,
                      struct rd_err **reterr) RD_MUST_CHECK;
void config_file_clear(struct config_file *f);

/* ---- cross.c ---- */
/* What only several values together can break; also adds warnings. */
bool config_cross_check(struct config *c, struct rd_err **reterr) RD_MUST_CHECK;

/* ---- check.c: NULL when fine, else what it must be ---- */
const char *check_deployment(const char *s);
const char *check_dns_label(const char *s);
const char *check_project(const char *s);
const char *check_region(const char *s);
const char *check_zone(const char *s);
const char *check_machine_type(const char *s);
const char *check_accelerator(const char *s);
const char *check_cidr(const char *s);
const char *check_subnet(const char *s); /* a CIDR that a subnet of a VPC may have */
const char *check_bucket(const char *s);
const char *check_image(const char *s);
const char *check_image_digest(const char *s); /* ...@sha256: and 64 digits */
const char *check_chart_repo(const char *s);
const char *check_version(const char *s);
const char *check_url(const char *s);
const char *check_chart(const char *s);
const char *check_sha256(const char *s);
const char *check_env_name(const char *s);
const char *check_not_empty(const char *s);
const char *check_fact(const char *s);
/* Address and prefix length of a checked CIDR. */
void cidr_range(const char *s, uint32_t *ret_first, uint32_t *ret_last);
/* Compares "2.58.1" and the like by number; a pre-release counts as before its release. */
int version_compare(const char *a, const char *b);

/* RD_ERR_INPUT "ORIGIN: NAME "VALUE" PROBLEM"; false. */
bool option_refuse(struct rd_err **reterr, const char *origin, const char *name, const char *value,
                   const char *problem);

#endif
