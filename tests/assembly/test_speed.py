"""The keys that make an update faster: what they change, what they refuse, and that nothing else notices."""

from __future__ import annotations

import copy
import resource
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

import lrsched
from lrsched.assembly.speed.compiled import MOST_FORMS, compile_training
from lrsched.assembly.speed.layout import ChannelsLast
from lrsched.assembly.speed.malloc import can_keep, keep_memory, let_memory_go
from lrsched.data.transform import Transform
from lrsched.errors import ConfigError

WORDS = (
    "model=cnn",
    "dataset.batch_size=256",
    "trainer.epochs=2",
    "threads=1",
    "logger=none",
    "trainer.progress=false",
)


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def made(name: str, *words: str) -> lrsched.Run:
    return lrsched.run([*WORDS, f"name={name}", *words])


def test_images_are_ordered_and_equal_numbers_stay() -> None:
    x, y = torch.arange(24.0).reshape(1, 2, 3, 4), torch.zeros(1)
    ordered, target = ChannelsLast(Transform())((x, y))
    assert ordered.stride() == (24, 1, 8, 2)
    assert torch.equal(ordered, x)
    assert target is y


@pytest.mark.parametrize(
    "words", [["trainer.precision=bf16", "trainer.channels_last=true", "trainer.fused=true"]], ids=["bf16"]
)
@pytest.mark.slow
def test_equal_runs_and_a_resumed_one_have_equal_bits(words: Sequence[str]) -> None:
    cut = made("cut", *words, "average=ema", "sweep.until=5")
    assert cut.result["ended"] == "paused"
    rest = lrsched.run(["resume=outputs/cut", "sweep.until=null"])
    again = made("again", *words, "average=ema")
    assert rest.result["weights_sha256"] == again.result["weights_sha256"]
    assert rest.evaluate()["test/loss"] == again.result["metrics"]["test/loss"]
    assert rest.model().state_dict()["body.0.0.weight"].dtype == torch.float32


def test_the_order_in_memory_moves_no_hash() -> None:
    from lrsched.train.state import weights_sha256

    plain = nn.Conv2d(3, 4, 3)
    ordered = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    assert ordered.weight.stride() != plain.weight.stride()
    assert weights_sha256(ordered) == weights_sha256(plain)


def faults() -> int:
    """Pages that the system gives while large tensors come and go."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(2):
        torch.ones(9 * 2**20)  # above the 32 MiB up to which the C library may keep a block by itself
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not can_keep(), reason="another C library than GNU's")
def test_memory_is_kept_for_the_next_tensor_and_let_go_at_the_end() -> None:
    let_memory_go()
    given = faults()
    try:
        keep_memory()
        assert min(faults() for _ in range(4)) < given / 10
    finally:
        let_memory_go()
    assert faults() > given / 2


@pytest.mark.skipif(not can_keep(), reason="another C library than GNU's")
def test_a_run_in_python_keeps_no_memory_after_it() -> None:
    let_memory_go()
    given = faults()
    made("run", "trainer.steps=1", "trainer.keep_memory=true")
    assert faults() > given / 2


def test_what_changes_no_bit_is_in_no_hash() -> None:
    digests = [
        made(f"run{number}", "trainer.steps=2", word).result["config_sha256"]
        for number, word in enumerate(("trainer.keep_memory=false", "trainer.keep_memory=true", "trainer.fused=true"))
    ]
    assert digests[0] == digests[1] != digests[2]


class Counted(nn.Module):
    """Counts how often Python runs it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.calls = nn.Linear(3, 2), 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.compiler.is_compiling():
            self.calls += 1
        return self.linear(x).relu()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler")
def test_whole_batches_in_training_run_compiled_and_nothing_else() -> None:
    model = Counted()
    plain = copy.deepcopy(model)
    compile_training(model, 4)
    assert list(model.state_dict()) == list(plain.state_dict())
    assert copy.deepcopy(model)._compiled_call_impl is None
    x = torch.randn(4, 3)
    torch.testing.assert_close(model(x), plain(x))
    model(x)
    assert model.calls == 0
    model(torch.randn(2, 3))
    model.eval()(x)
    with torch.no_grad():
        model.train()(x)
    assert model.calls == 3
    for length in range(2, MOST_FORMS + 1):
        model(torch.randn(4, length, 3))
    with pytest.raises(ConfigError, match=r"trainer.compile=true: compiles each shape of a batch"):
        model(torch.randn(4, 100, 3))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler")
def test_a_compiled_run_goes_on_with_the_same_bits() -> None:
    words = ("trainer.compile=true", "trainer.precision=bf16", "trainer.channels_last=true")
    whole = made("whole", *words)
    made("cut", *words, "sweep.until=5")  # the last update of an epoch, which is a smaller one
    torch._dynamo.reset()
    rest = lrsched.run(["resume=outputs/cut", "sweep.until=null"])
    assert rest.result["weights_sha256"] == whole.result["weights_sha256"]
    rows = [Path(f"outputs/{name}/metrics.jsonl").read_bytes() for name in ("whole", "cut")]
    assert rows[0] == rows[1]
    assert rest.evaluate()["test/loss"] == whole.result["metrics"]["test/loss"]


BAD = {
    "word": (["trainer.channels_last=maybe"], "trainer.channels_last=maybe: must be true, false or auto"),
    "number": (["trainer.compile=1"], "trainer.compile=1: must be true, false or auto"),
    "null": (["trainer.fused=null"], "trainer.fused=null: must be true, false or auto"),
    "precision": (["trainer.precision=tf32"], "must be one of fp32, bf16, fp16, auto"),
    "tf32": (
        ["trainer.tf32=true", "device=cpu"],
        "trainer.tf32=true: is an arithmetic of NVIDIA's GPUs, and this run is on cpu; leave it out, or give device=",
    ),
    "mlp of rows": (
        ["trainer.channels_last=true", "model=mlp", "dataset=cancer", "task=binary"],
        "trainer.channels_last=true: orders images [B, C, H, W], and here a batch is [2, 30]; leave it out",
    ),
    "tokens": (
        ["trainer.channels_last=true", "model=gpt", "dataset=python_source", "task=language_model", "optimizer=adamw"],
        "trainer.channels_last=true: orders images [B, C, H, W], and here a batch is [2, 129]; leave it out",
    ),
    "no kernel": (["trainer.fused=true", "optimizer=muon"], "trainer.fused=true: Muon has no kernel for the whole"),
    "another kernel": (
        ["trainer.fused=true", "optimizer.foreach=true"],
        "trainer.fused=true: optimizer.foreach=true is another way; leave one of the two out",
    ),
    "contradiction": (["trainer.fused=true", "optimizer.fused=false"], "trainer.fused=true: optimizer.fused=false"),
    "no compiler": (
        ["trainer.compile=true"],
        "trainer.compile=true: needs a C++ compiler, and there is no missing++; install a compiler",
    ),
    "name": (["trainer.channel_last=true"], "trainer.channels_last"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_one_message_and_nothing_left(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words, message = BAD[name]
    monkeypatch.setenv("CXX", "missing++")
    with pytest.raises(ConfigError) as caught:
        lrsched.run([*WORDS, *words])
    assert message in str(caught.value)
    assert caught.value.exit_code == 2
    assert list(Path().iterdir()) == []
