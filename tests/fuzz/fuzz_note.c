/*
 * Notes, checkpoints, keys and proofs: what is accepted is written again as it
 * was, and nothing verifies that was not signed.
 */
#include "decisions/decisions.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The note and the key that every description of notes shows. */
static const char signed_text[] =
	"policy.example/log\n8\n"
	"XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n";
static const char public_key[] = "policy.example/log+738604af+"
				 "AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static void check_checkpoint(struct str text)
{
	struct checkpoint c;
	struct buf again = {0};

	if (checkpoint_parse(text, &c, NULL))
		return;
	checkpoint_write(&c, &again);
	expect(str_eq(text, buf_str(&again)));
	buf_release(&again);
}

static void check_base64(struct str text)
{
	struct buf bytes = {0}, again = {0};

	if (!base64_parse(&bytes, text, NULL)) {
		base64_write(&again, buf_str(&bytes));
		expect(str_eq(text, buf_str(&again)));
	}
	buf_release(&bytes);
	buf_release(&again);
}

static void check_key(struct str line)
{
	struct note_key *k;
	struct buf again = {0};

	if (note_key_parse(&k, line, NULL))
		return;
	expect(note_key_name(k).len > 0);
	note_key_public(k, &again);
	expect(again.len > 0);
	buf_release(&again);
	note_key_free(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size}, body;
	struct note_key *k = NULL;
	struct err e = {0};

	expect(!note_key_parse(&k, str_from(public_key), &e));
	if (!note_verify(k, text, &body, &e))
		expect(str_is(body, signed_text));
	else
		expect(e.code && e.text[0]);
	expect(decision_proof_check(text, S("{}"), k, &e) != OK);
	check_checkpoint(text);
	check_base64(text);
	check_key(text);
	note_key_free(k);
	return 0;
}
