#include "signer/merkle.h"

#include <assert.h>
#include <string.h>

#include "base/digest.h"

struct merkle_hash merkle_leaf(struct str entry)
{
	struct merkle_hash h;
	struct digest d;

	digest_init(&d, DIGEST_SHA256);
	digest_update(&d, "\x00", 1);
	digest_update(&d, entry.ptr, entry.len);
	digest_final(&d, h.b);
	return h;
}

struct merkle_hash merkle_node(
	const struct merkle_hash *left, const struct merkle_hash *right)
{
	struct merkle_hash h;
	struct digest d;

	digest_init(&d, DIGEST_SHA256);
	digest_update(&d, "\x01", 1);
	digest_update(&d, left->b, sizeof(left->b));
	digest_update(&d, right->b, sizeof(right->b));
	digest_final(&d, h.b);
	return h;
}

bool merkle_equal(const struct merkle_hash *a, const struct merkle_hash *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

void merkle_add_tree(
	struct merkle *m, unsigned level, const struct merkle_hash *root)
{
	uint64_t size = m->size >> level;
	unsigned n = (unsigned)__builtin_popcountll(m->size);
	struct merkle_hash top = *root;

	assert(size << level == m->size);
	for (; size & 1; size >>= 1)
		top = merkle_node(&m->roots[--n], &top);
	m->roots[n] = top;
	m->size += (uint64_t)1 << level;
}

void merkle_add(struct merkle *m, const struct merkle_hash *leaf)
{
	merkle_add_tree(m, 0, leaf);
}

struct merkle_hash merkle_root(const struct merkle *m)
{
	unsigned n = (unsigned)__builtin_popcountll(m->size);
	struct merkle_hash h;

	if (!n) {
		digest(DIGEST_SHA256, S(""), h.b);
		return h;
	}
	h = m->roots[--n];
	while (n)
		h = merkle_node(&m->roots[--n], &h);
	return h;
}

/* --- proofs -------------------------------------------------------------- */

/* The largest power of two below n, which is 2 or more. */
static uint64_t split(uint64_t n)
{
	return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

static void reverse(struct merkle_proof *p)
{
	for (unsigned i = 0; i < p->n / 2; i++) {
		struct merkle_hash h = p->hashes[i];

		p->hashes[i] = p->hashes[p->n - 1 - i];
		p->hashes[p->n - 1 - i] = h;
	}
}

static enum status collect(const struct merkle_source *src, uint64_t from,
	uint64_t to, struct merkle_proof *p, struct err *e)
{
	enum status st = src->hash(src->user, from, to, &p->hashes[p->n], e);

	if (!st)
		p->n++;
	return st;
}

/* Down to the entry; what stands beside the way, top first. */
static enum status siblings(const struct merkle_source *src, uint64_t index,
	uint64_t lo, uint64_t hi, struct merkle_proof *p, struct err *e)
{
	enum status st = OK;

	while (hi - lo > 1 && !st) {
		uint64_t mid = lo + split(hi - lo);

		if (index < mid) {
			st = collect(src, mid, hi, p, e);
			hi = mid;
		} else {
			st = collect(src, lo, mid, p, e);
			lo = mid;
		}
	}
	return st;
}

enum status merkle_prove(const struct merkle_source *src, uint64_t index,
	uint64_t size, struct merkle_proof *out, struct err *e)
{
	struct merkle_proof p = {.n = 0};
	enum status st;

	assert(index < size);
	st = siblings(src, index, 0, size, &p, e);
	if (st)
		return st;
	reverse(&p);
	*out = p;
	return OK;
}

/*
 * The way down to the right edge of the old tree; where it ends, the subtree
 * there is part of the proof unless it is the whole old tree.
 */
enum status merkle_prove_growth(const struct merkle_source *src, uint64_t old,
	uint64_t size, struct merkle_proof *out, struct err *e)
{
	struct merkle_proof p = {.n = 0};
	uint64_t lo = 0, hi = size;
	enum status st = OK;

	assert(old > 0 && old <= size);
	while (hi != old && !st) {
		uint64_t mid = lo + split(hi - lo);

		if (old <= mid) {
			st = collect(src, mid, hi, &p, e);
			hi = mid;
		} else {
			st = collect(src, lo, mid, &p, e);
			lo = mid;
		}
	}
	if (!st && lo)
		st = collect(src, lo, hi, &p, e);
	if (st)
		return st;
	reverse(&p);
	*out = p;
	return OK;
}

/* --- checks: RFC 9162, 2.1.3.2 and 2.1.4.2 ------------------------------- */

static bool on_the_right(uint64_t fn, uint64_t sn)
{
	return (fn & 1) || fn == sn;
}

static void up(uint64_t *fn, uint64_t *sn)
{
	if (*fn == *sn)
		while (*fn && !(*fn & 1)) {
			*fn >>= 1;
			*sn >>= 1;
		}
	*fn >>= 1;
	*sn >>= 1;
}

bool merkle_check(uint64_t index, uint64_t size, const struct merkle_hash *leaf,
	const struct merkle_proof *proof, const struct merkle_hash *root)
{
	uint64_t fn = index, sn = size - 1;
	struct merkle_hash r = *leaf;

	if (index >= size)
		return false;
	for (unsigned i = 0; i < proof->n; i++) {
		const struct merkle_hash *h = &proof->hashes[i];

		if (!sn)
			return false;
		r = on_the_right(fn, sn) ? merkle_node(h, &r)
					 : merkle_node(&r, h);
		up(&fn, &sn);
	}
	return !sn && merkle_equal(&r, root);
}

bool merkle_check_growth(uint64_t old, uint64_t size,
	const struct merkle_proof *proof, const struct merkle_hash *old_root,
	const struct merkle_hash *root)
{
	uint64_t fn = old - 1, sn = size - 1;
	struct merkle_hash fr, sr;
	unsigned i = 0;

	if (!old || old > size)
		return false;
	if (old == size)
		return !proof->n && merkle_equal(old_root, root);
	for (; fn & 1; fn >>= 1)
		sn >>= 1;
	if (!(old & (old - 1)))
		fr = *old_root;
	else if (proof->n)
		fr = proof->hashes[i++];
	else
		return false;
	for (sr = fr; i < proof->n; i++) {
		const struct merkle_hash *h = &proof->hashes[i];

		if (!sn)
			return false;
		if (on_the_right(fn, sn)) {
			fr = merkle_node(h, &fr);
			sr = merkle_node(h, &sr);
		} else {
			sr = merkle_node(&sr, h);
		}
		up(&fn, &sn);
	}
	return !sn && merkle_equal(&fr, old_root) && merkle_equal(&sr, root);
}
