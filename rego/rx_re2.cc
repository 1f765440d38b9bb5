#include "rego/rx_engine.h"

#include <cstdio>
#include <new>
#include <re2/re2.h>
#include <vector>

struct rx_engine {
	re2::RE2 re;

	rx_engine(const re2::StringPiece &pattern, const re2::RE2::Options &opt)
	    : re(pattern, opt)
	{
	}
};

rx_engine *rx_engine_new(const char *pattern, size_t len, int64_t memory,
	bool *too_large, char *why, size_t room)
{
	re2::RE2::Options opt;

	opt.set_log_errors(false);
	opt.set_max_mem(memory);
	auto *x = new rx_engine(re2::StringPiece(pattern, len), opt);
	if (x->re.ok())
		return x;
	*too_large = x->re.error_code() == re2::RE2::ErrorPatternTooLarge;
	std::snprintf(why, room, "%s", x->re.error().c_str());
	delete x;
	return nullptr;
}

void rx_engine_free(rx_engine *x)
{
	delete x;
}

/* RE2 reckons with 64 bytes for an instruction, its tables included. */
size_t rx_engine_size(const rx_engine *x)
{
	return static_cast<size_t>(x->re.ProgramSize()) * 64;
}

bool rx_engine_find(const rx_engine *x, const char *text, size_t len,
	size_t from, size_t *pairs, size_t n)
{
	constexpr size_t few = 16;
	re2::StringPiece some[few];
	std::vector<re2::StringPiece> many;
	re2::StringPiece *got = some;

	if (n > few) {
		many.resize(n);
		got = many.data();
	}
	if (!x->re.Match(re2::StringPiece(text, len), from, len,
		    re2::RE2::UNANCHORED, got, static_cast<int>(n)))
		return false;
	for (size_t i = 0; i < n; i++) {
		bool took_part = got[i].data() != nullptr;
		size_t at = took_part
				    ? static_cast<size_t>(got[i].data() - text)
				    : SIZE_MAX;

		pairs[2 * i] = at;
		pairs[2 * i + 1] = took_part ? at + got[i].size() : SIZE_MAX;
	}
	return true;
}
