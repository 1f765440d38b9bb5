/*
 * The list of full segments, one line of JSON each:
 *
 *	{"seq":1,"first":0,"count":9,"bytes":700,"min":1,"max":2,
 *	 "head":"hex","root":"hex","prev":"hex"}
 *
 * `prev` is the SHA-256 of the line before, newline included, so that no line
 * can be changed, dropped or moved alone.
 */
#include "decisions/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"

enum { MANIFEST_MAX = 1 << 30 };

static void put_hash(
	struct buf *b, const char *key, const struct merkle_hash *h)
{
	buf_addf(b, ",\"%s\":\"", key);
	digest_hex(b, h->b, MERKLE_BYTES);
	buf_addc(b, '"');
}

static void line_write(const struct segment *s, struct buf *b)
{
	buf_addf(b,
		"{\"seq\":%u,\"first\":%llu,\"count\":%llu,\"bytes\":%llu,"
		"\"min\":%lld,\"max\":%lld",
		s->seq, (unsigned long long)s->first,
		(unsigned long long)s->count, (unsigned long long)s->bytes,
		(long long)s->min, (long long)s->max);
	put_hash(b, "head", &s->head);
	put_hash(b, "root", &s->root);
	put_hash(b, "prev", &s->prev);
	buf_adds(b, "}\n");
}

static bool get_hash(struct str span, struct merkle_hash *h)
{
	struct str hex = str_slice(span, 1, span.len ? span.len - 1 : 0);

	if (hex.len != 2 * MERKLE_BYTES)
		return false;
	for (size_t i = 0; i < hex.len; i++) {
		const char *digits = "0123456789abcdef";
		const char *at = memchr(digits, hex.ptr[i], 16);

		if (!at)
			return false;
		h->b[i / 2] = (unsigned char)(h->b[i / 2] << 4 | (at - digits));
	}
	return true;
}

static bool get_size(struct str span, uint64_t *out)
{
	int64_t n;

	if (!json_int(span, &n) || n < 0)
		return false;
	*out = (uint64_t)n;
	return true;
}

static bool line_parse(struct str line, struct segment *s)
{
	static const struct str keys[] = {STR("seq"), STR("first"),
		STR("count"), STR("bytes"), STR("min"), STR("max"), STR("head"),
		STR("root"), STR("prev")};
	struct str got[COUNT(keys)], doc;
	uint64_t seq;

	*s = (struct segment){0};
	if (json_check(line, NULL, &doc, NULL) ||
		json_members(doc, keys, COUNT(keys), got) != COUNT(keys))
		return false;
	if (!get_size(got[0], &seq) || seq > UINT32_MAX)
		return false;
	s->seq = (uint32_t)seq;
	return get_size(got[1], &s->first) && get_size(got[2], &s->count) &&
	       get_size(got[3], &s->bytes) && json_int(got[4], &s->min) &&
	       json_int(got[5], &s->max) && get_hash(got[6], &s->head) &&
	       get_hash(got[7], &s->root) && get_hash(got[8], &s->prev);
}

static void push(struct manifest *m, const struct segment *s)
{
	if (m->n == m->cap) {
		uint32_t cap = m->cap ? 2 * m->cap : 16;

		m->segments =
			reallocarray(m->segments, cap, sizeof(*m->segments));
		if (!m->segments)
			die("out of memory: manifest");
		m->cap = cap;
	}
	m->segments[m->n++] = *s;
}

uint64_t manifest_end(const struct manifest *m)
{
	const struct segment *s = m->n ? &m->segments[m->n - 1] : NULL;

	return s ? s->first + s->count : 0;
}

void manifest_line(const struct manifest *m, struct segment *s, struct buf *out)
{
	s->prev = m->last;
	line_write(s, out);
}

void manifest_add(struct manifest *m, const struct segment *s, struct str line)
{
	digest(DIGEST_SHA256, line, m->last.b);
	m->bytes += line.len;
	push(m, s);
}

/* With its newline. */
static enum status add_line(struct manifest *m, struct str line, struct err *e)
{
	struct segment s;
	struct buf again = {0};
	bool same;

	if (!line_parse(line, &s))
		return err_set(e, E_INVALID, "no line of a manifest");
	if (s.seq != m->n + 1 || s.first != manifest_end(m) || !s.count)
		return err_set(e, E_INVALID,
			"segment %u from event %llu where segment %u from "
			"event %llu should be",
			s.seq, (unsigned long long)s.first, m->n + 1,
			(unsigned long long)manifest_end(m));
	if (!merkle_equal(&s.prev, &m->last))
		return err_set(e, E_INVALID,
			"the line before it was changed, or its own \"prev\"");
	line_write(&s, &again);
	same = str_eq(line, buf_str(&again));
	buf_release(&again);
	if (!same)
		return err_set(e, E_INVALID, "not as it was written");
	manifest_add(m, &s, line);
	return OK;
}

enum status manifest_read(struct manifest *m, const struct fs *fs,
	const char *path, uint64_t *fault, struct err *e)
{
	struct buf b = {0};
	size_t at = 0, end;
	enum status st = fs_read(fs, path, MANIFEST_MAX, &b, e);

	if (st == E_NOT_FOUND)
		st = OK;
	while (!st && (end = str_find(buf_str(&b), S("\n"), at)) != SIZE_MAX) {
		st = add_line(m, str_slice(buf_str(&b), at, end + 1), e);
		if (st) {
			err_wrap(e, "%s: line %u", path, m->n + 1);
			if (fault)
				*fault = m->n + 1;
		}
		at = end + 1;
	}
	buf_release(&b);
	return st;
}

void manifest_copy(struct manifest *to, const struct manifest *from)
{
	*to = *from;
	to->cap = from->n;
	if (!from->n)
		to->segments = NULL;
	else if (!(to->segments = calloc(from->n, sizeof(*to->segments))))
		die("out of memory: manifest");
	else
		memcpy(to->segments, from->segments,
			from->n * sizeof(*to->segments));
}

void manifest_release(struct manifest *m)
{
	free(m->segments);
	*m = (struct manifest){0};
}
