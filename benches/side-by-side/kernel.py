"""What the kernel tells beside ramai-load's document: who else used the CPU, datagrams it dropped, CPU of a server's threads."""

import contextlib
import os
import re
import resource
import subprocess
import threading
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
# Which cores take in what was sent over loopback. The file shows the namespace that mounted it, so each write mounts it anew.
STEER = "mount -t sysfs sysfs /sys && echo {mask:x} > /sys/class/net/lo/queues/rx-0/rps_cpus"


def udp_counter(name):
    """One of the kernel's UDP counters of this namespace."""
    head, values = [line.split() for line in open("/proc/net/snmp") if line.startswith("Udp:")]
    return int(values[head.index(name)])


def receive_errors():
    """Datagrams dropped so far for want of room in a socket's buffer."""
    return udp_counter("RcvbufErrors")


@contextlib.contextmanager
def steered(on=True):
    """Loopback delivers on the load's core (receive packet steering): what the receivers' sockets cost is the receivers', as where a network
    lies between. Otherwise the sender's core delivers, on the sender's account."""
    core = max(os.sched_getaffinity(0))
    write = lambda mask: subprocess.run(["unshare", "--mount", "sh", "-c", STEER.format(mask=mask)], check=True)
    if on:
        write(1 << core)
    try:
        yield
    finally:
        if on:
            write(0)


class Others:
    """CPU that neither server nor load used during a run: other programs, the machine's host, and the kernel's own packet threads, which
    work for the server on nobody's account."""

    def __init__(self):
        self.softirqd = [p.parent for p in Path("/proc").glob("[0-9]*/comm") if said(p).startswith("ksoftirqd/")]
        self.begun, self.before = time.monotonic(), self.read()

    def read(self):
        """Busy and stolen time of all cores, that of the kernel's packet threads and of our children that have ended, in seconds."""
        user, nice, system, _idle, _wait, irq, softirq, steal = map(int, said("/proc/stat").split()[1:9])
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "busy": (user + nice + system + irq + softirq) / TICKS,
            "stolen": steal / TICKS,
            "softirqd": sum(map(cpu, self.softirqd)),
            "ours": ended.ru_utime + ended.ru_stime,
        }

    def shares(self, server=None):
        """`others`, `stolen` and `softirqd` in cores. `server` still runs, or is a zombie that keeps its times."""
        after, took = self.read(), time.monotonic() - self.begun
        spent = {key: after[key] - self.before[key] for key in after}
        ours = spent["ours"] + spent["softirqd"] + (cpu(Path(f"/proc/{server}")) if server else 0)
        found = {"others": max(0, spent["busy"] - ours), "stolen": spent["stolen"], "softirqd": spent["softirqd"]}
        return {key: round(seconds / took, 3) for key, seconds in found.items()}


def said(path):
    """The text of a file of /proc; empty if its process is gone."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def cpu(process):
    """CPU seconds of a process so far."""
    fields = said(process / "stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0


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
