"""Whatever is put into a state is refused by its path, or comes back equal."""

from __future__ import annotations

import math
import tempfile
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lrsched.checkpoint.archive import packed, require_loadable
from lrsched.checkpoint.encode import decoded
from lrsched.checkpoint.store import Store
from lrsched.errors import CheckpointError, StateError
from tests.checkpoint.conftest import is_state, refit, state


class Colour(Enum):
    RED = 1


class Level(IntEnum):
    LOW = 1


Pair = namedtuple("Pair", "a b")

SCALARS = [np.float16(0.1), np.float32(0.1), np.float64(0.1), np.float64("nan"), np.bool_(True), np.complex64(1 + 2j)]
SCALARS += [kind(7) for kind in (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)]
SCALARS += [np.complex128(0.1 - 2j), np.str_("ä"), np.bytes_(b"x")]

ARRAYS = [
    *(np.arange(6).reshape(2, 3).astype(kind) for kind in "?bBhHiIlLqQefdgFD"),
    np.array(3.5),
    np.zeros((0, 4), np.float32),
    np.arange(8.0).reshape(2, 4)[:, ::2],
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array([1.5, 2.5], ">f8"),
    np.array(["a", "bcd"]),
    np.array([b"a", b"bcd"]),
    np.array(["2020-01-01", "NaT"], "datetime64[D]"),
    np.array([1, 2], "timedelta64[s]"),
]
TENSORS = [
    torch.arange(6.0).reshape(2, 3),
    torch.arange(6.0).reshape(2, 3).t(),
    torch.tensor(0.1, dtype=torch.bfloat16),
    torch.tensor([1 + 2j]),
    torch.tensor([True, False]),
    torch.nn.Parameter(torch.ones(2)),
    torch.empty(0),
    torch.eye(3).to_sparse(),
]
KEPT = [*SCALARS, *ARRAYS, *TENSORS, 1, -0.0, math.inf, math.nan, 2**80, "text", b"bytes", None, True, 1j]
KEPT += [torch.Size([2, 3]), torch.float16, torch.device("cpu"), {1, 2}, Counter({3: 2}), OrderedDict(a=1), (), []]

REFUSED = [
    np.longdouble(1),
    np.datetime64("2020-01-01"),
    np.timedelta64(3, "s"),
    np.array([{}, None], dtype=object),
    np.zeros(2, dtype=[("a", "i4"), ("b", "O")]),
    np.zeros(2, dtype=[("a", "i4"), ("b", "f4")]),
    np.ma.masked_array([1.0, 2.0], [True, False]),
    deque([1, 2]),
    defaultdict(list, a=[1]),
    Colour.RED,
    Level.LOW,
    Pair(1, 2),
    Path("x"),
    Decimal("0.1"),
    lambda step: 0.9**step,
    bytearray(b"x"),
    range(3),
    object(),
    Colour,
    math.cos,
    slice(1, 2),
    torch.nn.Linear(1, 1),
]


def names(value: Any) -> str:
    """An id of a value that every process gives it."""
    if isinstance(value, (Tensor, np.ndarray)):
        return f"{type(value).__name__} {value.dtype}"
    return f"{type(value).__name__} {'' if ' at 0x' in repr(value) else value!r}"[:30]


def equal(saved: Any, loaded: Any) -> bool:
    """Whether a value came back: numbers for numpy's scalars, everything else of its own type and value."""
    if isinstance(saved, np.generic):
        return not isinstance(loaded, np.generic) and equal(saved.item(), loaded)
    if isinstance(saved, np.ndarray):
        same = isinstance(loaded, np.ndarray) and saved.dtype == loaded.dtype and saved.shape == loaded.shape
        return same and saved.tobytes() == loaded.tobytes()
    if isinstance(saved, Tensor):
        return (
            isinstance(loaded, Tensor)
            and saved.dtype == loaded.dtype
            and torch.equal(saved.to_dense(), loaded.to_dense())
        )
    if type(saved) is not type(loaded):
        return False
    if isinstance(saved, dict):
        return [equal(*pair) for pair in zip(saved, loaded, strict=True)] == [True] * len(saved) and all(
            map(equal, saved.values(), loaded.values())
        )
    if isinstance(saved, (list, tuple)):
        return len(saved) == len(loaded) and all(map(equal, saved, loaded))
    if isinstance(saved, float):
        return repr(saved) == repr(loaded)
    return saved == loaded


def state_with(value: Any) -> dict[str, Any]:
    """A state in PyTorch's form, with a value in each part of the run."""
    group = {"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1], "own": value}
    return {
        "model": OrderedDict(weight=torch.ones(2), _extra_state={"seen": [value]}),
        "optimizer": {"state": {0: {"step": torch.tensor(1.0), "own": value}}, "param_groups": [group]},
        "scheduler": {"last_epoch": 3, "_last_lr": [0.1, value], "lr_lambdas": [None]},
    }


@pytest.mark.parametrize("value", KEPT, ids=names)
def test_a_value_comes_back_equal(value: Any, store: Store) -> None:
    saved = state_with(value)
    require_loadable(saved)
    store.save(1, saved, {})
    _, loaded, complaints = Store(store.folder).newest()
    assert complaints == []
    assert equal(saved, loaded)


@pytest.mark.parametrize("value", REFUSED, ids=names)
def test_a_value_that_cannot_come_back_is_named_and_nothing_is_lost(value: Any, store: Store) -> None:
    store.save(1, state(1), {})
    path = r"^model\._extra_state\.seen\.0 is no state that can be loaded again: "
    with pytest.raises(StateError, match=path + f".* is a {type(value).__name__}; let state_dict"):
        store.save(2, state_with(value), {})
    with pytest.raises(StateError, match=path):
        require_loadable(state_with(value))
    assert [path.name for path in store.folder.iterdir()] == ["step-0000000001"]
    checkpoint, loaded, _ = Store(store.folder).newest()
    assert checkpoint.step == 1
    assert is_state(loaded, 1)


def endless(kind: str) -> Any:
    value: Any = {"list": [0.1], "dict": {"a": 1}, "tuple": [0.1], "far": [{"a": [0.1]}]}[kind]
    if kind == "dict":
        value["again"] = value
    elif kind == "far":
        value[0]["a"].append(value)
    else:
        value.append((value,) if kind == "tuple" else value)
    return value


ENDLESS = {"list": ".1", "dict": ".again", "tuple": ".1.0", "far": ".0.a.1"}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_state_that_contains_itself_is_named_and_nothing_is_lost(kind: str, store: Store) -> None:
    store.save(1, state(1), {})
    for refused in (
        lambda: require_loadable(state_with(endless(kind))),
        lambda: store.save(2, state_with(endless(kind)), {}),
    ):
        with pytest.raises(StateError) as error:
            refused()
        path = "model._extra_state.seen.0"
        rule = f"it lies inside itself: it is {path} again"
        assert str(error.value) == f"{path}{ENDLESS[kind]} is no state that can be loaded again: {rule}"
    assert [path.name for path in store.folder.iterdir()] == ["step-0000000001"]


def test_best_weights_that_contain_themselves_are_named(store: Store) -> None:
    with pytest.raises(StateError, match=r"^_extra_state\.1 is no state"):
        store.save(1, {"best_weights": {"weight": torch.ones(2), "_extra_state": endless("list")}}, {})
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("levels", [150, 5000])
def test_a_state_of_many_levels_comes_back_or_is_named(levels: int, store: Store) -> None:
    value: Any = 0.5
    for _ in range(levels):
        value = [value]
    if levels > 200:
        with pytest.raises(
            StateError, match=r"^scheduler\.0[.0]* is no state .* it lies in 200 containers, one inside"
        ):
            store.save(1, {"scheduler": value}, {})
        return
    store.save(1, {"scheduler": value}, {})
    assert equal(Store(store.folder).newest()[1], {"scheduler": value})


def test_one_list_in_two_places_is_no_circle(store: Store) -> None:
    twice = [0.1]
    store.save(1, {"scheduler": [twice, twice]}, {})
    assert Store(store.folder).newest()[1] == {"scheduler": [[0.1], [0.1]]}


def test_a_state_that_turns_bad_later_is_refused_then(store: Store) -> None:
    for step in (1, 2):
        store.save(step, {"scheduler": {"history": [0.1] * 3}}, {})
    with pytest.raises(StateError, match=r"^scheduler\.history is no state .* is a deque"):
        store.save(3, {"scheduler": {"history": deque([0.1])}}, {})
    assert Store(store.folder).newest()[0].step == 2


def test_tensors_that_share_memory_still_do(store: Store) -> None:
    one = torch.arange(6.0)
    store.save(1, {"model": {"a": one, "b": one, "c": one[2:4]}}, {})
    model = Store(store.folder).newest()[1]["model"]
    model["a"][2] = 50.0
    assert (model["b"][2], model["c"][0]) == (50, 50)


@pytest.mark.parametrize("kind", ["O", "f8", None])
def test_a_mapping_that_looks_like_an_array_is_none(kind: str | None, store: Store) -> None:
    claims = {"numpy.dtype": kind, "numpy.shape": [2], "numpy.bytes": torch.zeros(16, dtype=torch.uint8)}
    store.save(1, {"scheduler": claims}, {})
    assert equal(claims, Store(store.folder).newest()[1]["scheduler"])


@pytest.mark.parametrize("kind", ["O", "f8", "i4,O", "nonsense", 7, None])
@pytest.mark.parametrize("shape", [[3], [2**40], [0], [], [-2], "x", -1, [2]])
def test_an_array_that_a_stranger_made_is_refused_or_as_large_as_its_bytes(kind: Any, shape: Any) -> None:
    claims = {"numpy.dtype": kind, "numpy.shape": shape, "numpy.bytes": torch.zeros(16, dtype=torch.uint8)}
    if (kind, shape) == ("f8", [2]):
        assert decoded(claims).tolist() == [0.0, 0.0]
    else:
        with pytest.raises(CheckpointError, match="holds an array that is none"):
            decoded(claims)


def test_a_strangers_array_is_refused_with_its_file(store: Store) -> None:
    path = store.save(1, {"scheduler": 1}, {})
    claims = {"numpy.dtype": "O", "numpy.shape": [2], "numpy.bytes": torch.zeros(16, dtype=torch.uint8)}
    refit(path, packed({"scheduler": claims}))
    with pytest.raises(CheckpointError, match=r"step-0000000001/state\.pt: it holds an array that is none"):
        store.newest()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_nested_state_is_refused_by_its_path_or_comes_back(data: st.DataObject) -> None:
    leaves = st.sampled_from([(value, True) for value in KEPT] + [(value, False) for value in REFUSED])
    keys = st.one_of(st.text("abc", min_size=1, max_size=2), st.integers(0, 3), st.sampled_from([np.int64(5)]))
    made: dict[int, bool] = {}

    def leaf(drawn: tuple[Any, bool]) -> Any:
        made[id(drawn[0])] = drawn[1]
        return drawn[0]

    nested = st.recursive(
        leaves.map(leaf),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(keys, inner, max_size=3),
            st.dictionaries(keys, inner, max_size=3).map(OrderedDict),
        ),
        max_leaves=8,
    )
    saved = {name: data.draw(nested, label=name) for name in ("model", "optimizer", "scheduler")}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "checkpoints")
        try:
            store.save(1, saved, {})
        except StateError as error:
            part: Any = saved
            for name in str(error).partition(" is no state")[0].split("."):
                part = part[{str(key): key for key in part}[name] if isinstance(part, dict) else int(name)]
            assert any(part is value for value in REFUSED)
            assert list(store.folder.iterdir()) == []
        else:
            assert equal(saved, Store(store.folder).newest()[1])
