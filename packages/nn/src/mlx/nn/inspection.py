"""What a model is made of: ``summary``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx.utils import tree_flatten, tree_map


class Layer(NamedTuple):
    """One module of a model: a row of its summary.

    Attributes:
        name: dotted name; that of the model is empty.
        kind: name of the class.
        output: shape of what it returned last, a tree of shapes where that is a tree, or None if it
            was not called.
        parameters: number of elements of its own parameters, those of its sub-modules not counted.
        trainable: how many of them are not frozen.
        bytes: their size.
    """

    name: str
    kind: str
    output: Any
    parameters: int
    trainable: int
    bytes: int


class Summary(list[Layer]):
    """The modules of a model in the order of the tree; prints as a table.

    Attributes:
        parameters: number of elements of all parameters, shared ones counted once.
        trainable: how many of them are not frozen.
        bytes: their size.
    """

    def __init__(self, layers: list[Layer], total: tuple[int, int, int]) -> None:
        super().__init__(layers)
        self.parameters, self.trainable, self.bytes = total

    def __repr__(self) -> str:
        rows = [["layer", "class", "output", "parameters", "bytes"]]
        for layer in self:
            sizes = _numbers(layer.parameters, layer.bytes) if layer.parameters else ["", ""]
            output = "" if layer.output is None else str(layer.output)
            rows.append([layer.name or "(model)", layer.kind, output, *sizes])
        rows.append(["total", "", "", *_numbers(self.parameters, self.bytes)])
        if self.trainable != self.parameters:
            rows.append(["trainable", "", "", f"{self.trainable:,}", ""])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) if i > 2 else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        rule = "-" * (sum(widths) + 2 * len(widths) - 2)
        end = 1 + len(self)
        return "\n".join([lines[0], rule, *lines[1:end], rule, *lines[end:]])


def _numbers(parameters: int, size: int) -> list[str]:
    return [f"{parameters:,}", f"{size:,}"]


def summary(model: Module, *inputs: Any, **keywords: Any) -> Summary:
    """What a model is made of: its layers, their shapes, parameters and bytes.

    The model is called on the inputs, in evaluation mode; nothing is evaluated unless the model
    asks for values, and the model stays as it is.

    Args:
        model: the model.
        *inputs: what it is called with, arrays for example. Without any it is not called, and no
            shapes are known.
        **keywords: likewise, by name.

    Returns:
        A list of layers that prints as a table.

    Raises:
        TypeError: if ``model`` is no module.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10))
        >>> nn.summary(model, mx.zeros((32, 784)))
        layer     class       output     parameters      bytes
        ------------------------------------------------------
        (model)   Sequential  (32, 10)
        layers.0  Linear      (32, 512)     401,920  1,607,680
        layers.1  ReLU        (32, 512)
        layers.2  Linear      (32, 10)        5,130     20,520
        ------------------------------------------------------
        total                               407,050  1,628,200
    """
    if not isinstance(model, Module):
        raise TypeError(f"[summary] model is {type(model).__name__}, not a Module.")
    outputs: dict[int, Any] = {}
    named = list(_in_order("", model))
    if inputs or keywords:
        with _unchanged(model), _recorded([module for _, module in named], outputs):
            model(*inputs, **keywords)
    layers = [_layer(name, module, outputs.get(id(module))) for name, module in named]
    return Summary(layers, _sizes([model.parameters()], [model.trainable_parameters()]))


def _in_order(name: str, module: Module) -> Iterator[tuple[str, Module]]:
    """A module and all below it with their names, each before its sub-modules."""
    yield name, module
    for key, child in tree_flatten(module.children(), is_leaf=Module.is_module):
        if isinstance(child, Module):
            yield from _in_order(f"{name}.{key}" if name else key, child)


def _layer(name: str, module: Module, output: Any) -> Layer:
    def is_own(module: Module, key: str, value: Any) -> bool:
        return not isinstance(value, Module) and module.valid_parameter_filter(module, key, value)

    def is_trainable(module: Module, key: str, value: Any) -> bool:
        return is_own(module, key, value) and key not in module._no_grad

    sizes = _sizes([module.filter_and_map(is_own)], [module.filter_and_map(is_trainable)])
    return Layer(name, type(module).__name__, output, *sizes)


def _sizes(parameters: Any, trainable: Any) -> tuple[int, int, int]:
    """Elements, trainable elements and bytes of trees of arrays, each array counted once."""
    every = {id(a): a for _, a in tree_flatten(parameters)}.values()
    free = {id(a): a for _, a in tree_flatten(trainable)}.values()
    return sum(a.size for a in every), sum(a.size for a in free), sum(a.nbytes for a in every)


def _shapes(output: Any) -> Any:
    return tree_map(lambda leaf: leaf.shape if isinstance(leaf, mx.array) else leaf, output)


@contextmanager
def _recorded(modules: list[Module], outputs: dict[int, Any]) -> Iterator[None]:
    """Writes down the shapes that modules return, by their ids."""

    def recording(kind: type[Module]) -> type[Module]:
        def call(self: Module, *inputs: Any, **keywords: Any) -> Any:
            output = kind.__call__(self, *inputs, **keywords)
            outputs[id(self)] = _shapes(output)
            return output

        return type(kind.__name__, (kind,), {"__call__": call})

    # A call goes to the class of a module, so each module gets a class of its own for a while.
    kinds = {id(module): (module, type(module)) for module in modules}
    try:
        for module, kind in kinds.values():
            if callable(module):
                module.__class__ = recording(kind)
        yield
    finally:
        for module, kind in kinds.values():
            module.__class__ = kind


@contextmanager
def _unchanged(model: Module) -> Iterator[None]:
    """Puts the model into evaluation mode, and all back as it was."""
    modes = [(module, module.training) for module in model.modules()]
    arrays = [
        (module, {key: value for key, value in module.items() if isinstance(value, mx.array)})
        for module, _ in modes
    ]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module._training = mode
        for module, held in arrays:
            dict.update(module, held)
