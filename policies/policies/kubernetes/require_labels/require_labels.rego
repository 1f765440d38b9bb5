# METADATA
# title: Workloads and namespaces are labelled
# description: >-
#   Who to call, and what belongs together: alerts, costs and waivers all go by
#   these labels.
# custom:
#   id: require-labels
#   severity: low
#   owners: [platform-team]
#   remediation: Set the labels app.kubernetes.io/name and team.
package library.kubernetes.require_labels

import data.library.lib.kubernetes

required := {
	"Namespace": {"team"},
	"workload": {"app.kubernetes.io/name", "team"},
}

violations contains kubernetes.violation(field, found, "set it to a name in lower case") if {
	some label in required[kind]
	found := wrong(object.get(kubernetes.labels, label, ""))
	field := sprintf("metadata.labels[%q]", [label])
}

kind := "Namespace" if kubernetes.resource.kind == "Namespace"

kind := "workload" if {
	kubernetes.pod_path
	not made_by_controller
}

# A pod of a Deployment has the labels of its template; the Deployment answers.
made_by_controller if count(kubernetes.owners) > 0

wrong("") := "missing"

wrong(value) := sprintf("%q", [value]) if {
	value != ""
	not regex.match(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`, value)
}
