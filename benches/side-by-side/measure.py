"""One run: a server, a load on it, and what the kernel says about both. Everything started here ends here."""

import functools
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from kernel import Others, Threads, receive_errors
from servers import ADDRESS, LOAD_CORES, ROOT, pinned, stop

INSIDE = "SIDE_BY_SIDE_INSIDE"  # not RAMAI_…: the server refuses keys that it does not know
LOAD = ROOT / "target/release/ramai-load"
SETUP = (
    f"ip link set lo up && ip link add bench0 type veth peer name bench1 && ip addr add {ADDRESS}/24 dev bench0"
    " && ip link set bench0 up && ip link set bench1 up"
)
# Of a run beside joins and the measured time: start, the publisher's head start, settling (2 s), the last packets, leaving.
AROUND = 6
# What ramai-load waits for late joins, and leaving when the server hangs.
PATIENCE = 60


def enter_namespace():
    """Starts this script again in a network namespace of its own; comes back only inside it."""
    if os.environ.get(INSIDE):
        subprocess.run(["sh", "-c", SETUP], check=True)
        # Each participant is two sockets in the tool and as many in the server.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return
    environment = dict(os.environ, **{INSIDE: "1"})
    for flags in (["--net"], ["--net", "--user", "--map-root-user"]):
        if subprocess.run(["unshare", *flags, "true"], capture_output=True).returncode == 0:
            command = ["unshare", *flags, sys.executable, *sys.argv]
            sys.exit(subprocess.run(command, env=environment).returncode)
    sys.exit("no network namespace to be had: run as root, or allow unprivileged user namespaces")


@functools.cache
def load_knows(word):
    """Whether this ramai-load has an option or a scenario."""
    return word in subprocess.run([LOAD, "--help"], capture_output=True, text=True).stdout


def arguments(server, section, size, seconds):
    """ramai-load's arguments that make the run; a reader can repeat them."""
    return [
        "--url", f"http://{ADDRESS}:{server.port}", *server.dialect, *section.load, "--participants", str(size),
        "--join-rate", f"{section.join_rate(size):g}", "--duration", f"{seconds}s",
    ]


def estimate(section, size, seconds):
    """Seconds that one run takes."""
    return size / section.join_rate(size) + seconds + AROUND


def wait_for(port, process):
    """Until something listens; what went wrong otherwise."""
    for _ in range(200):
        if process.poll() is not None:
            return "the server ended at once"
        with socket.socket() as probe:
            if probe.connect_ex((ADDRESS, port)) == 0:
                return ""
        time.sleep(0.05)
    return f"the server does not listen on {ADDRESS}:{port}"


def measure(server, section, size, seconds, folder):
    """One run of one server: what is kept of ramai-load's document, or `error`; and `crash`, `kernel_drops`, `threads` where they
    tell something."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run = {"who": server.key, "size": size, "at": time.strftime("%Y-%m-%d %H:%M")}
    drops = receive_errors()
    others = Others()
    with open(folder / "server.log", "w") as log:
        process = server.start(folder, log)
        watch = Threads(process.pid) if section.threads else None
        try:
            error = wait_for(server.port, process)
            run |= {"error": error} if error else load(process, arguments(server, section, size, seconds), folder,
                                                       estimate(section, size, seconds) + PATIENCE)
            run |= others.shares(process.pid)
            if watch:
                run["threads"] = watch.shares(seconds)
        finally:
            run["crash"] = stop(process)
    if any(folder.glob("core*")):
        run["crash"] = (run["crash"] or "ended") + ", and left a core dump"
    if "while" in run["crash"]:
        # What was counted until then is no measurement.
        return {key: run[key] for key in ("who", "size", "at")} | {"error": run["crash"]}
    # In this namespace nobody else receives: what isn't the tool's is the server's.
    run["kernel_drops"] = max(0, receive_errors() - drops - (value(run, ("tool", "own_drops")) or 0))
    return {key: found for key, found in run.items() if found not in ("", None)}


def load(process, words, folder, timeout):
    """Runs ramai-load against a running server."""
    result = folder / "result.json"
    command = [LOAD, *words, "--server-pid", process.pid, "--json", result, "--quiet"]
    try:
        ran = subprocess.run(pinned(LOAD_CORES, command), capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return {"error": "the load did not end in time"}
    try:
        return kept(json.loads(result.read_text()))
    except (OSError, ValueError):
        words = (ran.stderr or ran.stdout).strip().splitlines()
        return {"error": words[-1][-200:] if words else "the load said nothing"}


def kept(document):
    """What tables and judgements read of ramai-load's document."""
    def short(number):
        return float(f"{number:.6g}") if isinstance(number, float) else number
    def pick(part, *names):
        found = document.get(part) or {}
        return {name: short(found[name]) for name in names if found.get(name) is not None}
    out = {
        "joins": pick("joins", "asked", "joined", "failed", "broken", "errors"),
        "packets": pick("packets", "loss_share", "per_second", "bits_per_second"),
        "pictures": pick("pictures", "freezes"),
        "streams": pick("streams", "negotiated", "silent"),
        "server": {name: short(found) for name, found in (document.get("server") or {}).items()},
        "tool": pick("tool", "own_drops", "cpu_share", "longest_round_ms"),
        "seconds": short(document["seconds"]),
    }
    for name, found in (("join_ms", document["joins"]["time_ms"]), *document["latency_ms"].items()):
        if found and found.get("samples"):
            out[name] = {key: short(found[key]) for key in ("p50", "p95", "p99", "max") if key in found}
    return out


def value(document, path):
    """The number at `path`, or None."""
    for key in path:
        if not isinstance(document, dict) or document.get(key) is None:
            return None
        document = document[key]
    return document
