"""A headless Chromium over its debugging pipe, for tests of the page.

Nothing but the standard library: commands are JSON with a NUL behind it, on
file descriptors 3 (in) and 4 (out).
"""
import base64
import glob
import json
import os
import select
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT = 30


def find():
    for name in NAMES:
        if shutil.which(name):
            return shutil.which(name)
    found = glob.glob(os.path.expanduser(
        "~/.cache/ms-playwright/chromium-*/chrome-linux*/chrome"))
    return found[0] if found else None


class Chromium:
    def __init__(self, program, folder):
        to_it, self.to = os.pipe()
        self.back, from_it = os.pipe()

        def ends():
            # Above 4 first: what is dup'ed to 3 may be in the way of 4.
            a, b = os.dup(to_it), os.dup(from_it)
            while a < 5 or b < 5:
                a, b = os.dup(a), os.dup(b)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.p = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--no-first-run",
             "--hide-scrollbars",
             "--user-data-dir=%s" % folder, "--remote-debugging-pipe",
             "about:blank"], preexec_fn=ends, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_it)
        os.close(from_it)
        self.text, self.n, self.session, self.events = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")
        self.session = self.call("Target.attachToTarget", flatten=True,
                                 targetId=target["targetId"])["sessionId"]
        for what in ("Page", "Runtime", "Log"):
            self.call(what + ".enable")

    def _message(self, until):
        while b"\0" not in self.text:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.back], [], [], left)[0]:
                return None
            more = os.read(self.back, 1 << 16)
            if not more:
                raise AssertionError("Chromium ended")
            self.text += more
        one, self.text = self.text.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, **params):
        self.n += 1
        m = {"id": self.n, "method": method, "params": params}
        if self.session:
            m["sessionId"] = self.session
        os.write(self.to, json.dumps(m).encode() + b"\0")
        until = time.monotonic() + TIMEOUT
        while True:
            got = self._message(until)
            assert got, "%s: no answer" % method
            if got.get("id") == self.n:
                assert "error" not in got, (method, got)
                return got["result"]
            self.events.append(got)

    def look(self, seconds):
        """Events that come in that time."""
        until = time.monotonic() + seconds
        while True:
            got = self._message(until)
            if not got:
                return
            self.events.append(got)

    def load(self, url):
        self.events.clear()
        self.call("Page.navigate", url=url)
        until = time.monotonic() + TIMEOUT
        while not any(e.get("method") == "Page.loadEventFired"
                      for e in self.events):
            assert time.monotonic() < until, "%s does not load" % url
            self.look(0.1)

    def eval(self, text):
        return self.call("Runtime.evaluate", expression=text,
                         returnByValue=True)["result"].get("value")

    def errors(self):
        """What a console would show in red or yellow."""
        out = []
        for e in self.events:
            p = e.get("params", {})
            if e.get("method") == "Runtime.exceptionThrown":
                out.append(p["exceptionDetails"])
            elif e.get("method") == "Log.entryAdded" and \
                    p["entry"]["level"] in ("error", "warning"):
                out.append(p["entry"])
            elif e.get("method") == "Runtime.consoleAPICalled" and \
                    p["type"] in ("error", "warning", "assert"):
                out.append(p)
        return out

    def view(self, width, height, scheme, scripts):
        self.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)

    def shot(self, path):
        got = self.call("Page.captureScreenshot", format="png",
                        captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(got["data"]))

    def stop(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (AssertionError, OSError):
            self.p.kill()
        self.p.wait(TIMEOUT)
        os.close(self.to)
        os.close(self.back)
