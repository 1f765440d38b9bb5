/*
 * openpgp: detached OpenPGP signatures, judged by gpgv.
 *
 * OpenPGP is not read here. gpgv of GnuPG gets signature, text and a keyring,
 * each in memory, and what it says on its status lines is judged:
 *
 *	[GNUPG:] NEWSIG
 *	[GNUPG:] GOODSIG 6B1F9ABDA9371038 Ann <ann@a.example>
 *	[GNUPG:] VALIDSIG <fingerprint> 2026-06-20 1781956800 0 4 0 22 10 00 ...
 *
 * It runs by its absolute path with an empty environment, no network where the
 * kernel allows that, limits of time, memory and file size, and can't gain
 * rights. Who is in the keyring may sign, as long as the key holds now.
 *
 * Source: GnuPG's doc/DETAILS, section "Format of the --status-fd output".
 */
#ifndef SIGNER_OPENPGP_H
#define SIGNER_OPENPGP_H

#include "base/arena.h"
#include "base/err.h"

#define OPENPGP_PROGRAM "/usr/bin/gpgv"

enum {
	OPENPGP_KEYRING = 16 << 20, /* bytes of a keyring */
	OPENPGP_STATUS = 65536,     /* bytes that gpgv may say */
	OPENPGP_SECONDS = 20,
};

struct openpgp_signer {
	const char *who; /* "Ann <ann@a.example>" */
	const char *key; /* fingerprint of the primary key, hex */
};

/*
 * Does `signature` (armoured) of a key in `keyring` (as `gpg --export` writes
 * it) fit `message`? E_NOT_FOUND: its key is not there. E_DENIED: it does not
 * fit, or the key ended or was revoked. E_UNSUPPORTED: there is no gpgv. What
 * is in `out` lives in `a`.
 */
enum status openpgp_verify(struct openpgp_signer *out, struct str keyring,
	struct str signature, struct str message, struct arena *a,
	struct err *e) MUST_CHECK;

/* The judgement alone: status lines, and whether gpgv ended with 0. */
enum status openpgp_judge(struct openpgp_signer *out, struct str status,
	bool ended_well, struct arena *a, struct err *e) MUST_CHECK;

#endif
