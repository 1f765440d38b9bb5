# METADATA
# title: The time of a decision
# description: >-
#   The only place that reads a clock. A test fixes the time with
#   `with data.library.lib.clock.now as <nanoseconds>`.
package library.lib.clock

# METADATA
# description: Nanoseconds since 1970, UTC. The same all through one decision.
now := time.now_ns()

# METADATA
# description: >-
#   When a date or an RFC 3339 time is, in nanoseconds. A date is the start of
#   that day in UTC, so `expires: 2026-09-30` last holds on the 29th. Undefined
#   for anything else: what nobody can read never holds.
instant(text) := time.parse_rfc3339_ns(text) if regex.match(time_pattern, text)

instant(text) := time.parse_rfc3339_ns(sprintf("%sT00:00:00Z", [text])) if {
	regex.match(date_pattern, text)
}

date_pattern := `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`

time_pattern := `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})$`
