/* raydeploy-emulator: see docs/emulator.md. */
#include "auth.h"
#include "chain.h"
#include "gke.h"
#include "kube.h"
#include "ops.h"
#include "outside.h"
#include "server.h"
#include "setting.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAULTS_MAX = 64 * 1024 };

struct app {
    struct emu emu;
    uv_loop_t loop;
    uv_signal_t sigs[4];
};

static void write_json(struct app *a, const char *name, json_t *take)
{
    RD_AUTOJSON json_t *doc = take;
    RD_AUTOFREE char *text = json_dumps(doc, JSON_INDENT(2) | JSON_SORT_KEYS);
    RD_AUTOFREE char *path = rd_path_join(a->emu.dir, name);
    RD_AUTOERR struct rd_err *err = NULL;
    if (text == NULL || !rd_file_write_atomic(path, text, strlen(text), 0644, &err))
        fprintf(stderr, "raydeploy-emulator: %s\n", err == NULL ? "cannot dump" : err->message);
}

static void write_state(struct app *a)
{
    write_json(a, "chain.json", emu_chain_longest(&a->emu));
    write_json(a, "state.json", emu_store_dump(&a->emu.store));
}

/* The rules of DIR/faults in place of those there are; no file: none. Their counts begin anew. */
static void read_faults(struct app *a)
{
    RD_AUTOFREE char *path = rd_path_join(a->emu.dir, "faults");
    RD_AUTOERR struct rd_err *err = NULL;
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(FAULTS_MAX);
    struct emu_faults fresh = {0};
    if (access(path, F_OK) == 0 && (!rd_file_read(path, FAULTS_MAX, &text, &err) ||
                                    !emu_faults_parse(&fresh, rd_buf_str(&text), &err))) {
        fprintf(stderr, "raydeploy-emulator: %s\n", err->message);
        emu_faults_clear(&fresh);
        return;
    }
    emu_faults_clear(&a->emu.faults);
    a->emu.faults = fresh;
    printf("faults %zu\n", fresh.count);
    fflush(stdout);
}

/* The settings of DIR/settings, one a line, in place of those there are; no file: they stay. */
static void read_settings(struct app *a)
{
    RD_AUTOFREE char *path = rd_path_join(a->emu.dir, "settings");
    RD_AUTOERR struct rd_err *err = NULL;
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(FAULTS_MAX);
    struct rd_strv lines = {NULL, 0};
    if (access(path, F_OK) != 0)
        return;
    bool ok = rd_file_read(path, FAULTS_MAX, &text, &err);
    if (ok)
        rd_strv_split(&lines, rd_buf_str(&text), "\n");
    struct rd_strv before = a->emu.settings;
    a->emu.settings = (struct rd_strv){NULL, 0};
    for (size_t i = 0; ok && i < lines.len; i++)
        ok = emu_setting_add(&a->emu, lines.v[i], &err);
    rd_strv_clear(&lines);
    if (!ok) {
        fprintf(stderr, "raydeploy-emulator: %s\n", err->message);
        rd_strv_clear(&a->emu.settings);
        a->emu.settings = before;
        return;
    }
    rd_strv_clear(&before);
    printf("settings %zu\n", a->emu.settings.len);
    fflush(stdout);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct app *a = handle->data;
    if (signum == SIGUSR1)
        write_state(a);
    else if (signum == SIGUSR2)
        read_settings(a), read_faults(a);
    else
        uv_stop(&a->loop);
}

/* What points raydeploy, gcloud and kubectl here. */
static bool write_env(struct emu *e, struct rd_err **reterr)
{
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(64 * 1024);
    char real[4096];
    if (realpath(e->dir, real) == NULL)
        return rd_fail(reterr, RD_ERR_FAILED, "cannot resolve %s", e->dir);
    gcp_write_env(e, &out);
    rd_buf_printf(&out, "export CLOUDSDK_API_ENDPOINT_OVERRIDES_STS=https://127.0.0.1:%d/\n",
                  emu_listener_port(emu_listener_find(e, "sts")));
    rd_buf_printf(&out, "export CLOUDSDK_AUTH_TOKEN_HOST=https://127.0.0.1:%d/token\n",
                  emu_listener_port(emu_listener_find(e, "oauth2")));
    int metadata = emu_listener_port(emu_listener_find(e, "metadata"));
    static const char *const names[] = {"HOST", "IP", "ROOT"};
    for (size_t i = 0; i < RD_ARRAY_LEN(names); i++)
        rd_buf_printf(&out, "export GCE_METADATA_%s=127.0.0.1:%d\n", names[i], metadata);
    rd_buf_printf(&out,
                  "export CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE='%s/ca.pem'\n"
                  "export SSL_CERT_FILE='%s/ca.pem'\n"
                  "export GOOGLE_APPLICATION_CREDENTIALS='%s/key.json'\n"
                  "export CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE='%s/key.json'\n"
                  "export CLOUDSDK_CONFIG='%s/gcloud'\n"
                  "export KUBECONFIG='%s/kubeconfig'\n"
                  "export CLOUDSDK_CORE_PROJECT=%s GOOGLE_CLOUD_PROJECT=%s GCP_PROJECT_ID=%s\n",
                  real, real, real, real, real, real, e->project, e->project, e->project);
    emu_outside_env(e, &out);
    rd_buf_puts(&out, "export CLOUDSDK_CORE_DISABLE_PROMPTS=1 CLOUDSDK_SURVEY_DISABLE_PROMPTS=1\n"
                      "export CLOUDSDK_CORE_DISABLE_USAGE_REPORTING=1\n"
                      "export CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK=1\n"
                      "export CLOUDSDK_CORE_CHECK_GCE_METADATA=false\n"
                      "unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE\n"
                      "unset HTTP_PROXY HTTPS_PROXY http_proxy https_proxy ALL_PROXY all_proxy\n");
    RD_AUTOFREE char *path = rd_path_join(e->dir, "env");
    return rd_file_write_atomic(path, out.data, out.len, 0644, reterr);
}

static bool start(struct app *a, struct rd_err **reterr)
{
    struct emu *e = &a->emu;
    if (!rd_dir_make(e->dir, reterr))
        return false;
    e->server = emu_server_new(e, reterr);
    if (e->server == NULL)
        return false;
    RD_AUTOFREE char *ca = rd_path_join(e->dir, "ca.pem");
    const char *pem = emu_server_ca_pem(e->server);
    if (!rd_file_write_atomic(ca, pem, strlen(pem), 0644, reterr))
        return false;
    if (!emu_auth_start(e, reterr))
        return false;
    kube_start(e);
    return gcp_start(e, reterr) && emu_outside_start(e, reterr) && write_env(e, reterr);
}

static int usage(FILE *out, int code)
{
    fputs("usage: raydeploy-emulator --dir DIR [--seed N] [--speed X] [--faults SPEC]...\n"
          "         [--project ID] [--set KEY=VALUE]...\n",
          out);
    return code;
}

static bool parse_args(struct app *a, int argc, char **argv, struct rd_err **reterr, double *speed)
{
    static const struct option options[] = {
        {"dir", required_argument, NULL, 'd'},     {"seed", required_argument, NULL, 's'},
        {"speed", required_argument, NULL, 'x'},   {"faults", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},          {"set", required_argument, NULL, 'S'},
        {"project", required_argument, NULL, 'p'}, {0}};
    char *end = NULL;
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'd':
            a->emu.dir = optarg;
            break;
        case 's':
            a->emu.rand = strtoull(optarg, &end, 10);
            if (*end != '\0' || end == optarg)
                return rd_fail(reterr, RD_ERR_INPUT, "--seed %s is not a number", optarg);
            break;
        case 'x':
            *speed = strtod(optarg, &end);
            if (*end != '\0' || end == optarg || !(*speed > 0 && *speed <= 1e6))
                return rd_fail(reterr, RD_ERR_INPUT, "--speed %s is not a positive number", optarg);
            break;
        case 'f':
            if (!emu_faults_parse(&a->emu.faults, optarg, reterr))
                return false;
            break;
        case 'S':
            if (!emu_setting_add(&a->emu, optarg, reterr))
                return false;
            break;
        case 'p':
            a->emu.project = optarg;
            break;
        case 'h':
            exit(usage(stdout, 0));
        default:
            exit(usage(stderr, 2));
        }
    }
    if (a->emu.dir == NULL || optind != argc)
        exit(usage(stderr, 2));
    return true;
}

int main(int argc, char **argv)
{
    rd_alloc_init();
    signal(SIGPIPE, SIG_IGN);
    struct app *a = rd_calloc(1, sizeof(*a));
    double speed = 1;
    RD_AUTOERR struct rd_err *err = NULL;
    a->emu.project = "demo-project";
    a->emu.project_number = "123456789012";
    if (!parse_args(a, argc, argv, &err, &speed)) {
        fprintf(stderr, "raydeploy-emulator: %s\n", err->message);
        return 2;
    }
    uv_loop_init(&a->loop);
    a->emu.loop = &a->loop;
    emu_clock_init(&a->emu.clock, &a->loop, speed);
    emu_store_init(&a->emu.store);
    rd_list_init(&a->emu.ops);
    rd_list_init(&a->emu.growths);
    static const int signums[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < RD_ARRAY_LEN(signums); i++) {
        uv_signal_init(&a->loop, &a->sigs[i]);
        a->sigs[i].data = a;
        uv_signal_start(&a->sigs[i], on_signal, signums[i]);
    }
    int code = 0;
    if (start(a, &err)) {
        puts("ready");
        fflush(stdout);
        uv_run(&a->loop, UV_RUN_DEFAULT);
        write_state(a);
    } else {
        fprintf(stderr, "raydeploy-emulator: %s\n", err->message);
        code = 1;
    }
    gcp_ops_clear(&a->emu);
    emu_gke_clear(&a->emu);
    kube_stop(&a->emu);
    emu_clock_close(&a->emu.clock);
    for (size_t i = 0; i < RD_ARRAY_LEN(signums); i++)
        uv_close((uv_handle_t *)&a->sigs[i], NULL);
    emu_server_free(a->emu.server);
    uv_run(&a->loop, UV_RUN_DEFAULT);
    uv_loop_close(&a->loop);
    emu_auth_free(a->emu.auth);
    emu_store_clear(&a->emu.store);
    json_decref(a->emu.chain);
    json_decref(a->emu.chain_longest);
    rd_strv_clear(&a->emu.settings);
    emu_faults_clear(&a->emu.faults);
    free(a);
    return code;
}
