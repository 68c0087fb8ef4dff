"""Comparisons, where scalars are no numbers beside an array; infinities of complex numbers."""

from __future__ import annotations

import math
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

LOGICAL = [mx.logical_and, mx.logical_or, mx.logical_xor]


@pytest.mark.parametrize("function", LOGICAL)
@pytest.mark.parametrize("scalar", [-129, 256, 2**32, 2**63, 0, 0.5, 1e-10, math.nan, 1j, True])
@pytest.mark.parametrize("dtype", ["bool_", "uint8", "int32", "uint32", "float16", "complex64"])
def test_only_the_truth_of_an_operand_counts(function: Any, scalar: Any, dtype: str) -> None:
    x = mx.array([1, 0], getattr(mx, dtype))
    reference = getattr(np, function.__name__)
    want = reference([True, False], bool(scalar)).tolist()
    assert function(x, scalar).tolist() == want
    assert function(scalar, x).tolist() == want
    foreign = np.array([scalar, scalar])
    assert function(x, foreign).tolist() == want


def test_numbers_beside_an_array_must_fit() -> None:
    for function in (mx.equal, mx.less, mx.maximum):
        name = function.__name__
        with pytest.raises(
            ValueError, match=rf"\[{name}\] the Python int -129 does not fit uint32"
        ):
            function(-129, mx.array([1], mx.uint32))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_complex_number_is_a_real_infinity_where_it_equals_it(sign: int) -> None:
    function, other = (mx.isposinf, mx.isneginf)[::sign]
    parts = [(math.inf, 0), (math.inf, -0.0), (math.inf, 1), (math.inf, math.nan)]
    parts += [(0, math.inf), (-math.inf, 0), (math.inf, math.inf), (1, 0)]
    x = mx.array([complex(sign * re, im) for re, im in parts])
    assert function(x).tolist() == [True, True, False, False, False, False, False, False]
    assert other(x).tolist() == [False, False, False, False, False, True, False, False]
