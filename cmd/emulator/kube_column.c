#include "kube_column.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static time_t read_time(const char *stamp)
{
    struct tm tm = {0};
    return stamp == NULL || strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm) == NULL ? 0 : timegm(&tm);
}

static char *human(long s)
{
    long m = s / 60, h = s / 3600, d = s / 86400;
    if (s < 0)
        return rd_strdup("0s");
    if (s < 120)
        return rd_asprintf("%lds", s);
    if (m < 10)
        return s % 60 == 0 ? rd_asprintf("%ldm", m) : rd_asprintf("%ldm%lds", m, s % 60);
    if (m < 180)
        return rd_asprintf("%ldm", m);
    if (h < 8)
        return m % 60 == 0 ? rd_asprintf("%ldh", h) : rd_asprintf("%ldh%ldm", h, m % 60);
    if (h < 48)
        return rd_asprintf("%ldh", h);
    if (h < 192)
        return h % 24 == 0 ? rd_asprintf("%ldd", d) : rd_asprintf("%ldd%ldh", d, h % 24);
    if (d < 730)
        return rd_asprintf("%ldd", d);
    return rd_asprintf("%ldy", d / 365);
}

char *kube_age(const char *stamp)
{
    time_t then = read_time(stamp);
    return then == 0 ? rd_strdup("<unknown>") : human((long)(time(NULL) - then));
}

const json_t *kube_json_path(const json_t *root, const char *path)
{
    const json_t *at = root;
    while (at != NULL && *path != '\0') {
        if (rd_starts_with(path, "[?(@.")) {
            const char *key = path + 5, *eq = strstr(key, "=="), *end = strstr(key, ")]");
            if (eq == NULL || end == NULL || end < eq)
                return NULL;
            RD_AUTOFREE char *name = rd_strndup(key, (size_t)(eq - key));
            const char *v = eq + 2 + strspn(eq + 2, " '\"\\");
            RD_AUTOFREE char *want = rd_strndup(v, strcspn(v, "'\"\\)"));
            for (char *p = name + strlen(name); p > name && p[-1] == ' ';)
                *--p = '\0';
            const json_t *found = NULL;
            for (size_t i = 0; found == NULL && i < json_array_size(at); i++) {
                if (rd_streq(rd_json_str(json_array_get(at, i), name, NULL), want))
                    found = json_array_get(at, i);
            }
            at = found;
            path = end + 2;
        } else if (*path == '[') {
            const char *end = strchr(path, ']');
            if (end == NULL)
                return NULL;
            if (path[1] == '\'') {
                RD_AUTOFREE char *name = rd_strndup(path + 2, strcspn(path + 2, "'"));
                at = json_object_get(at, name);
            } else {
                at = json_array_get(at, strtoul(path + 1, NULL, 10)); /* "*": the first */
            }
            path = end + 1;
        } else {
            path += *path == '.';
            RD_AUTOBUF struct rd_buf name = RD_BUF_INIT(4096);
            while (*path != '\0' && *path != '.' && *path != '[') {
                if (*path == '\\' && path[1] == '.')
                    path++;
                rd_buf_putc(&name, *path++);
            }
            if (name.len > 0)
                at = json_object_get(at, rd_buf_str(&name));
        }
    }
    return at;
}

/* ---- Cells that are worked out ---- */

static char *text_of(const json_t *v)
{
    return v == NULL           ? NULL
           : json_is_string(v) ? rd_strdup(json_string_value(v))
                               : rd_json_dump(v);
}

static char *joined(const json_t *list, const char *key, const char *sep)
{
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    size_t i;
    json_t *v;
    json_array_foreach ((json_t *)list, i, v) {
        RD_AUTOFREE char *t = text_of(key == NULL ? v : json_object_get(v, key));
        rd_buf_printf(&out, "%s%s", i == 0 ? "" : sep, t == NULL ? "" : t);
    }
    return out.len == 0 ? rd_strdup("<none>") : rd_buf_take(&out, NULL);
}

static char *pairs(const json_t *map)
{
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)map, key, v) {
        RD_AUTOFREE char *t = text_of(v);
        rd_buf_printf(&out, "%s%s=%s", out.len == 0 ? "" : ",", key, t);
    }
    return out.len == 0 ? rd_strdup("<none>") : rd_buf_take(&out, NULL);
}

static char *pod_ready(const json_t *o)
{
    size_t i, ready = 0;
    json_t *s;
    json_array_foreach (rd_json_get(o, "status", "containerStatuses", NULL), i, s)
        ready += json_is_true(json_object_get(s, "ready"));
    return rd_asprintf("%zu/%zu", ready, json_array_size(rd_json_get(o, "spec", "containers", NULL)));
}

/* As printPod of kubectl's server side has it: init containers first, then the last word of a container. */
static char *pod_status(const json_t *o)
{
    const char *phase = rd_json_str(o, "status", "phase", NULL);
    const char *reason = rd_json_str(o, "status", "reason", NULL);
    RD_AUTOFREE char *out = rd_strdup(reason != NULL ? reason : phase == NULL ? "Unknown" : phase);
    size_t i, n = json_array_size(rd_json_get(o, "spec", "initContainers", NULL));
    json_t *s;
    bool starting = false;
    json_array_foreach (rd_json_get(o, "status", "initContainerStatuses", NULL), i, s) {
        if (rd_json_path_int(s, "state.terminated.exitCode", -1) == 0)
            continue;
        const char *t = rd_json_str(s, "state", "terminated", "reason", NULL);
        const char *w = rd_json_str(s, "state", "waiting", "reason", NULL);
        if (t != NULL)
            rd_str_take(&out, rd_asprintf("Init:%s", t));
        else if (w != NULL && !rd_streq(w, "PodInitializing"))
            rd_str_take(&out, rd_asprintf("Init:%s", w));
        else
            rd_str_take(&out, rd_asprintf("Init:%zu/%zu", i, n));
        starting = true;
        break;
    }
    bool running = false;
    const json_t *statuses = rd_json_get(o, "status", "containerStatuses", NULL);
    for (i = json_array_size(statuses); !starting && i-- > 0;) {
        s = json_array_get(statuses, i);
        const char *w = rd_json_str(s, "state", "waiting", "reason", NULL);
        const char *t = rd_json_str(s, "state", "terminated", "reason", NULL);
        if (w != NULL)
            rd_str_dup(&out, w);
        else if (t != NULL)
            rd_str_dup(&out, t);
        else if (json_is_true(json_object_get(s, "ready")))
            running = true;
    }
    if (rd_streq(out, "Completed") && running)
        rd_str_dup(&out, "Running");
    if (rd_json_get(o, "metadata", "deletionTimestamp", NULL) != NULL)
        rd_str_dup(&out, "Terminating");
    char *ret = out;
    out = NULL;
    return ret;
}

static char *restarts(const json_t *o)
{
    json_int_t n = 0;
    size_t i;
    json_t *s;
    json_array_foreach (rd_json_get(o, "status", "containerStatuses", NULL), i, s)
        n += rd_json_path_int(s, "restartCount", 0);
    return rd_asprintf("%lld", (long long)n);
}

static char *node_status(const json_t *o)
{
    json_t *c = rd_json_condition(o, "Ready");
    const char *s = rd_json_str(c, "status", NULL);
    const char *word = s == NULL ? "Unknown" : rd_streq(s, "True") ? "Ready" : "NotReady";
    bool off = rd_json_path_bool(o, "spec.unschedulable", false);
    return rd_asprintf("%s%s", word, off ? ",SchedulingDisabled" : "");
}

static char *node_roles(const json_t *o)
{
    const char *key;
    json_t *v;
    json_object_foreach (rd_json_get(o, "metadata", "labels", NULL), key, v) {
        if (rd_starts_with(key, "node-role.kubernetes.io/"))
            return rd_strdup(strchr(key, '/') + 1);
    }
    return rd_strdup("<none>");
}

static char *address(const json_t *o, const char *type)
{
    size_t i;
    json_t *a;
    json_array_foreach (rd_json_get(o, "status", "addresses", NULL), i, a) {
        if (rd_streq(rd_json_str(a, "type", NULL), type))
            return rd_strdup(rd_json_str(a, "address", NULL));
    }
    return rd_strdup("<none>");
}

static char *service_external(const json_t *o)
{
    const char *type = rd_json_str(o, "spec", "type", NULL);
    if (rd_streq(type, "ExternalName"))
        return rd_strdup(rd_json_str(o, "spec", "externalName", NULL));
    const json_t *in = rd_json_get(o, "status", "loadBalancer", "ingress", NULL);
    if (json_array_size(in) > 0)
        return joined(in, json_object_get(json_array_get(in, 0), "ip") != NULL ? "ip" : "hostname", ",");
    return rd_strdup(rd_streq(type, "LoadBalancer") ? "<pending>" : "<none>");
}

static char *service_ports(const json_t *o)
{
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    size_t i;
    json_t *p;
    json_array_foreach (rd_json_get(o, "spec", "ports", NULL), i, p) {
        const char *protocol = rd_json_str(p, "protocol", NULL);
        json_int_t node = rd_json_path_int(p, "nodePort", 0);
        rd_buf_printf(&out, "%s%lld", i == 0 ? "" : ",", (long long)rd_json_path_int(p, "port", 0));
        if (node > 0)
            rd_buf_printf(&out, ":%lld", (long long)node);
        rd_buf_printf(&out, "/%s", protocol == NULL ? "TCP" : protocol);
    }
    return out.len == 0 ? rd_strdup("<none>") : rd_buf_take(&out, NULL);
}

static char *modes(const json_t *list)
{
    static const char *const names[][2] = {{"ReadWriteOnce", "RWO"},
                                           {"ReadOnlyMany", "ROX"},
                                           {"ReadWriteMany", "RWX"},
                                           {"ReadWriteOncePod", "RWOP"}};
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(4096);
    size_t i;
    json_t *m;
    json_array_foreach ((json_t *)list, i, m) {
        for (size_t k = 0; k < RD_ARRAY_LEN(names); k++) {
            if (rd_streq(names[k][0], json_string_value(m)))
                rd_buf_printf(&out, "%s%s", out.len == 0 ? "" : ",", names[k][1]);
        }
    }
    return rd_buf_take(&out, NULL);
}

static char *job_status(const json_t *o)
{
    static const char *const names[][2] = {
        {"Complete", "Complete"}, {"Failed", "Failed"}, {"Suspended", "Suspended"}};
    if (rd_json_get(o, "metadata", "deletionTimestamp", NULL) != NULL)
        return rd_strdup("Terminating");
    for (size_t i = 0; i < RD_ARRAY_LEN(names); i++) {
        if (rd_streq(rd_json_str(rd_json_condition(o, names[i][0]), "status", NULL), "True"))
            return rd_strdup(names[i][1]);
    }
    return rd_strdup("Running");
}

static char *job_duration(const json_t *o)
{
    time_t from = read_time(rd_json_str(o, "status", "startTime", NULL));
    time_t to = read_time(rd_json_str(o, "status", "completionTime", NULL));
    if (from == 0)
        return rd_strdup("");
    return human((long)((to == 0 ? time(NULL) : to) - from));
}

/* Ready out of wanted; `desired` is spec.replicas. */
static char *ready_of(const json_t *o)
{
    return rd_asprintf("%lld/%lld", (long long)rd_json_path_int(o, "status.readyReplicas", 0),
                       (long long)rd_json_path_int(o, "spec.replicas", 1));
}

static char *event_object(const json_t *o)
{
    const char *kind = rd_json_str(o, "involvedObject", "kind", NULL);
    RD_AUTOFREE char *low = rd_strdup(kind == NULL ? "" : kind);
    for (char *p = low; *p != '\0'; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    const char *name = rd_json_str(o, "involvedObject", "name", NULL);
    return rd_asprintf("%s/%s", low, name == NULL ? "" : name);
}

static char *counted(const json_t *o, const char *path)
{
    const json_t *v = kube_json_path(o, path);
    return rd_asprintf("%zu", json_is_array(v) ? json_array_size(v) : json_object_size(v));
}

static char *claim(const json_t *o)
{
    const char *ns = rd_json_str(o, "spec", "claimRef", "namespace", NULL);
    const char *name = rd_json_str(o, "spec", "claimRef", "name", NULL);
    return name == NULL ? rd_strdup("") : rd_asprintf("%s/%s", ns == NULL ? "" : ns, name);
}

static char *role_ref(const json_t *o)
{
    return rd_asprintf("%s/%s", rd_json_str(o, "roleRef", "kind", NULL),
                       rd_json_str(o, "roleRef", "name", NULL));
}

static char *endpoints(const json_t *o)
{
    RD_AUTOBUF struct rd_buf out = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    size_t i, k, m;
    json_t *s, *a, *p;
    json_array_foreach (json_object_get(o, "subsets"), i, s) {
        json_array_foreach (json_object_get(s, "addresses"), k, a) {
            json_array_foreach (json_object_get(s, "ports"), m, p)
                rd_buf_printf(&out, "%s%s:%lld", out.len == 0 ? "" : ",", rd_json_str(a, "ip", NULL),
                              (long long)rd_json_path_int(p, "port", 0));
        }
    }
    return out.len == 0 ? rd_strdup("<none>") : rd_buf_take(&out, NULL);
}

/* '@' words; NULL: no such word. */
static char *worked_out(const char *word, const json_t *o)
{
    static const struct {
        const char *word;
        char *(*fn)(const json_t *o);
    } fns[] = {
        {"podready", pod_ready},   {"podstatus", pod_status},   {"restarts", restarts},
        {"ready", ready_of},       {"nodestatus", node_status}, {"roles", node_roles},
        {"external", service_external}, {"ports", service_ports}, {"jobstatus", job_status},
        {"duration", job_duration}, {"object", event_object},   {"claim", claim},
        {"role", role_ref},        {"endpoints", endpoints},
    };
    for (size_t i = 0; i < RD_ARRAY_LEN(fns); i++) {
        if (rd_streq(fns[i].word, word))
            return fns[i].fn(o);
    }
    return NULL;
}

/* "Name=how" parts; how: a path, @word, #path counts, %path an age, &path joined, =path pairs, ^path access
 * modes, !Type an address, ?path or nothing. A '+' before the name: only with -o wide. */
struct columns_row {
    const char *resource, *columns;
};

static const struct columns_row rows[] = {
    {"pods", "Ready=@podready|Status=@podstatus|Restarts=@restarts|Age=%.metadata.creationTimestamp|"
             "+IP=.status.podIP|+Node=.spec.nodeName|+Nominated Node=.status.nominatedNodeName|"
             "+Readiness Gates=&.spec.readinessGates"},
    {"deployments.apps",
     "Ready=@ready|Up-to-date=0.status.updatedReplicas|Available=0.status.availableReplicas|"
     "Age=%.metadata.creationTimestamp|+Containers=n.spec.template.spec.containers|"
     "+Images=i.spec.template.spec.containers|+Selector==.spec.selector.matchLabels"},
    {"replicasets.apps", "Desired=0.spec.replicas|Current=0.status.replicas|Ready=0.status.readyReplicas|"
                         "Age=%.metadata.creationTimestamp|+Containers=n.spec.template.spec.containers|"
                         "+Images=i.spec.template.spec.containers|+Selector==.spec.selector.matchLabels"},
    {"statefulsets.apps",
     "Ready=@ready|Age=%.metadata.creationTimestamp|+Containers=n.spec.template.spec.containers|"
     "+Images=i.spec.template.spec.containers"},
    {"daemonsets.apps",
     "Desired=0.status.desiredNumberScheduled|Current=0.status.currentNumberScheduled|"
     "Ready=0.status.numberReady|Up-to-date=0.status.updatedNumberScheduled|"
     "Available=0.status.numberAvailable|Node Selector==.spec.template.spec.nodeSelector|"
     "Age=%.metadata.creationTimestamp"},
    {"nodes", "Status=@nodestatus|Roles=@roles|Age=%.metadata.creationTimestamp|"
              "Version=.status.nodeInfo.kubeletVersion|+Internal-IP=!InternalIP|+External-IP=!ExternalIP|"
              "+OS-Image=.status.nodeInfo.osImage|+Kernel-Version=.status.nodeInfo.kernelVersion|"
              "+Container-Runtime=.status.nodeInfo.containerRuntimeVersion"},
    {"namespaces", "Status=.status.phase|Age=%.metadata.creationTimestamp"},
    {"services", "Type=.spec.type|Cluster-IP=.spec.clusterIP|External-IP=@external|Port(s)=@ports|"
                 "Age=%.metadata.creationTimestamp|+Selector==.spec.selector"},
    {"endpoints", "Endpoints=@endpoints|Age=%.metadata.creationTimestamp"},
    {"endpointslices.discovery.k8s.io",
     "AddressType=.addressType|Ports=&.ports[0].port|Endpoints=&.endpoints[0].addresses|"
     "Age=%.metadata.creationTimestamp"},
    {"persistentvolumeclaims",
     "Status=.status.phase|Volume=?.spec.volumeName|Capacity=?.status.capacity.storage|"
     "Access Modes=^.status.accessModes|StorageClass=?.spec.storageClassName|"
     "VolumeAttributesClass=.spec.volumeAttributesClassName|Age=%.metadata.creationTimestamp|"
     "+VolumeMode=.spec.volumeMode"},
    {"persistentvolumes",
     "Capacity=?.spec.capacity.storage|Access Modes=^.spec.accessModes|"
     "Reclaim Policy=.spec.persistentVolumeReclaimPolicy|Status=.status.phase|Claim=@claim|"
     "StorageClass=?.spec.storageClassName|VolumeAttributesClass=.spec.volumeAttributesClassName|"
     "Reason=?.status.reason|Age=%.metadata.creationTimestamp|+VolumeMode=.spec.volumeMode"},
    {"jobs.batch", "Status=@jobstatus|Completions=c|Duration=@duration|Age=%.metadata.creationTimestamp|"
                   "+Containers=n.spec.template.spec.containers|+Images=i.spec.template.spec.containers"},
    {"cronjobs.batch", "Schedule=.spec.schedule|Timezone=.spec.timeZone|Suspend=.spec.suspend|"
                       "Active=#.status.active|Last Schedule=%.status.lastScheduleTime|"
                       "Age=%.metadata.creationTimestamp"},
    {"customresourcedefinitions.apiextensions.k8s.io", "Created At=.metadata.creationTimestamp"},
    {"events", "Last Seen=%.lastTimestamp|Type=.type|Reason=.reason|Object=@object|"
               "+Subobject=?.involvedObject.fieldPath|+Source=.source.component|Message=.message|"
               "+First Seen=%.firstTimestamp|+Count=.count|+Name=.metadata.name"},
    {"configmaps", "Data=#.data|Age=%.metadata.creationTimestamp"},
    {"secrets", "Type=.type|Data=#.data|Age=%.metadata.creationTimestamp"},
    {"leases.coordination.k8s.io", "Holder=?.spec.holderIdentity|Age=%.metadata.creationTimestamp"},
    {"networkpolicies.networking.k8s.io",
     "Pod-Selector==.spec.podSelector.matchLabels|Age=%.metadata.creationTimestamp"},
    {"ingresses.networking.k8s.io",
     "Class=.spec.ingressClassName|Hosts=.spec.rules[0].host|Address=?.status.loadBalancer.ingress[0].ip|"
     "Ports=?.nothing|Age=%.metadata.creationTimestamp"},
    {"storageclasses.storage.k8s.io",
     "Provisioner=.provisioner|ReclaimPolicy=.reclaimPolicy|VolumeBindingMode=.volumeBindingMode|"
     "AllowVolumeExpansion=.allowVolumeExpansion|Age=%.metadata.creationTimestamp"},
    {"poddisruptionbudgets.policy", "Min Available=.spec.minAvailable|Max Unavailable=.spec.maxUnavailable|"
                                    "Allowed Disruptions=0.status.disruptionsAllowed|"
                                    "Age=%.metadata.creationTimestamp"},
    {"roles.rbac.authorization.k8s.io", "Created At=.metadata.creationTimestamp"},
    {"clusterroles.rbac.authorization.k8s.io", "Created At=.metadata.creationTimestamp"},
    {"rolebindings.rbac.authorization.k8s.io", "Role=@role|Age=%.metadata.creationTimestamp"},
    {"clusterrolebindings.rbac.authorization.k8s.io", "Role=@role|Age=%.metadata.creationTimestamp"},
    {"resourcequotas", "Request==.status.used|Limit==.status.hard|Age=%.metadata.creationTimestamp"},
    {"priorityclasses.scheduling.k8s.io",
     "Value=.value|Global-Default=.globalDefault|Age=%.metadata.creationTimestamp|"
     "PreemptionPolicy=.preemptionPolicy"},
    {"apiservices.apiregistration.k8s.io",
     "Service=.spec.service.name|Available=.status.conditions[?(@.type=='Available')].status|"
     "Age=%.metadata.creationTimestamp"},
    {"mutatingwebhookconfigurations.admissionregistration.k8s.io",
     "Webhooks=#.webhooks|Age=%.metadata.creationTimestamp"},
    {"validatingwebhookconfigurations.admissionregistration.k8s.io",
     "Webhooks=#.webhooks|Age=%.metadata.creationTimestamp"},
    {"horizontalpodautoscalers.autoscaling",
     "Reference=.spec.scaleTargetRef.name|Targets=?.nothing|MinPods=.spec.minReplicas|"
     "MaxPods=.spec.maxReplicas|Replicas=0.status.currentReplicas|Age=%.metadata.creationTimestamp"},
};

static const char *columns_of(const struct kube_res *r)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(rows); i++) {
        if (rd_streq(rows[i].resource, r->name))
            return rows[i].columns;
    }
    return "Age=%.metadata.creationTimestamp";
}

static json_t *column(const char *name, const char *type, const char *format, json_int_t priority)
{
    return rd_json_pack("{s:s, s:s, s:s, s:s, s:I}", "name", name, "type", type, "format", format,
                        "description", "", "priority", priority);
}

json_t *kube_column_definitions(struct kube_res *r, const char *version)
{
    json_t *list = json_array();
    json_array_append_new(list, column("Name", "string", "name", 0));
    const struct kube_version *v = kube_res_version(r, version);
    if (r->custom) {
        size_t i;
        json_t *c;
        json_array_foreach (v == NULL ? NULL : (json_t *)v->columns, i, c)
            json_array_append_new(list, column(rd_json_str(c, "name", NULL), rd_json_str(c, "type", NULL), "",
                                               rd_json_path_int(c, "priority", 0)));
        if (json_array_size(v == NULL ? NULL : v->columns) == 0)
            json_array_append_new(list, column("Age", "date", "", 0));
        return list;
    }
    struct rd_strv parts = {0};
    rd_strv_split(&parts, columns_of(r), "|");
    for (size_t i = 0; i < parts.len; i++) {
        bool wide = parts.v[i][0] == '+';
        RD_AUTOFREE char *name = rd_strndup(parts.v[i] + wide, strcspn(parts.v[i] + wide, "="));
        json_array_append_new(list, column(name, "string", "", wide));
    }
    rd_strv_clear(&parts);
    return list;
}

static char *cell(const char *how, const json_t *o)
{
    const json_t *v = how[0] == '\0' || how[0] == '@' || how[0] == '!' ? NULL
                      : how[0] == '.' ? kube_json_path(o, how)
                                      : kube_json_path(o, how + 1);
    char *text;
    switch (how[0]) {
    case '@':
        text = worked_out(how + 1, o);
        break;
    case '!':
        return address(o, how + 1);
    case '%':
        return kube_age(json_string_value(v));
    case '#':
        return counted(o, how + 1);
    case '&':
        return joined(v, NULL, ",");
    case 'n':
        return joined(v, "name", ",");
    case 'i':
        return joined(v, "image", ",");
    case '=':
        return pairs(v);
    case '^':
        return modes(v);
    case '0':
        text = text_of(v);
        return text == NULL ? rd_strdup("0") : text;
    case '?':
        text = text_of(v);
        return text == NULL ? rd_strdup("") : text;
    case 'c':
        return rd_asprintf("%lld/%lld", (long long)rd_json_path_int(o, "status.succeeded", 0),
                           (long long)rd_json_path_int(o, "spec.completions", 1));
    default:
        text = text_of(v);
    }
    return text == NULL ? rd_strdup("<none>") : text;
}

static json_t *custom_cell(const json_t *c, const json_t *o)
{
    const char *path = rd_json_str(c, "jsonPath", NULL), *type = rd_json_str(c, "type", NULL);
    const json_t *v = path == NULL ? NULL : kube_json_path(o, path);
    if (v == NULL || json_is_null(v))
        return rd_streq(type, "date") ? json_string("<unknown>") : json_null();
    if (rd_streq(type, "date")) {
        RD_AUTOFREE char *age = kube_age(json_string_value(v));
        return json_string(age);
    }
    if (rd_streq(type, "string")) {
        RD_AUTOFREE char *text = text_of(v);
        return json_string(text);
    }
    return json_deep_copy(v);
}

json_t *kube_column_cells(struct kube_res *r, const char *version, const json_t *o)
{
    json_t *cells = json_array();
    json_array_append_new(cells, json_string(kube_meta(o, "name")));
    const struct kube_version *v = kube_res_version(r, version);
    if (r->custom) {
        size_t i;
        json_t *c;
        json_array_foreach (v == NULL ? NULL : (json_t *)v->columns, i, c)
            json_array_append_new(cells, custom_cell(c, o));
        if (json_array_size(v == NULL ? NULL : v->columns) == 0) {
            RD_AUTOFREE char *age = kube_age(kube_meta(o, "creationTimestamp"));
            json_array_append_new(cells, json_string(age));
        }
        return cells;
    }
    struct rd_strv parts = {0};
    rd_strv_split(&parts, columns_of(r), "|");
    for (size_t i = 0; i < parts.len; i++) {
        RD_AUTOFREE char *text = cell(strchr(parts.v[i], '=') + 1, o);
        json_array_append_new(cells, json_string(text));
    }
    rd_strv_clear(&parts);
    return cells;
}
