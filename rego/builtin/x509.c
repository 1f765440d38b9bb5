/*
 * crypto.x509.*: certificates, requests for them, and keys.
 */
#include "rego/builtin/certificate.h"
#include "rego/builtin/operand.h"
#include "rego/builtin/pem.h"

#include <string.h>

/* --- what is given ---------------------------------------------------------
 */

static const struct str pem_mark = STR("-----BEGIN");

/* The blocks of a text, one behind the other; all must be certificates. */
static enum bi_status pem_certificates(
	struct bi_ctx *cx, struct str text, struct str *der)
{
	struct buf all = {0};
	struct pem pem;
	enum bi_status st = BI_OK;

	while (!st && text.len && pem_read(cx, text, &pem)) {
		if (!str_is(pem.type, "CERTIFICATE"))
			st = bi_error(cx,
				"PEM block type is '%.*s', expected "
				"CERTIFICATE",
				pem.type.len < 200 ? (int)pem.type.len : 200,
				pem.type.ptr);
		buf_addstr(&all, pem.der);
		text = pem.rest;
	}
	*der = arena_str(cx->arena, buf_str(&all));
	buf_release(&all);
	return st;
}

/* PEM, or base64 of PEM or of DER. */
static enum bi_status certificates_read(
	struct bi_ctx *cx, struct value text, struct certificates *out)
{
	enum bi_status st;
	struct value bytes;
	struct str der;

	if (!bi_charge(cx, v_bytes(text).len / 64))
		return BI_HALT;
	if (!str_starts(v_bytes(text), pem_mark)) {
		st = operand_call(cx, "base64.decode", &text, &bytes);
		if (st)
			return st;
		text = bytes;
	}
	der = v_bytes(text);
	if (str_starts(der, pem_mark) &&
		(st = pem_certificates(cx, v_bytes(text), &der)))
		return st;
	return certificates_parse(cx, der, out);
}

static struct value certificates_value(
	struct bi_ctx *cx, const struct certificates *list)
{
	struct value *items = ARENA_ARRAY(cx->arena, struct value, list->len);

	for (uint32_t i = 0; i < list->len; i++)
		items[i] = certificate_value(cx, &list->items[i], true);
	return v_arr(cx->arena, items, list->len);
}

static enum bi_status parse_certificates(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct certificates list = {0};
	enum bi_status st = certificates_read(cx, args[0], &list);

	if (!st)
		*out = certificates_value(cx, &list);
	return st;
}

/* clang-format off */
static const struct builtin rows[] = {
	{"crypto.x509.parse_certificates", NULL, 1, {BT_STR}, parse_certificates, 0},
};
/* clang-format on */

const struct builtin_table builtin_x509 = {rows, COUNT(rows)};
