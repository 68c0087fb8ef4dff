"""The cases, by name. A case file registers with :func:`case`; this module finds the files."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Case:
    """One computation in every library that has it.

    ``functions`` maps a library's name to a function of (module, *inputs); "mlx" serves ours too.
    Results must agree in some of their elements, those of a ``random`` case in mean and deviation.
    ``limit`` names the machine's limit that ``amount`` (bytes or operations) is held against;
    ``factor`` is the figure to reach, as a multiple of the time at that limit. ``host`` cases time
    Python itself: the function is called as it is and never compiled; it gives seconds, or seconds
    and numbers that must agree. With ``peak`` each library also runs the case once in a process of
    its own, for the most memory that it holds above what its import takes. ``workspace`` says why
    ours holds more beside its result than the result takes.
    """

    name: str
    inputs: Callable[[Any], list[Any]]
    functions: dict[str, Callable[..., Any]]
    amount: float = 0
    limit: str = ""
    factor: float = 0
    host: bool = False
    count: int = 1  # what a host function does so many times: the time is divided by it
    target_us: float = 0
    tolerance: float = 2e-3
    random: bool = False
    peak: bool = False
    workspace: str = ""
    modes: tuple[str, ...] = field(default=())


CASES: dict[str, Case] = {}


def case(name: str, inputs: Callable[[Any], list[Any]], **options: Any) -> None:
    """Registers a case; functions are given by library name."""
    names = ("mlx", "torch", "jax", "numpy", "ours")
    functions = {key: options.pop(key) for key in names if key in options}
    CASES[name] = Case(name, inputs, functions, **options)


def load() -> dict[str, Case]:
    """Imports every case file."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return CASES
