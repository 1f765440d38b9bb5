#include "rego/builtin/bigint.h"

#include <string.h>

void bigint_from_value(mpz_t z, struct arena *a, struct value v)
{
	const char *why = NULL;
	char tmp[24];

	/* Adding 0 writes it without exponent and fraction. */
	if (v.tag != V_INT)
		num_arith(a, NUM_ADD, v, v_int(0), &v, &why);
	mpz_init_set_str(z, arena_strdup(a, num_text(v, tmp)), 10);
}

struct value bigint_to_value(struct arena *a, const mpz_t z)
{
	char *text = arena_raw(a, mpz_sizeinbase(z, 10) + 2);

	mpz_get_str(text, 10, z);
	return v_number(a, text, strlen(text));
}

mp_bitcnt_t bigint_round_64(mpz_t z)
{
	size_t bits = mpz_sizeinbase(z, 2), cut = bits > 64 ? bits - 64 : 0;
	bool half, odd, more;

	if (!cut)
		return 0;
	half = mpz_tstbit(z, cut - 1);
	odd = mpz_tstbit(z, cut);
	more = mpz_scan1(z, 0) < cut - 1;
	mpz_tdiv_q_2exp(z, z, cut);
	if (half && (odd || more))
		mpz_add_ui(z, z, 1);
	return cut;
}
