"""Learning rate schedules: functions of the step."""

from __future__ import annotations

import math
from collections.abc import Callable

import mlx.core as mx


def exponential_decay(init: float, decay_rate: float) -> Callable[..., mx.array]:
    r"""Schedule :math:`\text{init} \cdot \text{rate}^{t}`.

    Args:
        init: value at step zero.
        decay_rate: factor of each step.
    """

    def schedule(step: mx.array) -> mx.array:
        return init * decay_rate**step

    return schedule


def step_decay(init: float, decay_rate: float, step_size: int) -> Callable[..., mx.array]:
    r"""Schedule :math:`\text{init} \cdot \text{rate}^{\lfloor t / \text{size} \rfloor}`.

    Args:
        init: value at step zero.
        decay_rate: factor at the end of each stretch.
        step_size: steps in a stretch.

    Raises:
        ValueError: if ``step_size`` is not positive.
    """
    if step_size < 1:
        raise ValueError(f"[step_decay] step_size must be greater than 0, but got {step_size}.")

    def schedule(step: mx.array) -> mx.array:
        return init * (decay_rate ** (step // step_size))

    return schedule


def cosine_decay(init: float, decay_steps: int, end: float = 0.0) -> Callable[..., mx.array]:
    r"""Schedule along half a cosine from ``init`` to ``end`` (Loshchilov and Hutter, SGDR, 2017).

    Args:
        init: value at step zero.
        decay_steps: steps until ``end``.
        end: value from there on.

    Raises:
        ValueError: if ``decay_steps`` is not positive.
    """
    if decay_steps < 1:
        raise ValueError(
            f"[cosine_decay] decay_steps must be greater than 0, but got {decay_steps}."
        )

    def schedule(step: mx.array) -> mx.array:
        s = mx.minimum(step, decay_steps)
        decay = 0.5 * (1.0 + mx.cos((math.pi / decay_steps) * s))
        return end + decay * (init - end)

    return schedule


def linear_schedule(init: float, end: float, steps: int) -> Callable[..., mx.array]:
    """Schedule along a line from ``init`` to ``end`` in ``steps`` steps, constant afterwards.

    Raises:
        ValueError: if ``steps`` is not positive.
    """
    if steps < 1:
        raise ValueError(f"[linear_schedule] steps must be greater than 0, but got {steps}.")

    def schedule(step: mx.array) -> mx.array:
        return mx.minimum(step, steps) * ((end - init) / steps) + init

    return schedule


def join_schedules(
    schedules: list[Callable[..., mx.array]], boundaries: list[int]
) -> Callable[..., mx.array]:
    """Runs schedules one after another; each counts its steps from its own beginning.

    Args:
        schedules: n schedules.
        boundaries: the n - 1 steps at which the next one begins.

    Raises:
        ValueError: if there are no schedules, the numbers do not agree, or the boundaries do not
            ascend.
    """
    if len(schedules) == 0:
        raise ValueError("[join_schedules] Must provide at least 1 schedule to join.")
    if len(schedules) != len(boundaries) + 1:
        raise ValueError(
            f"[join_schedules] Received {len(boundaries)} boundaries but expected "
            f"{len(schedules) - 1}."
        )
    if list(boundaries) != sorted(boundaries) or min(boundaries, default=0) < 0:
        raise ValueError(f"[join_schedules] boundaries {boundaries} do not ascend from 0.")

    def schedule(step: mx.array) -> mx.array:
        output = schedules[0](step)
        for boundary, following in zip(boundaries, schedules[1:], strict=True):
            output = mx.where(step < boundary, output, following(step - boundary))
        return output

    return schedule
