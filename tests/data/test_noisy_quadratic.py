"""The noisy quadratic: the expected loss is the mean over all data, over real runs, and that of the table."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from lrsched.data import NoisyQuadratic
from lrsched.data.quadratic import REGIMES, Quadratic
from lrsched.errors import ConfigError

PROBLEM = Quadratic(beta=1.5, s=1.0, features=2, noise=0.5)


def test_two_steps_by_hand() -> None:
    """λ = 1, ¼ and p = 1, 1 (β = 2, s = ½): Σλp = 1.25; σ = 1, batch 2, rates 0.5 and 0.4."""
    found = Quadratic(beta=2.0, s=0.5, features=2).expected(np.array([0.5, 0.4]), batch=2)
    p = [1.0, 1.0]
    losses = [(p[0] + p[1] / 4) / 2]
    for rate in (0.5, 0.4):
        noise = (p[0] + p[1] / 4 + 1) / 2
        p = [(1 - rate) ** 2 * p[0] + rate**2 * noise, (1 - rate / 4) ** 2 * p[1] + rate**2 * noise / 4]
        losses.append((p[0] + p[1] / 4) / 2)
    np.testing.assert_allclose(found.loss, losses, rtol=1e-15)
    np.testing.assert_allclose(found.second, p, rtol=1e-15)
    np.testing.assert_allclose(found.mean, [-0.5 * 0.6, -0.875 * 0.9], rtol=1e-15)


@pytest.mark.parametrize("momentum", [0.0, 0.9, (0.4, 0.9)], ids=["0.0", "0.9", "of each update"])
def test_the_expectation_is_the_mean_over_all_data_there_can_be(momentum: float | tuple[float, float]) -> None:
    """All 32 equally likely samples of two features, in both updates: 1,024 courses of torch.optim.SGD."""
    scale = np.sqrt(2 * PROBLEM.spectrum)
    solution = np.sqrt(PROBLEM.start)
    samples = [
        (x := scale * np.array([a - b, c - d]), x @ solution + PROBLEM.noise * e)
        for a, b, c, d, e in product((0, 1), (0, 1), (0, 1), (0, 1), (-1, 1))
    ]
    rates, losses, ends = (0.3, 0.2), [[], []], []
    moments = np.broadcast_to(momentum, 2)
    for course in product(samples, repeat=2):
        w, v = np.zeros(2), np.zeros(2)
        for step, (x, y) in enumerate(course):
            v = moments[step] * v + x * (x @ w - y)
            w = w - rates[step] * v
            losses[step].append(PROBLEM.spectrum @ (w - solution) ** 2 / 2)
        ends.append(w - solution)
    found = PROBLEM.expected(np.array(rates), batch=1, momentum=momentum if isinstance(momentum, float) else moments)
    np.testing.assert_allclose(found.loss[1:], [np.mean(each) for each in losses], rtol=1e-12)
    np.testing.assert_allclose(found.mean, np.mean(ends, 0), rtol=1e-12)
    np.testing.assert_allclose(found.second, np.mean(np.square(ends), 0), rtol=1e-12)


TABLE = {
    "easy": (0.6142093202, 0.6707020400, {39: 0.015152945}, {49: 0.010501874}, {49: 0.010835024}),
    "steep": (0.7089135184, 0.6010268930, {38: 0.011114694}, {50: 0.006594709}, {51: 0.006600120}),
    "hard": (0.7089135184, 1.1200133084, {52: 0.165794429}, {60: 0.125101903}, {60: 0.124636444}),
}
"""Largest rate, loss at the start, and the final loss of constant, linear and cosine at the best of 61 rates."""


@pytest.mark.parametrize("regime", REGIMES)
def test_the_table_that_was_computed_elsewhere(regime: str) -> None:
    problem, (largest, start, *best) = Quadratic.of(regime, features=400), TABLE[regime]
    z = (np.arange(400) + 0.5) / 400
    shapes = np.stack([np.ones(400), 1 - z, (1 + np.cos(np.pi * z)) / 2], 1)
    numbers = np.array([[n - 1, n, min(n + 1, 60)] for each in best for n in each])
    grid = problem.largest(batch=4) * 1000 ** (numbers / 60 - 1)
    loss = problem.expected(shapes[:, :, None] * grid, batch=4).loss
    assert (problem.largest(batch=4), loss[0, 0, 0]) == pytest.approx((largest, start), abs=6e-11)
    assert loss[-1].min(1) == pytest.approx([loss for each in best for loss in each.values()], abs=6e-10)
    assert loss[-1].min(1).tolist() == loss[-1, :, 1].tolist()


def test_several_schedules_at_once_are_each_by_itself() -> None:
    rates = np.array([[0.1, 0.3], [0.2, 0.2], [0.3, 0.1]])
    both = PROBLEM.expected(rates, batch=4, momentum=0.5)
    for number in (0, 1):
        one = PROBLEM.expected(rates[:, number], batch=4, momentum=0.5)
        assert both.loss[:, number].tolist() == one.loss.tolist()
        assert both.second[number].tolist() == one.second.tolist()


def test_beyond_the_largest_rate_it_diverges_without_a_warning() -> None:
    loss = Quadratic.of("easy").expected(np.full(2000, 2.5), batch=4).loss
    assert not loss[-1] < 1e30


def test_samples_have_the_moments_that_the_recursion_needs() -> None:
    source = NoisyQuadratic(features=3, samples=40_000, noise=0.5, seed=1)
    x, y = (column.double() for column in source.load().train)
    spectrum = torch.from_numpy(source.problem.spectrum)
    z = x / spectrum.sqrt()
    assert sorted(set(z[:, 0].tolist())) == pytest.approx([-(2**0.5), 0, 2**0.5])
    within = 5 / 200  # five standard errors
    assert (z.square().mean(0) - 1).abs().max() < within
    assert (z.pow(4).mean(0) - 2).abs().max() < 2 * within
    assert z.mean(0).abs().max() < within
    noise = y - x @ torch.from_numpy(source.problem.start**0.5)
    assert noise.abs().tolist() == pytest.approx([0.5] * 40_000, abs=1e-5)


def test_another_seed_is_another_draw() -> None:
    x = [NoisyQuadratic(samples=50, seed=seed).load().train[0] for seed in (0, 0, 1)]
    assert torch.equal(x[0], x[1])
    assert not torch.equal(x[0], x[2])


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"regime": "eazy"}, "'easy'"),
        ({"beta": 0.0}, "beta=0"),
        ({"s": -1.0}, "s=-1"),
        ({"features": 0}, "features=0"),
        ({"samples": 1}, "samples=1"),
        ({"noise": -0.1}, "noise=-0.1"),
        ({"seed": -1}, "seed=-1"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_value_out_of_its_range_is_named(values: dict, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        NoisyQuadratic(**values)


def test_a_run_through_the_trainer_measures_its_weights_exactly(run_cli) -> None:
    words = ("experiment=noisy_quadratic", "dataset.samples=900", "trainer.steps=200", "name=run", "seed=3")
    ended = run_cli(*words, "trainer.progress=false", "logger=none")
    assert ended.code == 0, ended.err
    from lrsched.python.finished import Run

    weights = next(Run(Path("outputs/run")).model().parameters()).detach().double().numpy()
    problem = Quadratic.of("easy")
    exact = float(problem.spectrum @ (weights - problem.start**0.5) ** 2 / 2)
    metrics = ended.result()["metrics"]
    assert metrics["val/loss"] == metrics["test/loss"] == pytest.approx(exact, rel=1e-13)
    assert exact < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("regime", REGIMES)
def test_the_mean_of_real_runs_is_the_expected_loss(regime: str) -> None:
    """200 runs of 300 steps through the trainer's own update: within 3 standard errors at three places."""
    from lrsched.assembly.parts import assemble
    from lrsched.compose.nodes import plain
    from lrsched.config.settings import settings
    from lrsched.python.undisturbed import undisturbed
    from lrsched.python.words import config_of

    words = ["experiment=noisy_quadratic", f"dataset.regime={regime}", "dataset.samples=1300", "trainer.steps=300"]
    words += ["optimizer.lr=0.2", "name=x"]
    base = plain(config_of(words, {}, None))
    losses = []
    with undisturbed():
        torch.set_num_threads(1)
        for seed in range(200):
            run = settings({**base, "seed": seed, "dataset": {**base["dataset"], "seed": seed}})
            parts = assemble(run, torch.device("cpu"))
            found = []
            for _ in range(300):
                parts.update(parts.state)
                if parts.state.step in (10, 100, 300):
                    few = next(iter(parts.validation))
                    found.append(float(parts.task.measure(parts.state.model, few)["loss"] / len(few[0])))
            losses.append(found)
    exact = Quadratic.of(regime).expected(0.2 * (1 - np.arange(300) / 300), batch=4).loss[[10, 100, 300]]
    mean, error = np.mean(losses, 0), np.std(losses, 0, ddof=1) / np.sqrt(len(losses))
    assert (np.abs(mean - exact) < 3 * error).all(), (mean, exact, error)
    assert (error < 0.06 * exact).all()


@pytest.mark.parametrize(("samples", "told"), [(900, False), (400, True)])
def test_samples_that_come_again_are_warned_of(run_cli, samples: int, told: bool) -> None:
    """A hundredth validates: 200 steps of 4 take 800 of 891, or 396 twice and a bit: 2.02 epochs of 99 steps."""
    words = ("experiment=noisy_quadratic", f"dataset.samples={samples}", "trainer.steps=200", "dataset.features=20")
    said = "warning: dataset.samples: the run trains 2.02 epochs, and from the second one on the same noise comes again"
    assert (said in run_cli(*words, command="preview").err) is told


@pytest.mark.slow
def test_a_run_warns_of_them_too(run_cli) -> None:
    words = ("experiment=noisy_quadratic", "dataset.samples=400", "trainer.steps=200", "dataset.features=20")
    said = "warning: dataset.samples: the run trains 2.02 epochs, and from the second one on the same noise comes again"
    ended = run_cli(*words, "logger=none", "trainer.progress=false", "name=run")
    assert ended.code == 0, ended.err
    assert said in ended.err
