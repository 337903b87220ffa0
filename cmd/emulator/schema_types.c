/* What request bodies may hold, message by message, as the APIs' discovery documents name it: fields
 * with their types. Letters: s string, b bool, i int32, l int64, n number, m map of strings, o anything;
 * [T] list, {*:T} map, 'A|B' enum, Name another message. Prefixes keep the APIs apart. See schema.h. */
#include "schema.h"

/* clang-format off */
const char *const schema_types[] = {
    "ArAptRepository{artifactRegistryRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigAptRepositoryArtifactRegistryRepository "
    "customRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigAptRepositoryCustomRepository "
    "publicRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigAptRepositoryPublicRepository}",
    "ArBinding{condition:ArExpr members:[s] role:s}",
    "ArCleanupPolicyCondition{moreStaleThan:s newerThan:s olderThan:s packageNamePrefixes:[s] "
    "tagPrefixes:[s] tagState:'ANY|TAGGED|TAG_STATE_UNSPECIFIED|UNTAGGED' "
    "versionNamePrefixes:[s]}",
    "ArCleanupPolicyMostRecentVersions{keepCount:i packageNamePrefixes:[s]}",
    "ArCleanupPolicy{action:'ACTION_UNSPECIFIED|DELETE|KEEP' "
    "condition:ArCleanupPolicyCondition id:s "
    "mostRecentVersions:ArCleanupPolicyMostRecentVersions}",
    "ArCommonRemoteRepository{uri:s}",
    "ArDockerRepositoryConfig{immutableTags:b}",
    "ArDockerRepository{artifactRegistryRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigDockerRepositoryArtifactRegistryRepository "
    "customRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigDockerRepositoryCustomRepository "
    "publicRepository:'DOCKER_HUB|PUBLIC_REPOSITORY_UNSPECIFIED'}",
    "ArExpr{description:s expression:s location:s title:s}",
    "ArGoRepository{customRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigGoRepositoryCustomRepository}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigAptRepositoryArtifactRegistryRepository{repository:s}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigAptRepositoryCustomRepository{uri:s}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigAptRepositoryPublicRepository{repositoryBase:'DEBIAN|DEBIAN_SNAPSHOT|REPOSITORY_BASE_UNSPECIFIED|UBUNTU' "
    "repositoryPath:s}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigDockerRepositoryArtifactRegistryRepository{repository:s}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigDockerRepositoryCustomRepository{uri:s}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigGoRepositoryCustomRepository{uri:s}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigMavenRepositoryArtifactRegistryRepository{repository:s}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigMavenRepositoryCustomRepository{uri:s}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigNpmRepositoryArtifactRegistryRepository{repository:s}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigNpmRepositoryCustomRepository{uri:s}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigPythonRepositoryArtifactRegistryRepository{repository:s}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigPythonRepositoryCustomRepository{uri:s}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigYumRepositoryArtifactRegistryRepository{repository:s}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigYumRepositoryCustomRepository{uri:s}",
    "ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigYumRepositoryPublicRepository{repositoryBase:'CENTOS|CENTOS_DEBUG|CENTOS_STREAM|CENTOS_VAULT|EPEL|REPOSITORY_BASE_UNSPECIFIED|ROCKY' "
    "repositoryPath:s}",
    "ArMavenRepositoryConfig{allowSnapshotOverwrites:b "
    "versionPolicy:'RELEASE|SNAPSHOT|VERSION_POLICY_UNSPECIFIED'}",
    "ArMavenRepository{artifactRegistryRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigMavenRepositoryArtifactRegistryRepository "
    "customRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigMavenRepositoryCustomRepository "
    "publicRepository:'MAVEN_CENTRAL|PUBLIC_REPOSITORY_UNSPECIFIED'}",
    "ArNetworkConfig{alternativeHostname:s isDefault:b prefix:s}",
    "ArNpmRepository{artifactRegistryRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigNpmRepositoryArtifactRegistryRepository "
    "customRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigNpmRepositoryCustomRepository "
    "publicRepository:'NPMJS|PUBLIC_REPOSITORY_UNSPECIFIED'}",
    "ArPolicy{bindings:[ArBinding] etag:s version:i}",
    "ArPythonRepository{artifactRegistryRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigPythonRepositoryArtifactRegistryRepository "
    "customRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigPythonRepositoryCustomRepository "
    "publicRepository:'PUBLIC_REPOSITORY_UNSPECIFIED|PYPI'}",
    "ArRemoteRepositoryConfig{aptRepository:ArAptRepository "
    "commonRepository:ArCommonRemoteRepository deleteNotFoundCacheFiles:b description:s "
    "disableUpstreamValidation:b dockerRepository:ArDockerRepository "
    "goRepository:ArGoRepository mavenRepository:ArMavenRepository "
    "npmRepository:ArNpmRepository pythonRepository:ArPythonRepository "
    "remoteType:'CACHE_LAYER|MIRROR|REMOTE_TYPE_UNSPECIFIED' "
    "serviceDirectoryConfig:ArServiceDirectoryConfig "
    "upstreamCredentials:ArUpstreamCredentials yumRepository:ArYumRepository}",
    "ArRepository{cleanupPolicies:{*:ArCleanupPolicy} cleanupPolicyDryRun:b createTime:s "
    "description:s disallowUnspecifiedMode:b dockerConfig:ArDockerRepositoryConfig "
    "format:'APT|DOCKER|FORMAT_UNSPECIFIED|GENERIC|GO|GOOGET|KFP|MAVEN|NPM|PYTHON|RUBY|YUM' "
    "kmsKeyName:s labels:m mavenConfig:ArMavenRepositoryConfig "
    "mode:'AOSS_REPOSITORY|ASSURED_OSS_REPOSITORY|MODE_UNSPECIFIED|REMOTE_REPOSITORY|"
    "STANDARD_REPOSITORY|VIRTUAL_REPOSITORY' name:s networkConfig:ArNetworkConfig "
    "registryUri:s remoteRepositoryConfig:ArRemoteRepositoryConfig satisfiesPzi:b "
    "satisfiesPzs:b sbomConfig:ArSbomConfig sizeBytes:l updateTime:s "
    "virtualRepositoryConfig:ArVirtualRepositoryConfig "
    "vulnerabilityScanningConfig:ArVulnerabilityScanningConfig}",
    "ArSbomConfig{enablementConfig:'DISABLED|ENABLEMENT_CONFIG_UNSPECIFIED|INHERITED' "
    "enablementState:'ENABLEMENT_STATE_UNSPECIFIED|SBOM_ACTIVE|SBOM_DISABLED|"
    "SBOM_UNSUPPORTED' enablementStateReason:s gcsBucket:s lastEnableTime:s}",
    "ArServiceDirectoryConfig{service:s}",
    "ArSetIamPolicyRequest{policy:ArPolicy}",
    "ArTestIamPermissionsRequest{permissions:[s]}",
    "ArUpstreamCredentials{usernamePasswordCredentials:ArUsernamePasswordCredentials}",
    "ArUpstreamPolicy{id:s priority:i repository:s}",
    "ArUsernamePasswordCredentials{passwordSecretVersion:s username:s}",
    "ArVirtualRepositoryConfig{upstreamPolicies:[ArUpstreamPolicy]}",
    "ArVulnerabilityScanningConfig{enablementConfig:'DISABLED|"
    "ENABLEMENT_CONFIG_UNSPECIFIED|INHERITED' "
    "enablementState:'ENABLEMENT_STATE_UNSPECIFIED|SCANNING_ACTIVE|SCANNING_DISABLED|"
    "SCANNING_UNSUPPORTED' enablementStateReason:s lastEnableTime:s}",
    "ArYumRepository{artifactRegistryRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigYumRepositoryArtifactRegistryRepository "
    "customRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigYumRepositoryCustomRepository "
    "publicRepository:ArGoogleDevtoolsArtifactregistryV1RemoteRepositoryConfigYumRepositoryPublicRepository}",
    "CpAddress{address:s addressType:'EXTERNAL|INTERNAL|UNSPECIFIED_TYPE' creationTimestamp:s "
    "description:s id:l ipVersion:'IPV4|IPV6|UNSPECIFIED_VERSION' ipv6EndpointType:'NETLB|VM' "
    "kind:s labelFingerprint:s labels:m name:s network:s "
    "networkTier:'FIXED_STANDARD|PREMIUM|STANDARD|STANDARD_OVERRIDES_FIXED_STANDARD' "
    "prefixLength:i "
    "purpose:'DNS_RESOLVER|GCE_ENDPOINT|IPSEC_INTERCONNECT|NAT_AUTO|"
    "PRIVATE_SERVICE_CONNECT|SERVERLESS|SHARED_LOADBALANCER_VIP|VPC_PEERING' region:s "
    "selfLink:s status:'IN_USE|RESERVED|RESERVING' subnetwork:s users:[s]}",
    "CpAllowedValueListEntry{IPProtocol:s ports:[s]}",
    "CpCustomerEncryptionKey{kmsKeyName:s kmsKeyServiceAccount:s rawKey:s rsaEncryptedKey:s "
    "sha256:s}",
    "CpDeniedValueListEntry{IPProtocol:s ports:[s]}",
    "CpDiskAsyncReplicationList{asyncReplicationDisk:CpDiskAsyncReplication}",
    "CpDiskAsyncReplication{consistencyGroupPolicy:s consistencyGroupPolicyId:s disk:s "
    "diskId:s}",
    "CpDiskParams{resourceManagerTags:m}",
    "CpDiskResourceStatusAsyncReplicationStatus{state:'ACTIVE|CREATED|STARTING|"
    "STATE_UNSPECIFIED|STOPPED|STOPPING'}",
    "CpDiskResourceStatus{asyncPrimaryDisk:CpDiskResourceStatusAsyncReplicationStatus "
    "asyncSecondaryDisks:{*:CpDiskResourceStatusAsyncReplicationStatus}}",
    "CpDisk{accessMode:'READ_ONLY_MANY|READ_WRITE_MANY|READ_WRITE_SINGLE' "
    "architecture:'ARCHITECTURE_UNSPECIFIED|ARM64|X86_64' "
    "asyncPrimaryDisk:CpDiskAsyncReplication "
    "asyncSecondaryDisks:{*:CpDiskAsyncReplicationList} creationTimestamp:s description:s "
    "diskEncryptionKey:CpCustomerEncryptionKey enableConfidentialCompute:b "
    "guestOsFeatures:[CpGuestOsFeature] id:l kind:s labelFingerprint:s labels:m "
    "lastAttachTimestamp:s lastDetachTimestamp:s licenseCodes:[l] licenses:[s] locationHint:s "
    "name:s options:s params:CpDiskParams physicalBlockSizeBytes:l provisionedIops:l "
    "provisionedThroughput:l region:s replicaZones:[s] resourcePolicies:[s] "
    "resourceStatus:CpDiskResourceStatus satisfiesPzi:b satisfiesPzs:b selfLink:s sizeGb:l "
    "sourceConsistencyGroupPolicy:s sourceConsistencyGroupPolicyId:s sourceDisk:s "
    "sourceDiskId:s sourceImage:s sourceImageEncryptionKey:CpCustomerEncryptionKey "
    "sourceImageId:s sourceInstantSnapshot:s sourceInstantSnapshotId:s sourceSnapshot:s "
    "sourceSnapshotEncryptionKey:CpCustomerEncryptionKey sourceSnapshotId:s "
    "sourceStorageObject:s status:'CREATING|DELETING|FAILED|READY|RESTORING|UNAVAILABLE' "
    "storagePool:s type:s users:[s] zone:s}",
    "CpFirewallLogConfig{enable:b metadata:'EXCLUDE_ALL_METADATA|INCLUDE_ALL_METADATA'}",
    "CpFirewallParams{resourceManagerTags:m}",
    "CpFirewall{allowed:[CpAllowedValueListEntry] creationTimestamp:s "
    "denied:[CpDeniedValueListEntry] description:s destinationRanges:[s] "
    "direction:'EGRESS|INGRESS' disabled:b id:l kind:s logConfig:CpFirewallLogConfig name:s "
    "network:s params:CpFirewallParams priority:i selfLink:s sourceRanges:[s] "
    "sourceServiceAccounts:[s] sourceTags:[s] targetServiceAccounts:[s] targetTags:[s]}",
    "CpForwardingRuleServiceDirectoryRegistration{namespace:s service:s "
    "serviceDirectoryRegion:s}",
    "CpForwardingRule{IPAddress:s IPProtocol:'AH|ESP|ICMP|L3_DEFAULT|SCTP|TCP|UDP' allPorts:b "
    "allowGlobalAccess:b allowPscGlobalAccess:b backendService:s baseForwardingRule:s "
    "creationTimestamp:s description:s "
    "externalManagedBackendBucketMigrationState:'PREPARE|TEST_ALL_TRAFFIC|"
    "TEST_BY_PERCENTAGE' externalManagedBackendBucketMigrationTestingPercentage:n "
    "fingerprint:s id:l ipCollection:s ipVersion:'IPV4|IPV6|UNSPECIFIED_VERSION' "
    "isMirroringCollector:b kind:s labelFingerprint:s labels:m "
    "loadBalancingScheme:'EXTERNAL|EXTERNAL_MANAGED|INTERNAL|INTERNAL_MANAGED|"
    "INTERNAL_SELF_MANAGED|INVALID' metadataFilters:[CpMetadataFilter] name:s network:s "
    "networkTier:'FIXED_STANDARD|PREMIUM|STANDARD|STANDARD_OVERRIDES_FIXED_STANDARD' "
    "noAutomateDnsZone:b portRange:s ports:[s] pscConnectionId:l "
    "pscConnectionStatus:'ACCEPTED|CLOSED|NEEDS_ATTENTION|PENDING|REJECTED|"
    "STATUS_UNSPECIFIED' region:s selfLink:s selfLinkWithId:s "
    "serviceDirectoryRegistrations:[CpForwardingRuleServiceDirectoryRegistration] "
    "serviceLabel:s serviceName:s sourceIpRanges:[s] subnetwork:s target:s}",
    "CpGuestOsFeature{type:'BARE_METAL_LINUX_COMPATIBLE|FEATURE_TYPE_UNSPECIFIED|GVNIC|"
    "IDPF|MULTI_IP_SUBNET|SECURE_BOOT|SEV_CAPABLE|SEV_LIVE_MIGRATABLE|"
    "SEV_LIVE_MIGRATABLE_V2|SEV_SNP_CAPABLE|SNP_SVSM_CAPABLE|TDX_CAPABLE|UEFI_COMPATIBLE|"
    "VIRTIO_SCSI_MULTIQUEUE|WINDOWS'}",
    "CpMetadataFilterLabelMatch{name:s value:s}",
    "CpMetadataFilter{filterLabels:[CpMetadataFilterLabelMatch] "
    "filterMatchCriteria:'MATCH_ALL|MATCH_ANY|NOT_SET'}",
    "CpNetworkEndpointGroupAppEngine{service:s urlMask:s version:s}",
    "CpNetworkEndpointGroupCloudFunction{function:s urlMask:s}",
    "CpNetworkEndpointGroupCloudRun{service:s tag:s urlMask:s}",
    "CpNetworkEndpointGroupPscData{consumerPscAddress:s producerPort:i pscConnectionId:l "
    "pscConnectionStatus:'ACCEPTED|CLOSED|NEEDS_ATTENTION|PENDING|REJECTED|"
    "STATUS_UNSPECIFIED'}",
    "CpNetworkEndpointGroup{annotations:m appEngine:CpNetworkEndpointGroupAppEngine "
    "cloudFunction:CpNetworkEndpointGroupCloudFunction "
    "cloudRun:CpNetworkEndpointGroupCloudRun creationTimestamp:s defaultPort:i description:s "
    "id:l kind:s name:s network:s "
    "networkEndpointType:'GCE_VM_IP|GCE_VM_IP_PORT|GCE_VM_IP_PORTMAP|INTERNET_FQDN_PORT|"
    "INTERNET_IP_PORT|NON_GCP_PRIVATE_IP_PORT|PRIVATE_SERVICE_CONNECT|SERVERLESS' "
    "pscData:CpNetworkEndpointGroupPscData pscTargetService:s region:s selfLink:s size:i "
    "subnetwork:s zone:s}",
    "CpNetworkParams{resourceManagerTags:m}",
    "CpNetworkPeering{autoCreateRoutes:b exchangeSubnetRoutes:b exportCustomRoutes:b "
    "exportSubnetRoutesWithPublicIp:b importCustomRoutes:b importSubnetRoutesWithPublicIp:b "
    "name:s network:s peerMtu:i stackType:'IPV4_IPV6|IPV4_ONLY' state:'ACTIVE|INACTIVE' "
    "stateDetails:s}",
    "CpNetworkRoutingConfig{bgpAlwaysCompareMed:b bgpBestPathSelectionMode:'LEGACY|STANDARD' "
    "bgpInterRegionCost:'ADD_COST_TO_MED|DEFAULT' effectiveBgpAlwaysCompareMed:b "
    "effectiveBgpInterRegionCost:'ADD_COST_TO_MED|DEFAULT' routingMode:'GLOBAL|REGIONAL'}",
    "CpNetworksRemovePeeringRequest{name:s}",
    "CpNetwork{IPv4Range:s autoCreateSubnetworks:b creationTimestamp:s description:s "
    "enableUlaInternalIpv6:b firewallPolicy:s gatewayIPv4:s id:l internalIpv6Range:s kind:s "
    "mtu:i name:s "
    "networkFirewallPolicyEnforcementOrder:'AFTER_CLASSIC_FIREWALL|BEFORE_CLASSIC_FIREWALL' "
    "networkProfile:s params:CpNetworkParams peerings:[CpNetworkPeering] "
    "routingConfig:CpNetworkRoutingConfig selfLink:s selfLinkWithId:s subnetworks:[s]}",
    "CpRouterAdvertisedIpRange{description:s range:s}",
    "CpRouterBgpPeerBfd{minReceiveInterval:i minTransmitInterval:i multiplier:i "
    "sessionInitializationMode:'ACTIVE|DISABLED|PASSIVE'}",
    "CpRouterBgpPeerCustomLearnedIpRange{range:s}",
    "CpRouterBgpPeer{advertiseMode:'CUSTOM|DEFAULT' advertisedGroups:['ALL_SUBNETS'] "
    "advertisedIpRanges:[CpRouterAdvertisedIpRange] advertisedRoutePriority:i "
    "bfd:CpRouterBgpPeerBfd customLearnedIpRanges:[CpRouterBgpPeerCustomLearnedIpRange] "
    "customLearnedRoutePriority:i enable:'FALSE|TRUE' enableIpv4:b enableIpv6:b "
    "exportPolicies:[s] importPolicies:[s] interfaceName:s ipAddress:s ipv4NexthopAddress:s "
    "ipv6NexthopAddress:s managementType:'MANAGED_BY_ATTACHMENT|MANAGED_BY_USER' "
    "md5AuthenticationKeyName:s name:s peerAsn:i peerIpAddress:s peerIpv4NexthopAddress:s "
    "peerIpv6NexthopAddress:s routerApplianceInstance:s}",
    "CpRouterBgp{advertiseMode:'CUSTOM|DEFAULT' advertisedGroups:['ALL_SUBNETS'] "
    "advertisedIpRanges:[CpRouterAdvertisedIpRange] asn:i identifierRange:s "
    "keepaliveInterval:i}",
    "CpRouterInterface{ipRange:s ipVersion:'IPV4|IPV6' linkedInterconnectAttachment:s "
    "linkedVpnTunnel:s managementType:'MANAGED_BY_ATTACHMENT|MANAGED_BY_USER' name:s "
    "privateIpAddress:s redundantInterface:s subnetwork:s}",
    "CpRouterMd5AuthenticationKey{key:s name:s}",
    "CpRouterNatLogConfig{enable:b filter:'ALL|ERRORS_ONLY|TRANSLATIONS_ONLY'}",
    "CpRouterNatRuleAction{sourceNatActiveIps:[s] sourceNatActiveRanges:[s] "
    "sourceNatDrainIps:[s] sourceNatDrainRanges:[s]}",
    "CpRouterNatRule{action:CpRouterNatRuleAction description:s match:s ruleNumber:i}",
    "CpRouterNatSubnetworkToNat64{name:s}",
    "CpRouterNatSubnetworkToNat{name:s secondaryIpRangeNames:[s] "
    "sourceIpRangesToNat:['ALL_IP_RANGES|LIST_OF_SECONDARY_IP_RANGES|PRIMARY_IP_RANGE']}",
    "CpRouterNat{autoNetworkTier:'FIXED_STANDARD|PREMIUM|STANDARD|"
    "STANDARD_OVERRIDES_FIXED_STANDARD' drainNatIps:[s] enableDynamicPortAllocation:b "
    "enableEndpointIndependentMapping:b "
    "endpointTypes:['ENDPOINT_TYPE_MANAGED_PROXY_LB|ENDPOINT_TYPE_SWG|ENDPOINT_TYPE_VM'] "
    "icmpIdleTimeoutSec:i logConfig:CpRouterNatLogConfig maxPortsPerVm:i minPortsPerVm:i "
    "name:s nat64Subnetworks:[CpRouterNatSubnetworkToNat64] "
    "natIpAllocateOption:'AUTO_ONLY|MANUAL_ONLY' natIps:[s] rules:[CpRouterNatRule] "
    "sourceSubnetworkIpRangesToNat:'ALL_SUBNETWORKS_ALL_IP_RANGES|"
    "ALL_SUBNETWORKS_ALL_PRIMARY_IP_RANGES|LIST_OF_SUBNETWORKS' "
    "sourceSubnetworkIpRangesToNat64:'ALL_IPV6_SUBNETWORKS|LIST_OF_IPV6_SUBNETWORKS' "
    "subnetworks:[CpRouterNatSubnetworkToNat] tcpEstablishedIdleTimeoutSec:i "
    "tcpTimeWaitTimeoutSec:i tcpTransitoryIdleTimeoutSec:i type:'PRIVATE|PUBLIC' "
    "udpIdleTimeoutSec:i}",
    "CpRouter{bgp:CpRouterBgp bgpPeers:[CpRouterBgpPeer] creationTimestamp:s description:s "
    "encryptedInterconnectRouter:b id:l interfaces:[CpRouterInterface] kind:s "
    "md5AuthenticationKeys:[CpRouterMd5AuthenticationKey] name:s nats:[CpRouterNat] network:s "
    "region:s selfLink:s}",
    "CpSnapshot{architecture:'ARCHITECTURE_UNSPECIFIED|ARM64|X86_64' autoCreated:b "
    "chainName:s creationSizeBytes:l creationTimestamp:s description:s diskSizeGb:l "
    "downloadBytes:l enableConfidentialCompute:b guestFlush:b "
    "guestOsFeatures:[CpGuestOsFeature] id:l kind:s labelFingerprint:s labels:m "
    "licenseCodes:[l] licenses:[s] locationHint:s name:s satisfiesPzi:b satisfiesPzs:b "
    "selfLink:s snapshotEncryptionKey:CpCustomerEncryptionKey snapshotType:'ARCHIVE|STANDARD' "
    "sourceDisk:s sourceDiskEncryptionKey:CpCustomerEncryptionKey "
    "sourceDiskForRecoveryCheckpoint:s sourceDiskId:s sourceInstantSnapshot:s "
    "sourceInstantSnapshotEncryptionKey:CpCustomerEncryptionKey sourceInstantSnapshotId:s "
    "sourceSnapshotSchedulePolicy:s sourceSnapshotSchedulePolicyId:s "
    "status:'CREATING|DELETING|FAILED|READY|UPLOADING' storageBytes:l "
    "storageBytesStatus:'UPDATING|UP_TO_DATE' storageLocations:[s]}",
    "CpNamedPort{name:s port:i}",
    "CpInstanceGroupManager{baseInstanceName:s creationTimestamp:s description:s fingerprint:s "
    "id:l instanceGroup:s instanceTemplate:s kind:s listManagedInstancesResults:'PAGELESS|"
    "PAGINATED' name:s namedPorts:[CpNamedPort] region:s selfLink:s targetPools:[s] targetSize:i "
    "zone:s}",
    "CpTargetPool{backupPool:s creationTimestamp:s description:s failoverRatio:s healthChecks:[s] "
    "id:l instances:[s] kind:s name:s region:s securityPolicy:s selfLink:s "
    "sessionAffinity:'CLIENT_IP|CLIENT_IP_PORT_PROTO|CLIENT_IP_PROTO|NONE'}",
    "CpSubnetworkLogConfig{aggregationInterval:'INTERVAL_10_MIN|INTERVAL_15_MIN|"
    "INTERVAL_1_MIN|INTERVAL_30_SEC|INTERVAL_5_MIN|INTERVAL_5_SEC' enable:b filterExpr:s "
    "flowSampling:n metadata:'CUSTOM_METADATA|EXCLUDE_ALL_METADATA|INCLUDE_ALL_METADATA' "
    "metadataFields:[s]}",
    "CpSubnetworkParams{resourceManagerTags:m}",
    "CpSubnetworkSecondaryRange{ipCidrRange:s rangeName:s reservedInternalRange:s}",
    "CpSubnetworksExpandIpCidrRangeRequest{ipCidrRange:s}",
    "CpSubnetworksSetPrivateIpGoogleAccessRequest{privateIpGoogleAccess:b}",
    "CpSubnetwork{creationTimestamp:s description:s enableFlowLogs:b externalIpv6Prefix:s "
    "fingerprint:s gatewayAddress:s id:l internalIpv6Prefix:s ipCidrRange:s ipCollection:s "
    "ipv6AccessType:'EXTERNAL|INTERNAL' ipv6CidrRange:s ipv6GceEndpoint:'VM_AND_FR|VM_ONLY' "
    "kind:s logConfig:CpSubnetworkLogConfig name:s network:s params:CpSubnetworkParams "
    "privateIpGoogleAccess:b "
    "privateIpv6GoogleAccess:'DISABLE_GOOGLE_ACCESS|ENABLE_BIDIRECTIONAL_ACCESS_TO_GOOGLE|"
    "ENABLE_OUTBOUND_VM_ACCESS_TO_GOOGLE' "
    "purpose:'GLOBAL_MANAGED_PROXY|INTERNAL_HTTPS_LOAD_BALANCER|PEER_MIGRATION|PRIVATE|"
    "PRIVATE_NAT|PRIVATE_RFC_1918|PRIVATE_SERVICE_CONNECT|REGIONAL_MANAGED_PROXY' region:s "
    "reservedInternalRange:s role:'ACTIVE|BACKUP' "
    "secondaryIpRanges:[CpSubnetworkSecondaryRange] selfLink:s "
    "stackType:'IPV4_IPV6|IPV4_ONLY|IPV6_ONLY' state:'DRAINING|READY' "
    "systemReservedExternalIpv6Ranges:[s] systemReservedInternalIpv6Ranges:[s]}",
    "CtAcceleratorConfig{acceleratorCount:l acceleratorType:s "
    "gpuDriverInstallationConfig:CtGPUDriverInstallationConfig gpuPartitionSize:s "
    "gpuSharingConfig:CtGPUSharingConfig}",
    "CtAdditionalIPRangesConfig{podIpv4RangeNames:[s] subnetwork:s}",
    "CtAdditionalNodeNetworkConfig{network:s subnetwork:s}",
    "CtAdditionalPodNetworkConfig{maxPodsPerNode:CtMaxPodsConstraint networkAttachment:s "
    "secondaryPodRange:s subnetwork:s}",
    "CtAdditionalPodRangesConfig{podRangeInfo:[CtRangeInfo] podRangeNames:[s]}",
    "CtAddonsConfig{cloudRunConfig:CtCloudRunConfig "
    "configConnectorConfig:CtConfigConnectorConfig dnsCacheConfig:CtDnsCacheConfig "
    "gcePersistentDiskCsiDriverConfig:CtGcePersistentDiskCsiDriverConfig "
    "gcpFilestoreCsiDriverConfig:CtGcpFilestoreCsiDriverConfig "
    "gcsFuseCsiDriverConfig:CtGcsFuseCsiDriverConfig "
    "gkeBackupAgentConfig:CtGkeBackupAgentConfig "
    "highScaleCheckpointingConfig:CtHighScaleCheckpointingConfig "
    "horizontalPodAutoscaling:CtHorizontalPodAutoscaling "
    "httpLoadBalancing:CtHttpLoadBalancing kubernetesDashboard:CtKubernetesDashboard "
    "lustreCsiDriverConfig:CtLustreCsiDriverConfig networkPolicyConfig:CtNetworkPolicyConfig "
    "parallelstoreCsiDriverConfig:CtParallelstoreCsiDriverConfig rayConfig:CtRayConfig "
    "rayOperatorConfig:CtRayOperatorConfig statefulHaConfig:CtStatefulHAConfig}",
    "CtAdvancedDatapathObservabilityConfig{enableMetrics:b enableRelay:b "
    "relayMode:'DISABLED|EXTERNAL_LB|INTERNAL_VPC_LB|RELAY_MODE_UNSPECIFIED'}",
    "CtAdvancedMachineFeatures{enableNestedVirtualization:b "
    "performanceMonitoringUnit:'ARCHITECTURAL|ENHANCED|"
    "PERFORMANCE_MONITORING_UNIT_UNSPECIFIED|STANDARD' threadsPerCore:l}",
    "CtAnonymousAuthenticationConfig{mode:'ENABLED|LIMITED|MODE_UNSPECIFIED'}",
    "CtAuthenticatorGroupsConfig{enabled:b securityGroup:s}",
    "CtAutoIpamConfig{enabled:b}",
    "CtAutoMonitoringConfig{scope:'ALL|NONE|SCOPE_UNSPECIFIED'}",
    "CtAutoUpgradeOptions{autoUpgradeStartTime:s description:s}",
    "CtAutopilotConfig{enabled:b}",
    "CtAutopilotConversionStatus{autoCommitTime:s autopilotNodeCount:i standardNodeCount:i "
    "state:'COMMITTING|CONFIGURING|DONE|MIGRATED_WAITING_FOR_COMMIT|MIGRATING|"
    "STATE_UNSPECIFIED' type:'CONVERT_TO_AUTOPILOT|CONVERT_TO_STANDARD|TYPE_UNSPECIFIED'}",
    "CtAutopilot{conversionStatus:CtAutopilotConversionStatus enabled:b "
    "workloadPolicyConfig:CtWorkloadPolicyConfig}",
    "CtAutoprovisioningNodePoolDefaults{bootDiskKmsKey:s diskSizeGb:i diskType:s imageType:s "
    "insecureKubeletReadonlyPortEnabled:b management:CtNodeManagement minCpuPlatform:s "
    "oauthScopes:[s] serviceAccount:s shieldedInstanceConfig:CtShieldedInstanceConfig "
    "upgradeSettings:CtUpgradeSettings}",
    "CtBestEffortProvisioning{enabled:b minProvisionNodes:i}",
    "CtBigQueryDestination{datasetId:s}",
    "CtBinaryAuthorization{enabled:b "
    "evaluationMode:'DISABLED|EVALUATION_MODE_UNSPECIFIED|POLICY_BINDINGS|"
    "POLICY_BINDINGS_AND_PROJECT_SINGLETON_POLICY_ENFORCE|PROJECT_SINGLETON_POLICY_ENFORCE' "
    "policyBindings:[CtPolicyBinding]}",
    "CtBlueGreenInfo{blueInstanceGroupUrls:[s] bluePoolDeletionStartTime:s "
    "greenInstanceGroupUrls:[s] greenPoolVersion:s "
    "phase:'CORDONING_BLUE_POOL|CREATING_GREEN_POOL|DELETING_BLUE_POOL|DRAINING_BLUE_POOL|"
    "NODE_POOL_SOAKING|PHASE_UNSPECIFIED|ROLLBACK_STARTED|UPDATE_STARTED'}",
    "CtBlueGreenSettings{nodePoolSoakDuration:s "
    "standardRolloutPolicy:CtStandardRolloutPolicy}",
    "CtBootDisk{diskType:s provisionedIops:l provisionedThroughput:l sizeGb:l}",
    "CtCancelOperationRequest{name:s operationId:s projectId:s zone:s}",
    "CtCertificateAuthorityDomainConfig{fqdns:[s] "
    "gcpSecretManagerCertificateConfig:CtGCPSecretManagerCertificateConfig}",
    "CtCidrBlock{cidrBlock:s displayName:s}",
    "CtClientCertificateConfig{issueClientCertificate:b}",
    "CtCloudRunConfig{disabled:b "
    "loadBalancerType:'LOAD_BALANCER_TYPE_EXTERNAL|LOAD_BALANCER_TYPE_INTERNAL|"
    "LOAD_BALANCER_TYPE_UNSPECIFIED'}",
    "CtClusterAutoscaling{autoprovisioningLocations:[s] "
    "autoprovisioningNodePoolDefaults:CtAutoprovisioningNodePoolDefaults "
    "autoscalingProfile:'BALANCED|OPTIMIZE_UTILIZATION|PROFILE_UNSPECIFIED' "
    "defaultComputeClassConfig:CtDefaultComputeClassConfig enableNodeAutoprovisioning:b "
    "resourceLimits:[CtResourceLimit]}",
    "CtClusterNetworkPerformanceConfig{totalEgressBandwidthTier:'TIER_1|TIER_UNSPECIFIED'}",
    "CtClusterUpdate{additionalPodRangesConfig:CtAdditionalPodRangesConfig "
    "desiredAdditionalIpRangesConfig:CtDesiredAdditionalIPRangesConfig "
    "desiredAddonsConfig:CtAddonsConfig "
    "desiredAnonymousAuthenticationConfig:CtAnonymousAuthenticationConfig "
    "desiredAuthenticatorGroupsConfig:CtAuthenticatorGroupsConfig "
    "desiredAutoIpamConfig:CtAutoIpamConfig desiredAutopilot:CtAutopilot "
    "desiredAutopilotInsecureKubeletReadonlyPortEnabled:b "
    "desiredAutopilotWorkloadPolicyConfig:CtWorkloadPolicyConfig "
    "desiredBinaryAuthorization:CtBinaryAuthorization "
    "desiredClusterAutoscaling:CtClusterAutoscaling "
    "desiredCompliancePostureConfig:CtCompliancePostureConfig "
    "desiredConcurrentOpsConfig:CtConcurrentOpsConfig "
    "desiredContainerdConfig:CtContainerdConfig "
    "desiredControlPlaneEndpointsConfig:CtControlPlaneEndpointsConfig "
    "desiredCostManagementConfig:CtCostManagementConfig "
    "desiredDatabaseEncryption:CtDatabaseEncryption "
    "desiredDatapathProvider:'ADVANCED_DATAPATH|DATAPATH_PROVIDER_UNSPECIFIED|"
    "LEGACY_DATAPATH|MIGRATE_TO_ADVANCED_DATAPATH|MIGRATE_TO_LEGACY_DATAPATH' "
    "desiredDefaultEnablePrivateNodes:b desiredDefaultSnatStatus:CtDefaultSnatStatus "
    "desiredDisableL4LbFirewallReconciliation:b desiredDnsConfig:CtDNSConfig "
    "desiredEnableCiliumClusterwideNetworkPolicy:b desiredEnableFqdnNetworkPolicy:b "
    "desiredEnableMultiNetworking:b desiredEnablePrivateEndpoint:b "
    "desiredEnterpriseConfig:CtDesiredEnterpriseConfig desiredFleet:CtFleet "
    "desiredGatewayApiConfig:CtGatewayAPIConfig desiredGcfsConfig:CtGcfsConfig "
    "desiredIdentityServiceConfig:CtIdentityServiceConfig desiredImage:s "
    "desiredImageProject:s desiredImageType:s "
    "desiredInTransitEncryptionConfig:'IN_TRANSIT_ENCRYPTION_CONFIG_UNSPECIFIED|"
    "IN_TRANSIT_ENCRYPTION_DISABLED|IN_TRANSIT_ENCRYPTION_INTER_NODE_TRANSPARENT' "
    "desiredIntraNodeVisibilityConfig:CtIntraNodeVisibilityConfig "
    "desiredK8sBetaApis:CtK8sBetaAPIConfig desiredL4ilbSubsettingConfig:CtILBSubsettingConfig "
    "desiredLocations:[s] desiredLoggingConfig:CtLoggingConfig desiredLoggingService:s "
    "desiredManagedConfig:CtManagedConfig "
    "desiredMasterAuthorizedNetworksConfig:CtMasterAuthorizedNetworksConfig "
    "desiredMasterVersion:s desiredMeshCertificates:CtMeshCertificates "
    "desiredMonitoringConfig:CtMonitoringConfig desiredMonitoringService:s "
    "desiredNetworkPerformanceConfig:CtClusterNetworkPerformanceConfig "
    "desiredNetworkTierConfig:CtNetworkTierConfig "
    "desiredNodeKubeletConfig:CtNodeKubeletConfig "
    "desiredNodePoolAutoConfigKubeletConfig:CtNodeKubeletConfig "
    "desiredNodePoolAutoConfigLinuxNodeConfig:CtLinuxNodeConfig "
    "desiredNodePoolAutoConfigNetworkTags:CtNetworkTags "
    "desiredNodePoolAutoConfigResourceManagerTags:CtResourceManagerTags "
    "desiredNodePoolAutoscaling:CtNodePoolAutoscaling desiredNodePoolId:s "
    "desiredNodePoolLoggingConfig:CtNodePoolLoggingConfig desiredNodeVersion:s "
    "desiredNotificationConfig:CtNotificationConfig "
    "desiredParentProductConfig:CtParentProductConfig desiredPodAutoscaling:CtPodAutoscaling "
    "desiredPrivateClusterConfig:CtPrivateClusterConfig "
    "desiredPrivateIpv6GoogleAccess:'PRIVATE_IPV6_GOOGLE_ACCESS_BIDIRECTIONAL|"
    "PRIVATE_IPV6_GOOGLE_ACCESS_DISABLED|PRIVATE_IPV6_GOOGLE_ACCESS_TO_GOOGLE|"
    "PRIVATE_IPV6_GOOGLE_ACCESS_UNSPECIFIED' desiredRbacBindingConfig:CtRBACBindingConfig "
    "desiredReleaseChannel:CtReleaseChannel "
    "desiredResourceUsageExportConfig:CtResourceUsageExportConfig "
    "desiredRuntimeVulnerabilityInsightConfig:CtRuntimeVulnerabilityInsightConfig "
    "desiredSecretManagerConfig:CtSecretManagerConfig "
    "desiredSecurityPostureConfig:CtSecurityPostureConfig "
    "desiredServiceExternalIpsConfig:CtServiceExternalIPsConfig "
    "desiredShieldedNodes:CtShieldedNodes "
    "desiredStackType:'IPV4|IPV4_IPV6|STACK_TYPE_UNSPECIFIED' "
    "desiredUserManagedKeysConfig:CtUserManagedKeysConfig "
    "desiredVerticalPodAutoscaling:CtVerticalPodAutoscaling "
    "desiredWorkloadIdentityConfig:CtWorkloadIdentityConfig "
    "enableK8sBetaApis:CtK8sBetaAPIConfig etag:s gkeAutoUpgradeConfig:CtGkeAutoUpgradeConfig "
    "removedAdditionalPodRangesConfig:CtAdditionalPodRangesConfig "
    "userManagedKeysConfig:CtUserManagedKeysConfig}",
    "CtCluster{addonsConfig:CtAddonsConfig alphaClusterFeatureGates:[s] "
    "anonymousAuthenticationConfig:CtAnonymousAuthenticationConfig "
    "authenticatorGroupsConfig:CtAuthenticatorGroupsConfig autopilot:CtAutopilot "
    "autoscaling:CtClusterAutoscaling binaryAuthorization:CtBinaryAuthorization "
    "clusterIpv4Cidr:s compliancePostureConfig:CtCompliancePostureConfig "
    "concurrentOpsConfig:CtConcurrentOpsConfig conditions:[CtStatusCondition] "
    "confidentialNodes:CtConfidentialNodes "
    "controlPlaneEndpointsConfig:CtControlPlaneEndpointsConfig "
    "costManagementConfig:CtCostManagementConfig createTime:s currentMasterVersion:s "
    "currentNodeCount:i currentNodeVersion:s databaseEncryption:CtDatabaseEncryption "
    "defaultMaxPodsConstraint:CtMaxPodsConstraint description:s "
    "enableK8sBetaApis:CtK8sBetaAPIConfig enableKubernetesAlpha:b enableTpu:b endpoint:s "
    "enterpriseConfig:CtEnterpriseConfig etag:s expireTime:s fleet:CtFleet "
    "gkeAutoUpgradeConfig:CtGkeAutoUpgradeConfig id:s "
    "identityServiceConfig:CtIdentityServiceConfig initialClusterVersion:s initialNodeCount:i "
    "instanceGroupUrls:[s] ipAllocationPolicy:CtIPAllocationPolicy labelFingerprint:s "
    "legacyAbac:CtLegacyAbac location:s locations:[s] loggingConfig:CtLoggingConfig "
    "loggingService:s maintenancePolicy:CtMaintenancePolicy managedConfig:CtManagedConfig "
    "masterAuth:CtMasterAuth masterAuthorizedNetworksConfig:CtMasterAuthorizedNetworksConfig "
    "meshCertificates:CtMeshCertificates monitoringConfig:CtMonitoringConfig "
    "monitoringService:s name:s network:s networkConfig:CtNetworkConfig "
    "networkPolicy:CtNetworkPolicy nodeConfig:CtNodeConfig nodeIpv4CidrSize:i "
    "nodePoolAutoConfig:CtNodePoolAutoConfig nodePoolDefaults:CtNodePoolDefaults "
    "nodePools:[CtNodePool] notificationConfig:CtNotificationConfig "
    "parentProductConfig:CtParentProductConfig podAutoscaling:CtPodAutoscaling "
    "privateClusterConfig:CtPrivateClusterConfig rbacBindingConfig:CtRBACBindingConfig "
    "releaseChannel:CtReleaseChannel resourceLabels:m "
    "resourceUsageExportConfig:CtResourceUsageExportConfig "
    "runtimeVulnerabilityInsightConfig:CtRuntimeVulnerabilityInsightConfig satisfiesPzi:b "
    "satisfiesPzs:b secretManagerConfig:CtSecretManagerConfig "
    "securityPostureConfig:CtSecurityPostureConfig selfLink:s servicesIpv4Cidr:s "
    "shieldedNodes:CtShieldedNodes "
    "status:'DEGRADED|ERROR|PROVISIONING|RECONCILING|RUNNING|STATUS_UNSPECIFIED|STOPPING' "
    "statusMessage:s subnetwork:s tags:m tpuIpv4CidrBlock:s "
    "userManagedKeysConfig:CtUserManagedKeysConfig "
    "verticalPodAutoscaling:CtVerticalPodAutoscaling "
    "workloadIdentityConfig:CtWorkloadIdentityConfig zone:s}",
    "CtCompliancePostureConfig{complianceStandards:[CtComplianceStandard] "
    "mode:'DISABLED|ENABLED|MODE_UNSPECIFIED'}",
    "CtComplianceStandard{standard:s}",
    "CtConcurrentOpsConfig{enableConcurrentCreateNodePool:b enableConcurrentDeleteNodePool:b "
    "enableConcurrentResizeNodePool:b enableConcurrentRollbackNodePool:b "
    "enableConcurrentUpdateNodePoolVersion:b}",
    "CtConfidentialNodes{confidentialInstanceType:'CONFIDENTIAL_INSTANCE_TYPE_UNSPECIFIED|"
    "SEV|SEV_SNP|TDX' enabled:b}",
    "CtConfigConnectorConfig{enabled:b}",
    "CtConsumptionMeteringConfig{enabled:b}",
    "CtContainerdConfig{privateRegistryAccessConfig:CtPrivateRegistryAccessConfig}",
    "CtControlPlaneEndpointsConfig{dnsEndpointConfig:CtDNSEndpointConfig "
    "ipEndpointsConfig:CtIPEndpointsConfig}",
    "CtCostManagementConfig{enabled:b}",
    "CtCreateClusterRequest{cluster:CtCluster parent:s projectId:s zone:s}",
    "CtCreateNodePoolRequest{clusterId:s nodePool:CtNodePool parent:s projectId:s zone:s}",
    "CtCustomImageConfig{image:s imageFamily:s imageProject:s}",
    "CtDNSAlias{hostname:s permissionResource:s "
    "type:'DNS_ALIAS_TYPE_UNSPECIFIED|STANDARD|TENANT'}",
    "CtDNSConfig{additiveVpcScopeDnsDomain:s "
    "clusterDns:'CLOUD_DNS|KUBE_DNS|PLATFORM_DEFAULT|PROVIDER_UNSPECIFIED' clusterDnsDomain:s "
    "clusterDnsScope:'CLUSTER_SCOPE|DNS_SCOPE_UNSPECIFIED|VPC_SCOPE' "
    "enableAdditiveVpcScope:b}",
    "CtDNSEndpointConfig{allowExternalTraffic:b dnsAliases:[CtDNSAlias] "
    "enableK8sCertsViaDns:b enableK8sTokensViaDns:b endpoint:s}",
    "CtDailyMaintenanceWindow{duration:s startTime:s}",
    "CtDatabaseEncryption{currentState:'CURRENT_STATE_DECRYPTED|"
    "CURRENT_STATE_DECRYPTION_ERROR|CURRENT_STATE_DECRYPTION_PENDING|"
    "CURRENT_STATE_ENCRYPTED|CURRENT_STATE_ENCRYPTION_ERROR|"
    "CURRENT_STATE_ENCRYPTION_PENDING|CURRENT_STATE_UNSPECIFIED' decryptionKeys:[s] keyName:s "
    "lastOperationErrors:[CtOperationError] state:'DECRYPTED|ENCRYPTED|UNKNOWN'}",
    "CtDefaultComputeClassConfig{enabled:b}",
    "CtDefaultSnatStatus{disabled:b}",
    "CtDesiredAdditionalIPRangesConfig{additionalIpRangesConfigs:[CtAdditionalIPRangesConfig]}",
    "CtDesiredEnterpriseConfig{desiredTier:'CLUSTER_TIER_UNSPECIFIED|ENTERPRISE|STANDARD'}",
    "CtDnsCacheConfig{enabled:b}",
    "CtEnterpriseConfig{clusterTier:'CLUSTER_TIER_UNSPECIFIED|ENTERPRISE|STANDARD' "
    "desiredTier:'CLUSTER_TIER_UNSPECIFIED|ENTERPRISE|STANDARD'}",
    "CtEphemeralStorageLocalSsdConfig{dataCacheCount:i localSsdCount:i}",
    "CtEvictionGracePeriod{imagefsAvailable:s imagefsInodesFree:s memoryAvailable:s "
    "nodefsAvailable:s nodefsInodesFree:s pidAvailable:s}",
    "CtEvictionMinimumReclaim{imagefsAvailable:s imagefsInodesFree:s memoryAvailable:s "
    "nodefsAvailable:s nodefsInodesFree:s pidAvailable:s}",
    "CtEvictionSignals{imagefsAvailable:s imagefsInodesFree:s memoryAvailable:s "
    "nodefsAvailable:s nodefsInodesFree:s pidAvailable:s}",
    "CtFastSocket{enabled:b}",
    "CtFilter{eventType:['EVENT_TYPE_UNSPECIFIED|SECURITY_BULLETIN_EVENT|"
    "UPGRADE_AVAILABLE_EVENT|UPGRADE_EVENT|UPGRADE_INFO_EVENT']}",
    "CtFleet{membership:s preRegistered:b project:s}",
    "CtGCPSecretManagerCertificateConfig{secretUri:s}",
    "CtGPUDirectConfig{gpuDirectStrategy:'GPU_DIRECT_STRATEGY_UNSPECIFIED|RDMA|TCPX'}",
    "CtGPUDriverInstallationConfig{gpuDriverVersion:'DEFAULT|"
    "GPU_DRIVER_VERSION_UNSPECIFIED|INSTALLATION_DISABLED|LATEST'}",
    "CtGPUSharingConfig{gpuSharingStrategy:'GPU_SHARING_STRATEGY_UNSPECIFIED|MPS|"
    "TIME_SHARING' maxSharedClientsPerGpu:l}",
    "CtGatewayAPIConfig{channel:'CHANNEL_DISABLED|CHANNEL_EXPERIMENTAL|CHANNEL_STANDARD|"
    "CHANNEL_UNSPECIFIED'}",
    "CtGcePersistentDiskCsiDriverConfig{enabled:b}",
    "CtGcfsConfig{enabled:b}",
    "CtGcpFilestoreCsiDriverConfig{enabled:b}",
    "CtGcsFuseCsiDriverConfig{enabled:b}",
    "CtGkeAutoUpgradeConfig{patchMode:'ACCELERATED|PATCH_MODE_UNSPECIFIED'}",
    "CtGkeBackupAgentConfig{enabled:b}",
    "CtHighScaleCheckpointingConfig{enabled:b}",
    "CtHorizontalPodAutoscaling{disabled:b}",
    "CtHttpLoadBalancing{disabled:b}",
    "CtHugepagesConfig{hugepageSize1g:i hugepageSize2m:i}",
    "CtILBSubsettingConfig{enabled:b}",
    "CtIPAllocationPolicy{additionalIpRangesConfigs:[CtAdditionalIPRangesConfig] "
    "additionalPodRangesConfig:CtAdditionalPodRangesConfig autoIpamConfig:CtAutoIpamConfig "
    "clusterIpv4Cidr:s clusterIpv4CidrBlock:s clusterSecondaryRangeName:s createSubnetwork:b "
    "defaultPodIpv4RangeUtilization:n "
    "ipv6AccessType:'EXTERNAL|INTERNAL|IPV6_ACCESS_TYPE_UNSPECIFIED' "
    "networkTierConfig:CtNetworkTierConfig nodeIpv4Cidr:s nodeIpv4CidrBlock:s "
    "podCidrOverprovisionConfig:CtPodCIDROverprovisionConfig servicesIpv4Cidr:s "
    "servicesIpv4CidrBlock:s servicesIpv6CidrBlock:s servicesSecondaryRangeName:s "
    "stackType:'IPV4|IPV4_IPV6|STACK_TYPE_UNSPECIFIED' subnetIpv6CidrBlock:s subnetworkName:s "
    "tpuIpv4CidrBlock:s useIpAliases:b useRoutes:b}",
    "CtIPEndpointsConfig{authorizedNetworksConfig:CtMasterAuthorizedNetworksConfig "
    "enablePublicEndpoint:b enabled:b globalAccess:b privateEndpoint:s "
    "privateEndpointSubnetwork:s publicEndpoint:s}",
    "CtIdentityServiceConfig{enabled:b}",
    "CtIntraNodeVisibilityConfig{enabled:b}",
    "CtK8sBetaAPIConfig{enabledApis:[s]}",
    "CtKubernetesDashboard{disabled:b}",
    "CtLegacyAbac{enabled:b}",
    "CtLinuxNodeConfig{cgroupMode:'CGROUP_MODE_UNSPECIFIED|CGROUP_MODE_V1|CGROUP_MODE_V2' "
    "hugepages:CtHugepagesConfig sysctls:m "
    "transparentHugepageDefrag:'TRANSPARENT_HUGEPAGE_DEFRAG_ALWAYS|"
    "TRANSPARENT_HUGEPAGE_DEFRAG_DEFER|TRANSPARENT_HUGEPAGE_DEFRAG_DEFER_WITH_MADVISE|"
    "TRANSPARENT_HUGEPAGE_DEFRAG_MADVISE|TRANSPARENT_HUGEPAGE_DEFRAG_NEVER|"
    "TRANSPARENT_HUGEPAGE_DEFRAG_UNSPECIFIED' "
    "transparentHugepageEnabled:'TRANSPARENT_HUGEPAGE_ENABLED_ALWAYS|"
    "TRANSPARENT_HUGEPAGE_ENABLED_MADVISE|TRANSPARENT_HUGEPAGE_ENABLED_NEVER|"
    "TRANSPARENT_HUGEPAGE_ENABLED_UNSPECIFIED'}",
    "CtLocalNvmeSsdBlockConfig{localSsdCount:i}",
    "CtLoggingComponentConfig{enableComponents:['ADDON_MANAGER|APISERVER|"
    "COMPONENT_UNSPECIFIED|CONTROLLER_MANAGER|KCP_CONNECTION|KCP_HPA|KCP_SSHD|SCHEDULER|"
    "SYSTEM_COMPONENTS|WORKLOADS']}",
    "CtLoggingConfig{componentConfig:CtLoggingComponentConfig "
    "rayLoggingConfig:CtRayLoggingConfig}",
    "CtLoggingVariantConfig{variant:'DEFAULT|MAX_THROUGHPUT|VARIANT_UNSPECIFIED'}",
    "CtLustreCsiDriverConfig{enableLegacyLustrePort:b enabled:b}",
    "CtMaintenanceExclusionOptions{scope:'NO_MINOR_OR_NODE_UPGRADES|NO_MINOR_UPGRADES|"
    "NO_UPGRADES'}",
    "CtMaintenancePolicy{resourceVersion:s window:CtMaintenanceWindow}",
    "CtMaintenanceWindow{dailyMaintenanceWindow:CtDailyMaintenanceWindow "
    "maintenanceExclusions:{*:CtTimeWindow} recurringWindow:CtRecurringTimeWindow}",
    "CtManagedConfig{type:'AUTOFLEET|DISABLED|TYPE_UNSPECIFIED'}",
    "CtManagedPrometheusConfig{autoMonitoringConfig:CtAutoMonitoringConfig enabled:b}",
    "CtMasterAuthorizedNetworksConfig{cidrBlocks:[CtCidrBlock] enabled:b "
    "gcpPublicCidrsAccessEnabled:b privateEndpointEnforcementEnabled:b}",
    "CtMasterAuth{clientCertificate:s clientCertificateConfig:CtClientCertificateConfig "
    "clientKey:s clusterCaCertificate:s password:s username:s}",
    "CtMaxPodsConstraint{maxPodsPerNode:l}",
    "CtMemoryManager{policy:s}",
    "CtMeshCertificates{enableCertificates:b}",
    "CtMonitoringComponentConfig{enableComponents:['APISERVER|CADVISOR|"
    "COMPONENT_UNSPECIFIED|CONTROLLER_MANAGER|DAEMONSET|DCGM|DEPLOYMENT|HPA|JOBSET|KUBELET|"
    "POD|SCHEDULER|STATEFULSET|STORAGE|SYSTEM_COMPONENTS|WORKLOADS']}",
    "CtMonitoringConfig{advancedDatapathObservabilityConfig:CtAdvancedDatapathObservabilityConfig "
    "componentConfig:CtMonitoringComponentConfig "
    "managedPrometheusConfig:CtManagedPrometheusConfig "
    "rayMonitoringConfig:CtRayMonitoringConfig}",
    "CtNetworkConfig{datapathProvider:'ADVANCED_DATAPATH|DATAPATH_PROVIDER_UNSPECIFIED|"
    "LEGACY_DATAPATH|MIGRATE_TO_ADVANCED_DATAPATH|MIGRATE_TO_LEGACY_DATAPATH' "
    "defaultEnablePrivateNodes:b defaultSnatStatus:CtDefaultSnatStatus "
    "disableL4LbFirewallReconciliation:b dnsConfig:CtDNSConfig "
    "enableCiliumClusterwideNetworkPolicy:b enableFqdnNetworkPolicy:b "
    "enableIntraNodeVisibility:b enableL4ilbSubsetting:b enableMultiNetworking:b "
    "gatewayApiConfig:CtGatewayAPIConfig "
    "inTransitEncryptionConfig:'IN_TRANSIT_ENCRYPTION_CONFIG_UNSPECIFIED|"
    "IN_TRANSIT_ENCRYPTION_DISABLED|IN_TRANSIT_ENCRYPTION_INTER_NODE_TRANSPARENT' network:s "
    "networkPerformanceConfig:CtClusterNetworkPerformanceConfig "
    "privateIpv6GoogleAccess:'PRIVATE_IPV6_GOOGLE_ACCESS_BIDIRECTIONAL|"
    "PRIVATE_IPV6_GOOGLE_ACCESS_DISABLED|PRIVATE_IPV6_GOOGLE_ACCESS_TO_GOOGLE|"
    "PRIVATE_IPV6_GOOGLE_ACCESS_UNSPECIFIED' "
    "serviceExternalIpsConfig:CtServiceExternalIPsConfig subnetwork:s}",
    "CtNetworkPerformanceConfig{totalEgressBandwidthTier:'TIER_1|TIER_UNSPECIFIED'}",
    "CtNetworkPolicyConfig{disabled:b}",
    "CtNetworkPolicy{enabled:b provider:'CALICO|PROVIDER_UNSPECIFIED'}",
    "CtNetworkTags{tags:[s]}",
    "CtNetworkTierConfig{networkTier:'NETWORK_TIER_DEFAULT|NETWORK_TIER_PREMIUM|"
    "NETWORK_TIER_STANDARD|NETWORK_TIER_UNSPECIFIED'}",
    "CtNodeAffinity{key:s operator:'IN|NOT_IN|OPERATOR_UNSPECIFIED' values:[s]}",
    "CtNodeConfigDefaults{containerdConfig:CtContainerdConfig gcfsConfig:CtGcfsConfig "
    "loggingConfig:CtNodePoolLoggingConfig nodeKubeletConfig:CtNodeKubeletConfig}",
    "CtNodeConfig{accelerators:[CtAcceleratorConfig] "
    "advancedMachineFeatures:CtAdvancedMachineFeatures bootDisk:CtBootDisk bootDiskKmsKey:s "
    "confidentialNodes:CtConfidentialNodes containerdConfig:CtContainerdConfig diskSizeGb:i "
    "diskType:s "
    "effectiveCgroupMode:'EFFECTIVE_CGROUP_MODE_UNSPECIFIED|EFFECTIVE_CGROUP_MODE_V1|"
    "EFFECTIVE_CGROUP_MODE_V2' enableConfidentialStorage:b "
    "ephemeralStorageLocalSsdConfig:CtEphemeralStorageLocalSsdConfig fastSocket:CtFastSocket "
    "flexStart:b gcfsConfig:CtGcfsConfig gpuDirectConfig:CtGPUDirectConfig gvnic:CtVirtualNIC "
    "imageType:s kubeletConfig:CtNodeKubeletConfig labels:m linuxNodeConfig:CtLinuxNodeConfig "
    "localNvmeSsdBlockConfig:CtLocalNvmeSsdBlockConfig localSsdCount:i "
    "localSsdEncryptionMode:'EPHEMERAL_KEY_ENCRYPTION|"
    "LOCAL_SSD_ENCRYPTION_MODE_UNSPECIFIED|STANDARD_ENCRYPTION' "
    "loggingConfig:CtNodePoolLoggingConfig machineType:s maxRunDuration:s metadata:m "
    "minCpuPlatform:s nodeGroup:s nodeImageConfig:CtCustomImageConfig oauthScopes:[s] "
    "preemptible:b reservationAffinity:CtReservationAffinity resourceLabels:m "
    "resourceManagerTags:CtResourceManagerTags sandboxConfig:CtSandboxConfig "
    "secondaryBootDiskUpdateStrategy:CtSecondaryBootDiskUpdateStrategy "
    "secondaryBootDisks:[CtSecondaryBootDisk] serviceAccount:s "
    "shieldedInstanceConfig:CtShieldedInstanceConfig soleTenantConfig:CtSoleTenantConfig "
    "spot:b storagePools:[s] tags:[s] taints:[CtNodeTaint] "
    "windowsNodeConfig:CtWindowsNodeConfig workloadMetadataConfig:CtWorkloadMetadataConfig}",
    "CtNodeKubeletConfig{allowedUnsafeSysctls:[s] containerLogMaxFiles:i "
    "containerLogMaxSize:s cpuCfsQuota:b cpuCfsQuotaPeriod:s cpuManagerPolicy:s "
    "evictionMaxPodGracePeriodSeconds:i evictionMinimumReclaim:CtEvictionMinimumReclaim "
    "evictionSoft:CtEvictionSignals evictionSoftGracePeriod:CtEvictionGracePeriod "
    "imageGcHighThresholdPercent:i imageGcLowThresholdPercent:i imageMaximumGcAge:s "
    "imageMinimumGcAge:s insecureKubeletReadonlyPortEnabled:b maxParallelImagePulls:i "
    "memoryManager:CtMemoryManager nodeSwapSizeGib:l podPidsLimit:l singleProcessOomKill:b "
    "topologyManager:CtTopologyManager}",
    "CtNodeLabels{labels:m}",
    "CtNodeManagement{autoRepair:b autoUpgrade:b upgradeOptions:CtAutoUpgradeOptions}",
    "CtNodeNetworkConfig{additionalNodeNetworkConfigs:[CtAdditionalNodeNetworkConfig] "
    "additionalPodNetworkConfigs:[CtAdditionalPodNetworkConfig] createPodRange:b "
    "enablePrivateNodes:b networkPerformanceConfig:CtNetworkPerformanceConfig "
    "networkTierConfig:CtNetworkTierConfig "
    "podCidrOverprovisionConfig:CtPodCIDROverprovisionConfig podIpv4CidrBlock:s "
    "podIpv4RangeUtilization:n podRange:s subnetwork:s}",
    "CtNodePoolAutoConfig{linuxNodeConfig:CtLinuxNodeConfig networkTags:CtNetworkTags "
    "nodeKubeletConfig:CtNodeKubeletConfig resourceManagerTags:CtResourceManagerTags}",
    "CtNodePoolAutoscaling{autoprovisioned:b enabled:b "
    "locationPolicy:'ANY|BALANCED|LOCATION_POLICY_UNSPECIFIED' maxNodeCount:i minNodeCount:i "
    "totalMaxNodeCount:i totalMinNodeCount:i}",
    "CtNodePoolDefaults{nodeConfigDefaults:CtNodeConfigDefaults}",
    "CtNodePoolLoggingConfig{variantConfig:CtLoggingVariantConfig}",
    "CtNodePool{autopilotConfig:CtAutopilotConfig autoscaling:CtNodePoolAutoscaling "
    "bestEffortProvisioning:CtBestEffortProvisioning conditions:[CtStatusCondition] "
    "config:CtNodeConfig etag:s initialNodeCount:i instanceGroupUrls:[s] locations:[s] "
    "management:CtNodeManagement maxPodsConstraint:CtMaxPodsConstraint name:s "
    "networkConfig:CtNodeNetworkConfig placementPolicy:CtPlacementPolicy podIpv4CidrSize:i "
    "queuedProvisioning:CtQueuedProvisioning selfLink:s "
    "status:'ERROR|PROVISIONING|RECONCILING|RUNNING|RUNNING_WITH_ERROR|STATUS_UNSPECIFIED|"
    "STOPPING' statusMessage:s updateInfo:CtUpdateInfo upgradeSettings:CtUpgradeSettings "
    "version:s}",
    "CtNodeTaints{taints:[CtNodeTaint]}",
    "CtNodeTaint{effect:'EFFECT_UNSPECIFIED|NO_EXECUTE|NO_SCHEDULE|PREFER_NO_SCHEDULE' key:s "
    "value:s}",
    "CtNotificationConfig{pubsub:CtPubSub}",
    "CtOperationError{errorMessage:s keyName:s timestamp:s}",
    "CtParallelstoreCsiDriverConfig{enabled:b}",
    "CtParentProductConfig{labels:m productName:s}",
    "CtPlacementPolicy{policyName:s tpuTopology:s type:'COMPACT|TYPE_UNSPECIFIED'}",
    "CtPodAutoscaling{directMetricsOptIn:b "
    "hpaProfile:'HPA_PROFILE_UNSPECIFIED|NONE|PERFORMANCE'}",
    "CtPodCIDROverprovisionConfig{disable:b}",
    "CtPolicyBinding{enforcementMode:'AUDIT|AUDIT_AND_DRYRUN|AUDIT_AND_ENFORCE|"
    "ENFORCEMENT_MODE_UNSPECIFIED' name:s}",
    "CtPrivateClusterConfig{enablePrivateEndpoint:b enablePrivateNodes:b "
    "masterGlobalAccessConfig:CtPrivateClusterMasterGlobalAccessConfig masterIpv4CidrBlock:s "
    "peeringName:s privateEndpoint:s privateEndpointSubnetwork:s publicEndpoint:s}",
    "CtPrivateClusterMasterGlobalAccessConfig{enabled:b}",
    "CtPrivateRegistryAccessConfig{certificateAuthorityDomainConfig:[CtCertificateAuthorityDomainConfig] "
    "enabled:b}",
    "CtPubSub{enabled:b filter:CtFilter topic:s}",
    "CtQueuedProvisioning{enabled:b}",
    "CtRBACBindingConfig{enableInsecureBindingSystemAuthenticated:b "
    "enableInsecureBindingSystemUnauthenticated:b}",
    "CtRangeInfo{rangeName:s utilization:n}",
    "CtRayClusterLoggingConfig{enabled:b}",
    "CtRayClusterMonitoringConfig{enabled:b}",
    "CtRayConfig{enabled:b}",
    "CtRayLoggingConfig{enabled:b}",
    "CtRayMonitoringConfig{enabled:b}",
    "CtRayOperatorConfig{enabled:b rayClusterLoggingConfig:CtRayClusterLoggingConfig "
    "rayClusterMonitoringConfig:CtRayClusterMonitoringConfig}",
    "CtRecurringTimeWindow{recurrence:s window:CtTimeWindow}",
    "CtReleaseChannel{channel:'EXTENDED|RAPID|REGULAR|STABLE|UNSPECIFIED'}",
    "CtReservationAffinity{consumeReservationType:'ANY_RESERVATION|NO_RESERVATION|"
    "SPECIFIC_RESERVATION|UNSPECIFIED' key:s values:[s]}",
    "CtResourceLabels{labels:m}",
    "CtResourceLimit{maximum:l minimum:l resourceType:s}",
    "CtResourceManagerTags{tags:m}",
    "CtResourceUsageExportConfig{bigqueryDestination:CtBigQueryDestination "
    "consumptionMeteringConfig:CtConsumptionMeteringConfig enableNetworkEgressMetering:b}",
    "CtRollingSettings{maxSurgePercentage:i maxUnavailablePercentage:i}",
    "CtRotationConfig{enabled:b rotationInterval:s}",
    "CtRuntimeVulnerabilityInsightConfig{mode:'DISABLED|MODE_UNSPECIFIED|"
    "PREMIUM_VULNERABILITY_SCAN'}",
    "CtSandboxConfig{type:'GVISOR|UNSPECIFIED'}",
    "CtSecondaryBootDiskUpdateStrategy{}",
    "CtSecondaryBootDisk{diskImage:s mode:'CONTAINER_IMAGE_CACHE|MODE_UNSPECIFIED'}",
    "CtSecretManagerConfig{enabled:b rotationConfig:CtRotationConfig}",
    "CtSecurityPostureConfig{mode:'BASIC|DISABLED|ENTERPRISE|MODE_UNSPECIFIED' "
    "vulnerabilityMode:'VULNERABILITY_BASIC|VULNERABILITY_DISABLED|"
    "VULNERABILITY_ENTERPRISE|VULNERABILITY_MODE_UNSPECIFIED'}",
    "CtServiceExternalIPsConfig{enabled:b}",
    "CtSetAddonsConfigRequest{addonsConfig:CtAddonsConfig clusterId:s name:s projectId:s "
    "zone:s}",
    "CtSetLabelsRequest{clusterId:s labelFingerprint:s name:s projectId:s resourceLabels:m "
    "zone:s}",
    "CtSetLegacyAbacRequest{clusterId:s enabled:b name:s projectId:s zone:s}",
    "CtSetLocationsRequest{clusterId:s locations:[s] name:s projectId:s zone:s}",
    "CtSetLoggingServiceRequest{clusterId:s loggingService:s name:s projectId:s zone:s}",
    "CtSetMaintenancePolicyRequest{clusterId:s maintenancePolicy:CtMaintenancePolicy name:s "
    "projectId:s zone:s}",
    "CtSetMasterAuthRequest{action:'GENERATE_PASSWORD|SET_PASSWORD|SET_USERNAME|UNKNOWN' "
    "clusterId:s name:s projectId:s update:CtMasterAuth zone:s}",
    "CtSetMonitoringServiceRequest{clusterId:s monitoringService:s name:s projectId:s zone:s}",
    "CtSetNetworkPolicyRequest{clusterId:s name:s networkPolicy:CtNetworkPolicy projectId:s "
    "zone:s}",
    "CtSetNodePoolAutoscalingRequest{autoscaling:CtNodePoolAutoscaling clusterId:s name:s "
    "nodePoolId:s projectId:s zone:s}",
    "CtSetNodePoolManagementRequest{clusterId:s management:CtNodeManagement name:s "
    "nodePoolId:s projectId:s zone:s}",
    "CtSetNodePoolSizeRequest{clusterId:s name:s nodeCount:i nodePoolId:s projectId:s zone:s}",
    "CtShieldedInstanceConfig{enableIntegrityMonitoring:b enableSecureBoot:b}",
    "CtShieldedNodes{enabled:b}",
    "CtSoleTenantConfig{minNodeCpus:i nodeAffinities:[CtNodeAffinity]}",
    "CtStandardRolloutPolicy{batchNodeCount:i batchPercentage:n batchSoakDuration:s}",
    "CtStatefulHAConfig{enabled:b}",
    "CtStatusCondition{canonicalCode:'ABORTED|ALREADY_EXISTS|CANCELLED|DATA_LOSS|"
    "DEADLINE_EXCEEDED|FAILED_PRECONDITION|INTERNAL|INVALID_ARGUMENT|NOT_FOUND|OK|"
    "OUT_OF_RANGE|PERMISSION_DENIED|RESOURCE_EXHAUSTED|UNAUTHENTICATED|UNAVAILABLE|"
    "UNIMPLEMENTED|UNKNOWN' "
    "code:'CA_EXPIRING|CLOUD_KMS_KEY_ERROR|GCE_QUOTA_EXCEEDED|GCE_STOCKOUT|"
    "GKE_SERVICE_ACCOUNT_DELETED|NODE_SERVICE_ACCOUNT_MISSING_PERMISSIONS|SET_BY_OPERATOR|"
    "UNKNOWN' message:s}",
    "CtTimeWindow{endTime:s maintenanceExclusionOptions:CtMaintenanceExclusionOptions "
    "startTime:s}",
    "CtTopologyManager{policy:s scope:s}",
    "CtUpdateClusterRequest{clusterId:s name:s projectId:s update:CtClusterUpdate zone:s}",
    "CtUpdateInfo{blueGreenInfo:CtBlueGreenInfo}",
    "CtUpdateMasterRequest{clusterId:s masterVersion:s name:s projectId:s zone:s}",
    "CtUpdateNodePoolRequest{accelerators:[CtAcceleratorConfig] clusterId:s "
    "confidentialNodes:CtConfidentialNodes containerdConfig:CtContainerdConfig diskSizeGb:l "
    "diskType:s etag:s fastSocket:CtFastSocket flexStart:b gcfsConfig:CtGcfsConfig "
    "gvnic:CtVirtualNIC image:s imageProject:s imageType:s kubeletConfig:CtNodeKubeletConfig "
    "labels:CtNodeLabels linuxNodeConfig:CtLinuxNodeConfig locations:[s] "
    "loggingConfig:CtNodePoolLoggingConfig machineType:s maxRunDuration:s name:s "
    "nodeNetworkConfig:CtNodeNetworkConfig nodePoolId:s nodeVersion:s projectId:s "
    "queuedProvisioning:CtQueuedProvisioning resourceLabels:CtResourceLabels "
    "resourceManagerTags:CtResourceManagerTags storagePools:[s] tags:CtNetworkTags "
    "taints:CtNodeTaints upgradeSettings:CtUpgradeSettings "
    "windowsNodeConfig:CtWindowsNodeConfig workloadMetadataConfig:CtWorkloadMetadataConfig "
    "zone:s}",
    "CtUpgradeSettings{blueGreenSettings:CtBlueGreenSettings maxSurge:i maxUnavailable:i "
    "rollingSettings:CtRollingSettings "
    "strategy:'BLUE_GREEN|NODE_POOL_UPDATE_STRATEGY_UNSPECIFIED|QUEUED_PROVISIONING|"
    "ROLLING|SHORT_LIVED|SURGE'}",
    "CtUserManagedKeysConfig{aggregationCa:s clusterCa:s controlPlaneDiskEncryptionKey:s "
    "etcdApiCa:s etcdPeerCa:s gkeopsEtcdBackupEncryptionKey:s serviceAccountSigningKeys:[s] "
    "serviceAccountVerificationKeys:[s]}",
    "CtVerticalPodAutoscaling{enabled:b}",
    "CtVirtualNIC{enabled:b}",
    "CtWindowsNodeConfig{osVersion:'OS_VERSION_LTSC2019|OS_VERSION_LTSC2022|"
    "OS_VERSION_UNSPECIFIED'}",
    "CtWorkloadIdentityConfig{workloadPool:s}",
    "CtWorkloadMetadataConfig{mode:'GCE_METADATA|GKE_METADATA|MODE_UNSPECIFIED'}",
    "CtWorkloadPolicyConfig{allowNetAdmin:b autopilotCompatibilityAuditingEnabled:b}",
    "FsDirectoryServicesConfig{ldap:FsLdapConfig "
    "managedActiveDirectory:FsManagedActiveDirectoryConfig}",
    "FsFileShareConfig{capacityGb:l name:s nfsExportOptions:[FsNfsExportOptions] "
    "sourceBackup:s}",
    "FsFixedIOPS{maxIops:l}",
    "FsIOPSPerTB{maxIopsPerTb:l}",
    "FsBackup{capacityGb:l createTime:s description:s downloadBytes:l "
    "fileSystemProtocol:'FILE_PROTOCOL_UNSPECIFIED|NFS_V3|NFS_V4_1' kmsKey:s labels:m name:s "
    "satisfiesPzi:b satisfiesPzs:b sourceFileShare:s sourceInstance:s "
    "sourceInstanceTier:'BASIC_HDD|BASIC_SSD|ENTERPRISE|HIGH_SCALE_SSD|PREMIUM|REGIONAL|STANDARD|"
    "TIER_UNSPECIFIED|ZONAL' state:'CREATING|DELETING|FINALIZING|INVALID|READY|STATE_UNSPECIFIED' "
    "storageBytes:l tags:m}",
    "FsInstance{createTime:s customPerformanceSupported:b deletionProtectionEnabled:b "
    "deletionProtectionReason:s description:s directoryServices:FsDirectoryServicesConfig "
    "etag:s fileShares:[FsFileShareConfig] kmsKeyName:s labels:m name:s "
    "networks:[FsNetworkConfig] performanceConfig:FsPerformanceConfig "
    "performanceLimits:FsPerformanceLimits "
    "protocol:'FILE_PROTOCOL_UNSPECIFIED|NFS_V3|NFS_V4_1' replication:FsReplication "
    "satisfiesPzi:b satisfiesPzs:b "
    "state:'CREATING|DELETING|ERROR|PROMOTING|READY|REPAIRING|RESTORING|RESUMING|REVERTING|"
    "STATE_UNSPECIFIED|SUSPENDED|SUSPENDING' statusMessage:s "
    "suspensionReasons:['KMS_KEY_ISSUE|SUSPENSION_REASON_UNSPECIFIED'] tags:m "
    "tier:'BASIC_HDD|BASIC_SSD|ENTERPRISE|HIGH_SCALE_SSD|PREMIUM|REGIONAL|STANDARD|"
    "TIER_UNSPECIFIED|ZONAL'}",
    "FsLdapConfig{domain:s groupsOu:s servers:[s] usersOu:s}",
    "FsManagedActiveDirectoryConfig{computer:s domain:s}",
    "FsNetworkConfig{connectMode:'CONNECT_MODE_UNSPECIFIED|DIRECT_PEERING|"
    "PRIVATE_SERVICE_ACCESS' ipAddresses:[s] modes:['ADDRESS_MODE_UNSPECIFIED|MODE_IPV4'] "
    "network:s reservedIpRange:s}",
    "FsNfsExportOptions{accessMode:'ACCESS_MODE_UNSPECIFIED|READ_ONLY|READ_WRITE' anonGid:l "
    "anonUid:l ipRanges:[s] squashMode:'NO_ROOT_SQUASH|ROOT_SQUASH|SQUASH_MODE_UNSPECIFIED'}",
    "FsPerformanceConfig{fixedIops:FsFixedIOPS iopsPerTb:FsIOPSPerTB}",
    "FsPerformanceLimits{maxIops:l maxReadIops:l maxReadThroughputBps:l maxWriteIops:l "
    "maxWriteThroughputBps:l}",
    "FsReplicaConfig{lastActiveSyncTime:s peerInstance:s "
    "state:'CREATING|FAILED|READY|REMOVING|STATE_UNSPECIFIED' "
    "stateReasons:['PEER_INSTANCE_UNREACHABLE|REMOVE_FAILED|STATE_REASON_UNSPECIFIED']}",
    "FsReplication{replicas:[FsReplicaConfig] role:'ACTIVE|ROLE_UNSPECIFIED|STANDBY'}",
    "IcGenerateAccessTokenRequest{delegates:[s] lifetime:s scope:[s]}",
    "IcGenerateIdTokenRequest{audience:s delegates:[s] includeEmail:b "
    "organizationNumberIncluded:b}",
    "IcSignBlobRequest{delegates:[s] payload:s}",
    "IcSignJwtRequest{delegates:[s] payload:s}",
    "ImAuditConfig{auditLogConfigs:[ImAuditLogConfig] service:s}",
    "ImAuditLogConfig{exemptedMembers:[s] "
    "logType:'ADMIN_READ|DATA_READ|DATA_WRITE|LOG_TYPE_UNSPECIFIED'}",
    "ImBinding{condition:ImExpr members:[s] role:s}",
    "ImCreateServiceAccountKeyRequest{keyAlgorithm:'KEY_ALG_RSA_1024|KEY_ALG_RSA_2048|"
    "KEY_ALG_UNSPECIFIED' "
    "privateKeyType:'TYPE_GOOGLE_CREDENTIALS_FILE|TYPE_PKCS12_FILE|TYPE_UNSPECIFIED'}",
    "ImCreateServiceAccountRequest{accountId:s serviceAccount:ImServiceAccount}",
    "ImDisableServiceAccountRequest{}",
    "ImEnableServiceAccountRequest{}",
    "ImExpr{description:s expression:s location:s title:s}",
    "ImPatchServiceAccountRequest{serviceAccount:ImServiceAccount updateMask:s}",
    "ImPolicy{auditConfigs:[ImAuditConfig] bindings:[ImBinding] etag:s version:i}",
    "ImServiceAccount{description:s disabled:b displayName:s email:s etag:s name:s "
    "oauth2ClientId:s projectId:s uniqueId:s}",
    "ImSetIamPolicyRequest{policy:ImPolicy updateMask:s}",
    "ImTestIamPermissionsRequest{permissions:[s]}",
    "ImUndeleteServiceAccountRequest{}",
    "RmAuditConfig{auditLogConfigs:[RmAuditLogConfig] service:s}",
    "RmAuditLogConfig{exemptedMembers:[s] "
    "logType:'ADMIN_READ|DATA_READ|DATA_WRITE|LOG_TYPE_UNSPECIFIED'}",
    "RmBinding{condition:RmExpr members:[s] role:s}",
    "RmExpr{description:s expression:s location:s title:s}",
    "RmGetIamPolicyRequest{options:RmGetPolicyOptions}",
    "RmGetPolicyOptions{requestedPolicyVersion:i}",
    "RmPolicy{auditConfigs:[RmAuditConfig] bindings:[RmBinding] etag:s version:i}",
    "RmSetIamPolicyRequest{policy:RmPolicy updateMask:s}",
    "RmTestIamPermissionsRequest{permissions:[s]}",
    "StActionValue{storageClass:s type:s}",
    "StAutoclassValue{enabled:b terminalStorageClass:s terminalStorageClassUpdateTime:s "
    "toggleTime:s}",
    "StBillingValue{requesterPays:b}",
    "StBindingsValueListEntry{condition:StExpr members:[s] role:s}",
    "StBucketAccessControl{bucket:s domain:s email:s entity:s entityId:s etag:s id:s kind:s "
    "projectTeam:StProjectTeamValue role:s selfLink:s}",
    "StBucketPolicyOnlyValue{enabled:b lockedTime:s}",
    "StBucket{acl:[StBucketAccessControl] autoclass:StAutoclassValue billing:StBillingValue "
    "cors:[StCorsValueListEntry] customPlacementConfig:StCustomPlacementConfigValue "
    "defaultEventBasedHold:b defaultObjectAcl:[StObjectAccessControl] "
    "encryption:StEncryptionValue etag:s generation:l hardDeleteTime:s "
    "hierarchicalNamespace:StHierarchicalNamespaceValue "
    "iamConfiguration:StIamConfigurationValue id:s ipFilter:StIpFilterValue kind:s labels:m "
    "lifecycle:StLifecycleValue location:s locationType:s logging:StLoggingValue "
    "metageneration:l name:s objectRetention:StObjectRetentionValue owner:StOwnerValue "
    "projectNumber:l retentionPolicy:StRetentionPolicyValue rpo:s satisfiesPZI:b "
    "satisfiesPZS:b selfLink:s softDeletePolicy:StSoftDeletePolicyValue softDeleteTime:s "
    "storageClass:s timeCreated:s updated:s versioning:StVersioningValue "
    "website:StWebsiteValue}",
    "StConditionValue{age:i createdBefore:s customTimeBefore:s daysSinceCustomTime:i "
    "daysSinceNoncurrentTime:i isLive:b matchesPattern:s matchesPrefix:[s] "
    "matchesStorageClass:[s] matchesSuffix:[s] noncurrentTimeBefore:s numNewerVersions:i}",
    "StCorsValueListEntry{maxAgeSeconds:i method:[s] origin:[s] responseHeader:[s]}",
    "StCustomPlacementConfigValue{dataLocations:[s]}",
    "StEncryptionValue{defaultKmsKeyName:s}",
    "StExpr{description:s expression:s location:s title:s}",
    "StHierarchicalNamespaceValue{enabled:b}",
    "StIamConfigurationValue{bucketPolicyOnly:StBucketPolicyOnlyValue "
    "publicAccessPrevention:s uniformBucketLevelAccess:StUniformBucketLevelAccessValue}",
    "StIpFilterValue{allowAllServiceAgentAccess:b allowCrossOrgVpcs:b mode:s "
    "publicNetworkSource:StPublicNetworkSourceValue "
    "vpcNetworkSources:[StVpcNetworkSourcesValueListEntry]}",
    "StLifecycleValue{rule:[StRuleValueListEntry]}",
    "StLoggingValue{logBucket:s logObjectPrefix:s}",
    "StObjectAccessControl{bucket:s domain:s email:s entity:s entityId:s etag:s generation:l "
    "id:s kind:s object:s projectTeam:StProjectTeamValue role:s selfLink:s}",
    "StObjectRetentionValue{mode:s}",
    "StOwnerValue{entity:s entityId:s}",
    "StPolicy{bindings:[StBindingsValueListEntry] etag:s kind:s resourceId:s version:i}",
    "StProjectTeamValue{projectNumber:s team:s}",
    "StProjectTeamValue{projectNumber:s team:s}",
    "StPublicNetworkSourceValue{allowedIpCidrRanges:[s]}",
    "StRetentionPolicyValue{effectiveTime:s isLocked:b retentionPeriod:l}",
    "StRuleValueListEntry{action:StActionValue condition:StConditionValue}",
    "StSoftDeletePolicyValue{effectiveTime:s retentionDurationSeconds:l}",
    "StUniformBucketLevelAccessValue{enabled:b lockedTime:s}",
    "StVersioningValue{enabled:b}",
    "StVpcNetworkSourcesValueListEntry{allowedIpCidrRanges:[s] network:s}",
    "StWebsiteValue{mainPageSuffix:s notFoundPage:s}",
    "SuBatchEnableServicesRequest{serviceIds:[s]}",
    "SuDisableServiceRequest{checkIfServiceHasUsage:'CHECK|"
    "CHECK_IF_SERVICE_HAS_USAGE_UNSPECIFIED|SKIP' disableDependentServices:b}",
    "SuEnableServiceRequest{}",
};
/* clang-format on */
const size_t schema_types_len = RD_ARRAY_LEN(schema_types);
