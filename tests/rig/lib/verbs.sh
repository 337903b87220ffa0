# The verbs that make a test's weather.
# shellcheck shell=bash

control() {
    local path=$1
    shift
    rig_need_running
    curl -sS --fail-with-body --max-time 30 "$@" "http://127.0.0.1:$port_control/$path" ||
        die "riglet refused (see above), or is not there"
}

rig_break() {
    [ $# = 2 ] || die "break takes SELECTOR and MODE"
    control rules -X POST --data-urlencode "selector=$1" --data-urlencode "mode=$2"
}

rig_fix() { control rules -X DELETE -G --data-urlencode "selector=${1:-}"; }

rig_rules() { control rules; }

rig_forward() {
    [ $# = 3 ] || die "forward takes NAMESPACE/POD-GLOB, PORT and ADDRESS:PORT"
    control forwards -X POST --data-urlencode "pods=$1" --data-urlencode "port=$2" \
        --data-urlencode "target=$3"
}

rig_token() {
    local expired=false
    if [ "${1:-}" = --expired ]; then
        expired=true
        shift
    fi
    [ $# = 1 ] || die "token takes NAMESPACE/SERVICEACCOUNT"
    rig_need_running
    "$part_riglet" token --dir "$rig_dir" --kubeconfig "$rig_dir/admin.kubeconfig" \
        --expired="$expired" "$1"
}

rig_wait_ray() {
    local cluster=${1:-} want=${2:-1} seconds=${3:-180}
    [ -n "$cluster" ] || die "wait-ray takes NAMESPACE/CLUSTER [NODES] [SECONDS]"
    rig_need_running
    ray_there() { [ "$(control "ray?cluster=$cluster")" -ge "$want" ]; }
    wait_for "$seconds" "Ray cluster $cluster has not $want ready node(s)" ray_there || exit 1
}
