#!/usr/bin/env python3
"""What `make install`, `make deb` and `make dist` make.

install: into odd folders, and back out of them. deb: the same bytes twice; what
is in it; installed by dpkg in a clean root, where the program runs with nothing
but what the package depends on. That root is made of this host's own files of
those packages, so it takes no network, but a Debian 12 and root; without, the
package is unpacked and run where it lies, and a line says so. dist: all of the
last commit, twice the same, and it builds outside git: the whole and `make unit`
with FULL=1, else one library. Ends with "N passed, N failed".
"""
import hashlib
import os
import pathlib
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from report import Report  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / (os.environ.get("BUILD") or "build")
OUT = os.path.relpath(BUILD, ROOT)
PROGRAM = BUILD / "regatta"
SECONDS = 20

tally = Report()
check = tally.check


def output(*args, **more):
    p = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=900,
                       stdin=subprocess.DEVNULL, **more)
    return p.returncode, p.stdout


def make(*args, **more):
    return output("make", "--no-print-directory", "-C", more.pop("tree", ROOT),
                  "BUILD=" + OUT, *args, **more)


def made(said, tree=ROOT):
    """The file whose path make printed."""
    return tree / re.findall(r"^\S+\.(?:deb|tar\.gz)$", said, re.M)[-1]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_below(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*")
                  if not p.is_dir())


# --- make install ---------------------------------------------------------------

def install(folder):
    for variables, where in (
            (["PREFIX=/opt/re gatta+1"],
             ["opt/re gatta+1/bin/regatta",
              "opt/re gatta+1/share/bash-completion/completions/regatta",
              "opt/re gatta+1/share/man/man1/regatta.1"]),
            (["prefix=/p", "MANDIR=/m", "bindir=/b", "completiondir=/c"],
             ["b/regatta", "c/regatta", "m/man1/regatta.1"])):
        dest = folder / "a place"
        name = "make install " + " ".join(variables)
        status, said = make("install", "DESTDIR=%s" % dest, *variables)
        check(name, status == 0, said)
        files = [f for f in files_below(dest) if "systemd" not in f]
        check(name + ": the files", files == sorted(where), files)
        for f in files:
            mode = stat.S_IMODE((dest / f).stat().st_mode)
            check("%s: mode of %s" % (name, f), mode ==
                  (0o755 if f.endswith("bin/regatta") or f == "b/regatta"
                   else 0o644), oct(mode))
        program = next(dest / f for f in where if "b/regatta" in f or
                       "bin/regatta" in f)
        check(name + ": it runs",
              output(program, "version") == output(PROGRAM, "version"))
        status, said = make("uninstall", "DESTDIR=%s" % dest, *variables)
        check("make uninstall", status == 0 and not files_below(dest),
              (said, files_below(dest)))


# --- make deb -------------------------------------------------------------------

def opened():
    """Libraries that the program opens by name."""
    found = set()
    for folder in re.search(r"^LIBS = (.*)$", (ROOT / "Makefile").read_text(),
                            re.M)[1].split():
        for path in (ROOT / folder).rglob("*.c"):
            found |= set(re.findall(r'"(lib[\w.-]+\.so[\w.]*)"',
                                    path.read_text()))
    return sorted(found)


def contents(package):
    """The data of a package: [TarInfo]."""
    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)],
                          check=True, stdout=subprocess.PIPE)
    with tempfile.TemporaryFile() as f:
        f.write(data.stdout)
        f.seek(0)
        with tarfile.open(fileobj=f) as t:
            return t.getmembers()


def fields(package):
    said = output("dpkg-deb", "-f", package)[1]
    return dict(re.findall(r"^([\w-]+): (.*(?:\n .*)*)", said, re.M))


def inspect(package, version):
    field = fields(package)
    check("control names it", (field["Package"], field["Version"]) ==
          ("regatta", version), field)
    depends = re.split(r", ", re.sub(r" \([^)]*\)", "", field["Depends"]))
    libraries = opened()
    check("the program opens libraries", len(libraries) > 3, libraries)
    for library in libraries:
        said = output("dpkg-query", "-S", "*/" + library)[1]
        check("Depends has who has " + library, any(
            re.search(r"^%s(:\w+)?: " % re.escape(d), said, re.M)
            for d in depends), said)
    run = re.search(r'define OPENPGP_PROGRAM "/usr/bin/(.*)"',
                    (ROOT / "signer/openpgp.h").read_text())[1]
    check("Suggests has what judges OpenPGP signatures",
          run in field["Suggests"].split(", "), field["Suggests"])
    needed = re.findall(r"NEEDED.*\[(.*)\]", output("readelf", "-d",
                                                    PROGRAM)[1])
    check("only libc is linked", needed and all(
        re.match(r"(libc|libm|ld-linux[\w-]*|libpthread|libdl)\.so", n)
        for n in needed) and "libc6" in depends, needed)

    entries = contents(package)
    names = {e.name.lstrip("./") for e in entries if not e.isdir()}
    docs = {"usr/share/doc/regatta/" + str(p.relative_to(ROOT))
            for p in [ROOT / "README.md", *(ROOT / "docs").iterdir()]}
    want = docs | {"usr/bin/regatta", "usr/share/man/man1/regatta.1.gz",
                   "usr/share/bash-completion/completions/regatta",
                   "usr/share/doc/regatta/copyright",
                   "usr/share/doc/regatta/changelog.gz"}
    archives = re.search(r"^ARCHIVES = (.*)$", (ROOT / "Makefile").read_text(),
                         re.M)[1].split()
    want |= {"usr/share/doc/regatta/libraries/lib" + a
             for a in archives + ["stdc++"]}
    unit = {n for n in names if "/systemd/" in n}
    check("its files", names - unit == want, (names - unit) ^ want)
    wrong = [(e.name, e.uname, oct(e.mode)) for e in entries
             if (e.uid, e.gid) != (0, 0) or e.mode != (
                 0o755 if e.isdir() or e.name == "./usr/bin/regatta"
                 else 0o644) or not (e.isdir() or e.isfile())]
    check("owners and modes", not wrong, wrong)
    check("every archive is named", field["Static-Built-Using"].count("(=") ==
          len(archives) + 1, field["Static-Built-Using"])


def no_symbols(folder, package):
    root = folder / "data"
    status, said = output("dpkg-deb", "-x", package, root)
    said += output("readelf", "-SW", root / "usr/bin/regatta")[1]
    check("the program is there, stripped", status == 0 and
          ".rodata" in said and ".symtab" not in said and
          ".debug" not in said, said)


def same_twice(folder):
    """The package, or None."""
    status, said = make("deb")
    check("make deb", status == 0, said)
    if status:
        return None, None
    package = made(said)
    kept = folder / package.name
    shutil.copy(package, kept)
    env = dict(os.environ, TZ="Pacific/Auckland", LC_ALL="C.UTF-8", HOME="/")
    status, said = make("deb", env=env, umask=0o077)
    check("make deb again, elsewhere in the world", status == 0, said)
    check("the same bytes", sha256(kept) == sha256(package))
    return kept, re.match(r"regatta_(.*)_\w+\.deb", package.name)[1]


# --- a clean root ------------------------------------------------------------------

def installed():
    """{name: paragraph} and {name or what is provided: name} of this host."""
    text = pathlib.Path("/var/lib/dpkg/status").read_text(errors="replace")
    known, provided = {}, {}
    for paragraph in text.split("\n\n"):
        field = dict(re.findall(r"^([\w-]+): (.*)$", paragraph, re.M))
        if field.get("Status", "").endswith(" installed"):
            name = field["Package"]
            known[name] = paragraph
            provided[name] = name
            for what in re.findall(r"([\w.+-]+)(?: \([^)]*\))?(?:, |$)",
                                   field.get("Provides", "")):
                provided.setdefault(what, name)
    return known, provided


def closure(depends, known, provided):
    """Names of all that essential packages and these depends need."""
    todo = [d for d in depends]
    todo += [n for n, p in known.items() if "\nEssential: yes" in p]
    have = set()
    while todo:
        name = todo.pop()
        if name in have:
            continue
        have.add(name)
        for line in re.findall(r"^(?:Pre-)?Depends: (.*)$", known[name], re.M):
            for group in line.split(","):
                choices = re.findall(r"(?:^|\|)\s*([\w.+-]+)", group)
                todo += [provided[c] for c in choices if c in provided][:1]
    return sorted(have)


def lists_of(name):
    folder = pathlib.Path("/var/lib/dpkg/info")
    return [p for p in (folder / (name + ".list"),
                        *folder.glob(name + ":*.list")) if p.exists()]


def copy_files(names, root):
    """The files of these packages, as this host has them."""
    paths = set()
    for name in names:
        for listed in lists_of(name):
            for line in listed.read_text().split("\n")[1:]:
                if re.match(r"/usr/share/(doc|man|locale|info)/", line):
                    continue
                folder, _, last = line.rpartition("/")
                path = os.path.realpath(folder or "/").rstrip("/") + "/" + last
                if os.path.lexists(path) and (os.path.islink(path) or
                                              not os.path.isdir(path)):
                    paths.add(path[1:])
                elif os.path.isdir(path):
                    (root / path[1:]).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64", "lib32", "libx32"):
        if os.path.islink("/" + name) and not (root / name).is_symlink():
            (root / name).symlink_to(os.readlink("/" + name))
    listing = "\0".join(sorted(p for p in paths if "/" in p)).encode()
    pack = subprocess.Popen(["tar", "-C", "/", "--null", "--no-recursion",
                             "-T", "-", "-cf", "-"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
    unpack = subprocess.Popen(["tar", "-C", str(root), "-xpf", "-"],
                              stdin=pack.stdout)
    pack.stdout.close()
    pack.stdin.write(listing)
    pack.stdin.close()
    return pack.wait() == 0 and unpack.wait() == 0


def clean_root(root, depends):
    """A root with essential packages and these; what it lacks, or None."""
    known, provided = installed()
    names = closure(depends, known, provided)
    root.mkdir(mode=0o755)
    if not copy_files(names, root):
        return "its files can't be copied"
    admin = root / "var/lib/dpkg"
    for folder in ("info", "updates"):
        (admin / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        for listed in lists_of(name):
            shutil.copy(listed, admin / "info")
    (admin / "status").write_text(
        "\n\n".join(known[n] for n in names) + "\n\n")
    for name in ("dev", "tmp", "run/systemd/system", "etc", "proc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name in ("passwd", "group"):
        shutil.copy("/usr/share/base-passwd/%s.master" % name,
                    root / "etc" / name)
    users = (root / "etc/passwd").read_text().split("\n")
    (root / "etc/shadow").write_text("".join(
        "%s:*:19000:0:99999:7:::\n" % u.split(":")[0] for u in users if u))
    try:
        os.mknod(root / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.chmod(root / "dev/null", 0o666)
    except OSError:
        return "no device can be made here"
    # It only notes what it is asked for.
    systemctl = root / "usr/bin/systemctl"
    systemctl.write_text('#!/bin/sh\necho "$*" >>/systemctl.log\n')
    systemctl.chmod(0o755)
    status, said = output("chroot", root, "/sbin/ldconfig")
    return None if status == 0 else said


def inside(root, *args, user=None):
    return output("chroot", *(["--userspec=" + user] if user else []), root,
                  "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                  "HOME=/tmp", "LC_ALL=C.UTF-8", *args)


def asked(root):
    log = root / "systemctl.log"
    said = log.read_text().split("\n")[:-1] if log.exists() else []
    log.unlink(missing_ok=True)
    return said


def port_of(p):
    """The port that a starting server says it has, or None."""
    said = ""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if select.select([p.stderr], [], [], 0.2)[0]:
            line = p.stderr.readline()
            if not line:
                break
            said += line
            m = re.search(r"http://127\.0\.0\.1:(\d+)", said)
            if m:
                return int(m[1]), said
    return None, said


def served(command, ask):
    """
    Serve a state folder with this command, and ask it for its health; and
    run `ask` with the server's address behind it.
    """
    p = subprocess.Popen([str(c) for c in command], stderr=subprocess.PIPE,
                         stdin=subprocess.DEVNULL, text=True)
    try:
        port, said = port_of(p)
        check("it serves", port, said)
        if port:
            with urllib.request.urlopen(
                    "http://127.0.0.1:%d/healthz" % port,
                    timeout=SECONDS) as answer:
                check("and is well", answer.status == 200)
            status, said = output(*ask, "http://127.0.0.1:%d" % port)
            check("a command reaches it", status == 0, said)
        p.send_signal(signal.SIGTERM)
        check("it ends when told", p.wait(SECONDS) == 0)
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()
        p.stderr.close()


def policies(root, run):
    """A commit to a signed bundle, with libgit2 and libcrypto of the root."""
    repo = root / "tmp/policies"
    status, said = run("regatta", "init", "/tmp/policies")
    check("init", status == 0, said)
    status, said = run("regatta", "key", "new", "/tmp/policies/bundle.pem")
    check("key new", status == 0, said)
    with open(repo / "regatta.yaml", "a") as f:
        f.write("sign: {key: bundle.pem, alg: ES256, keyid: k, scope: s}\n")
    for args in (["init", "-q"], ["add", "."],
                 ["-c", "user.name=me", "-c", "user.email=me@localhost",
                  "commit", "-q", "-m", "First policies"]):
        status, said = output("git", "-C", repo, *args)
        check("git " + args[0], status == 0, said)
    status, said = run("sh", "-c", "cd /tmp/policies && regatta build "
                       "-o /tmp/b.tar.gz && regatta verify /tmp/b.tar.gz "
                       "--verification-key bundle.pub.pem --scope s")
    check("build and verify", status == 0, said)


def in_clean_root(root, package):
    print("the package is installed in a clean root of this host's packages")
    shutil.copy(package, root / "regatta.deb")
    status, said = inside(root, "dpkg", "-i", "/regatta.deb")
    check("dpkg -i with nothing but its Depends", status == 0, said)
    check("installing starts and enables nothing",
          set(asked(root)) <= {"daemon-reload"})
    status, said = inside(root, "dpkg", "--verify", "regatta")
    check("dpkg --verify", status == 0 and not said, said)
    state = (root / "var/lib/regatta").stat()
    user = re.search(r"^regatta:\w*:(\d+):(\d+):[^:]*:/var/lib/regatta:"
                     r"/usr/sbin/nologin$",
                     (root / "etc/passwd").read_text(), re.M)
    check("a user without a shell owns the state folder", user and
          (state.st_uid, state.st_gid) == (int(user[1]), int(user[2])) and
          stat.S_IMODE(state.st_mode) == 0o700, user)
    libraries = inside(root, "ldconfig", "-p")[1]
    for library in opened():
        check(library + " is there", library in libraries)
    policies(root, lambda *args: inside(root, *args))
    served(["chroot", "--userspec=regatta:regatta", root, "regatta", "serve",
            "--state", "/var/lib/regatta", "--listen", "127.0.0.1:0"],
           ["chroot", root, "regatta", "audit", "verify", "--server"])
    status, said = inside(root, "regatta", "audit", "verify")
    check("a command finds the service's folder by itself",
          status == 0 and "ok" in said, said)
    kept = files_below(root / "var/lib/regatta")
    check("the state is in the folder", "VERSION" in kept, kept)

    status, said = inside(root, "dpkg", "-i", "/regatta.deb")
    check("installing it over itself", status == 0, said)
    check("starts nothing either", set(asked(root)) <= {"daemon-reload"})
    units = [e.name.rpartition("/")[2] for e in contents(package)
             if "/systemd/system/" in e.name and e.isfile()]
    status, said = inside(root, "dpkg", "--purge", "regatta")
    check("dpkg --purge", status == 0, said)
    calls = asked(root)
    for unit in units:
        check("it stops and disables " + unit,
              "disable --now " + unit in calls, calls)
    check("it says that the state is kept", "is kept" in said, said)
    check("and keeps it", files_below(root / "var/lib/regatta") == kept)
    check("the program is gone", not (root / "usr/bin/regatta").exists())


def unpacked(folder, package, why):
    print("no clean root (%s): the package is unpacked and run here" % why)
    root = folder / "unpacked"
    status, said = output("dpkg-deb", "-x", package, root)
    check("dpkg-deb -x", status == 0, said)
    program = root / "usr/bin/regatta"
    check("it runs", output(program, "version") == output(PROGRAM, "version"))
    served([program, "serve", "--state", folder / "state", "--listen",
            "127.0.0.1:0"], [program, "audit", "verify", "--server"])


def deb(folder):
    if not shutil.which("dpkg-shlibdeps"):
        print("skipped: no dpkg-dev, so no package can be made here")
        return
    program = PROGRAM.read_bytes()
    if b"__asan_init" in program or b"__tsan_init" in program:
        print("skipped: a program with sanitizers is not packed")
        return
    package, version = same_twice(folder)
    if not package:
        return
    inspect(package, version)
    no_symbols(folder, package)
    depends = re.findall(r"(?:^|, )([\w.+-]+)", fields(package)["Depends"])
    why = "this needs root" if os.getuid() else clean_root(
        folder / "root", depends)
    if why:
        unpacked(folder, package, why)
    else:
        in_clean_root(folder / "root", package)


# --- make dist --------------------------------------------------------------------

def dist(folder):
    if output("git", "-C", ROOT, "rev-parse", "HEAD")[0]:
        print("skipped: no git repository to make a tarball of")
        return
    status, said = make("dist")
    check("make dist", status == 0, said)
    if status:
        return
    tarball = made(said)
    first = sha256(tarball)
    make("dist")
    check("the same tarball twice", first == sha256(tarball))
    name = tarball.name[:-len(".tar.gz")]
    with tarfile.open(tarball) as t:
        t.extractall(folder)
        packed = sorted(m.name for m in t.getmembers() if not m.isdir())
    listed = output("git", "-C", ROOT, "-c", "core.quotePath=false", "ls-tree",
                    "-r", "--name-only", "HEAD")[1].split("\n")[:-1]
    check("it has what is committed",
          packed == sorted(name + "/" + f for f in listed))
    builds_outside(folder / name)


def builds_outside(tree):
    """A tree without git: a library and what has files of policies/, or all."""
    if not os.environ.get("FULL"):
        targets = [os.path.join(OUT, t) for t in ("libbase.a",
                                                  "cli/template.o")]
        print("of the tarball %s are built; FULL=1 builds all of it" %
              " and ".join(targets))
        status, said = make("-j2", *targets, tree=tree)
        check("it builds outside git", status == 0, said)
        return
    for target in ("all", "unit", "deb"):
        status, said = make("-j2", target, tree=tree)
        check("make %s outside git" % target, status == 0, said)
    if not output("git", "-C", ROOT, "status", "--porcelain")[1]:
        check("the package of the tarball has the bytes of that of the tree",
              sha256(made(said, tree)) == sha256(made(make("deb")[1])))


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        install(folder)
        deb(folder)
        dist(folder)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
