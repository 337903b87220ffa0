# Starting and stopping the emulator, for the emulator_* scripts. After lib.sh.
# shellcheck shell=bash disable=SC2154
EMULATOR=${EMULATOR:-$e2e_top/build/debug/bin/raydeploy-emulator}
emulator_pid=

# emulator_start NAME args...: its folder is $emu_dir; its env is in this shell.
emulator_start() {
    emu_dir=$e2e_dir/$1
    shift
    rm -f "$e2e_dir/emulator.out" # of an earlier one, whose "ready" is not this one's
    "$EMULATOR" --dir "$emu_dir" "$@" >"$e2e_dir/emulator.out" 2>"$e2e_dir/emulator.err" &
    emulator_pid=$!
    local i
    for i in $(seq 100); do
        if grep -q '^ready$' "$e2e_dir/emulator.out" 2>/dev/null; then break; fi
        if ! kill -0 "$emulator_pid" 2>/dev/null || [ "$i" = 100 ]; then
            fail "the emulator did not start: $(tail -n 3 "$e2e_dir/emulator.err")"
            finish
        fi
        sleep 0.1
    done
    # shellcheck disable=SC1091
    . "$emu_dir/env"
}

# Ends it; passes when it ended well: the sanitizers of a debug build had nothing to say.
emulator_stop() {
    kill -TERM "$emulator_pid"
    wait "$emulator_pid"
    local rc=$?
    emulator_pid=
    if [ $rc -ne 0 ]; then tail -n 40 "$e2e_dir/emulator.err"; fi
    check $rc "$1: the emulator ends well"
}

emulator_cleanup() { [ -z "$emulator_pid" ] || kill -TERM "$emulator_pid" 2>/dev/null; }
trap emulator_cleanup EXIT

# A token of the deployer from the metadata server.
emulator_token() {
    curl -sS -H 'Metadata-Flavor: Google' \
        "http://$GCE_METADATA_HOST/computeMetadata/v1/instance/service-accounts/default/token" |
        sed 's/.*"access_token":"\([^"]*\)".*/\1/'
}

# api METHOD API PATH [BODY]: the answer in $e2e_dir/body, its code in $code ("000": none).
api() {
    local var=CLOUDSDK_API_ENDPOINT_OVERRIDES_$2 url
    url=$(printf '%s' "${!var}" | sed -E 's|^(https://[^/]*)/.*|\1|')$3
    code=$(curl -sS -o "$e2e_dir/body" -w '%{http_code}' --cacert "$emu_dir/ca.pem" -X "$1" \
        -H "Authorization: Bearer ${token:-}" -H 'Content-Type: application/json' \
        --data-binary "${4:-}" "$url" 2>"$e2e_dir/curl.err")
}

# answers NAME CODE PATTERN: of the last api call.
answers() {
    if [ "$code" = "$2" ] && grep -qE -- "$3" "$e2e_dir/body"; then
        pass "$1"
    else
        fail "$1: got $code, want $2 and '$3': $(head -c 600 "$e2e_dir/body" 2>/dev/null)"
    fi
}

# until_answers NAME CODE PATTERN METHOD API PATH: asks again for up to 20 s.
until_answers() {
    local i
    for i in $(seq 100); do
        api "$4" "$5" "$6"
        if [ "$code" = "$2" ] && grep -qE -- "$3" "$e2e_dir/body"; then break; fi
        [ "$i" = 100 ] || sleep 0.2
    done
    answers "$1" "$2" "$3"
}
