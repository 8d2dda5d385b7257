"""Time updates of a run with several settings, each with parts of its own: the run itself notices nothing."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import torch

from lrsched.assembly.data import Loaded
from lrsched.assembly.parts import Parts, assemble
from lrsched.assembly.speed.compiled import check_compiler, compile_training
from lrsched.assembly.speed.keys import plainly, set_up, takes_fused
from lrsched.assembly.speed.malloc import can_keep, keep_memory
from lrsched.config.schema import SPEED
from lrsched.config.settings import Settings
from lrsched.data.batch import column
from lrsched.errors import ConfigError, UserError
from lrsched.fast.figures import MARGIN, Figures, Tried
from lrsched.machine.allowance import allowance
from lrsched.machine.threads import AUTO, chosen
from lrsched.train.environment import prepare

ROUNDS = 9
"""Times that two settings are timed in turn."""

LEAST = 0.03
"""Seconds of updates in one turn, at least."""

LONG = 0.4
"""Seconds of an update from which on there are fewer rounds."""

HOPELESS = 1.3
"""A setting that takes so many times as long in the first two rounds is timed no more."""


@dataclass
class Candidate:
    """Values to try, and the parts of a run with them."""

    values: dict[str, Any]
    parts: Parts


class Timing:
    """Times settings of one run.

    Args:
        run: its settings, ``auto`` still in them.
        asked: the keys that are.
        loaded: data sets in memory.
    """

    def __init__(self, run: Settings, asked: Sequence[str], loaded: Mapping[str, Loaded]) -> None:
        self._run, self._asked, self._loaded = run, asked, loaded
        self._allowed = allowance(torch.get_num_threads())
        self._device = prepare(run.device, run.threads, run.trainer.deterministic)
        set_up(plainly(run), self._device)
        self._made_parts: list[Parts] = []
        self._on_cpu = self._device.type == "cpu"
        self._clock: Callable[[], float] = time.process_time if self._on_cpu else time.perf_counter
        self._threads = torch.get_num_threads()  # of the run
        if self._on_cpu:  # on one, by the processor's own seconds, which no neighbour disturbs
            torch.set_num_threads(1)

    def close(self) -> None:
        """Let the hands go that made batches."""
        for parts in self._made_parts:
            parts.loader.close()

    def figures(self) -> Figures:
        """Choose one key after the other, each with what was chosen before it.

        Raises:
            UserError: the run cannot be made at all.
        """
        plain = {name: SPEED[name] for name in self._asked if name not in ("compile", "keep_memory")}
        if "keep_memory" in self._asked and can_keep():
            keep_memory()
        best = self._candidate(plain)
        ms = 1000 * self._warm(best)
        tried = [Tried(plain, ms)]
        for name, value in self._choices(best.parts):
            other = self._made({**best.values, name: value})
            if other is None:
                continue
            mine, theirs = self._duel(best, other)
            if len(tried) == 1:
                tried[0].ms = 1000 * mine
            tried.append(Tried(other.values, 1000 * theirs))
            faster = theirs <= MARGIN[name] * mine
            best, ms = (other, 1000 * theirs) if faster else (best, 1000 * mine)
        kept = {"keep_memory": can_keep()} if "keep_memory" in self._asked else {}
        threads = self._threads if self._on_cpu else 1
        return Figures({**best.values, **kept}, tried, ms, int(best.parts.horizon.steps_per_epoch), threads)

    def compiled(self, known: Figures) -> Figures:
        """The figures with those of a compiled model; where it cannot be compiled, it takes for ever."""
        found = replace(known, compiled_ms=float(2**31), compile_seconds=float(2**31))
        values = {name: value for name, value in known.chosen.items() if name != "keep_memory"}
        with suppress(ConfigError):
            check_compiler(self._device)
            from torch._inductor.utils import fresh_cache  # what was compiled before would flatter it

            plain, other = self._candidate(values), self._made(values)
            if other is None:
                return found
            self._warm(plain)
            with fresh_cache():
                began = self._work()
                compile_training(other.parts.state.model, other.parts.loader.batch_size)
                self._seconds(other.parts, 1)
                seconds = self._work() - began
            mine, theirs = self._duel(plain, other)
            return replace(known, compiled_ms=known.ms * theirs / mine, compile_seconds=seconds)
        return found

    def _choices(self, parts: Parts) -> list[tuple[str, Any]]:
        """The values to try, in their order: bf16 shows what it can only where images are in order."""
        images = column(parts.loader.batch(0)[0], 0).ndim == 4
        arguments = self._run.optimizer.arguments
        free = arguments.get("fused") is None and not arguments.get("foreach")
        able = {
            "channels_last": images,
            "tf32": self._device.type == "cuda",
            "precision": self._on_cpu or (self._device.type == "cuda" and torch.cuda.is_bf16_supported()),
            "fused": free and takes_fused(self._run.optimizer.cls),
        }
        values: dict[str, Any] = {"precision": "bf16"}
        return [(name, values.get(name, True)) for name in able if name in self._asked and able[name]]

    def _made(self, values: dict[str, Any]) -> Candidate | None:
        """A candidate that has made two updates; None where it cannot."""
        with suppress(UserError, RuntimeError, TypeError, NotImplementedError):
            candidate = self._candidate(values)
            self._warm(candidate)
            return candidate
        return None

    def _candidate(self, values: dict[str, Any]) -> Candidate:
        run = plainly(replace(self._run, trainer=replace(self._run.trainer, **values)))
        parts = assemble(run, self._device, self._loaded)
        self._made_parts.append(parts)
        if self._run.threads == AUTO:
            self._threads = chosen(parts.operations_of_a_batch, self._allowed).number
        return Candidate(values, parts)

    def _warm(self, candidate: Candidate) -> float:
        """Seconds of an update once two were made: the first one finds its kernels."""
        with self._arithmetic(candidate):
            self._seconds(candidate.parts, 2)
            return self._seconds(candidate.parts, 1)

    def _duel(self, a: Candidate, b: Candidate) -> tuple[float, float]:
        """Seconds of an update of two candidates, timed in turn: of the quickest round, which nothing disturbed."""
        times: tuple[list[float], list[float]] = ([], [])
        once = self._timed(a, 1)
        rounds, updates = (3 if once > LONG else ROUNDS), max(1, min(50, round(LEAST / max(once, 1e-6))))
        for number in range(rounds):
            for candidate, found in zip((a, b), times, strict=True):
                found.append(self._timed(candidate, updates))
            if number == 1 and min(times[1]) > HOPELESS * min(times[0]):
                break
        return min(times[0]), min(times[1])

    def _timed(self, candidate: Candidate, updates: int) -> float:
        with self._arithmetic(candidate):
            return self._seconds(candidate.parts, updates)

    def _seconds(self, parts: Parts, updates: int) -> float:
        """Seconds of an update, over several."""
        state, began = parts.state, self._now()
        for _ in range(updates):
            if state.step >= parts.horizon.steps:
                state.step = 0
            parts.update(state)
        return (self._now() - began) / updates

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return self._clock()

    def _work(self) -> float:
        """Seconds so far, those of a compiler's process too."""
        if not self._on_cpu:
            return time.perf_counter()
        compiler = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + compiler.ru_utime + compiler.ru_stime

    def _arithmetic(self, candidate: Candidate) -> _Products:
        return _Products("high" if candidate.values.get("tf32", self._run.trainer.tf32) is True else None)


class _Products:
    """A context with an arithmetic of matrix products; None: as it is."""

    def __init__(self, wanted: str | None) -> None:
        self._wanted, self._before = wanted, ""

    def __enter__(self) -> None:
        if self._wanted is not None:
            self._before = torch.get_float32_matmul_precision()
            torch.set_float32_matmul_precision(self._wanted)

    def __exit__(self, *_: object) -> None:
        if self._wanted is not None:
            torch.set_float32_matmul_precision(self._before)
