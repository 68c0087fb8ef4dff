"""Convolutions by their number of spatial axes, transposed ones, and that of signals."""

from __future__ import annotations

from collections.abc import Sequence

from mlx.kernels import array
from mlx.kernels.hints import Any

from ..op import fix_shapes, public
from ..stream import StreamOrDevice
from .axes import as_ints, check_array
from .conv import convolved, per_axis
from .shape import reshape

Sizes = int | Sequence[int]


def _check_spatial(name: str, spatial: int, x: array, **sizes: Any) -> None:
    """Raises unless the input has the spatial axes, and each size is one or one for each axis."""
    check_array(name, x)
    if x.ndim != spatial + 2:
        raise ValueError(
            f"[{name}] The input of shape {x.shape} must have {spatial + 2} dimensions: batch, "
            f"{spatial} spatial, channels."
        )
    for what, value in sizes.items():
        if len(as_ints(value, what, name)) not in (1, spatial):
            raise TypeError(f"[{name}] {what} {value} is neither an integer nor {spatial} of them.")
        per_axis(name, what, value, spatial)


def conv1d(
    input: array,
    weight: array,
    /,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Convolution over one axis, channels last.

    ``y[n, i, f] = Σ x̂[n, i stride + k dilation, c] w[f, k, c]``, where
    x̂ is the input with ``padding`` zeros at both ends.

    Args:
        input: Floating array (n, l, c).
        weight: Array (f, k, c / groups).
        stride: Steps between outputs.
        padding: Zeros at both ends.
        dilation: Steps between the elements of the weight.
        groups: Parts of the channels; each is convolved with as many of the filters.
        stream: Stream or device to run on.

    Returns:
        Array (n, l, f) of the promoted dtype, where l is
        ``(length + 2 padding - dilation (k - 1) - 1) // stride + 1``.

    Raises:
        ValueError: If the shapes do not agree, the dtype is not floating, or an axis with its
            padding is smaller than the weight's.

    Example:
        >>> mx.conv1d(mx.ones((1, 5, 2)), mx.ones((4, 3, 2))).shape
        (1, 3, 4)
    """
    _check_spatial("conv1d", 1, input, stride=stride, padding=padding, dilation=dilation)
    return convolved("conv1d", input, weight, stride, padding, dilation, 1, groups, False, stream)


def conv2d(
    input: array,
    weight: array,
    /,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Convolution over two axes, channels last.

    ``y[n, i, f] = Σ x̂[n, i stride + k dilation, c] w[f, k, c]``, where
    x̂ is the input with ``padding`` zeros at both ends of each axis.

    Args:
        input: Floating array (n, h, w, c).
        weight: Array (f, kh, kw, c / groups).
        stride: Steps between outputs, of each axis or of all.
        padding: Zeros at both ends, of each axis or of all.
        dilation: Steps between the elements of the weight, of each axis or of all.
        groups: Parts of the channels; each is convolved with as many of the filters.
        stream: Stream or device to run on.

    Returns:
        Array (n, ..., f) of the promoted dtype.

    Raises:
        ValueError: If the shapes do not agree, the dtype is not floating, or an axis with its
            padding is smaller than the weight's.

    Example:
        >>> mx.conv2d(mx.ones((1, 5, 5, 2)), mx.ones((4, 3, 3, 2))).shape
        (1, 3, 3, 4)
    """
    _check_spatial("conv2d", 2, input, stride=stride, padding=padding, dilation=dilation)
    return convolved("conv2d", input, weight, stride, padding, dilation, 1, groups, False, stream)


def conv3d(
    input: array,
    weight: array,
    /,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Convolution over three axes, channels last.

    ``y[n, i, f] = Σ x̂[n, i stride + k dilation, c] w[f, k, c]``, where
    x̂ is the input with ``padding`` zeros at both ends of each axis.

    Args:
        input: Floating array (n, d, h, w, c).
        weight: Array (f, kd, kh, kw, c / groups).
        stride: Steps between outputs, of each axis or of all.
        padding: Zeros at both ends, of each axis or of all.
        dilation: Steps between the elements of the weight, of each axis or of all.
        groups: Parts of the channels; each is convolved with as many of the filters.
        stream: Stream or device to run on.

    Returns:
        Array (n, ..., f) of the promoted dtype.

    Raises:
        ValueError: If the shapes do not agree, the dtype is not floating, or an axis with its
            padding is smaller than the weight's.

    Example:
        >>> mx.conv3d(mx.ones((1, 5, 5, 5, 2)), mx.ones((4, 3, 3, 3, 2))).shape
        (1, 3, 3, 3, 4)
    """
    _check_spatial("conv3d", 3, input, stride=stride, padding=padding, dilation=dilation)
    return convolved("conv3d", input, weight, stride, padding, dilation, 1, groups, False, stream)


def conv_transpose1d(
    input: array,
    weight: array,
    /,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    output_padding: int = 0,
    groups: int = 1,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The transpose of a convolution over one axis, channels last.

    ``y[n, i stride + k dilation, f] += x[n, i, c] w[f, k, c]``.

    Args:
        input: Floating array (n, l, c).
        weight: Array (f, k, c / groups).
        stride: Steps between what the inputs are spread over.
        padding: Outputs that are cut off at both ends.
        dilation: Steps between the elements of the weight.
        output_padding: Outputs that are added at the end.
        groups: Parts of the channels; each meets as many of the filters.
        stream: Stream or device to run on.

    Returns:
        Array (n, l, f) of the promoted dtype, where l is
        ``(length - 1) stride - 2 padding + dilation (k - 1) + 1 + output_padding``.

    Raises:
        ValueError: If the shapes do not agree, the dtype is not floating, or nothing is left.

    Example:
        >>> mx.conv_transpose1d(mx.ones((1, 5, 2)), mx.ones((4, 3, 2)), stride=2).shape
        (1, 11, 4)
    """
    return _transposed(
        "conv_transpose1d",
        1,
        input,
        weight,
        stride,
        padding,
        dilation,
        output_padding,
        groups,
        stream,
    )


def conv_transpose2d(
    input: array,
    weight: array,
    /,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    output_padding: Sizes = 0,
    groups: int = 1,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The transpose of a convolution over two axes, channels last.

    ``y[n, i stride + k dilation, f] += x[n, i, c] w[f, k, c]``.

    Args:
        input: Floating array (n, h, w, c).
        weight: Array (f, kh, kw, c / groups).
        stride: Steps between what the inputs are spread over, of each axis or of all.
        padding: Outputs that are cut off at both ends, of each axis or of all.
        dilation: Steps between the elements of the weight, of each axis or of all.
        output_padding: Outputs that are added at the end, of each axis or of all.
        groups: Parts of the channels; each meets as many of the filters.
        stream: Stream or device to run on.

    Returns:
        Array (n, ..., f) of the promoted dtype.

    Raises:
        ValueError: If the shapes do not agree, the dtype is not floating, or nothing is left.

    Example:
        >>> mx.conv_transpose2d(mx.ones((1, 5, 5, 2)), mx.ones((4, 3, 3, 2)), stride=2).shape
        (1, 11, 11, 4)
    """
    return _transposed(
        "conv_transpose2d",
        2,
        input,
        weight,
        stride,
        padding,
        dilation,
        output_padding,
        groups,
        stream,
    )


def conv_transpose3d(
    input: array,
    weight: array,
    /,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    output_padding: Sizes = 0,
    groups: int = 1,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The transpose of a convolution over three axes, channels last.

    ``y[n, i stride + k dilation, f] += x[n, i, c] w[f, k, c]``.

    Args:
        input: Floating array (n, d, h, w, c).
        weight: Array (f, kd, kh, kw, c / groups).
        stride: Steps between what the inputs are spread over, of each axis or of all.
        padding: Outputs that are cut off at both ends, of each axis or of all.
        dilation: Steps between the elements of the weight, of each axis or of all.
        output_padding: Outputs that are added at the end, of each axis or of all.
        groups: Parts of the channels; each meets as many of the filters.
        stream: Stream or device to run on.

    Returns:
        Array (n, ..., f) of the promoted dtype.

    Raises:
        ValueError: If the shapes do not agree, the dtype is not floating, or nothing is left.

    Example:
        >>> mx.conv_transpose3d(mx.ones((1, 5, 5, 5, 2)), mx.ones((4, 3, 3, 3, 2)), stride=2).shape
        (1, 11, 11, 11, 4)
    """
    return _transposed(
        "conv_transpose3d",
        3,
        input,
        weight,
        stride,
        padding,
        dilation,
        output_padding,
        groups,
        stream,
    )


def _transposed(
    name: str,
    spatial: int,
    x: array,
    w: array,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    output_padding: Sizes,
    groups: int,
    stream: StreamOrDevice,
) -> array:
    """A convolution of the dilated input with the reversed weight."""
    sizes = {"padding": padding, "dilation": dilation, "output_padding": output_padding}
    _check_spatial(name, spatial, x, stride=stride, **sizes)
    check_array(name, w)
    before, between, more = (as_ints(value, what, name) for what, value in sizes.items())
    fix_shapes()
    low = [
        between[i % len(between)] * (k - 1) - before[i % len(before)]
        for i, k in enumerate(w.shape[1 : 1 + spatial])
    ]
    high = [at + more[i % len(more)] for i, at in enumerate(low)]
    return convolved(name, x, w, 1, (low, high), dilation, stride, groups, True, stream)


def convolve(a: array, v: array, /, mode: str = "full", *, stream: StreamOrDevice = None) -> array:
    """Convolution of two signals: ``y[i] = Σ a[i - k] v[k]``.

    Args:
        a: Floating array (n,).
        v: Floating array (m,).
        mode: "full" is every place where they overlap, n + m - 1 of them; "valid" those where they
            overlap wholly; "same" the middle ones, as many as the longer signal has elements.
        stream: Stream or device to run on.

    Returns:
        A vector of the promoted dtype.

    Raises:
        ValueError: If a signal is no vector or empty, the dtype is not floating, or there is no
            such mode.

    Example:
        >>> mx.convolve(mx.array([1.0, 2.0, 3.0]), mx.array([0.0, 1.0, 0.5]))
        array([0, 1, 2.5, 4, 1.5], dtype=float32)
    """
    check_array("convolve", a, v)
    if a.ndim != 1 or v.ndim != 1 or not a.size or not v.size:
        raise ValueError(
            f"[convolve] Signals of shapes {a.shape} and {v.shape} must be vectors, not empty."
        )
    if a.size < v.size:
        a, v = v, a
    reach = v.size - 1
    widths = {"full": (reach, reach), "valid": (0, 0), "same": ((reach + 1) // 2, reach // 2)}
    if mode not in widths:
        raise ValueError(f"[convolve] mode {mode!r} is none of full, valid, same.")
    low, high = widths[mode]
    fix_shapes()
    signal = reshape(a, (1, a.size, 1), stream=stream)
    filters = reshape(v, (1, v.size, 1), stream=stream)
    padding = ([low], [high])
    result = convolved("convolve", signal, filters, 1, padding, 1, 1, 1, True, stream)
    return reshape(result, (result.size,), stream=stream)


__all__ = public(globals())
