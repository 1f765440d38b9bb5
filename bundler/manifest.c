/*
 * .manifest: reading it as an agent does, writing it as `opa build` does.
 *
 * Source: OPA contract, sections 1.4 and 1.5.
 */
#include "base/json.h"
#include "bundler/internal.h"
#include "rego/value.h"

#include <string.h>

bool root_holds(struct str root, struct str path)
{
	if (!root.len)
		return true;
	return str_starts(path, root) &&
	       (path.len == root.len || path.ptr[root.len] == '/');
}

/* --- writing -------------------------------------------------------------- */

void bundle_manifest_write(struct buf *out, const struct bundle_manifest *m)
{
	buf_adds(out, "{\"revision\":");
	json_quote(out, str_from(m->revision));
	buf_adds(out, ",\"roots\":[");
	for (size_t i = 0; i < m->nroots; i++) {
		if (i)
			buf_addc(out, ',');
		json_quote(out, str_from(m->roots[i]));
	}
	buf_addc(out, ']');
	if (m->rego_version >= 0)
		buf_addf(out, ",\"rego_version\":%d", m->rego_version);
	if (m->metadata.len) {
		buf_adds(out, ",\"metadata\":");
		buf_addstr(out, m->metadata);
	}
	buf_adds(out, "}\n");
}

/* --- reading -------------------------------------------------------------- */

#define DECODE "bundle load failed on manifest decode: "

static enum status wrong_type(
	struct str span, const char *field, const char *type, struct err *e)
{
	return err_set(e, E_INVALID,
		DECODE "json: cannot unmarshal %s into Go struct field "
		       "Manifest.%s of type %s",
		json_kind_name(json_kind(span)), field, type);
}

static const char *text_of(struct arena *a, struct str span)
{
	struct buf b = {0};
	const char *s;

	buf_reserve(&b, span.len);
	json_text(&b, span);
	s = arena_strdup(a, buf_str(&b));
	buf_release(&b);
	return s;
}

static enum status read_roots(struct bundle_manifest *m, struct str span,
	struct arena *a, struct err *e)
{
	struct json_iter it = json_iter(span);
	size_t n = 0;

	if (json_kind(span) != JSON_ARRAY)
		return wrong_type(span, "roots", "[]string", e);
	while (json_next(&it)) {
		if (json_kind(it.value) != JSON_STRING)
			return wrong_type(it.value, "roots", "string", e);
		n++;
	}
	m->roots = ARENA_ARRAY(a, const char *, n + 1);
	it = json_iter(span);
	while (json_next(&it)) {
		struct str s = str_from(text_of(a, it.value));

		while (s.len && s.ptr[0] == '/')
			s = str_slice(s, 1, s.len);
		while (s.len && s.ptr[s.len - 1] == '/')
			s.len--;
		m->roots[m->nroots++] = arena_strdup(a, s);
	}
	return OK;
}

static enum status read_fields(struct bundle_manifest *m, const struct str *got,
	struct arena *a, struct err *e)
{
	int64_t version = -1;

	if (got[0].ptr && json_kind(got[0]) != JSON_NULL) {
		if (json_kind(got[0]) != JSON_STRING)
			return wrong_type(got[0], "revision", "string", e);
		m->revision = text_of(a, got[0]);
	}
	if (got[2].ptr && json_kind(got[2]) != JSON_NULL &&
		(json_kind(got[2]) != JSON_NUMBER ||
			!json_int(got[2], &version) || version > INT32_MAX ||
			version < INT32_MIN))
		return wrong_type(got[2], "rego_version", "int", e);
	m->rego_version = (int)version;
	if (got[3].ptr && json_kind(got[3]) != JSON_NULL) {
		if (json_kind(got[3]) != JSON_OBJECT)
			return wrong_type(got[3], "metadata",
				"map[string]interface {}", e);
		m->metadata = arena_str(a, got[3]);
	}
	if (got[4].ptr && json_kind(got[4]) == JSON_ARRAY)
		m->wasm = arena_str(a, got[4]);
	if (got[1].ptr && json_kind(got[1]) != JSON_NULL)
		return read_roots(m, got[1], a, e);
	return OK;
}

/* Go's words for what is no JSON. */
static enum status syntax(struct str text, struct err *e)
{
	struct arena a = {0};
	struct json_error je = {0};
	struct value v;

	if (!json_parse(&a, NULL, text.ptr ? text : S(""), LIMIT_DATA_DEPTH, &v,
		    &je))
		err_set(e, E_INVALID, DECODE "%s", je.text);
	else
		err_wrap(e, "bundle load failed on manifest decode");
	arena_release(&a);
	return E_INVALID;
}

enum status bundle_manifest_read(struct bundle_manifest *out, struct str text,
	struct arena *a, struct err *e)
{
	static const struct str names[] = {STR("revision"), STR("roots"),
		STR("rego_version"), STR("metadata"), STR("wasm")};
	struct bundle_manifest m = {.revision = "", .rego_version = -1};
	struct str doc, got[COUNT(names)];
	size_t pos = 0;
	enum status st = json_scan(text, &pos, NULL, &doc, e);

	if (st)
		return st == E_INVALID ? syntax(text, e) : st;
	if (json_kind(doc) != JSON_OBJECT && json_kind(doc) != JSON_NULL)
		return err_set(e, E_INVALID,
			DECODE "json: cannot unmarshal %s into Go value of "
			       "type bundle.Manifest",
			json_kind_name(json_kind(doc)));
	json_members(doc, names, COUNT(names), got);
	st = read_fields(&m, got, a, e);
	if (!st)
		*out = m;
	return st;
}
