"""The floor under every price: what the kernel alone takes to send to many sockets, without a server (`udp-floor`)."""

import re
import subprocess
import sys

from judge import disturbed
from kernel import Others, steered
from servers import ADDRESS, LOAD_CORES, ROOT, SERVER_CORES, pinned

# In a set-up the receivers take datagrams one by one, or messages whole; and deliver on the sender's core, or on their own.
SETUPS = {
    "as the load receives": ([], False),
    "receivers take GSO runs whole": (["--gro"], False),
    "delivery on the receivers' core": ([], True),
    "… and whole": (["--gro"], True),
}


def command(words):
    """The bench of one set-up."""
    return pinned(SERVER_CORES, ["target/release/udp-floor", "--address", ADDRESS, "--receiver-core", LOAD_CORES[0], *words])


def measure(_section):
    """One run for each set-up and length of message: nanoseconds of the sender's CPU for each datagram."""
    runs = []
    for setup, (words, moved) in SETUPS.items():
        others = Others()
        with steered(moved):
            ran = subprocess.run(command(words), cwd=ROOT, capture_output=True, text=True)
        if ran.returncode != 0:
            sys.exit(f"udp-floor: {ran.stderr[-2000:]}")
        rows = re.findall(r"(\d+) datagrams a message: +(\d+) ns", ran.stdout)
        shares = others.shares()
        runs += [{"setup": setup, "size": int(segments), "ns": int(nanos)} | shares for segments, nanos in rows]
        print(f"floor, {setup}: {', '.join(f'{segments}: {nanos} ns' for segments, nanos in rows)}  {'; '.join(disturbed(shares))}", flush=True)
    return runs
