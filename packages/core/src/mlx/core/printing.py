"""How arrays print: ``repr``, ``str``, ``format`` and the print options."""

from __future__ import annotations

from types import TracebackType

from mlx import kernels
from mlx.kernels import array

from .ops.index import take

# Longer axes show their first and last three elements.
_LONGEST = 6
_EDGE = 3
# No float64 has more digits after the point.
_MOST = 1074


def _checked(name: str, precision: int) -> int:
    """The digits as an int."""
    if not isinstance(precision, int):
        raise TypeError(f"[{name}] precision is {type(precision).__name__}, not an int.")
    if precision > _MOST:
        raise ValueError(f"[{name}] precision is {precision}; no number has over {_MOST} digits.")
    return int(precision)


class PrintOptions:
    """How numbers print.

    Args:
        precision: Digits after the point; -1 for six significant digits.

    Raises:
        TypeError: If the precision is not an int.
        ValueError: If it is above 1074, the digits that a float64 can have.

    Example:
        >>> mx.PrintOptions(precision=3).precision
        3
    """

    __module__ = "mlx.core"

    def __init__(self, precision: int = -1) -> None:
        self._precision = _checked("PrintOptions", precision)

    def __repr__(self) -> str:
        return f"PrintOptions(precision={self._precision})"

    @property
    def precision(self) -> int:
        """Digits after the point; -1 for six significant digits."""
        return self._precision

    @precision.setter
    def precision(self, precision: int) -> None:
        self._precision = _checked("PrintOptions", precision)


_options = PrintOptions()


def set_printoptions(precision: int = -1) -> None:
    """Sets how numbers print from now on.

    Args:
        precision: Digits after the point; -1 for six significant digits.

    Raises:
        TypeError: If the precision is not an int.
        ValueError: If it is above 1074, the digits that a float64 can have.

    Example:
        >>> mx.set_printoptions(precision=2)
        >>> mx.array(0.12345)
        array(0.12, dtype=float32)
        >>> mx.set_printoptions()
    """
    _options.precision = _checked("set_printoptions", precision)


def get_printoptions() -> PrintOptions:
    """How numbers print now.

    Returns:
        A copy of the options.

    Example:
        >>> mx.get_printoptions().precision
        -1
    """
    return PrintOptions(_options.precision)


class _PrintOptionsContext:
    """Print options that hold inside a ``with`` block."""

    def __init__(self, precision: int) -> None:
        self._inside = precision
        self._before: list[int] = []

    def __enter__(self) -> None:
        self._before.append(_options.precision)
        _options.precision = self._inside

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before:
            _options.precision = self._before.pop()


def printoptions(precision: int = -1) -> _PrintOptionsContext:
    """Print options for the length of a ``with`` block.

    Args:
        precision: Digits after the point; -1 for six significant digits.

    Returns:
        The context manager.

    Raises:
        TypeError: If the precision is not an int.
        ValueError: If it is above 1074, the digits that a float64 can have.

    Example:
        >>> with mx.printoptions(precision=2):
        ...     print(mx.array([0.12345, 2.0]))
        array([0.12, 2.00], dtype=float32)
    """
    return _PrintOptionsContext(_checked("printoptions", precision))


def _number(value: bool | int | float | complex) -> str:
    """One element as text."""
    if isinstance(value, complex):
        sign = "" if value.imag < 0 else "+"  # so -0.0 prints as +-0
        return f"{_number(value.real)}{sign}{_number(value.imag)}j"
    if isinstance(value, float):
        digits = _options.precision
        if digits == -1:
            return f"{value:g}"
        return f"{value:.{digits if digits >= 0 else 6}f}"  # as C takes a negative precision
    return str(value)


def _shortened(x: array) -> tuple[array, list[bool]]:
    """The corners of an array, and which axes lost their middle."""
    cut = [n > _LONGEST for n in x.shape]
    for axis, n in enumerate(x.shape):
        if cut[axis]:
            ends = array([*range(_EDGE), *range(n - _EDGE, n)], kernels.int64)
            x = take(x, ends, axis)
    return x, cut


def _rows(nested: object, cut: list[bool], indent: int) -> str:
    """A nested list as text; an axis that was cut shows dots in its middle."""
    if not isinstance(nested, list):
        return _number(nested)  # type: ignore[arg-type]
    parts = [_rows(item, cut[1:], indent + 1) for item in nested]
    if cut[0]:
        parts.insert(_EDGE, "...")
    separator = ", " if len(cut) == 1 else ",\n" + " " * indent
    return "[" + separator.join(parts) + "]"


def text(x: array) -> str:
    """The array as MLX prints it.

    Args:
        x: Any array. It is evaluated.

    Returns:
        ``array([...], dtype=...)``.
    """
    short, cut = _shortened(x)
    name = repr(x.dtype).rpartition(".")[2]
    return f"array({_rows(short.tolist(), cut, 7)}, dtype={name})"


def formatted(x: array, specification: str) -> str:
    """``format(x, specification)``: of the number, if the array holds one.

    Args:
        x: Any array. It is evaluated.
        specification: Python's format specification.

    Returns:
        The text.

    Raises:
        TypeError: If an array of several dimensions is given a specification.
    """
    if x.ndim == 0:
        return format(x.item(), specification)
    if specification:
        raise TypeError(
            f"[array.__format__] '{specification}' formats a number, and the array has shape "
            f"{x.shape}."
        )
    return text(x)


kernels.set_hook("repr", text)
kernels.set_hook("format", formatted)
