"""Verifies a Ray cluster from the inside; raydeploy submits it as a job.

expect.json, beside this file, says what was configured. Each check prints one line,
`PASS|FAIL|SKIP name: detail`, and the last line is `RAYDEPLOY-VERIFY {json}` with the counts. The exit
code is 1 when a check failed. A PASS is printed only for what was seen to be true: where a task ran is
the node id that the task itself reports. Needs nothing but Ray, 2.54 or newer.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import time

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

TASK_TIMEOUT_S = 120
SUM_TASKS = 16
SUM_PER_TASK = 100_000
PROBED_NODES_MAX = 16
SPILL_BLOCK = 8 << 20
SPILL_MAX = 16 << 30

counts = {"pass": 0, "fail": 0, "skip": 0}


def say(word, name, detail):
    counts[word.lower()] += 1
    print(f"{word} {name}: {' '.join(str(detail).split())}", flush=True)


class Skip(Exception):
    """The check does not apply here; the text says why."""


def check(name, function, *args):
    try:
        say("PASS", name, function(*args))
    except Skip as reason:
        say("SKIP", name, reason)
    except Exception as error:  # whatever Ray raises is a failed check, not a failed program
        text = str(error).strip().splitlines()
        say("FAIL", name, f"{type(error).__name__}: {text[-1] if text else 'no text'}"[:1000])


def require(condition, text):
    if not condition:
        raise RuntimeError(text)


# ---- The cluster as Ray sees it ----


def alive_nodes():
    """Head first, then by id, so that every run looks at them in the same order."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    return sorted(nodes, key=lambda n: ("node:__internal_head__" not in n["Resources"], n["NodeID"]))


def cpus_of(nodes):
    return sum(node["Resources"].get("CPU", 0) for node in nodes)


def on(node):
    return NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)


def get(ref, timeout_s=TASK_TIMEOUT_S):
    return ray.get(ref, timeout=timeout_s)


def ask_autoscaler(cpus):
    """Keeps `cpus` CPUs up while the checks run; 0 lets go. No autoscaler: no effect."""
    try:
        from ray.autoscaler.sdk import request_resources

        request_resources(num_cpus=cpus)
    except Exception as error:
        print(f"the autoscaler was not asked: {error}", flush=True)


def wait_for_nodes(expect):
    """True if the autoscaler was asked for more."""
    deadline = time.monotonic() + expect["wait_s"]
    asked = False
    told = None
    while True:
        nodes = alive_nodes()
        if len(nodes) >= expect["nodes"] and cpus_of(nodes) >= expect["cpus"]:
            return asked
        if time.monotonic() >= deadline:
            return asked  # the checks say what is missing
        if not asked and expect["cpus"] >= 1:
            ask_autoscaler(int(expect["cpus"]))  # idle workers may have been let go
            asked = True
        if told != len(nodes):
            told = len(nodes)
            print(f"waiting for nodes: {told} of {expect['nodes']}", flush=True)
        time.sleep(1)


# ---- Tasks ----


@ray.remote(num_cpus=0, max_retries=2)
def probe():
    name = os.environ.get("RAY_CLOUD_INSTANCE_ID") or os.uname().nodename
    return ray.get_runtime_context().get_node_id(), name, os.getpid()


@ray.remote(num_cpus=1, max_retries=2, scheduling_strategy="SPREAD")
def partial_sum(first, last):
    return ray.get_runtime_context().get_node_id(), sum(range(first, last))


@ray.remote(num_cpus=0, max_retries=0)
def write_file(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "x", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    return ray.get_runtime_context().get_node_id()


@ray.remote(num_cpus=0, max_retries=0)
def read_file(folder, name, wait_s):
    """Network file systems show a new file a little later on other nodes."""
    path = os.path.join(folder, name)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            with open(path, encoding="utf-8") as text:
                return ray.get_runtime_context().get_node_id(), text.read(4096)
        except FileNotFoundError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.2)


@ray.remote(num_cpus=0, max_retries=0)
def remove_file(folder, name):
    os.unlink(os.path.join(folder, name))


@ray.remote(num_cpus=0, max_retries=2)
def describe_path(path):
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as text:
        mounts = {line.split()[4] for line in text}
    return os.path.isdir(path), os.path.realpath(path) in mounts


@ray.remote(num_cpus=0)
class Hoarder:
    """Holds more objects than its node's store takes, then reads them back one by one."""

    def __init__(self):
        self.blocks = []

    def node(self):
        return ray.get_runtime_context().get_node_id()

    def put(self, count):
        for _ in range(count):
            data = os.urandom(1 << 20) * (SPILL_BLOCK >> 20)
            self.blocks.append((hashlib.sha256(data).digest(), ray.put(data)))

    def read_back(self, first, count):
        for digest, ref in self.blocks[first : first + count]:
            data = ray.get(ref, timeout=TASK_TIMEOUT_S)
            if hashlib.sha256(data).digest() != digest:
                raise RuntimeError("an object came back with other bytes")
            del data
        return len(self.blocks)


@ray.remote(num_gpus=1, max_retries=0)
def use_gpu():
    ids = ray.get_gpu_ids()
    listed = subprocess.run(
        ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout.strip()
    return ray.get_runtime_context().get_node_id(), ids, listed


# ---- Checks ----


def check_nodes(expect):
    nodes = alive_nodes()
    require(
        len(nodes) >= expect["nodes"],
        f"{len(nodes)} of {expect['nodes']} nodes joined within {expect['wait_s']} s",
    )
    return f"{len(nodes)} alive, {expect['nodes']} configured"


def check_cpus(expect):
    if expect["cpus"] <= 0:
        raise Skip("no number of CPUs is configured")
    have = cpus_of(alive_nodes())
    require(have >= expect["cpus"], f"Ray counts {have:g} CPUs, {expect['cpus']:g} are configured")
    return f"Ray counts {have:g}, {expect['cpus']:g} configured"


def check_spread(expect):
    nodes = alive_nodes()[:PROBED_NODES_MAX]
    if len(nodes) < 2 and expect["nodes"] < 2:
        raise Skip("one node is configured")
    names = {}
    for node in nodes:  # one after the other: worker processes cost memory
        node_id, name, pid = get(probe.options(scheduling_strategy=on(node)).remote())
        require(node_id == node["NodeID"], f"a task for node {node['NodeID']} ran on {node_id}")
        names[node_id] = f"{name} (pid {pid})"
    require(len(names) >= 2, f"tasks ran on {len(names)} node")
    return f"tasks ran on {len(names)} nodes: {', '.join(names.values())}"


def check_sum(_expect):
    total = SUM_TASKS * SUM_PER_TASK
    refs = [partial_sum.remote(i * SUM_PER_TASK, (i + 1) * SUM_PER_TASK) for i in range(SUM_TASKS)]
    parts = get(refs)
    have, want = sum(part for _, part in parts), total * (total - 1) // 2
    require(have == want, f"{have} instead of {want}")
    return f"{have} from {SUM_TASKS} tasks on {len({node for node, _ in parts})} nodes"


def check_shared_volume(expect):
    path = expect["shared_path"]
    if not path:
        raise Skip("no shared volume is configured")
    if expect["shared_skip"]:
        raise Skip(expect["shared_skip"])
    nodes = alive_nodes()
    if len(nodes) < 2:
        raise Skip("one node")
    writer, reader = nodes[0], nodes[1]
    for node in (writer, reader):
        is_dir, is_mount = get(describe_path.options(scheduling_strategy=on(node)).remote(path))
        require(is_dir, f"{path} does not exist on node {node['NodeID'][:8]}")
        require(is_mount, f"{path} is not a mount on node {node['NodeID'][:8]}")
    name = f".raydeploy-verify-{os.urandom(8).hex()}"
    text = os.urandom(32).hex()
    wrote = get(write_file.options(scheduling_strategy=on(writer)).remote(path, name, text))
    try:
        read, seen = get(read_file.options(scheduling_strategy=on(reader)).remote(path, name, 30))
    finally:
        get(remove_file.options(scheduling_strategy=on(writer)).remote(path, name))
    require(wrote != read, "both ends ran on one node")
    require(seen == text, "the file has other contents on the other node")
    return f"{path}: written on {wrote[:8]}, read on {read[:8]}"


def store_stats():
    """(spilled, restored) MiB of the whole cluster, as `ray memory --stats-only` shows them."""
    from ray._private.internal_api import memory_summary

    text = memory_summary(stats_only=True)
    found = [re.search(rf"{word} (\d+) MiB", text) for word in ("Spilled", "Restored")]
    return tuple(int(match.group(1)) if match else 0 for match in found)


def check_spill(expect):
    if not expect["spill"]:
        raise Skip(expect["spill_skip"] or "no spill target is configured")
    config = json.loads(os.environ.get("RAY_object_spilling_config") or "{}")
    target = config.get("params", {}).get("uri") or config.get("params", {}).get("directory_path")
    require(target, "RAY_object_spilling_config on the head names no target")
    node = min(alive_nodes(), key=lambda n: n["Resources"].get("object_store_memory", float("inf")))
    store = int(node["Resources"].get("object_store_memory", 0))
    require(store > 0, "the node has no object store")
    count = store * 13 // 10 // SPILL_BLOCK + 4
    if count * SPILL_BLOCK > SPILL_MAX:
        raise Skip(f"the smallest object store has {store >> 30} GiB, too much to fill")
    spilled_before, restored_before = store_stats()
    hoarder = Hoarder.options(scheduling_strategy=on(node)).remote()
    try:
        require(get(hoarder.node.remote()) == node["NodeID"], "the actor ran on another node")
        for at in range(0, count, 16):
            get(hoarder.put.remote(min(16, count - at)), 600)
        spilled = store_stats()[0] - spilled_before
        require(spilled > 0, f"{count * SPILL_BLOCK >> 20} MiB fitted into a store of {store >> 20} MiB")
        for at in range(0, count, 16):
            get(hoarder.read_back.remote(at, 16), 600)
        restored = store_stats()[1] - restored_before
        require(restored > 0, "nothing was restored")
    finally:
        ray.kill(hoarder)
    return f"{spilled} MiB spilled to {target}, {restored} MiB restored, all {count} objects intact"


def check_gpus(expect):
    if expect["gpus"] <= 0:
        raise Skip("no GPU is configured")
    have = sum(node["Resources"].get("GPU", 0) for node in alive_nodes())
    require(
        have >= expect["gpus"] or expect["gpu_autoscale"],
        f"Ray counts {have:g} GPUs, {expect['gpus']:g} are configured",
    )
    wait_s = max(expect["gpu_wait_s"], TASK_TIMEOUT_S)
    ref = use_gpu.remote()
    try:
        node_id, ids, listed = get(ref, wait_s)
    except ray.exceptions.GetTimeoutError:
        ray.cancel(ref)
        raise RuntimeError(f"no GPU was given to a task within {wait_s} s") from None
    require(ids, "the task was given no GPU id")
    return f"a task on {node_id[:8]} had GPU {ids[0]}: {listed}"


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "expect.json"), encoding="utf-8") as text:
        expect = json.load(text)
    ray.init(address="auto", log_to_driver=False)
    print(f"Ray {ray.__version__}, expecting {json.dumps(expect, sort_keys=True)}", flush=True)
    asked = wait_for_nodes(expect)
    check("nodes", check_nodes, expect)
    check("cpus", check_cpus, expect)
    check("spread", check_spread, expect)
    check("sum", check_sum, expect)
    check("shared-volume", check_shared_volume, expect)
    check("spill", check_spill, expect)
    check("gpus", check_gpus, expect)
    if asked:
        ask_autoscaler(0)
    ray.shutdown()
    print(f"RAYDEPLOY-VERIFY {json.dumps(counts, sort_keys=True)}", flush=True)
    return 1 if counts["fail"] else 0


if __name__ == "__main__":
    sys.exit(main())
