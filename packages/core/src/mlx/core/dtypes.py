"""The element types, their hierarchy, and what can be asked of them.

The 14 instances and the promotion table live in the kernel library.
"""

from __future__ import annotations

import enum

from mlx import kernels
from mlx.kernels import Dtype, array

bool_, uint8, uint16, uint32, uint64 = kernels.dtypes[:5]
int8, int16, int32, int64 = kernels.dtypes[5:9]
float16, bfloat16, float32, float64, complex64 = kernels.dtypes[9:]


class DtypeCategory(enum.Enum):
    """A set of dtypes in the hierarchy ``generic > number > (integer, inexact) > ...``.

    Example:
        >>> mx.issubdtype(mx.float16, mx.floating)
        True
    """

    complexfloating = 0
    floating = 1
    inexact = 2
    signedinteger = 3
    unsignedinteger = 4
    integer = 5
    number = 6
    generic = 7

    def __repr__(self) -> str:
        return f"DtypeCategory.{self.name}"

    __str__ = __repr__
    __hash__ = object.__hash__  # members are unique; the hash of the name takes a Python frame


complexfloating = DtypeCategory.complexfloating
floating = DtypeCategory.floating
inexact = DtypeCategory.inexact
signedinteger = DtypeCategory.signedinteger
unsignedinteger = DtypeCategory.unsignedinteger
integer = DtypeCategory.integer
number = DtypeCategory.number
generic = DtypeCategory.generic

# The next larger set of each category and of each dtype.
_PARENT: dict[object, DtypeCategory] = {
    complexfloating: inexact,
    floating: inexact,
    inexact: number,
    signedinteger: integer,
    unsignedinteger: integer,
    integer: number,
    number: generic,
    bool_: generic,
    **dict.fromkeys((uint8, uint16, uint32, uint64), unsignedinteger),
    **dict.fromkeys((int8, int16, int32, int64), signedinteger),
    **dict.fromkeys((float16, bfloat16, float32, float64), floating),
    complex64: complexfloating,
}

_KINDS: dict[str, tuple[object, ...]] = {
    "bool": (bool_,),
    "signed integer": (signedinteger,),
    "unsigned integer": (unsignedinteger,),
    "integral": (integer,),
    "real floating": (floating,),
    "complex floating": (complexfloating,),
    "numeric": (number,),
}

DtypeLike = Dtype | DtypeCategory


def issubdtype(arg1: DtypeLike, arg2: DtypeLike) -> bool:
    """Whether ``arg1`` is, or lies inside, ``arg2``.

    Args:
        arg1: A dtype or a category.
        arg2: A dtype or a category.

    Returns:
        True if every dtype of ``arg1`` is one of ``arg2``.

    Raises:
        ValueError: If an argument is neither a dtype nor a category.

    Example:
        >>> mx.issubdtype(mx.int8, mx.integer), mx.issubdtype(mx.bool_, mx.number)
        (True, False)
    """
    try:
        return (arg1, arg2) in _INSIDE or _checked(arg1, arg2)
    except TypeError:  # not hashable
        return _checked(arg1, arg2)


def _within() -> set[tuple[object, object]]:
    """All pairs of a dtype or category and what it lies inside."""
    pairs: set[tuple[object, object]] = set()
    for member in (*_PARENT, generic):
        node: object = member
        while node is not None:
            pairs.add((member, node))
            node = _PARENT.get(node)
    return pairs


_INSIDE = _within()


def _checked(arg1: object, arg2: object) -> bool:
    """False, where both may be asked for."""
    for place, arg in (("first", arg1), ("second", arg2)):
        if not isinstance(arg, (Dtype, DtypeCategory)):
            raise ValueError(
                f"[issubdtype] The {place} argument is {type(arg).__name__}, "
                "not a dtype or a category of dtypes."
            )
    return False


def isdtype(dtype: Dtype, kind: Dtype | str | tuple[Dtype | str, ...]) -> bool:
    """Whether a dtype is of a kind, as the array API standard names kinds.

    Args:
        dtype: The dtype.
        kind: A dtype, one of "bool", "signed integer", "unsigned integer", "integral", "real
            floating", "complex floating" and "numeric", or a tuple of these.

    Returns:
        True if it is of that kind, or of one of them.

    Raises:
        TypeError: If ``dtype`` is no dtype.
        ValueError: If the kind is unknown.

    Example:
        >>> mx.isdtype(mx.float16, "real floating")
        True
    """
    if not isinstance(dtype, Dtype):
        raise TypeError(f"[isdtype] The dtype is {type(dtype).__name__}, not a Dtype.")
    if isinstance(kind, tuple):
        return any(isdtype(dtype, member) for member in kind)
    if isinstance(kind, Dtype):
        return dtype == kind
    if not isinstance(kind, str):
        raise ValueError(
            f"[isdtype] kind is {type(kind).__name__}, not a dtype, a string, or a tuple of these."
        )
    if kind not in _KINDS:
        raise ValueError(f"[isdtype] '{kind}' is no kind of dtype; known are {', '.join(_KINDS)}.")
    return any(issubdtype(dtype, member) for member in _KINDS[kind])  # type: ignore[arg-type]


def can_cast(from_: array | Dtype, to: Dtype) -> bool:
    """Whether promotion turns ``from_`` into ``to``.

    Args:
        from_: An array or a dtype.
        to: A dtype.

    Returns:
        True if ``to`` is the common dtype of both.

    Raises:
        ValueError: If ``from_`` is neither an array nor a dtype.

    Example:
        >>> mx.can_cast(mx.int32, mx.float16), mx.can_cast(mx.float32, mx.int32)
        (True, False)
    """
    if isinstance(from_, array):
        from_ = from_.dtype
    if not isinstance(from_, Dtype):
        raise ValueError(f"[can_cast] from_ is {type(from_).__name__}, not an array or a dtype.")
    return kernels.promote(from_, to) == to


def result_type(*arrays_and_dtypes: array | Dtype) -> Dtype:
    """The dtype to which the arguments promote together.

    Args:
        *arrays_and_dtypes: Arrays and dtypes, at least one.

    Returns:
        Their common dtype.

    Raises:
        ValueError: If there is no argument, or one is neither an array nor a dtype.

    Example:
        >>> mx.result_type(mx.int8, mx.array([1.5], mx.float16))
        mlx.core.float16
    """
    if not arrays_and_dtypes:
        raise ValueError("[result_type] At least one array or dtype is needed.")
    common: Dtype | None = None
    for arg in arrays_and_dtypes:
        dtype = arg.dtype if isinstance(arg, array) else arg
        if not isinstance(dtype, Dtype):
            raise ValueError(
                f"[result_type] An argument is {type(arg).__name__}, not an array or a dtype."
            )
        common = dtype if common is None else kernels.promote(common, dtype)
    assert common is not None
    return common


# bits, fraction bits and largest exponent: IEEE 754, and bfloat16 as float32's upper half.
_FLOATS: dict[Dtype, tuple[int, int, int]] = {
    float16: (16, 10, 15),
    bfloat16: (16, 7, 127),
    float32: (32, 23, 127),
    float64: (64, 52, 1023),
}


class finfo:
    """The limits of a floating-point dtype; a complex dtype gives those of its parts.

    Args:
        arg: An inexact dtype.

    Raises:
        ValueError: If the dtype is not inexact.

    Example:
        >>> mx.finfo(mx.float16).max
        65504.0
    """

    def __init__(self, arg: Dtype) -> None:
        if not isinstance(arg, Dtype):
            raise TypeError(f"[finfo] The argument is {type(arg).__name__}, not a dtype.")
        if not issubdtype(arg, inexact):
            raise ValueError(f"[finfo] {_short(arg)} is not inexact.")
        self._dtype = float32 if arg == complex64 else arg
        self._bits, self._fraction, self._exponent = _FLOATS[self._dtype]

    @property
    def bits(self) -> int:
        """The size of a number."""
        return self._bits

    @property
    def dtype(self) -> Dtype:
        """The real dtype."""
        return self._dtype

    @property
    def eps(self) -> float:
        """The distance from one to the next larger number."""
        return 2.0**-self._fraction

    @property
    def max(self) -> float:
        """The largest finite number."""
        return (2.0 - self.eps) * 2.0**self._exponent

    @property
    def min(self) -> float:
        """The smallest finite number."""
        return -self.max

    @property
    def smallest_normal(self) -> float:
        """The smallest positive number of full precision."""
        return 2.0 ** (1 - self._exponent)

    def __repr__(self) -> str:
        return f"finfo(min={self.min:g}, max={self.max:g}, dtype={_short(self.dtype)})"


class iinfo:
    """The limits of an integer dtype.

    Args:
        arg: An integer dtype.

    Raises:
        ValueError: If the dtype is not an integer.

    Example:
        >>> mx.iinfo(mx.int8).min
        -128
    """

    def __init__(self, arg: Dtype) -> None:
        if not isinstance(arg, Dtype):
            raise TypeError(f"[iinfo] The argument is {type(arg).__name__}, not a dtype.")
        if not issubdtype(arg, integer):
            raise ValueError(f"[iinfo] {_short(arg)} is not an integer dtype.")
        self._dtype = arg

    @property
    def dtype(self) -> Dtype:
        """The dtype."""
        return self._dtype

    @property
    def max(self) -> int:
        """The largest number."""
        return 2 ** (8 * self._dtype.size - issubdtype(self._dtype, signedinteger)) - 1

    @property
    def min(self) -> int:
        """The smallest number."""
        return -self.max - 1 if issubdtype(self._dtype, signedinteger) else 0

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={_short(self.dtype)})"


def _short(dtype: Dtype) -> str:
    """The dtype's name without its module."""
    return repr(dtype).rpartition(".")[2]
