"""Build a network of transformers from a config, or load it from a folder: offline, and without a line of its code."""

from __future__ import annotations

import inspect
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from lrsched.console import say
from lrsched.errors import UNSET, ConfigError, nearest, suggestion

AUTO = {
    "sequence-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
    "multiple-choice": "AutoModelForMultipleChoice",
    "question-answering": "AutoModelForQuestionAnswering",
    "causal-lm": "AutoModelForCausalLM",
    "masked-lm": "AutoModelForMaskedLM",
    "seq2seq-lm": "AutoModelForSeq2SeqLM",
    "image-classification": "AutoModelForImageClassification",
    "audio-classification": "AutoModelForAudioClassification",
    "video-classification": "AutoModelForVideoClassification",
}
"""What a model is for, in plain words, and the class of transformers that builds it."""

LABELLED = [name for name in AUTO if name.endswith("-classification")]
"""Kinds whose head has an output a class."""

FOREIGN = ("auto_map", "trust_remote_code", "name_or_path", "_name_or_path")
"""Keys of a config that name code or a place to fetch from."""


def network(
    auto: str, config: str | Mapping[str, Any] | None, told: Mapping[str, Any], *, pretrained: bool, new_head: bool
) -> nn.Module:
    """A network in training mode.

    Args:
        auto, config, pretrained: as for :class:`lrsched.models.HF`.
        told: what the data tell, by the keys of a config.
        new_head: draw at random what the weights of a folder lack.

    Raises:
        ConfigError: as for :class:`lrsched.models.HF`.
    """
    transformers = _transformers(auto)
    if config is None:
        rule = "says which network to build"
        raise ConfigError("config", None, rule, "give a FOLDER, or {model_type: bert, hidden_size: 32, …}")
    if pretrained and not isinstance(config, str):
        raise ConfigError("pretrained", True, "needs a folder with weights", "give model.config=FOLDER")
    if auto in LABELLED and "num_labels" not in told and not isinstance(config, str) and "num_labels" not in config:
        rule = "needs the number of labels, and neither task nor data tell"
        remedy = "give +dataset.facts.classes=NUMBER, or num_labels in model.config (1: a regression)"
        raise ConfigError("auto", auto, rule, remedy)
    with _quiet(transformers):
        made = _in_folder(transformers, config, told) if isinstance(config, str) else _made(transformers, config, told)
        if hasattr(made, "use_cache"):  # of keys and values, for writing a token at a time
            made.use_cache = False
        cls = _class(transformers, made, auto)
        if pretrained and torch.get_default_device().type != "meta":
            found = _loaded(cls, str(config), made, auto, new_head=new_head)
        else:
            found = _built(cls, made, auto)
        getattr(found, "loss_function", None)  # warns of itself, once
    return found.train()


def _transformers(auto: str) -> ModuleType:
    try:
        import transformers  # slow to import
    except ImportError as error:
        rule, remedy = "needs transformers, which is not installed", "pip install 'hydra-lrsched[hf]'"
        raise ConfigError("auto", auto, rule, remedy) from error
    return transformers


@contextmanager
def _quiet(transformers: ModuleType) -> Generator[None]:
    """Let transformers say nothing while a model is built: what matters is said here."""
    log: Any = transformers.utils.logging
    before, bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity(log.CRITICAL)
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(before)
        if bar:
            log.enable_progress_bar()


def _made(transformers: ModuleType, asked: Mapping[str, Any], told: Mapping[str, Any]) -> Any:
    """The config object of a mapping, with what the data tell.

    Raises:
        ConfigError: a type, a key or a value that transformers does not know.
    """
    known = sorted(transformers.CONFIG_MAPPING.keys())
    kind = asked.get("model_type", UNSET)
    if not isinstance(kind, str) or kind not in known:
        rule = "must name a type of transformers" if kind is UNSET else "is no type of transformers"
        remedy = "" if kind is UNSET else suggestion(str(kind), known)
        raise ConfigError("config.model_type", kind, rule, remedy or "as bert, distilbert, gpt2, llama, vit, …")
    cls = transformers.CONFIG_MAPPING[kind]
    keys = _keys(cls)
    given = {name: value for name, value in asked.items() if name != "model_type"}
    for name, value in given.items():
        if name not in keys:
            raise ConfigError(f"config.{name}", value, f"is no key of a config of {kind}", nearest(name, keys))
    if given.get("num_labels", told.get("num_labels")) != told.get("num_labels", given.get("num_labels")):
        rule = f"the task and the data want {told['num_labels']}"
        raise ConfigError("config.num_labels", given["num_labels"], rule, "leave it out")
    try:
        return cls(**{**{name: value for name, value in told.items() if name in keys}, **given})
    except Exception as error:  # each class checks its own values, in its own way
        rule = f"transformers refuses it: {_words(error)}"
        shown = ", ".join(f"{name}: {value}" for name, value in asked.items())
        raise ConfigError("config", f"{{{shown}}}", rule) from error


def _keys(cls: Any) -> set[str]:
    """What a class of configs takes; any other key it would keep, and not use."""
    try:
        blank = cls()
        more = {*blank.to_dict(), *blank.attribute_map}
    except Exception:  # one that is made of other configs
        more = set[str]()
    return {*inspect.signature(cls).parameters, *more, "num_labels"} - {*FOREIGN, "model_type", "kwargs"}


def _in_folder(transformers: ModuleType, folder: str, told: Mapping[str, Any]) -> Any:
    """The config object in a folder, with the data's number of labels.

    Raises:
        ConfigError: there is none, or it cannot be read.
    """
    file = Path(folder) / "config.json"
    if not file.is_file():
        rule = "is no folder with a config.json, and nothing is downloaded"
        raise ConfigError("config", folder, rule, "get it first: hf download NAME --local-dir FOLDER")
    try:
        kind = json.loads(file.read_text("utf-8")).get("model_type")
        if kind not in transformers.CONFIG_MAPPING:
            rule = f"holds a model of type {kind}, which is none of transformers; code that lies beside it is never run"
            raise ConfigError("config", folder, rule)
        found = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except ConfigError:
        raise
    except Exception as error:  # whatever a damaged file makes of it
        raise ConfigError("config", folder, f"transformers cannot read its config.json: {_words(error)}") from error
    if "num_labels" in told:
        found.num_labels = told["num_labels"]
    return found


def _class(transformers: ModuleType, config: Any, auto: str) -> Any:
    """The class of transformers that builds such networks.

    Raises:
        ConfigError: it has none of this type.
    """
    has = [name for name, cls in AUTO.items() if type(config) in getattr(transformers, cls)._model_mapping]
    if auto not in has:
        rule = f"there is no such model of type {config.model_type}"
        raise ConfigError("auto", auto, rule, f"known are: {', '.join(has)}")
    return getattr(transformers, AUTO[auto])


def _built(cls: Any, config: Any, auto: str) -> nn.Module:
    """A network with weights drawn at random, from torch's generator."""
    try:
        return cls.from_config(config, dtype=torch.float32, trust_remote_code=False)
    except Exception as error:
        raise _refused(config, auto, error) from error


def _loaded(cls: Any, folder: str, config: Any, auto: str, *, new_head: bool) -> nn.Module:
    """A network with the weights of a folder.

    Raises:
        ConfigError: there are none, or they do not fit.
    """
    if not any(Path(folder).glob("*.safetensors")):
        rule = "holds no weights as safetensors; others are not read"
        raise ConfigError("config", folder, rule, "write them by save_pretrained, or leave model.pretrained out")
    try:
        network, told = cls.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:
        raise _refused(config, auto, error) from error
    lacking = sorted(told["missing_keys"])
    other = sorted(str(item[0]) if isinstance(item, (tuple, list)) else str(item) for item in told["mismatched_keys"])
    unknown = sorted(told["unexpected_keys"])
    anew = sorted({*lacking, *other})
    every = {name for name, _ in network.named_parameters()}
    words = [
        f"{what} {_listed(names)}"
        for what, names in (("it lacks", lacking), ("in another shape:", other), ("the model has no", unknown))
        if names
    ]
    if every <= set(anew):
        raise ConfigError("config", folder, f"none of its weights fit: {'; '.join(words)}", "are they of this model?")
    if (anew or unknown) and not new_head:
        rule = f"its weights do not fit: {'; '.join(words)}"
        remedy = "model.head=new draws anew what is lacking, and leaves the rest"
        raise ConfigError("config", folder, rule, remedy)
    if words:
        say(f"model.config={folder}: drawn anew: {_listed(anew) or 'none'}; not taken: {_listed(unknown) or 'none'}")
    return network


def _refused(config: Any, auto: str, error: Exception) -> ConfigError:
    """Why transformers builds no such network."""
    kind = getattr(config, "model_type", type(config).__name__)
    rule = f"a {kind} for {auto} cannot be built: {_words(error)}"
    return ConfigError("config", UNSET, rule)


def _listed(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _words(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__
