/*
 * signers: whose SSH keys may sign, and when.
 *
 * The file that git calls gpg.ssh.allowedSignersFile, one line a key:
 *
 *	# who        options (may be left out)                type and key
 *	ann@a.example,ben@a.example namespaces="git" ssh-ed25519 AAAA... Ann
 *	ci@a.example valid-before="20270101Z" ssh-ed25519 AAAA...
 *
 * Options are those of ssh-keygen(1), ALLOWED SIGNERS, but two that are
 * refused: cert-authority, since certificates are not read here, and times
 * without Z, which mean something else on each machine.
 */
#ifndef SIGNER_SIGNERS_H
#define SIGNER_SIGNERS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
	SIGNERS_MAX = 10000, /* lines that name a key */
	SIGNERS_BYTES = 1 << 20,
};

struct signer {
	struct str who;        /* names with commas between */
	struct str key;        /* as SSH writes it */
	struct str namespaces; /* patterns with commas between; empty: any */
	int64_t after, before; /* s since 1970, both included; 0: no bound */
	uint32_t row;
};

struct signers {
	struct signer *items;
	uint32_t len, cap;
};

/*
 * Everything lives in `a`. E_INVALID or E_LIMIT with "NAME:ROW:COL: what". A
 * file without any key is an error: it would refuse everybody.
 */
enum status signers_parse(struct signers *out, const char *name,
	struct str text, struct arena *a, struct err *e) MUST_CHECK;

/*
 * Append the file at `path`, of root or of the user and written by nobody else.
 * It may not lie below the folder `outside`, where a commit could have put it;
 * NULL: anywhere. E_DENIED: it may not be trusted. E_LIMIT: more than `max`
 * bytes.
 */
enum status signers_file(struct buf *out, const char *path, const char *outside,
	size_t max, struct err *e) MUST_CHECK;

/* Read and parse such a file. */
enum status signers_read(struct signers *out, const char *path,
	const char *outside, struct arena *a, struct err *e) MUST_CHECK;

/*
 * The first line with this key that holds for a namespace at all of `n` times
 * (s since 1970). E_NOT_FOUND: the key is not listed. E_DENIED: it is, but no
 * line of it holds; says why the last of them does not.
 */
enum status signers_find(const struct signers *list, struct str key,
	const char *namespace, const int64_t *times, size_t n,
	const struct signer **out, struct err *e) MUST_CHECK;

#endif
