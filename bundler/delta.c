/*
 * Deltas: bundles that change data in place of bringing it.
 *
 * None is made here, since no signature covers them; they are told from other
 * bundles, and judged without the data they would change.
 *
 * Source: OPA contract, section 1.9.
 */
#include "base/json.h"
#include "bundler/internal.h"

#include <string.h>

enum status delta_find(const struct bundle *b, struct str *list, struct err *e)
{
	*list = (struct str){0};
	for (uint32_t i = 0; i < b->nfiles; i++) {
		const struct bundle_file *f = &b->files[i];
		struct str doc, data;
		size_t pos = 0;
		enum status st;

		if (name_role(f->path) != ROLE_PATCH)
			continue;
		st = json_scan(f->content, &pos, NULL, &doc, e);
		if (st) {
			err_wrap(e, "bundle load failed on patch decode");
			return st;
		}
		if (json_member(doc, S("data"), &data) &&
			json_kind(data) == JSON_ARRAY) {
			struct json_iter it = json_iter(data);

			if (json_next(&it))
				*list = data;
		}
	}
	return OK;
}

static enum status only_patches(const struct bundle *b, struct err *e)
{
	const char *kind = NULL;

	/* OPA looks for policies first. Data it passes over without a word. */
	for (uint32_t i = 0; i < b->nfiles; i++) {
		enum role role = name_role(b->files[i].path);

		if (role == ROLE_MODULE)
			kind = "policy";
		else if (role == ROLE_WASM && !kind)
			kind = "wasm";
	}
	if (!kind)
		return OK;
	return err_set(e, E_INVALID,
		"delta bundle expected to contain only patch file but %s files "
		"found",
		kind);
}

static void text_of(struct buf *out, struct str object, const char *name)
{
	struct str span;

	buf_reset(out);
	buf_adds(out, "");
	if (json_member(object, str_from(name), &span) &&
		json_kind(span) == JSON_STRING)
		json_text(out, span);
}

static struct str trimmed(struct str s)
{
	while (s.len && s.ptr[0] == '/')
		s = str_slice(s, 1, s.len);
	while (s.len && s.ptr[s.len - 1] == '/')
		s.len--;
	return s;
}

static enum status check_path(
	const struct bundle_manifest *m, struct str path, struct err *e)
{
	struct buf roots = {0};

	if (!m->roots) /* everything */
		return OK;
	buf_adds(&roots, "");
	for (size_t i = 0; i < m->nroots; i++) {
		if (root_holds(str_from(m->roots[i]), path)) {
			buf_release(&roots);
			return OK;
		}
		buf_addf(&roots, "%s%s", i ? " " : "", m->roots[i]);
	}
	err_set(e, E_INVALID,
		"manifest roots [%s] do not permit data patch at path '%.*s'",
		roots.ptr, STR_ARG(path));
	buf_release(&roots);
	return E_INVALID;
}

static enum status check_operation(struct str op, struct err *e)
{
	if (str_is(op, "upsert") || str_is(op, "replace") ||
		str_is(op, "remove"))
		return OK;
	return err_set(e, E_INVALID, "bad patch operation: %.*s", STR_ARG(op));
}

/* Paths are looked at when a bundle is read, operations when it is applied. */
enum status delta_check(const struct bundle *b, struct str list, struct err *e)
{
	struct json_iter it = json_iter(list);
	struct buf text = {0};
	enum status st = only_patches(b, e);

	while (!st && json_next(&it)) {
		text_of(&text, it.value, "path");
		st = check_path(&b->manifest, trimmed(buf_str(&text)), e);
	}
	it = json_iter(list);
	while (!st && json_next(&it)) {
		text_of(&text, it.value, "op");
		st = check_operation(buf_str(&text), e);
	}
	buf_release(&text);
	return st;
}
