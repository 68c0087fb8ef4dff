"""mx.random: golden samples, the NumPy model, transforms, statistics."""

from __future__ import annotations

from typing import Any

import golden_codec
import mlx.core as mx
import numpy as np
import pytest
import threefry_model as model

# float64 normals come from a float32 erfinv, and ours rounds to another neighbour here and there.
SINGLE = "mx.random.normal((3,), dtype=mx.float64, key=k)"
CODES = list(golden_codec.load("random"))
RECORDS = golden_codec.load("random_samples")


@pytest.mark.parametrize("code", CODES)
def test_golden(code: str) -> None:
    got, want = golden_codec.answer(code, mx, np), golden_codec.load("random")[code]
    if code.endswith(SINGLE):
        assert got[1:3] == want[1:3]
        got, want = (["a", "float32", [3], answer[3]] for answer in (got, want))
    assert golden_codec.matches(got, want), f"{got} is not {want}"


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: f"{r[0]}-{r[1]}-{r[2]}")
def test_samples(record: list[Any]) -> None:
    name, seed, arguments, want = record
    arguments = dict(arguments)
    if "dtype" in arguments:
        arguments["dtype"] = getattr(mx, arguments["dtype"])
    got = getattr(mx.random, name)(**arguments, key=mx.random.key(seed))
    assert golden_codec.matches(golden_codec.encode(got, mx), want)
    exact = ("split", "uniform", "randint", "bernoulli", "permutation")
    if name in exact and want[1] != "bfloat16":
        assert golden_codec.encode(got, mx)[3] == want[3]


@pytest.mark.parametrize("count", [1, 2, 5, 64, 1001])
def test_bits_of_the_model(count: int) -> None:
    for seed in (0, 1, 2**63 + 5):
        want = model.uniform(model.key(seed), shape=(count,))
        got = mx.random.uniform(shape=(count,), key=mx.random.key(seed))
        np.testing.assert_array_equal(np.array(got), want)


# ---- the state ---------------------------------------------------------------------------------


def test_state_is_a_list_of_one_key() -> None:
    mx.random.seed(3)
    assert len(mx.random.state) == 1
    assert mx.random.state[0].tolist() == [0, 3]
    assert [k.tolist() for k in mx.random.state] == [[0, 3]]
    with pytest.raises(TypeError, match=r"cannot be changed but by mx\.random\.seed"):
        mx.random.state[0] = mx.random.key(1)
    with pytest.raises(TypeError, match="cannot be changed"):
        mx.random.state.append(mx.random.key(1))
    assert mx.random.state[0].tolist() == [0, 3]


@pytest.mark.parametrize("wrapped", [False, True])
def test_compile_with_the_state(wrapped: bool) -> None:
    state: Any = [mx.random.state] if wrapped else mx.random.state
    f = mx.compile(lambda: mx.random.uniform(shape=(3,)), inputs=state, outputs=state)
    mx.random.seed(7)
    compiled = [f() for _ in range(3)]
    mx.random.seed(7)
    plain = [mx.random.uniform(shape=(3,)) for _ in range(3)]
    assert all(mx.array_equal(a, b) for a, b in zip(compiled, plain, strict=True))


def test_compile_without_the_state_keeps_its_number() -> None:
    f = mx.compile(lambda x: x + mx.random.uniform(shape=(3,)))
    assert mx.array_equal(f(mx.zeros((3,))), f(mx.zeros((3,))))


def test_threads_draw_different_keys() -> None:
    from concurrent.futures import ThreadPoolExecutor

    mx.random.seed(0)
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: mx.random.uniform().item(), range(40)))
    assert len(set(drawn)) == 40


# ---- transforms --------------------------------------------------------------------------------

SAMPLERS = {
    "uniform": lambda k: mx.random.uniform(-1, 1, (3, 2), key=k),
    "normal": lambda k: mx.random.normal((5,), key=k),
    "randint": lambda k: mx.random.randint(0, 100, (5,), key=k),
    "bernoulli": lambda k: mx.random.bernoulli(0.3, (5,), key=k),
    "permutation": lambda k: mx.random.permutation(7, key=k),
    "split": lambda k: mx.random.split(k, 3),
    "categorical": lambda k: mx.random.categorical(mx.zeros((2, 4)), key=k),
    "nothing": lambda k: mx.random.uniform(shape=(0, 2), key=k),
    "scalar": lambda k: mx.random.gumbel(key=k),
    "multivariate": lambda k: mx.random.multivariate_normal(mx.zeros((3,)), mx.eye(3), key=k),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_vmap_over_keys(name: str) -> None:
    f, keys = SAMPLERS[name], mx.random.split(mx.random.key(1), 4)
    assert mx.array_equal(mx.vmap(f)(keys), mx.stack([f(k) for k in keys]))


def test_vmap_with_one_key_repeats() -> None:
    key = mx.random.key(1)
    got = mx.vmap(lambda x: x + mx.random.uniform(shape=(3,), key=key))(mx.zeros((2, 3)))
    assert mx.array_equal(got[0], got[1])


def test_gradients_reach_the_parameters() -> None:
    key = mx.random.key(4)
    noise = mx.random.normal((6,), key=key)

    def f(loc: mx.array, scale: mx.array) -> mx.array:
        return mx.random.normal((6,), loc=loc, scale=scale, key=key).sum()

    d_loc, d_scale = mx.grad(f, argnums=(0, 1))(mx.array(1.0), mx.array(2.0))
    assert d_loc.item() == 6
    assert abs(d_scale.item() - noise.sum().item()) < 1e-4


# ---- statistics --------------------------------------------------------------------------------

COUNT = 200_000


@pytest.mark.parametrize(
    ("sample", "mean", "variance"),
    [
        (lambda k: mx.random.uniform(2, 6, (COUNT,), key=k), 4, 16 / 12),
        (lambda k: mx.random.normal((COUNT,), loc=1.0, scale=3.0, key=k), 1, 9),
        (lambda k: mx.random.laplace((COUNT,), loc=1.0, scale=2.0, key=k), 1, 8),
        (lambda k: mx.random.gumbel((COUNT,), key=k), 0.5772157, np.pi**2 / 6),
        (lambda k: mx.random.randint(0, 10, (COUNT,), key=k), 4.5, 99 / 12),
        (lambda k: mx.random.bernoulli(0.2, (COUNT,), key=k), 0.2, 0.16),
        (lambda k: mx.random.truncated_normal(-1.0, 1.0, (COUNT,), key=k), 0, 0.2911251),
        (lambda k: mx.random.normal((COUNT,), mx.float16, key=k), 0, 1),
    ],
)
def test_moments(sample: Any, mean: float, variance: float) -> None:
    x = np.array(sample(mx.random.key(12)), np.float64)
    assert abs(x.mean() - mean) < 5 * np.sqrt(variance / COUNT)
    assert abs(x.var() / variance - 1) < 0.03


def test_normal_has_the_right_tails() -> None:
    scipy = pytest.importorskip("scipy.stats")
    x = np.array(mx.random.normal((COUNT,), key=mx.random.key(5)), np.float64)
    assert scipy.kstest(x, "norm").pvalue > 1e-3


def test_categorical_frequencies() -> None:
    p = np.array([0.1, 0.2, 0.7])
    drawn = mx.random.categorical(mx.array(np.log(p)), num_samples=COUNT, key=mx.random.key(2))
    got = np.bincount(np.array(drawn), minlength=3) / COUNT
    np.testing.assert_allclose(got, p, atol=5e-3)


COVARIANCE = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 0.5]], np.float32)


def test_multivariate_normal_has_the_covariance() -> None:
    mean = mx.array([1.0, -2.0, 3.0])
    x = mx.random.multivariate_normal(mean, mx.array(COVARIANCE), (COUNT,), key=mx.random.key(3))
    values = np.array(x, np.float64)
    np.testing.assert_allclose(values.mean(0), np.array(mean), atol=0.02)
    np.testing.assert_allclose(np.cov(values.T), COVARIANCE, atol=0.03)


def test_multivariate_normal_in_batches() -> None:
    key, mean = mx.random.key(9), mx.zeros((4, 3))
    cov = mx.broadcast_to(mx.array(COVARIANCE), (4, 3, 3))
    x = mx.random.multivariate_normal(mean, cov, key=key)
    assert x.shape == (4, 3)
    assert mx.allclose(x, mx.random.multivariate_normal(mean[0], cov[0], (4,), key=key), 1e-5)
    singular = mx.random.multivariate_normal(mean, mx.ones((3, 3)), key=key)
    assert mx.allclose(singular[:, :1], singular, atol=1e-3)


def test_multivariate_normal_gradient() -> None:
    """Also at the unit matrix, whose singular values are all the same."""
    key, direction = mx.random.key(5), mx.array(COVARIANCE)

    def f(mean: mx.array, cov: mx.array) -> mx.array:
        return (mx.random.multivariate_normal(mean, cov, (50,), key=key) ** 2).mean()

    for cov in (mx.eye(3), mx.array(COVARIANCE)):
        slope = mx.grad(f, argnums=1)(mx.ones((3,)), cov)
        ahead, behind = (f(mx.ones((3,)), cov + e * direction) for e in (1e-2, -1e-2))
        want = ((ahead - behind) / 2e-2).item()
        assert abs((slope * direction).sum().item() - want) < 2e-2 * (1 + abs(want))
    assert mx.grad(f)(mx.ones((3,)), mx.eye(3)).shape == (3,)


@pytest.mark.parametrize(
    ("mean", "cov", "shape", "want"),
    [
        ((5, 2), (2, 2), (1,), (5, 2)),
        ((3, 5, 2), (2, 2), (5,), (3, 5, 2)),
        ((2,), (4, 2, 2), (1,), (4, 2)),
        ((3, 1, 2), (4, 2, 2), (2, 1, 1), (2, 3, 4, 2)),
    ],
)
def test_multivariate_batches_broadcast(
    mean: tuple[int, ...], cov: tuple[int, ...], shape: tuple[int, ...], want: tuple[int, ...]
) -> None:
    means, covs = mx.zeros(mean), mx.broadcast_to(mx.eye(2), cov)
    key = mx.random.key(3)
    got = mx.random.multivariate_normal(means, covs, shape, key=key)
    assert got.shape == want
    assert mx.array_equal(got, mx.random.multivariate_normal(means, covs, want[:-1], key=key))
    assert len(set(got.flatten().tolist())) == got.size  # each is drawn on its own


# ---- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda: mx.random.key(-1), TypeError, r"no integer in \[0, 2\*\*64\)"),
        (lambda: mx.random.uniform(shape=3), TypeError, "The shape is int"),
        (lambda: mx.random.uniform(shape=(-1,)), ValueError, "negative size"),
        (lambda: mx.random.uniform(dtype=mx.int32), ValueError, "is not possible"),
        (lambda: mx.random.uniform(dtype="float32"), TypeError, "not a Dtype"),
        (
            lambda: mx.random.uniform(dtype=mx.float64),
            NotImplementedError,
            r"\[uniform\] .*float64",
        ),
        (lambda: mx.random.gumbel(dtype=mx.float64), NotImplementedError, r"\[gumbel\] .*float64"),
        (
            lambda: mx.random.truncated_normal(0, 1, dtype=mx.float64),
            NotImplementedError,
            r"\[truncated_normal\] .*float64",
        ),
        (lambda: mx.random.uniform(0, mx.ones((3,)), (2,)), ValueError, "broadcast"),
        (lambda: mx.random.uniform(key=mx.zeros((2,))), ValueError, "A key has shape"),
        (lambda: mx.random.bernoulli(1), ValueError, "it must be a float"),
        (lambda: mx.random.permutation(-1), ValueError, "negative size"),
        (
            lambda: mx.random.multivariate_normal(mx.ones((2,)), mx.ones((3, 3))),
            ValueError,
            r"must be \(2, 2\)",
        ),
        (
            lambda: mx.random.multivariate_normal(mx.ones((4, 2)), mx.eye(2), (3,)),
            ValueError,
            "cannot be broadcast",
        ),
    ],
)
def test_errors(function: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        function()


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 10), (-5, 5), (0, 2**24), (-(2**24), 3 - 2**24), (5, 5), (7, 3), (True, 4)],
)
@pytest.mark.parametrize("dtype", [mx.int32, mx.int64])
def test_integers_between_numbers_and_between_arrays(low: int, high: int, dtype: mx.Dtype) -> None:
    """Bounds that a float32 holds need no int64; the integers are the same."""
    key = mx.random.key(3)
    got = mx.random.randint(low, high, (1001,), dtype, key)
    assert mx.array_equal(
        got, mx.random.randint(mx.array(low), mx.array(high), (1001,), dtype, key)
    )
