#include "server/compare.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"
#include "rego/rego.h"
#include "server/doc.h"

#include <string.h>

static const char *const words[] = {"added", "changed", "removed"};
enum change { ADDED, CHANGED, REMOVED };

struct compare {
	struct buf *out;
	struct arena a;
	size_t shown, left_out; /* of the list that is written */
};

static void list(struct compare *c, const char *name)
{
	c->shown = 0;
	doc_open(c->out, name, '[');
}

/* False: there is no room for it. */
static bool entry(struct compare *c, enum change change)
{
	if (c->shown == COMPARE_MAX) {
		c->left_out++;
		return false;
	}
	c->shown++;
	doc_open(c->out, NULL, '{');
	doc_text(c->out, "change", str_from(words[change]));
	return true;
}

/* --- files ---------------------------------------------------------------- */

/* The manifest and the signatures differ with every version. */
static bool of_interest(struct str path)
{
	return !str_is(path, ".manifest") && !str_is(path, ".signatures.json");
}

static void file_entry(struct compare *c, enum change change,
	const struct bundle_file *before, const struct bundle_file *after)
{
	if (!entry(c, change))
		return;
	doc_text(c->out, "path", (before ? before : after)->path);
	if (before)
		doc_int(c->out, "before", (int64_t)before->content.len);
	if (after)
		doc_int(c->out, "after", (int64_t)after->content.len);
	doc_close(c->out, '}');
}

static void compare_files(
	struct compare *c, const struct bundle *x, const struct bundle *y)
{
	list(c, "files");
	for (uint32_t i = 0; i < y->nfiles; i++) {
		const struct bundle_file *to = &y->files[i];
		const struct bundle_file *from = bundle_find(x, to->path);

		if (!of_interest(to->path))
			continue;
		if (!from)
			file_entry(c, ADDED, NULL, to);
		else if (!str_eq(from->content, to->content))
			file_entry(c, CHANGED, from, to);
	}
	for (uint32_t i = 0; i < x->nfiles; i++)
		if (of_interest(x->files[i].path) &&
			!bundle_find(y, x->files[i].path))
			file_entry(c, REMOVED, &x->files[i], NULL);
	doc_close(c->out, ']');
}

/* --- rules ---------------------------------------------------------------- */

static void head_text(struct buf *out, const struct head *h)
{
	buf_adds(out, h->is_func ? "(" : "");
	for (uint32_t i = 0; i < h->nargs; i++) {
		buf_adds(out, i ? ", " : "");
		term_text(out, h->args[i]);
	}
	buf_adds(out, h->is_func ? ")" : "");
	if (h->key) {
		buf_adds(out, " contains ");
		term_text(out, h->key);
	}
	if (h->value) {
		buf_adds(out, " := ");
		term_text(out, h->value);
	}
}

/* As it was parsed, its else branches too. */
static void rule_text(struct buf *out, const struct rule *r)
{
	buf_adds(out, r->is_default ? "default" : "");
	for (; r; r = r->els) {
		head_text(out, &r->head);
		buf_adds(out, " if ");
		if (r->body)
			body_text(out, r->body);
		buf_adds(out, r->els ? " else" : "\n");
	}
}

/* "data.library.image" + "deny" */
static struct str rule_name(
	struct compare *c, const struct module *m, const struct rule *r)
{
	struct buf name = {0};
	struct str out;

	term_text(&name, m->package);
	buf_addc(&name, '.');
	term_text(&name, r->head.ref);
	out = arena_str(&c->a, buf_str(&name));
	buf_release(&name);
	return out;
}

static void add_rule(struct compare *c, struct map *rules,
	const struct module *m, const struct rule *r)
{
	struct str name = rule_name(c, m, r);
	struct str *text = map_get(rules, name);
	struct buf all = {0};

	if (!text) {
		text = arena_alloc(&c->a, sizeof(*text));
		map_set(rules, name, text);
	}
	buf_addstr(&all, *text);
	rule_text(&all, r);
	*text = arena_str(&c->a, buf_str(&all));
	buf_release(&all);
}

static struct module *parse(struct arena *a, struct symtab *syms,
	const struct bundle_file *f, const struct bundle *b)
{
	struct diags d = {.arena = a};
	struct parse_options o = {
		.version = b->manifest.rego_version == 0 ? REGO_V0 : REGO_V1};
	struct source *src = arena_alloc(a, sizeof(*src));

	src->name = arena_strdup(a, f->path);
	src->text = f->content;
	return parse_module(a, syms, src, &o, &d);
}

/* What does not parse was refused at publish, so it is no rule of anybody. */
static void read_rules(
	struct compare *c, const struct bundle *b, struct map *rules)
{
	for (uint32_t i = 0; i < b->nfiles; i++) {
		struct arena a = {0};
		struct symtab syms = {.arena = &a};
		struct module *m = NULL;

		if (str_ends(b->files[i].path, S(".rego")))
			m = parse(&a, &syms, &b->files[i], b);
		for (uint32_t k = 0; m && k < m->nrules; k++)
			add_rule(c, rules, m, m->rules[k]);
		symtab_release(&syms);
		arena_release(&a);
	}
}

static bool rule_entry(struct compare *c, enum change change, struct str name)
{
	if (entry(c, change)) {
		doc_text(c->out, "rule", name);
		doc_close(c->out, '}');
	}
	return str_starts(name, S("data.system.log."));
}

/* Whether one of them decides what is logged. */
static bool compare_rules(
	struct compare *c, const struct map *x, const struct map *y)
{
	bool logs = false;

	list(c, "rules");
	for (size_t i = 0; i < y->len; i++) {
		const struct map_entry *to = &y->entries[i];
		const struct str *from = map_get(x, to->key);

		if (!from)
			logs |= rule_entry(c, ADDED, to->key);
		else if (!str_eq(*from, *(const struct str *)to->value))
			logs |= rule_entry(c, CHANGED, to->key);
	}
	for (size_t i = 0; i < x->len; i++)
		if (!map_get(y, x->entries[i].key))
			logs |= rule_entry(c, REMOVED, x->entries[i].key);
	doc_close(c->out, ']');
	return logs;
}

/* --- data ----------------------------------------------------------------- */

static void data_entry(struct compare *c, enum change change, struct str path)
{
	if (!entry(c, change))
		return;
	doc_text(c->out, "path", path);
	doc_close(c->out, '}');
}

/* By key, as it is read; the values are spans in the arena. */
static void members(struct compare *c, struct str span, struct map *out)
{
	struct json_iter it = json_iter(span);

	while (json_next(&it)) {
		struct buf key = {0};
		struct str *value = arena_alloc(&c->a, sizeof(*value));

		json_text(&key, it.key);
		*value = it.value;
		map_set(out, arena_str(&c->a, buf_str(&key)), value);
		buf_release(&key);
	}
}

static struct str below(struct compare *c, struct str path, struct str key)
{
	return str_from(
		arena_printf(&c->a, "%.*s/%.*s", STR_ARG(path), STR_ARG(key)));
}

static void compare_data(struct compare *c, struct str x, struct str y,
	struct str path, unsigned depth)
{
	struct map from = {0}, to = {0};

	if (str_eq(x, y))
		return;
	if (depth == COMPARE_DEPTH || json_kind(x) != JSON_OBJECT ||
		json_kind(y) != JSON_OBJECT) {
		data_entry(c, CHANGED, path);
		return;
	}
	members(c, x, &from);
	members(c, y, &to);
	for (size_t i = 0; i < to.len; i++) {
		struct str at = below(c, path, to.entries[i].key);
		const struct str *old = map_get(&from, to.entries[i].key);

		if (old)
			compare_data(c, *old,
				*(const struct str *)to.entries[i].value, at,
				depth + 1);
		else
			data_entry(c, ADDED, at);
	}
	for (size_t i = 0; i < from.len; i++)
		if (!map_get(&to, from.entries[i].key))
			data_entry(c, REMOVED,
				below(c, path, from.entries[i].key));
	map_release(&from);
	map_release(&to);
}

/* Ours has one document; those of others may have one in each folder. */
static struct str document(const struct bundle *b)
{
	const struct bundle_file *f = bundle_find(b, S("data.json"));
	struct json_limits any = {.keys = UINT32_MAX, .string = SIZE_MAX};
	struct str doc;
	struct err ignored;

	if (!f || json_check(f->content, &any, &doc, &ignored))
		return S("{}");
	return doc;
}

void compare_bundles(
	struct buf *out, const struct bundle *from, const struct bundle *to)
{
	struct compare c = {.out = out};
	struct map x = {0}, y = {0};
	bool logs;

	compare_files(&c, from, to);
	read_rules(&c, from, &x);
	read_rules(&c, to, &y);
	logs = compare_rules(&c, &x, &y);
	list(&c, "data");
	compare_data(&c, document(from), document(to), S(""), 0);
	doc_close(out, ']');
	doc_int(out, "left_out", (int64_t)c.left_out);
	doc_bool(out, "system_log", logs);
	map_release(&x);
	map_release(&y);
	arena_release(&c.a);
}

/* --- what is left of a change ----------------------------------------------
 */

/* The same file, or none, in both. */
static bool same_file(
	const struct bundle *x, const struct bundle *y, struct str path)
{
	const struct bundle_file *a = bundle_find(x, path);
	const struct bundle_file *b = bundle_find(y, path);

	return a && b ? str_eq(a->content, b->content) : a == b;
}

/* Of the files of `of`: what changed from `base` to `bad` is as in `bad`. */
static bool keeps(const struct bundle *of, const struct bundle *base,
	const struct bundle *bad, const struct bundle *v)
{
	for (uint32_t i = 0; i < of->nfiles; i++) {
		struct str path = of->files[i].path;

		if (of_interest(path) && !same_file(base, bad, path) &&
			!same_file(bad, v, path))
			return false;
	}
	return true;
}

bool compare_keeps(const struct bundle *base, const struct bundle *bad,
	const struct bundle *v)
{
	return keeps(base, base, bad, v) && keeps(bad, base, bad, v);
}
