"""Trains a small network on real handwritten digits and draws its confusion matrix.

The 1,797 scans of 8 x 8 pixels come with scikit-learn (UCI's optical recognition of handwritten
digits), so nothing is downloaded. Run:

    uv run examples/digits.py
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any, cast

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits  # pyright: ignore[reportMissingTypeStubs]
from sklearn.model_selection import train_test_split  # pyright: ignore
from tqdm import tqdm


class MLP(nn.Module):
    """Two hidden layers of gelu units."""

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.layers = [
            nn.Linear(inputs, hidden),
            nn.Linear(hidden, hidden),
            nn.Linear(hidden, classes),
        ]

    def __call__(self, x: mx.array) -> mx.array:
        for layer in self.layers[:-1]:
            x = nn.gelu(layer(x))
        return self.layers[-1](x)


def load_data() -> tuple[NDArray[Any], ...]:
    """Images in [0, 1] and labels: train and test, stratified, 20% test."""
    digits = cast(Any, load_digits())
    images = (digits.data / 16).astype(np.float32)
    labels = digits.target.astype(np.uint32)
    split = cast(Any, train_test_split)
    return tuple(split(images, labels, test_size=0.2, random_state=0, stratify=labels))


def draw_confusion(confusion: np.ndarray, path: Path, cell: int = 44) -> None:
    """Writes a picture: rows are the true digits, columns what the network said."""
    size = cell * (len(confusion) + 1)
    image = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(image)
    shares = confusion / confusion.sum(axis=1, keepdims=True)
    for i in range(len(confusion)):
        middle = cell * (i + 1) + cell // 2
        draw.text((middle, cell // 2), str(i), fill="black", anchor="mm")
        draw.text((cell // 2, middle), str(i), fill="black", anchor="mm")
        for j, share in enumerate(shares[i]):
            left, top = cell * (j + 1), cell * (i + 1)
            shade = int(255 * (1 - share))
            color = (shade, shade, 255) if i == j else (255, shade, shade)
            draw.rectangle((left, top, left + cell - 2, top + cell - 2), fill=color)
            if confusion[i, j]:
                ink = "white" if share > 0.5 else "black"
                where = (left + cell // 2, top + cell // 2)
                draw.text(where, str(confusion[i, j]), fill=ink, anchor="mm")
    image.save(path)


def main() -> None:
    """Parses the arguments, trains, prints the accuracy of each epoch, writes the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--picture", type=Path, default=Path("confusion.png"))
    arguments = parser.parse_args()

    started = time.perf_counter()
    mx.random.seed(0)
    shuffler = np.random.default_rng(0)
    train_x, test_x, train_y, test_y = load_data()
    x, y = mx.array(test_x), mx.array(test_y)

    model = MLP(train_x.shape[1], arguments.hidden, 10)
    optimizer = optim.Adam(learning_rate=arguments.learning_rate)
    optimizer.init(model.trainable_parameters())
    state = [model.state, optimizer.state]

    def loss_fn(x: mx.array, y: mx.array) -> mx.array:
        return nn.losses.cross_entropy(model(x), y, reduction="mean")

    @partial(mx.compile, inputs=state, outputs=state)
    def train_step(x: mx.array, y: mx.array) -> mx.array:
        loss, gradients = nn.value_and_grad(model, loss_fn)(x, y)
        optimizer.update(model, gradients)
        return loss

    with tqdm(range(arguments.epochs), unit="epoch") as epochs:
        for epoch in epochs:
            losses: list[mx.array] = []
            order = shuffler.permutation(len(train_x))
            for start in range(0, len(order), arguments.batch_size):
                batch = order[start : start + arguments.batch_size]
                losses.append(train_step(mx.array(train_x[batch]), mx.array(train_y[batch])))
                mx.eval(state)
            accuracy = mx.mean(mx.argmax(model(x), axis=1) == y).item()
            loss = mx.mean(mx.stack(losses)).item()
            epochs.write(f"epoch {epoch + 1:2d}: loss {loss:.4f}, test accuracy {accuracy:.2%}")

    predicted = np.array(mx.argmax(model(x), axis=1))
    confusion = np.zeros((10, 10), dtype=np.int64)
    np.add.at(confusion, (test_y, predicted), 1)
    draw_confusion(confusion, arguments.picture)
    print(f"test accuracy {np.trace(confusion) / confusion.sum():.2%}", end=", ")
    print(f"{time.perf_counter() - started:.1f} s, confusion matrix in {arguments.picture}")


if __name__ == "__main__":
    main()
