"""``trainer=fast`` beside the same settings written by hand, and whether it learns as well.

    LRSCHED_DATA=/where/MNIST/is python benchmarks/fast.py --workload cnn gpt --rounds 7
    LRSCHED_DATA=/where/MNIST/is python benchmarks/fast.py --workload cnn --accuracy --seeds 6

By hand is the bare loop of ``bare.py`` with each setting and the likely combinations: bf16 by autocast, channels_last,
memory kept by mallopt, a fused optimizer, torch.compile. Ours is the whole trainer with what ``trainer=fast`` takes for
a run of ``--length`` updates. Every loop has a process of its own, which builds, compiles and trains once before it is
timed, and then waits for its turn in each round; a compilation is outside the clock on both sides. ``--accuracy``
trains pairs of runs of one seed, by the default trainer and by trainer=fast, and gives the interval of the differences.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, fields
from functools import cached_property
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from _config import composed
from _measure import machine, table
from _rivals import bare, ours
from _work import WORDS, Work, work
from torch import Tensor

import lrsched
from lrsched.assembly.parts import assemble
from lrsched.assembly.speed.compiled import compile_training
from lrsched.assembly.speed.keys import set_up
from lrsched.assembly.speed.malloc import keep_memory
from lrsched.config.settings import settings
from lrsched.fast.chooser import timed
from lrsched.fast.keys import asked, with_values
from lrsched.report.stats import interval
from lrsched.train.environment import prepare

HAND = {
    "fp32": "",
    "fp32, kept": "kept",
    "fused, kept": "fused kept",
    "bf16, kept": "bf16 kept",
    "channels_last, kept": "channels_last kept",
    "bf16, channels_last": "bf16 channels_last",
    "bf16, channels_last, kept": "bf16 channels_last kept",
    "bf16, channels_last, fused, kept": "bf16 channels_last fused kept",
    "compile, kept": "compile kept",
    "bf16, compile, fused, kept": "bf16 compile fused kept",
}
"""What is written by hand: the settings of each loop."""

OURS = "trainer=fast"

STEPS = {"cnn": 100, "gpt": 30}
"""Updates of a timed round."""

LEARNING = {"cnn": ("trainer.epochs=2",), "gpt": ("trainer.steps=300",)}
"""The length of the runs whose metrics are compared."""

JUDGED = {"cnn": "test/accuracy", "gpt": "val/loss"}


@dataclass
class ByHand(Work):
    """A workload with settings by hand."""

    settings: frozenset[str] = frozenset()

    @cached_property
    def called(self) -> Callable[[Tensor], Tensor]:
        """The model, compiled where it is asked for."""
        if "channels_last" in self.settings:
            self.model.to(memory_format=torch.channels_last)
        return torch.compile(self.model, dynamic=False) if "compile" in self.settings else self.model

    def optimizer(self) -> torch.optim.Optimizer:
        optimizer = super().optimizer()
        if "fused" in self.settings:
            for group in optimizer.param_groups:
                group |= {"fused": True, "foreach": False}
        return optimizer

    def loss(self, model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor | None = None) -> Tensor:
        if "channels_last" in self.settings:
            x = x.contiguous(memory_format=torch.channels_last)
        low = torch.autocast("cpu", torch.bfloat16) if "bf16" in self.settings else nullcontext()
        with low:
            return super().loss(self.called, x, y)


@dataclass(frozen=True)
class Turn:
    """What a loop is asked for."""

    name: str
    workload: str
    steps: int
    length: int
    threads: int
    root: str


def config_of(turn: Turn, steps: int) -> dict[str, Any]:
    """The config of trainer=fast."""
    where = () if turn.workload == "gpt" else (f"dataset.root={turn.root}",)
    length = (f"trainer.steps={steps}", "trainer.evaluate_every=100%", "trainer.show_every=null")
    words = ("name=b", "trainer=fast", f"threads={turn.threads}")
    return composed(*words, *WORDS[turn.workload], *where, *length)


def chosen(turn: Turn) -> tuple[dict[str, Any], str]:
    """What trainer=fast takes for a run of the turn's length, and how it says so."""
    config = config_of(turn, turn.length)
    names = asked(config)
    figures = timed(settings(config), names, {}, None)
    values = figures.values(names, turn.length)
    return values, figures.told(values)


def built(turn: Turn) -> tuple[Work, Callable[[Work], Callable[[], None]], str]:
    """The workload of a turn, its loop, and what was chosen."""
    prepare("cpu", turn.threads, deterministic=turn.name == OURS)
    if turn.name != OURS:
        asks = frozenset(HAND[turn.name].split())
        if "kept" in asks:
            keep_memory()
        job = work(turn.workload, turn.steps, 0, turn.root, None)
        inherited = {item.name: getattr(job, item.name) for item in fields(job)}
        return ByHand(**inherited, settings=asks), bare, ""
    values, told = chosen(turn)
    config = with_values(config_of(turn, turn.steps), values)
    run, device = settings(config), torch.device("cpu")
    prepare("cpu", turn.threads, deterministic=True)
    set_up(run, device, ExitStack())  # for good
    parts = assemble(run, device)
    if run.trainer.compile:
        compile_training(parts.state.model, parts.loader.batch_size)
    return Work(parts, config, turn.steps, None), ours, told


def serve(turn: Turn, connection: Connection) -> None:
    """Train whenever a number comes, and send µs a sample, or the traceback of what went wrong."""
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    try:
        job, loop, told = built(turn)
        run = loop(job)
        while True:
            connection.recv()
            job.parts.state.step = 0
            job.start()
            run()
            wall, cpu = job.clock.seconds()
            connection.send((1e6 * wall / job.samples(), 1e6 * cpu / job.samples(), told))
    except EOFError:
        return
    except BaseException:
        connection.send(traceback.format_exc())


def compare(o: argparse.Namespace, workload: str) -> None:
    """One workload, and its tables."""
    context = multiprocessing.get_context("spawn")
    names = [OURS, *(name for name in o.hand if workload == "cnn" or "channels_last" not in name)]
    ends: dict[str, Connection] = {}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    told = ""
    for number in range(o.rounds + 1):
        for name in names:
            if name not in ends:  # one after another: each builds undisturbed by the others
                ends[name], there = context.Pipe()
                turn = Turn(name, workload, o.steps or STEPS[workload], o.length, o.threads, o.root)
                context.Process(target=serve, args=(turn, there), daemon=True).start()
                there.close()
            ends[name].send(number)
            result = ends[name].recv()
            if isinstance(result, str):
                raise SystemExit(f"{name}: {result}")
            told = result[2] or told
            if number:
                found[name].append(result[:2])
        print(f"round {number} of {o.rounds}", file=sys.stderr)
    print(machine(), told, sep="\n\n", end="\n\n")
    for title, place in (("by the clock", 0), ("of the processor", 1)):
        times = {name: [pair[place] for pair in pairs] for name, pairs in found.items()}
        best = min(times.keys() - {OURS}, key=lambda name: sorted(times[name])[len(times[name]) // 2])
        first = {best: times[best], **times}
        print(f"µs a sample {title}, {workload}; 1.000 is the best by hand", table(first, best, 1, 2), sep="\n\n")
        print()


def accuracy(o: argparse.Namespace, workload: str) -> None:
    """Pairs of runs, and the interval of their differences."""
    metric, where = JUDGED[workload], () if workload == "gpt" else (f"dataset.root={o.root}",)
    common = (*WORDS[workload], *where, *LEARNING[workload], f"threads={o.threads}", "logger=none")
    values, told = chosen(Turn(OURS, workload, 0, o.length, o.threads, o.root))
    words = [f"trainer.{key}={str(value).lower()}" for key, value in values.items()]
    differences: list[float] = []
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        for seed in range(o.seeds):
            plain, fast = (
                lrsched.run([*common, "trainer.progress=false", f"seed={seed}", f"name={name}-{seed}", *more])
                for name, more in (("default", []), ("fast", words))
            )
            both = [run.result["metrics"][metric] for run in (plain, fast)]
            differences.append(both[1] - both[0])
            print(f"seed {seed}: {metric} {both[0]:.5g} by default, {both[1]:.5g} fast", file=sys.stderr)
        os.chdir("/")
    print(machine(), told, sep="\n\n", end="\n\n")
    print(f"{workload}: {metric}, fast - default, {len(differences)} pairs of one seed:")
    print(f"mean {sum(differences) / len(differences):+.5f}, 95 % interval {interval(differences)}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--workload", nargs="+", choices=["cnn", "gpt"], default=["cnn"])
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--hand", nargs="+", choices=list(HAND), default=list(HAND), help="the settings by hand")
    arguments.add_argument("--steps", type=int, help="updates of a timed round")
    arguments.add_argument("--length", type=int, default=20_000, help="updates of the run that the choice is made for")
    arguments.add_argument("--accuracy", action="store_true", help="compare what runs come to instead")
    arguments.add_argument("--seeds", type=int, default=6)
    arguments.add_argument(
        "--root", type=lambda path: str(Path(path).absolute()), default=os.environ.get("LRSCHED_DATA", "data")
    )
    options = arguments.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    torch.set_num_threads(options.threads)
    for workload in options.workload:
        (accuracy if options.accuracy else compare)(options, workload)


if __name__ == "__main__":
    main()
