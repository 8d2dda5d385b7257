"""Hydra's door: python train.py scheduler=cosine"""

import hydra
from omegaconf import DictConfig

from lrsched.cli import open_door, run_config


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> float | None:
    return run_config(cfg)


if __name__ == "__main__":
    open_door(main)
