"""``hydra.sweeper.custom_search_space``: a function of the user's that suggests values as it sees others.

Its form is that of Hydra's own Optuna plugin: ``def configure(cfg: DictConfig, trial: optuna.Trial) -> None``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, open_dict

from lrsched.compose.nodes import copied
from lrsched.config.blame import is_out_of_memory, raised
from lrsched.config.run_id import key_of
from lrsched.config.targets import DOTTED, find, trusted, within
from lrsched.errors import ConfigError, UserError
from lrsched.sweep.sweepers.distributions import refuse_unsearchable
from lrsched.sweep.sweepers.params import refuse_of_sweep

if TYPE_CHECKING:
    from optuna.trial import Trial

KEY = "hydra.sweeper.custom_search_space"

FORM = "def configure(cfg, trial), which suggests by trial.suggest_float('optimizer.lr', 0.001, 1, log=True)"


def defined(target: str | None, config: DictConfig, given: Collection[str]) -> Callable[[Trial], None] | None:
    """The user's function, as one that suggests the values of a trial.

    Args:
        target: its dotted name; None: there is none.
        config: of the sweep; the function is given a copy without Hydra's part.
        given: keys that every trial has one value of.

    Raises:
        ConfigError: it is no function of a trusted module; or, as it is called: it raised an error, returned something,
            or suggested a key that cannot be searched.
    """
    if target is None:
        return None
    function = _function(target)

    def define(trial: Trial) -> None:
        before, cfg = set(trial.params), copied(config)
        with open_dict(cfg):
            cfg.pop("hydra", None)
        try:
            answer = function(cfg, trial)
        except UserError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise ConfigError(KEY, target, f"raised {raised(error)}", "mend it") from error
        if answer is not None or trial.user_attrs:
            what = f"returned a {type(answer).__name__}" if answer is not None else "set attributes of the trial"
            raise ConfigError(KEY, target, f"{what}, and only what it suggests counts", f"its form is {FORM}")
        for name in trial.params.keys() - before:
            key = key_of(name)
            refuse_of_sweep(key, trial.params[name])
            refuse_unsearchable(key, trial.params[name])
            if key in given:
                rule = f"suggests {key}, which is given a value too"
                raise ConfigError(KEY, target, rule, f"leave {key} out of one")
        if not trial.params:
            raise ConfigError(KEY, target, "suggests nothing, and no other key is searched", f"its form is {FORM}")

    return define


def _function(target: str) -> Callable[[DictConfig, Trial], Any]:
    homes = trusted()
    if not DOTTED.fullmatch(target) or not within(target, homes):
        rule = f"is not allowed: it must come from {', '.join(homes) or 'a module that you trust'}"
        raise ConfigError(KEY, target, rule, "name its module in the environment variable LRSCHED_TRUST")
    found = find(target, KEY, "a search space")
    if not inspect.isfunction(found) or not within(f"{found.__module__}.", homes):
        raise ConfigError(KEY, target, "is no function of a module that you trust", f"its form is {FORM}")
    try:
        inspect.signature(found).bind(None, None)
    except TypeError as error:
        raise ConfigError(
            KEY, target, f"cannot be called with a config and a trial: {error}", f"its form is {FORM}"
        ) from error
    return found
