# METADATA
# title: Pods mount nothing of the node
# description: >-
#   A hostPath reads and often writes what the node and its other pods live on;
#   the runtime's socket is root on the node.
# custom:
#   id: disallow-host-paths
#   severity: high
#   owners: [platform-security]
#   remediation: Use a persistent volume claim, a config map or an empty directory.
package library.kubernetes.disallow_host_paths

import data.library.lib.kubernetes

violations contains kubernetes.pod_violation(field, found, "use a claim, a config map or emptyDir") if {
	some i, volume in kubernetes.pod.volumes
	mount := volume.hostPath
	mount != null
	field := sprintf("volumes[%d].hostPath", [i])
	found := sprintf("%q", [object.get(mount, "path", "")])
}
