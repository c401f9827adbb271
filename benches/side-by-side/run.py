#!/usr/bin/env python3
"""Measures Ramai, and the same load on Janus: interleaved, pinned, repeated. Writes docs/CAPACITY.md, its plots and raw results.

    run.py                              all sections (about an hour; the estimate is printed first)
    run.py --quick                      small sizes, one short round: minutes; written to target/bench-quick
    run.py --only broadcast,ceiling     these sections anew; the others stay as they were measured
    run.py --only hundreds              the rooms of hundreds, together half an hour
    run.py --only broadcast --servers ramai --sizes 300 --rounds 1 --dry     one row, printed
    run.py --page                       the page again from the results that are there

Janus is Debian's package (`apt-get install janus`). It refuses loopback candidates, so servers and load run in a network
namespace of their own, at an address of a veth interface; packets stay inside the kernel as on loopback. Needs root or
unprivileged user namespaces. Everything started here ends here.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import ceiling
import core
import floor
import hundreds
import judge
import report
import store
from kernel import Others, steered
from measure import LOAD, enter_namespace, estimate, load_knows, measure
from sections import sections
from servers import ROOT, Ramai, Whole, servers


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, one round of 3 s, written to target/bench-quick")
    parser.add_argument("--only", metavar="SECTION,…", help="only these sections")
    parser.add_argument("--servers", metavar="NAME,…", help="only these servers: ramai, janus, janus-loops")
    parser.add_argument("--sizes", metavar="N,…", help="these numbers of participants instead of each section's own")
    parser.add_argument("--rounds", type=int, help="runs of each row (default 3)")
    parser.add_argument("--seconds", type=int, help="measured time of each run (default 8)")
    parser.add_argument("--out", type=Path, help="folder of CAPACITY.md (default docs)")
    parser.add_argument("--dry", action="store_true", help="print the tables, write nothing")
    parser.add_argument("--janus-config", metavar="FOLDER", type=Path, help="only write the configuration that Janus is measured with")
    parser.add_argument("--page", action="store_true", help="only write the page again from stored results")
    chosen = parser.parse_args()
    chosen.rounds = chosen.rounds or (1 if chosen.quick else 3)
    chosen.out = chosen.out or ROOT / ("target/bench-quick" if chosen.quick else "docs")
    return chosen


class Bench:
    """Runs sections one after the other."""

    def __init__(self, chosen, scratch):
        self.options, self.folder = chosen, Path(scratch) / "run"

    def seconds(self, section):
        return self.options.seconds or (3 if self.options.quick else section.seconds or 8)

    def sizes(self, section):
        if self.options.sizes:
            return [int(size) for size in self.options.sizes.split(",")]
        return section.quick if self.options.quick else section.sizes

    def servers(self, section):
        found = servers()
        if "ramai-2" in section.only:
            found.append(Ramai(2))
        wanted = self.options.servers.split(",") if self.options.servers else None
        if "ramai-all" in section.only:
            found.append(Whole(section.options))
        return [s for s in found if (not section.only or s.key in section.only) and (not wanted or s.key in wanted)]

    def rounds(self, section):
        return getattr(section, "rounds", 0) or self.options.rounds

    def minutes(self, section):
        """About how long a section takes, in minutes."""
        if section.kind in ("core", "floor"):
            return 2.0
        count, seconds = len(self.servers(section)), self.seconds(section)
        if section.kind == "ceiling":
            typical = [600] * (4 if self.options.quick else 8 + self.options.rounds)
            return sum(estimate(section, size, seconds) for size in typical) * (count + load_knows("--gro")) / 60
        count += (section.whole and load_knows("--gro")) + section.steered * count
        return sum(estimate(section, size, seconds) for size in self.sizes(section)) * count * self.rounds(section) / 60

    def variants(self, section, server):
        """The section as it is, with the load's core delivering, and with a load that takes runs of GSO whole."""
        yield section, {}
        if section.steered:
            yield section, {"steered": True}
        if server.key == "ramai" and (section.whole or section.kind == "ceiling") and load_knows("--gro"):
            yield replace(section, load=(*section.load, "--gro")), {"gro": True}

    def once(self, section, server, size, turn, **more):
        with steered(more.get("steered", False)):
            run = measure(server, section, size, self.seconds(section), self.folder) | {"round": turn} | more
        print(report.line(section, server.name, run), flush=True)
        return run

    def table(self, section):
        """Every size, round by round, server by server."""
        runs = []
        for size in self.sizes(section):
            for turn in range(self.rounds(section)):
                for server in self.servers(section):
                    for loaded, more in self.variants(section, server):
                        runs.append(self.once(loaded, server, size, turn, **more))
            # Beyond a size that load or server can't carry there is nothing to see.
            if section.climb and all(judge.tool_full(run) or judge.faults(run) for run in runs if run["size"] == size):
                break
        return runs

    def ceiling(self, section):
        """For each server its own search; once more with a load that takes runs whole, where it can."""
        first, cap = self.sizes(section)[0], self.sizes(section)[-1]
        runs = []
        for server in self.servers(section):
            for loaded, more in self.variants(section, server):

                def holds(size, loaded=loaded, more=more, server=server, spare=[None] * 3):
                    runs.append(self.once(loaded, server, size, len(runs), **more))
                    # Once more where it broke while others used the machine, a few times in a search.
                    if judge.faults(runs[-1]) and judge.disturbed(runs[-1]) and spare:
                        spare.pop()
                        return holds(size)
                    return not judge.faults(runs[-1])

                ceiling.confirm(ceiling.search(first, cap, holds), self.options.rounds - 1, holds)
        return runs

    def section(self, section):
        """A section's results."""
        begun = store.circumstances()
        work = {"core": core.measure, "floor": floor.measure, "ceiling": self.ceiling, "table": self.table}[section.kind]
        runs = work(section)
        return {**begun, "rounds": self.rounds(section), "seconds": self.seconds(section), "runs": runs}


def write(out, everything, results):
    """The page and its plots."""
    (out / "capacity").mkdir(parents=True, exist_ok=True)
    store.write(out / "capacity" / "results.json", {name: results[name] for name in everything if name in results})
    drawn = report.plots(everything, results)
    for old in (out / "capacity").glob("*.svg"):
        if old.name not in drawn:
            old.unlink()
    for name, svg in drawn.items():
        (out / "capacity" / name).write_text(svg)
    (out / "CAPACITY.md").write_text(report.page(everything, results))


def main():
    chosen = options()
    if not LOAD.exists() or not (ROOT / "target/release/ramai").exists():
        sys.exit("not built: cargo build --locked --release -p ramai -p ramai-load (make bench-rivals does it)")
    large = hundreds.sections()
    everything = sections() | large
    chosen.only = chosen.only and chosen.only.replace("hundreds", ",".join(large))
    names = chosen.only.split(",") if chosen.only else list(everything)
    if unknown := set(names) - set(everything):
        sys.exit(f"no such section: {', '.join(sorted(unknown))}; there are: {', '.join(everything)}")
    stored = chosen.out / "capacity" / "results.json"
    results = {} if chosen.dry else store.read(stored)
    if chosen.janus_config:
        chosen.janus_config.mkdir(parents=True, exist_ok=True)
        next(s for s in servers() if s.key == (chosen.servers or "janus")).configure(chosen.janus_config.absolute())
        return
    if chosen.page:
        write(chosen.out, everything, results)
        return
    enter_namespace()

    with tempfile.TemporaryDirectory(prefix="side-by-side-") as scratch:
        bench = Bench(chosen, scratch)
        if len(servers()) == 1:
            print("Janus is not installed: Ramai is measured alone (apt-get install janus)")
        took = {name: bench.minutes(everything[name]) for name in names}
        print(f"about {sum(took.values()):.0f} minutes: " + ", ".join(f"{name} {time:.0f}" for name, time in took.items()), flush=True)
        others = Others()
        time.sleep(2)
        if busy := judge.disturbed(others.shares()):
            print(f"warning: this machine is not idle ({'; '.join(busy)}); runs will be marked", flush=True)
        begun = time.monotonic()
        for name in names:
            results[name] = bench.section(everything[name])
            # Section by section, so that an interrupted run leaves what it has measured.
            if not chosen.dry:
                write(chosen.out, everything, results)
    print(f"{(time.monotonic() - begun) / 60:.0f} minutes")
    print(report.page(everything, results) if chosen.dry else f"written: {chosen.out / 'CAPACITY.md'}")


if __name__ == "__main__":
    main()
