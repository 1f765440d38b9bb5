# METADATA
# title: From violations to a decision
# description: >-
#   Waivers and stages are applied here, once, outside the policies. A waived
#   violation stays in the decision with the id of its waiver, so nobody has to
#   remember an exception in a rule, and every use of one is in the decision log.
package library.lib.verdict

import data.library.lib.clock
import data.library.lib.stages
import data.library.lib.waivers

# METADATA
# description: >-
#   The decision about a set of violations, each with its policy's id as
#   `policy` and what it is about as `subject`. It is allowed unless one of them
#   is denied.
on(violations) := object.union(lists, {
	"allow": count(lists.deny) == 0,
	"as_of": time.format(clock.now),
}) if {
	items := [judge(violation) | some violation in violations]
	lists := {outcome: listed |
		some outcome in outcomes
		listed := [item.violation | some item in items; item.outcome == outcome]
	}
}

# METADATA
# description: The lists of a decision.
outcomes := {"deny", "warn", "audit", "dryrun", "waived"}

judge(violation) := {
	"outcome": "waived",
	"violation": object.union(violation, {"stage": stage(violation), "waivers": ids}),
} if {
	ids := waivers.covering(violation.policy, violation.subject)
	count(ids) > 0
} else := {
	"outcome": outcome(stage(violation)),
	"violation": object.union(violation, {"stage": stage(violation)}),
}

stage(violation) := stages.effective(violation.policy, violation.subject)

outcome(stage) := "deny" if stage == "enforce"

outcome(stage) := stage if stage != "enforce"
