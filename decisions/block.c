/*
 * A block: some events in one frame of zstd, and before it a frame that zstd
 * skips, with what is known of them. Numbers are little endian.
 *
 *	 0  u32  0x184d2a50: a frame to skip
 *	 4  u32  bytes that follow before the frame of events
 *	 8       "RGT1"
 *	12  u32  events
 *	16  u64  number of the first
 *	24  u32  bytes of the events, a newline behind each included
 *	28  u32  bytes of their frame
 *	32  u32  bytes of meta
 *	36  u32  1 when the block is the first of a commit, else 0
 *	40       sum of the block before, also across segments
 *	72       SHA-256 of bytes 0 to 71, meta and the frame
 *	104      meta
 *	         the frame
 *
 * Meta is a list of runs of events that came together: varint events, 8 bytes
 * when they were received, varint length and text of target and of cohort;
 * then per event varint length, a byte of flags, varint length and text of
 * the note. Varints have 7 bits a byte, lowest first.
 *
 * Source: RFC 8878, sections 3.1.1 and 3.1.2.
 */
#include "decisions/internal.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/digest.h"

enum {
	MAGIC = 0x184d2a50,
	LEVEL = 1, /* on events smaller and ten times faster than gzip -6 */
	META_MAX = 1 << 28,
	AT_SUM = 72,
};

static const char name[4] = {'R', 'G', 'T', '1'};

/* --- writing ------------------------------------------------------------- */

static void put(unsigned char *p, uint64_t n, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (unsigned char)(n >> (8 * i));
}

static uint64_t get(const unsigned char *p, size_t bytes)
{
	uint64_t n = 0;

	for (size_t i = bytes; i > 0; i--)
		n = n << 8 | p[i - 1];
	return n;
}

static void put_varint(struct buf *b, uint64_t n)
{
	for (; n > 127; n >>= 7)
		buf_addc(b, (char)((n & 127) | 128));
	buf_addc(b, (char)n);
}

static void put_text(struct buf *b, struct str s)
{
	put_varint(b, s.len);
	buf_addstr(b, s);
}

static bool same_run(const struct record *a, const struct record *b)
{
	return a->received == b->received && str_eq(a->target, b->target) &&
	       str_eq(a->cohort, b->cohort);
}

static void put_meta(struct buf *b, const struct record *r, uint32_t n)
{
	for (uint32_t i = 0, end; i < n; i = end) {
		unsigned char when[8];

		end = i + 1;
		while (end < n && same_run(&r[i], &r[end]))
			end++;
		put_varint(b, end - i);
		put(when, (uint64_t)r[i].received, 8);
		buf_add(b, when, 8);
		put_text(b, r[i].target);
		put_text(b, r[i].cohort);
		for (uint32_t k = i; k < end; k++) {
			put_varint(b, r[k].bytes.len);
			buf_addc(b, (char)r[k].flags);
			put_text(b, r[k].note);
		}
	}
}

static size_t put_frame(struct packer *p, struct str raw, struct buf *out)
{
	size_t max = ZSTD_compressBound(raw.len), len;

	if (!p->cctx)
		p->cctx = ZSTD_createCCtx();
	if (!p->cctx)
		die("out of memory: zstd");
	len = ZSTD_compressCCtx(
		p->cctx, buf_reserve(out, max), max, raw.ptr, raw.len, LEVEL);
	if (ZSTD_isError(len))
		die("zstd: %s", ZSTD_getErrorName(len));
	out->len += len;
	return len;
}

/* Of a whole block but for the sum itself. */
static struct merkle_hash sum_of(const unsigned char *block, struct str rest)
{
	struct merkle_hash sum;
	struct digest d;

	digest_init(&d, DIGEST_SHA256);
	digest_update(&d, block, AT_SUM);
	digest_update(&d, rest.ptr, rest.len);
	digest_final(&d, sum.b);
	return sum;
}

void block_write(struct packer *p, struct block_head *head,
	const struct record *records, uint32_t n, struct str raw,
	struct buf *out)
{
	size_t start = out->len, frame;
	unsigned char *h;

	buf_reset(&p->meta);
	put_meta(&p->meta, records, n);
	memset(buf_reserve(out, BLOCK_HEAD), 0, BLOCK_HEAD);
	out->len += BLOCK_HEAD;
	buf_addstr(out, buf_str(&p->meta));
	frame = put_frame(p, raw, out);
	head->count = n;
	head->raw = (uint32_t)raw.len;
	head->size = (uint32_t)(out->len - start);
	h = (unsigned char *)out->ptr + start;
	put(h, MAGIC, 4);
	put(h + 4, BLOCK_HEAD - 8 + p->meta.len, 4);
	memcpy(h + 8, name, sizeof(name));
	put(h + 12, n, 4);
	put(h + 16, head->first, 8);
	put(h + 24, raw.len, 4);
	put(h + 28, frame, 4);
	put(h + 32, p->meta.len, 4);
	put(h + 36, head->begins, 4);
	memcpy(h + 40, head->prev.b, MERKLE_BYTES);
	head->sum = sum_of(h,
		(struct str){(char *)h + BLOCK_HEAD, head->size - BLOCK_HEAD});
	memcpy(h + AT_SUM, head->sum.b, MERKLE_BYTES);
}

void packer_release(struct packer *p)
{
	ZSTD_freeCCtx(p->cctx);
	buf_release(&p->meta);
	*p = (struct packer){0};
}

/* --- reading ------------------------------------------------------------- */

static enum status no_block(
	const struct fs_file *f, uint64_t at, const char *why, struct err *e)
{
	return err_set(e, E_INVALID, "%s: byte %llu: %s", f->path,
		(unsigned long long)at, why);
}

/* Both lengths, bounded so that their sum fits 32 bits. */
static bool head_parse(const unsigned char h[BLOCK_HEAD],
	struct block_head *head, uint32_t *meta)
{
	uint64_t frame = get(h + 28, 4);

	*meta = (uint32_t)get(h + 32, 4);
	*head = (struct block_head){.first = get(h + 16, 8),
		.count = (uint32_t)get(h + 12, 4),
		.raw = (uint32_t)get(h + 24, 4),
		.begins = get(h + 36, 4) == 1};
	memcpy(head->prev.b, h + 40, MERKLE_BYTES);
	memcpy(head->sum.b, h + AT_SUM, MERKLE_BYTES);
	if (get(h, 4) != MAGIC || memcmp(h + 8, name, sizeof(name)) != 0 ||
		*meta > META_MAX || get(h + 4, 4) != BLOCK_HEAD - 8 + *meta ||
		get(h + 36, 4) > 1)
		return false;
	if (!head->count || head->count > head->raw ||
		head->raw > BLOCK_RAW + LIMIT_BATCH_INFLATED ||
		frame > ZSTD_compressBound(head->raw))
		return false;
	head->size = BLOCK_HEAD + *meta + (uint32_t)frame;
	return true;
}

static enum status read_head(const struct fs_file *f, uint64_t at,
	unsigned char h[BLOCK_HEAD], struct block_head *head, uint32_t *meta,
	struct err *e)
{
	size_t got;
	enum status st = fs_read_at(f, at, h, BLOCK_HEAD, &got, e);

	if (st)
		return st;
	if (!got)
		return err_set(e, E_NOT_FOUND, "%s ends", f->path);
	if (got < BLOCK_HEAD || !head_parse(h, head, meta))
		return no_block(f, at, "no block of events", e);
	return OK;
}

enum status block_head_read(const struct fs_file *f, uint64_t at,
	struct block_head *head, struct err *e)
{
	unsigned char h[BLOCK_HEAD];
	uint32_t meta;

	return read_head(f, at, h, head, &meta, e);
}

struct cursor {
	const unsigned char *at, *end;
	bool bad;
};

static uint64_t get_varint(struct cursor *c)
{
	uint64_t n = 0;

	for (unsigned shift = 0; shift < 35; shift += 7) {
		if (c->at == c->end)
			break;
		n |= (uint64_t)(*c->at & 127) << shift;
		if (*c->at++ < 128)
			return n;
	}
	c->bad = true;
	return 0;
}

static struct str get_text(struct cursor *c)
{
	uint64_t len = get_varint(c);
	struct str s;

	if (len > (size_t)(c->end - c->at)) {
		c->bad = true;
		return S("");
	}
	s = (struct str){(const char *)c->at, len};
	c->at += len;
	return s;
}

/* What the events of a run share. */
static void get_run(struct cursor *c, struct record *run)
{
	if (c->end - c->at < 8) {
		c->bad = true;
		return;
	}
	run->received = (int64_t)get(c->at, 8);
	c->at += 8;
	run->target = get_text(c);
	run->cohort = get_text(c);
}

/* One event, at *at of the events' text. */
static void get_event(
	struct cursor *c, struct str raw, size_t *at, struct record *r)
{
	uint64_t len = get_varint(c);

	if (c->bad || c->at == c->end || len >= raw.len - *at ||
		raw.ptr[*at + len] != '\n') {
		c->bad = true;
		return;
	}
	r->bytes = (struct str){raw.ptr + *at, len};
	r->flags = *c->at++;
	r->note = get_text(c);
	*at += len + 1;
}

static bool meta_parse(struct block *b, struct str meta)
{
	struct cursor c = {.at = (const unsigned char *)meta.ptr};
	struct str raw = buf_str(&b->raw);
	uint32_t n = 0;
	size_t at = 0;

	c.end = c.at + meta.len;
	while (!c.bad && c.at < c.end) {
		uint64_t run = get_varint(&c);
		struct record shared = {0};

		get_run(&c, &shared);
		if (c.bad || !run || run > b->head.count - n)
			return false;
		for (; run-- && !c.bad; n++) {
			b->records[n] = shared;
			get_event(&c, raw, &at, &b->records[n]);
		}
	}
	return !c.bad && n == b->head.count && at == raw.len;
}

static bool unpack(struct block *b, struct str frame)
{
	size_t len;

	buf_reset(&b->raw);
	len = ZSTD_decompress(buf_reserve(&b->raw, b->head.raw), b->head.raw,
		frame.ptr, frame.len);
	if (ZSTD_isError(len) || len != b->head.raw)
		return false;
	b->raw.len = len;
	return true;
}

static void make_room(struct block *b)
{
	if (b->head.count <= b->cap)
		return;
	free(b->records);
	b->records = calloc(b->head.count, sizeof(*b->records));
	if (!b->records)
		die("out of memory: block");
	b->cap = b->head.count;
}

enum status block_read(
	const struct fs_file *f, uint64_t at, struct block *b, struct err *e)
{
	unsigned char h[BLOCK_HEAD];
	struct merkle_hash sum;
	uint32_t meta;
	size_t rest, got;
	struct str text;
	enum status st = read_head(f, at, h, &b->head, &meta, e);

	if (st)
		return st;
	rest = b->head.size - BLOCK_HEAD;
	buf_reset(&b->packed);
	st = fs_read_at(f, at + BLOCK_HEAD, buf_reserve(&b->packed, rest), rest,
		&got, e);
	if (st)
		return st;
	if (got < rest)
		return no_block(f, at, "the block ends too early", e);
	text = (struct str){b->packed.ptr, rest};
	sum = sum_of(h, text);
	if (!merkle_equal(&sum, &b->head.sum))
		return no_block(f, at, "the block's sum is wrong", e);
	make_room(b);
	if (!unpack(b, str_slice(text, meta, rest)) ||
		!meta_parse(b, str_slice(text, 0, meta)))
		return no_block(f, at, "the block holds something else", e);
	return OK;
}

void block_release(struct block *b)
{
	free(b->records);
	buf_release(&b->packed);
	buf_release(&b->raw);
	*b = (struct block){0};
}

/* --- entries of the tree ------------------------------------------------- */

static void hash_origin(const struct record *r, unsigned char sum[DIGEST_MAX])
{
	struct digest d;

	digest_init(&d, DIGEST_SHA256);
	digest_update(&d, r->target.ptr, r->target.len);
	digest_update(&d, "", 1);
	digest_update(&d, r->cohort.ptr, r->cohort.len);
	digest_update(&d, "", 1);
	digest_update(&d, r->note.ptr, r->note.len);
	digest_final(&d, sum);
}

void record_entry(const struct record *r, const struct merkle_hash *hash,
	unsigned char entry[ENTRY])
{
	unsigned char sum[DIGEST_MAX];

	entry[0] = 1;
	entry[1] = (unsigned char)r->flags;
	for (unsigned i = 0; i < 8; i++)
		entry[2 + i] =
			(unsigned char)((uint64_t)r->received >> (56 - 8 * i));
	hash_origin(r, sum);
	memcpy(entry + 10, sum, MERKLE_BYTES);
	memcpy(entry + 42, hash->b, MERKLE_BYTES);
}

struct merkle_hash record_leaf(const struct record *r)
{
	unsigned char entry[ENTRY];
	struct merkle_hash hash;

	digest(DIGEST_SHA256, r->bytes, hash.b);
	record_entry(r, &hash, entry);
	return merkle_leaf((struct str){(char *)entry, ENTRY});
}
