/*
 * address: IPv4 and IPv6, as Go's package net reads and writes them.
 */
#ifndef REGO_BUILTIN_ADDRESS_H
#define REGO_BUILTIN_ADDRESS_H

#include "base/buf.h"

/* IPv4 is ::ffff:a.b.c.d. */
struct ip {
	uint8_t b[16];
};

/* Of the 4 or 16 bytes of an address. */
struct ip ip_of(struct str bytes);

/* *is_v4: it was written as a.b.c.d. */
bool ip_parse(struct str s, struct ip *out, bool *is_v4);

/* Append it; ::ffff:a.b.c.d as a.b.c.d. */
void ip_put(struct buf *out, const struct ip *ip);

#endif
