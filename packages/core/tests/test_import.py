"""What ``import mlx.core`` brings with it."""

from __future__ import annotations

import subprocess
import sys

from mlx.kernels.hints import NamedTuple


def test_typing_and_re_are_not_imported() -> None:
    """They are a fifth of the time; ``mlx.kernels.hints`` stands for typing."""
    program = "import sys; sys.modules.update(typing=None, re=None); import mlx.core"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_named_tuples_of_hints_are_those_of_typing() -> None:
    class Point(NamedTuple):
        """A place."""

        x: int
        y: int = 3

        def total(self) -> int:
            return self.x + self.y

    assert Point(1) == (1, 3)
    assert Point(1).total() == 4
    assert (Point.__doc__, Point._fields) == ("A place.", ("x", "y"))


def test_hints_can_be_evaluated() -> None:
    """By tools that ask for them, with stand-ins for the names of typing."""
    import typing

    import mlx.core as mx

    hints = typing.get_type_hints(mx.load)
    assert hints["format"] == str | None
