"""Print a run's result, and what to do next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from lrsched.console import path_override, tell
from lrsched.loggers.terminal import span
from lrsched.units import OF_WEIGHTS, PERCENT, shown, unit_of

MOST_SNAPSHOTS = 10
"""Of which a line each is printed."""


def summary(
    result: Mapping[str, Any],
    folder: Path,
    again: Callable[[str], str],
    *,
    looks: Sequence[str] = (),
    file: TextIO | None = None,
) -> None:
    """Print the result of a run as one block.

    Args:
        result: the fields of ``result.json``; a failed run may lack some, which are left out.
        folder: the run folder.
        again: how to ask for a run by these words, as one types it.
        looks: how to look at what was logged, as one types it.
        file: where to print, None for stdout.

    >>> metrics = {"test/accuracy": 0.975, "test/loss": 0.1, "val/accuracy": 0.98, "val/loss": 0.09}
    >>> done = {"status": "finished", "reason": "", "step": 460, "epoch": 20.0, "metrics": metrics}
    >>> best = {"step": 437, "val/loss": 0.08}
    >>> measured = {"best": best, "train_seconds": 2.0, "samples_per_second": 14720.0}
    >>> measured["units"] = {"accuracy": "%", "loss": "nats"}
    >>> looks = ["tensorboard --logdir outputs/digits"]
    >>> summary(done | measured, Path("outputs/digits"), "python train.py {}".format, looks=looks)
    finished
      test    accuracy 97.50%  loss 0.1000 nats
      val     accuracy 98.00%  loss 0.0900 nats
      best    step 437  val/loss 0.0800 nats
      trained 20 epochs, 460 steps in 2.0 s, 14,720 samples/s
      folder  outputs/digits
      resume  python train.py resume=outputs/digits
      look    tensorboard --logdir outputs/digits
    """
    reason = result.get("reason")
    lines = [f"{result['status']}: {reason}" if reason else str(result["status"])]
    lines += [_line(part, _measured(result, part, without=OF_WEIGHTS)) for part in ("test", "val")]
    lines += [_line("average", _average(result))]
    lines += [_line(label, text) for label, text in _snapshots(result)]
    lines += [_line("best", _best(result)), _line("trained", _trained(result))]
    lines += [_line("threads", _threads(result)), _line("ranks", _ranks(result))]
    lines += [_line("folder", str(folder)), _line("resume", again(path_override("resume", folder)))]
    lines += [_line("look", look) for look in looks]
    tell("\n".join(line for line in lines if line), file)


def one_line(result: Mapping[str, Any], folder: Path, *, file: TextIO | None = None) -> None:
    """Print the result of one job of a sweep.

    >>> done = {"status": "finished", "metrics": {"test/rmse": 53.1, "test/loss": 0.1}, "units": {"rmse": "points"}}
    >>> one_line(done, Path("outputs/sweep/seed-0-16817781"))
    finished  outputs/sweep/seed-0-16817781  test rmse 53.10 points  loss 0.1000
    """
    measured = _measured(result, "test")
    parts = [result["status"], str(folder), f"test {measured}" if measured else ""]
    tell("  ".join(part for part in parts if part), file)


def _line(label: str, text: str) -> str:
    return f"  {label:<7} {text}" if text else ""


def _measured(result: Mapping[str, Any], part: str, without: tuple[str, ...] = ()) -> str:
    """The metrics of one part of the data, the loss last; those whose names begin otherwise left out."""
    metrics = result.get("metrics") or {}
    found = {name.removeprefix(f"{part}/"): metrics[name] for name in metrics if name.startswith(f"{part}/")}
    found = {name: value for name, value in found.items() if not name.startswith(without)} if without else found
    return _listed({name: found[name] for name in sorted(found, key=lambda name: name == "loss")}, result)


def _ranks(result: Mapping[str, Any]) -> str:
    """How many processes made the run, if there were several."""
    return f"{result['processes']} processes" if "processes" in result else ""


def _average(result: Mapping[str, Any]) -> str:
    """Which average of the weights the run has, and what it comes to: on the test part if that was looked at."""
    named = [(part, _measured(result, f"{part}/average")) for part in ("test", "val")]
    told = next((f"{part} {measured}" for part, measured in named if measured), "has not begun")
    return f"{result['average']}: {told}" if "average" in result else ""


def _snapshots(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the latest snapshots come to on the test part, each and together."""
    found = (result.get("snapshots") or {}).get("test") or {"single": [], "last": []}
    lines = [("single", row, f"step {row['step']}") for row in found["single"][-MOST_SNAPSHOTS:]]
    lines += [("last", row, str(row["snapshots"])) for row in found["last"][1:MOST_SNAPSHOTS]]
    apart = {"disagreement": PERCENT}
    shape = {**result, "units": {**(result.get("units") or {}), **apart}}
    width = max((len(which) for _, _, which in lines), default=0)
    names = ("step", "snapshots")
    return [
        (label, f"{which:<{width}}  {_listed({k: v for k, v in row.items() if k not in names}, shape)}")
        for label, row, which in lines
    ]


def _best(result: Mapping[str, Any]) -> str:
    best = result.get("best") or {}
    told = _listed({name: value for name, value in best.items() if name != "step"}, result)
    return f"step {best['step']}  {told}".rstrip() if best else ""


def _listed(values: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    units = result.get("units") or {}
    numbers = {name: value for name, value in values.items() if isinstance(value, (int, float))}
    return "  ".join(f"{name} {shown(unit_of(name, units), value)}" for name, value in numbers.items())


def _threads(result: Mapping[str, Any]) -> str:
    """How many threads were chosen, and by what.

    >>> _threads({"threads": {"number": 1, "operations": 77_922_816, "limit": ""}})
    '1: 7.8e+07 operations a batch'
    >>> _threads({"threads": {"number": 2, "operations": 3_260_000_000, "limit": "OMP_NUM_THREADS=2"}})
    '2: 3.3e+09 operations a batch, OMP_NUM_THREADS=2'
    """
    found = result.get("threads")
    if not found:
        return ""
    work = "" if found["operations"] is None else f"{found['operations']:.1e} operations a batch"
    return f"{found['number']}: {', '.join(filter(None, [work, found['limit']]))}"


def _trained(result: Mapping[str, Any]) -> str:
    epochs, steps = result["epoch"], result["step"]
    text = f"{epochs:.4g} epoch{'s' * (epochs != 1)}, {steps:,} step{'s' * (steps != 1)}"
    seconds, rate = result.get("train_seconds"), result.get("samples_per_second")
    if seconds is not None:
        text += f" in {seconds:.1f} s" if seconds < 60 else f" in {span(seconds)}"
    return text + (f", {rate:,.0f} samples/s" if rate else "")
