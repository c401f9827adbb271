#!/usr/bin/env python3
"""One large room on one media worker and on two: what a packet costs, and how much each thread has to do.

    cargo build --release -p ramai -p ramai-load && benches/workers/run.py --participants 200

Which room a server can bear is decided by its busiest thread. So the gain of two workers is the share of a core that the one needs
for a load, divided by the share that the busier of the two needs for the same load. That can be read off CPU time where load
generator and server share a machine with too few cores to have both workers run at once; it leaves out what two cores take from
each other's memory bandwidth. Linux only (/proc/<pid>/task/*/schedstat).
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

BINARIES = Path(__file__).resolve().parents[2] / "target" / "release"
# Progress lines that are no steady state: the joins' own, and key frames and first requests behind them.
SETTLE = 2


def threads(pid):
    """CPU seconds so far of each media thread."""
    times = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        if name.startswith("media-"):
            times[name] = int((task / "schedstat").read_text().split()[0]) / 1e9
    return times


def run(options, workers):
    """One server, one room, one load: packets a second, and each media thread's share of a core."""
    server = subprocess.Popen(
        [BINARIES / "ramai", "--dev", f"--port={options.port}", f"--udp-base-port={options.port + 1}",
         f"--workers={workers}", f"--worker-streams={options.worker_streams}", "--log=warn"]
    )
    url = f"http://127.0.0.1:{options.port}"
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{url}/health").close()
                break
            except OSError:
                time.sleep(0.1)
        load = subprocess.Popen(
            [BINARIES / "ramai-load", "--url", url, "--scenario", options.scenario,
             "--participants", str(options.participants), "--duration", f"{options.duration}s", "--json", "/dev/null"],
            stderr=subprocess.PIPE, text=True,
        )
        steady = []
        for line in load.stderr:
            found = re.search(r" in (\d+) +([\d.]+) kpps", line)
            if found:
                steady.append((time.monotonic(), int(found[1]), float(found[2]) * 1000, threads(server.pid)))
            elif options.verbose:
                sys.stderr.write(line)
        if load.wait() == 2:
            sys.exit("the load could not be made")
    finally:
        server.terminate()
        server.wait()
    everybody = max((joined for _, joined, _, _ in steady), default=0)
    steady = [sample for sample in steady if sample[1] == everybody][SETTLE:-1]
    if len(steady) < 2:
        sys.exit("too short: all were in for too few seconds (--duration)")
    (begin, _, _, before), (end, _, _, after) = steady[0], steady[-1]
    rate = statistics.mean(packets for _, _, packets, _ in steady[1:])
    return rate, {name: (after[name] - before[name]) / (end - begin) for name in sorted(after)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=200)
    parser.add_argument("--scenario", default="broadcast")
    parser.add_argument("--duration", type=int, default=10, help="seconds of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker-streams", type=int, default=1)
    parser.add_argument("--port", type=int, default=17880)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    results = {1: [], 2: []}
    for turn in range(options.rounds):
        for workers in results:
            rate, shares = run(options, workers)
            results[workers].append((sum(shares.values()) / rate * 1e6, max(shares.values()) / rate * 1e6))
            each = "  ".join(f"{name} {100 * share:.1f}%" for name, share in shares.items())
            cost = results[workers][-1][0]
            print(f"round {turn + 1}  {workers} worker{'s' * (workers > 1)}  {rate:8.0f} packets/s  {each}"
                  f"  {cost:.2f} us of media threads' CPU a packet", flush=True)
    median = {workers: [statistics.median(column) for column in zip(*runs)] for workers, runs in results.items()}
    print(f"medians: {median[1][0]:.2f} us a packet with one worker, {median[2][0]:.2f} with two;"
          f" two bear {median[1][1] / median[2][1]:.2f} x as much")


if __name__ == "__main__":
    main()
