"""Items made one by one, and a cache of them: against torch's DataLoader in a bare loop, and against data in memory.

    python benchmarks/data_speed.py --rounds 7

1. ``decode``: epochs over pictures of 224 × 224 that PIL decodes in two workers, in our trainer's loader and in a bare
   loop over ``DataLoader(…, num_workers=2)``; the same small network, batch size and optimizer. ``workers kept`` is
   the bare loop with ``persistent_workers=True``.
2. ``small``: the same for items that take a fifth of a millisecond.
3. ``cache``: a second epoch of training and evaluation over a decoded cache, against the same arrays in memory.
4. ``memory``: bytes of this process and its workers that are theirs alone (no pages of mapped files), epoch by epoch.

Seconds by the clock and of the processors, workers included: the second ones can be compared on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _config import composed
from _measure import machine, table
from _pictures import CLASSES, SIDE, Arrays, Pictures, Small, draw
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from lrsched.assembly.parts import Parts, assemble
from lrsched.config.settings import settings
from lrsched.train.environment import prepare
from lrsched.train.evaluate import evaluate

BATCH = 32
MEMORY = ("bare", "lrsched", "cached")


def processors() -> float:
    """Seconds of the processors that this process and its ended children took."""
    told = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in told)


def assembled(*overrides: str, epochs: int) -> Parts:
    """The parts of a run, as ``python train.py`` makes them."""
    words = ["name=b", f"trainer.epochs={epochs}", "optimizer=sgd", "scheduler=constant", "trainer.progress=false"]
    return assemble(settings(composed(*words, *overrides)), torch.device("cpu"))


def trained(parts: Parts, steps: range) -> None:
    """Updates of the trainer."""
    for step in steps:
        assert parts.state.step == step
        parts.state.scheduler.set(step)
        parts.update(parts.state)


def pictured(folder: Path) -> str:
    """A node of the pictures in a folder."""
    return f"dataset.train={{_target_: _pictures.Pictures, folder: {folder}}}"


def ours(node: str, epochs: int, options: tuple[str, ...] = ()) -> Callable[[], object]:
    """Epochs of our loader and our update; no evaluation."""
    data = ("dataset=torch", node, "dataset.workers=2", f"dataset.batch_size={BATCH}", "model=mlp", "model.hidden=[32]")
    held = ("dataset.validation=0.01", "dataset.test=0.01")
    parts = assembled(*data, *held, *options, epochs=epochs)

    def run() -> None:
        trained(parts, range(parts.loader.steps_per_epoch * epochs))
        parts.loader.close()

    return run


def bare(items: Any, shape: tuple[int, ...], epochs: int, *, kept: bool = False) -> Callable[[], object]:
    """Epochs of a loop that one writes by hand, over as many samples as ours trains on."""
    samples = torch.utils.data.Subset(items, range(round(0.98 * len(items))))
    model, optimizer = network(shape)

    def run() -> None:
        loader = DataLoader(samples, BATCH, shuffle=True, num_workers=2, persistent_workers=kept)
        for _ in range(epochs):
            for x, y in loader:
                step(model, optimizer, x, y)
        del loader

    return run


def network(shape: tuple[int, ...]) -> tuple[nn.Module, torch.optim.Optimizer]:
    """The network and the optimizer of ours, by hand."""
    features = int(np.prod(shape))
    model = nn.Sequential(nn.Flatten(), nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, CLASSES))
    return model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> None:
    """One update."""
    loss = cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def compared(candidates: dict[str, Callable[[], Callable[[], object]]], rounds: int) -> None:
    """Take the candidates in turns, by the clock and by the processors."""
    clock: dict[str, list[float]] = {name: [] for name in candidates}
    busy: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(-1, rounds):
        for name, candidate in candidates.items():
            timed = candidate()
            before = time.perf_counter(), processors()
            timed()
            if number >= 0:
                clock[name].append(time.perf_counter() - before[0])
                busy[name].append(processors() - before[1])
    base = next(iter(candidates))
    print(f"by the clock, s\n\n{table(clock, base)}\n\nof the processors, s\n\n{table(busy, base)}\n", flush=True)


def decoding(scratch: Path, rounds: int, count: int, epochs: int) -> None:
    """Compare loops over pictures."""
    for kind in ("jpg", "png"):
        folder = scratch / kind
        folder.mkdir()
        draw(folder, count, kind)
        items = Pictures(str(folder))
        print(f"{count} pictures, {kind}, {epochs} epochs, {each(items):.2f} ms an item\n")
        node = pictured(folder)
        compared(
            {
                "DataLoader": lambda items=items: bare(items, (3, SIDE, SIDE), epochs),
                "DataLoader, workers kept": lambda items=items: bare(items, (3, SIDE, SIDE), epochs, kept=True),
                "lrsched": lambda node=node: ours(node, epochs),
            },
            rounds,
        )


def small_items(rounds: int, epochs: int) -> None:
    """Compare loops over small items."""
    small = Small(4000, 40)
    print(f"{len(small)} small items, {epochs} epochs, {each(small):.2f} ms an item\n")
    node = "dataset.train={_target_: _pictures.Small, samples: 4000, operations: 40}"
    compared(
        {
            "DataLoader": lambda: bare(small, (3, 32, 32), epochs),
            "DataLoader, workers kept": lambda: bare(small, (3, 32, 32), epochs, kept=True),
            "lrsched": lambda: ours(node, epochs),
        },
        rounds,
    )


def each(items: Any) -> float:
    """Milliseconds that an item takes here."""
    start = time.process_time()
    for number in range(100):
        items[number]
    return (time.process_time() - start) * 10


def second_epoch(scratch: Path, rounds: int) -> None:
    """Compare a second epoch over a cache with one over data in memory."""
    draws = np.random.default_rng(0)
    x, y = draws.random((20000, 28 * 28), np.float32), draws.integers(0, CLASSES, 20000)
    file = scratch / "arrays.npz"
    np.savez(file, x=x, y=y)
    same = ("model=mlp", "model.hidden=[128]", "dataset.batch_size=128", "dataset.eval_batch_size=1024")
    sources = {
        "in memory": ("dataset=npz", f"dataset.path={file}", "dataset.standardise=false"),
        "cached": (
            *("dataset=torch", f"dataset.train={{_target_: _pictures.Arrays, path: {file}}}"),
            *("dataset.cache=true", f"dataset.cache_root={scratch / 'cache'}"),
        ),
    }

    def candidate(words: tuple[str, ...]) -> Callable[[], object]:
        parts = assembled(*words, *same, epochs=2)
        steps = parts.loader.steps_per_epoch

        def epoch(number: int = 1) -> None:
            trained(parts, range(number * steps, (number + 1) * steps))
            evaluate(parts.state.model, parts.validation, parts.task, parts.precision, "val")

        epoch(0)
        return epoch

    print(f"{len(Arrays(str(file)))} samples of 784 float32, the second epoch and an evaluation\n")
    compared({name: lambda words=words: candidate(words) for name, words in sources.items()}, rounds)


def own_bytes() -> int:
    """Bytes of memory of this process and its children that no file backs, what they share counted once."""
    total = 0
    for process in family(os.getpid()):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text("ascii").splitlines()
        except OSError:  # it has ended
            continue
        told = {words[0]: int(words[1]) for line in lines[1:] if len(words := line.split()) > 2}
        total += 1024 * (told["Pss_Anon:"] + told["Pss_Shmem:"])
    return total


def family(process: int) -> Iterator[int]:
    """A process and its descendants."""
    yield process
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, children.read_text("ascii").split()):
            yield from family(child)


def memory(scratch: Path, name: str, epochs: int = 60) -> None:
    """Print the memory after the epochs of a bare loop, of a run whose items workers make, or of one over a cache.

    Allocators take a while to settle, in torch's own workers as in these: the last twenty epochs are compared.
    """
    draw(scratch, 120, "jpg")
    node, cache = pictured(scratch), ("dataset.cache=true", f"dataset.cache_root={scratch}/.cache")
    if name == "bare":
        run = bare_epochs(Pictures(str(scratch)))
    else:
        run = our_epochs(node, epochs, *(cache if name == "cached" else ()))
    seen = [own_bytes() / 2**20 for _ in range(epochs) if next(run) is None]
    run.close()
    shown = " ".join(f"{seen[n]:.0f}" for n in range(0, epochs, 5))
    ratio = statistics.mean(seen[-5:]) / statistics.mean(seen[-20:-15])
    print(f"{name}: MiB after every fifth of {epochs} epochs: {shown}; over the last 20: × {ratio:.3f}", flush=True)


def bare_epochs(items: Any) -> Generator[None]:
    """Epochs of a bare loop, one at a time."""
    loader = DataLoader(items, BATCH, shuffle=True, num_workers=2, persistent_workers=True)
    model, optimizer = network((3, SIDE, SIDE))
    while True:
        for x, y in loader:
            step(model, optimizer, x, y)
        yield


def our_epochs(node: str, epochs: int, *options: str) -> Generator[None]:
    """Epochs of our loader and update, and an evaluation after each, one at a time."""
    data = ("dataset=torch", node, "dataset.workers=2", f"dataset.batch_size={BATCH}", *options)
    parts = assembled(*data, "model=mlp", "model.hidden=[32]", epochs=epochs)
    steps = parts.loader.steps_per_epoch
    try:
        for epoch in range(epochs):
            trained(parts, range(epoch * steps, (epoch + 1) * steps))
            evaluate(parts.state.model, parts.validation, parts.task, parts.precision, "val")
            yield
    finally:
        parts.loader.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--pictures", type=int, default=600)
    arguments.add_argument("--epochs", type=int, default=3)
    arguments.add_argument("--parts", nargs="*", default=["decode", "small", "cache", "memory"])
    arguments.add_argument("--memory", choices=MEMORY, help="measure the memory of one of these alone")
    options = arguments.parse_args()
    os.environ["LRSCHED_TRUST"] = "_pictures"
    sys.path.insert(0, str(Path(__file__).parent))
    prepare("cpu", 1, deterministic=True)
    if options.memory:
        with tempfile.TemporaryDirectory() as scratch:
            memory(Path(scratch), options.memory)
        return
    print(f"{machine()}, load {os.getloadavg()[0]:.1f}\n", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        if "decode" in options.parts:
            decoding(Path(scratch), options.rounds, options.pictures, options.epochs)
        if "small" in options.parts:
            small_items(options.rounds, options.epochs)
        if "cache" in options.parts:
            second_epoch(Path(scratch), options.rounds)
        if "memory" in options.parts:
            for name in MEMORY:  # each in a process of its own, whose memory nobody used before
                subprocess.run([sys.executable, __file__, "--memory", name], check=True)
    print(f"\nload {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
