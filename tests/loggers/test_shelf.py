"""The shelf as a whole: what it costs to import, and that its YAMLs compose."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import lrsched.loggers
from lrsched.loggers import Logger

ROOT = Path(__file__).parents[2]

TENSORBOARD = {"tensorboard": {"_target_": "lrsched.loggers.TensorBoard"}}
WANDB = {"wandb": {"_target_": "lrsched.loggers.WandB", "project": "lrsched", "entity": None}}
CSV = {"csv": {"_target_": "lrsched.loggers.CSV"}}


def test_each_logger_of_the_shelf_is_one() -> None:
    assert {"CSV", "TensorBoard", "Terminal"} <= set(dir(lrsched.loggers))
    for name in dir(lrsched.loggers):
        assert issubclass(getattr(lrsched.loggers, name), Logger)


def test_a_logger_needs_write_alone() -> None:
    rows = []

    class Keep(Logger):
        def write(self, row):
            rows.append(row)

    logger = Keep()
    logger.open(lrsched.loggers.RunInfo(Path(), {}, 1, 1, 1))
    logger.write({"step": 0})
    logger.flush()
    logger.close({})
    assert rows == [{"step": 0}]


def test_loggers_import_no_torch_and_tensorboard_only_at_the_first_row(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from lrsched.loggers import CSV, RunInfo, TensorBoard, Terminal
from lrsched.loggers.summary import summary
loggers = [TensorBoard(), CSV(), Terminal()]
for logger in loggers:
    logger.open(RunInfo(Path({str(tmp_path)!r}), {{}}, 4, 2, 8))
assert not {{"tensorboard", "rich", "numpy"}} & set(sys.modules)
for logger in loggers:
    logger.write({{"step": 0, "train/loss": 1.0}})
    logger.close({{}})
assert "tensorboard" in sys.modules
import lrsched.loggers
assert {{"MLflow", "WandB"}} <= set(dir(lrsched.loggers))  # imports every file
assert not {{"torch", "rich", "hydra", "tensorflow", "wandb", "mlflow"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ([], TENSORBOARD),
        (["logger=csv"], CSV),
        (["logger=[tensorboard,csv]"], TENSORBOARD | CSV),
        (["logger=[csv,wandb]"], CSV | WANDB),
        (["logger=none"], {}),
        (["logger=[none,csv]"], CSV),
    ],
)
def test_one_several_or_none_can_be_chosen(override: list[str], expected: dict, tmp_path: Path) -> None:
    (tmp_path / "primary.yaml").write_text(
        f"hydra: {{searchpath: ['file://{ROOT / 'conf'}']}}\ndefaults: [logger: tensorboard, _self_]\n"
    )
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert OmegaConf.to_container(compose("primary", override).logger) == expected
