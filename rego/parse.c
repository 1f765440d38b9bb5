/* Sources: their statements read, what is wrong handed over. */
#include "rego/parser.h"

#include <pthread.h>
#include <string.h>

#include "base/limits.h"
#include "rego/annotations.h"

/* --- statements ------------------------------------------------------ */

static void add_stmt(struct parser *p, struct stmts *all, struct stmt s)
{
	if (all->len == all->cap) {
		uint32_t cap = all->cap ? all->cap * 2 : 32;
		struct stmt *more = arena_raw(p->arena, cap * sizeof(*more));

		if (all->len)
			memcpy(more, all->items, all->len * sizeof(*more));
		all->items = more;
		all->cap = cap;
	}
	all->items[all->len++] = s;
}

static bool package_stmt(struct parser *p, struct stmts *all)
{
	struct stmt s = {.kind = S_PACKAGE};

	if (!parser_package(p, &s.package))
		return false;
	if (p->s.tok == TOK_SUB) {
		/* Not the sign of a number in the next statement. */
		parser_unexpected_token(p);
		return false;
	}
	s.loc = s.package.loc;
	add_stmt(p, all, s);
	return true;
}

static bool import_stmt(struct parser *p, struct stmts *all)
{
	struct stmt s = {.kind = S_IMPORT, .import = parser_import(p)};

	if (!s.import)
		return false;
	if (p->s.tok == TOK_SUB) {
		parser_unexpected_token(p);
		return false;
	}
	const struct term *head = s.import->path->list.items[0];
	bool rego = parser_is_name(head, "rego");

	if (rego)
		parser_rego_import(p, s.import);
	else if (parser_is_name(head, "future"))
		parser_future_import(p, s.import);
	if (rego || parser_is_name(head, "future"))
		parser_reread_word(p);
	s.loc = s.import->loc;
	add_stmt(p, all, s);
	return true;
}

static bool rule_stmt(struct parser *p, struct stmts *all)
{
	struct rules rs = {0};

	if (!parser_rule(p, &rs))
		return false;
	for (uint32_t i = 0; i < rs.len; i++) {
		struct parsed_rule *r = rs.items[i];

		r->rule.head.value_implied = r->made_value;
		r->rule.generated_body = r->made_body || r->rule.is_default;
		add_stmt(p, all,
			(struct stmt){
				.kind = S_RULE, .loc = r->rule.loc, .rule = r});
	}
	return true;
}

/*
 * Try one kind of statement. *stop when it is broken; nothing happened when
 * it is something else.
 */
static bool try_stmt(struct parser *p, struct stmts *all,
	bool (*read)(struct parser *, struct stmts *), bool *stop)
{
	struct state s = p->s;

	if (read(p, all))
		return true;
	*stop = p->s.problems != NULL;
	p->nstack = 0;
	if (!*stop)
		p->s = s;
	return false;
}

/* One statement; false at the end and after an error. */
static bool statement(struct parser *p, struct stmts *all, bool rules)
{
	bool stop = false;
	struct body *b;

	p->memo.len = 0; /* nothing goes back further than this */
	if (p->s.tok == TOK_EOF)
		return false;
	if (rules && parser_keyword_rule_name(p, false))
		return false;
	if (p->s.tok == TOK_PACKAGE && try_stmt(p, all, package_stmt, &stop))
		return true;
	if (!stop && p->s.tok == TOK_IMPORT &&
		try_stmt(p, all, import_stmt, &stop))
		return true;
	if (!stop && rules && try_stmt(p, all, rule_stmt, &stop))
		return true;
	if (stop)
		return false;
	b = parser_query(p, true, TOK_EOF);
	if (!b)
		return false;
	add_stmt(p, all,
		(struct stmt){
			.kind = S_BODY, .loc = b->items[0]->loc, .body = b});
	return true;
}

/* --- results --------------------------------------------------------- */

/* unicode.IsSpace() of one byte as OPA uses it, also on parts of runes. */
static bool is_space_byte(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0;
}

/* The line of the last character at or before `off` that is not blank. */
static void detail(struct diag *d, struct str text, uint32_t off)
{
	uint32_t len = (uint32_t)text.len, begin, end;

	if (off >= len)
		off = len ? len - 1 : 0;
	while (off > 0 && is_space_byte((unsigned char)text.ptr[off]))
		off--;
	begin = end = off;
	while (begin > 0 && text.ptr[begin] != '\n' && text.ptr[begin] != '\r')
		begin--;
	if (begin < len && (text.ptr[begin] == '\n' || text.ptr[begin] == '\r'))
		begin++;
	while (end < len && text.ptr[end] != '\n' && text.ptr[end] != '\r')
		end++;
	if (begin > end)
		begin = end;
	d->line = text.ptr + begin;
	d->line_len = end - begin;
	d->idx = (int)off - (int)begin;
}

/* Where OPA thinks the end of the text is: before the end of a wide rune. */
static uint32_t end_offset(struct str text)
{
	uint32_t len = (uint32_t)text.len, width = 1;

	while (width < 4 && width < len &&
		((unsigned char)text.ptr[len - width] & 0xc0) == 0x80)
		width++;
	return len + 1 - width;
}

static void report(struct parser *p, struct diags *d, const struct problem *x)
{
	/* A chain from the newest to the oldest: turn it round. */
	struct str text = p->src->text;
	const char *last_line = NULL, *copy = NULL;
	uint32_t n = 0;

	for (const struct problem *i = x; i; i = i->older)
		n++;
	const struct problem **list = arena_raw(p->arena, n * sizeof(*list));

	for (const struct problem *i = x; i; i = i->older)
		list[--n] = i;
	for (const struct problem *i = x; i; i = i->older) {
		const struct problem *now = list[n++];
		struct loc at = {p->src, now->off, 0};
		struct diag *item;

		diag_add(d, "rego_parse_error", at, "%s", now->message);
		item = &d->items[d->len - 1];
		detail(item, text,
			now->off >= text.len ? end_offset(text) : now->off);
		/* One copy of a line for all errors in it. */
		if (item->line != last_line || !copy) {
			last_line = item->line;
			copy = arena_strdup(
				d->arena, str_make(item->line, item->line_len));
		}
		item->line = copy;
	}
}

/*
 * The table of lines, so that places are found quickly. A source is the
 * caller's, who leaves the table to us.
 */
static void index_lines(struct arena *a, const struct source *src)
{
	struct source *out = (struct source *)(uintptr_t)src;
	const char *p = src->text.ptr, *end = p + src->text.len;
	uint32_t n = 1;

	if (src->lines || !src->text.len)
		return;
	for (const char *at = p; (at = memchr(at, '\n', (size_t)(end - at)));
		n++)
		if (++at == end) {
			n++;
			break;
		}
	out->lines = arena_raw(a, n * sizeof(uint32_t));
	out->nlines = n;
	out->lines[0] = 0;
	n = 1;
	for (const char *at = p;
		at < end && (at = memchr(at, '\n', (size_t)(end - at)));)
		out->lines[n++] = (uint32_t)(++at - p);
}

static uint32_t keywords_of(uint8_t version)
{
	switch (version) {
	case REGO_V1:
		return KW_BASE | KW_NOT | KW_V0_FUTURE;
	case REGO_V2:
		return KW_BASE | KW_NOT | KW_FUTURE;
	default:
		return KW_BASE | KW_NOT;
	}
}

/* By themselves modules of v0 have all but template strings. */
static unsigned features_of(const struct parse_options *o)
{
	bool v0 = o->version == REGO_V0 || o->version == REGO_V0_V1;

	if (o->caps)
		return o->caps->features;
	return v0 ? FEATURES_ALL & ~(unsigned)FEATURE_TEMPLATES : FEATURES_ALL;
}

static bool is_modern(uint8_t version)
{
	return version == REGO_V1 || version == REGO_V2;
}

/* The keywords that imports may name. */
static uint32_t future_of(const struct parser *p, const struct parse_options *o)
{
	if (!o->caps)
		return KW_FUTURE;
	if (is_modern(p->version) || p->features & FEATURE_REGO_V1)
		return o->caps->keywords | KW_V0_FUTURE;
	return o->caps->keywords;
}

/* Capabilities under which nothing can be read. */
static bool is_refused(const struct parse_options *o, struct diags *d)
{
	const struct capabilities *c = o->caps;
	bool no_v1 = c && is_modern((uint8_t)o->version) &&
		     !(c->features & FEATURE_REGO_V1);

	if (no_v1)
		diag_add(d, "rego_parse_error", (struct loc){0},
			"illegal capabilities: rego_v1 feature required for "
			"parsing v1 Rego");
	else if (c && c->unknown_keyword)
		diag_add(d, "rego_parse_error", (struct loc){0},
			"illegal capabilities: unknown keyword: %s",
			c->unknown_keyword);
	return no_v1 || (c && c->unknown_keyword);
}

static void parser_start(struct parser *p, struct arena *a, struct symtab *t,
	const struct source *src, const struct parse_options *o)
{
	*p = (struct parser){
		.arena = a,
		.syms = t,
		.src = src,
		.version = (uint8_t)o->version,
		.keep_comments = o->keep_comments,
		.number_wildcards = o->number_wildcards,
		.not_bodies = o->version == REGO_V2,
		.nesting_max = LIMIT_REGO_DEPTH,
		.features = features_of(o),
	};
	index_lines(a, src);
	lex_start(&p->lx, a, src->text);
	p->lx.keywords = keywords_of(p->version);
	p->future = future_of(p, o);
	p->ref_keywords = keywords_of(
		p->version == REGO_V0_V1 ? (uint8_t)REGO_V1 : p->version);
	p->data = parser_intern(p, "data", 4);
	p->input = parser_intern(p, "input", 5);
	p->s.end = p->lx.first;
	parser_scan(p);
}

static bool too_big(const struct source *src, struct diags *d)
{
	struct loc at = {src, 0, 0};

	if (src->text.len <= LIMIT_REGO_FILE)
		return false;
	diag_add(d, "rego_parse_error", at, "module is too large: %zu bytes",
		src->text.len);
	return true;
}

/* All statements of a source. */
struct reading {
	struct parser *p;
	struct stmts all;
	bool rules;
	struct annotation **annotations;
	uint32_t nannotations;
};

static void *read_all(void *reading)
{
	struct reading *r = reading;

	while (statement(r->p, &r->all, r->rules))
		;
	return NULL;
}

enum { DEEP_STACK = 1 << 30 }; /* address space; taken as it is used */

/* read_all() with stack for as many levels as OPA allows. */
static bool read_deep(struct reading *r)
{
	pthread_attr_t attr;
	pthread_t thread;
	bool ok;

	if (pthread_attr_init(&attr))
		return false;
	ok = !pthread_attr_setstacksize(&attr, DEEP_STACK) &&
	     !pthread_create(&thread, &attr, read_all, r) &&
	     !pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	return ok;
}

static struct comment *comments_of(struct parser *p, uint32_t *n)
{
	struct comment *all;

	*n = 0;
	for (const struct remark *r = p->s.remarks; r; r = r->older)
		++*n;
	all = ARENA_ARRAY(p->arena, struct comment, *n);
	uint32_t i = *n;

	for (const struct remark *r = p->s.remarks; r; r = r->older)
		all[--i].loc = r->loc;
	return all;
}

/* The annotations of a module; what is wrong with them comes last. */
static void read_annotations(struct reading *r, struct symtab *t)
{
	struct parser *p = r->p;
	uint32_t n, used;
	const struct comment *all = comments_of(p, &n);

	r->annotations = ARENA_ARRAY(p->arena, struct annotation *, n);
	for (uint32_t i = 0; i < n; i += used) {
		struct annotation *an;
		struct loc at;
		const char *why;

		used = 1;
		if (!parser_is_metadata(p, all[i].loc))
			continue;
		an = annotation_parse(
			p->arena, t, all + i, n - i, &used, &at, &why);
		if (an)
			r->annotations[r->nannotations++] = an;
		else
			parser_problem_text(p, at.off, why);
	}
}

/*
 * Read a source; false when there were errors. What is nested deeper than we
 * bear is read once more, with a larger stack, for OPA's errors: where there
 * are none OPA would take the text and we refuse it.
 */
static bool read_source(struct reading *r, struct arena *a, struct symtab *t,
	const struct source *src, const struct parse_options *o,
	struct diags *d)
{
	struct parser *p = r->p;
	struct problem deep = {0};

	if (too_big(src, d) || is_refused(o, d))
		return false;
	parser_start(p, a, t, src, o);
	read_all(r);
	if (p->too_deep) {
		deep.message = "max parsing recursion depth exceeded";
		deep.off = p->deep_off;
		r->all = (struct stmts){0};
		parser_start(p, a, t, src, o);
		p->nesting_max = UINT32_MAX;
		if (!read_deep(r) || !p->s.problems)
			p->s.problems = &deep;
	}
	if (r->rules && p->s.remarks && !o->skip_annotations)
		read_annotations(r, t);
	if (p->s.problems)
		report(p, d, p->s.problems);
	return !p->s.problems;
}

struct module *parse_module(struct arena *a, struct symtab *t,
	const struct source *src, const struct parse_options *o,
	struct diags *d)
{
	uint32_t before = d->len;
	struct parser p;
	struct reading r = {.p = &p, .rules = true};

	if (!read_source(&r, a, t, src, o, d))
		return NULL;
	if (!r.all.len && r.nannotations) {
		diag_add(d, "rego_parse_error", r.annotations[0]->loc,
			"package expected");
		return NULL;
	}
	if (!r.all.len) {
		diag_add(
			d, "rego_parse_error", (struct loc){0}, "empty module");
		d->items[d->len - 1].file = src->name;
		return NULL;
	}
	struct module *mod = ARENA_NEW(a, struct module);

	mod->src = src;
	mod->version = o->version;
	mod->annotations = r.annotations;
	mod->nannotations = r.nannotations;
	if (o->keep_comments)
		mod->comments = comments_of(&p, &mod->ncomments);
	parser_make_module(&p, &r.all, mod, d);
	if (d->len == before)
		annotations_attach(a, mod, d);
	return d->len == before ? mod : NULL;
}

static const char *stmt_type(uint8_t kind)
{
	switch (kind) {
	case S_PACKAGE:
		return "*ast.Package";
	case S_IMPORT:
		return "*ast.Import";
	default:
		return "*ast.Rule";
	}
}

struct body *parse_query(struct arena *a, struct symtab *t,
	const struct source *src, const struct parse_options *o,
	struct diags *d)
{
	struct parser p;
	struct reading r = {.p = &p};

	if (!read_source(&r, a, t, src, o, d))
		return NULL;
	struct body *out = ARENA_NEW(a, struct body);

	for (uint32_t i = 0; i < r.all.len; i++) {
		const struct stmt *s = &r.all.items[i];

		if (s->kind != S_BODY) {
			diag_add(d, NULL, (struct loc){0},
				"expected body but got %s", stmt_type(s->kind));
			return NULL;
		}
		for (uint32_t j = 0; j < s->body->len; j++)
			parser_append(&p, out, s->body->items[j]);
	}
	return out;
}

/* A call as Go shows the list of its terms: [plus 1 x]. */
static void call_words(struct buf *out, const struct term *call_term)
{
	for (uint32_t i = 0; i < call_term->list.len; i++) {
		buf_adds(out, i ? " " : "[");
		term_text(out, call_term->list.items[i]);
	}
	buf_addc(out, ']');
}

struct term *parse_term(struct arena *a, struct symtab *t,
	const struct source *src, const struct parse_options *o,
	struct diags *d)
{
	struct body *b = parse_query(a, t, src, o, d);
	struct buf text = {0};

	if (!b)
		return NULL;
	if (b->len == 1 && b->items[0]->kind == X_TERM &&
		b->items[0]->term->kind != T_CALL)
		return b->items[0]->term;
	if (b->len == 1 && b->items[0]->kind == X_TERM)
		call_words(&text, b->items[0]->term);
	else
		body_text(&text, b);
	diag_add(d, NULL, (struct loc){0},
		b->len == 1 ? "expected term but got %.*s"
			    : "expected exactly one term but got: %.*s",
		STR_ARG(buf_str(&text)));
	buf_release(&text);
	return NULL;
}
