#!/usr/bin/env bash
# Print the path of a real OPA for the tests to compare with: $OPA, else `opa`
# on the PATH, else one built once, where Go is, into a cache outside the tree.
# Exit 1 with a line that says how to get one.
set -u
version=v1.22.2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/regatta/bin

if [ -n "${OPA:-}" ]; then
	echo "$OPA"
elif command -v opa >/dev/null; then
	command -v opa
elif [ -x "$cache/opa" ]; then
	echo "$cache/opa"
elif command -v go >/dev/null; then
	echo "building OPA $version into $cache" >&2
	mkdir -p "$cache"
	GOBIN=$cache GOFLAGS=-mod=mod go install \
		"github.com/open-policy-agent/opa@$version" >&2 || {
		echo "no OPA: go install failed; set OPA=PATH" >&2
		exit 1
	}
	echo "$cache/opa"
else
	echo "no OPA: set OPA=PATH, put opa $version on the PATH, or install Go" >&2
	exit 1
fi
