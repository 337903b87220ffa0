/* The one table. Order is the order of --help, of the sample and of the README. */
#include "config/option.h"

#include <stddef.h>
#include <string.h>

static const char *const words_target[] = {"gke", "local", NULL};
static const char *const words_progress[] = {"auto", "tty", "plain", "json", "quiet", NULL};
static const char *const words_color[] = {"auto", "always", "never", NULL};
static const char *const words_output[] = {"text", "json", NULL};
static const char *const words_connector[] = {"addon", "manual", NULL};
static const char *const words_roles[] = {"editor", "least", NULL};
static const char *const words_control[] = {"dns", "public", NULL};
static const char *const words_tier[] = {"BASIC_HDD", "BASIC_SSD",  "ZONAL", "HIGH_SCALE_SSD",
                                         "REGIONAL",  "ENTERPRISE", NULL};
static const char *const words_auth[] = {"token", "disabled", NULL};
static const char *const words_watch[] = {"all", "namespace", NULL};

/* Two CPU workers fit an n2-standard-4 (3.92 CPUs and 13.3 GiB can be had), the head has one for
 * itself, a GPU worker fits an n1-standard-8 (7.91 CPUs, 26.6 GiB). */
#define HEAD_GKE "{\"cpu\":\"2\",\"memory\":\"8Gi\"}"
#define HEAD_LOCAL "{\"cpu\":\"1\",\"memory\":\"2Gi\"}"
#define WORKERS_GKE                                                                                \
    "[{\"name\":\"cpu\",\"replicas\":2,\"min\":1,\"max\":8,\"cpu\":\"2\",\"cpuRequest\":"          \
    "\"1500m\","                                                                                   \
    "\"memory\":\"5Gi\",\"idleTimeoutSeconds\":60},"                                               \
    "{\"name\":\"gpu\",\"replicas\":0,\"min\":0,\"max\":4,\"cpu\":\"7\",\"memory\":\"24Gi\","      \
    "\"gpus\":1,\"idleTimeoutSeconds\":60}]"
#define WORKERS_LOCAL                                                                              \
    "[{\"name\":\"cpu\",\"replicas\":1,\"min\":1,\"max\":8,\"cpu\":\"1\",\"memory\":\"2Gi\","      \
    "\"idleTimeoutSeconds\":60}]"

#define AT(member) .at = offsetof(struct config, member)
#define BOTH(value) .fallback = {value, value}

/* clang-format off */
const struct option config_options[] = {
    /* ---- Of a deployment: raydeploy.yaml ---- */
    {"project", "project", 0, true, {"GCP_PROJECT_ID", "GOOGLE_CLOUD_PROJECT"}, OPT_TEXT,
     AT(project), .arg = "ID", .check = check_project,
     .help = "Google Cloud project to deploy into; not needed with --target local"},
    {"region", "region", 0, true, {"GCP_REGION"}, OPT_TEXT, AT(region), .arg = "REGION",
     BOTH("us-central1"), .check = check_region, .help = "region of everything that is made"},
    {"name", "name", 0, true, {NULL}, OPT_TEXT, AT(name), .arg = "NAME", BOTH("ray"),
     .check = check_deployment,
     .help = "name of the deployment; every other name is derived from it"},
    {"management.zone", NULL, 0, true, {NULL}, OPT_TEXT, AT(management.zone), .check = check_zone,
     .help = "zone of the management cluster; default: the region's first zone that is up"},
    {"management.connector", NULL, 0, true, {NULL}, OPT_TEXT, AT(management.connector),
     BOTH("addon"), .words = words_connector, .help = "where Config Connector comes from"},
    {"management.operator", NULL, 0, true, {NULL}, OPT_TEXT, AT(management.operator),
     .check = check_chart,
     .help = "operator bundle of a manual connector, a file or URL; default: its official address"},
    {"management.operatorSha256", NULL, 0, true, {NULL}, OPT_TEXT, AT(management.operator_sha256),
     .check = check_sha256, .help = "digest that the operator bundle must have"},
    {"management.roles", NULL, 0, true, {NULL}, OPT_TEXT, AT(management.roles), BOTH("editor"),
     .words = words_roles, .help = "roles of Config Connector's account"},
    {"network.subnetCidr", NULL, 0, true, {NULL}, OPT_TEXT, AT(network.subnet_cidr),
     BOTH("10.0.0.0/20"), .check = check_subnet, .help = "addresses of nodes"},
    {"network.podsCidr", NULL, 0, true, {NULL}, OPT_TEXT, AT(network.pods_cidr),
     BOTH("10.4.0.0/14"), .check = check_subnet, .help = "addresses of pods"},
    {"network.servicesCidr", NULL, 0, true, {NULL}, OPT_TEXT, AT(network.services_cidr),
     BOTH("10.8.0.0/20"), .check = check_subnet, .help = "addresses of Services"},
    {"network.controlPlane", NULL, 0, true, {NULL}, OPT_TEXT, AT(network.control_plane),
     BOTH("dns"), .words = words_control,
     .help = "how the API server is reached: by its DNS endpoint, or by a public address"},
    {"network.authorizedNetworks", NULL, 0, true, {NULL}, OPT_CIDRS,
     AT(network.authorized_networks), BOTH("[]"),
     .help = "ranges that may reach a public control plane"},
    {"cpuPool.machineType", NULL, 0, true, {NULL}, OPT_TEXT, AT(cpu_pool.machine_type),
     BOTH("n2-standard-4"), .check = check_machine_type, .help = "machines of the CPU node pool"},
    {"cpuPool.min", NULL, 0, true, {NULL}, OPT_INT, AT(cpu_pool.min), BOTH("1"), .min = 0,
     .max = 1000, .help = "fewest nodes of the CPU pool"},
    {"cpuPool.max", NULL, 0, true, {NULL}, OPT_INT, AT(cpu_pool.max), BOTH("5"), .min = 1,
     .max = 1000, .help = "most nodes of the CPU pool"},
    {"cpuPool.diskGb", NULL, 0, true, {NULL}, OPT_INT, AT(cpu_pool.disk_gb), BOTH("100"),
     .min = 20, .max = 65536, .help = "boot disk of a node, in GB"},
    {"cpuPool.spot", NULL, 0, true, {NULL}, OPT_SWITCH, AT(cpu_pool.spot), BOTH("false"),
     .help = "spot machines in the CPU pool"},
    {"gpuPool.enabled", NULL, 0, true, {NULL}, OPT_SWITCH, AT(gpu_pool.enabled), BOTH("true"),
     .help = "whether there is a GPU node pool"},
    {"gpuPool.machineType", NULL, 0, true, {NULL}, OPT_TEXT, AT(gpu_pool.machine_type),
     BOTH("n1-standard-8"), .check = check_machine_type, .help = "machines of the GPU node pool"},
    {"gpuPool.accelerator", NULL, 0, true, {NULL}, OPT_TEXT, AT(gpu_pool.accelerator),
     BOTH("nvidia-tesla-t4"), .check = check_accelerator, .help = "accelerator of a GPU node"},
    {"gpuPool.min", NULL, 0, true, {NULL}, OPT_INT, AT(gpu_pool.min), BOTH("0"), .min = 0,
     .max = 1000, .help = "fewest nodes of the GPU pool"},
    {"gpuPool.max", NULL, 0, true, {NULL}, OPT_INT, AT(gpu_pool.max), BOTH("4"), .min = 1,
     .max = 1000, .help = "most nodes of the GPU pool"},
    {"gpuPool.zones", NULL, 0, true, {NULL}, OPT_ZONES, AT(gpu_pool.zones), BOTH("[]"),
     .help = "zones of the GPU pool; none: those of the region that offer the accelerator"},
    {"gpuPool.spot", NULL, 0, true, {NULL}, OPT_SWITCH, AT(gpu_pool.spot), BOTH("false"),
     .help = "spot machines in the GPU pool"},
    {"filestore.enabled", NULL, 0, true, {NULL}, OPT_SWITCH, AT(filestore.enabled), BOTH("true"),
     .help = "whether the shared volume is a Filestore instance"},
    {"filestore.tier", NULL, 0, true, {NULL}, OPT_TEXT, AT(filestore.tier), BOTH("ENTERPRISE"),
     .words = words_tier, .help = "service tier of the instance"},
    {"filestore.capacityGb", NULL, 0, true, {NULL}, OPT_INT, AT(filestore.capacity_gb),
     BOTH("1024"), .min = 1024, .max = 102400, .help = "size of the share, in GB"},
    {"filestore.zone", NULL, 0, true, {NULL}, OPT_TEXT, AT(filestore.zone), .check = check_zone,
     .help = "zone of a zonal instance; default: the first of the CPU pool"},
    {"spill.enabled", NULL, 0, true, {NULL}, OPT_SWITCH, AT(spill.enabled), BOTH("true"),
     .help = "whether objects spill to a bucket"},
    {"spill.bucket", NULL, 0, true, {"SPILLOVER_BUCKET"}, OPT_TEXT, AT(spill.bucket),
     .check = check_bucket, .help = "the bucket; default: PROJECT-NAME-spill"},
    {"spill.ageDays", NULL, 0, true, {NULL}, OPT_INT, AT(spill.age_days), BOTH("7"), .min = 1,
     .max = 3650,
     .help = "days after which the bucket drops spilled objects, also those still in use"},
    {"registry.name", NULL, 0, true, {"REGISTRY_NAME"}, OPT_TEXT, AT(registry.name),
     .check = check_dns_label, .help = "Artifact Registry repository; default: NAME-images"},
    {"registry.keep", NULL, 0, true, {NULL}, OPT_SWITCH, AT(registry.keep), BOTH("false"),
     .help = "teardown leaves the repository and its images"},
    {"ray.version", NULL, 0, true, {NULL}, OPT_TEXT, AT(ray.version), BOTH("2.60.0"),
     .check = check_version, .help = "version of Ray"},
    {"ray.image", NULL, 0, true, {"RAY_IMAGE"}, OPT_TEXT, AT(ray.image), .check = check_image,
     .help = "image of head and CPU workers; default: rayproject/ray:VERSION-py311"},
    {"ray.gpuImage", NULL, 0, true, {NULL}, OPT_TEXT, AT(ray.gpu_image), .check = check_image,
     .help = "image of GPU workers; default: rayproject/ray:VERSION-py311-gpu"},
    {"ray.auth", NULL, 0, true, {NULL}, OPT_TEXT, AT(ray.auth), BOTH("token"),
     .words = words_auth, .help = "authentication of Ray's API and dashboard"},
    {"ray.head", NULL, 0, true, {NULL}, OPT_HEAD, AT(ray.head),
     .fallback = {HEAD_GKE, HEAD_LOCAL},
     .help = "the head: cpu, cpuRequest, memory, env, rayStartParams"},
    {"ray.workers", NULL, 0, true, {NULL}, OPT_WORKERS, AT(ray.workers),
     .fallback = {WORKERS_GKE, WORKERS_LOCAL},
     .help = "worker groups: name, replicas, min, max, cpu, cpuRequest, memory, gpus, "
             "idleTimeoutSeconds, env, spot, rayStartParams, nodeSelector"},
    {"kuberay.version", NULL, 0, true, {NULL}, OPT_TEXT, AT(kuberay.version), BOTH("1.7.0"),
     .check = check_version, .help = "version of the KubeRay operator"},
    {"kuberay.chart", "kuberay-chart", 0, true, {"RAYDEPLOY_KUBERAY_CHART"}, OPT_TEXT, AT(kuberay.chart),
     .arg = "FILE|URL", .check = check_chart,
     .help = "chart archive that holds KubeRay's CRDs; default: from its official repository"},
    {"kuberay.sha256", NULL, 0, true, {NULL}, OPT_TEXT, AT(kuberay.sha256), .check = check_sha256,
     .help = "digest that the chart archive must have"},
    {"kuberay.namespace", NULL, 0, true, {NULL}, OPT_TEXT, AT(kuberay.ns), BOTH("kuberay-system"),
     .check = check_dns_label, .help = "namespace of the operator"},
    {"kuberay.watch", NULL, 0, true, {NULL}, OPT_TEXT, AT(kuberay.watch), BOTH("all"),
     .words = words_watch, .help = "namespaces the operator serves: all, or the deployment's own"},
    {"monitoring.namespace", NULL, 0, true, {NULL}, OPT_TEXT, AT(monitoring.ns),
     BOTH("monitoring"), .check = check_dns_label, .help = "namespace of Prometheus and Grafana"},
    {"monitoring.release", NULL, 0, true, {NULL}, OPT_TEXT, AT(monitoring.release),
     BOTH("kube-prometheus-stack"), .check = check_dns_label,
     .help = "name of the kube-prometheus-stack release"},
    {"monitoring.grafanaHost", NULL, 0, true, {"RAY_GRAFANA_HOST"}, OPT_TEXT,
     AT(monitoring.grafana_host), .check = check_url,
     .help = "address of Grafana; default: that of the release"},
    {"monitoring.prometheusHost", NULL, 0, true, {NULL}, OPT_TEXT, AT(monitoring.prometheus_host),
     .check = check_url, .help = "address of Prometheus; default: that of the release"},
    {"monitoring.helmImage", "helm-image", 0, true, {NULL}, OPT_TEXT, AT(monitoring.helm_image),
     .arg = "IMAGE", .check = check_image_digest,
     .help = "image with helm 3.14 or newer, by digest (NAME@sha256:...); needed by `monitoring "
             "install` and `remove`"},
    {"monitoring.chartRepo", NULL, 0, true, {NULL}, OPT_TEXT, AT(monitoring.chart_repo),
     BOTH("https://prometheus-community.github.io/helm-charts"), .check = check_chart_repo,
     .help = "repository of the kube-prometheus-stack chart, as the cluster reaches it"},
    {"monitoring.chartVersion", NULL, 0, true, {NULL}, OPT_TEXT, AT(monitoring.chart_version),
     BOTH("81.6.2"), .check = check_version, .help = "version of the kube-prometheus-stack chart"},

    /* ---- Of a command: flags only ---- */
    {"config", "config", 'c', false, {"RAYDEPLOY_CONFIG"}, OPT_TEXT, AT(file), .arg = "FILE",
     .check = check_not_empty, .help = "configuration (default raydeploy.yaml, if it is there)"},
    {"target", "target", 0, false, {NULL}, OPT_CHOICE, AT(target), .arg = "gke|local", BOTH("gke"),
     .words = words_target,
     .help = "where to: Google Cloud, or the cluster of a kubeconfig"},
    {"credentials", "credentials", 0, false, {NULL}, OPT_TEXT, AT(credentials), .arg = "FILE",
     .check = check_not_empty,
     .help = "Google credential file (default GOOGLE_APPLICATION_CREDENTIALS, then gcloud's, then "
             "the metadata server)"},
    {"kubeconfig", "kubeconfig", 0, false, {NULL}, OPT_TEXT, AT(kubeconfig), .arg = "FILE",
     .check = check_not_empty, .help = "kubeconfig (default KUBECONFIG, then ~/.kube/config)"},
    {"context", "context", 0, false, {NULL}, OPT_TEXT, AT(context), .arg = "NAME",
     .check = check_not_empty, .help = "context of the kubeconfig (default its current one)"},
    {"state-dir", "state-dir", 0, false, {NULL}, OPT_TEXT, AT(state_dir), .arg = "DIR",
     .check = check_not_empty, .help = "journal and locks (default $XDG_STATE_HOME/raydeploy)"},
    {"timeout", "timeout", 0, false, {NULL}, OPT_DURATION, AT(timeout_ms), .arg = "DURATION",
     .min = 1, .max = (json_int_t)7 * 24 * 3600 * 1000,
     .help = "time for the whole command, such as 90s or 1h30m"},
    {"yes", "yes", 'y', false, {NULL}, OPT_SWITCH, AT(yes), BOTH("false"),
     .help = "do not ask"},
    {"output", "output", 'o', false, {NULL}, OPT_FORMAT, AT(json_output), .arg = "text|json",
     BOTH("text"), .words = words_output, .help = "form of the results on standard output"},
    {"progress", "progress", 0, false, {NULL}, OPT_CHOICE, AT(progress),
     .arg = "auto|tty|plain|json|quiet", BOTH("auto"), .words = words_progress,
     .help = "form of progress on standard error"},
    {"log-file", "log-file", 0, false, {NULL}, OPT_TEXT, AT(log_file), .arg = "FILE",
     .check = check_not_empty, .help = "all detail as JSON lines"},
    {"verbose", "verbose", 'v', false, {NULL}, OPT_COUNT, AT(verbose), BOTH("0"),
     .help = "more detail; twice: every request"},
    {"color", "color", 0, false, {NULL}, OPT_CHOICE, AT(color), .arg = "auto|always|never",
     BOTH("auto"), .words = words_color, .help = "colours (NO_COLOR is honoured)"},
    {"templates", "templates", 0, false, {NULL}, OPT_TEXT, AT(templates_dir), .arg = "DIR",
     .check = check_not_empty, .help = "templates that stand in for built-in ones of the same name"},
    {"fail-fast", "fail-fast", 0, false, {NULL}, OPT_SWITCH, AT(fail_fast), BOTH("false"),
     .help = "stop everything at the first failure"},
    {"adopt", "adopt", 0, false, {NULL}, OPT_SWITCH, AT(adopt), BOTH("false"),
     .help = "take over objects that are there and not marked as ours"},
    {"rebuild-journal", "rebuild-journal", 0, false, {NULL}, OPT_SWITCH, AT(rebuild_journal),
     BOTH("false"), .help = "put a damaged journal aside and go by what is found"},
    {"lease-duration", "lease-duration", 0, false, {NULL}, OPT_DURATION, AT(lease_duration_ms),
     .arg = "DURATION", BOTH("60s"), .min = 2000, .max = 3600 * 1000,
     .help = "how long the lock outlives a run that died (default 60s)"},
    {"fact", "fact", 0, false, {NULL}, OPT_PAIRS, AT(facts), .arg = "NAME=VALUE",
     .check = check_fact, .help = "a fact that is not known yet, for render; repeats"},
    {.name = NULL},
};
/* clang-format on */

const struct option *option_find(const char *name)
{
    for (const struct option *o = config_options; o->name; o++)
        if (rd_streq(o->name, name) || rd_streq(o->flag, name))
            return o;
    return NULL;
}

const struct option *option_by_letter(char letter)
{
    for (const struct option *o = config_options; o->name; o++)
        if (o->letter && o->letter == letter)
            return o;
    return NULL;
}
