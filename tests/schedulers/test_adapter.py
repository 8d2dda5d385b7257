"""lrsched.LRScheduler in other people's loops: each update trains with its row, whatever was loaded, and when."""

from __future__ import annotations

import copy
import io
import itertools
import pickle
from typing import Any

import pytest
import torch
from torch.optim import SGD, AdamW, Optimizer

import lrsched
from lrsched.errors import CheckpointError, ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import SGDR, Constant, Cosine, Exponential, Linear, OneCycle, Piecewise, Schedule

RUN = Horizon(steps=12, steps_per_epoch=3)
RATES = (0.1, 0.03)
SCHEDULES: dict[str, Schedule] = {
    "cosine": Cosine(warmup="2st"),
    "absolute floor": Cosine(final={"absolute": 1e-3}),
    "restarts": SGDR(first="3st", mult=2),
    "momentum too": OneCycle(),
    "weight decay too": Linear(also={"weight_decay": "same", "momentum": Cosine(final=0.5)}),
    "head apart": Linear(groups={"head": Constant()}),
}


def weight() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(1))


def sgd() -> SGD:
    groups = [{"params": [weight()], "lr": lr, "name": name} for lr, name in zip(RATES, ("body", "head"), strict=True)]
    return SGD(groups, momentum=0.9, weight_decay=0.01)


def update(optimizer: Optimizer) -> None:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)
    optimizer.step()


def values(optimizer: Optimizer) -> list[dict[str, Any]]:
    """What an update would use now."""
    keys = ("lr", "momentum", "weight_decay")
    return [{key: group[key] for key in keys} for group in optimizer.param_groups]


def rows(schedule: Schedule) -> list[list[dict[str, Any]]]:
    """The values of every update by the table."""
    base = {"momentum": 0.9, "weight_decay": 0.01}
    tables = [
        schedule.of_group(name).table(RUN, {"lr": lr, **base}) for lr, name in zip(RATES, ("body", "head"), strict=True)
    ]
    return [[base | {key: column[s] for key, column in table.items()} for table in tables] for s in range(RUN.steps)]


def through_a_file(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# --- the plain loop ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULES)
def test_update_s_trains_with_row_s_in_a_plain_loop(name: str) -> None:
    optimizer = sgd()
    scheduler = lrsched.LRScheduler(optimizer, SCHEDULES[name], RUN)
    expected = rows(SCHEDULES[name])
    for s in range(RUN.steps):
        assert values(optimizer) == expected[s]
        assert scheduler.get_last_lr() == scheduler.get_lr() == [group["lr"] for group in expected[s]]
        update(optimizer)
        scheduler.step()
    for _ in range(3):  # past the end the last value holds
        assert values(optimizer) == expected[-1]
        scheduler.step()


def test_a_schedule_may_be_given_by_name_and_a_horizon_by_its_steps() -> None:
    optimizer = sgd()
    scheduler = lrsched.LRScheduler(optimizer, "half_cosine", 12)
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == lrsched.schedules.HalfCosine().table(RUN, 0.1)["lr"][1]
    with pytest.raises(ConfigError, match=r"schedule=cosin: there is no such schedule; did you mean 'cosine'"):
        lrsched.LRScheduler(optimizer, "cosin", 12)
    with pytest.raises(ConfigError, match=r"horizon.steps=0: a run has at least one step"):
        lrsched.LRScheduler(optimizer, "cosine", 0)


def test_past_raise_bears_the_step_after_the_last_update_and_no_other() -> None:
    scheduler = lrsched.LRScheduler(sgd(), Linear(past="raise"), 2)
    scheduler.step()
    scheduler.step()  # the loop has made its second update and calls step() once more, as loops do
    with pytest.raises(ConfigError, match=r"past=raise: step 2 lies after the schedule's end"):
        scheduler.step()
    assert scheduler.last_epoch == 2


def test_it_is_a_torch_scheduler_and_wraps_nothing() -> None:
    optimizer = sgd()
    before = optimizer.step
    scheduler = lrsched.LRScheduler(optimizer, "cosine", 12)
    assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
    assert optimizer.step == before
    assert scheduler.base_lrs == list(RATES)
    scheduler.step()
    scheduler.step()  # twice before any optimizer.step(), as a GradScaler's skipped updates may bring about: no warning


def test_a_gradscaler_loop_that_steps_only_after_updates_that_were_made() -> None:
    optimizer, schedule = sgd(), Cosine()
    scheduler = lrsched.LRScheduler(optimizer, schedule, RUN)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4)
    used, skipped = [], 0
    while len(used) < RUN.steps:
        overflows = len(used) == 5 and skipped < 2  # two overflows in a row
        for group in optimizer.param_groups:
            loss = (group["params"][0] * (torch.inf if overflows else 1.0)).sum()
            scaler.scale(loss).backward()
        rates, scale = values(optimizer), scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        if scaler.get_scale() < scale:
            skipped += 1
            continue
        used.append(rates)
        scheduler.step()
    assert skipped == 2
    assert used == rows(schedule)


# --- restoring, in any order ------------------------------------------------------------------------

ORDERS = ["".join(order) for order in itertools.permutations("bos")] + ["bs", "sb"]
"""b: the scheduler is built, o: the optimizer's state is loaded, s: the scheduler's is. Or without the optimizer's."""


@pytest.mark.parametrize("order", [order for order in ORDERS if order.index("b") < order.index("s")])
@pytest.mark.parametrize("at", [0, 1, 7, 12])
@pytest.mark.parametrize("name", SCHEDULES)
def test_trap_8_any_order_of_restoring_goes_on_with_the_next_row(name: str, at: int, order: str) -> None:
    """torch: after optimizer.load_state_dict, building LinearLR leaves the rate ten times too low for ever."""
    schedule, optimizer = SCHEDULES[name], sgd()
    scheduler = lrsched.LRScheduler(optimizer, schedule, RUN)
    for _ in range(at):
        update(optimizer)
        scheduler.step()
    saved = through_a_file({"o": optimizer.state_dict(), "s": scheduler.state_dict()})

    fresh = sgd()
    for move in order:
        if move == "b":
            resumed = lrsched.LRScheduler(fresh, schedule, RUN)
        elif move == "o":
            fresh.load_state_dict(saved["o"])
        else:
            resumed.load_state_dict(saved["s"])
    expected = [*rows(schedule), rows(schedule)[-1]]
    for s in range(at, RUN.steps + 1):
        assert values(fresh) == expected[s]
        assert resumed.get_last_lr() == [group["lr"] for group in expected[s]]
        update(fresh)
        resumed.step()


def test_a_scheduler_without_its_optimizer_also_brings_the_base_values() -> None:
    """The code may build the optimizer with any rate: the state holds what the schedule scales."""
    optimizer = sgd()
    scheduler = lrsched.LRScheduler(optimizer, Linear(), RUN)
    scheduler.step()
    other = SGD([{"params": [weight()]}, {"params": [weight()]}], lr=1.0)
    resumed = lrsched.LRScheduler(other, Linear(), RUN)
    resumed.load_state_dict(scheduler.state_dict())
    assert resumed.base_lrs == list(RATES)
    assert [group["initial_lr"] for group in other.param_groups] == list(RATES)
    assert [group["lr"] for group in other.param_groups] == [lr * (1 - 1 / 12) for lr in RATES]


@pytest.mark.parametrize("restored", [False, True])
@pytest.mark.parametrize(
    ("schedule", "last_epoch", "multiple"),
    [
        (
            SGDR(first="10st", mult=2),
            24,
            (1 + torch.cos(torch.tensor(0.75 * torch.pi, dtype=torch.float64)).item()) / 2,
        ),
        (Exponential(gamma=0.9, every="1st"), 9, 0.9**10),
    ],
)
def test_trap_4_last_epoch_is_where_it_goes_on(
    schedule: Schedule, last_epoch: int, multiple: float, restored: bool
) -> None:
    """torch: CosineAnnealingWarmRestarts(10, 2, last_epoch=24) gives 0.8536 instead of 0.1464, others 1.0."""
    optimizer = SGD([weight()], lr=1.0)
    if restored:
        optimizer.param_groups[0] |= {"lr": 0.0123, "initial_lr": 1.0}
    lrsched.LRScheduler(optimizer, schedule, 100, last_epoch=last_epoch)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(multiple, rel=1e-14)


def test_trap_10_the_arguments_given_now_count_and_not_those_of_the_checkpoint() -> None:
    """torch: CosineAnnealingLR(T_max=100).load_state_dict(that of T_max=10) has T_max=10."""
    scheduler = lrsched.LRScheduler(sgd(), Cosine(), 10)
    for _ in range(4):
        scheduler.step()
    assert scheduler.state_dict() == {"last_epoch": 4, "bases": [{"lr": 0.1}, {"lr": 0.03}]}
    optimizer = sgd()
    resumed = lrsched.LRScheduler(optimizer, Linear(), 100)
    resumed.load_state_dict(scheduler.state_dict())
    assert optimizer.param_groups[0]["lr"] == Linear().table(Horizon(100), 0.1)["lr"][4]


@pytest.mark.parametrize("state", [{}, {"last_epoch": 4, "_step_count": 5}, {"last_epoch": -1, "bases": []}])
def test_a_foreign_state_is_refused(state: dict[str, Any]) -> None:
    scheduler = lrsched.LRScheduler(sgd(), Linear(), 10)
    with pytest.raises(CheckpointError, match=r"not a state of lrsched\.LRScheduler"):
        scheduler.load_state_dict(state)
    assert scheduler.last_epoch == 0


def test_step_to_a_position_agrees_with_stepping() -> None:
    one, other = sgd(), sgd()
    walking, jumping = (lrsched.LRScheduler(o, SGDR(first="3st", mult=2), RUN) for o in (one, other))
    for s in range(1, 12):
        walking.step()
        jumping.step(s)
        assert values(one) == values(other)
    with pytest.raises(ConfigError, match=r"epoch=0.5: is the number of completed updates"):
        jumping.step(0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_a_copy_goes_on_alone(copied: Any) -> None:
    optimizer, schedule = sgd(), SCHEDULES["weight decay too"]
    scheduler = lrsched.LRScheduler(optimizer, schedule, RUN)
    scheduler.step()
    held = values(optimizer)
    other, twin = copied((optimizer, scheduler))
    assert twin.optimizer is other
    twin.step()
    assert values(other) == rows(schedule)[2]
    assert values(optimizer) == held
    assert type(twin.get_last_lr()[0]) is float


# --- groups and tensors -----------------------------------------------------------------------------


def test_trap_13_a_group_added_later_follows_from_the_current_step() -> None:
    """torch: LambdaLR, CyclicLR and warm restarts end in ValueError, OneCycleLR in KeyError."""
    optimizer, schedule = sgd(), Cosine(also={"weight_decay": "same"})
    scheduler = lrsched.LRScheduler(optimizer, schedule, RUN)
    scheduler.step()
    optimizer.add_param_group({"params": [weight()], "lr": 0.5, "weight_decay": 0.2})
    scheduler.step()
    before = Cosine().table(RUN)["lr"][1]  # the multiple that was in force when the values were given
    table = schedule.table(RUN, {"lr": 0.5 / before, "weight_decay": 0.2 / before})
    assert [optimizer.param_groups[2][key] for key in ("lr", "weight_decay")] == [
        table["lr"][2],
        table["weight_decay"][2],
    ]
    assert [group["lr"] for group in optimizer.param_groups[:2]] == [schedule.table(RUN, lr)["lr"][2] for lr in RATES]
    assert scheduler.base_lrs == [*RATES, 0.5 / before]


@pytest.mark.parametrize("order", ["gbos", "gobs", "bgos", "bsgo", "gbso", "bgs", "bsg"])
def test_trap_13_such_a_group_is_restored_in_any_order(order: str) -> None:
    """g: the group is added again, with its own base value, wherever it comes."""
    optimizer = sgd()
    scheduler = lrsched.LRScheduler(optimizer, Linear(), RUN)
    scheduler.step()
    optimizer.add_param_group({"params": [weight()], "lr": 0.5})
    scheduler.step()
    saved = through_a_file({"o": optimizer.state_dict(), "s": scheduler.state_dict()})
    fresh = sgd()
    for move in order:
        if move == "g":
            fresh.add_param_group({"params": [weight()], "lr": 0.5})
        elif move == "b":
            resumed = lrsched.LRScheduler(fresh, Linear(), RUN)
        elif move == "o":
            fresh.load_state_dict(saved["o"])
        else:
            resumed.load_state_dict(saved["s"])
    resumed.step()
    bases = (*RATES, 0.5 / Linear().table(RUN)["lr"][1])
    assert [group["lr"] for group in fresh.param_groups] == [Linear().table(RUN, lr)["lr"][3] for lr in bases]


def test_trap_15_a_tensor_is_filled_in_place_from_the_float64_table() -> None:
    """torch's recursion in float32 is 0.24 % off after 1e5 steps of ExponentialLR; here it is the nearest float32."""
    rate = torch.tensor(0.5)
    optimizer = AdamW([weight()], lr=rate, foreach=False, capturable=False)
    schedule, run = Exponential(final=1e-3), 100_000
    scheduler = lrsched.LRScheduler(optimizer, schedule, run)
    table = schedule.table(Horizon(run), 0.5)["lr"]
    for _ in range(run - 1):
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.dtype == torch.float32
    assert rate.item() == torch.tensor(table[-1], dtype=torch.float32).item()
    assert scheduler.get_last_lr() == [table[-1]]


def test_a_tensor_stays_one_after_its_optimizer_was_restored() -> None:
    optimizer = AdamW([weight()], lr=torch.tensor(0.5), foreach=False)
    scheduler = lrsched.LRScheduler(optimizer, Linear(), 4)
    scheduler.step()
    optimizer.load_state_dict(through_a_file(optimizer.state_dict()))
    rate = optimizer.param_groups[0]["lr"]
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == 0.25


# --- groups that come later, as with torch's own classes -----------------------------------------------


def added(schedule: Schedule, at: int, **group: Any) -> tuple[SGD, lrsched.LRScheduler]:
    """An optimizer of rate 0.1 and its scheduler, to which a group was added when ``at`` updates were done."""
    optimizer = SGD([weight()], lr=0.1)
    scheduler = lrsched.LRScheduler(optimizer, schedule, 10)
    for _ in range(at):
        update(optimizer)
        scheduler.step()
    optimizer.add_param_group({"params": [weight()], **group})
    return optimizer, scheduler


def trained(optimizer: SGD, scheduler: lrsched.LRScheduler, updates: int) -> list[float]:
    """The rates with which the last group trains its next updates."""
    rates = []
    for _ in range(updates):
        rates.append(optimizer.param_groups[-1]["lr"])
        update(optimizer)
        scheduler.step()
    return rates


def test_a_group_added_later_trains_on_from_its_rate_as_with_torchs_classes() -> None:
    """It trained 0.005, 0.002: the rate that was given was taken for the base value of a run half over."""
    ours = trained(*added(Linear(), 5, lr=0.005), updates=5)
    theirs = SGD([weight()], lr=0.1)
    torchs = torch.optim.lr_scheduler.LinearLR(theirs, 1.0, 0.0, 10)
    for _ in range(5):
        update(theirs)
        torchs.step()
    theirs.add_param_group({"params": [weight()], "lr": 0.005})
    bare = []
    for _ in range(5):
        bare.append(theirs.param_groups[-1]["lr"])
        update(theirs)
        torchs.step()
    assert bare == pytest.approx([0.005, 0.004, 0.003, 0.002, 0.001], rel=1e-12)
    assert ours == pytest.approx(bare, rel=1e-12)


def test_a_group_that_brings_initial_lr_has_that_as_its_base_value() -> None:
    optimizer, scheduler = added(Linear(), 5, lr=0.005, initial_lr=0.02)
    assert scheduler.base_lrs == [0.1, 0.02]
    assert trained(optimizer, scheduler, 3) == [0.005, 0.02 * (1 - 6 / 10), 0.02 * (1 - 7 / 10)]


def test_where_the_multiple_is_0_the_rate_given_is_the_base_value() -> None:
    optimizer, scheduler = added(Linear(warmup="2st", warmup_start=0.0), 0, lr=0.005)
    assert scheduler.base_lrs == [0.1, 0.005 / 0.5]  # the warm-up is trained at its end: 1/2, 1
    zero = Piecewise(points=[["0st", 1.0], ["5st", 0.0], ["8st", 0.5]])
    assert zero.plan(Horizon(10)).table()[5] == 0.0
    optimizer, scheduler = added(zero, 5, lr=0.005)
    assert scheduler.base_lrs == [0.1, 0.005]
    assert trained(optimizer, scheduler, 1) == [0.005]
    assert optimizer.param_groups[1]["lr"] == 0.005 * zero.plan(Horizon(10)).table()[6]
    optimizer, scheduler = added(Linear(), 5, lr=0.0)  # and a rate of 0 stays 0
    assert trained(optimizer, scheduler, 3) == [0.0] * 3


def test_an_absolute_floor_is_reckoned_with() -> None:
    """rate(s) = floor + (base - floor)·(1 - s/10): from 0.02 at update 5 on a floor of 0.01 the base is 0.03."""
    optimizer, scheduler = added(Linear(final={"absolute": 0.01}), 5, lr=0.02)
    assert scheduler.base_lrs == pytest.approx([0.1, 0.03], rel=1e-12)
    assert trained(optimizer, scheduler, 3) == pytest.approx([0.02, 0.018, 0.016], rel=1e-12)
    optimizer, scheduler = added(Linear(final={"absolute": 0.01}), 5, lr=0.001)  # below the floor: no base leads there
    assert scheduler.base_lrs == [0.1, 0.001]


def test_the_schedule_of_its_own_name_counts() -> None:
    schedule = Linear(groups={"group1": Constant()})
    optimizer = SGD([{"params": [weight()]}, {"params": [weight()]}], lr=0.1)
    scheduler = lrsched.LRScheduler(optimizer, schedule, 10)
    for _ in range(5):
        update(optimizer)
        scheduler.step()
    optimizer.add_param_group({"params": [weight()], "lr": 0.02, "name": "group1b"})
    optimizer.add_param_group({"params": [weight()], "lr": 0.02, "name": "group1"})
    assert scheduler.base_lrs == [0.1, 0.1, 0.04, 0.02]


def test_a_group_added_later_is_restored_before_any_step_and_in_a_copy() -> None:
    """Added, and saved or copied at once: its base value is known although no value was set since."""
    optimizer, scheduler = added(Linear(), 5, lr=0.005)
    other, twin = copy.deepcopy((optimizer, scheduler))
    assert twin.get_last_lr() == scheduler.get_last_lr() == [0.05, 0.005]
    saved = through_a_file({"o": optimizer.state_dict(), "s": scheduler.state_dict()})
    fresh = SGD([weight()], lr=0.1)
    resumed = lrsched.LRScheduler(fresh, Linear(), 10)
    fresh.add_param_group({"params": [weight()], "lr": 0.005})
    fresh.load_state_dict(saved["o"])
    resumed.load_state_dict(saved["s"])
    wanted = trained(optimizer, scheduler, 4)
    assert trained(other, twin, 4) == wanted
    assert trained(fresh, resumed, 4) == wanted


# --- tensors that groups share, copies, epochs ---------------------------------------------------------


@pytest.mark.parametrize("restored", [False, True])
def test_groups_that_share_a_tensor_get_one_each(restored: bool) -> None:
    """torch puts one tensor into every group, and a schedule for one of them moved all: both stayed at 0.1."""
    optimizer = AdamW([{"params": [weight()], "name": name} for name in ("body", "head")], lr=torch.tensor(0.1))
    assert optimizer.param_groups[0]["lr"] is optimizer.param_groups[1]["lr"]
    if restored:
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    scheduler = lrsched.LRScheduler(optimizer, Linear(groups={"head": Constant()}), 4)
    for s in range(4):
        rates = [float(torch.tensor(rate)) for rate in scheduler.get_last_lr()]
        assert [group["lr"].item() for group in optimizer.param_groups] == rates
        assert rates == pytest.approx([0.1 * (1 - s / 4), 0.1], rel=1e-6)  # 0.1 in float32
        scheduler.step()
    optimizer.add_param_group({"params": [weight()], "name": "tail"})  # the default: the first group's tensor
    scheduler.step()
    assert len({id(group["lr"]) for group in optimizer.param_groups}) == 3


def test_betas_of_shared_tensors_are_moved_apart() -> None:
    betas = torch.tensor(0.9), torch.tensor(0.99)
    groups = [{"params": [weight()], "name": name, "betas": betas, "lr": 0.1} for name in ("body", "head")]
    optimizer = AdamW(groups, lr=torch.tensor(0.1), betas=betas, capturable=False, foreach=False)
    schedule = Constant(also={"beta1": Linear()}, groups={"head": Constant(also={"beta1": Constant()})})
    lrsched.LRScheduler(optimizer, schedule, 4).step()
    body, head = (group["betas"] for group in optimizer.param_groups)
    assert (body[0].item(), head[0].item()) == pytest.approx((0.9 * 0.75, 0.9))
    assert body[1].item() == head[1].item()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
@pytest.mark.parametrize("steps", [0, 3])
def test_a_copy_knows_its_rates_at_once(copied: Any, steps: int) -> None:
    optimizer = sgd()
    scheduler = lrsched.LRScheduler(optimizer, Linear(), RUN)
    for _ in range(steps):
        scheduler.step()
    _, twin = copied((optimizer, scheduler))
    assert twin.get_last_lr() == scheduler.get_last_lr() == [rate * (1 - steps / 12) for rate in RATES]
    assert twin.base_lrs == list(RATES)


@pytest.mark.parametrize("name", ["exponential", "inverse_time", "time_based", "cyclic", "sgdr"])
def test_a_run_of_steps_alone_knows_no_epoch(name: str) -> None:
    """Their default lengths are epochs: 1ep was the whole run, exponential ended at 0.95 and cyclic never peaked."""
    optimizer = SGD([weight()], lr=0.1)
    with pytest.raises(ConfigError, match=r"ep: how many steps an epoch has is not known here; .*steps_per_epoch"):
        lrsched.LRScheduler(optimizer, name, 1000)
    lrsched.LRScheduler(optimizer, name, Horizon(1000, steps_per_epoch=100))


def test_a_length_that_is_not_used_needs_no_epoch() -> None:
    optimizer = SGD([weight()], lr=0.1)
    lrsched.LRScheduler(optimizer, Exponential(final=0.01), 1000, last_epoch=998)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 0.01 ** (999 / 1000), rel=1e-12)
    with pytest.raises(ConfigError, match=r"every=1ep: .*steps_per_epoch"):
        lrsched.LRScheduler(optimizer, Exponential(final=0.01, staircase=True), 1000)
