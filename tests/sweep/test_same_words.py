"""A job of a sweep has the config that its words have without ``-m``, whatever the overrides are made of."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lrsched.compose.composer import Composer
from lrsched.compose.hydra_setup import register
from lrsched.compose.nodes import plain
from lrsched.compose.overrides import parse
from lrsched.compose.stored import read_config
from lrsched.config.digest import config_sha256
from lrsched.records import RunFolder
from lrsched.sweep.combinations import combinations
from tests.helpers.cli import TINY
from tests.sweep.test_launchers import LAUNCHERS as OTHERS
from tests.sweep.test_launchers import installed

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
    ("experiment=mnist_cnn", "~logger.tensorboard", SEEDS),
    (("scheduler=choice(step)", "scheduler=step"), "logger=[csv]", "logger=[csv,tensorboard]"),
    (("logger=[csv],[tensorboard,csv],none", "logger=[csv]", "logger=[tensorboard,csv]", "logger=none"),),
    ("+scheduler@other=step", SEEDS),
    # lists
    ("model.hidden=[64]", "model.hidden=[32,16]", SEEDS),
    (("model.hidden=[64],[32,16]", "model.hidden=[64]", "model.hidden=[32,16]"), ("+x=[a],[b]", "+x=[a]", "+x=[b]")),
    ("+x=[1]", "+x=[2]", SEEDS),
    ("+x=[{a: 1},{b: 2}]", ("x.0.a=3,4", "x.0.a=3", "x.0.a=4")),
    # values that a text could be mistaken for
    (("+x='1',2", "+x='1'", "+x=2"), "+y=str(1)"),
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
def hydra() -> tuple[ConfigLoader, DictConfig]:
    """Hydra's loader, and the config of a sweep."""
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        state = GlobalHydra.instance().hydra
        assert state is not None
        loader = state.config_loader
        return loader, loader.load_configuration("config", ["name=x"], run_mode=RunMode.MULTIRUN)


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


def composed(loader: ConfigLoader, words: Sequence[str]) -> str:
    """What the config of a run is, or how its words are refused."""
    return shown(lambda: loader.load_configuration("config", list(words), RunMode.RUN))


def shown(compose: Callable[[], DictConfig]) -> str:
    try:
        return text(compose())
    except (HydraException, OmegaConfBaseException, ValueError, TypeError):
        return "refused"


def parsed(loader: ConfigLoader, form: Form) -> list[Override]:
    return parse(typed(form), loader)


def label(form: Form) -> str:
    return " ".join(typed(form))


def test_most_forms_are_configs(hydra) -> None:
    loader, _ = hydra
    configs = [form for form in FORMS if "\n" in composed(loader, alone(form)[0])]
    assert len(configs) >= 45


@pytest.mark.parametrize("form", FORMS, ids=label)
def test_a_job_is_the_run_of_its_words(hydra, form: Form) -> None:
    loader, sweep = hydra
    composer = Composer(loader, sweep)
    jobs = combinations(parsed(loader, form), False)
    got = [shown(lambda job=job: composer.bare(job)) for job in jobs]
    assert list(dict.fromkeys(got)) == list(dict.fromkeys(composed(loader, words) for words in alone(form)))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS, ids=label)
def test_a_job_of_another_launcher_is_the_run_of_its_words(hydra, form: Form) -> None:
    loader, sweep = hydra
    jobs = combinations(parsed(loader, form), False)
    got = [shown(lambda job=job: loader.load_sweep_config(sweep, job)) for job in jobs]
    assert list(dict.fromkeys(got)) == list(dict.fromkeys(composed(loader, words) for words in alone(form)))


KEYS = ("optimizer.groups", "optimizer.groups.a", "x", "x.a", "x.a.b", "seed", "optimizer.lr", "scheduler")
VALUES = ("1", "null", "{a: 1}", "{a: {lr: 0.1}}", "{b: {lr: 2}}", "{}", "[1]", "cosine", "{a: {b: 3}}")


@st.composite
def forms(draw: st.DrawFn) -> Form:
    """Words that add, change and delete keys within one another."""
    form: list[str | tuple[str, ...]] = []
    for _ in range(draw(st.integers(2, 5))):
        key = draw(st.sampled_from(("", "+", "+", "++", "~"))) + draw(st.sampled_from(KEYS))
        values = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=2, unique=True))
        words = [f"{key}={value}" for value in values]
        form.append(
            key if key.startswith("~") else words[0] if len(words) == 1 else (",".join([words[0], *values[1:]]), *words)
        )
    return tuple(form)


@pytest.mark.slow
@given(form=forms())
@settings(max_examples=150, deadline=None)
def test_jobs_of_words_drawn_at_random_are_their_runs(hydra, form: Form) -> None:
    loader, sweep = hydra
    composer = Composer(loader, sweep)
    got = [shown(lambda job=job: composer.bare(job)) for job in combinations(parsed(loader, form), False)]
    assert list(dict.fromkeys(got)) == list(dict.fromkeys(composed(loader, words) for words in alone(form)))


SEARCHED = [form for form in FORMS if not label(form).startswith(("++seed", "logger"))]  # a study searches neither


@pytest.mark.parametrize(
    "form", [*SEARCHED[:6], *(pytest.param(form, marks=pytest.mark.slow) for form in SEARCHED[6:])], ids=label
)
def test_a_trial_is_the_run_of_its_words(hydra, form: Form) -> None:
    pytest.importorskip("optuna", reason="no optuna: pip install 'hydra-lrsched[optuna]'")
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    from lrsched.sweep.sweepers.space import space

    loader, _ = hydra
    searched = parsed(loader, (*form, ("weight=1,2",)))  # a space must have something to search
    found = space(searched)
    choices = {
        name: of.choices if isinstance(of, CategoricalDistribution) else [0.0, 0.25, 0.5, 0.75]
        for name, of in found.searched.items()
        if isinstance(of, (CategoricalDistribution, FloatDistribution))
    }
    assert choices.keys() == found.searched.keys()
    got = [
        composed(loader, [word for word in job if not word.startswith("weight=")])
        for values in itertools.product(*choices.values())
        for job in found.jobs(dict(zip(choices, values, strict=True)))
    ]
    assert set(got) == {composed(loader, words) for words in alone(form)}


def test_zipped_words_keep_their_order_where_it_counts() -> None:
    words = ["+x={a: 1},{a: 2}", "seed=0,1", "x.a=3,4", "+x={b: 5},{b: 6}"]
    jobs = combinations(parse(words), ["x", "seed"])
    assert jobs == [
        ["+x={a:1}", "seed=0", "x.a=3", "+x={b:5}"],
        ["+x={a:1}", "seed=0", "x.a=4", "+x={b:5}"],
        ["+x={a:2}", "seed=1", "x.a=3", "+x={b:6}"],
        ["+x={a:2}", "seed=1", "x.a=4", "+x={b:6}"],
    ]


MAPPINGS: Form = (
    (
        "+optimizer.groups={a: {params: '.*weight', lr: 0.1}},{}",
        "+optimizer.groups={a: {params: '.*weight', lr: 0.1}}",
        "+optimizer.groups={}",
    ),
    (
        "+optimizer.groups={b: {params: '.*bias', lr: 0.1}},{}",
        "+optimizer.groups={b: {params: '.*bias', lr: 0.1}}",
        "+optimizer.groups={}",
    ),
)
RUN = (*TINY, "trainer.epochs=1", "logger=none", "threads=1")


@pytest.mark.parametrize(
    ("sweeper", "launcher"),
    [
        ("grid", "pool"),
        *(
            pytest.param(sweeper, launcher, marks=pytest.mark.slow)
            for sweeper in ("grid", "halving", "optuna")
            for launcher in ("pool", "basic", "joblib", "submitit_local")
            if (sweeper, launcher) != ("grid", "pool")
        ),
    ],
)
def test_two_mappings_with_two_values_are_four_runs(run_cli, sweeper: str, launcher: str) -> None:
    if launcher in OTHERS:
        installed(launcher)
    if launcher == "joblib":  # its processes outlive a command, in that one's folder
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown()
    if sweeper == "optuna":
        pytest.importorskip("optuna", reason="no optuna: pip install 'hydra-lrsched[optuna]'")
    wanted = set()
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for words in alone(MAPPINGS):
            config = compose("config", [*RUN, *words])
            wanted.add(config_sha256(plain(config)))
    options = {"grid": [], "halving": [], "optuna": ["hydra.sweeper.n_trials=16", "hydra.sweeper.sampler=random"]}
    sweep = (f"hydra/sweeper={sweeper}", f"hydra/launcher={launcher}", *options[sweeper])
    ended = run_cli("-m", *RUN, *sweep, *typed(MAPPINGS), "name=sweep")
    assert ended.code == 0, ended.err
    folders = [path.parent for path in Path("outputs/sweep").glob("*/config.yaml")]
    made = {config_sha256(plain(read_config(RunFolder(folder)))) for folder in folders}
    assert made == wanted
    assert len(wanted) == 4
