# METADATA
# title: Terraform plans
# description: >-
#   The input is a plan as `terraform show -json` writes it. Its
#   `resource_changes` name every resource, those of nested modules by their full
#   address, with the values it will have. Policies judge what a plan creates or
#   changes; what it leaves alone or destroys is not its doing.
package library.lib.terraform

# METADATA
# description: The managed resources that the plan creates, replaces or updates.
resources contains resource if {
	some resource in input.resource_changes
	object.get(resource, "mode", "managed") == "managed"
	some action in resource.change.actions
	action in {"create", "update"}
}

# METADATA
# description: The value at `path`, "missing", or that only apply will know it.
value(resource, path) := found if {
	found := object.get(resource.change.after, path, null)
	found != null
} else := "known only after apply" if {
	unknown(resource, path)
} else := "missing"

# METADATA
# description: Whether apply will give the value at `path`, or what it stands in.
unknown(resource, path) if {
	some n in numbers.range(1, count(path))
	object.get(resource.change.after_unknown, array.slice(path, 0, n), false) == true
}

# METADATA
# description: >-
#   Places as Terraform writes them, such as `ingress[0].cidr_blocks`, of a path
#   of names and numbers.
place(path) := trim_prefix(concat("", [part | some step in path; part := written(step)]), ".")

written(step) := sprintf("[%d]", [step]) if is_number(step)

written(step) := sprintf(".%s", [step]) if is_string(step)

# METADATA
# description: A violation at `path` (an array) of a resource.
violation(resource, path, found, fix) := {
	"msg": sprintf("%s: %s is %v; %s", [resource.address, field, found, fix]),
	"field": field,
	"subject": object.union(environment, {
		"address": resource.address,
		"resource": sprintf("%s/%s", [resource.type, resource.name]),
	}),
} if {
	field := place(path)
}

default environment := {}

environment := {"environment": input.variables.environment.value}

# METADATA
# description: >-
#   Every `{path, value}` of a resource whose path is `pattern`, where "*" stands
#   for each index of a list of blocks.
at(resource, pattern) := {{"path": path, "value": found} |
	walk(resource.change.after, [path, found])
	found != null
	fits(path, pattern)
}

fits(path, pattern) if {
	count(path) == count(pattern)
	every i, step in pattern {
		step_fits(path[i], step)
	}
}

step_fits(step, wanted) if step == wanted

step_fits(step, "*") if is_number(step)

# METADATA
# description: Whether a range of addresses is a good part of the internet.
wide(cidr) if to_number(split(cidr, "/")[1]) < 8
