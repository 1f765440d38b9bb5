#!/usr/bin/env python3
"""Rows of the HTTP server (build/serve: one bundle), beside nginx with one
worker where there is one.

    304s, bodies   answers a second to 64 connections that ask again at once,
                   and the server's processor time for each, which other work
                   on the machine does not change much
    waiting        what a connection holds: here polls that wait for a change,
                   there connections that are kept alive, idle, since nginx has
                   no such wait; 304s beside them; a change answered to all

The client (build/bench_client) takes the other core, so that a rate is one of
the pair; the ratio to nginx is what counts.
"""
import contextlib
import hashlib
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

import measure
from measure import Job, house
from row import Row

GROUPS = ("serve",)
PEER = "nginx, 1 worker"
CONNECTIONS = 64
BIG = 100000
WAIT = "Prefer: modes=snapshot,delta;wait=600\r\n"
NGINX = """user root root; daemon off; worker_processes 1; pid %(dir)s/pid;
error_log %(dir)s/error.log; events { worker_connections %(connections)d; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 600;
  etag on; sendfile on; tcp_nopush on;
  client_body_temp_path %(dir)s/t1; proxy_temp_path %(dir)s/t2;
  fastcgi_temp_path %(dir)s/t3; uwsgi_temp_path %(dir)s/t4;
  scgi_temp_path %(dir)s/t5;
  server { listen 127.0.0.1:%(port)d backlog=4096; root %(dir)s; } }
"""


def request(folder, path, tag=None, more=""):
    """A file for the client."""
    file = folder / "request"
    file.write_bytes(("GET %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n" % (
        path, "If-None-Match: %s\r\n" % tag if tag else "",
        more)).encode())
    return file


class Server:
    path = "/bundles/authz"

    def __init__(self, folder, _):
        self.p = subprocess.Popen(
            [measure.program("serve"), "--wait", "600"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.p.pid
        self.port = int(self.p.stdout.readline().split()[1])
        big = folder / "big"
        self.say("use %s" % big)
        self.tag = '"%s"' % hashlib.sha256(big.read_bytes()).hexdigest()

    def say(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()


class Nginx:
    path = "/big"

    def __init__(self, folder, connections):
        self.port = house.free_port()
        conf = folder / "nginx.conf"
        conf.write_text(NGINX % {"dir": folder, "port": self.port,
                                 "connections": connections + 200})
        self.p = subprocess.Popen([measure.nginx(), "-c", conf],
                                  stderr=subprocess.DEVNULL)
        self.tag = house.until("nginx answers", self.its_tag)
        children = "/proc/%d/task/%d/children" % (self.p.pid, self.p.pid)
        self.pid = int(pathlib.Path(children).read_text())  # the worker

    def its_tag(self):
        url = "http://127.0.0.1:%d%s" % (self.port, self.path)
        with contextlib.suppress(OSError), urllib.request.urlopen(url) as r:
            return r.headers["ETag"]


@contextlib.contextmanager
def both(bench, connections):
    """A folder and the two servers; None for nginx where there is none."""
    folder = bench.scratch
    (folder / "big").write_bytes(os.urandom(BIG))
    with contextlib.ExitStack() as ends:
        servers = [make(folder, connections) if make else None
                   for make in (Server, Nginx if measure.nginx() else None)]
        for s in filter(None, servers):
            ends.callback(s.p.wait)
            ends.callback(s.p.terminate)
        yield folder, *servers


def rate(server, folder, tag, seconds):
    """(answers a second, MB, microseconds of the server for each answer)"""
    before = measure.processor(server.pid)
    c = measure.must([measure.program("bench_client"), "rate", server.port,
                      CONNECTIONS, seconds,
                      request(folder, server.path, tag)])
    used, answers = measure.processor(server.pid) - before, float(c.out)
    return (answers, measure.memory(server.pid, "VmHWM"),
            used / (answers * seconds) * 1e6)


def missing(theirs):
    return {"peer": PEER} if theirs else {"note": "no nginx here"}


def rates(bench, name, tagged):
    measure.two_cores()
    with both(bench, CONNECTIONS) as (folder, ours, theirs):
        def of(server):
            return server and (lambda: rate(
                server, folder, server.tag if tagged else None,
                max(0.2, bench.scale)))

        samples = measure.in_turn(bench.runs, of(ours), of(theirs))
        yield Row("serve", name, "1/s", more=True, goal={"ratio": 0.8},
                  **missing(theirs), **measure.medians(samples, 0, 1))
        yield Row("serve", name + ": processor", "us", **missing(theirs),
                  **measure.medians(samples, 2))


# --- many that wait ---------------------------------------------------------

def poll(port, file, n, waiting):
    """The client with so many polls, as soon as all of them wait."""
    p = subprocess.Popen(
        [measure.program("bench_client"), "wait", str(port), str(n),
         str(file)], stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "ready\n"
    house.until("they wait", lambda: waiting() >= n)
    return p


def answered(polls, n):
    """Returns when all have got another bundle; it is an error if not all."""
    good = int(polls.stdout.readline().split()[0])
    polls.wait()
    if good != n:
        raise ValueError("%d of %d polls got the new bundle" % (good, n))


def hold(server, folder, n):
    """So many connections that have had an answer and may ask again."""
    text = request(folder, server.path, server.tag).read_bytes()
    with contextlib.ExitStack() as held:
        for _ in range(n):
            s = held.enter_context(
                socket.create_connection(("127.0.0.1", server.port)))
            s.sendall(text)
            assert b" 304 " in s.recv(4096)
        return held.pop_all()


def growth(server, act):
    """What `act` gave, and by how many MB the server grew meanwhile."""
    before = measure.memory(server.pid)
    made = act()
    return made, measure.memory(server.pid) - before


def waiting(bench):
    measure.two_cores()
    n, note = measure.open_files(bench.of(10000), 400)
    text = "{:,} waiting: ".format(n)
    with both(bench, n + CONNECTIONS) as (folder, ours, theirs):
        file = request(folder, ours.path, ours.tag, WAIT)
        polls, grown = growth(ours, lambda: poll(
            ours.port, file, n, lambda: int(ours.say("waiting"))))
        each = {"ours": grown / n * 1e3,
                "ours_mb": measure.memory(ours.pid)}
        beside = [rate(ours, folder, ours.tag, 1)]
        if theirs:
            held, grown = growth(theirs, lambda: hold(theirs, folder, n))
            each.update(theirs=grown / n * 1e3,
                        theirs_mb=measure.memory(theirs.pid))
            beside.append(rate(theirs, folder, theirs.tag, 1))
            held.close()
        yield Row("serve", text + "each", "kB", **each,
                  note=note or missing(theirs).get("note"),
                  peer=theirs and PEER + ", idle")
        both_us = dict(zip(("ours", "theirs"), (x[2] for x in beside)))
        yield Row("serve", text + "304s: processor", "us", **missing(theirs),
                  **both_us)
        yield changed(folder, ours, polls, text, n)


def changed(folder, server, polls, text, n):
    other = folder / "other"
    other.write_bytes(os.urandom(1000))
    began = time.monotonic()
    server.say("use %s" % other)
    answered(polls, n)
    return Row("serve", text + "all get a change", "s",
               time.monotonic() - began, goal={"most": 1})


def jobs(bench):
    return [Job("serve", "304s", lambda: rates(bench, "304s", True)),
            Job("serve", "bodies",
                lambda: rates(bench, "bodies of 100 kB", False)),
            Job("serve", "waiting", lambda: waiting(bench))]


if __name__ == "__main__":
    sys.exit(measure.main(__doc__, [sys.modules[__name__]]))
