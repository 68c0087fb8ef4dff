"""Transforms of overlapping windows: the short-time Fourier transform and its inverse."""

from __future__ import annotations

from functools import reduce

from mlx.kernels import array, slice_axis

from ..dtypes import complex64
from ..ops.axes import as_int, check_array
from ..ops.binary import add, divide, maximum, multiply
from ..ops.create import ones
from ..ops.join import pad
from ..ops.shape import broadcast_to, flatten, reshape, swapaxes, unflatten
from ..ops.unary import real, square
from ..ops.views import as_strided
from ..stream import StreamOrDevice
from .transforms import fft, ifft, irfft, power_of, rfft

# Where the squared windows sum to less, nothing can be restored.
_SMALLEST_ENVELOPE = 1e-8


def _pad_last(x: array, low: int, high: int, mode: str, stream: StreamOrDevice) -> array:
    return pad(x, [(0, 0)] * (x.ndim - 1) + [(low, high)], mode=mode, stream=stream)


def _checked_hop(name: str, n_fft: int, hop_length: int | None, norm: str) -> int:
    """The distance of frames; all sizes checked."""
    if n_fft <= 0:
        raise ValueError(f"[{name}] n_fft is {n_fft}; it must be positive.")
    hop = n_fft // 4 if hop_length is None else as_int(hop_length, "hop_length", name)
    if hop <= 0:
        raise ValueError(f"[{name}] hop_length is {hop}; it must be positive.")
    power_of(name, norm, inverse=False)
    return hop


def _centred_window(
    name: str, window: array | None, win_length: int | None, n_fft: int, stream: StreamOrDevice
) -> array | None:
    """The window with zeros around it to n_fft elements; None is all ones."""
    if window is None:
        length = n_fft if win_length is None else as_int(win_length, "win_length", name)
        if length < 0:
            raise ValueError(f"[{name}] win_length is {length}; it must not be negative.")
        if length == n_fft:
            return None
        window = ones(length, stream=stream)
    check_array(name, window)
    if window.ndim != 1:
        raise ValueError(f"[{name}] The window has {window.ndim} dimensions; it must have one.")
    length = window.size
    if length > n_fft:
        raise ValueError(f"[{name}] A window of {length} elements is longer than n_fft, {n_fft}.")
    low = (n_fft - length) // 2
    return _pad_last(window, low, n_fft - length - low, "constant", stream)


def stft(
    x: array,
    n_fft: int = 2048,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: array | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    norm: str = "backward",
    onesided: bool | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """The short-time Fourier transform: of windows that move along the last axis.

    ``Xₖₜ = Σⱼ wⱼ x₍ₜₕ₊ⱼ₎ exp(-2πi jk / n)``, with windows ``w`` of n elements at every h-th one.

    Args:
        x: Array (..., length).
        n_fft: n, the length of the transforms.
        hop_length: h, from window to window; None is n_fft // 4.
        win_length: The elements of the window; None is ``window``'s, or n_fft.
        window: Array (win_length,), with zeros on both sides to n_fft; None is ones.
        center: Whether window t is centred on element t h, for which the axis is filled up by
            n_fft // 2 elements at both ends.
        pad_mode: With what, as in ``pad``: "reflect", "symmetric", "constant"
            or "edge".
        norm: As in ``fft``.
        onesided: Whether to return the first n // 2 + 1 frequencies only; None means for real x.
        stream: Stream or device to run on.

    Returns:
        Shape (..., frequencies, windows), complex64.

    Raises:
        ValueError: If x has no dimensions or is shorter than a window, a length is not positive,
            the window is longer than n_fft, or a mode is unknown.

    Example:
        >>> mx.fft.stft(mx.ones(16), n_fft=8, window=mx.hanning(8)).shape
        (5, 9)
    """
    check_array("stft", x)
    if x.ndim == 0:
        raise ValueError("[stft] The input has no dimensions; at least one is needed.")
    n_fft = as_int(n_fft, "n_fft", "stft")
    hop = _checked_hop("stft", n_fft, hop_length, norm)
    window = _centred_window("stft", window, win_length, n_fft, stream)
    onesided = x.dtype != complex64 if onesided is None else onesided
    if center:
        if pad_mode not in ("reflect", "symmetric", "constant", "edge"):
            raise ValueError(
                f"[stft] The mode '{pad_mode}' is unknown; known are reflect, symmetric, "
                "constant, edge."
            )
        if x.shape[-1] == 0:
            raise ValueError(f"[stft] The last axis of shape {x.shape} is empty.")
        x = _pad_last(x, n_fft // 2, n_fft // 2, pad_mode, stream)
    length = x.shape[-1]
    if length < n_fft:
        raise ValueError(f"[stft] An input of length {length} is shorter than n_fft, {n_fft}.")
    count = 1 + (length - n_fft) // hop
    rows = flatten(x, 0, -2, stream=stream) if x.ndim > 1 else reshape(x, (1, -1), stream=stream)
    frames = as_strided(rows, (rows.shape[0], count, n_fft), (length, hop, 1), stream=stream)
    frames = reshape(frames, (*x.shape[:-1], count, n_fft), stream=stream)
    if window is not None:
        frames = multiply(frames, window, stream=stream)
    transform = rfft if onesided else fft
    return swapaxes(transform(frames, norm=norm, stream=stream), -1, -2, stream=stream)


def istft(
    stft_matrix: array,
    n_fft: int | None = None,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: array | None = None,
    center: bool = True,
    norm: str = "backward",
    onesided: bool | None = None,
    length: int | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """The inverse of ``stft``.

    The inverse transforms of all windows are multiplied by the window and added where they
    overlap; the sum is divided by that of the squared windows.

    Args:
        stft_matrix: Array (..., frequencies, windows).
        n_fft: The length of the transforms; None is what the frequencies say, an even number where
            they are one-sided.
        hop_length: From window to window; None is n_fft // 4.
        win_length: The elements of the window; None is ``window``'s, or n_fft.
        window: Array (win_length,), with zeros on both sides to n_fft; None is ones.
        center: Whether windows were centred: n_fft // 2 elements at the beginning are left out,
            and at the end where no length is given.
        norm: As in ``ifft``.
        onesided: Whether the frequencies are the first n // 2 + 1 only; None means so.
        length: The length of the result, cut or filled up with zeros.
        stream: Stream or device to run on.

    Returns:
        Shape (..., length), float32.

    Raises:
        ValueError: If the input has less than two dimensions or no windows, a length is not
            positive, the window is longer than n_fft, or the norm is unknown.

    Example:
        >>> x = mx.arange(16, dtype=mx.float32)
        >>> window = mx.hanning(8)
        >>> y = mx.fft.istft(mx.fft.stft(x, n_fft=8, window=window), window=window, length=16)
        >>> mx.allclose(x, y, atol=1e-4)
        array(True, dtype=bool)
    """
    check_array("istft", stft_matrix)
    if stft_matrix.ndim < 2:
        raise ValueError(
            f"[istft] The input has {stft_matrix.ndim} dimensions; frequencies and windows are "
            "needed."
        )
    onesided = True if onesided is None else onesided
    frequencies, count = stft_matrix.shape[-2:]
    if n_fft is None:
        n_fft = 2 * (frequencies - 1) if onesided else frequencies
    n_fft = as_int(n_fft, "n_fft", "istft")
    hop = _checked_hop("istft", n_fft, hop_length, norm)
    window = _centred_window("istft", window, win_length, n_fft, stream)
    if count == 0:
        raise ValueError(f"[istft] The input of shape {stft_matrix.shape} has no windows.")
    spectra = swapaxes(stft_matrix, -1, -2, stream=stream)
    if onesided:
        frames = irfft(spectra, n=n_fft, norm=norm, stream=stream)
    else:
        frames = real(ifft(spectra, n=n_fft, norm=norm, stream=stream), stream=stream)
    if window is None:
        window = ones(n_fft, stream=stream)
    else:
        frames = multiply(frames, window, stream=stream)
    whole = n_fft + hop * (count - 1)
    squares = reshape(square(window, stream=stream), (1, n_fft), stream=stream)
    envelope = _overlap_add(squares, count, hop, whole, stream)
    envelope = maximum(envelope, _SMALLEST_ENVELOPE, stream=stream)
    signal = divide(_overlap_add(frames, count, hop, whole, stream), envelope, stream=stream)
    start = n_fft // 2 if center else 0
    stop = whole - start
    if length is not None:
        length = as_int(length, "length", "istft")
        if length < 0:
            raise ValueError(f"[istft] length is {length}; it must not be negative.")
        stop = start + length
    signal = slice_axis(signal, signal.ndim - 1, start, max(start, min(stop, whole)), stream=stream)
    missing = stop - start - signal.shape[-1]
    return _pad_last(signal, 0, missing, "constant", stream) if missing > 0 else signal


def _overlap_add(frames: array, count: int, hop: int, whole: int, stream: StreamOrDevice) -> array:
    """The sum of frames (..., count or 1, n) that begin `hop` elements apart: (..., whole).

    Frames are cut into pieces of one hop; the pieces of one place in all frames lie end to end.
    """
    n = frames.shape[-1]
    parts = -(-n // hop)
    padded = _pad_last(frames, 0, parts * hop - n, "constant", stream)
    pieces = unflatten(padded, -1, (parts, hop), stream=stream)
    placed = []
    for i in range(parts):
        piece = slice_axis(pieces, pieces.ndim - 2, i, i + 1, stream=stream)
        if piece.shape[-3] != count:
            piece = broadcast_to(piece, (*piece.shape[:-3], count, 1, hop), stream=stream)
        line = reshape(piece, (*piece.shape[:-3], count * hop), stream=stream)
        placed.append(_pad_last(line, i * hop, (parts - 1 - i) * hop, "constant", stream))
    total = reduce(lambda x, y: add(x, y, stream=stream), placed)
    return slice_axis(total, total.ndim - 1, 0, whole, stream=stream)
