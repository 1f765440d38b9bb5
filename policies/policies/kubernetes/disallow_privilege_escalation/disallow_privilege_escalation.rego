# METADATA
# title: Processes gain no privileges
# description: >-
#   With allowPrivilegeEscalation, which is the default, a set-uid program in
#   the image undoes runAsNonRoot.
# custom:
#   id: disallow-privilege-escalation
#   severity: medium
#   owners: [platform-security]
#   remediation: Set securityContext.allowPrivilegeEscalation to false on each container.
package library.kubernetes.disallow_privilege_escalation

import data.library.lib.kubernetes

field := "securityContext.allowPrivilegeEscalation"

violations contains kubernetes.container_violation(container, field, found, "set it to false") if {
	not kubernetes.windows
	some container in kubernetes.containers
	found := object.get(container.spec, split(field, "."), "missing")
	found != false
}
