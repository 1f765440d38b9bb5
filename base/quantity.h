/*
 * quantity: durations and sizes as people write them.
 *
 * A sequence of decimal numbers, each with a unit: "1h30m", "1.5s", "64MiB".
 */
#ifndef BASE_QUANTITY_H
#define BASE_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * In nanoseconds: ns us ms s m h, with a sign; "0" needs no unit. False: not a
 * duration, or more than 292 years. Source: Go's time.ParseDuration.
 */
bool quantity_duration(const char *s, int64_t *ns);

/*
 * In bytes: none or B; kB MB GB are powers of 1000, KiB MiB GiB of 1024, and
 * so are K M G. Never negative. False: not a size, or more than 9e18.
 */
bool quantity_size(const char *s, int64_t *bytes);

#endif
