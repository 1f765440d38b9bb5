#!/usr/bin/env python3
"""Ask agents for decisions, as the clusters around them would.

    demo_callers.py REQUESTS PATH PORT...

Each line of REQUESTS is an input; each agent on 127.0.0.1 gets all of them in
turn, twenty a second, until this is ended. An agent that is not there yet is
asked again.
"""
import http.client
import pathlib
import sys
import threading
import time

RATE = 20


def call(port, path, bodies):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    n = 0
    while True:
        time.sleep(1 / RATE)
        try:
            c.request("POST", "/v1/data/" + path, bodies[n % len(bodies)],
                      {"Content-Type": "application/json"})
            c.getresponse().read()
            n += 1
        except (OSError, http.client.HTTPException):
            c.close()


def main(requests, path, *ports):
    bodies = ['{"input":%s}' % line for line in
              pathlib.Path(requests).read_text().splitlines()]
    for port in ports[1:]:
        threading.Thread(target=call, args=(int(port), path, bodies),
                         daemon=True).start()
    call(int(ports[0]), path, bodies)


if __name__ == "__main__":
    main(*sys.argv[1:])
