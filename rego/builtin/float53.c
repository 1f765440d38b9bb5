#include "rego/builtin/float53.h"

#include <gmp.h>
#include <math.h>
#include <string.h>

enum { BITS = 53 };

__extension__ typedef unsigned __int128 u128;

long double float53_mul(long double x, long double y)
{
	int ex, ey, shift;
	u128 m, rest, half;

	if (x == 0 || y == 0 || !isfinite(x) || !isfinite(y))
		return x * y;
	m = (u128)(uint64_t)ldexpl(frexpl(fabsl(x), &ex), 64) *
	    (uint64_t)ldexpl(frexpl(fabsl(y), &ey), 64);
	shift = (m >> 127 ? 128 : 127) - BITS;
	half = (u128)1 << (shift - 1);
	rest = m & (half * 2 - 1);
	m >>= shift;
	if (rest > half || (rest == half && m & 1))
		m++;
	return copysignl(
		ldexpl((long double)(uint64_t)m, ex + ey - 128 + shift),
		signbit(x) != signbit(y) ? -1.0L : 1.0L);
}

/* --- digits ---------------------------------------------------------- */

/* 0.DDD * 10^point, without zeros at the end. */
struct digits {
	char *d;
	size_t n;
	long point;
};

/* m * 2^exp to its last digit. */
static struct digits digits_of(struct arena *a, uint64_t m, int exp)
{
	struct digits x;
	mpz_t z, pow;

	mpz_init_set_ui(z, m);
	if (exp >= 0) {
		mpz_mul_2exp(z, z, (mp_bitcnt_t)exp);
	} else { /* 2^-n is 5^n / 10^n */
		mpz_init(pow);
		mpz_ui_pow_ui(pow, 5, (unsigned long)-exp);
		mpz_mul(z, z, pow);
		mpz_clear(pow);
	}
	x.d = arena_raw(a, mpz_sizeinbase(z, 10) + 2);
	mpz_get_str(x.d, 10, z);
	mpz_clear(z);
	x.n = strlen(x.d);
	x.point = (long)x.n + (exp < 0 ? exp : 0);
	while (x.n > 1 && x.d[x.n - 1] == '0')
		x.n--;
	return x;
}

static char digit_at(const struct digits *x, size_t i)
{
	return i < x->n ? x->d[i] : '0';
}

static void round_down(struct digits *x, size_t n)
{
	for (x->n = n; x->n > 1 && x->d[x->n - 1] == '0';)
		x->n--;
}

static void round_up(struct digits *x, size_t n)
{
	while (n > 0 && x->d[n - 1] == '9')
		n--;
	if (n == 0) {
		x->d[0] = '0';
		x->point++;
		n = 1;
	}
	x->d[n - 1]++;
	x->n = n;
}

/* To `n` digits, of which there are more; a half to the even digit. */
static void round_to(struct digits *x, size_t n)
{
	bool half = x->d[n] == '5' && x->n == n + 1;

	if (half ? n > 0 && (x->d[n - 1] - '0') % 2 : x->d[n] >= '5')
		round_up(x, n);
	else
		round_down(x, n);
}

/*
 * The shortest digits between `lo` and `hi`, which are half a unit away and
 * belong to the number when it is even. As Go's big.Float does it: digit by
 * digit, the bounds by their digits alone, and never up to a bound that ends
 * where its digits do. What differs from the best answer is in OPA's output.
 */
static void shorten(struct digits *x, const struct digits *lo,
	const struct digits *hi, bool even)
{
	for (size_t i = 0; i + 1 < x->n; i++) {
		char m = x->d[i], l = digit_at(lo, i), u = digit_at(hi, i);
		bool down = l != m || (even && i + 1 == lo->n);
		bool up = m != u && (even || m + 1 < u || i + 1 < hi->n);

		if (down && up)
			round_to(x, i + 1);
		else if (down)
			round_down(x, i + 1);
		else if (up)
			round_up(x, i + 1);
		if (down || up)
			return;
	}
}

static struct digits shortest(struct arena *a, long double x)
{
	int exp;
	uint64_t m = (uint64_t)ldexpl(frexpl(fabsl(x), &exp), BITS + 1);
	struct digits d = digits_of(a, m, exp - BITS - 1);
	struct digits lo = digits_of(a, m - 1, exp - BITS - 1);
	struct digits hi = digits_of(a, m + 1, exp - BITS - 1);

	shorten(&d, &lo, &hi, m % 4 == 0);
	return d;
}

/* --- text ------------------------------------------------------------ */

static void write_plain(struct buf *b, const struct digits *x)
{
	long n = (long)x->n;

	if (x->point <= 0)
		buf_adds(b, "0.");
	for (long i = x->point < 0 ? x->point : 0; i < n || i < x->point; i++) {
		if (i == x->point && i > 0)
			buf_addc(b, '.');
		buf_addc(b, i < 0 || i >= n ? '0' : x->d[i]);
	}
}

static void write_exponent(struct buf *b, const struct digits *x)
{
	long exp = x->point - 1;

	buf_addc(b, x->d[0]);
	if (x->n > 1)
		buf_addc(b, '.');
	buf_add(b, x->d + 1, x->n - 1);
	buf_addf(b, "e%c%02ld", exp < 0 ? '-' : '+', labs(exp));
}

struct value float53_value(struct arena *a, long double x)
{
	struct buf b = {0};
	struct digits d;
	struct value v;

	if (signbit(x))
		buf_addc(&b, '-');
	if (x == 0) {
		buf_addc(&b, '0');
	} else {
		d = shortest(a, x);
		if (truncl(x) == x || (d.point >= -3 && d.point <= 6))
			write_plain(&b, &d);
		else
			write_exponent(&b, &d);
	}
	v = v_number(a, b.ptr, b.len);
	buf_release(&b);
	return v;
}
