"""Muon for matrices, AdamW for the rest, as one optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from lrsched.errors import ConfigError, nearest
from lrsched.optimizers.lean import lean_step


class Muon(Optimizer):
    """Orthogonalised momentum for the weight matrices, AdamW for everything else.

    For a matrix W with gradient G, momentum B and r = max(rows, columns)::

        B ← μB + (1 − μ)G      O = NewtonSchulz(μB + (1 − μ)G) ≈ UVᵀ of UΣVᵀ
        W ← W − lr·λ·W − lr·0.2·√r·O

    The factor 0.2·√r gives the update the root mean square of AdamW's (0.2), so that one ``lr`` that suits
    AdamW, and one schedule, fit both.

    Parameters: Muon takes those of two dimensions; AdamW takes the others: biases, norms, convolution
    kernels. Embeddings and the last layer are matrices too, but not hidden ones: the method's author
    leaves them to AdamW. Their tensors look like any other, so put them in a group with
    ``"rule": "adamw"``.

    Groups: Muon splits a group with both kinds, and LR schedulers see the parts. The matrices keep the
    group's name, the rest gets the suffix ``/adamw``; a group of one kind keeps its name. So
    ``default`` and ``no_decay`` of a convolutional net become ``default``, ``default/adamw`` and ``no_decay``.

    The state is that of torch.optim.Muon and AdamW side by side; it saves, loads and resumes exactly.

    Args:
        params: tensors of any shape, or groups of them; a group may have ``name``, ``rule`` and its own value
            of any argument below.
        lr: learning rate of both.
        weight_decay: λ, decoupled from the gradient, of both.
        momentum: μ of Muon.
        nesterov: look ahead, as written above; else O = NewtonSchulz(B).
        ns_steps: Newton-Schulz iterations.
        adjust_lr_fn: ``match_rms_adamw``, as above; ``original`` scales by √max(1, rows/columns), and
            needs a larger ``lr``.
        betas: decay of AdamW's running means of gradient and squared gradient.
        eps: AdamW's addend in the denominator.

    Raises:
        ConfigError: this torch has no torch.optim.Muon, a rule is unknown, or a split group would get
            another's name.
        ValueError: a value out of its range; torch's message.

    References:
        Jordan et al., Muon, 2024, https://kellerjordan.github.io/posts/muon/
        Liu et al., Muon is Scalable for LLM Training, 2025, https://arxiv.org/abs/2502.16982
        Loshchilov, Hutter, Decoupled Weight Decay Regularization, ICLR 2019, https://arxiv.org/abs/1711.05101

    >>> layer = torch.nn.Linear(3, 2)
    >>> optimizer = Muon([{"params": layer.parameters(), "name": "default"}], lr=0.1)
    >>> [(group["name"], group["rule"], len(group["params"])) for group in optimizer.param_groups]
    [('default', 'muon', 1), ('default/adamw', 'adamw', 1)]
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        adjust_lr_fn: str = "match_rms_adamw",
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        if not hasattr(torch.optim, "Muon"):
            rule = f"needs torch.optim.Muon, which torch {torch.__version__} does not have"
            raise ConfigError(
                "_target_", "lrsched.optimizers.Muon", rule, "install torch>=2.10 or take optimizer=adamw"
            )
        common = {"lr": lr, "weight_decay": weight_decay}
        self._options: dict[str, dict[str, Any]] = {
            "muon": common
            | {"momentum": momentum, "nesterov": nesterov, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn},
            "adamw": common | {"betas": tuple(betas), "eps": eps},
        }
        self._inner: dict[str, Optimizer] = {}
        self._steps: list[Callable[[], object]] = []
        super().__init__(params, common)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update of all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for step in self._steps:
            step()
        return loss

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, in two parts if it has both kinds of parameters."""
        for part in self._split(param_group):
            name = part.get("name")
            if name is not None and name in [group.get("name") for group in self.param_groups]:
                raise ConfigError("name", name, "names two parameter groups", "give one of them another name")
            super().add_param_group(part)
            self._adopt(part)

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_options": self._options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore; also the end of load_state_dict, whose new groups and state both rules must share."""
        super().__setstate__(state)
        self._inner, self._steps = {}, []
        for group in self.param_groups:
            self._adopt(group)

    def _split(self, group: dict[str, Any]) -> list[dict[str, Any]]:
        rule, params = group.get("rule"), group["params"]
        if rule not in (None, *self._options):
            raise ConfigError("rule", rule, "is not the name of a rule", nearest(str(rule), self._options))
        params = [params] if isinstance(params, Tensor) else list(params)
        matrices = [] if rule == "adamw" else [param for param in params if _dimensions(param) == 2]
        rest = params if rule == "adamw" else [param for param in params if _dimensions(param) != 2]
        parts = []
        if matrices:
            parts.append(self._part("muon", group | {"params": matrices}))
        if rest or not matrices:
            split = {"name": f"{group['name']}/adamw"} if matrices and "name" in group else {}
            parts.append(self._part("adamw", group | {"params": rest} | split))
        return parts

    def _part(self, rule: str, group: dict[str, Any]) -> dict[str, Any]:
        """The group with the options of its rule alone."""
        foreign = {key for options in self._options.values() for key in options} - set(self._options[rule])
        return self._options[rule] | {key: value for key, value in group.items() if key not in foreign} | {"rule": rule}

    def _adopt(self, group: dict[str, Any]) -> None:
        """Give this very dict and our state to the optimizer of its rule, so that they stay one."""
        rule = group["rule"]
        if rule in self._inner:
            self._inner[rule].add_param_group(group)
            return
        make = torch.optim.Muon if rule == "muon" else torch.optim.AdamW
        inner = make([group], **{key: group[key] for key in self._options[rule]})
        inner.state = self.state
        self._inner[rule] = inner
        self._steps.append(lean_step(inner))


def _dimensions(param: Tensor | tuple[str, Tensor]) -> int:
    return (param[1] if isinstance(param, tuple) else param).ndim
