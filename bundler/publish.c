/* A bundle becomes a version: what its manifest says of it, and the store. */
#include "bundler/bundler.h"

#include "base/date.h"
#include "base/json.h"

#include <string.h>

const char *bundle_metadata(
	const struct bundle *b, const char *key, struct arena *a)
{
	struct str value;
	struct buf text = {0};
	const char *out;

	if (!b->manifest.metadata.len ||
		!json_member(b->manifest.metadata, str_from(key), &value) ||
		json_kind(value) != JSON_STRING)
		return "";
	json_text(&text, value);
	out = arena_strdup(a, buf_str(&text));
	buf_release(&text);
	return out;
}

struct str bundle_release_config(const struct bundle *b)
{
	struct str value;

	if (!b->manifest.metadata.len ||
		!json_member(b->manifest.metadata, S("release"), &value))
		return S("");
	return value;
}

enum status bundle_version(const struct bundle *b, const char *name,
	struct str archive, struct arena *a, struct version *out, struct err *e)
{
	int64_t ns = 0;

	*out = (struct version){
		.bundle = name,
		.revision = b->manifest.revision,
		.digest = b->digest,
		.commit = bundle_metadata(b, "commit", a),
		.tree = bundle_metadata(b, "tree", a),
		.size = archive.len,
	};
	if (!*out->revision)
		return err_set(e, E_INVALID,
			"no revision in its manifest, so nobody could name "
			"it; build it with one");
	if (!*out->commit)
		return err_set(e, E_INVALID,
			"its manifest names no commit, so it can't be made "
			"again; build it from one");
	if (instant_parse(
		    str_from(bundle_metadata(b, "commit_time", a)), &ns, NULL))
		out->commit_time = ns / 1000000000;
	return OK;
}

/* The version that has this name holds the same files. */
static bool there_already(struct store *s, const struct version *v,
	const struct bundle *b, struct version *there, struct arena *a)
{
	struct bundle old = {0};
	struct buf archive = {0};
	struct err e;
	bool same = !store_find(s, v->bundle, v->revision, a, there, &e) &&
		    !store_get(s, there->digest, &archive, &e) &&
		    !bundle_unpack(&old, buf_str(&archive), &e) &&
		    bundle_same(&old, b);

	bundle_release(&old);
	buf_release(&archive);
	return same;
}

enum status store_publish(struct store *s, struct version *v,
	const struct bundle *b, struct str archive, struct arena *a,
	bool *fresh, struct err *e)
{
	struct version there;
	enum status st = store_put(s, v, archive, fresh, e);

	if (st != E_CONFLICT || !there_already(s, v, b, &there, a))
		return st;
	*v = there;
	*fresh = false;
	return OK;
}
