#include "rego/builtin/gofmt.h"

#include <assert.h>
#include <gmp.h>
#include <math.h>
#include <string.h>

#include "base/limits.h"
#include "rego/builtin/unicode.h"
#include "rego/value_impl.h"

/*
 * Go's verbs, flags and error marks ("%!d(string=x)") are kept, also where they
 * look odd.
 *
 * Source: documentation of Go's package fmt.
 */

static const char *const type_names[] = {
	[GO_NONE] = "<nil>",
	[GO_NIL] = "<nil>",
	[GO_BOOL] = "bool",
	[GO_INT] = "int",
	[GO_INT64] = "int64",
	[GO_UINT8] = "uint8",
	[GO_FLOAT] = "float64",
	[GO_COMPLEX] = "complex128",
	[GO_STRING] = "string",
	[GO_NUMBER] = "json.Number",
	[GO_BIG] = "*big.Int",
	[GO_LIST] = "[]interface {}",
	[GO_MAP] = "map[string]interface {}",
};

const char *go_type(const struct go_value *v)
{
	return type_names[v->kind];
}

/*
 * Room that Go has given an array by the time its decoder has appended `len`
 * members one by one: doubled while it is small, later by a quarter and some,
 * up to what its allocator hands out. A template that slices past the end of
 * an array can tell.
 */
static uint32_t capacity(uint32_t len)
{
	static const uint32_t small[] = {
		0, 1, 2, 4, 8, 16, 32, 71, 143, 303, 591, 1023, 1535};
	uint64_t cap = 1535;

	for (size_t i = 0; i < COUNT(small); i++)
		if (len <= small[i])
			return small[i];
	while (cap < len) {
		cap += (cap + 768) / 4;
		cap = (cap + 511) / 512 * 512; /* whole pages */
	}
	return cap < UINT32_MAX ? (uint32_t)cap : UINT32_MAX;
}

struct go_value go_from_json(struct arena *a, struct value v)
{
	char tmp[24];

	switch (v.tag) {
	case V_TRUE:
	case V_FALSE:
		return (struct go_value){.kind = GO_BOOL, .b = v.tag == V_TRUE};
	case V_INT:
	case V_NUM:
		return (struct go_value){
			.kind = GO_NUMBER, .s = arena_str(a, num_text(v, tmp))};
	case V_STR:
		return go_string(v_bytes(v));
	case V_ARR:
		return (struct go_value){.kind = GO_LIST,
			.list = {v.arr->items, v.arr->len, v.arr->len,
				capacity(v.arr->len)}};
	case V_OBJ:
		return (struct go_value){.kind = GO_MAP, .map = v.obj};
	default:
		return (struct go_value){.kind = GO_NIL};
	}
}

struct go_value go_member(struct arena *a, const struct go_list *l, uint32_t i)
{
	return i < l->have ? go_from_json(a, l->items[i])
			   : (struct go_value){.kind = GO_NIL};
}

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
	struct buf *out;
	struct str fmt;
	size_t at; /* in fmt */
	const struct go_value *args;
	size_t nargs;
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
			f->out, zeros && !f->d.minus ? '0' : ' ', (size_t)n);
}

/* Bring what was added since `start` to the wanted width. */
static void pad_from(struct formatter *f, size_t start, bool zeros)
{
	struct buf *out = f->out;
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
	size_t start = f->out->len;

	buf_addstr(f->out, s);
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
	struct buf *b = f->out;
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
	struct buf *b = f->out;
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

/* go_digits() with the digits to use. */
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

char *go_digits(uint64_t u, unsigned base, char tmp[static 65])
{
	return digits_of(u, base, lower_digits, tmp);
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
	struct buf *b = f->out;
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
	struct buf *b = f->out;
	size_t start = b->len;

	buf_addcp(b, i < 0 || i > 0x10ffff || (i >= 0xd800 && i <= 0xdfff)
			     ? 0xfffd
			     : (uint32_t)i);
	pad_from(f, start, f->d.zero);
}

static void add_quoted_char(struct formatter *f, int64_t i)
{
	struct buf *b = f->out;
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
	struct buf *b = f->out;
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
	struct buf *out = f->out;
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
		add_repeated(f->out, ' ', fill);
	buf_adds(f->out, sign);
	buf_adds(f->out, prefix);
	add_repeated(f->out, '0', zeros);
	buf_addstr(f->out, digits);
	if (d->minus)
		add_repeated(f->out, ' ', fill);
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
	buf_adds(f->out, d->sharp_v ? "&big.Int{" : "&{");
	buf_adds(f->out, named ? "neg:" : "");
	add_padded(f, mpz_sgn(z) < 0 ? S("true") : S("false"), d->zero);
	buf_adds(f->out, comma);
	buf_adds(f->out, named ? "abs:" : "");
	buf_adds(f->out, d->sharp_v ? "big.nat{" : "[");
	d->sharp = d->sharp_v;
	for (size_t i = 0; i < mpz_size(z); i++) {
		buf_adds(f->out, i ? comma : "");
		add_uint(f, mpz_getlimbn(z, (mp_size_t)i), false,
			d->sharp_v ? 16 : 10, lower_digits);
	}
	d->sharp = sharp;
	mpz_clear(z);
	buf_adds(f->out, d->sharp_v ? "}}" : "]}");
}

/* --- one argument ---------------------------------------------------- */

static void add_arg(
	struct formatter *f, const struct go_value *a, uint32_t verb);

/* "string=hi" */
static void add_typed(struct formatter *f, const struct go_value *a)
{
	buf_adds(f->out, go_type(a));
	if (a->kind <= GO_NIL)
		return;
	buf_addc(f->out, '=');
	add_arg(f, a, 'v');
}

/* "%!d(string=hi)" */
static void add_bad_verb(
	struct formatter *f, const struct go_value *a, uint32_t verb)
{
	buf_adds(f->out, "%!");
	buf_addcp(f->out, verb);
	buf_addc(f->out, '(');
	if (a->kind == GO_BIG) {
		buf_adds(f->out, "*big.Int=");
		add_big_words(f, a->s);
	} else {
		add_typed(f, a);
	}
	buf_addc(f->out, ')');
}

static void add_bool_arg(
	struct formatter *f, const struct go_value *a, uint32_t verb)
{
	if (verb == 't' || verb == 'v')
		add_padded(f, a->b ? S("true") : S("false"), f->d.zero);
	else
		add_bad_verb(f, a, verb);
}

static void add_nil_arg(
	struct formatter *f, const struct go_value *a, uint32_t verb)
{
	if (verb == 'v')
		add_padded(f, S("<nil>"), f->d.zero);
	else
		add_bad_verb(f, a, verb);
}

static void add_str_arg(
	struct formatter *f, const struct go_value *a, uint32_t verb)
{
	switch (verb) {
	case 'v':
		if (f->d.sharp_v)
			add_quoted(f, a->s);
		else
			add_string(f, a->s);
		break;
	case 's':
		add_string(f, a->s);
		break;
	case 'x':
		add_hex_string(f, a->s, lower_digits);
		break;
	case 'X':
		add_hex_string(f, a->s, upper_digits);
		break;
	case 'q':
		add_quoted(f, a->s);
		break;
	default:
		add_bad_verb(f, a, verb);
		break;
	}
}

/* "%#v" of a byte is hexadecimal. */
static void add_byte_literal(struct formatter *f, int64_t i)
{
	bool sharp = f->d.sharp;

	f->d.sharp = true;
	add_int(f, i, 16, lower_digits);
	f->d.sharp = sharp;
}

static void add_int_arg(
	struct formatter *f, const struct go_value *a, uint32_t verb)
{
	switch (verb) {
	case 'v':
		if (a->kind == GO_UINT8 && f->d.sharp_v)
			add_byte_literal(f, a->i);
		else
			add_int(f, a->i, 10, lower_digits);
		break;
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
	struct formatter *f, const struct go_value *a, uint32_t verb)
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

static bool is_float_verb(uint32_t verb)
{
	return verb && verb < 0x80 && strchr("vbgGxXfFeE", (int)verb);
}

/* (1+2i): the second part always has a sign. */
static void add_complex_arg(
	struct formatter *f, const struct go_value *a, uint32_t verb)
{
	struct go_value re = {.kind = GO_FLOAT, .f = a->f};
	struct go_value im = {.kind = GO_FLOAT, .f = a->im};
	bool plus = f->d.plus;

	if (!is_float_verb(verb)) {
		add_bad_verb(f, a, verb);
		return;
	}
	buf_addc(f->out, '(');
	add_float_arg(f, &re, verb);
	f->d.plus = true;
	add_float_arg(f, &im, verb);
	f->d.plus = plus;
	buf_adds(f->out, "i)");
}

/* --- lists and maps -------------------------------------------------- */

/* A member: what is nil is written as it is, whatever the verb. */
static void add_member(struct formatter *f, struct go_value a, uint32_t verb)
{
	if (a.kind == GO_NIL)
		buf_adds(f->out, f->d.sharp_v ? "interface {}(nil)" : "<nil>");
	else
		add_arg(f, &a, verb);
}

/* Where the text is over its limit already, go_printf() says so. */
static bool is_full(const struct formatter *f)
{
	return f->out->len > LIMIT_STRING;
}

static void add_list(
	struct formatter *f, const struct go_list *l, uint32_t verb)
{
	for (uint32_t i = 0; i < l->len && !is_full(f); i++) {
		if (i)
			buf_adds(f->out, f->d.sharp_v ? ", " : " ");
		add_member(f, go_member(f->cx->arena, l, i), verb);
	}
}

static void add_map(struct formatter *f, const struct object *o, uint32_t verb)
{
	for (uint32_t i = 0; i < o->len && !is_full(f); i++) {
		if (i)
			buf_adds(f->out, f->d.sharp_v ? ", " : " ");
		add_member(f, go_string(v_bytes(o->keys->items[i])), verb);
		buf_addc(f->out, ':');
		add_member(f, go_from_json(f->cx->arena, o->vals[i]), verb);
	}
}

/* An address: in OPA too it means nothing. */
static void add_pointer(struct formatter *f, const void *p)
{
	struct directive saved = f->d;

	f->d.sharp = !f->d.sharp;
	add_uint(f, (uintptr_t)p, false, 16, lower_digits);
	f->d = saved;
}

/* "[a b]" and "map[k:v]", or as it stands in a program: "%#v". */
static void add_collection(
	struct formatter *f, const struct go_value *a, uint32_t verb)
{
	bool map = a->kind == GO_MAP;

	if (f->d.sharp_v)
		buf_addf(f->out, "%s{", go_type(a));
	else
		buf_adds(f->out, map ? "map[" : "[");
	if (map)
		add_map(f, a->map, verb);
	else
		add_list(f, &a->list, verb);
	buf_addc(f->out, f->d.sharp_v ? '}' : ']');
}

static void add_big_arg(
	struct formatter *f, const struct go_value *a, uint32_t verb)
{
	int base = big_base(verb);
	struct directive saved = f->d;

	if (verb == 'p') {
		add_pointer(f, a->s.ptr);
	} else if (verb == 'w') {
		add_bad_verb(f, a, verb);
	} else if (base) {
		f->d.verb = verb;
		add_big(f, a->s, base);
		f->d = saved;
	} else {
		buf_adds(f->out, "%!");
		buf_addcp(f->out, verb);
		buf_adds(f->out, "(big.Int=");
		buf_addstr(f->out, a->s);
		buf_addc(f->out, ')');
	}
}

static void add_arg(
	struct formatter *f, const struct go_value *a, uint32_t verb)
{
	switch (a->kind) {
	case GO_NONE:
	case GO_NIL:
		add_nil_arg(f, a, verb);
		break;
	case GO_BOOL:
		add_bool_arg(f, a, verb);
		break;
	case GO_INT:
	case GO_INT64:
	case GO_UINT8:
		add_int_arg(f, a, verb);
		break;
	case GO_FLOAT:
		add_float_arg(f, a, verb);
		break;
	case GO_COMPLEX:
		add_complex_arg(f, a, verb);
		break;
	case GO_STRING:
	case GO_NUMBER:
		add_str_arg(f, a, verb);
		break;
	case GO_BIG:
		add_big_arg(f, a, verb);
		break;
	case GO_LIST:
	case GO_MAP:
		add_collection(f, a, verb);
		break;
	}
}

/* An argument itself, for which more verbs are special than for a member. */
static void add_top(
	struct formatter *f, const struct go_value *a, uint32_t verb)
{
	bool collection = a->kind == GO_LIST || a->kind == GO_MAP;

	if (verb == 'T' && a->kind <= GO_NIL)
		add_padded(f, S("<nil>"), f->d.zero);
	else if (verb == 'T')
		add_string(f, str_from(go_type(a)));
	else if (verb == 'p' && collection)
		add_pointer(f, a->map);
	else if (verb == 'w' && collection)
		add_bad_verb(f, a, verb);
	else
		add_arg(f, a, verb);
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
	if (n < 1 || (size_t)n > f->nargs)
		f->good_index = false;
	else
		f->arg = (size_t)n - 1;
	return true;
}

/* A width or precision out of the arguments, for "*". */
static bool number_from_arg(struct formatter *f, int *out)
{
	const struct go_value *a;

	*out = 0;
	if (f->arg >= f->nargs)
		return false;
	a = &f->args[f->arg++];
	if (a->kind != GO_INT && a->kind != GO_INT64 && a->kind != GO_UINT8)
		return false;
	if (a->i > NUMBER_MAX || a->i < -NUMBER_MAX)
		return false;
	*out = (int)a->i;
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
		buf_adds(f->out, "%!(BADWIDTH)");
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
		buf_adds(f->out, "%!(BADPREC)");
	return false;
}

static void add_mark(struct formatter *f, const char *text)
{
	buf_adds(f->out, "%!");
	buf_addcp(f->out, f->d.verb);
	buf_adds(f->out, text);
}

static void add_verb(struct formatter *f)
{
	struct directive *d = &f->d;

	if (d->verb == '%') {
		buf_addc(f->out, '%');
		return;
	}
	if (!f->good_index) {
		add_mark(f, "(BADINDEX)");
		return;
	}
	if (f->arg >= f->nargs) {
		add_mark(f, "(MISSING)");
		return;
	}
	if (d->verb == 'v' || d->verb == 'w') {
		d->sharp_v = d->sharp;
		d->plus_v = d->plus;
		d->sharp = d->plus = false;
	}
	add_top(f, &f->args[f->arg++], d->verb);
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
		buf_adds(f->out, "%!(NOVERB)");
		return;
	}
	f->at +=
		utf8_decode(f->fmt.ptr + f->at, f->fmt.len - f->at, &f->d.verb);
	add_verb(f);
}

/* Arguments that no verb asked for. */
static void add_extra(struct formatter *f)
{
	if (f->reordered || f->arg >= f->nargs)
		return;
	f->d = (struct directive){0};
	buf_adds(f->out, "%!(EXTRA ");
	for (size_t first = f->arg; f->arg < f->nargs; f->arg++) {
		if (f->arg > first)
			buf_adds(f->out, ", ");
		add_typed(f, &f->args[f->arg]);
	}
	buf_addc(f->out, ')');
}

/* What was added since *charged: its size is paid for. */
static enum bi_status charge_text(struct formatter *f, size_t *charged)
{
	if (is_full(f))
		return bi_limit(
			f->cx, "result has more than %zu bytes", LIMIT_STRING);
	if (!bi_charge(f->cx, 1 + (f->out->len - *charged) / 64))
		return BI_HALT;
	*charged = f->out->len;
	return BI_OK;
}

enum bi_status go_printf(struct bi_ctx *cx, struct buf *out, struct str fmt,
	const struct go_value *args, size_t n)
{
	struct formatter f = {
		.cx = cx, .out = out, .fmt = fmt, .args = args, .nargs = n};
	size_t charged = out->len;

	while (f.at < fmt.len) {
		size_t percent = str_find(fmt, S("%"), f.at);
		enum bi_status st;

		buf_addstr(out, str_slice(fmt, f.at, percent));
		if (percent == SIZE_MAX)
			break;
		f.at = percent + 1;
		add_directive(&f);
		st = charge_text(&f, &charged);
		if (st)
			return st;
	}
	add_extra(&f);
	return charge_text(&f, &charged);
}

static bool is_text(const struct go_value *a)
{
	return a->kind == GO_STRING || a->kind == GO_NUMBER;
}

/* Operands one after the other: `all` with blanks between any two. */
static enum bi_status add_operands(
	struct formatter *f, const struct go_value *args, size_t n, bool all)
{
	size_t charged = f->out->len;
	enum bi_status st = BI_OK;

	for (size_t i = 0; i < n && !st; i++) {
		if (i &&
			(all || (!is_text(&args[i - 1]) && !is_text(&args[i]))))
			buf_addc(f->out, ' ');
		add_arg(f, &args[i], 'v');
		st = charge_text(f, &charged);
	}
	return st;
}

enum bi_status go_print(struct bi_ctx *cx, struct buf *out,
	const struct go_value *args, size_t n)
{
	struct formatter f = {.cx = cx, .out = out};

	return add_operands(&f, args, n, false);
}

enum bi_status go_println(struct bi_ctx *cx, struct buf *out,
	const struct go_value *args, size_t n)
{
	struct formatter f = {.cx = cx, .out = out};
	enum bi_status st = add_operands(&f, args, n, true);

	buf_addc(out, '\n');
	return st;
}
