/* Options as OPA's commands take them. */
#include "tests/test.h"

#include "base/clock.h"
#include "cli/operation.h"

struct params {
	bool all, quiet;
	const char *file, *format;
	struct list data, ignore;
	int64_t count, timeout, size;
	double ratio;
};

#define AT(field) offsetof(struct params, field)

/* clang-format off */
static const struct option options[] = {
	{'a', "all", OPT_BOOL, AT(all), NULL, NULL, ""},
	{'d', "data", OPT_LIST, AT(data), NULL, NULL, ""},
	{'f', "format", OPT_CHOICE, AT(format), "json pretty", "json", ""},
	{0, "ignore", OPT_CSV, AT(ignore), NULL, NULL, ""},
	{'i', "input", OPT_STRING, AT(file), NULL, NULL, ""},
	{'p', "profile", OPT_NO_BOOL, 0, NULL, NULL, ""},
	{'n', "count", OPT_INT, AT(count), NULL, "1", ""},
	{'q', "quiet", OPT_BOOL, AT(quiet), NULL, NULL, ""},
	{0, "ratio", OPT_FLOAT, AT(ratio), NULL, NULL, ""},
	{0, "size", OPT_SIZE, AT(size), NULL, NULL, ""},
	{0, "timeout", OPT_DURATION, AT(timeout), NULL, NULL, ""},
};
/* clang-format on */

static const struct command eval = {
	.name = "eval", .options = options, .noptions = COUNT(options)};

struct parsed {
	struct arena a;
	struct params p;
	struct list args;
	bool help;
	struct err err;
};

/* Words of `line`, split at blanks. */
static bool parse(struct parsed *r, const char *line)
{
	char *argv[32];
	int argc = 0;

	arena_release(&r->a);
	*r = (struct parsed){0};
	for (const char *p = line; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		argv[argc++] = arena_strdup(&r->a, str_make(p, n));
		p += n;
	}
	return parse_options(
		&r->a, &eval, argc, argv, &r->p, &r->args, &r->help, &r->err);
}

static void assert_refused(const char *line, const char *want)
{
	struct parsed r = {0};

	assert_false(parse(&r, line));
	assert_string_equal(r.err.text, want);
	arena_release(&r.a);
}

static void values_stand_in_every_form(void **state)
{
	struct parsed r = {0};

	(void)state;
	assert_true(parse(&r, "--data a -db -d=c -d d --data=e"));
	assert_num(r.p.data.len, 5);
	assert_string_equal(r.p.data.items[1], "b");
	assert_string_equal(r.p.data.items[2], "c");
	assert_string_equal(r.p.data.items[4], "e");
	assert_true(parse(&r, "-aqi file x"));
	assert_true(r.p.all && r.p.quiet);
	assert_string_equal(r.p.file, "file");
	assert_num(r.args.len, 1);
	assert_true(parse(&r, "--all=false --ignore=.*,b --ignore c"));
	assert_false(r.p.all);
	assert_num(r.p.ignore.len, 3);
	arena_release(&r.a);
}

static void arguments_stand_anywhere(void **state)
{
	struct parsed r = {0};

	(void)state;
	assert_true(parse(&r, "x --all - y -- -z"));
	assert_num(r.args.len, 4);
	assert_string_equal(r.args.items[1], "-");
	assert_string_equal(r.args.items[3], "-z");
	arena_release(&r.a);
}

static void initial_values_hold_until_set(void **state)
{
	struct parsed r = {0};

	(void)state;
	assert_true(parse(&r, ""));
	assert_num(r.p.count, 1);
	assert_string_equal(r.p.format, "json");
	assert_true(parse(&r, "-n 0x10 -f pretty"));
	assert_num(r.p.count, 16);
	assert_string_equal(r.p.format, "pretty");
	arena_release(&r.a);
}

static void quantities_have_units(void **state)
{
	struct parsed r = {0};

	(void)state;
	assert_true(parse(&r, "--timeout 1m1.5s --size 64MiB --ratio 0.5"));
	assert_num(r.p.timeout, 61500 * NS_PER_MS);
	assert_num(r.p.size, 64 << 20);
	assert_true(r.p.ratio > 0.49 && r.p.ratio < 0.51);
	assert_refused("--timeout 5",
		"invalid argument \"5\" for \"--timeout\" flag: time: invalid "
		"duration \"5\"");
	arena_release(&r.a);
}

static void errors_are_opas(void **state)
{
	(void)state;
	assert_refused("--bogus x", "unknown flag: --bogus");
	assert_refused("-1.5e-7", "unknown shorthand flag: '1' in -1.5e-7");
	assert_refused("-d", "flag needs an argument: 'd' in -d");
	assert_refused("--data", "flag needs an argument: --data");
	assert_refused("-f xml",
		"invalid argument \"xml\" for \"-f, --format\" flag: must be "
		"one of {json,pretty}");
	assert_refused("-n x",
		"invalid argument \"x\" for \"-n, --count\" flag: "
		"strconv.ParseInt: parsing \"x\": invalid syntax");
	assert_refused("--all=maybe",
		"invalid argument \"maybe\" for \"-a, --all\" flag: "
		"strconv.ParseBool: parsing \"maybe\": invalid syntax");
}

static void what_is_not_there_is_refused_by_name(void **state)
{
	(void)state;
	assert_refused(
		"-p", "flag --profile of opa eval is not supported here yet");
}

static void every_command_tells_its_flags_apart(void **state)
{
	(void)state;
	for (size_t i = 0; commands[i]; i++)
		for (size_t k = 0; k < commands[i]->noptions; k++) {
			const struct option *o = &commands[i]->options[k];
			bool refused = o->kind == OPT_NO_BOOL ||
				       o->kind == OPT_NO_VALUE;

			assert_true(refused || o->help);
			assert_true(refused || o->at < commands[i]->params);
			for (size_t m = 0; m < k; m++) {
				const struct option *b =
					&commands[i]->options[m];

				assert_string_not_equal(b->name, o->name);
				assert_true(
					!o->letter || o->letter != b->letter);
			}
		}
}

static bool takes(const struct op *op, const char *name)
{
	for (size_t i = 0; i < op->nparams; i++)
		if (!strcmp(op->params[i].name, name))
			return true;
	return false;
}

static void a_command_names_arguments_of_its_operation(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t i = 0; commands[i]; i++) {
		const struct operation *o = commands[i]->operation;
		const struct op *op = op_find(commands[i]->name);

		if (!o)
			continue;
		n++;
		assert_non_null(op);
		for (size_t k = 0; o->names && o->names[k]; k++)
			assert_true(takes(op, o->names[k]));
	}
	assert_true(n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_stand_in_every_form),
		cmocka_unit_test(arguments_stand_anywhere),
		cmocka_unit_test(initial_values_hold_until_set),
		cmocka_unit_test(quantities_have_units),
		cmocka_unit_test(errors_are_opas),
		cmocka_unit_test(what_is_not_there_is_refused_by_name),
		cmocka_unit_test(every_command_tells_its_flags_apart),
		cmocka_unit_test(a_command_names_arguments_of_its_operation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
