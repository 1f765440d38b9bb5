/*
 * gql_lex: the tokens of GraphQL documents.
 *
 * Places are those of gqlparser: code points from 1, and in and behind block
 * strings and \r\n lines that begin where it has them begin.
 *
 * Source: GraphQL specification, October 2021, section 2.1.
 */
#ifndef REGO_BUILTIN_GQL_LEX_H
#define REGO_BUILTIN_GQL_LEX_H

#include "base/arena.h"

enum gql_token_kind {
	GT_INVALID,
	GT_EOF,
	GT_BANG,
	GT_DOLLAR,
	GT_AMP,
	GT_PAREN_L,
	GT_PAREN_R,
	GT_SPREAD,
	GT_COLON,
	GT_EQUALS,
	GT_AT,
	GT_BRACKET_L,
	GT_BRACKET_R,
	GT_BRACE_L,
	GT_BRACE_R,
	GT_PIPE,
	GT_NAME,
	GT_INT,
	GT_FLOAT,
	GT_STRING,
	GT_BLOCK,
	GT_COMMENT,
};

extern const char *const gql_token_names[]; /* for errors: "!", "Name" */

struct gql_token {
	enum gql_token_kind kind;
	struct str text; /* of names, numbers, strings, comments; else empty */
	int64_t row, col;
};

/* {.arena = a, .s = text, .line = 1} stands at the beginning of `text`. */
struct gql_lexer {
	struct arena *arena; /* texts of strings go there */
	struct str s;
	size_t at;            /* byte */
	int64_t rune, line;   /* code points read; line from 1 */
	int64_t line_start;   /* code point at which the line begins */
	struct gql_token tok; /* the last one, or what is known of the next */
};

/* The next token; GT_EOF at the end, however often it is asked for. */
struct gql_token gql_lex(struct gql_lexer *l);

#endif
