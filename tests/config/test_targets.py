"""What a config may name: classes of the right kind, defined where its role lives; nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from lrsched.config.settings import component
from lrsched.config.targets import MODEL, OPTIMIZER, SCHEDULER, Role, check_arguments, resolve, trusted
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import Cosine

# Finding 7 of the study of Hydra's blocklist: all of these import, and many ran under hydra 1.3.8.
HOSTILE = [
    "os.system",
    "posix.system",
    "subprocess.Popen",
    "builtins.eval",
    "builtins.open",
    "pathlib.Path",
    "pathlib.Path.touch",
    "shutil.copy",
    "shutil.rmtree",
    "importlib.import_module",
    "functools.partial",
    "hydra.utils.get_method",
    "hydra.utils.instantiate",
    "pickle.loads",
    "numpy.load",
    "torch.load",
    "torch.save",
    "torch.hub.load",
    "torch.jit.load",
    "torch.utils.cpp_extension.load_inline",
    "torch.utils.collect_env.run",
    "torch.nn.Linear",
    "torch.optim.optimizer.torch.load",
    "torch.optim.sgd.torch.hub.load",
    "torch.optim.lr_scheduler.math.cos",
    "torch.optim.Optimizer",
    "torch.optim.lr_scheduler.StepLR",
    "torch.optimum.SGD",
    "lrsched.records.write_atomically",
    "lrsched.optimizers.lean.lean_step",
    "lrsched.optimizers.lean.torch.load",
    "lrsched.models.MLP",
    "lrsched.optimizers",
    "__main__",
    "",
    "SGD",
    "torch.optim.",
    ".torch.optim.SGD",
    "torch.optim.SGD()",
    "torch.optim.__builtins__.eval",
]


@pytest.mark.parametrize("target", HOSTILE)
def test_no_hostile_name_is_an_optimizer(target: str) -> None:
    with pytest.raises(ConfigError, match=r"^optimizer\._target_="):
        resolve(OPTIMIZER, target, "optimizer")


@pytest.mark.parametrize(
    ("role", "target", "expected"),
    [
        (OPTIMIZER, "torch.optim.SGD", torch.optim.SGD),
        (OPTIMIZER, "torch.optim.sgd.SGD", torch.optim.SGD),
        (SCHEDULER, "torch.optim.lr_scheduler.StepLR", torch.optim.lr_scheduler.StepLR),
        (SCHEDULER, "torch.optim.swa_utils.SWALR", torch.optim.swa_utils.SWALR),
    ],
)
def test_public_names_resolve(role: Role, target: str, expected: type) -> None:
    assert resolve(role, target, role.group) is expected


def test_shelves_resolve_by_public_name() -> None:
    assert resolve(SCHEDULER, "lrsched.schedules.Cosine", "scheduler").__name__ == "Cosine"
    assert resolve(SCHEDULER, "lrsched.schedulers.Plateau", "scheduler").__name__ == "Plateau"
    assert resolve(MODEL, "lrsched.models.MLP", "model").__name__ == "MLP"


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"there is no Cosin in lrsched\.schedules; did you mean 'Cosine'"):
        resolve(SCHEDULER, "lrsched.schedules.Cosin", "scheduler")


@pytest.mark.parametrize(
    ("target", "convention"),
    [
        ("transformers.get_cosine_schedule_with_warmup", "hf"),
        ("transformers.optimization.get_scheduler", "hf"),
        ("timm.scheduler.CosineLRScheduler", "timm"),
        ("optax.cosine_decay_schedule", "optax"),
        ("keras.optimizers.schedules.CosineDecay", "keras"),
        ("tensorflow.keras.optimizers.schedules.CosineDecay", "keras"),
    ],
)
def test_another_librarys_schedule_is_pointed_to_its_convention(target: str, convention: str) -> None:
    told = f"its numbers are here: scheduler=cosine scheduler.convention={convention}, or another schedule"
    with pytest.raises(ConfigError, match=re.escape(told)):
        resolve(SCHEDULER, target, "scheduler")
    assert Cosine(convention=convention).plan(Horizon(10, 5)).table().shape == (10,)
    with pytest.raises(ConfigError, match="LRSCHED_TRUST"):
        resolve(MODEL, target, "model")


def test_a_typo_in_pytorchs_names_gets_a_scheduler_of_pytorch() -> None:
    with pytest.raises(ConfigError, match=r"there is no StepRL in torch\.optim\.lr_scheduler; did you mean 'StepLR'"):
        resolve(SCHEDULER, "torch.optim.lr_scheduler.StepRL", "scheduler")
    with pytest.raises(ConfigError) as caught:
        resolve(SCHEDULER, "torch.optim.lr_scheduler.Countr", "scheduler")
    assert "Counter" not in str(caught.value)  # which that module only imports


def test_more_homes_come_from_the_environment_alone(tmp_path, monkeypatch) -> None:
    (tmp_path / "my_optimizers.py").write_text(
        "import torch\nclass Mine(torch.optim.SGD): pass\nfrom os import system\nclass NotOne: pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="LRSCHED_TRUST"):
        resolve(OPTIMIZER, "my_optimizers.Mine", "optimizer")
    monkeypatch.setenv("LRSCHED_TRUST", "my_optimizers")
    assert resolve(OPTIMIZER, "my_optimizers.Mine", "optimizer").__name__ == "Mine"
    for other in ("my_optimizers.system", "my_optimizers.NotOne"):
        with pytest.raises(ConfigError):
            resolve(OPTIMIZER, other, "optimizer")


@pytest.mark.parametrize("words", ["mine:other.module", "mine,other.module", "mine:,other.module:"])
def test_trusted_modules_are_separated_by_colons_or_commas(monkeypatch, tmp_path, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRSCHED_TRUST", words)
    assert trusted() == ("mine", "other.module")


def test_a_project_file_in_the_current_folder_can_trust(tmp_path, monkeypatch) -> None:
    (tmp_path / "my_models.py").write_text("import torch\nclass Mine(torch.nn.Module): pass\n")
    (tmp_path / "pyproject.toml").write_text('[tool.lrsched]\ntrust = ["my_models"]\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert resolve(MODEL, "my_models.Mine", "model").__name__ == "Mine"


class Open(torch.optim.SGD):
    """Hands on whatever it is given."""

    def __init__(self, params: Any, *rest: Any, **named: Any) -> None:
        super().__init__(params, *rest, **named)


def test_a_class_that_takes_any_name_gets_it_but_for_what_is_ours_to_give() -> None:
    assert check_arguments(Open, OPTIMIZER, {"momentum": 0.5}, "optimizer") == {"momentum": 0.5}
    for name in ("params", "_args_", "_partial_"):
        with pytest.raises(ConfigError, match="takes no such argument"):
            check_arguments(Open, OPTIMIZER, {name: [1]}, "optimizer")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lrr": 0.1}, r"optimizer\.lrr=0\.1: SGD takes no such argument; did you mean 'lr'\?"),
        ({"momentum": "high"}, r"optimizer\.momentum=high: must be a number"),
        ({"nesterov": "yes"}, r"optimizer\.nesterov=yes: must be true or false"),
        ({"params": []}, r"optimizer\.params=\[\]: SGD takes no such argument"),
        ({"_args_": [1]}, r"optimizer\._args_=\[1\]: SGD takes no such argument"),
        ({"momentum": -1.0}, r"optimizer\.momentum=-1\.0: must be at least 0 and below 1"),
        ({"dampening": 0.5, "nesterov": True}, r"optimizer=SGD: cannot be built: Nesterov momentum requires"),
        ({"_partial_": 3}, r"optimizer\._partial_=3: SGD takes no such argument"),
    ],
)
def test_arguments_are_checked_against_the_signature(arguments: dict, message: str) -> None:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]}]
    with pytest.raises(ConfigError, match=message):
        component(OPTIMIZER, {"_target_": "torch.optim.SGD", **arguments}, "optimizer").build(params=groups)


def test_lists_become_the_tuples_that_a_class_asks_for() -> None:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]}]
    node = {"_target_": "torch.optim.Adam", "betas": [0.8, 0.9], "_partial_": True}
    assert component(OPTIMIZER, node, "optimizer").build(params=groups).defaults["betas"] == (0.8, 0.9)
