"""The format of named arrays and metadata: safetensors.

A file is the length of a header (8 bytes), the header (JSON) and the elements of all tensors. The
header names the dtype, the shape and the place of each tensor.
"""

from __future__ import annotations

import math
import struct

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any

from .. import dtypes
from ..stream import StreamOrDevice
from .files import LONGEST, MOST_DIMENSIONS, Source, elements, malformed, raw, writing

_CODES = {
    dtypes.bool_: "BOOL",
    dtypes.uint8: "U8",
    dtypes.uint16: "U16",
    dtypes.uint32: "U32",
    dtypes.uint64: "U64",
    dtypes.int8: "I8",
    dtypes.int16: "I16",
    dtypes.int32: "I32",
    dtypes.int64: "I64",
    dtypes.float16: "F16",
    dtypes.bfloat16: "BF16",
    dtypes.float32: "F32",
    dtypes.float64: "F64",
    dtypes.complex64: "C64",
}
# Numbers of eight bits come as their codes: see from_fp8.
_DTYPES: dict[str, Dtype] = {
    **{code: dtype for dtype, code in _CODES.items()},
    "F8_E4M3": dtypes.uint8,
    "F8_E8M0": dtypes.uint8,
}
_METADATA = "__metadata__"
_LENGTH = struct.Struct("<Q")
_LONGEST_HEADER = 100_000_000  # the format's own limit


def save_safetensors(
    file: Any, arrays: dict[str, array], metadata: dict[str, str] | None = None
) -> None:
    """Saves named arrays in safetensors format.

    At a path the file appears when all is written, and replaces one that was there: never is a
    half of it to be seen. Arrays that were loaded from it stay as they are.

    Args:
        file: A path, to which ``.safetensors`` is added where it does not end with it, or a binary
            file object.
        arrays: The arrays by name.
        metadata: Texts by name.

    Raises:
        TypeError: If ``arrays`` is no dict of arrays, or ``file`` neither a path nor a file object.
        ValueError: If a name is ``__metadata__``, or the metadata is no dict of texts.
        OSError: If the file cannot be written.

    Example:
        >>> mx.save_safetensors("model.safetensors", {"bias": mx.zeros(2)}, {"step": "7"})
        >>> mx.load("model.safetensors", return_metadata=True)
        ({'bias': array([0, 0], dtype=float32)}, {'step': '7'})
    """
    _check(arrays, metadata)
    kernels.eval(arrays)
    # Large elements come first: so those of every tensor are aligned.
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    with writing(file, ".safetensors", "save_safetensors") as out:
        out.write(_header_of([(name, arrays[name]) for name in order], metadata))
        for name in order:
            out.write(raw(arrays[name]))


def _check(arrays: Any, metadata: Any) -> None:
    if not isinstance(arrays, dict):
        raise TypeError(f"[save_safetensors] arrays is {type(arrays).__name__}, not a dict.")
    for name, a in arrays.items():
        if not isinstance(name, str) or not isinstance(a, array):
            raise TypeError(
                f"[save_safetensors] {name!r}: {type(a).__name__} is no text with an array."
            )
    if _METADATA in arrays:
        raise ValueError(f"[save_safetensors] {_METADATA} is no name for an array.")
    if metadata is not None and not _is_texts(metadata):
        raise ValueError("[save_safetensors] metadata is not a dict of texts.")


def _is_texts(metadata: Any) -> bool:
    return isinstance(metadata, dict) and all(
        isinstance(part, str) for item in metadata.items() for part in item
    )


def _header_of(named: list[tuple[str, array]], metadata: dict[str, str] | None) -> bytes:
    import json

    header: dict[str, Any] = {} if metadata is None else {_METADATA: metadata}
    end = 0
    for name, a in named:
        begin, end = end, end + a.nbytes
        header[name] = {"dtype": _CODES[a.dtype], "shape": a.shape, "data_offsets": (begin, end)}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return _LENGTH.pack(len(text)) + text


def read_safetensors(
    source: Source, stream: StreamOrDevice = None
) -> tuple[dict[str, array], dict[str, str]]:
    """The arrays and the metadata of a file; nothing but the header is read where it is mapped.

    Raises:
        RuntimeError: If it is no safetensors file, or ends too early.
    """
    (length,) = _LENGTH.unpack(source.take(_LENGTH.size, "length of the safetensors header"))
    if length > _LONGEST_HEADER:
        raise malformed(source.name, f"a safetensors header of {length} bytes is none.")
    header = _parse(source, source.take(length, "safetensors header"))
    metadata = header.pop(_METADATA, None)
    if not (metadata is None or _is_texts(metadata)):
        raise malformed(source.name, f"{_METADATA} is no dict of texts.")
    tensors = {name: _read_entry(source.name, name, entry) for name, entry in header.items()}
    size = max((end for _, _, _, end in tensors.values()), default=0)
    content, start = source.region(size, "data")
    arrays = {
        name: elements(content, start + begin, shape, dtype, stream=stream)
        for name, (dtype, shape, begin, _) in tensors.items()
    }
    return arrays, metadata or {}


def _parse(source: Source, text: bytes) -> dict[str, Any]:
    import json

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(pairs) != len(dict(pairs)):
            raise ValueError("a name appears twice")
        return dict(pairs)

    try:
        header = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise malformed(source.name, f"the safetensors header is no JSON: {error}.") from error
    if not isinstance(header, dict):
        raise malformed(source.name, "the safetensors header is no dict.")
    return header


def _read_entry(file: str, name: str, entry: Any) -> tuple[Dtype, tuple[int, ...], int, int]:
    """The dtype, the shape, and the first and last offset of a tensor."""
    called = f"{file}, tensor {name!r}"
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        raise malformed(called, "it has not dtype, shape and data_offsets.")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    dtype = _DTYPES.get(code) if isinstance(code, str) else None
    if dtype is None:
        raise malformed(called, f"dtype {code!r} is not supported.")
    if not _is_lengths(shape) or not _is_lengths(offsets) or len(offsets) != 2:
        raise malformed(called, f"shape {shape} and data_offsets {offsets} are no lengths.")
    begin, end = offsets
    size = math.prod(shape) * dtype.size
    if end - begin != size:
        raise malformed(called, f"data_offsets {offsets} do not hold {size} bytes.")
    return dtype, tuple(shape), begin, end


def _is_lengths(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MOST_DIMENSIONS
        and all(type(part) is int and 0 <= part <= LONGEST for part in value)
    )
