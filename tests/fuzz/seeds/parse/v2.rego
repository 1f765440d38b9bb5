3package new

allow if (input.a and {x := 1; x > 0}) or not {input.b; input.c}
x if not (a or b) with input as 1
y if and({1}, {2}) == {1} & {2}
