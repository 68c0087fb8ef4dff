"""Padding with an array's own elements, near and far beyond it: against NumPy."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

MODES = ["edge", "reflect", "symmetric"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_own_elements(mode: str, size: int) -> None:
    x = np.arange(size * 2, dtype=np.float32).reshape(size, 2)
    for width in (0, 1, (0, 3), (20, 0), ((1, 2), (3, 9)), ((0, 0), (5, 1))):
        want = np.pad(x, width, mode=mode)
        for f in (mx.pad, mx.compile(mx.pad)):
            np.testing.assert_array_equal(np.array(f(mx.array(x), width, mode)), want)
    rows = mx.vmap(lambda a: mx.pad(a, (2, 3), mode), in_axes=1, out_axes=1)(mx.array(x))
    want = np.pad(x, ((2, 3), (0, 0)), mode=mode)
    np.testing.assert_array_equal(np.array(rows), want)
    slope = mx.grad(lambda a: mx.pad(a, ((2, 3), (0, 0)), mode).sum())(mx.array(x))
    places = np.pad(np.arange(size), (2, 3), mode=mode)
    counts = np.bincount(places, minlength=size)
    np.testing.assert_array_equal(np.array(slope), np.stack([counts, counts], 1))


@pytest.mark.parametrize("mode", MODES)
def test_a_long_axis(mode: str) -> None:
    x = mx.broadcast_to(mx.array(1, mx.int8), (2**40,))
    assert mx.pad(x, 1, mode).shape == (2**40 + 2,)  # no work yet


@pytest.mark.parametrize("mode", ["constant", *MODES])
def test_widths_beyond_every_memory(mode: str) -> None:
    for width in (2**53, 2**63, 2**70, (0, 2**70)):
        with pytest.raises(ValueError, match=r"\[pad\] pad_width .* of axis 0 is beyond 2\*\*52"):
            mx.pad(mx.ones((3, 4)), width, mode)
    with pytest.raises(ValueError, match="more than 2"):
        mx.pad(mx.ones((3, 4)), 2**50, mode)
    with pytest.raises(ValueError, match=r"\[pad\] pad_width"):
        mx.fft.stft(mx.ones((3, 4)), 2**70)


def test_pairs_for_axes_that_are_not_there() -> None:
    for ndim, pairs in ((0, ((1, 2), (1, 1))), (1, ((1, 2), (1, 1))), (2, ((1, 2),) * 3)):
        with pytest.raises(ValueError, match=f"a pair of widths for each of {ndim} axes"):
            mx.pad(mx.ones((2,) * ndim), pairs)
    assert mx.pad(mx.array(3), ((1, 2),)).tolist() == 3
    with pytest.raises(TypeError, match=r"\[pad\] mode is NoneType, not a string"):
        mx.pad(mx.ones(2), 1, None)  # type: ignore[arg-type]


def test_constants_of_one_element_and_of_several() -> None:
    x = mx.array([1, 2])
    for one in (mx.array(7), mx.array([7]), mx.array([[7]])):
        assert mx.pad(x, (1, 2), constant_values=one).tolist() == [7, 1, 2, 7, 7]
    assert mx.pad(x, 1, constant_values=mx.arange(4) + 6).tolist() == [6, 1, 2, 9]
    for nowhere in (mx.arange(2), mx.arange(3), mx.ones((3, 1, 1))):
        assert mx.pad(x, (0, 0), constant_values=nowhere).tolist() == [1, 2]
    for wide in (mx.arange(2), mx.ones((2, 3))):
        with pytest.raises(ValueError, match=r"\[pad\] .*constant_values|cannot be broadcast"):
            mx.pad(x, (0, 1), constant_values=wide)
    with pytest.raises(ValueError, match=r"\[pad\] the Python int 300 does not fit uint8"):
        mx.pad(x.astype(mx.uint8), 1, constant_values=300)
