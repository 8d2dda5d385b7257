"""timm's image models, by name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from lrsched.console import say
from lrsched.errors import ConfigError, nearest, suggestion
from lrsched.models import checks
from lrsched.models.checks import ImageShape
from lrsched.models.files import read_weights
from lrsched.models.fit import misfits

TOLD = {
    "num_classes": "the data and the task tell it",
    "in_chans": "the data tell it",
    "img_size": "the data tell it",
    "pretrained": "give model.pretrained=FILE: nothing is downloaded",
    "pretrained_cfg": "give model.pretrained=FILE: nothing is downloaded",
    "pretrained_cfg_overlay": "give model.pretrained=FILE: nothing is downloaded",
    "checkpoint_path": "give model.pretrained=FILE",
    "cache_dir": "nothing is downloaded",
    "features_only": "an answer for each image is wanted",
}
"""Arguments of ``timm.create_model`` that are no options here, and why."""


class Timm(nn.Module):
    """Any image model of ``timm``, with one logit per class. Nothing is ever downloaded.

    The network is built for the images of the data: their channels, and their size where it is a part of the network,
    as in transformers. Building the model tries the image size on shapes alone.

    Args:
        input_shape: (C, H, W) of an image.
        classes: number of logits, unless ``outputs`` is given.
        outputs: how many numbers to give for an image, as the task asks.
        name: as ``timm.list_models()`` has it: ``resnet18``, ``vit_tiny_patch16_224``, ``convnext_atto``, …
        options: further arguments of this network, as ``{drop_path_rate: 0.1}``; None: none.
        pretrained: a file of weights on disk, ``.safetensors``, ``.pt``, ``.pth`` or ``.bin``; None: drawn at random.
            Position embeddings are brought to another image size, and the first convolution to other channels,
            by timm's own rules; every other weight must fit.
        head: ``keep`` the file's classifier, or take a ``new`` one, drawn at random.

    Raises:
        ConfigError: an unknown name or option, images too small for this network, weights that do not fit, or timm is
            not installed.

    References:
        https://huggingface.co/docs/timm
    """

    begins: ClassVar[tuple[str, ...]] = ("pretrained", "head")
    """Arguments that say which weights it begins with: a run that goes on has its own, and needs the file no more."""

    def __init__(
        self,
        input_shape: ImageShape,
        classes: int | None = None,
        *,
        outputs: int | None = None,
        name: str = "resnet18",
        options: Mapping[str, Any] | None = None,
        pretrained: str | None = None,
        head: Literal["keep", "new"] = "keep",
    ) -> None:
        super().__init__()
        channels, height, width = checks.image(input_shape)
        given: dict[str, Any] = {"num_classes": checks.outputs(classes, outputs), "in_chans": channels}
        timm, options = _timm(name), options or {}
        for key, reason in TOLD.items():
            if key in options:
                raise ConfigError(f"options.{key}", options[key], "is no option", reason)
        known = timm.get_pretrained_cfg(name, allow_unregistered=True)
        if known is not None and known.fixed_input_size:  # the network takes an argument for it
            given["img_size"] = (height, width)
        try:
            self.network: nn.Module = timm.create_model(name, pretrained=False, **given, **options)
            _try_shapes(self.network, channels, height, width)
        except TypeError as error:
            if "unexpected keyword argument" not in str(error):
                raise
            rule = f"holds what {name} does not take ({str(error).splitlines()[0]})"
            raise ConfigError("options", dict(options), rule, "see the signature of its class in timm") from error
        except (AssertionError, RuntimeError, ValueError, ZeroDivisionError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            beside = f" with {', '.join(options)}" if options else ""
            rule = f"cannot take images of {height}x{width} pixels{beside} ({reason})"
            remedy = "take a network for smaller images, or model=cnn, model=resnet9 or model=resnet18"
            raise ConfigError("name", name, rule, remedy) from error
        if pretrained is not None and torch.get_default_device().type != "meta":
            _load(self.network, pretrained, new_head=head == "new")

    def forward(self, x: Tensor) -> Tensor:
        """x float32 [B, C, H, W] to logits [B, classes] or [B, outputs]."""
        return self.network(x)

    def layer_numbers(self) -> dict[str, int]:
        """The layer of each parameter by name, 0 at the input, as timm counts them for layer decay."""
        from timm.models import group_parameters

        told: Any = self.network
        found: Any = group_parameters(told, told.group_matcher(coarse=False), reverse=True)
        return {f"network.{name}": number for name, number in found.items()}


def _timm(name: str) -> ModuleType:
    """The package, after a check that it has a model of that name: one that names a place would be fetched."""
    try:
        import timm  # slow to import
    except ImportError as error:
        raise ConfigError(
            "name", name, "needs timm, which is not installed", "pip install 'hydra-lrsched[timm]'"
        ) from error
    known = timm.list_models()
    if name.partition(".")[0] not in known:
        raise ConfigError("name", name, "is no model of timm", _nearest(name.lower(), known))
    if "." in name and name not in timm.list_models(pretrained=True):
        tags = [word for word in timm.list_models(pretrained=True) if word.partition(".")[0] == name.partition(".")[0]]
        raise ConfigError("name", name, "is no model of timm", nearest(name, tags))
    return timm


def _nearest(name: str, known: list[str]) -> str:
    """The nearest name; where none is near, where all of them are."""
    return suggestion(name, known) or f"timm.list_models() lists all {len(known)}"


def _try_shapes(network: nn.Module, channels: int, height: int, width: int) -> None:
    """Run two images through the network on the meta device, which computes shapes alone."""
    state = {key: value.to("meta") for key, value in (*network.named_parameters(), *network.named_buffers())}
    torch.func.functional_call(network, state, torch.empty(2, channels, height, width, device="meta"))


def _load(network: nn.Module, pretrained: str, *, new_head: bool) -> None:
    """Put the weights of a file into a network.

    Raises:
        ConfigError: they do not fit.
    """
    path, told = Path(pretrained), _about(network)
    if not path.is_file():
        rule = "is no file of weights on disk, and nothing is downloaded"
        raise ConfigError("pretrained", pretrained, rule, "get it first, as by timm.create_model(…, pretrained=True)")
    weights: dict[str, Any] = dict(read_weights(path, "pretrained"))
    try:
        weights = _converted(network, weights)
    except Exception as error:  # timm's conversions look for the names and shapes of their own weights
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        rule = f"its weights do not fit: timm cannot convert them for {type(network).__name__} ({reason})"
        raise ConfigError("pretrained", pretrained, rule, "are they of this model, and for such images?") from error
    live, heads = network.state_dict(), told["classifier"]
    head = {name for name in live if name.startswith(heads)} if new_head else set[str]()
    if new_head and not head:
        raise ConfigError("head", "new", f"{type(network).__name__} has no classifier of its own", "leave it out")
    left = sorted(name for name in weights if name.startswith(heads)) if new_head else []
    taken = {name: item for name, item in weights.items() if name not in left} | {name: live[name] for name in head}
    complaint = misfits(taken, network)
    if complaint:
        fits = not misfits({**taken, **{name: live[name] for name in live if name.startswith(heads)}}, network)
        remedy = "model.head=new draws a new classifier" if fits and heads else "are they of this model?"
        raise ConfigError("pretrained", pretrained, f"its weights do not fit: {complaint}", remedy)
    network.load_state_dict(taken)
    if new_head:
        anew = ", ".join(sorted(head))
        say(f"model.pretrained={pretrained}: {len(taken) - len(head)} weights taken; drawn anew: {anew}")


def _about(network: nn.Module) -> dict[str, tuple[str, ...]]:
    """How the names of the classifier's weights and of the first convolution begin, as the network says."""
    told: Any = getattr(network, "pretrained_cfg", None) or {}
    found = {}
    for part in ("classifier", "first_conv"):
        names = told.get(part) or ()
        found[part] = tuple(f"{name}." for name in ([names] if isinstance(names, str) else names))
    return found


def _converted(network: nn.Module, weights: dict[str, Any]) -> dict[str, Any]:
    """Weights as this network has them: by its own module's conversion, and for its own number of channels."""
    from timm.models import adapt_input_conv

    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if convert is not None:
        weights = dict(convert(weights, network))
    live = network.state_dict()
    for name in (f"{first}weight" for first in _about(network)["first_conv"]):
        item = weights.get(name)
        if isinstance(item, Tensor) and name in live and item.ndim == 4 and item.shape[1] != live[name].shape[1]:
            weights[name] = adapt_input_conv(live[name].shape[1], item)
    return weights
