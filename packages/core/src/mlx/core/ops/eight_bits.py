"""Numbers of eight bits as their codes: e4m3. No op lives here.

A code is a sign, four bits of exponent (bias 7) and three of fraction; there is no infinity, and
exponent and fraction of ones are NaN. Micikevicius et al., FP8 Formats for Deep Learning, 2022.
"""

from __future__ import annotations

import math

from mlx import kernels
from mlx.kernels import Dtype, array

from ..dtypes import (
    bfloat16,
    float16,
    float32,
    float64,
    floating,
    int32,
    int64,
    issubdtype,
    uint8,
    uint16,
)
from ..op import public
from ..stream import StreamOrDevice, on_stream
from .axes import check_array
from .binary import bitwise_and, bitwise_or, left_shift, maximum, multiply, right_shift
from .compare import equal, less
from .ternary import where
from .unary import abs, round
from .views import stop_gradient, view

_LARGEST = 448.0
_SMALLEST_EXPONENT = -6


@on_stream
def to_fp8(x: array, *, stream: StreamOrDevice = None) -> array:
    """Rounds to e4m3, the eight-bit number of four exponent and three fraction bits.

    Ties go to the even code. What is larger than 448, infinity and NaN too, becomes 448.

    Args:
        x: Array of any shape and of a real floating dtype.
        stream: Stream or device to run on.

    Returns:
        The codes; the shape stays; uint8.

    Raises:
        ValueError: If the dtype is not real and floating.

    Example:
        >>> mx.to_fp8(mx.array([1.0, -2.0, 1000.0]))
        array([56, 192, 126], dtype=uint8)
    """
    check_array("to_fp8", x)
    if not issubdtype(x.dtype, floating):
        raise ValueError(f"[to_fp8] x is {x.dtype!r}; a real floating dtype is needed.")
    wide, bits, fraction, bias = float32, int32, 23, 127  # every narrower number is exact in it
    if x.dtype == float64:
        wide, bits, fraction, bias = float64, int64, 52, 1023
    x = kernels.cast(stop_gradient(x), wide)
    size = abs(x)
    size = where(less(size, _LARGEST), size, _LARGEST)
    exponent = right_shift(view(size, bits), fraction) - bias
    exponent = maximum(exponent, _SMALLEST_EXPONENT)
    # In units of the last place a number is below 16; a carry moves on to the next exponent.
    units = left_shift(bias + 3 - exponent, fraction)
    units = multiply(size, view(units, wide))
    code = kernels.cast(round(units), bits)
    code = code + (exponent - _SMALLEST_EXPONENT) * 8
    is_negative = less(view(x, bits), 0)
    return kernels.cast(where(is_negative, code + 128, code), uint8)


def from_fp8(x: array, dtype: Dtype = bfloat16, *, stream: StreamOrDevice = None) -> array:
    """The numbers of e4m3 codes, exact in every dtype.

    Args:
        x: Codes as ``to_fp8`` gives them, uint8.
        dtype: The result's dtype, real and floating.
        stream: Stream or device to run on.

    Returns:
        The shape stays; ``dtype``.

    Raises:
        ValueError: If the codes are not uint8, or the dtype is not real and floating.

    Example:
        >>> mx.from_fp8(mx.array([56, 192, 126], mx.uint8))
        array([1, -2, 448], dtype=bfloat16)
    """
    check_array("from_fp8", x)
    if x.dtype != uint8:
        raise ValueError(f"[from_fp8] x is {x.dtype!r}; codes are uint8.")
    if not isinstance(dtype, Dtype) or not issubdtype(dtype, floating):
        raise ValueError(f"[from_fp8] dtype is {dtype!r}; a real floating dtype is needed.")
    wide = kernels.cast(x, uint16, stream)
    size = bitwise_and(wide, 0x7F, stream=stream)
    sign = left_shift(bitwise_and(wide, 0x80, stream=stream), 8, stream=stream)
    # The same bits as a float16 are 2⁸ too small, the difference of the biases: exact, also below
    # the smallest normal number.
    pattern = bitwise_or(sign, left_shift(size, 7, stream=stream), stream=stream)
    small = kernels.cast(view(pattern, float16, stream=stream), dtype, stream)
    number = multiply(small, 256.0, stream=stream)
    return where(equal(size, 0x7F, stream=stream), math.nan, number, stream=stream)


__all__ = public(globals())
