# METADATA
# title: Pods stay out of the node's namespaces
# description: >-
#   In the node's network a pod reaches what listens on its loopback, in its
#   process namespace it reads other processes' secrets. A host port opens the
#   node and ties the pod to it.
# custom:
#   id: disallow-host-namespaces
#   severity: high
#   owners: [platform-security]
#   remediation: Leave hostNetwork, hostPID, hostIPC and hostPort out.
package library.kubernetes.disallow_host_namespaces

import data.library.lib.kubernetes

violations contains kubernetes.pod_violation(setting, true, "leave it out") if {
	some setting in ["hostNetwork", "hostPID", "hostIPC"]
	kubernetes.pod[setting]
}

violations contains kubernetes.container_violation(container, field, port.hostPort, "leave it out and use a Service") if {
	some container in kubernetes.containers
	some i, port in container.spec.ports
	port.hostPort > 0
	field := sprintf("ports[%d].hostPort", [i])
}
