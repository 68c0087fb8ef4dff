"""Computing what was recorded."""

from __future__ import annotations

from functools import update_wrapper
from typing import Any

from mlx import kernels


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


# The functions of the kernels themselves, under these names and with these docstrings: a frame that
# only calls them would be a tenth of what evaluating one operation costs.
eval = update_wrapper(kernels.eval, eval)
async_eval = update_wrapper(kernels.async_eval, async_eval)
