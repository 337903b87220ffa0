/* Goal: every source of a value is read in its order, every bad value is refused with its origin.
 */
#include "base/test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "config/config.h"
#include "config/option.h"

#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/raydeploy-config-XXXXXX";

static void write_file(const char *text)
{
    struct rd_err *err = NULL;
    if (!rd_file_write_atomic("raydeploy.yaml", text, strlen(text), 0644, &err))
        fail_msg("cannot write: %s", err->message);
}

static void clean_world(void)
{
    static const char *const vars[] = {"GCP_PROJECT_ID",   "GOOGLE_CLOUD_PROJECT", "GCP_REGION",
                                       "SPILLOVER_BUCKET", "REGISTRY_NAME",        "RAY_IMAGE",
                                       "RAY_GRAFANA_HOST", "RAYDEPLOY_CONFIG"};
    for (size_t i = 0; i < RD_ARRAY_LEN(vars); i++)
        unsetenv(vars[i]);
    unlink("raydeploy.yaml");
}

static int setup(void **state)
{
    (void)state;
    rd_alloc_init();
    return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    clean_world();
    return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static const struct config_verb_flag test_flags[] = {
    {"file", "f", "FILE", true, "manifests"},
    {"exit-code", NULL, NULL, false, "10 for changes"},
    {"timeline", NULL, "FILE", false, "Gantt chart"},
    {"field-manager", NULL, "NAME", true, "names"},
    {NULL, NULL, NULL, false, NULL},
};

/* `line` is split at blanks. */
static bool load(struct config *c, const char *line, bool deployment, struct rd_err **reterr)
{
    struct rd_strv args = {NULL, 0};
    rd_strv_split(&args, line, " ");
    bool ok = config_load(c, (int)args.len, args.v, test_flags, deployment, reterr);
    rd_strv_clear(&args);
    return ok;
}

static void load_ok(struct config *c, const char *line)
{
    struct rd_err *err = NULL;
    if (!load(c, line, true, &err))
        fail_msg("%s: %s", line, err->message);
}

static void defaults_of_both_targets(void **state)
{
    (void)state;
    clean_world();
    struct config c;
    load_ok(&c, "");
    assert_int_equal(c.target, TARGET_GKE);
    assert_null(c.file);
    assert_string_equal(c.name, "ray");
    assert_string_equal(c.region, "us-central1");
    assert_string_equal(c.ray.version, "2.60.0");
    assert_string_equal(c.ray.auth, "token");
    assert_string_equal(c.kuberay.version, "1.7.0");
    assert_string_equal(c.kuberay.ns, "kuberay-system");
    assert_int_equal(json_array_size(c.ray.workers), 2);
    assert_int_equal(c.lease_duration_ms, 60000);
    assert_int_equal(c.timeout_ms, 0);
    assert_int_equal(c.warnings.len, 0);
    assert_null(c.state_dir);
    assert_string_equal(config_origin(&c, "region"), "default");
    config_clear(&c);

    load_ok(&c, "--target local");
    assert_int_equal(json_array_size(c.ray.workers), 1);
    rd_check_str("worker", rd_json_str(json_array_get(c.ray.workers, 0), "memory", NULL), "2Gi");
    rd_check_str("head", rd_json_str(c.ray.head, "cpu", NULL), "1");
    assert_int_equal(c.warnings.len, 0);
    char *ns = config_namespace(&c);
    assert_string_equal(ns, "ray-system");
    free(ns);
    config_clear(&c);
}

static void flag_beats_environment_beats_file(void **state)
{
    (void)state;
    clean_world();
    struct config c;
    write_file("# my cluster\nproject: from-the-file\nregion: europe-west4\nname: mine\n"
               "ray:\n  version: \"2.58.1\"\n");
    load_ok(&c, "");
    assert_string_equal(c.region, "europe-west4");
    rd_check_str("file", config_origin(&c, "region"), "raydeploy.yaml:3");
    rd_check_str("file", config_origin(&c, "ray.version"), "raydeploy.yaml:6");
    config_clear(&c);

    setenv("GCP_REGION", "asia-east1", 1);
    setenv("GOOGLE_CLOUD_PROJECT", "second-name", 1);
    load_ok(&c, "");
    assert_string_equal(c.region, "asia-east1");
    rd_check_str("env", config_origin(&c, "region"), "GCP_REGION");
    assert_string_equal(c.project, "second-name");
    config_clear(&c);

    setenv("GCP_PROJECT_ID", "first-name", 1);
    load_ok(&c, "--region us-west1 -vv -y");
    assert_string_equal(c.region, "us-west1");
    rd_check_str("flag", config_origin(&c, "region"), "--region");
    assert_string_equal(c.project, "first-name");
    assert_int_equal(c.verbose, 2);
    assert_true(c.yes);
    config_clear(&c);

    /* Set but empty is not set. */
    setenv("GCP_REGION", "", 1);
    load_ok(&c, "");
    assert_string_equal(c.region, "europe-west4");
    config_clear(&c);
    clean_world();
}

static void plumbing_does_not_read_the_deployment(void **state)
{
    (void)state;
    clean_world();
    struct config c;
    struct rd_err *err = NULL;
    write_file("nonsense: [");
    setenv("GCP_REGION", "not a region", 1);
    if (!load(&c, "-f a.yaml -fb.yaml --file=c.yaml one -- --two", false, &err))
        fail_msg("%s", err->message);
    assert_int_equal(c.files.len, 3);
    assert_string_equal(c.files.v[1], "b.yaml");
    assert_int_equal(c.rest.len, 2);
    assert_string_equal(c.rest.v[1], "--two");
    config_clear(&c);
    assert_false(load(&c, "-c raydeploy.yaml", false, &err));
    rd_check_err("named file", &err, RD_ERR_INPUT, "raydeploy.yaml:");
    clean_world();
}

static void flags_take_their_forms(void **state)
{
    (void)state;
    clean_world();
    struct config c;
    load_ok(&c, "--target=local -o json --exit-code --timeline=t.html --field-manager a "
                "--field-manager b --timeout 1m30s --lease-duration 2s --color never "
                "--progress plain --yes=false --fact a.b=192.0.2.1 --fact l=[\"x\"]");
    assert_true(c.json_output);
    assert_false(c.yes);
    assert_true(json_is_true(json_object_get(c.verb_flags, "exit-code")));
    rd_check_str("timeline", rd_json_str(c.verb_flags, "timeline", NULL), "t.html");
    assert_int_equal(json_array_size(json_object_get(c.verb_flags, "field-manager")), 2);
    assert_int_equal(c.timeout_ms, 90000);
    assert_int_equal(c.lease_duration_ms, 2000);
    assert_int_equal(c.color, COLOR_NEVER);
    assert_int_equal(c.progress, PROGRESS_PLAIN);
    rd_check_str("fact", rd_json_str(c.facts, "a.b", NULL), "192.0.2.1");
    assert_true(json_is_array(json_object_get(c.facts, "l")));
    config_clear(&c);

    char *argv[] = {"--region", "up", "-v", "-oout", "up", "--yes"};
    assert_int_equal(config_verb_index(6, argv), 4);
}

static void bad_flags(void **state)
{
    (void)state;
    clean_world();
    static const struct {
        const char *line, *part;
    } rows[] = {
        {"--regoin x", "did you mean --region?"},
        {"--exec-credential", "--exec-credential is not in this version"},
        {"--exitcode", "did you mean --exit-code?"},
        {"--zzzzzzzzzzzz", "unknown flag --zzzzzzzzzzzz"},
        {"-Z", "unknown flag -Z"},
        {"--region", "--region needs a value"},
        {"-f", "-f needs a value"},
        {"--yes=maybe", "--yes takes no value"},
        {"--target lokal", "did you mean local?"},
        {"--target aws", "must be gke or local"},
        {"-o yaml", "must be text or json"},
        {"--timeout 10", "must be a duration"},
        {"--timeout 0s", "must be from"},
        {"--lease-duration 1s", "--lease-duration \"1s\" must be from 2"},
        {"--region us-central1-a", "not a zone"},
        {"--region US", "--region \"US\" must be a region"},
        {"--name Ray", "--name \"Ray\" must be a DNS label"},
        {"--name a-name-of-twenty-two-ch", "at most 21"},
        {"--name ray-", "must be a DNS label"},
        {"--name 1ray", "first a letter"},
        {"--project My_Project", "must be a Google Cloud project id"},
        {"--project short", "6 to 30"},
        {"--fact x", "must be NAME=VALUE"},
        {"--fact l=[", "not JSON"},
        {"--kuberay-chart http://x.example/a.tgz", "--kuberay-chart: kuberay.chart"},
        {"--kuberay-chart none.tgz", "\"none.tgz\" is not there"},
        {"--templates nowhere", "is not there"},
        {"-c missing.yaml", "--config: configuration \"missing.yaml\" is not there"},
        {"--color blue", "must be auto, always or never"},
        {"--progress loud", "must be auto, tty, plain, json or quiet"},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct config c;
        struct rd_err *err = NULL;
        if (load(&c, rows[i].line, true, &err)) {
            config_clear(&c);
            fail_msg("%s: accepted, want: %s", rows[i].line, rows[i].part);
        }
        rd_check_err(rows[i].line, &err, RD_ERR_INPUT, rows[i].part);
    }
}

static void bad_environment(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *part;
    } rows[] = {
        {"GCP_PROJECT_ID", "X", "GCP_PROJECT_ID: project \"X\" must be"},
        {"GOOGLE_CLOUD_PROJECT", "-bad-one", "GOOGLE_CLOUD_PROJECT: project"},
        {"GCP_REGION", "us", "GCP_REGION: region \"us\" must be a region"},
        {"SPILLOVER_BUCKET", "Bucket", "SPILLOVER_BUCKET: spill.bucket"},
        {"REGISTRY_NAME", "a_b", "REGISTRY_NAME: registry.name"},
        {"RAY_IMAGE", "ray image", "RAY_IMAGE: ray.image"},
        {"RAY_GRAFANA_HOST", "grafana", "RAY_GRAFANA_HOST: monitoring.grafanaHost"},
        {"RAYDEPLOY_CONFIG", "gone.yaml", "RAYDEPLOY_CONFIG: configuration \"gone.yaml\""},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        clean_world();
        setenv(rows[i].name, rows[i].value, 1);
        struct config c;
        struct rd_err *err = NULL;
        if (load(&c, "", true, &err)) {
            config_clear(&c);
            fail_msg("%s=%s: accepted", rows[i].name, rows[i].value);
        }
        rd_check_err(rows[i].name, &err, RD_ERR_INPUT, rows[i].part);
    }
    clean_world();
}

#define W(text) "ray:\n  workers:\n    - name: cpu\n" text

static void bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"regoin: us-central1\n", "raydeploy.yaml:1: unknown key \"regoin\"; did you mean region?"},
        {"ray:\n  verison: x\n",
         "raydeploy.yaml:2: unknown key \"ray.verison\"; did you mean ray.version?"},
        {"ray:\n  version: 2.6\n", "raydeploy.yaml:2: ray.version must be a string: quote it"},
        {"version: \"1\"\n", "did you mean ray.version?"},
        {"kubeconfig: x\n", "is a flag, not a key"},
        {"ray.version: \"2.60.0\"\n", "raydeploy.yaml:1: write \"ray.version\" as a key inside"},
        {"ray: []\n", "raydeploy.yaml:1: ray must be a mapping"},
        {"- a\n", "raydeploy.yaml:1: the configuration must be a mapping"},
        {"name: a\n---\nname: b\n", "one document"},
        {"name: a\nname: b\n", "raydeploy.yaml:2"},
        {"name: yes\n", "raydeploy.yaml:1"},
        {"name: Ray\n", "raydeploy.yaml:1: name \"Ray\" must be a DNS label"},
        {"name: [a]\n", "name must be a string"},
        {"\n\nregion: us-central1-a\n", "raydeploy.yaml:3: region \"us-central1-a\""},
        {"network:\n  subnetCidr: 10.0.0.1/20\n",
         "raydeploy.yaml:2: network.subnetCidr \"10.0.0.1/20\""},
        {"network:\n  subnetCidr: 10.0.0.0/33\n", "must be an IPv4 range"},
        {"network:\n  podsCidr: 10.0.0.0/30\n", "prefix length"},
        {"network:\n  podsCidr: 10.0.0.0/16\n",
         "raydeploy.yaml:2: network.podsCidr \"10.0.0.0/16\" overlaps network.subnetCidr"},
        {"network:\n  controlPlane: public\n", "needs network.authorizedNetworks"},
        {"network:\n  controlPlane: private\n", "must be dns or public"},
        {"network:\n  authorizedNetworks: 10.0.0.0/8\n", "must be a list of ranges"},
        {"network:\n  authorizedNetworks:\n    - 10.0.0.0/8\n    - x\n",
         "raydeploy.yaml:4: network.authorizedNetworks \"x\""},
        {"management:\n  zone: us-central1\n", "raydeploy.yaml:2: management.zone"},
        {"management:\n  zone: europe-west4-a\n", "is not a zone of region us-central1 (default)"},
        {"management:\n  connector: helm\n", "must be addon or manual"},
        {"cpuPool:\n  machineType: n2\n", "must be a machine type"},
        {"cpuPool:\n  min: 5\n  max: 2\n",
         "raydeploy.yaml:2: cpuPool.min is more than cpuPool.max"},
        {"cpuPool:\n  min: -1\n", "must be from 0 to 1000"},
        {"cpuPool:\n  min: \"1\"\n", "must be a whole number"},
        {"cpuPool:\n  spot: 1\n", "must be true or false"},
        {"gpuPool:\n  min: 5\n", "gpuPool.min is more than"},
        {"gpuPool:\n  zones: [us-east1-b]\n", "gpuPool.zones \"us-east1-b\" is not a zone of"},
        {"gpuPool:\n  accelerator: T4!\n", "accelerator type"},
        {"filestore:\n  tier: enterprise\n", "must be BASIC_HDD"},
        {"filestore:\n  capacityGb: 10\n", "must be from 1024"},
        {"filestore:\n  tier: BASIC_SSD\n", "at least 2560 for tier BASIC_SSD"},
        {"spill:\n  ageDays: 0\n", "must be from 1"},
        {"ray:\n  version: \"2.60\"\n", "must be a version like 2.60.0"},
        {"ray:\n  version: \"2.51.0\"\n",
         "raydeploy.yaml:2: ray.version \"2.51.0\" cannot authenticate"},
        {"ray:\n  version: \"2.37.0\"\n", "is too old"},
        {"ray:\n  auth: none\n", "must be token or disabled"},
        {"kuberay:\n  version: \"1.5.1\"\n", "is too old"},
        {"kuberay:\n  sha256: abc\n", "64 lower-case hexadecimal digits"},
        {"kuberay:\n  watch: some\n", "must be all or namespace"},
        {"ray:\n  head:\n    cpus: 1\n",
         "raydeploy.yaml:3: ray.head.cpus is not a key here; did you mean cpu?"},
        {"ray:\n  head:\n    gpus: 1\n", "raydeploy.yaml:3: ray.head.gpus is not a key"},
        {"ray:\n  head:\n    memory: 2\n", "ray.head.memory must be a Kubernetes quantity"},
        {"ray:\n  head:\n    memory: \"2\"\n", "is a unit like Gi missing?"},
        {"ray:\n  head:\n    cpu: 0\n", "must be more than nothing"},
        {"ray:\n  head:\n    cpu: 1\n    cpuRequest: 2\n",
         "raydeploy.yaml:4: ray.head.cpuRequest \"2\" must not be more than cpu"},
        {"ray:\n  head:\n    env:\n      A: 1\n",
         "raydeploy.yaml:4: ray.head.env.A must be a string"},
        {"ray:\n  head:\n    env:\n      1A: x\n", "not begin with a digit"},
        {"ray:\n  workers: {}\n", "must be a list"},
        {"ray:\n  workers: []\n", "at least one worker group"},
        {"ray:\n  workers:\n    - cpu\n", "raydeploy.yaml:3: ray.workers[0] must be a mapping"},
        {"ray:\n  workers:\n    - min: 1\n", "has no name"},
        {W("      relpicas: 1\n"),
         "raydeploy.yaml:4: ray.workers[0].relpicas is not a key here; did you mean replicas?"},
        {W("      min: 3\n      max: 2\n"), "min is more than max"},
        {W("      min: 3\n      max: 4\n      replicas: 2\n"),
         "raydeploy.yaml:6: ray.workers[0].replicas replicas is less than min"},
        {W("      max: 4\n      replicas: 5\n"), "replicas is more than max"},
        {W("      max: 0\n"), "must be at least 1"},
        {W("      min: -1\n"), "must be from 0"},
        {W("      gpus: 17\n"), "must be from 0 to 16"},
        {W("      spot: 1\n"), "must be true or false"},
        {W("      rayStartParams: [a]\n"), "must be a mapping of names to strings"},
        {W("      nodeSelector:\n        a: true\n"), "quote it"},
        {W("    - name: cpu\n"),
         "raydeploy.yaml:4: ray.workers[1].name \"cpu\" is the name of an earlier group"},
        {"ray:\n  workers:\n    - name: A\n", "must be a DNS label"},
        {"ray:\n  workers:\n    - name: headgroup\n", "the head's group"},
        {"gpuPool:\n  enabled: false\n" W("      gpus: 1\n"), "gpuPool.enabled is false"},
    };
    clean_world();
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct config c;
        struct rd_err *err = NULL;
        write_file(rows[i].text);
        if (load(&c, "", true, &err)) {
            config_clear(&c);
            fail_msg("%s: accepted, want: %s", rows[i].text, rows[i].part);
        }
        rd_check_err(rows[i].text, &err, RD_ERR_INPUT, rows[i].part);
    }
    clean_world();
}

static void warnings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line, *part; /* NULL: none */
    } rows[] = {
        {"name: a\n", "", NULL},
        {"ray:\n  version: \"2.57.1\"\n", "",
         "raydeploy.yaml:2: ray.version 2.57.1 does not drain"},
        {"ray:\n  version: \"2.53.0\"\n", "", "older than 2.54.0"},
        {"ray:\n  version: \"2.58.0\"\n", "", NULL},
        {"ray:\n  auth: disabled\n", "", "can run code"},
        {W("      max: 1001\n"), "", "up to 1001 workers"},
        {W("      max: 1000\n"), "", NULL},
        {W("    - name: gpu\n      gpus: 1\n"), "--target local",
         "\"gpu\" asks for GPUs and is left out"},
        {"ray:\n  head:\n    cpu: 500m\n"
         "  workers:\n    - name: a\n",
         "--target local", "less than 2 CPUs"},
        {"gpuPool:\n  enabled: false\n", "", NULL},
    };
    clean_world();
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        struct config c;
        write_file(rows[i].text);
        load_ok(&c, rows[i].line);
        if (!rows[i].part && c.warnings.len)
            fail_msg("%s: unexpected: %s", rows[i].text, c.warnings.v[0]);
        if (rows[i].part && (!c.warnings.len || !strstr(c.warnings.v[0], rows[i].part)))
            fail_msg("%s: got \"%s\", want \"%s\"", rows[i].text,
                     c.warnings.len ? c.warnings.v[0] : "", rows[i].part);
        config_clear(&c);
    }
    clean_world();
}

static void groups_are_completed(void **state)
{
    (void)state;
    clean_world();
    write_file("ray:\n  workers:\n    - name: a\n      min: 2\n      cpu: 1.5\n"
               "    - name: b\n      replicas: 3\n      cpu: 4\n");
    struct config c;
    load_ok(&c, "");
    const json_t *a = json_array_get(c.ray.workers, 0), *b = json_array_get(c.ray.workers, 1);
    rd_check_int("a.replicas", json_integer_value(json_object_get(a, "replicas")), 2);
    rd_check_int("a.max", json_integer_value(json_object_get(a, "max")), 2);
    rd_check_str("a.cpu", rd_json_str(a, "cpu", NULL), "1.5");
    rd_check_int("b.min", json_integer_value(json_object_get(b, "min")), 0);
    rd_check_int("b.max", json_integer_value(json_object_get(b, "max")), 3);
    rd_check_str("b.cpu", rd_json_str(b, "cpu", NULL), "4");
    rd_check_str("b.memory", rd_json_str(b, "memory", NULL), "5Gi");
    config_clear(&c);
    clean_world();
}

/* With every '#' in front of a key taken away, the sample is a configuration that says the same. */
static void sample_reads_back(void **state)
{
    (void)state;
    clean_world();
    struct config c, again;
    load_ok(&c, "--project my-project --name mine");
    struct rd_buf sample = RD_BUF_INIT(1 << 20), bare = RD_BUF_INIT(1 << 20);
    config_sample(&c, &sample);
    assert_non_null(strstr(rd_buf_str(&sample), "\nproject: my-project\n"));
    assert_non_null(strstr(rd_buf_str(&sample), "\n#region: us-central1\n"));
    write_file(rd_buf_str(&sample));
    load_ok(&again, "");
    rd_check_str("name", again.name, "mine");
    rd_check_str("region", config_origin(&again, "region"), "default");
    config_clear(&again);

    for (const char *p = rd_buf_str(&sample); *p; p++)
        if (*p != '#' || (p[1] == ' ' && p[2] != ' '))
            rd_buf_putc(&bare, *p);
    write_file(rd_buf_str(&bare));
    load_ok(&again, "");
    rd_check_str("region", config_origin(&again, "region") + strlen("raydeploy.yaml"),
                 strchr(config_origin(&again, "region"), ':'));
    if (!json_equal(c.ray.workers, again.ray.workers) || !json_equal(c.ray.head, again.ray.head))
        fail_msg("groups changed: %s", rd_buf_str(&bare));
    rd_buf_clear(&sample);
    rd_buf_clear(&bare);
    config_clear(&again);
    config_clear(&c);
    clean_world();
}

static void texts_name_every_option(void **state)
{
    (void)state;
    struct rd_buf table = RD_BUF_INIT(1 << 20), help = RD_BUF_INIT(1 << 20);
    config_markdown(&table);
    config_help_flags(&help);
    for (const struct option *o = config_options; o->name; o++) {
        char *shown = o->flag ? rd_asprintf("--%s", o->flag) : rd_asprintf("`%s`", o->name);
        if (!strstr(rd_buf_str(&table), shown))
            fail_msg("%s is not in the table", shown);
        if (o->flag && !strstr(rd_buf_str(&help), shown))
            fail_msg("%s is not in --help", shown);
        free(shown);
    }
    rd_buf_clear(&table);
    rd_buf_clear(&help);
}

static void documented_options_are_the_table(void **state)
{
    (void)state;
    struct rd_buf table = RD_BUF_INIT(1 << 20), file = RD_BUF_INIT(1 << 20);
    struct rd_err *err = NULL;
    config_markdown(&table);
    if (!rd_file_read(RD_SOURCE_DIR "/docs/options.md", 1 << 20, &file, &err))
        fail_msg("%s", err->message);
    if (strcmp(rd_buf_str(&table), rd_buf_str(&file)) != 0)
        fail_msg("docs/options.md is old: raydeploy help options >docs/options.md");
    rd_buf_clear(&table);
    rd_buf_clear(&file);
}

static void versions_compare_by_number(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int want;
    } rows[] = {
        {"2.9.0", "2.10.0", -1}, {"2.58.0", "2.58.0", 0},     {"2.58.1", "2.58.0", 1},
        {"3.0.0", "2.99.9", 1},  {"2.58.0rc1", "2.58.0", -1}, {"2.58.0", "2.58.0rc1", 1},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++)
        rd_check_int(rows[i].a, version_compare(rows[i].a, rows[i].b), rows[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_of_both_targets),
        cmocka_unit_test(flag_beats_environment_beats_file),
        cmocka_unit_test(plumbing_does_not_read_the_deployment),
        cmocka_unit_test(flags_take_their_forms),
        cmocka_unit_test(bad_flags),
        cmocka_unit_test(bad_environment),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(warnings),
        cmocka_unit_test(groups_are_completed),
        cmocka_unit_test(sample_reads_back),
        cmocka_unit_test(texts_name_every_option),
        cmocka_unit_test(documented_options_are_the_table),
        cmocka_unit_test(versions_compare_by_number),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
