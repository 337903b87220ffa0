/* Goal: containers, network and volume are what k3d makes, and the kubeconfig of k3s is turned outward. */
#include "base/test.h"

#include "base/alloc.h"
#include "local/cluster.h"

#include <stdlib.h>

static const struct local_spec spec = {
    .name = "one", .image = "rancher/k3s:v1", .token = "secret-token", .port = 6550, .agents = 1};

static void the_server(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *c = local_container_json(&spec, 0);
    assert_string_equal(rd_json_str(c, "Hostname", NULL), "k3d-one-server-0");
    assert_string_equal(rd_json_str(c, "Labels", "k3d.role", NULL), "server");
    assert_string_equal(rd_json_str(c, "Labels", "k3d.server.api.port", NULL), "6550");
    assert_string_equal(rd_json_str(c, "Labels", LOCAL_LABEL, NULL), "one");
    const json_t *port = json_array_get(
        rd_json_get(c, "HostConfig", "PortBindings", "6443/tcp", NULL), 0);
    assert_string_equal(rd_json_str(port, "HostIp", NULL), "127.0.0.1");
    assert_string_equal(rd_json_str(port, "HostPort", NULL), "6550");
    assert_true(json_is_true(rd_json_get(c, "HostConfig", "Privileged", NULL)));
    assert_string_equal(rd_json_str(c, "HostConfig", "NetworkMode", NULL), "k3d-one");
}

static void an_agent(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *c = local_container_json(&spec, 1);
    RD_AUTOFREE char *env = rd_json_dump(json_object_get(c, "Env"));
    assert_string_equal(rd_json_str(c, "Hostname", NULL), "k3d-one-agent-0");
    assert_string_equal(env, "[\"K3S_TOKEN=secret-token\",\"K3S_URL=https://k3d-one-server-0:6443\"]");
    assert_null(rd_json_get(c, "HostConfig", "PortBindings", NULL));
    assert_null(rd_json_get(c, "HostConfig", "Mounts", NULL));
}

static void images_are_split_as_docker_wants(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"rancher/k3s", "rancher/k3s", "latest"},
        {"rancher/k3s:v1.34.1-k3s1", "rancher/k3s", "v1.34.1-k3s1"},
        {"127.0.0.1:5000/k3s", "127.0.0.1:5000/k3s", "latest"},
        {"127.0.0.1:5000/k3s:a", "127.0.0.1:5000/k3s", "a"},
        {"127.0.0.1:5000/k3s@sha256:ab", "127.0.0.1:5000/k3s", "sha256:ab"},
        {"host:5000/k3s:tag@sha256:ab", "host:5000/k3s", "sha256:ab"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        char *repo, *tag;
        local_image_split(rows[i][0], &repo, &tag);
        rd_check_str(rows[i][0], repo, rows[i][1]);
        rd_check_str(rows[i][0], tag, rows[i][2]);
        free(repo);
        free(tag);
    }
}

static void the_kubeconfig_of_k3s(void **state)
{
    (void)state;
    static const char text[] = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: Q0E=\n"
                               "    server: https://127.0.0.1:6443\n  name: default\nusers:\n- name: default\n"
                               "  user:\n    client-certificate-data: Q0VSVA==\n    client-key-data: S0VZ\n";
    struct local_access a;
    struct rd_err *err = NULL;
    assert_true(local_access_read(text, strlen(text), 6550, &a, &err));
    assert_string_equal(a.server, "https://127.0.0.1:6550");
    assert_string_equal(a.ca_pem, "CA");
    assert_string_equal(rd_json_str(a.user, "client-key-data", NULL), "S0VZ");
    local_access_clear(&a);
    for (size_t n = 0; n + 12 < strlen(text); n += 7) { /* half written: refused, never half believed */
        assert_false(local_access_read(text, n, 6550, &a, &err));
        rd_err_freep(&err);
        local_access_clear(&a);
    }
}

int main(void)
{
    rd_alloc_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server),
        cmocka_unit_test(an_agent),
        cmocka_unit_test(images_are_split_as_docker_wants),
        cmocka_unit_test(the_kubeconfig_of_k3s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
