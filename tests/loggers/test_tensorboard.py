"""TensorBoard's own readers must see what was written: scalars, hyperparameters, and a resumed run once."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrsched.loggers import RunInfo, TensorBoard
from lrsched.loggers._events import EventFile, session_start
from lrsched.loggers._tfrecord import RecordFile
from lrsched.loggers.tensorboard import write_columns
from tests.helpers.cli import TINY
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


def texts(folder: Path, tag: str) -> list[tuple[int, str]]:
    """The texts of a tag as TensorBoard keeps them, four blanks before each line."""
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"tensors": 0}).Reload()
    assert tag in events.PluginTagToContent("text")
    return [(point.step, point.tensor_proto.string_val[0].decode()) for point in events.Tensors(tag)]


PHASES = [(0, "warmup"), (2, "cycle"), (5, "restart: cycle")]


def planned(folder: Path, rows: Sequence[Mapping[str, Any]], **about: Any) -> None:
    logger = TensorBoard()
    logger.open(RunInfo(folder, {}, 8, steps_per_epoch=4, samples_per_step=8, **about))
    for row in rows:
        logger.write(row)
    logger.close({}, "stopped" if len(rows) < 8 else "finished")


def test_the_phases_of_the_plan_are_texts_at_their_first_steps(tmp_path: Path) -> None:
    planned(tmp_path, ROWS, phases=PHASES)
    lines = ["    warmup [0, 2)", "    cycle [2, 5)", "    restart: cycle [5, 8)"]
    assert texts(tmp_path, "schedule/phase") == list(zip([0, 2, 5], lines, strict=True))
    assert texts(tmp_path, "schedule/plan") == [(0, "\n".join(lines))]


@pytest.mark.parametrize("resumed_at", range(8))
def test_a_resumed_run_shows_each_phase_once(tmp_path: Path, resumed_at: int, heard: Heard) -> None:
    planned(tmp_path, ROWS[:6], phases=PHASES)
    planned(tmp_path, [*ROWS[resumed_at:], *ROWS[:resumed_at]], phases=PHASES, resumed_at=resumed_at)
    with heard.at_level(logging.CRITICAL, "tensorboard"):
        assert [step for step, _ in texts(tmp_path, "schedule/phase")] == [0, 2, 5]


def test_a_longer_plan_replaces_what_is_left_of_the_old_one(tmp_path: Path, heard: Heard) -> None:
    planned(tmp_path, ROWS[:4], phases=PHASES)
    planned(tmp_path, ROWS[4:], phases=[(0, "warmup"), (2, "cycle"), (6, "decay")], resumed_at=4)
    with heard.at_level(logging.CRITICAL, "tensorboard"):
        found = texts(tmp_path, "schedule/phase")
    assert [(step, line.split()[0]) for step, line in found] == [(0, "warmup"), (2, "cycle"), (6, "decay")]


def test_a_restart_without_a_plan_is_read_off_the_rates(tmp_path: Path) -> None:
    rates = [0.1, 0.2, 0.1, 0.1, 0.3, 0.1, 0.2, 0.2]
    planned(tmp_path, [{**row, "lr/default": rate} for row, rate in zip(ROWS, rates, strict=True)])
    told = [(4, "0.1 to 0.3"), (6, "0.1 to 0.2")]
    wanted = [(step, f"    restart: lr/default rises from {way}") for step, way in told]
    assert texts(tmp_path, "schedule/phase") == wanted


def test_a_text_is_described_as_the_text_plugin_does(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.text.metadata import create_summary_metadata

    planned(tmp_path, ROWS, phases=PHASES)
    kept = EventAccumulator(str(tmp_path / "tensorboard")).Reload().SummaryMetadata("schedule/plan")
    assert kept == create_summary_metadata("schedule/plan", "")


BETTER = {"loss": "min", "accuracy": "max"}
COLUMNS = ["best/val/accuracy", "test/accuracy", "best/val/loss", "test/loss"]


def columns_of(folder: Path) -> tuple[list[str], list[str]]:
    """Names of hyperparameters in the order of the plugin's table, and tags of its metrics."""
    experiment = sessions(folder)[0]
    return [info.name for info in experiment.hparam_infos], [info.name.tag for info in experiment.metric_infos]


def shaped(folder: Path, group: str | None, **hyperparameters: Any) -> None:
    final = {"test/loss": 0.5, "test/accuracy": 0.75, "best/val/loss": 0.4, "best/val/accuracy": 0.8}
    config = {"checkpoint": {"monitor": "val/accuracy", "every": "auto"}, "seed": 0}
    info = RunInfo(folder, config, 8, 4, 8, better=BETTER, group=group, hyperparameters=hyperparameters)
    logger = TensorBoard()
    logger.open(info)
    for row in ROWS:
        logger.write({**row, "grad_norm": 1.0})
    logger.close(final)


def test_a_run_alone_shows_what_shapes_it_and_the_best_and_test_metrics(tmp_path: Path) -> None:
    shaped(tmp_path, None, scheduler="onecycle", seed=0, **{"optimizer.lr": 0.1, "a.off": 0.0, "trainer.epochs": 2})
    names, metrics = columns_of(tmp_path)
    assert metrics == COLUMNS
    assert names == ["optimizer.lr", "scheduler", "seed", "trainer.epochs"]
    (group,) = sessions(tmp_path)[1].values()
    assert {item.name.tag: item.value for item in group.metric_values} == {
        tag: pytest.approx({"t": 0.75, "b": 0.8}[tag[0]] if "acc" in tag else {"t": 0.5, "b": 0.4}[tag[0]])
        for tag in COLUMNS
    }


def test_a_sweep_shows_the_union_with_what_it_varies_first(tmp_path: Path) -> None:
    runs = [
        {"scheduler": "onecycle", "scheduler.momentum": "x", "optimizer.lr": 0.1, "batch": 64, "nesterov": True},
        {"scheduler": "step", "scheduler.gamma": 0.5, "optimizer.lr": 0.1, "batch": 128, "nesterov": False},
    ]
    for number, run in enumerate(runs):
        shaped(tmp_path / f"run{number}", "sweep", **run)
    assert "grad_norm" in columns_of(tmp_path)[1]  # while it is under way: everything
    for _ in range(2):  # a sweep that goes on writes it again
        write_columns(tmp_path, runs, {"scheduler", "batch"}, BETTER, "val/accuracy")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["sweep.tfevents"]
    names, metrics = columns_of(tmp_path)
    assert names[:2] == ["batch", "scheduler"]
    assert set(names[2:]) == {"optimizer.lr", "nesterov", "scheduler.gamma", "scheduler.momentum"}
    assert metrics == COLUMNS
    experiment, groups = sessions(tmp_path)
    kinds = {info.name: info.type for info in experiment.hparam_infos}
    assert kinds["batch"] == hparams().DATA_TYPE_FLOAT64
    assert kinds["nesterov"] == hparams().DATA_TYPE_BOOL
    assert sorted(groups) == ["run0/tensorboard", "run1/tensorboard"]  # the sweep's own file is no run


def test_a_value_of_two_kinds_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    write_columns(tmp_path / "x", [{"a": 1}, {"a": "auto"}], {"a"}, BETTER, "val/loss")
    shaped(tmp_path / "x" / "run", "x", a=1)
    (info,) = sessions(tmp_path / "x")[0].hparam_infos
    assert (info.type, [value.string_value for value in info.domain_discrete.values]) == (
        hparams().DATA_TYPE_STRING,
        ["1", "auto"],
    )


@pytest.mark.skipif(find_spec("torch") is None, reason="it trains, and no torch is there")
def test_a_run_shows_its_restarts_and_what_shapes_it(run_cli) -> None:
    ended = run_cli(*TINY, "scheduler=sgdr", "scheduler.first=1ep", "name=run", "optimizer.lr=0.05")
    run = ended.cwd / "outputs" / "run"
    assert texts(run, "schedule/phase") == [(0, "    cycle [0, 6)"), (6, "    restart: cycle [6, 12)")]
    names, metrics = columns_of(run)
    assert names[:7] == ["dataset", "model", "optimizer", "optimizer.lr", "scheduler", "seed", "task"]
    assert not any(name.startswith(("checkpoint", "logger", "device", "name")) for name in names)
    assert metrics == ["best/val/loss", "test/loss", "best/val/accuracy", "test/accuracy"]
    (group,) = sessions(run)[1].values()
    assert group.hparams["scheduler"].string_value == "sgdr"
    result = ended.result()
    finals = {**result["metrics"], **{f"best/{name}": value for name, value in result["best"].items()}}
    assert {item.name.tag: item.value for item in group.metric_values} == {
        tag: pytest.approx(finals[tag]) for tag in metrics
    }


@pytest.mark.slow
def test_a_sweep_leaves_one_table_for_all_its_runs(run_cli) -> None:
    ended = run_cli("-m", *TINY, "scheduler=onecycle,sgdr", "seed=0,1", "name=both")
    names, metrics = columns_of(ended.cwd / "outputs" / "both")
    assert names[:2] == ["scheduler", "seed"]
    assert {"scheduler.momentum", "scheduler.mult"} <= set(names)  # the union
    assert metrics == ["best/val/loss", "test/loss", "best/val/accuracy", "test/accuracy"]
    groups = sessions(ended.cwd / "outputs" / "both")[1].values()
    assert sorted(
        (group.hparams["scheduler"].string_value, group.hparams["seed"].number_value) for group in groups
    ) == [
        ("onecycle", 0),
        ("onecycle", 1),
        ("sgdr", 0),
        ("sgdr", 1),
    ]
