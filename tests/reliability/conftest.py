"""The server that forks runs ends with the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers import fork_server as forks


@pytest.fixture(autouse=True, scope="session")
def _server_ends() -> Iterator[None]:
    yield
    forks.stop()
