#include "rego/builtin.h"

#include <assert.h>
#include <gmp.h>
#include <math.h>
#include <string.h>

#include "base/limits.h"
#include "rego/builtin/unicode.h"
#include "rego/value_impl.h"

/*
 * sprintf() as Go's package fmt formats. OPA hands over four types of
 * arguments: strings, which is what all else than numbers is turned into; an
 * int64; a big integer; and a float64 for numbers written with a fraction or
 * an exponent. Go's verbs, flags and error marks ("%!d(string=x)") are kept,
 * also where they look odd.
 *
 * Source: documentation of Go's package fmt; OPA's builtinSprintf.
 */

enum arg_kind { ARG_STR, ARG_INT, ARG_FLOAT, ARG_BIG };

static const char *const type_names[] = {
	[ARG_STR] = "string",
	[ARG_INT] = "int64",
	[ARG_FLOAT] = "float64",
	[ARG_BIG] = "*big.Int",
};

struct arg {
	enum arg_kind kind;
	struct str text; /* ARG_STR; ARG_BIG: in decimal */
	int64_t i;
	double f;
};

/* One verb with what stood between it and the percent sign. */
struct directive {
	bool plus, minus, sharp, space, zero;
	bool plus_v, sharp_v; /* + and # in front of v mean something else */
	bool has_width, has_prec;
	int width, prec;
	uint32_t verb;
};

struct formatter {
	struct bi_ctx *cx;
	struct buf out;
	struct str fmt;
	size_t at; /* in fmt */
	struct value args;
	size_t arg; /* number of the next argument */
	bool reordered, good_index;
	struct directive d;
};

/* --- padding --------------------------------------------------------- */

static void add_repeated(struct buf *out, char c, size_t n)
{
	if (!n)
		return;
	memset(buf_reserve(out, n), c, n);
	out->len += n;
	out->ptr[out->len] = '\0';
}

static void add_padding(struct formatter *f, int64_t n, bool zeros)
{
	if (n > 0)
		add_repeated(
			&f->out, zeros && !f->d.minus ? '0' : ' ', (size_t)n);
}

/* Bring what was added since `start` to the wanted width. */
static void pad_from(struct formatter *f, size_t start, bool zeros)
{
	struct buf *out = &f->out;
	size_t len = out->len - start, fill;
	int64_t missing;

	if (!f->d.has_width)
		return;
	missing = f->d.width;
	if (len)
		missing -= (int64_t)utf8_count(out->ptr + start, len);
	add_padding(f, missing, zeros);
	if (missing <= 0 || f->d.minus || !len)
		return;
	fill = (size_t)missing;
	memmove(out->ptr + start + fill, out->ptr + start, len);
	memset(out->ptr + start, zeros ? '0' : ' ', fill);
}

static void add_padded(struct formatter *f, struct str s, bool zeros)
{
	size_t start = f->out.len;

	buf_addstr(&f->out, s);
	pad_from(f, start, zeros);
}

/* --- strings --------------------------------------------------------- */

/* The first `prec` code points. */
static struct str cut_to_prec(const struct directive *d, struct str s)
{
	size_t at = 0;

	if (!d->has_prec)
		return s;
	for (int n = 0; n < d->prec && at < s.len; n++) {
		uint32_t cp;

		at += utf8_decode(s.ptr + at, s.len - at, &cp);
	}
	return str_slice(s, 0, at);
}

static void add_string(struct formatter *f, struct str s)
{
	add_padded(f, cut_to_prec(&f->d, s), f->d.zero);
}

/* That `s` can stand between back quotes as it is. */
static bool fits_backquotes(struct str s)
{
	for (size_t i = 0; i < s.len;) {
		uint32_t cp;
		size_t w = utf8_decode(s.ptr + i, s.len - i, &cp);

		if (w == 1 && (cp == 0xfffd || (cp < ' ' && cp != '\t') ||
				      cp == '`' || cp == 0x7f))
			return false;
		if (cp == 0xfeff)
			return false;
		i += w;
	}
	return true;
}

static void add_quoted(struct formatter *f, struct str s)
{
	struct buf *b = &f->out;
	size_t start = b->len;

	s = cut_to_prec(&f->d, s);
	if (f->d.sharp && fits_backquotes(s)) {
		buf_addc(b, '`');
		buf_addstr(b, s);
		buf_addc(b, '`');
	} else {
		quote_go(b, s, f->d.plus);
	}
	pad_from(f, start, f->d.zero);
}

/* Bytes in hex: "% x" sets spaces between, "%#x" 0x in front. */
static void add_hex_string(
	struct formatter *f, struct str s, const char *digits)
{
	struct buf *b = &f->out;
	size_t start = b->len;

	if (f->d.has_prec && (size_t)f->d.prec < s.len)
		s.len = (size_t)f->d.prec;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (i && f->d.space)
			buf_addc(b, ' ');
		if (f->d.sharp && (!i || f->d.space)) {
			buf_addc(b, '0');
			buf_addc(b, digits[16]);
		}
		buf_addc(b, digits[c >> 4]);
		buf_addc(b, digits[c & 15]);
	}
	pad_from(f, start, f->d.zero);
}

/* --- integers -------------------------------------------------------- */

static const char lower_digits[] = "0123456789abcdefx";
static const char upper_digits[] = "0123456789ABCDEFX";

/* Digits of `u` at the end of tmp; returns where they begin. */
static char *digits_of(
	uint64_t u, unsigned base, const char *digits, char tmp[static 65])
{
	char *p = tmp + 64;

	*p = '\0';
	do {
		*--p = digits[u % base];
		u /= base;
	} while (u);
	return p;
}

static void add_base_prefix(
	struct buf *b, unsigned base, const char *digits, bool zero_first)
{
	if (base == 2)
		buf_adds(b, "0b");
	else if (base == 8 && !zero_first)
		buf_addc(b, '0');
	else if (base == 16)
		buf_add(b, digits[16] == 'x' ? "0x" : "0X", 2);
}

static void add_uint(struct formatter *f, uint64_t u, bool negative,
	unsigned base, const char *digits)
{
	const struct directive *d = &f->d;
	char tmp[65], *text = digits_of(u, base, digits, tmp);
	size_t len = strlen(text), least = 0;
	struct buf *b = &f->out;
	size_t start = b->len;

	if (d->has_prec) {
		least = (size_t)d->prec;
		if (!least && !u) { /* "%.0d" of 0 is nothing */
			add_padding(f, d->width, false);
			return;
		}
	} else if (d->zero && !d->minus && d->has_width) {
		least = (size_t)d->width;
		if (least && (negative || d->plus || d->space))
			least--;
	}
	if (negative)
		buf_addc(b, '-');
	else if (d->plus)
		buf_addc(b, '+');
	else if (d->space)
		buf_addc(b, ' ');
	if (d->verb == 'O')
		buf_adds(b, "0o");
	if (d->sharp)
		add_base_prefix(b, base, digits, least > len || text[0] == '0');
	if (least > len)
		add_repeated(b, '0', least - len);
	buf_add(b, text, len);
	pad_from(f, start, false);
}

static void add_int(
	struct formatter *f, int64_t i, unsigned base, const char *digits)
{
	uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;

	add_uint(f, u, i < 0, base, digits);
}

static void add_char(struct formatter *f, int64_t i)
{
	struct buf *b = &f->out;
	size_t start = b->len;

	buf_addcp(b, i < 0 || i > 0x10ffff || (i >= 0xd800 && i <= 0xdfff)
			     ? 0xfffd
			     : (uint32_t)i);
	pad_from(f, start, f->d.zero);
}

static void add_quoted_char(struct formatter *f, int64_t i)
{
	struct buf *b = &f->out;
	size_t start = b->len;

	quote_go_rune(
		b, i < 0 || i > 0x10ffff ? 0xfffd : (uint32_t)i, f->d.plus);
	pad_from(f, start, f->d.zero);
}

/* U+0078, or with # also the character: U+0078 'x'. */
static void add_code_point(struct formatter *f, uint64_t u)
{
	char tmp[65], *text = digits_of(u, 16, upper_digits, tmp);
	size_t len = strlen(text), least = 4;
	struct buf *b = &f->out;
	size_t start = b->len;

	if (f->d.has_prec && f->d.prec > 4)
		least = (size_t)f->d.prec;
	buf_adds(b, "U+");
	if (least > len)
		add_repeated(b, '0', least - len);
	buf_add(b, text, len);
	if (f->d.sharp && u <= 0x10ffff && rune_is_print((uint32_t)u)) {
		buf_adds(b, " '");
		buf_addcp(b, (uint32_t)u);
		buf_addc(b, '\'');
	}
	pad_from(f, start, false);
}

/* --- floats ---------------------------------------------------------- */

/* 0.d1d2d3... times ten to the `point`; no zeros at the end. */
struct decimal {
	bool negative;
	char digits[1100];
	int len, point;
};

/*
 * A double has at most 767 significant digits and 1074 after the point. What
 * is asked for beyond that is zeros.
 */
enum { DIGITS_MAX = 1080 };

/* `n` significant digits, correctly rounded; n is 1 or more. */
static void decimal_round(struct decimal *d, double v, int n)
{
	char text[DIGITS_MAX + 32], *e;

	if (n > DIGITS_MAX)
		n = DIGITS_MAX;
	snprintf(text, sizeof(text), "%.*e", n - 1, fabs(v));
	e = strchr(text, 'e');
	d->negative = signbit(v) != 0;
	d->point = (int)strtol(e + 1, NULL, 10) + 1;
	d->digits[0] = text[0];
	d->len = (int)(e - text) - (n > 1);
	if (n > 1)
		memcpy(d->digits + 1, text + 2, (size_t)(d->len - 1));
	while (d->len && d->digits[d->len - 1] == '0')
		d->len--;
	if (!d->len)
		d->point = 0;
}

static char decimal_digit(const struct decimal *d, int i)
{
	return i >= 0 && i < d->len ? d->digits[i] : '0';
}

/* d.ddde+xx with `prec` digits after the point. */
static void add_exponent_form(
	struct buf *out, const struct decimal *d, int prec, char e)
{
	int exp = d->len ? d->point - 1 : 0;
	int stored = prec < d->len ? prec : d->len;

	buf_addc(out, decimal_digit(d, 0));
	if (prec > 0)
		buf_addc(out, '.');
	for (int i = 1; i <= stored; i++)
		buf_addc(out, decimal_digit(d, i));
	if (prec > stored)
		add_repeated(out, '0', (size_t)(prec - stored));
	buf_addf(out, "%c%c%02d", e, exp < 0 ? '-' : '+', abs(exp));
}

/* ddd.ddd with `prec` digits after the point. */
static void add_point_form(struct buf *out, const struct decimal *d, int prec)
{
	int stored = d->len - d->point;

	if (d->point <= 0)
		buf_addc(out, '0');
	for (int i = 0; i < d->point; i++)
		buf_addc(out, decimal_digit(d, i));
	if (prec > 0)
		buf_addc(out, '.');
	if (stored < 0)
		stored = 0;
	if (stored > prec)
		stored = prec;
	for (int i = 0; i < stored; i++)
		buf_addc(out, decimal_digit(d, d->point + i));
	if (prec > stored)
		add_repeated(out, '0', (size_t)(prec - stored));
}

/* %g with `prec` significant digits, but no zeros at their end. */
static void add_g(struct buf *out, double v, int prec, char e)
{
	struct decimal d;
	int limit, exp;

	if (prec == 0)
		prec = 1;
	decimal_round(&d, v, prec);
	limit = prec;
	if (limit > d.len && d.len >= d.point)
		limit = d.len;
	exp = d.point - 1;
	if (exp < -4 || exp >= limit)
		add_exponent_form(
			out, &d, (prec < d.len ? prec : d.len) - 1, e);
	else
		add_point_form(out, &d, d.len > d.point ? d.len - d.point : 0);
}

/* %g with the fewest digits that read back as `v`. */
static void add_shortest(struct buf *out, double v, char e)
{
	size_t from = out->len;

	num_write_double(out, fabs(v), FLOAT_G64);
	for (size_t i = from; i < out->len; i++) {
		if (out->ptr[i] == 'e')
			out->ptr[i] = e;
	}
}

static void add_f(struct buf *out, double v, int prec)
{
	int stored = prec < DIGITS_MAX ? prec : DIGITS_MAX;

	buf_addf(out, "%.*f", stored, fabs(v));
	if (prec > stored)
		add_repeated(out, '0', (size_t)(prec - stored));
}

/* Mantissa with its hidden bit, and the exponent of its last bit. */
static uint64_t mantissa_of(double v, int *exp)
{
	uint64_t bits, mant;

	memcpy(&bits, &v, sizeof(bits));
	*exp = (int)(bits >> 52 & 0x7ff);
	mant = bits & (((uint64_t)1 << 52) - 1);
	if (*exp)
		mant |= (uint64_t)1 << 52;
	else
		*exp = 1;
	*exp -= 1023 + 52;
	return mant;
}

/* -0x1.8p+01: the leading digit is 1, also of subnormal numbers. */
static void add_hex_float(struct buf *out, double v, int prec, bool upper)
{
	const uint64_t one = (uint64_t)1 << 60;
	const char *digits = upper ? upper_digits : lower_digits;
	int exp;
	uint64_t mant = mantissa_of(v, &exp) << 8;

	exp = mant ? exp + 52 : 0;
	while (mant && !(mant & one)) {
		mant <<= 1;
		exp--;
	}
	if (prec >= 0 && prec < 15) {
		unsigned keep = (unsigned)prec * 4;
		uint64_t rest = (mant << keep) & (one - 1);

		mant >>= 60 - keep;
		if ((rest | (mant & 1)) > one / 2) /* half to even */
			mant++;
		mant <<= 60 - keep;
		if (mant & (one << 1)) {
			mant >>= 1;
			exp++;
		}
	}
	buf_addc(out, '0');
	buf_addc(out, digits[16]);
	buf_addc(out, mant & one ? '1' : '0');
	mant <<= 4;
	if (prec > 0 || (prec < 0 && mant))
		buf_addc(out, '.');
	for (int i = 0; prec < 0 ? mant != 0 : i < prec && i < 16; i++) {
		buf_addc(out, digits[mant >> 60]);
		mant <<= 4;
	}
	if (prec > 16)
		add_repeated(out, '0', (size_t)prec - 16);
	buf_addf(out, "%c%c%02d", upper ? 'P' : 'p', exp < 0 ? '-' : '+',
		abs(exp));
}

static void add_binary_float(struct buf *out, double v)
{
	int exp;
	uint64_t mant = mantissa_of(v, &exp);

	buf_addf(out, "%llup%+d", (unsigned long long)mant, exp);
}

/* Without a sign. */
static void add_float_digits(struct buf *out, double v, char verb, int prec)
{
	struct decimal d;

	switch (verb) {
	case 'b':
		add_binary_float(out, v);
		break;
	case 'x':
	case 'X':
		add_hex_float(out, v, prec, verb == 'X');
		break;
	case 'f':
		add_f(out, v, prec);
		break;
	case 'e':
	case 'E':
		decimal_round(&d, v, prec < DIGITS_MAX ? prec + 1 : DIGITS_MAX);
		add_exponent_form(out, &d, prec, verb);
		break;
	default:
		if (prec < 0)
			add_shortest(out, v, verb == 'G' ? 'E' : 'e');
		else
			add_g(out, v, prec, verb == 'G' ? 'E' : 'e');
		break;
	}
}

/*
 * What # does to a float: the decimal point stays, and for %g, %v and %x so
 * do the zeros at the end, up to `prec` significant ones. The number is what
 * was added since `start`, without its sign.
 */
static void keep_point(struct buf *out, size_t start, char verb, int prec)
{
	bool hex = verb == 'x' || verb == 'X';
	bool point = false, seen = false;
	int digits = 0;
	size_t end = start;
	char tail[8]; /* an exponent */
	struct str rest;

	if (verb == 'g' || verb == 'G' || verb == 'x')
		digits = prec < 0 ? 6 : prec;
	for (; end < out->len; end++) {
		char c = out->ptr[end];

		if (c == 'p' || c == 'P' || (!hex && (c == 'e' || c == 'E')))
			break;
		point = point || c == '.';
		seen = seen || (c != '0' && c != '.');
		digits -= seen && c != '.';
	}
	rest = (struct str){tail, out->len - end};
	assert(rest.len <= sizeof(tail));
	memcpy(tail, out->ptr + end, rest.len);
	out->len = end;
	if (!point) {
		if (end - start == 1 && out->ptr[start] == '0')
			digits--;
		buf_addc(out, '.');
	}
	if (digits > 0)
		add_repeated(out, '0', (size_t)digits);
	buf_addstr(out, rest);
}

static void add_float(struct formatter *f, double v, char verb, int prec)
{
	const struct directive *d = &f->d;
	struct buf *out = &f->out;
	char sign = signbit(v) ? '-' : d->plus ? '+' : d->space ? ' ' : '\0';
	size_t start = out->len;

	if (d->has_prec)
		prec = d->prec;
	if (sign)
		buf_addc(out, sign);
	add_float_digits(out, v, verb, prec);
	if (d->sharp && verb != 'b')
		keep_point(out, start + (sign != '\0'), verb, prec);
	pad_from(f, start, d->zero);
	if (sign && d->zero && !d->minus && out->ptr[start] == '0') {
		/* zeros go between the sign and the digits */
		*strchr(out->ptr + start, sign) = '0';
		out->ptr[start] = sign;
	}
}

/* --- big integers ---------------------------------------------------- */

static void big_set(mpz_t z, struct formatter *f, struct str text)
{
	mpz_init_set_str(z, arena_strdup(f->cx->arena, text), 10);
}

/* The absolute value in `base`; capital letters for a negative base. */
static struct str big_digits(struct formatter *f, struct str text, int base)
{
	char *room;
	mpz_t z;

	if (text.len && text.ptr[0] == '-')
		text = str_slice(text, 1, text.len);
	if (base == 10)
		return text;
	big_set(z, f, text);
	room = arena_raw(f->cx->arena, mpz_sizeinbase(z, abs(base)) + 2);
	mpz_get_str(room, base, z);
	mpz_clear(z);
	return str_from(room);
}

/* Base of a verb that big integers have, negative for capitals; or 0. */
static int big_base(uint32_t verb)
{
	switch (verb) {
	case 'b':
		return 2;
	case 'o':
	case 'O':
		return 8;
	case 'd':
	case 's':
	case 'v':
		return 10;
	case 'x':
		return 16;
	case 'X':
		return -16;
	default:
		return 0;
	}
}

static const char *big_prefix(const struct directive *d, bool sharp)
{
	if (d->verb == 'O')
		return "0o";
	if (!sharp)
		return "";
	switch (d->verb) {
	case 'b':
		return "0b";
	case 'o':
		return "0";
	case 'x':
		return "0x";
	case 'X':
		return "0X";
	default:
		return "";
	}
}

/* As big.Int.Format(), which is not quite what fmt does with an int64. */
static void add_big(struct formatter *f, struct str text, int base)
{
	const struct directive *d = &f->d;
	struct str digits = big_digits(f, text, base);
	const char *prefix = big_prefix(d, d->sharp || d->sharp_v), *sign = "";
	size_t len, zeros = 0, fill = 0;

	if (text.ptr[0] == '-')
		sign = "-";
	else if (d->plus || d->plus_v)
		sign = "+";
	else if (d->space)
		sign = " ";
	if (d->has_prec && digits.len < (size_t)d->prec)
		zeros = (size_t)d->prec - digits.len;
	len = strlen(sign) + strlen(prefix) + zeros + digits.len;
	if (d->has_width && len < (size_t)d->width)
		fill = (size_t)d->width - len;
	if (fill && !d->minus && d->zero && !d->has_prec) {
		zeros = fill;
		fill = 0;
	}
	if (!d->minus)
		add_repeated(&f->out, ' ', fill);
	buf_adds(&f->out, sign);
	buf_adds(&f->out, prefix);
	add_repeated(&f->out, '0', zeros);
	buf_addstr(&f->out, digits);
	if (d->minus)
		add_repeated(&f->out, ' ', fill);
}

/*
 * The inside of a big.Int, which shows in "%w" only: &{false [1 2]}, the
 * machine words from the lowest.
 */
static void add_big_words(struct formatter *f, struct str text)
{
	struct directive *d = &f->d;
	const char *comma = d->sharp_v ? ", " : " ";
	bool named = d->plus_v || d->sharp_v, sharp = d->sharp;
	mpz_t z;

	big_set(z, f, text);
	buf_adds(&f->out, d->sharp_v ? "&big.Int{" : "&{");
	buf_adds(&f->out, named ? "neg:" : "");
	add_padded(f, mpz_sgn(z) < 0 ? S("true") : S("false"), d->zero);
	buf_adds(&f->out, comma);
	buf_adds(&f->out, named ? "abs:" : "");
	buf_adds(&f->out, d->sharp_v ? "big.nat{" : "[");
	d->sharp = d->sharp_v;
	for (size_t i = 0; i < mpz_size(z); i++) {
		buf_adds(&f->out, i ? comma : "");
		add_uint(f, mpz_getlimbn(z, (mp_size_t)i), false,
			d->sharp_v ? 16 : 10, lower_digits);
	}
	d->sharp = sharp;
	mpz_clear(z);
	buf_adds(&f->out, d->sharp_v ? "}}" : "]}");
}

/* --- one argument ---------------------------------------------------- */

static void add_arg(struct formatter *f, const struct arg *a, uint32_t verb);

/* "%!d(string=hi)" */
static void add_bad_verb(
	struct formatter *f, const struct arg *a, uint32_t verb)
{
	buf_adds(&f->out, "%!");
	buf_addcp(&f->out, verb);
	buf_addc(&f->out, '(');
	buf_adds(&f->out, type_names[a->kind]);
	buf_addc(&f->out, '=');
	if (a->kind == ARG_BIG)
		add_big_words(f, a->text);
	else
		add_arg(f, a, 'v');
	buf_addc(&f->out, ')');
}

static void add_str_arg(struct formatter *f, const struct arg *a, uint32_t verb)
{
	switch (verb) {
	case 'v':
		if (f->d.sharp_v)
			add_quoted(f, a->text);
		else
			add_string(f, a->text);
		break;
	case 's':
		add_string(f, a->text);
		break;
	case 'x':
		add_hex_string(f, a->text, lower_digits);
		break;
	case 'X':
		add_hex_string(f, a->text, upper_digits);
		break;
	case 'q':
		add_quoted(f, a->text);
		break;
	default:
		add_bad_verb(f, a, verb);
		break;
	}
}

static void add_int_arg(struct formatter *f, const struct arg *a, uint32_t verb)
{
	switch (verb) {
	case 'v':
	case 'd':
		add_int(f, a->i, 10, lower_digits);
		break;
	case 'b':
		add_int(f, a->i, 2, lower_digits);
		break;
	case 'o':
	case 'O':
		add_int(f, a->i, 8, lower_digits);
		break;
	case 'x':
		add_int(f, a->i, 16, lower_digits);
		break;
	case 'X':
		add_int(f, a->i, 16, upper_digits);
		break;
	case 'c':
		add_char(f, a->i);
		break;
	case 'q':
		add_quoted_char(f, a->i);
		break;
	case 'U':
		add_code_point(f, (uint64_t)a->i);
		break;
	default:
		add_bad_verb(f, a, verb);
		break;
	}
}

static void add_float_arg(
	struct formatter *f, const struct arg *a, uint32_t verb)
{
	switch (verb) {
	case 'v':
		add_float(f, a->f, 'g', -1);
		break;
	case 'b':
	case 'g':
	case 'G':
	case 'x':
	case 'X':
		add_float(f, a->f, (char)verb, -1);
		break;
	case 'f':
	case 'e':
	case 'E':
		add_float(f, a->f, (char)verb, 6);
		break;
	case 'F':
		add_float(f, a->f, 'f', 6);
		break;
	default:
		add_bad_verb(f, a, verb);
		break;
	}
}

static void add_big_arg(struct formatter *f, const struct arg *a, uint32_t verb)
{
	int base = big_base(verb);
	struct directive saved = f->d;

	if (verb == 'p') { /* an address: in OPA too it means nothing */
		f->d.sharp = !f->d.sharp;
		add_uint(f, (uintptr_t)a->text.ptr, false, 16, lower_digits);
		f->d = saved;
	} else if (verb == 'w') {
		add_bad_verb(f, a, verb);
	} else if (base) {
		f->d.verb = verb;
		add_big(f, a->text, base);
		f->d = saved;
	} else {
		buf_adds(&f->out, "%!");
		buf_addcp(&f->out, verb);
		buf_adds(&f->out, "(big.Int=");
		buf_addstr(&f->out, a->text);
		buf_addc(&f->out, ')');
	}
}

static void add_arg(struct formatter *f, const struct arg *a, uint32_t verb)
{
	if (verb == 'T') {
		add_string(f, str_from(type_names[a->kind]));
		return;
	}
	switch (a->kind) {
	case ARG_STR:
		add_str_arg(f, a, verb);
		break;
	case ARG_INT:
		add_int_arg(f, a, verb);
		break;
	case ARG_FLOAT:
		add_float_arg(f, a, verb);
		break;
	case ARG_BIG:
		add_big_arg(f, a, verb);
		break;
	}
}

static bool is_float_text(const struct num *n)
{
	return memchr(n->text, '.', n->len) || memchr(n->text, 'e', n->len) ||
	       memchr(n->text, 'E', n->len);
}

static struct arg number_arg(struct value v)
{
	struct arg a = {.kind = ARG_STR};

	if (v.tag == V_INT)
		return (struct arg){.kind = ARG_INT, .i = v.i};
	a.text = (struct str){v.num->text, v.num->len};
	if (!is_float_text(v.num)) {
		a.kind = v.num->is_int ? ARG_INT : ARG_BIG;
		a.i = v.num->i;
		return a;
	}
	a.f = num_to_double(v);
	if (isfinite(a.f)) /* else OPA hands over its text */
		a.kind = ARG_FLOAT;
	return a;
}

static struct arg arg_at(struct formatter *f, size_t i)
{
	struct value v = f->args.arr->items[i];
	struct arg a = {.kind = ARG_STR};
	struct buf b = {0};

	if (is_num(v))
		return number_arg(v);
	if (v.tag == V_STR) {
		a.text = v_bytes(v);
		return a;
	}
	value_text(&b, v);
	a.text = arena_str(f->cx->arena, buf_str(&b));
	buf_release(&b);
	return a;
}

/* --- the format ------------------------------------------------------ */

enum { NUMBER_MAX = 1000000 }; /* of a width or precision */

/*
 * A decimal number at f->at, before `end`. One that is too large swallows the
 * rest of the format.
 */
static bool read_number(struct formatter *f, size_t end, int *out)
{
	bool found = false;
	int n = 0;

	*out = 0;
	for (; f->at < end; f->at++) {
		char c = f->fmt.ptr[f->at];

		if (c < '0' || c > '9')
			break;
		if (n > NUMBER_MAX) {
			f->at = end;
			return false;
		}
		n = n * 10 + (c - '0');
		found = true;
	}
	*out = n;
	return found;
}

/* "[3]": the next argument is the third. */
static bool read_index(struct formatter *f)
{
	struct str fmt = f->fmt;
	size_t open = f->at, close;
	int n;

	if (open >= fmt.len || fmt.ptr[open] != '[')
		return false;
	f->reordered = true;
	close = str_find(fmt, S("]"), open);
	if (fmt.len - open < 3 || close == SIZE_MAX) {
		f->at = open + 1;
		f->good_index = false;
		return false;
	}
	f->at = open + 1;
	if (!read_number(f, close, &n) || f->at != close) {
		f->at = close + 1;
		f->good_index = false;
		return false;
	}
	f->at = close + 1;
	if (n < 1 || (size_t)n > f->args.arr->len)
		f->good_index = false;
	else
		f->arg = (size_t)n - 1;
	return true;
}

/* A width or precision out of the arguments, for "*". */
static bool number_from_arg(struct formatter *f, int *out)
{
	struct arg a;

	*out = 0;
	if (f->arg >= f->args.arr->len)
		return false;
	a = arg_at(f, f->arg++);
	if (a.kind != ARG_INT || a.i > NUMBER_MAX || a.i < -NUMBER_MAX)
		return false;
	*out = (int)a.i;
	return true;
}

static bool at_char(const struct formatter *f, char c)
{
	return f->at < f->fmt.len && f->fmt.ptr[f->at] == c;
}

static void read_flags(struct formatter *f)
{
	for (; f->at < f->fmt.len; f->at++) {
		switch (f->fmt.ptr[f->at]) {
		case '#':
			f->d.sharp = true;
			break;
		case '0':
			f->d.zero = true;
			break;
		case '+':
			f->d.plus = true;
			break;
		case '-':
			f->d.minus = true;
			break;
		case ' ':
			f->d.space = true;
			break;
		default:
			return;
		}
	}
}

/* Returns whether an index like [3] stood last. */
static bool read_width(struct formatter *f, bool after_index)
{
	struct directive *d = &f->d;

	if (!at_char(f, '*')) {
		d->has_width = read_number(f, f->fmt.len, &d->width);
		if (after_index && d->has_width) /* "%[3]2d" */
			f->good_index = false;
		return after_index;
	}
	f->at++;
	d->has_width = number_from_arg(f, &d->width);
	if (!d->has_width)
		buf_adds(&f->out, "%!(BADWIDTH)");
	if (d->width < 0) {
		d->width = -d->width;
		d->minus = true;
		d->zero = false;
	}
	return false;
}

static bool read_precision(struct formatter *f, bool after_index)
{
	struct directive *d = &f->d;

	if (f->at + 1 >= f->fmt.len || !at_char(f, '.'))
		return after_index;
	f->at++;
	if (after_index) /* "%[3].2d" */
		f->good_index = false;
	after_index = read_index(f);
	if (!at_char(f, '*')) {
		d->has_prec = true;
		if (!read_number(f, f->fmt.len, &d->prec))
			d->prec = 0;
		return after_index;
	}
	f->at++;
	d->has_prec = number_from_arg(f, &d->prec);
	if (d->prec < 0) {
		d->prec = 0;
		d->has_prec = false;
	}
	if (!d->has_prec)
		buf_adds(&f->out, "%!(BADPREC)");
	return false;
}

static void add_mark(struct formatter *f, const char *text)
{
	buf_adds(&f->out, "%!");
	buf_addcp(&f->out, f->d.verb);
	buf_adds(&f->out, text);
}

static void add_verb(struct formatter *f)
{
	struct directive *d = &f->d;
	struct arg a;

	if (d->verb == '%') {
		buf_addc(&f->out, '%');
		return;
	}
	if (!f->good_index) {
		add_mark(f, "(BADINDEX)");
		return;
	}
	if (f->arg >= f->args.arr->len) {
		add_mark(f, "(MISSING)");
		return;
	}
	if (d->verb == 'v' || d->verb == 'w') {
		d->sharp_v = d->sharp;
		d->plus_v = d->plus;
		d->sharp = d->plus = false;
	}
	a = arg_at(f, f->arg++);
	add_arg(f, &a, d->verb);
}

/* From behind a percent sign. */
static void add_directive(struct formatter *f)
{
	bool after_index;

	f->d = (struct directive){0};
	f->good_index = true;
	read_flags(f);
	after_index = read_index(f);
	after_index = read_width(f, after_index);
	after_index = read_precision(f, after_index);
	if (!after_index)
		read_index(f);
	if (f->at >= f->fmt.len) {
		buf_adds(&f->out, "%!(NOVERB)");
		return;
	}
	f->at +=
		utf8_decode(f->fmt.ptr + f->at, f->fmt.len - f->at, &f->d.verb);
	add_verb(f);
}

/* Arguments that no verb asked for. */
static void add_extra(struct formatter *f)
{
	if (f->reordered || f->arg >= f->args.arr->len)
		return;
	f->d = (struct directive){0};
	buf_adds(&f->out, "%!(EXTRA ");
	for (size_t first = f->arg; f->arg < f->args.arr->len; f->arg++) {
		struct arg a = arg_at(f, f->arg);

		if (f->arg > first)
			buf_adds(&f->out, ", ");
		buf_adds(&f->out, type_names[a.kind]);
		buf_addc(&f->out, '=');
		add_arg(f, &a, 'v');
	}
	buf_addc(&f->out, ')');
}

static enum bi_status add_all(struct formatter *f)
{
	size_t charged = 0;

	while (f->at < f->fmt.len) {
		size_t percent = str_find(f->fmt, S("%"), f->at);

		buf_addstr(&f->out, str_slice(f->fmt, f->at, percent));
		if (percent == SIZE_MAX)
			break;
		f->at = percent + 1;
		add_directive(f);
		if (f->out.len > LIMIT_STRING)
			return bi_limit(f->cx, "result has more than %zu bytes",
				LIMIT_STRING);
		if (!bi_charge(f->cx, 1 + (f->out.len - charged) / 64))
			return BI_HALT;
		charged = f->out.len;
	}
	add_extra(f);
	return BI_OK;
}

static enum bi_status bi_sprintf(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct formatter f = {
		.cx = cx,
		.fmt = v_bytes(args[0]),
		.args = args[1],
	};
	enum bi_status st = add_all(&f);

	if (!st)
		st = bi_string(cx, buf_str(&f.out), out);
	buf_release(&f.out);
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
		digits_of(v.i < 0 ? 0 - (uint64_t)v.i : (uint64_t)v.i,
			(unsigned)base, lower_digits, tmp));
	return bi_string(cx, (struct str){text, (size_t)n}, out);
}

/* clang-format off */
static const struct builtin rows[] = {
	{"format_int", NULL, 2, {BT_NUM, BT_NUM}, bi_format_int, 0},
	{"sprintf",    NULL, 2, {BT_STR, BT_ARR}, bi_sprintf,    0},
};
/* clang-format on */

const struct builtin_table builtin_format = {rows, COUNT(rows)};
