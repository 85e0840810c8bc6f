"""Takes one crash-safety measure at a time out of a copy of the library and expects a named test to fail."""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from patches import FOLDER, ROOT, Refused, all_mutants

LIMIT = 100  # seconds; the tests' own watchdogs bark after 90
HANG_LIMIT = 20  # of a mutant; or ten times what the test takes on the code as it is
SCRATCH = ROOT / "build" / "mutants"
SOURCES = ["CMakeLists.txt", "CMakePresets.json", "include", "ipc", "bin", "tests"]


def say(text):
    print(f"mutants: {text}", file=sys.stderr, flush=True)


class Copy:
    """A copy of the sources with a build of its own."""

    def __init__(self):
        self.root = SCRATCH
        # As in the checkout itself, so that a compiler cache knows the files that no mutant touches.
        self.build = SCRATCH / "build" / "release"
        self.hang_limit = {}  # by test

    def update(self):
        """Writes only what differs, so that little is compiled anew."""
        SCRATCH.mkdir(parents=True, exist_ok=True)
        wanted = set()
        for source in SOURCES:
            top = ROOT / source
            for path in [top] if top.is_file() else [each for each in top.rglob("*") if each.is_file()]:
                target = self.root / path.relative_to(ROOT)
                wanted.add(target)
                if not target.exists() or target.read_bytes() != path.read_bytes():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, target)
        for source in SOURCES:
            for path in (self.root / source).rglob("*"):
                if path.is_file() and path not in wanted:
                    path.unlink()

    def configure(self):
        self._run("cmake", "-S", self.root, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                  "-DRONDE_BUILD_BENCHMARKS=OFF", "-DRONDE_BUILD_TOOLS=OFF", "-DRONDE_INSTALL=OFF")

    def make(self, targets):
        self._run("cmake", "--build", self.build, "--target", *sorted(targets))

    @staticmethod
    def _run(*command):
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode != 0:
            raise Refused(f"{command[0]} {command[1]} failed:\n{done.stdout[-4000:]}")

    def outcome(self, test):
        """"passed", or how the test failed; and what it printed. A hang counts as a failure."""
        # In a test specification these have a meaning.
        name = "".join("\\" + sign if sign in ",[\\" else sign for sign in test.name)
        command = [self.build / "tests" / test.target, name, "--warn", "NoTests", "--abort"]
        begun = time.monotonic()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
            try:
                code = process.wait(self.hang_limit.get(str(test), LIMIT))
                how = "passed" if code == 0 else "skipped" if code == 77 else "failed"
            except subprocess.TimeoutExpired:
                code, how = 0, "hangs"
            end_group(process)
            output.seek(0)
            text = output.read().decode(errors="replace")
        if code < 0:
            how = "watchdog" if "watchdog:" in text else signal.Signals(-code).name
        self.hang_limit.setdefault(str(test), max(HANG_LIMIT, 10 * (time.monotonic() - begun)))
        remove_leftovers(process.pid)
        return how, text


def end_group(process):
    """Ends the test and what it started: a test that fails half-way may leave children."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def remove_leftovers(pid):
    """A test that failed half-way may leave segments; their names hold its process number."""
    for path in pathlib.Path("/dev/shm").glob(f"ronde.*.{pid}.*"):
        if path.name.startswith((f"ronde.{os.geteuid()}.unit.{pid}.", f"ronde.{os.geteuid()}.test.{pid}.")):
            path.unlink(missing_ok=True)


def confirm_unchanged(copy, mutants):
    """The tests pass on the code as it is: otherwise their failures say nothing."""
    copy.make({test.target for mutant in mutants for test in mutant.tests})
    for name, test in {str(test): test for mutant in mutants for test in mutant.tests}.items():
        how, output = copy.outcome(test)
        if how != "passed":
            raise Refused(f"void: '{name}' does not pass on the code as it is ({how}):\n{output[-4000:]}")


def row_of(copy, mutant, repeat):
    """Markdown cells, and whether each of the named tests caught the mutant every time."""
    begun = time.monotonic()
    changed = mutant.changed(copy.root)
    before = {path: path.read_text() for path in changed}
    caught = False
    try:
        for path, text in changed.items():
            path.write_text(text)
        copy.make({test.target for test in mutant.tests})
        hows = [copy.outcome(test)[0] for test in mutant.tests for _ in range(repeat)]
        caught = all(how not in ("passed", "skipped") for how in hows)
        result = ", ".join(sorted(set(hows))) if caught else "**survived**"
    except Refused as refused:
        say(f"{mutant.name}: {refused}")
        result = "**does not build**"
    finally:
        for path, text in before.items():
            path.write_text(text)
    cells = [mutant.name, mutant.removed, mutant.promise, "; ".join(f"`{test}`" for test in mutant.tests), result,
             f"{time.monotonic() - begun:.0f}"]
    return cells, caught


def run(mutants, repeat, json_file):
    copy = Copy()
    copy.update()
    copy.configure()
    say(f"{len(mutants)} mutants; first the tests on the code as it is")
    confirm_unchanged(copy, mutants)
    print("| mutant | what is removed | promise | caught by | result | s |\n|---|---|---|---|---|---|")
    caught = 0
    for mutant in mutants:
        cells, was_caught = row_of(copy, mutant, repeat)
        caught += was_caught
        print("| " + " | ".join(cells) + " |", flush=True)
    print(f"\n{caught} of {len(mutants)} caught")
    write_row(json_file, f"{caught} of {len(mutants)}", caught == len(mutants))
    return 0 if caught == len(mutants) else 1


def write_row(json_file, measured, passed):
    if not json_file:
        return
    with open(json_file, "w", encoding="utf-8") as file:
        json.dump([{"what": "mutants of the code", "goal": "all caught", "measured": measured, "pass": passed}], file,
                  indent=1)


def main():
    parser = argparse.ArgumentParser(prog="tests/mutants/run", description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", help="this mutant; may be given again")
    parser.add_argument("--repeat", metavar="N", type=int, default=1, help="runs each test N times; all must fail")
    parser.add_argument("--json", metavar="FILE", help="writes a row {what, goal, measured, pass} to FILE")
    parser.add_argument("--list", action="store_true", help="prints the mutants and what each removes")
    parser.add_argument("--check", action="store_true", help="do all patches apply and all tests exist? Builds nothing")
    arguments = parser.parse_args()
    try:
        mutants = [each for each in all_mutants() if not arguments.only or each.name in arguments.only]
        if not mutants or len(mutants) < len(set(arguments.only or [])):
            raise Refused(f"no such mutant in {FOLDER}; see --list")
        for mutant in mutants:
            mutant.check()
        if arguments.list:
            for mutant in mutants:
                print(f"{mutant.name:34} {mutant.promise:8} {mutant.removed}")
        if arguments.check:
            say(f"{len(mutants)} patches apply, and the tests they name exist")
        if arguments.list or arguments.check:
            return 0
        return run(mutants, arguments.repeat, arguments.json)
    except Refused as refused:
        say(refused)
        write_row(arguments.json, f"not run: {str(refused).splitlines()[0]}", False)
        return 1


if __name__ == "__main__":
    sys.exit(main())
