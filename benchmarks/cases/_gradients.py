"""The gradients of a function of (module, *inputs) in each library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]


def gradients(count: int, **functions: Function) -> dict[str, Function]:
    """Functions of (module, *inputs, cotangent): the gradients by the first ``count`` inputs."""

    def mlx(m: Any, *args: Any) -> Any:
        x, rest, c = args[:count], args[count:-1], args[-1]
        return tuple(m.vjp(lambda *x: functions["mlx"](m, *x, *rest), list(x), [c])[1])

    def torch(m: Any, *args: Any) -> Any:
        leaves = [x.detach().requires_grad_() for x in args[:count]]
        return m.autograd.grad(functions["torch"](m, *leaves, *args[count:-1]), leaves, args[-1])

    def jax(m: Any, *args: Any) -> Any:
        from jax import vjp

        x, rest, c = args[:count], args[count:-1], args[-1]
        return vjp(lambda *x: functions["jax"](m, *x, *rest), *x)[1](c)

    return {"mlx": mlx, "torch": torch, "jax": jax}


def forward(**functions: Function) -> dict[str, Function]:
    """The functions themselves, of the same arguments."""

    def without_cotangent(function: Function) -> Function:
        return lambda m, *args: function(m, *args[:-1])

    return {name: without_cotangent(function) for name, function in functions.items()}
