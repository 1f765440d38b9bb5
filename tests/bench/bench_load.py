#!/usr/bin/env python3
"""Rows of `regatta serve` under the load of a fleet.

Polls of 10,000 targets wait while 2,000 decisions a second come in for a
minute, beside `gzip -dc` of the same uploads; then a rollback is answered to
all of them; then decisions come as fast as in a burst, 20,000 a second, and
what is pushed back with 503 is sent again, as agents do. At the end each
decision that was sent is in the log, once, and the log verifies. Client and
server share the machine.
"""
import hashlib
import http.client
import pathlib
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zlib

import bench_server
import measure
from measure import Job, house
from row import Row

GROUPS = ("load",)
POLLS, SECONDS, RATE, BURST, BURST_SECONDS = 10000, 60, 2000, 20000, 5
CONFIG = house.CONFIG.replace(
    "    - {name: canary, select: \"ring=canary\"}\n", "").replace(
    "fleet: 2s", "fleet: 1s")
PER_BODY = 250
SENDERS = 16


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
            house.until("it is stable", lambda: (
                h.state() == "succeeded" and
                h.status()["stable"]["revision"] == v), 120,
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


def wait_for_change(h, folder, n):
    """So many targets' polls, which wait for a change of what they have."""
    tag = hashlib.sha256(get(h.port, "/bundles/authz")).hexdigest()
    file = bench_server.request(
        folder, "/bundles/authz", '"%s"' % tag,
        "X-Regatta-Target: t@@@@@\r\n" + bench_server.WAIT)
    return bench_server.poll(
        h.port, file, n, lambda: metric(h, "regatta_http_waiting_polls"))


# --- what is measured -------------------------------------------------------

def unpacked(bodies, folder):
    """What `gzip -dc` of the same bodies costs."""
    path = folder / "bodies.gz"
    path.write_bytes(b"".join(bodies))
    return measure.must(["gzip", "-dc", path])


def steady(h, folder, n, bodies, note):
    """Two rows, and the load; gzip has its turn before and after."""
    events = len(bodies) * PER_BODY
    gzip = [unpacked(bodies, folder)]
    before = measure.processor(h.p.pid)
    load = Load(h.port, bodies, RATE)
    used = measure.processor(h.p.pid) - before
    mb = measure.memory(h.p.pid, "VmHWM")
    gzip.append(unpacked(bodies, folder))
    theirs = sum(c.seconds for c in gzip) / len(gzip)
    return load, [
        Row("load", "{:,} wait, {:,}/s: slowest upload".format(n, RATE),
            "s", load.slowest, ours_mb=mb, goal={"mb": 500}, note=note),
        Row("load", "a decision, all in all", "us", used / events * 1e6,
            theirs / events * 1e6, "gzip -dc", ours_mb=mb,
            theirs_mb=gzip[0].mb, goal={"ratio": 0.1})]


def change(h, polls, n):
    """How long until all have the answer to a rollback."""
    began = time.monotonic()
    h.run("rollback", "--yes", "--no-wait", "-m", "a bench")
    bench_server.answered(polls, n)
    return Row("load", "a rollback answered to all", "s",
               time.monotonic() - began, goal={"most": 1})


def burst(load, events):
    note = "%d uploads were pushed back with 503, and taken later" % \
        load.pushed if load.pushed else None
    return Row("load", "a burst, {:,} offered".format(BURST), "1/s",
               events / load.took, more=True, note=note)


def kept(h, before, sent, loads):
    """Every decision is there, once, and none was refused."""
    errors = [e for x in loads for e in x.errors]
    there = metric(h, "regatta_decisions") - before
    h.run("decisions", "verify")
    if errors or there != sent:
        raise ValueError("%d decisions of %d are in the log, %d uploads "
                         "failed: %.100s" % (there, sent, len(errors), errors))
    return Row("load", "decisions in the log", "", there, sent,
               "those sent", more=True, goal={"ratio": 1})


class Sent:
    """Uploads, made as they are needed, and how they went."""

    def __init__(self, h):
        self.h = h
        self.rng = random.Random(7)
        self.events, self.loads = 0, []

    def bodies(self, events, revision):
        first, self.events = self.events, self.events + events
        return make_bodies(self.rng, events, first, revision)

    def go(self, bodies, rate):
        self.loads.append(Load(self.h.port, bodies, rate))
        return self.loads[-1]


def whole(n):
    """A number of events that fills bodies."""
    return n // PER_BODY * PER_BODY


def under_load(bench, h, folder, repo):
    n, note = measure.open_files(bench.of(POLLS), 400)
    first, second = release(h, repo)
    before, sent = metric(h, "regatta_decisions"), Sent(h)
    bodies = sent.bodies(whole(bench.of(SECONDS, 2) * RATE), second)
    polls = wait_for_change(h, folder, n)
    load, rows = steady(h, folder, n, bodies, note)
    sent.loads.append(load)
    yield from rows
    more = sent.bodies(whole(5 * RATE), second)
    beside = threading.Thread(target=lambda: sent.go(more, RATE))
    beside.start()
    try:
        time.sleep(1)
        yield change(h, polls, n)
    finally:
        beside.join()
    bodies = sent.bodies(whole(bench.of(BURST_SECONDS) * BURST), first)
    yield burst(sent.go(bodies, BURST), len(bodies) * PER_BODY)
    yield kept(h, before, sent.events, sent.loads)


def rows(bench):
    measure.two_cores()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        repo = house.Repo(folder / "repo", CONFIG)
        h = house.House(folder / "state").start()
        try:
            yield from under_load(bench, h, folder, repo)
        finally:
            code = h.stop()
    if code:
        raise ValueError("regatta serve ended with %d" % code)


def jobs(bench):
    return [Job("load", "load", lambda: rows(bench))]


if __name__ == "__main__":
    sys.exit(measure.main(__doc__, [sys.modules[__name__]]))
