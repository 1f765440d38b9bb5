# METADATA
# title: Waivers
# description: >-
#   Which waivers of `data.waivers` cover a violation now. A bundle carries only
#   those that were valid at its commit; the expiry is checked again here, so a
#   waiver lapses at its instant without a release. One whose dates can't be
#   read covers nothing.
package library.lib.waivers

import data.library.lib.clock
import data.library.lib.scope

# METADATA
# description: Ids of the active waivers that cover `subject` under `policy`.
covering(policy, subject) := {object.get(waiver, "id", "no id") |
	some waiver in data.waivers
	waiver.policy == policy
	active(waiver)
	scope.covers(waiver.scope, subject)
}

active(waiver) if {
	started(waiver)
	clock.now < clock.instant(waiver.expires)
}

started(waiver) if not waiver.starts

started(waiver) if clock.now >= clock.instant(waiver.starts)
