"""Writes packages/core/tests/golden/*.json from the answers of Apple's MLX.

Run it in an environment that has Apple's `mlx` (0.32.4) and NumPy and not this project:

    python tools/golden.py [topic ...]

It calls only the public API of `mlx.core`. The tests read the files and need no other MLX. With
`--check` it writes nothing and lists where the `mlx.core` of this environment answers otherwise.
"""

from __future__ import annotations

import importlib
import json
import operator
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "packages" / "core" / "tests"))
sys.path.insert(0, str(ROOT / "tools"))

import golden_codec  # noqa: E402
from golden_cases import casts, dtypes, samples  # noqa: E402

CASES = ROOT / "tools" / "golden_cases"
mx: Any = importlib.import_module("mlx.core")  # Apple's, or with --check this project's


def questions(name: str) -> tuple[str, list[str]]:
    """The setup (a line that starts with #!) and the cases of golden_cases/<name>.txt, one a line.

    A backslash and n inside a case stand for a new line. Other lines that start with # are
    comments.
    """
    setup, cases = "", []
    for line in (CASES / f"{name}.txt").read_text().splitlines():
        if line.startswith("#!"):
            setup = line[2:].strip() + "\n"
        elif line and not line.startswith("#"):
            cases.append(line)
    return setup, cases


def promotion() -> dict[str, Any]:
    """result_type and the dtype of `x + y` for all pairs, and of `x + scalar` for each scalar."""
    names = dtypes.DTYPES
    pairs = {}
    for a in names:
        for b in names:
            x, y = mx.ones((2,), getattr(mx, a)), mx.ones((2,), getattr(mx, b))
            by_add = golden_codec.dtype_name((x + y).dtype)
            by_type = golden_codec.dtype_name(mx.result_type(x.dtype, y.dtype))
            if by_add != by_type:
                raise AssertionError(f"add and result_type differ for {a}, {b}")
            pairs.setdefault(a.rstrip("_"), {})[b.rstrip("_")] = by_add
    scalars: dict[str, dict[str, str]] = {}
    for text in questions("scalars")[1]:
        for a in names:
            code = f"x = mx.ones((2,), mx.{a})\n(x + ({text})).dtype"
            got = golden_codec.answer(code, mx, np)
            scalars.setdefault(text, {})[a.rstrip("_")] = got[1]
    return {"pairs": pairs, "scalars": scalars}


SETUP = """
v = mx.array([1, 2, 3, 4]).astype(mx.{dtype})
x = v.reshape(2, 2)
y = mx.array([1, 1, 1, 1]).astype(mx.{dtype}).reshape(2, 2)
i = mx.array([0, 1], dtype=mx.uint32)
i2 = mx.array([[0], [1]], dtype=mx.uint32)
k = mx.array([True, False])
"""


def _dtypes_of(got: Any) -> Any:
    if got[0] in "a!":
        return got[1]
    if got[0] in ("t", "l"):
        return [_dtypes_of(item) for item in got[1]]
    return got[1]


def op_dtypes() -> dict[str, Any]:
    """The result dtype, or the exception, of each op for each dtype of its arguments.

    Where MLX's kernel of a legal call is missing (a RuntimeError on evaluation), there is no entry.
    """
    table: dict[str, Any] = {}
    for text in questions("ops")[1]:
        row = table.setdefault(text, {})
        for name in dtypes.DTYPES:
            code = SETUP.format(dtype=name) + text
            got = golden_codec.answer(code, mx, np)
            value = golden_codec.run(code, {"mx": mx, "np": np})
            if got == ["!", "RuntimeError"] and not isinstance(value, BaseException):
                continue
            row[name.rstrip("_")] = _dtypes_of(got)
    return table


def cast_table() -> dict[str, Any]:
    """{source dtype: {target dtype: values}} beside {source dtype: {"from": values}}."""
    table: dict[str, Any] = {}
    for source in dtypes.DTYPES:
        if source == "complex64":
            x = mx.array(casts.COMPLEX)
        elif source.startswith(("float", "bfloat")):
            x = mx.array(casts.FLOATS, dtype=getattr(mx, source))
        elif source.endswith("64"):
            x = mx.array(casts.INTS + casts.WIDE, dtype=mx.int64).astype(getattr(mx, source))
        else:
            x = mx.array(casts.INTS).astype(getattr(mx, source))
        row = table.setdefault(source.rstrip("_"), {"from": golden_codec.encode(x, mx)[3]})
        for target in dtypes.DTYPES:
            row[target.rstrip("_")] = golden_codec.encode(x.astype(getattr(mx, target)), mx)[3]
    for source in ("float16", "bfloat16", "float32", "float64"):
        x = mx.array(casts.SPECIALS, dtype=getattr(mx, source))
        row = table.setdefault(source + " specials", {"from": golden_codec.encode(x, mx)[3]})
        for target in ("bool_", "float16", "bfloat16", "float32", "float64", "complex64"):
            row[target.rstrip("_")] = golden_codec.encode(x.astype(getattr(mx, target)), mx)[3]
    return table


def _leaks(error: BaseException) -> bool:
    """Whether an exception of C++ came through that nobody meant to show."""
    return "bad_cast" in str(error) or isinstance(error, SystemError)


def answers(name: str) -> dict[str, Any]:
    """{case: answer} for each case of a file. What MLX has not implemented is left out."""
    table: dict[str, Any] = {}
    setup, lines = questions(name)
    for line in lines:
        code = setup + line.replace("\\n", "\n")
        value = golden_codec.run(code, {"mx": mx, "np": np})
        if isinstance(value, BaseException) and "ot implemented" in str(value):
            continue
        if isinstance(value, BaseException) and _leaks(value):
            table[code] = ["!", "*"]  # any exception will do
            continue
        if code in table:
            raise AssertionError(f"twice: {code}")
        table[code] = golden_codec.answer(code, mx, np)
    return table


def random_samples() -> list[Any]:
    """[[function, seed, arguments, answer], ...]."""
    table = []
    for name, seed, arguments in samples.records():
        keywords = dict(arguments)
        if "dtype" in keywords:
            keywords["dtype"] = getattr(mx, keywords["dtype"])
        value = getattr(mx.random, name)(**keywords, key=mx.random.key(seed))
        table.append([name, seed, arguments, golden_codec.encode(value, mx)])
    return table


FILES = ["values", "creation", "gradients", "printing", "indexing", "index_mixes"]
FILES += ["transforms", "random", "fft", "linalg", "products"]
TOPICS: dict[str, Callable[[], Any]] = {
    "promotion": promotion,
    "op_dtypes": op_dtypes,
    "casts": cast_table,
    **{name: partial(answers, name) for name in FILES},
    "random_samples": random_samples,
}


def _leaves(tree: dict[str, Any], path: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in tree.items():
        name = f"{path} {key}".strip()
        flat |= _leaves(value, name) if isinstance(value, dict) else {name: value}
    return flat


def check(topic: str, ours: Any) -> None:
    """Prints each answer that differs from the file's."""
    golden = golden_codec.load(topic)
    same: Callable[[Any, Any], bool] = golden_codec.matches
    if isinstance(golden, list):
        ours = {json.dumps(row[:-1]): row[-1] for row in ours}
        golden = {json.dumps(row[:-1]): row[-1] for row in golden}
    elif topic not in FILES:
        golden, ours, same = _leaves(golden), _leaves(ours), operator.eq
    wrong = 0
    for case, want in golden.items():
        got = ours.get(case, ["!", "?"])
        if not same(got, want):
            wrong += 1
            print(f"{case}\n    want {json.dumps(want)[:200]}\n    got  {json.dumps(got)[:200]}")
    print(f"{topic}: {len(golden) - wrong} of {len(golden)} agree")


def main() -> None:
    """Writes or checks the topics that are named, or all."""
    golden_codec.GOLDEN.mkdir(parents=True, exist_ok=True)
    names = [word for word in sys.argv[1:] if word != "--check"]
    for topic in names or TOPICS:
        if "--check" in sys.argv:
            try:
                check(topic, json.loads(json.dumps(TOPICS[topic]())))
            except Exception as error:  # an early mlx.core may lack what a topic needs
                print(f"{topic}: stopped by {error!r}")
            continue
        answer = TOPICS[topic]()
        text = json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
        path = golden_codec.GOLDEN / f"{topic}.json"
        path.write_text(text + "\n")
        print(f"{path.name}: {len(text)} bytes")


if __name__ == "__main__":
    main()
