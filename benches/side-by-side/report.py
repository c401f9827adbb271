"""Turns runs into tables and plots. Medians over rounds; a run that failed or in which the load tool could not keep up is
shown as such and never averaged away."""

import statistics

WIDTH, HEIGHT, MARGIN = 640, 360, 60
COLOURS = ["#e4572e", "#4a6fa5", "#6b8f71", "#8d6a9f"]

# Heading, path in the document of ramai-load, scale, decimals.
COLUMNS = [
    ("CPU µs / packet", ("server", "cpu_us_per_packet"), 1, 2),
    ("server CPU, cores", ("server", "cpu_share"), 1, 2),
    ("packets / s", ("packets", "per_second"), 1, 0),
    ("loss %", ("packets", "loss_share"), 100, 3),
    ("latency p50 ms", ("latency_ms", "video", "p50"), 1, 1),
    ("latency p99 ms", ("latency_ms", "video", "p99"), 1, 1),
    ("freezes", ("pictures", "freezes"), 1, 0),
    ("join p95 ms", ("joins", "time_ms", "p95"), 1, 0),
    ("RSS MiB", ("server", "rss_end"), 1 / 2**20, 1),
    ("threads", ("server", "threads"), 1, 0),
]


def value(document, path):
    """The number at `path`, or None."""
    for key in path:
        if not isinstance(document, dict) or document.get(key) is None:
            return None
        document = document[key]
    return document


def trouble(document):
    """Why a run can't be taken at its word, or an empty text."""
    if "error" in document:
        return document["error"].splitlines()[-1] if document["error"] else "no result"
    joins = document["joins"]
    if joins["joined"] < joins["asked"]:
        return f"{joins['asked'] - joins['joined']} of {joins['asked']} joins failed"
    if joins["broken"]:
        return f"{joins['broken']} connections broke"
    if document["tool"]["own_drops"]:
        return f"the load tool dropped {document['tool']['own_drops']} packets itself"
    return ""


def line(result, turn):
    """One run, for the terminal."""
    document = result["document"]
    where = f"{result['scenario']} {result['size']:>4}  round {turn + 1}  {result['server']:<26}"
    if "error" in document:
        return f"{where} failed: {trouble(document)}"
    show = lambda path, digits: "-" if value(document, path) is None else f"{value(document, path):.{digits}f}"
    return (
        f"{where} {show(('server', 'cpu_us_per_packet'), 2):>7} us/packet  {show(('packets', 'per_second'), 0):>7} packets/s"
        f"  p99 {show(('latency_ms', 'video', 'p99'), 1):>6} ms  loss {show(('packets', 'loss_share'), 5)}  {trouble(document)}"
    )


def grouped(results):
    """(scenario, size, server) → documents, in the order of the runs."""
    groups = {}
    for result in results:
        groups.setdefault((result["scenario"], result["size"], result["server"]), []).append(result["document"])
    return groups


def median(documents, path, scale=1):
    """Median over the runs that gave a number."""
    values = [value(d, path) * scale for d in documents if value(d, path) is not None]
    return statistics.median(values) if values else None


def page(results, versions, scenarios, options):
    """docs/CAPACITY.md."""
    out = [
        "# Capacity, measured side by side",
        "",
        "Written by `benches/side-by-side/run.py`; no number here was typed by hand. To get yours:",
        "",
        "```sh",
        "make bench-rivals   # builds all, installs Janus from Debian's packages, needs root or user namespaces",
        "```",
        "",
        "| | |",
        "|---|---|",
        *[f"| {name} | {text} |" for name, text in versions.items()],
        f"| Runs | {options.rounds} for each row, interleaved server by server; medians; {options.seconds} s measured in each |",
        "| Pinning | server on one core, load on another; both on one machine, packets never leave its kernel |",
        "| Load | `ramai-load`: real ICE, DTLS and SRTP for each participant; see `ramai-load --help` |",
        "",
        "CPU is the server process's user and system time, divided by the packets that arrived at receivers. With Janus, ",
        "receivers that decrypt are the same share as with Ramai.",
    ]
    groups = grouped(results)
    for scenario, words in scenarios.items():
        rows = [(size, server, docs) for (s, size, server), docs in groups.items() if s == scenario]
        if not rows:
            continue
        out += ["", f"## {scenario}: {words}", "", "| N | server | " + " | ".join(c[0] for c in COLUMNS) + " |"]
        out.append("|--:|---|" + "--:|" * len(COLUMNS))
        notes = []
        for size, server, docs in sorted(rows, key=lambda r: r[0]):
            cells = []
            for _, path, scale, digits in COLUMNS:
                number = median(docs, path, scale)
                cells.append("–" if number is None else f"{number:,.{digits}f}")
            troubles = sorted({t for t in map(trouble, docs) if t})
            mark = ""
            if troubles:
                notes.append(f"{server}, N = {size}: {'; '.join(troubles)}")
                mark = f" [{len(notes)}]"
            out.append(f"| {size} | {server}{mark} | " + " | ".join(cells) + " |")
        out += [""] + [f"[{i}] {note}  " for i, note in enumerate(notes, 1)]
        out += ["", f"![CPU per packet]({'capacity/' + scenario}-cpu.svg) ![Latency]({'capacity/' + scenario}-latency.svg) "
                f"![Memory]({'capacity/' + scenario}-memory.svg)"]
    return "\n".join(out) + "\n"


def plots(results):
    """File name → SVG."""
    groups = grouped(results)
    out = {}
    for scenario in dict.fromkeys(s for s, _, _ in groups):
        for name, path, scale, title in (
            ("cpu", ("server", "cpu_us_per_packet"), 1, "server CPU per forwarded packet, µs"),
            ("latency", ("latency_ms", "video", "p99"), 1, "latency p99, ms"),
            ("memory", ("server", "rss_end"), 1 / 2**20, "server memory, MiB"),
        ):
            lines = {}
            for (s, size, server), docs in groups.items():
                number = median(docs, path, scale)
                if s == scenario and number is not None:
                    lines.setdefault(server, []).append((size, number))
            out[f"{scenario}-{name}.svg"] = plot(title, lines)
    return out


def plot(title, lines):
    """A line chart over N."""
    top = max((y for points in lines.values() for _, y in points), default=1) * 1.1 or 1
    right = max((x for points in lines.values() for x, _ in points), default=1)
    x = lambda n: MARGIN + n / right * (WIDTH - MARGIN - 20)
    y = lambda v: HEIGHT - MARGIN - v / top * (HEIGHT - MARGIN - 50)
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{MARGIN}" y="20" font-size="14">{title}</text>',
    ]
    for step in range(6):
        v = top * step / 5
        svg.append(f'<path d="M{MARGIN} {y(v):.1f}H{WIDTH - 20}" stroke="#ddd"/>')
        svg.append(f'<text x="{MARGIN - 6}" y="{y(v) + 4:.1f}" text-anchor="end">{v:.3g}</text>')
    for n in sorted({n for points in lines.values() for n, _ in points}):
        svg.append(f'<text x="{x(n):.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{n}</text>')
    svg.append(f'<text x="{WIDTH - 20}" y="{HEIGHT - MARGIN + 34}" text-anchor="end">participants</text>')
    for index, (server, points) in enumerate(lines.items()):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{x(n):.1f},{y(v):.1f}" for n, v in sorted(points))
        svg.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        svg += [f'<circle cx="{x(n):.1f}" cy="{y(v):.1f}" r="3" fill="{colour}"/>' for n, v in points]
        svg.append(f'<text x="{MARGIN + 10}" y="{40 + 16 * index}" fill="{colour}">{server}</text>')
    return "\n".join([*svg, "</svg>"]) + "\n"
