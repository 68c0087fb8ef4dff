"""Encodings of positions; theirs by hand."""

import math

from peer_cases.case import Case, Input

TOKENS = Input((2, 2, 3, 8))


def rope(torch, x, dims, traditional, base=10000.0, scale=1.0, offset=0):
    """The first ``dims`` features turned in pairs, the others as they are."""
    half = dims // 2
    rates = base ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.outer((torch.arange(x.shape[-2]) + offset) * scale, rates)
    cos, sin = angles.cos().to(wide(torch, x)), angles.sin().to(wide(torch, x))
    turned, rest = x[..., :dims].to(cos.dtype), x[..., dims:]
    if traditional:
        a, b = turned[..., ::2], turned[..., 1::2]
        y = torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)
    else:
        a, b = turned[..., :half], turned[..., half:]
        y = torch.cat([a * cos - b * sin, a * sin + b * cos], -1)
    return torch.cat([y.to(x.dtype), rest], -1)


def wide(torch, x):
    """The dtype to compute in: at least float32."""
    return torch.promote_types(x.dtype, torch.float32)


def sinusoidal(torch, x):
    """Sines and cosines of six frequencies from 1 to 0.01, of unit length."""
    rates = 0.01 ** (torch.arange(6, dtype=torch.float64) / 5)
    angles = x[..., None] * rates.to(wide(torch, x))
    return torch.cat([angles.sin(), angles.cos()], -1) * math.sqrt(2 / 12)


def alibi(torch, x):
    """Scores of four heads with their slopes."""
    slopes = 2.0 ** (-2.0 * torch.arange(1, 5, dtype=torch.float64))
    queries, keys = x.shape[-2:]
    distance = (torch.arange(queries)[:, None] - torch.arange(keys)).abs()
    return x - (slopes[:, None, None] * distance).to(x.dtype)


CASES = [
    Case("RoPE", lambda nn: nn.RoPE(8), lambda torch, p, x: rope(torch, x, 8, False), [TOKENS]),
    Case(
        "RoPE, traditional, of a part, later",
        lambda nn: lambda x: nn.RoPE(6, traditional=True, base=100, scale=0.5)(x, offset=3),
        lambda torch, p, x: rope(torch, x, 6, True, 100.0, 0.5, 3),
        [TOKENS],
    ),
    Case(
        "SinusoidalPositionalEncoding",
        lambda nn: nn.SinusoidalPositionalEncoding(12, min_freq=0.01),
        lambda torch, p, x: sinusoidal(torch, x),
        [Input((2, 5))],
    ),
    Case(
        "ALiBi", lambda nn: nn.ALiBi(), lambda torch, p, x: alibi(torch, x), [Input((1, 4, 3, 5))]
    ),
]
