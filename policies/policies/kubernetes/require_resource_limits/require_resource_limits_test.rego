package library.kubernetes.require_resource_limits_test

import data.library.kubernetes.require_resource_limits

complete := {
	"requests": {"cpu": "100m", "memory": "64Mi"},
	"limits": {"memory": "128Mi"},
}

pod(spec) := {"review": {"object": {
	"kind": "Pod",
	"metadata": {"name": "web"},
	"spec": spec,
}}}

fields(spec) := {violation.field | some violation in found} if {
	found := require_resource_limits.violations with input as pod(spec)
}

test_container[name] if {
	some name, row in {
		"complete": {"resources": complete, "missing": set()},
		"none": {"resources": {}, "missing": {"requests.cpu", "requests.memory", "limits.memory"}},
		"null": {"resources": null, "missing": {"requests.cpu", "requests.memory", "limits.memory"}},
		"no memory limit": {
			"resources": {"requests": complete.requests, "limits": {"cpu": "1"}},
			"missing": {"limits.memory"},
		},
		"a limit of zero": {
			"resources": {"requests": complete.requests, "limits": {"memory": "0"}},
			"missing": {"limits.memory"},
		},
		"a number": {
			"resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": complete.limits},
			"missing": set(),
		},
	}
	want := {sprintf("spec.containers[0].resources.%s", [field]) | some field in row.missing}
	fields({"containers": [{"resources": row.resources}]}) == want
}

test_every_list[name] if {
	some name, row in {
		"init containers": {"list": "initContainers", "violations": 3},
		"ephemeral containers can't have any": {"list": "ephemeralContainers", "violations": 0},
	}
	count(fields({row.list: [{"name": "x"}]})) == row.violations
}

test_the_pod_may_say_it_for_all if {
	fields({"resources": complete, "containers": [{"name": "a"}, {"name": "b"}]}) == set()
}
