"""The allocator's figures and limits, in bytes."""

from __future__ import annotations

from mlx import kernels
from mlx.kernels import array
from mlx.kernels.hints import Any


def _bytes(name: str, limit: Any) -> int:
    """A number of bytes, checked."""
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise TypeError(f"[{name}] The limit is {limit!r}, not a number of bytes.")
    return min(limit, 2**63 - 1)


def get_active_memory() -> int:
    """The memory that arrays hold.

    Returns:
        Bytes.

    Example:
        >>> mx.get_active_memory() >= 0
        True
    """
    return kernels.active_memory()


def get_peak_memory() -> int:
    """The most memory that arrays held since the start, or since ``reset_peak_memory``.

    Returns:
        Bytes.

    Example:
        >>> mx.get_peak_memory() >= 0
        True
    """
    return kernels.peak_memory()


def reset_peak_memory() -> None:
    """Starts the measurement of the peak anew.

    Example:
        >>> mx.reset_peak_memory()
    """
    kernels.reset_peak_memory()


def get_cache_memory() -> int:
    """The memory that is kept for later arrays.

    Returns:
        Bytes.

    Example:
        >>> mx.get_cache_memory() >= 0
        True
    """
    return kernels.cache_memory()


def clear_cache() -> None:
    """Gives the memory that is kept for later arrays back to the system.

    Example:
        >>> mx.clear_cache()
    """
    kernels.clear_cache()


def get_memory_limit() -> int:
    """The limit above which the cache is emptied before memory is taken.

    Returns:
        Bytes.

    Example:
        >>> mx.get_memory_limit() > 0
        True
    """
    return kernels.memory_limit()


def set_memory_limit(limit: int) -> int:
    """Sets the limit above which the cache is emptied before memory is taken.

    Args:
        limit: Bytes. It is a guideline; with ``MLX_STRICT_MEMORY=1`` passing it raises MemoryError.

    Returns:
        The limit before.

    Raises:
        TypeError: If it is no number of bytes.

    Example:
        >>> before = mx.set_memory_limit(2**30)
        >>> mx.set_memory_limit(before)
        1073741824
    """
    return kernels.set_memory_limit(_bytes("set_memory_limit", limit))


def set_cache_limit(limit: int) -> int:
    """Sets how much memory may be kept for later arrays.

    Args:
        limit: Bytes; 0 keeps none.

    Returns:
        The limit before.

    Raises:
        TypeError: If it is no number of bytes.

    Example:
        >>> before = mx.set_cache_limit(0)
        >>> mx.set_cache_limit(before)
        0
    """
    return kernels.set_cache_limit(_bytes("set_cache_limit", limit))


def set_wired_limit(limit: int) -> int:
    """Sets how much memory may be wired; it has a meaning on Apple's GPUs only.

    Args:
        limit: Bytes.

    Returns:
        The limit before.

    Raises:
        TypeError: If it is no number of bytes.

    Example:
        >>> mx.set_wired_limit(0)
        0
    """
    return kernels.set_wired_limit(_bytes("set_wired_limit", limit))


def get_array_buffer_size(a: array) -> int:
    """The memory that an array's elements take, which other arrays may share.

    Args:
        a: An array.

    Returns:
        Bytes.

    Raises:
        TypeError: If it is no array.

    Example:
        >>> mx.get_array_buffer_size(mx.array([1, 2])) >= 8
        True
    """
    if not isinstance(a, array):
        raise TypeError(f"[get_array_buffer_size] {type(a).__name__} is no array.")
    return a.nbytes
