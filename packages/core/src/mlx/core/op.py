"""What an op is: its name in the kernel library, its inference, and its rules of calculus.

An op has a *kind*. From the kind follow inference (in C++), batching, fusion and, with a
derivative, differentiation; only a structural op states all of it by itself. The public function,
the op and its rules stand together in ``ops/``; this file holds what they share and no op of its
own.

The three rules of an op ``y = f(x1, ..., xn)``:

* **jvp** pushes tangents forward: ``ty = J tx``.
* **vjp** pulls cotangents back: ``cx = Jᴴ cy``. The conjugate is MLX's convention: the gradient of
  a real function of ``a + bi`` is ``∂/∂a + i ∂/∂b``.
* **vmap** computes f on inputs that have one more axis, at the front.

Rules are made of public ops and array methods, so they differentiate, batch and compile again.
``None`` stands for a tangent or cotangent that is zero and was never computed.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mlx import kernels
from mlx.kernels import array
from mlx.kernels.hints import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

if TYPE_CHECKING:
    from .dtypes import Dtype

F = TypeVar("F", bound=Callable[..., Any])
Shape = tuple[int, ...]
Maybe = Sequence["array | None"]


class Aval(NamedTuple):
    """What inference says of one output."""

    shape: Shape
    dtype: Dtype


class Op(kernels.NodeMaker):
    """One op of the kernel library with its inference and rules.

    Calling it, ``op(*inputs, stream=None, **params)``, makes a node; ``infer`` declares how its
    shapes and dtypes follow from them. Both are native. Inputs of an elementwise op may be Python
    scalars.

    Attributes:
        name: The op's one name: in the registry, in prints and in exported files.
        id: Its number in the registry of the kernel library.
        params: The names of its parameters, in the order in which nodes hold them.
        multiple: Whether its outputs are a tuple even where there is only one.
        constant: Whether its outputs are locally constant (argmax, comparisons, floor), so that
            every tangent and cotangent is zero.
        sized: Whether a shapeless function with it is recorded again for other shapes: because its
            parameters hold sizes, or because only its public function checks shapes. A structural
            op is, unless it says that its inference is enough.
    """

    kind: ClassVar[str] = "structural"
    named: ClassVar[dict[str, Op]] = {}

    def __init__(
        self,
        name: str,
        *,
        params: Sequence[str] = (),
        multiple: bool = False,
        constant: bool = False,
        sized: bool | None = None,
        like: int | None = None,
        **registry: Any,
    ) -> None:
        """Registers the op; ``registry`` goes to the kernel library: effect, blocking, domain.

        ``like`` is the input whose shape and dtype the output has, where that is all its inference.
        """
        self.name = name
        self.params = tuple(params)
        self.multiple = multiple
        self.constant = constant
        self.sized = self.kind == "structural" if sized is None else sized
        number = kernels.register_op(name, self.kind, params=self.params, face=self, **registry)
        super().__init__(number, self.params, multiple, like)
        self._jvp: Callable[..., Any] | None = None
        self._vjp: Callable[..., Any] | None = None
        self._vjp_onto: Callable[..., array] | None = None
        self._vmap: Callable[..., Any] | None = None
        self._rebuild: Callable[..., Any] | None = None
        Op.named[name] = self

    def __repr__(self) -> str:
        return f"Op({self.name})"

    # ---- declaration -----------------------------------------------------------------------

    def jvp(self, rule: F) -> F:
        """Declares ``jvp(tangents, output, *inputs, **params) -> tangent``."""
        self._jvp = rule
        return rule

    def vjp(self, rule: F) -> F:
        """Declares ``vjp(cotangent, output, *inputs, **params) -> (cotangent, ...)``."""
        self._vjp = rule
        return rule

    def vjp_onto(self, rule: F) -> F:
        """Declares ``vjp_onto(total, cotangent, output, *inputs, **params) -> cotangent``.

        What vjp gives for the first input, added to a cotangent that is there already: for ops that
        read a part of their input, where only that part of the total has to change.
        """
        self._vjp_onto = rule
        return rule

    def vmap(self, rule: F) -> F:
        """Declares ``vmap(batched, *inputs, **params) -> output``; the batch is axis 0."""
        self._vmap = rule
        return rule

    def rebuild(self, rule: F) -> F:
        """Declares ``rebuild(*inputs, **params)``: what shapeless compile puts for other shapes."""
        self._rebuild = rule
        return rule

    # ---- use -------------------------------------------------------------------------------

    def again(self, inputs: Sequence[array], params: dict[str, Any]) -> tuple[array, ...]:
        """The outputs on other inputs: what shapeless compile does for each new shape."""
        out = (self._rebuild or self)(*inputs, **params)
        return out if isinstance(out, tuple) else (out,)

    def bind(self, values: Sequence[Any]) -> dict[str, Any]:
        """A node's positional parameters as keywords."""
        return dict(zip(self.params, values, strict=True))

    @property
    def has_vjp(self) -> bool:
        """Whether cotangents can be pulled back without transposing the jvp."""
        return self.constant or self._vjp is not None

    @property
    def has_vjp_onto(self) -> bool:
        """Whether a cotangent of the first input can be added to another at less cost."""
        return self._vjp_onto is not None

    @property
    def has_jvp(self) -> bool:
        """Whether tangents can be pushed forward without transposing the vjp."""
        return self.constant or self._jvp is not None

    @property
    def has_vmap(self) -> bool:
        """Whether a batching rule is declared."""
        return self._vmap is not None

    def pull(
        self,
        cotangents: Maybe,
        outputs: Sequence[array],
        inputs: Sequence[array],
        params: dict[str, Any],
        wanted: Sequence[bool],
    ) -> Maybe:
        """Cotangents of the inputs (those wanted, at least) from cotangents of the outputs."""
        if self.constant:
            return [None] * len(inputs)
        if self._vjp is None:
            raise NotImplementedError(f"[vjp] {self.name} has no gradient.")
        if self.multiple:
            return self._vjp(tuple(cotangents), tuple(outputs), *inputs, **params)
        return self._vjp(cotangents[0], outputs[0], *inputs, **params)

    def pull_onto(
        self,
        total: array,
        cotangents: Maybe,
        outputs: Sequence[array],
        inputs: Sequence[array],
        params: dict[str, Any],
    ) -> array:
        """The total and the cotangent of the first input, from that of the only output."""
        assert self._vjp_onto is not None
        return self._vjp_onto(total, cotangents[0], outputs[0], *inputs, **params)

    def push(
        self,
        tangents: Maybe,
        outputs: Sequence[array],
        inputs: Sequence[array],
        params: dict[str, Any],
    ) -> Maybe:
        """Tangents of the outputs from tangents of the inputs."""
        if self.constant:
            return [None] * len(outputs)
        if self._jvp is None:
            raise NotImplementedError(f"[jvp] {self.name} has no tangent rule.")
        if self.multiple:
            return self._jvp(tuple(tangents), tuple(outputs), *inputs, **params)
        return [self._jvp(tuple(tangents), outputs[0], *inputs, **params)]

    def batch(
        self, batched: Sequence[bool], inputs: Sequence[array], params: dict[str, Any]
    ) -> Sequence[array]:
        """The outputs, all with a batch axis at the front, on inputs of which some have one."""
        if self._vmap is None:
            raise NotImplementedError(f"[vmap] {self.name} has no batching rule.")
        out = self._vmap(tuple(batched), *inputs, **params)
        return out if self.multiple else [out]


# ---- elementwise -------------------------------------------------------------------------------

Slope = Callable[..., array] | float | None


class Elementwise(Op):
    """A scalar formula applied to every element of its broadcast inputs.

    ``slopes[i]`` is the partial derivative with respect to input i, a function of the inputs and
    the output, or a number where it is constant, or None where it is zero everywhere. It serves
    both directions: ``ty = Σ sᵢ tᵢ`` and ``cᵢ = conj(sᵢ) cy``, summed over the axes along which
    input i was broadcast: the transpose of a broadcast is a sum.
    """

    kind = "elementwise"

    def __init__(self, name: str, arity: int, slopes: Sequence[Slope], **options: Any) -> None:
        """Registers the op for the formula of the same name."""
        super().__init__(name, arity=arity, **options)
        self.arity = arity
        self.slopes = tuple(slopes)

    @property
    def has_vjp(self) -> bool:
        """Slopes serve where no rule is declared."""
        return True

    @property
    def has_jvp(self) -> bool:
        """Slopes serve where no rule is declared."""
        return True

    def slope(self, index: int, inputs: Sequence[array], output: array) -> array | float | None:
        """The partial derivative with respect to one input."""
        slope = self.slopes[index]
        return slope(*inputs, output) if callable(slope) else slope

    def pull(
        self,
        cotangents: Maybe,
        outputs: Sequence[array],
        inputs: Sequence[array],
        params: dict[str, Any],
        wanted: Sequence[bool],
    ) -> Maybe:
        """Multiplies by conjugate slopes and sums over broadcast axes."""
        if self._vjp is not None or self.constant:
            pulled = super().pull(cotangents, outputs, inputs, params, wanted)
        else:
            pulled = []
            for i in range(len(inputs)):
                slope = self.slope(i, inputs, outputs[0]) if wanted[i] else None
                pulled.append(_scaled(cotangents[0], slope, conjugated=True))
        return [
            None if c is None or not needed else unbroadcast(c, x)
            for c, x, needed in zip(pulled, inputs, wanted, strict=True)
        ]

    def push(
        self,
        tangents: Maybe,
        outputs: Sequence[array],
        inputs: Sequence[array],
        params: dict[str, Any],
    ) -> Maybe:
        """Sums the slopes times the tangents."""
        if self._jvp is not None or self.constant:
            return super().push(tangents, outputs, inputs, params)
        total = None
        for i, tangent in enumerate(tangents):
            slope = None if tangent is None else self.slope(i, inputs, outputs[0])
            term = _scaled(tangent, slope)
            if term is not None:
                total = term if total is None else total + term
        return [None if total is None else broadcast_like(total, outputs[0])]

    def batch(
        self, batched: Sequence[bool], inputs: Sequence[array], params: dict[str, Any]
    ) -> Sequence[array]:
        """Aligns the ranks behind the batch axis; broadcasting does the rest."""
        return [self(*aligned(batched, inputs), **params)]


def _scaled(x: array | None, slope: array | float | None, conjugated: bool = False) -> array | None:
    """``x`` times a slope or its conjugate; without multiplying where that is one or minus one."""
    if x is None or slope is None:
        return None
    if isinstance(slope, array):
        return x * (conjugate(slope) if conjugated else slope)
    return x if slope == 1 else -x if slope == -1 else x * slope


def conjugate(x: array) -> array:
    """The complex conjugate; real arrays are their own."""
    return x.conj() if x.dtype == kernels.complex64 else x


def aligned(batched: Sequence[bool], inputs: Sequence[array]) -> list[array]:
    """Inputs with the ranks of their batched members made equal by axes after the first."""
    rank = max(x.ndim - 1 if mapped else x.ndim for mapped, x in zip(batched, inputs, strict=True))
    return [
        expand_dims(x, range(1, 1 + rank - (x.ndim - 1))) if mapped else x
        for mapped, x in zip(batched, inputs, strict=True)
    ]


def elementwise(
    name: str | None = None,
    *,
    d: tuple[Slope, ...] | Slope = None,
    domain: str = "any",
    result: str = "same",
    constant: bool = False,
    operator: bool = False,
) -> Callable[[F], F]:
    """Makes a declaration, signature and docstring, into the native function of a formula.

    ``@elementwise(d=lambda x, out: cosh(x))`` above ``def sinh(a, *, stream=None)`` registers the
    op "sinh", whose formula is in ``scalar/``, and returns the function that makes its nodes
    without a Python frame.

    Args:
        name: The formula's name, if it is not the function's.
        d: The derivative; for several inputs a tuple of partial derivatives. See ``Elementwise``.
        domain: The dtypes the formula is computed in: any, numeric, inexact, real, integral,
            boolean or complex.
        result: The dtype of the result: same, boolean, real, sum or index.
        constant: Whether the derivative is zero everywhere.
        operator: Whether it is the meaning of the array's operator of the same name.
    """

    def declare(function: F) -> F:
        op_name = name or function.__name__
        code = function.__code__
        arity = code.co_argcount - ("stream" in code.co_varnames[: code.co_argcount])
        slopes: tuple[Any, ...] = d if isinstance(d, tuple) else (d,)
        op = Elementwise(op_name, arity, slopes, domain=domain, result=result, constant=constant)
        if operator:
            kernels.set_hook(op_name, op.id)
        return native(op, guarded=False)(function)

    return declare


def native(op: Op, *, form: str = "", guarded: bool = True) -> Callable[[F], F]:
    """Makes a declaration into a native function that makes nodes of an op.

    Args:
        op: The op.
        form: The kind of arguments that it reads without a Python frame, see ``functions.h`` in the
            kernel library; empty for that of all ops of a kind.
        guarded: Whether the declaration has a body, which is called with all other arguments.
    """

    def declare(function: F) -> F:
        made: Any = kernels.OpFunction(op.id, function, form)
        made.otherwise = function if guarded else None
        return made

    return declare


# ---- reductions --------------------------------------------------------------------------------


class Reduction(Op):
    """A formula folded over axes: parameters ``axes`` (ascending, not negative) and ``keepdims``.

    A linear reduction (sum) needs a vjp only: its jvp is itself.
    """

    kind = "reduction"

    def __init__(self, name: str, *, linear: bool = False, **options: Any) -> None:
        """Registers the op for the reduction of the same name."""
        super().__init__(name, params=("axes", "keepdims"), **options)
        if linear:
            self._jvp = lambda tangents, out, x, **params: self(tangents[0], **params)

    def batch(
        self, batched: Sequence[bool], inputs: Sequence[array], params: dict[str, Any]
    ) -> Sequence[array]:
        """Reduces the same axes, one further back."""
        axes = tuple(axis + 1 for axis in params["axes"])
        return [self(inputs[0], axes=axes, keepdims=params["keepdims"])]


def reduction(**options: Any) -> Callable[[F], F]:
    """Makes a declaration, signature and docstring, into the native function of a reduction.

    ``@reduction(result="sum")`` above ``def prod(a, /, axis=None, keepdims=False, *, stream=None)``
    registers the op "prod" and returns the function that makes its nodes without a Python frame.
    The body is called with other arguments than those, and where an array has no elements.

    Args:
        **options: See ``Reduction``.
    """

    def declare(function: F) -> F:
        op = Reduction(function.__name__, **options)
        return native(op)(function)

    return declare


def restored(x: array, like: array, axes: Shape, keepdims: bool) -> array:
    """The result of a reduction broadcast to the shape of what was reduced."""
    return broadcast_like(x if keepdims else expand_dims(x, axes), like)


# ---- movement ----------------------------------------------------------------------------------


class Movement(Op):
    """Elements in another order or number: a view, or a copy where no view exists.

    It is linear, so its jvp is itself; its vjp is the transpose, which each op declares.
    """

    kind = "movement"

    def __init__(self, name: str, *, params: Sequence[str] = (), **options: Any) -> None:
        """Registers the op for the movement of the same name."""
        super().__init__(name, params=params, **options)
        self._jvp = lambda tangents, out, x, **params: self(tangents[0], **params)


class Cast(Op):
    """The conversion to a dtype."""

    kind = "cast"

    def __init__(self, name: str) -> None:
        """Registers the op; there is one of its kind."""
        super().__init__(name, params=("dtype",))


# The identity through which a traced function sees its arguments; the kernel library makes it.
_trace_leaf = Movement("trace_leaf")
_trace_leaf.vjp(lambda c, out, x: (c,))
_trace_leaf.jvp(lambda tangents, out, x: tangents[0])
_trace_leaf.vmap(lambda batched, x: x)
_trace_leaf.rebuild(lambda x: x)


# ---- what rules are made of --------------------------------------------------------------------
# The ops below live in ops/; rules reach them by name because this file must not import them.


def broadcast_to(x: array, shape: Shape) -> array:
    """``x`` broadcast to a shape, itself if it has it."""
    return x if x.shape == shape else Op.named["broadcast_to"](x, shape=shape)


def broadcast_like(x: array, like: array) -> array:
    """``x`` broadcast to the shape of another array, also when a graph is used again."""
    if dynamic_shapes():
        return Op.named["broadcast_like"](x, like)
    return broadcast_to(x, like.shape)


def reshape_like(x: array, like: array) -> array:
    """``x`` in the shape of another array, also when a graph is used again."""
    if dynamic_shapes():
        return Op.named["reshape_like"](x, like)
    return x if x.shape == like.shape else x.reshape(like.shape)


def element_count(x: array, axes: Sequence[int]) -> array | float:
    """The number of elements that axes hold; an op while a shapeless compile traces."""
    if dynamic_shapes():
        return Op.named["element_count"](x, axes=tuple(axes))
    return float(math.prod(x.shape[axis] for axis in axes))


def expand_dims(x: array, axes: Sequence[int]) -> array:
    """``x`` with axes of size one at the places ``axes`` of the result."""
    axes = tuple(axes)
    return Op.named["expand_dims"](x, axes=axes) if axes else x


def unbroadcast(c: array, x: array) -> array:
    """The transpose of broadcasting ``x`` to the shape of ``c``: the sum over the added axes."""
    if 1 in x.shape:
        fix_shapes()  # other sizes might broadcast that axis, or not
    if c.shape == x.shape:
        return c
    lead = c.ndim - x.ndim
    grown = [i + lead for i, n in enumerate(x.shape) if n == 1 and c.shape[i + lead] != 1]
    if grown or lead:
        c = Op.named["sum"](c, axes=(*range(lead), *grown), keepdims=True)
    return Op.named["squeeze"](c, axes=tuple(range(lead))) if lead else c


def added(x: array | None, y: array | None) -> array | None:
    """The sum of two tangents, of which one or both may be zero."""
    return y if x is None else x if y is None else x + y


def full(value: float, shape: Shape, dtype: Dtype) -> array:
    """An array of one value: a constant, broadcast."""
    return broadcast_to(array(value, dtype), shape)


def full_like(x: array, value: float) -> array:
    """An array of one value with the shape and dtype of another."""
    return broadcast_like(array(value, x.dtype), x)


# ---- shapeless tracing -------------------------------------------------------------------------


class _Tracing(threading.local):
    """Whether a shapeless compile traces on this thread, and what it has met."""

    dynamic = False
    fixed = False


_tracing = _Tracing()


def dynamic_shapes() -> bool:
    """Whether a shapeless compile is tracing: what a shape decides is then left open if it can."""
    return _tracing.dynamic


def fix_shapes() -> None:
    """Says that what is traced fits these shapes only: a function decided by sizes what it does."""
    _tracing.fixed = True


def fixed_shapes() -> bool:
    """Whether that was said since the tracing began."""
    return _tracing.fixed


@contextmanager
def tracing_shapes(dynamic: bool) -> Iterator[None]:
    """Says to this thread whether shapes may differ when what is recorded is used again."""
    before = _tracing.dynamic, _tracing.fixed
    _tracing.dynamic, _tracing.fixed = dynamic, False
    try:
        yield
    finally:
        _tracing.dynamic, _tracing.fixed = before


# ---- public names ------------------------------------------------------------------------------


def method(function: F) -> F:
    """Installs a public function as the array method of the same name."""
    setattr(array, function.__name__, function)
    return function


def method_named(name: str) -> Callable[[F], F]:
    """Installs a function as an array method where the two differ in signature or name."""

    def install(function: F) -> F:
        function.__name__ = name
        function.__qualname__ = f"array.{name}"
        setattr(array, name, function)
        return function

    return install


def attribute(name: str) -> Callable[[F], F]:
    """Installs a function of the array alone as an array property."""

    def install(function: F) -> F:
        setattr(array, name, property(function, doc=function.__doc__))
        return function

    return install


def public(namespace: dict[str, Any]) -> list[str]:
    """The public names of an ops module: what it defined itself, without a leading underscore."""
    module = namespace["__name__"]
    return [
        name
        for name, value in namespace.items()
        if not name.startswith("_")
        and not isinstance(value, Op)
        and getattr(value, "__module__", None) == module
    ]
