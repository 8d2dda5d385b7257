"""The configs of a sweep's jobs, composed quickly, are those that Hydra composes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.sources_registry import SourcesRegistry
from hydra._internal.utils import create_config_search_path
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lrsched.compose.composer import Composer
from lrsched.compose.hydra_setup import register
from lrsched.compose.nodes import plain

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def hydra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ConfigLoader, DictConfig]]:
    """Hydra's loader and the config of a sweep, with a folder of the user's own that holds another group."""
    mine = tmp_path_factory.mktemp("mine")
    (mine / "flavour").mkdir()
    (mine / "flavour" / "sour.yaml").write_text("# @package _global_\nseed: 9\n")
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        state = GlobalHydra.instance().hydra
        assert state is not None
        loader = state.config_loader
        given = ["name=x", "hydra.job.env_copy=[HOME]", f"hydra.searchpath=[file://{mine}]"]
        yield loader, loader.load_configuration("config", given, run_mode=RunMode.MULTIRUN)


JOBS = (
    ["scheduler=wsd", "optimizer.lr=0.2", "seed=3"],
    ["scheduler=wsd", "optimizer.lr=0.3", "seed=4"],  # the same files
    ["seed=4", "scheduler=wsd"],
    [],
    ["experiment=mnist_cnn", "~logger.tensorboard", "scheduler.warmup=5%"],
    ["dataset.augment={crop: 1, flip: true}", "dataset.augment.crop=2"],
    ["dataset.augment.crop=2", "dataset.augment={crop: 1, flip: true}"],
    ["scheduler={_target_: lrsched.schedules.Cosine}"],
    ["+scheduler.also.weight_decay=same", "optimizer=adamw", "++trainer.steps=5"],
    ["logger=[csv,tensorboard]", "debug=one_batch"],
    ["trainer.steps=${seed}", "seed=4"],
    ["hydra.sweep.subdir=there", "seed=1"],
    ["+flavour=sour"],
    ["optimizer=adamw", "optimizer.lr=1e-3", "scheduler=torch/StepLR", "scheduler.step_size=3"],
)


@pytest.fixture
def _a_class_of_a_function() -> Iterator[None]:
    @dataclass
    class Narrow:
        _target_: str = "lrsched.models.MLP"
        width: int = 3

    store = ConfigStore.instance()
    store.store(group="model", name="narrow", node=Narrow)
    yield
    del store.repo["model"]["narrow.yaml"]


@pytest.mark.usefixtures("_a_class_of_a_function")
def test_a_class_that_cannot_be_pickled_gives_types_all_the_same(hydra: tuple[ConfigLoader, DictConfig]) -> None:
    compose, job = Composer(*hydra), ["model=narrow", "model.width=7"]
    for _ in range(2):  # the second one is a copy of what is kept
        assert compose.whole(job) == hydra[0].load_sweep_config(hydra[1], job)
        assert compose.resolved(job)["model"]["width"] == 7
    assert compose.resolved(["model=narrow"])["model"]["width"] == 3  # the kept one is nobody's
    with pytest.raises((HydraException, OmegaConfBaseException), match="width"):
        compose.resolved(["model=narrow", "model.width=much"])


def test_every_job_has_the_config_that_hydra_gives_it(hydra: tuple[ConfigLoader, DictConfig]) -> None:
    compose, (loader, sweep) = Composer(*hydra), hydra
    for job in JOBS:
        ours, theirs = compose.whole(job), loader.load_sweep_config(sweep, job)
        assert OmegaConf.to_yaml(ours) == OmegaConf.to_yaml(theirs), job
        assert ours._metadata.flags == theirs._metadata.flags
        with open_dict(theirs):
            del theirs["hydra"]
        assert OmegaConf.to_yaml(compose.bare(job)) == OmegaConf.to_yaml(theirs), job
        with pytest.raises(OmegaConfBaseException, match="Key 'unknown' not in 'RunConfig'"):
            ours.unknown = 1
    assert (
        compose.whole(JOBS[0]).seed == compose.bare(JOBS[0]).seed == 3
    )  # and no job has changed what it shares with others


def test_each_file_is_read_once_for_all_jobs(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "taste").mkdir()
    for name in ("sour", "sweet"):
        (tmp_path / "taste" / f"{name}.yaml").write_text(f"is: {name}\n")
    (tmp_path / "config.yaml").write_text("defaults: [taste: sour, _self_]\n")
    loader = ConfigLoaderImpl(create_config_search_path(str(tmp_path)))
    files, read = SourcesRegistry.instance().resolve("file"), list[str]()
    load = files.load_config

    def load_config(source: ConfigSource, config_path: str) -> ConfigResult:
        read.append(config_path)
        return load(source, config_path)

    monkeypatch.setattr(files, "load_config", load_config)
    sweep = loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN)
    compose = Composer(loader, sweep)
    read.clear()
    for taste in ("sweet", "sour"):
        assert compose.whole([f"taste={taste}"]).taste == {"is": taste}
    assert sorted(path for path in read if "hydra" not in path) == [
        "config",
        "taste/sour",
        "taste/sweet",
    ]
    (tmp_path / "config.yaml").write_text("defaults: [taste: sweet, _self_]\n")
    assert Composer(loader, sweep).whole([]).taste == {"is": "sweet"}  # another sweep reads them anew


ALIKE = (
    *(["scheduler=wsd", f"seed={seed}", f"optimizer.lr={rate}"] for seed, rate in ((1, 0.1), (2, 1), (3, "null"))),
    *(["scheduler=torch/OneCycleLR", f"optimizer.lr={rate}"] for rate in (0.1, 0.2)),  # to which max_lr refers
    *(["experiment=noisy_quadratic", f"seed={seed}"] for seed in (1, 2)),
    *([f"trainer.steps={steps}", "trainer.clip_norm=1"] for steps in ("null", 5, "${seed}", 6)),
    *([f"model.hidden={hidden}"] for hidden in ("[8]", 8, "[8,9]", "null", 9)),
    *([f"+model.extra={value}"] for value in (1, 2)),
    *([f"dataset.augment={value}"] for value in ("{crop: 1}", "{flip: true}")),
    *([f"logger=csv{keep}", "name=y"] for keep in ("", "", "")),
    ["trainer.early_stop.patience=3", "trainer.early_stop={patience: 4}"],
    ["trainer.early_stop.patience=5", "trainer.early_stop={patience: 6}"],
    *([f"name={name}"] for name in ("a", "'b c'", "${oc.env:HOME}", "d")),
    *([f"seed={seed}", f"threads={threads}"] for seed, threads in ((1, "null"), (2.0, 2), (3, 1))),
)


def test_jobs_that_differ_in_values_alone_are_resolved_as_each_by_itself(
    hydra: tuple[ConfigLoader, DictConfig],
) -> None:
    def by_itself(job: list[str]) -> object:
        try:
            config = loader.load_sweep_config(sweep, job)
            with open_dict(config):
                del config["hydra"]
            return plain(config)
        except HydraException as error:
            return str(error)

    def together(job: list[str]) -> object:
        try:
            return compose.resolved(job)
        except HydraException as error:
            return str(error)

    compose, (loader, sweep) = Composer(*hydra), hydra
    before = list[tuple[object, str]]()
    refused = (["scheduler=wsd", "seed=ten", "optimizer.lr=0.5"], ["scheduler=wsd", "seed=4", "optimizer.lr=0.6"])
    for job in (*JOBS, *ALIKE, *refused, *reversed(ALIKE)):
        job = job if any(word.startswith("name=") for word in job) else ["name=x", *job]  # not a time
        found = together(job)
        assert repr(found) == repr(by_itself(job)), job
        if isinstance(found, dict):
            found["scheduler"] = "changed"  # the root is no other job's
        before.append((found, repr(found)))
    assert all(repr(found) == text for found, text in before)  # and a later job changes nothing below it


@pytest.mark.parametrize(
    "job",
    [["seed=ten"], ["sed=1"], ["scheduler=cosin"], ["+seed=1"], ["~scheduler.warm"], ["scheduler.x=1"], ["seed=1,"]],
    ids=" ".join,
)
def test_what_hydra_refuses_is_refused_in_its_words(hydra: tuple[ConfigLoader, DictConfig], job: list[str]) -> None:
    loader, sweep = hydra
    with pytest.raises(HydraException) as theirs:
        loader.load_sweep_config(sweep, job)
    for compose in (Composer(loader, sweep).bare, Composer(loader, sweep).whole, Composer(loader, sweep).resolved):
        with pytest.raises(type(theirs.value)) as ours:
            compose(job)
        assert str(ours.value) == str(theirs.value)


class Public:
    """A loader of a Hydra whose private names are others."""

    def __init__(self, loader: ConfigLoader) -> None:
        self.load_sweep_config = loader.load_sweep_config


def test_without_the_private_names_of_hydra_the_configs_are_the_same(hydra: tuple[ConfigLoader, DictConfig]) -> None:
    loader, sweep = hydra
    quick, slow = Composer(loader, sweep), Composer(Public(loader), sweep)  # type: ignore[arg-type]
    for job in (["scheduler=wsd", "optimizer.lr=0.2"], [], ["hydra.sweep.subdir=there", "seed=1"]):
        assert OmegaConf.to_yaml(slow.whole(job)) == OmegaConf.to_yaml(quick.whole(job))
        assert OmegaConf.to_yaml(slow.bare(job)) == OmegaConf.to_yaml(quick.bare(job))
