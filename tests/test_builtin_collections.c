#include "tests/builtin_calls.h"

#include "rego/builtin/walk.h"

#define SET(items) "{\"$set\": [" items "]}"

static void arrays_are_cut_and_joined(void **state)
{
	static const struct builtin_case cases[] = {
		{"array.concat", "[[1], [2, 1]]", "[1, 2, 1]"},
		{"array.flatten", "[[1, [2, [3]], [], {}]]", "[1, 2, [3], {}]"},
		{"array.reverse", "[[1, 2, 3]]", "[3, 2, 1]"},
		{"array.slice", "[[1, 2, 3], -5, 2.0]", "[1, 2]"},
		{"array.slice", "[[1, 2, 3], 2, 1]", "[]"},
		{"array.slice", "[[1], 1e0, \"x\"]",
			"eval_type_error: operand 2 must be integer number "
			"but got floating-point number"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void sets_of_sets_are_folded(void **state)
{
	static const struct builtin_case cases[] = {
		{"intersection", "[" SET(SET("1, 2") ", " SET("2, 3")) "]",
			"{2}"},
		{"intersection", "[" SET("") "]", "set()"},
		{"union", "[" SET(SET("1") ", " SET("2, 1")) "]", "{1, 2}"},
		{"union", "[" SET("1") "]",
			"eval_type_error: operand 1 must be set but got "
			"number"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void objects_are_picked_apart(void **state)
{
	static const struct builtin_case cases[] = {
		{"object.filter", "[{\"a\": 1, \"b\": 2}, [\"b\", \"c\"]]",
			"{\"b\": 2}"},
		{"object.remove", "[{\"a\": 1, \"b\": 2}, {\"b\": 0}]",
			"{\"a\": 1}"},
		{"object.remove", "[{}, 1]",
			"eval_type_error: operand 2 must be one of {object, "
			"set, array} but got number"},
		{"object.keys", "[{\"a\": 1}]", "{\"a\"}"},
		{"object.get", "[{\"a\": [7]}, [\"a\", 0], 1]", "7"},
		{"object.get", "[{\"a\": [7]}, [\"a\", 1], 1]", "1"},
		{"object.get", "[{\"a\": 1}, [], 2]", "{\"a\": 1}"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void the_later_object_wins_a_union(void **state)
{
	static const struct builtin_case cases[] = {
		{"object.union",
			"[{\"a\": {\"x\": 1, \"y\": 1}}, "
			"{\"a\": {\"y\": 2}, \"b\": 1}]",
			"{\"a\": {\"x\": 1, \"y\": 2}, \"b\": 1}"},
		/* what stood before a value that is no object is forgotten */
		{"object.union_n",
			"[[{\"a\": {\"b\": 2}}, {\"a\": 4}, "
			"{\"a\": {\"c\": 3}}]]",
			"{\"a\": {\"c\": 3}}"},
		{"object.union_n", "[[]]", "{}"},
		{"object.union_n", "[[{}, 1]]",
			"eval_type_error: operand 1 must be array of objects "
			"but got array containing number"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void subsets_go_into_objects_only(void **state)
{
	static const struct builtin_case cases[] = {
		{"object.subset",
			"[{\"a\": {\"b\": [1, 2, 3]}, \"c\": 1}, "
			"{\"a\": {\"b\": [2, 3]}}]",
			"true"},
		{"object.subset", "[[1, 2, 3], [1, 3]]", "false"},
		{"object.subset", "[" SET("1, 2") ", " SET("2") "]", "true"},
		/* OPA counts the items it meets, not the members */
		{"object.subset", "[[1, 1], " SET("1, 2") "]", "true"},
		{"object.subset", "[[], " SET("") "]", "false"},
		{"object.subset", "[{}, []]",
			"eval_type_error: both arguments object.subset must "
			"be of the same type or array and set"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void paths_filter_and_remove(void **state)
{
	static const struct builtin_case cases[] = {
		{"json.filter", "[{\"a\": {\"b\": 1, \"c\": 2}}, [\"/a/b\"]]",
			"{\"a\": {\"b\": 1}}"},
		{"json.filter", "[{\"a\": [1, 2]}, [[\"a\", \"1\"]]]",
			"{\"a\": [2]}"},
		{"json.filter", "[{\"a/b\": 1, \"c\": 2}, [\"a~1b\"]]",
			"{\"a/b\": 1}"},
		{"json.filter", "[{}, []]", "{}"},
		{"json.remove", "[{\"a\": [1, 2]}, [\"a/0\", \"a/0/x\"]]",
			"{\"a\": [2]}"},
		{"json.remove", "[{\"a\": 1}, [\"\"]]", "{\"a\": 1}"},
		{"json.remove", "[{}, [1]]",
			"eval_type_error: operand 2 must be one of {set, "
			"array} containing string paths or array of path "
			"segments but got number"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

#define OP(op, rest) "{\"op\": \"" op "\", " rest "}"

static void patches_apply_one_after_the_other(void **state)
{
	static const struct builtin_case cases[] = {
		{"json.patch",
			"[{\"a\": [1]}, [" OP("add",
				"\"path\": \"/a/-\", "
				"\"value\": 2") ", " OP("add",
				"\"path\": \"/a/0\", \"value\": 0") "]]",
			"{\"a\": [0, 1, 2]}"},
		{"json.patch",
			"[{\"a\": 1}, [" OP("move",
				"\"from\": \"/a\", \"path\": \"/b\"") "]]",
			"{\"b\": 1}"},
		{"json.patch",
			"[" SET("[0], 1") ", [" OP(
				"add", "\"path\": [[0], 1], \"value\": 5") "]]",
			"{1, [0, 5]}"},
		{"json.patch",
			"[1, [" OP("replace",
				"\"path\": \"\", \"value\": {}") "]]",
			"{}"},
		/* an item that was not touched is found where it was */
		{"json.patch",
			"[[{\"x\": 1}, {\"x\": 2}], [" OP("add",
				"\"path\": \"0\", \"value\": 7") ", " OP("add",
				"\"path\": \"1/y\", \"value\": 8") "]]",
			"[7, {\"x\": 2, \"y\": 8}, {\"x\": 2}]"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void a_patch_that_fails_says_why(void **state)
{
	static const struct builtin_case cases[] = {
		{"json.patch", "[{}, [1]]",
			"eval_builtin_error: must be an array of JSON-Patch "
			"objects, but at least one element is not an object"},
		{"json.patch", "[{}, [{\"op\": \"add\"}]]",
			"eval_builtin_error: missing required attribute "
			"'path'"},
		{"json.patch", "[{}, [" OP("turn", "\"path\": \"a\"") "]]",
			"eval_builtin_error: unrecognized op: 'turn'"},
		{"json.patch", "[{}, [" OP("remove", "\"path\": \"a\"") "]]",
			"eval_builtin_error: cannot delete child key \"a\" "
			"that does not exist"},
		{"json.patch", "[[1], [" OP("remove", "\"path\": \"01\"") "]]",
			"eval_builtin_error: leading zeros are not allowed in "
			"JSON paths"},
		{"json.patch",
			"[{\"a\": 1}, [" OP(
				"test", "\"path\": \"a\", \"value\": 2") "]]",
			"eval_builtin_error: value from EditTree != patch "
			"value.\n\nExpected: 2\n\nFound: 1"},
		{"json.patch",
			"[{\"a\": \"s\"}, [" OP(
				"add", "\"path\": \"a/b\", \"value\": 2") "]]",
			"eval_builtin_error: expected composite type, found "
			"value: \"s\" (type: ast.String)"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void graphs_are_searched(void **state)
{
	static const struct builtin_case cases[] = {
		{"graph.reachable",
			"[{\"a\": [\"b\"], \"b\": [\"a\", \"z\"], "
			"\"c\": []}, [\"a\"]]",
			"{\"a\", \"b\"}"},
		{"graph.reachable_paths",
			"[{\"a\": [\"b\", \"c\"], \"b\": [\"a\"], "
			"\"c\": []}, [\"a\"]]",
			"{[\"a\", \"b\"], [\"a\", \"c\"]}"},
		/* an edge from a root to itself is followed once */
		{"graph.reachable_paths", "[{\"a\": [\"a\"]}, [\"a\"]]",
			"{[\"a\", \"a\"]}"},
		{"graph.reachable", "[{}, 1]",
			"eval_type_error: operand 2 must be {array, set} but "
			"got number"},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

static void a_walk_visits_every_document(void **state)
{
	static const char *const want[] = {
		"[] {\"a\": [7], \"b\": {3}}",
		"[\"a\"] [7]",
		"[\"a\", 0] 7",
		"[\"b\"] {3}",
		"[\"b\", 3] 3",
	};
	static const char text[] = "{\"b\": {\"$set\": [3]}, \"a\": [7]}";
	struct arena a = {0};
	struct json_error e;
	struct value doc, path, val;
	struct walk *it;
	size_t n = 0;

	(void)state;
	assert_true(json_parse(&a, NULL, str_from(text), 10, &doc, &e));
	it = walk_new(&a, with_sets(&a, doc), true);
	for (; walk_next(it, &path, &val); n++) {
		struct buf got = {0};

		assert_true(n < COUNT(want));
		value_text(&got, path);
		buf_addc(&got, ' ');
		value_text(&got, val);
		assert_string_equal(got.ptr, want[n]);
		buf_release(&got);
	}
	assert_num(n, COUNT(want));
	assert_false(walk_next(it, NULL, &val));
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrays_are_cut_and_joined),
		cmocka_unit_test(sets_of_sets_are_folded),
		cmocka_unit_test(objects_are_picked_apart),
		cmocka_unit_test(the_later_object_wins_a_union),
		cmocka_unit_test(subsets_go_into_objects_only),
		cmocka_unit_test(paths_filter_and_remove),
		cmocka_unit_test(patches_apply_one_after_the_other),
		cmocka_unit_test(a_patch_that_fails_says_why),
		cmocka_unit_test(graphs_are_searched),
		cmocka_unit_test(a_walk_visits_every_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
