# For scripts that try the release binary: time counts there, and a crash is no leak. After lib.sh.
# shellcheck shell=bash
for tool in python3 cc cmake; do
    if ! command -v "$tool" >/dev/null; then
        skip "$(basename "$0"): no $tool"
        finish
    fi
done
# Several scripts ask at once; one builds.
mkdir -p "$e2e_top/build"
if ! (
    exec 9>"$e2e_top/build/.release-tests.lock" && flock 9
    cd "$e2e_top" || exit
    [ -f build/release/CMakeCache.txt ] || cmake --preset release -G Ninja || exit
    cmake --build --preset release --target raydeploy raydeploy-emulator --parallel "$(nproc)"
) >"$e2e_dir/build" 2>&1; then
    fail "$(basename "$0"): the release build: $(tail -n 3 "$e2e_dir/build")"
    finish
fi
