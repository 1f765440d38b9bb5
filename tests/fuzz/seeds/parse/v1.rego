1package a.b

import data.x as y

# METADATA
# title: t
default allow := false

allow if {
	some i, v in input.xs
	every k in y { k > v + 1 }
	not data.z[i] with input as {"a": [1, {2}]}
} else := 3 if f(`raw`, "esc\u00e9\n")

p contains $"t{input.a}{1}" if true
q[x].y := {k: v | some k, v in x}
f(a, _) := [x | x := a[_]; x != null] | {1.5e3, -2}
