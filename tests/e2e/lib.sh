# Shared by the end-to-end scripts. Each check prints one line: PASS, FAIL or SKIP, a name, a detail.
# shellcheck shell=bash
set -uo pipefail
e2e_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
RAYDEPLOY=${RAYDEPLOY:-$e2e_top/build/debug/bin/raydeploy}
e2e_dir=$(mktemp -d)
e2e_failed=0
export XDG_STATE_HOME="$e2e_dir/state"
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:exitcode=99}

pass() { printf 'PASS %s\n' "$*"; }
fail() { printf 'FAIL %s\n' "$*"; e2e_failed=1; }
skip() { printf 'SKIP %s\n' "$*"; }
note() { printf 'NOTE %s\n' "$*"; }

# check NAME: passes, and succeeds, when the command that ran just before it succeeded.
check() { # rc name [detail]
    local rc=$1
    shift
    if [ "$rc" -eq 0 ]; then pass "$@"; else fail "$@"; fi
    return "$rc"
}

# same NAME GOT WANT
same() {
    if [ "$2" = "$3" ]; then pass "$1"; else fail "$1: got '$2', want '$3'"; fi
}

# holds NAME FILE PATTERN: the file has a line that matches.
holds() {
    if grep -qE -- "$3" "$2"; then pass "$1"; else fail "$1: no line matches '$3' in:"; tail -n 15 "$2"; fi
}

# Runs raydeploy with stdin closed; stdout, stderr and exit code go to $e2e_dir/{out,err} and $rc.
run() {
    "$RAYDEPLOY" "$@" >"$e2e_dir/out" 2>"$e2e_dir/err" </dev/null
    rc=$?
    return 0
}

# documented LOG...: each request in the emulator's logs against Google's own documents.
documented() {
    local said rc
    said=$("$e2e_top/tests/discovery/run" "$@" 2>&1)
    rc=$?
    case $rc in
    0) pass "discovery: $(tail -n 1 <<<"$said")" ;;
    77) skip "discovery: $said" ;;
    *) fail "discovery: $said" ;;
    esac
}

# runs NAME CODE args...: run and compare the exit code.
runs() {
    local name=$1 want=$2
    shift 2
    run "$@"
    if [ "$rc" -eq "$want" ]; then
        pass "$name (exit $rc)"
    else
        fail "$name: exit $rc, want $want"
        tail -n 12 "$e2e_dir/err"
    fi
}

finish() {
    rm -rf "$e2e_dir"
    exit "$e2e_failed"
}

shared=${RAYDEPLOY_SHARED:-$e2e_top/../shared}

# The chart archive for tests that install KubeRay; skips the script without it.
need_chart() {
    chart=${KUBERAY_CHART:-$shared/charts/kuberay-operator-1.7.0.tgz}
    if [ ! -f "$chart" ]; then
        skip "$(basename "$0"): no KubeRay chart archive ($chart)"
        finish
    fi
}

need_rig() {
    if [ -z "${RIG_KUBECONFIG:-}" ]; then
        skip "$(basename "$0"): no rig (RIG_KUBECONFIG is not set)"
        finish
    fi
    kubectl=${RIG_KUBECTL:-kubectl}
}

# All objects of the API server, one line each, events and leases aside.
snapshot() {
    local kinds
    kinds=$("$kubectl" --kubeconfig "$RIG_ADMIN_KUBECONFIG" api-resources --verbs=list -o name 2>/dev/null |
        grep -vE '^(events|leases|componentstatuses)(\.|$)' | sort -u | paste -sd, -)
    "$kubectl" --kubeconfig "$RIG_ADMIN_KUBECONFIG" get "$kinds" -A --ignore-not-found \
        -o jsonpath="{range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} {.metadata.uid}{'\n'}{end}" \
        2>/dev/null | sort
}
