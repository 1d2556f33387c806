# shellcheck shell=bash
# Sourced first by each script of action.yml. The checkout is data: this removes PATH entries that are relative or lie in the
# checkout, changes to an empty folder without toolchain files and Cargo configuration, and defines `clean`, which runs a
# program with a minimal environment. It runs with bash 3.2 (macOS), too.
set -euo pipefail
checkout=$(cd "${GITHUB_WORKSPACE:-$PWD}" && pwd -P)

# Succeeds if a folder exists and does not lie in the checkout.
outside() {
  local real
  [[ $1 == /* ]] && real=$(cd "$1" 2> /dev/null && pwd -P) && [[ $real/ != "$checkout"/* ]]
}

path=
while IFS= read -r -d : entry; do
  if outside "$entry"; then path+=${path:+:}$entry; fi
done <<< "$PATH:"
export PATH=$path
cd "$(mktemp -d)"

# clean [NAME=VALUE…] PROGRAM [ARGUMENT…]
clean() {
  local name keep=()
  for name in LANG SSL_CERT_FILE SSL_CERT_DIR http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    if [ -n "${!name:-}" ]; then keep+=("$name=${!name}"); fi
  done
  for name in CARGO_HOME RUSTUP_HOME TMPDIR; do
    if outside "${!name:-}"; then keep+=("$name=${!name}"); fi
  done
  env -i "HOME=$HOME" "PATH=$PATH" ${keep[@]+"${keep[@]}"} "$@"
}
