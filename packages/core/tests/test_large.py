"""Arrays of more than 2^31 elements: ``make test-large``, 12 GB of memory, minutes."""

from __future__ import annotations

from collections.abc import Iterator

import mlx.core as mx
import numpy as np
import pytest

pytestmark = pytest.mark.large

COUNT = 3 * 10**9
EDGE = 2**31
AT = EDGE + 12345  # beyond what int32 counts
LATE = COUNT - 7


@pytest.fixture(scope="module")
def large() -> Iterator[mx.array]:
    """Ones with a 100 and a -100 at late places."""
    x = mx.ones((COUNT,), mx.int8) + 0
    mx.eval(x)
    view = np.asarray(x)
    view[AT] = 100
    view[LATE] = -100
    del view
    yield x
    mx.clear_cache()


@pytest.fixture(autouse=True)
def _give_back() -> Iterator[None]:
    yield
    mx.clear_cache()


def test_shape_and_reads(large: mx.array) -> None:
    assert large.size == large.nbytes == COUNT
    assert (large[AT].item(), large[LATE].item(), large[AT + 1].item()) == (100, -100, 1)
    assert large[-7].item() == -100
    assert repr(large) == "array([1, 1, 1, ..., 1, 1, 1], dtype=int8)"


def test_reductions(large: mx.array) -> None:
    assert mx.max(large).item() == 100
    assert mx.min(large).item() == -100
    assert mx.argmax(large).item() == AT
    assert mx.argmin(large).item() == LATE
    assert mx.any(large == 100).item()
    assert mx.sum(large[: EDGE - 1]).item() == EDGE - 1  # int32 holds no more
    assert mx.sum(large == 1).item() == (COUNT - 2 + EDGE) % 2**32 - EDGE  # int32, as in MLX
    rows = large[: 3 * 10**9].reshape(3, 10**9)
    assert mx.sum(rows, axis=1).tolist() == [10**9, 10**9, 10**9 + 99 - 101]
    assert mx.max(rows, axis=1).tolist() == [1, 1, 100]
    assert mx.max(rows, axis=0)[AT - 2 * 10**9].item() == 100
    assert mx.argmax(rows, axis=1).tolist() == [0, 0, AT - 2 * 10**9]


def test_slices(large: mx.array) -> None:
    window = large[EDGE - 5 : AT + 2]
    assert window.shape == (12352,)
    assert window[-2:].tolist() == [100, 1]
    assert large[AT::10].shape == ((COUNT - AT + 9) // 10,)
    assert large[AT::-AT].tolist() == [100, 1]
    assert large[::-1][6].item() == -100
    assert mx.contiguous(large[::-1])[COUNT - 1 - AT].item() == 100


def test_elementwise(large: mx.array) -> None:
    y = large + 1
    assert (y[AT].item(), y[0].item(), y[-1].item()) == (101, 2, 2)
    y = y * 2 - large
    assert (y[AT].item(), y[LATE].item(), y[EDGE].item()) == ((202 - 100) % 256, -98, 3)
    del y
    # Strided and broadcast.
    rows = large.reshape(3, 10**9)
    z = rows.T + mx.array([0, 1, 2], mx.int8)
    assert z[AT - 2 * 10**9].tolist() == [1, 2, 102]
    assert z[-7].tolist() == [1, 2, -98]


def test_in_place(large: mx.array) -> None:
    y = mx.abs(large)
    mx.eval(y)
    y += 1
    mx.eval(y)
    assert (y[AT].item(), y[LATE].item(), y[EDGE].item()) == (101, 101, 2)
    assert large[AT].item() == 100
    y[AT] = 7
    y[EDGE - 1 : EDGE + 1] = 5
    assert y[EDGE - 2 : EDGE + 2].tolist() == [2, 5, 5, 2]
    assert (y[AT].item(), y[AT + 1].item()) == (7, 2)


def test_gather_and_scatter(large: mx.array) -> None:
    for dtype in (mx.int64, mx.uint32):
        places = mx.array([AT, 0, LATE, EDGE], mx.int64).astype(dtype)
        assert large[places].tolist() == [100, 1, -100, 1]
        assert mx.take(large, places).tolist() == [100, 1, -100, 1]
        assert mx.take_along_axis(large, places, 0).tolist() == [100, 1, -100, 1]
        y = large.at[places].add(mx.array([1, 2, 3, 4], mx.int8))
        assert y[places].tolist() == [101, 3, -97, 5]
        del y
    y = mx.put_along_axis(large, mx.array([AT]), mx.array([9], mx.int8), 0)
    assert y[AT - 1 : AT + 2].tolist() == [1, 9, 1]


def test_concatenate_and_compare(large: mx.array) -> None:
    y = mx.concatenate([large[:AT], large[AT:]])
    assert mx.array_equal(large, y).item()
    assert mx.all(large == y).item()
    y[LATE] = 0
    assert not mx.array_equal(large, y).item()
    assert mx.argmax(large != y).item() == LATE


def test_views_and_moves(large: mx.array) -> None:
    rows = large.reshape(10**9, 3)
    assert rows[AT // 3, AT % 3].item() == 100
    assert rows.T[AT % 3, AT // 3].item() == 100
    assert mx.contiguous(rows.T)[AT % 3, AT // 3].item() == 100
    assert mx.roll(large, 1)[AT + 1].item() == 100
    assert mx.where(large > 50, large, 0)[AT].item() == 100
    assert mx.broadcast_to(mx.array(3, mx.int8), (COUNT,))[LATE].item() == 3
    assert mx.zeros((2**33, 2**10), mx.int8).size == 2**43


def test_numpy_and_scans(large: mx.array) -> None:
    shared = np.asarray(large)
    assert shared.shape == (COUNT,)
    assert shared[AT] == 100
    back = mx.asarray(shared, copy=False)
    assert back[LATE].item() == -100
    running = mx.cummax(large)
    assert (running[AT - 1].item(), running[AT].item(), running[-1].item()) == (1, 100, 100)
