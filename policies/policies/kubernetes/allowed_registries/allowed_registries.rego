# METADATA
# title: Images come from known registries
# description: >-
#   What runs has been built here or was taken over on purpose. A name without a
#   registry is Docker Hub's.
# custom:
#   id: allowed-registries
#   severity: high
#   owners: [platform-security]
#   remediation: Copy the image to registry.example.com and use that name.
package library.kubernetes.allowed_registries

import data.library.lib.image
import data.library.lib.kubernetes

# METADATA
# description: Registries, or folders of one, whose images may run.
allowed := {
	"ghcr.io/example",
	"registry.example.com",
	"registry.k8s.io",
}

violations contains kubernetes.container_violation(container, "image", found, fix) if {
	some container in kubernetes.containers
	name := object.get(container.spec, "image", "")
	not known(name)
	found := sprintf("%q", [name])
	fix := sprintf("use an image of %s", [concat(", ", sort(allowed))])
}

known(name) if {
	some place in allowed
	startswith(image.full_name(name), sprintf("%s/", [place]))
}
