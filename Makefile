# `make demo` and `make test` need a Rust toolchain and Python 3.10 or newer.

CARGO ?= cargo
PYTHON ?= python3

.PHONY: demo test test-all lint bench supply-chain

## Build, start an emulated AWS on loopback with three accounts, scan and fix them.
demo:
	@echo 'Building; the first time, the AWS SDK takes some minutes.'
	$(CARGO) build --locked
	@$(PYTHON) examples/demo.py --target-dir "$$($(CARGO) metadata --locked --format-version 1 --no-deps | $(PYTHON) -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')"

## Unit and property tests, and the binary against emulated accounts. Of the matrices (crashes, faults, denied reads, missing
## members, permissions) a sample: every fourth cell, from one that SSM_AUDIT_TEST_SEED chooses.
test:
	$(CARGO) test --locked --workspace

## The same with every cell of the matrices.
test-all:
	SSM_AUDIT_TESTS=all $(CARGO) test --locked --workspace

## Formatter, clippy and documentation.
lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --quiet -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --workspace --no-deps --quiet

## Evaluations per second, and a scan of recorded answers. See benches/README.md.
bench:
	$(CARGO) bench --locked --bench evaluate --bench scan

## Advisories, licenses, bans and sources of the dependencies. Needs cargo-deny, cargo-audit, and the network. See
## CONTRIBUTING.md.
supply-chain:
	$(CARGO) deny --locked check
	$(CARGO) audit --deny warnings
