"""TensorBoard's own readers must see what was written: scalars, hyperparameters, and a resumed run once."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrsched.loggers import RunInfo, TensorBoard
from lrsched.loggers._events import EventFile, session_start
from lrsched.loggers._tfrecord import RecordFile
from tests.helpers.heard import Heard

ROWS = [{"step": s, "epoch": s / 4, "train/loss": 1 / (s + 3), "lr/default": 0.1 * s} for s in range(8)]


def write(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any] | None = None,
    resumed_at: int | None = None,
    metrics: Mapping[str, float] | None = None,
    status: str = "finished",
) -> None:
    logger = TensorBoard()
    logger.open(RunInfo(folder, config or {}, 8, steps_per_epoch=4, samples_per_step=8, resumed_at=resumed_at))
    for row in rows:
        logger.write(row)
    logger.close(metrics or {}, status)


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    return {tag: [(point.step, point.value) for point in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def points(rows: Sequence[Mapping[str, Any]], tag: str) -> list[tuple[int, float]]:
    """Step and value as TensorBoard keeps them: in single precision."""
    return [(row["step"], float(np.float32(row[tag]))) for row in rows if tag in row]


def hparams() -> Any:
    """The messages of the hparams plugin, whose names are made at run time: no type checker sees them."""
    return import_module("tensorboard.plugins.hparams.api_pb2")


def sessions(folder: Path) -> tuple[Any, Any]:
    """What the hparams plugin shows: the experiment it makes up, and its sessions by run."""
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams import backend_context, list_session_groups

    runs = plugin_event_multiplexer.EventMultiplexer()
    runs.AddRunsFromDirectory(str(folder))
    runs.Reload()
    provider = data_provider.MultiplexerDataProvider(runs, str(folder))
    context, request = backend_context.Context(TBContext(data_provider=provider)), RequestContext()
    starts = context.hparams_metadata(request, "")
    parameters = context.hparams_from_data_provider(request, "", limit=100)
    experiment = context.experiment_from_metadata(request, "", True, starts, parameters)
    every = [getattr(hparams(), f"STATUS_{name}") for name in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")]
    asked = hparams().ListSessionGroupsRequest(allowed_statuses=every, slice_size=100)
    answer = list_session_groups.Handler(request, context, "", asked).run()
    return experiment, {group.name: group for group in answer.session_groups}


def test_each_number_of_a_row_is_a_scalar_at_its_step(tmp_path: Path) -> None:
    evaluation = {"step": 8, "epoch": 2.0, "val/loss": 0.25, "val/accuracy": 1, "note": "text"}
    write(tmp_path, [*ROWS, evaluation])
    assert read(tmp_path) == {
        "train/loss": points(ROWS, "train/loss"),
        "lr/default": points(ROWS, "lr/default"),
        "val/loss": [(8, 0.25)],
        "val/accuracy": [(8, 1.0)],
    }


def test_final_metrics_that_no_row_carried_are_written_at_the_last_step(tmp_path: Path) -> None:
    write(tmp_path, ROWS, metrics={"test/accuracy": 0.75, "train/loss": 0.0})
    seen = read(tmp_path)
    assert seen["test/accuracy"] == [(7, 0.75)]
    assert seen["train/loss"] == points(ROWS, "train/loss")


@pytest.mark.parametrize("resumed_at", range(8))
def test_a_resumed_run_shows_each_point_once(tmp_path: Path, resumed_at: int, heard: Heard) -> None:
    """Killed after update 6; TensorBoard purges what is written again."""
    killed = [{**row, "train/loss": -1.0} if row["step"] >= resumed_at else row for row in ROWS[:7]]
    write(tmp_path, killed, status="stopped")
    write(tmp_path, ROWS[resumed_at:], resumed_at=resumed_at)
    with heard.at_level(logging.CRITICAL, "tensorboard"):
        assert read(tmp_path)["train/loss"] == points(ROWS, "train/loss")


def test_the_hparams_plugin_shows_the_union_over_runs(tmp_path: Path) -> None:
    write(tmp_path / "a", ROWS, {"lr": 0.1, "nesterov": True, "scheduler": {"t_max": 3, "points": [[0, 1]]}})
    write(tmp_path / "b", ROWS, {"lr": 0.2, "resume": None, "scheduler": {}}, metrics={"test/loss": 0.5})
    experiment, runs = sessions(tmp_path)
    names = ["lr", "nesterov", "resume", "scheduler", "scheduler.points", "scheduler.t_max"]
    assert sorted(info.name for info in experiment.hparam_infos) == names
    assert {info.name.tag for info in experiment.metric_infos} == {"train/loss", "lr/default", "test/loss"}

    first, second = runs["a/tensorboard"].hparams, runs["b/tensorboard"].hparams
    assert (first["lr"].number_value, first["scheduler.t_max"].number_value) == (0.1, 3)
    assert first["nesterov"].bool_value is True
    assert first["scheduler.points"].string_value == "[[0, 1]]"
    assert (second["resume"].string_value, second["scheduler"].string_value) == ("null", "{}")


@pytest.mark.parametrize(("status", "shown"), [("finished", "SUCCESS"), ("failed", "FAILURE"), ("stopped", "UNKNOWN")])
def test_the_session_ends_as_the_run_did(tmp_path: Path, status: str, shown: str) -> None:
    write(tmp_path, ROWS, {"lr": 0.1}, status=status)
    (group,) = sessions(tmp_path)[1].values()
    assert hparams().Status.Name(group.sessions[0].status) == f"STATUS_{shown}"


def test_a_resumed_run_shows_its_new_config_and_its_new_end(tmp_path: Path) -> None:
    write(tmp_path, ROWS[:5], {"epochs": 1}, status="failed")
    write(tmp_path, ROWS[4:], {"epochs": 2}, resumed_at=4)
    (group,) = sessions(tmp_path)[1].values()
    assert group.hparams["epochs"].number_value == 2
    assert [session.status for session in group.sessions] == [hparams().STATUS_SUCCESS]


def test_flush_hands_over_what_was_written(tmp_path: Path) -> None:
    logger = TensorBoard()
    logger.open(RunInfo(tmp_path, {}, 8, 4, 8))
    logger.flush()  # before the first row there is nothing to flush
    for row in ROWS:
        logger.write(row)
    logger.flush()
    assert read(tmp_path)["train/loss"] == points(ROWS, "train/loss")
    logger.close({})


def test_a_run_without_rows_leaves_nothing(tmp_path: Path) -> None:
    write(tmp_path, [], status="failed")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 1, 257, 5000])
def test_a_file_of_records_is_tensorboards_own(tmp_path: Path, size: int) -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    content, ours, theirs = np.random.default_rng(size).bytes(size), RecordFile(tmp_path / "a"), tmp_path / "b"
    with theirs.open("wb") as file:
        for part in (content, b"", content[::-1]):
            ours.write(part)
            RecordWriter(file).write(part)
    ours.close()
    assert (tmp_path / "a").read_bytes() == theirs.read_bytes()


def test_a_session_is_kept_as_the_hparams_plugin_keeps_it(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.plugins.hparams import metadata

    session = session_start({"lr": 0.1, "name": "a", "nesterov": True})
    file = EventFile(tmp_path)
    file.add_session(session)
    file.close()
    (written,) = tmp_path.iterdir()
    event: Any = import_module("tensorboard.compat.proto.event_pb2")  # made at run time
    value = event.Event.FromString(list(RawEventFileLoader(str(written)).Load())[-1]).summary.value[0]
    assert value.tag == metadata.SESSION_START_INFO_TAG
    wanted = metadata.create_summary_metadata(session).plugin_data
    assert value.metadata.plugin_data.plugin_name == wanted.plugin_name
    held: Any = import_module("tensorboard.plugins.hparams.plugin_data_pb2")  # its mapping has no order of its own
    read = held.HParamsPluginData.FromString
    assert read(value.metadata.plugin_data.content) == read(wanted.content) == session
    assert value.tensor == metadata.NULL_TENSOR


def test_a_run_imports_no_plugin_but_hparams(tmp_path: Path) -> None:
    """Those of pictures and curves bring a command line's flags along: a tenth of a second of every run."""
    run = """if True:
        import sys
        from pathlib import Path
        from lrsched.loggers import RunInfo, TensorBoard
        logger = TensorBoard()
        logger.open(RunInfo(Path("."), {"lr": 0.1}, 8, steps_per_epoch=4, samples_per_step=8))
        logger.write({"step": 0, "epoch": 0.0, "train/loss": 1.0})
        logger.close({}, "finished")
        print([name for name in sys.modules if name == "absl" or name.startswith("tensorboard.summary")])
    """
    done = subprocess.run([sys.executable, "-c", run], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
