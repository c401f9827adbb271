"""One run: a server, a load on it, and what the kernel says about both. Everything started here ends here."""

import functools
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

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
    with open(folder / "server.log", "w") as log:
        process = server.start(folder, log)
        watch = Threads(process.pid) if section.threads else None
        try:
            error = wait_for(server.port, process)
            run |= {"error": error} if error else load(process, arguments(server, section, size, seconds), folder,
                                                       estimate(section, size, seconds) + PATIENCE)
            if watch:
                run["threads"] = watch.shares(seconds)
        finally:
            run["crash"] = stop(process)
    if any(folder.glob("core*")):
        run["crash"] = (run["crash"] or "ended") + ", and left a core dump"
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


def udp_counter(name):
    """One of the kernel's UDP counters of this namespace."""
    head, values = [line.split() for line in open("/proc/net/snmp") if line.startswith("Udp:")]
    return int(values[head.index(name)])


def receive_errors():
    """Datagrams dropped so far for want of room in a socket's buffer."""
    return udp_counter("RcvbufErrors")


class Threads:
    """CPU of a server's media threads while the load is full, by sampling."""

    EVERY = 0.5

    def __init__(self, pid):
        self.pid, self.samples, self.over = pid, [], threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.over.wait(self.EVERY):
            times = {}
            for task in Path(f"/proc/{self.pid}/task").glob("*"):
                try:
                    name = (task / "comm").read_text().strip()
                    if re.match(r"media-\d+$", name):
                        times[name] = int((task / "schedstat").read_text().split()[0])
                except (OSError, IndexError, ValueError):
                    pass
            self.samples.append((time.monotonic(), udp_counter("OutDatagrams"), times))

    def shares(self, seconds):
        """Thread → share of a core, in the last part of the run in which packets flowed at full rate."""
        self.over.set()
        self.thread.join()
        rates = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(self.samples, self.samples[1:])]
        full = [i for i, rate in enumerate(rates) if rate >= 0.7 * max(rates)]
        if not full:
            return None
        end = self.samples[full[-1]]
        begin = next(s for s in self.samples if s[0] >= end[0] - seconds + 1)
        span = end[0] - begin[0]
        return {n: round((t - begin[2].get(n, t)) / 1e9 / span, 4) for n, t in sorted(end[2].items())} if span > 0 else None
