/*
 * value_impl: what the files of values share with each other.
 *
 * Hashes are seen from outside only as value_hash(), but a parser that makes
 * millions of values wants them inline.
 */
#ifndef REGO_VALUE_IMPL_H
#define REGO_VALUE_IMPL_H

#include "rego/value.h"

/* Key lists up to this long are searched from front to back. */
enum { KEYS_LINEAR = 8 };

/* Where the hash of each kind of collection starts. */
#define HASH_ARRAY 0x51ed270b7a8cd35fu
#define HASH_OBJECT 0x8f1bbcdc36f1c7a5u
#define HASH_SET 0x2545f4914f6cdd1du

/* Mix in 32 bits; end with hash_end(). */
static inline uint64_t hash_step(uint64_t h, uint32_t x)
{
	h = (h ^ x) * 0x9fb21c651e98df25u;
	return h ^ h >> 32;
}

/* The upper half, well mixed: what struct value has room for. */
static inline uint32_t hash_end(uint64_t h)
{
	return (uint32_t)(h * 0xc4ceb9fe1a85ec53u >> 32);
}

/* Of an integer, by its value. */
static inline uint32_t hash_int(int64_t i)
{
	uint64_t h = (uint64_t)i * 0x9e3779b97f4a7c15u;

	return hash_end(h ^ h >> 32);
}

/* value_hash() without a call. */
static inline uint32_t hash_value(struct value v)
{
	if (v.tag == V_INT)
		return hash_int(v.i);
	if (v.tag <= V_TRUE)
		return v.tag * 0x9e3779b1u;
	return v.hash;
}

/* Of the values in a row, begun with HASH_ARRAY or the like. */
static inline uint32_t hash_items(
	uint64_t h, const struct value *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = hash_step(h, hash_value(items[i]));
	return hash_end(h);
}

/* Of an object; its keys have a hash of their own. */
static inline uint32_t hash_object(
	const struct keys *keys, const struct value *vals)
{
	return hash_items(hash_step(HASH_OBJECT, keys->hash), vals, keys->len);
}

/* A value of a string that is there already. */
static inline struct value v_of_string(const struct string *s)
{
	return (struct value){.tag = V_STR, .hash = s->hash, .str = s};
}

/* No byte is above 0x7f. */
static inline bool all_ascii(const char *s, size_t len)
{
	uint64_t any = 0;

	while (len >= 8) {
		uint64_t w;

		__builtin_memcpy(&w, s, 8);
		any |= w;
		s += 8;
		len -= 8;
	}
	while (len--)
		any |= (uint64_t)(unsigned char)*s++;
	return !(any & 0x8080808080808080u);
}

/*
 * Fill in *n for the number literal at `text`, which must outlive it. False
 * when it is not a JSON number; more is taken than v_number() allows: a
 * missing integer part, as Rego has it, and an exponent of any size.
 */
bool num_fill(struct num *n, const char *text, size_t len);

/* Why OPA refuses the number ("number too big"), or NULL when it does not. */
const char *num_refused(const struct num *n);

/*
 * The shortest decimal that reads back as the finite `d`, in one of Go's
 * formats: %g of a float64 or a float32, or that of encoding/json.
 */
enum float_format { FLOAT_G64, FLOAT_G32, FLOAT_JSON };
void num_write_double(struct buf *out, double d, enum float_format format);

/* The same of any number as a float of 64 bits, as %g of Go's big.Float. */
void num_write_big(struct buf *out, struct value v);

#endif
