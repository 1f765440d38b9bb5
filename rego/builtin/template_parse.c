#include "rego/builtin/template.h"

#include <string.h>

#include "base/limits.h"
#include "rego/builtin/unicode.h"

struct parser {
	struct bi_ctx *cx;
	struct tmpl_set *set;
	struct tmpl_lexer lex;
	struct tmpl_token back[3]; /* read and given back, the next one last */
	uint32_t nback;
	uint32_t line;        /* of the newest token read: of errors */
	uint32_t action_line; /* of the action that is read; 0: none */
	struct tmpl_names vars;
	uint32_t ranges; /* {{range}} around */
	uint32_t depth;
	enum bi_status st;
};

/* --- errors --------------------------------------------------------------- */

/* Everything ends; the first error is the one that is told. Returns false. */
PRINTF(2, 3)
static bool fail(struct parser *p, const char *fmt, ...)
{
	va_list ap;
	const char *text;

	if (p->st)
		return false;
	va_start(ap, fmt);
	text = arena_vprintf(p->cx->arena, fmt, ap);
	va_end(ap);
	p->st = bi_error(
		p->cx, "template: " TMPL_NAME ":%u: %s", p->line, text);
	return false;
}

static const char *quoted(struct parser *p, struct str s)
{
	struct buf b = {0};
	const char *text;

	quote_go(&b, s, false);
	text = arena_strdup(p->cx->arena, buf_str(&b));
	buf_release(&b);
	return text;
}

static const char *token_text(struct parser *p, const struct tmpl_token *t)
{
	enum { SHOWN = 10 }; /* code points */
	struct str s = t->text;
	size_t at = 0;
	uint32_t c;

	if (t->kind == TT_EOF)
		return "EOF";
	if (t->kind > TT_KEYWORD)
		return arena_printf(p->cx->arena, "<%.*s>", STR_ARG(s));
	if (s.len <= SHOWN)
		return quoted(p, s);
	for (int n = 0; n < SHOWN && at < s.len; n++)
		at += utf8_decode(s.ptr + at, s.len - at, &c);
	return arena_printf(
		p->cx->arena, "%s...", quoted(p, str_slice(s, 0, at)));
}

/* A token that can't stand in `context`; false. */
static bool unexpected(
	struct parser *p, const struct tmpl_token *t, const char *context)
{
	bool elsewhere = p->action_line && p->action_line != t->line;

	if (t->kind != TT_ERROR)
		return fail(
			p, "unexpected %s in %s", token_text(p, t), context);
	if (!elsewhere)
		return fail(p, "%.*s", STR_ARG(t->text));
	return fail(p, "%.*s%s started at " TMPL_NAME ":%u", STR_ARG(t->text),
		str_ends(t->text, S(" action")) ? "" : " in action",
		p->action_line);
}

/* Deeper than `depth`: counted up by enter(), down by the caller. */
static bool enter(struct parser *p)
{
	if (++p->depth <= LIMIT_TEMPLATE_DEPTH)
		return true;
	if (!p->st)
		p->st = bi_limit(p->cx,
			"template has more than %u actions and brackets inside "
			"each other",
			LIMIT_TEMPLATE_DEPTH);
	return false;
}

/* --- tokens --------------------------------------------------------------- */

static struct tmpl_token next(struct parser *p)
{
	struct tmpl_token t;

	if (p->nback)
		return p->back[--p->nback];
	if (!p->st && !bi_charge(p->cx, 1))
		p->st = BI_HALT;
	t = tmpl_lex(&p->lex);
	p->line = t.line;
	return t;
}

static void give_back(struct parser *p, struct tmpl_token t)
{
	p->back[p->nback++] = t;
}

static struct tmpl_token peek(struct parser *p)
{
	struct tmpl_token t = next(p);

	give_back(p, t);
	return t;
}

static struct tmpl_token next_solid(struct parser *p)
{
	struct tmpl_token t = next(p);

	while (t.kind == TT_SPACE)
		t = next(p);
	return t;
}

static struct tmpl_token peek_solid(struct parser *p)
{
	struct tmpl_token t = next_solid(p);

	give_back(p, t);
	return t;
}

static bool expect(
	struct parser *p, enum tmpl_token_kind kind, const char *context)
{
	struct tmpl_token t = next_solid(p);

	return t.kind == kind || unexpected(p, &t, context);
}

/* --- nodes ---------------------------------------------------------------- */

static struct tmpl_node *node(
	struct parser *p, enum tmpl_node_kind kind, const struct tmpl_token *t)
{
	struct tmpl_node *n = ARENA_NEW(p->cx->arena, struct tmpl_node);

	n->kind = (uint8_t)kind;
	n->pos = t->pos;
	n->text = t->text;
	return n;
}

static void append(struct tmpl_list *l, struct tmpl_node *n)
{
	if (l->last)
		l->last->next = n;
	else
		l->first = n;
	l->last = n;
	l->len++;
}

static void add_name(struct parser *p, struct tmpl_names *names, struct str s)
{
	names->at = arena_grow(p->cx->arena, names->at, names->len, &names->cap,
		sizeof(*names->at));
	names->at[names->len++] = s;
}

/* Declared so far, and not out of scope. */
static bool knows_var(struct parser *p, struct str name)
{
	uint32_t i = p->vars.len;

	while (i && !str_eq(p->vars.at[i - 1], name))
		i--;
	if (!p->st && !bi_charge(p->cx, (p->vars.len - i) / 16))
		p->st = BI_HALT;
	return i > 0;
}

/* --- terms ---------------------------------------------------------------- */

static struct tmpl_node *pipeline(
	struct parser *p, const char *context, enum tmpl_token_kind end);

static struct tmpl_node *function(struct parser *p, const struct tmpl_token *t)
{
	struct tmpl_node *n = node(p, TN_IDENT, t);

	n->func = tmpl_func_find(t->text);
	if (!n->func)
		fail(p, "function %s not defined", quoted(p, t->text));
	return n;
}

static struct tmpl_node *variable(struct parser *p, const struct tmpl_token *t)
{
	struct tmpl_node *n = node(p, TN_VARIABLE, t);

	if (!knows_var(p, t->text))
		fail(p, "undefined variable %s", quoted(p, t->text));
	add_name(p, &n->names, t->text);
	return n;
}

static struct tmpl_node *field(struct parser *p, const struct tmpl_token *t)
{
	struct tmpl_node *n = node(p, TN_FIELD, t);

	add_name(p, &n->names, str_slice(t->text, 1, t->text.len));
	return n;
}

static struct tmpl_node *boolean(struct parser *p, const struct tmpl_token *t)
{
	struct tmpl_node *n = node(p, TN_BOOL, t);

	n->constant = (struct go_value){
		.kind = GO_BOOL, .b = str_is(t->text, "true")};
	return n;
}

static struct tmpl_node *number(struct parser *p, const struct tmpl_token *t)
{
	struct tmpl_node *n = node(p, TN_NUMBER, t);
	const char *why = tmpl_number(p->cx, t, &n->constant);

	if (why)
		fail(p, "%s", why);
	return n;
}

/* The text in quotes; false after an error. */
static bool unquote(
	struct parser *p, const struct tmpl_token *t, struct str *out)
{
	return tmpl_unquote(p->cx->arena, t->text, out) ||
	       fail(p, "invalid syntax");
}

static struct tmpl_node *string(struct parser *p, const struct tmpl_token *t)
{
	struct tmpl_node *n = node(p, TN_STRING, t);
	struct str s = {0};

	unquote(p, t, &s);
	n->constant = go_string(s);
	return n;
}

static struct tmpl_node *parentheses(struct parser *p)
{
	struct tmpl_node *n = NULL;

	if (enter(p))
		n = pipeline(p, "parenthesized pipeline", TT_CLOSE);
	p->depth--;
	return n;
}

/* NULL: there is none; or an error. */
static struct tmpl_node *term(struct parser *p)
{
	struct tmpl_token t = next_solid(p);

	switch (t.kind) {
	case TT_IDENT:
		return function(p, &t);
	case TT_DOT:
		return node(p, TN_DOT, &t);
	case TT_NIL:
		return node(p, TN_NIL, &t);
	case TT_VARIABLE:
		return variable(p, &t);
	case TT_FIELD:
		return field(p, &t);
	case TT_BOOL:
		return boolean(p, &t);
	case TT_CHAR:
	case TT_COMPLEX:
	case TT_NUMBER:
		return number(p, &t);
	case TT_OPEN:
		return parentheses(p);
	case TT_STRING:
	case TT_RAW:
		return string(p, &t);
	default:
		give_back(p, t);
		return NULL;
	}
}

/* What the fields behind a term belong to: itself, or a chain around it. */
static struct tmpl_node *field_owner(
	struct parser *p, struct tmpl_node *n, const struct tmpl_token *first)
{
	struct tmpl_node *chain;

	switch (n->kind) {
	case TN_FIELD:
	case TN_VARIABLE:
		n->pos = first->pos;
		return n;
	case TN_BOOL:
	case TN_STRING:
	case TN_NUMBER:
	case TN_NIL:
	case TN_DOT:
		fail(p, "unexpected . after term %s", quoted(p, n->text));
		return n;
	default:
		chain = node(p, TN_CHAIN, first);
		chain->of = n;
		return chain;
	}
}

/* A term and the fields behind it. */
static struct tmpl_node *operand(struct parser *p)
{
	struct tmpl_node *n = term(p), *owner;
	struct tmpl_names names = {0};
	struct tmpl_token first, t;

	if (!n || p->st)
		return NULL;
	first = t = next(p);
	for (; t.kind == TT_FIELD; t = next(p))
		add_name(p, &names, str_slice(t.text, 1, t.text.len));
	give_back(p, t);
	if (!names.len)
		return n;
	owner = field_owner(p, n, &first);
	for (uint32_t i = 0; i < names.len && !p->st; i++)
		add_name(p, &owner->names, names.at[i]);
	return owner;
}

/* --- pipelines ------------------------------------------------------------ */

/* Operands up to "|" or the end. */
static struct tmpl_node *command(struct parser *p)
{
	struct tmpl_token t = peek_solid(p);
	struct tmpl_node *n = node(p, TN_COMMAND, &t), *arg;

	for (;;) {
		t = peek_solid(p);
		arg = operand(p);
		if (p->st)
			return n;
		if (arg)
			append(&n->args, arg);
		t = next(p);
		if (t.kind == TT_PIPE)
			break;
		if (t.kind == TT_RIGHT || t.kind == TT_CLOSE) {
			give_back(p, t);
			break;
		}
		if (t.kind != TT_SPACE) {
			unexpected(p, &t, "operand");
			return n;
		}
	}
	if (!n->args.len)
		fail(p, "empty command");
	return n;
}

static void declare(
	struct parser *p, struct tmpl_node *n, const struct tmpl_token *var)
{
	add_name(p, &n->decls, var->text);
	add_name(p, &p->vars, var->text);
}

/* Behind "$x,": whether another declaration may follow. */
static bool second_variable(
	struct parser *p, const struct tmpl_node *n, const char *context)
{
	struct tmpl_token t;

	if (strcmp(context, "range") != 0 || n->decls.len >= 2)
		return fail(p, "too many declarations in %s", context);
	t = peek_solid(p);
	return t.kind == TT_VARIABLE || t.kind == TT_RIGHT ||
	       t.kind == TT_CLOSE ||
	       fail(p, "range can only initialize variables");
}

/* "$x :=", "$x =" and, in a range, "$x, $y :=" at the beginning. */
static void declarations(
	struct parser *p, struct tmpl_node *n, const char *context)
{
	struct tmpl_token var, behind, t;

	for (;;) {
		var = peek_solid(p);
		if (var.kind != TT_VARIABLE || p->st)
			return;
		next(p);
		behind = peek(p);
		t = next_solid(p);
		if (t.kind == TT_ASSIGN || t.kind == TT_DECLARE) {
			n->assign = t.kind == TT_ASSIGN;
			declare(p, n, &var);
			return;
		}
		if (t.kind != TT_OTHER || !str_is(t.text, ",")) {
			give_back(p, t);
			if (behind.kind == TT_SPACE)
				give_back(p, behind);
			give_back(p, var);
			return;
		}
		declare(p, n, &var);
		if (!second_variable(p, n, context))
			return;
	}
}

static bool begins_command(uint8_t kind)
{
	switch (kind) {
	case TT_BOOL:
	case TT_CHAR:
	case TT_COMPLEX:
	case TT_DOT:
	case TT_FIELD:
	case TT_IDENT:
	case TT_NUMBER:
	case TT_NIL:
	case TT_RAW:
	case TT_STRING:
	case TT_VARIABLE:
	case TT_OPEN:
		return true;
	default:
		return false;
	}
}

/* Behind a "|" stands something that takes a value. */
static void check_pipeline(
	struct parser *p, const struct tmpl_node *n, const char *context)
{
	const struct tmpl_node *c = n->commands.first;

	if (!c) {
		fail(p, "missing value for %s", context);
		return;
	}
	for (unsigned stage = 2; (c = c->next); stage++) {
		switch (c->args.first->kind) {
		case TN_BOOL:
		case TN_DOT:
		case TN_NIL:
		case TN_NUMBER:
		case TN_STRING:
			fail(p, "non executable command in pipeline stage %u",
				stage);
			return;
		default:
			break;
		}
	}
}

static struct tmpl_node *pipeline(
	struct parser *p, const char *context, enum tmpl_token_kind end)
{
	struct tmpl_token t = peek_solid(p);
	struct tmpl_node *n = node(p, TN_PIPE, &t);

	declarations(p, n, context);
	while (!p->st) {
		t = next_solid(p);
		if (t.kind == end) {
			check_pipeline(p, n, context);
			break;
		}
		if (!begins_command(t.kind)) {
			unexpected(p, &t, context);
			break;
		}
		give_back(p, t);
		append(&n->commands, command(p));
	}
	return n;
}

/* --- actions -------------------------------------------------------------- */

/* What has ended a list of actions; LIST_OPEN: nothing yet. */
enum list_end { LIST_OPEN, LIST_END, LIST_ELSE, LIST_FAILED };

static enum list_end item_list(struct parser *p, struct tmpl_list *out);

/* That a list has ended with {{end}}; `context` says of what. */
static bool ended(struct parser *p, enum list_end end, const char *context)
{
	if (end == LIST_OPEN)
		return fail(p, "unexpected EOF");
	if (end == LIST_ELSE)
		return fail(p, "unexpected {{else}} in %s", context);
	return end == LIST_END;
}

static const char *control_name(enum tmpl_node_kind kind)
{
	return kind == TN_IF ? "if" : kind == TN_WITH ? "with" : "range";
}

/* From behind "{{else": "if" and "with" go on with an action of their own. */
static bool else_if(struct parser *p, enum tmpl_node_kind kind)
{
	struct tmpl_token t;

	if (kind == TN_RANGE)
		return false;
	t = peek(p);
	if (t.kind != (kind == TN_IF ? TT_IF : TT_WITH))
		return false;
	next(p);
	return true;
}

/* Pipeline and body of one {{if}}, {{with}} or {{range}}. */
static enum list_end control_body(struct parser *p, struct tmpl_node *n)
{
	enum list_end end;

	n->pipe = pipeline(p, control_name(n->kind), TT_RIGHT);
	if (p->st)
		return LIST_FAILED;
	p->ranges += n->kind == TN_RANGE;
	end = item_list(p, &n->body);
	p->ranges -= n->kind == TN_RANGE;
	return end;
}

/*
 * {{if}} with all its {{else if}}, each of which is the only action in the
 * other branch of the one before; the same for {{with}}; and {{range}}.
 */
static struct tmpl_node *control(
	struct parser *p, enum tmpl_node_kind kind, const struct tmpl_token *t)
{
	struct tmpl_node *first = node(p, kind, t), *n = first, *inner;
	uint32_t vars = p->vars.len;
	enum list_end end = control_body(p, n);

	while (end == LIST_ELSE && else_if(p, kind)) {
		inner = node(p, kind, t);
		append(&n->otherwise, inner);
		n = inner;
		end = control_body(p, n);
	}
	if (end == LIST_ELSE) {
		end = item_list(p, &n->otherwise);
		if (end == LIST_ELSE)
			fail(p, "expected end; found {{else}}");
	}
	if (end == LIST_OPEN)
		fail(p, "unexpected EOF");
	p->vars.len = vars;
	return first;
}

static struct tmpl_node *jump(struct parser *p, enum tmpl_node_kind kind,
	const struct tmpl_token *word, const char *context)
{
	struct tmpl_token t = next_solid(p);

	if (t.kind != TT_RIGHT)
		unexpected(p, &t, context);
	else if (!p->ranges)
		fail(p, "%s outside {{range}}", context);
	return node(p, kind, word);
}

/* The name behind "template", "define", "block". */
static bool template_name(struct parser *p, struct tmpl_token *t,
	const char *context, struct str *out)
{
	*t = next_solid(p);
	if (t->kind != TT_STRING && t->kind != TT_RAW)
		return unexpected(p, t, context);
	return unquote(p, t, out);
}

static struct tmpl_node *call_template(struct parser *p)
{
	const char *context = "template clause";
	struct tmpl_token name, t;
	struct tmpl_node *n;
	struct str text;

	if (!template_name(p, &name, context, &text))
		return NULL;
	n = node(p, TN_TEMPLATE, &name);
	n->text = text;
	t = next_solid(p);
	if (t.kind != TT_RIGHT) {
		give_back(p, t);
		n->pipe = pipeline(p, context, TT_RIGHT);
	}
	return n;
}

/* Nothing but white space, comments and definitions. */
static bool is_empty(const struct tmpl_list *l)
{
	for (const struct tmpl_node *n = l->first; n; n = n->next) {
		if (n->kind != TN_TEXT)
			return false;
		for (size_t i = 0, w; i < n->text.len; i += w) {
			uint32_t c;

			w = utf8_decode(n->text.ptr + i, n->text.len - i, &c);
			if (!rune_is_space(c))
				return false;
		}
	}
	return true;
}

/* Name `list`. Of two templates of one name, one must be empty; the other
 * counts. */
static bool define(
	struct parser *p, struct str name, const struct tmpl_list *list)
{
	struct tmpl_list *old = map_get(&p->set->defined, name), *mine;
	bool empty = is_empty(list);

	if (old && !old->empty) {
		if (empty)
			return true;
		return fail(p, "template: multiple definition of template %s",
			quoted(p, name));
	}
	mine = ARENA_NEW(p->cx->arena, struct tmpl_list);
	*mine = *list;
	mine->empty = empty;
	map_set(&p->set->defined, name, mine);
	return true;
}

/* What a template has of its own: variables, ranges, the line of an action. */
struct scope {
	struct tmpl_names vars;
	uint32_t ranges, action_line;
};

static struct scope scope_begin(struct parser *p)
{
	struct scope outer = {p->vars, p->ranges, p->action_line};

	p->vars = (struct tmpl_names){0};
	p->ranges = p->action_line = 0;
	add_name(p, &p->vars, S("$"));
	return outer;
}

static void scope_end(struct parser *p, struct scope outer)
{
	p->vars = outer.vars;
	p->ranges = outer.ranges;
	p->action_line = outer.action_line;
}

/*
 * From behind {{block "x" .}} or {{define "x"}}. Go tells of an {{else}} in a
 * block at the line of the clause.
 */
static void named_list(
	struct parser *p, struct str name, bool is_block, const char *context)
{
	struct tmpl_list body = {0};
	uint32_t line = p->line;
	enum list_end end = item_list(p, &body);

	if (is_block && end == LIST_ELSE)
		p->line = line;
	if (ended(p, end, context))
		define(p, name, &body);
}

static struct tmpl_node *block(struct parser *p)
{
	const char *context = "block clause";
	struct tmpl_token name;
	struct tmpl_node *n;
	struct scope outer;
	struct str text;

	if (!template_name(p, &name, context, &text))
		return NULL;
	n = node(p, TN_TEMPLATE, &name);
	n->text = text;
	n->pipe = pipeline(p, context, TT_RIGHT);
	if (p->st)
		return NULL;
	outer = scope_begin(p);
	named_list(p, text, true, context);
	scope_end(p, outer);
	return n;
}

static void definition(struct parser *p)
{
	const char *context = "define clause";
	struct scope outer = scope_begin(p);
	struct tmpl_token t;
	struct str name;

	if (template_name(p, &t, context, &name) &&
		expect(p, TT_RIGHT, context))
		named_list(p, name, false, context);
	scope_end(p, outer);
}

/* Behind "{{else": the end of the action, or the word that else_if() takes. */
static enum list_end else_clause(struct parser *p)
{
	struct tmpl_token t = peek_solid(p);

	if (t.kind == TT_IF || t.kind == TT_WITH)
		return LIST_ELSE;
	return expect(p, TT_RIGHT, "else") ? LIST_ELSE : LIST_FAILED;
}

static struct tmpl_node *plain_action(struct parser *p, struct tmpl_token t)
{
	struct tmpl_node *n = node(p, TN_ACTION, &t);

	give_back(p, t);
	n->pipe = pipeline(p, "command", TT_RIGHT);
	return n;
}

/* From behind "{{". LIST_OPEN: the list goes on. */
static enum list_end action(struct parser *p, struct tmpl_node **out)
{
	struct tmpl_token t = next_solid(p);

	switch (t.kind) {
	case TT_BLOCK:
		*out = block(p);
		break;
	case TT_BREAK:
		*out = jump(p, TN_BREAK, &t, "{{break}}");
		break;
	case TT_CONTINUE:
		*out = jump(p, TN_CONTINUE, &t, "{{continue}}");
		break;
	case TT_ELSE:
		return else_clause(p);
	case TT_END:
		return expect(p, TT_RIGHT, "end") ? LIST_END : LIST_FAILED;
	case TT_IF:
		*out = control(p, TN_IF, &t);
		break;
	case TT_RANGE:
		*out = control(p, TN_RANGE, &t);
		break;
	case TT_TEMPLATE:
		*out = call_template(p);
		break;
	case TT_WITH:
		*out = control(p, TN_WITH, &t);
		break;
	default:
		*out = plain_action(p, t);
		break;
	}
	return p->st ? LIST_FAILED : LIST_OPEN;
}

/* One text or action. */
static enum list_end item(struct parser *p, struct tmpl_list *out)
{
	struct tmpl_token t = next_solid(p);
	struct tmpl_node *n = NULL;
	enum list_end end;

	if (t.kind == TT_TEXT) {
		append(out, node(p, TN_TEXT, &t));
		return LIST_OPEN;
	}
	if (t.kind != TT_LEFT) {
		unexpected(p, &t, "input");
		return LIST_FAILED;
	}
	p->action_line = t.line;
	end = action(p, &n);
	p->action_line = 0;
	if (end == LIST_OPEN)
		append(out, n);
	return end;
}

/* Up to {{end}}, {{else}} or the end of the text. */
static enum list_end item_list(struct parser *p, struct tmpl_list *out)
{
	enum list_end end = LIST_OPEN;

	if (!enter(p))
		end = LIST_FAILED;
	while (end == LIST_OPEN && !p->st && peek_solid(p).kind != TT_EOF)
		end = item(p, out);
	p->depth--;
	return p->st ? LIST_FAILED : end;
}

/* {{define}} stands only here, outside of all other actions. */
static bool at_define(struct parser *p)
{
	struct tmpl_token left = next(p), t;

	if (left.kind != TT_LEFT) {
		give_back(p, left);
		return false;
	}
	t = next_solid(p);
	if (t.kind == TT_DEFINE)
		return true;
	give_back(p, t);
	give_back(p, left);
	return false;
}

static void whole(struct parser *p, struct tmpl_list *out)
{
	while (!p->st && peek(p).kind != TT_EOF) {
		enum list_end end;

		if (at_define(p)) {
			definition(p);
			continue;
		}
		end = item(p, out);
		if (end == LIST_END)
			fail(p, "unexpected {{end}}");
		else if (end == LIST_ELSE)
			fail(p, "unexpected {{else}}");
	}
}

enum bi_status tmpl_parse(struct bi_ctx *cx, struct tmpl_set *set)
{
	struct parser p = {
		.cx = cx,
		.set = set,
		.lex = {.cx = cx, .text = set->text, .line = 1},
	};
	struct tmpl_list root = {0};

	if (set->text.len > LIMIT_TEMPLATE)
		return bi_limit(cx, "template has %zu bytes, limit %zu",
			set->text.len, LIMIT_TEMPLATE);
	add_name(&p, &p.vars, S("$"));
	whole(&p, &root);
	if (!p.st)
		define(&p, S(TMPL_NAME), &root);
	return p.st;
}

void tmpl_set_release(struct tmpl_set *set)
{
	map_release(&set->defined);
}

/* --- nodes as text -------------------------------------------------------- */

static void add_joined(struct buf *out, const struct tmpl_list *l,
	const char *sep, bool brackets)
{
	for (const struct tmpl_node *n = l->first; n; n = n->next) {
		bool wrap = brackets && n->kind == TN_PIPE;

		if (n != l->first)
			buf_adds(out, sep);
		buf_adds(out, wrap ? "(" : "");
		tmpl_node_text(out, n);
		buf_adds(out, wrap ? ")" : "");
	}
}

static void add_names(
	struct buf *out, const struct tmpl_names *names, const char *sep)
{
	for (uint32_t i = 0; i < names->len; i++) {
		buf_adds(out, i ? sep : "");
		buf_addstr(out, names->at[i]);
	}
}

static void add_pipe(struct buf *out, const struct tmpl_node *n)
{
	add_names(out, &n->decls, ", ");
	if (n->decls.len)
		buf_adds(out, n->assign ? " = " : " := ");
	add_joined(out, &n->commands, " | ", false);
}

static void add_chain(struct buf *out, const struct tmpl_node *n)
{
	bool wrap = n->of->kind == TN_PIPE;

	buf_adds(out, wrap ? "(" : "");
	tmpl_node_text(out, n->of);
	buf_adds(out, wrap ? ")." : ".");
	add_names(out, &n->names, ".");
}

static void add_call(struct buf *out, const struct tmpl_node *n)
{
	buf_adds(out, "{{template ");
	quote_go(out, n->text, false);
	if (n->pipe) {
		buf_addc(out, ' ');
		add_pipe(out, n->pipe);
	}
	buf_adds(out, "}}");
}

void tmpl_node_text(struct buf *out, const struct tmpl_node *n)
{
	switch (n->kind) {
	case TN_PIPE:
		add_pipe(out, n);
		break;
	case TN_COMMAND:
		add_joined(out, &n->args, " ", true);
		break;
	case TN_CHAIN:
		add_chain(out, n);
		break;
	case TN_FIELD:
		buf_addc(out, '.');
		add_names(out, &n->names, ".");
		break;
	case TN_VARIABLE:
		add_names(out, &n->names, ".");
		break;
	case TN_TEMPLATE:
		add_call(out, n);
		break;
	default:
		buf_addstr(out, n->text);
		break;
	}
}
