#!/usr/bin/env python3
"""The dashboard in a browser, while a rollout goes on.

KEEP=1 keeps the screenshots and says where they are.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import chromium  # noqa: E402
import house  # noqa: E402
from house import until  # noqa: E402

# A rollout that is long enough to be looked at.
SLOW = house.CONFIG.replace("min: 1s, max: 60s", "min: 300s, max: 600s")
SIZES = (("phone", 390, 844), ("desktop", 1440, 900))


def fetch(h, path):
    url = "http://127.0.0.1:%d%s" % (h.port, path)
    with urllib.request.urlopen(url, timeout=house.TIMEOUT) as a:
        return a.read().decode(), a.headers


def simulate(h, tmp):
    (tmp / "inputs").mkdir()
    for user in ("ana", "bob"):
        (tmp / "inputs" / (user + ".json")).write_text('{"user":"%s"}' % user)
    return subprocess.Popen(
        [house.PROGRAM, "simulate", "--server",
         "http://127.0.0.1:%d" % h.port, "-b", "authz", "-g",
         "canary=3,ring=canary", "-g", "web=24,ring=fleet", "--inputs",
         str(tmp / "inputs"), "--path", "authz/allow", "--rate", "10",
         "--wait", "2s"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def plain(r, h):
    """What holds without a browser."""
    body, headers = fetch(h, "/")
    policy = headers["Content-Security-Policy"]
    r.check("the page allows only what the server sends",
            "default-src 'none'" in policy and "unsafe" not in policy, policy)
    for name in ("css", "js"):
        at = body.index("/page.%s?v=" % name)
        path = body[at:body.index('"', at)]
        r.check("%s is kept for ever" % name,
                "immutable" in fetch(h, path)[1]["Cache-Control"])
        r.check("%s of another digest is not" % name, "no-store" in fetch(
            h, path[:-1] + "x")[1]["Cache-Control"])


def look(r, h, browser, shots, state):
    for size, width, height in SIZES:
        for scheme in ("light", "dark"):
            for scripts in (True, False):
                name = "%s-%s-%s-%s" % (state, size, scheme,
                                        "scripts" if scripts else "plain")
                browser.view(width, height, scheme, scripts)
                browser.load("http://127.0.0.1:%d/" % h.port)
                browser.look(3 if scripts and scheme == "light" else 0.2)
                wide = browser.eval("document.documentElement.scrollWidth")
                r.check("%s does not overflow" % name,
                        wide is not None and wide <= width, wide)
                r.check("%s has no error" % name, not browser.errors(),
                        browser.errors())
                browser.shot(shots / (name + ".png"))


def states(r, h, repo, browser, shots):
    look(r, h, browser, shots, "empty")
    v1 = h.publish(repo, house.GOOD)
    h.run("rollout", "start", v1, "-m", "the first one")
    until("all have the first one", lambda: h.state() == "succeeded", 90)
    look(r, h, browser, shots, "stable")
    plain(r, h)
    (repo.dir / "regatta.yaml").write_text(SLOW)
    v2 = h.publish(repo, house.GOOD_TOO)
    h.run("rollout", "start", v2, "-m", "<script>alert(1)</script> & \"root\"")
    browser.view(1440, 900, "light", True)
    browser.load("http://127.0.0.1:%d/" % h.port)
    until("the open page follows", lambda: browser.look(0.5) or
          v2 in (browser.eval("document.querySelector('.strip').innerText")
                 or ""), 20)
    browser.eval("document.querySelectorAll('.squares li')[4].focus();"
                 "window.scrollTo(0, 200)")
    until("canaries are judged", lambda: browser.look(0.5) or
          (h.status().get("verdict") or {}).get("canary", {}).get(
              "decisions", 0) > 50, 60)
    r.check("focus and scroll stay", browser.eval(
        "document.activeElement.tagName + window.scrollY") == "LI200")
    look(r, h, browser, shots, "canary")
    h.run("hold", "-m", "let me look")
    look(r, h, browser, shots, "hold")
    h.run("rollback", "--yes", "-m", "a feeling")
    until("it is back", lambda: h.state() == "rolled-back")
    look(r, h, browser, shots, "back")


def main():
    program = chromium.find()
    if not program:
        print("skipped: no Chromium (one of %s)" % ", ".join(chromium.NAMES))
        print("0 passed, 0 failed")
        return 0
    r = house.Report()
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="page."))
    shots = tmp / "shots"
    shots.mkdir()
    repo = house.Repo(tmp / "repo")
    h = house.House(tmp / "state").start()
    agents = simulate(h, tmp)
    browser = chromium.Chromium(program, tmp / "profile")
    try:
        states(r, h, repo, browser, shots)
    finally:
        browser.stop()
        agents.terminate()
        agents.wait(house.TIMEOUT)
        r.check("serve stops cleanly", h.stop() == 0)
        if r.failed:
            print(h.said)
        if os.environ.get("KEEP"):
            print("screenshots: %s" % shots)
        else:
            shutil.rmtree(tmp)
    return r.end()


sys.exit(main())
