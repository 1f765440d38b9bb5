package library.kubernetes.require_labels_test

import data.library.kubernetes.require_labels

object_of(kind, labels) := {"review": {"object": {
	"kind": kind,
	"metadata": {"name": "web", "labels": labels},
}}}

test_labels[name] if {
	some name, row in {
		"both": {"kind": "Pod", "labels": {"app.kubernetes.io/name": "web", "team": "shop"}, "violations": 0},
		"one": {"kind": "CronJob", "labels": {"team": "shop"}, "violations": 1},
		"none": {"kind": "Deployment", "labels": {}, "violations": 2},
		"null": {"kind": "Deployment", "labels": null, "violations": 2},
		"empty": {"kind": "Job", "labels": {"app.kubernetes.io/name": "web", "team": ""}, "violations": 1},
		"not a name": {"kind": "Job", "labels": {"app.kubernetes.io/name": "web", "team": "The_Team"}, "violations": 1},
		"a namespace needs its team": {"kind": "Namespace", "labels": {}, "violations": 1},
		"a namespace": {"kind": "Namespace", "labels": {"team": "shop"}, "violations": 0},
		"a service needs none": {"kind": "Service", "labels": {}, "violations": 0},
	}
	count(require_labels.violations) == row.violations with input as object_of(row.kind, row.labels)
}

test_no_labels_at_all if {
	count(require_labels.violations) == 2 with input.review.object as {"kind": "Pod", "metadata": {"name": "web"}}
}

test_pods_of_a_controller_need_none if {
	count(require_labels.violations) == 0 with input.review as {
		"userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
		"object": {"kind": "Pod", "metadata": {
			"name": "web-1",
			"ownerReferences": [{"kind": "ReplicaSet", "name": "web", "controller": true}],
		}},
	}
}

test_message if {
	found := require_labels.violations with input as object_of("Namespace", {"team": "A"})
	{violation.msg | some violation in found} == {`Namespace web: metadata.labels["team"] is "A"; set it to a name in lower case`}
}
