# What -o json prints, held against docs/json.schema.json. After lib.sh.
# shellcheck shell=bash disable=SC2154
# shaped NAME FILE SHAPE...: each line is one of these shapes, and each shape is there.
shaped() {
    local name=$1 file=$2 said
    shift 2
    if said=$(python3 "$e2e_top/tests/json/shape" "$@" <"$file"); then pass "$name"; else fail "$name: $said"; fi
}

# prints CODE "SHAPE..." args...: run with -o json, and hold exit code and output.
prints() {
    local want=$1 shapes=$2
    shift 2
    run "$@" -o json
    if [ "$rc" -ne "$want" ]; then
        fail "$*: exit $rc, want $want"
        tail -n 12 "$e2e_dir/err"
    fi
    # shellcheck disable=SC2086
    shaped "raydeploy $* (exit $want): $shapes" "$e2e_dir/out" $shapes
}
