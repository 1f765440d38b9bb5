/*
 * signed: the signature that a commit or a tag carries, and what it covers.
 *
 *	tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904
 *	author Ann <ann@a.example> 1781956800 +0000
 *	committer Ann <ann@a.example> 1781956800 +0000
 *	gpgsig -----BEGIN SSH SIGNATURE-----
 *	 U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg...
 *	 -----END SSH SIGNATURE-----
 *
 *	First policies
 *
 * Of a commit everything is signed but the header gpgsig, of a tag everything
 * before the signature, which is its end. Whether the signature is good is for
 * signer/sshsig.h to say, and whether it counts for gates/source.c.
 *
 * Source: Git's documentation of its signature format and of its objects.
 */
#ifndef BUNDLER_SIGNED_H
#define BUNDLER_SIGNED_H

#include "base/arena.h"
#include "base/err.h"

enum signed_kind { SIGNED_NOT, SIGNED_SSH, SIGNED_PGP, SIGNED_X509 };

/* The strings are parts of the object, or live in the arena. */
struct signed_object {
	enum signed_kind kind;
	struct str signature; /* with its armour; "" when there is none */
	struct str message;   /* what it covers */
	int64_t time;         /* the committer's or tagger's, s since 1970 */
	/* Of a tag: the id and the type of what it names, and its own name. */
	struct str target, type, name;
};

/*
 * Read an object as git stores it. E_INVALID: it is none, or it has several
 * signatures, so that programs differ in what is covered. On failure `out` is
 * untouched.
 */
enum status signed_commit(struct signed_object *out, struct str object,
	struct arena *a, struct err *e) MUST_CHECK;
enum status signed_tag(
	struct signed_object *out, struct str object, struct err *e) MUST_CHECK;

#endif
