"""Losses."""

from peer_cases.case import Case, Input

PAIR = [Input((4, 6)), Input((4, 6))]
CLASSES = [Input((4, 6)), Input((4,), "index", 6)]
CASES = [
    Case(
        "cross_entropy",
        lambda nn: nn.losses.cross_entropy,
        lambda torch, p, x, t: torch.nn.functional.cross_entropy(x, t.long(), reduction="none"),
        CLASSES,
    ),
    Case(
        "cross_entropy smoothed",
        lambda nn: lambda x, t: nn.losses.cross_entropy(x, t, label_smoothing=0.25),
        lambda torch, p, x, t: torch.nn.functional.cross_entropy(
            x, t.long(), reduction="none", label_smoothing=0.25
        ),
        CLASSES,
    ),
    Case(
        "cross_entropy along axis 1",
        lambda nn: lambda x, t: nn.losses.cross_entropy(x, t, axis=1, reduction="mean"),
        lambda torch, p, x, t: torch.nn.functional.cross_entropy(x, t.long()),
        [Input((2, 5, 3)), Input((2, 3), "index", 5)],
    ),
    Case(
        "cross_entropy of probabilities",
        lambda nn: lambda x, t: nn.losses.cross_entropy(x, nn.softmax(t)),
        lambda torch, p, x, t: torch.nn.functional.cross_entropy(
            x, torch.softmax(t, -1), reduction="none"
        ),
        PAIR,
    ),
    Case(
        "cross_entropy weighted",
        lambda nn: lambda x, t, w: nn.losses.cross_entropy(x, t, weights=w, reduction="sum"),
        lambda torch, p, x, t, w: (
            torch.nn.functional.cross_entropy(x, t.long(), reduction="none") * w
        ).sum(),
        [*CLASSES, Input((4,), "positive")],
    ),
    Case(
        "binary_cross_entropy weighted",
        lambda nn: lambda x, t, w: nn.losses.binary_cross_entropy(x, t, w),
        lambda torch, p, x, t, w: torch.nn.functional.binary_cross_entropy_with_logits(x, t, w),
        [Input((4, 6)), Input((4, 6), "share"), Input((4, 6), "share")],
    ),
    Case(
        "binary_cross_entropy",
        lambda nn: nn.losses.binary_cross_entropy,
        lambda torch, p, x, t: torch.nn.functional.binary_cross_entropy_with_logits(x, t),
        [Input((4, 6)), Input((4, 6), "share")],
    ),
    Case(
        "binary_cross_entropy of probabilities",
        lambda nn: (
            lambda x, t: nn.losses.binary_cross_entropy(
                nn.sigmoid(x), t, with_logits=False, reduction="sum"
            )
        ),
        lambda torch, p, x, t: torch.nn.functional.binary_cross_entropy(
            torch.sigmoid(x), t, reduction="sum"
        ),
        [Input((4, 6)), Input((4, 6), "share")],
    ),
    Case(
        "mse_loss",
        lambda nn: nn.losses.mse_loss,
        lambda torch, p, x, t: torch.nn.functional.mse_loss(x, t),
        PAIR,
    ),
    Case(
        "l1_loss",
        lambda nn: nn.losses.l1_loss,
        lambda torch, p, x, t: torch.nn.functional.l1_loss(x, t),
        PAIR,
    ),
    Case(
        "nll_loss",
        lambda nn: nn.losses.nll_loss,
        lambda torch, p, x, t: torch.nn.functional.nll_loss(x, t.long(), reduction="none"),
        CLASSES,
    ),
    Case(
        "kl_div_loss",
        lambda nn: nn.losses.kl_div_loss,
        lambda torch, p, x, t: torch.nn.functional.kl_div(
            x, t, reduction="none", log_target=True
        ).sum(-1),
        PAIR,
    ),
    Case(
        "smooth_l1_loss",
        lambda nn: lambda x, t: nn.losses.smooth_l1_loss(x, t, beta=0.3),
        lambda torch, p, x, t: torch.nn.functional.smooth_l1_loss(x, t, beta=0.3),
        PAIR,
    ),
    Case(
        "huber_loss",
        lambda nn: lambda x, t: nn.losses.huber_loss(x, t, delta=0.7),
        lambda torch, p, x, t: torch.nn.functional.huber_loss(x, t, "none", delta=0.7),
        PAIR,
    ),
    Case(
        "log_cosh_loss",
        lambda nn: nn.losses.log_cosh_loss,
        lambda torch, p, x, t: torch.log(torch.cosh(x - t)),
        PAIR,
    ),
    Case(
        "hinge_loss",
        lambda nn: nn.losses.hinge_loss,
        lambda torch, p, x, t: torch.relu(1 - x * t),
        [Input((4, 6)), Input((4, 6), "sign")],
    ),
    Case(
        "gaussian_nll_loss",
        lambda nn: lambda x, t, v: nn.losses.gaussian_nll_loss(x, t, v, full=True),
        lambda torch, p, x, t, v: torch.nn.functional.gaussian_nll_loss(x, t, v, full=True),
        [Input((4, 6)), Input((4, 6)), Input((4, 6), "positive")],
    ),
    Case(
        "triplet_loss",
        lambda nn: nn.losses.triplet_loss,
        lambda torch, p, a, b, c: torch.relu(
            (((a - b) ** 2).sum(-1) + 1e-6).sqrt() - (((a - c) ** 2).sum(-1) + 1e-6).sqrt() + 1
        ),
        [Input((4, 6)), Input((4, 6)), Input((4, 6))],
    ),
    Case(
        "cosine_similarity_loss",
        lambda nn: nn.losses.cosine_similarity_loss,
        lambda torch, p, x, y: torch.nn.functional.cosine_similarity(x, y, 1),
        PAIR,
    ),
    Case(
        "margin_ranking_loss",
        lambda nn: lambda x, y, t: nn.losses.margin_ranking_loss(x, y, t, margin=0.1),
        lambda torch, p, x, y, t: torch.nn.functional.margin_ranking_loss(
            x, y, t, margin=0.1, reduction="none"
        ),
        [Input((9,)), Input((9,)), Input((9,), "sign")],
    ),
]
