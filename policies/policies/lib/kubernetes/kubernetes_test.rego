package library.lib.kubernetes_test

import data.library.lib.kubernetes

review(kind, spec) := {"review": {
	"namespace": "shop",
	"object": {
		"kind": kind,
		"metadata": {"name": "web"},
		"spec": spec,
	},
}}

pod_spec := {
	"containers": [{"name": "app"}, {"name": "log"}],
	"initContainers": [{"name": "setup"}],
	"ephemeralContainers": [{"name": "debug"}],
}

test_containers_of_every_kind[kind] if {
	some kind, shape in {
		"Pod": {"spec": pod_spec},
		"Deployment": {"spec": {"template": {"spec": pod_spec}}},
		"CronJob": {"spec": {"jobTemplate": {"spec": {"template": {"spec": pod_spec}}}}},
		"PodTemplate": {"template": {"spec": pod_spec}},
	}
	found := kubernetes.containers with input.review.object as object.union(shape, {"kind": kind})
	paths := {container.path | some container in found}
	at := kubernetes.pod_paths[kind]
	paths == {
		sprintf("%s.containers[0]", [at]),
		sprintf("%s.containers[1]", [at]),
		sprintf("%s.initContainers[0]", [at]),
		sprintf("%s.ephemeralContainers[0]", [at]),
	}
}

test_no_containers[name] if {
	some name, object in {
		"a service": {"kind": "Service", "spec": {"ports": []}},
		"no object": null,
		"a pod without a spec": {"kind": "Pod"},
	}
	count(kubernetes.containers) == 0 with input.review.object as object
}

test_going_away[name] if {
	some name, row in {
		"its spec as it was": {"operation": "UPDATE", "old": pod_spec, "containers": 0},
		"another spec": {"operation": "UPDATE", "old": {}, "containers": 4},
		"only claimed": {"operation": "CREATE", "old": pod_spec, "containers": 4},
	}
	count(kubernetes.containers) == row.containers with input.review as {
		"operation": row.operation,
		"object": {
			"kind": "Pod",
			"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"},
			"spec": pod_spec,
		},
		"oldObject": {"kind": "Pod", "spec": row.old},
	}
}

test_security[name] if {
	some name, row in {
		"the container's wins": {"container": {"runAsUser": 1}, "pod": {"runAsUser": 2}, "value": 1},
		"the pod's is second": {"container": {}, "pod": {"runAsUser": 2}, "value": 2},
		"false is a value": {"container": {"runAsUser": false}, "pod": {"runAsUser": true}, "value": false},
		"null is none": {"container": {"runAsUser": null}, "pod": {"runAsUser": 2}, "value": 2},
		"no context": {"container": null, "pod": {"runAsUser": 2}, "value": 2},
	}
	container := {"spec": {"securityContext": row.container}}
	kubernetes.security(container, "runAsUser") == row.value with input as review("Pod", {"securityContext": row.pod})
}

test_no_security if {
	kubernetes.security({"spec": {}}, "runAsUser") == "missing" with input as review("Pod", {"securityContext": {"runAsUser": null}})
}

test_violation if {
	found := kubernetes.violation("spec.replicas", 1, "use two") with input as review("Deployment", {})
	found == {
		"msg": "Deployment shop/web: spec.replicas is 1; use two",
		"field": "spec.replicas",
		"subject": {"namespace": "shop", "resource": {"deployment/web"}, "labels": {}},
	}
}

test_container_violation if {
	container := {"spec": {"name": "app"}, "path": "spec.containers[0]"}
	found := kubernetes.container_violation(container, "image", "missing", "give one") with input as review("Pod", {})
	found.msg == "Pod shop/web: spec.containers[0].image is missing; give one (container app)"
	found.field == "spec.containers[0].image"
}

test_cluster_scoped if {
	found := kubernetes.violation("f", 1, "fix") with input.review.object as {"kind": "ClusterRole", "metadata": {"name": "all"}}
	found.msg == "ClusterRole all: f is 1; fix"
	found.subject == {"resource": {"clusterrole/all"}, "labels": {}}
}

test_namespace[name] if {
	some name, row in {
		"the request's": {"review": {"namespace": "a"}, "namespace": "a"},
		"an empty one of the request": {
			"review": {"namespace": "", "object": {"metadata": {"namespace": "b"}}},
			"namespace": "b",
		},
		"the object's": {"review": {"object": {"metadata": {"namespace": "b"}}}, "namespace": "b"},
		"the request's over the object's": {
			"review": {"namespace": "a", "object": {"metadata": {"namespace": "b"}}},
			"namespace": "a",
		},
	}
	kubernetes.namespace == row.namespace with input.review as row.review
}

test_generated_name if {
	kubernetes.name == "web-" with input.review.object as {"metadata": {"generateName": "web-"}}
}

owned(user, owner, labels) := {"review": {
	"userInfo": {"username": user},
	"object": {"kind": "Pod", "metadata": {
		"name": "web-5c8-x",
		"labels": labels,
		"ownerReferences": [object.union({"controller": true}, owner)],
	}},
}}

controller := "system:serviceaccount:kube-system:replicaset-controller"

test_names[name] if {
	some name, row in {
		"of a deployment": {
			"input": owned(controller, {"kind": "ReplicaSet", "name": "web-5c8"}, {"pod-template-hash": "5c8"}),
			"names": {"pod/web-5c8-x", "replicaset/web-5c8", "deployment/web"},
		},
		"of a replica set of its own": {
			"input": owned(controller, {"kind": "ReplicaSet", "name": "web"}, {"pod-template-hash": "5c8"}),
			"names": {"pod/web-5c8-x", "replicaset/web"},
		},
		"of a cron job": {
			"input": owned(controller, {"kind": "Job", "name": "report-29400000"}, {}),
			"names": {"pod/web-5c8-x", "job/report-29400000", "cronjob/report"},
		},
		"claimed by a user": {
			"input": owned("ann", {"kind": "ReplicaSet", "name": "web-5c8"}, {"pod-template-hash": "5c8"}),
			"names": {"pod/web-5c8-x"},
		},
		"owned, not controlled": {
			"input": owned(controller, {"kind": "Node", "name": "n", "controller": false}, {}),
			"names": {"pod/web-5c8-x"},
		},
	}
	kubernetes.names == row.names with input as row.input
}

test_windows if {
	kubernetes.windows with input as review("Pod", {"os": {"name": "windows"}})
	not kubernetes.windows with input as review("Pod", {"os": {"name": "linux"}})
}
