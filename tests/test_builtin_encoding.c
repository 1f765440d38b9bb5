#include "tests/builtin_calls.h"

/* base64, hex, urlquery, JSON and YAML. Expected values are what OPA gives. */

static void base64_comes_in_three_kinds(void **state)
{
	static const struct builtin_case cases[] = {
		{"base64.encode", "[\"ab>?\303\251\"]", "\"YWI+P8Op\""},
		{"base64.decode", "[\"YWI+P8Op\"]", "\"ab>?\303\251\""},
		{"base64.decode", "[\"YW\\nI=\"]", "\"ab\""},
		{"base64url.encode", "[\"ab>?\303\251!\"]", "\"YWI-P8OpIQ==\""},
		{"base64url.encode_no_pad", "[\"ab>?\303\251!\"]",
			"\"YWI-P8OpIQ\""},
		{"base64url.decode", "[\"YWI-P8OpIQ\"]", "\"ab>?\303\251!\""},
		{"base64url.decode", "[\"YWI-P8OpIQ==\"]", "\"ab>?\303\251!\""},
		{"base64.is_valid", "[\"YQ==\"]", "true"},
		{"base64.is_valid", "[\"YQ=\"]", "false"},
		{"base64.is_valid", "[1]", "false"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void broken_base64_is_named_by_its_byte(void **state)
{
	static const struct builtin_case cases[] = {
		{"base64.decode", "[\"YQ\"]",
			"eval_builtin_error: illegal base64 data at input by"
			"te 0"},
		{"base64.decode", "[\"Y-==\"]",
			"eval_builtin_error: illegal base64 data at input by"
			"te 1"},
		{"base64.decode", "[\"YQ==x\"]",
			"eval_builtin_error: illegal base64 data at input by"
			"te 4"},
		{"base64.decode", "[\"YQ=x\"]",
			"eval_builtin_error: illegal base64 data at input by"
			"te 2"},
		{"base64.decode", "[\"Y===\"]",
			"eval_builtin_error: illegal base64 data at input by"
			"te 1"},
		{"base64.decode", "[\"Y\\nQ\"]",
			"eval_builtin_error: illegal base64 data at input by"
			"te 1"},
		{"base64url.decode", "[\"abcde\"]",
			"eval_builtin_error: illegal base64url string: abcde"
			""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void hex_is_pairs_of_digits(void **state)
{
	static const struct builtin_case cases[] = {
		{"hex.encode", "[\"a\303\251\"]", "\"61c3a9\""},
		{"hex.decode", "[\"61C3a9\"]", "\"a\303\251\""},
		{"hex.decode", "[\"abc\"]",
			"eval_builtin_error: encoding/hex: odd length hex st"
			"ring"},
		{"hex.decode", "[\"0g\"]",
			"eval_builtin_error: encoding/hex: invalid byte: U+0"
			"067 'g'"},
		{"hex.decode", "[\"0\\u0001\"]",
			"eval_builtin_error: encoding/hex: invalid byte: U+0"
			"001"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void urlquery_escapes_all_but_letters_and_digits(void **state)
{
	static const struct builtin_case cases[] = {
		{"urlquery.encode", "[\"a b&c=\303\251~-._/\"]",
			"\"a+b%26c%3D%C3%A9~-._%2F\""},
		{"urlquery.decode", "[\"a+b%26%c3%A9\"]", "\"a b&\303\251\""},
		{"urlquery.decode", "[\"a%2\"]",
			"eval_builtin_error: invalid URL escape \"%2\""},
		{"urlquery.decode", "[\"%zz!\"]",
			"eval_builtin_error: invalid URL escape \"%zz\""},
		{"urlquery.encode_object",
			"[{\"b\": [\"x\", \"y z\"], \"a\": \"1\", \"c\": []}"
			"]",
			"\"a=1&b=x&b=y+z\""},
		{"urlquery.encode_object",
			"[{\"s\": {\"$set\": [\"q\", \"p\"]}}]", "\"s=p&s=q\""},
		{"urlquery.encode_object", "[{\"a\": 1}]",
			"eval_type_error: operand 1 values must be string, a"
			"rray[string], or set[string]"},
		{"urlquery.decode_object", "[\"b=2&a=1&b=3&c&=x&&d=%20\"]",
			"{\"\": [\"x\"], \"a\": [\"1\"], \"b\": [\"2\", \"3\""
			"], \"c\": [\"\"], \"d\": [\" \"]}"},
		{"urlquery.decode_object", "[\"a;b\"]",
			"eval_builtin_error: invalid semicolon separator in "
			"query"},
		{"urlquery.decode_object", "[\"a=%&b=1\"]",
			"eval_builtin_error: invalid URL escape \"%\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void json_is_written_as_go_does(void **state)
{
	static const struct builtin_case cases[] = {
		{"json.marshal",
			"[{\"b\": [1, \"<&>\342\200\250\177\"], \"a\": {\"$s"
			"et\": [2, 1]}}]",
			"\"{\\\"a\\\":[1,2],\\\"b\\\":[1,\\\"\\\\u003c\\\\u0"
			"026\\\\u003e\\\\u2028\\x7f\\\"]}\""},
		{"json.marshal", "[[1.0, 1e3, -0]]", "\"[1.0,1e3,-0]\""},
		{"json.marshal_with_options",
			"[{\"a\": [1, {}, []], \"b\": \"[,]\"}, {}]",
			"\"{\\\"a\\\":[1,{},[]],\\\"b\\\":\\\"[,]\\\"}\""},
		{"json.marshal_with_options",
			"[{\"a\": [1, {}, []], \"b\": \"\\\"[,]\"}, {\"inden"
			"t\": \"  \"}]",
			"\"{\\n  \\\"a\\\": [\\n    1,\\n    {},\\n    []\\n"
			"  ],\\n  \\\"b\\\": \\\"\\\\\\\"[,]\\\"\\n}\""},
		{"json.marshal_with_options", "[[1], {\"prefix\": \">\"}]",
			"\">[\\n>\\t1\\n>]\""},
		{"json.marshal_with_options",
			"[[1], {\"prefix\": \">\", \"pretty\": false}]",
			"\"[1]\""},
		{"json.marshal_with_options", "[[1], {\"pretty\": \"x\"}]",
			"eval_type_error: operand 2 key \"pretty\" failed ca"
			"st to bool"},
		{"json.marshal_with_options", "[[1], {\"indent\": 1}]",
			"eval_type_error: operand 2 key \"indent\" failed ca"
			"st to string: operand 0 must be string but got numb"
			"er"},
		{"json.marshal_with_options", "[[1], {\"what\": 1}]",
			"eval_type_error: operand 2 object contained unknown"
			" key \"what\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void json_is_read_as_opa_does(void **state)
{
	static const struct builtin_case cases[] = {
		{"json.unmarshal",
			"[\"{\\\"a\\\": [1.0, \\\"\\\\u00e9\\\", null]}\"]",
			"{\"a\": [1.0, \"\303\251\", null]}"},
		{"json.unmarshal", "[\"[1,\"]",
			"eval_builtin_error: unexpected EOF"},
		{"json.unmarshal", "[\"\"]", "eval_builtin_error: EOF"},
		{"json.unmarshal", "[\"{]\"]",
			"eval_builtin_error: invalid character ']' looking f"
			"or beginning of object key string"},
		{"json.unmarshal", "[\"1 2\"]",
			"eval_builtin_error: error: invalid character '2' af"
			"ter top-level value"},
		{"json.is_valid",
			"[\"{\\\"a\\\": [1, 2e9, {\\\"b\\\": true}]}\"]",
			"true"},
		{"json.is_valid", "[\"1 null\"]", "false"},
		{"json.is_valid", "[\"[1,]\"]", "false"},
		{"json.is_valid", "[\"{\\\"a\\\":}\"]", "false"},
		{"json.is_valid", "[\"{\\\"a\\\" 1}\"]", "false"},
		{"json.is_valid", "[\"01\"]", "false"},
		{"json.is_valid", "[\"-\"]", "false"},
		{"json.is_valid", "[\"\\\"\\\\ud800\\\"\"]", "true"},
		{"json.is_valid", "[\"\\\"\\t\\\"\"]", "false"},
		{"json.is_valid", "[\" [ ] \"]", "true"},
		{"json.is_valid", "[\"\"]", "false"},
		{"json.is_valid", "[null]", "false"},
		{"json.is_valid", "[\"1e999999\"]", "true"},
		{"json.is_valid", "[\"[}\"]", "false"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void yaml_lays_out_two_spaces_a_level(void **state)
{
	static const struct builtin_case cases[] = {
		{"yaml.marshal",
			"[{\"a\": [[1, 2], [[]], {}, {\"x\": [], \"y\": {\"z"
			"\": 1}}], \"b\": {\"c\": {\"d\": \"e\"}}}]",
			"\"a:\\n  - - 1\\n    - 2\\n  - - []\\n  - {}\\n  - "
			"x: []\\n    \\\"y\\\":\\n      z: 1\\nb:\\n  c:\\n "
			"   d: e\\n\""},
		{"yaml.marshal", "[[]]", "\"[]\\n\""},
		{"yaml.marshal", "[\"x\"]", "\"x\\n\""},
		{"yaml.marshal", "[null]", "\"null\\n\""},
		{"yaml.marshal",
			"[{\"a10\": 1, \"a2\": 2, \"A\": 3, \"_\": 4, \"a02\""
			": 5, \"b.c\": 6}]",
			"\"_: 4\\nA: 3\\na2: 2\\na02: 5\\na10: 1\\nb.c: 6\\n"
			"\""},
		{"yaml.marshal",
			"[{\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\": 1, \"a\\nb\": 2}"
			"]",
			"\"? |-\\n  a\\n  b\\n: 2\\n? xxxxxxxxxxxxxxxxxxxxxx"
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			"xxxxx\\n: 1\\n\""},
		{"yaml.marshal",
			"[[1.0, 1e21, 0.1, 100000000000000000000, 1e400]]",
			"\"- 1\\n- 1e+21\\n- 0.1\\n- 1e+20\\n- 1e400\\n\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void yaml_quotes_what_would_be_something_else(void **state)
{
	static const struct builtin_case cases[] = {
		{"yaml.marshal",
			"[[\"\", \"~\", \"yes\", \"No\", \"true\", \"1\", \""
			"-1\", \"0x1f\", \"0b11\", \"0o17\", \"017\", \"09\""
			", \"1_000\", \"1e3\", \".5\", \"+.inf\", \"190:20:3"
			"0\"]]",
			"\"- \\\"\\\"\\n- \\\"~\\\"\\n- \\\"yes\\\"\\n- \\\""
			"No\\\"\\n- \\\"true\\\"\\n- \\\"1\\\"\\n- \\\"-1\\\""
			"\\n- \\\"0x1f\\\"\\n- \\\"0b11\\\"\\n- \\\"0o17\\\""
			"\\n- \\\"017\\\"\\n- \\\"09\\\"\\n- \\\"1_000\\\"\\"
			"n- \\\"1e3\\\"\\n- \\\".5\\\"\\n- \\\"+.inf\\\"\\n-"
			" \\\"190:20:30\\\"\\n\""},
		{"yaml.marshal",
			"[[\"2001-01-01\", \"2001-1-1 1:2:3\", \"2001-01-01T"
			"10:00:00Z\", \"2001-02-30\", \"<<\", \"- a\", \"-a\""
			", \"a: b\", \"a:b\", \"a #b\", \"#a\", \"a, b\", \""
			"[a]\", \"'a'\", \"\\\"a\\\"\", \"a \", \"?a\"]]",
			"\"- \\\"2001-01-01\\\"\\n- \\\"2001-1-1 1:2:3\\\"\\"
			"n- \\\"2001-01-01T10:00:00Z\\\"\\n- 2001-02-30\\n- "
			"<<\\n- '- a'\\n- -a\\n- 'a: b'\\n- a:b\\n- 'a #b'\\"
			"n- '#a'\\n- a, b\\n- '[a]'\\n- '''a'''\\n- '\\\"a\\"
			"\"'\\n- 'a '\\n- ?a\\n\""},
		{"yaml.marshal",
			"[[\"tab\\there\", \"bell\\u0007\", \"\302\240\", \""
			"\360\237\230\200\", \"\357\273\277ab\"]]",
			"\"- \\\"tab\\\\there\\\"\\n- \\\"bell\\\\a\\\"\\n- "
			"\\u00a0\\n- \\\"\\\\U0001F600\\\"\\n- \\\"\\\\uFEFF"
			"\\\\x61\\\\x62\\\"\\n\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void yaml_writes_lines_as_a_block(void **state)
{
	static const struct builtin_case cases[] = {
		{"yaml.marshal",
			"[{\"a\": \"x\\ny\\n\", \"b\": \"x\\ny\", \"c\": \"x"
			"\\n\\n\", \"d\": \" x\\ny\", \"e\": \"x \\ny\", \"f"
			"\": \"\\n\"}]",
			"\"a: |\\n  x\\n  y\\nb: |-\\n  x\\n  y\\nc: |+\\n  "
			"x\\n\\nd: |2-\\n   x\\n  y\\ne: \\\"x \\\\ny\\\"\\n"
			"f: |2+\\n\\n\""},
		{"yaml.marshal", "[\"a\\nb\"]", "\"|-\\n  a\\n  b\\n\""},
		{"yaml.marshal",
			"[[\"a\342\200\250b\", \"a\302\205\302\205b\", \"it'"
			"s \"]]",
			"\"- 'a\\u2028  b'\\n- |-\\n  a\\n  b\\n- 'it''s '\\"
			"n\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void yaml_refuses_control_characters(void **state)
{
	static const struct builtin_case cases[] = {
		{"yaml.marshal", "[\"\177\"]",
			"eval_builtin_error: yaml: control characters are no"
			"t allowed"},
		{"yaml.marshal",
			"[{\"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
			"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\": 1}]",
			"eval_builtin_error: yaml: did not find expected ','"
			" or '}'"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void yaml_is_read(void **state)
{
	static const struct builtin_case cases[] = {
		{"yaml.unmarshal", "[\"a: [1, yes]\\nb: &x {c: ~}\\nd: *x\"]",
			"{\"a\": [1, \"yes\"], \"b\": {\"c\": null}, \"d\": "
			"{\"c\": null}}"},
		{"yaml.is_valid", "[\"a: [\"]", "false"},
		{"yaml.is_valid", "[\"a: b\"]", "true"},
		{"yaml.is_valid", "[1]", "false"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_comes_in_three_kinds),
		cmocka_unit_test(broken_base64_is_named_by_its_byte),
		cmocka_unit_test(hex_is_pairs_of_digits),
		cmocka_unit_test(urlquery_escapes_all_but_letters_and_digits),
		cmocka_unit_test(json_is_written_as_go_does),
		cmocka_unit_test(json_is_read_as_opa_does),
		cmocka_unit_test(yaml_lays_out_two_spaces_a_level),
		cmocka_unit_test(yaml_quotes_what_would_be_something_else),
		cmocka_unit_test(yaml_writes_lines_as_a_block),
		cmocka_unit_test(yaml_refuses_control_characters),
		cmocka_unit_test(yaml_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
