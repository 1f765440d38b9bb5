package library.lib.image_test

import data.library.lib.image

test_parse[name] if {
	some name, want in {
		"nginx": ["docker.io", "library/nginx", "", ""],
		"nginx:1.27": ["docker.io", "library/nginx", "1.27", ""],
		"grafana/grafana:11.1.0": ["docker.io", "grafana/grafana", "11.1.0", ""],
		"localhost/web": ["localhost", "web", "", ""],
		"registry:5000/web": ["registry:5000", "web", "", ""],
		"registry:5000/shop/web:2": ["registry:5000", "shop/web", "2", ""],
		"quay.io/a/b@sha256:12": ["quay.io", "a/b", "", "sha256:12"],
		"quay.io/a/b:3@sha256:12": ["quay.io", "a/b", "3", "sha256:12"],
	}
	parts := image.parse(name)
	[parts.registry, parts.repository, parts.tag, parts.digest] == want
}

test_full_name if image.full_name("nginx:1") == "docker.io/library/nginx"
