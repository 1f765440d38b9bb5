/*
 * Signatures of SSH keys and lists of signers: what is read is inside the
 * text, what is refused says why, and nothing verifies that was not signed.
 */
#include "signer/signers.h"
#include "signer/sshsig.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static void check_signature(struct str text)
{
	struct sshsig s = {0};
	struct err e = {0};

	if (sshsig_parse(&s, text, &e)) {
		expect(e.code && e.text[0] && !s.blob.ptr);
		return;
	}
	expect(s.key.len + s.name.len + s.alg.len + s.raw.len < s.blob.len);
	expect(ssh_key_type(s.key).len > 0);
	/* The seeds sign another message. */
	expect(sshsig_verify(&s, "git", S("not signed"), &e) != OK);
	sshsig_release(&s);
}

static void check_list(struct str text)
{
	struct arena a = {0};
	struct signers list = {0};
	const struct signer *who = NULL;
	const int64_t now = 1782777600;
	struct err e = {0};

	if (signers_parse(&list, "signers", text, &a, &e)) {
		expect(e.code && e.text[0] && !list.len);
		arena_release(&a);
		return;
	}
	for (uint32_t i = 0; i < list.len && i < 16; i++) {
		const struct signer *s = &list.items[i];

		expect(ssh_key_type(s->key).len > 0);
		if (!signers_find(&list, s->key, "git", &now, 1, &who, &e))
			expect(str_eq(who->key, s->key) &&
				(!who->before || who->before >= now));
	}
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};

	check_signature(text);
	check_list(text);
	return 0;
}
