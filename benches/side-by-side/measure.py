"""One run: a server, a load on it, and what the kernel says about both. Everything started here ends here."""

import functools
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from kernel import Others, Threads, receive_errors
from servers import ADDRESS, CORES, LOAD_CORES, ROOT, pinned, stop

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
# Who is sent away comes back within so long.
RETRIES = 210
# A call beside a run begins so long before it, and is in by then.
BEFORE = 6


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
        *target(server), *section.load, "--participants", str(size),
        "--join-rate", f"{section.join_rate(size):g}", "--duration", f"{seconds}s",
    ]


def target(server):
    """Where the load goes."""
    return ["--url", f"http://{ADDRESS}:{server.port}", *server.dialect]


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
            beside = None if error else Beside(server, section, size, seconds, folder)
            run |= {"error": error} if error else load(process, arguments(server, section, size, seconds), folder,
                                                       estimate(section, size, seconds) + PATIENCE + RETRIES, section)
            run |= beside.result() if beside else {}
            if "server" in run:
                run["server"]["peak"] = peak(process.pid)
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


class Beside:
    """A call in another room, from before the run's first join to after its last, whose people look at each other."""

    def __init__(self, server, section, size, seconds, folder):
        self.result_file, self.process = folder / "beside.json", None
        people = getattr(section, "beside", 0)
        if not people:
            return
        self.patience = estimate(section, size, seconds) + RETRIES
        words = [
            *target(server), "--scenario", "meeting", "--participants", people, "--room", "beside", "--layers", "3", "--check-share", "1",
            "--allow-unheard", "--duration", f"{size / section.join_rate(size) + seconds + BEFORE:.0f}s", "--json", self.result_file, "--quiet",
        ]
        self.process = subprocess.Popen(pinned(CORES, [LOAD, *words]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(BEFORE)

    def result(self):
        """What became of it."""
        if self.process is None:
            return {}
        try:
            self.process.wait(self.patience)
            document = json.loads(self.result_file.read_text())
        except (subprocess.TimeoutExpired, OSError, ValueError) as error:
            self.process.kill()
            return {"beside": {"error": f"{type(error).__name__}"}}
        pictures = document["pictures"]
        return {"beside": {
            # Its measured time begins before the run's first join: what is over by then is its own beginning.
            "longest_gap_ms": round(pictures["longest_gap_ms"], 1), "began_gap_ms": round(pictures["longest_gap_before_ms"], 1),
            "freezes": pictures["freezes"],
            "loss_share": document["packets"]["loss_share"], "joined": document["joins"]["joined"],
        }}


def server_cores(pid):
    """The cores that a process may use: where it has all, so has the load."""
    return os.sched_getaffinity(pid)


def peak(pid):
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def minutes(path):
    """The server's memory, minute by minute: medians."""
    seconds = [json.loads(line)["server_rss"] for line in path.read_text().splitlines()]
    return [int(statistics.median(seconds[at:at + 60])) for at in range(0, len(seconds) - 30, 60)]


def load(process, words, folder, timeout, section):
    """Runs ramai-load against a running server."""
    result, live = folder / "result.json", folder / "live.jsonl"
    command = [LOAD, *words, "--server-pid", process.pid, "--json", result, "--quiet", "--live", live]
    cores = CORES if len(server_cores(process.pid)) > 1 else LOAD_CORES
    try:
        ran = subprocess.run(pinned(cores, command), capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return {"error": "the load did not end in time"}
    try:
        run = kept(json.loads(result.read_text()))
        return run | ({"rss_minutes": minutes(live)} if getattr(section, "minutes", False) else {})
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
        "joins": pick("joins", "asked", "joined", "failed", "turned_away", "broken", "errors"),
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
