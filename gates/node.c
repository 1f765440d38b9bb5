#include "gates/node.h"

#include "base/json.h"

struct builder_at {
	struct arena *arena;
	const char *name;
	struct yaml_reader *reader;
};

static struct node *node_add(struct arena *a, struct node *to)
{
	to->items =
		arena_grow(a, to->items, to->n, &to->cap, sizeof(*to->items));
	return &to->items[to->n++];
}

static bool repeated(const struct node *map, struct str key)
{
	/* The last item is the key itself. */
	for (uint32_t i = 0; i + 1 < map->n; i += 2)
		if (str_eq(map->items[i].text, key))
			return true;
	return false;
}

static enum status fill(struct builder_at *b, const struct yaml_event *ev,
	struct node *out, struct err *e);

static enum status fill_items(
	struct builder_at *b, struct node *out, struct err *e)
{
	struct yaml_event ev;

	for (;;) {
		enum status st = yaml_next(b->reader, &ev, e);

		if (st || ev.kind == YAML_CLOSE)
			return st;
		struct node child = {0};

		st = fill(b, &ev, &child, e);
		if (st)
			return st;
		*node_add(b->arena, out) = child;
		if (out->kind == YAML_MAP && ev.key &&
			repeated(out, child.text))
			return err_set(e, E_INVALID,
				"%s:%u:%u: key \"%.*s\" is given twice",
				b->name, child.row, child.col,
				STR_ARG(child.text));
	}
}

static enum status fill(struct builder_at *b, const struct yaml_event *ev,
	struct node *out, struct err *e)
{
	*out = (struct node){.kind = ev->kind,
		.type = ev->type,
		.row = ev->row,
		.col = ev->col};
	if (ev->kind == YAML_SCALAR) {
		out->text = arena_str(b->arena, ev->text);
		return OK;
	}
	return fill_items(b, out, e);
}

static enum status document(
	struct builder_at *b, struct node *out, struct err *e)
{
	struct yaml_event ev;
	bool seen = false;

	*out = (struct node){.kind = YAML_SCALAR, .row = 1, .col = 1};
	for (;;) {
		enum status st = yaml_next(b->reader, &ev, e);

		if (st || ev.kind == YAML_END)
			return st;
		if (ev.kind == YAML_DOC && seen)
			return err_set(e, E_INVALID,
				"%s:%u:%u: a second document; one is allowed",
				b->name, ev.row, ev.col);
		if (ev.kind == YAML_DOC)
			continue;
		seen = true;
		st = fill(b, &ev, out, e);
		if (st)
			return st;
	}
}

enum status node_parse(struct arena *a, const char *name, struct str text,
	struct node *out, struct err *e)
{
	struct builder_at b = {a, name, yaml_reader_new(name, text)};
	enum status st = document(&b, out, e);

	yaml_reader_free(b.reader);
	return st;
}

const struct node *node_get(const struct node *map, const char *key)
{
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (uint32_t i = 0; i < map->n; i += 2)
		if (str_is(map->items[i].text, key))
			return &map->items[i + 1];
	return NULL;
}

const char *node_string(
	struct arena *a, const struct node *map, const char *key)
{
	const struct node *n = node_get(map, key);

	if (!n || n->kind != YAML_SCALAR || n->type == YAML_NULL)
		return NULL;
	return arena_strdup(a, n->text);
}

static void scalar_json(struct buf *out, const struct node *n)
{
	bool plain = n->type == YAML_BOOL || n->type == YAML_INT ||
		     n->type == YAML_FLOAT;
	struct str value;
	struct err e;

	if (n->type == YAML_NULL)
		buf_adds(out, "null");
	else if (n->type == YAML_BOOL)
		buf_adds(out, n->text.ptr[0] == 't' || n->text.ptr[0] == 'T'
				      ? "true"
				      : "false");
	else if (plain && !json_check(n->text, NULL, &value, &e))
		buf_addstr(out, value);
	else /* what JSON writes in another way: 0x1f, .5, +3 */
		json_quote(out, n->text);
}

void node_json(struct buf *out, const struct node *n)
{
	bool map = n->kind == YAML_MAP;

	if (n->kind == YAML_SCALAR) {
		scalar_json(out, n);
		return;
	}
	buf_addc(out, map ? '{' : '[');
	for (uint32_t i = 0; i < n->n; i++) {
		if (map && i % 2 == 0) {
			buf_adds(out, i ? "," : "");
			json_quote(out, n->items[i].text);
			buf_addc(out, ':');
			continue;
		}
		buf_adds(out, !map && i ? "," : "");
		node_json(out, &n->items[i]);
	}
	buf_addc(out, map ? '}' : ']');
}
