"""What other libraries' memory may look like: byte orders, strides, read-only, no dtype of ours."""

from __future__ import annotations

import array as stdlib
import ctypes
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

DTYPES = ["bool", "float16", "float32", "float64", "complex64"]
DTYPES += [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]


@pytest.mark.parametrize("name", DTYPES)
def test_numpy_both_ways(name: str) -> None:
    plain = (np.arange(24) % 2).reshape(2, 3, 4).astype(name)
    for view in (
        plain,
        plain.transpose(2, 0, 1),
        plain[:, ::2],
        plain[::-1, :, ::-2],
        plain[1, 2, 3],
        plain[:0],
        np.broadcast_to(plain[0, 0], (5, 4)),
        np.asfortranarray(plain),
    ):
        mine = mx.array(view, getattr(mx, "bool_" if name == "bool" else name))
        back = np.asarray(mine)
        assert back.dtype == view.dtype
        assert back.shape == view.shape
        np.testing.assert_array_equal(back, view)
        np.testing.assert_array_equal(np.asarray(mine.T), view.T)


@pytest.mark.parametrize("name", [name for name in DTYPES if np.dtype(name).itemsize > 1])
def test_other_byte_order(name: str) -> None:
    plain = (np.arange(12).reshape(3, 4) - 3).astype(name)
    swapped = plain.astype(plain.dtype.newbyteorder())
    dtype = getattr(mx, name)
    for given, want in (
        (swapped, plain),
        (swapped[::-1, ::2], plain[::-1, ::2]),
        (swapped[0, 0],) * 2,
    ):
        got = mx.array(given, dtype)
        assert got.dtype == dtype
        np.testing.assert_array_equal(np.asarray(got), want.astype(name))
    np.testing.assert_array_equal(np.asarray(mx.asarray(swapped, dtype)), plain)


def test_wide_numbers_in_other_byte_order_are_narrowed() -> None:
    plain = np.array([1.5, -2.25])
    assert mx.array(plain.astype(">f8")).tolist() == [1.5, -2.25]
    assert mx.array(plain.astype(">f8")).dtype == mx.float32
    assert mx.array((plain * 1j).astype(">c16")).tolist() == [1.5j, -2.25j]


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(2, [("a", "i4"), ("b", "f4")]),
        np.array(["a"]),
        np.array([b"ab"]),
        np.array([1, 2], object),
        np.array(["2020-01-01"], "datetime64[D]"),
        np.array([1], "timedelta64[s]"),
        np.ones(2, np.longdouble),
        np.ones(2, "V4"),
    ],
    ids=lambda values: values.dtype.str,
)
@pytest.mark.parametrize("function", [mx.array, mx.asarray, mx.from_dlpack])
def test_no_dtype(function: Any, values: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\[array\] (elements of format|the elements of the)"):
        function(values)


@pytest.mark.parametrize("function", [mx.array, mx.asarray, mx.from_dlpack])
def test_complex128_is_narrowed(function: Any) -> None:
    values = np.array([[1 + 2j, 3], [4j, -5]], np.complex128)
    for given in (values, values.T, values[:, ::-1], values[:0], np.array(4j)):
        got = function(given)
        assert got.dtype == mx.complex64
        np.testing.assert_array_equal(np.asarray(got), given.astype(np.complex64))
    if function is not mx.array:
        with pytest.raises(ValueError, match="copy=False asks for the same memory"):
            function(values, copy=False)


def test_ctypes_and_the_standard_library() -> None:
    # ctypes names no strides, even where it is asked for them.
    assert mx.array((ctypes.c_double * 3)(1, 2, 3)).tolist() == [1, 2, 3]
    assert mx.array((ctypes.c_double * 2 * 2)((1, 2), (3, 4))).tolist() == [[1, 2], [3, 4]]
    assert mx.array((ctypes.c_int * 3)(1, 2, 3)).dtype == mx.int32
    assert mx.array(stdlib.array("d", [1, 2])).dtype == mx.float32
    assert mx.array(bytearray(b"ab")).tolist() == [97, 98]
    assert mx.array(memoryview(b"ab").cast("c")).dtype == mx.int8


def test_read_only_memory_is_never_written() -> None:
    plain = np.arange(4)
    plain.flags.writeable = False
    np.asarray(mx.array(plain))[0] = 9
    for function in (mx.asarray, mx.from_dlpack):
        for copy in (None, False):
            shared = function(plain, copy=copy)
            assert np.shares_memory(np.asarray(shared), plain)
            with pytest.raises(ValueError, match="read-only"):
                np.asarray(shared)[0] = 9
        np.asarray(function(plain, copy=True))[0] = 9
    assert plain[0] == 0


def test_buffers() -> None:
    a = mx.arange(6).reshape(2, 3)
    view = memoryview(a)
    assert (view.format, view.shape, view.strides, view.readonly) == ("i", (2, 3), (12, 4), False)
    assert memoryview(a.T).strides == (4, 12)
    assert memoryview(a[::-1]).strides == (-12, 4)
    assert bytes(mx.array([1, 2], mx.int8)) == b"\x01\x02"
    assert memoryview(mx.array(1.5)).shape == ()
    assert memoryview(mx.zeros((0, 3))).nbytes == 0
    with pytest.raises(ValueError, match="bfloat16"):
        np.asarray(mx.zeros(2, mx.bfloat16))
    kept = np.asarray(mx.arange(1000) + 1)
    mx.eval([mx.zeros(1000) for _ in range(10)])
    assert kept.tolist() == list(range(1, 1001))


def test_dlpack_options() -> None:
    a = mx.arange(4.0)
    assert np.from_dlpack(a).tolist() == [0, 1, 2, 3]
    assert a.__dlpack_device__() == (1, 0)
    with pytest.raises(BufferError, match=r"on the CPU, not on \(2, 0\)"):
        a.__dlpack__(dl_device=(2, 0))
    with pytest.raises(BufferError, match="no other library can share"):
        a[::-1].__dlpack__(copy=False)
    back = mx.from_dlpack(a)
    assert back.tolist() == a.tolist()

    class Copied:
        def __dlpack__(self, **options: Any) -> Any:
            return a.__dlpack__(copy=True)

        def __dlpack_device__(self) -> tuple[int, int]:
            return 1, 0

    copied = mx.from_dlpack(Copied())
    np.asarray(a)[0] = 9
    assert copied.tolist() == [0, 1, 2, 3]


def test_division_by_its_old_name() -> None:
    a = mx.array([1, 2])
    assert a.__div__(2).tolist() == [0.5, 1]
    assert a.__rdiv__(2).tolist() == [2, 1]
