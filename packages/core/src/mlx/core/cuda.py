"""``mx.cuda``: what asks for the CUDA backend."""

from __future__ import annotations


def is_available() -> bool:
    """Whether this build has the CUDA backend.

    Returns:
        False where there is none.

    Example:
        >>> mx.cuda.is_available()
        False
    """
    return False
