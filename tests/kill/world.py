"""One emulator with one project and one machine's state folder, and what the project holds in a form that two
runs can be compared by. Used by the crash tests beside it."""
import json, os, re, shutil, signal, subprocess, tempfile, time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("KILL_BIN", os.path.join(TOP, "build/release/bin"))
RAYDEPLOY = os.path.join(BIN, "raydeploy")
EMULATOR = os.path.join(BIN, "raydeploy-emulator")
LIMIT = int(os.environ.get("KILL_LIMIT", 300))  # seconds for one command
VERBS = {
    "bootstrap": ["bootstrap", "--yes"],
    "up": ["up", "--yes"],
    "teardown": ["teardown", "--management", "--yes"],
}
ORDER = ["bootstrap", "up", "teardown"]


def is_write(r):
    if r["method"] in ("GET", "HEAD", "OPTIONS") or r.get("inside"):
        return False
    if r["api"] in ("oauth2", "sts", "metadata", "iamcredentials"):
        return False
    if "dryRun=All" in r["query"]:
        return False
    return not r["path"].endswith((":testIamPermissions", ":getIamPolicy", "accessreviews",
                                   "selfsubjectreviews", "/portforward"))


class Failure(Exception):
    pass


class World:
    """One emulator with one project, and one machine's state folder."""

    def __init__(self, work, at_so, speed, seed=1):
        self.dir = tempfile.mkdtemp(dir=work)
        self.at_so = at_so
        self.victim = os.path.join(self.dir, "victim")
        self.emu_dir = os.path.join(self.dir, "emu")
        os.mkdir(self.emu_dir)
        self.out = open(os.path.join(self.dir, "emulator.out"), "w+")
        self.emu = subprocess.Popen(
            [EMULATOR, "--dir", self.emu_dir, "--seed", str(seed), "--speed", str(speed),
             "--set", "victim=" + self.victim],
            stdout=subprocess.PIPE, stderr=self.out, text=True)
        self.expect("ready")
        self.env = self.read_env()
        self.n = 0

    def expect(self, word):
        line = self.emu.stdout.readline()
        if not line.startswith(word):
            raise Failure(f"the emulator said {line!r} instead of {word!r}")

    def read_env(self):
        text = subprocess.run(["bash", "-c", 'set -a; . "$1"; env -0', "-", self.emu_dir + "/env"],
                              capture_output=True, check=True).stdout.decode()
        env = dict(p.split("=", 1) for p in text.split("\0") if "=" in p)
        env["XDG_STATE_HOME"] = os.path.join(self.dir, "state")
        env["XDG_CONFIG_HOME"] = os.path.join(self.dir, "config")
        return env

    def faults(self, spec):
        path = os.path.join(self.emu_dir, "faults")
        if spec:
            with open(path, "w") as f:
                f.write(spec)
        elif os.path.exists(path):
            os.unlink(path)
        self.emu.send_signal(signal.SIGUSR2)
        self.expect("faults")

    def requests(self):
        with open(os.path.join(self.emu_dir, "requests.jsonl")) as f:
            return [json.loads(line) for line in f]

    def journal(self):
        """The whole records of this machine's journal, oldest first."""
        records = []
        for folder, _, files in os.walk(self.env["XDG_STATE_HOME"]):
            if "journal.jsonl" in files:
                with open(os.path.join(folder, "journal.jsonl"), errors="replace") as f:
                    for line in f:
                        try:
                            records.append(json.loads(line))
                        except ValueError:
                            pass  # torn
        return records

    def jobs(self):
        """How many jobs Ray was given."""
        return sum(r["api"] == "ray" and r["method"] == "POST" and r["path"] == "/api/jobs/" and
                   r["status"] == 200 for r in self.requests())

    def state(self):
        path = os.path.join(self.emu_dir, "state.json")
        if os.path.exists(path):
            os.unlink(path)
        self.emu.send_signal(signal.SIGUSR1)
        for _ in range(500):
            if os.path.exists(path):
                with open(path) as f:
                    return json.load(f)
            time.sleep(0.02)
        raise Failure("the emulator wrote no state")

    def run(self, verb, at=None, count=None):
        """Exit code; -9 when it was killed."""
        self.n += 1
        env = dict(self.env)
        env["LD_PRELOAD"] = self.at_so
        if at:
            env["KILL_AT"] = at
        if count:
            env["KILL_COUNT"] = count
        log = os.path.join(self.dir, f"{self.n}-{verb}")
        with open(log + ".err", "w") as err, open(log + ".out", "w") as out:
            p = subprocess.Popen([RAYDEPLOY] + VERBS[verb] + ["--log-file", log + ".log"],
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, cwd=self.dir)
            with open(self.victim, "w") as f:
                f.write(str(p.pid))
            try:
                rc = p.wait(LIMIT)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
                raise Failure(f"{verb} took more than {LIMIT} s; see {log}.err")
        os.unlink(self.victim)
        self.last = log + ".err"
        return rc

    def tail(self):
        with open(self.last, errors="replace") as f:
            return "".join(f.readlines()[-12:])

    def close(self, keep=False):
        self.emu.terminate()
        try:
            self.emu.wait(20)
        except subprocess.TimeoutExpired:
            self.emu.kill()
            self.emu.wait()
        self.out.close()
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)


# ---- What the project holds, without what differs between any two runs ----

VOLATILE = re.compile(
    r"^(uid|resourceVersion|creationTimestamp|deletionTimestamp|managedFields|generation|observedGeneration|"
    r"etag|uniqueId|oauth2ClientId|id|projectNumber|fingerprint|labelFingerprint|selfLink|targetLink|"
    r"createTime|updateTime|endTime|startTime|insertTime|timeCreated|updated|time|lastTransitionTime|"
    r"lastHeartbeatTime|lastProbeTime|lastUpdateTime|firstTimestamp|lastTimestamp|eventTime|renewTime|"
    r"acquireTime|holderIdentity|leaseTransitions|metageneration|softDeletePolicy|expireTime|"
    r"caBundle|clusterCaCertificate|endpoint|privateEndpoint|publicEndpoint|podIP|podIPs|hostIP|hostIPs|"
    r"clusterIP|clusterIPs|nodeName|ipAddress|ipAddresses|natIP|networkIP|number|operation|selfLinkWithId|"
    r"currentMasterVersion|version|currentNodeCount|_nodes|auth_token|ca\.crt)$")
SKIPPED = re.compile(r"(^|\.)(operations|events|_)|^events|endpointslices|^endpoints$|replicasets|"
                     r"controllerrevisions|storage\.objects|compute\.instances|compute\.disks|instanceGroup")


def plain(v, names):
    if isinstance(v, dict):
        return {k: "PORT" if k == "port" and isinstance(x, int) and x > 30000 else plain(x, names)
                for k, x in sorted(v.items()) if not VOLATILE.match(k)}
    if isinstance(v, list):
        items = [plain(x, names) for x in v]
        return sorted(items, key=lambda x: json.dumps(x, sort_keys=True))
    if isinstance(v, str):
        v = re.sub(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UID", v)
        v = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME", v)
        v = re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", v)
        v = re.sub(r"\b\d+\.\d+\.\d+\.\d+\b", "IP", v)
        v = re.sub(r"[0-9a-f]{8,}", "HEX", v)
        v = re.sub(r"\?uid=\d+", "?uid=N", v)
        return v
    return v


def put(flat, key, shape):
    """Parts of names that are drawn anew in each run are no difference; one object more is."""
    key = re.sub(r"[0-9a-f]{8,}", "HEX", key)
    n = 1
    while (key if n == 1 else f"{key} #{n}") in flat:
        n += 1
    flat[key if n == 1 else f"{key} #{n}"] = shape


# Nodes, and the pods that come with each, are the autoscaler's: it gave the job's checks a GPU, maybe twice,
# and takes it back in its own time. The pools' sizes and limits are compared with their objects.
MOVING = re.compile(r"^(gpu|gpu-group|other in kube-system)$")


def walk(state):
    """(path of kind, name) -> plain JSON. Pods and their like are counted, not named."""
    flat = {}
    gcp = state.get("gcp", {})
    for kind, things in gcp.items():
        if SKIPPED.search(kind):
            continue
        for name, thing in things.items():
            put(flat, f"{kind} {name}", plain(thing, None))
    for cluster, kinds in (state.get("kubernetes") or {}).items():
        for kind, things in kinds.items():
            if SKIPPED.search(kind):
                continue
            if kind in ("pods", "nodes", "leases.coordination.k8s.io"):
                if kind == "pods":
                    groups = {}
                    for thing in (things.values() if isinstance(things, dict) else things):
                        labels = thing.get("metadata", {}).get("labels") or {}
                        key = labels.get("ray.io/group") or labels.get("app.kubernetes.io/name") or \
                            "other in " + thing["metadata"]["namespace"]
                        groups[key] = groups.get(key, 0) + 1
                    for key, n in groups.items():
                        if MOVING.match(key):
                            continue
                        flat[f"{cluster} {kind} {key}"] = n
                continue
            for name, thing in (things.items() if isinstance(things, dict) else
                                (((t.get("metadata", {}).get("namespace") or "") + "/" +
                                  t["metadata"]["name"], t) for t in things)):
                if kind == "services" and name == "default/kubernetes":
                    continue  # the API server's own, with its port of this run
                shape = plain(thing, None)
                shape.pop("status", None)
                if kind in ("configmaps", "secrets") and name.split("/")[-1].startswith("raydeploy-"):
                    shape.pop("data", None)
                put(flat, f"{cluster} {kind} {name}", shape)
    return flat


def differences(got, want):
    out = []
    for key in sorted(set(got) | set(want)):
        if key not in want:
            out.append(f"more: {key}")
        elif key not in got:
            out.append(f"missing: {key}")
        elif got[key] != want[key]:
            out.append(f"differs: {key}: {first_difference(got[key], want[key])}")
    return out


def first_difference(a, b, at=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for k in sorted(set(a) | set(b)):
            if a.get(k) != b.get(k):
                return first_difference(a.get(k), b.get(k), f"{at}.{k}")
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            if x != y:
                return first_difference(x, y, f"{at}[{i}]")
    return f"{at}: {json.dumps(a)[:120]} for {json.dumps(b)[:120]}"


def strip_apis(flat):
    return {k: v for k, v in flat.items() if not k.startswith("serviceusage")}


def build_at(work):
    """The library that kills at a moment on this side (at.c)."""
    at_so = os.path.join(work, "at.so")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O2", "-o", at_so,
                    os.path.join(TOP, "tests/kill/at.c"), "-ldl"], check=True)
    return at_so
