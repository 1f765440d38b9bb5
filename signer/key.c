#include "base/libcrypto.h"
#include "signer/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- algorithms ----------------------------------------------------------- */

/* clang-format off */
static const struct alg_row algs[] = {
	[ALG_NONE]  = {"none", FAMILY_HMAC, DIGEST_SHA256, NULL, NULL, NULL, 0},
	[ALG_RS256] = {"RS256", FAMILY_RSA, DIGEST_SHA256, "SHA256", NULL, NULL, 0},
	[ALG_RS384] = {"RS384", FAMILY_RSA, DIGEST_SHA384, "SHA384", NULL, NULL, 0},
	[ALG_RS512] = {"RS512", FAMILY_RSA, DIGEST_SHA512, "SHA512", NULL, NULL, 0},
	[ALG_PS256] = {"PS256", FAMILY_PSS, DIGEST_SHA256, "SHA256", NULL, NULL, 0},
	[ALG_PS384] = {"PS384", FAMILY_PSS, DIGEST_SHA384, "SHA384", NULL, NULL, 0},
	[ALG_PS512] = {"PS512", FAMILY_PSS, DIGEST_SHA512, "SHA512", NULL, NULL, 0},
	[ALG_ES256] = {"ES256", FAMILY_EC, DIGEST_SHA256, "SHA256", "P-256", "prime256v1", 32},
	[ALG_ES384] = {"ES384", FAMILY_EC, DIGEST_SHA384, "SHA384", "P-384", "secp384r1", 48},
	[ALG_ES512] = {"ES512", FAMILY_EC, DIGEST_SHA512, "SHA512", "P-521", "secp521r1", 66},
	[ALG_HS256] = {"HS256", FAMILY_HMAC, DIGEST_SHA256, NULL, NULL, NULL, 0},
	[ALG_HS384] = {"HS384", FAMILY_HMAC, DIGEST_SHA384, NULL, NULL, NULL, 0},
	[ALG_HS512] = {"HS512", FAMILY_HMAC, DIGEST_SHA512, NULL, NULL, NULL, 0},
};
/* clang-format on */

const struct alg_row *alg_row(enum sign_alg alg)
{
	return &algs[alg];
}

enum sign_alg sign_alg_find(struct str name)
{
	for (size_t i = ALG_NONE + 1; i < COUNT(algs); i++)
		if (str_is(name, algs[i].name))
			return (enum sign_alg)i;
	return ALG_NONE;
}

const char *sign_alg_name(enum sign_alg alg)
{
	return algs[alg].name;
}

/* --- does a key fit ------------------------------------------------------- */

static enum status fit_rsa(const EVP_PKEY *pkey, const char *alg, struct err *e)
{
	int bits;

	if (!ssl.EVP_PKEY_is_a(pkey, "RSA"))
		return err_set(e, E_INVALID, "%s needs an RSA key", alg);
	bits = ssl.EVP_PKEY_get_bits(pkey);
	if (bits < KEY_BITS_MIN)
		return err_set(e, E_INVALID,
			"an RSA key of %d bits, at least %d are needed", bits,
			KEY_BITS_MIN);
	return OK;
}

/*
 * Agents don't tie the curve to the algorithm, RFC 7518 does. A curve that is
 * spelled out instead of named is one no agent reads.
 */
static enum status fit_ec(
	const EVP_PKEY *pkey, const struct alg_row *row, struct err *e)
{
	char group[64] = "unknown";
	int spelled_out = 0;

	if (!ssl.EVP_PKEY_is_a(pkey, "EC"))
		return err_set(e, E_INVALID, "%s needs a key on %s", row->name,
			row->curve);
	if (!ssl.EVP_PKEY_get_int_param(pkey,
		    OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
		    &spelled_out) ||
		spelled_out)
		return err_set(e, E_INVALID,
			"the key's curve has parameters instead of a name");
	if (!ssl.EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) ||
		strcmp(group, row->group) != 0)
		return err_set(e, E_INVALID, "%s needs a key on %s, not on %s",
			row->name, row->curve, group);
	return OK;
}

static enum status fit(
	const EVP_PKEY *pkey, const struct alg_row *row, struct err *e)
{
	if (row->family == FAMILY_EC)
		return fit_ec(pkey, row, e);
	return fit_rsa(pkey, row->name, e);
}

/*
 * A public half that is another key's would put a wrong name on signatures.
 * OpenSSL's own check proves the primes of RSA, which takes 0.4 s.
 */
static enum status fit_halves(const struct sign_key *k, struct err *e)
{
	struct str text = S("trial");
	struct buf sig = {0};
	enum status st = raw_sign(k, text, &sig, e);

	if (!st)
		st = raw_verify(k, text, buf_str(&sig), e);
	buf_release(&sig);
	if (st)
		st = err_set(e, E_INVALID,
			"the key's private and public half do not fit");
	return st;
}

/* --- PEM ------------------------------------------------------------------ */

static EVP_PKEY *spki(const unsigned char *der, long len)
{
	return ssl.d2i_PUBKEY(NULL, &der, len);
}

static EVP_PKEY *rsa_public(const unsigned char *der, long len)
{
	return ssl.d2i_PublicKey(EVP_PKEY_RSA, NULL, &der, len);
}

static EVP_PKEY *rsa_private(const unsigned char *der, long len)
{
	return ssl.d2i_PrivateKey(EVP_PKEY_RSA, NULL, &der, len);
}

static EVP_PKEY *ec_private(const unsigned char *der, long len)
{
	return ssl.d2i_PrivateKey(EVP_PKEY_EC, NULL, &der, len);
}

static EVP_PKEY *pkcs8(const unsigned char *der, long len)
{
	return ssl.d2i_AutoPrivateKey(NULL, &der, len);
}

/* clang-format off */
/* The blocks OPA knows, and how each is read. */
static const struct {
	const char *type;
	bool private;
	EVP_PKEY *(*read)(const unsigned char *der, long len);
} blocks[] = {
	{"PUBLIC KEY",      false, spki},
	{"RSA PUBLIC KEY",  false, rsa_public},
	{"CERTIFICATE",     false, crypto_certificate_key},
	{"PRIVATE KEY",     true,  pkcs8},
	{"RSA PRIVATE KEY", true,  rsa_private},
	{"EC PRIVATE KEY",  true,  ec_private},
};
/* clang-format on */

/* The one block that was found. */
struct pem {
	char *type, *header;
	unsigned char *der;
	long len;
};

static enum status read_block(
	const struct pem *pem, bool private, EVP_PKEY **out, struct err *e)
{
	if (!strcmp(pem->type, "ENCRYPTED PRIVATE KEY") ||
		strstr(pem->header, "ENCRYPTED"))
		return err_set(e, E_INVALID, "the key is encrypted");
	for (size_t i = 0; i < COUNT(blocks); i++) {
		if (strcmp(pem->type, blocks[i].type) != 0)
			continue;
		if (private && !blocks[i].private)
			return err_set(e, E_INVALID,
				"a %s where a private key should be",
				pem->type);
		*out = blocks[i].read(pem->der, pem->len);
		if (!*out)
			return crypto_fail(e, E_INVALID,
				"the PEM block %s holds no key", pem->type);
		return OK;
	}
	/* What an agent says when it has such a key. */
	return err_set(
		e, E_INVALID, "failed to parse PEM block containing the key");
}

/* Only the first block counts, as for Go. */
static enum status read_pem(
	struct str text, bool private, EVP_PKEY **out, struct err *e)
{
	const unsigned flags = PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE;
	struct pem pem = {0};
	enum status st;
	BIO *bio;
	int ok;

	if (text.len > KEY_FILE_MAX)
		return err_set(e, E_LIMIT, "a key of %zu bytes, limit %d",
			text.len, KEY_FILE_MAX);
	bio = ssl.BIO_new_mem_buf(text.ptr ? text.ptr : "", (int)text.len);
	if (!bio)
		die("out of memory: PEM");
	ssl.ERR_clear_error();
	ok = ssl.PEM_read_bio_ex(
		bio, &pem.type, &pem.header, &pem.der, &pem.len, flags);
	ssl.BIO_free(bio);
	if (!ok) {
		ssl.ERR_clear_error();
		return err_set(e, E_INVALID,
			"failed to parse PEM block containing the key");
	}
	st = read_block(&pem, private, out, e);
	ssl.CRYPTO_secure_clear_free(
		pem.der, (size_t)pem.len, __FILE__, __LINE__);
	ssl.CRYPTO_secure_clear_free(
		pem.header, strlen(pem.header), __FILE__, __LINE__);
	ssl.CRYPTO_secure_clear_free(
		pem.type, strlen(pem.type), __FILE__, __LINE__);
	/* Decoders leave notes about what they tried first. */
	ssl.ERR_clear_error();
	return st;
}

/* --- keys ----------------------------------------------------------------- */

static struct sign_key *key_new(enum sign_alg alg, const char *id)
{
	struct sign_key *k = calloc(1, sizeof(*k));

	if (!k)
		die("out of memory: key");
	k->alg = alg;
	if (id) {
		k->id = strdup(id);
		if (!k->id)
			die("out of memory: key");
	}
	return k;
}

void sign_key_free(struct sign_key *k)
{
	if (!k)
		return;
	if (k->pkey) /* OpenSSL clears private numbers as it frees them */
		ssl.EVP_PKEY_free(k->pkey);
	if (k->secret)
		explicit_bzero(k->secret, k->secret_len);
	free(k->secret);
	free(k->id);
	explicit_bzero(k, sizeof(*k));
	free(k);
}

enum sign_alg sign_key_alg(const struct sign_key *k)
{
	return k->alg;
}

const char *sign_key_fingerprint(const struct sign_key *k)
{
	return k->fingerprint;
}

static enum status fingerprint(struct sign_key *k, struct err *e)
{
	unsigned char *der = NULL, sum[DIGEST_MAX];
	int len = ssl.i2d_PUBKEY(k->pkey, &der);
	struct buf hex = {0};

	if (len <= 0)
		return crypto_fail(e, E_INVALID, "writing the public key");
	digest(DIGEST_SHA256, (struct str){(const char *)der, (size_t)len},
		sum);
	ssl.CRYPTO_free(der, __FILE__, __LINE__);
	digest_hex(&hex, sum, digest_size(DIGEST_SHA256));
	memcpy(k->fingerprint, hex.ptr, FINGERPRINT_HEX);
	buf_release(&hex);
	return OK;
}

static enum status key_from_pem(struct sign_key **out, struct str text,
	bool private, enum sign_alg alg, const char *id, struct err *e)
{
	struct sign_key *k;
	enum status st = crypto_open(e);

	if (st)
		return st;
	k = key_new(alg, id);
	k->private = private;
	st = read_pem(text, private, &k->pkey, e);
	if (!st)
		st = fit(k->pkey, alg_row(alg), e);
	if (!st && private)
		st = fit_halves(k, e);
	if (!st)
		st = fingerprint(k, e);
	if (st)
		sign_key_free(k);
	else
		*out = k;
	return st;
}

static enum status no_algorithm(struct err *e)
{
	return err_set(e, E_INVALID, "a key needs an algorithm");
}

/*
 * Agents take a PEM text as the secret of an HMAC. That is a public key which
 * got the wrong algorithm, and then everybody knows the secret.
 */
static enum status key_from_secret(struct sign_key **out, struct str text,
	enum sign_alg alg, const char *id, struct err *e)
{
	struct sign_key *k;

	if (!text.len)
		return err_set(e, E_INVALID, "the secret is empty");
	if (str_find(text, S("-----BEGIN "), 0) != SIZE_MAX)
		return err_set(e, E_INVALID,
			"%s needs a secret, and this is a PEM text",
			sign_alg_name(alg));
	k = key_new(alg, id);
	k->secret = malloc(text.len);
	if (!k->secret)
		die("out of memory: key");
	memcpy(k->secret, text.ptr, text.len);
	k->secret_len = text.len;
	*out = k;
	return OK;
}

enum status sign_key_parse_public(struct sign_key **out, struct str text,
	enum sign_alg alg, const char *id, struct err *e)
{
	if (alg == ALG_NONE)
		return no_algorithm(e);
	if (alg_row(alg)->family == FAMILY_HMAC)
		return key_from_secret(out, text, alg, id, e);
	return key_from_pem(out, text, false, alg, id, e);
}

/* --- files ---------------------------------------------------------------- */

enum status regular_file_open(
	const char *path, int *out, struct stat *sb, struct err *e)
{
	/* O_NONBLOCK: a pipe is refused, not waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum status st = OK;

	if (fd < 0)
		return err_sys(e, errno, "opening %s", path);
	if (fstat(fd, sb) < 0)
		st = err_sys(e, errno, "looking at %s", path);
	else if (!S_ISREG(sb->st_mode))
		st = err_set(e, E_INVALID, "%s is no regular file", path);
	if (st)
		close(fd);
	else
		*out = fd;
	return st;
}

static enum status check_secret(
	const struct stat *sb, const char *path, struct err *e)
{
	if (sb->st_mode & (S_IRWXG | S_IRWXO))
		return err_set(e, E_DENIED,
			"%s has mode %04o: only its owner may have access "
			"(chmod 600)",
			path, (unsigned)sb->st_mode & 07777u);
	if (sb->st_uid != geteuid())
		return err_set(e, E_DENIED, "%s belongs to user %u, not to %u",
			path, (unsigned)sb->st_uid, (unsigned)geteuid());
	if (sb->st_size > KEY_FILE_MAX)
		return err_set(e, E_LIMIT, "%s has more than %d bytes", path,
			KEY_FILE_MAX);
	return OK;
}

static enum status read_file(
	int fd, const char *path, char *text, size_t *len, struct err *e)
{
	size_t at = 0;

	while (at < KEY_FILE_MAX) {
		ssize_t n = read(fd, text + at, KEY_FILE_MAX - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "reading %s", path);
		if (n == 0)
			break;
		at += (size_t)n;
	}
	*len = at;
	return OK;
}

enum status key_file_read(
	const char *path, char text[KEY_FILE_MAX], size_t *len, struct err *e)
{
	struct stat sb;
	int fd = -1;
	enum status st = regular_file_open(path, &fd, &sb, e);

	if (st)
		return st;
	st = check_secret(&sb, path, e);
	if (!st)
		st = read_file(fd, path, text, len, e);
	close(fd);
	return st;
}

enum status sign_key_load(struct sign_key **out, const char *path,
	enum sign_alg alg, struct err *e)
{
	char text[KEY_FILE_MAX];
	size_t len = 0;
	enum status st;

	if (alg == ALG_NONE)
		return no_algorithm(e);
	if (alg_row(alg)->family == FAMILY_HMAC)
		return err_set(e, E_UNSUPPORTED, "%s has no private keys",
			sign_alg_name(alg));
	st = key_file_read(path, text, &len, e);
	if (!st) {
		st = key_from_pem(
			out, (struct str){text, len}, true, alg, NULL, e);
		if (st)
			err_wrap(e, "%s", path);
	}
	explicit_bzero(text, sizeof(text));
	return st;
}

/* --- new keys ------------------------------------------------------------- */

static void add_bio(struct buf *out, BIO *bio)
{
	char *ptr = NULL;
	long len = ssl.BIO_ctrl(bio, BIO_CTRL_INFO, 0, &ptr);

	if (len > 0)
		buf_add(out, ptr, (size_t)len);
}

static enum status write_pair(EVP_PKEY *pkey, struct buf *private_pem,
	struct buf *public_pem, struct err *e)
{
	BIO *secret = ssl.BIO_new(ssl.BIO_s_secmem());
	BIO *open = ssl.BIO_new(ssl.BIO_s_mem());
	enum status st = OK;

	if (!secret || !open)
		die("out of memory: PEM");
	if (!ssl.PEM_write_bio_PKCS8PrivateKey(
		    secret, pkey, NULL, NULL, 0, NULL, NULL) ||
		!ssl.PEM_write_bio_PUBKEY(open, pkey)) {
		st = crypto_fail(e, E_UNSUPPORTED, "writing a new key");
	} else {
		add_bio(private_pem, secret);
		add_bio(public_pem, open);
	}
	ssl.BIO_free(secret);
	ssl.BIO_free(open);
	return st;
}

enum status sign_key_generate(enum sign_alg alg, struct buf *private_pem,
	struct buf *public_pem, struct err *e)
{
	const struct alg_row *row = alg_row(alg);
	EVP_PKEY *pkey;
	enum status st;

	if (alg == ALG_NONE)
		return no_algorithm(e);
	if (row->family == FAMILY_HMAC)
		return err_set(
			e, E_UNSUPPORTED, "%s has no key pairs", row->name);
	st = crypto_open(e);
	if (st)
		return st;
	if (row->family == FAMILY_EC)
		pkey = ssl.EVP_PKEY_Q_keygen(NULL, NULL, "EC", row->group);
	else
		pkey = ssl.EVP_PKEY_Q_keygen(
			NULL, NULL, "RSA", (size_t)KEY_BITS_NEW);
	if (!pkey)
		return crypto_fail(
			e, E_UNSUPPORTED, "making a key for %s", row->name);
	st = write_pair(pkey, private_pem, public_pem, e);
	ssl.EVP_PKEY_free(pkey);
	return st;
}
