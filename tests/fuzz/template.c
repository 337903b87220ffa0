/* A template of any text: its placeholders are collected and replaced, and no value of theirs is
 * looked into. */
#include "fuzz.h"

#include "base/alloc.h"
#include "manifest/template.h"

#include <stdlib.h>
#include <string.h>

/* Stands where a value is used; never a name, so it may not be replaced again. */
#define MARK "${name}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 14)
        return 0;
    RD_AUTOFREE unsigned char *text = rd_malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    const struct rd_embedded table[] = {{"t.yaml", text, size}, {NULL, NULL, 0}};
    RD_AUTOERR struct rd_err *err = NULL;
    struct template_set *set = template_set_open_over(table, NULL, &err);
    RD_ASSERT(set);
    struct template_values values;
    template_values_init(&values);
    bool ok = template_set(&values, "labels", rd_json_pack("{s:s}", MARK, MARK), &err) &&
              template_set_str(&values, "ray_version", MARK, &err) &&
              template_set(&values, "group_max", json_integer(7), &err);
    RD_ASSERT(ok);
    struct rd_strv names = {0};
    bool sound = template_names(set, "t.yaml", &names, &err);
    rd_err_freep(&err);
    struct manifest_list list = {0};
    ok = template_render(set, "t.yaml", &values, &list, &err);
    RD_ASSERT(!ok || sound);
    RD_ASSERT(ok || err->kind == RD_ERR_INPUT);
    rd_err_freep(&err);
    RD_AUTOJSON json_t *part = template_fragment(set, "t.yaml", &values, &err);
    RD_ASSERT(!part || sound);
    rd_strv_clear(&names);
    manifest_list_clear(&list);
    template_values_clear(&values);
    template_set_free(set);
    return 0;
}
