"""Which jobs the values of a command line mean."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from lrsched.errors import ConfigError
from lrsched.sweep.combinations import combinations


def jobs(*overrides: str, zipped: bool | list[str] = False) -> list[str]:
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [" ".join(job) for job in combinations(parsed, zipped)]


def test_every_combination_the_last_key_fastest() -> None:
    assert jobs("a=1,2", "b=x,y", "c=0") == ["a=1 b=x c=0", "a=1 b=y c=0", "a=2 b=x c=0", "a=2 b=y c=0"]


def test_zip_true_pairs_all_that_have_several() -> None:
    assert jobs("a=1,2", "c=0", "b=x,y", zipped=True) == ["a=1 b=x c=0", "a=2 b=y c=0"]


def test_a_list_pairs_those_keys_and_combines_them_with_the_others() -> None:
    assert jobs("a=1,2", "b=x,y", "seed=0,1", zipped=["a", "b"]) == [
        "a=1 b=x seed=0",
        "a=1 b=x seed=1",
        "a=2 b=y seed=0",
        "a=2 b=y seed=1",
    ]


def test_a_new_key_and_a_group_are_zipped_by_their_bare_names() -> None:
    assert jobs("+a.b=1,2", "scheduler=x,y", zipped=["a.b", "scheduler"]) == [
        "+a.b=1 scheduler=x",
        "+a.b=2 scheduler=y",
    ]


@pytest.mark.parametrize("zipped", [False, True, []])
def test_one_value_is_one_job(zipped: bool | list[str]) -> None:
    assert jobs("a=1", "b=[1,2]", zipped=zipped) == ["a=1 b=[1,2]"]
    assert jobs(zipped=zipped) == [""]


def test_the_last_word_on_a_key_counts() -> None:
    assert jobs("a=1,2,3", "a=4") == ["a=4"]


def test_a_range_and_quoted_values() -> None:
    assert jobs("a=range(0,3)") == ["a=0", "a=1", "a=2"]
    assert jobs("a='x,y',z") == ["a='x,y'", "a=z"]


def test_different_numbers_of_values_are_not_zipped() -> None:
    with pytest.raises(ConfigError, match=r"sweep.zip=\[a,b\]: .* a has 2, b has 3"):
        jobs("a=1,2", "b=1,2,3", zipped=["a", "b"])
    with pytest.raises(ConfigError, match="a has 2, b has 3"):
        jobs("a=1,2", "b=1,2,3", zipped=True)


def test_a_zipped_key_that_is_not_swept_is_named() -> None:
    with pytest.raises(ConfigError, match=r"sweep.zip=optimizer.ls: .* did you mean 'optimizer.lr'"):
        jobs("optimizer.lr=1,2", "seed=1,2", zipped=["optimizer.ls", "seed"])
    with pytest.raises(ConfigError, match=r"sweep.zip=seed: this key has at most one value"):
        jobs("a=1,2", "seed=0", zipped=["a", "seed"])


def test_an_interval_has_no_values_to_try() -> None:
    with pytest.raises(ConfigError, match=r"^lr=interval\(0,1\): is an interval without values to try"):
        jobs("lr=interval(0,1)")


def test_what_stands_for_no_value_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^a=range\(3,0\): stands for no value; list some"):
        jobs("seed=0,1", "+a=range(3,0)")


@pytest.mark.parametrize("zipped", [5, "lr", {"a": 1}, None])
def test_what_is_no_list_of_keys_is_refused(zipped: object) -> None:
    with pytest.raises(ConfigError, match=r"sweep.zip=.*: must be true, false or a list of keys"):
        jobs("a=1,2", zipped=zipped)  # type: ignore[arg-type]
