"""The distributions of the workspace agree with each other."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MEMBERS = [ROOT, ROOT / "kernels", *sorted((ROOT / "packages").iterdir())]


def pyproject(member: Path) -> str:
    return (member / "pyproject.toml").read_text()


def version() -> str:
    found = re.search(r'^version = "(.+)"$', pyproject(ROOT), re.M)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_one_version_and_exact_pins(member: Path) -> None:
    text = pyproject(member)
    assert f'version = "{version()}"' in text
    siblings = re.findall(r'"(mlx-[a-z]+)([^"]*)"', text)
    assert all(pin == f"=={version()}" for _, pin in siblings if pin), siblings


def test_the_front_door_depends_on_every_member() -> None:
    for member in MEMBERS[1:]:
        name = re.search(r'^name = "(.+)"$', pyproject(member), re.M)
        assert name is not None
        assert f'"{name.group(1)}=={version()}"' in pyproject(ROOT)


def test_every_package_says_that_it_is_typed() -> None:
    packages = [path.parent for path in ROOT.glob("*/src/mlx/*/__init__.py")]
    packages += [path.parent for path in ROOT.glob("packages/*/src/mlx/*/__init__.py")]
    assert len(packages) >= 4
    assert [str(path) for path in packages if not (path / "py.typed").exists()] == []


def test_no_package_claims_the_namespace() -> None:
    assert [str(path) for path in ROOT.glob("**/src/mlx/__init__.py")] == []


def run_python(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    prelude = f"import sys; sys.path.insert(0, {str(path)!r})\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + code], capture_output=True, text=True, check=False
    )


def test_apples_mlx_beside_ours_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "mlx").mkdir()
    (tmp_path / "mlx" / "core.cpython-311-x86_64-linux-gnu.so").touch()
    result = run_python("import mlx.kernels", tmp_path)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: [mlx.kernels] another distribution of mlx is installed in")
    assert str(tmp_path / "mlx") in last
    assert "uninstall" in last


def test_importing_kernels_brings_no_heavy_module() -> None:
    code = "import mlx.kernels; print(sorted({'numpy', 'ctypes', 'asyncio'} & set(sys.modules)))"
    result = run_python(code, Path("/nonexistent"))
    assert result.stdout.strip() == "[]", result.stderr


def test_blas_is_found_without_a_run_path() -> None:
    code = (
        "from mlx.kernels import load\n"
        "assert load.blas_is_on_run_path()\n"
        "load.preload_blas()\n"
        "import ctypes\n"
        "assert not hasattr(ctypes.CDLL(None), 'scipy_cblas_dgemm64_'), 'BLAS became global'\n"
    )
    result = run_python(code, Path("/nonexistent"))
    assert result.returncode == 0, result.stderr
