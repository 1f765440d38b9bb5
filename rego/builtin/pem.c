#include "rego/builtin/pem.h"

#include "rego/builtin/operand.h"

#include <string.h>

static const char begin_mark[] = "-----BEGIN ", end_mark[] = "-----END ";
static const char dashes[] = "-----";

/* The line at `*at`, without white space at its end; moves behind it. */
static struct str line_at(struct str s, size_t *at)
{
	size_t end = str_find(s, S("\n"), *at);
	struct str line = str_slice(s, *at, end == SIZE_MAX ? s.len : end);

	*at = end == SIZE_MAX ? s.len : end + 1;
	while (line.len && strchr(" \t\r", line.ptr[line.len - 1]))
		line.len--;
	return line;
}

/* The TYPE of a line "-----BEGIN TYPE-----". */
static bool marks(struct str line, const char *mark, struct str *type)
{
	size_t n = strlen(mark);

	if (!str_starts(line, str_from(mark)) ||
		!str_ends(line, str_from(dashes)) ||
		line.len < n + strlen(dashes))
		return false;
	*type = str_slice(line, n, line.len - strlen(dashes));
	return true;
}

/* Lines with a colon right behind the first one are headers. */
static void skip_headers(struct str s, size_t *at)
{
	size_t next = *at;

	while (next < s.len) {
		struct str line = line_at(s, &next);

		if (str_find(line, S(":"), 0) == SIZE_MAX)
			return;
		*at = next;
	}
}

static bool body_read(struct bi_ctx *cx, struct str body, struct str *der)
{
	struct value text, bytes;
	struct buf b = {0};

	for (size_t i = 0; i < body.len; i++)
		if (body.ptr[i] != ' ' && body.ptr[i] != '\t')
			buf_addc(&b, body.ptr[i]);
	text = v_str(cx->arena, buf_str(&b));
	buf_release(&b);
	if (operand_call(cx, "base64.decode", &text, &bytes))
		return false;
	*der = v_bytes(bytes);
	return true;
}

/* The block whose first line has been read; false: it is none. */
static bool block_read(
	struct bi_ctx *cx, struct str s, size_t at, struct pem *out)
{
	struct str type;
	size_t from, line;

	skip_headers(s, &at);
	from = at;
	while (at < s.len) {
		line = at;
		if (!marks(line_at(s, &at), end_mark, &type))
			continue;
		if (!str_eq(type, out->type) ||
			!body_read(cx, str_slice(s, from, line), &out->der))
			return false;
		out->rest = str_slice(s, at, s.len);
		return true;
	}
	return false;
}

bool pem_read(struct bi_ctx *cx, struct str s, struct pem *out)
{
	for (size_t at = 0; at < s.len;)
		if (marks(line_at(s, &at), begin_mark, &out->type) &&
			block_read(cx, s, at, out))
			return true;
	return false;
}
