"""Reading, assigning and updating by index: golden answers, NumPy on random keys, transforms."""

from __future__ import annotations

import random
from typing import Any

import golden_codec
import golden_deviations
import mlx.core as mx
import numpy as np
import pytest

# Of the topic "indexing", what is about methods, keywords and streams belongs to other tests.
OTHER = ("__array_namespace__", "mx.exp(", "mx.add(", "mx.sum(")
CASES = [
    (topic, code)
    for topic in ("indexing", "index_mixes")
    for code in golden_codec.load(topic)
    if not any(text in code for text in OTHER) and code not in golden_deviations.INDEXING
]


@pytest.mark.parametrize(("topic", "code"), CASES)
def test_golden(topic: str, code: str) -> None:
    want = golden_codec.load(topic)[code]
    got = golden_codec.answer(code, mx, np)
    assert golden_codec.matches(got, want), f"{got} is not {want}"


@pytest.mark.parametrize("code", golden_deviations.INDEXING)
def test_deviations_differ(code: str) -> None:
    want = golden_codec.load("indexing")[code]
    assert not golden_codec.matches(golden_codec.answer(code, mx, np), want)


# ---- random keys against NumPy -----------------------------------------------------------------


def _slice(rng: random.Random, size: int) -> slice:
    def bound() -> int | None:
        return rng.choice([None, rng.randint(-size - 2, size + 2)])

    return slice(bound(), bound(), rng.choice([None, 1, 1, 2, 3, -1, -2]))


def _key(rng: random.Random, shape: tuple[int, ...], arrays: bool, integers: bool) -> tuple:
    """A random key of NumPy arrays, integers, slices, None and an Ellipsis."""
    index_shape = rng.choice([(), (3,), (2, 3), (1,), (0,)])
    entries: list[Any] = []
    used = rng.randint(0, len(shape))
    ellipsis_at = rng.choice([None, rng.randint(0, used)])
    axes = list(range(used))
    if ellipsis_at is not None:
        axes = [*range(ellipsis_at), *range(len(shape) - used + ellipsis_at, len(shape))]
    for place, axis in enumerate(axes):
        if place == ellipsis_at:
            entries.append(...)
        if rng.random() < 0.15:
            entries.append(None)
        size = shape[axis]
        kind = rng.random()
        if kind < 0.3 and integers and size:
            entries.append(rng.randint(-size, size - 1))
        elif kind < 0.65 and arrays and size:
            kept = [n if rng.random() < 0.8 else 1 for n in index_shape]
            values = [rng.randint(-size, size - 1) for _ in range(int(np.prod(kept)))]
            entries.append(np.array(values, np.int32).reshape(kept))
        else:
            entries.append(_slice(rng, size))
    return tuple(entries)


def _ours(key: tuple) -> tuple:
    return tuple(mx.array(e) if isinstance(e, np.ndarray) else e for e in key)


def _shape(rng: random.Random) -> tuple[int, ...]:
    return tuple(rng.choice([1, 2, 3, 4, 5]) for _ in range(rng.randint(1, 4)))


def _separates_nothing(key: tuple, ndim: int) -> bool:
    """Whether an Ellipsis stands for no axis: in NumPy it separates arrays, in MLX it does not."""
    return ... in [e for e in key if not isinstance(e, np.ndarray)] and ndim == sum(
        e is not None and e is not Ellipsis for e in key
    )


@pytest.mark.parametrize("seed", range(300))
def test_reads_as_numpy(seed: int) -> None:
    rng = random.Random(seed)
    shape = _shape(rng)
    key = _key(rng, shape, arrays=seed % 3 > 0, integers=True)
    if _separates_nothing(key, len(shape)):
        key = tuple(e for e in key if e is not Ellipsis)
    x = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)
    got, want = mx.array(x)[_ours(key)], x[key]
    assert got.shape == want.shape, key
    np.testing.assert_array_equal(np.array(got), want, err_msg=str(key))


@pytest.mark.parametrize("seed", range(300))
def test_assigns_as_numpy(seed: int) -> None:
    """Values fill the selection where no integer stands beside an array; else they are scalars."""
    rng = random.Random(seed)
    shape = _shape(rng)
    arrays = seed % 3 > 0
    key = _key(rng, shape, arrays=arrays, integers=not arrays or seed % 2 == 0)
    if _separates_nothing(key, len(shape)):
        key = tuple(e for e in key if e is not Ellipsis)
    x = np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape)
    ours = mx.array(x)
    view = ours[...]
    selected = x[key]
    with_integers = any(isinstance(e, int) for e in key)
    has_arrays = any(isinstance(e, np.ndarray) for e in key)
    if with_integers and has_arrays:
        value = np.array(1000, np.int32)
    else:
        value = np.arange(selected.size, dtype=np.int32).reshape(selected.shape) + 1000
        if selected.ndim and rng.random() < 0.3:
            value = value[..., :1]
    before = x.copy()
    x[key] = value
    ours[_ours(key)] = mx.array(value)
    np.testing.assert_array_equal(np.array(ours), x, err_msg=str(key))
    np.testing.assert_array_equal(np.array(view), before)


@pytest.mark.parametrize("mode", ["add", "subtract", "multiply", "maximum", "minimum"])
@pytest.mark.parametrize("seed", range(40))
def test_at_counts_repeated_indices(mode: str, seed: int) -> None:
    rng = random.Random(seed)
    shape = _shape(rng)
    key = _key(rng, shape, arrays=True, integers=True)
    if _separates_nothing(key, len(shape)):
        key = tuple(e for e in key if e is not Ellipsis)
    x = np.arange(int(np.prod(shape)), dtype=np.float64).reshape(shape)
    got = getattr(mx.array(x, mx.float32).at[_ours(key)], mode)(2.0)
    want = x.copy()
    getattr(np, mode).at(want, key, 2.0)
    np.testing.assert_array_equal(np.array(got), want)


# ---- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (3, IndexError, r"Index 3 is out of range for axis 0 of size 3\."),
        (-4, IndexError, r"Index -4 is out of range for axis 0 of size 3\."),
        ((0, 5), IndexError, r"Index 5 is out of range for axis 1 of size 4\."),
        ((0, 0, 0), ValueError, r"3 indices are too many for the shape \(3, 4\)\."),
        ((..., ...), ValueError, "More than one Ellipsis"),
        (slice(0, 2, 0), ValueError, "The step of a slice is zero"),
        (slice(1.5, 2), ValueError, "A bound of a slice is float"),
        (1.5, ValueError, "An index is float"),
        (np.array([0]), ValueError, "An index is ndarray"),
        (mx.array([0.5]), ValueError, "are neither integers nor bool"),
        ([True, False], ValueError, r"A mask of shape \(2,\) does not fit the leading axes"),
        ((mx.array([0, 1]), mx.array([0, 1, 2])), ValueError, "cannot be broadcast"),
        ((None,) * 40, ValueError, "more than 32 dimensions"),
    ],
)
def test_bad_keys(key: Any, error: type[Exception], message: str) -> None:
    x = mx.zeros((3, 4))
    with pytest.raises(error, match=message):
        x[key]


def test_bad_values() -> None:
    x = mx.zeros((3, 4), mx.uint8)
    with pytest.raises(ValueError, match=r"shape \(3,\) does not fit the selected shape \(4,\)"):
        x[0] = mx.zeros((3,))
    with pytest.raises(TypeError, match="The value is None"):
        x[0] = None
    with pytest.raises(ValueError, match="The value is list"):
        x[0] = [1, 2, 3, 4]
    with pytest.raises(IndexError, match="Index 3 is out of range"):
        x[3] = 1
    assert not x.any()


def test_indices_out_of_range_touch_nothing() -> None:
    x = mx.arange(4)
    far = mx.array([-100, 2, 100])
    assert x[far].tolist() == [0, 2, 3]
    x[far] = 9
    assert x.tolist() == [0, 1, 9, 3]


# ---- masks -------------------------------------------------------------------------------------


def test_masks() -> None:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for mask in (x > 5, np.array([True, False]), np.array([[True, False, True], [False] * 3])):
        rows = x[mask]
        for value in (np.float32(7), -rows, -rows[:1] if rows.ndim > 1 else np.float32(1)):
            want, ours = x.copy(), mx.array(x)
            want[mask] = value
            ours[mx.array(mask)] = mx.array(value)
            np.testing.assert_array_equal(np.array(ours), want)
    ours = mx.array(x)
    ours[np.array([False, True])] = 0
    assert ours[0].tolist() == x[0].tolist()
    assert not ours[1].any()
    ours[False] = 5
    assert not ours[1].any()


def test_too_few_values_for_a_mask() -> None:
    x = mx.arange(6)
    x[x > 1] = mx.array([7, 8])
    with pytest.raises(ValueError, match="selects more rows than there are values"):
        mx.eval(x)


def test_mask_gradient_and_vmap() -> None:
    mask = mx.array([[True, False, True], [False, True, True]])
    x, v = mx.zeros((2, 3)), mx.arange(1.0, 5.0)

    def assigned(x: mx.array, v: mx.array) -> mx.array:
        x[mask] = v
        return x

    weights = mx.arange(6.0).reshape(2, 3)
    gx, gv = mx.grad(lambda x, v: (assigned(x, v) * weights).sum(), argnums=(0, 1))(x, v)
    assert gx.tolist() == [[0, 1, 0], [3, 0, 0]]
    assert gv.tolist() == [0, 2, 4, 5]

    def row(x: mx.array, m: mx.array, v: mx.array) -> mx.array:
        x[m] = v
        return x

    values = mx.array([[1.0, 2.0], [3.0, 4.0]])
    assert mx.vmap(row)(x, mask, values).tolist() == [[1, 0, 2], [0, 3, 4]]


# ---- handles -----------------------------------------------------------------------------------


def test_assignment_binds_the_handle() -> None:
    x = mx.zeros((3,))
    alias, everything, other = x, x[:], x[...]
    x[0] = 1
    assert alias is x
    assert alias.tolist() == [1, 0, 0]
    assert everything.tolist() == other.tolist() == [0, 0, 0]
    w = x.at[1].add(0)
    w[0] = 5
    assert x.tolist() == [1, 0, 0]


# ---- gradients and vmap ------------------------------------------------------------------------

KEYS: list[Any] = [
    1,
    (slice(None), 2),
    (slice(None, None, -2), slice(1, 3)),
    mx.array([2, 0, 2]),
    (slice(None), mx.array([[0, 3], [3, 1]])),
    (mx.array([0, 2]), mx.array([1, 1])),
    (0, mx.array([1, 1])),
    (slice(0, 2), mx.array([3, 0])),
    (None, mx.array([1]), None, 0),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_gradients(key: Any) -> None:
    x = mx.arange(12.0).reshape(3, 4)
    selected = x[key]
    weights = mx.arange(1.0, selected.size + 1).reshape(selected.shape)
    got = mx.grad(lambda x: (x[key] * weights).sum())(x)
    want = np.zeros((3, 4), np.float32)
    plain = key if isinstance(key, tuple) else (key,)
    np.add.at(
        want, tuple(np.array(e) if isinstance(e, mx.array) else e for e in plain), np.array(weights)
    )
    np.testing.assert_array_equal(np.array(got), want)
    # jvp is the read of the tangent, vjp its transpose
    (out,), (tangent,) = mx.jvp(lambda x: x[key], [x], [x * 2])
    assert mx.array_equal(tangent, out * 2)


@pytest.mark.parametrize("mode", ["add", "subtract", "multiply", "divide", "maximum", "minimum"])
def test_update_gradients_by_finite_differences(mode: str) -> None:
    x = mx.array([[1.5, -2.0, 3.0], [0.5, 4.0, -1.0]])
    v = mx.array([0.7, -1.3, 2.1])
    index = mx.array([0, 1, 1])

    def f(x: mx.array, v: mx.array) -> mx.array:
        out = getattr(x.at[index, mx.array([2, 0, 1])], mode)(v)
        return (out * mx.arange(1.0, 7.0).reshape(2, 3)).sum()

    for argnum, value in ((0, x), (1, v)):
        got = np.array(mx.grad(f, argnums=argnum)(x, v))
        want = np.zeros_like(got)
        for place in np.ndindex(*value.shape):
            step = np.zeros(value.shape, np.float32)
            step[place] = 1e-2
            moved = [x, v]
            moved[argnum] = value + mx.array(step)
            above = f(*moved).item()
            moved[argnum] = value - mx.array(step)
            want[place] = (above - f(*moved).item()) / 2e-2
        np.testing.assert_allclose(got, want, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_vmap_over_the_array(key: Any) -> None:
    x = mx.arange(24.0).reshape(2, 3, 4)
    want = mx.stack([x[i][key] for i in range(2)])
    assert mx.array_equal(mx.vmap(lambda x: x[key])(x), want)
    assert mx.array_equal(mx.vmap(lambda x: x[key], in_axes=2)(x.transpose(1, 2, 0)), want)

    def assigned(x: mx.array) -> mx.array:
        x[key] = 100
        return x.at[key].add(1)

    want = mx.stack([assigned(x[i]) for i in range(2)])
    assert mx.array_equal(mx.vmap(assigned)(x), want)


@pytest.mark.parametrize("batched", [(0, 0), (0, None), (None, 0)])
@pytest.mark.parametrize("form", ["first", "second", "both", "with_slice", "scatter", "take_along"])
def test_vmap_over_indices(batched: tuple[int | None, int | None], form: str) -> None:
    x, index = mx.arange(40.0).reshape(2, 4, 5), mx.array([[0, 3, 1], [2, 2, 0]])

    def f(x: mx.array, i: mx.array) -> mx.array:
        if form == "first":
            return x[i]
        if form == "second":
            return x[:, i]
        if form == "both":
            return x[i, i]
        if form == "with_slice":
            return x[1:, i - 3]
        if form == "scatter":
            return x.at[:, i].add(i * 1.0)
        return mx.take_along_axis(x, i[None], 1)

    args = [x if batched[0] == 0 else x[0], index if batched[1] == 0 else index[0]]
    rows = [[a[n] if b == 0 else a for a, b in zip(args, batched, strict=True)] for n in (0, 1)]
    want = mx.stack([f(*row) for row in rows])
    assert mx.array_equal(mx.vmap(f, in_axes=batched)(*args), want)


def test_compiled_and_shapeless() -> None:
    def f(x: mx.array, i: mx.array) -> mx.array:
        x[i] = 0
        x[1:3] += 1
        return x[::-1][i].sum() + x[0]

    x, i = mx.arange(6.0), mx.array([4, 1])
    want = f(x + 0, i)
    assert mx.array_equal(mx.compile(f)(x, i), want)


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_put_along_axis(axis: int | None) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    index = np.array([[2, 0, 1, 1]]) if axis == 0 else np.array([[3], [0], [-1]])
    values = -np.arange(1.0, index.size + 1, dtype=np.float32).reshape(index.shape)
    want = x.copy()
    np.put_along_axis(
        want,
        index if axis is not None else index.ravel(),
        values if axis is not None else values.ravel(),
        axis,
    )
    got = mx.put_along_axis(mx.array(x), mx.array(index), mx.array(values), axis)
    np.testing.assert_array_equal(np.array(got), want)
    weights = mx.arange(12.0).reshape(3, 4)

    def f(x: mx.array, v: mx.array) -> mx.array:
        return (mx.put_along_axis(x, mx.array(index), v, axis) * weights).sum()

    kept = mx.put_along_axis(weights, mx.array(index), 0, axis)
    assert mx.array_equal(mx.grad(f)(mx.array(x), mx.array(values)), kept)
    taken = mx.take_along_axis(
        weights, mx.array(index).reshape(-1) if axis is None else mx.array(index), axis
    ).reshape(index.shape)
    assert mx.array_equal(mx.grad(f, argnums=1)(mx.array(x), mx.array(values)), taken)


# ---- windows -----------------------------------------------------------------------------------


def test_windows_are_moved_inside() -> None:
    x = mx.arange(5)
    for start, want in ((0, [0, 1]), (3, [3, 4]), (4, [3, 4]), (-1, [3, 4]), (-9, [0, 1])):
        assert mx.slice(x, mx.array(start), 0, (2,)).tolist() == want
        updated = mx.slice_update(x, mx.array([7, 8]), mx.array(start), 0)
        assert mx.slice(updated, mx.array(start), 0, (2,)).tolist() == [7, 8]


@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0)])
def test_windows_in_vmap_and_gradients(axes: tuple[int | None, int | None]) -> None:
    x, starts = mx.arange(40.0).reshape(2, 4, 5), mx.array([[1, 9], [0, -2]])
    args = [x if axes[0] == 0 else x[0], starts if axes[1] == 0 else starts[0]]
    rows = [[a[n] if b == 0 else a for a, b in zip(args, axes, strict=True)] for n in (0, 1)]

    def cut(x: mx.array, s: mx.array) -> mx.array:
        return mx.slice(x, s, (1, 0), (2, 3))

    def put(x: mx.array, s: mx.array) -> mx.array:
        return mx.slice_update(x, x[:2, :3] * -1, s, (1, 0))

    for f in (cut, put):
        want = mx.stack([f(*row) for row in rows])
        assert mx.array_equal(mx.vmap(f, in_axes=axes)(*args), want)
    gradient = mx.grad(lambda x: (cut(x, starts[0]) ** 2).sum())(x[0])
    window = cut(x[0], starts[0])
    want = mx.slice_update(mx.zeros((4, 5)), 2 * window, starts[0], (1, 0))
    assert mx.array_equal(gradient, want)


def test_window_errors() -> None:
    x = mx.zeros((3, 4))
    with pytest.raises(ValueError, match="not one for each of 2 axes"):
        mx.slice(x, mx.array(0), (0, 1), (1, 1))
    with pytest.raises(ValueError, match="An axis is given twice"):
        mx.slice(x, mx.array([0, 0]), (0, 0), (1, 1))
    for a, axes in ((mx.array(1), (0,)), (mx.arange(3), (0, 1))):
        with pytest.raises(ValueError, match=r"\[slice_update\] . axes are more than shape"):
            mx.slice_update(a, mx.array(1), mx.zeros((len(axes),), mx.int32), axes)
    with pytest.raises(ValueError, match="does not fit the shape"):
        mx.slice_update(x, mx.zeros((1, 3, 4)), mx.array(0), 0)


def test_an_empty_axis_has_elements_for_an_empty_result() -> None:
    x, one = mx.zeros((2, 0, 3)), mx.array([1])
    assert x[:0, one].shape == (0, 1, 3)
    assert x[:, one, 3:].shape == (2, 1, 0)
    assert x[:0, one[:0]].shape == (0, 0, 3)
    assert x[:0, one, one].shape == (0, 1)
    assert mx.grad(lambda a: a[:0, one].sum())(x).shape == x.shape
    y = mx.zeros((2, 0, 3))
    y[:0, one] = 5
    assert y.shape == (2, 0, 3)
    for key in ((slice(None), one), (slice(None), one, 0), (0, one)):
        with pytest.raises(ValueError, match=r"\[index\] Axis 1 of shape \(2, 0, 3\) is empty"):
            x[key]


def test_what_is_subtracted_from_bools_is_added() -> None:
    x = mx.array([True, False, False])
    for key in (mx.array([0, 1]), slice(0, 2)):
        assert x.at[key].subtract(1).tolist() == [True, True, False]
        assert x.at[key].subtract(mx.array([0.0, 2.0])).tolist() == [True, True, False]
        assert x.at[key].subtract(0).tolist() == [True, False, False]
    assert x.at[mx.array([True, False, True])].subtract(1).tolist() == [True, False, True]


def test_numbers_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r"\[index\] the Python int 300 does not fit uint8"):
        mx.zeros((2,), mx.uint8).at[0].add(300)
