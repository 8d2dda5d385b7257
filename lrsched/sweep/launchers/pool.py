"""``hydra/launcher=pool``: the jobs of a sweep side by side, from one process that has everything loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from lrsched.console import say
from lrsched.errors import NotBegun, UserError
from lrsched.loggers.slots import Board
from lrsched.report.format import count
from lrsched.signals import StopFlag
from lrsched.sweep.launchers.gpus import gpus_for, take_gpu
from lrsched.sweep.launchers.worker import cool, job_of, repeat, verdict, warm
from lrsched.sweep.processes import End, Job, Pool, cores
from lrsched.sweep.progress.watch import Watch
from lrsched.sweep.sweep import Planned, Sweep, under_way

if TYPE_CHECKING:
    from lrsched.sweep.stages.tree import Plan


def launch(
    context: HydraContext,
    task: TaskFunction,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    stop: StopFlag,
) -> list[JobReturn]:
    """Run what is valid and not finished; ``sweep.json`` is written anew whenever a job ends.

    Returns:
        How each job ended, in the order given. None is raised: the sweeper decides what to do about a failure.
    """
    sweep = under_way(context.config_loader, config)
    planned = [sweep.plan(overrides) for overrides in job_overrides]
    due = [one for one in planned if one.entry.status is None]
    if due:  # else nothing is imported for them either
        _run(sweep, planned, due, (context, task), stop)
        sweep.record.write()
    return [_returned(one) for one in planned]


def _run(
    sweep: Sweep,
    planned: Sequence[Planned],
    due: Sequence[Planned],
    called: tuple[HydraContext, TaskFunction],
    stop: StopFlag,
) -> None:
    """Run those that are due, beside those of ``planned`` whose states may serve them."""
    settings = [one.settings for one in due if one.settings is not None]
    warm(settings)
    there = [one for one in planned if one.entry.status in (None, "finished", "skipped")]
    plan = _planned(there, sweep)
    gpus = gpus_for(settings)
    slots = sweep.options.jobs or len(gpus) or cores()
    board = Board(slots)
    watch = Watch(sweep, plan, due, stop)

    def enter(slot: int) -> None:
        take_gpu(gpus, slot)
        board.sit(slot)

    def choose(waiting: Sequence[int]) -> int | None:
        number = plan.choose(due, waiting)
        if number is not None:
            watch.begin(number)
        return number

    def ended(number: int, end: End) -> bool:
        one = due[number]
        assert one.folder is not None
        repeat(one.folder)
        sweep.close(one, verdict(one.folder, end))
        anew = plan.end(one)
        sweep.record.keep_up()
        if one.entry in sweep.record.entries:  # and not a copy that is only looked at
            come = sweep.record.done + sweep.record.failed
            say(f"[{come}/{len(sweep.record.entries)}] {one.entry}")
        if anew:
            say(f"{count(anew, 'run')} waited for it, planned anew: {plan.steps} steps to train by those that wait")
        return one.error is None

    pool = Pool(slots, timeout=sweep.options.timeout, fail_fast=sweep.options.fail_fast, enter=enter)
    with stop.patient(), watch.shown(board) as look:
        pool.run([_job(one, sweep, plan, *called) for one in due], stop, ended, look, choose)
    cool()
    for one in due:
        if one.entry.status is None:
            sweep.close(one, NotBegun("was not begun" if stop.number else "was not begun: sweep.fail_fast"))


def _planned(there: Sequence[Planned], sweep: Sweep) -> Plan:
    """The plan, shown; the lengths of runs are known by now."""
    from lrsched.sweep.stages.show import show
    from lrsched.sweep.stages.tree import Plan  # imports torch

    plan = Plan(there, share=sweep.options.share)
    for member in plan.members:
        member.planned.entry.asked = max(member.planned.entry.asked, member.stand.steps)
    if any(member.planned.entry in sweep.record.entries for member in plan.members):
        say(f"{plan.asked} steps asked for, {plan.steps} to train")
    show(plan)
    return plan


def _job(one: Planned, sweep: Sweep, plan: Plan, context: HydraContext, task: TaskFunction) -> Job:
    folder = one.folder
    assert folder is not None

    def run() -> int:
        back = run_job(
            hydra_context=context,
            task_function=task,
            config=sweep.config_of(one),
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        if back.status == JobStatus.COMPLETED:
            return 0
        if isinstance(back._return_value, UserError):
            return back._return_value.exit_code
        raise back._return_value

    return job_of(folder, run, lambda: plan.share_of(one))


def _returned(plan: Planned) -> JobReturn:
    """What Hydra's sweepers read of a job."""
    back = JobReturn(overrides=plan.overrides)
    result = plan.folder.read_result() if plan.folder else None
    if plan.error is None and result is not None and plan.settings is not None:
        back.status = JobStatus.COMPLETED
        back.return_value = (result.get("metrics") or {}).get(plan.settings.checkpoint.monitor)
    else:
        back.status = JobStatus.FAILED
        back.return_value = plan.error
    return back
