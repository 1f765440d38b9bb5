package library.kubernetes.require_non_root_test

import data.library.kubernetes.require_non_root

pod(spec) := {"review": {"object": {
	"kind": "Pod",
	"metadata": {"name": "web"},
	"spec": spec,
}}}

container(context) := {"name": "app", "securityContext": context}

test_run_as_non_root[name] if {
	some name, row in {
		"on the container": {"pod": {}, "container": {"runAsNonRoot": true}, "violations": 0},
		"on the pod": {"pod": {"runAsNonRoot": true}, "container": {}, "violations": 0},
		"on the pod, with a null on the container": {"pod": {"runAsNonRoot": true}, "container": {"runAsNonRoot": null}, "violations": 0},
		"nowhere": {"pod": {}, "container": {}, "violations": 1},
		"no contexts": {"pod": null, "container": null, "violations": 1},
		"false": {"pod": {}, "container": {"runAsNonRoot": false}, "violations": 1},
		"taken back": {"pod": {"runAsNonRoot": true}, "container": {"runAsNonRoot": false}, "violations": 1},
		"user 0 on the container": {"pod": {"runAsNonRoot": true}, "container": {"runAsUser": 0}, "violations": 1},
		"user 0 on the pod": {"pod": {"runAsNonRoot": true, "runAsUser": 0}, "container": {}, "violations": 1},
		"user 0 on the pod, not the container": {"pod": {"runAsNonRoot": true, "runAsUser": 0}, "container": {"runAsUser": 1000}, "violations": 0},
		"another user is not enough": {"pod": {}, "container": {"runAsUser": 1000}, "violations": 1},
	}
	spec := {"securityContext": row.pod, "containers": [container(row.container)]}
	count(require_non_root.violations) == row.violations with input as pod(spec)
}

test_every_list[list] if {
	some list in ["containers", "initContainers", "ephemeralContainers"]
	found := require_non_root.violations with input as pod({list: [container({"runAsNonRoot": true}), container({})]})
	{violation.field | some violation in found} == {sprintf("spec.%s[1].securityContext.runAsNonRoot", [list])}
}

test_windows_has_no_root if {
	count(require_non_root.violations) == 0 with input as pod({"os": {"name": "windows"}, "containers": [container({})]})
}

test_message[name] if {
	some name, row in {
		"missing": {"context": {}, "found": "missing"},
		"false": {"context": {"runAsNonRoot": false}, "found": "false"},
	}
	found := require_non_root.violations with input as pod({"containers": [container(row.context)]})
	want := sprintf("Pod web: spec.containers[0].securityContext.runAsNonRoot is %s; set it to true (container app)", [row.found])
	{violation.msg | some violation in found} == {want}
}
