"""The servers that are measured: how each is started on an address of the bench's network, and how ramai-load joins it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ADDRESS = "10.78.0.1"
JANUS_ROOM = 1234
CORES = sorted(os.sched_getaffinity(0))
# The server has the first core alone and the load the last, where there are two.
SERVER_CORES, LOAD_CORES = [CORES[0]], [CORES[-1]]


def pinned(cores, command):
    """`command` bound to `cores`."""
    return ["taskset", "-c", ",".join(map(str, cores)), *map(str, command)]


class Ramai:
    """Our server, by default with one media worker, so that it is measured on one core as Janus is."""

    dialect = ["--dialect", "v1"]
    port = 7880

    def __init__(self, workers=1):
        self.key = "ramai" if workers == 1 else f"ramai-{workers}"
        self.name = "Ramai" if workers == 1 else f"Ramai, {workers} workers"
        # A core for each worker; on a machine without one to spare, the last is the load's as well.
        self.cores = CORES[:workers]
        self.command = [
            "target/release/ramai", "--dev", "--workers", str(workers), "--bind", ADDRESS, "--node-ip", ADDRESS,
            "--udp-bind", ADDRESS, "--max-participants", "0", "--join-rate", "0", "--audible", "0",
            "--speaker-slots-from", "0", "--log", "warn",
        ]
        if workers > 1:
            # A room spreads from here on; the default waits for more streams than this load has.
            self.command += ["--worker-streams", "50"]

    def start(self, folder, log):
        return subprocess.Popen(pinned(self.cores, [ROOT / self.command[0], *self.command[1:]]), stdout=log, stderr=log, cwd=folder)


class Whole(Ramai):
    """The server as it comes, on all cores, which it shares with the load."""

    def __init__(self, options=()):
        self.key, self.name, self.cores = "ramai-all", "Ramai, sharing all cores with the load", CORES
        self.command = [
            "target/release/ramai", "--dev", "--bind", ADDRESS, "--node-ip", ADDRESS, "--udp-bind", ADDRESS, "--log", "warn", *options,
        ]


class Janus:
    """Debian's Janus with the videoroom plugin alone."""

    dialect = ["--dialect", "janus", "--room", str(JANUS_ROOM)]
    port = 8088
    cores = SERVER_CORES

    def __init__(self, event_loops):
        self.event_loops = event_loops
        self.key = "janus-loops" if event_loops else "janus"
        self.name = f"Janus, event_loops = {event_loops}" if event_loops else "Janus as packaged"
        self.command = ["janus", "-F", "CONFIG", "-C", "CONFIG/janus.jcfg"]

    def start(self, folder, log):
        self.configure(folder)
        command = [word.replace("CONFIG", str(folder)) for word in self.command]
        return subprocess.Popen(pinned(self.cores, command), stdout=log, stderr=log, cwd=folder)

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


def servers():
    """Those of the side-by-side tables, in the order in which they take turns."""
    return [Ramai()] + ([Janus(0), Janus(len(CORES))] if shutil.which("janus") else [])


def stop(process):
    """Ends a server; how it ended, in words, if that was a crash."""
    running = process.poll() is None
    if running:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return "did not end within 10 s when asked to"
    return ended(process.returncode, running)


def ended(code, asked):
    """What an exit code says, if it is bad news. `asked`: it was asked to end."""
    if asked and code in (0, -signal.SIGTERM):
        return ""
    try:
        by = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        by = f"signal {-code}"
    return f"crashed when asked to end ({by})" if asked else f"crashed while it was measured ({by})"
