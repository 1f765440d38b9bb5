# METADATA
# title: The Kubernetes decision
# description: >-
#   What all policies of the area say about one admission request, after waivers
#   and stages. A policy that is added to the folder is part of it at once.
package library.main.kubernetes

import data.library.lib.verdict

# METADATA
# title: Kubernetes admission
# description: "Input: {review: the request of an AdmissionReview}."
# entrypoint: true
decision := verdict.on({object.union(violation, {"policy": replace(name, "_", "-")}) |
	some name
	some violation in data.library.kubernetes[name].violations
})
