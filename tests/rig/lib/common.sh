# Places, messages and waiting, shared by the parts of scripts/rig.
# shellcheck shell=bash

rig_cache=${XDG_CACHE_HOME:-$HOME/.cache}/raydeploy-rig
rig_dir=${RIG_DIR:-$rig_cache/state}
mkdir -p "$rig_cache" "$rig_dir"
rig_dir=$(cd "$rig_dir" && pwd)
rig_conf=$rig_dir/rig.conf

# Messages go to stderr: stdout carries the two result lines alone.
say() { printf 'rig: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# now_ms prints a clock in milliseconds for measuring, not for timestamps.
now_ms() { echo $(($(date +%s%N) / 1000000)); }

# wait_for SECONDS WHAT COMMAND...: polls until the command succeeds.
wait_for() {
    local seconds=$1 what=$2 end
    shift 2
    end=$(($(date +%s) + seconds))
    until "$@" >/dev/null 2>&1; do
        if [ "$(date +%s)" -ge "$end" ]; then
            say "$what: not within $seconds s"
            return 1
        fi
        sleep 0.1
    done
}

# conf_set NAME VALUE: remembers a setting of this rig across calls.
conf_set() { printf '%s=%q\n' "$1" "$2" >>"$rig_conf"; }

conf_load() {
    [ -f "$rig_conf" ] || return 1
    # shellcheck disable=SC1090
    . "$rig_conf"
}

rig_need_running() {
    conf_load || die "no rig in $rig_dir: start one first"
    proc_alive etcd || die "the rig in $rig_dir is not running"
}
