/*
 * bigint: whole numbers of any size, for the builtins that need their bits.
 */
#ifndef REGO_BUILTIN_BIGINT_H
#define REGO_BUILTIN_BIGINT_H

#include "rego/builtin.h"

#include <gmp.h>

/* `v` is whole (num_is_whole()). `z` is not initialised before. */
void bigint_from_value(mpz_t z, struct arena *a, struct value v);
struct value bigint_to_value(struct arena *a, const mpz_t z);

/*
 * Round to 64 bits, half to even: the mantissa of OPA's floats. What is left
 * of `z` times two to the power of the result is the rounded number.
 */
mp_bitcnt_t bigint_round_64(mpz_t z);

#endif
