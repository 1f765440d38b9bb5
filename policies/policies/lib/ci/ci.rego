# METADATA
# title: Changes, workflows and images
# description: >-
#   What a CI job hands in before it merges or deploys. All parts are optional,
#   and each policy judges the parts it is about:
#   `repo`, `environment`; `change` {number, author, committers, head, reviews:
#   [{user, state, commit}]}, the reviews oldest first; `workflows` [{path,
#   content}], the content as its YAML reads; `images` [{name, signatures:
#   [{verified, issuer, identity}]}].
package library.lib.ci

# METADATA
# description: A violation in `field` of what `title` names.
violation(title, field, found, fix, about) := {
	"msg": sprintf("%s: %s is %v; %s", [title, field, found, fix]),
	"field": field,
	"subject": object.union(place, about),
}

place := {key: value |
	some key in ["repo", "environment"]
	value := input[key]
}

# METADATA
# description: >-
#   Every step of every workflow and action as `{path, field, step}`; a job that
#   calls a workflow counts as one.
steps contains {"path": file.path, "field": sprintf("jobs.%s.steps[%d]", [job, i]), "step": step} if {
	some file in input.workflows
	some job
	some i, step in file.content.jobs[job].steps
}

steps contains {"path": file.path, "field": sprintf("jobs.%s", [job]), "step": step} if {
	some file in input.workflows
	some job, step in file.content.jobs
	step.uses
}

steps contains {"path": file.path, "field": sprintf("runs.steps[%d]", [i]), "step": step} if {
	some file in input.workflows
	some i, step in file.content.runs.steps
}

# METADATA
# description: >-
#   The events that start a workflow. They stand under `on`, which older YAML
#   readers take for the boolean true.
triggers(content) := names(object.get(content, "on", object.get(content, "true", [])))

names(events) := {events} if is_string(events)

names(events) := {name | some name in events} if is_array(events)

names(events) := object.keys(events) if is_object(events)
