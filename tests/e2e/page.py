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
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import chromium  # noqa: E402
import house  # noqa: E402
import report  # noqa: E402
from house import until  # noqa: E402

# A rollout that is long enough to be looked at.
SLOW = house.CONFIG.replace("min: 1s, max: 60s", "min: 300s, max: 600s")
VIEWS = [(size, scheme, True)
         for size in (("phone", 360, 780), ("desktop", 1440, 900))
         for scheme in ("light", "dark")]
VIEWS.append((("desktop", 1440, 900), "light", False))  # without scripts


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def fetch(h, path, body=None, **headers):
    """Status, text and headers of an answer, whatever it is."""
    request = urllib.request.Request(
        "http://127.0.0.1:%d%s" % (h.port, path), data=body,
        headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        a = urllib.request.build_opener(Stay).open(
            request, timeout=house.TIMEOUT)
    except urllib.error.HTTPError as e:
        a = e
    with a:
        return a.status, a.read().decode(), a.headers


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
    _, body, headers = fetch(h, "/")
    policy = headers["Content-Security-Policy"]
    r.check("the page allows only what the server sends",
            "default-src 'none'" in policy and "unsafe" not in policy, policy)
    r.check("it has neither style nor script inside", "style=" not in body and
            "<style" not in body and " onc" not in body and
            body.count("<script") == body.count("<script src="), body)
    for name in ("css", "js"):
        at = body.index("/page.%s?v=" % name)
        path = body[at:body.index('"', at)]
        r.check("%s is kept for ever" % name,
                "immutable" in fetch(h, path)[2]["Cache-Control"])
        r.check("%s of another digest is not" % name, "no-store" in fetch(
            h, path[:-1] + "x")[2]["Cache-Control"])


def look(r, h, browser, shots, state, path="/", status=200):
    for (size, width, height), scheme, scripts in VIEWS:
        name = "%s-%s-%s-%s" % (state, size, scheme,
                                "scripts" if scripts else "plain")
        browser.view(width, height, scheme, scripts)
        browser.load("http://127.0.0.1:%d%s" % (h.port, path))
        browser.look(0.5)
        wide = browser.eval("document.documentElement.scrollWidth")
        r.check("%s does not overflow" % name,
                wide is not None and wide <= width, wide)
        # A refusal is an error to a console, and no other.
        errors = [e for e in browser.errors()
                  if "status of %d" % status not in e.get("text", "")]
        r.check("%s has no error" % name, not errors, errors)
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

    def focus():
        return (browser.eval("document.activeElement.title")
                or "").partition(":")[0]

    who = focus()
    until("canaries are judged", lambda: browser.look(0.5) or
          (h.status().get("verdict") or {}).get("canary", {}).get(
              "decisions", 0) > 50, 60)
    got = focus()
    r.check("the focus stays where it is", got == who, (who, got))
    # The browser keeps in place what is seen, so that it may be some pixels.
    got = browser.eval("window.scrollY")
    r.check("nothing jumps", 100 <= got <= 400, got)
    # What comes and goes beside it takes nothing away.
    got = browser.eval(
        "(() => { const p = new DOMParser(), d = t => p.parseFromString("
        "'<div>' + t + '</div>', 'text/html').body.firstChild;"
        "const rows = [['<p>1</p><p>2</p>', '<p>1</p><b>x</b><p>3</p>'],"
        "['<p>1</p>', '<p>1</p><ul><li>a</li></ul><i>z</i>'], ['', 'x'],"
        "['<p>1</p><i>2</i><u>3</u>', '<u id=q>4</u>'], ['a<b>c</b>', '']];"
        "return rows.every(([x, y]) => { const old = d(x), first = "
        "old.firstElementChild; merge(old, d(y)); return old.isEqualNode(d(y))"
        " && (!first || !y.startsWith('<p>') || first === "
        "old.firstElementChild); }); })()")
    r.check("a page becomes another one, piece by piece", got is True, got)
    r.check("a stream of events is open", browser.eval(
        "stream.readyState === EventSource.OPEN"))
    look(r, h, browser, shots, "canary")
    h.run("hold", "-m", "let me look")
    look(r, h, browser, shots, "hold")
    h.run("rollback", "--yes", "-m", "a feeling")
    until("it is back", lambda: h.state() == "rolled-back")
    look(r, h, browser, shots, "back")
    # Twice: what differs between two versions is found once.
    for body in (fetch(h, "/")[1], fetch(h, "/")[1]):
        r.check("what a rollback was about is shown",
                "<b>changed</b> <code>data.authz.allow</code>" in body and
                "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;root&quot;"
                in body, body)


# --- tokens ------------------------------------------------------------------

def submits(browser, token):
    browser.eval("document.getElementById('token').value = '%s';"
                 "document.getElementById('sign-in').submit()" % token)


def shows(browser, selector):
    until("%s is there" % selector, lambda: browser.look(0.2) or browser.eval(
        "document.querySelector('%s') !== null" % selector), 20)


def signing(r, h, browser, shots):
    """With tokens a person signs in, and then looks and no more."""
    agent, viewer = (h.json("token", "add", role, "--role", role)["token"]
                     for role in ("agent", "viewer"))
    until("the tokens are in force", lambda: fetch(h, "/")[0] == 401, 10)
    look(r, h, browser, shots, "sign-in", "/?bundle=authz", 401)
    look(r, h, browser, shots, "nowhere", "/nowhere", 404)
    browser.view(1440, 900, "light", True)
    browser.load("http://127.0.0.1:%d/?bundle=authz" % h.port)
    for wrong, said in ((viewer[:-1], "no token"), (agent, "an agent")):
        submits(browser, wrong)
        until("%s is refused" % said, lambda: browser.look(0.2) or
              said in browser.eval("document.body.innerText"), 20)
    submits(browser, "  %s " % viewer)
    shows(browser, ".strip")
    r.check("it goes on where it was", browser.eval(
        "location.pathname + location.search") == "/?bundle=authz")
    r.check("no script sees the cookie", browser.eval("document.cookie") == "")
    shows(browser, "form[action=\"/sign-out\"]")
    cookies = browser.call("Network.getCookies")["cookies"]
    cookie = "%(name)s=%(value)s" % cookies[0]
    r.check("the cookie is for this server and its pages alone",
            len(cookies) == 1 and cookies[0]["httpOnly"] and
            cookies[0]["sameSite"] == "Strict" and
            viewer[4:] not in cookie, cookies)
    reads = fetch(h, "/v1/status", Cookie=cookie)
    changes = fetch(h, "/v1/freeze", b"{}", Cookie=cookie)
    r.check("it looks", reads[0] == 200, reads)
    r.check("it changes nothing", changes[0] == 401, changes)
    r.check("the folder does not know it", not any(
        cookies[0]["value"].encode() in f.read_bytes()
        for f in h.dir.rglob("*") if f.is_file()))
    foreign = fetch(h, "/sign-out", b"", Cookie=cookie,
                    Sec_Fetch_Site="cross-site")
    r.check("no other site signs out", foreign[0] == 403 and
            fetch(h, "/v1/status", Cookie=cookie)[0] == 200, foreign)
    browser.eval("document.querySelector('header form').submit()")
    shows(browser, "#sign-in")
    r.check("it is over", fetch(h, "/v1/status", Cookie=cookie)[0] == 401)
    # Who is told to go in a page that is open sees the form.
    submits(browser, viewer)
    shows(browser, ".strip")
    h.run("token", "revoke", "viewer")
    shows(browser, "#sign-in")


def ends(r, h, browser):
    """An open page says so when nobody answers any more."""
    h.run("token", "revoke", "agent")
    viewer = h.json("token", "add", "v", "--role", "viewer")["token"]
    until("it is in force", lambda: browser.look(0.3) or submits(
        browser, viewer) or browser.look(0.3) or browser.eval(
            "document.querySelector('.strip') !== null"), 10)
    r.check("serve stops cleanly, with a page open", h.stop() == 0)
    until("the page says so", lambda: browser.look(0.3) or "Not fresh" in (
        browser.eval("document.getElementById('lost').innerText") or ""), 20)


def main():
    program = chromium.find()
    if not program:
        print("skipped: no Chromium (one of %s)" % ", ".join(chromium.NAMES))
        print("0 passed, 0 failed")
        return 0
    r = report.Report()
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="page."))
    shots = tmp / "shots"
    shots.mkdir()
    repo = house.Repo(tmp / "repo")
    h = house.House(tmp / "state").start()
    agents = simulate(h, tmp)
    browser = chromium.Chromium(program, tmp / "profile")
    try:
        states(r, h, repo, browser, shots)
        signing(r, h, browser, shots)
        ends(r, h, browser)
    finally:
        browser.stop()
        agents.terminate()
        agents.wait(house.TIMEOUT)
        h.stop()
        if r.failed:
            print(h.said)
        if os.environ.get("KEEP"):
            print("screenshots: %s" % shots)
        else:
            shutil.rmtree(tmp)
    return r.end()


sys.exit(main())
