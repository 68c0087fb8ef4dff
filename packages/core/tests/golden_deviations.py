"""Where mlx.core answers otherwise than MLX on purpose: the golden cases left out, with reasons."""

from __future__ import annotations

import golden_codec

SETUP = (
    "x = mx.array([1.0, 2.0, 3.0]); y = mx.array([4.0, 5.0, 6.0]); "
    "m = mx.arange(6.0).reshape(2, 3)\n"
)
LINALG = next(iter(golden_codec.load("linalg"))).partition("\n")[0] + "\n"
PRODUCTS = next(iter(golden_codec.load("products"))).partition("\n")[0] + "\n"
COMPLEX_POWER = "0j ** 0j is 1 and positive powers of 0j are 0; MLX goes through the logarithm."
CONSTANT_POWER = "x ** 0 is constant, its slope zero; MLX gives nan at x = 0."

CASES = {
    PRODUCTS + "mx.grad(lambda m: mx.block_masked_mm(A, B, 64, m, ml, mr).sum())(mo)": (
        "The slope of a factor of the result is the sum of what it multiplies; MLX multiplies that "
        "by the factor once more."
    ),
    PRODUCTS + "mx.segmented_mm(x.astype(mx.float16), y.astype(mx.float16), s)": (
        "As in float32; MLX's float16 sums other elements from the second row on."
    ),
    "mx.array([5+2j, 1j]) // mx.array([2+0j, 1+1j])": (
        "Complex numbers have no floor: ours raises; MLX divides and does not round."
    ),
    "mx.power(mx.array([0j]), mx.array([0j]))": COMPLEX_POWER,
    "mx.power(mx.array([0j]), mx.array([2 + 0j]))": COMPLEX_POWER,
    "[repr(-mx.array(float('nan'))), repr(mx.array([0.0]) / 0)]": (
        "A NaN prints as nan; MLX shows its sign bit, which differs from machine to machine."
    ),
    "repr(mx.array([2**64 - 1, 0], dtype=mx.uint64))": (
        "Integers above int64 are read where the dtype is uint64; MLX leaks a cast error of C++."
    ),
    "mx.vecdot(mx.ones((2, 3)), mx.ones((3,)))": (
        "Arguments of two ranks broadcast; MLX calls axis -1 out of bounds then."
    ),
    "mx.sin(mx.array([float('inf'), -0.0, 1e10]))": "sin(-0.0) is -0.0 by IEEE 754; MLX gives 0.0.",
    "mx.array(np.arange(6)[::-2])": "Negative strides are copied; MLX refuses them.",
    "mx.full((2,), mx.array(1.5), dtype=mx.int32)": (
        "dtype= holds for an array, too; MLX forgets it."
    ),
    "mx.as_strided(mx.arange(6), (2,), (1, 1))": (
        "A shape and strides of two lengths are an error; MLX ignores strides that are too many."
    ),
    "mx.jvp(lambda x: mx.max(x), [mx.array([1.0, 3.0, 3.0])], [mx.array([1.0, 2.0, 5.0])])": (
        "Ties share in forward mode as they share in reverse mode; MLX's jvp takes the first one, "
        "so that its jvp and vjp belong to different Jacobians."
    ),
    "mx.grad(lambda x: (x ** 0).sum())(mx.array([0.0, 3.0]))": CONSTANT_POWER,
    "mx.grad(lambda x, y: mx.power(x, y).sum(), argnums=(0, 1))"
    "(mx.array([0.0, 2.0]), mx.array([0.0, 0.0]))": CONSTANT_POWER,
    "mx.grad(lambda x, y: mx.divmod(x, y)[1].sum(), argnums=(0, 1))"
    "(mx.array([7.0]), mx.array([2.0]))": (
        "The remainder of divmod has the slopes of remainder; MLX gives zeros."
    ),
    "def f(x, v): x[mx.array([1, 1])] = v; return (x * x).sum()\n"
    "mx.grad(f, argnums=(0, 1))(mx.array([1.0, 2.0]), mx.array([3.0, 4.0]))": (
        "Of two values written to one place only the last has a gradient; MLX gives it to both."
    ),
    "def f(x): x[x > 1.0] = 0.0; return (x * x).sum()\nmx.grad(f)(mx.array([1.0, 2.0]))": (
        "A mask is constant for differentiation; MLX wants stop_gradient around it."
    ),
    "mx.vjp(lambda z: z ** 2, [mx.array([0.5 + 1j])], [mx.array([1 + 2j])])": (
        "The slope of power is conjugated, as of all other ops; MLX forgets it here."
    ),
    SETUP + "def f(a): a[0] = 9.0; return a\nmx.vmap(f)(m)": (
        "Every row is written; MLX writes the first one only."
    ),
    SETUP + "seen = []\nf = mx.custom_function(lambda a: a * 2)\n@f.vmap\n"
    "def g(inputs, axes): seen.extend([type(inputs).__name__, axes]); return inputs + 100, axes\n"
    "[mx.vmap(lambda a: f(a), in_axes=1)(m), seen]": (
        "A rule always sees batch axes in front; the result is the same."
    ),
    LINALG + "L.solve(a, mx.array([1.0, 2.0]).astype(mx.float64))": (
        "Computed in the promoted dtype; MLX inverts the matrix in float32."
    ),
    LINALG + "mx.vmap(L.solve_triangular)(mx.stack([a, s]), mx.ones((2, 2, 3)))": (
        "Only the triangle is read; under vmap MLX reads the whole matrix."
    ),
}

_LEAK = "MLX leaks a cast error of C++ for integers outside int64; ours is a ValueError, or right."
_WRAPS = "Beside bools such an integer is an int64; MLX wraps it into an int32."

SCALARS = {
    (scalar, name): _LEAK if want == "RuntimeError" else _WRAPS
    for scalar, row in golden_codec.load("promotion")["scalars"].items()
    for name, want in row.items()
    if want == "RuntimeError" or (name == "bool" and scalar.startswith(("2**", "-2**")))
}

_ONE_ERROR = (
    "Bits of a float: a ValueError as from the operators; MLX's functions differ from those."
)
_NO_FLOOR = "Complex numbers have no floor."

_COMPLEX_MATRICES = "LAPACK has it for complex numbers, and so have we."

DTYPES = {
    ("mx.linalg.cholesky(x)", "*"): (
        "A matrix that is not positive definite is an error; MLX returns what LAPACK left."
    ),
    **{
        (f"mx.linalg.{call}", "complex64"): _COMPLEX_MATRICES
        for call in (
            "inv(x)",
            "tri_inv(x)",
            "cholesky_inv(x)",
            "pinv(x)",
            "solve(x, y)",
            "solve_triangular(x, y)",
            "det(x)",
            "slogdet(x)",
            "lu(x)",
            "lu_factor(x)",
            "qr(x)",
        )
    },
    ("mx.nan_to_num(x)", "float64"): "float64 works; MLX has no such kernel.",
    ("mx.hadamard_transform(x)", "float64"): "float64 works; MLX has no such kernel.",
    ("mx.put_along_axis(x, i2, y, 1)", "*"): (
        "Values of a larger shape than the indices are an error; MLX reads any of them."
    ),
    ("mx.floor_divide(x, y)", "complex64"): _NO_FLOOR,
    ("mx.floor_divide(x, 2)", "complex64"): _NO_FLOOR,
    ("x // 2", "complex64"): _NO_FLOOR,
    **{
        (text, name): _ONE_ERROR
        for text in (
            "mx.bitwise_and(x, y)",
            "mx.bitwise_or(x, y)",
            "mx.bitwise_xor(x, y)",
            "mx.left_shift(x, y)",
            "mx.right_shift(x, y)",
            "mx.bitwise_left_shift(x, y)",
            "mx.bitwise_right_shift(x, y)",
            "mx.left_shift(x, y.astype(mx.uint8))",
            "mx.bitwise_and(x, y.astype(mx.bool_))",
        )
        for name in ("float16", "bfloat16", "float32", "float64", "complex64")
    },
}

_INDEXED = "a = mx.arange(24).reshape(2, 3, 4); v = mx.arange(5)\n"
_KEPT = "The dtype stays, as after v[:] = 2.5; under ... and None MLX takes over the value's."
_MASKS = "Masks read, stand in mixes and beside at; MLX refuses them there."

INDEXING = {
    **{
        _INDEXED + code: _MASKS
        for code in (
            "v[True]",
            "v[mx.array([True, False, True, False, True])]",
            "a[0, mx.array([True, False, True])] = 50; a[0]",
            "a[mx.array([True, False]), 0] = 50; a[:, 0]",
            "a[:, mx.array([True, False, True])] = 50; a.sum()",
            "v.at[mx.array([True, False, True, False, False])].add(1)",
        )
    },
    **{
        _INDEXED + code: _KEPT
        for code in ("v[...] = 2.5; v", "v[None] = 2.5; v", "v.at[...].add(1.5)")
    },
    _INDEXED + "v.at[1:].divide(2)": (
        "Quotients are rounded down; MLX multiplies by the reciprocal, which is 0 as an integer."
    ),
}
