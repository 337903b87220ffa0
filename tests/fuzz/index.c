/* A chart index, and the resolving of references: the first line is a reference, the rest the
 * index. */
#include "fuzz.h"

#include "base/alloc.h"
#include "manifest/chart.h"
#include "manifest/url.h"

#include <stdlib.h>
#include <string.h>

static void check_url(const char *url)
{
    RD_ASSERT(strncasecmp(url, "http", 4) == 0);
    RD_ASSERT(strstr(url, "://"));
    RD_ASSERT(!strpbrk(url, " \r\n\t"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 14)
        return 0;
    const uint8_t *newline = memchr(data, '\n', size);
    size_t first = newline ? (size_t)(newline - data) : size;
    RD_AUTOFREE char *ref = rd_strndup((const char *)data, first);
    RD_AUTOFREE char *got = url_resolve("https://h.org:8443/charts/index.yaml?a=b", ref);
    if (got)
        check_url(got);
    RD_AUTOFREE char *based = url_resolve(ref, "../demo.tgz"); /* the index may be anywhere */
    if (based)
        check_url(based);
    if (!newline)
        return 0;
    RD_AUTOFREE char *url = NULL;
    RD_AUTOFREE char *digest = NULL;
    RD_AUTOERR struct rd_err *err = NULL;
    if (chart_index_find((const char *)newline + 1, size - first - 1, "https://h.org/index.yaml",
                         "demo", "1.7.0", &url, &digest, &err)) {
        check_url(url);
        RD_ASSERT(!digest || strlen(digest) == 64);
    } else {
        RD_ASSERT(err->kind == RD_ERR_INPUT);
    }
    return 0;
}
