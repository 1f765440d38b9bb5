/*
 * Capabilities as JSON. Members stand in OPA's order, and those without a
 * value are left out.
 */
#include "base/limits.h"
#include "rego/ast.h"
#include "rego/capabilities.h"
#include "rego/lex.h"

#include <stdlib.h>
#include <string.h>

/* --- pieces ------------------------------------------------------------ */

static void member(struct buf *out, const char *name)
{
	buf_addf(out, "%s\"%s\":",
		out->len && !strchr("{[", out->ptr[out->len - 1]) ? "," : "",
		name);
}

static void item(struct buf *out)
{
	buf_adds(out, out->ptr[out->len - 1] == '[' ? "" : ",");
}

static void text(struct buf *out, const char *s)
{
	struct arena a = {0};

	value_json(out, v_cstr(&a, s), 0, JSON_HTML);
	arena_release(&a);
}

static void flag(struct buf *out, const char *name, bool on)
{
	if (!on)
		return;
	member(out, name);
	buf_adds(out, "true");
}

static void keywords_json(struct buf *out, uint32_t keywords)
{
	if (!keywords)
		return;
	member(out, "future_keywords");
	buf_addc(out, '[');
	for (size_t i = 0; i < FUTURE_WORDS; i++)
		if (keywords & future_words[i].keyword) {
			item(out);
			text(out, future_words[i].name);
		}
	buf_addc(out, ']');
}

static void wasm_json(struct buf *out, int n)
{
	if (!n)
		return;
	member(out, "wasm_abi_versions");
	buf_addc(out, '[');
	for (int minor = 1; minor <= n; minor++) {
		item(out);
		buf_addf(out, "{\"version\":1,\"minor_version\":%d}", minor);
	}
	buf_addc(out, ']');
}

/* Of the features in `some`, those in `in` too. */
static void feature_names(struct buf *out, unsigned some, unsigned in)
{
	for (unsigned i = 0; feature_name(i); i++)
		if (some & in & 1u << i) {
			item(out);
			text(out, feature_name(i));
		}
}

/* In the order of their names, but for `last`. */
static void features_json(struct buf *out, unsigned features, unsigned last)
{
	if (!features)
		return;
	member(out, "features");
	buf_addc(out, '[');
	feature_names(out, features, ~last);
	feature_names(out, features, last);
	buf_addc(out, ']');
}

/* --- builtins of this engine ------------------------------------------- */

static int by_name(const void *x, const void *y)
{
	const struct builtin *const *a = x, *const *b = y;

	return strcmp((*a)->name, (*b)->name);
}

static const struct builtin **sorted(struct arena *a)
{
	size_t n = builtin_count();
	const struct builtin **all =
		ARENA_ARRAY(a, const struct builtin *, n + 1);

	for (size_t i = 0; i < n; i++)
		all[i] = builtin_at(i);
	qsort(all, n, sizeof(*all), by_name);
	return all;
}

static void declared_json(struct buf *out, const struct builtin *b,
	const struct type *t, bool deprecated, bool nondeterministic)
{
	item(out);
	buf_addc(out, '{');
	member(out, "name");
	text(out, b->name);
	member(out, "decl");
	type_json(out, t);
	if (b->infix) {
		member(out, "infix");
		text(out, b->infix);
	}
	flag(out, "relation", b->flags & BF_RELATION);
	flag(out, "deprecated", deprecated);
	flag(out, "nondeterministic", nondeterministic);
	buf_addc(out, '}');
}

static void builtins_json(
	struct buf *out, const struct capabilities *c, uint32_t version)
{
	struct arena a = {0};
	const struct builtin **all = sorted(&a);

	member(out, "builtins");
	buf_addc(out, '[');
	for (; *all; all++) {
		const struct type *t = capabilities_type(&a, c, *all);
		struct str name = str_from((*all)->name);

		if (t)
			declared_json(out, *all, t,
				capabilities_deprecated(c, *all),
				version_marks_nondeterministic(version, name));
	}
	buf_addc(out, ']');
	arena_release(&a);
}

void capabilities_of_version_json(struct buf *out, uint32_t version)
{
	struct arena a = {0};
	struct capabilities c;

	capabilities_at(&a, version, &c);
	buf_addc(out, '{');
	builtins_json(out, &c, version);
	keywords_json(out, c.keywords);
	wasm_json(out, version_wasm_abis(version));
	features_json(out, c.features, FEATURE_REGO_V1_IMPORT);
	buf_addc(out, '}');
	capabilities_release(&c);
	arena_release(&a);
}

/* What modules of a version may use by themselves. */
void capabilities_current_json(struct buf *out, bool v0)
{
	unsigned own = v0 ? FEATURE_REF_HEADS | FEATURE_REF_HEAD_PREFIXES |
				       FEATURE_REGO_V1_IMPORT
			  : FEATURE_TEMPLATES;

	buf_addc(out, '{');
	builtins_json(out, NULL, UINT32_MAX);
	keywords_json(out, v0 ? KW_FUTURE : KW_V1_FUTURE);
	features_json(out,
		own | FEATURE_KEYWORDS_IN_REFS | FEATURE_REGO_V1 |
			FEATURE_REGO_V2 | FEATURE_REGO_V2_IMPORT,
		0);
	buf_addc(out, '}');
}

/* --- files ------------------------------------------------------------- */

/* Members of a builtin in a file; `decl` is written anew. */
static const char *const builtin_members[] = {"name", "description",
	"categories", "decl", "infix", "relation", "deprecated",
	"nondeterministic"};
static const char *const members[] = {"builtins", "future_keywords",
	"wasm_abi_versions", "features", "allow_net"};

/* What Go leaves out of a document. */
static bool is_nothing(struct value v)
{
	return !is_truthy(v) || v.tag == V_NULL ||
	       (v.tag == V_STR && !v.str->len) ||
	       (v.tag == V_ARR && !v.arr->len);
}

static void file_builtin_json(struct buf *out, struct arena *a, struct value v)
{
	struct err e = {0};

	item(out);
	buf_addc(out, '{');
	for (size_t i = 0; i < COUNT(builtin_members); i++) {
		const char *name = builtin_members[i];
		struct value x = obj_get_cstr(v.obj, name);

		if (i > 0 && is_nothing(x))
			continue;
		member(out, name);
		if (!strcmp(name, "decl"))
			type_json(out, capabilities_type_read(a, x, &e));
		else if (is_def(x))
			value_json(out, x, 0, JSON_HTML);
		else
			buf_adds(out, "\"\"");
	}
	buf_addc(out, '}');
}

static void wasm_version_json(struct buf *out, struct value v)
{
	static const char *const parts[] = {"version", "minor_version"};

	buf_addc(out, '{');
	for (size_t i = 0; i < COUNT(parts); i++) {
		struct value x = obj_get_cstr(v.obj, parts[i]);

		member(out, parts[i]);
		value_json(out, is_def(x) ? x : v_int(0), 0, JSON_HTML);
	}
	buf_addc(out, '}');
}

static void file_member_json(
	struct buf *out, struct arena *a, const char *name, struct value v)
{
	if (is_nothing(v))
		return;
	member(out, name);
	buf_addc(out, '[');
	for (uint32_t i = 0; i < v.arr->len; i++) {
		struct value x = v.arr->items[i];

		if (!strcmp(name, "builtins")) {
			file_builtin_json(out, a, x);
			continue;
		}
		item(out);
		if (!strcmp(name, "wasm_abi_versions"))
			wasm_version_json(out, x);
		else
			value_json(out, x, 0, JSON_HTML);
	}
	buf_addc(out, ']');
}

enum status capabilities_of_file_json(
	struct buf *out, struct str file, struct err *e)
{
	struct arena a = {0};
	struct capabilities c = {0};
	struct json_error je;
	struct value v;
	enum status st = capabilities_parse(&a, file, &c, e);

	if (!st && json_parse(&a, NULL, file, LIMIT_JSON_DEPTH, &v, &je)) {
		buf_addc(out, '{');
		for (size_t i = 0; i < COUNT(members) && v.tag == V_OBJ; i++)
			file_member_json(out, &a, members[i],
				obj_get_cstr(v.obj, members[i]));
		buf_addc(out, '}');
	}
	capabilities_release(&c);
	arena_release(&a);
	return st;
}
