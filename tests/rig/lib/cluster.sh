# Bringing the control plane up and down.
# shellcheck shell=bash

# Started in this order and stopped in the reverse one.
rig_procs=(etcd kube-apiserver kube-controller-manager kube-scheduler riglet kwok)

rig_pick_ports() {
    local ports
    mapfile -t ports < <("$part_riglet" ports 9)
    conf_set port_etcd "${ports[0]}"
    conf_set port_etcd_peer "${ports[1]}"
    conf_set port_api "${ports[2]}"
    conf_set port_kcm "${ports[3]}"
    conf_set port_scheduler "${ports[4]}"
    conf_set port_kubelet "${ports[5]}"
    conf_set port_kwok "${ports[6]}"
    conf_set port_control "${ports[7]}"
}

etcd_start() {
    local client=http://127.0.0.1:$port_etcd peer=http://127.0.0.1:$port_etcd_peer
    proc_run etcd "$bin_kube/etcd" --name rig --data-dir "$rig_dir/etcd" \
        --listen-client-urls "$client" --advertise-client-urls "$client" \
        --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
        --initial-cluster "rig=$peer" --unsafe-no-fsync --log-level warn \
        --quota-backend-bytes 4294967296
}

etcd_wait() {
    wait_for 30 "etcd is not healthy" curl -fsS "http://127.0.0.1:$port_etcd/health" ||
        { proc_must etcd; die "see $rig_dir/logs/etcd.log"; }
}

apiserver_start() {
    local pki=$rig_dir/pki
    # No endpoint reconciler: loopback cannot be an endpoint address.
    # shellcheck disable=SC2086
    proc_run kube-apiserver "$bin_kube/kube-apiserver" \
        --etcd-servers "http://127.0.0.1:$port_etcd" \
        --bind-address 127.0.0.1 --secure-port "$port_api" --advertise-address 127.0.0.1 \
        --endpoint-reconciler-type none \
        --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
        --client-ca-file "$pki/ca.crt" --token-auth-file "$pki/tokens.csv" \
        --authorization-mode Node,RBAC \
        --service-account-issuer https://kubernetes.default.svc.cluster.local \
        --service-account-key-file "$pki/sa.pub" --service-account-signing-key-file "$pki/sa.key" \
        --service-cluster-ip-range 10.96.0.0/16 --allow-privileged=true \
        --enable-admission-plugins NodeRestriction \
        --runtime-config admissionregistration.k8s.io/v1beta1=true \
        --feature-gates MutatingAdmissionPolicy=true \
        --kubelet-client-certificate "$pki/kubelet-client.crt" \
        --kubelet-client-key "$pki/kubelet-client.key" \
        --kubelet-certificate-authority "$pki/ca.crt" \
        --kubelet-preferred-address-types InternalIP \
        --audit-policy-file "$rig_src/audit-policy.yaml" --audit-log-path "$rig_dir/audit.log" \
        --audit-log-format json --audit-log-mode blocking --audit-log-maxsize 4000 \
        --profiling=false ${RIG_APISERVER_FLAGS:-}
}

apiserver_ready() {
    curl -fsS --cacert "$rig_dir/pki/ca.crt" "https://127.0.0.1:$port_api/readyz"
}

apiserver_wait() {
    wait_for 90 "the API server is not ready" apiserver_ready || {
        curl -sS --cacert "$rig_dir/pki/ca.crt" "https://127.0.0.1:$port_api/readyz?verbose" |
            grep -v ok >&2 || true
        proc_must kube-apiserver
        die "see $rig_dir/logs/kube-apiserver.log"
    }
}

controllers_start() {
    local pki=$rig_dir/pki config
    config=$pki/controller-manager.kubeconfig
    proc_run kube-controller-manager "$bin_kube/kube-controller-manager" \
        --kubeconfig "$config" --authentication-kubeconfig "$config" \
        --authorization-kubeconfig "$config" --leader-elect=false \
        --bind-address 127.0.0.1 --secure-port "$port_kcm" --root-ca-file "$pki/ca.crt" \
        --service-account-private-key-file "$pki/sa.key" \
        --use-service-account-credentials=true --profiling=false
    config=$pki/scheduler.kubeconfig
    proc_run kube-scheduler "$bin_kube/kube-scheduler" \
        --kubeconfig "$config" --authentication-kubeconfig "$config" \
        --authorization-kubeconfig "$config" --leader-elect=false \
        --bind-address 127.0.0.1 --secure-port "$port_scheduler" --profiling=false
}

# operator_older: whether the operator is one of before the version that is installed.
operator_older() {
    [ "$(printf '%s\n' "$RIG_KUBERAY_WANTED" "$RIG_KUBERAY" | sort -V | head -n 1)" != "$RIG_KUBERAY_WANTED" ]
}

riglet_start() {
    local apart=()
    # Mounts made for pods stay with riglet and go with it.
    [ "$(id -u)" != 0 ] || apart=(unshare --mount --propagation private)
    proc_run riglet "${apart[@]}" "$part_riglet" run --dir "$rig_dir" \
        --kubeconfig "$rig_dir/pki/riglet.kubeconfig" \
        --kubelet-port "$port_kubelet" --control-port "$port_control" \
        --apiserver "127.0.0.1:$port_api" \
        --venv "$([ "$with_ray" = 1 ] && echo "$part_venv")" \
        --operator "$([ "$with_operator" = 1 ] && echo "$part_ray_operator")" \
        --older-operator="$(operator_older && echo true || echo false)" \
        --max-raylets "${RIG_MAX_RAYLETS:-8}" --shm-mb "${RIG_SHM_MB:-256}" \
        --autoscaler="$([ "${RIG_AUTOSCALER:-0}" = 1 ] && echo true || echo false)" \
        --nodes "$nodes"
}

kwok_start() {
    local config args=()
    for config in "$rig_src"/stages/*.yaml; do
        args+=(--config "$config")
    done
    # Its own home keeps kwok from reading a configuration of the user's.
    HOME=$rig_dir/kwok KWOK_WORKDIR=$rig_dir/kwok \
        proc_run kwok "$part_kwok" --kubeconfig "$rig_dir/pki/kwok.kubeconfig" \
        --manage-all-nodes --node-name localhost --node-ip 127.0.0.1 \
        --node-port "$port_kubelet" --server-address "127.0.0.1:$port_kwok" \
        --tls-cert-file "$rig_dir/pki/apiserver.crt" \
        --tls-private-key-file "$rig_dir/pki/apiserver.key" \
        --cidr 10.244.0.0/17 --node-lease-duration-seconds 40 "${args[@]}"
}

admin_kubectl() { "$bin_kube/kubectl" --kubeconfig "$rig_dir/admin.kubeconfig" "$@"; }

# Objects that stand for what a bare cluster comes with.
base_objects() {
    local i
    cat "$rig_src/base.yaml"
    ! operator_older || cat "$rig_src/older-operator.yaml"
    for i in $(seq 1 "$nodes"); do
        sed -e "s/@NODE@/rig-node-$i/g" -e "s/@ADDRESS@/127.0.0.$((10 + i))/g" \
            "$rig_src/node.yaml.in"
    done
}

nodes_ready() {
    [ "$(admin_kubectl get nodes --no-headers 2>/dev/null | grep -cw Ready)" = "$nodes" ] &&
        ! admin_kubectl get nodes -o jsonpath='{.items[*].spec.taints[*].key}' | grep -q not-ready
}

base_there() {
    admin_kubectl -n default get serviceaccount default -o name &&
        admin_kubectl -n default get configmap kube-root-ca.crt -o name
}

env_write() {
    {
        echo "# What a test needs to know of the rig: source it."
        printf 'export %s=%q\n' \
            RIG_DIR "$rig_dir" \
            RIG_KUBECONFIG "$rig_dir/kubeconfig" \
            RIG_ADMIN_KUBECONFIG "$rig_dir/admin.kubeconfig" \
            RIG_SERVER "https://127.0.0.1:$port_api" \
            RIG_CA "$rig_dir/pki/ca.crt" \
            RIG_USER raydeploy-test \
            RIG_TOKEN_FILE "$rig_dir/pki/test.token" \
            RIG_NOBODY_TOKEN_FILE "$rig_dir/pki/nobody.token" \
            RIG_SA_KEY "$rig_dir/pki/sa.key" \
            RIG_SA_ISSUER https://kubernetes.default.svc.cluster.local \
            RIG_AUDIT_LOG "$rig_dir/audit.log" \
            RIG_LOGS "$rig_dir/logs" \
            RIG_RULES "$rig_dir/rules" \
            RIG_DASHBOARDS "$rig_dir/dashboards" \
            RIG_KUBECTL "$bin_kube/kubectl" \
            RIG_KUBERAY_VERSION "$RIG_KUBERAY" \
            RIG_RAY_VERSION "$RIG_RAY" \
            RIG_WITH_RAY "$with_ray" \
            RIG_WITH_OPERATOR "$with_operator" \
            RIG_CHARTS http://10.244.128.1:8879 \
            RIG_CHART_PORT_FILE "$rig_dir/chart-port" \
            RIG_SCRIPT "$root/scripts/rig"
    } >"$rig_dir/env"
}

rig_results() {
    echo "kubeconfig=$rig_dir/kubeconfig"
    echo "env=$rig_dir/env"
}

rig_up() {
    "$part_riglet" pki --dir "$rig_dir" --server "https://127.0.0.1:$port_api"
    etcd_start
    etcd_wait
    apiserver_start
    apiserver_wait
    controllers_start
    base_objects | admin_kubectl apply --server-side -f - >>"$rig_dir/logs/base.log"
    riglet_start
    kwok_start
    wait_for 60 "the nodes are not ready" nodes_ready ||
        { proc_must riglet && proc_must kwok; die "see $rig_dir/logs"; }
    wait_for 60 "namespace default is not filled" base_there || die "see $rig_dir/logs"
    local name
    for name in "${rig_procs[@]}"; do
        proc_must "$name" || die "the rig is not usable"
    done
}

rig_start() {
    local with_ray=1 with_operator=1 nodes=3 began
    while [ $# -gt 0 ]; do
        case $1 in
        --no-ray) with_ray=0 ;;
        --no-operator) with_operator=0 with_ray=0 ;;
        --nodes)
            nodes=${2:?--nodes takes a number}
            shift
            ;;
        *) die "start: unknown option $1" ;;
        esac
        shift
    done
    exec 9>"$rig_dir/lock"
    flock -n 9 || die "another scripts/rig works on $rig_dir"
    if [ -f "$rig_conf" ] && proc_alive kube-apiserver; then
        say "already running in $rig_dir"
        rig_results
        return 0
    fi
    if [ "$(id -u)" != 0 ] && [ "$with_operator" = 1 ]; then
        say "not root: no namespaces for real pods; the operator and Ray are played"
        with_ray=0 with_operator=0
    fi
    began=$(now_ms)
    rig_build_all
    say "built in $((($(now_ms) - began))) ms"
    began=$(now_ms)
    rig_clear
    mkdir -p "$rig_dir/logs" "$rig_dir/kwok" "$rig_dir/rules"
    conf_set with_ray "$with_ray"
    conf_set with_operator "$with_operator"
    conf_set nodes "$nodes"
    conf_set part_riglet "$part_riglet"
    conf_set part_kwok "$part_kwok"
    conf_set part_ray_operator "$part_ray_operator"
    conf_set RIG_KUBERAY "$RIG_KUBERAY"
    conf_set part_venv "${part_venv:-}"
    conf_set bin_kube "${part_rigkube%/*}"
    rig_pick_ports
    conf_load
    trap 'say "start failed: stopping what was started"; procs_down' ERR EXIT
    rig_up
    env_write
    trap - ERR EXIT
    say "usable after $((($(now_ms) - began))) ms; logs in $rig_dir/logs"
    rig_results
}

# rig_clear: a fresh state, once nothing of an older run is left.
rig_clear() {
    procs_down
    rm -rf "${rig_dir:?}"/{etcd,pki,kwok,rules,pods,volumes,pids,audit.log,rig.conf,env,dashboards}
    rm -f "$rig_dir"/kubeconfig "$rig_dir"/admin.kubeconfig "$rig_dir"/helm "$rig_dir"/chart-port
    if [ -d "$rig_dir/logs" ]; then
        rm -rf "$rig_dir/logs.old"
        mv "$rig_dir/logs" "$rig_dir/logs.old"
    fi
}

procs_down() {
    local i
    for ((i = ${#rig_procs[@]} - 1; i >= 0; i--)); do
        # What watches the API server would hold its end up, and its store goes next.
        proc_stop "${rig_procs[i]}" "$([ "${rig_procs[i]}" = kube-apiserver ] && echo 5 || echo 15)"
    done
}

rig_stop() {
    exec 9>"$rig_dir/lock"
    flock -w 120 9 || die "another scripts/rig works on $rig_dir"
    procs_down
    rm -rf "${rig_dir:?}"/{etcd,pods,volumes}
    say "stopped"
}

rig_status() {
    local name pid ok=0
    conf_load || {
        echo "no rig in $rig_dir"
        return 1
    }
    for name in "${rig_procs[@]}"; do
        if pid=$(proc_pid "$name"); then
            echo "$name running pid $pid"
        else
            echo "$name not running"
            ok=1
        fi
    done
    [ "$ok" = 0 ] || return 1
    apiserver_ready >/dev/null || {
        echo "the API server is not ready"
        return 1
    }
    [ ! -s "$rig_dir/dashboards" ] || sed 's/^/ray /' "$rig_dir/dashboards"
    rig_results
}

# rig_reset: the same rig with an empty etcd; addresses and certificates stay.
rig_reset() {
    rig_need_running
    exec 9>"$rig_dir/lock"
    flock -w 120 9 || die "another scripts/rig works on $rig_dir"
    procs_down
    rm -rf "${rig_dir:?}"/{etcd,pods,volumes,rules} "$rig_dir/audit.log" "$rig_dir/dashboards"
    mkdir -p "$rig_dir/rules"
    rig_up
    rig_results
}
