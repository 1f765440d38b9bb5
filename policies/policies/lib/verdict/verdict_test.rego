package library.lib.verdict_test

import data.library.lib.verdict

violation := {
	"policy": "p",
	"msg": "it is wrong",
	"subject": {"namespace": "shop"},
}

at(stage) := {"p": {"stages": [{"stage": stage, "from": "2026-01-01"}]}}

waiver := {
	"id": "WV-1",
	"policy": "p",
	"scope": {"namespace": "shop"},
	"expires": "2026-09-30",
}

decide(stage, waivers, now) := decision if {
	decision := verdict.on({violation}) with data.stages as at(stage)
		with data.waivers as waivers
		with time.now_ns as time.parse_rfc3339_ns(now)
}

filled(decision) := {outcome |
	some outcome in verdict.outcomes
	count(decision[outcome]) > 0
}

test_outcome[name] if {
	some name, row in {
		"dryrun": {"allow": true, "outcome": "dryrun"},
		"warn": {"allow": true, "outcome": "warn"},
		"audit": {"allow": true, "outcome": "audit"},
		"enforce": {"allow": false, "outcome": "deny"},
	}
	decision := decide(name, [], "2026-06-01T12:00:00Z")
	decision.allow == row.allow
	filled(decision) == {row.outcome}
	decision[row.outcome] == [object.union(violation, {"stage": name})]
}

test_waiver_wins_over_every_stage[stage] if {
	some stage in ["dryrun", "warn", "audit", "enforce"]
	decision := decide(stage, [waiver], "2026-09-29T23:59:59Z")
	decision.allow
	filled(decision) == {"waived"}
	decision.waived[0].waivers == {"WV-1"}
	decision.waived[0].stage == stage
}

test_lapsed_waiver_denies_again if {
	decision := decide("enforce", [waiver], "2026-09-30T00:00:00Z")
	not decision.allow
	filled(decision) == {"deny"}
}

test_one_denial_of_many_denies if {
	decision := verdict.on({violation, object.union(violation, {"policy": "q"})}) with data.stages as at("enforce")
		with data.waivers as []
	not decision.allow
	count(decision.deny) == 1
	count(decision.dryrun) == 1
}

test_nothing_found_is_allowed if {
	decision := verdict.on(set()) with time.now_ns as 0
	decision.allow
	filled(decision) == set()
	decision.as_of == "1970-01-01T00:00:00Z"
}
