"""What is measured: each section is one table of the page, and can be measured alone."""

from dataclasses import dataclass

from measure import load_knows

FLOW = ("cpu", "share", "pps", "loss", "p50", "p99", "freezes", "join95", "rss", "threads", "tool")
JOIN = ("join_cpu", "join50", "join95", "join99", "failed", "rss_each", "rss", "threads", "tool")


@dataclass(frozen=True)
class Section:
    """One table."""

    name: str
    title: str
    words: str
    load: tuple = ()
    sizes: tuple = ()
    quick: tuple = ()
    columns: tuple = FLOW
    # Joins in a second; a negative number means all within so many seconds.
    rate: float = 40
    # Only these servers (their keys), or all.
    only: tuple = ()
    # Sizes are tried upwards, until load or server can't carry one.
    climb: bool = False
    # Ramai once more with a load that takes runs of UDP GSO whole, as a network card does.
    whole: bool = False
    # Every server once more while the load's core delivers what it sends.
    steered: bool = False
    # CPU of each media thread is sampled.
    threads: bool = False
    plots: tuple = ()
    seconds: int = 0
    kind: str = "table"

    def join_rate(self, size):
        return size / -self.rate if self.rate < 0 else self.rate


def sections():
    """All, in the order of the page."""
    dynacast = load_knows("--no-dynacast")
    silent = ("--scenario", "broadcast", "--layers", "0", "--talk", "0")
    one = ("--scenario", "broadcast", "--layers", "1")
    listed = [
        Section(
            "ceiling", "What one core holds, and where it breaks",
            "One camera (1 layer, 1.7 Mbit/s) and microphone to N receivers; N doubles until something breaks, then the gap is halved."
            " A run holds if all join and stay, loss is under 0.5% and latency p99 under 20 ms.",
            one, (75, 4800), (75, 300), kind="ceiling", rate=100,
        ),
        Section(
            "broadcast", "Broadcast", "One camera (1 layer, 1.7 Mbit/s) and microphone to N receivers.",
            one, (10, 50, 100, 200, 300), (10, 50), plots=("cpu", "p99", "rss"),
        ),
        Section(
            "video", "Broadcast of video alone", "The same without the microphone: one frame after the other.",
            (*one, "--audible", "0"), (10, 300), (10,), only=("ramai", "janus-loops"), whole=True,
            steered=True,
        ),
        Section(
            "meeting", "Meeting", "N people, all with camera (1 layer) and microphone, 9 cameras each.",
            ("--scenario", "meeting", "--layers", "1", "--visible", "9"), (10, 20), (10,), plots=("cpu", "p99", "rss"),
        ),
        Section(
            "gathering", "Large meeting with thumbnails",
            "N people, all with camera (3 layers offered, the lowest shown) and a microphone that is silent 98% of the time; each sees 25"
            " and hears 25. " + ("Layers that nobody watches aren't sent." if dynacast else "All layers are sent, watched or not.")
            + " N grows until load or server can't carry it. A server that can't keep up lets cameras go (ARCHITECTURE.md, Overload):"
            " those tracks never flow.",
            ("--scenario", "meeting", "--layers", "3", "--quality", "0", "--visible", "25", "--audible", "25", "--talk", "0.02"),
            (50, 100, 200, 300), (30,), only=("ramai",), climb=True, whole=True, steered=True,
        ),
        Section(
            "webinar", "Webinar", "10 cameras (3 layers offered, the lowest shown) and microphones to N listeners.",
            ("--scenario", "webinar", "--layers", "3", "--quality", "0"), (100,), (30,), only=("ramai",),
        ),
        Section("speakers", "Voice room", "N microphones, three people talk at a time, the others send DTX.", ("--scenario", "speakers"), (50,), (20,)),
        Section(
            "join", "Joins", "N join a room with one silent microphone, 50 a second; nothing else flows, so that CPU is that of the joins:"
            " signaling, ICE, DTLS.", silent, (100, 300), (40,), JOIN, 50, plots=("rss",), seconds=3,
        ),
        Section(
            "storm", "Join storm", "N join a broadcast (1 camera) within two seconds.",
            ("--scenario", "storm", "--layers", "1"), (100, 200), (40,), ("join50", "join95", "join99", "failed", "cpu", "loss", "p99", "tool"), -2,
        ),
        Section(
            "idle", "Idle participants", "N are connected, send nothing and subscribe to nothing.",
            ("--scenario", "idle"), (100, 500), (20, 60), JOIN, 50, only=("ramai",), plots=("rss",), seconds=3,
        ),
        Section(
            "workers", "Two workers", "The broadcast to one large room, with one media worker and with two.",
            one, (200,), (100,), ("cpu", "share", "pps", "loss", "p50", "p99", "busiest", "tool"), only=("ramai", "ramai-2"), threads=True,
        ),
        Section(
            "core", "The sfu core alone", "No sockets: from the sealed packet that came in to N sealed packets, by criterion"
            " (`cargo bench --bench forward`), on one core.", kind="core",
        ),
        Section(
            "floor", "The kernel alone", "No server: one thread sends to 300 sockets what a server would, 1,100 bytes a datagram, 60,000 a second,"
            " equal datagrams to one socket in one message (UDP GSO), 64 messages in one system call (`udp-floor`). Nanoseconds of its CPU for each"
            " datagram. What a server takes beyond that is its own; docs/FAST-PATH.md does the sums.", kind="floor",
        ),
    ]
    # A load tool of an older version has no idle participants.
    return {section.name: section for section in listed if section.name != "idle" or load_knows("- idle:")}
