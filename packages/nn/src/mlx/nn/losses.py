"""Losses: functions of predictions and targets with a reduction."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Literal, TypeVar

import mlx.core as mx

Reduction = Literal["none", "mean", "sum"]
Loss = TypeVar("Loss", bound=Callable[..., mx.array])


def _named(loss: Loss) -> Loss:
    """Puts a loss's name before what is wrong with its arguments."""

    @wraps(loss)
    def named(*args: mx.array, **kwargs: mx.array) -> mx.array:
        try:
            return loss(*args, **kwargs)
        except (IndexError, TypeError, ValueError) as error:
            name = f"[{loss.__name__}]"
            if str(error).startswith(name):
                raise
            raise type(error)(f"{name} {error}") from error

    return named  # type: ignore[return-value]


def _reduce(loss: mx.array, reduction: str) -> mx.array:
    if reduction == "mean":
        return mx.mean(loss)
    if reduction == "sum":
        return mx.sum(loss)
    if reduction == "none":
        return loss
    raise ValueError("Invalid reduction. Must be one of ('none', 'mean', 'sum').")


def _same_shape(predictions: mx.array, targets: mx.array, first: str = "Predictions") -> None:
    if not (isinstance(predictions, mx.array) and isinstance(targets, mx.array)):
        kinds = f"{type(predictions).__name__} and {type(targets).__name__}"
        raise TypeError(f"{first} and targets are {kinds}, not arrays.")
    if predictions.shape != targets.shape:
        raise ValueError(
            f"{first} shape {predictions.shape} does not match targets shape {targets.shape}."
        )


@_named
def cross_entropy(
    logits: mx.array,
    targets: mx.array,
    weights: mx.array | None = None,
    axis: int = -1,
    label_smoothing: float = 0.0,
    reduction: Reduction = "none",
) -> mx.array:
    r"""Cross entropy of logits: :math:`-\sum_c t_c \log \text{softmax}(x)_c`.

    Args:
        logits: unnormalised scores, classes along ``axis``.
        targets: class indices of the logits' shape without ``axis``, or probabilities of the
            logits' shape.
        weights: factor for each loss, of the loss's shape.
        axis: the class axis.
        label_smoothing: share of the target spread evenly over the classes, in [0, 1).
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        The losses, of the logits' shape without ``axis``, or their reduction.

    Raises:
        ValueError: if the shapes do not agree, or ``label_smoothing`` or ``reduction`` is out of
            its range.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.losses.cross_entropy(mx.array([[2.0, -1.0], [-1.0, 2.0]]), mx.array([0, 1]))
        array([0.0485873, 0.0485873], dtype=float32)
    """
    if label_smoothing < 0 or label_smoothing >= 1:
        raise ValueError(f"Label smoothing must be in [0, 1), got {label_smoothing}.")
    as_probabilities = targets.ndim == logits.ndim
    if not as_probabilities and not mx.issubdtype(targets.dtype, mx.integer):
        raise ValueError(f"Targets of dtype {targets.dtype} are no class indices.")
    without_axis = logits.shape[:axis] + logits.shape[axis % logits.ndim + 1 :]
    if targets.shape != (logits.shape if as_probabilities else without_axis):
        raise ValueError(
            f"Targets shape {targets.shape} does not match logits shape {logits.shape}."
        )
    fused = (
        not (as_probabilities or label_smoothing)
        and axis % logits.ndim == logits.ndim - 1
        and logits.dtype in (mx.float16, mx.bfloat16, mx.float32)
        and mx.issubdtype(targets.dtype, mx.integer)
    )
    if fused:
        loss = mx.fast.cross_entropy(logits, targets).astype(logits.dtype)
    else:
        loss = _cross_entropy(logits, targets, axis, label_smoothing)
    if weights is not None:
        if weights.shape != loss.shape:
            raise ValueError(
                f"Weights with shape {weights.shape} is not the same as "
                f"output loss with shape {loss.shape}."
            )
        loss = loss * weights
    return _reduce(loss, reduction)


def _cross_entropy(
    logits: mx.array, targets: mx.array, axis: int, label_smoothing: float
) -> mx.array:
    """The losses by operations: along any axis, with any targets.

    As a loss does not change with a constant added to the logits, the largest is taken away: of
    large numbers there would be no places left.
    """
    logits = logits - mx.stop_gradient(mx.max(logits, axis=axis, keepdims=True))
    if targets.ndim == logits.ndim:
        score = mx.sum(logits * targets, axis=axis)
    else:
        score = mx.take_along_axis(logits, mx.expand_dims(targets, axis), axis).squeeze(axis)
    logsumexp = mx.logsumexp(logits, axis=axis)
    if label_smoothing > 0:
        mean = mx.mean(logits, axis=axis)
        return logsumexp - (1 - label_smoothing) * score - label_smoothing * mean
    return logsumexp - score


@_named
def binary_cross_entropy(
    inputs: mx.array,
    targets: mx.array,
    weights: mx.array | None = None,
    with_logits: bool = True,
    reduction: Reduction = "mean",
) -> mx.array:
    r"""Binary cross entropy: :math:`-t \log p - (1 - t) \log(1 - p)`.

    Args:
        inputs: logits, or probabilities where ``with_logits`` is false (their logarithms are
            clipped at -100).
        targets: labels in [0, 1], of the inputs' shape.
        weights: factor for each loss, of the loss's shape.
        with_logits: whether ``inputs`` are logits.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        The losses or their reduction.

    Raises:
        ValueError: if the shapes do not agree or ``reduction`` is unknown.
    """
    _same_shape(inputs, targets, "Inputs")
    if with_logits:
        loss = mx.logaddexp(0.0, inputs) - inputs * targets
    else:
        log_p = mx.clip(mx.log(inputs), a_min=-100, a_max=None)
        log_not_p = mx.clip(mx.log(1 - inputs), a_min=-100, a_max=None)
        loss = -(targets * log_p + (1 - targets) * log_not_p)
    if weights is not None:
        if weights.shape != loss.shape:
            raise ValueError(
                f"Weights with shape {weights.shape} is not the same as "
                f"output loss with shape {loss.shape}."
            )
        loss = loss * weights
    return _reduce(loss, reduction)


@_named
def mse_loss(predictions: mx.array, targets: mx.array, reduction: Reduction = "mean") -> mx.array:
    r"""Squared error: :math:`(p - t)^2`.

    Args:
        predictions: any shape.
        targets: the predictions' shape.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        The losses or their reduction.

    Raises:
        ValueError: if the shapes differ or ``reduction`` is unknown.
    """
    _same_shape(predictions, targets)
    return _reduce(mx.square(predictions - targets), reduction)


@_named
def l1_loss(predictions: mx.array, targets: mx.array, reduction: Reduction = "mean") -> mx.array:
    r"""Absolute error: :math:`|p - t|`; arguments as :func:`mse_loss`."""
    _same_shape(predictions, targets)
    return _reduce(mx.abs(predictions - targets), reduction)


@_named
def nll_loss(
    inputs: mx.array, targets: mx.array, axis: int = -1, reduction: Reduction = "none"
) -> mx.array:
    r"""Negative log likelihood.

    :math:`-x_t` of log probabilities :math:`x` and class index :math:`t`.

    Args:
        inputs: log probabilities, classes along ``axis``.
        targets: class indices of the inputs' shape without ``axis``.
        axis: the class axis.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        The losses or their reduction.
    """
    loss = -mx.take_along_axis(inputs, mx.expand_dims(targets, axis), axis).squeeze(axis)
    return _reduce(loss, reduction)


@_named
def kl_div_loss(
    inputs: mx.array, targets: mx.array, axis: int = -1, reduction: Reduction = "none"
) -> mx.array:
    r"""Kullback-Leibler divergence of log probabilities: :math:`\sum_i e^{t_i} (t_i - x_i)`.

    Args:
        inputs: log probabilities of the prediction.
        targets: log probabilities of the truth, same shape.
        axis: the axis that is summed.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        The losses or their reduction.
    """
    return _reduce(mx.sum(mx.exp(targets) * (targets - inputs), axis), reduction)


@_named
def smooth_l1_loss(
    predictions: mx.array, targets: mx.array, beta: float = 1.0, reduction: Reduction = "mean"
) -> mx.array:
    r"""Squared error near zero, absolute error beyond ``beta`` (Girshick, Fast R-CNN, 2015).

    :math:`0.5 d^2 / \beta` where :math:`|d| < \beta`, else :math:`|d| - 0.5 \beta`.
    """
    _same_shape(predictions, targets)
    distance = mx.abs(predictions - targets)
    loss = mx.where(distance < beta, 0.5 * mx.square(distance) / beta, distance - 0.5 * beta)
    return _reduce(loss, reduction)


@_named
def huber_loss(
    inputs: mx.array, targets: mx.array, delta: float = 1.0, reduction: Reduction = "none"
) -> mx.array:
    r"""Huber loss.

    :math:`0.5 d^2` where :math:`|d| \le \delta`, else :math:`\delta (|d| - 0.5 \delta)`.
    """
    distance = mx.abs(inputs - targets)
    loss = mx.where(distance <= delta, 0.5 * mx.square(distance), delta * (distance - 0.5 * delta))
    return _reduce(loss, reduction)


@_named
def log_cosh_loss(inputs: mx.array, targets: mx.array, reduction: Reduction = "none") -> mx.array:
    r"""Logarithm of the hyperbolic cosine of the error: :math:`\log \cosh(x - t)`."""
    errors = inputs - targets
    return _reduce(mx.logaddexp(errors, -errors) - math.log(2), reduction)


@_named
def hinge_loss(inputs: mx.array, targets: mx.array, reduction: Reduction = "none") -> mx.array:
    r"""Hinge loss for targets of -1 and 1: :math:`\max(0, 1 - x t)`."""
    return _reduce(mx.maximum(1 - inputs * targets, 0), reduction)


@_named
def gaussian_nll_loss(
    inputs: mx.array,
    targets: mx.array,
    vars: mx.array,
    full: bool = False,
    eps: float = 1e-6,
    reduction: Reduction = "mean",
) -> mx.array:
    r"""Negative log likelihood of a Gaussian: :math:`\frac{1}{2} (\log v + (x - t)^2 / v)`.

    Args:
        inputs: means.
        targets: samples, same shape.
        vars: variances, same shape; clipped from below at ``eps``.
        full: add the constant :math:`\frac{1}{2} \log 2 \pi`.
        eps: smallest variance.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        The losses or their reduction.

    Raises:
        ValueError: if the shapes differ.
    """
    _same_shape(inputs, targets, "Inputs")
    if inputs.shape != vars.shape:
        raise ValueError(f"Inputs shape {inputs.shape} does not match vars shape {vars.shape}.")
    vars = mx.maximum(vars, eps)
    loss = 0.5 * (mx.log(vars) + mx.square(targets - inputs) / vars)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return _reduce(loss, reduction)


@_named
def triplet_loss(
    anchors: mx.array,
    positives: mx.array,
    negatives: mx.array,
    axis: int = -1,
    p: int = 2,
    margin: float = 1.0,
    eps: float = 1e-6,
    reduction: Reduction = "none",
) -> mx.array:
    r"""Triplet loss: :math:`\max(\|a - p\|_p - \|a - n\|_p + \text{margin}, 0)`."""
    near = mx.power(mx.power(mx.abs(anchors - positives), p).sum(axis) + eps, 1 / p)
    far = mx.power(mx.power(mx.abs(anchors - negatives), p).sum(axis) + eps, 1 / p)
    return _reduce(mx.maximum(near - far + margin, 0), reduction)


@_named
def cosine_similarity_loss(
    x1: mx.array,
    x2: mx.array,
    axis: int = 1,
    eps: float = 1e-8,
    reduction: Reduction = "none",
) -> mx.array:
    r"""Cosine of the angle between two vectors.

    :math:`x_1 \cdot x_2 / \max(\|x_1\| \|x_2\|, \epsilon)`.
    """
    norms = mx.sqrt(mx.sum(mx.square(x1), axis)) * mx.sqrt(mx.sum(mx.square(x2), axis))
    return _reduce(mx.sum(x1 * x2, axis) / mx.maximum(norms, eps), reduction)


@_named
def margin_ranking_loss(
    inputs1: mx.array,
    inputs2: mx.array,
    targets: mx.array,
    margin: float = 0.0,
    reduction: Reduction = "none",
) -> mx.array:
    r"""Ranking loss for targets of -1 and 1: :math:`\max(0, -t (x_1 - x_2) + \text{margin})`.

    Raises:
        ValueError: if the shapes differ.
    """
    if not inputs1.shape == inputs2.shape == targets.shape:
        raise ValueError(
            f"The shapes of the arguments do not match: inputs1 {inputs1.shape}, "
            f"inputs2 {inputs2.shape}, targets {targets.shape}."
        )
    return _reduce(mx.maximum(0, -targets * (inputs1 - inputs2) + margin), reduction)
