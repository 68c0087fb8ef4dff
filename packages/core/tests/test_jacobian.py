"""jacrev, jacfwd, jacobian and hessian: against closed forms and each other."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest


@pytest.mark.parametrize("transform", [mx.jacrev, mx.jacfwd, mx.jacobian])
def test_jacobian_of_a_product(transform: object) -> None:
    a, x = mx.random.normal((3, 4)), mx.random.normal((4, 2))
    got = transform(lambda a, x: a @ mx.sin(x), 1)(a, x)
    want = np.einsum("ik,jl,kl->ijkl", np.array(a), np.eye(2), np.cos(np.array(x)))
    np.testing.assert_allclose(np.array(got), want, atol=1e-6)
    compiled = mx.compile(transform(lambda x: a @ mx.sin(x)))(x)
    np.testing.assert_allclose(np.array(compiled), want, atol=1e-6)
    assert transform(lambda x: x)(mx.zeros((0,))).shape == (0, 0)


def test_hessian_of_a_form() -> None:
    m = np.random.default_rng(1).standard_normal((4, 4)).astype(np.float32)
    got = mx.hessian(lambda x: x @ mx.array(m) @ x)(mx.ones(4))
    np.testing.assert_allclose(np.array(got), m + m.T, atol=1e-5)


def test_errors() -> None:
    with pytest.raises(ValueError, match="argnum is 2, and there are 1 arguments"):
        mx.jacrev(lambda x: x, 2)(mx.ones(2))
    with pytest.raises(TypeError, match=r"\[jacfwd\] An argument is float"):
        mx.jacfwd(lambda x: x)(1.0)
