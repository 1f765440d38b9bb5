#!/usr/bin/env python3
"""A real OPA takes the bundles we sign, and not those that were changed.

Each bundle is downloaded by an `opa run` whose configuration names the key and
the scope; what it says is in its status. Skipped, with a line, without an OPA.
"""
import functools
import gzip
import http.client
import http.server
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from house import BUILD, PROGRAM as REGATTA, need_opa  # noqa: E402

MAKE = str(BUILD / "make_bundle")
POLICIES = {
    "policies/k8s/deny.rego":
        "package library.k8s\n\ndeny contains \"<no>\" if "
        "input.n > data.limits.max\n",
    "policies/k8s/deny_test.rego": "package library.k8s_test\n",
    "policies/k8s/fixtures/bad/a.json": "{}",
    "policies/limits/data.yaml": "max: 2.50\nname: \"a<b\\u2028\"\n",
    "policies/more/data.json": "{\"n\": [1, 1.0, 1e2, -0]}\n",
    "policies/%s/long.rego" % "/".join(["deep" * 9] * 8):
        "package library.deep\n\nok := true\n",
}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one bundle and keeps the status of the agent."""
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type",
                         "application/vnd.openpolicyagent.bundles")
        self.end_headers()
        self.wfile.write(self.server.bundle)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        state = json.loads(body).get("bundles", {}).get("prod")
        if state and (state.get("code") or
                      state.get("last_successful_activation", "0001")[:4] !=
                      "0001"):
            self.server.state = state
            self.server.heard.set()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def query(path, value):
    """What the agent answers on its socket for all of data."""
    c = http.client.HTTPConnection("localhost", timeout=10)
    c.sock = socket.socket(socket.AF_UNIX)
    c.sock.settimeout(10)
    c.sock.connect(path)
    c.request("POST", "/v1/data", json.dumps({"input": value}))
    answer = json.loads(c.getresponse().read())
    c.close()
    return answer


def ask(opa, bundle, pem, alg, keyid, scope, folder):
    """The agent's status, and what it answers, for one bundle."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.bundle, server.state = bundle, None
    server.heard = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "services": {"s": {"url": "http://127.0.0.1:%d" %
                           server.server_port}},
        "keys": {"k1": {"algorithm": alg, "key": pem}},
        "bundles": {"prod": {"service": "s", "resource": "b",
                             "signing": {"keyid": keyid, "scope": scope}}},
        "status": {"service": "s"},
    }
    path = os.path.join(folder, "config.json")
    with open(path, "w") as f:
        json.dump(config, f)
    agent = subprocess.Popen(
        [opa, "run", "--server", "--addr", "unix://%s/opa.sock" % folder,
         "--config-file", path, "--log-level", "error"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    try:
        server.heard.wait(30)
        answer = None
        if server.state and not server.state.get("code"):
            answer = query("%s/opa.sock" % folder, {"n": 3})
    finally:
        agent.terminate()
        agent.wait()
        server.shutdown()
        server.server_close()
    return server.state or {}, answer


def make(folder, alg, keyid, scope):
    for name, text in POLICIES.items():
        path = os.path.join(folder, "repo", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
    out = os.path.join(folder, "out")
    subprocess.run([MAKE, os.path.join(folder, "repo"), out, alg, keyid,
                    scope], check=True)
    with open(out + ".tar.gz", "rb") as f, open(out + ".pem") as p:
        return f.read(), p.read()


def change(bundle, name, fn):
    """The same archive with the bytes of one file changed."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(bundle)) as old, \
            tarfile.open(fileobj=out, mode="w:gz") as new:
        for m in old.getmembers():
            body = old.extractfile(m).read()
            if m.name == name:
                body = fn(body)
                m.size = len(body)
            new.addfile(m, io.BytesIO(body))
    return out.getvalue()


def accepted(state, answer):
    if state.get("code"):
        return "refused: %s" % state.get("message")
    if state.get("active_revision") != "r1":
        return "active revision %r" % state.get("active_revision")
    data = (answer or {}).get("result", {})
    if data.get("library", {}).get("k8s", {}).get("deny") != ["<no>"]:
        return "answered %r" % data
    if not data["library"]["deep"]["ok"] or data["more"]["n"][0] != 1:
        return "answered %r" % data
    return None


def refused(text, state, answer):
    if text not in state.get("message", ""):
        return "status %r, want %r" % (state, text)
    return None


def cases():
    for alg in ["ES256", "ES384", "ES512", "RS256", "PS256"]:
        yield (alg, alg, "prod/platform", "prod/platform", None, accepted)
    yield ("no scope", "ES256", "", "", None, accepted)
    yield ("other scope", "ES256", "prod", "test", None,
           functools.partial(refused, "scope mismatch"))
    yield ("changed policy", "ES256", "prod", "prod",
           lambda b: change(b, "/policies/k8s/deny.rego",
                            lambda t: t + b"#"),
           functools.partial(refused, "digest mismatch"))
    yield ("data in another layout", "ES256", "prod", "prod",
           lambda b: change(b, "/data.json", lambda t: b" " + t), accepted)


def run(opa, name, alg, scope, expected, fn, judge):
    folder = tempfile.mkdtemp()
    try:
        bundle, pem = make(folder, alg, "k1", scope)
        if fn:
            bundle = fn(bundle)
        wrong = judge(*ask(opa, bundle, pem, alg, "k1", expected, folder))
    finally:
        shutil.rmtree(folder)
    if wrong:
        print("FAILED %s: %s" % (name, wrong))
    return not wrong


WASM = "/policy.wasm"

# What `opa build -t` makes and what is done to it; OPA itself is asked whether
# that is good, with the same key.
COMPILED = [
    ("Wasm", "wasm", None),
    ("a plan", "plan", None),
    ("Wasm, a byte changed", "wasm",
     lambda b: change(b, WASM, lambda t: t[:-1] + bytes([t[-1] ^ 1]))),
    ("Wasm, a module that is not there", "wasm",
     lambda b: change(b, "/.manifest",
                      lambda t: t.replace(b"policy.wasm", b"nowhere.wasm"))),
    ("Wasm, an entrypoint of elsewhere", "wasm",
     lambda b: change(b, "/.manifest",
                      lambda t: t.replace(b"a/allow", b"b/allow"))),
]


def compiled(opa, name, target, fn):
    folder = tempfile.mkdtemp()

    def call(*command):
        return subprocess.run(command, cwd=folder, capture_output=True,
                              text=True, timeout=60)
    try:
        os.mkdir(os.path.join(folder, "p"))
        with open(os.path.join(folder, "p/a.rego"), "w") as f:
            f.write("package a\n\nallow if input.x == 1\n")
        with open(os.path.join(folder, "p/.manifest"), "w") as f:
            f.write('{"roots": ["a"]}')
        call("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout",
             "-out", "k.pem")
        call("openssl", "ec", "-in", "k.pem", "-pubout", "-out", "k.pub")
        said = call(opa, "build", "-t", target, "-e", "a/allow", "-r", "v1",
                    "-b", "p", "--signing-key", "k.pem", "--signing-alg",
                    "ES256", "-o", "b.tar.gz")
        if said.returncode:
            return say("compiled: " + name, said.stderr)
        path = os.path.join(folder, "b.tar.gz")
        if fn:
            with open(path, "rb") as f:
                changed = fn(f.read())
            with open(path, "wb") as f:
                f.write(changed)
            if "byte" not in name:
                call(REGATTA, "sign", "b.tar.gz", "--signing-key", "k.pem")
        theirs = call(opa, "build", "-b", "b.tar.gz", "--verification-key",
                      "k.pub", "--verification-key-id", "default",
                      "--signing-alg", "ES256", "-o", "again.tar.gz")
        ours = call(REGATTA, "verify", "b.tar.gz", "--verification-key",
                    "k.pub")
        store = call(REGATTA, "publish", "b.tar.gz", "--name", "b", "--store",
                     "dir:store")
    finally:
        shutil.rmtree(folder)
    if (ours.returncode == 0) != (theirs.returncode == 0):
        return say("compiled: " + name, "opa %d: %s; regatta %d: %s" % (
            theirs.returncode, theirs.stderr, ours.returncode, ours.stderr))
    if (theirs.returncode == 0) != (fn is None):
        return say("compiled: " + name, "opa judged %d" % theirs.returncode)
    if fn is None and (target == "wasm") != ("without it" in ours.stderr):
        return say("compiled: " + name, ours.stderr)
    if store.returncode != 11 or not ("compiled" in store.stderr or fn):
        return say("compiled: %s is published" % name, store.stderr)
    return True


def say(name, wrong):
    print("FAILED %s: %s" % (name, wrong))
    return False


def main():
    opa = need_opa()
    results = [run(opa, *case) for case in cases()]
    results += [compiled(opa, *case) for case in COMPILED]
    print("%d passed, %d failed" % (sum(results), results.count(False)))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
