"""Layers without space or time: linear ones, embeddings, norms of the last axis."""

from peer_cases.case import Case, Input

X = [Input((4, 6))]
CASES = [
    Case(
        "Linear",
        lambda nn: nn.Linear(6, 5),
        lambda torch, p, x: torch.nn.functional.linear(x, p["weight"], p["bias"]),
        [Input((4, 6))],
        {"weight": (5, 6), "bias": (5,)},
    ),
    Case(
        "Linear without bias",
        lambda nn: nn.Linear(6, 5, bias=False),
        lambda torch, p, x: torch.nn.functional.linear(x, p["weight"]),
        [Input((2, 3, 6))],
        {"weight": (5, 6)},
    ),
    Case(
        "Bilinear",
        lambda nn: nn.Bilinear(3, 4, 2),
        lambda torch, p, x, y: torch.nn.functional.bilinear(y, x, p["weight"], p["bias"]),
        [Input((5, 3)), Input((5, 4))],
        {"weight": (2, 4, 3), "bias": (2,)},
    ),
    Case(
        "Embedding",
        lambda nn: nn.Embedding(7, 3),
        lambda torch, p, x: torch.nn.functional.embedding(x.long(), p["weight"]),
        [Input((4, 5), "index", 7)],
        {"weight": (7, 3)},
    ),
    Case(
        "PReLU",
        lambda nn: nn.PReLU(6),
        lambda torch, p, x: torch.nn.functional.prelu(x, p["weight"]),
        X,
        {"weight": (6,)},
    ),
    Case(
        "LayerNorm",
        lambda nn: nn.LayerNorm(6),
        lambda torch, p, x: torch.nn.functional.layer_norm(x, (6,), p["weight"], p["bias"], 1e-5),
        X,
        {"weight": (6,), "bias": (6,)},
    ),
    Case(
        "LayerNorm without bias",
        lambda nn: nn.LayerNorm(6, bias=False),
        lambda torch, p, x: torch.nn.functional.layer_norm(x, (6,), p["weight"], None, 1e-5),
        X,
        {"weight": (6,)},
    ),
    Case(
        "LayerNorm alone",
        lambda nn: nn.LayerNorm(6, eps=0.01, affine=False),
        lambda torch, p, x: torch.nn.functional.layer_norm(x, (6,), eps=0.01),
        X,
    ),
    Case("Identity", lambda nn: nn.Identity(), lambda torch, p, x: x * 1, X),
    Case("Dropout, evaluated", lambda nn: nn.Dropout(0.5).eval(), lambda torch, p, x: x * 1, X),
    Case(
        "RMSNorm",
        lambda nn: nn.RMSNorm(6),
        lambda torch, p, x: torch.nn.functional.rms_norm(x, (6,), p["weight"], 1e-5),
        X,
        {"weight": (6,)},
    ),
    Case(
        "Sequential",
        lambda nn: nn.Sequential(nn.Linear(6, 4), nn.GELU(), nn.LayerNorm(4), nn.Linear(4, 2)),
        lambda torch, p, x: torch.nn.functional.linear(
            torch.nn.functional.layer_norm(
                torch.nn.functional.gelu(
                    torch.nn.functional.linear(x, p["layers.0.weight"], p["layers.0.bias"])
                ),
                (4,),
                p["layers.2.weight"],
                p["layers.2.bias"],
                1e-5,
            ),
            p["layers.3.weight"],
            p["layers.3.bias"],
        ),
        X,
        {
            "layers.0.weight": (4, 6),
            "layers.0.bias": (4,),
            "layers.2.weight": (4,),
            "layers.2.bias": (4,),
            "layers.3.weight": (2, 4),
            "layers.3.bias": (2,),
        },
    ),
]
