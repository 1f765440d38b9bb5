# Regatta: one program, build/regatta, and everything that tests it.
#
#   make            the program (and the libraries it is made of)
#   make deps       install the packages needed to build and test
#   make test       every test that needs nothing but a clone; ends with one
#                   line "N passed, N failed", as do unit, conformance, cases,
#                   golden, corpora and e2e
#   make demo       the program at work, as a user would type it; AGENTS=opa
#                   with real agents, KEEP=1 leaves it running
#   make bench      one table of times, ratios and memory beside OPA, nginx and
#                   gzip; ONLY=cold,serve and SCALE=0.1 measure less
#   make install    the program, its manual page and completion (uninstall too)
#   make deb        a Debian package; make dist: a tarball of what is committed
#
# Variables: CC (gcc, clang-14), WERROR=-Werror, OPT=-O2, BUILD=build,
# SAN=address,undefined (any -fsanitize list), UNIT=base_% (which unit tests),
# WITHOUT=num (which of them not),
# CASES=DIR and REGO=v0 (conformance), DIR=... (corpora), DESTDIR and the folders
# of `install`, named as GNU's are, in either case.
#
# Starting costs nothing: see LINK below and base/lib.h.

BUILD  ?= build
OPT    ?= -O2
PYTHON ?= python3
FUZZ_SECONDS ?= 60

# Each may use those before it; `make lint` refuses an include that goes up.
LIBS = base rego signer bundler gates decisions canary server agent cli

ifeq ($(origin CC),default)
CC = gcc
endif
CLANG := $(findstring clang,$(shell $(CC) --version | head -n 1))
ifeq ($(origin CXX),default)
CXX = $(if $(CLANG),$(subst clang,clang++,$(CC)),$(subst gcc,g++,$(CC)))
endif
ARCH := $(shell uname -m)

# --- flags ---------------------------------------------------------------

WARN = -Wall -Wextra -Wpedantic -Wformat=2 -Wconversion -Wsign-conversion \
	-Wshadow -Wvla -Wcast-qual -Wnull-dereference -Wundef -Wswitch-enum
WARN_C = -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Werror=implicit -Werror=incompatible-pointer-types \
	-Werror=int-conversion
HARD = -fstack-protector-strong -fstack-clash-protection -fPIE \
	-fno-delete-null-pointer-checks -fno-strict-overflow \
	-fno-strict-aliasing -fno-common -ffile-prefix-map=$(CURDIR)=.
# Off under sanitizers: fortify hides from them what zeroing would mend.
HARD_PLAIN = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3

ifdef CLANG
WARN += -Wimplicit-fallthrough
else # gcc 12
WARN += -Wformat-signedness -Wcast-align=strict -Wduplicated-cond \
	-Wduplicated-branches -Wlogical-op -Walloc-zero -Wtrampolines \
	-Wbidi-chars=any -Wimplicit-fallthrough=5 -Warray-bounds=2 \
	-Wstringop-overflow=4 -Wuse-after-free=3 -Wdangling-pointer=2
HARD_PLAIN += -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr
endif
ifeq ($(ARCH),x86_64)
HARD += -fcf-protection=full
else ifeq ($(ARCH),aarch64)
HARD += -mbranch-protection=standard
endif

ifdef SAN
HARD += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDSAN = -fsanitize=$(SAN)
else
HARD += $(HARD_PLAIN)
endif

ALLFLAGS = -I. -D_GNU_SOURCE -MMD -MP $(OPT) -g $(HARD) $(WARN) $(WERROR) \
	$(CPPFLAGS)
C   = $(CC) -std=c17 -include base/banned.h $(ALLFLAGS) $(WARN_C) $(CFLAGS)
CPP = $(CXX) -std=c++17 $(ALLFLAGS) $(CXXFLAGS)

# What is small or always used comes from static archives; libcrypto, libgit2 and
# libcurl are opened on first use (base/lib.h). Whole process, median of 400
# spawns of a main() that references each but calls none, 2-core Xeon VM:
#   libc alone                                            0.54 ms
#   gmp, yaml, re2, libstdc++ as archives                 0.60 ms
#   the same with zlib and zstd as archives               0.61 ms
#   and sqlite: 1,700 relocations                         0.68 ms
#   the same with libcrypto.a: 20,000 relocations         0.87 ms
#   gmp, yaml, re2, libstdc++ shared                      1.24 ms
#   all of them shared                                    2.06 ms
# A module opened on first use (0.55 ms) gains 0.06 ms where RE2 is not needed
# and costs 0.8 ms where it is; opening libcurl costs 4.5 ms.
LINK = $(CXX) -pie $(LDSAN) -static-libgcc -static-libstdc++ \
	-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen \
	-Wl,-z,separate-code -Wl,--as-needed -Wl,--no-copy-dt-needed-entries \
	-Wl,--fatal-warnings $(LDFLAGS)
# libarchive.so draws libxml2 and ICU in and takes 4.4 ms to load; of the
# archive only what reads tar is linked, and it needs nothing else.
ARCHIVES = re2 gmp yaml archive sqlite3 zstd z
LDLIBS = -Wl,-Bstatic $(ARCHIVES:%=-l%) -Wl,-Bdynamic -lm -lpthread -ldl

# make V=1 shows whole commands.
Q   = $(if $(V),,@)
SAY = @$(if $(V),:,printf '%-5s %s\n')

# --- the program -----------------------------------------------------------

srcs = $(wildcard $1/*.c $1/*/*.c $1/*.cc $1/*/*.cc)
objs = $(patsubst %,$(BUILD)/%.o,$(basename $1))
# A library that has no source yet is not there.
HAVE = $(foreach l,$(LIBS),$(if $(filter-out cli/main.c,$(call srcs,$l)),$l))
SRC  = $(foreach l,$(LIBS),$(call srcs,$l))
HDR  = $(foreach l,$(LIBS),$(wildcard $l/*.h $l/*/*.h)) $(wildcard tests/*.h tests/*/*.h)
# The highest library first, as the linker wants them.
AR_ALL  = $(shell echo $(HAVE:%=$(BUILD)/lib%.a) | tr ' ' '\n' | tac)
MAIN    = $(wildcard cli/main.c)
PROGRAM = $(if $(MAIN),$(BUILD)/regatta)

all: $(HAVE:%=$(BUILD)/lib%.a) $(PROGRAM)

$(BUILD)/regatta: $(BUILD)/cli/main.o $(AR_ALL)
	$(SAY) LINK $@
	$(Q)$(LINK) -o $@ $^ $(LDLIBS)

define library
$(BUILD)/lib$1.a: $$(call objs,$$(filter-out cli/main.c,$$(call srcs,$1)))
	$$(SAY) AR $$@
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach l,$(LIBS),$(eval $(call library,$l)))

# A verdict is the same number whoever compiled it.
$(BUILD)/canary/%.o: CFLAGS += -ffp-contract=off

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(C) -c -o $@ $<
$(BUILD)/%.o: %.cc Makefile
	@mkdir -p $(@D)
	$(SAY) CXX $<
	$(Q)$(CPP) -c -o $@ $<

# The files that `regatta init` writes are part of the program.
$(BUILD)/libcli.a: $(BUILD)/cli/template.o
$(BUILD)/cli/template.c: cli/template.sh $(shell find policies -type f)
	@mkdir -p $(@D)
	$(SAY) GEN $@
	$(Q)cli/template.sh policies >$@.new && mv $@.new $@
$(BUILD)/cli/template.o: $(BUILD)/cli/template.c cli/template.h
	$(SAY) CC $@
	$(Q)$(C) -c -o $@ $<

# The dashboard's style and script too (.incbin in server/page_serve.c).
$(BUILD)/server/page_serve.o: $(wildcard server/page.css server/page.js server/page.svg)

# --- tests -------------------------------------------------------------------

# tests/test_*.c: one cmocka program each. tests/fuzz/fuzz_*.c: one libFuzzer
# target each; replay.c runs its seeds in the plain and the asan build.
UNIT ?= %
FUZZ ?= %
tests     = $(filter-out $(WITHOUT:%=tests/test_%.c), \
	$(filter tests/test_$(UNIT).c,$(wildcard tests/test_*.c)))
fuzzers   = $(filter tests/fuzz/fuzz_$(FUZZ).c,$(wildcard tests/fuzz/fuzz_*.c))
UNIT_BIN  = $(tests:%.c=$(BUILD)/%)
FUZZ_BIN  = $(fuzzers:%.c=$(BUILD)/%)
DRIVER    = $(if $(findstring fuzzer,$(SAN)),,$(BUILD)/tests/fuzz/replay.o)

$(UNIT_BIN) $(FUZZ_BIN): $(AR_ALL)
$(UNIT_BIN): $(BUILD)/%: $(BUILD)/%.o
	$(SAY) LINK $@
	$(Q)$(LINK) -o $@ $< $(filter %.a,$^) -lcmocka $(LDLIBS)
$(FUZZ_BIN): $(BUILD)/%: $(BUILD)/%.o $(DRIVER)
	$(SAY) LINK $@
	$(Q)$(LINK) $(if $(DRIVER),,-fsanitize=fuzzer) -o $@ $(filter %.o,$^) \
		$(filter %.a,$^) $(LDLIBS)
BENCH_BIN = $(patsubst tests/bench/%.c,$(BUILD)/%,$(wildcard tests/bench/*.c))
TOOL_BIN  = $(BUILD)/run_cases $(BUILD)/serve $(BUILD)/make_bundle \
	$(BUILD)/crash_intake
$(BENCH_BIN): $(BUILD)/%: $(BUILD)/tests/bench/%.o $(AR_ALL)
$(TOOL_BIN): $(BUILD)/%: $(BUILD)/tests/%.o $(AR_ALL)
SCENARIO  = $(wildcard tests/scenario/*.c)
$(BUILD)/scenario: $(SCENARIO:%.c=$(BUILD)/%.o) $(AR_ALL)
$(BENCH_BIN) $(TOOL_BIN) $(BUILD)/scenario:
	$(SAY) LINK $@
	$(Q)$(LINK) -o $@ $^ $(LDLIBS)

# Makes calls of a whole program go wrong.
$(BUILD)/tests/fault.o: CFLAGS += -fPIC
$(BUILD)/fault.so: $(BUILD)/tests/fault.o
	$(SAY) LINK $@
	$(Q)$(CC) -shared -o $@ $< -ldl

RUN    = BUILD=$(abspath $(BUILD)) PATH="$(abspath $(BUILD)):$$PATH"
SHARED = ../shared/conformance
EXPECT = $(if $(wildcard $1),--expect $1)
PARTS  = unit cases conformance e2e

test: deps
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/sum.py $(PARTS:%='$(MAKE) --no-print-directory %')
unit: $(UNIT_BIN) $(if $(DRIVER),$(FUZZ_BIN))
	@$(RUN) $(PYTHON) tests/unit.py $^
cases: $(BUILD)/run_cases
	@$(BUILD)/run_cases tests/cases
ifdef CASES
conformance: $(BUILD)/run_cases
	@$(BUILD)/run_cases $(CASES) $(if $(filter v0,$(REGO)),--v0) \
		$(if $(filter check,$(MEMO)),--check-memo) \
		$(call EXPECT,tests/expected/conformance.txt)
else
conformance:
	@$(PYTHON) tests/sum.py --need $(SHARED) \
		'$(MAKE) --no-print-directory conformance CASES=$(SHARED)/cases' \
		'$(MAKE) --no-print-directory conformance CASES=$(SHARED)/cases MEMO=check' \
		'$(MAKE) --no-print-directory conformance CASES=$(SHARED)/cases-v0 REGO=v0'
endif
golden: all
	@$(RUN) $(PYTHON) tests/golden.py $(SHARED)
ifdef DIR
corpora: all
	@$(RUN) $(PYTHON) tests/corpora.py $(DIR)
else
corpora:
	@echo 'usage: make corpora DIR=FOLDER (checkouts, each OWNER+NAME)' >&2; \
	exit 2
endif
e2e: all $(BUILD)/serve $(BUILD)/make_bundle $(BUILD)/crash_intake \
	$(BUILD)/fault.so $(BUILD)/scenario $(BENCH_BIN)
	@$(RUN) $(PYTHON) tests/sum.py --at-once 2 '$(PYTHON) tests/docs.py' \
		$(patsubst %,'%',$(wildcard tests/e2e/*))
scenario: $(BUILD)/scenario # weeks of a fleet; SEED=n repeats a run
	@$(BUILD)/scenario $(WEEKS:%=--weeks %)
bench: all $(BENCH_BIN) $(BUILD)/serve
	@$(RUN) $(PYTHON) tests/bench.py $(ONLY:%=--only %) $(SCALE:%=--scale %)
demo: deps
	@$(MAKE) --no-print-directory all
	@$(RUN) tests/demo.sh

asan: # the same tests, other objects
	@ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1 \
	LSAN_OPTIONS=suppressions=$(abspath tests/lsan.supp):print_suppressions=0 \
	$(MAKE) test BUILD=build/asan SAN=address,undefined OPT=-O1
tsan: # not numbers: ten minutes of arithmetic, and no second thread
	@$(MAKE) unit BUILD=build/tsan SAN=thread OPT=-O1 WITHOUT=num
FUZZ_MAKE = $(MAKE) --no-print-directory BUILD=build/fuzz CC=clang-14 OPT=-O1 \
	SAN=fuzzer-no-link,address,undefined
fuzz:
	@$(FUZZ_MAKE) fuzz-run
fuzz-smoke:
	@$(FUZZ_MAKE) fuzz-run FUZZ_SECONDS=3
fuzz-run: $(FUZZ_BIN)
	@$(PYTHON) tests/fuzz/run.py $(FUZZ_SECONDS) $^

# --- lint ----------------------------------------------------------------

TIDY   = $(patsubst %,$(BUILD)/lint/%.tidy,$(filter %.c,$(SRC)))
ALONE  = $(patsubst %,$(BUILD)/lint/%.alone,$(HDR))
STYLED = $(SRC) $(HDR) $(wildcard tests/*.c tests/fuzz/*.c) $(SCENARIO)

lint: $(ALONE) $(TIDY)
	@clang-format-14 --dry-run -Werror $(STYLED)
	@$(PYTHON) tests/lint.py $(LIBS)
$(BUILD)/lint/%.tidy: % .clang-tidy $(HDR)
	@mkdir -p $(@D)
	$(SAY) TIDY $<
	$(Q)clang-tidy-14 --quiet --warnings-as-errors='*' $< -- -std=c17 -I. \
		-D_GNU_SOURCE -include base/banned.h 2>&1 | \
		{ ! grep -v 'warnings\? generated\.$$'; }
	$(Q)touch $@
$(BUILD)/lint/%.alone: % $(HDR)
	@mkdir -p $(@D)
	$(SAY) ALONE $<
	$(Q)$(filter-out -MMD -MP,$(C)) -fsyntax-only -x c -include $< /dev/null
	$(Q)touch $@
fmt:
	clang-format-14 -i $(STYLED)

# --- the rest ------------------------------------------------------------

deps:
	@./deps.sh

PREFIX ?= /usr/local
prefix  = $(PREFIX)
BINDIR  = $(prefix)/bin
bindir  = $(BINDIR)
DATADIR = $(prefix)/share
datarootdir = $(DATADIR)
MANDIR  = $(datarootdir)/man
mandir  = $(MANDIR)
COMPLETIONDIR = $(datarootdir)/bash-completion/completions
completiondir = $(COMPLETIONDIR)

UNITDIR = $(prefix)/lib/systemd/system
unitdir = $(UNITDIR)

INSTALL = install
INSTALL_PROGRAM = $(INSTALL) -m 755
PAGE       = $(DESTDIR)$(mandir)/man1/regatta.1
COMPLETION = $(DESTDIR)$(completiondir)/regatta
SERVICE    = $(DESTDIR)$(unitdir)/regatta.service
# Install what the program prints: $1 is the flag of `regatta help`, $2 where to.
printed = $(BUILD)/regatta help --$1 >$(BUILD)/regatta.$1 && \
	$(INSTALL) -D -m 644 $(BUILD)/regatta.$1 "$2"
install: all
	$(INSTALL_PROGRAM) -D $(BUILD)/regatta "$(DESTDIR)$(bindir)/regatta"
	$(call printed,man,$(PAGE))
	$(call printed,completion,$(COMPLETION))
	$(call printed,systemd,$(SERVICE))
	sed -i 's|/usr/bin/|$(bindir)/|' "$(SERVICE)"
install-strip:
	@$(MAKE) INSTALL_PROGRAM='$(INSTALL_PROGRAM) -s' install
uninstall:
	rm -f "$(DESTDIR)$(bindir)/regatta" "$(PAGE)" "$(COMPLETION)" "$(SERVICE)"

# The package has what `make install` installs; deb.sh adds what Debian wants.
VERSION = $(shell sed -n 's/^.define VERSION "\(.*\)"/\1/p' cli/commands.c)
deb: all
	@rm -rf $(BUILD)/deb
	@$(MAKE) --no-print-directory install-strip PREFIX=/usr \
		DESTDIR=$(abspath $(BUILD))/deb >/dev/null
	@./deb.sh $(BUILD)/deb $(VERSION) $(BUILD) $(ARCHIVES) stdc++
# Of the last commit, never of the work tree; the same commit, the same bytes.
TARBALL = $(BUILD)/regatta-$(VERSION).tar.gz
dist:
	@mkdir -p $(BUILD)
	@git archive --prefix=regatta-$(VERSION)/ HEAD >$(BUILD)/dist.tar
	@gzip -9n <$(BUILD)/dist.tar >$(TARBALL) && rm $(BUILD)/dist.tar
	@git diff --quiet HEAD || echo 'dist: changes that are not committed' \
		'are not in it' >&2
	@echo $(TARBALL)
clean:
	rm -rf $(BUILD)

.PHONY: all test scenario unit cases conformance golden corpora e2e bench demo asan \
	tsan fuzz fuzz-smoke fuzz-run lint fmt deps install install-strip \
	uninstall deb dist clean
.SECONDARY:
.DELETE_ON_ERROR:

-include $(patsubst %,$(BUILD)/%.d,$(basename $(SRC) \
	$(wildcard tests/*.c tests/fuzz/*.c tests/bench/*.c) $(SCENARIO)))
