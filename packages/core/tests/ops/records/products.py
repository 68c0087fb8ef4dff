"""Records of matrix products and softmax."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
from cases import FLOATS, INEXACT, REAL, Case, Spec, as_float, case


def _softmax(x: np.ndarray, axis: Any) -> np.ndarray:
    x = as_float(x)
    e = np.exp(x - x.real.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


# ---- products by index -------------------------------------------------------------------------

LEFT, RIGHT = np.array([[2, 0, 1], [1, 1, 3]]), np.array([1, 0, 1])


def _gather(name: str, m: int, k: int, n: int, left: Any = LEFT, right: Any = RIGHT) -> Case:
    """Four matrices on the left, in two batch axes, and two on the right."""

    def call(a: mx.array, b: mx.array) -> mx.array:
        indices = [None if i is None else mx.array(i) for i in (left, right)]
        return mx.gather_mm(a, b, *indices)

    def reference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = a.reshape(-1, m, k), b.reshape(-1, k, n)
        i = np.arange(4).reshape(2, 2) if left is None else left
        j = np.arange(2) if right is None else right
        return a[i] @ b[j]

    specs = Spec((2, 2, m, k)), Spec((2, k, n))
    return case(name, *specs, dtypes=FLOATS, call=call, reference=reference)


MASKS = {
    "mask_out": np.array([[1, 0], [0.5, 2]]),
    "mask_lhs": np.array([[0, 2, 1], [1, 1, 0.25]]),
    "mask_rhs": np.array([[1, 1], [0, 3], [1, 0]]),
}


def _blocks(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return np.kron(mask, np.ones((32, 32)))[: shape[0], : shape[1]]


def _block_masked(name: str, *masks: str, dtype: Any = mx.bool_) -> Case:
    """A product of 33 x 70 and 70 x 40 elements, with those masks."""

    def call(a: mx.array, b: mx.array) -> mx.array:
        chosen = {key: mx.array(MASKS[key], mx.float32).astype(dtype) for key in masks}
        return mx.block_masked_mm(a, b, 32, **chosen)

    def reference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        def over(key: str, shape: tuple[int, int]) -> Any:
            mask = MASKS[key] != 0 if dtype == mx.bool_ else MASKS[key]
            return _blocks(mask, shape) if key in masks else 1.0

        product = (over("mask_lhs", (33, 70)) * a) @ (over("mask_rhs", (70, 40)) * b)
        return over("mask_out", (33, 40)) * product

    specs = Spec((33, 70), -0.5, 0.5), Spec((70, 40), -0.5, 0.5)
    return case(name, *specs, dtypes=FLOATS, call=call, reference=reference)


SEGMENTS = np.array([[0, 2], [1, 5], [3, 3], [4, 2], [2, 5]], np.int32)


def _segmented(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.stack([a[:, i:j] @ b[i : max(i, j)] if j > i else 0 * (a @ b) for i, j in SEGMENTS])


RECORDS = [
    _gather("gather_mm", 3, 4, 2),
    _gather("gather_mm.vectors", 1, 5, 3),
    _gather("gather_mm.tall", 18, 2, 3),
    _gather("gather_mm.deep", 17, 18, 1),
    _gather("gather_mm.all_left", 2, 3, 4, None, np.array([0, -1])),
    _gather("gather_mm.all_right", 2, 3, 4, np.array([[3], [-1]]), None),
    _gather("gather_mm.both", 2, 3, 4, None, None),
    _block_masked("block_masked_mm", "mask_out"),
    _block_masked("block_masked_mm.factors", "mask_lhs"),
    _block_masked("block_masked_mm.every", *MASKS),
    _block_masked("block_masked_mm.numbers", *MASKS, dtype=mx.float32),
    _block_masked("block_masked_mm.none"),
    case(
        "segmented_mm",
        Spec((3, 5)),
        Spec((5, 2)),
        dtypes=FLOATS,
        call=lambda a, b: mx.segmented_mm(a, b, mx.array(SEGMENTS)),
        reference=_segmented,
    ),
    case(
        "segmented_mm.thin",
        Spec((1, 5)),
        Spec((5, 1)),
        dtypes=FLOATS,
        call=lambda a, b: mx.segmented_mm(a, b, mx.array(SEGMENTS)),
        reference=_segmented,
    ),
    case(
        "segmented_mm.shaped",
        Spec((3, 5)),
        Spec((5, 2)),
        dtypes=FLOATS,
        call=lambda a, b: mx.segmented_mm(a, b, mx.array(SEGMENTS[:4].reshape(2, 2, 2))),
        reference=lambda a, b: _segmented(a, b)[:4].reshape(2, 2, 3, 2),
    ),
    case("matmul", Spec((3, 4)), Spec((4, 2)), dtypes=INEXACT),
    case("matmul.batched", Spec((2, 1, 3, 4)), Spec((5, 4, 2)), dtypes=INEXACT),
    case("matmul.vector", Spec((3, 4)), Spec((4,)), dtypes=INEXACT),
    case("matmul.dot", Spec((4,)), Spec((4,)), dtypes=INEXACT),
    case("matmul.rows", Spec((2, 3, 4)), Spec((4, 2)), dtypes=INEXACT),
    case(
        "addmm",
        Spec((2,)),
        Spec((3, 4)),
        Spec((4, 2)),
        dtypes=INEXACT,
        call=lambda c, a, b: mx.addmm(c, a, b, 0.5, 2.0),
        reference=lambda c, a, b: 0.5 * a @ b + 2 * c,
    ),
    case(
        "addmm.bias",
        Spec((2,)),
        Spec((3, 2, 4)),
        Spec((4, 2)),
        dtypes=INEXACT,
        call=lambda c, a, b: mx.addmm(c, a, b, 0.5, 2.0),
        reference=lambda c, a, b: 0.5 * a @ b + 2 * c,
    ),
    case(
        "addmm.rows",
        Spec((3, 1)),
        Spec((2, 3, 4)),
        Spec((4, 2)),
        dtypes=INEXACT,
        call=lambda c, a, b: mx.addmm(c, a, b, 0.5, 2.0),
        reference=lambda c, a, b: 0.5 * a @ b + 2 * c,
    ),
    case("inner", Spec((3, 4)), Spec((2, 4)), dtypes=INEXACT),
    case("outer", Spec((3, 2)), Spec((4,))),
    case(
        "tensordot",
        Spec((2, 3, 4)),
        Spec((4, 3)),
        dtypes=INEXACT,
        call=lambda a, b: mx.tensordot(a, b, ((1, 2), (1, 0))),
        reference=lambda a, b: np.tensordot(a, b, ((1, 2), (1, 0))),
    ),
    case(
        "vecdot",
        Spec((3, 4)),
        Spec((4,)),
        dtypes=INEXACT,
        reference=lambda a, b: (np.conj(a) * b).sum(-1),
    ),
    case(
        "softmax",
        Spec((3, 4)),
        call=lambda x: mx.softmax(x, -1),
        reference=lambda x: _softmax(x, -1),
        dtypes=REAL,
    ),
    case(
        "softmax.axes",
        Spec((2, 3, 4)),
        call=lambda x: mx.softmax(x, (0, 2)),
        reference=lambda x: _softmax(x, (0, 2)),
        dtypes=REAL,
    ),
]
