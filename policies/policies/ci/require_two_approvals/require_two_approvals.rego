# METADATA
# title: Two others approve a change
# description: >-
#   What is merged has been approved, as it is now, by two people who wrote
#   nothing of it; and nobody's last word is that it must change.
# custom:
#   id: require-two-approvals
#   severity: high
#   owners: [platform-security]
#   remediation: Ask two others to review the last commit of the change.
package library.ci.require_two_approvals

import data.library.lib.ci

needed := 2

violations contains ci.violation(title, "change.reviews", found, fix, {}) if {
	input.change
	count(approvers) < needed
	found := sprintf("approved by %s", [people(approvers)])
	fix := sprintf("%d who wrote none of it must approve commit %s", [needed, head])
}

violations contains ci.violation(title, "change.reviews", found, "answer what they ask for", {}) if {
	objectors := {user | some user, review in last; review.state == "changes_requested"}
	count(objectors) > 0
	found := sprintf("refused by %s", [people(objectors)])
}

title := sprintf("Change %v", [object.get(input.change, "number", "without number")])

head := object.get(input.change, "head", "without id")

approvers := {user |
	some user, review in last
	review.state == "approved"
	review.commit == input.change.head
	not user in writers
}

writers := {user | some user in object.get(input.change, "committers", [])} | {user | user := input.change.author}

# A comment after an approval takes nothing back.
last := {user: review |
	some user in {review.user | some review in judgements}
	theirs := [review | some review in judgements; review.user == user]
	review := theirs[count(theirs) - 1]
}

judgements := [review |
	some review in input.change.reviews
	is_string(review.user)
	review.state in {"approved", "changes_requested", "dismissed"}
]

people(users) := "nobody" if count(users) == 0

people(users) := concat(", ", users) if count(users) > 0
