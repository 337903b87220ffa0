/* Protobuf bodies, as kubectl sends them for what it makes without a manifest (create namespace, configmap,
 * secret, deployment; auth can-i). Field numbers are those of k8s.io/api's generated.proto; kinds without a
 * row here are answered with 415. */
#include "kube_internal.h"

#include "kube_proto.h"

#include "base/encode.h"

#include <stdlib.h>
#include <string.h>

/* "number:name:type"; types: s string, i integer, b bool, y bytes, m map of strings, Y map of bytes,
 * q quantity or int-or-string, Q map of quantities, t time, Name another message; a '*' in front: a list. */
struct proto_row {
    const char *name, *fields;
};

/* clang-format off */
static const struct proto_row messages[] = {
    {"ObjectMeta", "1:name:s 2:generateName:s 3:namespace:s 5:uid:s 6:resourceVersion:s 7:generation:i 8:creationTimestamp:t 11:labels:m 12:annotations:m 13:ownerReferences:*OwnerReference 14:finalizers:*s"},
    {"OwnerReference", "1:kind:s 3:name:s 4:uid:s 5:apiVersion:s 6:controller:b 7:blockOwnerDeletion:b"},
    {"Namespace", "1:metadata:ObjectMeta 2:spec:NamespaceSpec"},
    {"NamespaceSpec", "1:finalizers:*s"},
    {"ConfigMap", "1:metadata:ObjectMeta 2:data:m 3:binaryData:Y 4:immutable:b"},
    {"Secret", "1:metadata:ObjectMeta 2:data:Y 3:type:s 4:stringData:m 5:immutable:b"},
    {"ServiceAccount", "1:metadata:ObjectMeta 4:automountServiceAccountToken:b"},
    {"Deployment", "1:metadata:ObjectMeta 2:spec:DeploymentSpec"},
    {"DeploymentSpec", "1:replicas:i 2:selector:LabelSelector 3:template:PodTemplateSpec 5:minReadySeconds:i 6:revisionHistoryLimit:i 7:paused:b 9:progressDeadlineSeconds:i"},
    {"LabelSelector", "1:matchLabels:m 2:matchExpressions:*LabelSelectorRequirement"},
    {"LabelSelectorRequirement", "1:key:s 2:operator:s 3:values:*s"},
    {"PodTemplateSpec", "1:metadata:ObjectMeta 2:spec:PodSpec"},
    {"PodSpec", "2:containers:*Container 3:restartPolicy:s 4:terminationGracePeriodSeconds:i 5:activeDeadlineSeconds:i 6:dnsPolicy:s 7:nodeSelector:m 8:serviceAccountName:s 10:nodeName:s 20:initContainers:*Container"},
    {"Container", "1:name:s 2:image:s 3:command:*s 4:args:*s 5:workingDir:s 6:ports:*ContainerPort 7:env:*EnvVar 8:resources:ResourceRequirements 14:imagePullPolicy:s 16:stdin:b 18:tty:b"},
    {"ContainerPort", "1:name:s 2:hostPort:i 3:containerPort:i 4:protocol:s 5:hostIP:s"},
    {"EnvVar", "1:name:s 2:value:s"},
    {"ResourceRequirements", "1:limits:Q 2:requests:Q"},
    {"Job", "1:metadata:ObjectMeta 2:spec:JobSpec"},
    {"JobSpec", "1:parallelism:i 2:completions:i 3:activeDeadlineSeconds:i 4:selector:LabelSelector 5:manualSelector:b 6:template:PodTemplateSpec 7:backoffLimit:i"},
    {"Role", "1:metadata:ObjectMeta 2:rules:*PolicyRule"},
    {"ClusterRole", "1:metadata:ObjectMeta 2:rules:*PolicyRule"},
    {"PolicyRule", "1:verbs:*s 2:apiGroups:*s 3:resources:*s 4:resourceNames:*s 5:nonResourceURLs:*s"},
    {"RoleBinding", "1:metadata:ObjectMeta 2:subjects:*Subject 3:roleRef:RoleRef"},
    {"ClusterRoleBinding", "1:metadata:ObjectMeta 2:subjects:*Subject 3:roleRef:RoleRef"},
    {"Subject", "1:kind:s 2:apiGroup:s 3:name:s 4:namespace:s"},
    {"RoleRef", "1:apiGroup:s 2:kind:s 3:name:s"},
    {"PriorityClass", "1:metadata:ObjectMeta 2:value:i 3:globalDefault:b 4:description:s 5:preemptionPolicy:s"},
    {"ResourceQuota", "1:metadata:ObjectMeta 2:spec:ResourceQuotaSpec"},
    {"ResourceQuotaSpec", "1:hard:Q 2:scopes:*s"},
    {"Service", "1:metadata:ObjectMeta 2:spec:ServiceSpec"},
    {"ServiceSpec", "1:ports:*ServicePort 2:selector:m 3:clusterIP:s 4:type:s 5:externalIPs:*s 7:sessionAffinity:s 10:externalName:s"},
    {"ServicePort", "1:name:s 2:protocol:s 3:port:i 4:targetPort:q 5:nodePort:i"},
    {"SelfSubjectReview", "1:metadata:ObjectMeta"},
    {"SelfSubjectAccessReview", "1:metadata:ObjectMeta 2:spec:SelfSubjectAccessReviewSpec"},
    {"SelfSubjectAccessReviewSpec", "1:resourceAttributes:ResourceAttributes 2:nonResourceAttributes:NonResourceAttributes"},
    {"ResourceAttributes", "1:namespace:s 2:verb:s 3:group:s 4:version:s 5:resource:s 6:subresource:s 7:name:s"},
    {"NonResourceAttributes", "1:path:s 2:verb:s"},
    {"SelfSubjectRulesReview", "1:metadata:ObjectMeta 2:spec:SelfSubjectRulesReviewSpec"},
    {"SelfSubjectRulesReviewSpec", "1:namespace:s"},
    {"TokenRequest", "1:metadata:ObjectMeta 2:spec:TokenRequestSpec"},
    {"TokenRequestSpec", "1:audiences:*s 4:expirationSeconds:i"},
    {"DeleteOptions", "1:gracePeriodSeconds:i 2:preconditions:Preconditions 3:orphanDependents:b 4:propagationPolicy:s 5:dryRun:*s"},
    {"Preconditions", "1:uid:s 2:resourceVersion:s"},
};
/* clang-format on */

struct wire {
    const unsigned char *at, *end;
    bool bad;
};

static uint64_t varint(struct wire *w)
{
    uint64_t v = 0;
    for (unsigned shift = 0; w->at < w->end && shift < 64; shift += 7) {
        unsigned char c = *w->at++;
        v |= (uint64_t)(c & 0x7f) << shift;
        if ((c & 0x80) == 0)
            return v;
    }
    w->bad = true;
    return 0;
}

/* The next field; its bytes in *ret_part (wire type 2) or its number. false: the end. */
static bool next_field(struct wire *w, unsigned *ret_number, struct wire *ret_part, uint64_t *ret_value)
{
    if (w->bad || w->at >= w->end)
        return false;
    uint64_t tag = varint(w);
    *ret_number = (unsigned)(tag >> 3);
    *ret_part = (struct wire){0};
    *ret_value = 0;
    size_t left;
    switch (tag & 7) {
    case 0:
        *ret_value = varint(w);
        return !w->bad;
    case 1:
    case 5:
        left = (tag & 7) == 1 ? 8 : 4;
        break;
    case 2:
        left = (size_t)varint(w);
        break;
    default:
        w->bad = true;
        return false;
    }
    if (w->bad || left > (size_t)(w->end - w->at)) {
        w->bad = true;
        return false;
    }
    *ret_part = (struct wire){.at = w->at, .end = w->at + left};
    w->at += left;
    return true;
}

static const char *fields_of(const char *message)
{
    for (size_t i = 0; i < RD_ARRAY_LEN(messages); i++) {
        if (strcmp(messages[i].name, message) == 0)
            return messages[i].fields;
    }
    return NULL;
}

static json_t *text(const struct wire *w)
{
    json_t *s = json_stringn((const char *)w->at, (size_t)(w->end - w->at));
    return s == NULL ? json_string("") : s;
}

/* {1: string} of a quantity; {1: type, 2: int, 3: string} of an int-or-string. */
static json_t *quantity(struct wire w)
{
    unsigned number;
    struct wire part;
    uint64_t value, as_int = 0;
    bool is_string = false;
    json_t *string = NULL;
    while (next_field(&w, &number, &part, &value)) {
        if (number == 1 && part.at != NULL)
            return text(&part);
        if (number == 1)
            is_string = value == 1;
        else if (number == 2)
            as_int = value;
        else if (number == 3 && string == NULL)
            string = text(&part);
    }
    if (is_string && string != NULL)
        return string;
    json_decref(string);
    return json_integer((json_int_t)as_int);
}

static json_t *value_of(const char *type, struct wire *w, struct wire part, uint64_t value, int depth);

static json_t *message_of(const char *name, struct wire w, struct wire *ret_state, int depth)
{
    const char *fields = fields_of(name);
    json_t *out = json_object();
    unsigned number;
    struct wire part;
    uint64_t value;
    while (fields != NULL && depth < 64 && next_field(&w, &number, &part, &value)) {
        for (const char *f = fields; *f != '\0'; f += strcspn(f, " "), f += *f == ' ') {
            char *colon = NULL;
            if (strtoul(f, &colon, 10) != number)
                continue;
            size_t len = strcspn(colon + 1, ":");
            RD_AUTOFREE char *key = rd_strndup(colon + 1, len);
            const char *spec = colon + 1 + len + 1;
            RD_AUTOFREE char *type = rd_strndup(spec, strcspn(spec, " "));
            bool list = *type == '*';
            bool map = strcmp(type, "m") == 0 || strcmp(type, "Y") == 0 || strcmp(type, "Q") == 0;
            json_t *v = value_of(type + list, &w, part, value, depth);
            json_t *old = json_object_get(out, key);
            if (list) {
                if (old == NULL)
                    json_object_set_new(out, key, old = json_array());
                json_array_append_new(old, v);
            } else if (map && old != NULL) {
                json_object_update(old, v);
                json_decref(v);
            } else if (v != NULL && !(json_is_string(v) && *json_string_value(v) == '\0')) {
                json_object_set_new(out, key, v);
            } else {
                json_decref(v); /* gogo writes empty strings; JSON leaves them out */
            }
            break;
        }
    }
    ret_state->bad = ret_state->bad || w.bad;
    return out;
}

/* One entry of a map: {1: key, 2: value}. */
static json_t *entry(const char *type, struct wire w)
{
    unsigned number;
    struct wire part, value = {0};
    uint64_t ignored;
    RD_AUTOJSON json_t *key = json_string("");
    while (next_field(&w, &number, &part, &ignored)) {
        if (number == 1) {
            json_decref(key);
            key = text(&part);
        } else if (number == 2) {
            value = part;
        }
    }
    json_t *v = *type == 'Q' ? quantity(value) : NULL;
    if (*type == 'Y') {
        RD_AUTOFREE char *b64 = rd_base64_encode(value.at, (size_t)(value.end - value.at));
        v = json_string(b64);
    } else if (v == NULL) {
        v = value.at == NULL ? json_string("") : text(&value);
    }
    json_t *out = json_object();
    json_object_set_new(out, json_string_value(key), v);
    return out;
}

static json_t *value_of(const char *type, struct wire *w, struct wire part, uint64_t value, int depth)
{
    if (type[1] != '\0')
        return message_of(type, part, w, depth + 1);
    switch (*type) {
    case 's':
        return text(&part);
    case 'i':
        return json_integer((json_int_t)value);
    case 'b':
        return json_boolean(value != 0);
    case 'q':
        return quantity(part);
    case 't':
        return NULL; /* the server's to set */
    default:
        return entry(type, part);
    }
}

bool kube_proto_is(const struct emu_req *req)
{
    const char *type = emu_req_header(req, "content-type");
    return type != NULL && rd_starts_with(type, "application/vnd.kubernetes.protobuf");
}

json_t *kube_proto_read(const struct emu_req *req)
{
    static const unsigned char magic[4] = {'k', '8', 's', 0};
    if (req->msg.body_len < 4 || memcmp(req->msg.body, magic, 4) != 0)
        return NULL;
    const unsigned char *from = (const unsigned char *)req->msg.body;
    struct wire w = {.at = from + 4, .end = from + req->msg.body_len}, part, raw = {0}, meta = {0};
    unsigned number;
    uint64_t value;
    while (next_field(&w, &number, &part, &value)) {
        if (number == 1)
            meta = part;
        else if (number == 2)
            raw = part;
    }
    RD_AUTOJSON json_t *api = json_string(""), *kind = json_string("");
    while (next_field(&meta, &number, &part, &value)) {
        json_t **to = number == 1 ? &api : &kind;
        json_decref(*to);
        *to = text(&part);
    }
    if (w.bad || meta.bad || fields_of(json_string_value(kind)) == NULL)
        return NULL;
    struct wire state = {0};
    json_t *body = message_of(json_string_value(kind), raw, &state, 0);
    if (state.bad) {
        json_decref(body);
        return NULL;
    }
    json_t *out = rd_json_pack("{s:O, s:O}", "apiVersion", api, "kind", kind);
    json_object_update(out, body);
    json_decref(body);
    return out;
}
