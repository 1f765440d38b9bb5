package library.kubernetes.drop_capabilities_test

import data.library.kubernetes.drop_capabilities

pod(spec) := {"review": {"object": {
	"kind": "Pod",
	"metadata": {"name": "web"},
	"spec": spec,
}}}

test_capabilities[name] if {
	some name, row in {
		"drops all": {"capabilities": {"drop": ["ALL"]}, "fields": set()},
		"in lower case": {"capabilities": {"drop": ["NET_RAW", "all"]}, "fields": set()},
		"nothing": {"capabilities": {}, "fields": {"drop"}},
		"null": {"capabilities": null, "fields": {"drop"}},
		"drops some": {"capabilities": {"drop": ["NET_RAW", "MKNOD"]}, "fields": {"drop"}},
		"may be added": {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}, "fields": set()},
		"may be added with its prefix": {"capabilities": {"drop": ["ALL"], "add": ["CAP_NET_BIND_SERVICE"]}, "fields": set()},
		"may not be added": {
			"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "SYS_ADMIN"]},
			"fields": {"add[1]"},
		},
		"all may not be added": {"capabilities": {"drop": ["ALL"], "add": ["ALL"]}, "fields": {"add[0]"}},
	}
	spec := {"containers": [{"name": "app", "securityContext": {"capabilities": row.capabilities}}]}
	found := drop_capabilities.violations with input as pod(spec)
	want := {sprintf("spec.containers[0].securityContext.capabilities.%s", [field]) | some field in row.fields}
	{violation.field | some violation in found} == want
}

test_every_list[list] if {
	some list in ["containers", "initContainers", "ephemeralContainers"]
	count(drop_capabilities.violations) == 1 with input as pod({list: [{"name": "x"}]})
}

test_windows_has_none if {
	count(drop_capabilities.violations) == 0 with input as pod({"os": {"name": "windows"}, "containers": [{"name": "x"}]})
}
