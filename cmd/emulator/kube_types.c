/* The built-in kinds, message by message: field names, types, and how lists are merged. Letters: s string,
 * i integer, b bool, q integer or string (quantities too), o anything, m map of strings, M the same as one
 * value, Name another message; [T] a list that is one value, [T]{a,b} a list merged by the keys, [T]= a set;
 * {T} a map. "Name!" is one value as a whole. A kind without a row is open: nothing in it is checked. */
#include "kube_type.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const char *const table[] = {
"ObjectMeta annotations:m creationTimestamp:s deletionGracePeriodSeconds:i deletionTimestamp:s finalizers:[s]= generateName:s generation:i labels:m managedFields:[o] name:s namespace:s ownerReferences:[OwnerReference]{uid} resourceVersion:s selfLink:s uid:s",
"OwnerReference! apiVersion:s blockOwnerDeletion:b controller:b kind:s name:s uid:s",
"Condition lastTransitionTime:s lastUpdateTime:s lastProbeTime:s lastHeartbeatTime:s message:s observedGeneration:i reason:s status:s type:s",
"LabelSelector! matchExpressions:[LabelSelectorRequirement] matchLabels:m",
"LabelSelectorRequirement key:s operator:s values:[s]",
"LocalObjectReference! name:s",
"ObjectReference! apiVersion:s fieldPath:s kind:s name:s namespace:s resourceVersion:s uid:s",
/* A volume's claim is not one value: the binder adds to what an applier named. */
"ClaimReference apiVersion:s fieldPath:s kind:s name:s namespace:s resourceVersion:s uid:s",
"TypedObjectReference! apiGroup:s kind:s name:s namespace:s",
"SecretReference! name:s namespace:s",

"Namespace apiVersion:s kind:s metadata:ObjectMeta spec:NamespaceSpec status:NamespaceStatus",
"NamespaceSpec finalizers:[s]",
"NamespaceStatus conditions:[Condition]{type} phase:s",
"ConfigMap apiVersion:s binaryData:m data:m immutable:b kind:s metadata:ObjectMeta",
"Secret apiVersion:s data:m immutable:b kind:s metadata:ObjectMeta stringData:m type:s",
"ServiceAccount apiVersion:s automountServiceAccountToken:b imagePullSecrets:[LocalObjectReference] kind:s metadata:ObjectMeta secrets:[ObjectReference]{name}",

"Pod apiVersion:s kind:s metadata:ObjectMeta spec:PodSpec status:PodStatus",
"PodTemplateSpec metadata:ObjectMeta spec:PodSpec",
"PodTemplate apiVersion:s kind:s metadata:ObjectMeta template:PodTemplateSpec",
"PodSpec activeDeadlineSeconds:i affinity:Affinity automountServiceAccountToken:b containers:[Container]{name} dnsConfig:PodDNSConfig dnsPolicy:s enableServiceLinks:b ephemeralContainers:[Container]{name} hostAliases:[HostAlias]{ip} hostIPC:b hostNetwork:b hostPID:b hostUsers:b hostname:s hostnameOverride:s imagePullSecrets:[LocalObjectReference]{name} initContainers:[Container]{name} nodeName:s nodeSelector:M os:o overhead:o preemptionPolicy:s priority:i priorityClassName:s readinessGates:[o] resourceClaims:[o]{name} resources:ResourceRequirements restartPolicy:s runtimeClassName:s schedulerName:s schedulingGates:[o]{name} securityContext:PodSecurityContext serviceAccount:s serviceAccountName:s setHostnameAsFQDN:b shareProcessNamespace:b subdomain:s terminationGracePeriodSeconds:i tolerations:[Toleration] topologySpreadConstraints:[TopologySpreadConstraint]{topologyKey,whenUnsatisfiable} volumes:[Volume]{name}",
"PodStatus conditions:[Condition]{type} containerStatuses:[o] ephemeralContainerStatuses:[o] hostIP:s hostIPs:[o] initContainerStatuses:[o] message:s nominatedNodeName:s observedGeneration:i phase:s podIP:s podIPs:[o]{ip} qosClass:s reason:s resize:s resourceClaimStatuses:[o]{name} startTime:s",
"Container args:[s] command:[s] env:[EnvVar]{name} envFrom:[EnvFromSource] image:s imagePullPolicy:s lifecycle:Lifecycle livenessProbe:Probe name:s ports:[ContainerPort]{containerPort,protocol} readinessProbe:Probe resizePolicy:[o] resources:ResourceRequirements restartPolicy:s restartPolicyRules:[o] securityContext:SecurityContext startupProbe:Probe stdin:b stdinOnce:b targetContainerName:s terminationMessagePath:s terminationMessagePolicy:s tty:b volumeDevices:[VolumeDevice]{devicePath} volumeMounts:[VolumeMount]{mountPath} workingDir:s",
"ContainerPort containerPort:i hostIP:s hostPort:i name:s protocol:s",
"EnvVar name:s value:s valueFrom:EnvVarSource",
"EnvVarSource configMapKeyRef:KeySelector fieldRef:ObjectFieldSelector fileKeyRef:o resourceFieldRef:ResourceFieldSelector secretKeyRef:KeySelector",
"KeySelector! key:s name:s optional:b",
"ObjectFieldSelector! apiVersion:s fieldPath:s",
"ResourceFieldSelector! containerName:s divisor:q resource:s",
"EnvFromSource configMapRef:EnvSource prefix:s secretRef:EnvSource",
"EnvSource name:s optional:b",
"Lifecycle postStart:LifecycleHandler preStop:LifecycleHandler stopSignal:s",
"LifecycleHandler exec:ExecAction httpGet:HTTPGetAction sleep:o tcpSocket:TCPSocketAction",
"ExecAction command:[s]",
"HTTPGetAction host:s httpHeaders:[o] path:s port:q scheme:s",
"TCPSocketAction host:s port:q",
"GRPCAction port:i service:s",
"Probe exec:ExecAction failureThreshold:i grpc:GRPCAction httpGet:HTTPGetAction initialDelaySeconds:i periodSeconds:i successThreshold:i tcpSocket:TCPSocketAction terminationGracePeriodSeconds:i timeoutSeconds:i",
"ResourceRequirements claims:[o]{name} limits:{q} requests:{q}",
"SecurityContext allowPrivilegeEscalation:b appArmorProfile:o capabilities:Capabilities privileged:b procMount:s readOnlyRootFilesystem:b runAsGroup:i runAsNonRoot:b runAsUser:i seLinuxOptions:o seccompProfile:SeccompProfile windowsOptions:o",
"Capabilities add:[s] drop:[s]",
"SeccompProfile localhostProfile:s type:s",
"PodSecurityContext appArmorProfile:o fsGroup:i fsGroupChangePolicy:s runAsGroup:i runAsNonRoot:b runAsUser:i seLinuxChangePolicy:s seLinuxOptions:o seccompProfile:SeccompProfile supplementalGroups:[i] supplementalGroupsPolicy:s sysctls:[o] windowsOptions:o",
"Toleration effect:s key:s operator:s tolerationSeconds:i value:s",
"TopologySpreadConstraint labelSelector:LabelSelector matchLabelKeys:[s] maxSkew:i minDomains:i nodeAffinityPolicy:s nodeTaintsPolicy:s topologyKey:s whenUnsatisfiable:s",
"Affinity nodeAffinity:NodeAffinity podAffinity:PodAffinity podAntiAffinity:PodAffinity",
"NodeAffinity preferredDuringSchedulingIgnoredDuringExecution:[PreferredSchedulingTerm] requiredDuringSchedulingIgnoredDuringExecution:NodeSelector",
"PreferredSchedulingTerm preference:NodeSelectorTerm weight:i",
"NodeSelector! nodeSelectorTerms:[NodeSelectorTerm]",
"NodeSelectorTerm! matchExpressions:[LabelSelectorRequirement] matchFields:[LabelSelectorRequirement]",
"PodAffinity preferredDuringSchedulingIgnoredDuringExecution:[WeightedPodAffinityTerm] requiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm]",
"WeightedPodAffinityTerm podAffinityTerm:PodAffinityTerm weight:i",
"PodAffinityTerm labelSelector:LabelSelector matchLabelKeys:[s] mismatchLabelKeys:[s] namespaceSelector:LabelSelector namespaces:[s] topologyKey:s",
"PodDNSConfig nameservers:[s] options:[o] searches:[s]",
"HostAlias hostnames:[s] ip:s",
"VolumeDevice devicePath:s name:s",
"VolumeMount mountPath:s mountPropagation:s name:s readOnly:b recursiveReadOnly:s subPath:s subPathExpr:s",
"Volume awsElasticBlockStore:o azureDisk:o azureFile:o cephfs:o cinder:o configMap:ConfigMapVolumeSource csi:CSIVolumeSource downwardAPI:DownwardAPIVolumeSource emptyDir:EmptyDirVolumeSource ephemeral:EphemeralVolumeSource fc:o flexVolume:o flocker:o gcePersistentDisk:o gitRepo:o glusterfs:o hostPath:HostPathVolumeSource image:o iscsi:o name:s nfs:NFSVolumeSource persistentVolumeClaim:PVCVolumeSource photonPersistentDisk:o portworxVolume:o projected:ProjectedVolumeSource quobyte:o rbd:o scaleIO:o secret:SecretVolumeSource storageos:o vsphereVolume:o",
"ConfigMapVolumeSource defaultMode:i items:[KeyToPath] name:s optional:b",
"SecretVolumeSource defaultMode:i items:[KeyToPath] optional:b secretName:s",
"KeyToPath key:s mode:i path:s",
"CSIVolumeSource driver:s fsType:s nodePublishSecretRef:LocalObjectReference readOnly:b volumeAttributes:m",
"DownwardAPIVolumeSource defaultMode:i items:[DownwardAPIVolumeFile]",
"DownwardAPIVolumeFile fieldRef:ObjectFieldSelector mode:i path:s resourceFieldRef:ResourceFieldSelector",
"EmptyDirVolumeSource medium:s sizeLimit:q",
"EphemeralVolumeSource volumeClaimTemplate:PVCTemplate",
"PVCTemplate metadata:ObjectMeta spec:PVCSpec",
"HostPathVolumeSource path:s type:s",
"NFSVolumeSource path:s readOnly:b server:s",
"PVCVolumeSource claimName:s readOnly:b",
"ProjectedVolumeSource defaultMode:i sources:[VolumeProjection]",
"VolumeProjection clusterTrustBundle:o configMap:ConfigMapVolumeSource downwardAPI:DownwardAPIVolumeSource podCertificate:o secret:ConfigMapVolumeSource serviceAccountToken:ServiceAccountTokenProjection",
"ServiceAccountTokenProjection audience:s expirationSeconds:i path:s",

"Service apiVersion:s kind:s metadata:ObjectMeta spec:ServiceSpec status:ServiceStatus",
"ServiceSpec allocateLoadBalancerNodePorts:b clusterIP:s clusterIPs:[s] externalIPs:[s] externalName:s externalTrafficPolicy:s healthCheckNodePort:i internalTrafficPolicy:s ipFamilies:[s] ipFamilyPolicy:s loadBalancerClass:s loadBalancerIP:s loadBalancerSourceRanges:[s] ports:[ServicePort]{port,protocol} publishNotReadyAddresses:b selector:M sessionAffinity:s sessionAffinityConfig:o trafficDistribution:s type:s",
"ServicePort appProtocol:s name:s nodePort:i port:i protocol:s targetPort:q",
"ServiceStatus conditions:[Condition]{type} loadBalancer:o",
"Node apiVersion:s kind:s metadata:ObjectMeta spec:NodeSpec status:NodeStatus",
"NodeSpec configSource:o externalID:s podCIDR:s podCIDRs:[s]= providerID:s taints:[o] unschedulable:b",
"NodeStatus addresses:[o]{type} allocatable:{q} capacity:{q} conditions:[Condition]{type} config:o daemonEndpoints:o declaredFeatures:[s] features:o images:[o] nodeInfo:o phase:s runtimeHandlers:[o] volumesAttached:[o] volumesInUse:[s]",
"PersistentVolume apiVersion:s kind:s metadata:ObjectMeta spec:PersistentVolumeSpec status:PersistentVolumeStatus",
"PersistentVolumeSpec accessModes:[s] awsElasticBlockStore:o azureDisk:o azureFile:o capacity:{q} cephfs:o cinder:o claimRef:ClaimReference csi:CSIPersistentVolumeSource fc:o flexVolume:o flocker:o gcePersistentDisk:o glusterfs:o hostPath:HostPathVolumeSource iscsi:o local:o mountOptions:[s] nfs:NFSVolumeSource nodeAffinity:o persistentVolumeReclaimPolicy:s photonPersistentDisk:o portworxVolume:o quobyte:o rbd:o scaleIO:o storageClassName:s storageos:o volumeAttributesClassName:s volumeMode:s vsphereVolume:o",
"CSIPersistentVolumeSource controllerExpandSecretRef:SecretReference controllerPublishSecretRef:SecretReference driver:s fsType:s nodeExpandSecretRef:SecretReference nodePublishSecretRef:SecretReference nodeStageSecretRef:SecretReference readOnly:b volumeAttributes:m volumeHandle:s",
"PersistentVolumeStatus lastPhaseTransitionTime:s message:s phase:s reason:s",
"PersistentVolumeClaim apiVersion:s kind:s metadata:ObjectMeta spec:PVCSpec status:PVCStatus",
"PVCSpec accessModes:[s] dataSource:TypedObjectReference dataSourceRef:TypedObjectReference resources:VolumeResources selector:LabelSelector storageClassName:s volumeAttributesClassName:s volumeMode:s volumeName:s",
"VolumeResources limits:{q} requests:{q}",
"PVCStatus accessModes:[s] allocatedResourceStatuses:m allocatedResources:{q} capacity:{q} conditions:[Condition]{type} currentVolumeAttributesClassName:s modifyVolumeStatus:o phase:s",
"ResourceQuota apiVersion:s kind:s metadata:ObjectMeta spec:ResourceQuotaSpec status:ResourceQuotaStatus",
"ResourceQuotaSpec hard:{q} scopeSelector:o scopes:[s]",
"ResourceQuotaStatus hard:{q} used:{q}",
"LimitRange apiVersion:s kind:s metadata:ObjectMeta spec:LimitRangeSpec",
"LimitRangeSpec limits:[LimitRangeItem]",
"LimitRangeItem default:{q} defaultRequest:{q} max:{q} maxLimitRequestRatio:{q} min:{q} type:s",

"Deployment apiVersion:s kind:s metadata:ObjectMeta spec:DeploymentSpec status:DeploymentStatus",
"DeploymentSpec minReadySeconds:i paused:b progressDeadlineSeconds:i replicas:i revisionHistoryLimit:i selector:LabelSelector strategy:DeploymentStrategy template:PodTemplateSpec",
"DeploymentStrategy rollingUpdate:RollingUpdate type:s",
"RollingUpdate maxSurge:q maxUnavailable:q partition:i",
"DeploymentStatus availableReplicas:i collisionCount:i conditions:[Condition]{type} observedGeneration:i readyReplicas:i replicas:i terminatingReplicas:i unavailableReplicas:i updatedReplicas:i",
"ReplicaSet apiVersion:s kind:s metadata:ObjectMeta spec:ReplicaSetSpec status:ReplicaSetStatus",
"ReplicaSetSpec minReadySeconds:i replicas:i selector:LabelSelector template:PodTemplateSpec",
"ReplicaSetStatus availableReplicas:i conditions:[Condition]{type} fullyLabeledReplicas:i observedGeneration:i readyReplicas:i replicas:i terminatingReplicas:i",
"StatefulSet apiVersion:s kind:s metadata:ObjectMeta spec:StatefulSetSpec status:StatefulSetStatus",
"StatefulSetSpec minReadySeconds:i ordinals:o persistentVolumeClaimRetentionPolicy:o podManagementPolicy:s replicas:i revisionHistoryLimit:i selector:LabelSelector serviceName:s template:PodTemplateSpec updateStrategy:UpdateStrategy volumeClaimTemplates:[PersistentVolumeClaim]",
"UpdateStrategy rollingUpdate:RollingUpdate type:s",
"StatefulSetStatus availableReplicas:i collisionCount:i conditions:[Condition]{type} currentReplicas:i currentRevision:s observedGeneration:i readyReplicas:i replicas:i updateRevision:s updatedReplicas:i",
"DaemonSet apiVersion:s kind:s metadata:ObjectMeta spec:DaemonSetSpec status:DaemonSetStatus",
"DaemonSetSpec minReadySeconds:i revisionHistoryLimit:i selector:LabelSelector template:PodTemplateSpec updateStrategy:UpdateStrategy",
"DaemonSetStatus collisionCount:i conditions:[Condition]{type} currentNumberScheduled:i desiredNumberScheduled:i numberAvailable:i numberMisscheduled:i numberReady:i numberUnavailable:i observedGeneration:i updatedNumberScheduled:i",
"Job apiVersion:s kind:s metadata:ObjectMeta spec:JobSpec status:JobStatus",
"JobSpec activeDeadlineSeconds:i backoffLimit:i backoffLimitPerIndex:i completionMode:s completions:i managedBy:s manualSelector:b maxFailedIndexes:i parallelism:i podFailurePolicy:o podReplacementPolicy:s selector:LabelSelector successPolicy:o suspend:b template:PodTemplateSpec ttlSecondsAfterFinished:i",
"JobStatus active:i completedIndexes:s completionTime:s conditions:[Condition] failed:i failedIndexes:s ready:i startTime:s succeeded:i terminating:i uncountedTerminatedPods:o",
"CronJob apiVersion:s kind:s metadata:ObjectMeta spec:CronJobSpec status:o",
"CronJobSpec concurrencyPolicy:s failedJobsHistoryLimit:i jobTemplate:JobTemplateSpec schedule:s startingDeadlineSeconds:i successfulJobsHistoryLimit:i suspend:b timeZone:s",
"JobTemplateSpec metadata:ObjectMeta spec:JobSpec",

"Role apiVersion:s kind:s metadata:ObjectMeta rules:[PolicyRule]",
"ClusterRole aggregationRule:o apiVersion:s kind:s metadata:ObjectMeta rules:[PolicyRule]",
"PolicyRule apiGroups:[s] nonResourceURLs:[s] resourceNames:[s] resources:[s] verbs:[s]",
"RoleBinding apiVersion:s kind:s metadata:ObjectMeta roleRef:RoleRef subjects:[Subject]",
"ClusterRoleBinding apiVersion:s kind:s metadata:ObjectMeta roleRef:RoleRef subjects:[Subject]",
"RoleRef! apiGroup:s kind:s name:s",
"Subject! apiGroup:s kind:s name:s namespace:s",
"NetworkPolicy apiVersion:s kind:s metadata:ObjectMeta spec:NetworkPolicySpec",
"NetworkPolicySpec egress:[NetworkPolicyRule] ingress:[NetworkPolicyRule] podSelector:LabelSelector policyTypes:[s]",
"NetworkPolicyRule from:[NetworkPolicyPeer] ports:[NetworkPolicyPort] to:[NetworkPolicyPeer]",
"NetworkPolicyPeer ipBlock:IPBlock namespaceSelector:LabelSelector podSelector:LabelSelector",
"NetworkPolicyPort endPort:i port:q protocol:s",
"IPBlock cidr:s except:[s]",
"Ingress apiVersion:s kind:s metadata:ObjectMeta spec:IngressSpec status:o",
"IngressSpec defaultBackend:o ingressClassName:s rules:[o] tls:[o]",
"IngressClass apiVersion:s kind:s metadata:ObjectMeta spec:o",
"PodDisruptionBudget apiVersion:s kind:s metadata:ObjectMeta spec:PodDisruptionBudgetSpec status:PodDisruptionBudgetStatus",
"PodDisruptionBudgetSpec maxUnavailable:q minAvailable:q selector:LabelSelector unhealthyPodEvictionPolicy:s",
"PodDisruptionBudgetStatus conditions:[Condition]{type} currentHealthy:i desiredHealthy:i disruptedPods:m disruptionsAllowed:i expectedPods:i observedGeneration:i",
"Lease apiVersion:s kind:s metadata:ObjectMeta spec:LeaseSpec",
"LeaseSpec acquireTime:s holderIdentity:s leaseDurationSeconds:i leaseTransitions:i preferredHolder:s renewTime:s strategy:s",
"StorageClass allowVolumeExpansion:b allowedTopologies:[o] apiVersion:s kind:s metadata:ObjectMeta mountOptions:[s] parameters:m provisioner:s reclaimPolicy:s volumeBindingMode:s",
"PriorityClass apiVersion:s description:s globalDefault:b kind:s metadata:ObjectMeta preemptionPolicy:s value:i",
"MutatingWebhookConfiguration apiVersion:s kind:s metadata:ObjectMeta webhooks:[Webhook]{name}",
"ValidatingWebhookConfiguration apiVersion:s kind:s metadata:ObjectMeta webhooks:[Webhook]{name}",
"Webhook admissionReviewVersions:[s] clientConfig:WebhookClientConfig failurePolicy:s matchConditions:[o]{name} matchPolicy:s name:s namespaceSelector:LabelSelector objectSelector:LabelSelector reinvocationPolicy:s rules:[o] sideEffects:s timeoutSeconds:i",
"WebhookClientConfig caBundle:s service:o url:s",
"CustomResourceDefinition apiVersion:s kind:s metadata:ObjectMeta spec:CustomResourceDefinitionSpec status:CustomResourceDefinitionStatus",
"CustomResourceDefinitionSpec conversion:o group:s names:CustomResourceDefinitionNames preserveUnknownFields:b scope:s versions:[CustomResourceDefinitionVersion]",
"CustomResourceDefinitionNames categories:[s] kind:s listKind:s plural:s shortNames:[s] singular:s",
"CustomResourceDefinitionVersion additionalPrinterColumns:[o] deprecated:b deprecationWarning:s name:s schema:o selectableFields:[o] served:b storage:b subresources:o",
"CustomResourceDefinitionStatus acceptedNames:CustomResourceDefinitionNames conditions:[Condition]{type} storedVersions:[s] observedGeneration:i",
"APIService apiVersion:s kind:s metadata:ObjectMeta spec:o status:o",
"HorizontalPodAutoscaler apiVersion:s kind:s metadata:ObjectMeta spec:HorizontalPodAutoscalerSpec status:o",
"HorizontalPodAutoscalerSpec behavior:o maxReplicas:i metrics:[o] minReplicas:i scaleTargetRef:o",
"Endpoints apiVersion:s kind:s metadata:ObjectMeta subsets:[o]",
"EndpointSlice addressType:s apiVersion:s endpoints:[o] kind:s metadata:ObjectMeta ports:[o]",
};
/* clang-format on */

/* Built when first asked for. */
static struct kube_type **types;
static size_t type_count;

static const struct kube_type basic_string = {.kind = KUBE_T_STRING};
static const struct kube_type basic_integer = {.kind = KUBE_T_INTEGER};
static const struct kube_type basic_bool = {.kind = KUBE_T_BOOL};
static const struct kube_type basic_intstr = {.kind = KUBE_T_INTSTR};
static const struct kube_type basic_map = {.kind = KUBE_T_MAP, .elem = &basic_string};
static const struct kube_type basic_atomic_map = {
    .kind = KUBE_T_MAP, .elem = &basic_string, .atomic = true};

static const struct kube_type *find(const char *name, size_t len)
{
    for (size_t i = 0; i < type_count; i++) {
        if (strncmp(types[i]->name, name, len) == 0 && types[i]->name[len] == '\0')
            return types[i];
    }
    return NULL;
}

/* One type expression of len characters. */
static const struct kube_type *parse(const char *s, size_t len)
{
    if (len == 1) {
        switch (*s) {
        case 's':
            return &basic_string;
        case 'i':
            return &basic_integer;
        case 'b':
            return &basic_bool;
        case 'q':
            return &basic_intstr;
        case 'm':
            return &basic_map;
        case 'M':
            return &basic_atomic_map;
        case 'o':
            return &kube_type_any;
        default:
            RD_UNREACHABLE();
        }
    }
    if (*s != '[' && *s != '{') {
        const struct kube_type *t = find(s, len);
        RD_ASSERT(t != NULL);
        return t;
    }
    struct kube_type *t = rd_calloc(1, sizeof(*t));
    const char *close = memchr(s, *s == '[' ? ']' : '}', len);
    RD_ASSERT(close != NULL);
    t->kind = *s == '[' ? KUBE_T_LIST : KUBE_T_MAP;
    t->elem = parse(s + 1, (size_t)(close - s - 1));
    if (t->kind == KUBE_T_MAP)
        return t;
    t->set = close[1] == '=';
    t->atomic = close + 1 == s + len;
    if (close[1] == '{') {
        struct rd_strv keys = {0};
        RD_AUTOFREE char *text = rd_strndup(close + 2, (size_t)(s + len - close - 3));
        rd_strv_split(&keys, text, ",");
        for (size_t i = 0; i < keys.len && i < KUBE_KEYS_MAX; i++)
            t->keys[i] = rd_strdup(keys.v[i]);
        rd_strv_clear(&keys);
    }
    return t;
}

static void load(void)
{
    if (types != NULL)
        return;
    type_count = RD_ARRAY_LEN(table);
    types = rd_calloc(type_count, sizeof(struct kube_type *));
    for (size_t i = 0; i < type_count; i++) {
        struct kube_type *t = types[i] = rd_calloc(1, sizeof(*t));
        size_t len = strcspn(table[i], " ");
        t->kind = KUBE_T_OBJECT;
        t->atomic = table[i][len - 1] == '!';
        t->name = rd_strndup(table[i], len - t->atomic);
    }
    for (size_t i = 0; i < type_count; i++) {
        struct kube_type *t = types[i];
        const char *at = strchr(table[i], ' ');
        while (at != NULL && *at != '\0') {
            at += *at == ' ';
            size_t name = strcspn(at, ":"), len = strcspn(at, " ");
            t->fields = rd_reallocarray(t->fields, t->field_count + 1, sizeof(*t->fields));
            t->fields[t->field_count++] = (struct kube_field){
                .name = rd_strndup(at, name), .type = parse(at + name + 1, len - name - 1)};
            at += len;
        }
    }
}

const struct kube_type *kube_type_named(const char *name)
{
    load();
    return find(name, strlen(name));
}

size_t kube_type_count(void)
{
    load();
    return type_count;
}

const struct kube_type *kube_type_at(size_t i)
{
    return types[i];
}

static bool is_basic(const struct kube_type *t)
{
    return t == &basic_string || t == &basic_integer || t == &basic_bool || t == &basic_intstr ||
           t == &basic_map || t == &basic_atomic_map || t == &kube_type_any || t->name != NULL;
}

void kube_types_free(void)
{
    for (size_t i = 0; i < type_count; i++) {
        struct kube_type *t = types[i];
        for (size_t k = 0; k < t->field_count; k++) {
            struct kube_type *f = (struct kube_type *)t->fields[k].type;
            free((char *)t->fields[k].name);
            if (is_basic(f))
                continue;
            for (size_t m = 0; m < KUBE_KEYS_MAX; m++)
                free(f->keys[m]);
            free(f);
        }
    }
    for (size_t i = 0; i < type_count; i++) {
        free(types[i]->name);
        free(types[i]->fields);
        free(types[i]);
    }
    free(types);
    types = NULL;
    type_count = 0;
}
