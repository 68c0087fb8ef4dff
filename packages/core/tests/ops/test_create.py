"""Arrays from nothing: what values and sizes may be."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import pytest


@pytest.mark.parametrize("name", ["full", "full_like"])
def test_integers_of_full(name: str) -> None:
    def filled(value: int, dtype: Any) -> mx.array:
        if name == "full":
            return mx.full((2,), value, dtype)
        return mx.full_like(mx.zeros((2,), dtype), value)

    assert filled(-3, mx.uint64).tolist() == [2**64 - 3] * 2
    assert filled(2**63, mx.uint64).tolist() == [2**63] * 2
    assert filled(-(2**63), mx.int64).tolist() == [-(2**63)] * 2
    for value, dtype in ((-3, mx.uint8), (300, mx.uint8), (128, mx.int8), (2**31, mx.int32)):
        with pytest.raises(ValueError, match=rf"\[{name}\] the Python int {value} does not fit"):
            filled(value, dtype)
    with pytest.raises(ValueError, match="does not fit"):
        filled(2**63, mx.int64)


@pytest.mark.parametrize("bad", ["1", 1j, None, [1]])
def test_ends_of_linspace(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"\[linspace\] start is .*, not a number"):
        mx.linspace(bad, 1, 3)
    with pytest.raises(TypeError, match=r"\[linspace\] stop is .*, not a number"):
        mx.linspace(0, bad, 3)
    assert mx.linspace(mx.array(0), mx.array(1.0), 3).tolist() == [0, 0.5, 1]


def test_sizes_of_tri() -> None:
    assert mx.tri(3, -1).shape == (3, 0)
    assert mx.tri(-1, 3).shape == (0, 3)
    assert mx.tri(-2).shape == (0, 0)
    with pytest.raises(TypeError, match=r"\[tri\] the shape is float, not an integer"):
        mx.tri(2.0)  # type: ignore[arg-type]
