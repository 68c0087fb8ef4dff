"""Optimizers said in mlx.optimizers and in torch.optim; the module imports neither.

``torch_optimizers.py`` runs PyTorch's and keeps the results, ``test_peers.py`` runs ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from peer_cases.case import numbers

STEPS = 10
SHAPES = {"bias": (5,), "weight": (4, 6)}


@dataclass
class Case:
    """One comparison.

    Attributes:
        name: what it is called.
        ours: from ``mlx.optimizers`` to an optimizer.
        theirs: from ``torch`` and a list of tensors to an optimizer.
        matrices: only the weight is optimized.
        tolerance: of every dtype, where the reference itself is not exact.
    """

    name: str
    ours: Callable[[Any], Any]
    theirs: Callable[[Any, list[Any]], Any]
    matrices: bool = False
    tolerance: float = 0.0

    def parameters(self) -> dict[str, np.ndarray]:
        """The first values."""
        names = ["weight"] if self.matrices else list(SHAPES)
        return {name: numbers(SHAPES[name], 3 + i) for i, name in enumerate(names)}

    def gradients(self, step: int) -> dict[str, np.ndarray]:
        """The gradients of a step."""
        names = list(self.parameters())
        return {name: numbers(SHAPES[name], 11 + 5 * step + i) for i, name in enumerate(names)}


def by_hand(torch: Any, parameters: list[Any], update: Callable[..., None]) -> Any:
    """An optimizer by ``update(p, g, state, step)``, for what PyTorch does in another way."""

    class ByHand(torch.optim.Optimizer):
        def step(self) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    state["step"] = state.get("step", 0) + 1
                    update(p.data, p.grad, state)

    return ByHand(parameters, {})


def dampened(torch: Any, parameters: list[Any]) -> Any:
    """SGD whose first step is dampened, too."""

    def update(p: Any, g: Any, state: dict[str, Any]) -> None:
        v = state.setdefault("v", torch.zeros_like(p))
        v.mul_(0.9).add_(g + 0.1 * p, alpha=0.8)
        p.sub_(v, alpha=0.1)

    return by_hand(torch, parameters, update)


def adam(torch: Any, parameters: list[Any], decay: float = 0.0) -> Any:
    """Adam without correction of the first steps, AdamW where there is a decay."""

    def update(p: Any, g: Any, state: dict[str, Any]) -> None:
        m, v = (state.setdefault(name, torch.zeros_like(p)) for name in "mv")
        m.mul_(0.9).add_(g, alpha=0.1)
        v.mul_(0.999).addcmul_(g, g, value=0.001)
        p.mul_(1 - 0.1 * decay).sub_(m / (v.sqrt() + 1e-8), alpha=0.1)

    return by_hand(torch, parameters, update)


def adamax(torch: Any, parameters: list[Any]) -> Any:
    """Adamax without correction of the first steps."""

    def update(p: Any, g: Any, state: dict[str, Any]) -> None:
        m, v = (state.setdefault(name, torch.zeros_like(p)) for name in "mv")
        m.mul_(0.9).add_(g, alpha=0.1)
        v.copy_(torch.maximum(v * 0.999, g.abs()))
        p.sub_(m / (v + 1e-8), alpha=0.1)

    return by_hand(torch, parameters, update)


class Both:
    """Two optimizers of PyTorch, stepped together."""

    def __init__(self, *optimizers: Any) -> None:
        self.optimizers = optimizers

    def step(self) -> None:
        """A step of each."""
        for optimizer in self.optimizers:
            optimizer.step()


def lion(torch: Any, parameters: list[Any]) -> Any:
    """Lion, which PyTorch does not have, after Chen et al., Symbolic Discovery, 2023."""

    def update(p: Any, g: Any, state: dict[str, Any]) -> None:
        m = state.setdefault("m", torch.zeros_like(p))
        direction = torch.sign(0.9 * m + 0.1 * g)
        m.mul_(0.99).add_(g, alpha=0.01)
        p.mul_(1 - 0.05 * 0.1).sub_(direction, alpha=0.05)

    return by_hand(torch, parameters, update)


CASES = [
    Case("SGD", lambda optim: optim.SGD(0.1), lambda torch, p: torch.optim.SGD(p, 0.1)),
    Case(
        "SGD with momentum",
        lambda optim: optim.SGD(0.1, momentum=0.9, weight_decay=0.1),
        lambda torch, p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.1),
    ),
    Case(
        "SGD of Nesterov",
        lambda optim: optim.SGD(0.1, momentum=0.8, nesterov=True),
        lambda torch, p: torch.optim.SGD(p, 0.1, momentum=0.8, nesterov=True),
    ),
    Case("SGD, dampened", lambda optim: optim.SGD(0.1, 0.9, 0.1, dampening=0.2), dampened),
    Case("Adam without correction", lambda optim: optim.Adam(0.1), adam, tolerance=1e-5),
    Case(
        "AdamW without correction",
        lambda optim: optim.AdamW(0.1, weight_decay=0.2),
        lambda torch, p: adam(torch, p, 0.2),
        tolerance=1e-5,
    ),
    Case("Adamax", lambda optim: optim.Adamax(0.1), adamax),
    Case(
        "MultiOptimizer",
        lambda optim: optim.MultiOptimizer(
            [optim.SGD(0.1, momentum=0.9), optim.Adagrad(0.1)], [lambda path, x: x.ndim == 2]
        ),
        lambda torch, p: Both(
            torch.optim.SGD([x for x in p if x.ndim == 2], 0.1, momentum=0.9),
            torch.optim.Adagrad([x for x in p if x.ndim != 2], 0.1, eps=1e-8),
        ),
    ),
    Case(
        "Adam",
        lambda optim: optim.Adam(0.1, bias_correction=True),
        lambda torch, p: torch.optim.Adam(p, 0.1),
        tolerance=1e-5,  # 1 - 0.999^t is computed in float32, as MLX does
    ),
    Case(
        "AdamW",
        lambda optim: optim.AdamW(
            0.1, betas=[0.8, 0.9], eps=1e-4, weight_decay=0.1, bias_correction=True
        ),
        lambda torch, p: torch.optim.AdamW(p, 0.1, (0.8, 0.9), eps=1e-4, weight_decay=0.1),
    ),
    Case(
        "RMSprop",
        lambda optim: optim.RMSprop(0.1, alpha=0.9, eps=1e-4),
        lambda torch, p: torch.optim.RMSprop(p, 0.1, alpha=0.9, eps=1e-4),
    ),
    Case(
        "Adagrad",
        lambda optim: optim.Adagrad(0.1, eps=1e-6),
        lambda torch, p: torch.optim.Adagrad(p, 0.1, eps=1e-6),
    ),
    Case(
        "AdaDelta",
        lambda optim: optim.AdaDelta(1.0, rho=0.9, eps=1e-4),
        lambda torch, p: torch.optim.Adadelta(p, 1.0, rho=0.9, eps=1e-4),
    ),
    Case(
        "Adafactor",
        lambda optim: optim.Adafactor(0.1, relative_step=False),
        lambda torch, p: torch.optim.Adafactor(p, 0.1, eps=(1e-30, 1e-3)),
    ),
    Case(
        "Muon",  # PyTorch iterates in bfloat16, whatever the dtype
        lambda optim: optim.Muon(0.1, weight_decay=0.0),
        lambda torch, p: torch.optim.Muon(p, 0.1, weight_decay=0.0),
        matrices=True,
        tolerance=0.03,
    ),
    Case("Lion", lambda optim: optim.Lion(0.05, betas=[0.9, 0.99], weight_decay=0.1), lion),
]
