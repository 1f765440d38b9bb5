/*
 * sshsig: signatures that ssh-keygen and git make with SSH keys.
 *
 *	-----BEGIN SSH SIGNATURE-----
 *	U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg...
 *	-----END SSH SIGNATURE-----
 *
 * Inside is the public key itself, so a signature that verifies says only that
 * this key signed; whose it is says a list of signers (signers.h). Keys are
 * ssh-ed25519, ecdsa-sha2-nistp256, -nistp384 and -nistp521, and ssh-rsa of
 * 2048 bits or more with rsa-sha2-256 or rsa-sha2-512.
 *
 * Stricter than ssh-keygen: no bytes behind anything, nothing in the reserved
 * field, base64 that can be written in one way only.
 *
 * Source: PROTOCOL.sshsig of OpenSSH; RFC 4251, section 5, for strings and
 * numbers; RFC 4253, 5656, 8332 and 8709 for keys and signatures.
 */
#ifndef SIGNER_SSHSIG_H
#define SIGNER_SSHSIG_H

#include "base/buf.h"

enum { SSHSIG_MAX = 16384 }; /* bytes of a signature with its armour */

#define SSHSIG_BEGIN "-----BEGIN SSH SIGNATURE-----"

/* What a signature holds; the strings are parts of `blob`. */
struct sshsig {
	struct buf blob;
	struct str key;  /* public, as SSH writes it; begins with its type */
	struct str name; /* the namespace: "git", "file" */
	struct str hash; /* "sha256" or "sha512": of the message */
	struct str alg;  /* how the hash is signed: "rsa-sha2-512" */
	struct str raw;  /* the signature proper */
};

/*
 * Read one; spaces and line ends around it are skipped. E_INVALID or E_LIMIT:
 * what is wrong with it. On failure `out` is untouched.
 */
enum status sshsig_parse(
	struct sshsig *out, struct str text, struct err *e) MUST_CHECK;
void sshsig_release(struct sshsig *s);

/*
 * Did the key in it sign `message` for the namespace `name`? E_DENIED: no;
 * E_UNSUPPORTED: a kind of key that is not read here.
 */
enum status sshsig_verify(const struct sshsig *s, const char *name,
	struct str message, struct err *e) MUST_CHECK;

/* Append "SHA256:..." of a public key, as ssh-keygen -l shows it. */
void ssh_fingerprint(struct buf *out, struct str key);

/* The type a public key begins with, "ssh-ed25519"; empty: it is none. */
struct str ssh_key_type(struct str key);

#endif
