#!/usr/bin/env python3
"""The HTTP server's speed beside nginx with one worker, where there is one,
and what 10,000 waiting polls cost.

    bench_server.py [--seconds 3] [--polls 10000]

The client (build/bench_client) takes the other core, so that a rate is one of
the pair; the ratio to nginx is what counts.
"""
import argparse
import hashlib
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("BUILD", HERE.parent.parent / "build"))
CONNECTIONS = 64
NGINX = """user root root; daemon off; worker_processes 1; pid %(dir)s/pid;
error_log %(dir)s/error.log; events { worker_connections 4096; }
http { access_log off; keepalive_requests 100000000; etag on;
  sendfile on; tcp_nopush on;
  client_body_temp_path %(dir)s/t1; proxy_temp_path %(dir)s/t2;
  fastcgi_temp_path %(dir)s/t3; uwsgi_temp_path %(dir)s/t4;
  scgi_temp_path %(dir)s/t5;
  server { listen 127.0.0.1:%(port)d; root %(dir)s; } }
"""


def client(*args):
    p = subprocess.run([str(BUILD / "bench_client")] + [str(a) for a in args],
                       stdout=subprocess.PIPE, text=True, check=True)
    return float(p.stdout)


def request(folder, path, tag=None, more=""):
    file = folder / "request"
    file.write_bytes(("GET %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n" % (
        path, "If-None-Match: %s\r\n" % tag if tag else "",
        more)).encode())
    return file


class Server:
    def __init__(self):
        self.p = subprocess.Popen([str(BUILD / "serve"), "--wait", "600"],
                                  stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        self.port = int(self.p.stdout.readline().split()[1])

    def say(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()


class Nginx:
    def __init__(self, program, folder):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        conf = folder / "nginx.conf"
        conf.write_text(NGINX % {"dir": folder, "port": self.port})
        self.p = subprocess.Popen([program, "-c", str(conf)],
                                  stderr=subprocess.DEVNULL)
        time.sleep(0.5)

    def tag(self, path):
        url = "http://127.0.0.1:%d%s" % (self.port, path)
        with urllib.request.urlopen(url) as r:
            return r.headers["ETag"]


def rates(folder, port, path, tag, seconds):
    same = client("rate", port, CONNECTIONS, seconds,
                  request(folder, path, tag))
    full = client("rate", port, CONNECTIONS, seconds, request(folder, path))
    return same, full


def waiting(folder, server, tag, polls, other):
    before = int(server.say("memory"))
    file = request(folder, "/bundles/authz", tag,
                   "Prefer: modes=snapshot,delta;wait=600\r\n")
    p = subprocess.Popen([str(BUILD / "bench_client"), "wait",
                          str(server.port), str(polls), str(file)],
                         stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "ready\n"
    while int(server.say("waiting")) < polls:
        time.sleep(0.01)
    memory = int(server.say("memory")) - before
    idle = client("rate", server.port, CONNECTIONS, 1,
                  request(folder, "/bundles/authz", tag))
    began = time.monotonic()
    server.say("use " + str(other))
    good = int(p.stdout.readline().split()[0])
    took = time.monotonic() - began
    p.wait()
    print("%d waiting polls       %.1f kB each, %.1f MB" % (
        polls, memory / polls / 1000, memory / 1e6))
    print("304s beside them           %.0f a second" % idle)
    print("a change answered to all   %.2f s, %d with the new bundle" % (
        took, good))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--polls", type=int, default=10000)
    options = parser.parse_args()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    polls = min(options.polls, files - 200)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        big, other = folder / "big", folder / "other"
        big.write_bytes(os.urandom(100000))
        other.write_bytes(os.urandom(1000))
        tag = '"%s"' % hashlib.sha256(big.read_bytes()).hexdigest()
        server = Server()
        server.say("use " + str(big))
        ours = rates(folder, server.port, "/bundles/authz", tag,
                     options.seconds)
        print("304s                       %.0f a second" % ours[0])
        print("200s with 100 kB           %.0f a second" % ours[1])
        program = shutil.which("nginx")
        if program:
            nginx = Nginx(program, folder)
            try:
                theirs = rates(folder, nginx.port, "/big",
                               nginx.tag("/big"), options.seconds)
            finally:
                nginx.p.terminate()
                nginx.p.wait()
            print("beside nginx, one worker   304 %.2f, 100 kB %.2f" % (
                ours[0] / theirs[0], ours[1] / theirs[1]))
        else:
            print("beside nginx               skipped: no nginx")
        waiting(folder, server, tag, polls, other)
        server.say("stop")
        server.p.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
