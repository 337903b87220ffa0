/* KubeRay's own samples (KUBERAY_SAMPLES names config/samples of its source): every RayCluster
 * among them, also those inside RayJob and RayService, is accepted with the gates that it needs. */
#include "base/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "manifest/objects.h"
#include "ray/validate.h"

static unsigned judged, refused;

static void judge(const char *file, const char *name, json_t *annotations, json_t *spec)
{
    static const struct ray_gates all = {true, true, true, true, false};
    struct rd_strv problems = {0};
    RD_AUTOJSON json_t *cluster = rd_json_pack("{s:{s:s, s:O?}, s:O}", "metadata", "name", name,
                                               "annotations", annotations, "spec", spec);
    judged++;
    if (!ray_validate_cluster(cluster, all, &problems)) {
        refused++;
        for (size_t i = 0; i < problems.len; i++)
            print_message("%s: %s: %s\n", file, name, problems.v[i]);
    }
    rd_strv_clear(&problems);
}

static void judge_object(const char *file, const json_t *object)
{
    static const char *const where[] = {"RayCluster", "spec",
                                        "RayJob",     "spec.rayClusterSpec",
                                        "RayService", "spec.rayClusterConfig",
                                        "RayCronJob", "spec.jobTemplate.rayClusterSpec"};
    const char *kind = rd_json_str(object, "kind", NULL);
    const char *name = rd_json_str(object, "metadata", "name", NULL);
    for (size_t i = 0; i < RD_ARRAY_LEN(where); i += 2) {
        json_t *spec = rd_json_path(object, where[i + 1]);
        if (rd_streq(kind, where[i]) && spec)
            judge(file, name ? name : "generated", rd_json_path(object, "metadata.annotations"),
                  spec);
    }
}

static void samples(void **state)
{
    (void)state;
    const char *dir = getenv("KUBERAY_SAMPLES");
    DIR *d = dir ? opendir(dir) : NULL;
    struct dirent *e;
    if (!d) {
        print_message("SKIP: KUBERAY_SAMPLES does not name a folder\n");
        skip();
    }
    while ((e = readdir(d)) != NULL) {
        struct manifest_list list = {0};
        struct rd_err *err = NULL;
        RD_AUTOFREE char *path = rd_path_join(dir, e->d_name);
        if (!rd_ends_with(e->d_name, ".yaml"))
            continue;
        if (!manifest_load(&list, path, &err)) {
            print_message("%s: not read: %s\n", e->d_name, err->message);
            rd_err_freep(&err);
        }
        for (size_t i = 0; i < list.len; i++)
            judge_object(e->d_name, list.v[i].json);
        manifest_list_clear(&list);
    }
    closedir(d);
    print_message("%u RayClusters judged, %u refused\n", judged, refused);
    rd_check_int("refused", refused, 0);
    assert_true(judged > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(samples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
