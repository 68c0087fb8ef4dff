"""einsum and einsum_path: against NumPy, with gradients, vmap and compile."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

SIZES = {"a": 2, "b": 3, "c": 4, "d": 5, "e": 1}
EQUATIONS = [
    "ab->ba", "ab->", "aa->a", "aa", "aab->b", "abab->ba", "ab,bc", "ab,bc->ca", "ab,ab->ab",
    "ab,ab->", "ab,cd->dacb", "abc,abd->acd", "abc,bad->acd", "abc,cbd->ad", "a,b->ba", "a,a",
    "ab,bc,cd->ad", "ab,bc,cd,da->", "ab,bc,ac->b", "abc,bcd,cda->dab", "ae,eb->ab", "ab,b,a,c->c",
    "aab,bcc->ac", "abcd,dcba->", ",ab->ba", "dca", "a,b,c,d,a,b,c->d", "ab,b,bc,c,cd,d,da->a",
]  # fmt: skip


def _operands(equation: str) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    terms = equation.split("->")[0].split(",")
    return [rng.standard_normal([SIZES[x] for x in term]).astype(np.float32) for term in terms]


@pytest.mark.parametrize("equation", EQUATIONS)
def test_agrees_with_numpy_eager_compiled_and_batched(equation: str) -> None:
    plain = _operands(equation)
    arrays = [mx.array(x) for x in plain]
    want = np.einsum(equation, *plain)
    got = mx.einsum(equation, *arrays)
    np.testing.assert_allclose(np.array(got), want, rtol=1e-4, atol=1e-4)
    compiled = mx.compile(lambda *xs: mx.einsum(equation, *xs))(*arrays)
    np.testing.assert_allclose(np.array(compiled), np.array(got), rtol=1e-5, atol=1e-5)
    stacked = [mx.stack([x, 2 * x]) for x in arrays]
    rows = mx.vmap(lambda *xs: mx.einsum(equation, *xs))(*stacked)
    scale = 2 ** len(arrays)
    np.testing.assert_allclose(np.array(rows[1]), scale * want, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("equation", EQUATIONS)
def test_gradient_is_that_of_a_multilinear_function(equation: str) -> None:
    # Linear in each operand: <gradient, direction> is the function at the direction.
    arrays = [mx.array(x.astype(np.float64), mx.float64) for x in _operands(equation)]
    weight = mx.cos(mx.einsum(equation, *arrays))
    places = tuple(range(len(arrays)))
    grads = mx.grad(lambda *xs: mx.sum(weight * mx.einsum(equation, *xs)), argnums=places)(*arrays)
    grads = grads if isinstance(grads, tuple) else (grads,)
    for place, grad in enumerate(grads):
        direction = mx.sin(arrays[place] * 7)
        moved = [direction if k == place else x for k, x in enumerate(arrays)]
        want = mx.sum(weight * mx.einsum(equation, *moved)).item()
        assert mx.sum(grad * direction).item() == pytest.approx(want, rel=1e-9, abs=1e-9)


def test_random_equations_agree_with_numpy() -> None:
    rng = np.random.default_rng(11)
    for _ in range(150):
        terms = [
            "".join(rng.choice(list("abcde"), rng.integers(0, 4)))
            for _ in range(rng.integers(1, 5))
        ]
        letters = sorted(set("".join(terms)))
        output = "".join(rng.permutation(letters)[: rng.integers(0, len(letters) + 1)])
        equation = ",".join(terms) + "->" + output
        plain = _operands(equation)
        got = mx.einsum(equation, *[mx.array(x) for x in plain])
        want = np.einsum(equation, *plain)
        np.testing.assert_allclose(np.array(got), want, rtol=1e-3, atol=1e-3, err_msg=equation)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("...ij,...jk", [(7, 2, 3), (5, 1, 3, 4)]),
        ("...ij,...jk->i...k", [(7, 2, 3), (5, 1, 3, 4)]),
        ("i...,...k", [(2, 3), (3, 4)]),
        ("...->...", [(2, 3)]),
        ("...i->i...", [(2, 3)]),
        ("i...i->...", [(3, 2, 3)]),
        ("ij,ij->ij", [(2, 1), (2, 4)]),
        ("ij,jk", [(2, 1), (3, 4)]),
        ("ij,jk", [(2, 0), (0, 4)]),
        (" i j , j k -> i k ", [(2, 3), (3, 4)]),
        ("BA", [(2, 3)]),
    ],
)
def test_ellipsis_broadcasting_and_empty(equation: str, shapes: list[tuple[int, ...]]) -> None:
    rng = np.random.default_rng(2)
    plain = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    got = np.array(mx.einsum(equation, *[mx.array(x) for x in plain]))
    np.testing.assert_allclose(got, np.einsum(equation, *plain), rtol=1e-4, atol=1e-5)


def test_dtypes() -> None:
    half, whole = mx.ones((2, 3), mx.float16), mx.ones((3, 2), mx.int32)
    assert mx.einsum("ij,jk", half, whole).dtype == mx.float16
    assert mx.einsum("ij,jk->ijk", whole, whole[:2]).dtype == mx.int32
    assert mx.einsum("ij->", mx.ones((2, 2), mx.int8)).dtype == mx.int32
    z = mx.array([1 + 2j, 3j])
    assert mx.einsum("i,i", z, z).item() == (1 + 2j) ** 2 - 9


def test_path() -> None:
    a, b, c = mx.ones((2, 3)), mx.ones((3, 4)), mx.ones((4, 5))
    path, text = mx.einsum_path("ij,jk,kl", a, b, c)
    assert path == [(0, 1), (0, 1)]
    assert text == (
        "  Complete contraction:  ij,jk,kl\n"
        "         Naive scaling:  4\n"
        "     Optimized scaling:  3\n"
        "      Naive FLOP count:  360\n"
        "  Optimized FLOP count:  128\n"
    )
    assert mx.einsum_path("ij", a)[0] == [(0,)]
    assert mx.einsum_path("ij,jk", a, b)[0] == [(0, 1)]


def test_products_are_of_the_promoted_dtype() -> None:
    """Whatever comes first, nothing is rounded to bfloat16 where the result is float32."""
    rng = np.random.default_rng(7)
    a, b, c = (mx.array(rng.standard_normal(s, np.float32)) for s in ((8, 9), (9, 5), (5, 2)))
    low = [a.astype(mx.float16), b.astype(mx.bfloat16), c.astype(mx.bfloat16)]
    got = mx.einsum("ij,jk,kl->il", *low)
    wide = [np.array(x.astype(mx.float32)) for x in low]
    assert got.dtype == mx.float32
    np.testing.assert_allclose(np.array(got), wide[0] @ wide[1] @ wide[2], 1e-5, 1e-5)


@pytest.mark.parametrize(
    ("equation", "shapes", "message"),
    [
        ("ij,jk->ikz", [(2, 3), (3, 4)], "output's subscript 'z' is in no operand"),
        ("ij,jk->iki", [(2, 3), (3, 4)], "has the subscript 'i' twice"),
        ("ij,jk", [(2, 3)], "subscripts for 2 operands, and 1 are given"),
        ("ij,jk", [(2, 3), (4, 5)], "size 4 in operand 1 of shape \\(4, 5\\) and 3"),
        ("ijk", [(2, 3)], "Operand 0 has 2 dimensions"),
        ("i!", [(2, 3)], "A subscript is '!'"),
        ("ij->j->i", [(2, 3)], "A subscript is '-'"),
        ("i....j", [(2, 3)], "A subscript is '.'"),
        ("ii", [(2, 1)], "sizes 2 and 1"),
    ],
)
def test_errors(equation: str, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mx.einsum(equation, *[mx.ones(shape) for shape in shapes])


def test_errors_of_kind() -> None:
    with pytest.raises(ValueError, match="no operands"):
        mx.einsum("ij")
    with pytest.raises(TypeError, match="not a string"):
        mx.einsum(mx.ones(2))
    with pytest.raises(ValueError, match="not inexact"):
        mx.einsum("i,i", mx.ones(3, mx.int32), mx.ones(3, mx.int32))
