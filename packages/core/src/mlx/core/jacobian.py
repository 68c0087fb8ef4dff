"""Jacobians and Hessians: a batch of tangents or cotangents, one for each element."""

from __future__ import annotations

import math
from collections.abc import Callable

from mlx.kernels import array
from mlx.kernels.hints import Any

from .ops.axes import as_int, check_array
from .ops.create import eye
from .ops.shape import moveaxis, reshape
from .transforms.jvp import jvp
from .transforms.vjp import vjp
from .transforms.vmap import vmap

Function = Callable[..., Any]


def _argument(
    name: str, fun: Function, argnum: int, args: tuple[Any, ...]
) -> tuple[Function, array]:
    """The function of the differentiated argument alone, and that argument."""
    place = as_int(argnum, "argnum", name)
    if not 0 <= place < len(args):
        raise ValueError(f"[{name}] argnum is {place}, and there are {len(args)} arguments.")
    check_array(name, args[place])

    def alone(x: array) -> array:
        out = fun(*args[:place], x, *args[place + 1 :])
        check_array(name, out)
        return out

    return alone, args[place]


def jacrev(fun: Function, argnum: int = 0) -> Function:
    """The Jacobian by cotangents, one for each element of the result: ``Jᵢⱼ = ∂yᵢ/∂xⱼ``.

    Args:
        fun: Function of arrays that returns one array.
        argnum: The argument to differentiate by.

    Returns:
        A function of the same arguments that returns an array of the result's shape followed by
        the argument's.

    Raises:
        ValueError: When it is called, if there is no such argument.
        TypeError: When it is called, if the argument or the result is not an array.

    Example:
        >>> mx.jacrev(lambda x: x * x)(mx.array([1.0, 2.0]))
        array([[2, 0],
               [0, 4]], dtype=float32)
    """

    def jacobian_of(*args: Any) -> array:
        alone, x = _argument("jacrev", fun, argnum, args)
        out = alone(x)
        if not out.size:
            return reshape(eye(0, dtype=x.dtype), (*out.shape, *x.shape))
        units = reshape(eye(out.size, dtype=out.dtype), (out.size, *out.shape))
        rows = vmap(lambda unit: vjp(alone, [x], [unit])[1][0])(units)
        return reshape(rows, (*out.shape, *x.shape))

    return jacobian_of


def jacfwd(fun: Function, argnum: int = 0) -> Function:
    """The Jacobian by tangents, one for each element of the argument: ``Jᵢⱼ = ∂yᵢ/∂xⱼ``.

    Args:
        fun: Function of arrays that returns one array.
        argnum: The argument to differentiate by.

    Returns:
        A function of the same arguments that returns an array of the result's shape followed by
        the argument's.

    Raises:
        ValueError: When it is called, if there is no such argument.
        TypeError: When it is called, if the argument or the result is not an array.

    Example:
        >>> mx.jacfwd(lambda x: mx.sum(x * x))(mx.array([1.0, 2.0]))
        array([2, 4], dtype=float32)
    """

    def jacobian_of(*args: Any) -> array:
        alone, x = _argument("jacfwd", fun, argnum, args)
        if not x.size:
            return reshape(eye(0, dtype=x.dtype), (*alone(x).shape, *x.shape))
        units = reshape(eye(x.size, dtype=x.dtype), (x.size, *x.shape))
        columns = vmap(lambda unit: jvp(alone, [x], [unit])[1][0])(units)
        return reshape(moveaxis(columns, 0, -1), (*columns.shape[1:], *x.shape))

    return jacobian_of


def jacobian(fun: Function, argnum: int = 0) -> Function:
    """The Jacobian by tangents or cotangents, whichever are fewer: ``Jᵢⱼ = ∂yᵢ/∂xⱼ``.

    Args:
        fun: Function of arrays that returns one array.
        argnum: The argument to differentiate by.

    Returns:
        A function of the same arguments that returns an array of the result's shape followed by
        the argument's.

    Raises:
        ValueError: When it is called, if there is no such argument.
        TypeError: When it is called, if the argument or the result is not an array.

    Example:
        >>> mx.jacobian(mx.sin)(mx.array(0.0))
        array(1, dtype=float32)
    """

    def jacobian_of(*args: Any) -> array:
        alone, x = _argument("jacobian", fun, argnum, args)
        fewer = jacrev if math.prod(alone(x).shape) < x.size else jacfwd
        return fewer(alone)(x)

    return jacobian_of


def hessian(fun: Function, argnum: int = 0) -> Function:
    """The second derivatives: ``Hᵢⱼₖ = ∂²yᵢ/∂xⱼ∂xₖ``, tangents over cotangents.

    Args:
        fun: Function of arrays that returns one array.
        argnum: The argument to differentiate by.

    Returns:
        A function of the same arguments that returns an array of the result's shape followed
        twice by the argument's.

    Raises:
        ValueError: When it is called, if there is no such argument.
        TypeError: When it is called, if the argument or the result is not an array.

    Example:
        >>> mx.hessian(lambda x: x[0] * x[1])(mx.array([2.0, 3.0]))
        array([[0, 1],
               [1, 0]], dtype=float32)
    """
    return jacfwd(jacrev(fun, argnum), argnum)
