#include "rego/builtin/bigint.h"
#include "rego/builtin/float53.h"
#include "rego/builtin/operand.h"

#include "base/limits.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* --- rounding -------------------------------------------------------- */

/*
 * OPA rounds in a float of 64 bits of mantissa, which is what a long double
 * is here; so do the sums and products below.
 */
_Static_assert(LDBL_MANT_DIG == 64, "long double has a 64-bit mantissa");

static long double num_to_ld(struct value v)
{
	return v.tag == V_INT ? (long double)v.i : v.num->ld;
}

/* The number as that float, written anew; `sign` is 1 or -1. */
static enum bi_status as_float(
	struct bi_ctx *cx, struct value v, int sign, struct value *out)
{
	const char *why = NULL;

	if (num_cmp(v, v_int(0)) == 0) {
		*out = v_int(0);
		return BI_OK;
	}
	/* The quotient is never taken in integers when one side is no int. */
	if (!num_arith(cx->arena, NUM_DIV, v, v_int(sign), out, &why))
		return bi_error(cx, "%s", why);
	return BI_OK;
}

static enum bi_status bi_abs(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct value v = args[0];

	if (v.tag == V_INT && v.i >= 0) {
		*out = v;
		return BI_OK;
	}
	if (v.tag == V_INT && v.i > INT64_MIN) {
		*out = v_int(-v.i);
		return BI_OK;
	}
	return as_float(cx, v, num_cmp(v, v_int(0)) < 0 ? -1 : 1, out);
}

/* The integer part; never -0, since it goes through an integer in OPA. */
static long double trunc_plus(long double x)
{
	long double t = truncl(x);

	return t == 0 ? 0.0L : t;
}

static long double half_away(long double x)
{
	return trunc_plus(signbit(x) ? x - 0.5L : x + 0.5L);
}

/*
 * OPA looks at the sign of the integer part, and that of a zero is plus: so
 * ceil(-0.5) is 1, and floor(-0.5) below is 0.
 */
static long double up(long double x)
{
	long double t = trunc_plus(x);

	return t < 0 || t == x ? t : t + 1;
}

static long double down(long double x)
{
	long double t = trunc_plus(x);

	return t >= 0 || t == x ? t : t - 1;
}

/* A float that has no fraction, to its last digit. */
static enum bi_status all_digits(
	struct bi_ctx *cx, struct value v, struct value *out)
{
	mpz_t z;
	mp_bitcnt_t exp;
	bool neg;
	enum bi_status st = as_float(cx, v, 1, &v);

	if (st)
		return st;
	bigint_from_value(z, cx->arena, v);
	neg = mpz_sgn(z) < 0;
	mpz_abs(z, z);
	exp = bigint_round_64(z);
	mpz_mul_2exp(z, z, exp);
	if (neg)
		mpz_neg(z, z);
	*out = bigint_to_value(cx->arena, z);
	mpz_clear(z);
	return BI_OK;
}

static enum bi_status rounded(struct bi_ctx *cx, struct value v,
	long double (*how)(long double), struct value *out)
{
	if (v.tag == V_INT) {
		*out = v;
		return BI_OK;
	}
	if (fabsl(v.num->ld) >= 0x1p64L)
		return all_digits(cx, v, out);
	if (v.num->ld == 0 && num_cmp(v, v_int(0)) != 0) /* too small for it */
		*out = num_from_ld(cx->arena,
			how(num_cmp(v, v_int(0)) > 0 ? LDBL_MIN : -LDBL_MIN));
	else
		*out = num_from_ld(cx->arena, how(v.num->ld));
	return BI_OK;
}

static enum bi_status bi_round(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return rounded(cx, args[0], half_away, out);
}

static enum bi_status bi_ceil(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return rounded(cx, args[0], up, out);
}

static enum bi_status bi_floor(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return rounded(cx, args[0], down, out);
}

/* --- aggregates ------------------------------------------------------ */

static enum bi_status bi_count(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct value v = args[0];

	if (v.tag == V_STR)
		*out = v_int(v.str->runes);
	else if (v.tag == V_ARR || v.tag == V_OBJ || v.tag == V_SET)
		*out = v_int(v_len(v));
	else
		return bi_operand(
			cx, 1, "one of {array, object, set, string}", v);
	return BI_OK;
}

/* The members of the argument of an aggregate. */
static enum bi_status operands(struct bi_ctx *cx, struct value v,
	const struct value **items, uint32_t *len)
{
	if (!operand_members(v, items, len))
		return bi_operand(cx, 1, "one of {set, array}", v);
	return bi_charge(cx, *len) ? BI_OK : BI_HALT;
}

/* Numbers only? And are they all whole, so that OPA stays exact? */
static enum bi_status check_numbers(
	struct bi_ctx *cx, struct value all, bool *whole)
{
	const struct value *items;
	uint32_t n;
	enum bi_status st = operands(cx, all, &items, &n);

	*whole = true;
	for (uint32_t i = 0; !st && i < n; i++) {
		if (!is_num(items[i]))
			st = operand_element(cx, 1, all, "number", items[i]);
		else if (items[i].tag != V_INT && !num_is_whole(items[i]))
			*whole = false;
	}
	return st;
}

/*
 * Fold with num_arith(): exact on whole numbers. With `floats` each step is
 * rounded as a float of any exponent is.
 */
static enum bi_status fold(struct bi_ctx *cx, enum num_op op, bool floats,
	struct value acc, struct value all, struct value *out)
{
	const struct value *items = NULL;
	const char *why = NULL;
	uint32_t n = 0;
	enum bi_status st = BI_OK;

	operand_members(all, &items, &n);
	for (uint32_t i = 0; !st && i < n; i++) {
		struct value v = items[i];

		if (acc.tag == V_NUM && !bi_charge(cx, acc.num->len / 64))
			return BI_HALT;
		if (floats)
			st = as_float(cx, v, 1, &v);
		if (st)
			return st;
		if (!num_arith(cx->arena, op, acc, v, &acc, &why))
			return bi_error(cx, "%s", why);
		if (floats)
			st = as_float(cx, acc, 1, &acc);
	}
	*out = acc;
	return st;
}

/* The sum of V_INTs; false at any other number or an overflow. */
static bool sum_ints(const struct value *items, uint32_t n, int64_t *sum)
{
	*sum = 0;
	for (uint32_t i = 0; i < n; i++)
		if (items[i].tag != V_INT ||
			__builtin_add_overflow(*sum, items[i].i, sum))
			return false;
	return true;
}

static enum bi_status bi_sum(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct value *items;
	long double sum = 0;
	int64_t exact;
	uint32_t n;
	bool whole;
	enum bi_status st = operands(cx, args[0], &items, &n);

	if (st)
		return st;
	if (sum_ints(items, n, &exact)) {
		*out = v_int(exact);
		return BI_OK;
	}
	st = check_numbers(cx, args[0], &whole);
	if (st)
		return st;
	for (uint32_t i = 0; !whole && i < n; i++)
		sum += num_to_ld(items[i]);
	if (whole || !isfinite(sum))
		return fold(cx, NUM_ADD, !whole, v_int(0), args[0], out);
	*out = num_from_ld(cx->arena, sum);
	return BI_OK;
}

static enum bi_status bi_product(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct value *items;
	long double product = 1;
	uint32_t n;
	bool whole, zero = false;
	enum bi_status st = check_numbers(cx, args[0], &whole);

	if (st)
		return st;
	operand_members(args[0], &items, &n);
	for (uint32_t i = 0; !whole && i < n; i++) {
		product = float53_mul(product, num_to_ld(items[i]));
		zero = zero || num_cmp(items[i], v_int(0)) == 0;
	}
	/* Out of the range of a long double, which has 15 bits of exponent. */
	if (whole || !isfinite(product) || (!zero && !isnormal(product)))
		return fold(cx, NUM_MUL, !whole, v_int(1), args[0], out);
	*out = float53_value(cx->arena, product);
	return BI_OK;
}

/* The greatest (sign 1) or least (sign -1); of equal ones the last. */
static enum bi_status extreme(
	struct bi_ctx *cx, int sign, struct value all, struct value *out)
{
	const struct value *items;
	uint32_t n;
	enum bi_status st = operands(cx, all, &items, &n);

	if (st)
		return st;
	if (!n)
		return BI_UNDEF;
	*out = items[0];
	for (uint32_t i = 1; i < n; i++)
		if (value_cmp(items[i], *out) * sign >= 0)
			*out = items[i];
	return BI_OK;
}

static enum bi_status bi_max(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return extreme(cx, 1, args[0], out);
}

static enum bi_status bi_min(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return extreme(cx, -1, args[0], out);
}

/* One pass of a merge sort: runs of `width` in `src` become longer in `dst`. */
static void merge_runs(
	struct value *dst, const struct value *src, size_t n, size_t width)
{
	for (size_t at = 0; at < n; at += 2 * width) {
		size_t mid = at + width < n ? at + width : n;
		size_t end = mid + width < n ? mid + width : n;
		size_t i = at, j = mid;

		for (size_t k = at; k < end; k++) {
			bool left =
				i < mid &&
				(j == end || value_cmp(src[i], src[j]) <= 0);

			dst[k] = left ? src[i++] : src[j++];
		}
	}
}

static enum bi_status bi_sort(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct value *items;
	struct value *from, *to;
	uint32_t n;
	enum bi_status st = operands(cx, args[0], &items, &n);

	if (st)
		return st;
	if (args[0].tag == V_SET || n < 2) {
		*out = v_arr(cx->arena, items, n);
		return BI_OK;
	}
	from = ARENA_ARRAY(cx->arena, struct value, n);
	to = ARENA_ARRAY(cx->arena, struct value, n);
	memcpy(from, items, n * sizeof(*items));
	for (size_t width = 1; width < n; width *= 2) {
		struct value *swap = from;

		merge_runs(to, from, n, width);
		from = to;
		to = swap;
	}
	*out = v_arr(cx->arena, from, n);
	return BI_OK;
}

/* --- ranges ---------------------------------------------------------- */

/* Check for a whole number of any size, with OPA's texts. */
static enum bi_status whole(struct bi_ctx *cx, int pos, struct value v)
{
	if (!is_num(v))
		return bi_operand(cx, pos, "integer", v);
	if (!num_is_whole(v))
		return bi_operand_text(cx, pos,
			"must be integer number but got floating-point number");
	return BI_OK;
}

static enum bi_status too_long(struct bi_ctx *cx)
{
	return bi_limit(cx, "more than %u numbers in range", LIMIT_RANGE);
}

static enum bi_status range_small(struct bi_ctx *cx, int64_t from, int64_t to,
	uint64_t step, struct value *out)
{
	bool down_to = from > to;
	uint64_t span = down_to ? (uint64_t)from - (uint64_t)to
				: (uint64_t)to - (uint64_t)from;
	uint64_t n = span / step;
	struct value *items;

	if (n >= LIMIT_RANGE)
		return too_long(cx);
	if (!bi_charge(cx, ++n))
		return BI_HALT;
	items = arena_raw(cx->arena, n * sizeof(*items));
	for (uint64_t i = 0; i < n; i++)
		items[i] =
			v_int((int64_t)(down_to ? (uint64_t)from - i * step
						: (uint64_t)from + i * step));
	*out = v_arr(cx->arena, items, n);
	return BI_OK;
}

/* Ends outside of int64: one exact addition for each number. */
static enum bi_status range_big(struct bi_ctx *cx, struct value from,
	struct value to, struct value step, struct value *out)
{
	int dir = num_cmp(from, to) > 0 ? -1 : 1;
	enum num_op op = dir < 0 ? NUM_SUB : NUM_ADD;
	struct value *items = NULL;
	const char *why = NULL;
	size_t n = 0, cap = 0;

	/* Adding 0 writes it without exponent and fraction. */
	num_arith(cx->arena, NUM_ADD, from, v_int(0), &from, &why);
	for (; num_cmp(from, to) * dir <= 0; n++) {
		if (n == cap) {
			struct value *more;

			cap = cap ? cap * 2 : 16;
			if (!bi_charge(cx, cap))
				return BI_HALT;
			more = ARENA_ARRAY(cx->arena, struct value, cap);
			if (n)
				memcpy(more, items, n * sizeof(*items));
			items = more;
		}
		if (n == LIMIT_RANGE)
			return too_long(cx);
		items[n] = from;
		num_arith(cx->arena, op, from, step, &from, &why);
	}
	*out = v_arr(cx->arena, items, n);
	return BI_OK;
}

static enum bi_status range(struct bi_ctx *cx, struct value from,
	struct value to, struct value step, struct value *out)
{
	int64_t a, b, s;
	struct value span;
	const char *why = NULL;
	bool fits = num_to_int64(step, &s);

	if (!fits) /* more than the width of int64: any such step does */
		s = INT64_MAX;
	if (num_to_int64(from, &a) && num_to_int64(to, &b) && fits)
		return range_small(cx, a, b, (uint64_t)s, out);
	/* Refuse a hopeless span before the first addition. */
	num_arith(cx->arena, NUM_SUB, from, to, &span, &why);
	if (fits && s < INT64_MAX / (int64_t)LIMIT_RANGE) {
		int64_t most = s * (int64_t)LIMIT_RANGE;

		if (num_cmp(span, v_int(most)) > 0 ||
			num_cmp(span, v_int(-most)) < 0)
			return too_long(cx);
	}
	return range_big(cx, from, to, step, out);
}

static enum bi_status bi_range(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	enum bi_status st = whole(cx, 1, args[0]);

	if (!st)
		st = whole(cx, 2, args[1]);
	return st ? st : range(cx, args[0], args[1], v_int(1), out);
}

static enum bi_status bi_range_step(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	enum bi_status st = whole(cx, 1, args[0]);

	if (!st)
		st = whole(cx, 2, args[1]);
	if (!st)
		st = whole(cx, 3, args[2]);
	if (st)
		return st;
	if (num_cmp(args[2], v_int(0)) <= 0)
		return bi_error(cx,
			"numbers.range_step: step must be a positive integer");
	return range(cx, args[0], args[1], args[2], out);
}

/*
 * A function of the seed of the query and the arguments, so that equal calls
 * of one query agree without being remembered.
 */
static enum bi_status bi_intn(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	int64_t n;
	uint64_t max, r, floor_of;
	enum bi_status st = operand_int(cx, 2, args[1], &n);

	if (st)
		return st;
	max = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	if (max == 0) {
		*out = v_int(0);
		return BI_OK;
	}
	r = operand_random(cx->seed ^ max, v_bytes(args[0]));
	/* Leave out the first numbers, so that all remainders are equal. */
	floor_of = (0 - max) % max;
	while (r < floor_of)
		r = operand_random(r, v_bytes(args[0]));
	*out = v_int((int64_t)(r % max));
	return BI_OK;
}

/* --- to_number ------------------------------------------------------- */

/* Digits, where `hex` says of which kind; underscores may stand anywhere. */
static size_t digits(const char *s, size_t len, bool hex, bool *any)
{
	size_t i = 0;

	for (; i < len; i++) {
		char c = (char)(s[i] | 0x20);

		if ((s[i] >= '0' && s[i] <= '9') ||
			(hex && c >= 'a' && c <= 'f'))
			*any = true;
		else if (s[i] != '_')
			break;
	}
	return i;
}

/* Go's rule: an underscore stands between digits, or after the base prefix. */
static bool underscores_ok(struct str s, size_t prefix, bool hex)
{
	bool digit = prefix > 0;

	for (size_t i = prefix; i < s.len; i++) {
		char c = (char)(s.ptr[i] | 0x20);
		bool is_digit = (s.ptr[i] >= '0' && s.ptr[i] <= '9') ||
				(hex && c >= 'a' && c <= 'f');

		if (s.ptr[i] == '_' && !digit)
			return false;
		if (i > prefix && s.ptr[i - 1] == '_' && !is_digit)
			return false;
		digit = is_digit;
	}
	return !s.len || s.ptr[s.len - 1] != '_';
}

/*
 * The text of a number as Go's ParseFloat takes it: "+1", "1.", ".5", "1e+5",
 * "0x1.8p3", "1_000". Names and what is no number are false.
 */
static bool float_syntax(struct str s, bool *hex)
{
	size_t i, start;
	bool any = false, exp = false;

	if (s.len && (s.ptr[0] == '+' || s.ptr[0] == '-'))
		s = str_slice(s, 1, s.len);
	*hex = s.len > 2 && s.ptr[0] == '0' && (s.ptr[1] | 0x20) == 'x';
	start = i = *hex ? 2 : 0;
	i += digits(s.ptr + i, s.len - i, *hex, &any);
	if (i < s.len && s.ptr[i] == '.') {
		i++;
		i += digits(s.ptr + i, s.len - i, *hex, &any);
	}
	if (!any)
		return false;
	if (i < s.len && (s.ptr[i] | 0x20) == (*hex ? 'p' : 'e')) {
		i++;
		if (i < s.len && (s.ptr[i] == '+' || s.ptr[i] == '-'))
			i++;
		if (i < s.len && s.ptr[i] == '_')
			return false;
		i += digits(s.ptr + i, s.len - i, false, &exp);
		if (!exp)
			return false;
	} else if (*hex) {
		return false;
	}
	return i == s.len && underscores_ok(s, start, *hex);
}

/* For strtold(), which reads hexadecimal as Go does but for underscores. */
static void hex_number(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != '_')
			buf_addc(b, s.ptr[i]);
}

/*
 * The same number as a JSON literal: no plus, no leading zeros, a digit on
 * both sides of the point, no underscores. The exponent stays as it is.
 */
static void json_number(struct buf *b, struct str s)
{
	size_t i = 0, start;

	if (s.len && s.ptr[0] == '-')
		buf_addc(b, '-');
	if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'))
		i++;
	while (i + 1 < s.len && (s.ptr[i] == '0' || s.ptr[i] == '_') &&
		((s.ptr[i + 1] >= '0' && s.ptr[i + 1] <= '9') ||
			s.ptr[i + 1] == '_'))
		i++;
	start = i;
	if (i < s.len && s.ptr[i] == '.')
		buf_addc(b, '0');
	for (; i < s.len; i++) {
		bool last = i + 1 == s.len;

		if (s.ptr[i] == '_' || (s.ptr[i] == '.' && i > start && last))
			continue;
		if (s.ptr[i] == '.' && !last && (s.ptr[i + 1] | 0x20) == 'e')
			continue;
		buf_addc(b, s.ptr[i]);
	}
}

static bool is_inf_or_nan(struct str s)
{
	static const char *const names[] = {"inf", "infinity", "nan"};

	while (s.len && (s.ptr[0] == '+' || s.ptr[0] == '-'))
		s = str_slice(s, 1, s.len);
	for (size_t i = 0; i < COUNT(names); i++)
		if (str_eq_fold(s, str_from(names[i])))
			return true;
	return false;
}

static enum bi_status parse_error(
	struct bi_ctx *cx, struct value v, const char *why)
{
	return bi_error(cx, "strconv.ParseFloat: parsing %s: %s",
		operand_text(cx, v), why);
}

static enum bi_status number_from_string(
	struct bi_ctx *cx, struct value v, struct value *out)
{
	struct buf b = {0};
	bool hex;
	double d;

	if (is_inf_or_nan(v_bytes(v)))
		return bi_operand(cx, 1, "valid number string", v);
	if (!float_syntax(v_bytes(v), &hex))
		return parse_error(cx, v, "invalid syntax");
	if (hex)
		hex_number(&b, v_bytes(v));
	else
		json_number(&b, v_bytes(v));
	d = strtod(b.ptr, NULL);
	if (isinf(d)) {
		buf_release(&b);
		return parse_error(cx, v, "value out of range");
	}
	*out = hex ? num_from_ld(cx->arena, strtold(b.ptr, NULL))
		   : v_number(cx->arena, b.ptr, b.len);
	buf_release(&b);
	if (!is_def(*out))
		return bi_error(cx, "invalid number: number too big");
	return BI_OK;
}

static enum bi_status bi_to_number(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	switch (args[0].tag) {
	case V_NULL:
	case V_FALSE:
		*out = v_int(0);
		return BI_OK;
	case V_TRUE:
		*out = v_int(1);
		return BI_OK;
	case V_INT:
	case V_NUM:
		*out = args[0];
		return BI_OK;
	case V_STR:
		return number_from_string(cx, args[0], out);
	default:
		return bi_operand(cx, 1,
			"one of {null, boolean, number, string}", args[0]);
	}
}

/* --- bits ------------------------------------------------------------ */

/* Bits of a shifted number; its decimal text is about a third of that. */
enum { SHIFT_BITS_MAX = 1 << 28 };

typedef void bits_fn(mpz_t out, const mpz_t x, const mpz_t y);

static enum bi_status bits_2(struct bi_ctx *cx, bits_fn *fn,
	const struct value *args, struct value *out)
{
	mpz_t x, y;
	enum bi_status st = whole(cx, 1, args[0]);

	if (!st)
		st = whole(cx, 2, args[1]);
	if (st)
		return st;
	bigint_from_value(x, cx->arena, args[0]);
	bigint_from_value(y, cx->arena, args[1]);
	fn(x, x, y);
	*out = bigint_to_value(cx->arena, x);
	mpz_clears(x, y, NULL);
	return BI_OK;
}

static enum bi_status bi_bits_and(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return bits_2(cx, mpz_and, args, out);
}

static enum bi_status bi_bits_or(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return bits_2(cx, mpz_ior, args, out);
}

static enum bi_status bi_bits_xor(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return bits_2(cx, mpz_xor, args, out);
}

static enum bi_status bi_bits_negate(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	mpz_t x;
	enum bi_status st = whole(cx, 1, args[0]);

	if (st)
		return st;
	bigint_from_value(x, cx->arena, args[0]);
	mpz_com(x, x);
	*out = bigint_to_value(cx->arena, x);
	mpz_clear(x);
	return BI_OK;
}

/* Both operands of a shift; a distance counts by its low 64 bits. */
static enum bi_status shift_operands(
	struct bi_ctx *cx, const struct value *args, mpz_t x, uint64_t *by)
{
	mpz_t y;
	enum bi_status st = whole(cx, 1, args[0]);

	if (!st)
		st = whole(cx, 2, args[1]);
	if (st)
		return st;
	if (num_cmp(args[1], v_int(0)) < 0)
		return bi_operand_text(cx, 2,
			"must be an unsigned integer number but got a "
			"negative integer");
	bigint_from_value(y, cx->arena, args[1]);
	*by = mpz_get_ui(y);
	mpz_clear(y);
	bigint_from_value(x, cx->arena, args[0]);
	return BI_OK;
}

static enum bi_status bi_bits_lsh(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	mpz_t x;
	uint64_t by;
	enum bi_status st = shift_operands(cx, args, x, &by);

	if (st)
		return st;
	if (mpz_sgn(x) == 0)
		by = 0;
	if (by > SHIFT_BITS_MAX)
		st = bi_error(cx, "shift by %ju bits, limit %d", (uintmax_t)by,
			SHIFT_BITS_MAX);
	else if (!bi_charge(cx, by / 64))
		st = BI_HALT;
	if (!st) {
		mpz_mul_2exp(x, x, by);
		*out = bigint_to_value(cx->arena, x);
	}
	mpz_clear(x);
	return st;
}

static enum bi_status bi_bits_rsh(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	mpz_t x;
	uint64_t by;
	enum bi_status st = shift_operands(cx, args, x, &by);

	if (st)
		return st;
	mpz_fdiv_q_2exp(x, x, by);
	*out = bigint_to_value(cx->arena, x);
	mpz_clear(x);
	return BI_OK;
}

enum {
	SIZED = BT_ARR | BT_OBJ | BT_SET | BT_STR,
	LISTED = BT_ARR | BT_SET,
	CASTED = BT_NULL | BT_BOOL | BT_NUM | BT_STR,
};

/* clang-format off */
static const struct builtin rows[] = {
	{"abs",   NULL, 1, {BT_NUM}, bi_abs,   0},
	{"ceil",  NULL, 1, {BT_NUM}, bi_ceil,  0},
	{"floor", NULL, 1, {BT_NUM}, bi_floor, 0},
	{"round", NULL, 1, {BT_NUM}, bi_round, 0},
	{"count",   NULL, 1, {SIZED},  bi_count,   BF_RAWTYPES},
	{"sum",     NULL, 1, {LISTED}, bi_sum,     BF_RAWTYPES},
	{"product", NULL, 1, {LISTED}, bi_product, BF_RAWTYPES},
	{"max",     NULL, 1, {LISTED}, bi_max,     BF_RAWTYPES},
	{"min",     NULL, 1, {LISTED}, bi_min,     BF_RAWTYPES},
	{"sort",    NULL, 1, {LISTED}, bi_sort,    BF_RAWTYPES},
	{"numbers.range",      NULL, 2, {BT_NUM, BT_NUM},         bi_range,      BF_RAWTYPES},
	{"numbers.range_step", NULL, 3, {BT_NUM, BT_NUM, BT_NUM}, bi_range_step, BF_RAWTYPES},
	{"rand.intn",          NULL, 2, {BT_STR, BT_NUM},         bi_intn,       BF_NONDET},
	{"to_number",          NULL, 1, {CASTED},                 bi_to_number,  BF_RAWTYPES},
	{"bits.and",    NULL, 2, {BT_NUM, BT_NUM}, bi_bits_and,    BF_RAWTYPES},
	{"bits.or",     NULL, 2, {BT_NUM, BT_NUM}, bi_bits_or,     BF_RAWTYPES},
	{"bits.xor",    NULL, 2, {BT_NUM, BT_NUM}, bi_bits_xor,    BF_RAWTYPES},
	{"bits.negate", NULL, 1, {BT_NUM},         bi_bits_negate, BF_RAWTYPES},
	{"bits.lsh",    NULL, 2, {BT_NUM, BT_NUM}, bi_bits_lsh,    BF_RAWTYPES},
	{"bits.rsh",    NULL, 2, {BT_NUM, BT_NUM}, bi_bits_rsh,    BF_RAWTYPES},
};
/* clang-format on */

const struct builtin_table builtin_numbers = {rows, COUNT(rows)};
