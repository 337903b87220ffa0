"""Replays recorded requests of the real services against the emulator and holds its answers against the
recorded ones: status, fields and types. Prints one line a difference that the allow-list does not name.

    replay.py RECORDED_DIR ALLOW_LIST DIR_OF_EMULATOR FILE...
"""
import json, os, re, ssl, sys, time, urllib.error, urllib.request

recorded, allow_file, emu_dir, files = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
context = ssl.create_default_context(cafile=emu_dir + "/ca.pem")
project = os.environ["CLOUDSDK_CORE_PROJECT"]
number = "123456789012"
allowed = []
for line in open(allow_file):
    line = line.split("#")[0].strip()
    if line:
        allowed.append(line)
used = set()


def token():
    url = "http://%s/computeMetadata/v1/instance/service-accounts/default/token" % os.environ["GCE_METADATA_HOST"]
    request = urllib.request.Request(url, headers={"Metadata-Flavor": "Google"})
    return json.load(urllib.request.urlopen(request))["access_token"]


bearer = token()


def ask(method, url, body):
    host, rest = re.match(r"https://([^/]*)\.googleapis\.com(/.*)", url).groups()
    base = os.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_" + host.upper()]
    base = re.match(r"https://[^/]*", base).group(0)
    if host == "container":
        rest = rest.replace("/v1beta1/", "/v1/", 1)
    request = urllib.request.Request(base + rest, method=method)
    request.add_header("Authorization", "Bearer " + bearer)
    data = None
    if body is not None:
        request.add_header("Content-Type", "application/json")
        data = json.dumps(body).encode()
    try:
        answer = urllib.request.urlopen(request, data, context=context)
    except urllib.error.HTTPError as e:
        answer = e
    text = answer.read()
    return answer.status, json.loads(text) if text else None


def shape(value, path, out):
    """Paths of all fields with their types; lists count as one element."""
    kind = type(value).__name__
    kind = "number" if kind in ("int", "float") else kind
    out.setdefault(path, kind)
    if isinstance(value, dict):
        for key, v in value.items():
            if path.endswith(("labels", "resourceLabels", "sysctls", ".metadata")) and path != ".metadata":
                continue
            shape(v, path + "." + key, out)
    elif isinstance(value, list):
        for v in value:
            shape(v, path + "[]", out)


def permitted(api, difference):
    for rule in allowed:
        want_api, want = rule.split(None, 1)
        if want_api == api and re.fullmatch(want, difference):
            used.add(rule)
            return True
    return False


def parse(text):
    for block in text.split("\n---\n"):
        m = re.match(r"(\w+) (\S+)\n(.*?)\n\n(.*)", block.strip() + "\n", re.S)
        if not m:
            continue
        method, url, _, rest = m.groups()
        m = re.search(r"(?:^|\n)(\d{3}) [A-Z][^\n]*(?:\n(.*?))?(?:\n\n(.*))?$", rest, re.S)
        if not m:
            continue
        body = rest[: m.start()].strip()
        answer = (m.group(3) or "").strip()
        yield method, url, body, int(m.group(1)), answer


def fill(text, name, operation):
    for key, value in (("projectId", project), ("projectNumber", number), ("uniqueId", "u" + name),
                       ("networkID", "net-" + name), ("subnetworkID", "sub-" + name),
                       ("operationID", operation or "operation-none"),
                       ("publicEndpointIPV4", "203.0.113.10"), ("privateEndpointIPV4", "10.128.0.2")):
        text = text.replace("${%s}" % key, value)
    return re.sub(r"project-u" + name, project, text)


def settle(method, url):
    """Asks until an operation is done."""
    for _ in range(400):
        status, answer = ask(method, url, None)
        if status != 200 or answer.get("done") or answer.get("status") == "DONE":
            break
        time.sleep(0.05)
    return status, answer


def without_unknown(body, message):
    m = re.search(r'Unknown name "(\w+)"(?: at \'([^\']*)\')?', message)
    if not m:
        return False
    node = body
    for part in filter(None, (m.group(2) or "").split(".")):
        name, index = re.match(r"(\w+)(?:\[(\d+)\])?", part).groups()
        name = re.sub(r"_(\w)", lambda k: k.group(1).upper(), name)
        node = node[name]
        if index:
            node = node[int(index)]
    return node.pop(m.group(1), None) is not None


compared = differences = 0
for number_of_file, file in enumerate(files):
    name = "r%d" % number_of_file
    operation = None
    etags = {}
    for method, url, body, want_status, want in parse(open(os.path.join(recorded, file)).read()):
        if re.search(r"instanceGroupManagers|denypolicies|/v1/projects\?|billingAccounts/|runtimeconfig.*:disable", url) or \
                (method in ("DELETE", "PUT") and ("cloudresourcemanager" in url or "cloudbilling" in url)) or \
                "cloudresourcemanager.googleapis.com/v1/operations" in url or \
                ("project-${uniqueId}" in url and want_status == 403):
            continue
        if file.startswith("filestore") and "/compute/" in url:
            continue  # a network of the old sort, made by hand
        api = re.match(r"https://(\w+)", url).group(1)
        url = fill(url, name, operation)
        body = json.loads(fill(body, name, operation)) if body else None
        want = json.loads(fill(want, name, operation)) if want else None
        if "operations/noop." in url:
            continue  # nothing had to change; it cannot be asked for
        resource = re.sub(r":\w+$", "", url.split("?")[0])
        if body is not None and api in ("cloudresourcemanager", "iam") and "etag" in body.get("policy", {}):
            if url.split("?")[0].endswith("/%s:setIamPolicy" % project):  # the caller stays what it is
                body["policy"].setdefault("bindings", []).append(
                    {"role": "roles/owner",
                     "members": ["serviceAccount:deployer@%s.iam.gserviceaccount.com" % project]})
            body["policy"]["etag"] = etags.get(resource, "")
        if body is not None and "labelFingerprint" in body:
            body["labelFingerprint"] = ask("GET", resource, None)[1]["labelFingerprint"]
        if "/operations/" in url:
            status, got = settle(method, url)
        else:
            for _ in range(40):
                status, got = ask(method, url, body)
                message = (got or {}).get("error", {}).get("message", "") if isinstance(got, dict) else ""
                if status == 400 and body is not None and without_unknown(body, message):
                    continue
                if (status == 400 and "incompatible operation" in message) or \
                        (status == 404 and want_status == 200):
                    time.sleep(0.1)
                    continue
                break
        label = "%s %s %s" % (file, method, url.split(".com")[1].split("?")[0])
        if isinstance(got, dict):
            if "etag" in got and api in ("cloudresourcemanager", "iam"):
                etags[resource] = got["etag"]
            if "/operations/" not in url:
                link = got.get("name", "")
                if "operation" in link or got.get("kind") == "compute#operation" or "operationType" in got:
                    operation = link.split("/")[-1]
        compared += 1
        found = []
        if status != want_status:
            found.append("status %d, recorded %d: %s" % (status, want_status, json.dumps(got)[:300]))
        elif want is not None and got is not None:
            ours, theirs = {}, {}
            shape(got, "", ours)
            shape(want, "", theirs)
            for path in sorted(set(ours) | set(theirs)):
                if path not in ours:
                    found.append("missing " + path)
                elif path not in theirs:
                    found.append("extra " + path)
                elif ours[path] != theirs[path]:
                    found.append("type %s: %s, recorded %s" % (path, ours[path], theirs[path]))
        for difference in found:
            if not permitted(api, difference):
                differences += 1
                print("DIFF %s: %s" % (label, difference))
for rule in allowed:
    if rule not in used:
        print("UNUSED %s" % rule)
print("COMPARED %d answers, %d differences" % (compared, differences))
sys.exit(1 if differences or compared == 0 else 0)
