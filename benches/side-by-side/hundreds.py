"""Rooms of hundreds: what runs on one machine that also runs the load, as those who run calls would ask it. Server and load share
all cores here, the server is as it comes, and each row is one long run. The load takes runs of UDP GSO whole (`--gro`), as a network card
would: the machine has enough to do with being both sides."""

from dataclasses import dataclass, field

from measure import value
from sections import Section
from table import number

MIB = 2**20
# A picture that stands for longer is seen.
GAP_MS = 300
# Of the storm over the limit: what the door lets in, so that 2,000 within 10 s are five times too many.
DOOR = ("--join-rate", "40", "--join-burst", "40")
# What a server may hold for 2,000 who come at once: an idle participant's share each, and as much again while all shake hands.
STORM_MIB = 64 + 2 * 2000 * 64 / 1024

FLOW = ("loss", "p50", "p99", "freezes", "join95", "pps", "cpu", "share", "rss", "peak", "tool")
JOIN = ("join50", "join95", "join_max", "failed", "turned_away", "peak", "tool")


@dataclass(frozen=True)
class Long(Section):
    """A section whose rows are single long runs on the whole machine."""

    rounds: int = 1
    # The server's, beside what it is always given.
    options: tuple = field(default=())
    # People in a call in another room, from before the first join to after the last.
    beside: int = 0
    # Memory is noted minute by minute.
    minutes: bool = False
    only: tuple = ("ramai-all",)


def sections():
    """All, in the order of the page."""
    # Where the door is slow because the workers are busy, people come back as they are told.
    patient = ("--retry", "180s", "--allow-unheard", "--gro")
    meeting = ("--scenario", "meeting", "--layers", "3", "--quality", "0", *patient)
    listed = [
        Long(
            "crowd", "A meeting of hundreds", "N people, all with microphone and camera (3 layers), of whom three talk at a time. Each looks at"
            " the same page of 25 and hears whom the server lets through of all microphones; three layers are offered, the lowest is shown.",
            (*meeting, "--visible", "25", "--audible", "25", "--talk", "0.01"), (100, 300), (40,), FLOW, 10, seconds=300,
        ),
        Long(
            "slots", "A thousand with speaker slots", "N people, all with microphone and camera; each sees 9 and hears the room through its"
            " speaker slots, so that nobody needs a section for each microphone.",
            (*meeting, "--visible", "9", "--slots", "--talk", "0.003"), (1000,), (60,), FLOW, 15, seconds=120,
        ),
        Long(
            "hall", "A webinar for thousands", "10 speakers with microphone and camera (3 layers), N listeners, each with the loudest three"
            " voices and one video of 300 kbit/s.",
            ("--scenario", "webinar", "--layers", "3", "--rates", "160,300,1700", "--quality", "1", "--visible", "1", "--talk", "0.3", *patient),
            (2000,), (100,), FLOW, 25, seconds=120, options=("--audible", "3", "--max-participants", "0"),
        ),
        Long(
            "storm-in", "A storm that fits", "N join a broadcast (3 layers, the lowest shown) within ten seconds, while five others are in a"
            " call of their own and look at each other.",
            ("--scenario", "storm", "--layers", "3", "--quality", "0"), (500,), (100,), (*JOIN, "beside_gap", "beside_loss"), -10,
            seconds=10, beside=5,
        ),
        Long(
            "storm-over", "A storm over the limit", "N join a room with one silent microphone within ten seconds, where the door lets in 40 a"
            " second; who is sent away comes back when it was told to. Five others are in a call of their own.",
            ("--scenario", "broadcast", "--layers", "0", "--talk", "0", "--retry", "60s", "--allow-unheard"), (2000,), (300,),
            (*JOIN, "beside_gap", "beside_loss"), -10, seconds=10, beside=5, options=(*DOOR, "--max-participants", "0"),
        ),
        Long(
            "churn", "Coming and going", "N people with microphone and camera (1 layer); 5% of them leave each second, and as many come."
            " Each sees and hears four.",
            ("--scenario", "churn", "--layers", "1", "--stay", "20s", "--visible", "4", "--audible", "4", "--talk", "0.02", "--allow-unheard"),
            (200,), (30,), ("join95", "failed", "loss", "cpu", "share", "rss", "peak", "growth", "tool"), 20, seconds=600, minutes=True,
        ),
    ]
    return {section.name: section for section in listed}


def rows(results):
    """(target, limit, measured, verdict) of each."""
    return [
        stays(results, "crowd", 300, "meeting: 300 people, all microphones and cameras, 25 visible each; 5 minutes", 0.001, 20),
        stays(results, "slots", 1000, "meeting: 1,000 people, 9 visible each, speaker slots; 2 minutes"),
        stays(results, "hall", 2000, "webinar: 10 speakers, 2,000 listeners; 2 minutes"),
        storm(results),
        storm_over(results),
        churn(results),
    ]


def run_of(results, name, size):
    runs = [run for run in results.get(name, {}).get("runs", []) if run["size"] == size]
    return runs[-1] if runs else None


def missing(run):
    """Who isn't in, or didn't stay; in words."""
    joins = run["joins"]
    out = [f"{joins['joined']} of {joins['asked']} joined"]
    if joins.get("broken"):
        out.append(f"{joins['broken']} connections broke")
    return ", ".join(out), joins["joined"] == joins["asked"] and not joins.get("broken") and not joins["failed"]


def judged(target, limit, words, wrong):
    return target, limit, "; ".join(words), "met" if not wrong else "**missed**: " + "; ".join(wrong)


def stays(results, name, size, target, max_loss=None, max_p99=None):
    """All get in, nobody is dropped, and what else is asked."""
    limit = "all in, nobody dropped" + (f", loss < {100 * max_loss:g}%" if max_loss else "") + (f", video p99 < {max_p99} ms" if max_p99 else "")
    run = run_of(results, name, size)
    if run is None or "error" in run:
        return target, limit, "–", run["error"] if run else "not measured"
    words, fine = missing(run)
    words, wrong = [words], [] if fine else [words]
    # Audio isn't judged by its p99: who begins to speak is heard from the first syllable on, which was kept until then.
    loss, p99 = value(run, ("packets", "loss_share")) or 0, value(run, ("video", "p99")) or 0
    heard = value(run, ("audio", "p50"))
    words += [f"loss {100 * loss:.3f}%", f"video p99 {p99:.1f} ms"] + ([f"audio p50 {heard:.1f} ms"] if heard is not None else [])
    words.append(f"{value(run, ('packets', 'per_second')):,.0f} packets/s")
    words.append(f"server {value(run, ('server', 'cpu_share')):.2f} and load {value(run, ('tool', 'cpu_share')):.2f} of 2 cores")
    if silent := value(run, ("streams", "silent")):
        wrong.append(f"{silent} of {value(run, ('streams', 'negotiated'))} tracks never flowed")
    if max_loss and loss >= max_loss:
        wrong.append(f"loss {100 * loss:.2f}%")
    if max_p99 and p99 >= max_p99:
        wrong.append(f"video p99 {p99:.1f} ms")
    return judged(target, limit, words, wrong)


def beside(run, wrong):
    """The call in the other room, in words."""
    gap = value(run, ("beside", "longest_gap_ms"))
    if gap is None or value(run, ("beside", "error")):
        wrong.append(f"the call beside it was not measured: {value(run, ('beside', 'error'))}")
        return "no call beside it"
    if gap > GAP_MS:
        wrong.append(f"a picture in the call beside it stood for {gap:.0f} ms")
    return f"longest gap of a picture in the call beside it {gap:.0f} ms"


def storm(results):
    target, limit = "storm: 500 join one room in 10 s", f"all in, p95 < 3 s, no gap over {GAP_MS} ms in a call beside it"
    run = run_of(results, "storm-in", 500)
    if run is None or "error" in run:
        return target, limit, "–", run["error"] if run else "not measured"
    words, fine = missing(run)
    wrong = [] if fine else [words]
    p95 = value(run, ("join_ms", "p95"))
    if p95 >= 3000:
        wrong.append(f"p95 {p95:,.0f} ms")
    return judged(target, limit, [words, f"p95 {p95:,.0f} ms", beside(run, wrong)], wrong)


def storm_over(results):
    target = "storm over the limit: 2,000 in 10 s where 40 a second are let in"
    limit = f"orderly refusals, all in within 60 s, server below {STORM_MIB:.0f} MiB"
    run = run_of(results, "storm-over", 2000)
    if run is None or "error" in run:
        return target, limit, "–", run["error"] if run else "not measured"
    words, fine = missing(run)
    wrong = [] if fine else [words]
    longest, peak = value(run, ("join_ms", "max")), value(run, ("server", "peak")) / MIB
    away = value(run, ("joins", "turned_away"))
    if not away:
        wrong.append("nobody was sent away: the limit was not reached")
    if longest > 60_000:
        wrong.append(f"the last was in after {longest / 1000:.1f} s")
    if peak > STORM_MIB:
        wrong.append(f"{peak:.0f} MiB")
    more = [f"sent away {away} times", f"longest wait {longest / 1000:.1f} s", f"at most {peak:.0f} MiB", beside(run, wrong)]
    return judged(target, limit, [words, *more], wrong)


def churn(results):
    target, limit = "churn: 200 people, 5% leave and join each second, 10 minutes", "memory flat within 5%"
    run = run_of(results, "churn", 200)
    grown = number(run, "growth") if run and "error" not in run else None
    if grown is None:
        return target, limit, "–", (run or {}).get("error", "not measured")
    words, fine = missing(run)
    wrong = [] if fine else [words]
    if grown > 0.05:
        wrong.append(f"{100 * grown:+.1f}%")
    minutes = run["rss_minutes"]
    memory = f"{minutes[2] / MIB:.1f} MiB in the third minute, {minutes[-1] / MIB:.1f} in the last ({100 * grown:+.1f}%)"
    return judged(target, limit, [words, memory], wrong)


def table(results):
    """Markdown."""
    out = ["| target | limit | measured | |", "|---|---|---|---|"]
    return out + ["| " + " | ".join(row) + " |" for row in rows(results)]
