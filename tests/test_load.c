/* Paths, patterns and what the loader makes of files. */
#include "tests/test.h"

#include "base/limits.h"
#include "rego/load.h"

/* --- a file system of a few lines ----------------------------------------- */

/* clang-format off */
struct entry { const char *path, *text; }; /* text NULL: a folder */
/* clang-format on */

static const struct entry *entries;
static size_t read_max; /* of the last read */

static const struct entry *find(const char *path)
{
	for (const struct entry *e = entries; e->path; e++)
		if (!strcmp(e->path, path))
			return e;
	return NULL;
}

static enum status fake_stat(
	void *user, const char *path, bool nofollow, int *kind, struct err *err)
{
	const struct entry *e = find(path);

	(void)user;
	(void)nofollow;
	if (!e)
		return err_set(err, E_NOT_FOUND, "stat %s: no such file", path);
	*kind = e->text ? LOAD_FILE : LOAD_DIR;
	return OK;
}

static enum status fake_read(void *user, const char *path, size_t max,
	struct buf *out, struct err *err)
{
	(void)user;
	(void)err;
	read_max = max;
	buf_adds(out, find(path)->text);
	return OK;
}

static enum status fake_list(void *user, const char *path, struct arena *a,
	struct str **names, size_t *n, struct err *err)
{
	size_t len = strlen(path);

	(void)user;
	(void)err;
	*names = ARENA_ARRAY(a, struct str, 16);
	*n = 0;
	for (const struct entry *e = entries; e->path; e++)
		if (!strncmp(e->path, path, len) && e->path[len] == '/' &&
			!strchr(e->path + len + 1, '/'))
			(*names)[(*n)++] = str_from(e->path + len + 1);
	return OK;
}

static const struct load_fs fake = {
	.stat = fake_stat, .read = fake_read, .list = fake_list};

/* --- fixture ---------------------------------------------------------------
 */

struct world {
	struct rego_engine *e;
	struct load_options o;
	struct load_errors errs;
	struct arena a;
};

static int set_up(void **state)
{
	static struct world w;
	struct rego_config cfg = {.version = REGO_V1};

	w = (struct world){.e = rego_new(&cfg)};
	w.o = (struct load_options){.fs = &fake, .version = REGO_V1};
	w.errs.list.arena = &w.a;
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	rego_free(w->e);
	arena_release(&w->a);
	return 0;
}

/* The base data as JSON. */
static void assert_data(struct world *w, const char *want)
{
	struct diags d = {.arena = &w->a};
	struct rego_input in = {0};
	struct rego_result res;
	struct buf text = {0};

	assert_true(rego_compile(w->e, false));
	struct rego_query *q = rego_prepare(w->e, S("data"), NULL, NULL, 0, &d);

	assert_non_null(q);
	struct rego_vm *vm = rego_vm_new(w->e);

	rego_eval(vm, q, &in, &res);
	assert_num(res.nrows, 1);
	value_json(&text, res.rows[0].exprs[0], 0, 0);
	assert_string_equal(text.ptr, want);
	buf_release(&text);
	rego_vm_free(vm);
}

static bool load(struct world *w, const char *path)
{
	return load_paths(w->e, &w->o, &path, 1, &w->errs);
}

static void assert_error(const struct world *w, uint32_t i, const char *want)
{
	assert_true(i < w->errs.list.len);
	assert_string_equal(w->errs.list.items[i].message, want);
}

/* --- paths and patterns ------------------------------------------------------
 */

static void cleans_paths_as_go_does(void **state)
{
	/* clang-format off */
	static const char *const rows[][2] = {
		{"", "."}, {".", "."}, {"a//b", "a/b"}, {"./a", "a"},
		{"a/..", "."}, {"a/../b", "b"}, {"../a", "../a"},
		{"../../a", "../../a"}, {"/..", "/"}, {"/../a", "/a"},
		{"a/./b/", "a/b"}, {"..", ".."}, {"../..", "../.."},
		{"a/../..", ".."}, {"/", "/"}, {"//a", "/a"},
	};
	/* clang-format on */
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(load_clean(&a, rows[i][0]), rows[i][1]);
	assert_string_equal(load_join(&a, ".", "x"), "x");
	assert_string_equal(load_join(&a, "a/", "b"), "a/b");
	arena_release(&a);
}

static void matches_names_as_go_does(void **state)
{
	/* clang-format off */
	static const struct { const char *pattern, *name; bool want; } rows[] = {
		{"*_test.rego", "a_test.rego", true},
		{"*_test.rego", "a_test.rego.bak", false},
		{".*", ".git", true}, {".*", "a.b", false},
		{"a?c", "abc", true}, {"a?c", "a\xc3\xa9""c", true},
		{"[a-c]x", "bx", true}, {"[a-c]x", "dx", false},
		{"[^a]x", "bx", true}, {"[^a]x", "ax", false},
		{"\\*", "*", true}, {"\\*", "x", false},
		{"*a*b*", "xaxxbx", true}, {"*", "", true}, {"", "", true},
		{"[", "[", false}, {"[]a]", "a", false}, {"a\\", "a", false},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (load_match(rows[i].pattern, rows[i].name) != rows[i].want)
			fail_msg(
				"%s against %s", rows[i].pattern, rows[i].name);
}

/* --- files
 * --------------------------------------------------------------------- */

static void data_lands_at_its_folder(void **state)
{
	static const struct entry files[] = {{"d", NULL},
		{"d/x.json", "{\"k\": 1}"}, {"d/a", NULL}, {"d/a/b", NULL},
		{"d/a/b/y.yaml", "- 1\n- 2\n"}, {"d/notes.txt", "no data"},
		{NULL, NULL}};
	struct world *w = *state;

	entries = files;
	assert_true(load(w, "d"));
	assert_data(w, "{\"a\":{\"b\":[1,2]},\"k\":1}");
}

static void a_prefix_puts_data_below(void **state)
{
	static const struct entry files[] = {
		{"x.json", "{\"k\": 1}"}, {NULL, NULL}};
	struct world *w = *state;

	entries = files;
	assert_true(load(w, "a.b:x.json"));
	assert_data(w, "{\"a\":{\"b\":{\"k\":1}}}");
}

static void the_same_file_counts_once(void **state)
{
	static const struct entry files[] = {{"d", NULL},
		{"d/x.json", "{\"k\": 1}"}, {"d/../d/x.json", "{\"k\": 1}"},
		{NULL, NULL}};
	const char *paths[] = {"d", "d/x.json", "d/../d/x.json"};
	struct world *w = *state;

	entries = files;
	assert_true(load_paths(w->e, &w->o, paths, COUNT(paths), &w->errs));
	assert_data(w, "{\"k\":1}");
}

static void a_conflict_names_both_files(void **state)
{
	static const struct entry files[] = {{"d", NULL},
		{"d/1.json", "{\"k\": {\"a\": 1}}"},
		{"d/2.json", "{\"k\": {\"a\": {}}}"}, {NULL, NULL}};
	struct world *w = *state;

	entries = files;
	assert_false(load(w, "d"));
	assert_error(w, 0,
		"d/2.json: merge error: conflicting values at data.k.a, also "
		"defined in d/1.json");
}

static void the_root_must_be_an_object(void **state)
{
	static const struct entry files[] = {{"x.json", "[1]"}, {NULL, NULL}};
	struct world *w = *state;

	entries = files;
	assert_false(load(w, "x.json"));
	assert_error(w, 0, "x.json: document must be of type object");
}

static void all_errors_come_in_order(void **state)
{
	static const struct entry files[] = {{"d", NULL}, {"d/1.json", "[1"},
		{"d/2.rego", "package"}, {"d/3.rego", "package a\n\np := 1\n"},
		{NULL, NULL}};
	const char *paths[] = {"gone", "d"};
	struct world *w = *state;

	entries = files;
	assert_false(load_paths(w->e, &w->o, paths, COUNT(paths), &w->errs));
	assert_true(w->errs.list.len >= 3);
	assert_error(w, 0, "stat gone: no such file");
	assert_string_equal(
		w->errs.list.items[1].message, "d/1.json: unexpected EOF");
	assert_string_equal(w->errs.list.items[2].code, "rego_parse_error");
	assert_string_equal(w->errs.list.items[2].file, "d/2.rego");
}

static void ignored_names_are_left_out_below_arguments(void **state)
{
	static const struct entry files[] = {{"d", NULL},
		{"d/1.json", "{\"a\": 1}"}, {"d/2.json", "{\"b\": 1}"},
		{NULL, NULL}};
	static const char *const patterns[] = {"d", "1.*"};
	struct world *w = *state;

	entries = files;
	w->o.ignore = patterns;
	w->o.nignore = COUNT(patterns);
	assert_true(load(w, "d"));
	assert_data(w, "{\"b\":1}");
}

static void archives_are_refused(void **state)
{
	static const struct entry files[] = {{"b.tar.gz", ""}, {NULL, NULL}};
	struct world *w = *state;

	entries = files;
	assert_false(load(w, "b.tar.gz"));
	assert_error(w, 0,
		"bundle b.tar.gz: bundles as archives are not read here yet");
}

/* --- bundles
 * ----------------------------------------------------------------------- */

static bool load_bundle(struct world *w, const char *path)
{
	return load_bundles(w->e, &w->o, &path, 1, false, &w->errs);
}

static void a_bundle_reads_data_files_only(void **state)
{
	static const struct entry files[] = {{"b", NULL},
		{"b/.manifest", "{\"roots\": [\"a\"]}"}, {"b/a", NULL},
		{"b/a/data.json", "{\"k\": 1}"},
		{"b/a/other.json", "{\"o\": 1}"}, {NULL, NULL}};
	struct world *w = *state;

	entries = files;
	assert_true(load_bundle(w, "b"));
	assert_data(w, "{\"a\":{\"k\":1}}");
}

static void roots_hold_packages_and_data(void **state)
{
	static const struct entry rego[] = {{"b", NULL},
		{"b/.manifest", "{\"roots\": [\"a/b\"]}"},
		{"b/p.rego", "package a.c\n"}, {NULL, NULL}};
	static const struct entry data[] = {{"b", NULL},
		{"b/.manifest", "{\"roots\": [\"a/b\"]}"},
		{"b/data.json", "{\"a\": {\"b\": {}, \"bc\": 1}}"},
		{NULL, NULL}};
	struct world *w = *state;

	entries = rego;
	assert_false(load_bundle(w, "b"));
	assert_error(w, 0,
		"bundle b: manifest roots [a/b] do not permit 'package a.c' in "
		"module 'b/p.rego'");
	entries = data;
	assert_false(load_bundle(w, "b"));
	assert_error(w, 1,
		"bundle b: manifest roots [a/b] do not permit data at path "
		"'/a/bc' (hint: check bundle directory structure)");
}

/* The file system refuses what is larger: see fs_read()'s own tests. */
static void files_are_read_up_to_their_limits(void **state)
{
	static const struct {
		struct entry file[2];
		size_t max;
	} rows[] = {
		{{{"t.rego", "package t"}}, LIMIT_REGO_FILE},
		{{{"t.json", "{}"}}, LIMIT_DATA_FILE},
		{{{"t.yaml", "{}"}}, LIMIT_YAML_BYTES},
	};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		entries = rows[i].file;
		assert_true(load(w, rows[i].file[0].path));
		assert_num(read_max, rows[i].max);
	}
}

static void roots_may_not_overlap(void **state)
{
	static const struct entry files[] = {{"b", NULL},
		{"b/.manifest", "{\"roots\": [\"/a/\", \"a/b\"]}"},
		{NULL, NULL}};
	struct world *w = *state;

	entries = files;
	assert_false(load_bundle(w, "b"));
	assert_error(
		w, 0, "bundle b: manifest has overlapped roots: 'a' and 'a/b'");
}

/* --- schemas ---------------------------------------------------------------
 */

static void schemas_of_a_folder_have_the_names_of_their_files(void **state)
{
	static const struct entry files[] = {{"s", NULL},
		{"s/user.json", "{\"type\": \"string\"}"}, {"s/b", NULL},
		{"s/b/c.d.yaml", "type: number\n"}, {0}};
	static const char text[] = "package t\n"
				   "# METADATA\n"
				   "# schemas:\n"
				   "# - input.u: schema.user\n"
				   "# - input.n: schema.b[\"c.d\"]\n"
				   "p if input.u == input.n\n";
	struct rego_config cfg = {.version = REGO_V1, .use_schemas = true};
	struct world *w = *state;

	rego_free(w->e);
	w->e = rego_new(&cfg);
	entries = files;
	assert_true(load_schemas(w->e, &w->o, "s", &w->errs));
	assert_num(read_max, LIMIT_SCHEMA_FILE);
	assert_true(rego_add_module(w->e, "t.rego", str_from(text)));
	assert_false(rego_compile(w->e, false));
	assert_num(rego_errors(w->e)->len, 1);
	assert_string_equal(rego_errors(w->e)->items[0].message, "match error");
}

static void a_file_is_the_schema_of_input(void **state)
{
	static const struct entry files[] = {
		{"s", "\xef\xbb\xbf{\"properties\": {\"a\": {}}}"}, {0}};
	struct world *w = *state;

	entries = files;
	assert_true(load_schemas(w->e, &w->o, "s", &w->errs));
	assert_true(rego_add_module(
		w->e, "t.rego", S("package t\np if input.b\n")));
	assert_false(rego_compile(w->e, false));
	assert_string_equal(
		rego_errors(w->e)->items[0].message, "undefined ref: input.b");
}

static void a_schema_that_cannot_be_read_is_named(void **state)
{
	static const struct entry files[] = {
		{"s", NULL}, {"s/a.json", "{"}, {"s/b.json", "["}, {0}};
	struct world *w = *state;

	entries = files;
	assert_false(load_schemas(w->e, &w->o, "s", &w->errs));
	assert_num(w->errs.list.len, 1);
	assert_error(w, 0,
		"s/a.json: yaml: line 1: did not find expected node content");
	assert_false(load_schemas(w->e, &w->o, "nope", &w->errs));
	assert_error(w, 1, "stat nope: no such file");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cleans_paths_as_go_does),
		cmocka_unit_test(matches_names_as_go_does),
		T(data_lands_at_its_folder),
		T(a_prefix_puts_data_below),
		T(the_same_file_counts_once),
		T(a_conflict_names_both_files),
		T(the_root_must_be_an_object),
		T(all_errors_come_in_order),
		T(ignored_names_are_left_out_below_arguments),
		T(archives_are_refused),
		T(a_bundle_reads_data_files_only),
		T(roots_hold_packages_and_data),
		T(files_are_read_up_to_their_limits),
		T(roots_may_not_overlap),
		T(schemas_of_a_folder_have_the_names_of_their_files),
		T(a_file_is_the_schema_of_input),
		T(a_schema_that_cannot_be_read_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
