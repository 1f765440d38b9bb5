#!/usr/bin/env python3
"""What `make install` installs: the program, its manual page and completion.

The page has every command and every flag that --help has, and mandoc finds
nothing to say about it; bash completes commands, flags, choices and files. Ends
with "N passed, N failed".
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from report import Report  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / (os.environ.get("BUILD") or "build")

tally = Report()
check = tally.check


def output(*args, **more):
    p = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=600,
                       stdin=subprocess.DEVNULL, **more)
    return p.returncode, p.stdout


def commands(program):
    listed = output(program, "--help")[1].partition("Commands:")[2]
    return re.findall(r"^  (\w+(?: \w+)?)  ", listed, re.M)


def manual(program, path):
    page = path.read_text()
    check("the page is what the program prints",
          page == output(program, "help", "--man")[1])
    # As it is read: macros and escapes are gone.
    parts = re.split(r"^\.Ss regatta (.*)$", page, flags=re.M)
    of = dict(zip(parts[1::2], parts[2::2]))
    names = commands(program)
    check("the page has every command", len(names) > 10 and
          list(of) == names, (names, list(of)))
    for name in names:
        flags = re.findall(r"(?<![\w-])--([a-z][\w-]*)",
                           output(program, *name.split(), "--help")[1])
        missing = [f for f in flags
                   if f not in ("help",) and "--" + f not in of[name] and
                   "Fl -" + f not in of[name]]
        check("the page has all flags of " + name, not missing, missing)
    if shutil.which("mandoc"):
        status, said = output("mandoc", "-Tlint", "-Wwarning", path)
        check("mandoc has nothing to say", status == 0 and not said, said)
        status, said = output("mandoc", "-Tutf8", path)
        check("mandoc shows the page", status == 0 and "EXIT STATUS" in
              re.sub(".\b", "", said), said)


def complete(script, line, folder):
    """What bash offers for the last word of a line."""
    words = line.split(" ")
    program = """source "$1"; shift; COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_regatta regatta "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
    status, said = output("bash", "--norc", "-u", "-c", program, "bash", script,
                          *words, cwd=folder)
    return said.split() if status == 0 else said


def completion(script, folder):
    check("bash reads it", output("bash", "-n", script) == (0, ""))
    for line, want in (
            ("regatta b", ["build"]),
            ("regatta ver", ["verdict", "verify", "version", "versions"]),
            ("regatta help ins", ["inspect"]),
            ("regatta key ", ["new"]),
            ("regatta key new --a", ["--alg"]),
            ("regatta key new --alg PS", ["PS256", "PS384", "PS512"]),
            ("regatta ci -o g", ["github"]),
            ("regatta ci --base HEAD --pub", ["--publish"]),
            ("regatta ci --base --pub", []),
            ("regatta build ", [])):  # files: bash's own
        got = complete(script, line, folder)
        check("completing \"%s\"" % line, got == want, got)


def unit(path, program, folder):
    """What systemd says of the unit, with the program where it is."""
    text = path.read_text()
    check("the unit starts what was installed", "/usr/bin/regatta serve" in
          text)
    if not shutil.which("systemd-analyze"):
        print("skipped: no systemd-analyze, so the unit is not verified")
        return
    there = pathlib.Path(folder) / "regatta.service"
    there.write_text(text.replace("/usr/bin/regatta", str(program)))
    status, said = output("systemd-analyze", "verify", "--man=no", there)
    ours = [x for x in said.splitlines() if "regatta.service" in x]
    check("systemd has nothing to say of the unit", not ours, ours)
    # In tenths, of ten: what a service of the network can't do without is 16.
    status, said = output("systemd-analyze", "security", "--offline=yes",
                          "--no-pager", "--threshold=20", there)
    check("the unit is confined", status == 0 and
          "Overall exposure level" in said, said)


def main():
    with tempfile.TemporaryDirectory() as folder:
        prefix = pathlib.Path(folder) / "usr"
        status, said = output("make", "-C", ROOT, "install",
                              "BUILD=%s" % os.path.relpath(BUILD, ROOT),
                              "DESTDIR=" + folder, "PREFIX=/usr")
        check("make install", status == 0, said)
        program = prefix / "bin/regatta"
        if program.exists():
            manual(program, prefix / "share/man/man1/regatta.1")
            completion(prefix / "share/bash-completion/completions/regatta",
                       folder)
            unit(prefix / "lib/systemd/system/regatta.service", program,
                 folder)
        files = sorted(p for p in prefix.rglob("*") if p.is_file())
        check("nothing else is installed", len(files) == 4, files)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
