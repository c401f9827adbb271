"""docs/capacity/results.json: the runs of each section with date, versions and machine, so that sections can be measured one by one
and the page can be written again."""

import json
import os
import platform
import subprocess
import time

from servers import ROOT

# What goes into the binaries; pages and scripts beside it don't change a measurement.
SOURCES = [
    "src", "sfu", "signaling", "web-demo/src", "web-demo/Cargo.toml", "Cargo.toml", "Cargo.lock", "benches/load", "benches/forward.rs",
]


def said(*command):
    """The first line of what a command prints."""
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    lines = ran.stdout.strip().splitlines()
    return lines[0] if ran.returncode == 0 and lines else ""


def version():
    """The last commit that changed the sources of the binaries, with a mark if they have changed since."""
    commit = said("git", "log", "-1", "--format=%h", "--", *SOURCES) or "unknown"
    return commit + ("-dirty" if said("git", "status", "--porcelain", "--", *SOURCES) else "")


def circumstances():
    """What was measured, when, on what."""
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    return {
        "date": time.strftime("%Y-%m-%d"),
        "ramai": version(),
        "janus": said("dpkg-query", "-W", "-f", "${Version}", "janus"),
        "machine": f"{cpu}, {os.cpu_count()} cores, kernel {platform.release()}",
    }


def read(path):
    """Section → its results."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}


def write(path, results):
    """One run a line, so that a diff shows what changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = []
    for name, section in results.items():
        head = {key: found for key, found in section.items() if key != "runs"}
        runs = ",\n  ".join(json.dumps(run, ensure_ascii=False) for run in section["runs"])
        parts.append(f'{json.dumps(name)}: {json.dumps(head, ensure_ascii=False)[:-1]}, "runs": [\n  {runs}\n]}}')
    path.write_text("{" + ",\n".join(parts) + "}\n")
