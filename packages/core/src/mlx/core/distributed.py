"""``mx.distributed``: groups of processes and what they compute together.

This version has no communication backends, so a group is always the group of one, in which every
collective is the identity: a program written for many processes runs alone as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlx.kernels import Dtype, array

from .ops.axes import Numeric, as_array, check_array, handle
from .stream import StreamOrDevice

_BACKENDS = ("any", "mpi", "nccl", "jaccl", "ring")


class Group:
    """Processes that work together; ``init`` makes one."""

    def __new__(cls) -> Group:
        """Is not for users.

        Raises:
            TypeError: Always.
        """
        raise TypeError("[Group] groups are made by mx.distributed.init and Group.split.")

    def rank(self) -> int:
        """The number of this process in the group.

        Example:
            >>> mx.distributed.init().rank()
            0
        """
        return 0

    def size(self) -> int:
        """The number of processes in the group.

        Example:
            >>> mx.distributed.init().size()
            1
        """
        return 1

    def split(self, color: int, key: int = -1) -> Group:
        """Splits the group into those of equal color.

        Args:
            color: Processes of one color form a group.
            key: Orders the ranks in it; a negative one is the rank in this group.

        Raises:
            RuntimeError: If the group has one process.
        """
        raise RuntimeError("[Group.split] A group of one process cannot be split further.")


_alone: Group = object.__new__(Group)


def is_available(backend: str = "any") -> bool:
    """Whether this build has a communication backend.

    Args:
        backend: ``"ring"``, ``"mpi"``, ``"nccl"`` or ``"jaccl"``; ``"any"`` asks for one of them.

    Returns:
        False where there is none.

    Example:
        >>> mx.distributed.is_available()
        False
    """
    return False


def init(
    strict: bool = False,
    backend: str = "any",
    *,
    all_gather_factory: Callable[[int, int], Callable[[bytes, int], bytes]] | None = None,
) -> Group:
    """The group of all processes that were started together.

    Args:
        strict: Whether to raise where there is no backend; else the group is that of this process
            alone.
        backend: ``"ring"``, ``"mpi"``, ``"nccl"`` or ``"jaccl"``; ``"any"`` tries all of them.
        all_gather_factory: Only for ``"jaccl"``: makes, of a rank and a size, the function by which
            processes exchange bytes before they are connected.

    Returns:
        The group.

    Raises:
        ValueError: If there is no backend of this name, or it takes no ``all_gather_factory``.
        RuntimeError: If ``strict`` and this build does not have it.

    Example:
        >>> world = mx.distributed.init()
        >>> world.rank(), world.size()
        (0, 1)
    """
    if backend not in _BACKENDS:
        names = ", ".join(map(repr, _BACKENDS))
        raise ValueError(f"[distributed] backend is {backend!r}, none of {names}.")
    if all_gather_factory is not None and backend != "jaccl":
        raise ValueError("[distributed] all_gather_factory is only for the backend 'jaccl'.")
    if strict:
        raise RuntimeError(
            f"[distributed] This build has no communication backend (asked for: {backend!r}); "
            "without strict=True the group is that of this process alone."
        )
    return _alone


def _identity(name: str, x: Numeric, group: Group | None) -> array:
    """The result of a collective in a group of one."""
    if group is not None and not isinstance(group, Group):
        raise TypeError(f"[{name}] group is {type(group).__name__}, not a Group.")
    return handle(as_array(x, name))


def all_sum(x: array, *, group: Group | None = None, stream: StreamOrDevice = None) -> array:
    """The sum of the arrays of all processes.

    Args:
        x: Array of the same shape and dtype in all processes.
        group: The processes; None is the group that ``init`` returns.
        stream: Stream or device to run on.

    Returns:
        ``x``'s shape and dtype.

    Raises:
        TypeError: If ``group`` is no group.

    Example:
        >>> mx.distributed.all_sum(mx.array([1, 2]))
        array([1, 2], dtype=int32)
    """
    return _identity("all_sum", x, group)


def all_max(x: array, *, group: Group | None = None, stream: StreamOrDevice = None) -> array:
    """The elementwise maximum of the arrays of all processes.

    Args:
        x: Array of the same shape and dtype in all processes.
        group: The processes; None is the group that ``init`` returns.
        stream: Stream or device to run on.

    Returns:
        ``x``'s shape and dtype.

    Raises:
        TypeError: If ``group`` is no group.

    Example:
        >>> mx.distributed.all_max(mx.array([1, 2]))
        array([1, 2], dtype=int32)
    """
    return _identity("all_max", x, group)


def all_min(x: array, *, group: Group | None = None, stream: StreamOrDevice = None) -> array:
    """The elementwise minimum of the arrays of all processes.

    Args:
        x: Array of the same shape and dtype in all processes.
        group: The processes; None is the group that ``init`` returns.
        stream: Stream or device to run on.

    Returns:
        ``x``'s shape and dtype.

    Raises:
        TypeError: If ``group`` is no group.

    Example:
        >>> mx.distributed.all_min(mx.array([1, 2]))
        array([1, 2], dtype=int32)
    """
    return _identity("all_min", x, group)


def all_gather(x: array, *, group: Group | None = None, stream: StreamOrDevice = None) -> array:
    """The arrays of all processes, one after the other along the first axis.

    Args:
        x: Array of the same shape and dtype in all processes.
        group: The processes; None is the group that ``init`` returns.
        stream: Stream or device to run on.

    Returns:
        ``x``'s shape with the first axis as many times as long; ``x``'s dtype.

    Raises:
        TypeError: If ``group`` is no group.

    Example:
        >>> mx.distributed.all_gather(mx.array([1, 2]))
        array([1, 2], dtype=int32)
    """
    return _identity("all_gather", x, group)


def sum_scatter(x: array, *, group: Group | None = None, stream: StreamOrDevice = None) -> array:
    """This process's part, along the first axis, of the sum of the arrays of all processes.

    Args:
        x: Array of the same shape and dtype in all processes; the size of the group divides its
            first axis.
        group: The processes; None is the group that ``init`` returns.
        stream: Stream or device to run on.

    Returns:
        ``x``'s shape with a part of the first axis; ``x``'s dtype.

    Raises:
        TypeError: If ``group`` is no group.

    Example:
        >>> mx.distributed.sum_scatter(mx.array([1, 2]))
        array([1, 2], dtype=int32)
    """
    return _identity("sum_scatter", x, group)


def send(x: array, dst: int, *, group: Group | None = None, stream: StreamOrDevice = None) -> array:
    """Sends an array to another process when the result is evaluated.

    Args:
        x: The array.
        dst: The rank of the process.
        group: The processes; None is the group that ``init`` returns.
        stream: Stream or device to run on.

    Returns:
        ``x``.

    Raises:
        ValueError: If the group has one process.
    """
    raise ValueError("[send] A group of one process has nobody to send to.")


def recv(
    shape: Sequence[int],
    dtype: Dtype,
    src: int,
    *,
    group: Group | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Receives an array from another process.

    Args:
        shape: The shape.
        dtype: The dtype.
        src: The rank of the process.
        group: The processes; None is the group that ``init`` returns.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype.

    Raises:
        ValueError: If the group has one process.
    """
    raise ValueError("[recv] A group of one process has nobody to receive from.")


def recv_like(
    x: array, src: int, *, group: Group | None = None, stream: StreamOrDevice = None
) -> array:
    """Receives an array with the shape and dtype of another from another process.

    Args:
        x: The array whose shape and dtype are taken.
        src: The rank of the process.
        group: The processes; None is the group that ``init`` returns.
        stream: Stream or device to run on.

    Returns:
        ``x``'s shape and dtype.

    Raises:
        ValueError: If the group has one process.
    """
    check_array("recv_like", x)
    return recv(x.shape, x.dtype, src, group=group, stream=stream)
