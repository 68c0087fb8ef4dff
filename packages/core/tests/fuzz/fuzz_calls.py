"""Random calls of every public function of mlx.core, as Python source. No list of names exists.

What a parameter is annotated with says what it mostly gets; a tenth of all arguments are anything.
Words for strings come from the docstring of the function.
"""

from __future__ import annotations

import ast
import enum
import inspect
import re
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Target:
    """A callable: its source, its signature if it has one, and the words of its docstring."""

    source: str
    parameters: tuple[inspect.Parameter, ...] | None
    words: tuple[str, ...]
    method: bool = False


def _target(source: str, value: Any, method: bool = False) -> Target:
    try:
        parameters = tuple(inspect.signature(value).parameters.values())
    except (TypeError, ValueError):
        parameters = None
    words = re.findall(r"[\"'`]([\w,>.\-]{1,20})[\"'`]", inspect.getdoc(value) or "")
    return Target(
        source, parameters[1:] if method and parameters else parameters, tuple(words), method
    )


def _members(owner: type, source: str) -> Iterator[Target]:
    """The methods of a class, those of ``object`` left out."""
    for name in dir(owner):
        value = inspect.getattr_static(owner, name)
        if name.startswith("_") and not name.endswith("__"):
            continue
        if not callable(getattr(owner, name)) or isinstance(value, type) or hasattr(object, name):
            continue
        is_method = not isinstance(value, (staticmethod, classmethod))
        yield _target(f"{source}.{name}", getattr(owner, name), is_method)


def _modules() -> dict[str, types.ModuleType]:
    """mlx.core and the modules that it imports as such: the others are files, not names."""
    statements = ast.parse(inspect.getsource(mx)).body
    imported = [s for s in statements if isinstance(s, ast.ImportFrom) and s.level and not s.module]
    names = [alias.name for statement in imported for alias in statement.names]
    return {"mx": mx, **{f"mx.{name}": getattr(mx, name) for name in names}}


# A loop whose condition always holds goes on, as it should.
ENDLESS = ("while_loop",)


def targets() -> Iterator[Target]:
    """Every public function, class and method."""
    for prefix, module in _modules().items():
        for name, value in sorted(vars(module).items()):
            origin = getattr(value, "__module__", None) or ""
            if name.startswith("_") or name in ENDLESS:
                continue
            if not callable(value) or isinstance(value, enum.EnumMeta):
                continue
            if origin != module.__name__ and not (module is mx and origin.startswith("mlx")):
                continue
            yield _target(f"{prefix}.{name}", value)
            if isinstance(value, type):
                yield from _members(value, f"{prefix}.{name}")


# ---- arguments ---------------------------------------------------------------------------------

DTYPES = [
    "bool",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
]
SIZES = st.sampled_from([0, 1, 1, 2, 2, 3, 3, 4, 5])
SHAPES = st.lists(SIZES, max_size=4)
EXTREMES = [7, 31, 32, 33, 64, 100, 255, 256, 1000, 2**31 - 1, 2**31, -(2**31), 2**32, 2**40]
EXTREMES += [2**62, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30]
INTEGERS = st.one_of(*[st.integers(-3, 5)] * 9, st.sampled_from(EXTREMES)).map(str)
REALS = st.sampled_from(
    [
        "0.0",
        "-0.0",
        "0.5",
        "1.0",
        "-1.5",
        "2.0",
        "1e-5",
        "1e-30",
        "1e38",
        "1e300",
        "float('nan')",
        "float('inf')",
        "-float('inf')",
    ]
)
TUPLES = st.lists(INTEGERS, max_size=5).map(
    lambda items: "(" + "".join(f"{i}, " for i in items) + ")"
)
BOUNDS = st.one_of(st.just("None"), INTEGERS)
SLICES = st.tuples(BOUNDS, BOUNDS, BOUNDS).map(lambda b: f"slice({', '.join(b)})")
TYPES = st.sampled_from([f"mx.{'bool_' if d == 'bool' else d}" for d in DTYPES])
FUNCTIONS = st.sampled_from(
    [
        "lambda *a: a[0]",
        "lambda *a: a",
        "lambda x: x",
        "lambda x, y: (x + y, x * y)",
        "lambda x: x * 2.5",
        "lambda x: mx.sum(x)",
        "lambda *a: mx.sum(a[0] * a[0])",
        "lambda *a: [mx.exp(x) for x in a]",
        "lambda c, x: (c + 1, x)",
        "lambda x: x < 3",
        "lambda x: None",
        "lambda x: ()[0]",  # raises by itself
        "mx.sin",
        "mx.softmax",
        "mx.sort",
        "mx.compile(mx.exp)",
        "mx.grad(lambda x: mx.sum(x * x))",
        "len",
        "int",
    ]
)
WORDS = [
    "set",
    "add",
    "sum",
    "none",
    "mean",
    "x",
    "i",
    "ij,jk->ik",
    "...i,i",
    "constant",
    "edge",
    "float32",
    "left",
    "ortho",
    "same",
]
ODD = st.sampled_from(
    [
        "object()",
        "b'bytes'",
        "range(3)",
        "iter([1])",
        "memoryview(b'abcd')",
        "np.float32(1.5)",
        "np.int64(2)",
        "np.bool_(True)",
        "np.array(['a'])",
        "np.array([None])",
        "mx",
        "int",
        "mx.cpu",
        "mx.gpu",
        "mx.default_stream(mx.cpu)",
        "mx.finfo(mx.float32)",
        "{}",
        "[]",
        "()",
        "...",
        "None",
        "1j",
        "[[1, 2], [3]]",
        "[[1.0, 2], [3, 4]]",
        "{'a': mx.ones(2), 'b': [1, mx.zeros((2, 2))]}",
        "'\\x00'",
        "'\\ud800'",
        "'a' * 1000",
        "float",
    ]
)


class Arguments:
    """Draws the arguments of one call, whose arrays have related shapes."""

    def __init__(self, draw: Draw, words: tuple[str, ...]) -> None:
        self.draw = draw
        self.words = [*WORDS, *words, *words]
        self.shape: list[int] = draw(SHAPES)
        self.dtype: str = draw(st.sampled_from(["float32", *DTYPES]))

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) < percent

    def array(self) -> str:
        """An array, most often of the call's shape and dtype or near it."""
        shape, dtype = self.shape, self.dtype
        kind = self.draw(st.integers(0, 9))
        if kind == 0:
            shape = self.draw(SHAPES)
        elif kind == 1:
            shape = shape[1:]
        elif kind == 2:
            shape = shape[::-1]
        elif kind == 3:
            shape = [1 if n > 1 and i % 2 else n for i, n in enumerate(shape)]
        elif kind == 4:
            dtype = self.draw(st.sampled_from([*DTYPES, "int32", "uint32", "bool"]))
        layout = self.draw(st.sampled_from([0, 0, 0, 1, 3, 4]))
        return f"A({tuple(shape)}, {dtype!r}, {layout}, {self.draw(st.integers(0, 9))})"

    def arrays(self) -> str:
        items = [self.array() for _ in range(self.draw(st.integers(0, 3)))]
        return f"[{', '.join(items)}]"

    def anything(self) -> str:
        kind = self.draw(st.integers(0, 11))
        if kind == 0:
            return self.array()
        if kind == 1:
            return self.arrays()
        if kind == 2:
            return repr(self.draw(st.sampled_from(self.words)))
        if kind == 3:
            shape = tuple(self.draw(SHAPES))
            dtype = self.draw(st.sampled_from([d for d in DTYPES if d != "bfloat16"]))
            return f"N({shape}, {dtype!r}, {self.draw(st.integers(0, 3))}, 1)"
        if kind == 4:
            return "(" + "".join(f"{self.anything()}, " for _ in range(2)) + ")"
        others = [INTEGERS, REALS, TUPLES, SLICES, TYPES, FUNCTIONS, ODD]
        return self.draw(others[kind - 5])

    def number(self) -> str:
        return self.draw(st.one_of(INTEGERS, REALS, st.sampled_from(["True", "False", "2j"])))

    def key(self) -> str:
        """What may stand in brackets."""
        entries = []
        for _ in range(self.draw(st.integers(1, 3))):
            kind = self.draw(st.integers(0, 6))
            if kind < 2:
                entries.append(self.draw(SLICES))
            elif kind == 2:
                entries.append(self.draw(INTEGERS))
            elif kind == 3:
                entries.append(self.draw(st.sampled_from(["None", "...", "True", "[0, 1]"])))
            elif kind == 4:
                entries.append(self.array())
            elif kind == 5:
                entries.append(f"A({tuple(self.shape[:1])}, 'bool', 0, 1)")
            else:
                dtype = self.draw(st.sampled_from(["int32", "uint8", "int64", "uint64"]))
                entries.append(f"A({tuple(self.draw(SHAPES)[:2])}, {dtype!r}, 0, 0)")
        return entries[0] if len(entries) == 1 else f"({', '.join(entries)})"

    def typed(self, parameter: inspect.Parameter) -> str:
        """An argument that the annotation asks for, mostly."""
        if self.chance(8):
            return self.anything()
        if parameter.name in ("key", "indices") and self.chance(70):
            return self.key()
        if parameter.name == "stream":
            return self.draw(st.sampled_from(["None", "mx.cpu", "mx.default_stream(mx.cpu)", "7"]))
        text = str(parameter.annotation)
        choices: list[Callable[[], str]] = []
        if re.search(r"Sequence\[array|list\[array|arrays", text):
            choices.append(self.arrays)
        elif re.search(r"\barray\b|ArrayLike", text):
            choices += [self.array] * 3
        if "Numeric" in text:
            choices += [self.array, self.array, self.number]
        if "Dtype" in text:
            choices.append(lambda: self.draw(TYPES))
        if re.search(r"Sequence\[int|IntOrInts|Shape|Axes|tuple\[int", text):
            choices.append(lambda: self.draw(TUPLES))
        if re.search(r"\bint\b|IntOrInts|Axes", text):
            choices.append(lambda: self.draw(INTEGERS))
        if "float" in text:
            choices.append(lambda: self.draw(REALS))
        if "bool" in text:
            choices.append(lambda: self.draw(st.sampled_from(["True", "False"])))
        if "str" in text:
            choices.append(lambda: repr(self.draw(st.sampled_from(self.words))))
        if "Callable" in text or "Function" in text:
            choices.append(lambda: self.draw(FUNCTIONS))
        if not choices:
            choices = [self.array, self.array, self.number, self.anything]
        return self.draw(st.sampled_from(choices))()

    def of(self, parameters: tuple[inspect.Parameter, ...] | None) -> tuple[list[str], list[str]]:
        """Arguments by position, and by name with it."""
        if parameters is None:
            if self.chance(60):
                return [self.draw(st.sampled_from([self.array, self.array, self.number]))()], []
            return [self.anything() for _ in range(self.draw(st.integers(0, 3)))], []
        made: list[str] = []
        named: list[str] = []
        by_name = False
        for parameter in parameters:
            if parameter.kind is parameter.VAR_POSITIONAL:
                if not by_name:
                    made += [self.typed(parameter) for _ in range(self.draw(st.integers(0, 3)))]
                continue
            if parameter.kind is parameter.VAR_KEYWORD:
                continue
            required = parameter.default is parameter.empty
            if not self.chance(97 if required else 35):
                by_name = True
                continue
            if parameter.kind is parameter.KEYWORD_ONLY or by_name:
                if parameter.kind is not parameter.POSITIONAL_ONLY:
                    by_name = True
                    named.append(f"{parameter.name}={self.typed(parameter)}")
            else:
                made.append(self.typed(parameter))
        return made, named


WRAPPERS = (
    "mx.compile({f})({a})",
    "mx.compile({f}, shapeless=True)({a})",
    "mx.vmap({f})({a})",
    "mx.grad(summed({f}))({a})",
    "mx.vmap(mx.grad(summed({f})))({a})",
    "mx.compile(mx.grad(summed({f})))({a})",
    "mx.jvp({f}, [{a}], [{a}])",
    "mx.vjp({f}, [{a}], [{f}({a})])",
    "mx.checkpoint({f})({a})",
)


def calls(among: list[Target]) -> st.SearchStrategy[str]:
    """One call of one of the targets, plain or under a transform."""
    classes = {target.source: target for target in among}

    def instance(arguments: Arguments, source: str) -> str:
        """An object of a class."""
        if source in INSTANCES:
            return INSTANCES[source](arguments)
        positional, named = arguments.of(classes[source].parameters)
        return f"{source}({', '.join([*positional, *named])})"

    @st.composite
    def call(draw: Draw) -> str:
        target = draw(st.sampled_from(among))
        arguments = Arguments(draw, target.words)
        positional, named = arguments.of(target.parameters)
        if target.method:
            positional.insert(0, instance(arguments, target.source.rpartition(".")[0]))
        if draw(st.integers(0, 9)) < 7:
            return f"{target.source}({', '.join([*positional, *named])})"
        function = target.source
        if named:
            function = f"partial({function}, {', '.join(named)})"
        return draw(st.sampled_from(WRAPPERS)).format(f=function, a=", ".join(positional))

    return call()


# Objects of classes that have no constructor, or whose constructor makes few of them.
INSTANCES: dict[str, Callable[[Arguments], str]] = {
    "mx.array": Arguments.array,
    "mx.Dtype": lambda arguments: "mx.float32",
    "mx.Stream": lambda arguments: "mx.default_stream(mx.cpu)",
    "mx.ArrayAt": lambda arguments: f"{arguments.array()}.at[{arguments.key()}]",
    "mx.ArrayIterator": lambda arguments: f"iter({arguments.array()})",
}
