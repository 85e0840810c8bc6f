"""Runs the crash programs and prints what they measured beside the goals. Called by tests/crash-report."""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

QUICK_OPERATIONS = ["sendTo", "broadcast", "receiveFromSync", "barrier-last", "requestSC-waiting"]
SKIPPED = 77
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Size:
    """How much is run: --quick, what is normal, or --all."""

    def __init__(self, arguments):
        self.quick = arguments.quick
        self.all = arguments.all

    def pick(self, quick, normal, everything=None):
        if self.quick:
            return quick
        return everything if self.all and everything is not None else normal


class Programs:
    """The built programs; each writes its figures to a JSON file."""

    def __init__(self, build, scratch):
        self.build = build
        self.folder = os.path.join(build, "bin")
        self.scratch = scratch
        self.failed = []

    def run(self, name, *arguments):
        path = os.path.join(self.scratch, "figures.json")
        command = [os.path.join(self.folder, name), *map(str, arguments), "--json", path]
        print("crash-report:", " ".join([name, *map(str, arguments)]), file=sys.stderr, flush=True)
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if ended.returncode != 0:
            self.failed.append(name)
            print(ended.stdout, file=sys.stderr)
        if not os.path.exists(path):
            raise NoFigures(f"{os.path.basename(name)} " + ("cannot run here" if ended.returncode == SKIPPED else
                                                           f"wrote no figures, exit code {ended.returncode}"))
        with open(path, encoding="utf-8") as file:
            figures = json.load(file)
        os.remove(path)
        return figures


class NoFigures(Exception):
    """A program that ended without writing them."""


def row(what, goal, measured, passed):
    return {"what": what, "goal": goal, "measured": measured, "pass": bool(passed)}


def total(rows, key):
    return sum(each[key] for each in rows)


def latest(rows):
    """The operation whose longest call of a survivor outlasted its group's silence limit most, and by how many ms."""
    return max((each["worst_delay_ms"] - each["limit_ms"], each["op"]) for each in rows)


def spread(times):
    """Of a distribution in ms."""
    if not times:
        return "nothing was measured"
    return (f"p50 {times['p50']:.2f} ms, p99 {times['p99']:.2f} ms, longest {times['max']:.2f} ms "
            f"({times['count']})")


def seconds(times):
    """From the shortest to the longest of a distribution in ms."""
    return f"{times['min'] / 1000:.2f} to {times['max'] / 1000:.2f} s"


def explorer_rows(programs, size):
    only = [part for name in QUICK_OPERATIONS for part in ("--op", name)] if size.quick else []

    def explore(mode, seconds):
        return programs.run("ronde-crash-explorer", "--mode", mode, "--seconds", seconds, *only)

    kill = explore("kill", size.pick(5, 200))
    stop = explore("stop", size.pick(5, 150))
    double = explore("double", size.pick(4, 60))

    def broken(rows):
        return total(rows, "violations") + total(rows, "hung")

    overdue, slowest = latest(stop)
    return [
        row("kill points", "survivors go on at all, 0 invariants broken",
            f"{total(kill, 'points')} points of {len(kill)} operations, {broken(kill)} broken", broken(kill) == 0),
        row("stop points", "0 broken, no call longer than the silence limit + 0.2 s",
            f"{total(stop, 'points')} points of {len(stop)} operations, {broken(stop)} broken, "
            f"{total(stop, 'fenced')} fenced; longest call the limit {overdue:+.0f} ms ({slowest})",
            broken(stop) == 0 and overdue <= 200),
        row("double deaths", "0 broken",
            f"{total(double, 'points')} pairs of {len(double)} operations, {broken(double)} broken",
            broken(double) == 0),
    ]


def soak_rows(programs, size):
    kills = programs.run("ronde-soak", "--only-kills", "--kills", size.pick(2000, 100000))
    mixed = programs.run("ronde-soak", "--minutes", size.pick(0.1, 2), "--starve")
    leaks = f"leaked: {kills['leaked_slots']} slots, {max(0, kills['descriptor_growth'])} descriptors"
    kept = kills["rate_after"] / kills["rate_before"] if kills["rate_before"] else 0
    return [
        row("deaths in one group without restart", "0 leaked, 0 violations",
            f"{kills['kills']} kills; {leaks}; violations: {kills['violation'] or 'none'}",
            not kills["violation"] and kills["leaked_slots"] == 0 and kills["descriptor_growth"] <= 0),
        row("throughput after them", ">= 95 % of the start's",
            f"{100 * kept:.0f} % (in turns with fresh groups: {100 * kills['rate_before']:.0f} % of theirs before the "
            f"deaths, {100 * kills['rate_after']:.0f} % after)", kept >= 0.95),
        row("soak under kills, stops and starvation", "0 violations",
            f"{mixed['seconds']:.0f} s, {mixed['operations']} operations, {mixed['kills']} kills, {mixed['stops']} stops; "
            f"violations: {mixed['violation'] or 'none'}",
            not mixed["violation"] and mixed["leaked_slots"] == 0),
    ]


def detection_rows(programs, size):
    minutes = size.pick(0, 2, 30)
    seen = programs.run("ronde-detection", "--members", 8, "--kills", size.pick(100, 1000),
                        "--large-kills", size.pick(2, 200), "--stops", size.pick(1, 5),
                        *(["--pause", 10, "--load-minutes", minutes] if minutes else []))

    def late(what, key, peer=None):
        measured = spread(seen[key])
        if peer:
            measured += f"; waiters of robust mutexes, for comparison: {spread(seen[peer])}"
        return row(what, "p99 <= 1 ms", measured, seen[key] and seen[key]["p99"] <= 1)

    rows = [late("kill to view at the last of 7 survivors", "kill")]
    if "kill_1GiB_apart" in seen:
        rows.append(late("the same, 1 GiB to free, the victim on a core of its own", "kill_1GiB_apart",
                         "robust_mutexes_1GiB_apart"))
    rows += [
        late(f"the same, 1 GiB to free, all placed by the kernel on {len(os.sched_getaffinity(0))} cores", "kill_1GiB",
             "robust_mutexes_1GiB"),
        row("a stopped member's last heartbeat to the view at the last survivor", "2.0 to 2.6 s",
            f"{seconds(seen['silence'])}; from the stop, which falls between two heartbeats: {seconds(seen['stop'])}",
            seen["silence"]["min"] >= 2000 and seen["silence"]["max"] <= 2600),
    ]
    if minutes:
        rows.append(row("false evictions after a pause of all of 10 s", "0", str(seen["unexpected_after_pause"]),
                        seen["unexpected_after_pause"] == 0))
        rows.append(row(f"false evictions in {minutes} min with four spinning processes per core", "0",
                        str(seen["unexpected_under_load"]), seen["unexpected_under_load"] == 0))
    return rows


def creation_rows(programs, size):
    seen = programs.run("ronde-creation", "--races", size.pick(500, 10000))
    recovery = seen["recovery_ms"]
    return [
        row("racing creators, some killed", "the others meet in one segment, nothing is left",
            f"{seen['races']} races, {seen['kills']} kills, {seen['killed_while_joining']} of them while creating or "
            f"joining; violations: {seen['violation'] or 'none'}", not seen["violation"]),
        row("last kill to the last one's joining", "<= 10 ms",
            f"{spread(recovery)}; from the start of all: {spread(seen['disturbed_ms'])}, and where nobody was "
            f"killed: {spread(seen['undisturbed_ms'])}",
            recovery and recovery["max"] <= 10),
    ]


def as_rows(rows):
    """Those of a program that names its goals itself."""
    return [row(each["what"], each["goal"], each["measured"], each["pass"]) for each in rows]


def corruption_rows(programs, size):
    if not size.all:
        return as_rows(programs.run("ronde-corruption", "--seconds", size.pick(2, 40)))
    bits = programs.run("ronde-corruption", "--bits", "--only", "bits", "--jobs", 2)
    sanitized = os.path.join(os.path.dirname(programs.build), "asan-ubsan", "bin", "ronde-corruption")
    return as_rows(bits) + [
        row(f"{each['what']}, under ASan and UBSan", each["goal"], each["measured"], each["pass"])
        for kind, words in (("garbage", 100000), ("live", 1000000))
        for each in programs.run(sanitized, "--only", kind, f"--{kind}", words, "--jobs", 2)
    ]


def setup_rows(programs, _size):
    """Set-up faults are ordinary tests; here their number."""
    ended = subprocess.run(["ctest", "--test-dir", programs.build, "-j2", "-R", r"^setup:|\(P8\)"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    counted = re.search(r"(\d+) tests failed out of (\d+)", ended.stdout)
    failed, tests = (int(number) for number in counted.groups()) if counted else (1, 0)
    if ended.returncode != 0:
        programs.failed.append("ctest")
        print(ended.stdout, file=sys.stderr)
    skipped = ended.stdout.count("***Skipped")
    return [row("set-up faults (limits, memory, space, namespaces, users, foreign files, fork, exec)",
                "a named error or no effect", f"{tests} cases, {failed} failed, {skipped} not allowed here",
                ended.returncode == 0 and failed == 0 and tests > skipped)]


def model_rows(programs, size):
    if size.quick:
        return []
    rows = programs.run(os.path.join(TESTS, "models", "run"), *([] if size.all else ["--quick"]))
    rules = [each for each in rows if each["goal"] == "caught"]
    searched = [each for each in rows if each["goal"] != "caught"]
    return [row("models of the protocols", "0 errors, exhaustive",
                f"{len(searched)} configurations of 5 models, {sum(not each['pass'] for each in searched)} with errors",
                searched and all(each["pass"] for each in searched)),
            row("the models with a broken rule", "all caught",
                f"{sum(each['pass'] for each in rules)} of {len(rules)} caught",
                rules and all(each["pass"] for each in rules))]


def mutant_rows(programs, size):
    return as_rows(programs.run(os.path.join(TESTS, "mutants", "run"))) if size.all else []


def peer_note(programs, size):
    peers = programs.run("ronde-crash-boost", "--stride", size.pick(41, 5))
    points = total(peers, "points")
    stuck = total(peers, "stuck")
    return (f"For comparison, a mailbox of Boost's `interprocess_mutex` and `interprocess_condition`, killed in push and "
            f"pop: after {stuck} of {points} points ({100 * stuck / points:.0f} %) the survivor was stuck.")


PARTS = {
    "explorer": explorer_rows,
    "soak": soak_rows,
    "detection": detection_rows,
    "creation": creation_rows,
    "corruption": corruption_rows,
    "setup": setup_rows,
    "models": model_rows,
    "mutants": mutant_rows,
}


def main():
    parser = argparse.ArgumentParser(prog="tests/crash-report", description=__doc__)
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="within a minute")
    parser.add_argument("--all", action="store_true", help="every bit, 10^6 mutations under the sanitizers, 30 minutes "
                        "of load, all models and mutants: about two hours (estimated)")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--json", metavar="FILE", help="writes the rows to FILE")
    arguments = parser.parse_args()
    if arguments.quick and arguments.all:
        parser.error("--quick and --all exclude each other")
    if arguments.quick and "models" in (arguments.only or []):
        parser.error("no model is searched with --quick; leave it out")
    if not arguments.all and "mutants" in (arguments.only or []):
        parser.error("the mutants are compiled for minutes; ask for them with --all")
    size = Size(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        programs = Programs(arguments.build, scratch)
        rows = []
        print("| what | goal | measured | |\n|---|---|---|---|", flush=True)
        for name, part in PARTS.items():
            if arguments.only and name not in arguments.only:
                continue
            try:
                measured = part(programs, size)
            except NoFigures as why:
                measured = [row(name, "figures", str(why), False)]
            rows += measured
            for each in measured:  # at once: what was measured is not lost if the run is ended
                verdict = "met" if each["pass"] else "**not met**"
                print(f"| {each['what']} | {each['goal']} | {each['measured']} | {verdict} |", flush=True)
        note = ""
        if not arguments.only:
            try:
                note = peer_note(programs, size)
            except NoFigures as why:
                note = str(why)
    if note:
        print(f"\n{note}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)
    return 0 if rows and all(each["pass"] for each in rows) and not programs.failed else 1


if __name__ == "__main__":
    sys.exit(main())
