/* Goal: whatever the disk does, an acknowledged record is read back, a torn one is dropped, damage
 * is named, and nothing that could not be written down is claimed. */
#include "phase/drive/journal.h"

#include "base/alloc.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/raydeploy-journal-XXXXXX";
static unsigned dirs;

static char *fresh_dir(void)
{
    return rd_asprintf("%s/%u", dir, ++dirs);
}

static char *read_all(const char *path)
{
    struct rd_buf b = RD_BUF_INIT(1 << 20);
    struct rd_err *err = NULL;
    assert_true(rd_file_read(path, 1 << 20, &b, &err));
    return rd_buf_take(&b, NULL);
}

static void write_file(const char *path, const char *text, size_t len)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
}

static struct journal *open_locked(const char *at, struct journal_disk *disk)
{
    struct journal *j = NULL;
    struct rd_err *err = NULL;
    if (!journal_open(at, disk, &j, &err) || !journal_lock(j, false, &err))
        fail_msg("%s", err->message);
    return j;
}

static void append(struct journal *j, const char *type, int n)
{
    struct rd_err *err = NULL;
    if (!journal_append(j, type, rd_json_pack("{s:i}", "n", n), &err))
        fail_msg("%s", err->message);
}

static char *journal_of(const char *at)
{
    return rd_asprintf("%s/journal.jsonl", at);
}

static void test_what_is_appended_is_read_back(void **state)
{
    (void)state;
    RD_AUTOFREE char *at = fresh_dir();
    struct journal *j = open_locked(at, NULL);
    append(j, "intent", 1);
    append(j, "done", 2);
    journal_close(j);
    j = open_locked(at, NULL);
    assert_int_equal(json_array_size(journal_records(j)), 2);
    assert_int_equal(journal_next_seq(j), 3);
    assert_string_equal(rd_json_path_str(json_array_get(journal_records(j), 1), "type"), "done");
    append(j, "end", 3);
    assert_int_equal(json_array_size(journal_records(j)), 3);
    journal_close(j);
    struct stat st;
    RD_AUTOFREE char *path = journal_of(at);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* Cut anywhere: whole records stay, the rest is dropped, and the journal goes on. */
static void test_torn_tail_at_every_byte(void **state)
{
    (void)state;
    RD_AUTOFREE char *first = fresh_dir();
    struct journal *j = open_locked(first, NULL);
    append(j, "intent", 1);
    append(j, "done", 2);
    journal_close(j);
    RD_AUTOFREE char *from = journal_of(first);
    RD_AUTOFREE char *text = read_all(from);
    size_t len = strlen(text), line1 = (size_t)(strchr(text, '\n') - text) + 1;
    for (size_t cut = 0; cut <= len; cut++) {
        RD_AUTOFREE char *at = fresh_dir();
        assert_int_equal(mkdir(at, 0700), 0);
        RD_AUTOFREE char *path = journal_of(at);
        write_file(path, text, cut);
        j = open_locked(at, NULL);
        size_t expect = cut == len ? 2 : cut >= line1 ? 1 : 0;
        if (json_array_size(journal_records(j)) != expect)
            fail_msg("cut at %zu: %zu records, expected %zu", cut,
                     json_array_size(journal_records(j)), expect);
        append(j, "next", 3);
        journal_close(j);
        j = open_locked(at, NULL);
        assert_int_equal(json_array_size(journal_records(j)), expect + 1);
        journal_close(j);
    }
}

/* One bit turned in any place before the last line is found and named. */
static void test_damage_is_named_and_rebuilt(void **state)
{
    (void)state;
    RD_AUTOFREE char *first = fresh_dir();
    struct journal *j = open_locked(first, NULL);
    for (int n = 1; n <= 3; n++)
        append(j, "intent", n);
    journal_close(j);
    RD_AUTOFREE char *from = journal_of(first);
    RD_AUTOFREE char *text = read_all(from);
    size_t last_line = strlen(text) - strlen("\n");
    while (text[last_line - 1] != '\n')
        last_line--;
    for (size_t i = 0; i < last_line; i += 7) {
        RD_AUTOFREE char *at = fresh_dir();
        assert_int_equal(mkdir(at, 0700), 0);
        RD_AUTOFREE char *path = journal_of(at);
        RD_AUTOFREE char *bad = rd_strdup(text);
        bad[i] ^= 4;
        write_file(path, bad, strlen(bad));
        struct rd_err *err = NULL;
        assert_true(journal_open(at, NULL, &j, &err));
        assert_non_null(journal_damage(j));
        assert_false(journal_lock(j, false, &err));
        assert_non_null(strstr(err->message, "damaged at line"));
        assert_non_null(strstr(err->hint, "--rebuild-journal"));
        rd_err_freep(&err);
        journal_close(j);
        assert_true(journal_open(at, NULL, &j, &err));
        assert_true(journal_lock(j, true, &err));
        assert_int_equal(json_array_size(journal_records(j)), 0);
        append(j, "run", 1);
        journal_close(j);
        j = open_locked(at, NULL);
        assert_int_equal(json_array_size(journal_records(j)), 1);
        journal_close(j);
    }
}

static void test_a_missing_record_is_damage(void **state)
{
    (void)state;
    RD_AUTOFREE char *at = fresh_dir();
    struct journal *j = open_locked(at, NULL);
    for (int n = 1; n <= 3; n++)
        append(j, "intent", n);
    journal_close(j);
    RD_AUTOFREE char *path = journal_of(at);
    RD_AUTOFREE char *text = read_all(path);
    char *second = strchr(text, '\n') + 1, *third = strchr(second, '\n') + 1;
    memmove(second, third, strlen(third) + 1);
    write_file(path, text, strlen(text));
    struct rd_err *err = NULL;
    assert_true(journal_open(at, NULL, &j, &err));
    assert_non_null(journal_damage(j));
    assert_non_null(strstr(journal_damage(j)->message, "line 2"));
    journal_close(j);
}

static void test_one_run_at_a_time(void **state)
{
    (void)state;
    RD_AUTOFREE char *at = fresh_dir();
    struct journal *first = open_locked(at, NULL), *second = NULL;
    struct rd_err *err = NULL;
    assert_true(journal_open(at, NULL, &second, &err));
    assert_false(journal_lock(second, false, &err));
    assert_int_equal(err->kind, RD_ERR_LOCKED);
    RD_AUTOFREE char *pid = rd_asprintf("pid %ld", (long)getpid());
    if (strstr(err->message, pid) == NULL)
        fail_msg("'%s' does not name '%s'", err->message, pid);
    rd_err_freep(&err);
    append(first, "intent", 1);
    journal_close(first);
    assert_true(journal_lock(second, false, &err)); /* and sees what the first one wrote */
    assert_int_equal(json_array_size(journal_records(second)), 1);
    journal_close(second);
}

/* ---- A disk that fails at its N-th call ---- */

struct bad_disk {
    struct journal_disk disk;
    unsigned calls, fail_at; /* counted over all kinds of calls */
    int error;
    bool short_write; /* the failing write puts down half of it first */
    bool failed;
};

static bool fails(struct journal_disk *d)
{
    struct bad_disk *b = container_of(d, struct bad_disk, disk);
    if (++b->calls != b->fail_at)
        return false;
    b->failed = true;
    errno = b->error;
    return true;
}

static int bad_open(struct journal_disk *d, const char *path, int flags, mode_t mode)
{
    return fails(d) ? -1 : open(path, flags, mode);
}

static ssize_t bad_write(struct journal_disk *d, int fd, const void *data, size_t len)
{
    struct bad_disk *b = container_of(d, struct bad_disk, disk);
    if (!fails(d))
        return write(fd, data, len);
    if (!b->short_write)
        return -1;
    b->fail_at = b->calls + 1; /* the next one, too */
    return write(fd, data, len / 2);
}

static int bad_fsync(struct journal_disk *d, int fd)
{
    return fails(d) ? -1 : fsync(fd);
}

static int bad_ftruncate(struct journal_disk *d, int fd, off_t len)
{
    return fails(d) ? -1 : ftruncate(fd, len);
}

static int bad_rename(struct journal_disk *d, const char *from, const char *to)
{
    return fails(d) ? -1 : rename(from, to);
}

/* Appends three records, stopping at the first refusal; returns how many were acknowledged. */
static int live(const char *at, struct bad_disk *b)
{
    struct journal *j = NULL;
    struct rd_err *err = NULL;
    int acknowledged = 0;
    assert_true(journal_open(at, &b->disk, &j, &err));
    if (journal_lock(j, false, &err))
        while (acknowledged < 3 &&
               journal_append(j, "intent", rd_json_pack("{s:i}", "n", acknowledged), &err))
            acknowledged++;
    if (acknowledged < 3)
        assert_non_null(err);
    rd_err_free(err);
    journal_close(j);
    return acknowledged;
}

static void every_call_fails_once(int error, bool short_write)
{
    unsigned failed = 0;
    for (unsigned n = 1;; n++) {
        RD_AUTOFREE char *at = fresh_dir();
        struct bad_disk b = {
            .disk = {bad_open, bad_write, bad_fsync, bad_ftruncate, bad_rename},
            .fail_at = n,
            .error = error,
            .short_write = short_write,
        };
        int acknowledged = live(at, &b);
        if (!b.failed) {
            assert_int_equal(acknowledged, 3); /* the clean pass: every call has had its turn */
            break;
        }
        failed++;
        struct journal *j = open_locked(at, NULL);
        int kept = (int)json_array_size(journal_records(j));
        /* All that was acknowledged, and at most the one whose sync failed. */
        if (kept < acknowledged || kept > acknowledged + 1)
            fail_msg("call %u fails with %s: %d acknowledged, %d read back", n, strerror(error),
                     acknowledged, kept);
        append(j, "next", 9);
        journal_close(j);
    }
    assert_true(failed >= 9);
}

static void test_every_call_fails_once(void **state)
{
    (void)state;
    every_call_fails_once(ENOSPC, false);
    every_call_fails_once(EIO, false);
    every_call_fails_once(ENOSPC, true);
}

/* An interrupted or short call is simply gone on with. */
static void test_interrupted_calls_do_no_harm(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 32; n++) {
        RD_AUTOFREE char *at = fresh_dir();
        struct bad_disk b = {
            .disk = {bad_open, bad_write, bad_fsync, bad_ftruncate, bad_rename},
            .fail_at = n + 3, /* past the opens */
            .error = EINTR,
        };
        int acknowledged = live(at, &b);
        if (acknowledged != 3)
            fail_msg("call %u interrupted: %d of 3 acknowledged", n + 3, acknowledged);
    }
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    (void)state;
    RD_AUTOFREE char *cmd = rd_asprintf("rm -rf '%s'", dir);
    return system(cmd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_appended_is_read_back),
        cmocka_unit_test(test_torn_tail_at_every_byte),
        cmocka_unit_test(test_damage_is_named_and_rebuilt),
        cmocka_unit_test(test_a_missing_record_is_damage),
        cmocka_unit_test(test_one_run_at_a_time),
        cmocka_unit_test(test_every_call_fails_once),
        cmocka_unit_test(test_interrupted_calls_do_no_harm),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
