#!/bin/sh
# Names what the demo and the tests need and this machine lacks, all of it at once, before anything is built.
cargo=$1 python=$2
missing=
lacks() { missing="$missing
  - $1"; }
if version=$($cargo --version 2>/dev/null); then
  minor=$(echo "$version" | cut -d. -f2)
  [ "$minor" -ge 94 ] || lacks "Rust 1.94.1 or newer; this is $version: rustup update"
else
  lacks "a Rust toolchain, 1.94.1 or newer: https://rustup.rs"
fi
$python -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
  lacks "Python 3.10 or newer with venv: install python3 and python3-venv"
command -v "${CC:-cc}" >/dev/null || lacks "a C compiler, for SQLite and TLS: install gcc or clang"
if [ -n "$missing" ]; then
  echo "ssm-audit needs what this machine does not have:$missing" >&2
  exit 1
fi
echo "Found $(echo "$version" | cut -d' ' -f1,2), $($python --version) and ${CC:-cc}."
