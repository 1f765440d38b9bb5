#include "base/digest.h"

#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

/* clang-format off */
/* The whole part of 2^32 * |sin(i + 1)|. */
static const uint32_t md5_k[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf,
	0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af,
	0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e,
	0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa,
	0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6,
	0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
	0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122,
	0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
	0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039,
	0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97,
	0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d,
	0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
	0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const unsigned char md5_turns[16] = {
	7, 12, 17, 22,  5, 9, 14, 20,  4, 11, 16, 23,  6, 10, 15, 21,
};

static const uint32_t md5_start[4] = {
	0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
};

static const uint32_t sha1_start[5] = {
	0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0,
};

/*
 * Fractions of the cube roots of the first 80 primes. SHA-256 uses the upper
 * half of the first 64.
 */
static const uint64_t sha512_k[80] = {
	0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f,
	0xe9b5dba58189dbbc, 0x3956c25bf348b538, 0x59f111f1b605d019,
	0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242,
	0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
	0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
	0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3,
	0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65, 0x2de92c6f592b0275,
	0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
	0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f,
	0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
	0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc,
	0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
	0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6,
	0x92722c851482353b, 0xa2bfe8a14cf10364, 0xa81a664bbc423001,
	0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
	0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
	0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99,
	0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb,
	0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc,
	0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
	0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915,
	0xc67178f2e372532b, 0xca273eceea26619c, 0xd186b8c721c0c207,
	0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba,
	0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
	0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
	0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a,
	0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

/* Fractions of the square roots of the first 8 primes; SHA-256 as above. */
static const uint64_t sha512_start[8] = {
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
	0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
	0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/* Of the 9th to the 16th. */
static const uint64_t sha384_start[8] = {
	0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17,
	0x152fecd8f70e5939, 0x67332667ffc00b31, 0x8eb44a8768581511,
	0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4,
};
/* clang-format on */

static uint32_t rotl32(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static uint32_t rotr32(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static uint64_t rotr64(uint64_t x, unsigned n)
{
	return x >> n | x << (64 - n);
}

static uint32_t load_le32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static uint32_t load_be32(const unsigned char *p)
{
	return (uint32_t)p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[0] << 24;
}

static uint64_t load_be64(const unsigned char *p)
{
	return (uint64_t)load_be32(p) << 32 | load_be32(p + 4);
}

/* --- one block each ---------------------------------------------------- */

static void md5_block(struct digest *d, const unsigned char *p)
{
	uint32_t *s = d->state.w32;
	uint32_t a = s[0], b = s[1], c = s[2], e = s[3], w[16];

	for (unsigned i = 0; i < 16; i++)
		w[i] = load_le32(p + 4 * i);
	for (unsigned i = 0; i < 64; i++) {
		uint32_t f, t;
		unsigned n;

		if (i < 16) {
			f = (b & c) | (~b & e);
			n = i;
		} else if (i < 32) {
			f = (e & b) | (~e & c);
			n = (5 * i + 1) & 15;
		} else if (i < 48) {
			f = b ^ c ^ e;
			n = (3 * i + 5) & 15;
		} else {
			f = c ^ (b | ~e);
			n = (7 * i) & 15;
		}
		t = a + f + md5_k[i] + w[n];
		a = e;
		e = c;
		c = b;
		b += rotl32(t, md5_turns[i / 16 * 4 + i % 4]);
	}
	s[0] += a;
	s[1] += b;
	s[2] += c;
	s[3] += e;
}

static void sha1_block(struct digest *d, const unsigned char *p)
{
	uint32_t *s = d->state.w32;
	uint32_t a = s[0], b = s[1], c = s[2], e = s[3], g = s[4], w[80];

	for (unsigned i = 0; i < 16; i++)
		w[i] = load_be32(p + 4 * i);
	for (unsigned i = 16; i < 80; i++)
		w[i] = rotl32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (unsigned i = 0; i < 80; i++) {
		uint32_t f, t;

		if (i < 20)
			f = ((b & c) | (~b & e)) + 0x5a827999;
		else if (i < 40)
			f = (b ^ c ^ e) + 0x6ed9eba1;
		else if (i < 60)
			f = ((b & c) | (b & e) | (c & e)) + 0x8f1bbcdc;
		else
			f = (b ^ c ^ e) + 0xca62c1d6;
		t = rotl32(a, 5) + f + g + w[i];
		g = e;
		e = c;
		c = rotl32(b, 30);
		b = a;
		a = t;
	}
	s[0] += a;
	s[1] += b;
	s[2] += c;
	s[3] += e;
	s[4] += g;
}

/* One round; instead of moving all eight words, the caller turns their names.
 */
static inline void round32(uint32_t a, uint32_t b, uint32_t c, uint32_t *d,
	uint32_t e, uint32_t f, uint32_t g, uint32_t *h, uint32_t in)
{
	in += *h + (rotr32(e, 6) ^ rotr32(e, 11) ^ rotr32(e, 25)) +
	      ((e & f) ^ (~e & g));
	*d += in;
	*h = in + (rotr32(a, 2) ^ rotr32(a, 13) ^ rotr32(a, 22)) +
	     ((a & b) ^ (a & c) ^ (b & c));
}

/* Eight rounds, after which every name is back in its place. */
static inline void rounds32(uint32_t v[8], const uint32_t in[8])
{
	round32(v[0], v[1], v[2], &v[3], v[4], v[5], v[6], &v[7], in[0]);
	round32(v[7], v[0], v[1], &v[2], v[3], v[4], v[5], &v[6], in[1]);
	round32(v[6], v[7], v[0], &v[1], v[2], v[3], v[4], &v[5], in[2]);
	round32(v[5], v[6], v[7], &v[0], v[1], v[2], v[3], &v[4], in[3]);
	round32(v[4], v[5], v[6], &v[7], v[0], v[1], v[2], &v[3], in[4]);
	round32(v[3], v[4], v[5], &v[6], v[7], v[0], v[1], &v[2], in[5]);
	round32(v[2], v[3], v[4], &v[5], v[6], v[7], v[0], &v[1], in[6]);
	round32(v[1], v[2], v[3], &v[4], v[5], v[6], v[7], &v[0], in[7]);
}

#ifdef __x86_64__
/* 0: not asked yet; 1: no; 2: yes. Whoever asks gets the same answer. */
static bool has_sha_ni(void)
{
	static int known;
	int is = __atomic_load_n(&known, __ATOMIC_RELAXED);
	unsigned a, b, c, d, ecx;

	if (!is) {
		is = __get_cpuid(1, &a, &b, &ecx, &d) && (ecx & bit_SSE4_1) &&
				     __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
				     (b & bit_SHA)
			     ? 2
			     : 1;
		__atomic_store_n(&known, is, __ATOMIC_RELAXED);
	}
	return is == 2;
}

/* Four of the constants; those of SHA-512 begin with the same bits. */
__attribute__((target("sha,sse4.1"))) static inline __m128i four_k(unsigned i)
{
	const __m128i *at = (const void *)&sha512_k[i];

	return _mm_castps_si128(
		_mm_shuffle_ps(_mm_castsi128_ps(_mm_loadu_si128(at)),
			_mm_castsi128_ps(_mm_loadu_si128(at + 1)), 0xdd));
}

/*
 * The same with the instructions made for it, seven times as fast: bundles are
 * hashed on every way. The state is held as a, b, e, f and c, d, g, h.
 */
__attribute__((target("sha,sse4.1"))) static void sha256_block_ni(
	struct digest *d, const unsigned char *p)
{
	const __m128i swap =
		_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i *s = (void *)d->state.w32, w[16];
	__m128i ab = _mm_shuffle_epi32(_mm_loadu_si128(s), 0xb1);
	__m128i ef = _mm_shuffle_epi32(_mm_loadu_si128(s + 1), 0x1b);
	__m128i abef = _mm_alignr_epi8(ab, ef, 8);
	__m128i cdgh = _mm_blend_epi16(ef, ab, 0xf0);
	const __m128i abef_in = abef, cdgh_in = cdgh;

	for (unsigned i = 0; i < 16; i++) {
		__m128i in;

		if (i < 4) {
			in = _mm_loadu_si128((const void *)(p + 16 * i));
			w[i] = _mm_shuffle_epi8(in, swap);
		} else {
			in = _mm_sha256msg1_epu32(w[i - 4], w[i - 3]);
			in = _mm_add_epi32(
				in, _mm_alignr_epi8(w[i - 1], w[i - 2], 4));
			w[i] = _mm_sha256msg2_epu32(in, w[i - 1]);
		}
		in = _mm_add_epi32(w[i], four_k(4 * i));
		cdgh = _mm_sha256rnds2_epu32(cdgh, abef, in);
		in = _mm_shuffle_epi32(in, 0x0e);
		abef = _mm_sha256rnds2_epu32(abef, cdgh, in);
	}
	abef = _mm_shuffle_epi32(_mm_add_epi32(abef, abef_in), 0x1b);
	cdgh = _mm_shuffle_epi32(_mm_add_epi32(cdgh, cdgh_in), 0xb1);
	_mm_storeu_si128(s, _mm_blend_epi16(abef, cdgh, 0xf0));
	_mm_storeu_si128(s + 1, _mm_alignr_epi8(cdgh, abef, 8));
}
#endif

static void sha256_block(struct digest *d, const unsigned char *p)
{
	uint32_t *s = d->state.w32, v[8], w[64];

#ifdef __x86_64__
	if (has_sha_ni()) {
		sha256_block_ni(d, p);
		return;
	}
#endif

	memcpy(v, s, sizeof(v));
	for (unsigned i = 0; i < 16; i++)
		w[i] = load_be32(p + 4 * i);
	for (unsigned i = 16; i < 64; i++) {
		uint32_t x = w[i - 15], y = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] +
		       (rotr32(x, 7) ^ rotr32(x, 18) ^ x >> 3) +
		       (rotr32(y, 17) ^ rotr32(y, 19) ^ y >> 10);
	}
	for (unsigned i = 0; i < 64; i++)
		w[i] += (uint32_t)(sha512_k[i] >> 32);
	for (unsigned i = 0; i < 64; i += 8)
		rounds32(v, w + i);
	for (unsigned i = 0; i < 8; i++)
		s[i] += v[i];
}

/* One round; instead of moving all eight words, the caller turns their names.
 */
static inline void round64(uint64_t a, uint64_t b, uint64_t c, uint64_t *d,
	uint64_t e, uint64_t f, uint64_t g, uint64_t *h, uint64_t in)
{
	in += *h + (rotr64(e, 14) ^ rotr64(e, 18) ^ rotr64(e, 41)) +
	      ((e & f) ^ (~e & g));
	*d += in;
	*h = in + (rotr64(a, 28) ^ rotr64(a, 34) ^ rotr64(a, 39)) +
	     ((a & b) ^ (a & c) ^ (b & c));
}

/* Eight rounds, after which every name is back in its place. */
static inline void rounds64(uint64_t v[8], const uint64_t in[8])
{
	round64(v[0], v[1], v[2], &v[3], v[4], v[5], v[6], &v[7], in[0]);
	round64(v[7], v[0], v[1], &v[2], v[3], v[4], v[5], &v[6], in[1]);
	round64(v[6], v[7], v[0], &v[1], v[2], v[3], v[4], &v[5], in[2]);
	round64(v[5], v[6], v[7], &v[0], v[1], v[2], v[3], &v[4], in[3]);
	round64(v[4], v[5], v[6], &v[7], v[0], v[1], v[2], &v[3], in[4]);
	round64(v[3], v[4], v[5], &v[6], v[7], v[0], v[1], &v[2], in[5]);
	round64(v[2], v[3], v[4], &v[5], v[6], v[7], v[0], &v[1], in[6]);
	round64(v[1], v[2], v[3], &v[4], v[5], v[6], v[7], &v[0], in[7]);
}

static void sha512_block(struct digest *d, const unsigned char *p)
{
	uint64_t *s = d->state.w64, v[8], w[80];

	memcpy(v, s, sizeof(v));
	for (unsigned i = 0; i < 16; i++)
		w[i] = load_be64(p + 8 * i);
	for (unsigned i = 16; i < 80; i++) {
		uint64_t x = w[i - 15], y = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] +
		       (rotr64(x, 1) ^ rotr64(x, 8) ^ x >> 7) +
		       (rotr64(y, 19) ^ rotr64(y, 61) ^ y >> 6);
	}
	for (unsigned i = 0; i < 80; i++)
		w[i] += sha512_k[i];
	for (unsigned i = 0; i < 80; i += 8)
		rounds64(v, w + i);
	for (unsigned i = 0; i < 8; i++)
		s[i] += v[i];
}

/* --- all of them ------------------------------------------------------ */

/* clang-format off */
static const struct {
	size_t size, block;
	void (*mix)(struct digest *d, const unsigned char *p);
	size_t word;       /* bytes; of the state as it is written out */
	bool little_endian;
} kinds[] = {
	[DIGEST_MD5]    = {16,  64, md5_block,    4, true},
	[DIGEST_SHA1]   = {20,  64, sha1_block,   4, false},
	[DIGEST_SHA256] = {32,  64, sha256_block, 4, false},
	[DIGEST_SHA384] = {48, 128, sha512_block, 8, false},
	[DIGEST_SHA512] = {64, 128, sha512_block, 8, false},
};
/* clang-format on */

size_t digest_size(enum digest_kind kind)
{
	return kinds[kind].size;
}

void digest_init(struct digest *d, enum digest_kind kind)
{
	d->kind = kind;
	d->len = 0;
	switch (kind) {
	case DIGEST_MD5:
		memcpy(d->state.w32, md5_start, sizeof(md5_start));
		break;
	case DIGEST_SHA1:
		memcpy(d->state.w32, sha1_start, sizeof(sha1_start));
		break;
	case DIGEST_SHA256:
		for (unsigned i = 0; i < 8; i++)
			d->state.w32[i] = (uint32_t)(sha512_start[i] >> 32);
		break;
	case DIGEST_SHA384:
		memcpy(d->state.w64, sha384_start, sizeof(sha384_start));
		break;
	case DIGEST_SHA512:
		memcpy(d->state.w64, sha512_start, sizeof(sha512_start));
		break;
	}
}

void digest_update(struct digest *d, const void *ptr, size_t len)
{
	const unsigned char *p = ptr;
	size_t block = kinds[d->kind].block, have = d->len & (block - 1);

	if (!len)
		return;
	d->len += len;
	if (have) {
		size_t n = block - have < len ? block - have : len;

		memcpy(d->block + have, p, n);
		p += n;
		len -= n;
		if (have + n < block)
			return;
		kinds[d->kind].mix(d, d->block);
	}
	for (; len >= block; p += block, len -= block)
		kinds[d->kind].mix(d, p);
	if (len)
		memcpy(d->block, p, len);
}

/* The number of bits, in the last bytes of the last block. */
static void put_length(struct digest *d, uint64_t bits)
{
	size_t block = kinds[d->kind].block;

	for (size_t i = 0; i < 8; i++) {
		size_t at = kinds[d->kind].little_endian ? block - 8 + i
							 : block - 1 - i;

		d->block[at] = (unsigned char)(bits >> (8 * i));
	}
}

void digest_final(struct digest *d, unsigned char *sum)
{
	size_t block = kinds[d->kind].block, word = kinds[d->kind].word;
	size_t have = d->len & (block - 1);
	bool little = kinds[d->kind].little_endian;

	d->block[have++] = 0x80;
	if (have > block - block / 8) { /* no room left for the length */
		memset(d->block + have, 0, block - have);
		kinds[d->kind].mix(d, d->block);
		have = 0;
	}
	memset(d->block + have, 0, block - have);
	put_length(d, d->len << 3);
	kinds[d->kind].mix(d, d->block);
	for (size_t i = 0; i < kinds[d->kind].size; i++) {
		size_t in = i % word, byte = little ? in : word - 1 - in;
		uint64_t w =
			word == 4 ? d->state.w32[i / 4] : d->state.w64[i / 8];

		sum[i] = (unsigned char)(w >> (8 * byte));
	}
}

void digest(enum digest_kind kind, struct str text, unsigned char *sum)
{
	struct digest d;

	digest_init(&d, kind);
	digest_update(&d, text.ptr, text.len);
	digest_final(&d, sum);
}

void hmac_init(struct hmac *h, enum digest_kind kind, struct str key)
{
	unsigned char pad[DIGEST_BLOCK_MAX] = {0};
	size_t block = kinds[kind].block;

	if (key.len > block)
		digest(kind, key, pad);
	else if (key.len)
		memcpy(pad, key.ptr, key.len);
	for (size_t i = 0; i < block; i++)
		pad[i] ^= 0x36;
	digest_init(&h->inner, kind);
	digest_update(&h->inner, pad, block);
	for (size_t i = 0; i < block; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	digest_init(&h->outer, kind);
	digest_update(&h->outer, pad, block);
	explicit_bzero(pad, sizeof(pad));
}

void hmac_update(struct hmac *h, const void *ptr, size_t len)
{
	digest_update(&h->inner, ptr, len);
}

void hmac_final(struct hmac *h, unsigned char *sum)
{
	digest_final(&h->inner, sum);
	digest_update(&h->outer, sum, kinds[h->inner.kind].size);
	digest_final(&h->outer, sum);
}

void hmac_wipe(struct hmac *h)
{
	explicit_bzero(h, sizeof(*h));
}

void hmac(enum digest_kind kind, struct str key, struct str text,
	unsigned char *sum)
{
	struct hmac h;

	hmac_init(&h, kind, key);
	hmac_update(&h, text.ptr, text.len);
	hmac_final(&h, sum);
	hmac_wipe(&h);
}

bool digest_equal(const void *a, const void *b, size_t len)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char diff = 0;

	for (size_t i = 0; i < len; i++)
		diff |= (unsigned char)(x[i] ^ y[i]);
	return !diff;
}

void digest_hex(struct buf *out, const unsigned char *sum, size_t len)
{
	char *p = buf_reserve(out, 2 * len);

	for (size_t i = 0; i < len; i++) {
		*p++ = "0123456789abcdef"[sum[i] >> 4];
		*p++ = "0123456789abcdef"[sum[i] & 15];
	}
	*p = '\0';
	out->len += 2 * len;
}
