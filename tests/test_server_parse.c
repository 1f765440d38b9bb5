/* What the server reads by itself: paths, header fields, names, tokens. */
#include "tests/test.h"

#include "base/digest.h"
#include "base/fs.h"
#include "server/internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void a_wait_is_read_from_what_agents_write(void **state)
{
	/* clang-format off */
	static const struct {
		const char *field;
		unsigned wait;
	} rows[] = {
		{"modes=snapshot,delta;wait=30", 30},
		{"modes=snapshot,delta", 0},
		{"wait=5", 5}, {"WAIT = 5", 5}, {"wait=\"5\"", 5},
		{"respond-async, wait=10", 10},
		{"wait=1;wait=2", 1},
		{"", 0}, {"wait", 0}, {"wait=", 0}, {"wait=-1", 0}, {"wait=1s", 0},
		{"await=5", 0}, {"x=\"wait=5\"", 0}, {"wait=0", 0}, {"=5", 0},
		{"wait=4294967295", UINT_MAX}, {"wait=99999999999999999999", UINT_MAX},
		{";;,,wait=7,", 7},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (field_wait(str_from(rows[i].field)) != rows[i].wait)
			fail_msg("%s: %u", rows[i].field,
				field_wait(str_from(rows[i].field)));
}

static void the_first_tag_of_a_list_is_as_it_was_written(void **state)
{
	/* clang-format off */
	static const char *const rows[][2] = {
		{"\"a\"", "\"a\""}, {"  \"a\"\t, \"b\"", "\"a\""},
		{"W/\"a\"", "W/\"a\""}, {"abc", "abc"}, {"\"a,b\", \"c\"", "\"a,b\""},
		{"", ""}, {",\"a\"", ""}, {"\"a", "\"a"}, {"*", "*"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_str(field_first_tag(str_from(rows[i][0])), rows[i][1]);
}

static void only_bearer_credentials_are_tokens(void **state)
{
	struct str token;

	(void)state;
	assert_true(field_bearer(S("Bearer abc"), &token));
	assert_str(token, "abc");
	assert_true(field_bearer(S(" bearer  abc "), &token));
	assert_str(token, "abc");
	assert_false(field_bearer(S("Bearer"), &token));
	assert_false(field_bearer(S("Bearer "), &token));
	assert_false(field_bearer(S("Bearer a b"), &token));
	assert_false(field_bearer(S("Basic abc"), &token));
	assert_false(field_bearer(S("Bearerabc d"), &token));
	assert_false(field_bearer(S(""), &token));
}

static void the_first_cookie_of_a_name_counts(void **state)
{
	/* clang-format off */
	static const char *const rows[][2] = {
		{"a=1", "1"}, {"b=2; a=1", "1"}, {"a=1;a=2", "1"}, {" a=1 ;b=2", "1"},
		{"aa=2;a=1", "1"}, {"a=b=c", "b=c"}, {"a=", ""}, {"a", ""}, {"", ""},
		{"A=1", ""}, {";;a=1", "1"}, {"a =1", ""}, {"b=a=1", ""},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_str(
			field_cookie(str_from(rows[i][0]), S("a")), rows[i][1]);
}

static void patterns_match_whole_segments(void **state)
{
	/* clang-format off */
	static const struct {
		const char *pattern, *path;
		bool fits;
		const char *first, *second;
	} rows[] = {
		{"/", "/", true, "", ""},
		{"/", "/page.css", false, "", ""},
		{"/a", "/a", true, "", ""},
		{"/a", "/a/", false, "", ""},
		{"/a", "/ab", false, "", ""},
		{"/a/{x}", "/a/b", true, "b", ""},
		{"/a/{x}", "/a", false, "", ""},
		{"/a/{x}", "/a/b/c", false, "", ""},
		{"/a/{x}/c", "/a/b/c", true, "b", ""},
		{"/{x}/{y}", "/a/b", true, "a", "b"},
		{"/a/{x...}", "/a/b/c", true, "b/c", ""},
		{"/a/{x...}", "/a/", false, "", ""},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str params[SERVER_PARAMS] = {0};

		if (url_match(rows[i].pattern, str_from(rows[i].path),
			    params) != rows[i].fits)
			fail_msg("%s %s", rows[i].pattern, rows[i].path);
		if (!rows[i].fits)
			continue;
		assert_str(params[0], rows[i].first);
		assert_str(params[1], rows[i].second);
	}
}

static void names_of_bundles_are_narrow(void **state)
{
	char longest[80] = "";

	(void)state;
	assert_true(url_bundle_valid(S("authz")));
	assert_true(url_bundle_valid(S("a/b/c/d")));
	assert_true(url_bundle_valid(S("0.a_b-c")));
	assert_false(url_bundle_valid(S("a/b/c/d/e")));
	assert_false(url_bundle_valid(S("")));
	assert_false(url_bundle_valid(S("a//b")));
	assert_false(url_bundle_valid(S("a/")));
	assert_false(url_bundle_valid(S(".a")));
	assert_false(url_bundle_valid(S("A")));
	assert_false(url_bundle_valid(S("a b")));
	memset(longest, 'a', 65);
	assert_true(url_bundle_valid(str_make(longest, 64)));
	assert_false(url_bundle_valid(str_make(longest, 65)));
}

static void an_unset_variable_is_nobody(void **state)
{
	char longest[SERVER_TARGET_MAX + 1];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	assert_true(server_target_valid(S("eu-1.node:7@x_Y")));
	assert_false(server_target_valid(S("${NODE}")));
	assert_false(server_target_valid(S("")));
	assert_false(server_target_valid(S("a b")));
	assert_false(server_target_valid(S("a/b")));
	assert_true(server_target_valid(str_make(longest, SERVER_TARGET_MAX)));
	assert_false(
		server_target_valid(str_make(longest, SERVER_TARGET_MAX + 1)));
}

static struct server_tokens parsed(const char *text)
{
	struct server_tokens t = {0};
	struct err e = {0};

	assert_ok(server_tokens_parse(&t, str_from(text), &e), &e);
	return t;
}

/* SHA-256 of "secret" */
#define SECRET_SUM                                                             \
	"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

static void the_credential_counts_before_what_is_claimed(void **state)
{
	struct server_tokens t =
		parsed("{\"tokens\": [{\"name\": \"n\", "
		       "\"role\": \"agent\", \"target\": "
		       "\"eu-1\", \"sha256\": \"" SECRET_SUM "\"}]}");
	/* clang-format off */
	const struct {
		struct who_claims claims;
		enum who_verdict verdict;
		const char *target;
		enum server_named by;
		bool disagrees;
	} rows[] = {
		{{.token = S("secret"), .has_token = true}, WHO_OK, "eu-1", SERVER_BY_TOKEN, false},
		{{.token = S("secret"), .has_token = true, .header = S("eu-2")}, WHO_OK, "eu-1", SERVER_BY_TOKEN, true},
		{{.token = S("secret"), .has_token = true, .path = S("eu-1")}, WHO_OK, "eu-1", SERVER_BY_TOKEN, false},
		{{.token = S("wrong"), .has_token = true, .header = S("eu-2")}, WHO_UNKNOWN, "", SERVER_NOBODY, false},
		{{.has_token = true}, WHO_UNKNOWN, "", SERVER_NOBODY, false},
		{{.header = S("eu-2")}, WHO_UNKNOWN, "eu-2", SERVER_BY_HEADER, false},
		{{.local = true, .path = S("eu-2")}, WHO_OK, "eu-2", SERVER_BY_PATH, false},
		{{.local = true, .header = S("${NODE}")}, WHO_OK, "", SERVER_NOBODY, false},
		{{.local = true, .header = S("a"), .path = S("b")}, WHO_OK, "a", SERVER_BY_HEADER, true},
	};
	/* clang-format on */
	struct server_who who;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum who_verdict v =
			who_resolve(&who, &rows[i].claims, &t, 0, SERVER_AGENT);

		if (v != rows[i].verdict ||
			strcmp(who.target, rows[i].target) != 0 ||
			who.by != rows[i].by ||
			who.disagrees != rows[i].disagrees)
			fail_msg("row %zu: %d %s %d", i, (int)v, who.target,
				(int)who.by);
	}
	/* Where a server has no tokens, none is asked for. */
	assert_num(who_resolve(&who, &rows[3].claims, NULL, SERVER_AGENT,
			   SERVER_AGENT),
		WHO_OK);
	assert_num(who_resolve(&who, &rows[0].claims, &t, 0, SERVER_CI),
		WHO_NOT_ALLOWED);
	server_who_label(&who, S("eu-9"));
	assert_true(who.disagrees);
	who = (struct server_who){0};
	server_who_label(&who, S("eu-9"));
	assert_num(who.by, SERVER_BY_LABEL);
	server_tokens_release(&t);
}

/* A session is its token; a token that comes beside it counts instead. */
static void a_session_has_the_rights_of_its_token(void **state)
{
	struct server_tokens t = parsed("{\"tokens\": [{\"name\": \"n\", "
					"\"role\": \"viewer\", \"sha256\": "
					"\"" SECRET_SUM "\"}]}");
	struct who_claims c = {.session = true};
	struct server_who who;

	(void)state;
	memcpy(c.sum, t.items[0].sha256, 32);
	assert_num(who_resolve(&who, &c, &t, 0, SERVER_READERS), WHO_OK);
	assert_true(who.session);
	assert_string_equal(who.token, "n");
	assert_num(who_resolve(&who, &c, &t, 0, SERVER_CI), WHO_NOT_ALLOWED);
	c.has_token = true;
	c.token = S("wrong");
	assert_num(who_resolve(&who, &c, &t, 0, SERVER_READERS), WHO_UNKNOWN);
	c.has_token = false;
	c.sum[31] ^= 1;
	assert_num(who_resolve(&who, &c, &t, 0, SERVER_READERS), WHO_UNKNOWN);
	assert_false(who.session);
	server_tokens_release(&t);
}

static void a_role_may_what_its_row_says_and_no_more(void **state)
{
	(void)state;
	for (unsigned role = 1; role <= SERVER_VIEWER; role <<= 1)
		for (unsigned may = 0; may <= SERVER_EVERYONE; may++) {
			struct server_who who;
			struct who_claims c = {0};

			assert_num(who_resolve(&who, &c, NULL, role, may),
				!may || (may & role) ? WHO_OK : WHO_UNKNOWN);
			assert_num(server_role_find(
					   str_from(server_role_name(role))),
				role);
		}
	assert_num(server_role_find(S("admin")), 0);
}

/* --- tokens ------------------------------------------------------------------
 */

static char path[64];

static int make_path(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/regatta-tokens-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	memcpy(path + strlen(path), "/tokens", sizeof("/tokens"));
	return 0;
}

static int remove_path(void **state)
{
	char *slash = strrchr(path, '/');
	char lock[80];

	(void)state;
	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(path);
	unlink(lock);
	*slash = '\0';
	return rmdir(path);
}

static void tokens_are_added_listed_and_revoked(void **state)
{
	unsigned char random[32] = {7};
	struct server_tokens t = {0};
	struct buf one = {0}, two = {0};
	struct err e = {0};
	struct stat info;

	(void)state;
	assert_ok(server_token_add(NULL, path, "a", SERVER_AGENT, "eu-1",
			  random, &one, &e),
		&e);
	random[0] = 8;
	assert_ok(server_token_add(NULL, path, "b", SERVER_ONCALL, NULL, random,
			  &two, &e),
		&e);
	assert_num(one.len, SERVER_TOKEN_LEN);
	assert_num(stat(path, &info), 0);
	assert_num(info.st_mode & 0777, 0600);
	assert_ok(server_tokens_read(&t, NULL, path, &e), &e);
	assert_num(t.len, 2);
	assert_string_equal(server_token_find(&t, buf_str(&one))->name, "a");
	assert_string_equal(
		server_token_find(&t, buf_str(&one))->target, "eu-1");
	assert_num(server_token_find(&t, buf_str(&two))->role, SERVER_ONCALL);
	assert_null(server_token_find(&t, S("")));
	one.len--;
	assert_null(server_token_find(&t, buf_str(&one)));
	one.len++;
	buf_addc(&one, 'x');
	assert_null(server_token_find(&t, buf_str(&one)));
	server_tokens_release(&t);

	assert_fails(server_token_add(NULL, path, "a", SERVER_CI, NULL, random,
			     &two, &e),
		&e, E_EXISTS, "revoke it first");
	assert_fails(server_token_add(NULL, path, "c", SERVER_CI, "eu-1",
			     random, &two, &e),
		&e, E_INVALID, "goes with the role agent");
	assert_fails(server_token_add(NULL, path, "a b", SERVER_CI, NULL,
			     random, &two, &e),
		&e, E_INVALID, "no name for a token");
	assert_fails(server_token_add(NULL, path, "c", SERVER_CI | SERVER_AGENT,
			     NULL, random, &two, &e),
		&e, E_INVALID, "exactly one role");
	assert_ok(server_token_revoke(NULL, path, "a", &e), &e);
	assert_fails(server_token_revoke(NULL, path, "a", &e), &e, E_NOT_FOUND,
		"no token a");
	assert_ok(server_tokens_read(&t, NULL, path, &e), &e);
	assert_num(t.len, 1);
	server_tokens_release(&t);
	buf_release(&one);
	buf_release(&two);
}

static void a_failing_disk_leaves_the_tokens_as_they_were(void **state)
{
	static const enum fs_op ops[] = {
		FS_OPEN, FS_WRITE, FS_SYNC, FS_RENAME, FS_READ, FS_STAT};
	unsigned char random[32] = {9};
	struct buf before = {0}, after = {0}, out = {0};
	struct err e = {0};

	(void)state;
	assert_ok(server_token_add(NULL, path, "keep", SERVER_CI, NULL, random,
			  &out, &e),
		&e);
	assert_ok(fs_read(NULL, path, MIB(1), &before, &e), &e);
	for (size_t i = 0; i < COUNT(ops); i++) {
		struct fs_fault f;

		fs_fault_init(&f, ops[i], 1, EIO);
		buf_reset(&out);
		assert_int_not_equal(server_token_add(&f.fs, path, "more",
					     SERVER_CI, NULL, random, &out, &e),
			OK);
		assert_num(out.len, 0);
		buf_reset(&after);
		assert_ok(fs_read(NULL, path, MIB(1), &after, &e), &e);
		assert_true(str_eq(buf_str(&before), buf_str(&after)));
	}
	buf_release(&before);
	buf_release(&after);
	buf_release(&out);
}

static void a_tokens_file_with_a_mistake_is_refused_with_its_place(void **state)
{
	/* clang-format off */
	static const char *const rows[][2] = {
		{"", "JSON"}, {"[]", "\"tokens\""}, {"{\"tokens\": {}}", "\"tokens\""},
		{"{\"tokens\": [1]}", "\"name\""},
		{"{\"tokens\": [{\"name\": 1}]}", "\"name\""},
		{"{\"tokens\": [{\"name\": \"n\"}]}", "token n: \"role\""},
		{"{\"tokens\": [{\"name\": \"n\", \"role\": \"root\"}]}", "token n: \"role\""},
		{"{\"tokens\": [{\"name\": \"n\", \"role\": \"ci\"}]}", "token n: \"sha256\""},
		{"{\"tokens\": [{\"name\": \"n\", \"role\": \"ci\", \"sha256\": \"00\"}]}", "token n: \"sha256\""},
		{"{\"tokens\": [{\"name\": \"n\", \"role\": \"agent\", \"target\": \"${X}\", \"sha256\": \"" SECRET_SUM "\"}]}",
			"token n: not a target"},
	};
	/* clang-format on */
	struct server_tokens t = {0};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum status st =
			server_tokens_parse(&t, str_from(rows[i][0]), &e);

		assert_int_not_equal(st, OK);
		if (i && !strstr(e.text, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], e.text);
	}
	assert_null(t.items);
}

static void what_is_written_is_read_back(void **state)
{
	struct server_tokens t = {0}, back = {0};
	struct buf text = {0}, again = {0};
	struct err e = {0};

	(void)state;
	buf_adds(&text, "{\"tokens\": [");
	for (int i = 0; i < 300; i++) {
		struct buf sum = {0};
		unsigned char raw[32];

		for (int k = 0; k < 32; k++)
			raw[k] = (unsigned char)(i * 37 + k * 11);
		digest_hex(&sum, raw, 32);
		buf_addf(&text,
			"%s{\"name\": \"n%d\", \"role\": \"viewer\", "
			"\"sha256\": \"%s\"}",
			i ? "," : "", i, sum.ptr);
		buf_release(&sum);
	}
	buf_adds(&text, "]}");
	assert_ok(server_tokens_parse(&t, buf_str(&text), &e), &e);
	buf_reset(&text);
	server_tokens_write(&t, &text);
	assert_ok(server_tokens_parse(&back, buf_str(&text), &e), &e);
	server_tokens_write(&back, &again);
	assert_num(back.len, 300);
	assert_true(str_eq(buf_str(&text), buf_str(&again)));
	buf_release(&text);
	buf_release(&again);
	server_tokens_release(&t);
	server_tokens_release(&back);
}

static void there_are_as_many_tokens_as_allowed(void **state)
{
	struct server_tokens t = {0};
	struct buf text = {0};
	struct err e = {0};

	(void)state;
	buf_adds(&text, "{\"tokens\": [");
	for (unsigned i = 0; i <= LIMIT_TOKENS; i++) {
		if (i == LIMIT_TOKENS) {
			struct buf whole = {0};

			buf_addstr(&whole, buf_str(&text));
			buf_adds(&whole, "]}");
			assert_ok(server_tokens_parse(&t, buf_str(&whole), &e),
				&e);
			assert_num(t.len, LIMIT_TOKENS);
			buf_release(&whole);
		}
		buf_addf(&text,
			"%s{\"name\": \"n\", \"role\": \"ci\", \"sha256\": "
			"\"%064x\"}",
			i ? "," : "", i);
	}
	buf_adds(&text, "]}");
	server_tokens_release(&t);
	assert_fails(server_tokens_parse(&t, buf_str(&text), &e), &e, E_LIMIT,
		"100000 tokens");
	assert_null(t.items);
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_is_read_from_what_agents_write),
		cmocka_unit_test(the_first_tag_of_a_list_is_as_it_was_written),
		cmocka_unit_test(only_bearer_credentials_are_tokens),
		cmocka_unit_test(the_first_cookie_of_a_name_counts),
		cmocka_unit_test(patterns_match_whole_segments),
		cmocka_unit_test(names_of_bundles_are_narrow),
		cmocka_unit_test(an_unset_variable_is_nobody),
		cmocka_unit_test(the_credential_counts_before_what_is_claimed),
		cmocka_unit_test(a_session_has_the_rights_of_its_token),
		cmocka_unit_test(a_role_may_what_its_row_says_and_no_more),
		cmocka_unit_test_setup_teardown(
			tokens_are_added_listed_and_revoked, make_path,
			remove_path),
		cmocka_unit_test_setup_teardown(
			a_failing_disk_leaves_the_tokens_as_they_were,
			make_path, remove_path),
		cmocka_unit_test(
			a_tokens_file_with_a_mistake_is_refused_with_its_place),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(there_are_as_many_tokens_as_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
