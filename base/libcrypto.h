/*
 * libcrypto: the functions of OpenSSL 3 that signer and builtins use.
 *
 * libcrypto takes a millisecond to load, so it is opened when the first key
 * is made or read (base/lib.h). It never reads openssl.cnf: what a signature
 * is worth must not depend on a file of the machine. SHA-2 and HMAC come from
 * base/digest.h.
 */
#ifndef BASE_LIBCRYPTO_H
#define BASE_LIBCRYPTO_H

/* ECDSA with a given number has no other functions in OpenSSL 3.0. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/buf.h"
#include "base/lib.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define CRYPTO_FNS(X)                                                          \
	X(BIO_ctrl)                                                            \
	X(BIO_free)                                                            \
	X(BIO_new)                                                             \
	X(BIO_new_mem_buf)                                                     \
	X(BIO_s_mem)                                                           \
	X(BIO_s_secmem)                                                        \
	X(BN_CTX_free)                                                         \
	X(BN_CTX_new)                                                          \
	X(BN_bin2bn)                                                           \
	X(BN_bn2binpad)                                                        \
	X(BN_clear_free)                                                       \
	X(BN_cmp)                                                              \
	X(BN_is_zero)                                                          \
	X(BN_mod_inverse)                                                      \
	X(BN_new)                                                              \
	X(BN_nnmod)                                                            \
	X(BN_num_bits)                                                         \
	X(BN_rshift)                                                           \
	X(BN_secure_new)                                                       \
	X(BN_set_flags)                                                        \
	X(CRYPTO_free)                                                         \
	X(CRYPTO_secure_clear_free)                                            \
	X(CRYPTO_set_mem_functions)                                            \
	X(ECDSA_SIG_free)                                                      \
	X(ECDSA_SIG_get0)                                                      \
	X(ECDSA_SIG_new)                                                       \
	X(ECDSA_SIG_set0)                                                      \
	X(ECDSA_do_sign_ex)                                                    \
	X(EC_GROUP_free)                                                       \
	X(EC_GROUP_get0_order)                                                 \
	X(EC_GROUP_new_by_curve_name)                                          \
	X(EC_KEY_free)                                                         \
	X(EC_KEY_get0_group)                                                   \
	X(EC_KEY_get0_private_key)                                             \
	X(EC_POINT_free)                                                       \
	X(EC_POINT_get_affine_coordinates)                                     \
	X(EC_POINT_mul)                                                        \
	X(EC_POINT_new)                                                        \
	X(ERR_clear_error)                                                     \
	X(ERR_peek_last_error)                                                 \
	X(ERR_reason_error_string)                                             \
	X(EVP_Digest)                                                          \
	X(EVP_DigestSign)                                                      \
	X(EVP_DigestSignInit_ex)                                               \
	X(EVP_DigestVerify)                                                    \
	X(EVP_DigestVerifyInit_ex)                                             \
	X(EVP_MD_CTX_free)                                                     \
	X(EVP_MD_CTX_new)                                                      \
	X(EVP_MD_fetch)                                                        \
	X(EVP_MD_free)                                                         \
	X(EVP_PKEY_CTX_free)                                                   \
	X(EVP_PKEY_CTX_new_from_name)                                          \
	X(EVP_PKEY_CTX_set_rsa_padding)                                        \
	X(EVP_PKEY_CTX_set_rsa_pss_saltlen)                                    \
	X(EVP_PKEY_Q_keygen)                                                   \
	X(EVP_PKEY_free)                                                       \
	X(EVP_PKEY_fromdata)                                                   \
	X(EVP_PKEY_fromdata_init)                                              \
	X(EVP_PKEY_get1_EC_KEY)                                                \
	X(EVP_PKEY_get_bits)                                                   \
	X(EVP_PKEY_get_group_name)                                             \
	X(EVP_PKEY_get_int_param)                                              \
	X(EVP_PKEY_get_raw_private_key)                                        \
	X(EVP_PKEY_get_raw_public_key)                                         \
	X(EVP_PKEY_is_a)                                                       \
	X(EVP_PKEY_new_raw_private_key_ex)                                     \
	X(EVP_PKEY_new_raw_public_key_ex)                                      \
	X(OPENSSL_init_crypto)                                                 \
	X(OSSL_PARAM_BLD_free)                                                 \
	X(OSSL_PARAM_BLD_new)                                                  \
	X(OSSL_PARAM_BLD_push_BN)                                              \
	X(OSSL_PARAM_BLD_push_octet_string)                                    \
	X(OSSL_PARAM_BLD_push_utf8_string)                                     \
	X(OSSL_PARAM_BLD_to_param)                                             \
	X(OSSL_PARAM_free)                                                     \
	X(PEM_read_bio_ex)                                                     \
	X(PEM_write_bio_PKCS8PrivateKey)                                       \
	X(PEM_write_bio_PUBKEY)                                                \
	X(X509_free)                                                           \
	X(X509_get_pubkey)                                                     \
	X(d2i_ECDSA_SIG)                                                       \
	X(d2i_AutoPrivateKey)                                                  \
	X(d2i_PUBKEY)                                                          \
	X(d2i_PrivateKey)                                                      \
	X(d2i_PublicKey)                                                       \
	X(d2i_X509)                                                            \
	X(i2d_ECDSA_SIG)                                                       \
	X(i2d_PUBKEY)

/* One global, written once by crypto_open(); read-only from then on. */
/* clang-format off */
extern struct libcrypto { CRYPTO_FNS(LIB_SLOT) } ssl;
/* clang-format on */

/* To be called before anything in `ssl` is. Any thread, any number of times. */
enum status crypto_open(struct err *e) MUST_CHECK;

/* The public key of a certificate in DER, the caller's to free; or NULL. */
EVP_PKEY *crypto_certificate_key(const unsigned char *der, long len);

/* --- signatures, with keys of any kind ------------------------------------ */

/* For keys that are not to sign with PSS, in the place of its salt's length. */
enum { CRYPTO_NO_PSS = INT_MIN };

/*
 * Whether `sig` is the signature of `text`. `md`: the digest's name; NULL for
 * an algorithm that has its own. `salt`: CRYPTO_NO_PSS, or RSA_PSS_SALTLEN_*.
 * ECDSA has its numbers in DER here: crypto_ecdsa_der().
 */
bool crypto_verify(EVP_PKEY *key, const char *md, int salt, struct str text,
	struct str sig);

/* The same way, append the signature. False: crypto_fail() knows why. */
bool crypto_sign(EVP_PKEY *key, const char *md, int salt, struct str text,
	struct buf *out);

/* ECDSA's r||s of the same length, appended as DER. */
void crypto_ecdsa_der(struct str raw, struct buf *out);
/* And back, each of `size` bytes; false: one of them has more. */
bool crypto_ecdsa_raw(const ECDSA_SIG *sig, size_t size, struct buf *out);

/*
 * Report that OpenSSL refused: the formatted text, and its own reason if it
 * has one. Forgets that reason.
 */
enum status crypto_fail(struct err *e, enum status code, const char *fmt, ...)
	PRINTF(3, 4);

#endif
