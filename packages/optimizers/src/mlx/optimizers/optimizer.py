"""Optimizer: the base class, which walks trees and keeps the state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import mlx.core as mx
from mlx.utils import tree_flatten, tree_map

Schedule = Callable[[mx.array], mx.array]


class Updatable(Protocol):
    """What an optimizer needs of a model: a tree of parameters that takes a tree of new ones."""

    def update(self, parameters: Any, /) -> Any:
        """Replaces the parameters."""
        ...


class Optimizer:
    """Walks trees of gradients and parameters; a subclass says what happens to one of each.

    The state is a tree like the parameters with a dict at each leaf, beside ``"step"`` and
    ``"learning_rate"``.

    Args:
        schedulers: functions of the step by the name of the state entry that each sets.
    """

    def __init__(self, schedulers: dict[str, Schedule] | None = None) -> None:
        self._initialized = False
        self._state: dict[str, Any] = {"step": mx.array(0, mx.uint64)}
        self._schedulers = dict(schedulers or {})

    def update(self, model: Updatable, gradients: Any) -> None:
        """Replaces the model's parameters by the updated ones.

        Args:
            model: anything with ``update(parameters)`` that is itself the tree of its parameters.
            gradients: a (partial) tree like the model's parameters.
        """
        model.update(self.apply_gradients(gradients, model))

    def init(self, parameters: Any) -> None:
        """Makes the state of each parameter; entries that exist stay.

        Args:
            parameters: a tree of arrays.
        """
        _merge_state(self._state, parameters, self._fresh)
        self._initialized = True

    def _fresh(self, parameter: mx.array) -> dict[str, Any]:
        state: dict[str, Any] = {}
        self.init_single(parameter, state)
        return state

    def init_single(self, parameter: mx.array, state: dict[str, Any]) -> None:
        """Puts one parameter's initial state into ``state``."""
        raise NotImplementedError(f"{type(self).__name__} does not define init_single.")

    def apply_gradients(self, gradients: Any, parameters: Any) -> Any:
        """Computes updated parameters; after an error the state is what it was.

        Args:
            gradients: a (partial) tree of arrays.
            parameters: the tree that ``gradients`` is part of.

        Returns:
            A tree like ``gradients`` with the updated parameters.

        Raises:
            ValueError: if a gradient has no parameter, or not its shape.
        """
        state = self._state
        before = [(state, state.copy())] if self._initialized else _held(state)

        def single(gradient: mx.array, parameter: mx.array, state: dict[str, Any]) -> mx.array:
            before.append((state, state.copy()))
            return self.apply_single(gradient, parameter, state)

        try:
            if not self._initialized:
                self.init(gradients)
            for name, schedule in self._schedulers.items():
                self._state[name] = schedule(self.step)
            self._state["step"] = self.step + 1
            return tree_map(single, gradients, parameters, self._state)
        except BaseException as error:
            self._put_back(before)
            if isinstance(error, (KeyError, IndexError, ValueError)) and (
                problem := _misfit(gradients, parameters)
            ):
                raise ValueError(f"[{type(self).__name__}] {problem}") from error
            raise

    def _put_back(self, before: list[tuple[Any, Any]]) -> None:
        """Gives the state what it held; ``init`` adds again what it then lacks."""
        for container, content in reversed(before):
            container.clear()
            (container.update if isinstance(container, dict) else container.extend)(content)
        self._initialized = False

    def apply_single(
        self, gradient: mx.array, parameter: mx.array, state: dict[str, Any]
    ) -> mx.array:
        """Returns one updated parameter and updates its ``state`` in place."""
        raise NotImplementedError(f"{type(self).__name__} does not define apply_single.")

    @property
    def state(self) -> dict[str, Any]:
        """The state, to be saved, captured by ``mx.compile`` or replaced."""
        return self._state

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self._initialized = False
        self._state = state

    @property
    def step(self) -> mx.array:
        """The number of updates so far (uint64)."""
        return self._state["step"]

    @property
    def learning_rate(self) -> mx.array:
        """The current learning rate."""
        return self._state["learning_rate"]

    @learning_rate.setter
    def learning_rate(self, learning_rate: float | mx.array) -> None:
        self._state["learning_rate"] = mx.array(learning_rate)

    def _maybe_schedule(self, name: str, value: float | Schedule) -> None:
        """Stores a number, or a schedule that sets the entry before each update."""
        if callable(value):
            self._schedulers[name] = value
            self._state[name] = mx.array(value(self.step))
        else:
            self._state[name] = mx.array(value)


def _held(state: dict[str, Any]) -> list[tuple[Any, Any]]:
    """All dicts and lists of a state with a copy of what they hold."""
    found: list[tuple[Any, Any]] = []
    pending: list[Any] = [state]
    for part in pending:
        if isinstance(part, dict):
            found.append((part, part.copy()))
            pending.extend(part.values())
        elif isinstance(part, (list, tuple)):
            if isinstance(part, list):
                found.append((part, part.copy()))
            pending.extend(part)
    return found


def _misfit(gradients: Any, parameters: Any) -> str:
    """Which gradient belongs to no parameter, or has another shape; empty if all fit."""
    known = dict(tree_flatten(parameters))
    for name, gradient in tree_flatten(gradients):
        if name not in known:
            return f"There is a gradient of {name}, but no such parameter."
        if gradient.shape != known[name].shape:
            return (
                f"The gradient of {name} has shape {gradient.shape}, the parameter "
                f"{known[name].shape}."
            )
    return ""


def _merge_state(
    state: dict[Any, Any] | list[Any], parameters: Any, fresh: Callable[[mx.array], dict[str, Any]]
) -> None:
    """Gives every array of ``parameters`` a place in ``state``; what is there already stays."""
    items = parameters.items() if isinstance(parameters, dict) else enumerate(parameters)
    for key, value in items:
        known = key in state if isinstance(state, dict) else key < len(state)
        if isinstance(value, mx.array):
            if not known or not state[key]:
                _put(state, key, fresh(value))
        elif isinstance(value, (dict, list, tuple)):
            if not known:
                _put(state, key, {} if isinstance(value, dict) else [])
            _merge_state(state[key], value, fresh)
        elif not known:
            _put(state, key, {})


def _put(state: dict[Any, Any] | list[Any], key: Any, value: Any) -> None:
    if isinstance(state, list) and key == len(state):
        state.append(value)
    else:
        state[key] = value
