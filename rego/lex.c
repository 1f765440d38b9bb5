#include "rego/lex.h"

#include <string.h>

/* clang-format off */
const struct tok_info tok_info[TOK_COUNT] = {
	/* kind                   name                       keyword      level word */
	[TOK_ILLEGAL]           = {"illegal",                  0,           0, 0},
	[TOK_EOF]               = {"eof",                      0,           0, 0},
	[TOK_SPACE]             = {"whitespace",               0,           0, 0},
	[TOK_IDENT]             = {"identifier",               0,           0, 0},
	[TOK_COMMENT]           = {"comment",                  0,           0, 0},
	[TOK_PACKAGE]           = {"package",                  KW_BASE,     0, 1},
	[TOK_IMPORT]            = {"import",                   KW_BASE,     0, 1},
	[TOK_AS]                = {"as",                       KW_BASE,     0, 1},
	[TOK_DEFAULT]           = {"default",                  KW_BASE,     0, 1},
	[TOK_ELSE]              = {"else",                     KW_BASE,     0, 1},
	[TOK_NOT]               = {"not",                      KW_NOT,      0, 1},
	[TOK_SOME]              = {"some",                     KW_BASE,     0, 1},
	[TOK_WITH]              = {"with",                     KW_BASE,     0, 1},
	[TOK_NULL]              = {"null",                     KW_BASE,     0, 1},
	[TOK_TRUE]              = {"true",                     KW_BASE,     0, 1},
	[TOK_FALSE]             = {"false",                    KW_BASE,     0, 1},
	[TOK_IN]                = {"in",                       KW_IN,       0, 1},
	[TOK_EVERY]             = {"every",                    KW_EVERY,    0, 1},
	[TOK_CONTAINS]          = {"contains",                 KW_CONTAINS, 0, 1},
	[TOK_IF]                = {"if",                       KW_IF,       0, 1},
	[TOK_LOGICAL_AND]       = {"and",                      KW_AND,      0, 1},
	[TOK_LOGICAL_OR]        = {"or",                       KW_OR,       0, 1},
	[TOK_NUMBER]            = {"number",                   0,           0, 0},
	[TOK_STRING]            = {"string",                   0,           0, 0},
	[TOK_TEMPLATE_PART]     = {"template-string-part",     0,           0, 0},
	[TOK_TEMPLATE_END]      = {"template-string-end",      0,           0, 0},
	[TOK_RAW_TEMPLATE_PART] = {"raw-template-string-part", 0,           0, 0},
	[TOK_RAW_TEMPLATE_END]  = {"raw-template-string-end",  0,           0, 0},
	[TOK_LBRACK]            = {"[",                        0,           0, 0},
	[TOK_RBRACK]            = {"]",                        0,           0, 0},
	[TOK_LBRACE]            = {"{",                        0,           0, 0},
	[TOK_RBRACE]            = {"}",                        0,           0, 0},
	[TOK_LPAREN]            = {"(",                        0,           0, 0},
	[TOK_RPAREN]            = {")",                        0,           0, 0},
	[TOK_COMMA]             = {",",                        0,           0, 0},
	[TOK_COLON]             = {":",                        0,           0, 0},
	[TOK_ADD]               = {"plus",                     0,           4, 0},
	[TOK_SUB]               = {"minus",                    0,           4, 0},
	[TOK_MUL]               = {"mul",                      0,           5, 0},
	[TOK_QUO]               = {"div",                      0,           5, 0},
	[TOK_REM]               = {"rem",                      0,           5, 0},
	[TOK_AND]               = {"and",                      KW_AND,      3, 0},
	[TOK_OR]                = {"or",                       KW_OR,       2, 0},
	[TOK_UNIFY]             = {"eq",                       0,           0, 0},
	[TOK_EQUAL]             = {"equal",                    0,           1, 0},
	[TOK_ASSIGN]            = {"assign",                   0,           0, 0},
	[TOK_NEQ]               = {"neq",                      0,           1, 0},
	[TOK_GT]                = {"gt",                       0,           1, 0},
	[TOK_LT]                = {"lt",                       0,           1, 0},
	[TOK_GTE]               = {"gte",                      0,           1, 0},
	[TOK_LTE]               = {"lte",                      0,           1, 0},
	[TOK_DOT]               = {".",                        0,           0, 0},
	[TOK_SEMICOLON]         = {";",                        0,           0, 0},
};
/* clang-format on */

/* What a byte can begin: C_OTHER is looked at by itself. */
enum { C_OTHER, C_SPACE, C_WORD, C_DIGIT, C_SINGLE, C_EQUALS };

/* First characters of tokens. `with_equals` is the token when `=` follows. */
struct char_info {
	uint8_t class;
	uint8_t tok;
	uint8_t with_equals;
	uint8_t in_word; /* may stand inside a word */
};

#define WORD                                                                   \
	{                                                                      \
		C_WORD, TOK_IDENT, 0, 1                                        \
	}
#define DIGIT                                                                  \
	{                                                                      \
		C_DIGIT, TOK_NUMBER, 0, 1                                      \
	}
#define SPACE                                                                  \
	{                                                                      \
		C_SPACE, TOK_SPACE, 0, 0                                       \
	}
#define ONE(t)                                                                 \
	{                                                                      \
		C_SINGLE, t, 0, 0                                              \
	}
#define TWO(t, e)                                                              \
	{                                                                      \
		C_EQUALS, t, e, 0                                              \
	}

/* clang-format off */
static const struct char_info chars[256] = {
	['\t'] = SPACE, ['\n'] = SPACE, ['\r'] = SPACE, [' '] = SPACE,
	['a'] = WORD, ['b'] = WORD, ['c'] = WORD, ['d'] = WORD, ['e'] = WORD,
	['f'] = WORD, ['g'] = WORD, ['h'] = WORD, ['i'] = WORD, ['j'] = WORD,
	['k'] = WORD, ['l'] = WORD, ['m'] = WORD, ['n'] = WORD, ['o'] = WORD,
	['p'] = WORD, ['q'] = WORD, ['r'] = WORD, ['s'] = WORD, ['t'] = WORD,
	['u'] = WORD, ['v'] = WORD, ['w'] = WORD, ['x'] = WORD, ['y'] = WORD,
	['z'] = WORD,
	['A'] = WORD, ['B'] = WORD, ['C'] = WORD, ['D'] = WORD, ['E'] = WORD,
	['F'] = WORD, ['G'] = WORD, ['H'] = WORD, ['I'] = WORD, ['J'] = WORD,
	['K'] = WORD, ['L'] = WORD, ['M'] = WORD, ['N'] = WORD, ['O'] = WORD,
	['P'] = WORD, ['Q'] = WORD, ['R'] = WORD, ['S'] = WORD, ['T'] = WORD,
	['U'] = WORD, ['V'] = WORD, ['W'] = WORD, ['X'] = WORD, ['Y'] = WORD,
	['Z'] = WORD, ['_'] = WORD,
	['0'] = DIGIT, ['1'] = DIGIT, ['2'] = DIGIT, ['3'] = DIGIT,
	['4'] = DIGIT, ['5'] = DIGIT, ['6'] = DIGIT, ['7'] = DIGIT,
	['8'] = DIGIT, ['9'] = DIGIT,
	['['] = ONE(TOK_LBRACK), [']'] = ONE(TOK_RBRACK),
	['{'] = ONE(TOK_LBRACE), ['}'] = ONE(TOK_RBRACE),
	['('] = ONE(TOK_LPAREN), [')'] = ONE(TOK_RPAREN),
	[','] = ONE(TOK_COMMA), [';'] = ONE(TOK_SEMICOLON),
	['.'] = ONE(TOK_DOT),
	['+'] = ONE(TOK_ADD), ['-'] = ONE(TOK_SUB), ['*'] = ONE(TOK_MUL),
	['/'] = ONE(TOK_QUO), ['%'] = ONE(TOK_REM),
	['&'] = ONE(TOK_AND), ['|'] = ONE(TOK_OR),
	[':'] = TWO(TOK_COLON, TOK_ASSIGN),
	['='] = TWO(TOK_UNIFY, TOK_EQUAL),
	['>'] = TWO(TOK_GT, TOK_GTE),
	['<'] = TWO(TOK_LT, TOK_LTE),
};

/* Decimal digits beyond ASCII: Unicode 15.0, general category Nd. */
static const uint32_t digit_runs[][2] = {
	{0x00660, 0x00669}, {0x006f0, 0x006f9}, {0x007c0, 0x007c9},
	{0x00966, 0x0096f}, {0x009e6, 0x009ef}, {0x00a66, 0x00a6f},
	{0x00ae6, 0x00aef}, {0x00b66, 0x00b6f}, {0x00be6, 0x00bef},
	{0x00c66, 0x00c6f}, {0x00ce6, 0x00cef}, {0x00d66, 0x00d6f},
	{0x00de6, 0x00def}, {0x00e50, 0x00e59}, {0x00ed0, 0x00ed9},
	{0x00f20, 0x00f29}, {0x01040, 0x01049}, {0x01090, 0x01099},
	{0x017e0, 0x017e9}, {0x01810, 0x01819}, {0x01946, 0x0194f},
	{0x019d0, 0x019d9}, {0x01a80, 0x01a89}, {0x01a90, 0x01a99},
	{0x01b50, 0x01b59}, {0x01bb0, 0x01bb9}, {0x01c40, 0x01c49},
	{0x01c50, 0x01c59}, {0x0a620, 0x0a629}, {0x0a8d0, 0x0a8d9},
	{0x0a900, 0x0a909}, {0x0a9d0, 0x0a9d9}, {0x0a9f0, 0x0a9f9},
	{0x0aa50, 0x0aa59}, {0x0abf0, 0x0abf9}, {0x0ff10, 0x0ff19},
	{0x104a0, 0x104a9}, {0x10d30, 0x10d39}, {0x11066, 0x1106f},
	{0x110f0, 0x110f9}, {0x11136, 0x1113f}, {0x111d0, 0x111d9},
	{0x112f0, 0x112f9}, {0x11450, 0x11459}, {0x114d0, 0x114d9},
	{0x11650, 0x11659}, {0x116c0, 0x116c9}, {0x11730, 0x11739},
	{0x118e0, 0x118e9}, {0x11950, 0x11959}, {0x11c50, 0x11c59},
	{0x11d50, 0x11d59}, {0x11da0, 0x11da9}, {0x11f50, 0x11f59},
	{0x16a60, 0x16a69}, {0x16ac0, 0x16ac9}, {0x16b50, 0x16b59},
	{0x1d7ce, 0x1d7ff}, {0x1e140, 0x1e149}, {0x1e2f0, 0x1e2f9},
	{0x1e4f0, 0x1e4f9}, {0x1e950, 0x1e959}, {0x1fbf0, 0x1fbf9},
};

/* clang-format on */

/* Keywords by first letter and length. */
#define WORD_KEY(first, len) ((unsigned)(first) << 4 | (unsigned)(len))

static uint8_t keyword_like(const char *text, size_t len)
{
	switch (WORD_KEY((unsigned char)text[0], len)) {
	case WORD_KEY('a', 2):
		return TOK_AS;
	case WORD_KEY('a', 3):
		return TOK_LOGICAL_AND;
	case WORD_KEY('c', 8):
		return TOK_CONTAINS;
	case WORD_KEY('d', 7):
		return TOK_DEFAULT;
	case WORD_KEY('e', 4):
		return TOK_ELSE;
	case WORD_KEY('e', 5):
		return TOK_EVERY;
	case WORD_KEY('f', 5):
		return TOK_FALSE;
	case WORD_KEY('i', 2):
		return text[1] == 'n' ? TOK_IN : TOK_IF;
	case WORD_KEY('i', 6):
		return TOK_IMPORT;
	case WORD_KEY('n', 3):
		return TOK_NOT;
	case WORD_KEY('n', 4):
		return TOK_NULL;
	case WORD_KEY('o', 2):
		return TOK_LOGICAL_OR;
	case WORD_KEY('p', 7):
		return TOK_PACKAGE;
	case WORD_KEY('s', 4):
		return TOK_SOME;
	case WORD_KEY('t', 4):
		return TOK_TRUE;
	case WORD_KEY('w', 4):
		return TOK_WITH;
	default:
		return TOK_IDENT;
	}
}

const struct future_word future_words[FUTURE_WORDS] = {
	{"and", KW_AND},
	{"contains", KW_CONTAINS},
	{"every", KW_EVERY},
	{"if", KW_IF},
	{"in", KW_IN},
	{"not", KW_NOT},
	{"or", KW_OR},
};

uint8_t lex_word(const char *text, size_t len, uint32_t keywords)
{
	uint8_t tok = len <= 8 ? keyword_like(text, len) : (uint8_t)TOK_IDENT;

	if (!(tok_info[tok].keyword & keywords) ||
		memcmp(tok_info[tok].name, text, len) != 0)
		return TOK_IDENT;
	return tok;
}

static bool is_digit_rune(uint32_t cp)
{
	for (size_t i = 0; i < COUNT(digit_runs); i++)
		if (cp >= digit_runs[i][0] && cp <= digit_runs[i][1])
			return true;
	return false;
}

/* What OPA says about the character at `pos`, or NULL. */
static const char *bad_char(const struct lexer *lx, uint32_t pos, size_t *width)
{
	uint32_t cp;

	*width = 1;
	if (lx->text[pos] == 0)
		return "illegal null character";
	*width = utf8_decode(lx->text + pos, lx->len - pos, &cp);
	if (cp == 0xfffd && *width == 1)
		return "illegal utf-8 character";
	if (cp == 0xfeff && pos > 0)
		return "illegal byte-order mark";
	return NULL;
}

/* Eight bytes of ASCII without a NUL? */
static bool is_plain(const char *s)
{
	const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
	uint64_t w;

	memcpy(&w, s, 8);
	return !((w | (w - ones)) & tops);
}

static bool has_bad_chars(const struct lexer *lx)
{
	uint32_t pos = 0;
	size_t width;

	while (pos < lx->len) {
		if (lx->len - pos >= 8 && is_plain(lx->text + pos)) {
			pos += 8;
			continue;
		}
		if ((unsigned char)lx->text[pos] - 1u < 127u) {
			pos++;
			continue;
		}
		if (bad_char(lx, pos, &width))
			return true;
		pos += (uint32_t)width;
	}
	return false;
}

void lex_start(struct lexer *lx, struct arena *a, struct str text)
{
	*lx = (struct lexer){
		.arena = a,
		.text = text.ptr,
		.len = (uint32_t)text.len,
		.keywords = KW_BASE | KW_NOT,
	};
	if (str_starts(text, S("\xef\xbb\xbf")))
		lx->first = 3;
	lx->dirty = has_bad_chars(lx);
}

/* --- notes ---------------------------------------------------------- */

/*
 * Notes under construction: `seen` is how far characters were looked at, so
 * that complaints about characters and about the token come in the order in
 * which OPA's scanner meets them.
 */
struct noting {
	const struct lexer *lx;
	struct lex_note *first, **tail;
	uint32_t seen;
};

static void add_note(struct noting *n, const char *message)
{
	struct lex_note *note = ARENA_NEW(n->lx->arena, struct lex_note);

	note->message = message;
	*n->tail = note;
	n->tail = &note->next;
}

/* Look at the characters up to and with the one at `pos`. */
static void look_at(struct noting *n, uint32_t pos)
{
	size_t width;

	if (!n->lx->dirty)
		return;
	while (n->seen <= pos && n->seen < n->lx->len) {
		const char *why = bad_char(n->lx, n->seen, &width);

		if (why)
			add_note(n, why);
		n->seen += (uint32_t)width;
	}
}

static void start_noting(
	struct noting *n, const struct lexer *lx, uint32_t start)
{
	*n = (struct noting){.lx = lx, .seen = start};
	n->tail = &n->first;
	/* The first character of a token was read with the token before it. */
	if (lx->dirty && start > lx->first && start < lx->len) {
		size_t width;

		bad_char(lx, start, &width);
		n->seen += (uint32_t)width;
	}
}

/* A complaint of the scanner when `pos` is the next character. */
static void complain(struct noting *n, uint32_t pos, const char *message)
{
	look_at(n, pos);
	add_note(n, message);
}

static void finish_token(struct token *t, struct noting *n, uint32_t end)
{
	look_at(n, end);
	t->end = end;
	t->notes = n->first;
	if (n->first)
		t->kind = TOK_ILLEGAL;
}

/* --- tokens --------------------------------------------------------- */

/* The end of the word that goes on at `pos`. */
static uint32_t word_end(const struct lexer *lx, uint32_t pos)
{
	const char *s = lx->text;

	for (;;) {
		while (pos < lx->len && chars[(unsigned char)s[pos]].in_word)
			pos++;
		if (pos >= lx->len || (unsigned char)s[pos] < 0x80)
			return pos;
		uint32_t cp;
		size_t width = utf8_decode(s + pos, lx->len - pos, &cp);

		if (!is_digit_rune(cp))
			return pos;
		pos += (uint32_t)width;
	}
}

static uint32_t skip_digits(const struct lexer *lx, uint32_t pos)
{
	while (pos < lx->len &&
		chars[(unsigned char)lx->text[pos]].class == C_DIGIT)
		pos++;
	return pos;
}

static char char_at(const struct lexer *lx, uint32_t pos)
{
	return pos < lx->len ? lx->text[pos] : 0;
}

/* A fraction or an exponent must have digits. */
static uint32_t need_digits(
	const struct lexer *lx, uint32_t pos, struct noting *n, const char *why)
{
	uint32_t end = skip_digits(lx, pos);

	if (end == pos)
		complain(n, pos, why);
	return end;
}

static uint32_t number_end(
	const struct lexer *lx, uint32_t pos, struct noting *n)
{
	pos = skip_digits(lx, pos);
	if (char_at(lx, pos) == '.')
		pos = need_digits(lx, pos + 1, n, "expected fraction");
	if ((char_at(lx, pos) | 0x20) == 'e') {
		pos++;
		if (char_at(lx, pos) == '+' || char_at(lx, pos) == '-')
			pos++;
		pos = need_digits(lx, pos, n, "expected exponent");
	}
	if (chars[(unsigned char)char_at(lx, pos)].class == C_WORD) {
		complain(n, pos, "illegal number format");
		pos = word_end(lx, pos);
	}
	return pos;
}

/* `count` characters further. */
static uint32_t skip_chars(const struct lexer *lx, uint32_t pos, int count)
{
	uint32_t cp;

	while (count-- > 0 && pos < lx->len)
		pos += (uint32_t)utf8_decode(
			lx->text + pos, lx->len - pos, &cp);
	return pos;
}

/*
 * Behind a backslash at `pos`. The four digits of \u are not looked at here:
 * OPA skips them whatever they are.
 */
static uint32_t escape_end(
	const struct lexer *lx, uint32_t pos, struct noting *n, bool template)
{
	char c = char_at(lx, pos);

	if (c == 'u')
		return skip_chars(lx, pos, 4);
	if (c != 0 && (strchr("\\\"/bfnrt", c) || (template && c == '{')))
		return pos + 1;
	complain(n, pos, "illegal escape sequence");
	return pos;
}

/* A "string" from behind its quote. */
static uint32_t string_end(
	const struct lexer *lx, uint32_t pos, struct noting *n)
{
	const char *s = lx->text;

	for (;;) {
		while (pos < lx->len && s[pos] != '"' && s[pos] != '\\' &&
			s[pos] != '\n')
			pos++;
		if (pos >= lx->len || s[pos] == '\n') {
			complain(n, pos, "non-terminated string");
			return pos;
		}
		if (s[pos++] == '"')
			return pos;
		pos = escape_end(lx, pos, n, false);
	}
}

static uint32_t raw_string_end(
	const struct lexer *lx, uint32_t pos, struct noting *n)
{
	const char *hit = pos < lx->len
				  ? memchr(lx->text + pos, '`', lx->len - pos)
				  : NULL;

	if (hit)
		return (uint32_t)(hit - lx->text) + 1;
	complain(n, lx->len, "non-terminated string");
	return lx->len;
}

static uint32_t template_end(
	const struct lexer *lx, uint32_t pos, struct noting *n, struct token *t)
{
	const char *s = lx->text;

	t->kind = TOK_TEMPLATE_PART;
	for (;;) {
		if (pos >= lx->len || s[pos] == '\n') {
			complain(n, pos, "non-terminated string");
			return pos;
		}
		char c = s[pos++];

		if (c == '"')
			t->kind = TOK_TEMPLATE_END;
		if (c == '"' || c == '{')
			return pos;
		if (c == '\\')
			pos = escape_end(lx, pos, n, true);
	}
}

static uint32_t raw_template_end(
	const struct lexer *lx, uint32_t pos, struct noting *n, struct token *t)
{
	const char *s = lx->text;

	t->kind = TOK_RAW_TEMPLATE_PART;
	for (; pos < lx->len; pos++) {
		if (s[pos] == '`')
			t->kind = TOK_RAW_TEMPLATE_END;
		if (s[pos] == '`' || s[pos] == '{')
			return pos + 1;
		if (s[pos] == '\\' && char_at(lx, pos + 1) == '{')
			pos++;
	}
	complain(n, lx->len, "non-terminated string");
	return lx->len;
}

static uint32_t comment_end(const struct lexer *lx, uint32_t pos)
{
	const char *hit = pos < lx->len
				  ? memchr(lx->text + pos, '\n', lx->len - pos)
				  : NULL;

	return hit ? (uint32_t)(hit - lx->text) : lx->len;
}

/* Everything that is not a word, a number or punctuation. */
static uint32_t other_end(
	const struct lexer *lx, uint32_t pos, struct noting *n, struct token *t)
{
	uint32_t cp, next = skip_chars(lx, pos, 1);

	switch (lx->text[pos]) {
	case '#':
		t->kind = TOK_COMMENT;
		return comment_end(lx, next);
	case '"':
		t->kind = TOK_STRING;
		return string_end(lx, next, n);
	case '`':
		t->kind = TOK_STRING;
		return raw_string_end(lx, next, n);
	case '$':
		if (char_at(lx, next) == '"')
			return template_end(lx, next + 1, n, t);
		if (char_at(lx, next) == '`')
			return raw_template_end(lx, next + 1, n, t);
		complain(n, next, "illegal $ character");
		return next;
	case '!':
		t->kind = TOK_NEQ;
		if (char_at(lx, next) == '=')
			return next + 1;
		complain(n, next, "illegal ! character");
		return next;
	default:
		break;
	}
	t->kind = TOK_ILLEGAL;
	utf8_decode(lx->text + pos, lx->len - pos, &cp);
	if (cp == 0xa0)
		complain(n, next,
			"illegal non-breaking space character, use a regular "
			"space instead");
	return next;
}

/* The token that begins at t->off. */
static void lex_token(const struct lexer *lx, struct token *t)
{
	uint32_t pos = t->off;
	const struct char_info *c;

	if (pos >= lx->len) {
		t->kind = TOK_EOF;
		t->end = lx->len;
		return;
	}
	c = &chars[(unsigned char)lx->text[pos]];
	t->kind = c->tok;
	switch (c->class) {
	case C_WORD:
		t->end = word_end(lx, pos + 1);
		/* OPA takes part of a wide character into the word. */
		if (t->end < lx->len && (unsigned char)lx->text[t->end] >= 0x80)
			break;
		t->kind = lex_word(lx->text + pos, t->end - pos, lx->keywords);
		break;
	case C_SPACE:
	case C_SINGLE:
		t->end = pos + 1;
		break;
	case C_EQUALS:
		t->end = pos + 1;
		if (char_at(lx, pos + 1) == '=') {
			t->kind = c->with_equals;
			t->end++;
		}
		break;
	default: {
		struct noting n;

		start_noting(&n, lx, pos);
		t->end = c->class == C_DIGIT ? number_end(lx, pos, &n)
					     : other_end(lx, pos, &n, t);
		finish_token(t, &n, t->end);
		return;
	}
	}
	if (lx->dirty) {
		struct noting n;

		start_noting(&n, lx, pos);
		finish_token(t, &n, t->end);
	}
}

void lex_space(const struct lexer *lx, uint32_t pos, struct token *t)
{
	t->off = pos < lx->first ? lx->first : pos;
	t->newline = false;
	t->notes = NULL;
	lex_token(lx, t);
	if (t->kind == TOK_SPACE && lx->text[t->off] == '\n')
		t->newline = true;
}

void lex(const struct lexer *lx, uint32_t pos, struct token *t)
{
	const char *s = lx->text;

	if (pos < lx->first)
		pos = lx->first;
	t->newline = false;
	t->notes = NULL;
	while (pos < lx->len && lex_is_space((unsigned char)s[pos])) {
		if (lx->dirty) {
			t->off = pos;
			lex_token(lx, t);
			if (t->kind != TOK_SPACE)
				return;
		}
		if (s[pos] == '\n')
			t->newline = true;
		pos++;
	}
	t->off = pos;
	lex_token(lx, t);
}

void lex_template(
	const struct lexer *lx, uint32_t pos, bool raw, struct token *t)
{
	struct noting n;
	uint32_t end;

	*t = (struct token){.off = pos};
	start_noting(&n, lx, pos);
	if (raw)
		end = raw_template_end(lx, pos, &n, t);
	else
		end = template_end(lx, pos, &n, t);
	finish_token(t, &n, end);
}

/* --- whole texts ---------------------------------------------------- */

static bool is_part(uint8_t kind)
{
	return kind == TOK_TEMPLATE_PART || kind == TOK_RAW_TEMPLATE_PART;
}

/*
 * The braces around us: in an expression of a template the } that closes it
 * is where the template goes on.
 */
struct braces {
	struct brace {
		uint32_t open;
		bool raw;
	} stack[64];
	uint32_t len;
};

static void count_braces(struct braces *b, const struct token *t)
{
	bool raw = t->kind == TOK_RAW_TEMPLATE_PART;

	if (is_part(t->kind) && b->len < COUNT(b->stack))
		b->stack[b->len++] = (struct brace){0, raw};
	else if (t->kind == TOK_LBRACE && b->len)
		b->stack[b->len - 1].open++;
	else if (t->kind == TOK_RBRACE && b->len && b->stack[b->len - 1].open)
		b->stack[b->len - 1].open--;
}

static bool closes_template(const struct braces *b, const struct token *t)
{
	return t->kind == TOK_RBRACE && b->len && !b->stack[b->len - 1].open;
}

void lex_all(struct str text, void (*each)(void *ctx, const struct token *t),
	void *ctx)
{
	struct arena a = {0};
	struct braces b = {0};
	struct lexer lx;
	struct token t = {0};

	lex_start(&lx, &a, text);
	lx.keywords |= KW_V0_FUTURE;
	do {
		if (closes_template(&b, &t)) {
			b.len--;
			lex_template(&lx, t.end, b.stack[b.len].raw, &t);
		} else {
			count_braces(&b, &t);
			lex(&lx, t.end, &t);
		}
		each(ctx, &t);
	} while (t.kind != TOK_EOF);
	arena_release(&a);
}
