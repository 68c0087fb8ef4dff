"""The names of ``typing`` that ``mlx.core`` says its types in, without importing ``typing``.

``typing`` and the ``re`` that it imports would be a fifth of the time of ``import mlx.core``. No
annotation here is ever evaluated, so that type checkers alone need the real names; running code
finds stand-ins, of which as much works as is done with them where a module is defined.
"""

from __future__ import annotations

__all__ = [
    "TYPE_CHECKING",
    "Any",
    "BinaryIO",
    "ClassVar",
    "Literal",
    "NamedTuple",
    "NoReturn",
    "Protocol",
    "SupportsIndex",
    "TypeVar",
    "overload",
]

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import (
        Any,
        BinaryIO,
        ClassVar,
        Literal,
        NamedTuple,
        NoReturn,
        Protocol,
        SupportsIndex,
        TypeVar,
        overload,
    )
else:
    from collections import namedtuple

    class _StandIn:
        """A type of which nothing is known; ``Literal[...]`` is itself."""

        def __class_getitem__(cls, item):
            return cls

    Any = BinaryIO = ClassVar = Literal = NoReturn = SupportsIndex = _StandIn

    class Protocol:
        """A class like any other: it is not asked what conforms to it."""

    def TypeVar(name, *constraints, **options):
        """Any type, here."""
        return _StandIn

    def overload(function):
        """The function: the one that follows takes its name."""
        return function

    class _Fields(type):
        """Makes a class that lists fields a named tuple."""

        def __new__(cls, name, bases, body):
            fields = body.pop("__annotations__")
            usual = [body.pop(field) for field in fields if field in body]
            made = namedtuple(name, fields, defaults=usual, module=body["__module__"])
            for key, value in body.items():
                setattr(made, key, value)
            return made

    NamedTuple = type.__new__(_Fields, "NamedTuple", (), {})  # past what its subclasses become
