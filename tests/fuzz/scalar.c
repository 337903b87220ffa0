/* One scalar through both resolutions: a text that strict mode takes means the same in foreign
 * mode. */
#include "fuzz.h"

#include "base/alloc.h"
#include "manifest/resolve.h"

#include <stdlib.h>
#include <string.h>

static const char *const tags[] = {
    NULL,
    "tag:yaml.org,2002:str",
    "tag:yaml.org,2002:int",
    "tag:yaml.org,2002:float",
    "tag:yaml.org,2002:bool",
    "tag:yaml.org,2002:null",
    "tag:yaml.org,2002:binary",
    "tag:yaml.org,2002:timestamp",
    "!custom",
};

static void use(const struct scalar *s)
{
    RD_ASSERT(s->type < SCALAR_TYPE_MAX);
    RD_AUTOJSON json_t *v = scalar_to_json(s);
    RD_ASSERT(v || s->type == SCALAR_FLOAT || s->type == SCALAR_STRING);
    size_t len = 0;
    RD_AUTOFREE char *key = scalar_to_key(s, &len);
    RD_ASSERT(!key || key[len] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t len = size - 1;
    RD_AUTOFREE char *text = rd_malloc(len + 1);
    memcpy(text, data + 1, len);
    text[len] = '\0';
    struct scalar foreign;
    const char *tag = tags[data[0] % RD_ARRAY_LEN(tags)];
    if (!scalar_resolve_foreign(&foreign, text, len, tag, data[0] & 0x80)) {
        use(&foreign);
        scalar_clear(&foreign);
    }
    struct scalar strict;
    if (memchr(text, '\0', len) || scalar_resolve_strict(&strict, text, len, true))
        return 0;
    use(&strict);
    const char *problem = scalar_resolve_foreign(&foreign, text, len, NULL, true);
    RD_ASSERT(!problem);
    RD_ASSERT(foreign.type == strict.type);
    RD_AUTOJSON json_t *a = scalar_to_json(&strict);
    RD_AUTOJSON json_t *b = scalar_to_json(&foreign);
    RD_ASSERT(!a == !b); /* both refuse bytes that are no text */
    RD_ASSERT(!a || json_equal(a, b));
    return 0;
}
