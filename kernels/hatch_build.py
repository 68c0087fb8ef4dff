"""Builds mlxk and the Cython modules with CMake and Ninja.

Two callers: hatchling, through `KernelBuildHook` (`uv sync`, `uv build`, `pip install`), and
`make build`, which runs this file as a program in the project's own environment. Both use the same
persistent folder ``build/<SOABI>``, so that a second build compiles only what changed.

No path of hatchling's temporary build environment may reach the CMake cache, ``build.ninja`` or a
dependency file. So OpenBLAS is copied into the build folder, Cython is found through a file that
is written anew each time (see ``cmake/cythonize.py``), and CMake gets the base interpreter.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
MINIMUM = {"cmake": (3, 24), "ninja": (1, 10)}
# Build options that are read from the environment, beside CMAKE_ARGS.
OPTIONS = re.compile(r"MLX_BUILD_\w+|MLX_USE_CCACHE|MLX_METAL_\w+|USE_[AUT]\w*SAN")


def program(name: str) -> str | None:
    """Returns the path of a new enough ``cmake`` or ``ninja``, or None."""
    path = shutil.which(name)
    if path is None:
        return None
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"(\d+)\.(\d+)", answer.stdout)
    if found is None or tuple(map(int, found.groups())) < MINIMUM[name]:
        return None
    return path


def copy_openblas(target: Path) -> Path:
    """Copies headers and library of scipy-openblas64 to ``target`` and returns it."""
    spec = find_spec("scipy_openblas64")
    if spec is None or spec.origin is None:
        raise RuntimeError("[build] scipy-openblas64 is not installed; run `uv sync` first.")
    package = Path(spec.origin).parent
    for folder in ("include", "lib"):
        for source in sorted((package / folder).glob("*.*")):
            copy = target / folder / source.name
            size = source.stat().st_size
            same = copy.exists() and copy.stat().st_size == size
            if same and (size > 2**21 or copy.read_bytes() == source.read_bytes()):
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
    return target


def build(stage: Path | None = None, targets: tuple[str, ...] = ()) -> None:
    """Configures, compiles in place and, if ``stage`` is given, installs there.

    Args:
        stage: The folder whose files go into a wheel.
        targets: Ninja targets instead of the default one.
    """
    cmake, ninja = program("cmake"), program("ninja")
    if cmake is None or ninja is None:
        raise RuntimeError(
            "[build] cmake >= 3.24 and ninja >= 1.10 are not on PATH; `uv pip install cmake ninja`."
        )
    soabi = sysconfig.get_config_var("SOABI")
    folder = ROOT / "build" / soabi
    folder.mkdir(parents=True, exist_ok=True)
    search_path = "\n".join(path for path in sys.path if path)
    write_if_changed(folder / "python_path.txt", search_path + "\n")
    base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    settings = {
        "CMAKE_MAKE_PROGRAM": ninja,
        "MLX_PYTHON": base,
        "MLX_PYTHON_INCLUDE": sysconfig.get_path("include"),
        "MLX_EXTENSION_SUFFIX": sysconfig.get_config_var("EXT_SUFFIX"),
        "MLX_SOABI": soabi,
        "MLX_OPENBLAS": copy_openblas(folder / "openblas"),
    }
    settings["MLX_BUILD_TESTS"] = "ON"  # their target is built only by `make test-cpp`
    settings |= {name: value for name, value in os.environ.items() if OPTIONS.fullmatch(name)}
    arguments = [f"-D{name}={value}" for name, value in settings.items()]
    arguments += shlex.split(os.environ.get("CMAKE_ARGS", ""))
    # CMake reads CXXFLAGS only on the first configuration; the cache keeps what it found.
    arguments.append(f"-DCMAKE_CXX_FLAGS={os.environ.get('CXXFLAGS', '')}")
    stamp = folder / "arguments.txt"
    wanted = shlex.join([cmake, *arguments])
    configured = (folder / "build.ninja").exists() and stamp.exists()
    if not configured or stamp.read_text() != wanted:
        stamp.unlink(missing_ok=True)
        run([cmake, "-S", str(ROOT), "-B", str(folder), "-G", "Ninja", *arguments])
        stamp.write_text(wanted)
    run([ninja, "-C", str(folder), *targets])
    if stage is not None:
        shutil.rmtree(stage, ignore_errors=True)
        run([cmake, "--install", str(folder), "--prefix", str(stage)])


def write_if_changed(path: Path, text: str) -> None:
    """Writes ``text`` unless the file holds it already, so that its time stays."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def run(command: list[str]) -> None:
    """Runs a build step; its output goes to our standard error."""
    subprocess.run(command, check=True, stdout=sys.stderr)


class KernelBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """The hatchling hook of mlx-kernels."""

    def dependencies(self) -> list[str]:
        """Cmake and ninja from PyPI, where the system has none that is new enough."""
        return [
            f"{name}>={'.'.join(map(str, MINIMUM[name]))}"
            for name in MINIMUM
            if program(name) is None
        ]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds in place; a standard wheel also gets the installed files."""
        if self.target_name != "wheel":
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if version == "editable":
            build()
            return
        stage = ROOT / "build" / "stage" / str(sysconfig.get_config_var("SOABI"))
        build(stage)
        for path in sorted(stage.rglob("*")):
            if path.is_file():
                build_data["force_include"][str(path)] = path.relative_to(stage).as_posix()
        build_data["force_include"][str(ROOT / "include")] = "mlx/kernels/include"


if __name__ == "__main__":
    build(targets=tuple(sys.argv[1:]))
