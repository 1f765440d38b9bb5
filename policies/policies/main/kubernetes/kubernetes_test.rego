package library.main.kubernetes_test

import data.library.main.kubernetes

now := time.parse_rfc3339_ns("2026-06-01T12:00:00Z")

enforced := {policy: {"stages": [{"stage": "enforce", "from": "2026-01-01"}]} |
	some policy in ["require-non-root", "disallow-privileged"]
}

waiver := {
	"id": "WV-1",
	"policy": "require-non-root",
	"scope": {"namespace": "shop", "resource": "pod/web"},
	"expires": "2026-06-02",
}

review(context) := {
	"namespace": "shop",
	"object": {
		"kind": "Pod",
		"metadata": {"name": "web"},
		"spec": {"containers": [{"name": "app", "image": "web", "securityContext": context}]},
	},
}

decide(context, waivers) := decision if {
	decision := kubernetes.decision with input.review as review(context)
		with data.stages as enforced
		with data.waivers as waivers
		with data.library.lib.clock.now as now
}

policies(list) := {violation.policy | some violation in list}

test_decision[name] if {
	some name, row in {
		"all is well": {"context": {"runAsNonRoot": true}, "waivers": [], "allow": true, "deny": set()},
		"root": {"context": {}, "waivers": [], "allow": false, "deny": {"require-non-root"}},
		"root, waived": {"context": {}, "waivers": [waiver], "allow": true, "deny": set()},
		"privileged root, waived": {"context": {"privileged": true}, "waivers": [waiver], "allow": false, "deny": {"disallow-privileged"}},
	}
	decision := decide(row.context, row.waivers)
	policies(decision.deny) == row.deny
	decision.allow == row.allow
}

test_every_policy_takes_part if {
	policies(decide({}, []).dryrun) == {
		"allowed-registries",
		"disallow-latest-tag",
		"disallow-privilege-escalation",
		"drop-capabilities",
		"require-labels",
		"require-resource-limits",
	}
}

test_no_object_is_allowed if {
	kubernetes.decision.allow with input.review as {"operation": "DELETE", "object": null}
}
