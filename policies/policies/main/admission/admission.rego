# METADATA
# title: The answer to an admission webhook
# description: >-
#   For an API server that asks OPA itself: it posts an AdmissionReview to
#   /v0/data/library/main/admission/response and gets one back.
package library.main.admission

import data.library.main.kubernetes

# METADATA
# title: Kubernetes admission webhook
# description: "Input: an AdmissionReview, as the API server posts it."
# entrypoint: true
response := {
	"apiVersion": "admission.k8s.io/v1",
	"kind": "AdmissionReview",
	"response": object.union(
		{
			"uid": input.request.uid,
			"allowed": decision.allow,
			"warnings": warnings,
		},
		status,
	),
}

decision := answer if {
	answer := kubernetes.decision with input as {"review": input.request}
}

warnings := [text |
	some list in ["warn", "audit"]
	some violation in decision[list]
	text := line(violation)
]

default status := {}

status := {"status": {"code": 403, "message": message}} if {
	not decision.allow
	message := concat("\n", [line(violation) | some violation in decision.deny])
}

line(violation) := sprintf("[%s] %s", [violation.policy, violation.msg])
