# Recipes as the users of the public example know them; each is one line that calls raydeploy or a
# script. FLAGS go to raydeploy as they are: just test-job --name mine. On the cluster of the kubeconfig
# instead of Google Cloud: just up --target local

raydeploy := "build/release/bin/raydeploy"

_list:
    @just --list --unsorted

# the management cluster with Config Connector: once a project
bootstrap *FLAGS: build
    {{raydeploy}} bootstrap {{FLAGS}}

# a kubeconfig entry for the workload cluster; no gcloud is needed to use it
get-credentials *FLAGS: build
    {{raydeploy}} credentials {{FLAGS}}

# Ray, its operator and everything under and around them, test job included
up *FLAGS: build
    {{raydeploy}} up {{FLAGS}}

# the KubeRay operator and the RayCluster, without the test job
install-operator *FLAGS: build
    {{raydeploy}} up --skip-test-job {{FLAGS}}

# until everything is there and ready; what is not yet there is made
wait *FLAGS: build
    {{raydeploy}} up --skip-test-job {{FLAGS}}

# the verification job on the live cluster
test-job *FLAGS: build
    {{raydeploy}} test-job {{FLAGS}}

# every step with its state
status *FLAGS: build
    {{raydeploy}} status {{FLAGS}}

# Prometheus and Grafana with Ray's targets and dashboards
install-monitoring *FLAGS: build
    {{raydeploy}} monitoring install {{FLAGS}}

# Ray's dashboard at http://127.0.0.1:8265 until interrupted
dashboard *FLAGS: build
    {{raydeploy}} dashboard {{FLAGS}}

# Grafana at http://127.0.0.1:3000 until interrupted
grafana *FLAGS: build
    {{raydeploy}} grafana {{FLAGS}}

# delete what was made, and wait until it is gone
teardown *FLAGS: build
    {{raydeploy}} teardown {{FLAGS}}

# the release build: build/release/bin/raydeploy
build:
    scripts/build

# every tier that can run here
test *TIERS:
    scripts/test {{TIERS}}

# a whole deployment, in front of your eyes
demo:
    scripts/demo

# a local deployment on a real control plane, built on this machine
demo-local:
    scripts/demo-local

# what a cluster would refuse, or never notice, in our own manifests
lint: build
    {{raydeploy}} render --target local | {{raydeploy}} lint -f -

# against the peer
bench:
    scripts/bench

# the real control plane of the tests: start, stop, status
rig *ARGS:
    scripts/rig {{ARGS}}

# one life of the simulation, told step by step; its seed is what a failing test prints
sim SEED:
    cmake --preset debug >/dev/null && cmake --build --preset debug --target sim >/dev/null
    build/debug/bin/sim --seed {{SEED}} --story

# a million lives on two cores, with the table of what was met
sim-million *ARGS:
    tests/sim/million {{ARGS}}

# killed at every boundary there is, on two cores; goes on where it was cut (rm -r build/kill: from the start)
kill-all *ARGS: build
    tests/kill/all {{ARGS}}

# a hundred whole lives with faults at 10 %, then at 30 %
soak LIVES="100": build
    tests/kill/soak --lives {{LIVES}} --rate 10
    tests/kill/soak --lives {{LIVES}} --rate 30

# two runs at once on one deployment, two hundred times
lock-rounds:
    LOCK_ROUNDS=200 tests/e2e/emulator_lock

# takes the core's safeguards out one by one: the simulation must notice each
sim-mutants:
    tests/sim/mutants

# what is too long for every run: valgrind, the simulation's mutants, the benchmarks
release-check:
    scripts/valgrind && tests/sim/mutants && scripts/bench
