"""The wheels install with pip alone and work: run with ``pytest -m wheels``."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DISTRIBUTIONS = ["mlx", "mlx_core", "mlx_kernels", "mlx_nn", "mlx_optimizers"]

pytestmark = pytest.mark.wheels


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Runs a command outside this project's environment and returns what it printed."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"VIRTUAL_ENV", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT"}
    }
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sdists and wheels of every distribution; each wheel is built from its sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run("uv", "build", "--all-packages", "--python", sys.executable, "--out-dir", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def clean_python(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with mlx-nn, taken from the wheel folder alone."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    blas = ["scipy-openblas64>=0.3.30,<0.4"]
    run(python, "-m", "pip", "download", "--no-deps", "-q", "-d", dist, *blas, cwd=folder)
    arguments = ["--no-index", "--find-links", str(dist), "mlx-nn"]
    run(python, "-m", "pip", "install", "-q", *arguments, cwd=folder, PIP_FIND_LINKS="")
    return python


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_distribution_has_a_wheel_and_an_sdist(dist: Path, name: str) -> None:
    assert len(list(dist.glob(f"{name}-0*.whl"))) == 1
    assert len(list(dist.glob(f"{name}-0*.tar.gz"))) == 1


def test_the_kernel_wheel_holds_what_runs_and_no_more(dist: Path) -> None:
    (wheel,) = dist.glob("mlx_kernels-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "any" not in wheel.name
    assert sum("/libmlxk." in name for name in names) == 1
    assert "mlx/kernels/include/mlxk/kernel.h" in names
    assert "mlx/__init__.py" not in names
    assert not [name for name in names if name.endswith((".pyx", ".cxx", ".cpp"))]


def test_nn_trains_from_the_wheels(clean_python: Path, tmp_path: Path) -> None:
    program = (
        "import mlx.core as mx, mlx.nn as nn\n"
        "assert 'site-packages' in mx.__file__, mx.__file__\n"
        "mx.random.seed(0)\n"
        "x = mx.random.normal((256, 2))\n"
        "y = x @ mx.array([[2.0], [-3.0]]) + 0.5\n"
        "model = nn.Linear(2, 1)\n"
        "step = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))\n"
        "for _ in range(200):\n"
        "    loss, gradients = step(model, x, y)\n"
        "    update = {k: v - 0.1 * gradients[k] for k, v in model.parameters().items()}\n"
        "    model.update(update)\n"
        "    mx.eval(model.parameters(), loss)\n"
        "print(loss.item() < 1e-6)\n"
    )
    assert run(clean_python, "-W", "error", "-c", program, cwd=tmp_path).strip() == "True"
