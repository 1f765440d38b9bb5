#!/usr/bin/env python3
"""From a commit to a published bundle, as the CI job of a policy repo sees it.

`regatta init`, a clone, `regatta ci --publish`: it passes with no further
set-up, and the bundle has the same bytes whatever the machine's time zone,
locale, umask or user, and from a bare clone. Then what goes wrong, each with
thing, place, way out and exit code, and nothing changed by it. Ends with
"N passed, N failed".
"""
import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import house  # noqa: E402
from report import Report  # noqa: E402

REGATTA = house.BUILD / "regatta"
# Commits have the same ids in every run.
GIT = dict(house.GIT, GIT_AUTHOR_DATE="2026-06-20T10:00:00Z",
           GIT_COMMITTER_DATE="2026-06-20T10:00:00Z")

work = None

tally = Report()
check = tally.check


def run(*command, cwd=None, env=None, timeout=60):
    done = subprocess.run([str(c) for c in command], cwd=cwd, text=True,
                          env=dict(os.environ, **GIT, **(env or {})),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout)
    return done.returncode, done.stdout, done.stderr


def git(repo, *args):
    status, out, err = run("git", *args, cwd=repo)
    if status:
        raise RuntimeError("git %s: %s" % (" ".join(args), err))
    return out.strip()


def regatta(*args, **more):
    return run(REGATTA, *args, **more)


def fresh(name):
    """A policy repo as `init` makes it, committed."""
    repo = work / name
    status, _, err = regatta("init", repo)
    if status:
        raise RuntimeError("init: " + err)
    git(work, "init", "-q", "-b", "main", repo)
    commit(repo)
    return repo


def commit(repo):
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "--allow-empty", "-m", "policies")


def digest_of(said):
    found = re.search(r"sha256:[0-9a-f]{64}", said)
    return found and found.group(0)


def files_below(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


# --- the good way -------------------------------------------------------------

def publishing(repo):
    clone = work / "clone"
    git(work, "clone", "-q", repo, clone)
    started = time.monotonic()
    status, out, err = regatta("ci", "--publish", cwd=clone)
    took = time.monotonic() - started
    check("ci --publish in a clone passes", status == 0, out + err)
    check("it says what it published", digest_of(out) and "published" in out,
          out)
    print("ci --publish took %.0f ms" % (took * 1000))
    before = files_below(clone / "var")
    status, out, err = regatta("ci", "--publish", cwd=clone)
    check("the same again succeeds", status == 0 and
          "published before" in out, out + err)
    check("and changes nothing", files_below(clone / "var") == before)
    return digest_of(out)


def same_bytes(repo, want):
    bare = work / "bare.git"
    git(work, "clone", "-q", "--bare", repo, bare)
    ways = [
        ("east", repo, {"TZ": "Pacific/Kiritimati"}),
        ("west", repo, {"TZ": "America/Los_Angeles"}),
        ("turkish", repo, {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}),
        ("another home", repo, {"HOME": str(work / "nobody"),
                                "USER": "nobody"}),
        ("a bare clone", bare, {}),
    ]
    for name, where, env in ways:
        out = work / ("out-" + name.replace(" ", "-"))
        status, said, err = regatta("ci", "--out", out, cwd=where, env=env)
        check("same bytes: " + name, status == 0 and
              digest_of(said) == want, said + err)
        data = (out / "bundle.tar.gz").read_bytes()
        check("the digest is of the file: " + name, "sha256:" +
              hashlib.sha256(data).hexdigest() == want)
    old = os.umask(0o077)
    status, said, err = regatta("ci", cwd=repo)
    os.umask(old)
    check("same bytes: umask", digest_of(said) == want, said + err)
    if os.geteuid() == 0:
        other = work / "other"
        shutil.copytree(repo, other, symlinks=True)
        run("chown", "-R", "nobody", other)
        os.chmod(work, 0o755)
        status, said, err = run("setpriv", "--reuid", "65534",
                                "--clear-groups", REGATTA, "ci", cwd=other)
        check("same bytes: another user", digest_of(said) == want, said + err)


def reports(repo):
    out = work / "reports"
    status, said, err = regatta("ci", "--out", out, "-o", "json", cwd=repo)
    check("ci -o json passes", status == 0, err)
    report = json.loads(said)
    check("it names its schema", report["schema"] == "regatta.ci/1")
    check("and the bundle", digest_of(report["bundle"]["digest"]))
    written = json.loads((out / "report.json").read_text())
    check("report.json has the same cases", len(written["cases"]) ==
          len(report["report"]["cases"]) > 400)
    check("junit.xml is written", "<testsuites" in
          (out / "junit.xml").read_text())


def signing(repo):
    signed = work / "signed"
    shutil.copytree(repo, signed, symlinks=True)
    status, out, err = regatta("key", "new", cwd=signed)
    check("key new", status == 0, out + err)
    key = signed / "keys/bundle.pem"
    check("the key is its owner's alone", key.stat().st_mode & 0o777 == 0o600)
    status, out, err = regatta("key", "new", cwd=signed)
    check("a key is never written over", status == 6 and "exists" in err, err)
    config = signed / "regatta.yaml"
    config.write_text(config.read_text() + "\nsign: {key: keys/bundle.pem, "
                      "alg: ES256, keyid: k1, scope: prod/platform}\n")
    commit(signed)
    status, out, err = regatta("ci", "--out", work / "s1", cwd=signed)
    check("ci signs", status == 0 and "not signed" not in err, out + err)
    first = digest_of(out)
    status, out, err = regatta("ci", cwd=signed)
    check("twice with the same bytes", digest_of(out) == first, out + err)
    bundle = work / "s1/bundle.tar.gz"
    good = ["--verification-key", signed / "keys/bundle.pub.pem",
            "--scope", "prod/platform"]
    status, out, err = regatta("verify", bundle, *good)
    check("verify says it is good", status == 0 and "good" in out, out + err)
    status, out, err = regatta("verify", bundle, *good[:2])
    check("another scope is refused", status == 11 and "scope" in err, err)
    regatta("key", "new", work / "other.pem")
    status, out, err = regatta("verify", bundle, "--verification-key",
                               work / "other.pub.pem", *good[2:])
    check("another key is refused", status == 11, err)
    tampering(bundle, good)
    keys(signed, config, bundle)
    os.chmod(key, 0o644)
    status, out, err = regatta("ci", cwd=signed)
    check("a key others can read is refused", status == 4 and
          "bundle.pem" in err, err)
    key.unlink()
    status, out, err = regatta("ci", "--publish", cwd=signed)
    check("a key that is missing is named", status == 5 and
          "keys/bundle.pem" in err, err)
    status, out, err = regatta("ci", cwd=signed)
    check("a pull request needs no key", status == 0 and
          "not signed" in err and "keys/bundle.pem" in err, err)
    status, out, err = regatta("ci", "--base", "0" * 40, cwd=signed)
    check("a push of a first commit has no base", status == 0, err)


def keys(signed, config, bundle):
    """Keys of the wrong kind, and what is no key: named, with the way out."""
    plain = config.read_text()
    regatta("key", "new", "--alg", "RS256", "keys/rsa.pem", cwd=signed)
    (signed / "keys/junk.pem").write_text("no key\n")
    os.chmod(signed / "keys/junk.pem", 0o600)
    os.chmod(signed / "keys/rsa.pub.pem", 0o600)
    for name, alg, says in (
            ("rsa.pem", "ES256", "needs a key on P-256; name the algorithm"),
            ("bundle.pem", "RS256", "needs an RSA key; name the algorithm"),
            ("bundle.pem", "ES384", "needs a key on P-384"),
            ("rsa.pub.pem", "RS256", "name the other file of the pair"),
            ("junk.pem", "ES256", "regatta key new")):
        config.write_text(plain.replace("sign: {key: keys/bundle.pem, alg: "
                                        "ES256", "sign: {key: keys/%s, alg: %s"
                                        % (name, alg)))
        commit(signed)
        status, out, err = regatta("ci", "-q", "--publish", cwd=signed)
        check("a key of the wrong kind: %s as %s" % (name, alg), status == 2
              and name in err and "sign.key" in err and says in err and
              not (signed / "var").exists(), "exit %d: %s" % (status, err))
        status, out, err = regatta("sign", bundle, "--signing-key",
                                   signed / "keys" / name, "--signing-alg",
                                   alg, "-o", work / "never.tar.gz")
        check("and with sign: %s as %s" % (name, alg), status == 2 and
              name in err and says in err and
              not (work / "never.tar.gz").exists(), err)
    config.write_text(plain)
    commit(signed)
    status, out, err = regatta("verify", bundle, "--verification-key",
                               signed / "keys/rsa.pub.pem")
    check("verify names a key of the wrong kind", status == 2 and
          "rsa.pub.pem: ES256 needs a key on P-256; name" in err, err)
    unsigned = work / "unsigned.tar.gz"
    regatta("build", "-o", unsigned, cwd=work / "repo")
    status, out, err = regatta("verify", unsigned, "--verification-key",
                               signed / "keys/bundle.pub.pem")
    check("verify refuses an unsigned bundle", status == 11 and
          "unsigned.tar.gz" in err and "regatta sign" in err, err)


def sources(repo):
    """Commits that must be signed, and by whom."""
    copy = work / "source"
    shutil.copytree(repo, copy, symlinks=True)
    for who in ("ann", "eve"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work / who)
    key = " ".join((work / "ann.pub").read_text().split()[:2])
    allowed = work / "allowed_signers"
    allowed.write_text('ann@a.example namespaces="git" %s\n' % key)
    trusts = {"REGATTA_ALLOWED_SIGNERS": str(allowed)}
    git(copy, "config", "gpg.format", "ssh")
    git(copy, "config", "user.signingkey", str(work / "ann"))
    config = copy / "regatta.yaml"
    plain = config.read_text()

    def amend(key=None):
        git(copy, "add", "-A")
        git(copy, "commit", "-q", "--amend", "--no-edit",
            *(["-S" + str(key)] if key else ["--no-gpg-sign"]))

    def ci(what, code, says, *args, env=None):
        status, out, err = regatta("ci", "-q", "--publish", *args, cwd=copy,
                                   env=env)
        check("source: %s: exit %d" % (what, code), status == code,
              "exit %d: %s" % (status, out + err))
        for text in says:
            check("source: %s: says %s" % (what, text), text in out + err,
                  out + err)
        if code:
            check("source: %s: nothing is published" % what,
                  not (copy / "var").exists())

    ci("asked by the machine", 3, ["is not signed", "git commit --amend"],
       env=trusts)
    config.write_text(plain + "source: {signed: commit}\n")
    amend()
    row = "regatta.yaml:%d:9" % len(config.read_text().splitlines())
    ci("no list", 2, ["--allowed-signers", "source.signers"])
    ci("not signed", 3, [row, "S001", "is not signed", str(allowed)],
       env=trusts)
    ci("a list that is missing", 5, ["nowhere", "regatta.yaml"],
       "--allowed-signers", work / "nowhere")
    amend(work / "eve")
    ci("a stranger", 3, [row, "S004", "SHA256:", "does not list"], env=trusts)
    (copy / "mine").write_text("eve %s" % (work / "eve.pub").read_text())
    ci("a list of the commit's own", 4, ["mine", "lies in the repository"],
       "--allowed-signers", "mine")
    (copy / "mine").unlink()
    os.chmod(allowed, 0o666)
    amend(work / "ann")
    ci("a list anybody can write", 4, [str(allowed), "chmod"], env=trusts)
    os.chmod(allowed, 0o644)
    allowed.write_text('ann valid-before="20260101Z" %s\n' % key)
    ci("a key that ended", 3, ["S005", "line 1", "2026-01-01"], env=trusts)
    allowed.write_text("ann ssh-rsa x\n")
    ci("a list that is none", 2, ["allowed_signers:1:"], env=trusts)
    allowed.write_text("ann@a.example %s\n" % key)
    ci("who may", 0, ["published"], "--out", work / "source-out", env=trusts)
    report = json.loads((work / "source-out/report.json").read_text())
    check("source: the report names who", report["signer"]["who"] ==
          "ann@a.example", report.get("signer"))
    signed = work / "source-out/bundle.tar.gz"
    _, out, _ = regatta("inspect", signed, "-o", "json")
    check("source: the manifest has the key",
          json.loads(out)["manifest"]["metadata"]["signer_key"] ==
          report["signer"]["key"], out)
    dropped(copy, config, plain, ci, trusts)
    files_of_commits(copy, signed, trusts)


def dropped(copy, config, plain, ci, trusts):
    """What the base asks for holds for the commit that no longer does."""
    shutil.rmtree(copy / "var")
    asks = plain + "source: {signers: %s}\n" % trusts[
        "REGATTA_ALLOWED_SIGNERS"]
    for text in (asks, plain):
        config.write_text(text)
        git(copy, "commit", "-q", "-a", "--no-gpg-sign", "-m", "source")
    ci("dropped without a signature", 3, ["regatta.yaml of the base"],
       "--base", "HEAD~1")
    git(copy, "commit", "-q", "--amend", "--no-edit", "-S")
    ci("dropped by who may", 0, ["published"], "--base", "HEAD~1")


def files_of_commits(copy, signed, trusts):
    """`publish FILE` holds it against the commit that it names."""
    store = ["--name", "platform", "--store", "dir:%s" % (work / "src-store")]
    status, out, err = regatta("publish", signed, *store, cwd=copy, env=trusts)
    check("source: publish takes the bundle of a signed commit", status == 0,
          out + err)
    shutil.rmtree(work / "src-store")
    git(copy, "commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "x")
    plain = work / "plain.tar.gz"
    regatta("build", "-o", plain, cwd=copy)
    status, out, err = regatta("publish", plain, *store, cwd=copy, env=trusts)
    check("source: and of no other", status == 3 and "is not signed" in err,
          out + err)
    forged = work / "forged.tar.gz"
    data = gzip.decompress(signed.read_bytes())
    data = data.replace(b"# METADATA", b"# METADATO", 1)
    forged.write_bytes(gzip.compress(data, mtime=0))
    status, out, err = regatta("publish", forged, *store, "--repo", copy,
                               env=trusts)
    check("source: files that are not the commit's are refused", status == 11
          and ".rego differs" in err and "build" in err, out + err)
    check("source: nothing of them is published",
          not (work / "src-store").exists())


def signed_anew(repo):
    """PSS has a random salt: other bytes, and the same version all the same."""
    copy = work / "pss"
    shutil.copytree(repo, copy, symlinks=True)
    regatta("key", "new", "--alg", "PS256", cwd=copy)
    config = copy / "regatta.yaml"
    config.write_text(config.read_text() + "\nsign: {key: keys/bundle.pem, "
                      "alg: PS256, keyid: k1, scope: prod}\n")
    commit(copy)
    digests = set()
    for said in ("published", "published before"):
        status, out, err = regatta("ci", "--publish", cwd=copy)
        check("PS256: " + said, status == 0 and out.rstrip().endswith(said),
              out + err)
        digests.add(digest_of(out))
    check("PS256: the bytes differ", len(digests) == 2)
    check("PS256: one archive is kept",
          len(list((copy / "var").rglob("*.tar.gz"))) == 1)


def tampering(bundle, good):
    data = bytearray(gzip.decompress(bundle.read_bytes()))
    at = data.find(b"violations contains")
    data[at:at + 10] = b"violation5"
    bad = work / "tampered.tar.gz"
    bad.write_bytes(gzip.compress(bytes(data), mtime=0))
    status, out, err = regatta("verify", bad, *good)
    check("a changed file is named", status == 11 and ".rego" in err and
          "digest mismatch" in err, err)
    bad.write_bytes(bundle.read_bytes()[:-100])
    status, out, err = regatta("verify", bad, *good)
    check("a cut bundle is refused", status == 11 and "tampered.tar.gz" in err
          and "cut short: get it again" in err, err)
    bad.write_bytes(b"#!/bin/sh\n")
    status, out, err = regatta("verify", bad, *good)
    check("what is no bundle is refused", status == 11 and
          "it is no bundle" in err, err)
    status, out, err = regatta("inspect", bundle, "-o", "json")
    check("inspect shows the manifest", status == 0 and
          json.loads(out)["manifest"]["revision"].startswith("v2026.06.20-"),
          out + err)


# --- what goes wrong -----------------------------------------------------------

def write(repo, path, text):
    target = repo / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


LATEST = "policies/kubernetes/disallow_latest_tag/"

# (name, {path: text or None}, arguments, exit code, what it must say)
WRONG = [
    ("no such ref", {}, ["--ref", "nowhere"], 5, ["nowhere"]),
    ("no config", {"regatta.yaml": None}, [], 5,
     ["regatta.yaml", "regatta init"]),
    ("an unknown key", {"regatta.yaml": "bundle: p\nrots: [a]\n"}, [], 2,
     ["regatta.yaml:2:1", "rots", "roots"]),
    ("a key of the wrong kind", {"regatta.yaml": "bundle: [p]\n"}, [], 2,
     ["regatta.yaml:1:9", "bundle"]),
    ("overlapping roots",
     {"regatta.yaml": "bundle: p\nroots: [library, library/lib]\n"}, [], 2,
     ["library/lib"]),
    ("roots that do not cover", {"regatta.yaml":
                                 "bundle: p\nroots: [waivers, stages]\n"
                                 "include: [policies, waivers, stages]\n"},
     [], 13, ["library"]),
    ("a policy that does not parse", {LATEST + "x.rego": "package x\np if {"},
     [], 13, [LATEST + "x.rego", "rego_parse_error"]),
    ("a policy that does not compile",
     {LATEST + "x.rego": "package library.x\np if { y }\n"},
     [], 13, [LATEST + "x.rego", "rego_unsafe_var_error"]),
    ("a red test",
     {LATEST + "x_test.rego": "package library.x_test\n"
      "test_red if { 1 == 2 }\n"},
     [], 3, [LATEST + "x_test.rego:2", "test_red", "regatta test"]),
    ("a good fixture that violates",
     {LATEST + "fixtures/good/x.yaml":
      "review: {kind: {kind: Pod}, object: {kind: Pod, metadata: "
      "{name: a}, spec: {containers: [{name: a, image: nginx}]}}}\n"},
     [], 3, [LATEST + "fixtures/good/x.yaml", "violates"]),
    ("a bad fixture that passes",
     {LATEST + "fixtures/bad/x.yaml": "review: {object: {kind: Pod}}\n"},
     [], 3, [LATEST + "fixtures/bad/x.yaml", "does not violate"]),
    ("a fixture that is no YAML", {LATEST + "fixtures/bad/x.yaml": "{]"},
     [], 13, [LATEST + "fixtures/bad/x.yaml"]),
    ("a policy without fixtures",
     {LATEST + "fixtures/good": None, LATEST + "fixtures/bad": None},
     [], 3, ["disallow_latest_tag", "fixtures/good"]),
    ("no policy at all", {"policies": None}, [], 13, ["no policy"]),
    ("a lapsed waiver", {"waivers/x.yaml": """
- policy: require-non-root
  scope: {namespace: legacy}
  owner: team-a
  reason: "vendor image runs as root; rebuild is under way"
  ticket: A-1
  approved_by: team-b
  granted: 2026-04-01
  expires: 2026-05-01
"""}, [], 3, ["waivers/x.yaml:9", "lapsed", "2026-04-30"]),
    ("a waiver without an end", {"waivers/x.yaml": """
- policy: require-non-root
  scope: {namespace: legacy}
  owner: team-a
  reason: "vendor image runs as root; rebuild is under way"
  ticket: A-1
  approved_by: team-a
"""}, [], 3, ["expires", "team-a may not approve"]),
    ("a policy born in enforce", {"stages/x.yaml":
                                  "version: 1\npolicies:\n  new-one:\n"
                                  "    announced: 2026-01-01\n    stages:\n"
                                  "      - {stage: enforce, from: "
                                  "2026-02-01}\n"},
     [], 3, ["stages/x.yaml:6", "born in enforce"]),
    ("data keys given twice", {"policies/data.json": '{"a": 1, "a": 2}'},
     [], 13, ["policies/data.json", "a"]),
    ("two files for one data path",
     {"policies/library/data.json": '{"limits": 1}',
      "policies/library/data.yaml": "limits: 2\n"},
     [], 13, ["data.yaml", "limits"]),
    ("data where rules are", {"policies/library/lib/data.json":
                              '{"image": 1}'},
     [], 13, ["policies/lib/image/image.rego:", "conflicting rule for data "
              "path library/lib/image"]),
    ("a name OPA takes for something else",
     {"policies/x.manifest": "{}"}, [], 13, ["policies/x.manifest"]),
    ("a patch", {"policies/patch.json": "{}"}, [], 13,
     ["policies/patch.json"]),
    ("a file that is too large", {"policies/data.json":
                                  '{"a": "%s"}' % ("x" * (17 << 20))},
     [], 13, ["policies/data.json", "limit 16777216"]),
    ("a work tree that is published", {}, ["--worktree", "--publish"], 2,
     ["--worktree", "can't be published"]),
    ("a file that is no commit", {}, ["--ref", "HEAD:regatta.yaml"], 5,
     ["names no commit", "a branch, a tag or an id"]),
    ("broken data", {"policies/library/data.json": '{\n "a": tru\n}'}, [], 13,
     ["policies/library/data.json:2:7", "unexpected"]),
    ("a byte order mark", {"policies/library/data.json": "\ufeff{}"}, [], 13,
     ["policies/library/data.json:1:1", "save it as UTF-8 without"]),
    ("data outside of the roots", {"policies/other/data.json": '{"a": 1}'},
     [], 13, ["/other", "`roots` in regatta.yaml"]),
    ("a pointer of LFS", {"policies/data.json": "version https://git-lfs."
                          "github.com/spec/v1\noid sha256:00\nsize 1\n"},
     [], 13, ["policies/data.json", "git lfs migrate export"]),
    ("a tag that is not there", {"regatta.yaml": "bundle: p\n"
                                 "version: {scheme: tag}\n"}, [], 13,
     ["has no tag", "git tag v1.2.3"]),
    ("two places", {}, ["--publish", "--store", "dir:x", "--state", "y"], 2,
     ["--store", "one place"]),
    ("fewer tests than none", {}, ["-p", "-1", "--publish"], 2,
     ["--parallel is -1"]),
    ("reports into a file", {}, ["--out", "regatta.yaml"], 1,
     ["regatta.yaml", "in the way"]),
    ("an unknown store", {}, ["--publish", "--store", "ftp:x"], 2,
     ["ftp", "dir:PATH"]),
]


def wrong(repo):
    for number, (name, files, args, code, says) in enumerate(WRONG):
        copy = work / ("wrong-%d" % number)
        shutil.copytree(repo, copy, symlinks=True)
        for path, text in files.items():
            if text is not None:
                write(copy, path, text)
            elif (copy / path).is_dir():
                shutil.rmtree(copy / path)
            else:
                (copy / path).unlink()
        if files:
            commit(copy)
        if "--publish" not in args and "--ref" not in args:
            args = args + ["--publish"]
        status, out, err = regatta("ci", *args, cwd=copy)
        check("%s: exit %d" % (name, code), status == code,
              "exit %d: %s" % (status, out + err))
        for text in says:
            check("%s: says %s" % (name, text), text in out + err, out + err)
        check(name + ": nothing is published",
              not (copy / "var").exists() or
              not list((copy / "var").rglob("*.tar.gz")))


def clones(repo):
    """What CI makes of clones, and commits that can't be read: exit 13."""
    copy = work / "clones"
    shutil.copytree(repo, copy, symlinks=True)
    commit(copy)
    shallow = work / "shallow"
    git(work, "clone", "-q", "--depth", "1", "file://%s" % copy, shallow)
    status, out, err = regatta("ci", "--publish", cwd=shallow)
    check("a shallow clone says how to get the rest", status == 13 and
          "fetch-depth 0" in err and not (shallow / "var").exists(),
          "exit %d: %s" % (status, err))
    git(shallow, "fetch", "-q", "--unshallow")
    status, out, err = regatta("ci", "--publish", cwd=shallow)
    check("and with the rest it passes", status == 0, out + err)
    git(shallow, "checkout", "-q", "--detach", "HEAD~1")
    status, out, err = regatta("ci", "--publish", cwd=shallow)
    check("a detached HEAD passes", status == 0 and "v2026.06.20-1" in out,
          out + err)
    shared = work / "shared"
    git(work, "clone", "-q", "--shared", copy, shared)
    status, out, err = regatta("ci", cwd=shared)
    check("borrowed objects are refused", status == 13 and
          "git repack -a -d" in err, "exit %d: %s" % (status, err))
    other = work / "sha256"
    shutil.copytree(repo, other, ignore=shutil.ignore_patterns(".git"))
    git(work, "init", "-q", "--object-format=sha256", other)
    commit(other)
    status, out, err = regatta("ci", cwd=other)
    check("ids of SHA-256 are refused", status == 13 and
          "git fast-export" in err, "exit %d: %s" % (status, err))
    (copy / "policies/link").symlink_to("lib")
    commit(copy)
    status, out, err = regatta("ci", "--publish", cwd=copy)
    check("a link is refused", status == 13 and "policies/link" in err and
          "put the file itself here" in err, "exit %d: %s" % (status, err))


def outputs(repo):
    """Where a bundle is written to: a pipe, a link, a folder."""
    pipe = work / "pipe"
    os.mkfifo(pipe)
    child = subprocess.Popen([str(REGATTA), "build", str(repo), "-o",
                              str(pipe)], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True,
                             env=dict(os.environ, **GIT))
    with open(pipe, "rb") as f:
        data = f.read()
    said = child.communicate(timeout=60)[0]
    check("a pipe gets the bundle", child.returncode == 0 and digest_of(said)
          == "sha256:" + hashlib.sha256(data).hexdigest(), said)
    check("and stays a pipe", pipe.is_fifo())
    target, link = work / "target.tar.gz", work / "link.tar.gz"
    target.write_bytes(b"old")
    link.symlink_to(target.name)
    status, out, err = regatta("build", repo, "-o", link)
    check("what a link leads to is written", status == 0 and link.is_symlink()
          and target.read_bytes() == data, out + err)
    (work / "folder").mkdir()
    for args in (["build", repo, "-o", work / "folder"],
                 ["inspect", work / "folder"]):
        status, out, err = regatta(*args)
        check("%s: a folder is no file" % args[0], status == 1 and
              "/folder" in err and "name a file" in err,
              "exit %d: %s" % (status, err))


def trying_out(repo):
    """A work tree is for trying things out, also by way of a file."""
    tried = work / "tried.tar.gz"
    for name in ([], ["-r", "v9"]):
        status, out, err = regatta("build", "--worktree", repo, *name, "-o",
                                   tried)
        check("a work tree is built", status == 0, out + err)
        status, out, err = regatta("publish", tried, "--name", "platform",
                                   "--store", "dir:%s" % (work / "tried"))
        check("and its file can't be published", status == 11 and
              "names no commit" in err and not (work / "tried").exists(),
              "exit %d: %s" % (status, err))
    for name in ("../../up", "", "-x", "v" * 65, "a b"):
        status, out, err = regatta("build", repo, "--revision=" + name, "-o",
                                   work / "odd.tar.gz")
        check("no version is called \"%s\"" % name, status == 2 and
              "--revision" in err and not (work / "odd.tar.gz").exists(),
              "exit %d: %s" % (status, err))


def conflicts(repo):
    copy = work / "conflict"
    shutil.copytree(repo, copy, symlinks=True)
    regatta("ci", "--publish", cwd=copy)
    git(copy, "tag", "before")
    write(copy, "policies/lib/extra/extra.rego",
          "package library.lib.extra\n\nx := 1\n")
    git(copy, "add", "-A")
    git(copy, "commit", "-q", "--amend", "-m", "other")
    status, out, err = regatta("ci", "--publish", cwd=copy)
    check("a version with other bytes is refused", status in (3, 6), out + err)
    status, out, err = regatta("build", "-o", work / "c.tar.gz", cwd=copy)
    check("build needs no tests", status == 0, out + err)
    status, out, err = regatta("publish", work / "c.tar.gz", "--name",
                               "platform", "--store",
                               "dir:%s" % (copy / "var/bundles"))
    check("publish refuses other bytes", status == 6 and "v2026" in err,
          out + err)
    for name in ("Platform", "../elsewhere", "a b", ""):
        status, out, err = regatta("publish", work / "c.tar.gz", "--name",
                                   name, "--store", "dir:%s" % (work / "none"))
        check("publish refuses the name \"%s\"" % name, status == 2 and
              "--name" in err and not (work / "none").exists(), out + err)
    status, out, err = regatta("ci", "--bse", "main")
    check("a flag nearby is named", status == 2 and
          "did you mean --base" in err, err)
    status, out, err = regatta("ci", "--repo", work / "none")
    check("a folder that is not there is named", status == 5 and
          "no such folder" in err, err)


def stores(repo):
    copy = work / "readonly"
    shutil.copytree(repo, copy, symlinks=True)
    (copy / "var").write_text("in the way\n")
    status, out, err = regatta("ci", "--publish", cwd=copy)
    check("a store that can't be is named", status == 1 and "var" in err,
          out + err)
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w") as full:
            done = subprocess.run([str(REGATTA), "ci"], cwd=repo, stdout=full,
                                  stderr=subprocess.PIPE, text=True,
                                  env=dict(os.environ, **GIT), timeout=60)
        check("a full disk behind stdout is said", done.returncode == 1 and
              "standard output" in done.stderr, done.stderr)


def interrupts(repo):
    """Ctrl-C at any time: the store holds all or nothing, and all later."""
    copy = work / "interrupt"
    shutil.copytree(repo, copy, symlinks=True)
    for i in range(12):
        shutil.rmtree(copy / "var", ignore_errors=True)
        child = subprocess.Popen([str(REGATTA), "ci", "--publish"], cwd=copy,
                                 stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL,
                                 env=dict(os.environ, **GIT))
        time.sleep(0.01 * i)
        child.send_signal(signal.SIGINT)
        child.wait(timeout=30)
        status, out, err = regatta("ci", "--publish", cwd=copy)
        if status != 0:
            check("ci after ctrl-c (%d)" % i, False, out + err)
            return
    check("ci succeeds after ctrl-c at any time", True)


def changes(repo):
    copy = work / "changes"
    shutil.copytree(repo, copy, symlinks=True)
    git(copy, "checkout", "-q", "-b", "topic")
    path = copy / "policies/lib/image/image.rego"
    path.write_text(path.read_text() + "\n# changed\n")
    write(copy, "policies/system/log.rego", "package system.log\n\n"
          'mask contains "/input/secret"\n')
    commit(copy)
    config = copy / "regatta.yaml"
    config.write_text(config.read_text().replace(
        "roots: [library,", "roots: [library, system/log,"))
    commit(copy)
    status, out, err = regatta("ci", "--base", "main", cwd=copy)
    check("a change to masks is shown", "system.log" in out and
          "policies/system/log.rego" in out, out + err)
    check("policies that use what changed are shown",
          "disallow_latest_tag" in out and "library.lib.image" in out, out)


def main():
    global work
    with tempfile.TemporaryDirectory(prefix="regatta-ci-") as folder:
        work = pathlib.Path(folder)
        repo = fresh("repo")
        status, _, err = regatta("init", repo)
        check("init writes nothing over", status == 6 and "exists" in err, err)
        digest = publishing(repo)
        same_bytes(repo, digest)
        reports(repo)
        signing(repo)
        sources(repo)
        signed_anew(repo)
        wrong(repo)
        clones(repo)
        trying_out(repo)
        outputs(repo)
        conflicts(repo)
        stores(repo)
        interrupts(repo)
        changes(repo)
    return tally.end()


sys.exit(main())
