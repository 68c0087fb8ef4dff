"""mx.fft against NumPy beyond the op table: lengths, norms, several axes, gradients, errors."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

RNG = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return (RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)).astype(np.complex64)


def close(got: mx.array, want: np.ndarray, tolerance: float = 2e-6) -> None:
    assert got.shape == want.shape
    scale = np.abs(want).max(initial=1e-30)
    np.testing.assert_allclose(np.array(got) / scale, want / scale, rtol=0, atol=tolerance)


@pytest.mark.parametrize("n", [1, 2, 31, 61, 62, 67, 1024, 1155, 4096, 10007, 65536, 2**18, 3**10])
@pytest.mark.parametrize("inverse", [False, True])
def test_lengths(n: int, inverse: bool) -> None:
    x = numbers(2, n)
    ours, theirs = (mx.fft.ifft, np.fft.ifft) if inverse else (mx.fft.fft, np.fft.fft)
    close(ours(mx.array(x)), theirs(x.astype(complex)))
    close(ours(mx.array(x.real)), theirs(x.real.astype(float)))
    half = x[:, : n // 2 + 1]
    close(mx.fft.irfft(mx.array(half), n=n), np.fft.irfft(half.astype(complex), n=n))
    close(mx.fft.rfft(mx.array(x.real)), np.fft.rfft(x.real.astype(float)))


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
@pytest.mark.parametrize(
    "name", ["fft", "ifft", "rfft", "irfft", "fftn", "ifftn", "rfftn", "irfftn"]
)
def test_norms(name: str, norm: str) -> None:
    x = numbers(6, 10)
    if name.startswith("rfft"):
        x = x.real.copy()
    close(getattr(mx.fft, name)(mx.array(x), norm=norm), getattr(np.fft, name)(x, norm=norm))


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0), (1,), (-1, -3)])
@pytest.mark.parametrize("s", [None, (5, 7, 4)])
@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
def test_several_axes(name: str, s: tuple[int, ...] | None, axes: tuple[int, ...]) -> None:
    x = numbers(4, 6, 8)
    if name == "rfftn":
        x = x.real.copy()
    s = None if s is None else s[: len(axes)]
    close(
        getattr(mx.fft, name)(mx.array(x), s=s, axes=axes), getattr(np.fft, name)(x, s=s, axes=axes)
    )


def test_two_axes_by_default() -> None:
    x = numbers(2, 3, 4)
    close(mx.fft.fft2(mx.array(x)), np.fft.fft2(x))
    close(mx.fft.ifft2(mx.array(x)), np.fft.ifft2(x))
    close(mx.fft.rfft2(mx.array(x.real)), np.fft.rfft2(x.real))
    close(mx.fft.irfft2(mx.array(x)), np.fft.irfft2(x))


def test_nan_stays_in_its_line() -> None:
    x = RNG.standard_normal((16, 30)).astype(np.float32)
    x[3, 4] = np.nan
    for length in (30, 29, 64):
        out = np.array(mx.fft.rfft(mx.array(x), n=length))
        assert np.isnan(out[3]).any()
        assert not np.isnan(np.delete(out, 3, 0)).any()


def test_precision_of_long_transforms() -> None:
    x = numbers(2**20)
    want = np.fft.fft(x.astype(complex))
    got = np.array(mx.fft.fft(mx.array(x)))
    error = np.sqrt((np.abs(got - want) ** 2).mean() / (np.abs(want) ** 2).mean())
    assert error < 3e-7


def test_there_and_back() -> None:
    x = mx.array(numbers(3, 1000))
    assert mx.allclose(mx.fft.ifft(mx.fft.fft(x)), x, atol=1e-6)
    r = mx.real(x)
    for n in (999, 1000):
        assert mx.allclose(mx.fft.irfft(mx.fft.rfft(r[:, :n]), n=n), r[:, :n], atol=1e-6)


@pytest.mark.parametrize("n", [12, 15, 640, 1021])
def test_gradient_of_a_spectrum(n: int) -> None:
    # The squared norm is kept up to n: grad of |fft(x)|² is 2 n x.
    x = mx.array(RNG.standard_normal((2, n)).astype(np.float32))
    slope = mx.grad(lambda x: mx.abs(mx.fft.fft(x)).square().sum())(x)
    close(slope / n, 2 * np.array(x), 1e-5)
    slope = mx.grad(lambda x: mx.fft.irfft(mx.fft.rfft(x), n=n).square().sum())(x)
    close(slope, 2 * np.array(x), 1e-5)


def test_input_and_its_transform_in_one_graph() -> None:
    # The result may take its input's memory only where nobody else reads it.
    x = mx.array(numbers(8, 64))
    y = x * 2
    z = mx.fft.fft(y)
    assert mx.allclose(y + z, x * 2 + mx.fft.fft(x * 2), atol=1e-5)
    close(mx.fft.fft(mx.fft.fft(x * 1), axis=0), np.fft.fft2(np.array(x)))


def test_shapeless_compile_follows_the_length() -> None:
    f = mx.compile(lambda x: mx.abs(mx.fft.ifft(mx.fft.fft(x))), shapeless=True)
    for n in (8, 12, 30):
        x = mx.array(RNG.standard_normal(n).astype(np.float32))
        assert mx.allclose(f(x), mx.abs(x), atol=1e-5)


def test_shifts() -> None:
    x = RNG.standard_normal((5, 6))
    for axes in (None, 0, -1, (0, 1), (1, 1)):
        np.testing.assert_array_equal(
            np.array(mx.fft.fftshift(mx.array(x, mx.float64), axes)), np.fft.fftshift(x, axes)
        )
        np.testing.assert_array_equal(
            np.array(mx.fft.ifftshift(mx.array(x, mx.float64), axes)), np.fft.ifftshift(x, axes)
        )


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, "[fft] An argument is list", lambda x: mx.fft.fft([1.0])),
        (TypeError, "[fft] n is float", lambda x: mx.fft.fft(x, n=1.5)),
        (TypeError, "[rfft] axis is NoneType", lambda x: mx.fft.rfft(x, axis=None)),
        (TypeError, "[ifft] norm is NoneType", lambda x: mx.fft.ifft(x, norm=None)),
        (ValueError, "[fft] The norm 'odd' is unknown", lambda x: mx.fft.fft(x, norm="odd")),
        (ValueError, "[irfft] The length 0 is not positive", lambda x: mx.fft.irfft(x[:, :1])),
        (ValueError, "[fft] The length 4294967296", lambda x: mx.fft.fft(x, n=2**32)),
        (IndexError, "[fft] Axis 2 is out of range", lambda x: mx.fft.fft(x, axis=2)),
        (ValueError, "[fftn] s is given without axes", lambda x: mx.fft.fftn(x, s=(2, 2))),
        (ValueError, "[fft2] 1 sizes and 2 axes", lambda x: mx.fft.fft2(x, s=(2,))),
        (ValueError, "[rfftn] An axis is given twice", lambda x: mx.fft.rfftn(x, axes=(0, -2))),
        (ValueError, "[fftn] The input has no dim", lambda x: mx.fft.fftn(mx.array(1.0))),
        (ValueError, "[fft] The input has no dim", lambda x: mx.fft.fft(mx.array(1.0), n=4)),
        (ValueError, "[irfft] The input has no dim", lambda x: mx.fft.irfft(mx.array(1.0), 4)),
        (ValueError, "[fft2] The input has no dim", lambda x: mx.fft.fft2(mx.array(1.0), (2, 2))),
        (IndexError, "[fft] Axis -1 is out of range", lambda x: mx.fft.fft(mx.array(1.0))),
        (ValueError, "[rfft2] 1 sizes and 2 axes", lambda x: mx.fft.rfft2(x[0], s=(2,))),
        (IndexError, "[fft2] Axis -2 is out of range", lambda x: mx.fft.fft2(x[0], s=(2, 2))),
        (ValueError, "[fftfreq] n is 0", lambda x: mx.fft.fftfreq(0)),
        (ValueError, "[rfftfreq] d is 0", lambda x: mx.fft.rfftfreq(3, 0)),
        (IndexError, "[fftshift] Axis 5", lambda x: mx.fft.fftshift(x, 5)),
    ],
)
def test_errors(error: type[Exception], message: str, call: object) -> None:
    with pytest.raises(error) as caught:
        call(mx.ones((3, 4)))  # type: ignore[operator]
    assert message in str(caught.value)


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
@pytest.mark.parametrize("n", [None, 1, 6, 7, 20])
def test_transforms_of_half_a_sequence(n, norm):
    rng = np.random.default_rng(5)
    x = (rng.normal(size=(3, 9)) + 1j * rng.normal(size=(3, 9))).astype(np.complex64)
    for axis in (-1, 0):
        if n is None and axis == 0:
            continue
        got = mx.fft.hfft(mx.array(x), n, axis, norm)
        np.testing.assert_allclose(got, np.fft.hfft(x, n, axis, norm), rtol=1e-4, atol=1e-4)
        got = mx.fft.ihfft(mx.array(x.real), n, axis, norm)
        np.testing.assert_allclose(got, np.fft.ihfft(x.real, n, axis, norm), rtol=1e-4, atol=1e-4)


def test_transforms_of_half_a_sequence_are_inverse_and_differentiable():
    x = mx.array([1.0, 2.0, -3.0, 0.5, 4.0])
    np.testing.assert_allclose(mx.fft.hfft(mx.fft.ihfft(x), 5), x, rtol=1e-5)
    slope = mx.grad(lambda x: mx.square(mx.fft.hfft(mx.fft.ihfft(x), 5)).sum())(x)
    np.testing.assert_allclose(slope, 2 * x, rtol=1e-5)
    with pytest.raises(ValueError, match=r"\[hfft\].*sideways"):
        mx.fft.hfft(x, norm="sideways")
    with pytest.raises(IndexError, match=r"\[ihfft\]"):
        mx.fft.ihfft(x, axis=2)
