"""MultiOptimizer: several optimizers, each for its own part of the parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
from mlx.optimizers.optimizer import Optimizer, _held
from mlx.utils import tree_map_with_path

Filter = Callable[[str, mx.array], bool]


class MultiOptimizer(Optimizer):
    """Gives each parameter to the first optimizer whose filter takes it, else to the last one.

    The state is ``{"states": [...]}`` with the optimizers' states in their order.

    Args:
        optimizers: n optimizers.
        filters: n - 1 functions of a parameter's path (``"layers.0.weight"``) and its array.

    Raises:
        ValueError: if there are no optimizers, or the numbers do not agree.

    Example:
        >>> import mlx.optimizers as optim
        >>> optimizer = optim.MultiOptimizer(
        ...     [optim.Muon(0.02), optim.AdamW(3e-4)], [lambda path, weight: weight.ndim == 2]
        ... )
    """

    def __init__(self, optimizers: Sequence[Optimizer], filters: Sequence[Filter] = []) -> None:
        if len(optimizers) == 0:
            raise ValueError("[MultiOptimizer] there must be at least one optimizer.")
        if len(filters) != len(optimizers) - 1:
            raise ValueError(
                f"[MultiOptimizer] {len(optimizers)} optimizers need {len(optimizers) - 1} "
                f"filters, but there are {len(filters)}."
            )
        super().__init__()
        self._state = {}
        self.optimizers = list(optimizers)
        self.filters: list[Filter] = [*filters, lambda path, weight: True]

    def _owners(self, tree: Any) -> Any:
        """The place in ``optimizers`` of each leaf's optimizer, as a tree."""

        def owner(path: str, weight: mx.array) -> int:
            return next(i for i, takes in enumerate(self.filters) if takes(path, weight))

        return tree_map_with_path(owner, tree)

    def init(self, parameters: Any) -> None:
        """Makes the state of each parameter in the optimizer that it belongs to.

        Args:
            parameters: a tree of arrays.
        """
        owners = self._owners(parameters)
        for i, optimizer in enumerate(self.optimizers):
            optimizer.init(_part(parameters, owners, i))

    def apply_gradients(self, gradients: Any, parameters: Any) -> Any:
        """Computes updated parameters; every optimizer counts the step.

        After an error the state is what it was.

        Args:
            gradients: a (partial) tree of arrays.
            parameters: the tree that ``gradients`` is part of.

        Returns:
            A tree like ``gradients`` with the updated parameters.
        """
        owners = self._owners(gradients)
        before = _held(self.state)
        try:
            updated = [
                optimizer.apply_gradients(_part(gradients, owners, i), parameters)
                for i, optimizer in enumerate(self.optimizers)
            ]
        except BaseException:
            self._put_back(before)
            raise
        return _join(owners, updated)

    def _put_back(self, before: list[tuple[Any, Any]]) -> None:
        super()._put_back(before)
        for optimizer in self.optimizers:
            optimizer._put_back([])

    @property
    def state(self) -> dict[str, Any]:
        """The optimizers' states."""
        return {"states": [optimizer.state for optimizer in self.optimizers]}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        states = state.get("states")
        if not isinstance(states, (list, tuple)) or len(states) != len(self.optimizers):
            raise ValueError(
                "[MultiOptimizer] the state must be {'states': [...]} with "
                f"{len(self.optimizers)} states."
            )
        for optimizer, one in zip(self.optimizers, states, strict=True):
            optimizer.state = one

    @property
    def step(self) -> mx.array:
        """The number of updates so far (uint64), as the first optimizer counts them."""
        return self.optimizers[0].step

    @property
    def learning_rate(self) -> mx.array:
        """The first optimizer's learning rate; setting it sets that of all."""
        return self.optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: float | mx.array) -> None:
        for optimizer in self.optimizers:
            optimizer.learning_rate = learning_rate


def _part(tree: Any, owners: Any, index: int) -> Any:
    """What one optimizer owns of a tree; ``{}`` where it owns nothing before something it owns."""
    if isinstance(tree, dict):
        parts = {key: _part(child, owners[key], index) for key, child in tree.items()}
        return {key: part for key, part in parts.items() if not _empty(part)}
    if isinstance(tree, (list, tuple)):
        kept = [_part(child, owner, index) for child, owner in zip(tree, owners, strict=True)]
        while kept and _empty(kept[-1]):
            kept.pop()
        return [{} if _empty(part) else part for part in kept]
    return tree if owners == index else {}


def _empty(part: Any) -> bool:
    return isinstance(part, (dict, list)) and not part


def _join(owners: Any, parts: list[Any]) -> Any:
    """The tree of the leaves that each part has at the places that it owns."""
    if isinstance(owners, dict):
        return {
            key: _join(child, [part.get(key, {}) if part else {} for part in parts])
            for key, child in owners.items()
        }
    if isinstance(owners, (list, tuple)):
        joined = [
            _join(child, [part[i] if i < len(part) else {} for part in parts])
            for i, child in enumerate(owners)
        ]
        return type(owners)(joined) if type(owners) in (list, tuple) else type(owners)(*joined)
    return parts[owners]
