# METADATA
# title: The Terraform decision
# description: >-
#   What all policies of the area say about one plan, after waivers and stages. A
#   policy that is added to the folder is part of it at once.
package library.main.terraform

import data.library.lib.verdict

# METADATA
# title: Terraform plan
# description: "Input: a plan as `terraform show -json` writes it."
# entrypoint: true
decision := verdict.on({object.union(violation, {"policy": replace(name, "_", "-")}) |
	some name
	some violation in data.library.terraform[name].violations
})
