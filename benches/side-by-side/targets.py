"""The table of targets: each against what was measured, with how far it is met or missed; nothing in it is typed by hand but the
targets themselves."""

import ceiling
import judge
from table import STEERED, WHOLE, median, searches, who


def rows(results):
    """(target, limit as text, measured as text, verdict) of each target."""
    return [
        *video(results, 300, 1.5),
        *video(results, 10, 3),
        at_most("broadcast 1 video and 1 audio → 300, CPU µs a packet", 1.5, *cell(results, "broadcast", "ramai", 300, "cpu")),
        gathering(results, "ramai"),
        gathering(results, "ramai" + STEERED),
        gathering(results, "ramai" + WHOLE),
        *core(results),
        idle(results),
        at_most("a join, CPU ms", 3, *cell(results, "join", "ramai", None, "join_cpu")),
        janus(results, "ramai"),
        janus(results, "ramai" + STEERED),
        janus(results, "ramai" + WHOLE),
        most(results),
        calm(results),
        workers(results),
    ]


def unmeasured(target, limit, why="not measured"):
    return target, limit, "–", why


def verdict(found, limit, upwards, digits=2):
    """How far a limit is met or missed."""
    good = found >= limit if upwards else found <= limit
    ratio = (found / limit if upwards == good else limit / found) if found and limit else 0
    ratio = max(ratio, 1 / ratio) if ratio else 0
    return f"met, {ratio:.{digits}f} × better" if good else f"**missed by {ratio:.{digits}f} ×**"


def at_most(target, limit, found, note=""):
    if found is None:
        return unmeasured(target, f"≤ {limit:g}")
    return target, f"≤ {limit:g}", f"{found:,.2f}{note}", verdict(found, limit, False)


def runs_of(results, section, server, size=None):
    """The runs of a row; without a size, of the largest measured."""
    found = [run for run in results.get(section, {}).get("runs", []) if who(run) == server and "error" not in run]
    size = max((run["size"] for run in found), default=0) if size is None else size
    return [run for run in found if run["size"] == size]


def cell(results, section, server, size, key):
    """A number of a table, and a note if the run was not clean."""
    runs = runs_of(results, section, server, size)
    bad = sum(1 for run in runs if judge.trouble(run))
    return median(runs, key), f" ({bad} of {len(runs)} runs not clean, see there)" if bad else ""


def video(results, size, limit):
    """The broadcast of one video, for each way in which the load receives."""
    for server in ("ramai", "ramai" + STEERED, "ramai" + WHOLE):
        yield at_most(f"broadcast 1 video → {size}, CPU µs a packet{how(server)}", limit, *cell(results, "video", server, size, "cpu"))


def how(server):
    """How the load received, if not one by one on the server's account."""
    return {STEERED: ", the load's core delivers", WHOLE: ", the load takes GSO runs whole"}.get(server.removeprefix("ramai"), "")


def gathering(results, server):
    """The largest meeting that ran clean, beside the 300 that are asked for."""
    runs = [run for run in results.get("gathering", {}).get("runs", []) if who(run) == server]
    clean = [run for run in runs if not judge.trouble(run)]
    size = max((run["size"] for run in clean), default=None)
    note = f" (N = {size}: the largest that ran clean)" if size and size < 300 else ""
    found = median([run for run in clean if run["size"] == size], "cpu")
    return at_most(f"meeting, 300 people, 25 visible each, CPU µs a packet{how(server)}", 1.2, found, note)


def core(results):
    """The price alone, and how flat it is."""
    runs = results.get("core", {}).get("runs", [])
    sizes = f"N = {runs[0]['size']}…{runs[-1]['size']:,}" if runs else "N = 10…1,000"
    worst = max((run["ns"] for run in runs), default=None)
    flat = worst / min(run["ns"] for run in runs) if runs else None
    return [
        at_most(f"sfu core alone, {sizes}, worst, ns a packet", 450, worst),
        at_most(f"the same, worst against best", 1.3, flat),
    ]


def each_idle(results, server):
    """KiB for each further participant: the slope between two sizes, so that what a server needs once isn't in it."""
    sizes = sorted({run["size"] for run in results.get("idle", {}).get("runs", []) if run["who"] == server})
    if len(sizes) < 2:
        return None
    low, high = (median(runs_of(results, "idle", server, size), "rss") for size in (sizes[0], sizes[-1]))
    return None if None in (low, high) else (high - low) * 1024 / (sizes[-1] - sizes[0])


def idle(results):
    return at_most("idle participant, KiB", 64, each_idle(results, "ramai"))


def janus(results, server):
    """Against Janus in its faster mode, in the same interleaved runs. It sends no runs, so its load has none to take whole; where the
    load's core delivers for us, it does for Janus."""
    rival = "janus-loops" + (STEERED if server.endswith(STEERED) else "")
    target, limit = f"CPU a packet against Janus in its faster mode, video alone, at 300{how(server)}", "≥ 10 ×"
    ours, theirs = (median(runs_of(results, "video", key, 300), "cpu") for key in (server, rival))
    if not ours or not theirs:
        return unmeasured(target, limit)
    return target, limit, f"{theirs / ours:.1f} × ({theirs:.2f} against {ours:.2f} µs)", verdict(theirs / ours, 10, True)


def most(results):
    """The most that one core forwards; where the load ended first, that is said instead of a verdict."""
    target, limit = "most that one core forwards under 0.5% loss and 20 ms p99, packets a second", "≥ 300,000"
    found = [(ceiling.packets(ceiling.summary(runs)[0]) or 0, label, runs)
             for (server, _), (label, runs) in searches(results.get("ceiling", {"runs": []})).items() if server == "ramai"]
    if not found:
        return unmeasured(target, limit)
    rate, label, runs = max(found, key=lambda row: row[0])
    best, broken = ceiling.summary(runs)
    words = f"{rate:,.0f} ({label}; server CPU {median(best, 'share') or 0:.2f})"
    if rate < 300_000 and not broken:
        return target, limit, words, "not shown: nothing broke up to there"
    for why, of in (("the load was full first", judge.tool_full), ("the machine was busy with something else", judge.disturbed)):
        if rate < 300_000 and all(map(of, broken)):
            return target, limit, words, f"not shown: {why}"
    return target, limit, words, verdict(rate, 300_000, True)


def calm(results):
    """Latency at 70% of a core: the busiest run up to there, of all that put one server on one core."""
    target, limit = "latency p99 at 70% of a core, ms", "≤ 2"
    runs = [run for section in ("broadcast", "ceiling") for run in results.get(section, {}).get("runs", [])
            if run["who"] == "ramai" and not run.get("gro") and not judge.trouble(run)]
    runs = [run for run in runs if 0.55 <= (median([run], "share") or 0) <= 0.7]
    if not runs:
        return unmeasured(target, limit, "no clean run came between 55% and 70%")
    run = max(runs, key=lambda run: median([run], "share"))
    found = judge.p99(run)
    return target, limit, f"{found:.1f} (at {median([run], 'share'):.2f} of a core)", verdict(found, 2, False)


def workers(results):
    """How much more two workers would carry, by the busiest thread: what ends first when each has a core."""
    target, limit = "two workers against one, large room", "≥ 1.8 ×"
    one, two = (median(runs_of(results, "workers", key), "busiest") for key in ("ramai", "ramai-2"))
    if not one or not two:
        return unmeasured(target, limit)
    return target, limit, f"{one / two:.2f} × (busiest media thread, {one:.3f} against {two:.3f} of a core)", verdict(one / two, 1.8, True)


def table(results):
    """Markdown."""
    out = ["| target | limit | measured | |", "|---|--:|---|---|"]
    return out + ["| " + " | ".join(row) + " |" for row in rows(results)]
