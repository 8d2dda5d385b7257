"""What holds on a GPU: equal bytes, an exact resume, lanes, and what each key of speed gains. Needs a GPU.

::

    python benchmarks/gpu.py [bits] [times]

Each line is a check with what was seen, or the time of an update, over a whole run: compiling counts.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.distributed as d

from lrsched.ranks.world import World

CNN = (
    "dataset=synthetic",
    "dataset.channels=3",
    "dataset.size=32",
    "dataset.samples=8192",
    "model=resnet9",
    "dataset.batch_size=256",
)
GPT = ("dataset=python_source", "dataset.megabytes=1", "model=gpt", "task=language_model", "dataset.batch_size=32")
QUIET = ("trainer.progress=false", "logger=none")


def run(place: Path, name: str, *words: str, after: float | None = None) -> tuple[int, dict[str, Any], str]:
    """A run as a user makes it: its exit code, its result, and what it said; ``after`` seconds it is stopped."""
    arguments = [sys.executable, "-m", "lrsched", "train", *QUIET, *words]
    if not any(word.startswith("resume=") for word in words):
        arguments.append(f"name={name}")
    made = subprocess.Popen(arguments, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if after is not None:
        checkpoints = place / "outputs" / name / "checkpoints"
        while made.poll() is None and not checkpoints.exists():
            time.sleep(0.05)
        time.sleep(after)
        made.send_signal(signal.SIGTERM)
    said, _ = made.communicate(timeout=300)
    result = place / "outputs" / name / "result.json"
    return made.returncode, json.loads(result.read_text("utf-8")) if result.exists() else {}, said


def same(place: Path, title: str, words: tuple[str, ...], other: tuple[str, ...] = ()) -> None:
    """Whether two runs, the second with further words, come to the same weights."""
    name = title.replace(" ", "-").replace(",", "")
    one, two = run(place, f"{name}-1", *words), run(place, f"{name}-2", *words, *other)
    hashes = [found[1].get("weights_sha256", "")[:12] for found in (one, two)]
    verdict = "equal" if hashes[0] == hashes[1] and hashes[0] else "DIFFERENT"
    print(f"{title:44} {verdict:10} {hashes} {one[1].get('metrics', {}).get('val/loss')}")
    for code, _, said in (one, two):
        if code:
            print(f"    exit {code}: {said.strip()[-1500:]}")


def resumed(place: Path, title: str, *words: str) -> None:
    """Whether a run that was stopped and resumed comes to the weights of one that was not."""
    whole = run(place, "whole", *words)
    stopped = run(place, "stopped", *words, after=0.5)
    rest = run(place, "stopped", "resume=outputs/stopped")
    alike = whole[1].get("weights_sha256") == rest[1].get("weights_sha256")
    where = f"stopped at {stopped[1].get('step')} of {whole[1].get('step')} steps, exit {stopped[0]}"
    print(f"{title:44} {'equal' if alike else 'DIFFERENT':10} {where}")
    if not alike:
        print(rest[2][-1500:])


def timed(place: Path, title: str, *words: str) -> None:
    """Milliseconds of an update, and the loss that it came to."""
    code, result, said = run(place, title.replace(" ", "-"), *words)
    if code:
        print(f"{title:44} exit {code}: {said.strip()[-700:]}")
        return
    seconds, steps = result["train_seconds"], result["step"]
    loss = result["metrics"]["val/loss"]
    chosen = [line.strip() for line in said.splitlines() if "fast" in line][:3]
    print(
        f"{title:44} {1e3 * seconds / steps:8.2f} ms/update of all  val/loss {loss:.4f} {' | '.join(chosen)}",
        flush=True,
    )


def exchanged(kind: str) -> None:
    """What processes say to each other, with one process and torch's group for GPUs."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29876", "NCCL_ALGO": "Ring", "NCCL_PROTO": "Simple"}
    device = torch.device("cuda", 0)
    torch.cuda.set_device(device)
    d.init_process_group("gloo", rank=0, world_size=1)
    group = d.new_group([0], backend=kind)
    assert isinstance(group, d.ProcessGroup)
    world = World(rank=0, size=1, host=d.group.WORLD, group=group, device=device)
    flat = torch.randn(1 << 20, device=device)
    before = flat.clone()
    world.add(flat, [True])
    half = torch.randn(1000, device=device).bfloat16()
    kept = half.clone()
    world.add(half, [True])
    counts = torch.arange(3, device=device)
    world.hand_out([counts])
    fine = torch.equal(flat, before) and torch.equal(half, kept) and counts.tolist() == [0, 1, 2]
    times = []
    for _ in range(20):
        torch.cuda.synchronize()
        began = time.perf_counter()
        world.add(flat, [True])
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    print(
        f"{kind + ', one process: add and hand out':44} {'equal' if fine else 'DIFFERENT':10} "
        f"{1e3 * statistics.median(times):.2f} ms"
    )
    d.destroy_process_group()


def bits(place: Path) -> None:
    """Equal runs, resumed runs, lanes, refusals."""
    exchanged("nccl")
    digits = ("trainer.epochs=8",)
    same(place, "two equal runs, MLP", digits)
    same(place, "two equal runs, CNN, bf16", (*digits, "model=cnn", "trainer.precision=bf16"))
    same(place, "two equal runs, fp16", (*digits, "model=cnn", "trainer.precision=fp16"))
    same(place, "two equal runs, lanes of 4, CNN", (*digits, "model=cnn", "trainer.lanes=4"))
    same(place, "two equal runs, GPT", (*GPT, "trainer.steps=40"))
    same(place, "lanes of 1 and of 4 differ", (*digits, "trainer.lanes=1"), ("trainer.lanes=4",))
    resumed(place, "stopped and resumed, CNN, lanes of 4", "model=cnn", "trainer.lanes=4", "trainer.epochs=60")
    resumed(place, "stopped and resumed, GPT", *GPT, "trainer.steps=1500", "trainer.evaluate_every=100st")
    code, _, said = run(place, "two", "trainer.processes=2", "trainer.epochs=1")
    print(f"{'two processes on one GPU':44} exit {code}: {said.strip()[-300:]}")


def times(place: Path) -> None:
    """What each key of speed gains."""
    for title, words in {"resnet9": (*CNN, "trainer.steps=300"), "gpt": (*GPT, "trainer.steps=200")}.items():
        timed(place, f"{title} fp32", *words)
        timed(place, f"{title} tf32", *words, "trainer.tf32=true")
        timed(place, f"{title} bf16", *words, "trainer.precision=bf16")
        timed(place, f"{title} bf16 compile", *words, "trainer.precision=bf16", "trainer.compile=true")
        timed(place, f"{title} fast", *words, "trainer=fast")
        timed(place, f"{title} lanes of 4", *words, "trainer.lanes=4")


def main() -> None:
    """Make the checks that are asked for, or all."""
    print(torch.cuda.get_device_name(0), torch.__version__, flush=True)
    with TemporaryDirectory() as folder:
        for check in (bits, times):
            if check.__name__ in (sys.argv[1:] or ("bits", "times")):
                check(Path(folder))


if __name__ == "__main__":
    main()
