"""The format of one array: npy, NumPy's.

A file is the magic bytes, a version, the length of a header, the header (a Python dict as text)
and the elements. bfloat16, which NumPy does not have, is written as ``<V2``, as MLX does.
"""

from __future__ import annotations

import math
import struct
import sys

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any, BinaryIO

from .. import dtypes
from ..ops.axes import check_array
from ..ops.shape import transpose
from ..stream import StreamOrDevice
from .files import LONGEST, MOST_DIMENSIONS, Source, elements, malformed, raw, writing

_MAGIC = b"\x93NUMPY"
_CODES = {
    dtypes.bool_: "|b1",
    dtypes.uint8: "|u1",
    dtypes.uint16: "<u2",
    dtypes.uint32: "<u4",
    dtypes.uint64: "<u8",
    dtypes.int8: "|i1",
    dtypes.int16: "<i2",
    dtypes.int32: "<i4",
    dtypes.int64: "<i8",
    dtypes.float16: "<f2",
    dtypes.bfloat16: "<V2",
    dtypes.float32: "<f4",
    dtypes.float64: "<f8",
    dtypes.complex64: "<c8",
}
_DTYPES = {code[1:]: dtype for dtype, code in _CODES.items()}
_ALIGNMENT = 64  # of the first element, as NumPy has it
_FIELD = r"\s*'(descr|fortran_order|shape)'\s*:\s*('[^']*'|True|False|\([\d\s,]*\))\s*(?:,|$)\s*"


def save(file: Any, arr: array) -> None:
    """Saves an array in npy format.

    At a path the file appears when all is written, and replaces one that was there: never is a
    half of it to be seen.

    Args:
        file: A path, to which ``.npy`` is added where it does not end with it, or a binary file
            object.
        arr: Array of any shape and dtype.

    Raises:
        TypeError: If ``arr`` is no array, or ``file`` neither a path nor a file object.
        OSError: If the file cannot be written.

    Example:
        >>> mx.save("weights.npy", mx.array([1.0, 2.0]))
        >>> mx.load("weights.npy")
        array([1, 2], dtype=float32)
    """
    check_array("save", arr)
    kernels.eval(arr)
    with writing(file, ".npy", "save") as out:
        write_npy(out, arr)


def write_npy(out: BinaryIO, a: array) -> None:
    """Writes an evaluated array."""
    out.write(header_of(a.shape, a.dtype))
    out.write(raw(a))


def header_of(shape: tuple[int, ...], dtype: Dtype) -> bytes:
    """All that comes before the elements."""
    text = f"{{'descr': '{_CODES[dtype]}', 'fortran_order': False, 'shape': {shape!r}, }}"
    version, length_format = (1, "<H") if len(text) < 0xFF00 else (2, "<I")
    lead = len(_MAGIC) + 2 + struct.calcsize(length_format)
    padding = -(lead + len(text) + 1) % _ALIGNMENT
    content = text.encode() + b" " * padding + b"\n"
    return _MAGIC + bytes((version, 0)) + struct.pack(length_format, len(content)) + content


def read_npy(source: Source, stream: StreamOrDevice = None) -> array:
    """The array of a file, with nothing read but its header where the file is mapped.

    Raises:
        RuntimeError: If it is no npy file, or ends too early.
        ValueError: If there is no such dtype.
    """
    descr, is_fortran, shape = _read_header(source)
    dtype = _DTYPES.get(descr[1:]) if descr[:1] in "|<>=" else None
    if dtype is None:
        raise ValueError(f"[load] {source.name}: elements of type {descr!r} have no dtype.")
    order = sys.byteorder == "big" if descr[0] in "|=" else descr[0] == ">"
    content, offset = source.region(math.prod(shape) * dtype.size, f"data of shape {shape}")
    # Column-major elements are those of the transpose.
    stored = shape[::-1] if is_fortran else shape
    a = elements(content, offset, stored, dtype, swapped=order, stream=stream)
    return transpose(a, stream=stream) if is_fortran and len(shape) > 1 else a


def _read_header(source: Source) -> tuple[str, bool, tuple[int, ...]]:
    """The type of the elements, whether they lie in column-major order, and the shape."""
    import re  # not for every import of mlx.core

    start = source.take(len(_MAGIC) + 2, "npy magic")
    if start[: len(_MAGIC)] != _MAGIC:
        raise malformed(source.name, "it does not begin like an npy file.")
    version = start[len(_MAGIC)]
    if version not in (1, 2, 3):
        raise malformed(source.name, f"version {version} of npy is none of 1, 2, 3.")
    length_format = "<H" if version == 1 else "<I"
    size = struct.calcsize(length_format)
    (length,) = struct.unpack(length_format, source.take(size, "length of the npy header"))
    text = source.take(length, "npy header").decode(
        "utf-8" if version == 3 else "latin-1", "replace"
    )
    body = text.strip()
    content, at, field = body[1:-1], 0, re.compile(_FIELD)
    fields = {}
    while found := field.match(content, at):  # a search would try each of many blanks
        fields[found[1]] = found[2]
        at = found.end()
    is_dict = body[:1] == "{" and body[-1:] == "}" and at == len(content)
    if not is_dict or len(fields) != 3:
        raise malformed(
            source.name, f"{body[:200]!r} is no header of descr, fortran_order and shape."
        )
    descr, order, sizes = fields["descr"], fields["fortran_order"], fields["shape"]
    if descr[0] != "'" or order not in ("True", "False") or sizes[0] != "(":
        raise malformed(source.name, f"{body[:200]!r} is no header of a plain array.")
    lengths = [part.strip() for part in sizes[1:-1].split(",") if part.strip()]
    are_numbers = all(part.isdecimal() and len(part) < 20 for part in lengths)
    shape = tuple(int(part) for part in lengths) if are_numbers else (-1,)
    if len(shape) > MOST_DIMENSIONS or not all(0 <= length <= LONGEST for length in shape):
        raise malformed(source.name, f"{sizes[:200]} is no shape.")
    return descr[1:-1], order == "True", shape
