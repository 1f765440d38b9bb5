# METADATA
# title: Containers are not privileged
# description: >-
#   A privileged container has the node's devices and all capabilities: it is
#   root on the node. The same goes for a host process on Windows.
# custom:
#   id: disallow-privileged
#   severity: critical
#   owners: [platform-security]
#   remediation: Leave privileged out; ask for the one capability that is needed.
package library.kubernetes.disallow_privileged

import data.library.lib.kubernetes

violations contains kubernetes.container_violation(container, "securityContext.privileged", true, "leave it out") if {
	some container in kubernetes.containers
	container.spec.securityContext.privileged
}

violations contains kubernetes.container_violation(container, field, true, "leave it out") if {
	some container in kubernetes.containers
	field := "securityContext.windowsOptions.hostProcess"
	kubernetes.security(container, "windowsOptions").hostProcess
}
