"""Fits a plane in a hundred dimensions by gradient descent, with functions of arrays only.

Run:

    uv run examples/linear_regression.py
"""

from __future__ import annotations

import argparse
import time

import mlx.core as mx


def main() -> None:
    """Parses the arguments, draws a problem, solves it and prints how far the answer is off."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    arguments = parser.parse_args()

    mx.random.seed(0)
    # The truth, and noisy observations of it.
    truth = mx.random.normal((arguments.features,))
    x = mx.random.normal((arguments.examples, arguments.features))
    y = x @ truth + 1e-2 * mx.random.normal((arguments.examples,))

    def loss_fn(weights: mx.array) -> mx.array:
        return 0.5 * mx.mean(mx.square(x @ weights - y))

    @mx.compile
    def step(weights: mx.array) -> mx.array:
        return weights - arguments.learning_rate * mx.grad(loss_fn)(weights)

    weights = 1e-2 * mx.random.normal((arguments.features,))
    mx.eval(x, y, weights)
    started = time.perf_counter()
    for _ in range(arguments.steps):
        weights = step(weights)
        mx.eval(weights)
    seconds = time.perf_counter() - started

    error = mx.linalg.norm(weights - truth).item()
    print(f"loss {loss_fn(weights).item():.6f}, distance from the truth {error:.5f}, ", end="")
    print(f"{arguments.steps / seconds:.0f} steps a second")


if __name__ == "__main__":
    main()
