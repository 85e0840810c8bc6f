"""Runs the crash programs and prints what they measured beside the goals. Called by tests/crash-report."""

import argparse
import json
import os
import subprocess
import sys
import tempfile

QUICK_OPERATIONS = ["sendTo", "broadcast", "receiveFromSync", "barrier-last", "requestSC-waiting"]


class Programs:
    """The built programs; each writes its figures to a JSON file."""

    def __init__(self, folder, scratch):
        self.folder = folder
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
        with open(path, encoding="utf-8") as file:
            figures = json.load(file)
        os.remove(path)
        return figures


def row(what, goal, measured, passed):
    return {"what": what, "goal": goal, "measured": measured, "pass": bool(passed)}


def total(rows, key):
    return sum(each[key] for each in rows)


def overdue_ms(rows):
    """By how much the longest call of a survivor outlasted the silence limit of its operation's group."""
    return max(each["worst_delay_ms"] - each["limit_ms"] for each in rows)


def explorer_rows(programs, quick):
    only = [part for name in QUICK_OPERATIONS for part in ("--op", name)] if quick else []

    def explore(mode, seconds):
        return programs.run("ronde-crash-explorer", "--mode", mode, "--seconds", seconds, *only)

    kill = explore("kill", 5 if quick else 200)
    stop = explore("stop", 5 if quick else 150)
    double = explore("double", 4 if quick else 60)

    def broken(rows):
        return total(rows, "violations") + total(rows, "hung")

    return [
        row("kill points", "survivors go on at all, 0 invariants broken",
            f"{total(kill, 'points')} points of {len(kill)} operations, {broken(kill)} broken", broken(kill) == 0),
        row("stop points", "0 broken, no call longer than the silence limit + 0.2 s",
            f"{total(stop, 'points')} points of {len(stop)} operations, {broken(stop)} broken, "
            f"{total(stop, 'fenced')} fenced; longest call the limit {overdue_ms(stop):+.0f} ms",
            broken(stop) == 0 and overdue_ms(stop) <= 200),
        row("double deaths", "0 broken",
            f"{total(double, 'points')} pairs of {len(double)} operations, {broken(double)} broken",
            broken(double) == 0),
    ]


def soak_rows(programs, quick):
    kills = programs.run("ronde-soak", "--only-kills", "--kills", 2000 if quick else 100000)
    mixed = programs.run("ronde-soak", "--minutes", 0.1 if quick else 2, "--starve")
    leaks = f"leaked: {kills['leaked_slots']} slots, {max(0, kills['descriptor_growth'])} descriptors"
    ratio = kills["rate_ratio"]
    return [
        row("deaths in one group without restart", "0 leaked, 0 violations",
            f"{kills['kills']} kills; {leaks}; violations: {kills['violation'] or 'none'}",
            not kills["violation"] and kills["leaked_slots"] == 0 and kills["descriptor_growth"] <= 0),
        row("throughput after them, in turns with a fresh group", ">= 95 % of the fresh one's",
            f"{100 * ratio:.0f} % (median of 41 pairs)", ratio >= 0.95),
        row("soak under kills, stops and starvation", "0 violations",
            f"{mixed['seconds']:.0f} s, {mixed['operations']} operations, {mixed['kills']} kills, {mixed['stops']} stops; "
            f"violations: {mixed['violation'] or 'none'}",
            not mixed["violation"] and mixed["leaked_slots"] == 0),
    ]


def detection_rows(programs, quick):
    seen = programs.run("ronde-detection", "--members", 4, "--kills", 100 if quick else 1000,
                        "--large-kills", 3 if quick else 50, "--stops", 1 if quick else 5,
                        *([] if quick else ["--pause", 10, "--load-minutes", 2]))

    def text(part):
        return f"p50 {part['p50']:.2f} ms, p99 {part['p99']:.2f} ms, longest {part['max']:.2f} ms ({part['count']})"

    rows = [
        row("kill to view at every survivor", "p99 <= 1 ms", text(seen["kill"]), seen["kill"]["p99"] <= 1),
        row("the same, victim with 1 GiB touched", "p99 <= 1 ms", text(seen["kill_1GiB"]),
            seen["kill_1GiB"]["p99"] <= 1),
        row("stop to view at every survivor", "2.0 to 2.6 s",
            f"{seen['stop']['min'] / 1000:.2f} to {seen['stop']['max'] / 1000:.2f} s",
            seen["stop"]["min"] >= 2000 and seen["stop"]["max"] <= 2600),
    ]
    if not quick:
        rows.append(row("false evictions after a pause of all of 10 s", "0", str(seen["unexpected_after_pause"]),
                        seen["unexpected_after_pause"] == 0))
        rows.append(row("false evictions in 2 min with four spinning processes per core", "0",
                        str(seen["unexpected_under_load"]), seen["unexpected_under_load"] == 0))
    return rows


def creation_rows(programs, quick):
    seen = programs.run("ronde-creation", "--races", 500 if quick else 10000)
    recovery = seen["recovery_ms"]
    return [
        row("racing creators, some killed", "the others meet in one segment, nothing is left",
            f"{seen['races']} races, {seen['kills']} kills, {seen['killed_before_joining']} of them while creating or "
            f"joining; violations: {seen['violation'] or 'none'}", not seen["violation"]),
        row("last kill to the last one's joining", "<= 10 ms",
            f"p50 {recovery['p50']:.1f} ms, p99 {recovery['p99']:.1f} ms, longest {recovery['max']:.1f} ms",
            recovery["max"] <= 10),
    ]


def corruption_rows(programs, quick):
    rows = programs.run("ronde-corruption", "--seconds", 2 if quick else 40)
    return [row(each["what"], each["goal"], each["measured"], each["pass"]) for each in rows]


def mutant_rows(programs, _quick):
    # Not one of the built programs: it builds the mutants itself.
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    rows = programs.run(os.path.join(here, "mutants", "run"))
    return [row(each["what"], each["goal"], each["measured"], each["pass"]) for each in rows]


def peer_rows(programs, quick):
    peers = programs.run("ronde-crash-boost", "--stride", 41 if quick else 5)
    points = total(peers, "points")
    stuck = total(peers, "stuck")
    return [f"For comparison, a mailbox of Boost's `interprocess_mutex` and `interprocess_condition`, killed in push and "
            f"pop: after {stuck} of {points} points ({100 * stuck / points:.0f} %) the survivor was stuck."]


def main():
    parser = argparse.ArgumentParser(prog="tests/crash-report", description=__doc__)
    parser.add_argument("folder", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="within a minute")
    parser.add_argument("--mutants", action="store_true",
                        help="also the tests against mutants of the code, which are compiled for minutes")
    parser.add_argument("--json", metavar="FILE", help="writes the rows to FILE")
    arguments = parser.parse_args()
    if arguments.quick and arguments.mutants:
        parser.error("--mutants takes minutes; leave --quick out")
    parts = [explorer_rows, soak_rows, detection_rows, creation_rows, corruption_rows]
    if arguments.mutants:
        parts.append(mutant_rows)
    with tempfile.TemporaryDirectory() as scratch:
        programs = Programs(arguments.folder, scratch)
        rows = [each for part in parts for each in part(programs, arguments.quick)]
        notes = peer_rows(programs, arguments.quick)
    print("| what | goal | measured | |\n|---|---|---|---|")
    for each in rows:
        print(f"| {each['what']} | {each['goal']} | {each['measured']} | {'met' if each['pass'] else '**not met**'} |")
    print("\n" + "\n".join(notes))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)
    return 0 if all(each["pass"] for each in rows) and not programs.failed else 1


if __name__ == "__main__":
    sys.exit(main())
