#!/usr/bin/env bash
# Installs what the browser stories drive, where it is absent: Chromium, Firefox, and the tools that make networks of
# their own (ip, tc, nft, unshare). Debian and Ubuntu; elsewhere it says what to install.
set -euo pipefail

packages=()
need() { # command, package
    command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || packages+=("$2")
}
need chromium chromium
if ! command -v firefox >/dev/null && ! command -v firefox-esr >/dev/null; then
    # Ubuntu's package is called firefox, Debian's stable one firefox-esr.
    if [ "$(. /etc/os-release 2>/dev/null && echo "${ID:-}")" = ubuntu ]; then packages+=(firefox); else packages+=(firefox-esr); fi
fi
need ip iproute2
need tc iproute2
need nft nftables
need unshare util-linux
[ ${#packages[@]} -gt 0 ] || exit 0

mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
if ! command -v apt-get >/dev/null; then
    echo "the tests need: ${packages[*]} (no apt-get here: install them by your system's means)" >&2
    exit 1
fi
sudo=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "the tests need: ${packages[*]} (run as root: apt-get install ${packages[*]})" >&2; exit 1; }
    sudo=(sudo)
fi
echo "installing ${packages[*]}"
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
