"""Computing what was recorded."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper

from mlx import kernels
from mlx.kernels.hints import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def eval(*args: Any) -> None:
    """Computes arrays and waits for them.

    Args:
        *args: Trees of arrays; other leaves are passed over.

    Raises:
        ValueError: If an array depends on an argument of a function that vmap or compile records.
        MemoryError: If there is not enough memory; nothing has changed then.

    Example:
        >>> x = mx.ones((2,)) + 1
        >>> mx.eval(x)
    """
    kernels.eval(*args)


def async_eval(*args: Any) -> None:
    """Begins to compute arrays; errors come with the first read.

    Args:
        *args: Trees of arrays; other leaves are passed over.

    Example:
        >>> x = mx.ones((2,)) + 1
        >>> mx.async_eval(x)
    """
    kernels.async_eval(*args)


def _native(function: F, declaration: F) -> F:
    """The function of the kernels under the docstring and signature of its declaration.

    A frame that only calls it would be a tenth of what evaluating one operation costs.
    """
    update_wrapper(function, declaration)
    function.__module__ = "mlx.core"
    return function


eval = _native(kernels.eval, eval)
async_eval = _native(kernels.async_eval, async_eval)
