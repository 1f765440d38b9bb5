#include "rego/builtin.h"

#include <gmp.h>
#include <math.h>
#include <string.h>

#include "rego/builtin/gofmt.h"
#include "rego/value_impl.h"

/*
 * sprintf() as Go's package fmt formats. OPA hands over four types of
 * arguments: strings, which is what all else than numbers is turned into; an
 * int64; a big integer; and a float64 for numbers written with a fraction or
 * an exponent.
 *
 * Source: OPA's builtinSprintf.
 */

static bool is_float_text(const struct num *n)
{
	return memchr(n->text, '.', n->len) || memchr(n->text, 'e', n->len) ||
	       memchr(n->text, 'E', n->len);
}

static struct go_value number_arg(struct value v)
{
	struct str text;
	double f;

	if (v.tag == V_INT)
		return (struct go_value){.kind = GO_INT64, .i = v.i};
	text = (struct str){v.num->text, v.num->len};
	if (!is_float_text(v.num) && v.num->is_int)
		return (struct go_value){.kind = GO_INT64, .i = v.num->i};
	if (!is_float_text(v.num))
		return (struct go_value){.kind = GO_BIG, .s = text};
	f = num_to_double(v);
	if (!isfinite(f)) /* OPA hands over its text */
		return go_string(text);
	return (struct go_value){.kind = GO_FLOAT, .f = f};
}

static struct go_value any_arg(struct arena *a, struct value v)
{
	struct buf b = {0};
	struct str text;

	if (is_num(v))
		return number_arg(v);
	if (v.tag == V_STR)
		return go_string(v_bytes(v));
	value_text(&b, v);
	text = arena_str(a, buf_str(&b));
	buf_release(&b);
	return go_string(text);
}

static enum bi_status bi_sprintf(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	uint32_t n = v_len(args[1]);
	struct go_value *all = ARENA_ARRAY(cx->arena, struct go_value, n);
	struct buf text = {0};
	enum bi_status st;

	for (uint32_t i = 0; i < n; i++)
		all[i] = any_arg(cx->arena, args[1].arr->items[i]);
	st = go_printf(cx, &text, v_bytes(args[0]), all, n);
	if (!st)
		st = bi_string(cx, buf_str(&text), out);
	buf_release(&text);
	return st;
}

/* --- format_int ------------------------------------------------------ */

/*
 * A positive z to 64 binary digits, half to even; `sticky`: there is more
 * below z.
 */
static void round_to_64_bits(mpz_t z, bool sticky)
{
	size_t bits = mpz_sizeinbase(z, 2), drop;
	bool up;

	if (bits <= 64)
		return;
	drop = bits - 64;
	up = mpz_tstbit(z, drop - 1) &&
	     (sticky || mpz_scan1(z, 0) < drop - 1 || mpz_tstbit(z, drop));
	mpz_tdiv_q_2exp(z, z, drop);
	if (up)
		mpz_add_ui(z, z, 1);
	mpz_mul_2exp(z, z, drop);
}

/*
 * The whole part of a decimal too large for a long double: its digits without
 * the point, times a power of ten.
 */
static void whole_of_text(mpz_t z, struct bi_ctx *cx, const struct num *num)
{
	char *digits = arena_raw(cx->arena, num->len + 1);
	size_t n = 0;
	long exp = 0;
	bool fraction = false, sticky = false;
	mpz_t power, rest;

	for (size_t i = 0; i < num->len; i++) {
		char c = num->text[i];

		if (c == 'e' || c == 'E') {
			exp += strtol(num->text + i + 1, NULL, 10);
			break;
		}
		if (c == '.') {
			fraction = true;
			continue;
		}
		if (c == '-')
			continue;
		digits[n++] = c;
		exp -= fraction;
	}
	digits[n] = '\0';
	mpz_init_set_str(z, digits, 10);
	mpz_init(power);
	mpz_init(rest);
	mpz_ui_pow_ui(power, 10, (unsigned long)labs(exp));
	if (exp >= 0) {
		mpz_mul(z, z, power);
	} else {
		mpz_tdiv_qr(z, rest, z, power);
		sticky = mpz_sgn(rest) != 0;
	}
	round_to_64_bits(z, sticky);
	if (num->text[0] == '-')
		mpz_neg(z, z);
	mpz_clear(power);
	mpz_clear(rest);
}

/* The whole part of a fraction, of which OPA sees 64 binary digits. */
static void whole_of(mpz_t z, struct bi_ctx *cx, const struct num *num)
{
	long double m;
	int exp;

	if (!isfinite(num->ld)) {
		whole_of_text(z, cx, num);
		return;
	}
	m = frexpl(fabsl(truncl(num->ld)), &exp);
	mpz_init_set_ui(z, (uint64_t)ldexpl(m, 64));
	if (exp >= 64)
		mpz_mul_2exp(z, z, (mp_bitcnt_t)(exp - 64));
	else
		mpz_tdiv_q_2exp(z, z, (mp_bitcnt_t)(64 - exp));
	if (num->ld < 0)
		mpz_neg(z, z);
}

static enum bi_status format_big(
	struct bi_ctx *cx, const struct num *num, int base, struct value *out)
{
	char *text;
	mpz_t z;

	if (is_float_text(num))
		whole_of(z, cx, num);
	else
		mpz_init_set_str(z,
			arena_strdup(
				cx->arena, (struct str){num->text, num->len}),
			10);
	if (!bi_charge(cx, mpz_size(z))) {
		mpz_clear(z);
		return BI_HALT;
	}
	text = arena_raw(cx->arena, mpz_sizeinbase(z, base) + 2);
	mpz_get_str(text, base, z);
	mpz_clear(z);
	return bi_string(cx, str_from(text), out);
}

static enum bi_status bi_format_int(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct value v = args[0];
	int64_t base = args[1].tag == V_INT ? args[1].i : 0;
	char tmp[65], text[68];
	int n;

	/* OPA compares the text: 10.0 is not a base */
	if (base != 2 && base != 8 && base != 10 && base != 16)
		return bi_operand_text(cx, 2, "must be one of {2, 8, 10, 16}");
	if (v.tag == V_NUM)
		return format_big(cx, v.num, (int)base, out);
	n = snprintf(text, sizeof(text), "%s%s", v.i < 0 ? "-" : "",
		go_digits(v.i < 0 ? 0 - (uint64_t)v.i : (uint64_t)v.i,
			(unsigned)base, tmp));
	return bi_string(cx, (struct str){text, (size_t)n}, out);
}

/* clang-format off */
static const struct builtin rows[] = {
	{"format_int", NULL, 2, {BT_NUM, BT_NUM}, bi_format_int, 0},
	{"sprintf",    NULL, 2, {BT_STR, BT_ARR}, bi_sprintf,    0},
};
/* clang-format on */

const struct builtin_table builtin_format = {rows, COUNT(rows)};
