/*
 * rx_engine: what rx.c needs of a matching engine. Served by rx_re2.cc, the
 * only C++ of the project.
 */
#ifndef REGO_RX_ENGINE_H
#define REGO_RX_ENGINE_H

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
extern "C" {
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

struct rx_engine;

/*
 * Compile a pattern of rx_syntax.h. NULL with a text in `why` (`room` bytes);
 * *too_large tells a pattern over the memory budget from a bad one.
 */
struct rx_engine *rx_engine_new(const char *pattern, size_t len, int64_t memory,
	bool *too_large, char *why, size_t room);
void rx_engine_free(struct rx_engine *x);
size_t rx_engine_size(const struct rx_engine *x); /* bytes, about */

/*
 * The leftmost match at or after `from`; pairs[2i], pairs[2i+1] are the ends
 * of group i < n, SIZE_MAX for one that took no part. n may be 0.
 */
bool rx_engine_find(const struct rx_engine *x, const char *text, size_t len,
	size_t from, size_t *pairs, size_t n);

#ifdef __cplusplus
}
#endif

#endif
