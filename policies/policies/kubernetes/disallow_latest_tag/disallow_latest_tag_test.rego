package library.kubernetes.disallow_latest_tag_test

import data.library.kubernetes.disallow_latest_tag

pod(container) := {"review": {"object": {
	"kind": "Pod",
	"metadata": {"name": "web"},
	"spec": {"containers": [container]},
}}}

test_image[name] if {
	some name, row in {
		"a version": {"container": {"image": "web:1.4"}, "violations": 0},
		"a digest": {"container": {"image": "web@sha256:12"}, "violations": 0},
		"latest by digest": {"container": {"image": "web:latest@sha256:12"}, "violations": 0},
		"latest": {"container": {"image": "web:latest"}, "violations": 1},
		"no tag": {"container": {"image": "web"}, "violations": 1},
		"a port is no tag": {"container": {"image": "registry:5000/web"}, "violations": 1},
		"latest-2 is a version": {"container": {"image": "web:latest-2"}, "violations": 0},
		"no image": {"container": {"name": "app"}, "violations": 1},
	}
	count(disallow_latest_tag.violations) == row.violations with input as pod(row.container)
}

test_message if {
	found := disallow_latest_tag.violations with input as pod({"name": "app", "image": "web"})
	{violation.msg | some violation in found} == {"Pod web: spec.containers[0].image is \"web\", which has no version; name a version or a digest (container app)"}
}
