"""``mx.metal``: what asks for the Metal backend, and the former names of memory functions."""

from __future__ import annotations

from mlx.kernels.hints import Any

from . import device, memory


def is_available() -> bool:
    """Whether this build has the Metal backend.

    Returns:
        False where there is none.

    Example:
        >>> mx.metal.is_available()
        False
    """
    return False


def _missing(name: str) -> RuntimeError:
    return RuntimeError(
        f"[metal.{name}] This build has no Metal backend; it takes macOS on Apple silicon and a "
        "build of mlx-kernels with Metal."
    )


def start_capture(path: str) -> None:
    """Starts to record the GPU's work in a file.

    Args:
        path: The file, with the ending .gputrace.

    Raises:
        RuntimeError: If this build has no Metal backend.
    """
    raise _missing("start_capture")


def stop_capture() -> None:
    """Ends the recording.

    Raises:
        RuntimeError: If this build has no Metal backend.
    """
    raise _missing("stop_capture")


def device_info() -> dict[str, Any]:
    """What is known of the GPU; deprecated, use ``mx.device_info``.

    Returns:
        A dictionary; an empty one without a GPU.

    Example:
        >>> mx.metal.device_info()
        {}
    """
    return device.device_info(device.gpu)


def get_active_memory() -> int:
    """The memory that arrays hold, in bytes; deprecated, use ``mx.get_active_memory``."""
    return memory.get_active_memory()


def get_peak_memory() -> int:
    """The most memory that arrays held, in bytes; deprecated, use ``mx.get_peak_memory``."""
    return memory.get_peak_memory()


def reset_peak_memory() -> None:
    """Starts the measurement of the peak anew; deprecated, use ``mx.reset_peak_memory``."""
    memory.reset_peak_memory()


def get_cache_memory() -> int:
    """The memory kept for later arrays, in bytes; deprecated, use ``mx.get_cache_memory``."""
    return memory.get_cache_memory()


def set_memory_limit(limit: int) -> int:
    """Sets the limit in bytes, and returns the former; deprecated, use ``mx.set_memory_limit``."""
    return memory.set_memory_limit(limit)


def set_cache_limit(limit: int) -> int:
    """Sets the limit in bytes, and returns the former; deprecated, use ``mx.set_cache_limit``."""
    return memory.set_cache_limit(limit)


def set_wired_limit(limit: int) -> int:
    """Sets the limit in bytes, and returns the former; deprecated, use ``mx.set_wired_limit``."""
    return memory.set_wired_limit(limit)


def clear_cache() -> None:
    """Frees the memory kept for later arrays; deprecated, use ``mx.clear_cache``."""
    memory.clear_cache()
