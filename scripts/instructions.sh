#!/usr/bin/env bash
# Counts the instructions that one forwarded packet takes: instructions.sh [--top] [SUBSCRIBERS…]
#
# The program of benches/instructions runs under valgrind's callgrind, which counts one function of it: a packet in, through a real
# worker and out to N subscribers. Handshakes, start-up and the clients' crypto stay out by that, so the numbers are the same on
# a busy machine as on an idle one. --top prints the ten functions that take the most of it. PACKETS in the environment is how many
# go in (they are 1,200 bytes; as many more go before them, uncounted).
set -euo pipefail
cd "$(dirname "$0")/.."

top=
if [ "${1-}" = --top ]; then top=1; shift; fi
sizes=("$@")
[ ${#sizes[@]} -gt 0 ] || sizes=(10 100 500)
packets=${PACKETS:-200}

if ! command -v valgrind >/dev/null; then
    command -v apt-get >/dev/null || { echo "this needs valgrind (no apt-get here: install it by your system's means)" >&2; exit 1; }
    sudo=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "this needs valgrind (run as root: apt-get install valgrind)" >&2; exit 1; }
        sudo=(sudo)
    fi
    echo "installing valgrind"
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends valgrind >/dev/null
fi

# The whole workspace is named so that dependencies are built as `cargo bench --workspace` builds them: once.
program=$(cargo bench --locked --quiet --workspace --bench instructions --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\/instructions-[^"]*\)".*/\1/p' | tail -n1)
[ -x "$program" ] || { echo "cargo built no such program" >&2; exit 1; }

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Valgrind plays an older CPU; crypto chooses its code by what it finds there.
"$program" features | tr ' ' '\n' | sort >"$out/here"
valgrind --quiet --tool=none "$program" features | tr ' ' '\n' | sort >"$out/there"
echo "CPU that valgrind plays: $(paste -sd' ' "$out/there")"
lacking=$(comm -23 "$out/here" "$out/there" | paste -sd' ')
[ -z "$lacking" ] || echo "this machine also has: $lacking (without them AES-GCM may take more instructions than it does in use)"

for subscribers in "${sizes[@]}"; do
    file=$out/$subscribers
    if ! forwarded=$(valgrind --tool=callgrind --callgrind-out-file="$file" --toggle-collect='*instructions::counted*' \
        "$program" "$subscribers" "$packets" 2>"$out/log"); then
        tail -n 20 "$out/log" >&2
        exit 1
    fi
    total=$(sed -n 's/^\(summary\|totals\): *\([0-9]*\).*/\2/p' "$file" | tail -n1)
    [ "${total:-0}" -gt 0 ] || { echo "nothing was counted: is the function still called instructions::counted?" >&2; exit 1; }
    awk -v n="$subscribers" -v total="$total" -v packets="$forwarded" \
        'BEGIN { printf "%4d subscribers: %8.1f instructions per forwarded packet (%d packets)\n", n, total / packets, packets }'
    if [ "$top" ]; then
        # A line is "1,234 (56.7%)  file:function [object]"; what was inlined stands under its own file, so one function has many.
        callgrind_annotate --auto=no --threshold=100 "$file" | awk -v packets="$forwarded" '
            /^ *[0-9][0-9,]* \(/ && !/PROGRAM TOTALS/ {
                count = $1; gsub(",", "", count)
                name = $0; sub(/^[^:]*:/, "", name); sub(/ \[[^]]*\]$/, "", name)
                sum[name] += count
            }
            END { for (name in sum) printf "      %8.1f  %s\n", sum[name] / packets, name }' | sort -k1,1nr -k2 | sed -n 1,10p
    fi
done
