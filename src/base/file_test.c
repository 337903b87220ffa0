#include "base/test.h"

#include "base/alloc.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel may do less than asked, or be interrupted. These stand before libc's in this program:
 * at most `most` bytes at a time when it is not 0, and every other call is interrupted. */
static struct {
    size_t most;
    unsigned calls;
} slow;

static bool slow_interrupts(size_t *len)
{
    if (slow.most == 0)
        return false;
    if (*len > slow.most)
        *len = slow.most;
    errno = EINTR;
    return slow.calls++ % 2 == 0;
}

ssize_t write(int fd, const void *data, size_t len)
{
    return slow_interrupts(&len) ? -1 : syscall(SYS_write, fd, data, len);
}

ssize_t read(int fd, void *data, size_t len)
{
    return slow_interrupts(&len) ? -1 : syscall(SYS_read, fd, data, len);
}

/* Root may do anything, and then nothing is read-only: work as someone else. */
#define NOBODY 65534

struct place {
    uid_t uid;
    char *dir;
};

static int enter(void **state)
{
    struct place *p = rd_calloc(1, sizeof(*p));
    p->uid = geteuid();
    if (p->uid == 0 && seteuid(NOBODY) != 0)
        print_message("cannot leave root, so tests of permissions are skipped\n");
    const char *base = getenv("TMPDIR");
    p->dir = rd_path_join(base == NULL ? "/tmp" : base, "raydeploy-file-XXXXXX");
    if (mkdtemp(p->dir) == NULL)
        return -1;
    *state = p;
    return 0;
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    if (d == NULL) {
        unlink(path);
        return;
    }
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (rd_streq(e->d_name, ".") || rd_streq(e->d_name, ".."))
            continue;
        RD_AUTOFREE char *child = rd_path_join(path, e->d_name);
        struct stat st;
        if (lstat(child, &st) == 0 && S_ISDIR(st.st_mode))
            remove_tree(child);
        else
            unlink(child);
    }
    closedir(d);
    rmdir(path);
}

static int leave(void **state)
{
    struct place *p = *state;
    int failed = seteuid(p->uid);
    remove_tree(p->dir);
    free(p->dir);
    free(p);
    return failed;
}

static char *in(void **state, const char *name)
{
    const struct place *p = *state;
    return rd_path_join(p->dir, name);
}

static int entries(void **state, const char *name)
{
    RD_AUTOFREE char *path = in(state, name);
    DIR *d = opendir(path);
    assert_non_null(d);
    int n = 0;
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2;
}

static void write_file(const char *path, const char *text)
{
    struct rd_err *err = NULL;
    if (!rd_file_write_atomic(path, text, strlen(text), 0600, &err))
        fail_msg("%s", err->message);
}

static void check_content(const char *row, const char *path, const char *want)
{
    struct rd_err *err = NULL;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(1 << 20);
    if (!rd_file_read(path, 1 << 20, &b, &err))
        fail_msg("%s: %s", row, err->message);
    rd_check_str(row, rd_buf_str(&b), want);
}

static void read_limits(void **state)
{
    RD_AUTOFREE char *path = in(state, "five");
    write_file(path, "12345");
    struct rd_err *err = NULL;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(100);
    rd_buf_puts(&b, "head ");
    assert_true(rd_file_read(path, 5, &b, &err));
    rd_check_str("appended", rd_buf_str(&b), "head 12345");
    assert_false(rd_file_read(path, 4, &b, &err));
    rd_check_str("untouched", rd_buf_str(&b), "head 12345");
    rd_check_err("over the limit", &err, RD_ERR_INPUT, "too large: more than 4 bytes");
    RD_AUTOBUF struct rd_buf tight = RD_BUF_INIT(7);
    rd_buf_puts(&tight, "abc");
    assert_false(rd_file_read(path, 100, &tight, &err));
    rd_check_str("tight buffer untouched", rd_buf_str(&tight), "abc");
    rd_check_int("its flag too", tight.overflow, false);
    rd_check_err("over the buffer", &err, RD_ERR_INPUT, "too large");
    RD_AUTOFREE char *empty = in(state, "empty");
    write_file(empty, "");
    check_content("empty file", empty, "");
}

static void read_large(void **state)
{
    RD_AUTOFREE char *path = in(state, "large");
    RD_AUTOBUF struct rd_buf want = RD_BUF_INIT(1 << 20), got = RD_BUF_INIT(1 << 20);
    for (int i = 0; want.len < 300000; i++)
        rd_buf_printf(&want, "%d,", i);
    struct rd_err *err = NULL;
    assert_true(rd_file_write_atomic(path, want.data, want.len, 0600, &err));
    assert_true(rd_file_read(path, 1 << 20, &got, &err));
    rd_check_int("length", (long long)got.len, (long long)want.len);
    assert_memory_equal(got.data, want.data, want.len);
}

static void small_pieces(void **state)
{
    RD_AUTOFREE char *path = in(state, "slow");
    struct rd_err *err = NULL;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(100);
    rd_buf_puts(&b, "head ");
    slow.calls = 0;
    slow.most = 3;
    bool wrote = rd_file_write_atomic(path, "0123456789", 10, 0600, &err);
    unsigned writes = slow.calls;
    bool read = wrote && rd_file_read(path, 10, &b, &err);
    slow.most = 0;
    rd_check_int("four writes, each interrupted once", writes, 8);
    if (!read)
        fail_msg("%s", err->message);
    rd_check_str("came back", rd_buf_str(&b), "head 0123456789");
    slow.most = 3;
    read = rd_file_read(path, 9, &b, &err);
    slow.most = 0;
    assert_false(read);
    rd_check_str("what was read before the limit is gone", rd_buf_str(&b), "head 0123456789");
    rd_check_int("its length too", (long long)b.len, 15);
    rd_check_err("over the limit", &err, RD_ERR_INPUT, "more than 9 bytes");
}

static void read_errors(void **state)
{
    struct rd_err *err = NULL;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(100);
    RD_AUTOFREE char *missing = in(state, "missing");
    assert_false(rd_file_read(missing, 10, &b, &err));
    assert_non_null(strstr(err->message, missing));
    rd_check_err("missing", &err, RD_ERR_INPUT, "No such file");
    RD_AUTOFREE char *dir = in(state, "dir");
    assert_true(rd_dir_make(dir, &err));
    assert_false(rd_file_read(dir, 10, &b, &err));
    assert_non_null(strstr(err->message, dir));
    rd_check_err("directory", &err, RD_ERR_INPUT, "Is a directory");
    RD_AUTOFREE char *below = in(state, "file/below");
    RD_AUTOFREE char *file = in(state, "file");
    write_file(file, "x");
    assert_false(rd_file_read(below, 10, &b, &err));
    rd_check_err("below a file", &err, RD_ERR_INPUT, "Not a directory");
    assert_false(rd_file_read("", 10, &b, &err));
    rd_check_err("no name", &err, RD_ERR_INPUT, "No such file");
    if (geteuid() == 0)
        skip();
    assert_int_equal(chmod(file, 0), 0);
    assert_false(rd_file_read(file, 10, &b, &err));
    assert_non_null(strstr(err->message, file));
    rd_check_err("not allowed", &err, RD_ERR_INPUT, "Permission denied");
}

static void read_stdin(void **state)
{
    (void)state;
    int kept = dup(STDIN_FILENO);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "from a pipe", 11), 11);
    close(ends[1]);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    struct rd_err *err = NULL;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(100);
    bool ok = rd_file_read("-", 100, &b, &err);
    /* Still open afterwards: it is not ours to close. */
    bool open = fcntl(STDIN_FILENO, F_GETFD) != -1;
    if (kept >= 0) {
        dup2(kept, STDIN_FILENO);
        close(kept);
    }
    assert_true(ok);
    assert_true(open);
    rd_check_str("stdin", rd_buf_str(&b), "from a pipe");
}

/* Waiting for a pipe is over at once where nobody is going to write. */
static bool poll_runs_out;

int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    if (poll_runs_out)
        return 0;
    struct timespec limit = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
    return (int)syscall(SYS_ppoll, fds, n, timeout_ms < 0 ? NULL : &limit, NULL, 0);
}

static void read_named_pipe(void **state)
{
    RD_AUTOFREE char *path = in(state, "pipe");
    struct rd_err *err = NULL;
    RD_AUTOBUF struct rd_buf b = RD_BUF_INIT(100);
    assert_int_equal(mkfifo(path, 0600), 0);
    poll_runs_out = true;
    assert_false(rd_file_read(path, 100, &b, &err));
    poll_runs_out = false;
    assert_non_null(strstr(err->message, path));
    rd_check_err("no writer", &err, RD_ERR_INPUT, "nothing came");

    pid_t writer = fork();
    if (writer == 0) {
        int fd = open(path, O_WRONLY);
        bool ok = write(fd, "first, ", 7) == 7;
        usleep(20 * 1000); /* the reader finds it empty */
        ok = ok && write(fd, "second", 6) == 6;
        _exit(ok ? 0 : 1);
    }
    int status;
    bool ok = rd_file_read(path, 100, &b, &err);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    assert_true(ok);
    rd_check_str("both parts", rd_buf_str(&b), "first, second");
}

static void write_replaces(void **state)
{
    RD_AUTOFREE char *dir = in(state, "w");
    RD_AUTOFREE char *path = in(state, "w/state");
    struct rd_err *err = NULL;
    assert_true(rd_dir_make(dir, &err));
    struct stat st;
    write_file(path, "one");
    write_file(path, "two, longer");
    check_content("replaced", path, "two, longer");
    assert_int_equal(stat(path, &st), 0);
    rd_check_int("mode", st.st_mode & 07777, 0600);
    mode_t mask = umask(077);
    bool ok = rd_file_write_atomic(path, "x", 1, 0644, &err);
    umask(mask);
    assert_true(ok);
    assert_int_equal(stat(path, &st), 0);
    rd_check_int("mode whatever the umask", st.st_mode & 07777, 0644);
    assert_true(rd_file_write_atomic(path, NULL, 0, 0600, &err));
    check_content("emptied", path, "");
    rd_check_int("nothing else is left", entries(state, "w"), 1);
}

static void write_errors(void **state)
{
    struct rd_err *err = NULL;
    RD_AUTOFREE char *no_dir = in(state, "none/file");
    assert_false(rd_file_write_atomic(no_dir, "x", 1, 0600, &err));
    assert_non_null(strstr(err->message, no_dir));
    rd_check_err("missing folder", &err, RD_ERR_INPUT, "No such file");
    RD_AUTOFREE char *full = in(state, "d/sub/x");
    RD_AUTOFREE char *sub = in(state, "d/sub");
    assert_true(rd_dir_make(sub, &err));
    write_file(full, "x");
    assert_false(rd_file_write_atomic(sub, "x", 1, 0600, &err));
    rd_check_err("a folder is in the way", &err, RD_ERR_INPUT, "cannot replace file");
    rd_check_int("no temporary file left", entries(state, "d"), 1);
    if (geteuid() == 0)
        skip();
    assert_int_equal(chmod(sub, 0500), 0);
    assert_false(rd_file_write_atomic(full, "y", 1, 0600, &err));
    assert_int_equal(chmod(sub, 0700), 0);
    rd_check_err("read-only folder", &err, RD_ERR_INPUT, "Permission denied");
    check_content("the old content stands", full, "x");
}

/* The disk takes a part and then no more: the old file must stand and no debris stay. */
static void write_cut_short(void **state)
{
    RD_AUTOFREE char *dir = in(state, "full");
    RD_AUTOFREE char *path = in(state, "full/state");
    struct rd_err *err = NULL;
    assert_true(rd_dir_make(dir, &err));
    write_file(path, "old");
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 1000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    RD_AUTOFREE char *big = rd_calloc(1, 5000);
    bool ok = rd_file_write_atomic(path, big, 5000, 0600, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    assert_false(ok);
    rd_check_err("too large for the disk", &err, RD_ERR_FAILED, "cannot write file");
    check_content("the old content stands", path, "old");
    rd_check_int("no temporary file left", entries(state, "full"), 1);
}

static void make_folders(void **state)
{
    struct rd_err *err = NULL;
    RD_AUTOFREE char *deep = in(state, "a//b/c/");
    RD_AUTOFREE char *a = in(state, "a");
    mode_t mask = umask(0);
    bool ok = rd_dir_make(deep, &err);
    umask(mask);
    assert_true(ok);
    assert_true(rd_path_exists(deep));
    struct stat st;
    assert_int_equal(stat(a, &st), 0);
    rd_check_int("mode", st.st_mode & 07777, 0700);
    assert_true(rd_dir_make(deep, &err));
    assert_true(rd_dir_make("/", &err));
    assert_true(rd_dir_make(".", &err));
    RD_AUTOFREE char *file = in(state, "a/file");
    RD_AUTOFREE char *below = in(state, "a/file/x/y");
    write_file(file, "x");
    assert_false(rd_dir_make(file, &err));
    rd_check_err("a file is there", &err, RD_ERR_INPUT, "Not a directory");
    assert_false(rd_dir_make(below, &err));
    rd_check_err("below a file", &err, RD_ERR_INPUT, "Not a directory");
    assert_false(rd_dir_make("", &err));
    rd_check_err("no name", &err, RD_ERR_INPUT, "cannot make folder");
    if (geteuid() == 0)
        skip();
    RD_AUTOFREE char *denied = in(state, "a/new");
    assert_int_equal(chmod(a, 0500), 0);
    ok = rd_dir_make(denied, &err);
    /* What exists below a read-only folder is fine. */
    RD_AUTOERR struct rd_err *other = NULL;
    bool existing = rd_dir_make(deep, &other);
    assert_int_equal(chmod(a, 0700), 0);
    assert_false(ok);
    assert_true(existing);
    rd_check_err("read-only", &err, RD_ERR_INPUT, "Permission denied");
}

static void join_and_dir(void **state)
{
    (void)state;
    static const struct {
        const char *dir, *name, *want;
    } joins[] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a", "/b", "/b"},
        {"", "b", "b"},    {"/", "b", "/b"},   {".", "b", "./b"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(joins); i++) {
        RD_AUTOFREE char *got = rd_path_join(joins[i].dir, joins[i].name);
        rd_check_str(joins[i].want, got, joins[i].want);
    }
    static const struct {
        const char *path, *want;
    } dirs[] = {
        {"a", "."},       {"", "."},    {"a/b", "a"},   {"a/b/", "a"}, {"a//b", "a"},
        {"/a", "/"},      {"/", "/"},   {"///", "/"},   {"//a", "/"},  {"/a/b", "/a"},
        {"a/b/c", "a/b"}, {"./a", "."}, {"../a", ".."}, {"a/", "."},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(dirs); i++) {
        RD_AUTOFREE char *got = rd_path_dir(dirs[i].path);
        rd_check_str(dirs[i].path, got, dirs[i].want);
    }
    assert_true(rd_path_exists("/"));
    assert_false(rd_path_exists("/no such thing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(read_limits, enter, leave),
        cmocka_unit_test_setup_teardown(read_large, enter, leave),
        cmocka_unit_test_setup_teardown(small_pieces, enter, leave),
        cmocka_unit_test_setup_teardown(read_errors, enter, leave),
        cmocka_unit_test_setup_teardown(read_stdin, enter, leave),
        cmocka_unit_test_setup_teardown(read_named_pipe, enter, leave),
        cmocka_unit_test_setup_teardown(write_replaces, enter, leave),
        cmocka_unit_test_setup_teardown(write_errors, enter, leave),
        cmocka_unit_test_setup_teardown(write_cut_short, enter, leave),
        cmocka_unit_test_setup_teardown(make_folders, enter, leave),
        cmocka_unit_test_setup_teardown(join_and_dir, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
