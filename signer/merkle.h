/*
 * merkle: one hash for a log, and short proofs that an entry is in it.
 *
 * The tree of RFC 6962: leaves and nodes are hashed with different first
 * bytes, the left half of n entries has the largest power of two below n. A
 * log that only grows keeps a struct merkle, which is the hashes of the whole
 * subtrees of its size; {0} is the empty log. Nothing allocates.
 *
 * Source: RFC 6962, section 2.1; RFC 9162, section 2.1, for the checks.
 */
#ifndef SIGNER_MERKLE_H
#define SIGNER_MERKLE_H

#include "base/err.h"
#include "base/str.h"

enum { MERKLE_BYTES = 32, MERKLE_LEVELS = 64 };

struct merkle_hash {
	unsigned char b[MERKLE_BYTES];
};

struct merkle {
	uint64_t size;                           /* entries */
	struct merkle_hash roots[MERKLE_LEVELS]; /* largest subtree first */
};

/* The hash of an entry, and of a node above two others. */
struct merkle_hash merkle_leaf(struct str entry);
struct merkle_hash merkle_node(
	const struct merkle_hash *left, const struct merkle_hash *right);

/* Add an entry by its hash; the hash of the tree. */
void merkle_add(struct merkle *m, const struct merkle_hash *leaf);
struct merkle_hash merkle_root(const struct merkle *m);

/* Add 2^level entries by the hash above them; size is a multiple of that. */
void merkle_add_tree(
	struct merkle *m, unsigned level, const struct merkle_hash *root);

/*
 * Whether all bytes are the same; not in constant time, hashes are no secret.
 */
bool merkle_equal(const struct merkle_hash *a, const struct merkle_hash *b);

/* Hashes of a proof, in the order in which they are used. */
struct merkle_proof {
	unsigned n;
	struct merkle_hash hashes[MERKLE_LEVELS + 1];
};

/* Where hashes come from: that of the tree over entries from .. to - 1. */
struct merkle_source {
	enum status (*hash)(void *user, uint64_t from, uint64_t to,
		struct merkle_hash *out, struct err *e);
	void *user;
};

/* That entry `index` is in the log of `size` entries; index < size. */
enum status merkle_prove(const struct merkle_source *src, uint64_t index,
	uint64_t size, struct merkle_proof *out, struct err *e) MUST_CHECK;
bool merkle_check(uint64_t index, uint64_t size, const struct merkle_hash *leaf,
	const struct merkle_proof *proof, const struct merkle_hash *root);

/* That the log of `size` entries begins with that of `old`; 0 < old <= size. */
enum status merkle_prove_growth(const struct merkle_source *src, uint64_t old,
	uint64_t size, struct merkle_proof *out, struct err *e) MUST_CHECK;
bool merkle_check_growth(uint64_t old, uint64_t size,
	const struct merkle_proof *proof, const struct merkle_hash *old_root,
	const struct merkle_hash *root);

#endif
