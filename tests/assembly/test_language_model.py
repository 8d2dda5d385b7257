"""A language model on bytes is a bare loop, is killed and resumed, and shares its trunk, to the last bit."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from lrsched.data import PythonSource
from lrsched.data.loader import order
from lrsched.data.split import split
from lrsched.models import GPT
from lrsched.seeds import key
from tests.helpers.compare_runs import differences
from tests.helpers.faults import kill_after_save
from tests.helpers.runs import KILLED, folder, resume, run

DATA = {"context": 16, "stride": 400, "megabytes": 0.2}
MODEL = {"layers": 2, "heads": 2, "width": 16}
TINY = (
    "experiment=bytes",
    *(f"dataset.{name}={value}" for name, value in DATA.items()),
    "dataset.batch_size=8",
    *(f"model.{name}={value}" for name, value in MODEL.items()),
    "scheduler.warmup=2st",
    "trainer.progress=false",
    "threads=1",
    "logger=none",
)


def test_it_is_a_bare_loop_to_the_last_bit(run_cli) -> None:
    ended = run_cli(*TINY, "trainer.steps=30", "trainer.log_every=1st", "trainer.evaluate_every=100%", "name=run")
    assert ended.code == 0, ended.err
    rows = [row for row in ended.rows() if "train/loss" in row]
    parts = split(PythonSource(**DATA).load(), validation=0.03, test=0.1, seed=0)
    (tokens,) = parts.train
    torch.manual_seed(key(0, "init"))
    model = GPT(256, 16, **MODEL, positions="rotary", std=0.06)
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.1},
            {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=2e-3,
        betas=(0.9, 0.95),
    )
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    losses, rates, norms = [], [], []
    warmup, decay = 2, 12  # 40 % of 30
    for step, numbers in enumerate(order(0, 0, len(tokens)).split(8)[:30]):
        rate = 2e-3 * min(1.0, (step + 1) / warmup, (30 - step) / decay)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = tokens[numbers].long()
        loss = cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(trained, 1.0)))
        optimizer.step()
        losses.append(loss.item())
        rates.append(rate)
    assert len(losses) == 30
    assert [row["lr/default"] for row in rows] == pytest.approx(rates, rel=1e-12)
    assert [row["train/loss"] for row in rows] == losses
    assert [row["grad_norm"] for row in rows] == norms
    (held,) = parts.test
    with torch.inference_mode():
        logits = model.eval()(held[:, :-1]).flatten(0, 1)
        total = float(cross_entropy(logits.double(), held[:, 1:].flatten().long(), reduction="sum"))
    metrics = ended.result()["metrics"]
    assert metrics["test/bits_per_byte"] == pytest.approx(total / held[:, 1:].numel() / math.log(2), rel=1e-6)
    assert set(metrics) == {f"{part}/{name}" for part in ("val", "test") for name in ended.result()["better"]}
    assert ended.result()["better"] == {"loss": "min", "perplexity": "min", "bits_per_byte": "min"}


def test_it_is_stopped_and_resumed(run_cli) -> None:
    options = (*TINY, "trainer.steps=12", "model.dropout=0.1", "trainer.log_every=1st")
    whole = run_cli(*options, "name=whole")
    assert whole.code == 0, whole.err
    assert run_cli(*options, "name=cut", "sweep.until=7").code == 0
    assert run_cli("resume=outputs/cut", "sweep.until=null").code == 0
    assert whole.result("cut")["weights_sha256"] == whole.result("whole")["weights_sha256"]
    assert whole.rows("cut") == whole.rows("whole")


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_it_is_killed_and_resumed(tmp_path: Path, positions: str, accumulate: int) -> None:
    options = (
        *TINY[:-1],
        "logger=[csv]",
        "name=run",
        "trainer.steps=12",
        "model.dropout=0.1",
        f"model.positions={positions}",
        f"trainer.accumulate={accumulate}",
        "checkpoint.every=2st",
    )
    assert run(tmp_path / "whole", *options).code == 0
    killed = tmp_path / "killed"
    assert run(killed, *options, faults=[partial(kill_after_save, 4)]).code == KILLED
    assert resume(killed, faults=[partial(kill_after_save, 10)]).code == KILLED
    ended = resume(killed)
    assert ended.code == 0, ended.said
    assert not differences(folder(tmp_path / "whole"), folder(killed))


@pytest.mark.slow
def test_cooldowns_share_their_trunk(run_cli) -> None:
    """Horizons of 20 and 30 steps, decays of 20 and 40 %: forks at 12, 16 and 18."""
    options = (*TINY, "-m", "trainer.steps=20,30", "scheduler.decay=20%,40%")
    often = ("trainer.evaluate_every=100%", "trainer.log_every=1st")
    shared = run_cli(*options, *often, "name=shared")
    assert shared.code == 0, shared.err
    record = json.loads((shared.cwd / "outputs" / "shared" / "sweep.json").read_text("utf-8"))
    assert (record["steps_asked"], record["steps_trained"]) == (100, 100 - 12 - 16 - 18)
    alone = run_cli(*options, *often, "name=alone", "sweep.share=false")
    assert alone.code == 0, alone.err
    names = sorted(path.parent.name for path in (shared.cwd / "outputs" / "shared").glob("*/result.json"))
    assert len(names) == 4
    for name in names:
        one, other = (shared.result(f"{sweep}/{name}") for sweep in ("shared", "alone"))
        assert one["weights_sha256"] == other["weights_sha256"]
        assert one["metrics"] == other["metrics"]
        assert shared.rows(f"shared/{name}") == shared.rows(f"alone/{name}")


BAD = [
    (["dataset.context=9000", "dataset.megabytes=0.01"], "dataset.megabytes=0.01: gives windows of "),
    (["dataset.context=100000000"], "dataset.megabytes=0.2: gives windows of 0 modules"),
    (["model.heads=3"], "model.heads=3: must divide the width 16, which the heads share"),
    (["+model.context=8"], "16 tokens, and the model was made for at most 8"),
    (["+model.vocabulary=300"], "gives a tensor of float32 of shape [2, 16, 300], and logits are wanted"),
    (["task=classification"], "train: has no target"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_what_cannot_be_is_one_message(run_cli, words: list[str], message: str) -> None:
    ended = run_cli(*TINY, "name=run", *words)
    assert ended.code == 2, ended.err
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not (ended.cwd / "outputs").exists()


OTHERS = [
    (["dataset=text", "dataset.path=t.txt"], "t.txt: 9 bytes are no window of dataset.context=128 and the byte "),
    (["dataset=text", "dataset.path=t.txt", "dataset.context=3"], "dataset.test=0.2: holds out 0 of 2 samples"),
    (["dataset=digits"], "tokens must be whole numbers [samples, context], not uint8 [1797, 1, 8, 8]"),
    (["dataset=digits", "task=classification"], "model.vocabulary: GPT needs this argument"),
    (
        ["dataset=python_source", "model=mlp"],
        "model=lrsched.models.MLP: cannot be called with a batch of",
    ),
]


@pytest.mark.parametrize(("words", "message"), OTHERS, ids=[" ".join(words) for words, _ in OTHERS])
def test_a_model_of_language_needs_language(run_cli, words: list[str], message: str) -> None:
    Path("t.txt").write_bytes(b"too short")
    ended = run_cli("task=language_model", "model=gpt", "name=run", "trainer.progress=false", *words)
    assert ended.code == 2, ended.err
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not (ended.cwd / "outputs").exists()
