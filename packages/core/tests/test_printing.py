"""Print options as contexts; what is printed is in the golden cases."""

from __future__ import annotations

import mlx.core as mx


def test_a_context_entered_twice_restores() -> None:
    before = mx.get_printoptions().precision
    context = mx.printoptions(precision=3)
    with context:
        with context:
            assert mx.get_printoptions().precision == 3
        assert mx.get_printoptions().precision == 3
    assert mx.get_printoptions().precision == before
