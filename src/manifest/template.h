/* Templates: plain YAML with one placeholder form, ${name}. Text is parsed first (strict mode),
 * then scalars of the tree are replaced, so a value can never become structure. A scalar that is
 * only
 * ${x} takes the value's type; inside longer text only strings and integers, joined as text. Keys
 * are literal. "$${" is a literal "${". No loops, no conditions. */
#ifndef RD_MANIFEST_TEMPLATE_H
#define RD_MANIFEST_TEMPLATE_H

#include "base/embed.h"
#include "base/text.h"
#include "manifest/objects.h"

enum placeholder_type {
    PH_STRING, /* without control characters */
    PH_INT,
    PH_BOOL,
    PH_LIST,
    PH_OBJECT,
    PH_DNS_LABEL, /* RFC 1123 label */
    PH_DNS_NAME,  /* RFC 1123 subdomain */
    PH_PROJECT_ID,
    PH_CIDR,     /* no bits behind the prefix */
    PH_QUANTITY, /* text or integer */
    PH_IMAGE,
    PH_EMAIL,
    PH_URL, /* scheme://... */
    PH_TYPE_MAX
};

struct placeholder {
    const char *name;
    enum placeholder_type type;
    const char *fact; /* name of the fact that brings it at run time; NULL: known from config */
};

/* Before a fact's name: the resource of the error about one that is not known yet. */
#define TEMPLATE_FACT "fact "

/* The catalogue: every name a template may use; ends with a NULL name. (catalogue.c) */
extern const struct placeholder template_catalogue[];
const struct placeholder *template_placeholder(const char *name); /* NULL: unknown */

/* name -> value; values are checked against the catalogue when set. */
struct template_values {
    json_t *map; /* owned object */
};
void template_values_init(struct template_values *v);
void template_values_clear(struct template_values *v);
/* Takes *take. An unknown name or a value its type refuses is RD_ERR_INPUT naming both. */
bool template_set(struct template_values *v, const char *name, json_t *take,
                  struct rd_err **reterr) RD_MUST_CHECK;
bool template_set_str(struct template_values *v, const char *name, const char *value,
                      struct rd_err **reterr) RD_MUST_CHECK;

/* A set of template files: the embedded ones, shadowed file by file by `dir` (NULL: none). A file
 * in dir that shadows nothing, or that leads out of it, is RD_ERR_INPUT; names with a leading dot
 * are passed over. NULL on error. */
struct template_set;
struct template_set *template_set_open(const char *dir, struct rd_err **reterr);
/* The same over another table (see base/embed.h), which is borrowed; for tests. */
struct template_set *template_set_open_over(const struct rd_embedded *table, const char *dir,
                                            struct rd_err **reterr);
void template_set_free(struct template_set *s);
/* All names, sorted, ended by NULL; borrowed. */
const char *const *template_all(const struct template_set *s);
/* "embedded" or the path of the shadowing file; NULL if there is no such template. Borrowed. */
const char *template_origin(const struct template_set *s, const char *name);
/* Text of a file that is not YAML (the test job); borrowed, NUL-terminated; NULL: absent. */
const char *template_text(const struct template_set *s, const char *name, size_t *ret_len);

/* Parses `name` ("workloads/namespace.yaml"), replaces, and adds the documents to out.
 * Unknown placeholder or missing value: RD_ERR_INPUT with file and line. */
bool template_render(const struct template_set *s, const char *name,
                     const struct template_values *v, struct manifest_list *out,
                     struct rd_err **reterr) RD_MUST_CHECK;
/* Same for a template that is one tree and no Kubernetes object (a pod spec, a worker group, a list
 * of rules), to be the value of a placeholder elsewhere. Owned. */
json_t *template_fragment(const struct template_set *s, const char *name,
                          const struct template_values *v, struct rd_err **reterr);
/* The placeholder names a template uses, for the table test and for `plan`. */
bool template_names(const struct template_set *s, const char *name, struct rd_strv *ret,
                    struct rd_err **reterr) RD_MUST_CHECK;

#endif
