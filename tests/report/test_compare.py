"""The comparison, on runs whose outcomes are written by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lrsched.errors import ConfigError
from lrsched.report import compare_paths
from lrsched.report.compare import Comparison
from lrsched.report.metric import Metric
from lrsched.report.notes import notes
from lrsched.report.pairs import Pair
from lrsched.report.pairs import pairs as compared
from lrsched.report.rates import Candidate, Rate
from lrsched.report.stats import attained, interval, probability_better, sign_flip_p
from lrsched.report.verdict import sentences, verdict

SIX = [0.50, 0.52, 0.48, 0.51, 0.47, 0.53]


def of(losses: Mapping[str, Mapping[float, Sequence[float]]], leave, path: Path, **asked: str) -> Comparison:
    """The comparison of schedules by rate and seed."""
    for schedule, rates in losses.items():
        for lr, values in rates.items():
            for seed, loss in enumerate(values):
                leave(schedule, lr, seed, loss)
    (comparison,) = compare_paths([path], **asked).comparisons
    return comparison


def pair_of(mine: Sequence[float], theirs: Sequence[float]) -> Pair:
    """The pair of two candidates by their losses, seed by seed."""
    differences = tuple(b - a for a, b in zip(mine, theirs, strict=True))
    p = sign_flip_p(differences)
    won = probability_better(mine, theirs)
    level = attained(len(differences))
    found = Pair("a", "b", differences, len(differences), interval(differences, min(level, 0.95)), level, p, p, won)
    return replace(found, means=(float(np.mean(mine)), float(np.mean(theirs))))


def test_each_is_taken_at_its_own_best_rate(leave, tmp_path: Path) -> None:
    rates = {"Cosine": {0.1: [0.5, 0.7], 0.3: [0.4, 0.6]}, "Constant": {0.1: [0.6, 0.8], 0.3: [0.9, 0.7]}}
    found = of(rates, leave, tmp_path)
    chosen = [(row.name, row.best.lr, row.mean) for row in found.candidates if row.best]
    assert chosen == [("cosine", 0.3, pytest.approx(0.5)), ("constant", 0.1, pytest.approx(0.7))]
    assert found.pairs[0].differences == pytest.approx((0.6 - 0.4, 0.8 - 0.6))


def test_what_a_run_measured_before_it_diverged_is_no_result(leave, tmp_path: Path) -> None:
    for seed in range(3):
        leave("Cosine", 0.1, seed, 0.5)
        leave("Constant", 0.1, seed, 0.25)
    leave("Cosine", 0.1, 3, 0.5)
    leave("Constant", 0.1, 3, status="failed", reason="NotFinite: step 9", metrics={"val/loss": 0.25})
    (found,) = compare_paths([tmp_path]).comparisons
    assert [row.name for row in found.candidates] == ["cosine", "constant"]
    assert found.candidates[1].values == {0: 0.25, 1: 0.25, 2: 0.25, 3: math.inf}


def test_six_seeds_can_decide_and_five_cannot(leave, tmp_path: Path) -> None:
    for count, kind in ((5, "undecided"), (6, "better")):
        values = SIX[:count]
        path = tmp_path / str(count)
        for seed, loss in enumerate(values):
            leave("Cosine", 0.1, seed, loss, under=str(count))
            leave("Constant", 0.1, seed, loss + 0.1 + 0.01 * seed, under=str(count))
        (found,) = compare_paths([path]).comparisons
        (pair,) = found.pairs
        said = verdict(pair, "")
        assert said.kind == kind
        assert pair.p == 2 / 2**count
        assert pair.probability == 1
    assert said.text == "cosine is better than constant by 0.1250, 0.1000 to 0.1500 (97 %, 6 seeds, p .031)"


def test_three_seeds_never_decide() -> None:
    said = verdict(pair_of([0, 0, 0], [1, 1.001, 1.002]), "")
    assert (said.kind, said.more_seeds) == ("undecided", 3)
    ahead = "a is ahead: 0.0000 against 1.0010 of b, not decided"
    assert said.text == f"{ahead}: about 3 more seeds would (3 seeds cannot give a p below .25)"


def test_who_is_ahead_has_another_number_than_the_others() -> None:
    near = verdict(pair_of([0.5, 0.5], [0.500001, 0.500003]), "")
    assert near.text.startswith("a is ahead: 0.500000 against 0.500002 of b, not decided: ")
    near = verdict(pair_of([0.9, 0.9], [0.90001, 0.90003]), "%")
    assert near.text.startswith("a is ahead: 90.000% against 90.002% of b, not decided: ")
    last = verdict(pair_of([1.0] * 2, [math.nextafter(1.0, 2.0)] * 2), "")
    assert last.text.startswith("a is ahead: 1.0000000000000000 against 1.0000000000000002 of b, not decided: ")


def test_the_leader_is_named_whoever_was_chosen(leave, tmp_path: Path) -> None:
    """Chosen by one metric and compared by another, or without a shared seed: the better mean is ahead."""
    said = verdict(pair_of([0.62, 0.64], [0.51, 0.55]), "%")
    assert said.text.startswith("b is ahead: 53.00% against 63.00% of a, not decided: about ")
    assert verdict(pair_of([1.0, 2.0], [2.0, 1.0]), "").text.startswith("a or b? not decided: ")  # level
    for seed, loss in enumerate((0.5, 0.7)):
        leave("Cosine", 0.1, seed, loss)
        leave("Step", 0.1, 2 + seed, loss + 0.1)
    (found,) = compare_paths([tmp_path]).comparisons
    assert sentences(found.pairs, "nats") == [
        "cosine is ahead: 0.6000 nats against 0.7000 of step, not decided: at least 6 more seeds would (they share no "
        "seed)"
    ]


def test_the_seeds_still_needed_are_the_formulas() -> None:
    differences = [0.3, -0.2, 0.25, -0.1, 0.2, 0.1, -0.05, 0.22]
    needed = (2.8 * np.std(differences, ddof=1) / np.mean(differences)) ** 2  # 1.96 + .84
    said = verdict(pair_of([0.0] * 8, differences), "")
    assert said.kind == "undecided"
    assert said.more_seeds == math.ceil(needed) - 8 == 25


def test_a_tiny_difference_is_told_as_equal_to_within_its_interval() -> None:
    differences = [0.01, -0.01, 0.012, -0.0118, 0.009, -0.009]
    said = verdict(pair_of([0.0] * 6, differences), "")
    assert said.kind == "equal"
    assert said.more_seeds is None
    within = max(map(abs, interval(differences)))
    assert f"equal to within {within:.4f} (97 %, 6 seeds;" in said.text


def test_runs_equal_to_the_last_bit_are_equal() -> None:
    assert verdict(pair_of(SIX, SIX), "").text == "a and b are equal with each of 6 seeds"


def test_one_seed_says_nothing_of_the_spread(leave, tmp_path: Path) -> None:
    found = of({"Cosine": {0.1: [0.5]}, "Constant": {0.1: [0.9]}}, leave, tmp_path)
    (pair,) = found.pairs
    assert (pair.interval, pair.p, pair.probability) == (None, None, 1.0)
    said = verdict(pair, "")
    assert (said.kind, said.more_seeds) == ("undecided", 5)
    assert said.text == (
        "cosine is ahead: 0.5000 against 0.9000 of constant, not decided: at least 5 more seeds would (one seed says "
        "nothing about the spread)"
    )


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [([0.25], [0.5]), ([0.5, 0.5], [0.5, 0.25]), ([1.7e308, 1.0], [-1.7e308, 1.0])],
)
def test_so_few_that_nothing_tells_how_many_more_it_takes_are_not_decided(mine, theirs) -> None:
    said = verdict(pair_of(mine, theirs), "")
    assert said.kind == "undecided"
    assert said.more_seeds is None or said.more_seeds >= 1


def test_below_six_seeds_the_formula_counts_where_it_asks_for_more() -> None:
    more = verdict(pair_of([0.0] * 3, [1 - math.sqrt(1.5), 1.0, 1 + math.sqrt(1.5)]), "")
    assert more.more_seeds == math.ceil(1.5 * 7.84) - 3 == 9  # mean 1, variance 1.5, 7.84 = (1.96 + .84)²
    # Mean .01, variance 4 · .1²/3: 7.84 · .04/3 / .01² = 1045 seeds.
    many = verdict(pair_of([0.0] * 4, [0.11, -0.09, 0.11, -0.09]), "")
    assert (many.kind, many.more_seeds) == ("undecided", None)
    told = "if the difference is as small as it looks, it takes more than 200 seeds (4 seeds cannot give a p below .12)"
    assert many.text == f"a is ahead: 0.0000 against 0.0100 of b, not decided: {told}"


@pytest.mark.parametrize(("count", "shown"), [(4, False), (5, True)])
def test_of_fewer_than_five_pairs_no_interval_is_told(leave, tmp_path: Path, count: int, shown: bool) -> None:
    values = [0.1, 0.2, 0.4, 0.3, 0.2][:count]
    found = of({"Cosine": {0.1: [0.5] * count}, "Step": {0.1: [0.5 + x for x in values]}}, leave, tmp_path)
    (pair,) = found.pairs
    assert pair.mean == pytest.approx(sum(values) / count)
    # five pairs cannot give 95 %: theirs goes from the smallest to the largest, with 1 − 2/2⁵
    assert pair.interval == ((min(pair.differences), max(pair.differences)) if shown else None)
    assert pair.level == (0.9375 if shown else None)


def test_what_is_undecided_for_one_reason_is_said_once(leave, tmp_path: Path) -> None:
    losses = {"Cosine": 0.5, "Rex": 0.6, "Step": 0.7}
    found = of({name: {0.1: [loss]} for name, loss in losses.items()}, leave, tmp_path)
    told = "at least 5 more seeds would (one seed says nothing about the spread)"
    ahead = "cosine is ahead: 0.5000 against 0.6000 of rex, 0.7000 of step, not decided"
    assert sentences(found.pairs, "") == [f"{ahead}: {told}"]
    nats = ahead.replace("0.5000", "0.5000 nats")
    assert sentences(found.pairs, "nats") == [f"{nats}: {told}"]


def test_a_difference_below_what_is_shown_is_said_to_be() -> None:
    differences = [0.00002, 0.00003, 0.00004, 0.00003, 0.00002, 0.00004]
    said = verdict(pair_of([0.0] * 6, differences), "%")
    assert said.text.startswith("a is better than b by less than 0.01 points, ")
    assert "by 3.00e-05, " in verdict(pair_of([0.0] * 6, differences), "").text


def test_without_a_common_seed_nothing_is_compared(leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, 0.5)
    leave("Constant", 0.1, 1, 0.9)
    (pair,) = compare_paths([tmp_path]).comparisons[0].pairs
    assert (pair.seeds, pair.probability) == (0, None)
    assert "they share no seed" in verdict(pair, "").text


def test_pairing_decides_what_the_means_cannot() -> None:
    # The seeds differ by 1, the schedules by 0.1 with each seed: Welch's t sees nothing.
    stats = pytest.importorskip("scipy.stats")
    mine = [float(seed) for seed in range(8)]
    theirs = [seed + 0.1 + 0.001 * seed for seed in range(8)]
    assert stats.ttest_ind(mine, theirs, equal_var=False).pvalue > 0.9
    assert verdict(pair_of(mine, theirs), "").kind == "better"
    shuffled = theirs[3:] + theirs[:3]
    assert verdict(pair_of(mine, shuffled), "").kind != "better"


def test_several_comparisons_are_corrected_for_all_pairs(leave, tmp_path: Path) -> None:
    gaps = {"Cosine": 0, "Rex": 0.1, "Step": 0.2}
    found = of({name: {0.1: [x + gap for x in SIX]} for name, gap in gaps.items()}, leave, tmp_path)
    # Each of the three pairs has p = 2/64; Holm: 3 times the first, and none below it.
    assert [(pair.p, pair.p_holm, pair.comparisons) for pair in found.pairs] == [(1 / 32, 3 / 32, 3)] * 2
    said = verdict(found.pairs[0], "")
    assert (said.kind, said.more_seeds) == ("better alone", 1)  # 3 · 2/2^7 < .05
    assert "p .031, as one of 3 comparisons .094: only on its own; about 1 more seed for all" in said.text
    for name, gap in gaps.items():
        leave(name, 0.1, 6, 0.5 + gap)
    (found,) = compare_paths([tmp_path]).comparisons
    assert [verdict(pair, "").kind for pair in found.pairs] == ["better", "better"]


def test_accuracy_is_better_when_it_is_larger(leave, tmp_path: Path) -> None:
    for schedule, gain in (("Cosine", 0.0), ("Step", 0.01)):
        for lr, worse in ((0.1, 0.0), (0.3, 0.2)):
            for seed, loss in enumerate(SIX):
                found = {"val/loss": loss, "val/accuracy": 1 - loss + gain - worse, "test/accuracy": loss}
                leave(schedule, lr, seed, metrics=found)
    (comparison,) = compare_paths([tmp_path], "val/accuracy").comparisons
    assert [(row.name, row.best.lr) for row in comparison.candidates if row.best] == [("step", 0.1), ("cosine", 0.1)]
    assert comparison.pairs[0].mean == pytest.approx(0.01)
    assert "step is better than cosine by 1.00 points" in verdict(comparison.pairs[0], "%").text
    (on_test,) = compare_paths(
        [tmp_path], "test/accuracy"
    ).comparisons  # the rate is chosen by val/accuracy all the same
    assert [row.best.lr for row in on_test.candidates if row.best] == [0.1, 0.1]
    assert on_test.metric.chosen_by == "val/accuracy"


def test_a_diverged_run_is_the_worst_outcome(leave, tmp_path: Path) -> None:
    of({"Cosine": {0.1: SIX}, "Step": {0.1: [x + 0.1 for x in SIX]}}, leave, tmp_path)
    for seed in range(6):
        end = {"status": "failed", "reason": "NotFinite: val/loss is nan", "metrics": {}}
        leave("Cosine", 0.3, seed, 0.1, **(end if seed == 4 else {}))
    (found,) = compare_paths([tmp_path]).comparisons
    assert found.candidates[0].best is not None
    assert found.candidates[0].best.lr == 0.1  # not 0.3, where five of six are far better
    assert "cosine diverged at 0.3 with 1 of 6 seeds" in notes(found)


def test_what_diverges_at_every_rate_is_ranked_last_and_not_averaged(leave, tmp_path: Path) -> None:
    for seed in range(6):
        leave("Cosine", 0.1, seed, 0.1 if seed else None)
        leave("Step", 0.1, seed, 0.5)
    (found,) = compare_paths([tmp_path]).comparisons
    assert [row.name for row in found.candidates] == ["step", "cosine"]
    (pair,) = found.pairs
    assert pair.probability == 1 / 6
    assert (pair.mean, pair.interval, pair.p) == (None, None, None)
    assert verdict(pair, "").kind == "diverged"


def test_a_rate_at_which_all_diverge_is_never_the_best(leave, tmp_path: Path) -> None:
    of({"Cosine": {0.1: [0.5, 0.6]}}, leave, tmp_path)
    leave("Cosine", 0.1, 2, status="failed", reason="OSError: full", metrics={})
    for seed in range(3):  # it lacks no run, and has no value
        leave("Cosine", 1.0, seed, status="failed", reason="NotFinite: step 3", metrics={})
        leave("Step", 1.0, seed, status="failed", reason="NotFinite: step 3", metrics={})
    (found,) = compare_paths([tmp_path]).comparisons
    cosine, step = found.candidates
    assert cosine.best is not None
    assert (cosine.name, cosine.best.lr, step.name, step.best) == ("cosine", 0.1, "step", None)
    assert found.pairs == ()
    assert "step: every run that has ended diverged" in notes(found)


def test_a_choice_among_rates_that_diverge_with_some_seeds_is_made_anew_as_it_was_made(leave, tmp_path: Path) -> None:
    # One run of three diverges at either rate, with the same seed; the rest are better at the second rate. It is chosen
    # again unless only the seed that diverges is drawn, when the first of two equals is taken: 1 − 1/27.
    for seed in range(3):
        leave("Cosine", 0.1, seed, 0.6 if seed else None)
        leave("Cosine", 0.2, seed, 0.5 if seed else None)
    (found,) = compare_paths([tmp_path]).comparisons
    assert found.candidates[0].best is not None
    assert found.candidates[0].best.lr == 0.2
    assert found.candidates[0].sure == pytest.approx(26 / 27, abs=0.02)


def test_an_incomplete_sweep_gives_no_advice_on_rates(leave, tmp_path: Path) -> None:
    of({"Cosine": {0.1: [0.5, 0.6]}, "Step": {0.1: [0.7, 0.8], 0.3: [0.9, 0.9]}}, leave, tmp_path)
    for seed in range(2):
        leave("Cosine", 0.3, seed, status=None)
    (found,) = compare_paths([tmp_path]).comparisons
    text = " ".join(notes(found))
    assert "incomplete: there is no val/loss of cosine at 0.3 (seeds 0–1)" in text
    assert "smallest tried (step 0.1)" in text  # of step no run is lacking
    assert "only one" not in text
    assert "same number of rates" not in text


def test_jobs_that_were_not_begun_make_a_sweep_incomplete(leave, tmp_path: Path) -> None:
    of({"Cosine": {0.1: [0.5, 0.6]}}, leave, tmp_path)
    jobs = [{"run_id": f"b{seed}", "overrides": ["optimizer.lr=0.3"], "status": None} for seed in (0, 1)]
    jobs += [{"run_id": "c", "overrides": ["optimizer.lr=-1"], "status": "failed", "reason": "must be positive"}]
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    (found,) = compare_paths([tmp_path]).comparisons
    assert "incomplete: 2 runs left nothing that can be compared (among them optimizer.lr=0.3)" in notes(found)
    assert not any("only one" in note or "nothing to compare" in note for note in notes(found))


def test_a_rate_that_lacks_a_seed_is_not_eligible(leave, tmp_path: Path) -> None:
    of({"Cosine": {0.1: [0.5, 0.6, 0.7]}}, leave, tmp_path)
    leave("Cosine", 0.3, 0, 0.1)
    leave("Cosine", 0.3, 1, 0.1)
    leave("Cosine", 0.3, 2, status="failed", reason="StorageError: No space left", metrics={})
    (found,) = compare_paths([tmp_path]).comparisons
    assert found.candidates[0].best is not None
    assert found.candidates[0].best.lr == 0.1
    assert "incomplete: there is no val/loss of cosine at 0.3 (seed 2); such a rate is not eligible" in notes(found)


def test_where_every_rate_lacks_runs_those_with_most_are_taken(leave, tmp_path: Path) -> None:
    of({"Cosine": {0.1: [0.5, 0.6], 0.3: [0.1]}}, leave, tmp_path)
    leave("Cosine", 0.1, 2, status=None)
    (found,) = compare_paths([tmp_path]).comparisons
    assert found.candidates[0].best is not None
    assert found.candidates[0].best.lr == 0.1
    told = "incomplete: there is no val/loss of cosine at 0.1 (seed 2), 0.3 (seeds 1–2); such a rate is not eligible"
    assert told in notes(found)
    assert "cosine: no rate with a finite value has all runs; 0.1 is shown without seed 2" in notes(found)
    assert found.candidates[0].sure is None  # which rate is chosen depends on which runs are there


def test_a_candidate_without_a_result_is_shown_last(leave, tmp_path: Path) -> None:
    of({"Cosine": {0.1: [0.5, 0.6]}}, leave, tmp_path)
    leave("Step", 0.1, 0, status="stopped", metrics={"val/loss": 0.1})
    (found,) = compare_paths([tmp_path]).comparisons
    assert [row.name for row in found.candidates] == ["cosine", "step"]
    assert "step: no run has finished" in notes(found)


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        (
            {0.1: 0.5, 0.2: 0.6, 0.3: 0.7},
            "the best rate is the smallest tried (cosine 0.1): widen the sweep to smaller",
        ),
        ({0.1: 0.7, 0.2: 0.6, 0.3: 0.5}, "the best rate is the largest tried (cosine 0.3): widen the sweep to larger"),
        ({0.1: 0.5}, "only one optimizer.lr was tried"),
    ],
)
def test_a_best_rate_at_the_edge_is_told(leave, tmp_path: Path, rates: dict[float, float], said: str) -> None:
    found = of({"Cosine": {lr: [loss, loss] for lr, loss in rates.items()}}, leave, tmp_path)
    assert any(note.startswith(said) for note in notes(found))


def test_a_rate_of_its_own_for_each_is_told(leave, tmp_path: Path) -> None:
    found = of({"Cosine": {0.1: [0.5, 0.5]}, "Step": {0.3: [0.6, 0.6]}}, leave, tmp_path)
    said = "each has one optimizer.lr of its own: another may be better for some, and change the order"
    assert said in notes(found)


def test_a_best_rate_within_its_grid_needs_no_word(leave, tmp_path: Path) -> None:
    inner = {0.1: [0.6, 0.6], 0.2: [0.5, 0.5], 0.3: [0.6, 0.6]}
    assert notes(of({"Cosine": inner, "Step": inner}, leave, tmp_path)) == []


def test_one_schedule_alone_is_told(leave, tmp_path: Path) -> None:
    found = of({"Cosine": {0.1: [0.5], 0.2: [0.6]}}, leave, tmp_path)
    assert found.pairs == ()
    assert notes(found)[0] == "there is nothing to compare it with: give runs of another schedule too"


def test_unequal_numbers_of_rates_are_told(leave, tmp_path: Path) -> None:
    found = of({"Cosine": {0.1: [0.5], 0.2: [0.4], 0.3: [0.6]}, "Step": {0.1: [0.6], 0.2: [0.5]}}, leave, tmp_path)
    assert any("not all were tried at the same number of rates (cosine 3, step 2)" in note for note in notes(found))


def test_a_choice_that_hangs_on_the_seeds_is_told(leave, tmp_path: Path) -> None:
    # Rate 0.2 is better by 0.9 with one seed of three and worse by 0.4 with the others. It is chosen when that seed
    # comes at least once: 1 − (2/3)³ = 19/27 of the draws.
    found = of({"Cosine": {0.1: [1.0, 1.0, 1.0], 0.2: [0.1, 1.4, 1.4]}}, leave, tmp_path)
    assert found.candidates[0].sure == pytest.approx(19 / 27, abs=0.04)
    assert any(note.endswith(f"cosine 0.2 ({found.candidates[0].sure:.0%})") for note in notes(found))


def test_a_repeated_run_counts_once(leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, status=None, under="a")
    leave("Cosine", 0.1, 0, 0.5, under="b", name="again", device="cpu")
    (found,) = compare_paths([tmp_path]).comparisons
    assert found.candidates[0].values == {0: 0.5}
    told = "left out: 1 run with the config of another one but for device, which changes no result"
    assert told in notes(found)
    leave("Cosine", 0.1, 0, 0.5, under="c", name="once more", device="cpu")
    (found,) = compare_paths([tmp_path]).comparisons
    assert {"left out: 1 run with the config of another one, in another folder", told} <= set(notes(found))


def test_a_run_that_never_measured_the_metric_has_no_outcome(leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, metrics={"val/loss": 0.5, "val/accuracy": 0.9})
    leave("Cosine", 0.1, 1, metrics={"val/loss": 0.5})
    leave("Cosine", 0.1, 2, metrics={"val/loss": 0.5, "val/accuracy": None})  # measured, and not finite
    (found,) = compare_paths([tmp_path], "val/accuracy").comparisons
    assert found.candidates[0].values == {0: 0.9, 2: -math.inf}


def test_each_workload_is_compared_apart(leave, tmp_path: Path) -> None:
    for data in ("Digits", "MNIST"):
        for schedule in ("Cosine", "Step"):
            leave(schedule, 0.1, 0, 0.5, dataset___target_=f"lrsched.data.{data}")
    assert [found.name for found in compare_paths([tmp_path]).comparisons] == ["mlp digits", "mlp mnist"]


def test_a_metric_that_is_not_there_names_the_nearest(leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, metrics={"val/accuracy": 0.5, "val/loss": 0.1, "val/f": 0.1})
    with pytest.raises(ConfigError, match=r"--metric=val/acuracy: no finished run has it; did you mean 'val/accuracy'"):
        compare_paths([tmp_path], "val/acuracy")
    with pytest.raises(ConfigError, match="no result says whether more of it is better"):
        compare_paths([tmp_path], "val/f")
    assert compare_paths([tmp_path], "val/f", "max").metric.mode == "max"


def equal_candidates(random: np.random.Generator, number: int, seeds: int) -> list[Candidate]:
    """Candidates that differ by chance alone, at two rates each, sorted by their means."""
    both = random.normal(0, 1, seeds)  # what a seed brings to every candidate
    rows = []
    for name in range(number):
        rates = [Rate(lr, {}, values, values, ()) for lr in (1, 2) if (values := drawn(random, both))]
        best = min(rates, key=lambda rate: math.fsum(rate.choosing.values()))
        rows.append(Candidate(str(name), {}, tuple(rates), best, None))
    return sorted(rows, key=lambda row: row.mean)


def drawn(random: np.random.Generator, both: np.ndarray) -> dict[int, float]:
    return dict(enumerate((both + random.normal(0, 0.3, len(both))).tolist()))


@pytest.mark.parametrize(("number", "seeds", "sweeps"), [(2, 6, 1000), (4, 10, 300)])
def test_equal_schedules_are_hardly_ever_told_apart(number: int, seeds: int, sweeps: int) -> None:
    """Of a hundred sweeps of equal schedules, five may find a best one."""
    random = np.random.default_rng(2026)
    metric = Metric("val/loss", "min", "val/loss", "min")
    found = 0
    for _ in range(sweeps):
        pairs = compared(equal_candidates(random, number, seeds), metric)
        found += any(verdict(pair, "").kind == "better" for pair in pairs)
    assert found <= 0.05 * sweeps + 2.33 * math.sqrt(sweeps * 0.05 * 0.95)
    assert found > 0  # never to find anything would pass too


@pytest.mark.parametrize(
    ("changes", "metric", "note"),
    [
        (
            {"task__loss": "mae"},
            None,
            "for the rows differ in task.loss: compare a metric of all, --metric val/rmse",
        ),
        ({"task___target_": "lrsched.tasks.Binary"}, None, "for the rows differ in task: compare a metric of all"),
        ({"task__loss": "mae"}, "val/rmse", None),
        ({"task__label_smoothing": 0.2}, None, None),
        ({"scheduler__warmup": "2st"}, None, None),
    ],
    ids=["loss", "task", "another metric", "smoothing", "same task"],
)
def test_losses_of_different_tasks_are_not_compared_in_silence(leave, tmp_path: Path, changes, metric, note) -> None:
    usual = {"task___target_": "lrsched.tasks.Regression", "task__loss": "mse", "task__label_smoothing": 0.1}
    for more in (usual, {**usual, **changes}):
        for seed in (0, 1):
            folder = leave("Cosine", 0.1, seed, metrics={"val/loss": 0.5 + seed, "val/rmse": 2.0 + seed}, **more)
            file = folder / "result.json"
            file.write_text(json.dumps({**json.loads(file.read_text()), "better": {"loss": "min", "rmse": "min"}}))
    (comparison,) = compare_paths([tmp_path], metric).comparisons
    found = [said for said in notes(comparison) if "is not one measure" in said]
    assert (found[0].endswith(note) or note in found[0]) if note else not found


def test_runs_of_the_same_words_and_other_data_are_told_apart(leave, tmp_path: Path) -> None:
    for seed in (0, 1):
        leave("Cosine", 0.1, seed, 0.5, data="a" * 64)
    leave("Step", 0.1, 0, 0.25)  # of 0.1.0, which did not say
    leave("Exponential", 0.1, 0, 0.25, data="c" * 64, dataset__classes=3)  # of other words: another comparison
    alone = [notes(comparison) for comparison in compare_paths([tmp_path]).comparisons]
    assert "other data" not in str(alone)
    new = leave("Linear", 0.1, 0, 0.25, data="b" * 64)
    first = [notes(comparison)[0] for comparison in compare_paths([tmp_path]).comparisons]
    (told,) = [note for note in first if "other data" in note]
    assert told.startswith(f"same words, other data: SHA-256 {'a' * 12}… of 2 runs (")
    leave("Linear", 0.1, 1, 0.25, data="b" * 64, dataset__seed="${seed}", under="drawn")
    leave("Cosine", 0.1, 2, 0.25, data="c" * 64, dataset__seed="${seed}", under="drawn")
    drawn = [notes(comparison) for comparison in compare_paths([tmp_path / "drawn"]).comparisons]
    assert "other data" not in str(drawn)  # of each seed its own
    assert f", SHA-256 {'b' * 12}… of 1 run ({new.name}); what the config names has changed" in told
