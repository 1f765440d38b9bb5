/* Bundles: what goes into one, what an agent would say, signatures. */
#include "tests/bundle_make.h"

#include "base/clock.h"
#include "base/json.h"
#include "bundler/internal.h"

#define FIXTURES "../shared/fixtures/opa-1.22.2/"
#define REGO "package library.k8s\n\nallow := true\n"

/* --- building ------------------------------------------------------------- */

static void a_bundle_holds_policies_data_and_a_manifest(void **state)
{
	static const char *const files[] = {"README.md", "hello",
		"elsewhere/x.rego", "package elsewhere\n",
		"policies/k8s/a/a.rego", REGO, "policies/k8s/a/a_test.rego",
		"package library.k8s_test\n",
		"policies/k8s/a/fixtures/good/data.json", "{\"no\": 1}",
		"policies/k8s/a/notes.json", "{\"no\": 1}",
		"policies/library/limits/data.yaml", "max: 2.50\n",
		"policies/library/data.json", "{\"b\": 1.0, \"a\": \"x<y\"}",
		"waivers/team.yaml", "- no\n", "waivers/data.json",
		"{\"no\": 1}", NULL, NULL};
	struct bundle b;

	(void)state;
	assert_ok(build_of(&b, files, NULL), &err);
	assert_num(b.nfiles, 3);
	assert_str(content_of(&b, "policies/k8s/a/a.rego"), REGO);
	assert_str(content_of(&b, "data.json"),
		"{\"library\":{\"a\":\"x<y\",\"b\":1.0,"
		"\"limits\":{\"max\":2.5}}}\n");
	assert_str(content_of(&b, ".manifest"),
		"{\"revision\":\"r1\",\"roots\":[\"library\"],"
		"\"rego_version\":1,\"metadata\":{\"commit\":\"c0ffee\","
		"\"commit_time\":\"1970-01-01T00:00:00Z\","
		"\"tree\":\"decade\",\"tool\":\"regatta 0\","
		"\"test_report\":\"sha256:0\"}}\n");
	assert_ok(bundle_check(&b, BUNDLE_RELEASE, &err), &err);
	bundle_release(&b);
	bundle_release(&b);
}

static void what_a_rollout_goes_by_is_in_the_manifest(void **state)
{
	static const char *const files[] = {
		"policies/a.rego", REGO, NULL, NULL};
	struct build_options o = {.revision = "r1"};
	struct config c, back;
	struct bundle b;
	struct str release;
	struct repo r;

	(void)state;
	assert_ok(config_parse(&c, "x",
			  S("bundle: x\nrollout: {bake: {min: 7m}}\n"), &err),
		&err);
	repo_of(&r, files);
	assert_ok(bundle_build(&b, &r, &c, &o, &err), &err);
	assert_true(json_member(b.manifest.metadata, S("release"), &release));
	assert_ok(config_parse(&back, "release", release, &err), &err);
	assert_num(back.rollout.bake_min_ns, 420 * NS_PER_S);
	assert_string_equal(back.bundle, "x");
	config_release(&back);
	config_release(&c);
	bundle_release(&b);
	arena_release(&r.arena);
}

static void what_gates_derive_is_merged_in(void **state)
{
	static const char *const files[] = {
		"policies/a.rego", REGO, "waivers/w.yaml", "[]", NULL, NULL};
	static const struct bundle_file extra[] = {
		{.path = STR("waivers/data.json"),
			.content = STR("[{\"id\": 1}]")},
		{.path = STR("stages/data.json"),
			.content = STR("{\"a\": \"warn\"}")}};
	struct build_options o = {
		.revision = "r1", .extra = extra, .nextra = COUNT(extra)};
	struct config c = {.include = {include_all, COUNT(include_all)},
		.rego_version = 1};
	struct bundle b;
	struct repo r;

	(void)state;
	repo_of(&r, files);
	assert_ok(bundle_build(&b, &r, &c, &o, &err), &err);
	assert_str(content_of(&b, "data.json"),
		"{\"stages\":{\"a\":\"warn\"},\"waivers\":[{\"id\":1}]}\n");
	assert_num(b.manifest.nroots, 3);
	assert_string_equal(b.manifest.roots[2], "waivers");
	bundle_release(&b);
	o.extra = &(struct bundle_file){
		.path = STR("notes.md"), .content = STR("")};
	o.nextra = 1;
	assert_fails(bundle_build(&b, &r, &c, &o, &err), &err, E_INVALID,
		"notes.md: neither a module nor data");
	o.nextra = 0;
	o.revision = "";
	assert_fails(bundle_build(&b, &r, &c, &o, &err), &err, E_INVALID,
		"needs a revision");
	arena_release(&r.arena);
}

static void roots_are_first_steps_and_two_below_system(void **state)
{
	static const char *const files[] = {"policies/a.rego", "package b.c\n",
		"policies/b.rego", "package a[\"x y\"]\n", "policies/log.rego",
		"package system.log\n", "policies/system/x/data.json",
		"{\"y\":1}", NULL, NULL};
	struct bundle b;

	(void)state;
	assert_ok(build_of(&b, files, NULL), &err);
	assert_num(b.manifest.nroots, 4);
	assert_string_equal(b.manifest.roots[0], "a");
	assert_string_equal(b.manifest.roots[1], "b");
	assert_string_equal(b.manifest.roots[2], "system/log");
	assert_string_equal(b.manifest.roots[3], "system/x");
	bundle_release(&b);
}

static void roots_hold_every_package_and_all_data(void **state)
{
	static const char *const files[] = {"policies/a.rego", REGO,
		"policies/library/data.json", "{\"x\": 1}", NULL, NULL};
	/* clang-format off */
	static const struct { const char *roots[4], *why; } rows[] = {
		{{"library"},                  NULL},
		{{"/library/"},                NULL},
		{{"library/k8s", "library/x"}, NULL},
		{{"library", "library/k8s"},
			"manifest has overlapped roots: 'library' and "
			"'library/k8s'"},
		{{"library", "library"}, "manifest has overlapped roots"},
		{{"library/x"},
			"manifest roots [library/x] do not permit "
			"'package library.k8s' in module "
			"'policies/a.rego'; add it to `roots` in regatta.yaml"},
		{{"library/k8s"},
			"manifest roots [library/k8s] do not permit data at "
			"path '/library/x' (hint: check bundle directory "
			"structure); add it to `roots` in regatta.yaml"},
		{{"lib"}, "do not permit"},
	};
	/* clang-format on */
	struct bundle b;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum status st = build_of(&b, files, rows[i].roots);

		if (rows[i].why)
			assert_fails(st, &err, E_INVALID, rows[i].why);
		else
			assert_ok(st, &err);
		bundle_release(&b);
	}
}

/* One file in policies/, with the message it is refused with. */
static void names_and_contents_that_mean_trouble_are_refused(void **state)
{
	/* clang-format off */
	static const struct {
		const char *path, *text;
		enum status code;
		const char *why;
	} rows[] = {
		{".manifest", "{}", E_INVALID, "made from regatta.yaml"},
		{"x/old.manifest", "{}", E_INVALID, "policies/x/old.manifest: "},
		{".signatures.json", "{}", E_INVALID, "signatures"},
		{"my-signatures.json", "{}", E_INVALID, "signatures"},
		{"patch.json", "{}", E_INVALID, "delta"},
		{"policy.wasm", "", E_INVALID, "compiled"},
		{"plan.json", "", E_INVALID, "compiled"},
		{"x/data.yml", "a: 1", E_INVALID, "rename it to data.yaml"},
		{"a b.rego", "package library\n", E_INVALID, "letters, digits"},
		{".x/a.rego", "package library\n", E_INVALID, "begins with a dot"},
		{"x/.y/data.json", "{}", E_INVALID, "begins with a dot"},
		{"b.rego", "package library\nallow", E_INVALID,
			"policies/b.rego:2:1: rego_parse_error: "},
		{"b.rego", "package library\na := b\n", E_INVALID,
			"policies/b.rego:2:6: rego_unsafe_var_error: "},
		{"b.rego", "package library\nk8s := 1\n", E_INVALID,
			"rego_type_error: "},
		{"b.rego", "", E_INVALID, "empty module"},
		{"library/k8s/data.json", "{\"allow\": 1}", E_INVALID,
			"rego_compile_error"},
		{"library/data.json", "{\"a\":1,}", E_INVALID,
			"policies/library/data.json:1:8: byte 7"},
		{"library/data.json", "{\n \"a\": tru\n}", E_INVALID,
			"policies/library/data.json:2:7: byte 8"},
		{"library/data.json", "", E_INVALID,
			"policies/library/data.json:1:1: byte 0: text ends"},
		{"library/data.json", "{} {}", E_INVALID,
			"data.json:1:4: byte 3: more text after the value"},
		{"library/data.json", "\xef\xbb\xbf{}", E_INVALID,
			"data.json:1:1: begins with a byte order mark; save"},
		{"library/data.json", "{\"a\":\"\xff\"}", E_INVALID, "UTF-8"},
		{"data.json", "[]", E_INVALID, "root value must be object"},
		{"library/data.json", "{\n \"a\": {\"b\\b\": 1}}", E_INVALID,
			"policies/library/data.json:2:8: a string holds U+0008"},
		{"library/data.json", "{\"a\": \"\\f\"}", E_INVALID, "U+000C"},
		{"library/data.json", "{\"a\": 1,\n \"b\": [{\"x\":1,\"x\":1}]}",
			E_CONFLICT,
			"policies/library/data.json:2:15: the key \"x\" stands "
			"twice, first at policies/library/data.json:2:9"},
		{"library/data.yaml", "a: 1\nb:\n  c: 1\n  c: 2\n", E_CONFLICT,
			"policies/library/data.yaml:4:3: the key \"c\" stands "
			"twice, first at policies/library/data.yaml:3:3"},
		{"library/data.yaml", "a: &x 1\nb: *x\n", E_INVALID, "anchors"},
		{"library/data.yaml", "a:\n  <<: {b: 1}\n", E_INVALID,
			"policies/library/data.yaml:2:3: merge keys"},
		{"library/data.yaml", "a: 1\n---\nb: 2\n", E_INVALID,
			"data.yaml:2:1: a second document"},
		{"library/data.yaml", "", E_INVALID, "no document"},
		{"library/data.yaml", "a: .inf\n", E_INVALID,
			"data.yaml:1:4: json: unsupported value: +Inf"},
		{"library/data.yaml", "~: 1\n", E_INVALID,
			"data.yaml:1:1: unsupported map key"},
		{"library/data.yaml", "[a: 1", E_INVALID, "data.yaml:"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char path[64];
		const char *files[] = {"policies/a.rego", REGO, path,
			rows[i].text, NULL, NULL};
		struct bundle b;

		snprintf(path, sizeof(path), "policies/%s", rows[i].path);
		err = (struct err){0};
		enum status st = build_of(&b, files, NULL);

		if (st != rows[i].code || !strstr(err.text, rows[i].why))
			fail_msg("%s: status %d: %s", path, (int)st, err.text);
		assert_num(b.nfiles, 0);
	}
}

static enum status build_nested(const char *name, size_t depth)
{
	struct buf text = {0};
	struct bundle b;
	enum status st;

	buf_adds(&text, "{\"a\": ");
	for (size_t i = 1; i < depth; i++)
		buf_addc(&text, '[');
	for (size_t i = 1; i < depth; i++)
		buf_addc(&text, ']');
	buf_addc(&text, '}');
	const char *files[] = {
		"policies/a.rego", REGO, name, text.ptr, NULL, NULL};

	err = (struct err){0};
	st = build_of(&b, files, NULL);
	if (!st)
		bundle_release(&b);
	buf_release(&text);
	return st;
}

static void data_is_read_to_the_limit_of_depth(void **state)
{
	static const char json[] = "policies/library/data.json",
			  yaml[] = "policies/library/data.yaml";

	(void)state;
	assert_ok(build_nested(json, LIMIT_JSON_DEPTH), &err);
	assert_fails(build_nested(json, LIMIT_JSON_DEPTH + 1), &err, E_LIMIT,
		"data.json:1:134: byte 133: more than 128 levels");
	assert_ok(build_nested(yaml, LIMIT_YAML_DEPTH), &err);
	assert_fails(build_nested(yaml, LIMIT_YAML_DEPTH + 1), &err, E_LIMIT,
		"more than 64 levels");
}

/* libyaml alone is quadratic in the depth: it took 18 s for this. */
static void a_deep_document_is_refused_at_once(void **state)
{
	int64_t from = clock_mono(&clock_system);

	(void)state;
	assert_fails(build_nested("policies/library/data.yaml", 80000), &err,
		E_LIMIT, "more than 64 levels");
	assert_fails(build_nested("policies/library/data.json", 80000), &err,
		E_LIMIT, "more than 128 levels");
	assert_true(clock_mono(&clock_system) - from < NS_PER_S);
}

static void what_two_files_give_is_refused_with_both_places(void **state)
{
	/* clang-format off */
	static const struct { const char *one, *a, *two, *b, *why; } rows[] = {
		{"x/data.json", "{\"a\":1,\n\"b\":2}", "x/data.yaml", "c: 1\nb: 2\n",
			"policies/x/data.yaml:2:1: data.x.b is given twice, "
			"first at policies/x/data.json:2:1"},
		{"data.json", "{\"x\": {\"y\": [1]}}", "x/y/data.json", "[1]",
			"policies/x/y/data.json:1:1: data.x.y is given twice, "
			"first at policies/data.json:1:8"},
		{"x/data.json", "1", "x/y/data.json", "{}",
			"policies/x/y/data.json:1:1: data.x is given twice"},
		{"x/data.json", "{\"y\":{\"a\":1},\"y\":{\"b\":1}}",
			"x/y/data.json", "{\"c\":1}",
			"policies/x/data.json:1:14: data.x.y is given twice, "
			"first at policies/x/data.json:1:2"},
		{"x/data.json", "{\"y\":{\"a\":1}}", "x/y/data.json",
			"{\"c\":{\"d\":1},\"c\":{\"e\":1}}",
			"policies/x/y/data.json:1:14: data.x.y.c is given "
			"twice"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char one[64], two[64];
		const char *files[] = {
			one, rows[i].a, two, rows[i].b, NULL, NULL};
		struct bundle b;

		snprintf(one, sizeof(one), "policies/%s", rows[i].one);
		snprintf(two, sizeof(two), "policies/%s", rows[i].two);
		assert_fails(build_of(&b, files, NULL), &err, E_CONFLICT,
			rows[i].why);
	}
}

/* text as data.json, and what it is in the bundle. */
static void data_is_written_as_agents_hash_it(void **state)
{
	/* clang-format off */
	static const struct { const char *name, *text, *want; } rows[] = {
		{"data.json", " { \"b\" : [ 1 , 2.50 ] , \"a\" : { } } ",
			"{\"a\":{},\"b\":[1,2.50]}\n"},
		{"data.json", "{\"n\":[1,1.0,1e2,-0,12345678901234567890]}",
			"{\"n\":[1,1.0,1e2,-0,12345678901234567890]}\n"},
		{"data.json", "{\"s\":\"\\u2028\\u00e9\\/<\\u0001\\ud800\\\"\"}",
			"{\"s\":\"\\u2028\xc3\xa9/<\\u0001\xef\xbf\xbd\\\"\"}\n"},
		{"data.json", "{\"\\u0062\":1,\"a\":{\"z\":1,\"\\u007a\\u0000\":2,"
			"\"y\":3}}",
			"{\"a\":{\"y\":3,\"z\":1,\"z\\u0000\":2},\"b\":1}\n"},
		{"data.yaml", "a: [yes, on, True, ~, 012, 0o17, 0x10, 1_000]\n",
			"{\"a\":[\"yes\",\"on\",true,null,10,15,16,1000]}\n"},
		{"data.yaml", "a: [2.50, 1.0, 1e21, 1e-7, 2020-01-01, .5]\n",
			"{\"a\":[2.5,1,1e+21,1e-7,\"2020-01-01\",0.5]}\n"},
		{"data.yaml", "1: a\n0x10: b\ntrue: c\n'1_0': \"012\"\n",
			"{\"1\":\"a\",\"16\":\"b\",\"1_0\":\"012\","
			"\"true\":\"c\"}\n"},
		{"data.yaml", "- \n", NULL},
		{"data.yaml", "a: |\n  two\n  lines\nb: {}\nc: []\n",
			"{\"a\":\"two\\nlines\\n\",\"b\":{},\"c\":[]}\n"},
		{"data.yaml", "a: !!str 12\nb: !!int \"12\"\n",
			"{\"a\":\"12\",\"b\":12}\n"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char path[64];
		const char *files[] = {path, rows[i].text, NULL, NULL};
		struct buf hex = {0}, again = {0};
		struct bundle b;

		snprintf(path, sizeof(path), "policies/%s", rows[i].name);
		if (!rows[i].want) {
			assert_fails(build_of(&b, files, NULL), &err, E_INVALID,
				"root value");
			continue;
		}
		assert_ok(build_of(&b, files, NULL), &err);
		assert_str(content_of(&b, "data.json"), rows[i].want);
		/* An agent gives the source and what we made of it one digest.
		 */
		assert_ok(sign_digest(str_from(rows[i].name),
				  str_from(rows[i].text), S("SHA-256"), false,
				  &hex, &err),
			&err);
		assert_ok(
			sign_digest(S("data.json"), content_of(&b, "data.json"),
				S("SHA-256"), true, &again, &err),
			&err);
		assert_str(buf_str(&again), hex.ptr);
		buf_release(&hex);
		buf_release(&again);
		bundle_release(&b);
	}
}

static void a_repository_without_policies_is_no_bundle(void **state)
{
	static const char *const files[] = {"README.md", "", NULL, NULL};
	struct bundle b;

	(void)state;
	assert_fails(build_of(&b, files, NULL), &err, E_INVALID,
		"no policy and no data");
}

static void a_module_has_its_limit(void **state)
{
	struct buf text = {0};
	struct bundle b;

	(void)state;
	buf_adds(&text, "package library\n");
	while (text.len < LIMIT_BUNDLE_MODULE)
		buf_adds(&text, "#\n");
	text.len = LIMIT_BUNDLE_MODULE;
	text.ptr[text.len] = '\0';
	const char *files[] = {"policies/a.rego", text.ptr, NULL, NULL};

	assert_ok(build_of(&b, files, NULL), &err);
	bundle_release(&b);
	buf_addc(&text, '\n');
	files[1] = text.ptr;
	assert_fails(build_of(&b, files, NULL), &err, E_LIMIT,
		"policies/a.rego: 4194305 bytes, limit 4194304");
	buf_release(&text);
}

/* --- checking ------------------------------------------------------------- */

#define MANIFEST "{\"revision\":\"r\",\"roots\":[\"a\"],\"rego_version\":1}"

/* Files of a bundle, and what an agent and what strict say. */
static void an_agents_refusals_are_ours(void **state)
{
	/* clang-format off */
	static const struct { const char *files[8], *agent, *strict; } rows[] = {
		{{".manifest", MANIFEST, "a.rego", "package a\n"}, NULL, NULL},
		{{"a.rego", "package a\n"}, NULL, "no .manifest"},
		{{".manifest", "{\"roots\":[\"a\"],\"rego_version\":1}"},
			NULL, ".manifest: no revision"},
		{{".manifest", "{\"revision\":\"r\",\"rego_version\":1}"},
			NULL, ".manifest: no roots"},
		{{".manifest", "{\"revision\":\"r\",\"roots\":[\"a\"]}"},
			NULL, ".manifest: no rego_version"},
		{{".manifest", MANIFEST, "x/b.manifest", "{}"},
			"bundle contains multiple manifest files: "
			"\"/.manifest\" and \"/x/b.manifest\"", ""},
		{{".manifest", MANIFEST, ".signatures.json", "{}",
			"x/.signatures.json", "{}"},
			"bundle contains multiple signatures files: "
			"\"/.signatures.json\" and \"/x/.signatures.json\"", ""},
		{{".manifest", ""},
			"bundle load failed on manifest decode: EOF", ""},
		{{".manifest", "{\"roots\":1}"},
			"bundle load failed on manifest decode: json: cannot "
			"unmarshal number into Go struct field Manifest.roots "
			"of type []string", ""},
		{{".manifest", "{\"roots\":[\"a\",\"a/b\"]}"},
			"manifest has overlapped roots: 'a' and 'a/b'",
			"no revision"},
		{{".manifest", "{\"roots\":[]}", "a.rego", "package a\n"},
			"manifest roots [] do not permit 'package a' in module "
			"'a.rego'", "no revision"},
		{{".manifest", MANIFEST, "data.json", "{\"b\":{\"c\":1}}"},
			"manifest roots [a] do not permit data at path '/b",
			""},
		{{".manifest", "{\"rego_version\":7}", "a.rego", "package a\n"},
			"unknown bundle rego-version 7 for file '/a.rego'",
			"no revision"},
		{{".manifest", MANIFEST, "a.rego", "package a\np := x\n"},
			"a.rego:2:6: rego_unsafe_var_error: ", ""},
		{{".manifest", MANIFEST, "a.rego", "package a\np if {\n"},
			"rego_parse_error: ", ""},
		{{".manifest", "{\"rego_version\":0}", "a.rego",
			"package a\np { true }\n"}, NULL, "no revision"},
		{{".manifest", MANIFEST, "a.rego", "package a\np := p\n"},
			"rego_recursion_error: ", ""},
		{{".manifest", MANIFEST, "a.rego", "package a\np := 1\n",
			"data.json", "{\"a\":{\"p\":1}}"},
			"rego_compile_error: ", ""},
		{{".manifest", MANIFEST, "a.rego", "package a.b\np := 1\n",
			"data.json", "{\"a\":{\"b\":1}}"},
			"conflicting rule for data path a/b/p found", ""},
		{{"data.json", "[1]"}, "root value must be object",
			"no .manifest"},
		{{"data.json", "{\"a\":1}", "a/data.json", "{}"},
			"failed to insert data file from path",
			"no .manifest"},
		{{".manifest", MANIFEST, "data.json", "{\"a\":1,\"a\":1}"},
			NULL, "the key \"a\" stands twice"},
		{{".manifest", MANIFEST, "data.json", "{\"a\":\"\\b\"}"},
			NULL, "data.json: a string holds U+0008"},
		{{".manifest", MANIFEST, "a/data.json", "1"}, NULL,
			"a/data.json: all data belongs into one data.json"},
		{{".manifest", MANIFEST, "data.yaml", "a: 1"}, NULL,
			"data.yaml: data must be JSON"},
		{{".manifest", MANIFEST, "README.md", ""}, NULL,
			"README.md: agents ignore this file"},
		{{".manifest", MANIFEST, "a_test.rego", "package a\n"}, NULL,
			"tests are not for agents"},
		{{".manifest", MANIFEST, "./a.rego", "package a\n"}, NULL,
			"./a.rego: "},
		{{".manifest", MANIFEST, "patch.json", "{\"data\":[]}"}, NULL,
			"deltas can't be signed"},
		{{".manifest", MANIFEST, "plan.json", "{}"}, NULL, "compiled"},
		{{".manifest", MANIFEST, "x-signatures.json", "{}"}, NULL,
			"older agents"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *files[9] = {0};
		struct bundle b;

		memcpy(files, rows[i].files, sizeof(rows[i].files));
		bundle_of(&b, files);
		b.manifest = (struct bundle_manifest){
			.revision = "", .rego_version = -1};
		const struct bundle_file *m = bundle_find(&b, S(".manifest"));

		if (m && bundle_manifest_read(
				 &b.manifest, m->content, &b.arena, NULL))
			b.manifest.revision = "";
		for (int strict = 0; strict < 2; strict++) {
			const char *why =
				strict ? rows[i].strict : rows[i].agent;

			err = (struct err){0};
			enum status st = bundle_check(&b,
				strict ? BUNDLE_RELEASE : BUNDLE_AS_AGENT,
				&err);

			if (!st != !why || (why && !strstr(err.text, why)))
				fail_msg("row %zu, strict %d: status %d: %s", i,
					strict, (int)st, err.text);
		}
		bundle_release(&b);
	}
}

/* What `opa build -t wasm` writes, and how a real OPA judged each. */
static void compiled_policies_are_judged_as_agents_do(void **state)
{
#define ONE "{\"entrypoint\":\"a/allow\",\"module\":\"/policy.wasm\"}"
	/* clang-format off */
	static const struct {
		const char *list;
		bool bare;
		const char *agent;
	} rows[] = {
		{ONE, false, NULL},
		{"", false, NULL},
		{"{\"entrypoint\":\"a/allow\",\"module\":\"policy.wasm\"}", true, NULL},
		{ONE, true, "wasm module '/policy.wasm' but the module file does not exist"},
		{"{\"entrypoint\":\"a/allow\",\"module\":\"policy.wasm\"}", false,
			"wasm module 'policy.wasm' but the module file does not exist"},
		{"{\"entrypoint\":\"a/allow\",\"module\":\"/no.wasm\"}", false,
			"wasm module '/no.wasm' but the module file does not exist"},
		{"{\"entrypoint\":\"a/allow\"}", false,
			"wasm module '' but the module file does not exist"},
		{ONE "," ONE, false,
			"entrypoint 'a/allow' cannot be used by more than one wasm module"},
		{"{\"entrypoint\":\"ab\",\"module\":\"/policy.wasm\"}", false,
			"manifest roots [a] do not permit 'ab' entrypoint for wasm module"},
		{"{\"module\":\"/policy.wasm\"}", false,
			"manifest roots [a] do not permit '' entrypoint"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf m = {0};
		struct bundle b;

		buf_addf(&m,
			"{\"revision\":\"r\",\"roots\":[\"a\"],"
			"\"rego_version\":1,\"wasm\":[%s]}",
			rows[i].list);
		const char *files[] = {".manifest", m.ptr, "a.rego",
			"package a\nallow := true\n", "policy.wasm", "x",
			"plan.json", "{}", NULL};

		bundle_of(&b, files);
		assert_ok(bundle_manifest_read(
				  &b.manifest, buf_str(&m), &b.arena, &err),
			&err);
		b.files[2].bare = rows[i].bare;
		for (int r = BUNDLE_AS_AGENT; r <= BUNDLE_STRICT; r++) {
			enum status st =
				bundle_check(&b, (enum bundle_rules)r, &err);

			if (!rows[i].agent)
				assert_ok(st, &err);
			else
				assert_fails(
					st, &err, E_INVALID, rows[i].agent);
		}
		assert_fails(bundle_check(&b, BUNDLE_RELEASE, &err), &err,
			E_INVALID, "agents built without Wasm don't activate");
		assert_num(bundle_is_compiled(&b), *rows[i].list != 0);
		bundle_release(&b);
		buf_release(&m);
	}
#undef ONE
}

static void a_manifest_is_read_as_agents_read_it(void **state)
{
	struct bundle_manifest m = {0};
	struct arena a = {0};

	(void)state;
	assert_ok(bundle_manifest_read(&m,
			  S("{\"revision\":\"a\\u0062\",\"x\":1,"
			    "\"roots\":[\"/a/b/\",\"\"],\"rego_version\":2,"
			    "\"metadata\":{\"k\": [1.0]}} trailing"),
			  &a, &err),
		&err);
	assert_string_equal(m.revision, "ab");
	assert_num(m.nroots, 2);
	assert_string_equal(m.roots[0], "a/b");
	assert_string_equal(m.roots[1], "");
	assert_num(m.rego_version, 2);
	assert_str(m.metadata, "{\"k\": [1.0]}");
	assert_ok(bundle_manifest_read(&m, S("{\"roots\":null}"), &a, &err),
		&err);
	assert_null(m.roots);
	assert_num(m.rego_version, -1);
	assert_string_equal(m.revision, "");
	assert_ok(
		bundle_manifest_read(&m, S("{\"roots\":[]}"), &a, &err), &err);
	assert_non_null(m.roots);
	assert_fails(bundle_manifest_read(&m, S("[]"), &a, &err), &err,
		E_INVALID,
		"cannot unmarshal array into Go value of type "
		"bundle.Manifest");
	assert_fails(bundle_manifest_read(&m, S("{\"a\" 1}"), &a, &err), &err,
		E_INVALID, "bundle load failed on manifest decode: ");
	assert_fails(bundle_manifest_read(&m, S("{\"revision\":1}"), &a, &err),
		&err, E_INVALID, "Manifest.revision of type string");
	assert_fails(
		bundle_manifest_read(&m, S("{\"rego_version\":1.5}"), &a, &err),
		&err, E_INVALID, "Manifest.rego_version of type int");
	assert_fails(bundle_manifest_read(&m, S("{\"metadata\":[]}"), &a, &err),
		&err, E_INVALID, "Manifest.metadata");
	arena_release(&a);
}

/* --- signatures ----------------------------------------------------------- */

static const char *const small[] = {".manifest", MANIFEST, "a.rego",
	"package a\n", "data.json", "{\"a\":{}}", NULL, NULL};

static void what_is_signed_verifies_until_it_changes(void **state)
{
	struct key_pair keys;
	struct bundle b;
	struct verify_config cfg = {.keys = &keys.public,
		.nkeys = 1,
		.scope = "prod",
		.strict = true};
	struct bundle_verify_options o = {.keys = &cfg};

	(void)state;
	key_pair_make(&keys);
	bundle_of(&b, small);
	assert_ok(bundle_sign(&b, keys.private, "k1", "prod", &err), &err);
	assert_ok(bundle_verify(&b, &o, &err), &err);
	/* Again, in place of the first one. */
	assert_ok(bundle_sign(&b, keys.private, "k1", "prod", &err), &err);
	assert_num(b.nfiles, 4);
	assert_ok(bundle_verify(&b, &o, &err), &err);
	cfg.scope = "test";
	assert_fails(
		bundle_verify(&b, &o, &err), &err, E_DENIED, "scope mismatch");
	cfg.scope = "prod";
	assert_ok(bundle_add(&b, S("b.rego"), S("package a\n"), &err), &err);
	assert_fails(bundle_verify(&b, &o, &err), &err, E_DENIED,
		"file b.rego not included in bundle signature");
	o.exclude = (const char *[]){"x/*", "*.rego"};
	o.nexclude = 2;
	assert_ok(bundle_verify(&b, &o, &err), &err);
	o.keys = NULL;
	assert_fails(bundle_verify(&b, &o, &err), &err, E_NOT_FOUND,
		"verification key not provided");
	bundle_release(&b);
	key_pair_release(&keys);
}

static void signatures_do_not_make_bundles_differ(void **state)
{
	struct key_pair keys;
	struct bundle a, b;

	(void)state;
	key_pair_make(&keys);
	bundle_of(&a, small);
	bundle_of(&b, small);
	assert_true(bundle_same(&a, &b));
	assert_ok(bundle_sign(&a, keys.private, "k1", NULL, &err), &err);
	assert_true(bundle_same(&a, &b) && bundle_same(&b, &a));
	assert_ok(bundle_sign(&b, keys.private, "k1", NULL, &err), &err);
	assert_true(bundle_same(&a, &b));
	assert_ok(bundle_add(&b, S("c.rego"), S(""), &err), &err);
	assert_false(bundle_same(&a, &b) || bundle_same(&b, &a));
	assert_ok(bundle_add(&a, S("c.rego"), S("#"), &err), &err);
	assert_false(bundle_same(&a, &b) || bundle_same(&b, &a));
	bundle_release(&a);
	bundle_release(&b);
	key_pair_release(&keys);
}

static void globs_do_not_cross_a_slash(void **state)
{
	/* clang-format off */
	static const struct { const char *glob; bool hit; } rows[] = {
		{"*", false}, {"*/*", true}, {"x/*.rego", true},
		{"x/?.rego", true}, {"x/[ab].rego", true}, {"x/b*", false},
		{"*.rego", false}, {"x/a.rego", true}, {"x/a.rego/", false},
		{"x/[", false},
	};
	/* clang-format on */
	struct key_pair keys;
	struct bundle b;
	struct verify_config cfg = {.keys = &keys.public, .nkeys = 1};
	struct bundle_verify_options o = {.keys = &cfg, .nexclude = 1};

	(void)state;
	key_pair_make(&keys);
	bundle_of(&b, small);
	assert_ok(bundle_sign(&b, keys.private, "k1", NULL, &err), &err);
	assert_ok(bundle_add(&b, S("x/a.rego"), S("package a\n"), &err), &err);
	for (size_t i = 0; i < COUNT(rows); i++) {
		o.exclude = &rows[i].glob;
		if ((bundle_verify(&b, &o, &err) == OK) != rows[i].hit)
			fail_msg("%s", rows[i].glob);
	}
	bundle_release(&b);
	key_pair_release(&keys);
}

static void unsigned_bundles_pass_where_no_signature_is_asked_for(void **state)
{
	struct key_pair keys;
	struct bundle b;
	struct verify_config cfg = {.keys = &keys.public, .nkeys = 1};
	struct bundle_verify_options o = {0};

	(void)state;
	key_pair_make(&keys);
	bundle_of(&b, small);
	assert_ok(bundle_verify(&b, &o, &err), &err);
	o.keys = &cfg;
	assert_fails(bundle_verify(&b, &o, &err), &err, E_NOT_FOUND,
		"bundle missing .signatures.json file");
	o.optional = true;
	assert_ok(bundle_verify(&b, &o, &err), &err);
	bundle_release(&b);
	key_pair_release(&keys);
}

static void strict_takes_no_broken_digests_and_no_lookalikes(void **state)
{
	struct key_pair keys;
	struct bundle b;
	struct verify_config cfg = {
		.keys = &keys.public, .nkeys = 1, .keyid = "k1"};
	struct bundle_verify_options o = {.keys = &cfg};
	struct buf payload = {0}, token = {0}, file = {0};

	(void)state;
	key_pair_make(&keys);
	bundle_of(&b, (const char *const[]){"x", "abc", NULL, NULL});
	buf_adds(&payload, "{\"files\":[{\"name\":\"x\",\"algorithm\":\"MD5\","
			   "\"hash\":\"900150983CD24FB0D6963F7D28E17F72\"}]}");
	assert_ok(sign_jws(keys.private, "k1", buf_str(&payload), &token, &err),
		&err);
	buf_addf(&file, "{\"signatures\":[\"%s\"]}", token.ptr);
	assert_ok(bundle_add(&b, S(".signatures.json"), buf_str(&file), &err),
		&err);
	assert_ok(bundle_verify(&b, &o, &err), &err);
	cfg.strict = true;
	assert_fails(bundle_verify(&b, &o, &err), &err, E_DENIED,
		"x: the digest is a broken MD5");
	bundle_release(&b);
	bundle_of(&b, small);
	assert_ok(bundle_add(&b, S("x-signatures.json"), S(""), &err), &err);
	assert_fails(bundle_sign(&b, keys.private, "k1", NULL, &err), &err,
		E_INVALID, "signing: x-signatures.json: older agents");
	bundle_release(&b);
	buf_release(&payload);
	buf_release(&token);
	buf_release(&file);
	key_pair_release(&keys);
}

/* --- captures of a real agent --------------------------------------------- */

static struct buf text_at(struct str row, const char *pointer)
{
	struct buf out = {0};
	struct str span;

	buf_adds(&out, "");
	if (json_at(row, str_from(pointer), &span) &&
		json_kind(span) == JSON_STRING)
		json_text(&out, span);
	return out;
}

static bool has(struct str row, const char *pointer)
{
	struct str span;

	return json_at(row, str_from(pointer), &span) &&
	       json_kind(span) == JSON_OBJECT;
}

static struct sign_key *fixture_key(struct str alg, struct buf *pem)
{
	struct sign_key *k = NULL;
	char path[256];
	const char *name = alg.ptr, *end = ".pub.pem";

	if (str_starts(alg, S("RS")) || str_starts(alg, S("PS")))
		name = "RSA";
	if (str_starts(alg, S("HS"))) {
		name = "HS";
		end = ".secret.txt";
	}
	snprintf(path, sizeof(path), FIXTURES "signed/keys/%s%s", name, end);
	assert_ok(fs_read(NULL, path, MIB(1), pem, &err), &err);
	assert_ok(sign_key_parse_public(
			  &k, buf_str(pem), sign_alg_find(alg), "k1", &err),
		&err);
	return k;
}

/* Texts that we put otherwise, since we refuse earlier. */
static bool other_words(const char *bundle)
{
	static const char *const names[] = {
		"file-twice.tar.gz", "truncated.tar.gz", "EdDSA.tar.gz"};

	for (size_t i = 0; i < COUNT(names); i++)
		if (strstr(bundle, names[i]))
			return true;
	return false;
}

/* What we say to a bundle that an agent was given, as that agent. */
static enum status judge(const char *path, struct str row, bool strict)
{
	struct buf bytes = {0}, alg = text_at(row, "/agent/keys/k1/algorithm");
	struct buf keyid = text_at(row, "/agent/signing/keyid");
	struct buf scope = text_at(row, "/agent/signing/scope"), pem = {0};
	struct verify_config cfg = {.keyid = keyid.len ? keyid.ptr : NULL,
		.scope = scope.ptr,
		.strict = strict};
	struct bundle_verify_options o = {
		.optional = !has(row, "/agent/signing")};
	struct sign_key *k = NULL;
	struct bundle b;
	struct str allow;
	enum status st;

	o.unsigned_deltas = json_at(
		row, S("/agent/signing/allow_unsigned_delta_bundles"), &allow);
	if (alg.len) {
		k = fixture_key(buf_str(&alg), &pem);
		cfg.keys = &k;
		cfg.nkeys = 1;
		o.keys = &cfg;
	}
	err = (struct err){0};
	assert_ok(fs_read(NULL, path, MIB(1), &bytes, &err), &err);
	st = bundle_unpack(&b, buf_str(&bytes), &err);
	if (!st) {
		st = bundle_verify(&b, &o, &err);
		if (!st)
			st = bundle_check(&b, BUNDLE_AS_AGENT, &err);
		bundle_release(&b);
	}
	sign_key_free(k);
	buf_release(&bytes);
	buf_release(&alg);
	buf_release(&keyid);
	buf_release(&scope);
	buf_release(&pem);
	return st;
}

static void compare(const char *folder, struct str row)
{
	struct buf name = text_at(row, "/bundle");
	struct buf want = text_at(row, "/message");
	char path[256];
	enum status st;

	snprintf(path, sizeof(path), FIXTURES "%s/%s", folder, name.ptr);
	st = judge(path, row, false);
	if (!st != !want.len || (st && !other_words(name.ptr) &&
					strcmp(err.text, want.ptr) != 0))
		fail_msg("%s: \"%s\", the agent said \"%s\"", path, err.text,
			want.ptr);
	buf_release(&name);
	buf_release(&want);
}

/* OPA makes nothing that strict refuses; and strict lets nothing more pass. */
static void compare_strict(const char *folder, struct str row)
{
	struct buf name = text_at(row, "/bundle");
	struct buf want = text_at(row, "/message");
	char path[256];

	snprintf(path, sizeof(path), FIXTURES "%s/%s", folder, name.ptr);
	if (!judge(path, row, true) != !want.len)
		fail_msg("%s: \"%s\", the agent said \"%s\"", path, err.text,
			want.ptr);
	buf_release(&name);
	buf_release(&want);
}

static bool captured(void)
{
	return access(FIXTURES, F_OK) == 0;
}

static size_t each_case(
	const char *folder, void (*fn)(const char *folder, struct str row))
{
	struct buf text = {0};
	struct json_iter it;
	struct str doc;
	char path[256];
	size_t n = 0;

	snprintf(path, sizeof(path), FIXTURES "%s/cases.json", folder);
	assert_ok(fs_read(NULL, path, MIB(1), &text, &err), &err);
	assert_ok(json_check(buf_str(&text), NULL, &doc, &err), &err);
	for (it = json_iter(doc); json_next(&it); n++)
		fn(folder, it.value);
	buf_release(&text);
	return n;
}

static void opas_verdicts_on_signed_bundles_are_ours(void **state)
{
	(void)state;
	if (!captured())
		skip();
	assert_true(each_case("signed", compare) > 15);
	assert_true(each_case("tampered", compare) > 15);
	each_case("signed", compare_strict);
	each_case("tampered", compare_strict);
}

/* What an agent says once it looks at the data that is there. */
static bool needs_the_store(const char *text)
{
	static const char *const parts[] = {"document does not exist",
		"different from those in the store", "'persist' property"};

	for (size_t i = 0; i < COUNT(parts); i++)
		if (strstr(text, parts[i]))
			return true;
	return false;
}

static void compare_delta(const char *folder, struct str row)
{
	struct buf want = text_at(row, "/message");

	if (!needs_the_store(want.ptr))
		compare(folder, row);
	buf_release(&want);
}

static void opas_verdicts_on_deltas_are_ours(void **state)
{
	(void)state;
	if (!captured())
		skip();
	assert_true(each_case("delta", compare_delta) > 10);
}

static void what_opa_builds_is_read_and_would_activate(void **state)
{
	static const char *const names[] = {
		"plain", "no-tests", "revision", "optimized", "v0"};

	(void)state;
	if (!captured())
		skip();
	for (size_t i = 0; i < COUNT(names); i++) {
		struct buf bytes = {0};
		struct bundle b;
		char path[256];

		snprintf(path, sizeof(path), FIXTURES "build/%s.tar.gz",
			names[i]);
		assert_ok(fs_read(NULL, path, MIB(1), &bytes, &err), &err);
		assert_ok(bundle_unpack(&b, buf_str(&bytes), &err), &err);
		assert_ok(bundle_check(&b, BUNDLE_AS_AGENT, &err), &err);
		bundle_release(&b);
		buf_release(&bytes);
	}
}

/* Our data of a folder is the one that `opa build` made of it. */
static void our_data_is_that_of_opa_build(void **state)
{
	struct buf bytes = {0}, ours = {0}, theirs = {0};
	struct data d = {0};
	struct bundle b;
	struct {
		const char *name;
		struct buf text;
	} files[] = {{"limits/data.json", {0}}, {"regions/data.yaml", {0}}};

	(void)state;
	if (!captured())
		skip();
	assert_ok(fs_read(NULL, FIXTURES "build/plain.tar.gz", MIB(1), &bytes,
			  &err),
		&err);
	assert_ok(bundle_unpack(&b, buf_str(&bytes), &err), &err);
	for (size_t i = 0; i < COUNT(files); i++) {
		struct str name = str_from(files[i].name);
		char path[256];

		snprintf(path, sizeof(path), FIXTURES "build/input/%s",
			files[i].name);
		assert_ok(fs_read(NULL, path, MIB(1), &files[i].text, &err),
			&err);
		assert_ok(data_add(&d, files[i].name,
				  str_slice(name, 0, str_find(name, S("/"), 0)),
				  buf_str(&files[i].text), &err),
			&err);
	}
	assert_ok(data_write(&d, &ours, &err), &err);
	assert_ok(json_canonical(
			  &theirs, content_of(&b, "data.json"), NULL, &err),
		&err);
	assert_str(buf_str(&ours), theirs.ptr);
	for (size_t i = 0; i < COUNT(files); i++)
		buf_release(&files[i].text);
	data_release(&d);
	bundle_release(&b);
	buf_release(&bytes);
	buf_release(&ours);
	buf_release(&theirs);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(a_bundle_holds_policies_data_and_a_manifest),
		T(what_a_rollout_goes_by_is_in_the_manifest),
		T(what_gates_derive_is_merged_in),
		T(roots_are_first_steps_and_two_below_system),
		T(roots_hold_every_package_and_all_data),
		T(names_and_contents_that_mean_trouble_are_refused),
		T(data_is_read_to_the_limit_of_depth),
		T(a_deep_document_is_refused_at_once),
		T(what_two_files_give_is_refused_with_both_places),
		T(data_is_written_as_agents_hash_it),
		T(a_repository_without_policies_is_no_bundle),
		T(a_module_has_its_limit),
		T(an_agents_refusals_are_ours),
		T(compiled_policies_are_judged_as_agents_do),
		T(a_manifest_is_read_as_agents_read_it),
		T(what_is_signed_verifies_until_it_changes),
		T(signatures_do_not_make_bundles_differ),
		T(globs_do_not_cross_a_slash),
		T(unsigned_bundles_pass_where_no_signature_is_asked_for),
		T(strict_takes_no_broken_digests_and_no_lookalikes),
		T(opas_verdicts_on_signed_bundles_are_ours),
		T(opas_verdicts_on_deltas_are_ours),
		T(what_opa_builds_is_read_and_would_activate),
		T(our_data_is_that_of_opa_build),
	};

	return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
