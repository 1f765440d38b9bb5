package library.lib.scope_test

import data.library.lib.scope

subject := {
	"namespace": "shop",
	"resource": {"pod/web-7d4b9-x", "deployment/web"},
	"labels": {"tier": "front", "team": "web"},
}

test_covers[name] if {
	some name, wanted in {
		"one key": {"namespace": "shop"},
		"all keys": {"namespace": "shop", "resource": "deployment/web"},
		"one of a list": {"namespace": ["search", "shop"]},
		"one of the subject's names": {"resource": "pod/web-7d4b9-x"},
		"the kind in any case": {"resource": "Deployment/web"},
		"labels": {"labels": {"tier": "front"}},
	}
	scope.covers(wanted, subject)
}

test_does_not_cover[name] if {
	some name, wanted in {
		"nothing said": {},
		"another value": {"namespace": "search"},
		"one key of two": {"namespace": "shop", "resource": "deployment/api"},
		"a key the subject does not have": {"cluster": "east"},
		"an empty list": {"namespace": []},
		"the name in another case": {"resource": "deployment/Web"},
		"a kind alone": {"resource": "deployment"},
		"a part of the name": {"namespace": "sho"},
		"another label": {"labels": {"tier": "back"}},
		"a label it does not have": {"labels": {"zone": "a"}},
		"a number": {"namespace": 7},
	}
	not scope.covers(wanted, subject)
}

test_what_is_no_scope_covers_nothing[name] if {
	some name, wanted in {"null": null, "a word": "shop", "a list": ["shop"]}
	not scope.covers(wanted, subject)
}
