#include "cli/output.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "cli/cli.h"
#include "cli/stop.h"

/* --- JSON ----------------------------------------------------------------- */

void json_string(struct buf *out, struct str s)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < s.len;) {
		uint32_t cp;
		size_t n = utf8_decode(s.ptr + i, s.len - i, &cp);

		if (cp == '"' || cp == '\\')
			buf_addf(out, "\\%c", (char)cp);
		else if (cp == '\n' || cp == '\r' || cp == '\t')
			buf_addf(out, "\\%c",
				cp == '\n'   ? 'n'
				: cp == '\r' ? 'r'
					     : 't');
		else if (cp == '\b' || cp == '\f')
			buf_addf(out, "\\%c", cp == '\b' ? 'b' : 'f');
		else if (cp < 0x20 || cp == '<' || cp == '>' || cp == '&' ||
			 cp == 0x2028 || cp == 0x2029)
			buf_addf(out, "\\u%04x", cp);
		else if (cp == 0xfffd && n == 1)
			buf_adds(out, "\\ufffd");
		else
			buf_add(out, s.ptr + i, n);
		i += n;
	}
	buf_addc(out, '"');
}

void json_key(struct buf *out, const char *name)
{
	char last = out->len ? out->ptr[out->len - 1] : '{';

	if (last != '{' && last != '[' && last != ':' && last != ',')
		buf_addc(out, ',');
	json_string(out, str_from(name));
	buf_addc(out, ':');
}

static void new_line(struct buf *out, unsigned depth)
{
	buf_addc(out, '\n');
	while (depth--)
		buf_adds(out, "  ");
}

/* The end of the string that begins at `i`. */
static size_t string_end(struct str s, size_t i)
{
	for (i++; i < s.len && s.ptr[i] != '"'; i++)
		if (s.ptr[i] == '\\')
			i++;
	return i < s.len ? i + 1 : s.len;
}

void json_indent(struct buf *out, struct str s)
{
	unsigned depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '"') {
			size_t end = string_end(s, i);

			buf_add(out, s.ptr + i, end - i);
			i = end - 1;
		} else if (c == '{' || c == '[') {
			buf_addc(out, c);
			if (i + 1 < s.len && s.ptr[i + 1] == c + 2)
				buf_addc(out, s.ptr[++i]);
			else
				new_line(out, ++depth);
		} else if (c == '}' || c == ']') {
			new_line(out, --depth);
			buf_addc(out, c);
		} else if (c == ',') {
			buf_addc(out, c);
			new_line(out, depth);
		} else {
			buf_addc(out, c);
			if (c == ':')
				buf_addc(out, ' ');
		}
	}
	buf_addc(out, '\n');
}

void json_print(FILE *f, struct str compact)
{
	struct buf out = {0};

	json_indent(&out, compact);
	print_buf(f, &out);
	buf_release(&out);
}

/* A number as Go writes a float64. */
static void json_double(struct buf *out, double d)
{
	char text[40];
	int digits = 0;

	/* The fewest digits that read back as the same number. */
	do
		snprintf(text, sizeof(text), "%.*e", digits, d);
	while (strtod(text, NULL) != d && ++digits < 17);
	double size = fabs(d);

	if (d != 0 && (size < 1e-6 || size >= 1e21)) {
		buf_adds(out, text);
		return;
	}
	int exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);

	buf_addf(out, "%.*f", digits > exponent ? digits - exponent : 0, d);
}

/* --- errors ------------------------------------------------------------------
 */

void load_errors_text(struct buf *out, const struct load_errors *e)
{
	if (e->prefix) {
		buf_adds(out, e->prefix);
		diags_text(out, &e->list, "");
	} else {
		diags_text(out, &e->list, " during loading");
	}
}

static void location_json(struct buf *out, const char *file, uint32_t row,
	uint32_t col, bool sorted)
{
	json_key(out, "location");
	buf_addc(out, '{');
	if (sorted) {
		json_key(out, "col");
		buf_addf(out, "%u", col);
	}
	json_key(out, "file");
	json_string(out, str_from(file));
	json_key(out, "row");
	buf_addf(out, "%u", row);
	if (!sorted) {
		json_key(out, "col");
		buf_addf(out, "%u", col);
	}
	buf_addc(out, '}');
}

static void diag_json(struct buf *out, const struct diag *d)
{
	buf_addc(out, '{');
	json_key(out, "message");
	json_string(out, str_from(d->message));
	if (d->code) {
		json_key(out, "code");
		json_string(out, str_from(d->code));
	}
	if (d->code && d->file)
		location_json(out, d->file, d->row, d->col, false);
	if (d->line) {
		json_key(out, "details");
		buf_addc(out, '{');
		json_key(out, "line");
		json_string(out, str_make(d->line, d->line_len));
		json_key(out, "idx");
		buf_addf(out, "%d}", d->idx);
	}
	if (d->why_json) {
		json_key(out, "details");
		buf_adds(out, d->why_json);
	}
	buf_addc(out, '}');
}

void diags_json(struct buf *out, const struct diags *d)
{
	buf_addc(out, '[');
	for (uint32_t i = 0; i < d->len; i++) {
		if (i)
			buf_addc(out, ',');
		diag_json(out, &d->items[i]);
	}
	buf_addc(out, ']');
}

void error_text(struct buf *out, const struct rego_error *e)
{
	if (e->file && *e->file)
		buf_addf(out, "%s:%u: ", e->file, e->row);
	else if (e->text.len)
		buf_addf(out, "%.*s: ", STR_ARG(e->text));
	else if (e->row)
		buf_addf(out, "%u:%u: ", e->row, e->col);
	buf_addf(out, "%s: %s", e->code, e->message);
	if (e->why)
		buf_adds(out, e->why);
}

void frames_text(
	struct buf *out, const struct rego_error *e, const char *indent)
{
	for (uint32_t i = 0; i < e->nframes; i++) {
		const struct rego_frame *f = &e->frames[i];

		buf_addf(out, "\n%s", indent);
		if (!f->file) {
			buf_adds(out, "<unknown>");
			continue;
		}
		if (*f->file)
			buf_addf(out, "%s:%u", f->file, f->row);
		else
			buf_addf(out, "%u:%u", f->row, f->col);
		buf_adds(out, f->text.len ? ": " : "");
		buf_addstr(out, f->text);
	}
}

static void frames_json(
	struct buf *out, const struct rego_error *e, bool sorted)
{
	json_key(out, "stack_trace");
	buf_addc(out, '[');
	for (uint32_t i = 0; i < e->nframes; i++) {
		const struct rego_frame *f = &e->frames[i];

		buf_adds(out, i ? ",{" : "{");
		if (!sorted) {
			json_key(out, "query_id");
			buf_addf(out, "%u", f->query_id);
		}
		if (f->file)
			location_json(out, f->file, f->row, f->col, sorted);
		if (sorted) {
			json_key(out, "query_id");
			buf_addf(out, "%u", f->query_id);
		}
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

static void member(struct buf *out, const char *key, const char *text)
{
	json_key(out, key);
	json_string(out, str_from(text));
}

void error_json(
	struct buf *out, const struct rego_error *e, enum json_order order)
{
	bool sorted = order == JSON_SORTED;

	buf_addc(out, '{');
	if (order == JSON_MESSAGE_FIRST)
		member(out, "message", e->message);
	member(out, "code", e->code);
	if (order == JSON_CODE_FIRST)
		member(out, "message", e->message);
	if (e->row)
		location_json(
			out, e->file ? e->file : "", e->row, e->col, sorted);
	if (sorted)
		member(out, "message", e->message);
	if (e->why_json) {
		json_key(out, "details");
		buf_adds(out, e->why_json);
	}
	if (e->nframes)
		frames_json(out, e, sorted);
	buf_addc(out, '}');
}

/* --- tables
 * -------------------------------------------------------------------- */

struct span {
	uint32_t from, to;
};

static bool in_spans(const struct span *s, size_t n, uint32_t cp)
{
	for (size_t i = 0; i < n; i++)
		if (cp >= s[i].from && cp <= s[i].to)
			return true;
	return false;
}

/* Marks that stand on the letter before; and what is two columns wide:
 * Unicode's East Asian Width W and F, and emoji. In whole blocks. */
static const struct span marks[] = {{0x300, 0x36f}, {0x483, 0x489},
	{0x591, 0x5bd}, {0x610, 0x61a}, {0x64b, 0x65f}, {0x1ab0, 0x1aff},
	{0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},
	{0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};
static const struct span wide[] = {{0x1100, 0x115f}, {0x2e80, 0x303e},
	{0x3041, 0xa4cf}, {0xa960, 0xa97f}, {0xac00, 0xd7a3}, {0xf900, 0xfaff},
	{0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6},
	{0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff},
	{0x20000, 0x3fffd}};

size_t text_width(struct str s)
{
	size_t width = 0;

	for (size_t i = 0; i < s.len;) {
		uint32_t cp;

		i += utf8_decode(s.ptr + i, s.len - i, &cp);
		if (in_spans(marks, COUNT(marks), cp))
			continue;
		width += in_spans(wide, COUNT(wide), cp) ? 2 : 1;
	}
	return width;
}

static void fill(struct buf *out, const char *what, size_t n)
{
	while (n--)
		buf_adds(out, what);
}

static void rule(struct buf *out, const size_t *widths, size_t n,
	const char *left, const char *middle, const char *right)
{
	buf_adds(out, left);
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_adds(out, middle);
		fill(out, "─", widths[i] + 2);
	}
	buf_addf(out, "%s\n", right);
}

static void row(struct buf *out, const size_t *widths, size_t n,
	const struct str *cells, bool centred)
{
	for (size_t i = 0; i < n; i++) {
		size_t room = widths[i] - text_width(cells[i]);
		size_t before = centred ? room / 2 : 0;

		buf_adds(out, i ? " │ " : "│ ");
		fill(out, " ", before);
		buf_addstr(out, cells[i]);
		fill(out, " ", room - before);
	}
	buf_adds(out, " │\n");
}

void table_text(struct buf *out, const struct str *head,
	const struct str *cells, size_t ncols, size_t nrows)
{
	size_t *widths = calloc(ncols ? ncols : 1, sizeof(*widths));

	if (!widths)
		die("out of memory");
	for (size_t i = 0; i < ncols * nrows; i++) {
		size_t w = text_width(cells[i]);

		if (w > widths[i % ncols])
			widths[i % ncols] = w;
	}
	for (size_t i = 0; head && i < ncols; i++)
		if (text_width(head[i]) > widths[i])
			widths[i] = text_width(head[i]);
	rule(out, widths, ncols, "┌", "┬", "┐");
	if (head) {
		row(out, widths, ncols, head, true);
		rule(out, widths, ncols, "├", "┼", "┤");
	}
	for (size_t i = 0; i < nrows; i++)
		row(out, widths, ncols, cells + i * ncols, false);
	rule(out, widths, ncols, "└", "┴", "┘");
	free(widths);
}

/* --- coverage
 * -------------------------------------------------------------------- */

static const struct {
	const char *kind;
	unsigned pass;
} passes[] = {
	{"index_excluded", REGO_NO_INDEX},
	{"early_exit", REGO_NO_EARLY_EXIT},
};

static unsigned pass_named(const char *kind)
{
	for (size_t i = 0; i < COUNT(passes); i++)
		if (!strcmp(passes[i].kind, kind))
			return passes[i].pass;
	return 0;
}

bool is_coverage_run(const char *kind)
{
	return pass_named(kind) != 0;
}

unsigned coverage_passes(const struct list *runs)
{
	unsigned all = runs->set ? 0 : REGO_NO_INDEX | REGO_NO_EARLY_EXIT;

	for (size_t i = 0; i < runs->len; i++)
		all |= pass_named(runs->items[i]);
	return all;
}

static double percent(size_t covered, size_t not_covered)
{
	if (covered + not_covered == 0)
		return 0;
	return 100.0 * (double)covered / (double)(covered + not_covered);
}

static void sum(const struct rego_coverage_file *files, size_t n,
	size_t *covered, size_t *not_covered)
{
	*covered = *not_covered = 0;
	for (size_t i = 0; i < n; i++) {
		*covered += files[i].lines_covered;
		*not_covered += files[i].lines_not_covered;
	}
}

double coverage_percent(const struct rego_coverage_file *files, size_t n)
{
	size_t covered, not_covered;

	sum(files, n, &covered, &not_covered);
	return percent(covered, not_covered);
}

static void kinds_json(struct buf *out, unsigned reached)
{
	const char *before = "[";

	if (!reached)
		return;
	json_key(out, "kinds");
	for (size_t i = 0; i < COUNT(passes); i++) {
		if (!(reached & passes[i].pass))
			continue;
		buf_adds(out, before);
		json_string(out, str_from(passes[i].kind));
		before = ",";
	}
	buf_addc(out, ']');
}

static void ranges_json(struct buf *out, const char *name,
	const struct rego_range *r, uint32_t n)
{
	if (!n)
		return;
	json_key(out, name);
	buf_addc(out, '[');
	for (uint32_t i = 0; i < n; i++) {
		buf_addf(out,
			"%s{\"start\":{\"row\":%u,\"col\":%u},"
			"\"end\":{\"row\":%u,\"col\":%u}",
			i ? "," : "", r[i].from, r[i].from_col, r[i].to,
			r[i].to_col);
		kinds_json(out, r[i].passes);
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

/* The counts; zeroes are left out of files. */
static void counts_json(
	struct buf *out, size_t covered, size_t not_covered, bool zeroes)
{
	double p = percent(covered, not_covered);

	if (covered || zeroes) {
		json_key(out, "covered_lines");
		buf_addf(out, "%zu", covered);
	}
	if (not_covered || zeroes) {
		json_key(out, "not_covered_lines");
		buf_addf(out, "%zu", not_covered);
	}
	if (p > 0 || zeroes) {
		json_key(out, "coverage");
		json_double(out, p);
	}
}

void coverage_json(
	struct buf *out, const struct rego_coverage_file *files, size_t n)
{
	size_t covered, not_covered;

	sum(files, n, &covered, &not_covered);
	buf_addc(out, '{');
	json_key(out, "files");
	buf_addc(out, '{');
	for (size_t i = 0; i < n; i++) {
		const struct rego_coverage_file *f = &files[i];

		json_key(out, f->name);
		buf_addc(out, '{');
		ranges_json(out, "covered", f->covered, f->ncovered);
		ranges_json(
			out, "not_covered", f->not_covered, f->nnot_covered);
		counts_json(out, f->lines_covered, f->lines_not_covered, false);
		buf_addc(out, '}');
	}
	buf_addc(out, '}');
	counts_json(out, covered, not_covered, true);
	buf_addc(out, '}');
}

bool output_colour(void)
{
	return isatty(STDOUT_FILENO) && !env_value("NO_COLOR");
}

void print_buf(FILE *f, const struct buf *b)
{
	if (b->len)
		fwrite(b->ptr, 1, b->len, f);
}

/* A device or a pipe is written to; a file in its place would end it. */
static enum status write_through(
	const char *path, struct str content, struct err *e)
{
	struct fs_file f = {.fd = -1};
	enum status st = fs_open(&f, NULL, path, true, 0644, e);

	if (!st)
		st = fs_append(&f, content, e);
	return st ? (void)fs_close(&f, NULL), st : fs_close(&f, e);
}

/* What a link leads to is replaced, not the link. */
static enum status write_whole(
	const char *path, struct str content, struct err *e)
{
	char *real = realpath(path, NULL);

	stop_hold();
	enum status st = fs_write(NULL, real ? real : path, content, 0644, e);

	stop_release();
	free(real);
	return st;
}

enum status output_file(const char *path, struct str content, struct err *e)
{
	struct stat at;

	if (!stat(path, &at) && !S_ISREG(at.st_mode))
		return write_through(path, content, e);
	return write_whole(path, content, e);
}
