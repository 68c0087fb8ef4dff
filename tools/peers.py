"""Compares with PyTorch and JAX, which live in environments of their own below build/peers.

python tools/peers.py [--keep]

Runs every case of the nn and optimizer tests in PyTorch, then our tests on these answers; exchanges
arrays with both libraries. ``--keep`` puts the answers into the golden files that the ordinary
tests read.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "peers"
ANSWERS = BUILD / "golden"
ENVIRONMENTS = {"torch": ["torch==2.13.0"], "jax": ["jax"]}
NN, OPTIMIZERS = (ROOT / "packages" / name / "tests" for name in ("nn", "optimizers"))
SOURCES = [ROOT / "kernels" / "src", *sorted((ROOT / "packages").glob("*/src"))]


def python_of(name: str) -> Path:
    """The interpreter of an environment, of our version so that it can load what we built."""
    python = BUILD / name / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", BUILD / name], check=True)
        install = ["-m", "pip", "install", "--quiet", "numpy", *ENVIRONMENTS[name]]
        subprocess.run([python, *install], check=True)
    return python


def run(python: Path | str, *arguments: Path | str, path: list[Path], **extra: str) -> None:
    """Runs Python with folders on its path and variables in its environment."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))} | extra
    subprocess.run([python, *arguments], check=True, cwd=ROOT, env=environment)


def main() -> None:
    """Asks, compares, exchanges."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--keep", action="store_true", help="write the golden files")
    keep = parser.parse_args().keep

    torch = python_of("torch")
    run(torch, NN / "torch_golden.py", ANSWERS, path=[NN])
    run(torch, OPTIMIZERS / "torch_optimizers.py", ANSWERS, path=[OPTIMIZERS, NN])
    tests = [folder / "test_peers.py" for folder in (NN, OPTIMIZERS)]
    run(sys.executable, "-m", "pytest", "-q", *tests, path=[], MLX_PEERS=str(ANSWERS))
    for name in ENVIRONMENTS:
        exchange = ROOT / "packages" / "core" / "tests" / "exchange.py"
        run(python_of(name), exchange, name, path=SOURCES)
    if keep:
        for answer in sorted(ANSWERS.glob("torch_*.json")):
            folder = OPTIMIZERS if answer.stem == "torch_optimizers" else NN
            shutil.copy(answer, folder / "golden")


if __name__ == "__main__":
    main()
