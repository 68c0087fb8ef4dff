"""Tells malignant from benign tumours by logistic regression.

The 569 samples of 30 features come with scikit-learn (Wisconsin diagnostic breast cancer), so
nothing is downloaded. Run:

    uv run examples/logistic_regression.py
"""

from __future__ import annotations

import argparse
from typing import Any, cast

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from sklearn.datasets import load_breast_cancer  # pyright: ignore[reportMissingTypeStubs]
from sklearn.model_selection import train_test_split  # pyright: ignore


def load_data() -> tuple[mx.array, mx.array, mx.array, mx.array]:
    """Features of mean zero and deviation one, and labels: train and test, stratified."""
    cells = cast(Any, load_breast_cancer())
    features, labels = cells.data, cells.target
    split = cast(Any, train_test_split)
    parts = split(features, labels, test_size=0.25, random_state=0, stratify=labels)
    train_x, test_x, train_y, test_y = (np.asarray(part, np.float32) for part in parts)
    mean, deviation = train_x.mean(axis=0), train_x.std(axis=0)
    train_x, test_x = (train_x - mean) / deviation, (test_x - mean) / deviation
    return mx.array(train_x), mx.array(test_x), mx.array(train_y), mx.array(test_y)


def main() -> None:
    """Parses the arguments, fits the weights and prints what they say of unseen samples."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--learning-rate", type=float, default=0.5)
    parser.add_argument("--penalty", type=float, default=1e-3)
    arguments = parser.parse_args()

    train_x, test_x, train_y, test_y = load_data()
    parameters = {"weight": mx.zeros(train_x.shape[1]), "bias": mx.array(0.0)}

    def logits(parameters: dict[str, mx.array], x: mx.array) -> mx.array:
        return x @ parameters["weight"] + parameters["bias"]

    def loss_fn(parameters: dict[str, mx.array]) -> mx.array:
        loss = nn.losses.binary_cross_entropy(logits(parameters, train_x), train_y)
        return loss + arguments.penalty * mx.square(parameters["weight"]).sum()

    @mx.compile
    def step(parameters: dict[str, mx.array]) -> tuple[mx.array, dict[str, mx.array]]:
        loss, gradients = mx.value_and_grad(loss_fn)(parameters)
        rate = arguments.learning_rate
        return loss, {name: x - rate * gradients[name] for name, x in parameters.items()}

    loss = mx.array(0.0)
    for _ in range(arguments.steps):
        loss, parameters = step(parameters)
        mx.eval(loss, parameters)

    accuracy = mx.mean((logits(parameters, test_x) > 0) == test_y).item()
    print(f"loss {loss.item():.4f}, test accuracy {accuracy:.2%}")


if __name__ == "__main__":
    main()
