#!/usr/bin/env bash
# Regatta at work on a small policy repository, as a user would type it. Fails
# where a command does not end as it should.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-build}
case $build in
/*) ;;
*) build=$root/$build ;;
esac
PATH=$build:$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

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

mkdir -p policy/limits
cat >policy/limits/limits.rego <<'REGO'
package limits

default allow := false

allow if count(deny) == 0

deny contains msg if {
	some c in input.spec.containers
	not c.resources.limits.memory
	msg := sprintf("%s: no memory limit", [c.name])
}

deny contains msg if {
	some c in input.spec.containers
	units.parse_bytes(c.resources.limits.memory) > data.limits.max_bytes
	msg := sprintf("%s: %s is too much", [c.name, c.resources.limits.memory])
}
REGO
cat >policy/limits/data.yaml <<'YAML'
max_bytes: 2147483648 # 2 GiB
YAML
cat >policy/limits/limits_test.rego <<'REGO'
package limits_test

import data.limits

pod(limits) := {"spec": {"containers": [{"name": "app", "resources": {"limits": limits}}]}}

test_allow[name] if {
	some name, row in {
		"within the limit": {"limits": {"memory": "512Mi"}, "allow": true},
		"at the limit": {"limits": {"memory": "2Gi"}, "allow": true},
		"above the limit": {"limits": {"memory": "8Gi"}, "allow": false},
		"no limit": {"limits": {"cpu": "1"}, "allow": false},
	}
	limits.allow == row.allow with input as pod(row.limits)
}

test_message if {
	limits.deny == {"app: 8Gi is too much"} with input as pod({"memory": "8Gi"})
}
REGO
cat >wrong_test.rego <<'REGO'
package wrong_test

import data.limits

test_parse if units.parse_bytes("2Gi") == 2000000000

test_nothing_denied if {
	pod := {"spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": "3Gi"}}}]}}
	found := limits.deny with input as pod
	found == set()
}
REGO
cat >pod.json <<'JSON'
{"spec": {"containers": [
  {"name": "web", "resources": {"limits": {"memory": "4Gi"}}},
  {"name": "sidecar"}]}}
JSON

say "An admission policy with its data and a table of tests."
run 0 "cat policy/limits/limits.rego"

say "Is it right? Nothing printed: yes."
run 0 "regatta check --strict policy"

say "Its tests; a row of a table is a test of its own."
run 0 "regatta test -v policy"

say "Tests that are wrong: what was compared, with both sides."
run 2 "regatta test -v -r wrong_test policy wrong_test.rego"

say "A decision on one input."
run 0 "regatta eval -f pretty -d policy -i pod.json data.limits.deny"

say "How much of the policy the tests reach; below the threshold it exits with 2."
run 0 "regatta test --coverage --threshold 90 policy | tail -n 4"

say "The same result on any machine: a budget of steps in place of seconds."
run 2 "regatta test --max-steps 10 policy"

cat <<END

The program is ${build#"$root"/}/regatta; "regatta --help" lists its commands. README.md goes
on from here; the engine is in rego/, its builtins in rego/builtin/, the
commands in cli/, the tests in tests/.
END
