"""Run folders written by hand, with any outcome."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

CONFIG = {
    "seed": 0,
    "name": "x",
    "device": "auto",
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.0},
    "scheduler": {"_target_": "lrsched.schedules.Cosine", "warmup": "0st"},
    "model": {"_target_": "lrsched.models.MLP", "hidden": [128]},
    "dataset": {"_target_": "lrsched.data.Digits", "root": "data", "batch_size": 64, "augment": {"crop": 0}},
    "trainer": {"epochs": 2, "progress": False},
    "checkpoint": {"every": "auto", "monitor": "val/loss", "mode": "min"},
}


def config(**changes: Any) -> dict[str, Any]:
    """The config above with other values; ``scheduler__warmup`` is ``scheduler.warmup``."""
    made = json.loads(json.dumps(CONFIG))
    for key, value in changes.items():
        *groups, last = key.split("__")
        node = made
        for group in groups:
            node = node.setdefault(group, {})
        node[last] = value
    return made


@pytest.fixture
def leave(tmp_path: Path) -> Callable[..., Path]:
    """``leave("Cosine", lr, seed, loss)`` makes a finished run folder; other arguments change its config or end."""

    def leave(
        schedule: str,
        lr: float,
        seed: int,
        loss: float | None = None,
        *,
        status: str | None = "finished",
        reason: str = "",
        metrics: Mapping[str, float | None] | None = None,
        rows: list[dict[str, float]] | None = None,
        under: str = "sweep",
        data: str | None = None,
        **changes: Any,
    ) -> Path:
        what = {"scheduler___target_": f"lrsched.schedules.{schedule}", "optimizer__lr": lr, "seed": seed, **changes}
        told = "_".join(f"{key.strip('_')}-{value}" for key, value in what.items()).replace("/", "-")
        folder = tmp_path / under / told.replace("lrsched.schedules.", "")
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(config(**what)), "utf-8")
        lines = [json.dumps(row) + "\n" for row in rows or []]
        (folder / "metrics.jsonl").write_text("".join(lines), "utf-8")
        if status is not None:
            measured = {"val/loss": loss} if metrics is None else metrics
            result = {"status": status, "reason": reason, "step": 12, "metrics": measured}
            made = {} if data is None else {"data_sha256": data}
            (folder / "result.json").write_text(json.dumps({**result, **made}), "utf-8")
        return folder

    return leave
