"""A YAML is read as Hydra reads it; one that no config can be is one message, and takes neither time nor memory."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from lrsched.errors import ConfigError
from lrsched.schemas.plain import DEEPEST, read

BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MERGED = "a0: &a0 {b: 1}\n" + "".join(f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a: [1\n", "is no YAML: line 2, column 1"),
        ("a: 1\n---\nb: 1\n", "is no YAML: line 2, column 1"),
        ("a: *b\n", "is no YAML: line 1, column 4"),
        ("a: \x00\n", "is no YAML"),
        ("? [a]\n: 1\n", "is no YAML: line 1, column 3"),
        ('a: !!int "x"\n', "has a value that is no int: line 1, column 4"),
        ('a: !!int ""\n', "has a value that is no int: line 1, column 4"),
        ("a: !!float x\n", "has a value that is no float: line 1, column 4"),
        ("a:\n  b: !!bool x\n", "has a value that is no bool: line 2, column 6"),
        ("a: 0x_\n", "has a value that is no int: line 1, column 4"),
        (f"a: {'9' * 5000}\n", "has a value that is no int: line 1, column 4"),
        ("a: !!set {b, c}\n", "holds a value of the kind set, which no config can: line 1, column 4"),
        ("a: !!timestamp 2024-01-01\n", "holds a value of the kind timestamp, which no config can: line 1, column 4"),
        ("a: !!binary aGk=\n", "holds a value of the kind binary, which no config can: line 1, column 4"),
        ("a: !mine 1\n", "holds a value of the kind !mine, which no config can: line 1, column 4"),
        ("a: !!python/object/apply:os.getcwd []\n", "holds a value of the kind python/object/apply:os.getcwd, which"),
        ('a: "\\ud800"\n', "holds half a character: line 1, column 4"),
        (f"a: {'[' * 60}{']' * 60}\n", f"is nested deeper than {DEEPEST}: line 1, column 44"),
        (f"a: {'[' * 500}{']' * 500}\n", f"is nested deeper than {DEEPEST}"),
        ("a: &a\n  b: *a\n", "holds itself: line 1, column 4"),
        (BOMB, "unpacks to more than 100000 values: line 5, column 5"),
        (MERGED, "unpacks to more than 100000 values: line "),
    ],
)
def test_what_no_config_can_be_is_one_message(text: str, rule: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(text, "conf/a.yaml")
    assert str(error.value).startswith(f"conf/a.yaml: {rule}")
    assert str(error.value).endswith("; mend it")


@pytest.mark.parametrize(
    "text",
    [
        "a: 2024-01-01\nb: 2024-02-30\nc: 2024-02-30 25:00:00\n",  # no dates: texts, impossible ones too
        "a: &a {b: 1}\nc: *a\nd:\n  <<: *a\n  e: .inf\n",
        "1: a\ntrue: b\n",
        "a: 1_000\nb: 0x1f\nc: ~\nd: 'x'\n",
    ],
)
def test_what_a_config_can_be_is_what_hydra_reads(text: str) -> None:
    assert read(text, "conf/a.yaml") == OmegaConf.to_container(OmegaConf.create(text), resolve=False)


def test_nothing_is_nothing() -> None:
    assert read("", "conf/a.yaml") is None
    assert read("# only this\n", "conf/a.yaml") is None
