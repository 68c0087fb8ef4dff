"""Masks as keys, nonzero and its kin: against NumPy, with and without a size, under transforms."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

RNG = np.random.default_rng(11)


def same(got: Any, want: Any) -> None:
    """Shapes and values agree."""
    assert got.shape == want.shape
    np.testing.assert_array_equal(np.array(got), want)


# ---- reading with masks ------------------------------------------------------------------------


def _entry(rng: random.Random, size: int) -> Any:
    kind = rng.randrange(4)
    if kind == 0 and size:
        return rng.randrange(-size, size)
    if kind == 1 and size:
        return np.array([rng.randrange(-size, size)])
    return slice(rng.choice([None, 1]), None, rng.choice([None, 2, -1]))


@pytest.mark.parametrize("seed", range(150))
def test_masks_in_mixes_read_and_assign_as_numpy(seed: int) -> None:
    rng = random.Random(seed)
    shape = tuple(rng.choice([0, 1, 2, 3, 4]) for _ in range(rng.randint(1, 4)))
    start = rng.randrange(len(shape))
    stop = rng.randint(start + 1, len(shape))
    # Beside arrays of one element: these broadcast with as many places as the mask has.
    mask = np.random.default_rng(seed).random(shape[start:stop]) < 0.6
    spread = start > 0 and rng.random() < 0.3
    key: list[Any] = [...] if spread else [_entry(rng, size) for size in shape[:start]]
    key.append(mask)
    last = len(shape) if spread else rng.randint(stop, len(shape))
    key.extend(_entry(rng, size) for size in shape[stop:last])
    if rng.random() < 0.2:
        key.insert(rng.randrange(len(key) + 1), None)
    if ... in [e for e in key if not isinstance(e, np.ndarray)] and seed % 2:
        key = [e for e in key if e is not None]
    x = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)
    ours = tuple(mx.array(e) if isinstance(e, np.ndarray) else e for e in key)
    try:
        want = x[tuple(key)]
    except IndexError:
        with pytest.raises((ValueError, IndexError)):
            mx.array(x)[ours]
        return
    same(mx.array(x)[ours], want)
    mine = mx.array(x)
    mine[ours] = 100.0
    x[tuple(key)] = 100.0
    same(mine, x)


@pytest.mark.parametrize("kind", ["array", "numpy", "list", "python"])
def test_every_kind_of_mask(kind: str) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    a = mx.array(x)
    if kind == "python":
        for flag in (True, False):
            same(a[flag], x[flag])
            same(mx.array(5)[flag], np.array(5)[flag])
        return
    mask = [True, False, True]
    wrap: Callable[..., Any] = {"array": mx.array, "numpy": np.array, "list": list}[kind]
    same(a[wrap(mask)], x[mask])
    same(a[1:, wrap([False, True, True, False])], x[1:, [False, True, True, False]])
    same(a[(wrap(mask),)], x[(mask,)])


def test_masks_of_any_layout() -> None:
    x = RNG.standard_normal((6, 5, 4)).astype(np.float32)
    a = mx.array(x)
    same(a[a > 0], x[x > 0])
    same(a.T[a.T > 0], x.T[x.T > 0])
    same(a[::-1, ::2][(a > 0)[::-1, ::2]], x[::-1, ::2][(x > 0)[::-1, ::2]])
    same(a[a[:, :, 0] > 0], x[x[:, :, 0] > 0])
    same(a.transpose(1, 0, 2)[a[:, :, 1].T > 0], x.transpose(1, 0, 2)[x[:, :, 1].T > 0])
    same(mx.zeros((0, 3))[mx.zeros((0,), mx.bool_)], np.zeros((0, 3)))


def test_masks_have_gradients() -> None:
    x = mx.array([[1.0, -2.0], [3.0, -4.0]])

    def loss(x: mx.array) -> mx.array:
        return (x[x > 0] ** 2).sum() + x[mx.array([False, True]), 0].sum()

    assert mx.grad(loss)(x).tolist() == [[2, 0], [7, 0]]
    _, (tangent,) = mx.jvp(lambda x: x[x < 0] * 2, [x], [mx.ones((2, 2))])
    assert tangent.tolist() == [2, 2]
    assert mx.grad(mx.grad(lambda v: (v[v > 0] ** 3).sum()))(mx.array(2.0)).item() == 12
    # Masks that are known are constants of what vmap and compile record.
    known = mx.array([True, False, True])
    assert mx.vmap(lambda row: row[known])(mx.arange(6).reshape(2, 3)).tolist() == [[0, 2], [3, 5]]
    assert mx.compile(lambda row: row[known] + 1)(mx.arange(3)).tolist() == [1, 3]


def test_at_with_masks() -> None:
    a = mx.arange(6.0).reshape(2, 3)
    x = np.array(a)
    for mode in ("add", "subtract", "multiply", "divide", "maximum", "minimum"):
        kept = {"add": np.add, "subtract": np.subtract, "divide": np.divide}.get(mode)
        want = np.where(x > 2, (kept or getattr(np, mode))(x, 2), x)
        same(getattr(a.at[a > 2], mode)(2.0), want)
        same(mx.compile(lambda a, m=mode: getattr(a.at[a > 2], m)(2.0))(a), want)
    same(a.at[a > 3].add(mx.array([10.0, 20.0])), x + np.array([[0, 0, 0], [0, 10, 20]]))
    row = a.at[mx.array([False, True])].add(mx.array([1.0, 2.0, 3.0]))
    same(row, x + np.array([[0, 0, 0], [1, 2, 3]]))
    same(a.at[0, mx.array([True, False, True])].add(1.0), x + np.array([[1, 0, 1], [0, 0, 0]]))


# ---- nonzero and its kin -----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 4), (0, 3), (2, 3, 4), (1, 5, 1)])
@pytest.mark.parametrize("dtype", [mx.bool_, mx.int8, mx.float32, mx.bfloat16, mx.complex64])
def test_nonzero_as_numpy(shape: tuple[int, ...], dtype: mx.Dtype) -> None:
    x = RNG.integers(0, 2, shape).astype(np.int8)
    a = mx.array(x).astype(dtype)
    same(mx.flatnonzero(a), np.flatnonzero(x))
    same(mx.argwhere(a), np.argwhere(x))
    wanted = np.nonzero(x) if shape else np.nonzero(np.atleast_1d(x))[:0]
    for got in (mx.nonzero(a), mx.where(a), mx.nonzero(a, size=int(x.sum()))):
        assert isinstance(got, tuple)
        assert len(got) == len(shape)
        for mine, numpys in zip(got, wanted, strict=True):
            assert mine.dtype == mx.int32
            same(mine, numpys)


def test_nonzero_in_a_given_size() -> None:
    a = mx.array([[0, 1], [2, 0]])
    assert [x.tolist() for x in mx.nonzero(a, size=3)] == [[0, 1, 0], [1, 0, 0]]
    assert [x.tolist() for x in mx.nonzero(a, size=1)] == [[0], [1]]
    assert [x.tolist() for x in mx.where(a, size=3, fill_value=(7, -1))] == [[0, 1, 7], [1, 0, -1]]
    assert mx.argwhere(a, size=3, fill_value=9).tolist() == [[0, 1], [1, 0], [9, 9]]
    assert mx.flatnonzero(a, size=4, fill_value=mx.array(-5)).tolist() == [1, 2, -5, -5]
    assert mx.flatnonzero(a, size=0).tolist() == []
    assert mx.argwhere(mx.array(3)).shape == (1, 0)


def test_sizes_make_shapes_known_to_vmap_and_compile() -> None:
    a = mx.array([[0, 1, 2], [3, 0, 0]])
    places = mx.vmap(lambda row: mx.flatnonzero(row, size=2, fill_value=-1))(a)
    assert places.tolist() == [[1, 2], [0, -1]]
    rows = mx.vmap(lambda row: mx.argwhere(row.reshape(3, 1), size=2))(a)
    assert rows.tolist() == [[[1, 0], [2, 0]], [[0, 0], [0, 0]]]
    compiled = mx.compile(lambda a: mx.nonzero(a, size=3))
    assert [x.tolist() for x in compiled(a)] == [[0, 0, 1], [1, 2, 0]]
    assert [x.tolist() for x in compiled(a.T == 3)] == [[0, 0, 0], [1, 0, 0]]
    kept = mx.compile(lambda a: a[mx.nonzero(a > 0, size=3)])
    assert kept(a).tolist() == [1, 2, 3]


READERS: list[tuple[str, Callable[[mx.array], Any], str]] = [
    ("mask", lambda a: a[a > 0], r"\[index\].*mx.nonzero\(mask, size=n\)"),
    ("mask_in_mix", lambda a: a[a > 0, None], r"\[index\].*mx.nonzero\(mask, size=n\)"),
    ("nonzero", mx.nonzero, r"\[nonzero\].*nonzero\(a, size=n\)"),
    ("where", mx.where, r"\[where\].*where\(a, size=n\)"),
    ("argwhere", mx.argwhere, r"\[argwhere\].*argwhere\(a, size=n\)"),
    ("flatnonzero", mx.flatnonzero, r"\[flatnonzero\].*flatnonzero\(a, size=n\)"),
    ("unique", mx.unique, r"\[unique\].*unique\(a, size=n\)"),
]


@pytest.mark.parametrize(("name", "read", "message"), READERS, ids=[case[0] for case in READERS])
def test_without_a_size_they_need_values(
    name: str, read: Callable[[mx.array], Any], message: str
) -> None:
    a = mx.array([1.0, 0.0, 2.0, 2.0])
    for wrapped in (mx.compile(read), mx.compile(read, shapeless=True), mx.vmap(read)):
        with pytest.raises(ValueError, match=message):
            wrapped(a[None])
    inside: list[Any] = []

    def loss(a: mx.array) -> mx.array:
        inside.append(read(a))
        return a.sum()

    mx.grad(loss)(a)  # a traced value may be read
    got = inside[0] if isinstance(inside[0], tuple) else (inside[0],)
    alone = read(a)
    for mine, want in zip(got, alone if isinstance(alone, tuple) else (alone,), strict=True):
        assert mine.tolist() == want.tolist()


def test_errors() -> None:
    a = mx.array([[0, 1], [2, 0]])
    with pytest.raises(ValueError, match=r"A mask of shape \(3,\) does not fit the leading axes"):
        a[mx.array([True, False, True])]
    with pytest.raises(ValueError, match=r"A mask of shape \(3,\) does not fit axis 1"):
        a[:, mx.array([True, False, True])]
    with pytest.raises(ValueError, match="3 indices are too many"):
        a[0, mx.array([[True, False], [False, False]])]
    with pytest.raises(ValueError, match="can only stand alone"):
        a[True, 0]
    with pytest.raises(ValueError, match=r"\[nonzero\] size is -1"):
        mx.nonzero(a, size=-1)
    with pytest.raises(TypeError, match=r"\[nonzero\] size is float"):
        mx.nonzero(a, size=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="fill_value has 3 numbers for 2 dimensions"):
        mx.nonzero(a, size=1, fill_value=(1, 2, 3))
    with pytest.raises(ValueError, match=r"fill_value has shape \(2,\)"):
        mx.flatnonzero(a, size=1, fill_value=mx.array([1, 2]))
    with pytest.raises(TypeError, match="list, not an array"):
        mx.nonzero([1, 2])  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        mx.where(a, a)  # type: ignore[call-overload]


def test_unique_without_a_size() -> None:
    x = RNG.integers(-9, 9, (5, 7))
    want = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    got = mx.unique(mx.array(x), None, True, True, True)
    for mine, numpys in zip(got, want, strict=True):
        np.testing.assert_array_equal(np.array(mine).ravel(), np.asarray(numpys).ravel())
    same(mx.unique(mx.array(x)), np.unique(x))
    assert mx.unique(mx.array([])).shape == (0,)
    assert mx.unique(mx.array([2.0, float("nan"), 2.0])).shape == (2,)
    assert mx.grad(lambda v: (mx.unique(v) * mx.array([1.0, 10.0])).sum())(
        mx.array([5.0, 3.0, 5.0])
    ).tolist() == [10, 1, 0]
