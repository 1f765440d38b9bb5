/*
 * The text of a .signatures.json, a header and a payload with a right
 * signature behind them, or a structured file: what strict takes an agent
 * takes, and reads as the same.
 */
#include "signer/internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char SECRET[] = "seed";

static struct sign_key *key(void)
{
	static struct sign_key *k;

	if (!k && sign_key_parse_public(
			  &k, str_from(SECRET), ALG_HS256, "k1", NULL))
		abort();
	return k;
}

static void token(struct buf *out, struct str header, struct str payload)
{
	unsigned char sum[DIGEST_MAX];
	size_t from;

	buf_adds(out, "{\"signatures\":[\"");
	from = out->len;
	b64url_write(out, header);
	buf_addc(out, '.');
	b64url_write(out, payload);
	hmac(DIGEST_SHA256, str_from(SECRET),
		str_slice(buf_str(out), from, out->len), sum);
	buf_addc(out, '.');
	b64url_write(
		out, str_make((const char *)sum, digest_size(DIGEST_SHA256)));
	buf_adds(out, "\"]}");
}

static void same(const struct verified *a, const struct verified *b)
{
	if (a->nfiles != b->nfiles || strcmp(a->keyid, b->keyid) != 0)
		abort();
	for (size_t i = 0; i < a->nfiles; i++)
		if (!str_eq(a->files[i].name, b->files[i].name) ||
			!str_eq(a->files[i].hash, b->files[i].hash))
			abort();
}

static void both(struct str text)
{
	struct sign_key *k = key();
	struct verify_config cfg = {.keys = &k, .nkeys = 1};
	struct verified agent = {0}, strict = {0};
	struct err e = {0};
	bool ok = verify_signatures(text, &cfg, &agent, &e) == OK;

	if (!ok && !e.text[0])
		abort();
	cfg.strict = true;
	if (verify_signatures(text, &cfg, &strict, &e) == OK) {
		if (!ok)
			abort();
		same(&agent, &strict);
	}
	verified_release(&agent);
	verified_release(&strict);
}

/* What strict gives a digest for, an agent gives the same. */
static void digests(struct str text)
{
	struct buf a = {0}, b = {0};
	struct str name = S("data.json"), hash = S("SHA-256");

	if (sign_digest(name, text, hash, true, &a, NULL) == OK &&
		(sign_digest(name, text, hash, false, &b, NULL) ||
			!str_eq(buf_str(&a), buf_str(&b))))
		abort();
	buf_release(&a);
	buf_release(&b);
}

/* The first byte chooses: the text, header and payload in two lines, a file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = {(const char *)data, size};
	struct buf text = {0};
	size_t end;

	if (!size)
		return 0;
	s = str_slice(s, 1, size);
	switch (data[0] % 3) {
	case 0:
		both(s);
		break;
	case 1:
		end = str_find(s, S("\n"), 0);
		if (end == SIZE_MAX)
			break;
		token(&text, str_slice(s, 0, end),
			str_slice(s, end + 1, s.len));
		both(buf_str(&text));
		break;
	default:
		digests(s);
		break;
	}
	buf_release(&text);
	return 0;
}
