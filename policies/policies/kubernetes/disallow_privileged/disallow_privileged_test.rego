package library.kubernetes.disallow_privileged_test

import data.library.kubernetes.disallow_privileged

pod(spec) := {"review": {"object": {
	"kind": "Pod",
	"metadata": {"name": "web"},
	"spec": spec,
}}}

test_context[name] if {
	some name, row in {
		"nothing": {"context": {}, "violations": 0},
		"null": {"context": null, "violations": 0},
		"false": {"context": {"privileged": false}, "violations": 0},
		"privileged": {"context": {"privileged": true}, "violations": 1},
		"a host process": {"context": {"windowsOptions": {"hostProcess": true}}, "violations": 1},
		"no host process": {"context": {"windowsOptions": {"hostProcess": false}}, "violations": 0},
	}
	spec := {"containers": [{"name": "app", "securityContext": row.context}]}
	count(disallow_privileged.violations) == row.violations with input as pod(spec)
}

test_every_list[list] if {
	some list in ["containers", "initContainers", "ephemeralContainers"]
	spec := {list: [{"name": "a"}, {"name": "b", "securityContext": {"privileged": true}}]}
	found := disallow_privileged.violations with input as pod(spec)
	{violation.field | some violation in found} == {sprintf("spec.%s[1].securityContext.privileged", [list])}
}

test_host_process_of_the_pod if {
	spec := {
		"securityContext": {"windowsOptions": {"hostProcess": true}},
		"containers": [{"name": "app"}],
	}
	count(disallow_privileged.violations) == 1 with input as pod(spec)
}
