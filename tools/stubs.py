"""Writes the methods that mlx.core installs on the array class into the class's type stub.

The class is native and lies in mlx.kernels; its methods are functions of mlx.core. The stub holds
them between two marks, so that editors and type checkers know them: `uv run python tools/stubs.py`
after a method came or changed its parameters. A test holds the stub against the class.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx

STUB = Path(__file__).resolve().parents[1] / "kernels/src/mlx/kernels/_array.pyi"
BEGIN = "    # The methods that mlx.core installs, written by tools/stubs.py.\n"
END = "    # The end of the installed methods.\n"
NAMES = {
    "Numeric": "_Operand",
    "StreamOrDevice": "_Stream",
    "Axes": "int | Sequence[int] | None",
    "IntOrInts": "int | Sequence[int]",
}


def annotation(text: str) -> str:
    """``text`` in the names that the stub knows."""
    return re.sub(r"\w+", lambda word: NAMES.get(word[0], word[0]), text)


def parameter(p: inspect.Parameter) -> str:
    """One parameter as source text."""
    star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
    default = "" if p.default is p.empty else f" = {p.default!r}"
    return f"{star}{p.name}: {annotation(p.annotation)}{default}"


def method(name: str, function: Callable[..., Any]) -> str:
    """The declaration of one method; its first parameter is the array."""
    signature = inspect.signature(function)
    texts, keywords = ["self"], False
    for p in list(signature.parameters.values())[1:]:
        if p.kind is p.KEYWORD_ONLY and not keywords:
            texts.append("*")
        keywords = keywords or p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        texts.append(parameter(p))
    result = annotation(signature.return_annotation)
    line = f"    def {name}({', '.join(texts)}) -> {result}: ...\n"
    if len(line) <= 101:
        return line
    listed = "".join(f"        {text},\n" for text in texts)
    return f"    def {name}(\n{listed}    ) -> {result}: ...\n"


def installed() -> str:
    """The declarations of everything public on the class that the class itself does not define."""
    text = ""
    for name, member in sorted(vars(mx.array).items()):
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            # `at` makes a class of mlx.core, which mlx.kernels does not know.
            getter: Any = member.fget
            made = isinstance(getter, type)
            kind = "Any" if made else annotation(inspect.signature(getter).return_annotation)
            text += f"    @property\n    def {name}(self) -> {kind}: ...\n"
        elif inspect.isfunction(member) or type(member).__name__ == "OpFunction":
            text += method(name, member)
    return text


def rewritten(stub: str) -> str:
    """``stub`` with the present methods between the marks."""
    before, rest = stub.split(BEGIN)
    return before + BEGIN + installed() + END + rest.split(END)[1]


if __name__ == "__main__":
    STUB.write_text(rewritten(STUB.read_text()))
