# METADATA
# title: Scopes of waivers and stages
# description: >-
#   A scope is an object such as `{namespace: shop, resource: [deployment/web]}`:
#   all its keys must match, and of a list one value must. A subject is what a
#   violation is about, with the same keys. A key that the subject does not
#   have matches nothing, so a scope never covers more than it says.
package library.lib.scope

# METADATA
# description: Whether `scope`, which says something, covers `subject`.
covers(scope, subject) if {
	count(scope) > 0
	every key, wanted in scope {
		match(key, wanted, subject[key])
	}
}

match("labels", wanted, labels) if {
	every label, value in wanted {
		labels[label] == value
	}
}

match(key, wanted, found) if {
	key != "labels"
	some value in values(key, wanted)
	value in values(key, found)
}

values(key, text) := {fold(key, text)} if is_string(text)

values(key, list) := {fold(key, text) | some text in list} if not is_string(list)

# The kind before the slash is the same in any case: Deployment/web.
fold("resource", text) := concat("/", array.concat([lower(parts[0])], tail)) if {
	parts := split(text, "/")
	tail := array.slice(parts, 1, count(parts))
}

fold(key, text) := text if key != "resource"
