"""Questions about casts between all dtypes.

Casts of a float that the target integer cannot hold after truncation are asked only where the
answer does not depend on the machine that MLX was built for; the rest are left out.
"""

from __future__ import annotations

FLOATS = [0.0, -0.0, 0.4, 0.5, -0.5, 1.5, 2.5, -1.5, 127.9, 128.0, -128.0, -129.0, 255.5, 256.0]
FLOATS += [32768.0, 65504.0, 65519.0, 65520.0, 70000.0, 1e-8, 6e-8, -1.0, 1.00390625, 1.01171875]
SPECIALS = [float("inf"), -float("inf"), float("nan"), 1e39, 3.4e38, 1e-46]
INTS = [
    0,
    1,
    -1,
    2,
    127,
    128,
    255,
    256,
    -128,
    -129,
    32767,
    32768,
    65535,
    65536,
    16777217,
    2147483647,
]
WIDE = [2**31, 2**32, 2**32 - 1, 2**53 + 1, 2**63 - 1, -(2**63), -(2**31) - 1, -(2**40)]
COMPLEX = [1 + 2j, -1.5 + 3j, 2j, 0j, 300 + 0j]
