"""The conversion of element types, and order between arrays that have none by data."""

from __future__ import annotations

from collections.abc import Sequence

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any

from ..op import Cast, Op, Shape, method, public
from ..stream import StreamOrDevice
from .axes import check_array, handle

_cast = Cast("cast")


@method
def astype(a: array, /, dtype: Dtype, stream: StreamOrDevice = None) -> array:
    """Converts elements to a dtype.

    Floats lose their fraction on the way to integers, complex numbers their imaginary part on the
    way to real ones, integers wrap around.

    Args:
        a: Array of any shape.
        dtype: The dtype.
        stream: Stream or device to run on.

    Returns:
        The shape stays; ``dtype``.

    Raises:
        TypeError: If ``dtype`` is none.

    Example:
        >>> mx.astype(mx.array([1.7, -1.7]), mx.int32)
        array([1, -1], dtype=int32)
    """
    check_array("astype", a)
    if not isinstance(dtype, Dtype):
        raise TypeError(f"[astype] dtype is {type(dtype).__name__}, not a dtype.")
    result = kernels.cast(a, dtype, stream)
    return handle(a) if result is a else result


@_cast.vjp
def _cast_vjp(c: array, out: array, x: array, dtype: Dtype) -> tuple[array]:
    return (kernels.cast(c, x.dtype, None),)


@_cast.jvp
def _cast_jvp(tangents: tuple[array], out: array, x: array, dtype: Dtype) -> array:
    return kernels.cast(tangents[0], dtype, None)


@_cast.vmap
def _cast_vmap(batched: tuple[bool, ...], x: array, dtype: Dtype) -> array:
    return kernels.cast(x, dtype, None)


_depends = Op("depends", params=("count",), multiple=True)


def depends(
    inputs: array | Sequence[array], dependencies: array | Sequence[array]
) -> array | list[array]:
    """The inputs, computed after other arrays.

    Args:
        inputs: An array, or a sequence of arrays.
        dependencies: What must be computed before a consumer of the result is.

    Returns:
        The inputs as they are: an array for an array, a list for a sequence.

    Raises:
        TypeError: If an element is no array.

    Example:
        >>> mx.depends(mx.array(1), mx.array(2))
        array(1, dtype=int32)
    """
    values = [inputs] if isinstance(inputs, array) else list(inputs)
    after = [dependencies] if isinstance(dependencies, array) else list(dependencies)
    check_array("depends", *values, *after)
    outputs: Any = _depends(*values, *after, count=len(values)) if values else ()
    return outputs[0] if isinstance(inputs, array) else list(outputs)


@_depends.infer
def _depends_infer(*inputs: array, count: int) -> list[tuple[Shape, Dtype]]:
    return [(x.shape, x.dtype) for x in inputs[:count]]


@_depends.vjp
def _depends_vjp(
    cotangents: tuple[array | None, ...], outputs: Any, *inputs: array, count: int
) -> tuple[array | None, ...]:
    return (*cotangents, *([None] * (len(inputs) - count)))


@_depends.jvp
def _depends_jvp(
    tangents: tuple[array | None, ...], outputs: Any, *inputs: array, count: int
) -> tuple[array | None, ...]:
    return tangents[:count]


@_depends.vmap
def _depends_vmap(batched: tuple[bool, ...], *inputs: array, count: int) -> tuple[array, ...]:
    from .views import both_batched

    some = [True] * len(inputs) if all(batched) else list(batched)
    return _depends(*both_batched(some, *inputs), count=count)


__all__ = public(globals())
