/*
 * Certificates, requests and keys as DER or PEM, read and written as JSON: what
 * was read says again of what bytes it was made.
 */
#include "tests/fuzz/builtin.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The raw bytes of all certificates, one behind the other, are the input. */
static void is_whole(struct bi_ctx *cx, struct value list, struct str der)
{
	size_t at = 0;

	for (uint32_t i = 0; i < v_len(list); i++) {
		struct value raw = obj_get_cstr(list.arr->items[i].obj, "Raw");
		struct value bytes;

		if (call(cx, "base64.decode", &raw, &bytes))
			abort();
		if (!str_eq(v_bytes(bytes),
			    str_slice(der, at, at + v_bytes(bytes).len)))
			abort();
		at += v_bytes(bytes).len;
	}
	if (at != der.len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct bi_ctx cx = {.arena = &a, .steps = 1000000};
	struct str bytes = str_make((const char *)data, size);
	struct value text = v_str(&a, bytes), pair[2], got;
	bool is_pem = str_starts(bytes, S("-----BEGIN"));

	if (!is_pem && call(&cx, "base64.encode", &text, &text))
		abort();
	if (!call(&cx, "crypto.x509.parse_certificates", &text, &got) &&
		!is_pem)
		is_whole(&cx, got, bytes);
	call(&cx, "crypto.x509.parse_certificate_request", &text, &got);
	call(&cx, "crypto.x509.parse_and_verify_certificates", &text, &got);
	call(&cx, "crypto.parse_private_keys", &text, &got);
	call(&cx, "crypto.x509.parse_rsa_private_key", &text, &got);
	pair[0] = pair[1] = text;
	call(&cx, "crypto.x509.parse_keypair", pair, &got);
	arena_release(&a);
	return 0;
}
