"""Where work runs: every function that takes a stream runs all of its ops there."""

import inspect
from collections.abc import Iterator
from typing import Any

import mlx.core as mx
import pytest
from mlx import kernels

MODULES = (mx, mx.fast, mx.fft, mx.linalg, mx.random)
# They wait for a stream, read a file, or need another device.
OTHERS = {"load", "precompiled_cuda_kernel", "set_default_stream", "synchronize"}

M = mx.array([[4.0, 1.0, 2.0], [1.0, 5.0, 3.0], [2.0, 3.0, 6.0]])
PLACES = mx.array([[1, 0, 2], [2, 1, 0], [0, 0, 1]])
V, J, B = mx.array([1.0, 2.0, 3.0]), mx.array([0, 2, 1]), mx.array([True, False, True])
HEADS = mx.ones((1, 2, 4, 8))
LINE, IMAGE, VOLUME = mx.ones((1, 4, 2)), mx.ones((1, 4, 4, 2)), mx.ones((1, 4, 4, 4, 2))

# What is called with none of FORMS, or with more of its parameters.
CALLS: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "astype": [((M, mx.float16), {})],
    "bincount": [((J,), {}), ((J, V), {"size": 4})],
    "concat": [(([M, M],), {})],
    "concatenate": [(([M, M],), {})],
    "linalg.cond": [((M,), {}), ((M, -2), {}), ((M, 1), {})],
    "conv1d": [((LINE, mx.ones((3, 2, 2))), {})],
    "conv2d": [((IMAGE, mx.ones((3, 2, 2, 2))), {})],
    "conv3d": [((VOLUME, mx.ones((3, 2, 2, 2, 2))), {})],
    "conv_general": [((IMAGE, mx.ones((3, 2, 2, 2))), {"flip": True})],
    "conv_transpose1d": [((LINE, mx.ones((3, 2, 2))), {})],
    "conv_transpose2d": [((IMAGE, mx.ones((3, 2, 2, 2))), {})],
    "conv_transpose3d": [((VOLUME, mx.ones((3, 2, 2, 2, 2))), {})],
    "cov": [((M,), {}), ((M, M), {"aweights": V, "rowvar": False})],
    "fast.cross_entropy": [((M, J), {})],
    "einsum": [(("ij,jk->ki", M, M), {})],
    "from_fp8": [((J.astype(mx.uint8),), {})],
    "fast.gated_delta_update": [((HEADS, HEADS, HEADS, HEADS[..., 0], HEADS[..., 0]), {})],
    "hadamard_transform": [((HEADS,), {})],
    "histogram": [((V,), {}), ((V, 4), {"density": True, "weights": V})],
    "interp": [((V, V, V), {}), ((V, V, V), {"period": 2.0}), ((V, V, V, 0.0, 1.0), {})],
    "isin": [((M, V), {}), ((M, mx.array([])), {})],
    "fast.layer_norm": [((M, V, V, 1e-5), {})],
    "lexsort": [(([V, V],), {})],
    "linalg.lstsq": [((M, V), {}), ((M[:, :2], V), {})],
    "linalg.matrix_power": [((M, 3), {}), ((M, -2), {}), ((M, 0), {})],
    "linalg.matrix_rank": [((M,), {}), ((M, 0.1, True), {}), ((V,), {})],
    "nanquantile": [((M, [0.5, 0.2]), {})],
    "positive": [],  # it makes nothing
    "quantile": [((M, 0.5), {"method": "midpoint"}), ((M, V / 4), {"axis": 0})],
    "fast.rope": [((HEADS, 8), {"traditional": False, "base": 10.0, "scale": 1.0, "offset": 1})],
    "fast.scaled_dot_product_attention": [
        ((HEADS, HEADS, HEADS), {"scale": 1.0, "mask": "causal"})
    ],
    "searchsorted": [((V, M), {}), ((V, M), {"side": "right"})],
    "segmented_mm": [((M, M), {"segments": mx.array([[0, 2], [2, 3]], mx.uint32)})],
    "slice": [((M, mx.array([1]), (0,), (2, 3)), {})],
    "slice_update": [((M, M[:2], mx.array([1]), (0,)), {})],
    "squeeze": [((M[None],), {})],
    "stack": [(([M, M],), {})],
    "to_fp8": [((M,), {})],
    "trapezoid": [((M,), {}), ((M, V), {}), ((M, M), {"axis": 0})],
    "unflatten": [((M, 0, (1, 3)), {})],
    "unique": [((J, 4, True, True, True, 7), {}), ((J,), {"return_counts": True})],
    "view": [((M, mx.int16), {})],
    "atleast_1d": [((mx.array(1.0),), {})],
    "broadcast_to": [((V, (2, 3)), {})],
    "random.multivariate_normal": [((V, M), {}), ((V, M), {"key": mx.random.key(1)})],
    "random.split": [((mx.random.key(1), 3), {})],
}
FORMS: tuple[tuple[Any, ...], ...] = (
    *((M,), (V,), (J,), (M, M), (V, V), (J, J), (B,), (B, B), (M.astype(mx.complex64),)),
    *((3,), (M, 1), (M, 0, 1), (M, (3, 3)), ((3, 3),), (M, M, M), (M, J, 0), (M, PLACES, 1)),
    *((V, V, V), ([M, M],), (2, 3), (V, M), ()),
)


def functions() -> dict[str, Any]:
    """Every public function with a parameter ``stream``."""
    found = {}
    for module in MODULES:
        for name, function in vars(module).items():
            if name.startswith("_") or name in OTHERS or not callable(function):
                continue
            if isinstance(function, type) or not function.__module__.startswith(module.__name__):
                continue
            if "stream" in inspect.signature(function).parameters:
                found[f"{module.__name__}.{name}".removeprefix("mlx.core.")] = function
    return found


FUNCTIONS = functions()


def elsewhere(tree: Any, stream: mx.Stream) -> list[str]:
    """The ops above a tree that were not evaluated yet and run on another stream; no constants."""
    roots = [x for x in kernels.tree_flatten(tree)[0] if isinstance(x, mx.array)]
    nodes = kernels.order(roots)
    return [x.op_name for x in nodes if x.stream != stream._id and x.op_name != "constant"]


def results(name: str, stream: mx.Stream) -> Iterator[Any]:
    """What a function makes of its CALLS, or of the first of FORMS that it takes."""
    function = FUNCTIONS[name]
    if name in CALLS:
        for args, options in CALLS[name]:
            yield function(*args, **options, stream=stream)
        return
    for args in FORMS:
        try:
            result = function(*args, stream=stream)
        except (TypeError, ValueError, IndexError):
            continue
        yield result
        return
    raise AssertionError(f"{name} takes none of FORMS; it needs CALLS.")


mx.eval(M, PLACES, V, J, B, HEADS, LINE, IMAGE, VOLUME, CALLS, FORMS)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_all_ops_run_on_the_stream(name: str) -> None:
    mx.random.seed(0)
    stream = mx.new_stream(mx.cpu)
    assert stream != mx.default_stream(mx.cpu)
    for result in results(name, stream):
        assert elsewhere(result, stream) == []


def test_a_stream_may_be_given_without_its_name() -> None:
    stream = mx.new_stream(mx.cpu)
    made = mx.random.multivariate_normal(V, M, (3,), None, mx.random.key(0), stream)
    assert elsewhere(made, stream) == []


@pytest.mark.parametrize("stream", [mx.cpu, mx.default_stream(mx.cpu), None])
def test_what_streams_may_be(stream: Any) -> None:
    before = mx.default_stream(mx.cpu)
    assert mx.eye(2, stream=stream).tolist() == [[1, 0], [0, 1]]
    assert mx.default_stream(mx.cpu) == before
    with pytest.raises(ValueError, match="negative"):
        mx.eye(-1, stream=mx.new_stream(mx.cpu))
    assert mx.default_stream(mx.cpu) == before
    with pytest.raises(TypeError, match="str is no stream or device"):
        mx.eye(2, stream="cpu")
