package library.kubernetes.disallow_privilege_escalation_test

import data.library.kubernetes.disallow_privilege_escalation

pod(spec) := {"review": {"object": {
	"kind": "Pod",
	"metadata": {"name": "web"},
	"spec": spec,
}}}

test_context[name] if {
	some name, row in {
		"false": {"context": {"allowPrivilegeEscalation": false}, "violations": 0},
		"true": {"context": {"allowPrivilegeEscalation": true}, "violations": 1},
		"missing": {"context": {}, "violations": 1},
		"null": {"context": {"allowPrivilegeEscalation": null}, "violations": 1},
		"no context": {"context": null, "violations": 1},
	}
	spec := {"containers": [{"name": "app", "securityContext": row.context}]}
	count(disallow_privilege_escalation.violations) == row.violations with input as pod(spec)
}

test_the_pod_can_not_say_it if {
	spec := {
		"securityContext": {"allowPrivilegeEscalation": false},
		"initContainers": [{"name": "setup"}],
	}
	count(disallow_privilege_escalation.violations) == 1 with input as pod(spec)
}

test_windows_has_none if {
	count(disallow_privilege_escalation.violations) == 0 with input as pod({"os": {"name": "windows"}, "containers": [{"name": "x"}]})
}
