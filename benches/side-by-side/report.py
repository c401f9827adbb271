"""docs/CAPACITY.md and its plots, from the results alone. Medians over rounds; a run that failed or in which the load tool could not
keep up is shown as such and never averaged away silently."""

import hundreds
import judge
import measure
import plot
import table
import targets
from servers import Janus, Ramai, Whole

# Key of a plot: column, title.
PLOTS = {"cpu": "Server CPU per forwarded packet, µs", "p99": "Latency p99, ms (logarithmic)", "rss": "Server memory, MiB"}


def line(section, server, run):
    """One run, for the terminal."""
    where = f"{section.name} {run['size']:>4}  run {run['round'] + 1}  {server:<24}"
    if "error" in run:
        return f"{where} failed: {judge.trouble(run)}"
    show = lambda key: table.shown(table.median([run], key), table.COLUMNS[key][3])
    price = f"{show('join_cpu'):>6} ms/join {show('rss'):>6} MiB" if "join_cpu" in section.columns else f"{show('cpu'):>6} µs/packet"
    return (
        f"{where} {price} {show('pps'):>8} packets/s  p99 {show('p99'):>6} ms  loss {show('loss')}%"
        f"  CPU {show('share')}, load {show('tool')}  {judge.trouble(run)}".rstrip()
    )


def page(everything, results):
    """The text of CAPACITY.md."""
    out = [
        "# Capacity, measured side by side",
        "",
        "Written by `benches/side-by-side/run.py` from [capacity/results.json](capacity/results.json); no measured number here was typed by"
        " hand. To get yours:",
        "",
        "```sh",
        "make bench-rivals                            # everything: about an hour; installs Janus, needs root or user namespaces",
        "make bench-rivals ARGS=--quick               # small sizes, minutes; written to target/bench-quick",
        "make bench-rivals ARGS='--only broadcast'    # one section anew",
        "```",
        "",
        "Each participant is real ICE, DTLS and SRTP (`ramai-load`, see [its page](../benches/load/README.md)). Server and load have a core"
        " each of one machine; packets never leave its kernel. CPU is the server process's user and system time divided by the packets"
        " that arrived at receivers, so it holds the kernel's sending and its delivery into the load's sockets. The load's sockets take"
        " packets one by one (no UDP GRO) unless a row says otherwise: where they take runs whole, the kernel cuts none into packets, as where"
        " a network card does it. “Delivery on the load's core” is by receive packet steering of the loopback interface: the receivers' sockets are"
        " served by the receivers' core, as where a network lies between, and the server's CPU holds its sending alone. Rows of a table are interleaved server by server; medians.",
        "",
        "## Targets",
        "",
        *targets.table(results),
        "",
        "## Rooms of hundreds",
        "",
        "One machine of two cores runs the server as it comes and the load beside it, which takes runs of UDP GSO whole where people are many (the commands say `--gro`); `make bench-rivals ARGS='--only hundreds'`."
        " The sections below have the numbers of each run.",
        "",
        *hundreds.table(results),
    ]
    for name, section in everything.items():
        if name in results:
            out += ["", *chapter(section, results[name], results)]
    return "\n".join(out) + "\n"


def chapter(section, found, results):
    """One section of the page."""
    body = {"table": lambda: table.flow(section, found), "ceiling": lambda: table.limits(found), "core": lambda: table.core(found),
            "floor": lambda: table.floor(found)}
    janus = f", Janus {found['janus']} (Debian's package)" if any(run.get("who", "").startswith("janus") for run in found["runs"]) else ""
    rounds = f"; {found['rounds']} × {found['seconds']} s for each row" if section.kind == "table" else ""
    out = [
        f"## {section.title}", "", section.words, "",
        f"*{found['date']}, Ramai {found['ramai']}{janus}, on {found['machine']}{rounds}.*", "", *body[section.kind](),
    ]
    if section.name == "idle":
        slopes = [f"{table.name(key, found)} {slope:,.0f}" for key in dict.fromkeys(run["who"] for run in found["runs"])
                  if (slope := targets.each_idle({"idle": found}, key)) is not None]
        out += ["", "For each further participant, KiB (slope between the sizes): " + ", ".join(slopes) + "."]
    if section.name == "workers":
        out += ["", "The busiest thread tells what ends first when each worker has a core; server CPU together tells what the split costs."]
    if files := [f for f in plots({section.name: section}, results)]:
        out += ["", " ".join(f"![{f[:-4]}](capacity/{f})" for f in files)]
    return out + ["", *commands(section, found)]


def server_of(section, key):
    """How a run's server was started."""
    if key == "ramai-all":
        return Whole(section.options)
    return Ramai(int(key.partition("-")[2] or 1)) if key.startswith("ramai") else Janus(0)


def commands(section, found):
    """What a reader types for one row."""
    if section.kind == "core":
        return ["```sh", "taskset -c 0 cargo bench --locked --bench forward -- forward/", "```"]
    if section.kind == "floor":
        return ["```sh", "taskset -c 0 target/release/udp-floor           # and --gro, see --help; on the loopback of where it runs", "```"]
    out = ["<details><summary>Commands</summary>", "", "```sh"]
    size = max(run["size"] for run in found["runs"])
    key = found["runs"][0]["who"]
    out += ["# one row, all of it", f"benches/side-by-side/run.py --only {section.name} --servers {key} --sizes {size} --rounds 1 --dry"]
    if section.kind == "ceiling":
        out[-1] = f"benches/side-by-side/run.py --only {section.name} --servers {key} --dry"
    out += ["# or by hand, in a network namespace (unshare --net), where Janus takes the address and nobody else is", measure.SETUP]
    for server in dict.fromkeys(run["who"] for run in found["runs"]):
        kind = server_of(section, server)
        start = " ".join(kind.command)
        if server.startswith("janus"):
            out.append(f"benches/side-by-side/run.py --servers {server} --janus-config CONFIG")
        load_cores = "0,1" if server == "ramai-all" else "1"
        words = measure.arguments(kind, section, size, found["seconds"])
        out += [
            f"# {table.name(server, found)}, N = {size}", f"taskset -c {','.join(map(str, kind.cores))} {start} &",
            f"taskset -c {load_cores} target/release/ramai-load {' '.join(words)} --server-pid $!",
        ]
    return [*out, "```", "", "</details>"]


def plots(everything, results):
    """File name → SVG."""
    out = {}
    for name, section in everything.items():
        for key in section.plots if name in results else ():
            lines, sizes = {}, set()
            for (size, server), runs in table.groups(results[name]["runs"]).items():
                if (found := table.median(runs, key)) is not None:
                    lines.setdefault(table.name(server, results[name]), []).append((size, found))
                    sizes.add(size)
            svg = plot.plot(PLOTS[key], "participants", [(n, p, False) for n, p in lines.items()], key == "p99", sorted(sizes))
            if svg and len(sizes) > 1:
                out[f"{name}-{key}.svg"] = svg
        if section.kind == "ceiling" and name in results:
            out["ceiling-load.svg"] = load_plot(results)
    return {name: svg for name, svg in out.items() if svg}


def load_plot(results):
    """Latency over load: the runs of the broadcast and of the search, with one core for each server. Points are joined by N: beyond
    its limit a server delivers less, and the line turns back."""
    lines = {}
    runs = [run for part in ("broadcast", "ceiling") for run in results.get(part, {}).get("runs", []) if not run.get("gro")]
    for (_, server), found in table.groups(runs).items():
        name = table.name(server, results.get("ceiling"))
        for key in ("p50", "p99"):
            rate, latency = table.median(found, "pps"), table.median(found, key)
            if rate and latency:
                lines.setdefault((name, key), []).append((rate, latency))
    ordered = [(name, points, key == "p50") for (name, key), points in lines.items()]
    return plot.plot("Latency over load, ms (logarithmic): p99, and p50 dashed", "packets / s", ordered, True)
