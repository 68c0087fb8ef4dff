"""Layers over space: convolutions and their transposes, pooling, norms of channels."""

from peer_cases.case import Case, Input, first, last

LINE, IMAGE, VOLUME = Input((2, 6, 4)), Input((2, 4, 5, 4)), Input((1, 3, 3, 4, 2))
SMALL = Input((1, 3, 4, 2))


def convolution(spatial, transposed=False, **choice):
    """PyTorch's, which has filters and channels in front, exchanged where it is transposed."""
    name = f"conv_transpose{spatial}d" if transposed else f"conv{spatial}d"

    def theirs(torch, p, x):
        weight = first(p["weight"])
        if transposed:
            weight = weight.transpose(0, 1)
        return last(getattr(torch.nn.functional, name)(first(x), weight, p["bias"], **choice))

    return theirs


def pooling(name, *numbers):
    """PyTorch's, channels in front."""
    return lambda torch, p, x: last(getattr(torch.nn.functional, name)(first(x), *numbers))


def mean_of_windows(torch, p, x):
    """avg_pool3d, which PyTorch lacks in bfloat16."""
    x = first(x)
    for axis in (2, 3, 4):
        x = x.unfold(axis, 2, 1)
    return last(x.mean((-3, -2, -1)))


def group_norm(torch, p, x):
    """PyTorch's, whose groups are channels side by side."""
    return last(torch.nn.functional.group_norm(first(x), 2, p["weight"], p["bias"], 1e-5))


def group_norm_of_strides(torch, p, x):
    """PyTorch's for groups of every second channel, as MLX has them by default."""
    order = [0, 2, 1, 3]  # its own inverse
    x = first(x)[:, order]
    weight, bias = p["weight"][order], p["bias"][order]
    return last(torch.nn.functional.group_norm(x, 2, weight, bias, 1e-5)[:, order])


def resized(mode, **choice):
    """PyTorch's for twice the size, computed in float32 at least, as MLX's is but for nearest."""

    def theirs(torch, p, x):
        x = first(x)
        if mode != "nearest":
            x = x.to(torch.promote_types(x.dtype, torch.float32))
        size = [2 * n for n in x.shape[2:]]
        return last(torch.nn.functional.interpolate(x, size, mode=mode, **choice))

    return theirs


def batch_norm(torch, p, x):
    """PyTorch's with the statistics of the batch."""
    norm = torch.nn.functional.batch_norm
    return last(norm(first(x), None, None, p["weight"], p["bias"], training=True, eps=1e-5))


def instance_norm(torch, p, x):
    """PyTorch's with the statistics of each image."""
    norm = torch.nn.functional.instance_norm
    return last(norm(first(x), weight=p["weight"], bias=p["bias"], eps=1e-5))


NORM = {"weight": (4,), "bias": (4,)}
CASES = [
    Case(
        "Conv1d",
        lambda nn: nn.Conv1d(4, 6, 3, stride=2, padding=1),
        convolution(1, stride=2, padding=1),
        [LINE],
        {"weight": (6, 3, 4), "bias": (6,)},
    ),
    Case(
        "Conv2d",
        lambda nn: nn.Conv2d(4, 6, 3, padding=1),
        convolution(2, padding=1),
        [IMAGE],
        {"weight": (6, 3, 3, 4), "bias": (6,)},
    ),
    Case(
        "Conv2d, dilated, in groups",
        lambda nn: nn.Conv2d(4, 6, (2, 3), dilation=2, padding=(1, 2), groups=2),
        convolution(2, dilation=2, padding=(1, 2), groups=2),
        [IMAGE],
        {"weight": (6, 2, 3, 2), "bias": (6,)},
    ),
    Case(
        "Conv2d, depthwise",
        lambda nn: nn.Conv2d(4, 4, 3, padding=1, groups=4),
        convolution(2, padding=1, groups=4),
        [IMAGE],
        {"weight": (4, 3, 3, 1), "bias": (4,)},
    ),
    Case(
        "Conv3d",
        lambda nn: nn.Conv3d(2, 3, 2, padding=1),
        convolution(3, padding=1),
        [VOLUME],
        {"weight": (3, 2, 2, 2, 2), "bias": (3,)},
    ),
    Case(
        "ConvTranspose1d",
        lambda nn: nn.ConvTranspose1d(4, 3, 3, stride=2, padding=1, output_padding=1),
        convolution(1, transposed=True, stride=2, padding=1, output_padding=1),
        [LINE],
        {"weight": (3, 3, 4), "bias": (3,)},
    ),
    Case(
        "ConvTranspose2d",
        lambda nn: nn.ConvTranspose2d(4, 3, 2, stride=2),
        convolution(2, transposed=True, stride=2),
        [IMAGE],
        {"weight": (3, 2, 2, 4), "bias": (3,)},
    ),
    Case(
        "ConvTranspose3d",
        lambda nn: nn.ConvTranspose3d(2, 3, 2, padding=1),
        convolution(3, transposed=True, padding=1),
        [VOLUME],
        {"weight": (3, 2, 2, 2, 2), "bias": (3,)},
    ),
    Case("MaxPool1d", lambda nn: nn.MaxPool1d(2), pooling("max_pool1d", 2), [LINE]),
    Case("MaxPool2d", lambda nn: nn.MaxPool2d(3, 2, 1), pooling("max_pool2d", 3, 2, 1), [IMAGE]),
    Case("MaxPool3d", lambda nn: nn.MaxPool3d(2, 1), pooling("max_pool3d", 2, 1), [VOLUME]),
    Case("AvgPool1d", lambda nn: nn.AvgPool1d(2), pooling("avg_pool1d", 2), [LINE]),
    Case("AvgPool2d", lambda nn: nn.AvgPool2d(3, 2, 1), pooling("avg_pool2d", 3, 2, 1), [IMAGE]),
    Case("AvgPool3d", lambda nn: nn.AvgPool3d(2, 1), mean_of_windows, [VOLUME]),
    Case(
        "BatchNorm",
        lambda nn: nn.BatchNorm(4, track_running_stats=False),
        batch_norm,
        [IMAGE],
        NORM,
    ),
    Case(
        "GroupNorm",
        lambda nn: nn.GroupNorm(2, 4, pytorch_compatible=True),
        group_norm,
        [IMAGE],
        NORM,
    ),
    Case(
        "GroupNorm of strides",
        lambda nn: nn.GroupNorm(2, 4),
        group_norm_of_strides,
        [IMAGE],
        NORM,
    ),
    Case("Upsample", lambda nn: nn.Upsample(2), resized("nearest"), [SMALL]),
    Case("Upsample, linear", lambda nn: nn.Upsample(2, "linear"), resized("bilinear"), [SMALL]),
    Case(
        "Upsample, linear, aligned",
        lambda nn: nn.Upsample(2, "linear", align_corners=True),
        resized("bilinear", align_corners=True),
        [SMALL],
    ),
    Case("Upsample, cubic", lambda nn: nn.Upsample(2, "cubic"), resized("bicubic"), [SMALL]),
    Case(
        "Dropout2d, evaluated",
        lambda nn: nn.Dropout2d(0.5).eval(),
        lambda torch, p, x: x * 1,
        [SMALL],
    ),
    Case(
        "Dropout3d, evaluated",
        lambda nn: nn.Dropout3d(0.5).eval(),
        lambda torch, p, x: x * 1,
        [SMALL],
    ),
    Case(
        "InstanceNorm",
        lambda nn: nn.InstanceNorm(4, affine=True),
        instance_norm,
        [IMAGE],
        NORM,
    ),
]
