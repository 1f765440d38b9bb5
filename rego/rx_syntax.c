#include "rego/rx_syntax.h"

#include <stdlib.h>
#include <string.h>

/*
 * Limits of Go's parser: nesting of the tree, members of a compiled pattern,
 * code points in classes, and copies that nested repetitions may make.
 */
enum {
	HEIGHT_MAX = 1000,
	SIZE_MAX_INSTS = (128 << 20) / 40,
	RUNES_MAX = (128 << 20) / 4,
	REPEAT_MAX = 1000,
};

/*
 * Limits of this engine: RE2 complains on stderr when a tree has a million
 * nodes, and classes without code points are long when written out.
 */
enum { NODES_MAX = 900000, OUT_MAX = 32 << 20 };

enum flag { F_FOLD = 1, F_MULTI = 2, F_DOTNL = 4, F_LAZY = 8 };

/* What the limits ask about one item of the tree, or a list of them. */
struct measure {
	uint32_t height;
	uint32_t in_seq; /* height as a member of a sequence: one inside of */
	uint32_t in_alt; /* another is the same as its members, and so on */
	uint32_t copies; /* product of nested repetitions, at most */
	uint64_t size;
};

/* One open parenthesis; level 0 is the pattern itself. */
struct level {
	uint8_t flags; /* to restore behind the parenthesis */
	bool captures;
	bool has_top;   /* there is an item a repetition can apply to */
	bool is_repeat; /* that item is itself a repetition */
	size_t top_at;  /* where it begins in out */
	size_t open_at; /* where the parenthesis is in out */
	struct measure top;
	struct measure seq; /* items before it, since the last | */
	uint32_t nseq;
	struct measure alts;
	uint32_t nalts;
	struct measure last; /* the newest member of either list */
};

enum plain_state {
	P_START, /* nothing yet */
	P_BEGUN, /* ^ or .* */
	P_TEXT,
	P_ENDED, /* $ or .* after the text: nothing may follow */
	P_NOT,
};

/* Which letters the pattern names, for alternation_hazard(). */
struct letters {
	bool has_bar;
	bool folded;           /* some where case does not count */
	bool plain;            /* some where it does */
	bool not_ascii;        /* of the latter */
	uint32_t small, large; /* of the latter, a bit for each of A to Z */
};

struct parser {
	struct str s;
	size_t at;
	struct rx_parsed *p;
	struct err *e;
	uint8_t flags;
	struct level *levels;
	size_t nlevels, cap;
	uint64_t nrunes;    /* in classes, about */
	uint64_t nnodes;    /* of the engine's tree, about */
	size_t last_repeat; /* where the repetition just read began; or SIZE_MAX
			     */
	enum plain_state plain;
	bool dot_pending; /* the item before was a bare `.` */
	struct letters letters;
	bool split_alts; /* see alternation_hazard() */
};

/* --- errors ---------------------------------------------------------- */

static bool fail(struct parser *ps, const char *what, size_t from, size_t to)
{
	struct str s = str_slice(ps->s, from, to);

	err_set(ps->e, E_INVALID, "error parsing regexp: %s: `%.*s`", what,
		STR_ARG(s));
	return false;
}

static bool fail_whole(struct parser *ps, const char *what)
{
	return fail(ps, what, 0, ps->s.len);
}

static size_t left(const struct parser *ps)
{
	return ps->s.len - ps->at;
}

/* The byte `n` places ahead, or -1. */
static int peek(const struct parser *ps, size_t n)
{
	return n < left(ps) ? (unsigned char)ps->s.ptr[ps->at + n] : -1;
}

static bool next_rune(struct parser *ps, uint32_t *cp)
{
	size_t n = 0;

	*cp = 0xfffd;
	if (left(ps))
		n = utf8_decode(ps->s.ptr + ps->at, left(ps), cp);
	if (*cp == 0xfffd && n == 1)
		return fail(ps, "invalid UTF-8", ps->at, ps->s.len);
	ps->at += n;
	return true;
}

/* Fail at the first byte of from..to that is not UTF-8; true if none. */
static bool check_utf8(struct parser *ps, size_t from, size_t to)
{
	while (from < to) {
		uint32_t cp;
		size_t n = utf8_decode(ps->s.ptr + from, to - from, &cp);

		if (cp == 0xfffd && n == 1)
			return fail(ps, "invalid UTF-8", from, to);
		from += n;
	}
	return true;
}

/* --- the tree's measures --------------------------------------------- */

static struct level *level(struct parser *ps)
{
	return &ps->levels[ps->nlevels - 1];
}

static void level_open(struct parser *ps, bool captures)
{
	if (ps->nlevels == ps->cap) {
		ps->cap = ps->cap ? ps->cap * 2 : 16;
		ps->levels = realloc(ps->levels, ps->cap * sizeof(*ps->levels));
		if (!ps->levels)
			die("out of memory: %zu parentheses", ps->cap);
	}
	ps->levels[ps->nlevels++] =
		(struct level){.flags = ps->flags, .captures = captures};
}

/* An item with `m` inside. */
static struct measure measure_height(struct measure m, uint32_t height)
{
	m.height = m.in_seq = m.in_alt = height;
	return m;
}

static const struct measure one_inst = {1, 1, 1, 0, 1};

/* Add `m` to a list of which it becomes a member. */
static void measure_add(struct measure *list, struct measure m, uint32_t height)
{
	if (list->height < height)
		list->height = height;
	if (list->copies < m.copies)
		list->copies = m.copies;
	list->size += m.size;
}

static void top_to_seq(struct level *l)
{
	if (!l->has_top)
		return;
	measure_add(&l->seq, l->top, l->top.in_seq);
	l->nseq++;
	l->has_top = false;
	l->last = l->top;
}

static void seq_to_alts(struct level *l)
{
	struct measure m;

	top_to_seq(l);
	m = l->seq;
	if (l->nseq == 0) {
		m = one_inst;
	} else if (l->nseq == 1) {
		m = l->last;
	} else {
		m = measure_height(m, l->seq.height + 1);
		m.in_seq = l->seq.height;
	}
	measure_add(&l->alts, m, m.in_alt);
	if (l->nalts)
		l->alts.size++;
	l->nalts++;
	l->seq = (struct measure){0};
	l->nseq = 0;
	l->last = m;
}

/* What is between the parentheses as one item, once seq_to_alts() was done. */
static struct measure measure_level(const struct level *l)
{
	struct measure m = l->alts;

	if (l->nalts == 1)
		return l->last;
	m = measure_height(m, l->alts.height + 1);
	m.in_alt = l->alts.height;
	return m;
}

static bool measure_ok(struct parser *ps, struct measure m)
{
	if (m.height > HEIGHT_MAX)
		return fail_whole(ps, "expression nests too deeply");
	if (m.size > SIZE_MAX_INSTS || ps->nrunes > RUNES_MAX ||
		ps->nnodes > NODES_MAX || ps->p->out.len > OUT_MAX)
		return fail_whole(ps, "expression too large");
	return true;
}

/* An item whose text is in out from `out_at` on becomes the last one. */
static bool push(struct parser *ps, size_t out_at, struct measure m)
{
	struct level *l = level(ps);

	top_to_seq(l);
	l->has_top = true;
	l->is_repeat = false;
	l->top_at = out_at;
	l->top = m;
	return measure_ok(ps, m);
}

/* Text for an item of size 1 without parts. */
static bool push_text(struct parser *ps, const char *text)
{
	size_t at = ps->p->out.len;

	buf_adds(&ps->p->out, text);
	ps->nnodes++;
	return push(ps, at, one_inst);
}

/* --- plain patterns -------------------------------------------------- */

static bool plain_possible(struct parser *ps)
{
	bool ok = ps->nlevels == 1 && !ps->dot_pending && !ps->flags &&
		  ps->plain != P_NOT;

	ps->dot_pending = false;
	if (!ok)
		ps->plain = P_NOT;
	return ok;
}

static void plain_rune(struct parser *ps, uint32_t cp)
{
	if (!plain_possible(ps))
		return;
	if (ps->plain == P_ENDED || cp == 0xfffd) {
		ps->plain = P_NOT;
		return;
	}
	buf_addcp(&ps->p->plain, cp);
	ps->plain = P_TEXT;
}

static void plain_begin(struct parser *ps)
{
	if (!plain_possible(ps))
		return;
	ps->p->at_begin = true;
	ps->plain = ps->plain == P_START ? P_BEGUN : P_NOT;
}

static void plain_end(struct parser *ps)
{
	if (!plain_possible(ps))
		return;
	ps->p->at_end = true;
	ps->plain = ps->plain == P_ENDED ? P_NOT : P_ENDED;
}

static void plain_dot(struct parser *ps)
{
	if (plain_possible(ps))
		ps->dot_pending = true;
}

static void plain_repeat(struct parser *ps, char op)
{
	bool dot = ps->dot_pending;

	ps->dot_pending = false;
	if (!plain_possible(ps))
		return;
	if (!dot || op != '*' || ps->plain == P_ENDED) {
		ps->plain = P_NOT;
	} else if (ps->plain == P_START) {
		ps->p->star_before = true;
		ps->plain = P_BEGUN;
	} else {
		ps->p->star_after = true;
		ps->plain = P_ENDED;
	}
}

static void plain_no(struct parser *ps)
{
	ps->plain = P_NOT;
}

/* --- letters --------------------------------------------------------- */

static void note_range(struct parser *ps, uint32_t lo, uint32_t hi)
{
	struct letters *l = &ps->letters;
	uint32_t small = 0, large = 0;

	for (uint32_t i = 0; i < 26; i++) {
		small |= (uint32_t)('a' + i >= lo && 'a' + i <= hi) << i;
		large |= (uint32_t)('A' + i >= lo && 'A' + i <= hi) << i;
	}
	if (!small && !large && hi < 0x80)
		return;
	if (ps->flags & F_FOLD) {
		l->folded = true;
		return;
	}
	l->plain = true;
	l->small |= small;
	l->large |= large;
	l->not_ascii |= hi >= 0x80;
}

/*
 * RE2 (2022-06) makes one class of alternatives that are single characters,
 * and loses the other case of a letter that is already in the class: "b|[bB]"
 * and "b|(?i:b)" do not match "B". Where a letter may be there in both ways an
 * empty group behind each alternative keeps them apart.
 */
static bool alternation_hazard(const struct letters *l)
{
	return l->has_bar && ((l->folded && l->plain) || l->not_ascii ||
				     (l->small & l->large));
}

/* --- writing --------------------------------------------------------- */

static bool is_alnum(uint32_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z');
}

/* One code point, in a class or outside. */
static void put_rune(struct buf *out, uint32_t c)
{
	if (c == '_' || c == ' ' || is_alnum(c))
		buf_addc(out, (char)c);
	else if (c > ' ' && c < 0x7f)
		buf_addf(out, "\\%c", (char)c);
	else if (c >= 0xa0 && (c < 0xd800 || c > 0xdfff))
		buf_addcp(out, c);
	else
		buf_addf(out, "\\x{%x}", c);
}

static void fold_open(struct parser *ps, bool wanted)
{
	if (wanted)
		buf_adds(&ps->p->out, "(?i:");
}

static void fold_close(struct parser *ps, bool wanted)
{
	if (wanted)
		buf_addc(&ps->p->out, ')');
}

static bool literal(struct parser *ps, uint32_t c)
{
	size_t at = ps->p->out.len;
	bool fold = (ps->flags & F_FOLD) && (is_alnum(c) || c >= 0x80);

	plain_rune(ps, c);
	note_range(ps, c, c);
	fold_open(ps, fold);
	put_rune(&ps->p->out, c);
	fold_close(ps, fold);
	return push(ps, at, one_inst);
}

static bool anchor(struct parser *ps, const char *text)
{
	plain_no(ps);
	return push_text(ps, text);
}

/* --- Unicode classes ------------------------------------------------- */

/*
 * Names of scripts as Go 1.26 finds them: those of several words cannot be
 * found there, since the look-up drops the underscore and the table keeps it.
 */
static const char scripts[] =
	" Adlam Ahom Arabic Armenian Avestan Balinese Bamum Batak Bengali"
	" Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Carian Chakma Cham"
	" Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cyrillic Deseret"
	" Devanagari Dogra Duployan Elbasan Elymaic Ethiopic Georgian"
	" Glagolitic Gothic Grantha Greek Gujarati Gurmukhi Han Hangul Hanunoo"
	" Hatran Hebrew Hiragana Inherited Javanese Kaithi Kannada Katakana"
	" Kawi Kharoshthi Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Lisu"
	" Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen"
	" Medefaidrin Miao Modi Mongolian Mro Multani Myanmar Nabataean"
	" Nandinagari Newa Nko Nushu Ogham Oriya Osage Osmanya Palmyrene"
	" Phoenician Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham"
	" Sinhala Sogdian Soyombo Sundanese Syriac Tagalog Tagbanwa Takri Tamil"
	" Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Toto"
	" Ugaritic Vai Vithkuqi Wancho Yezidi Yi ";

static const char categories[] =
	" Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi"
	" Po Ps S Sc Sk Sm So Z Zl Zp Zs ";

/* Unicode's long names of categories, without their underscores. */
static const struct {
	const char *name, *is;
} aliases[] = {
	{"Casedletter", "Lc"},
	{"Closepunctuation", "Pe"},
	{"Cntrl", "Cc"},
	{"Combiningmark", "M"},
	{"Connectorpunctuation", "Pc"},
	{"Control", "Cc"},
	{"Currencysymbol", "Sc"},
	{"Dashpunctuation", "Pd"},
	{"Decimalnumber", "Nd"},
	{"Digit", "Nd"},
	{"Enclosingmark", "Me"},
	{"Finalpunctuation", "Pf"},
	{"Format", "Cf"},
	{"Initialpunctuation", "Pi"},
	{"Letter", "L"},
	{"Letternumber", "Nl"},
	{"Lineseparator", "Zl"},
	{"Lowercaseletter", "Ll"},
	{"Mark", "M"},
	{"Mathsymbol", "Sm"},
	{"Modifierletter", "Lm"},
	{"Modifiersymbol", "Sk"},
	{"Nonspacingmark", "Mn"},
	{"Number", "N"},
	{"Openpunctuation", "Ps"},
	{"Other", "C"},
	{"Otherletter", "Lo"},
	{"Othernumber", "No"},
	{"Otherpunctuation", "Po"},
	{"Othersymbol", "So"},
	{"Paragraphseparator", "Zp"},
	{"Privateuse", "Co"},
	{"Punct", "P"},
	{"Punctuation", "P"},
	{"Separator", "Z"},
	{"Spaceseparator", "Zs"},
	{"Spacingmark", "Mc"},
	{"Surrogate", "Cs"},
	{"Symbol", "S"},
	{"Titlecaseletter", "Lt"},
	{"Unassigned", "Cn"},
	{"Uppercaseletter", "Lu"},
};

/* Code points without a meaning: category Cn of Unicode 15.0. */
static const uint32_t unassigned[][2] = {
	/* clang-format off */
	{0x378, 0x379}, {0x380, 0x383}, {0x38b, 0x38b}, {0x38d, 0x38d},
	{0x3a2, 0x3a2}, {0x530, 0x530}, {0x557, 0x558}, {0x58b, 0x58c},
	{0x590, 0x590}, {0x5c8, 0x5cf}, {0x5eb, 0x5ee}, {0x5f5, 0x5ff},
	{0x70e, 0x70e}, {0x74b, 0x74c}, {0x7b2, 0x7bf}, {0x7fb, 0x7fc},
	{0x82e, 0x82f}, {0x83f, 0x83f}, {0x85c, 0x85d}, {0x85f, 0x85f},
	{0x86b, 0x86f}, {0x88f, 0x88f}, {0x892, 0x897}, {0x984, 0x984},
	{0x98d, 0x98e}, {0x991, 0x992}, {0x9a9, 0x9a9}, {0x9b1, 0x9b1},
	{0x9b3, 0x9b5}, {0x9ba, 0x9bb}, {0x9c5, 0x9c6}, {0x9c9, 0x9ca},
	{0x9cf, 0x9d6}, {0x9d8, 0x9db}, {0x9de, 0x9de}, {0x9e4, 0x9e5},
	{0x9ff, 0xa00}, {0xa04, 0xa04}, {0xa0b, 0xa0e}, {0xa11, 0xa12},
	{0xa29, 0xa29}, {0xa31, 0xa31}, {0xa34, 0xa34}, {0xa37, 0xa37},
	{0xa3a, 0xa3b}, {0xa3d, 0xa3d}, {0xa43, 0xa46}, {0xa49, 0xa4a},
	{0xa4e, 0xa50}, {0xa52, 0xa58}, {0xa5d, 0xa5d}, {0xa5f, 0xa65},
	{0xa77, 0xa80}, {0xa84, 0xa84}, {0xa8e, 0xa8e}, {0xa92, 0xa92},
	{0xaa9, 0xaa9}, {0xab1, 0xab1}, {0xab4, 0xab4}, {0xaba, 0xabb},
	{0xac6, 0xac6}, {0xaca, 0xaca}, {0xace, 0xacf}, {0xad1, 0xadf},
	{0xae4, 0xae5}, {0xaf2, 0xaf8}, {0xb00, 0xb00}, {0xb04, 0xb04},
	{0xb0d, 0xb0e}, {0xb11, 0xb12}, {0xb29, 0xb29}, {0xb31, 0xb31},
	{0xb34, 0xb34}, {0xb3a, 0xb3b}, {0xb45, 0xb46}, {0xb49, 0xb4a},
	{0xb4e, 0xb54}, {0xb58, 0xb5b}, {0xb5e, 0xb5e}, {0xb64, 0xb65},
	{0xb78, 0xb81}, {0xb84, 0xb84}, {0xb8b, 0xb8d}, {0xb91, 0xb91},
	{0xb96, 0xb98}, {0xb9b, 0xb9b}, {0xb9d, 0xb9d}, {0xba0, 0xba2},
	{0xba5, 0xba7}, {0xbab, 0xbad}, {0xbba, 0xbbd}, {0xbc3, 0xbc5},
	{0xbc9, 0xbc9}, {0xbce, 0xbcf}, {0xbd1, 0xbd6}, {0xbd8, 0xbe5},
	{0xbfb, 0xbff}, {0xc0d, 0xc0d}, {0xc11, 0xc11}, {0xc29, 0xc29},
	{0xc3a, 0xc3b}, {0xc45, 0xc45}, {0xc49, 0xc49}, {0xc4e, 0xc54},
	{0xc57, 0xc57}, {0xc5b, 0xc5c}, {0xc5e, 0xc5f}, {0xc64, 0xc65},
	{0xc70, 0xc76}, {0xc8d, 0xc8d}, {0xc91, 0xc91}, {0xca9, 0xca9},
	{0xcb4, 0xcb4}, {0xcba, 0xcbb}, {0xcc5, 0xcc5}, {0xcc9, 0xcc9},
	{0xcce, 0xcd4}, {0xcd7, 0xcdc}, {0xcdf, 0xcdf}, {0xce4, 0xce5},
	{0xcf0, 0xcf0}, {0xcf4, 0xcff}, {0xd0d, 0xd0d}, {0xd11, 0xd11},
	{0xd45, 0xd45}, {0xd49, 0xd49}, {0xd50, 0xd53}, {0xd64, 0xd65},
	{0xd80, 0xd80}, {0xd84, 0xd84}, {0xd97, 0xd99}, {0xdb2, 0xdb2},
	{0xdbc, 0xdbc}, {0xdbe, 0xdbf}, {0xdc7, 0xdc9}, {0xdcb, 0xdce},
	{0xdd5, 0xdd5}, {0xdd7, 0xdd7}, {0xde0, 0xde5}, {0xdf0, 0xdf1},
	{0xdf5, 0xe00}, {0xe3b, 0xe3e}, {0xe5c, 0xe80}, {0xe83, 0xe83},
	{0xe85, 0xe85}, {0xe8b, 0xe8b}, {0xea4, 0xea4}, {0xea6, 0xea6},
	{0xebe, 0xebf}, {0xec5, 0xec5}, {0xec7, 0xec7}, {0xecf, 0xecf},
	{0xeda, 0xedb}, {0xee0, 0xeff}, {0xf48, 0xf48}, {0xf6d, 0xf70},
	{0xf98, 0xf98}, {0xfbd, 0xfbd}, {0xfcd, 0xfcd}, {0xfdb, 0xfff},
	{0x10c6, 0x10c6}, {0x10c8, 0x10cc}, {0x10ce, 0x10cf}, {0x1249, 0x1249},
	{0x124e, 0x124f}, {0x1257, 0x1257}, {0x1259, 0x1259}, {0x125e, 0x125f},
	{0x1289, 0x1289}, {0x128e, 0x128f}, {0x12b1, 0x12b1}, {0x12b6, 0x12b7},
	{0x12bf, 0x12bf}, {0x12c1, 0x12c1}, {0x12c6, 0x12c7}, {0x12d7, 0x12d7},
	{0x1311, 0x1311}, {0x1316, 0x1317}, {0x135b, 0x135c}, {0x137d, 0x137f},
	{0x139a, 0x139f}, {0x13f6, 0x13f7}, {0x13fe, 0x13ff}, {0x169d, 0x169f},
	{0x16f9, 0x16ff}, {0x1716, 0x171e}, {0x1737, 0x173f}, {0x1754, 0x175f},
	{0x176d, 0x176d}, {0x1771, 0x1771}, {0x1774, 0x177f}, {0x17de, 0x17df},
	{0x17ea, 0x17ef}, {0x17fa, 0x17ff}, {0x181a, 0x181f}, {0x1879, 0x187f},
	{0x18ab, 0x18af}, {0x18f6, 0x18ff}, {0x191f, 0x191f}, {0x192c, 0x192f},
	{0x193c, 0x193f}, {0x1941, 0x1943}, {0x196e, 0x196f}, {0x1975, 0x197f},
	{0x19ac, 0x19af}, {0x19ca, 0x19cf}, {0x19db, 0x19dd}, {0x1a1c, 0x1a1d},
	{0x1a5f, 0x1a5f}, {0x1a7d, 0x1a7e}, {0x1a8a, 0x1a8f}, {0x1a9a, 0x1a9f},
	{0x1aae, 0x1aaf}, {0x1acf, 0x1aff}, {0x1b4d, 0x1b4f}, {0x1b7f, 0x1b7f},
	{0x1bf4, 0x1bfb}, {0x1c38, 0x1c3a}, {0x1c4a, 0x1c4c}, {0x1c89, 0x1c8f},
	{0x1cbb, 0x1cbc}, {0x1cc8, 0x1ccf}, {0x1cfb, 0x1cff}, {0x1f16, 0x1f17},
	{0x1f1e, 0x1f1f}, {0x1f46, 0x1f47}, {0x1f4e, 0x1f4f}, {0x1f58, 0x1f58},
	{0x1f5a, 0x1f5a}, {0x1f5c, 0x1f5c}, {0x1f5e, 0x1f5e}, {0x1f7e, 0x1f7f},
	{0x1fb5, 0x1fb5}, {0x1fc5, 0x1fc5}, {0x1fd4, 0x1fd5}, {0x1fdc, 0x1fdc},
	{0x1ff0, 0x1ff1}, {0x1ff5, 0x1ff5}, {0x1fff, 0x1fff}, {0x2065, 0x2065},
	{0x2072, 0x2073}, {0x208f, 0x208f}, {0x209d, 0x209f}, {0x20c1, 0x20cf},
	{0x20f1, 0x20ff}, {0x218c, 0x218f}, {0x2427, 0x243f}, {0x244b, 0x245f},
	{0x2b74, 0x2b75}, {0x2b96, 0x2b96}, {0x2cf4, 0x2cf8}, {0x2d26, 0x2d26},
	{0x2d28, 0x2d2c}, {0x2d2e, 0x2d2f}, {0x2d68, 0x2d6e}, {0x2d71, 0x2d7e},
	{0x2d97, 0x2d9f}, {0x2da7, 0x2da7}, {0x2daf, 0x2daf}, {0x2db7, 0x2db7},
	{0x2dbf, 0x2dbf}, {0x2dc7, 0x2dc7}, {0x2dcf, 0x2dcf}, {0x2dd7, 0x2dd7},
	{0x2ddf, 0x2ddf}, {0x2e5e, 0x2e7f}, {0x2e9a, 0x2e9a}, {0x2ef4, 0x2eff},
	{0x2fd6, 0x2fef}, {0x2ffc, 0x2fff}, {0x3040, 0x3040}, {0x3097, 0x3098},
	{0x3100, 0x3104}, {0x3130, 0x3130}, {0x318f, 0x318f}, {0x31e4, 0x31ef},
	{0x321f, 0x321f}, {0xa48d, 0xa48f}, {0xa4c7, 0xa4cf}, {0xa62c, 0xa63f},
	{0xa6f8, 0xa6ff}, {0xa7cb, 0xa7cf}, {0xa7d2, 0xa7d2}, {0xa7d4, 0xa7d4},
	{0xa7da, 0xa7f1}, {0xa82d, 0xa82f}, {0xa83a, 0xa83f}, {0xa878, 0xa87f},
	{0xa8c6, 0xa8cd}, {0xa8da, 0xa8df}, {0xa954, 0xa95e}, {0xa97d, 0xa97f},
	{0xa9ce, 0xa9ce}, {0xa9da, 0xa9dd}, {0xa9ff, 0xa9ff}, {0xaa37, 0xaa3f},
	{0xaa4e, 0xaa4f}, {0xaa5a, 0xaa5b}, {0xaac3, 0xaada}, {0xaaf7, 0xab00},
	{0xab07, 0xab08}, {0xab0f, 0xab10}, {0xab17, 0xab1f}, {0xab27, 0xab27},
	{0xab2f, 0xab2f}, {0xab6c, 0xab6f}, {0xabee, 0xabef}, {0xabfa, 0xabff},
	{0xd7a4, 0xd7af}, {0xd7c7, 0xd7ca}, {0xd7fc, 0xd7ff}, {0xfa6e, 0xfa6f},
	{0xfada, 0xfaff}, {0xfb07, 0xfb12}, {0xfb18, 0xfb1c}, {0xfb37, 0xfb37},
	{0xfb3d, 0xfb3d}, {0xfb3f, 0xfb3f}, {0xfb42, 0xfb42}, {0xfb45, 0xfb45},
	{0xfbc3, 0xfbd2}, {0xfd90, 0xfd91}, {0xfdc8, 0xfdce}, {0xfdd0, 0xfdef},
	{0xfe1a, 0xfe1f}, {0xfe53, 0xfe53}, {0xfe67, 0xfe67}, {0xfe6c, 0xfe6f},
	{0xfe75, 0xfe75}, {0xfefd, 0xfefe}, {0xff00, 0xff00}, {0xffbf, 0xffc1},
	{0xffc8, 0xffc9}, {0xffd0, 0xffd1}, {0xffd8, 0xffd9}, {0xffdd, 0xffdf},
	{0xffe7, 0xffe7}, {0xffef, 0xfff8}, {0xfffe, 0xffff},
	{0x1000c, 0x1000c}, {0x10027, 0x10027}, {0x1003b, 0x1003b},
	{0x1003e, 0x1003e}, {0x1004e, 0x1004f}, {0x1005e, 0x1007f},
	{0x100fb, 0x100ff}, {0x10103, 0x10106}, {0x10134, 0x10136},
	{0x1018f, 0x1018f}, {0x1019d, 0x1019f}, {0x101a1, 0x101cf},
	{0x101fe, 0x1027f}, {0x1029d, 0x1029f}, {0x102d1, 0x102df},
	{0x102fc, 0x102ff}, {0x10324, 0x1032c}, {0x1034b, 0x1034f},
	{0x1037b, 0x1037f}, {0x1039e, 0x1039e}, {0x103c4, 0x103c7},
	{0x103d6, 0x103ff}, {0x1049e, 0x1049f}, {0x104aa, 0x104af},
	{0x104d4, 0x104d7}, {0x104fc, 0x104ff}, {0x10528, 0x1052f},
	{0x10564, 0x1056e}, {0x1057b, 0x1057b}, {0x1058b, 0x1058b},
	{0x10593, 0x10593}, {0x10596, 0x10596}, {0x105a2, 0x105a2},
	{0x105b2, 0x105b2}, {0x105ba, 0x105ba}, {0x105bd, 0x105ff},
	{0x10737, 0x1073f}, {0x10756, 0x1075f}, {0x10768, 0x1077f},
	{0x10786, 0x10786}, {0x107b1, 0x107b1}, {0x107bb, 0x107ff},
	{0x10806, 0x10807}, {0x10809, 0x10809}, {0x10836, 0x10836},
	{0x10839, 0x1083b}, {0x1083d, 0x1083e}, {0x10856, 0x10856},
	{0x1089f, 0x108a6}, {0x108b0, 0x108df}, {0x108f3, 0x108f3},
	{0x108f6, 0x108fa}, {0x1091c, 0x1091e}, {0x1093a, 0x1093e},
	{0x10940, 0x1097f}, {0x109b8, 0x109bb}, {0x109d0, 0x109d1},
	{0x10a04, 0x10a04}, {0x10a07, 0x10a0b}, {0x10a14, 0x10a14},
	{0x10a18, 0x10a18}, {0x10a36, 0x10a37}, {0x10a3b, 0x10a3e},
	{0x10a49, 0x10a4f}, {0x10a59, 0x10a5f}, {0x10aa0, 0x10abf},
	{0x10ae7, 0x10aea}, {0x10af7, 0x10aff}, {0x10b36, 0x10b38},
	{0x10b56, 0x10b57}, {0x10b73, 0x10b77}, {0x10b92, 0x10b98},
	{0x10b9d, 0x10ba8}, {0x10bb0, 0x10bff}, {0x10c49, 0x10c7f},
	{0x10cb3, 0x10cbf}, {0x10cf3, 0x10cf9}, {0x10d28, 0x10d2f},
	{0x10d3a, 0x10e5f}, {0x10e7f, 0x10e7f}, {0x10eaa, 0x10eaa},
	{0x10eae, 0x10eaf}, {0x10eb2, 0x10efc}, {0x10f28, 0x10f2f},
	{0x10f5a, 0x10f6f}, {0x10f8a, 0x10faf}, {0x10fcc, 0x10fdf},
	{0x10ff7, 0x10fff}, {0x1104e, 0x11051}, {0x11076, 0x1107e},
	{0x110c3, 0x110cc}, {0x110ce, 0x110cf}, {0x110e9, 0x110ef},
	{0x110fa, 0x110ff}, {0x11135, 0x11135}, {0x11148, 0x1114f},
	{0x11177, 0x1117f}, {0x111e0, 0x111e0}, {0x111f5, 0x111ff},
	{0x11212, 0x11212}, {0x11242, 0x1127f}, {0x11287, 0x11287},
	{0x11289, 0x11289}, {0x1128e, 0x1128e}, {0x1129e, 0x1129e},
	{0x112aa, 0x112af}, {0x112eb, 0x112ef}, {0x112fa, 0x112ff},
	{0x11304, 0x11304}, {0x1130d, 0x1130e}, {0x11311, 0x11312},
	{0x11329, 0x11329}, {0x11331, 0x11331}, {0x11334, 0x11334},
	{0x1133a, 0x1133a}, {0x11345, 0x11346}, {0x11349, 0x1134a},
	{0x1134e, 0x1134f}, {0x11351, 0x11356}, {0x11358, 0x1135c},
	{0x11364, 0x11365}, {0x1136d, 0x1136f}, {0x11375, 0x113ff},
	{0x1145c, 0x1145c}, {0x11462, 0x1147f}, {0x114c8, 0x114cf},
	{0x114da, 0x1157f}, {0x115b6, 0x115b7}, {0x115de, 0x115ff},
	{0x11645, 0x1164f}, {0x1165a, 0x1165f}, {0x1166d, 0x1167f},
	{0x116ba, 0x116bf}, {0x116ca, 0x116ff}, {0x1171b, 0x1171c},
	{0x1172c, 0x1172f}, {0x11747, 0x117ff}, {0x1183c, 0x1189f},
	{0x118f3, 0x118fe}, {0x11907, 0x11908}, {0x1190a, 0x1190b},
	{0x11914, 0x11914}, {0x11917, 0x11917}, {0x11936, 0x11936},
	{0x11939, 0x1193a}, {0x11947, 0x1194f}, {0x1195a, 0x1199f},
	{0x119a8, 0x119a9}, {0x119d8, 0x119d9}, {0x119e5, 0x119ff},
	{0x11a48, 0x11a4f}, {0x11aa3, 0x11aaf}, {0x11af9, 0x11aff},
	{0x11b0a, 0x11bff}, {0x11c09, 0x11c09}, {0x11c37, 0x11c37},
	{0x11c46, 0x11c4f}, {0x11c6d, 0x11c6f}, {0x11c90, 0x11c91},
	{0x11ca8, 0x11ca8}, {0x11cb7, 0x11cff}, {0x11d07, 0x11d07},
	{0x11d0a, 0x11d0a}, {0x11d37, 0x11d39}, {0x11d3b, 0x11d3b},
	{0x11d3e, 0x11d3e}, {0x11d48, 0x11d4f}, {0x11d5a, 0x11d5f},
	{0x11d66, 0x11d66}, {0x11d69, 0x11d69}, {0x11d8f, 0x11d8f},
	{0x11d92, 0x11d92}, {0x11d99, 0x11d9f}, {0x11daa, 0x11edf},
	{0x11ef9, 0x11eff}, {0x11f11, 0x11f11}, {0x11f3b, 0x11f3d},
	{0x11f5a, 0x11faf}, {0x11fb1, 0x11fbf}, {0x11ff2, 0x11ffe},
	{0x1239a, 0x123ff}, {0x1246f, 0x1246f}, {0x12475, 0x1247f},
	{0x12544, 0x12f8f}, {0x12ff3, 0x12fff}, {0x13456, 0x143ff},
	{0x14647, 0x167ff}, {0x16a39, 0x16a3f}, {0x16a5f, 0x16a5f},
	{0x16a6a, 0x16a6d}, {0x16abf, 0x16abf}, {0x16aca, 0x16acf},
	{0x16aee, 0x16aef}, {0x16af6, 0x16aff}, {0x16b46, 0x16b4f},
	{0x16b5a, 0x16b5a}, {0x16b62, 0x16b62}, {0x16b78, 0x16b7c},
	{0x16b90, 0x16e3f}, {0x16e9b, 0x16eff}, {0x16f4b, 0x16f4e},
	{0x16f88, 0x16f8e}, {0x16fa0, 0x16fdf}, {0x16fe5, 0x16fef},
	{0x16ff2, 0x16fff}, {0x187f8, 0x187ff}, {0x18cd6, 0x18cff},
	{0x18d09, 0x1afef}, {0x1aff4, 0x1aff4}, {0x1affc, 0x1affc},
	{0x1afff, 0x1afff}, {0x1b123, 0x1b131}, {0x1b133, 0x1b14f},
	{0x1b153, 0x1b154}, {0x1b156, 0x1b163}, {0x1b168, 0x1b16f},
	{0x1b2fc, 0x1bbff}, {0x1bc6b, 0x1bc6f}, {0x1bc7d, 0x1bc7f},
	{0x1bc89, 0x1bc8f}, {0x1bc9a, 0x1bc9b}, {0x1bca4, 0x1ceff},
	{0x1cf2e, 0x1cf2f}, {0x1cf47, 0x1cf4f}, {0x1cfc4, 0x1cfff},
	{0x1d0f6, 0x1d0ff}, {0x1d127, 0x1d128}, {0x1d1eb, 0x1d1ff},
	{0x1d246, 0x1d2bf}, {0x1d2d4, 0x1d2df}, {0x1d2f4, 0x1d2ff},
	{0x1d357, 0x1d35f}, {0x1d379, 0x1d3ff}, {0x1d455, 0x1d455},
	{0x1d49d, 0x1d49d}, {0x1d4a0, 0x1d4a1}, {0x1d4a3, 0x1d4a4},
	{0x1d4a7, 0x1d4a8}, {0x1d4ad, 0x1d4ad}, {0x1d4ba, 0x1d4ba},
	{0x1d4bc, 0x1d4bc}, {0x1d4c4, 0x1d4c4}, {0x1d506, 0x1d506},
	{0x1d50b, 0x1d50c}, {0x1d515, 0x1d515}, {0x1d51d, 0x1d51d},
	{0x1d53a, 0x1d53a}, {0x1d53f, 0x1d53f}, {0x1d545, 0x1d545},
	{0x1d547, 0x1d549}, {0x1d551, 0x1d551}, {0x1d6a6, 0x1d6a7},
	{0x1d7cc, 0x1d7cd}, {0x1da8c, 0x1da9a}, {0x1daa0, 0x1daa0},
	{0x1dab0, 0x1deff}, {0x1df1f, 0x1df24}, {0x1df2b, 0x1dfff},
	{0x1e007, 0x1e007}, {0x1e019, 0x1e01a}, {0x1e022, 0x1e022},
	{0x1e025, 0x1e025}, {0x1e02b, 0x1e02f}, {0x1e06e, 0x1e08e},
	{0x1e090, 0x1e0ff}, {0x1e12d, 0x1e12f}, {0x1e13e, 0x1e13f},
	{0x1e14a, 0x1e14d}, {0x1e150, 0x1e28f}, {0x1e2af, 0x1e2bf},
	{0x1e2fa, 0x1e2fe}, {0x1e300, 0x1e4cf}, {0x1e4fa, 0x1e7df},
	{0x1e7e7, 0x1e7e7}, {0x1e7ec, 0x1e7ec}, {0x1e7ef, 0x1e7ef},
	{0x1e7ff, 0x1e7ff}, {0x1e8c5, 0x1e8c6}, {0x1e8d7, 0x1e8ff},
	{0x1e94c, 0x1e94f}, {0x1e95a, 0x1e95d}, {0x1e960, 0x1ec70},
	{0x1ecb5, 0x1ed00}, {0x1ed3e, 0x1edff}, {0x1ee04, 0x1ee04},
	{0x1ee20, 0x1ee20}, {0x1ee23, 0x1ee23}, {0x1ee25, 0x1ee26},
	{0x1ee28, 0x1ee28}, {0x1ee33, 0x1ee33}, {0x1ee38, 0x1ee38},
	{0x1ee3a, 0x1ee3a}, {0x1ee3c, 0x1ee41}, {0x1ee43, 0x1ee46},
	{0x1ee48, 0x1ee48}, {0x1ee4a, 0x1ee4a}, {0x1ee4c, 0x1ee4c},
	{0x1ee50, 0x1ee50}, {0x1ee53, 0x1ee53}, {0x1ee55, 0x1ee56},
	{0x1ee58, 0x1ee58}, {0x1ee5a, 0x1ee5a}, {0x1ee5c, 0x1ee5c},
	{0x1ee5e, 0x1ee5e}, {0x1ee60, 0x1ee60}, {0x1ee63, 0x1ee63},
	{0x1ee65, 0x1ee66}, {0x1ee6b, 0x1ee6b}, {0x1ee73, 0x1ee73},
	{0x1ee78, 0x1ee78}, {0x1ee7d, 0x1ee7d}, {0x1ee7f, 0x1ee7f},
	{0x1ee8a, 0x1ee8a}, {0x1ee9c, 0x1eea0}, {0x1eea4, 0x1eea4},
	{0x1eeaa, 0x1eeaa}, {0x1eebc, 0x1eeef}, {0x1eef2, 0x1efff},
	{0x1f02c, 0x1f02f}, {0x1f094, 0x1f09f}, {0x1f0af, 0x1f0b0},
	{0x1f0c0, 0x1f0c0}, {0x1f0d0, 0x1f0d0}, {0x1f0f6, 0x1f0ff},
	{0x1f1ae, 0x1f1e5}, {0x1f203, 0x1f20f}, {0x1f23c, 0x1f23f},
	{0x1f249, 0x1f24f}, {0x1f252, 0x1f25f}, {0x1f266, 0x1f2ff},
	{0x1f6d8, 0x1f6db}, {0x1f6ed, 0x1f6ef}, {0x1f6fd, 0x1f6ff},
	{0x1f777, 0x1f77a}, {0x1f7da, 0x1f7df}, {0x1f7ec, 0x1f7ef},
	{0x1f7f1, 0x1f7ff}, {0x1f80c, 0x1f80f}, {0x1f848, 0x1f84f},
	{0x1f85a, 0x1f85f}, {0x1f888, 0x1f88f}, {0x1f8ae, 0x1f8af},
	{0x1f8b2, 0x1f8ff}, {0x1fa54, 0x1fa5f}, {0x1fa6e, 0x1fa6f},
	{0x1fa7d, 0x1fa7f}, {0x1fa89, 0x1fa8f}, {0x1fabe, 0x1fabe},
	{0x1fac6, 0x1facd}, {0x1fadc, 0x1fadf}, {0x1fae9, 0x1faef},
	{0x1faf9, 0x1faff}, {0x1fb93, 0x1fb93}, {0x1fbcb, 0x1fbef},
	{0x1fbfa, 0x1ffff}, {0x2a6e0, 0x2a6ff}, {0x2b73a, 0x2b73f},
	{0x2b81e, 0x2b81f}, {0x2cea2, 0x2ceaf}, {0x2ebe1, 0x2f7ff},
	{0x2fa1e, 0x2ffff}, {0x3134b, 0x3134f}, {0x323b0, 0xe0000},
	{0xe0002, 0xe001f}, {0xe0080, 0xe00ff}, {0xe01f0, 0xeffff},
	{0xffffe, 0xfffff}, {0x10fffe, 0x10ffff},
	/* clang-format on */
};

#define ASSIGNED_NOT_C "\\pL\\pM\\pN\\pP\\pS\\pZ"
#define OTHER_ASSIGNED "\\p{Cc}\\p{Cf}\\p{Cs}\\p{Co}"

static void put_unassigned(struct buf *out)
{
	for (size_t i = 0; i < COUNT(unassigned); i++)
		buf_addf(out, "\\x{%x}-\\x{%x}", unassigned[i][0],
			unassigned[i][1]);
}

/* First letter large, the rest small, without spaces, - and _. */
static void canonical(struct str name, char *out, size_t room)
{
	size_t n = 0;
	bool first = true;

	for (size_t i = 0; i < name.len && n + 1 < room; i++) {
		char c = name.ptr[i];

		if (c == '_' || c == '-' || c == ' ')
			continue;
		if (first && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		else if (!first && c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		first = false;
		out[n++] = c;
	}
	out[n] = '\0';
}

static bool word_in(const char *list, const char *word)
{
	char key[40];

	if (!*word || strchr(word, ' '))
		return false;
	snprintf(key, sizeof(key), " %s ", word);
	return strstr(list, key) != NULL;
}

/*
 * The members of class `name` as they stand between brackets; negated if
 * `not`. False when there is no such class.
 */
static bool put_class_name(struct buf *out, const char *name, bool neg)
{
	for (size_t i = 0; i < COUNT(aliases); i++)
		if (!strcmp(aliases[i].name, name))
			name = aliases[i].is;
	if (!strcmp(name, "Assigned")) {
		name = "Cn";
		neg = !neg;
	}
	if (!strcmp(name, "Any")) {
		if (!neg)
			buf_adds(out, "\\x{0}-\\x{10ffff}");
	} else if (!strcmp(name, "Ascii")) {
		buf_adds(out, neg ? "\\x{80}-\\x{10ffff}" : "\\x{0}-\\x{7f}");
	} else if (!strcmp(name, "Lc")) {
		buf_adds(out, neg ? "\\p{Lm}\\p{Lo}\\pM\\pN\\pP\\pS\\pZ"
				  : "\\p{Lu}\\p{Ll}\\p{Lt}");
		if (neg) {
			buf_adds(out, OTHER_ASSIGNED);
			put_unassigned(out);
		}
	} else if (!strcmp(name, "C") || !strcmp(name, "Cn")) {
		bool all = name[1] == '\0';

		if (neg)
			buf_adds(out, ASSIGNED_NOT_C);
		if (neg != all)
			buf_adds(out, OTHER_ASSIGNED);
		if (!neg)
			put_unassigned(out);
	} else if (word_in(categories, name) || word_in(scripts, name)) {
		buf_addf(out, "\\%c{%s}", neg ? 'P' : 'p', name);
	} else {
		return false;
	}
	return true;
}

enum { RUNES_PER_CLASS = 1300 }; /* \pL, the largest, has 1292 */

/*
 * \pN, \p{Greek}, \P{^Greek} at ps->at, to stand between brackets. `empty` is
 * set when the class has no members.
 */
static bool unicode_class(struct parser *ps, struct buf *out)
{
	size_t from = ps->at, name_at, name_end;
	bool neg = peek(ps, 1) == 'P';
	struct str name;
	char key[32];
	uint32_t cp;

	ps->at += 2;
	if (!next_rune(ps, &cp))
		return false;
	name_at = from + 2;
	name_end = ps->at;
	if (cp == '{') {
		name_end = str_find(ps->s, S("}"), from);
		if (name_end == SIZE_MAX)
			return check_utf8(ps, from, ps->s.len) &&
			       fail(ps, "invalid character class range", from,
				       ps->s.len);
		name_at++;
		ps->at = name_end + 1;
		if (!check_utf8(ps, name_at, name_end))
			return false;
	}
	if (name_at < name_end && ps->s.ptr[name_at] == '^') {
		neg = !neg;
		name_at++;
	}
	name = str_slice(ps->s, name_at, name_end);
	canonical(name, key, sizeof(key));
	note_range(ps, 0, 0x10ffff);
	ps->nrunes += RUNES_PER_CLASS;
	if (!put_class_name(out, key, neg))
		return fail(ps, "invalid character class range", from, ps->at);
	return true;
}

/* --- escapes --------------------------------------------------------- */

static int hex_digit(uint32_t c)
{
	if (c >= '0' && c <= '9')
		return (int)c - '0';
	if (c >= 'a' && c <= 'f')
		return (int)c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return (int)c - 'A' + 10;
	return -1;
}

static bool is_octal(int c)
{
	return c >= '0' && c <= '7';
}

static bool bad_escape(struct parser *ps, size_t from)
{
	return fail(ps, "invalid escape sequence", from, ps->at);
}

/* Behind \x. */
static bool hex_escape(struct parser *ps, size_t from, uint32_t *out)
{
	uint32_t c, c2, r = 0;
	size_t n = 0;

	if (!left(ps))
		return bad_escape(ps, from);
	if (!next_rune(ps, &c))
		return false;
	if (c != '{') {
		if (!next_rune(ps, &c2))
			return false;
		if (hex_digit(c) < 0 || hex_digit(c2) < 0)
			return bad_escape(ps, from);
		*out = (uint32_t)(hex_digit(c) * 16 + hex_digit(c2));
		return true;
	}
	for (;; n++) {
		if (!left(ps))
			return bad_escape(ps, from);
		if (!next_rune(ps, &c))
			return false;
		if (c == '}')
			break;
		if (hex_digit(c) < 0)
			return bad_escape(ps, from);
		r = r * 16 + (uint32_t)hex_digit(c);
		if (r > 0x10ffff)
			return bad_escape(ps, from);
	}
	if (n == 0)
		return bad_escape(ps, from);
	*out = r;
	return true;
}

/* An escape that stands for one code point; ps->at is at the backslash. */
static bool escape(struct parser *ps, uint32_t *out)
{
	static const char letters[] = "afnrtv", codes[] = "\a\f\n\r\t\v";
	size_t from = ps->at;
	const char *letter;
	uint32_t c;

	ps->at++;
	if (!left(ps))
		return fail(ps, "trailing backslash at end of expression",
			ps->at, ps->at);
	if (!next_rune(ps, &c))
		return false;
	if (c == 'x')
		return hex_escape(ps, from, out);
	if (c == '0' || (c >= '1' && c <= '7' && is_octal(peek(ps, 0)))) {
		uint32_t r = c - '0';

		for (int i = 1; i < 3 && is_octal(peek(ps, 0)); i++)
			r = r * 8 + (uint32_t)(ps->s.ptr[ps->at++] - '0');
		*out = r;
		return true;
	}
	letter = c < 0x80 && c ? strchr(letters, (int)c) : NULL;
	if (letter)
		*out = (uint32_t)codes[letter - letters];
	else if (c < 0x80 && !is_alnum(c))
		*out = c;
	else
		return bad_escape(ps, from);
	return true;
}

static bool at_perl_class(const struct parser *ps)
{
	return peek(ps, 0) == '\\' && peek(ps, 1) > 0 &&
	       strchr("dDsSwW", peek(ps, 1));
}

/* \w at ps->at, as it stands between brackets. */
static void perl_class(struct parser *ps, struct buf *out)
{
	if (!strchr("ds", peek(ps, 1)))
		note_range(ps, 0, 0x10ffff);
	buf_addstr(out, str_slice(ps->s, ps->at, ps->at + 2));
	ps->at += 2;
}

static bool at_unicode_class(const struct parser *ps)
{
	return peek(ps, 0) == '\\' &&
	       (peek(ps, 1) == 'p' || peek(ps, 1) == 'P');
}

/* --- [classes] ------------------------------------------------------- */

/* [:alpha:] at ps->at. *found is false when it is none; false on an error. */
static bool named_class(struct parser *ps, struct buf *out, bool *found)
{
	static const char names[] = " alnum alpha ascii blank cntrl digit graph"
				    " lower print punct space upper word"
				    " xdigit ";
	size_t end = str_find(ps->s, S(":]"), ps->at + 2);
	struct str name;
	char key[16];

	*found = end != SIZE_MAX;
	if (!*found)
		return true;
	name = str_slice(ps->s, ps->at + 2, end);
	if (str_starts(name, S("^")))
		name = str_slice(name, 1, name.len);
	snprintf(key, sizeof(key), "%.*s", STR_ARG(name));
	if (name.len + 1 > sizeof(key) || strlen(key) != name.len ||
		!word_in(names, key))
		return fail(
			ps, "invalid character class range", ps->at, end + 2);
	note_range(ps, 0, 0x10ffff);
	buf_addstr(out, str_slice(ps->s, ps->at, end + 2));
	ps->at = end + 2;
	return true;
}

static bool class_rune(struct parser *ps, size_t class_at, uint32_t *out)
{
	if (!left(ps))
		return fail(ps, "missing closing ]", class_at, ps->s.len);
	if (peek(ps, 0) == '\\')
		return escape(ps, out);
	return next_rune(ps, out);
}

static bool class_range(struct parser *ps, size_t class_at, struct buf *out)
{
	size_t from = ps->at;
	uint32_t lo, hi;

	if (!class_rune(ps, class_at, &lo))
		return false;
	hi = lo;
	if (peek(ps, 0) == '-' && peek(ps, 1) >= 0 && peek(ps, 1) != ']') {
		ps->at++;
		if (!class_rune(ps, class_at, &hi))
			return false;
		if (hi < lo)
			return fail(ps, "invalid character class range", from,
				ps->at);
	}
	note_range(ps, lo, hi);
	put_rune(out, lo);
	if (hi != lo) {
		buf_addc(out, '-');
		put_rune(out, hi);
	}
	ps->nrunes += 2;
	return true;
}

static bool class_member(struct parser *ps, size_t class_at, struct buf *out)
{
	if (left(ps) > 2 && peek(ps, 0) == '[' && peek(ps, 1) == ':') {
		bool found;

		if (!named_class(ps, out, &found))
			return false;
		if (found)
			return true;
	}
	if (at_unicode_class(ps))
		return unicode_class(ps, out);
	if (at_perl_class(ps)) {
		perl_class(ps, out);
		return true;
	}
	return class_range(ps, class_at, out);
}

/*
 * Append [members] or [^members]. Without members it is nothing, or anything:
 * only \P{Any} can be without.
 */
static bool push_class(struct parser *ps, bool neg, struct str members)
{
	struct buf *out = &ps->p->out;
	bool fold = ps->flags & F_FOLD;
	size_t at = out->len;

	plain_no(ps);
	ps->nnodes++;
	fold_open(ps, fold);
	buf_adds(out, neg == (members.len == 0) ? "[" : "[^");
	if (members.len)
		buf_addstr(out, members);
	else
		buf_adds(out, "\\x{0}-\\x{10ffff}");
	buf_addc(out, ']');
	fold_close(ps, fold);
	return push(ps, at, one_inst);
}

static bool class(struct parser *ps)
{
	struct buf members = {0};
	size_t from = ps->at++;
	bool neg = peek(ps, 0) == '^', first = true, ok = true;

	if (neg)
		ps->at++;
	while (ok && (first || peek(ps, 0) != ']')) {
		first = false;
		ok = class_member(ps, from, &members);
	}
	ps->at++;
	ok = ok && push_class(ps, neg, buf_str(&members));
	buf_release(&members);
	return ok;
}

/* --- groups ---------------------------------------------------------- */

static void name_add(struct rx_parsed *p, struct str text)
{
	if (p->nnames == p->capnames) {
		p->capnames = p->capnames ? p->capnames * 2 : 8;
		p->names = realloc(p->names, p->capnames * sizeof(*p->names));
		if (!p->names)
			die("out of memory: %zu names", p->capnames);
	}
	p->names[p->nnames++] = (struct rx_name){p->ngroups, text};
}

static void group_open(struct parser *ps, bool captures)
{
	plain_no(ps);
	level_open(ps, captures);
	level(ps)->open_at = ps->p->out.len;
	buf_adds(&ps->p->out, captures ? "(" : "(?:");
	if (captures)
		ps->p->ngroups++;
}

/* (?P<name> or (?<name>, with the name at `name_at`. */
static bool named_group(struct parser *ps, size_t name_at)
{
	size_t from = ps->at, end = str_find(ps->s, S(">"), from);
	struct str name;

	if (end == SIZE_MAX)
		return check_utf8(ps, from, ps->s.len) &&
		       fail(ps, "invalid named capture", from, ps->s.len);
	if (!check_utf8(ps, name_at, end))
		return false;
	name = str_slice(ps->s, name_at, end);
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] != '_' && !is_alnum((unsigned char)name.ptr[i]))
			name.len = 0;
	if (name.len == 0)
		return fail(ps, "invalid named capture", from, end + 1);
	group_open(ps, true);
	name_add(ps->p, name);
	ps->at = end + 1;
	return true;
}

static uint8_t flag_of(uint32_t c)
{
	switch (c) {
	case 'i':
		return F_FOLD;
	case 'm':
		return F_MULTI;
	case 's':
		return F_DOTNL;
	case 'U':
		return F_LAZY;
	default:
		return 0;
	}
}

/* (?flags) and (?flags: and everything else that begins with (? */
static bool flag_group(struct parser *ps)
{
	size_t from = ps->at;
	uint8_t flags = ps->flags, f;
	bool minus = false, saw = false;
	uint32_t c;

	if (left(ps) > 4 && peek(ps, 2) == 'P' && peek(ps, 3) == '<')
		return named_group(ps, from + 4);
	if (left(ps) > 3 && peek(ps, 2) == '<')
		return named_group(ps, from + 3);
	ps->at += 2;
	while (left(ps)) {
		if (!next_rune(ps, &c))
			return false;
		f = flag_of(c);
		if (f) {
			flags = (uint8_t)(minus ? flags & ~f : flags | f);
			saw = true;
		} else if (c == '-' && !minus) {
			minus = true;
			saw = false;
		} else if ((c == ':' || c == ')') && (!minus || saw)) {
			if (c == ':')
				group_open(ps, false);
			ps->flags = flags;
			plain_no(ps);
			return true;
		} else {
			break;
		}
	}
	return fail(ps, "invalid or unsupported Perl syntax", from, ps->at);
}

static bool group_close(struct parser *ps)
{
	struct level *l = level(ps);
	struct measure m;
	size_t at;

	seq_to_alts(l);
	if (ps->nlevels == 1)
		return fail_whole(ps, "unexpected )");
	m = measure_level(l);
	if (l->captures) {
		m = measure_height(m, m.height + 1);
		m.size += 2;
	}
	at = l->open_at;
	ps->flags = l->flags;
	ps->nlevels--;
	buf_addc(&ps->p->out, ')');
	ps->nnodes++;
	return push(ps, at, m);
}

/* --- repetition ------------------------------------------------------ */

/* Go's rules for a number of copies: no leading zero, cut above 1e8. */
static bool repeat_number(const struct str s, size_t *at, int64_t *out)
{
	size_t i = *at;
	int64_t n = 0;

	if (i >= s.len || s.ptr[i] < '0' || s.ptr[i] > '9')
		return false;
	if (s.ptr[i] == '0' && i + 1 < s.len && s.ptr[i + 1] >= '0' &&
		s.ptr[i + 1] <= '9')
		return false;
	for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
		if (n >= 0)
			n = n >= 100000000 ? -1 : n * 10 + s.ptr[i] - '0';
	*at = i;
	*out = n;
	return true;
}

/* {n}, {n,}, {n,m}: false when the brace is no repetition. *max -1: open. */
static bool repeat_parse(
	struct parser *ps, size_t *end, int64_t *min, int64_t *max)
{
	struct str s = ps->s;
	size_t i = ps->at + 1;

	if (!repeat_number(s, &i, min) || i >= s.len)
		return false;
	*max = *min;
	if (s.ptr[i] == ',') {
		i++;
		if (i < s.len && s.ptr[i] == '}')
			*max = -1;
		else if (!repeat_number(s, &i, max))
			return false;
		else if (*max < 0)
			*min = -1;
	}
	if (i >= s.len || s.ptr[i] != '}')
		return false;
	*end = i + 1;
	return true;
}

static struct measure measure_repeat(
	struct measure sub, char op, int64_t min, int64_t max)
{
	struct measure m = measure_height(sub, sub.height + 1);

	if (op != '{') {
		m.size = sub.size + 1 + (op == '*');
		return m;
	}
	if (max < 0)
		m.size = min ? 1 + (uint64_t)min * sub.size : 2 + sub.size;
	else
		m.size = max ? (uint64_t)max * sub.size + (uint64_t)(max - min)
			     : 1;
	int64_t top = max < 0 ? min : max;

	if (max == 0)
		m.copies = 0;
	else if (top > 0)
		m.copies = (uint32_t)top * (sub.copies ? sub.copies : 1);
	return m;
}

static bool repeat(struct parser *ps, size_t op_len, int64_t min, int64_t max)
{
	struct level *l = level(ps);
	struct buf *out = &ps->p->out;
	char op = ps->s.ptr[ps->at];
	size_t from = ps->at;
	bool lazy = ps->flags & F_LAZY;

	plain_repeat(ps, op);
	ps->at += op_len;
	if (peek(ps, 0) == '?') {
		ps->at++;
		lazy = !lazy;
	}
	if (ps->last_repeat != SIZE_MAX)
		return fail(ps, "invalid nested repetition operator",
			ps->last_repeat, ps->at);
	if (!l->has_top)
		return fail(ps, "missing argument to repetition operator", from,
			ps->at);
	if (l->is_repeat) { /* a*\Q\E* is (?:a*)* */
		size_t n = out->len - l->top_at;

		buf_adds(out, "(?:)");
		memmove(out->ptr + l->top_at + 3, out->ptr + l->top_at, n);
		memcpy(out->ptr + l->top_at, "(?:", 3);
		out->ptr[out->len - 1] = ')';
	}
	buf_addstr(out, str_slice(ps->s, from, from + op_len));
	if (lazy)
		buf_addc(out, '?');
	l->is_repeat = true;
	ps->nnodes += 2;
	l->top = measure_repeat(l->top, op, min, max);
	if (!measure_ok(ps, l->top))
		return false;
	if (op == '{' && (min >= 2 || max >= 2) && l->top.copies > REPEAT_MAX)
		return fail(ps, "invalid repeat count", from, ps->at);
	ps->last_repeat = from;
	return true;
}

static bool brace(struct parser *ps)
{
	int64_t min, max;
	size_t end;

	if (!repeat_parse(ps, &end, &min, &max)) {
		ps->at++;
		ps->last_repeat = SIZE_MAX;
		return literal(ps, '{');
	}
	if (min < 0 || min > REPEAT_MAX || max > REPEAT_MAX ||
		(max >= 0 && min > max))
		return fail(ps, "invalid repeat count", ps->at, end);
	return repeat(ps, end - ps->at, min, max);
}

/* --- the pattern ----------------------------------------------------- */

/* \Q ... \E, or to the end. */
static bool quoted(struct parser *ps)
{
	size_t end;

	ps->at += 2;
	end = str_find(ps->s, S("\\E"), ps->at);
	if (end == SIZE_MAX)
		end = ps->s.len;
	while (ps->at < end) {
		uint32_t cp;
		size_t n = utf8_decode(ps->s.ptr + ps->at, end - ps->at, &cp);

		if (cp == 0xfffd && n == 1)
			return fail(ps, "invalid UTF-8", ps->at, end);
		ps->at += n;
		if (!literal(ps, cp))
			return false;
	}
	if (end < ps->s.len)
		ps->at = end + 2;
	return true;
}

static bool class_escape(struct parser *ps)
{
	struct buf members = {0};
	bool ok = true;

	if (at_perl_class(ps)) {
		perl_class(ps, &members);
	} else {
		ok = unicode_class(ps, &members);
	}
	ok = ok && push_class(ps, false, buf_str(&members));
	buf_release(&members);
	return ok;
}

static bool backslash(struct parser *ps)
{
	uint32_t c;

	switch (peek(ps, 1)) {
	case 'A':
		ps->at += 2;
		return anchor(ps, "\\A");
	case 'z':
		ps->at += 2;
		return anchor(ps, "\\z");
	case 'b':
		ps->at += 2;
		return anchor(ps, "\\b");
	case 'B':
		ps->at += 2;
		ps->p->has_not_boundary = true;
		return anchor(ps, "\\B");
	case 'C':
		return fail(ps, "invalid escape sequence", ps->at, ps->at + 2);
	case 'Q':
		return quoted(ps);
	default:
		break;
	}
	if (at_perl_class(ps) || at_unicode_class(ps))
		return class_escape(ps);
	return escape(ps, &c) && literal(ps, c);
}

static bool one_char(struct parser *ps, char c)
{
	bool multi = ps->flags & F_MULTI;

	ps->at++;
	switch (c) {
	case '(':
		group_open(ps, true);
		return true;
	case ')':
		return group_close(ps);
	case '|':
		plain_no(ps);
		seq_to_alts(level(ps));
		ps->letters.has_bar = true;
		buf_adds(&ps->p->out, ps->split_alts ? "(?:)|" : "|");
		return true;
	case '^':
		plain_begin(ps);
		return push_text(ps, multi ? "(?m:^)" : "\\A");
	case '$':
		plain_end(ps);
		return push_text(ps, multi ? "(?m:$)" : "\\z");
	default: /* . */
		plain_dot(ps);
		return push_text(ps, ps->flags & F_DOTNL ? "(?s:.)" : ".");
	}
}

static bool item(struct parser *ps)
{
	char c = ps->s.ptr[ps->at];
	uint32_t cp;

	if (c == '*' || c == '+' || c == '?')
		return repeat(ps, 1, 0, 0);
	if (c == '{')
		return brace(ps);
	ps->last_repeat = SIZE_MAX;
	if (c == '\\')
		return backslash(ps);
	if (c == '[')
		return class(ps);
	if (c == '(' && peek(ps, 1) == '?')
		return flag_group(ps);
	if (c && strchr("()|^$.", c))
		return one_char(ps, c);
	return next_rune(ps, &cp) && literal(ps, cp);
}

static bool parse_pass(struct parser *ps)
{
	bool ok = true;

	level_open(ps, false);
	while (ok && left(ps))
		ok = item(ps);
	if (ok) {
		struct level *l = level(ps);

		seq_to_alts(l);
		ok = measure_ok(ps, measure_level(l));
	}
	if (ok && ps->nlevels != 1)
		ok = fail_whole(ps, "missing closing )");
	ps->p->is_plain = ok && ps->plain != P_NOT && !ps->dot_pending;
	if (!ps->p->out.ptr)
		buf_adds(&ps->p->out, "");
	free(ps->levels);
	return ok;
}

bool rx_parse(struct str pattern, struct rx_parsed *out, struct err *e)
{
	struct parser ps = {
		.s = pattern, .p = out, .e = e, .last_repeat = SIZE_MAX};
	struct parser again = ps;

	if (!parse_pass(&ps))
		return false;
	if (!alternation_hazard(&ps.letters))
		return true;
	rx_parsed_release(out);
	again.split_alts = true;
	return parse_pass(&again);
}

void rx_parsed_release(struct rx_parsed *p)
{
	buf_release(&p->out);
	buf_release(&p->plain);
	free(p->names);
	*p = (struct rx_parsed){0};
}
