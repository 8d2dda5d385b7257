"""How soon ``lrsched watch`` shows a new row, and whether its memory stays flat while rows come fast.

    python benchmarks/watch.py --runs 50 --minutes 10

A process of its own serves the page; this one writes rows to all runs, and asks for changes every 0.7 seconds, as the
page's script does. The delay is the time from the write of a row until its step is in an answer. Memory is the resident
set of the server, by minute.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.request import urlopen

from page import CONFIG, SCHEDULES, make_runs

ROOT = Path(__file__).resolve().parent.parent


class Feeder(threading.Thread):
    """Writes a row to every run, ``rate`` times a second, and remembers when it wrote which step."""

    def __init__(self, folders: list[Path], rate: float) -> None:
        super().__init__(daemon=True)
        self.folders, self.rate, self.ended = folders, rate, threading.Event()
        self.written: dict[int, float] = {}
        self.step = 0

    def run(self) -> None:
        files = [(folder / "metrics.jsonl").open("a", buffering=1) for folder in self.folders]
        while not self.ended.wait(1 / self.rate):
            loss = 0.2 + 2 * math.exp(-self.step / 5000)
            row = {"step": self.step, "train/loss": loss, "lr/default": 0.1}
            if self.step % 50 == 0:
                row |= {"val/loss": loss, "val/accuracy": 1 - loss / 4}
            for file in files:
                file.write(json.dumps(row) + "\n")
            self.written[self.step] = time.monotonic()
            self.step += 1


def resident(pid: int) -> float:
    """MB that a process holds in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=50)
    arguments.add_argument("--minutes", type=float, default=10)
    arguments.add_argument("--rate", type=float, default=20, help="rows a second of each run")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        make_runs(Path(scratch), options.runs, 20)
        folders = sorted(Path(scratch).iterdir())
        for folder in folders:
            (folder / "result.json").unlink()
            (folder / "metrics.jsonl").write_text("")
        command = [sys.executable, "-m", "lrsched", "watch", scratch]
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        feeder = Feeder(folders, options.rate)
        feeder.start()
        try:
            delays, memory = watch(address, server.pid, feeder, 60 * options.minutes)
        finally:
            feeder.ended.set()
            server.terminate()
            server.wait()
    low, middle, high = statistics.quantiles(delays, n=4)
    minutes = ", ".join(f"{megabytes:.0f}" for megabytes in memory)
    print(f"{options.runs} runs of {len(SCHEDULES)} schedules, {CONFIG['model']['_target_']}: {feeder.step} rows each")
    print(
        f"a row shows after {middle:.2f} s (quartiles {low:.2f}–{high:.2f}, most {max(delays):.2f}, n = {len(delays)})"
    )
    print(f"memory by minute, MB: {minutes}")


def watch(address: str, pid: int, feeder: Feeder, seconds: float) -> tuple[list[float], list[float]]:
    """Ask every 0.7 seconds; return the delays of the newest rows, and the memory each minute."""
    version, begun, delays, memory, shown = 0, time.monotonic(), [], [], -1
    while (now := time.monotonic()) < begun + seconds:
        if now >= begun + 60 * len(memory):
            memory.append(resident(pid))
        with urlopen(f"{address}changes?since={version}") as answer:
            changes = json.load(answer)
        version = changes["version"]
        steps = [int(step) for step in re.findall(r'data-key="(\d+)">\1<', changes["parts"].get("runs", ""))]
        newest = max((step for step in steps if step in feeder.written), default=-1)
        if newest > shown:  # the row after the one shown before has waited longest
            delays.append(time.monotonic() - feeder.written[shown + 1])
            shown = newest
        time.sleep(0.7)
    return delays[1:], [*memory, resident(pid)]


if __name__ == "__main__":
    main()
