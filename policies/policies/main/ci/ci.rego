# METADATA
# title: The decision about a change or a deployment
# description: >-
#   What all policies of the area say about one document of a CI job, after
#   waivers and stages. A policy that is added to the folder is part of it at
#   once.
package library.main.ci

import data.library.lib.verdict

# METADATA
# title: CI and supply chain
# description: "Input: see library.lib.ci."
# entrypoint: true
decision := verdict.on({object.union(violation, {"policy": replace(name, "_", "-")}) |
	some name
	some violation in data.library.ci[name].violations
})
