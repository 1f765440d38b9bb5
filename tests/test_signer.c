/* Keys, digests and signatures of bundles. */
#include "tests/test.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/lib.h"
#include "signer/internal.h"
#include "tests/signer_keys.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#define FIXTURES "../shared/fixtures/opa-1.22.2/"

static struct err err;

/* --- helpers -------------------------------------------------------------- */

struct pair {
	struct buf private, public;
	char path[64]; /* of the private half */
};

static void write_key(struct pair *p, uint32_t mode)
{
	static unsigned count;

	snprintf(p->path, sizeof(p->path), "/tmp/test-signer-%ld-%u.pem",
		(long)getpid(), count++);
	assert_ok(fs_write(NULL, p->path, buf_str(&p->private), mode, &err),
		&err);
}

static void pair_new(struct pair *p, enum sign_alg alg)
{
	*p = (struct pair){0};
	assert_ok(sign_key_generate(alg, &p->private, &p->public, &err), &err);
	write_key(p, 0600);
}

static void pair_release(struct pair *p)
{
	unlink(p->path);
	buf_release(&p->private);
	buf_release(&p->public);
}

static struct sign_key *load(const struct pair *p, enum sign_alg alg)
{
	struct sign_key *k = NULL;

	assert_ok(sign_key_load(&k, p->path, alg, &err), &err);
	return k;
}

static struct sign_key *public_of(
	struct str text, enum sign_alg alg, const char *id)
{
	struct sign_key *k = NULL;

	assert_ok(sign_key_parse_public(&k, text, alg, id, &err), &err);
	return k;
}

/* A file's text, which has to be there. */
static struct buf read_whole(const char *path)
{
	struct buf b = {0};

	assert_ok(fs_read(NULL, path, MIB(1), &b, &err), &err);
	return b;
}

/* Quotes come as ' in these texts. */
static struct buf quoted(const char *text)
{
	struct buf b = {0};

	buf_adds(&b, text);
	for (size_t i = 0; i < b.len; i++)
		if (b.ptr[i] == '\'')
			b.ptr[i] = '"';
	return b;
}

static enum status digest_of(
	const char *name, struct str text, bool strict, struct buf *hex)
{
	buf_reset(hex);
	return sign_digest(
		str_from(name), text, S("SHA-256"), strict, hex, &err);
}

static void assert_digest(const char *name, const char *text, const char *want)
{
	struct buf hex = {0};

	assert_ok(digest_of(name, str_from(text), false, &hex), &err);
	assert_str(buf_str(&hex), want);
	buf_release(&hex);
}

/* The two texts are one document to an agent. */
static void assert_same(const char *name, const char *text, const char *json)
{
	struct buf a = {0}, b = {0};

	assert_ok(digest_of(name, str_from(text), false, &a), &err);
	assert_ok(digest_of("f", str_from(json), false, &b), &err);
	if (!str_eq(buf_str(&a), buf_str(&b)))
		fail_msg("%s is not hashed as %s", text, json);
	buf_release(&a);
	buf_release(&b);
}

/* --- digests -------------------------------------------------------------- */

static const char DIGEST_DATA[] =
	"c6619f3d917a8013ac1ee9bb470b9aea0b2cb13de643aa45d035c432a47c0b09";
static const char DIGEST_MANIFEST[] =
	"7b03098a75221dde2a1cbe3ae43da4e8daa4563b158984607dae57ac28d86d39";
static const char DIGEST_POLICY[] =
	"309493caf7ca3c01fade5ee914a8776eca9799ad3754137b3acb9efe6da0e951";

static void digests_are_those_of_the_contract(void **state)
{
	(void)state;
	assert_digest("data.json",
		"{ \"b\": [1, 2.50, \"x<y\"],"
		" \"a\": {\"z\":null,\"k\":true} }\n",
		DIGEST_DATA);
	assert_digest(".manifest",
		"{\"roots\": [\"a\", \"b\"],\n \"revision\": \"r1\"}",
		DIGEST_MANIFEST);
	assert_digest("x/data.json",
		"{\"n\": [1, 1.0, 1e2, -0, 12345678901234567890]}",
		"7da40d752725f5be05bef95d15991e52"
		"c0619e66ba1fdecc169f30654f7035fa");
	assert_digest("data.json",
		"{\"s\":\"a\xe2\x80\xa8"
		"b\\u0001\\u0008\\u0009<>&\\u00e9\\\"\\\\\\/\"}",
		"e43e26595cedc575d1192bd93b560fcf"
		"a75d3134fd99f54f6ea30248551aa9a4");
	assert_digest("data.json", "{}",
		"44136fa355b3678a1146ad16f7e8649e"
		"94fb4fc21fe77e8310c060f61caaff8a");
	assert_digest("demo/policy.rego", "package demo\n\nallow := true\n",
		DIGEST_POLICY);
}

static void only_four_base_names_are_structured(void **state)
{
	static const char *const yes[] = {"data.json", "a/b/data.json",
		"data.yaml", "a/data.yml", ".manifest", "a/.manifest"};
	static const char *const no[] = {"my.manifest", "xdata.json",
		"data.json/x", "patch.json", "signatures.json", "DATA.JSON"};

	(void)state;
	for (size_t i = 0; i < COUNT(yes); i++)
		assert_same(yes[i], "{ }", "{}");
	for (size_t i = 0; i < COUNT(no); i++)
		assert_same(no[i], "{ }", "{ }");
}

static void layout_order_and_escapes_do_not_matter(void **state)
{
	(void)state;
	assert_same(
		"data.json", "{\"b\":1,\"a\":2,\"b\":3}", "{\"a\":2,\"b\":3}");
	assert_same("data.json", "\xef\xbb\xbf[1 , 2]", "[1,2]");
	assert_same("data.json", "\"\\ud83d\\ude00\\u007f\"",
		"\"\xf0\x9f\x98\x80\x7f\"");
	assert_same("data.json", "\"\\ud800\"", "\"\xef\xbf\xbd\"");
	assert_same("data.json", "\"\xff\"", "\"\xef\xbf\xbd\"");
	assert_same("data.json", "{\"\xef\xbf\xbd\":1,\"\xf0\x9f\x98\x80\":2}",
		"{\"\xef\xbf\xbd\":1,\"\xf0\x9f\x98\x80\":2}");
	assert_same("data.json", "[\"\\u2029\",\"\\u001f\",\"\\u000c\"]",
		"[\"\\u2029\",\"\\u001f\",\"\\f\"]");
	assert_same(
		"data.json", "[1E5,-0.0,1e-7,1e400]", "[1E5,-0.0,1e-7,1e400]");
}

static void yaml_is_hashed_as_the_json_it_stands_for(void **state)
{
	(void)state;
	assert_same("data.yaml", "b: [0x10, 2.50, 1.0]\na: yes\n",
		"{\"a\":\"yes\",\"b\":[16,2.5,1]}");
	assert_same("data.yml", "[1e21, 1e-7, 012, ~, true, 2001-01-01]",
		"[1e+21,1e-7,10,null,true,\"2001-01-01\"]");
	assert_same("data.json", "a: 1\n", "{\"a\":1}");
	assert_same("data.yaml", "{\"a\":1.0}", "{\"a\":1.0}");
	assert_same("data.json", "", "null");
}

static void broken_structured_files_have_no_digest(void **state)
{
	struct buf hex = {0};

	(void)state;
	assert_fails(digest_of("a/data.json", S("{\"a\": [}"), false, &hex),
		&err, E_INVALID, "a/data.json: ");
	assert_fails(digest_of("data.yaml", S("a: .inf"), false, &hex), &err,
		E_INVALID, "data.yaml: ");
	assert_num(hex.len, 0);
	buf_release(&hex);
}

static void strict_refuses_what_agents_read_in_different_ways(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *why; } rows[] = {
		{"{\"a\":1,\"a\":1}",              "the key \"a\" stands twice"},
		{"[{\"b\":{\"a\":1,\"\\u0061\":2}}]", "the key \"a\" stands twice"},
		{"[\"x\\b\"]",                     "U+0008"},
		{"{\"\\u000c\":1}",                "U+000C"},
		{"a: 1",                           "data.json: byte 0"},
		{"\"\xff\"",                       "UTF-8"},
		{"",                               "text ends"},
	};
	/* clang-format on */
	struct buf hex = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = str_from(rows[i].text);

		assert_fails(digest_of("data.json", text, true, &hex), &err,
			E_INVALID, rows[i].why);
		assert_ok(digest_of("data.json", text, false, &hex), &err);
		assert_ok(digest_of("f.rego", text, true, &hex), &err);
	}
	assert_ok(digest_of("data.json", S("{\"a\":{\"b\":\"\"},\"b\":[\"\"]}"),
			  true, &hex),
		&err);
	buf_release(&hex);
}

static void every_hash_of_the_contract_is_known(void **state)
{
	/* clang-format off */
	/* FIPS 180-4 and RFC 1321, of "abc". */
	static const struct { const char *name, *want; } rows[] = {
		{"MD5", "900150983cd24fb0d6963f7d28e17f72"},
		{"SHA-1", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{"SHA-224", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7"
			"e36c9da7"},
		{"SHA-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9c"
			"b410ff61f20015ad"},
		{"SHA-384", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"
			"1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
		{"SHA-512", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea2"
			"0a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
			"454d4423643ce80e2a9ac94fa54ca49f"},
		{"SHA-512-224", "4634270f707b6a54daae7530460842e20e37ed265cee"
			"e9a43e8924aa"},
		{"SHA-512-256", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc"
			"6d46e0e2f13107e7af23"},
	};
	/* clang-format on */
	struct buf hex = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		buf_reset(&hex);
		assert_ok(sign_digest(S("f"), S("abc"), str_from(rows[i].name),
				  false, &hex, &err),
			&err);
		assert_str(buf_str(&hex), rows[i].want);
	}
	assert_fails(sign_digest(S("a"), S(""), S("SHA256"), false, &hex, &err),
		&err, E_INVALID, "unsupported hashing algorithm: SHA256");
	assert_fails(sign_digest(S("a"), S(""), S(""), false, &hex, &err), &err,
		E_INVALID, "no hashing algorithm provided for file a");
	buf_release(&hex);
}

/* --- keys ----------------------------------------------------------------- */

static const enum sign_alg signing[] = {ALG_RS256, ALG_RS384, ALG_RS512,
	ALG_PS256, ALG_PS384, ALG_PS512, ALG_ES256, ALG_ES384, ALG_ES512};

static struct signed_file files[] = {
	{STR("demo/policy.rego"),
		STR("309493caf7ca3c01fade5ee914a8776e"
		    "ca9799ad3754137b3acb9efe6da0e951"),
		STR("SHA-256")},
	{STR("data.json"),
		STR("c6619f3d917a8013ac1ee9bb470b9aea"
		    "0b2cb13de643aa45d035c432a47c0b09"),
		STR("SHA-256")},
};

static void algorithms_have_the_names_of_the_contract(void **state)
{
	(void)state;
	for (int i = ALG_RS256; i <= ALG_HS512; i++) {
		enum sign_alg alg = (enum sign_alg)i;

		assert_num(sign_alg_find(str_from(sign_alg_name(alg))), alg);
	}
	assert_num(sign_alg_find(S("none")), ALG_NONE);
	assert_num(sign_alg_find(S("EdDSA")), ALG_NONE);
	assert_num(sign_alg_find(S("es256")), ALG_NONE);
	assert_num(sign_alg_find(S("")), ALG_NONE);
}

/* Making an RSA key takes long; the three of a family share one. */
static void what_a_new_key_signs_its_public_half_verifies(void **state)
{
	struct pair p = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(signing); i++) {
		enum sign_alg alg = signing[i];
		struct buf text = {0};
		struct verified v = {0};
		struct sign_key *k, *pub;
		struct verify_config cfg = {
			.nkeys = 1, .scope = "prod", .strict = true};

		if (i == 0 || alg >= ALG_ES256) {
			pair_release(&p);
			pair_new(&p, alg);
		}
		k = load(&p, alg);
		pub = public_of(buf_str(&p.public), alg, "k1");
		cfg.keys = &pub;
		assert_num(sign_key_alg(pub), alg);
		assert_num(strlen(sign_key_fingerprint(k)), FINGERPRINT_HEX);
		assert_string_equal(
			sign_key_fingerprint(k), sign_key_fingerprint(pub));
		assert_ok(sign_files(k, "k1", "prod", files, COUNT(files),
				  &text, &err),
			&err);
		assert_ok(verify_signatures(buf_str(&text), &cfg, &v, &err),
			&err);
		assert_num(v.nfiles, COUNT(files));
		assert_str(v.files[0].name, "demo/policy.rego");
		assert_str(v.files[1].hash, DIGEST_DATA);
		assert_str(v.files[1].algorithm, "SHA-256");
		assert_string_equal(v.keyid, "k1");
		assert_string_equal(v.scope, "prod");
		verified_release(&v);
		verified_release(&v);
		buf_release(&text);
		sign_key_free(k);
		sign_key_free(pub);
	}
	pair_release(&p);
}

/* The private key of RFC 6979, A.2.5, as SEC 1 has it. */
static const char rfc6979_pem[] =
	"-----BEGIN EC PRIVATE KEY-----\n"
	"MDECAQEEIMmvqdhFunUWa1whV2ex1pNOUMPbNuibEnuKYisSD2choAoGCCqGSM49\n"
	"AwEH\n"
	"-----END EC PRIVATE KEY-----\n";

static void ecdsa_signs_as_rfc_6979_says(void **state)
{
	static const struct {
		const char *text, *rs;
	} rows[] = {
		{"sample",
			"efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0e"
			"a84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9af"
			"f4064dc4ab2f843acda8"},
		{"test",
			"f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3"
			"b0b7d38367019f4113742a2b14bd25926b49c649155f267e60d381"
			"4b4c0cc84250e46f0083"},
	};
	struct pair p;
	struct sign_key *k;

	(void)state;
	pair_new(&p, ALG_ES256);
	unlink(p.path);
	buf_reset(&p.private);
	buf_adds(&p.private, rfc6979_pem);
	write_key(&p, 0600);
	k = load(&p, ALG_ES256);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf raw = {0}, hex = {0};

		assert_ok(
			raw_sign(k, str_from(rows[i].text), &raw, &err), &err);
		digest_hex(&hex, (unsigned char *)raw.ptr, raw.len);
		assert_string_equal(hex.ptr, rows[i].rs);
		assert_ok(raw_verify(k, str_from(rows[i].text), buf_str(&raw),
				  &err),
			&err);
		buf_release(&raw);
		buf_release(&hex);
	}
	sign_key_free(k);
	pair_release(&p);
}

static void the_same_payload_has_the_same_token(void **state)
{
	static const enum sign_alg algs[] = {
		ALG_RS256, ALG_ES256, ALG_ES384, ALG_ES512};

	(void)state;
	for (size_t i = 0; i < COUNT(algs); i++) {
		struct pair p;
		struct buf a = {0}, b = {0};

		pair_new(&p, algs[i]);
		struct sign_key *k = load(&p, algs[i]);

		assert_ok(sign_jws(k, "k", S("{}"), &a, &err), &err);
		assert_ok(sign_jws(k, "k", S("{}"), &b, &err), &err);
		assert_string_equal(a.ptr, b.ptr);
		buf_release(&a);
		buf_release(&b);
		sign_key_free(k);
		pair_release(&p);
	}
}

static void a_private_pem_verifies_but_does_not_sign(void **state)
{
	struct pair p;
	struct sign_key *k;
	struct buf out = {0};

	(void)state;
	pair_new(&p, ALG_ES256);
	k = public_of(buf_str(&p.private), ALG_ES256, "k1");
	assert_fails(sign_jws(k, NULL, S("{}"), &out, &err), &err, E_INVALID,
		"for verifying only");
	assert_num(out.len, 0);
	sign_key_free(k);
	pair_release(&p);
}

static void key_files_that_others_can_touch_are_refused(void **state)
{
	static const mode_t modes[] = {0644, 0640, 0604, 0620, 0602, 0610};
	struct sign_key *k = NULL;
	struct pair p;

	(void)state;
	pair_new(&p, ALG_ES256);
	for (size_t i = 0; i < COUNT(modes); i++) {
		assert_num(chmod(p.path, modes[i]), 0);
		assert_fails(sign_key_load(&k, p.path, ALG_ES256, &err), &err,
			E_DENIED, "only its owner may have access");
		assert_null(k);
	}
	assert_num(chmod(p.path, 0400), 0);
	sign_key_free(load(&p, ALG_ES256));
	if (geteuid() == 0) { /* nobody else can give a file away */
		assert_num(chown(p.path, 1, 0), 0);
		assert_fails(sign_key_load(&k, p.path, ALG_ES256, &err), &err,
			E_DENIED, "belongs to user 1");
	}
	pair_release(&p);
}

/* --- what stays in memory ------------------------------------------------- */

/* A piece of a secret, each byte changed, so that this is not what is found. */
struct needle {
	unsigned char hidden[32];
};

enum { HIDE = 0x5a };

/* Byte by byte, so that no other copy of it comes into being. */
static void needle_read(struct needle *n, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(n->hidden); i++) {
		assert_num(read(fd, &n->hidden[i], 1), 1);
		n->hidden[i] ^= HIDE;
	}
	close(fd);
}

/* OpenSSL has its numbers the other way round. */
static bool needle_at(const struct needle *n, const unsigned char *p, bool back)
{
	size_t len = sizeof(n->hidden);

	for (size_t i = 0; i < len; i++)
		if ((p[back ? len - 1 - i : i] ^ HIDE) != n->hidden[i])
			return false;
	return true;
}

static size_t needles_in(const struct needle *n, int mem, off_t from, off_t to)
{
	static unsigned char piece[65536];
	size_t found = 0, len = sizeof(n->hidden);

	while (to - from >= (off_t)len) {
		size_t want = sizeof(piece) < (size_t)(to - from)
				      ? sizeof(piece)
				      : (size_t)(to - from);
		ssize_t got = pread(mem, piece, want, from);

		if (got < (ssize_t)len)
			break;
		for (size_t i = 0; i + len <= (size_t)got; i++)
			found += needle_at(n, piece + i, false) ||
				 needle_at(n, piece + i, true);
		from += got - (ssize_t)len + 1;
	}
	memset(piece, 0, sizeof(piece));
	return found;
}

/* How often it stands in what this process may write to. */
static size_t needles(const struct needle *n)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	unsigned long from, to;
	char rights[8], line[512];
	size_t found = 0;

	assert_true(maps && mem >= 0);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 &&
			rights[0] == 'r' && rights[1] == 'w' &&
			to - from < MIB(1024)) /* more is a sanitizer's */
			found += needles_in(n, mem, (off_t)from, (off_t)to);
	fclose(maps);
	close(mem);
	return found;
}

/* Another process makes the key, so that this one sees no more than a user. */
static void made_elsewhere(struct pair *p, enum sign_alg alg, const char *piece)
{
	char script[512];
	int ended = -1;
	pid_t pid;

	snprintf(p->path, sizeof(p->path), "/tmp/test-signer-%ld-wiped.pem",
		(long)getpid());
	pid = fork();
	if (!pid) {
		if (sign_key_generate(alg, &p->private, &p->public, &err) ||
			fs_write(NULL, p->path, buf_str(&p->private), 0600,
				&err))
			_exit(1);
		snprintf(script, sizeof(script),
			"openssl pkey -in %s -outform DER | tail -c +%s | "
			"head -c 32 >%s.number; sed -n 3p %s >%s.text",
			p->path, piece, p->path, p->path, p->path);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(1);
	}
	assert_num(waitpid(pid, &ended, 0), pid);
	assert_num(ended, 0);
}

static void piece_of(const struct pair *p, const char *name, struct needle *n)
{
	char path[80];

	snprintf(path, sizeof(path), "%s.%s", p->path, name);
	needle_read(n, path);
	unlink(path);
}

static void a_key_is_wiped_when_it_is_freed(void **state)
{
	/* a byte of the private number, in the DER of openssl */
	static const struct {
		enum sign_alg alg;
		const char *from;
	} rows[] = {{ALG_ES256, "8"}, {ALG_RS256, "500"}, {ALG_PS256, "500"}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct needle number, text;
		struct buf out = {0};
		struct pair p = {0};
		struct sign_key *k;

		made_elsewhere(&p, rows[i].alg, rows[i].from);
		piece_of(&p, "number", &number);
		piece_of(&p, "text", &text);
		k = load(&p, rows[i].alg);
		assert_ok(sign_jws(k, NULL, S("{}"), &out, &err), &err);
		if (!needles(&number))
			fail_msg("%zu: not even the key in use is found", i);
		assert_num(needles(&text), 0);
		sign_key_free(k);
		assert_num(needles(&number), 0);
		buf_release(&out);
		pair_release(&p);
	}
}

static void what_is_no_key_file_is_refused(void **state)
{
	struct sign_key *k = NULL;
	struct pair p = {0};

	(void)state;
	assert_fails(sign_key_load(&k, "/nonexistent/key", ALG_ES256, &err),
		&err, E_NOT_FOUND, "/nonexistent/key");
	assert_fails(sign_key_load(&k, "/dev/null", ALG_ES256, &err), &err,
		E_INVALID, "no regular file");
	buf_adds(&p.private, "no key\n");
	write_key(&p, 0600);
	assert_fails(sign_key_load(&k, p.path, ALG_ES256, &err), &err,
		E_INVALID, "failed to parse PEM block containing the key");
	pair_release(&p);
	p = (struct pair){0};
	for (int i = 0; i < KEY_FILE_MAX + 1; i++)
		buf_addc(&p.private, '\n');
	write_key(&p, 0600);
	assert_fails(sign_key_load(&k, p.path, ALG_ES256, &err), &err, E_LIMIT,
		"more than 32768 bytes");
	assert_null(k);
	pair_release(&p);
}

static void a_key_must_fit_its_algorithm(void **state)
{
	struct sign_key *k = NULL;
	struct pair p;

	(void)state;
	pair_new(&p, ALG_ES384);
	assert_fails(sign_key_load(&k, p.path, ALG_ES256, &err), &err,
		E_INVALID, "ES256 needs a key on P-256, not on secp384r1");
	assert_fails(sign_key_parse_public(
			     &k, buf_str(&p.public), ALG_ES512, "k", &err),
		&err, E_INVALID, "ES512 needs a key on P-521");
	assert_fails(sign_key_load(&k, p.path, ALG_RS256, &err), &err,
		E_INVALID, "RS256 needs an RSA key");
	assert_fails(sign_key_parse_public(
			     &k, buf_str(&p.public), ALG_HS256, "k", &err),
		&err, E_INVALID, "this is a PEM text");
	assert_fails(sign_key_load(&k, p.path, ALG_NONE, &err), &err, E_INVALID,
		"needs an algorithm");
	assert_fails(sign_key_parse_public(
			     &k, buf_str(&p.public), ALG_NONE, "k", &err),
		&err, E_INVALID, "needs an algorithm");
	assert_fails(sign_key_load(&k, p.path, ALG_HS256, &err), &err,
		E_UNSUPPORTED, "HS256 has no private keys");
	assert_fails(sign_key_parse_public(&k, S(""), ALG_HS256, "k", &err),
		&err, E_INVALID, "the secret is empty");
	pair_release(&p);
	p = (struct pair){0};
	assert_fails(sign_key_generate(ALG_HS256, &p.private, &p.public, &err),
		&err, E_UNSUPPORTED, "HS256 has no key pairs");
	assert_null(k);
}

static void keys_of_other_makers_are_read_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(foreign_keys); i++) {
		struct sign_key *k = NULL;
		struct str text = str_from(foreign_keys[i].pem);
		enum sign_alg alg =
			sign_alg_find(str_from(foreign_keys[i].alg));
		enum status st;

		err = (struct err){0};
		st = sign_key_parse_public(&k, text, alg, "k", &err);
		if (foreign_keys[i].refused)
			assert_fails(
				st, &err, E_INVALID, foreign_keys[i].refused);
		else if (st)
			fail_msg("%s: %s", foreign_keys[i].what, err.text);
		sign_key_free(k);
	}
}

static void private_keys_of_other_makers_are_loaded_or_refused(void **state)
{
	size_t loaded = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(foreign_keys); i++) {
		struct sign_key *k = NULL;
		enum sign_alg alg =
			sign_alg_find(str_from(foreign_keys[i].alg));
		struct pair p = {0};
		enum status st;

		if (alg >= ALG_HS256)
			continue;
		buf_adds(&p.private, foreign_keys[i].pem);
		write_key(&p, 0600);
		err = (struct err){0};
		st = sign_key_load(&k, p.path, alg, &err);
		if (!strstr(foreign_keys[i].pem, "PRIVATE KEY"))
			assert_fails(st, &err, E_INVALID,
				foreign_keys[i].refused &&
						strstr(foreign_keys[i].refused,
							"PEM block containing")
					? "PEM block containing"
					: "where a private key should be");
		else if (foreign_keys[i].refused)
			assert_fails(
				st, &err, E_INVALID, foreign_keys[i].refused);
		else if (foreign_keys[i].halves)
			assert_fails(st, &err, E_INVALID,
				"private and public half do not fit");
		else
			assert_ok(st, &err);
		loaded += k != NULL;
		sign_key_free(k);
		pair_release(&p);
	}
	assert_num(loaded, 3); /* RSA and EC as PKCS#8, EC by itself */
}

/* --- making signatures ---------------------------------------------------- */

static void files_no_agent_could_check_are_not_signed(void **state)
{
	/* clang-format off */
	static const struct {
		struct signed_file f;
		const char *why;
	} rows[] = {
		{{STR("/a"), STR(""), STR("SHA-256")}, "no name of a file"},
		{{STR(""), STR(""), STR("SHA-256")}, "no name of a file"},
		{{STR("a\xff"), STR(""), STR("SHA-256")}, "not UTF-8"},
		{{STR("a"), STR("12"), STR("SHA-256")}, "no SHA-256 digest"},
		{{STR("a"), STR("309493CAF7CA3C01FADE5EE914A8776E"
			"CA9799AD3754137B3ACB9EFE6DA0E951"), STR("SHA-256")},
			"no SHA-256 digest"},
		{{STR("a"), STR("309493caf7ca3c01fade5ee914a8776e"
			"ca9799ad3754137b3acb9efe6da0e951"), STR("SHA-512")},
			"no SHA-256 digest"},
	};
	/* clang-format on */
	struct signed_file twice[2] = {files[0], files[0]};
	struct buf out = {0};
	struct sign_key *k;
	struct pair p;

	(void)state;
	pair_new(&p, ALG_ES256);
	k = load(&p, ALG_ES256);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_fails(
			sign_files(k, "k", NULL, &rows[i].f, 1, &out, &err),
			&err, E_INVALID, rows[i].why);
	assert_fails(sign_files(k, "k", NULL, twice, 2, &out, &err), &err,
		E_EXISTS, "demo/policy.rego is there twice");
	assert_num(out.len, 0);
	sign_key_free(k);
	pair_release(&p);
}

static void a_jws_gives_its_payload_to_its_own_key_alone(void **state)
{
	struct buf out = {0}, payload = {0};
	struct sign_key *k, *public, *other;
	struct pair p, q;

	(void)state;
	pair_new(&p, ALG_ES256);
	pair_new(&q, ALG_ES256);
	k = load(&p, ALG_ES256);
	public = public_of(buf_str(&p.public), ALG_ES256, "k");
	other = public_of(buf_str(&q.public), ALG_ES256, "k");
	assert_ok(sign_jws(k, "k", S("{\"a\":1}"), &out, &err), &err);
	assert_ok(verify_jws(public, buf_str(&out), &payload, &err), &err);
	assert_str(buf_str(&payload), "{\"a\":1}");
	assert_fails(verify_jws(other, buf_str(&out), &payload, &err), &err,
		E_DENIED, "failed to verify");
	for (size_t i = 0; i < out.len; i++) {
		out.ptr[i] ^= 1;
		assert_true(verify_jws(public, buf_str(&out), &payload, &err));
		out.ptr[i] ^= 1;
	}
	assert_true(verify_jws(public, S("a.b"), &payload, &err));
	assert_str(buf_str(&payload), "{\"a\":1}");
	sign_key_free(k);
	sign_key_free(public);
	sign_key_free(other);
	pair_release(&p);
	pair_release(&q);
	buf_release(&out);
	buf_release(&payload);
}

static void a_token_has_algorithm_and_key_in_its_header(void **state)
{
	struct buf out = {0}, header = {0};
	struct sign_key *k;
	struct pair p;

	(void)state;
	pair_new(&p, ALG_ES256);
	k = load(&p, ALG_ES256);
	assert_ok(sign_jws(k, "a\"b", S("{}"), &out, &err), &err);
	assert_ok(b64url_parse(&header,
			  str_slice(buf_str(&out), 0,
				  str_find(buf_str(&out), S("."), 0)),
			  true, &err),
		&err);
	assert_str(buf_str(&header), "{\"alg\":\"ES256\",\"kid\":\"a\\\"b\"}");
	buf_reset(&out);
	assert_ok(sign_jws(k, NULL, S("{}"), &out, &err), &err);
	assert_true(str_starts(
		buf_str(&out), S("eyJhbGciOiJFUzI1NiJ9.e30."))); /* no kid */
	buf_release(&out);
	buf_release(&header);
	sign_key_free(k);
	pair_release(&p);
}

/* --- verifying ------------------------------------------------------------ */

/* A token of header and payload, signed with HS256 and this secret. */
static struct buf hs_token(
	const char *secret, const char *header, const char *payload)
{
	struct buf h = quoted(header), p = quoted(payload), token = {0};
	unsigned char sum[DIGEST_MAX];

	b64url_write(&token, buf_str(&h));
	buf_addc(&token, '.');
	b64url_write(&token, buf_str(&p));
	hmac(DIGEST_SHA256, str_from(secret), buf_str(&token), sum);
	buf_addc(&token, '.');
	b64url_write(&token, (struct str){(const char *)sum, 32});
	buf_release(&h);
	buf_release(&p);
	return token;
}

static struct buf wrapped(struct str token)
{
	struct buf b = {0};

	buf_adds(&b, "{\"signatures\":[\"");
	buf_addstr(&b, token);
	buf_adds(&b, "\"]}");
	return b;
}

static void the_token_of_the_contract_verifies(void **state)
{
	static const char payload[] =
		"{'files':[{'name':'demo/policy.rego','hash':'309493caf7ca3c01"
		"fade5ee914a8776eca9799ad3754137b3acb9efe6da0e951','algorithm'"
		":'SHA-256'},{'name':'data.json','hash':'c6619f3d917a8013ac1ee"
		"9bb470b9aea0b2cb13de643aa45d035c432a47c0b09','algorithm':'SHA"
		"-256'},{'name':'.manifest','hash':'7b03098a75221dde2a1cbe3ae4"
		"3da4e8daa4563b158984607dae57ac28d86d39','algorithm':'SHA-256'"
		"}]}";
	struct buf token =
		hs_token("secret", "{'alg':'HS256','kid':'k1'}", payload);
	struct buf text = wrapped(buf_str(&token)), hex = {0};
	struct sign_key *k = public_of(S("secret"), ALG_HS256, "k1");
	struct verify_config cfg = {.keys = &k, .nkeys = 1, .strict = true};
	struct verified v = {0};

	(void)state;
	assert_true(str_ends(buf_str(&token),
		S(".Ub-pYx9T-tcqQaZIpbL81D7j1_jLDW00mLcAH7G3y0U")));
	assert_ok(digest_of("token", buf_str(&token), false, &hex), &err);
	assert_str(buf_str(&hex), "b190f174c764f9d1b2c13b6dddaafc23"
				  "e8275ceb6a06482e3df6f434796fa79e");
	assert_ok(verify_signatures(buf_str(&text), &cfg, &v, &err), &err);
	assert_num(v.nfiles, 3);
	assert_str(v.files[2].name, ".manifest");
	assert_str(v.files[2].hash, DIGEST_MANIFEST);
	assert_str(v.files[0].hash, DIGEST_POLICY);
	assert_string_equal(sign_key_fingerprint(k), "");
	verified_release(&v);
	assert_fails(sign_jws(k, NULL, S("{}"), &hex, &err), &err,
		E_UNSUPPORTED, "HS256 is for verifying only");
	sign_key_free(k);
	buf_release(&token);
	buf_release(&text);
	buf_release(&hex);
}

/* clang-format off */
/* Of signatures made with the right key: what an agent says (NULL: accepted),
 * and what strict says ("=": the same). */
static const struct {
	const char *header, *payload, *keyid, *scope;
	const char *agent, *strict;
} tokens[] = {
	{"{'alg':'HS256','kid':'k1'}", "{}", NULL, NULL, NULL, NULL},
	{"{'alg':'HS256','kid':'k1','typ':'JWT'}", "{'iat':1,'iss':'x','exp':2}",
		NULL, NULL, NULL, NULL},
	/* which key */
	{"{'alg':'HS256'}", "{'keyid':'k1'}", NULL, NULL, NULL, NULL},
	{"{'alg':'HS256','kid':''}", "{'keyid':'k1'}", NULL, NULL, NULL, NULL},
	{"{'alg':'HS256','kid':'k2'}", "{'keyid':'k1'}", NULL, NULL,
		"verification key corresponding to ID k2 not found", "="},
	{"{'alg':'HS256','kid':'k1'}", "{'keyid':'k2'}", NULL, NULL, NULL, NULL},
	{"{'alg':'HS256','kid':'k2'}", "{'keyid':'k2'}", "k1", NULL, NULL, NULL},
	{"{'alg':'HS256','kid':'k1'}", "{}", "k2", NULL,
		"verification key corresponding to ID k2 not found", "="},
	{"{'alg':'HS256'}", "{}", NULL, NULL,
		"verification key ID is empty", "="},
	{"{'alg':'HS256','kid':'k1\\u0000'}", "{}", NULL, NULL, "not found", "="},
	{"{'alg':'HS256','kid':7}", "{}", NULL, NULL,
		"failed to extract key ID from headers: value doesn't contain "
		"string; it contains number", "="},
	{"{'alg':'HS256','kid':true}", "{}", NULL, NULL, "contains true", "="},
	{"[]", "{'keyid':'k1'}", NULL, NULL, NULL, "the header is no object"},
	{"{'kid'", "{}", NULL, NULL, "failed to extract key ID from headers", "="},
	{"no json", "{}", "k1", NULL, NULL, "invalid character"},
	/* what a header may not say */
	{"{'alg':'none','kid':'k1'}", "{}", NULL, NULL, NULL,
		"the header's alg is not HS256"},
	{"{'alg':'HS384','kid':'k1'}", "{}", NULL, NULL, NULL,
		"the header's alg is not HS256"},
	{"{'alg':256,'kid':'k1'}", "{}", NULL, NULL, NULL,
		"the header's alg is not HS256"},
	{"{'kid':'k1'}", "{}", NULL, NULL, NULL, "the header's alg is not HS256"},
	{"{'alg':'HS256','kid':'k1','crit':['b64']}", "{}", NULL, NULL, NULL,
		"the header has a member \"crit\""},
	{"{'alg':'HS256','kid':'k1','b64':false}", "{}", NULL, NULL, NULL,
		"the header has a member \"b64\""},
	{"{'alg':'HS256','kid':'k1','jku':'u'}", "{}", NULL, NULL, NULL,
		"the header has a member \"jku\""},
	{"{'alg':'HS256','kid':'k1','jwk':{}}", "{}", NULL, NULL, NULL,
		"the header has a member \"jwk\""},
	{"{'alg':'HS256','kid':'k1','x5c':[]}", "{}", NULL, NULL, NULL,
		"the header has a member \"x5c\""},
	{"{'alg':'HS256','kid':'k1','x5u':'u'}", "{}", NULL, NULL, NULL,
		"the header has a member \"x5u\""},
	{"{'alg':'none','kid':'k1','\\u0061lg':'HS256'}", "{}", NULL, NULL, NULL,
		"the header's member \"alg\" stands twice"},
	/* scope */
	{"{'alg':'HS256','kid':'k1'}", "{'scope':'prod'}", NULL, "prod", NULL, NULL},
	{"{'alg':'HS256','kid':'k1'}", "{'scope':'prod'}", NULL, "", "scope mismatch",
		"="},
	{"{'alg':'HS256','kid':'k1'}", "{}", NULL, "prod", "scope mismatch", "="},
	{"{'alg':'HS256','kid':'k1'}", "{'scope':'prod\\u0000'}", NULL, "prod",
		"scope mismatch", "="},
	{"{'alg':'HS256','kid':'k1'}", "{'SCOPE':'prod'}", NULL, "prod", NULL, NULL},
	{"{'alg':'HS256','kid':'k1'}", "{'\xc5\xbf" "cope':'prod'}", NULL, "prod",
		NULL, NULL},
	/* the payload's JSON, in Go's words */
	{"{'alg':'HS256','kid':'k1'}", "", NULL, NULL,
		"unexpected end of JSON input", "="},
	{"{'alg':'HS256','kid':'k1'}", "{", NULL, NULL,
		"unexpected end of JSON input", "="},
	{"{'alg':'HS256','kid':'k1'}", "{} x", NULL, NULL,
		"invalid character 'x' after top-level value", "="},
	{"{'alg':'HS256','kid':'k1'}", "null", NULL, NULL, NULL, NULL},
	{"{'alg':'HS256','kid':'k1'}", "[1]", NULL, NULL,
		"json: cannot unmarshal array into Go value of type "
		"bundle.DecodedSignature", "="},
	{"{'alg':'HS256','kid':'k1'}", "{'iat':1.5}", NULL, NULL,
		"json: cannot unmarshal number 1.5 into Go struct field "
		"DecodedSignature.iat of type int64", "="},
	{"{'alg':'HS256','kid':'k1'}", "{'iat':'1'}", NULL, NULL,
		"json: cannot unmarshal string into Go struct field "
		"DecodedSignature.iat of type int64", "="},
	{"{'alg':'HS256','kid':'k1'}", "{'iat':99999999999999999999}", NULL, NULL,
		"json: cannot unmarshal number 99999999999999999999 into", "="},
	{"{'alg':'HS256','kid':'k1'}", "{'files':3,'scope':true}", NULL, NULL,
		"json: cannot unmarshal number into Go struct field "
		"DecodedSignature.files of type []bundle.FileInfo", "="},
	{"{'alg':'HS256','kid':'k1'}", "{'files':[3]}", NULL, NULL,
		"json: cannot unmarshal number into Go struct field "
		"DecodedSignature.files of type bundle.FileInfo", "="},
	{"{'alg':'HS256','kid':'k1'}", "{'files':[{'name':true}]}", NULL, NULL,
		"json: cannot unmarshal bool into Go struct field "
		"FileInfo.files.name of type string", "="},
	{"{'alg':'HS256','kid':'k1'}", "{'iss':{}}", NULL, NULL,
		"DecodedSignature.iss of type string", "="},
	{"{'alg':'HS256','kid':'k1'}", "{'files':null,'iat':null,'scope':null}",
		NULL, NULL, NULL, NULL},
	{"{'alg':'HS256','kid':'k1'}", "{'scope':'x','scope':'prod'}", NULL, "prod",
		NULL, "the member \"scope\" stands twice"},
	{"{'alg':'HS256','kid':'k1'}", "{'files':[{'name':'a'},{'name':'a'}]}", NULL,
		NULL, NULL, "the file a is listed twice"},
};
/* clang-format on */

static void header_payload_and_configuration_are_judged_as_agents_do(
	void **state)
{
	struct sign_key *k = public_of(S("secret"), ALG_HS256, "k1");

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(tokens); i++) {
		bool strict = i % 2;
		struct buf token = hs_token(
			"secret", tokens[i / 2].header, tokens[i / 2].payload);
		struct buf text = wrapped(buf_str(&token));
		const char *agent = tokens[i / 2].agent;
		const char *why = strict ? tokens[i / 2].strict : agent;
		struct verify_config cfg = {&k, 1, tokens[i / 2].keyid,
			tokens[i / 2].scope, strict};
		struct verified v = {0};
		enum status st;

		err = (struct err){0};
		st = verify_signatures(buf_str(&text), &cfg, &v, &err);
		if (why && !strcmp(why, "="))
			why = agent;
		if (!why && st)
			fail_msg("%s %s: %s", tokens[i / 2].header,
				tokens[i / 2].payload, err.text);
		if (why && (!st || !strstr(err.text, why)))
			fail_msg("%s %s: \"%s\", not \"%s\"",
				tokens[i / 2].header, tokens[i / 2].payload,
				err.text, why);
		verified_release(&v);
		buf_release(&token);
		buf_release(&text);
	}
	sign_key_free(k);
}

static void of_two_files_with_one_name_the_last_counts(void **state)
{
	struct buf token = hs_token("s", "{'alg':'HS256','kid':'k1'}",
		"{'files':[{'name':'a','hash':'1'},{'name':'b','hash':'2'},"
		"{'name':'a','hash':'3'},{'name':'a\\u0000b'}]}");
	struct buf text = wrapped(buf_str(&token));
	struct sign_key *k = public_of(S("s"), ALG_HS256, "k1");
	struct verify_config cfg = {.keys = &k, .nkeys = 1};
	struct verified v = {0};

	(void)state;
	assert_ok(verify_signatures(buf_str(&text), &cfg, &v, &err), &err);
	assert_num(v.nfiles, 3);
	assert_str(v.files[0].name, "a");
	assert_str(v.files[0].hash, "3");
	assert_str(v.files[0].algorithm, "");
	assert_str(v.files[1].name, "b");
	assert_num(v.files[2].name.len, 3);
	verified_release(&v);
	sign_key_free(k);
	buf_release(&token);
	buf_release(&text);
}

/* clang-format off */
static const struct { const char *text, *why; } envelopes[] = {
	{"{}", "bundle missing .signatures.json file"},
	{"null", "bundle missing .signatures.json file"},
	{"{'signatures':null}", "bundle missing .signatures.json file"},
	{"{'signatures':[]}",
		".signatures.json: missing JWT (expected exactly one)"},
	{"{'plugin':'_default'}",
		".signatures.json: missing JWT (expected exactly one)"},
	{"{'signatures':['a','b']}",
		".signatures.json: multiple JWTs not supported (expected exactly one)"},
	{"{'signatures':['a.b.c'],'plugin':'x'}", "no verifier exists under id x"},
	{"{'signatures':['']}",
		"failed to split compact JWT: jwsbb: invalid number of segments"},
	{"{'signatures':[null]}",
		"failed to split compact JWT: jwsbb: invalid number of segments"},
	{"{'signatures':['a.b.c.d']}",
		"failed to split compact JWT: jwsbb: invalid number of segments"},
	{"{'signatures':'x'}",
		"bundle load failed on signatures decode: json: cannot unmarshal "
		"string into Go struct field SignaturesConfig.signatures of type "
		"[]string"},
	{"{'signatures':[1]}",
		"bundle load failed on signatures decode: json: cannot unmarshal "
		"number into Go struct field SignaturesConfig.signatures of type "
		"string"},
	{"[]", "bundle load failed on signatures decode: json: cannot unmarshal "
		"array into Go value of type bundle.SignaturesConfig"},
	{"", "bundle load failed on signatures decode: EOF"},
	{"{", "bundle load failed on signatures decode: unexpected EOF"},
	{"{'signatures':['e30.e.'] }",
		"failed to base64 decode JWT payload: illegal base64 data at input "
		"byte 0"},
};
/* clang-format on */

static void other_texts_than_one_token_are_refused_as_agents_do(void **state)
{
	struct sign_key *k = public_of(S("secret"), ALG_HS256, "k1");
	struct verify_config cfg = {.keys = &k, .nkeys = 1};
	struct verified v = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(envelopes); i++) {
		struct buf text = quoted(envelopes[i].text);
		enum status st;

		err = (struct err){0};
		st = verify_signatures(buf_str(&text), &cfg, &v, &err);
		if (!st || strcmp(err.text, envelopes[i].why) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", envelopes[i].text,
				err.text, envelopes[i].why);
		buf_release(&text);
	}
	cfg.nkeys = 0;
	assert_fails(
		verify_signatures(S("{\"signatures\":[]}"), &cfg, &v, &err),
		&err, E_NOT_FOUND, "verification key not provided");
	assert_null(v.memory);
	sign_key_free(k);
}

static void text_around_and_inside_a_token_is_for_agents_only(void **state)
{
	struct buf token = hs_token("s", "{'alg':'HS256','kid':'k1'}", "{}");
	struct buf text = wrapped(buf_str(&token)), odd = {0};
	struct sign_key *k = public_of(S("s"), ALG_HS256, "k1");
	struct verify_config cfg = {.keys = &k, .nkeys = 1};
	struct verified v = {0};

	(void)state;
	buf_adds(&text, " behind");
	assert_ok(verify_signatures(buf_str(&text), &cfg, &v, &err), &err);
	verified_release(&v);
	cfg.strict = true;
	assert_fails(verify_signatures(buf_str(&text), &cfg, &v, &err), &err,
		E_INVALID, "signatures decode");
	/* a line end behind the signature */
	buf_addf(&odd, "{\"signatures\":[\"%s\\n\"]}", token.ptr);
	assert_fails(verify_signatures(buf_str(&odd), &cfg, &v, &err), &err,
		E_INVALID, "illegal base64 data at input byte 43");
	cfg.strict = false;
	assert_ok(verify_signatures(buf_str(&odd), &cfg, &v, &err), &err);
	verified_release(&v);
	sign_key_free(k);
	buf_release(&token);
	buf_release(&text);
	buf_release(&odd);
}

static void base64url_is_read_as_go_reads_it(void **state)
{
	/* clang-format off */
	static const struct { const char *in, *out, *why, *strict; } rows[] = {
		{"", "", NULL, NULL},
		{"Zg", "f", NULL, NULL},
		{"Zm8", "fo", NULL, NULL},
		{"Zm9v", "foo", NULL, NULL},
		{"-_8", "\xfb\xff", NULL, NULL},
		{"Zh", "f", NULL, "byte 1"},
		{"Z\ng\r", "f", NULL, "byte 1"},
		{"Zg==", NULL, "byte 2", "byte 2"},
		{"Zm9vY", NULL, "byte 4", "byte 4"},
		{"Zm+v", NULL, "byte 2", "byte 2"},
		{"Zm v", NULL, "byte 2", "byte 2"},
	};
	/* clang-format on */
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		bool strict = i % 2;
		const char *why = strict ? rows[i / 2].strict : rows[i / 2].why;
		struct str in = str_from(rows[i / 2].in);
		enum status st;

		buf_reset(&out);
		st = b64url_parse(&out, in, strict, &err);
		if (why) {
			assert_fails(st, &err, E_INVALID, why);
			assert_num(out.len, 0);
			continue;
		}
		assert_ok(st, &err);
		assert_str(buf_str(&out), rows[i / 2].out);
	}
	buf_release(&out);
}

/*
 * Every letter of a token exchanged for another. ECDSA, since the last bits
 * of a 64-byte signature's base64 mean nothing: there strict has to be.
 */
static void a_token_with_any_letter_changed_is_refused(void **state)
{
	struct buf text = {0};
	struct verified v = {0};
	struct sign_key *k, *pub;
	struct verify_config cfg = {.nkeys = 1, .strict = true};
	struct pair p;
	size_t from, to;

	(void)state;
	pair_new(&p, ALG_ES256);
	k = load(&p, ALG_ES256);
	pub = public_of(buf_str(&p.public), ALG_ES256, "k1");
	cfg.keys = &pub;
	assert_ok(sign_files(k, "k1", NULL, files, 1, &text, &err), &err);
	assert_ok(verify_signatures(buf_str(&text), &cfg, &v, &err), &err);
	verified_release(&v);
	from = str_find(buf_str(&text), S("[\n  \""), 0) + 5;
	to = str_find(buf_str(&text), S("\""), from);
	for (size_t i = from; i < to; i++) {
		char was = text.ptr[i];

		text.ptr[i] = was == 'A' ? 'B' : 'A';
		if (!verify_signatures(buf_str(&text), &cfg, &v, &err))
			fail_msg("byte %zu does not matter", i - from);
		text.ptr[i] = was;
	}
	assert_ok(verify_signatures(buf_str(&text), &cfg, &v, &err), &err);
	verified_release(&v);
	buf_release(&text);
	sign_key_free(k);
	sign_key_free(pub);
	pair_release(&p);
}

static void another_key_of_the_same_name_is_refused(void **state)
{
	struct verified v = {0};
	struct buf text = {0};
	struct sign_key *k, *other;
	struct verify_config cfg = {.keys = &other, .nkeys = 1};
	struct pair p, q;

	(void)state;
	pair_new(&p, ALG_ES256);
	pair_new(&q, ALG_ES256);
	k = load(&p, ALG_ES256);
	other = public_of(buf_str(&q.public), ALG_ES256, "k1");
	assert_ok(sign_files(k, "k1", NULL, files, 1, &text, &err), &err);
	assert_fails(verify_signatures(buf_str(&text), &cfg, &v, &err), &err,
		E_DENIED,
		"failed to verify JWT signature: invalid ECDSA signature");
	sign_key_free(other);
	sign_key_free(k);
	buf_release(&text);
	pair_release(&p);
	pair_release(&q);
}

static void keys_may_be_released_without_being_there(void **state)
{
	struct verified v = {0};

	(void)state;
	sign_key_free(NULL);
	verified_release(&v);
	assert_null(v.memory);
}

/* --- what OPA made -------------------------------------------------------- */

/* clang-format off */
#define ZLIB_FNS(X) X(inflateInit2_) X(inflate) X(inflateEnd)
static struct { ZLIB_FNS(LIB_SLOT) } zlib;
static const char *const zlib_names[] = { ZLIB_FNS(LIB_NAME) NULL };
static const char *const zlib_files[] = {"libz.so.1", NULL};
static struct lib zlib_lib = {.name = "zlib", .files = zlib_files, .names = zlib_names, .slots = &zlib};
/* clang-format on */

enum { TAR_BLOCK = 512, TAR_SIZE = 124 };

static struct buf gunzip(struct str packed)
{
	struct buf out = {0};
	z_stream z = {.avail_in = (uInt)packed.len,
		.next_in = (z_const Bytef *)(uintptr_t)packed.ptr};
	int ret;

	assert_ok(lib_load(&zlib_lib, &err), &err);
	assert_num(
		zlib.inflateInit2_(&z, 15 + 16, ZLIB_VERSION, (int)sizeof(z)),
		Z_OK);
	do {
		z.next_out = (Bytef *)buf_reserve(&out, KIB(64));
		z.avail_out = (uInt)KIB(64);
		ret = zlib.inflate(&z, Z_NO_FLUSH);
		out.len += KIB(64) - z.avail_out;
	} while (ret == Z_OK);
	zlib.inflateEnd(&z);
	return out;
}

/* The next entry of an archive: its name without leading slash, its text. */
static bool tar_next(
	struct str tar, size_t *at, struct str *name, struct str *body)
{
	const char *h = tar.ptr + *at;
	size_t size;

	if (*at + TAR_BLOCK > tar.len || !*h)
		return false;
	size = strtoul(h + TAR_SIZE, NULL, 8);
	*name = str_make(h, strnlen(h, 100));
	if (str_starts(*name, S("/")))
		*name = str_slice(*name, 1, name->len);
	*body = str_slice(tar, *at + TAR_BLOCK, *at + TAR_BLOCK + size);
	*at += TAR_BLOCK + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
	return body->len == size;
}

static struct sign_key *fixture_key(struct str alg)
{
	char path[256];
	struct buf text;
	struct sign_key *k;
	const char *file = "HS.secret.txt";

	if (str_starts(alg, S("RS")) || str_starts(alg, S("PS")))
		file = "RSA.pub.pem";
	else if (str_is(alg, "ES256"))
		file = "ES256.pub.pem";
	else if (str_is(alg, "ES384"))
		file = "ES384.pub.pem";
	else if (str_is(alg, "ES512"))
		file = "ES512.pub.pem";
	snprintf(path, sizeof(path), FIXTURES "signed/keys/%s", file);
	text = read_whole(path);
	k = public_of(buf_str(&text), sign_alg_find(alg), "k1");
	buf_release(&text);
	return k;
}

/* As OPA sees it: by its last part, in any folder. */
static bool is_signature(struct str name)
{
	return str_is(name, ".signatures.json") ||
	       str_ends(name, S("/.signatures.json"));
}

/*
 * What an agent does behind the signature: each file is listed, once, with
 * its digest, and none is missing. The texts are OPA's.
 */
static enum status check_file(
	struct verified *v, struct str name, struct str body)
{
	struct buf got = {0};
	enum status st;
	size_t i = 0;

	while (i < v->nfiles && !str_eq(v->files[i].name, name))
		i++;
	if (i == v->nfiles)
		return err_set(&err, E_INVALID,
			"file %.*s not included in bundle signature",
			STR_ARG(name));
	st = sign_digest(name, body, v->files[i].algorithm, false, &got, &err);
	if (!st && !str_eq(buf_str(&got), v->files[i].hash))
		st = err_set(&err, E_INVALID,
			"%.*s: digest mismatch (want: %.*s, got: %s)",
			STR_ARG(name), STR_ARG(v->files[i].hash), got.ptr);
	buf_release(&got);
	v->files[i] = v->files[--v->nfiles];
	return st;
}

static enum status check_files(struct str tar, struct verified *v)
{
	struct str name, body;
	enum status st = OK;
	size_t at = 0;

	while (!st && tar_next(tar, &at, &name, &body))
		if (!is_signature(name))
			st = check_file(v, name, body);
	if (!st && v->nfiles)
		st = err_set(&err, E_INVALID,
			"file(s) [%.*s] specified in bundle signatures but "
			"not found in the target bundle",
			STR_ARG(v->files[0].name));
	return st;
}

static enum status check_archive(
	struct str tar, const struct verify_config *cfg)
{
	struct str name, body, signatures = S("{}");
	struct verified v = {0};
	enum status st;
	size_t at = 0;

	while (tar_next(tar, &at, &name, &body))
		if (is_signature(name))
			signatures = body;
	st = verify_signatures(signatures, cfg, &v, &err);
	if (!st)
		st = check_files(tar, &v);
	verified_release(&v);
	return st;
}

static struct str member_text(
	struct str span, const char *pointer, struct buf *room)
{
	struct str got;

	buf_reset(room);
	buf_adds(room, "");
	if (json_at(span, str_from(pointer), &got) &&
		json_kind(got) == JSON_STRING)
		json_text(room, got);
	return buf_str(room);
}

/* One line of cases.json. False when this is nothing a signer sees. */
static bool run_case(const char *folder, struct str row, bool strict)
{
	struct buf file = {0}, alg = {0}, keyid = {0}, scope = {0}, want = {0};
	struct verify_config cfg = {.strict = strict};
	struct buf packed, tar;
	struct sign_key *k = NULL;
	char path[256];
	enum status st;

	member_text(row, "/bundle", &file);
	member_text(row, "/message", &want);
	member_text(row, "/agent/signing/keyid", &keyid);
	member_text(row, "/agent/signing/scope", &scope);
	if (strstr(want.ptr, "the agent does not start") ||
		strstr(want.ptr, "unexpected EOF")) {
		buf_release(&file);
		buf_release(&want);
		buf_release(&keyid);
		buf_release(&scope);
		return false;
	}
	if (member_text(row, "/agent/keys/k1/algorithm", &alg).len) {
		k = fixture_key(buf_str(&alg));
		cfg.keys = &k;
		cfg.nkeys = 1;
	}
	cfg.keyid = keyid.ptr;
	cfg.scope = scope.ptr;
	snprintf(path, sizeof(path), FIXTURES "%s/%s", folder, file.ptr);
	packed = read_whole(path);
	tar = gunzip(buf_str(&packed));
	err = (struct err){0};
	st = check_archive(buf_str(&tar), &cfg);
	if (strcmp(err.text, want.ptr) != 0 || !st != !want.len)
		fail_msg("%s/%s: \"%s\", the agent said \"%s\"", folder,
			file.ptr, err.text, want.ptr);
	sign_key_free(k);
	buf_release(&packed);
	buf_release(&tar);
	buf_release(&file);
	buf_release(&alg);
	buf_release(&keyid);
	buf_release(&scope);
	buf_release(&want);
	return true;
}

static size_t run_cases(const char *folder, bool strict)
{
	struct buf text;
	struct str doc;
	struct json_iter it;
	char path[256];
	size_t n = 0;

	snprintf(path, sizeof(path), FIXTURES "%s/cases.json", folder);
	text = read_whole(path);
	assert_ok(json_check(buf_str(&text), NULL, &doc, &err), &err);
	it = json_iter(doc);
	while (json_next(&it))
		n += run_case(folder, it.value, strict);
	buf_release(&text);
	return n;
}

static void what_opa_signed_is_judged_as_its_agent_did(void **state)
{
	(void)state;
	assert_true(run_cases("signed", false) > 15);
}

/* OPA itself signs nothing that strict would refuse. */
static void what_opa_signed_is_strictly_right(void **state)
{
	(void)state;
	assert_true(run_cases("signed", true) > 15);
}

static void what_was_tampered_with_is_judged_as_the_agent_did(void **state)
{
	(void)state;
	assert_true(run_cases("tampered", false) > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_jws_gives_its_payload_to_its_own_key_alone),
		cmocka_unit_test(digests_are_those_of_the_contract),
		cmocka_unit_test(only_four_base_names_are_structured),
		cmocka_unit_test(layout_order_and_escapes_do_not_matter),
		cmocka_unit_test(yaml_is_hashed_as_the_json_it_stands_for),
		cmocka_unit_test(broken_structured_files_have_no_digest),
		cmocka_unit_test(
			strict_refuses_what_agents_read_in_different_ways),
		cmocka_unit_test(every_hash_of_the_contract_is_known),
		cmocka_unit_test(algorithms_have_the_names_of_the_contract),
		cmocka_unit_test(what_a_new_key_signs_its_public_half_verifies),
		cmocka_unit_test(ecdsa_signs_as_rfc_6979_says),
		cmocka_unit_test(the_same_payload_has_the_same_token),
		cmocka_unit_test(a_private_pem_verifies_but_does_not_sign),
		cmocka_unit_test(key_files_that_others_can_touch_are_refused),
		cmocka_unit_test(a_key_is_wiped_when_it_is_freed),
		cmocka_unit_test(what_is_no_key_file_is_refused),
		cmocka_unit_test(a_key_must_fit_its_algorithm),
		cmocka_unit_test(keys_of_other_makers_are_read_or_refused),
		cmocka_unit_test(
			private_keys_of_other_makers_are_loaded_or_refused),
		cmocka_unit_test(files_no_agent_could_check_are_not_signed),
		cmocka_unit_test(a_token_has_algorithm_and_key_in_its_header),
		cmocka_unit_test(the_token_of_the_contract_verifies),
		cmocka_unit_test(
			header_payload_and_configuration_are_judged_as_agents_do),
		cmocka_unit_test(of_two_files_with_one_name_the_last_counts),
		cmocka_unit_test(
			other_texts_than_one_token_are_refused_as_agents_do),
		cmocka_unit_test(
			text_around_and_inside_a_token_is_for_agents_only),
		cmocka_unit_test(base64url_is_read_as_go_reads_it),
		cmocka_unit_test(a_token_with_any_letter_changed_is_refused),
		cmocka_unit_test(another_key_of_the_same_name_is_refused),
		cmocka_unit_test(keys_may_be_released_without_being_there),
	};
	const struct CMUnitTest fixtures[] = {
		cmocka_unit_test(what_opa_signed_is_judged_as_its_agent_did),
		cmocka_unit_test(what_opa_signed_is_strictly_right),
		cmocka_unit_test(
			what_was_tampered_with_is_judged_as_the_agent_did),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	if (access(FIXTURES, F_OK) == 0)
		failed += cmocka_run_group_tests(fixtures, NULL, NULL);
	else
		print_message("# skipped: what OPA signed, no " FIXTURES "\n");
	return failed;
}
