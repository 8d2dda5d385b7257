"""Python's collector rests while large packages are imported, and then is as it was."""

from __future__ import annotations

import gc

import pytest

from lrsched.imports import collector_at_rest


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_it_is_afterwards_as_it_was(on: bool, fails: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        try:
            with collector_at_rest():
                assert not gc.isenabled()
                assert not fails, "as an import may"
        except AssertionError:
            assert fails
        assert gc.isenabled() is on
    finally:
        (gc.enable if before else gc.disable)()
