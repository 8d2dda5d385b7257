"""``hydra/launcher=pool``: run jobs side by side, forked from a process that has everything loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn, JobStatus
from hydra.core.utils import run_job as run_hydra_job
from hydra.types import HydraContext

from lrsched.console import say
from lrsched.errors import NotBegun, NotFinite
from lrsched.loggers.slots import ProgressBoard
from lrsched.runs.context import WorkerContext
from lrsched.signals import StopFlag
from lrsched.sweep.finish import hinting
from lrsched.sweep.in_turn import InTurn
from lrsched.sweep.launchers.gpus import gpus_for, take_gpu
from lrsched.sweep.launchers.worker import error_of_job, preload, run_job, work_of
from lrsched.sweep.processes import End, Pool, Work, cores
from lrsched.sweep.progress.watch import Watch
from lrsched.sweep.sweep import Invalid, Sweep, Valid
from lrsched.units import count

if TYPE_CHECKING:
    from lrsched.sweep.stages.tree import StageTree


def run_overrides_in_pool(
    context: HydraContext, sweep: Sweep, job_overrides: Sequence[Sequence[str]], stop: StopFlag
) -> list[JobReturn]:
    """Run jobs that another library's sweeper gives as overrides.

    Returns:
        How each job ended, in the order given. A failed job raises nothing: the sweeper decides what to do about it.
    """
    jobs = [sweep.plan(overrides) for overrides in job_overrides]
    with hinting(sweep):
        sweep.refuse_other_data()
        run_in_pool(context, sweep, [job for job in jobs if isinstance(job, Valid)], stop)
        stop.check()
    return [_returned(job) for job in jobs]


def run_in_pool(context: HydraContext, sweep: Sweep, jobs: Sequence[Valid], stop: StopFlag) -> None:
    """Run the unfinished jobs and keep ``sweep.json`` up to date; finished runs may lend them their states."""
    gpus = gpus_for([job.settings for job in jobs if job.entry.status is None])

    def run(job: Valid, slot: int, lent: WorkerContext) -> None:
        take_gpu(gpus, slot, job.settings.trainer.processes)
        _run_with_hydra(context, sweep, job, lent, stop)

    slots = sweep.options.jobs or len(gpus) or cores()
    run_each(sweep, jobs, stop, Pool(slots, timeout=sweep.options.timeout, fail_fast=sweep.options.fail_fast), run)


def run_each(
    sweep: Sweep,
    jobs: Sequence[Valid],
    stop: StopFlag,
    pool: Pool | InTurn,
    run: Callable[[Valid, int, WorkerContext], object],
) -> None:
    """Run the unfinished jobs and keep ``sweep.json`` up to date.

    Args:
        sweep: of the jobs.
        jobs: finished ones may lend the others their states.
        stop: no more jobs begin once it is up.
        pool: begins and ends them.
        run: makes the run of a job in a slot of the pool, with what is lent to it.
    """
    due = [job for job in jobs if job.entry.status is None]
    if not due:
        return  # there is nothing to import or load
    with preload([job.settings for job in due]) as loaded:
        tree = _stage_tree([job for job in jobs if job.entry.status in (None, "finished", "skipped")], sweep, loaded)
        board, watch = ProgressBoard(pool.slots), Watch(sweep, tree, due, stop)

        def work(job: Valid) -> Work:
            def within(slot: int, warn: Callable[[str], None]) -> None:
                run(job, slot, replace(loaded, share=tree.share_of(job), progress=board.slot(slot), warn=warn))

            return replace(work_of(job.folder, within), seats=job.settings.trainer.processes)

        with stop.patient(), watch.shown(board) as look:
            pool.run([work(job) for job in due], stop, _recorder(sweep, tree, due), look, watch.choose)
    for job in due:
        if job.entry.status is None:
            sweep.record_end(job, NotBegun("was not begun" if stop.number else "was not begun: sweep.fail_fast"))
    sweep.record.write()


def _recorder(sweep: Sweep, tree: StageTree, due: Sequence[Valid]) -> Callable[[int, End], bool]:
    """The function that records and reports the end of a job; returns whether it ended well."""

    def ended(number: int, end: End) -> bool:
        job = due[number]
        error = error_of_job(job.folder, end)
        sweep.record_end(job, error)
        replanned = tree.end(job)
        record = sweep.record
        record.keep_up()
        ordinary = error is None or isinstance(error, NotFinite)
        if job.entry in record.entries and not (sweep.quiet and ordinary):  # and not a probe
            say(f"[{record.done + record.failed}/{len(record.entries)}] {job.entry}")
        if replanned and not sweep.quiet:
            say(f"{count(replanned, 'run')} waited for it, replanned: waiting runs have {tree.steps} steps to train")
        return error is None

    return ended


def _run_with_hydra(context: HydraContext, sweep: Sweep, job: Valid, lent: WorkerContext, stop: StopFlag) -> None:
    """Run one job with Hydra's logging, callbacks and environment."""
    back = run_hydra_job(
        hydra_context=context,
        task_function=lambda config: run_job(config, job.overrides, job.folder, lent, stop),
        config=sweep.config_of(job),
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
    if back.status != JobStatus.COMPLETED:
        raise back._return_value


def _stage_tree(there: Sequence[Valid], sweep: Sweep, loaded: WorkerContext) -> StageTree:
    """Plan and print the stage tree, and record the lengths that it knows."""
    from lrsched.sweep.stages.show import show
    from lrsched.sweep.stages.tree import StageTree  # imports torch

    tree = StageTree(there, loaded.data, share=sweep.options.share)
    for member in tree.members:
        member.job.entry.steps_asked = max(member.job.entry.steps_asked, member.stand.steps)
    if not sweep.quiet:
        if any(member.job.entry in sweep.record.entries for member in tree.members):
            say(f"{count(tree.asked, 'step')} asked for, {tree.steps} to train")
        show(tree)
    return tree


def _returned(job: Valid | Invalid) -> JobReturn:
    """The outcome of a job, for the sweepers of other libraries."""
    back = JobReturn(overrides=job.overrides, status=JobStatus.FAILED)
    back.return_value = job.error
    if isinstance(job, Valid) and job.error is None and (result := job.folder.read_result()) is not None:
        back.status = JobStatus.COMPLETED
        back.return_value = (result.get("metrics") or {}).get(job.settings.checkpoint.monitor)
    return back
