"""The NumPy model of mx.random agrees with the golden samples."""

from __future__ import annotations

from typing import Any

import golden_codec
import numpy as np
import pytest
import threefry_model as model

RECORDS = golden_codec.load("random_samples")
ULPS = {"float32": 4e-6, "float16": 1e-3, "bfloat16": 8e-3}


def _ours(name: str, seed: int, arguments: dict[str, Any]) -> np.ndarray:
    keywords = dict(arguments)
    dtype = keywords.pop("dtype", None)
    if name in ("uniform", "normal", "laplace", "gumbel") and dtype is not None:
        keywords["dtype"] = dtype
    if name == "permutation":
        keywords = {"n": keywords["x"]}
    return np.asarray(getattr(model, name)(model.key(seed), **keywords))


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: f"{r[0]}-{r[1]}-{r[2]}")
def test_samples(record: list[Any]) -> None:
    name, seed, arguments, (_, dtype, shape, values) = record
    ours = _ours(name, seed, arguments)
    want = np.array([float(v) for v in values]).reshape(shape)
    assert ours.shape == tuple(shape)
    if name in ("normal", "laplace", "gumbel", "truncated_normal"):
        np.testing.assert_allclose(ours, want, rtol=ULPS[dtype], atol=ULPS[dtype])
    elif dtype in ULPS:
        np.testing.assert_array_equal(ours.astype(np.float32), want.astype(np.float32))
    else:
        np.testing.assert_array_equal(ours.astype(np.float64), want)


def test_default_state() -> None:
    cases = golden_codec.load("random")
    code = next(c for c in cases if "[mx.random.uniform(shape=(3,)) for _ in range(3)]" in c)
    state = model.State(0)
    for answer in cases[code][1]:
        ours = model.uniform(state.next(), shape=(3,))
        np.testing.assert_array_equal(ours, np.array(answer[3], np.float32))
