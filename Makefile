# `make demo`, `make play` and `make test` need a Rust toolchain, a C compiler, and Python 3.10 or newer.

CARGO ?= cargo
PYTHON ?= python3

# The generator of the site. It is kept in the folder of the emulator's cache.
MDBOOK_VERSION := 0.5.4
MDBOOK_FOLDER := $(HOME)/.cache/ssm-audit/mdbook
# The scan of which the documentation has a picture.
PICTURE := scan examples/account.json --rule 'ec2-*' --rule ssm-idle-timeout
TARGET = $$($(CARGO) metadata --locked --format-version 1 --no-deps | $(PYTHON) -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')

.PHONY: demo play needs test test-all check lint bench docs pages site supply-chain

## Build, start an emulated AWS on loopback with three accounts, scan and fix them.
demo: needs
	@$(PYTHON) examples/demo.py --target-dir "$(TARGET)"

## The same accounts, kept up with a shell in which ssm-audit and the AWS CLI reach one of them.
play: needs
	@$(PYTHON) examples/demo.py --play --target-dir "$(TARGET)"

## Name what is missing, and build.
needs:
	@sh examples/needs.sh '$(CARGO)' '$(PYTHON)'
	@echo 'Building ssm-audit. The first time, this downloads crates and compiles the AWS SDK: about five minutes on two cores.'
	@$(CARGO) build --locked

## Unit and property tests, and the binary against emulated accounts. Of the matrices (crashes, faults, denied reads, missing
## members, permissions) a sample: every fourth cell, from one that SSM_AUDIT_TEST_SEED chooses.
test:
	$(CARGO) test --locked --workspace

## The same with every cell of the matrices.
test-all:
	SSM_AUDIT_TESTS=all $(CARGO) test --locked --workspace

## For every change: formatter, clippy, unit tests and the examples of rules.
check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --lib --bins --quiet -- --deny warnings
	$(CARGO) test --locked --workspace --lib --quiet

## Formatter, clippy and documentation.
lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --quiet -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --workspace --no-deps --quiet

## Evaluations per second, and a scan of recorded answers. See benches/README.md.
bench:
	$(CARGO) bench --locked --bench evaluate --bench scan

## Write the pages of rules and the picture of a scan, and build the site.
docs: pages site

pages:
	$(CARGO) build --locked
	"$(TARGET)/debug/ssm-audit" rules pages --to docs/rules
	COLUMNS=100 "$(TARGET)/debug/ssm-audit" $(PICTURE) --color always \
	  | $(PYTHON) tests/docs/picture.py "$$ ssm-audit $(PICTURE)" > docs/scan.svg

## Build the site from docs/ into target/book.
site:
	@test -x "$(MDBOOK_FOLDER)/bin/mdbook" || echo 'Installing mdBook $(MDBOOK_VERSION): about two minutes on two cores.'
	@test -x "$(MDBOOK_FOLDER)/bin/mdbook" || $(CARGO) install mdbook --quiet --version $(MDBOOK_VERSION) --locked \
	  --no-default-features --features search --root "$(MDBOOK_FOLDER)"
	"$(MDBOOK_FOLDER)/bin/mdbook" build

## Advisories, licenses, bans and sources of the dependencies. Needs cargo-deny, cargo-audit, and the network. See
## CONTRIBUTING.md.
supply-chain:
	$(CARGO) deny --locked check
	$(CARGO) audit --deny warnings
