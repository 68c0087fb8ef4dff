"""Trains a convolutional network on handwritten digits and draws those that it gets wrong.

The 1,797 scans of 8 x 8 pixels come with scikit-learn (UCI's optical recognition of handwritten
digits), so nothing is downloaded. Run:

    uv run examples/digits_cnn.py
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


class Block(nn.Module):
    """Convolution, batch normalization, relu; halves the sides by pooling."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm(outputs)
        self.pool = nn.MaxPool2d(2)

    def __call__(self, x: mx.array) -> mx.array:
        return self.pool(nn.relu(self.norm(self.conv(x))))


class CNN(nn.Module):
    """Two blocks and a layer that weighs what they found."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.blocks = [Block(1, channels), Block(channels, 2 * channels)]
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(2 * 2 * 2 * channels, classes)

    def __call__(self, x: mx.array) -> mx.array:
        for block in self.blocks:
            x = block(x)
        return self.head(self.dropout(x.flatten(1)))


def load_data() -> tuple[NDArray[Any], ...]:
    """Images (n, 8, 8, 1) in [0, 1] and labels: train and test, stratified, 20% test."""
    digits = cast(Any, load_digits())
    images = (digits.images[..., None] / 16).astype(np.float32)
    labels = digits.target.astype(np.uint32)
    split = cast(Any, train_test_split)
    return tuple(split(images, labels, test_size=0.2, random_state=0, stratify=labels))


def shifted(images: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Each image moved by at most one pixel along each axis."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, images.shape[1:3], axis=(1, 2))
    row, column = rng.integers(0, 3, (2, len(images)))
    return np.moveaxis(windows[np.arange(len(images)), row, column], 1, -1)


def draw_mistakes(images: np.ndarray, labels: np.ndarray, said: np.ndarray, path: Path) -> None:
    """Writes a picture of the images, each with its label and what the network said."""
    side = 96
    picture = Image.new("L", (side * max(len(images), 1), side + 20), "white")
    draw = ImageDraw.Draw(picture)
    for i, image in enumerate(images):
        grey = Image.fromarray((255 * (1 - image[..., 0])).astype(np.uint8))
        picture.paste(grey.resize((side - 4, side - 4), Image.Resampling.NEAREST), (side * i, 0))
        caption = f"{labels[i]}, not {said[i]}"
        draw.text((side * i + side // 2, side + 8), caption, fill="black", anchor="mm")
    picture.save(path)


def main() -> None:
    """Parses the arguments, trains, prints the accuracy on unseen digits, writes the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=45)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--picture", type=Path, default=Path("mistakes.png"))
    arguments = parser.parse_args()

    started = time.perf_counter()
    mx.random.seed(0)
    rng = np.random.default_rng(0)
    train_x, test_x, train_y, test_y = load_data()

    model = CNN(arguments.channels, 10)
    steps = arguments.epochs * -(-len(train_x) // arguments.batch_size)
    optimizer = optim.AdamW(optim.cosine_decay(arguments.learning_rate, steps), weight_decay=0.1)
    optimizer.init(model.trainable_parameters())
    # The running statistics are in the model's state, what dropout draws in the random state.
    state = [model.state, optimizer.state, mx.random.state]

    def loss_fn(x: mx.array, y: mx.array) -> mx.array:
        return nn.losses.cross_entropy(model(x), y, reduction="mean")

    @partial(mx.compile, inputs=state, outputs=state)
    def train_step(x: mx.array, y: mx.array) -> mx.array:
        loss, gradients = nn.value_and_grad(model, loss_fn)(x, y)
        optimizer.update(model, gradients)
        return loss

    with tqdm(range(arguments.epochs), unit="epoch") as epochs:
        for _ in epochs:
            losses: list[mx.array] = []
            order = rng.permutation(len(train_x))
            for start in range(0, len(order), arguments.batch_size):
                batch = order[start : start + arguments.batch_size]
                x = shifted(train_x[batch], rng)
                losses.append(train_step(mx.array(x), mx.array(train_y[batch])))
                mx.eval(state)
            epochs.set_postfix_str(f"loss {mx.mean(mx.stack(losses)).item():.4f}")

    model.eval()
    said = np.array(mx.argmax(model(mx.array(test_x)), axis=1))
    wrong = np.flatnonzero(said != test_y)
    draw_mistakes(test_x[wrong], test_y[wrong], said[wrong], arguments.picture)
    print(f"test accuracy {1 - len(wrong) / len(said):.2%}, ", end="")
    print(f"{time.perf_counter() - started:.1f} s, mistakes in {arguments.picture}")


if __name__ == "__main__":
    main()
