"""Losses against values computed by hand and against MLX's published behaviour."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

A = [[0.1, 0.7, 0.3], [0.2, -0.5, 1.5]]
B = [[0.3, -0.7, 0.2], [0.9, 0.5, 1.0]]

GOLDEN = {
    "smooth_l1_loss": ((0.5, "none"), [[0.04, 1.15, 0.01], [0.45, 0.75, 0.25]]),
    "huber_loss": ((0.5,), [[0.02, 0.575, 0.005], [0.225, 0.375, 0.125]]),
    "log_cosh_loss": ((), [[0.0198681, 0.765886, 0.00499171], [0.22727, 0.433781, 0.120115]]),
    "hinge_loss": ((), [[0.97, 1.49, 0.94], [0.82, 1.25, 0]]),
    "cosine_similarity_loss": ((), [-0.66136, 0.625152]),
    "kl_div_loss": ((), [-0.547388, 2.0113]),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_value(name):
    extra, expected = GOLDEN[name]
    loss = getattr(nn.losses, name)(mx.array(A), mx.array(B), *extra)
    np.testing.assert_allclose(np.array(loss), expected, rtol=2e-5, atol=2e-6)


def test_triplet_margin_gaussian():
    a, b, c = mx.array(A), mx.array(B), mx.array(B) * 2
    np.testing.assert_allclose(
        np.array(nn.losses.triplet_loss(a, b, c)), [0.256727, 0.0696465], rtol=1e-5
    )
    np.testing.assert_allclose(
        np.array(nn.losses.margin_ranking_loss(a, b, c, 0.1)),
        [[0.22, 2.06, 0.06], [1.36, 1.1, 0]],
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        np.array(nn.losses.gaussian_nll_loss(a, b, mx.abs(c), True, reduction="none")),
        [[0.696859, 1.78717, 0.473293], [1.34894, 1.41894, 1.32801]],
        rtol=1e-5,
    )


def test_cross_entropy_forms():
    logits = mx.array([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]])
    targets = mx.array([0, 2])
    loss = nn.losses.cross_entropy
    np.testing.assert_allclose(np.array(loss(logits, targets)), [2.40761, 1.55144], rtol=1e-5)
    np.testing.assert_allclose(
        np.array(loss(logits, targets, label_smoothing=0.1)), [2.30761, 1.51811], rtol=1e-5
    )
    soft = mx.softmax(logits, axis=-1)
    np.testing.assert_allclose(np.array(loss(logits, soft)), [0.832396, 0.975328], rtol=1e-5)
    np.testing.assert_allclose(
        np.array(loss(logits, soft, label_smoothing=0.2)), [0.947438, 1.02388], rtol=1e-5
    )
    weighted = loss(logits, targets, weights=mx.array([1.0, 2.0]), reduction="mean")
    np.testing.assert_allclose(weighted.item(), 2.75525, rtol=1e-5)


def test_binary_cross_entropy_from_logits_and_probabilities():
    x, t = mx.array(A), mx.array(B)
    expected = [[0.714397, 1.59319, 0.794355], [0.618139, 0.724077, 0.201413]]
    logits = nn.losses.binary_cross_entropy(x, t, reduction="none")
    probabilities = nn.losses.binary_cross_entropy(
        mx.sigmoid(x), t, with_logits=False, reduction="none"
    )
    np.testing.assert_allclose(np.array(logits), expected, rtol=1e-5)
    np.testing.assert_allclose(np.array(probabilities), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, t: nn.losses.cross_entropy(x, mx.array([0, 1, 2])), "Targets shape"),
        (lambda x, t: nn.losses.cross_entropy(x, t, label_smoothing=2.0), "Label smoothing"),
        (lambda x, t: nn.losses.cross_entropy(x, t, reduction="foo"), "Invalid reduction"),
        (lambda x, t: nn.losses.cross_entropy(x, t, weights=mx.ones((3,))), "Weights with shape"),
        (lambda x, t: nn.losses.mse_loss(x, t), "does not match targets shape"),
    ],
)
def test_misuse(call, message):
    with pytest.raises(ValueError, match=message):
        call(mx.array(A), mx.array([0, 2]))


def test_cross_entropy_with_shares_that_do_not_add_up():
    # As MLX 0.32.4 has it: the largest logit is taken away before.
    logits, shares = mx.array([[1.0, 2.0, 3.0]]), mx.array([[0.1, 0.2, 0.3]])
    np.testing.assert_allclose(
        np.array(nn.losses.cross_entropy(logits, shares)), [0.807606], rtol=1e-5
    )


def test_cross_entropy_of_large_logits_keeps_its_places():
    logits = mx.array([[1e4, 1e4 + 1, 1e4 + 2]])
    for targets in (mx.array([0]), mx.array([[1.0, 0.0, 0.0]])):
        loss = nn.losses.cross_entropy(logits, targets, label_smoothing=0.3)
        np.testing.assert_allclose(np.array(loss), [2.107606], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("hinge_loss", [(2, 3), (3, 3)], ValueError),
        ("kl_div_loss", [(2, 3), (3, 3)], ValueError),
        ("huber_loss", [(2, 3), (2,)], ValueError),
        ("mse_loss", [(2, 3), (2,)], ValueError),
        ("margin_ranking_loss", [(2, 3), (2, 3), (2,)], ValueError),
        ("triplet_loss", [(2, 3), (2, 3), (4, 3)], ValueError),
        ("cross_entropy", [(2, 3), (2,)], ValueError),
        ("cosine_similarity_loss", [(3,), (3,)], IndexError),
    ],
)
def test_a_loss_names_itself(name, arguments, kind):
    with pytest.raises(kind, match=rf"^\[{name}\] "):
        getattr(nn.losses, name)(*map(mx.zeros, arguments))


def test_a_loss_of_what_is_no_array():
    with pytest.raises(TypeError, match=r"^\[mse_loss\] Predictions and targets are array and int"):
        nn.losses.mse_loss(mx.zeros(2), 3)


def test_the_mean_of_more_losses_than_float16_counts():
    x = mx.full((70000,), 3.0, mx.float16)
    assert nn.losses.l1_loss(x, mx.zeros_like(x)).item() == 3
