package library.main.admission_test

import data.library.main.admission

stages := {
	"require-non-root": {"stages": [{"stage": "enforce", "from": "2026-01-01"}]},
	"disallow-latest-tag": {"stages": [{"stage": "warn", "from": "2026-01-01"}]},
	"drop-capabilities": {"stages": [{"stage": "audit", "from": "2026-01-01"}]},
}

respond(context) := answer if {
	answer := admission.response with input as {
		"apiVersion": "admission.k8s.io/v1",
		"kind": "AdmissionReview",
		"request": {
			"uid": "u-1",
			"namespace": "shop",
			"object": {
				"kind": "Pod",
				"metadata": {"name": "web"},
				"spec": {"containers": [{"name": "app", "image": "web", "securityContext": context}]},
			},
		},
	}
		with data.stages as stages
		with data.waivers as []
		with data.library.lib.clock.now as time.parse_rfc3339_ns("2026-06-01T00:00:00Z")
}

test_allowed_with_warnings if {
	answer := respond({"runAsNonRoot": true})
	answer.kind == "AdmissionReview"
	answer.response == {
		"uid": "u-1",
		"allowed": true,
		"warnings": [
			`[disallow-latest-tag] Pod shop/web: spec.containers[0].image is "web", which has no version; name a version or a digest (container app)`,
			`[drop-capabilities] Pod shop/web: spec.containers[0].securityContext.capabilities.drop is missing; set it to [ALL] (container app)`,
		],
	}
}

test_denied if {
	answer := respond({})
	not answer.response.allowed
	answer.response.status == {
		"code": 403,
		"message": "[require-non-root] Pod shop/web: spec.containers[0].securityContext.runAsNonRoot is missing; set it to true (container app)",
	}
	count(answer.response.warnings) == 2
}
