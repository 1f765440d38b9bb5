#include "tests/builtin_calls.h"

/* Hashes of strings. Expected values are what OPA gives. */

static void hashes_are_printed_in_hex(void **state)
{
	static const struct builtin_case cases[] = {
		{"crypto.md5", "[\"lorem ipsum\"]",
			"\"80a751fde577028640c419000e33eba6\""},
		{"crypto.sha1", "[\"lorem ipsum\"]",
			"\"bfb7759a67daeb65410490b4d98bb9da7d1ea2ce\""},
		{"crypto.sha256", "[\"lorem ipsum\"]",
			"\"5e2bf57d3f40c4b6df69daf1936cb766f832374b4fc0259a7"
			"cbff06e2f70f269\""},
		{"crypto.sha256", "[\"\"]",
			"\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca"
			"495991b7852b855\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void hmac_takes_the_message_first(void **state)
{
	static const struct builtin_case cases[] = {
		{"crypto.hmac.md5", "[\"foo\", \"bar\"]",
			"\"31b6db9e5eb4addb42f1a6ca07367adc\""},
		{"crypto.hmac.sha1", "[\"foo\", \"bar\"]",
			"\"85d155c55ed286a300bd1cf124de08d87e914f3a\""},
		{"crypto.hmac.sha256", "[\"foo\", \"bar\"]",
			"\"147933218aaabc0b8b10a2b3a5c34684c8d94341bcf10a473"
			"6dc7270f7741851\""},
		{"crypto.hmac.sha512",
			"[\"foo\", \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
			"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
			"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
			"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
			"bbbbbbbb\"]",
			"\"f49a18593bde777f9c35c23ca306b821dae4dab0f86445305"
			"65086dcf45a671ea1aa15b91b0d6b8689155be022ad0e417166"
			"3728726df98faf319463785724f5\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void hmacs_are_equal_or_not(void **state)
{
	static const struct builtin_case cases[] = {
		{"crypto.hmac.equal", "[\"ab\", \"ab\"]", "true"},
		{"crypto.hmac.equal", "[\"ab\", \"ac\"]", "false"},
		{"crypto.hmac.equal", "[\"ab\", \"abc\"]", "false"},
		{"crypto.hmac.equal", "[\"\", \"\"]", "true"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_printed_in_hex),
		cmocka_unit_test(hmac_takes_the_message_first),
		cmocka_unit_test(hmacs_are_equal_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
