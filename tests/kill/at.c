/* Preloaded into the release binary: kills the process at the N-th moment of a kind, so that a crash
 * can be put exactly where it hurts. KILL_AT=KIND:N; without N the moments are only counted, and
 * written to the file KILL_COUNT at the end.
 *
 *   write     before the N-th write to the journal
 *   sync      the record is written, its sync has not begun
 *   synced    its sync has returned
 *   rename    before the N-th rename (kubeconfig, receipts, a journal moved aside)
 *   state     before the N-th line of --log-file that tells a change of a step's state
 *
 * The journal is known by its name, the log by what is written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind { WRITE, SYNC, SYNCED, RENAME, STATE, KINDS };
static const char *const names[KINDS] = {"write", "sync", "synced", "rename", "state"};
static long seen[KINDS];

static void moment(enum kind kind)
{
    seen[kind]++;
    const char *at = getenv("KILL_AT");
    size_t len = strlen(names[kind]);
    if (at && strncmp(at, names[kind], len) == 0 && at[len] == ':' &&
        atol(at + len + 1) == seen[kind])
        kill(getpid(), SIGKILL);
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("KILL_COUNT");
    FILE *file = path ? fopen(path, "we") : NULL;
    if (!file)
        return;
    for (int i = 0; i < KINDS; i++)
        fprintf(file, "%s %ld\n", names[i], seen[i]);
    fclose(file);
}

static bool is_journal(int fd)
{
    char link[64], target[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    return strstr(target, "journal.jsonl") != NULL;
}

ssize_t write(int fd, const void *data, size_t len)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (len > 0 && *(const char *)data == '{') {
        if (is_journal(fd))
            moment(WRITE);
        else if (memmem(data, len, "\"event\":\"step\"", 14))
            moment(STATE);
    }
    return real(fd, data, len);
}

int fsync(int fd)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    bool journal = is_journal(fd);
    if (journal)
        moment(SYNC);
    int rc = real(fd);
    if (journal)
        moment(SYNCED);
    return rc;
}

int rename(const char *from, const char *to)
{
    static int (*real)(const char *, const char *);
    if (!real)
        real = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    moment(RENAME);
    return real(from, to);
}
