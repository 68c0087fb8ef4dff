"""Computing what was recorded."""

from __future__ import annotations

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
