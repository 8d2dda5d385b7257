"""The defaults train well: accuracies that a careful hand-written loop reaches, on real data."""

from __future__ import annotations

from statistics import mean

import pytest

pytestmark = pytest.mark.slow


def accuracies(ended, sweep: str) -> list[float]:
    assert ended.code == 0, ended.err
    folders = [path for path in (ended.cwd / "outputs" / sweep).iterdir() if path.is_dir()]
    return [ended.result(f"{sweep}/{path.name}")["metrics"]["test/accuracy"] for path in folders]


@pytest.mark.parametrize("scheduler", ["cosine", "linear", "wsd", "onecycle", "plateau"])
def test_digits_with_the_default_config(run_cli, scheduler: str) -> None:
    seen = accuracies(run_cli("-m", "seed=0,1,2", f"scheduler={scheduler}", "name=sweep"), "sweep")
    assert len(seen) == 3
    assert mean(seen) >= 0.965


def test_mnist_with_the_mlp_in_five_epochs(run_cli, real_data) -> None:
    ended = run_cli(
        "dataset=mnist",
        f"dataset.root={real_data}",
        "model=mlp",
        "trainer.epochs=5",
        "trainer.progress=false",
        "name=run",
    )
    assert ended.code == 0, ended.err
    assert ended.result()["metrics"]["test/accuracy"] >= 0.975


def test_mnist_with_the_cnn_in_three_epochs(run_cli, real_data) -> None:
    ended = run_cli(
        "dataset=mnist",
        f"dataset.root={real_data}",
        "model=cnn",
        "trainer.epochs=3",
        "trainer.progress=false",
        "name=run",
    )
    assert ended.code == 0, ended.err
    assert ended.result()["metrics"]["test/accuracy"] >= 0.985
