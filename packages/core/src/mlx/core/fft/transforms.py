"""Transforms along one axis and along several.

Three ops do all of it: complex to complex, real to the half of the frequencies that decides the
other one, and back. Each is linear, so its tangent is itself; each is the transpose of another up
to conjugation, because the matrix of the transform is symmetric.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlx.kernels import Dtype, array, slice_axis

from ..dtypes import complex64, float32
from ..op import Op, Shape
from ..ops.axes import as_int, as_ints, axis_of, check_array, is_sequence
from ..ops.cast import astype
from ..ops.join import pad
from ..ops.shape import Batched
from ..ops.unary import conjugate, real
from ..stream import StreamOrDevice

Sizes = Sequence[int] | None

# n is 0 where the input's length decides; the result is divided by n ** power. `transposed` makes
# rfft the transpose of irfft, where inner frequencies stand for two, and the other way round.
_fft = Op("fft", params=("axis", "n", "power", "inverse"))
_rfft = Op("rfft", params=("axis", "n", "power", "transposed"))
_irfft = Op("irfft", params=("axis", "n", "power", "transposed"))

_LONGEST = 2**31 - 1
_FORWARD = {"backward": 0.0, "ortho": 0.5, "forward": 1.0}
_INVERSE = {"backward": 1.0, "ortho": 0.5, "forward": 0.0}
_OPPOSITE = {"backward": "forward", "forward": "backward"}


def _resized(x: array, axis: int, size: int) -> array:
    """An axis cut to a size or filled up with zeros: the transpose of doing the opposite."""
    given = x.shape[axis]
    if given == size:
        return x
    if given > size:
        return slice_axis(x, axis, 0, size)
    return pad(x, [(0, size - given) if i == axis else (0, 0) for i in range(x.ndim)])


def _with_size(shape: Shape, axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])


@_fft.infer
def _fft_infer(x: array, axis: int, n: int, power: float, inverse: bool) -> tuple[Shape, Dtype]:
    return _with_size(x.shape, axis, n or x.shape[axis]), complex64


@_fft.vjp
def _fft_vjp(
    c: array, out: array, x: array, axis: int, n: int, power: float, inverse: bool
) -> tuple[array]:
    pulled = _fft(c, axis=axis, n=n, power=power, inverse=not inverse)
    if n:
        pulled = _resized(pulled, axis, x.shape[axis])
    return (pulled if x.dtype == complex64 else real(pulled),)


@_fft.jvp
def _fft_jvp(
    tangents: tuple[array], out: array, x: array, axis: int, n: int, power: float, inverse: bool
) -> array:
    return _fft(tangents[0], axis=axis, n=n, power=power, inverse=inverse)


@_fft.vmap
def _fft_vmap(batched: Batched, x: array, axis: int, n: int, power: float, inverse: bool) -> array:
    return _fft(x, axis=axis + 1, n=n, power=power, inverse=inverse)


@_rfft.infer
def _rfft_infer(x: array, axis: int, n: int, power: float, transposed: bool) -> tuple[Shape, Dtype]:
    return _with_size(x.shape, axis, (n or x.shape[axis]) // 2 + 1), complex64


@_rfft.vjp
def _rfft_vjp(
    c: array, out: array, x: array, axis: int, n: int, power: float, transposed: bool
) -> tuple[array]:
    n = n or x.shape[axis]
    pulled = _irfft(c, axis=axis, n=n, power=power, transposed=not transposed)
    return (_resized(pulled, axis, x.shape[axis]),)


@_rfft.jvp
def _rfft_jvp(
    tangents: tuple[array], out: array, x: array, axis: int, n: int, power: float, transposed: bool
) -> array:
    return _rfft(tangents[0], axis=axis, n=n, power=power, transposed=transposed)


@_rfft.vmap
def _rfft_vmap(
    batched: Batched, x: array, axis: int, n: int, power: float, transposed: bool
) -> array:
    return _rfft(x, axis=axis + 1, n=n, power=power, transposed=transposed)


@_irfft.infer
def _irfft_infer(
    x: array, axis: int, n: int, power: float, transposed: bool
) -> tuple[Shape, Dtype]:
    return _with_size(x.shape, axis, n or 2 * (x.shape[axis] - 1)), float32


@_irfft.vjp
def _irfft_vjp(
    c: array, out: array, x: array, axis: int, n: int, power: float, transposed: bool
) -> tuple[array]:
    pulled = _rfft(c, axis=axis, n=n, power=power, transposed=not transposed)
    return (_resized(pulled, axis, x.shape[axis]) if n else pulled,)


@_irfft.jvp
def _irfft_jvp(
    tangents: tuple[array], out: array, x: array, axis: int, n: int, power: float, transposed: bool
) -> array:
    return _irfft(tangents[0], axis=axis, n=n, power=power, transposed=transposed)


@_irfft.vmap
def _irfft_vmap(
    batched: Batched, x: array, axis: int, n: int, power: float, transposed: bool
) -> array:
    return _irfft(x, axis=axis + 1, n=n, power=power, transposed=transposed)


# ---- arguments ---------------------------------------------------------------------------------


def power_of(name: str, norm: str, inverse: bool) -> float:
    """The power of n by which a normalisation divides."""
    if not isinstance(norm, str):
        raise TypeError(f"[{name}] norm is {type(norm).__name__}, not a string.")
    powers = _INVERSE if inverse else _FORWARD
    if norm not in powers:
        raise ValueError(f"[{name}] The norm '{norm}' is unknown; known are {', '.join(powers)}.")
    return powers[norm]


def _length(name: str, n: int, given: int | None) -> int:
    """A length as a parameter of the ops: 0 where the array has it."""
    if not 0 < n <= _LONGEST:
        raise ValueError(
            f"[{name}] The length {n} is not positive, or more than {_LONGEST}, the longest."
        )
    return 0 if n == given else n


def _check_dimensions(name: str, a: array, given: object) -> None:
    """Raises ValueError where sizes are given for an array that has no dimensions."""
    if a.ndim == 0 and given is not None:
        raise ValueError(f"[{name}] The input has no dimensions; at least one is needed.")


def _numbers(a: array, is_real: bool, stream: StreamOrDevice) -> array:
    """What the ops read: complex64, and float32 where the input is real or taken as such."""
    if is_real or a.dtype != complex64:
        return a if a.dtype == float32 else astype(a, float32, stream=stream)
    return a


def _along(
    name: str, a: array, n: int | None, axis: int, norm: str, inverse: bool, stream: StreamOrDevice
) -> array:
    """The complex transform along one axis."""
    check_array(name, a)
    _check_dimensions(name, a, n)
    axis = axis_of(axis, a.ndim, name)
    size = a.shape[axis]
    n = size if n is None else as_int(n, "n", name)
    n, power = _length(name, n, size), power_of(name, norm, inverse)
    a = _numbers(a, False, stream)
    return _fft(a, axis=axis, n=n, power=power, inverse=inverse, stream=stream)


def _axes_and_sizes(
    name: str, a: array, s: Sizes, axes: Sizes, halved: bool
) -> tuple[list[int], list[int]]:
    """The axes of a transform along several, and its length along each.

    ``halved``: the last axis has the half of the frequencies only.
    """
    if axes is None:
        if s is not None:
            raise ValueError(f"[{name}] s is given without axes; axes must be given with it.")
        _check_dimensions(name, a, ())
        axes = range(a.ndim)
    elif not is_sequence(axes):
        raise TypeError(f"[{name}] axes are {type(axes).__name__}, not a list of integers.")
    if s is not None:
        if not is_sequence(s):
            raise TypeError(f"[{name}] s is {type(s).__name__}, not a list of integers.")
        if len(s) != len(axes):
            raise ValueError(f"[{name}] {len(s)} sizes and {len(axes)} axes do not agree.")
        _check_dimensions(name, a, s)
    chosen = [axis_of(axis, a.ndim, name) for axis in as_ints(axes, "axes", name)]
    if len(set(chosen)) != len(chosen):
        raise ValueError(f"[{name}] An axis is given twice in {axes}.")
    if s is None:
        sizes = [a.shape[axis] for axis in chosen]
        if halved and sizes:
            sizes[-1] = 2 * (sizes[-1] - 1)
    else:
        sizes = list(as_ints(s, "s", name))
    for n in sizes:
        _length(name, n, None)
    return chosen, sizes


def _along_each(
    a: array, axes: list[int], sizes: list[int], power: float, inverse: bool, stream: StreamOrDevice
) -> array:
    """Complex transforms along axes, the last one first."""
    for axis, n in zip(reversed(axes), reversed(sizes), strict=True):
        n = 0 if n == a.shape[axis] else n
        a = _fft(a, axis=axis, n=n, power=power, inverse=inverse, stream=stream)
    return a


def _complex(
    name: str, a: array, s: Sizes, axes: Sizes, norm: str, inverse: bool, stream: StreamOrDevice
) -> array:
    """Complex transforms along several axes."""
    check_array(name, a)
    power = power_of(name, norm, inverse)
    chosen, sizes = _axes_and_sizes(name, a, s, axes, halved=False)
    if not chosen:
        return a
    return _along_each(_numbers(a, False, stream), chosen, sizes, power, inverse, stream)


def _from_real(
    name: str, a: array, s: Sizes, axes: Sizes, norm: str, stream: StreamOrDevice
) -> array:
    """The real transform along the last of several axes, then complex ones along the others."""
    check_array(name, a)
    power = power_of(name, norm, inverse=False)
    chosen, sizes = _axes_and_sizes(name, a, s, axes, halved=False)
    if not chosen:
        return a
    last, n = chosen[-1], sizes[-1]
    a = _numbers(a, True, stream)
    n = 0 if n == a.shape[last] else n
    a = _rfft(a, axis=last, n=n, power=power, transposed=False, stream=stream)
    return _along_each(a, chosen[:-1], sizes[:-1], power, False, stream)


def _to_real(
    name: str, a: array, s: Sizes, axes: Sizes, norm: str, stream: StreamOrDevice
) -> array:
    """Inverse transforms along several axes, the real one along the last of them."""
    check_array(name, a)
    power = power_of(name, norm, inverse=True)
    chosen, sizes = _axes_and_sizes(name, a, s, axes, halved=True)
    if not chosen:
        return a
    last, n = chosen[-1], sizes[-1]
    a = a if a.dtype == complex64 else astype(a, complex64, stream=stream)
    a = _along_each(a, chosen[:-1], sizes[:-1], power, True, stream)
    n = 0 if n == 2 * (a.shape[last] - 1) else n
    return _irfft(a, axis=last, n=n, power=power, transposed=False, stream=stream)


# ---- along one axis ----------------------------------------------------------------------------


def fft(
    a: array,
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
    stream: StreamOrDevice = None,
) -> array:
    """The discrete Fourier transform along an axis.

    ``Xₖ = Σⱼ xⱼ exp(-2πi jk / n)``.

    Args:
        a: Array of at least one dimension. That it is real saves half of the work.
        n: The length of the transform; the axis is cut, or filled up with zeros. None is its
            length.
        axis: The axis that is transformed.
        norm: Which direction is divided by n: "backward", "forward", or both by its root:
            "ortho".
        stream: Stream or device to run on.

    Returns:
        The shape with n elements along the axis; complex64.

    Raises:
        ValueError: If the length is not positive, or the norm is unknown.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.fft.fft(mx.array([1.0, 2.0, 3.0, 4.0]))
        array([10+0j, -2+2j, -2+0j, -2-2j], dtype=complex64)
    """
    return _along("fft", a, n, axis, norm, False, stream)


def ifft(
    a: array,
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
    stream: StreamOrDevice = None,
) -> array:
    """The inverse of ``fft``.

    ``xⱼ = Σₖ Xₖ exp(2πi jk / n) / n``.

    Args:
        a: Array of at least one dimension.
        n: The length of the transform; the axis is cut, or filled up with zeros. None is its
            length.
        axis: The axis that is transformed.
        norm: Which direction is divided by n: "backward", "forward", or both by its root:
            "ortho".
        stream: Stream or device to run on.

    Returns:
        The shape with n elements along the axis; complex64.

    Raises:
        ValueError: If the length is not positive, or the norm is unknown.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.fft.ifft(mx.array([10, -2 + 2j, -2, -2 - 2j]))
        array([1+0j, 2+0j, 3+0j, 4+0j], dtype=complex64)
    """
    return _along("ifft", a, n, axis, norm, True, stream)


def rfft(
    a: array,
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
    stream: StreamOrDevice = None,
) -> array:
    """The first n // 2 + 1 elements of ``fft`` of real numbers, which decide the others.

    The others are their conjugates: ``Xₙ₋ₖ = conj(Xₖ)``.

    Args:
        a: Array of at least one dimension; of complex numbers the real part is taken.
        n: The length of the transform; the axis is cut, or filled up with zeros. None is its
            length.
        axis: The axis that is transformed.
        norm: Which direction is divided by n: "backward", "forward", or both by its root:
            "ortho".
        stream: Stream or device to run on.

    Returns:
        The shape with n // 2 + 1 elements along the axis; complex64.

    Raises:
        ValueError: If the length is not positive, or the norm is unknown.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.fft.rfft(mx.array([1.0, 2.0, 3.0, 4.0]))
        array([10+0j, -2+2j, -2+0j], dtype=complex64)
    """
    return _from_real("rfft", a, _one_size("rfft", n), _one_axis("rfft", axis), norm, stream)


def irfft(
    a: array,
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
    stream: StreamOrDevice = None,
) -> array:
    """The inverse of ``rfft``.

    The imaginary part of the first number, and of the last one where n is even, counts as zero.

    Args:
        a: Array of at least one dimension.
        n: The length of the result; n // 2 + 1 elements of the axis are read, missing ones as zero.
            None is twice the length of the axis less one.
        axis: The axis that is transformed.
        norm: Which direction is divided by n: "backward", "forward", or both by its root:
            "ortho".
        stream: Stream or device to run on.

    Returns:
        The shape with n elements along the axis; float32.

    Raises:
        ValueError: If the length is not positive, or the norm is unknown.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.fft.irfft(mx.array([10, -2 + 2j, -2]))
        array([1, 2, 3, 4], dtype=float32)
    """
    return _to_real("irfft", a, _one_size("irfft", n), _one_axis("irfft", axis), norm, stream)


def hfft(
    a: array,
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
    stream: StreamOrDevice = None,
) -> array:
    """The real ``fft`` of n numbers of which only the first n // 2 + 1 are given.

    The others are their conjugates, as in the result of ``ihfft``.

    Args:
        a: Array of at least one dimension.
        n: The length of the result. None is twice the length of the axis less one.
        axis: The axis that is transformed.
        norm: Which direction is divided by n: "backward", "forward", or both by its root:
            "ortho".
        stream: Stream or device to run on.

    Returns:
        The shape with n elements along the axis; float32.

    Raises:
        ValueError: If the length is not positive, or the norm is unknown.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.fft.hfft(mx.array([2.5, -0.5 - 0.5j, -0.5]))
        array([1, 2, 3, 4], dtype=float32)
    """
    check_array("hfft", a)
    a = conjugate(a, stream=stream)
    norm = _OPPOSITE.get(norm, norm)
    return _to_real("hfft", a, _one_size("hfft", n), _one_axis("hfft", axis), norm, stream)


def ihfft(
    a: array,
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
    stream: StreamOrDevice = None,
) -> array:
    """The inverse of ``hfft``: the first n // 2 + 1 elements of ``ifft`` of real numbers.

    Args:
        a: Array of at least one dimension; of complex numbers the real part is taken.
        n: The length of the transform; the axis is cut, or filled up with zeros. None is its
            length.
        axis: The axis that is transformed.
        norm: Which direction is divided by n: "backward", "forward", or both by its root:
            "ortho".
        stream: Stream or device to run on.

    Returns:
        The shape with n // 2 + 1 elements along the axis; complex64.

    Raises:
        ValueError: If the length is not positive, or the norm is unknown.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.fft.ihfft(mx.array([1.0, 2.0, 3.0, 4.0])).real
        array([2.5, -0.5, -0.5], dtype=float32)
    """
    norm = _OPPOSITE.get(norm, norm)
    half = _from_real("ihfft", a, _one_size("ihfft", n), _one_axis("ihfft", axis), norm, stream)
    return conjugate(half, stream=stream)


def _one_axis(name: str, axis: int) -> tuple[int]:
    return (as_int(axis, "axis", name),)


def _one_size(name: str, n: int | None) -> tuple[int] | None:
    return None if n is None else (as_int(n, "n", name),)


# ---- along several axes ------------------------------------------------------------------------


def fft2(
    a: array,
    s: Sizes = None,
    axes: Sizes = (-2, -1),
    norm: str = "backward",
    stream: StreamOrDevice = None,
) -> array:
    """The discrete Fourier transform along two axes.

    ``fft`` along each of them.

    Args:
        a: Array of at least two dimensions.
        s: The lengths along the axes, which are cut, or filled up with zeros; None is theirs.
        axes: The axes; None is all of them.
        norm: Which direction is divided by the lengths: "backward", "forward", or both by their
            roots: "ortho".
        stream: Stream or device to run on.

    Returns:
        The shape with the lengths along the axes; complex64.

    Raises:
        ValueError: If a length is not positive, lengths and axes do not agree, an axis is given
            twice, or the norm is unknown.
        IndexError: If an axis is out of range.

    Example:
        >>> mx.fft.fft2(mx.array([[1.0, 2.0], [3.0, 4.0]]))
        array([[10+0j, -2+0j],
               [-4+0j, 0+0j]], dtype=complex64)
    """
    return _complex("fft2", a, s, axes, norm, False, stream)


def ifft2(
    a: array,
    s: Sizes = None,
    axes: Sizes = (-2, -1),
    norm: str = "backward",
    stream: StreamOrDevice = None,
) -> array:
    """The inverse of ``fft2``.

    Args:
        a: Array of at least two dimensions.
        s: The lengths along the axes, which are cut, or filled up with zeros; None is theirs.
        axes: The axes; None is all of them.
        norm: Which direction is divided by the lengths: "backward", "forward", or both by their
            roots: "ortho".
        stream: Stream or device to run on.

    Returns:
        The shape with the lengths along the axes; complex64.

    Raises:
        ValueError: If a length is not positive, lengths and axes do not agree, an axis is given
            twice, or the norm is unknown.
        IndexError: If an axis is out of range.

    Example:
        >>> mx.fft.ifft2(mx.array([[10.0, -2.0], [-4.0, 0.0]]))
        array([[1+0j, 2+0j],
               [3+0j, 4+0j]], dtype=complex64)
    """
    return _complex("ifft2", a, s, axes, norm, True, stream)


def rfft2(
    a: array,
    s: Sizes = None,
    axes: Sizes = (-2, -1),
    norm: str = "backward",
    stream: StreamOrDevice = None,
) -> array:
    """``rfft`` along the last of two axes, then ``fft`` along the others.

    Args:
        a: Array of at least two dimensions; of complex numbers the real part is taken.
        s: The lengths along the axes, which are cut, or filled up with zeros; None is theirs.
        axes: The axes; None is all of them.
        norm: Which direction is divided by the lengths: "backward", "forward", or both by their
            roots: "ortho".
        stream: Stream or device to run on.

    Returns:
        The shape with the lengths along the axes, n // 2 + 1 along the last; complex64.

    Raises:
        ValueError: If a length is not positive, lengths and axes do not agree, an axis is given
            twice, or the norm is unknown.
        IndexError: If an axis is out of range.

    Example:
        >>> mx.fft.rfft2(mx.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).shape
        (2, 2)
    """
    return _from_real("rfft2", a, s, axes, norm, stream)


def irfft2(
    a: array,
    s: Sizes = None,
    axes: Sizes = (-2, -1),
    norm: str = "backward",
    stream: StreamOrDevice = None,
) -> array:
    """The inverse of ``rfft2``.

    Args:
        a: Array of at least two dimensions.
        s: The lengths of the result along the axes. None is their lengths, but twice that less one
            along the last of them.
        axes: The axes; None is all of them.
        norm: Which direction is divided by the lengths: "backward", "forward", or both by their
            roots: "ortho".
        stream: Stream or device to run on.

    Returns:
        The shape with the lengths along the axes; float32.

    Raises:
        ValueError: If a length is not positive, lengths and axes do not agree, an axis is given
            twice, or the norm is unknown.
        IndexError: If an axis is out of range.

    Example:
        >>> spectrum = mx.fft.rfft2(mx.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        >>> mx.fft.irfft2(spectrum, s=(2, 3), axes=(0, 1)).round(4)
        array([[1, 2, 3],
               [4, 5, 6]], dtype=float32)
    """
    return _to_real("irfft2", a, s, axes, norm, stream)


def fftn(
    a: array,
    s: Sizes = None,
    axes: Sizes = None,
    norm: str = "backward",
    stream: StreamOrDevice = None,
) -> array:
    """The discrete Fourier transform along several axes.

    ``fft`` along each of them.

    Args:
        a: Array of at least one dimension.
        s: The lengths along the axes, which are cut, or filled up with zeros; None is theirs.
        axes: The axes; None is all of them. They must be given with ``s``.
        norm: Which direction is divided by the lengths: "backward", "forward", or both by their
            roots: "ortho".
        stream: Stream or device to run on.

    Returns:
        The shape with the lengths along the axes; complex64.

    Raises:
        ValueError: If a length is not positive, lengths and axes do not agree, an axis is given
            twice, or the norm is unknown.
        IndexError: If an axis is out of range.

    Example:
        >>> mx.fft.fftn(mx.array([[1.0, 2.0], [3.0, 4.0]]))
        array([[10+0j, -2+0j],
               [-4+0j, 0+0j]], dtype=complex64)
    """
    return _complex("fftn", a, s, axes, norm, False, stream)


def ifftn(
    a: array,
    s: Sizes = None,
    axes: Sizes = None,
    norm: str = "backward",
    stream: StreamOrDevice = None,
) -> array:
    """The inverse of ``fftn``.

    Args:
        a: Array of at least one dimension.
        s: The lengths along the axes, which are cut, or filled up with zeros; None is theirs.
        axes: The axes; None is all of them. They must be given with ``s``.
        norm: Which direction is divided by the lengths: "backward", "forward", or both by their
            roots: "ortho".
        stream: Stream or device to run on.

    Returns:
        The shape with the lengths along the axes; complex64.

    Raises:
        ValueError: If a length is not positive, lengths and axes do not agree, an axis is given
            twice, or the norm is unknown.
        IndexError: If an axis is out of range.

    Example:
        >>> mx.fft.ifftn(mx.array([[10.0, -2.0], [-4.0, 0.0]]))
        array([[1+0j, 2+0j],
               [3+0j, 4+0j]], dtype=complex64)
    """
    return _complex("ifftn", a, s, axes, norm, True, stream)


def rfftn(
    a: array,
    s: Sizes = None,
    axes: Sizes = None,
    norm: str = "backward",
    stream: StreamOrDevice = None,
) -> array:
    """``rfft`` along the last of several axes, then ``fft`` along the others.

    Args:
        a: Array of at least one dimension; of complex numbers the real part is taken.
        s: The lengths along the axes, which are cut, or filled up with zeros; None is theirs.
        axes: The axes; None is all of them. They must be given with ``s``.
        norm: Which direction is divided by the lengths: "backward", "forward", or both by their
            roots: "ortho".
        stream: Stream or device to run on.

    Returns:
        The shape with the lengths along the axes, n // 2 + 1 along the last; complex64.

    Raises:
        ValueError: If a length is not positive, lengths and axes do not agree, an axis is given
            twice, or the norm is unknown.
        IndexError: If an axis is out of range.

    Example:
        >>> mx.fft.rfftn(mx.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).shape
        (2, 2)
    """
    return _from_real("rfftn", a, s, axes, norm, stream)


def irfftn(
    a: array,
    s: Sizes = None,
    axes: Sizes = None,
    norm: str = "backward",
    stream: StreamOrDevice = None,
) -> array:
    """The inverse of ``rfftn``.

    Args:
        a: Array of at least one dimension.
        s: The lengths of the result along the axes. None is their lengths, but twice that less one
            along the last of them.
        axes: The axes; None is all of them. They must be given with ``s``.
        norm: Which direction is divided by the lengths: "backward", "forward", or both by their
            roots: "ortho".
        stream: Stream or device to run on.

    Returns:
        The shape with the lengths along the axes; float32.

    Raises:
        ValueError: If a length is not positive, lengths and axes do not agree, an axis is given
            twice, or the norm is unknown.
        IndexError: If an axis is out of range.

    Example:
        >>> spectrum = mx.fft.rfftn(mx.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        >>> mx.fft.irfftn(spectrum, s=(2, 3), axes=(0, 1)).round(4)
        array([[1, 2, 3],
               [4, 5, 6]], dtype=float32)
    """
    return _to_real("irfftn", a, s, axes, norm, stream)
