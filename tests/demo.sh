#!/usr/bin/env bash
# Regatta at work, as a user would type it: from `init` to a fleet, a bad version
# that goes back by itself, and one that is taken back by hand. Fails where a
# command does not end as it should, or does not say what it should.
#
#	AGENTS=N      so many simulated agents (40)
#	AGENTS=opa    six real ones; tests/find-opa.sh finds or builds an OPA
#	KEEP=1        leave the service and the agents running
#
# Everything is in $BUILD/demo, which the next run removes.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-build}
case $build in
/*) ;;
*) build=$root/$build ;;
esac
PATH=$build:$PATH
agents=${AGENTS:-40}
dir=$build/demo
unset REGATTA_SERVER REGATTA_STATE REGATTA_TOKEN
pids=()

die() {
	echo "demo: $*" >&2
	exit 1
}

# The service is the first that was started and the last to end, since agents
# send it what is left.
stop() {
	local agents=("${pids[@]:1}")
	[ ${#agents[@]} -eq 0 ] || kill "${agents[@]}" 2>/dev/null || true
	for pid in "${agents[@]}"; do
		wait "$pid" 2>/dev/null || true
	done
	[ ${#pids[@]} -eq 0 ] || { kill "${pids[0]}" && wait "${pids[0]}"; } ||
		true
}

# What KEEP=1 left running would lose its folder.
still_running() {
	local pid
	pid=$(head -n 1 "$dir/pids" 2>/dev/null) || return 1
	[ "$(readlink "/proc/$pid/cwd")" = "$dir/policy" ]
}

case $agents in
opa) opa=$("$root/tests/find-opa.sh") || die "AGENTS=opa needs a real OPA" ;;
*[!0-9]* | '') die "AGENTS is a number or opa, not \"$agents\"" ;;
*) [ "$agents" -ge 10 ] || die "AGENTS is at least 10, or opa" ;;
esac
still_running && die "one is running: kill $(paste -sd' ' "$dir/pids")"
rm -rf "$dir"
mkdir -p "$dir"
trap stop EXIT
started=$SECONDS
cd "$dir"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=demo GIT_AUTHOR_EMAIL=demo@example.com
export GIT_COMMITTER_NAME=demo GIT_COMMITTER_EMAIL=demo@example.com

say() { printf '\n# %s\n' "$*"; }

# run STATUS COMMAND [TEXT]: show a line as typed, run it, and check how it ends
# and that it says TEXT.
run() {
	local want=$1 got=0
	printf '$ %s\n' "$2"
	bash -o pipefail -c "$2" >"$dir/said" 2>&1 || got=$?
	cat "$dir/said"
	[ "$got" = 0 ] || printf '(exit status %d)\n' "$got"
	[ "$got" = "$want" ] || die "exit status $got, want $want"
	[ -z "${3:-}" ] || grep -qF -e "$3" "$dir/said" ||
		die "it does not say \"$3\""
}

# background NAME COMMAND...: show it, and let it run.
background() {
	local log=$1
	shift
	printf '$ %s &\n' "$*"
	"$@" >"$dir/$log.out" 2>"$dir/$log.err" &
	pids+=($!)
}

# commit MESSAGE: what was edited, as git shows it, becomes a commit.
commit() {
	echo '$ git diff'
	git diff -U0 | grep '^[-+][^-+]' || die "nothing was edited"
	run 0 "git commit -q -a -m '$1'"
}

# await SECONDS WHAT COMMAND...
await() {
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || die "not in time: $what"
		sleep 0.1
	done
}

# --- agents, and who asks them -----------------------------------------------

image() {
	printf '{"review":{"namespace":"%s","object":{"kind":"Pod","metadata":{"name":"web","namespace":"%s"},"spec":{"containers":[{"name":"app","image":"%s"}]}}}}\n' "$1" "$1" "$2"
}

requests() {
	local name
	for name in shop reports search; do
		image "$name" registry.example.com/shop/web:1.4
		image "$name" registry.k8s.io/pause:3.9
		image "$name" ghcr.io/example/tool:2.0
	done
	image shop docker.io/library/nginx:1.27
}
asked=library/kubernetes/allowed_registries/violations

simulated() {
	say "$agents simulated agents, two of them canaries, are asked for decisions."
	background agents regatta simulate --server "$url" -b platform \
		-g "canary=2,ring=canary" -g "node=$((agents - 2))" \
		--path $asked --inputs ../requests.ndjson --rate 20 --wait 2s \
		--upload-every 1s --status-every 1s
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# agent TARGET RING: a stock OPA, which takes only what the key signed.
agent() {
	local port
	port=$(free_port)
	run 0 "regatta agent config --server $url --target $1 --label ring=$2 --public-key keys/bundle.pub.pem > ../$1.yaml"
	background "$1" "$opa" run --server --addr "127.0.0.1:$port" \
		--log-level error -c "../$1.yaml"
	ports+=("$port")
}

real() {
	local n ports=()
	say "Six real agents, OPA $("$opa" version | sed -n 's/^Version: //p'), two of them canaries."
	for n in 1 2; do agent "canary-$n" canary; done
	for n in 1 2 3 4; do agent "node-$n" fleet; done
	say "And somebody who asks them."
	background callers python3 "$root/tests/demo_callers.py" \
		../requests.ndjson $asked "${ports[@]}"
	agents=6
}

# --- the story ---------------------------------------------------------------

say "A policy repository with a library of policies, their tests and fixtures."
run 0 "regatta init policy"
cd policy
run 0 "regatta key new keys/bundle.pem"
# A bake of seconds in place of minutes, so that the demo ends today.
sed -i -e 's/bake: {min: 15m, max: 60m, fleet: 60m}/bake: {min: 1s, max: 90s, fleet: 2s}/' \
	-e 's/pass_below: 0.5%, min_decisions: 500}/pass_below: 5%, min_decisions: 50, window: 1s}/' \
	-e 's/^# sign:/sign:/' regatta.yaml
git init -q
run 0 "git add -A && git commit -q -m 'First policies'"

say "What CI runs: every gate, then a signed bundle, published."
run 0 "regatta ci --publish" "published"

say "One process, one folder: the service."
background serve regatta serve --listen 127.0.0.1:0
await 10 "the service" grep -q 'http://' "$dir/serve.err"
url=$(grep -o 'http://[0-9.:]*' "$dir/serve.err")
requests >"$dir/requests.ndjson"
if [ "$agents" = opa ]; then real; else simulated; fi

say "The first release goes to everybody: there is nothing to compare it with."
run 0 "regatta rollout start -m 'the first one'"
run 0 "regatta status --until-done --timeout 90s | tail -n 3" "$agents there"

say "A good change: one more registry. It passes on the canaries, then goes on."
sed -i 's,^\t"ghcr.io/example"\,$,&\n\t"quay.io/example"\,,' \
	policies/kubernetes/allowed_registries/allowed_registries.rego
sed -i 's,ghcr.io/example\, registry,ghcr.io/example\, quay.io/example\, registry,' \
	policies/kubernetes/allowed_registries/allowed_registries_test.rego
commit 'Images of quay.io/example may run'
run 0 "regatta ci --publish | tail -n 1" published
run 0 "regatta rollout plan"
run 0 "regatta rollout start -m 'one more registry'"
run 0 "regatta status --until-done --timeout 90s | tail -n 12" SUCCEEDED
run 0 "regatta verdict" PASS

say "A typo: search and replace went wrong, in the rule and in its test."
sed -i 's,registry.k8s.io,registry.k8.io,' \
	policies/kubernetes/allowed_registries/*.rego
commit 'Tidy up the list of registries'
say "CI can't know: every test passes."
run 0 "regatta ci --publish | tail -n 2" published
run 0 "regatta diff \$(regatta versions | awk 'NR == 2 {print \$1}')" changed
run 0 "regatta rollout start -m 'tidy up'"
say "The canaries deny what stable allows; it goes back by itself."
run 7 "regatta status --until-done --timeout 90s | tail -n 14" "ROLLED BACK"
run 7 "regatta verdict" "FAIL(deny_up)"

say "The fix, and a version that is taken back by hand, at 2 a.m."
run 0 "git revert --no-edit HEAD"
run 0 "regatta ci --publish | tail -n 1" published
run 0 "regatta unfreeze -m 'the typo is found'"
run 0 "regatta rollout start -m 'the fix' --set bake.min=60s"
baking() { regatta status -o json | grep -q '"state": "baking"'; }
await 20 "the canaries bake" baking
run 0 "regatta status | head -n 1" BAKING
run 0 "regatta rollback --yes -m 'something is odd'" "all $agents targets"

say "Why does a target run what it runs?"
run 0 "regatta why canary-1" "it runs v"
run 0 "regatta targets -n 4" canary-1

say "What was decided, by whom, and under which version?"
run 0 "regatta decisions query --outcome deny --limit 5" deny
run 0 "regatta decisions verify" ok

say "Who changed what, when and why; and nobody changed that."
run 0 "regatta history -n 8" "something is odd"
run 0 "regatta audit verify" ok

say "What is still not as it should be?"
run 0 "regatta doctor || test \$? -eq 3"

cat <<END

That took $((SECONDS - started)) s. It is all in $dir:

  policy       the policy repository
  policy/var   the state folder: versions, channels, ledger, decision log

To look around, in any terminal:

  PATH=$build:\$PATH
  cd $dir/policy
END
if [ -n "${KEEP:-}" ]; then
	trap - EXIT
	printf '%s\n' "${pids[@]}" >"$dir/pids"
	cat <<END
  regatta status --watch

The service still runs (pid ${pids[0]}, $url), and so do the agents.
To end all of it: kill ${pids[*]}
END
else
	cat <<END
  regatta status
  regatta history

No service runs any more; these commands read the folder themselves. KEEP=1
leaves it running. README.md goes on from here.
END
fi
