package library.main.ci_test

import data.library.main.ci

document := {
	"repo": "example/shop",
	"environment": "production",
	"images": [{"name": "registry.example.com/web:1"}],
	"workflows": [{"path": "ci.yaml", "content": {"permissions": {}, "jobs": {"a": {"steps": [{"uses": "x/y@v1"}]}}}}],
}

stages := {policy: {"stages": [{"stage": "enforce", "from": "2026-01-01"}]} |
	some policy in ["require-pinned-actions", "require-signed-images"]
}

waiver := {
	"id": "WV-3",
	"policy": "require-signed-images",
	"scope": {"repo": "example/shop", "image": "registry.example.com/web:1"},
	"expires": "2026-06-02",
}

test_decision if {
	decision := ci.decision with input as document
		with data.stages as stages
		with data.waivers as [waiver]
		with data.library.lib.clock.now as time.parse_rfc3339_ns("2026-06-01T00:00:00Z")
	not decision.allow
	{violation.policy | some violation in decision.deny} == {"require-pinned-actions"}
	{violation.field | some violation in decision.waived} == {"name", "signatures"}
}

test_nothing_to_judge_is_allowed if ci.decision.allow with input as {"repo": "example/shop"}
