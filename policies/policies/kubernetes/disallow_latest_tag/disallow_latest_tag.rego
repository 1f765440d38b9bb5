# METADATA
# title: Images have a fixed version
# description: >-
#   An image without a tag, or with the tag latest, is another one tomorrow: a
#   restart becomes an upgrade, and nobody can go back.
# custom:
#   id: disallow-latest-tag
#   severity: medium
#   owners: [platform-team]
#   remediation: Name the version, or better the digest, of the image.
package library.kubernetes.disallow_latest_tag

import data.library.lib.image
import data.library.lib.kubernetes

violations contains kubernetes.container_violation(container, "image", found, "name a version or a digest") if {
	some container in kubernetes.containers
	found := floating(object.get(container.spec, "image", ""))
}

floating("") := "missing"

floating(name) := sprintf("%q, which has no version", [name]) if {
	name != ""
	parts := image.parse(name)
	parts.digest == ""
	parts.tag in {"", "latest"}
}
