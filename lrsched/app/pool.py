"""``hydra/launcher=pool``: the jobs of a sweep side by side, from one process that has everything loaded."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from lrsched.app.isolated import cool, job_of, paused, verdict, warm
from lrsched.app.messages import say
from lrsched.app.plan import Plan
from lrsched.app.sweep import Planned, under_way
from lrsched.app.tree import show
from lrsched.config import schema
from lrsched.errors import Stopped, UserError
from lrsched.signals import StopFlag
from lrsched.sweep.board import Board
from lrsched.sweep.live import Live, told_apart, watched
from lrsched.sweep.pool import End, Job, Pool, Running, cores
from lrsched.sweep.record import Record


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
    sweep = under_way(config)
    planned = [sweep.plan(context.config_loader, overrides) for overrides in job_overrides]
    due = [one for one in planned if one.entry.status is None]
    warm([one.settings for one in due if one.settings is not None])
    there = [one for one in planned if one.entry.status in (None, "finished", "skipped")]
    plan = Plan(there, share=sweep.options.share)
    due = plan.in_order(due)
    sweep.record.ask({member.planned.entry.run_id: member.stand.steps for member in plan.members})
    sweep.record.steps_trained += plan.steps
    say(f"{plan.asked} steps asked for, {plan.steps} to train")
    show(plan)
    gpus = _gpus()
    side_by_side = slots(sweep.options)
    board = Board(side_by_side)

    def enter(slot: int) -> None:
        _take_gpu(gpus, slot)
        board.sit(slot)

    pool = Pool(side_by_side, timeout=sweep.options.timeout, fail_fast=sweep.options.fail_fast, enter=enter)

    def ended(index: int, end: End) -> bool:
        one = due[index]
        assert one.folder is not None
        one.error = verdict(one.folder, end)
        one.entry.close(one.error, paused(one.folder))
        sweep.record.steps_trained += plan.ended(one)
        sweep.record.write()
        if one.entry in sweep.record.entries:  # and not a copy that is only looked at
            say(f"[{sweep.record.closed}/{len(sweep.record.entries)}] {one.entry}")
        return one.error is None

    with stop.patient(), _shown(config, sweep.record, board, told_apart([one.overrides for one in due])) as look:
        pool.run([_job(one, plan, context, task) for one in due], stop, ended, look)
    cool()
    for one in due:
        if one.entry.status is None:
            one.error = Stopped(stop.number or 0, "was not begun" if stop.number else "was not begun: sweep.fail_fast")
            one.entry.close(one.error)
    sweep.record.write()
    return [_returned(one) for one in planned]


def slots(options: schema.Sweep) -> int:
    """Jobs that run side by side: ``sweep.jobs``, or else one for each GPU, or for each core."""
    return options.jobs or len(_gpus()) or cores()


def _job(one: Planned, plan: Plan, context: HydraContext, task: TaskFunction) -> Job:
    config, folder = one.config, one.folder
    assert config is not None
    assert folder is not None

    def run() -> int:
        back = run_job(
            hydra_context=context,
            task_function=task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        if back.status == JobStatus.COMPLETED:
            return 0
        if isinstance(back._return_value, UserError):
            return back._return_value.exit_code
        raise back._return_value

    return job_of(folder, run, lambda: plan.is_ready(one), plan.share_of(one))


@contextmanager
def _shown(
    config: DictConfig, record: Record, board: Board, labels: Sequence[str]
) -> Iterator[Callable[[Sequence[Running]], None]]:
    """What looks at the running jobs, and shows them where a person looks on."""
    if not config.trainer.progress or not watched(sys.stderr):
        yield lambda running: None
        return
    with Live(board, labels, lambda: record.closed, len(record.entries)) as live:
        yield live.look


def _gpus() -> list[str]:
    """The GPUs that jobs may have, one each."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip()]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def _take_gpu(gpus: Sequence[str], slot: int) -> None:
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]


def _returned(plan: Planned) -> JobReturn:
    """What Hydra's sweepers read of a job."""
    back = JobReturn(overrides=plan.overrides, cfg=plan.config)
    result = plan.folder.read_result() if plan.folder else None
    if plan.error is None and result is not None and plan.settings is not None:
        back.status = JobStatus.COMPLETED
        back.return_value = result["metrics"].get(plan.settings.checkpoint.monitor)
    else:
        back.status = JobStatus.FAILED
        back.return_value = plan.error
    return back
