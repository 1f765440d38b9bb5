/*
 * zone: time zones of the system's database.
 *
 * A zone is read from its TZif file and the POSIX rule at the file's end. NULL
 * stands for UTC. Source: RFC 8536; how the time before the first transition
 * is handled and which names are refused: Go's time.LoadLocation.
 */
#ifndef REGO_BUILTIN_ZONE_H
#define REGO_BUILTIN_ZONE_H

#include "rego/builtin.h"

struct zone;

/* What holds at one moment. `name` is the abbreviation ("CET", "-03"). */
struct zone_at {
	const char *name;
	char room[32];  /* name stands here when it comes from the rule */
	int64_t offset; /* seconds east of UTC */
};

/*
 * The zone `name`, of the cache or read; false with the reason in *e. "Local"
 * is the zone of this process: $TZ, or /etc/localtime.
 */
bool zone_find(struct bi_cache *cache, struct str name, const struct zone **out,
	struct err *e);

/* Times are in seconds since 1970, not further from it than 2^50. */
void zone_lookup(const struct zone *z, int64_t unix_sec, struct zone_at *out);

/*
 * The offset that abbreviation `name` has in the zone when its clocks show
 * `unix_sec`. False when the zone has no such name.
 */
bool zone_offset_of(const struct zone *z, struct str name, int64_t unix_sec,
	int64_t *offset);

/* A zone from the bytes of a TZif file; NULL when they are none. */
struct zone *zone_parse(struct str tzif);
void zone_free(struct zone *z);

#endif
