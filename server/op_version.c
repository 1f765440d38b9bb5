/* Versions: published, listed, compared. */
#include "server/compare.h"
#include "server/doc.h"
#include "server/op_common.h"

#include "base/clock.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* --- publish -------------------------------------------------------------- */

struct publishing {
	struct op_call *call;
	struct bundle bundle;
	struct version version;
	struct channel_version v;
	bool fresh;
};

static enum op_code read_archive(struct publishing *p)
{
	struct op_call *c = p->call;

	if (!config_is_bundle(op_text(c, "bundle")))
		return op_fail(c, OP_USAGE, "bundle is \"%.*s\", must be %s",
			STR_ARG(op_text(c, "bundle")), CONFIG_BUNDLE_MUST);
	if (bundle_unpack(&p->bundle, c->body, c->err) ||
		bundle_check(&p->bundle, BUNDLE_RELEASE, c->err) ||
		bundle_version(&p->bundle,
			arena_strdup(c->a, op_text(c, "bundle")), c->body, c->a,
			&p->version, c->err)) {
		err_wrap(c->err, "the bundle");
		return OP_INTEGRITY;
	}
	p->version.published = c->now_ns / NS_PER_S;
	return OP_OK;
}

static enum op_code put(struct service *s, struct publishing *p)
{
	struct op_call *c = p->call;
	struct store *store;
	enum status st = service_store(s, &store, c->err);

	if (!st)
		st = store_publish(store, &p->version, &p->bundle, c->body,
			c->a, &p->fresh, c->err);
	return op_code_of(st);
}

static enum op_code announce(struct service *s, struct publishing *p)
{
	struct op_call *c = p->call;
	const char *digest = p->version.digest + strlen("sha256:");
	struct state_result r;
	struct state_change change = {.bundle = str_from(p->version.bundle),
		.event = {.kind = EVENT_PUBLISH,
			.who = c->who,
			.roles = op_channel_roles(c),
			.why = op_text(c, "reason"),
			.version = {.revision = str_from(p->version.revision),
				.digest = str_from(digest),
				.commit = str_from(p->version.commit),
				.commit_time = p->version.commit_time,
				.order = op_int(c, "order", 0)},
			.ancestry = {op_text(c, "ancestors"),
				op_int(c, "ancestors_since", 0)}},
		.key = c->key,
		.now_ns = c->now_ns};

	return op_apply(s, c, &change, &r);
}

static void write_inherits(
	struct service *s, struct publishing *p, struct buf *out)
{
	struct channel ch;
	struct state_version v;
	struct err ignored;
	struct str bundle = str_from(p->version.bundle);
	struct str revision = str_from(p->version.revision);

	if (!state_channel(
		    service_state(s), bundle, p->call->a, &ch, &ignored) &&
		!state_version(service_state(s), bundle, revision, p->call->a,
			&v, &ignored))
		op_inherits(s, p->call, &ch, &v.v, out);
}

/* "1a2b3c4d5e6f.0a1b2c3d4e5f" */
static enum op_code check_ancestors(struct op_call *c)
{
	struct str s = op_text(c, "ancestors");
	bool ok = s.len < REPO_ANCESTORS * (REPO_ANCESTOR + 1u);

	for (size_t i = 0; ok && i < s.len; i++)
		ok = i % (REPO_ANCESTOR + 1) == REPO_ANCESTOR
			     ? s.ptr[i] == '.'
			     : memchr("0123456789abcdef", s.ptr[i], 16) != NULL;
	if (ok && (!s.len || s.len % (REPO_ANCESTOR + 1) == REPO_ANCESTOR))
		return OP_OK;
	return op_fail(c, OP_USAGE,
		"ancestors must be up to %d commits, each by its first %d "
		"digits, with . between them",
		REPO_ANCESTORS, REPO_ANCESTOR);
}

static enum op_code publish(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct publishing p = {.call = c};
	enum op_code code = check_ancestors(c);

	if (!code)
		code = read_archive(&p);
	if (!code)
		code = put(s, &p);
	if (!code)
		code = announce(s, &p);
	if (!code) {
		doc_begin(out, "published");
		doc_text(out, "bundle", str_from(p.version.bundle));
		doc_text(out, "revision", str_from(p.version.revision));
		doc_text(out, "digest", str_from(p.version.digest));
		doc_bool(out, "fresh", p.fresh);
		write_inherits(s, &p, out);
		doc_close(out, '}');
	}
	bundle_release(&p.bundle);
	return code;
}

static const struct op_param publish_params[] = {
	{"bundle", PARAM_TEXT, true, "the bundle's name"},
	{"order", PARAM_INT, false,
		"which commit of the first-parent line it is, from 1"},
	{"ancestors", PARAM_TEXT, false,
		"what its commit follows, the newest 250, each by 12 digits, "
		"with . between them"},
	{"ancestors_since", PARAM_INT, false,
		"seconds since 1970: ancestors that are newer are listed; 1: "
		"all are"},
	{"reason", PARAM_TEXT, false, "a word on it, for the ledger"},
};

const struct op op_publish = {
	.name = "publish",
	.method = "POST",
	.pattern = "/v1/publish",
	.roles = SERVER_CI | SERVER_RELEASE,
	.summary = "Take in a bundle as a new version; the body is the archive",
	.params = publish_params,
	.nparams = COUNT(publish_params),
	.max_body = LIMIT_BUNDLE_COMPRESSED,
	.state = true,
	.run = publish,
};

/* --- versions ------------------------------------------------------------- */

/* What a version is to its channel now; "" when it is nothing. */
static const char *part_of(const struct channel *c, struct str revision)
{
	const struct {
		const struct channel_version *v;
		const char *part;
	} parts[] = {
		{&c->candidate, "candidate"},
		{&c->stable, "stable"},
		{&c->last_good, "last good"},
		{&c->former, "former"},
		{&c->queued, "queued"},
	};

	if (channel_quarantined(c, revision))
		return "quarantined";
	for (size_t i = 0; i < COUNT(parts); i++)
		if (parts[i].v->revision.len &&
			str_eq(parts[i].v->revision, revision))
			return parts[i].part;
	return "";
}

static enum op_code versions(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct channel ch;
	struct state_version *list;
	size_t n, max = (size_t)op_int(c, "limit", 20);
	enum op_code code = op_bundle(s, c, &ch);
	enum status st;

	if (code)
		return code;
	st = state_versions(
		service_state(s), ch.bundle, c->a, &list, &n, c->err);
	if (st)
		return op_code_of(st);
	doc_begin(out, "versions");
	doc_text(out, "bundle", ch.bundle);
	doc_int(out, "total", (int64_t)n);
	doc_open(out, "versions", '[');
	for (size_t i = 0; i < n && i < max; i++) {
		doc_open(out, NULL, '{');
		op_version_members(out, &list[i].v);
		doc_time(out, "published", list[i].published_ns);
		doc_time(out, "promoted", list[i].first_stable_ns);
		doc_some(out, "is", str_from(part_of(&ch, list[i].v.revision)));
		doc_close(out, '}');
	}
	doc_close(out, ']');
	doc_close(out, '}');
	return OP_OK;
}

static const struct op_param versions_params[] = {
	OP_PARAM_BUNDLE,
	{"limit", PARAM_INT, false, "at most so many, the newest (20)"},
};

const struct op op_versions = {
	.name = "versions",
	.method = "GET",
	.pattern = "/v1/versions",
	.roles = OP_READERS,
	.summary = "List what was published, the newest first",
	.params = versions_params,
	.nparams = COUNT(versions_params),
	.state = true,
	.run = versions,
};

/* --- diff ----------------------------------------------------------------- */

static enum op_code load(struct service *s, struct op_call *c,
	const struct channel *ch, const char *param, struct state_version *v,
	struct bundle *b)
{
	struct str revision = op_text(c, param);
	enum status st = state_version(service_state(s), ch->bundle,
		revision.len ? revision : ch->stable.revision, c->a, v, c->err);

	if (!st)
		st = service_bundle(s, v->v.digest, b, c->err);
	return op_code_of(st);
}

static enum op_code diff(struct service *s, struct op_call *c, struct buf *out)
{
	struct channel ch;
	struct state_version x, y;
	struct bundle from = {0}, to = {0};
	enum op_code code = op_bundle(s, c, &ch);

	if (!code)
		code = load(s, c, &ch, "from", &x, &from);
	if (!code)
		code = load(s, c, &ch, "to", &y, &to);
	if (!code) {
		doc_begin(out, "diff");
		doc_text(out, "bundle", ch.bundle);
		op_version_object(out, "from", &x.v);
		op_version_object(out, "to", &y.v);
		doc_bool(out, "same", bundle_same(&from, &to));
		doc_bool(out, "release_changed",
			!str_eq(bundle_release_config(&from),
				bundle_release_config(&to)));
		compare_bundles(out, &from, &to);
		doc_close(out, '}');
	}
	bundle_release(&from);
	bundle_release(&to);
	return code;
}

static const struct op_param diff_params[] = {
	OP_PARAM_BUNDLE,
	{"from", PARAM_TEXT, false, "a revision (the stable one)"},
	{"to", PARAM_TEXT, true, "the other revision"},
};

const struct op op_diff = {
	.name = "diff",
	.method = "GET",
	.pattern = "/v1/diff",
	.roles = OP_READERS,
	.summary = "Say which files, rules and data differ between two "
		   "versions",
	.params = diff_params,
	.nparams = COUNT(diff_params),
	.state = true,
	.run = diff,
};
