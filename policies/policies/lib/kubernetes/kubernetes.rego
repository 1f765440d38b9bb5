# METADATA
# title: Kubernetes objects under review
# description: >-
#   `input.review` is the request of an AdmissionReview. What the policies ask
#   of it is here: the object, its pod template wherever its kind keeps it, its
#   containers with their places, and a violation that says where it is.
package library.lib.kubernetes

# METADATA
# description: >-
#   The object as it would be stored. Undefined for a delete, and for an update
#   on the way to one that leaves the spec as it is: to deny it would only keep
#   the object from going away.
resource := input.review.object if not going_away

going_away if {
	input.review.operation == "UPDATE"
	input.review.object.metadata.deletionTimestamp
	input.review.object.spec == input.review.oldObject.spec
}

name := object.get(resource.metadata, "name", object.get(resource.metadata, "generateName", "without name"))

# METADATA
# description: The request's namespace; what the object says of it is second.
namespace := found if {
	found := input.review.namespace
	found != ""
} else := resource.metadata.namespace

# METADATA
# description: Where each kind keeps its pod's spec.
pod_paths := {
	"CronJob": "spec.jobTemplate.spec.template.spec",
	"DaemonSet": "spec.template.spec",
	"Deployment": "spec.template.spec",
	"Job": "spec.template.spec",
	"Pod": "spec",
	"PodTemplate": "template.spec",
	"ReplicaSet": "spec.template.spec",
	"ReplicationController": "spec.template.spec",
	"StatefulSet": "spec.template.spec",
}

pod_path := pod_paths[resource.kind]

# METADATA
# description: The spec of the pods; undefined for what has none.
pod := object.get(resource, split(pod_path, "."), {})

# METADATA
# description: Whether the pods run on Windows, where Linux settings mean nothing.
windows if pod.os.name == "windows"

container_lists := {"containers", "initContainers", "ephemeralContainers"}

# METADATA
# description: >-
#   Every container as `{spec, list, path}`: its spec, the list it stands in and
#   its place in the object.
containers contains container if {
	some list in container_lists
	some i, spec in pod[list]
	container := {
		"spec": spec,
		"list": list,
		"path": sprintf("%s.%s[%d]", [pod_path, list, i]),
	}
}

# METADATA
# description: >-
#   A setting of a container's security context, else of its pod's; "missing"
#   if neither has it.
security(container, setting) := value if {
	value := container.spec.securityContext[setting]
	value != null
} else := value if {
	value := pod.securityContext[setting]
	value != null
} else := "missing"

# METADATA
# description: A violation in `field` of the object, which is a path with dots.
violation(field, found, fix) := {
	"msg": sprintf("%s: %s is %v; %s", [title, field, found, fix]),
	"field": field,
	"subject": subject,
}

# METADATA
# description: A violation in `field` of the pod's spec.
pod_violation(field, found, fix) := violation(sprintf("%s.%s", [pod_path, field]), found, fix)

# METADATA
# description: A violation in `field` of a container, which it names.
container_violation(container, field, found, fix) := object.union(at, {"msg": msg}) if {
	at := violation(sprintf("%s.%s", [container.path, field]), found, fix)
	msg := sprintf("%s (container %s)", [at.msg, object.get(container.spec, "name", "without name")])
}

# METADATA
# description: What the violation is about, in the words of waivers and stages.
subject := object.union(place, {"resource": names, "labels": labels})

default place := {}

place := {"namespace": namespace}

default labels := {}

labels := resource.metadata.labels if is_object(resource.metadata.labels)

# The controllers of Kubernetes make pods of what users wrote. A waiver of
# `deployment/web` covers these pods too, but only if a controller made them: an
# owner reference that anybody could write is not believed.
names contains sprintf("%s/%s", [lower(resource.kind), name])

names contains sprintf("%s/%s", [lower(owner.kind), owner.name]) if some owner in owners

names contains sprintf("deployment/%s", [trim_suffix(owner.name, suffix)]) if {
	some owner in owners
	owner.kind == "ReplicaSet"
	suffix := sprintf("-%s", [labels["pod-template-hash"]])
	endswith(owner.name, suffix)
}

names contains sprintf("cronjob/%s", [regex.replace(owner.name, `-[0-9]+$`, "")]) if {
	some owner in owners
	owner.kind == "Job"
	regex.match(`-[0-9]+$`, owner.name)
}

owners contains owner if {
	startswith(input.review.userInfo.username, "system:serviceaccount:kube-system:")
	some owner in resource.metadata.ownerReferences
	owner.controller
}

title := sprintf("%s %s", [resource.kind, name]) if not namespace

title := sprintf("%s %s/%s", [resource.kind, namespace, name])
