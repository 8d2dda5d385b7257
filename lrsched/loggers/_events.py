"""TensorBoard's event files.

The first file imports TensorBoard's messages, this module nothing of it. What TensorBoard makes records of the hparams
plugin with is not used: to import it takes a tenth of a second, for it brings along every plugin.
"""

# Protocol buffers make their classes at run time, where pyright cannot see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from lrsched.loggers._tfrecord import RecordFile
from lrsched.picture import size

_EMPTY = {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": 0}]}}
"""The tensor of no numbers, on which the hparams plugin hangs its records."""


_OFF = frozenset({0, "0", "0st", "0%", "null", "none", "None"})
"""Values that say that there is none of it."""


class EventFile:
    """One event file, written in the calling thread.

    Args:
        folder: an existing folder.
        suffix: of the file's name. Names sort by time, the order in which TensorBoard reads them.
        name: of the file; None: one of this time.
    """

    def __init__(self, folder: Path, suffix: str = "", name: str | None = None) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._event = Event
        path = folder / (name or f"events.out.tfevents.{time.time_ns()}.{os.getpid()}{suffix}")
        self._records = RecordFile(path)
        self._add(file_version="brain.Event:2")

    def add_scalars(self, step: int, scalars: Mapping[str, float], about: Mapping[str, str] | None = None) -> None:
        """Add one point for each tag, all in one event; TensorBoard keeps them in single precision.

        Args:
            step: of the points.
            scalars: by tag.
            about: what to say of some tags; TensorBoard reads it at the first point of each.
        """
        points: list[dict[str, Any]] = [{"tag": tag, "simple_value": value} for tag, value in scalars.items()]
        for point in points:
            if about and point["tag"] in about:
                about_it = {"summary_description": about[point["tag"]], "plugin_data": {"plugin_name": "scalars"}}
                point["metadata"] = about_it
        self._add(step=step, summary={"value": points})

    def add_picture(self, step: int, tag: str, file: bytes) -> None:
        """Add a picture, a PNG file."""
        width, height = size(file)
        image = {"width": width, "height": height, "colorspace": 3, "encoded_image_string": file}
        self._add(step=step, summary={"value": [{"tag": tag, "image": image}]})

    def add_text(self, step: int, tag: str, text: str) -> None:
        """Add a text, letter by letter: TensorBoard would read it as Markdown, in which four blanks make it code."""
        code = "\n".join(f"    {line}" for line in text.splitlines())
        tensor = {"dtype": "DT_STRING", "tensor_shape": {}, "string_val": [code.encode()]}
        about = {"display_name": tag, "plugin_data": {"plugin_name": "text"}}
        value = {"tag": tag, "metadata": about, "tensor": tensor}
        self._add(step=step, summary={"value": [value]})

    def add_purge(self, step: int) -> None:
        """Make readers drop the points of earlier files from this step on."""
        from tensorboard.compat.proto.event_pb2 import SessionLog

        self._add(step=step, session_log=SessionLog(status=SessionLog.START))

    def add_session(self, session: Any) -> None:
        """Add the start or end of a session, or an experiment, as metadata on an empty tensor."""
        tag = f"_hparams_/{session.WhichOneof('data')}"
        metadata = {"plugin_data": {"plugin_name": "hparams", "content": session.SerializeToString()}}
        self._add(summary={"value": [{"tag": tag, "metadata": metadata, "tensor": _EMPTY}]})

    def flush(self) -> None:
        """Hand the records to the system."""
        self._records.flush()

    def close(self) -> None:
        """Flush and close."""
        self._records.close()

    def _add(self, **content: Any) -> None:
        self._records.write(self._event(wall_time=time.time(), **content).SerializeToString())


def session_start(hyperparameters: Mapping[str, bool | int | float | str]) -> Any:
    """The hparams plugin's record of a starting session, with its hyperparameters."""
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo

    start = SessionStartInfo(start_time_secs=time.time())
    for name, value in hyperparameters.items():
        if isinstance(value, bool):  # before the numbers: a bool is an int
            start.hparams[name].bool_value = value
        elif isinstance(value, str):
            start.hparams[name].string_value = value
        else:
            start.hparams[name].number_value = value
    return HParamsPluginData(session_start_info=start)


def session_end(succeeded: bool) -> Any:
    """The hparams plugin's record of an ended session."""
    from tensorboard.plugins.hparams.api_pb2 import Status
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

    status = Status.Value("STATUS_SUCCESS" if succeeded else "STATUS_FAILURE")
    return HParamsPluginData(session_end_info=SessionEndInfo(status=status, end_time_secs=time.time()))


def experiment(
    parameters: Mapping[str, Sequence[bool | int | float | str]], metrics: Sequence[str], first: Collection[str]
) -> Any:
    """The hparams plugin's record of an experiment: the columns of its table, without what is off in all runs.

    Args:
        parameters: the values of each hyperparameter over the runs.
        metrics: tags of scalars, in the order of their columns.
        first: names of the hyperparameters that the plugin shows before the others.
    """
    from tensorboard.plugins.hparams.api_pb2 import Experiment, HParamInfo, MetricInfo, MetricName
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    shown = {name: values for name, values in parameters.items() if name in first or set(values) - _OFF}
    kinds = {name: _kind(values) for name, values in shown.items()}
    columns = [HParamInfo(name=name, type=kind, differs=name in first) for name, kind in kinds.items()]
    for column in columns:
        values = list(dict.fromkeys(shown[column.name]))
        if kinds[column.name] == "DATA_TYPE_FLOAT64":
            column.domain_interval.min_value, column.domain_interval.max_value = min(values), max(values)
        else:
            column.domain_discrete.extend(values if kinds[column.name] == "DATA_TYPE_BOOL" else map(str, values))
    measured = [MetricInfo(name=MetricName(tag=tag)) for tag in metrics]
    return HParamsPluginData(experiment=Experiment(hparam_infos=columns, metric_infos=measured))


def _kind(values: Sequence[bool | int | float | str]) -> str:
    if all(isinstance(value, bool) for value in values):
        return "DATA_TYPE_BOOL"
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    return "DATA_TYPE_FLOAT64" if numbers else "DATA_TYPE_STRING"
