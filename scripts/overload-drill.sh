#!/usr/bin/env bash
# Shows what overload does: a meeting on a server whose processor is taken away for a while, by the kernel's CPU bandwidth control.
# Prints level, busy share and packets every two seconds, and at the end what receivers lost. Needs root and a release build.
#
#   scripts/overload-drill.sh [percent of a core = 20] [participants = 20]
set -euo pipefail
cd "$(dirname "$0")/.."

percent=${1:-20}
people=${2:-20}
target=${CARGO_TARGET_DIR:-target}/release
port=${PORT:-7980}
out=$(mktemp -d)
period=10000 # microseconds; short, so that the rest of a period is a pause that nobody hears

group=
for root in /sys/fs/cgroup/cpu /sys/fs/cgroup; do
	if mkdir "$root/ramai-drill-$$" 2>/dev/null; then
		group=$root/ramai-drill-$$
		if [ -e "$group/cpu.cfs_quota_us" ] || { echo +cpu >"$root/cgroup.subtree_control" && [ -e "$group/cpu.max" ]; } 2>/dev/null; then
			break
		fi
		rmdir "$group"
		group=
	fi
done
[ -n "$group" ] || { echo "no cgroup with CPU bandwidth control can be made here: run as root" >&2; exit 2; }

limit() { # microseconds of each period, or none
	if [ -e "$group/cpu.max" ]; then
		echo "${1/none/max} $period" >"$group/cpu.max"
	else
		echo $period >"$group/cpu.cfs_period_us"
		echo "${1/none/-1}" >"$group/cpu.cfs_quota_us"
	fi
}

"$target/ramai" --dev --workers 1 --port "$port" --udp-base-port $((port + 2)) >"$out/server.log" 2>&1 &
server=$!
finish() {
	kill "$server" 2>/dev/null || true
	wait "$server" 2>/dev/null || true
	rmdir "$group"
}
trap finish EXIT
until curl -fs "http://127.0.0.1:$port/health" >/dev/null; do sleep 0.1; done
echo "$server" >"$group/cgroup.procs"

"$target/ramai-load" --url "http://127.0.0.1:$port" --scenario meeting --participants "$people" --visible "$people" --audible "$people" \
	--duration 36s --server-pid "$server" --quiet --json "$out/load.json" >"$out/load.log" 2>&1 &
load=$!

echo "second  share  level  reduced  forwarded/s  let go/s"
last="0 0"
for second in $(seq 2 2 42); do
	sleep 2
	case $second in
	10) limit $((period * percent / 100)); echo "-- $percent% of a core from here" ;;
	26) limit none; echo "-- all of it again" ;;
	esac
	last=$(curl -fs "http://127.0.0.1:$port/metrics" | awk -v second="$second" -v last="$last" '
		/^ramai_worker_busy_share/ { share = $2 }
		/^ramai_worker_overload_level/ { level = $2 }
		/^ramai_worker_shed_subscriptions/ { reduced = $2 }
		/^ramai_worker_forwarded_packets_total/ { forwarded = $2 }
		/^ramai_worker_shed_packets_total/ { shed = $2 }
		END {
			split(last, before, " ")
			printf "%6d %6.2f %6d %8d %12d %9d\n", second, share, level, reduced, (forwarded - before[1]) / 2, (shed - before[2]) / 2 >"/dev/stderr"
			print forwarded, shed
		}')
done
wait "$load" || true
echo
echo "What receivers got, over the whole run:"
python3 - "$out/load.json" <<'PY'
import json, sys
run = json.load(open(sys.argv[1]))
for kind in ("audio", "video"):
    counts, latency = run["packets"][kind], run["latency_ms"][kind]
    print(f"  {kind}: {counts['expected']} expected, {counts['lost']} lost, {100 * counts['lost'] / max(1, counts['expected']):.3f}%;"
          f" latency {latency['p50']:.1f} ms p50, {latency['p99']:.1f} ms p99")
PY
echo
grep -E "overloaded|less load|were lost" "$out/server.log" || true
echo "logs: $out"
