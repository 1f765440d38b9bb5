#include "tests/test.h"

#include "base/digest.h"

#include <string.h>

struct vector {
	enum digest_kind kind;
	const char *text, *want;
};

static const char two_blocks[] =
	"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
static const char long_blocks[] =
	"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
	"ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";

/* RFC 1321 A.5; FIPS 180-4 examples (NIST, "Secure Hash Standard"). */
/* clang-format off */
static const struct vector vectors[] = {
	{DIGEST_MD5, "", "d41d8cd98f00b204e9800998ecf8427e"},
	{DIGEST_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
	{DIGEST_MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
	{DIGEST_MD5, "1234567890123456789012345678901234567890"
		"1234567890123456789012345678901234567890",
		"57edf4a22be3c955ac49da2e2107b67a"},
	{DIGEST_SHA1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
	{DIGEST_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
	{DIGEST_SHA1, two_blocks, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
	{DIGEST_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb924"
		"27ae41e4649b934ca495991b7852b855"},
	{DIGEST_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223"
		"b00361a396177a9cb410ff61f20015ad"},
	{DIGEST_SHA256, two_blocks, "248d6a61d20638b8e5c026930c3e6039"
		"a33ce45964ff2167f6ecedd419db06c1"},
	{DIGEST_SHA384, "", "38b060a751ac96384cd9327eb1b1e36a21fdb71114be0743"
		"4c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b"},
	{DIGEST_SHA384, "abc",
		"cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"
		"1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
	{DIGEST_SHA384, long_blocks,
		"09330c33f71147e83d192fc782cd1b4753111b173b3b05d2"
		"2fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039"},
	{DIGEST_SHA512, "abc",
		"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea2"
		"0a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
		"454d4423643ce80e2a9ac94fa54ca49f"},
	{DIGEST_SHA512, long_blocks,
		"8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa1"
		"7299aeadb6889018501d289e4900f7e4331b99dec4b5433a"
		"c7d329eeb6dd26545e96e55b874be909"},
};
/* clang-format on */

static void check_sum(
	const unsigned char *sum, enum digest_kind kind, const char *want)
{
	struct buf hex = {0};

	digest_hex(&hex, sum, digest_size(kind));
	assert_str(buf_str(&hex), want);
	buf_release(&hex);
}

static void published_vectors_come_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		const struct vector *v = &vectors[i];
		unsigned char sum[DIGEST_MAX];

		digest(v->kind, str_from(v->text), sum);
		check_sum(sum, v->kind, v->want);
	}
}

/* FIPS 180-4: a million times "a". */
static void a_million_letters_are_hashed(void **state)
{
	static const char *const want[] = {
		[DIGEST_MD5] = "7707d6ae4e027c70eea2a935c2296f21",
		[DIGEST_SHA1] = "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
		[DIGEST_SHA256] = "cdc76e5c9914fb9281a1c7e284d73e67"
				  "f1809a48a497200e046d39ccc7112cd0",
		[DIGEST_SHA384] =
			"9d0e1809716474cb086e834e310a4a1ced149e9c00f24852"
			"7972cec5704c2a5b07b8b3dc38ecc4ebae97ddd87f3d8985",
		[DIGEST_SHA512] =
			"e718483d0ce769644e2e42c7bc15b4638e1f98b13b204428"
			"5632a803afa973ebde0ff244877ea60a4cb0432ce577c31b"
			"eb009c5c2c49aa2e4eadb217ad8cc09b",
	};
	char chunk[1000];

	(void)state;
	memset(chunk, 'a', sizeof(chunk));
	for (size_t k = 0; k < COUNT(want); k++) {
		struct digest d;
		unsigned char sum[DIGEST_MAX];

		digest_init(&d, (enum digest_kind)k);
		for (int i = 0; i < 1000; i++)
			digest_update(&d, chunk, sizeof(chunk));
		digest_final(&d, sum);
		check_sum(sum, (enum digest_kind)k, want[k]);
	}
}

static void pieces_give_the_same_sum_as_the_whole(void **state)
{
	char text[400];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7);
	for (int k = DIGEST_MD5; k <= DIGEST_SHA512; k++) {
		enum digest_kind kind = (enum digest_kind)k;
		unsigned char whole[DIGEST_MAX], sum[DIGEST_MAX];

		digest(kind, (struct str){text, sizeof(text)}, whole);
		for (size_t step = 1; step < 300; step += 13) {
			struct digest d;

			digest_init(&d, kind);
			for (size_t at = 0; at < sizeof(text); at += step) {
				size_t rest = sizeof(text) - at;

				digest_update(&d, text + at,
					rest < step ? rest : step);
			}
			digest_final(&d, sum);
			assert_memory_equal(sum, whole, digest_size(kind));
		}
	}
}

struct mac_vector {
	enum digest_kind kind;
	size_t key_len; /* of a key of bytes 0xaa; 0: the key is "Jefe" */
	const char *text, *want;
};

static const char larger_key[] =
	"Test Using Larger Than Block-Size Key - Hash Key First";

/* RFC 2202 (MD5, SHA-1) and RFC 4231, test cases 2 and 6. */
/* clang-format off */
static const struct mac_vector mac_vectors[] = {
	{DIGEST_MD5, 0, "what do ya want for nothing?",
		"750c783e6ab0b503eaa86e310a5db738"},
	{DIGEST_MD5, 80, larger_key, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"},
	{DIGEST_SHA1, 0, "what do ya want for nothing?",
		"effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
	{DIGEST_SHA1, 80, larger_key,
		"aa4ae5e15272d00e95705637ce8a3b55ed402112"},
	{DIGEST_SHA256, 0, "what do ya want for nothing?",
		"5bdcc146bf60754e6a042426089575c7"
		"5a003f089d2739839dec58b964ec3843"},
	{DIGEST_SHA256, 131, larger_key,
		"60e431591ee0b67f0d8a26aacbf5b77f"
		"8e0bc6213728c5140546040f0ee37f54"},
	{DIGEST_SHA384, 0, "what do ya want for nothing?",
		"af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47"
		"e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"},
	{DIGEST_SHA512, 131, larger_key,
		"80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1"
		"121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e52"
		"95e64f73f63f0aec8b915a985d786598"},
};
/* clang-format on */

static void published_macs_come_out(void **state)
{
	char key[131];

	(void)state;
	memset(key, 0xaa, sizeof(key));
	for (size_t i = 0; i < COUNT(mac_vectors); i++) {
		const struct mac_vector *v = &mac_vectors[i];
		struct str k = {key, v->key_len};
		unsigned char sum[DIGEST_MAX];
		struct hmac h;

		hmac_init(&h, v->kind, v->key_len ? k : S("Jefe"));
		hmac_update(&h, v->text, strlen(v->text));
		hmac_final(&h, sum);
		check_sum(sum, v->kind, v->want);
		hmac_wipe(&h);
		memcpy(sum, "Jefe", 4);
		hmac(v->kind, v->key_len ? k : str_make((char *)sum, 4),
			str_from(v->text), sum);
		check_sum(sum, v->kind, v->want);
	}
}

static void sums_are_compared_to_the_last_byte(void **state)
{
	(void)state;
	assert_true(digest_equal("abcd", "abcd", 4));
	assert_false(digest_equal("abcd", "abce", 4));
	assert_false(digest_equal("bbcd", "abcd", 4));
	assert_true(digest_equal("a", "b", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors_come_out),
		cmocka_unit_test(a_million_letters_are_hashed),
		cmocka_unit_test(pieces_give_the_same_sum_as_the_whole),
		cmocka_unit_test(published_macs_come_out),
		cmocka_unit_test(sums_are_compared_to_the_last_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
