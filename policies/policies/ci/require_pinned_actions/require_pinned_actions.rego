# METADATA
# title: Actions are pinned to a commit
# description: >-
#   Whoever may move a tag of somebody else's action may run what they like with
#   the secrets of this job. A commit can't be moved, nor can an image's digest.
# custom:
#   id: require-pinned-actions
#   severity: high
#   owners: [platform-security]
#   remediation: Write the 40 digits of the commit, and the tag as a comment.
package library.ci.require_pinned_actions

import data.library.lib.ci

violations contains ci.violation(title, field, found, "pin it to a commit", {"path": place.path}) if {
	some place in ci.steps
	action := place.step.uses
	not pinned(action)
	title := sprintf("Workflow %s", [place.path])
	field := sprintf("%s.uses", [place.field])
	found := sprintf("%q", [action])
}

# What stands in the same repository is of the same commit.
pinned(action) if startswith(action, "./")

pinned(action) if regex.match(`^[^@]+@[0-9a-f]{40}$`, action)

pinned(action) if regex.match(`^docker://[^@]+@sha256:[0-9a-f]{64}$`, action)
