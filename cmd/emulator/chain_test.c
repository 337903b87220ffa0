#include "chain.h"

#include "base/alloc.h"
#include "base/test.h"

#include <stdio.h>

static void check(const struct emu *e, const char *row, const char *want)
{
    json_t *longest = emu_chain_longest(e);
    RD_AUTOFREE char *text = rd_json_dump(longest);
    rd_check_str(row, text, want);
    json_decref(longest);
}

static void test_chain(void **state)
{
    (void)state;
    struct emu e = {0};
    emu_store_init(&e.store);
    check(&e, "nothing", "{\"ms\":0,\"steps\":[]}");
    static const char *const none[] = {NULL};
    emu_chain_add(&e, "services", 10, none);
    emu_store_put(&e.store, "n", "projects/p/net", json_object());
    emu_chain_add_resource(&e, "projects/p/net", 20);
    emu_store_put(&e.store, "c", "projects/p/cluster",
                  rd_json_pack("{s:{s:s}}", "config", "network", "https://x/projects/p/net"));
    emu_chain_add_resource(&e, "projects/p/cluster", 300);
    emu_chain_add_resource(&e, "projects/p/cluster/pools/a", 100);
    /* As long as the cluster, but beside it. */
    emu_store_put(&e.store, "f", "projects/p/share",
                  rd_json_pack("{s:s}", "network", "projects/p/net"));
    emu_chain_add_resource(&e, "projects/p/share", 350);
    check(&e, "the longest",
          "{\"ms\":430,\"steps\":[{\"ms\":10,\"name\":\"services\"},"
          "{\"ms\":20,\"name\":\"projects/p/net\"},{\"ms\":300,\"name\":\"projects/p/cluster\"},"
          "{\"ms\":100,\"name\":\"projects/p/cluster/pools/a\"}]}");
    static const char *const needs[] = {"projects/p/share", "never heard of", NULL};
    emu_chain_add(&e, "volume", 60, needs);
    check(&e, "another one",
          "{\"ms\":440,\"steps\":[{\"ms\":10,\"name\":\"services\"},"
          "{\"ms\":20,\"name\":\"projects/p/net\"},{\"ms\":350,\"name\":\"projects/p/share\"},"
          "{\"ms\":60,\"name\":\"volume\"}]}");
    /* A later run waits for the pool alone; the longest of all is still the first's. */
    emu_chain_begin(&e);
    emu_chain_add_resource(&e, "projects/p/cluster/pools/b", 439);
    check(&e, "a shorter run",
          "{\"ms\":440,\"steps\":[{\"ms\":10,\"name\":\"services\"},"
          "{\"ms\":20,\"name\":\"projects/p/net\"},{\"ms\":350,\"name\":\"projects/p/share\"},"
          "{\"ms\":60,\"name\":\"volume\"}]}");
    emu_chain_begin(&e);
    emu_chain_add_resource(&e, "projects/p/cluster/pools/c", 500);
    check(&e, "a longer one",
          "{\"ms\":500,\"steps\":[{\"ms\":500,\"name\":\"projects/p/cluster/pools/c\"}]}");
    json_decref(e.chain);
    json_decref(e.chain_longest);
    emu_store_clear(&e.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_chain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
