"""load: any file by its format."""

from __future__ import annotations

import os

from mlx.kernels import array
from mlx.kernels.hints import Any, Literal, overload

from ..stream import StreamOrDevice
from .files import path_of, source_of
from .npy import read_npy
from .npz import read_npz
from .safetensors import read_safetensors


@overload
def load(
    file: Any,
    /,
    format: str | None = None,
    return_metadata: Literal[False] = False,
    *,
    stream: StreamOrDevice = None,
) -> array | dict[str, array]: ...


@overload
def load(
    file: Any,
    /,
    format: str | None = None,
    *,
    return_metadata: Literal[True],
    stream: StreamOrDevice = None,
) -> tuple[dict[str, array], dict[str, Any]]: ...


@overload
def load(
    file: Any,
    /,
    format: str | None,
    return_metadata: Literal[True],
    *,
    stream: StreamOrDevice = None,
) -> tuple[dict[str, array], dict[str, Any]]: ...


def load(
    file: Any,
    /,
    format: str | None = None,
    return_metadata: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array | dict[str, array] | tuple[dict[str, array], dict[str, Any]]:
    """Loads the array or the arrays of a file: npy, npz or safetensors.

    A file that has a path is mapped: its elements are read when they are used. Replace such a file
    as ``save`` does, but do not write into it while its arrays live.

    Args:
        file: A path, or a binary file object.
        format: The format: ``"npy"``, ``"npz"`` or ``"safetensors"``; None is what the name of the
            file ends with.
        return_metadata: Whether to return the metadata as well, which safetensors files have.
        stream: Stream or device to run on.

    Returns:
        The array of an npy file; else a dict of arrays by name, or that and the metadata.

    Raises:
        ValueError: If the format is unknown, has no metadata, or has elements without a dtype.
        RuntimeError: If the file breaks a rule of its format, or ends too early.
        OSError: If the file cannot be opened.

    Example:
        >>> mx.save("range.npy", mx.arange(3))
        >>> mx.load("range.npy")
        array([0, 1, 2], dtype=int32)
    """
    if path_of(file) is None and not hasattr(file, "read"):
        raise ValueError(f"[load] file is {type(file).__name__}, neither a path nor a file object.")
    kind = _format_of(file) if format is None else format
    if kind not in ("npy", "npz", "safetensors"):
        raise ValueError(f"[load] format {kind!r} is none of npy, npz, safetensors.")
    if return_metadata and kind != "safetensors":
        raise ValueError(f"[load] {kind} files have no metadata.")
    if kind == "npz":
        return read_npz(file, stream)
    if kind == "npy":
        return read_npy(source_of(file), stream)
    arrays, metadata = read_safetensors(source_of(file), stream)
    return (arrays, metadata) if return_metadata else arrays


def _format_of(file: Any) -> str:
    name = path_of(file) or getattr(file, "name", None)
    ending = os.path.splitext(name)[1] if isinstance(name, str) else ""
    if not ending:
        raise ValueError(f"[load] {name!r} has no ending that says its format: give format=.")
    return ending[1:]
