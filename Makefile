# Two commands for a fresh Debian machine with a Rust toolchain, as root or with sudo: `make demo` and
# `make test`. The rest is for those who work on Herd.

# Where the demo keeps its data. As root, user postgres must be able to reach it.
DEMO_DIR ?= /tmp/herd-demo-$(shell id -u)
LISTEN ?= 127.0.0.1:6432
HTTP ?= 127.0.0.1:8432

CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR

.PHONY: demo test test-versions bench fuzz fmt fmt-check lint tidy doc clean-demo help

help: ## What there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Three embedded nodes, Herd, and a sample; Ctrl-C stops them all
	scripts/install-dependencies.sh demo
	cargo build --release --package herd
	exec $(CARGO_TARGET_DIR)/release/herd demo --dir $(DEMO_DIR) --listen $(LISTEN) --http $(HTTP)

clean-demo: ## Forget the demo's data
	rm -rf -- $(DEMO_DIR)

test: ## Everything that a change must pass
	scripts/install-dependencies.sh test
	scripts/test.sh

test-versions: ## The core of the client suites against PostgreSQL 16, 17 and 18
	scripts/install-dependencies.sh test
	cargo build --package herd
	scripts/test-versions.sh

bench: ## Herd beside PgBouncer and a plain server, in one run
	scripts/install-dependencies.sh bench
	cargo build --release --package herd
	benches/run

fuzz: ## Each decoder that faces the network, for half a minute
	scripts/fuzz.sh

fmt: ## Format all code
	cargo fmt --all

fmt-check:
	scripts/test.sh format

lint:
	scripts/test.sh lint

tidy:
	scripts/test.sh tidy

doc:
	scripts/test.sh documents
