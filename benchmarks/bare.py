"""Training loops side by side: a bare loop, lrsched, PyTorch's template, Accelerate, Lightning, Hugging Face's Trainer.

    LRSCHED_DATA=/where/MNIST/is python benchmarks/bare.py --workload mlp --threads 1 2
    python benchmarks/bare.py --workload cnn gpt --threads 2
    python benchmarks/bare.py --workload mlp --rivals bare ours --rounds 15
    python benchmarks/bare.py --workload mlp cnn --to-accuracy .98

The bare loop is the least that trains: float samples, standardised before its clock starts, taken by a permutation,
forward, loss, backward, the step of torch's own optimizer (neither fused nor foreach), zero_grad, and the rate set by
hand. All train one network from the same weights with the same optimizer, rates and clipping. Every loop has a process
of its own, which imports what it needs, trains once to warm up, and then waits for its turn in each round. The clock
counts the updates and all that a loop does between them, of ours rows, TensorBoard and checkpoints; evaluations are
outside it. ``cpu`` are seconds of the processor, which other processes on the machine disturb less.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch
from _measure import machine, table
from _rivals import RIVALS
from _work import LEARNING, STEPS, work

from lrsched.train.environment import prepare


@dataclass(frozen=True)
class Turn:
    """What a loop is asked for, and what is the same in every round."""

    rival: str
    workload: str
    steps: int
    threads: int
    root: str
    aim: float | None


@dataclass(frozen=True)
class Result:
    """Seconds a sample by the clock and the processor, seconds to the aim, and the process's most memory in MiB."""

    wall: float
    cpu: float
    reached: float
    memory: float


def serve(turn: Turn, connection: Connection) -> None:
    """Train with each seed that comes, and send the result, or the traceback of what went wrong."""
    silent = os.open(os.devnull, os.O_WRONLY)  # progress bars go where nobody looks
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    torch.set_num_threads(turn.threads)
    if turn.rival == "ours":
        prepare("cpu", turn.threads, deterministic=True)
    while True:
        try:
            connection.send(train(turn, connection.recv()))
        except EOFError:
            return
        except BaseException:
            connection.send(traceback.format_exc())
            return


def train(turn: Turn, seed: int) -> Result:
    """One run of a loop."""
    job = work(turn.workload, turn.steps, seed, turn.root, turn.aim)
    run = RIVALS[turn.rival](job)
    torch.manual_seed(seed)
    job.start()
    run()
    wall, cpu = job.clock.seconds()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Result(wall / job.samples(), cpu / job.samples(), job.reached, memory)


def rounds(turns: list[Turn], count: int) -> dict[str, list[Result]]:
    """Every loop in every round; the first of its runs is not counted."""
    context = multiprocessing.get_context("spawn")
    found: dict[str, list[Result]] = {turn.rival: [] for turn in turns}
    ends = {}
    for turn in turns:
        here, there = context.Pipe()
        context.Process(target=serve, args=(turn, there), daemon=True).start()
        there.close()
        ends[turn.rival] = here
    for number in range(count + 1):
        for rival, end in ends.items():
            end.send(number)
            result = end.recv()
            if isinstance(result, str):
                raise SystemExit(f"{rival}: {result}")
            if number:
                found[rival].append(result)
        print(f"round {number} of {count}", file=sys.stderr)
    return found


def compare(o: argparse.Namespace, workload: str, threads: int) -> None:
    """One workload in all loops, and its tables."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    steps = o.steps or (STEPS if o.to_accuracy is None else LEARNING)[workload]
    turns = [Turn(name, workload, steps, threads, o.root, o.to_accuracy) for name in o.rivals]
    found, base = rounds(turns, o.rounds), o.rivals[0]

    print(machine(), end="\n\n")

    def show(title: str, measure: str, unit: float = 1.0) -> None:
        seconds = {name: [getattr(result, measure) for result in results] for name, results in found.items()}
        print(f"{title}, {workload}, {steps} updates", table(seconds, base, unit), sep="\n\n")
        print()

    if o.to_accuracy is not None:
        show(f"Seconds to {o.to_accuracy:.0%} of the test part", "reached")
    show("µs a sample by the clock", "wall", 1e6)
    show("µs a sample of the processor", "cpu", 1e6)
    most = {name: max(result.memory for result in results) for name, results in found.items()}
    shown = ", ".join(f"{name} {m:.0f} ({m / most[base]:.2f})" for name, m in most.items())
    print(f"Memory at its peak in MiB: {shown}\n")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--workload", nargs="+", choices=list(STEPS), default=["mlp"])
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--threads", nargs="+", type=int, default=[1])
    arguments.add_argument("--rivals", nargs="+", choices=list(RIVALS), default=list(RIVALS), help="the first is 1.000")
    arguments.add_argument("--steps", type=int, help="updates of a run")
    arguments.add_argument("--to-accuracy", type=float, help="seconds to this accuracy on the test part of MNIST")
    arguments.add_argument("--root", default=os.environ.get("LRSCHED_DATA", "data"), help="holds MNIST/raw")
    options = arguments.parse_args()
    if options.to_accuracy is not None and "gpt" in options.workload:
        arguments.error("--to-accuracy is for mlp and cnn")
    for workload in options.workload:
        for threads in options.threads:
            compare(options, workload, threads)


if __name__ == "__main__":
    main()
