# What people type. Each target sets up what it needs; a second run does only what changed.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: bench-hot-path bench-rivals help setup demo build run test test-rust test-demo test-bench test-sdk test-browser fuzz bench sim fmt lint deny clean

# How long each fuzz target runs in `make test`, in seconds.
FUZZ_SECONDS ?= 20
# Flags for the server of `make run`, for example ARGS="--port 9000", or for the measurement of `make bench`, for example ARGS=--quick.
ARGS ?=

NPM_CI = npm ci --no-audit --no-fund --loglevel=error
DEMO_SOURCES := $(shell find web-demo/src web-demo/public -type f 2>/dev/null) \
	$(wildcard web-demo/index.html web-demo/vite.config.ts web-demo/tsconfig*.json)

help: ## This list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## Check that the tools are there and get the packages.
	@scripts/check-tools.sh
	@$(MAKE) --no-print-directory web-demo/node_modules/.installed
	@cargo fetch --locked --quiet

demo: web-demo/dist/index.html ## Build the demo page.

build: demo ## Build the server with the demo page in it, for use.
	cargo build --locked --release

run: setup build ## Build all and start a server for this machine: open http://localhost:7880.
	@$(if $(ARGS),,echo "Ramai starts: open http://localhost:7880 (Ctrl-C ends it)")
	@exec "$${CARGO_TARGET_DIR:-target}/release/ramai" --dev $(ARGS)

test: ## Run all tests; installs the browsers where they are absent.
	@for part in test-rust test-demo test-bench fuzz test-sdk test-browser; do \
		start=$$SECONDS; \
		$(MAKE) --no-print-directory $$part; \
		echo "time: $$part took $$((SECONDS - start)) s"; \
	done

test-rust: demo ## Test the server.
	cargo test --locked --workspace

test-demo: web-demo/node_modules/.installed ## Test the demo page's parts.
	cd web-demo && npm test

test-bench: ## Test what turns measurements into docs/CAPACITY.md.
	python3 -m unittest discover --quiet -s benches/side-by-side

fuzz: ## Feed the parsers random packets for a short while.
	scripts/fuzz.sh $(FUZZ_SECONDS)

test-sdk: demo tests/sdk/node_modules/.installed target/sdk/.installed ## Test with LiveKit's own server and client SDKs.
	cargo build --locked
	@export RAMAI_BIN="$${CARGO_TARGET_DIR:-$(CURDIR)/target}/debug/ramai" && \
		(cd tests/sdk && npm test --silent) && \
		target/sdk/bin/python -W ignore -m unittest discover --quiet -s tests/sdk -p '*_test.py'

test-browser: demo tests/browser/node_modules/.installed ## Test calls between real browsers through a real server.
	scripts/setup-browsers.sh
	cargo build --locked
	cargo build --locked -p ramai-load
	cd tests/browser && target="$${CARGO_TARGET_DIR:-$(CURDIR)/target}" && \
		RAMAI_BIN="$$target/debug/ramai" RAMAI_LOAD_BIN="$$target/debug/ramai-load" npm test

bench: bench-hot-path bench-rivals ## Measure all: about an hour on an idle machine; ARGS=--quick takes minutes.

bench-hot-path: ## Time the hot path, and count its instructions.
	cargo bench --locked --workspace
	scripts/instructions.sh

# ARGS='--only broadcast,ceiling' measures these sections anew and leaves the others; see benches/side-by-side/run.py --help.
bench-rivals: ## Put the same load on Ramai and on Janus (Debian's package, installed here); writes docs/CAPACITY.md.
	scripts/setup-janus.sh
	$(MAKE) --no-print-directory build
	cargo build --locked --release -p ramai-load
	benches/side-by-side/run.py $(ARGS)

sim: ## Calls on bad networks in virtual time, over many seeds; writes docs/sim/SCOREBOARD.md. ARGS="--help" tells more.
	cargo run --locked --release --quiet -p ramai-sim -- $(ARGS)

fmt: ## Format everything.
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml
	cd web-demo && npm run format

lint: web-demo/node_modules/.installed tests/browser/node_modules/.installed deny ## Check format, lints and what is in the build.
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cd web-demo && npm run check
	cd tests/browser && npm run check

deny: ## Check licences, sources and known holes of all dependencies.
	scripts/deny.sh

clean: ## Remove everything that was built or fetched into this folder.
	cargo clean
	rm -rf web-demo/dist web-demo/node_modules tests/browser/node_modules tests/sdk/node_modules fuzz/target

# A package folder is as new as its lock file.
%/node_modules/.installed: %/package-lock.json
	cd $* && $(NPM_CI)
	@touch $@

# The tests' Python packages, apart from the machine's own.
target/sdk/.installed: tests/sdk/requirements.txt
	python3 -m venv target/sdk
	target/sdk/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

web-demo/dist/index.html: $(DEMO_SOURCES) web-demo/node_modules/.installed
	cd web-demo && npm run build
	@touch $@
