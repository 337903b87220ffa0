/* Goal: whichever system call of rd_file_write_atomic fails, and however, the file holds the old text or the
 * new one, whole; nothing is left beside it; and what is said names the file and the cause. The calls are this
 * program's own: a function of the executable stands before the library's. */
#include "base/file.h"

#include "base/alloc.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

enum { SHORT_WRITE = -1 };

static struct {
    bool on;
    unsigned count, fail_at; /* calls so far; which one fails */
    int how;                 /* an errno, or SHORT_WRITE */
    bool struck;
} faults;

/* Is it this call's turn? Only what can be interrupted is, and only writes are short. */
static bool strikes(bool interruptible)
{
    if (!faults.on || faults.how == SHORT_WRITE || ++faults.count != faults.fail_at)
        return false;
    if (faults.how == EINTR && !interruptible)
        return false;
    faults.struck = true;
    errno = faults.how;
    return true;
}

int mkostemp(char *name, int flags)
{
    int (*real)(char *, int);
    if (strikes(false))
        return -1;
    *(void **)&real = dlsym(RTLD_NEXT, "mkostemp");
    return real(name, flags);
}

int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int mode = flags & O_CREAT ? va_arg(ap, int) : 0;
    va_end(ap);
    return strikes(true) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t write(int fd, const void *data, size_t len)
{
    if (faults.on && faults.how == SHORT_WRITE && ++faults.count == faults.fail_at) {
        faults.struck = true;
        return syscall(SYS_write, fd, data, (len + 1) / 2);
    }
    if (strikes(true))
        return -1;
    return syscall(SYS_write, fd, data, len);
}

int fsync(int fd)
{
    return strikes(true) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fchmod(int fd, mode_t mode)
{
    return strikes(false) ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int rename(const char *from, const char *to)
{
    if (strikes(false))
        return -1;
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static void must_hold(const char *path, const char *one, const char *other)
{
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(4096);
    struct rd_err *err = NULL;
    assert_true(rd_file_read(path, 4096, &text, &err));
    if (strcmp(rd_buf_str(&text), one) != 0 && (!other || strcmp(rd_buf_str(&text), other) != 0))
        fail_msg("call %u: it holds '%s'", faults.fail_at, rd_buf_str(&text));
}

static unsigned files_in(const char *dir)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* Fails the first, the second, ... call until a pass in which none was left to fail. */
static unsigned every_call(int how)
{
    static const char old[] = "what was there\n", new[] = "what shall be there, which is longer\n";
    char dir[] = "/tmp/rd-file-fail-XXXXXX";
    assert_non_null(mkdtemp(dir));
    RD_AUTOFREE char *path = rd_asprintf("%s/file", dir);
    unsigned n = 0;
    do {
        struct rd_err *err = NULL;
        faults.on = false;
        assert_true(rd_file_write_atomic(path, old, strlen(old), 0600, &err));
        faults.on = true;
        faults.count = 0;
        faults.fail_at = ++n;
        faults.how = how;
        faults.struck = false;
        bool well = rd_file_write_atomic(path, new, strlen(new), 0600, &err);
        faults.on = false;
        assert_int_equal(files_in(dir), 1);
        if (well) {
            assert_null(err);
            must_hold(path, new, NULL);
        } else {
            assert_true(faults.struck);
            assert_true(how > 0 && how != EINTR);
            must_hold(path, old, new); /* new: only the folder's sync failed */
            assert_non_null(strstr(err->message, dir));
            assert_non_null(strstr(err->message, strerror(how)));
            rd_err_free(err);
        }
    } while (faults.struck || (how == EINTR && n < 16));
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
    return n - 1;
}

static void test_each_call_fails(void **state)
{
    (void)state;
    static const int errors[] = {ENOSPC, EIO, EDQUOT, EROFS, EMFILE};
    for (size_t i = 0; i < RD_ARRAY_LEN(errors); i++)
        /* create, write, mode, sync, rename, open the folder, sync it */
        assert_int_equal(every_call(errors[i]), 7);
}

static void test_interruptions_do_no_harm(void **state)
{
    (void)state;
    every_call(EINTR);
}

static void test_short_writes_are_gone_on_with(void **state)
{
    (void)state;
    every_call(SHORT_WRITE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_fails),
        cmocka_unit_test(test_interruptions_do_no_harm),
        cmocka_unit_test(test_short_writes_are_gone_on_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
