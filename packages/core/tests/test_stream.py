"""Streams as contexts."""

from __future__ import annotations

import mlx.core as mx
import pytest


def test_a_context_entered_twice_restores() -> None:
    before = mx.default_stream(mx.cpu)
    inside = mx.new_stream(mx.cpu)
    context = mx.stream(inside)
    with context:
        with context:
            assert mx.default_stream(mx.cpu) == inside
        assert mx.default_stream(mx.cpu) == inside
    assert mx.default_stream(mx.cpu) == before
    with pytest.raises(ZeroDivisionError), context, mx.stream(None), context:
        _ = 1 / 0
    assert mx.default_stream(mx.cpu) == before
    nothing = mx.stream(None)
    with nothing, nothing:
        assert mx.default_stream(mx.cpu) == before


@pytest.mark.parametrize("number", [99, -1, 2**40])
def test_a_number_that_no_stream_has(number: int) -> None:
    with pytest.raises(TypeError, match=rf"\[stream\] there is no stream {number}\."):
        mx.add(1, 2, stream=number)
