package library.lib.stages_test

import data.library.lib.clock
import data.library.lib.stages

record := {
	"stages": [
		{"stage": "dryrun", "from": "2026-03-02"},
		{"stage": "warn", "from": "2026-04-01"},
		{"stage": "audit", "from": "2026-05-04"},
		{"stage": "enforce", "from": "2026-06-15", "scope": {"namespace": ["search", "checkout"]}},
		{"stage": "enforce", "from": "2026-09-01"},
	],
	"holds": [
		{"cap": "audit", "from": "2026-10-05", "until": "2026-10-12"},
		{
			"cap": "warn",
			"from": "2026-10-06",
			"until": "2026-10-09",
			"scope": {"namespace": "checkout"},
		},
	],
}

stage(all, namespace, now) := found if {
	found := stages.effective("p", {"namespace": namespace}) with data.stages as all
		with data.library.lib.clock.now as clock.instant(now)
}

test_stage_by_date[name] if {
	some name, row in {
		"before the first": {"now": "2026-03-01", "stage": "dryrun"},
		"the day before warn": {"now": "2026-03-31", "stage": "dryrun"},
		"the day of warn": {"now": "2026-04-01", "stage": "warn"},
		"the day of audit": {"now": "2026-05-04", "stage": "audit"},
		"scoped to others": {"now": "2026-06-15", "stage": "audit"},
		"everywhere": {"now": "2026-09-01", "stage": "enforce"},
		"a hold begins": {"now": "2026-10-05", "stage": "audit"},
		"a hold of another scope": {"now": "2026-10-06", "stage": "audit"},
		"the last moment of a hold": {"now": "2026-10-11T23:59:59Z", "stage": "audit"},
		"the hold is over": {"now": "2026-10-12", "stage": "enforce"},
	}
	stage({"p": record}, "shop", row.now) == row.stage
}

test_stage_by_scope[name] if {
	some name, row in {
		"the day before its enforce": {"now": "2026-06-14", "stage": "audit"},
		"its enforce": {"now": "2026-06-15", "stage": "enforce"},
		"the lower of two holds": {"now": "2026-10-06", "stage": "warn"},
		"its hold is over": {"now": "2026-10-09", "stage": "audit"},
	}
	stage({"p": record}, "checkout", row.now) == row.stage
}

test_stage_by_default[name] if {
	some name, all in {
		"no stages": {},
		"no such policy": {"q": record},
		"no entries": {"p": {"stages": []}},
		"no such stage": {"p": {"stages": [{"stage": "deny", "from": "2026-01-01"}]}},
		"a date nobody can read": {"p": {"stages": [{"stage": "enforce", "from": "today"}]}},
		"a scope that says nothing": {"p": {"stages": [{"stage": "enforce", "from": "2026-01-01", "scope": {}}]}},
	}
	stage(all, "shop", "2026-12-01") == "dryrun"
}

test_hold_never_raises if {
	stage({"p": object.union(record, {"stages": [{"stage": "warn", "from": "2026-01-01"}]})}, "shop", "2026-10-05") == "warn"
}
