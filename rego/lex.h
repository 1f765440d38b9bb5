/*
 * lex: from source text to tokens, one at a time.
 *
 * The parser asks for the token that begins at or after an offset; there is no
 * state in between, so going back costs nothing. Words that are keywords only
 * after an import (`in`, `every`, ...) are told apart by `keywords`, and the
 * rest of a template string is asked for by the parser, which alone knows
 * where an expression in it ends.
 *
 * What OPA reports while it scans hangs at the token as `notes`, in order; such
 * a token is TOK_ILLEGAL. OPA reads one character ahead, so a broken character
 * belongs to the token in front of it.
 */
#ifndef REGO_LEX_H
#define REGO_LEX_H

#include "rego/ast.h"

enum tok {
	TOK_ILLEGAL,
	TOK_EOF,
	TOK_SPACE,
	TOK_IDENT,
	TOK_COMMENT,

	TOK_PACKAGE,
	TOK_IMPORT,
	TOK_AS,
	TOK_DEFAULT,
	TOK_ELSE,
	TOK_NOT,
	TOK_SOME,
	TOK_WITH,
	TOK_NULL,
	TOK_TRUE,
	TOK_FALSE,
	TOK_IN,
	TOK_EVERY,
	TOK_CONTAINS,
	TOK_IF,
	TOK_LOGICAL_AND, /* the word; & is TOK_AND */
	TOK_LOGICAL_OR,

	TOK_NUMBER,
	TOK_STRING,
	TOK_TEMPLATE_PART, /* up to a { */
	TOK_TEMPLATE_END,
	TOK_RAW_TEMPLATE_PART,
	TOK_RAW_TEMPLATE_END,

	TOK_LBRACK,
	TOK_RBRACK,
	TOK_LBRACE,
	TOK_RBRACE,
	TOK_LPAREN,
	TOK_RPAREN,
	TOK_COMMA,
	TOK_COLON,
	TOK_ADD,
	TOK_SUB,
	TOK_MUL,
	TOK_QUO,
	TOK_REM,
	TOK_AND,
	TOK_OR,
	TOK_UNIFY,
	TOK_EQUAL,
	TOK_ASSIGN,
	TOK_NEQ,
	TOK_GT,
	TOK_LT,
	TOK_GTE,
	TOK_LTE,
	TOK_DOT,
	TOK_SEMICOLON,

	TOK_COUNT
};

/* Sets of keywords, to be or-ed. */
enum keyword {
	KW_BASE = 1, /* those of every version, without `not` */
	KW_NOT = 2,
	KW_IN = 4,
	KW_EVERY = 8,
	KW_CONTAINS = 16,
	KW_IF = 32,
	KW_AND = 64,
	KW_OR = 128,
	KW_V0_FUTURE = KW_IN | KW_EVERY | KW_CONTAINS | KW_IF,
	KW_V1_FUTURE = KW_NOT | KW_AND | KW_OR,
	KW_FUTURE = KW_V0_FUTURE | KW_V1_FUTURE,
};

/* The words that imports of future.keywords name, in order of the names. */
enum { FUTURE_WORDS = 7 };
extern const struct future_word {
	const char *name;
	uint8_t keyword; /* enum keyword */
} future_words[FUTURE_WORDS];

struct tok_info {
	const char *name; /* as in messages; of operators, the builtin */
	uint8_t keyword;  /* enum keyword; & and | count as `and` and `or` */
	uint8_t level;    /* of binary operators: 1 binds loosest; else 0 */
	uint8_t is_word;  /* messages say "keyword", not "token" */
};

extern const struct tok_info tok_info[TOK_COUNT];

struct lex_note {
	const char *message;
	struct lex_note *next;
};

struct token {
	uint32_t off, end; /* bytes */
	uint8_t kind;      /* enum tok */
	bool newline;      /* a line ended between this and the last one */
	struct lex_note *notes;
};

struct lexer {
	struct arena *arena; /* of the notes */
	const char *text;
	uint32_t len;
	uint32_t first;    /* offset of the first character after a BOM */
	uint32_t keywords; /* enum keyword: the words known as such */
	bool dirty;        /* there are characters that OPA complains about */
};

/*
 * Stand before the first token of `text`, which must stay; notes on it are in
 * `a`.
 */
void lex_start(struct lexer *lx, struct arena *a, struct str text);

/*
 * The token at or after `pos`: white space is skipped, comments are tokens.
 * The next call goes on at t->end.
 */
void lex(const struct lexer *lx, uint32_t pos, struct token *t);

/* As lex(), but a blank or line end at `pos` is a token: TOK_SPACE. */
void lex_space(const struct lexer *lx, uint32_t pos, struct token *t);

/* The template string that goes on at `pos`, behind the } of an expression. */
void lex_template(
	const struct lexer *lx, uint32_t pos, bool raw, struct token *t);

/* Calls back for all tokens of a text, those of templates too, to TOK_EOF. */
void lex_all(struct str text, void (*each)(void *ctx, const struct token *t),
	void *ctx);

/* White space of Rego, newlines included. */
static inline bool lex_is_space(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The token kind of the word text[0..len) when `keywords` are known. */
uint8_t lex_word(const char *text, size_t len, uint32_t keywords);

#endif
