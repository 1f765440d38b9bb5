/*
 * stages: how far each policy is enforced, from which day, and for whom.
 *
 * dryrun < warn < audit < enforce. A policy begins in dryrun and rises one
 * step at a time, so that nobody is stopped by a rule whose effect was never
 * counted.
 */
#include "gates/internal.h"

#include <string.h>

#include "base/json.h"

static const char *const names[] = {"dryrun", "warn", "audit", "enforce"};

enum { ENFORCE = 3, NSTAGES = 4 };

struct reading {
	struct run *run;
	const char *file;
	const char *policy;
	const struct node *at; /* the policy's node */
};

#define BAD(s, node, code, ...)                                                \
	(find_at((s)->run, GATE_FAIL, (s)->file, (node)->row, (node)->col,     \
		 code, __VA_ARGS__)                                            \
			->subject = (s)->policy)

static int stage_of(const struct node *n)
{
	for (int i = 0; i < NSTAGES; i++)
		if (n && n->kind == YAML_SCALAR && str_is(n->text, names[i]))
			return i;
	return -1;
}

static bool date_at(struct reading *s, const struct node *entry,
	const char *key, int64_t *ns)
{
	const struct node *n = node_get(entry, key);

	if (n && n->kind == YAML_SCALAR && instant_parse(n->text, ns, NULL))
		return true;
	BAD(s, n ? n : entry, "R003",
		"%s needs `%s`, a date such as 2026-06-30", s->policy, key);
	return false;
}

/* One step of the stages; `last` is the one before, -1 for the first. */
static void check_entry(
	struct reading *s, const struct node *entry, int *last, int64_t *since)
{
	int stage = stage_of(node_get(entry, "stage"));
	const struct node *scope = node_get(entry, "scope");
	int64_t from;

	if (stage < 0) {
		BAD(s, entry, "R003",
			"%s: a stage is one of dryrun, warn, audit and enforce",
			s->policy);
		return;
	}
	if (!date_at(s, entry, "from", &from))
		return;
	if (*last < 0 && stage != 0)
		BAD(s, entry, "R001",
			"%s is born in %s: the first stage of a policy is "
			"dryrun",
			s->policy, names[stage]);
	else if (*last >= 0 && stage > *last + 1)
		BAD(s, entry, "R003", "%s goes from %s to %s at once",
			s->policy, names[*last], names[stage]);
	if (*last >= 0 && from < *since)
		BAD(s, entry, "R003", "%s: %s begins before %s does", s->policy,
			names[stage], names[*last]);
	if (stage == ENFORCE && *last >= 0 && *last < ENFORCE && !scope)
		BAD(s, entry, "R005",
			"%s: the first enforce names a scope; everywhere comes "
			"after it",
			s->policy);
	*last = stage;
	*since = from;
}

static void check_stages(struct reading *s)
{
	const struct node *list = node_get(s->at, "stages");
	int64_t since = INT64_MIN;
	int last = -1;

	if (!list || list->kind != YAML_LIST || !list->n) {
		BAD(s, s->at, "R001", "%s has no stages", s->policy);
		return;
	}
	for (uint32_t i = 0; i < list->n; i++)
		check_entry(s, &list->items[i], &last, &since);
	if (last == ENFORCE && !node_get(s->at, "announced"))
		BAD(s, s->at, "R004",
			"%s is enforced without `announced`, the day on which "
			"people were told",
			s->policy);
}

static void check_holds(struct reading *s)
{
	const struct node *list = node_get(s->at, "holds");

	for (uint32_t i = 0; list && i < list->n; i++) {
		const struct node *hold = &list->items[i];
		int64_t from, until;

		if (stage_of(node_get(hold, "cap")) < 0)
			BAD(s, hold, "R009", "%s: a hold has a cap, a stage",
				s->policy);
		if (!node_get(hold, "reason") || !node_get(hold, "ticket"))
			BAD(s, hold, "R009",
				"%s: a hold needs a reason and a ticket",
				s->policy);
		if (date_at(s, hold, "from", &from) &&
			date_at(s, hold, "until", &until) && until <= from)
			BAD(s, hold, "R009", "%s: a hold ends after it begins",
				s->policy);
	}
}

/* Keeps the policy's node, for the data and for what has no stage. */
static void add_policy(
	struct reading *s, const struct node *key, const struct node *value)
{
	s->policy = arena_strdup(s->run->arena, key->text);
	name_policy(s->run, s->file, key, "R002");
	s->at = value;
	if (map_get(&s->run->stages, key->text)) {
		BAD(s, key, "R002", "%s has stages in two files", s->policy);
		return;
	}
	map_set(&s->run->stages, str_from(s->policy), (void *)(uintptr_t)value);
	check_stages(s);
	check_holds(s);
	s->policy = NULL;
}

static void read_file(struct run *r, const struct repo_file *f)
{
	struct reading s = {.run = r, .file = arena_strdup(r->arena, f->path)};
	struct node *doc = ARENA_NEW(r->arena, struct node);
	struct err e = {0};

	if (node_parse(r->arena, s.file, f->content, doc, &e)) {
		find_err(r, GATE_FAIL, NULL, &e);
		return;
	}
	const struct node *policies = node_get(doc, "policies");
	const struct node *version = node_get(doc, "version");

	if (!version || !str_is(version->text, "1"))
		BAD(&s, doc, NULL, "stages begin with version: 1");
	if (!policies || policies->kind != YAML_MAP) {
		if (!policies || policies->type != YAML_NULL)
			BAD(&s, doc, NULL,
				"`policies` is a map from ids to stages");
		return;
	}
	for (uint32_t i = 0; i < policies->n; i += 2)
		add_policy(&s, &policies->items[i], &policies->items[i + 1]);
}

/* {"id": {"stages": [...], "holds": [...]}}, in order of the files. */
static void write_data(struct run *r, struct buf *out)
{
	static const char *const keys[] = {"stages", "holds"};

	buf_addc(out, '{');
	for (size_t i = 0; i < r->stages.len; i++) {
		const struct map_entry *m = &r->stages.entries[i];

		buf_adds(out, i ? "," : "");
		json_quote(out, m->key);
		buf_adds(out, ":{");
		for (size_t k = 0, n = 0; k < 2; k++) {
			const struct node *list = node_get(m->value, keys[k]);

			if (!list)
				continue;
			buf_addf(out, "%s\"%s\":", n++ ? "," : "", keys[k]);
			node_json(out, list);
		}
		buf_addc(out, '}');
	}
	buf_addc(out, '}');
}

void gate_stages(struct run *r)
{
	const struct repo *repo = r->o->repo;
	struct buf data = {0};
	unsigned files = 0;

	for (size_t i = 0; i < repo->nfiles; i++) {
		const struct repo_file *f = &repo->files[i];

		if (!str_starts(f->path, S("stages/")) ||
			(!str_ends(f->path, S(".yaml")) &&
				!str_ends(f->path, S(".yml"))))
			continue;
		read_file(r, f);
		files++;
	}
	write_data(r, &data);
	if (files)
		extra_add(r, "stages/data.json", &data);
	summary(r, "%s", plural(r, r->stages.len, "policy", "policies"));
	buf_release(&data);
}
