/*
 * note: a text that is signed line by line, and checkpoints of a log.
 *
 * A note is a text, an empty line, and one line per signature:
 *
 *	policy.example/log
 *	8
 *	XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=
 *
 *	(em dash) policy.example/log c4YErwr6m3v5SfH7IdDJd0qWsAlP+oBupwW...
 *
 * The text above is a checkpoint: the name of a log, how many entries it has
 * and the hash of its tree. Keys are Ed25519, and are one line of text:
 *
 *	name+hash+base64              to verify with
 *	PRIVATE+KEY+name+hash+base64  to sign with
 *
 * Signing opens libcrypto (libcrypto.h). Keys are read-only once made.
 *
 * Source: C2SP signed-note and tlog-checkpoint; the form of private keys is
 * that of golang.org/x/mod/sumdb/note.
 */
#ifndef SIGNER_NOTE_H
#define SIGNER_NOTE_H

#include "base/buf.h"
#include "signer/merkle.h"

enum {
	NOTE_MAX = 65536,     /* bytes of a note */
	NOTE_SIGNATURES = 16, /* looked at in one note */
	NOTE_NAME_MAX = 255,  /* bytes of a key's name */
};

struct note_key;

/*
 * Make a key pair of this name; appends the two lines, without newline. The
 * caller wipes what the private one was written to. A name is not empty and
 * has no space and no "+".
 */
enum status note_key_generate(struct str name, struct buf *private_line,
	struct buf *public_line, struct err *e) MUST_CHECK;

/* From either line; space around it is skipped. */
enum status note_key_parse(
	struct note_key **out, struct str line, struct err *e) MUST_CHECK;

/* From a file that anybody may read, as log.pub is. */
struct fs;
enum status note_key_read(struct note_key **out, const struct fs *fs,
	const char *path, struct err *e) MUST_CHECK;

/* A private key from a file that only its owner can read. */
enum status note_key_load(
	struct note_key **out, const char *path, struct err *e) MUST_CHECK;

void note_key_free(struct note_key *k); /* NULL is fine */
/* As it stands in signatures; lives as long as the key. */
struct str note_key_name(const struct note_key *k);

/* Append the line to verify with. */
void note_key_public(const struct note_key *k, struct buf *out);

/* Append the note that says `text`, which ends in a newline. */
enum status note_sign(const struct note_key *k, struct str text,
	struct buf *out, struct err *e) MUST_CHECK;

/*
 * Check a note and give its text, a part of it. Lines by other keys are
 * passed over. E_NOT_FOUND: none is by this key. E_DENIED: one is, and wrong.
 * E_INVALID: no note at all.
 */
enum status note_verify(const struct note_key *k, struct str note,
	struct str *text, struct err *e) MUST_CHECK;

struct checkpoint {
	struct str origin; /* borrowed */
	uint64_t size;
	struct merkle_hash root;
};

/* Append the text of a checkpoint, and read one; other lines are refused. */
void checkpoint_write(const struct checkpoint *c, struct buf *out);
enum status checkpoint_parse(
	struct str text, struct checkpoint *out, struct err *e) MUST_CHECK;

/* Base64 as RFC 4648 has it, with padding; nothing else is read. */
void base64_write(struct buf *out, struct str s);
enum status base64_parse(
	struct buf *out, struct str s, struct err *e) MUST_CHECK;

#endif
