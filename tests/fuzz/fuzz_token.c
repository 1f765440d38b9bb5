/*
 * A token, a NUL, a key as PEM or JSON: read, verified with the key and, where
 * the key can, signed. What a key without an algorithm has signed it verifies.
 * The token is also taken for the header of one to be signed.
 */
#include "tests/fuzz/builtin.h"

#include "rego/builtin/jwk.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes of other keys may sign, but they do not verify. */
static bool is_secret(struct bi_ctx *cx, struct str key)
{
	struct jwks ks = {0};
	bool secret = !jwks_parse(cx, key, &ks) && ks.items[0].is_secret;

	jwks_release(&ks);
	return secret;
}

static void signs(struct bi_ctx *cx, struct value key)
{
	struct arena *a = cx->arena;
	struct value args[3] = {
		v_cstr(a, "{\"alg\": \"HS256\"}"), v_cstr(a, "{}"), key};
	struct value name = v_cstr(a, "cert"), token, got;

	/* A key may be for another algorithm than the one it signed with. */
	if (call(cx, "io.jwt.encode_sign_raw", args, &token) != BI_OK ||
		strstr(key.str->bytes, "alg") || !is_secret(cx, v_bytes(key)))
		return;
	args[0] = token;
	args[1] = v_obj_sorted(a, &name, &key, 1);
	if (call(cx, "io.jwt.decode_verify", args, &got) != BI_OK ||
		got.arr->items[0].tag != V_TRUE)
		abort();
}

static void as_header(struct bi_ctx *cx, struct value text)
{
	struct value args[3] = {text, v_cstr(cx->arena, "{}"),
		v_cstr(cx->arena, "{\"kty\": \"oct\", \"k\": \"Zm9v\"}")};
	struct value got;

	call(cx, "io.jwt.encode_sign_raw", args, &got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	size_t n = nul ? (size_t)(nul - data) : size;
	struct arena a = {0};
	struct bi_ctx cx = {.arena = &a, .steps = 1000000};
	struct value args[2] = {v_str(&a, str_make((const char *)data, n)),
		v_cstr(&a, "")},
		     got;

	if (nul)
		args[1] = v_str(
			&a, str_make((const char *)nul + 1, size - n - 1));
	call(&cx, "io.jwt.decode", args, &got);
	call(&cx, "io.jwt.verify_rs256", args, &got);
	call(&cx, "io.jwt.verify_es256", args, &got);
	call(&cx, "io.jwt.verify_eddsa", args, &got);
	call(&cx, "io.jwt.verify_hs256", args, &got);
	signs(&cx, args[1]);
	as_header(&cx, args[0]);
	arena_release(&a);
	return 0;
}
