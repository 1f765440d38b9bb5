1package t
p := $`raw {x
+ 1} \{ `
q if { {"a": 1} == x } # c
r := "Ã©" ÿ
