"""Every choice in conf/ composes, and trains two steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrsched.compose.choices import choices_in
from tests.models.test_unet import write_shapes

CONF = Path(__file__).resolve().parents[2] / "conf"
SMALL = (
    "dataset=synthetic",
    "dataset.samples=120",
    "dataset.classes=4",
    "dataset.batch_size=16",
    "trainer.progress=false",
    "trainer.limit_batches=2",
    "trainer.epochs=1",
    "trainer.log_every=1st",
    "name=run",
)
VALUES = Path(__file__).resolve().parents[1] / "schedules" / "values.csv"
# A schedule whose defaults name lengths that a run of two steps does not have.
FITTING = {
    "noam": ("scheduler.warmup=1st",),
    "power": ("scheduler.warmup=1st",),
    "periods": ("scheduler.lengths=[1st,1st]",),
    "wsd_s": ("scheduler.lengths=[1st,1st]",),
    "snapshot": ("scheduler.cycles=2",),
    "torch/SWALR": ("average.start=0st",),
    "table": (f"scheduler.path={VALUES}",),
}


def choices(group: str) -> list[str]:
    folder = CONF / group
    found = sorted(choices_in(folder))
    assert found
    return found


EMBEDDED = {
    "diabetes": "regression",
    "noisy_quadratic": "quadratic",
    "cancer": "binary",
    "picture": "regression",
    "bytes": "language_model",
    "python_source": "language_model",
}
"""Data sets and experiments that need no network, and what they are asked."""
SHORT = ("dataset.context=16", "dataset.stride=400", "dataset.megabytes=0.2")
SHAPES = ("dataset=npz", "dataset.path=shapes.npz", "dataset.batch_size=16", "task=segmentation")
QUADRATIC = ("dataset=noisy_quadratic", "dataset.samples=100", "task=quadratic")
VIT = "{model_type: vit, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 8}"
ASKED = {
    "quadratic": QUADRATIC,
    "gpt": ("dataset=python_source", *SHORT, "task=language_model"),
    "hf": (*SMALL[:4], "dataset.size=16", "task=hf", "model.auto=image-classification", f"model.config={VIT}"),
    "unet": SHAPES,
}
"""Models that are no classifiers of pictures, and what they are tried on."""


def check_trained(ended, steps: int = 2) -> None:
    assert ended.code == 0, ended.err
    assert ended.result()["status"] == "finished"
    assert [row["step"] for row in ended.rows() if "train/loss" in row] == list(range(steps))


@pytest.mark.parametrize("name", choices("scheduler"))
def test_every_scheduler_trains(run_cli, name: str) -> None:
    check_trained(run_cli(*SMALL, f"scheduler={name}", *FITTING.get(name, ())))


@pytest.mark.parametrize("name", choices("optimizer"))
def test_every_optimizer_trains(run_cli, name: str) -> None:
    asked = {"adamc": ("model=cnn",)}.get(name, ())  # a model with norms
    if name.startswith("schedulefree/"):
        pytest.importorskip("schedulefree", reason="no schedulefree: pip install 'hydra-lrsched[schedulefree]'")
        asked = ("scheduler=constant",)
    check_trained(run_cli(*SMALL, f"optimizer={name}", *asked))


@pytest.mark.parametrize("name", choices("model"))
def test_every_model_trains(run_cli, name: str) -> None:
    for package in {"hf": ("transformers",), "timm": ("timm",)}.get(name, ()):
        pytest.importorskip(package, reason=f"no {package}: pip install 'hydra-lrsched[{name}]'")
    write_shapes("shapes.npz")
    pictures = (*SMALL[:4], "dataset.size=32" if name == "torchvision" else "dataset.size=16")
    check_trained(run_cli(f"model={name}", *ASKED.get(name, pictures), *SMALL[4:]))


TRACKERS = ("mlflow", "wandb")
"""Each is imported for seconds; tests/loggers/test_tracker.py has what a tracker is given, without its package."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in TRACKERS else n for n in choices("logger")]
)
def test_every_logger_listens(run_cli, name: str) -> None:
    check_trained(run_cli(*SMALL, f"logger=[{name}]"))


@pytest.mark.parametrize("name", choices("experiment"))
def test_every_experiment_trains_on_synthetic_data(run_cli, name: str) -> None:
    """The recipe's own keys stand; only the data set is exchanged, if it is large, and the run cut short."""
    small = SMALL[4:] if name in EMBEDDED else (*SMALL, "dataset.size=16")
    if name == "bytes":
        small = (*small, *SHORT, "trainer.steps=2", "scheduler.warmup=1st")
    if name == "noisy_quadratic":
        small = (*small, "trainer.steps=2")
    ended = run_cli(f"experiment={name}", *small)
    check_trained(ended)


@pytest.mark.parametrize("name", choices("debug"))
def test_every_debug_choice_runs(run_cli, name: str) -> None:
    ended = run_cli(f"debug={name}", *SMALL, "trainer.steps=2")
    check_trained(ended)


@pytest.mark.parametrize("name", choices("dataset"))
def test_every_dataset_composes_and_its_keys_fit(run_cli, name: str) -> None:
    """Without the files there is a message that names them; with them, or without the need of any, a run."""
    task = EMBEDDED.get(name, "classification")
    model = {"language_model": ("model=gpt", *SHORT), "quadratic": ("model=quadratic",)}.get(task, ())
    words = (f"dataset={name}", f"task={task}", *model)
    ended = run_cli(*words, "debug=one_batch", "trainer.progress=false", "name=run")
    assert ended.code == (0 if name in ("digits", "synthetic", *EMBEDDED) else 2), ended.err
    assert "Traceback" not in ended.err
    if ended.code:  # data of one's own are asked for
        asked = {"npz": "path", "table": "path", "text": "path", "torch": "train"}.get(name, "root")
        assert f"dataset.{asked}" in ended.err
