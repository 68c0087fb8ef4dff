"""Streams: queues of work on a device."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import TracebackType

from mlx import kernels
from mlx.kernels.hints import Any, TypeVar

from .device import Device, DeviceType, available_kind

F = TypeVar("F", bound=Callable[..., Any])


class Stream:
    """A queue of work on a device; work of one stream runs in order.

    Made by ``new_stream`` and ``default_stream``.

    Example:
        >>> mx.default_stream(mx.cpu).device
        Device(cpu, 0)
    """

    __slots__ = ("_id", "device", "index")

    def __init__(self, id: int) -> None:
        kind, index = kernels.stream_info(id)[:2]
        self._id = id
        self.device = Device(DeviceType(kind))
        self.index = index

    def __eq__(self, other: object) -> bool:
        return self._id == other._id if isinstance(other, Stream) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._id)

    def __repr__(self) -> str:
        return f"Stream({self.device!r}, {self.index})"


class ThreadLocalStream(Stream):
    """A stream that belongs to the thread that made it.

    Made by ``new_thread_local_stream``.

    Example:
        >>> mx.new_thread_local_stream(mx.cpu).device
        Device(cpu, 0)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"ThreadLocalStream({self.device!r}, {self.index})"


StreamOrDevice = Stream | ThreadLocalStream | Device | DeviceType | None


def _stream_id(stream: Any) -> int:
    """The number of a stream given as a stream, a device or a kind of device."""
    if isinstance(stream, Stream):
        return stream._id
    if isinstance(stream, (Device, DeviceType)):
        return kernels.default_stream(available_kind("stream", stream))
    raise TypeError(f"[stream] {type(stream).__name__} is no stream or device.")


kernels.set_hook("stream", _stream_id)


def default_stream(device: Device | DeviceType) -> Stream:
    """The stream on which a device's ops run that name none; each thread has its own.

    Args:
        device: A device, or a kind of device.

    Returns:
        The stream.

    Raises:
        ValueError: If there is no such device.

    Example:
        >>> mx.default_stream(mx.cpu) == mx.default_stream(mx.cpu)
        True
    """
    return Stream(kernels.default_stream(available_kind("default_stream", device)))


def set_default_stream(stream: Stream) -> None:
    """Chooses the stream on which this thread's ops run that name none.

    Args:
        stream: The stream; it becomes the default of its device.

    Raises:
        TypeError: If it is no stream.

    Example:
        >>> mx.set_default_stream(mx.default_stream(mx.cpu))
    """
    if not isinstance(stream, Stream):
        raise TypeError(f"[set_default_stream] {type(stream).__name__} is no stream.")
    kernels.set_default_stream(stream._id)


def new_stream(device: Device | DeviceType) -> Stream:
    """A new stream.

    Args:
        device: A device, or a kind of device.

    Returns:
        The stream.

    Raises:
        ValueError: If there is no such device.

    Example:
        >>> mx.new_stream(mx.cpu) == mx.default_stream(mx.cpu)
        False
    """
    return Stream(kernels.new_stream(available_kind("new_stream", device)))


def new_thread_unsafe_stream(device: Device | DeviceType) -> Stream:
    """A new stream; ours may all be used by several threads.

    Args:
        device: A device, or a kind of device.

    Returns:
        The stream.

    Raises:
        ValueError: If there is no such device.

    Example:
        >>> mx.new_thread_unsafe_stream(mx.cpu).device
        Device(cpu, 0)
    """
    return Stream(kernels.new_stream(available_kind("new_thread_unsafe_stream", device)))


def new_thread_local_stream(device: Device | DeviceType) -> ThreadLocalStream:
    """A new stream that belongs to this thread.

    Args:
        device: A device, or a kind of device.

    Returns:
        The stream.

    Raises:
        ValueError: If there is no such device.

    Example:
        >>> mx.new_thread_local_stream(mx.cpu).device
        Device(cpu, 0)
    """
    kind = available_kind("new_thread_local_stream", device)
    return ThreadLocalStream(kernels.new_stream(kind, True))


class StreamContext:
    """Makes a stream, or a device, the default inside a ``with`` block.

    Args:
        s: A stream, a device or a kind of device.

    Example:
        >>> with mx.StreamContext(mx.cpu):
        ...     a = mx.add(1, 2)
    """

    def __init__(self, s: StreamOrDevice) -> None:
        if s is not None and not isinstance(s, (Stream, Device, DeviceType)):
            raise TypeError(f"[StreamContext] {type(s).__name__} is no stream or device.")
        self._inside = None if s is None else _stream_id(s)
        self._before: list[tuple[int, int]] = []

    def __enter__(self) -> StreamContext:
        if self._inside is not None:
            kind = kernels.stream_info(self._inside)[0]
            self._before.append((kernels.default_device(), kernels.default_stream(kind)))
            kernels.set_default_device(kind)
            kernels.set_default_stream(self._inside)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if self._before:
            device, stream = self._before.pop()
            kernels.set_default_stream(stream)
            kernels.set_default_device(device)


def stream(s: StreamOrDevice) -> StreamContext:
    """Makes a stream, or a device, the default inside a ``with`` block.

    Args:
        s: A stream, a device or a kind of device.

    Returns:
        The context manager.

    Example:
        >>> with mx.stream(mx.new_stream(mx.cpu)):
        ...     a = mx.add(1, 2)
    """
    return StreamContext(s)


def synchronize(stream: StreamOrDevice = None) -> None:
    """Waits for the work that a stream has now.

    Args:
        stream: A stream, or a device whose default stream is meant; None is the default stream.

    Raises:
        RuntimeError: If that work failed, and nobody has been told yet.

    Example:
        >>> mx.synchronize()
    """
    target = Device(DeviceType(kernels.default_device())) if stream is None else stream
    kernels.synchronize(_stream_id(target))


def clear_streams() -> None:
    """Waits for this thread's streams and gives them back.

    Example:
        >>> mx.clear_streams()
    """
    kernels.clear_streams()


def on_stream(fun: F) -> F:
    """A function made of ops that name no stream; they run on the one that it is given."""
    names = fun.__code__.co_varnames[: fun.__code__.co_argcount]
    count = len(names) if "stream" in names else -1  # of arguments, the last one a stream

    def chosen(*args: Any, stream: StreamOrDevice = None, **kwargs: Any) -> Any:
        if len(args) == count:
            args, stream = args[:-1], args[-1]
        if stream is None:
            return fun(*args, **kwargs)
        with StreamContext(stream):
            return fun(*args, **kwargs)

    run: Any = wraps(fun)(chosen)
    return run


__all__ = [
    "Stream",
    "StreamContext",
    "ThreadLocalStream",
    "clear_streams",
    "default_stream",
    "new_stream",
    "new_thread_local_stream",
    "new_thread_unsafe_stream",
    "set_default_stream",
    "stream",
    "synchronize",
]
