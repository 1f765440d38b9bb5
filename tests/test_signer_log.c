/* Trees, notes and checkpoints, against published vectors and against the
 * recursive definition. */
#include "tests/test.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fs.h"
#include "signer/note.h"

enum { SIZES = 70 };

/* The entries that certificate transparency tests with. */
static const struct str entries[] = {STR(""), STR("\x00"), STR("\x10"),
	STR("\x20\x21"), STR("\x30\x31"), STR("\x40\x41\x42\x43"),
	STR("\x50\x51\x52\x53\x54\x55\x56\x57"),
	STR("\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e"
	    "\x6f")};

static const char *const roots[] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

static void assert_hash(const struct merkle_hash *h, const char *want)
{
	struct buf hex = {0};

	digest_hex(&hex, h->b, MERKLE_BYTES);
	assert_str(buf_str(&hex), want);
	buf_release(&hex);
}

static void published_roots_come_out(void **state)
{
	struct merkle m = {0};

	(void)state;
	for (size_t i = 0;; i++) {
		struct merkle_hash root = merkle_root(&m), leaf;

		assert_hash(&root, roots[i]);
		if (i == COUNT(entries))
			break;
		leaf = merkle_leaf(entries[i]);
		merkle_add(&m, &leaf);
	}
}

/* The definition, as RFC 6962 has it. */
static struct merkle_hash defined(
	const struct merkle_hash *leaves, uint64_t from, uint64_t to)
{
	uint64_t k = 1;
	struct merkle_hash l, r;

	if (to - from == 1)
		return leaves[from];
	while (2 * k < to - from)
		k *= 2;
	l = defined(leaves, from, from + k);
	r = defined(leaves, from + k, to);
	return merkle_node(&l, &r);
}

static enum status hash_of(void *user, uint64_t from, uint64_t to,
	struct merkle_hash *out, struct err *e)
{
	(void)e;
	*out = defined(user, from, to);
	return OK;
}

static struct merkle_hash leaves[SIZES];
static const struct merkle_source source = {hash_of, leaves};

static int make_leaves(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < SIZES; i++)
		leaves[i] = merkle_leaf((struct str){(char *)&i, sizeof(i)});
	return 0;
}

static struct merkle_hash root_of(uint64_t size)
{
	return defined(leaves, 0, size);
}

static void trees_grow_by_entries_and_by_trees(void **state)
{
	struct merkle m = {0}, by_four = {0};

	(void)state;
	for (uint64_t i = 0; i < SIZES; i++) {
		struct merkle_hash want = root_of(i + 1), got;

		merkle_add(&m, &leaves[i]);
		got = merkle_root(&m);
		assert_true(merkle_equal(&got, &want));
		if (i % 4 != 3)
			continue;
		got = defined(leaves, i - 3, i + 1);
		merkle_add_tree(&by_four, 2, &got);
		got = merkle_root(&by_four);
		assert_true(merkle_equal(&got, &want));
	}
}

static void every_entry_has_a_proof_and_no_other(void **state)
{
	(void)state;
	for (uint64_t size = 1; size < SIZES; size++)
		for (uint64_t i = 0; i < size; i++) {
			struct merkle_hash root = root_of(size);
			struct merkle_proof p = {0};

			assert_int_equal(
				merkle_prove(&source, i, size, &p, NULL), OK);
			assert_true(
				merkle_check(i, size, &leaves[i], &p, &root));
			assert_false(merkle_check(
				i ^ 1, size, &leaves[i], &p, &root));
			assert_false(merkle_check(
				i, size, &leaves[i ? i - 1 : 1], &p, &root));
			assert_false(merkle_check(
				size, size, &leaves[i], &p, &root));
			if (!p.n)
				continue;
			p.hashes[i % p.n].b[3] ^= 4;
			assert_false(
				merkle_check(i, size, &leaves[i], &p, &root));
			p.hashes[i % p.n].b[3] ^= 4;
			p.n--;
			assert_false(
				merkle_check(i, size, &leaves[i], &p, &root));
			p.n += 2;
			assert_false(
				merkle_check(i, size, &leaves[i], &p, &root));
		}
}

static void every_growth_has_a_proof_and_no_other(void **state)
{
	(void)state;
	for (uint64_t size = 1; size < SIZES; size++)
		for (uint64_t old = 1; old <= size; old++) {
			struct merkle_hash a = root_of(old), b = root_of(size);
			struct merkle_proof p = {0};

			assert_int_equal(merkle_prove_growth(
						 &source, old, size, &p, NULL),
				OK);
			assert_true(merkle_check_growth(old, size, &p, &a, &b));
			a.b[0] ^= 1;
			assert_false(
				merkle_check_growth(old, size, &p, &a, &b));
			a.b[0] ^= 1;
			b.b[0] ^= 1;
			assert_false(
				merkle_check_growth(old, size, &p, &a, &b));
			b.b[0] ^= 1;
			assert_false(merkle_check_growth(0, size, &p, &a, &b));
			if (!p.n)
				continue;
			p.hashes[old % p.n].b[31] ^= 1;
			assert_false(
				merkle_check_growth(old, size, &p, &a, &b));
			p.hashes[old % p.n].b[31] ^= 1;
			p.n--;
			assert_false(
				merkle_check_growth(old, size, &p, &a, &b));
		}
}

/* --- notes --------------------------------------------------------------- */

/* A private key of 32 bytes of 1, and what it signs. */
#define PRIVATE                                                                \
	"PRIVATE+KEY+policy.example/log+738604af+"                             \
	"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
#define PUBLIC                                                                 \
	"policy.example/log+738604af+"                                         \
	"AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
#define TEXT                                                                   \
	"policy.example/log\n8\n"                                              \
	"XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n"
#define LINE                                                                   \
	"\xe2\x80\x94 policy.example/log "                                     \
	"c4YErwr6m3v5SfH7IdDJd0qWsAlP+oBupwWqcAxSJAWpYR6hvJV6H1e5ZMdvzhqOyaq6" \
	"LfZmZct44egRNsqR7d+Czw0=\n"
#define OTHER                                                                  \
	"\xe2\x80\x94 witness.example/w1 "                                     \
	"3xwKNQAAAABlU/EAsITU4cmDrE9wV46xwt/"                                  \
	"yjXeJXDbStmBoMwL0+yJyX565ooeeM9MSn"                                   \
	"PzYXE+ctLfRolQ6laYfTV5skDM0hIQBAA==\n"

static struct note_key *key(const char *line)
{
	struct note_key *k = NULL;
	struct err e = {0};

	assert_ok(note_key_parse(&k, str_from(line), &e), &e);
	return k;
}

static void a_known_checkpoint_is_written_and_read(void **state)
{
	struct note_key *k = key(" " PRIVATE "\n");
	struct checkpoint c = {.origin = S("policy.example/log"), .size = 8};
	struct buf b = {0}, note = {0};
	struct str text;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < MERKLE_BYTES; i++) {
		unsigned byte;

		sscanf(roots[8] + 2 * i, "%2x", &byte); /* NOLINT */
		c.root.b[i] = (unsigned char)byte;
	}
	checkpoint_write(&c, &b);
	assert_str(buf_str(&b), TEXT);
	assert_ok(note_sign(k, buf_str(&b), &note, &e), &e);
	assert_str(buf_str(&note), TEXT "\n" LINE);
	note_key_free(k);
	k = key(PUBLIC);
	assert_ok(note_verify(k, S(TEXT "\n" OTHER LINE), &text, &e), &e);
	assert_str(text, TEXT);
	c = (struct checkpoint){0};
	assert_ok(checkpoint_parse(text, &c, &e), &e);
	assert_str(c.origin, "policy.example/log");
	assert_num(c.size, 8);
	assert_hash(&c.root, roots[8]);
	assert_fails(note_sign(k, text, &b, &e), &e, E_INVALID, "verifying");
	note_key_free(k);
	buf_release(&b);
	buf_release(&note);
}

static void notes_that_are_wrong_are_refused(void **state)
{
	/* clang-format off */
	static const struct {
		const char *note;
		enum status st;
	} cases[] = {
		{TEXT "\n" OTHER, E_NOT_FOUND},
		{"x" TEXT "\n" LINE, E_DENIED},
		{TEXT "\n", E_INVALID},
		{TEXT LINE, E_INVALID},
		{TEXT "\n" LINE "x", E_INVALID},
		{TEXT "\n" LINE "x\n", E_INVALID},
		{TEXT "\n\xe2\x80\x94 policy.example/log c4YErw==\n", E_NOT_FOUND},
		{TEXT "\n\xe2\x80\x94 policy.example/log c4YErwA=\n", E_DENIED},
		{TEXT "\n\xe2\x80\x94 a b c\n", E_INVALID},
		{"a\x01\n\n" LINE, E_INVALID},
		{"a\xff\n\n" LINE, E_INVALID},
		{"", E_INVALID},
	};
	/* clang-format on */
	struct note_key *k = key(PUBLIC);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = {0};
		struct str text;

		if (note_verify(k, str_from(cases[i].note), &text, &e) !=
			cases[i].st)
			fail_msg("%s: %d", cases[i].note, (int)e.code);
	}
	note_key_free(k);
}

static void keys_that_are_wrong_are_refused(void **state)
{
	static const char *const lines[] = {"", "a", "a+b", "a+b+c",
		"policy.example/log+738604ae+"
		"AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
		"policy.example/log+738604af+"
		"AoqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
		"a b+738604af+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct note_key *k;
		struct err e = {0};

		assert_int_equal(
			note_key_parse(&k, str_from(lines[i]), &e), E_INVALID);
	}
}

static void a_new_key_signs_from_its_file(void **state)
{
	char name[] = "/tmp/regatta-note-XXXXXX";
	struct buf secret = {0}, public = {0}, note = {0};
	struct note_key *k = NULL;
	struct str text;
	struct err e = {0};
	int fd = mkstemp(name);

	(void)state;
	assert_ok(
		note_key_generate(S("x.example/l"), &secret, &public, &e), &e);
	assert_int_equal(write(fd, secret.ptr, secret.len), secret.len);
	close(fd);
	assert_ok(note_key_load(&k, name, &e), &e);
	assert_ok(note_sign(k, S("hello\n"), &note, &e), &e);
	note_key_free(k);
	k = key(public.ptr);
	assert_ok(note_verify(k, buf_str(&note), &text, &e), &e);
	assert_str(text, "hello\n");
	note_key_free(k);
	chmod(name, 0644);
	assert_fails(note_key_load(&k, name, &e), &e, E_DENIED, "chmod 600");
	assert_ok(fs_write(NULL, name, buf_str(&public), 0600, &e), &e);
	assert_fails(note_key_load(&k, name, &e), &e, E_INVALID, "verifies");
	unlink(name);
	buf_release(&secret);
	buf_release(&public);
	buf_release(&note);
}

static void checkpoints_have_one_form(void **state)
{
#define ROOT "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg="
	static const char *const wrong[] = {"", "l\n8\n", "\n8\n" ROOT "\n",
		"l\n08\n" ROOT "\n", "l\n-8\n" ROOT "\n", "l\n\n" ROOT "\n",
		"l\n8\n" ROOT, "l\n8\n" ROOT "\nmore\n", "l\n8\nXcnaeacG\n",
		"l\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyh=\n"};
	struct checkpoint c;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++)
		if (checkpoint_parse(str_from(wrong[i]), &c, &e) != E_INVALID)
			fail_msg("%s", wrong[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_roots_come_out),
		cmocka_unit_test(trees_grow_by_entries_and_by_trees),
		cmocka_unit_test(every_entry_has_a_proof_and_no_other),
		cmocka_unit_test(every_growth_has_a_proof_and_no_other),
		cmocka_unit_test(a_known_checkpoint_is_written_and_read),
		cmocka_unit_test(notes_that_are_wrong_are_refused),
		cmocka_unit_test(keys_that_are_wrong_are_refused),
		cmocka_unit_test(a_new_key_signs_from_its_file),
		cmocka_unit_test(checkpoints_have_one_form),
	};

	return cmocka_run_group_tests(tests, make_leaves, NULL);
}
