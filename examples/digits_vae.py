"""Trains a variational autoencoder on handwritten digits and draws digits that nobody wrote.

The 1,797 scans of 8 x 8 pixels come with scikit-learn (UCI's optical recognition of handwritten
digits), so nothing is downloaded. Kingma and Welling, Auto-Encoding Variational Bayes, 2014. Run:

    uv run examples/digits_vae.py
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
from PIL import Image
from sklearn.datasets import load_digits  # pyright: ignore[reportMissingTypeStubs]
from tqdm import tqdm

SIDE = 8


class VAE(nn.Module):
    """Pixels to a normal distribution of few dimensions, and its samples to pixels."""

    def __init__(self, hidden: int, latent: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(SIDE * SIDE, hidden), nn.GELU())
        self.mean = nn.Linear(hidden, latent)
        self.log_variance = nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden), nn.GELU(), nn.Linear(hidden, SIDE * SIDE)
        )

    def __call__(self, x: mx.array) -> tuple[mx.array, mx.array, mx.array]:
        features = self.encoder(x)
        mean, log_variance = self.mean(features), self.log_variance(features)
        # A sample as a function of the distribution, so that gradients flow through it.
        latent = mean + mx.exp(0.5 * log_variance) * mx.random.normal(mean.shape)
        return self.decoder(latent), mean, log_variance


def loss_fn(model: VAE, x: mx.array) -> mx.array:
    """What the bound on the likelihood lacks: of the pixels, and of the distribution."""
    logits, mean, log_variance = model(x)
    pixels = nn.losses.binary_cross_entropy(logits, x, reduction="none").sum(axis=1)
    divergence = -0.5 * (1 + log_variance - mx.square(mean) - mx.exp(log_variance)).sum(axis=1)
    return mx.mean(pixels + divergence)


def draw(pixels: mx.array, columns: int, path: Path, zoom: int = 6) -> None:
    """Writes a picture of images in rows of ``columns``."""
    images = pixels.reshape(-1, columns, SIDE, SIDE)
    sheet = mx.pad(images, ((0, 0), (0, 0), (0, 1), (0, 1))).transpose(0, 2, 1, 3)
    rows, height, _, width = sheet.shape
    grey = (255 * (1 - sheet.reshape(rows * height, columns * width))).astype(mx.uint8)
    zoomed = mx.repeat(mx.repeat(grey, zoom, axis=0), zoom, axis=1)
    Image.fromarray(np.array(zoomed)).save(path)


def main() -> None:
    """Parses the arguments, trains, prints the loss of some epochs, writes the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--latent", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--picture", type=Path, default=Path("samples.png"))
    arguments = parser.parse_args()

    started = time.perf_counter()
    mx.random.seed(0)
    shuffler = np.random.default_rng(0)
    digits = cast(Any, load_digits())
    images = (digits.data / 16).astype(np.float32)

    model = VAE(arguments.hidden, arguments.latent)
    optimizer = optim.Adam(learning_rate=arguments.learning_rate)
    optimizer.init(model.trainable_parameters())
    # The random state is captured too: every step draws other samples.
    state = [model.state, optimizer.state, mx.random.state]
    loss_and_grad = nn.value_and_grad(model, loss_fn)

    @partial(mx.compile, inputs=state, outputs=state)
    def train_step(x: mx.array) -> mx.array:
        loss, gradients = loss_and_grad(model, x)
        optimizer.update(model, gradients)
        return loss

    with tqdm(range(arguments.epochs), unit="epoch") as epochs:
        for epoch in epochs:
            losses: list[mx.array] = []
            order = shuffler.permutation(len(images))
            for start in range(0, len(order), arguments.batch_size):
                batch = order[start : start + arguments.batch_size]
                losses.append(train_step(mx.array(images[batch])))
                mx.eval(state)
            if (epoch + 1) % 10 == 0 or epoch + 1 == arguments.epochs:
                loss = mx.mean(mx.stack(losses)).item()
                epochs.write(f"epoch {epoch + 1:3d}: loss {loss:.2f}")

    samples = mx.sigmoid(model.decoder(mx.random.normal((100, arguments.latent))))
    draw(samples, 10, arguments.picture)
    print(f"{time.perf_counter() - started:.1f} s, samples in {arguments.picture}")


if __name__ == "__main__":
    main()
