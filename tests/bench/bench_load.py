#!/usr/bin/env python3
"""`regatta serve` under the load of a fleet, beside `gzip -dc` of the same
uploads.

    bench_load.py [--polls 10000] [--seconds 60] [--rate 2000] [--burst 20000]

Polls of that many targets wait while decisions come in at a steady rate; then
a rollback is answered to all of them; then decisions come as fast as in a
burst, and what is pushed back with 503 is sent again, as agents do. At the end
each decision that was sent is in the log, once, and the log verifies. Client
and server share the machine.
"""
import argparse
import hashlib
import http.client
import os
import pathlib
import queue
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import house  # noqa: E402
from house import until  # noqa: E402

CLIENT = str(house.BUILD / "bench_client")
CONFIG = house.CONFIG.replace(
    "    - {name: canary, select: \"ring=canary\"}\n", "").replace(
    "fleet: 2s", "fleet: 1s")
PER_BODY = 250
SENDERS = 16
SMALLER = ("smaller than the goal: the limit of open files is %d" %
           resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def make_event(rng, n, revision):
    """What a gateway's agent logs of one request, some 800 bytes."""
    now = time.time() + n / 1e6
    agent = rng.randrange(200)
    return (
        '{"labels":{"id":"%08x-5c1b-410e-bf26-083c088e3e09","ring":"blue",'
        '"target":"eu-%d","version":"1.22.2"},"decision_id":"%s","bundles":'
        '{"authz":{"revision":"%s"}},"path":"authz/allow","input":{"method":'
        '"GET","path":["api","v1","orders","%d"],"user":{"name":"user-%d",'
        '"roles":["reader","writer"],"team":"t%d"},"namespace":"ns-%d",'
        '"headers":{"accept":"application/json","user-agent":"curl/8.1",'
        '"x-request-id":"%032x"},"source":{"address":"10.%d.%d.%d","port":'
        '%d}},"result":%s,"requested_by":"127.0.0.1:%d","timestamp":'
        '"%s.%06dZ","metrics":{"counter_server_query_cache_hit":1,'
        '"timer_rego_input_parse_ns":%d,"timer_rego_query_eval_ns":%d,'
        '"timer_server_handler_ns":%d},"req_id":%d}' % (
            agent, agent, uuid.UUID(int=rng.getrandbits(128), version=4),
            revision, rng.randrange(100000), rng.randrange(5000),
            rng.randrange(20), rng.randrange(50), rng.getrandbits(128),
            rng.randrange(256), rng.randrange(256), rng.randrange(256),
            rng.randrange(65536), "true" if rng.random() < .95 else "false",
            rng.randrange(65536),
            time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)),
            now % 1 * 1e6, rng.randrange(20000, 90000),
            rng.randrange(20000, 90000), rng.randrange(90000, 300000), n))


def make_bodies(rng, events, first, revision):
    out = []
    for at in range(first, first + events, PER_BODY):
        text = "[%s]" % ",".join(make_event(rng, n, revision)
                                 for n in range(at, at + PER_BODY))
        z = zlib.compressobj(6, zlib.DEFLATED, 31)
        out.append(z.compress(text.encode()) + z.flush())
    return out


def processor(pid):
    """Seconds that a process has had of the processor."""
    f = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2]
    f = f.split()
    return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    pages = pathlib.Path("/proc/%d/statm" % pid).read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def unpacked(bodies, folder):
    """Seconds of processor that `gzip -dc` takes for the same bodies."""
    path = folder / "bodies.gz"
    path.write_bytes(b"".join(bodies))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["gzip", "-dc", str(path)], check=True,
                   stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    path.unlink()
    return (after.ru_utime - before.ru_utime +
            after.ru_stime - before.ru_stime)


class Load:
    """Bodies sent at a rate; each until it is taken."""

    def __init__(self, port, bodies, rate):
        self.port, self.rate = port, rate
        self.todo = queue.Queue()
        self.lock = threading.Lock()
        self.pushed, self.errors, self.slowest, self.late = 0, [], 0, 0
        began = time.monotonic()
        threads = [threading.Thread(target=self.send) for _ in range(SENDERS)]
        for t in threads:
            t.start()
        for i, body in enumerate(bodies):
            due = began + i * PER_BODY / rate
            time.sleep(max(0, due - time.monotonic()))
            self.todo.put((due, body))
        self.offered = time.monotonic() - began
        for t in threads:
            self.todo.put(None)
        for t in threads:
            t.join()
        self.took = time.monotonic() - began

    def send(self):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while True:
            job = self.todo.get()
            if not job:
                break
            try:
                self.one(c, *job)
            except OSError as e:
                self.errors.append(repr(e))
        c.close()

    def one(self, c, due, body):
        while True:
            c.request("POST", "/logs", body, {"Content-Encoding": "gzip"})
            answer = c.getresponse()
            answer.read()
            with self.lock:
                self.pushed += answer.status == 503
                if answer.status not in (200, 503):
                    self.errors.append(answer.status)
                self.slowest = max(self.slowest, time.monotonic() - due)
            if answer.status != 503:
                return
            time.sleep(0.1)


def release(h, repo):
    """Two versions, one after the other stable; returns both."""
    agents = subprocess.Popen(
        [house.PROGRAM, "simulate", "--server", "http://127.0.0.1:%d" % h.port,
         "-b", "authz", "--path", "authz/allow", "-n", "4", "--rate", "40",
         "--wait", "2s", "--status-every", "1s", "--upload-every", "1s"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    versions = []
    try:
        for policy in (house.GOOD, house.GOOD_TOO):
            v = h.publish(repo, policy)
            h.run("rollout", "start", v)
            until("it is stable", lambda: h.state() == "succeeded" and
                  h.status()["stable"]["revision"] == v, 120,
                  lambda: h.run("status", want=None))
            versions.append(v)
    finally:
        agents.terminate()
        agents.wait()
    return versions


def get(port, path):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    c.request("GET", path, headers={"X-Regatta-Target": "t0"})
    body = c.getresponse().read()
    c.close()
    return body


def metric(h, name):
    for line in get(h.port, "/metrics").decode().splitlines():
        if line.split(" ")[0] == name:
            return int(line.split(" ")[1])
    raise KeyError(name)


class Polls:
    """Targets that wait for a change of what they have."""

    def __init__(self, h, folder, n):
        tag = hashlib.sha256(get(h.port, "/bundles/authz")).hexdigest()
        file = folder / "request"
        file.write_text(
            "GET /bundles/authz HTTP/1.1\r\nHost: localhost\r\n"
            "X-Regatta-Target: t@@@@@\r\nIf-None-Match: \"%s\"\r\n"
            "Prefer: modes=snapshot,delta;wait=600\r\n\r\n" % tag)
        self.n = n
        self.p = subprocess.Popen(
            [CLIENT, "wait", str(h.port), str(n), str(file)],
            stdout=subprocess.PIPE, text=True)
        assert self.p.stdout.readline() == "ready\n"
        until("they wait", lambda: metric(h, "regatta_http_waiting_polls") >= n)

    def answered(self):
        good, ms = self.p.stdout.readline().split()
        self.p.wait()
        return int(good), float(ms)


def row(name, fmt, *args):
    print("%-27s%s" % (name, fmt % args), flush=True)


def steady(h, folder, polls, bodies, rate):
    pid, most, stop = h.p.pid, [0], threading.Event()

    def watch():
        while not stop.wait(0.2):
            most[0] = max(most[0], memory(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = processor(pid)
    load = Load(h.port, bodies, rate)
    used = processor(pid) - before
    stop.set()
    watcher.join()
    row("load, %d polls wait" % polls.n,
        "%.0f decisions a second for %.0f s, slowest upload %.2f s",
        len(bodies) * PER_BODY / load.took, load.took, load.slowest)
    row("  memory, most", "%.0f MB", most[0] / 1e6)
    row("  processor", "%.1f times gzip -dc of the same (%.0f %% of a core)",
        used / unpacked(bodies, folder), 100 * used / load.took)
    return load


def change(h, polls):
    began, used = time.monotonic(), processor(h.p.pid)
    h.run("rollback", "--yes", "--no-wait", "-m", "a bench")
    told = time.monotonic() - began
    good, ms = polls.answered()
    took = time.monotonic() - began
    used = processor(h.p.pid) - used
    row("a rollback under load", "%d of %d polls answered in %.2f s, "
        "%.2f s after the command ended, %.2f s of processor", good, polls.n,
        took, took - told, used)
    return good, took


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--polls", type=int, default=10000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--burst", type=int, default=20000)
    parser.add_argument("--burst-seconds", type=int, default=5)
    o = parser.parse_args()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    n = min(o.polls, files - 400)
    if n < o.polls:
        print(SMALLER)
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        repo = house.Repo(folder / "repo", CONFIG)
        h = house.House(folder / "state").start()
        try:
            versions = release(h, repo)
            before = metric(h, "regatta_decisions")
            events = o.rate * o.seconds
            bodies = make_bodies(rng, events, 0, versions[1])
            polls = Polls(h, folder, n)
            loads = [steady(h, folder, polls, bodies, o.rate)]
            more = make_bodies(rng, o.rate * 5, events, versions[1])
            beside = threading.Thread(target=lambda: loads.append(
                Load(h.port, more, o.rate)))
            beside.start()
            time.sleep(1)
            good, _ = change(h, polls)
            beside.join()
            events += o.rate * 5
            burst = o.burst * o.burst_seconds
            bodies = make_bodies(rng, burst, events, versions[0])
            events += burst
            loads.append(Load(h.port, bodies, o.burst))
            b = loads[-1]
            row("a burst", "%.0f decisions a second offered for %.0f s: taken "
                "at %.0f, %d uploads pushed back", burst / b.offered,
                b.offered, burst / b.took, b.pushed)
            kept = metric(h, "regatta_decisions") - before
            row("of %d decisions" % events, "%d are in the log, %d uploads "
                "failed", kept, sum(len(x.errors) for x in loads))
            h.run("decisions", "verify")
        finally:
            code = h.stop()
    ok = (code == 0 and kept == events and good == n and
          not any(x.errors for x in loads))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
