"""Tables of one section: a row for each size and server, medians over rounds; a run that went wrong is noted at its row."""

import re
import statistics

import ceiling
import judge
from measure import value
from servers import Janus, Ramai, Whole

# Key: heading, path in a run, scale, decimals.
COLUMNS = {
    "cpu": ("CPU µs / packet", ("server", "cpu_us_per_packet"), 1, 2),
    "share": ("server CPU, cores", ("server", "cpu_share"), 1, 2),
    "pps": ("packets / s", ("packets", "per_second"), 1, 0),
    "loss": ("loss %", ("packets", "loss_share"), 100, 3),
    "p50": ("latency p50 ms", "p50", 1, 1),
    "p99": ("latency p99 ms", "p99", 1, 1),
    "freezes": ("freezes", ("pictures", "freezes"), 1, 0),
    "join_cpu": ("server CPU ms / join", ("server", "cpu_ms_per_join"), 1, 2),
    "join50": ("join p50 ms", ("join_ms", "p50"), 1, 0),
    "join95": ("join p95 ms", ("join_ms", "p95"), 1, 0),
    "join99": ("join p99 ms", ("join_ms", "p99"), 1, 0),
    "failed": ("joins failed", ("joins", "failed"), 1, 0),
    "rss": ("RSS MiB", ("server", "rss_end"), 1 / 2**20, 1),
    "rss_each": ("KiB / participant", ("server", "rss_per_participant"), 1 / 1024, 0),
    "threads": ("threads", ("server", "threads"), 1, 0),
    "busiest": ("busiest media thread, cores", "busiest", 1, 3),
    "peak": ("most MiB", ("server", "peak"), 1 / 2**20, 1),
    "join_max": ("join max ms", ("join_ms", "max"), 1, 0),
    "turned_away": ("times sent away", ("joins", "turned_away"), 1, 0),
    "beside_gap": ("call beside: longest gap ms", ("beside", "longest_gap_ms"), 1, 0),
    "beside_loss": ("call beside: loss %", ("beside", "loss_share"), 100, 3),
    "growth": ("growth %, third minute to last", "growth", 100, 1),
    "tool": ("load's CPU, cores", ("tool", "cpu_share"), 1, 2),
}

# Behind a server's key: the load took its GSO runs whole.
WHOLE = "+gro"
# ... the load's core delivered what the server sent.
STEERED = "+steered"


def number(run, path):
    """One value of a run, or None."""
    if path == "busiest":
        return max(run.get("threads", {}).values(), default=None)
    if path == "growth":
        minutes = run.get("rss_minutes") or []
        return minutes[-1] / minutes[2] - 1 if len(minutes) > 3 else None
    if path in ("p50", "p99"):
        found = value(run, ("video", path))
        return value(run, ("audio", path)) if found is None else found
    return value(run, path)


def median(runs, key):
    """Of a column over the runs that gave it, in the column's unit; None if none did."""
    _, path, scale, _ = COLUMNS[key]
    values = [found * scale for run in runs if (found := number(run, path)) is not None]
    return statistics.median(values) if values else None


def shown(found, digits):
    return "–" if found is None else f"{found:,.{digits}f}"


def name(key, section_results=None):
    """How a server is called in tables."""
    if key.endswith(WHOLE):
        return name(key.removesuffix(WHOLE), section_results) + ", load takes whole GSO runs"
    if key.endswith(STEERED):
        return name(key.removesuffix(STEERED), section_results) + ", delivery on the load's core"
    if key == "ramai-all":
        return Whole().name
    if key.startswith("ramai"):
        return Ramai(int(key.partition("-")[2] or 1)).name
    cores = re.search(r", (\d+) cores", (section_results or {}).get("machine", ""))
    return Janus(int(cores[1]) if cores else 2).name if key == "janus-loops" else Janus(0).name


def who(run):
    """The server of a run, and how the load received."""
    return run["who"] + (WHOLE if run.get("gro") else STEERED if run.get("steered") else "")


def groups(runs):
    """(size, server) → runs, by size, servers in their order of turns."""
    out = {}
    for run in sorted(runs, key=lambda run: run["size"]):
        out.setdefault((run["size"], who(run)), []).append(run)
    return out


def flow(section, results):
    """The table of a section of rounds."""
    head = [COLUMNS[key][0] for key in section.columns]
    out = ["| N | server | " + " | ".join(head) + " |", "|--:|---|" + "--:|" * len(head)]
    notes = []
    for (size, server), runs in groups(results["runs"]).items():
        cells = [shown(median(runs, key), COLUMNS[key][3]) for key in section.columns]
        called, mark = name(server, results), ""
        if troubles := list(dict.fromkeys(found for found in map(judge.trouble, runs) if found)):
            bad = sum(1 for run in runs if judge.trouble(run))
            notes.append(f"{called}, N = {size}, {bad} of {len(runs)} runs: {'; '.join(troubles)}")
            mark = f" [{len(notes)}]"
        out.append(f"| {size} | {called}{mark} | " + " | ".join(cells) + " |")
    return out + [""] + [f"[{i}] {note}  " for i, note in enumerate(notes, 1)]


def searches(results):
    """Of the ceiling's runs: (server, with GRO) → name, runs."""
    out = {}
    for run in results["runs"]:
        out.setdefault((run["who"], run.get("gro", False)), (name(who(run), results), []))[1].append(run)
    return out


def limits(results):
    """The table of what one core holds."""
    out = [
        "| server | most that holds, packets / s | N | server CPU, cores | that is for a whole core, packets / s | latency p50 / p99 ms | loss % |"
        " load's CPU, cores | breaks at packets / s | N | what broke | what was full |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|---|",
    ]
    for label, runs in searches(results).values():
        best, broken = ceiling.summary(runs)
        rate, share = ceiling.packets(best), median(best, "share")
        whole = rate / share if rate and share else None
        cells = [
            label, shown(rate, 0), str(best[0]["size"]) if best else "–", shown(share, 2), shown(whole, 0),
            f"{shown(median(best, 'p50'), 1)} / {shown(median(best, 'p99'), 1)}", shown(median(best, "loss"), 3), shown(median(best, "tool"), 2),
            shown(ceiling.packets(broken), 0) if broken else "not reached", str(broken[0]["size"]) if broken else "–",
        ]
        failed = next((run for run in broken if judge.faults(run)), None)
        cells += ["; ".join(judge.faults(failed)), judge.cause(failed)] if failed else ["–", "–"]
        out.append("| " + " | ".join(cells) + " |")
    return [*out, "", "“For a whole core” is packets divided by the server's CPU: what the same price would give if nothing else ended first."]


def core(results):
    """The table of the core alone."""
    out = ["| N | ns / packet | 95% of it between |", "|--:|--:|--:|"]
    notes = ["", *judge.disturbed(results["runs"][0])] if results["runs"] else []
    return out + [f"| {run['size']} | {run['ns']:,.0f} | {run['low']:,.0f} – {run['high']:,.0f} |" for run in results["runs"]] + notes


def floor(results):
    """The table of the kernel alone: a row for each length of message, a column for each set-up."""
    setups = list(dict.fromkeys(run["setup"] for run in results["runs"]))
    found = {(run["size"], run["setup"]): run["ns"] for run in results["runs"]}
    out = ["| datagrams a message | " + " | ".join(setups) + " |", "|--:|" + "--:|" * len(setups)]
    for size in dict.fromkeys(run["size"] for run in results["runs"]):
        out.append(f"| {size} | " + " | ".join(shown(found.get((size, setup)), 0) for setup in setups) + " |")
    return out
