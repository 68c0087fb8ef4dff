"""Every example runs, at reduced size, and does what it promises."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(folder: Path, name: str, *arguments: str) -> str:
    """What an example prints; warnings are errors."""
    result = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def number(pattern: str, text: str) -> float:
    found = re.findall(pattern, text)
    assert found, text
    return float(found[-1])


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_digits(tmp_path: Path) -> None:
    said = run(tmp_path, "digits.py", "--epochs", "4", "--hidden", "64")
    assert number(r"test accuracy ([\d.]+)%", said) > 88
    assert picture(tmp_path / "confusion.png").shape == (484, 484, 3)


def test_digits_cnn(tmp_path: Path) -> None:
    said = run(tmp_path, "digits_cnn.py", "--epochs", "6", "--channels", "8")
    assert number(r"test accuracy ([\d.]+)%", said) > 90
    assert picture(tmp_path / "mistakes.png").shape[0] == 116


def test_language_model(tmp_path: Path) -> None:
    steps = ["--steps", "20", "--batch-size", "4", "--sample", "20"]
    model = ["--context", "32", "--dims", "32", "--layers", "1"]
    said = run(tmp_path, "language_model.py", *steps, *model)
    assert number(r"loss ([\d.]+)", said) < 4.8
    assert picture(tmp_path / "loss.png").shape == (400, 800, 3)


def test_linear_regression(tmp_path: Path) -> None:
    said = run(tmp_path, "linear_regression.py", "--features", "20", "--steps", "1000")
    assert number(r"distance from the truth ([\d.]+)", said) < 0.01


def test_logistic_regression(tmp_path: Path) -> None:
    said = run(tmp_path, "logistic_regression.py", "--steps", "200")
    assert number(r"test accuracy ([\d.]+)%", said) > 95


def test_digits_vae(tmp_path: Path) -> None:
    said = run(tmp_path, "digits_vae.py", "--epochs", "10", "--hidden", "64")
    assert number(r"epoch  10: loss ([\d.]+)", said) < 26
    samples = picture(tmp_path / "samples.png")
    assert samples.shape == (540, 540)
    assert samples.std() > 20


def test_every_example_is_run() -> None:
    source = Path(__file__).read_text()
    missing = [path.name for path in EXAMPLES.glob("*.py") if f'"{path.name}"' not in source]
    if missing:
        pytest.fail(f"no test runs {missing}")
