"""Time updates of a run with several settings, each with parts of its own: the run itself notices nothing."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch

from lrsched.assembly.data import Loaded
from lrsched.assembly.parts import Parts, assemble
from lrsched.assembly.speed.compiled import check_compiler, compile_training
from lrsched.assembly.speed.keys import plainly, set_up, takes_fused
from lrsched.assembly.speed.malloc import can_keep, keep_memory, let_memory_go
from lrsched.config.schema import SPEED
from lrsched.config.settings import Settings
from lrsched.data.batch import column
from lrsched.errors import ConfigError
from lrsched.fast.candidate import Candidate, Unusable, failing, products
from lrsched.fast.figures import COMPILED, MARGIN, NEVER, Figures, Tried
from lrsched.machine.allowance import allowance
from lrsched.machine.threads import AUTO, chosen
from lrsched.train.environment import prepare
from lrsched.train.rng import generators_state, set_generators

ROUNDS = 9
"""Times that two settings are timed in turn."""

LEAST = 0.03
"""Seconds of updates in one turn, at least."""

LONG = 0.4
"""Seconds of an update from which on there are fewer rounds."""

HOPELESS = 1.3
"""A setting that takes so many times as long in the first two rounds is timed no more."""


class Timing:
    """Times settings of one run: updates at a rate of zero, whose numbers nobody judges.

    Args:
        run: its settings, ``auto`` still in them.
        asked: the keys that are.
        loaded: data sets in memory.
        ends: closed when all is timed.
    """

    def __init__(self, run: Settings, asked: Sequence[str], loaded: Mapping[str, Loaded], ends: ExitStack) -> None:
        self._run, self._asked, self._loaded, self._ends = run, asked, loaded, ends
        self._allowed = allowance(torch.get_num_threads())
        self._device = prepare(run.device, run.threads, run.trainer.deterministic)
        set_up(plainly(run), self._device, ends)
        ends.callback(set_generators, generators_state(self._device), self._device)
        self._on_cpu = self._device.type == "cpu"
        self._clock: Callable[[], float] = time.process_time if self._on_cpu else time.perf_counter
        self._threads = torch.get_num_threads()  # of the run
        if self._on_cpu:  # on one, by the processor's own seconds, which no neighbour disturbs
            torch.set_num_threads(1)

    def figures(self) -> Figures:
        """Choose one key after the other, each with what was chosen before it.

        What fails falls out; where it is the best one so far, the plain setting is taken, and nothing is known.

        Raises:
            Exception, SystemExit: the run cannot be made at all.
        """
        plain = {name: SPEED[name] for name in self._asked if name not in ("compile", "keep_memory")}
        if "keep_memory" in self._asked and can_keep():
            keep_memory()
            self._ends.callback(let_memory_go)
        best = self._candidate(plain)
        try:
            return self._compared(best)
        except Unusable as found:
            return Figures.untimed(self._asked, found.reason)

    def _compared(self, best: Candidate) -> Figures:
        ms = 1000 * self._warm(best)
        tried, failed = [Tried(best.values, ms)], dict[str, str]()
        for name, value in self._choices(best.parts):
            values = {**best.values, name: value}
            try:
                other = self._made(values)
                mine, theirs = self._duel(best, other)
            except Unusable as found:
                if found.words != Tried(values).words:
                    raise
                failed[found.words] = found.reason
                continue
            if len(tried) == 1:
                tried[0].ms = 1000 * mine
            tried.append(Tried(values, 1000 * theirs))
            faster = theirs <= MARGIN[name] * mine
            best, ms = (other, 1000 * theirs) if faster else (best, 1000 * mine)
        chosen = best.values | ({"keep_memory": can_keep()} if "keep_memory" in self._asked else {})
        epoch, threads = int(best.parts.horizon.steps_per_epoch), self._threads if self._on_cpu else 1
        return Figures(chosen, tried, ms, epoch, self._device.type, threads, failed=failed)

    def compiled(self, known: Figures) -> Figures:
        """The figures with those of a compiled model; where it cannot be compiled, it takes for ever."""
        values = {name: value for name, value in known.chosen.items() if name != "keep_memory"}
        try:
            check_compiler(self._device)
            return self._compiled(known, self._made(values), self._made(values))
        except ConfigError as error:
            reason = str(error)
        except Unusable as found:
            reason = found.reason
        return replace(known, compiled_ms=NEVER, compile_seconds=NEVER, failed={**known.failed, COMPILED: reason})

    def _compiled(self, known: Figures, plain: Candidate, other: Candidate) -> Figures:
        from torch._inductor.utils import fresh_cache  # what was compiled before would flatter it

        with fresh_cache():
            began = self._work()
            with failing(COMPILED):
                compile_training(other.parts.state.model, other.parts.loader.batch_size)
            self._timed(other, 1)
            seconds = self._work() - began
        mine, theirs = self._duel(plain, other)
        return replace(known, compiled_ms=known.ms * theirs / mine, compile_seconds=seconds)

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

    def _made(self, values: dict[str, Any]) -> Candidate:
        """A candidate that has made a few updates."""
        with failing(Tried(values).words):
            candidate = self._candidate(values)
        self._warm(candidate)
        return candidate

    def _candidate(self, values: dict[str, Any]) -> Candidate:
        run = plainly(replace(self._run, trainer=replace(self._run.trainer, **values)))
        parts = assemble(run, self._device, self._loaded)
        self._ends.callback(parts.loader.close)  # the hands that make batches
        if self._run.threads == AUTO:
            self._threads = chosen(parts.operations_of_a_batch, self._allowed).number
        return Candidate.of(values, run, parts, self._device)

    def _warm(self, candidate: Candidate) -> float:
        """Seconds of an update once two were made: the first one finds its kernels."""
        self._timed(candidate, 2)
        return self._timed(candidate, 1)

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
        """Seconds of an update, over several.

        Raises:
            Unusable: one failed.
        """
        parts, tf32 = candidate.parts, candidate.values.get("tf32", self._run.trainer.tf32) is True
        with failing(candidate.words), products("high" if tf32 else None):
            began = self._now()
            for _ in range(updates):
                if parts.state.step >= parts.horizon.steps:
                    parts.state.step = 0
                candidate.update(parts.state)
            seconds = (self._now() - began) / updates
            candidate.put_back()
        return seconds

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
