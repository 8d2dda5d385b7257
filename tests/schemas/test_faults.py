"""What the schemas report, the command line reports, too; and neither reports what is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import TINY
from tests.helpers.json_schema import complaints, read_yaml
from tests.schemas.faults import CHOICES, FAULTS, KEYS, RANGES, TYPES, Fault

pytest.importorskip("jsonschema", reason="no jsonschema: it comes with the extra `test`")
FILE = Path("conf/experiment/fault.yaml")


def name(fault: Fault) -> str:
    return f"{fault.group} {fault.text}".replace("\n", " ")[-60:]


def schema(group: str) -> str:
    return f"{'config' if group == 'experiment' else group}.json"


def test_there_are_as_many_as_promised() -> None:
    assert len({(fault.group, fault.text) for fault in FAULTS}) == len(FAULTS) >= 50
    assert all(len(faults) >= 10 for faults in (KEYS, TYPES, RANGES, CHOICES))


@pytest.mark.parametrize("fault", FAULTS, ids=name)
def test_the_schema_reports_it_at_its_place(fault: Fault) -> None:
    found = complaints(read_yaml(fault.text), schema(fault.group))
    assert any(text.startswith(f"{fault.place}: ") for text in found), found


def often(fault: Fault) -> Any:
    """One fault in twelve is asked for in each run of the quick tests."""
    return pytest.param(fault, marks=[] if FAULTS.index(fault) % 12 == 0 else pytest.mark.slow)


@pytest.mark.parametrize("fault", [often(fault) for fault in FAULTS], ids=map(name, FAULTS))
def test_the_command_line_reports_it(run_cli, fault: Fault) -> None:
    header = "# @package _global_\n" if fault.group == "experiment" else ""
    file = Path("conf", fault.group, "fault.yaml")
    file.parent.mkdir(parents=True)
    file.write_text(header + fault.text + "\n", "utf-8")
    tiny = [word for word in TINY if fault.group != "dataset" or not word.startswith("dataset")]
    tiny = [word for word in tiny if not word.startswith(fault.text.partition(":")[0])]
    ended = run_cli(*tiny, "--config-dir", "conf", f"{fault.group}=fault")
    assert ended.code == 2, ended.out + ended.err
    assert fault.words in ended.err
    assert "Traceback" not in ended.err
    assert not Path("outputs").exists()
