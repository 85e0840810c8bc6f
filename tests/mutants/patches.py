"""A mutant: a patch whose head says what it removes, which promise that breaks, and which tests must catch it."""

import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent


class Refused(Exception):
    """A patch that does not fit the code, or whose head does not fit the tests."""


class Test:
    """`folder: name`, as CTest calls it: a test case of the executable test_<folder>."""

    def __init__(self, text):
        self.folder, _, self.name = text.partition(": ")
        self.target = f"test_{self.folder}"

    def __str__(self):
        return f"{self.folder}: {self.name}"

    def exists(self):
        case = re.compile(r'TEST_CASE\(\s*"' + re.escape(self.name) + '"')
        return any(case.search(path.read_text()) for path in (ROOT / "tests" / self.folder).glob("test_*.cpp"))


class Mutant:
    def __init__(self, path):
        self.name = path.stem
        head, _, diff = path.read_text().partition("\n--- ")
        fields = re.findall(r"^(Removed|Promise|Caught by): (.+)$", head, re.MULTILINE)
        self.removed = ", ".join(text for key, text in fields if key == "Removed")
        self.promise = ", ".join(text for key, text in fields if key == "Promise")
        self.tests = [Test(text) for key, text in fields if key == "Caught by"]
        self._hunks = hunks_of("--- " + diff)

    def changed(self, root):
        """What the patch makes of the sources under `root`: path -> text.

        A hunk is found by its lines and not by their numbers, so the code around may move. It must fit in one place:
        with little context, the next best place is somewhere else."""
        texts = {}
        for file, before, after in self._hunks:
            path = root / file
            text = "\n" + (texts.get(path) or path.read_text())
            places = text.count("\n" + before)
            if places != 1:
                raise Refused(f"{self.name}: a hunk fits in {places} places of {file}; bring the patch up to date:\n{before}")
            texts[path] = text.replace("\n" + before, "\n" + after)[1:]
        return texts

    def check(self):
        if not (self.removed and self.promise and self.tests and self._hunks):
            raise Refused(f"{self.name}: needs Removed, Promise, Caught by and a patch")
        self.changed(ROOT)
        for test in self.tests:
            if not test.exists():
                raise Refused(f"{self.name}: there is no test '{test}'")


def hunks_of(diff):
    """A unified diff as (file, lines before, lines after)."""
    hunks = []
    file = ""
    for part in re.split(r"^(?=--- |@@ )", diff, flags=re.MULTILINE):
        lines = part.splitlines(keepends=True)
        if part.startswith("--- "):
            file = re.match(r"\+\+\+ b/(\S+)", lines[1]).group(1)
        elif lines:
            hunks.append((file, *("".join(line[1:] for line in lines[1:] if line[0] in " " + sign) for sign in "-+")))
    return hunks


def all_mutants():
    return [Mutant(path) for path in sorted(FOLDER.glob("*.patch"))]
