#include "rego/builtin/bigint.h"
#include "rego/builtin/unicode.h"

#include <string.h>

/*
 * "1.5Ki", "10GB": an amount, then a unit. Both builtins work on numbers of
 * any size; exponents are limited to six digits, as in OPA.
 */
enum { EXPONENT_DIGITS = 6, EXPONENT_MAX = 1000000 };

/* clang-format off */
static const struct unit {
	char letter; /* lower case */
	uint64_t decimal, binary;
} units[] = {
	{'k', 1000u,                1ull << 10},
	{'m', 1000000u,             1ull << 20},
	{'g', 1000000000u,          1ull << 30},
	{'t', 1000000000000u,       1ull << 40},
	{'p', 1000000000000000u,    1ull << 50},
	{'e', 1000000000000000000u, 1ull << 60},
};
/* clang-format on */

static const struct unit *unit_find(char letter)
{
	for (size_t i = 0; i < COUNT(units); i++)
		if (units[i].letter == letter)
			return &units[i];
	return NULL;
}

/* --- the text -------------------------------------------------------- */

/* Append `s` in lower case. */
static void add_lower(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.len;) {
		uint32_t cp;

		i += utf8_decode(s.ptr + i, s.len - i, &cp);
		buf_addcp(b, rune_lower(cp));
	}
}

static void remove_quotes(struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		if (b->ptr[i] != '"')
			b->ptr[n++] = b->ptr[i];
	b->len = n;
}

static bool is_digit(struct str s, size_t at)
{
	return at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9';
}

static bool is_sign(struct str s, size_t at)
{
	return at < s.len && (s.ptr[at] == '+' || s.ptr[at] == '-');
}

/*
 * Where the amount ends: at the first byte that no number has, or at an "e"
 * that no digit or sign follows. False when an exponent is too long.
 */
static bool amount_end(struct str s, size_t *out)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		size_t from;

		if (is_digit(s, i) || is_sign(s, i) || s.ptr[i] == '.')
			continue;
		if ((s.ptr[i] | 0x20) != 'e' ||
			!(is_digit(s, i + 1) || is_sign(s, i + 1)))
			break;
		if (is_sign(s, i + 1))
			i++;
		for (from = i + 1; is_digit(s, from);)
			from++;
		if (from - i - 1 > EXPONENT_DIGITS)
			return false;
	}
	*out = i;
	return true;
}

/* A number as ±m * 10^exp. */
struct amount {
	mpz_t m;
	bool neg;
	long exp;
};

/* Digits at `i`, at most as many as amount_end() lets through. */
static long exponent(struct str s, size_t *i)
{
	bool neg = is_sign(s, *i) && s.ptr[*i] == '-';
	long n = 0;

	for (*i += is_sign(s, *i); is_digit(s, *i); ++*i)
		n = n * 10 + (s.ptr[*i] - '0');
	return neg ? -n : n;
}

/* [sign] digits [. digits] [e [sign] digits], with a digit before any e. */
static bool amount_parse(struct amount *a, struct str s)
{
	struct buf digits = {0};
	size_t i = is_sign(s, 0);
	bool point = false, ok;

	a->neg = s.len && s.ptr[0] == '-';
	for (; i < s.len; i++) {
		if (is_digit(s, i)) {
			buf_addc(&digits, s.ptr[i]);
			a->exp -= point;
		} else if (s.ptr[i] == '.' && !point) {
			point = true;
		} else {
			break;
		}
	}
	ok = digits.len > 0 && !mpz_set_str(a->m, digits.ptr, 10);
	buf_release(&digits);
	if (ok && i < s.len && (s.ptr[i] | 0x20) == 'e') {
		i++;
		a->exp += exponent(s, &i);
		ok = is_digit(s, i - 1);
	}
	if (!mpz_sgn(a->m))
		a->exp = 0;
	return ok && i == s.len;
}

/* What the argument says, cut in two. */
struct parsed {
	struct buf text; /* both parts live here */
	struct str unit;
	struct amount amount;
	bool bad; /* the amount is no number */
};

static void parsed_release(struct parsed *p)
{
	buf_release(&p->text);
	mpz_clear(p->amount.m);
}

/* The same for both, except that one reads no case and they say it apart. */
static enum bi_status parse(
	struct bi_ctx *cx, struct str arg, bool bytes, struct parsed *p)
{
	const char *byte = bytes ? "byte " : "";
	struct str s;
	size_t end;

	*p = (struct parsed){0};
	mpz_init(p->amount.m);
	if (bytes)
		add_lower(&p->text, arg);
	else
		buf_addstr(&p->text, arg);
	remove_quotes(&p->text);
	s = buf_str(&p->text);
	if (str_find(s, S(" "), 0) != SIZE_MAX)
		return bi_error(cx,
			"%s: spaces not allowed in resource strings", cx->name);
	if (!amount_end(s, &end))
		return bi_error(cx, "%s: exponent too large", cx->name);
	if (!end)
		return bi_error(cx, "%s: no %samount provided", cx->name, byte);
	p->unit = str_slice(s, end, s.len);
	p->bad = !amount_parse(&p->amount, str_slice(s, 0, end));
	return bi_charge(cx, s.len + (uint64_t)labs(p->amount.exp) / 64)
		       ? BI_OK
		       : BI_HALT;
}

static enum bi_status bad_number(struct bi_ctx *cx, bool bytes)
{
	return bi_error(cx, "%s: could not parse %samount to a number",
		cx->name, bytes ? "byte " : "");
}

static enum bi_status bad_unit(
	struct bi_ctx *cx, const char *what, struct str unit)
{
	return bi_error(cx, "%s: %s %.*s not recognized", cx->name, what,
		STR_ARG(unit));
}

/* numerator / denominator of the amount times `unit`. */
static void fraction(
	const struct amount *a, uint64_t unit, mpz_t num, mpz_t den)
{
	mpz_t pow;

	mpz_inits(num, den, pow, NULL);
	mpz_mul_ui(num, a->m, unit);
	mpz_ui_pow_ui(pow, 10, (unsigned long)labs(a->exp));
	if (a->exp < 0)
		mpz_set(den, pow);
	else
		mpz_set_ui(den, 1);
	if (a->exp > 0)
		mpz_mul(num, num, pow);
	mpz_clear(pow);
}

/* An integer with `places` of its digits behind a point. */
static struct value decimal(
	struct bi_ctx *cx, const mpz_t z, bool neg, size_t places)
{
	size_t size = mpz_sizeinbase(z, 10) + places + 4;
	char *text = arena_raw(cx->arena, size), *at = text;
	size_t n;

	if (neg)
		*at++ = '-';
	mpz_get_str(at, 10, z);
	n = strlen(at);
	if (places && n <= places) {
		memmove(at + (places + 1 - n), at, n + 1);
		memset(at, '0', places + 1 - n);
		n = places + 1;
	}
	if (places) {
		memmove(at + n - places + 1, at + n - places, places + 1);
		at[n - places] = '.';
	}
	return v_number(cx->arena, text, strlen(text));
}

/* --- units.parse ----------------------------------------------------- */

/*
 * The factor of a unit. Of "m" and "M" only one is a million; the thousandth
 * is the binary float nearest to 0.001, a fraction of 2^60, as in OPA.
 */
static bool si_factor(struct str unit, uint64_t *factor, bool *milli)
{
	char first = unit.len ? unit.ptr[0] : '\0';
	const struct unit *u = unit_find((char)(first | 0x20));

	*milli = str_is(unit, "m");
	*factor = *milli ? 1152921504606847u : 1;
	if (!unit.len || *milli)
		return true;
	if (!u || unit.len > 2 || (unit.len == 2 && unit.ptr[1] != 'i'))
		return false;
	*factor = unit.len == 2 ? u->binary : u->decimal;
	return true;
}

/* A whole number as it is, any other rounded to ten places, half up. */
static struct value si_value(
	struct bi_ctx *cx, const struct amount *a, uint64_t factor, bool milli)
{
	mpz_t num, den, rest;
	struct value v;

	fraction(a, factor, num, den);
	mpz_init(rest);
	if (milli)
		mpz_mul_2exp(den, den, 60);
	if (mpz_divisible_p(num, den)) {
		mpz_divexact(num, num, den);
		v = decimal(cx, num, a->neg && mpz_sgn(num), 0);
	} else {
		mpz_mul_ui(num, num, 10000000000u);
		mpz_tdiv_qr(num, rest, num, den);
		mpz_mul_2exp(rest, rest, 1);
		if (mpz_cmp(rest, den) >= 0)
			mpz_add_ui(num, num, 1);
		v = decimal(cx, num, a->neg, 10);
	}
	mpz_clears(num, den, rest, NULL);
	return v;
}

/* All of the unit but its first byte in lower case. */
static struct str lower_tail(struct bi_ctx *cx, struct str unit)
{
	struct buf b = {0};
	struct str s;

	if (unit.len < 2)
		return unit;
	buf_addc(&b, unit.ptr[0]);
	add_lower(&b, str_slice(unit, 1, unit.len));
	s = arena_str(cx->arena, buf_str(&b));
	buf_release(&b);
	return s;
}

static enum bi_status bi_parse(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct parsed p;
	struct str unit;
	uint64_t factor;
	bool milli;
	enum bi_status st = parse(cx, v_bytes(args[0]), false, &p);

	if (st)
		goto out;
	unit = lower_tail(cx, p.unit);
	if (!si_factor(unit, &factor, &milli))
		st = bad_unit(cx, "unit", unit);
	else if (p.bad || labs(p.amount.exp) > EXPONENT_MAX)
		st = bad_number(cx, false);
	else
		*out = si_value(cx, &p.amount, factor, milli);
out:
	parsed_release(&p);
	return st;
}

/* --- units.parse_bytes ----------------------------------------------- */

static bool bytes_factor(struct str unit, uint64_t *factor)
{
	const struct unit *u = unit.len ? unit_find(unit.ptr[0]) : NULL;
	struct str tail = str_slice(unit, 1, unit.len);

	*factor = 1;
	if (!unit.len)
		return true;
	if (!u)
		return false;
	*factor = str_starts(tail, S("i")) ? u->binary : u->decimal;
	return str_is(tail, "") || str_is(tail, "b") || str_is(tail, "i") ||
	       str_is(tail, "ib");
}

/* num / den in 64 bits of mantissa, times a power of two. */
static long quotient_64(mpz_t num, mpz_t den)
{
	long more = (long)mpz_sizeinbase(den, 2) -
		    (long)mpz_sizeinbase(num, 2) + 66;
	mpz_t rest;

	mpz_init(rest);
	if (more > 0)
		mpz_mul_2exp(num, num, (mp_bitcnt_t)more);
	else
		mpz_mul_2exp(den, den, (mp_bitcnt_t)-more);
	mpz_tdiv_qr(num, rest, num, den);
	mpz_mul_2exp(num, num, 1); /* room for "not exact" */
	if (mpz_sgn(rest))
		mpz_setbit(num, 0);
	mpz_clear(rest);
	return (long)bigint_round_64(num) - more - 1;
}

/* OPA multiplies two floats of 64 bits and drops the fraction. */
static struct value bytes_value(
	struct bi_ctx *cx, const struct amount *a, uint64_t factor)
{
	mpz_t num, den;
	struct value v;
	long exp;

	fraction(a, 1, num, den);
	exp = mpz_sgn(num) ? quotient_64(num, den) : 0;
	mpz_mul_ui(num, num, factor);
	exp += (long)bigint_round_64(num);
	if (exp > 0)
		mpz_mul_2exp(num, num, (mp_bitcnt_t)exp);
	else
		mpz_tdiv_q_2exp(num, num, (mp_bitcnt_t)-exp);
	v = decimal(cx, num, a->neg && mpz_sgn(num), 0);
	mpz_clears(num, den, NULL);
	return v;
}

static enum bi_status bi_parse_bytes(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct parsed p;
	uint64_t factor;
	enum bi_status st = parse(cx, v_bytes(args[0]), true, &p);

	if (st)
		goto out;
	if (!bytes_factor(p.unit, &factor))
		st = bad_unit(cx, "byte unit", p.unit);
	else if (p.bad || labs(p.amount.exp) > 2l * EXPONENT_MAX)
		st = bad_number(cx, true);
	else
		*out = bytes_value(cx, &p.amount, factor);
out:
	parsed_release(&p);
	return st;
}

/* clang-format off */
static const struct builtin rows[] = {
	{"units.parse",       NULL, 1, {BT_STR}, bi_parse,       0},
	{"units.parse_bytes", NULL, 1, {BT_STR}, bi_parse_bytes, 0},
};
/* clang-format on */

const struct builtin_table builtin_units = {rows, COUNT(rows)};
