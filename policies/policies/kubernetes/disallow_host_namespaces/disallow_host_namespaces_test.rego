package library.kubernetes.disallow_host_namespaces_test

import data.library.kubernetes.disallow_host_namespaces

fields(spec) := {violation.field | some violation in found} if {
	found := disallow_host_namespaces.violations with input.review.object as {
		"kind": "DaemonSet",
		"metadata": {"name": "agent"},
		"spec": {"template": {"spec": spec}},
	}
}

test_pod[name] if {
	some name, row in {
		"nothing": {"spec": {}, "fields": set()},
		"false": {"spec": {"hostNetwork": false, "hostPID": false, "hostIPC": false}, "fields": set()},
		"network": {"spec": {"hostNetwork": true}, "fields": {"hostNetwork"}},
		"two": {"spec": {"hostPID": true, "hostIPC": true}, "fields": {"hostPID", "hostIPC"}},
		"a port": {"spec": {"containers": [{"ports": [{"containerPort": 80}]}]}, "fields": set()},
		"a host port of zero is none": {"spec": {"containers": [{"ports": [{"hostPort": 0}]}]}, "fields": set()},
		"a host port": {
			"spec": {"containers": [{"name": "a"}, {"ports": [{"containerPort": 80}, {"hostPort": 80}]}]},
			"fields": {"containers[1].ports[1].hostPort"},
		},
	}
	fields(row.spec) == {sprintf("spec.template.spec.%s", [field]) | some field in row.fields}
}
