"""Runs what the pages tell a reader to type, and compares what comes out.

    python docs/commands.py [PAGE …]            run and compare; without a page: all, README.md too
    python docs/commands.py --write PAGE …      put what the commands print into the pages

A page is read from top to bottom, in an empty folder that has ``train.py`` beside it. Its fenced blocks:

- ``console``: lines after ``$ `` are typed (``\\`` goes on); what follows is what they print: warnings and standard
  output, or standard error if there is no output. A line ``…`` stands for any lines.
- ``sh``: is typed, and must end well.
- ``python``: is executed; all of a page share their names.
- any block that begins with a comment that names a file (``# my_conf/x.yaml``): is written there.
- after ``<!-- not run: REASON -->``: nothing is done. After ``<!-- exit N -->``: its last command ends with N.
- ``text``, ``yaml``, ``toml`` and others: are read, not run.

What a clock gives (seconds, samples a second) differs from run to run and is not compared. Other numbers depend on the
machine's arithmetic: they are compared with ``--exact``, else only that there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^(?P<marks>(?:<!-- [^\n]* -->\n)*)```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"(?:# @package \w+\n)?# (?P<path>[\w./-]+\.(?:yaml|py|toml|csv|txt))\n")
CLOCK = [
    (re.compile(r"\d+(?:\.\d+)? s\b"), "SECONDS s"),
    (re.compile(r"[\d,]+ samples/s"), "N samples/s"),
    (re.compile(r"\b[\d.]+ (?:ms|µs|min)\b"), "TIME"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "HASH"),  # of a checkpoint, which holds seconds
]
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?|\.\d+")
LIMIT = 600
"""Seconds that one command may take."""

INTERPRETER = """
import json, sys, traceback
answers, sys.stdout, names = sys.stdout, sys.stderr, {"__name__": "__main__"}
for line in sys.stdin:
    try:
        exec(json.loads(line), names)
        fault = ""
    except BaseException:
        fault = traceback.format_exc()
    print(json.dumps(fault), file=answers, flush=True)
"""
"""Executes Python that comes line by line, in one namespace, and answers with what was raised."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: what it is, and how it is marked.

    Args:
        kind: the word after the fence.
        text: what is in it.
        start: where the text begins in the page.
        marks: the comments in front of it.
    """

    kind: str
    text: str
    start: int
    marks: str = ""

    @property
    def reason(self) -> str | None:
        """Why it is not run; None: it is."""
        found = re.search(r"<!-- not run: (.*?) -->", self.marks)
        return None if found is None else found[1]

    @property
    def code(self) -> int:
        """What its last command ends with."""
        found = re.search(r"<!-- exit (\d+) -->", self.marks)
        return 0 if found is None else int(found[1])

    @property
    def file(self) -> str | None:
        """The file that it is the content of."""
        found = NAMED.match(self.text)
        return None if found is None or self.kind in ("console", "sh") else found["path"]

    @property
    def commands(self) -> list[tuple[str, str]]:
        """What is typed, each with what it prints."""
        if self.kind == "sh":
            return [(self.text, "")]
        found: list[tuple[str, str]] = []
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            lines, typed = part.split("\n"), [""]
            while lines:
                typed.append(lines.pop(0))
                if not typed[-1].endswith("\\"):
                    break
            found.append(("\n".join(typed[1:]), "\n".join(lines).strip("\n")))
        return found


def pages() -> list[Path]:
    """Every page, and the README."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    return [Block(one["kind"], one["text"], one.start("text"), one["marks"]) for one in FENCE.finditer(text)]


def plain(text: str, exact: bool) -> str:
    """What is compared of an output: without what a clock gave, and without numbers unless exactly."""
    for pattern, word in CLOCK:
        text = pattern.sub(word, text)
    if not exact:
        text = re.sub(r"#[# ]*", "# ", NUMBER.sub("#", text))
    return "\n".join(" ".join(line.split()) for line in text.split("\n")).strip()


def agree(printed: str, expected: str, exact: bool) -> bool:
    """Whether a command printed what the page says."""
    parts = [re.escape(plain(part, exact)) for part in re.split(r"^…$", expected, flags=re.MULTILINE)]
    return re.fullmatch(r"\n*(?:.*\n)*?".join(parts) + r"\n*", plain(printed, exact) + "\n") is not None


@dataclass
class Reader:
    """Someone who types what a page says, from its top to its end.

    Args:
        folder: an empty one to work in.
        exact: compare numbers too.
        python: the interpreter of the page, once there is one.
        faults: what did not come out as the page says.
    """

    folder: Path
    exact: bool = False
    python: subprocess.Popen[str] | None = None
    faults: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        for name in ("train.py", "conf", "docs", "benchmarks"):
            (self.folder / name).symlink_to(ROOT / name)
        beside = Path(sys.executable).parent
        self.environment = {
            **os.environ,
            "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "100",
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)]),
        }

    def read(self, page: Path) -> Iterator[tuple[Block, str, str, str]]:
        """Do what the page says: its block, each command, what it should print, and what it prints."""
        for block in blocks(page.read_text("utf-8")):
            if block.reason is not None:
                continue
            if block.file is not None:
                path = self.folder / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, "utf-8")
            elif block.kind == "python":
                yield block, block.text, "", self.execute(block)
            elif block.kind in ("console", "sh"):
                commands = block.commands
                for number, (command, expected) in enumerate(commands, 1):
                    code = block.code if number == len(commands) else 0
                    yield block, command, expected, self.type(command, code)
        self.close()

    def type(self, command: str, code: int) -> str:
        """Type a command; what it prints."""
        ended = subprocess.run(
            ["bash", "-e", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        if ended.returncode != code:
            self.faults.append(f"$ {command}\nended with {ended.returncode} instead of {code}: {ended.stderr[-2000:]}")
        if not ended.stdout.strip():
            return ended.stderr.strip("\n")
        warnings = [line for line in ended.stderr.split("\n") if line.startswith("lrsched: warning")]
        return "\n".join([*warnings, ended.stdout.strip("\n")])

    def execute(self, block: Block) -> str:
        """Execute Python in the one interpreter of this page."""
        if self.python is None:
            self.python = subprocess.Popen(
                [sys.executable, "-c", INTERPRETER],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        assert self.python.stdin is not None
        assert self.python.stdout is not None
        self.python.stdin.write(json.dumps(block.text) + "\n")
        self.python.stdin.flush()
        line = self.python.stdout.readline()
        fault = json.loads(line) if line else "the interpreter ended"
        if fault:
            self.faults.append(f"{block.text}\nraises\n{fault}")
        return ""

    def close(self) -> None:
        """End the interpreter of the page."""
        if self.python is not None:
            self.python.communicate(timeout=LIMIT)

    def check(self, page: Path) -> list[str]:
        """Read a page; what did not come out as it says."""
        for block, command, expected, printed in self.read(page):
            if block.kind == "console" and not agree(printed, expected, self.exact):
                self.faults.append(f"$ {command}\nprints\n{printed}\ninstead of\n{expected}")
        return self.faults


def rewrite(page: Path, folder: Path) -> list[str]:
    """Put what the commands of a page print into it, where it differs; faults that remain."""
    text, reader = page.read_text("utf-8"), Reader(folder, exact=True)
    fresh: dict[int, list[str]] = {}
    for block, command, expected, printed in reader.read(page):
        if block.kind == "console":
            kept = expected if agree(printed, expected, True) else printed
            fresh.setdefault(block.start, []).append(f"$ {command}\n{kept}".rstrip("\n"))
    for block in reversed(blocks(text)):
        if block.start in fresh:
            new = "\n".join(fresh[block.start]) + "\n"
            text = text[: block.start] + new + text[block.start + len(block.text) :]
    page.write_text(text, "utf-8")
    return reader.faults


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("page", nargs="*", type=Path)
    arguments.add_argument("--write", action="store_true", help="put what the commands print into the pages")
    arguments.add_argument("--exact", action="store_true", help="compare numbers too")
    options = arguments.parse_args()
    faults = 0
    for page in [path.resolve() for path in options.page] or pages():
        with tempfile.TemporaryDirectory() as folder:
            found = rewrite(page, Path(folder)) if options.write else Reader(Path(folder), options.exact).check(page)
        faults += len(found)
        print(f"{page.relative_to(ROOT)}: {len(found)} faults", *found, sep="\n", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
