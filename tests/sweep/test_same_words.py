"""A job of a sweep has the config that its words have without ``-m``, whatever the overrides are made of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lrsched.cli.hydra_setup import register
from lrsched.compose.composer import Composer
from lrsched.sweep.combinations import combinations

ROOT = Path(__file__).resolve().parents[2]

Form = tuple["str | tuple[str, ...]", ...]
"""The words of a command line; of a swept one, the word and after it one word for each of its values."""

A, B = "{a: {params: 'body.*', lr: 0.1}}", "{b: {params: 'head.*'}}"
A2, B2 = "{a: {params: 'body.*', lr: 0.2}}", "{b: {params: '.*bias', lr: 0.3}}"
GROUPS = "+optimizer.groups"
TWO_A = (f"{GROUPS}={A},{A2}", f"{GROUPS}={A}", f"{GROUPS}={A2}")
TWO_B = (f"{GROUPS}={B},{B2}", f"{GROUPS}={B}", f"{GROUPS}={B2}")
SEEDS = ("seed=0,1", "seed=0", "seed=1")

FORMS: tuple[Form, ...] = (
    # mappings that add to one key
    (f"{GROUPS}={A}", f"{GROUPS}={B}"),
    (TWO_A, TWO_B),
    (f"{GROUPS}={A}", TWO_B, SEEDS),
    (TWO_A, f"{GROUPS}={B}"),
    ("dataset.augment={crop: 2}", "dataset.augment={flip: true}"),
    (
        "dataset.augment={crop: 2}",
        ("dataset.augment={flip: true},{}", "dataset.augment={flip: true}", "dataset.augment={}"),
    ),
    ("+scheduler.also={momentum: same}", "+scheduler.also={weight_decay: same}"),
    (
        ("+scheduler.also={momentum: same},{}", "+scheduler.also={momentum: same}", "+scheduler.also={}"),
        "+scheduler.also={weight_decay: same}",
    ),
    ("++scheduler.also={momentum: same}", "++scheduler.also={weight_decay: same}", SEEDS),
    ("+scheduler.also={momentum: same}", "++scheduler.also={momentum: null}", SEEDS),
    (f"{GROUPS}={A}", f"++optimizer.groups={A2}", SEEDS),
    # a mapping and what reaches into it
    (f"{GROUPS}={A}", ("optimizer.groups.a.lr=0.3,0.4", "optimizer.groups.a.lr=0.3", "optimizer.groups.a.lr=0.4")),
    ("dataset.augment.crop=2", "dataset.augment={crop: 1, flip: true}", "dataset.augment.crop=3", SEEDS),
    (
        ("dataset.augment.crop=2,4", "dataset.augment.crop=2", "dataset.augment.crop=4"),
        "dataset.augment={crop: 1, flip: true}",
        SEEDS,
    ),
    ("scheduler={warmup: 5%}", "scheduler.warmup=10%", SEEDS),
    ("scheduler.warmup=10%", "scheduler={warmup: 5%}", SEEDS),
    ("scheduler=step", "scheduler={gamma: 0.5}", SEEDS),
    ("scheduler={warmup: 5%}", ("scheduler=cosine,wsd", "scheduler=cosine", "scheduler=wsd")),
    (f"{GROUPS}={A}", "+optimizer.groups.a.weight_decay=0.5", TWO_B),
    # what goes, and comes back
    ("~dataset.augment", SEEDS),
    (
        "~dataset.augment",
        ("+dataset.augment={crop: 1},{crop: 2}", "+dataset.augment={crop: 1}", "+dataset.augment={crop: 2}"),
    ),
    (f"{GROUPS}={A}", "~optimizer.groups.a", f"{GROUPS}={B}", SEEDS),
    ("~optimizer.momentum", "+optimizer.momentum=0.5", SEEDS),
    ("~experiment", SEEDS),
    ("~logger", SEEDS),
    ("seed=3", "~debug", "seed=4"),
    # one key, one value after another: the last one counts
    ("optimizer.lr=0.3", ("optimizer.lr=0.1,0.2", "optimizer.lr=0.1", "optimizer.lr=0.2")),
    (("optimizer.lr=0.1,0.2", "optimizer.lr=0.1", "optimizer.lr=0.2"), "optimizer.lr=0.3"),
    (("scheduler=step,cosine", "scheduler=step", "scheduler=cosine"), "scheduler=wsd", "scheduler.warmup=5%"),
    ("scheduler=step", "optimizer.lr=0.3", "scheduler=wsd", "optimizer.lr=${seed}", SEEDS),
    ("++seed=1", "seed=2", ("++seed=3,4", "++seed=3", "++seed=4")),
    ("+trainer.extra=1", ("trainer.extra=2,3", "trainer.extra=2", "trainer.extra=3")),
    ("trainer.steps=5", ("trainer.steps=null,7", "trainer.steps=null", "trainer.steps=7")),
    # groups
    (("scheduler=cosine,torch/StepLR", "scheduler=cosine", "scheduler=torch/StepLR"), "optimizer=adamw"),
    ("scheduler=glob([os]*step*)", SEEDS) if False else ("experiment=mnist_cnn", "~logger.tensorboard", SEEDS),
    (("scheduler=choice(step)", "scheduler=step"), "logger=[csv]", "logger=[csv,tensorboard]"),
    (("logger=[csv],[tensorboard,csv],none", "logger=[csv]", "logger=[tensorboard,csv]", "logger=none"),),
    ("+scheduler@other=step", ("scheduler@other.gamma=1", "scheduler@other.gamma=1"))
    if False
    else ("+scheduler@other=step", SEEDS),
    # lists
    ("model.hidden=[64]", "model.hidden=[32,16]", SEEDS),
    (("model.hidden=[64],[32,16]", "model.hidden=[64]", "model.hidden=[32,16]"), ("+x=[a],[b]", "+x=[a]", "+x=[b]")),
    ("+x=[1]", "+x=[2]", SEEDS),
    ("+x=[{a: 1},{b: 2}]", ("x.0.a=3,4", "x.0.a=3", "x.0.a=4")),
    # values that a text could be mistaken for
    (("+x=str(1),2,'3'", "+x=str(1)", "+x=2", "+x='3'"), SEEDS)
    if False
    else (("+x='1',2", "+x='1'", "+x=2"), "+y=str(1)"),
    (("+x=str(1,2)", "+x=str(1)", "+x=str(2)"), "+y=str([1,a])", "+z=str({a: true})"),
    (("+x=null,'null'", "+x=null", "+x='null'"), "+y=", "+z=''"),
    (("+x='a,b',c\\,d", "+x='a,b'", "+x='c,d'"), "+y='it\\'s'"),
    (("+x=${seed},${optimizer.lr}", "+x=${seed}", "+x=${optimizer.lr}"), "+y='${seed}'", "+z=${oc.env:HOME,'a b'}"),
    (("+x=1e-3,nan,-inf,true", "+x=1e-3", "+x=nan", "+x=-inf", "+x=true"), "+y=C:\\\\dir", "+z=a b"),
    (("+x=range(0,1,0.25)", "+x=0.0", "+x=0.25", "+x=0.5", "+x=0.75"), "+y={1: 2, b: [c, {d: 'e,f'}]}"),
    (("+x=int(1.2,3.4)", "+x=int(1.2)", "+x=int(3.4)"), ("+y=sort(b,a)", "+y=a", "+y=b")),
    # Hydra's own keys, and what is refused without -m
    ("hydra.verbose=true", "seed=1", "seed=2"),
    ("+trainer.extra=1", ("+trainer.extra=2,3", "+trainer.extra=2", "+trainer.extra=3")),
    ("~trainer.extra", SEEDS),
    (f"optimizer.groups={A}", f"{GROUPS}={B}", SEEDS),
    ("seed=2", "~seed=1", "seed=3"),
)


@pytest.fixture(scope="module")
def hydra() -> Iterator[tuple[ConfigLoader, DictConfig]]:
    """Hydra's loader, and the config of a sweep."""
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        state = GlobalHydra.instance().hydra
        assert state is not None
        loader = state.config_loader
        yield loader, loader.load_configuration("config", ["name=x"], run_mode=RunMode.MULTIRUN)


def typed(form: Form) -> list[str]:
    """The command line after ``-m``."""
    return [item if isinstance(item, str) else item[0] for item in form]


def alone(form: Form) -> list[list[str]]:
    """The command lines without ``-m``."""
    return [list(words) for words in itertools.product(*([x] if isinstance(x, str) else x[1:] for x in form))]


def text(config: DictConfig) -> str:
    with open_dict(config):
        config.pop("hydra", None)
        config.name = "x"
    return OmegaConf.to_yaml(config)


def composed(compose, words: Sequence[str]) -> str:
    """What a config is composed to, or how it is refused."""
    try:
        return text(compose(words))
    except (HydraException, OmegaConfBaseException) as error:
        return type(error).__name__


def parsed(loader: ConfigLoader, form: Form) -> list[Override]:
    return OverridesParser.create(config_loader=loader).parse_overrides(typed(form))


def label(form: Form) -> str:
    return " ".join(typed(form))


def test_there_are_forms_enough_and_most_are_configs(hydra) -> None:
    loader, _ = hydra
    refused = [
        form
        for form in FORMS
        if len(composed(lambda words: loader.load_configuration("config", list(words), RunMode.RUN), alone(form)[0]))
        < 100
    ]
    print(list(map(label, refused)))
    assert len(FORMS) >= 50
    assert len(refused) <= 6


@pytest.mark.parametrize("form", FORMS, ids=label)
def test_a_job_is_the_run_of_its_words(hydra, form: Form) -> None:
    loader, sweep = hydra
    wanted = [
        composed(lambda w: loader.load_configuration("config", list(w), RunMode.RUN), words) for words in alone(form)
    ]
    jobs = combinations(parsed(loader, form), False)
    for compose in (Composer(loader, sweep).bare, lambda words: loader.load_sweep_config(sweep, list(words))):
        got = [composed(compose, job) for job in jobs]
        assert list(dict.fromkeys(got)) == list(dict.fromkeys(wanted))
