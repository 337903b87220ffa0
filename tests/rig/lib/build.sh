# Building the programs and the Ray environment into the cache. Every part has a
# folder named by the hash of what it is made from, so a change rebuilds one part.
# shellcheck shell=bash

go_env=(GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS=-mod=readonly)

# Exit 3 means "cannot run here": tests print SKIP with the reason above it.
go_need() {
    local have
    if ! command -v curl >/dev/null; then
        say "SKIP: no curl on PATH; the rig asks its servers with it"
        exit 3
    fi
    if ! command -v go >/dev/null; then
        say "SKIP: no go on PATH; Go $RIG_GO_MIN or newer builds the rig"
        exit 3
    fi
    have=$(go env GOVERSION)
    have=${have#go}
    if [ "$(printf '%s\n' "$RIG_GO_MIN" "$have" | sort -V | head -n 1)" != "$RIG_GO_MIN" ]; then
        say "SKIP: go is $have, the rig needs $RIG_GO_MIN or newer"
        exit 3
    fi
}

# go_pinned MODULE-FOLDER PATH VERSION: versions.env and go.mod must agree.
go_pinned() {
    grep -Eq "^[[:space:]]*(require )?$2 v$3( |$)" "$rig_src/$1/go.mod" ||
        die "tests/rig/$1/go.mod does not require $2 v$3 as versions.env says"
}

# hash_of FILE...: over names and contents, with the Go version.
hash_of() {
    { go env GOVERSION && cd "$rig_src" && sha256sum "$@"; } | sha256sum | cut -c1-16
}

# go_part NAME FOLDER PACKAGE LDFLAGS FILE...: sets part_NAME to its binary.
go_part() {
    local name=$1 folder=$2 package=$3 ldflags=$4
    shift 4
    go_keyed "$name" "$(hash_of "$@")" "$rig_src/$folder" "$package" "$ldflags"
}

# go_keyed NAME KEY FOLDER PACKAGE LDFLAGS: the same, for a key that is known.
go_keyed() {
    local name=$1 key=$2 folder=$3 package=$4 ldflags=$5 out
    out=$rig_cache/bin/$name-$key/$name
    printf -v "part_${name//-/_}" '%s' "$out"
    if [ -x "$out" ]; then
        touch "${out%/*}"
        return 0
    fi
    [ -z "${rig_dry:-}" ] || return 1
    say "building $name (log: $rig_cache/build-$name.log)"
    mkdir -p "${out%/*}"
    if ! (cd "$folder" && env "${go_env[@]}" go build -trimpath -p 2 -pgo=off \
        -ldflags "-s -w $ldflags" -o "$out.new" "$package") >"$rig_cache/build-$name.log" 2>&1; then
        tail -n 20 "$rig_cache/build-$name.log" >&2
        die "building $name failed"
    fi
    mv "$out.new" "$out"
    # What no start has used for a week is not needed by a running rig either.
    find "$rig_cache/bin" -mindepth 1 -maxdepth 1 -name "$name-*" -mtime +7 -exec rm -rf {} +
}

kube_ldflags() {
    local at flags=
    for at in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        flags+=" -X $at.gitVersion=v$RIG_KUBERNETES -X $at.gitTreeState=clean"
        flags+=" -X $at.gitMajor=1 -X $at.gitMinor=$(cut -d. -f2 <<<"$RIG_KUBERNETES")"
    done
    echo "$flags"
}

# The operator: of the module proxy, or of a checkout of KubeRay's repository, which may
# have versions that the proxy refuses.
build_operator() {
    local module=github.com/ray-project/kuberay/ray-operator
    if [ -n "${RIG_KUBERAY_SOURCE:-}" ]; then
        build_operator_source "$RIG_KUBERAY_SOURCE"
        return
    fi
    go_pinned kuberay "$module" "$RIG_KUBERAY"
    go_part ray-operator kuberay "$module" "" kuberay/go.mod kuberay/go.sum
}

# build_operator_source DIR: sets RIG_KUBERAY to the version that the source names.
build_operator_source() {
    local source=$1 key constants
    [ ! -d "$source/ray-operator" ] || source=$source/ray-operator
    constants=$source/controllers/ray/utils/constant.go
    if ! [ -f "$source/go.mod" ] || ! [ -f "$constants" ]; then
        die "RIG_KUBERAY_SOURCE=$1 is neither a checkout of ray-project/kuberay nor its ray-operator folder"
    fi
    source=$(cd "$source" && pwd)
    RIG_KUBERAY=$(sed -nE 's/^[[:space:]]*KUBERAY_VERSION *= *"v?([^"]+)".*/\1/p' "$constants")
    [ -n "$RIG_KUBERAY" ] || die "$constants names no KUBERAY_VERSION"
    key=$({ go env GOVERSION && cd "$source" && find . -type f \( -name '*.go' -o -name 'go.*' \) \
        ! -name '*_test.go' -print0 | sort -z | xargs -0 sha256sum; } | sha256sum | cut -c1-16)
    go_keyed ray-operator "$RIG_KUBERAY-$key" "$source" . ""
}

build_go() {
    go_need
    go_pinned kube k8s.io/kubernetes "$RIG_KUBERNETES"
    go_pinned kube go.etcd.io/etcd/server/v3 "$RIG_ETCD"
    go_pinned kube sigs.k8s.io/structured-merge-diff/v6 6.3.3
    go_pinned kwok sigs.k8s.io/kwok "$RIG_KWOK"
    local riglet
    mapfile -t riglet < <(cd "$rig_src" && ls kube/riglet/*.go)
    go_part rigkube kube . "$(kube_ldflags)" versions.env kube/go.mod kube/go.sum kube/main.go ||
        return 1
    go_part riglet kube ./riglet "" kube/go.mod kube/go.sum "${riglet[@]}" || return 1
    go_part kwok kwok sigs.k8s.io/kwok/cmd/kwok "" kwok/go.mod kwok/go.sum || return 1
    build_operator || return 1
    local name
    for name in etcd kube-apiserver kube-controller-manager kube-scheduler kubectl; do
        ln -sfn rigkube "${part_rigkube%/*}/$name"
    done
}

# rig_helm: helm, for the tests that need it, and not part of start: from then on the
# rig's pods whose command is helm are run with it. Prints where it is.
rig_helm() {
    rig_need_running
    exec 8>"$rig_cache/build.lock"
    flock 8
    go_need
    go_pinned helm helm.sh/helm/v3 "$RIG_HELM"
    go_part helm helm helm.sh/helm/v3/cmd/helm \
        "-X helm.sh/helm/v3/internal/version.version=v$RIG_HELM" helm/go.mod helm/go.sum
    flock -u 8
    cp -f "$part_helm" "$rig_dir/helm.new"
    mv "$rig_dir/helm.new" "$rig_dir/helm"
    echo "$rig_dir/helm"
}

# python_find: the first interpreter of a version Ray has wheels for.
python_find() {
    local name version
    for name in python3 python3.12 python3.11 python3.10; do
        version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
            continue
        case $version in
        3.10 | 3.11 | 3.12)
            "$name" -c 'import sys; print(sys.executable)'
            return 0
            ;;
        esac
    done
    return 1
}

build_ray() {
    local python key
    python=$(python_find) || {
        say "no Python 3.10 to 3.12: starting without Ray"
        return 1
    }
    key=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3], sys.base_prefix)')
    key=$(echo "$key ray[default]==$RIG_RAY" | sha256sum | cut -c1-16)
    part_venv=$rig_cache/venv-$key
    [ -f "$part_venv/.complete" ] && return 0
    [ -z "${rig_dry:-}" ] || return 1
    say "installing Ray $RIG_RAY (log: $rig_cache/build-ray.log)"
    rm -rf "$part_venv"
    if ! { "$python" -m venv "$part_venv" &&
        "$part_venv/bin/pip" install --disable-pip-version-check --progress-bar off \
            "ray[default]==$RIG_RAY"; } >"$rig_cache/build-ray.log" 2>&1; then
        tail -n 15 "$rig_cache/build-ray.log" >&2
        say "Ray could not be installed"
        return 1
    fi
    touch "$part_venv/.complete"
}

# rig_build_all: one build at a time, Ray beside the Go build.
rig_build_all() {
    local ray_job= ray_status=0
    exec 8>"$rig_cache/build.lock"
    flock 8
    go_need
    if [ "${with_ray:-1}" = 1 ]; then
        build_ray &
        ray_job=$!
    fi
    build_go
    if [ -n "$ray_job" ]; then
        wait "$ray_job" || ray_status=$?
        if [ "$ray_status" = 0 ]; then
            build_ray # sets part_venv in this shell
        else
            with_ray=0
        fi
    fi
    flock -u 8
}

# rig_cached: whether start would find every part in the cache.
rig_cached() {
    go_need
    rig_dry=1
    build_go || return 1
    python_find >/dev/null || return 0
    build_ray
}
