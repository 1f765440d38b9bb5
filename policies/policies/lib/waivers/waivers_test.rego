package library.lib.waivers_test

import data.library.lib.clock
import data.library.lib.waivers

waiver := {
	"id": "WV-1",
	"policy": "require-non-root",
	"scope": {"namespace": "shop"},
	"expires": "2026-09-30",
}

covering(changes, now) := ids if {
	ids := waivers.covering("require-non-root", {"namespace": "shop"}) with data.waivers as [object.union(waiver, changes)]
		with data.library.lib.clock.now as clock.instant(now)
}

test_expiry[name] if {
	some name, row in {
		"the day before": {"now": "2026-09-29", "ids": {"WV-1"}},
		"the last moment": {"now": "2026-09-29T23:59:59.999Z", "ids": {"WV-1"}},
		"the instant itself": {"now": "2026-09-30", "ids": set()},
		"a year later": {"now": "2027-09-30", "ids": set()},
	}
	covering({}, row.now) == row.ids
}

test_waiver[name] if {
	some name, row in {
		"another policy": {"changes": {"policy": "drop-capabilities"}, "ids": set()},
		"another scope": {"changes": {"scope": {"namespace": "pay"}}, "ids": set()},
		"no scope": {"changes": {"scope": null}, "ids": set()},
		"started": {"changes": {"starts": "2026-09-01"}, "ids": {"WV-1"}},
		"not started": {"changes": {"starts": "2026-09-02"}, "ids": set()},
		"a start nobody can read": {"changes": {"starts": "soon"}, "ids": set()},
		"an end nobody can read": {"changes": {"expires": "never"}, "ids": set()},
		"no end": {"changes": {"expires": null}, "ids": set()},
		"an end to the second": {"changes": {"expires": "2026-09-01T00:00:01Z"}, "ids": {"WV-1"}},
	}
	covering(row.changes, "2026-09-01") == row.ids
}

test_no_waivers if {
	waivers.covering("require-non-root", {"namespace": "shop"}) == set() with data.waivers as []
}

test_waiver_without_id if {
	waivers.covering("require-non-root", {"namespace": "shop"}) == {"no id"} with data.waivers as [object.remove(waiver, ["id"])]
		with data.library.lib.clock.now as 0
}
