package library.ci.require_two_approvals_test

import data.library.ci.require_two_approvals

review(user, state) := {"user": user, "state": state, "commit": "c2"}

approved(user) := review(user, "approved")

messages(reviews) := {violation.msg | some violation in found} if {
	found := require_two_approvals.violations with input.change as {
		"number": 12,
		"author": "ann",
		"committers": ["ann", "ben"],
		"head": "c2",
		"reviews": reviews,
	}
}

too_few(who) := sprintf("Change 12: change.reviews is approved by %s; 2 who wrote none of it must approve commit c2", [who])

test_reviews[name] if {
	some name, row in {
		"two others": {"reviews": [approved("cat"), approved("dan")], "messages": set()},
		"none": {"reviews": [], "messages": {too_few("nobody")}},
		"null": {"reviews": null, "messages": {too_few("nobody")}},
		"one": {"reviews": [approved("cat")], "messages": {too_few("cat")}},
		"nobody known": {"reviews": [approved("cat"), approved(null)], "messages": {too_few("cat")}},
		"one twice": {"reviews": [approved("cat"), approved("cat")], "messages": {too_few("cat")}},
		"the author": {"reviews": [approved("cat"), approved("ann")], "messages": {too_few("cat")}},
		"one who committed": {"reviews": [approved("cat"), approved("ben")], "messages": {too_few("cat")}},
		"a former commit": {
			"reviews": [approved("cat"), {"user": "dan", "state": "approved", "commit": "c1"}],
			"messages": {too_few("cat")},
		},
		"dismissed": {"reviews": [approved("cat"), approved("dan"), review("dan", "dismissed")], "messages": {too_few("cat")}},
		"a comment later": {"reviews": [approved("cat"), approved("dan"), review("dan", "commented")], "messages": set()},
		"a third who refuses": {
			"reviews": [approved("cat"), approved("dan"), review("eve", "changes_requested")],
			"messages": {"Change 12: change.reviews is refused by eve; answer what they ask for"},
		},
		"refused, then approved": {
			"reviews": [review("cat", "changes_requested"), approved("dan"), approved("cat")],
			"messages": set(),
		},
	}
	messages(row.reviews) == row.messages
}

test_no_change_is_not_judged if count(require_two_approvals.violations) == 0 with input as {"repo": "example/shop"}

test_a_change_that_says_nothing if {
	found := require_two_approvals.violations with input as {"change": {}}
	{violation.msg | some violation in found} == {"Change without number: change.reviews is approved by nobody; 2 who wrote none of it must approve commit without id"}
}
