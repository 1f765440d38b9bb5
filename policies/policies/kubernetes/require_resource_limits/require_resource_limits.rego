# METADATA
# title: Containers say what they need and what they may take
# description: >-
#   Without requests the scheduler guesses, and without a memory limit one leak
#   takes the node's other pods with it. Limits of CPU are left to the teams.
#   Ephemeral containers can't have any.
# custom:
#   id: require-resource-limits
#   severity: medium
#   owners: [platform-team]
#   remediation: Set requests.cpu, requests.memory and limits.memory.
package library.kubernetes.require_resource_limits

import data.library.lib.kubernetes

required := {
	["requests", "cpu"],
	["requests", "memory"],
	["limits", "memory"],
}

violations contains kubernetes.container_violation(container, field, found, "set it, here or for the pod") if {
	some container in kubernetes.containers
	container.list != "ephemeralContainers"
	some path in required
	not given(kubernetes.pod, path)
	not given(container.spec, path)
	field := sprintf("resources.%s", [concat(".", path)])
	found := object.get(container.spec, array.concat(["resources"], path), "missing")
}

given(spec, path) if {
	quantity := object.get(spec, array.concat(["resources"], path), null)
	not quantity in {null, "", "0", 0}
}
