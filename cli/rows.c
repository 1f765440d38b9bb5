#include "cli/rows.h"

#include <string.h>

#include "base/json.h"
#include "cli/output.h"

enum { PAGE_MOST = 1000 };

static bool is(const struct rows *r, const char *format)
{
	return !strcmp(r->format, format);
}

/* --- fields -----------------------------------------------------------------
 */

static struct str cell_of(
	const struct screen *s, const struct rows_column *c, struct str row)
{
	struct screen part = *s;

	if (c->of)
		return c->of(s, row);
	part.doc = row;
	return see(&part, c->pointer);
}

/* RFC 4180. */
static void csv_field(struct buf *out, struct str s, bool first)
{
	if (!first)
		buf_addc(out, ',');
	buf_addc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '"')
			buf_addc(out, '"');
		buf_addc(out, s.ptr[i]);
	}
	buf_addc(out, '"');
}

static void csv_row(
	struct rows *r, const struct screen *s, struct str row, struct buf *out)
{
	for (size_t i = 0; i < r->ncolumns; i++)
		csv_field(out, cell_of(s, &r->columns[i], row), i == 0);
	buf_adds(out, "\r\n");
}

/* An event may have been written on several lines; between its tokens, a line
 * end is a space. */
static void one_line(struct buf *out, struct str json)
{
	for (size_t i = 0; i < json.len; i++)
		buf_addc(out, json.ptr[i] == '\n' || json.ptr[i] == '\r'
				      ? ' '
				      : json.ptr[i]);
	buf_addc(out, '\n');
}

/* --- tables -----------------------------------------------------------------
 */

static struct str printable(struct arena *a, struct str s)
{
	char *text = arena_strdup(a, s);

	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	return str_make(text, s.len);
}

/* Each page has its own widths, and only the first has a head. */
static void table_page(struct rows *r, const struct screen *s, struct str rows,
	struct buf *out)
{
	const char *head[16];
	struct columns c = {.head = head};
	struct buf text = {0};
	struct json_iter it = json_iter(rows);
	bool first = !r->shown;

	for (size_t i = 0; i < r->ncolumns; i++)
		if (!r->columns[i].csv_only)
			head[c.n++] = r->columns[i].name;
	for (; json_next(&it); r->shown++)
		for (size_t i = 0; i < r->ncolumns; i++)
			if (!r->columns[i].csv_only)
				columns_add(s->a, &c,
					printable(
						s->a, cell_of(s, &r->columns[i],
							      it.value)));
	if (c.len) {
		columns_write(&c, &text);
		buf_addstr(out,
			str_slice(buf_str(&text),
				first ? 0
				      : str_find(buf_str(&text), S("\n"), 0) +
						1,
				text.len));
	}
	buf_release(&text);
}

/* --- pages ------------------------------------------------------------------
 */

void rows_begin(struct rows *r, struct buf *out)
{
	if (is(r, "json")) {
		buf_adds(out, "{\"kind\":");
		json_quote(out, str_from(r->kind));
		buf_adds(out, ",\"rows\":[");
	}
	for (size_t i = 0; is(r, "csv") && i < r->ncolumns; i++)
		csv_field(out, str_from(r->columns[i].name), i == 0);
	if (is(r, "csv"))
		buf_adds(out, "\r\n");
}

static void put_row(
	struct rows *r, const struct screen *s, struct str row, struct buf *out)
{
	struct str event;

	if (is(r, "csv")) {
		csv_row(r, s, row, out);
	} else if (is(r, "ndjson")) {
		one_line(out, row);
	} else if (is(r, "raw")) {
		if (json_member(row, S("event"), &event))
			buf_addf(out, "%.*s\n", STR_ARG(event));
	} else {
		buf_adds(out, r->shown ? ",\n" : "\n");
		buf_addstr(out, row);
	}
	r->shown++;
}

void rows_page(struct rows *r, struct str doc, struct buf *out)
{
	struct arena a = {0};
	struct screen s = screen_of(doc, &a);
	struct str rows = see_part(&s, "/rows");
	struct json_iter it = json_iter(rows);

	if (is(r, "table"))
		table_page(r, &s, rows, out);
	while (!is(r, "table") && json_next(&it))
		put_row(r, &s, it.value, out);
	arena_release(&a);
}

void rows_end(struct rows *r, struct buf *out)
{
	if (is(r, "json"))
		buf_adds(out, "\n]}\n");
	if (is(r, "table") && !r->shown && r->none)
		buf_addf(out, "%s\n", r->none);
}

/* --- all of them ------------------------------------------------------------
 */

static bool set_arguments(struct rows *r, struct remote *remote,
	const struct command *c, const void *params, const struct list *args,
	struct str next, int *code)
{
	int64_t left = r->limit ? r->limit - r->shown : PAGE_MOST;

	remote_reset(remote);
	*r->page = !r->next ? 0 : left < PAGE_MOST ? left : PAGE_MOST;
	if (!operation_arguments(
		    remote, c, params, args, r->names, r->missing, code))
		return false;
	if (next.len)
		remote_text(remote, r->next, arena_strdup(&remote->a, next));
	return true;
}

static struct str next_of(const struct remote *remote, struct buf *keep)
{
	struct str next;

	buf_reset(keep);
	if (!json_member(buf_str(&remote->out), S("next"), &next))
		return S("");
	if (json_kind(next) == JSON_STRING)
		json_text(keep, next);
	else
		buf_addstr(keep, next);
	return buf_str(keep);
}

static bool flush(struct buf *out)
{
	bool fine = fwrite(out->ptr, 1, out->len, stdout) == out->len &&
		    !fflush(stdout);

	buf_reset(out);
	return fine;
}

int rows_run(struct rows *r, struct remote *remote, const struct command *c,
	const void *params, const struct list *args)
{
	struct buf out = {0}, keep = {0};
	struct str next = S("");
	bool begun = false, fine = true;
	int code = 0;

	do {
		if (!set_arguments(r, remote, c, params, args, next, &code))
			break;
		code = remote_call(remote, r->op);
		if (code)
			break;
		if (!begun)
			rows_begin(r, &out);
		begun = true;
		rows_page(r, buf_str(&remote->out), &out);
		next = next_of(remote, &keep);
		fine = !out.len || flush(&out);
	} while (fine && next.len && (!r->limit || r->shown < r->limit));
	if (begun && !code)
		rows_end(r, &out);
	fine = fine && (!out.len || flush(&out));
	if (!fine)
		fprintf(stderr, "regatta: standard output can't be written\n");
	buf_release(&keep);
	buf_release(&out);
	return fine || code ? code : EXIT_ERROR;
}
