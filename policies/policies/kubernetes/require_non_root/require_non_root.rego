# METADATA
# title: Containers do not run as root
# description: >-
#   Root in a container is one kernel bug away from root on the node. Kubernetes
#   refuses to start such a container only if runAsNonRoot is set, on it or on
#   its pod; a user id of 0 contradicts it.
# custom:
#   id: require-non-root
#   severity: high
#   owners: [platform-security]
#   remediation: Set securityContext.runAsNonRoot to true and build the image with a user.
package library.kubernetes.require_non_root

import data.library.lib.kubernetes

violations contains kubernetes.container_violation(container, "securityContext.runAsNonRoot", found, "set it to true") if {
	some container in linux_containers
	found := kubernetes.security(container, "runAsNonRoot")
	found != true
}

violations contains kubernetes.container_violation(container, "securityContext.runAsUser", 0, "name a user other than root") if {
	some container in linux_containers
	kubernetes.security(container, "runAsUser") == 0
}

linux_containers := {container |
	not kubernetes.windows
	some container in kubernetes.containers
}
