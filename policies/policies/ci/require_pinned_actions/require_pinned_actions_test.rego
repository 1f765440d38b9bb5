package library.ci.require_pinned_actions_test

import data.library.ci.require_pinned_actions

messages(content) := {violation.msg | some violation in found} if {
	found := require_pinned_actions.violations with input.workflows as [{"path": "ci.yaml", "content": content}]
}

test_action[name] if {
	some name, row in {
		"actions/checkout@0123456789abcdef0123456789abcdef01234567": {"violations": 0},
		"example/tools/lint@0123456789abcdef0123456789abcdef01234567": {"violations": 0},
		"./.github/actions/setup": {"violations": 0},
		"docker://alpine@sha256:4b8f2c1d9e6a7f3054c2b1a09e8d7c6f5b4a3928170615f4e3d2c1b0a9f8e7d6": {"violations": 0},
		"docker://alpine:3.20": {"violations": 1},
		"actions/checkout@v4": {"violations": 1},
		"actions/checkout@main": {"violations": 1},
		"actions/checkout@0123456": {"violations": 1},
		"actions/checkout": {"violations": 1},
	}
	count(messages({"jobs": {"a": {"steps": [{"run": "make"}, {"uses": name}]}}})) == row.violations
}

test_message[name] if {
	some name, row in {
		"a step": {"content": {"jobs": {"a": {"steps": [{"uses": "x/y@v1"}]}}}, "field": "jobs.a.steps[0].uses"},
		"a called workflow": {"content": {"jobs": {"a": {"uses": "x/y@v1"}}}, "field": "jobs.a.uses"},
		"an action": {"content": {"runs": {"steps": [{"uses": "x/y@v1"}]}}, "field": "runs.steps[0].uses"},
	}
	messages(row.content) == {sprintf("Workflow ci.yaml: %s is \"x/y@v1\"; pin it to a commit", [row.field])}
}
