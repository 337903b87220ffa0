/* The inside of a set of templates. */
#ifndef RD_MANIFEST_TEMPLATE_SET_H
#define RD_MANIFEST_TEMPLATE_SET_H

#include "manifest/template.h"

struct template_file {
    const char *name; /* borrowed from the table */
    const char *text; /* borrowed from the table or from owned */
    size_t len;
    char *owned;
    char *path; /* owned; NULL: embedded */
};

struct template_set {
    struct template_file *files; /* owned; sorted by name */
    const char **names;          /* owned; ended by NULL */
    size_t len;
};

const struct template_file *template_file(const struct template_set *s, const char *name);

#endif
