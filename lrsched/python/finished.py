"""Load what a run left behind: config, result, rows, and its model for predictions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrsched.compose.nodes import as_written
from lrsched.compose.stored import read_config
from lrsched.errors import ConfigError, nearest
from lrsched.records import RunFolder
from lrsched.runs.resume import must_hold_a_run

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lrsched.checkpoint.places import Checkpoint
    from lrsched.config.given import Given
    from lrsched.python.rebuild import Rebuilt
    from lrsched.python.rows import Columns
    from lrsched.runs.weights import Saved


def load(folder: str | os.PathLike[str]) -> Run:
    """Load a run: ``lrsched.load("outputs/first").result["metrics"]``.

    Reads the folder only, and as much of it as is asked for: a run that is still under way may be loaded, too.

    Args:
        folder: of the run.

    Raises:
        ConfigError: there is no run in it.
    """
    return Run(folder)


class Run:
    """A run in its folder.

    What is read is kept: load the folder again to see how a run under way goes on.

    Args:
        folder: of the run.
        parts: its task and data, where they are built already.
        objects: given to the run in Python, by the key of the node that each stands in for.

    Raises:
        ConfigError: there is no run in the folder.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        parts: Rebuilt | None = None,
        objects: Mapping[str, Given] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self._files = RunFolder(self.folder)
        must_hold_a_run("RUN_FOLDER", self._files)
        self._given, self._objects = parts, objects or {}
        self._ready: tuple[str, nn.Module] | None = None

    def __repr__(self) -> str:
        result = self.result
        return f"<Run {self.folder}: {result.get('status', 'no result yet')}, step {result.get('step', '?')}>"

    @cached_property
    def config(self) -> dict[str, Any]:
        """The config as it is stored: plain mappings and lists, ``${…}`` as written.

        Raises:
            CheckpointError: it cannot be read.
        """
        return as_written(read_config(self._files))

    @cached_property
    def result(self) -> dict[str, Any]:
        """What ``result.json`` holds; empty where there is none yet."""
        return self._files.read_result() or {}

    @cached_property
    def rows(self) -> Columns:
        """The rows of ``metrics.jsonl`` as columns of numbers; see :class:`~lrsched.python.rows.Columns`."""
        from lrsched.python.rows import Columns

        return Columns.of(self._files.metrics)

    def model(self, weights: str = "last", into: nn.Module | None = None) -> nn.Module:
        """The model with the weights of this run, in evaluation mode, on the run's device.

        Built from the stored config, told the facts of its data set; or ``into``, a model of the caller's, which is
        changed in place and stays on its device, and for which no data set is needed.

        Args:
            weights: ``last``; ``best``: those of the best evaluation by ``checkpoint.monitor``; ``average``; or
                ``snapshot:STEP``.
            into: a model of the same names and shapes.

        Raises:
            CheckpointError: no valid checkpoint, or one of another config or other data.
            ConfigError: the weights do not fit, or the model cannot be built from the config alone.
            DataError: the data set is missing or damaged.
        """
        return self._loaded(weights, into)[0]

    def predict(self, x: Any, weights: str = "last") -> Tensor:
        """Predictions for raw inputs, which are transformed as in training: by the statistics of its training part.

        A run of Python objects that was loaded is refused here, and in ``model`` and ``evaluate``: no config makes them
        again. What ``lrsched.run(["resume=FOLDER"], model=…)`` returns has them; at once, of a run that is finished.

        Args:
            x: samples first, a tensor or an array, in the form that the data set gives them; or a mapping of inputs
                by name, where its data are one. Tokens are [N, T], all of them inputs. For ``dataset=table`` also the
                path of a CSV file of such rows, with or without their targets.
            weights: ``last``, ``best``, ``average`` or ``snapshot:STEP``; or ``snapshots``, all of them together, and
                ``snapshots:3``, the latest three: what the task makes of their predictions.

        Returns:
            On the CPU: numbers in the target's own unit, in float64, or logits as the model gives them; one for each
            input in the first dimension, and of the target's shape where it is one number.

        Raises:
            DataError: samples of another form than those of the data set, or a number that is not finite.
            CheckpointError, ConfigError: as for :meth:`model`.
        """
        from lrsched.python.predict import predictions, predictions_together
        from lrsched.runs.weights import is_ensemble, members_of

        if is_ensemble(weights):
            members = members_of(self._files, weights)
            with self._threads():
                return predictions_together(self._of_run(members[-1]), members, x, self._parts)
        with self._threads():
            if self._ready is None or self._ready[0] != weights:
                self._ready = weights, self.model(weights)
            return predictions(self._ready[1], x, self._parts)

    def evaluate(self, part: str = "test", weights: str = "last") -> dict[str, float]:
        """The task's metrics on a part of the data, as the run computes them: ``{"test/loss": …}``.

        Args:
            part: ``test`` or ``val``.
            weights: as for :meth:`predict`.

        Raises:
            NotFinite: a metric is not finite.
            CheckpointError, ConfigError, DataError: as for :meth:`model`.
        """
        return self.evaluated(part, weights)[0]

    def evaluated(self, part: str, weights: str) -> tuple[dict[str, float], int]:
        """The metrics as :meth:`evaluate` gives them, and the step that the weights are of.

        Args:
            part: ``test`` or ``val``.
            weights: as for :meth:`predict`.

        Raises:
            ConfigError: another part, or as for :meth:`evaluate`.
        """
        from lrsched.python.rebuild import PARTS
        from lrsched.runs.weights import is_ensemble
        from lrsched.train.evaluate import evaluate

        if part not in PARTS:
            raise ConfigError("part", part, f"must be one of {', '.join(PARTS)}", nearest(str(part), PARTS))
        if is_ensemble(weights):
            members = self.together(part, weights)["last"]
            return {f"{part}/{name}": members[-1][name] for name in self._parts.task.better}, len(members)
        with self._threads():
            model, step = self._loaded(weights, None)
            parts = self._parts
            task = parts.asked_of(model)
            return evaluate(model, parts.part(part), task, parts.precision, part, parts.named), step

    def together(self, part: str, weights: str) -> dict[str, list[dict[str, Any]]]:
        """What snapshots come to on a part of the data, as ``result["snapshots"]`` has it.

        Args:
            part: ``test`` or ``val``.
            weights: ``snapshots``, or ``snapshots:3``, the latest three.

        Raises:
            CheckpointError, ConfigError, DataError: as for :meth:`model`.
        """
        from lrsched.runs.snapshots import evaluate_members
        from lrsched.runs.weights import members_of
        from lrsched.signals import StopFlag

        members = members_of(self._files, weights)
        with self._threads():
            model, parts = self._of_run(members[-1]), self._parts
            asked = parts.asked_of(model)
            return evaluate_members(model, parts.part(part), members, asked, parts.precision, StopFlag())

    def export(self, path: str | os.PathLike[str], weights: str = "last") -> Path:
        """Write the weights as safetensors, which any library reads; return the path.

        Args:
            path: a file that ends in ``.safetensors``; one that is there is replaced.
            weights: as for :meth:`model`.

        Raises:
            ConfigError: safetensors is not installed, another ending, or a state that is no tensor.
            CheckpointError: no valid checkpoint.
            StorageError: the file system refused.
        """
        from lrsched.python.export import export

        saved = self._saved(weights)
        return export(Path(path), saved.weights, {"step": str(saved.step), "weights": weights, **self._about(saved)})

    def _threads(self) -> AbstractContextManager[None]:
        from lrsched.python.undisturbed import as_trained  # imports torch

        return as_trained(self._files, self.config)

    @cached_property
    def _parts(self) -> Rebuilt:
        from lrsched.python.rebuild import Rebuilt

        return Rebuilt.of(self._files, self._objects) if self._given is None else self._given

    def _loaded(self, weights: str, into: nn.Module | None) -> tuple[nn.Module, int]:
        """The model with these weights, and the step that they are of."""
        from lrsched.assembly.weights import put_into
        from lrsched.models.fit import misfits

        saved = self._saved(weights)
        model = self._of_run(saved.checkpoint) if into is None else into
        complaint = misfits(saved.weights, model)
        if complaint:
            rule = f"the weights of {self.folder} do not fit it: {complaint}"
            raise ConfigError("model" if into is None else "into", type(model).__name__, rule)
        put_into(model.eval(), saved.weights)
        if into is None:
            self._parts.renew(model, weights)
        return model, saved.step

    def _saved(self, weights: str) -> Saved:
        from lrsched.runs.weights import saved_weights

        return saved_weights(self._files, weights)

    def _of_run(self, checkpoint: Checkpoint) -> nn.Module:
        """The model as it is built, for the weights of a checkpoint of this run."""
        self._parts.check_made(checkpoint.manifest, checkpoint.path)
        return self._parts.model().eval()

    def _about(self, saved: Saved) -> Mapping[str, str]:
        return {"config_sha256": str(saved.checkpoint.manifest.get("config_sha256", ""))}
