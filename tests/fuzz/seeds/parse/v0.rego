0package old

import future.keywords.in
import input.req as r

p[x] { x := r.a[_] } { x = 2 }
q[k] = v { v := r.m[k]; k in {"a"} } 
f(x) = y { y := x } else = 0 { true }
a = {"b": 1} { true }
t.u.v { input.z }
