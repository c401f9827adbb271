#!/usr/bin/env bash
# Says what is missing to build Ramai, and how to get it, before a build fails with less clear words.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=0
lacks() { # what, how to get it
    echo "missing: $1" >&2
    echo "         $2" >&2
    missing=1
}
at_least() { # version wanted, version there
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n1)" = "$1" ]
}

rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n1)
if ! command -v cargo >/dev/null; then
    lacks "Rust (cargo)" "install Rust $rust or newer from https://rustup.rs, then open a new shell"
else
    there=$(rustc --version | cut -d' ' -f2)
    at_least "$rust" "$there" || lacks "Rust $rust or newer (there is $there)" "rustup update stable"
fi

node=20.19.0
if ! command -v node >/dev/null; then
    lacks "Node.js (node)" "install Node.js $node or newer from https://nodejs.org"
else
    there=$(node --version | tr -d v)
    at_least "$node" "$there" || lacks "Node.js $node or newer (there is $there)" "see https://nodejs.org"
fi
command -v npm >/dev/null || lacks "npm" "it comes with Node.js; on Debian and Ubuntu: sudo apt-get install npm"
command -v cc >/dev/null || lacks "a C compiler (cc)" "on Debian and Ubuntu: sudo apt-get install build-essential"

exit "$missing"
