"""Which samples of mx.random to ask for."""

from __future__ import annotations

from typing import Any

SEEDS = [0, 1, 42, 2**31, 2**32, 2**33 + 5, 2**64 - 1]
SHAPES: list[list[int]] = [[], [1], [2], [3], [8], [3, 5], [2, 3, 4], [0], [2, 0]]
# The first seed whose single word of bits rounds to 2**32 in float32: the clamp below one shows.
TOP_SEED = 43287483

Record = tuple[str, int, dict[str, Any]]


def records() -> list[Record]:
    """All (function, seed, arguments); a dtype is a name, keys are added by the caller."""
    out: list[Record] = []
    for seed in SEEDS:
        out.append(("split", seed, {"num": 2}))
        out.append(("randint", seed, {"low": -100, "high": 1000, "shape": [7]}))
        out.append(("uniform", seed, {"shape": [6]}))
    out += [("split", 0, {"num": n}) for n in (0, 1, 3, 4, 7)]
    for shape in SHAPES:
        out.append(("uniform", 7, {"shape": shape}))
        out.append(("bernoulli", 7, {"p": 0.3, "shape": shape}))
        out.append(("normal", 7, {"shape": shape}))
        for dtype in ("float16", "bfloat16"):
            out.append(("uniform", 7, {"shape": shape, "dtype": dtype}))
    out.append(("uniform", 11, {"shape": [301]}))
    for dtype in ("float32", "float16", "bfloat16"):
        out.append(("uniform", TOP_SEED, {"shape": [1], "dtype": dtype}))
        for low, high in ((-1.0, 1.0), (2.0, 5.0), (0.1, 0.3), (1.0, 0.0), (1000.0, 1001.0)):
            out.append(("uniform", 5, {"low": low, "high": high, "shape": [9], "dtype": dtype}))
        for function in ("normal", "laplace"):
            out.append((function, 5, {"shape": [33], "dtype": dtype}))
            out.append((function, 5, {"shape": [9], "dtype": dtype, "loc": 2.0, "scale": 3.0}))
            out.append((function, TOP_SEED, {"shape": [1], "dtype": dtype}))
        out.append(("gumbel", 5, {"shape": [33], "dtype": dtype}))
        out.append(("gumbel", TOP_SEED, {"shape": [1], "dtype": dtype}))
    for dtype, low, high in (
        ("int32", 0, 10),
        ("int32", -5, 5),
        ("int32", 0, 2**31 - 1),
        ("int32", 5, 5),
        ("int32", 10, 0),
        ("uint8", 0, 256),
        ("int8", -128, 128),
        ("int16", -7, 7),
        ("uint16", 0, 65536),
        ("uint32", 0, 3),
        ("int64", 0, 2**40),
        ("uint64", 0, 1000),
        ("bool_", 0, 2),
    ):
        out.append(("randint", 3, {"low": low, "high": high, "shape": [17], "dtype": dtype}))
    for p in (0.0, 0.25, 0.5, 0.999, 1.0):
        out.append(("bernoulli", 3, {"p": p, "shape": [17]}))
    out += [("permutation", 9, {"x": n}) for n in (0, 1, 2, 5, 10, 101)]
    for lower, upper in ((-2.0, 2.0), (0.0, 1.0), (1.0, 5.0), (1.0, 0.0)):
        out.append(("truncated_normal", 5, {"lower": lower, "upper": upper, "shape": [21]}))
    return out
