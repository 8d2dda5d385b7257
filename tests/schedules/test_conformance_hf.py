"""``convention: hf`` is ``transformers.get_scheduler``, stepped after every update.

transformers keeps plain functions of the step (``LambdaLR``), which are asked at every step and at T,
T + 1 and 2T, where ours holds the value of step T − 1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import SGDR, WSD, Constant, Cosine, InverseSqrt, Linear, Polynomial, Schedule, Tanh
from tests.schedules.conftest import GOLDEN, beyond, floors, quick, rates, runs, same

hf = partial(pytest.importorskip, "transformers.optimization", reason="the peer transformers is not installed")


def theirs(name: str, lr: float, steps: int, warm: int, count: int = 0, **specific: Any) -> list[float]:
    """The values of updates 0 … ``count`` − 1 of a run of ``steps``."""
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = hf().get_scheduler(name, sgd, warm, steps, specific)
    values = []
    for _ in range(count or steps):
        values.append(sgd.param_groups[0]["lr"])
        sgd.step()
        scheduler.step()
    return values


def preset(cls: type[Schedule], warm: int, **options: Any) -> Schedule:
    return cls(convention="hf", warmup=f"{warm}st", **options)


@quick
@given(run=runs, lr=rates)
@example(run=(10, 3), lr=1.0)
@example(run=(1000, 100), lr=0.1)
def test_constant_linear_and_cosine(run: tuple[int, int], lr: float) -> None:
    same(preset(Constant, run[1]), lr, theirs("constant_with_warmup", lr, *run))
    same(preset(Linear, run[1]), lr, theirs("linear", lr, *run))
    same(preset(Cosine, run[1]), lr, theirs("cosine", lr, *run))


@quick
@given(run=runs, lr=rates, floor=floors)
@example(run=(1000, 100), lr=0.1, floor=0.1)
def test_cosine_with_min_lr(run: tuple[int, int], lr: float, floor: float) -> None:
    same(preset(Cosine, run[1], final=floor), lr, theirs("cosine_with_min_lr", lr, *run, min_lr_rate=floor))
    schedule = preset(Cosine, run[1], final={"absolute": floor * lr})
    same(schedule, lr, theirs("cosine_with_min_lr", lr, *run, min_lr=floor * lr))


@quick
@given(run=runs, lr=rates, floor=floors, power=st.floats(0.5, 4.0))
@example(run=(1000, 100), lr=0.1, floor=1e-6, power=1.0)
def test_polynomial(run: tuple[int, int], lr: float, floor: float, power: float) -> None:
    schedule = preset(Polynomial, run[1], power=power, final={"absolute": floor * lr})
    same(schedule, lr, theirs("polynomial", lr, *run, lr_end=floor * lr, power=power))


@quick
@given(run=runs, lr=rates, timescale=st.none() | st.integers(1, 200))
@example(run=(1000, 100), lr=0.1, timescale=None)
@example(run=(1000, 0), lr=0.1, timescale=None)
def test_inverse_sqrt(run: tuple[int, int], lr: float, timescale: int | None) -> None:
    schedule = preset(InverseSqrt, run[1], timescale=None if timescale is None else f"{timescale}st")
    same(schedule, lr, theirs("inverse_sqrt", lr, *run, **({} if timescale is None else {"timescale": timescale})))


@quick
@given(
    run=runs,
    lr=rates,
    down=st.integers(0, 60),
    floor=floors,
    rise=st.sampled_from(["linear", "cosine"]),
    tail=st.sampled_from([("linear", "linear"), ("cosine", "cosine"), ("sqrt", "1-sqrt")]),
)
@example(run=(1000, 100), lr=0.1, down=200, floor=0.1, rise="linear", tail=("sqrt", "1-sqrt"))
def test_warmup_stable_decay(
    run: tuple[int, int], lr: float, down: int, floor: float, rise: str, tail: tuple[str, str]
) -> None:
    assume(sum(run[1:]) + down <= run[0])
    schedule = preset(WSD, run[1], decay=f"{down}st", shape=tail[0], final=floor, warmup_shape=rise)
    options = {"num_decay_steps": down, "warmup_type": rise, "decay_type": tail[1], "min_lr_ratio": floor}
    same(schedule, lr, theirs("warmup_stable_decay", lr, *run, **options))


@quick
@given(first=st.integers(1, 30), cycles=st.integers(1, 60), warm=st.integers(0, 40), lr=rates)
@example(first=1, cycles=49, warm=0, lr=1.0)
@example(first=100, cycles=9, warm=100, lr=0.1)
def test_cosine_with_restarts(first: int, cycles: int, warm: int, lr: float) -> None:
    values = theirs("cosine_with_restarts", lr, warm + first * cycles, warm, num_cycles=cycles)
    same(preset(SGDR, warm, first=f"{first}st"), lr, values)


def test_restarts_that_transformers_misses() -> None:
    """49·(1/49) falls an ulp short of 1: update 1 of 49 cycles of one step trains at 0 and not at the peak."""
    short = [t for t in range(49) if 49 * (t / 49) < t]
    assert short[0] == 1
    misses = [0.0 if t in short else 1.0 for t in range(49)]
    assert theirs("cosine_with_restarts", 1.0, 49, 0, num_cycles=49) == pytest.approx(misses)
    assert SGDR(first="1st", convention="hf").plan(Horizon(steps=49)).table() == pytest.approx(np.array(misses))
    assert SGDR(first="1st").plan(Horizon(steps=49)).table().tolist() == [1.0] * 49


# --- after the end: transformers' values at T, T + 1 and 2T -------------------------------------------------


@pytest.mark.parametrize(("steps", "warm"), GOLDEN)
def test_what_holds_its_end(steps: int, warm: int) -> None:
    """Theirs is at its end from T on; ours holds the value of step T − 1, one step before it."""
    n = steps - warm
    ends: list[tuple[str, Schedule, float, dict[str, Any]]] = [
        ("constant_with_warmup", preset(Constant, warm), 1.0, {}),
        ("linear", preset(Linear, warm), 0.0, {}),
        ("polynomial", preset(Polynomial, warm, power=1.0, final=0.1), 0.1, {"lr_end": 0.1}),
        ("cosine_with_restarts", preset(SGDR, warm, first=f"{n}st"), 0.0, {"num_cycles": 1}),
        (
            "warmup_stable_decay",
            preset(WSD, warm, decay="4st", final=0.1),
            0.1,
            {"num_decay_steps": 4, "decay_type": "linear", "min_lr_ratio": 0.1},
        ),
    ]
    for name, schedule, end, specific in ends:
        values = theirs(name, 1.0, steps, warm, 2 * steps + 1, **specific)
        assert [values[t] for t in (steps, steps + 1, 2 * steps)] == pytest.approx([end] * 3, rel=1e-12)
        assert beyond(schedule, steps) == pytest.approx([values[steps - 1]] * 3, rel=1e-12)


@pytest.mark.parametrize(("name", "floor"), [("cosine", 0.0), ("cosine_with_min_lr", 0.25)])
def test_cosine_bounces(name: str, floor: float) -> None:
    """The trap: at its end at T = 10, it is at 0.024 of the way up at T + 1, and at the peak again at 2T."""
    values = theirs(name, 1.0, 10, 0, 21, **({"min_lr_rate": floor} if floor else {}))
    way = np.array([0.0, (1 - np.cos(np.pi / 10)) / 2, 1.0])
    np.testing.assert_allclose([values[t] for t in (10, 11, 20)], floor + (1 - floor) * way, rtol=1e-9)
    assert way[1] == pytest.approx(0.024, abs=5e-4)
    assert beyond(preset(Cosine, 0, final=floor), 10) == pytest.approx([values[9]] * 3, rel=1e-9)


def test_inverse_sqrt_goes_on() -> None:
    values = theirs("inverse_sqrt", 1.0, 10, 3, 21)
    assert [values[t] for t in (10, 11, 20)] == pytest.approx([(3 / t) ** 0.5 for t in (10, 11, 20)], rel=1e-12)
    assert beyond(preset(InverseSqrt, 3), 10) == pytest.approx([(3 / 9) ** 0.5] * 3, rel=1e-12)


# --- what transformers does not have, or not like this --------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "key", "said"),
    [
        (lambda: Tanh(convention="hf"), "convention", "transformers has no Tanh; conventions that have it: timm"),
        (lambda: Linear(convention="hf", final=0.1), "final", "has no counterpart in transformers's Linear"),
        (lambda: Cosine(convention="hf", warmup="2st", warmup_start=0.1), "warmup_start", "has no counterpart"),
        (lambda: WSD(convention="hf", shape="square"), "shape", "is not one of linear, cosine, sqrt"),
        (lambda: SGDR(convention="hf", first="4st"), "first", "a whole number of cycles in the 10 steps"),
    ],
)
def test_refusals(make: Callable[[], Schedule], key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make().plan(Horizon(steps=10))
    assert caught.value.key == key
    assert said in str(caught.value)
