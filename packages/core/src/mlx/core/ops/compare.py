"""Ops whose result is bool: comparisons, logic, and questions about floats."""

from __future__ import annotations

from mlx.kernels import array

from ..op import Op, elementwise, public
from ..stream import StreamOrDevice
from .axes import Numeric, as_array, as_float, broadcast_shape
from .binary import add, multiply, subtract


@elementwise(result="boolean", constant=True, operator=True)
def equal(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Comparison, elementwise: ``a == b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; bool.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.equal(mx.array([1, 2, 3]), 2)
        array([False, True, False], dtype=bool)
    """
    ...


@elementwise(result="boolean", constant=True, operator=True)
def not_equal(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Comparison, elementwise: ``a != b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; bool.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.not_equal(mx.array([1, 2, 3]), 2)
        array([True, False, True], dtype=bool)
    """
    ...


@elementwise(result="boolean", constant=True, operator=True)
def less(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Comparison, elementwise: ``a < b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; bool.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.less(mx.array([1, 2, 3]), 2)
        array([True, False, False], dtype=bool)
    """
    ...


@elementwise(result="boolean", constant=True, operator=True)
def less_equal(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Comparison, elementwise: ``a <= b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; bool.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.less_equal(mx.array([1, 2, 3]), 2)
        array([True, True, False], dtype=bool)
    """
    ...


@elementwise(result="boolean", constant=True, operator=True)
def greater(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Comparison, elementwise: ``a > b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; bool.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.greater(mx.array([1, 2, 3]), 2)
        array([False, False, True], dtype=bool)
    """
    ...


@elementwise(result="boolean", constant=True, operator=True)
def greater_equal(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Comparison, elementwise: ``a >= b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; bool.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.greater_equal(mx.array([1, 2, 3]), 2)
        array([False, True, True], dtype=bool)
    """
    ...


@elementwise(domain="boolean", result="boolean", constant=True)
def logical_and(a: Numeric, b: Numeric, *, stream: StreamOrDevice = None) -> array:
    """Logical and, elementwise: whether both are nonzero.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; bool.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.logical_and(mx.array([True, False]), True)
        array([True, False], dtype=bool)
    """
    ...


@elementwise(domain="boolean", result="boolean", constant=True)
def logical_or(a: Numeric, b: Numeric, *, stream: StreamOrDevice = None) -> array:
    """Logical or, elementwise: whether at least one is nonzero.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; bool.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.logical_or(mx.array([True, False]), True)
        array([True, True], dtype=bool)
    """
    ...


@elementwise(domain="boolean", result="boolean", constant=True)
def logical_xor(a: Numeric, b: Numeric, *, stream: StreamOrDevice = None) -> array:
    """Logical xor, elementwise: whether exactly one is nonzero.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; bool.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.logical_xor(mx.array([True, False]), True)
        array([False, True], dtype=bool)
    """
    ...


@elementwise(domain="boolean", result="boolean", constant=True)
def logical_not(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Logical not, elementwise: whether an element is zero.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; bool.

    Example:
        >>> mx.logical_not(mx.array([True, False]))
        array([False, True], dtype=bool)
    """
    ...


@elementwise(result="boolean", constant=True)
def isnan(a: Numeric, stream: StreamOrDevice = None) -> array:
    """Whether an element is NaN.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; bool.

    Example:
        >>> mx.isnan(mx.array([1.0, float("nan"), float("inf"), -float("inf")]))
        array([False, True, False, False], dtype=bool)
    """
    ...


@elementwise(result="boolean", constant=True)
def isinf(a: Numeric, stream: StreamOrDevice = None) -> array:
    """Whether an element is infinite.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; bool.

    Example:
        >>> mx.isinf(mx.array([1.0, float("nan"), float("inf"), -float("inf")]))
        array([False, False, True, True], dtype=bool)
    """
    ...


@elementwise(result="boolean", constant=True)
def isfinite(a: Numeric, stream: StreamOrDevice = None) -> array:
    """Whether an element is neither NaN nor infinite.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; bool.

    Example:
        >>> mx.isfinite(mx.array([1.0, float("nan"), float("inf"), -float("inf")]))
        array([True, False, False, False], dtype=bool)
    """
    ...


@elementwise(result="boolean", constant=True)
def isposinf(a: Numeric, stream: StreamOrDevice = None) -> array:
    """Whether an element is +inf; a complex one, whether it equals +inf.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; bool.

    Example:
        >>> mx.isposinf(mx.array([1.0, float("nan"), float("inf"), -float("inf")]))
        array([False, False, True, False], dtype=bool)
    """
    ...


@elementwise(result="boolean", constant=True)
def isneginf(a: Numeric, stream: StreamOrDevice = None) -> array:
    """Whether an element is -inf; a complex one, whether it equals -inf.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; bool.

    Example:
        >>> mx.isneginf(mx.array([1.0, float("nan"), float("inf"), -float("inf")]))
        array([False, False, False, True], dtype=bool)
    """
    ...


def _tolerance(name: str, value: Numeric) -> Numeric:
    return value if isinstance(value, array) else as_float(value, "a tolerance", name)


def isclose(
    a: array,
    b: array,
    /,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    *,
    equal_nan: bool = False,
    stream: StreamOrDevice = None,
) -> array:
    """Whether elements are near each other: ``|a - b| <= atol + rtol |b|``.

    Infinities are near themselves only.

    Args:
        a: Array; the arguments broadcast together.
        b: Array; the arguments broadcast together.
        rtol: Relative tolerance.
        atol: Absolute tolerance.
        equal_nan: Whether NaN is near NaN.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; bool.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.isclose(mx.array([1.0, 2.0]), mx.array([1.0, 2.1]))
        array([True, False], dtype=bool)
    """
    return _near("isclose", a, b, rtol, atol, equal_nan, stream)


def _near(
    name: str,
    a: Numeric,
    b: Numeric,
    rtol: Numeric,
    atol: Numeric,
    equal_nan: bool,
    stream: StreamOrDevice,
) -> array:
    """``isclose`` in the name of a function."""
    a, b = as_array(a, name), as_array(b, name)
    # As floats: the integers of a small dtype hold neither every tolerance nor its product.
    relative, absolute = _tolerance(name, rtol), _tolerance(name, atol)
    shapes = {x.shape for x in (a, b, relative, absolute) if isinstance(x, array)}
    if len(shapes) > 1:
        broadcast_shape(name, *shapes)
    distance = _absolute(subtract(a, b, stream=stream), stream=stream)
    reach = multiply(_absolute(b, stream=stream), relative, stream=stream)
    reach = add(reach, absolute, stream=stream)
    near = less_equal(distance, reach, stream=stream)
    finite = logical_and(isfinite(a, stream=stream), isfinite(b, stream=stream), stream=stream)
    close = logical_or(
        logical_and(near, finite, stream=stream), equal(a, b, stream=stream), stream=stream
    )
    if equal_nan:
        both = logical_and(isnan(a, stream=stream), isnan(b, stream=stream), stream=stream)
        close = logical_or(close, both, stream=stream)
    return close


def allclose(
    a: array,
    b: array,
    /,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    *,
    equal_nan: bool = False,
    stream: StreamOrDevice = None,
) -> array:
    """Whether all elements are near each other, as ``isclose`` says.

    Args:
        a: Array; the arguments broadcast together.
        b: Array; the arguments broadcast together.
        rtol: Relative tolerance.
        atol: Absolute tolerance.
        equal_nan: Whether NaN is near NaN.
        stream: Stream or device to run on.

    Returns:
        No dimensions; bool.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.allclose(mx.array([1.0, 2.0]), mx.array([1.0, 2.1]), atol=0.2)
        array(True, dtype=bool)
    """
    close = _near("allclose", a, b, rtol, atol, equal_nan, stream)
    return _all(close, stream)


def array_equal(
    a: Numeric, b: Numeric, equal_nan: bool = False, stream: StreamOrDevice = None
) -> array:
    """Whether two arrays have one shape and equal elements.

    Args:
        a: Array or scalar.
        b: Array or scalar.
        equal_nan: Whether NaN equals NaN.
        stream: Stream or device to run on.

    Returns:
        No dimensions; bool.

    Example:
        >>> mx.array_equal(mx.array([1, 2]), mx.array([1.0, 2.0]))
        array(True, dtype=bool)
    """
    a, b = as_array(a, "array_equal"), as_array(b, "array_equal")
    if a.shape != b.shape:
        return array(False)
    same = equal(a, b, stream=stream)
    if equal_nan:
        both = logical_and(isnan(a, stream=stream), isnan(b, stream=stream), stream=stream)
        same = logical_or(same, both, stream=stream)
    return _all(same, stream)


def _absolute(a: array, stream: StreamOrDevice) -> array:
    return Op.named["abs"](a, stream=stream)


def _all(a: array, stream: StreamOrDevice) -> array:
    return Op.named["all"](a, axes=tuple(range(a.ndim)), keepdims=False, stream=stream)


__all__ = public(globals())
