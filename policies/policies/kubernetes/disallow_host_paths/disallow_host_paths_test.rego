package library.kubernetes.disallow_host_paths_test

import data.library.kubernetes.disallow_host_paths

messages(spec) := {violation.msg | some violation in found} if {
	found := disallow_host_paths.violations with input.review.object as {
		"kind": "Pod",
		"metadata": {"name": "agent"},
		"spec": spec,
	}
}

test_volumes[name] if {
	some name, row in {
		"none": {"spec": {}, "violations": 0},
		"null": {"spec": {"volumes": null}, "violations": 0},
		"a claim": {"spec": {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "d"}}]}, "violations": 0},
		"a null": {"spec": {"volumes": [{"name": "d", "hostPath": null}]}, "violations": 0},
		"no path": {"spec": {"volumes": [{"name": "d", "hostPath": {}}]}, "violations": 1},
		"two of three": {
			"spec": {"volumes": [
				{"name": "a", "hostPath": {"path": "/etc"}},
				{"name": "b", "emptyDir": {}},
				{"name": "c", "hostPath": {"path": "/var/run/docker.sock"}},
			]},
			"violations": 2,
		},
	}
	count(messages(row.spec)) == row.violations
}

test_message if {
	messages({"volumes": [{"name": "a"}, {"name": "b", "hostPath": {"path": "/etc"}}]}) == {`Pod agent: spec.volumes[1].hostPath is "/etc"; use a claim, a config map or emptyDir`}
}
