"""mx.fft.stft and istft against SciPy, and against themselves."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from scipy import signal

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 500)).astype(np.float32)


def scipy_stft(x: np.ndarray, window: np.ndarray, hop: int, n: int) -> tuple[np.ndarray, int]:
    """SciPy's for windows that lie wholly inside, and where the first one begins."""
    frames = signal.ShortTimeFFT(window.astype(float), hop, 1.0, mfft=n, phase_shift=None)
    size = len(window)
    first = -(-(size // 2) // hop)
    spectra = frames.stft(x.astype(float), p0=0, p1=frames.p_max(x.shape[-1]))
    inside = [
        p for p in range(spectra.shape[-1]) if size // 2 <= p * hop <= x.shape[-1] - (size + 1) // 2
    ]
    assert inside[0] == first
    return spectra[..., inside], first * hop - size // 2


@pytest.mark.parametrize(("n", "hop"), [(64, 16), (64, 20), (63, 16), (100, 7)])
def test_against_scipy(n: int, hop: int) -> None:
    window = signal.get_window("hann", n).astype(np.float32)
    want, start = scipy_stft(X, window, hop, n)
    got = mx.fft.stft(mx.array(X[:, start:]), n, hop, window=mx.array(window), center=False)
    assert got.shape == want.shape
    np.testing.assert_allclose(np.array(got), want, rtol=0, atol=2e-5)


@pytest.mark.parametrize("pad_mode", ["reflect", "symmetric", "constant", "edge"])
def test_centred_windows(pad_mode: str) -> None:
    padded = np.pad(X, [(0, 0), (20, 20)], mode=pad_mode)  # type: ignore[call-overload]
    want = mx.fft.stft(mx.array(padded), 40, center=False)
    assert mx.array_equal(mx.fft.stft(mx.array(X), 40, pad_mode=pad_mode), want)


def test_a_short_window_lies_in_the_middle() -> None:
    window = mx.array(RNG.uniform(0.5, 1, 9).astype(np.float32))
    whole = mx.pad(window, (3, 4))
    x = mx.array(X)
    assert mx.array_equal(mx.fft.stft(x, 16, window=window), mx.fft.stft(x, 16, window=whole))


@pytest.mark.parametrize("onesided", [True, False])
@pytest.mark.parametrize(("n", "hop"), [(64, 16), (63, 20), (50, 25), (16, 1)])
@pytest.mark.parametrize("center", [True, False])
def test_back(n: int, hop: int, center: bool, onesided: bool) -> None:
    window = mx.array(RNG.uniform(0.5, 1, n).astype(np.float32))
    options = {"n_fft": n, "hop_length": hop, "window": window, "center": center}
    spectra = mx.fft.stft(mx.array(X), onesided=onesided, norm="ortho", **options)
    back = mx.fft.istft(spectra, onesided=onesided, norm="ortho", **options)
    size = back.shape[-1]
    assert size >= 500 - n
    np.testing.assert_allclose(np.array(back), X[:, :size], rtol=0, atol=2e-6)
    cut = mx.fft.istft(spectra, onesided=onesided, norm="ortho", length=100, **options)
    assert mx.array_equal(cut, back[:, :100])


def test_gradients_through_both() -> None:
    window = mx.array(signal.get_window("hann", 32).astype(np.float32))

    def resynthesis(x: mx.array) -> mx.array:
        spectra = mx.fft.stft(x, 32, window=window)
        return mx.fft.istft(spectra, window=window, length=500).square().sum() / 2

    x = mx.array(X)
    np.testing.assert_allclose(np.array(mx.grad(resynthesis)(x)), X, rtol=0, atol=1e-5)


def test_vmap() -> None:
    x = mx.array(X)
    want = mx.fft.stft(x, 32)
    assert mx.allclose(mx.vmap(lambda x: mx.fft.stft(x, 32))(x), want, atol=1e-5)
    back = mx.vmap(lambda s: mx.fft.istft(s, length=500))(want)
    assert mx.allclose(back, x, atol=1e-5)


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("[stft] n_fft is 0", lambda x: mx.fft.stft(x, 0)),
        ("[stft] hop_length is 0", lambda x: mx.fft.stft(x, 3)),
        ("[stft] A window of 9 elements", lambda x: mx.fft.stft(x, 8, win_length=9)),
        ("[stft] The window has 2 dim", lambda x: mx.fft.stft(x, 8, window=mx.ones((2, 2)))),
        ("[stft] The mode 'wrap'", lambda x: mx.fft.stft(x, 8, pad_mode="wrap")),
        ("[stft] The norm 'odd'", lambda x: mx.fft.stft(x, 8, norm="odd")),
        ("[stft] An input of length 7", lambda x: mx.fft.stft(x[:7], 8, center=False)),
        ("[stft] The last axis of shape (0,)", lambda x: mx.fft.stft(x[:0], 8)),
        ("[stft] The input has no dim", lambda x: mx.fft.stft(x[0], 8)),
        ("[istft] The input has 1 dim", lambda x: mx.fft.istft(x)),
        ("[istft] The input of shape (5, 0)", lambda x: mx.fft.istft(mx.zeros((5, 0)))),
        ("[istft] n_fft is 0", lambda x: mx.fft.istft(mx.zeros((1, 3)))),
        ("[istft] length is -1", lambda x: mx.fft.istft(mx.zeros((5, 3)), length=-1)),
    ],
)
def test_errors(message: str, call: object) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its message is asserted
        call(mx.ones(20))  # type: ignore[operator]
    assert message in str(caught.value)
