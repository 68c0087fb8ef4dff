"""Trains a small Transformer to write like Python's own help pages, character by character.

The text is that of ``pydoc_data.topics``, which comes with Python, so nothing is downloaded. It
draws the loss and prints a sample. Run:

    uv run examples/language_model.py
"""

from __future__ import annotations

import argparse
import math
import time
from functools import partial
from pathlib import Path
from pydoc_data.topics import topics

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from PIL import Image, ImageDraw
from tqdm import tqdm


class LanguageModel(nn.Module):
    """A causal Transformer over characters."""

    def __init__(self, characters: int, dims: int, layers: int, heads: int, context: int) -> None:
        super().__init__()
        self.context = context
        self.embedding = nn.Embedding(characters, dims)
        self.positions = nn.Embedding(context, dims)
        self.transformer = nn.TransformerEncoder(layers, dims, heads, activation=nn.gelu)
        self.head = nn.Linear(dims, characters)

    def __call__(self, x: mx.array) -> mx.array:
        """Logits (batch, length, characters) of the characters that follow ``x``."""
        y = self.embedding(x) + self.positions(mx.arange(x.shape[1]))
        return self.head(self.transformer(y, "causal"))


def load_text() -> tuple[np.ndarray, list[str]]:
    """The text as indices into its characters, and the characters."""
    text = "\n\n".join(topics[name] for name in sorted(topics))
    characters = sorted(set(text))
    index = {character: i for i, character in enumerate(characters)}
    return np.array([index[character] for character in text], np.uint32), characters


def write(model: LanguageModel, start: list[int], length: int, temperature: float) -> list[int]:
    """Draws characters one after the other; ``start`` is where the text begins."""
    written = list(start)
    for _ in range(length):
        logits = model(mx.array([written[-model.context :]]))[0, -1]
        written.append(int(mx.random.categorical(logits / temperature).item()))
    return written


def draw_losses(losses: list[float], path: Path, width: int = 800, height: int = 400) -> None:
    """Writes a picture of the loss, and its mean over twenty steps, at every step."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    margin, top = 50, max(losses)
    smooth = [float(np.mean(losses[max(0, i - 19) : i + 1])) for i in range(len(losses))]

    def place(i: int, loss: float) -> tuple[float, float]:
        across = (width - 2 * margin) * i / max(len(losses) - 1, 1)
        return margin + across, height - margin - (height - 2 * margin) * loss / top

    for value in range(math.floor(top) + 1):
        _, y = place(0, value)
        draw.line((margin, y, width - margin, y), fill="lightgray")
        draw.text((margin - 10, y), str(value), fill="black", anchor="rm")
    for values, color in ((losses, "lightblue"), (smooth, "navy")):
        draw.line([place(i, loss) for i, loss in enumerate(values)], fill=color, width=2)
    label = f"cross entropy of a character over {len(losses)} steps"
    draw.text((width // 2, height - margin // 2), label, fill="black", anchor="mm")
    image.save(path)


def main() -> None:
    """Parses the arguments, trains, prints a sample, writes the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--dims", type=int, default=128)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--sample", type=int, default=300, help="characters to write at the end")
    parser.add_argument("--picture", type=Path, default=Path("loss.png"))
    arguments = parser.parse_args()

    started = time.perf_counter()
    mx.random.seed(0)
    shuffler = np.random.default_rng(0)
    text, characters = load_text()
    model = LanguageModel(
        len(characters), arguments.dims, arguments.layers, arguments.heads, arguments.context
    )
    optimizer = optim.AdamW(learning_rate=arguments.learning_rate)
    optimizer.init(model.trainable_parameters())
    state = [model.state, optimizer.state]

    def loss_fn(x: mx.array, y: mx.array) -> mx.array:
        return nn.losses.cross_entropy(model(x), y, reduction="mean")

    @partial(mx.compile, inputs=state, outputs=state)
    def train_step(x: mx.array, y: mx.array) -> mx.array:
        loss, gradients = nn.value_and_grad(model, loss_fn)(x, y)
        optimizer.update(model, gradients)
        return loss

    losses: list[float] = []
    with tqdm(range(arguments.steps), unit="step") as steps:
        for _ in steps:
            last = len(text) - arguments.context
            begin = shuffler.integers(0, last, (arguments.batch_size, 1))
            window = text[begin + np.arange(arguments.context + 1)]
            losses.append(train_step(mx.array(window[:, :-1]), mx.array(window[:, 1:])).item())
            steps.set_postfix_str(f"loss {losses[-1]:.3f}")

    draw_losses(losses, arguments.picture)
    written = write(model, [characters.index("T")], arguments.sample, temperature=0.7)
    print("".join(characters[i] for i in written))
    print(f"loss {np.mean(losses[-20:]):.3f}, {time.perf_counter() - started:.1f} s", end=", ")
    print(f"picture in {arguments.picture}")


if __name__ == "__main__":
    main()
