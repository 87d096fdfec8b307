# `make help` lists the targets.

SWIFT ?= swift
# Further flags for every build, such as `-j 2`.
SWIFT_FLAGS ?=
PREFIX ?= /usr/local
DESTDIR ?=
CHAOS_MINUTES ?= 30
CHAOS_SEED ?= 1
SEEDS ?= 10000
FIRST ?= 1

CHECKED_FLAGS = --explicit-target-dependency-import-check error $(SWIFT_FLAGS)
PROGRAMS = saga sagad order-demo
# Programs to install carry Swift's libraries in them, so they are built apart.
INSTALL_SCRATCH = .build/install
INSTALL_FLAGS = -c release --static-swift-stdlib --scratch-path $(INSTALL_SCRATCH) $(CHECKED_FLAGS)
LIBEXEC = $(DESTDIR)$(PREFIX)/libexec/saga
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system

.DEFAULT_GOAL := help
.PHONY: help setup build demo test chaos simulate bench show-sick-service lint format release install uninstall clean

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-17s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building needs beside Swift (as root or with sudo); quick when all is there
	@scripts/setup

build: setup ## Build the programs for development
	$(SWIFT) build $(CHECKED_FLAGS)

demo: build ## Run the whole thing on this machine: 40 orders, four services, a database (DEMO_FLAGS=--keep)
	@"$$($(SWIFT) build $(CHECKED_FLAGS) --show-bin-path)/saga" demo $(DEMO_FLAGS)

test: ## Run every test, as CI does
	@scripts/setup --tests
	$(SWIFT) test --no-parallel $(CHECKED_FLAGS)

chaos: ## Run sagas while everything fails by a schedule, and check every promise (CHAOS_MINUTES=30, CHAOS_SEED=1)
	@scripts/setup --tests
	$(SWIFT) build -c release $(CHECKED_FLAGS)
	@Tests/Chaos/chaos --programs "$$($(SWIFT) build -c release $(CHECKED_FLAGS) --show-bin-path)" \
		--minutes "$(CHAOS_MINUTES)" --seed "$(CHAOS_SEED)" $(CHAOS_FLAGS)

simulate: setup ## Run the engine itself in virtual time under all that may go wrong (SEEDS=10000 FIRST=1)
	$(SWIFT) build -c release --product engine-simulator $(CHECKED_FLAGS)
	@"$$($(SWIFT) build -c release $(CHECKED_FLAGS) --show-bin-path)/engine-simulator" --seeds $(SEEDS) --first $(FIRST)

bench: ## Measure against DBOS, a hand-written baseline and PostgreSQL itself (BENCH_FLAGS=--quick)
	@scripts/setup --benchmarks
	$(SWIFT) build -c release $(CHECKED_FLAGS)
	@Benchmarks/run --programs "$$($(SWIFT) build -c release $(CHECKED_FLAGS) --show-bin-path)" $(BENCH_FLAGS)

show-sick-service: setup ## Show what a sick service sees of 2,000 sagas and three daemons (SHOW_FLAGS='--sagas 500')
	$(SWIFT) build -c release $(CHECKED_FLAGS)
	@Benchmarks/sick-service --programs "$$($(SWIFT) build -c release $(CHECKED_FLAGS) --show-bin-path)" $(SHOW_FLAGS)

lint: ## Report what isn't formatted as the rest
	$(SWIFT) format lint --recursive --parallel Sources Tests Benchmarks/Sources sql Package.swift

format: ## Format the sources in place
	$(SWIFT) format --in-place --recursive --parallel Sources Tests Benchmarks/Sources sql Package.swift

release: setup ## Build the programs that `make install` copies
	$(SWIFT) build $(INSTALL_FLAGS)

# Root often has no Swift in its path: then what `make release` has built before is copied.
install: ## Copy the programs and a systemd unit below PREFIX (/usr/local), honouring DESTDIR
	@if command -v $(SWIFT) >/dev/null; then $(MAKE) --no-print-directory release; fi
	@test -x $(INSTALL_SCRATCH)/release/saga || { echo "install: run \`make release\` first" >&2; exit 1; }
	install -d "$(LIBEXEC)" "$(DESTDIR)$(PREFIX)/bin" "$(UNITS)"
	for program in $(PROGRAMS); do \
		install -m 755 $(INSTALL_SCRATCH)/release/$$program "$(LIBEXEC)/$$program" && \
		ln -sfn ../libexec/saga/$$program "$(DESTDIR)$(PREFIX)/bin/$$program" || exit 1; \
	done
	rm -rf "$(LIBEXEC)/saga_SagaSchema.resources"
	cp -R $(INSTALL_SCRATCH)/release/saga_SagaSchema.resources "$(LIBEXEC)/"
	chmod -R u=rwX,go=rX "$(LIBEXEC)"
	sed 's|@PREFIX@|$(PREFIX)|' scripts/sagad.service >"$(UNITS)/sagad.service"
	chmod 644 "$(UNITS)/sagad.service"

uninstall: ## Remove what `make install` has copied
	for program in $(PROGRAMS); do rm -f "$(DESTDIR)$(PREFIX)/bin/$$program"; done
	rm -rf "$(LIBEXEC)" "$(UNITS)/sagad.service"

clean: ## Remove everything that was built
	rm -rf .build
