#include "phase/drive/holder.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { H_HOST, H_BOOT, H_NAMESPACE, H_PID, H_START, H_PARTS };

/* Field 22 of /proc/PID/stat, clock ticks since boot; the command in field 2 may hold anything, so
 * counting starts after its last bracket. 0: no such process. */
static unsigned long long start_ticks(long pid)
{
    RD_AUTOFREE char *path = rd_asprintf("/proc/%ld/stat", pid);
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(4096);
    RD_AUTOERR struct rd_err *ignored = NULL;
    if (!rd_path_exists(path) || !rd_file_read(path, 4096, &text, &ignored))
        return 0;
    const char *at = strrchr(rd_buf_str(&text), ')');
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoull(at + 1, NULL, 10) : 0;
}

static char *boot_id(void)
{
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(256);
    RD_AUTOERR struct rd_err *ignored = NULL;
    if (!rd_file_read("/proc/sys/kernel/random/boot_id", 256, &text, &ignored))
        return rd_strdup("unknown");
    const char *s = rd_buf_str(&text);
    return rd_strndup(s, strcspn(s, "\n"));
}

static char *pid_namespace(void)
{
    char link[64]; /* pid:[4026531836] */
    ssize_t n = readlink("/proc/self/ns/pid", link, sizeof link - 1);
    if (n <= 0)
        return rd_strdup("unknown");
    link[n] = '\0';
    size_t skip = strcspn(link, "0123456789");
    return rd_strndup(link + skip, strspn(link + skip, "0123456789"));
}

static char *host_name(void)
{
    char name[256];
    if (gethostname(name, sizeof name) != 0)
        return rd_strdup("unknown");
    name[sizeof name - 1] = '\0';
    return rd_strdup(name);
}

char *holder_identity(void)
{
    RD_AUTOFREE char *host = host_name(), *boot = boot_id(), *space = pid_namespace();
    long pid = (long)getpid();
    return rd_asprintf("%s/%s/%s/%ld/%llu", host, boot, space, pid, start_ticks(pid));
}

char *holder_describe(void)
{
    RD_AUTOFREE char *host = host_name();
    char now[32];
    rd_rfc3339_ms(rd_wall_ms(), now);
    return rd_asprintf("pid %ld on %s, since %s", (long)getpid(), host, now);
}

static bool split(const char *identity, struct rd_strv *parts)
{
    rd_strv_split(parts, identity, "/");
    return parts->len == H_PARTS;
}

bool holder_is_dead(const char *identity)
{
    struct rd_strv theirs = {0}, ours = {0};
    RD_AUTOFREE char *self = holder_identity();
    bool dead = false;
    if (split(identity, &theirs) && split(self, &ours) &&
        rd_streq(theirs.v[H_HOST], ours.v[H_HOST]) && rd_streq(theirs.v[H_BOOT], ours.v[H_BOOT]) &&
        rd_streq(theirs.v[H_NAMESPACE], ours.v[H_NAMESPACE]) &&
        !rd_streq(theirs.v[H_BOOT], "unknown") && !rd_streq(theirs.v[H_NAMESPACE], "unknown")) {
        long pid = strtol(theirs.v[H_PID], NULL, 10);
        unsigned long long start = pid > 0 ? start_ticks(pid) : 0;
        if (start > 0)
            dead = start != strtoull(theirs.v[H_START], NULL, 10);
        else /* /proc may hide what others run */
            dead = pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
    }
    rd_strv_clear(&theirs);
    rd_strv_clear(&ours);
    return dead;
}

char *holder_person(const char *identity)
{
    struct rd_strv parts = {0};
    char *text = split(identity, &parts)
                     ? rd_asprintf("%s (pid %s)", parts.v[H_HOST], parts.v[H_PID])
                     : rd_strdup(identity);
    rd_strv_clear(&parts);
    return text;
}
