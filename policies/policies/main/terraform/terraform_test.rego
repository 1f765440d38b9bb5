package library.main.terraform_test

import data.library.main.terraform

plan := {
	"variables": {"environment": {"value": "staging"}},
	"resource_changes": [{
		"address": "module.data.aws_ebs_volume.disk",
		"mode": "managed",
		"type": "aws_ebs_volume",
		"name": "disk",
		"change": {"actions": ["create"], "after": {"encrypted": false, "tags": {}}},
	}],
}

stages := {"require-encryption": {"stages": [
	{"stage": "warn", "from": "2026-01-01"},
	{"stage": "enforce", "from": "2026-02-01", "scope": {"environment": "staging"}},
]}}

waiver := {
	"id": "WV-2",
	"policy": "require-encryption",
	"scope": {"address": "module.data.aws_ebs_volume.disk"},
	"expires": "2026-06-02",
}

decide(waivers) := decision if {
	decision := terraform.decision with input as plan
		with data.stages as stages
		with data.waivers as waivers
		with data.library.lib.clock.now as time.parse_rfc3339_ns("2026-06-01T00:00:00Z")
}

test_denied if {
	decision := decide([])
	not decision.allow
	{violation.policy | some violation in decision.deny} == {"require-encryption"}
	{violation.policy | some violation in decision.dryrun} == {"require-tags"}
}

test_waived if {
	decision := decide([waiver])
	decision.allow
	decision.waived[0].waivers == {"WV-2"}
}
