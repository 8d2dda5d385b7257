"""Where a process stands: what torchrun's variables say, and which device is its own."""

from __future__ import annotations

import pytest

from lrsched.errors import ConfigError
from lrsched.ranks.children import placed
from lrsched.ranks.place import ONLY, TORCHRUN, Place, given_place, on_device, require_same

FOUR = {"RANK": "2", "WORLD_SIZE": "4", "MASTER_ADDR": "node", "MASTER_PORT": "29500"}


def test_the_environment_says_where_a_process_stands() -> None:
    assert given_place(FOUR) == Place(rank=2, size=4, local=2, beside=4)
    two_machines = {**FOUR, "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}
    assert given_place(two_machines) == Place(rank=2, size=4, local=0, beside=2)
    assert given_place({**FOUR, "LOCAL_WORLD_SIZE": "2"}) == Place(rank=2, size=4, local=0, beside=2)


def test_no_variable_may_be_missing_and_one_process_is_none() -> None:
    for name in TORCHRUN:
        assert given_place({key: value for key, value in FOUR.items() if key != name}) is None
    assert given_place({**FOUR, "RANK": "0", "WORLD_SIZE": "1"}) is None


@pytest.mark.parametrize(
    ("changed", "name"), [({"RANK": "4"}, "RANK"), ({"RANK": "x"}, "RANK"), ({"WORLD_SIZE": "2.5"}, "WORLD_SIZE")]
)
def test_an_impossible_place_is_refused(changed: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}="):
        given_place({**FOUR, **changed})


@pytest.mark.parametrize(
    ("device", "cuda", "own"),
    [("auto", 0, "auto"), ("auto", 2, "cuda:1"), ("cuda", 4, "cuda:1"), ("cpu", 4, "cpu")],
)
def test_each_process_has_a_device_of_its_own(device: str, cuda: int, own: str) -> None:
    assert on_device(Place(rank=1, size=2, local=1, beside=2), device, cuda) == own
    assert on_device(ONLY, device, cuda) == device  # one process takes what the config says


@pytest.mark.parametrize(
    ("device", "cuda", "said"),
    [
        ("auto", 1, "trainer.processes=2: asks for 2 GPUs on this machine, one for each process, and there are 1"),
        ("cuda", 0, "trainer.processes=2: asks for 2 GPUs on this machine, one for each process, and there are 0"),
        ("cuda:1", 2, "device=cuda:1: is one GPU, and the run has 2 processes"),
        ("mps", 0, "device=mps: is no device for the 2 processes of a run"),
    ],
)
def test_processes_that_would_share_a_gpu_are_refused(device: str, cuda: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        on_device(Place(size=2, beside=2), device, cuda)


def test_the_number_of_processes_is_torchruns(monkeypatch: pytest.MonkeyPatch) -> None:
    for processes in (1, 4):
        require_same(given_place(FOUR), processes)
    with pytest.raises(ConfigError, match="processes=2: torchrun has started 4"):
        require_same(given_place(FOUR), 2)
    for name, value in FOUR.items():
        monkeypatch.setenv(name, value)
    with placed(1, []) as place:
        assert place == given_place(FOUR)
    with pytest.raises(ConfigError, match="in the place of model"), placed(1, ["model"]):
        pass
