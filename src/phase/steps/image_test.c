/* Goal: references are read as container tools read them, and a registry's challenge as Docker's client
 * does. */
#include "base/test.h"

#include "base/alloc.h"
#include "phase/steps/image.h"

static void references(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *path, *tag, *digest;
    } rows[] = {
        {"rayproject/ray:2.58.0-py311", "docker.io", "rayproject/ray", "2.58.0-py311", NULL},
        {"busybox", "docker.io", "library/busybox", "latest", NULL},
        {"quay.io/kuberay/operator:v1.7.0", "quay.io", "kuberay/operator", "v1.7.0", NULL},
        {"localhost/x", "localhost", "x", "latest", NULL},
        {"registry:5000/a/b", "registry:5000", "a/b", "latest", NULL},
        {"us-central1-docker.pkg.dev/p/r/a/b:t", "us-central1-docker.pkg.dev", "p/r/a/b", "t", NULL},
        {"x/y@sha256:00ff", "docker.io", "x/y", NULL, "sha256:00ff"},
        {"x/y:t@sha256:00ff", "docker.io", "x/y", NULL, "sha256:00ff"},
        {":t", NULL, NULL, NULL, NULL},
        {"x@md5:1", NULL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct image_ref r;
        bool ok = image_ref_parse(rows[i].text, &r);
        if (ok != (rows[i].host != NULL) ||
            (ok && (!rd_streq(r.host, rows[i].host) || !rd_streq(r.path, rows[i].path) ||
                    !rd_streq(r.tag, rows[i].tag) || !rd_streq(r.digest, rows[i].digest))))
            fail_msg("%s: host %s path %s tag %s digest %s", rows[i].text, r.host, r.path, r.tag, r.digest);
        image_ref_clear(&r);
    }
}

static void challenges(void **state)
{
    (void)state;
    const char *text = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
                       "xrealm=\"no\",scope=\"repository:rayproject/ray:pull\"";
    RD_AUTOFREE char *realm = image_challenge(text, "realm");
    RD_AUTOFREE char *scope = image_challenge(text, "scope");
    assert_string_equal(realm, "https://auth.docker.io/token");
    assert_string_equal(scope, "repository:rayproject/ray:pull");
    assert_null(image_challenge(text, "error"));
    assert_null(image_challenge("Basic realm=\"x\"", "realm"));
    assert_null(image_challenge("Bearer realm=\"x", "realm"));
    assert_null(image_challenge(NULL, "realm"));
}

static void listed(void **state)
{
    (void)state;
    RD_AUTOJSON json_t *images = rd_json_pack(
        "[{s:s, s:[s,s]}, {s:s}]", "uri", "us-docker.pkg.dev/p/r/img@sha256:01", "tags", "a", "b", "uri",
        "us-docker.pkg.dev/p/r/img2@sha256:02");
    static const struct {
        const char *text;
        bool there;
    } rows[] = {
        {"us-docker.pkg.dev/p/r/img:b", true},       {"us-docker.pkg.dev/p/r/img:c", false},
        {"us-docker.pkg.dev/p/r/img", false},        {"us-docker.pkg.dev/p/r/img@sha256:01", true},
        {"us-docker.pkg.dev/p/r/img@sha256:02", false}, {"us-docker.pkg.dev/p/r/img2@sha256:02", true},
        {"us-docker.pkg.dev/p/r/im:a", false},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct image_ref r;
        assert_true(image_ref_parse(rows[i].text, &r));
        if (image_is_listed(&r, images) != rows[i].there)
            fail_msg("%s", rows[i].text);
        image_ref_clear(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references),
        cmocka_unit_test(challenges),
        cmocka_unit_test(listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
