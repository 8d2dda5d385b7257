"""What the processes of a run tell one another before the first update: called in the same order by all of them."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from lrsched.assembly.clock import Earlier
from lrsched.assembly.data import Loaded, load_each
from lrsched.assembly.parts import Parts, assemble
from lrsched.assembly.speed.compiled import compile_training
from lrsched.assembly.speed.keys import set_up, tools
from lrsched.assembly.weights import Initial
from lrsched.compose.leaks import traced
from lrsched.config.settings import Settings
from lrsched.errors import DataError, UserError
from lrsched.machine.allowance import allowance
from lrsched.machine.threads import AUTO, chosen
from lrsched.ranks.place import Place
from lrsched.ranks.world import RankLost, World
from lrsched.train.environment import fingerprint, prepare, take
from lrsched.train.state import RunState, copied


@dataclass(frozen=True)
class Told:
    """What rank 0 tells the others.

    Args:
        run: the settings.
        earlier: the checkpoint that the run goes on from, or None.
        keeps: steps at which states are kept for other runs.
    """

    run: Settings
    earlier: Earlier | None
    keeps: Collection[int]


def loaded_first(run: Settings, data: Mapping[str, Loaded], world: World) -> Mapping[str, Loaded]:
    """The data of rank 0 are loaded before the others look for theirs: what it downloads or decodes is there then.

    Args:
        run: the settings.
        data: that lie in memory already.
        world: the processes.
    """
    if world.size > 1:
        if world.writes:
            data = {**data, **load_each([run])}
        world.exchange([0.0])
    return data


def assembled(
    run: Settings,
    place: Place,
    world: World,
    held: ExitStack,
    *,
    data: Mapping[str, Loaded],
    earlier: Earlier | None = None,
    initial: Initial | None = None,
    before: int | None = None,
) -> tuple[Parts, dict[str, Any]]:
    """The parts of a run as a process has them, and what every manifest says of the machine.

    Args:
        run: the settings.
        place: of the process.
        world: the processes.
        held: keeps what the run sets in this process.
        data: data sets that lie in memory already.
        earlier: the checkpoint that the run goes on from, or None.
        initial: weights to start from; None: its own.
        before: the threads that a run which goes on had, or None.

    Raises:
        UserError: something is not the same in all processes.
    """
    allowed = allowance(torch.get_num_threads(), beside=place.beside)
    device = prepare(run.device if world.size == 1 else str(world.device), run.threads, run.trainer.deterministic)
    if run.threads is None and world.size > 1:
        torch.set_num_threads(allowed.number)
    set_up(run, device, held)
    data = loaded_first(run, data, world)
    with traced(run), first_error(world):
        parts = assemble(run, device, data, earlier, initial, world)
    about: dict[str, Any] = {} if world.size == 1 else {"processes": world.size}
    if run.threads == AUTO and world.writes:
        about["threads"] = take(chosen(parts.operations_of_a_batch, allowed, before))
    torch.set_num_threads(world.tell(torch.get_num_threads))
    if run.trainer.compile:
        compile_training(parts.state.model, parts.loader.batch_size)
    own = {
        "data_sha256": parts.data_sha256,
        "fingerprint": {
            **fingerprint(device, run.trainer.precision, world.size if run.trainer.lanes is None else 1),
            **tools(run),
        },
    }
    _require_same(world, own)
    return parts, {**about, **own}


@contextmanager
def first_error(world: World) -> Generator[None]:
    """Around what every process does alike: an error that a person can mend is that of the first process that has one.

    Raises:
        UserError: in every process; in the first that has an error, its own.
    """
    own: UserError | None = None
    try:
        yield
    except UserError as error:
        own = error
    if world.size > 1:
        found = world.gather(None if own is None else (str(own), own.exit_code))
        rank, first = next(((rank, error) for rank, error in enumerate(found) if error is not None), (0, None))
        if first is not None and rank != world.rank:
            own = RankLost(f"rank {rank}: {first[0]}")
            own.exit_code = first[1]
    if own is not None:
        raise own


def follow_state(world: World, state: RunState) -> None:
    """Bring every process to the state of rank 0.

    Args:
        world: the processes.
        state: of this one, built from the same settings.
    """
    if world.size == 1:
        return
    told = world.tell(lambda: copied(state.state_dict(), torch.device("cpu")))
    if not world.writes:
        state.load_state_dict(told)


def _require_same(world: World, own: Mapping[str, Any]) -> None:
    """Refuse processes that would not compute the same, and name the first.

    Raises:
        UserError: the data, or the machine, differ.
    """
    first, *others = world.gather(own)
    for rank, other in enumerate(others, 1):
        if other["data_sha256"] != first["data_sha256"]:
            theirs, ours = other["data_sha256"], first["data_sha256"]
            raise DataError(f"the data of rank {rank} have SHA-256 {theirs}, those of rank 0 {ours}; bring the same")
        names = [name for name, value in first["fingerprint"].items() if other["fingerprint"].get(name) != value]
        if names:
            pairs = (f"{name} {other['fingerprint'].get(name)}, not {first['fingerprint'][name]}" for name in names)
            raise UserError(f"rank {rank} computes otherwise than rank 0: {'; '.join(pairs)}; take like machines")
