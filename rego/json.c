#include "rego/value_impl.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* --- reading: machinery -------------------------------------------- */

/*
 * A shape is the sequence of keys of an object as the text has it. Documents
 * are mostly records of few shapes, so the last ones are kept: an object of a
 * known shape needs neither sorting nor keys of its own, and while reading one
 * the next key is guessed and compared instead of looked up.
 */
enum {
	SHAPE_KEYS = 32, /* longer objects are maps, not records */
	SHAPES = 64,
	GUESS_DEPTH = 32,
	INTERN_KEYS =
		256, /* keys past this one in an object are not interned */
	SEEN_STRINGS = 4096,
	SEEN_CREDIT = 8,
	SEEN_LENGTH = 40,      /* bytes of a string worth remembering */
	SEEN_TEXT = 16 * 1024, /* bytes of a text worth remembering strings */
	PIECE_MIN = 128,       /* bytes taken from the arena at once */
	PIECE_MAX = 64 * 1024,
	PIECE_HUGE = 32 * 1024 * 1024, /* in texts longer than: */
	HUGE_TEXT = 4 * 1024 * 1024,
};

struct shape {
	const struct keys *keys;   /* NULL: this place is free */
	uint32_t len, version;     /* version: counts what stood here */
	uint8_t place[SHAPE_KEYS]; /* in `keys`, of the n-th in the text */
	const struct string *seq[SHAPE_KEYS];
};

struct guess {
	const struct shape *shape; /* NULL: none, or it was wrong */
	uint32_t version;
};

struct frame {       /* an array or object that is still open */
	size_t base; /* its first value on the stack */
	struct guess guess;
	uint32_t matched; /* keys that were as guessed */
	bool is_obj;
};

/*
 * A string that was read before. One that has come again survives a few others
 * that would take its place.
 */
struct seen {
	const struct string *s; /* NULL: free */
	uint32_t hash, credit;
};

struct parser {
	struct arena *arena;
	struct symtab *syms, own;
	const char *start, *end, *p;
	struct value *stack; /* members of open collections; keys and values */
	size_t len, cap;
	struct frame *frames;
	size_t nframes, frames_cap;
	uint32_t depth_max;
	char *next, *room_end; /* packed memory, see pack() */
	struct shape *shapes;  /* SHAPES of them once there is an object */
	struct guess last[GUESS_DEPTH];
	struct seen *seen; /* SEEN_STRINGS of them, in long texts */
	struct buf scratch;
	const char *error_at;
	const char *refused, *refused_at; /* the first number out of range */
	char error[256];
};

/*
 * A third of the time of reading a long text is page faults: ask for large
 * pages where a piece of memory holds some. Advice that is not taken is no
 * error.
 */
static void want_huge_pages(void *p, size_t size)
{
	const uintptr_t page = (uintptr_t)2 << 20;
	uintptr_t from = ((uintptr_t)p + page - 1) & ~(page - 1);
	uintptr_t to = ((uintptr_t)p + size) & ~(page - 1);

	if (size >= 2 * page && from < to)
		(void)madvise((char *)p + (from - (uintptr_t)p), to - from,
			MADV_HUGEPAGE);
}

static void *grow(void *old, size_t n, size_t size)
{
	void *made = realloc(old, n * size);

	if (!made)
		die("out of memory: JSON stack of %zu entries", n);
	want_huge_pages(made, n * size);
	return made;
}

static inline void push(struct parser *ps, struct value v)
{
	if (ps->len == ps->cap) {
		ps->cap = ps->cap ? ps->cap * 2 : 64;
		ps->stack = grow(ps->stack, ps->cap, sizeof(*ps->stack));
	}
	ps->stack[ps->len++] = v;
}

/*
 * Memory without the padding of the arena: strings need 4 bytes of alignment,
 * values 8. It is cut from pieces that grow with the text.
 */
static void *pack_more(struct parser *ps, size_t size)
{
	size_t left = (size_t)(ps->end - ps->p), piece = left;
	char *p;

	if (piece > PIECE_MAX)
		piece = left < HUGE_TEXT ? PIECE_MAX : left;
	if (piece > PIECE_HUGE)
		piece = PIECE_HUGE;
	if (piece < PIECE_MIN)
		piece = PIECE_MIN;
	if (size > piece / 4)
		return arena_raw(ps->arena, size);
	p = arena_raw(ps->arena, piece);
	want_huge_pages(p, piece);
	ps->next = p + size;
	ps->room_end = p + piece;
	return p;
}

static inline void *pack(struct parser *ps, size_t size, size_t align)
{
	size_t skip = (0 - (uintptr_t)ps->next) & (align - 1);

	if ((size_t)(ps->room_end - ps->next) < size + skip)
		return pack_more(ps, size);
	char *p = ps->next + skip;

	ps->next = p + size;
	return p;
}

/* Give the rest of the last piece back if nothing was taken since. */
static void pack_end(struct parser *ps)
{
	struct arena *a = ps->arena;
	size_t rest;

	if (!ps->next || a->next != ps->room_end)
		return;
	rest = (size_t)(ps->room_end - ps->next) & ~(size_t)15;
	a->next -= rest;
	a->used -= rest;
}

/* --- reading: errors ----------------------------------------------- */

static bool fail(struct parser *ps, const char *at, const char *text)
{
	ps->error_at = at;
	snprintf(ps->error, sizeof(ps->error), "%s", text);
	return false;
}

/* A byte in quotes, as Go's scanner names it. */
static void quote_byte(char out[16], unsigned char c)
{
	static const char named[] = "\aa\bb\ff\nn\rr\tt\vv\\\\''";

	for (size_t i = 0; i + 1 < sizeof(named); i += 2) {
		if (c == (unsigned char)named[i]) {
			snprintf(out, 16, "'\\%c'", named[i + 1]);
			return;
		}
	}
	if (c < 0x20 || c == 0x7f)
		snprintf(out, 16, "'\\x%02x'", c);
	else if (c < 0x7f)
		snprintf(out, 16, "'%c'", c);
	else if (c < 0xa1 || c == 0xad) /* not printable as code points */
		snprintf(out, 16, "'\\u%04x'", c);
	else
		snprintf(out, 16, "'%c%c'", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
}

/* What is at `at` does not fit there; the end of the text fits nowhere. */
static bool unexpected(struct parser *ps, const char *at, const char *context)
{
	char c[16], text[128];

	if (at >= ps->end)
		return fail(ps, ps->end, "unexpected EOF");
	quote_byte(c, (unsigned char)*at);
	snprintf(text, sizeof(text), "invalid character %s %s", c, context);
	return fail(ps, at, text);
}

/* --- reading: scalars ---------------------------------------------- */

static inline bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static inline void skip_space(struct parser *ps)
{
	while (ps->p < ps->end && is_space(*ps->p))
		ps->p++;
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Eight bytes at once: one bit set in each that ends a plain run. */
static inline uint64_t special_bytes(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101u, high = ones * 0x80;
	uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';

	return ((quote - ones) | (slash - ones) | (w - ones * 0x20) | w) & high;
}

/* The first '"', '\\', control or non-ASCII byte at or after `p`. */
static inline const char *plain_end(const char *p, const char *end)
{
	while (end - p >= 8) {
		uint64_t w, hit;

		memcpy(&w, p, 8);
		hit = special_bytes(w);
		if (hit) /* the lowest bit is exact, those above may not be */
			return p + (__builtin_ctzll(hit) >> 3);
		p += 8;
	}
	while (p < end && (unsigned char)*p >= 0x20 &&
		(unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

static int hex4(const char *p)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];

		if (is_digit(c))
			v = v << 4 | (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/* Check the escape at the backslash `p`; returns what follows or NULL. */
static const char *check_escape(struct parser *ps, const char *p)
{
	if (++p >= ps->end) {
		unexpected(ps, p, "");
		return NULL;
	}
	if (*p != 'u') {
		if (*p && strchr("bfnrt\\/\"", *p))
			return p + 1;
		unexpected(ps, p, "in string escape code");
		return NULL;
	}
	for (int i = 1; i <= 4; i++) {
		char c = p + i < ps->end ? p[i] : '\0';

		if (!is_digit(c) && ((c | 0x20) < 'a' || (c | 0x20) > 'f')) {
			unexpected(ps, p + i,
				"in \\u hexadecimal character escape");
			return NULL;
		}
	}
	return p + 5;
}

/*
 * The closing quote of the string whose first byte is at `p`, or NULL.
 * *plain: nothing to be decoded, all ASCII; *escapes: there are some.
 */
static const char *string_end(
	struct parser *ps, const char *p, bool *plain, bool *escapes)
{
	*plain = true;
	*escapes = false;
	for (;;) {
		p = plain_end(p, ps->end);
		if (p >= ps->end) {
			unexpected(ps, p, "");
			return NULL;
		}
		if (*p == '"')
			return p;
		*plain = false;
		if (*p == '\\') {
			*escapes = true;
			p = check_escape(ps, p);
			if (!p)
				return NULL;
		} else if ((unsigned char)*p < 0x20) {
			unexpected(ps, p, "in string literal");
			return NULL;
		} else {
			while (p < ps->end && (unsigned char)*p >= 0x80)
				p++;
		}
	}
}

/* The code point of "\uXXXX" at p[0] == 'u', halves of a pair joined. */
static const char *decode_u(const char *p, const char *end, uint32_t *cp)
{
	uint32_t low;

	*cp = (uint32_t)hex4(p + 1);
	p += 5;
	if (*cp < 0xd800 || *cp > 0xdfff)
		return p;
	if (*cp < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
		low = (uint32_t)hex4(p + 2);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*cp = 0x10000 + ((*cp - 0xd800) << 10) + (low - 0xdc00);
			return p + 6;
		}
	}
	*cp = 0xfffd;
	return p;
}

/* Decode a checked string into ps->scratch. */
static struct str decode_string(
	struct parser *ps, const char *p, const char *end)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	struct buf *b = &ps->scratch;

	buf_reset(b);
	while (p < end) {
		const char *run = plain_end(p, end), *known;
		uint32_t cp;

		buf_add(b, p, (size_t)(run - p));
		p = run;
		if (p == end)
			break;
		if (*p != '\\') {
			p += utf8_decode(p, (size_t)(end - p), &cp);
			buf_addcp(b, cp);
			continue;
		}
		p++;
		if (*p == 'u') {
			p = decode_u(p, end, &cp);
			buf_addcp(b, cp);
			continue;
		}
		known = strchr(from, *p);
		buf_addc(b, known ? to[known - from] : *p);
		p++;
	}
	return buf_str(b);
}

/*
 * The string after the opening quote at ps->p. Afterwards ps->p is past the
 * closing one; *s is in the text or in the scratch buffer.
 */
static inline bool read_string(struct parser *ps, struct str *s, bool *ascii)
{
	bool escapes;
	const char *from = ps->p + 1, *to;

	to = string_end(ps, from, ascii, &escapes);
	if (!to)
		return false;
	ps->p = to + 1;
	*s = (struct str){from, (size_t)(to - from)};
	if (!*ascii && (escapes || !utf8_valid(s->ptr, s->len)))
		*s = decode_string(ps, from, to);
	return true;
}

/* memcmp() == 0 for the few bytes of a key, without the call. */
static inline bool same_bytes(const char *a, const char *b, size_t n)
{
	uint64_t x, y;

	if (n < 8) {
		for (size_t i = 0; i < n; i++) {
			if (a[i] != b[i])
				return false;
		}
		return true;
	}
	for (size_t i = 0; i + 8 <= n; i += 8) {
		memcpy(&x, a + i, 8);
		memcpy(&y, b + i, 8);
		if (x != y)
			return false;
	}
	memcpy(&x, a + n - 8, 8);
	memcpy(&y, b + n - 8, 8);
	return x == y;
}

static struct value string_make(
	struct parser *ps, struct str s, bool ascii, uint32_t hash)
{
	struct string *made;

	if (s.len >= UINT32_MAX)
		die("out of memory: string of %zu bytes", s.len);
	made = pack(ps, sizeof(*made) + s.len + 1, 4);
	memcpy(made->bytes, s.ptr, s.len);
	made->bytes[s.len] = '\0';
	made->len = (uint32_t)s.len;
	made->runes = ascii ? made->len : (uint32_t)utf8_count(s.ptr, s.len);
	made->sym = 0;
	made->hash = hash;
	return v_of_string(made);
}

/* In long texts short strings come again and again: keep one of each. */
static inline struct value string_value(
	struct parser *ps, struct str s, bool ascii)
{
	uint32_t hash = str_hash(s.ptr, s.len);
	struct seen *seen;
	struct value v;

	if (!ps->seen || s.len > SEEN_LENGTH)
		return string_make(ps, s, ascii, hash);
	seen = &ps->seen[hash % SEEN_STRINGS];
	if (seen->s && seen->hash == hash && seen->s->len == s.len &&
		same_bytes(seen->s->bytes, s.ptr, s.len)) {
		seen->credit = SEEN_CREDIT;
		return v_of_string(seen->s);
	}
	v = string_make(ps, s, ascii, hash);
	if (seen->credit)
		seen->credit--;
	else
		*seen = (struct seen){v.str, hash, 0};
	return v;
}

static const char *digits_end(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

/* The end of the number at `p`, or NULL. */
static const char *number_end(struct parser *ps, const char *p)
{
	const char *end = ps->end, *at = p + (*p == '-');

	if (at >= end || !is_digit(*at)) {
		unexpected(ps, at, "in numeric literal");
		return NULL;
	}
	p = *at == '0' ? at + 1 : digits_end(at, end);
	if (p < end && *p == '.') {
		at = p + 1;
		p = digits_end(at, end);
		if (p == at) {
			unexpected(ps, p,
				"after decimal point in numeric literal");
			return NULL;
		}
	}
	if (p < end && (*p | 0x20) == 'e') {
		at = p + 1;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		p = digits_end(at, end);
		if (p == at) {
			unexpected(ps, p, "in exponent of numeric literal");
			return NULL;
		}
	}
	return p;
}

static bool number_slow(struct parser *ps, const char *from, struct value *out)
{
	const char *to = number_end(ps, from);
	size_t len = (size_t)(to - from);
	const char *why;
	struct num *n;
	char *text;

	if (!to)
		return false;
	ps->p = to;
	if (len < 19 || len > 64 || memchr(from, '.', len)) {
		/* most likely no int64 */
	} else {
		*out = v_number(ps->arena, from, len);
		if (is_def(*out))
			return true;
	}
	n = pack(ps, sizeof(*n) + len + 1, 16);
	text = (char *)(n + 1);
	memcpy(text, from, len);
	text[len] = '\0';
	why = num_fill(n, text, len) ? NULL : "invalid float";
	if (!why && (memchr(text, 'e', len) || memchr(text, 'E', len)))
		why = num_refused(n);
	if (why && !ps->refused) {
		ps->refused = why;
		ps->refused_at = from;
	}
	*out = why ? v_null
		   : (struct value){.tag = V_NUM, .hash = n->hash, .num = n};
	return true;
}

static inline bool read_number(struct parser *ps, struct value *out)
{
	const char *from = ps->p, *p = from + (*from == '-'), *first = p;
	uint64_t u = 0;

	while (p < ps->end && is_digit(*p) && p - first < 18)
		u = u * 10 + (uint64_t)(*p++ - '0');
	if (p == first ||
		(p < ps->end &&
			(is_digit(*p) || *p == '.' || (*p | 0x20) == 'e')) ||
		(*first == '0' && (p - first > 1 || first != from)))
		return number_slow(ps, from, out);
	*out = v_int(first == from ? (int64_t)u : -(int64_t)u);
	ps->p = p;
	return true;
}

static bool read_literal(
	struct parser *ps, const char *word, struct value v, struct value *out)
{
	size_t len = strlen(word);
	char context[64];

	if ((size_t)(ps->end - ps->p) >= len && !memcmp(ps->p, word, len)) {
		ps->p += len;
		*out = v;
		return true;
	}
	for (size_t i = 0; i < len; i++) {
		if (ps->p + i < ps->end && ps->p[i] == word[i])
			continue;
		snprintf(context, sizeof(context),
			"in literal %s (expecting '%c')", word, word[i]);
		return unexpected(ps, ps->p + i, context);
	}
	return false;
}

/* --- reading: collections ------------------------------------------ */

static bool open_frame(struct parser *ps, bool is_obj)
{
	struct frame *f;

	if (ps->nframes == ps->depth_max)
		return fail(ps, ps->p, "exceeded max depth");
	if (ps->nframes == ps->frames_cap) {
		ps->frames_cap = ps->frames_cap ? ps->frames_cap * 2 : 32;
		ps->frames =
			grow(ps->frames, ps->frames_cap, sizeof(*ps->frames));
	}
	f = &ps->frames[ps->nframes];
	*f = (struct frame){.base = ps->len, .is_obj = is_obj};
	if (is_obj && ps->nframes < GUESS_DEPTH)
		f->guess = ps->last[ps->nframes];
	ps->nframes++;
	ps->p++;
	return true;
}

static struct value close_array(struct parser *ps, const struct frame *f)
{
	size_t n = ps->len - f->base;
	struct {
		struct array arr;
		struct value items[];
	} * made;

	ps->len = f->base;
	if (!n)
		return v_empty_arr;
	if (n > UINT32_MAX)
		die("out of memory: array of %zu members", n);
	made = pack(ps, sizeof(*made) + n * sizeof(struct value), 8);
	memcpy(made->items, ps->stack + f->base, n * sizeof(struct value));
	made->arr =
		(struct array){.hash = hash_items(HASH_ARRAY, made->items, n),
			.len = (uint32_t)n,
			.items = made->items};
	return (struct value){
		.tag = V_ARR, .hash = made->arr.hash, .arr = &made->arr};
}

static bool shape_is(
	const struct shape *s, const struct value *pairs, uint32_t n)
{
	if (!s->keys || s->len != n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (s->seq[i] != pairs[2 * i].str)
			return false;
	}
	return true;
}

/* The place for the shape of `n` pairs, whatever stands there now. */
static struct shape *shape_at(
	struct parser *ps, const struct value *pairs, uint32_t n)
{
	uint64_t h = n;

	if (!ps->shapes) {
		ps->shapes = malloc(SHAPES * sizeof(*ps->shapes));
		if (!ps->shapes)
			die("out of memory: JSON shapes");
		for (size_t i = 0; i < SHAPES; i++) {
			ps->shapes[i].keys = NULL;
			ps->shapes[i].version = 0;
		}
	}
	for (uint32_t i = 0; i < n; i++)
		h = hash_step(h, pairs[2 * i].hash);
	return &ps->shapes[hash_end(h) % SHAPES];
}

/* The keys of the pairs came in the order of `s`, which is a known shape. */
static struct value object_of_shape(
	struct parser *ps, const struct shape *s, const struct value *pairs)
{
	struct {
		struct object obj;
		struct value vals[];
	} * made;

	made = pack(ps, sizeof(*made) + s->len * sizeof(struct value), 8);
	for (uint32_t i = 0; i < s->len; i++)
		made->vals[s->place[i]] = pairs[2 * i + 1];
	made->obj = (struct object){.hash = hash_object(s->keys, made->vals),
		.len = s->len,
		.keys = s->keys,
		.vals = made->vals};
	return (struct value){
		.tag = V_OBJ, .hash = made->obj.hash, .obj = &made->obj};
}

static struct value object_sorted(
	struct parser *ps, const struct value *pairs, size_t n)
{
	struct value *keys = pack(ps, 2 * n * sizeof(*keys), 8);
	struct value *vals = keys + n;

	for (size_t i = 0; i < n; i++) {
		keys[i] = pairs[2 * i];
		vals[i] = pairs[2 * i + 1];
	}
	return v_obj(ps->arena, keys, vals, n);
}

/* Keep the shape that `pairs` have, now that `keys` are their sorted keys. */
static void shape_set(struct shape *s, const struct keys *keys,
	const struct value *pairs, uint32_t n)
{
	s->keys = keys;
	s->len = n;
	s->version++;
	for (uint32_t i = 0; i < n; i++) {
		s->seq[i] = pairs[2 * i].str;
		for (uint32_t at = 0; at < n; at++) {
			if (keys->items[at].str == s->seq[i])
				s->place[i] = (uint8_t)at;
		}
	}
}

static struct value close_object(struct parser *ps, const struct frame *f)
{
	const struct value *pairs;
	size_t n = (ps->len - f->base) / 2;
	const struct shape *guess = f->guess.shape;
	struct shape *s;
	struct value v;

	ps->len = f->base;
	if (!n)
		return v_empty_obj;
	pairs = ps->stack + f->base;
	if (guess && guess->version == f->guess.version && f->matched == n &&
		guess->len == n)
		return object_of_shape(ps, guess, pairs);
	if (n > SHAPE_KEYS)
		return object_sorted(ps, pairs, n);
	s = shape_at(ps, pairs, (uint32_t)n);
	if (shape_is(s, pairs, (uint32_t)n)) {
		v = object_of_shape(ps, s, pairs);
	} else {
		v = object_sorted(ps, pairs, n);
		if (v.obj->len != n) /* a key came twice */
			return v;
		shape_set(s, v.obj->keys, pairs, (uint32_t)n);
	}
	if (ps->nframes <= GUESS_DEPTH)
		ps->last[ps->nframes - 1] = (struct guess){s, s->version};
	return v;
}

static struct value close_frame(struct parser *ps)
{
	const struct frame *f = &ps->frames[ps->nframes - 1];
	struct value v = f->is_obj ? close_object(ps, f) : close_array(ps, f);

	ps->nframes--;
	ps->p++;
	return v;
}

/* True if the text at the opening quote is the key that the guess has next. */
static inline bool key_guessed(struct parser *ps, struct frame *f)
{
	const struct shape *s = f->guess.shape;
	const struct string *k;

	if (!s)
		return false;
	if (s->version == f->guess.version && f->matched < s->len) {
		k = s->seq[f->matched];
		if ((size_t)(ps->end - ps->p) > k->len + (size_t)1 &&
			ps->p[k->len + 1] == '"' &&
			same_bytes(ps->p + 1, k->bytes, k->len)) {
			push(ps, v_of_string(k));
			ps->p += k->len + 2;
			f->matched++;
			return true;
		}
	}
	f->guess.shape = NULL;
	return false;
}

static bool read_key(struct parser *ps, struct frame *f)
{
	struct str s;
	bool ascii;

	if (ps->p >= ps->end || *ps->p != '"')
		return unexpected(ps, ps->p,
			"looking for beginning of object key string");
	if (!key_guessed(ps, f)) {
		if (!read_string(ps, &s, &ascii))
			return false;
		if (ps->len - f->base < 2 * INTERN_KEYS)
			push(ps, sym_intern(ps->syms, s.ptr, s.len));
		else
			push(ps, string_make(
					 ps, s, ascii, str_hash(s.ptr, s.len)));
	}
	skip_space(ps);
	if (ps->p >= ps->end || *ps->p != ':')
		return unexpected(ps, ps->p, "after object key");
	ps->p++;
	return true;
}

/* What stands before the next value: a comma, a key, or nothing. */
enum place { BEFORE_VALUE, AFTER_VALUE, FIRST_MEMBER };

/* Read a scalar, or open a collection: then *place says so. */
static bool read_value(struct parser *ps, struct value *out, enum place *place)
{
	struct str s;
	bool ascii;

	*place = AFTER_VALUE;
	switch (ps->p < ps->end ? *ps->p : '\0') {
	case '"':
		if (!read_string(ps, &s, &ascii))
			return false;
		*out = string_value(ps, s, ascii);
		return true;
	case '{':
	case '[':
		*place = FIRST_MEMBER;
		return open_frame(ps, *ps->p == '{');
	case 't':
		return read_literal(ps, "true", v_true, out);
	case 'f':
		return read_literal(ps, "false", v_false, out);
	case 'n':
		return read_literal(ps, "null", v_null, out);
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		return read_number(ps, out);
	default:
		return unexpected(ps, ps->p, "looking for beginning of value");
	}
}

/* After '[' or '{': the end of an empty collection or its first member. */
static bool first_member(
	struct parser *ps, struct value *out, enum place *place)
{
	struct frame *f = &ps->frames[ps->nframes - 1];

	if (ps->p < ps->end && *ps->p == (f->is_obj ? '}' : ']')) {
		*out = close_frame(ps);
		*place = AFTER_VALUE;
		return true;
	}
	*place = BEFORE_VALUE;
	return f->is_obj ? read_key(ps, f) : true;
}

/* After a member: the end of the collection, or a comma and what follows. */
static bool next_member(struct parser *ps, struct value *out, enum place *place)
{
	struct frame *f = &ps->frames[ps->nframes - 1];
	char c = ps->p < ps->end ? *ps->p : '\0';

	if (c == (f->is_obj ? '}' : ']')) {
		*out = close_frame(ps);
		*place = AFTER_VALUE;
		return true;
	}
	if (c != ',')
		return unexpected(ps, ps->p,
			f->is_obj ? "after object key:value pair"
				  : "after array element");
	ps->p++;
	*place = BEFORE_VALUE;
	if (!f->is_obj)
		return true;
	skip_space(ps);
	return read_key(ps, f);
}

static bool read_document(struct parser *ps, struct value *out)
{
	enum place place = BEFORE_VALUE;

	for (;;) {
		struct value v = v_undef;
		bool ok;

		skip_space(ps);
		if (place == BEFORE_VALUE)
			ok = read_value(ps, &v, &place);
		else if (place == FIRST_MEMBER)
			ok = first_member(ps, &v, &place);
		else
			ok = next_member(ps, &v, &place);
		if (!ok)
			return false;
		if (!is_def(v))
			continue;
		if (!ps->nframes) {
			*out = v;
			return true;
		}
		push(ps, v);
	}
}

/*
 * Nothing may follow. OPA asks Go's decoder for one more token and takes it as
 * the end if that is nil, which it also is for the word null; the text of the
 * error shows the token.
 */
static bool read_end(struct parser *ps)
{
	const char *at;
	struct value v = v_null;
	enum place place;
	struct buf text = {0};

	skip_space(ps);
	at = ps->p;
	if (at == ps->end)
		return true;
	if (*at == '[' || *at == '{') {
		buf_addc(&text, *at);
	} else {
		if (!read_value(ps, &v, &place))
			return false;
		if (*at == 'n')
			return true;
		if (*at == '-' || is_digit(*at))
			buf_add(&text, at, (size_t)(ps->p - at));
		else if (is_bool(v)) /* %s of a bool, in Go */
			buf_addf(&text, "%%!s(bool=%s)",
				v.tag == V_TRUE ? "true" : "false");
		else
			value_text_bare(&text, v);
	}
	snprintf(ps->error, sizeof(ps->error),
		"error: invalid character '%.200s' after top-level value",
		text.ptr ? text.ptr : "");
	ps->error_at = at;
	buf_release(&text);
	return false;
}

/* Numbers are judged after the grammar, and only those of the value. */
static bool check_numbers(struct parser *ps)
{
	char text[64];

	if (!ps->refused)
		return true;
	snprintf(text, sizeof(text), "invalid number: %s", ps->refused);
	return fail(ps, ps->refused_at, text);
}

static void locate(const struct parser *ps, struct json_error *e)
{
	const char *line = ps->start;

	*e = (struct json_error){
		.offset = (size_t)(ps->error_at - ps->start), .row = 1};
	for (const char *p = ps->start; p < ps->error_at; p++) {
		if (*p == '\n') {
			line = p + 1;
			e->row++;
		}
	}
	e->col = 1 + (uint32_t)utf8_count(line, (size_t)(ps->error_at - line));
	memcpy(e->text, ps->error, sizeof(e->text));
}

bool json_parse(struct arena *a, struct symtab *t, struct str text,
	uint32_t depth, struct value *out, struct json_error *e)
{
	struct parser ps = {.arena = a,
		.own = {.arena = a},
		.start = text.ptr,
		.p = text.ptr,
		.end = text.ptr + text.len,
		.depth_max = depth};
	struct value v = v_undef;
	bool ok;

	ps.syms = t ? t : &ps.own;
	if (text.len > SEEN_TEXT) {
		ps.seen = calloc(SEEN_STRINGS, sizeof(*ps.seen));
		if (!ps.seen)
			die("out of memory: JSON strings");
	}
	skip_space(&ps);
	if (ps.p == ps.end)
		ok = fail(&ps, ps.p, "EOF");
	else
		ok = read_document(&ps, &v) && read_end(&ps) &&
		     check_numbers(&ps);
	pack_end(&ps);
	if (ok)
		*out = v;
	else if (e)
		locate(&ps, e);
	symtab_release(&ps.own);
	buf_release(&ps.scratch);
	free(ps.stack);
	free(ps.frames);
	free(ps.shapes);
	free(ps.seen);
	return ok;
}

/* --- writing ------------------------------------------------------- */

struct writer {
	struct buf *out;
	int indent, flags;
};

/* Bytes that cannot stand for themselves: how Go writes them. */
static void write_escape(struct buf *out, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *known = c ? strchr(from, c) : NULL;

	if (known) {
		char two[] = {'\\', to[known - from]};

		buf_add(out, two, 2);
	} else {
		buf_addf(out, "\\u%04x", c);
	}
}

static bool stands_for_itself(unsigned char c, int flags)
{
	if (c < 0x20 || c == '"' || c == '\\')
		return false;
	return !(flags & JSON_HTML) || (c != '<' && c != '>' && c != '&');
}

/* U+2028 and U+2029 end lines in JavaScript; broken bytes are replaced. */
static size_t write_wide(struct buf *out, const char *p, size_t len)
{
	uint32_t cp;
	size_t n = utf8_decode(p, len, &cp);

	if (cp == 0xfffd && n == 1)
		buf_adds(out, "\\ufffd");
	else if (cp == 0x2028 || cp == 0x2029)
		buf_addf(out, "\\u%04x", cp);
	else
		buf_add(out, p, n);
	return n;
}

static void write_string(struct writer *w, struct str s)
{
	size_t from = 0, i = 0;

	buf_addc(w->out, '"');
	while (i < s.len) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c < 0x80 && stands_for_itself(c, w->flags)) {
			i++;
			continue;
		}
		buf_add(w->out, s.ptr + from, i - from);
		if (c < 0x80) {
			write_escape(w->out, c);
			i++;
		} else {
			i += write_wide(w->out, s.ptr + i, s.len - i);
		}
		from = i;
	}
	buf_add(w->out, s.ptr + from, s.len - from);
	buf_addc(w->out, '"');
}

static __attribute__((noinline)) void write_line(struct writer *w, int level)
{
	size_t n;

	if (!w->indent)
		return;
	n = (size_t)w->indent * (size_t)level;
	buf_addc(w->out, '\n');
	memset(buf_reserve(w->out, n), ' ', n);
	w->out->len += n;
	w->out->ptr[w->out->len] = '\0';
}

static void write_value(struct writer *w, struct value v, int level);

static void write_items(
	struct writer *w, const struct value *items, uint32_t n, int level)
{
	buf_addc(w->out, '[');
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_addc(w->out, ',');
		write_line(w, level + 1);
		write_value(w, items[i], level + 1);
	}
	if (n)
		write_line(w, level);
	buf_addc(w->out, ']');
}

static void write_member(
	struct writer *w, struct str key, struct value v, bool first, int level)
{
	if (!first)
		buf_addc(w->out, ',');
	write_line(w, level + 1);
	write_string(w, key);
	buf_addc(w->out, ':');
	if (w->indent)
		buf_addc(w->out, ' ');
	write_value(w, v, level + 1);
}

/*
 * An object with keys that are not strings, as one whose keys are their texts.
 * Two may fall together then: the later one stays, as in a Go map.
 */
static struct value with_text_keys(struct arena *a, const struct object *o)
{
	struct value *keys = ARENA_ARRAY(a, struct value, o->len);
	struct value *vals = ARENA_ARRAY(a, struct value, o->len);
	struct buf text = {0};

	for (uint32_t i = 0; i < o->len; i++) {
		keys[i] = o->keys->items[i];
		vals[i] = o->vals[i];
		if (keys[i].tag == V_STR)
			continue;
		buf_reset(&text);
		value_json(&text, keys[i], 0, JSON_HTML);
		keys[i] = v_str(a, buf_str(&text));
	}
	buf_release(&text);
	return v_obj(a, keys, vals, o->len);
}

static bool has_text_keys(const struct object *o)
{
	/* Sorted by type: strings alone have strings at both ends. */
	return !o->len || (o->keys->items[0].tag == V_STR &&
				  o->keys->items[o->len - 1].tag == V_STR);
}

static void write_fields(struct writer *w, const struct object *o, int level)
{
	buf_addc(w->out, '{');
	for (uint32_t i = 0; i < o->len; i++)
		write_member(w, v_bytes(o->keys->items[i]), o->vals[i], i == 0,
			level);
	if (o->len)
		write_line(w, level);
	buf_addc(w->out, '}');
}

/* Kept out of write_value(), as write_number() is: its frame recurs. */
static __attribute__((noinline)) void write_mixed(
	struct writer *w, const struct object *o, int level)
{
	struct arena scratch = {0};

	write_fields(w, with_text_keys(&scratch, o).obj, level);
	arena_release(&scratch);
}

static __attribute__((noinline)) void write_number(
	struct writer *w, struct value v)
{
	char tmp[24];

	buf_addstr(w->out, num_text(v, tmp));
}

static void write_value(struct writer *w, struct value v, int level)
{
	switch (v.tag) {
	case V_TRUE:
		buf_adds(w->out, "true");
		break;
	case V_FALSE:
		buf_adds(w->out, "false");
		break;
	case V_INT:
	case V_NUM:
		write_number(w, v);
		break;
	case V_STR:
		write_string(w, v_bytes(v));
		break;
	case V_ARR:
		write_items(w, v.arr->items, v.arr->len, level);
		break;
	case V_SET:
		write_items(w, v.set->keys->items, v.set->len, level);
		break;
	case V_OBJ:
		if (has_text_keys(v.obj))
			write_fields(w, v.obj, level);
		else
			write_mixed(w, v.obj, level);
		break;
	default: /* null; undefined and lazy values never come here */
		buf_adds(w->out, "null");
		break;
	}
}

void value_json(struct buf *out, struct value v, int indent, int flags)
{
	struct writer w = {out, indent, flags};

	write_value(&w, v, 0);
}
