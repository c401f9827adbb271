#!/usr/bin/env bash
# Installs Janus from Debian's or Ubuntu's packages, for benches/side-by-side. Its service is not started.
set -euo pipefail

command -v janus >/dev/null && exit 0
command -v apt-get >/dev/null || { echo "this needs janus (no apt-get here: install it by your system's means)" >&2; exit 1; }
sudo=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "this needs janus (run as root: apt-get install janus)" >&2; exit 1; }
    sudo=(sudo)
fi
echo "installing janus"
"${sudo[@]}" apt-get update -qq
# A policy that forbids starts would be a file of the system's; stopping the service afterwards is enough.
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends janus >/dev/null
if command -v systemctl >/dev/null; then "${sudo[@]}" systemctl disable --now janus >/dev/null 2>&1 || true; fi
