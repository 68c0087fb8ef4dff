"""Arrays of other libraries, and the array API's way to ask for this one."""

from __future__ import annotations

import sys
from types import ModuleType

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any, Protocol

from .dtypes import float32, float64


class DLPackCompatible(Protocol):
    """An object whose memory other libraries may read by way of DLPack."""

    def __dlpack__(self, **options: Any) -> Any: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...


def _knows_dlpack(x: Any) -> bool:
    return hasattr(x, "__dlpack__") and hasattr(x, "__dlpack_device__")


class ArrayLike:
    """An object that can say which array it stands for, by a method ``__mlx_array__``.

    Args:
        arg: The object.

    Raises:
        TypeError: If it has no such method.

    Example:
        >>> class Two:
        ...     def __mlx_array__(self):
        ...         return mx.array(2)
        >>> mx.array(mx.ArrayLike(Two()))
        array(2, dtype=int32)
    """

    def __init__(self, arg: Any, /) -> None:
        if not hasattr(arg, "__mlx_array__"):
            raise TypeError(f"[ArrayLike] {type(arg).__name__} has no method __mlx_array__.")
        self._arg = arg

    def __mlx_array__(self) -> array:
        return self._arg.__mlx_array__()


def _needs_copy(name: str, why: str) -> ValueError:
    return ValueError(f"[{name}] copy=False asks for the same memory, but {why}.")


def _own_memory(x: array) -> array:
    """The values in memory of their own, now: nobody else can change them later."""
    copied = array(0)
    copied.__setstate__(x.__getstate__())
    return copied


def from_dlpack(x: DLPackCompatible, /, *, copy: bool | None = None) -> array:
    """An array from an object of another library, by way of DLPack.

    Shared memory is memory of both: a change that the other library makes is seen here. float64,
    the other libraries' habit, becomes float32, unless it comes from an array of this one, and
    complex128 becomes complex64.

    Args:
        x: Object with ``__dlpack__`` and ``__dlpack_device__``, on the CPU.
        copy: True for memory of its own, False for shared memory, None to share where possible.

    Returns:
        The object's shape and dtype; float32 for float64, complex64 for complex128.

    Raises:
        TypeError: If the object does not know DLPack.
        ValueError: If ``copy`` is False and a copy is needed, or there is no such dtype.

    Example:
        >>> mx.from_dlpack(mx.array([1, 2]))
        array([1, 2], dtype=int32)
    """
    return _shared("from_dlpack", x, None, copy)


def _shared(name: str, x: Any, dtype: Dtype | None, copy: bool | None) -> array:
    """The array of a DLPack object in a dtype."""
    if not _knows_dlpack(x):
        raise TypeError(f"[{name}] {type(x).__name__} has no method __dlpack__.")
    shared = array(x) if isinstance(x, array) else _imported(name, x, copy)
    if dtype is None:
        foreign = shared.dtype == float64 and not isinstance(x, array)
        dtype = float32 if foreign else shared.dtype
    if dtype != shared.dtype:
        if copy is False:
            raise _needs_copy(name, f"{shared.dtype!r} has to be converted to {dtype!r}")
        converted = kernels.cast(shared, dtype, None)
        if not isinstance(x, array):
            kernels.eval(converted)  # before the other library changes its memory
        return converted
    return _own_memory(shared) if copy and not isinstance(x, array) else shared


def _imported(name: str, x: Any, copy: bool | None) -> array:
    """The array that shares an object's memory, or holds a copy where it cannot."""
    try:
        return kernels.from_dlpack(x)
    except (BufferError, RuntimeError, ValueError) as error:  # ValueError: complex128, say
        if copy is False:
            raise _needs_copy(name, f"{type(x).__name__} cannot share: {error}") from error
        return array(x)


def asarray(a: Any, dtype: Dtype | None = None, *, copy: bool | None = None) -> array:
    """An array from whatever can be one.

    Args:
        a: An array, an object that knows DLPack (its memory is shared where possible; see
            ``from_dlpack``), a number, or lists of numbers.
        dtype: The result's dtype; None for that of ``a``.
        copy: True for memory of its own, False for shared memory, None to share where possible.

    Returns:
        The shape of ``a``; ``dtype``.

    Raises:
        TypeError: If ``a`` is None, or ``dtype`` is not a dtype.
        ValueError: If ``a`` cannot be an array, or ``copy`` is False and a copy is needed.

    Example:
        >>> mx.asarray([1, 2], mx.float16)
        array([1, 2], dtype=float16)
    """
    if dtype is not None and not isinstance(dtype, Dtype):
        raise TypeError(f"[asarray] dtype is {type(dtype).__name__}, not a dtype.")
    if _knows_dlpack(a):
        return _shared("asarray", a, dtype, copy)
    if copy is False:
        raise _needs_copy("asarray", f"{type(a).__name__} has no memory to share")
    return array(a, dtype)


def _namespace(a: array, api_version: str | None) -> ModuleType:
    """``a.__array_namespace__(api_version=...)``: the module with the functions of arrays."""
    if api_version is not None:
        raise ValueError(
            f"[array.__array_namespace__] api_version is {api_version!r}; None is the only one."
        )
    return sys.modules["mlx.core"]


kernels.set_hook("array_namespace", _namespace)
