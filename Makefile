# The commands that matter. `make demo` and `make test` need a Rust toolchain and Python 3.10 or newer.

CARGO ?= cargo
PYTHON ?= python3

.PHONY: demo test test-all lint bench supply-chain

## Build, start an emulated AWS on loopback with three accounts, scan them.
demo:
	@echo 'Building; the first time, the AWS SDK takes some minutes.'
	$(CARGO) build --locked
	@$(PYTHON) examples/demo.py --target-dir "$$($(CARGO) metadata --locked --format-version 1 --no-deps | $(PYTHON) -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')"

## Unit and property tests, and the binary against emulated accounts. Of the matrices (crashes, faults, denied reads, missing
## members, permissions) a sample: every fourth cell, from one that SSM_AUDIT_TEST_SEED chooses.
test:
	$(CARGO) test --locked

## The same with every cell of the matrices.
test-all:
	SSM_AUDIT_TESTS=all $(CARGO) test --locked

## What continuous integration holds the code to besides the tests.
lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --quiet -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --no-deps --quiet

## Evaluations a second, and a scan against recorded answers. See benches/README.md.
bench:
	$(CARGO) bench --locked --bench evaluate --bench scan

## Advisories, licences, bans and sources of the dependencies, and the yanked ones. Needs cargo-deny and cargo-audit, and the
## network for the database of advisories. See CONTRIBUTING.md.
supply-chain:
	$(CARGO) deny --locked check
	$(CARGO) audit --deny warnings
