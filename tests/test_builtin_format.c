#include "tests/builtin_calls.h"

/* sprintf() and format_int(). Expected values are what OPA gives. */

static void every_verb_prints_what_it_is_for(void **state)
{
	static const struct builtin_case cases[] = {
		{"sprintf",
			"[\"%d %b %o %O %x %X %c %q %U\", [42, 5, 8, 8, 255,"
			" 255, 233, 65, 9731]]",
			"\"42 101 10 0o10 ff FF \303\251 'A' U+2603\""},
		{"sprintf",
			"[\"%s|%v|%q|%x|%X\", [\"a\\\"\303\251\", \"b\", \"a"
			"\\\"\303\251\", \"hi\", \"hi\"]]",
			"\"a\\\"\303\251|b|\\\"a\\\\\\\"\303\251\\\"|6869|68"
			"69\""},
		{"sprintf",
			"[\"%f %e %g %F %E %G %v\", [1.5, 1.5, 1e21, 2.25, 0"
			".1, 1e-7, 1e6]]",
			"\"1.500000 1.500000e+00 1e+21 2.250000 1.000000E-01"
			" 1E-07 1e+06\""},
		{"sprintf", "[\"%b %x %X\", [1.5, 1.5, -0.75]]",
			"\"6755399441055744p-52 0x1.8p+00 -0X1.8P-01\""},
		{"sprintf",
			"[\"%T %T %T %T\", [\"a\", 1, 1.5, 18446744073709551"
			"616]]",
			"\"string int64 float64 *big.Int\""},
		{"sprintf", "[\"%t\", [true]]", "\"%!t(string=true)\""},
		{"sprintf", "[\"100%%\", []]", "\"100%\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void flags_width_and_precision_are_heeded(void **state)
{
	static const struct builtin_case cases[] = {
		{"sprintf",
			"[\"|%5d|%-5d|%05d|%+d|% d|\", [42, 42, 42, 42, 42]]"
			"",
			"\"|   42|42   |00042|+42| 42|\""},
		{"sprintf",
			"[\"|%8.3d|%.0d|%08.3d|%-08d|\", [42, 0, -42, -42]]",
			"\"|     042||    -042|-42     |\""},
		{"sprintf",
			"[\"|%#x|%#o|%#b|%#q|%#v|%+q|% x|%# x|\", [255, 8, 5"
			", \"a\", \"\303\251\", \"\303\251\", \"ab\", \"ab\""
			"]]",
			"\"|0xff|010|0b101|`a`|\\\"\303\251\\\"|\\\"\\\\u00e"
			"9\\\"|61 62|0x61 0x62|\""},
		{"sprintf",
			"[\"|%5s|%-5s|%05s|%.2s|%5.1s|\", [\"\303\251\", \"\303"
			"\251\", \"\303\251\", \"\346\227\245\346\234\254\350"
			"\252\236\", \"ab\"]]",
			"\"|    \303\251|\303\251    |0000\303\251|\346\227\245"
			"\346\234\254|    a|\""},
		{"sprintf",
			"[\"|%8.2f|%-8.1f|%08.1f|%+.1f|% .1f|%#g|%#.3x|%+010"
			".2f|\", [3.14159, 3.14159, -3.14159, 1.0, 1.0, 1.0,"
			" 1.0, 1.5]]",
			"\"|    3.14|3.1     |-00003.1|+1.0| 1.0|1.00000|0x1"
			".000p+00|+000001.50|\""},
		{"sprintf", "[\"|%*d|%-*d|%.*f|\", [5, 42, 5, 42, 2, 1.5]]",
			"\"|   42|42   |1.50|\""},
		{"sprintf", "[\"|%*d|\", [-5, 42]]", "\"|42   |\""},
		{"sprintf", "[\"%#U\", [9731]]", "\"U+2603 '\342\230\203'\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void composites_are_printed_as_rego(void **state)
{
	static const struct builtin_case cases[] = {
		{"sprintf",
			"[\"%v %v %v %v\", [[1, \"a\"], {\"a\": null}, {\"$s"
			"et\": [\"x\"]}, {\"$set\": []}]]",
			"\"[1, \\\"a\\\"] {\\\"a\\\": null} {\\\"x\\\"} set("
			")\""},
		{"sprintf", "[\"%s %d\", [null, [1]]]",
			"\"null %!d(string=[1])\""},
		{"sprintf", "[\"%.3s\", [[\"abc\"]]]", "\"[\\\"a\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void mistakes_are_marked_in_place(void **state)
{
	static const struct builtin_case cases[] = {
		{"sprintf", "[\"%d\", [\"x\"]]", "\"%!d(string=x)\""},
		{"sprintf", "[\"%s\", [1]]", "\"%!s(int64=1)\""},
		{"sprintf", "[\"%s %s\", [\"a\"]]", "\"a %!s(MISSING)\""},
		{"sprintf", "[\"a\", [\"b\", 1]]",
			"\"a%!(EXTRA string=b, int64=1)\""},
		{"sprintf", "[\"%\", []]", "\"%!(NOVERB)\""},
		{"sprintf", "[\"%z\", [1]]", "\"%!z(int64=1)\""},
		{"sprintf", "[\"%!\", []]", "\"%!!(MISSING)\""},
		{"sprintf", "[\"%*d\", [\"x\", 1]]", "\"%!(BADWIDTH)1\""},
		{"sprintf", "[\"%.*d\", [\"x\", 1]]", "\"%!(BADPREC)1\""},
		{"sprintf", "[\"%[3]d\", [1]]", "\"%!d(BADINDEX)\""},
		{"sprintf", "[\"%[x]d\", [1]]", "\"%!d(BADINDEX)\""},
		{"sprintf", "[\"%[1\", [1]]", "\"%!(NOVERB)\""},
		{"sprintf", "[\"%-010d|%6d\", [\"a\", \"b\"]]",
			"\"%!d(string=a         )|%!d(string=     b)\""},
		{"sprintf", "[\"%10000011d\", [1]]",
			"\"%!(NOVERB)%!(EXTRA int64=1)\""},
		{"sprintf", "[\"%.3w\", [\"abcd\"]]", "\"%!w(string=abc)\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void arguments_can_be_picked_by_number(void **state)
{
	static const struct builtin_case cases[] = {
		{"sprintf", "[\"%[2]d %[1]d\", [1, 2]]", "\"2 1\""},
		{"sprintf", "[\"%[2]*[1]d\", [7, 4]]", "\"   7\""},
		{"sprintf", "[\"%[1]d %d %[1]d\", [1, 2]]", "\"1 2 1\""},
		{"sprintf", "[\"%[3]*.[2]*[1]f\", [12.0, 2, 6]]", "\" 12.00\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void big_integers_keep_all_digits(void **state)
{
	static const struct builtin_case cases[] = {
		{"sprintf",
			"[\"%d %s %v %x\", [123456789012345678901234567890, "
			"123456789012345678901234567890, 1234567890123456789"
			"01234567890, 123456789012345678901234567890]]",
			"\"123456789012345678901234567890 123456789012345678"
			"901234567890 123456789012345678901234567890 18ee90f"
			"f6c373e0ee4e3f0ad2\""},
		{"sprintf",
			"[\"|%30d|%-30d|%030d|%+d|%#X|%.25d|\", [18446744073"
			"709551616, 18446744073709551616, 184467440737095516"
			"16, 18446744073709551616, 18446744073709551616, 184"
			"46744073709551616]]",
			"\"|          18446744073709551616|18446744073709551"
			"616          |000000000018446744073709551616|+18446"
			"744073709551616|0X10000000000000000|000001844674407"
			"3709551616|\""},
		{"sprintf",
			"[\"%c %w\", [18446744073709551616, 1844674407370955"
			"1616]]",
			"\"%!c(big.Int=18446744073709551616) %!w(*big.Int=&{"
			"false [0 1]})\""},
		{"sprintf",
			"[\"%+w %#w\", [-36893488147419103233, -368934881474"
			"19103233]]",
			"\"%!w(*big.Int=&{neg:true abs:[1 2]}) %!w(*big.Int="
			"&big.Int{neg:true, abs:big.nat{0x1, 0x2}})\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void numbers_are_floats_by_their_text(void **state)
{
	static const struct builtin_case cases[] = {
		{"sprintf", "[\"%d %v %v %v\", [1.0, 1.0, 1e400, -0]]",
			"\"%!d(float64=1) 1 1e400 0\""},
		{"sprintf", "[\"%v %v\", [5e-324, 9007199254740993.0]]",
			"\"5e-324 9.007199254740992e+15\""},
		{"sprintf", "[\"%v\", [5.684341886080802e-14]]",
			"\"5.684341886080802e-14\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void format_int_cuts_fractions_off(void **state)
{
	static const struct builtin_case cases[] = {
		{"format_int", "[255, 16]", "\"ff\""},
		{"format_int", "[-5, 2]", "\"-101\""},
		{"format_int", "[8, 8]", "\"10\""},
		{"format_int", "[15.9, 16]", "\"f\""},
		{"format_int", "[-15.9, 10]", "\"-15\""},
		{"format_int", "[1e3, 10]", "\"1000\""},
		{"format_int", "[18446744073709551617, 10]",
			"\"18446744073709551617\""},
		{"format_int", "[-0.5, 10]", "\"0\""},
		{"format_int", "[-9223372036854775808, 16]",
			"\"-8000000000000000\""},
		{"format_int", "[12345678901234567890.5, 16]",
			"\"ab54a98ceb1f0ad2\""},
		{"format_int", "[1, 3]",
			"eval_type_error: operand 2 must be one of {2, 8, 10"
			", 16}"},
		{"format_int", "[1, 10.0]",
			"eval_type_error: operand 2 must be one of {2, 8, 10"
			", 16}"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_verb_prints_what_it_is_for),
		cmocka_unit_test(flags_width_and_precision_are_heeded),
		cmocka_unit_test(composites_are_printed_as_rego),
		cmocka_unit_test(mistakes_are_marked_in_place),
		cmocka_unit_test(arguments_can_be_picked_by_number),
		cmocka_unit_test(big_integers_keep_all_digits),
		cmocka_unit_test(numbers_are_floats_by_their_text),
		cmocka_unit_test(format_int_cuts_fractions_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
