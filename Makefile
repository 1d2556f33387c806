# The commands that matter. `make demo` and `make test` need a Rust toolchain and Python 3.10 or newer.

CARGO ?= cargo
PYTHON ?= python3

.PHONY: demo test lint bench

## Build, start an emulated AWS on loopback with three accounts, scan them.
demo:
	@echo 'Building; the first time, the AWS SDK takes some minutes.'
	$(CARGO) build
	@$(PYTHON) examples/demo.py --target-dir "$$($(CARGO) metadata --format-version 1 --no-deps | $(PYTHON) -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')"

## Everything that proves it works: unit and property tests, and the binary against emulated accounts.
test:
	$(CARGO) test

## What continuous integration holds the code to besides the tests.
lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --quiet -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --no-deps --quiet

## Evaluations a second, and a scan against recorded answers. See benches/README.md.
bench:
	$(CARGO) bench --bench evaluate --bench scan
