#!/usr/bin/env python3
"""The same load on Ramai and on Janus, in one run: interleaved, pinned, repeated; writes docs/CAPACITY.md.

    benches/side-by-side/run.py [--rounds 3] [--seconds 10] [--sizes 10,50,100,200,300] [--only broadcast] [--dry]

Janus is Debian's package (`apt-get install janus`). It refuses loopback candidates, so servers and load run in a network
namespace of their own, at an address of a veth interface; packets stay inside the kernel as on loopback. Needs root or
unprivileged user namespaces. Everything started here ends here.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import report

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ADDRESS = "10.78.0.1"
INSIDE = "SIDE_BY_SIDE_INSIDE"  # not RAMAI_…: the server refuses keys that it does not know
JANUS_ROOM = 1234
SETUP = (
    f"ip link set lo up && ip link add bench0 type veth peer name bench1 && ip addr add {ADDRESS}/24 dev bench0"
    " && ip link set bench0 up && ip link set bench1 up"
)


def enter_namespace():
    """Starts this script again in a network namespace of its own; comes back only inside it."""
    if os.environ.get(INSIDE):
        subprocess.run(["sh", "-c", SETUP], check=True)
        return
    environment = dict(os.environ, **{INSIDE: "1"})
    for flags in (["--net"], ["--net", "--user", "--map-root-user"]):
        if subprocess.run(["unshare", *flags, "true"], capture_output=True).returncode == 0:
            command = ["unshare", *flags, sys.executable, *sys.argv]
            sys.exit(subprocess.run(command, env=environment).returncode)
    sys.exit("no network namespace to be had: run as root, or allow unprivileged user namespaces")


def pinned(core, command):
    """`command` bound to one core, where there are two."""
    return ["taskset", "-c", str(core), *command] if len(os.sched_getaffinity(0)) > 1 else command


def wait_for(port, process, name):
    """Until something listens."""
    for _ in range(200):
        if process.poll() is not None:
            sys.exit(f"{name} ended by itself; see its log")
        with socket.socket() as probe:
            if probe.connect_ex((ADDRESS, port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"{name} does not listen on {ADDRESS}:{port}")


class Ramai:
    """Our server with one media worker, so that it is measured on one core as Janus is."""

    name = "Ramai"
    dialect = ["--dialect", "v1"]
    port = 7880

    def start(self, folder, log):
        binary = ROOT / "target/release/ramai"
        command = [binary, "--dev", "--workers", "1", "--bind", ADDRESS, "--node-ip", ADDRESS, "--udp-bind", ADDRESS, "--log", "warn"]
        return subprocess.Popen(pinned(0, list(map(str, command))), stdout=log, stderr=log)


class Janus:
    """Debian's Janus with the videoroom plugin alone."""

    dialect = ["--dialect", "janus", "--room", str(JANUS_ROOM)]
    port = 8088

    def __init__(self, event_loops):
        self.event_loops = event_loops
        self.name = f"Janus, event_loops = {event_loops}" if event_loops else "Janus as packaged"

    def start(self, folder, log):
        self.configure(folder)
        return subprocess.Popen(pinned(0, ["janus", "-F", str(folder), "-C", str(folder / "janus.jcfg")]), stdout=log, stderr=log)

    def configure(self, folder):
        """The package's own settings, but for: where to listen, one plugin, a quiet log, a room that is there."""
        libraries = next(Path("/usr/lib").glob("*/janus"), None)
        if libraries is None:
            sys.exit("Janus' plugins are not under /usr/lib/*/janus: apt-get install janus")
        loops = f"event_loops = {self.event_loops}" if self.event_loops else ""
        keep = {"libjanus_videoroom.so", "libjanus_http.so"}
        disable = lambda kind: ",".join(p.name for p in sorted((libraries / kind).glob("*.so")) if p.name not in keep)
        (folder / "janus.jcfg").write_text(
            f"""general: {{ configs_folder = "{folder}"
 plugins_folder = "{libraries}/plugins"
 transports_folder = "{libraries}/transports"
 events_folder = "{libraries}/events"
 loggers_folder = "{libraries}/loggers"
 debug_level = 2
 {loops} }}
media: {{ }}
nat: {{ }}
plugins: {{ disable = "{disable('plugins')}" }}
transports: {{ disable = "{disable('transports')}" }}
"""
        )
        (folder / "janus.transport.http.jcfg").write_text(
            f'general: {{ json = "compact"\n base_path = "/janus"\n http = true\n port = {self.port}\n ip = "{ADDRESS}"\n https = false }}\n'
            "admin: { admin_http = false }\n"
        )
        (folder / "janus.plugin.videoroom.jcfg").write_text(
            f'room-{JANUS_ROOM}: {{ description = "load"\n publishers = 1000\n bitrate = 0\n fir_freq = 0\n'
            '  audiocodec = "opus"\n videocodec = "vp8"\n notify_joining = false }\n'
        )


# Name, arguments of ramai-load, what a row is.
SCENARIOS = {
    "broadcast": (["--scenario", "broadcast", "--layers", "1"], "one camera (1 layer) and microphone to N receivers"),
    "meeting": (["--scenario", "meeting", "--layers", "1", "--visible", "9"], "N people, all with camera and microphone, 9 cameras each"),
}


def measure(server, scenario, size, seconds, folder):
    """One run of one server; the document of ramai-load, or what went wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with open(folder / "server.log", "w") as log:
        process = server.start(folder, log)
        try:
            wait_for(server.port, process, server.name)
            command = [
                str(ROOT / "target/release/ramai-load"), "--url", f"http://{ADDRESS}:{server.port}", *server.dialect,
                *SCENARIOS[scenario][0], "--participants", str(size), "--duration", f"{seconds}s", "--join-rate", "40",
                "--server-pid", str(process.pid), "--json", str(folder / "result.json"), "--quiet",
            ]
            ran = subprocess.run(pinned(1, command), capture_output=True, text=True, timeout=seconds + size / 40 + 90)
            try:
                return json.loads((folder / "result.json").read_text())
            except (OSError, ValueError):
                return {"error": (ran.stderr or ran.stdout).strip()[-400:]}
        except subprocess.TimeoutExpired:
            return {"error": "the load did not end in time"}
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def versions():
    """What was measured, on what."""
    def said(*command):
        ran = subprocess.run(command, capture_output=True, text=True)
        lines = (ran.stdout + ran.stderr).strip().splitlines()
        return lines[0] if lines else "unknown"
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    return {
        "Machine": f"{cpu}, {os.cpu_count()} cores, kernel {platform.release()}",
        "Ramai": said("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "Janus": said("dpkg-query", "-W", "-f", "${Version}", "janus") + " (Debian's package)",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--sizes", default="10,50,100,200,300")
    parser.add_argument("--meeting-sizes", default="10,20")
    parser.add_argument("--only", choices=SCENARIOS)
    parser.add_argument("--dry", action="store_true", help="print the tables, write nothing")
    options = parser.parse_args()
    if shutil.which("janus") is None:
        sys.exit("Janus is not installed: apt-get install janus")
    enter_namespace()

    servers = [Ramai(), Janus(0), Janus(len(os.sched_getaffinity(0)))]
    results = []
    with tempfile.TemporaryDirectory(prefix="side-by-side-") as scratch:
        for scenario in SCENARIOS:
            if options.only not in (None, scenario):
                continue
            sizes = options.sizes if scenario == "broadcast" else options.meeting_sizes
            for size in map(int, sizes.split(",")):
                for turn in range(options.rounds):
                    for server in servers:
                        document = measure(server, scenario, size, options.seconds, Path(scratch) / "run")
                        results.append({"server": server.name, "scenario": scenario, "size": size, "document": document})
                        print(report.line(results[-1], turn), flush=True)
    text = report.page(results, versions(), {k: v[1] for k, v in SCENARIOS.items()}, options)
    if options.dry:
        print(text)
        return
    docs = ROOT / "docs"
    docs.mkdir(exist_ok=True)
    (docs / "capacity").mkdir(exist_ok=True)
    for name, svg in report.plots(results).items():
        (docs / "capacity" / name).write_text(svg)
    (docs / "CAPACITY.md").write_text(text)
    print(f"written: {docs / 'CAPACITY.md'}")


if __name__ == "__main__":
    main()
