/* Bodies: their statements, and the bodies and operators inside of these. */
#include "rego/parser.h"

#include <string.h>

/* --- expressions ---------------------------------------------------- */

/* lhs, or lhs := rhs, or lhs = rhs. The place is left open. */
static struct expr *expression(struct parser *p)
{
	struct term *lhs = parser_infix_call(p), *op, *rhs;

	if (!lhs)
		return NULL;
	if (p->s.tok != TOK_ASSIGN && p->s.tok != TOK_UNIFY)
		return parser_term_expr(p, lhs);
	op = parser_operator_ref(p);
	rhs = parser_infix_call(p);
	return rhs ? parser_term_expr(p, parser_binary_call(p, op, lhs, rhs))
		   : NULL;
}

/* One `with target as value`. */
static bool with(struct parser *p, struct with *w)
{
	uint32_t start = p->s.off;

	parser_scan(p);
	if (p->s.tok != TOK_IDENT) {
		parser_unexpected(p, "expected ident");
		return false;
	}
	w->target = parser_term(p);
	if (!w->target)
		return false;
	if (w->target->kind != T_REF && w->target->kind != T_VAR)
		parser_unexpected(p, "expected with target path");
	if (p->s.tok != TOK_AS) {
		parser_unexpected(p, "expected as keyword");
		return false;
	}
	parser_scan(p);
	w->value = parser_infix_call(p);
	w->loc = parser_span(p, start, p->s.last_end);
	return w->value != NULL;
}

/* The with modifiers at hand, if any, onto `x`. */
static bool withs(struct parser *p, struct expr *x)
{
	uint32_t cap = 0;

	while (p->s.tok == TOK_WITH) {
		if (x->nwiths == cap) {
			cap = cap ? cap * 2 : 2;
			struct with *more =
				ARENA_ARRAY(p->arena, struct with, cap);

			if (x->nwiths)
				memcpy(more, x->withs,
					x->nwiths * sizeof(*more));
			x->withs = more;
		}
		if (!with(p, &x->withs[x->nwiths]))
			return false;
		x->nwiths++;
	}
	return true;
}

static struct expr *with_withs(struct parser *p, struct expr *x)
{
	return x && withs(p, x) ? x : NULL;
}

static bool call_has(const struct term *t, uint32_t args)
{
	return t->list.len == args + 1;
}

/* Would what follows be `x in xs` if `in` were a keyword? */
static bool is_future_membership(struct parser *p)
{
	struct excursion e;
	struct term *t;

	parser_excursion_start(p, &e, p->lx.keywords | KW_FUTURE);
	t = parser_infix_call(p);
	parser_excursion_end(p, &e);
	p->s = e.s;
	return t && (parser_calls_internal(t, "member_2") ||
			    parser_calls_internal(t, "member_3"));
}

/* `some x in xs`; *done is false when it has to be `some x, y`. */
static struct expr *some_in(struct parser *p, struct loc at, bool *done)
{
	struct state s = p->s;
	struct expr *x;
	struct term *t;

	parser_scan(p);
	t = parser_infix_call(p);
	*done = t && t->kind == T_CALL;
	if (!*done) {
		p->s = s;
		return NULL;
	}
	bool pair = parser_calls_internal(t, "member_3");

	if (!pair && !parser_calls_internal(t, "member_2")) {
		parser_unexpected(
			p, "expected `x in xs` or `x, y in xs` expression");
		return NULL;
	}
	if (!call_has(t, pair ? 3 : 2)) {
		parser_unexpected(p, "illegal domain");
		return NULL;
	}
	x = parser_expr_new(p, X_SOME);
	x->loc = at;
	x->some.symbols = arena_raw(p->arena, sizeof(struct term *));
	x->some.symbols[0] = t;
	x->some.len = 1;
	return with_withs(p, x);
}

static bool lacks_keyword(const struct parser *p)
{
	return p->version == REGO_V0 || p->version == REGO_V0_V1;
}

static struct expr *some(struct parser *p)
{
	struct loc at = parser_here(p);
	uint32_t base = p->nstack;
	bool done;
	struct expr *x = some_in(p, at, &done);

	if (done)
		return x;
	if (lacks_keyword(p)) {
		struct state s = p->s;

		parser_scan(p);
		bool would = is_future_membership(p);

		p->s = s;
		if (would)
			parser_hint(p,
				"`import future.keywords.in` for `some x in "
				"xs` expressions");
	}
	do {
		parser_scan(p);
		if (p->s.tok != TOK_IDENT) {
			parser_unexpected(p, "expected var");
			p->nstack = base;
			return NULL;
		}
		parser_push(p, parser_var(p));
		parser_scan(p);
	} while (p->s.tok == TOK_COMMA);
	struct term *list = parser_list_term(p, T_ARRAY, base, at);

	x = parser_expr_new(p, X_SOME);
	x->loc = at;
	x->some.symbols = list->list.items;
	x->some.len = list->list.len;
	return x;
}

/* The `x in xs` or `k, v in xs` of an every. */
static bool every_head(struct parser *p, struct expr *x, const struct term *t)
{
	bool pair = parser_calls_internal(t, "member_3");

	if (!pair && !parser_calls_internal(t, "member_2")) {
		parser_unexpected(
			p, "expected `x[, y] in xs { ... }` expression");
		return false;
	}
	if (!call_has(t, pair ? 3 : 2)) {
		parser_unexpected(p, "illegal domain");
		return false;
	}
	struct term **arg = t->list.items + 1;

	x->every.key = pair ? arg[0] : NULL;
	x->every.value = arg[pair];
	x->every.domain = arg[pair + 1];
	if (pair && x->every.key->kind != T_VAR) {
		parser_unexpected(p, "expected key to be a variable");
		return false;
	}
	if (x->every.value->kind != T_VAR) {
		parser_unexpected(p, "expected value to be a variable");
		return false;
	}
	return true;
}

static struct expr *every(struct parser *p)
{
	struct expr *x = parser_expr_new(p, X_EVERY);
	struct term *t;

	x->loc = parser_here(p);
	parser_scan(p);
	t = parser_infix_call(p);
	if (!t || !every_head(p, x, t))
		return NULL;
	if (p->s.tok != TOK_LBRACE) {
		parser_unexpected(p, "missing body");
		return NULL;
	}
	parser_scan(p);
	x->every.body = parser_body_until(p, TOK_RBRACE);
	if (!x->every.body)
		return NULL;
	parser_scan(p);
	return with_withs(p, x);
}

/* `every` as a plain name: would it be an expression as a keyword? */
static void hint_every(struct parser *p, const struct state *start)
{
	struct state now = p->s;
	struct excursion e;
	struct expr *x;

	p->s = *start;
	parser_excursion_start(p, &e, p->lx.keywords | KW_FUTURE);
	x = every(p);
	parser_excursion_end(p, &e);
	p->s = now;
	if (x)
		parser_hint(p,
			"`import future.keywords.every` for `every x in xs { "
			"... }` expressions");
}

/* --- not, and, or (future.keywords, rego.v2) -------------------------- */

/* An operand of a logical operator: a body, braces and all. */
struct operand {
	struct body *body; /* NULL: there is none */
	bool braces;
	struct loc loc;
};

static bool at_logical(const struct parser *p)
{
	return p->s.tok == TOK_LOGICAL_AND || p->s.tok == TOK_LOGICAL_OR;
}

static bool logical_active(const struct parser *p)
{
	return p->lx.keywords & (KW_AND | KW_OR);
}

/* `at`, reaching up to the last token. */
struct loc parser_reaching(const struct parser *p, struct loc at)
{
	return parser_span(p, at.off, p->s.last_end);
}

/* The value the leading { of a term opens: that of the first operand. */
static const struct term *brace_led(const struct term *t)
{
	while (t->kind == T_CALL) {
		const struct builtin *bi = parser_called_builtin(t);

		if (!bi || !bi->infix || bi->arity < 0 ||
			!call_has(t, (uint32_t)bi->arity))
			break;
		t = t->list.items[1];
	}
	return t;
}

static void brace_led_operand(
	struct parser *p, struct loc at, const char *text, const char *op)
{
	parser_hint(p, "wrap the operand to keep the value: `(%s) %s ...`",
		text, op);
	parser_problem(p, at.off,
		"operand of `%s` cannot begin with `{` unless the braces hold "
		"a body",
		op);
}

static void with_on_operand(struct parser *p, struct loc at)
{
	const char *op = tok_info[p->s.tok].name;

	parser_hint(p,
		"Wrap the operand in `(...)` or `{...}` to scope, or move "
		"`with` after the `%s` expression to apply it to the whole "
		"expression",
		op);
	parser_problem(p, at.off,
		"`with` modifier is not allowed on operand of `%s`", op);
}

/*
 * { x | y }: as a body it holds a union, which looks like a comprehension.
 * The call or(x, y) and (x | y) don't.
 */
static bool is_union_body(const struct parser *p, const struct body *b)
{
	const struct expr *x = b->len ? b->items[0] : NULL;
	const char *text = p->lx.text;

	if (!x || x->kind != X_TERM || !parser_calls(x->term, "or"))
		return false;
	const struct term *op = x->term->list.items[0];

	if (!op->loc.src || op->loc.len != 1 || text[op->loc.off] != '|')
		return false;
	return !x->loc.src || text[x->loc.off] != '(';
}

static void union_body(struct parser *p, uint32_t brace, const struct body *b,
	const char *prefix)
{
	const char *braces = parser_source_text(p, brace, p->s.last_end);
	struct loc at = b->items[0]->loc;
	const char *set = braces;

	if (at.src && at.off > brace && at.off + at.len <= p->s.last_end)
		set = arena_printf(p->arena, "%s(%s)%s",
			parser_source_text(p, brace, at.off),
			parser_source_text(p, at.off, at.off + at.len),
			parser_source_text(p, at.off + at.len, p->s.last_end));
	parser_hint(p,
		"write `%s(%s)` for the comprehension, or `%s%s` for the set "
		"union",
		prefix, braces, prefix, set);
	parser_problem(p, brace,
		"ambiguous `{ ... | ... }` operand: read as a body holding a "
		"set-union expression, not as a comprehension");
}

static struct expr *not_expr(
	struct parser *p, struct body *body, bool braces, struct loc at)
{
	struct expr *x = parser_expr_new(p, X_NOT);

	x->body = body;
	x->braces = braces ? BRACES_LEFT : 0;
	x->loc = at;
	return x;
}

/* not { ... }, from the brace; `at` is the place of the not. */
static struct expr *not_body(struct parser *p, struct loc at)
{
	uint32_t brace = p->s.off;
	struct state s = p->s, failed;
	struct body *body;
	struct term *t;

	parser_scan(p);
	bool empty = p->s.tok == TOK_RBRACE;

	body = parser_body_until(p, TOK_RBRACE);
	if (body) {
		parser_scan(p);
		if (is_union_body(p, body)) {
			union_body(p, brace, body, "not ");
			return NULL;
		}
		return not_expr(p, body, true, parser_reaching(p, at));
	}
	if (empty)
		return NULL;
	/* Perhaps the braces hold a value: then say how to write that. */
	failed = p->s;
	p->s = s;
	t = parser_infix_call(p);
	if (!t) {
		p->s = failed;
		return NULL;
	}
	const char *text = parser_source_text(p, brace, p->s.last_end);

	parser_hint(p,
		"write `not (%s)` to negate the value, or `not {%s}` for a "
		"body holding it",
		text, text);
	parser_problem(p, brace,
		"`{...}` in an operand position must contain expression(s), "
		"got: %s",
		term_kind_name(brace_led(t)));
	return NULL;
}

/* The first void builtin of a body that does nothing but call some. */
static const char *void_calls(const struct body *b, struct loc *at)
{
	const char *name = NULL;

	for (uint32_t i = 0; i < b->len; i++) {
		const struct expr *x = b->items[i];
		const struct builtin *bi;

		if (x->negated || x->kind != X_TERM || x->term->kind != T_CALL)
			return NULL;
		bi = parser_called_builtin(x->term);
		if (!bi || !(bi->flags & BF_VOID))
			return NULL;
		if (!name) {
			name = bi->name;
			*at = x->loc;
		}
	}
	return name;
}

static void check_void(struct parser *p, const struct body *b, const char *op)
{
	struct loc at = {0};
	const char *name = void_calls(b, &at);

	if (!name)
		return;
	parser_hint(p,
		"`%s` produces no value and always succeeds, so the operand "
		"can never fail; move it out of the operand, or add an "
		"expression that can fail",
		name);
	parser_problem(p, at.off,
		"operand of `%s` cannot consist only of calls to `%s`", op,
		name);
}

static struct operand logical_operand(struct parser *p, const char *op);

/* Fold one operator and its right side onto `lhs`. */
static struct operand fold(
	struct parser *p, uint8_t kind, struct operand lhs, struct operand rhs)
{
	const char *op = kind == X_AND ? "and" : "or";
	struct expr *x = parser_expr_new(p, kind);
	struct operand out = {0};

	check_void(p, lhs.body, op);
	check_void(p, rhs.body, op);
	x->pair.left = lhs.body;
	x->pair.right = rhs.body;
	x->braces = (uint8_t)((lhs.braces ? BRACES_LEFT : 0) |
			      (rhs.braces ? BRACES_RIGHT : 0));
	x->loc = parser_reaching(p, lhs.loc);
	out.body = parser_body_of(p, x);
	out.loc = x->loc;
	return out;
}

/* `and`s from the left, as long as there are any. */
static struct operand and_chain(struct parser *p, struct operand lhs)
{
	uint32_t nesting = p->nesting;

	if (!lhs.body || p->s.tok != TOK_LOGICAL_AND)
		return lhs;
	if (!parser_enter(p, 1))
		return (struct operand){0};
	while (lhs.body && p->s.tok == TOK_LOGICAL_AND) {
		struct operand rhs = {0};

		parser_scan(p);
		if (parser_nest(p))
			rhs = logical_operand(p, "and");
		lhs = rhs.body ? fold(p, X_AND, lhs, rhs) : rhs;
	}
	p->nesting = nesting;
	parser_leave(p, 1);
	return lhs;
}

/* `and`s and `or`s from the left; `and` binds tighter. */
static struct expr *logical_chain(struct parser *p, struct operand lhs)
{
	uint32_t nesting = p->nesting;

	if (!parser_enter(p, 1))
		return NULL;
	lhs = and_chain(p, lhs);
	while (lhs.body && p->s.tok == TOK_LOGICAL_OR) {
		struct operand rhs = {0};

		parser_scan(p);
		if (parser_nest(p))
			rhs = logical_operand(p, "or");
		rhs = and_chain(p, rhs);
		lhs = rhs.body ? fold(p, X_OR, lhs, rhs) : rhs;
	}
	p->nesting = nesting;
	parser_leave(p, 1);
	return lhs.body ? lhs.body->items[0] : NULL;
}

/* What may follow a complete operand: a chain, and with modifiers. */
static struct expr *logical_tail(struct parser *p, struct operand lhs)
{
	struct expr *x = lhs.body->items[0];

	if (at_logical(p))
		x = logical_chain(p, lhs);
	return with_withs(p, x);
}

static bool is_logical_body(const struct body *b)
{
	return b->len == 1 &&
	       (b->items[0]->kind == X_AND || b->items[0]->kind == X_OR);
}

static bool is_negated_body(const struct body *b)
{
	return b->len == 1 &&
	       (b->items[0]->negated || b->items[0]->kind == X_NOT);
}

static bool close_group(struct parser *p)
{
	if (p->s.tok != TOK_RPAREN) {
		parser_problem(
			p, p->s.off, "expected ) to close parenthesized group");
		return false;
	}
	parser_scan(p);
	return true;
}

/* ({ body }) without and, or: the braces have to be a value. */
static bool is_braced_value(struct parser *p, const struct state *open,
	uint32_t brace, const char *prefix)
{
	const char *braces = parser_source_text(p, brace, p->s.last_end);
	struct term *t;

	p->s = *open;
	parser_scan(p);
	t = parser_term(p);
	p->s = *open;
	if (t)
		return true;
	parser_hint(
		p, "drop the parens to keep the body: `%s%s`", prefix, braces);
	parser_problem(p, open->off,
		"`(...)` in an operand position cannot contain a body");
	return false;
}

/* (a with x): the modifier belongs to the only operand. */
static bool group_with(struct parser *p, struct operand lhs)
{
	struct loc at = parser_here(p);

	if (!withs(p, lhs.body->items[0]))
		return false;
	if (at_logical(p)) {
		with_on_operand(p, at);
		return false;
	}
	return close_group(p);
}

/*
 * Parentheses that hold logical operators or negations, from the opening one.
 * False when they hold something else: the parser is where it was then.
 * `operand`: we are in operand position of and, or, not. `prefix` is "not "
 * behind a not, for hints.
 */
static bool group_inside(
	struct parser *p, bool operand, const char *prefix, struct operand *out)
{
	struct state open = p->s;
	struct loc at = parser_here(p);
	struct operand lhs;
	struct expr *x;

	*out = (struct operand){0};
	parser_scan(p);
	if (p->s.tok == TOK_RPAREN) {
		if (operand)
			parser_problem(p, at.off, "empty parenthesized group");
		else
			p->s = open;
		return operand;
	}
	lhs = logical_operand(p, "");
	if (!lhs.body) {
		p->s = open;
		return false;
	}
	if (at_logical(p)) {
		x = with_withs(p, logical_chain(p, lhs));
		if (!x || !close_group(p))
			return true;
		out->body = parser_body_of(p, x);
	} else if (p->s.tok == TOK_WITH && !lhs.braces && lhs.body->len == 1) {
		if (!group_with(p, lhs))
			return true;
		if (!operand && !at_logical(p)) {
			p->s = open;
			return false;
		}
		out->body = lhs.body;
	} else if (lhs.braces) {
		return !is_braced_value(p, &open, lhs.loc.off, prefix);
	} else if (is_logical_body(lhs.body) || is_negated_body(lhs.body)) {
		if (!close_group(p))
			return true;
		out->body = lhs.body;
	} else {
		p->s = open;
		return false;
	}
	out->loc = parser_reaching(p, at);
	return true;
}

static bool logical_group(
	struct parser *p, bool operand, const char *prefix, struct operand *out)
{
	*out = (struct operand){0};
	if (!parser_enter(p, 1))
		return true;
	bool is_group = true;

	if (parser_nest(p)) {
		is_group = group_inside(p, operand, prefix, out);
		p->nesting--;
	}
	parser_leave(p, 1);
	return is_group;
}

/* `not` as an operator, not as the head of a ref. */
static bool at_not(struct parser *p)
{
	if (p->s.tok != TOK_NOT)
		return false;
	uint8_t next = parser_peek_space(p);

	return next != TOK_DOT && next != TOK_LBRACK;
}

/* { body } as an operand. `op` is "" where the reading is only tried. */
static struct operand braced_operand(struct parser *p, const char *op)
{
	struct operand out = {.braces = true, .loc = parser_here(p)};
	uint32_t brace = p->s.off;
	struct state s = p->s, failed;

	parser_scan(p);
	bool empty = p->s.tok == TOK_RBRACE;

	out.body = parser_body_until(p, TOK_RBRACE);
	if (out.body) {
		parser_scan(p);
		/* Where the reading is given up the error goes with it. */
		if (is_union_body(p, out.body))
			union_body(p, brace, out.body, "");
		return out;
	}
	if (empty || !*op)
		return out;
	failed = p->s;
	p->s = s;
	if (parser_infix_call(p))
		brace_led_operand(p, out.loc,
			parser_source_text(p, brace, p->s.last_end), op);
	else
		p->s = failed;
	return out;
}

/* A plain expression as an operand; `nots` is where its `not` stands. */
static struct operand plain_operand(
	struct parser *p, bool negated, struct loc nots)
{
	struct operand out = {0};
	uint32_t start = p->s.off;
	struct expr *x = expression(p);

	if (!x)
		return out;
	x->loc = parser_span(p, start, p->s.last_end);
	if (negated && p->not_bodies)
		x = not_expr(p, parser_body_of(p, x), false,
			parser_reaching(p, nots));
	else
		x->negated = negated;
	out.body = parser_body_of(p, x);
	out.loc = x->loc;
	return out;
}

static struct operand logical_operand(struct parser *p, const char *op)
{
	struct operand out = {0};
	struct loc nots = parser_here(p);
	struct expr *x;

	if (p->s.tok == TOK_LBRACE)
		return braced_operand(p, op);
	bool negated = at_not(p);

	if (negated)
		parser_scan(p);
	if (negated && p->not_bodies && p->s.tok == TOK_LBRACE) {
		x = not_body(p, nots);
		if (x) {
			out.body = parser_body_of(p, x);
			out.loc = x->loc;
		}
		return out;
	}
	if (p->s.tok == TOK_LPAREN && logical_active(p) &&
		(!negated || p->not_bodies) &&
		logical_group(p, true, negated ? "not " : "", &out)) {
		if (out.body && negated) {
			x = not_expr(p, out.body, out.braces,
				parser_reaching(p, nots));
			out = (struct operand){
				parser_body_of(p, x), false, x->loc};
		}
		return out;
	}
	return plain_operand(p, negated, nots);
}

/* --- literals ------------------------------------------------------- */

static bool is_empty_object(const struct expr *x)
{
	return !x->nwiths && x->kind == X_TERM && x->term->kind == T_OBJECT &&
	       !x->term->list.len;
}

/* An expression that turned out to be the left side of and, or. */
static struct expr *chain_from(
	struct parser *p, struct expr *x, bool negated, struct loc with_at)
{
	if (with_at.src) {
		with_on_operand(p, with_at);
		return NULL;
	}
	if (!negated && p->lx.text[x->loc.off] == '{') {
		if (is_empty_object(x))
			parser_problem(p, x->loc.off, "found empty body");
		else
			brace_led_operand(p, x->loc,
				parser_source_text(
					p, x->loc.off, x->loc.off + x->loc.len),
				tok_info[p->s.tok].name);
		return NULL;
	}
	struct operand lhs = {parser_body_of(p, x), false, x->loc};

	return with_withs(p, logical_chain(p, lhs));
}

/* not x as a node of its own; modifiers belong to the whole. */
static struct expr *negation(struct parser *p, struct expr *x, struct loc nots)
{
	struct expr * not ;
	struct with *ws = x->withs;
	uint32_t n = x->nwiths;

	x->withs = NULL;
	x->nwiths = 0;
	not = not_expr(
		p, parser_body_of(p, x), false, parser_reaching(p, nots));
	not ->withs = ws;
	not ->nwiths = n;
	return not ;
}

/* An expression with its modifiers, behind `not` when `negated`. */
static struct expr *plain_literal(
	struct parser *p, bool negated, struct loc nots)
{
	struct loc start = parser_here(p), with_at = {0};
	bool may_be_every = lacks_keyword(p) && p->s.tok == TOK_IDENT;
	struct state s;
	struct operand group;
	struct expr *x;

	if (may_be_every)
		s = p->s;

	if (negated && p->not_bodies && p->s.tok == TOK_LPAREN &&
		logical_group(p, true, "not ", &group)) {
		if (!group.body)
			return NULL;
		x = not_expr(
			p, group.body, group.braces, parser_reaching(p, nots));
		return logical_tail(p,
			(struct operand){parser_body_of(p, x), false, x->loc});
	}
	x = expression(p);
	if (!x)
		return NULL;
	if (p->s.tok == TOK_WITH) {
		with_at = parser_here(p);
		if (!withs(p, x))
			return NULL;
	}
	if (may_be_every && x->kind == X_TERM &&
		parser_is_name(x->term, "every"))
		hint_every(p, &s);
	if (negated && p->not_bodies)
		x = negation(p, x, nots);
	else
		x->negated = negated;
	if (!at_logical(p))
		return x;
	if (!x->loc.src)
		x->loc = parser_span(p, start.off, p->s.last_end);
	return chain_from(p, x, negated, with_at);
}

/*
 * { body } and ..., tried where a literal begins with a brace. NULL with
 * *done false when it is no operand.
 */
static struct expr *braced_chain(struct parser *p, bool *done)
{
	struct state s = p->s;
	uint32_t memo = p->memo.len;
	struct operand lhs = {.braces = true, .loc = parser_here(p)};

	parser_scan(p);
	lhs.body = parser_body_until(p, TOK_RBRACE);
	if (lhs.body)
		parser_scan(p);
	*done = lhs.body && at_logical(p);
	if (!*done) {
		p->s = s;
		p->memo.len = memo < p->memo.len ? memo : p->memo.len;
		return NULL;
	}
	if (is_union_body(p, lhs.body)) {
		union_body(p, s.off, lhs.body, "");
		return NULL;
	}
	return with_withs(p, logical_chain(p, lhs));
}

static struct expr *literal_inside(struct parser *p)
{
	struct loc nots = parser_here(p);
	struct operand group;
	bool negated, done;
	struct expr *x;

	if (p->s.tok == TOK_LBRACE && logical_active(p)) {
		x = braced_chain(p, &done);
		if (done)
			return x;
	}
	if (p->s.tok == TOK_LPAREN && logical_active(p) &&
		logical_group(p, false, "", &group))
		return group.body ? logical_tail(p, group) : NULL;
	if (parser_keyword_as_name(p))
		return plain_literal(p, false, (struct loc){0});
	negated = at_not(p);
	if (negated)
		parser_scan(p);
	if (negated && p->not_bodies && p->s.tok == TOK_LBRACE) {
		x = not_body(p, nots);
		if (!x)
			return NULL;
		return logical_tail(p,
			(struct operand){parser_body_of(p, x), false, x->loc});
	}
	if (p->s.tok != TOK_SOME && p->s.tok != TOK_EVERY)
		return plain_literal(p, negated, nots);
	if (negated) {
		parser_unexpected(
			p, "illegal negation of '%s'", tok_info[p->s.tok].name);
		return NULL;
	}
	return p->s.tok == TOK_SOME ? some(p) : every(p);
}

/* One statement of a body. */
struct expr *parser_literal(struct parser *p)
{
	uint32_t start = p->s.off;
	struct expr *x;

	x = literal_inside(p);
	if (!x)
		return NULL;
	x->loc = parser_span(p, start, p->s.last_end);
	if (x->kind == X_NOT && !(x->braces & BRACES_LEFT))
		for (uint32_t i = 0; i < x->body->len; i++)
			x->body->items[i]->loc = x->loc;
	return x;
}

/* A word that is an infix keyword after an import, which is missing. */
static void hint_infix_keyword(struct parser *p)
{
	/* clang-format off */
	static const char *const uses[][2] = {
		{"in", "x in xs"}, {"and", "x and y"}, {"or", "x or y"},
	};
	/* clang-format on */
	struct str word = str_make(p->lx.text + p->s.off, p->s.end - p->s.off);
	size_t use = COUNT(uses);

	if (p->s.hints)
		return;
	if (p->s.tok == TOK_IDENT) {
		for (size_t i = 0; i < COUNT(uses); i++)
			if (str_is(word, uses[i][0]))
				use = i;
	} else if (p->s.tok == TOK_COMMA) {
		struct state s = p->s;

		parser_scan(p);
		if (is_future_membership(p))
			use = 0;
		p->s = s;
	}
	if (use < COUNT(uses))
		parser_hint(p,
			"`import future.keywords.%s` for `%s` expressions",
			uses[use][0], uses[use][1]);
}

/*
 * Statements up to `end`, by ; or line ends apart. `one_line`: the query
 * ends where no ; follows.
 */
struct body *parser_query(struct parser *p, bool one_line, uint8_t end)
{
	struct body *b;

	if (p->s.tok == end) {
		parser_problem(p, p->s.off, "found empty body");
		return NULL;
	}
	b = ARENA_NEW(p->arena, struct body);
	for (;;) {
		struct expr *x = parser_literal(p);

		if (!x)
			return NULL;
		parser_append(p, b, x);
		if (p->s.tok == TOK_SEMICOLON) {
			parser_scan(p);
			continue;
		}
		if (p->s.tok == end || one_line)
			return b;
		if (p->s.newline)
			continue;
		if (!p->s.problems) {
			hint_infix_keyword(p);
			parser_unexpected(p, "expected \\n or ; or %s",
				tok_info[end].name);
		}
		return NULL;
	}
}

struct body *parser_body_until(struct parser *p, uint8_t end)
{
	struct body *b;

	if (!parser_enter(p, 1))
		return NULL;
	b = NULL;
	if (parser_nest(p)) {
		b = parser_query(p, false, end);
		p->nesting--;
	}
	parser_leave(p, 1);
	return b;
}
