"""The hot path without sockets: runs criterion's `forward` bench and reads what it wrote."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from judge import disturbed
from kernel import Others
from servers import ROOT, SERVER_CORES, pinned

COMMAND = ["cargo", "bench", "--locked", "--offline", "--bench", "forward", "--", "forward/"]


def measure(_section):
    """One run for each number of subscribers: nanoseconds for each packet out, with criterion's confidence interval of 95%."""
    begun = time.time()
    build = COMMAND[:COMMAND.index("--")] + ["--no-run"]
    for command in (build, pinned(SERVER_CORES, COMMAND)):
        others = Others()
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if ran.returncode != 0:
            sys.exit(f"{' '.join(command)}: {ran.stderr[-2000:]}")
    runs = read(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "criterion" / "forward", begun)
    for run in runs:
        run |= others.shares()
        print(f"core {run['size']:>4}  {run['ns']:.0f} ns/packet  {'; '.join(disturbed(run))}", flush=True)
    return runs


def read(folder, since):
    """What criterion wrote since then; older numbers are of other code."""
    runs = []
    for estimates in folder.glob("*/new/estimates.json"):
        if estimates.stat().st_mtime < since:
            continue
        size = int(json.loads((estimates.parent / "benchmark.json").read_text())["throughput"]["Elements"])
        median = json.loads(estimates.read_text())["median"]
        bounds = median["confidence_interval"]
        runs.append({
            "size": size,
            "ns": round(median["point_estimate"] / size, 1),
            "low": round(bounds["lower_bound"] / size, 1),
            "high": round(bounds["upper_bound"] / size, 1),
        })
    return sorted(runs, key=lambda run: run["size"])
