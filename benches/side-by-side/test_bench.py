"""Tests of what turns runs into judgements: python3 -m unittest discover -s benches/side-by-side."""

import json
import tempfile
import unittest
import xml.dom.minidom
from pathlib import Path

import ceiling
import core
import hundreds
import judge
import plot
import report
import servers
import store
import table
import targets
from sections import Section


def run(size=100, who="ramai", **more):
    """A good run: 250 packets a second for each receiver at 2 µs."""
    good = {
        "who": who, "size": size, "round": 0, "joins": {"asked": size, "joined": size, "failed": 0, "broken": 0},
        "packets": {"loss_share": 0.0, "per_second": 250.0 * size}, "pictures": {"freezes": 0}, "streams": {"negotiated": 2, "silent": 0},
        "server": {"cpu_us_per_packet": 2.0, "cpu_share": 250e-6 * 2 * size, "rss_end": (10 << 20) + size * (50 << 10), "threads": 3},
        "tool": {"own_drops": 0, "cpu_share": 0.2}, "video": {"p50": 1.0, "p99": 2.0}, "join_ms": {"p95": 9.0},
    }
    return good | more


def results(*runs, **more):
    return {"date": "2020-01-02", "ramai": "abc", "janus": "1", "machine": "CPU, 2 cores, kernel 6", "rounds": 1, "seconds": 8, "runs": list(runs), **more}


class Search(unittest.TestCase):
    def found(self, limit, first=75, cap=4800):
        asked = []
        best = ceiling.search(first, cap, lambda size: asked.append(size) or size <= limit)
        self.assertLessEqual(len(asked), ceiling.BOUND)
        return best

    def test_it_comes_near_to_any_limit(self):
        for limit in (3, 20, 75, 100, 333, 600, 1000, 4799):
            best = self.found(limit)
            self.assertTrue(best <= limit <= best * ceiling.NEAR + 1, f"{best} for {limit}")

    def test_it_ends_where_nothing_holds_and_where_all_does(self):
        self.assertIsNone(self.found(0))
        self.assertEqual(self.found(10**9), 4800)

    def test_what_was_found_once_by_luck_is_not_believed(self):
        tried = []
        ceiling.confirm(1000, 2, lambda size: tried.append(size) or size < 1000)
        self.assertEqual(tried, [1000, 1000, 900, 900])
        lucky = [run(1000), *[run(1000, video={"p99": 50.0}) for _ in range(2)], run(900), run(900)]
        best, broken = ceiling.summary(lucky)
        self.assertEqual((best[0]["size"], broken[0]["size"]), (900, 1000))

    def test_a_disturbed_run_does_not_break_a_size(self):
        best, broken = ceiling.summary([run(100, video={"p99": 50.0}, others=1.2), run(100)])
        self.assertEqual((len(best), broken), (1, []))


class Judgement(unittest.TestCase):
    def test_a_good_run_has_no_fault(self):
        self.assertEqual((judge.faults(run()), judge.trouble(run())), ([], ""))

    def test_each_fault_is_named(self):
        for word, change in {
            "loss 0.60% (12 dropped": {"packets": {"loss_share": 0.006}, "kernel_drops": 12},
            "p99 21.0 ms": {"audio": {"p99": 21.0}},
            "1 of 100 joins failed": {"joins": {"asked": 100, "joined": 99}},
            "2 connections broke": {"joins": {"asked": 1, "joined": 1, "broken": 2}},
            "3 tracks never flowed": {"streams": {"negotiated": 9, "silent": 3}},
            "7 drops at the load's sockets": {"tool": {"own_drops": 7, "cpu_share": 0.5}},
            "crashed while it was measured (SIGSEGV)": {"error": servers.ended(-11, False)},
        }.items():
            faults = judge.faults(run(**change))
            self.assertTrue(len(faults) == 1 and word in faults[0], f"{word}: {faults}")

    def test_who_was_full_is_told(self):
        full = lambda server, tool: judge.cause(run(server={"cpu_share": server}, tool={"cpu_share": tool}))
        self.assertTrue(full(0.99, 0.5).startswith("server full"))
        self.assertTrue(full(0.5, 0.99).startswith("load tool full"))
        self.assertTrue(full(0.5, 0.5).startswith("no core full"))

    def test_an_end_that_was_asked_for_is_no_crash(self):
        self.assertEqual((servers.ended(0, True), servers.ended(-15, True)), ("", ""))
        self.assertIn("SIGABRT", servers.ended(-6, True))
        self.assertIn("exit code 0", servers.ended(0, False))


class Page(unittest.TestCase):
    section = {
        "broadcast": Section("broadcast", "Broadcast", "Words.", ("--scenario", "broadcast"), plots=("cpu", "p99")),
        "ceiling": Section("ceiling", "Ceiling", "Words.", kind="ceiling"),
    }

    def test_a_run_that_went_wrong_is_noted_at_its_row(self):
        bad = [{"who": "janus", "size": 10, "round": 0, "error": servers.ended(-11, False) + ", and left a core dump"}]
        text = "\n".join(table.flow(self.section["broadcast"], results(run(10), *bad)))
        self.assertIn("| 10 | Janus as packaged [1] | – |", text)
        self.assertIn("[1] Janus as packaged, N = 10, 1 of 1 runs: crashed while it was measured (SIGSEGV), and left a core dump", text)

    def test_rows_are_medians(self):
        priced = [run(10, server={"cpu_us_per_packet": price}) for price in (1.0, 9.0, 2.0)]
        self.assertEqual(table.median(priced, "cpu"), 2.0)

    def test_targets_are_met_or_missed_by_a_factor(self):
        fast = run(300, server={"cpu_us_per_packet": 1.0, "cpu_share": 0.1})
        slow = run(300, "janus-loops", server={"cpu_us_per_packet": 8.0, "cpu_share": 0.8})
        # The load's core delivered: cheaper for both.
        eased = [run(300, who, steered=True, server={"cpu_us_per_packet": price}) for who, price in (("ramai", 0.5), ("janus-loops", 6.0))]
        found = {"video": results(fast, slow, *eased)}
        rows = {row[0]: row[3] for row in targets.rows(found)}
        self.assertEqual(rows["broadcast 1 video → 300, CPU µs a packet"], "met, 1.50 × better")
        self.assertEqual(rows["broadcast 1 video → 300, CPU µs a packet, the load's core delivers"], "met, 3.00 × better")
        self.assertEqual(rows["broadcast 1 video → 10, CPU µs a packet"], "not measured")
        self.assertEqual(targets.janus(found, "ramai")[3], "**missed by 1.25 ×**")
        self.assertEqual(targets.janus(found, "ramai" + table.STEERED)[3], "met, 1.20 × better")

    def test_an_idle_participant_is_the_slope(self):
        self.assertEqual(targets.each_idle({"idle": results(run(100), run(500))}, "ramai"), 50)

    def test_a_limit_of_the_load_is_not_called_the_servers(self):
        broken = run(600, tool={"own_drops": 3, "cpu_share": 1.0})
        self.assertIn("the load was full first", targets.most({"ceiling": results(run(300), broken)})[3])
        broken = run(600, video={"p99": 30.0})
        self.assertIn("missed by 4.00", targets.most({"ceiling": results(run(300), broken)})[3])

    def test_page_and_plots_are_whole(self):
        found = {"broadcast": results(run(10), run(50), run(10, "janus"), run(50, "janus")), "ceiling": results(run(100), run(200, video={"p99": 99.0}))}
        text = report.page(self.section, found)
        drawn = report.plots(self.section, found)
        self.assertEqual(sorted(drawn), ["broadcast-cpu.svg", "broadcast-p99.svg", "ceiling-load.svg"])
        for name, svg in drawn.items():
            xml.dom.minidom.parseString(svg)
            self.assertIn(f"capacity/{name}", text)

    def test_results_are_read_as_they_were_written(self):
        with tempfile.TemporaryDirectory() as folder:
            path, found = Path(folder) / "capacity" / "results.json", {"broadcast": results(run(10), run(50)), "idle": results(run(9))}
            store.write(path, found)
            self.assertEqual(store.read(path), found)

    def test_axes_have_round_numbers(self):
        self.assertEqual(plot.steps(9.3), [0, 2, 4, 6, 8, 10])
        self.assertEqual(plot.decades(0.3, 2000), [0.1, 1, 10, 100, 1000, 10000])


class Hundreds(unittest.TestCase):
    def row(self, name, found):
        return dict(zip(hundreds.sections(), hundreds.rows({name: results(found)})))[name]

    def storm(self, **more):
        joins = {"asked": 2000, "joined": 2000, "failed": 0, "broken": 0, "turned_away": 900}
        good = {
            "joins": joins, "join_ms": {"p95": 30e3, "max": 49e3}, "beside": {"longest_gap_ms": 120.0},
            "server": {"cpu_share": 0.1, "rss_end": 1, "peak": 200 << 20},
        }
        return run(2000, "ramai-all", **(good | more))

    def test_a_meeting_that_holds_is_met_and_each_fault_is_named(self):
        good = run(300, "ramai-all", audio={"p99": 3.0})
        self.assertEqual(self.row("crowd", good)[3], "met")
        for more, words in (
            ({"packets": {"loss_share": 0.002, "per_second": 1.0}}, "loss 0.20%"),
            ({"video": {"p99": 30.0}}, "p99 30.0 ms"),
            ({"streams": {"negotiated": 9, "silent": 2}}, "2 of 9 tracks never flowed"),
            ({"joins": good["joins"] | {"joined": 299, "failed": 1}}, "299 of 300 joined"),
            ({"joins": good["joins"] | {"broken": 4}}, "4 connections broke"),
        ):
            self.assertIn(words, self.row("crowd", good | more)[3])
        self.assertEqual(self.row("slots", good)[3], "not measured")

    def test_a_storm_over_the_limit_must_have_been_one(self):
        self.assertEqual(self.row("storm-over", self.storm())[3], "met")
        joins = self.storm()["joins"]
        for more, words in (
            ({"joins": joins | {"turned_away": 0}}, "nobody was sent away"),
            ({"join_ms": {"p95": 1, "max": 61e3}}, "after 61.0 s"),
            ({"server": {"peak": 900 << 20}}, "900 MiB"),
            ({"beside": {"longest_gap_ms": 301.0}}, "stood for 301 ms"),
            ({"beside": {"error": "TimeoutExpired"}}, "not measured"),
        ):
            self.assertIn(words, self.row("storm-over", self.storm(**more))[3])

    def test_churn_is_judged_from_the_third_minute_on(self):
        minutes = [20 << 20, 30 << 20, 100 << 20, 102 << 20]
        self.assertEqual(self.row("churn", run(200, "ramai-all", rss_minutes=minutes))[3], "met")
        self.assertIn("+10.0%", self.row("churn", run(200, "ramai-all", rss_minutes=[*minutes, 110 << 20]))[3])


class Floor(unittest.TestCase):
    def test_each_set_up_has_a_column_and_a_gap_is_shown(self):
        runs = [{"setup": setup, "size": size, "ns": 100 * size} for setup, size in (("one by one", 1), ("one by one", 8), ("whole", 8))]
        self.assertEqual(table.floor(results(*runs))[2:], ["| 1 | 100 | – |", "| 8 | 800 | 800 |"])


class Core(unittest.TestCase):
    def test_criterions_numbers_are_for_one_packet(self):
        with tempfile.TemporaryDirectory() as folder:
            new = Path(folder) / "10" / "new"
            new.mkdir(parents=True)
            bounds = {"lower_bound": 4000.0, "upper_bound": 4200.0}
            (new / "benchmark.json").write_text(json.dumps({"throughput": {"Elements": 10}}))
            (new / "estimates.json").write_text(json.dumps({"median": {"point_estimate": 4100.0, "confidence_interval": bounds}}))
            self.assertEqual(core.read(Path(folder), 0), [{"size": 10, "ns": 410.0, "low": 400.0, "high": 420.0}])
            self.assertEqual(core.read(Path(folder), 1e12), [], "older results are of other code")


if __name__ == "__main__":
    unittest.main()
