"""What is known of samples: histograms, covariances, and functions given by their values.

Names of NumPy made of public ops. No op lives here.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlx import kernels
from mlx.kernels import array, slice_axis
from mlx.kernels.hints import Any

from ..dtypes import complex64, int32, int64, integer, issubdtype
from ..op import conjugate, public
from ..stream import StreamOrDevice, on_stream
from .axes import (
    Numeric,
    as_array,
    as_inexact,
    as_int,
    axis_of,
    check_array,
    check_not_complex,
    check_operands,
    promoted,
    wide,
)
from .binary import divide, maximum, minimum, multiply, subtract
from .compare import isfinite, isinf
from .create import linspace, zeros
from .index import take
from .join import concatenate, diff
from .matmul import matmul
from .reduce import max, min, sum
from .search import searchsorted
from .shape import expand_dims, flatten, swapaxes
from .sort import argsort
from .ternary import where
from .unary import sqrt
from .views import diagonal

# ---- counts ------------------------------------------------------------------------------------


@on_stream
def bincount(
    x: array,
    /,
    weights: array | None = None,
    minlength: int = 0,
    *,
    size: int | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """How often each number from zero on appears, or the sum of its weights.

    Without ``size`` the largest number decides how long the result is, so the array is evaluated.

    Args:
        x: Integers (n,), none negative.
        weights: What each counts, (n,); None is one.
        minlength: The least length of the result.
        size: The length of the result; other numbers are not counted. It is needed inside of
            ``compile`` and ``vmap``.
        stream: Stream or device to run on.

    Returns:
        Counts, int32, or sums in the dtype of the weights, float32 if they are integers.

    Raises:
        ValueError: If ``x`` holds no integers or has not one dimension, a number is negative, the
            weights have another shape, or the size must be given and is not.

    Example:
        >>> mx.bincount(mx.array([0, 2, 2]))
        array([1, 0, 2], dtype=int32)
    """
    check_array("bincount", x, *(() if weights is None else (weights,)))
    if x.ndim != 1 or not issubdtype(x.dtype, integer):
        raise ValueError(
            f"[bincount] An array of shape {x.shape} and dtype {x.dtype!r} is no list of integers."
        )
    if weights is not None and weights.shape != x.shape:
        raise ValueError(f"[bincount] Weights {weights.shape} and x {x.shape} differ in shape.")
    if size is None:
        size = _length(x, as_int(minlength, "minlength", "bincount"))
    return _counted(x, weights, as_int(size, "size", "bincount"))


def _length(x: array, minlength: int) -> int:
    if minlength < 0:
        raise ValueError(f"[bincount] minlength is {minlength}; it must not be negative.")
    if x.size == 0:
        return minlength
    if kernels.has_placeholder(x):
        raise ValueError(
            "[bincount] The length of the result depends on values, and vmap, compile and export "
            "know none: give the size, as in bincount(x, size=n)."
        )
    least, most = (int(value.item()) for value in (min(x), max(x)))
    if least < 0:
        raise ValueError(f"[bincount] {least} is negative and cannot be counted.")
    return most + 1 if most >= minlength else minlength


def _counted(x: array, weights: array | None, size: int) -> array:
    """Weights added up by place; places outside go to one beyond the end that is cut off."""
    if size < 0:
        raise ValueError(f"[bincount] size is {size}; it must not be negative.")
    x = kernels.cast(x, int64)
    place = where((x < 0) | (x >= size), size, x)
    values = array(1, int32) if weights is None else as_inexact(weights)
    start = zeros((size + 1,), values.dtype)
    return slice_axis(start.at[place].add(values), 0, 0, size)


@on_stream
def histogram(
    a: array,
    /,
    bins: int | Sequence[float] | array = 10,
    range: tuple[float, float] | None = None,
    density: bool = False,
    weights: array | None = None,
    *,
    stream: StreamOrDevice = None,
) -> tuple[array, array]:
    """How many elements lie in each bin; all bins but the last are open at their end.

    Args:
        a: Real array of any shape; it is flattened.
        bins: How many bins of one width, or their edges, ascending.
        range: The first and the last edge; None takes the smallest and the largest element.
        density: Whether counts are divided so that the integral is one.
        weights: What each element counts, in the shape of ``a``.
        stream: Stream or device to run on.

    Returns:
        The counts (n,), int32, or float where there are weights or a density; and the edges
        (n + 1,).

    Raises:
        ValueError: If there is no bin, the range descends, the weights have another shape, or ``a``
            is complex.

    Example:
        >>> mx.histogram(mx.array([1.0, 2.0, 2.5, 4.0]), bins=3)
        (array([1, 2, 1], dtype=int32), array([1, 2, 3, 4], dtype=float32))
    """
    check_array("histogram", a, *(() if weights is None else (weights,)))
    check_not_complex("histogram", a)
    if weights is not None and weights.shape != a.shape:
        raise ValueError(f"[histogram] Weights {weights.shape} and a {a.shape} differ in shape.")
    x = as_inexact(flatten(a))
    edges = _edges(x, bins, range)
    count = edges.shape[0] - 1
    place = kernels.cast(searchsorted(edges, x, "right"), int32) - 1
    place = where(x == edges[-1], count - 1, place)
    flat = None if weights is None else flatten(weights)
    counts = _counted(place, flat, count)
    if density:
        dtype = promoted([counts, edges])[0].dtype
        shares = divide(counts, sum(wide(counts)))
        counts = divide(shares, wide(diff(edges)))
        counts = kernels.cast(counts, dtype)
    return counts, edges


def _edges(x: array, bins: Any, range: Any) -> array:
    """The edges of the bins, in the dtype of x."""
    if isinstance(bins, (list, tuple)):
        bins = array(bins)
    if isinstance(bins, array) and bins.ndim:
        if bins.ndim != 1 or bins.shape[0] < 2:
            raise ValueError(f"[histogram] Edges of shape {bins.shape} are not two or more.")
        return kernels.cast(bins, x.dtype)
    count = as_int(bins, "bins", "histogram")
    if count < 1:
        raise ValueError(f"[histogram] There are {count} bins; at least one is needed.")
    if range is not None or x.size == 0:
        low, high = (0.0, 1.0) if range is None else (float(end) for end in range)
        if low > high:
            raise ValueError(f"[histogram] The range ({low}, {high}) descends.")
        first, last = array(low, x.dtype), array(high, x.dtype)
    else:
        first, last = min(x), max(x)
    is_point = first == last
    first, last = where(is_point, first - 0.5, first), where(is_point, last + 0.5, last)
    steps = kernels.cast(linspace(0, 1, count + 1), x.dtype)
    inner = first + slice_axis(steps, 0, 0, count) * (last - first)
    return concatenate([inner, expand_dims(last, 0)], 0)


# ---- covariances -------------------------------------------------------------------------------


@on_stream
def cov(
    m: array,
    /,
    y: array | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    *,
    fweights: array | None = None,
    aweights: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """The covariances of variables: ``Σ (x - x̄)(y - ȳ)* / (n - ddof)``.

    Args:
        m: Variables in rows (k, n), or one of them (n,).
        y: Further variables of the same form.
        rowvar: Whether variables are rows, else columns.
        bias: Whether ``ddof`` is 0 instead of 1.
        ddof: Subtracted from the number of observations; None leaves it to ``bias``.
        fweights: How often each observation counts, (n,).
        aweights: Its weight, (n,).
        stream: Stream or device to run on.

    Returns:
        Shape (k, k), or () for one variable; the dtype if inexact, else float32.

    Raises:
        ValueError: If there are more than two dimensions, or the numbers of observations differ.

    Example:
        >>> mx.cov(mx.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
        array([[1, -1],
               [-1, 1]], dtype=float32)
    """
    x = _variables("cov", m, y, rowvar)
    ddof = (0 if bias else 1) if ddof is None else as_int(ddof, "ddof", "cov")
    result = _covariances(wide(x), ddof, fweights, aweights)
    return kernels.cast(result, x.dtype)


def _covariances(
    x: array,
    ddof: int,
    fweights: array | None,
    aweights: array | None,
) -> array:
    """The covariances of rows."""
    weights, factor = _weights(x, fweights, aweights, ddof)
    if weights is None:
        centred = subtract(x, x.mean(-1, True))
        weighted = centred
    else:
        mean = sum(x * weights, -1, True) / sum(weights)
        centred = subtract(x, mean)
        weighted = centred * weights
    product = matmul(weighted, conjugate(swapaxes(centred, 0, 1)))
    result = divide(product, factor)
    return result if result.shape != (1, 1) else result[0, 0]


def _variables(name: str, m: array, y: array | None, rowvar: bool) -> array:
    """The variables as rows."""
    parts = []
    for one in (m,) if y is None else (m, y):
        check_array(name, one)
        if one.ndim > 2:
            raise ValueError(f"[{name}] Variables of shape {one.shape} have more than two axes.")
        x = as_inexact(one)
        if x.ndim < 2:
            x = x.reshape(1, -1)
        elif not rowvar and x.shape[0] != 1:
            x = swapaxes(x, 0, 1)
        parts.append(x)
    if parts[0].shape[1] != parts[-1].shape[1]:
        raise ValueError(
            f"[{name}] {parts[0].shape[1]} and {parts[-1].shape[1]} observations are not equally "
            "many."
        )
    return concatenate(parts, 0) if len(parts) > 1 else parts[0]


def _weights(
    x: array, fweights: array | None, aweights: array | None, ddof: int
) -> tuple[array | None, array | float]:
    """The weights of the observations, and what the sum of products is divided by."""
    count = x.shape[1]
    for weights in (fweights, aweights):
        if weights is None:
            continue
        check_array("cov", weights)
        if weights.shape != (count,):
            raise ValueError(f"[cov] Weights {weights.shape} do not fit {count} observations.")
    if fweights is None and aweights is None:
        return None, array(float(count - ddof if count > ddof else 0), _real(x))
    given = [kernels.cast(w, _real(x)) for w in (fweights, aweights) if w is not None]
    weights = given[0] * given[1] if len(given) == 2 else given[0]
    total = sum(weights)
    if ddof == 0:
        return weights, total
    if aweights is None:
        return weights, maximum(total - ddof, 0)
    return weights, maximum(total - ddof * sum(weights * given[-1]) / total, 0)


def _real(x: array) -> Any:
    return kernels.float32 if x.dtype == complex64 else x.dtype


@on_stream
def corrcoef(
    x: array,
    /,
    y: array | None = None,
    rowvar: bool = True,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The correlations of variables: their covariances divided by their deviations.

    Args:
        x: Real variables in rows (k, n), or one of them (n,).
        y: Further variables of the same form.
        rowvar: Whether variables are rows, else columns.
        stream: Stream or device to run on.

    Returns:
        Shape (k, k), or () for one variable; values in [-1, 1].

    Raises:
        ValueError: As ``cov``, or if the variables are complex.

    Example:
        >>> mx.corrcoef(mx.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
        array([[1, -1],
               [-1, 1]], dtype=float32)
    """
    x = _variables("corrcoef", x, y, rowvar)
    check_not_complex("corrcoef", x)
    c = _covariances(wide(x), 1, None, None)
    if c.ndim == 0:
        return kernels.cast(divide(c, c), x.dtype)
    deviation = sqrt(diagonal(c))
    c = divide(c, expand_dims(deviation, 1) * deviation)
    c = maximum(minimum(c, 1), -1)
    return kernels.cast(c, x.dtype)


# ---- functions given by values -----------------------------------------------------------------


@on_stream
def interp(
    x: Numeric,
    xp: array,
    fp: array,
    /,
    left: float | None = None,
    right: float | None = None,
    period: float | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The piecewise linear function through given points.

    Args:
        x: Where it is wanted: array of any shape or a number.
        xp: The points (n,), ascending; in any order with a period.
        fp: Its values there (n,).
        left: Its value before the first point; None is the first value.
        right: Its value behind the last point; None is the last value.
        period: The period of the points, with which ``left`` and ``right`` have no meaning.
        stream: Stream or device to run on.

    Returns:
        The shape of ``x``; the dtype of ``fp`` if inexact, else float32.

    Raises:
        ValueError: If points and values are not equally many, there is none, or the period is zero.

    Example:
        >>> mx.interp(mx.array([0.5, 1.5]), mx.array([0.0, 1.0, 2.0]), mx.array([0.0, 10.0, 0.0]))
        array([5, 5], dtype=float32)
    """
    check_array("interp", xp, fp)
    if xp.ndim != 1 or xp.shape != fp.shape or xp.size == 0:
        raise ValueError(
            f"[interp] Points {xp.shape} and values {fp.shape} are not two equal lists."
        )
    x, xp, fp = (as_inexact(v) for v in (as_array(x, "interp"), xp, fp))
    if period is not None:
        if period == 0:
            raise ValueError("[interp] The period is zero.")
        period = period if period > 0 else -period
        x, xp = x % period, xp % period
        order = argsort(xp)
        xp, fp = take(xp, order), take(fp, order)
        xp = concatenate([xp[-1:] - period, xp, xp[:1] + period], 0)
        fp = concatenate([fp[-1:], fp, fp[:1]], 0)
    last = xp.shape[0] - 1
    found = kernels.cast(searchsorted(xp, x, "right"), int32)
    high = maximum(minimum(found, last), 1 if last else 0)
    low = maximum(high - 1, 0)
    x0, f0, f1 = take(xp, low), take(fp, low), take(fp, high)
    width = take(xp, high) - x0
    part = divide(x - x0, where(width == 0, 1, width))
    rise = f1 - f0
    stays = (x == x0) | (f0 == f1) | (isinf(f0) & isfinite(f1))
    result = f0 + part * where(stays & ~isfinite(rise), 0, rise)
    result = where(x < xp[0], fp[0] if left is None else left, result)
    result = where(x > xp[-1], fp[-1] if right is None else right, result)
    return where(x == xp[-1], fp[-1], result)


@on_stream
def trapezoid(
    y: array,
    /,
    x: array | None = None,
    dx: float = 1.0,
    axis: int = -1,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The integral of values along an axis by the trapezoidal rule.

    Args:
        y: The values.
        x: Where they are: (n,), or an array that broadcasts with ``y``; None is in steps of ``dx``.
        dx: The step.
        axis: The axis.
        stream: Stream or device to run on.

    Returns:
        The shape of ``y`` without the axis; the dtype if inexact, else float32.

    Raises:
        IndexError: If the axis is out of range.
        ValueError: If the shapes do not agree.

    Example:
        >>> mx.trapezoid(mx.array([1.0, 2.0, 3.0]))
        array(4, dtype=float32)
    """
    check_array("trapezoid", y)
    y = as_inexact(y)
    place = axis_of(axis, y.ndim, "trapezoid")
    size = y.shape[place]
    steps: array | float = dx
    if x is not None:
        check_array("trapezoid", x)
        if x.ndim == 1:
            steps = diff(x).reshape(-1, *(1,) * (y.ndim - 1 - place))
        else:
            steps = diff(x, axis=axis_of(axis, x.ndim, "trapezoid"))
    ahead = slice_axis(y, place, 1 if size else 0, size)
    behind = slice_axis(y, place, 0, size - 1 if size else 0)
    check_operands("trapezoid", steps, ahead)
    areas = multiply(multiply(steps, ahead + behind), 0.5)
    return sum(areas, axis)


__all__ = public(globals())
