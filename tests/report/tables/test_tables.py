"""The table of a report in Markdown, LaTeX and CSV: the terminal's numbers, and nothing that means more than itself."""

from __future__ import annotations

import csv
import io
import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lrsched.report import compare_paths, render
from lrsched.report.columns import TableColumn
from lrsched.report.tables.latex import escaped, latex
from lrsched.report.tables.markdown import markdown
from lrsched.report.tables.sheet import plain, sheet
from lrsched.report.tables.typeset import FORMS, beside_table, typeset

SIX = [0.50, 0.52, 0.48, 0.51, 0.47, 0.53]
NASTY = "=a|b\n%_&{c}$^~\\#<i>--`*[x]`"


@pytest.fixture
def sweep(leave, tmp_path: Path) -> Path:
    """Two schedules with six seeds, of which the second is worse by 0.1, and a rate at which one diverged."""
    for schedule, worse in (("Cosine", 0.0), ("WSDS", 0.1)):
        for seed, base in enumerate(SIX):
            loss = base + worse
            rows = [{"step": 10, "val/loss": 1.0}, {"step": 20, "val/loss": loss}]
            leave(schedule, 0.1, seed, rows=rows, metrics={"val/loss": loss, "test/accuracy": 1 - loss})
    leave("WSDS", 3e-05, 0, status="failed", reason="NotFinite: step 3", metrics={})
    return tmp_path


def numbers_in(text: str) -> set[str]:
    return set(re.findall(r"\d+\.\d+", text))


@pytest.mark.parametrize("form", ["md", "latex"])
def test_a_table_has_the_terminals_numbers(sweep: Path, form: str) -> None:
    found = compare_paths([sweep])
    table, terminal = typeset(found, form), render(found)
    line = next(line for line in terminal.splitlines() if line.startswith("*"))
    assert numbers_in(line) <= numbers_in(table)
    assert numbers_in(table) <= numbers_in(terminal)
    assert "0.1000 (0.1000 to 0.1000, 97" in table


def test_markdown_is_a_table_with_the_best_in_bold(sweep: Path) -> None:
    head, rule, best, other = typeset(compare_paths([sweep]), "md").splitlines()
    assert head == ("| schedule | lr | val/loss ± sd | seeds | test/accuracy | worse by (95 %) | p | P(win) |")
    assert rule == "| :-- | --: | --: | --: | --: | --: | --: | --: |"
    assert best == "| **cosine** | **0.1** | **0.5017 ± 0.0232** | **0–5** | **49.83 ± 2.32%** |  |  |  |"
    assert other.startswith(r"| wsd\_s | 0.1 | 0.6017 ± 0.0232 | 0–5 | 39.83 ± 2.32% | 0.1000 (0.1000 to ")


def test_csv_has_a_number_a_cell(sweep: Path) -> None:
    best, other = csv.DictReader(io.StringIO(sheet(compare_paths([sweep]))))
    assert best == {
        "schedule": "cosine",
        "lr": "0.1",
        "val/loss": f"{math.fsum(SIX) / 6:.4f}",
        "val/loss sd": "0.0232",
        "seeds": "0–5",
        "test/accuracy (%)": "49.83",
        "test/accuracy sd (%)": "2.32",
        "worse by": "",
        "low": "",
        "high": "",
        "level": "",
        "p": "",
        "P(win)": "",
    }
    assert [other[name] for name in ("worse by", "low", "high", "level", "p", "P(win)")] == [
        "0.1000",
        "0.1000",
        "0.1000",
        "97",
        "0.031",
        "1",
    ]


def test_another_metric_and_a_target_are_in_every_form(sweep: Path) -> None:
    assert (
        typeset(compare_paths([sweep], "test/accuracy"), "md")
        .splitlines()[0]
        .startswith("| schedule | lr | test/accuracy ± sd | seeds | val/loss | worse by")
    )
    found = compare_paths([sweep], target=0.55)  # reached by cosine's six finals at step 20, by none of the others
    best, other = csv.DictReader(io.StringIO(sheet(found)))
    assert [(row["steps to val/loss 0.5500"], row["score"]) for row in (best, other)] == [
        ("20", "1.0000"),
        ("never", "0.0000"),
    ]
    assert typeset(found, "md").splitlines()[2].endswith("| **20** | **1.0000** |")


def test_workloads_have_a_table_each_and_one_sheet(leave, tmp_path: Path) -> None:
    for part in (0.1, 0.3):
        leave("Cosine", 0.1, 0, part, dataset__validation=part)
    found = compare_paths([tmp_path])
    assert [row["workload"] for row in csv.DictReader(io.StringIO(sheet(found)))] == [
        comparison.name for comparison in found.comparisons
    ]
    assert typeset(found, "md").count("| :-- |") == 2
    assert typeset(found, "latex").count(r"\begin{tabular}") == 2


def test_what_a_table_leaves_out_is_said_beside_it(sweep: Path) -> None:
    said = beside_table(compare_paths([sweep]))
    assert said[-1] == "note: 1 of 13 runs did not finish"
    assert len(said) > 1
    assert all(line.startswith("note: ") for line in said)


def test_runs_that_never_finished_leave_cells_empty(leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, status="failed", reason="OSError: no", metrics={})
    (row,) = csv.DictReader(io.StringIO(sheet(compare_paths([tmp_path]))))
    assert row == {"schedule": "cosine", "lr": "", "val/loss": "", "val/loss sd": "", "seeds": ""}
    for form in FORMS:
        assert "nan" not in typeset(compare_paths([tmp_path]), form)


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t=", "\r=", "\n@", " ="])
def test_no_cell_of_a_sheet_is_a_formula(begins: str) -> None:
    assert plain(f"{begins}1+1").startswith("'")


def test_names_of_strangers_mean_themselves_in_every_form(leave, tmp_path: Path) -> None:
    for name in (NASTY, "other"):
        leave("Cosine", 0.1, 0, 0.5, trainer__label=name)
    found = compare_paths([tmp_path])
    (sheet_row,) = [row for row in csv.DictReader(io.StringIO(sheet(found))) if "other" not in row["schedule"]]
    assert sheet_row["schedule"] == f"cosine label={NASTY}".replace("\n", " ")
    lines = typeset(found, "md").splitlines()
    assert len(lines) == 4
    bare = [re.sub(r"\\.", "", line) for line in lines]  # without what is escaped
    assert {line.count("|") for line in bare} == {bare[0].count("|")}
    assert not any(sign in line.replace("**", "") for line in bare for sign in "<>`*_~[]")


def test_latex_is_balanced_and_every_sign_is_escaped() -> None:
    text = latex(
        "a\nb", [TableColumn("t%", (NASTY, "-1"), text=True), TableColumn("n", ("9.77e-07 ± 1", "-0.5"))], True
    )
    lines = text.splitlines()
    assert lines[1] == "% a b"  # a comment ends with its line
    body = "\n".join(lines[2:])
    words = re.sub(r"\\[a-zA-Z]+|\\[{}$&#%_\\]", "", body)  # without commands and escaped signs
    assert words.count("{") == words.count("}") > 0
    assert words.count("$") % 2 == 0
    outside = re.sub(r"\$[^$]*\$", "", words)
    assert not any(sign in outside for sign in '%_#^~\\<>`"')
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [1, 1, 1]
    assert r"$9.77 \times 10^{-7}$ $\pm$ 1" in text
    assert "$-0.5$" in text
    assert escaped("--") == "-{}-"


@pytest.mark.slow
def test_latex_compiles(sweep: Path, tmp_path: Path) -> None:
    program = shutil.which("pdflatex") or shutil.which("tectonic")
    if program is None:
        pytest.skip("no pdflatex: the table is checked by its syntax alone")
    table = latex("a", [TableColumn("t", (NASTY,), text=True)], True) + typeset(compare_paths([sweep]), "latex")
    head = "\\documentclass{article}\\usepackage{booktabs}\\usepackage[T1]{fontenc}\\begin{document}\n"
    (tmp_path / "t.tex").write_text(f"{head}{table}\\end{{document}}\n", "utf-8")
    command = [program, *(["-interaction=nonstopmode", "-halt-on-error"] if "pdflatex" in program else []), "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]


def test_a_pipe_in_markdown_is_no_cell() -> None:
    assert markdown("", [TableColumn("a|b", ("c|d",))], False).splitlines()[::2] == [r"| a\|b |", r"| c\|d |"]
