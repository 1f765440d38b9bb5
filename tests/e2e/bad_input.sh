#!/usr/bin/env bash
# Bad input ends with a clear error and the right exit status, in bounded time:
# no crash, no hang. What it ends with is what OPA 1.22.2 ends with, but for the
# limits OPA does not have.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
case ${BUILD:-build} in
/*) PATH=$BUILD:$PATH ;;
*) PATH=$(cd "$(dirname "$0")/../.." && pwd)/${BUILD:-build}:$PATH ;;
esac
cd "$dir" || exit 1
passed=0 failed=0

result() { # result NAME WHAT-IS-WRONG
	if [ -z "$2" ]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	echo "FAILED $1: $2; it printed:"
	head -c 600 out
	echo
}

# try NAME WANTED-STATUS REGEX COMMAND...: it ends with that status, and a line
# it prints on either stream matches. "-" for REGEX: it prints nothing.
try() {
	local name=$1 want=$2 text=$3 got wrong=
	shift 3
	timeout -k 1 20 "$@" >out 2>&1 </dev/null
	got=$?
	if [ "$got" -eq 124 ]; then
		wrong="no end after 20 seconds"
	elif [ "$got" -ge 128 ]; then
		wrong="ended by signal $((got - 128))"
	elif [ "$got" -ne "$want" ]; then
		wrong="exit status $got, want $want"
	elif [ "$text" = - ]; then
		[ ! -s out ] || wrong="it should print nothing"
	elif ! grep -qE -- "$text" out; then
		wrong="no line matches \"$text\""
	fi
	result "$name" "$wrong"
}

# Ctrl-C after a second. Bash starts background jobs with SIGINT ignored, so it
# is given back its default before the program starts.
interrupt() { # interrupt NAME COMMAND...
	local name=$1 started=$SECONDS got wrong=
	shift
	timeout -k 15 -s INT --preserve-status 1 python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' "$@" >out 2>&1 </dev/null
	got=$?
	if [ "$got" -ne 130 ]; then
		wrong="exit status $got, want 130"
	elif [ $((SECONDS - started)) -gt 6 ]; then
		wrong="it took $((SECONDS - started)) seconds to end"
	fi
	result "$name" "$wrong"
}

repeat() { # repeat N TEXT
	yes "$2" | head -n "$1" | tr -d '\n'
}

mkdir empty text
echo "no policy here" >text/notes.txt
printf 'package a\n\np := "\xff\xfe"\n' >utf8.rego
{ printf 'package a\n\np := '; repeat 100000 '['; repeat 100000 ']'; } >arrays.rego
{ printf 'package a\n\np := '; repeat 100000 '('; repeat 100000 ')'; } >parens.rego
{ printf 'package a\n\np if {'; repeat 100000 'every x in [1] {'
	repeat 100000 '}'; echo '}'; } >every.rego
{ printf 'package a\n\np := 1'; repeat 100000 '+1'; } >plus.rego
{ repeat 100000 '['; repeat 100000 ']'; } >deep.json
{ printf 'a: '; repeat 100000 '['; repeat 100000 ']'; } >deep.yaml
printf '{"a": 1,}' >comma.json
printf 'package a\n\np if x\n' >unsafe.rego
printf 'package a\n\np if {\n' >open.rego
cat >long_test.rego <<'REGO'
package a

members := numbers.range(1, 100000)

test_long if {
	some x in members
	some y in members
	x == y + 200000
}

test_longer if {
	some x in members
	some y in members
	x == y + 300000
}
REGO
{ printf 'regex.match("'; repeat 131072 '(a|b)*c?'; printf '", "a")'; } >regex_flat
{ printf 'regex.match("'; repeat 524288 '('; repeat 524288 ')'
	printf '", "a")'; } >regex_deep
{ printf 'regex.match("'; repeat 349525 '(a+'; printf '", "a")'; } >regex_open
{ printf 'regex.match("'; repeat 1048577 'a'; printf '", "a")'; } >regex_long

query() { # query FILE FLAG...: one too long for an argument
	local file=$1
	shift
	regatta eval --strict-builtin-errors "$@" --stdin <"$file"
}
export -f query

try "check of a missing file" 1 "nowhere.rego: no such file" regatta check nowhere.rego
try "test of a missing folder" 1 "nowhere: no such file" regatta test nowhere
try "missing data" 2 "nowhere.json: no such file" regatta eval -d nowhere.json 1
try "missing input" 2 "nowhere.json: no such file" regatta eval -i nowhere.json 1
try "check of an empty folder" 0 - regatta check empty
try "check of a folder without policy" 0 - regatta check text
try "test of a folder without policy" 0 - regatta test text
try "the same, where tests are wanted" 1 "no tests were run" regatta test --fail-on-empty text

try "broken UTF-8" 1 "utf8.rego:3: rego_parse_error: illegal utf-8 character" regatta check utf8.rego
try "100000 arrays" 1 "arrays.rego:3: .*max parsing recursion depth" regatta check arrays.rego
try "100000 parentheses" 1 "parens.rego:3: .*max parsing recursion depth" regatta check parens.rego
try "100000 every" 1 "every.rego:3: .*max parsing recursion depth" regatta check every.rego
try "100000 sums" 1 "plus.rego:3: .*max parsing recursion depth" regatta check plus.rego
try "unclosed body" 1 "open.rego:4: rego_parse_error: unexpected eof token" regatta check open.rego
try "unsafe variable" 1 "unsafe.rego:3: rego_unsafe_var_error: var x is unsafe" regatta check unsafe.rego
try "undefined function in a query" 2 "rego_type_error: undefined function f|undefined function f" regatta eval 'f(1)'

try "data JSON nested 100000 deep" 2 "deep.json: .*exceeded max depth" regatta eval -d deep.json 1
try "input JSON nested 100000 deep" 2 "exceeded max depth" regatta eval -i deep.json 1
try "data YAML nested 100000 deep" 2 "deep.yaml: .*exceeded max depth" regatta eval -d deep.yaml 1
try "JSON with a comma too many" 2 "comma.json: " regatta eval -d comma.json 1

try "endless test, by time" 2 "eval_cancel_error: caller cancelled" regatta test --timeout 200ms -v long_test.rego
try "endless test, by steps" 2 "eval_cancel_error: .*limit of 1000000 steps" regatta test --max-steps 1000000 -v long_test.rego
try "endless query, by time" 2 "caller cancelled" regatta eval --timeout 200ms -d long_test.rego data.a.test_long
try "endless template, by time" 2 "caller cancelled" regatta eval --timeout 200ms 'strings.render_template("{{range 9000000000000000000}}{{end}}", {})'
try "endless query, by steps" 2 "limit of 1000000 steps" regatta eval --max-steps 1000000 -d long_test.rego data.a.test_long
try "large values, by memory" 2 "limit of memory" regatta eval --max-memory 8MiB 'count(numbers.range(1, 10000000))'

try "range of 10^9" 2 "numbers.range: more than 100000000 numbers" \
	regatta eval --strict-builtin-errors 'count(numbers.range(1, 1000000000))'
# A limit of ours ends the evaluation: undefined could be taken for an answer.
try "range of 10^9, not strict" 2 "numbers.range: more than 100000000 numbers" \
	regatta eval 'not numbers.range(1, 1000000000)'
try "string past its limit" 2 "concat: result has 300000000 bytes" regatta eval \
	'concat("", [x | some _ in numbers.range(1, 3000); x := sprintf("%100000d", [1])]) == ""'
try "range of 10^8, by steps" 2 "limit of steps" regatta eval --max-steps 1000000 'count(numbers.range(1, 99999999))'
try "number 10^9 wide" 0 '"%!\(NOVERB\)%!\(EXTRA int64=1\)"' regatta eval 'sprintf("%1000000000d", [1])'
try "number 10^9 wide, by argument" 0 '"%!\(BADWIDTH\)1"' regatta eval 'sprintf("%*d", [1000000000, 1])'
try "regex of 1 MiB" 0 '"value": true' bash -c "query regex_flat"
try "regex of 1 MiB, nested" 2 "regex.match: error parsing regexp" bash -c "query regex_deep"
try "regex of 1 MiB, unclosed" 2 "regex.match: error parsing regexp" bash -c "query regex_open"
try "regex past 1 MiB" 2 "regex.match: pattern has 1048577 bytes, limit 1048576" bash -c "query regex_long"

# The same in a commit, for the two commands that read one.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a.example
export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a.example
git init -q repo
printf 'bundle: a\ntest: {budget: {steps: 1000000}}\n' >repo/regatta.yaml

commit() { # commit [FILE NAME]: with that file alone beside regatta.yaml
	rm -rf repo/policies
	mkdir repo/policies
	[ $# -eq 0 ] || cp "$1" "repo/policies/$2"
	git -C repo add -A && git -C repo commit -q --allow-empty -m a
}

# in_commit NAME CI-STATUS BUILD-STATUS REGEX [FILE NAME]
in_commit() {
	local name=$1 judged=$2 built=$3 text=$4
	shift 4
	commit "$@"
	try "ci: $name" "$judged" "$text" regatta ci --repo repo
	[ "$built" -ne 0 ] || text=sha256:
	try "build: $name" "$built" "$text" regatta build -o out.tar.gz repo
}

yes '# much' | head -c $((17 << 20)) >large
in_commit "100000 arrays" 13 13 "arrays.rego:3:" arrays.rego arrays.rego
in_commit "broken UTF-8" 13 13 "utf8.rego:3:" utf8.rego utf8.rego
in_commit "JSON nested 100000 deep" 13 13 "more than 128 levels" deep.json data.json
in_commit "YAML nested 100000 deep" 13 13 "data.yaml:1:" deep.yaml data.yaml
in_commit "a module of 17 MiB" 13 13 "large.rego: 17825792 bytes, limit 16777216" large large.rego
in_commit "data of 17 MiB" 13 13 "data.json: 17825792 bytes, limit 16777216" large data.json
in_commit "an endless test, and no policy" 13 0 "over its limit of 1000000 steps" long_test.rego long.rego
in_commit "no policy" 13 13 "there is no policy to judge|no policy and no data"
try "ci of a missing folder" 5 "nowhere: no such folder" regatta ci --repo nowhere
try "build of a missing folder" 5 "nowhere: no such folder" regatta build nowhere

try "unknown command" 1 'unknown command "nonsense"' regatta nonsense
try "unknown flag" 1 "unknown flag: --nonsense" regatta check --nonsense
try "flag that is not there yet" 1 "flag --profile of opa eval is not supported here yet" regatta eval --profile 1

interrupt "Ctrl-C, one worker" regatta test --timeout 60s -p 1 long_test.rego
interrupt "Ctrl-C, two workers" regatta test --timeout 60s -p 2 long_test.rego

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
