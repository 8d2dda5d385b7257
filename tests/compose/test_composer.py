"""The configs of a sweep's jobs, composed quickly, are those that Hydra composes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lrsched.compose.composer import Composer
from lrsched.compose.hydra_setup import register

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


@pytest.mark.parametrize(
    "job",
    [["seed=ten"], ["sed=1"], ["scheduler=cosin"], ["+seed=1"], ["~scheduler.warm"], ["scheduler.x=1"], ["seed=1,"]],
    ids=" ".join,
)
def test_what_hydra_refuses_is_refused_in_its_words(hydra: tuple[ConfigLoader, DictConfig], job: list[str]) -> None:
    loader, sweep = hydra
    with pytest.raises(HydraException) as theirs:
        loader.load_sweep_config(sweep, job)
    for compose in (Composer(loader, sweep).bare, Composer(loader, sweep).whole):
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
