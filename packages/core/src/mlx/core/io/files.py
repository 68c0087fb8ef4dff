"""Files as bytes: read from a path or an object, written whole or not at all. No format lives here.

A file that has a path is mapped: nothing is read before it is used, and all processes share its
pages. Mapped memory is read-only and never donated. Every length and offset that a file states is
checked against the bytes that are there.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any, BinaryIO

from ..dtypes import bool_, complex64, uint8
from ..ops.binary import bitwise_or
from ..ops.compare import not_equal
from ..ops.create import zeros
from ..ops.shape import flatten, reshape
from ..ops.views import contiguous, flip, view
from ..stream import StreamOrDevice

# What a file may claim of a shape, so that it can be handed to an array at all.
MOST_DIMENSIONS = 64
LONGEST = 1 << 62
# What is asked of a file object at once: a length that a file states and does not have costs no
# more than this.
_AT_ONCE = 1 << 28


def malformed(name: str, rule: str) -> RuntimeError:
    """The error of a file that breaks a rule of its format."""
    return RuntimeError(f"[load] {name}: {rule}")


def path_of(file: Any) -> str | None:
    """The path that ``file`` is, or None where it is no path."""
    return os.fspath(file) if isinstance(file, (str, os.PathLike)) else None


def name_of(file: Any) -> str:
    """What a file is called in messages."""
    name = path_of(file) or getattr(file, "name", None)
    return str(name) if isinstance(name, (str, bytes)) else f"the {type(file).__name__}"


# ---- reading -----------------------------------------------------------------------------------


class Source:
    """The bytes of a file from a place on, to be taken in order.

    Attributes:
        name: What the file is called in messages.
    """

    name: str

    def take(self, count: int, what: str) -> bytes:
        """The next bytes.

        Args:
            count: How many.
            what: What they are, for the message.

        Raises:
            RuntimeError: If the file ends before.
        """
        raise NotImplementedError

    def region(self, count: int, what: str) -> tuple[Any, int]:
        """The next bytes as a buffer and the offset at which they begin in it."""
        raise NotImplementedError


class MappedSource(Source):
    """A part of a mapped file."""

    def __init__(self, name: str, content: Any, start: int = 0, stop: int | None = None) -> None:
        """Takes what lies between two places."""
        self.name = name
        self._content = content
        self._at = start
        self._stop = len(content) if stop is None else stop

    def region(self, count: int, what: str) -> tuple[Any, int]:
        """Moves on, reading nothing."""
        left = self._stop - self._at
        if count > left:
            raise _too_short(self.name, what, count, left)
        self._at += count
        return self._content, self._at - count

    def take(self, count: int, what: str) -> bytes:
        """Copies the bytes."""
        content, at = self.region(count, what)
        return bytes(content[at : at + count])


class StreamSource(Source):
    """What an object with ``read`` gives; it is left behind the last byte that was taken."""

    def __init__(self, file: Any, name: str | None = None) -> None:
        """Reads from an object."""
        self.name = name or name_of(file)
        self._file = file

    def take(self, count: int, what: str) -> bytes:
        """Reads until there are as many bytes."""
        parts = []
        missing = count
        while missing:
            part = self._file.read(min(missing, _AT_ONCE))
            if not isinstance(part, bytes):
                raise TypeError(f"[load] {self.name} was not opened in binary mode.")
            if not part:
                raise _too_short(self.name, what, count, count - missing)
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def region(self, count: int, what: str) -> tuple[Any, int]:
        """Reads the bytes."""
        return self.take(count, what), 0


def _too_short(name: str, what: str, needed: int, left: int) -> RuntimeError:
    return malformed(
        name, f"the {what} of {needed} bytes does not fit the {left} that are left of the file."
    )


def mapped(path: str) -> Any:
    """The bytes of the file at a path: mapped, or read where it is empty or no regular file.

    Raises:
        OSError: If it cannot be opened.
    """
    from mmap import ACCESS_READ, mmap

    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_size:
            return mmap(file.fileno(), 0, access=ACCESS_READ)
        return file.read()


def source_of(file: Any) -> Source:
    """The bytes of a path or a file object."""
    path = path_of(file)
    return StreamSource(file) if path is None else MappedSource(path, mapped(path))


def elements(
    content: Any,
    offset: int,
    shape: tuple[int, ...],
    dtype: Dtype,
    *,
    swapped: bool = False,
    stream: StreamOrDevice = None,
) -> array:
    """The array whose elements lie in a buffer; lazy where they cannot be used as they lie.

    Args:
        content: The buffer.
        offset: Where they begin, in bytes.
        shape: The shape; its elements lie in the buffer.
        dtype: The dtype.
        swapped: Whether they are big-endian.
        stream: Stream or device to run on.
    """
    count = math.prod(shape)
    if not count:
        return zeros(shape, dtype, stream=stream)
    if dtype == bool_:  # only 0 and 1 are bools, and a file may hold anything
        return not_equal(kernels.from_buffer(content, shape, uint8, offset), 0, stream=stream)
    swapped = swapped and dtype.size > 1
    if not swapped and offset % dtype.size == 0:
        return kernels.from_buffer(content, shape, dtype, offset)
    word = 4 if dtype == complex64 else dtype.size
    raw = kernels.from_buffer(content, (count * dtype.size // word, word), uint8, offset)
    # Both write into memory of ours, which is aligned.
    raw = flip(raw, 1, stream=stream) if swapped else bitwise_or(raw, 0, stream=stream)
    return reshape(view(flatten(raw, stream=stream), dtype, stream=stream), shape, stream=stream)


# ---- writing -----------------------------------------------------------------------------------


@contextmanager
def writing(file: Any, suffix: str, function: str) -> Iterator[BinaryIO]:
    """A file to write to. At a path it appears when all is written, and replaces what was there.

    Args:
        file: A path, to which ``suffix`` is added where it does not end with it, or an object with
            ``write``.
        suffix: What paths end with.
        function: The public function, for messages.

    Raises:
        TypeError: If ``file`` is neither.
        OSError: If the file cannot be written; the path then holds what it held before.
    """
    path = path_of(file)
    if path is None:
        if not hasattr(file, "write"):
            raise TypeError(
                f"[{function}] file is {type(file).__name__}, neither a path nor a file object."
            )
        yield file
        return
    # A link stays a link: what it points at is replaced.
    path = os.path.realpath(path if path.endswith(suffix) else path + suffix)
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as device:
            yield device
        return
    with _replacing(path, function) as replacement:
        yield replacement


@contextmanager
def _replacing(path: str, function: str) -> Iterator[BinaryIO]:
    """A new file beside ``path`` that takes its place at the end, on disk before it does."""
    folder = os.path.dirname(path)
    temporary = os.path.join(folder, f".{os.urandom(8).hex()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError as error:
        raise OSError(error.errno, f"[{function}] {error.strerror}", path) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            if os.path.exists(path):
                os.fchmod(descriptor, stat.S_IMODE(os.stat(path).st_mode))
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def raw(a: array) -> memoryview:
    """The bytes of an array's elements in row-major order."""
    return memoryview(contiguous(view(flatten(a), uint8)))  # type: ignore[arg-type]
