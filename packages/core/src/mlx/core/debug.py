"""Looking for what went wrong: where a NaN or an infinity comes from."""

from __future__ import annotations

from types import TracebackType

from mlx import kernels


class debug_nans:
    """Makes evaluations fail at the first operation that makes a NaN or an infinity.

    A call switches the search on, or off; as a context it restores what was before. The environment
    variable ``MLX_DEBUG_NANS=1`` switches it on from the start.

    An operation makes one where its inputs had none: an elementwise operation where they had none
    at that element, any other where they had none at all. So infinities that a program puts in
    itself, such as masks, raise nothing. While the search is on, every operation runs by itself,
    also those of compiled functions, and is followed by a look at its result; off, it costs
    nothing. What counts is when an array is computed, not when it was made.

    Args:
        on: Whether to search.

    Raises:
        FloatingPointError: By evaluations: names the operation, the element, its inputs and the
            Python line that made the operation.

    Example:
        >>> with mx.debug_nans():
        ...     try:
        ...         mx.eval(mx.log(mx.array([1.0, 0.0])))
        ...     except FloatingPointError as error:
        ...         print(str(error).partition(" The array")[0])
        [debug_nans] log made -inf at (1,) of a result of shape (2,) from 0.
    """

    __module__ = "mlx.core"

    def __init__(self, on: bool = True) -> None:
        if not isinstance(on, bool):
            raise TypeError(f"[debug_nans] on is {type(on).__name__}, not a bool.")
        self._before = kernels.checks_nans(on)

    def __enter__(self) -> debug_nans:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        kernels.checks_nans(self._before)
