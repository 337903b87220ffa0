/* Every kind with a rule has at least four fixtures, and `explain` says of each exactly what
 * expected.txt has. `explain_test --print` writes that table as it is now, to be read before it is
 * committed, and for the comparison with kstatus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "k8s/explain.h"
#include "fixture.h"

#define EXPECTED RD_SOURCE_DIR "/tests/explain/expected.txt"
#define NOW "2025-03-11T10:00:00Z"

/* The kinds that must have fixtures: apiVersion and kind; the folder is the kind, or the third
 * word. */
static const char *const kinds[] = {
    "apps/v1 Deployment",
    "apps/v1 StatefulSet",
    "apps/v1 DaemonSet",
    "apps/v1 ReplicaSet",
    "v1 Pod",
    "batch/v1 Job",
    "batch/v1 CronJob",
    "v1 ConfigMap",
    "v1 Secret",
    "v1 PersistentVolumeClaim",
    "v1 PersistentVolume",
    "v1 Service",
    "v1 Namespace",
    "apiextensions.k8s.io/v1 CustomResourceDefinition",
    "policy/v1 PodDisruptionBudget",
    "apiregistration.k8s.io/v1 APIService",
    "networking.k8s.io/v1 Ingress",
    "networking.k8s.io/v1 NetworkPolicy",
    "rbac.authorization.k8s.io/v1 Role",
    "rbac.authorization.k8s.io/v1 RoleBinding",
    "rbac.authorization.k8s.io/v1 ClusterRole",
    "rbac.authorization.k8s.io/v1 ClusterRoleBinding",
    "v1 ServiceAccount",
    "v1 ResourceQuota",
    "v1 LimitRange",
    "scheduling.k8s.io/v1 PriorityClass",
    "admissionregistration.k8s.io/v1 MutatingWebhookConfiguration",
    "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration",
    "storage.k8s.io/v1 StorageClass",
    "coordination.k8s.io/v1 Lease",
    "v1 Endpoints",
    "discovery.k8s.io/v1 EndpointSlice",
    "compute.cnrm.cloud.google.com/v1beta1 ComputeNetwork",
    "compute.cnrm.cloud.google.com/v1beta1 ComputeSubnetwork",
    "compute.cnrm.cloud.google.com/v1beta1 ComputeRouter",
    "compute.cnrm.cloud.google.com/v1beta1 ComputeRouterNAT",
    "compute.cnrm.cloud.google.com/v1beta1 ComputeFirewall",
    "compute.cnrm.cloud.google.com/v1beta1 ComputeAddress",
    "container.cnrm.cloud.google.com/v1beta1 ContainerCluster",
    "container.cnrm.cloud.google.com/v1beta1 ContainerNodePool",
    "filestore.cnrm.cloud.google.com/v1beta1 FilestoreInstance",
    "storage.cnrm.cloud.google.com/v1beta1 StorageBucket",
    "artifactregistry.cnrm.cloud.google.com/v1beta1 ArtifactRegistryRepository",
    "iam.cnrm.cloud.google.com/v1beta1 IAMServiceAccount",
    "iam.cnrm.cloud.google.com/v1beta1 IAMPolicyMember",
    "iam.cnrm.cloud.google.com/v1beta1 IAMPartialPolicy",
    "serviceusage.cnrm.cloud.google.com/v1beta1 Service Service-serviceusage",
    "resourcemanager.cnrm.cloud.google.com/v1beta1 Project",
    "core.cnrm.cloud.google.com/v1beta1 ConfigConnector",
    "core.cnrm.cloud.google.com/v1beta1 ConfigConnectorContext",
    "ray.io/v1 RayCluster",
    "ray.io/v1 RayJob",
    "ray.io/v1 RayService",
    "ray.io/v1 RayCronJob",
};

/* "FOLDER/FILE KIND/NAMESPACE/NAME STATUS MESSAGE" for every fixture. */
static bool table(struct rd_buf *out, struct rd_err **reterr)
{
    int64_t now_ms = 0;
    RD_ASSERT(rd_rfc3339_parse(NOW, &now_ms));
    struct rd_strv folders = {0};
    bool ok = true;
    fixture_list(FIXTURE_ROOT, &folders);
    for (size_t i = 0; ok && i < folders.len; i++) {
        RD_AUTOFREE char *path = rd_asprintf("%s/%s", FIXTURE_ROOT, folders.v[i]);
        struct rd_strv files = {0};
        fixture_list(path, &files);
        for (size_t f = 0; ok && f < files.len; f++) {
            struct manifest_list list = {0};
            ok = fixture_load(folders.v[i], files.v[f], &list, reterr);
            if (ok) {
                rd_buf_printf(out, "%s/%s ", folders.v[i], files.v[f]);
                k8s_explain_line(list.v[0].json, now_ms, out, NULL);
            }
            manifest_list_clear(&list);
        }
        rd_strv_clear(&files);
    }
    rd_strv_clear(&folders);
    return ok;
}

static void test_table(void **state)
{
    (void)state;
    RD_AUTOERR struct rd_err *err = NULL;
    RD_AUTOBUF struct rd_buf got = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    RD_AUTOBUF struct rd_buf want = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    if (!table(&got, &err) || !rd_file_read(EXPECTED, 1 << 24, &want, &err))
        fail_msg("%s", err->message);
    struct rd_strv a = {0}, b = {0};
    rd_strv_split(&a, rd_buf_str(&got), "\n");
    rd_strv_split(&b, rd_buf_str(&want), "\n");
    size_t wrong = 0;
    for (size_t i = 0, k = 0; i < a.len || k < b.len;) {
        /* Both are sorted by fixture, so a line that only one side has is seen as such. */
        bool more_a = i < a.len, more_b = k < b.len;
        size_t n = more_a ? strcspn(a.v[i], " ") : 0, m = more_b ? strcspn(b.v[k], " ") : 0;
        bool same = more_a && more_b && n == m && memcmp(a.v[i], b.v[k], n) == 0;
        if (same && strcmp(a.v[i], b.v[k]) == 0) {
            i++;
            k++;
            continue;
        }
        wrong++;
        bool only_a = !same && more_a && (!more_b || strcmp(a.v[i], b.v[k]) < 0);
        if (same || only_a)
            print_message("got    %s\n", a.v[i]);
        if (same || !only_a)
            print_message("wanted %s\n", b.v[k]);
        i += same || only_a;
        k += same || !only_a;
    }
    print_message("%zu fixtures of %zu kinds\n", a.len, RD_ARRAY_LEN(kinds));
    rd_strv_clear(&a);
    rd_strv_clear(&b);
    if (wrong > 0)
        fail_msg("%zu lines differ from %s", wrong, EXPECTED);
}

/* At least four fixtures a kind, each of that kind; among them one that is being deleted, and one
 * that is Current. */
static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < RD_ARRAY_LEN(kinds); i++) {
        struct rd_strv words = {0}, files = {0};
        rd_strv_split(&words, kinds[i], " ");
        const char *folder = words.v[words.len - 1];
        RD_AUTOFREE char *path = rd_asprintf("%s/%s", FIXTURE_ROOT, folder);
        fixture_list(path, &files);
        if (files.len < 4)
            fail_msg("%s has %zu fixtures, at least 4 are wanted", folder, files.len);
        if (!k8s_kind_has_rule(words.v[0], words.v[1]))
            fail_msg("%s %s has no rule", words.v[0], words.v[1]);
        size_t count[K8S_STATUS_MAX] = {0};
        for (size_t f = 0; f < files.len; f++) {
            RD_AUTOERR struct rd_err *err = NULL;
            struct manifest_list list = {0};
            if (!fixture_load(folder, files.v[f], &list, &err))
                fail_msg("%s", err->message);
            const json_t *o = list.v[0].json;
            if (!rd_streq(rd_json_str(o, "apiVersion", NULL), words.v[0]) ||
                !rd_streq(rd_json_str(o, "kind", NULL), words.v[1]))
                fail_msg("%s/%s is of another kind", folder, files.v[f]);
            struct k8s_verdict v;
            k8s_judge(o, 0, &v);
            count[v.status]++;
            k8s_verdict_clear(&v);
            manifest_list_clear(&list);
        }
        if (count[K8S_CURRENT] == 0 || count[K8S_TERMINATING] == 0 || count[K8S_UNKNOWN] > 0)
            fail_msg("%s: %zu Current, %zu Terminating, %zu Unknown", folder, count[K8S_CURRENT],
                     count[K8S_TERMINATING], count[K8S_UNKNOWN]);
        rd_strv_clear(&words);
        rd_strv_clear(&files);
    }
}

/* A kind with no rule is Unknown, never Current. */
static void test_no_rule(void **state)
{
    (void)state;
    struct rd_strv files = {0};
    fixture_list(FIXTURE_ROOT "/" FIXTURE_NO_RULE, &files);
    assert_in_range(files.len, 4, 1000);
    for (size_t f = 0; f < files.len; f++) {
        RD_AUTOERR struct rd_err *err = NULL;
        struct manifest_list list = {0};
        if (!fixture_load(FIXTURE_NO_RULE, files.v[f], &list, &err))
            fail_msg("%s", err->message);
        const json_t *o = list.v[0].json;
        assert_false(
            k8s_kind_has_rule(rd_json_str(o, "apiVersion", NULL), rd_json_str(o, "kind", NULL)));
        struct k8s_verdict v;
        k8s_judge(o, 0, &v);
        bool deleted = rd_json_path(o, "metadata.deletionTimestamp") != NULL;
        enum k8s_status want = deleted ? K8S_TERMINATING : K8S_UNKNOWN;
        if (v.status != want)
            fail_msg("%s is %s, wanted %s", files.v[f], k8s_status_name(v.status),
                     k8s_status_name(want));
        k8s_verdict_clear(&v);
        manifest_list_clear(&list);
    }
    rd_strv_clear(&files);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--print") == 0) {
        RD_AUTOERR struct rd_err *err = NULL;
        RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
        if (!table(&out, &err)) {
            fprintf(stderr, "explain_test: %s\n", err->message);
            return 1;
        }
        return fwrite(rd_buf_str(&out), 1, out.len, stdout) == out.len ? 0 : 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_no_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
