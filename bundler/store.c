/* Stores: which kind, and what all kinds share. */
#include "base/digest.h"
#include "base/json.h"
#include "bundler/internal.h"

#include <string.h>

/* --- kinds ---------------------------------------------------------------- */

static enum status not_here(const char *url, struct err *e)
{
	static const char *const known[] = {"http:", "https:", "s3:", "oci:"};

	for (size_t i = 0; i < COUNT(known); i++)
		if (str_starts(str_from(url), str_from(known[i])))
			return err_set(e, E_UNSUPPORTED,
				"%s: stores of the kind %s are not to be had "
				"here; dir:PATH is",
				url, known[i]);
	return err_set(e, E_INVALID,
		"%s: a store is named dir:PATH, as in dir:./var/bundles", url);
}

enum status store_open(
	struct store **out, const char *url, const struct fs *fs, struct err *e)
{
	if (!str_starts(str_from(url), S("dir:")) || !url[4])
		return not_here(url, e);
	*out = store_dir_new(url + 4, fs);
	return OK;
}

void store_close(struct store *s)
{
	if (s)
		s->ops->close(s);
}

enum status store_put(struct store *s, const struct version *v,
	struct str archive, bool *fresh, struct err *e)
{
	struct buf digest = {0};
	enum status st = OK;

	store_digest(&digest, archive);
	if (!v->digest || !str_is(buf_str(&digest), v->digest) ||
		v->size != archive.len)
		st = err_set(e, E_INVALID,
			"the archive has %zu bytes and the digest %s, which "
			"is not what its version says",
			archive.len, digest.ptr);
	buf_release(&digest);
	return st ? st : s->ops->put(s, v, archive, fresh, e);
}

enum status store_get(
	struct store *s, const char *digest, struct buf *out, struct err *e)
{
	return s->ops->get(s, digest, out, e);
}

enum status store_list(struct store *s, const char *bundle, struct arena *a,
	struct version **out, size_t *n, struct err *e)
{
	return s->ops->list(s, bundle, a, out, n, e);
}

enum status store_find(struct store *s, const char *bundle,
	const char *revision, struct arena *a, struct version *out,
	struct err *e)
{
	return s->ops->find(s, bundle, revision, a, out, e);
}

/* --- what they share ------------------------------------------------------ */

void store_digest(struct buf *out, struct str bytes)
{
	unsigned char sum[DIGEST_MAX];

	digest(DIGEST_SHA256, bytes, sum);
	buf_adds(out, "sha256:");
	digest_hex(out, sum, digest_size(DIGEST_SHA256));
}

static void write_text(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
	json_quote(out, str_from(value));
}

static void write_number(struct buf *out, const char *name, int64_t value)
{
	buf_addf(out, ",\"%s\":%lld", name, (long long)value);
}

void version_write(struct buf *out, const struct version *v)
{
	struct buf b = {0};

	buf_addc(&b, '{');
	write_text(&b, "bundle", v->bundle);
	write_text(&b, "revision", v->revision);
	write_text(&b, "digest", v->digest);
	write_number(&b, "size", (int64_t)v->size);
	write_text(&b, "commit", v->commit);
	write_text(&b, "tree", v->tree);
	write_number(&b, "commit_time", v->commit_time);
	write_number(&b, "published", v->published);
	buf_adds(&b, "}\n");
	buf_addstr(out, buf_str(&b));
	buf_release(&b);
}

static enum status read_text(struct str doc, const char *name, struct arena *a,
	const char **out, struct err *e)
{
	struct buf b = {0};
	struct str span;

	if (!json_member(doc, str_from(name), &span) ||
		json_kind(span) != JSON_STRING)
		return err_set(e, E_INVALID, "no text at \"%s\"", name);
	buf_reserve(&b, span.len);
	json_text(&b, span);
	*out = arena_strdup(a, buf_str(&b));
	buf_release(&b);
	return OK;
}

static enum status read_number(
	struct str doc, const char *name, int64_t *out, struct err *e)
{
	struct str span;

	if (!json_member(doc, str_from(name), &span) ||
		json_kind(span) != JSON_NUMBER || !json_int(span, out))
		return err_set(e, E_INVALID, "no whole number at \"%s\"", name);
	return OK;
}

enum status version_read(
	struct version *out, struct str text, struct arena *a, struct err *e)
{
	struct version v = {0};
	int64_t size = 0;
	struct str doc;
	/* clang-format off */
	struct { const char *name; const char **to; } texts[] = {
		{"bundle", &v.bundle}, {"revision", &v.revision},
		{"digest", &v.digest}, {"commit", &v.commit}, {"tree", &v.tree},
	};
	struct { const char *name; int64_t *to; } numbers[] = {
		{"size", &size}, {"commit_time", &v.commit_time},
		{"published", &v.published},
	};
	/* clang-format on */
	enum status st = json_check(text, NULL, &doc, e);

	for (size_t i = 0; i < COUNT(texts) && !st; i++)
		st = read_text(doc, texts[i].name, a, texts[i].to, e);
	for (size_t i = 0; i < COUNT(numbers) && !st; i++)
		st = read_number(doc, numbers[i].name, numbers[i].to, e);
	if (!st && size < 0)
		st = err_set(e, E_INVALID, "the size is negative");
	v.size = (uint64_t)size;
	if (!st)
		*out = v;
	return st;
}
