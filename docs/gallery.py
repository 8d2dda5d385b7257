"""Writes docs/schedules.md and its pictures from the schedules themselves.

    python docs/gallery.py

Each schedule's YAML says what it is for, its docstring what it computes and who found it, and docs/references.bib
how to cite that; the picture is what ``lrsched preview`` shows. Nothing is written by hand, and a test compares.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import textwrap
from pathlib import Path

import yaml
from drawing import svg

from lrsched.cli.preview import courses
from lrsched.config.targets import SCHEDULER, resolve
from lrsched.preview.course import Course
from lrsched.schemas.files import MODELINE
from lrsched.units import count

ROOT = Path(__file__).resolve().parent.parent
CONF = ROOT / "conf" / "scheduler"
PAGE = ROOT / "docs" / "schedules.md"
PICTURES = ROOT / "docs" / "pictures" / "schedules"

# Where the defaults show little of the curve in a run of 630 steps, or nothing of it.
SHOWN = {
    "chebyshev": ["trainer.steps=64"],
    "inverse_sqrt": ["scheduler.warmup=5%"],
    "noam": ["scheduler.warmup=10%"],
    "power": ["scheduler.warmup=5%"],
    "table": ["scheduler.path=docs/values.csv", "trainer.steps=12"],
    "wsd": ["scheduler.warmup=5%"],
}
LINK = re.compile(r"https?://[^\s)]*[^\s).,:;]")

HEAD = """\
# The schedules

<!-- Written by `python docs/gallery.py`; change the YAML, the docstring or docs/references.bib instead. -->

Every schedule is one YAML in `conf/scheduler/`, chosen by `scheduler=NAME`, and every key below is an override:
`scheduler=wsd scheduler.decay=10%`. In the formulas 1 is the peak, which is `optimizer.lr`; t counts steps from 0.
The pictures show the default run, 630 steps in 30 epochs at `optimizer.lr=0.1`, as `lrsched preview` does for yours.
PyTorch's own classes are there too, as `scheduler=torch/CLASS`.
"""

EVERY = """\
## What every schedule takes

Durations carry their unit: `5%` (of the whole run), `2ep`, `500st`, `64000sp`.
"""


def names() -> list[str]:
    """Every schedule of ours."""
    return sorted(path.stem for path in CONF.glob("[!_]*.yaml"))


def pictured() -> dict[str, Course]:
    """What each picture shows, by the same code as ``lrsched preview``."""
    plain = [name for name in names() if name not in SHOWN]
    found = {course.name: course for course in courses([f"scheduler={','.join(plain)}"], None)}
    with contextlib.chdir(ROOT):  # where the command below each picture is given
        for name, overrides in SHOWN.items():
            found |= {course.name: course for course in courses([f"scheduler={name}", *overrides], None)}
    return found


def page(shown: dict[str, Course]) -> str:
    """The whole text."""
    text = {name: (CONF / f"{name}.yaml").read_text("utf-8") for name in names()}
    index = [f"| [{name}](#{name}) | {_opening(text[name])} |" for name in names()]
    shared = (CONF / "_schedule.yaml").read_text("utf-8").partition("\nwarmup:")[2]
    table = "\n".join(["| schedule | what it is |", "|---|---|", *index])
    sections = [_section(name, text[name], shown[name]) for name in names()]
    return "\n".join([HEAD, table, "", EVERY, _fenced(f"warmup:{shared}".rstrip(), "yaml"), "", *sections])


def _section(name: str, text: str, course: Course) -> str:
    """One schedule: picture, what it is for, what it computes, its YAML, its papers."""
    cls = resolve(SCHEDULER, yaml.safe_load(text)["_target_"], name)
    about, _, papers = (inspect.getdoc(cls) or "").partition("\nReferences:\n")
    own = text[text.index("\n_target_") + 1 :].rstrip("\n")
    command = " ".join(["lrsched preview", f"scheduler={name}", *SHOWN.get(name, [])])
    numbers = f"area {100 * course.share:.1f} % of a constant rate's, {count(course.restarts, 'restart')}"
    cited = _papers(papers)
    blocks = [
        f"## {name}",
        f"![{name}](pictures/schedules/{name}.svg)",
        f"`{command}`: {numbers}" + (f"; {course.note}" if course.note else ""),
        _comment(text),
        "**What it computes.** " + _prose(about.partition("\nArgs:\n")[0]),
        _fenced(own, "yaml"),
    ]
    if cited:
        blocks.append("\n".join(f"- {_linked(paper)}" for paper in cited))
    entries = [entry for url, entry in references().items() if url in LINK.findall(papers)]
    if entries:
        blocks.append(
            "<details><summary>BibTeX</summary>\n\n" + _fenced("\n\n".join(entries), "bibtex") + "\n\n</details>"
        )
    return "\n\n".join(blocks) + "\n"


def references() -> dict[str, str]:
    """The entries of docs/references.bib by their link."""
    entries = (ROOT / "docs" / "references.bib").read_text("utf-8").strip().split("\n\n")
    return {re.search(r"url\s*= \{(.+?)\}", entry)[1]: entry for entry in entries}  # type: ignore[index]


def cited() -> set[str]:
    """Every link in the docstrings and YAMLs of the schedules."""
    found: set[str] = set()
    for name in names():
        text = (CONF / f"{name}.yaml").read_text("utf-8")
        cls = resolve(SCHEDULER, yaml.safe_load(text)["_target_"], name)
        found |= {*LINK.findall(text), *LINK.findall(inspect.getdoc(cls) or "")}
    return found


def _head(text: str) -> list[str]:
    """The comment that a YAML opens with."""
    lines = text[: text.index("\n_target_")].splitlines()
    return [line.removeprefix("#") for line in lines if line.startswith("#") and not line.startswith(MODELINE)]


def _opening(text: str) -> str:
    """The first sentence of a YAML's head."""
    return _head(text)[0].strip().rstrip(".:")


def _comment(text: str) -> str:
    """A YAML's head as Markdown: what is indented is a formula."""
    blocks: list[tuple[bool, list[str]]] = []
    for line in _head(text):
        formula = line.startswith("   ")
        if not line.strip() or not blocks or blocks[-1][0] != formula:
            blocks.append((formula, []))
        if line.strip():
            blocks[-1][1].append(line)
    parts = []
    for formula, lines in blocks:
        joined = textwrap.dedent("\n".join(lines))
        if joined:
            parts.append(_fenced(joined) if formula else _linked(joined))
    return "\n\n".join(parts)


def _prose(text: str) -> str:
    """A docstring's text as Markdown: literal blocks fenced, double backticks single."""
    parts: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        if block.startswith("    "):
            parts.append(_fenced(textwrap.dedent(block)))
        elif block.strip() != "::":
            parts.append(re.sub(r":\w+:`~?([^`]+)`", r"`\1`", block).replace("``", "`"))
    return "\n\n".join(parts)


def _papers(text: str) -> list[str]:
    """The references of a docstring, one a line; each ends with the line that has its link."""
    found, lines = [], []
    for line in text.partition("\n>>>")[0].splitlines():
        lines.append(line.strip())
        if LINK.search(line):
            found.append(" ".join(lines))
            lines = []
    return found


def _linked(text: str) -> str:
    return LINK.sub(lambda match: f"<{match[0]}>", text)


def _fenced(text: str, language: str = "text") -> str:
    return f"```{language}\n{text}\n```"


def main() -> None:
    shown = pictured()
    PICTURES.mkdir(parents=True, exist_ok=True)
    for stale in PICTURES.glob("*.svg"):
        stale.unlink()
    for name, course in shown.items():
        (PICTURES / f"{name}.svg").write_text(svg(course), "utf-8")
    PAGE.write_text(page(shown), "utf-8")


if __name__ == "__main__":
    main()
