"""nn.utils: gradients of several processes. The group of two is one process that plays both."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
import pytest
from mlx.utils import tree_flatten


class Two(mx.distributed.Group):
    def __new__(cls):
        return object.__new__(cls)

    def size(self):
        return 2


@pytest.fixture
def messages(monkeypatch):
    """Lets all_sum add an equal process; the shapes and streams it was called with."""
    seen = []

    def all_sum(x, *, group=None, stream=None):
        seen.append((x.shape, x.dtype, stream))
        return x * 2

    monkeypatch.setattr(mx.distributed, "all_sum", all_sum)
    return seen


def test_average_in_a_group_of_one_does_nothing():
    gradients = nn.Linear(2, 3).parameters()
    assert nn.average_gradients(gradients) is gradients
    assert nn.utils.average_gradients(gradients, mx.distributed.init()) is gradients


@pytest.mark.parametrize(("size", "sent"), [(1 << 20, 2), (0, 4), (-1, 4), (20, 3)])
def test_average_gathers_small_gradients(messages, size, sent):
    gradients = {
        "layers": [{"weight": mx.ones((2, 3)), "bias": mx.arange(3.0)}, {"scale": mx.array(2.0)}],
        "table": mx.ones((4,), mx.float16),
    }
    averaged = nn.average_gradients(gradients, Two(), size, mx.default_stream(mx.cpu))
    assert len(messages) == sent
    assert all(stream == mx.default_stream(mx.cpu) for _, _, stream in messages)
    for (name, before), (_, after) in zip(
        tree_flatten(gradients), tree_flatten(averaged), strict=True
    ):
        assert after.dtype == before.dtype, name
        assert mx.array_equal(before, after), name


def test_clip_grad_norm_sharded(messages):
    gradients = {"a": mx.array([3.0, 0.0]), "b": [mx.array([[4.0]])]}
    clipped, norm = nn.utils.clip_grad_norm_sharded(gradients, 1.0, Two())
    assert norm.item() == pytest.approx(50**0.5)
    np.testing.assert_allclose(np.array(clipped["a"]), [3 / 50**0.5, 0], rtol=1e-5)


@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16, mx.float32])
def test_clip_grad_norm_sharded_alone_is_clip_grad_norm(dtype):
    layer = nn.Linear(2, 3)
    layer.weight = layer.weight.astype(dtype) * 1000
    gradients = layer.parameters()
    for largest in (0.1, 100.0):
        ours, norm = nn.utils.clip_grad_norm_sharded(gradients, largest)
        theirs, other = optim.clip_grad_norm(gradients, largest)
        assert norm.item() == other.item()
        assert ours["weight"].dtype == theirs["weight"].dtype == dtype
        assert mx.array_equal(ours["weight"], theirs["weight"])
    assert nn.utils.clip_grad_norm_sharded({}, 1.0)[1].item() == 0
