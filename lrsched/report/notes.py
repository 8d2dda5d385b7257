"""Notes on a comparison: how the rates were chosen, what is missing, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lrsched.records import AVERAGE
from lrsched.report.baseline import baseline
from lrsched.report.candidates import RATE
from lrsched.report.compare import Comparison
from lrsched.report.format import of_seeds
from lrsched.report.rates import Candidate
from lrsched.report.runs import USED, RunRecord
from lrsched.report.verdict import sentences
from lrsched.units import count, metric_of

TRAINED = {"task.label_smoothing"}
"""Keys of tasks that change what is trained by, and not what is measured."""

SURE = 0.9
"""A rate that resampled seeds choose again less often than this is called seed-dependent."""


def notes(comparison: Comparison) -> list[str]:
    """Sentences, the most important first."""
    return [
        *_other_data(comparison),
        *_used(comparison),
        *_another_measure(comparison),
        *_another_monitor(comparison),
        *_nothing_to_compare(comparison),
        *_incomplete(comparison),
        *_edges(comparison),
        *_unequal(comparison),
        *_seed_dependent(comparison),
        *_rows(comparison),
        *_left_out(comparison),
    ]


def verdicts(comparison: Comparison) -> list[str]:
    """The best against each other, or what alone is left at the end of a halving; and then the baseline."""
    best, *others = comparison.candidates
    alone = (
        [f"{best.name} at {best.best.lr} is what is left of {count(1 + len(others), 'row')}"]
        if (best.best and others and not comparison.pairs)
        else []
    )
    return [*(sentences(comparison.pairs, comparison.unit()) or alone), *baseline(comparison)]


def how_chosen(comparison: Comparison) -> str:
    """How the rates were chosen, and how that biases the comparison."""
    rows, metric = comparison.candidates, comparison.metric
    if any(rate.dropped for row in rows for rate in row.rates):
        left = [row for row in rows if row.best is not None]
        marked = ", and only the marked one is left to compare" if len(left) == 1 < len(rows) else ""
        return f"Chosen by successive halving: dropped runs have no final value{marked}."
    each = "Each at its" if len(rows) > 1 else "At its"
    chosen = f"{each} best learning rate, the one with the best mean {metric.chosen_by} over its seeds."
    if metric.chosen_by == metric.name:
        chosen += " One number chooses and compares, so the best looks a little better than it is."
    return chosen


def _other_data(comparison: Comparison) -> Iterator[str]:
    """Runs of the same words whose data were not the same: a config names data, and what lies there may change."""
    if any("${" in str(value) for key, value in comparison.workload.items() if key.startswith("dataset.")):
        return  # of a seed, perhaps: then each has data of its own
    made: dict[str, list[RunRecord]] = {}
    for row in comparison.candidates:
        for run in (run for rate in row.rates for run in rate.runs.values() if run.data is not None):
            made.setdefault(str(run.data), []).append(run)
    if len(made) > 1:
        groups = sorted(made.items(), key=lambda group: -len(group[1]))
        told = (f"SHA-256 {data[:12]}… of {count(len(runs), 'run')} ({_first(runs)})" for data, runs in groups)
        yield (
            f"same words, other data: {', '.join(told)}; what the config names has changed in between, and numbers of "
            "one part say nothing about the other: make the older runs anew under another name"
        )


def _first(runs: Sequence[RunRecord]) -> str:
    return f"{runs[0].path.name}, …" if len(runs) > 1 else runs[0].path.name


def _used(comparison: Comparison) -> Iterator[str]:
    """What a metric of the weights that are used is."""
    name = comparison.metric.name
    if f"/{USED}" in name:
        average, plain = name.replace(USED, AVERAGE), name.replace(USED, "")
        have = [row.name for row in comparison.candidates if average in row.metrics]
        yield (
            f"{name} is {average} of {', '.join(have) or 'no row'}, and {plain} of the others, which have no average; "
            f"--metric {plain} compares the weights as they are trained"
        )


def _another_measure(comparison: Comparison) -> Iterator[str]:
    """Rows of different tasks or losses: which of their numbers can be compared."""
    name, rows = comparison.metric.name, comparison.candidates
    keys = {key.removesuffix("._target_") for row in rows for key in row.entries if key.startswith("task.")} - TRAINED
    if metric_of(name) == "loss" and keys:
        part = f"{name.partition('/')[0]}/"
        shared = [other for other in rows[0].metrics if all(other in row.metrics for row in rows)]
        better = next((other for other in shared if other.startswith(part) and other != name), None)
        remedy = f": compare a metric of all, --metric {better}" if better else ""
        yield f"{name} is not one measure here, for the rows differ in {', '.join(sorted(keys))}{remedy}"


def _another_monitor(comparison: Comparison) -> Iterator[str]:
    """Runs that are compared, beside those of another problem, on another metric than the one they monitor."""
    name = comparison.metric.chosen_by
    runs = [run for row in comparison.candidates for rate in row.rates for run in rate.runs.values() if run.finished]
    own = {str(run.config.get("checkpoint.monitor")) for run in runs}
    if len(own) == 1 and f"/{USED}" not in name and not own & {name, "None"}:
        (monitor,) = own
        if all(monitor in run.metrics for run in runs):
            yield f"these runs monitor {monitor}, and are compared on {name}: --metric {monitor} takes theirs"


def _nothing_to_compare(comparison: Comparison) -> Iterator[str]:
    if len(comparison.candidates) == 1 and not comparison.unread:  # an unread run may be another candidate
        yield "there is nothing to compare it with: give runs of another schedule too"


def _is_incomplete(comparison: Comparison) -> bool:
    return bool(comparison.unread) or any(row.incomplete for row in comparison.candidates)


def _incomplete(comparison: Comparison) -> Iterator[str]:
    """Which rates lack runs; with these, notes on the rates tried would be premature."""
    chosen_by = comparison.metric.chosen_by
    for paused, why in ((False, "incomplete"), (True, "paused before their end")):
        lacking = []
        for row in comparison.candidates:
            found = [rate for rate in row.rates if rate.incomplete and rate.paused is paused]
            if found:
                rates = [f"{rate.lr} ({of_seeds(rate.lacking)})" for rate in found]
                lacking.append(f"{row.name} at {', '.join(rates)}")
        if lacking:
            yield f"{why}: there is no {chosen_by} of {'; '.join(lacking)}; such a rate is not eligible"
    if comparison.unread:
        asked = {item for run in comparison.unread for item in run.overrides if item.lstrip("+").startswith(f"{RATE}=")}
        rates = f" (among them {', '.join(sorted(asked))})" if asked else ""
        yield f"incomplete: {count(len(comparison.unread), 'run')} left nothing that can be compared{rates}"


def _edges(comparison: Comparison) -> Iterator[str]:
    if comparison.unread:
        return
    for edge, direction in (("largest", "larger"), ("smallest", "smaller")):
        there = [(row.name, row.best) for row in comparison.candidates if row.best and row.edge == edge]
        if there:
            named = ", ".join(f"{name} {best.lr}" for name, best in there)
            keys = " and ".join(dict.fromkeys(best.key for _, best in there))
            yield f"the best rate is the {edge} tried ({named}): widen the sweep to {direction} {keys}"


def _unequal(comparison: Comparison) -> Iterator[str]:
    tried = {row.name: sum(rate.tried for rate in row.rates) for row in comparison.candidates}
    several = set(tried.values()) - {0}
    if several == {1} and not _is_incomplete(comparison):
        only = [rate for row in comparison.candidates for rate in row.rates if rate.tried]
        keys = " or ".join(sorted({rate.key for rate in only}))
        which = (
            f"only one {keys} was tried" if len({rate.lr for rate in only}) == 1 else f"each has one {keys} of its own"
        )
        yield f"{which}: another may be better for some, and change the order"
    elif len(several) > 1 and not _is_incomplete(comparison):
        numbers = ", ".join(f"{name} {number}" for name, number in tried.items())
        yield f"not all were tried at the same number of rates ({numbers}): more rates, more chances"
    sizes = {len(row.values) for row in comparison.candidates if row.best}
    if len(sizes) > 1:
        yield "not all have the same number of seeds: means are over a row's own seeds, comparisons over shared ones"


def _seed_dependent(comparison: Comparison) -> Iterator[str]:
    rates = [
        f"{row.name} {row.best.lr} ({row.sure:.0%})"
        for row in comparison.candidates
        if row.best is not None and row.sure is not None and row.sure < SURE
    ]
    if rates:
        yield f"the best rate is seed-dependent; resampled seeds choose it again only this often: {', '.join(rates)}"


def _rows(comparison: Comparison) -> Iterator[str]:
    for row in comparison.candidates:
        dropped = ", ".join(str(rate.lr) for rate in row.rates if rate.dropped)
        if dropped:
            yield f"{row.name} at {dropped}: dropped by successive halving"
        elif row.best is None and any(rate.choosing for rate in row.rates):
            yield f"{row.name}: every run that has ended diverged"
        elif row.best is None:
            yield f"{row.name}: no run has finished"
        if row.best is not None:
            yield from _diverged(row)
            if row.best.incomplete:
                lacking = of_seeds(row.best.lacking)
                yield f"{row.name}: no rate with a finite value has all runs; {row.best.lr} is shown without {lacking}"


def _diverged(row: Candidate) -> Iterator[str]:
    for rate in row.rates:
        if rate.diverged:
            yield f"{row.name} diverged at {rate.lr} with {rate.diverged} of {count(len(rate.choosing), 'seed')}"


def _left_out(comparison: Comparison) -> Iterator[str]:
    """Repeated runs, and the keys in which they differ: none of them changes a result."""
    same = [keys for _, keys in comparison.repeated if not keys]
    if same:
        yield f"left out: {count(len(same), 'run')} with the config of another one, in another folder"
    others = [keys for _, keys in comparison.repeated if keys]
    if others:
        keys = ", ".join(sorted({key for keys in others for key in keys}))
        number = count(len(others), "run")
        yield f"left out: {number} with the config of another one but for {keys}, which changes no result"
