/* Signatures by SSH keys, beside ssh-keygen; and who may sign. */
#include "tests/test.h"

#include "base/arena.h"
#include "base/fs.h"
#include "base/limits.h"
#include "signer/note.h"
#include "signer/signers.h"
#include "signer/sshsig.h"
#include "tests/shell.h"

static struct err err;
static char dir[64];
static struct buf text; /* of the file read last */

/* --- helpers -------------------------------------------------------------- */

static int group(void **state)
{
	(void)state;
	shell_folder(dir);
	shell(dir, "printf 'the message' >m; printf 'another' >other;"
		   "for t in ed25519 ecdsa-256 ecdsa-384 ecdsa-521 rsa-2048 "
		   "rsa-1024 rsa-4096; do "
		   "ssh-keygen -q -N '' -C a -t ${t%-*} -b ${t#*-} -f $t "
		   "2>/dev/null || ssh-keygen -q -N '' -C a -t $t -f $t; "
		   "ssh-keygen -q -Y sign -f $t -n git <m >$t.sig 2>/dev/null;"
		   "done");
	return 0;
}

static int group_end(void **state)
{
	(void)state;
	buf_release(&text);
	shell_clean(dir);
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	err = (struct err){0};
	return 0;
}

static struct str file(const char *name)
{
	struct buf path = {0};

	buf_addf(&path, "%s/%s", dir, name);
	buf_reset(&text);
	assert_ok(fs_read(NULL, path.ptr, MIB(1), &text, &err), &err);
	buf_release(&path);
	return buf_str(&text);
}

static struct sshsig parsed(struct str armoured)
{
	struct sshsig s = {0};

	assert_ok(sshsig_parse(&s, armoured, &err), &err);
	return s;
}

static enum status verify(const char *name, struct str message)
{
	struct sshsig s = parsed(file(name));
	enum status st = sshsig_verify(&s, "git", message, &err);

	sshsig_release(&s);
	return st;
}

/* The signature with its bytes changed by `edit`, in armour again. */
static struct str edited(const char *name, void (*edit)(struct buf *blob))
{
	struct sshsig s = parsed(file(name));

	edit(&s.blob);
	buf_reset(&text);
	buf_adds(&text, SSHSIG_BEGIN "\n");
	base64_write(&text, buf_str(&s.blob));
	buf_adds(&text, "\n-----END SSH SIGNATURE-----\n");
	sshsig_release(&s);
	return buf_str(&text);
}

static void assert_refused(struct str armoured, const char *part)
{
	struct sshsig s = {.key = STR("untouched")};

	assert_fails(sshsig_parse(&s, armoured, &err), &err, E_INVALID, part);
	assert_str(s.key, "untouched");
}

/* --- signatures ----------------------------------------------------------- */

static void what_ssh_keygen_signs_verifies(void **state)
{
	static const char *const keys[] = {"ed25519.sig", "ecdsa-256.sig",
		"ecdsa-384.sig", "ecdsa-521.sig", "rsa-2048.sig",
		"rsa-4096.sig"};

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		assert_ok(verify(keys[i], S("the message")), &err);
		assert_fails(verify(keys[i], S("another")), &err, E_DENIED,
			"does not fit what is signed");
		assert_fails(verify(keys[i], S("the message\n")), &err,
			E_DENIED, "does not fit what is signed");
	}
}

static void both_hashes_verify(void **state)
{
	(void)state;
	shell(dir, "ssh-keygen -q -Y sign -O hashalg=sha256 -f ed25519 -n git "
		   "<m >short.sig 2>/dev/null;"
		   "ssh-keygen -q -Y sign -O hashalg=sha256 -f rsa-2048 -n git "
		   "<m >rsa.sig 2>/dev/null");
	assert_ok(verify("short.sig", S("the message")), &err);
	assert_ok(verify("rsa.sig", S("the message")), &err);
}

static void a_signature_for_another_namespace_is_denied(void **state)
{
	(void)state;
	shell(dir, "ssh-keygen -q -Y sign -f ed25519 -n file <m >file.sig "
		   "2>/dev/null");
	assert_fails(verify("file.sig", S("the message")), &err, E_DENIED,
		"a signature for \"file\", not for \"git\"");
}

static void a_short_rsa_key_is_denied(void **state)
{
	(void)state;
	assert_fails(verify("rsa-1024.sig", S("the message")), &err, E_DENIED,
		"an RSA key of 1024 bits, at least 2048 are needed");
}

static void a_certificate_is_not_read(void **state)
{
	(void)state;
	shell(dir, "cp ed25519.pub c.pub; cp ed25519 c;"
		   "ssh-keygen -q -s ecdsa-256 -I id -n a@a.example c.pub;"
		   "ssh-keygen -q -Y sign -f c-cert.pub -n git <m >c.sig "
		   "2>/dev/null || ssh-keygen -q -Y sign -f c -n git <m >c.sig "
		   "2>/dev/null");
	struct sshsig s = parsed(file("c.sig"));

	if (str_is(ssh_key_type(s.key), "ssh-ed25519")) {
		sshsig_release(&s);
		print_message("this ssh-keygen signs without certificates\n");
		skip();
	}
	assert_fails(sshsig_verify(&s, "git", S("the message"), &err), &err,
		E_UNSUPPORTED,
		"a key of type \"ssh-ed25519-cert-v01@openssh.com\"");
	sshsig_release(&s);
}

/* Every byte counts: what is flipped anywhere is refused somewhere. */
static void no_byte_of_a_signature_can_change(void **state)
{
	static const char *const keys[] = {
		"ed25519.sig", "ecdsa-521.sig", "rsa-2048.sig"};

	(void)state;
	for (size_t k = 0; k < COUNT(keys); k++) {
		struct sshsig good = parsed(file(keys[k])), s = {0};
		struct buf bad = {0};

		for (size_t i = 0; i < good.blob.len; i++) {
			buf_reset(&bad);
			good.blob.ptr[i] = (char)(good.blob.ptr[i] ^ 1);
			buf_adds(&bad, SSHSIG_BEGIN "\n");
			base64_write(&bad, buf_str(&good.blob));
			buf_adds(&bad, "\n-----END SSH SIGNATURE-----");
			good.blob.ptr[i] = (char)(good.blob.ptr[i] ^ 1);
			if (!sshsig_parse(&s, buf_str(&bad), &err) &&
				!sshsig_verify(
					&s, "git", S("the message"), &err))
				fail_msg("%s: byte %zu", keys[k], i);
			sshsig_release(&s);
		}
		buf_release(&bad);
		sshsig_release(&good);
	}
}

static void no_length_of_a_signature_but_its_own_is_read(void **state)
{
	(void)state;
	struct sshsig good = parsed(file("ecdsa-256.sig")), s = {0};
	struct buf bad = {0};

	for (size_t n = 0; n < good.blob.len; n++) {
		buf_reset(&bad);
		buf_adds(&bad, SSHSIG_BEGIN "\n");
		base64_write(&bad, str_slice(buf_str(&good.blob), 0, n));
		buf_adds(&bad, "\n-----END SSH SIGNATURE-----");
		assert_num(sshsig_parse(&s, buf_str(&bad), &err), E_INVALID);
	}
	buf_release(&bad);
	sshsig_release(&good);
}

static void one_byte_more(struct buf *blob)
{
	buf_addc(blob, 0);
}

static void version_two(struct buf *blob)
{
	blob->ptr[9] = 2;
}

/* Behind the namespace "git". */
static void fill_reserved(struct buf *blob)
{
	struct str s = buf_str(blob);
	size_t at = str_find(s, S("git"), 0) + 3;
	struct buf out = {0};

	buf_addstr(&out, str_slice(s, 0, at));
	buf_add(&out, "\0\0\0\1x", 5);
	buf_addstr(&out, str_slice(s, at + 4, s.len));
	buf_release(blob);
	*blob = out;
}

static void md5_hash(struct buf *blob)
{
	size_t at = str_find(buf_str(blob), S("sha512"), 0);

	memcpy(blob->ptr + at, "sha224", 6);
}

static void what_ssh_keygen_would_not_write_is_refused(void **state)
{
	(void)state;
	assert_refused(edited("ed25519.sig", one_byte_more),
		"1 bytes behind an SSH signature");
	assert_refused(edited("ed25519.sig", version_two), "another version");
	assert_refused(edited("ed25519.sig", fill_reserved), "reserved field");
	assert_refused(edited("ed25519.sig", md5_hash), "another hash");
}

static void armour_has_one_form(void **state)
{
	(void)state;
	assert_refused(S(""), "begins with a line");
	assert_refused(S("-----BEGIN PGP SIGNATURE-----\n\niQIz\n"),
		"begins with a line");
	assert_refused(S(SSHSIG_BEGIN), "begins with a line");
	assert_refused(S(SSHSIG_BEGIN "\nU1NIU0lH\n"), "cut off");
	assert_refused(S(SSHSIG_BEGIN "\n-----END SSH SIGNATURE-----"),
		"without the word SSHSIG");
	assert_refused(S(SSHSIG_BEGIN "\nU1NIU0l\n-----END SSH SIGNATURE-----"),
		"base64 of 7 characters");
	assert_refused(
		S(SSHSIG_BEGIN "\nU1NI*0lH\n-----END SSH SIGNATURE-----"),
		"no base64 at byte 4");
	assert_refused(
		S(SSHSIG_BEGIN "\nU1NIU0lHAB==\n-----END SSH SIGNATURE-----"),
		"stray bits");
	assert_refused(
		S(SSHSIG_BEGIN "\nU1NIU0lH\n-----END SSH SIGNATURE-----\nmore"),
		"goes on behind it");
}

static void a_signature_is_read_to_its_limit(void **state)
{
	struct sshsig s = {0};
	struct buf b = {0};

	(void)state;
	buf_addstr(&b, file("rsa-4096.sig"));
	while (b.len < SSHSIG_MAX)
		buf_addc(&b, '\n');
	assert_ok(sshsig_parse(&s, buf_str(&b), &err), &err);
	sshsig_release(&s);
	buf_addc(&b, '\n');
	assert_fails(sshsig_parse(&s, buf_str(&b), &err), &err, E_LIMIT,
		"a signature of 16385 bytes, limit 16384");
	buf_release(&b);
}

static void a_fingerprint_is_ssh_keygens(void **state)
{
	struct sshsig s = parsed(file("ecdsa-256.sig"));
	struct buf b = {0};

	(void)state;
	ssh_fingerprint(&b, s.key);
	assert_string_equal(b.ptr,
		shell(dir, "ssh-keygen -l -f ecdsa-256.pub | cut -d' ' -f2"));
	buf_release(&b);
	sshsig_release(&s);
}

/* --- who may sign --------------------------------------------------------- */

#define ED                                                                     \
	"ssh-ed25519 "                                                         \
	"AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

static struct signers listed(struct arena *a, const char *lines)
{
	struct signers list = {0};

	assert_ok(signers_parse(&list, "signers", str_from(lines), a, &err),
		&err);
	return list;
}

static void a_list_is_read_as_ssh_keygen_reads_it(void **state)
{
	struct arena a = {0};
	struct signers l = listed(&a,
		"# people\n\n"
		"ann@a.example " ED " Ann\r\n"
		"\tben@a.example,b2@a.example namespaces=\"git,file\","
		"valid-after=\"20260101Z\",valid-before=\"202606301230Z\"  " ED
		"\n"
		"\"c d\" valid-before=\"20260630123059Z\" " ED);

	(void)state;
	assert_num(l.len, 3);
	assert_str(l.items[0].who, "ann@a.example");
	assert_num(l.items[0].row, 3);
	assert_num(l.items[0].key.len, 51);
	assert_num(l.items[0].after, 0);
	assert_num(l.items[0].before, 0);
	assert_str(l.items[1].who, "ben@a.example,b2@a.example");
	assert_str(l.items[1].namespaces, "git,file");
	assert_num(l.items[1].after, 1767225600);
	assert_num(l.items[1].before, 1782822600);
	assert_str(l.items[2].who, "c d");
	assert_num(l.items[2].before, 1782822659);
	arena_release(&a);
}

static void lines_that_are_wrong_are_refused_with_their_place(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *part; enum status st; } rows[] = {
		{"", "signers:1:1: no key in it", E_INVALID},
		{"# nobody\n", "signers:1:1: no key in it", E_INVALID},
		{"ann\n", "signers:1:4: neither a key type nor an option", E_INVALID},
		{"ann ssh-ed25519\n", "signers:1:16: no key of type ssh-ed25519", E_INVALID},
		{"ann ssh-ed25519 AAA\n", "signers:1:17: no key: base64 of 3 characters", E_INVALID},
		{"ann ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA\n", "no key of type ssh-rsa", E_INVALID},
		{"\nann cert-authority " ED "\n", "signers:2:5: cert-authority: certificates are not read here", E_UNSUPPORTED},
		{"ann namespaces=\"git\",cert-authority " ED, "signers:1:22: cert-authority", E_UNSUPPORTED},
		{"ann namespaces=git " ED, "must be in \"...\"", E_INVALID},
		{"ann namespaces=\"git " ED, "is not closed", E_INVALID},
		{"ann namespaces=\"\" " ED, "namespaces is empty", E_INVALID},
		{"ann namespaces=\"git\",namespaces=\"a\" " ED, "namespaces is given twice", E_INVALID},
		{"ann namespaces=\"git\"valid-after=\"20260101Z\" " ED, "by commas", E_INVALID},
		{"ann namespaces=\"git\"", "a key is wanted here", E_INVALID},
		{"ann valid-after=\"20260101\" " ED, "in UTC with its Z", E_INVALID},
		{"ann valid-after=\"20260101Z\",valid-after=\"20260102Z\" " ED, "valid-after is given twice", E_INVALID},
		{"ann valid-before=\"20260230Z\" " ED, "valid-before is \"20260230Z\", must be a time", E_INVALID},
		{"ann valid-before=\"202602282400Z\" " ED, "must be a time", E_INVALID},
		{"ann valid-before=\"2026022812Z\" " ED, "must be a time", E_INVALID},
		{"ann valid-before=\"Z\" " ED, "must be a time", E_INVALID},
		{"ann no-such-option " ED, "neither a key type nor an option", E_INVALID},
		{"\"ann " ED, "is not closed", E_INVALID},
		{"a\033[2Jnn " ED, "a control character, 0x1b", E_INVALID},
		{"a\xff " ED, "no UTF-8", E_INVALID},
	};
	/* clang-format on */
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct signers list = {.len = 7};

		assert_fails(signers_parse(&list, "signers",
				     str_from(rows[i].text), &a, &err),
			&err, rows[i].st, rows[i].part);
		assert_num(list.len, 7);
	}
	arena_release(&a);
}

static void a_list_is_read_to_its_limits(void **state)
{
	struct arena a = {0};
	struct signers l = {0};
	struct buf b = {0};

	(void)state;
	for (int i = 0; i < SIGNERS_MAX; i++)
		buf_adds(&b, "a " ED "\n");
	assert_ok(signers_parse(&l, "signers", buf_str(&b), &a, &err), &err);
	assert_num(l.len, SIGNERS_MAX);
	buf_adds(&b, "a " ED "\n");
	assert_fails(signers_parse(&l, "signers", buf_str(&b), &a, &err), &err,
		E_LIMIT, "signers:10001:1: more than 10000 keys");
	buf_reset(&b);
	buf_adds(&b, "a " ED "\n");
	while (b.len < SIGNERS_BYTES)
		buf_addc(&b, '\n');
	assert_ok(signers_parse(&l, "signers", buf_str(&b), &a, &err), &err);
	buf_addc(&b, '\n');
	assert_fails(signers_parse(&l, "signers", buf_str(&b), &a, &err), &err,
		E_LIMIT, "signers:1:1: 1048577 bytes, limit 1048576");
	buf_release(&b);
	arena_release(&a);
}

static enum status look_up(const char *lines, int64_t from, int64_t to)
{
	struct arena a = {0};
	struct signers l = listed(&a, lines);
	const struct signer *who = NULL;
	const int64_t times[] = {from, to};
	enum status st = signers_find(
		&l, l.items[0].key, "git", times, COUNT(times), &who, &err);

	assert_int_equal(!st, who != NULL);
	arena_release(&a);
	return st;
}

/* 1767225600 is 2026-01-01, 1782777600 is 2026-06-30. */
#define SPAN "a valid-after=\"20260101Z\",valid-before=\"20260630Z\" " ED

static void a_key_holds_from_its_first_second_to_its_last(void **state)
{
	(void)state;
	assert_ok(look_up(SPAN, 1767225600, 1782777600), &err);
	assert_fails(look_up(SPAN, 1767225599, 1782777600), &err, E_DENIED,
		"the key of a (line 1) is valid from 2026-01-01T00:00:00Z, not "
		"at 2025-12-31T23:59:59Z");
	assert_fails(look_up(SPAN, 1767225600, 1782777601), &err, E_DENIED,
		"valid until 2026-06-30T00:00:00Z, not at "
		"2026-06-30T00:00:01Z");
	assert_fails(look_up(SPAN, -5, INT64_MAX), &err, E_DENIED,
		"not at 1970-01-01T00:00:00Z");
	assert_fails(look_up(SPAN, 1767225600, INT64_MAX), &err, E_DENIED,
		"not at 2262-");
	assert_ok(look_up(SPAN "\nb " ED, 0, INT64_MAX), &err);
}

static void a_key_holds_for_its_namespaces(void **state)
{
	/* clang-format off */
	static const struct { const char *text; bool ok; } rows[] = {
		{"a namespaces=\"git\" " ED, true},
		{"a namespaces=\"file,git\" " ED, true},
		{"a namespaces=\"*\" " ED, true},
		{"a namespaces=\"g?t\" " ED, true},
		{"a namespaces=\"*i*\" " ED, true},
		{"a namespaces=\"*,!git\" " ED, false},
		{"a namespaces=\"!git\" " ED, false},
		{"a namespaces=\"!file\" " ED, false},
		{"a namespaces=\"file\" " ED, false},
		{"a namespaces=\"gi\" " ED, false},
		{"a namespaces=\"git?\" " ED, false},
		{"a namespaces=\"*x\" " ED, false},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if ((look_up(rows[i].text, 5, 5) == OK) != rows[i].ok)
			fail_msg("%s", rows[i].text);
	assert_fails(look_up("a namespaces=\"file\" " ED, 5, 5), &err, E_DENIED,
		"is for namespaces \"file\", not for \"git\"");
}

static void a_key_that_is_not_listed_is_not_found(void **state)
{
	struct arena a = {0};
	struct signers l = listed(&a, "a " ED);
	struct sshsig s = parsed(file("ed25519.sig"));
	const struct signer *who = NULL;

	(void)state;
	assert_fails(signers_find(&l, s.key, "git", NULL, 0, &who, &err), &err,
		E_NOT_FOUND, "not listed");
	assert_null(who);
	sshsig_release(&s);
	arena_release(&a);
}

/* Our reading of lines and ssh-keygen's agree on who signed. */
static void ssh_keygen_finds_the_same_signer(void **state)
{
	struct arena a = {0};
	const struct signer *who = NULL;
	const int64_t now = 1782777600;

	(void)state;
	shell(dir,
		"printf 'a@x valid-before=\"20200101Z\" %s\\n' "
		"\"$(cat ed25519.pub)\" >list;"
		"printf 'b@x,c@x namespaces=\"g*\",valid-after=\"20200101Z\" "
		"%s\\n' \"$(cat ed25519.pub)\" >>list");
	struct signers l = {0};

	assert_ok(signers_parse(&l, "list", file("list"), &a, &err), &err);
	struct sshsig s = parsed(file("ed25519.sig"));

	assert_ok(signers_find(&l, s.key, "git", &now, 1, &who, &err), &err);
	assert_str(
		who->who, shell(dir, "ssh-keygen -Y find-principals -f list -s "
				     "ed25519.sig 2>/dev/null | paste -sd, -"));
	sshsig_release(&s);
	arena_release(&a);
}

#define TEST(fn) cmocka_unit_test_setup(fn, fresh)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_ssh_keygen_signs_verifies),
		TEST(both_hashes_verify),
		TEST(a_signature_for_another_namespace_is_denied),
		TEST(a_short_rsa_key_is_denied),
		TEST(a_certificate_is_not_read),
		TEST(no_byte_of_a_signature_can_change),
		TEST(no_length_of_a_signature_but_its_own_is_read),
		TEST(what_ssh_keygen_would_not_write_is_refused),
		TEST(armour_has_one_form),
		TEST(a_signature_is_read_to_its_limit),
		TEST(a_fingerprint_is_ssh_keygens),
		TEST(a_list_is_read_as_ssh_keygen_reads_it),
		TEST(lines_that_are_wrong_are_refused_with_their_place),
		TEST(a_list_is_read_to_its_limits),
		TEST(a_key_holds_from_its_first_second_to_its_last),
		TEST(a_key_holds_for_its_namespaces),
		TEST(a_key_that_is_not_listed_is_not_found),
		TEST(ssh_keygen_finds_the_same_signer),
	};

	if (!*shell("/", "command -v ssh-keygen || :")) {
		puts("1..0 # SKIP there is no ssh-keygen");
		return 0;
	}
	return cmocka_run_group_tests(tests, group, group_end);
}
