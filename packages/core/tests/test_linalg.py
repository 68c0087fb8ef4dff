"""mx.linalg beyond its records: layouts, batches, errors at evaluation, several outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

L = mx.linalg
RNG = np.random.default_rng(0)
A = RNG.standard_normal((2, 3, 6, 6)) + 5 * np.eye(6)
DTYPES = ("float32", "float64", "complex64")


def close(got: Any, want: Any, tolerance: float = 1e-4) -> None:
    np.testing.assert_allclose(np.array(got), want, rtol=tolerance, atol=tolerance)


def adjoint(x: np.ndarray) -> np.ndarray:
    return np.swapaxes(x, -1, -2).conj()


# ---- values ------------------------------------------------------------------------------------

LAYOUTS: dict[str, Callable[[mx.array], mx.array]] = {
    "transposed": lambda x: mx.swapaxes(mx.contiguous(mx.swapaxes(x, -1, -2)), -1, -2),
    "reversed": lambda x: x[..., ::-1, ::-1][..., ::-1, ::-1],
    "sliced": lambda x: mx.repeat(mx.repeat(x, 2, -1), 2, -2)[..., ::2, ::2],
    "batch last": lambda x: mx.moveaxis(mx.contiguous(mx.moveaxis(x, 0, -1)), -1, 0),
}
CALLS: dict[str, Callable[[mx.array], Any]] = {
    "inv": L.inv,
    "tri_inv": L.tri_inv,
    "tri_inv upper": lambda x: L.tri_inv(x, True),
    "cholesky": lambda x: L.cholesky(x + mx.swapaxes(x, -1, -2)),
    "pinv": L.pinv,
    "solve": lambda x: L.solve(x, x + 1),
    "solve_triangular": lambda x: L.solve_triangular(x, x + 1),
    "det": L.det,
    "slogdet": L.slogdet,
    "lu": L.lu,
    "lu_factor": L.lu_factor,
    "qr": L.qr,
    "eigh": L.eigh,
    "eigvalsh": lambda x: L.eigvalsh(x, "U"),
    "eig": L.eig,
    "eigvals": L.eigvals,
    "svd": L.svd,
    "svdvals": lambda x: L.svd(x, compute_uv=False),
    "norm": lambda x: L.norm(x, 2, (-2, -1)),
}


def outputs(result: Any) -> list[np.ndarray]:
    return [np.array(x) for x in (result if isinstance(result, tuple) else (result,))]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CALLS)
def test_layouts(name: str, layout: str) -> None:
    """Every layout gives the same bits, and leaves its input alone."""
    x = mx.array(A.astype("float32"))
    for got, want in zip(
        outputs(CALLS[name](LAYOUTS[layout](x))), outputs(CALLS[name](x)), strict=True
    ):
        np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.array(x), A.astype("float32"))


@pytest.mark.parametrize("name", CALLS)
def test_batches_are_loops(name: str) -> None:
    whole = outputs(CALLS[name](mx.array(A.astype("float32"))))
    for i in range(2):
        for j in range(3):
            one = outputs(CALLS[name](mx.array(A[i, j].astype("float32"))))
            for got, want in zip(whole, one, strict=True):
                np.testing.assert_array_equal(got[i, j], want)


@pytest.mark.parametrize("name", CALLS)
def test_streams(name: str) -> None:
    x = mx.array(A.astype("float32"))
    with mx.stream(mx.cpu):
        on_cpu = outputs(CALLS[name](x))
    for got, want in zip(on_cpu, outputs(CALLS[name](x)), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [150, 300])
def test_large_matrices(dtype: str, n: int) -> None:
    a = RNG.standard_normal((n, n)) + 3 * np.sqrt(n) * np.eye(n)
    a = (a + 1j * RNG.standard_normal((n, n)) if dtype == "complex64" else a).astype(dtype)
    x = mx.array(a, getattr(mx, dtype))
    tolerance = 1e-10 if dtype == "float64" else 3e-4
    b = RNG.standard_normal((n, 200)).astype(a.real.dtype)
    right = mx.array(b, getattr(mx, b.dtype.name))
    definite = a @ adjoint(a)
    square = mx.array(definite, x.dtype)
    close(L.inv(x), np.linalg.inv(a), tolerance)
    close(L.solve(x, right), np.linalg.solve(a, b), tolerance)
    close(L.tri_inv(x, upper=True), np.linalg.inv(np.triu(a)), tolerance)
    factor = np.array(L.cholesky(square))
    close(factor @ adjoint(factor) / n, definite / n, tolerance)
    q, r = (np.array(part) for part in L.qr(x))
    close(q @ r, a, tolerance * 10)
    values, vectors = (np.array(part) for part in L.eigh(square))
    close((vectors * values) @ adjoint(vectors) / n, definite / n, tolerance)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3, 3), (2, 0, 0)])
@pytest.mark.parametrize("name", CALLS)
def test_empty(name: str, shape: tuple[int, ...]) -> None:
    if name in ("norm", "lstsq") and 0 in shape[-2:]:
        return  # NumPy and MLX have no maximum of nothing
    for x in outputs(CALLS[name](mx.zeros(shape))):
        assert x.shape[: len(shape) - 2] == shape[:-2]


def test_halves_and_integers() -> None:
    matrix = mx.array([[2, 1], [1, 3]])
    assert L.det(matrix).dtype == mx.float32
    for dtype in (mx.float16, mx.bfloat16):
        assert L.det(matrix.astype(dtype)).dtype == dtype
        assert [x.dtype for x in L.slogdet(matrix.astype(dtype))] == [dtype, dtype]
    sign, logarithm = L.slogdet(mx.array([[1j, 0], [0, 2]]))
    assert abs(sign.item() - 1j) < 1e-6
    assert logarithm.dtype == mx.float32


def test_a_vector_beside_a_batch() -> None:
    x = mx.array(A.astype("float32"))
    got = L.solve(x, mx.ones((6,)))
    assert got.shape == (2, 3, 6)
    close(got, np.linalg.solve(A, np.ones((6, 1)))[..., 0])


def test_inputs_are_donated_only_when_free() -> None:
    kept = mx.array(A.astype("float32"))
    made = kept + 0
    inverse = L.inv(made)
    mx.eval(inverse)
    assert mx.array_equal(made, kept)
    close(L.inv(kept * 1), np.linalg.inv(A))


# ---- errors ------------------------------------------------------------------------------------

SINGULAR = np.stack([np.eye(3), np.ones((3, 3)), np.zeros((3, 3))])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (L.inv, r"\[inv\] The matrix at batch index \(1\) is singular: pivot 2"),
        (lambda a: L.solve(a, a), r"\[solve\] The matrix at batch index \(1\) is singular"),
        (lambda a: L.tri_inv(a - 1), r"\[tri_inv\] .* index \(0\) is singular: element 1 of its"),
        (lambda a: L.solve_triangular(a, a), r"\[solve_triangular\] .* index \(2\) is singular"),
        (L.cholesky, r"\[cholesky\] .* index \(1\) is not positive definite: its leading minor of"),
        (lambda a: L.eigh(a / 0)[0], r"\[eigh\] .* has elements that are NaN or infinite"),
        (lambda a: L.eigvalsh(a / 0), r"\[eigvalsh\] .* NaN or infinite"),
        (lambda a: L.eig(a / 0)[0], r"\[eig\] .* NaN or infinite"),
        (lambda a: L.svd(a / 0)[0], r"\[svd\] .* NaN or infinite"),
        (lambda a: L.pinv(a / 0), r"\[pinv\] .* NaN or infinite"),
        (lambda a: mx.grad(lambda x: L.det(x).sum())(a), r"\[inv\] .* is singular"),
    ],
)
def test_errors_at_evaluation(call: Any, message: str) -> None:
    result = call(mx.array(SINGULAR.astype("float32")))
    with pytest.raises(RuntimeError, match=message):
        mx.eval(result)


def test_errors_name_the_line() -> None:
    result = L.inv(mx.zeros((2, 2))) + 1
    with pytest.raises(RuntimeError, match=r"The matrix is singular.*test_linalg\.py"):
        mx.eval(result)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: L.inv(mx.ones((3,))), ValueError, r"\[inv\] An array of 1 dimensions holds no"),
        (lambda: L.inv(mx.ones((2, 3))), ValueError, r"shape \(2, 3\) are not square: 2 != 3"),
        (lambda: L.inv(mx.ones((2, 2), mx.int32)), ValueError, r"dtype mlx.core.int32 is none of"),
        (lambda: L.inv([[1.0]]), TypeError, r"\[inv\] An argument is list"),
        (lambda: L.eigh(mx.ones((2, 2)), "X"), ValueError, r"UPLO is 'X'; it must be"),
        (lambda: L.solve(mx.ones((2, 2)), mx.ones((3,))), ValueError, "do not agree: 2 != 3"),
        (lambda: L.solve(mx.ones((2, 2)), mx.array(1.0)), ValueError, "no dimensions"),
        (lambda: L.norm(mx.ones((2, 2)), 3), ValueError, "ord=3 is no norm of matrices"),
        (lambda: L.norm(mx.ones((2,)), "fro"), ValueError, "ord='fro' is a norm of matrices"),
        (lambda: L.norm(mx.ones((2, 2, 2)), 1), ValueError, "one axis of vectors or two"),
        (lambda: L.cross(mx.ones((4,)), mx.ones((4,))), ValueError, "have two or three"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# ---- rules -------------------------------------------------------------------------------------


def hermitian(seed: int) -> mx.array:
    x = np.random.default_rng(seed).standard_normal((4, 4))
    return mx.array(x + x.T + np.diag([2.0, 5, 9, 14]), mx.float64)


def test_second_derivatives() -> None:
    x = hermitian(1)
    functions: dict[str, Callable[[mx.array], mx.array]] = {
        "inv": lambda a: L.inv(a).sum(),
        "logdet": lambda a: L.slogdet(a)[1],
        "cholesky": lambda a: (L.cholesky(a @ a.T) ** 2).sum(),
        "eigh": lambda a: (L.eigh(a)[0] ** 3).sum(),
        "svd": lambda a: (L.svd(a)[1] ** 3).sum(),
        "qr": lambda a: (L.qr(a)[0] ** 3).sum(),
        "pinv": lambda a: (L.pinv(a[:, :2]) ** 2).sum(),
        "lu": lambda a: (L.lu(a)[2] ** 2).sum(),
    }
    direction = mx.array(np.random.default_rng(2).standard_normal((4, 4)), mx.float64)
    direction = direction + direction.T
    for name, function in functions.items():
        slope = mx.grad(function)
        (_,), (got,) = mx.jvp(slope, [x], [direction])
        step = 1e-6
        ahead, behind = slope(x + step * direction), slope(x - step * direction)
        want = (np.array(ahead) - np.array(behind)) / (2 * step)
        assert np.abs(np.array(got) - want).max() < 1e-5 * (1 + np.abs(want).max()), name


def test_equal_eigenvalues() -> None:
    """Functions that do not depend on the choice of vectors have their gradient there, too."""
    x = mx.eye(3, dtype=mx.float64)
    gradient = mx.grad(lambda a: (L.eigh(a)[0] ** 2).sum())(x)
    close(gradient, 2 * np.eye(3), 1e-12)
    gradient = mx.grad(lambda a: L.pinv(a).sum())(x)
    close(gradient, -np.ones((3, 3)), 1e-12)
    assert np.isfinite(np.array(mx.grad(lambda a: L.eigh(a)[1].sum())(x))).all()


@pytest.mark.parametrize("shape", [(5, 3), (3, 5)])
def test_vectors_beyond_the_values(shape: tuple[int, int]) -> None:
    """The projector on the vectors that belong to no singular value is differentiable."""
    a = RNG.standard_normal(shape) + 3 * np.eye(*shape) * np.arange(1, shape[0] + 1)[:, None]
    t = RNG.standard_normal(shape)

    def projector(x: mx.array) -> mx.array:
        u, s, vt = L.svd(x)
        rest = u[:, s.size :] if shape[0] > shape[1] else mx.swapaxes(vt[s.size :], 0, 1)
        return rest @ rest.T

    x, tangent = mx.array(a, mx.float64), mx.array(t, mx.float64)
    _, (pushed,) = mx.jvp(projector, [x], [tangent])
    step = 1e-6
    difference = (projector(x + step * tangent) - projector(x - step * tangent)) / (2 * step)
    close(pushed, np.array(difference), 1e-7)
    c = mx.array(RNG.standard_normal(pushed.shape), mx.float64)
    _, (pulled,) = mx.vjp(projector, [x], [c])
    assert abs((pulled * tangent).sum().item() - (pushed * c).sum().item()) < 1e-10


@pytest.mark.parametrize("in_axes", [(0, None), (None, 0), (0, 0), (2, 1)])
@pytest.mark.parametrize("function", [L.solve, L.solve_triangular])
def test_vmap_of_systems(function: Any, in_axes: tuple[int | None, int | None]) -> None:
    a, b = A[0].astype("float32"), RNG.standard_normal((3, 6, 2)).astype("float32")
    parts = [
        x[0] if axis is None else np.moveaxis(x, 0, axis)
        for x, axis in zip((a, b), in_axes, strict=True)
    ]
    got = mx.vmap(function, in_axes=in_axes)(*(mx.array(x) for x in parts))
    for i in range(3):
        one = [
            x if axis is None else np.take(x, i, axis)
            for x, axis in zip(parts, in_axes, strict=True)
        ]
        close(got[i], np.array(function(*(mx.array(x) for x in one))), 1e-5)


def test_compiled_step() -> None:
    """A step of Newton's method, compiled, without shapes and with them."""

    def step(x: mx.array, a: mx.array) -> mx.array:
        return x - L.solve(mx.eye(6) + a, a @ x)

    a, x = mx.array(A[0, 0].astype("float32")), mx.ones((6,))
    assert mx.allclose(mx.compile(step)(x, a), step(x, a))
    shapeless = mx.compile(lambda a: L.inv(a).sum() + L.slogdet(a)[1], shapeless=True)
    for n in (3, 5):
        square = a[:n, :n]
        assert mx.allclose(shapeless(square), L.inv(square).sum() + L.slogdet(square)[1])


# ---- beyond MLX --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (5, 5)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_lstsq(shape: tuple[int, int], dtype: str) -> None:
    a, b = RNG.standard_normal(shape), RNG.standard_normal((shape[0], 2))
    a[:, 2] = a[:, 0] + a[:, 1] if shape == (5, 5) else a[:, 2]
    a, b = a.astype(dtype), b.astype(dtype)
    for right in (b, b[:, 0]):
        rcond = 1e-3 if shape == (5, 5) else None
        got = L.lstsq(mx.array(a, getattr(mx, dtype)), mx.array(right, getattr(mx, dtype)), rcond)
        want = np.linalg.lstsq(a, right, rcond)
        for ours, numpy in zip(got, want, strict=True):
            assert ours.shape == np.shape(numpy)
            close(ours, numpy, 1e-3 if dtype != "float64" else 1e-9)


def test_lstsq_gradient() -> None:
    a = mx.array(RNG.standard_normal((6, 3)), mx.float64)
    b = mx.array(RNG.standard_normal((6,)), mx.float64)
    t = mx.array(RNG.standard_normal((6, 3)), mx.float64)
    slope = mx.grad(lambda x: L.lstsq(x, b)[0].sum())(a)
    difference = (L.lstsq(a + 1e-6 * t, b)[0] - L.lstsq(a - 1e-6 * t, b)[0]).sum().item() / 2e-6
    assert abs((slope * t).sum().item() - difference) < 1e-6


def test_matrix_rank() -> None:
    stack = np.stack([np.eye(4), np.diag([1.0, 1, 0, 0]), np.ones((4, 4)), np.zeros((4, 4))])
    x = mx.array(stack.astype("float32"))
    assert L.matrix_rank(x).tolist() == [4, 2, 1, 0]
    assert L.matrix_rank(x, hermitian=True).tolist() == [4, 2, 1, 0]
    assert L.matrix_rank(mx.array([[1.0, 0.0], [0.0, 0.1]]), tol=0.5).item() == 1
    assert L.matrix_rank(mx.array([0.0, 2.0])).item() == 1
    assert L.matrix_rank(mx.zeros((2, 0, 3))).tolist() == [0, 0]


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 7, 10])
def test_matrix_power(n: int) -> None:
    a = A[0] / 4
    close(L.matrix_power(mx.array(a, mx.float64), n), np.linalg.matrix_power(a, n), 1e-9)


def test_multi_dot() -> None:
    sizes = [(10,), (10, 3), (3, 50), (50, 2), (2, 20), (20,)]
    arrays = [RNG.standard_normal(size) for size in sizes]
    for first, last in ((0, 6), (1, 6), (0, 5), (1, 5), (2, 4), (0, 2)):
        chain = arrays[first:last]
        got = L.multi_dot([mx.array(x, mx.float64) for x in chain])
        close(got, np.linalg.multi_dot(chain), 1e-9)


@pytest.mark.parametrize("p", [None, 2, -2, 1, -1, np.inf, -np.inf, "fro", "nuc"])
def test_cond(p: Any) -> None:
    close(L.cond(mx.array(A, mx.float64), p), np.linalg.cond(A, p), 1e-9)
    if p in (None, 2):
        assert L.cond(mx.ones((2, 2))).item() > 1e6
        assert L.cond(mx.zeros((2, 2))).item() == np.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: L.lstsq(mx.ones((3, 2)), mx.ones((4,))), r"\(m,\) or \(m, k\) are needed"),
        (lambda: L.matrix_power(mx.ones((2, 3)), 2), "are not square"),
        (lambda: L.multi_dot([mx.ones((2, 2))]), "two are needed"),
        (lambda: L.multi_dot([mx.ones((2, 2)), mx.ones((2,)), mx.ones((2, 2))]), "Array 1 has"),
        (lambda: L.cond(mx.ones((2, 3)), 1), "are not square"),
    ],
)
def test_errors_beyond(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
