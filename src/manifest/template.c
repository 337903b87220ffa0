#include "manifest/template.h"

#include "base/alloc.h"
#include "base/file.h"
#include "manifest/inside.h"
#include "manifest/template_set.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Of one file that shadows a template. */
#define TEMPLATE_MAX ((size_t)1 << 20)

extern const struct rd_embedded rd_embedded_templates[];

const struct template_file *template_file(const struct template_set *s, const char *name)
{
    for (size_t i = 0; i < s->len; i++) {
        if (strcmp(s->files[i].name, name) == 0)
            return &s->files[i];
    }
    return NULL;
}

static const char *nearest(const struct template_set *s, const char *name)
{
    return rd_text_nearest(name, s->names);
}

static bool is_folder_of_templates(const struct template_set *s, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < s->len; i++) {
        if (strncmp(s->files[i].name, name, len) == 0 && s->files[i].name[len] == '/')
            return true;
    }
    return false;
}

static bool fail_unknown(const struct template_set *s, const char *path, const char *name,
                         struct rd_err **reterr)
{
    const char *near = nearest(s, name);
    if (near)
        return rd_fail(reterr, RD_ERR_INPUT, "%s shadows no template (is it %s?)", path, near);
    rd_fail(reterr, RD_ERR_INPUT, "%s shadows no template", path);
    rd_err_hint(*reterr, "Run 'raydeploy plan' to see the names of all templates.");
    return false;
}

/* `name` is the path below dir. */
static bool shadow(struct template_set *s, const char *dir, const char *path, const char *name,
                   struct rd_err **reterr)
{
    struct template_file *f = (struct template_file *)template_file(s, name);
    if (!f)
        return fail_unknown(s, path, name, reterr);
    struct stat st;
    if (!manifest_stays_inside(dir, path, reterr))
        return false;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return rd_fail(reterr, RD_ERR_INPUT, "%s is not a regular file", path);
    struct rd_buf text = RD_BUF_INIT(TEMPLATE_MAX);
    if (!rd_file_read(path, TEMPLATE_MAX, &text, reterr)) {
        rd_buf_clear(&text);
        return false;
    }
    free(f->owned);
    f->owned = rd_buf_take(&text, &f->len);
    f->text = f->owned;
    rd_str_dup(&f->path, path);
    return true;
}

/* Goes into a folder only if templates have one of that name, which bounds the depth. */
static bool shadow_folder(struct template_set *s, const char *dir, const char *below,
                          struct rd_err **reterr)
{
    RD_AUTOFREE char *here = *below ? rd_path_join(dir, below) : rd_strdup(dir);
    DIR *d = opendir(here);
    if (!d)
        return rd_fail(reterr, RD_ERR_INPUT, "cannot read template folder %s: %s", here,
                       strerror(errno));
    bool ok = true;
    for (struct dirent *e; ok && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        RD_AUTOFREE char *path = rd_path_join(here, e->d_name);
        RD_AUTOFREE char *name = *below ? rd_path_join(below, e->d_name) : rd_strdup(e->d_name);
        struct stat st;
        bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
        if (!folder)
            ok = shadow(s, dir, path, name, reterr);
        else if (!is_folder_of_templates(s, name))
            ok = fail_unknown(s, path, name, reterr);
        else
            ok = manifest_stays_inside(dir, path, reterr) && shadow_folder(s, dir, name, reterr);
    }
    closedir(d);
    return ok;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct template_file *)a)->name, ((const struct template_file *)b)->name);
}

struct template_set *template_set_open_over(const struct rd_embedded *table, const char *dir,
                                            struct rd_err **reterr)
{
    struct template_set *s = rd_calloc(1, sizeof(*s));
    while (table[s->len].name)
        s->len++;
    s->files = rd_calloc(s->len + 1, sizeof(*s->files));
    s->names = rd_calloc(s->len + 1, sizeof(*s->names));
    for (size_t i = 0; i < s->len; i++)
        s->files[i] = (struct template_file){
            .name = table[i].name, .text = (const char *)table[i].data, .len = table[i].len};
    qsort(s->files, s->len, sizeof(*s->files), by_name);
    for (size_t i = 0; i < s->len; i++)
        s->names[i] = s->files[i].name;
    if (dir && !shadow_folder(s, dir, "", reterr)) {
        template_set_free(s);
        return NULL;
    }
    return s;
}

struct template_set *template_set_open(const char *dir, struct rd_err **reterr)
{
    return template_set_open_over(rd_embedded_templates, dir, reterr);
}

void template_set_free(struct template_set *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->len; i++) {
        free(s->files[i].owned);
        free(s->files[i].path);
    }
    free(s->files);
    free(s->names);
    free(s);
}

const char *const *template_all(const struct template_set *s)
{
    return s->names;
}

const char *template_origin(const struct template_set *s, const char *name)
{
    const struct template_file *f = template_file(s, name);
    if (!f)
        return NULL;
    return f->path ? f->path : "embedded";
}

const char *template_text(const struct template_set *s, const char *name, size_t *ret_len)
{
    const struct template_file *f = template_file(s, name);
    if (!f)
        return NULL;
    if (ret_len)
        *ret_len = f->len;
    return f->text;
}
