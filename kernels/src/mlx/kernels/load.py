"""What must hold before the first extension module is loaded.

Runs on every import of ``mlx``, so it costs microseconds: no metadata is searched, no module of
weight imported.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from importlib.machinery import EXTENSION_SUFFIXES

__all__ = ["prepare"]


def prepare() -> None:
    """Checks the environment and loads libmlxk with OpenBLAS.

    Raises:
        ImportError: If another distribution owns ``mlx.core``, or OpenBLAS is missing.
    """
    refuse_foreign_core(sys.modules["mlx"].__path__)
    # OpenBLAS starts threads when it is loaded, as many as this says. Ours brings the threads.
    threads = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        if not blas_is_on_run_path():
            preload_blas()
        importlib.import_module("mlx.kernels._array")  # and with it libmlxk and OpenBLAS
    finally:
        if threads is None:
            del os.environ["OPENBLAS_NUM_THREADS"]
        else:
            os.environ["OPENBLAS_NUM_THREADS"] = threads


def blas_is_on_run_path() -> bool:
    """Whether the run path of libmlxk leads to OpenBLAS: in a wheel, or built in place."""
    here = os.path.dirname(__file__)
    suffix = EXTENSION_SUFFIXES[0]  # .<SOABI>.so
    build = os.path.join("..", "..", "..", "build", suffix[1 : suffix.rindex(".")], "openblas")
    wheel = os.path.join("..", "..", "scipy_openblas64", "lib")
    return any(os.path.exists(os.path.join(here, folder)) for folder in (wheel, build))


def refuse_foreign_core(folders: Iterable[str]) -> None:
    """Raises where another distribution owns ``mlx.core``.

    Apple's wheel brings ``mlx/core.<platform>.so``; ours has a package of that name. Which of the
    two an import finds depends on the order of ``sys.path``, so a mixture must not run.

    Args:
        folders: The path of the namespace package ``mlx``.

    Raises:
        ImportError: If one of the folders holds a compiled ``core``.
    """
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            if name.startswith("core.") and name.endswith((".so", ".pyd", ".dylib")):
                raise ImportError(
                    f"[mlx.kernels] another distribution of mlx is installed in {folder} beside "
                    "this one, and both own the module mlx.core. Uninstall both (`pip uninstall "
                    "mlx mlx-cpu mlx-metal mlx-core mlx-kernels`), then install one."
                )


def preload_blas() -> None:
    """Loads OpenBLAS from wherever scipy-openblas64 is installed.

    It must not become global: a NumPy imported later would bind its own BLAS calls to it. And
    importing the Python package ``scipy_openblas64`` would do just that.

    Raises:
        ImportError: If scipy-openblas64 is not installed.
    """
    import ctypes
    from importlib.util import find_spec

    spec = find_spec("scipy_openblas64")
    if spec is None or spec.origin is None:
        raise ImportError(
            "[mlx.kernels] the package scipy-openblas64 is missing; `pip install scipy-openblas64`."
        )
    folder = os.path.join(os.path.dirname(spec.origin), "lib")
    for name in sorted(os.listdir(folder)):
        if name.startswith("libscipy_openblas64_."):
            ctypes.CDLL(os.path.join(folder, name), ctypes.RTLD_LOCAL)
