"""Updates of a small GPT on bytes: lrsched against a bare loop written by hand.

    python benchmarks/gpt_steps.py --rounds 5 --steps 60 --threads 1

The network, data, batches and optimizer of ``experiment=bytes``. The bare loop has AdamW, the clipped gradient and
the schedule of that recipe, and nothing else. lrsched is the whole trainer, as for mnist_epoch.py, with two checkpoints
at least. Both evaluate the validation part once, at the end. ``--cpu`` counts the processor's seconds instead of the
clock's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from _config import composed
from _measure import interleaved, machine, table
from mnist_epoch import lrsched_epoch
from torch.nn.functional import cross_entropy

from lrsched.assembly.parts import Parts, assemble
from lrsched.config.settings import settings
from lrsched.data.loader import Loader, order
from lrsched.train.environment import prepare


def bare(parts: Parts, config: dict) -> Callable[[], object]:
    """The loop that one writes by hand."""
    assert isinstance(parts.loader, Loader)
    (tokens,), model, steps = parts.loader._data, parts.state.model, parts.horizon.steps
    matrices, vectors = ([p for p in model.parameters() if (p.ndim > 1) == many] for many in (True, False))
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=2e-3, betas=(0.9, 0.95))
    warmup, decay = config["scheduler"]["warmup"], 0.4 * steps
    ramp = int(warmup.removesuffix("st"))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, (s + 1) / ramp, (steps - s) / decay))

    def run() -> None:
        numbers = order(0, 0, len(tokens))
        for step in range(steps):
            batch = tokens[numbers[16 * step : 16 * step + 16]].long()
            loss = cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        with torch.inference_mode():
            for (part,) in parts.validation:
                cross_entropy(model(part[:, :-1].long()).flatten(0, 1), part[:, 1:].flatten().long()).item()

    return run


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--steps", type=int, default=60)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--cpu", action="store_true", help="processor time, for a machine that others use too")
    options = arguments.parse_args()
    prepare("cpu", options.threads, deterministic=True)
    words = ("name=b", "experiment=bytes", f"trainer.steps={options.steps}", "scheduler.warmup=5st")
    config = composed(*words, "trainer.evaluate_every=100%", "dataset.validation=0.01")
    with tempfile.TemporaryDirectory() as scratch:

        def parts() -> Parts:
            return assemble(settings(config), torch.device("cpu"))

        candidates = {
            "bare loop": lambda: bare(parts(), config),
            "lrsched, all of it": lambda: lrsched_epoch(parts(), config, Path(scratch), save=True),
        }
        clock = time.process_time if options.cpu else time.perf_counter
        seconds = interleaved(candidates, options.rounds, clock=clock)
    print(machine(), table(seconds, "bare loop"), sep="\n\n")


if __name__ == "__main__":
    main()
