/*
 * waivers: exemptions from a policy. Each names what it exempts, who owns it,
 * who approved it, and the day on which it ends.
 *
 * A date means the instant at which it begins, UTC, and a waiver is active
 * before its `expires`: 2026-09-30 last works on the 29th. The gate judges by
 * the clock; the bundle carries what was valid at the commit, so that a commit
 * is the same bundle whenever it is built. Agents compare again.
 */
#include "gates/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DAYS 90
#define REASON_MIN 20
#define DAY_NS (INT64_C(86400) * NS_PER_S)
#define EXPIRING_DAYS 30

struct waiver {
	const char *file;
	const struct node *node;
	const char *id, *policy;
	int64_t starts, expires; /* ns */
	bool whole_day;          /* `expires` is a date */
};

struct waivers {
	struct run *run;
	struct waiver *items;
	uint32_t n, cap;
	struct map ids; /* to struct waiver's file */
	unsigned files;
	unsigned lapsed, expiring;
};

static const char *const known_keys[] = {"id", "policy", "scope", "owner",
	"reason", "ticket", "approved_by", "granted", "starts", "expires",
	"renews", "compensating", "max_violations", "wide"};

static const char *const scope_keys[] = {"cluster", "environment", "repo",
	"namespace", "resource", "image", "address", "path"};

static const char *const required_keys[] = {
	"policy", "owner", "reason", "ticket", "approved_by"};

static bool among(const char *const *names, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(name, names[i]))
			return true;
	return false;
}

#define BAD(w, file, node, code, ...)                                          \
	find_at((w)->run, GATE_FAIL, file, (node)->row, (node)->col, code,     \
		__VA_ARGS__)

/* --- one entry ------------------------------------------------------------ */

static void check_keys(
	struct waivers *w, const char *file, const struct node *entry)
{
	for (uint32_t i = 0; i < entry->n; i += 2)
		if (!among(known_keys, COUNT(known_keys), entry->items[i].text))
			BAD(w, file, &entry->items[i], "W002",
				"unknown key \"%.*s\" in a waiver",
				STR_ARG(entry->items[i].text));
	for (size_t i = 0; i < COUNT(required_keys); i++) {
		const char *text =
			node_string(w->run->arena, entry, required_keys[i]);

		if (!text || !*text)
			BAD(w, file, entry, "W003", "waiver without %s",
				required_keys[i]);
	}
}

static bool plain_text(const struct node *n)
{
	return n->kind == YAML_SCALAR && n->text.len &&
	       str_find(n->text, S("*"), 0) == SIZE_MAX;
}

/* A string, or a list of them. */
static bool scope_value(const struct node *n)
{
	if (n->kind != YAML_LIST)
		return plain_text(n);
	for (uint32_t i = 0; i < n->n; i++)
		if (!plain_text(&n->items[i]))
			return false;
	return n->n > 0;
}

static void check_scope(
	struct waivers *w, const char *file, const struct node *entry)
{
	const struct node *scope = node_get(entry, "scope");

	if (!scope || scope->kind != YAML_MAP || !scope->n) {
		BAD(w, file, scope ? scope : entry, "W007",
			"a waiver needs a scope with at least one key, such as "
			"namespace or resource");
		return;
	}
	for (uint32_t i = 0; i < scope->n; i += 2) {
		const struct node *key = &scope->items[i];

		if (!among(scope_keys, COUNT(scope_keys), key->text))
			BAD(w, file, key, "W007",
				"unknown scope \"%.*s\"; known are cluster, "
				"environment, repo, namespace, resource, "
				"image, "
				"address and path",
				STR_ARG(key->text));
		else if (!scope_value(&scope->items[i + 1]))
			BAD(w, file, key, "W007",
				"scope %.*s must be exact: a name or a list of "
				"names, without *",
				STR_ARG(key->text));
	}
}

static void check_people(
	struct waivers *w, const char *file, const struct node *entry)
{
	struct arena *a = w->run->arena;
	const char *owner = node_string(a, entry, "owner");
	const char *approver = node_string(a, entry, "approved_by");
	const char *reason = node_string(a, entry, "reason");

	if (owner && approver && !strcmp(owner, approver))
		BAD(w, file, node_get(entry, "approved_by"), "W008",
			"%s may not approve a waiver of their own", owner);
	if (reason && strlen(reason) < REASON_MIN)
		BAD(w, file, node_get(entry, "reason"), "W003",
			"the reason has %zu characters; say in at least %d why "
			"the policy can't hold here",
			strlen(reason), REASON_MIN);
}

/* The instant at a key; `fallback` when it is missing or wrong (reported). */
static int64_t instant(struct waivers *w, const char *file,
	const struct node *entry, const char *key, int64_t fallback,
	bool *whole_day)
{
	const struct node *n = node_get(entry, key);
	int64_t ns;

	if (!n)
		return fallback;
	if (n->kind == YAML_SCALAR && instant_parse(n->text, &ns, whole_day))
		return ns;
	BAD(w, file, n, "W004",
		"%s must be a date (2026-06-30) or an instant with its zone "
		"(2026-06-30T12:00:00Z)",
		key);
	return fallback;
}

static const char *last_day(struct run *r, const struct waiver *x)
{
	struct buf out = {0};

	if (x->whole_day) {
		buf_adds(&out, "last day ");
		date_text(&out, x->expires - 1);
	} else {
		buf_adds(&out, "until ");
		instant_text(&out, x->expires);
	}
	const char *text = arena_strdup(r->arena, buf_str(&out));

	buf_release(&out);
	return text;
}

static void check_dates(struct waivers *w, const struct waiver *x)
{
	struct run *r = w->run;
	const struct node *at = node_get(x->node, "expires");
	int64_t granted =
		instant(w, x->file, x->node, "granted", INT64_MIN, NULL);
	int64_t now = r->o->now_ns;

	if (granted != INT64_MIN && x->expires - granted > MAX_DAYS * DAY_NS)
		BAD(w, x->file, at, "W005",
			"granted for %lld days; at most %d are allowed",
			(long long)((x->expires - granted) / DAY_NS), MAX_DAYS);
	if (granted != INT64_MIN && x->expires <= granted)
		BAD(w, x->file, at, "W004", "expires before it is granted");
	if (now >= x->expires) {
		w->lapsed++;
		BAD(w, x->file, at, "W012",
			"%s lapsed (%s): renew it with a new entry that "
			"`renews` it, or fix what it excused and remove it",
			x->id, last_day(r, x))
			->subject = x->policy;
	} else if (x->expires - now <= EXPIRING_DAYS * DAY_NS) {
		w->expiring++;
		find_at(r, GATE_WARN, x->file, at->row, at->col, "W101",
			"%s expires soon (%s)", x->id, last_day(r, x))
			->subject = x->policy;
	}
}

static const char *made_up_id(struct run *r, const char *policy, uint32_t n)
{
	return arena_printf(r->arena, "the waiver of %s (entry %u)",
		policy ? policy : "no policy", n + 1);
}

static void check_id(struct waivers *w, const struct waiver *x)
{
	const struct node *n = node_get(x->node, "id");
	const char *before;

	if (!n)
		return;
	before = map_set(&w->ids, n->text,
		arena_strdup(w->run->arena, str_from(x->file)));
	if (before)
		BAD(w, x->file, n, "W009", "id %.*s is in use in %s",
			STR_ARG(n->text), before);
}

static void add_entry(
	struct waivers *w, const char *file, const struct node *entry)
{
	struct run *r = w->run;
	struct waiver x = {.file = file, .node = entry};

	if (entry->kind != YAML_MAP) {
		BAD(w, file, entry, "W001", "a waiver is a map of keys");
		return;
	}
	check_keys(w, file, entry);
	check_scope(w, file, entry);
	check_people(w, file, entry);
	x.policy = node_string(r->arena, entry, "policy");
	if (x.policy)
		name_policy(r, file, node_get(entry, "policy"), "W006");
	x.id = node_string(r->arena, entry, "id");
	if (!x.id)
		x.id = made_up_id(r, x.policy, w->n);
	check_id(w, &x);
	if (!node_get(entry, "expires")) {
		BAD(w, file, entry, "W003",
			"waiver without expires: no expiry is no approval");
		return;
	}
	x.starts = instant(w, file, entry, "starts", INT64_MIN, NULL);
	x.expires = instant(w, file, entry, "expires", INT64_MIN, &x.whole_day);
	if (x.expires == INT64_MIN || !x.policy)
		return;
	check_dates(w, &x);
	w->items = arena_grow(
		r->arena, w->items, w->n, &w->cap, sizeof(*w->items));
	w->items[w->n++] = x;
}

/* --- files ------------------------------------------------------------------
 */

static void add_list(
	struct waivers *w, const char *file, const struct node *doc)
{
	const struct node *list = doc;

	if (doc->kind == YAML_MAP) {
		const struct node *version = node_get(doc, "version");

		if (!version || !str_is(version->text, "1"))
			BAD(w, file, doc, "W001",
				"a map of waivers begins with version: 1");
		list = node_get(doc, "waivers");
	}
	if (list && list->kind == YAML_SCALAR && list->type == YAML_NULL)
		return;
	if (!list || list->kind != YAML_LIST) {
		BAD(w, file, doc, "W001",
			"waivers are a list, or {version: 1, waivers: [...]}");
		return;
	}
	for (uint32_t i = 0; i < list->n; i++)
		add_entry(w, file, &list->items[i]);
}

static bool is_yaml(struct str path)
{
	return str_ends(path, S(".yaml")) || str_ends(path, S(".yml"));
}

static void read_files(struct waivers *w)
{
	const struct repo *repo = w->run->o->repo;

	for (size_t i = 0; i < repo->nfiles; i++) {
		const struct repo_file *f = &repo->files[i];
		struct node *doc = ARENA_NEW(w->run->arena, struct node);
		struct err e = {0};

		if (!str_starts(f->path, S("waivers/")) || !is_yaml(f->path))
			continue;
		const char *name = arena_strdup(w->run->arena, f->path);

		w->files++;
		if (node_parse(w->run->arena, name, f->content, doc, &e))
			find_err(w->run, GATE_FAIL, "W001", &e);
		else
			add_list(w, name, doc);
	}
}

/* --- data -------------------------------------------------------------------
 */

static int by_policy(const void *a, const void *b)
{
	const struct waiver *x = a, *y = b;
	int c = strcmp(x->policy, y->policy);

	return c ? c : strcmp(x->id, y->id);
}

/* The author's keys, and the instants they mean. */
static void waiver_json(struct buf *out, const struct waiver *x)
{
	node_json(out, x->node);
	out->len--; /* the brace */
	buf_adds(out, ",\"expires_at\":\"");
	instant_text(out, x->expires);
	buf_addf(out, "\",\"expires_ns\":%lld", (long long)x->expires);
	if (x->starts != INT64_MIN)
		buf_addf(out, ",\"starts_ns\":%lld", (long long)x->starts);
	buf_addc(out, '}');
}

/* What was valid at the commit, or will be. */
static unsigned write_data(struct waivers *w, struct buf *out)
{
	const struct repo *repo = w->run->o->repo;
	int64_t as_of =
		repo->worktree ? w->run->o->now_ns : repo->time * NS_PER_S;
	unsigned n = 0;

	if (w->n)
		qsort(w->items, w->n, sizeof(*w->items), by_policy);
	buf_addc(out, '[');
	for (uint32_t i = 0; i < w->n; i++) {
		if (as_of >= w->items[i].expires)
			continue;
		buf_adds(out, n++ ? "," : "");
		waiver_json(out, &w->items[i]);
	}
	buf_addc(out, ']');
	return n;
}

void gate_waivers(struct run *r)
{
	struct waivers w = {.run = r};
	struct buf data = {0};

	read_files(&w);
	write_data(&w, &data);
	if (w.files)
		extra_add(r, "waivers/data.json", &data);
	summary(r, "%s, %u lapsed, %u expiring",
		plural(r, w.n, "waiver", "waivers"), w.lapsed, w.expiring);
	buf_release(&data);
	map_release(&w.ids);
}
