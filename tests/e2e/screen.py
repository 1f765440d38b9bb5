#!/usr/bin/env python3
"""`regatta status --watch` on a terminal.

A small terminal reads what the program writes: a pseudo terminal of its own,
with a screen of cells. It knows the sequences that the program may use and no
others, so that anything else is a failure. What it shows must be what `regatta
status` prints, cut to the terminal's size, whatever size it gets meanwhile; a
cell that has the same letter before and after a frame must have had it all the
time, or it would flicker. However the program is left, with q, Ctrl-C (twice
when the server hangs) or SIGTERM, the terminal is as it was before.
"""
import contextlib
import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

import release
from release import REGATTA, SLOW, V, check, expect, regatta, until

TOKEN = re.compile(rb"\x1b\[(\??)([0-9;]*)([A-Za-z])|[\x00-\x1f]|"
                   rb"[\x20-\x7e]|[\xc2-\xf4][\x80-\xbf]+")


class Cells:
    """What stands where, and whether it flickered. Of a size that is new the
    first frame may be one for the old size, which was on its way."""

    def __init__(self, rows, columns, wrong=()):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.frames, self.problems, self.colours = 0, set(wrong), 0
        self.pages = []
        self.before, self.other, self.last = None, set(), b""

    def wrong(self, what):
        if self.frames > 1:
            self.problems.add(what)

    def lines(self):
        return ["".join(r).rstrip() for r in self.cells]

    def put(self, row, column, letter):
        if row >= self.rows or column >= self.columns:
            self.wrong("written outside, at %d, %d" % (row, column))
            return
        if self.before and self.before[row][column] != letter:
            self.other.add((row, column))
        self.cells[row][column] = letter

    def frame(self):
        """The end of one and the begin of the next: also when it asks."""
        for row, column in self.other:
            if self.cells[row][column] == self.before[row][column] != " ":
                self.wrong("flickers at %d, %d" % (row, column))
        self.before = [list(r) for r in self.cells]
        self.other = set()
        self.frames += 1

    def erase(self, whole):
        # Behind a full line it stands on the last letter, until the next one.
        for c in range(min(self.column, self.columns - 1), self.columns):
            self.put(self.row, c, " ")
        for r in range(self.row + 1, self.rows if whole else 0):
            for c in range(self.columns):
                self.put(r, c, " ")

    def sequence(self, private, number, letter):
        what = private + number + letter
        if what == "H":
            self.frame()
            self.row = self.column = 0
        elif what in ("K", "J"):
            self.erase(what == "J")
        elif what == "A":
            self.row -= 1
        elif letter == "m" and not private:
            self.colours += number not in ("0", "")
        elif what in ("?1049h", "?1049l", "?25h", "?25l"):
            self.pages.append(what)
        else:
            self.problems.add("sequence " + what)

    def read(self, token):
        m = TOKEN.match(token)
        if self.last == b"\r" and token != b"\n":
            self.frame()
        if m[3]:
            self.sequence(m[1].decode(), m[2].decode(), m[3].decode())
        elif token == b"\r":
            self.column = 0
        elif token == b"\n":
            self.row += 1
            if self.row >= self.rows:
                self.wrong("scrolls")
        elif token < b" ":
            self.problems.add("control %r" % token)
        else:
            self.put(self.row, self.column, token.decode())
            self.column += 1
        self.last = token


class Terminal:
    """The program on one; ends with whatever leaves it."""

    def __init__(self, *args, rows=24, columns=80, env=None, size=True):
        self.master, self.slave = pty.openpty()
        self.rest = b""
        self.all = b""
        self.cells = Cells(rows, columns)
        if size:
            self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.p = subprocess.Popen(
            [str(REGATTA), *args], stdin=self.slave, stdout=self.slave,
            stderr=self.slave, cwd=release.work, start_new_session=True,
            env=dict(os.environ, TERM="xterm", **(env or {})),
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))
        old = self.cells
        self.cells = Cells(rows, columns, old.problems)
        self.cells.pages = old.pages

    def read(self):
        if not select.select([self.master], [], [], 0.05)[0]:
            return
        more = os.read(self.master, 65536)
        self.all += more
        self.rest += more
        while self.rest:
            m = TOKEN.match(self.rest)
            if not m:
                if len(self.rest) > 16:
                    self.cells.problems.add("bytes %r" % self.rest[:16])
                    self.rest = b""
                break
            self.cells.read(m[0])
            self.rest = self.rest[m.end():]

    def until(self, what, true, seconds=20):
        end = time.monotonic() + seconds * SLOW
        while not true() and time.monotonic() < end:
            self.read()
        return check(what, true(), "\n".join(self.cells.lines()))

    def shows(self, what, text):
        return self.until(what, lambda: text in "\n".join(self.cells.lines()))

    def frame(self):
        """All of one that was begun after this."""
        n = self.cells.frames + 2
        self.until("it is drawn again", lambda: self.cells.frames >= n)

    def key(self, keys):
        os.write(self.master, keys)

    def left(self, what, code):
        """It has ended so, and the terminal is as it was."""
        end = time.monotonic() + 20 * SLOW
        while self.p.poll() is None and time.monotonic() < end:
            self.read()
        self.read()
        if self.p.poll() is None:
            self.p.kill()
        check("%s: exit %d" % (what, code), self.p.wait() == code,
              "%s %s" % (self.p.returncode, self.all[-300:]))
        check("%s: the terminal's settings are back" % what,
              termios.tcgetattr(self.slave) == self.before)
        check("%s: the page and the cursor are back" % what,
              sorted(self.cells.pages[-2:]) == ["?1049l", "?25h"] and
              self.cells.pages.count("?1049h") ==
              self.cells.pages.count("?1049l"), self.cells.pages)
        check("%s: nothing it may not do" % what, not self.cells.problems,
              self.cells.problems)
        os.close(self.master)
        os.close(self.slave)
        return self


def heads(text):
    return [line.split()[0] if line[:1].strip() else "" for line in text]


def sizes():
    """The lines of status, cut: in every size it gets."""
    t = Terminal("status", "--watch")
    t.shows("it has its keys", "q quit")
    for rows, columns in ((24, 80), (10, 40), (50, 200), (4, 20), (3, 1),
                          (30, 60)):
        t.resize(rows, columns)
        t.frame()
        got = t.cells.lines()
        want = regatta("status")[1].splitlines()[:rows - 2]
        check("%dx%d: the first lines of status" % (rows, columns),
              heads(got)[:len(want)] == heads(w[:columns] for w in want),
              "\n".join(got))
        check("%dx%d: the keys below them" % (rows, columns),
              got[len(want) + 1] == "p promote  h hold  r rollback  "
              "v verdict  q quit"[:columns].rstrip(), "\n".join(got))
    t.key(b"q")
    t.left("q", 0)
    check("colours on a terminal", b"\x1b[3" in t.all)
    t = Terminal("status", "--watch", size=False)
    t.shows("a terminal that does not know its size", "q quit")
    t.key(b"q")
    t.left("of no size", 0)


def leaving():
    for name, leave, code in (
            ("Ctrl-C", lambda t: t.key(b"\x03"), 0),
            ("SIGTERM", lambda t: t.p.send_signal(signal.SIGTERM), 0)):
        t = Terminal("status", "--watch")
        t.shows("it is there", "q quit")
        leave(t)
        t.left(name, code)
    for name, leave, code in (
            ("q before the end", lambda t: t.key(b"q"), 8),
            ("Ctrl-C before the end", lambda t: t.key(b"\x03"), 130),
            ("SIGTERM before the end",
             lambda t: t.p.send_signal(signal.SIGTERM), 143)):
        t = Terminal("status", "--until-done")
        t.shows("it waits", "q quit")
        leave(t)
        t.left(name, code)
    t = Terminal("status", "--watch", "--timeout", "1s")
    t.left("the time is up", 124)


def plain():
    t = Terminal("status", "--watch", env={"NO_COLOR": "1"})
    t.shows("without colours", "q quit")
    t.frame()
    check("NO_COLOR", t.cells.colours == 0, t.all)
    t.key(b"q")
    t.left("without colours", 0)
    for name, args in (("a file", ["--watch"]),
                       ("a file, until done", ["--until-done"])):
        status, out, err = regatta("status", *args, "--timeout", "1s")
        check(name + ": plain lines", status == 124 and "\x1b" not in out and
              out.startswith("-- ") and V[2] in out, out + err)
    p = subprocess.Popen([str(REGATTA), "status", "--until-done"],
                         cwd=release.work, stdout=subprocess.PIPE, text=True)
    check("it says what it sees", p.stdout.readline().startswith("-- "))
    p.terminate()
    p.communicate()
    check("stopped before the end is no success", p.returncode == 143,
          p.returncode)
    # What goes wrong at once is to be read where the shell goes on.
    master, slave = pty.openpty()
    p = subprocess.run([str(REGATTA), "status", "--watch", "-b", "nothing"],
                       stdin=slave, stdout=slave, stderr=subprocess.PIPE,
                       cwd=release.work)
    check("no such bundle", p.returncode == 5 and b"nothing" in p.stderr, p)
    check("and no screen for it", not select.select([master], [], [], 0)[0])
    os.close(master)
    os.close(slave)


def keys():
    t = Terminal("status", "--watch")
    t.shows("it is there", "q quit")
    t.key(b"v")
    t.shows("v: the verdict's numbers", "counted")
    t.key(b"v")
    t.until("v: and without", lambda: "counted" not in
            "\n".join(t.cells.lines()))
    for key, question in ((b"p", "promote to the next ring? y/N"),
                          (b"h", "hold the rollout? y/N"),
                          (b"r", "roll back now? y/N")):
        t.key(key)
        t.shows("%s asks" % key, question)
        t.key(b"n")
        t.until("and takes no", lambda: question not in
                "\n".join(t.cells.lines()))
    check("no is no", release.state()["state"] == "baking")
    t.key(b"p")
    t.shows("p asks", "y/N")
    t.key(b"y")
    t.shows("what is refused is said", "refused")
    t.key(b"hy")
    t.until("h holds", lambda: release.state()["state"] == "hold")
    t.shows("and says so", "HOLD")
    t.key(b"ry")
    t.until("r rolls back", lambda: release.state()["stable"]["revision"] ==
            V[1] and release.state()["state"] in ("rolling-back",
                                                  "rolled-back"))
    t.shows("and says so", "ROLL")
    t.key(b"q")
    t.left("q", 0)
    expect("who did it", 0, "history", says="from the status screen")


def server_gone(server):
    """Ctrl-C counts when the server hangs; one that is started anew is seen."""
    t = Terminal("status", "--watch")
    t.shows("it is there", "q quit")
    server.p.send_signal(signal.SIGSTOP)
    try:
        t.key(b"\x03")
        time.sleep(0.3)
        t.key(b"\x03")
        end = time.monotonic() + 10
        while t.p.poll() is None and time.monotonic() < end:
            t.read()
    finally:
        server.p.send_signal(signal.SIGCONT)
    check("it left by one of them", t.p.returncode in (0, 130), t.p.returncode)
    t.left("Ctrl-C twice", t.p.returncode)
    t = Terminal("status", "--watch", "--server", server.url)
    t.shows("it is there", "q quit")
    server.end()
    t.shows("it says that nobody answers", "no answer")
    port = server.url.rpartition(":")[2]
    again = release.Serve("--listen", "127.0.0.1:" + port)
    try:
        t.until("and sees the next one", lambda: "no answer" not in
                "\n".join(t.cells.lines()))
        t.key(b"q")
        t.left("q", 0)
    finally:
        check("serve ends with 0", again.end() == 0)


def main():
    with tempfile.TemporaryDirectory() as folder, \
            contextlib.ExitStack() as ends:
        release.work = pathlib.Path(folder)
        release.policy_repo("repo", 2, state=release.work / "var")
        server = release.Serve()
        ends.callback(lambda: server.p.poll() is None and server.end())
        agents = release.fleet(server)
        for a in agents:
            ends.callback(a.leave)
        release.release(V[1])
        expect("start", 0, "rollout", "start", V[2])
        until("it bakes", lambda: release.state()["state"] == "baking")
        sizes()
        leaving()
        plain()
        keys()
        for a in agents:
            a.leave()
        server_gone(server)
    return release.tally.end()


if __name__ == "__main__":
    sys.exit(main())
