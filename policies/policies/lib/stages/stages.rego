# METADATA
# title: Stages
# description: >-
#   How far a policy is enforced for a subject now: dryrun, warn, audit or
#   enforce. Of the entries in `data.stages[policy].stages` whose date has come
#   and whose scope covers the subject the highest counts, and no hold may be
#   exceeded. A policy that nothing is said about is in dryrun.
package library.lib.stages

import data.library.lib.clock
import data.library.lib.scope

# METADATA
# description: The stages in their order, the mildest first.
names := ["dryrun", "warn", "audit", "enforce"]

# METADATA
# description: The stage of `policy` for `subject` at the time of the decision.
effective(policy, subject) := names[min(holds(policy, subject) | {reached(policy, subject)})]

reached(policy, subject) := max({0} | {rank[entry.stage] |
	some entry in data.stages[policy].stages
	clock.now >= clock.instant(entry.from)
	applies(entry, subject)
})

holds(policy, subject) := {rank[hold.cap] |
	some hold in data.stages[policy].holds
	clock.now >= clock.instant(hold.from)
	clock.now < clock.instant(hold.until)
	applies(hold, subject)
}

rank := {name: i | some i, name in names}

applies(entry, _) if not entry.scope

applies(entry, subject) if scope.covers(entry.scope, subject)
