"""Layers over spatial axes: convolution, pooling, normalisation, interpolation.

The numbers and the texts of `repr` are MLX's answers.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

RAMP = mx.arange(4.0).reshape(1, 4, 1)


@pytest.mark.parametrize(
    ("layer", "text", "weight", "out"),
    [
        (
            nn.Conv1d(4, 8, 3),
            "Conv1d(4, 8, kernel_size=3, stride=1, padding=0, dilation=1, groups=1, bias=True)",
            (8, 3, 4),
            (2, 5, 8),
        ),
        (
            nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2, bias=False),
            "Conv2d(4, 8, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), dilation=1, "
            "groups=2, bias=False)",
            (8, 3, 3, 2),
            (2, 4, 4, 8),
        ),
        (
            nn.Conv3d(4, 8, (1, 2, 3)),
            "Conv3d(4, 8, kernel_size=(1, 2, 3), stride=(1, 1, 1), padding=(0, 0, 0), "
            "dilation=1, bias=True)",
            (8, 1, 2, 3, 4),
            (2, 7, 6, 5, 8),
        ),
        (
            nn.ConvTranspose1d(4, 8, 3, stride=2, output_padding=1),
            "ConvTranspose1d(4, 8, kernel_size=3, stride=2, padding=0, dilation=1, "
            "output_padding=1, bias=True)",
            (8, 3, 4),
            (2, 16, 8),
        ),
        (
            nn.ConvTranspose2d(4, 8, 3),
            "ConvTranspose2d(4, 8, kernel_size=(3, 3), stride=(1, 1), padding=(0, 0), "
            "dilation=1, output_padding=(0, 0), bias=True)",
            (8, 3, 3, 4),
            (2, 9, 9, 8),
        ),
        (
            nn.ConvTranspose3d(4, 8, 2),
            "ConvTranspose3d(4, 8, kernel_size=(2, 2, 2), stride=(1, 1, 1), padding=(0, 0, 0), "
            "dilation=1, output_padding=(0, 0, 0), bias=True)",
            (8, 2, 2, 2, 4),
            (2, 8, 8, 8, 8),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_convolutions(layer: Any, text: str, weight: tuple, out: tuple) -> None:
    assert repr(layer) == text
    assert layer.weight.shape == weight
    channels = weight[-1] * getattr(layer, "groups", 1)
    x = mx.random.normal((2, *(7,) * (len(weight) - 2), channels))
    y = layer(x)
    assert y.shape == out
    if "bias" in layer:
        layer.bias = layer.bias + 1
        assert mx.allclose(layer(x), y + 1, atol=1e-5)


def test_errors_of_convolutions() -> None:
    with pytest.raises(ValueError, match=r"\[Conv2d\] 5 input channels .* 2 groups"):
        nn.Conv2d(5, 8, 3, groups=2)
    with pytest.raises(ValueError, match=r"\[Conv2d\] stride \(1, 2, 3\) has not one value"):
        nn.Conv2d(4, 8, 3, stride=(1, 2, 3))


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, None, 0), (3, 2, 1), ((2, 3), 1, 0)])
@pytest.mark.parametrize("kind", ["Max", "Avg"])
def test_pooling_against_windows(kind: str, kernel: Any, stride: Any, padding: Any) -> None:
    layer = getattr(nn, f"{kind}Pool2d")(kernel, stride, padding)
    x = np.random.default_rng(0).standard_normal((2, 7, 8, 3)).astype(np.float32)
    edge = -np.inf if kind == "Max" else 0
    pads = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    padded = np.pad(x, pads, constant_values=edge)
    size = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    step = (stride, stride) if stride else size
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(1, 2))
    windows = windows[:, :: step[0], :: step[1]]
    expected = windows.max((-2, -1)) if kind == "Max" else windows.mean((-2, -1))
    np.testing.assert_allclose(np.array(layer(mx.array(x))), expected, rtol=1e-5, atol=1e-6)
    slope = mx.grad(lambda x: (layer(x) ** 2).sum())(mx.array(x))
    direction = mx.array(x[::-1].copy())
    f = lambda t: (layer(mx.array(x) + t * direction) ** 2).sum().item()  # noqa: E731
    assert (slope * direction).sum().item() == pytest.approx((f(1e-3) - f(-1e-3)) / 2e-3, rel=2e-2)


def test_pooling_of_few_and_of_integers() -> None:
    assert repr(nn.MaxPool2d((2, 3), stride=(1, 2), padding=1)) == (
        "MaxPool2d(kernel_size=(2, 3), stride=(1, 2), padding=(1, 1))"
    )
    assert nn.MaxPool2d(6)(mx.zeros((2, 5, 5, 3))).shape == (2, 0, 0, 3)
    pooled = nn.MaxPool1d(2, padding=1)(mx.array([-1, -2, -3, -4]).reshape(1, 4, 1))
    assert pooled.flatten().tolist() == [-1, -2, -4]
    assert pooled.dtype == mx.int32
    assert nn.AvgPool1d(2, padding=1)(RAMP + 1).flatten().tolist() == [0.5, 2.5, 2]
    with pytest.raises(ValueError, match=r"\[MaxPool2d\] 'kernel_size' is \(3,\)"):
        nn.MaxPool2d((3,))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has 3 dimensions"):
        nn.MaxPool2d(3)(mx.zeros((2, 5, 5)))


def test_batch_norm_follows_the_batches() -> None:
    layer = nn.BatchNorm(2)
    assert repr(layer) == (
        "BatchNorm(2, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"
    )
    x = mx.array([[1.0, 2.0], [3.0, 6.0], [5.0, 7.0]])
    expected = [[-1.22474, -1.38873], [0, 0.46291], [1.22474, 0.925819]]
    np.testing.assert_allclose(np.array(layer(x)), expected, atol=1e-5)
    np.testing.assert_allclose(np.array(layer.running_mean), [0.3, 0.5], rtol=1e-6)
    np.testing.assert_allclose(np.array(layer.running_var), [1.3, 1.6], rtol=1e-6)
    assert set(layer.trainable_parameters()) == {"weight", "bias"}
    layer.unfreeze()
    assert set(layer.trainable_parameters()) == {"weight", "bias"}
    layer.eval()
    expected = [[0.613938, 1.18585], [2.36805, 4.34812], [4.12216, 5.13869]]
    np.testing.assert_allclose(np.array(layer(x)), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="has 1 values a channel"):
        nn.BatchNorm(2)(x[:1])


def test_batch_norm_compiled() -> None:
    layer, same = nn.BatchNorm(3), nn.BatchNorm(3)
    step = partial(mx.compile, inputs=layer.state, outputs=layer.state)(lambda x: layer(x).sum())
    for seed in range(3):
        x = mx.random.normal((4, 5, 3), key=mx.random.key(seed))
        step(x)
        same(x)
    assert mx.allclose(layer.running_mean, same.running_mean)
    assert mx.allclose(layer.running_var, same.running_var)


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_gradient_is_that_of_its_formula(affine: bool) -> None:
    """By input and factors, through the running statistics, twice, and for another shape."""
    keys = mx.random.split(mx.random.key(0), 4)
    x = mx.random.normal((4, 5, 3), loc=2.0, key=keys[0])
    weight, bias, slopes = (mx.random.normal((3,), key=key) for key in keys[1:])

    def by_layer(x: mx.array, weight: mx.array, bias: mx.array) -> mx.array:
        layer = nn.BatchNorm(3, affine=affine)
        if affine:
            layer.update({"weight": weight, "bias": bias})
        y = layer(x).square()
        return (y * slopes * x).sum() + (layer.running_mean * layer.running_var).sum()

    def by_hand(x: mx.array, weight: mx.array, bias: mx.array) -> mx.array:
        axes = tuple(range(x.ndim - 1))
        mean = mx.mean(x, axes)
        var = mx.mean((x - mean) ** 2, axes)
        y = (x - mean) / mx.sqrt(var + 1e-5)
        y = (y * weight + bias if affine else y).square()
        count = x.size // 3
        running = (0.1 * mean, 0.9 + 0.1 * var * count / (count - 1))
        return (y * slopes * x).sum() + (running[0] * running[1]).sum()

    def twice(f: Any) -> Any:
        return mx.grad(lambda x: mx.grad(f)(x, weight, bias).square().sum())

    which = [0, 1, 2] if affine else [0]
    gradients = [mx.grad(f, argnums=which)(x, weight, bias) for f in (by_layer, by_hand)]
    gradients.append([twice(by_layer)(x)])
    gradients.append([twice(by_hand)(x)])
    for found, expected in (gradients[:2], gradients[2:]):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(np.array(a), np.array(b), rtol=2e-4, atol=2e-4)

    layer = nn.BatchNorm(3, affine=affine, track_running_stats=False)
    of_any_shape = mx.compile(mx.grad(lambda x: (layer(x) ** 3).sum()), shapeless=True)
    of_any_shape(x)
    one = mx.grad(lambda x: (layer(x) ** 3).sum())(x[:2])
    np.testing.assert_allclose(np.array(of_any_shape(x[:2])), np.array(one), rtol=1e-5, atol=1e-5)
    half = nn.BatchNorm(3, affine=affine)
    half.set_dtype(mx.float16)
    assert mx.grad(lambda x: half(x).sum())(x.astype(mx.float16)).dtype == mx.float16


def test_group_and_instance_norm() -> None:
    x = mx.arange(8.0).reshape(1, 2, 4)
    ours = nn.GroupNorm(2, 4)(x)
    np.testing.assert_allclose(np.array(ours)[0, 0], [-1.34164] * 2 + [-0.447213] * 2, rtol=1e-5)
    theirs = nn.GroupNorm(2, 4, pytorch_compatible=True)(x)
    expected = [-1.212677, -0.727606, -1.212677, -0.727606]
    np.testing.assert_allclose(np.array(theirs)[0, 0], expected, rtol=1e-5)
    y = np.random.default_rng(0).standard_normal((2, 3, 5, 4)).astype(np.float32)
    normed = (y - y.mean((1, 2), keepdims=True)) / np.sqrt(y.var((1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(np.array(nn.InstanceNorm(4)(mx.array(y))), normed, atol=1e-5)
    assert nn.InstanceNorm(4)(mx.array(y).astype(mx.float16)).dtype == mx.float16
    with pytest.raises(ValueError, match="3 groups do not divide 4"):
        nn.GroupNorm(3, 4)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"scale_factor": 2}, [0, 0, 1, 1, 2, 2, 3, 3]),
        ({"scale_factor": 1.5}, [0, 0, 1, 2, 2, 3]),
        ({"scale_factor": 0.5}, [0, 2]),
        ({"scale_factor": 2, "mode": "linear"}, [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]),
        (
            {"scale_factor": 1.5, "mode": "linear", "align_corners": True},
            [0, 0.6, 1.2, 1.8, 2.4, 3],
        ),
        (
            {"scale_factor": 1.5, "mode": "cubic"},
            [-0.086805, 0.40625, 1.212962, 1.787038, 2.59375, 3.086805],
        ),
        (
            {"scale_factor": 1.5, "mode": "cubic", "align_corners": True},
            [0, 0.504, 1.248, 1.752, 2.496, 3],
        ),
    ],
)
def test_upsample(options: Any, expected: Any) -> None:
    got = nn.Upsample(**options)(RAMP)
    np.testing.assert_allclose(np.array(got).ravel(), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("mode", "scale", "expected"),
    [
        ("linear", 0.5, [0.714286, 2.5, 4.5, 6.285715]),
        ("linear", 0.4, [1.166667, 3.5, 5.833333]),
        ("cubic", 0.5, [0.543933, 2.45946, 4.54054, 6.456067]),
        ("cubic", 0.4, [0.980392, 3.5, 6.019607]),
    ],
)
def test_upsample_antialiased(mode: Any, scale: float, expected: Any) -> None:
    x = mx.arange(8.0).reshape(1, 8, 1)
    got = nn.Upsample(scale, mode=mode, antialias=True)(x)
    np.testing.assert_allclose(np.array(got).ravel(), expected, atol=2e-5)


def test_upsample_to_rounded_sizes() -> None:
    x = mx.arange(8.0).reshape(1, 8, 1)
    more, fewer = nn.Upsample(1.7)(x).flatten(), nn.Upsample(0.7)(x).flatten()
    assert more.tolist() == [0, 0, 1, 2, 2, 3, 4, 4, 5, 5, 6, 7, 7]
    assert fewer.tolist() == [0, 1, 3, 4, 6]
    assert nn.Upsample(2, mode="linear")(x.astype(mx.float16)).dtype == mx.float32


def test_upsample_each_axis() -> None:
    layer = nn.Upsample((2, 3), mode="linear", align_corners=True)
    assert repr(layer) == "Upsample(scale_factor=(2.0, 3.0), mode='linear', align_corners=True)"
    smaller = nn.Upsample(0.5, "cubic", antialias=True)
    assert repr(smaller) == (
        "Upsample(scale_factor=0.5, mode='cubic', align_corners=False, antialias=True)"
    )
    assert layer(mx.zeros((1, 2, 2, 5))).shape == (1, 4, 6, 5)
    for options, match in (
        ({"mode": "foo"}, "mode 'foo' is none of"),
        ({"antialias": True, "align_corners": True}, "exclude each other"),
        ({"scale_factor": -1}, "not positive"),
    ):
        with pytest.raises(ValueError, match=match):
            nn.Upsample(**{"scale_factor": 2, **options})
    with pytest.raises(ValueError, match="no spatial axis"):
        nn.Upsample(2)(mx.zeros((2, 3)))
    with pytest.raises(ValueError, match="not one value for each of 1"):
        nn.Upsample((2, 2))(RAMP)


def test_transposes_have_a_module_of_their_own():
    """Programs import them from where MLX has them."""
    from mlx.nn.layers.convolution_transpose import (
        ConvTranspose1d,
        ConvTranspose2d,
        ConvTranspose3d,
    )

    assert (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d) == (
        nn.ConvTranspose1d,
        nn.ConvTranspose2d,
        nn.ConvTranspose3d,
    )


def test_sizes_may_be_numpys_integers():
    three, two = np.int64(3), np.int64(2)
    layer = nn.Conv1d(two, three, three, stride=two, padding=two)
    assert layer(mx.ones((1, 5, 2))).shape == (1, 4, 3)
    assert nn.ConvTranspose2d(2, 3, three, stride=two)(mx.ones((1, 2, 2, 2))).shape == (1, 5, 5, 3)


@pytest.mark.parametrize("shape", [(70000, 2), (1, 70000, 2)])
def test_norms_of_more_places_than_float16_counts(shape: tuple[int, ...]) -> None:
    x = (mx.random.normal(shape, key=mx.random.key(0)) + 3).astype(mx.float16)
    layers = [nn.BatchNorm(2), nn.GroupNorm(1, 2), nn.InstanceNorm(2)]
    for layer in layers if len(shape) == 3 else layers[:1]:
        want = layer(x.astype(mx.float32))
        layer.set_dtype(mx.float16)
        got = layer(x)
        assert got.dtype == mx.float16
        assert mx.allclose(got.astype(mx.float32), want, 5e-3, 5e-3).item()
        slope = mx.grad(lambda x, layer=layer: (layer(x) ** 2).mean())(x)
        assert mx.isfinite(slope).all().item()
