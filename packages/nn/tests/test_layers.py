"""Layers against NumPy."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest


def test_linear():
    layer = nn.Linear(3, 5)
    x = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32)
    expected = x @ np.array(layer.weight).T + np.array(layer.bias)
    np.testing.assert_allclose(np.array(layer(mx.array(x))), expected, rtol=1e-5, atol=1e-6)
    assert "bias" not in nn.Linear(3, 5, bias=False)
    assert np.abs(np.array(layer.weight)).max() <= 3**-0.5


def test_bilinear():
    layer = nn.Bilinear(2, 3, 4)
    rng = np.random.default_rng(0)
    a = rng.standard_normal((5, 2)).astype(np.float32)
    b = rng.standard_normal((5, 3)).astype(np.float32)
    expected = np.einsum("ni,oji,nj->no", a, np.array(layer.weight), b) + np.array(layer.bias)
    got = np.array(layer(mx.array(a), mx.array(b)))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_embedding():
    layer = nn.Embedding(10, 4)
    weight = np.array(layer.weight)
    index = mx.array([[1, 2], [3, 9]])
    np.testing.assert_array_equal(np.array(layer(index)), weight[np.array(index)])
    x = mx.ones((2, 4))
    np.testing.assert_allclose(np.array(layer.as_linear(x)), np.ones((2, 4)) @ weight.T, rtol=1e-5)


def test_norms():
    x = np.random.default_rng(0).standard_normal((3, 7)).astype(np.float32)
    layer = nn.LayerNorm(7)
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(np.array(layer(mx.array(x))), expected, rtol=1e-4, atol=1e-5)
    plain = nn.LayerNorm(7, affine=False)
    assert plain.parameters() == {}
    np.testing.assert_allclose(np.array(plain(mx.array(x))), expected, rtol=1e-4, atol=1e-5)
    expected = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(np.array(nn.RMSNorm(7)(mx.array(x))), expected, rtol=1e-5, atol=1e-6)


def test_dropout():
    layer = nn.Dropout(0.25)
    y = np.array(layer(mx.ones((10000,))))
    assert set(np.unique(y)) <= {np.float32(0), np.float32(1 / 0.75)}
    assert abs(y.mean() - 1) < 0.05
    layer.eval()
    assert np.array(layer(mx.ones((4,)))).tolist() == [1, 1, 1, 1]
    with pytest.raises(ValueError, match="dropout probability"):
        nn.Dropout(1.0)


@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout2d, nn.Dropout3d])
@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16, mx.float32])
def test_dropout_keeps_the_dtype(kind, dtype):
    x = mx.ones((3, 4, 5, 6), dtype)
    y = kind(0.3)(x)
    assert y.dtype == dtype
    assert set(y.flatten().tolist()) == {0, (mx.array(1.0, dtype) * (1 / 0.7)).item()}


@pytest.mark.parametrize(("kind", "space"), [(nn.Dropout2d, (5, 6)), (nn.Dropout3d, (2, 5, 6))])
@pytest.mark.parametrize("batch", [(), (40,)])
def test_dropout_of_channels(kind, space, batch):
    layer = kind(0.25)
    y = np.array(layer(mx.ones((*batch, *space, 100))))
    places = tuple(range(len(batch), len(batch) + len(space)))
    assert np.all(y.min(places) == y.max(places))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(y.mean() - 1) < 0.25
    assert repr(layer) == f"{kind.__name__}(p=0.25)"
    with pytest.raises(ValueError, match=rf"\[{kind.__name__}\] Received input with 2 dimensions"):
        layer(mx.ones((2, 3)))
    x = mx.ones((*space, 3))
    assert layer.eval()(x) is x
    with pytest.raises(ValueError, match=r"dropout probability -0\.1"):
        kind(-0.1)


def test_sparse_matrices():
    # As MLX 0.32.4 drew it.
    mx.random.seed(0)
    expected = [[0, -0.794102, 0], [0, 0, 1.1701], [0, 0, -1.33893], [0, 0, -0.0544663]]
    np.testing.assert_allclose(np.array(nn.init.sparse(0.5)(mx.zeros((4, 3)))), expected, rtol=1e-5)
    weight = np.array(nn.init.sparse(0.3, mean=4.0, std=0.5, dtype=mx.float16)(mx.zeros((50, 10))))
    assert weight.dtype == np.float16
    assert np.all((weight == 0).sum(1) == 3)
    assert abs(weight[weight != 0].mean() - 4) < 0.1
    with pytest.raises(ValueError, match=r"\[sparse\] an array of shape \(3,\) is no matrix"):
        nn.init.sparse(0.5)(mx.zeros(3))


@pytest.mark.parametrize(
    ("initializer", "std"),
    [
        (nn.init.normal(std=0.5), 0.5),
        (nn.init.uniform(-1, 1), 3**-0.5),
        (nn.init.glorot_normal(), (2 / 300) ** 0.5),
        (nn.init.glorot_uniform(), (2 / 300) ** 0.5),
        (nn.init.he_normal(), 200**-0.5),
        (nn.init.he_uniform(), 200**-0.5),
        (nn.init.constant(3.0), 0.0),
    ],
)
def test_initialisers(initializer, std):
    values = np.array(initializer(mx.zeros((100, 200))))
    assert values.shape == (100, 200)
    assert abs(values.std() - std) <= 0.03 * std


def test_identity_initialiser():
    np.testing.assert_array_equal(np.array(nn.init.identity()(mx.zeros((3, 3)))), np.eye(3))
    with pytest.raises(ValueError, match="square"):
        nn.init.identity()(mx.zeros((3, 4)))
    with pytest.raises(ValueError, match="2 dimensional"):
        nn.init.he_normal()(mx.zeros((4,)))


def test_orthogonal_matrices():
    # As MLX 0.32.4 drew it.
    mx.random.seed(0)
    expected = [
        [-0.259676, 0.910831, 0.320867],
        [0.0530714, -0.318303, 0.946502],
        [-0.964236, -0.262813, -0.0343167],
    ]
    drawn = np.array(nn.init.orthogonal()(mx.zeros((3, 3))))
    np.testing.assert_allclose(drawn, expected, atol=2e-6)
    wide, tall = (nn.init.orthogonal(2.0)(mx.zeros(shape)) for shape in ((4, 7), (7, 4)))
    for matrix in (wide @ wide.T, tall.T @ tall):
        np.testing.assert_allclose(np.array(matrix), 4 * np.eye(4), atol=1e-5)
    assert nn.init.orthogonal(dtype=mx.float16)(mx.zeros((2, 2))).dtype == mx.float16
    with pytest.raises(ValueError, match=r"\[orthogonal\] an array of shape \(3,\) is no matrix"):
        nn.init.orthogonal()(mx.zeros(3))
