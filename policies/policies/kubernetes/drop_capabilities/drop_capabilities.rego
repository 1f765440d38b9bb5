# METADATA
# title: Containers drop all capabilities
# description: >-
#   The default set of a runtime has a dozen that few programs need. Only
#   NET_BIND_SERVICE, for ports below 1024, may be added back.
# custom:
#   id: drop-capabilities
#   severity: medium
#   owners: [platform-security]
#   remediation: Set securityContext.capabilities.drop to [ALL].
package library.kubernetes.drop_capabilities

import data.library.lib.kubernetes

may_add := {"NET_BIND_SERVICE"}

violations contains kubernetes.container_violation(container, "securityContext.capabilities.drop", found, "set it to [ALL]") if {
	some container in linux_containers
	not drops_all(container)
	found := object.get(container.spec, ["securityContext", "capabilities", "drop"], "missing")
}

violations contains kubernetes.container_violation(container, field, added, "take it out") if {
	some container in linux_containers
	some i, added in container.spec.securityContext.capabilities.add
	not bare(added) in may_add
	field := sprintf("securityContext.capabilities.add[%d]", [i])
}

linux_containers := {container |
	not kubernetes.windows
	some container in kubernetes.containers
}

drops_all(container) if {
	some dropped in container.spec.securityContext.capabilities.drop
	bare(dropped) == "ALL"
}

# Runtimes take CAP_SYS_ADMIN, sys_admin and SYS_ADMIN for the same.
bare(capability) := trim_prefix(upper(capability), "CAP_")
