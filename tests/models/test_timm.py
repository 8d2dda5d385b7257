"""timm's image models, without a network."""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lrsched.assembly.param_groups import layers
from lrsched.errors import ConfigError
from lrsched.models import Timm

timm = partial(pytest.importorskip, "timm", reason="no timm: pip install 'hydra-lrsched[timm]'")
COLOUR = (3, 32, 32)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbid sockets."""
    timm()

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def saved(path: Path, **options: Any) -> dict[str, Tensor]:
    """Weights of a small transformer for 7 classes, in a file."""
    torch.manual_seed(5)
    weights = timm().create_model("test_vit", **{"num_classes": 7, "img_size": (32, 32), **options}).state_dict()
    if path.suffix == ".safetensors":
        pytest.importorskip("safetensors.torch").save_file(weights, path)
    else:
        torch.save(weights, path)
    return weights


def test_it_is_timms_network() -> None:
    torch.manual_seed(3)
    ours = Timm(COLOUR, 7, name="test_resnet", options={"drop_path_rate": 0.5})
    state = torch.get_rng_state()
    torch.manual_seed(3)
    peer = timm().create_model("test_resnet", num_classes=7, drop_path_rate=0.5)
    assert torch.equal(state, torch.get_rng_state())  # trying the shapes has drawn nothing
    x = torch.rand(2, 3, 32, 32)
    torch.manual_seed(9)
    given = ours(x)
    torch.manual_seed(9)
    assert torch.equal(given, peer(x))


@pytest.mark.parametrize("name", ["test_vit", "test_resnet", "test_coatnet"])
@pytest.mark.parametrize("shape", [(1, 32, 32), (4, 64, 64)])
def test_channels_and_size_come_from_the_data(name: str, shape: tuple[int, int, int]) -> None:
    assert Timm(shape, outputs=5, name=name).train()(torch.rand(2, *shape)).shape == (2, 5)


@pytest.mark.parametrize("ending", [".pt", ".bin", ".safetensors"])
def test_weights_come_from_a_file(tmp_path: Path, ending: str) -> None:
    weights = saved(tmp_path / f"vit{ending}")
    model = Timm(COLOUR, 7, name="test_vit", pretrained=str(tmp_path / f"vit{ending}"))
    assert all(torch.equal(item, weights[name]) for name, item in model.network.state_dict().items())


def test_a_new_classifier_is_drawn_where_it_is_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    weights, path = saved(tmp_path / "vit.pt"), str(tmp_path / "vit.pt")
    with pytest.raises(ConfigError, match=r"head\.weight \[7, 64\] is \[10, 64\].*model.head=new draws"):
        Timm(COLOUR, 10, name="test_vit", pretrained=path)
    torch.manual_seed(3)
    model = Timm(COLOUR, 10, name="test_vit", pretrained=path, head="new")
    assert "drawn anew: head.bias, head.weight" in capfd.readouterr().err
    torch.manual_seed(3)
    fresh = timm().create_model("test_vit", num_classes=10, img_size=(32, 32)).state_dict()
    for name, item in model.network.state_dict().items():
        assert torch.equal(item, fresh[name] if name.startswith("head.") else weights[name])


def test_images_of_another_size_and_grey_ones(tmp_path: Path) -> None:
    """timm's rules: position embeddings are interpolated, and a grey image sees the sum over the colours."""
    weights = saved(tmp_path / "vit.pt")
    model = Timm((1, 64, 64), 7, name="test_vit", pretrained=str(tmp_path / "vit.pt"))
    network = model.network.state_dict()
    assert network["pos_embed"].shape == (1, 17, 64)
    torch.testing.assert_close(network["patch_embed.proj.weight"], weights["patch_embed.proj.weight"].sum(1, True))


def test_without_memory_no_file_is_read(tmp_path: Path) -> None:
    """As a preview builds it."""
    with torch.device("meta"):
        model = Timm(COLOUR, 7, name="test_vit", pretrained=str(tmp_path / "none.pt"))
    assert all(parameter.is_meta for parameter in model.parameters())


def test_layers_are_counted_as_timm_counts_them() -> None:
    found = layers(Timm(COLOUR, 7, name="test_vit"))
    assert found["network.pos_embed"] == found["network.patch_embed.proj.bias"] == 0
    assert [found[f"network.blocks.{n}.norm1.weight"] for n in range(6)] == [1, 2, 3, 4, 5, 6]
    assert found["network.norm.weight"] == 6
    assert found["network.head.weight"] == 7


WRONG: dict[str, tuple[tuple[int, int, int], dict[str, Any], str]] = {
    "a name mistyped": (
        COLOUR,
        {"name": "ResNet_18"},
        "^name=ResNet_18: .*; did you mean 'resnet18'",
    ),
    "a name on the hub": (COLOUR, {"name": "hf-hub:timm/resnet18"}, "is no model of timm; timm.list_models"),
    "a name in a folder": (COLOUR, {"name": "local-dir:net"}, "is no model of timm"),
    "weights that timm does not know": (COLOUR, {"name": "resnet18.a1_in2k"}, r"did you mean 'resnet18.a1_in1k'"),
    "an option mistyped": (COLOUR, {"options": {"drop_pth_rate": 0.1}}, r"^options=.*argument 'drop_pth_rate'"),
    "an option of the data": (
        COLOUR,
        {"options": {"num_classes": 5}},
        "^options.num_classes=5: .*the data",
    ),
    "a download": (COLOUR, {"options": {"pretrained": True}}, "give model.pretrained=FILE: nothing is downloaded"),
    "images too small": (
        (1, 8, 8),
        {"name": "levit_128s"},
        "cannot take images of 8x8 pixels .*model=cnn",
    ),
    "patches too large": ((1, 20, 20), {"name": "test_vit"}, "cannot take images of 20x20 pixels .*divisible by patch"),
    "no file": (
        COLOUR,
        {"pretrained": "none.pt"},
        "^pretrained=none.pt: is no file of .* nothing is",
    ),
    "another network's": (COLOUR, {"pretrained": "vit.pt"}, "they lack conv1.0.weight .*are they of this model"),
    "weights that timm cannot convert": (
        COLOUR,
        {"name": "test_vit", "pretrained": "flat.pt"},
        "^pretrained=flat.pt: .*timm cannot convert them for VisionTransformer .*are they of this model",
    ),
    "weights for channels that timm cannot convert": (
        (1, 32, 32),
        {"pretrained": "four.pt"},
        r"^pretrained=four.pt: .*timm cannot convert them for ResNet \(AssertionError\)",
    ),
    "no weights": (COLOUR, {"pretrained": "text.pt"}, "^pretrained=text.pt: cannot be read as data"),
    "a file of code": (COLOUR, {"pretrained": "code.py"}, "it must end in .safetensors or .pt$"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_is_refused(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    saved(Path("vit.pt"))
    torch.save({"pos_embed": torch.ones(3)}, "flat.pt")
    torch.save(timm().create_model("test_resnet", num_classes=7, in_chans=4).state_dict(), "four.pt")
    for name in ("text.pt", "code.py"):
        Path(name).write_text("hello", "utf-8")
    shape, given, words = WRONG[what]
    with pytest.raises(ConfigError, match=words):
        Timm(shape, 7, **{"name": "test_resnet", **given})


def test_without_timm_a_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(ConfigError, match=r"pip install 'hydra-lrsched\[timm\]'"):
        Timm(COLOUR, 7)


def test_a_run_that_goes_on_does_not_need_the_file(run_cli) -> None:
    words = ("model=timm", "model.name=test_vit", "trainer.epochs=1", "trainer.progress=false", "dataset=synthetic")
    words = (*words, "dataset.samples=200", "dataset.classes=7", "dataset.batch_size=64", "dataset.size=32")
    torch.save(timm().create_model("test_vit", num_classes=7, img_size=(32, 32), in_chans=1).state_dict(), "first.pt")
    began = ("model.pretrained=first.pt", "name=run")
    assert run_cli(*words, "name=whole", began[0]).code == 0
    assert run_cli(*words, *began, "sweep.until=1").code == 0
    Path("first.pt").unlink()
    ended = run_cli("resume=outputs/run", "sweep.until=null")
    assert ended.code == 0, ended.err
    assert ended.result()["weights_sha256"] == ended.result("whole")["weights_sha256"]
    assert run_cli("outputs/run", command="evaluate").code == 0
