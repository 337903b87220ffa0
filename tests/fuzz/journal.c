/* Lines of a journal: what is taken for a record survives being written and read again. */
#include "fuzz.h"

#include "base/alloc.h"
#include "phase/drive/journal.h"

#include <string.h>

static void take_line(const char *line, size_t len)
{
    RD_AUTOJSON json_t *record = journal_read_line(line, len);
    if (!record)
        return;
    RD_ASSERT(json_is_integer(json_object_get(record, "seq")));
    RD_ASSERT(json_is_string(json_object_get(record, "type")));
    RD_AUTOFREE char *text = journal_write_line(record);
    size_t size = strlen(text);
    RD_ASSERT(size > 0 && text[size - 1] == '\n');
    RD_AUTOJSON json_t *again = journal_read_line(text, size - 1);
    RD_ASSERT(again);
    RD_ASSERT(json_equal(record, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        take_line(at, len);
        at += len + 1;
    }
    return 0;
}
