#include "rego/builtin/gql.h"

#include <stdarg.h>
#include <string.h>

#include "base/limits.h"
#include "rego/builtin/gql_lex.h"
#include "rego/builtin/unicode.h"

/* One document being read. Once it has failed nothing more is. */
struct gql {
	struct bi_ctx *cx;
	struct arena *a;
	struct gql_lexer in;
	struct gql_token tok; /* at hand */
	struct value comment; /* the comments right before it, or undefined */
	unsigned depth;
	enum bi_status st;
};

/* --- nodes --------------------------------------------------------------- */

static void put(
	struct gql *g, struct builder *b, const char *name, struct value v)
{
	if (is_def(v))
		builder_set_key(b, v_cstr(g->a, name), v);
}

static void put_text(
	struct gql *g, struct builder *b, const char *name, struct str s)
{
	put(g, b, name, v_str(g->a, s));
}

static void put_list(struct gql *g, struct builder *b, const char *name,
	const struct gql_list *l)
{
	if (l->len)
		put(g, b, name, v_arr(g->a, l->items, l->len));
}

static struct value position(struct gql *g)
{
	struct value *at = ARENA_ARRAY(g->a, struct value, 2);

	at[0] = v_int(g->tok.row);
	at[1] = v_int(g->tok.col);
	return v_arr(g->a, at, 2);
}

/* A node at the token at hand. */
static struct builder node(struct gql *g)
{
	struct builder b = builder_obj(g->a);

	put(g, &b, "Position", position(g));
	return b;
}

/* --- what the parser does with tokens ------------------------------------ */

static struct value comment_group(struct gql *g, const struct gql_list *l)
{
	struct builder b = builder_obj(g->a);

	put_list(g, &b, "List", l);
	return builder_done(&b);
}

static void next(struct gql *g)
{
	struct gql_list comments = {0};

	if (g->st)
		return;
	while ((g->tok = gql_lex(&g->in)).kind == GT_COMMENT) {
		struct builder b = builder_obj(g->a);

		put_text(g, &b, "Value", g->tok.text);
		gql_list_add(g->a, &comments, builder_done(&b));
	}
	g->comment = comments.len ? comment_group(g, &comments) : v_undef;
}

static void fail(struct gql *g, const char *fmt, ...) PRINTF(2, 3);
static void fail(struct gql *g, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	if (g->st)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Behind a block of text OPA's columns can be below 0. */
	g->st = g->tok.col < 0
			? bi_error(g->cx,
				  "GraphQL parse error: input:%lld:%lld: %s",
				  (long long)g->tok.row, (long long)g->tok.col,
				  text)
			: bi_error(g->cx,
				  "%s in GraphQL string at location %lld:%lld",
				  text, (long long)g->tok.row,
				  (long long)g->tok.col);
	g->tok.kind = GT_EOF;
}

static void unexpected(struct gql *g, const char *before)
{
	struct buf b = {0};

	buf_adds(&b, gql_token_names[g->tok.kind]);
	if (g->tok.text.len) {
		buf_addc(&b, ' ');
		quote_go(&b, g->tok.text, false);
	}
	fail(g, "%s%.*s", before, STR_ARG(buf_str(&b)));
	buf_release(&b);
}

static bool enter(struct gql *g)
{
	if (g->depth < LIMIT_JSON_DEPTH && !g->st) {
		g->depth++;
		return true;
	}
	if (!g->st)
		g->st = bi_limit(g->cx,
			"GraphQL document is nested more than %u deep",
			LIMIT_JSON_DEPTH);
	g->tok.kind = GT_EOF;
	return false;
}

static bool skip(struct gql *g, enum gql_token_kind tok)
{
	if (g->st || g->tok.kind != tok)
		return false;
	next(g);
	return true;
}

static void expect(struct gql *g, enum gql_token_kind tok)
{
	if (!skip(g, tok))
		fail(g, "Expected %s, found %s", gql_token_names[tok],
			gql_token_names[g->tok.kind]);
}

static bool at_word(const struct gql *g, const char *word)
{
	return g->tok.kind == GT_NAME && str_is(g->tok.text, word);
}

static void expect_word(struct gql *g, const char *word)
{
	char before[64];

	if (at_word(g, word)) {
		next(g);
		return;
	}
	snprintf(before, sizeof(before), "Expected \"%s\", found ", word);
	unexpected(g, before);
}

static struct str name(struct gql *g)
{
	struct str s = g->tok.text;

	expect(g, GT_NAME);
	return g->st ? S("") : s;
}

typedef struct value node_fn(struct gql *g);

/* What is between two signs, at least one; *end: comments before the last. */
static struct gql_list some(struct gql *g, enum gql_token_kind open,
	enum gql_token_kind close, node_fn *one, struct value *end)
{
	struct gql_list l = {0};

	if (!skip(g, open))
		return l;
	while (!g->st && g->tok.kind != close)
		gql_list_add(g->a, &l, one(g));
	if (!l.len)
		fail(g, "expected at least one definition, found %s",
			gql_token_names[g->tok.kind]);
	if (end)
		*end = g->comment;
	if (!g->st)
		next(g);
	return l;
}

/* --- values, types, directives ------------------------------------------- */

static struct value value_node(struct gql *g, bool is_const);

static struct value const_value(struct gql *g)
{
	return value_node(g, true);
}

static struct value any_value(struct gql *g)
{
	return value_node(g, false);
}

static void put_value(
	struct gql *g, struct builder *b, struct str raw, enum gql_kind kind)
{
	put_text(g, b, "Raw", raw);
	put(g, b, "Kind", v_int(kind));
	put(g, b, "ExpectedTypeHasDefault", v_bool(false));
}

static struct value child_node(struct gql *g, bool is_const, bool named)
{
	struct builder b = named ? node(g) : builder_obj(g->a);

	if (named) {
		put(g, &b, "Comment", g->comment);
		put_text(g, &b, "Name", name(g));
		expect(g, GT_COLON);
	} else {
		put_text(g, &b, "Name", S(""));
	}
	put(g, &b, "Value", value_node(g, is_const));
	return builder_done(&b);
}

/* A list or an object, both of which may be empty. */
static struct value children_node(struct gql *g, bool is_const)
{
	bool named = g->tok.kind == GT_BRACE_L;
	enum gql_token_kind close = named ? GT_BRACE_R : GT_BRACKET_R;
	struct builder b = node(g);
	struct gql_list l = {0};

	put(g, &b, "Comment", g->comment);
	next(g);
	while (!g->st && g->tok.kind != close)
		gql_list_add(g->a, &l, child_node(g, is_const, named));
	if (!g->st)
		next(g);
	put_list(g, &b, "Children", &l);
	put_value(g, &b, S(""), named ? GQL_OBJECT : GQL_LIST);
	return builder_done(&b);
}

static struct value variable_node(struct gql *g, bool is_const)
{
	struct builder b = node(g);

	if (is_const) {
		unexpected(g, "Unexpected ");
		return v_undef;
	}
	next(g);
	put_value(g, &b, name(g), GQL_VARIABLE);
	return builder_done(&b);
}

static enum gql_kind name_kind(struct str s)
{
	if (str_is(s, "true") || str_is(s, "false"))
		return GQL_BOOLEAN;
	return str_is(s, "null") ? GQL_NULL : GQL_ENUM;
}

static bool leaf_kind(const struct gql *g, enum gql_kind *kind)
{
	if (g->tok.kind == GT_INT)
		*kind = GQL_INT;
	else if (g->tok.kind == GT_FLOAT)
		*kind = GQL_FLOAT;
	else if (g->tok.kind == GT_STRING)
		*kind = GQL_STRING;
	else if (g->tok.kind == GT_BLOCK)
		*kind = GQL_BLOCK;
	else if (g->tok.kind == GT_NAME)
		*kind = name_kind(g->tok.text);
	else
		return false;
	return true;
}

static struct value leaf_node(struct gql *g)
{
	struct builder b = node(g);
	enum gql_kind kind;

	if (!leaf_kind(g, &kind)) {
		unexpected(g, "Unexpected ");
		return v_undef;
	}
	put_value(g, &b, g->tok.text, kind);
	next(g);
	return builder_done(&b);
}

static struct value value_node(struct gql *g, bool is_const)
{
	struct value v;

	if (!enter(g))
		return v_undef;
	if (g->tok.kind == GT_BRACKET_L || g->tok.kind == GT_BRACE_L)
		v = children_node(g, is_const);
	else if (g->tok.kind == GT_DOLLAR)
		v = variable_node(g, is_const);
	else
		v = leaf_node(g);
	g->depth--;
	return v;
}

static struct value type_node(struct gql *g)
{
	struct builder b;
	bool list;

	if (!enter(g))
		return v_undef;
	list = skip(g, GT_BRACKET_L);
	b = node(g);
	if (list) {
		put(g, &b, "Elem", type_node(g));
		expect(g, GT_BRACKET_R);
	}
	put_text(g, &b, "NamedType", list ? S("") : name(g));
	put(g, &b, "NonNull", v_bool(skip(g, GT_BANG)));
	g->depth--;
	return builder_done(&b);
}

static struct value argument_node(struct gql *g, bool is_const)
{
	struct builder b = node(g);

	put(g, &b, "Comment", g->comment);
	put_text(g, &b, "Name", name(g));
	expect(g, GT_COLON);
	put(g, &b, "Value", is_const ? const_value(g) : any_value(g));
	return builder_done(&b);
}

static struct value const_argument(struct gql *g)
{
	return argument_node(g, true);
}

static struct value any_argument(struct gql *g)
{
	return argument_node(g, false);
}

static struct gql_list arguments(struct gql *g, bool is_const)
{
	return some(g, GT_PAREN_L, GT_PAREN_R,
		is_const ? const_argument : any_argument, NULL);
}

static struct gql_list directives(struct gql *g, bool is_const)
{
	struct gql_list l = {0};

	while (skip(g, GT_AT)) {
		struct builder b = node(g);
		struct gql_list args;

		put_text(g, &b, "Name", name(g));
		args = arguments(g, is_const);
		put_list(g, &b, "Arguments", &args);
		put_text(g, &b, "Location", S(""));
		gql_list_add(g->a, &l, builder_done(&b));
	}
	return l;
}

static void put_directives(struct gql *g, struct builder *b, bool is_const)
{
	struct gql_list l = directives(g, is_const);

	put_list(g, b, "Directives", &l);
}

/* --- queries ---------------------------------------------------------------
 */

static struct value selection_node(struct gql *g);

static void put_selections(struct gql *g, struct builder *b)
{
	struct gql_list l;

	if (g->tok.kind != GT_BRACE_L)
		fail(g, "Expected {, found %s", gql_token_names[g->tok.kind]);
	l = some(g, GT_BRACE_L, GT_BRACE_R, selection_node, NULL);
	put_list(g, b, "SelectionSet", &l);
}

static struct value field_node(struct gql *g)
{
	struct builder b = node(g);
	struct gql_list args;
	struct str alias;

	put(g, &b, "Comment", g->comment);
	alias = name(g);
	put_text(g, &b, "Alias", alias);
	put_text(g, &b, "Name", skip(g, GT_COLON) ? name(g) : alias);
	args = arguments(g, false);
	put_list(g, &b, "Arguments", &args);
	put_directives(g, &b, false);
	if (g->tok.kind == GT_BRACE_L)
		put_selections(g, &b);
	return builder_done(&b);
}

static struct value spread_node(struct gql *g, struct value comment)
{
	struct builder b = node(g);

	put(g, &b, "Comment", comment);
	put_text(g, &b, "Name", name(g));
	put_directives(g, &b, false);
	return builder_done(&b);
}

static struct value fragment_node(struct gql *g)
{
	struct value comment = g->comment;
	struct builder b;
	bool on;

	next(g);
	on = str_is(g->tok.text, "on");
	if (g->tok.kind == GT_NAME && !on)
		return spread_node(g, comment);
	b = node(g);
	put(g, &b, "Comment", comment);
	if (on)
		next(g);
	put_text(g, &b, "TypeCondition", on ? name(g) : S(""));
	put_directives(g, &b, false);
	put_selections(g, &b);
	return builder_done(&b);
}

static struct value selection_node(struct gql *g)
{
	struct value v;

	if (!enter(g))
		return v_undef;
	v = g->tok.kind == GT_SPREAD ? fragment_node(g) : field_node(g);
	g->depth--;
	return v;
}

static struct value variable_definition(struct gql *g)
{
	struct builder b = node(g);

	put(g, &b, "Comment", g->comment);
	expect(g, GT_DOLLAR);
	put_text(g, &b, "Variable", name(g));
	expect(g, GT_COLON);
	put(g, &b, "Type", type_node(g));
	if (skip(g, GT_EQUALS))
		put(g, &b, "DefaultValue", const_value(g));
	put_directives(g, &b, false);
	put(g, &b, "Used", v_bool(false));
	return builder_done(&b);
}

static void put_variables(struct gql *g, struct builder *b, const char *member)
{
	struct gql_list l =
		some(g, GT_PAREN_L, GT_PAREN_R, variable_definition, NULL);

	put_list(g, b, member, &l);
}

static struct value operation_node(struct gql *g)
{
	struct builder b = node(g);

	if (g->tok.kind == GT_BRACE_L) {
		put_text(g, &b, "Operation", S("query"));
		put_text(g, &b, "Name", S(""));
		put_selections(g, &b);
		return builder_done(&b);
	}
	put(g, &b, "Comment", g->comment);
	put_text(g, &b, "Operation", g->tok.text);
	next(g);
	put_text(g, &b, "Name", g->tok.kind == GT_NAME ? name(g) : S(""));
	put_variables(g, &b, "VariableDefinitions");
	put_directives(g, &b, false);
	put_selections(g, &b);
	return builder_done(&b);
}

static struct value fragment_definition(struct gql *g)
{
	struct builder b = node(g);

	put(g, &b, "Comment", g->comment);
	next(g);
	if (str_is(g->tok.text, "on"))
		unexpected(g, "Unexpected ");
	put_text(g, &b, "Name", name(g));
	put_variables(g, &b, "VariableDefinition");
	expect_word(g, "on");
	put_text(g, &b, "TypeCondition", name(g));
	put_directives(g, &b, false);
	put_selections(g, &b);
	return builder_done(&b);
}

static bool is_operation(const struct gql *g)
{
	return at_word(g, "query") || at_word(g, "mutation") ||
	       at_word(g, "subscription");
}

static void start(struct gql *g, struct bi_ctx *cx, struct str text)
{
	*g = (struct gql){
		.cx = cx,
		.a = cx->arena,
		.in = {.arena = cx->arena, .s = text, .line = 1},
	};
	if (!bi_charge(cx, text.len / 8))
		g->st = BI_HALT;
	next(g);
}

enum bi_status gql_parse_query(
	struct bi_ctx *cx, struct str text, struct value *out)
{
	struct gql_list operations = {0}, fragments = {0};
	struct builder b = builder_obj(cx->arena);
	struct gql g;

	start(&g, cx, text);
	while (!g.st && g.tok.kind != GT_EOF) {
		if (g.tok.kind == GT_BRACE_L || is_operation(&g))
			gql_list_add(
				cx->arena, &operations, operation_node(&g));
		else if (at_word(&g, "fragment"))
			gql_list_add(
				cx->arena, &fragments, fragment_definition(&g));
		else
			unexpected(&g, "Unexpected ");
	}
	if (g.st)
		return g.st;
	put_list(&g, &b, "Operations", &operations);
	put_list(&g, &b, "Fragments", &fragments);
	*out = builder_done(&b);
	return BI_OK;
}

/* --- schemas ---------------------------------------------------------------
 */

/* What stands in front of a definition. */
struct described {
	struct gql_token tok; /* its description; the text is empty without */
	struct value before, after; /* comments around it */
};

static struct described describe(struct gql *g)
{
	struct described d = {.tok.text = S(""), .before = v_undef};

	if (g->tok.kind == GT_STRING || g->tok.kind == GT_BLOCK) {
		d.tok = g->tok;
		d.before = g->comment;
		next(g);
	}
	d.after = g->comment;
	return d;
}

static void put_described(
	struct gql *g, struct builder *b, const struct described *d)
{
	put_text(g, b, "Description", d->tok.text);
	put(g, b, "BeforeDescriptionComment", d->before);
	put(g, b, "AfterDescriptionComment", d->after);
}

/* A member with a description: an empty one has no comment. */
static struct builder member_node(struct gql *g)
{
	struct described d = describe(g);
	struct builder b = node(g);

	if (!d.tok.text.len)
		d.before = v_undef;
	put_described(g, &b, &d);
	put_text(g, &b, "Name", name(g));
	return b;
}

/* An argument, or a field of an input object. */
static struct value input_node(struct gql *g)
{
	struct builder b = member_node(g);

	expect(g, GT_COLON);
	put(g, &b, "Type", type_node(g));
	if (skip(g, GT_EQUALS))
		put(g, &b, "DefaultValue", const_value(g));
	put_directives(g, &b, true);
	return builder_done(&b);
}

static void put_inputs(struct gql *g, struct builder *b)
{
	struct gql_list l = some(g, GT_PAREN_L, GT_PAREN_R, input_node, NULL);

	put_list(g, b, "Arguments", &l);
}

static struct value field_definition(struct gql *g)
{
	struct builder b = member_node(g);

	put_inputs(g, &b);
	expect(g, GT_COLON);
	put(g, &b, "Type", type_node(g));
	put_directives(g, &b, true);
	return builder_done(&b);
}

static struct value enum_definition(struct gql *g)
{
	struct builder b = member_node(g);

	put_directives(g, &b, true);
	return builder_done(&b);
}

static struct value root_definition(struct gql *g)
{
	struct builder b = node(g);

	put(g, &b, "Comment", g->comment);
	if (!is_operation(g))
		unexpected(g, "Unexpected ");
	put_text(g, &b, "Operation", g->tok.text);
	next(g);
	expect(g, GT_COLON);
	put_text(g, &b, "Type", name(g));
	return builder_done(&b);
}

/* Names with a sign between them, and one that may stand in front. */
static struct gql_list names_between(
	struct gql *g, enum gql_token_kind sign, struct gql_list *places)
{
	struct gql_list l = {0};

	skip(g, sign);
	do {
		if (places)
			gql_list_add(g->a, places, position(g));
		gql_list_add(g->a, &l, v_str(g->a, name(g)));
	} while (skip(g, sign));
	return l;
}

/* Kinds of definitions, by the word each begins with. */
/* clang-format off */
static const struct definition {
	const char *word, *kind;
	bool interfaces;          /* may implement some */
	bool extended_interfaces; /* also where it is extended */
	node_fn *member;
	const char *members;
} definitions[] = {
	{"scalar",    "SCALAR",       false, false, NULL,             NULL},
	{"type",      "OBJECT",       true,  true,  field_definition, "Fields"},
	{"interface", "INTERFACE",    true,  false, field_definition, "Fields"},
	{"union",     "UNION",        false, false, NULL,             "Types"},
	{"enum",      "ENUM",         false, false, enum_definition,  "EnumValues"},
	{"input",     "INPUT_OBJECT", false, false, input_node,       "Fields"},
};
/* clang-format on */

static const struct definition *definition_at(const struct gql *g)
{
	for (size_t i = 0; i < COUNT(definitions); i++)
		if (at_word(g, definitions[i].word))
			return &definitions[i];
	return NULL;
}

static uint32_t put_members(
	struct gql *g, struct builder *b, const struct definition *d)
{
	struct gql_list l = {0}, places = {0};
	struct value end = v_undef;

	if (d->member)
		l = some(g, GT_BRACE_L, GT_BRACE_R, d->member, &end);
	else if (d->members && skip(g, GT_EQUALS))
		l = names_between(g, GT_PIPE, &places);
	if (d->members)
		put_list(g, b, d->members, &l);
	put_list(g, b, "TypePositions", &places);
	put(g, b, "EndOfDefinitionComment", end);
	return l.len;
}

static struct value type_definition(
	struct gql *g, const struct described *desc, bool extends)
{
	const struct definition *d = definition_at(g);
	struct gql_list l = {0}, dirs;
	struct builder b;
	uint32_t n = 0;

	next(g);
	b = node(g);
	put_described(g, &b, desc);
	put_text(g, &b, "Kind", str_from(d->kind));
	put_text(g, &b, "Name", name(g));
	if ((extends ? d->extended_interfaces : d->interfaces) &&
		str_is(g->tok.text, "implements")) {
		next(g);
		l = names_between(g, GT_AMP, NULL);
		put_list(g, &b, "Interfaces", &l);
		n += l.len;
	}
	/* OPA lets variables stand where an input object is extended. */
	dirs = directives(g, !(extends && strcmp(d->word, "input") == 0));
	put_list(g, &b, "Directives", &dirs);
	n += dirs.len;
	n += put_members(g, &b, d);
	if (extends && !n)
		unexpected(g, "Unexpected ");
	put(g, &b, "BuiltIn", v_bool(false));
	return builder_done(&b);
}

static struct value schema_definition(
	struct gql *g, const struct described *desc, bool extends)
{
	struct value end = v_undef;
	struct gql_list dirs, roots;
	struct builder b;

	next(g);
	b = node(g);
	put_described(g, &b, desc);
	dirs = directives(g, true);
	put_list(g, &b, "Directives", &dirs);
	roots = some(g, GT_BRACE_L, GT_BRACE_R, root_definition, &end);
	put_list(g, &b, "OperationTypes", &roots);
	put(g, &b, "EndOfDefinitionComment", end);
	if (extends && !dirs.len && !roots.len)
		unexpected(g, "Unexpected ");
	return builder_done(&b);
}

/* clang-format off */
static const char *const locations[] = {
	"QUERY", "MUTATION", "SUBSCRIPTION", "FIELD", "FRAGMENT_DEFINITION",
	"FRAGMENT_SPREAD", "INLINE_FRAGMENT", "VARIABLE_DEFINITION", "SCHEMA",
	"SCALAR", "OBJECT", "FIELD_DEFINITION", "ARGUMENT_DEFINITION",
	"INTERFACE", "UNION", "ENUM", "ENUM_VALUE", "INPUT_OBJECT",
	"INPUT_FIELD_DEFINITION",
};
/* clang-format on */

static struct value location(struct gql *g)
{
	for (size_t i = 0; g->tok.kind == GT_NAME; i++) {
		if (i == COUNT(locations)) {
			unexpected(g, "Unexpected ");
			break;
		}
		if (str_is(g->tok.text, locations[i]))
			break;
	}
	return v_str(g->a, name(g));
}

static struct value directive_definition(
	struct gql *g, const struct described *desc)
{
	struct gql_list l = {0};
	struct builder b;
	bool repeatable;

	next(g);
	expect(g, GT_AT);
	b = node(g);
	put_described(g, &b, desc);
	put_text(g, &b, "Name", name(g));
	put_inputs(g, &b);
	repeatable = at_word(g, "repeatable");
	if (repeatable)
		next(g);
	put(g, &b, "IsRepeatable", v_bool(repeatable));
	expect_word(g, "on");
	skip(g, GT_PIPE);
	do
		gql_list_add(g->a, &l, location(g));
	while (skip(g, GT_PIPE));
	put_list(g, &b, "Locations", &l);
	return builder_done(&b);
}

struct schema_lists {
	struct gql_list schemas, schema_extensions, directives, types,
		extensions;
};

static void extension(
	struct gql *g, struct described desc, struct schema_lists *l)
{
	if (desc.tok.text.len) { /* only what is new has a description */
		g->tok = desc.tok;
		unexpected(g, "Unexpected ");
		return;
	}
	desc.before = v_undef;
	next(g);
	if (at_word(g, "schema"))
		gql_list_add(g->a, &l->schema_extensions,
			schema_definition(g, &desc, true));
	else if (definition_at(g))
		gql_list_add(
			g->a, &l->extensions, type_definition(g, &desc, true));
	else
		unexpected(g, "Unexpected ");
}

static void definition(struct gql *g, struct schema_lists *l)
{
	struct described desc = describe(g);

	if (at_word(g, "extend"))
		extension(g, desc, l);
	else if (at_word(g, "schema"))
		gql_list_add(
			g->a, &l->schemas, schema_definition(g, &desc, false));
	else if (at_word(g, "directive"))
		gql_list_add(
			g->a, &l->directives, directive_definition(g, &desc));
	else if (definition_at(g))
		gql_list_add(g->a, &l->types, type_definition(g, &desc, false));
	else
		unexpected(g, "Unexpected ");
}

enum bi_status gql_parse_schema(
	struct bi_ctx *cx, struct str text, struct value *out)
{
	struct builder b = builder_obj(cx->arena);
	struct schema_lists l = {0};
	struct gql g;

	start(&g, cx, text);
	while (!g.st && g.tok.kind != GT_EOF)
		definition(&g, &l);
	if (g.st)
		return g.st;
	put_list(&g, &b, "Schema", &l.schemas);
	put_list(&g, &b, "SchemaExtension", &l.schema_extensions);
	put_list(&g, &b, "Directives", &l.directives);
	put_list(&g, &b, "Definitions", &l.types);
	put_list(&g, &b, "Extensions", &l.extensions);
	put(&g, &b, "Comment", g.comment);
	*out = builder_done(&b);
	return BI_OK;
}

/* --- as policies see it ----------------------------------------------------
 */

static bool is_place(struct value key)
{
	return key.tag == V_STR &&
	       (str_is(v_bytes(key), "Position") ||
		       str_is(v_bytes(key), "TypePositions"));
}

static bool is_nothing(struct value v)
{
	return v.tag == V_NULL ||
	       ((v.tag == V_ARR || v.tag == V_OBJ) && !v_len(v));
}

struct value gql_prune(struct arena *a, struct value doc)
{
	struct value *keys, *vals;
	uint32_t n = doc.tag == V_ARR || doc.tag == V_OBJ ? v_len(doc) : 0;
	uint32_t kept_len = 0;

	if (!n)
		return doc;
	keys = ARENA_ARRAY(a, struct value, n);
	vals = ARENA_ARRAY(a, struct value, n);
	for (uint32_t i = 0; i < n; i++) {
		bool list = doc.tag == V_ARR;
		struct value v = list ? doc.arr->items[i] : doc.obj->vals[i];

		if (!list && is_place(doc.obj->keys->items[i]))
			continue;
		v = gql_prune(a, v);
		if (is_nothing(v))
			continue;
		if (!list)
			keys[kept_len] = doc.obj->keys->items[i];
		vals[kept_len++] = v;
	}
	return doc.tag == V_ARR ? v_arr(a, vals, kept_len)
				: v_obj_sorted(a, keys, vals, kept_len);
}
