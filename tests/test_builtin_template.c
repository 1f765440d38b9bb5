#include "tests/builtin_calls.h"

#include "base/limits.h"

/*
 * strings.render_template(). Expected texts are what OPA 1.22.2 gives; where it
 * fails they are its messages.
 */

static const char vars_text[] =
	"{\"n\":1,\"f\":1.5,\"s\":\"a<b\",\"a\":[1,\"x\",null,true],\"o\":{"
	"\"b\":2,\"k\":null,\"a\":{\"z\":\"q\"}},\"nil\":null,\"t\":true,"
	"\"no\":false,\"e\":[]}";

struct render {
	const char *template, *want;
};

/* The result, or "error: " or "halt: " and the message. */
static void render(struct bi_ctx *cx, struct str template, struct value vars,
	struct buf *out)
{
	struct value args[2] = {v_str(cx->arena, template), vars}, got;
	const struct builtin *b = builtin_find(S("strings.render_template"));
	enum bi_status st;

	cx->name = b->name;
	st = b->fn(cx, args, &got);
	if (st)
		buf_addf(out, "%s: %s", st == BI_HALT ? "halt" : "error",
			cx->text);
	else
		buf_addstr(out, v_bytes(got));
}

static struct value parse(struct arena *a, const char *json)
{
	struct json_error e;
	struct value v;

	if (!json_parse(a, NULL, str_from(json), 100, &v, &e))
		fail_msg("%s: %s", json, e.text);
	return with_sets(a, v);
}

static void check_renders(const struct render *cases, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		struct arena a = {0};
		struct bi_ctx cx = call_context(&a);
		struct buf got = {0};

		render(&cx, str_from(cases[i].template), parse(&a, vars_text),
			&got);
		if (!str_is(buf_str(&got), cases[i].want)) {
			print_error("%s is\n%s, want\n%s\n", cases[i].template,
				got.ptr, cases[i].want);
			bad++;
		}
		buf_release(&got);
		arena_release(&a);
	}
	assert_num(bad, 0);
}

static void values_print_as_in_go(void **state)
{
	static const struct render cases[] = {
		{"{{.n}} {{.f}} {{.s}} {{.nil}} {{.missing}} {{.t}}",
			"1 1.5 a<b <undefined> <undefined> true"},
		{"{{.a}} {{.o}} {{.e}}",
			"[1 x <nil> true] map[a:map[z:q] b:2 k:<nil>] []"},
		{"{{print .nil .missing}} {{printf \"%v %T %q\" .n .n .n}}",
			"<nil> <nil> 1 json.Number \"1\""},
		{"{{(.o).b}} {{.o.a.z}} {{$.o.b}} {{(.nil).x}} "
		 "{{.missing.x.y}}",
			"2 q 2 <undefined> <undefined>"},
		{"{{range $k, $v := .o}}{{$k}}={{$v}};{{end}}",
			"a=map[z:q];b=2;k=<undefined>;"},
	};

	(void)state;
	check_renders(cases, COUNT(cases));
}

static void constants_have_all_forms_of_go(void **state)
{
	static const struct render cases[] = {
		{"{{1.5}} {{1_000}} {{0x1f}} {{0b11}} {{0o17}} {{017}} {{1e3}} "
		 "{{0x1p4}} {{-0}}",
			"1.5 1000 31 3 15 15 1000 16 0"},
		{"{{1i}} {{1+2i}} {{017i}} {{'a'}} {{'\\n'}} {{'\\u00e9'}} "
		 "{{'\\''}}",
			"(0+1i) (1+2i) (0+17i) 97 10 233 39"},
		{"{{printf \"%T %T %T %T %T\" 1 1.0 1i 'a' -0xe}}",
			"int float64 complex128 int float64"},
		{"{{\"a\\x41\\u00e9\\\"\"}} {{`a\\n\"`}} {{true}} {{false}}",
			"aA\303\251\" a\\n\" true false"},
		{"{{9223372036854775808}}",
			"error: template: template:1:2: executing \"template\" "
			"at <9223372036854775808>: 9223372036854775808 "
			"overflows int"},
		{"{{18446744073709551616}}",
			"error: template: template:1: integer overflow: "
			"\"18446744073709551616\""},
		{"{{1e400}}", "error: template: template:1: illegal number "
			      "syntax: \"1e400\""},
		{"{{08}}", "error: template: template:1: integer overflow: "
			   "\"08\""},
		{"{{1__0}}", "error: template: template:1: illegal number "
			     "syntax: \"1__0\""},
		{"{{1a}}", "error: template: template:1: bad number syntax: "
			   "\"1a\""},
		{"{{1-1}}", "error: template: template:1: bad number syntax: "
			    "\"1-1\""},
		{"{{0x10+2i}}",
			"error: template: template:1: strconv.ParseFloat: "
			"parsing \"0x10\": invalid syntax"},
		{"{{1+1e400i}}",
			"error: template: template:1: strconv.ParseFloat: "
			"parsing \"+1e400\": value out of range"},
		{"{{1+i}}", "error: template: template:1: syntax error "
			    "scanning complex number"},
		{"{{'ab'}}", "error: template: template:1: malformed character "
			     "constant: 'ab'"},
		{"{{''}}", "error: template: template:1: invalid syntax"},
		{"{{\"\\q\"}}", "error: template: template:1: invalid syntax"},
		{"{{nil}}", "error: template: template:1:2: executing "
			    "\"template\" at <nil>: nil is not a command"},
	};

	(void)state;
	check_renders(cases, COUNT(cases));
}

static void an_action_is_chosen_by_what_is_true(void **state)
{
	static const struct render cases[] = {
		{"{{if .t}}y{{end}}{{if .no}}y{{else}}n{{end}}{{if .e}}y{{else "
		 "if .n}}z{{end}}",
			"ynz"},
		{"{{if 0}}1{{else if 0.0}}2{{else if 0i}}3{{else if "
		 "\"\"}}4{{else if .nil}}5{{else}}6{{end}}",
			"6"},
		{"{{with .o}}{{.b}}{{$.n}}{{end}}{{with .no}}a{{else with "
		 ".n}}b{{.}}{{else}}c{{end}}",
			"21b1"},
		{"{{with .nil}}a{{else}}{{.n}}{{end}}", "1"},
	};

	(void)state;
	check_renders(cases, COUNT(cases));
}

static void a_range_goes_over_lists_objects_and_numbers(void **state)
{
	static const struct render cases[] = {
		{"{{range .a}}<{{.}}>{{end}}{{range .e}}x{{else}}none{{end}}",
			"<1><x><<undefined>><true>none"},
		{"{{range $i, $e := .a}}{{$i}}{{$e}} {{end}}{{range $e := "
		 ".a}}{{$e}}{{end}}",
			"01 1x 2<undefined> 3true 1x<undefined>true"},
		{"{{range 3}}{{.}}{{end}}{{range -1}}x{{else}}e{{end}}{{range "
		 ".missing}}x{{else}}m{{end}}",
			"012em"},
		{"{{range $i := 4}}{{if eq $i 1}}{{continue}}{{end}}{{if eq $i "
		 "3}}{{break}}{{end}}{{$i}}{{end}}",
			"02"},
		{"{{$x := 0}}{{range $x = .a}}{{end}}{{$x}}{{range $x = "
		 ".e}}{{end}}{{$x}}",
			"true[]"},
		{"{{range (index \"\\x02\" 0)}}{{printf \"%T\" .}}{{end}}",
			"uint8uint8"},
		{"{{range .n}}{{end}}",
			"error: template: template:1:8: executing \"template\" "
			"at <.n>: range can't iterate over 1"},
		{"{{range .s}}{{end}}",
			"error: template: template:1:8: executing \"template\" "
			"at <.s>: range can't iterate over a<b"},
		{"{{range $i, $x := 3}}{{end}}",
			"error: template: template:1:18: executing "
			"\"template\" at <3>: can't use 3 to iterate over more "
			"than one variable"},
		{"{{break}}", "error: template: template:1: {{break}} outside "
			      "{{range}}"},
		{"{{range .a}}{{else}}{{continue}}{{end}}",
			"error: template: template:1: {{continue}} outside "
			"{{range}}"},
	};

	(void)state;
	check_renders(cases, COUNT(cases));
}

static void variables_live_to_the_end_of_their_action(void **state)
{
	static const struct render cases[] = {
		{"{{$x := 1}}{{if true}}{{$x = 2}}{{$x := "
		 "3}}{{$x}}{{end}}{{$x}}",
			"32"},
		{"{{if $x := 1}}{{$x}}{{end}}{{$x}}",
			"error: template: template:1: undefined variable "
			"\"$x\""},
		{"{{and 1 ($x := 5)}}{{$x}}", "55"},
		{"{{and 0 ($x := 5)}}{{$x}}",
			"error: template: template:1:21: executing "
			"\"template\" at <$x>: undefined variable: $x"},
		{"{{$x = 1}}", "error: template: template:1:7: executing "
			       "\"template\" at <1>: undefined variable: $x"},
		{"{{$y}}", "error: template: template:1: undefined variable "
			   "\"$y\""},
		{"{{$ := 1}}{{$}}{{.n}}", "11"},
		{"{{$x, $y := 1}}", "error: template: template:1: too many "
				    "declarations in command"},
		{"{{range $x, $y, $z := .a}}{{end}}",
			"error: template: template:1: too many declarations in "
			"range"},
		{"{{range $x, 1 := .a}}{{end}}",
			"error: template: template:1: range can only "
			"initialize variables"},
	};

	(void)state;
	check_renders(cases, COUNT(cases));
}

static void white_space_goes_where_a_marker_says(void **state)
{
	static const struct render cases[] = {
		{"a {{- 1 -}} b {{2 -}}\n\tc {{- 3}}", "a1b 2c3"},
		{"a {{-3}} {{- /* c */ -}} b", "a -3b"},
		{"{{/* a */}}x{{- /* b */}} y", "x y"},
		{"{{/* a */ }}", "error: template: template:1: comment ends "
				 "before closing delimiter"},
		{"{{/* a", "error: template: template:1: unclosed comment"},
		{"{{1 - }}", "error: template: template:1: illegal number "
			     "syntax: \"-\""},
		{"{{3-}}", "error: template: template:1: bad number syntax: "
			   "\"3-\""},
	};

	(void)state;
	check_renders(cases, COUNT(cases));
}

static void templates_call_each_other(void **state)
{
	static const struct render cases[] = {
		{"{{define \"x\"}}[{{.}}{{$}}]{{end}}{{template \"x\" "
		 ".n}}{{template \"x\"}}",
			"[11][<undefined><undefined>]"},
		{"{{block \"x\" .n}}<{{.}}>{{end}}{{template \"x\" .f}}",
			"<1><1.5>"},
		{"{{define \"l\"}}{{if .}}{{len .}}{{template \"l\" (slice . "
		 "1)}}{{end}}{{end}}{{template \"l\" .a}}",
			"4321"},
		{"{{define \"x\"}}a{{end}}{{define \"x\"}} {{end}}{{template "
		 "\"x\"}}",
			"a"},
		{"{{define \"x\"}}a{{end}}{{define \"x\"}}b{{end}}",
			"error: template: template:1: template: multiple "
			"definition of template \"x\""},
		{"{{define \"template\"}}D{{end}} ", "D"},
		{"{{template \"x\" .}}",
			"error: template: template:1:11: executing "
			"\"template\" at <{{template \"x\" .}}>: template "
			"\"x\" not defined"},
		{"{{define \"x\"}}{{template \"x\"}}{{end}}{{template \"x\"}}",
			"error: template: template:1:25: executing \"x\" at "
			"<{{template \"x\"}}>: exceeded maximum template depth "
			"(100000)"},
		{"{{define \"x\"}}{{.y}}{{end}}{{template \"x\" .n}}",
			"error: template: template:1:16: executing \"x\" at "
			"<.y>: can't evaluate field y in type json.Number"},
		{"{{if 1}}{{define \"x\"}}{{end}}{{end}}",
			"error: template: template:1: unexpected <define> in "
			"command"},
	};

	(void)state;
	check_renders(cases, COUNT(cases));
}

static void functions_do_what_those_of_go_do(void **state)
{
	static const struct render cases[] = {
		{"{{and 1 0 2}} {{and 1 2}} {{or 0 \"\"}} {{or 0 3 2}} {{not "
		 ".e}} {{and 0 (index .a 9)}}",
			"0 2  3 true 0"},
		{"{{len .a}} {{len .s}} {{len .o}} {{len .n}} {{index .a 1}} "
		 "{{index .o \"a\" \"z\"}} {{index \"abc\" 1}}",
			"4 3 3 1 x q 98"},
		{"{{slice .a 1 2}} {{slice \"abc\" 1}} {{slice .a 1 3 3}} "
		 "{{slice .n 0 1}}",
			"[x] bc [x <nil>] 1"},
		{"{{slice .a 0 4 4}} {{range slice .e 0}}x{{end}}",
			"[1 x <nil> true] "},
		{"{{html .s \"'\"}} {{js .s \"'\"}} {{urlquery .s \"\303\251 "
		 "\"}} {{html .nil}}",
			"a&lt;b&#39; a\\u003Cb\\' a%3Cb%C3%A9+ &lt;no "
			"value&gt;"},
		{"{{print 1 2 \"a\" 3}} {{println 1 \"a\"}}{{printf "
		 "\"%5.2f|%-4d|%s\" 1.25 7 .s}}",
			"1 2a3 1 a\n 1.25|7   |a<b"},
		{"{{eq 1 2 1}} {{eq .n \"1\"}} {{ne 1 2}} {{lt 1 2}} {{le 2 "
		 "2}} {{gt \"b\" \"a\"}} {{ge 1.5 2.5}}",
			"true true true true true true false"},
		{"{{eq .nil nil}} {{eq .missing 1}} {{eq 'a' 97}} {{eq 1i 1i}}",
			"true false true true"},
		{"{{.n | printf \"%s-%s\" .f}} {{1 | and 0}} {{\"a\" | html | "
		 "len}}",
			"1.5-1 0 1"},
	};

	(void)state;
	check_renders(cases, COUNT(cases));
}

static void functions_refuse_as_those_of_go_do(void **state)
{
	static const struct render cases[] = {
		{"{{index .a 4}}",
			"error: template: template:1:2: executing \"template\" "
			"at <index .a 4>: error calling index: reflect: slice "
			"index out of range"},
		{"{{index .a 9}}", "error: template: template:1:2: executing "
				   "\"template\" at <index .a 9>: error "
				   "calling index: index out of range: 9"},
		{"{{index .a .n}}",
			"error: template: template:1:2: executing \"template\" "
			"at <index .a .n>: error calling index: cannot index "
			"slice/array with type json.Number"},
		{"{{index .o 1}}",
			"error: template: template:1:2: executing \"template\" "
			"at <index .o 1>: error calling index: value has type "
			"int; should be string"},
		{"{{index nil 1}}", "error: template: template:1:2: executing "
				    "\"template\" at <index nil 1>: error "
				    "calling index: index of untyped nil"},
		{"{{index .nil 1}}", "error: template: template:1:2: executing "
				     "\"template\" at <index .nil 1>: error "
				     "calling index: index of untyped nil"},
		{"{{index 1 1}}", "error: template: template:1:2: executing "
				  "\"template\" at <index 1 1>: error calling "
				  "index: can't index item of type int"},
		{"{{index .a 2 0}}", "error: template: template:1:2: executing "
				     "\"template\" at <index .a 2 0>: error "
				     "calling index: index of nil pointer"},
		{"{{slice .o 1}}",
			"error: template: template:1:2: executing \"template\" "
			"at <slice .o 1>: error calling slice: can't slice "
			"item of type map[string]interface {}"},
		{"{{slice .a 2 1}}",
			"error: template: template:1:2: executing \"template\" "
			"at <slice .a 2 1>: error calling slice: invalid slice "
			"index: 2 > 1"},
		{"{{slice .s 1 2 3}}",
			"error: template: template:1:2: executing \"template\" "
			"at <slice .s 1 2 3>: error calling slice: cannot "
			"3-index slice a string"},
		{"{{slice .a .n}}",
			"error: template: template:1:2: executing \"template\" "
			"at <slice .a .n>: error calling slice: cannot index "
			"slice/array with type interface {}"},
		{"{{slice .a 1 2 3 4}}",
			"error: template: template:1:2: executing \"template\" "
			"at <slice .a 1 2 3 4>: error calling slice: too many "
			"slice indexes: 4"},
		{"{{len 1}}",
			"error: template: template:1:2: executing \"template\" "
			"at <len 1>: error calling len: len of type int"},
		{"{{len .nil}}",
			"error: template: template:1:2: executing \"template\" "
			"at <len .nil>: error calling len: len of nil pointer"},
		{"{{len .missing}}",
			"error: template: template:1:2: executing \"template\" "
			"at <len .missing>: error calling len: reflect: call "
			"of reflect.Value.Type on zero Value"},
		{"{{len}}",
			"error: template: template:1:2: executing \"template\" "
			"at <len>: wrong number of args for len: want 1 got 0"},
		{"{{eq 1}}", "error: template: template:1:2: executing "
			     "\"template\" at <eq 1>: error calling eq: "
			     "missing argument for comparison"},
		{"{{eq 1 1.0}}",
			"error: template: template:1:2: executing \"template\" "
			"at <eq 1 1.0>: error calling eq: incompatible types "
			"for comparison: int and float64"},
		{"{{eq .a .a}}",
			"error: template: template:1:2: executing \"template\" "
			"at <eq .a .a>: error calling eq: non-comparable type "
			"[1 x <nil> %!s(bool=true)]: []interface {}"},
		{"{{eq .a .o}}",
			"error: template: template:1:2: executing \"template\" "
			"at <eq .a .o>: error calling eq: non-comparable types "
			"[1 x <nil> %!s(bool=true)]: []interface {}, "
			"map[string]interface {}: map[a:map[z:q] b:2 k:<nil>]"},
		{"{{lt .t .t}}", "error: template: template:1:2: executing "
				 "\"template\" at <lt .t .t>: error calling "
				 "lt: invalid type for comparison"},
		{"{{lt 1 \"a\"}}",
			"error: template: template:1:2: executing \"template\" "
			"at <lt 1 \"a\">: error calling lt: incompatible types "
			"for comparison: int and string"},
		{"{{lt 1i \"a\"}}",
			"error: template: template:1:2: executing \"template\" "
			"at <lt 1i \"a\">: error calling lt: incompatible "
			"types for comparison: complex128 and string"},
		{"{{call .n}}", "error: template: template:1:2: executing "
				"\"template\" at <call .n>: error calling "
				"call: non-function .n of type json.Number"},
		{"{{call nil}}",
			"error: template: template:1:2: executing \"template\" "
			"at <call nil>: error calling call: call of nil"},
		{"{{1 | call}}", "error: template: template:1:6: executing "
				 "\"template\" at <call>: error calling call: "
				 "non-function <int Value> of type int"},
		{"{{printf 1}}",
			"error: template: template:1:9: executing \"template\" "
			"at <1>: expected string; found 1"},
		{"{{printf .n}}", "error: template: template:1:9: executing "
				  "\"template\" at <.n>: wrong type for value; "
				  "expected string; got json.Number"},
		{"{{printf nil}}",
			"error: template: template:1:9: executing \"template\" "
			"at <nil>: cannot assign nil to string"},
		{"{{.missing | printf}}", "error: template: template:1:13: "
					  "executing \"template\" at <printf>: "
					  "invalid value; expected string"},
		{"{{index}}", "error: template: template:1:2: executing "
			      "\"template\" at <index>: wrong number of args "
			      "for index: want at least 1 got 0"},
		{"{{ne 1}}",
			"error: template: template:1:2: executing \"template\" "
			"at <ne>: wrong number of args for ne: want 2 got 1"},
	};

	(void)state;
	check_renders(cases, COUNT(cases));
}

static void errors_of_running_show_place_and_node(void **state)
{
	static const struct render cases[] = {
		{"{{.n.x}}", "error: template: template:1:4: executing "
			     "\"template\" at <.n.x>: can't evaluate field x "
			     "in type interface {}"},
		{"{{.nil.x}}",
			"error: template: template:1:6: executing \"template\" "
			"at <.nil.x>: nil pointer evaluating interface {}.x"},
		{"{{(.n).x}}",
			"error: template: template:1:3: executing \"template\" "
			"at <.n>: can't evaluate field x in type json.Number"},
		{"{{$x := .n}}{{$x.Int64}}",
			"error: template: template:1:16: executing "
			"\"template\" at <$x.Int64>: can't evaluate field "
			"Int64 in type json.Number"},
		{"\n\n {{`a\nb`}}{{.s.x}}",
			"error: template: template:4:8: executing \"template\" "
			"at <.s.x>: can't evaluate field x in type interface "
			"{}"},
		{"{{.n 1}}",
			"error: template: template:1:2: executing \"template\" "
			"at <.n>: n is not a method but has arguments"},
		{"{{1 2}}",
			"error: template: template:1:2: executing \"template\" "
			"at <1>: can't give argument to non-function 1"},
		{"{{(1) 2}}",
			"error: template: template:1:2: executing \"template\" "
			"at <(1) 2>: can't give argument to non-function 1"},
		{"{{1 | (2)}}",
			"error: template: template:1:2: executing \"template\" "
			"at <1>: can't give argument to non-function 2"},
		{"{{1 | .n}}",
			"error: template: template:1:6: executing \"template\" "
			"at <.n>: n is not a method but has arguments"},
		{"{{index .a ($x := 9 ) . (.o).b `r` 1.50 nil (1 | print 2)}}",
			"error: template: template:1:2: executing \"template\" "
			"at <index .a ($x := 9) . (.o).b `r` 1.50 nil (1 | "
			"print 2)>: error calling index: index out of range: "
			"9"},
		{"{{len.x}}",
			"error: template: template:1:2: executing \"template\" "
			"at <len>: wrong number of args for len: want 1 got 0"},
	};

	(void)state;
	check_renders(cases, COUNT(cases));
}

static void errors_of_reading_show_the_line(void **state)
{
	static const struct render cases[] = {
		{"{{", "error: template: template:1: unclosed action"},
		{"{{.n\n", "error: template: template:2: unclosed action "
			   "started at template:1"},
		{"{{.", "error: template: template:1: illegal number syntax: "
			"\".\""},
		{"{{.a..b}}", "error: template: template:1: unexpected <.> in "
			      "operand"},
		{"{{.a-b}}", "error: template: template:1: bad character "
			     "U+002D '-'"},
		{"{{..}}", "error: template: template:1: unexpected <.> in "
			   "operand"},
		{"{{true.x}}", "error: template: template:1: unexpected . "
			       "after term \"true\""},
		{"{{foo}}", "error: template: template:1: function \"foo\" not "
			    "defined"},
		{"{{if}}", "error: template: template:1: missing value for if"},
		{"{{end}}", "error: template: template:1: unexpected {{end}}"},
		{"{{else}}",
			"error: template: template:1: unexpected {{else}}"},
		{"{{if 1}}", "error: template: template:1: unexpected EOF"},
		{"{{if 1}}{{else}}{{else}}{{end}}",
			"error: template: template:1: expected end; found "
			"{{else}}"},
		{"{{if 1}}{{else with 2}}{{end}}",
			"error: template: template:1: unexpected <with> in "
			"input"},
		{"{{if 1}}{{end 1}}",
			"error: template: template:1: unexpected \"1\" in end"},
		{"{{}}", "error: template: template:1: missing value for "
			 "command"},
		{"{{()}}", "error: template: template:1: missing value for "
			   "parenthesized pipeline"},
		{"{{(1}}", "error: template: template:1: unclosed left paren"},
		{"{{1)}}",
			"error: template: template:1: unexpected right paren"},
		{"{{(1)(2)}}", "error: template: template:1: unexpected \"(\" "
			       "in operand"},
		{"{{|}}", "error: template: template:1: unexpected \"|\" in "
			  "command"},
		{"{{1 | 2}}", "error: template: template:1: non executable "
			      "command in pipeline stage 2"},
		{"{{1,2}}", "error: template: template:1: unexpected \",\" in "
			    "operand"},
		{"{{:}}", "error: template: template:1: expected :="},
		{"{{$x=1}}", "error: template: template:1: bad character "
			     "U+003D '='"},
		{"{{\"a", "error: template: template:1: unterminated quoted "
			  "string"},
		{"{{`a", "error: template: template:1: unterminated raw quoted "
			 "string"},
		{"{{'a", "error: template: template:1: unterminated character "
			 "constant"},
		{"{{\n\n\"a", "error: template: template:3: unterminated "
			      "quoted string in action started at template:1"},
		{"{{\n1a}}", "error: template: template:2: bad number syntax: "
			     "\"1a\" in action started at template:1"},
		{"{{template}}", "error: template: template:1: unexpected "
				 "\"}}\" in template clause"},
		{"{{template averylongname}}",
			"error: template: template:1: unexpected "
			"\"averylongn\"... in template clause"},
		{"{{template \"x\" | len}}",
			"error: template: template:1: unexpected \"|\" in "
			"template clause"},
		{"{{define \"x\" .}}{{end}}",
			"error: template: template:1: unexpected <.> in define "
			"clause"},
		{"{{define \"x\"}}",
			"error: template: template:1: unexpected EOF"},
		{"{{block \"x\"}}{{end}}", "error: template: template:1: "
					   "missing value for block clause"},
		{"{{block \"x\" .}}\n\n{{else}}{{end}}",
			"error: template: template:1: unexpected {{else}} in "
			"block clause"},
		{"{{define \"x\"}}\n\n{{else}}{{end}}",
			"error: template: template:3: unexpected {{else}} in "
			"define clause"},
		{"{{range .a}}{{break 1}}{{end}}",
			"error: template: template:1: unexpected \"1\" in "
			"{{break}}"},
		{"{{ /* a */}}", "error: template: template:1: unexpected "
				 "\"/\" in command"},
		{"{{\302\240}}", "error: template: template:1: unrecognized "
				 "character in action: U+00A0"},
	};

	(void)state;
	check_renders(cases, COUNT(cases));
}

/* OPA writes them as Rego and reads that as JSON. */
static void variables_that_are_no_json_are_refused(void **state)
{
	static const struct builtin_case cases[] = {
		{"strings.render_template", "[\"\", {\"a\": {\"$set\": []}}]",
			"eval_builtin_error: invalid character 's' looking for "
			"beginning of value"},
		{"strings.render_template",
			"[\"\", {\"a\": [{\"$set\": [1]}]}]",
			"eval_builtin_error: invalid character '1' looking for "
			"beginning of object key string"},
		{"strings.render_template",
			"[\"\", {\"a\": {\"$set\": [\"b\"]}}]",
			"eval_builtin_error: invalid character '}' after "
			"object key"},
		{"strings.render_template",
			"[\"\", {\"a\": {\"$set\": [\"b\", \"c\"]}}]",
			"eval_builtin_error: invalid character ',' after "
			"object key"},
		{"strings.render_template", "[\"\", {\"a\": \"\\u0007\"}]",
			"eval_builtin_error: invalid character 'a' in string "
			"escape code"},
		{"strings.render_template", "[\"\", {\"\\u0001\": 1}]",
			"eval_builtin_error: invalid character 'x' in string "
			"escape code"},
		{"strings.render_template",
			"[\"{{.a}}{{.b}}\", {\"a\": \"\\n\\u200b\\\\\", \"b\": "
			"1.50}]",
			"\"\\n\\u200b\\\\1.50\""},
	};

	(void)state;
	check_builtins(cases, COUNT(cases));
}

/* The room that Go's decoder leaves behind a list can be seen by slicing. */
static void a_slice_reaches_as_far_as_go_has_room(void **state)
{
	static const struct {
		uint32_t len, cap;
	} rooms[] = {{0, 0}, {1, 1}, {3, 4}, {5, 8}, {32, 32}, {33, 71},
		{72, 143}, {304, 591}, {1024, 1535}, {1536, 2560}, {2561, 3584},
		{3585, 5120}};

	(void)state;
	for (size_t i = 0; i < COUNT(rooms); i++) {
		for (uint32_t beyond = 0; beyond < 2; beyond++) {
			struct arena a = {0};
			struct bi_ctx cx = call_context(&a);
			struct value *items =
				ARENA_ARRAY(&a, struct value, rooms[i].len + 1);
			struct value key = v_cstr(&a, "a"), list;
			struct buf got = {0};

			for (uint32_t k = 0; k < rooms[i].len; k++)
				items[k] = v_int(k);
			list = v_arr(&a, items, rooms[i].len);
			render(&cx,
				str_from(arena_printf(&a,
					"{{len (slice .a 0 %u)}}",
					rooms[i].cap + beyond)),
				v_obj(&a, &key, &list, 1), &got);
			assert_int_equal(
				str_starts(buf_str(&got), S("error: ")),
				beyond);
			buf_release(&got);
			arena_release(&a);
		}
	}
}

static void a_template_that_does_not_end_is_stopped(void **state)
{
	static const struct {
		const char *template, *want;
	} cases[] = {
		{"{{range 9000000000000000000}}{{end}}",
			"halt: evaluation is over its limit of steps"},
		{"{{define \"x\"}}{{range 2}}{{block \"y\" .}}{{.}}{{end}}"
		 "{{end}}{{template \"x\"}}{{end}}{{template \"x\"}}",
			"halt: evaluation is over its limit of steps"},
		{"{{range 99}}{{printf \"%1000000d\" 1}}{{end}}",
			"halt: evaluation is over its limit of steps"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena a = {0};
		struct bi_ctx cx = call_context(&a);
		struct buf got = {0};

		cx.steps = 100000;
		render(&cx, str_from(cases[i].template), v_empty_obj, &got);
		assert_string_equal(got.ptr, cases[i].want);
		buf_release(&got);
		arena_release(&a);
	}
}

static void a_cancelled_evaluation_stops_inside_of_a_template(void **state)
{
	const char *template = "{{range 9000000000000000000}}{{end}}";
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	struct buf got = {0};
	volatile int cancel = 1;

	(void)state;
	cx.cancel = &cancel;
	render(&cx, str_from(template), v_empty_obj, &got);
	assert_string_equal(got.ptr, "halt: caller cancelled query execution");
	buf_reset(&got);
	cx = call_context(&a);
	cx.deadline_ns = 1;
	render(&cx, str_from(template), v_empty_obj, &got);
	assert_string_equal(got.ptr, "halt: caller cancelled query execution");
	buf_release(&got);
	arena_release(&a);
}

/* A loop that makes texts gives them back. */
static void a_long_range_takes_no_memory(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	struct buf got = {0};

	(void)state;
	cx.memory_max = MIB(1);
	render(&cx,
		S("{{$n := 0}}{{range 100000}}{{$x := printf \"%99d\" .}}"
		  "{{if eq . 99999}}{{len $x}}{{end}}{{end}}"),
		v_empty_obj, &got);
	assert_string_equal(got.ptr, "99");
	buf_reset(&got);
	render(&cx,
		S("{{$x := \"\"}}{{range 100000}}{{$x = print $x .}}{{end}}"),
		v_empty_obj, &got);
	assert_string_equal(
		got.ptr, "halt: evaluation is over its limit of memory");
	buf_release(&got);
	arena_release(&a);
}

static void add_times(struct buf *b, const char *text, unsigned n)
{
	while (n--)
		buf_adds(b, text);
}

static void check_depth(
	const char *open, const char *close, unsigned n, const char *want)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	struct buf text = {0}, got = {0};

	add_times(&text, open, n);
	add_times(&text, close, n);
	render(&cx, buf_str(&text), v_empty_obj, &got);
	assert_string_equal(got.ptr ? got.ptr : "", want);
	buf_release(&text);
	buf_release(&got);
	arena_release(&a);
}

static void nesting_has_a_limit(void **state)
{
	static const char refused[] =
		"halt: template has more than 1000 actions and brackets inside "
		"each other";

	(void)state;
	check_depth("{{if 1}}", "{{end}}", LIMIT_TEMPLATE_DEPTH, "");
	check_depth("{{if 1}}", "{{end}}", LIMIT_TEMPLATE_DEPTH + 1, refused);
	check_depth("{{if 0}}{{else if 1}}", "{{end}}", 500, "");
}

static void brackets_have_the_same_limit(void **state)
{
	struct buf text = {0};

	(void)state;
	for (unsigned n = LIMIT_TEMPLATE_DEPTH; n < LIMIT_TEMPLATE_DEPTH + 2;
		n++) {
		struct arena a = {0};
		struct bi_ctx cx = call_context(&a);
		struct buf got = {0};

		buf_reset(&text);
		buf_adds(&text, "{{");
		add_times(&text, "(", n);
		buf_adds(&text, "7");
		add_times(&text, ")", n);
		buf_adds(&text, "}}");
		render(&cx, buf_str(&text), v_empty_obj, &got);
		if (n == LIMIT_TEMPLATE_DEPTH)
			assert_string_equal(got.ptr, "7");
		else
			assert_true(str_starts(buf_str(&got), S("halt: ")));
		buf_release(&got);
		arena_release(&a);
	}
	buf_release(&text);
}

static void a_template_has_a_limit_of_size(void **state)
{
	struct arena a = {0};
	struct bi_ctx cx = call_context(&a);
	char *room = arena_raw(&a, LIMIT_TEMPLATE + 1);
	struct buf got = {0};

	(void)state;
	memset(room, 'x', LIMIT_TEMPLATE + 1);
	render(&cx, str_make(room, LIMIT_TEMPLATE), v_empty_obj, &got);
	assert_num(got.len, LIMIT_TEMPLATE);
	buf_reset(&got);
	render(&cx, str_make(room, LIMIT_TEMPLATE + 1), v_empty_obj, &got);
	assert_string_equal(
		got.ptr, "halt: template has 16777217 bytes, limit 16777216");
	buf_release(&got);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_print_as_in_go),
		cmocka_unit_test(constants_have_all_forms_of_go),
		cmocka_unit_test(an_action_is_chosen_by_what_is_true),
		cmocka_unit_test(a_range_goes_over_lists_objects_and_numbers),
		cmocka_unit_test(variables_live_to_the_end_of_their_action),
		cmocka_unit_test(white_space_goes_where_a_marker_says),
		cmocka_unit_test(templates_call_each_other),
		cmocka_unit_test(functions_do_what_those_of_go_do),
		cmocka_unit_test(functions_refuse_as_those_of_go_do),
		cmocka_unit_test(errors_of_running_show_place_and_node),
		cmocka_unit_test(errors_of_reading_show_the_line),
		cmocka_unit_test(variables_that_are_no_json_are_refused),
		cmocka_unit_test(a_slice_reaches_as_far_as_go_has_room),
		cmocka_unit_test(a_template_that_does_not_end_is_stopped),
		cmocka_unit_test(
			a_cancelled_evaluation_stops_inside_of_a_template),
		cmocka_unit_test(a_long_range_takes_no_memory),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(brackets_have_the_same_limit),
		cmocka_unit_test(a_template_has_a_limit_of_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
