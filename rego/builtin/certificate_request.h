/*
 * certificate_request: a PKCS #10 request for a certificate.
 *
 * Source: RFC 2986; fields of x509.CertificateRequest.
 */
#ifndef REGO_BUILTIN_CERTIFICATE_REQUEST_H
#define REGO_BUILTIN_CERTIFICATE_REQUEST_H

#include "rego/builtin.h"

/* The request as Go writes the struct. */
enum bi_status certificate_request_value(
	struct bi_ctx *cx, struct str der, struct value *out);

#endif
