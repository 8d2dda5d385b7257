"""What a run came to: the content of ``result.json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from lrsched.app.build import Parts
from lrsched.checkpoint import Store
from lrsched.checkpoint.store import load
from lrsched.train.evaluate import evaluate
from lrsched.train.loop import Outcome
from lrsched.train.state import weights_sha256


def result_of(parts: Parts, outcome: Outcome, about: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a run as it stands, whatever its end; nothing is evaluated for it.

    Args:
        parts: of the run.
        outcome: how it ended.
        about: config hash and fingerprint.
    """
    state = parts.state
    epochs = state.step / parts.horizon.steps_per_epoch
    return {
        "status": outcome.status,
        "reason": outcome.reason,
        "step": state.step,
        "epoch": epochs,
        "metrics": dict(state.metrics),
        "best": {"step": state.best.step, **state.best.metrics},
        "weights_sha256": weights_sha256(state.model),
        "train_seconds": state.seconds,
        "samples_per_second": parts.loader.samples * epochs / state.seconds if state.seconds else None,
        "skipped": state.skipped,
        **about,
    }


def with_test(result: dict[str, Any], parts: Parts, store: Store) -> dict[str, Any]:
    """The result of a finished run with what the test part says of its final and of its best weights.

    The test part is looked at here and nowhere else: once, when nothing can be chosen by it any more.
    """
    look = partial(evaluate, parts.state.model, parts.test, parts.precision, "test")
    final = look()
    same = parts.state.best.step == parts.state.step
    best = final if same else _by_best_weights(parts, store, look)
    return {**result, "metrics": {**result["metrics"], **final}, "best": {**result["best"], **best}}


def _by_best_weights(parts: Parts, store: Store, look: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What the best checkpoint's weights reach; the final ones are put back."""
    model = parts.state.model
    for checkpoint in store.committed():
        if checkpoint.step == parts.state.best.step:
            final = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            model.load_state_dict(load(checkpoint)["model"])
            metrics = look()
            model.load_state_dict(final)
            return metrics
    return {}
