#include "signer/signers.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/date.h"
#include "signer/internal.h"
#include "signer/note.h"
#include "signer/sshsig.h"

/* A line that is read from the front. */
struct line {
	const char *name;
	uint32_t row;
	const char *start;
	struct str rest;
	struct arena *a;
	struct err *e;
};

static enum status fail(struct line *l, enum status code, const char *fmt, ...)
	PRINTF(3, 4);

static enum status fail(struct line *l, enum status code, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(l->e, code, "%s:%u:%zu: %s", l->name, l->row,
		(size_t)(l->rest.ptr - l->start) + 1, what);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip(struct line *l, size_t n)
{
	l->rest = str_slice(l->rest, n, l->rest.len);
}

static void skip_blanks(struct line *l)
{
	while (l->rest.len && is_blank(l->rest.ptr[0]))
		skip(l, 1);
}

/* Up to the next blank. */
static struct str word(struct line *l)
{
	size_t n = 0;

	while (n < l->rest.len && !is_blank(l->rest.ptr[n]))
		n++;
	return str_slice(l->rest, 0, n);
}

/* --- options -------------------------------------------------------------- */

static bool digits(struct str s, size_t at, size_t n, unsigned *out)
{
	*out = 0;
	for (size_t i = at; i < at + n; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		*out = *out * 10 + (unsigned)(s.ptr[i] - '0');
	}
	return true;
}

/* YYYYMMDDZ, YYYYMMDDHHMMZ or YYYYMMDDHHMMSSZ. */
static bool read_time(struct str s, int64_t *out)
{
	unsigned year, month, day, part[3] = {0};
	size_t n = s.len - 1;

	if ((n != 8 && n != 12 && n != 14) || s.ptr[n] != 'Z' ||
		!digits(s, 0, 4, &year) || !digits(s, 4, 2, &month) ||
		!digits(s, 6, 2, &day))
		return false;
	for (size_t i = 0; 8 + 2 * i < n; i++)
		if (!digits(s, 8 + 2 * i, 2, &part[i]))
			return false;
	struct date d = {(int)year, month, day};

	if (!date_valid(d) || year < 1970 || part[0] > 23 || part[1] > 59 ||
		part[2] > 59)
		return false;
	*out = date_days(d) * 86400 + part[0] * 3600 + part[1] * 60 + part[2];
	return *out > 0;
}

/* "text" behind an option's =. */
static enum status quoted(struct line *l, const char *option, struct str *out)
{
	size_t end;

	if (!l->rest.len || l->rest.ptr[0] != '"')
		return fail(l, E_INVALID, "the value of %s must be in \"...\"",
			option);
	end = str_find(l->rest, S("\""), 1);
	if (end == SIZE_MAX)
		return fail(l, E_INVALID, "the \" of %s is not closed", option);
	*out = str_slice(l->rest, 1, end);
	if (!out->len)
		return fail(l, E_INVALID, "%s is empty", option);
	skip(l, end + 1);
	return OK;
}

static enum status take_time(struct line *l, const char *option, int64_t *out)
{
	struct line at = *l;
	struct str text;
	enum status st = quoted(l, option, &text);

	if (st)
		return st;
	if (*out)
		return fail(&at, E_INVALID, "%s is given twice", option);
	if (!read_time(text, out))
		return fail(&at, E_INVALID,
			"%s is \"%.*s\", must be a time in UTC with its Z, "
			"like 20260630Z or 202606301200Z",
			option, (int)(text.len > 40 ? 40 : text.len), text.ptr);
	return OK;
}

static enum status take_namespaces(struct line *l, struct signer *s)
{
	if (s->namespaces.len)
		return fail(l, E_INVALID, "namespaces is given twice");
	return quoted(l, "namespaces", &s->namespaces);
}

static enum status take_option(struct line *l, struct signer *s)
{
	static const struct str names = STR("namespaces="),
				after = STR("valid-after="),
				before = STR("valid-before="),
				authority = STR("cert-authority");

	if (str_starts(l->rest, names)) {
		skip(l, names.len);
		return take_namespaces(l, s);
	}
	if (str_starts(l->rest, after)) {
		skip(l, after.len);
		return take_time(l, "valid-after", &s->after);
	}
	if (str_starts(l->rest, before)) {
		skip(l, before.len);
		return take_time(l, "valid-before", &s->before);
	}
	if (str_starts(l->rest, authority))
		return fail(l, E_UNSUPPORTED,
			"cert-authority: certificates are not read here; list "
			"the keys themselves");
	return fail(l, E_INVALID,
		"neither a key type nor an option; options are namespaces, "
		"valid-after and valid-before");
}

static bool is_key_type(struct str w)
{
	return str_starts(w, S("ssh-")) || str_starts(w, S("ecdsa-")) ||
	       str_starts(w, S("sk-"));
}

static enum status take_options(struct line *l, struct signer *s)
{
	enum status st;

	if (is_key_type(word(l)))
		return OK;
	st = take_option(l, s);
	while (!st && l->rest.len && l->rest.ptr[0] == ',') {
		skip(l, 1);
		st = take_option(l, s);
	}
	if (!st && l->rest.len && !is_blank(l->rest.ptr[0]))
		return fail(l, E_INVALID, "options are told apart by commas");
	return st;
}

/* --- lines ---------------------------------------------------------------- */

static enum status take_who(struct line *l, struct signer *s)
{
	if (l->rest.ptr[0] == '"')
		return quoted(l, "the name", &s->who);
	s->who = word(l);
	skip(l, s->who.len);
	return OK;
}

static enum status take_key(struct line *l, struct signer *s)
{
	struct buf blob = {0};
	struct str type = word(l);
	struct err why = {0};
	enum status st = OK;

	if (!is_key_type(type))
		return fail(l, E_INVALID,
			"a key is wanted here, as in a .pub "
			"file: ssh-ed25519 AAAA...");
	skip(l, type.len);
	skip_blanks(l);
	if (base64_parse(&blob, word(l), &why))
		st = fail(l, E_INVALID, "no key: %s", why.text);
	else if (!str_eq(ssh_key_type(buf_str(&blob)), type))
		st = fail(l, E_INVALID, "no key of type %.*s",
			(int)(type.len > 64 ? 64 : type.len), type.ptr);
	else
		s->key = arena_str(l->a, buf_str(&blob));
	buf_release(&blob);
	return st;
}

static enum status read_line(struct line *l, struct signer *s)
{
	enum status st = take_who(l, s);

	skip_blanks(l);
	if (!st)
		st = take_options(l, s);
	skip_blanks(l);
	return st ? st : take_key(l, s);
}

/* What is in a line gets into messages. */
static enum status check_line(struct line *l)
{
	if (!utf8_valid(l->rest.ptr, l->rest.len))
		return fail(l, E_INVALID, "no UTF-8");
	for (size_t i = 0; i < l->rest.len; i++) {
		unsigned char c = (unsigned char)l->rest.ptr[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return fail(
				l, E_INVALID, "a control character, 0x%02x", c);
	}
	return OK;
}

static struct line next_line(struct line *l, struct str *text)
{
	struct line next = *l;

	next.row++;
	next.start = text->ptr;
	next.rest = str_take(text, S("\n"));
	if (next.rest.len && next.rest.ptr[next.rest.len - 1] == '\r')
		next.rest.len--;
	skip_blanks(&next);
	return next;
}

enum status signers_parse(struct signers *out, const char *name,
	struct str text, struct arena *a, struct err *e)
{
	struct signers list = {0};
	struct line l = {.name = name, .a = a, .e = e};

	if (text.len > SIGNERS_BYTES)
		return err_set(e, E_LIMIT, "%s:1:1: %zu bytes, limit %d", name,
			text.len, SIGNERS_BYTES);
	text = arena_str(a, text);
	while (text.len) {
		l = next_line(&l, &text);
		if (!l.rest.len || l.rest.ptr[0] == '#')
			continue;
		if (list.len == SIGNERS_MAX)
			return fail(
				&l, E_LIMIT, "more than %d keys", SIGNERS_MAX);
		struct signer s = {.row = l.row};
		enum status st = check_line(&l);

		if (!st)
			st = read_line(&l, &s);
		if (st)
			return st;
		list.items = arena_grow(a, list.items, list.len, &list.cap,
			sizeof(*list.items));
		list.items[list.len++] = s;
	}
	if (!list.len)
		return err_set(e, E_INVALID,
			"%s:1:1: no key in it; a line is like ann@a.example "
			"ssh-ed25519 AAAA...",
			name);
	*out = list;
	return OK;
}

/* --- the file ------------------------------------------------------------- */

/* With links followed, since a commit can hold links too. */
static enum status check_outside(
	const char *path, const char *folder, struct err *e)
{
	char *real = realpath(path, NULL);
	int errnum = errno;
	char *top = realpath(folder, NULL);
	size_t len = top ? strlen(top) : 0;
	enum status st = OK;

	if (!real)
		st = err_sys(e, errnum, "opening %s", path);
	else if (!top)
		st = err_sys(e, errno, "opening %s", folder);
	else if (!strncmp(real, top, len) &&
		 (len == 1 || !real[len] || real[len] == '/'))
		st = err_set(e, E_DENIED,
			"%s lies in the repository (%s), where who is to be "
			"judged can write it; keep it outside",
			path, top);
	free(real);
	free(top);
	return st;
}

static enum status check_writers(
	const struct stat *sb, const char *path, struct err *e)
{
	if (sb->st_uid && sb->st_uid != geteuid())
		return err_set(e, E_DENIED,
			"%s belongs to user %u, who could write anything into "
			"it; make root its owner, or user %u",
			path, (unsigned)sb->st_uid, (unsigned)geteuid());
	if (sb->st_mode & (S_IWGRP | S_IWOTH))
		return err_set(e, E_DENIED,
			"%s has mode %04o: others could write into it (chmod "
			"go-w)",
			path, (unsigned)sb->st_mode & 07777u);
	return OK;
}

static enum status read_all(
	int fd, const char *path, size_t max, struct buf *out, struct err *e)
{
	char part[4096];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) != 0) {
		if (n < 0 && errno != EINTR)
			return err_sys(e, errno, "reading %s", path);
		if (n > 0)
			buf_add(out, part, (size_t)n);
		if (out->len > max)
			return err_set(e, E_LIMIT,
				"%s:1:1: more than %zu bytes", path, max);
	}
	return OK;
}

enum status signers_file(struct buf *out, const char *path, const char *outside,
	size_t max, struct err *e)
{
	struct stat sb;
	enum status st = OK;
	int fd = -1;

	if (outside)
		st = check_outside(path, outside, e);
	if (!st)
		st = regular_file_open(path, &fd, &sb, e);
	if (st)
		return st;
	st = check_writers(&sb, path, e);
	if (!st)
		st = read_all(fd, path, max, out, e);
	close(fd);
	return st;
}

enum status signers_read(struct signers *out, const char *path,
	const char *outside, struct arena *a, struct err *e)
{
	struct buf text = {0};
	enum status st = signers_file(&text, path, outside, SIGNERS_BYTES, e);

	if (!st)
		st = signers_parse(out, path, buf_str(&text), a, e);
	buf_release(&text);
	return st;
}

/* --- looking up ----------------------------------------------------------- */

/* * and ? as the shell has them; linear but for the last star. */
static bool matches(struct str pattern, const char *s)
{
	size_t p = 0, star = SIZE_MAX;
	const char *back = s;

	while (*s) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			back = s;
		} else if (p < pattern.len &&
			   (pattern.ptr[p] == '?' || pattern.ptr[p] == *s)) {
			p++;
			s++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			s = ++back;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

/* One of the patterns matches, and none with ! before it. */
static bool is_for(struct str patterns, const char *namespace)
{
	bool got = !patterns.len;

	while (patterns.len) {
		struct str one = str_take(&patterns, S(","));
		bool not = str_starts(one, S("!"));

		if (matches(str_slice(one, not, one.len), namespace)) {
			if (not )
				return false;
			got = true;
		}
	}
	return got;
}

/* Commits may have any time; what has no name here is shown as the last one. */
static void time_text(struct buf *out, int64_t s)
{
	const int64_t last = INT64_MAX / NS_PER_S;

	instant_text(out, (s < 0 ? 0 : s > last ? last : s) * NS_PER_S);
}

static enum status bounded(const struct signer *s, int64_t time, struct err *e)
{
	bool early = s->after && time < s->after;
	struct buf at = {0}, bound = {0};
	enum status st;

	if (!early && (!s->before || time <= s->before))
		return OK;
	time_text(&at, time);
	time_text(&bound, early ? s->after : s->before);
	st = err_set(e, E_DENIED,
		"the key of %.*s (line %u) is valid %s %s, not at %s",
		(int)(s->who.len > 100 ? 100 : s->who.len), s->who.ptr, s->row,
		early ? "from" : "until", bound.ptr, at.ptr);
	buf_release(&at);
	buf_release(&bound);
	return st;
}

static enum status holds(const struct signer *s, const char *namespace,
	const int64_t *times, size_t n, struct err *e)
{
	if (!is_for(s->namespaces, namespace))
		return err_set(e, E_DENIED,
			"the key of %.*s (line %u) is for namespaces \"%.*s\", "
			"not for \"%s\"",
			(int)(s->who.len > 100 ? 100 : s->who.len), s->who.ptr,
			s->row,
			(int)(s->namespaces.len > 100 ? 100
						      : s->namespaces.len),
			s->namespaces.ptr, namespace);
	for (size_t i = 0; i < n; i++) {
		enum status st = bounded(s, times[i], e);

		if (st)
			return st;
	}
	return OK;
}

enum status signers_find(const struct signers *list, struct str key,
	const char *namespace, const int64_t *times, size_t n,
	const struct signer **out, struct err *e)
{
	enum status st = E_NOT_FOUND;

	for (uint32_t i = 0; i < list->len; i++) {
		const struct signer *s = &list->items[i];

		if (!str_eq(s->key, key))
			continue;
		st = holds(s, namespace, times, n, e);
		if (!st) {
			*out = s;
			return OK;
		}
	}
	if (st == E_NOT_FOUND)
		err_set(e, st, "the key is not listed");
	return st;
}
