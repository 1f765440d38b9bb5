#!/usr/bin/env bash
# Bad input ends with a clear error and the right exit code: no crash, no hang,
# nothing left behind.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
passed=0 failed=0

# try NAME WANTED-EXIT TEXT COMMAND...: the command ends with that status and
# says that text, on either stream.
try() {
	local name=$1 want=$2 text=$3 out got
	shift 3
	out=$(timeout 20 "$@" 2>&1 </dev/null | head -c 100000)
	timeout 20 "$@" >/dev/null 2>&1 </dev/null
	got=$?
	if [ "$got" = "$want" ] && grep -qF -- "$text" <<<"$out"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED $name: exit $got, want $want; wants \"$text\" in:"
		head -c 600 <<<"$out"
	fi
}

repeat() { # repeat N TEXT
	local s
	s=$(printf "%*s" "$1" "")
	printf '%s' "${s// /$2}"
}

mkdir empty
printf 'package a\n\np := "\xff\xfe"\n' >utf8.rego
{ printf 'package a\n\np := '; repeat 100000 '['; repeat 100000 ']'; } >deep.rego
{ repeat 100000 '['; repeat 100000 ']'; } >deep.json
{ printf 'a: '; repeat 1000 '['; repeat 1000 ']'; } >deep.yaml
printf '{"a": 1,}' >comma.json
printf 'package a\n\ntest_forever if {\n\tsome x in numbers.range(1, 100000)\n\tsome y in numbers.range(1, 100000)\n\tx == y + 200000\n}\n' >forever_test.rego
printf 'package a\n\np if x\n' >unsafe.rego
printf 'package a\n\np if {\n' >open.rego
printf 'package a\n\np := io.jwt.decode("x")\n' >jwt.rego

try "missing file" 1 "no such file" regatta check nowhere.rego
try "missing data" 2 "no such file" regatta eval -d nowhere.json 1
try "folder without a policy" 0 "" regatta check empty
try "no tests where some are wanted" 1 "" regatta test --fail-on-empty empty
try "broken UTF-8" 1 "utf8.rego:3" regatta check utf8.rego
try "nested too deep" 1 "deep.rego" regatta check deep.rego
try "JSON nested too deep" 2 "deep" regatta eval -d deep.json 1
try "YAML nested too deep" 2 "deep" regatta eval -d deep.yaml 1
try "JSON with a comma too many" 2 "comma.json" regatta eval -d comma.json 1
try "unsafe variable" 1 "unsafe.rego:3: rego_unsafe_var_error: var x is unsafe" regatta check unsafe.rego
try "unclosed body" 1 "open.rego:4: rego_parse_error: unexpected eof token" regatta check open.rego
try "missing builtin" 1 "jwt.rego:3: rego_type_error: io.jwt.decode" regatta check jwt.rego
try "test without end, by time" 2 "eval_cancel_error" regatta test --timeout 200ms -v forever_test.rego
try "test without end, by steps" 2 "steps" regatta test --max-steps 100000 -v forever_test.rego
try "10^9 range members" 0 "{}" regatta eval 'count(numbers.range(1, 1000000000))'
try "10^9 range members, strict" 2 "numbers.range" regatta eval --strict-builtin-errors 'count(numbers.range(1, 1000000000))'
try "a string of 1 GB" 0 "" regatta eval 'count(sprintf("%1000000000d", [1])) == 0'
try "a regex of 1 MB" 0 "" regatta eval 'regex.match(concat("", [x | some _ in numbers.range(1, 100000); x := "(a|b)*c?"]), "a")'
try "unknown flag" 1 "--nonsense" regatta check --nonsense
try "unknown command" 1 "nonsense" regatta nonsense
try "flag that is not there" 1 "--profile" regatta eval --profile 1
try "undefined function in a query" 2 "rego_type_error" regatta eval --fail 'f(1)'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
