"""Functions of a module's parameters, and of gradients that several processes share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx.utils import _scaled, _squares, tree_flatten, tree_unflatten


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


# ---- several processes -------------------------------------------------------------------------


def average_gradients(
    gradients: Any,
    group: mx.distributed.Group | None = None,
    all_reduce_size: int = 32 * 1024**2,
    communication_stream: mx.Stream | None = None,
) -> Any:
    """Averages gradients over the processes of a group; small ones travel together.

    Args:
        gradients: a tree of arrays, of the same structure in all processes.
        group: the processes. Default: all of them.
        all_reduce_size: how many bytes are gathered into one message; 0 sends each array alone.
        communication_stream: where the messages run. Default: the current stream.

    Returns:
        The tree of averages; in a group of one, ``gradients`` itself.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.average_gradients({"weight": mx.array([1.0, 2.0])})
        {'weight': array([1, 2], dtype=float32)}
    """
    group = mx.distributed.init() if group is None else group
    if group.size() == 1:
        return gradients
    averaged: list[tuple[str, mx.array]] = []
    for batch in _batches(tree_flatten(gradients), all_reduce_size):
        flat = mx.concatenate([g.reshape(-1) for _, g in batch])
        flat = mx.distributed.all_sum(flat, group=group, stream=communication_stream) / group.size()
        start = 0
        for name, g in batch:
            averaged.append((name, flat[start : start + g.size].reshape(g.shape)))
            start += g.size
    return tree_unflatten(averaged)


def _batches(
    named: list[tuple[str, mx.array]], largest: int
) -> Iterator[list[tuple[str, mx.array]]]:
    """Arrays of one dtype in the order of the tree, until they reach a number of bytes."""
    batch: list[tuple[str, mx.array]] = []
    size = 0
    for name, g in named:
        if batch and (size >= largest or g.dtype != batch[0][1].dtype):
            yield batch
            batch, size = [], 0
        batch.append((name, g))
        size += g.nbytes
    if batch:
        yield batch


def clip_grad_norm_sharded(
    gradients: Any, max_norm: float, group: mx.distributed.Group | None = None
) -> tuple[Any, mx.array]:
    r"""Scales gradients of which each process holds a part, so that their norm is bounded.

    :math:`g \leftarrow g \cdot \min(\text{max norm} / (\|g\| + 10^{-6}), 1)` with one norm over the
    parts of all processes.

    Args:
        gradients: a tree of arrays: the part of this process.
        max_norm: the largest norm.
        group: the processes. Default: all of them.

    Returns:
        The scaled part, of the dtypes of the gradients, and the norm of the whole before, a 0-d
        array.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.utils.clip_grad_norm_sharded([mx.array([3.0, 4.0])], 1.0)[1]
        array(5, dtype=float32)
    """
    squared = mx.array(_squares(gradients))
    norm = mx.sqrt(mx.distributed.all_sum(squared, group=group))
    scale = mx.minimum(max_norm / (norm + 1e-6), 1.0)
    return _scaled(gradients, scale), norm
