package library.kubernetes.allowed_registries_test

import data.library.kubernetes.allowed_registries

pod(list, container) := {"review": {"object": {
	"kind": "Pod",
	"metadata": {"name": "web"},
	"spec": {list: [container]},
}}}

test_image[name] if {
	some name, row in {
		"registry.example.com/web:1": {"violations": 0},
		"registry.example.com/shop/web@sha256:12": {"violations": 0},
		"ghcr.io/example/web:1": {"violations": 0},
		"ghcr.io/other/web:1": {"violations": 1},
		"ghcr.io/example-2/web:1": {"violations": 1},
		"registry.example.com.evil.io/web:1": {"violations": 1},
		"registry.example.com:5000/web:1": {"violations": 1},
		"evil.io/registry.example.com/web:1": {"violations": 1},
		"nginx": {"violations": 1},
		"": {"violations": 1},
	}
	count(allowed_registries.violations) == row.violations with input as pod("containers", {"image": name})
}

test_docker_hub_can_be_allowed if {
	count(allowed_registries.violations) == 0 with input as pod("containers", {"image": "nginx"})
		with allowed_registries.allowed as {"docker.io/library"}
}

test_every_list[list] if {
	some list in ["containers", "initContainers", "ephemeralContainers"]
	found := allowed_registries.violations with input as pod(list, {"name": "x", "image": "busybox"})
	{violation.msg | some violation in found} == {sprintf("Pod web: spec.%s[0].image is \"busybox\"; use an image of ghcr.io/example, registry.example.com, registry.k8s.io (container x)", [list])}
}
