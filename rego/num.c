/*
 * Numbers keep the literal they were written with. Comparing and hashing work
 * on its decimal digits, so they are exact at any size and any exponent;
 * arithmetic is exact on integers, and on everything else rounds to a mantissa
 * of 64 bits, as Go's big.Float does, which is what OPA calculates with.
 */
#include "rego/value_impl.h"
#include "base/err.h"

#include <float.h>
#include <gmp.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(LDBL_MANT_DIG == 64 && LDBL_MAX_EXP == 16384,
	"long double must be the 80-bit format of x87");
_Static_assert(sizeof(long) == 8, "GMP's si functions must take an int64_t");

enum {
	EXP2_MAX = 100000,     /* OPA's bound on the binary exponent */
	EXP10_SAFE = 30000,    /* decimal exponents surely within it */
	RESULT_BITS = 1 << 25, /* of an exact result, ten million digits */
	RESULT_EXP = 1 << 26,  /* of a rounded one */
	DIGITS_READ = 40, /* neighbours of 64 bits differ in the first 21 */
};

/* --- literals ------------------------------------------------------ */

/*
 * A literal taken apart. Its value is 0.DDD * 10^pos, where DDD are the `nsig`
 * digits from `first` on (a point may stand among them); none for zero.
 */
struct literal {
	const char *first;
	size_t nsig;
	size_t nraw; /* nsig and the zeros that follow in the mantissa */
	uint64_t m;  /* the first 19 of these, as a number */
	int64_t pos;
	int64_t exp10;   /* of the last raw digit: value is RAW * 10^exp10 */
	bool neg, plain; /* plain: neither point nor exponent */
};

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The exponent at p, past the 'e'. */
static bool scan_exponent(const char *p, const char *end, int64_t *out)
{
	bool neg = p < end && *p == '-';
	int64_t e = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	if (p == end)
		return false;
	for (; p < end; p++) {
		if (!is_digit(*p) || __builtin_mul_overflow(e, 10, &e) ||
			__builtin_add_overflow(e, *p - '0', &e))
			return false;
	}
	*out = neg ? -e : e;
	return true;
}

static const char *scan_digits(
	const char *p, const char *end, struct literal *l, size_t *tail)
{
	for (; p < end && is_digit(*p); p++) {
		unsigned d = (unsigned)(*p - '0');

		if (!l->nraw && !d)
			continue;
		if (!l->nraw)
			l->first = p;
		if (l->nraw++ < 19)
			l->m = l->m * 10 + d;
		*tail = d ? 0 : *tail + 1;
	}
	return p;
}

static bool literal_scan(const char *p, size_t len, struct literal *l)
{
	const char *end = p + len, *at;
	size_t tail = 0, nint, nfrac = 0;
	int64_t exp = 0;

	*l = (struct literal){.plain = true};
	if (p < end && *p == '-') {
		l->neg = true;
		p++;
	}
	at = scan_digits(p, end, l, &tail);
	nint = (size_t)(at - p);
	if (nint > 1 && *p == '0')
		return false;
	if (at < end && *at == '.') {
		p = at + 1;
		at = scan_digits(p, end, l, &tail);
		nfrac = (size_t)(at - p);
		if (!nfrac)
			return false;
		l->plain = false;
	}
	if (!nint && !nfrac)
		return false;
	if (at < end) {
		if ((*at | 0x20) != 'e' || !scan_exponent(at + 1, end, &exp))
			return false;
		l->plain = false;
	}
	l->nsig = l->nraw - tail;
	if (!l->nraw)
		return true;
	if (exp > INT64_MAX / 4 || exp < INT64_MIN / 4)
		return false;
	l->exp10 = exp - (int64_t)nfrac;
	l->pos = l->exp10 + (int64_t)l->nraw;
	return true;
}

/* The literal of any number; `tmp` is for those that have none. */
static void literal_of(struct value v, struct literal *l, char tmp[24])
{
	struct str s = num_text(v, tmp);
	bool ok = literal_scan(s.ptr, s.len, l);

	if (!ok)
		die("broken number literal: %.*s", STR_ARG(s));
}

static const char *next_digit(const char *p)
{
	return *p == '.' ? p + 1 : p;
}

static uint32_t literal_hash(const struct literal *l)
{
	uint64_t h = hash_step(l->neg ? 0x6d : 0x70, (uint32_t)l->pos);
	const char *p = l->first;
	uint32_t group = 0;

	for (size_t i = 0; i < l->nsig; i++) {
		p = next_digit(p);
		group = group * 10 + (uint32_t)(*p++ - '0');
		if (i % 9 == 8 || i + 1 == l->nsig) {
			h = hash_step(h, group);
			group = 0;
		}
	}
	return hash_end(h);
}

static bool literal_to_int64(const struct literal *l, int64_t *out)
{
	uint64_t u = 0, max = (uint64_t)INT64_MAX + l->neg;
	const char *p = l->first;

	if (l->pos > 19 || (int64_t)l->nsig > l->pos)
		return l->nsig == 0 ? (*out = 0, true) : false;
	for (int64_t i = 0; i < l->pos; i++) {
		unsigned d = 0;

		if (i < (int64_t)l->nsig) {
			p = next_digit(p);
			d = (unsigned)(*p++ - '0');
		}
		if (__builtin_mul_overflow(u, 10u, &u) ||
			__builtin_add_overflow(u, d, &u) || u > max)
			return false;
	}
	*out = l->neg ? (int64_t)(0 - u) : (int64_t)u;
	return true;
}

/* Magnitudes, digit by digit; missing digits are zeros. */
static int literal_cmp_abs(const struct literal *a, const struct literal *b)
{
	const char *p = a->first, *q = b->first;

	if (!a->nsig || !b->nsig)
		return (a->nsig > 0) - (b->nsig > 0);
	if (a->pos != b->pos)
		return a->pos < b->pos ? -1 : 1;
	for (size_t i = 0; i < a->nsig && i < b->nsig; i++) {
		p = next_digit(p);
		q = next_digit(q);
		if (*p != *q)
			return *p < *q ? -1 : 1;
		p++;
		q++;
	}
	return a->nsig < b->nsig ? -1 : a->nsig > b->nsig;
}

static int literal_cmp(const struct literal *a, const struct literal *b)
{
	bool aneg = a->neg && a->nsig, bneg = b->neg && b->nsig;

	if (aneg != bneg)
		return aneg ? -1 : 1;
	return aneg ? -literal_cmp_abs(a, b) : literal_cmp_abs(a, b);
}

/* --- rounded numbers ----------------------------------------------- */

/*
 * (-1)^neg * m * 2^e. The top bit of `m` is set, or m is 0. It does what
 * long double does where the exponent is past what long double has.
 */
struct flt {
	bool neg;
	uint64_t m;
	int64_t e;
};

/*
 * Round m * 2^*e to `bits` bits, half to even. `sticky`: the exact value is a
 * little more than m says.
 */
static void round_bits(mpz_t m, int64_t *e, unsigned bits, bool sticky)
{
	size_t have = mpz_sizeinbase(m, 2);
	mp_bitcnt_t drop;
	bool half, up;

	if (have <= bits)
		return;
	drop = have - bits;
	half = mpz_tstbit(m, drop - 1);
	sticky = sticky || mpz_scan1(m, 0) < drop - 1;
	mpz_tdiv_q_2exp(m, m, drop);
	up = half && (sticky || mpz_odd_p(m));
	if (up)
		mpz_add_ui(m, m, 1);
	*e += (int64_t)drop;
}

/* What is in `m`, which is not zero and is destroyed, as a number. */
static struct flt flt_round(mpz_t m, int64_t e, bool neg, bool sticky)
{
	uint64_t u;
	int shift;

	round_bits(m, &e, 64, sticky);
	if (mpz_sizeinbase(m, 2) > 64) { /* rounded up to 2^64 */
		mpz_tdiv_q_2exp(m, m, 1);
		e++;
	}
	u = mpz_get_ui(m);
	shift = __builtin_clzll(u);
	return (struct flt){neg, u << shift, e - shift};
}

/*
 * 5^n as big.Float has it when it reads a decimal: 128 bits, made by repeated
 * squaring at 192 bits, rounding each time. Up to 5^55 that is exact.
 */
static void pow5(mpz_t p, int64_t *e, uint64_t n)
{
	mpz_t f;
	int64_t fe = 0;

	*e = 0;
	mpz_ui_pow_ui(p, 5, n < 27 ? n : 27);
	if (n <= 27)
		return;
	mpz_init_set_ui(f, 5);
	for (n -= 27; n > 0; n >>= 1) {
		if (n & 1) {
			mpz_mul(p, p, f);
			*e += fe;
			round_bits(p, e, 128, false);
		}
		mpz_mul(f, f, f);
		fe *= 2;
		round_bits(f, &fe, 192, false);
	}
	mpz_clear(f);
}

/* All digits of the mantissa, trailing zeros included. */
static void literal_mantissa(const struct literal *l, size_t n, mpz_t m)
{
	char *digits = malloc(n + 1);
	const char *p = l->first;

	if (!digits)
		die("out of memory: number of %zu digits", n);
	for (size_t i = 0; i < n; i++) {
		p = next_digit(p);
		digits[i] = *p++;
	}
	digits[n] = '\0';
	mpz_set_str(m, digits, 10);
	free(digits);
}

static struct flt literal_to_flt(const struct literal *l)
{
	mpz_t m, p;
	int64_t pe, e = l->exp10;
	struct flt f;
	bool sticky = false;

	if (!l->nraw)
		return (struct flt){.neg = l->neg};
	mpz_init(m);
	mpz_init(p);
	literal_mantissa(l, l->nraw, m);
	if (e >= 0) {
		pow5(p, &pe, (uint64_t)e);
		mpz_mul(m, m, p);
		e += pe;
	} else {
		mp_bitcnt_t shift;

		pow5(p, &pe, (uint64_t)-e);
		shift = mpz_sizeinbase(p, 2) + 66;
		mpz_mul_2exp(m, m, shift);
		mpz_tdiv_qr(m, p, m, p);
		sticky = mpz_sgn(p) != 0;
		e -= pe + (int64_t)shift;
	}
	f = flt_round(m, e, l->neg, sticky);
	mpz_clear(m);
	mpz_clear(p);
	return f;
}

static long double flt_to_ld(struct flt f)
{
	long double d = (long double)f.m;

	if (f.m) {
		int64_t e = f.e > 20000 ? 20000 : f.e;

		d = ldexpl(d, (int)(e < -20000 ? -20000 : e));
	}
	return f.neg ? -d : d;
}

static struct flt flt_of_ld(long double d)
{
	int e;
	long double m = frexpl(fabsl(d), &e);

	if (m == 0)
		return (struct flt){.neg = signbit(d)};
	return (struct flt){
		signbit(d), (uint64_t)ldexpl(m, 64), (int64_t)e - 64};
}

/* True when 64 bits of mantissa are really there. */
static bool ld_is_full(long double d)
{
	return d == 0 || (isnormal(d) && fabsl(d) > 2 * LDBL_MIN);
}

static struct flt flt_of(struct value v)
{
	struct literal l;
	char tmp[24];

	if (v.tag == V_INT)
		return flt_of_ld((long double)v.i);
	if (ld_is_full(v.num->ld) && (v.num->ld != 0 || v.num->is_int))
		return flt_of_ld(v.num->ld);
	literal_of(v, &l, tmp);
	return literal_to_flt(&l);
}

/* Powers of ten that a mantissa of 64 bits holds exactly. */
static const long double pow10_exact[] = {1e0L, 1e1L, 1e2L, 1e3L, 1e4L, 1e5L,
	1e6L, 1e7L, 1e8L, 1e9L, 1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L,
	1e17L, 1e18L, 1e19L, 1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L,
	1e27L};

static long double literal_to_ld(const struct literal *l)
{
	const int64_t max = (int64_t)COUNT(pow10_exact) - 1;
	long double d = (long double)l->m;

	if (l->nraw > 19 || l->exp10 > max || l->exp10 < -max) {
		if (l->pos > 6000 || l->pos < -6000)
			return l->pos > 0 ? (l->neg ? -INFINITY : INFINITY)
					  : (l->neg ? -0.0L : 0.0L);
		return flt_to_ld(literal_to_flt(l));
	}
	if (l->exp10 < 0)
		d /= pow10_exact[-l->exp10];
	else
		d *= pow10_exact[l->exp10];
	return l->neg ? -d : d;
}

/* --- making numbers ------------------------------------------------ */

/* `known`: the value of the literal if the caller has it, else NULL. */
static bool fill(struct num *n, const char *text, size_t len,
	const long double *known, struct literal *l)
{
	if (len > UINT32_MAX || !literal_scan(text, len, l))
		return false;
	*n = (struct num){.text = text, .len = (uint32_t)len};
	n->is_whole = (int64_t)l->nsig <= l->pos || !l->nsig;
	n->is_int = n->is_whole && literal_to_int64(l, &n->i);
	n->hash = n->is_int ? hash_int(n->i) : literal_hash(l);
	n->ld = known ? *known : literal_to_ld(l);
	return true;
}

bool num_fill(struct num *n, const char *text, size_t len)
{
	struct literal l;

	return fill(n, text, len, NULL, &l);
}

const char *num_refused(const struct num *n)
{
	struct literal l;
	struct flt f;

	if (!literal_scan(n->text, n->len, &l))
		return "invalid float";
	if (l.pos > -EXP10_SAFE && l.pos < EXP10_SAFE)
		return NULL;
	if (l.pos > INT32_MAX || l.pos < INT32_MIN) /* of big.Float */
		return "invalid float";
	if (l.pos > 2 * EXP10_SAFE || l.pos < -2 * EXP10_SAFE)
		return "number too big";
	f = literal_to_flt(&l);
	return f.e + 64 <= EXP2_MAX && f.e + 64 >= -EXP2_MAX ? NULL
							     : "number too big";
}

static bool has_exponent(const char *text, size_t len)
{
	return memchr(text, 'e', len) || memchr(text, 'E', len);
}

static struct value make(struct arena *a, const char *text, size_t len,
	const long double *known, bool checked)
{
	struct num *n = arena_raw(a, sizeof(*n) + len + 1);
	char *copy = (char *)(n + 1);
	struct literal l;

	memcpy(copy, text, len);
	copy[len] = '\0';
	if (!fill(n, copy, len, known, &l))
		return v_undef;
	if (n->is_int && l.plain && !(l.neg && !n->i))
		return v_int(n->i);
	if (checked && has_exponent(copy, len) && num_refused(n))
		return v_undef;
	return (struct value){.tag = V_NUM, .hash = n->hash, .num = n};
}

/* Integers that surely fit, without a leading zero. */
static bool small_int(const char *p, size_t len, int64_t *out)
{
	bool neg = len && *p == '-';
	int64_t i = 0;

	p += neg;
	len -= neg;
	if (!len || len > 18 || (*p == '0' && (len > 1 || neg)))
		return false;
	for (size_t at = 0; at < len; at++) {
		if (!is_digit(p[at]))
			return false;
		i = i * 10 + (p[at] - '0');
	}
	*out = neg ? -i : i;
	return true;
}

struct value v_number(struct arena *a, const char *text, size_t len)
{
	int64_t i;

	if (small_int(text, len, &i))
		return v_int(i);
	return make(a, text, len, NULL, true);
}

/* --- reading numbers ----------------------------------------------- */

struct str num_text(struct value v, char tmp[24])
{
	char *p = tmp + 24;
	uint64_t u;

	if (v.tag == V_NUM)
		return (struct str){v.num->text, v.num->len};
	u = v.i < 0 ? 0 - (uint64_t)v.i : (uint64_t)v.i;
	*--p = '\0';
	do
		*--p = (char)('0' + u % 10);
	while (u /= 10);
	if (v.i < 0)
		*--p = '-';
	return (struct str){p, (size_t)(tmp + 23 - p)};
}

int num_cmp(struct value a, struct value b)
{
	struct literal la, lb;
	char ta[24], tb[24];
	int64_t x, y;

	if (num_to_int64(a, &x) && num_to_int64(b, &y))
		return x < y ? -1 : x > y;
	literal_of(a, &la, ta);
	literal_of(b, &lb, tb);
	return literal_cmp(&la, &lb);
}

bool num_is_whole(struct value v)
{
	return v.tag == V_INT || (v.tag == V_NUM && v.num->is_whole);
}

bool num_to_int64(struct value v, int64_t *out)
{
	if (v.tag == V_INT)
		*out = v.i;
	else if (v.tag == V_NUM && v.num->is_int)
		*out = v.num->i;
	else
		return false;
	return true;
}

bool num_literal_int64(struct value v, int64_t *out)
{
	if (v.tag == V_NUM && (v.num->len > 19u + (v.num->text[0] == '-') ||
				      has_exponent(v.num->text, v.num->len)))
		return false;
	return num_to_int64(v, out);
}

double num_to_double(struct value v)
{
	return v.tag == V_INT ? (double)v.i : strtod(v.num->text, NULL);
}

/* --- writing rounded numbers --------------------------------------- */

/* Decimal digits 0.DDD * 10^pos, without trailing zeros. */
struct digits {
	char *d;
	size_t n;
	int64_t pos;
};

/* Take the zeros off the end. */
static void digits_trim(struct digits *x)
{
	while (x->n && x->d[x->n - 1] == '0')
		x->n--;
}

/*
 * The digits of m * num / den / 10^scale. What is cut off behind the point is
 * one more digit, a 1, so that it counts as there. The caller frees x->d.
 */
static void digits_of(struct digits *x, const mpz_t m, const mpz_t num,
	const mpz_t den, int64_t scale)
{
	mpz_t t, rest;

	mpz_init(t);
	mpz_init(rest);
	mpz_mul(t, m, num);
	mpz_tdiv_qr(t, rest, t, den);
	if (mpz_sgn(rest)) {
		mpz_mul_ui(t, t, 10);
		mpz_add_ui(t, t, 1);
		scale++;
	}
	x->d = mpz_get_str(NULL, 10, t);
	if (!x->d)
		die("out of memory: digits of a number");
	x->n = strlen(x->d);
	x->pos = (int64_t)x->n - scale;
	digits_trim(x);
	mpz_clear(t);
	mpz_clear(rest);
}

static void digits_round_up(struct digits *x, size_t n)
{
	while (n > 0 && x->d[n - 1] == '9')
		n--;
	if (n == 0) {
		x->d[0] = '1';
		x->n = 1;
		x->pos++;
		return;
	}
	x->d[n - 1]++;
	x->n = n;
}

static void digits_round_down(struct digits *x, size_t n)
{
	x->n = n;
	digits_trim(x);
}

static void digits_round(struct digits *x, size_t n)
{
	bool up;

	if (n >= x->n)
		return;
	if (x->d[n] == '5' && n + 1 == x->n)
		up = n > 0 && ((x->d[n - 1] - '0') & 1);
	else
		up = x->d[n] >= '5';
	if (up)
		digits_round_up(x, n);
	else
		digits_round_down(x, n);
}

static char digit_at(const struct digits *x, size_t i)
{
	return i < x->n ? x->d[i] : '0';
}

/*
 * Cut x to the fewest digits that still tell it from its neighbours: the first
 * place where rounding down stays above `lo` or rounding up below `hi`, both
 * half a unit of the last bit away and allowed themselves if `inclusive`.
 * Source: the documented method of Go's math/big for the "shortest" format.
 * Like it, this takes lo and hi a power of ten apart for granted.
 */
static void digits_shorten(struct digits *x, const struct digits *lo,
	const struct digits *hi, bool inclusive)
{
	for (size_t i = 0; i < x->n; i++) {
		char d = x->d[i], l = digit_at(lo, i), h = digit_at(hi, i);
		bool down = l != d || (inclusive && i + 1 == lo->n);
		bool up = d != h && (inclusive || d + 1 < h || i + 1 < hi->n);

		if (down && up)
			digits_round(x, i + 1);
		else if (down)
			digits_round_down(x, i + 1);
		else if (up)
			digits_round_up(x, i + 1);
		if (down || up)
			return;
	}
}

/*
 * By how many places to move the point of a number of 65 bits times 2^e, so
 * that some DIGITS_READ digits are before it, or all where there are fewer.
 */
static int64_t digits_scale(int64_t e)
{
	int64_t some = DIGITS_READ - (e + 65) * 30103 / 100000; /* lg 2 */
	int64_t all = e < 0 ? -e : 0;

	return some < all ? some : all;
}

static void digits_shortest(struct digits *x, struct flt f)
{
	int64_t e = f.e - 1, scale = digits_scale(e), e2 = e + scale;
	struct digits lo, hi;
	mpz_t m, num, den; /* num / den = 2^e * 10^scale */
	mpz_ptr side = e2 < 0 ? den : num;

	mpz_init_set_ui(num, 1);
	mpz_init_set_ui(den, 1);
	mpz_ui_pow_ui(scale < 0 ? den : num, 5, (unsigned long)llabs(scale));
	mpz_mul_2exp(side, side, (mp_bitcnt_t)llabs(e2));
	mpz_init_set_ui(m, f.m);
	mpz_mul_2exp(m, m, 1);
	digits_of(x, m, num, den, scale);
	mpz_sub_ui(m, m, 1);
	digits_of(&lo, m, num, den, scale);
	mpz_add_ui(m, m, 2);
	digits_of(&hi, m, num, den, scale);
	digits_shorten(x, &lo, &hi, (f.m & 1) == 0);
	free(lo.d);
	free(hi.d);
	mpz_clear(m);
	mpz_clear(num);
	mpz_clear(den);
}

/* As Go's %f: all digits, no exponent. */
static void write_plain(struct buf *out, const struct digits *x)
{
	if (x->pos <= 0)
		buf_addc(out, '0');
	for (int64_t i = 0; i < x->pos; i++)
		buf_addc(out, digit_at(x, (size_t)i));
	if (x->pos >= (int64_t)x->n)
		return;
	buf_addc(out, '.');
	for (int64_t i = x->pos; i < (int64_t)x->n; i++)
		buf_addc(out, i < 0 ? '0' : x->d[i]);
}

/* As Go's %e: at least two digits of exponent. */
static void write_exponent(struct buf *out, const struct digits *x)
{
	int64_t e = x->n ? x->pos - 1 : 0;

	buf_addc(out, digit_at(x, 0));
	if (x->n > 1) {
		buf_addc(out, '.');
		buf_add(out, x->d + 1, x->n - 1);
	}
	buf_addf(out, "e%c%02lld", e < 0 ? '-' : '+',
		(long long)(e < 0 ? -e : e));
}

/* As Go's %g in the shortest form. */
static void write_general(struct buf *out, const struct digits *x)
{
	if (x->n && (x->pos - 1 < -4 || x->pos - 1 >= 6))
		write_exponent(out, x);
	else
		write_plain(out, x);
}

static bool flt_is_whole(struct flt f)
{
	return !f.m || f.e >= 0 || (f.e > -64 && f.m << (64 + f.e) == 0);
}

/*
 * Most results of everyday sums are decimals of a few digits. If D / 10^k
 * reads back as d, with the smallest k for which there is such a D, its digits
 * are the shortest.
 */
static bool write_short(struct buf *out, long double d)
{
	long double abs = fabsl(d);

	if (!(abs >= 1e-4L && abs < 1e6L))
		return false;
	for (size_t k = 1; k <= 8; k++) {
		long double m = rintl(abs * pow10_exact[k]);
		char tmp[24];
		struct str s;

		if (m / pow10_exact[k] != abs)
			continue;
		s = num_text(v_int((int64_t)m), tmp);
		if (signbit(d))
			buf_addc(out, '-');
		if (s.len <= k)
			buf_addf(out, "0.%0*d", (int)(k - s.len), 0);
		if (s.len <= k && s.len == k)
			out->len--; /* no zero to fill in */
		buf_add(out, s.ptr, s.len > k ? s.len - k : 0);
		if (s.len > k)
			buf_addc(out, '.');
		buf_add(out, s.ptr + (s.len > k ? s.len - k : 0),
			s.len > k ? k : s.len);
		return true;
	}
	return false;
}

static void write_flt(struct buf *out, struct flt f)
{
	struct digits x;

	if (f.neg)
		buf_addc(out, '-');
	if (!f.m) {
		buf_addc(out, '0');
		return;
	}
	digits_shortest(&x, f);
	if (flt_is_whole(f))
		write_plain(out, &x);
	else
		write_general(out, &x);
	free(x.d);
}

void num_write_big(struct buf *out, struct value v)
{
	struct flt f = flt_of(v);
	struct digits x = {0};

	if (f.m)
		digits_shortest(&x, f);
	if (f.m && f.neg)
		buf_addc(out, '-');
	write_general(out, &x);
	free(x.d);
}

struct value num_from_ld(struct arena *a, long double d)
{
	struct buf text = {0};
	struct value v;
	bool short_exp;

	if (!isfinite(d))
		return v_undef;
	if (d == truncl(d) && fabsl(d) < 0x1p63L && (d != 0 || !signbit(d)))
		return v_int((int64_t)d);
	if (!write_short(&text, d))
		write_flt(&text, flt_of_ld(d));
	/* Where powers of five are exact, the text reads back as `d`. */
	short_exp = d == 0 || (fabsl(d) > 1e-30L && fabsl(d) < 1e50L);
	v = make(a, text.ptr, text.len, short_exp ? &d : NULL, false);
	buf_release(&text);
	return v;
}

static struct value from_flt(struct arena *a, struct flt f)
{
	long double d = flt_to_ld(f);
	struct buf text = {0};
	struct value v;

	if (ld_is_full(d) && (d != 0 || !f.m))
		return num_from_ld(a, d);
	write_flt(&text, f);
	v = make(a, text.ptr, text.len, NULL, false);
	buf_release(&text);
	return v;
}

/* "%.*e" without point and sign: digits in d[], the exponent returned. */
static int double_digits(char d[32], double x, int n)
{
	char text[40], *e;

	snprintf(text, sizeof(text), "%.*e", n - 1, x);
	e = strchr(text, 'e');
	d[0] = text[0];
	if (n > 1)
		memcpy(d + 1, text + 2, (size_t)n - 1);
	d[n] = '\0';
	return (int)strtol(e + 1, NULL, 10);
}

static bool reads_as(const struct digits *x, double d, bool single)
{
	char text[64];

	snprintf(text, sizeof(text), "0.%.*se%d", (int)x->n, x->d, (int)x->pos);
	return single ? (double)strtof(text, NULL) == d
		      : strtod(text, NULL) == d;
}

/*
 * The nearest decimal of n digits, or, where the neighbour below is closer
 * than the one above (powers of two), the next one up.
 */
static void double_shortest(
	char d[32], struct digits *x, double abs, bool single)
{
	for (int n = 1; n <= 17; n++) {
		*x = (struct digits){.d = d, .n = (size_t)n};
		x->pos = double_digits(d, abs, n) + 1;
		if (reads_as(x, abs, single))
			break;
		digits_round_up(x, x->n);
		if (reads_as(x, abs, single))
			break;
	}
	digits_trim(x);
}

/* encoding/json: exponents where ECMAScript has them, "e-7" for "e-07". */
static void write_json(struct buf *out, const struct digits *x)
{
	size_t n;

	if (!x->n || (x->pos > -6 && x->pos <= 21)) {
		write_plain(out, x);
		return;
	}
	write_exponent(out, x);
	n = out->len;
	if (out->ptr[n - 4] == 'e' && out->ptr[n - 2] == '0') {
		out->ptr[n - 2] = out->ptr[n - 1];
		out->ptr[--out->len] = '\0';
	}
}

void num_write_double(struct buf *out, double d, enum float_format format)
{
	char digits[32];
	struct digits x = {.d = digits};

	if (format == FLOAT_G32)
		d = (double)(float)d;
	if (d != 0)
		double_shortest(digits, &x, fabs(d), format == FLOAT_G32);
	if (signbit(d))
		buf_addc(out, '-');
	if (format == FLOAT_JSON)
		write_json(out, &x);
	else
		write_general(out, &x);
}

struct value num_from_double(struct arena *a, double d)
{
	struct buf text = {0};
	struct value v;

	if (!isfinite(d))
		return v_undef;
	num_write_double(&text, d, FLOAT_G64);
	v = make(a, text.ptr, text.len, NULL, false);
	buf_release(&text);
	return v;
}

/* --- arithmetic ---------------------------------------------------- */

static void to_mpz(struct value v, mpz_t out)
{
	struct literal l;
	char tmp[24];
	int64_t i;
	mpz_t scale;

	if (num_to_int64(v, &i)) {
		mpz_set_si(out, i);
		return;
	}
	literal_of(v, &l, tmp);
	literal_mantissa(&l, l.nsig, out);
	mpz_init(scale);
	mpz_ui_pow_ui(scale, 10, (unsigned long)(l.pos - (int64_t)l.nsig));
	mpz_mul(out, out, scale);
	mpz_clear(scale);
	if (l.neg)
		mpz_neg(out, out);
}

static struct value from_mpz(struct arena *a, const mpz_t z)
{
	char *text;
	struct value v;

	if (mpz_fits_slong_p(z))
		return v_int(mpz_get_si(z));
	text = mpz_get_str(NULL, 10, z);
	if (!text)
		die("out of memory: digits of a number");
	v = make(a, text, strlen(text), NULL, false);
	free(text);
	return v;
}

static bool small_arith(enum num_op op, int64_t x, int64_t y, struct value *out)
{
	int64_t r = 0;
	bool ok = false;

	switch (op) {
	case NUM_ADD:
		ok = !__builtin_add_overflow(x, y, &r);
		break;
	case NUM_SUB:
		ok = !__builtin_sub_overflow(x, y, &r);
		break;
	case NUM_MUL:
		ok = !__builtin_mul_overflow(x, y, &r);
		break;
	case NUM_DIV: /* a zero dividend may give -0 */
		ok = x != 0 && y != 0 && y != -1 && x % y == 0;
		r = ok ? x / y : 0;
		break;
	case NUM_REM:
		ok = y != 0;
		r = ok && y != -1 ? x % y : 0;
		break;
	}
	if (ok)
		*out = v_int(r);
	return ok;
}

/* Bits that an exact operation might need. */
static size_t result_bits(enum num_op op, const mpz_t x, const mpz_t y)
{
	size_t bx = mpz_sizeinbase(x, 2), by = mpz_sizeinbase(y, 2);

	return op == NUM_MUL ? bx + by : (bx > by ? bx : by) + 1;
}

static bool whole_arith(struct arena *a, enum num_op op, struct value vx,
	struct value vy, struct value *out, const char **why)
{
	mpz_t x, y;
	bool ok = true;

	mpz_init(x);
	mpz_init(y);
	to_mpz(vx, x);
	to_mpz(vy, y);
	if (op == NUM_REM && mpz_sgn(y) == 0) {
		*why = "modulo by zero";
		ok = false;
	} else if (result_bits(op, x, y) > RESULT_BITS) {
		*why = "number too big";
		ok = false;
	} else if (op == NUM_ADD) {
		mpz_add(x, x, y);
	} else if (op == NUM_SUB) {
		mpz_sub(x, x, y);
	} else if (op == NUM_MUL) {
		mpz_mul(x, x, y);
	} else {
		mpz_tdiv_r(x, x, y);
	}
	if (ok)
		*out = from_mpz(a, x);
	mpz_clear(x);
	mpz_clear(y);
	return ok;
}

/* x + y; both may be far outside of what long double holds. */
static struct flt flt_add(struct flt x, struct flt y)
{
	struct flt r;
	mpz_t a, b;
	int64_t e;

	if (!x.m || !y.m) {
		r = x.m ? x : y;
		if (!r.m)
			r.neg = x.neg && y.neg;
		return r;
	}
	if (x.e > y.e + 140 || y.e > x.e + 140)
		return x.e > y.e ? x : y; /* less than half a unit away */
	e = x.e < y.e ? x.e : y.e;
	mpz_init_set_ui(a, x.m);
	mpz_init_set_ui(b, y.m);
	mpz_mul_2exp(a, a, (mp_bitcnt_t)(x.e - e));
	mpz_mul_2exp(b, b, (mp_bitcnt_t)(y.e - e));
	if (x.neg)
		mpz_neg(a, a);
	if (y.neg)
		mpz_neg(b, b);
	mpz_add(a, a, b);
	r = (struct flt){0};
	if (mpz_sgn(a)) {
		bool neg = mpz_sgn(a) < 0;

		mpz_abs(a, a);
		r = flt_round(a, e, neg, false);
	}
	mpz_clear(a);
	mpz_clear(b);
	return r;
}

static struct flt flt_mul(struct flt x, struct flt y)
{
	struct flt r = {.neg = x.neg != y.neg};
	mpz_t a;

	if (!x.m || !y.m)
		return r;
	mpz_init_set_ui(a, x.m);
	mpz_mul_ui(a, a, y.m);
	r = flt_round(a, x.e + y.e, r.neg, false);
	mpz_clear(a);
	return r;
}

static struct flt flt_div(struct flt x, struct flt y)
{
	struct flt r = {.neg = x.neg != y.neg};
	bool sticky;
	mpz_t a;

	if (!x.m)
		return r;
	mpz_init_set_ui(a, x.m);
	mpz_mul_2exp(a, a, 70);
	sticky = mpz_tdiv_q_ui(a, a, y.m) != 0;
	r = flt_round(a, x.e - y.e - 70, r.neg, sticky);
	mpz_clear(a);
	return r;
}

static long double ld_of(struct value v)
{
	return v.tag == V_INT ? (long double)v.i : v.num->ld;
}

/* In long double; false when its range of exponents does not do. */
static bool ld_arith(
	enum num_op op, struct value vx, struct value vy, long double *out)
{
	long double x = ld_of(vx), y = ld_of(vy), r;

	if ((x == 0 && vx.tag == V_NUM && !vx.num->is_int) ||
		(y == 0 && vy.tag == V_NUM && !vy.num->is_int))
		return false; /* too small for it */
	if (!ld_is_full(x) || !ld_is_full(y))
		return false;
	if (op == NUM_ADD)
		r = x + y;
	else if (op == NUM_SUB)
		r = x - y;
	else if (op == NUM_MUL)
		r = x * y;
	else
		r = x / y;
	*out = r;
	return ld_is_full(r) &&
	       (r != 0 || op == NUM_ADD || op == NUM_SUB || x == 0 || y == 0);
}

static bool float_arith(struct arena *a, enum num_op op, struct value vx,
	struct value vy, struct value *out, const char **why)
{
	struct flt x, y, r;
	long double d;

	if (op == NUM_DIV && vy.tag != V_INT && vy.num->is_int && !vy.num->i) {
		*why = "divide by zero";
		return false;
	}
	if (op == NUM_DIV && vy.tag == V_INT && !vy.i) {
		*why = "divide by zero";
		return false;
	}
	if (ld_arith(op, vx, vy, &d)) {
		*out = num_from_ld(a, d);
		return true;
	}
	x = flt_of(vx);
	y = flt_of(vy);
	if (op == NUM_SUB)
		y.neg = !y.neg;
	if (op == NUM_MUL)
		r = flt_mul(x, y);
	else if (op == NUM_DIV)
		r = flt_div(x, y);
	else
		r = flt_add(x, y);
	if (r.m && (r.e > RESULT_EXP || r.e < -RESULT_EXP)) {
		*why = "number too big";
		return false;
	}
	*out = from_flt(a, r);
	return true;
}

bool num_arith(struct arena *a, enum num_op op, struct value x, struct value y,
	struct value *out, const char **why)
{
	int64_t i, j;

	if (num_to_int64(x, &i) && num_to_int64(y, &j) &&
		small_arith(op, i, j, out))
		return true;
	if (op != NUM_DIV && num_is_whole(x) && num_is_whole(y))
		return whole_arith(a, op, x, y, out, why);
	if (op == NUM_REM) {
		*why = "modulo on floating-point number";
		return false;
	}
	return float_arith(a, op, x, y, out, why);
}
