#!/usr/bin/env bash
# Regatta at work, as a user would type it: from `init` to a fleet, a bad version
# that goes back by itself, and one that is taken back by hand. Fails where a
# command does not end as it should.
#
#	KEEP=1        leave the service and the agents running
#	AGENTS=N      so many simulated agents (40)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-build}
case $build in
/*) ;;
*) build=$root/$build ;;
esac
PATH=$build:$PATH
agents=${AGENTS:-40}
dir=$(mktemp -d "${TMPDIR:-/tmp}/regatta-demo-XXXXXX")
unset REGATTA_SERVER REGATTA_STATE REGATTA_TOKEN
pids=()

stop() {
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
	done
	rm -rf "$dir"
}
trap stop EXIT
cd "$dir"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=demo GIT_AUTHOR_EMAIL=demo@example.com
export GIT_COMMITTER_NAME=demo GIT_COMMITTER_EMAIL=demo@example.com

say() { printf '\n# %s\n' "$*"; }

# run WANTED-STATUS COMMAND: show a line as typed, run it, check how it ends.
run() {
	local want=$1 got=0
	printf '$ %s\n' "$2"
	bash -o pipefail -c "$2" 2>&1 || got=$?
	[ "$got" = 0 ] || printf '(exit status %d)\n' "$got"
	if [ "$got" != "$want" ]; then
		echo "demo: exit status $got, want $want" >&2
		exit 1
	fi
}

# background NAME COMMAND...: show it, and let it run.
background() {
	local log=$1
	shift
	printf '$ %s &\n' "$*"
	"$@" >"$dir/$log.out" 2>"$dir/$log.err" &
	pids+=($!)
}

say "A policy repository with a library of policies, their tests and fixtures."
run 0 "regatta init policy"
cd policy
git init -q
# A bake of seconds in place of minutes, so that the demo ends today.
sed -i -e 's/bake: {min: 15m, max: 60m, fleet: 60m}/bake: {min: 1s, max: 90s, fleet: 2s}/' \
	-e 's/pass_below: 0.5%, min_decisions: 500}/pass_below: 5%, min_decisions: 50, window: 1s}/' \
	regatta.yaml
run 0 "regatta key new keys/bundle.pem"
sed -i 's/^# sign:/sign:/' regatta.yaml
git add -A
git commit -q -m 'First policies'

say "What CI runs: every gate, then a signed bundle, published."
run 0 "regatta ci --publish"

say "One process, one folder: the service. And $agents agents that poll it."
background serve regatta serve --listen 127.0.0.1:0
for _ in $(seq 100); do
	url=$(grep -o 'http://.*' "$dir/serve.err" || true)
	[ -n "$url" ] && break
	sleep 0.05
done
image() {
	printf '{"review":{"namespace":"%s","object":{"kind":"Pod","metadata":{"name":"web","namespace":"%s"},"spec":{"containers":[{"name":"app","image":"%s"}]}}}}\n' "$1" "$1" "$2"
}
{
	for name in shop reports search; do
		image "$name" registry.example.com/shop/web:1.4
		image "$name" registry.k8s.io/pause:3.9
		image "$name" ghcr.io/example/tool:2.0
	done
	image shop docker.io/library/nginx:1.27
} >"$dir/requests.ndjson"
background agents regatta simulate --server "$url" -b platform \
	-g "canary=2,ring=canary" -g "node=$((agents - 2))" \
	--path library/kubernetes/allowed_registries/violations \
	--inputs "$dir/requests.ndjson" --rate 20 --wait 2s \
	--upload-every 1s --status-every 1s

say "The first release goes to everybody: there is nothing to compare it with."
run 0 "regatta rollout start -m 'the first one'"
run 0 "regatta status --until-done --timeout 90s | tail -n 3"

say "A good change: one more registry. It passes on the canaries, then goes on."
sed -i 's,^\t"ghcr.io/example",\t"ghcr.io/example"\,\n\t"quay.io/example",' \
	policies/kubernetes/allowed_registries/allowed_registries.rego
sed -i 's,ghcr.io/example\, registry,ghcr.io/example\, quay.io/example\, registry,' \
	policies/kubernetes/allowed_registries/allowed_registries_test.rego
sed -i 's/"ghcr.io\/example",,/"ghcr.io\/example",/' \
	policies/kubernetes/allowed_registries/allowed_registries.rego
git commit -q -a -m 'Images of quay.io/example may run'
run 0 "regatta ci --publish | tail -n 1"
run 0 "regatta rollout plan"
run 0 "regatta rollout start -m 'one more registry'"
run 0 "regatta status --until-done --timeout 90s | tail -n 12"
run 0 "regatta verdict"

say "A typo: search and replace went wrong, in the rule and in its test."
sed -i 's,registry.k8s.io,registry.k8.io,' \
	policies/kubernetes/allowed_registries/*.rego
git commit -q -a -m 'Tidy up the list of registries'
say "CI can't know: every test passes."
run 0 "regatta ci --publish | tail -n 2"
run 0 "regatta diff \$(regatta versions -n 1 -o json | grep -o 'v[0-9][^\"]*' | head -n 1)"
run 0 "regatta rollout start -m 'tidy up'"
say "The canaries deny what stable allows; it goes back by itself."
run 7 "regatta status --until-done --timeout 90s | tail -n 14"
run 0 "regatta status"
run 7 "regatta verdict"

say "The fix, and a version that is taken back by hand, at 2 a.m."
git revert --no-edit HEAD >/dev/null
run 0 "regatta ci --publish | tail -n 1"
run 0 "regatta unfreeze -m 'the typo is found'"
run 0 "regatta rollout start -m 'the fix' --set bake.min=60s"
for _ in $(seq 200); do
	regatta status -o json | grep -q '"state": "baking"' && break
	sleep 0.1
done
run 0 "regatta rollback --yes -m 'something is odd'"

say "Why does a target run what it runs?"
run 0 "regatta why canary-1"
run 0 "regatta targets -n 4"

say "What was decided, by whom, and under which version?"
run 0 "regatta decisions query --outcome deny --limit 5"
run 0 "regatta decisions verify"

say "Who changed what, when and why; and nobody changed that."
run 0 "regatta history -n 8"
run 0 "regatta audit verify"

say "What is still not as it should be?"
run 0 "regatta doctor || test \$? -eq 3"

if [ -n "${KEEP:-}" ]; then
	trap - EXIT
	cat <<END

Left running: the service at $url (pid ${pids[0]}), the agents (pid ${pids[1]}).

  cd $dir/policy
  regatta status --watch

To end it: kill ${pids[*]}; rm -rf $dir
END
	exit 0
fi
cat <<END

That was a policy repository (policy/), one state folder (policy/var/) and one
program, ${build#"$root"/}/regatta. KEEP=1 leaves it running. README.md goes on from here.
END
