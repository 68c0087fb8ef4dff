"""What a comparison with PyTorch is.

The modules of this folder say each layer, function and loss of mlx.nn in both libraries, one family
a file, and import neither: ``torch_golden.py`` runs the PyTorch side in an environment of its own
and keeps the results, ``test_peers.py`` runs ours and compares.

A case says ``ours``, from ``mlx.nn`` to a module or function; ``theirs``, a function of the module
``torch``, a dict of parameters and the inputs, in our layouts (channels last); the inputs; and the
shapes of the parameters. All numbers are odd multiples of 1/64, exact in bfloat16, and never at a
kink of a function.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

STEPS, RATE = 10, 0.1


@dataclass
class Input:
    """How one input is made.

    Attributes:
        shape: its shape.
        kind: ``"real"``, ``"positive"``; without a gradient ``"share"`` for numbers in (0, 1),
            ``"sign"`` for -1 and 1, ``"index"`` for integers below ``below``.
        below: the number of indices.
    """

    shape: tuple[int, ...]
    kind: str = "real"
    below: int = 0

    @property
    def is_differentiable(self) -> bool:
        """Whether gradients flow to it."""
        return self.kind in ("real", "positive")

    def values(self, seed: int) -> np.ndarray:
        """The numbers."""
        odd = numbers(self.shape, seed)
        if self.kind == "index":
            return ((odd * 64 + 127) / 2 % self.below).astype(np.int32)
        if self.kind == "sign":
            return np.sign(odd)
        if self.kind == "positive":
            return np.abs(odd)
        return odd / 4 + 0.5 if self.kind == "share" else odd


@dataclass
class Case:
    """One comparison; see the module."""

    name: str
    ours: Callable[[Any], Any]
    theirs: Callable[..., Any]
    inputs: list[Input]
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def parameters(self) -> dict[str, np.ndarray]:
        """The first values of the parameters."""
        names = sorted(self.shapes)
        return {name: numbers(self.shapes[name], 7 + i) / 2 for i, name in enumerate(names)}

    def arguments(self) -> list[np.ndarray]:
        """The inputs."""
        return [given.values(20 + i) for i, given in enumerate(self.inputs)]


def numbers(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Odd multiples of 1/64 between -2 and 2, 128 different ones in turn."""
    i = np.arange(math.prod(shape), dtype=np.int64)
    places = (i * (2 * seed + 37) + seed * seed) % 128
    return ((2 * places - 127) / 64).astype(np.float32).reshape(shape)


def first(y: Any) -> Any:
    """Channels behind the batch, as PyTorch has them."""
    return y.movedim(-1, 1)


def last(y: Any) -> Any:
    """Channels last, as we have them."""
    return y.movedim(1, -1)
