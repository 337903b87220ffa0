/* Runs a fuzz target over files without libFuzzer: replay N FOLDER..., each file as it is, cut at
 * some lengths, and N times with a few bytes changed by a fixed seed. */
#include "fuzz.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 20)

static uint64_t next_random(uint64_t *seed)
{
    /* splitmix64 */
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* An exact allocation, so that a sanitizer sees the first byte behind the end. */
static void run(const char *data, size_t len)
{
    uint8_t *copy = rd_malloc(len ? len : 1);
    memcpy(copy, data, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void change(char *data, size_t len, uint64_t *seed)
{
    static const char spice[] = "\0\n\t -:{}[]\"'#&*!|>%@$?,\\<0159eExybtnT~.+_\xff\x80\xc3\xa9";
    for (unsigned n = 1 + next_random(seed) % 4; n > 0; n--) {
        size_t at = next_random(seed) % len;
        if (next_random(seed) % 4 == 0)
            data[at] ^= (char)(1 << next_random(seed) % 8);
        else
            data[at] = spice[next_random(seed) % (sizeof(spice) - 1)];
    }
}

static unsigned replay(const char *path, unsigned rounds)
{
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(FILE_MAX);
    RD_AUTOERR struct rd_err *err = NULL;
    if (!rd_file_read(path, FILE_MAX, &text, &err)) {
        fprintf(stderr, "%s\n", err->message);
        exit(1);
    }
    unsigned runs = 1;
    run(rd_buf_str(&text), text.len);
    size_t step = text.len / 64 + 1;
    for (size_t cut = 0; cut < text.len; cut += step, runs++)
        run(text.data, cut);
    uint64_t seed = text.len;
    RD_AUTOFREE char *copy = rd_malloc(text.len + 1);
    for (unsigned i = 0; i < rounds && text.len > 0; i++, runs++) {
        memcpy(copy, text.data, text.len);
        change(copy, text.len, &seed);
        run(copy, text.len);
    }
    return runs;
}

int main(int argc, char **argv)
{
    rd_alloc_init();
    if (argc < 3) {
        fprintf(stderr, "usage: %s ROUNDS FOLDER...\n", argv[0]);
        return 2;
    }
    unsigned rounds = (unsigned)strtoul(argv[1], NULL, 10);
    unsigned files = 0;
    unsigned runs = 0;
    for (int i = 2; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        if (!dir) {
            perror(argv[i]);
            return 1;
        }
        for (struct dirent *e; (e = readdir(dir));) {
            if (e->d_name[0] == '.')
                continue;
            RD_AUTOFREE char *path = rd_path_join(argv[i], e->d_name);
            files++;
            runs += replay(path, rounds);
        }
        closedir(dir);
    }
    printf("%u files, %u runs\n", files, runs);
    return files > 0 ? 0 : 1;
}
