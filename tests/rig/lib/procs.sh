# Processes by pid and start time, so that a recycled pid is never signalled.
# shellcheck shell=bash

proc_start_time() {
    # Field 22 of stat; the command name in field 2 may hold spaces.
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -- $stat
    [ "$1" != Z ] || return 1
    echo "${20}"
}

# proc_run NAME COMMAND...: starts in a session of its own, log in logs/NAME.log.
proc_run() {
    local name=$1 pid
    shift
    mkdir -p "$rig_dir/logs" "$rig_dir/pids"
    printf '%s starting: %s\n' "$(date -u +%FT%TZ)" "$*" >>"$rig_dir/logs/$name.log"
    # Locks, the rig's own and the caller's, must not live on in its children.
    (
        local fd
        for fd in "/proc/$BASHPID/fd"/*; do
            fd=${fd##*/}
            [ "$fd" -le 2 ] || eval "exec $fd>&-"
        done
        exec setsid "$@"
    ) >>"$rig_dir/logs/$name.log" 2>&1 </dev/null &
    pid=$!
    echo "$pid $(proc_start_time "$pid" || echo gone)" >"$rig_dir/pids/$name"
}

# proc_pid NAME: prints the pid if that very process still runs.
proc_pid() {
    local pid started
    [ -f "$rig_dir/pids/$1" ] || return 1
    read -r pid started <"$rig_dir/pids/$1"
    [ "$(proc_start_time "$pid")" = "$started" ] || return 1
    echo "$pid"
}

proc_alive() { proc_pid "$1" >/dev/null; }

proc_gone() { ! proc_alive "$1"; }

proc_stop() {
    local pid
    pid=$(proc_pid "$1") || {
        rm -f "$rig_dir/pids/$1"
        return 0
    }
    kill -TERM "$pid" 2>/dev/null || true
    if ! wait_for "${2:-15}" "$1 did not stop" proc_gone "$1"; then
        say "$1: killed"
        kill -KILL "$pid" 2>/dev/null || true
        wait_for 5 "$1 is still there" proc_gone "$1" || true
    fi
    rm -f "$rig_dir/pids/$1"
}

proc_kill() {
    local pid
    pid=$(proc_pid "$1") || die "$1 is not running"
    kill -KILL "$pid"
    wait_for 5 "$1 is still there" proc_gone "$1"
    rm -f "$rig_dir/pids/$1"
}

# proc_must NAME: dies with the end of its log when it has ended.
proc_must() {
    proc_alive "$1" && return 0
    say "$1 has ended; the end of $rig_dir/logs/$1.log:"
    tail -n 15 "$rig_dir/logs/$1.log" >&2 || true
    return 1
}
