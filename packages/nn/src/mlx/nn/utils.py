"""Transforms of functions of a module's parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import mlx.core as mx
from mlx.nn.layers.base import Module


def value_and_grad(model: Module, fn: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """Makes a function that returns ``fn``'s value and gradients.

    The gradients are those by the model's trainable parameters.

    Args:
        model: the module whose trainable parameters are the variables.
        fn: a function that calls the model; returns a scalar, or a tuple that begins with one.

    Returns:
        A function of ``fn``'s arguments that returns ``(value, gradients)``; the gradients are a
        tree like ``model.trainable_parameters()``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> model = nn.Linear(2, 1)
        >>> step = nn.value_and_grad(model, lambda x: model(x).sum())
        >>> step(mx.ones((1, 2)))[1]["bias"]
        array([1], dtype=float32)
    """

    def of_parameters(parameters: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        model.update(parameters)
        return fn(*args, **kwargs)

    differentiated = mx.value_and_grad(of_parameters)

    @wraps(fn)
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        parameters = model.trainable_parameters()
        try:
            return differentiated(parameters, *args, **kwargs)
        finally:
            model.update(parameters)

    return value_and_gradient


def checkpoint(module: Module, fn: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Makes a form of the module that keeps no intermediate values.

    It computes them again for the gradient.

    Args:
        module: its trainable parameters are the inputs of the checkpoint.
        fn: the function to checkpoint. Default: the module's forward.

    Returns:
        A function with ``fn``'s arguments and result (Chen et al., Training Deep Nets with
        Sublinear Memory Cost, 2016).
    """
    forward = fn if fn is not None else module

    def of_parameters(parameters: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        module.update(parameters)
        return forward(*args, **kwargs)

    checkpointed = mx.checkpoint(of_parameters)

    @wraps(forward if fn is not None else type(module).__call__)
    def call(*args: Any, **kwargs: Any) -> Any:
        return checkpointed(module.trainable_parameters(), *args, **kwargs)

    return call
