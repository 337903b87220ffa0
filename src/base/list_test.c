#include "base/test.h"

#include "base/list.h"

struct item {
    int number;
    struct rd_list link;
};

static void check_order(const char *row, const struct rd_list *head, const char *want)
{
    RD_AUTOBUF struct rd_buf got = RD_BUF_INIT(256);
    rd_list_foreach (it, head)
        rd_buf_printf(&got, "%d", container_of(it, struct item, link)->number);
    rd_check_str(row, rd_buf_str(&got), want);
    rd_buf_reset(&got);
    for (const struct rd_list *it = head->prev; it != head; it = it->prev)
        rd_buf_printf(&got, "%d", container_of(it, struct item, link)->number);
    for (size_t i = 0; i < got.len / 2; i++) {
        char c = got.data[i];
        got.data[i] = got.data[got.len - 1 - i];
        got.data[got.len - 1 - i] = c;
    }
    rd_check_str("backwards", rd_buf_str(&got), want);
}

/* Removing twice is allowed, and a removed node can be put into a list again. */
static void append_and_remove(void **state)
{
    (void)state;
    struct rd_list head;
    struct item items[4];
    rd_list_init(&head);
    assert_true(rd_list_empty(&head));
    for (int i = 0; i < 4; i++) {
        items[i].number = i;
        rd_list_init(&items[i].link);
        rd_list_append(&head, &items[i].link);
    }
    assert_false(rd_list_empty(&head));
    check_order("appended", &head, "0123");
    rd_list_remove(&items[1].link);
    rd_list_remove(&items[1].link);
    assert_true(rd_list_empty(&items[1].link));
    check_order("middle removed", &head, "023");
    rd_list_remove(&items[0].link);
    rd_list_remove(&items[3].link);
    check_order("ends removed", &head, "2");
    rd_list_append(&head, &items[1].link);
    check_order("put back", &head, "21");
    rd_list_remove(&items[2].link);
    rd_list_remove(&items[1].link);
    assert_true(rd_list_empty(&head));
}

static void remove_while_walking(void **state)
{
    (void)state;
    struct rd_list head;
    struct item items[5];
    rd_list_init(&head);
    for (int i = 0; i < 5; i++) {
        items[i].number = i;
        rd_list_append(&head, &items[i].link);
    }
    rd_list_foreach_safe (it, next, &head) {
        if (container_of(it, struct item, link)->number % 2 == 0)
            rd_list_remove(it);
    }
    check_order("odd ones stay", &head, "13");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_and_remove),
        cmocka_unit_test(remove_while_walking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
