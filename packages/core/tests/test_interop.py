"""asarray, from_dlpack, ArrayLike, __array_namespace__, limits of dtypes, mx.metal and mx.cuda."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest


class Foreign:
    """An object that knows DLPack and nothing else."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __dlpack__(self, **options: Any) -> Any:
        return self.values.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.values.__dlpack_device__()


@pytest.mark.parametrize("function", [mx.asarray, mx.from_dlpack])
@pytest.mark.parametrize("kind", [np.asarray, Foreign])
def test_shares_or_copies_as_asked(function: Any, kind: Any) -> None:
    for copy, seen in ((None, 9.0), (False, 9.0), (True, 0.0)):
        plain = np.zeros(1000, np.float32)
        a = function(kind(plain), copy=copy)
        plain[0] = 9.0
        assert a[0].item() == seen
        assert a.dtype == mx.float32


def test_layouts_and_dtypes() -> None:
    plain = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    for view in (plain.transpose(2, 0, 1), plain[:, ::2], plain[::-1], plain[:0]):
        np.testing.assert_array_equal(np.array(mx.asarray(view)), view)
        np.testing.assert_array_equal(np.array(mx.from_dlpack(view, copy=True)), view)
    assert mx.asarray(np.array([True])).dtype == mx.bool_
    assert mx.asarray(plain, mx.float16).dtype == mx.float16
    assert mx.asarray(1.5).item() == 1.5
    assert mx.asarray([[1, 2], [3, 4]], mx.float64).dtype == mx.float64


def test_float64_of_other_libraries_becomes_float32() -> None:
    plain = np.ones(3)
    assert mx.asarray(plain).dtype == mx.from_dlpack(plain).dtype == mx.float32
    assert mx.asarray(plain, mx.float64).dtype == mx.float64
    assert mx.from_dlpack(mx.ones(3, mx.float64)).dtype == mx.float64
    converted = mx.asarray(plain)
    plain[0] = 5  # the conversion has happened
    assert converted.tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match=r"\[asarray\] copy=False .* has to be converted"):
        mx.asarray(plain, copy=False)


def test_array_copies_what_knows_only_dlpack() -> None:
    plain = np.zeros(3, np.float32)
    a = mx.array(Foreign(plain))
    plain[0] = 9
    assert a.tolist() == [0, 0, 0]
    assert mx.array(Foreign(np.ones(2))).dtype == mx.float32
    assert mx.array(Foreign(np.ones(2)), mx.float64).dtype == mx.float64


def test_a_write_elsewhere_reaches_one_element() -> None:
    for a in (mx.zeros(4), mx.broadcast_to(mx.array(0.0), (4,))):
        np.asarray(a)[1] = 5
        assert a.tolist() == [0, 5, 0, 0]
    assert mx.zeros(2).tolist() == [0, 0]


def test_read_only_arrays_of_numpy_are_shared_and_stay_as_they_are() -> None:
    source = np.arange(1 << 20, dtype=np.float32)
    source.flags.writeable = False
    a = mx.from_dlpack(source, copy=False)
    b = mx.from_dlpack(source)
    a += 1
    b[0] = 9
    mx.eval(a, b)
    assert source[:2].tolist() == [0, 1]
    assert a[:2].tolist() == [1, 2]
    assert b[:2].tolist() == [9, 1]


def test_negative_strides_are_not_handed_out() -> None:
    # PyTorch ends the process when it gets them.
    a = mx.arange(4)[::-1]
    shared = np.from_dlpack(a)
    assert shared.strides == (4,)
    assert shared.tolist() == [3, 2, 1, 0]


def test_own_arrays_give_new_handles() -> None:
    a = mx.array([1, 2])
    for b in (mx.asarray(a), mx.asarray(a, copy=False), mx.asarray(a, copy=True)):
        assert b is not a
        b[0] = 7
        assert a.tolist() == [1, 2]
    assert mx.compile(lambda x: mx.asarray(x, mx.float32) + 1)(a).tolist() == [2, 3]
    assert mx.grad(lambda x: mx.sum(mx.asarray(x) ** 2))(mx.array([3.0])).tolist() == [6.0]


def test_errors() -> None:
    with pytest.raises(ValueError, match="list has no memory to share"):
        mx.asarray([1], copy=False)
    with pytest.raises(TypeError, match="None"):
        mx.asarray(None)
    with pytest.raises(ValueError, match="str"):
        mx.asarray("s")
    with pytest.raises(TypeError, match="dtype is str"):
        mx.asarray(1, "float32")
    with pytest.raises(TypeError, match=r"\[from_dlpack\] list has no method __dlpack__"):
        mx.from_dlpack([1])
    with pytest.raises(ValueError, match="have no dtype"):
        mx.from_dlpack(np.ones(2, np.longdouble))


def test_array_like_and_namespace() -> None:
    class Two:
        def __mlx_array__(self) -> mx.array:
            return mx.array(2)

    assert mx.array(mx.ArrayLike(Two())).item() == 2
    with pytest.raises(TypeError, match="int has no method __mlx_array__"):
        mx.ArrayLike(3)
    assert mx.array(1).__array_namespace__() is mx
    with pytest.raises(ValueError, match=r"api_version is '2023\.12'"):
        mx.array(1).__array_namespace__(api_version="2023.12")


def test_a_kind_of_device_is_its_first_device() -> None:
    assert mx.Device(mx.cpu) == mx.cpu
    assert mx.Device(mx.cpu, 1) != mx.cpu
    assert mx.Device(mx.cpu) != mx.gpu


def test_limits_are_read_only_properties() -> None:
    for name in ("float16", "float32", "float64"):
        mine, numpys = mx.finfo(getattr(mx, name)), np.finfo(name)
        for limit in ("bits", "eps", "max", "min", "smallest_normal"):
            assert getattr(mine, limit) == float(getattr(numpys, limit))
            with pytest.raises(AttributeError):
                setattr(mine, limit, 1)
    for name in ("int8", "uint8", "int64", "uint64"):
        mine, numpys = mx.iinfo(getattr(mx, name)), np.iinfo(name)
        assert (mine.min, mine.max, mine.dtype) == (numpys.min, numpys.max, getattr(mx, name))
    assert mx.finfo(mx.complex64).dtype == mx.float32
    assert isinstance(mx.PrintOptions.precision, property)


def test_missing_backends() -> None:
    assert not mx.metal.is_available()
    assert not mx.cuda.is_available()
    with pytest.raises(RuntimeError, match=r"\[metal.start_capture\] .* has no Metal backend"):
        mx.metal.start_capture("trace.gputrace")
    with pytest.raises(RuntimeError, match="no Metal backend"):
        mx.metal.stop_capture()
    assert mx.metal.device_info() == {}
    former = mx.metal.set_cache_limit(1 << 20)
    assert mx.metal.set_cache_limit(former) == 1 << 20
    former = mx.metal.set_memory_limit(1 << 40)
    assert mx.metal.set_memory_limit(former) == 1 << 40
    mx.metal.set_wired_limit(mx.metal.set_wired_limit(0))
    mx.metal.clear_cache()
    mx.metal.reset_peak_memory()
    assert mx.metal.get_peak_memory() >= 0
    assert mx.metal.get_active_memory() == mx.get_active_memory()
    assert mx.metal.get_cache_memory() >= 0


def test_numpy_has_no_bfloat16() -> None:
    x = mx.array([1.0, 2.0], mx.bfloat16)
    for dtype in (None, np.float32):
        with pytest.raises(TypeError, match=r"\[array.__array__\] NumPy has no bfloat16"):
            x.__array__(dtype)
    with pytest.raises(ValueError, match="bfloat16"):
        np.asarray(x)
