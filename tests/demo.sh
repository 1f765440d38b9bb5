#!/usr/bin/env bash
# What there is so far, as a user would type it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

run() {
	printf '\n$ %s\n' "$*"
	"$@" || echo "(exit status $?)"
}

mkdir -p policy/limits
cat > policy/limits.rego <<'REGO'
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
cat > policy/limits/data.yaml <<'YAML'
max_bytes: 2147483648   # 2 GiB
YAML
cat > policy/limits_test.rego <<'REGO'
package limits_test

import data.limits

pod(limit) := {"spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": limit}}}]}}

test_good if limits.allow with input as pod("512Mi")

test_denied[name] if {
	some name, p in {
		"missing": {"spec": {"containers": [{"name": "app"}]}},
		"too much": pod("8Gi"),
	}
	not limits.allow with input as p
}
REGO
cat > wrong_test.rego <<'REGO'
package wrong_test

import data.limits

test_limit if {
	p := {"spec": {"containers": [{"name": "a", "resources": {"limits": {"memory": "3Gi"}}}]}}
	found := limits.deny with input as p
	count(found) == 0
}
REGO
cat > pod.json <<'JSON'
{"spec": {"containers": [
  {"name": "web", "resources": {"limits": {"memory": "4Gi"}}},
  {"name": "sidecar"}]}}
JSON

echo "A policy with data and tests, checked, tested and asked:"
run regatta check policy
run regatta test -v policy
run regatta eval --format pretty -d policy -i pod.json data.limits.deny
echo
echo "A test that is wrong says which comparison failed, and with what:"
run regatta test --var-values policy wrong_test.rego
echo
echo "How much of the policy the tests reach:"
run regatta test --coverage --threshold 90 policy
echo
echo "A rule as the engine runs it:"
run regatta dump --code -d policy data.limits.allow
echo
echo "Go on from here: build/regatta help, and the README."
