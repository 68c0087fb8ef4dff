"""mx.distributed: the group of one."""

import mlx.core as mx
import pytest


def test_group_of_one():
    world = mx.distributed.init()
    assert (world.rank(), world.size()) == (0, 1)
    assert mx.distributed.init(backend="ring") is world
    assert isinstance(world, mx.distributed.Group)
    with pytest.raises(RuntimeError, match="cannot be split"):
        world.split(0)
    with pytest.raises(TypeError, match=r"made by mx.distributed.init"):
        mx.distributed.Group()


def test_backends_that_are_absent():
    for backend in ("any", "ring", "mpi", "nccl", "jaccl", "carrier pigeon"):
        assert not mx.distributed.is_available(backend)
    with pytest.raises(RuntimeError, match=r"no communication backend .asked for: 'ring'"):
        mx.distributed.init(strict=True, backend="ring")
    with pytest.raises(ValueError, match="backend is 'carrier pigeon', none of 'any'"):
        mx.distributed.init(backend="carrier pigeon")
    with pytest.raises(ValueError, match="all_gather_factory is only for"):
        mx.distributed.init(all_gather_factory=lambda rank, size: lambda content, count: content)


@pytest.mark.parametrize("name", ["all_sum", "all_max", "all_min", "all_gather", "sum_scatter"])
def test_collectives_are_the_identity(name):
    collective = getattr(mx.distributed, name)
    x = mx.arange(4.0)
    y = collective(x, group=mx.distributed.init(), stream=mx.cpu)
    assert mx.array_equal(x, y)
    y += 1  # a handle of its own
    assert x.tolist() == [0, 1, 2, 3]
    assert mx.array_equal(mx.vmap(collective)(mx.ones((2, 3))), mx.ones((2, 3)))
    assert mx.array_equal(mx.grad(lambda x: collective(x).sum())(x), mx.ones(4))
    assert mx.array_equal(mx.compile(collective)(x), x)
    assert collective(2.5).item() == 2.5
    with pytest.raises(TypeError, match=rf"\[{name}\] group is int"):
        collective(x, group=3)
    with pytest.raises(ValueError, match=rf"\[{name}\] .* list"):
        collective([1.0])


def test_nobody_to_talk_to():
    x = mx.zeros(2)
    with pytest.raises(ValueError, match="nobody to send to"):
        mx.distributed.send(x, 0)
    with pytest.raises(ValueError, match="nobody to receive from"):
        mx.distributed.recv((2,), mx.float32, 0)
    with pytest.raises(ValueError, match="nobody to receive from"):
        mx.distributed.recv_like(x, 1)
    with pytest.raises(TypeError, match=r"\[recv_like\] .* list"):
        mx.distributed.recv_like([], 1)
