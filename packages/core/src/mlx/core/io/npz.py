"""The format of several arrays: npz, a zip archive of npy files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

from mlx import kernels
from mlx.kernels import array
from mlx.kernels.hints import TYPE_CHECKING, Any

from ..stream import StreamOrDevice
from .files import MappedSource, Source, StreamSource, malformed, mapped, name_of, path_of, writing
from .npy import read_npy, write_npy

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, ..., lengths of the name and the extra field
_PADDING_ID = 0xD935  # of the extra field by which zip files are aligned
_ALIGNMENT = 64
_ENCRYPTED = 1


def savez(file: Any, *args: array, **kwargs: array) -> None:
    """Saves several arrays in npz format, not compressed.

    At a path the file appears when all is written, and replaces one that was there.

    Args:
        file: A path, to which ``.npz`` is added where it does not end with it, or a binary file
            object.
        *args: Arrays, named ``arr_0``, ``arr_1``, ...
        **kwargs: Arrays, named by their keywords.

    Raises:
        TypeError: If one of them is no array, or ``file`` neither a path nor a file object.
        ValueError: If a keyword is ``arr_0`` and there is an array without a name.
        OSError: If the file cannot be written.

    Example:
        >>> mx.savez("pair.npz", mx.zeros(2), scale=mx.array(3))
        >>> mx.load("pair.npz")
        {'arr_0': array([0, 0], dtype=float32), 'scale': array(3, dtype=int32)}
    """
    _write("savez", file, args, kwargs, compressed=False)


def savez_compressed(file: Any, *args: array, **kwargs: array) -> None:
    """Saves several arrays in npz format, compressed.

    Args:
        file: A path, to which ``.npz`` is added where it does not end with it, or a binary file
            object.
        *args: Arrays, named ``arr_0``, ``arr_1``, ...
        **kwargs: Arrays, named by their keywords.

    Raises:
        TypeError: If one of them is no array, or ``file`` neither a path nor a file object.
        ValueError: If a keyword is ``arr_0`` and there is an array without a name.
        OSError: If the file cannot be written.

    Example:
        >>> mx.savez_compressed("zeros.npz", zeros=mx.zeros(1000))
        >>> mx.load("zeros.npz")["zeros"].shape
        (1000,)
    """
    _write("savez_compressed", file, args, kwargs, compressed=True)


def _write(
    function: str,
    file: Any,
    args: tuple[array, ...],
    kwargs: dict[str, array],
    *,
    compressed: bool,
) -> None:
    from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

    arrays = {f"arr_{i}": a for i, a in enumerate(args)}
    if doubled := sorted(arrays.keys() & kwargs.keys()):
        raise ValueError(f"[{function}] {doubled[0]} names an array without a name and a keyword.")
    arrays |= kwargs
    for name, a in arrays.items():
        if not isinstance(a, array):
            raise TypeError(f"[{function}] {name} is {type(a).__name__}, not an array.")
    kernels.eval(arrays)
    method = ZIP_DEFLATED if compressed else ZIP_STORED
    with writing(file, ".npz", function) as out, ZipFile(out, "w", method) as archive:
        for name, a in arrays.items():
            _write_member(archive, f"{name}.npy", a)


def _write_member(archive: ZipFile, name: str, a: array) -> None:
    from zipfile import ZIP_STORED, ZipInfo

    member = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    member.compress_type = archive.compression
    member.external_attr = 0o644 << 16
    # From this size zipfile knows whether 64-bit lengths are needed.
    member.file_size = a.nbytes + 1024
    if member.compress_type == ZIP_STORED and member.file_size < 1 << 31:
        # The elements of an array that is not compressed are aligned, so that they can be mapped.
        start = archive.start_dir + _LOCAL_HEADER.size + len(name.encode())
        padding = -(start + 4) % _ALIGNMENT
        member.extra = struct.pack("<HH", _PADDING_ID, padding) + bytes(padding)
    with archive.open(member, "w") as out:
        write_npy(out, a)  # type: ignore[arg-type]


def read_npz(file: Any, stream: StreamOrDevice = None) -> dict[str, array]:
    """The arrays of a file by name; those that are not compressed are mapped.

    Raises:
        RuntimeError: If it is no archive of npy files, or is damaged.
        ValueError: If there is no such dtype.
        OSError: If it cannot be opened.
    """
    from zipfile import ZipFile

    path = path_of(file)
    name = name_of(file)
    content = None if path is None else mapped(path)
    arrays = {}
    with _damage(name), ZipFile(file if path is None else path) as archive:
        members = archive.infolist()
        if len({member.header_offset for member in members}) < len(members):
            raise malformed(name, "the directory gives one place to two members.")
        for member in members:
            if not member.filename.endswith(".npy"):
                raise malformed(name, f"the member {member.filename!r} is no npy file.")
            with _member(archive, member, name, content) as source:
                arrays[member.filename[: -len(".npy")]] = read_npy(source, stream)
    return arrays


@contextmanager
def _member(archive: ZipFile, member: ZipInfo, name: str, content: Any) -> Iterator[Source]:
    """The bytes of a member of an archive."""
    from zipfile import ZIP_STORED

    called = f"{name}, member {member.filename!r}"
    if member.flag_bits & _ENCRYPTED:
        raise malformed(called, "it is encrypted.")
    if member.header_offset < 0:
        raise malformed(called, "the directory places it before the file.")
    if member.compress_type == ZIP_STORED and content is not None:
        header = MappedSource(called, content, member.header_offset)
        local = header.take(_LOCAL_HEADER.size, "header")
        signature, name_length, extra_length = _LOCAL_HEADER.unpack(local)
        if signature != b"PK\3\4":
            raise malformed(called, "there is no local header where the directory says.")
        header.region(name_length + extra_length, "name")
        _, start = header.region(member.file_size, "member")
        yield MappedSource(called, content, start, start + member.file_size)
    else:
        with archive.open(member) as opened:
            yield StreamSource(opened, called)


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Says of which file the errors of the zip reader are."""
    from zipfile import BadZipFile
    from zlib import error as zlib_error

    damage = (BadZipFile, zlib_error, EOFError, NotImplementedError, OSError, OverflowError)
    try:
        yield
    except (*damage, struct.error) as error:
        raise malformed(name, f"the archive cannot be read: {error}") from error
