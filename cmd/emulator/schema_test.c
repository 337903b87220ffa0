#include "schema.h"

#include "base/alloc.h"
#include "base/test.h"

#include <stdlib.h>

static void test_table(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body, *why; /* NULL: fine */
    } rows[] = {
        {"CtCreateClusterRequest", "{}", NULL},
        {"CtCreateClusterRequest", "{\"cluster\":{\"name\":\"a\",\"initialNodeCount\":1}}", NULL},
        {"CtCreateClusterRequest", "{\"cluster\":{\"initialNodeCount\":\"1\"}}", NULL},
        {"CtCreateClusterRequest", "{\"cluster\":{\"initialNodeCount\":1.0}}", NULL},
        {"CtCreateClusterRequest", "{\"cluster\":null}", NULL},
        {"CtCreateClusterRequest", "{\"cluster\":{\"resourceLabels\":{\"a\":\"b\"}}}", NULL},
        {"CtCreateClusterRequest", "{\"cluster\":{\"releaseChannel\":{\"channel\":2}}}", NULL},
        {"CtCreateClusterRequest", "{\"cluster\":{\"releaseChannel\":{\"channel\":\"RAPID\"}}}",
         NULL},
        {"CtCreateClusterRequest", "{\"x\":1}",
         "Invalid JSON payload received. Unknown name \"x\": Cannot find field."},
        {"CtCreateClusterRequest", "{\"cluster\":{\"nodePools\":[{},{\"confg\":{}}]}}",
         "Invalid JSON payload received. Unknown name \"confg\" at 'cluster.node_pools[1]': Cannot "
         "find field."},
        {"CtCreateClusterRequest", "{\"cluster\":{\"initialNodeCount\":\"a\"}}",
         "Invalid value at 'cluster.initial_node_count' (TYPE_INT32), \"a\""},
        {"CtCreateClusterRequest", "{\"cluster\":{\"name\":1}}",
         "Invalid value at 'cluster.name' (TYPE_STRING), 1"},
        {"CtCreateClusterRequest", "{\"cluster\":{\"shieldedNodes\":{\"enabled\":\"true\"}}}",
         "Invalid value at 'cluster.shielded_nodes.enabled' (TYPE_BOOL), \"true\""},
        {"CtCreateClusterRequest", "{\"cluster\":{\"resourceLabels\":{\"a\":1}}}",
         "Invalid value at 'cluster.resource_labels' (TYPE_STRING), 1"},
        {"CtCreateClusterRequest", "{\"cluster\":{\"releaseChannel\":{\"channel\":\"RAP\"}}}",
         "Invalid value at 'cluster.release_channel.channel' (TYPE_ENUM), \"RAP\""},
        {"CtCreateClusterRequest", "{\"cluster\":[]}",
         "Invalid value at 'cluster' (type.googleapis.com/Message), []"},
        {"CtCreateClusterRequest", "{\"cluster\":{\"nodePools\":{}}}",
         "Invalid value at 'cluster.node_pools' (a list), {}"},
        {"FsInstance", "{\"fileShares\":[{\"capacityGb\":\"1024\",\"name\":\"a\"}]}", NULL},
        {"FsInstance", "{\"fileShares\":[{\"capacityGb\":1.5}]}",
         "Invalid value at 'file_shares[0].capacity_gb' (TYPE_INT64), 1.5"},
        {"StBucket",
         "{\"lifecycle\":{\"rule\":[{\"action\":{\"type\":\"Delete\"},"
         "\"condition\":{\"age\":7}}]}}",
         NULL},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        json_t *body = json_loads(rows[i].body, 0, NULL);
        RD_AUTOFREE char *why = NULL;
        bool ok = schema_check(rows[i].type, body, &why);
        rd_check_str(rows[i].body, why, rows[i].why);
        rd_check_int(rows[i].body, ok, rows[i].why == NULL);
        json_decref(body);
    }
}

/* Every type that a type names is there: a missing one would be found only by a client. */
static void test_closed(void **state)
{
    (void)state;
    for (size_t i = 0; i < schema_types_len; i++) {
        const char *at = strchr(schema_types[i], '{') + 1;
        for (at = strchr(at, ':'); at != NULL; at = strchr(at + 1, ':')) {
            const char *name = at + 1;
            while (*name == '[' || *name == '{' || *name == '*' || *name == ':')
                name++;
            if (*name < 'A' || *name > 'Z')
                continue;
            size_t len = strcspn(name, " ]}");
            bool found = false;
            for (size_t k = 0; k < schema_types_len && !found; k++)
                found = strncmp(schema_types[k], name, len) == 0 && schema_types[k][len] == '{';
            if (!found)
                fail_msg("%.40s...: no type %.*s", schema_types[i], (int)len, name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_closed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
